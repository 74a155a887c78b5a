"""An open sheet: its rows, its columns, its filter and sample, its labels, and two people at once."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.pages.conftest import ANN, labels
from tests.pages.data_parts import BEN, PREFIX, boxes, captions, choose, fields, flights, spoken, table
from workbench_core.canonical_labels import LabelEntry
from workbench_core.permissions import Role
from workbench_core.sheets import SheetDraft

DRAFT = SheetDraft(
    "Flights", f"{PREFIX}flights", "flight_id", metadata_columns=("tailnum", "origin", "delay", "departed")
)


@pytest.fixture
def sheet(workbench, tmp_path):
    flights(workbench, tmp_path)
    return workbench.sheets.create(DRAFT, by=ANN)


@pytest.fixture
def ben(workbench):
    workbench.permissions.assign(BEN, Role.DATA_PRODUCER, by=ANN)
    return BEN


def save(page):
    page.button(key="data_save").click().run()
    assert not page.exception
    return page


# --- rows ------------------------------------------------------------------------------------------------------------


def test_one_page_of_rows_travels_and_the_address_names_it(open_page, sheet, grids):
    page = open_page("data", sheet=sheet.id)
    assert "Rows 1 to 25 of 40" in captions(page)
    assert len(grids.rows("data_rows")) == 25
    page = open_page("data", sheet=sheet.id, page="2")
    assert grids.rows("data_rows")["flight_id"].tolist() == [f"f{n:02d}" for n in range(25, 40)]
    for nonsense in ("0", "-1", "99", "x", "1e9"):
        page = open_page("data", sheet=sheet.id, page=nonsense)
        assert not page.error
        assert len(grids.rows("data_rows")) in {25, 15}


def test_a_clicked_row_is_shown_in_full(open_page, sheet, grids):
    page = open_page("data", sheet=sheet.id, page="2")
    grids.select("data_rows", "27")
    page.run()
    assert "**f26**" in captions(page)
    assert page.dataframe[0].value["Value"].tolist()[0] == "f26"


def test_long_and_nested_values_are_cut_and_stand_in_full_below(open_page, workbench, tmp_path, grids):
    name = table(workbench, tmp_path, "texts", [{"id": "a", "text": "word " * 500, "extra": {"tags": ["x", "y"]}}])
    draft = SheetDraft("Texts", name, "id", text_columns=("text",), metadata_columns=("extra",))
    page = open_page("data", sheet=workbench.sheets.create(draft, by=ANN).id)
    (row,) = grids.rows("data_rows").to_dict("records")
    assert len(row["text"]) < 320
    assert row["text"].endswith("…")
    assert '"tags": ["x", "y"]' in row["extra"]
    grids.select("data_rows", "1")
    page.run()
    assert "All 2,500 characters" in [one.label for one in page.expander]


def test_picture_columns_become_thumbnails(open_page, workbench, tmp_path, grids):
    workbench.demo.load(by=ANN)
    name = table(workbench, tmp_path, "photos", [
        {"id": 1, "file": "/Volumes/demo/images/pictures/astronaut.jpg"},
        {"id": 2, "file": "https://evil.example/x.png"},
    ])  # fmt: skip
    draft = SheetDraft("Photos", name, "id", image_columns=("file",))
    open_page("data", sheet=workbench.sheets.create(draft, by=ANN).id)
    assert grids.rows("data_rows")["file"].tolist() == [
        "/pictures/demo.images.pictures/astronaut.jpg", "https://evil.example/x.png",
    ]  # fmt: skip


# --- columns ---------------------------------------------------------------------------------------------------------


def test_roles_and_order_are_collected_in_the_grid_and_saved_at_once(open_page, workbench, sheet, grids):
    page = open_page("data", sheet=sheet.id, show="columns")
    assert grids.rows("columns")["Role"].tolist() == ["Identifier", *["Metadata"] * 4]
    grids.edit("columns", "origin", "Role", "Text")
    grids.edit("columns", "departed", "Role", "–")
    page.run()
    grids.arrange("columns", ["delay", "flight_id", "tailnum", "origin", "departed"])
    page.run()
    assert "Not saved yet: text columns, other columns, order of columns" in captions(page).replace("**", "")
    assert workbench.sheets.get(sheet.id).row_version == sheet.row_version
    page = save(page)
    saved = workbench.sheets.get(sheet.id)
    assert saved.text_columns == ("origin",)
    assert saved.columns == ("delay", "flight_id", "tailnum", "origin")
    assert "Save" not in labels(page.button)


def test_the_same_is_done_with_buttons(open_page, workbench, sheet, grids):
    page = open_page("data", sheet=sheet.id, show="columns")
    assert page.button(key="data_move_up").disabled
    fields(page)["Column"].select("delay").run()
    page.button(key="data_move_up").click().run()
    fields(page)["Role"].select("Text").run()
    fields(page)["Column"].select("tailnum").run()
    page.button(key="data_remove_column").click().run()
    save(page)
    saved = workbench.sheets.get(sheet.id)
    assert saved.columns == ("flight_id", "delay", "origin", "departed")
    assert saved.text_columns == ("delay",)


def test_a_click_in_the_grid_chooses_the_column_for_the_buttons(open_page, sheet, grids):
    page = open_page("data", sheet=sheet.id, show="columns")
    grids.select("columns", "origin")
    page.run()
    assert fields(page)["Column"].value == "origin"


def test_another_identifier_gets_its_verdict_at_once(open_page, sheet, grids):
    page = open_page("data", sheet=sheet.id, show="columns")
    grids.edit("columns", "origin", "Role", "Identifier")
    page.run()
    assert grids.rows("columns")["Role"].to_dict()["flight_id"] == "Metadata"
    assert "origin: repeats itself in 38 rows" in captions(page)


def test_the_identifier_cannot_lose_its_role(open_page, sheet, grids):
    page = open_page("data", sheet=sheet.id, show="columns")
    grids.edit("columns", "flight_id", "Role", "Text")
    page.run()
    assert "Make another column the identifier first" in boxes(page)
    assert grids.rows("columns")["Role"].to_dict()["flight_id"] == "Identifier"
    assert page.button(key="data_remove_column").disabled


def test_changes_can_be_dropped(open_page, workbench, sheet, grids):
    page = open_page("data", sheet=sheet.id, show="columns")
    grids.edit("columns", "origin", "Role", "Text")
    page.run()
    page.button(key="data_discard").click().run()
    assert "Not saved yet" not in captions(page)
    assert grids.rows("columns")["Role"].to_dict()["origin"] == "Metadata"


def test_changes_live_on_while_one_looks_at_other_parts(open_page, workbench, sheet, grids):
    page = open_page("data", sheet=sheet.id, show="columns")
    grids.edit("columns", "origin", "Role", "Text")
    page.run()
    page.query_params["show"] = "history"
    page.run()
    assert "Not saved yet" in captions(page)
    save(page)
    assert workbench.sheets.get(sheet.id).text_columns == ("origin",)


def test_changes_are_back_after_a_reload_until_they_are_saved_or_dropped(open_page, workbench, sheet, grids):
    page = open_page("data", sheet=sheet.id, show="columns")
    grids.edit("columns", "origin", "Role", "Text")
    page.run()
    page = open_page("data", sheet=sheet.id, show="columns")  # another session, as after a reload
    assert "Not saved yet: text columns, other columns" in captions(page).replace("**", "")
    assert grids.rows("columns")["Role"].to_dict()["origin"] == "Text"
    page.button(key="data_discard").click().run()
    assert "Not saved yet" not in captions(open_page("data", sheet=sheet.id, show="columns"))


def test_what_came_back_meets_what_somebody_else_saved_meanwhile(open_page, workbench, sheet, grids):
    page = open_page("data", sheet=sheet.id, show="columns")
    grids.edit("columns", "origin", "Role", "Text")
    page.run()
    newer = replace(sheet.draft, description="By somebody else")
    workbench.sheets.update(sheet.id, newer, by=ANN, row_version=sheet.row_version)
    page = open_page("data", sheet=sheet.id, show="columns")
    assert "Your changes (text columns, other columns) are not saved." in boxes(page)
    page.button(key="data_apply_mine").click().run()
    save(page)
    saved = workbench.sheets.get(sheet.id)
    assert (saved.description, saved.text_columns) == ("By somebody else", ("origin",))


def test_an_active_sheet_is_read_only_in_every_part(open_page, workbench, sheet, grids):
    workbench.sheets.move(sheet.id, "publish", by=ANN)
    for show in ("columns", "sources", "filter"):
        page = open_page("data", sheet=sheet.id, show=show)
        assert "only a draft can be changed. Unpublish it to change it" in captions(page)
        assert "Save" not in labels(page.button)
        assert "Add a source" not in labels(page.button)


def test_who_may_not_edit_is_told_why(open_page, workbench, sheet, grids):
    workbench.permissions.assign(BEN, Role.REVIEWER, by=ANN)
    for show in ("columns", "sources", "filter"):
        page = open_page("data", user=BEN, sheet=sheet.id, show=show)
        assert "Your role, reviewer, may not edit sheets" in captions(page)
    assert "Name" not in fields(page)


def test_name_and_description_are_changed_too(open_page, workbench, sheet):
    page = open_page("data", sheet=sheet.id)
    fields(page)["Name"].input("January").run()
    fields(page)["Description"].input("All of *it*").run()
    save(page)
    saved = workbench.sheets.get(sheet.id)
    assert (saved.name, saved.description) == ("January", "All of *it*")
    assert spoken(page.title[0].value) == "January"


# --- other items under labels ----------------------------------------------------------------------------------------


@pytest.fixture
def february(workbench, tmp_path):
    """Flights of another month, two of which are known already, without the plane and with the weather."""
    return table(workbench, tmp_path, "february", [
        {"flight_id": f"f{n:02d}", "code": f"f{n:02d}", "origin": "JFK", "delay": n, "wind": n}
        for n in (0, 1, *range(60, 68))
    ])  # fmt: skip


def choose_source(page, name):
    page.button(key="data_change_source").click().run()
    fields(page)["Table or folder"].select(name).run()
    return page


def test_another_source_says_what_is_found_again_and_is_confirmed_before_it_is_saved(
    open_page, workbench, sheet, february
):
    """SH-4."""
    label(workbench, sheet, "delay", 3)
    page = choose_source(open_page("data", sheet=sheet.id, show="sources"), february)
    assert "flight_id is unique and never empty in all 10 rows" in captions(page)
    assert "2 of 3 labelled items found again" in captions(page).replace("**", "")
    assert "not there: tailnum, departed; new: " in captions(page)
    page.button(key="data_changer_done").click().run()
    assert "Not saved yet: source, other columns" in captions(page).replace("**", "")
    save(page)
    assert workbench.sheets.get(sheet.id).source.endswith("flights")
    assert "Of 3 labelled items 2 are found in" in boxes(page)
    assert "Other items for this sheet?" in boxes(page)
    page.button(key="data_confirm_back").click().run()
    assert "Other items for this sheet?" not in boxes(page)
    save(page)
    page.button(key="data_confirm").click().run()
    saved = workbench.sheets.get(sheet.id)
    assert (saved.source, saved.item_count, saved.row_version) == (february, 10, 2)
    assert "Not saved yet" not in captions(page)
    assert "1 of 3 labelled items are not among the rows of the source" in captions(open_page("data", sheet=sheet.id))


def test_another_identifier_of_the_new_source_counts_again(open_page, workbench, sheet, february):
    label(workbench, sheet, "delay", 3)
    page = choose_source(open_page("data", sheet=sheet.id, show="sources"), february)
    fields(page)["Identifier"].select("wind").run()
    assert "0 of 3 labelled items found again" in captions(page).replace("**", "")
    page.button(key="data_changer_done").click().run()
    page.button(key="data_discard").click().run()
    assert workbench.sheets.get(sheet.id) == sheet


def test_another_identifier_in_the_grid_is_confirmed_the_same_way(open_page, workbench, sheet, grids):
    """SH-4."""
    label(workbench, sheet, "delay", 3)
    page = open_page("data", sheet=sheet.id, show="columns")
    grids.edit("columns", "delay", "Role", "Identifier")
    page.run()
    save(page)
    assert "Of 3 labelled items 0 are found in" in boxes(page)
    page.button(key="data_confirm").click().run()
    assert workbench.sheets.get(sheet.id).item_id_column == "delay"


def test_without_labels_another_source_is_saved_at_once(open_page, workbench, sheet, february):
    page = choose_source(open_page("data", sheet=sheet.id, show="sources"), february)
    assert "found again" not in captions(page)
    page.button(key="data_changer_done").click().run()
    save(page)
    assert workbench.sheets.get(sheet.id).source == february


def test_a_choice_of_source_can_be_left(open_page, sheet, february):
    page = choose_source(open_page("data", sheet=sheet.id, show="sources"), february)
    assert "data_add_source" not in {button.key for button in page.button}
    page.button(key="data_changer_cancel").click().run()
    assert {"data_add_source", "data_change_source"} <= {button.key for button in page.button}
    assert "Not saved yet" not in captions(page)


# --- two people ------------------------------------------------------------------------------------------------------


@pytest.fixture
def outrun(open_page, workbench, sheet, grids, ben):
    """Ann changes a role; before she saves, Ben saves a filter."""
    page = open_page("data", sheet=sheet.id, show="columns")
    grids.edit("columns", "origin", "Role", "Text")
    page.run()
    workbench.sheets.update(sheet.id, replace(DRAFT, filter="delay > 0"), by=ben, row_version=1)
    return page


def test_the_second_person_is_told_who_changed_what_and_may_apply_theirs(outrun, workbench, sheet):
    page = save(outrun)
    assert not page.error
    assert "The sheet was changed meanwhile" in boxes(page)
    assert "ben@example.com: filter. Your changes (text columns" in boxes(page)
    assert page.button(key="data_save").disabled
    page.button(key="data_apply_mine").click().run()
    save(page)
    saved = workbench.sheets.get(sheet.id)
    assert (saved.filter, saved.text_columns) == ("delay > 0", ("origin",))
    assert saved.row_version == 3


def test_the_second_person_may_take_the_new_version_instead(outrun, workbench, sheet, grids):
    page = outrun.run()
    page.button(key="data_reload").click().run()
    assert "Not saved yet" not in captions(page)
    assert grids.rows("columns")["Role"].to_dict()["origin"] == "Metadata"
    assert workbench.sheets.get(sheet.id).filter == "delay > 0"


def test_the_first_person_is_told_that_somebody_came_second(outrun, open_page, sheet, ben):
    save(outrun)
    page = open_page("data", user=ben, sheet=sheet.id)
    assert "ann@example.com wanted to update this sheet too" in captions(page)
    page.button(key="data_seen").click().run()
    assert "wanted to update" not in captions(page)


# --- filter ----------------------------------------------------------------------------------------------------------


def open_filter(open_page, workbench, expression=""):
    sheet = workbench.sheets.create(replace(DRAFT, name="Filtered", filter=expression), by=ANN)
    return sheet, open_page("data", sheet=sheet.id, show="filter")


def test_a_condition_is_built_counted_and_saved(open_page, workbench, sheet):
    sheet, page = open_filter(open_page, workbench)
    assert "40 of 40 rows" in captions(page)
    page.button(key="data_condition_add").click().run()
    assert "not complete" in captions(page)
    fields(page)["Column"].select("origin").run()
    fields(page)["Value"].select("JFK").run()
    assert "20 of 40 rows" in captions(page)
    assert workbench.sheets.get(sheet.id).filter == ""
    page = save(page)
    assert workbench.sheets.get(sheet.id).filter == "\"origin\" = 'JFK'"
    assert page.metric[0].value == "20"


def test_a_saved_filter_opens_in_the_builder_as_it_was(open_page, workbench, sheet):
    _, page = open_filter(open_page, workbench, "delay > 5 AND origin = 'JFK'")
    assert "Not saved yet" not in captions(page)
    assert [one.value for one in page.selectbox if one.label == "Column"] == ["delay", "origin"]
    assert fields(page)["Value"].value in {5, "JFK"}
    assert "12 of 40 rows" in captions(page)


def test_conditions_go_together_as_all_or_any(open_page, workbench, sheet):
    sheet, page = open_filter(open_page, workbench, "delay > 28 AND origin = 'JFK'")
    assert "1 of 40 rows" in captions(page)
    choose(page, "How the conditions go together", "any")
    assert "20 of 40 rows" in captions(page)
    page.button(key="data_condition_drop_1").click().run()
    assert "1 of 40 rows" in captions(page)
    save(page)
    assert workbench.sheets.get(sheet.id).filter == '"delay" > 28'


def test_what_the_builder_cannot_show_stays_an_expression(open_page, workbench, sheet):
    _, page = open_filter(open_page, workbench, "length(origin) = 3 OR delay + 1 > 2")
    assert fields(page)["Condition"].value == "LENGTH(origin) = 3 OR delay + 1 > 2"
    choose(page, "How to write the filter", "builder")
    assert "says more than the builder can show" in captions(page)
    assert "Not saved yet" not in captions(page)


def test_a_typed_expression_is_counted_and_a_wrong_one_refused(open_page, workbench, sheet):
    sheet, page = open_filter(open_page, workbench)
    choose(page, "How to write the filter", "expression")
    fields(page)["Condition"].input("delay between 0 and 3").run()
    assert "4 of 40 rows" in captions(page)
    fields(page)["Condition"].input("dely > 0").run()
    assert "There is no column “dely”" in captions(page)
    page = save(page)
    assert "There is no column “dely”" in boxes(page)
    assert workbench.sheets.get(sheet.id).filter == ""
    fields(page)["Condition"].input("delay > 0").run()
    choose(page, "How to write the filter", "builder")
    assert [one.value for one in page.selectbox if one.label == "Column"] == ["delay"]


HOSTILE = ["' OR 1=1 --", "a'; DROP TABLE sheets; --", "100%_\\", 'quo"te', "{{ 7*7 }}", ":name $1 ?", "日本"]


def test_values_are_data_whatever_they_hold(open_page, workbench, tmp_path):
    name = table(workbench, tmp_path, "hostile", [{"id": n, "text": value} for n, value in enumerate(HOSTILE)])
    sheet = workbench.sheets.create(SheetDraft("Hostile", name, "id", text_columns=("text",)), by=ANN)
    page = open_page("data", sheet=sheet.id, show="filter")
    page.button(key="data_condition_add").click().run()
    fields(page)["Column"].select("text").run()
    for value in HOSTILE:
        fields(page)["Value"].select(value).run()
        assert f"1 of {len(HOSTILE)} rows" in captions(page), value
        assert not page.error
    save(page)
    again = open_page("data", sheet=sheet.id, show="filter")
    assert fields(again)["Value"].value == HOSTILE[-1]


# --- sample ----------------------------------------------------------------------------------------------------------


def test_a_stratified_sample_shows_what_it_takes_of_each_class(open_page, workbench, sheet):
    page = open_page("data", sheet=sheet.id, show="filter")
    choose(page, "Sample", "stratified")
    assert "Choose the column" in captions(page)
    fields(page)["Classes of"].select("tailnum").run()
    fields(page)["Rows"].set_value(16).run()
    assert "16 of 40 rows are picked" in captions(page).replace("**", "")
    table = page.dataframe[0].value
    assert table["In the sample"].tolist() == [2] * 8
    save(page)
    saved = workbench.sheets.get(sheet.id)
    assert (saved.sample_size, saved.stratify_column, saved.sample_seed) == (16, "tailnum", 42)
    choose(page, "Sample", "all")
    save(page)
    assert workbench.sheets.get(sheet.id).sample_size is None


# --- labels, usage, life ---------------------------------------------------------------------------------------------


def label(workbench, sheet, label_type, count):
    entries = [LabelEntry(f"f{number:02d}", "late") for number in range(count)]
    workbench.canonical_labels.label(entries, sheet_id=sheet.id, label_type=label_type, by=ANN)


def test_labels_show_coverage_and_reuse_for_each_type(open_page, workbench, sheet):
    page = open_page("data", sheet=sheet.id, show="labels")
    assert "No item of this sheet has a canonical label yet" in captions(page)
    label(workbench, sheet, "delay", 30)
    label(workbench, sheet, "cause", 10)
    first = workbench.canonical_labels.of_item(sheet.id, "f03")[0]
    workbench.canonical_labels.count_reuse([first.id])
    page = open_page("data", sheet=sheet.id, show="labels")
    shown = {metric.label: metric.value for metric in page.metric}
    assert (shown["Labels"], shown["Label types"], shown["Best coverage"]) == ("40", "2", "75.0 %")
    assert page.dataframe[0].value["Item"].tolist() == ["f03"]
    choose(page, "Label type", "cause")
    assert {metric.label: metric.value for metric in page.metric}["Best coverage"] == "25.0 %"


def test_a_sheet_in_use_names_what_stands_on_it_instead_of_deleting(open_page, workbench, sheet):
    label(workbench, sheet, "delay", 3)
    page = open_page("data", sheet=sheet.id)
    assert page.button(key="data_delete").disabled
    assert "3 canonical labels: “delay”" in captions(page)
    assert not page.button(key="data_archive").disabled


def test_unsaved_changes_come_before_the_next_step(open_page, workbench, sheet, grids):
    page = open_page("data", sheet=sheet.id, show="columns")
    grids.edit("columns", "origin", "Role", "Text")
    page.run()
    assert page.button(key="data_publish").disabled
    assert "Save or discard your changes first" in page.button(key="data_publish").help


PARTS = ("rows", "columns", "sources", "filter", "labels", "quality", "usage", "history")


def test_a_sheet_of_a_folder_opens_in_every_part(open_page, workbench):
    workbench.demo.load(by=ANN)
    sheet = next(one for one in workbench.sheets.find() if one.source == "demo.images.pictures")
    workbench.sheets.move(sheet.id, "unpublish", by=ANN)
    for show in PARTS:
        page = open_page("data", sheet=sheet.id, show=show)
        assert not page.error, (show, page.error[0].value)


def test_a_sheet_of_two_thousand_columns_opens_in_every_part(open_page, workbench, tmp_path, grids):
    name = table(workbench, tmp_path, "wide", [{f"column {n}": n * 10 + row for n in range(2_000)} for row in range(3)])
    names = [f"column {n}" for n in range(2_000)]
    sheet = workbench.sheets.create(SheetDraft("Wide", name, names[0], metadata_columns=tuple(names[1:])), by=ANN)
    for show in PARTS:
        page = open_page("data", sheet=sheet.id, show=show)
        assert not page.error, (show, page.error[0].value)
    assert len(grids.rows("columns")) == 2_000
    assert grids.rows("data_rows").shape == (3, 100)
    assert "The first 100 of 2,000 columns are shown" in captions(open_page("data", sheet=sheet.id))


# --- export ----------------------------------------------------------------------------------------------------------


def test_rows_are_written_to_a_new_table(open_page, workbench, sheet):
    page = open_page("data", sheet=sheet.id)
    assert "40 items, 5 columns" in captions(page)
    fields(page)["Name of the new table"].input("Late Flights").run()
    page.button(key="data_export_table").click().run()
    assert page.query_params["table"] == "main.exports.late_flights"
    page = open_page("data", sheet=sheet.id)
    fields(page)["Name of the new table"].input("Late Flights").run()
    assert page.button(key="data_export_table").disabled
    assert "main.exports.late_flights is there already" in captions(page)
