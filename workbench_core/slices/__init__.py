"""Weak slices: describable groups of items that fail more often than the rest, found without a language model."""

from workbench_core.slices.predicates import Condition, Operator, Predicate, matches, select
from workbench_core.slices.priority import GapSeverity, gap_priority, gap_severity
from workbench_core.slices.search import Slice, find_slices
from workbench_core.slices.text import CLUSTER_COLUMN, TextClusters, fit_text_clusters

__all__ = [
    "CLUSTER_COLUMN",
    "Condition",
    "GapSeverity",
    "Operator",
    "Predicate",
    "Slice",
    "TextClusters",
    "find_slices",
    "fit_text_clusters",
    "gap_priority",
    "gap_severity",
    "matches",
    "select",
]
