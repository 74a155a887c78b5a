"""Templates tried out: the same rows of a sheet for each template and model, side by side (TP-10)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import TYPE_CHECKING

from workbench_core.errors import BackendError, Invalid
from workbench_core.permissions import Action, Permissions
from workbench_core.ports import ChatAnswer, ChatModel, Conversation, Message
from workbench_core.prompt_templates.template import RenderedItem, TemplateDraft

if TYPE_CHECKING:
    from workbench_core.canonical_labels import CanonicalLabels
    from workbench_core.chat_models import ChatModels
    from workbench_core.prompt_templates.service import PromptTemplates

MAX_ROWS = 10
MAX_TRIALS = 6


@dataclass(frozen=True, slots=True)
class Trial:
    """A template to try, with a model by name; without one, the template's own or the default one answers."""

    draft: TemplateDraft
    model_name: str = ""


@dataclass(frozen=True, slots=True)
class TrialAnswer:
    """What one trial gave for one row: the answer with its faults, or `error` as a sentence.

    `trial` is its place among the trials. `cost` is None when the model has no price and only then; it is 0 for an
    answer that was kept from earlier, and for a row that was never asked. `known_answer` is the canonical label of the
    row, empty without one.
    """

    trial: int
    item_ref: str
    messages: tuple[Message, ...] = ()
    answer: str = ""
    faults: tuple[str, ...] = ()
    error: str = ""
    latency_ms: float = 0.0
    tokens_in: int = 0
    tokens_out: int = 0
    cost: float | None = None
    is_repaired: bool = False
    is_kept: bool = False
    known_answer: str = ""

    @property
    def is_valid(self) -> bool:
        """Whether there is an answer that follows the template."""
        return not self.error and not self.faults

    @property
    def agrees(self) -> bool | None:
        """Whether the answer is the one that people gave; None when they gave none."""
        from workbench_core.canonical_labels import same_answer

        return same_answer(self.answer, self.known_answer) if self.known_answer else None


@dataclass(frozen=True, slots=True)
class TrialSummary:
    """One trial in numbers: `valid` of `rows` follow the template, `agreeing` of `known` are what people said.

    The latency is that of the answers that were asked for now: None when all were kept from earlier, or none came. The
    tokens and the `cost` are those of all rows, also of those whose answer failed; `cost` is None when the model has no
    price, and 0 when nothing had to be paid.
    """

    trial: int
    rows: int
    valid: int
    agreeing: int
    known: int
    median_latency_ms: float | None
    tokens_in: int
    tokens_out: int
    cost: float | None


