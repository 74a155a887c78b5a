"""Proportions and paired counts: intervals, tests, correction for many tests, and sample sizes."""

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import special

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]

_NEGLIGIBLE_TERM = 1e-12


@dataclass(frozen=True, slots=True)
class Interval:
    """A confidence interval, both ends included."""

    low: float
    high: float

    def excludes(self, value: float) -> bool:
        """Say whether `value` lies outside the interval."""
        return value < self.low or value > self.high


@dataclass(frozen=True, slots=True)
class TwoProportions:
    """The difference first minus second of two independent proportions."""

    difference: float
    interval: Interval
    p_value: float


def wilson(successes: float, n: int, confidence: float = 0.95) -> Interval:
    """Give the score interval of a proportion; partial successes may count as fractions.

    No observations give 0 to 1. Raises ValueError when successes do not lie in 0..n.
    Source: Wilson (1927), as in Brown, Cai and DasGupta (2001), formula 4.
    """
    if n < 0 or not 0 <= successes <= n:
        raise ValueError(f"{successes} successes of {n} are not a proportion.")
    if n == 0:
        return Interval(0.0, 1.0)
    z = _normal_quantile((1 + confidence) / 2)
    share = successes / n
    centre = share + z * z / (2 * n)
    spread = z * math.sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    scale = 1 + z * z / n
    low = (centre - spread) / scale if successes > 0 else 0.0  # exact, where rounding would leave a trace
    high = (centre + spread) / scale if successes < n else 1.0
    return Interval(low, high)


def benjamini_hochberg(p_values: npt.ArrayLike) -> FloatArray:
    """Turn p-values into q-values (false discovery rate), in the order given.

    Source: Benjamini and Hochberg (1995), step-up procedure.
    """
    p = np.asarray(p_values, dtype=np.float64)
    if p.size == 0:
        return p
    order = np.argsort(p, kind="stable")
    stepped = p[order] * p.size / np.arange(1, p.size + 1)
    q_values = np.empty_like(p)
    q_values[order] = np.minimum.accumulate(stepped[::-1])[::-1].clip(max=1.0)
    return q_values


def two_proportions(k1: int, n1: int, k2: int, n2: int) -> TwoProportions:
    """Compare k1 of n1 with k2 of n2: difference k1/n1 - k2/n2, 95 % interval and two-sided p-value.

    The interval is Newcombe's (1998) method 10. The p-value is the pooled z test, or Fisher's exact test
    when a cell is expected to hold fewer than five. Raises ValueError when a side is empty.
    """
    if n1 < 1 or n2 < 1:
        raise ValueError("Both sides need at least one observation.")
    p1, p2 = k1 / n1, k2 / n2
    first, second = wilson(k1, n1), wilson(k2, n2)
    below = math.hypot(p1 - first.low, second.high - p2)
    above = math.hypot(first.high - p1, p2 - second.low)
    interval = Interval(p1 - p2 - below, p1 - p2 + above)
    return TwoProportions(p1 - p2, interval, _two_sided_p(k1, n1, k2, n2))


def mcnemar(wins: int, losses: int) -> float:
    """Give the exact two-sided p-value that wins and losses among changed items are equally likely.

    Source: McNemar (1947), binomial form.
    """
    changed = wins + losses
    if changed == 0:
        return 1.0
    return min(1.0, 2 * float(special.bdtr(float(min(wins, losses)), changed, 0.5)))


def paired_t(differences: npt.ArrayLike) -> float:
    """Give the two-sided p-value that the mean of paired differences is zero (Student's t)."""
    values = np.asarray(differences, dtype=np.float64)
    if values.size < 2 or not np.any(values):
        return 1.0
    error = float(values.std(ddof=1)) / math.sqrt(values.size)
    if error == 0:
        return 0.0
    return 2 * float(special.stdtr(values.size - 1, -abs(float(values.mean())) / error))


def required_sample(p_before: float, p_after: float, power: float = 0.8, alpha: float = 0.05) -> int:
    """Say how many items each arm needs so that a change from p_before to p_after is found with this power.

    Two-sided, equal arms, rounded to the nearest whole item.
    Source: Fleiss, Levin and Paik (2003), formula 4.14 without continuity correction.
    Raises ValueError when the rates are equal or not in 0..1.
    """
    if p_before == p_after or not (0 <= p_before <= 1 and 0 <= p_after <= 1):
        raise ValueError("The two rates must differ and lie between 0 and 1.")
    mean = (p_before + p_after) / 2
    under_null = _normal_quantile(1 - alpha / 2) * math.sqrt(2 * mean * (1 - mean))
    spread = p_before * (1 - p_before) + p_after * (1 - p_after)
    under_change = _normal_quantile(power) * math.sqrt(spread)
    return max(1, round((under_null + under_change) ** 2 / (p_before - p_after) ** 2))


def hypergeometric_tail(marked: IntArray, drawn: IntArray, all_marked: IntArray, total: IntArray) -> FloatArray:
    """Give P(at least `marked` of `drawn` items) when `all_marked` of `total` are marked: Fisher, one-sided.

    Works on whole arrays. Where `marked` is not above its expectation the answer is 1, which is all that a
    search for elevated rates needs. Source: hypergeometric terms, summed by their ratio until they vanish.
    """
    k, n, big_k, big_n = (np.asarray(x, dtype=np.float64) for x in (marked, drawn, all_marked, total))
    result = np.ones(np.broadcast(k, n, big_k, big_n).shape)
    above = k * big_n > n * big_k
    k, n, big_k, big_n = (np.broadcast_to(x, result.shape)[above] for x in (k, n, big_k, big_n))
    term = np.exp(_log_choose(big_k, k) + _log_choose(big_n - big_k, n - k) - _log_choose(big_n, n))
    tail = term.copy()
    while np.any(term > _NEGLIGIBLE_TERM * tail):
        others = big_n - big_k - n + k + 1
        term = term * (big_k - k).clip(min=0) * (n - k).clip(min=0) / ((k + 1) * others)
        tail += term
        k = k + 1
    result[above] = tail.clip(max=1.0)
    return result


def _two_sided_p(k1: int, n1: int, k2: int, n2: int) -> float:
    pooled = (k1 + k2) / (n1 + n2)
    if pooled in (0.0, 1.0):
        return 1.0
    if min(n1, n2) * min(pooled, 1 - pooled) < 5:
        from scipy.stats import fisher_exact

        return float(fisher_exact([[k1, n1 - k1], [k2, n2 - k2]]).pvalue)
    error = math.sqrt(pooled * (1 - pooled) * (1 / n1 + 1 / n2))
    return 2 * float(special.ndtr(-abs(k1 / n1 - k2 / n2) / error))


def _normal_quantile(probability: float) -> float:
    return float(special.ndtri(probability))


def _log_choose(n: FloatArray, k: FloatArray) -> FloatArray:
    logarithm: FloatArray = special.gammaln(n + 1) - special.gammaln(k + 1) - special.gammaln(n - k + 1)
    return logarithm
