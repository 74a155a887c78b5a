"""The service behind training sheets: pre-flight, generation and the life of the whole sheet."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from workbench_core.canonical_labels import CanonicalLabels
from workbench_core.chat_models import ChatModels
from workbench_core.clock import Clock
from workbench_core.data_quality import Quarantine
from workbench_core.errors import Conflict, Invalid, WorkbenchError
from workbench_core.history import History
from workbench_core.pairs import Pairs
from workbench_core.permissions import Action, Permissions
from workbench_core.ports import BulkAnswers, Lake, Store
from workbench_core.prompt_templates import PromptTemplates
from workbench_core.runs import Run, RunContext, Runs
from workbench_core.sheets import Sheets
from workbench_core.training_sheets.answering import Answering, AnsweringPreview, AnswerRequest
from workbench_core.training_sheets.answerings import Answerings
from workbench_core.training_sheets.continuing import Continuing, selection_of
from workbench_core.training_sheets.creation import Creation
from workbench_core.training_sheets.generation import Generation
from workbench_core.training_sheets.growth import Growth, Missing
from workbench_core.training_sheets.model import (
    LIFECYCLE,
    BatchOutcome,
    GenerationRequest,
    Preflight,
    TrainingSheet,
    TrainingSheetStatus,
)
from workbench_core.training_sheets.preflight import PreflightCheck
from workbench_core.training_sheets.records import TrainingSheetRecords
from workbench_core.training_sheets.replaced_answers import ReplacedAnswer, replaced_answers
from workbench_core.training_sheets.rights import REVIEWED, Rights
from workbench_core.training_sheets.steering import RUN_KIND, Steering
from workbench_core.training_sheets.warehouse import WarehouseAnswers


class TrainingSheets:
    """Generate training sheets and move them through their life."""

    def __init__(
        self,
        store: Store,
        *,
        lake: Lake,
        sheets: Sheets,
        templates: PromptTemplates,
        labels: CanonicalLabels,
        pairs: Pairs,
        chat_models: ChatModels,
        runs: Runs,
        history: History,
        permissions: Permissions,
        clock: Clock,
        bulk_answers: BulkAnswers | None = None,
    ) -> None:
        self._store = store
        self._lake = lake
        self._sheets = sheets
        self._templates = templates
        self._pairs = pairs
        self._chat_models = chat_models
        self._runs = runs
        self._history = history
        self._permissions = permissions
        self._clock = clock
        quarantine = Quarantine(store)
        self._records = TrainingSheetRecords(store, pairs, history, clock)
        self._creation = Creation(store, lake, sheets, templates, chat_models, clock)
        self._continuing = Continuing(lake, sheets, chat_models)
        self._growth = Growth(store, lake, sheets, quarantine)
        self._check = PreflightCheck(lake, sheets, templates, labels, chat_models, quarantine, store)
        self._warehouse = WarehouseAnswers(bulk_answers)
        self._rights = Rights(permissions, self.run_of)
        self._steering = Steering(
            store, records=self._records, runs=runs, history=history, rights=self._rights,
            continuing=self._continuing, warehouse=self._warehouse,
        )  # fmt: skip
        self._generation = Generation(
            store, lake=lake, sheets=sheets, labels=labels, chat_models=chat_models, runs=runs, history=history,
            clock=clock, growth=self._growth, warehouse=self._warehouse, records=self._records,
        )  # fmt: skip
        self._answerings = Answerings(
            store, records=self._records, sheets=sheets, templates=templates, labels=labels, chat_models=chat_models,
            runs=runs, history=history, permissions=permissions, clock=clock,
        )  # fmt: skip

    # --- before generation -------------------------------------------------------------------------------------------

    def propose_mapping(self, template_id: str, sheet_id: str) -> dict[str, str]:
        """A column for each placeholder: by exact name, then without case and punctuation. Raises NotFound."""
        return self._check.propose_mapping(template_id, sheet_id)

    def preflight(self, request: GenerationRequest) -> Preflight:
        """What this request would do, without writing (TS-1). Raises NotFound for the sheet or template."""
        return self._check.check(request)

    def batch_preflight(self, requests: Sequence[GenerationRequest]) -> list[Preflight]:
        """What several requests would do, in their order; a sheet or template that is gone is a problem of its own."""
        found = []
        for request in requests:
            try:
                found.append(self._check.check(request))
            except WorkbenchError as error:
                found.append(Preflight(problems=(error.message,)))
        return found

    def generate(self, request: GenerationRequest, *, by: str) -> TrainingSheet:
        """Create a training sheet and start to fill it (TS-2).

        Raises Invalid with the problems of the pre-flight, NotFound, NotPermitted; nothing is written then.
        """
        self._permissions.check(by, Action.GENERATE)
        found = self._check.check(request)
        if found.problems:
            raise Invalid(" ".join(found.problems), hint="Correct this and start again.")
        values = self._creation.values(request, found, by=by)
        sheet_id, name = str(values["id"]), str(values["name"])
        with self._store.transaction():
            self._templates.get(request.prompt_template_id)  # somebody may have deleted it meanwhile
            self._store.append("training_sheets", [values])
            self._history.add(
                "training_sheet", sheet_id, "generate", by=by, name=name, sheet=request.sheet_id,
                prompt_template=request.prompt_template_id, items=found.selected,
            )  # fmt: skip
            self._runs.start(RUN_KIND, sheet_id, title=f"Generate “{name}”", by=by, total=found.selected)
        self._runs.wake.set()  # the run can be seen only now
        return self.get(sheet_id)

    def generate_many(self, requests: Sequence[GenerationRequest], *, by: str) -> list[BatchOutcome]:
        """Start several generations, one after another; one with problems does not keep the others from starting.

        Budget and call limit of a request hold for its own training sheet: together the generations may spend as much
        as all their budgets. Raises NotPermitted before the first.
        """
        self._permissions.check(by, Action.GENERATE)
        outcomes = []
        for request in requests:
            try:
                outcomes.append(BatchOutcome(request, self.generate(request, by=by)))
            except WorkbenchError as error:
                outcomes.append(BatchOutcome(request, None, (error.message,)))
        return outcomes

    # --- during generation -------------------------------------------------------------------------------------------

    def handle(self, context: RunContext) -> None:
        """Do the run of kind “generate”."""
        self._generation.handle(context)

    def run_of(self, training_sheet_id: str) -> Run | None:
        """The newest generation run of a training sheet."""
        return self._steering.run_of(training_sheet_id)

    def refusal(self, training_sheet: TrainingSheet, action: str, *, by: str) -> str:
        """Why this person may not do this with it, in the words of the error; empty when they may (spec 2.5).

        It says nothing about whether its status allows the action: `TrainingSheet.actions` does. Raises Invalid for
        what is no action of a person.
        """
        return self._rights.refusal(training_sheet, action, by=by)

    def pause(self, training_sheet_id: str, *, by: str) -> TrainingSheet:
        """Let a generation wait at the next batch border; answers that arrived are kept.

        The person who began it and data stewards may. Raises InvalidTransition, NotPermitted.
        """
        self._steering.pause(training_sheet_id, by=by)
        return self.get(training_sheet_id)

    def cancel(self, training_sheet_id: str, *, by: str) -> TrainingSheet:
        """Stop a generation; its pairs so far are kept and it can be resumed.

        One that adds new items leads back to the review: what was reviewed before must not wait for it. The person who
        began it and data stewards may. Raises InvalidTransition, NotPermitted.
        """
        self._steering.cancel(training_sheet_id, by=by)
        return self.get(training_sheet_id)

    def resume(
        self, training_sheet_id: str, *, by: str, budget: float | None = None, call_limit: int | None = None
    ) -> TrainingSheet:
        """Go on with a paused, failed or cancelled generation at the first missing item.

        A budget or limit that is given takes the place of the former one, 0 lifts it; without one the former holds.
        Raises InvalidTransition, Invalid for what is no limit, Conflict while one is used up or the stopped run still
        ends its last batch, and when the sheet is not published or has other items than at the beginning. The person
        who began it and data stewards may.
        """
        self._steering.resume(training_sheet_id, by=by, budget=budget, call_limit=call_limit)
        return self.get(training_sheet_id)

    def new_items(self, training_sheet_id: str) -> int:
        """How many items could be added to a training sheet in review now (TS-16). Raises NotFound."""
        training_sheet = self.get(training_sheet_id)
        room = training_sheet.row_limit - training_sheet.counts.total
        if training_sheet.status is not TrainingSheetStatus.REVIEW or room <= 0:
            return 0
        return min(self._growth.missing(training_sheet).new, room)

    def append_new(self, training_sheet_id: str, *, by: str) -> TrainingSheet:
        """Generate pairs for the items that the sheet has gained since (TS-16).

        The items are those that its sheet has now; a sample of its own was drawn once and does not grow. Raises
        InvalidTransition unless the sheet is in review, Conflict when there is nothing new or it could not be worked
        on: the review is not touched then.
        """
        training_sheet = self.get(training_sheet_id)
        self._rights.check(training_sheet, "append_new", by=by)
        LIFECYCLE.next(training_sheet.stage, "append_new", subject=f"“{training_sheet.name}”")
        self._answerings.check_idle(training_sheet)
        self._continuing.check_growable(training_sheet)
        missing = self._growth.missing(training_sheet)
        new, room = missing.new, training_sheet.row_limit - training_sheet.counts.total
        if not new or room <= 0:
            reason = f"its row limit is {training_sheet.row_limit:,}" if new else _nothing_new(training_sheet, missing)
            raise Conflict(f"Nothing can be added to “{training_sheet.name}”: {reason}.", hint="")
        position = self._records.position(training_sheet_id)
        selection = selection_of(self._sheets.get(training_sheet.sheet_id))
        options = replace(training_sheet.options, appends=True, grown_from=position, selection=selection)
        with self._store.transaction():
            self._records.move(training_sheet, "append_new", by=by)
            self._answerings.check_idle(training_sheet)
            self._store.execute(
                "UPDATE training_sheets SET selected_items = :selected, generation_options = :options WHERE id = :id",
                touches="training_sheets",
                selected=position + min(new, room),
                options=options.to_json(),
                id=training_sheet_id,
            )
            self._steering.start_run(training_sheet, total=min(new, room), by=by)
        self._runs.wake.set()
        return self.get(training_sheet_id)

    # --- answers in place --------------------------------------------------------------------------------------------

    def preview_answering(self, training_sheet_id: str, request: AnswerRequest) -> AnsweringPreview:
        """How many pairs an answering would change, which not and why, and what it will take. Raises NotFound."""
        return self._answerings.preview(training_sheet_id, request)

    def answer_pairs(self, training_sheet_id: str, request: AnswerRequest, *, by: str) -> Run:
        """Let a model answer pairs of a training sheet in review, in place (TS-11); people may review meanwhile.

        Raises Conflict unless it is in review, while it is being answered, or when no pair can be answered; Invalid
        for a template that is no newer version with the same answers; NotFound, NotPermitted.
        """
        return self._answerings.start(training_sheet_id, request, by=by)

    def retryable(self, training_sheet_id: str) -> int:
        """How many pairs `retry_failed` would ask about; a question that could not be made is not among them."""
        return self._answerings.retryable(training_sheet_id)

    def retry_failed(
        self, training_sheet_id: str, *, by: str, budget: float | None = None, call_limit: int | None = None
    ) -> TrainingSheet:
        """Ask the model again about the pairs that it gave no answer for, in place, within the limits of the sheet.

        A budget or limit that is given takes the place of the former one, 0 lifts it. Raises Conflict without any such
        pair or while a limit is used up.
        """
        self._answerings.retry_failed(training_sheet_id, by=by, budget=budget, call_limit=call_limit)
        return self.get(training_sheet_id)

    def answering_of(self, training_sheet_id: str) -> Answering | None:
        """The newest answering of a training sheet."""
        return self._answerings.latest(training_sheet_id)

    def pause_answering(self, training_sheet_id: str, *, by: str) -> Answering:
        """Let the answering wait; answers that arrived are kept. Raises InvalidTransition, NotFound."""
        return self._answerings.pause(training_sheet_id, by=by)

    def resume_answering(
        self, training_sheet_id: str, *, by: str, budget: float | None = None, call_limit: int | None = None
    ) -> Answering:
        """Go on with the pairs that still wait, with another budget or limit when given; 0 lifts the former one.

        Raises InvalidTransition, NotFound, Invalid for what is no limit, Conflict while one is used up.
        """
        return self._answerings.resume(training_sheet_id, by=by, budget=budget, call_limit=call_limit)

    def cancel_answering(self, training_sheet_id: str, *, by: str) -> Answering:
        """End the answering; what it answered stays. Raises InvalidTransition, NotFound."""
        return self._answerings.cancel(training_sheet_id, by=by)

    def replaced_answers(self, pair_id: str) -> list[ReplacedAnswer]:
        """What a pair answered before a model answered it again, newest first; nothing for its first answer."""
        return replaced_answers(self._store, pair_id)

    def handle_answering(self, context: RunContext) -> None:
        """Do the run of kind “answer_pairs”."""
        self._answerings.handle(context)

    # --- reading ---------------------------------------------------------------------------------------------------

    def find(
        self,
        *,
        status: TrainingSheetStatus | None = None,
        sheet_id: str = "",
        search: str = "",
        limit: int = 50,
        offset: int = 0,
    ) -> list[TrainingSheet]:
        """Training sheets with their counts, newest first; archived ones only when asked for by status (TS-4)."""
        return self._records.find(status=status, sheet_id=sheet_id, search=search, limit=limit, offset=offset)

    def count(self, *, status: TrainingSheetStatus | None = None, sheet_id: str = "", search: str = "") -> int:
        """How many training sheets `find` has in all its pages."""
        return self._records.count(status=status, sheet_id=sheet_id, search=search)

    def get(self, training_sheet_id: str) -> TrainingSheet:
        """One training sheet with its counts (TS-5). Raises NotFound."""
        return self._records.get(training_sheet_id)

    def dependants(self, training_sheet_id: str) -> str:
        """What stands on a training sheet, in words such as “1 training job”; empty when nothing."""
        return self._records.dependants(training_sheet_id)

    # --- the life of the sheet ---------------------------------------------------------------------------------------

    def move(
        self, training_sheet_id: str, action: str, *, by: str, note: str = "", leave_out: bool = False
    ) -> TrainingSheet:
        """Close the review, reject the whole, reopen or archive a training sheet (TS-14, spec 2.5).

        Closing is refused while pairs are pending or flagged, unless they are left out; rejecting needs a note. Only
        the owner and data stewards may archive.
        Raises InvalidTransition, Conflict (also while a model answers pairs), Invalid, ChangedByOthers, NotPermitted.
        """
        if action not in {*REVIEWED, "archive"}:
            raise Invalid(f"A training sheet has no action “{action}”.", hint="See its buttons.")
        training_sheet = self.get(training_sheet_id)
        self._rights.check(training_sheet, action, by=by)
        if action == "reject" and not note.strip():
            raise Invalid("A rejection needs a reason.", hint="Say what is wrong with the whole sheet.")
        with self._store.transaction():
            self._records.move(training_sheet, action, by=by, note=note.strip())
            self._answerings.check_idle(training_sheet)
            if action == "close_review" and not leave_out:
                self._check_reviewed(training_sheet_id)
        return self.get(training_sheet_id)

    def mark_exported(self, training_sheet_id: str, *, by: str, note: str) -> None:
        """Record that its pairs were exported; call it in the export's transaction. A trained sheet stays trained.

        Raises InvalidTransition.
        """
        training_sheet = self.get(training_sheet_id)
        if training_sheet.status is TrainingSheetStatus.TRAINED:
            self._history.add("training_sheet", training_sheet_id, "export", by=by, note=note)
        else:
            self._records.move(training_sheet, "export", by=by, note=note)

    def mark_trained(self, training_sheet_id: str, *, by: str) -> None:
        """Record that a model was trained from it; call it in the training's transaction. Raises InvalidTransition."""
        self._records.move(self.get(training_sheet_id), "mark_trained", by=by)

    def delete(self, training_sheet_id: str, *, by: str) -> None:
        """Remove a training sheet with its pairs; canonical labels stay.

        Only its owner or an administrator may. Raises Conflict while it is generating or something stands on it.
        """
        training_sheet = self.get(training_sheet_id)
        self._rights.check(training_sheet, "delete", by=by)
        if training_sheet.status is TrainingSheetStatus.GENERATING:
            raise Conflict(f"“{training_sheet.name}” is generating.", hint="Cancel it first.")
        with self._store.transaction():
            self._records.hold(training_sheet)
            self._answerings.check_idle(training_sheet)
            if used := self.dependants(training_sheet_id):
                raise Conflict(f"“{training_sheet.name}” is in use: {used}.", hint="Archive it instead.")
            self._records.remove(training_sheet, by=by)
        self._warehouse.forget(training_sheet)

    # --- inside ----------------------------------------------------------------------------------------------------

    def _check_reviewed(self, training_sheet_id: str) -> None:
        counts = self._pairs.counts(training_sheet_id)
        if counts.pending or counts.flagged:
            raise Conflict(
                f"{counts.pending:,} pairs are pending and {counts.flagged:,} are flagged.",
                hint="Review them, or close the review and leave them out.",
            )


def _nothing_new(training_sheet: TrainingSheet, missing: Missing) -> str:
    if missing.unlabelled:
        return "none of its items without a pair has a canonical label"
    if training_sheet.options.sampling:
        return "its sample was drawn once, and later items are not part of it"
    return "the source has no new items"
