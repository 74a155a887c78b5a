"""New rows for a table that is there: the whole result is written beside it first, then one rename puts it in place."""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from workbench_core.adapters.local.lake import changed_rows, folders, table_files
from workbench_core.adapters.local.lake.changed_rows import BothTables, Column
from workbench_core.adapters.local.lake.engine import plain_errors
from workbench_core.adapters.local.lake.folders import Place, Sidecar
from workbench_core.adapters.local.lake.sources import replaced_meanwhile
from workbench_core.errors import ChangedByOthers, Conflict
from workbench_core.ports import IntakePlan, Lake, TableChange, TableComparison, TableEntry

if TYPE_CHECKING:
    import duckdb

TABLE, ROWS = "table.parquet", "rows.parquet"  # in a scratch folder: the result, and what the file holds


@dataclass(frozen=True, slots=True)
class Incoming:
    """A file whose rows change a table, and how it is read."""

    file: Path
    original_name: str
    plan: IntakePlan


@dataclass(frozen=True, slots=True)
class ChangedLocalTable:
    """`ports.ChangedTable`: a complete Parquet file in a scratch folder beside the place where it goes."""

    comparison: TableComparison
    lake: Lake | None
    place: Place
    candidate: Path
    writing: AbstractContextManager[None]

    def put(self, *, source: str = "", tags: Collection[str] = ()) -> TableEntry:
        with self.writing:
            folders.existing(self.place.path.parents[2], self.place.name)
            if version_of(self.place) != self.comparison.version:
                raise ChangedByOthers(
                    f"“{self.place.name}” was changed a moment ago.", hint="Look at what would change, then try again."
                )
            noted = folders.read_sidecar(self.place)
            tags = tuple(dict.fromkeys((*noted.tags, *tags)))
            swap(self.candidate, self.place, described=replace(noted, source=source or noted.source, tags=tags))
        return folders.entry_of(self.place)


def check_changeable(place: Place) -> None:
    """Raise Conflict, with the reason, for a table whose rows are not changed here."""
    if place.is_volume:
        raise Conflict(f"“{place.name}” is a folder, not a table.", hint="Choose another name.")
    if place.path.suffix != ".parquet":
        raise Conflict(
            f"“{place.name}” is the file {place.path.name} in the lake's folder, read in place.",
            hint="Change that file itself, or choose another name.",
        )
    if folders.entry_of(place).is_demo:
        raise Conflict(f"“{place.name}” belongs to the demo data.", hint="Choose another name.")


def write_changed(
    cursor: duckdb.DuckDBPyConnection, place: Place, incoming: Incoming, folder: Path, change: TableChange
) -> TableComparison:
    """Compare a table with the rows of a file, and write the result into a new folder when they can be put together.

    Raises Invalid like `table_files.write_parquet`.
    """
    folder.mkdir(parents=True)
    version = version_of(place)
    with replaced_meanwhile([place]), plain_errors(place.name):
        known = changed_rows.columns_of(cursor, place.path)
        _write_rows(incoming, folder / ROWS, known)
        both = BothTables(cursor, place.path, folder / ROWS, change, texts=incoming.plan.text_columns)
        compared = both.compared(place.name, version)
        if both.can_be_put_together(compared):
            rows = both.write(folder / TABLE, compared.columns)
            compared = replace(compared, rows_after=rows)
        return compared


def _write_rows(incoming: Incoming, target: Path, known: Mapping[str, Column]) -> None:
    """Write what the file holds; a column that is text in the table stays text, so that no leading zero is lost."""
    texts = [name for name, column in known.items() if column.data_type == "VARCHAR"]
    plan = replace(incoming.plan, text_where_there=texts)
    table_files.write_parquet(incoming.file.resolve(), target, original_name=incoming.original_name, plan=plan)


def version_of(place: Place) -> str:
    """A text that changes with the content of a table."""
    _, changed_at, size = place.stamp()
    return f"{changed_at}-{size}"


def swap(candidate: Path, place: Place, *, described: Sidecar) -> None:
    """Put a complete file in the place of a table; its notes come first, because a tag binds more, never less."""
    noted = folders.read_sidecar(place)
    if described != noted:
        folders.write_sidecar(place, described)
    try:
        _make_newer(candidate, than=place.path)
        candidate.replace(place.path)
    except OSError:
        if described != noted:
            folders.write_sidecar(place, noted)
        raise


def _make_newer(candidate: Path, *, than: Path) -> None:
    """Let the clock of the file system never give two contents the same time: caches go by it."""
    old, new = than.stat().st_mtime_ns, candidate.stat().st_mtime_ns
    if new <= old:
        os.utime(candidate, ns=(old + 1_000_000, old + 1_000_000))
