"""Canonical labels: the answer of one item for one label type, given once and reused everywhere."""

from workbench_core.canonical_labels.answers import LabelAnswer, LabelAnswers
from workbench_core.canonical_labels.model import (
    MAX_ANSWER,
    CanonicalLabel,
    Coverage,
    LabelEntry,
    LabelFilter,
    LabelingMode,
    LabelStats,
    LabelUse,
    LabelVersion,
    RecordResult,
    checked_answer,
    checked_rules,
    chunks,
    same_answer,
)
from workbench_core.canonical_labels.service import CanonicalLabels

__all__ = [
    "MAX_ANSWER",
    "CanonicalLabel",
    "CanonicalLabels",
    "Coverage",
    "LabelAnswer",
    "LabelAnswers",
    "LabelEntry",
    "LabelFilter",
    "LabelStats",
    "LabelUse",
    "LabelVersion",
    "LabelingMode",
    "RecordResult",
    "checked_answer",
    "checked_rules",
    "chunks",
    "same_answer",
]
