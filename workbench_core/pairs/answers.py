"""Whether an answer fits its template: one of the classes, JSON that follows the schema, or any text."""

from __future__ import annotations

from dataclasses import dataclass

from workbench_core.metrics import AnswerKind
from workbench_core.prompt_templates import TemplateDraft

_QUOTED = 500  # characters


@dataclass(frozen=True, slots=True)
class AnswerVerdict:
    """An answer as it is stored, its quality (1 valid, 0 invalid, None when nothing can be checked) and why."""

    answer: str
    quality_score: float | None
    note: str = ""


def check_answer(template: TemplateDraft, answer: str) -> AnswerVerdict:
    """Judge an answer (TP-13). A class is taken whatever its case, and stored as the template spells it."""
    answer = answer.strip()
    if not answer or template.answer_kind is AnswerKind.TEXT:
        return AnswerVerdict(answer, None)
    is_label = template.answer_kind is AnswerKind.LABEL
    if is_label:
        answer = _spelled(answer, template.label_classes)
    faults = template.answer_faults(answer[:_QUOTED] if is_label else answer)  # a class sentence quotes the answer
    return AnswerVerdict(answer, 0.0 if faults else 1.0, " ".join(faults))


def _spelled(answer: str, classes: tuple[str, ...]) -> str:
    """The class that differs from the answer in its case only, else the answer as it is."""
    if answer in classes:
        return answer
    similar = [name for name in classes if name.casefold() == answer.casefold()]
    return similar[0] if len(similar) == 1 else answer
