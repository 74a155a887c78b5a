"""How many items and classes there are: columns that may identify, fan-out, no value beside an empty text."""

from __future__ import annotations

import itertools

import pandas as pd
import pytest

from tests.contract.lake_tables import BOARDS, CUSTOMERS, ORDERS, everything, key, primary, put, shop
from workbench_core.errors import Invalid, NotFound
from workbench_core.ports import IdentifierCheck, Join, JoinKind, JoinSource, Selection

ROWS = 300


@pytest.fixture
def columns(lake):
    """Columns of every kind, unique and not, over three hundred rows."""
    numbers = range(ROWS)
    frame = pd.DataFrame(
        {
            "code": [f"c{n}" for n in numbers],
            "twice": [n // 2 for n in numbers],
            "gap": [None if n == 7 else f"g{n}" for n in numbers],
            "half": [n / 2 for n in numbers],
            "day": pd.to_datetime("2026-01-01") + pd.to_timedelta(numbers, unit="D"),
            "flag": [n % 2 == 0 for n in numbers],
            "Number": list(numbers),
            "zero": [0.0 if n else -0.0 for n in numbers],
        }
    )
    return put(lake, BOARDS, frame)


def test_several_columns_are_checked_as_each_alone_in_their_order(lake, columns):
    names = ["gap", "code", "twice", "half", "day", "flag", "Number", "zero"]
    assert list(lake.check_identifiers(columns, names)) == [lake.check_identifier(columns, name) for name in names]
    assert lake.check_identifier(columns, "gap") == IdentifierCheck("gap", ROWS, nulls=1, duplicates=0)
    assert lake.check_identifier(columns, "twice") == IdentifierCheck("twice", ROWS, nulls=0, duplicates=ROWS // 2)


def test_values_are_as_different_as_their_texts(lake, columns):
    """An item is named by the text of its identifier, so 0.0 and -0.0 are two."""
    assert lake.check_identifier(columns, "zero").duplicates == ROWS - 2


def test_more_columns_than_fit_one_statement(lake):
    frame = pd.DataFrame({f"c{n}": [0, 1, 1 if n % 3 else 2] for n in range(95)})
    source = put(lake, BOARDS, frame)
    checks = list(lake.check_identifiers(source, list(frame)))
    assert [check.column for check in checks] == list(frame)
    assert [check.column for check in checks if check.is_valid] == [f"c{n}" for n in range(0, 95, 3)]


def test_who_has_found_one_asks_for_no_more(lake, columns):
    (first,) = itertools.islice(lake.check_identifiers(columns, ["code", "no such column"][:1]), 1)
    assert first.is_valid
    assert list(lake.check_identifiers(columns, [])) == []


def test_names_are_found_whatever_their_case_and_unknown_ones_refused(lake, columns):
    assert next(lake.check_identifiers(columns, ["CODE"])).column == "code"
    with pytest.raises(Invalid, match="nothing"):
        list(lake.check_identifiers(columns, ["nothing"]))
    with pytest.raises(NotFound):
        list(lake.check_identifiers("main.no.table", ["a"]))


def test_columns_of_a_join_are_checked_too(lake):
    shop(lake)
    join = Join(
        (primary(CUSTOMERS, "customers"), JoinSource(ORDERS, "orders")),
        (key("customers.id", "orders.customer"),),
        JoinKind.LEFT,
    )
    checks = lake.check_identifiers(join, ["customers__id", "orders__id"])
    assert [(check.nulls, check.duplicates) for check in checks] == [(0, 1), (1, 0)]


# --- items -----------------------------------------------------------------------------------------------------------


def test_an_item_with_several_rows_counts_once(lake):
    shop(lake)
    join = Join((primary(CUSTOMERS, "c"), JoinSource(ORDERS, "o")), (key("c.id", "o.customer"),), JoinKind.INNER)
    orders = Selection(join, "c__id")
    assert (lake.count(orders), lake.count_items(orders)) == (4, 3)
    assert lake.count_items(Selection(join, "c__id", item_refs=("1", "2", "4", "x"))) == 2
    assert lake.count_items(Selection(join, "c__id", where="o__amount > 20", excluded_refs=("2",))) == 1
    with pytest.raises(Invalid, match="identifier"):
        lake.count_items(Selection(join, ""))


# --- classes ---------------------------------------------------------------------------------------------------------


def test_no_value_and_an_empty_text_are_two_classes(lake):
    """SH-12: the sample draws them as two."""
    put(lake, BOARDS, pd.DataFrame({"board_id": list("abcdefg"), "line": ["x", None, "", "x", "x", "", "y"]}))
    found = lake.classes(everything(), "line")
    assert (found[:2], set(found[2:])) == ([("x", 3), ("", 2)], {(None, 1), ("y", 1)})
    drawn = dict(lake.classes(everything(sample_size=4, stratify_column="line"), "line"))
    assert drawn == {"x": 1, "": 1, None: 1, "y": 1}


def test_classes_are_those_of_the_selection(lake, with_boards):
    assert lake.classes(everything(where="line <> 'A'"), "LINE") == [("B", 66), ("C", 33), ("D", 1)]
    assert sum(rows for _, rows in lake.classes(everything(sample_size=10), "line")) == 10


def test_classes_of_a_join_may_be_of_a_column_that_nothing_else_uses(lake):
    shop(lake)
    join = Join((primary(ORDERS, "o"), JoinSource(CUSTOMERS, "c")), (key("o.customer", "c.id"),), JoinKind.LEFT)
    assert dict(lake.classes(Selection(join, "o__id"), "c__city")) == {"Ulm": 3, "Bonn": 1, None: 2}