class TemplateTrials:
    """Try templates on rows of a sheet; nothing is written but the answers that models keep."""

    def __init__(
        self,
        permissions: Permissions,
        *,
        templates: PromptTemplates,
        labels: CanonicalLabels,
        chat_models: ChatModels,
    ) -> None:
        self._permissions = permissions
        self._templates = templates
        self._labels = labels
        self._chat_models = chat_models

    def run(
        self,
        trials: Sequence[Trial],
        sheet_id: str,
        mapping: Mapping[str, str],
        *,
        limit: int = 3,
        by: str,
        cancelled: Callable[[], bool] = lambda: False,
    ) -> Iterator[TrialAnswer]:
        """Answer the first rows of a sheet with each trial, in the order of completion within a trial.

        Items that were set aside for their quality are left out, as a generation leaves them out. A row that
        cannot be rendered or answered says why. Raises at once NotPermitted, NotFound for sheet or model,
        Invalid for a malformed prompt, an unknown column, or more than ten rows or six trials.
        """
        self._permissions.check(by, Action.EDIT_TEMPLATES)
        if not 1 <= limit <= MAX_ROWS or not 1 <= len(trials) <= MAX_TRIALS:
            raise Invalid(
                f"A test takes 1 to {MAX_ROWS} rows and 1 to {MAX_TRIALS} templates.", hint="Choose fewer of them."
            )
        models = [self._chat_models.get(trial.model_name or trial.draft.model) for trial in trials]
        rendered = self._templates.render_each([trial.draft for trial in trials], sheet_id, mapping, limit=limit)
        known = [
            self._known(sheet_id, trial.draft.label_type, items) for trial, items in zip(trials, rendered, strict=True)
        ]
        return self._answers(trials, models, rendered, known, cancelled=cancelled)

    def summary(self, answers: Sequence[TrialAnswer]) -> list[TrialSummary]:
        """Each trial in numbers, in the order of the trials."""
        trials = sorted({answer.trial for answer in answers})
        return [_summary(trial, [answer for answer in answers if answer.trial == trial]) for trial in trials]

    def _known(self, sheet_id: str, label_type: str, items: Sequence[RenderedItem]) -> dict[str, str]:
        labels = self._labels.lookup(sheet_id, [item.item_ref for item in items], label_type)
        return {item_ref: label.answer for item_ref, label in labels.items()}

    def _answers(
        self,
        trials: Sequence[Trial],
        models: Sequence[ChatModel],
        rendered: Sequence[Sequence[RenderedItem]],
        known: Sequence[Mapping[str, str]],
        *,
        cancelled: Callable[[], bool],
    ) -> Iterator[TrialAnswer]:
        for number, (trial, model, items, labels) in enumerate(zip(trials, models, rendered, known, strict=True)):
            asked = {item.item_ref: item for item in items if not item.error}
            for item in items:
                if item.error:
                    never_asked = ChatAnswer(item.item_ref, None, item.error)
                    yield _trial_answer(number, trial, model, item, never_asked, labels.get(item.item_ref, ""))
            for answer in _asked(trial, model, list(asked.values()), cancelled=cancelled):
                yield _trial_answer(number, trial, model, asked[answer.id], answer, labels.get(answer.id, ""))
            if cancelled():
                return


def _asked(
    trial: Trial, model: ChatModel, items: Sequence[RenderedItem], *, cancelled: Callable[[], bool]
) -> Iterator[ChatAnswer]:
    """The answers of a model; when it cannot be reached, that is the answer to every row that waits."""
    waiting = {item.item_ref: Conversation(item.item_ref, item.messages) for item in items}
    if not waiting:
        return
    try:
        for answer in model.answer(list(waiting.values()), options=trial.draft.chat_options(), cancelled=cancelled):
            if waiting.pop(answer.id, None):
                yield answer
    except BackendError as error:  # the other model of a comparison may still answer
        reason = f"{error.message} {error.hint}".strip()
        for item_ref in waiting:
            yield ChatAnswer(item_ref, None, reason)


def _trial_answer(
    number: int, trial: Trial, model: ChatModel, item: RenderedItem, answer: ChatAnswer, known: str
) -> TrialAnswer:
    price = model.price
    paid = price.cost(answer.tokens_in, answer.tokens_out) if price and not answer.is_kept else 0.0
    return TrialAnswer(
        trial=number,
        item_ref=item.item_ref,
        messages=item.messages,
        answer=answer.text or "",
        faults=trial.draft.answer_faults(answer.text) if answer.text is not None else (),
        error=answer.error or "",
        latency_ms=answer.latency_ms,
        tokens_in=answer.tokens_in,
        tokens_out=answer.tokens_out,
        cost=None if price is None else paid,
        is_repaired=answer.is_repaired,
        is_kept=answer.is_kept,
        known_answer=known,
    )


def _summary(trial: int, answers: Sequence[TrialAnswer]) -> TrialSummary:
    latencies = [answer.latency_ms for answer in answers if not answer.error and not answer.is_kept]
    costs = [answer.cost for answer in answers if answer.cost is not None]
    return TrialSummary(
        trial=trial,
        rows=len(answers),
        valid=sum(answer.is_valid for answer in answers),
        agreeing=sum(answer.agrees is True for answer in answers),
        known=sum(bool(answer.known_answer) for answer in answers),
        median_latency_ms=median(latencies) if latencies else None,
        tokens_in=sum(answer.tokens_in for answer in answers),
        tokens_out=sum(answer.tokens_out for answer in answers),
        cost=sum(costs) if costs else None,
    )
