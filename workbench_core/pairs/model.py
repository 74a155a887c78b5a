"""The words of pairs: what a pair is, where its answer came from, how far its review is."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from workbench_core import rows, usage
from workbench_core.ports import Json, Message, Row
from workbench_core.runs import Run
from workbench_core.usage import UsageRules

PAIR_COLUMNS = (
    "id, training_sheet_id, sheet_id, item_ref, sequence_number, variables, messages, answer, original_answer, "
    "response_source, review_status, was_auto_approved, canonical_label_id, reviewed_by, reviewed_at, review_note, "
    "quality_score, allowed_uses, prohibited_uses, usage_reason, classification, generation_error, "
    "generation_details, quality_flags, row_version, created_at, updated_at"
)
REVIEW_COLUMNS = (
    "id, pair_id, training_sheet_id, action, note, status_before, status_after, answer_before, answer_after, "
    "source_before, label_before, label_after, label_version, row_version, by_user, reviewed_at, undone_at, step_id, "
    "changes"
)


class ReviewStatus(StrEnum):
    """Where the review of a pair stands (spec 1.7)."""

    PENDING = "pending"
    APPROVED = "approved"
    EDITED = "edited"
    REJECTED = "rejected"
    FLAGGED = "flagged"


class ResponseSource(StrEnum):
    """Where the present answer of a pair came from (spec 1.7)."""

    EMPTY = "empty"
    IMPORTED = "imported"
    AI_GENERATED = "ai_generated"
    HUMAN_LABELED = "human_labeled"
    HUMAN_VERIFIED = "human_verified"
    CANONICAL = "canonical"


class QualityFlag(StrEnum):
    """What is wrong with a pair, said by a person or found by a check (spec 2.6)."""

    HALLUCINATION = "hallucination"
    INCOMPLETE = "incomplete"
    AMBIGUOUS = "ambiguous"
    INCORRECT = "incorrect"
    DUPLICATE = "duplicate"
    PII = "pii"
    TOXIC = "toxic"


@dataclass(frozen=True, slots=True)
class Pair:
    """One supervised example. `messages` end before the answer; `variables` are the frozen values of the item."""

    id: str
    training_sheet_id: str
    sheet_id: str
    item_ref: str
    sequence_number: int
    variables: Mapping[str, str]
    messages: tuple[Message, ...]
    answer: str
    original_answer: str | None
    response_source: ResponseSource
    review_status: ReviewStatus
    was_auto_approved: bool
    canonical_label_id: str
    reviewed_by: str
    reviewed_at: datetime | None
    review_note: str
    quality_score: float | None
    usage: UsageRules
    generation_error: str
    generation_details: Mapping[str, Json]
    row_version: int
    created_at: datetime
    updated_at: datetime
    quality_flags: tuple[QualityFlag, ...] = ()

    @property
    def generation_note(self) -> str:
        """Why the generated answer is not valid; empty when it is."""
        return str(self.generation_details.get("note") or "")


@dataclass(frozen=True, slots=True)
class PairCounts:
    """The pairs of a training sheet, counted from the rows (INV-8)."""

    total: int = 0
    pending: int = 0
    approved: int = 0
    edited: int = 0
    rejected: int = 0
    flagged: int = 0
    auto_approved: int = 0
    errors: int = 0
    by_source: Mapping[ResponseSource, int] = field(default_factory=dict)

    @property
    def labelled(self) -> int:
        """Approved and edited pairs."""
        return self.approved + self.edited

    @property
    def approval_rate(self) -> float:
        """Labelled over all, between 0 and 1."""
        return self.labelled / self.total if self.total else 0.0


@dataclass(frozen=True, slots=True)
class PairReview:
    """One decision about a pair; `label_version` is the version of the canonical label that it wrote, if any."""

    id: str
    pair_id: str
    training_sheet_id: str
    action: str
    note: str
    status_before: ReviewStatus
    status_after: ReviewStatus
    answer_before: str
    answer_after: str
    source_before: ResponseSource
    label_before: str
    label_after: str
    label_version: int | None
    row_version: int
    by: str
    reviewed_at: datetime
    undone_at: datetime | None
    step_id: str = ""
    changes: Mapping[str, Json] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class PairChange:
    """What became of a pair after a person had read it: who changed it last, from what to what, and when.

    `action` is approve, edit, reject, flag, reopen, set_flags, save, generate, or undo.
    """

    pair_id: str
    by: str
    action: str
    status_before: ReviewStatus
    status_after: ReviewStatus
    answer_before: str
    answer_after: str
    changed_at: datetime


@dataclass(frozen=True, slots=True)
class Undone:
    """The step that was taken back or done again: its first pair, and how many it has.

    A step of very many pairs is worked on by a run; `pairs` is then what it will change.
    """

    pair_id: str
    action: str
    pairs: int = 1
    item_ref: str = ""
    run: Run | None = None


@dataclass(frozen=True, slots=True)
class Steps:
    """What undo and redo would do, such as “approve of 212 pairs”; empty when there is nothing."""

    undo: str = ""
    redo: str = ""


def pair_from(row: Row) -> Pair:
    """Read a pair out of a row with `PAIR_COLUMNS`."""
    return Pair(
        id=rows.text(row, "id"),
        training_sheet_id=rows.text(row, "training_sheet_id"),
        sheet_id=rows.text(row, "sheet_id"),
        item_ref=rows.text(row, "item_ref"),
        sequence_number=rows.whole(row, "sequence_number"),
        variables={name: str(value) for name, value in rows.json_object(row, "variables").items()},
        messages=tuple(map(message_from, json.loads(rows.text(row, "messages")))),
        answer=rows.text(row, "answer"),
        original_answer=None if row["original_answer"] is None else rows.text(row, "original_answer"),
        response_source=ResponseSource(rows.text(row, "response_source")),
        review_status=ReviewStatus(rows.text(row, "review_status")),
        was_auto_approved=rows.flag(row, "was_auto_approved"),
        canonical_label_id=rows.text(row, "canonical_label_id"),
        reviewed_by=rows.text(row, "reviewed_by"),
        reviewed_at=rows.time_or_none(row, "reviewed_at"),
        review_note=rows.text(row, "review_note"),
        quality_score=rows.number_or_none(row, "quality_score"),
        usage=usage.from_row(row),
        generation_error=rows.text(row, "generation_error"),
        generation_details=rows.json_object(row, "generation_details"),
        row_version=rows.whole(row, "row_version"),
        created_at=rows.time(row, "created_at"),
        updated_at=rows.time(row, "updated_at"),
        quality_flags=flags_from(row),
    )


def flags_from(row: Row) -> tuple[QualityFlag, ...]:
    """The quality flags of a row."""
    text = row["quality_flags"]
    return () if text == "[]" else tuple(QualityFlag(flag) for flag in rows.json_texts(row, "quality_flags"))


def flags_text(flags: Iterable[QualityFlag]) -> str:
    """Quality flags as the table keeps them: each once, always in the same order."""
    chosen = set(flags)
    return json.dumps([flag.value for flag in QualityFlag if flag in chosen])


def message_from(stored: Mapping[str, Any]) -> Message:
    """A message; `attachments` are written only when there are any."""
    return Message(str(stored["role"]), str(stored["content"]), tuple(map(str, stored.get("attachments", ()))))


def review_from(row: Row) -> PairReview:
    """Read a decision out of a row with `REVIEW_COLUMNS`."""
    return PairReview(
        id=rows.text(row, "id"),
        pair_id=rows.text(row, "pair_id"),
        training_sheet_id=rows.text(row, "training_sheet_id"),
        action=rows.text(row, "action"),
        note=rows.text(row, "note"),
        status_before=ReviewStatus(rows.text(row, "status_before")),
        status_after=ReviewStatus(rows.text(row, "status_after")),
        answer_before=rows.text(row, "answer_before"),
        answer_after=rows.text(row, "answer_after"),
        source_before=ResponseSource(rows.text(row, "source_before")),
        label_before=rows.text(row, "label_before"),
        label_after=rows.text(row, "label_after"),
        label_version=rows.whole_or_none(row, "label_version"),
        row_version=rows.whole(row, "row_version"),
        by=rows.text(row, "by_user"),
        reviewed_at=rows.time(row, "reviewed_at"),
        undone_at=rows.time_or_none(row, "undone_at"),
        step_id=rows.text(row, "step_id"),
        changes=rows.json_object(row, "changes"),
    )
