"""Metrics of a whole evaluation, each with its interval, its count and its better direction."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
import numpy.typing as npt

from workbench_core.errors import Invalid
from workbench_core.metrics.answers import AnswerKind
from workbench_core.metrics.scores import FIELD_PREFIX, FloatArray, IntArray, ItemScores
from workbench_core.statistics import (
    ClassCounts,
    Interval,
    bootstrap_interval,
    class_counts,
    confusion_matrix,
    resampled_class_counts,
    wilson,
)

_LOWER_WORDS = frozenset(
    {
        "loss",
        "latency",
        "duration",
        "ms",
        "tokens",
        "cost",
        "error",
        "errors",
        "refusal",
        "refusals",
        "invalid",
        "vocabulary",
        "perplexity",
        "mae",
        "mse",
        "rmse",
    }
)
_NEUTRAL = frozenset(("support", "length_ratio", "majority_baseline"))
_PSEUDO_CLASSES = 2
_PERCENTILES = (50, 95)


class Direction(StrEnum):
    """Which way a metric gets better."""

    HIGHER = "higher"
    LOWER = "lower"
    NEUTRAL = "neutral"


@dataclass(frozen=True, slots=True)
class MetricValue:
    """One metric with its 95 % interval over n items; `part` names the class or field it is about, if any."""

    name: str
    value: float
    low: float
    high: float
    n: int
    direction: Direction
    part: str = ""


@dataclass(frozen=True, slots=True)
class Confusion:
    """Items by expected class (rows) and answered class (columns), "(other)" and "(no answer)" last."""

    classes: tuple[str, ...]
    counts: IntArray


def direction(metric_name: str) -> Direction:
    """Say which way a metric gets better, by its name; throughput is the one count of tokens to be high."""
    name = metric_name.lower()
    if name in _NEUTRAL:
        return Direction.NEUTRAL
    if "per_second" in name:
        return Direction.HIGHER
    return Direction.LOWER if _LOWER_WORDS & set(name.replace(" ", "_").split("_")) else Direction.HIGHER


def summarise(scores: ItemScores, *, seed: int = 0) -> list[MetricValue]:
    """Turn item scores into metrics; shares have Wilson intervals, means and macro averages bootstrap ones.

    Raises Invalid when there is no item.
    """
    if scores.n == 0:
        raise Invalid("There is no item to measure.", "Choose a dataset with at least one item.")
    match scores.kind:
        case AnswerKind.LABEL:
            return [*_label_metrics(scores, seed), _share("error_rate", scores.columns["error"])]
        case AnswerKind.STRUCTURED:
            return [*_structured_metrics(scores, seed), _share("error_rate", scores.columns["error"])]
        case AnswerKind.TEXT:
            return [*_text_metrics(scores, seed), _share("error_rate", scores.columns["error"])]


def confusion(scores: ItemScores) -> Confusion:
    """Count label answers by expected and answered class. Raises ValueError for other kinds of answers."""
    if scores.kind is not AnswerKind.LABEL:
        raise ValueError("Only label answers have a confusion matrix.")
    size = len(scores.classes)
    return Confusion(scores.classes, confusion_matrix(scores.expected_codes, scores.actual_codes, classes=size))


def summarise_usage(usage: Mapping[str, npt.ArrayLike], *, seed: int = 0) -> list[MetricValue]:
    """Summarise what answers took: p50 and p95 of every latency, the mean of anything else (tokens, cost).

    nan is left out; a column without numbers gives no metric.
    """
    metrics: list[MetricValue] = []
    for name, column in usage.items():
        values = np.asarray(column, dtype=np.float64)
        values = np.sort(values[~np.isnan(values)])
        if values.size and "latency" in name:
            metrics.extend(_percentile(name, values, percent) for percent in _PERCENTILES)
        elif values.size:
            metrics.append(_mean(f"mean_{name}", values, seed))
    return metrics


def _label_metrics(scores: ItemScores, seed: int) -> list[MetricValue]:
    table = confusion(scores).counts
    real = len(scores.classes) - _PSEUDO_CLASSES
    measured = _without_pseudo(class_counts(table), real)
    resampled = _without_pseudo(resampled_class_counts(table, seed=seed), real)
    majority = int(measured.expected.max())
    return [
        _share("accuracy", scores.columns["correct"]),
        *_macro_metrics(measured, resampled, scores.n),
        _proportion("majority_baseline", majority, scores.n),
        _share("out_of_vocabulary_rate", scores.columns["out_of_vocabulary"]),
        *_class_metrics(measured, resampled, scores.classes),
    ]


def _macro_metrics(measured: ClassCounts, resampled: ClassCounts, n: int) -> list[MetricValue]:
    metrics = []
    for name in ("precision", "recall", "f1"):
        value = float(measured.macro(getattr(measured, name)))
        low, high = np.quantile(resampled.macro(getattr(resampled, name)), [0.025, 0.975])
        metrics.append(_metric(f"macro_{name}", value, Interval(float(low), float(high)), n))
    return metrics


def _class_metrics(measured: ClassCounts, resampled: ClassCounts, classes: tuple[str, ...]) -> list[MetricValue]:
    metrics: list[MetricValue] = []
    f1 = measured.f1
    for code in np.flatnonzero(measured.expected + measured.predicted):
        name, correct = classes[code], int(measured.correct[code])
        expected, predicted = int(measured.expected[code]), int(measured.predicted[code])
        if predicted:
            metrics.append(_proportion("precision", correct, predicted, part=name))
        if expected:
            metrics.append(_proportion("recall", correct, expected, part=name))
        low, high = np.nanquantile(resampled.f1[:, code], [0.025, 0.975])
        interval = Interval(float(low), float(high))
        metrics.append(_metric("f1", float(f1[code]), interval, expected, part=name))
        metrics.append(_metric("support", expected, Interval(expected, expected), expected, part=name))
    return metrics


def _structured_metrics(scores: ItemScores, seed: int) -> list[MetricValue]:
    fields = [name for name in scores.columns if name.startswith(FIELD_PREFIX)]
    return [
        _share("exact_match", scores.columns["correct"]),
        _share("valid_json_rate", scores.columns["valid_json"]),
        _share("schema_valid_rate", scores.columns["schema_valid"]),
        _mean("field_f1", scores.columns["field_f1"], seed),
        *(_share("field_accuracy", scores.columns[name], part=name.removeprefix(FIELD_PREFIX)) for name in fields),
    ]


def _text_metrics(scores: ItemScores, seed: int) -> list[MetricValue]:
    means = [_mean(name, scores.columns[name], seed) for name in ("token_f1", "rouge_l", "length_ratio")]
    return [_share("exact_match", scores.columns["correct"]), *means]


def _without_pseudo(counts: ClassCounts, real: int) -> ClassCounts:
    return ClassCounts(counts.correct[..., :real], counts.expected[..., :real], counts.predicted[..., :real])


def _share(name: str, column: FloatArray, *, part: str = "") -> MetricValue:
    known = column[~np.isnan(column)]
    return _proportion(name, int(known.sum()), known.size, part=part)


def _proportion(name: str, successes: int, n: int, *, part: str = "") -> MetricValue:
    return _metric(name, successes / n if n else math.nan, wilson(successes, n), n, part=part)


def _mean(name: str, column: FloatArray, seed: int) -> MetricValue:
    known = column[~np.isnan(column)]
    value = float(known.mean()) if known.size else math.nan
    return _metric(name, value, bootstrap_interval(known, seed=seed), known.size)


def _percentile(name: str, ordered: FloatArray, percent: int) -> MetricValue:
    """Interval from order statistics; source: Conover (1999), confidence interval for a quantile."""
    share, n = percent / 100, ordered.size
    reach = 1.96 * math.sqrt(n * share * (1 - share))
    low = max(0, math.floor(n * share - reach))
    high = min(n - 1, math.ceil(n * share + reach))
    value = float(np.quantile(ordered, share))
    return _metric(f"{name}_p{percent}", value, Interval(float(ordered[low]), float(ordered[high])), n)


def _metric(name: str, value: float, interval: Interval, n: int, *, part: str = "") -> MetricValue:
    return MetricValue(name, value, interval.low, interval.high, n, direction(name), part)
