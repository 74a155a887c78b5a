"""Conditions on numbers that a browser would round, and the lists that are longer than a page."""

from __future__ import annotations

import pytest

from tests.pages.conftest import ANN
from tests.pages.data_parts import PREFIX, captions, fields, table
from workbench_core.sheets import SheetDraft, SheetStatus

LARGE = 2**60 + 1


def filtered(workbench, tmp_path, rows, expression: str) -> str:
    table(workbench, tmp_path, "events", rows)
    draft = SheetDraft("Events", f"{PREFIX}events", "key", metadata_columns=("id",), filter=expression)
    return workbench.sheets.create(draft, by=ANN).id


@pytest.fixture
def large(workbench, tmp_path) -> str:
    """A sheet filtered by an identifier beyond what a browser keeps exactly."""
    rows = [{"key": "a", "id": LARGE}, {"key": "b", "id": LARGE - 1}]
    return filtered(workbench, tmp_path, rows, f"id = {LARGE}")


def test_a_number_beyond_what_a_browser_keeps_is_shown_exactly(open_page, large):
    page = open_page("data", sheet=large, show="rows")
    if "Value" not in fields(page):
        page = open_page("data", sheet=large, show="filter")
    assert fields(page)["Value"].value == str(LARGE)
    assert "1 of 2 rows" in captions(page)


def test_it_is_changed_digit_by_digit(open_page, workbench, large):
    page = open_page("data", sheet=large, show="filter")
    fields(page)["Value"].input(str(LARGE - 1)).run()
    assert "1 of 2 rows" in captions(page)
    fields(page)["Value"].input("1.5").run()
    assert "Enter a whole number" in captions(page)


def test_usual_numbers_keep_their_field(open_page, workbench, tmp_path):
    sheet = filtered(workbench, tmp_path, [{"key": "a", "id": 1}, {"key": "b", "id": 2}], "id = 1")
    page = open_page("data", sheet=sheet, show="filter")
    assert [field.value for field in page.number_input if field.label == "Value"] == [1]


# --- long lists ------------------------------------------------------------------------------------------------------


def test_the_first_rows_of_a_table_reach_to_a_hundred(open_page, workbench, tmp_path):
    name = table(workbench, tmp_path, "long", [{"id": number} for number in range(150)])
    page = open_page("data", table=name)
    assert len(page.dataframe[0].value) == 20
    assert "20 rows of 150" in captions(page)
    assert len(open_page("data", table=name, rows="100").dataframe[0].value) == 100
    assert len(open_page("data", table=name, rows="9" * 30).dataframe[0].value) == 20


def test_large_numbers_of_the_first_rows_are_shown_digit_by_digit(open_page, workbench, tmp_path):
    name = table(workbench, tmp_path, "large", [{"id": LARGE, "n": 1}, {"id": -LARGE, "n": 2}])
    shown = open_page("data", table=name).dataframe[0].value
    assert shown["id"].tolist() == [str(LARGE), str(-LARGE)]
    assert shown["n"].tolist() == [1, 2]


def test_a_page_of_the_lake_beyond_the_last_shows_the_last(open_page, workbench, tmp_path):
    for number in range(15):
        table(workbench, tmp_path, f"table_{number:02d}", [{"id": 1}])
    cards = lambda page: [one.key for one in page.button if (one.key or "").startswith("data_open_")]  # noqa: E731
    assert len(cards(open_page("data"))) == 12
    assert len(cards(open_page("data", page="2"))) == 3
    assert len(cards(open_page("data", page="4"))) == 3, "four pages once, two now"
    assert len(cards(open_page("data", page="2", find="table_0"))) == 10


def test_a_sheet_beyond_the_first_thousand_is_found_by_its_name_and_the_cut_is_said(
    open_page, workbench, tmp_path, monkeypatch
):
    monkeypatch.setattr("pages.components.quality_sheets.MAX_SHEETS", 3)
    table(workbench, tmp_path, "events", [{"key": "a"}])
    for number in range(5):
        workbench.sheets.create(SheetDraft(f"Sheet {number}", f"{PREFIX}events", "key"), by=ANN)
    gone = workbench.sheets.create(SheetDraft("Sheet archived", f"{PREFIX}events", "key"), by=ANN)
    workbench.sheets.move(gone.id, "archive", by=ANN)
    page = open_page("data_quality")
    assert "The 3 sheets that were changed last, of 5" in captions(page)
    page = open_page("data_quality", search="Sheet 0")
    assert [frame.value["Sheet"].tolist() for frame in page.dataframe] == [["Sheet 0"]]
    assert workbench.sheets.get(gone.id).status is SheetStatus.ARCHIVED
    assert "No sheet matches" in captions(open_page("data_quality", search="archived"))
