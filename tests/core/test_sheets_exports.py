"""The resolved rows of a sheet go out: as a new table with all tags, or as a file (SH-10)."""

from __future__ import annotations

from dataclasses import replace

import pandas as pd
import pytest

from tests.core import sheet_parts
from tests.core.conftest import ANN
from tests.core.sheet_parts import DRAFT, INSPECTIONS, WITH_LATEST, inspections
from workbench_core.catalog import Catalog
from workbench_core.errors import AlreadyExists, Conflict, Invalid, NotFound, NotPermitted
from workbench_core.permissions import Role
from workbench_core.ports import Selection

IDENTIFIER = "insp__inspection_id"
BEN = "ben@example.com"
sheets, put, plant = sheet_parts.sheets, sheet_parts.put, sheet_parts.plant  # fixtures


@pytest.fixture
def sheet(sheets, plant):
    """Inspections of line 1 with equipment and latest reading, the order of columns chosen."""
    draft = sheets.with_join(replace(DRAFT, filter="line = 1"), WITH_LATEST)
    return sheets.create(replace(draft, column_order=("equip__model", "insp__inspection_id")), by=ANN)


def test_joined_filtered_rows_become_a_table_that_carries_the_tags_of_all_sources(sheets, sheet, lake, history):
    entry = sheets.export_table(sheet.id, "Line 1 (final)", by=ANN)
    assert (entry.name, entry.tags) == ("main.exports.line_1_final", ("CONFIDENTIAL",))
    assert "main.plant.equipment" in entry.source
    assert [column.name for column in lake.columns(entry.name)] == list(sheet.columns)
    assert sheets.create(sheets.propose(entry.name), by=ANN).item_count == sheet.item_count == 6
    assert history.of("sheet", sheet.id)[0].details["table"] == entry.name


def test_items_that_were_set_aside_stay_out_when_asked(sheets, sheet, lake, tmp_path):
    without = ("i0", "i3", "not an item")
    entry = sheets.export_table(sheet.id, "clean", by=ANN, excluded_refs=without)
    written = sheets.export_file(sheet.id, "parquet", tmp_path / "out", by=ANN, excluded_refs=without)
    assert lake.count(sheet.selection(excluded_refs=without)) == 4
    for frame in (pd.read_parquet(written.path), lake.page(Selection(entry.name, IDENTIFIER))):
        assert sorted(frame["insp__inspection_id"]) == ["i1", "i2", "i5", "i6"]


def test_a_taken_name_is_refused_and_what_was_there_stays(sheets, sheet, lake):
    first = sheets.export_table(sheet.id, "rows", by=ANN)
    changed = replace(sheet.draft, filter="")
    sheets.update(sheet.id, changed, by=ANN, row_version=sheet.row_version)
    with pytest.raises(AlreadyExists):
        sheets.export_table(sheet.id, "rows", by=ANN)
    assert lake.count(Selection(first.name, IDENTIFIER)) == 6


def test_an_export_is_overwritten_only_when_asked_and_keeps_its_tags(sheets, sheet, lake, history):
    name = sheets.export_table(sheet.id, "rows", by=ANN).name
    lake.describe(name, tags=["CONFIDENTIAL", "PII"])
    sheets.update(sheet.id, replace(sheet.draft, filter=""), by=ANN, row_version=sheet.row_version)
    with pytest.raises(AlreadyExists) as refused:
        sheets.export_table(sheet.id, "rows", by=ANN)
    assert "remove it first" in refused.value.hint
    entry = sheets.export_table(sheet.id, "rows", by=ANN, overwrite=True)
    assert lake.count(Selection(name, IDENTIFIER)) == 8
    assert set(entry.tags) == {"CONFIDENTIAL", "PII"}, "a tag is never taken away by writing"
    assert history.of("sheet", sheet.id)[0].action == "export table"
    assert sheets.export_table(sheet.id, "fresh", by=ANN, overwrite=True).name == "main.exports.fresh"


