"""Tables and joins for the lake's contract tests, small enough to check by eye."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from workbench_core.ports import ColumnRef, Join, JoinKey, JoinSource, Selection, SourceRole, TableEntry

BOARDS, PICTURES = "demo.acme.boards", "demo.acme.pictures"
ORDERS, CUSTOMERS, PRODUCTS = "shop.sales.orders", "shop.sales.customers", "shop.sales.products"


def put(lake, name, content, *, tags=(), licence=""):
    """Make a frame or an Arrow table a table of the lake."""
    table = content if isinstance(content, pa.Table) else pa.Table.from_pandas(content, preserve_index=False)
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "upload.parquet"
        pq.write_table(table, file)
        entry = TableEntry(name, "table", tags=tags, licence=licence)
        lake.put_table(name, file, original_name="upload.parquet", entry=entry)
    return name


def ref(text):
    """A column from `alias.column`."""
    alias, _, column = text.partition(".")
    return ColumnRef(alias, column)


def key(left, right):
    """A join key from two `alias.column`."""
    return JoinKey(ref(left), ref(right))


def primary(table, alias, **more):
    """The primary source of a join."""
    return JoinSource(table, alias, SourceRole.PRIMARY, **more)


def rows_of(lake, join, *columns, item_id="", **selection):
    """All rows of a join as tuples, gaps as None."""
    frame = lake.page(Selection(join, item_id, **selection), columns=columns, limit=100_000)
    names = columns or [name for name in frame.columns if name != "item_ref"]
    return [
        tuple(None if not isinstance(value, list) and pd.isna(value) else value for value in row)
        for row in frame[list(names)].astype(object).itertuples(index=False)
    ]


def shop(lake):
    """Six orders, of which o5 has an unknown customer and o6 none; customer 4 never ordered."""
    put(
        lake,
        ORDERS,
        pd.DataFrame(
            {
                "id": ["o1", "o2", "o3", "o4", "o5", "o6"],
                "customer": pd.array([1, 1, 2, 3, 9, None], dtype="Int64"),
                "product": ["p1", "p2", "p1", "p3", "p1", "p2"],
                "amount": [10.0, 20.0, 30.0, 40.0, 50.0, 60.0],
                "at": pd.to_datetime([f"2026-01-05 09:{minute:02d}" for minute in (0, 10, 20, 30, 40, 50)]),
            }
        ),
        tags=("INTERNAL",),
        licence="CC0",
    )
    put(
        lake,
        CUSTOMERS,
        pd.DataFrame({"id": [1, 2, 3, 4], "name": ["Ada", "Bea", "Cem", "Dot"], "city": ["Ulm", "Ulm", "Bonn", None]}),
        tags=("PII", "INTERNAL"),
        licence="CC BY 4.0",
    )
    put(lake, PRODUCTS, pd.DataFrame({"code": ["p1", "p2"], "title": ["Pen", "Pad"], "weight": [5, 300]}))


def shop_join(kind="left", **changes):
    """Orders with their customer and product."""
    parts = {
        "sources": (primary(ORDERS, "orders"), JoinSource(CUSTOMERS, "customers"), JoinSource(PRODUCTS, "products")),
        "keys": (key("orders.customer", "customers.id"), key("orders.product", "products.code")),
        "kind": kind,
    }
    from workbench_core.ports import JoinKind

    return Join(**{**parts, "kind": JoinKind(kind), **changes})


def boards(count=200):
    """Boards b-000... over lines A (half), B (a third), C (the rest but one) and D (one)."""
    lines = ["D" if n == 0 else "A" if n % 6 < 3 else "B" if n % 6 < 5 else "C" for n in range(count)]
    return pd.DataFrame(
        {
            "board_id": [f"b-{n:03d}" for n in range(count)],
            "line": lines,
            "score": [n / 10 for n in range(count)],
            "note": [None if n % 7 == 0 else f"note {n}" for n in range(count)],
        }
    )


def everything(source=BOARDS, **changes):
    return Selection(source, **{"item_id_column": "board_id", **changes})


def refs(lake, selection):
    return list(lake.page(selection, limit=1_000_000)["item_ref"])


def on_disk(tmp_path):
    """All files and folders of the home but the place for what is being written, which is empty when nothing is."""
    found = (str(path.relative_to(tmp_path / "home")) for path in (tmp_path / "home").rglob("*"))
    return sorted(path for path in found if not path.endswith("/.scratch"))
