"""What tests of joins share: the shop, joins of two fresh tables, and how tables are written."""

from __future__ import annotations

import pandas as pd
import pytest

from tests.contract.lake_tables import key, primary, put, shop
from workbench_core.ports import Join, JoinKind, JoinSource

A, B, C, D = (f"main.t.{name}" for name in "abcd")
ID = "orders__id"


@pytest.fixture
def shop_lake(lake):
    shop(lake)
    return lake


def two(lake, left, right, *keys, kind=JoinKind.INNER, window=None, **source):
    """A join of two fresh tables as `a` and `b`."""
    for name, content in ((A, left), (B, right)):
        if any(entry.name == name for entry in lake.tables()):
            lake.drop(name)
        put(lake, name, content)
    return Join((primary(A, "a"), JoinSource(B, "b", **source)), keys or (key("a.k", "b.k"),), kind, window)


def frame(**columns):
    return pd.DataFrame(columns)
