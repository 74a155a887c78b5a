"""The lake: what they decide about."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, slots=True)
class Column:
    """One column of a lake table. `kind` is one of string, number, boolean, time, nested, binary."""

    name: str
    data_type: str
    kind: str
    comment: str = ""


@dataclass(frozen=True, slots=True)
class TableEntry:
    """A table or volume as the lake lists it. `name` is three-part: catalog.schema.table."""

    name: str
    kind: str  # "table" or "volume"
    comment: str = ""
    tags: tuple[str, ...] = ()
    licence: str = ""
    source: str = ""
    is_demo: bool = False


@dataclass(frozen=True, slots=True)
class FileEntry:
    """One file of a volume; `path` is relative to the volume root."""

    path: str
    size_bytes: int
    modified_at: datetime


@dataclass(frozen=True, slots=True)
class Selection:
    """Which rows of a source, in which order: all that the lake needs to build one query.

    `source` is a three-part table or volume name. `where` is a boolean SQL expression that `check_filter` accepted.
    `sample_size` rows are picked by a seeded hash of `item_id_column`, evenly per value of `stratify_column` when
    that is given. `item_refs` restricts to these identifiers. Rows come in the order of the identifier.
    """

    source: str
    item_id_column: str
    where: str = ""
    sample_size: int | None = None
    sample_seed: int = 42
    stratify_column: str = ""
    item_refs: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class IdentifierCheck:
    """Whether a column can identify items: it must hold no null and no duplicate (INV-3)."""

    column: str
    rows: int
    nulls: int
    duplicates: int

    @property
    def is_valid(self) -> bool:
        """True when every row has its own value."""
        return self.rows > 0 and self.nulls == 0 and self.duplicates == 0


class Lake(Protocol):
    """The columnar engine over source tables and volumes."""

    def tables(self) -> list[TableEntry]:
        """List tables and volumes of all catalogs, by name."""
        ...

    def entry(self, source: str) -> TableEntry:
        """One table or volume. Raises NotFound."""
        ...

    def columns(self, source: str) -> list[Column]:
        """Columns of a table; of a volume: path, name, size_bytes, modified_at. Raises NotFound."""
        ...

    def check_filter(self, source: str, expression: str) -> str:
        """Parse a filter into one boolean expression over known columns. Raises Invalid with the parser's message."""
        ...

    def check_identifier(self, source: str, column: str) -> IdentifierCheck:
        """Count rows, nulls and duplicated values of a column over the whole source."""
        ...

    def count(self, selection: Selection) -> int:
        """How many rows the selection has."""
        ...

    def page(
        self, selection: Selection, *, columns: Sequence[str] = (), limit: int = 50, offset: int = 0
    ) -> pd.DataFrame:
        """One page of rows; no columns means all."""
        ...

    def batches(
        self, selection: Selection, *, columns: Sequence[str] = (), size: int = 1000, after: str = ""
    ) -> Iterator[pd.DataFrame]:
        """Stream the rows in identifier order, `size` at a time, beginning behind item `after`."""
        ...

    def distinct(self, source: str, column: str, *, limit: int = 50) -> list[tuple[str, int]]:
        """The most frequent values of a column with their counts."""
        ...

    def put_table(self, name: str, file: Path, *, original_name: str, entry: TableEntry | None = None) -> TableEntry:
        """Make a CSV or Parquet file a table. Raises Invalid naming line and reason; nothing is left behind then."""
        ...

    def put_files(self, name: str, files: Mapping[str, bytes], *, entry: TableEntry | None = None) -> TableEntry:
        """Write files into a volume, creating it when missing. Raises Invalid for a path that leaves the volume."""
        ...

    def drop(self, name: str) -> None:
        """Remove a table or volume. Raises NotFound."""
        ...

    def files(self, volume: str) -> list[FileEntry]:
        """List the files of a volume by path."""
        ...

    def read_file(self, volume: str, path: str, *, limit_bytes: int = 20_000_000) -> bytes:
        """Read one file. Raises Invalid for a path outside the volume, NotFound when missing."""
        ...
