"""New rows for a table as a person meets them: what they would do, the choice, and the button that does it."""

from __future__ import annotations

import pytest

from tests.pages.conftest import ANN, labels
from tests.pages.test_data_lake import choose, keep, named, spoken, warnings, words_of
from workbench_core.canonical_labels import LabelEntry
from workbench_core.catalog import ChangeMode, TableChange, Wishes
from workbench_core.permissions import Role
from workbench_core.sheets import SheetDraft

BEN = "ben@example.com"
ORDERS = "main.uploads.orders"
HEAD = "order_id,total,note\n"


def csv(numbers, head: str = HEAD) -> bytes:
    return (head + "".join(f"{number:05d},{number * 1.5},Call first\n" for number in numbers)).encode()


@pytest.fixture
def orders(workbench, tmp_path):
    """Thirty orders, a sheet on them, and labels of ten."""
    file = tmp_path / "orders.csv"
    file.write_bytes(csv(range(30)))
    name = workbench.catalog.upload_table(file, file_name="orders.csv", by=ANN, tags=["PII"]).name
    sheet = workbench.sheets.create(SheetDraft("Orders to check", name, "order_id", text_columns=("note",)), by=ANN)
    entries = [LabelEntry(f"{number:05d}", "ok") for number in range(10)]
    workbench.canonical_labels.label(entries, sheet_id=sheet.id, label_type="check", by=ANN)
    return name


@pytest.fixture
def bring(open_page, grids, orders):
    """Choose a file for the table, as the button on its page leads to."""

    def bring_(content: bytes, *, file: str = "february.csv", user: str = ANN):
        return choose(open_page("data", user=user, view="add", to=orders), (file, content))

    return bring_


def mode(page, name: str):
    return next(one for one in page.segmented_control if one.label == "What the rows do").set_value(name).run()


def count(workbench, name: str = ORDERS) -> int:
    return workbench.catalog.preview(name).row_count


def refusals(page) -> str:
    return " ".join(spoken(element.value) for element in page.error)


def test_the_next_month_is_added_from_the_page_of_the_table(open_page, workbench, grids, orders):
    page = open_page("data", table=orders)
    page.button(key="data_new_rows").click().run()
    assert (page.query_params["view"], page.query_params["to"]) == ("add", orders)
    page = choose(page, ("february.csv", csv(range(30, 50))))
    text = words_of(page)
    assert "main.uploads.orders is there already" in text and "**30 rows** → **50 rows**" in text
    assert "**Orders to check** 30 → 50 items" in text
    assert "order_id, the identifier, is different in every row." in text
    assert "All 10 labelled items stay." in text
    assert "Its sheet keeps every labelled item and a clear identifier." in text
    assert grids.rows("intake_columns")["What happens"].to_dict() == {
        "order_id": "Stays", "total": "Stays", "note": "Stays",
    }  # fmt: skip
    assert "Add 20 rows" in labels(page.button)
    assert count(workbench) == 30
    keep(page)
    assert page.query_params["table"] == orders and count(workbench) == 50
    assert "50 rows" in words_of(page) and "then rows of february.csv" in words_of(page)


def test_rows_that_are_there_already_are_told_and_updated_with_one_click(bring, workbench):
    page = bring(csv(range(28, 32)))
    assert "The table has 2 identifiers of the file already in “order_id”: “00028”, “00029”." in refusals(page)
    assert page.button(key="intake_keep").disabled
    page.button(key="intake_update").click().run()
    assert "Update 2 rows, add 2" in labels(page.button) and not refusals(page)
    keep(page)
    assert count(workbench) == 32


def test_a_replacement_says_which_labelled_items_would_be_gone(bring, workbench, grids):
    page = mode(bring(csv(range(4, 20)) + b"00019,1,twice\n"), "replace")
    text = words_of(page)
    assert "4 of 10 labelled items would not be there any more. Their labels stay and count again" in text
    assert "order_id, the identifier, would repeat itself in 1 row." in text
    assert "4 labelled items would not be there any more" in warnings(page)
    assert "Replace 30 rows by 17" in labels(page.button)
    keep(page)
    assert count(workbench) == 17


def test_columns_that_a_sheet_uses_do_not_vanish(bring, workbench, grids):
    page = mode(bring(csv(range(30), "order_id,total,remark\n")), "replace")
    assert "The file does not have “note”, which the sheet “Orders to check” uses." in refusals(page)
    assert page.button(key="intake_keep").disabled
    assert grids.rows("intake_columns")["What happens"].to_dict() == {
        "order_id": "Stays", "total": "Stays", "note": "Goes", "remark": "New",
    }  # fmt: skip


