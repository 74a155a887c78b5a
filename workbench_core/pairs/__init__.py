"""Pairs: the supervised examples of a training sheet, what experts decide about them, and undo."""

from workbench_core.pairs.answers import AnswerVerdict, check_answer
from workbench_core.pairs.bulk import BULK_ACTIONS, LARGE, BulkAction, BulkOutcome, BulkPreview, Selection
from workbench_core.pairs.comments import Comment
from workbench_core.pairs.decisions import LIFECYCLE, Decision, DecisionResult
from workbench_core.pairs.drafts import Draft
from workbench_core.pairs.filters import PENDING, PairFilter
from workbench_core.pairs.model import (
    Pair,
    PairChange,
    PairCounts,
    PairReview,
    QualityFlag,
    ResponseSource,
    ReviewStatus,
    Steps,
    Undone,
)
from workbench_core.pairs.pages import Facets, PairLine, PairPage
from workbench_core.pairs.service import Pairs
from workbench_core.pairs.statistics import AnswerLengths, ReviewerStatistics, ReviewStatistics
from workbench_core.ports import Message

__all__ = [
    "BULK_ACTIONS",
    "LARGE",
    "LIFECYCLE",
    "PENDING",
    "AnswerLengths",
    "AnswerVerdict",
    "BulkAction",
    "BulkOutcome",
    "BulkPreview",
    "Comment",
    "Decision",
    "DecisionResult",
    "Draft",
    "Facets",
    "Message",
    "Pair",
    "PairChange",
    "PairCounts",
    "PairFilter",
    "PairLine",
    "PairPage",
    "PairReview",
    "Pairs",
    "QualityFlag",
    "ResponseSource",
    "ReviewStatistics",
    "ReviewStatus",
    "ReviewerStatistics",
    "Selection",
    "Steps",
    "Undone",
    "check_answer",
]
