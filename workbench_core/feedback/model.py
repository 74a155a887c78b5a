"""The words of feedback: ratings, reasons, what becomes of it, and how it is counted."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING

from workbench_core import rows
from workbench_core.errors import Invalid
from workbench_core.lifecycle import Lifecycle
from workbench_core.ports import Row, Value

if TYPE_CHECKING:
    import pandas as pd


class Rating(StrEnum):
    """Thumb up or thumb down."""

    POSITIVE = "positive"
    NEGATIVE = "negative"


class FeedbackReason(StrEnum):
    """What is wrong with an answer."""

    WRONG = "wrong"
    INCOMPLETE = "incomplete"
    UNSAFE = "unsafe"
    FORMAT = "format"
    OUTDATED = "outdated"
    SLOW = "slow"
    OTHER = "other"


class FeedbackStatus(StrEnum):
    """What became of it: every feedback has a fate."""

    NEW = "new"
    TRIAGED = "triaged"
    CONVERTED = "converted"
    DISMISSED = "dismissed"


LIFECYCLE: Lifecycle[FeedbackStatus] = Lifecycle(
    triage=({FeedbackStatus.NEW}, FeedbackStatus.TRIAGED),
    dismiss=({FeedbackStatus.NEW, FeedbackStatus.TRIAGED}, FeedbackStatus.DISMISSED),
    reopen=({FeedbackStatus.DISMISSED, FeedbackStatus.TRIAGED}, FeedbackStatus.NEW),
    convert=({FeedbackStatus.NEW, FeedbackStatus.TRIAGED}, FeedbackStatus.CONVERTED),
)


@dataclass(frozen=True, slots=True)
class FeedbackItem:
    """What one person said about one answer. `input` is the record as it was sent, `item_ref` empty when unknown."""

    id: str
    endpoint_id: str
    endpoint: str
    model_name: str
    version: int
    request_id: str
    record_number: int
    sheet_id: str
    item_ref: str
    input: dict[str, str]
    output: str
    rating: Rating
    correction: str
    reason: str
    comment: str
    status: FeedbackStatus
    created_by: str
    created_at: datetime

    @property
    def input_text(self) -> str:
        """The values of the record, one a line."""
        return "\n".join(self.input.values())


@dataclass(frozen=True, slots=True)
class FeedbackStats:
    """Feedback of a period. Shares are between 0 and 1, and None without any rating."""

    total: int
    positive: int
    negative: int
    with_comment: int
    with_correction: int
    positive_before: float | None  # the share in the equal period before
    by_reason: dict[str, int]
    daily: pd.DataFrame  # day, positive, negative: one row for every day of the period
    by_version: pd.DataFrame  # version, positive, negative

    @property
    def positive_share(self) -> float | None:
        """Positive ratings among all."""
        return self.positive / self.total if self.total else None

    @property
    def change(self) -> float | None:
        """How the positive share changed against the period before, in points between -1 and 1."""
        if self.positive_share is None or self.positive_before is None:
            return None
        return self.positive_share - self.positive_before


def measure(now_frame: pd.DataFrame, before: pd.DataFrame, start: datetime, end: datetime) -> FeedbackStats:
    """Count the ratings of a period and compare them with those before."""
    import pandas as pd

    positive = now_frame["rating"] == Rating.POSITIVE
    counted = now_frame.assign(positive=positive, negative=~positive)
    days = pd.date_range(start.date(), end.date(), freq="D", tz="UTC", name="day")
    daily = counted.groupby(counted["created_at"].dt.floor("D"))[["positive", "negative"]].sum().reindex(days)
    reasons = now_frame.loc[now_frame["reason"] != "", "reason"].value_counts()
    return FeedbackStats(
        total=len(now_frame),
        positive=int(positive.sum()),
        negative=int((~positive).sum()),
        with_comment=int((now_frame["comment"] != "").sum()),
        with_correction=int((now_frame["correction"] != "").sum()),
        positive_before=float((before["rating"] == Rating.POSITIVE).mean()) if len(before) else None,
        by_reason={str(name): int(count) for name, count in reasons.items()},
        daily=daily.fillna(0).astype(int).reset_index(),
        by_version=counted.groupby("version")[["positive", "negative"]].sum().astype(int).reset_index(),
    )


def read_rating(value: str) -> Rating:
    """A rating out of its word. Raises Invalid."""
    try:
        return Rating(value)
    except ValueError:
        raise Invalid(f"“{value}” is no rating.", hint=f"Ratings: {', '.join(Rating)}.") from None


def read_reason(value: str) -> str:
    """A known reason, or none. Raises Invalid."""
    if value and value not in set(FeedbackReason):
        raise Invalid(f"“{value}” is no reason.", hint=f"Reasons: {', '.join(FeedbackReason)}.")
    return value


def texts(record: Mapping[str, object]) -> dict[str, str]:
    """A record with all values as text."""
    return {name: "" if value is None else str(value) for name, value in record.items()}


def feedback_row(new: FeedbackItem) -> dict[str, Value]:
    """Feedback as its table keeps it."""
    values = {name: getattr(new, name) for name in FeedbackItem.__dataclass_fields__ if name != "endpoint"}
    return values | {"input": rows.to_json(new.input)}


def feedback_item(row: Row) -> FeedbackItem:
    """Feedback out of its row."""
    return FeedbackItem(
        id=rows.text(row, "id"),
        endpoint_id=rows.text(row, "endpoint_id"),
        endpoint=rows.text(row, "endpoint"),
        model_name=rows.text(row, "model_name"),
        version=rows.whole(row, "version"),
        request_id=rows.text(row, "request_id"),
        record_number=rows.whole(row, "record_number"),
        sheet_id=rows.text(row, "sheet_id"),
        item_ref=rows.text(row, "item_ref"),
        input={name: str(value) for name, value in rows.json_object(row, "input").items()},
        output=rows.text(row, "output"),
        rating=Rating(rows.text(row, "rating")),
        correction=rows.text(row, "correction"),
        reason=rows.text(row, "reason"),
        comment=rows.text(row, "comment"),
        status=FeedbackStatus(rows.text(row, "status")),
        created_by=rows.text(row, "created_by"),
        created_at=rows.time(row, "created_at"),
    )
