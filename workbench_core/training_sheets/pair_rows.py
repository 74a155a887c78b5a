"""What a pair is stored as: the row of one item, answered by its canonical label, its source, or nobody yet."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import lru_cache

from workbench_core import rows
from workbench_core.canonical_labels import MAX_ANSWER, CanonicalLabel
from workbench_core.metrics import AnswerKind
from workbench_core.pairs import ResponseSource, ReviewStatus, check_answer
from workbench_core.ports import ChatAnswer, Json, Message, Value
from workbench_core.prompt_templates import AnswerSource
from workbench_core.training_sheets.items import Item, usage_of_item
from workbench_core.training_sheets.model import TrainingSheet
from workbench_core.usage import UsageRules


class PairRows:
    """Build the rows of one batch."""

    def __init__(
        self,
        training_sheet: TrainingSheet,
        sheet_rules: UsageRules,
        labels: Mapping[str, CanonicalLabel],
        answers: Mapping[str, ChatAnswer],
        model_name: str,
        now: datetime,
    ) -> None:
        self._training_sheet = training_sheet
        self._sheet_rules = sheet_rules
        self._labels = labels
        self._answers = answers
        self._model_name = model_name
        self._now = now

    def row(self, number: int, item: Item) -> dict[str, Value]:
        """The pair of an item at its position in the training sheet."""
        training_sheet, label = self._training_sheet, self._labels.get(item.item_ref)
        is_held_out = item.item_ref in training_sheet.options.held_out
        rules = usage_of_item(self._sheet_rules, label, is_held_out=is_held_out)
        return {
            "id": f"{training_sheet.id}-{number}",
            "training_sheet_id": training_sheet.id,
            "sheet_id": training_sheet.sheet_id,
            "item_ref": item.item_ref,
            "sequence_number": number,
            "variables": rows.to_json(item.variables),
            "messages": _messages_json(item.messages),
            **(self._hit(label) if label is not None else self._miss(item)),
            **_usage_columns(rules),
            "created_at": self._now,
            "updated_at": self._now,
        }

    def _hit(self, label: CanonicalLabel) -> dict[str, Value]:
        """The label answers and approves; a class that this template does not know is left to a person."""
        template = self._training_sheet.template
        verdict = check_answer(template, label.answer)
        is_known = template.answer_kind is not AnswerKind.LABEL or not verdict.note
        return {
            "answer": verdict.answer,
            "response_source": ResponseSource.CANONICAL.value,
            "review_status": (ReviewStatus.APPROVED if is_known else ReviewStatus.PENDING).value,
            "was_auto_approved": is_known,
            "canonical_label_id": label.id,
            "reviewed_by": label.labeled_by if is_known else "",
            "reviewed_at": label.labeled_at if is_known else None,
            "quality_score": verdict.quality_score,
            "generation_error": "",
            "generation_details": rows.to_json({"note": verdict.note}) if verdict.note else "{}",
        }

    def _miss(self, item: Item) -> dict[str, Value]:
        answer, source, error, details = self._answer(item)
        if len(answer) > MAX_ANSWER:
            answer, error = "", f"The answer has {len(answer):,} characters, more than {MAX_ANSWER:,}."
        verdict = check_answer(self._training_sheet.template, answer)
        if verdict.note:
            details = {**details, "note": verdict.note}
        return {
            "answer": verdict.answer,
            "response_source": (source if verdict.answer else ResponseSource.EMPTY).value,
            "review_status": ReviewStatus.PENDING.value,
            "was_auto_approved": False,
            "canonical_label_id": None,
            "reviewed_by": "",
            "reviewed_at": None,
            "quality_score": verdict.quality_score,
            "generation_error": error,
            "generation_details": rows.to_json(details) if details else "{}",
        }

    def _answer(self, item: Item) -> tuple[str, ResponseSource, str, dict[str, Json]]:
        """Answer, its source, what went wrong, and what to remember about it."""
        if item.error:
            return "", ResponseSource.EMPTY, item.error, {}
        if self._training_sheet.answer_source is AnswerSource.EXISTING_COLUMN:
            return item.column_answer, ResponseSource.IMPORTED, "", {}
        answer = self._answers.get(item.item_ref)
        if answer is None:
            return "", ResponseSource.EMPTY, "", {}
        details: dict[str, Json] = {
            "model": self._model_name,
            "latency_ms": round(answer.latency_ms, 1),
            "tokens_in": answer.tokens_in,
            "tokens_out": answer.tokens_out,
        }
        text = (answer.text or "").strip()
        error = answer.error or ("" if text else "The model gave an empty answer.")
        return text, ResponseSource.AI_GENERATED, error, details


@lru_cache(maxsize=256)
def _usage_columns(rules: UsageRules) -> dict[str, str]:
    """The columns of usage rules; most pairs of a sheet share them."""
    return rules.columns()


def _messages_json(messages: Sequence[Message]) -> str:
    """The messages as JSON; all but the last are the same for every item."""
    parts = [*map(_fixed_message_json, messages[:-1]), *map(_message_json, messages[-1:])]
    return f"[{', '.join(parts)}]"


def _message_json(message: Message) -> str:
    return rows.to_json({"role": message.role, "content": message.content})


@lru_cache(maxsize=64)
def _fixed_message_json(message: Message) -> str:
    return _message_json(message)
