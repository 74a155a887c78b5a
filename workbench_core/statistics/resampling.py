"""The bootstrap without the big matrix: resample counts of distinct values or of confusion cells."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from workbench_core.statistics.proportions import FloatArray, IntArray, Interval

RESAMPLES = 1000
_DISTINCT_LIMIT = 20_000  # beyond this many distinct values the mean is normal for every practical purpose
_CHUNK = 4_000_000  # numbers held at once


@dataclass(frozen=True, slots=True)
class ClassCounts:
    """What precision and recall need, each of shape (..., classes)."""

    correct: FloatArray
    expected: FloatArray
    predicted: FloatArray

    @property
    def precision(self) -> FloatArray:
        """Give the share of predictions of a class that are right; nan without predictions."""
        return _share(self.correct, self.predicted)

    @property
    def recall(self) -> FloatArray:
        """Give the share of items of a class that were found; nan without items."""
        return _share(self.correct, self.expected)

    @property
    def f1(self) -> FloatArray:
        """Give the harmonic mean of precision and recall; nan where the class occurs nowhere."""
        return _share(2 * self.correct, self.expected + self.predicted)

    def macro(self, per_class: FloatArray) -> FloatArray:
        """Average a per-class value over the classes that occur; an undefined value counts as 0 there."""
        occurs = (self.expected + self.predicted) > 0
        return _share(np.where(occurs, np.nan_to_num(per_class), 0.0).sum(axis=-1), occurs.sum(axis=-1))


def bootstrap_interval(
    values: npt.ArrayLike, *, resamples: int = RESAMPLES, seed: int = 0, confidence: float = 0.95
) -> Interval:
    """Give the percentile interval of the mean of per-item values (nan left out).

    No values give nan to nan. With more than 20,000 distinct values the normal interval of the mean is used,
    to which the bootstrap converges. Source: Efron and Tibshirani (1993), chapter 13.
    """
    numbers = np.asarray(values, dtype=np.float64)
    numbers = numbers[~np.isnan(numbers)]
    if numbers.size == 0:
        return Interval(float("nan"), float("nan"))
    distinct, counts = np.unique(numbers, return_counts=True)
    tail = (1 - confidence) / 2
    if distinct.size > _DISTINCT_LIMIT:
        return _normal_interval(numbers, tail)
    means = _resampled_means(distinct, counts, resamples=resamples, seed=seed)
    low, high = np.quantile(means, [tail, 1 - tail])
    return Interval(float(low), float(high))


def paired_interval(
    differences: npt.ArrayLike, *, resamples: int = RESAMPLES, seed: int = 0, confidence: float = 0.95
) -> Interval:
    """Give the paired bootstrap interval of the mean difference; one difference per item."""
    return bootstrap_interval(differences, resamples=resamples, seed=seed, confidence=confidence)


def confusion_matrix(expected: IntArray, predicted: IntArray, *, classes: int) -> IntArray:
    """Count items by (expected, predicted) class code 0..classes-1; shape (classes, classes)."""
    cells = np.bincount(expected * classes + predicted, minlength=classes * classes)
    return cells.reshape(classes, classes).astype(np.int64)


def class_counts(confusion: IntArray) -> ClassCounts:
    """Sum a confusion matrix per class."""
    table = confusion.astype(np.float64)
    return ClassCounts(np.diagonal(table).copy(), table.sum(axis=1), table.sum(axis=0))


def resampled_class_counts(confusion: IntArray, *, resamples: int = RESAMPLES, seed: int = 0) -> ClassCounts:
    """Resample the items behind a confusion matrix; each array has shape (resamples, classes).

    Drawing n items with replacement is drawing the occupied cells from a multinomial: same law, less work.
    """
    rows, columns = np.nonzero(confusion)
    counts = confusion[rows, columns]
    draws = np.random.default_rng(seed).multinomial(counts.sum(), counts / counts.sum(), size=resamples)
    codes = np.arange(confusion.shape[0])
    by_row = (rows[:, None] == codes).astype(np.float64)
    by_column = (columns[:, None] == codes).astype(np.float64)
    return ClassCounts(draws @ (by_row * by_column), draws @ by_row, draws @ by_column)


def bootstrap_metric(
    metric: Callable[[ClassCounts], FloatArray],
    confusion: IntArray,
    *,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> Interval:
    """Give the 95 % percentile interval of any metric of the confusion matrix, such as macro F1."""
    values = metric(resampled_class_counts(confusion, resamples=resamples, seed=seed))
    low, high = np.nanquantile(values, [0.025, 0.975])
    return Interval(float(low), float(high))


def _resampled_means(distinct: FloatArray, counts: IntArray, *, resamples: int, seed: int) -> FloatArray:
    generator = np.random.default_rng(seed)
    n = int(counts.sum())
    step = max(1, _CHUNK // distinct.size)
    means = [
        generator.multinomial(n, counts / n, size=min(step, resamples - start)) @ distinct / n
        for start in range(0, resamples, step)
    ]
    return np.concatenate(means)


def _normal_interval(values: FloatArray, tail: float) -> Interval:
    from scipy.special import ndtri

    reach = -float(ndtri(tail)) * float(values.std(ddof=1)) / float(np.sqrt(values.size))
    return Interval(float(values.mean()) - reach, float(values.mean()) + reach)


def _share(part: npt.ArrayLike, whole: npt.ArrayLike) -> FloatArray:
    numerator, denominator = np.asarray(part, dtype=np.float64), np.asarray(whole, dtype=np.float64)
    result = np.full(np.broadcast(numerator, denominator).shape, np.nan)
    np.divide(numerator, denominator, out=result, where=denominator > 0)
    return result
