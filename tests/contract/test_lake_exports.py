"""Rows of a selection as a new table or as a file to take away: whole or not at all, safe to open (SH-10)."""

from __future__ import annotations

import csv
import json
import threading
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.contract.lake_tables import CUSTOMERS, ORDERS, put, shop, shop_join
from workbench_core.errors import AlreadyExists, BackendError, Conflict, Invalid, NotFound
from workbench_core.ports import Selection, TableEntry

NEW = "main.exports.rows"
ID = "orders__id"
FORMULAS = [
    "=1+1", "+49 30", "-5+2", "@SUM(A1)", "\tx", "\rx", " =1", "\n=1", "\u00a0=1",
    "\u200b+1|a", "\ufeff=1", "＝1", "＋1", "－1", "＠A",
]  # fmt: skip
HARMLESS = ["1=1", "a-b", "-5", "+1.5e3", "'=1", "", "😀=", "ü", '"=1', "a\nb", "a,b;c", " a"]


@pytest.fixture
def lake(lake):
    shop(lake)
    return lake


def on_disk(tmp_path):
    return sorted(str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if path.is_file())


def read_csv(file):
    with file.open(encoding="utf-8", newline="") as text:
        return list(csv.DictReader(text))


# --- a new table ---


def test_the_rows_of_a_join_become_a_table(lake):
    lake.describe(CUSTOMERS, column_comments={"city": "Where the parcel goes"})
    selection = Selection(shop_join(), ID, where="orders__amount < 60", excluded_refs=("o2",))
    entry = lake.write_table(NEW, selection)

    assert lake.entry(NEW) == entry
    written, joined = (
        [replace(column, is_nullable=True) for column in lake.columns(each)] for each in (NEW, shop_join())
    )
    assert written == joined, "names, types, kinds and comments stay"
    page = lake.page(Selection(NEW, ID))
    pd.testing.assert_frame_equal(page, lake.page(selection))
    assert list(page["item_ref"]) == ["o1", "o3", "o4", "o5"]


def test_a_written_table_inherits_tags_licences_and_says_where_it_is_from(lake):
    entry = lake.write_table(NEW, Selection(shop_join(), ID))
    assert entry.tags == ("INTERNAL", "PII")
    assert entry.licence == "CC0; CC BY 4.0"
    assert "shop.sales.orders, shop.sales.customers, shop.sales.products" in entry.source
    about = TableEntry("", "", "For the audit", ("AUDIT",), "ours", "January orders")
    assert lake.write_table("main.exports.more", Selection(ORDERS, "id"), entry=about) == TableEntry(
        "main.exports.more", "table", "For the audit", ("AUDIT", "INTERNAL"), "ours", "January orders"
    )


def test_chosen_columns_and_the_identifier_only_when_asked_for(lake):
    lake.write_table(NEW, Selection(shop_join(), ID, item_refs=("o1",)), columns=["customers__name", "item_ref"])
    assert [(column.name, column.data_type) for column in lake.columns(NEW)] == [
        ("customers__name", "VARCHAR"), ("item_ref", "VARCHAR"),
    ]  # fmt: skip
    assert lake.page(Selection(NEW, "item_ref")).to_dict("records") == [{"item_ref": "o1", "customers__name": "Ada"}]
    lake.write_table("main.exports.plain", Selection(ORDERS, "", where="amount > 50"))
    assert lake.columns("main.exports.plain")[0].name == "id"


def test_a_sample_is_written_in_the_order_of_its_identifiers(lake):
    selection = Selection(shop_join(), ID, sample_size=4, stratify_column="customers__city")
    lake.write_table(NEW, selection)
    assert list(lake.page(Selection(NEW, ""))[ID]) == list(lake.page(selection)["item_ref"])


def test_every_kind_of_value_survives_in_a_table(lake):
    table = pa.table(
        {
            "id": ["a", "b"],
            "exact": pa.array([Decimal("12.50"), None]),
            "tags": pa.array([["x", None], None]),
            "place": pa.array([{"site": "Ulm", "hall": 3}, None]),
            "raw": pa.array([b"\x00=", None]),
            "at": pa.array([datetime(2026, 1, 5, 9, tzinfo=UTC), None]),
            "clock": pa.array([datetime(2026, 1, 5, 9, 30).time(), None]),
        }
    )
    put(lake, "main.t.a", table)
    lake.write_table(NEW, Selection("main.t.a", "id"))
    assert lake.columns(NEW) == lake.columns("main.t.a")
    pd.testing.assert_frame_equal(lake.page(Selection(NEW, "id")), lake.page(Selection("main.t.a", "id")))


def test_files_of_a_volume_become_a_table(lake):
    lake.put_files("main.t.files", {"a/1.png": b"12", "b.png": b"1"}, entry=TableEntry("", "", tags=("PII",)))
    entry = lake.write_table(NEW, Selection("main.t.files", "path"), columns=["path", "size_bytes"])
    assert entry.kind == "table" and entry.tags == ("PII",)
    assert list(lake.page(Selection(NEW, "path"))["size_bytes"]) == [2, 1]


