"""The run behind an answering: pairs get an answer in place, in pieces, and a person's own change always wins."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from workbench_core.canonical_labels import CanonicalLabel, CanonicalLabels
from workbench_core.chat_models import ChatModels
from workbench_core.clock import Clock
from workbench_core.errors import NotFound, WorkbenchError
from workbench_core.history import History
from workbench_core.pairs.records import PairRecords
from workbench_core.ports import ChatModel, Conversation, Store
from workbench_core.prompt_templates import TemplateSnapshot
from workbench_core.runs import RunContext, Runs, RunStopped
from workbench_core.sheets import Sheets
from workbench_core.training_sheets.answering import (
    Answering,
    AnsweringStatus,
)
from workbench_core.training_sheets.answering_items import Questions, options_of, questions
from workbench_core.training_sheets.answering_records import AnsweringRecords
from workbench_core.training_sheets.asking import Asking, Piece, Work
from workbench_core.training_sheets.generation import LOOKUP
from workbench_core.training_sheets.model import TrainingSheet
from workbench_core.training_sheets.pair_changes import Origin, PairChanges, Target
from workbench_core.training_sheets.records import OWN_RUN, TrainingSheetRecords
from workbench_core.training_sheets.spending import ADD_SPENDING, NOTHING, Spending
from workbench_core.usage import UsageRules


@dataclass(frozen=True, slots=True)
class _Plan:
    """What stays the same for a whole run."""

    training_sheet: TrainingSheet
    answering: Answering
    questions: Questions
    origin: Origin
    context: RunContext


class AnsweringRun:
    """Work through the pairs of an answering; safe to stop and to kill at any moment."""

    def __init__(
        self,
        store: Store,
        *,
        records: AnsweringRecords,
        training_sheets: TrainingSheetRecords,
        labels: CanonicalLabels,
        chat_models: ChatModels,
        runs: Runs,
        history: History,
        clock: Clock,
        sheets: Sheets,
    ) -> None:
        self._store = store
        self._sheets = sheets
        self._records = records
        self._training_sheets = training_sheets
        self._labels = labels
        self._chat_models = chat_models
        self._runs = runs
        self._history = history
        self._clock = clock
        self._pairs = PairRecords(store)
        self._changes = PairChanges(store, labels, clock)

    def handle(self, context: RunContext) -> None:
        """Answer the pairs that still wait in the newest answering of a training sheet.

        Raises RunStopped at a border when the run must end, and what made it fail, after the answering was marked.
        """
        answering = self._records.latest(context.subject_id)
        if answering is None or answering.status is not AnsweringStatus.WORKING:
            return
        try:
            plan = self._plan(answering, context)
            if used_up := self._work(plan):
                self._pause(plan, used_up)
                raise RunStopped
            self._finish(plan)
        except RunStopped:
            raise
        except WorkbenchError as error:
            self._fail(answering, f"{error.message} {error.hint}".strip(), by=context.by)
            raise
        except Exception as error:
            self._fail(answering, f"Unexpected: {error} (see the log)", by=context.by)
            raise

    def _plan(self, answering: Answering, context: RunContext) -> _Plan:
        """The training sheet as this answering sees it: with its model, and the newer template if there is one."""
        training_sheet = self._training_sheets.get(answering.training_sheet_id)
        newer = answering.newer_template
        template = newer or training_sheet.template
        asked = questions(template, answering.examples, answering.request, is_newer=newer is not None)
        return _Plan(
            training_sheet=replace(training_sheet, template=template, model_name=answering.model_name),
            answering=answering,
            questions=asked,
            origin=Origin(
                answering.id,
                answering.started_by,
                asked_by={}
                if asked.renderer is None
                else {
                    "template": answering.request.template_id if newer else training_sheet.prompt_template_id,
                    "template_version": template.version,
                },
                rules=self._rules_of(training_sheet, newer),
            ),
            context=context,
        )

    def _rules_of(self, training_sheet: TrainingSheet, newer: TemplateSnapshot | None) -> tuple[UsageRules, ...]:
        """What a newer template brings (2.4): its own usage rules, and those of the source as it is tagged now."""
        if newer is None:
            return ()
        return newer.usage, self._sheets.usage_rules(self._sheets.get(training_sheet.sheet_id))

    # --- the questions -----------------------------------------------------------------------------------------------

    def _work(self, plan: _Plan) -> str:
        answering, request = plan.answering, plan.answering.request
        is_newer = answering.newer_template is not None
        asking: Asking[Target] = Asking(
            self._model(answering),
            options_of(plan.training_sheet.template, request, is_newer=is_newer),
            allowance=answering.allowance,
            spent=answering.spent,
            should_stop=plan.context.should_stop,
            store=lambda piece: self._store_piece(plan, piece),
            in_order=False,
        )
        return asking.run(self._questions(plan))

    def _model(self, answering: Answering) -> ChatModel:
        try:
            return self._chat_models.get(answering.model_name)
        except NotFound:
            raise NotFound(
                f"The language model “{answering.model_name}” that was chosen is no longer configured.",
                hint="Configure it again, then resume.",
            ) from None

    def _questions(self, plan: _Plan) -> Iterator[list[Work[Target]]]:
        """The pairs that wait; those that were changed or have got a label meanwhile need no question."""
        training_sheet = plan.training_sheet
        for versions in self._records.waiting(plan.answering.id, size=LOOKUP):
            pairs = self._pairs.by_id(list(versions))
            labels = self._labels.lookup(
                training_sheet.sheet_id, [pair.item_ref for pair in pairs.values()], training_sheet.label_type
            )
            targets = [
                Target(pairs[pair_id], version, plan.questions.item(pairs[pair_id]))
                for pair_id, version in versions.items()
            ]
            yield [Work(target, _question(target, labels)) for target in targets]

    # --- one transaction a piece -------------------------------------------------------------------------------------

    def _store_piece(self, plan: _Plan, piece: Piece[Target]) -> None:
        """Store answers, what they replaced, spending and progress together.

        Raises RunStopped when the answering or the review is over, or another worker has taken over the run.
        """
        context, answering = plan.context, plan.answering
        with self._store.transaction():
            self._hold(plan, piece.spent)
            outcomes = self._changes.apply(
                piece.subjects, piece.answers, training_sheet=plan.training_sheet, origin=plan.origin
            )
            self._records.settle(answering.id, outcomes)
            done, total = self._records.progress(answering.id)
            so_far = context.run.total - (total - done)
            context.report(so_far, context.run.total, f"{done:,} of {total:,} pairs")

    def _hold(self, plan: _Plan, spent: Spending) -> None:
        """Count what was spent at the answering and at its training sheet, whose row is locked first everywhere."""
        is_open = self._training_sheets.add_spending(plan.training_sheet, spent)
        held = is_open and self._store.execute(
            f"UPDATE answerings SET updated_at = :now, {ADD_SPENDING} WHERE id = :id "
            f"AND status IN ('working', 'paused', 'cancelled') AND {OWN_RUN}",
            touches="answerings",
            now=self._clock(),
            id=plan.answering.id,
            run=plan.context.run.id,
            worker=plan.context.run.worker,
            **spent.parameters(),
        )
        if not held:
            raise RunStopped

    # --- the end -----------------------------------------------------------------------------------------------------

    def _pause(self, plan: _Plan, used_up: str) -> None:
        """Wait for a person to raise the limit."""
        with self._store.transaction():
            self._hold(plan, NOTHING)
            answering = self._present(plan)
            if answering.status is not AnsweringStatus.WORKING:
                return  # a person was faster
            reason = f"{used_up} is used up: {answering.done:,} of {answering.total:,} pairs are done."
            self._records.move(answering, "pause", by="", pause_reason=reason)
            self._runs.cancel(plan.context.run.id, by=plan.context.by, message=reason)
            self._record(answering, "pause answering", by=plan.context.by, note=reason)

    def _finish(self, plan: _Plan) -> None:
        with self._store.transaction():
            self._hold(plan, NOTHING)
            answering = self._present(plan)
            if answering.status is not AnsweringStatus.WORKING:
                raise RunStopped
            self._records.move(answering, "finish", by=plan.context.by)
            self._record(
                answering, "finish answering", by=plan.context.by,
                answered=answering.done - answering.errors - answering.left_alone, errors=answering.errors,
                left_alone=answering.left_alone,
            )  # fmt: skip

    def _fail(self, answering: Answering, error: str, *, by: str) -> None:
        with self._store.transaction():
            present = self._records.latest(answering.training_sheet_id)
            if present is not None and present.id == answering.id and present.status is AnsweringStatus.WORKING:
                self._records.move(present, "fail", by=by, error=error)
                self._record(answering, "fail answering", by=by, error=error)

    def _present(self, plan: _Plan) -> Answering:
        answering = self._records.latest(plan.training_sheet.id)
        if answering is None:
            raise RunStopped
        return answering

    def _record(self, answering: Answering, action: str, *, by: str, **details: str | int) -> None:
        self._history.add("training_sheet", answering.training_sheet_id, action, by=by, **details)


def _question(target: Target, labels: Mapping[str, CanonicalLabel]) -> Conversation | None:
    if target.is_changed or target.item.error or target.item.item_ref in labels:
        return None
    return Conversation(target.pair.id, target.item.messages)
