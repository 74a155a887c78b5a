"""What the lake says about a file before it becomes a table."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd


TABLE_ENDINGS = (
    ".csv", ".tsv", ".txt", ".json", ".jsonl", ".ndjson", ".parquet", ".xlsx", ".xlsm", ".xlsb", ".xls", ".ods",
)  # fmt: skip
STREAMED_ENDINGS = (".csv", ".tsv", ".txt", ".jsonl", ".ndjson", ".parquet")  # read in pieces
MAX_STREAMED_BYTES = 20_000_000_000  # of such a file; while it comes in, it takes its size again in temporary files
MAX_WHOLE_BYTES = 500_000_000  # of any other table file, which its reader holds as a whole


@dataclass(frozen=True, slots=True)
class IntakeColumn:
    """One column as it will be: its name (repaired where the file had none or repeated one) and its type.

    `original_name` is what the file says. `keep_as_text` in a plan keeps a column as it was typed.
    """

    name: str
    data_type: str
    kind: str
    original_name: str


@dataclass(frozen=True, slots=True)
class FileInspection:
    """What a file would become: its columns, first rows and how it was read; nothing is written yet.

    `format` is csv, parquet, json, jsonl or excel. `notes` say in sentences what was repaired or assumed: encoding,
    delimiter, renamed columns, worksheet. `parts` names the worksheets of an Excel file, or the lists of a JSON
    file, when there are several.
    """

    format: str
    columns: tuple[IntakeColumn, ...]
    rows: pd.DataFrame
    row_count: int
    notes: tuple[str, ...] = ()
    parts: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class IntakePlan:
    """What a person decided after the inspection: which worksheet of a workbook, and which columns stay text.

    `part` may also be the list of a JSON file that holds several. `encoding` is a codec of Python for a text file whose
    own was recognised wrongly. `has_header` says of a CSV file or worksheet whether its first row names the columns;
    None means that it does unless it holds numbers only, which is refused. `text_where_there` are columns that stay
    text in a file that has them. `delimiter` is what separates the values of a CSV file where several characters fit.
    """

    part: str = ""
    text_columns: Sequence[str] = ()
    encoding: str = ""
    has_header: bool | None = None
    text_where_there: Sequence[str] = ()
    delimiter: str = ""