def test_new_columns_are_offered_and_can_be_left_out(bring, workbench, grids):
    page = bring(csv(range(30, 32), "order_id,total,remark\n"))
    assert grids.rows("intake_columns").loc["remark", "What happens"] == "New"
    next(box for box in page.checkbox if "remark" in box.label).uncheck().run()
    assert grids.rows("intake_columns").loc["remark", "What happens"] == "Left out"
    keep(page)
    assert "remark" not in {column.name for column in workbench.catalog.columns(ORDERS)} and count(workbench) == 32


def test_a_column_that_does_not_fit_is_named(bring, grids):
    page = bring(b"order_id,total,note\n00040,cheap,x\n")
    assert "“total”: 1 value is no number, for example “cheap”" in refusals(page)
    assert grids.rows("intake_columns").loc["total", "What happens"] == "Does not fit"


def test_tags_of_the_table_stay_and_more_can_be_added(bring, workbench):
    page = bring(csv(range(30, 31)))
    assert "Prohibits training, validation; restricted." in words_of(page)
    assert page.pills[0].options == ["Health data", "Confidential"]
    page.pills[0].select("CONFIDENTIAL").run()
    keep(page)
    assert workbench.catalog.get(ORDERS).tags == ("PII", "CONFIDENTIAL")


def test_another_name_makes_a_table_of_its_own(bring, workbench):
    page = named(bring(csv(range(30, 40))), "orders february")
    assert "Add table with 10 rows" in labels(page.button)
    keep(page)
    assert count(workbench) == 30 and count(workbench, "main.uploads.orders_february") == 10


def test_the_second_of_two_people_is_told_and_sees_what_would_change_now(bring, workbench, tmp_path):
    page = bring(csv(range(30, 40)))
    other = tmp_path / "other"
    other.write_bytes(csv(range(40, 45)))
    workbench.permissions.assign(BEN, Role.DATA_PRODUCER, by=ANN)
    wishes = Wishes(name="orders", change=TableChange(ChangeMode.ADD))
    workbench.catalog.upload_archive(other, file_name="other.csv", by=BEN, wishes=wishes)
    keep(page)
    assert f"was changed by {BEN} since you looked at it" in warnings(page).replace("\u2060", "")
    assert "**35 rows** → **45 rows**" in words_of(page) and count(workbench) == 35
    keep(page)
    assert count(workbench) == 45


def test_a_table_of_the_demo_data_gets_no_new_rows(open_page, workbench):
    workbench.demo.load(by=ANN)
    page = open_page("data", table="demo.mail.messages")
    assert "data_new_rows" not in {button.key for button in page.button}


def test_a_first_row_of_numbers_is_declared_to_be_names_or_values(open_page, workbench, grids):
    page = choose(open_page("data", view="add"), ("years.csv", b"2019,2020\n1,2\n3,4\n"))
    assert "The first line holds numbers only." in warnings(page)
    choice = next(one for one in page.segmented_control if one.label == "The first row")
    choice.set_value("Names of the columns").run()
    assert list(grids.rows("intake_types").index) == ["2019", "2020"]
    next(one for one in page.segmented_control if one.label == "The first row").set_value("Values").run()
    assert "A table of **3 rows** and **2 columns**" in words_of(page)


def test_a_person_says_what_separates_the_values(open_page, workbench, grids):
    page = choose(open_page("data", view="add"), ("sales.csv", b"Datum;Betrag, EUR\n2024-01-01;12,50\n"))
    assert list(grids.rows("intake_types").index) == ["Datum", "Betrag, EUR"]
    choice = next(one for one in page.segmented_control if one.label == "Values are separated by")
    choice.set_value("Commas").run()
    assert list(grids.rows("intake_types").index) == ["Datum;Betrag", "EUR"]


def test_how_large_files_may_be_is_told_before_one_is_chosen(open_page):
    assert "Up to 200 MB a file through the browser." in words_of(open_page("data", view="add"))
    assert "Parquet may have 20.0 GB" in words_of(open_page("data", **{"view": "add", "from": "server"}))


# --- exports ----------------------------------------------------------------------------------------------------------


def test_an_export_is_overwritten_only_when_ticked_and_removed_like_an_upload(open_page, workbench, orders, grids):
    (sheet,) = workbench.sheets.find()
    workbench.sheets.export_table(sheet.id, "checked", by=ANN)
    page = open_page("data", sheet=sheet.id)
    page.text_input(key="data_export_name").input("fresh").run()
    assert "data_export_over_main.exports.fresh" not in {box.key for box in page.checkbox}
    page.text_input(key="data_export_name").input("Checked").run()
    assert "main.exports.checked is there already: overwrite it, or choose another name." in words_of(page)
    assert page.button(key="data_export_table").disabled
    page.checkbox(key="data_export_over_main.exports.checked").check().run()
    page.button(key="data_export_table").click().run()
    assert page.query_params["table"] == "main.exports.checked"
    assert workbench.history.of("sheet", sheet.id)[0].action == "export table"
    page.button(key="data_drop").click().run()
    assert "main.exports.checked" not in {entry.name for entry in workbench.catalog.find()}
