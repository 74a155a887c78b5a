"""What tests of the Data page share: how to read it, and tables to work with."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from tests.pages.conftest import ANN
from workbench_core.workbench import Workbench

BEN = "ben@example.com"
PREFIX = "main.uploads."


def spoken(text: str) -> str:
    """Text without the marks that keep it plain."""
    return text.replace("\\", "").replace("\u2060", "")


def boxes(page) -> str:
    """All boxes of a page: warnings, errors, good news."""
    found = (*page.warning, *page.error, *page.success, *page.info)
    return " ".join(spoken(f"{getattr(one.proto, 'title', '')} {one.value}") for one in found)


def captions(page) -> str:
    return " ".join(spoken(element.value) for element in (*page.caption, *page.markdown))


def fields(page) -> dict[str, object]:
    """Fields by their labels."""
    found = (*page.text_input, *page.text_area, *page.selectbox, *page.multiselect, *page.number_input, *page.toggle)
    return {element.label: element for element in found}


def choose(page, label: str, option: str):
    """Choose an option of a segmented control or list by what it says."""
    for element in page.get("button_group"):
        if element.label == label:
            return element.set_value(option).run()
    return fields(page)[label].select(option).run()


def table(workbench: Workbench, folder: Path, name: str, rows: Sequence[dict[str, object]]) -> str:
    """A table of the lake."""
    file = folder / f"{name}.parquet"
    pd.DataFrame(list(rows)).to_parquet(file, index=False)
    return workbench.catalog.upload_table(file, file_name=file.name, by=ANN).name


def flights(workbench: Workbench, folder: Path) -> None:
    """Forty flights, eight planes of which two fly never, and weather reports twice an hour."""
    hours = pd.Timestamp("2013-01-01 05:00")
    table(workbench, folder, "flights", [
        {"flight_id": f"f{n:02d}", "tailnum": f"N{n % 8}", "origin": "JFK" if n % 2 else "LGA", "delay": n - 10,
         "departed": hours + pd.Timedelta(minutes=n)}
        for n in range(40)
    ])  # fmt: skip
    table(workbench, folder, "planes", [
        {"tailnum": f"N{n}", "model": f"Model {n}", "seats": 100 + n} for n in (*range(6), 90, 91)
    ])  # fmt: skip
    table(workbench, folder, "weather", [
        {"report": n, "origin": airport, "measured": hours + pd.Timedelta(minutes=30 * n), "wind": n + 0.5}
        for n in range(3) for airport in ("JFK", "LGA")
    ])  # fmt: skip
