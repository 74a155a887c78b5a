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


def test_an_administrator_brings_a_deleted_sheet_back(open_page, workbench, sheet):
    workbench.sheets.move(sheet.id, "delete", by=ANN)
    assert "deleted by ann@example.com" in warnings(open_page("data", sheet=sheet.id))
    page = open_page("data", view="sheets", status="deleted")
    page.button(key=f"data_undelete_{sheet.id}").click().run()
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
    page = open_page("data", sheet=sheet.id)
    page.button(key=f"data_{action}").click().run()
    assert not page.error
    found = workbench.sheets.find(status=after)
    assert [one.id for one in found] == [sheet.id]


def test_the_history_tells_who_did_what(open_page, workbench, sheet):
    workbench.sheets.move(sheet.id, "publish", by=ANN)
    history = open_page("data", sheet=sheet.id, show="history").dataframe[0].value
    assert history["What"].tolist() == ["Publish", "Create"]
    assert history["Who"].tolist() == [ANN, ANN]


def test_a_sheet_whose_table_is_gone_still_opens(open_page, workbench, sheet):
    workbench.lake.drop(SOURCE)
    for show in ("rows", "columns", "sources", "filter", "labels", "usage", "history"):
        page = open_page("data", sheet=sheet.id, show=show)
        assert "no table or volume" in warnings(page)
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
