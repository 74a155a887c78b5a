"""Why a pair may not be used for something: the two gates of governance as pure functions, in the words people read."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from enum import StrEnum

from workbench_core.usage import UsageRules, Use

APPROVED = frozenset({"approved", "edited"})


class Reason(StrEnum):
    """Why a pair stays out; the first that fits counts (spec 1.4, 1.6). Those about a use begin with its name."""

    PENDING = "not reviewed yet"
    REJECTED = "rejected"
    FLAGGED = "flagged"
    NOT_ALLOWED = "not among the allowed uses"
    PROHIBITED = "prohibited"
    EMPTY = "empty answer"
    NO_QUESTION = "no question"
    DUPLICATE = "same question as another pair"
    NO_SCORE = "no quality score"
    LOW_SCORE = "quality score below"
    QUALITY_FLAG = "marked as"
    SOURCE = "answer source not chosen"
    PICTURES = "pictures, which this format cannot hold"
    NO_PART = "no part permits it"


_BY_STATUS = {"pending": Reason.PENDING, "rejected": Reason.REJECTED, "flagged": Reason.FLAGGED}


@dataclass(frozen=True, slots=True)
class Excluded:
    """How many pairs one reason keeps out."""

    reason: str
    count: int


def exclusion_reason(
    status: str, answer: str, usage: UsageRules, score: float | None, *, use: Use, minimum_score: float = 0.0
) -> str:
    """Why a pair may not be put to this use; empty when it may (INV-5).

    `status` is its review status. Without a minimum above 0 the score does not matter; with one, a pair without a
    score stays out.
    """
    return (
        status_reason(status)
        or usage_reason(usage, use)
        or ("" if answer.strip() else Reason.EMPTY)
        or score_reason(score, minimum_score)
    )


def status_reason(status: str) -> str:
    """Why a review status keeps a pair out; empty for approved and edited."""
    return "" if status in APPROVED else _BY_STATUS.get(status, status)


def usage_reason(usage: UsageRules, use: Use) -> str:
    """Why usage rules keep a pair out, with the stated cause of a prohibition. Prohibition wins (INV-6)."""
    if use in usage.prohibited:
        cause = f": {usage.reason}" if usage.reason else ""
        return f"{_named(use)} {Reason.PROHIBITED}{cause}"
    return "" if use in usage.allowed else f"{_named(use)} {Reason.NOT_ALLOWED}"


def score_reason(score: float | None, minimum: float) -> str:
    """Why a quality score keeps a pair out; empty when no minimum is asked for."""
    if minimum <= 0:
        return ""
    if score is None:
        return Reason.NO_SCORE
    return f"{Reason.LOW_SCORE} {minimum:g}" if score < minimum else ""


def source_reason(source: str, wanted: Collection[str]) -> str:
    """Why the source of an answer keeps a pair out; empty when it was asked for."""
    return "" if source in wanted else f"{Reason.SOURCE}: {source.replace('_', ' ')}"


def flag_reason(flags: Iterable[str]) -> str:
    """Why quality flags keep a pair out; the first of them counts."""
    first = next(iter(flags), "")
    return f"{Reason.QUALITY_FLAG} {first}" if first else ""


def most_frequent(counts: dict[str, int]) -> tuple[Excluded, ...]:
    """Counted reasons, the most frequent first, then by their words."""
    ordered = sorted(counts.items(), key=lambda each: (-each[1], each[0]))
    return tuple(Excluded(reason, count) for reason, count in ordered)


def _named(use: Use) -> str:
    return use.value.replace("_", " ")
