"""What a pair is stored as: the row of one item, answered by its canonical label, its source, a model or nobody yet."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import NamedTuple

from workbench_core import rows
from workbench_core.canonical_labels import MAX_ANSWER, CanonicalLabel, LabelAnswer
from workbench_core.metrics import AnswerKind
from workbench_core.pairs import AnswerVerdict, ResponseSource, ReviewStatus, check_answer
from workbench_core.ports import ChatAnswer, Json, Value
from workbench_core.prompt_templates import AnswerSource
from workbench_core.training_sheets.item_columns import ItemColumns, item_columns
from workbench_core.training_sheets.items import Item, usage_of_item
from workbench_core.training_sheets.model import TrainingSheet
from workbench_core.usage import UsageRules

ROW_COLUMNS = (
    "id", "training_sheet_id", "sheet_id", "item_ref", "sequence_number", "variables", "messages",
    "answer", "response_source", "review_status", "was_auto_approved", "reviewed_by", "reviewed_at", "quality_score",
    "generation_error", "generation_details", "canonical_label_id",
    "allowed_uses", "prohibited_uses", "usage_reason", "classification", "created_at", "updated_at",
)  # fmt: skip
_CANONICAL, _APPROVED, _PENDING = (
    ResponseSource.CANONICAL.value, ReviewStatus.APPROVED.value, ReviewStatus.PENDING.value
)  # fmt: skip
_USAGE_COLUMNS = 4
_FROM_COLUMN = frozenset({AnswerSource.EXISTING_COLUMN, AnswerSource.HYBRID})


class _Answered(NamedTuple):
    """The columns that say what the answer is and where it came from, in the order of `ROW_COLUMNS`."""

    answer: str
    response_source: str
    review_status: str
    was_auto_approved: bool
    reviewed_by: str
    reviewed_at: datetime | None
    quality_score: float | None
    generation_error: str
    generation_details: str


class PairRows:
    """Build the rows of one batch; `sheet_rules` hold for all of them. What pairs have in common is worked out once."""

    def __init__(
        self,
        training_sheet: TrainingSheet,
        sheet_rules: UsageRules,
        labels: Mapping[str, LabelAnswer] | Mapping[str, CanonicalLabel],
        answers: Mapping[str, ChatAnswer],
        model_name: str,
        now: datetime,
    ) -> None:
        self._id, self._sheet_id = training_sheet.id, training_sheet.sheet_id
        self._template, self._held_out = training_sheet.template, training_sheet.options.held_out
        self._rules = sheet_rules
        self._labels = labels
        self._answers = answers
        self._model_name = model_name
        self._now = now
        self._asks_column = training_sheet.answer_source in _FROM_COLUMN
        self._has_classes = training_sheet.template.answer_kind is AnswerKind.LABEL
        self._verdicts: dict[str, AnswerVerdict] = {}  # a few classes answer all items
        self._imported: dict[str, _Answered] = {}
        self._reused: dict[tuple[str, str, datetime], _Answered] = {}
        self._usages: dict[tuple[int, bool], tuple[str, ...]] = {}

    def columns(self, numbers: Sequence[int], items: ItemColumns) -> dict[str, Sequence[Value]]:
        """The columns of `ROW_COLUMNS` for items, each with its position in the training sheet."""
        count, refs = len(items), items.refs
        labels = [self._labels.get(ref) for ref in refs]
        answered = [
            self._miss(ref, answer, error) if label is None else self._hit(label, error)
            for ref, answer, error, label in zip(refs, items.answers, items.errors, labels, strict=True)
        ]
        usages = [
            self._usage_columns(label, is_held_out=ref in self._held_out)
            for ref, label in zip(refs, labels, strict=True)
        ]
        times = [self._now] * count
        values: list[Sequence[Value]] = [
            [f"{self._id}-{number}" for number in numbers], [self._id] * count, [self._sheet_id] * count, refs, numbers,
            items.variables, items.messages,
            *_turned(answered, len(_Answered._fields)), [None if label is None else label.id for label in labels],
            *_turned(usages, _USAGE_COLUMNS), times, times,
        ]  # fmt: skip
        return dict(zip(ROW_COLUMNS, values, strict=True))

    def row(self, number: int, item: Item) -> dict[str, Value]:
        """The pair of one item by column."""
        return {name: values[0] for name, values in self.columns([number], item_columns([item])).items()}

    # --- the answer --------------------------------------------------------------------------------------------------

    def _hit(self, label: LabelAnswer | CanonicalLabel, error: str) -> _Answered:
        """The label answers and approves; labels that the same person gave together with one class say the same.

        A question that cannot be made is approved by nobody: a pair without one is no example.
        """
        if error:
            verdict = self._verdict(label.answer)
            details = _details_json({}, verdict)
            score = verdict.quality_score
            return _Answered(verdict.answer, _CANONICAL, _PENDING, False, "", None, score, error, details)
        key = (label.answer, label.labeled_by, label.labeled_at)
        known = self._reused.get(key)
        if known is None:
            known = self._approved(label)
            if self._has_classes:
                self._reused[key] = known
        return known

    def _approved(self, label: LabelAnswer | CanonicalLabel) -> _Answered:
        """Approved without a review; a class that this template does not know is left to a person."""
        verdict = self._verdict(label.answer)
        is_known = not (self._has_classes and verdict.note)
        return _Answered(
            verdict.answer,
            _CANONICAL,
            _APPROVED if is_known else _PENDING,
            is_known,
            label.labeled_by if is_known else "",
            label.labeled_at if is_known else None,
            verdict.quality_score,
            "",
            _details_json({}, verdict) if verdict.note else "{}",
        )

    def _miss(self, ref: str, column_answer: str, error: str) -> _Answered:
        """The column answers, or the model; pairs with the same class out of a column are the same but for the item."""
        has_value = self._asks_column and bool(column_answer.strip())
        if error:
            return self._pending(column_answer if has_value else "", ResponseSource.IMPORTED, error=error)
        if has_value:
            known = self._imported.get(column_answer)
            if known is None:
                known = self._pending(column_answer, ResponseSource.IMPORTED)
                if self._has_classes:
                    self._imported[column_answer] = known
            return known
        answer = self._answers.get(ref)
        return self._pending("", ResponseSource.EMPTY) if answer is None else self._model_answer(answer)

    def _model_answer(self, answer: ChatAnswer) -> _Answered:
        details: dict[str, Json] = {
            "model": self._model_name,
            "latency_ms": round(answer.latency_ms, 1),
            "tokens_in": answer.tokens_in,
            "tokens_out": answer.tokens_out,
            **({"is_repaired": True} if answer.is_repaired else {}),
            **({"is_kept": True} if answer.is_kept else {}),
        }
        text = (answer.text or "").strip()
        error = answer.error or ("" if text else "The model gave an empty answer.")
        return self._pending(text, ResponseSource.AI_GENERATED, error=error, details=details)

    def _pending(
        self, answer: str, source: ResponseSource, *, error: str = "", details: Mapping[str, Json] | None = None
    ) -> _Answered:
        """An answer that waits for its review."""
        if len(answer) > MAX_ANSWER:
            answer, error = "", f"The answer has {len(answer):,} characters, more than {MAX_ANSWER:,}."
        verdict = self._verdict(answer)
        return _Answered(
            verdict.answer,
            (source if verdict.answer else ResponseSource.EMPTY).value,
            _PENDING,
            False,
            "",
            None,
            verdict.quality_score,
            error,
            _details_json(details or {}, verdict),
        )

    def _verdict(self, answer: str) -> AnswerVerdict:
        """Whether the answer fits the template; asked once for each class."""
        if not self._has_classes:
            return check_answer(self._template, answer)
        found = self._verdicts.get(answer)
        if found is None:
            found = self._verdicts[answer] = check_answer(self._template, answer)
        return found

    # --- what pairs have in common -----------------------------------------------------------------------------------

    def _usage_columns(self, label: LabelAnswer | CanonicalLabel | None, *, is_held_out: bool) -> tuple[str, ...]:
        """The columns of the usage rules; labels with the same rules mostly share the object."""
        key = (0 if label is None else id(label.usage), is_held_out)
        found = self._usages.get(key)
        if found is None:
            rules = usage_of_item(self._rules, label, is_held_out=is_held_out)
            found = self._usages[key] = tuple(rules.columns().values())
        return found


def _turned(rows_of_values: Sequence[tuple[Value, ...]], count: int) -> Sequence[Sequence[Value]]:
    """Rows as `count` columns; rows that are all the same are not looked at one by one."""
    if rows_of_values and rows_of_values.count(rows_of_values[0]) == len(rows_of_values):
        return [[value] * len(rows_of_values) for value in rows_of_values[0]]
    return list(zip(*rows_of_values, strict=True)) or [()] * count


def _details_json(details: Mapping[str, Json], verdict: AnswerVerdict) -> str:
    told = {**details, "note": verdict.note} if verdict.note else details
    return rows.to_json(told) if told else "{}"
