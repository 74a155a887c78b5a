"""The words of sheets: what a person fills in, what is stored, where it stands, and how a row becomes one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from workbench_core import rows
from workbench_core.lifecycle import Lifecycle
from workbench_core.ports import IdentifierCheck, Join, JoinStats, Row, Selection, Source, Value
from workbench_core.sheets.join_config import MeasuredJoin, join_from, join_json, measured_from, measured_json

MAX_NAME = 200
MAX_DESCRIPTION = 1_000
MOST_NAMES = 5  # names that are shown of each kind of dependant
COLUMNS = (
    "id, name, description, source, source_kind, join_config, join_stats, join_stats_stale, item_id_column, "
    "text_columns, image_columns, metadata_columns, column_order, filter, sample_size, sample_seed, stratify_column, "
    "tags, is_demo, status, item_count, validated_at, row_version, created_by, created_at, updated_by, updated_at"
)
_LISTS = ("text_columns", "image_columns", "metadata_columns", "column_order", "tags")
_JOIN_FIELDS = ("join", "join_stats", "is_join_stale")  # kept in columns of other names or forms


class SheetStatus(StrEnum):
    """Where a sheet stands; only an active one can be generated from."""

    DRAFT = "draft"
    ACTIVE = "active"
    ARCHIVED = "archived"
    DELETED = "deleted"


LIFECYCLE: Lifecycle[SheetStatus] = Lifecycle(
    publish=({SheetStatus.DRAFT}, SheetStatus.ACTIVE),
    unpublish=({SheetStatus.ACTIVE}, SheetStatus.DRAFT),
    archive=({SheetStatus.DRAFT, SheetStatus.ACTIVE}, SheetStatus.ARCHIVED),
    restore=({SheetStatus.ARCHIVED}, SheetStatus.DRAFT),
    delete=({SheetStatus.DRAFT, SheetStatus.ACTIVE, SheetStatus.ARCHIVED}, SheetStatus.DELETED),
    undelete=({SheetStatus.DELETED}, SheetStatus.DRAFT),
)


@dataclass(frozen=True, slots=True)
class SheetDraft:
    """What a person fills in for a sheet: the source, what its columns are for, which rows.

    With a `join` the columns are those of its result, and `source` is its primary table. `column_order` places columns
    with a role; those without a place follow.
    """

    name: str
    source: str
    item_id_column: str
    description: str = ""
    text_columns: tuple[str, ...] = ()
    image_columns: tuple[str, ...] = ()
    metadata_columns: tuple[str, ...] = ()
    filter: str = ""
    sample_size: int | None = None
    sample_seed: int = 42
    stratify_column: str = ""
    join: Join | None = None
    column_order: tuple[str, ...] = ()

    @property
    def relation(self) -> Source:
        """What its rows are read from."""
        return self.source if self.join is None else self.join

    @property
    def columns(self) -> tuple[str, ...]:
        """All columns with a role, each once, in the chosen order; the identifier first of those without a place."""
        roles = (self.item_id_column, *self.text_columns, *self.image_columns, *self.metadata_columns)
        placed = [name for name in self.column_order if name in roles]
        return tuple(dict.fromkeys((*placed, *roles)))

    def selection(
        self, *, extra_filter: str = "", item_refs: Sequence[str] | None = None, excluded_refs: Sequence[str] = ()
    ) -> Selection:
        """The rows, optionally narrowed by another checked filter, to some items, or without some."""
        parts = [f"({part})" for part in (self.filter, extra_filter) if part]
        return Selection(
            source=self.relation,
            item_id_column=self.item_id_column,
            where=" AND ".join(parts),
            sample_size=self.sample_size,
            sample_seed=self.sample_seed,
            stratify_column=self.stratify_column,
            item_refs=None if item_refs is None else tuple(item_refs),
            excluded_refs=tuple(excluded_refs),
        )


@dataclass(frozen=True, slots=True)
class Sheet:
    """A sheet as it is stored. `join_stats` are the numbers of its join when they were last measured."""

    id: str
    name: str
    description: str
    source: str
    source_kind: str
    join: Join | None
    join_stats: MeasuredJoin | None
    is_join_stale: bool
    item_id_column: str
    text_columns: tuple[str, ...]
    image_columns: tuple[str, ...]
    metadata_columns: tuple[str, ...]
    column_order: tuple[str, ...]
    filter: str
    sample_size: int | None
    sample_seed: int
    stratify_column: str
    tags: tuple[str, ...]
    is_demo: bool
    status: SheetStatus
    item_count: int | None
    validated_at: datetime | None
    row_version: int
    created_by: str
    created_at: datetime
    updated_by: str
    updated_at: datetime

    @property
    def draft(self) -> SheetDraft:
        """What a person filled in, without what the store added."""
        return SheetDraft(**{name: getattr(self, name) for name in SheetDraft.__dataclass_fields__})

    @property
    def relation(self) -> Source:
        """What its rows are read from: the table or volume, or the join of several (JN-4)."""
        return self.draft.relation

    @property
    def tables(self) -> tuple[str, ...]:
        """The names of all tables and volumes that it reads, the primary one first."""
        return (self.source,) if self.join is None else self.join.tables

    @property
    def columns(self) -> tuple[str, ...]:
        """All columns with a role, each once, in the chosen order."""
        return self.draft.columns

    def selection(
        self, *, extra_filter: str = "", item_refs: Sequence[str] | None = None, excluded_refs: Sequence[str] = ()
    ) -> Selection:
        """The rows of this sheet, optionally narrowed by another checked filter, to some items, or without some."""
        return self.draft.selection(extra_filter=extra_filter, item_refs=item_refs, excluded_refs=excluded_refs)


@dataclass(frozen=True, slots=True)
class Validation:
    """Whether a sheet can be worked with: a result, never an exception (SH-6).

    Problems stand in the way of work, warnings do not. `join_stats` are the numbers of the join as they are now.
    """

    problems: tuple[str, ...]
    item_count: int
    identifier: IdentifierCheck | None
    warnings: tuple[str, ...] = ()
    join_stats: JoinStats | None = None

    @property
    def is_valid(self) -> bool:
        """True without problems."""
        return not self.problems


@dataclass(frozen=True, slots=True)
class FilterVerdict:
    """What a filter keeps of a source before sampling, or why it cannot be read (SH-11)."""

    accepted: str = ""
    kept: int = 0
    every: int = 0
    problem: str = ""
    hint: str = ""


@dataclass(frozen=True, slots=True)
class Stratum:
    """One class of a sample: its value (None for rows without one), its rows, and how many of them are picked."""

    value: str | None
    rows: int
    sampled: int

    @property
    def title(self) -> str:
        """Its value as people read it: no value and an empty text are two classes."""
        return "(no value)" if self.value is None else self.value or "(empty text)"


@dataclass(frozen=True, slots=True)
class UnreadableSheet:
    """A sheet that is there but cannot be read, and why."""

    id: str
    name: str
    problem: str


@dataclass(frozen=True, slots=True)
class SheetList:
    """One page of the sheets that match; `total` counts them beyond the page, `counts` those of every status."""

    sheets: tuple[Sheet, ...]
    unreadable: tuple[UnreadableSheet, ...]
    total: int
    counts: dict[SheetStatus, int]


@dataclass(frozen=True, slots=True)
class Moved:
    """What came of one step with several sheets: those that took it, and the others with the reason."""

    done: tuple[Sheet, ...]
    refused: tuple[tuple[Sheet, str], ...]


@dataclass(frozen=True, slots=True)
class Dependants:
    """What stands on a sheet (SH-14): how many of each kind, and the names of up to five."""

    counts: dict[str, int] = field(default_factory=dict)
    names: dict[str, tuple[str, ...]] = field(default_factory=dict)

    @property
    def total(self) -> int:
        """All of them."""
        return sum(self.counts.values())

    def words(self) -> str:
        """For a sentence: “2 training sheets, 150 canonical labels”."""
        return ", ".join(
            f"{count:,} {name if count > 1 else name.removesuffix('s')}" for name, count in self.counts.items() if count
        )


def row_of(sheet: Sheet) -> dict[str, Value]:
    """The row that keeps a sheet."""
    values = {name: getattr(sheet, name) for name in Sheet.__dataclass_fields__ if name not in _JOIN_FIELDS}
    return {
        **{name: rows.to_json(value) if name in _LISTS else value for name, value in values.items()},
        "join_config": join_json(sheet.join),
        "join_stats": measured_json(sheet.join_stats),
        "join_stats_stale": sheet.is_join_stale,
    }


def sheet_from(row: Row) -> Sheet:
    """Read a sheet out of a row with `COLUMNS`."""
    return Sheet(
        id=rows.text(row, "id"),
        name=rows.text(row, "name"),
        description=rows.text(row, "description"),
        source=rows.text(row, "source"),
        source_kind=rows.text(row, "source_kind"),
        join=join_from(rows.text(row, "join_config")),
        join_stats=measured_from(rows.text(row, "join_stats")),
        is_join_stale=rows.flag(row, "join_stats_stale"),
        item_id_column=rows.text(row, "item_id_column"),
        text_columns=rows.json_texts(row, "text_columns"),
        image_columns=rows.json_texts(row, "image_columns"),
        metadata_columns=rows.json_texts(row, "metadata_columns"),
        column_order=rows.json_texts(row, "column_order"),
        filter=rows.text(row, "filter"),
        sample_size=rows.whole_or_none(row, "sample_size"),
        sample_seed=rows.whole(row, "sample_seed"),
        stratify_column=rows.text(row, "stratify_column"),
        tags=rows.json_texts(row, "tags"),
        is_demo=rows.flag(row, "is_demo"),
        status=SheetStatus(rows.text(row, "status")),
        item_count=rows.whole_or_none(row, "item_count"),
        validated_at=rows.time_or_none(row, "validated_at"),
        row_version=rows.whole(row, "row_version"),
        created_by=rows.text(row, "created_by"),
        created_at=rows.time(row, "created_at"),
        updated_by=rows.text(row, "updated_by"),
        updated_at=rows.time(row, "updated_at"),
    )
