"""Comparing two versions: wins and losses per item, and a verdict that knows when it cannot tell."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

import numpy as np
import numpy.typing as npt

from workbench_core.metrics.scores import FloatArray
from workbench_core.metrics.summary import Direction, direction
from workbench_core.statistics import Interval, mcnemar, paired_interval, paired_t

MINIMUM_ITEMS = 30
RELATIVE_TOLERANCE = 0.01
DEGRADATION_THRESHOLD = 0.05
WATCHED_METRICS = (
    "accuracy",
    "exact_match",
    "f1_score",
    "macro_f1",
    "precision",
    "macro_precision",
    "recall",
    "macro_recall",
)
_SIGNIFICANT = 0.05


class Verdict(StrEnum):
    """What a comparison says about B, measured against A."""

    BETTER = "better"
    WORSE = "worse"
    SAME = "same"
    TOO_FEW = "too few"


@dataclass(frozen=True, slots=True)
class Comparison:
    """B against A on the same items: items won and lost by B, mean B - mean A and its 95 % interval."""

    wins: int
    losses: int
    ties: int
    delta: float
    interval: Interval
    p_value: float
    verdict: Verdict
    changed: npt.NDArray[np.int64] = field(compare=False, repr=False)  # positions of items with another score

    @property
    def n(self) -> int:
        """Count the items that both sides scored."""
        return self.wins + self.losses + self.ties


@dataclass(frozen=True, slots=True)
class Degradation:
    """How far each watched metric fell, relative to the baseline, and which fell beyond the threshold."""

    drops: Mapping[str, float]
    beyond: tuple[str, ...]

    @property
    def triggered(self) -> bool:
        """Say whether any watched metric fell beyond the threshold."""
        return bool(self.beyond)


def compare_items(scores_a: npt.ArrayLike, scores_b: npt.ArrayLike, *, higher_is_better: bool = True) -> Comparison:
    """Compare baseline A with B, item by item; an item that is nan on a side is left out.

    Better or worse needs a change beyond 1 % of A's mean and a 95 % paired bootstrap interval (1,000
    resamples, fixed seed) without 0; right-or-wrong scores also need McNemar p < 0.05. Fewer than 30 items
    are "too few". The p-value is McNemar's for right-or-wrong scores, else the paired t-test's. Raises
    ValueError for unequal lengths.
    """
    a, b = np.asarray(scores_a, dtype=np.float64), np.asarray(scores_b, dtype=np.float64)
    if a.shape != b.shape:
        raise ValueError(f"{a.size} scores cannot be compared with {b.size}.")
    known = ~(np.isnan(a) | np.isnan(b))
    differences = np.where(known, b - a, 0.0)
    gain = differences if higher_is_better else -differences
    wins, losses = int((gain > 0).sum()), int((gain < 0).sum())
    counts = (wins, losses, int(known.sum()) - wins - losses)
    return _compared(
        a[known],
        differences=differences[known],
        counts=counts,
        changed=np.flatnonzero(differences),
        higher_is_better=higher_is_better,
    )


def compare_values(name: str, baseline: float, current: float, *, n: int) -> Verdict:
    """Compare two values of a metric when no item scores exist: by direction and 1 % tolerance only."""
    gain = current - baseline if direction(name) is Direction.HIGHER else baseline - current
    if n < MINIMUM_ITEMS:
        return Verdict.TOO_FEW
    if direction(name) is Direction.NEUTRAL or abs(gain) <= RELATIVE_TOLERANCE * abs(baseline):
        return Verdict.SAME
    return Verdict.BETTER if gain > 0 else Verdict.WORSE


def degradation(
    baseline: Mapping[str, float | None],
    current: Mapping[str, float | None],
    *,
    threshold: float = DEGRADATION_THRESHOLD,
) -> Degradation:
    """Measure d = (baseline - current) / baseline of each watched metric.

    d is 0 when either is missing or the baseline is 0. It triggers when any d exceeds the threshold.
    """
    drops = {
        name: _drop(baseline.get(name), current.get(name))
        for name in WATCHED_METRICS
        if name in baseline or name in current
    }
    return Degradation(drops, tuple(name for name, drop in drops.items() if drop > threshold))


def _compared(
    a: FloatArray,
    *,
    differences: FloatArray,
    counts: tuple[int, int, int],
    changed: npt.NDArray[np.int64],
    higher_is_better: bool,
) -> Comparison:
    wins, losses, ties = counts
    binary = bool(np.isin(a, (0, 1)).all() and np.isin(a + differences, (0, 1)).all())
    p_value = mcnemar(wins, losses) if binary else paired_t(differences)
    delta = float(differences.mean()) if differences.size else 0.0
    interval = paired_interval(differences)
    certain = interval.excludes(0.0) and (not binary or p_value < _SIGNIFICANT)
    if a.size < MINIMUM_ITEMS:
        verdict = Verdict.TOO_FEW
    elif not certain or abs(delta) <= RELATIVE_TOLERANCE * abs(float(a.mean())):
        verdict = Verdict.SAME
    else:
        verdict = Verdict.BETTER if (delta > 0) == higher_is_better else Verdict.WORSE
    return Comparison(wins, losses, ties, delta, interval, p_value, verdict, changed)


def _drop(baseline: float | None, current: float | None) -> float:
    if baseline is None or current is None or baseline == 0:
        return 0.0
    return (baseline - current) / baseline
