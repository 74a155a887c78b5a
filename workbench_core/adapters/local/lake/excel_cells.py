"""The cells of one worksheet as CSV, written by a process of its own with bounded memory.

A workbook of a few kilobytes can claim a billion cells or unpack to gigabytes, and the reader allocates them at once.
Run as `python excel_cells.py <workbook> <worksheet or nothing> <csv file> <memory limit in bytes> <first row>`; what
was found is printed as one line of JSON. The first row is `header`, `rows`, or nothing when it shall be recognised.
"""

from __future__ import annotations

import csv
import json
import re
import sys
import zipfile
import zlib
from datetime import date, datetime, time, timedelta
from itertools import chain
from xml.etree import ElementTree

from python_calamine import (
    CalamineError,
    CalamineSheet,
    CalamineWorkbook,
    PasswordError,
    SheetTypeEnum,
    SheetVisibleEnum,
)

Cell = int | float | str | bool | date | datetime | time | timedelta
EXACT = 10**15  # digits that Excel keeps
CHUNK = 1_000_000
ERROR_CELL = re.compile(rb"""<(?:\w+:)?c\s[^>]*\bt=["']e["']""")
BARE_FORMULA = re.compile(rb"(?:<(?:\w+:)?f\b[^>]*/>|</(?:\w+:)?f>)\s*(?:<v\s*/>|<v></v>)?\s*</(?:\w+:)?c>")


def main(file: str, part: str, target: str, memory: str, first_row: str) -> dict[str, object]:
    """Write the worksheet and say what it is, or what is wrong with it."""
    _limit_memory(int(memory))
    try:
        workbook = _opened(file)
        sheets = _visible(workbook)
        if part and part not in sheets:
            return {"problem": "part", "parts": sheets}
        for name in [part] if part else sheets:
            sheet = workbook.get_sheet_by_name(name)
            if part or sheet.height:
                return {"parts": sheets, "part": name, **_write(sheet, target, first_row), **_lost(file, name)}
    except PasswordError:
        return {"problem": "password"}
    except CalamineError as error:
        return {"problem": "password" if "assword" in str(error) else "damaged"}
    except (MemoryError, OverflowError):
        return {"problem": "memory"}
    return {"problem": "empty", "parts": sheets}


def _opened(file: str) -> CalamineWorkbook:
    """The workbook, also when its name says another format than it has."""
    try:
        return CalamineWorkbook.from_path(file)
    except PasswordError:
        raise
    except CalamineError:
        with open(file, "rb") as handle:  # noqa: PTH123  (pathlib is not needed elsewhere)
            return CalamineWorkbook.from_filelike(handle)


def _limit_memory(limit: int) -> None:
    try:
        import resource
    except ImportError:  # Windows has no such limit
        return
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))


def _visible(workbook: CalamineWorkbook) -> list[str]:
    """The worksheets that a person sees, or all when none is visible; charts and macros are no tables."""
    sheets = [sheet for sheet in workbook.sheets_metadata if sheet.typ == SheetTypeEnum.WorkSheet]
    visible = [sheet.name for sheet in sheets if sheet.visible == SheetVisibleEnum.Visible]
    return visible or [sheet.name for sheet in sheets]


def _write(sheet: CalamineSheet, target: str, first_row: str) -> dict[str, object]:
    """Write the rows below the first one that is not empty, or from it on; give names, types and what was skipped.

    The rows are gone through twice, so that they are never all in memory as Python values.
    """
    rows = enumerate(sheet.iter_rows(), start=1)
    top, header = next(((number, row) for number, row in rows if _has_value(row)), (0, []))
    if not top:
        return {"problem": "empty"}
    has_names = first_row != "rows"
    names = [_text(cell) if has_names else "" for cell in header]
    kinds: list[set[str]] = [set() for _ in names]
    count = skipped = 0
    for _, row in chain([] if has_names else [(top, header)], rows):
        is_empty = not _has_value(row)
        skipped += is_empty
        count += not is_empty
        for place, cell in enumerate(row):
            if cell != "":
                kinds[place].add(_kind(cell))
    used = [place for place, name in enumerate(names) if name.strip() or kinds[place]]
    if not first_row and all(re.fullmatch(r"[-+]?[\d.]+", names[place]) for place in used):
        return {"problem": "header", "row": top}
    with open(target, "w", encoding="utf-8", newline="") as handle:  # noqa: PTH123  (pathlib is not needed elsewhere)
        writer = csv.writer(handle, lineterminator="\n")
        writer.writerow(used)
        start = top + has_names
        below = (row for number, row in enumerate(sheet.iter_rows(), start=1) if number >= start and _has_value(row))
        writer.writerows([_text(row[place]) for place in used] for row in below)
    return {
        "names": [names[place] for place in used], "types": [_type(kinds[place]) for place in used],
        "row": top, "rows": count, "skipped": skipped,
    }  # fmt: skip


