"""Closure: did the retrained version close the gap? Computed on the held-out items of the gap's task, never clicked."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from workbench_core import rows
from workbench_core.metrics import Comparison
from workbench_core.metrics import Verdict as ItemVerdict
from workbench_core.ports import Row, Value
from workbench_core.slices.search import MINIMUM_LIFT, MINIMUM_RATE
from workbench_core.statistics import Interval

COLUMNS = (
    "id, gap_id, model_name, version_before, version_after, evaluation_before_id, evaluation_after_id, item_count, "
    "error_before, error_after, difference, difference_low, difference_high, wins, losses, verdict, computed_by, "
    "computed_at"
)


class ClosureVerdict(StrEnum):
    """What the held-out items say."""

    CLOSED = "closed"
    IMPROVED = "improved"
    NOT_CLOSED = "not_closed"
    TOO_FEW = "too_few"


@dataclass(frozen=True, slots=True)
class GapClosure:
    """Both versions on the same held-out items: error rates, the difference with its 95 % interval, the verdict."""

    id: str
    gap_id: str
    model_name: str
    version_before: int
    version_after: int
    evaluation_before_id: str
    evaluation_after_id: str
    item_count: int
    error_before: float
    error_after: float
    difference: float
    interval: Interval
    wins: int
    losses: int
    verdict: ClosureVerdict
    computed_by: str
    computed_at: datetime

    @property
    def sentence(self) -> str:
        """The result in one sentence."""
        return (
            f"Error on {self.item_count} held-out items: {self.error_before:.1%} with v{self.version_before}, "
            f"{self.error_after:.1%} with v{self.version_after} "
            f"(difference {self.difference:+.1%}, 95 % interval {self.interval.low:+.1%} to {self.interval.high:+.1%})."
        )


def closure_verdict(compared: Comparison, *, error_after: float, overall_rate: float) -> ClosureVerdict:
    """Read a comparison of before (A) and after (B) as a verdict.

    Closed: significantly better, and the error that is left would not be reported as a gap (below 10 % or below 1.5
    times the overall rate, the limits of GA-F2). Improved: significantly better, but above that. Too few: under 30
    items.
    """
    if compared.verdict is ItemVerdict.TOO_FEW:
        return ClosureVerdict.TOO_FEW
    if compared.verdict is not ItemVerdict.BETTER:
        return ClosureVerdict.NOT_CLOSED
    limit = max(MINIMUM_RATE, MINIMUM_LIFT * overall_rate)
    return ClosureVerdict.CLOSED if error_after < limit else ClosureVerdict.IMPROVED


def closure(row: Row) -> GapClosure:
    """A closure from its row."""
    return GapClosure(
        id=rows.text(row, "id"),
        gap_id=rows.text(row, "gap_id"),
        model_name=rows.text(row, "model_name"),
        version_before=rows.whole(row, "version_before"),
        version_after=rows.whole(row, "version_after"),
        evaluation_before_id=rows.text(row, "evaluation_before_id"),
        evaluation_after_id=rows.text(row, "evaluation_after_id"),
        item_count=rows.whole(row, "item_count"),
        error_before=rows.number(row, "error_before"),
        error_after=rows.number(row, "error_after"),
        difference=rows.number(row, "difference"),
        interval=Interval(rows.number(row, "difference_low"), rows.number(row, "difference_high")),
        wins=rows.whole(row, "wins"),
        losses=rows.whole(row, "losses"),
        verdict=ClosureVerdict(rows.text(row, "verdict")),
        computed_by=rows.text(row, "computed_by"),
        computed_at=rows.time(row, "computed_at"),
    )


def row(result: GapClosure) -> dict[str, Value]:
    """A closure as its row."""
    values = {name: getattr(result, name) for name in GapClosure.__dataclass_fields__ if name != "interval"}
    return values | {
        "difference_low": result.interval.low,
        "difference_high": result.interval.high,
        "verdict": result.verdict.value,
    }