@pytest.mark.parametrize(
    ("name", "selection", "columns", "error"),
    [
        (ORDERS, Selection(CUSTOMERS, "id"), (), AlreadyExists),
        ("../x", Selection(ORDERS, "id"), (), Invalid),
        (NEW, Selection(ORDERS, "id", where="amount < 0"), (), Invalid),
        (NEW, Selection(ORDERS, "id", where="amount <"), (), Invalid),
        (NEW, Selection(ORDERS, "id", where="cast(product as integer) = 1"), (), Invalid),
        (NEW, Selection(ORDERS, "id"), ("nothing",), Invalid),
        (NEW, Selection(ORDERS, ""), ("item_ref",), Invalid),
        (NEW, Selection("shop.sales.nothing", "id"), (), NotFound),
    ],
)
def test_a_table_that_cannot_be_written_leaves_nothing_behind(lake, tmp_path, name, selection, columns, error):
    before = on_disk(tmp_path)
    with pytest.raises(error) as caught:
        lake.write_table(name, selection, columns=columns)
    assert caught.value.hint
    assert on_disk(tmp_path) == before
    assert lake.count(Selection(ORDERS, "id")) == 6


def test_a_table_written_over_itself_is_refused(lake):
    with pytest.raises(AlreadyExists, match=r"shop\.sales\.orders"):
        lake.write_table(ORDERS, Selection(ORDERS, "id", where="amount > 30"))
    assert lake.count(Selection(ORDERS, "id")) == 6


def test_a_table_is_overwritten_in_one_step_only_when_asked(lake, tmp_path):
    lake.write_table(NEW, Selection(ORDERS, "id"), entry=TableEntry(NEW, "table", tags=("AUDIT",)))
    reading = lake.batches(Selection(NEW, "id"), size=1)
    first = next(reading)
    entry = lake.write_table(NEW, Selection(ORDERS, "id", where="amount > 30"), columns=["id"], overwrites=True)
    assert set(entry.tags) == {"AUDIT", "INTERNAL"} and [column.name for column in lake.columns(NEW)] == ["id"]
    assert list(lake.page(Selection(NEW, "id"))["item_ref"]) == ["o4", "o5", "o6"]
    assert len(first) + sum(len(batch) for batch in reading) == 6, "whoever reads the old rows goes on"
    with pytest.raises(Invalid, match="No rows"):
        lake.write_table(NEW, Selection(ORDERS, "id", where="amount < 0"), overwrites=True)
    assert lake.count(Selection(NEW, "id")) == 3, "what was there stays"
    lake.put_files("main.exports.files", {"a.png": b"1"})
    with pytest.raises(Conflict, match="folder"):
        lake.write_table("main.exports.files", Selection(ORDERS, "id"), overwrites=True)


