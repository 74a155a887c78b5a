"""What the fix queue shows: items, their problems and decisions, and how rows become them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from workbench_core import rows
from workbench_core.data_quality.results import ItemKind
from workbench_core.data_quality.rules import Criticality
from workbench_core.ports import Row


class ItemState(StrEnum):
    """What was decided about an item."""

    OPEN = "open"
    SET_ASIDE = "set_aside"
    ACCEPTED = "accepted"


class Decision(StrEnum):
    """What a person can do with an item: set aside and accept need it open, reopen takes either back."""

    SET_ASIDE = "set_aside"
    ACCEPT = "accept"
    REOPEN = "reopen"


@dataclass(frozen=True, slots=True)
class QueueFilter:
    """What the queue lists: items of one kind in one state, all without a filter.

    `rule` is the name of a check, `search` is looked for in identifiers and values. With a `severity`, failing items
    are those that fail an error, or those that fail warnings alone: no item is both.
    """

    kind: ItemKind = ItemKind.FAILING
    state: ItemState = ItemState.OPEN
    rule: str = ""
    search: str = ""
    severity: Criticality | None = None


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong with an item: a failed check, its group of duplicates, a value far out."""

    kind: ItemKind
    name: str
    meaning: str
    criticality: Criticality | None
    columns: str
    value: str
    group: int | None
    score: float | None


@dataclass(frozen=True, slots=True)
class QueueItem:
    """An item of the queue. `problems` counts all of this kind, `shown` are the first of them."""

    item_ref: str
    problems: int
    shown: tuple[Problem, ...]
    group: int | None
    score: float | None
    state: ItemState
    reason: str
    decided_by: str
    decided_at: datetime | None


@dataclass(frozen=True, slots=True)
class QueuePage:
    """A page of the queue and how many items it has in all; `run_id` is empty when no run found anything to list.

    `note` says when the run found more than it keeps, so that the list is not complete.
    """

    items: tuple[QueueItem, ...]
    total: int
    run_id: str
    note: str = ""


@dataclass(frozen=True, slots=True)
class PastDecision:
    """One decision about an item, as it was made."""

    decision: Decision
    reason: str
    decided_by: str
    decided_at: datetime


@dataclass(frozen=True, slots=True)
class ItemDetails:
    """One item: its row (None when the source has it no more), everything wrong with it, and all decisions."""

    item_ref: str
    values: Mapping[str, object] | None
    problems: tuple[Problem, ...]
    state: ItemState
    reason: str
    decisions: tuple[PastDecision, ...]
    group_members: Mapping[ItemKind, tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class DecisionResult:
    """How many items were decided, for each refused one the reason, and what a person must know beside."""

    done: int
    refused: Mapping[str, str]
    note: str = ""


def problem_from(row: Row) -> Problem:
    """Read a problem out of a row of a failure with its outcome."""
    criticality = rows.text(row, "criticality")
    return Problem(
        kind=ItemKind(rows.text(row, "kind")),
        name=rows.text(row, "name"),
        meaning=rows.text(row, "meaning"),
        criticality=Criticality(criticality) if criticality else None,
        columns=rows.text(row, "column_name"),
        value=rows.text(row, "value"),
        group=rows.whole_or_none(row, "group_number"),
        score=rows.number_or_none(row, "score"),
    )


def queue_item_from(row: Row, shown: tuple[Problem, ...]) -> QueueItem:
    """Read an item of the queue; without a count of its problems those that are shown count."""
    return QueueItem(
        item_ref=rows.text(row, "item_ref"),
        problems=len(shown) if row["problems"] is None else rows.whole(row, "problems"),
        shown=shown,
        group=rows.whole_or_none(row, "group_number"),
        score=rows.number_or_none(row, "score"),
        state=ItemState(rows.text(row, "state") or "open"),
        reason=rows.text(row, "reason"),
        decided_by=rows.text(row, "decided_by"),
        decided_at=rows.time_or_none(row, "decided_at"),
    )
