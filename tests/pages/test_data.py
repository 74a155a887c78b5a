"""The Data page as a person meets it: the lake, a sheet in three clicks, and the life of a sheet."""

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


# --- the lake -------------------------------------------------------------------------------------------------------


def test_an_empty_lake_says_what_to_do_and_loads_the_demo_data(open_page, workbench):
    page = open_page("data")
    assert "lake is empty" in captions(page)
    page.button(key="data_demo_lake").click().run()
    assert workbench.demo.is_loaded()
    assert "lake is empty" not in captions(page)
    assert "demo.mail.messages" in captions(page)
    assert "Licence: PDDL" in captions(page)


def test_tables_are_searched_by_address(open_page, workbench, mails):
    assert "main.uploads.mails" in captions(open_page("data", find="mail"))
    page = open_page("data", find="nothing like this")
    assert "No table or folder matches" in captions(page)


def test_a_table_shows_columns_types_and_first_rows(open_page, mails):
    page = open_page("data", table=mails)
    rows, columns = (frame.value for frame in page.dataframe)
    assert rows["mail_id"].tolist()[:2] == ["m00", "m01"]
    assert columns["Column"].tolist() == ["mail_id", "topic", "body"]
    assert "60 rows · 3 columns" in captions(page)


def test_an_unknown_table_or_sheet_in_a_link_is_a_calm_sentence(open_page):
    assert "no table or volume" in warnings(open_page("data", table="main.uploads.nothing"))
    assert "does not exist" in warnings(open_page("data", sheet="'; DROP TABLE sheets; --"))


def test_a_table_with_personal_data_says_what_is_prohibited(open_page, workbench, tmp_path):
    file = tmp_path / "people.csv"
    file.write_text("id,name\n1,Zoë\n")
    entry = workbench.catalog.upload_table(file, file_name="people.csv", by=ANN, tags=["PII"])
    page = open_page("data", table=entry.name)
    assert "Prohibited uses of everything made from it: training, validation" in warnings(page)


def test_pictures_of_a_folder_are_shown_small_and_broken_ones_by_name(open_page, workbench):
    workbench.demo.load(by=ANN)
    workbench.catalog.upload_files([("broken.png", b"no picture"), ("odd [x](y).png", b"")], name="odd", by=ANN)
    page = open_page("data", table="demo.images.pictures")
    assert "astronaut.jpg" in captions(page)
    page = open_page("data", table="main.uploads.odd")
    assert "broken.png" in captions(page)
    assert "[x](y)" not in " ".join(element.value for element in page.caption)


# --- upload ---------------------------------------------------------------------------------------------------------


def upload(page, name: str, content: bytes, *, button: str = "uploads_send"):
    page.file_uploader[0].upload(name, content, "text/csv").run()
    page.button(key=button).click().run()
    return page


def test_an_uploaded_table_opens_at_once(open_page, workbench):
    page = upload(open_page("data"), "Q3 orders.csv", b"order_id,total\n1,2.5\n2,3.5\n")
    assert workbench.catalog.get("main.uploads.q3_orders").kind == "table"
    assert page.query_params["table"] == "main.uploads.q3_orders"
    assert "2 rows · 2 columns" in captions(page)


def test_a_malformed_file_is_one_clear_sentence_and_leaves_nothing(open_page, workbench):
    page = upload(open_page("data"), "orders.csv", b"order_id,total\n1,2.5\n2,3,4\n")
    assert "Line 3 has 3 values, but the first line names 2 columns." in warnings(page)
    assert workbench.catalog.find() == []
    assert not page.exception


def test_a_tag_chosen_at_the_upload_binds_the_table(open_page, workbench):
    page = open_page("data")
    page.file_uploader[0].upload("people.csv", b"id,name\n1,x\n", "text/csv").run()
    page.pills[0].select("PII").run()
    page.button(key="uploads_send").click().run()
    assert workbench.catalog.get("main.uploads.people").tags == ("PII",)


# --- a sheet in three clicks ----------------------------------------------------------------------------------------


def test_a_sheet_is_made_of_a_table_in_three_clicks(open_page, workbench, mails):
    page = open_page("data", table=mails)
    page.button(key="data_make").click().run()
    assert fields(page)["Identifier"].value == "mail_id"
    assert "Unique and never empty in all 60 rows" in captions(page)
    assert "60 of 60 rows" in captions(page)
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


def test_a_filter_is_counted_while_it_is_typed_and_refused_when_it_cannot_be_read(open_page, workbench, mails):
    page = open_page("data", table=mails, make="sheet")
    fields(page)["Filter"].input("topic = 'spam'").run()
    assert "20 of 60 rows" in captions(page)
    fields(page)["Filter"].input("topc = 'spam'").run()
    assert "There is no column “topc”" in captions(page)
    assert page.button(key="data_create").disabled
    fields(page)["Filter"].input("topic = 'spam'").run()
    page.button(key="data_create").click().run()
    assert workbench.sheets.find()[0].filter == "topic = 'spam'"


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