def _has_value(row: list[Cell]) -> bool:
    return row.count("") < len(row)


def _type(kinds: set[str]) -> str:
    """The type that keeps values of these kinds; text for several that do not go together, or none."""
    for data_type, covered in (
        ("BIGINT", {"BIGINT"}), ("DOUBLE", {"BIGINT", "DOUBLE"}), ("BOOLEAN", {"BOOLEAN"}), ("DATE", {"DATE"}),
        ("TIMESTAMP", {"DATE", "TIMESTAMP"}),
    ):  # fmt: skip
        if kinds and kinds <= covered:
            return data_type
    return "VARCHAR"


def _kind(cell: Cell) -> str:
    if isinstance(cell, bool):
        return "BOOLEAN"
    if isinstance(cell, int | float):
        return "BIGINT" if float(cell).is_integer() and abs(cell) < EXACT else "DOUBLE"
    if isinstance(cell, datetime):
        return "TIMESTAMP"
    return "DATE" if isinstance(cell, date) else "VARCHAR"


def _lost(file: str, part: str) -> dict[str, int]:
    """How many cells of a worksheet hold an error (#DIV/0!), and how many a formula whose value was not saved.

    The reader gives nothing for both. Only .xlsx and .xlsm files are looked into.
    """
    errors = formulas = 0
    rest = b""
    try:
        with zipfile.ZipFile(file) as package, package.open(_path_of(package, part)) as sheet:
            while chunk := sheet.read(CHUNK):
                cells, end, rest = (rest + chunk).rpartition(b"c>")
                errors += len(ERROR_CELL.findall(cells + end))
                formulas += len(BARE_FORMULA.findall(cells + end))
                rest = rest[-CHUNK:]
    except (KeyError, ElementTree.ParseError, zipfile.BadZipFile, zlib.error, NotImplementedError, RuntimeError):
        return {}  # the reader got what it needs
    return {"errors": errors, "formulas": formulas}


def _path_of(package: zipfile.ZipFile, part: str) -> str:
    """Where a worksheet lies in an .xlsx file. Raises KeyError for a file that has other parts."""
    workbook = ElementTree.fromstring(package.read("xl/workbook.xml"))  # noqa: S314  (in a process with bounds)
    links = ElementTree.fromstring(package.read("xl/_rels/workbook.xml.rels"))  # noqa: S314
    sheets = (each for each in workbook.iter() if each.tag.endswith("}sheet") and each.get("name") == part)
    link = next((value for each in sheets for name, value in each.items() if name.endswith("}id")), "")
    target = next((each.get("Target", "") for each in links if each.get("Id") == link), "")
    return target.lstrip("/") if target.startswith("/") else f"xl/{target}"


def _text(cell: Cell) -> str:
    if isinstance(cell, bool):
        return str(cell).lower()
    if isinstance(cell, float) and cell.is_integer() and abs(cell) < EXACT:
        return str(int(cell))
    if isinstance(cell, datetime):
        whole = (cell + timedelta(microseconds=500)).replace(microsecond=0) if cell.microsecond > 999_499 else cell
        return whole.isoformat(" ", "milliseconds" if whole.microsecond >= 500 else "seconds")
    if isinstance(cell, date | time):
        return cell.isoformat()
    return str(cell).replace("\r\n", "\n").replace("\r", "\n")


if __name__ == "__main__":
    print(json.dumps(main(*sys.argv[1:])))  # noqa: T201
