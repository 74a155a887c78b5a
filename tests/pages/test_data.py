"""The Data page as a person meets it: a sheet in three clicks, and the life of a sheet."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.pages.conftest import ANN, labels
from workbench_core.permissions import Role
from workbench_core.sheets import SheetDraft

BEN = "ben@example.com"
SOURCE = "main.uploads.mails"
DRAFT = SheetDraft("Mails", SOURCE, "mail_id", text_columns=("body",), metadata_columns=("topic",))


def spoken(text: str) -> str:
    """Text without the marks that keep it plain."""
    return text.replace("\\", "").replace("\u2060", "")


def warnings(page) -> str:
    return " ".join(spoken(element.value) for element in (*page.warning, *page.error))


def captions(page) -> str:
    return " ".join(spoken(element.value) for element in (*page.caption, *page.markdown))


def fields(page) -> dict[str, object]:
    """Text fields by their labels."""
    return {
        element.label: element for element in (*page.text_input, *page.text_area, *page.selectbox, *page.multiselect)
    }


@pytest.fixture
def mails(workbench, tmp_path):
    """A table of sixty mails about two topics."""
    file = tmp_path / "mails.csv"
    lines = [f"m{number:02d},{'bills' if number % 3 else 'spam'},A mail" for number in range(60)]
    file.write_text("mail_id,topic,body\n" + "\n".join(lines))
    return workbench.catalog.upload_table(file, file_name="mails.csv", by=ANN).name


@pytest.fixture
def sheet(workbench, mails):
    return workbench.sheets.create(DRAFT, by=ANN)


# --- a sheet in three clicks ----------------------------------------------------------------------------------------


def test_a_sheet_is_made_of_a_table_in_three_clicks(open_page, workbench, mails):
    page = open_page("data", table=mails)
    page.button(key="data_make").click().run()
    assert fields(page)["Identifier"].value == "mail_id"
    assert "mail_id is unique and never empty in all 60 rows" in captions(page)
    assert [badge for badge in ("mail_id", "body", "topic") if f"[{badge}]" in captions(page)] == [
        "mail_id", "body", "topic",
    ]  # fmt: skip
    page.button(key="data_create").click().run()
    (sheet,) = workbench.sheets.find()
    assert (sheet.name, sheet.status) == ("Mails", "draft")
    assert page.query_params["sheet"] == sheet.id
    page.button(key="data_publish").click().run()
    assert workbench.sheets.get(sheet.id).status == "active"
    assert "Generate from this sheet" in labels(page.button)


def test_a_column_that_repeats_itself_cannot_be_the_identifier(open_page, mails):
    page = open_page("data", table=mails, make="sheet")
    fields(page)["Identifier"].select("topic").run()
    assert "topic: repeats itself in 58 rows" in captions(page)
    assert page.button(key="data_create").disabled


def test_a_column_with_two_roles_is_told_and_nothing_is_made(open_page, workbench, mails):
    page = open_page("data", table=mails, make="sheet")
    fields(page)["Text columns"].set_value(["topic"]).run()
    page.button(key="data_create").click().run()
    assert "topic has two roles" in warnings(page)
    assert workbench.sheets.find() == []


def test_a_second_sheet_of_the_same_name_is_noticed(open_page, sheet):
    page = open_page("data", table=SOURCE, make="sheet")
    assert "There is a sheet of this name already" in captions(page)


# --- the list of sheets ---------------------------------------------------------------------------------------------


def test_without_sheets_the_list_explains_what_a_sheet_is(open_page):
    page = open_page("data", view="sheets")
    assert "A sheet points at a table or folder" in captions(page)


def test_sheets_are_filtered_by_their_address(open_page, workbench, sheet):
    active = workbench.sheets.create(replace(DRAFT, name="Active one"), by=ANN)
    workbench.sheets.move(active.id, "publish", by=ANN)
    names = lambda **query: open_page("data", view="sheets", **query).dataframe[0].value["Sheet"].tolist()  # noqa: E731
    assert names() == ["Active one", "Mails"]
    assert names(status="active") == ["Active one"]
    assert names(search="MAILS") == ["Active one", "Mails"]  # both point at the table of mails
    assert names(status="nonsense") == ["Active one", "Mails"]
    assert "No sheet matches" in captions(open_page("data", view="sheets", search="xyz"))


def test_sheets_are_narrowed_to_those_of_one_person_in_the_address(open_page, workbench, sheet):
    """SH-3."""
    assert "Made by" not in fields(open_page("data", view="sheets"))
    workbench.sheets.create(replace(DRAFT, name="Ben's"), by=BEN)
    page = open_page("data", view="sheets")
    fields(page)["Made by"].select(BEN).run()
    assert page.dataframe[0].value["Sheet"].tolist() == ["Ben's"]
    assert page.query_params["owner"] in (BEN, [BEN])
    assert open_page("data", view="sheets", owner=ANN).dataframe[0].value["Sheet"].tolist() == ["Mails"]
    assert len(open_page("data", view="sheets", owner="nobody'; --").dataframe[0].value) == 2


def tick(page, *rows: int):
    """Tick rows of the list of sheets."""
    key = page.dataframe[0].proto.id.split("-", 2)[-1]
    page.session_state[key] = {"selection": {"rows": list(rows), "columns": [], "cells": []}}
    return page.run()


@pytest.fixture
def several(workbench, mails):
    """Three drafts: A, B and C, with the last made first in the list."""
    return [workbench.sheets.create(replace(DRAFT, name=name, description=f"About {name}"), by=ANN) for name in "ABC"]


def listed(page) -> list[str]:
    return page.dataframe[0].value["Sheet"].tolist()


def test_archived_and_deleted_sheets_show_only_when_asked_for_and_are_counted(open_page, workbench, several):
    """Spec 2.1: archived is hidden by default."""
    workbench.sheets.move(several[0].id, "archive", by=ANN)
    workbench.sheets.move(several[1].id, "delete", by=ANN)
    page = open_page("data", view="sheets")
    assert listed(page) == ["C"]
    (status,) = [one for one in page.get("button_group") if one.label == "Status"]
    assert list(status.options) == [
        "Drafts and active 1", "Draft 1", "Active 0", "Archived 1", "Deleted 1",
    ]  # fmt: skip
    assert listed(open_page("data", view="sheets", status="archived")) == ["A"]
    assert listed(open_page("data", view="sheets", status="deleted")) == ["B"]
    assert "No sheet is active" in captions(open_page("data", view="sheets", status="active"))


def test_the_list_says_what_a_sheet_is_about(open_page, several):
    shown = open_page("data", view="sheets").dataframe[0].value
    assert shown["Description"].tolist() == ["About C", "About B", "About A"]
    assert list(shown.columns[:3]) == ["Sheet", "Status", "Items"]


def test_many_sheets_are_paged_in_the_address(open_page, workbench, mails):
    for number in range(27):
        workbench.sheets.create(replace(DRAFT, name=f"S{number:02d}"), by=ANN)
    page = open_page("data", view="sheets")
    assert (len(listed(page)), listed(page)[0]) == (25, "S26")
    assert listed(open_page("data", view="sheets", page="2")) == ["S01", "S00"]
    for nonsense in ("0", "99", "x", "-1"):
        assert open_page("data", view="sheets", page=nonsense).dataframe[0].value.shape[0] in {25, 2}


def test_a_ticked_sheet_is_opened(open_page, several):
    page = tick(open_page("data", view="sheets"), 1)
    page.button(key="data_open").click().run()
    assert page.query_params["sheet"] in (several[1].id, [several[1].id])


def test_several_sheets_take_a_step_together_and_back(open_page, workbench, several):
    workbench.sheets.move(several[0].id, "publish", by=ANN)  # A is the first of the list now
    page = tick(open_page("data", view="sheets"), 0, 1)
    assert {"Publish 1", "Unpublish 1", "Archive", "Delete"} <= set(labels(page.button))
    assert "Open" not in labels(page.button)
    page.button(key="data_bulk_archive").click().run()
    assert listed(page) == ["B"]
    assert "“A” and “C” are archived." in captions(page)
    page.button(key="data_undo").click().run()
    assert {sheet.name: sheet.status for sheet in workbench.sheets.find()} == {
        "A": "active",
        "B": "draft",
        "C": "draft",
    }
    assert "data_undo" not in {button.key for button in page.button}


def test_deleting_asks_first_says_how_to_undo_it_and_can_be_undone(open_page, workbench, several):
    page = tick(open_page("data", view="sheets"), 0)
    page.button(key="data_bulk_delete").click().run()
    assert "Delete “C”?" in captions(page)
    assert "An administrator can bring it back" in captions(page)
    page.button(key="data_delete_keep").click().run()
    assert "Delete “C”?" not in captions(page)
    page.button(key="data_bulk_delete").click().run()
    page.button(key="data_delete_do").click().run()
    assert listed(page) == ["B", "A"]
    page.button(key="data_undo").click().run()
    assert sorted(listed(page)) == ["A", "B", "C"]


def test_a_producer_is_told_who_can_bring_a_deleted_sheet_back(open_page, workbench, several):
    workbench.permissions.assign(BEN, Role.DATA_PRODUCER, by=ANN)
    mine = workbench.sheets.create(replace(DRAFT, name="Ben's"), by=BEN)
    page = open_page("data", user=BEN, sheet=mine.id)
    page.button(key="data_delete").click().run()
    page.button(key="data_delete_do").click().run()
    assert page.query_params["view"] in ("sheets", ["sheets"])
    assert "It can be brought back." in captions(page) and "may not change settings" in captions(page)
    assert "data_undo" not in {button.key for button in page.button}


def test_refusals_are_listed_for_each_sheet(open_page, workbench, several):
    from workbench_core.canonical_labels import LabelEntry

    workbench.canonical_labels.label([LabelEntry("m01", "x")], sheet_id=several[2].id, label_type="t", by=ANN)
    page = tick(open_page("data", view="sheets"), 0, 1)
    page.button(key="data_bulk_delete").click().run()
    page.button(key="data_delete_do").click().run()
    assert "“C”: “C” is in use: 1 canonical label. Archive it instead." in warnings(page)
    assert "“B” is deleted." in captions(page)
    assert listed(page) == ["C", "A"]


def test_a_sheet_that_cannot_be_read_is_told_and_spoils_nothing(open_page, workbench, several):
    workbench.store.execute("UPDATE sheets SET join_config = '{' WHERE id = :id", touches="sheets", id=several[1].id)
    page = open_page("data", view="sheets")
    assert listed(page) == ["C", "A"]
    assert "“B”" in warnings(page) and "cannot be read" in warnings(page)
    page = open_page("data", sheet=several[1].id)
    assert "The join of this sheet cannot be read" in warnings(page)
    assert "All sheets" in labels(page.button)


def test_an_administrator_brings_a_deleted_sheet_back(open_page, workbench, sheet):
    workbench.sheets.move(sheet.id, "delete", by=ANN)
    assert "deleted by ann@example.com" in warnings(open_page("data", sheet=sheet.id))
    page = tick(open_page("data", view="sheets", status="deleted"), 0)
    page.button(key="data_bulk_undelete").click().run()
    assert workbench.sheets.get(sheet.id).status == "draft"


# --- one sheet ------------------------------------------------------------------------------------------------------


def test_a_sheet_that_cannot_be_published_says_why_with_the_counts(open_page, workbench, mails):
    sheet = workbench.sheets.create(replace(DRAFT, item_id_column="topic", metadata_columns=()), by=ANN)
    page = open_page("data", sheet=sheet.id)
    assert "topic repeats itself in 58 rows" in warnings(page)
    page.button(key="data_publish").click().run()
    assert "cannot be published" in warnings(page)
    assert workbench.sheets.get(sheet.id).status == "draft"


@pytest.mark.parametrize(
    ("before", "action", "after"),
    [
        ((), "archive", "archived"),
        ((), "delete", "deleted"),
        (("publish",), "unpublish", "draft"),
        (("publish",), "archive", "archived"),
        (("archive",), "restore", "draft"),
    ],
)
def test_each_step_in_the_life_of_a_sheet_is_one_button(open_page, workbench, sheet, before, action, after):
    for step in before:
        workbench.sheets.move(sheet.id, step, by=ANN)
    was = workbench.sheets.get(sheet.id).status
    page = open_page("data", sheet=sheet.id)
    page.button(key=f"data_{action}").click().run()
    if action == "delete":
        page.button(key="data_delete_do").click().run()
    assert not page.error
    found = workbench.sheets.find(status=after)
    assert [one.id for one in found] == [sheet.id]
    page.button(key="data_undo").click().run()
    assert workbench.sheets.get(sheet.id).status == was


def test_the_history_tells_who_did_what_and_what_it_was_before(open_page, workbench, sheet):
    long = "topic = 'bills' OR " * 8 + "topic = 'spam'"
    workbench.sheets.update(sheet.id, replace(DRAFT, filter=long, text_columns=()), by=ANN, row_version=1)
    workbench.sheets.move(sheet.id, "publish", by=ANN)
    page = open_page("data", sheet=sheet.id, show="history")
    said = captions(page)
    assert [name for name in ("Publish", "Update", "Create") if f"[{name}]" in said] == ["Publish", "Update", "Create"]
    assert "text columns: **body** → :gray[nothing]" in said
    assert "filter: :gray[nothing] → **topic = 'bills' OR" in said
    assert ANN in said
    assert [one.label for one in page.expander] == [":material/notes: Whole texts"] or page.expander[0].label == (
        "Whole texts"
    )


def test_a_sheet_is_checked_again_and_says_when_by_whom_and_with_what_result(open_page, workbench, sheet):
    """SH-6."""
    page = open_page("data", sheet=sheet.id)
    assert "Checked just now by ann@example.com: 60 items" in captions(page)
    workbench.lake.drop(SOURCE)
    page.button(key="data_check_again").click().run()
    assert "Checked: 1 problem" in " ".join(toast.value for toast in page.toast)
    workbench.permissions.assign(BEN, Role.REVIEWER, by=ANN)
    assert open_page("data", user=BEN, sheet=sheet.id).button(key="data_check_again").disabled


def test_a_sheet_whose_table_is_gone_still_opens(open_page, workbench, sheet):
    workbench.lake.drop(SOURCE)
    for show in ("rows", "columns", "sources", "filter", "labels", "quality", "usage", "history"):
        page = open_page("data", sheet=sheet.id, show=show)
        assert "no table or folder" in warnings(page)
        assert len(page.metric) == 4


def test_a_reader_sees_everything_and_is_told_why_no_button_works(open_page, workbench, sheet):
    workbench.permissions.assign(BEN, Role.REVIEWER, by=ANN)
    page = open_page("data", user=BEN, sheet=sheet.id)
    assert "Rows 1 to 25 of 60" in captions(page)
    for action in ("publish", "archive", "delete"):
        button = page.button(key=f"data_{action}")
        assert button.disabled
        assert "Your role, reviewer, may not edit sheets" in button.help
    assert "may not edit sheets" in captions(open_page("data", user=BEN, sheet=sheet.id, show="columns"))
    assert open_page("data", user=BEN, table=SOURCE).button(key="data_make").disabled


def test_names_from_people_are_shown_as_they_are(open_page, workbench, mails):
    hostile = "**bold** [link](https://x.y) :red[x] <b>b</b> $a$"
    sheet = workbench.sheets.create(replace(DRAFT, name=hostile, description=hostile), by=ANN)
    page = open_page("data", sheet=sheet.id)
    assert "**bold**" not in page.title[0].value
    assert spoken(page.title[0].value) == hostile
    assert hostile in open_page("data", view="sheets").dataframe[0].value["Sheet"].tolist()
