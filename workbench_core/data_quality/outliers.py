"""Values that lie far from the others of their column, judged by statistics that outliers cannot move themselves."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np

LIMIT = 3.5
LIMITS = (3.5, 25.0)  # what a person may choose
FEWEST_VALUES = 20
_MAD_TO_SIGMA = 0.6745  # the 0.75 quantile of the standard normal distribution
_FENCE = 1.5
_QUARTILES_TO_SIGMA = 1.349  # the distance of the quartiles of the standard normal distribution


@dataclass(frozen=True, slots=True)
class ColumnOutliers:
    """Positions of the outliers of a column and how far out each lies, in modified z-scores; `rule` says how."""

    positions: np.ndarray
    scores: np.ndarray
    rule: str


def find_outliers(values: np.ndarray, limit: float = LIMIT) -> ColumnOutliers:
    """The outliers among numbers (shape (n,), NaN for no value); an infinite one is always out.

    The modified z-score 0.6745 * |x - median| / MAD above 3.5 (Iglewicz and Hoaglin, "How to Detect and Handle
    Outliers", 1993), or above another `limit`. Where more than half of the values are the same, MAD is 0: then what
    lies more than 1.5 quartile distances outside the quartiles (Tukey, "Exploratory Data Analysis", 1977), and more in
    proportion to the limit. A column with fewer than 20 finite values, or no spread, has none. So that columns can be
    ranked together, scores are z-scores; 1.349 of them are the distance of the quartiles of normal values.
    """
    import numpy as np

    given = ~np.isnan(values)
    present = values[np.isfinite(values)]
    if len(present) < FEWEST_VALUES:
        return _none(f"fewer than {FEWEST_VALUES} values")
    low, median, high = np.quantile(present, [0.25, 0.5, 0.75])
    deviation = float(np.median(np.abs(present - median)))
    if deviation > 0:
        scores = _MAD_TO_SIGMA * np.abs(values - median) / deviation
        out = given & (scores > limit)
        rule = f"modified z-score above {limit:g} (median {median:g}, median deviation {deviation:g})"
    elif high > low:
        outside = np.maximum(low - values, values - high) / (high - low)
        scores = _MAD_TO_SIGMA + _QUARTILES_TO_SIGMA * outside
        fence = _FENCE * limit / LIMIT
        out = given & (outside > fence)
        rule = f"more than {fence:g} quartile distances outside {low:g} to {high:g}"
    else:
        return _none("more than half of the values are the same, and the quartiles too")
    positions = np.flatnonzero(out)
    return ColumnOutliers(positions, scores[positions], rule)


def _none(rule: str) -> ColumnOutliers:
    import numpy as np

    return ColumnOutliers(np.empty(0, dtype=np.int64), np.empty(0), rule)
