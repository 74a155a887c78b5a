"""The pairs of one batch, made ready before the transaction that stores them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from workbench_core.canonical_labels import CanonicalLabels, LabelAnswers
from workbench_core.clock import Clock
from workbench_core.ports import ChatAnswer, PreparedRows, Store
from workbench_core.prompt_templates import AnswerSource
from workbench_core.training_sheets.item_columns import ItemColumns
from workbench_core.training_sheets.model import TrainingSheet
from workbench_core.training_sheets.pair_rows import PairRows
from workbench_core.usage import UsageRules

NO_LABELS = LabelAnswers(())


@dataclass(frozen=True, slots=True)
class Batch:
    """Items from a position on, the labels as they were when the pairs were made, and the pairs."""

    items: ItemColumns
    start: int
    labels: LabelAnswers
    pairs: PreparedRows
    reused: Sequence[str]  # identifiers of the labels that answer them


class Batches:
    """Make the pairs of one training sheet; all but `store` only reads."""

    def __init__(
        self,
        store: Store,
        labels: CanonicalLabels,
        clock: Clock,
        *,
        training_sheet: TrainingSheet,
        sheet_rules: UsageRules,
    ) -> None:
        self._store = store
        self._labels = labels
        self._clock = clock
        self._training_sheet = training_sheet
        self._sheet_rules = sheet_rules

    def make(self, items: ItemColumns, start: int, answers: Mapping[str, ChatAnswer] | None = None) -> Batch:
        """The pairs of items, the first one at position `start`, with the labels of this moment."""
        training_sheet, labels = self._training_sheet, self.labels_of(items.refs)
        by_item = labels.by_item()
        numbers: Sequence[int] = range(start, start + len(items))
        paired = items
        if training_sheet.answer_source is AnswerSource.CANONICAL:
            places = [place for place, ref in enumerate(items.refs) if ref in by_item]
            numbers, paired = [start + place for place in places], items.chosen(places)
        builder = PairRows(
            training_sheet, self._sheet_rules, by_item, answers or {}, training_sheet.model_name, self._clock()
        )
        pairs = self._store.prepare_rows("pairs", builder.columns(numbers, paired))
        return Batch(items, start, labels, pairs, [label.id for label in by_item.values()])

    def store(self, batch: Batch) -> None:
        """Keep the pairs of a batch and count their labels; call it in the transaction that holds the training sheet.

        When a label of its items was given, changed or removed since, the pairs are made anew.
        """
        if self.labels_of(batch.items.refs) != batch.labels:
            batch = self.make(batch.items, batch.start)
        self.store_new(batch)

    def store_new(self, batch: Batch) -> None:
        """Keep a batch that was made in this transaction."""
        if batch.pairs.number:
            self._store.append_prepared(batch.pairs)
        if batch.reused:
            self._labels.count_reuse(batch.reused)

    def labels_of(self, refs: Sequence[str]) -> LabelAnswers:
        """The labels of these items; a sheet without any of the type is not asked item by item."""
        sheet_id, label_type = self._training_sheet.sheet_id, self._training_sheet.label_type
        found = self._store.query(
            "SELECT id FROM canonical_labels WHERE sheet_id = :sheet AND label_type = :label_type LIMIT 1",
            sheet=sheet_id,
            label_type=label_type,
        )
        if not found:
            return NO_LABELS
        return self._labels.answers(sheet_id, refs, label_type)
