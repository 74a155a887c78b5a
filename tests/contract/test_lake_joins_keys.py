"""The contract of joins: which keys match across types, and how well sources fit (JN-1, JN-2)."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal

import pyarrow as pa
import pytest

from tests.contract import join_parts
from tests.contract.join_parts import ID, A, B, frame, two
from tests.contract.lake_tables import CUSTOMERS, ORDERS, key, primary, put, rows_of, shop_join
from workbench_core.errors import Invalid
from workbench_core.ports import Join, JoinKind, JoinSource, JoinStats, Matches, Selection

shop_lake = join_parts.shop_lake  # a fixture


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
