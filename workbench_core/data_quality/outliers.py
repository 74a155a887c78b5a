"""Values that lie far from the others of their column, judged by statistics that outliers cannot move themselves."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np

LIMIT = 3.5
FEWEST_VALUES = 20
_MAD_TO_SIGMA = 0.6745  # the 0.75 quantile of the standard normal distribution
_FENCE = 1.5


@dataclass(frozen=True, slots=True)
class ColumnOutliers:
    """Positions of the outliers of a column and how far out each lies; above 1 is out. `rule` says what counts."""

    positions: np.ndarray
    scores: np.ndarray
    rule: str


def find_outliers(values: np.ndarray) -> ColumnOutliers:
    """The outliers among numbers (shape (n,), NaN for no value).

    The modified z-score 0.6745 * |x - median| / MAD above 3.5 (Iglewicz and Hoaglin, "How to Detect and Handle
    Outliers", 1993). Where more than half of the values are the same, MAD is 0: then what lies more than 1.5 quartile
    distances outside the quartiles (Tukey 1977). A column with fewer than 20 values, or no spread, has none. Scores
    are the z-score, or the distance in quartile distances.
    """
    import numpy as np

    given = np.isfinite(values)
    present = values[given]
    if len(present) < FEWEST_VALUES:
        return _none(f"fewer than {FEWEST_VALUES} values")
    low, median, high = np.quantile(present, [0.25, 0.5, 0.75])
    deviation = float(np.median(np.abs(present - median)))
    if deviation > 0:
        scores = _MAD_TO_SIGMA * np.abs(values - median) / deviation
        out = given & (scores > LIMIT)
        rule = f"modified z-score above {LIMIT} (median {median:g}, median deviation {deviation:g})"
    elif high > low:
        outside = np.maximum(low - values, values - high)
        scores = outside / (high - low)
        out = given & (scores > _FENCE)
        rule = f"more than {_FENCE} quartile distances outside {low:g} to {high:g}"
    else:
        return _none("more than half of the values are the same, and the quartiles too")
    positions = np.flatnonzero(out)
    return ColumnOutliers(positions, scores[positions], rule)


def _none(rule: str) -> ColumnOutliers:
    import numpy as np

    return ColumnOutliers(np.empty(0, dtype=np.int64), np.empty(0), rule)
