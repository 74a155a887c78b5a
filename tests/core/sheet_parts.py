"""A small plant for the tests of sheets: inspections of boards, the equipment they ran on, and sensor readings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pandas as pd
import pytest

from workbench_core.ports import TableEntry
from workbench_core.sheets import (
    ColumnRef,
    Join,
    JoinKey,
    JoinKind,
    JoinSource,
    Matches,
    SheetDraft,
    Sheets,
    SourceRole,
)

INSPECTIONS = "main.plant.inspections"
EQUIPMENT = "main.plant.equipment"
READINGS = "main.plant.readings"
ITEMS = 10
DRAFT = SheetDraft(
    "Inspections", INSPECTIONS, "inspection_id", text_columns=("note",), metadata_columns=("line", "equipment_id")
)


@pytest.fixture
def sheets(store, lake, history, permissions, clock):
    return Sheets(store, lake, history, permissions, clock)


@pytest.fixture
def put(lake, tmp_path):
    """Make rows a table of the lake, in place of one of this name."""

    def put_(name: str, columns: Mapping[str, Sequence[object]], *, tags: tuple[str, ...] = ()) -> str:
        if name in {entry.name for entry in lake.tables()}:
            lake.drop(name)
        file = tmp_path / "upload.parquet"
        pd.DataFrame(columns).to_parquet(file, index=False)
        lake.put_table(name, file, original_name=file.name, entry=TableEntry(name, "table", tags=tags))
        return name

    return put_


@pytest.fixture
def plant(put):
    """Ten inspections; equipment of eight of them is known, and two readings of each equipment."""
    put(INSPECTIONS, inspections())
    put(EQUIPMENT, equipment(range(4)), tags=("CONFIDENTIAL",))
    put(READINGS, readings())
    return put


def inspections() -> dict[str, Sequence[object]]:
    return {
        "inspection_id": [f"i{number}" for number in range(ITEMS)],
        "note": [f"Board {number} has a scratch." for number in range(ITEMS)],
        "line": [1, 1, 1, 1, 1, 1, 1, 2, 2, 2],
        "equipment_id": [f"e{number % 5}" for number in range(ITEMS)],
        "inspected_at": pd.to_datetime([f"2026-01-05 09:{number:02d}" for number in range(ITEMS)]),
    }


def equipment(numbers: Sequence[int]) -> dict[str, Sequence[object]]:
    return {
        "equipment_id": [f"e{number}" for number in numbers],
        "model": [f"model {number}" for number in numbers],
        "manual": [f"Clean it every day, and turn it off at night before you leave. {number}" for number in numbers],
    }


def readings() -> dict[str, Sequence[object]]:
    return {
        "equipment_id": [f"e{number % 5}" for number in range(10)],
        "read_at": pd.to_datetime([f"2026-01-05 09:{number:02d}" for number in range(10)]),
        "temperature": [20.0 + number for number in range(10)],
    }


def source(alias: str, table: str, **how: object) -> JoinSource:
    return JoinSource(table, alias, **how)  # type: ignore[arg-type]


def join(*others: JoinSource, kind: JoinKind = JoinKind.INNER) -> Join:
    """Inspections with other sources by `equipment_id`."""
    return Join(
        sources=(source("insp", INSPECTIONS, role=SourceRole.PRIMARY), *others),
        keys=tuple(
            JoinKey(ColumnRef("insp", "equipment_id"), ColumnRef(other.alias, "equipment_id")) for other in others
        ),
        kind=kind,
    )


WITH_EQUIPMENT = join(source("equip", EQUIPMENT))
WITH_READINGS = join(source("equip", EQUIPMENT), source("read", READINGS))
WITH_LATEST = join(source("equip", EQUIPMENT), source("read", READINGS, matches=Matches.LATEST, order_column="read_at"))
