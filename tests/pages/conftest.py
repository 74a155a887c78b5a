"""Fixtures for page tests: a workbench in a temporary folder, and pages opened as a person would, by address."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace

import pandas as pd
import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from workbench_core import cached
from workbench_core.settings import read_settings
from workbench_core.workbench import Workbench, open_workbench

ROUTER = str(Path(__file__).resolve().parents[2] / "pages" / "router.py")
ANN = "ann@example.com"


@pytest.fixture
def workbench(tmp_path, monkeypatch) -> Workbench:
    """The workbench that the pages of this test see; Ann is an administrator in it."""
    opened = open_workbench(read_settings({"WORKBENCH_HOME": str(tmp_path), "WORKBENCH_USER": ANN}))
    monkeypatch.setattr(cached, "workbench", lambda: opened)
    st.cache_data.clear()
    yield opened
    opened.close()


@pytest.fixture
def open_page(workbench):
    """Open a page by name with query parameters; every error on it fails the test unless it is expected."""

    def open_(name: str, *, user: str = ANN, **query: str) -> AppTest:
        page = AppTest.from_file(ROUTER, default_timeout=60)
        page.user = {"email": user}
        for key, value in query.items():
            page.query_params[key] = value
        page.switch_page(f"{name}.py") if name != "home" else None
        page.run()
        assert not page.exception, page.exception[0].message
        return page

    return open_


class Grids:
    """What the grids of a page show, and what the browser would send back: page tests cannot run AgGrid itself.

    Grids are found by a part of their key, and columns by their titles.
    """

    def __init__(self) -> None:
        self._shown: dict[str, tuple[pd.DataFrame, dict[str, str]]] = {}
        self._answers: dict[str, dict[str, object]] = {}

    def draw(self, frame: pd.DataFrame, *, gridOptions: dict, key: str, **_options: object) -> SimpleNamespace:  # noqa: N803
        """Stand in for AgGrid."""
        titles = {column["field"]: column["headerName"] for column in gridOptions["columnDefs"]}
        self._shown.pop(key, None)  # the one that was drawn last stands last
        self._shown[key] = (frame, titles)
        return SimpleNamespace(raw_data=self._answers.get(key))

    def rows(self, part: str) -> pd.DataFrame:
        """The rows of the grid that was drawn last, indexed by their ids."""
        frame, titles = self._shown[self._key(part)]
        return frame.set_index("id").rename(columns=titles)

    def edit(self, part: str, row: str, title: str, value: object) -> None:
        """Change a cell."""
        frame, titles = self._shown[self._key(part)]
        column = next(field for field, name in titles.items() if name == title)
        before = frame.set_index("id").loc[row, column]
        self._log(part, {"row": row, "col": column, "old": before, "new": value})

    def arrange(self, part: str, order: Sequence[str]) -> None:
        """Drag rows into this order."""
        self._log(part, {"order": list(order)})

    def select(self, part: str, *rows: str) -> None:
        """Click rows."""
        key = self._key(part)
        self._answers[key] = {**self._answer(key), "selected": list(rows)}

    def _log(self, part: str, entry: dict[str, object]) -> None:
        key = self._key(part)
        answer = self._answer(key)
        edits = answer["edits"]
        self._answers[key] = {**answer, "edits": [*edits, {"seq": len(edits) + 1, **entry}]}

    def _answer(self, key: str) -> dict[str, object]:
        return self._answers.get(key) or {"nonce": f"{id(self)}-{key}", "edits": [], "selected": []}

    def _key(self, part: str) -> str:
        return next(key for key in reversed(self._shown) if part in key)


@pytest.fixture
def grids(monkeypatch) -> Grids:
    """The grids of the pages of this test."""
    made = Grids()
    monkeypatch.setattr("st_aggrid.AgGrid", made.draw)
    return made


def labels(elements) -> list[str]:
    """The labels of buttons or fields, for asserting what a person can do."""
    return [element.label for element in elements]


def work(workbench: Workbench) -> None:
    """Do all queued long work now, in this thread."""
    worker = workbench.worker()
    while worker.run_one():
        pass
