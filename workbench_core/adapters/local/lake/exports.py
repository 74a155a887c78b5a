"""Rows of a selection as a new table or a file to take away: written whole or not at all (SH-10)."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import uuid4

from sqlglot import exp

from workbench_core.adapters import lake_query
from workbench_core.adapters.lake_query.key_values import with_leading_zero
from workbench_core.adapters.local.lake import folders
from workbench_core.adapters.local.lake.engine import DIALECT
from workbench_core.adapters.local.lake.folders import DISK_HINT, Place, Sidecar
from workbench_core.adapters.local.lake.sources import Reading
from workbench_core.adapters.local.lake.table_changes import swap
from workbench_core.errors import AlreadyExists, BackendError, Invalid
from workbench_core.ports import Column, Selection, TableEntry
from workbench_core.ports.spreadsheet_cells import FORMULA_START, PLAIN_NUMBER, harmless_cell

if TYPE_CHECKING:
    import duckdb

ALL_FRACTION = re.compile(r"DECIMAL\((\d+),\s*\1\)")  # DuckDB writes .5 for its values
PARQUET_OPTIONS = "FORMAT parquet, COMPRESSION zstd"
CSV_OPTIONS = "FORMAT csv, HEADER true"


def write_parquet(selection: Selection, reading: Reading, target: Path, *, columns: Sequence[str]) -> int:
    """Write the rows as Parquet to a new path and give their number."""
    rows, _ = lake_query.export_query(selection, reading.source, columns=columns)
    return _copy(reading.cursor, rows, target, PARQUET_OPTIONS)


def write_csv(selection: Selection, reading: Reading, target: Path, *, columns: Sequence[str]) -> int:
    """Write the rows as CSV in UTF-8 to a new path and give their number.

    A text that a spreadsheet would run gets an apostrophe in front; nested values are JSON, bytes hexadecimal.
    """
    rows, shown = lake_query.export_query(selection, reading.source, columns=columns)
    for projection, column in zip(rows.expressions, shown, strict=True):
        projection.set("this", _cell(projection.this, column))
        projection.set("alias", exp.to_identifier(harmless_cell(column.name), quoted=True))
    return _copy(reading.cursor, rows, target, CSV_OPTIONS)


def _cell(value: exp.Expr, column: Column) -> exp.Expr:
    if column.kind == "nested":
        return _text(exp.func("to_json", value))
    if column.kind == "binary":
        return exp.Lower(this=exp.Hex(this=value))
    if ALL_FRACTION.fullmatch(column.data_type):
        return with_leading_zero(_text(value))
    if column.kind != "string":
        return value
    text = _text(value)
    is_formula = exp.RegexpLike(this=text, expression=exp.Literal.string(FORMULA_START))
    is_number = exp.func("regexp_full_match", text.copy(), exp.Literal.string(PLAIN_NUMBER))
    defused = exp.DPipe(this=exp.Literal.string("'"), expression=text.copy())
    is_run = exp.and_(is_formula, exp.not_(is_number))
    return exp.Case(ifs=[exp.If(this=is_run, true=defused)], default=text.copy())


def _text(value: exp.Expr) -> exp.Expr:
    return exp.Cast(this=value, to=exp.DataType.build("text"))


def _copy(cursor: duckdb.DuckDBPyConnection, rows: exp.Select, target: Path, options: str) -> int:
    path = exp.Literal.string(str(target)).sql(dialect=DIALECT)
    written = cursor.execute(f"COPY ({rows.sql(dialect=DIALECT)}) TO {path} ({options})").fetchone()
    return int(written[0]) if written else 0


def put_table(temporary: Path, place: Place, noted: Sidecar) -> None:
    """Make a complete file the table; one that is there is replaced in one step and keeps its tags."""
    if not place.exists():
        folders.write_sidecar(place, noted)
        folders.put_in_place(temporary, place)
        return
    tags = (*noted.tags, *folders.read_sidecar(place).tags)
    swap(temporary, place, described=replace(noted, tags=tuple(dict.fromkeys(tags))))


@contextmanager
def new_file(file: Path) -> Iterator[Path]:
    """A temporary path beside a file that does not exist yet, moved there when all went well. Raises AlreadyExists."""
    if file.exists():
        raise _taken(file)
    temporary = file.with_name(f".{uuid4().hex}.part")
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        with _removed_at_the_end(temporary):
            yield temporary
            if file.exists():  # it came meanwhile
                raise _taken(file)
            temporary.rename(file)
    except OSError as error:
        raise BackendError(f"“{file.name}” cannot be written: {error.strerror}.", hint=DISK_HINT) from error


@contextmanager
def _removed_at_the_end(temporary: Path) -> Iterator[None]:
    try:
        yield
    finally:
        temporary.unlink(missing_ok=True)


def _taken(file: Path) -> AlreadyExists:
    return AlreadyExists(f"“{file.name}” exists already.", hint="Choose another name, or remove it first.")


def check_has_rows(rows: int) -> None:
    """Raise Invalid for a table that would be empty."""
    if not rows:
        raise Invalid("No rows are left to write.", hint="Widen the filter, or choose other items.")


def comments_of(reading: Reading, columns: Sequence[str]) -> dict[str, str]:
    """The comments of the columns that are written (none means all)."""
    known = reading.source.columns
    wanted = {lake_query.find_column(name, known).name for name in columns if name != lake_query.ITEM_REF}
    return {
        column.name: column.comment for column in known if column.comment and (column.name in wanted or not columns)
    }


def exported_entry(name: str, sources: Sequence[TableEntry], entry: TableEntry | None) -> TableEntry:
    """What is known about a table written from others: all their tags and licences, and where it is from.

    What `entry` says comes first.
    """
    given = entry or TableEntry(name, "table")
    licences = [licence for source in sources if (licence := source.licence)]
    return TableEntry(
        name=name,
        kind="table",
        comment=given.comment,
        tags=tuple(dict.fromkeys([*given.tags, *(tag for source in sources for tag in source.tags)])),
        licence=given.licence or "; ".join(dict.fromkeys(licences)),
        source=given.source or f"Rows of {', '.join(source.name for source in sources)}",
        is_demo=given.is_demo,
    )
