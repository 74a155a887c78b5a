"""The run behind a training sheet: items become pairs in pieces, each one transaction, resumable at every border."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import TYPE_CHECKING

from workbench_core import rows
from workbench_core.canonical_labels import CanonicalLabels
from workbench_core.chat_models import ChatModels
from workbench_core.clock import Clock
from workbench_core.errors import NotFound, WorkbenchError
from workbench_core.history import History
from workbench_core.label_sets import rules_of_type
from workbench_core.ports import ChatModel, Conversation, Lake, Selection, Store
from workbench_core.prompt_rendering import Renderer
from workbench_core.runs import RunContext, Runs, RunStopped
from workbench_core.sheets import Sheet, Sheets
from workbench_core.sheets.picture_files import PictureFiles
from workbench_core.training_sheets.ahead import made_ahead
from workbench_core.training_sheets.asking import Asking, Piece, Work
from workbench_core.training_sheets.batches import Batch, Batches
from workbench_core.training_sheets.continuing import check_active
from workbench_core.training_sheets.endings import Endings
from workbench_core.training_sheets.examples import with_examples
from workbench_core.training_sheets.growth import Growth
from workbench_core.training_sheets.item_columns import ItemColumns, gathered, item_columns, render_item_columns
from workbench_core.training_sheets.items import Item, columns_of, render_items
from workbench_core.training_sheets.model import TrainingSheet, TrainingSheetStatus, asks_model, reads_column
from workbench_core.training_sheets.records import TrainingSheetRecords
from workbench_core.training_sheets.spending import NOTHING
from workbench_core.training_sheets.warehouse import WarehouseAnswers, WarehousePlan

if TYPE_CHECKING:
    import pandas as pd

FRAME = 2_000  # rows that are read and rendered together
BATCH = 4_000  # items of one transaction when no model is asked
BATCH_CHARACTERS = 15_000_000  # of their messages: three batches and what they are stored as are held at a time
LOOKUP = 500  # items whose labels are looked up together when a model answers the others


@dataclass(frozen=True, slots=True)
class _Plan:
    """What stays the same for a whole run. `start` is the position of the last item worked on before."""

    training_sheet: TrainingSheet
    renderer: Renderer
    pictures: PictureFiles
    selection: Selection
    columns: tuple[str, ...]
    batches: Batches
    start: int
    after: str
    context: RunContext


class _Progress:
    """How far the run is: the position of the last item that was stored, and whether somebody ended it meanwhile."""

    def __init__(self, position: int) -> None:
        self.position = position
        self.is_over = False


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
        runs: Runs,
        history: History,
        clock: Clock,
        growth: Growth,
        warehouse: WarehouseAnswers,
        records: TrainingSheetRecords,
    ) -> None:
        self._warehouse = warehouse
        self._records = records
        self._store = store
        self._lake = lake
        self._sheets = sheets
        self._labels = labels
        self._chat_models = chat_models
        self._clock = clock
        self._growth = growth
        self._endings = Endings(
            store, lake=lake, records=records, growth=growth, runs=runs, history=history, clock=clock
        )

    def handle(self, context: RunContext) -> None:
        """Make the missing pairs of the training sheet that a run is about; nothing twice, nothing left out.

        Raises RunStopped at a border when the run must end, and what made the generation fail, after the training
        sheet was marked failed.
        """
        training_sheet = self._records.get(context.subject_id)
        if training_sheet.status is not TrainingSheetStatus.GENERATING:
            return  # the process died between the last batch and the end of the run
        try:
            plan = self._plan(training_sheet, context)
            progress = _Progress(plan.start)
            used_up = self._work(plan, progress)
            if used_up:
                self._endings.pause(training_sheet, context, used_up, position=progress.position)
                raise RunStopped
            self._endings.finish(training_sheet, context, plan.selection)
            self._warehouse.forget(training_sheet)
        except RunStopped:
            raise
        except WorkbenchError as error:
            self._endings.fail(training_sheet, context, f"{error.message} {error.hint}".strip())
            raise
        except Exception as error:
            self._endings.fail(training_sheet, context, f"Unexpected: {error} (see the log)")
            raise

    # --- the items ---------------------------------------------------------------------------------------------------

    def _plan(self, training_sheet: TrainingSheet, context: RunContext) -> _Plan:
        sheet: Sheet = self._sheets.get(training_sheet.sheet_id)
        check_active(sheet)
        start, last_item = self._last_pair(training_sheet.id)
        of_labels = rules_of_type(self._store, training_sheet.template.label_type)
        sheet_rules = self._sheets.usage_rules(sheet).combine(training_sheet.template.usage).combine(of_labels)
        return _Plan(
            training_sheet=training_sheet,
            renderer=training_sheet.template.renderer(),
            pictures=PictureFiles(self._lake, sheet),
            selection=self._growth.selection(training_sheet, sheet),
            columns=columns_of(training_sheet.mapping, training_sheet.answer_column, sheet.item_id_column),
            batches=Batches(
                self._store, self._labels, self._clock, training_sheet=training_sheet, sheet_rules=sheet_rules
            ),
            start=start,
            after="" if training_sheet.options.appends else last_item,  # new items may stand anywhere in the order
            context=context,
        )

    def _frames(self, plan: _Plan) -> Iterator[pd.DataFrame]:
        """The rows of the items that have no pair yet, in their order, up to the last selected one."""
        training_sheet = plan.training_sheet
        is_growing = training_sheet.options.appends
        known = self._growth.known(training_sheet.id) if is_growing else frozenset()
        labelled = self._growth.labelled(training_sheet) if is_growing else None
        left, last_item = training_sheet.selected_items - plan.start, plan.after
        if left <= 0:
            return
        for frame in self._lake.batches(plan.selection, columns=plan.columns, size=FRAME, after=plan.after):
            fresh = _fresh(frame, last_item, known, labelled)[:left]
            if len(fresh):
                left, last_item = left - len(fresh), str(fresh["item_ref"].iloc[-1])
                yield fresh
            if left <= 0:
                return  # without another look at the source, which may have gone

    def _rendered(self, plan: _Plan, frame: pd.DataFrame) -> list[Item]:
        """The items of rows, with their examples."""
        training_sheet, options = plan.training_sheet, plan.training_sheet.options
        mapping, answers = training_sheet.mapping, training_sheet.answer_column
        items = list(render_items(frame, plan.renderer, mapping, answers, pictures=plan.pictures))
        if options.examples:
            items = [with_examples(item, options.examples, options.examples_wanted) for item in items]
        return items

    def _item_columns(self, plan: _Plan) -> Iterator[ItemColumns]:
        """The same as columns, where nothing but texts goes into a question without an object for each item."""
        training_sheet = plan.training_sheet
        mapping, answers = training_sheet.mapping, training_sheet.answer_column
        is_plain = not training_sheet.options.examples and plan.pictures.columns.isdisjoint(mapping.values())
        for frame in self._frames(plan):
            columns = render_item_columns(frame, plan.renderer, mapping, answers) if is_plain else None
            yield item_columns(self._rendered(plan, frame)) if columns is None else columns

    # --- the answers -------------------------------------------------------------------------------------------------

    def _work(self, plan: _Plan, progress: _Progress) -> str:
        """Store piece after piece up to the last selected item; gives the limit that was used up before, if any."""
        training_sheet, context = plan.training_sheet, plan.context
        if not asks_model(training_sheet.answer_source):
            with made_ahead(self._batches(plan)) as batches:
                for batch in batches:
                    self._store_batch(plan, progress, batch)
                    if context.should_stop():
                        raise RunStopped
            return ""
        asking: Asking[Item] = Asking(
            self._answering_model(plan),
            training_sheet.template.chat_options(seed=training_sheet.options.seed),
            allowance=training_sheet.allowance,
            spent=training_sheet.spent,
            should_stop=lambda: progress.is_over or context.should_stop(),
            store=lambda piece: self._store_piece(plan, progress, piece),
            in_order=True,
        )
        return asking.run(self._questions(plan))

    def _answering_model(self, plan: _Plan) -> ChatModel:
        """The model that is asked item by item, or one whose answers the warehouse has found in one statement (0012).

        Raises RunStopped while the warehouse still works: its statement goes on and is found again.
        """
        training_sheet, model = plan.training_sheet, self._model(plan.training_sheet)
        if not self._warehouse.is_there:
            return model
        asked = WarehousePlan(
            training_sheet,
            plan.selection,
            rows=training_sheet.selected_items,
            model=model,
            image_columns=self._sheets.get(training_sheet.sheet_id).image_columns,
            answered_refs=self._answered(training_sheet),
        )
        request = self._warehouse.choose(asked).request
        if request is None:
            return model
        self._warehouse.settle(request, should_stop=plan.context.should_stop)
        return self._warehouse.model(request, model)

    def _answered(self, training_sheet: TrainingSheet) -> tuple[str, ...]:
        """The items that need no answer: they have a canonical label, or their pair."""
        found = self._store.query(
            "SELECT item_ref FROM canonical_labels WHERE sheet_id = :sheet AND label_type = :label_type "
            "UNION SELECT item_ref FROM pairs WHERE training_sheet_id = :id ORDER BY item_ref",
            sheet=training_sheet.sheet_id,
            label_type=training_sheet.label_type,
            id=training_sheet.id,
        )
        return tuple(rows.text(row, "item_ref") for row in found)

    def _model(self, training_sheet: TrainingSheet) -> ChatModel:
        try:
            return self._chat_models.get(training_sheet.model_name)
        except NotFound:
            raise NotFound(
                f"The language model “{training_sheet.model_name}” of this training sheet is no longer configured.",
                hint="Configure it again, then resume.",
            ) from None

    def _questions(self, plan: _Plan) -> Iterator[list[Work[Item]]]:
        """The items, those without another answer with their question."""
        training_sheet = plan.training_sheet
        has_column = reads_column(training_sheet.answer_source)
        for frame in self._frames(plan):
            many = self._rendered(plan, frame)
            for begin in range(0, len(many), LOOKUP):
                items = many[begin : begin + LOOKUP]
                labels = plan.batches.labels_of([item.item_ref for item in items]).by_item()
                yield [
                    Work(
                        item,
                        None
                        if item.error or item.item_ref in labels or (has_column and item.column_answer.strip())
                        else Conversation(item.item_ref, item.messages),
                    )
                    for item in items
                ]

    # --- one transaction a piece -------------------------------------------------------------------------------------

    def _batches(self, plan: _Plan) -> Generator[Batch]:
        """The pairs that need no model, made ready batch by batch."""
        start = plan.start + 1
        for items in gathered(self._item_columns(plan), most=BATCH, characters=BATCH_CHARACTERS):
            yield plan.batches.make(items, start)
            start += len(items)

    def _store_batch(self, plan: _Plan, progress: _Progress, batch: Batch) -> None:
        """Store prepared pairs with reuse counts and progress. Raises RunStopped when the sheet was cancelled."""
        with self._store.transaction():
            self._records.hold_run(plan.context, NOTHING)
            plan.batches.store(batch)
            self._report(plan, progress.position + len(batch.items) - plan.start)
        progress.position += len(batch.items)

    def _store_piece(self, plan: _Plan, progress: _Progress, piece: Piece[Item]) -> None:
        """Store answered items with reuse counts, spending and progress.

        When the training sheet was cancelled meanwhile only the spending is counted: what was asked is paid for.
        """
        try:
            with self._store.transaction():
                self._records.hold_run(plan.context, piece.spent)
                if piece.subjects:
                    plan.batches.store_new(
                        plan.batches.make(item_columns(piece.subjects), progress.position + 1, piece.answers)
                    )
                self._report(plan, progress.position + len(piece.subjects) - plan.start)
        except RunStopped:
            progress.is_over = True  # the model ends what it works on, which is counted too
            self._records.pay(plan.training_sheet.id, piece.spent)
        else:
            progress.position += len(piece.subjects)

    def _report(self, plan: _Plan, done: int) -> None:
        """Progress of this run; one that was interrupted counts on from where it stood."""
        run = plan.context.run
        so_far, total = run.done + done, run.total
        plan.context.report(so_far, total, f"{so_far:,} of {total:,} items")

    def _last_pair(self, training_sheet_id: str) -> tuple[int, str]:
        found = self._store.query(
            "SELECT sequence_number, item_ref FROM pairs WHERE training_sheet_id = :sheet "
            "ORDER BY sequence_number DESC LIMIT 1",
            sheet=training_sheet_id,
        )
        return (rows.whole(found[0], "sequence_number"), rows.text(found[0], "item_ref")) if found else (0, "")


def _fresh(
    frame: pd.DataFrame, last_item: str, known: AbstractSet[str], labelled: AbstractSet[str] | None
) -> pd.DataFrame:
    """The rows of a batch that are not worked on yet, each item once; items that repeat themselves are neighbours.

    With `labelled` only those of these items.
    """
    references = frame["item_ref"].astype(str)
    is_new = ~references.duplicated() & (references != last_item)
    if known:
        is_new &= ~references.map(known.__contains__)
    return frame[is_new] if labelled is None else frame[is_new & references.map(labelled.__contains__)]
