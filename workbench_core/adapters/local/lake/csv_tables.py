"""CSV files as tables: delimiter, names and types of a whole file, and what is wrong with it in plain words."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

import duckdb
from sqlglot import exp

from workbench_core.adapters.local.lake.engine import DIALECT, first_line, reader
from workbench_core.errors import Invalid

DELIMITERS = (",", ";", "\t", "|")
LINE_LIMIT = 20_000_000  # bytes of one row
HEADER_LIMIT = 1_000_000
SAMPLE_ROWS = 2000
SAVE_AS_UTF8 = "Save the file as “CSV UTF-8” (in a spreadsheet program: Save as, encoding UTF-8) and try again."

# A column has the first of these types that keeps every value of it: 007, +1 or a number of 20 digits stay text.
TYPES = {
    "BIGINT": "CAST(TRY_CAST({value} AS BIGINT) AS VARCHAR) = {value}",
    "DOUBLE": "regexp_full_match({value}, '-?(0|[1-9][0-9]{{0,17}})?([.][0-9]+)?([eE][-+]?[0-9]{{1,3}})?')"
    " AND isfinite(TRY_CAST({value} AS DOUBLE))",
    "BOOLEAN": "lower({value}) IN ('true', 'false')",
    "DATE": "CAST(TRY_CAST({value} AS DATE) AS VARCHAR) = {value}",
    "TIMESTAMP": "regexp_full_match({value}, '[0-9]{{4}}-[0-9]{{2}}-[0-9]{{2}}[ T][0-9:.]{{5,15}}')"
    " AND TRY_CAST({value} AS TIMESTAMP) IS NOT NULL",
    "TIMESTAMP WITH TIME ZONE": "regexp_full_match({value},"
    " '[0-9]{{4}}-[0-9]{{2}}-[0-9]{{2}}[ T][0-9:.]{{5,15}} ?(Z|[-+][0-9]{{2}}(:?[0-9]{{2}})?)')"
    " AND TRY_CAST({value} AS TIMESTAMPTZ) IS NOT NULL",
}


@dataclass(frozen=True, slots=True)
class CsvShape:
    """How to read a CSV file: its delimiter, and the name and type of each column."""

    delimiter: str
    names: tuple[str, ...]
    types: tuple[str, ...]


def csv_shape(cursor: duckdb.DuckDBPyConnection, file: Path) -> CsvShape:
    """Look at the whole file. Raises Invalid that names the line and the reason, or the column."""
    delimiter, names = _header(file)
    check_names(names)
    as_text = CsvShape(delimiter, names, ("VARCHAR",) * len(names))
    try:
        return CsvShape(delimiter, names, _types(cursor, file, as_text))
    except duckdb.Error as error:
        raise _malformed(file, delimiter, len(names)) or _unexplained(error) from error


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
    typed = [
        exp.alias_(exp.cast(exp.column(name, quoted=True), data_type, dialect=DIALECT), name, quoted=True)
        for name, data_type in zip(shape.names, shape.types, strict=True)
    ]
    return exp.select(*typed).from_(reader("read_csv", file, *settings))


def check_names(names: Sequence[str]) -> None:
    """Raise Invalid for a column without a name, or for two that differ in nothing but case."""
    seen: dict[str, str] = {}
    for number, name in enumerate(names, start=1):
        if not name.strip():
            raise Invalid(f"Column {number} has no name.", hint="Give every column a name in the first line.")
        earlier = seen.get(name.casefold())
        if earlier is not None:
            same = f"“{name}”" if earlier == name else f"“{earlier}” and “{name}”"
            raise Invalid(f"Two columns have the same name: {same}.", hint="Rename one of them.")
        seen[name.casefold()] = name


# --- header ----------------------------------------------------------------------------------------------------------


def _header(file: Path) -> tuple[str, tuple[str, ...]]:
    """Delimiter and column names from the first line."""
    _check_is_text(file)
    parsed = {delimiter: _first_row(file, delimiter) for delimiter in DELIMITERS}
    delimiter = max(DELIMITERS, key=lambda each: len(parsed[each]))
    names = tuple(name.strip() for name in parsed[delimiter])
    if not names:
        raise Invalid("The first line of the file is empty.", hint="The first line must name the columns.")
    if all(re.fullmatch(r"[-+]?[\d.]+", name) for name in names):
        raise Invalid("The first line holds numbers only.", hint="The first line must name the columns.")
    return delimiter, names


def _check_is_text(file: Path) -> None:
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


# --- types -----------------------------------------------------------------------------------------------------------


def _types(cursor: duckdb.DuckDBPyConnection, file: Path, as_text: CsvShape) -> tuple[str, ...]:
    """The type of each column: guessed from the first rows, then held against the whole file in one more scan."""
    rows = csv_relation(file, as_text)
    every = {name: list(TYPES) for name in as_text.names}
    guessed = _fitting(cursor, rows.limit(SAMPLE_ROWS), every, unknown_fits=True)
    fitting = _fitting(cursor, rows, guessed, unknown_fits=False)
    return tuple(fitting[name][0] if fitting[name] else "VARCHAR" for name in as_text.names)


def _fitting(
    cursor: duckdb.DuckDBPyConnection, rows: exp.Select, candidates: dict[str, list[str]], *, unknown_fits: bool
) -> dict[str, list[str]]:
    """The types that keep every value; for a column without any value all of them or none."""
    checks = [(name, data_type) for name, types in candidates.items() for data_type in types]
    verdicts = ", ".join(["COUNT(*)", *(_check(name, data_type) for name, data_type in checks)])
    query = f"SELECT {verdicts} FROM ({rows.sql(dialect=DIALECT)})"
    values = cursor.sql(query).fetchall()[0][1:]
    fitting: dict[str, list[str]] = {name: [] for name in candidates}
    for (name, data_type), fits in zip(checks, values, strict=True):
        if fits or (fits is None and unknown_fits):
            fitting[name].append(data_type)
    return fitting


def _check(name: str, data_type: str) -> str:
    value = exp.to_identifier(name, quoted=True).sql(dialect=DIALECT)
    return f"bool_and(COALESCE({TYPES[data_type].format(value=value)}, FALSE)) FILTER (WHERE {value} IS NOT NULL)"


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
