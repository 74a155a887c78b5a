"""Sheets by mouse and by finger: three tables joined, columns moved in the grid, rows filtered, a file downloaded."""

from __future__ import annotations

import csv
import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.browser.conftest import App, running, tab
from tests.pages.data_parts import PREFIX, flights, table
from tests.review_data import ANN
from workbench_core.canonical_labels import LabelEntry
from workbench_core.settings import read_settings
from workbench_core.sheets import ColumnRef, JoinKey, Matches, SheetDraft, SheetStatus
from workbench_core.workbench import Workbench, open_workbench

PHONE = {"viewport": {"width": 390, "height": 844}, "is_mobile": True, "has_touch": True}
SHEETS = ("join", "columns", "slow", "filter", "phone", "other items")
SLOW_LINE = """() => {
  const add = WebSocket.prototype.addEventListener
  WebSocket.prototype.addEventListener = function (kind, listener, ...rest) {
    const late = kind === 'message' ? event => setTimeout(() => listener(event), 700) : listener
    return add.call(this, kind, late, ...rest)
  }
}"""  # what the server says arrives late
GRID = "iframe[title='st_aggrid.AgGrid.agGrid']"


class Person:
    """What a person does with a sheet, in the words on the screen."""

    def __init__(self, app: App, expect) -> None:
        self.app, self.page, self.expect = app, app.page, expect

    def press(self, name: str) -> None:
        """Press a button."""
        self.page.get_by_role("button", name=name).first.click()
        self.app.settle()

    def choose(self, label: str, option: str, *, last: bool = False) -> None:
        """Choose from a list; `last` takes the last field of this label."""
        boxes = self.page.get_by_test_id("stSelectbox").filter(has=self.page.get_by_text(label, exact=True))
        box = boxes.last if last else boxes.first
        box.locator("input").click()
        box.locator("input").fill(option)
        self.page.get_by_role("option", name=option, exact=True).click()
        self.app.settle()

    def sees(self, text: str | re.Pattern[str]) -> None:
        """Some text is on the page."""
        self.expect(self.page.get_by_text(text).first).to_be_visible(timeout=15_000)
        self.app.settle()

    def cell(self, row: str, column: int):
        """A cell of the grid."""
        return self.page.frame_locator(GRID).first.locator(f".ag-row[row-id='{row}'] [col-id='c{column}']")

    def save(self) -> None:
        """Save what was changed."""
        self.page.locator(".st-key-data_save").get_by_role("button").click()
        self.expect(self.page.locator(".st-key-data_save")).to_have_count(0)
        self.app.settle()

    def is_within_the_screen(self) -> None:
        """Nothing scrolls sideways."""
        main = self.page.get_by_test_id("stMain")
        assert main.evaluate("element => element.scrollWidth - element.clientWidth") <= 1

    def look(self, name: str) -> None:
        """Keep a picture of the screen when somebody wants to see it."""
        if folder := os.environ.get("WORKBENCH_TEST_PICTURES"):
            self.page.wait_for_timeout(800)
            self.page.screenshot(path=Path(folder) / f"{name}.png", full_page=True)


