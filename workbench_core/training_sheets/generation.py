"""The run behind a training sheet: items become pairs in batches, each one transaction, resumable at every border."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import takewhile
from typing import TYPE_CHECKING

from workbench_core import rows
from workbench_core.canonical_labels import CanonicalLabels
from workbench_core.chat_models import ChatModels
from workbench_core.clock import Clock
from workbench_core.data_quality import Quarantine
from workbench_core.errors import BackendError, WorkbenchError
from workbench_core.history import History
from workbench_core.ports import ChatAnswer, Conversation, Lake, Selection, Store
from workbench_core.prompt_rendering import Renderer
from workbench_core.prompt_templates import AnswerSource
from workbench_core.runs import RunContext, RunStopped
from workbench_core.sheets import Sheet, Sheets
from workbench_core.training_sheets.items import Item, columns_of, render_items
from workbench_core.training_sheets.model import TrainingSheet, TrainingSheetStatus
from workbench_core.training_sheets.pair_rows import PairRows
from workbench_core.usage import UsageRules

if TYPE_CHECKING:
    import pandas as pd

BATCH = 500
MODEL_BATCH = 32  # what a crash can cost in model answers


@dataclass(frozen=True, slots=True)
class _Plan:
    """What stays the same for all batches of a run. `start` is the position of the last item worked on before."""

    training_sheet: TrainingSheet
    sheet_rules: UsageRules
    renderer: Renderer
    selection: Selection
    columns: tuple[str, ...]
    start: int
    after: str

    @property
    def asks_model(self) -> bool:
        """Whether a model answers the items without a label."""
        return self.training_sheet.answer_source is AnswerSource.AI_GENERATED


@dataclass(frozen=True, slots=True)
class _Batch:
    """Items with what is known about their answers; `failure` ended the asking before all were answered."""

    items: Sequence[Item]
    answers: Mapping[str, ChatAnswer] = field(default_factory=dict)
    failure: BackendError | None = None


class Generation:
    """Work through the items of a training sheet; safe to stop and to kill at any moment."""

    def __init__(
        self,
        store: Store,
        *,
        lake: Lake,
        sheets: Sheets,
        labels: CanonicalLabels,
        chat_models: ChatModels,
        history: History,
        clock: Clock,
        quarantine: Quarantine,
        load: Callable[[str], TrainingSheet],
    ) -> None:
        self._quarantine = quarantine
        self._store = store
        self._lake = lake
        self._sheets = sheets
        self._labels = labels
        self._chat_models = chat_models
        self._history = history
        self._clock = clock
        self._load = load

    def handle(self, context: RunContext) -> None:
        """Make the missing pairs of the training sheet that a run is about; nothing twice, nothing left out.

        Raises RunStopped at a batch border when the run must end, and what made the generation fail, after the
        training sheet was marked failed.
        """
        training_sheet = self._load(context.subject_id)
        if training_sheet.status is not TrainingSheetStatus.GENERATING:
            return  # the process died between the last batch and the end of the run
        try:
            plan = self._plan(training_sheet)
            self._work(plan, context)
            self._finish(plan, by=context.by)
        except RunStopped:
            raise
        except WorkbenchError as error:
            self._fail(training_sheet, f"{error.message} {error.hint}".strip(), by=context.by)
            raise
        except Exception as error:
            self._fail(training_sheet, f"Unexpected: {error} (see the log)", by=context.by)
            raise

    # --- the loop ----------------------------------------------------------------------------------------------------

    def _plan(self, training_sheet: TrainingSheet) -> _Plan:
        sheet: Sheet = self._sheets.get(training_sheet.sheet_id)
        start, last_item = self._last_pair(training_sheet.id)
        options = training_sheet.options
        selection = sheet.selection(extra_filter=training_sheet.filter, item_refs=options.item_refs)
        return _Plan(
            training_sheet=training_sheet,
            sheet_rules=self._sheets.usage_rules(sheet),
            renderer=training_sheet.template.renderer(),
            selection=selection if options.includes_set_aside else self._quarantine.without(selection, sheet.id),
            columns=columns_of(training_sheet.mapping, training_sheet.answer_column, sheet.item_id_column),
            start=start,
            after="" if options.appends else last_item,  # new items may stand anywhere in the order
        )

    def _work(self, plan: _Plan, context: RunContext) -> None:
        """Store batch after batch up to the last selected item."""
        position, last = plan.start, plan.training_sheet.selected_items
        size = MODEL_BATCH if plan.asks_model else BATCH
        for frame in self._lake.batches(plan.selection, columns=plan.columns, size=BATCH, after=plan.after):
            items = self._missing(plan, frame)[: last - position]
            for start in range(0, len(items), size):
                position += self._do_batch(plan, items[start : start + size], position, context)
            if position >= last:
                break

    def _do_batch(self, plan: _Plan, items: Sequence[Item], position: int, context: RunContext) -> int:
        """Answer and store some items; their number. Raises RunStopped, and what kept the model from answering."""
        batch = self._ask(plan, items, context) if plan.asks_model else _Batch(items)
        if batch.items:
            self._store_batch(plan, batch, position, context)
        if batch.failure is not None:
            raise batch.failure
        if context.should_stop():
            raise RunStopped
        if len(batch.items) < len(items):
            raise BackendError(
                f"The {self._chat_models.default.title} left items without an answer.", hint="Resume the generation."
            )
        return len(batch.items)

    def _missing(self, plan: _Plan, frame: pd.DataFrame) -> list[Item]:
        """The rendered items of a batch that have no pair yet, each once."""
        fresh = frame.drop_duplicates("item_ref")
        if plan.start:  # also a stopped worker that came back late must make nothing twice
            fresh = fresh[
                ~fresh["item_ref"].astype(str).isin(self._existing(plan, fresh["item_ref"].astype(str).tolist()))
            ]
        training_sheet = plan.training_sheet
        return list(render_items(fresh, plan.renderer, training_sheet.mapping, training_sheet.answer_column))

    # --- the model ---------------------------------------------------------------------------------------------------

    def _ask(self, plan: _Plan, items: Sequence[Item], context: RunContext) -> _Batch:
        """Let the model answer the items without a label, and keep the items up to the first unanswered one."""
        labels = self._labels.lookup(
            plan.training_sheet.sheet_id,
            [item.item_ref for item in items],
            plan.training_sheet.label_type,
        )
        questions = [
            Conversation(item.item_ref, item.messages)
            for item in items
            if not item.error and item.item_ref not in labels
        ]
        answers: dict[str, ChatAnswer] = {}
        failure: BackendError | None = None
        try:
            for answer in (
                self._chat_models.default.answer(
                    questions,
                    options=plan.training_sheet.template.chat_options(),
                    cancelled=context.should_stop,
                )
                if questions
                else ()
            ):
                answers[answer.id] = answer
        except BackendError as error:
            failure = error
        waiting = {question.id for question in questions} - answers.keys()
        settled = list(takewhile(lambda item: item.item_ref not in waiting, items))
        return _Batch(settled, answers, failure)

    # --- one transaction a batch -------------------------------------------------------------------------------------

    def _store_batch(self, plan: _Plan, batch: _Batch, position: int, context: RunContext) -> None:
        """Store pairs, reuse counts and progress together. Raises RunStopped when the sheet was cancelled."""
        training_sheet = plan.training_sheet
        refs = [item.item_ref for item in batch.items]
        with self._store.transaction():
            self._hold(training_sheet.id)
            existing = self._existing(plan, refs)
            labels = self._labels.lookup(training_sheet.sheet_id, refs, training_sheet.label_type)
            numbered = [
                (position + number, item)
                for number, item in enumerate(batch.items, start=1)
                if item.item_ref not in existing
                and (item.item_ref in labels or training_sheet.answer_source is not AnswerSource.CANONICAL)
            ]
            builder = PairRows(
                plan.training_sheet,
                plan.sheet_rules,
                labels,
                batch.answers,
                self._chat_models.default.name,
                self._clock(),
            )
            self._store.append("pairs", [builder.row(number, item) for number, item in numbered])
            self._labels.count_reuse([labels[item.item_ref].id for _, item in numbered if item.item_ref in labels])
            done = position + len(batch.items) - plan.start
            self._report(context, done)

    def _report(self, context: RunContext, done: int) -> None:
        """Progress of this run; one that was interrupted counts on from where it stood."""
        so_far, total = context.run.done + done, context.run.total
        context.report(so_far, total, f"{so_far:,} of {total:,} items")

    def _hold(self, training_sheet_id: str) -> None:
        """Keep others from changing the training sheet until the batch is stored."""
        held = self._store.execute(
            "UPDATE training_sheets SET updated_at = :now WHERE id = :id AND status = :status",
            touches="training_sheets",
            now=self._clock(),
            id=training_sheet_id,
            status=TrainingSheetStatus.GENERATING.value,
        )
        if not held:
            raise RunStopped

    def _existing(self, plan: _Plan, refs: Sequence[str]) -> set[str]:
        found = self._store.query(
            "SELECT item_ref FROM pairs WHERE training_sheet_id = :sheet AND item_ref IN :refs",
            sheet=plan.training_sheet.id,
            refs=list(refs),
        )
        return {rows.text(row, "item_ref") for row in found}

    def _last_pair(self, training_sheet_id: str) -> tuple[int, str]:
        found = self._store.query(
            "SELECT sequence_number, item_ref FROM pairs WHERE training_sheet_id = :sheet "
            "ORDER BY sequence_number DESC LIMIT 1",
            sheet=training_sheet_id,
        )
        return (rows.whole(found[0], "sequence_number"), rows.text(found[0], "item_ref")) if found else (0, "")

    # --- the end -----------------------------------------------------------------------------------------------------

    def _finish(self, plan: _Plan, *, by: str) -> None:
        """Open the review; items without a pair are counted as left out."""
        now, items = self._clock(), self._lake.count(plan.selection)
        with self._store.transaction():
            self._hold(plan.training_sheet.id)
            found = self._store.query(
                "SELECT COUNT(*) AS pairs FROM pairs WHERE training_sheet_id = :id", id=plan.training_sheet.id
            )
            pairs = rows.whole(found[0], "pairs")
            self._store.execute(
                "UPDATE training_sheets SET status = :status, error = '', selected_items = :selected, "
                "left_out_items = :left_out, completed_at = :now, updated_at = :now, "
                "row_version = row_version + 1 WHERE id = :id",
                touches="training_sheets",
                status=TrainingSheetStatus.REVIEW.value,
                selected=max(pairs, min(items, plan.training_sheet.row_limit)),
                left_out=max(0, items - pairs),
                now=now,
                id=plan.training_sheet.id,
            )
            self._history.add("training_sheet", plan.training_sheet.id, "finish", by=by, pairs=pairs)

    def _fail(self, training_sheet: TrainingSheet, error: str, *, by: str) -> None:
        with self._store.transaction():
            self._store.execute(
                "UPDATE training_sheets SET status = :status, error = :error, updated_at = :now, "
                "row_version = row_version + 1 WHERE id = :id AND status = :generating",
                touches="training_sheets",
                status=TrainingSheetStatus.FAILED.value,
                generating=TrainingSheetStatus.GENERATING.value,
                error=error,
                now=self._clock(),
                id=training_sheet.id,
            )
            self._history.add("training_sheet", training_sheet.id, "fail", by=by, error=error)
