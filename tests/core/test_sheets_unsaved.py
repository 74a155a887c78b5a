"""What a person changed on a sheet and did not save outlives their browser and the app."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.core import sheet_parts
from tests.core.conftest import ANN
from tests.core.sheet_parts import DRAFT, WITH_EQUIPMENT
from workbench_core.errors import NotPermitted
from workbench_core.permissions import Role
from workbench_core.sheets.unsaved import UnsavedSheets

BEN, CLEO = "ben@example.com", "cleo@example.com"
plant, put, sheets = sheet_parts.plant, sheet_parts.put, sheet_parts.sheets
CHANGED = replace(
    DRAFT, name="“Emoji” 😀", join=WITH_EQUIPMENT, item_id_column="insp__inspection_id", filter="\"insp__line\" = '1'",
    sample_size=5, text_columns=("insp__note",), metadata_columns=(), column_order=("insp__note",),
)  # fmt: skip


@pytest.fixture
def unsaved(store, permissions, clock):
    return UnsavedSheets(store, permissions, clock)


@pytest.fixture
def sheet(sheets, plant):
    return sheets.create(DRAFT, by=ANN)


def test_a_draft_comes_back_whole_for_its_person_only(unsaved, sheet, permissions):
    permissions.assign(BEN, Role.ADMIN, by=ANN)
    unsaved.keep(sheet.id, CHANGED, base=DRAFT, row_version=1, by=ANN)
    found = unsaved.get(sheet.id, by=ANN)
    assert (found.draft, found.base, found.row_version) == (CHANGED, DRAFT, 1)
    assert unsaved.get(sheet.id, by=BEN) is None
    unsaved.keep(sheet.id, DRAFT, base=CHANGED, row_version=2, by=ANN)
    assert unsaved.get(sheet.id, by=ANN).draft == DRAFT
    unsaved.forget(sheet.id, by=ANN)
    assert unsaved.get(sheet.id, by=ANN) is None


def test_somebody_who_may_not_change_sheets_keeps_none(unsaved, sheet, permissions):
    permissions.assign(CLEO, Role.DATA_CONSUMER, by=ANN)
    with pytest.raises(NotPermitted):
        unsaved.keep(sheet.id, CHANGED, base=DRAFT, row_version=1, by=CLEO)


def test_a_draft_of_another_version_of_the_app_is_left_out(unsaved, sheet, store):
    unsaved.keep(sheet.id, CHANGED, base=DRAFT, row_version=1, by=ANN)
    with store.transaction():
        store.execute('UPDATE unsaved_sheets SET draft = \'{"name": "S"}\'', touches="unsaved_sheets")
    assert unsaved.get(sheet.id, by=ANN) is None