def test_an_administrator_brings_a_deleted_sheet_back(open_page, workbench, sheet):
    workbench.sheets.move(sheet.id, "delete", by=ANN)
    assert "deleted by ann@example.com" in warnings(open_page("data", sheet=sheet.id))
    page = open_page("data", view="sheets", status="deleted")
    page.button(key=f"data_undelete_{sheet.id}").click().run()
    assert workbench.sheets.get(sheet.id).status == "draft"


# --- one sheet ------------------------------------------------------------------------------------------------------


def test_the_rows_of_a_sheet_are_paged(open_page, workbench, mails):
    sheet = workbench.sheets.create(replace(DRAFT, filter="topic = 'bills'"), by=ANN)
    page = open_page("data", sheet=sheet.id)
    assert page.metric[0].value == "40"
    rows = page.dataframe[0].value
    assert (len(rows), rows["mail_id"].iloc[0]) == (25, "m01")
    assert list(rows.columns) == ["mail_id", "body", "topic"]


def test_a_sheet_that_cannot_be_published_says_why_with_the_counts(open_page, workbench, mails):
    sheet = workbench.sheets.create(replace(DRAFT, item_id_column="topic", metadata_columns=()), by=ANN)
    page = open_page("data", sheet=sheet.id)
    assert "topic repeats itself in 58 rows" in warnings(page)
    page.button(key="data_publish").click().run()
    assert "cannot be published" in warnings(page)
    assert workbench.sheets.get(sheet.id).status == "draft"


def test_settings_of_a_draft_are_changed_and_saved(open_page, workbench, sheet):
    page = open_page("data", sheet=sheet.id, show="settings")
    assert page.button(key="data_save").disabled
    fields(page)["Name"].input("Spam mails").run()
    fields(page)["Filter"].input("topic='spam'").run()
    page.button(key="data_save").click().run()
    saved = workbench.sheets.get(sheet.id)
    assert (saved.name, saved.filter) == ("Spam mails", "topic = 'spam'")
    assert page.metric[0].value == "20"


def test_the_second_of_two_people_learns_who_was_first_and_keeps_what_was_typed(open_page, workbench, sheet):
    page = open_page("data", sheet=sheet.id, show="settings")
    fields(page)["Name"].input("Ann's").run()
    workbench.permissions.assign(BEN, Role.DATA_PRODUCER, by=ANN)
    workbench.sheets.update(sheet.id, replace(DRAFT, name="Ben's"), by=BEN, row_version=1)
    page.button(key="data_save").click().run()
    assert f"just changed by {BEN}" in warnings(page)
    assert fields(page)["Name"].value == "Ann's"
    assert workbench.sheets.get(sheet.id).name == "Ben's"


def test_an_active_sheet_is_read_only_and_says_so(open_page, workbench, sheet):
    workbench.sheets.move(sheet.id, "publish", by=ANN)
    page = open_page("data", sheet=sheet.id, show="settings")
    assert "only a draft can be changed" in captions(page)
    assert page.dataframe[0].value["Value"].tolist()[1] == "mail_id"
    assert "Save" not in labels(page.button)


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
    for show in ("rows", "settings", "usage", "history"):
        page = open_page("data", sheet=sheet.id, show=show)
        assert "no table or volume" in warnings(page)
        assert len(page.metric) == 4


def test_a_reader_sees_everything_and_is_told_why_no_button_works(open_page, workbench, sheet):
    workbench.permissions.assign(BEN, Role.REVIEWER, by=ANN)
    page = open_page("data", user=BEN, sheet=sheet.id)
    assert len(page.dataframe[0].value) == 25
    for action in ("publish", "archive", "delete"):
        button = page.button(key=f"data_{action}")
        assert button.disabled
        assert "Your role, reviewer, may not edit sheets" in button.help
    assert "may not edit sheets" in captions(open_page("data", user=BEN, sheet=sheet.id, show="settings"))
    assert open_page("data", user=BEN, table=SOURCE).button(key="data_make").disabled
    assert open_page("data", user=BEN).button(key="uploads_send").disabled


def test_names_from_people_are_shown_as_they_are(open_page, workbench, mails):
    hostile = "**bold** [link](https://x.y) :red[x] <b>b</b> $a$"
    sheet = workbench.sheets.create(replace(DRAFT, name=hostile, description=hostile), by=ANN)
    page = open_page("data", sheet=sheet.id)
    assert "**bold**" not in page.title[0].value
    assert spoken(page.title[0].value) == hostile
    assert hostile in open_page("data", view="sheets").dataframe[0].value["Sheet"].tolist()