def test_an_export_that_a_sheet_reads_keeps_the_columns_that_it_uses(sheets, sheet, lake, history, permissions, store):
    name = sheets.export_table(sheet.id, "rows", by=ANN).name
    reader = sheets.create(replace(sheets.propose(name), name="Reader", filter="equip__model <> ''"), by=ANN)
    sheets.export_table(sheet.id, "rows", by=ANN, overwrite=True)
    fewer = sheets.create(replace(sheet.draft, name="Fewer", metadata_columns=(), text_columns=()), by=ANN)
    with pytest.raises(Conflict, match="which the sheet “Reader” uses") as refused:
        sheets.export_table(fewer.id, "rows", by=ANN, overwrite=True)
    assert refused.value.hint
    with pytest.raises(Conflict, match=r"reads “main\.exports\.rows” itself"):
        sheets.export_table(reader.id, "rows", by=ANN, overwrite=True)
    assert lake.count(Selection(name, IDENTIFIER)) == 6 and sheets.check(reader.id).is_valid


def test_an_export_is_removed_like_an_upload(sheets, sheet, lake, history, permissions, store):
    catalog = Catalog(lake, history, permissions, store=store)
    name = sheets.export_table(sheet.id, "rows", by=ANN).name
    reader = sheets.create(sheets.propose(name), by=ANN)
    with pytest.raises(Conflict, match="is used by"):
        catalog.drop(name, by=ANN)
    sheets.move(reader.id, "delete", by=ANN)
    catalog.drop(name, by=ANN)
    assert name not in {entry.name for entry in lake.tables()}


@pytest.mark.parametrize("name", ["", "  ", "!!", "'; --"])
def test_a_name_without_letters_is_refused(sheets, sheet, name):
    with pytest.raises(Invalid, match="name"):
        sheets.export_table(sheet.id, name, by=ANN)


def test_a_hostile_name_becomes_a_plain_one(sheets, sheet):
    assert sheets.export_table(sheet.id, "../x'; DROP", by=ANN).name == "main.exports.x_drop"


@pytest.mark.parametrize(("format", "read"), [("csv", pd.read_csv), ("parquet", pd.read_parquet)])
def test_a_file_holds_the_same_rows_in_the_order_of_the_columns(sheets, sheet, tmp_path, history, format, read):
    written = sheets.export_file(sheet.id, format, tmp_path / "out", by=ANN)
    assert (written.rows, written.file_name) == (6, f"inspections.{format}")
    frame = read(written.path)
    assert (len(frame), list(frame.columns)) == (6, list(sheet.columns))
    assert history.of("sheet", sheet.id)[0].details == {"format": format, "rows": 6, "set_aside": 0}


def test_a_cell_that_a_spreadsheet_would_run_is_defused(sheets, plant, tmp_path):
    plant(INSPECTIONS, {**inspections(), "note": ["=1+1", "@SUM(A1)", "-2", *["safe"] * 7]})
    sheet = sheets.create(DRAFT, by=ANN)
    notes = pd.read_csv(sheets.export_file(sheet.id, "csv", tmp_path, by=ANN).path)["note"].tolist()
    assert notes[:4] == ["'=1+1", "'@SUM(A1)", "-2", "safe"]


def test_who_may_look_may_download_and_who_edits_sheets_writes_tables(sheets, sheet, permissions, tmp_path):
    for role in Role:
        permissions.assign(BEN, role, by=ANN)
        assert sheets.export_file(sheet.id, "csv", tmp_path, by=BEN).rows == 6
        if role in {Role.ADMIN, Role.DATA_STEWARD, Role.DATA_PRODUCER}:
            assert sheets.export_table(sheet.id, f"by {role}", by=BEN).kind == "table"
        else:
            with pytest.raises(NotPermitted):
                sheets.export_table(sheet.id, f"by {role}", by=BEN)
    with pytest.raises(NotPermitted):
        sheets.export_file(sheet.id, "csv", tmp_path, by="")


def test_an_unknown_format_and_a_deleted_sheet_are_refused_and_leave_no_file(sheets, sheet, tmp_path):
    folder = tmp_path / "out"
    with pytest.raises(Invalid, match="xlsx"):
        sheets.export_file(sheet.id, "xlsx", folder, by=ANN)
    sheets.move(sheet.id, "delete", by=ANN)
    with pytest.raises(NotFound):
        sheets.export_file(sheet.id, "csv", folder, by=ANN)
    assert not folder.exists()