def test_two_exports_to_one_name_at_once_keep_exactly_one(lake, tmp_path):
    outcomes = []

    def write(refs):
        try:
            lake.write_table(NEW, Selection(shop_join(), ID, item_refs=refs))
            outcomes.append(len(refs))
        except AlreadyExists:
            outcomes.append(0)

    threads = [threading.Thread(target=write, args=(refs,)) for refs in (("o1",), ("o1", "o2"), ("o1", "o2", "o3"))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(outcomes) == 3 and sum(1 for rows in outcomes if rows) == 1
    assert lake.count(Selection(NEW, ID)) == max(outcomes)
    assert not [name for name in on_disk(tmp_path) if name.endswith(".part")]


def test_a_written_table_joins_like_any_other(lake):
    lake.write_table(NEW, Selection(shop_join("inner"), ID))
    lake.drop(NEW)
    lake.write_table(NEW, Selection(shop_join("inner"), ID), columns=[ID])
    assert lake.count(Selection(NEW, ID)) == 3


# --- a file to take away ---


def test_rows_come_as_csv_in_the_order_of_the_identifier(lake, tmp_path):
    file = tmp_path / "out" / "rows.csv"
    selection = Selection(shop_join(), ID, where="orders__amount >= 40")
    assert lake.export_file(selection, file, columns=[ID, "customers__name", "orders__amount", "orders__at"]) == 3
    assert file.read_text("utf-8") == (
        "orders__id,customers__name,orders__amount,orders__at\n"
        "o4,Cem,40.0,2026-01-05 09:30:00\n"
        "o5,,50.0,2026-01-05 09:40:00\n"
        "o6,,60.0,2026-01-05 09:50:00\n"
    )
    assert on_disk(file.parent) == ["rows.csv"]


def test_a_text_that_a_spreadsheet_would_run_gets_an_apostrophe(lake, tmp_path):
    texts = [*FORMULAS, *HARMLESS]
    ids = [f"{n:02d}" for n in range(len(texts))]
    content = pd.DataFrame({"id": ids, "=text": texts, "number": [-1.5] * len(texts), "none": [None] * len(texts)})
    put(lake, "main.t.a", content)
    file = tmp_path / "rows.csv"
    assert lake.export_file(Selection("main.t.a", "id"), file) == len(texts)
    rows = read_csv(file)
    assert list(rows[0]) == ["id", "'=text", "number", "none"], "a column's name is a cell too"
    assert [row["'=text"] for row in rows] == [*(f"'{text}" for text in FORMULAS), *HARMLESS]
    assert {row["number"] for row in rows} == {"-1.5"}, "a number stays a number"


def test_identifiers_and_values_of_other_text_types_are_made_safe_too(lake, tmp_path):
    table = pa.table({"id": ["=1", "b"], "raw": pa.array([b"=1+1", None])})
    put(lake, "main.t.a", table)
    lake.export_file(Selection("main.t.a", "id"), tmp_path / "rows.csv", columns=["item_ref", "raw"])
    assert read_csv(tmp_path / "rows.csv") == [{"item_ref": "'=1", "raw": "3d312b31"}, {"item_ref": "b", "raw": ""}]


def test_nested_values_are_json_in_csv(lake, tmp_path):
    put(
        lake,
        "main.t.a",
        pa.table(
            {"id": ["a", "b"], "tags": pa.array([["=x", 'q"', "😀"], None]), "place": [{"site": "Ulm", "hall": 3}] * 2}
        ),
    )
    lake.export_file(Selection("main.t.a", "id"), tmp_path / "rows.csv")
    first, second = read_csv(tmp_path / "rows.csv")
    assert json.loads(first["tags"]) == ["=x", 'q"', "😀"] and second["tags"] == ""
    assert json.loads(first["place"]) == {"site": "Ulm", "hall": 3}


def test_a_csv_export_can_be_taken_in_again(lake, tmp_path):
    lake.export_file(Selection(ORDERS, "id"), tmp_path / "rows.csv")
    lake.put_table(NEW, tmp_path / "rows.csv", original_name="rows.csv")
    again, before = (lake.page(Selection(name, "id")) for name in (NEW, ORDERS))
    pd.testing.assert_frame_equal(again, before, check_dtype=False)


def test_rows_come_as_parquet_with_their_types(lake, tmp_path):
    file = tmp_path / "rows.parquet"
    assert lake.export_file(Selection(shop_join(), ID), file, format="parquet") == 6
    table = pq.read_table(file)
    assert table.column_names == [column.name for column in lake.columns(shop_join())]
    assert table["orders__amount"].to_pylist() == [10.0, 20.0, 30.0, 40.0, 50.0, 60.0]
    assert table.schema.field("orders__at").type == pa.timestamp("us")


def test_a_file_without_rows_has_the_names_of_its_columns(lake, tmp_path):
    assert lake.export_file(Selection(CUSTOMERS, "id", where="id > 9"), tmp_path / "rows.csv") == 0
    assert (tmp_path / "rows.csv").read_text() == "id,name,city\n"


def test_hostile_names_come_whole(lake, tmp_path):
    name = "we\"ird, 😀 'n; --"
    put(lake, "main.t.a", pd.DataFrame({name: ["it's", 'c"d, e']}))
    file = tmp_path / "o'neil [1] *.csv"
    assert lake.export_file(Selection("main.t.a", name), file) == 2
    assert read_csv(file) == [{name: 'c"d, e'}, {name: "it's"}]


@pytest.mark.parametrize("format_", ["csv", "parquet"])
def test_a_file_that_is_there_stays_as_it_is(lake, tmp_path, format_):
    file = tmp_path / "rows.csv"
    file.write_text("mine")
    with pytest.raises(AlreadyExists, match=r"rows\.csv"):
        lake.export_file(Selection(ORDERS, "id"), file, format=format_)
    assert file.read_text() == "mine" and [path.name for path in tmp_path.glob("*.part")] == []


def test_an_export_that_fails_half_way_leaves_nothing_behind(lake, tmp_path):
    out = tmp_path / "out"
    out.mkdir()
    texts = ["1"] * 300_000 + ["no number"]
    put(lake, "main.t.a", pa.table({"id": [f"{n:06d}" for n in range(len(texts))], "text": texts}))
    selection = Selection("main.t.a", "id", where="cast(text as integer) = 1")
    for write in (
        lambda: lake.export_file(selection, out / "rows.csv"),
        lambda: lake.export_file(selection, out / "rows.parquet", format="parquet"),
        lambda: lake.write_table(NEW, selection),
    ):
        with pytest.raises(Invalid, match="no number"):
            write()
    assert list(out.iterdir()) == []
    with pytest.raises(NotFound):
        lake.entry(NEW)


def test_a_folder_that_cannot_be_written_is_told(lake, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(BackendError, match="cannot be written") as caught:
        lake.export_file(Selection(ORDERS, "id"), tmp_path / "file" / "rows.csv")
    assert caught.value.hint


def test_a_large_export_is_streamed(lake, tmp_path):
    put(lake, "main.t.a", pa.table({"id": range(300_000), "text": ["=a text of some length"] * 300_000}))
    assert lake.export_file(Selection("main.t.a", "id"), tmp_path / "rows.csv") == 300_000
    with (tmp_path / "rows.csv").open() as lines:
        assert sum(1 for _ in lines) == 300_001
