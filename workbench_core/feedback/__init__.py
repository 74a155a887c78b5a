"""Feedback: what people say about single answers of an endpoint, tied to the request, the version and the item."""

from workbench_core.feedback.model import (
    LIFECYCLE,
    FeedbackItem,
    FeedbackReason,
    FeedbackStats,
    FeedbackStatus,
    Rating,
)
from workbench_core.feedback.service import Feedback

__all__ = [
    "LIFECYCLE",
    "Feedback",
    "FeedbackItem",
    "FeedbackReason",
    "FeedbackStats",
    "FeedbackStatus",
    "Rating",
]
