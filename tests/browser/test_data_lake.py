"""From a file on a person's disk to a sheet in the browser, and a look into a folder; on a desktop and on a phone."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image

from tests.browser.conftest import running, tab
from tests.review_data import ANN
from workbench_core.canonical_labels import LabelEntry
from workbench_core.settings import read_settings
from workbench_core.sheets import SheetDraft
from workbench_core.workbench import open_workbench

DESKTOP: dict[str, object] = {}
PHONE = {"viewport": {"width": 390, "height": 844}, "is_mobile": True, "has_touch": True}
SCREENS = pytest.mark.parametrize(("name", "screen"), [("desk", DESKTOP), ("phone", PHONE)], ids=["desktop", "phone"])
GRID = "iframe[title='st_aggrid.AgGrid.agGrid']"


def drawn(kind: str, count: int = 1) -> bytes:
    """A small picture, or a PDF of so many pages."""
    out = io.BytesIO()
    pictures = [Image.new("RGB", (300, 420), color) for color in ("white", "silver", "gray")[:count]]
    pictures[0].save(out, kind, **({"save_all": True, "append_images": pictures[1:]} if kind == "PDF" else {}))
    return out.getvalue()


@pytest.fixture(scope="module")
def lake(tmp_path_factory) -> Iterator[str]:
    """The app over a lake with one folder."""
    home = tmp_path_factory.mktemp("lake")
    opened = open_workbench(read_settings({"WORKBENCH_HOME": str(home), "WORKBENCH_USER": ANN}))
    files = [("boards/b1.png", drawn("PNG")), ("manual.pdf", drawn("PDF", 3))]
    opened.catalog.upload_files(files, name="inspection", by=ANN)
    opened.close()
    with running(home) as url:
        yield url


def is_within(page) -> bool:
    """Whether nothing has to be scrolled sideways."""
    return page.get_by_test_id("stMain").evaluate("element => element.scrollWidth - element.clientWidth") <= 1


@SCREENS
def test_an_own_file_becomes_a_table_and_a_sheet(lake, chromium, tmp_path: Path, expect, name, screen):
    """Types are seen and corrected before anything is kept; from the table to the sheet it takes three clicks."""
    file = tmp_path / f"shop {name}.csv"
    rows = [f"{1_000 + number},{number * 1.5},2026-01-{number % 28 + 1:02d}" for number in range(40)]
    file.write_text("order_id,total,placed_on\n" + "\n".join(rows))
    with tab(chromium, lake, **screen) as opened:
        page = opened.open("data?view=add").page
        page.locator("input[type=file]").first.set_input_files(str(file))
        expect(page.get_by_text(f"It will be main.uploads.shop_{name}")).to_be_visible()
        grid = page.frame_locator(GRID)
        order = grid.locator(".ag-row[row-id='order_id']")
        expect(grid.locator(".ag-row[row-id='total']")).to_contain_text("Number")
        expect(grid.locator(".ag-row[row-id='placed_on']")).to_contain_text("Time")
        expect(order).to_contain_text("Number")
        order.locator("input[type=checkbox]").click()
        expect(order).to_contain_text("String")
        assert is_within(page)
        page.get_by_role("button", name="Add table with 40 rows").click()
        expect(page.get_by_role("heading", level=1, name=f"shop_{name}")).to_be_visible()
        expect(page.get_by_text("is in the lake.")).to_be_visible()

        opened.open("data")
        page.get_by_role("button", name=re.compile(f"shop_{name}")).click()
        page.get_by_role("button", name="Make a sheet of it").click()
        page.get_by_role("button", name="Create sheet").click()
        expect(page.get_by_role("heading", level=1, name=f"Shop {name}")).to_be_visible()
        assert "sheet=sheet-" in page.url


@SCREENS
def test_a_folder_opens_down_to_a_picture_and_a_page(lake, chromium, expect, name, screen):
    """The address knows the folder, the file and the page."""
    with tab(chromium, lake, **screen) as opened:
        page = opened.open("data?table=main.uploads.inspection").page
        page.get_by_role("button", name="manual.pdf", exact=True).click()
        expect(page.get_by_alt_text("Page 1 of manual.pdf")).to_be_visible()
        page.get_by_role("button", name=re.compile("page 3$", re.IGNORECASE)).click()
        expect(page.get_by_alt_text("Page 3 of manual.pdf")).to_be_visible()
        assert is_within(page)
        page.reload()
        opened.settle()
        expect(page.get_by_alt_text("Page 3 of manual.pdf")).to_be_visible()
        page.get_by_test_id("stMain").get_by_role("button", name="inspection").click()
        page.get_by_role("button", name="boards").click()
        page.get_by_role("button", name="b1.png", exact=True).click()
        expect(page.get_by_alt_text("Picture b1.png")).to_have_js_property("naturalWidth", 300)  # no thumbnail
        assert is_within(page)


def orders(numbers) -> str:
    """A month of orders."""
    rows = [f"{number:05d},{number * 1.5},Call first" for number in numbers]
    return "order_id,total,note\n" + "\n".join(rows) + "\n"


@pytest.fixture(scope="module")
def january(tmp_path_factory) -> Iterator[str]:
    """The app over a table of forty orders with a sheet and labels of ten."""
    home = tmp_path_factory.mktemp("months")
    file = home / "orders.csv"
    file.write_text(orders(range(40)))
    opened = open_workbench(read_settings({"WORKBENCH_HOME": str(home), "WORKBENCH_USER": ANN}))
    table = opened.catalog.upload_table(file, file_name="orders.csv", by=ANN).name
    sheet = opened.sheets.create(SheetDraft("Orders to check", table, "order_id", text_columns=("note",)), by=ANN)
    entries = [LabelEntry(f"{number:05d}", "ok") for number in range(10)]
    opened.canonical_labels.label(entries, sheet_id=sheet.id, label_type="check", by=ANN)
    opened.close()
    with running(home) as url:
        yield url


def test_the_next_months_rows_are_added(january, chromium, tmp_path: Path, expect):
    """From the table to its new rows: what they do is seen first; rows that are there already are updated instead."""
    file = tmp_path / "february.csv"
    file.write_text(orders(range(35, 60)))
    with tab(chromium, january) as opened:
        page = opened.open("data?table=main.uploads.orders").page
        page.get_by_role("button", name="New rows").click()
        page.locator("input[type=file]").first.set_input_files(str(file))
        expect(page.get_by_text("The table has 5 identifiers of the file already")).to_be_visible()
        expect(page.get_by_role("button", name="Add 25 rows")).to_be_disabled()
        page.get_by_role("button", name="Update these rows instead").click()
        expect(page.get_by_text("40 rows → 60 rows")).to_be_visible()
        expect(page.get_by_text("All 10 labelled items stay.")).to_be_visible()
        expect(page.frame_locator(GRID).locator(".ag-row[row-id='order_id']")).to_contain_text("Stays")
        assert is_within(page)
        page.get_by_role("button", name="Update 5 rows, add 20").click()
        expect(page.get_by_text("60 rows · 3 columns")).to_be_visible()
        page.get_by_role("button", name="Orders to check").click()
        expect(page.get_by_role("heading", level=1, name="Orders to check")).to_be_visible()
        expect(page.get_by_test_id("stMetric").filter(has_text="Items")).to_contain_text("60")
