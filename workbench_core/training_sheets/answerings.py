"""The service behind answerings: let a model answer pairs that exist already, watch it, pause it, end it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from workbench_core import rows
from workbench_core.canonical_labels import CanonicalLabels
from workbench_core.chat_models import ChatModels
from workbench_core.clock import Clock, new_id
from workbench_core.errors import Conflict, Invalid, NotFound
from workbench_core.history import History
from workbench_core.permissions import Action, Permissions
from workbench_core.ports import ChatModel, Store
from workbench_core.prompt_templates import PromptTemplate, PromptTemplates, TemplateDraft, TemplateStatus
from workbench_core.prompt_templates.versions import numbers_of
from workbench_core.runs import Run, RunContext, Runs
from workbench_core.sheets import Sheets
from workbench_core.training_sheets.answering import (
    Answering,
    AnsweringPreview,
    AnsweringStatus,
    AnswerRequest,
)
from workbench_core.training_sheets.answering_items import options_of, questions
from workbench_core.training_sheets.answering_preview import AnsweringPreviews, Asked
from workbench_core.training_sheets.answering_records import ANSWERING_KIND, AnsweringRecords
from workbench_core.training_sheets.answering_run import AnsweringRun
from workbench_core.training_sheets.examples import latest_examples
from workbench_core.training_sheets.model import (
    MAX_EXAMPLES,
    MOST_SEED,
    FewShot,
    TrainingSheet,
    TrainingSheetStatus,
    few_shots_json,
)
from workbench_core.training_sheets.records import TrainingSheetRecords
from workbench_core.training_sheets.spending import check_room, checked_allowance, limit_from_now_on


class Answerings:
    """Start answerings and steer them; one at a time for each training sheet."""

    def __init__(
        self,
        store: Store,
        *,
        records: TrainingSheetRecords,
        sheets: Sheets,
        templates: PromptTemplates,
        labels: CanonicalLabels,
        chat_models: ChatModels,
        runs: Runs,
        history: History,
        permissions: Permissions,
        clock: Clock,
    ) -> None:
        self._store = store
        self._training_sheets = records
        self._sheets = sheets
        self._templates = templates
        self._chat_models = chat_models
        self._runs = runs
        self._history = history
        self._permissions = permissions
        self._clock = clock
        self._records = AnsweringRecords(store, runs, clock)
        self._previews = AnsweringPreviews(store, self._records, labels, chat_models)
        self._run = AnsweringRun(
            store, records=self._records, training_sheets=records, labels=labels, chat_models=chat_models, runs=runs,
            history=history, clock=clock, sheets=sheets,
        )  # fmt: skip

    # --- asking for it -----------------------------------------------------------------------------------------------

    def preview(self, training_sheet_id: str, request: AnswerRequest) -> AnsweringPreview:
        """How many pairs would be answered, which not and why, and what it will take, without writing."""
        training_sheet = self._training_sheets.get(training_sheet_id)
        newer = self._newer_template(training_sheet, request)
        template = newer or training_sheet.template
        is_newer = newer is not None
        asked = Asked(
            self._model(training_sheet, newer, request),
            questions(template, self._examples(training_sheet, newer, request), request, is_newer=is_newer),
            options_of(template, request, is_newer=is_newer),
        )
        return self._previews.preview(training_sheet, request, asked)

    def start(self, training_sheet_id: str, request: AnswerRequest, *, by: str) -> Run:
        """Freeze the pairs with their versions, the template and the examples, and queue the work."""
        self._permissions.check(by, Action.GENERATE)
        training_sheet = self._training_sheets.get(training_sheet_id)
        _check_in_review(training_sheet)
        self._check_none_waits(training_sheet)
        newer = self._newer_template(training_sheet, request)
        model = self._model(training_sheet, newer, request)
        checked_allowance(model, request.budget, request.call_limit)
        _check_numbers(request)
        answering_id = new_id("answering")
        with self._store.transaction():
            self._training_sheets.hold(training_sheet)
            self._check_none_waits(training_sheet)
            choice = self._records.choice(training_sheet_id, request)
            if not choice.pairs:
                raise Conflict(_nothing(choice.skipped), hint="Choose pairs that wait for an answer.")
            self._insert(answering_id, training_sheet, newer, model, request, by=by)
            self._records.freeze(answering_id, training_sheet_id, request)
            self._history.add(
                "training_sheet", training_sheet_id, "answer pairs", by=by, pairs=choice.pairs, model=model.name,
                template_version=(newer or training_sheet.template).version, skipped=dict(choice.skipped),
            )  # fmt: skip
            run = self._start_run(training_sheet, total=choice.pairs, by=by)
        self._runs.wake.set()
        return run

    def retryable(self, training_sheet_id: str) -> int:
        """How many pairs `retry_failed` would ask about: pending ones that a model failed to answer."""
        return self._records.count_failed(training_sheet_id)

    def retry_failed(
        self, training_sheet_id: str, *, by: str, budget: float | None = None, call_limit: int | None = None
    ) -> Run:
        """Ask again about the pairs that a model gave no answer for, within what is left of the sheet's limits.

        A budget or limit that is given becomes the training sheet's, 0 lifts it. Raises Conflict without any such pair,
        or while a limit is used up; Invalid for what is no limit.
        """
        self._permissions.check(by, Action.GENERATE)
        training_sheet = self._training_sheets.get(training_sheet_id)
        failed = self._records.failed_pairs(training_sheet_id)
        if not failed:
            raise Conflict(
                "No pair waits for an answer that a model failed to give.",
                hint="A question that could not be made needs another template version.",
            )
        request = AnswerRequest(pair_ids=failed, overwrite=True)
        allowance = checked_allowance(
            self._model(training_sheet, None, request),
            limit_from_now_on(training_sheet.budget, budget),
            limit_from_now_on(training_sheet.call_limit, call_limit),
        )
        if used_up := allowance.used_up(training_sheet.spent):
            hint = "Raise it, or generate the missing answers with a budget of their own."
            raise Conflict(f"{used_up} is used up.", hint=hint)
        left = allowance.left(training_sheet.spent)
        with self._store.transaction():
            self._training_sheets.set_limits(training_sheet_id, allowance.budget, allowance.call_limit)
            request = replace(request, budget=left.budget, call_limit=left.call_limit)
            run = self.start(training_sheet_id, request, by=by)
        self._runs.wake.set()  # the run can be seen only now
        return run

    # --- watching and steering ---------------------------------------------------------------------------------------

    def latest(self, training_sheet_id: str) -> Answering | None:
        """The newest answering of a training sheet."""
        return self._records.latest(training_sheet_id)

    def handle(self, context: RunContext) -> None:
        """Do the run of kind “answer_pairs”."""
        self._run.handle(context)

    def pause(self, training_sheet_id: str, *, by: str) -> Answering:
        """Let it wait; answers that arrived are kept."""
        return self._end(training_sheet_id, "pause", by=by, pause_reason=f"Paused by {by}")

    def cancel(self, training_sheet_id: str, *, by: str) -> Answering:
        """End it; what it answered stays."""
        return self._end(training_sheet_id, "cancel", by=by, error=f"Cancelled by {by}")

    def resume(self, training_sheet_id: str, *, by: str, budget: float | None, call_limit: int | None) -> Answering:
        """Go on with the pairs that still wait, within other limits when they are given; 0 lifts one."""
        self._permissions.check(by, Action.GENERATE)
        training_sheet, answering = self._training_sheets.get(training_sheet_id), self._get(training_sheet_id)
        _check_in_review(training_sheet)
        self.check_idle(training_sheet)
        budget = limit_from_now_on(answering.request.budget, budget)
        call_limit = limit_from_now_on(answering.request.call_limit, call_limit)
        if budget is not None or call_limit is not None:
            model = self._chat_models.get(answering.model_name)
            check_room(checked_allowance(model, budget, call_limit), answering.spent)
        with self._store.transaction():
            self._training_sheets.hold(training_sheet)
            self.check_idle(training_sheet)
            if answering.status is not AnsweringStatus.WORKING:  # else its run ended without being able to say so
                self._records.move(answering, "resume", by=by)
            self._records.set_limits(answering.id, budget, call_limit)
            self._history.add("training_sheet", training_sheet_id, "resume answering", by=by)
            self._start_run(training_sheet, total=answering.total - answering.done, by=by)
        self._runs.wake.set()
        return self._get(training_sheet_id)

    def check_idle(self, training_sheet: TrainingSheet) -> None:
        """Raise Conflict while pairs of a training sheet are being answered."""
        run = self._runs.latest(ANSWERING_KIND, training_sheet.id)
        if run is not None and run.is_active:
            raise Conflict(
                f"A model is answering pairs of “{training_sheet.name}”.", hint="Wait for it, or cancel it first."
            )

    # --- inside ------------------------------------------------------------------------------------------------------

    def _check_none_waits(self, training_sheet: TrainingSheet) -> None:
        """Raise Conflict while one is at work or paused: a new one would hide it for ever."""
        self.check_idle(training_sheet)
        latest = self._records.latest(training_sheet.id)
        if latest is not None and latest.is_paused:
            raise Conflict(
                f"An answering of “{training_sheet.name}” is paused at {latest.done:,} of {latest.total:,} pairs.",
                hint="Resume or cancel it first.",
            )

    def _get(self, training_sheet_id: str) -> Answering:
        answering = self._records.latest(training_sheet_id)
        if answering is None:
            raise NotFound("No pairs of this training sheet were answered afterwards.", hint="Reload and try again.")
        return answering

    def _end(
        self, training_sheet_id: str, action: str, *, by: str, error: str = "", pause_reason: str = ""
    ) -> Answering:
        self._permissions.check(by, Action.GENERATE)
        answering = self._get(training_sheet_id)
        with self._store.transaction():
            self._records.move(answering, action, by=by, error=error, pause_reason=pause_reason)
            self._history.add("training_sheet", training_sheet_id, f"{action} answering", by=by)
            if answering.run is not None and answering.run.is_active:
                self._runs.cancel(answering.run.id, by=by, message=error or pause_reason)
        return self._get(training_sheet_id)

    def _newer_template(self, training_sheet: TrainingSheet, request: AnswerRequest) -> PromptTemplate | None:
        """The newer version that shall ask, with the same answers; None for the training sheet's own template.

        Raises Invalid when it cannot take its place, NotFound.
        """
        if not request.template_id or request.template_id == training_sheet.prompt_template_id:
            return None
        template = self._templates.get(request.template_id)
        title, hint = f"“{template.name}” {template.version}", "Generate a new training sheet with it."
        if template.lineage_id != self._templates.get(training_sheet.prompt_template_id).lineage_id:
            raise Invalid(f"{title} is no version of the template of this training sheet.", hint=hint)
        if numbers_of(template.version) < numbers_of(training_sheet.template_version):
            raise Invalid(
                f"{title} is older than {training_sheet.template_version}, with which this training sheet was made.",
                hint="Choose a newer version.",
            )
        if template.status is not TemplateStatus.PUBLISHED:
            raise Invalid(f"{title} is {template.status}: publish it first.", hint="Only published versions are used.")
        if _answers_of(template) != _answers_of(training_sheet.template):
            raise Invalid(f"{title} expects other answers than this training sheet holds.", hint=hint)
        missing = set(template.placeholders) - set(template.optional_placeholders) - set(training_sheet.mapping)
        if missing:
            raise Invalid(f"{title} asks for {', '.join(sorted(missing))}, which its pairs do not hold.", hint=hint)
        return template

    def _model(self, training_sheet: TrainingSheet, newer: PromptTemplate | None, request: AnswerRequest) -> ChatModel:
        of_template = (newer or training_sheet.template).model
        return self._chat_models.get(request.model_name or training_sheet.model_name or of_template)

    def _insert(
        self,
        answering_id: str,
        training_sheet: TrainingSheet,
        newer: PromptTemplate | None,
        model: ChatModel,
        request: AnswerRequest,
        *,
        by: str,
    ) -> None:
        now = self._records.later_than_all(training_sheet.id, self._clock())
        self._records.insert(
            {
                "id": answering_id,
                "training_sheet_id": training_sheet.id,
                "status": AnsweringStatus.WORKING.value,
                "overwrites": request.overwrite,
                "is_selection": request.pair_ids is not None,
                "model_name": model.name,
                "model_title": model.title,
                "prompt_template_id": "" if newer is None else newer.id,
                "template_snapshot": "" if newer is None else rows.to_json(newer.snapshot()),
                "examples_wanted": request.examples,
                "examples": rows.to_json(few_shots_json(self._examples(training_sheet, newer, request))),
                "seed": request.seed,
                "currency": "" if model.price is None else model.price.currency,
                "budget": request.budget,
                "call_limit": request.call_limit,
                "started_by": by,
                "started_at": now,
                "updated_at": now,
            }
        )

    def _examples(
        self, training_sheet: TrainingSheet, newer: PromptTemplate | None, request: AnswerRequest
    ) -> tuple[FewShot, ...]:
        if not request.examples:
            return ()
        return latest_examples(
            self._store, newer or training_sheet.template, sheet_id=training_sheet.sheet_id,
            wanted=request.examples, without=training_sheet.options.held_out,
            source=self._sheets.usage_rules(self._sheets.get(training_sheet.sheet_id)),
        )  # fmt: skip

    def _start_run(self, training_sheet: TrainingSheet, *, total: int, by: str) -> Run:
        title = f"Answer pairs of “{training_sheet.name}”"
        return self._runs.start(ANSWERING_KIND, training_sheet.id, title=title, by=by, total=total)


def _check_in_review(training_sheet: TrainingSheet) -> None:
    if training_sheet.status is not TrainingSheetStatus.REVIEW:
        raise Conflict(
            f"“{training_sheet.name}” is {training_sheet.stage}: its pairs cannot be answered.",
            hint="Only training sheets in review change.",
        )


def _check_numbers(request: AnswerRequest) -> None:
    if not 0 <= request.examples <= MAX_EXAMPLES:
        raise Invalid(f"The number of examples must be between 0 and {MAX_EXAMPLES}.", hint="Choose another number.")
    if not 0 <= request.seed <= MOST_SEED:
        raise Invalid(f"The seed must be between 0 and {MOST_SEED:,}.", hint="Choose another number.")


def _answers_of(template: TemplateDraft) -> tuple[object, ...]:
    """What decides whether an answer fits: a reviewer and a training job judge by it."""
    return template.label_type, template.label_classes, template.output_schema


def _nothing(skipped: Mapping[str, int]) -> str:
    if not skipped:
        return "No pair waits for an answer."
    return f"No pair can be answered: {', '.join(f'{count:,} {reason}' for reason, count in skipped.items())}."
