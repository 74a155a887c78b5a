"""The resolved rows of a sheet as a new table of the lake or as a file to download (SH-10)."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal
from uuid import uuid4

from workbench_core.errors import Conflict, Invalid
from workbench_core.ports import Lake, Store, TableEntry
from workbench_core.sheets.model import Sheet
from workbench_core.sheets.used_columns import sheets_reading, used_columns

EXPORTS = "main.exports"
ExportFormat = Literal["csv", "parquet"]
FORMATS: tuple[ExportFormat, ...] = ("csv", "parquet")
_LONGEST_NAME = 80


@dataclass(frozen=True, slots=True)
class ExportedFile:
    """A written file, the name under which to offer it, and its number of rows."""

    path: Path
    file_name: str
    rows: int


def table_of(name: str) -> str:
    """The full name of an export. Raises Invalid for a name without letter or digit."""
    return f"{EXPORTS}.{_slug(name)}"


def check_overwritable(store: Store, lake: Lake, sheet: Sheet, name: str) -> None:
    """Raise Conflict when a table that an export would overwrite is read by sheets that could not do without it."""
    if name not in {entry.name for entry in lake.tables()}:
        return
    if name in sheet.tables:
        raise Conflict(f"“{sheet.name}” reads “{name}” itself.", hint="Choose another name.")
    readers = sheets_reading(store, name)
    if not readers:
        return
    new = {column.name: column.data_type for column in lake.columns(sheet.relation) if column.name in sheet.columns}
    old = {column.name.casefold(): column for column in lake.columns(name)}
    for reader in readers:
        for used in used_columns(reader, name, dialect=lake.dialect):
            column = old.get(used.casefold())
            if column is not None and new.get(column.name) != column.data_type:
                raise Conflict(
                    f"“{name}” would lose or change the column “{column.name}”, which the sheet “{reader.name}” uses.",
                    hint="Choose another name, or take the column out of that sheet first.",
                )


def write_table(
    lake: Lake, sheet: Sheet, name: str, *, tags: Sequence[str], excluded_refs: Sequence[str], overwrite: bool = False
) -> TableEntry:
    """Write the rows to a table that carries the tags of all its sources. Raises AlreadyExists unless `overwrite`."""
    entry = TableEntry(
        name=name,
        kind="table",
        comment=f"Rows of the sheet “{sheet.name}”",
        tags=tuple(tags),
        source=f"Export of “{sheet.name}” from {', '.join(sheet.tables)}",
    )
    selection = sheet.selection(excluded_refs=excluded_refs)
    return lake.write_table(name, selection, columns=sheet.columns, entry=entry, overwrites=overwrite)


def write_file(
    lake: Lake, sheet: Sheet, folder: Path, *, format: ExportFormat, excluded_refs: Sequence[str]
) -> ExportedFile:
    """Write the rows to a new file in a folder; the caller removes it after it was sent."""
    if format not in FORMATS:
        raise Invalid(f"Rows cannot be written as “{format}”.", hint=f"Choose {' or '.join(FORMATS)}.")
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{uuid4().hex}.{format}"
    rows = lake.export_file(sheet.selection(excluded_refs=excluded_refs), path, columns=sheet.columns, format=format)
    return ExportedFile(path, f"{_slug(sheet.name, instead='sheet')}.{format}", rows)


def _slug(title: str, *, instead: str = "") -> str:
    """A legal name from any title: `Q3 mails (final)` becomes `q3_mails_final`."""
    name = re.sub(r"[^a-z0-9]+", "_", title.lower()).strip("_")[:_LONGEST_NAME] or instead
    if not name:
        raise Invalid("The table needs a name with at least one letter or digit.", hint="Type a name.")
    return name
