"""Evaluations: one model version scored on held-out items only, kept per item; and the comparison of two versions."""

from workbench_core.evaluations.datasets import SEEN
from workbench_core.evaluations.model import (
    DatasetChoice,
    DatasetKind,
    Evaluation,
    EvaluationStatus,
    MetricDifference,
    VersionComparison,
)
from workbench_core.evaluations.service import KIND, Evaluations

__all__ = [
    "KIND",
    "SEEN",
    "DatasetChoice",
    "DatasetKind",
    "Evaluation",
    "EvaluationStatus",
    "Evaluations",
    "MetricDifference",
    "VersionComparison",
]
