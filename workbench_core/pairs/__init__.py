"""Pairs: the supervised examples of a training sheet, what experts decide about them, and undo."""

from workbench_core.pairs.answers import AnswerVerdict, check_answer
from workbench_core.pairs.decisions import LIFECYCLE, Decision, DecisionResult
from workbench_core.pairs.model import (
    Pair,
    PairCounts,
    PairFilter,
    PairReview,
    ResponseSource,
    ReviewStatus,
    Undone,
)
from workbench_core.pairs.service import Pairs
from workbench_core.ports import Message

__all__ = [
    "LIFECYCLE",
    "AnswerVerdict",
    "Decision",
    "DecisionResult",
    "Message",
    "Pair",
    "PairCounts",
    "PairFilter",
    "PairReview",
    "Pairs",
    "ResponseSource",
    "ReviewStatus",
    "Undone",
    "check_answer",
]
