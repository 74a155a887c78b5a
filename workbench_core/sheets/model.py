"""The words of sheets: what a person fills in, what is stored, where it stands, and how a row becomes one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from workbench_core import rows
from workbench_core.lifecycle import Lifecycle
from workbench_core.ports import IdentifierCheck, Row, Selection, Value

MAX_NAME = 200
MAX_DESCRIPTION = 1_000
COLUMNS = (
    "id, name, description, source, source_kind, item_id_column, text_columns, image_columns, metadata_columns, "
    "filter, sample_size, sample_seed, stratify_column, tags, is_demo, status, item_count, validated_at, "
    "row_version, created_by, created_at, updated_by, updated_at"
)
_LISTS = ("text_columns", "image_columns", "metadata_columns", "tags")


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
    """What a person fills in for a sheet: the source, what its columns are for, which rows."""

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


@dataclass(frozen=True, slots=True)
class Sheet:
    """A sheet as it is stored."""

    id: str
    name: str
    description: str
    source: str
    source_kind: str
    item_id_column: str
    text_columns: tuple[str, ...]
    image_columns: tuple[str, ...]
    metadata_columns: tuple[str, ...]
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
    def columns(self) -> tuple[str, ...]:
        """All columns with a role, the identifier first, each once."""
        wanted = (self.item_id_column, *self.text_columns, *self.image_columns, *self.metadata_columns)
        return tuple(dict.fromkeys(wanted))

    @property
    def draft(self) -> SheetDraft:
        """What a person filled in, without what the store added."""
        return SheetDraft(**{name: getattr(self, name) for name in SheetDraft.__dataclass_fields__})

    def selection(self, *, extra_filter: str = "", item_refs: Sequence[str] | None = None) -> Selection:
        """The rows of this sheet, optionally narrowed by another checked filter or to some items."""
        parts = [f"({part})" for part in (self.filter, extra_filter) if part]
        return Selection(
            source=self.source,
            item_id_column=self.item_id_column,
            where=" AND ".join(parts),
            sample_size=self.sample_size,
            sample_seed=self.sample_seed,
            stratify_column=self.stratify_column,
            item_refs=None if item_refs is None else tuple(item_refs),
        )


@dataclass(frozen=True, slots=True)
class Validation:
    """Whether a sheet can be worked with: a result, never an exception (SH-6)."""

    problems: tuple[str, ...]
    item_count: int
    identifier: IdentifierCheck | None

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
class Dependants:
    """How many things stand on a sheet (SH-14)."""

    counts: dict[str, int] = field(default_factory=dict)

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
    values = {name: getattr(sheet, name) for name in Sheet.__dataclass_fields__}
    return {name: rows.to_json(value) if name in _LISTS else value for name, value in values.items()}


def sheet_from(row: Row) -> Sheet:
    """Read a sheet out of a row with `COLUMNS`."""
    return Sheet(
        id=rows.text(row, "id"),
        name=rows.text(row, "name"),
        description=rows.text(row, "description"),
        source=rows.text(row, "source"),
        source_kind=rows.text(row, "source_kind"),
        item_id_column=rows.text(row, "item_id_column"),
        text_columns=rows.json_texts(row, "text_columns"),
        image_columns=rows.json_texts(row, "image_columns"),
        metadata_columns=rows.json_texts(row, "metadata_columns"),
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
