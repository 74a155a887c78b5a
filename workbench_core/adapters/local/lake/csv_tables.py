"""CSV files as tables: delimiter, names and types of a whole file, and what is wrong with it in plain words."""

from __future__ import annotations

import csv
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import duckdb
from sqlglot import exp

from workbench_core.adapters.local.lake.column_names import Names, repaired
from workbench_core.adapters.local.lake.csv_delimiters import DELIMITERS, QUOTE_HINT, Delimiter, find_delimiter
from workbench_core.adapters.local.lake.engine import DIALECT, first_line, reader
from workbench_core.adapters.local.lake.table_readings import TableReading, columns_of, known_text_columns
from workbench_core.adapters.local.lake.value_types import TYPES, column_types
from workbench_core.errors import Invalid
from workbench_core.ports import IntakePlan
from workbench_core.text_encodings import SAVE_AS_UTF8

LINE_LIMIT = 20_000_000  # bytes of one row
HEAD = 1_000_000
JSON_START = re.compile(rb'\s*(\[\s*)?\{\s*["}]')


@dataclass(frozen=True, slots=True)
class CsvShape:
    """How to read a CSV file: its delimiter, names and types of its columns, their names in the file, what is told."""

    delimiter: str
    names: tuple[str, ...]
    types: tuple[str, ...]
    originals: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    has_header: bool = True
    with_empty_texts: frozenset[str] = frozenset()

    @property
    def is_single(self) -> bool:
        """Whether there is one column, so that a blank line looks like a row without a value."""
        return len(self.names) == 1


def csv_shape(
    cursor: duckdb.DuckDBPyConnection,
    file: Path,
    *,
    delimiters: Sequence[str] = tuple(DELIMITERS),
    plan: IntakePlan | None = None,
) -> CsvShape:
    """Look at the whole file. Raises Invalid that names the line and the reason."""
    plan = plan or IntakePlan()
    delimiter, names = _header(file, _wanted(plan.delimiter) or delimiters, has_header=plan.has_header)
    kept = known_text_columns(plan, names.names)
    texts = ("VARCHAR",) * len(names.names)
    as_text = CsvShape(
        delimiter.character, names.names, texts, names.originals, has_header=plan.has_header is not False
    )
    rows = csv_relation(file, as_text).sql(dialect=DIALECT)
    candidates = {name: () if name in kept else tuple(TYPES) for name in names.names}
    try:
        found = column_types(cursor, rows, candidates, are_empty_texts_gaps=True)
        blank = _blank_notes(cursor, file, as_text) if as_text.is_single else ()
    except duckdb.Error as error:
        raise _malformed(file, delimiter.character, len(names.names)) or _unexplained(error) from error
    in_order = tuple(found.types[name] for name in names.names)
    notes = (delimiter.note, *names.notes, *found.notes, *blank)
    return replace(as_text, types=in_order, notes=notes, with_empty_texts=found.with_empty_texts)


def read_csv_file(
    cursor: duckdb.DuckDBPyConnection, file: Path, *, plan: IntakePlan, delimiters: Sequence[str] = tuple(DELIMITERS)
) -> TableReading:
    """A CSV file in UTF-8 as a table. Raises Invalid like `csv_shape`."""
    shape = csv_shape(cursor, file, delimiters=delimiters, plan=plan)
    query = csv_relation(file, shape).sql(dialect=DIALECT)
    return TableReading("csv", query, columns_of(cursor, query, shape.originals), shape.notes)


def csv_names(file: Path) -> tuple[str, ...]:
    """The names of the columns, from the first line alone. Raises Invalid for what is no CSV file."""
    return _header(file, tuple(DELIMITERS), has_header=None)[1].names


def csv_relation(file: Path, shape: CsvShape) -> exp.Select:
    """A SELECT of all columns with their types. Between two quotes is an empty text, of a number or time a gap."""
    types = {data_type: exp.DataType.build(data_type, dialect=DIALECT) for data_type in set(shape.types) - {"VARCHAR"}}
    typed = [
        exp.alias_(_cast(name, types.get(data_type), shape), name, quoted=True, copy=False)
        for name, data_type in zip(shape.names, shape.types, strict=True)
    ]
    rows = exp.select(*typed).from_(_texts(file, shape))
    return rows.where(exp.not_(_is_blank(shape))) if shape.is_single else rows


def _cast(name: str, data_type: exp.DataType | None, shape: CsvShape) -> exp.Expr:
    """The column in its type; what is read is text already."""
    column: exp.Expr = exp.column(name, quoted=True)
    if data_type is None:
        return column
    if name in shape.with_empty_texts:
        column = exp.Nullif(this=column, expression=exp.Literal.string(""))
    return exp.Cast(this=column, to=data_type.copy())


