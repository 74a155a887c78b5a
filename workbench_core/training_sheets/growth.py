"""Which items a training sheet is about, and how many of them it has no pair for yet (TS-16)."""

from __future__ import annotations

from collections.abc import Set as AbstractSet
from dataclasses import dataclass

from workbench_core import rows
from workbench_core.data_quality import Quarantine
from workbench_core.ports import Lake, Selection, Store
from workbench_core.prompt_templates import AnswerSource
from workbench_core.sheets import Sheet, Sheets
from workbench_core.training_sheets.model import TrainingSheet
from workbench_core.training_sheets.sampling import without_sampling

_BATCH = 20_000


@dataclass(frozen=True, slots=True)
class Missing:
    """Items without a pair: `new` ones can get one, `unlabelled` ones not, as canonical labels alone answer.

    `items` are all that the source has now, each counted once.
    """

    new: int
    unlabelled: int = 0
    items: int = 0


class Growth:
    """Compare the items of training sheets with the pairs they have."""

    def __init__(self, store: Store, lake: Lake, sheets: Sheets, quarantine: Quarantine) -> None:
        self._store = store
        self._lake = lake
        self._sheets = sheets
        self._quarantine = quarantine

    def selection(self, training_sheet: TrainingSheet, sheet: Sheet) -> Selection:
        """The items of a training sheet as the source has them now; of a sample of its own, those that were drawn."""
        options = training_sheet.options
        selection = sheet.selection(extra_filter=training_sheet.filter, item_refs=options.item_refs)
        selection = without_sampling(selection) if options.sampling else selection
        return selection if options.includes_set_aside else self._quarantine.without(selection, sheet.id)

    def known(self, training_sheet_id: str) -> AbstractSet[str]:
        """The items that have a pair."""
        found = self._store.query("SELECT item_ref FROM pairs WHERE training_sheet_id = :id", id=training_sheet_id)
        return {rows.text(row, "item_ref") for row in found}

    def labelled(self, training_sheet: TrainingSheet) -> AbstractSet[str] | None:
        """The items that a label can answer; None when items without one get a pair too."""
        if training_sheet.answer_source is not AnswerSource.CANONICAL:
            return None
        found = self._store.query(
            "SELECT item_ref FROM canonical_labels WHERE sheet_id = :sheet AND label_type = :label_type "
            "ORDER BY item_ref",
            sheet=training_sheet.sheet_id,
            label_type=training_sheet.label_type,
        )
        return {rows.text(row, "item_ref") for row in found}

    def missing(self, training_sheet: TrainingSheet) -> Missing:
        """How many items have no pair, in one pass over the identifiers."""
        sheet = self._sheets.get(training_sheet.sheet_id)
        selection, known = self.selection(training_sheet, sheet), self.known(training_sheet.id)
        labelled, new, unlabelled, items, last = self.labelled(training_sheet), 0, 0, 0, ""
        for frame in self._lake.batches(selection, columns=(sheet.item_id_column,), size=_BATCH):
            every = frame["item_ref"].astype(str).tolist()
            refs = set(every) - {last}  # items that repeat themselves are neighbours
            items, last = items + len(refs), every[-1] if every else last
            refs -= known
            taken = refs if labelled is None else refs & labelled
            new, unlabelled = new + len(taken), unlabelled + len(refs) - len(taken)
        return Missing(new, unlabelled, items)
