"""Sources of a sheet: a join is put together, previewed, saved, goes stale, and is taken apart again."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.pages.conftest import ANN, labels
from tests.pages.data_parts import PREFIX, boxes, captions, choose, fields, flights, table
from workbench_core.sheets import (
    ColumnRef,
    Join,
    JoinKey,
    JoinKind,
    JoinSource,
    Matches,
    SheetDraft,
    SourceRole,
    TimeWindow,
)

PLANES = Join(
    (JoinSource(f"{PREFIX}flights", "flights", SourceRole.PRIMARY), JoinSource(f"{PREFIX}planes", "planes")),
    (JoinKey(ColumnRef("flights", "tailnum"), ColumnRef("planes", "tailnum")),),
)
WEATHER = Join(
    (JoinSource(f"{PREFIX}flights", "flights", SourceRole.PRIMARY), JoinSource(f"{PREFIX}weather", "weather")),
    (JoinKey(ColumnRef("flights", "origin"), ColumnRef("weather", "origin")),),
)


@pytest.fixture
def plain_sheet(workbench, tmp_path):
    flights(workbench, tmp_path)
    return workbench.sheets.create(
        SheetDraft("Flights", f"{PREFIX}flights", "flight_id", metadata_columns=("tailnum", "origin", "delay")), by=ANN
    )


@pytest.fixture
def joined(workbench, plain_sheet):
    return change_join(workbench, plain_sheet, PLANES)


def change_join(workbench, sheet, join):
    draft = workbench.sheets.with_join(sheet.draft, join)
    return workbench.sheets.update(sheet.id, draft, by=ANN, row_version=sheet.row_version)


def add_source(page, name):
    page.button(key="data_add_source").click().run()
    fields(page)["Table or folder"].select(f"{PREFIX}{name}").run()
    return page


def test_columns_of_a_join_are_called_by_their_own_name_where_that_is_enough(open_page, joined, grids):
    open_page("data", sheet=joined.id, show="rows")
    assert list(grids.rows("rows").columns)[:5] == ["flight_id", "tailnum · flights", "origin", "delay", "model"]


# --- put together ----------------------------------------------------------------------------------------------------


def test_a_source_is_added_by_its_suggested_key_previewed_and_saved(open_page, workbench, plain_sheet, grids):
    page = add_source(open_page("data", sheet=plain_sheet.id, show="sources"), "planes")
    (row,) = grids.rows("keys_flights").to_dict("records")
    assert (row["This sheet"], row["New source"], row["Use"]) == ("tailnum", "tailnum", True)
    assert (row["Name"], row["Overlap"], row["Contained"]) == ("0.95", "60 %", "75 %")
    assert row["Cardinality"] == "many-to-one"
    page.button(key="data_adder_done").click().run()
    assert "flights.tailnum = planes.tailnum" in [one.label.replace("\\", "") for one in page.button]
    assert "Stale: preview again" in boxes(page)
    page.button(key="data_preview").click().run()
    assert "75.0 % of the items match" in boxes(page)
    assert "30 of 40 items find a match in every source; 10 do not" in boxes(page)
    assert len(grids.rows("data_preview")) == 30
    page.button(key="data_save").click().run()
    saved = workbench.sheets.get(plain_sheet.id)
    assert saved.join == PLANES
    assert saved.item_id_column == "flights__flight_id"
    assert (saved.join_stats.stats.matched_rows, saved.is_join_stale) == (30, False)
    assert {metric.label: metric.value for metric in page.metric}["Match"] == "75.0 %"


def test_three_tables_are_joined_the_third_to_the_second(open_page, workbench, tmp_path, joined, grids):
    table(workbench, tmp_path, "makers", [{"model": f"Model {n}", "maker": f"Maker {n % 2}"} for n in range(6)])
    page = add_source(open_page("data", sheet=joined.id, show="sources"), "makers")
    fields(page)["Joined to"].select("planes").run()
    page.button(key="data_adder_done").click().run()
    page.button(key="data_save").click().run()
    saved = workbench.sheets.get(joined.id)
    assert saved.join.keys[1] == JoinKey(ColumnRef("planes", "model"), ColumnRef("makers", "model"))
    assert "makers__maker" in saved.columns
    assert workbench.sheets.check(joined.id).join_stats.matched_rows == 30


def test_keys_are_picked_by_hand_and_unticked(open_page, workbench, plain_sheet, grids):
    page = add_source(open_page("data", sheet=plain_sheet.id, show="sources"), "planes")
    grids.edit("keys_flights", "0", "Use", False)
    page.run()
    assert page.button(key="data_adder_done").disabled
    fields(page)["Column of flights"].select("delay").run()
    fields(page)["Column of the new source"].select("seats").run()
    page.button(key="data_pick_key").click().run()
    page.button(key="data_staged_delay = seats").click().run()
    assert page.button(key="data_adder_done").disabled
    page.button(key="data_adder_cancel").click().run()
    assert "Not saved yet" not in captions(page)


def test_a_second_key_is_added_and_removed_later(open_page, workbench, joined, grids):
    page = open_page("data", sheet=joined.id, show="sources")
    fields(page)["Column"].select("flights.delay").run()
    fields(page)["must equal"].select("planes.seats").run()
    page.button(key="data_key_add").click().run()
    page.button(key="data_preview").click().run()
    assert "0.0 % of the items match" in boxes(page)
    assert page.error
    page.button(key="data_key_flights.delay = planes.seats").click().run()
    assert "Not saved yet" not in captions(page)


def test_a_join_that_cannot_be_made_says_why(open_page, workbench, joined, grids):
    page = open_page("data", sheet=joined.id, show="sources")
    page.button(key="data_key_flights.tailnum = planes.tailnum").click().run()
    page.button(key="data_preview").click().run()
    assert "This join cannot be made" in boxes(page)
    assert "No key says how the rows of “planes” are found" in boxes(page)


# --- change ----------------------------------------------------------------------------------------------------------


def test_any_change_makes_the_preview_stale(open_page, workbench, joined, grids):
    page = open_page("data", sheet=joined.id, show="sources")
    assert "75.0 % of the items match" in boxes(page)
    page.button(key="data_preview").click().run()
    assert "Stale" not in boxes(page)
    choose(page, "Kind of join", JoinKind.LEFT)
    assert "Stale: preview again" in boxes(page)
    assert "Left: all items of the primary source" in captions(page)
    page.button(key="data_preview").click().run()
    assert "Stale" not in boxes(page)
    assert len(grids.rows("data_preview")) == 40
    choose(page, "Kind of join", JoinKind.INNER)
    assert "Stale: preview again" in boxes(page)
    assert "Not saved yet" not in captions(page)


def test_a_source_gets_another_name_everywhere(open_page, workbench, joined, grids):
    draft = replace(joined.draft, filter="planes__seats > 100")
    joined = workbench.sheets.update(joined.id, draft, by=ANN, row_version=joined.row_version)
    page = open_page("data", sheet=joined.id, show="sources")
    names = [one for one in page.text_input if one.label == "Name in the sheet"]
    names[1].input("aircraft").run()
    page.button(key="data_save").click().run()
    saved = workbench.sheets.get(joined.id)
    assert saved.filter == "aircraft__seats > 100"
    assert "aircraft__model" in saved.columns
    names = [one for one in page.text_input if one.label == "Name in the sheet"]
    names[1].input("a__b; DROP").run()
    assert "cannot name a source" in boxes(page)
    assert workbench.sheets.get(joined.id).join == saved.join


def test_a_source_is_removed_and_with_the_last_one_the_join_ends(open_page, workbench, joined, grids):
    page = open_page("data", sheet=joined.id, show="sources")
    assert page.button(key="data_drop_flights").disabled
    page.button(key="data_drop_planes").click().run()
    page.button(key="data_save").click().run()
    saved = workbench.sheets.get(joined.id)
    assert (saved.join, saved.item_id_column) == (None, "flight_id")
    assert "Match" not in [metric.label for metric in page.metric]


def test_fan_out_is_warned_of_and_resolved(open_page, workbench, plain_sheet, grids):
    sheet = change_join(workbench, plain_sheet, WEATHER)
    page = open_page("data", sheet=sheet.id, show="sources")
    page.button(key="data_preview").click().run()
    assert "“weather” matches one item with several rows" in boxes(page)
    assert "3.00 for each matched item" in boxes(page)
    fields(page)["When several rows match"].select(Matches.LATEST).run()
    assert fields(page)["By column"].value == "measured"
    assert "Stale: preview again" in boxes(page)
    page.button(key="data_preview").click().run()
    assert "1.00 for each matched item" in boxes(page)
    page.button(key="data_save").click().run()
    weather = workbench.sheets.get(sheet.id).join.sources[1]
    assert (weather.matches, weather.order_column) == (Matches.LATEST, "measured")
    assert workbench.sheets.check(sheet.id).is_valid


def test_rows_that_are_close_in_time(open_page, workbench, plain_sheet, grids):
    sheet = change_join(workbench, plain_sheet, WEATHER)
    page = open_page("data", sheet=sheet.id, show="sources")
    fields(page)["Only rows that are close in time"].set_value(True).run()
    fields(page)["differ by at most (minutes)"].set_value(10.0).run()
    page.button(key="data_preview").click().run()
    assert "31 of 40 items" in boxes(page)
    page.button(key="data_save").click().run()
    assert workbench.sheets.get(sheet.id).join.window == TimeWindow(
        ColumnRef("flights", "departed"), ColumnRef("weather", "measured"), 10.0
    )
    fields(page)["Only rows that are close in time"].set_value(False).run()
    page.button(key="data_save").click().run()
    assert workbench.sheets.get(sheet.id).join.window is None


def test_numbers_that_are_not_true_any_more_are_stale(open_page, workbench, tmp_path, joined, grids):
    workbench.lake.drop(f"{PREFIX}planes")
    table(workbench, tmp_path, "planes", [{"tailnum": "N1", "model": "x", "seats": 1}])
    workbench.sheets.validate(joined.id, by=ANN)
    page = open_page("data", sheet=joined.id, show="sources")
    assert "Stale: preview again" in boxes(page)
    page.button(key="data_preview").click().run()
    assert "12.5 % of the items match" in boxes(page)
    assert not workbench.sheets.get(joined.id).is_join_stale


def test_a_sheet_whose_secondary_table_is_gone_opens_in_every_part(open_page, workbench, joined, grids):
    workbench.lake.drop(f"{PREFIX}planes")
    for show in ("rows", "columns", "sources", "filter", "labels", "usage", "history"):
        page = open_page("data", sheet=joined.id, show=show)
        assert "no table or folder" in boxes(page)


# --- columns of several sources --------------------------------------------------------------------------------------


def test_columns_are_imported_from_a_secondary_source(open_page, workbench, plain_sheet, grids):
    planes = replace(PLANES.sources[1], columns=("model",))
    sheet = change_join(workbench, plain_sheet, replace(PLANES, sources=(PLANES.sources[0], planes)))
    page = open_page("data", sheet=sheet.id, show="columns")
    assert "planes: main.uploads.planes" in grids.rows("columns")["Source"].tolist()
    fields(page)["Columns"].set_value(["seats", "tailnum"]).run()
    page.button(key="data_import_do").click().run()
    page.button(key="data_save").click().run()
    saved = workbench.sheets.get(sheet.id)
    assert saved.columns[-2:] == ("planes__seats", "planes__tailnum")
    assert saved.join.sources[1].columns == ("model", "seats", "tailnum")
    assert "planes__seats" in workbench.sheets.preview(sheet.id).columns


def test_without_a_join_the_import_leads_to_the_sources(open_page, plain_sheet, grids):
    page = open_page("data", sheet=plain_sheet.id, show="columns")
    page.button(key="data_import_join").click().run()
    assert "Add a source" in labels(page.button)


def test_another_primary_source_needs_another_identifier(open_page, workbench, joined, grids):
    page = open_page("data", sheet=joined.id, show="sources")
    roles = [one for one in page.selectbox if one.label == "Role"]
    roles[1].select(SourceRole.PRIMARY).run()
    page.query_params["show"] = "columns"
    page.run()
    assert "planes" in captions(page)
    page.button(key="data_save").click().run()
    saved = workbench.sheets.get(joined.id)
    assert saved.source == f"{PREFIX}planes"
    assert saved.item_id_column.startswith("planes__")