@pytest.fixture(scope="module")
def home(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("sheets")


@pytest.fixture(scope="module")
def workbench(home) -> Iterator[Workbench]:
    opened = open_workbench(read_settings({"WORKBENCH_HOME": str(home), "WORKBENCH_USER": ANN}))
    flights(opened, home)
    yield opened
    opened.close()


@pytest.fixture(scope="module")
def sheets(workbench) -> dict[str, str]:
    """A sheet for each test."""
    columns = ("tailnum", "origin", "delay", "departed")
    drafts = {
        name: SheetDraft(f"Flights {name}", f"{PREFIX}flights", "flight_id", metadata_columns=columns)
        for name in SHEETS
    }
    return {name: workbench.sheets.create(draft, by=ANN).id for name, draft in drafts.items()}


@pytest.fixture(scope="module")
def server(home, sheets) -> Iterator[str]:
    with running(home) as url:
        yield url


@pytest.fixture
def person(app, expect) -> Person:
    return Person(app, expect)


def add_source(person: Person, name: str) -> None:
    """Open the search and choose a table."""
    person.press("Add a source")
    person.choose("Table or folder", f"{PREFIX}{name}")


def test_three_tables_are_joined_by_clicking(person, workbench, sheets):
    person.app.open(f"data?sheet={sheets['join']}&show=sources")
    add_source(person, "planes")
    tick = person.cell("0", 0).locator("input")
    person.expect(tick).to_be_checked(timeout=20_000)
    person.look("adder")
    person.press("Add this source")
    add_source(person, "weather")
    person.cell("0", 0).locator("input").click(timeout=20_000)
    person.sees("origin = origin")
    person.press("Add this source")
    person.sees("Stale: preview again")
    person.look("stale")
    person.press("Preview join")
    person.sees("75.0 % of the items match")
    person.sees("“weather” matches one item with several rows")
    person.choose("When several rows match", "Latest by column", last=True)
    person.sees("Stale: preview again")
    person.press("Preview join")
    person.sees("The result has 30 rows, 1.00 for each matched item.")
    person.look("preview")
    person.save()
    saved = workbench.sheets.get(sheets["join"])
    assert [one.alias for one in saved.join.sources] == ["flights", "planes", "weather"]
    assert saved.join.keys == (
        JoinKey(ColumnRef("flights", "tailnum"), ColumnRef("planes", "tailnum")),
        JoinKey(ColumnRef("flights", "origin"), ColumnRef("weather", "origin")),
    )
    assert saved.join.sources[2].matches is Matches.LATEST
    person.page.get_by_role("radio", name="Rows").or_(person.page.get_by_role("button", name="Rows")).first.click()
    person.sees("Rows 1 to 25 of 30")
    person.expect(person.cell("1", 0)).to_have_text("f00", timeout=20_000)


def choose_from_list(person, option: str) -> None:
    """Pick from the list of a cell as a hand does: point, see it lit, click. The list moves to its place on opening."""
    grid = person.page.frame_locator(GRID).first
    item = grid.locator(".ag-list-item").get_by_text(option, exact=True)
    item.hover()
    person.expect(grid.locator(".ag-list-item.ag-active-item")).to_have_text(option)
    item.click()


def test_columns_are_moved_and_get_roles_in_the_grid(person, workbench, sheets):
    person.app.open(f"data?sheet={sheets['columns']}&show=columns")
    role = person.cell("origin", 1)
    role.wait_for(timeout=20_000)
    role.click()
    choose_from_list(person, "Text")
    person.sees(re.compile("Not saved yet"))
    person.expect(role).to_have_text("Text")
    grid = person.page.frame_locator(GRID).first
    handle = grid.locator(".ag-row[row-id='delay'] .ag-row-drag").bounding_box()
    target = grid.locator(".ag-row[row-id='tailnum']").bounding_box()
    mouse = person.page.mouse
    mouse.move(handle["x"] + 5, handle["y"] + 8)
    mouse.down()
    mouse.move(handle["x"] + 5, target["y"] + 25, steps=12)
    mouse.move(handle["x"] + 5, target["y"] + 6, steps=6)
    second = grid.locator(".ag-row[row-index='1']").first
    person.expect(second).to_have_attribute("row-id", "delay")  # a hand lets go when the row is where it should be
    mouse.up()
    person.sees(re.compile("order of columns"))
    person.look("columns")
    person.save()
    saved = workbench.sheets.get(sheets["columns"])
    assert saved.text_columns == ("origin",)
    assert saved.columns == ("flight_id", "delay", "tailnum", "origin", "departed")
    person.expect(second).to_have_attribute("row-id", "delay")


def test_a_role_chosen_before_the_server_answered_stays_with_its_column(person, sheets):
    """The click that opens the list chooses the column for the fields below too; their former values arrive late."""
    person.page.add_init_script(f"({SLOW_LINE})()")
    person.app.open(f"data?sheet={sheets['slow']}&show=columns")
    role = person.cell("origin", 1)
    role.wait_for(timeout=20_000)
    role.click()
    person.page.wait_for_timeout(300)  # longer than the pause after which the grid tells of the click
    choose_from_list(person, "Text")
    person.sees(re.compile("Not saved yet"))
    person.expect(role).to_have_text("Text")
    person.expect(person.cell("flight_id", 1)).to_have_text("Identifier")


def test_rows_are_filtered_by_the_builder_and_downloaded(person, workbench, sheets, tmp_path):
    person.app.open(f"data?sheet={sheets['filter']}&show=filter")
    person.sees("40 of 40 rows")
    person.press("Add a condition")
    person.choose("Column", "origin")
    person.choose("Value", "JFK")
    person.sees("20 of 40 rows")
    person.look("filter")
    person.save()
    assert workbench.sheets.get(sheets["filter"]).filter == "\"origin\" = 'JFK'"
    person.press("Export")
    person.sees("20 items, 5 columns")
    person.look("export")
    link = person.page.get_by_role("link", name="CSV")
    with person.page.context.expect_page() as tab_of_download, person.page.context.expect_event("page"):
        link.click()
    assert tab_of_download.value
    address = link.get_attribute("href")
    answer = person.page.request.get(f"{person.app.url}{address}")
    assert answer.headers["content-disposition"] == 'attachment; filename="flights_filter.csv"'
    file = tmp_path / "rows.csv"
    file.write_bytes(answer.body())
    with file.open(encoding="utf-8", newline="") as opened:
        rows = list(csv.DictReader(opened))
    assert len(rows) == 20
    assert {row["origin"] for row in rows} == {"JFK"}
    assert not list((Path(workbench.settings.home) / "downloads").iterdir())


def test_another_source_under_labels_is_asked_for_and_told_from_to(person, workbench, sheets, home):
    """SH-4."""
    sheet_id = sheets["other items"]
    entries = [LabelEntry(f"f{number:02d}", "late") for number in range(3)]
    workbench.canonical_labels.label(entries, sheet_id=sheet_id, label_type="delay", by=ANN)
    rows = [{"flight_id": f"f{n:02d}", "origin": "JFK", "wind": n} for n in (0, 1, *range(60, 68))]
    february = table(workbench, home, "february", rows)
    person.app.open(f"data?sheet={sheet_id}&show=sources")
    person.press("Change source")
    person.choose("Table or folder", february)
    person.sees("2 of 3 labelled items")
    person.look("changer")
    person.press("Take this source")
    person.page.locator(".st-key-data_save").get_by_role("button").click()
    person.sees(re.compile("Of 3 labelled items 2 are found in"))
    person.look("confirmation")
    assert workbench.sheets.get(sheet_id).source != february
    person.press("Save with other items")
    person.sees("1 of 3 labelled items are not among the rows of the source")
    assert workbench.sheets.get(sheet_id).source == february
    person.app.open(f"data?sheet={sheet_id}&show=history")
    person.sees(re.compile("main.uploads.february"))
    person.press("Check again")
    person.sees(re.compile("Checked just now by ann@.*example.com: 10 items"))


@pytest.mark.parametrize("app", [{}, PHONE], ids=["desktop", "phone"], indirect=True)
def test_two_sheets_are_ticked_deleted_and_brought_back(person, workbench, sheets, home):
    rows = [{"id": n} for n in range(3)]
    if f"{PREFIX}spare" not in {entry.name for entry in workbench.lake.tables()}:
        table(workbench, home, "spare", rows)
    width = person.page.viewport_size["width"]
    drafts = [SheetDraft(f"Spare {width} {name}", f"{PREFIX}spare", "id") for name in "AB"]
    made = [workbench.sheets.create(draft, by=ANN).id for draft in drafts]
    person.app.open(f"data?view=sheets&search=spare {width}")
    list_of_sheets = person.page.get_by_test_id("stDataFrame").locator(".dvn-scroller").first
    list_of_sheets.wait_for()
    person.page.wait_for_timeout(500)
    for row in (1, 2):
        list_of_sheets.click(position={"x": 18, "y": 35 * row + 18})
        person.sees("1 sheet" if row == 1 else "2 sheets")
    person.press("Delete")
    person.sees(f"Delete “Spare {width} B” and “Spare {width} A”?")
    person.is_within_the_screen()
    person.page.locator(".st-key-data_delete_do").get_by_role("button").click()
    person.sees(f"“Spare {width} B” and “Spare {width} A” are deleted.")
    assert workbench.sheets.listed([SheetStatus.DELETED]).total == 2
    person.look("deleted")
    person.press("Undo")
    person.expect(person.page.locator(".st-key-data_undo")).to_have_count(0)
    assert {workbench.sheets.get(sheet_id).status for sheet_id in made} == {"draft"}


def test_the_same_on_a_phone(server, chromium, workbench, sheets, expect):
    with tab(chromium, server, **PHONE) as opened:
        person = Person(opened, expect)
        opened.open(f"data?sheet={sheets['phone']}&show=sources")
        add_source(person, "planes")
        person.look("phone_adder")
        person.is_within_the_screen()
        person.press("Add this source")
        person.press("Preview join")
        person.sees("75.0 % of the items match")
        person.look("phone_preview")
        person.is_within_the_screen()
        person.save()
        opened.open(f"data?sheet={sheets['phone']}&show=columns")
        person.choose("Column", "flights__delay")
        person.press("Move up")
        person.choose("Role", "Text")
        person.sees(re.compile("Not saved yet"))
        person.look("phone_columns")
        person.is_within_the_screen()
        person.save()
        assert workbench.sheets.get(sheets["phone"]).text_columns == ("flights__delay",)
        opened.open(f"data?sheet={sheets['phone']}&show=filter")
        person.press("Add a condition")
        person.choose("Column", "flights__origin")
        person.choose("Value", "LGA")
        person.sees("15 of 30 rows")
        person.look("phone_filter")
        person.is_within_the_screen()