def _texts(file: Path, shape: CsvShape) -> exp.Table:
    """All columns as text, to stand in FROM."""
    columns = exp.Struct(
        expressions=[exp.PropertyEQ(this=exp.Literal.string(n), expression=exp.Literal.string("VARCHAR"))
                     for n in shape.names]
    )  # fmt: skip
    options: dict[str, exp.Expr] = {
        "auto_detect": exp.false(),
        "columns": columns,
        "header": exp.true() if shape.has_header else exp.false(),
        "delim": exp.Literal.string(shape.delimiter),
        "quote": exp.Literal.string('"'),
        "escape": exp.Literal.string('"'),
        "comment": exp.Literal.string(""),
        "max_line_size": exp.Literal.number(LINE_LIMIT),
        "allow_quoted_nulls": exp.false(),
    }
    settings = [exp.EQ(this=exp.to_identifier(name), expression=value) for name, value in options.items()]
    return reader("read_csv", file, *settings)


def _is_blank(shape: CsvShape) -> exp.Expr:
    return exp.Is(this=exp.column(shape.names[0], quoted=True), expression=exp.Null())


def _blank_notes(cursor: duckdb.DuckDBPyConnection, file: Path, shape: CsvShape) -> tuple[str, ...]:
    """How many lines of a file with one column are left out."""
    blank = exp.select(exp.Count(this=exp.Star())).from_(_texts(file, shape)).where(_is_blank(shape))
    count = int(cursor.sql(blank.sql(dialect=DIALECT)).fetchall()[0][0])
    if not count:
        return ()
    return ("One blank line is left out." if count == 1 else f"{count:,} blank lines are left out.",)


# --- header ----------------------------------------------------------------------------------------------------------


def _header(file: Path, delimiters: Sequence[str], *, has_header: bool | None) -> tuple[Delimiter, Names]:
    """Delimiter and column names from the first line; None as `has_header` refuses names that are numbers only."""
    _check_is_text(file)
    try:
        delimiter = find_delimiter(file, delimiters)
    except UnicodeDecodeError as error:
        raise _wrong_encoding(file) from error
    names = [name.strip() for name in delimiter.header]
    if names and has_header is False:
        return delimiter, repaired([""] * len(names))
    if not any(names):
        raise Invalid("The first line of the file is empty.", hint="The first line must name the columns.")
    if has_header is None and all(re.fullmatch(r"[-+]?[\d.]+", name) for name in names):
        raise Invalid(
            "The first line holds numbers only.", hint="Say whether they are the names of the columns or values."
        )
    return delimiter, repaired(names)


def _wanted(delimiter: str) -> tuple[str, ...]:
    """The delimiter that a person chose, if any. Raises Invalid for another character."""
    if delimiter and delimiter not in DELIMITERS:
        raise Invalid(f"“{delimiter}” cannot separate values.", hint=f"Choose {', '.join(DELIMITERS.values())}.")
    return (delimiter,) if delimiter else ()


def _check_is_text(file: Path) -> None:
    """Raise Invalid for what cannot be read in place as it is."""
    with file.open("rb") as handle:
        head = handle.read(HEAD)
    if not head.strip():
        raise Invalid("The file is empty.", hint="Choose a file with column names and rows.")
    if head.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise Invalid("The file is in UTF-16, not in UTF-8.", hint=SAVE_AS_UTF8)
    if b"\x00" in head:
        raise Invalid("The file is not a text file.", hint="Choose a CSV file, or a Parquet file named .parquet.")
    if JSON_START.match(head):
        raise Invalid("This is JSON, not CSV.", hint="Name the file .json, or .jsonl when each line is an object.")


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
        except csv.Error as error:
            if "field limit" in str(error):
                return _too_long(f"Line {start}")
            return Invalid(
                f"Line {start}: a double quote is not closed, or stands in the middle of a quoted value.",
                hint=QUOTE_HINT,
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


def _too_long(what: str) -> Invalid:
    return Invalid(
        f"{what} has more than {LINE_LIMIT / 1e6:,.0f} MB, which is the limit of one row.",
        hint="Is a double quote open there? Else put the long value into a file of its own.",
    )


def _unexplained(error: duckdb.Error) -> Invalid:
    if "aximum line size" in str(error):
        return _too_long("A line")
    if "state machine" in str(error):
        return Invalid(
            "The lines of the file end in different ways (Windows and Unix line ends are mixed).",
            hint="Save the file again in an editor or spreadsheet program, then try again.",
        )
    return Invalid(f"The file cannot be read as CSV: {first_line(error)}.", hint="Check the file in an editor.")
