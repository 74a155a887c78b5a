"""Fixtures for the fast tests: a throw-away SQLite store, a folder as the lake, a clock that the test moves."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from workbench_core.adapters.local.lake import LocalLake
from workbench_core.adapters.store import open_store
from workbench_core.history import History
from workbench_core.permissions import Permissions
from workbench_core.runs import Runs

SCHEMAS = Path(__file__).resolve().parents[2] / "schemas"
ANN = "ann@example.com"  # an administrator, as everybody is on a laptop


class FixedClock:
    """A clock that stands still until it is moved; every reading is one millisecond later, to keep an order."""

    def __init__(self) -> None:
        self.now = datetime(2026, 1, 5, 9, 0, tzinfo=UTC)

    def __call__(self) -> datetime:
        self.now += timedelta(milliseconds=1)
        return self.now

    def move(self, **parts: float) -> None:
        self.now += timedelta(**parts)


@pytest.fixture
def clock():
    return FixedClock()


@pytest.fixture
def store(tmp_path):
    opened = open_store(f"sqlite:///{tmp_path / 'store.db'}", schemas=SCHEMAS)
    yield opened
    opened.close()


@pytest.fixture
def lake(tmp_path):
    return LocalLake(tmp_path)


@pytest.fixture
def history(store, clock):
    return History(store, clock)


@pytest.fixture
def permissions(store, history, clock):
    return Permissions(store, history, clock, default_role="admin")


@pytest.fixture
def runs(store, clock):
    return Runs(store, clock)
