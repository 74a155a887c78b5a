"""What rows are read from: one table or volume, or a join of several."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import TypeAlias

from workbench_core.errors import Invalid

MAX_SOURCES = 5
ALIAS = re.compile(r"[A-Za-z0-9]+(_[A-Za-z0-9]+)*")  # no __, which separates it from a column in the result
MAX_ALIAS = 60


class JoinKind(StrEnum):
    """Which rows a join keeps: matched ones, all of the primary source, or all of every source."""

    INNER = "inner"
    LEFT = "left"
    FULL = "full"


class SourceRole(StrEnum):
    """What a source brings to a join. Exactly one is primary: its rows are the items."""

    PRIMARY = "primary"
    SECONDARY = "secondary"
    IMAGES = "images"
    LABELS = "labels"


class Matches(StrEnum):
    """What happens when several rows of a source match one row: keep all, one of them, or their values as lists."""

    ALL = "all"
    FIRST = "first"
    LATEST = "latest"
    LIST = "list"


@dataclass(frozen=True, slots=True)
class JoinSource:
    """One table or volume of a join.

    `alias` is unique in the join and made of letters, digits and single _. `columns` None means all. `order_column`
    decides which match is first (smallest value) or latest (largest); `first` without one takes the first by all its
    columns, so that the choice never depends on the layout of the data.
    """

    table: str
    alias: str
    role: SourceRole = SourceRole.SECONDARY
    columns: tuple[str, ...] | None = None
    matches: Matches = Matches.ALL
    order_column: str = ""


@dataclass(frozen=True, slots=True)
class ColumnRef:
    """A column of one source of a join."""

    alias: str
    column: str

    @property
    def name(self) -> str:
        """Its name in the result of the join."""
        return f"{self.alias}__{self.column}"


@dataclass(frozen=True, slots=True)
class JoinKey:
    """Two columns that must be equal; several keys between the same sources must all be equal. NULL equals nothing."""

    left: ColumnRef
    right: ColumnRef


@dataclass(frozen=True, slots=True)
class TimeWindow:
    """Two times that may differ by at most so many minutes, the limit included; a missing time matches nothing."""

    left: ColumnRef
    right: ColumnRef
    minutes: float = 5.0


@dataclass(frozen=True, slots=True)
class Join:
    """Two to five sources, exactly one of them primary; the result's columns are named `alias__column` (spec 2.2).

    Every other source is reached from the primary one through keys.
    """

    sources: tuple[JoinSource, ...]
    keys: tuple[JoinKey, ...]
    kind: JoinKind = JoinKind.INNER
    window: TimeWindow | None = None

    @property
    def primary(self) -> JoinSource:
        """The source whose rows are the items. Raises Invalid unless there is exactly one."""
        primaries = [source for source in self.sources if source.role is SourceRole.PRIMARY]
        if len(primaries) != 1:
            names = ", ".join(source.alias for source in primaries)
            said = f"has {len(primaries)} ({names})" if primaries else "has none"
            raise Invalid(
                f"A join needs exactly one primary source; this one {said}.",
                hint="Make the source whose rows are the items the primary one.",
            )
        return primaries[0]

    @property
    def tables(self) -> tuple[str, ...]:
        """The names of all tables and volumes, the primary one first."""
        return tuple(dict.fromkeys((self.primary.table, *(source.table for source in self.sources))))


Source: TypeAlias = "str | Join"


@dataclass(frozen=True, slots=True)
class JoinStats:
    """How well a join matches, counted on distinct primary identifiers, so that no share exceeds 100 % (JN-2).

    `joined_rows` are the rows of the result, `matched_joined_rows` those of them that belong to a matched item, and
    `repeated_rows` those whose identifier another row of the result has too, the first row of each not counted.
    """

    primary_rows: int
    matched_rows: int
    joined_rows: int
    matched_joined_rows: int
    repeated_rows: int = 0

    @property
    def unmatched_rows(self) -> int:
        """Items that found nothing in at least one other source."""
        return self.primary_rows - self.matched_rows

    @property
    def share(self) -> float:
        """Matched items among all, 0 to 1."""
        return self.matched_rows / self.primary_rows if self.primary_rows else 0.0

    @property
    def fan_out(self) -> float:
        """Result rows per matched item, 0 without any."""
        return self.matched_joined_rows / self.matched_rows if self.matched_rows else 0.0


@dataclass(frozen=True, slots=True)
class KeyComparison:
    """How the values of two columns meet, on distinct values that are not null (JN-1).

    `overlap` is intersection over union of a sample of both sides; `containment` is the share of the sampled left
    values that the right side holds anywhere.
    """

    overlap: float
    containment: float
    left_values: int
    right_values: int
    left_is_unique: bool
    right_is_unique: bool

    @property
    def cardinality(self) -> str:
        """one-to-one, one-to-many, many-to-one or many-to-many."""
        return f"{'one' if self.left_is_unique else 'many'}-to-{'one' if self.right_is_unique else 'many'}"
