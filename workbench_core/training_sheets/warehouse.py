"""Generation in the warehouse: whether a run goes there, and its answers for the loop that makes the pairs (0012)."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from workbench_core.errors import BackendError
from workbench_core.ports import (
    Availability,
    BulkAnswers,
    BulkPrompt,
    BulkRequest,
    BulkStatus,
    ChatAnswer,
    ChatModel,
    ChatOptions,
    Conversation,
    Message,
    Selection,
)
from workbench_core.prompt_rendering import MAX_OUTPUT, MAX_VALUE
from workbench_core.prompt_rendering.expressions import translated, translation_problems
from workbench_core.prompt_rendering.renderer import CUT_MARK
from workbench_core.prompt_templates import AnswerSource
from workbench_core.prompt_templates.optional_inputs import bare_names
from workbench_core.runs import RunStopped
from workbench_core.training_sheets.model import TrainingSheet

MAX_SKIPPED = 100_000  # items that are named one by one in a statement
FIRST_POLL_SECONDS = 0.1
POLL_SECONDS = 5.0
_PAGE = 2_000


@dataclass(frozen=True, slots=True)
class WarehousePlan:
    """A run that could go to the warehouse: the items of `selection`, about `rows` of them, asked of `model`.

    `image_columns` are those of the sheet.
    `answered_refs` need no answer, because they have a canonical label or a pair already.
    """

    training_sheet: TrainingSheet
    selection: Selection
    rows: int
    model: ChatModel
    image_columns: tuple[str, ...]
    answered_refs: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class WarehouseChoice:
    """Where a run goes: to the warehouse with `request`, or not there for `reason`, a sentence."""

    request: BulkRequest | None
    reason: str = ""


class WarehouseAnswers:
    """Decides whether a run is one statement in the warehouse, and drives that statement; without `bulk` never."""

    def __init__(self, bulk: BulkAnswers | None) -> None:
        self._bulk = bulk

    @property
    def is_there(self) -> bool:
        """Whether there is a warehouse that asks models at all."""
        return self._bulk is not None

    def choose(self, plan: WarehousePlan) -> WarehouseChoice:
        """The request of a run, or why the workbench asks item by item. Nothing is asked yet."""
        if self._bulk is None:
            return WarehouseChoice(None, "There is no warehouse that asks models.")
        if reason := next(_reasons(plan, self._bulk), ""):
            return WarehouseChoice(None, reason)
        request = _request(plan, self._bulk.endpoint(plan.model.name))
        problems = self._bulk.problems(request)
        return WarehouseChoice(None, problems[0]) if problems else WarehouseChoice(request)

    def settle(
        self, request: BulkRequest, *, should_stop: Callable[[], bool], poll_seconds: float = POLL_SECONDS
    ) -> int:
        """Start a request unless it runs already, wait for its end, and give how many items were answered.

        Raises RunStopped when the run must end, while the statement goes on and is found again later; BackendError
        when the statement failed or was stopped.
        """
        bulk, pause = self._there(), min(FIRST_POLL_SECONDS, poll_seconds)
        bulk.start(request)
        while True:
            state = bulk.state(request.id)
            if state.status is BulkStatus.DONE:
                return state.rows_done or 0
            if state.status is not BulkStatus.RUNNING:
                said = state.error or "it was stopped"
                raise BackendError(f"The warehouse did not answer: {said}", hint="Resume to ask again.")
            if should_stop():
                raise RunStopped
            time.sleep(pause)
            pause = min(2 * pause, poll_seconds)

    def model(self, request: BulkRequest, model: ChatModel) -> ChatModel:
        """A model that has the answers of a settled request, and asks `model` about the items that have none there."""
        return _AnsweredModel(self._there(), request, model)

    def cancel(self, training_sheet: TrainingSheet) -> None:
        """Stop what the warehouse does for a training sheet, if anything."""
        if self._bulk is not None:
            self._bulk.cancel(request_id(training_sheet))

    def forget(self, training_sheet: TrainingSheet) -> None:
        """Remove the answers of a training sheet whose pairs are made."""
        if self._bulk is not None:
            self._bulk.drop(request_id(training_sheet))

    def _there(self) -> BulkAnswers:
        if self._bulk is None:
            raise BackendError("There is no warehouse that asks models.", hint="Ask item by item.")
        return self._bulk


def request_id(training_sheet: TrainingSheet) -> str:
    """The name of what is asked for a training sheet: the same until it is finished, another one for new items."""
    finished = training_sheet.completed_at
    return training_sheet.id if finished is None else f"{training_sheet.id}_{int(finished.timestamp())}"


def _reasons(plan: WarehousePlan, bulk: BulkAnswers) -> Iterator[str]:
    """Why a run does not go to the warehouse, the cheapest reason to find first."""
    training_sheet, template = plan.training_sheet, plan.training_sheet.template
    if training_sheet.answer_source is not AnswerSource.AI_GENERATED:
        yield "A model does not answer all of these items."
    if plan.rows < bulk.threshold:
        yield f"{plan.rows:,} items are asked one by one; the warehouse is for {bulk.threshold:,} and more."
    if not bulk.endpoint(plan.model.name):
        yield f"The {plan.model.title} is not served in the warehouse's workspace."
    if training_sheet.budget is not None or training_sheet.call_limit is not None:
        yield "One statement cannot stop at a budget."
    if set(training_sheet.mapping.values()) & set(plan.image_columns):
        yield "One statement sends no pictures to a model."
    if len(plan.answered_refs) > MAX_SKIPPED:
        yield f"More than {MAX_SKIPPED:,} items have an answer already."
    for title, prompt in (("System prompt", template.system_prompt), ("User prompt", template.user_prompt)):
        for problem in translation_problems(prompt, defined=_columns(training_sheet)):
            yield f"{title}: {problem}"


def _columns(training_sheet: TrainingSheet) -> dict[str, str]:
    """The column of each placeholder; an optional one without a column has an empty text, as `LenientRenderer` says."""
    template = training_sheet.template
    used = bare_names(template.system_prompt) | bare_names(template.user_prompt)
    empty = (name for name in template.optional_placeholders if name in used)
    return dict.fromkeys(empty, "") | dict(training_sheet.mapping)


def _request(plan: WarehousePlan, endpoint: str) -> BulkRequest:
    training_sheet, template, mapping = plan.training_sheet, plan.training_sheet.template, _columns(plan.training_sheet)
    options = training_sheet.options
    shown = options.examples[-options.examples_wanted :] if options.examples_wanted else ()
    turns = [(example.input, example.output) for example in template.examples]
    turns += [(example.question, example.answer) for example in shown]
    prompt = BulkPrompt(
        system=translated(template.system_prompt, defined=mapping),
        user=translated(template.user_prompt, defined=mapping),
        turns=tuple(
            Message(role, text) for turn in turns for role, text in zip(("user", "assistant"), turn, strict=True)
        ),
        value_limit=MAX_VALUE,
        cut_mark=CUT_MARK,
        text_limit=MAX_OUTPUT,
    )
    own = (example.item_ref for example in options.examples)  # these see other examples than the rest
    return BulkRequest(
        id=request_id(training_sheet),
        selection=plan.selection,
        prompt=prompt,
        mapping=mapping,
        endpoint=endpoint,
        options=template.chat_options(seed=options.seed),
        row_limit=None if options.appends else training_sheet.row_limit,
        skipped_refs=tuple(dict.fromkeys((*plan.answered_refs, *own))),
    )


class _AnsweredModel:
    """A model whose answers are in the warehouse already, read in the order of the items."""

    def __init__(self, bulk: BulkAnswers, request: BulkRequest, model: ChatModel) -> None:
        self._bulk = bulk
        self._request = request
        self._model = model
        self._pages: Iterator[Sequence[ChatAnswer]] = iter(())
        self._page: dict[str, ChatAnswer] = {}
        self._begin, self._end, self._is_over = "", "", False
        self.name, self.title, self.price = model.name, model.title, model.price
        self.concurrency, self.reads_pictures = model.concurrency, model.reads_pictures

    def availability(self) -> Availability:
        """Whether the model behind it can answer the rest."""
        return self._model.availability()

    def answer(
        self,
        conversations: Sequence[Conversation],
        *,
        options: ChatOptions,
        cancelled: Callable[[], bool] = lambda: False,
    ) -> Iterator[ChatAnswer]:
        """What the warehouse answered, then what the model says to the others."""
        others: list[Conversation] = []
        for conversation in conversations:
            answer = self._found(conversation.id)
            if answer is None:
                others.append(conversation)
            else:
                yield answer
        if others:
            yield from self._model.answer(others, options=options, cancelled=cancelled)

    def _found(self, item_ref: str) -> ChatAnswer | None:
        """The answer of an item; pages are read on as the items go on, and from the item when they go back."""
        if item_ref < self._begin or not self._end:
            before = item_ref[:-1]  # a text that comes before the item
            self._pages = self._bulk.answers(self._request, after=before, size=_PAGE)
            self._begin, self._end, self._is_over = item_ref, before, False
            self._page = {}
        while item_ref > self._end and not self._is_over:
            page = next(self._pages, ())
            self._is_over = not page
            if page:
                self._begin, self._end = min(item_ref, page[0].id), page[-1].id
                self._page = {answer.id: answer for answer in page}
        return self._page.get(item_ref)
