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
    delimiter, renamed columns, sheet of a workbook. `parts` names the sheets of an Excel file, or the lists of a JSON
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
    """What a person decided after the inspection: which sheet of a workbook, and which columns stay text.

    `part` may also be the list of a JSON file that holds several. `encoding` is a codec of Python for a text file whose
    own was recognised wrongly.
    """

    part: str = ""
    text_columns: Sequence[str] = ()
    encoding: str = ""
