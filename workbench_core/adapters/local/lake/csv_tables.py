"""CSV files as tables: delimiter, names and types of a whole file, and what is wrong with it in plain words."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TextIO

import duckdb
from sqlglot import exp

from workbench_core.adapters.local.lake.column_names import Names, repaired
from workbench_core.adapters.local.lake.engine import DIALECT, first_line, reader
from workbench_core.adapters.local.lake.table_readings import TableReading, columns_of, known_text_columns
from workbench_core.adapters.local.lake.value_types import TYPES, column_types
from workbench_core.errors import Invalid
from workbench_core.ports import IntakePlan
from workbench_core.text_encodings import SAVE_AS_UTF8

DELIMITERS = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "vertical bars"}
LINE_LIMIT = 20_000_000  # bytes of one row
HEADER_LIMIT = 1_000_000


@dataclass(frozen=True, slots=True)
class CsvShape:
    """How to read a CSV file: its delimiter, names and types of its columns, their names in the file, what is told."""

    delimiter: str
    names: tuple[str, ...]
    types: tuple[str, ...]
    originals: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


def csv_shape(
    cursor: duckdb.DuckDBPyConnection,
    file: Path,
    *,
    delimiters: Sequence[str] = tuple(DELIMITERS),
    plan: IntakePlan | None = None,
) -> CsvShape:
    """Look at the whole file. Raises Invalid that names the line and the reason."""
    delimiter, names = _header(file, delimiters)
    kept = known_text_columns(plan or IntakePlan(), names.names)
    as_text = CsvShape(delimiter, names.names, ("VARCHAR",) * len(names.names), names.originals)
    rows = csv_relation(file, as_text).sql(dialect=DIALECT)
    try:
        types = column_types(cursor, rows, {name: () if name in kept else tuple(TYPES) for name in names.names})
    except duckdb.Error as error:
        raise _malformed(file, delimiter, len(names.names)) or _unexplained(error) from error
    return replace(as_text, types=tuple(types[name] for name in names.names), notes=names.notes)


def read_csv_file(
    cursor: duckdb.DuckDBPyConnection, file: Path, *, plan: IntakePlan, delimiters: Sequence[str] = tuple(DELIMITERS)
) -> TableReading:
    """A CSV file in UTF-8 as a table. Raises Invalid like `csv_shape`."""
    shape = csv_shape(cursor, file, delimiters=delimiters, plan=plan)
    query = csv_relation(file, shape).sql(dialect=DIALECT)
    how = f"Values are separated by {DELIMITERS[shape.delimiter]}."
    return TableReading("csv", query, columns_of(cursor, query, shape.originals), (how, *shape.notes))


def csv_relation(file: Path, shape: CsvShape) -> exp.Select:
    """A SELECT of all columns with their types."""
    columns = exp.Struct(
        expressions=[exp.PropertyEQ(this=exp.Literal.string(n), expression=exp.Literal.string("VARCHAR"))
                     for n in shape.names]
    )  # fmt: skip
    options: dict[str, exp.Expr] = {
        "auto_detect": exp.false(),
        "columns": columns,
        "header": exp.true(),
        "delim": exp.Literal.string(shape.delimiter),
        "quote": exp.Literal.string('"'),
        "escape": exp.Literal.string('"'),
        "comment": exp.Literal.string(""),
        "max_line_size": exp.Literal.number(LINE_LIMIT),
    }
    settings = [exp.EQ(this=exp.to_identifier(name), expression=value) for name, value in options.items()]
    types = {data_type: exp.DataType.build(data_type, dialect=DIALECT) for data_type in set(shape.types)}
    typed = [
        exp.alias_(_cast(exp.column(name, quoted=True), types[data_type]), name, quoted=True, copy=False)
        for name, data_type in zip(shape.names, shape.types, strict=True)
    ]
    return exp.select(*typed).from_(reader("read_csv", file, *settings))


def _cast(column: exp.Column, data_type: exp.DataType) -> exp.Expr:
    """The column in its type; what is read is text already."""
    return column if data_type.is_type("varchar") else exp.Cast(this=column, to=data_type.copy())


# --- header ----------------------------------------------------------------------------------------------------------


def _header(file: Path, delimiters: Sequence[str]) -> tuple[str, Names]:
    """Delimiter and column names from the first line."""
    _check_is_text(file)
    parsed = {delimiter: _first_row(file, delimiter) for delimiter in delimiters}
    delimiter = max(delimiters, key=lambda each: len(parsed[each]))
    names = [name.strip() for name in parsed[delimiter]]
    if not any(names):
        raise Invalid("The first line of the file is empty.", hint="The first line must name the columns.")
    if all(re.fullmatch(r"[-+]?[\d.]+", name) for name in names):
        raise Invalid("The first line holds numbers only.", hint="The first line must name the columns.")
    return delimiter, repaired(names)


def _check_is_text(file: Path) -> None:
    """Raise Invalid for what cannot be read in place as it is."""
    with file.open("rb") as handle:
        head = handle.read(HEADER_LIMIT)
    if not head.strip():
        raise Invalid("The file is empty.", hint="Choose a file with column names and rows.")
    if head.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise Invalid("The file is in UTF-16, not in UTF-8.", hint=SAVE_AS_UTF8)
    if b"\x00" in head:
        raise Invalid("The file is not a text file.", hint="Choose a CSV file, or a Parquet file named .parquet.")


def _first_row(file: Path, delimiter: str) -> list[str]:
    try:
        with file.open(encoding="utf-8-sig", newline="") as handle:
            return next(csv.reader(_short_lines(handle), delimiter=delimiter, strict=True), [])
    except UnicodeDecodeError as error:
        raise _wrong_encoding(file) from error
    except csv.Error:
        return []


def _short_lines(handle: TextIO) -> Iterator[str]:
    """The lines of a file, none of which may be endless."""
    while line := handle.readline(HEADER_LIMIT):
        if len(line) == HEADER_LIMIT:
            raise Invalid("The first line is longer than a million characters.", hint="Is this a CSV file?")
        yield line


# --- what is wrong with it -------------------------------------------------------------------------------------------


def _malformed(file: Path, delimiter: str, width: int) -> Invalid | None:
    """The first line that does not fit, counted as an editor counts; None when Python's reader finds nothing."""
    csv.field_size_limit(LINE_LIMIT)
    start = 1
    with file.open(encoding="utf-8-sig", newline="") as handle:
        rows = csv.reader(handle, delimiter=delimiter, strict=True)
        try:
            for cells in rows:
                found = len(cells) - 1 if len(cells) == width + 1 and not cells[-1] else len(cells)
                if cells and found != width:
                    return _wrong_width(start, found, width)
                start = rows.line_num + 1
        except UnicodeDecodeError:
            return _wrong_encoding(file)
        except csv.Error:
            return Invalid(
                f"Line {start}: a double quote is not closed, or stands in the middle of a quoted value.",
                hint='Write a double quote inside a quoted value twice ("").',
            )
    return None


def _wrong_width(line: int, found: int, width: int) -> Invalid:
    values = "1 value" if found == 1 else f"{found} values"
    return Invalid(
        f"Line {line} has {values}, but the first line names {width} columns.",
        hint="Put values that contain the delimiter in double quotes, and give every line the same number of values.",
    )


def _wrong_encoding(file: Path) -> Invalid:
    with file.open("rb") as handle:
        for number, line in enumerate(handle, start=1):
            try:
                line.decode("utf-8")
            except UnicodeDecodeError:
                shown = line.decode("latin-1").strip()[:60]
                return Invalid(f"Line {number} is not in UTF-8: “{shown}”.", hint=SAVE_AS_UTF8)
    return Invalid("The file is not in UTF-8.", hint=SAVE_AS_UTF8)


def _unexplained(error: duckdb.Error) -> Invalid:
    if "state machine" in str(error):
        return Invalid(
            "The lines of the file end in different ways (Windows and Unix line ends are mixed).",
            hint="Save the file again in an editor or spreadsheet program, then try again.",
        )
    return Invalid(f"The file cannot be read as CSV: {first_line(error)}.", hint="Check the file in an editor.")
