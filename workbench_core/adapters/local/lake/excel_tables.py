"""Worksheets of Excel and OpenDocument files as tables, read by a process with bounded memory and time."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import duckdb

from workbench_core.adapters.local.lake.column_names import repaired
from workbench_core.adapters.local.lake.csv_tables import CsvShape, csv_relation
from workbench_core.adapters.local.lake.engine import DIALECT
from workbench_core.adapters.local.lake.table_readings import TableReading, columns_of, known_text_columns
from workbench_core.errors import Invalid
from workbench_core.ports import IntakePlan

MEMORY_BYTES = 4_000_000_000
SECONDS = 180
SCRIPT = Path(__file__).with_name("excel_cells.py")
AS_CSV = "Save the worksheet as “CSV UTF-8” and take that file."


@dataclass(frozen=True, slots=True)
class Worksheet:
    """One worksheet as CSV: its columns as the sheet names and types them, the row of its header, and its siblings.

    `errors` and `formulas` count the cells that hold an error, and formulas without a value; both are gaps.
    """

    part: str
    parts: tuple[str, ...]
    names: tuple[str, ...]
    types: tuple[str, ...]
    row: int
    rows: int
    skipped: int
    errors: int = 0
    formulas: int = 0


def unpack_worksheet(file: Path, target: Path, *, plan: IntakePlan) -> Worksheet:
    """Write the worksheet of a plan (the first that is not empty, when none is named) as CSV.

    Raises Invalid for a workbook that is damaged, protected or too large, and a worksheet that is missing or no table.
    """
    part, header = plan.part, {None: "", True: "header", False: "rows"}[plan.has_header]
    command = [sys.executable, "-I", str(SCRIPT), str(file), part, str(target), str(MEMORY_BYTES), header]
    try:
        done = subprocess.run(command, capture_output=True, timeout=SECONDS, check=False)  # noqa: S603
    except subprocess.TimeoutExpired as error:
        raise Invalid(f"The workbook could not be read in {SECONDS} seconds.", hint=AS_CSV) from error
    if done.returncode != 0:  # memory that cannot be had ends the process
        raise _problem({"problem": "damaged" if b"panic" in done.stderr and b"alloc" not in done.stderr else "memory"})
    found = json.loads(done.stdout)
    if "problem" in found:
        raise _problem(found, part)
    if not found["rows"]:
        raise Invalid(f"Worksheet “{found['part']}” has column names but no rows.", hint="Choose another one.")
    return Worksheet(
        part=found["part"],
        parts=tuple(found["parts"]),
        names=tuple(found["names"]),
        types=tuple(found["types"]),
        row=found["row"],
        rows=found["rows"],
        skipped=found["skipped"],
        errors=found.get("errors", 0),
        formulas=found.get("formulas", 0),
    )


def read_worksheet(
    cursor: duckdb.DuckDBPyConnection, csv_file: Path, sheet: Worksheet, *, plan: IntakePlan
) -> TableReading:
    """An unpacked worksheet as a table."""
    names = repaired(sheet.names)
    kept = known_text_columns(plan, names.names)
    types = tuple(
        "VARCHAR" if name in kept else data_type for name, data_type in zip(names.names, sheet.types, strict=True)
    )
    query = csv_relation(csv_file, CsvShape(",", names.names, types)).sql(dialect=DIALECT)
    parts = sheet.parts if len(sheet.parts) > 1 else ()
    return TableReading("excel", query, columns_of(cursor, query, sheet.names), (*_notes(sheet), *names.notes), parts)


def _notes(sheet: Worksheet) -> list[str]:
    notes = []
    if len(sheet.parts) > 1:
        notes.append(f"Worksheet “{sheet.part}” of {len(sheet.parts)} is read.")
    if sheet.row > 1 and any(sheet.names):
        notes.append(f"The column names stand in row {sheet.row}; what is above is left out.")
    if sheet.skipped:
        notes.append(
            "One empty row is left out." if sheet.skipped == 1 else f"{sheet.skipped:,} empty rows are left out."
        )
    if sheet.errors:
        cells = "One cell holds" if sheet.errors == 1 else f"{sheet.errors:,} cells hold"
        notes.append(f"{cells} an error such as #DIV/0!; there is no value in its place.")
    if sheet.formulas:
        cells = "One formula has" if sheet.formulas == 1 else f"{sheet.formulas:,} formulas have"
        notes.append(f"{cells} no saved value; open the workbook and save it again to have it calculated.")
    return notes


def _problem(found: Mapping[str, object], part: str = "") -> Invalid:
    parts = found.get("parts", ())
    known = ", ".join(str(name) for name in parts) if isinstance(parts, Sequence) else ""
    return {
        "part": Invalid(f"The workbook has no worksheet “{part}”.", hint=f"Worksheets: {known}."),
        "password": Invalid(
            "The workbook is protected by a password.", hint="Save it without a password and try again."
        ),
        "damaged": Invalid(
            "The file is not an Excel or OpenDocument workbook, or it is damaged.",
            hint="Open it in a spreadsheet program and save it again.",
        ),
        "memory": Invalid(
            f"The workbook needs more than {MEMORY_BYTES // 10**9} GB of memory; it may claim cells that are empty.",
            hint=AS_CSV,
        ),
        "empty": Invalid(
            "The workbook has no cells with values.", hint="Choose a workbook with column names and rows."
        ),
        "header": Invalid(
            f"Worksheet “{found.get('part', part)}”, row {found.get('row')} holds numbers only.",
            hint="Say whether they are the names of the columns or values.",
        ),
    }[str(found["problem"])]
