"""The contract of joins: which rows match, what is refused and why, how well sources fit (JN-1 to JN-4)."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pandas as pd
import pyarrow as pa
import pytest

from tests.contract.lake_tables import CUSTOMERS, ORDERS, PRODUCTS, key, primary, put, ref, rows_of, shop, shop_join
from workbench_core.errors import Invalid
from workbench_core.ports import Join, JoinKind, JoinSource, JoinStats, Matches, Selection, SourceRole, TimeWindow

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


# --- types of keys (JN-1) ---


UTC_NINE = datetime(2026, 1, 5, 9, tzinfo=UTC)


@pytest.mark.parametrize(
    ("left", "right", "matches"),
    [
        ([7], ["7"], True),
        ([7], ["7.0"], True),
        ([7], ["007"], False),
        ([7.0], ["7"], True),
        ([7.5], ["7.50"], True),
        ([-0.0], ["0"], True),
        ([2**53 + 1], [str(2**53 + 1)], True),
        ([2**53 + 1], [str(2**53)], False),
        ([Decimal("7.00")], ["7"], True),
        ([Decimal("10.00")], ["10"], True),
        ([100], ["1"], False),
        ([7], [7.0], True),
        ([7], [Decimal("7.00")], True),
        ([7], [7.1], False),
        ([True], ["TRUE"], True),
        ([True], ["false"], False),
        ([UTC_NINE], ["2026-01-05T09:00:00Z"], True),
        ([UTC_NINE], ["not a time"], False),
        ([UTC_NINE], [datetime(2026, 1, 5, 9)], True),
        ([datetime(2026, 1, 5).date()], [datetime(2026, 1, 5)], True),
        ([datetime(2026, 1, 5).date()], ["2026-01-05"], True),
        (["a"], ["A"], False),
        (["😀 '; --"], ["😀 '; --"], True),
    ],
    ids=str,
)
def test_values_of_different_types_match_when_they_mean_the_same(lake, left, right, matches):
    for first, second in ((left, right), (right, left)):
        tables = [pa.table({"id": ["x"], "k": pa.array(values)}) for values in (first, second)]
        join = two(lake, *tables)
        assert lake.count(Selection(join, "a__id")) == (1 if matches else 0)
        comparison = lake.compare_keys(A, "k", B, "k")
        assert comparison.overlap == comparison.containment == (1.0 if matches else 0.0), "JN-1 compares like the join"


@pytest.mark.parametrize(
    ("left", "right", "words"),
    [
        ([7], [True], ["a number", "true or false"]),
        ([7], [UTC_NINE], ["a number", "a time"]),
        ([True], [UTC_NINE], ["true or false", "a time"]),
        ([["x"]], ["x"], ["varchar[]", "cannot be a key"]),
        ([b"x"], ["x"], ["blob", "cannot be a key"]),
    ],
    ids=str,
)
def test_types_that_never_match_are_refused_with_both_names(lake, left, right, words):
    tables = [pa.table({"id": ["x"], "k": pa.array(values)}) for values in (left, right)]
    join = two(lake, *tables)
    for read in (lambda: lake.columns(join), lambda: lake.count(Selection(join, "a__id"))):
        with pytest.raises(Invalid) as caught:
            read()
        assert all(word in caught.value.message for word in [*words, "a.k"]) and caught.value.hint
    with pytest.raises(Invalid):
        lake.compare_keys(A, "k", B, "k")


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


# --- match statistics (JN-2) ---


def test_match_statistics_count_items_in_every_source(shop_lake):
    assert shop_lake.join_stats(shop_join("left"), ID) == JoinStats(6, 3, 6, 3)
    assert shop_lake.join_stats(shop_join("inner"), ID) == JoinStats(6, 3, 3, 3)
    assert shop_lake.join_stats(shop_join("full"), ID) == JoinStats(6, 3, 7, 3)
    stats = shop_lake.join_stats(shop_join("left"), "ORDERS__id")
    assert (stats.unmatched_rows, stats.share, stats.fan_out) == (3, 0.5, 1.0)


@pytest.mark.parametrize("kind", list(JoinKind))
def test_the_matched_share_never_exceeds_100_percent_under_fan_out(lake, kind):
    left = frame(id=["x", "y", "z", "z", None], k=[1, 2, 3, 3, 1])
    join = two(lake, left, frame(k=[1] * 4 + [3] * 2), kind=kind)
    stats = lake.join_stats(join, "a__id")
    assert (stats.primary_rows, stats.matched_rows) == (3, 2)
    assert stats.share == 2 / 3 <= 1
    assert stats.matched_joined_rows == 4 + 2 * 2 and stats.fan_out == 4.0
    assert stats.repeated_rows == 3 + 3
    assert stats.joined_rows == {JoinKind.INNER: 12, JoinKind.LEFT: 13, JoinKind.FULL: 13}[kind]
    for matches in (Matches.FIRST, Matches.LIST):
        secondary = replace(join.sources[1], matches=matches)
        reduced = lake.join_stats(replace(join, sources=(join.sources[0], secondary)), "a__id")
        assert (reduced.matched_rows, reduced.matched_joined_rows) == (2, 3), "z has two rows of its own"


def test_statistics_of_tables_that_share_nothing(lake):
    join = two(lake, frame(id=["x"], k=[1]), frame(k=[2]))
    stats = lake.join_stats(join, "a__id")
    assert (stats, stats.share, stats.fan_out) == (JoinStats(1, 0, 0, 0), 0.0, 0.0)


def test_the_identifier_must_be_a_column_of_the_primary_source(shop_lake):
    for name in ("customers__id", "id", "orders__nothing", ""):
        with pytest.raises(Invalid, match="primary source “orders”") as caught:
            shop_lake.join_stats(shop_join(), name)
        assert "orders__id" in caught.value.hint


# --- comparing keys (JN-1) ---


def test_key_comparison_on_a_fixed_example(shop_lake):
    found = shop_lake.compare_keys(ORDERS, "customer", CUSTOMERS, "id")
    assert (found.overlap, found.containment) == (3 / 5, 3 / 4), "1 2 3 9 and 1 2 3 4"
    assert (found.left_values, found.right_values) == (4, 4)
    assert (found.left_is_unique, found.right_is_unique, found.cardinality) == (False, True, "many-to-one")
    assert shop_lake.compare_keys(CUSTOMERS, "id", ORDERS, "customer").cardinality == "one-to-many"
    assert shop_lake.compare_keys(ORDERS, "product", ORDERS, "product").cardinality == "many-to-many"
    assert shop_lake.compare_keys(ORDERS, "id", ORDERS, "id").cardinality == "one-to-one"


def test_samples_of_both_sides_draw_the_same_values(lake):
    put(lake, A, frame(k=list(range(5000))))
    put(lake, B, frame(k=[str(n) for n in range(2500, 7500)]))
    found = lake.compare_keys(A, "k", B, "k", sample=500)
    assert found == lake.compare_keys(A, "k", B, "k", sample=500)
    assert abs(found.overlap - 1 / 3) < 0.08, "independent samples of 500 would share 5 %"
    assert abs(found.containment - 1 / 2) < 0.08
    assert lake.compare_keys(A, "k", B, "k", sample=10_000).overlap == 2500 / 7500


def test_comparing_a_column_without_values(lake):
    put(lake, A, pa.table({"k": pa.array([None, None], pa.string())}))
    put(lake, B, frame(k=["x"]))
    found = lake.compare_keys(A, "k", B, "k")
    assert (found.overlap, found.containment, found.left_values, found.right_values) == (0.0, 0.0, 0, 1)


# --- reading through a join (JN-4) ---


def test_filter_count_distinct_and_identifier_read_through_the_join(shop_lake):
    join = shop_join()
    accepted = shop_lake.check_filter(join, "customers__city = 'Ulm' AND ORDERS__amount > 10")
    selection = Selection(join, ID, where=accepted)
    assert shop_lake.count(selection) == 2
    assert [row[0] for row in rows_of(shop_lake, join, ID, item_id=ID, where=accepted)] == ["o2", "o3"]
    assert [list(batch["item_ref"]) for batch in shop_lake.batches(selection, size=1)] == [["o2"], ["o3"]]
    assert shop_lake.distinct(join, "customers__city") == [("Ulm", 3), ("Bonn", 1)]
    assert shop_lake.check_identifier(join, ID).is_valid
    with pytest.raises(Invalid, match="city") as caught:
        shop_lake.check_filter(join, "customers_city = 'Ulm'")
    assert "customers__city" in caught.value.hint


@pytest.mark.parametrize(
    "expression", ["orders.id = 'o1'", "orders__file_row_number = 1", "(select 1) = 1", '"joined rows" = 1']
)
def test_a_filter_reaches_only_the_columns_of_the_result(shop_lake, expression):
    with pytest.raises(Invalid):
        shop_lake.check_filter(shop_join(), expression)


def test_chosen_and_excluded_items_of_a_join(shop_lake):
    chosen = {"item_refs": ("o1", "o3", "o5"), "excluded_refs": ("o3", "'; DROP", "none")}
    assert rows_of(shop_lake, shop_join(), ID, item_id=ID, **chosen) == [("o1",), ("o5",)]
    selection = Selection(shop_join(), ID, **chosen)
    assert shop_lake.count(selection) == 2
    assert [list(batch["item_ref"]) for batch in shop_lake.batches(selection)] == [["o1", "o5"]]


def test_items_are_left_out_after_the_sample_is_drawn(shop_lake):
    for source, item_id in ((shop_join(), ID), (ORDERS, "id")):
        sample = list(shop_lake.page(Selection(source, item_id, sample_size=3))["item_ref"])
        left_out = Selection(source, item_id, sample_size=3, excluded_refs=(sample[1],))
        assert list(shop_lake.page(left_out)["item_ref"]) == [sample[0], sample[2]]
    with pytest.raises(Invalid, match="identifier"):
        shop_lake.count(Selection(ORDERS, "", excluded_refs=("o1",)))


def test_hostile_names_and_values_survive_a_join(lake):
    name = "we\"ird. 😀 'n; --"
    left = pd.DataFrame({"id": ["1", "2"], name: ['it\'s "x"', "😀; DROP TABLE a"], "joined rows": [1, 2]})
    right = pd.DataFrame({name: ['it\'s "x"', "😀; DROP TABLE a"], "a.b": ["one", "two"], "place": [1, 2]})
    for matches in Matches:
        source = {"matches": matches, "order_column": name}
        join = two(lake, left, right, key(f"a.{name}", f"b.{name}"), kind=JoinKind.FULL, **source)
        frame_ = lake.page(Selection(join, "a__id", where='"a__joined rows" = 2'), columns=["b__a.b", f"a__{name}"])
        value = ["two"] if matches is Matches.LIST else "two"
        assert frame_.to_dict("records") == [{"item_ref": "2", "b__a.b": value, f"a__{name}": "😀; DROP TABLE a"}]
        assert lake.join_stats(join, "a__id") == JoinStats(2, 2, 2, 2)
        assert name.replace('"', '""') in lake.query_text(Selection(join, "a__id"))
    assert lake.compare_keys(A, name, B, name).overlap == 1.0


def test_a_changed_source_is_seen_at_once(shop_lake):
    selection = Selection(shop_join(), ID)
    assert shop_lake.page(selection)["customers__name"][0] == "Ada"
    shop_lake.drop(CUSTOMERS)
    put(shop_lake, CUSTOMERS, frame(id=[1], name=["Eve"], zip=["89073"]))
    page = shop_lake.page(selection)
    assert page["customers__name"][0] == "Eve" and "customers__zip" in page


# --- samples of a join (SH-12) ---


@pytest.mark.parametrize("stratify", ["", "b__city"])
def test_a_sample_of_a_join_depends_on_the_seed_and_not_on_the_order(lake, stratify):
    left = frame(id=[f"i{n:03d}" for n in range(200)], k=[n % 10 for n in range(200)])
    right = frame(k=range(10), city=["A"] * 5 + ["B"] * 3 + ["C"] * 2)
    join = two(lake, left, right)
    drawn = {"item_id": "a__id", "sample_size": 40, "stratify_column": stratify}
    first = rows_of(lake, join, "a__id", "b__city", **drawn)
    assert len(first) == 40 and first == sorted(first)
    if stratify:
        assert Counter(city for _, city in first) == {"A": 20, "B": 12, "C": 8}
    shuffled = two(lake, left.sample(frac=1, random_state=2), right.sample(frac=1, random_state=2))
    assert rows_of(lake, shuffled, "a__id", "b__city", **drawn) == first
    assert rows_of(lake, join, "a__id", "b__city", **{**drawn, "sample_seed": 1}) != first
    assert lake.count(Selection(join, "a__id", sample_size=40, stratify_column=stratify)) == 40


def test_a_sample_under_fan_out_draws_items_with_all_their_rows(lake):
    join = two(lake, frame(id=[f"i{n}" for n in range(10)], k=range(10)), frame(k=[n // 3 for n in range(30)]))
    page = lake.page(Selection(join, "a__id", sample_size=4), limit=100)
    assert len(page) == 12 and set(Counter(page["item_ref"]).values()) == {3}


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


# --- the query for people (JN-2) ---


def test_the_query_is_shown_with_the_names_of_the_tables(shop_lake, tmp_path):
    selection = Selection(shop_join(), ID, where="orders__amount > 10", excluded_refs=("o'2",))
    text = shop_lake.query_text(selection, columns=["customers__name"])
    assert '"shop"."sales"."orders" AS "orders"' in text and "LEFT JOIN" in text
    assert '"orders"."customer" = "customers"."id"' in text
    assert "'o''2'" in text and str(tmp_path) not in text and "read_parquet" not in text.lower()
    assert "file_row_number" not in text and len(text.splitlines()) > 10
    plain = shop_lake.query_text(Selection(ORDERS, "id"))
    assert '"shop"."sales"."orders"' in plain and "read_parquet" not in plain


def test_the_shown_query_gives_the_rows_that_are_read(shop_lake):
    import duckdb

    selection = Selection(shop_join(), ID, where="orders__amount > 10", item_refs=("o1", "o2", "o3"), sample_size=6)
    text = shop_lake.query_text(selection, columns=["customers__name"])
    with duckdb.connect() as other:
        other.execute("ATTACH ':memory:' AS shop; CREATE SCHEMA shop.sales")
        for name in (ORDERS, CUSTOMERS, PRODUCTS):
            content = shop_lake.page(Selection(name, ""), limit=100).drop(columns="item_ref")
            other.register("content", content)
            other.execute(f"CREATE TABLE {name} AS SELECT * FROM content")
        assert other.sql(text).fetchall() == [("o2", "Ada"), ("o3", "Bea")]


def test_the_same_join_renders_for_databricks():
    from sqlglot import exp

    from workbench_core.adapters.lake_query import SourceTable, join_source
    from workbench_core.ports import Column

    table = SourceTable(
        exp.table_("orders", db="sales", catalog="shop", quoted=True),
        (Column("id", "STRING", "string"), Column("at", "TIMESTAMP", "time")),
    )
    for matches, part in ((Matches.LATEST, "JOIN LATERAL"), (Matches.LIST, "SORT_ARRAY(")):
        join = Join(
            (
                primary("shop.sales.orders", "a"),
                JoinSource("shop.sales.orders", "b", matches=matches, order_column="at"),
            ),
            (key("a.id", "b.id"),),
            window=TimeWindow(ref("a.at"), ref("b.at")),
        )
        text = join_source(join, {"a": table, "b": table}, dialect="databricks").relation.sql(dialect="databricks")
        assert part in text and "`shop`.`sales`.`orders`" in text and '"' not in text


# --- keys of different number types -----------------------------------------------------------------------------------


def matched(lake, left, right):
    """The pairs of places of which the keys are equal."""
    put(lake, A, pa.table({"id": [f"l{place}" for place in range(len(left))], "k": left}))
    put(lake, B, pa.table({"id": [f"r{place}" for place in range(len(right))], "k": right}))
    join = Join((primary(A, "a"), JoinSource(B, "b")), (key("a.k", "b.k"),), JoinKind.INNER)
    return sorted((int(one[1:]), int(other[1:])) for one, other in rows_of(lake, join, "a__id", "b__id"))


def test_a_decimal_without_a_digit_before_the_point_meets_its_text(lake):
    decimals = pa.array([Decimal("0.50"), Decimal("-0.25"), Decimal("0.00")], pa.decimal128(2, 2))
    texts = pa.array(["0.5", "-0.25", "0", ".50", "-.25", ".5x"])
    assert matched(lake, decimals, texts) == [(0, 0), (0, 3), (1, 1), (1, 4), (2, 2)]


@pytest.mark.parametrize("floating", [pa.float64(), pa.float32()])
def test_whole_numbers_meet_floating_ones_exactly(lake, floating):
    bits = 53 if floating == pa.float64() else 24
    whole = pa.array([2**bits + 1, 2**bits, 2, -1, None], pa.int64())
    numbers = pa.array([float(2**bits), 2.0, 2.5, -1.0, float("nan"), float("inf"), None, 1e30], floating)
    expected = [(1, 0), (2, 1), (3, 3)]
    assert matched(lake, whole, numbers) == expected
    lake.drop(A), lake.drop(B)
    assert matched(lake, numbers, whole) == sorted((other, one) for one, other in expected)
