"""The lake: what they decide about."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Literal, Protocol

from workbench_core.ports.intake import FileInspection, IntakePlan
from workbench_core.ports.quality import CheckReport, ColumnProfile, RowCheck, Watch
from workbench_core.ports.relations import Join, JoinStats, KeyComparison, Source
from workbench_core.ports.table_changes import ChangedTable, TableChange

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, slots=True)
class Column:
    """One column of a lake table. `kind` is one of string, number, boolean, time, nested, binary.

    `is_nullable` says whether a value may be missing, as far as the lake knows.
    """

    name: str
    data_type: str
    kind: str
    comment: str = ""
    is_nullable: bool | None = None


@dataclass(frozen=True, slots=True)
class TableEntry:
    """A table or volume as the lake lists it. `name` is three-part: catalog.schema.table; `owner` brought it in."""

    name: str
    kind: str  # "table" or "volume"
    comment: str = ""
    tags: tuple[str, ...] = ()
    licence: str = ""
    source: str = ""
    is_demo: bool = False
    owner: str = ""


@dataclass(frozen=True, slots=True)
class FileEntry:
    """One file of a volume; `path` is relative to the volume root."""

    path: str
    size_bytes: int
    modified_at: datetime


@dataclass(frozen=True, slots=True)
class Selection:
    """Which rows of a source, in which order: all that the lake needs to build one query.

    `source` is a three-part table or volume name, or a join of several. `where` is a boolean SQL expression that
    `check_filter` accepted. `sample_size` rows are picked by a seeded hash of `item_id_column`, in the proportions of
    `stratify_column` when that is given. `item_refs` restricts to these identifiers, and `excluded_refs` leaves these
    out, both after the sample is drawn. Rows come in the order of the identifier.
    """

    source: Source
    item_id_column: str
    where: str = ""
    sample_size: int | None = None
    sample_seed: int = 42
    stratify_column: str = ""
    item_refs: tuple[str, ...] | None = None
    excluded_refs: tuple[str, ...] = ()


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
    """The columnar engine over source tables and volumes. `dialect` is sqlglot's name for the SQL of its filters."""

    dialect: str

    def revision(self) -> int:
        """A number that rises whenever tables, volumes or what is noted about them change, also underneath."""
        ...

    def tables(self) -> list[TableEntry]:
        """List tables and volumes of all catalogs, by name."""
        ...

    def entry(self, source: str) -> TableEntry:
        """One table or volume. Raises NotFound."""
        ...

    def columns(self, source: Source) -> list[Column]:
        """Columns of a table; of a volume: path, name, size_bytes, modified_at; of a join: `alias__column`.

        Raises NotFound for a table, Invalid for a join that cannot be made (JN-2).
        """
        ...

    def column_names(self, table: str) -> dict[str, str]:
        """The columns of a table with their comments, quickly: types are not found out. Raises NotFound, Invalid."""
        ...

    def check_filter(self, source: Source, expression: str) -> str:
        """Parse a filter into one boolean expression over known columns. Raises Invalid with the parser's message."""
        ...

    def check_identifier(self, source: Source, column: str) -> IdentifierCheck:
        """Count rows, nulls and duplicated values of a column over the whole source."""
        ...

    def check_identifiers(self, source: Source, columns: Sequence[str]) -> Iterator[IdentifierCheck]:
        """The same for columns in this order; only so many are counted as the caller asks for, and a few ahead."""
        ...

    def count(self, selection: Selection) -> int:
        """How many rows the selection has."""
        ...

    def count_items(self, selection: Selection) -> int:
        """How many different items the rows of the selection belong to. Raises Invalid without an identifier."""
        ...

    def classes(self, selection: Selection, column: str) -> list[tuple[str | None, int]]:
        """The values of a column in a selection as text with their rows, the most frequent first; None for NULL."""
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

    def distinct(self, source: Source, column: str, *, limit: int = 50) -> list[tuple[str, int]]:
        """The most frequent values of a column with their counts."""
        ...

    def values(self, selection: Selection, column: str, *, limit: int) -> list[str]:
        """The different values of a column in a selection, as text in order, at most `limit`; nulls are left out."""
        ...

    def query_text(self, selection: Selection, *, columns: Sequence[str] = ()) -> str:
        """The query behind a selection in the lake's SQL, for a person to read."""
        ...

    # --- joins ---

    def join_stats(self, join: Join, item_id_column: str) -> JoinStats:
        """How well a join matches (JN-2); `item_id_column` is the identifier's name in the result."""
        ...

    def compare_keys(
        self, left: str, left_column: str, right: str, right_column: str, *, sample: int = 1000
    ) -> KeyComparison:
        """How the values of a column of one table meet those of another (JN-1), on `sample` distinct values."""
        ...

    # --- quality ---

    def profile(
        self, selection: Selection, *, columns: Sequence[str] = (), watch: Watch | None = None
    ) -> list[ColumnProfile]:
        """Profiles of the columns (none means all) over all rows. Raises Stopped when `watch` says so."""
        ...

    def check_problems(self, source: Source, checks: Sequence[RowCheck], *, identifier: str = "") -> list[str]:
        """For each check the sentence that says why it cannot run on this source; empty when it can.

        With an identifier a column `item_ref` of the source is not there: the identifier comes under this name.
        """
        ...

    def check_rows(
        self, selection: Selection, checks: Sequence[RowCheck], *, limit: int = 200_000, watch: Watch | None = None
    ) -> CheckReport:
        """Run all checks over a selection. Raises Invalid for a check that cannot run, Stopped when `watch` says so."""
        ...

    # --- write ---

    def inspect_file(self, file: Path, *, original_name: str, plan: IntakePlan | None = None) -> FileInspection:
        """What a CSV, TSV, JSON, JSON Lines, Parquet or Excel file would become. Raises Invalid like `put_table`."""
        ...

    def put_table(
        self,
        name: str,
        file: Path,
        *,
        original_name: str,
        entry: TableEntry | None = None,
        plan: IntakePlan | None = None,
    ) -> TableEntry:
        """Make such a file a table. Raises Invalid naming line and reason; nothing is left behind then."""
        ...

    def changed_table(
        self, name: str, file: Path, *, original_name: str, change: TableChange, plan: IntakePlan | None = None
    ) -> AbstractContextManager[ChangedTable]:
        """Prepare what a table would be with the rows of such a file, to look at and to `put` in its place.

        Raises Invalid like `put_table`, NotFound, Conflict for what cannot be changed: demo data, volumes, and files
        that lie in the lake and are read in place. Nothing is left behind.
        """
        ...

    def write_table(
        self,
        name: str,
        selection: Selection,
        *,
        columns: Sequence[str] = (),
        entry: TableEntry | None = None,
        overwrites: bool = False,
    ) -> TableEntry:
        """Write the rows of a selection to a table, in place of one of this name only when it `overwrites`.

        Raises AlreadyExists; nothing is left behind after an error, and the rows that were there stay.
        """
        ...

    def export_file(
        self,
        selection: Selection,
        file: Path,
        *,
        columns: Sequence[str] = (),
        format: Literal["csv", "parquet"] = "csv",
    ) -> int:
        """Write the rows of a selection to a new file and give their number.

        In CSV a text that a spreadsheet would run as a formula gets an apostrophe in front.
        """
        ...

    def describe(
        self,
        name: str,
        *,
        comment: str | None = None,
        tags: Sequence[str] | None = None,
        column_comments: Mapping[str, str] | None = None,
    ) -> TableEntry:
        """Change comment, tags or comments of columns; None leaves them as they are. Raises NotFound, Invalid."""
        ...

    def put_files(
        self,
        name: str,
        files: Mapping[str, bytes | Path],
        *,
        entry: TableEntry | None = None,
        replaces: bool = True,
    ) -> TableEntry:
        """Write files, given by content or by where they lie, into a volume, creating it when missing.

        The tags of `entry` are added to those of a volume that is there. Raises Invalid for a path that leaves the
        volume; AlreadyExists for a table of this name and, unless `replaces`, for a file that is there: nothing is
        written then.
        """
        ...

    def all_or_nothing(self) -> AbstractContextManager[None]:
        """A block in which several tables and volumes are put together.

        After an error in the block, or when the process ends in it, the new ones are gone again.
        """
        ...

    def drop(self, name: str) -> None:
        """Remove a table or volume. Raises NotFound."""
        ...

    def files(self, volume: str) -> list[FileEntry]:
        """List the files of a volume by path."""
        ...

    def file_paths(self, volume: str) -> list[str]:
        """The paths of `files` alone, more quickly."""
        ...

    def file(self, volume: str, path: str) -> FileEntry:
        """One file. Raises Invalid for a path outside the volume, NotFound when missing."""
        ...

    def read_file(self, volume: str, path: str, *, limit_bytes: int = 20_000_000) -> bytes:
        """Read one file. Raises Invalid for a path outside the volume, NotFound when missing."""
        ...

    def read_start(self, volume: str, path: str, *, size_bytes: int, offset: int = 0) -> bytes:
        """The first bytes of a file, or those from `offset` on, however large it is. Raises like `read_file`."""
        ...
