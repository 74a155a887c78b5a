"""Fixtures for page tests: a workbench in a temporary folder, and pages opened as a person would, by address."""

from __future__ import annotations

from pathlib import Path

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


def labels(elements) -> list[str]:
    """The labels of buttons or fields, for asserting what a person can do."""
    return [element.label for element in elements]


def work(workbench: Workbench) -> None:
    """Do all queued long work now, in this thread."""
    worker = workbench.worker()
    while worker.run_one():
        pass
