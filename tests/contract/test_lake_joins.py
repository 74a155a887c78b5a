"""The contract of joins: which rows match, and what is refused and why (JN-2)."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from datetime import datetime, timedelta

import pyarrow as pa
import pytest

from tests.contract import join_parts
from tests.contract.join_parts import ID, A, B, C, D, frame, two
from tests.contract.lake_tables import CUSTOMERS, ORDERS, PRODUCTS, key, primary, put, ref, rows_of, shop_join
from workbench_core.errors import Invalid
from workbench_core.ports import Join, JoinKind, JoinSource, JoinStats, Matches, Selection, SourceRole, TimeWindow

shop_lake = join_parts.shop_lake  # a fixture


# --- which rows come (spec 2.2) ---


def test_a_left_join_keeps_every_row_of_the_primary_source(shop_lake):
    join = shop_join("left")
    assert rows_of(shop_lake, join, ID, "customers__name", "products__title", item_id=ID) == [
        ("o1", "Ada", "Pen"), ("o2", "Ada", "Pad"), ("o3", "Bea", "Pen"), ("o4", "Cem", None), ("o5", None, "Pen"),
        ("o6", None, "Pad"),
    ]  # fmt: skip
    assert shop_lake.count(Selection(join, ID)) == 6


def test_an_inner_join_keeps_only_rows_that_match_everywhere(shop_lake):
    assert rows_of(shop_lake, shop_join("inner"), ID, item_id=ID) == [("o1",), ("o2",), ("o3",)]


def test_a_full_join_keeps_all_rows_but_only_primary_rows_are_items(shop_lake):
    join = shop_join("full")
    plain = rows_of(shop_lake, join, ID, "customers__name")
    assert Counter(plain)[(None, "Dot")] == 1 and len(plain) == 7
    assert len(rows_of(shop_lake, join, ID, item_id=ID)) == 6
    assert shop_lake.check_identifier(join, ID).nulls == 1


def test_the_result_has_the_columns_of_all_sources_under_their_alias(shop_lake):
    columns = shop_lake.columns(shop_join())
    assert [(column.name, column.kind) for column in columns] == [
        ("orders__id", "string"), ("orders__customer", "number"), ("orders__product", "string"),
        ("orders__amount", "number"), ("orders__at", "time"), ("customers__id", "number"),
        ("customers__name", "string"), ("customers__city", "string"), ("products__code", "string"),
        ("products__title", "string"), ("products__weight", "number"),
    ]  # fmt: skip


def test_only_the_chosen_columns_come_and_keys_need_not_be_among_them(shop_lake):
    join = shop_join(
        sources=(
            primary(ORDERS, "orders", columns=("id", "AMOUNT")),
            JoinSource(CUSTOMERS, "customers", columns=("name",)),
            JoinSource(PRODUCTS, "products", columns=()),
        )
    )
    assert [column.name for column in shop_lake.columns(join)] == ["orders__id", "orders__amount", "customers__name"]
    assert rows_of(shop_lake, join, item_id=ID)[0] == ("o1", 10.0, "Ada")


def test_several_keys_must_all_be_equal_and_null_equals_nothing(lake):
    left = frame(id=[1, 2, 3, 4], k=["x", "x", None, "y"], n=[1, 2, 1, None])
    right = frame(k=["x", "x", None, "y"], n=[1, 3, 1, None], v=["good", "other", "null", "null"])
    join = two(lake, left, right, key("a.k", "b.k"), key("a.n", "b.n"), kind=JoinKind.LEFT)
    assert rows_of(lake, join, "a__id", "b__v", item_id="a__id") == [(1, "good"), (2, None), (3, None), (4, None)]


def test_keys_work_in_either_direction(shop_lake):
    turned = shop_join(keys=(key("customers.id", "orders.customer"), key("products.code", "orders.product")))
    assert rows_of(shop_lake, turned, item_id=ID) == rows_of(shop_lake, shop_join(), item_id=ID)


def test_sources_may_hang_on_other_sources_in_any_order(lake):
    put(lake, A, frame(id=["i1", "i2"], b=["b1", "b2"]))
    put(lake, B, frame(id=["b1", "b2"], c=[1, 2]))
    put(lake, C, frame(id=[1, 2], d=["7", "8"]))
    put(lake, D, frame(id=[7, 9], name=["seven", "nine"]))
    join = Join(
        (JoinSource(D, "d"), JoinSource(C, "c"), primary(A, "a"), JoinSource(B, "b")),
        (key("c.d", "d.id"), key("b.c", "c.id"), key("a.b", "b.id")),
        JoinKind.LEFT,
    )
    assert rows_of(lake, join, "a__id", "c__id", "d__name", item_id="a__id") == [("i1", 1, "seven"), ("i2", 2, None)]
    assert lake.columns(join)[0].name == "d__id", "columns come in the order of the sources"


def test_comments_of_columns_come_along(shop_lake):
    shop_lake.describe(CUSTOMERS, column_comments={"city": "Where the parcel goes"})
    comments = {column.name: column.comment for column in shop_lake.columns(shop_join())}
    assert comments["customers__city"] == "Where the parcel goes" and comments["customers__name"] == ""


def test_a_table_joins_itself_under_another_alias(lake):
    put(lake, A, frame(id=[1, 2, 3], parent=[2, 3, 0], name=["x", "y", "z"]))
    join = Join((primary(A, "child"), JoinSource(A, "parent")), (key("child.parent", "parent.id"),))
    assert rows_of(lake, join, "child__name", "parent__name", item_id="child__id") == [("x", "y"), ("y", "z")]


def test_a_volume_brings_its_files(lake):
    lake.put_files("main.t.pictures", {"ok/1.png": b"12", "ok/2.png": b"1"})
    put(lake, A, frame(id=["x", "y", "z"], picture=["ok/1.png", "ok/2.png", "gone.png"]))
    files = JoinSource("main.t.pictures", "files", SourceRole.IMAGES, columns=("name", "size_bytes"))
    join = Join((primary(A, "a"), files), (key("a.picture", "files.path"),), JoinKind.LEFT)
    assert rows_of(lake, join, "a__id", "files__name", "files__size_bytes", item_id="a__id") == [
        ("x", "1.png", 2), ("y", "2.png", 1), ("z", None, None),
    ]  # fmt: skip
    turned = Join((primary("main.t.pictures", "files"), JoinSource(A, "a")), (key("a.picture", "files.path"),))
    assert rows_of(lake, turned, "a__id", item_id="files__path") == [("x",), ("y",)]
    assert lake.join_stats(turned, "files__path") == JoinStats(2, 2, 2, 2)


# --- time window (JN-2) ---


def minutes(*offsets, start=datetime(2026, 1, 5, 9)):
    return [None if offset is None else start + timedelta(minutes=offset) for offset in offsets]


def window_join(lake, *, kind=JoinKind.LEFT, minutes_=5.0, **source):
    left = pa.table({"id": ["x", "y", "z"], "k": ["m", "m", "n"], "at": minutes(0, 60, None)})
    right = pa.table(
        {
            "k": ["m"] * 6 + ["n"],
            "at": minutes(-5, 5, 5.00001, 4, None, 62, 0),
            "v": ["early", "late", "out", "inside", "null", "second", "other"],
        }
    )
    window = TimeWindow(ref("a.at"), ref("b.at"), minutes_)
    return two(lake, left, right, kind=kind, window=window, **source)


def test_the_time_window_includes_its_limit_and_a_missing_time_matches_nothing(lake):
    rows = rows_of(lake, window_join(lake), "a__id", "b__v", item_id="a__id")
    assert sorted(rows, key=str) == [("x", "early"), ("x", "inside"), ("x", "late"), ("y", "second"), ("z", None)]


def test_a_time_window_of_nothing_and_of_a_fraction(lake):
    assert [row[1] for row in rows_of(lake, window_join(lake, minutes_=0), "a__id", "b__v", item_id="a__id")] == [
        None
    ] * 3
    found = rows_of(lake, window_join(lake, minutes_=4.5), "a__id", "b__v", item_id="a__id")
    assert found == [("x", "inside"), ("y", "second"), ("z", None)]


def test_the_choice_of_a_match_happens_inside_the_window(lake):
    latest = window_join(lake, matches=Matches.LATEST, order_column="at")
    assert rows_of(lake, latest, "a__id", "b__v", item_id="a__id") == [("x", "late"), ("y", "second"), ("z", None)]
    first = window_join(lake, matches=Matches.FIRST, order_column="at", kind=JoinKind.INNER)
    assert rows_of(lake, first, "a__id", "b__v", item_id="a__id") == [("x", "early"), ("y", "second")]
    every = window_join(lake, matches=Matches.LIST, order_column="at")
    assert rows_of(lake, every, "a__id", "b__v", item_id="a__id") == [
        ("x", ["early", "inside", "late"]), ("y", ["second"]), ("z", None),
    ]  # fmt: skip


def test_a_window_between_two_secondary_sources_and_turned_round(lake):
    put(lake, A, frame(id=["x"], k=[1]))
    put(lake, B, pa.table({"k": [1, 1], "at": minutes(0, 100), "v": ["p", "q"]}))
    put(lake, C, pa.table({"k": [1, 1], "day": minutes(3, 104), "w": ["r", "s"]}))
    sources = (primary(A, "a"), JoinSource(B, "b"), JoinSource(C, "c"))
    keys = (key("a.k", "b.k"), key("a.k", "c.k"))
    for window in (TimeWindow(ref("b.at"), ref("c.day")), TimeWindow(ref("c.day"), ref("b.at"))):
        rows = rows_of(lake, Join(sources, keys, window=window), "b__v", "c__w", item_id="a__id")
        assert rows == [("p", "r"), ("q", "s")]


# --- several matches (JN-2) ---

VISITS = {"k": ["m", "m", "m", "n", None], "at": [2, 3, 1, 9, 5], "v": ["b", "c", "a", None, "lost"]}


@pytest.mark.parametrize("shuffled", [False, True])
@pytest.mark.parametrize(
    ("source", "found"),
    [
        ({"matches": Matches.FIRST, "order_column": "at"}, ["a", None, None]),
        ({"matches": Matches.LATEST, "order_column": "AT"}, ["c", None, None]),
        ({"matches": Matches.FIRST}, ["a", None, None]),
        ({"matches": Matches.LATEST, "order_column": "v"}, ["c", None, None]),
        ({"matches": Matches.LIST, "order_column": "at"}, [["a", "b", "c"], [None], None]),
        ({"matches": Matches.LIST}, [["a", "b", "c"], [None], None]),
    ],
    ids=str,
)
def test_several_matches_become_one_whatever_the_layout_of_the_data(lake, source, found, shuffled):
    visits = frame(**VISITS)
    visits = visits.sample(frac=1, random_state=3) if shuffled else visits
    join = two(lake, frame(id=["x", "y", "z"], k=["m", "n", "o"]), visits, kind=JoinKind.LEFT, **source)
    assert rows_of(lake, join, "b__v", item_id="a__id") == [(value,) for value in found]
    assert lake.check_identifier(join, "a__id").is_valid
    inner = replace(join, kind=JoinKind.INNER)
    assert rows_of(lake, inner, "b__v", item_id="a__id") == [(value,) for value in found[:2]]


def test_the_first_of_equal_times_does_not_depend_on_the_layout(lake):
    visits = frame(k=["m"] * 4, at=[1] * 4, v=list("dbca"))
    join = two(lake, frame(id=["x"], k=["m"]), visits, matches=Matches.LATEST, order_column="at")
    assert rows_of(lake, join, "b__v") == [("a",)]


def test_lists_are_nested_columns_of_the_result(lake):
    join = two(lake, frame(id=["x"], k=["m"]), frame(**VISITS), matches=Matches.LIST)
    assert {column.name: (column.kind, column.data_type) for column in lake.columns(join)}["b__at"] == (
        "nested",
        "BIGINT[]",
    )
    assert lake.page(Selection(join, "a__id"))["b__at"][0] == [1, 2, 3]


@pytest.mark.parametrize("matches", [Matches.FIRST, Matches.LIST])
def test_a_full_join_with_a_choice_keeps_rows_that_match_nothing(lake, matches):
    left = frame(id=["x", "y"], k=["m", "z"])
    right = frame(k=["m", "m", "q", "q", None], v=["b", "a", "q1", "q2", "lost"])
    join = two(lake, left, right, kind=JoinKind.FULL, matches=matches)
    rows = rows_of(lake, join, "a__id", "b__v")
    one = {Matches.FIRST: lambda value: value, Matches.LIST: lambda value: [value]}[matches]
    matched = ("x", "a") if matches is Matches.FIRST else ("x", ["a", "b"])
    assert sorted(rows, key=str) == sorted(
        [matched, ("y", None), (None, one("q1")), (None, one("q2")), (None, one("lost"))], key=str
    )
    assert [row[0] for row in rows_of(lake, join, "a__id", item_id="a__id")] == ["x", "y"]


def test_a_third_source_hangs_on_a_chosen_match(lake):
    put(lake, A, frame(id=["x", "y"], k=["m", "o"]))
    put(lake, B, frame(k=["m", "m"], at=[1, 2], c=["c1", "c2"]))
    put(lake, C, frame(id=["c1", "c2"], v=["one", "two"]))
    for kind, rows in (
        (JoinKind.LEFT, [("x", "two"), ("y", None)]),
        (JoinKind.FULL, [("x", "two"), ("y", None), (None, "one")]),
    ):
        sources = (primary(A, "a"), JoinSource(B, "b", matches=Matches.LATEST, order_column="at"), JoinSource(C, "c"))
        join = Join(sources, (key("a.k", "b.k"), key("b.c", "c.id")), kind)
        assert rows_of(lake, join, "a__id", "c__v") == rows


# --- what is refused (JN-2) ---


def invalid_joins():
    orders, customers = primary(ORDERS, "orders"), JoinSource(CUSTOMERS, "customers")
    products, by_customer = JoinSource(PRODUCTS, "products"), key("orders.customer", "customers.id")
    both = (orders, customers)
    window = TimeWindow(ref("orders.at"), ref("customers.id"))
    twice, times = (key("orders.id", "o2.id"),), (ref("orders.at"), ref("o2.at"))
    chain = (by_customer, key("customers.id", "more.id"))
    return {
        "one source": (Join((orders,), ()), ["2 to 5", "has 1"]),
        "six sources": (
            Join((orders, *(JoinSource(CUSTOMERS, f"c{n}") for n in range(5))), ()),
            ["2 to 5", "has 6"],
        ),
        "no primary": (Join((JoinSource(ORDERS, "orders"), customers), (by_customer,)), ["exactly one", "none"]),
        "two primaries": (
            Join((orders, primary(CUSTOMERS, "customers")), (by_customer,)),
            ["exactly one primary", "orders, customers"],
        ),
        "same alias": (Join((orders, JoinSource(CUSTOMERS, "Orders")), (by_customer,)), ["Two sources"]),
        "alias with two underscores": (
            Join((orders, JoinSource(CUSTOMERS, "a__b")), (by_customer,)),
            ["“a__b”", "cannot name"],
        ),
        "alias that ends in an underscore": (Join((orders, JoinSource(CUSTOMERS, "c_")), (by_customer,)), ["“c_”"]),
        "alias with a quote": (Join((orders, JoinSource(CUSTOMERS, 'c"; --')), (by_customer,)), ["cannot name"]),
        "unknown alias": (Join(both, (key("orders.customer", "clients.id"),)), ["“clients”", "not part"]),
        "unknown table": (Join((orders, JoinSource("shop.sales.nothing", "customers")), (by_customer,)), ["nothing"]),
        "unknown column": (Join(both, (key("orders.customers", "customers.id"),)), ["“orders”", "“customers”"]),
        "unknown chosen column": (
            Join((orders, replace(customers, columns=("nam",))), (by_customer,)),
            ["“customers”", "“nam”"],
        ),
        "unknown order column": (
            Join((orders, replace(customers, matches=Matches.LATEST, order_column="when")), (by_customer,)),
            ["“when”"],
        ),
        "latest by nothing": (
            Join((orders, replace(customers, matches=Matches.LATEST)), (by_customer,)),
            ["latest match of “customers”"],
        ),
        "no key": (Join((*both, products), (by_customer,)), ["No key", "“products”"]),
        "unreachable": (
            Join((*both, products, JoinSource(PRODUCTS, "more")), (by_customer, key("products.code", "more.code"))),
            ["“products” and “more”", "do not lead", "“orders”"],
        ),
        "a key within one source": (Join(both, (by_customer, key("orders.id", "orders.id"))), ["with itself"]),
        "types that never match": (Join(both, (key("orders.at", "customers.id"),)), ["a time", "a number"]),
        "a window over no time": (Join(both, (by_customer,), window=window), ["“customers.id”", "not a time"]),
        "a window of less than nothing": (
            Join((orders, JoinSource(ORDERS, "o2")), twice, window=TimeWindow(*times, -1)),
            ["-1 minutes"],
        ),
        "a window without end": (
            Join((orders, JoinSource(ORDERS, "o2")), twice, window=TimeWindow(*times, float("nan"))),
            ["nan minutes"],
        ),
        "a primary that is reduced": (
            Join((replace(orders, matches=Matches.FIRST), customers), (by_customer,)),
            ["primary source “orders”"],
        ),
        "a key into a list": (
            Join((orders, replace(customers, matches=Matches.LIST), JoinSource(CUSTOMERS, "more")), chain),
            ["“more”", "lists"],
        ),
        "no columns": (
            Join((replace(orders, columns=()), replace(customers, columns=())), (by_customer,)),
            ["No column"],
        ),
    }  # fmt: skip


@pytest.mark.parametrize("case", invalid_joins())
def test_a_join_that_cannot_be_made_is_explained(shop_lake, case):
    join, words = invalid_joins()[case]
    for read in (
        lambda: shop_lake.columns(join),
        lambda: shop_lake.page(Selection(join, ID)),
        lambda: shop_lake.join_stats(join, ID),
        lambda: shop_lake.query_text(Selection(join, ID)),
    ):
        with pytest.raises(Invalid) as caught:
            read()
        assert all(word in caught.value.message for word in words), caught.value.message
        assert caught.value.hint and "\n" not in caught.value.message


def test_an_alias_may_hold_single_underscores_and_digits(shop_lake):
    sources = (primary(ORDERS, "orders_2026"), JoinSource(CUSTOMERS, "c1"))
    join = Join(sources, (key("orders_2026.customer", "c1.id"),))
    assert shop_lake.count(Selection(join, "orders_2026__id")) == 4
