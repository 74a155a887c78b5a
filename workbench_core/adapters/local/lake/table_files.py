"""Files that become tables: looked at first, then written as Parquet beside their place, exactly as they were shown."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import duckdb

from workbench_core.adapters.local.lake.column_names import repaired
from workbench_core.adapters.local.lake.csv_delimiters import DELIMITERS
from workbench_core.adapters.local.lake.csv_tables import read_csv_file
from workbench_core.adapters.local.lake.engine import DIALECT, connect, first_line, reader
from workbench_core.adapters.local.lake.excel_tables import read_worksheet, unpack_worksheet
from workbench_core.adapters.local.lake.json_tables import read_json_file
from workbench_core.adapters.local.lake.line_ends import one_line_end
from workbench_core.adapters.local.lake.table_readings import TableReading, columns_of, known_text_columns, utf8_text
from workbench_core.adapters.local.lake.value_types import literal, quoted
from workbench_core.errors import Invalid
from workbench_core.ports import (
    MAX_STREAMED_BYTES,
    MAX_WHOLE_BYTES,
    STREAMED_ENDINGS,
    TABLE_ENDINGS,
    FileInspection,
    IntakePlan,
)

JSON_ENDINGS = (".json", ".jsonl", ".ndjson")
EXCEL_ENDINGS = (".xlsx", ".xlsm", ".xlsb", ".xls", ".ods")
PARQUET_ENDINGS = (".parquet",)
SHOWN_ROWS = 20


def limit_of(original_name: str) -> int:
    """The bytes that a file may have, by its format."""
    return MAX_STREAMED_BYTES if _ending(original_name) in STREAMED_ENDINGS else MAX_WHOLE_BYTES


def check_file(file: Path, *, original_name: str, max_bytes: int | None = None) -> None:
    """Raise Invalid for a file that is too large (None: for its format), empty, or no table by its name."""
    max_bytes = limit_of(original_name) if max_bytes is None else max_bytes
    if not file.is_file():
        raise Invalid(f"“{original_name}” is not there.", hint="Choose the file again.")
    size = file.stat().st_size
    if size == 0:
        raise Invalid("The file is empty.", hint="Choose a file with column names and rows.")
    if size > max_bytes:
        raise Invalid(
            f"The file has {size / 1e6:,.1f} MB; at most {max_bytes / 1e6:,.1f} MB can be taken.",
            hint="Split the file, or save it as Parquet, which is smaller.",
        )
    if _ending(original_name) not in TABLE_ENDINGS:
        raise Invalid(
            f"“{original_name}” is not a file that becomes a table.",
            hint="Tables come from CSV, TSV, JSON, JSON Lines, Parquet and Excel files.",
        )


def inspect_file(file: Path, *, original_name: str, plan: IntakePlan, max_bytes: int | None = None) -> FileInspection:
    """What a file would become, with its first rows; nothing is written. Raises Invalid like `write_parquet`."""
    from workbench_core.adapters.local.lake.frames import to_frame

    check_file(file, original_name=original_name, max_bytes=max_bytes)
    with _reading(file, original_name=original_name, plan=plan) as (connection, table):
        try:
            rows = to_frame(connection.sql(f"{table.query} LIMIT {SHOWN_ROWS}").to_arrow_table())
            count = int(connection.sql(f"SELECT COUNT(*) FROM ({table.query})").fetchall()[0][0])
        except duckdb.Error as error:
            raise _unreadable(error) from error
    if not count:
        raise _no_rows()
    return FileInspection(table.format, table.columns, rows, count, table.notes, table.parts)


def write_parquet(file: Path, target: Path, *, original_name: str, plan: IntakePlan) -> None:
    """Write a file as Parquet to a new path. Raises Invalid naming line and reason, or sheet, record or column."""
    with _reading(file, original_name=original_name, plan=plan, folder=target.parent) as (connection, table):
        try:
            copy = f"COPY ({table.query}) TO {literal(str(target))} (FORMAT parquet, COMPRESSION zstd)"
            written = connection.execute(copy).fetchone()
        except duckdb.Error as error:
            raise _unreadable(error) from error
    if not written or not written[0]:
        raise _no_rows()


@contextmanager
def _reading(
    file: Path, *, original_name: str, plan: IntakePlan, folder: Path | None = None
) -> Iterator[tuple[duckdb.DuckDBPyConnection, TableReading]]:
    """A connection that can read the file (and write into the folder), and the file as a query on it."""
    ending, folders = _ending(original_name), [folder] if folder else []
    if ending in PARQUET_ENDINGS:
        from workbench_core.adapters.local.lake.parquet_decimals import exact_decimals

        with exact_decimals(file) as (exact, notes), connect(folders=folders, files=[exact]) as connection:
            table = _parquet(connection, exact, plan)
            yield connection, replace(table, notes=(*notes, *table.notes))
    elif ending in EXCEL_ENDINGS:
        with TemporaryDirectory(prefix="workbench-sheet-") as unpacked:
            cells = Path(unpacked).resolve() / "cells.csv"
            workbook = cells.with_name(f"workbook{ending}")  # the reader goes by the ending
            workbook.symlink_to(file)
            sheet = unpack_worksheet(workbook, cells, plan=plan)
            with connect(folders=folders, files=[cells]) as connection:
                yield connection, read_worksheet(connection, cells, sheet, plan=plan)
    else:
        is_csv = ending not in JSON_ENDINGS
        with (
            utf8_text(file, plan) as (converted, notes),
            one_line_end(converted, is_wanted=is_csv) as (text, more),
            connect(folders=folders, files=[text]) as connection,
        ):
            table = _of_text(connection, text, original_name=original_name, plan=plan)
            yield connection, replace(table, notes=(*notes, *more, *table.notes))


def _of_text(
    connection: duckdb.DuckDBPyConnection, text: Path, *, original_name: str, plan: IntakePlan
) -> TableReading:
    ending = _ending(original_name)
    if ending in JSON_ENDINGS:
        return read_json_file(connection, text, original_name=original_name, plan=plan)
    delimiters = ("\t",) if ending == ".tsv" else tuple(DELIMITERS)
    return read_csv_file(connection, text, plan=plan, delimiters=delimiters)


def _parquet(connection: duckdb.DuckDBPyConnection, file: Path, plan: IntakePlan) -> TableReading:
    """A Parquet file as a table. Raises Invalid when it is none."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        originals = pq.read_schema(file).names
    except (pa.ArrowException, OSError) as error:
        raise Invalid(
            "The file is not a Parquet file, or it is damaged.",
            hint="Save it as Parquet again; a CSV file must be named .csv.",
        ) from error
    if not originals:
        raise Invalid("The file has no columns.", hint="Choose a file with columns and rows.")
    names = repaired(originals)
    kept = known_text_columns(plan, names.names)
    places = [f"c{number}" for number in range(len(names.names))]  # by position: names may be missing or repeated
    columns = ", ".join(
        f"{f'CAST({place} AS VARCHAR)' if name in kept else place} AS {quoted(name)}"
        for place, name in zip(places, names.names, strict=True)
    )
    source = reader("read_parquet", file).sql(dialect=DIALECT)
    query = f"SELECT {columns} FROM {source} AS file({', '.join(places)})"
    try:
        return TableReading("parquet", query, columns_of(connection, query, names.originals), names.notes)
    except duckdb.Error as error:
        raise _unreadable(error) from error


def _ending(name: str) -> str:
    return Path(name).suffix.lower()


def _unreadable(error: duckdb.Error) -> Invalid:
    return Invalid(
        f"The file cannot be made a table: {first_line(error)}.",
        hint="Save the file again, or check the free space of the workbench's folder.",
    )


def _no_rows() -> Invalid:
    return Invalid("The file has column names but no rows.", hint="Choose a file with rows.")
