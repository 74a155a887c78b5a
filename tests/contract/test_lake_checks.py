"""Checks and profiles of the lake: what each check finds, what is refused, and what a column's profile says."""

from __future__ import annotations

import json
import re
import threading
import time
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from workbench_core.adapters.lake_checks import ROW_FUNCTIONS, Scope, compile_check
from workbench_core.adapters.lake_checks.conditions import FUNCTIONS
from workbench_core.adapters.lake_checks.time_formats import strptime_of
from workbench_core.adapters.local.lake import LocalLake
from workbench_core.adapters.local.lake.row_checks import shares
from workbench_core.adapters.local.lake.text_shapes import most_common_shape
from workbench_core.data_quality.catalogue import CATALOGUE
from workbench_core.errors import Invalid, Stopped
from workbench_core.ports import Column, RowCheck, Selection

ROWS = "demo.acme.rows"
KEYS = "demo.acme.keys"
NOW = datetime.now(UTC).replace(microsecond=0)
HOSTILE = [
    "'; DROP TABLE rows; --", '"', "\\", "{{ item }}", "${x}", "%s", "?", ":name", "$1", "' OR 1=1 --", "/* */", "😀",
    "\n", "x" * 1_000_000, "ünïcödé", "a.b", "rows", "lookup", "(SELECT 1)", "''", "NULL",
]  # fmt: skip


@pytest.fixture(params=["local"])
def lake(request, tmp_path):
    return {"local": LocalLake}[request.param](tmp_path / "home")


@pytest.fixture
def put(lake, tmp_path):
    """Make a table out of columns; each row gets the identifier r0, r1, ..."""

    def make(name=ROWS, **columns):
        table = pa.table(columns)
        if "id" not in columns:
            table = table.append_column("id", pa.array([f"r{place}" for place in range(table.num_rows)], pa.string()))
        file = tmp_path / f"table-{time.monotonic_ns()}"
        pq.write_table(table, file)
        lake.put_table(name, file, original_name="table.parquet")

    return make


@pytest.fixture
def run(lake):
    """The failing rows of one check as {item_ref: value}; evaluated and failed are checked against each other."""

    def check(function, *, where="", **arguments):
        rule = RowCheck("rule", function, arguments, where)
        assert lake.check_problems(ROWS, [rule]) == [""]
        report = lake.check_rows(Selection(ROWS, "id"), [rule])
        assert report.counts[0].failed == report.failed_rows == report.failure_count == len(report.failures)
        check.evaluated = report.counts[0].evaluated
        return dict(zip(report.failures["item_ref"], report.failures["value"], strict=True))

    return check


@pytest.fixture
def problem(lake):
    def ask(function, where="", **arguments):
        return lake.check_problems(ROWS, [RowCheck("rule", function, arguments, where)])[0]

    return ask


def refs(*numbers):
    return [f"r{number}" for number in numbers]


# --- presence ---


def test_missing_and_empty_texts(put, run):
    put(text=["x", None, "", "  ", "\t"])
    assert run("is_not_null", column="text") == {"r1": "null"}
    assert run("is_not_empty", column="text") == {"r2": ""}
    assert list(run("is_not_empty", column="text", trim_strings=True)) == refs(2, 3)
    assert list(run("is_not_null_and_not_empty", column="text")) == refs(1, 2)
    assert list(run("is_not_null_and_not_empty", column="text", trim_strings=True)) == refs(1, 2, 3)


def test_missing_values_of_every_kind(put, run):
    put(
        number=[1, None], time=[NOW, None], day=[date(2026, 1, 1), None], flag=[True, None], raw=[b"\x00", None],
        many=[["a"], None], exact=[Decimal("1.5"), None],
    )  # fmt: skip
    for column in ("number", "time", "day", "flag", "raw", "many", "exact"):
        assert run("is_not_null", column=column) == {"r1": "null"}
        assert run("is_not_null_and_not_empty", column=column) == {"r1": "null"}
        assert run("is_not_empty", column=column) == {}


# --- lists and limits ---


def test_lists_let_nulls_pass_and_compare_exactly(put, run):
    put(text=["a", "A", "b", None, "'a'", ""], number=[1.0, 2.0, 2.5, None, -3.0, float("nan")])
    assert list(run("is_in_list", column="text", allowed=["a", "b"])) == refs(1, 4, 5)
    assert list(run("is_in_list", column="text", allowed=["'a'", "'b'"])) == refs(1, 4, 5)  # quoted as DQX 0.16 wants
    assert list(run("is_in_list", column="text", allowed=["'''a'''"])) == refs(0, 1, 2, 5)
    assert list(run("is_in_list", column="text", allowed=["a", "b"], case_sensitive=False)) == refs(4, 5)
    assert list(run("is_not_null_and_is_in_list", column="text", allowed=["a", "b"])) == refs(1, 3, 4, 5)
    assert list(run("is_in_list", column="number", allowed=[1, 2.5, "-3"])) == refs(1, 5)


def test_lists_of_times_and_booleans(put, run):
    put(day=[date(2026, 1, 1), date(2026, 1, 2), None], flag=[True, False, None])
    assert list(run("is_in_list", column="day", allowed=["2026-01-01"])) == refs(1)
    assert list(run("is_not_null_and_is_in_list", column="flag", allowed=[True])) == refs(1, 2)


def test_limits_belong_to_the_range(put, run):
    put(number=[0, 1, 5, 10, 11, None], low=[0, 2, 0, 0, 0, 0])
    assert run("is_in_range", column="number", min_limit=1, max_limit=10) == {"r0": "0", "r4": "11"}
    assert list(run("is_not_in_range", column="number", min_limit=1, max_limit=10)) == refs(1, 2, 3)
    assert list(run("is_not_less_than", column="number", limit=5)) == refs(0, 1)
    assert list(run("is_not_greater_than", column="number", limit=5)) == refs(3, 4)
    assert list(run("is_not_less_than", column="number", limit="5")) == refs(0, 1)
    assert list(run("is_not_less_than", column="number", limit="low")) == refs(1)
    assert list(run("is_in_range", column="number", min_limit="low", max_limit=1e1)) == refs(1, 4)
    assert list(run("is_not_less_than", column="number", limit=5, allow_nulls=False)) == refs(0, 1, 5)


def test_numbers_that_are_not_finite_lie_above_everything(put, run):
    put(number=[1.0, float("nan"), float("inf"), -float("inf")])
    assert run("is_in_range", column="number", min_limit=0, max_limit=10) == {"r1": "nan", "r2": "inf", "r3": "-inf"}


def test_limits_of_times(put, run):
    moments = [datetime(2026, 1, 1), datetime(2026, 1, 1, 12), datetime(2026, 1, 2), None]
    put(
        naive=pa.array(moments, pa.timestamp("us")),
        zoned=pa.array([m and m.replace(tzinfo=UTC) for m in moments], pa.timestamp("us", tz="Europe/Berlin")),
        day=[m and m.date() for m in moments],
    )
    for column in ("naive", "zoned"):
        assert list(run("is_not_greater_than", column=column, limit="2026-01-01T12:00:00")) == refs(2)
        assert list(run("is_not_less_than", column=column, limit="2026-01-01T13:00:00+01:00")) == refs(0)
        assert list(run("is_not_greater_than", column=column, limit="TIMESTAMP '2026-01-01 12:00'")) == refs(2)
    assert list(run("is_in_range", column="day", min_limit="2026-01-01", max_limit="DATE '2026-01-01'")) == refs(2)
    assert list(run("is_not_greater_than", column="naive", limit="day")) == refs(1)


# --- texts ---


def test_a_pattern_is_found_anywhere_in_the_text(put, run):
    put(text=["AB-1234", "xAB-1234x", "ab-1234", "", None, "a\nAB-1234"])
    assert list(run("regex_match", column="text", regex="[A-Z]{2}-[0-9]{4}")) == refs(2, 3)
    assert list(run("regex_match", column="text", regex="^[A-Z]{2}-[0-9]{4}$")) == refs(1, 2, 3, 5)
    assert list(run("regex_match", column="text", regex="[A-Z]", negate=True)) == refs(0, 1, 5)


def test_lengths_count_characters(put, run):
    put(text=["", "a", "ä😀", "abc", None])
    assert list(run("length_between", column="text", min_length=1, max_length=2)) == refs(0, 3)
    assert list(run("length_between", column="text", min_length=2)) == refs(0, 1)
    assert list(run("length_between", column="text", max_length=2)) == refs(3)


def test_json(put, run):
    put(text=['{"a": 1}', "[1, 2]", "3", "null", '"x"', "{a: 1}", "", "{", None])
    assert list(run("is_valid_json", column="text")) == refs(5, 6, 7)


def test_dates_and_times_in_the_forms_that_spark_casts(put, run):
    good = [
        "2026-01-31", "2026-1-5", "2026-01", "2026", "2026-01-31T10:00:00", "2026-01-31 10:00:00.123456",
        "2026-01-31T10:00:00Z", "2026-01-31 10:00:00+01:00", "2026-01-31 23:59:59 Europe/Berlin", " 2026-01-31 ",
    ]  # fmt: skip
    bad = ["2026-02-30", "2026-13-01", "31.01.2026", "2026/01/31", "20260131", "x", "", "2026-01-31 25:00:00", "-"]
    put(text=[*good, *bad, None])
    for function in ("is_valid_date", "is_valid_timestamp"):
        assert list(run(function, column="text").values()) == [text for _, text in sorted(
            (f"r{place}", text) for place, text in enumerate([*good, *bad]) if text in bad
        )]  # fmt: skip


@pytest.mark.parametrize(
    ("pattern", "good", "bad"),
    [
        ("yyyy-MM-dd", ["2026-01-31", "2024-02-29"], ["2026-1-5", "2026-02-29", "2026-01-31 ", "01-31-2026", ""]),
        ("yyyy-M-d", ["2026-1-5", "2026-01-05"], ["2026-001-5"]),
        ("dd.MM.yyyy", ["31.01.2026"], ["31-01-2026", "2026.01.31"]),
        ("yyyy-MM-dd HH:mm:ss", ["2026-01-31 23:59:59"], ["2026-01-31 24:00:00", "2026-01-31T23:59:59"]),
        ("yyyy-MM-dd'T'HH:mm:ss.SSSXXX", ["2026-01-31T10:00:00.123Z", "2026-01-31T10:00:00.123+01:00"], ["2026-01-31"]),
        ("d MMM yyyy", ["5 Jan 2026"], ["5 January 2026", "5 Foo 2026"]),
        ("hh:mm a", ["11:30 PM"], ["13:30 PM", "11:30"]),
        ("yyyyMMdd", ["20260131"], ["2026-01-31", "20260132"]),
        ("yyyy'''s'", ["2026's"], ["2026s"]),
    ],
)
def test_dates_and_times_in_a_given_form(put, run, pattern, good, bad):
    put(text=[*good, *bad, None])
    expected = {f"r{len(good) + place}": text for place, text in enumerate(bad)}
    assert run("is_valid_date", column="text", date_format=pattern) == expected
    assert run("is_valid_timestamp", column="text", timestamp_format=pattern) == expected


@pytest.mark.parametrize("pattern", ["yyyy-mm-dd", "QQQ", "yyyy-[MM]", "", "---", "yyyy-MM-dd'T"])
def test_a_form_that_cannot_be_read_is_refused(pattern):
    with pytest.raises(Invalid):
        strptime_of(pattern)


# --- times ---


def test_the_future_begins_behind_the_offset(put, run):
    times = [NOW - timedelta(hours=1), NOW + timedelta(minutes=30), NOW + timedelta(hours=2), None]
    put(
        zoned=pa.array(times, pa.timestamp("us", tz="UTC")),
        naive=pa.array([t and t.replace(tzinfo=None) for t in times], pa.timestamp("ns")),
        day=[NOW.date(), NOW.date() + timedelta(days=2), NOW.date() + timedelta(days=3), None],
    )
    for column in ("zoned", "naive", "day"):
        assert list(run("is_not_in_future", column=column)) == refs(1, 2)
    assert list(run("is_not_in_future", column="zoned", offset=3600)) == refs(2)


def test_age(put, run):
    ages = [0, 29, 30, 31, 400]
    put(
        day=[*(NOW.date() - timedelta(days=age) for age in ages), None],
        at=pa.array([*(NOW - timedelta(minutes=age) for age in ages), None], pa.timestamp("us", tz="UTC")),
        base=pa.array([NOW - timedelta(minutes=10)] * 6, pa.timestamp("us", tz="UTC")),
    )
    assert list(run("is_older_than_n_days", column="day", days=30)) == refs(0, 1, 2)
    assert list(run("is_older_than_n_days", column="day", days=30, negate=True)) == refs(3, 4)
    assert list(run("is_data_fresh", column="at", max_age_minutes=60)) == refs(4)
    assert list(run("is_data_fresh", column="at", max_age_minutes=20, base_timestamp="base")) == refs(3, 4)


# --- keys ---


def test_all_rows_of_a_repeated_key_fail_and_missing_keys_do_not(put, run):
    put(a=["x", "x", "y", None, None, "x"], b=[1, 1, 1, 2, 2, None])
    assert run("is_unique", columns=["a"]) == {"r0": "x", "r1": "x", "r5": "x"}
    assert list(run("is_unique", columns=["a"], nulls_distinct=False)) == refs(0, 1, 3, 4, 5)
    assert run("is_unique", columns=["a", "b"]) == {"r0": "a=x, b=1", "r1": "a=x, b=1"}
    assert run("is_unique", columns=["b", "a"], nulls_distinct=False)["r3"] == "b=2, a=null"


def test_only_rows_of_the_filter_count_as_repeated(put, run):
    put(a=["x", "x", "y", "y"], keep=[True, False, True, True])
    assert list(run("is_unique", columns=["a"], where="keep")) == refs(2, 3)
    assert run.evaluated == 3


def test_blanks_at_the_ends_can_be_left_out_of_a_key(put, run):
    put(a=["x", " x ", "y"])
    assert run("is_unique", columns=["a"]) == {}
    assert run("is_unique", columns=["a"], trim_strings=True) == {"r0": "x", "r1": " x "}


def test_foreign_keys(put, run):
    put("demo.acme.planes", tail=["N1", "N2", "N2", None], year=[1, 2, 2, 3], id=["1", "2", "3", "4"])
    put(plane=["N1", "N9", None, "N2"], year=[1, 1, 1, 5])
    other = {"ref_table": "demo.acme.planes"}
    assert run("foreign_key", columns=["plane"], ref_columns=["tail"], **other) == {"r1": "N9"}
    assert list(run("foreign_key", columns=["plane"], ref_columns=["tail"], negate=True, **other)) == refs(0, 3)
    assert list(run("foreign_key", columns=["plane", "year"], ref_columns=["tail", "year"], **other)) == refs(1, 3)


# --- expressions, filters, several checks ---


def test_expressions_fail_where_they_are_false_and_pass_where_they_are_null(put, run):
    put(a=[1, 5, None, 3], b=[2, 2, 2, 3])
    assert run("sql_expression", expression="a < b") == {"r1": "a=5, b=2", "r3": "a=3, b=3"}
    assert list(run("sql_expression", expression="a < b", negate=True)) == refs(0)
    assert run("sql_expression", expression="a < b", columns=["b"], msg="late", name="x") == {"r1": "2", "r3": "3"}


def test_a_filter_narrows_what_is_looked_at(put, run):
    put(a=[1, None, None, 4], b=["x", "x", "y", None])
    assert list(run("is_not_null", column="a", where="b = 'x'")) == refs(1)
    assert run.evaluated == 2


def test_only_errors_make_a_row_fail_and_each_check_is_counted(lake, put):
    put(a=[1, 2, 3, None], b=["x", None, None, None])
    checks = [
        RowCheck("a is small", "is_not_greater_than", {"column": "a", "limit": 2}),
        RowCheck("b is there", "is_not_null", {"column": "b"}, is_error=False),
        RowCheck("a is there", "is_not_null", {"column": "a"}, "b IS NULL"),
    ]
    report = lake.check_rows(Selection(ROWS, "id"), checks)
    assert (report.rows, report.failed_rows, report.failure_count) == (4, 2, 5)
    assert [(c.name, c.evaluated, c.failed) for c in report.counts] == [
        ("a is small", 4, 1), ("b is there", 4, 3), ("a is there", 3, 1),
    ]  # fmt: skip
    assert report.failures.to_dict("list") == {
        "item_ref": ["r2", "r1", "r2", "r3", "r3"],
        "check": [0, 1, 1, 1, 2],
        "value": ["3", "null", "null", "null", "null"],
    }


def test_a_selection_is_checked_and_nothing_else(lake, put):
    put(a=[None] * 10, n=list(range(10)))
    rule = RowCheck("a", "is_not_null", {"column": "a"})
    chosen = Selection(ROWS, "id", where="n > 2", excluded_refs=("r9",))
    report = lake.check_rows(chosen, [rule, RowCheck("n", "is_unique", {"columns": ["n"]})])
    assert list(report.failures["item_ref"]) == refs(3, 4, 5, 6, 7, 8)
    sampled = lake.check_rows(
        Selection(ROWS, "id", sample_size=4), [rule, RowCheck("n", "is_unique", {"columns": ["n"]})]
    )
    assert (sampled.rows, sampled.failed_rows) == (4, 4)
    by_name = lake.check_rows(Selection(ROWS, "id", item_refs=("r1", "r5")), [rule])
    assert list(by_name.failures["item_ref"]) == refs(1, 5)


def test_rows_without_an_identifier_are_counted(lake, put):
    put(a=[1, 1, None], id=["x", None, None])
    report = lake.check_rows(Selection(ROWS, ""), [RowCheck("a", "is_not_null", {"column": "a"})])
    assert (report.rows, report.failed_rows) == (3, 1)
    assert list(report.failures["item_ref"]) == [""]


def test_a_column_named_like_the_identifier_is_never_mistaken_for_it(lake, put):
    put(item_ref=["a", None, "a"])
    rule = RowCheck("x", "is_not_null", {"column": "item_ref"})
    assert lake.check_rows(Selection(ROWS, ""), [rule]).failed_rows == 1
    with pytest.raises(Invalid, match="item_ref"):
        lake.check_rows(Selection(ROWS, "id"), [rule])
    assert [profile.column for profile in lake.profile(Selection(ROWS, "id"))] == ["id"]
    assert lake.profile(Selection(ROWS, "item_ref"), columns=["item_ref"])[0].distinct == 1


def test_no_rows_and_no_checks(lake, put):
    put(a=[1])
    rules = [RowCheck("a", "is_not_null", {"column": "a"}, "a > 1"), RowCheck("b", "is_unique", {"columns": ["a"]})]
    empty = lake.check_rows(Selection(ROWS, "id", where="a > 5"), rules)
    assert [(count.evaluated, count.failed) for count in empty.counts] == [(0, 0), (0, 0)]
    assert (empty.rows, empty.failed_rows, len(empty.failures)) == (0, 0, 0)
    assert list(empty.failures.columns) == ["item_ref", "check", "value"]
    assert lake.check_rows(Selection(ROWS, "id"), []).counts == ()


def test_planted_defects_are_counted_exactly(lake, put):
    rows = 20_000
    amounts = [float(n % 100) for n in range(rows)]
    codes = [f"AB-{n:05d}" for n in range(rows)]
    for place in range(37):
        amounts[place * 500] = -1.0
    for place in range(11):
        codes[place * 1000 + 1] = f"bad {place}"
    codes[19_999] = codes[19_998]
    put(amount=amounts, code=codes)
    report = lake.check_rows(
        Selection(ROWS, "id"),
        [
            RowCheck("amount", "is_not_less_than", {"column": "amount", "limit": 0}),
            RowCheck("code", "regex_match", {"column": "code", "regex": r"^[A-Z]{2}-\d{5}$"}),
            RowCheck("key", "is_unique", {"columns": ["code"]}),
        ],
    )
    assert [count.failed for count in report.counts] == [37, 11, 2]
    assert report.failed_rows == 50
    assert set(report.failures.query("check == 2")["item_ref"]) == {"r19998", "r19999"}


def test_failures_are_cut_at_the_limit_and_counted_whole(lake, put):
    put(a=[None] * 100, b=[None] * 100, c=[None] * 3 + ["x"] * 97)
    checks = [RowCheck(name, "is_not_null", {"column": name}) for name in "abc"]
    report = lake.check_rows(Selection(ROWS, "id"), checks, limit=21)
    assert (report.failure_count, len(report.failures), report.failed_rows) == (203, 21, 100)
    assert report.failures.groupby("check").size().to_dict() == {0: 9, 1: 9, 2: 3}
    first = sorted(f"r{n}" for n in range(100))[:9]
    assert list(report.failures["item_ref"]) == [*first, *first, "r0", "r1", "r2"]
    assert len(lake.check_rows(Selection(ROWS, "id"), checks, limit=0).failures) == 0


def test_the_limit_is_shared_so_that_small_counts_stay_whole():
    assert shares([5, 5], 10) == [5, 5]
    assert shares([100, 2, 100], 22) == [10, 2, 10]
    assert shares([100, 0, 100], 5) == [2, 0, 3]
    assert shares([], 5) == [] and shares([3], 0) == [0]


def test_long_values_are_cut(put, run):
    put(text=["x" * 1_000_000, "y"])
    assert run("is_in_list", column="text", allowed=["y"]) == {"r0": "x" * 500}


def test_many_checks_at_once(lake, put):
    put(n=list(range(300)))
    checks = [RowCheck(f"n {limit}", "is_not_less_than", {"column": "n", "limit": limit}) for limit in range(330)]
    report = lake.check_rows(Selection(ROWS, "id"), checks, limit=330)
    assert [count.failed for count in report.counts] == [*range(300), *([300] * 30)]
    assert report.failed_rows == 300 and len(report.failures) == 330


# --- refused ---


@pytest.mark.parametrize(
    ("function", "arguments", "said"),
    [
        ("is_not_nul", {"column": "a"}, "is_not_null"),
        ("drop table", {"column": "a"}, "There is no check"),
        ("is_not_null", {}, "needs the argument “column”"),
        ("is_not_null", {"column": "x"}, "no column “x”"),
        ("is_not_null", {"column": "a + 1"}, "not an expression"),
        ("is_not_null", {"column": "upper(text)"}, "not an expression"),
        ("is_not_null", {"column": 3}, "name of a column"),
        ("is_not_null", {"columns": ["a"]}, "no argument “columns”"),
        ("is_in_range", {"column": "a", "min_limit": 1}, "max_limit"),
        ("is_in_range", {"column": "a", "minimum": 1, "max_limit": 2}, "min_limit"),
        ("is_in_range", {"column": "text", "min_limit": 1, "max_limit": 2}, "number or date or time column"),
        ("is_in_range", {"column": "a", "min_limit": "'x'", "max_limit": 2}, "must be a number"),
        ("is_in_range", {"column": "a", "min_limit": "a * 2", "max_limit": 2}, "not an expression"),
        ("is_in_range", {"column": "a", "min_limit": "text", "max_limit": 2}, "“text” is"),
        ("is_in_range", {"column": "a", "min_limit": "2026-01-01", "max_limit": 2}, "must be a number"),
        ("is_in_range", {"column": "at", "min_limit": "2026-02-30", "max_limit": "2026-03-01"}, "calendar"),
        ("is_in_range", {"column": "at", "min_limit": 5, "max_limit": "2026-03-01"}, "date or time"),
        ("is_in_range", {"column": "a", "min_limit": True, "max_limit": 2}, "must be a number"),
        ("is_in_range", {"column": "a", "min_limit": float("nan"), "max_limit": 2}, "must be a number"),
        ("is_in_list", {"column": "a", "allowed": []}, "at least one"),
        ("is_in_list", {"column": "a", "allowed": "x"}, "a list"),
        ("is_in_list", {"column": "a", "allowed": [1, None]}, "does not fit"),
        ("is_in_list", {"column": "a", "allowed": ["x"]}, "does not fit"),
        ("is_in_list", {"column": "many", "allowed": ["x"]}, "needs a"),
        ("is_in_list", {"column": "text", "allowed": [[1]]}, "does not fit"),
        ("regex_match", {"column": "text", "regex": "("}, "regular expression cannot be read"),
        ("regex_match", {"column": "text", "regex": "(?=x)"}, "regular expression cannot be read"),
        ("regex_match", {"column": "text", "regex": 5}, "must be a text"),
        ("regex_match", {"column": "a", "regex": "x"}, "text column"),
        ("regex_match", {"column": "text", "regex": "x", "negate": "yes"}, "true or false"),
        ("length_between", {"column": "text"}, "min_length"),
        ("length_between", {"column": "text", "min_length": 1.5}, "whole number"),
        ("is_valid_date", {"column": "text", "date_format": "yyyy-mm-dd"}, "MM for months"),
        ("is_valid_date", {"column": "a"}, "text or date or time"),
        ("is_not_in_future", {"column": "text"}, "date or time column"),
        ("is_not_in_future", {"column": "at", "offset": "1"}, "whole number"),
        ("is_older_than_n_days", {"column": "at", "days": -1}, "between 0"),
        ("is_data_fresh", {"column": "at"}, "max_age_minutes"),
        ("is_unique", {"columns": "a"}, "a list"),
        ("is_unique", {"columns": ["a", "x"]}, "no column “x”"),
        ("foreign_key", {"columns": ["a"], "ref_columns": ["a"], "ref_table": "demo.acme.none"}, "demo.acme.none"),
        ("foreign_key", {"columns": ["a"], "ref_columns": ["a"], "ref_table": "../x"}, "reference table"),
        ("foreign_key", {"columns": ["a"], "ref_columns": ["x"], "ref_table": ROWS}, "no column “x”"),
        ("foreign_key", {"columns": ["a"], "ref_columns": ["text"], "ref_table": ROWS}, "cannot be compared"),
        ("foreign_key", {"columns": ["a"], "ref_columns": ["a", "at"], "ref_table": ROWS}, "as many"),
        ("foreign_key", {"columns": ["a"], "ref_columns": ["a"], "ref_df_name": "x"}, "ref_df_name"),
        ("sql_expression", {"expression": ""}, "empty"),
        ("sql_expression", {"expression": "a"}, "instead of true or false"),
        ("sql_expression", {"expression": "a > 1; drop table x"}, "statement"),
        ("sql_expression", {"expression": "read_text('/etc/passwd') = 'x'"}, "read_text"),
        ("sql_expression", {"expression": "a in (select 1)"}, "query"),
        ("sql_expression", {"expression": "lookup.found"}, "not a column"),
    ],
)
def test_what_cannot_run_is_refused_in_a_sentence(put, problem, lake, function, arguments, said):
    put(a=[1], text=["x"], at=[NOW], many=[["x"]])
    sentence = problem(function, **arguments)
    assert said in sentence and "Error" not in sentence
    with pytest.raises(Invalid):
        lake.check_rows(Selection(ROWS, "id"), [RowCheck("rule", function, arguments)])


def test_a_filter_is_held_to_the_same_rules(put, problem):
    put(a=[1])
    assert problem("is_not_null", "a > 0", column="a") == ""
    assert "instead of true or false" in problem("is_not_null", "a", column="a")
    assert "There is no column" in problem("is_not_null", "b > 1", column="a")
    assert "query" in problem("is_not_null", "a = (select 1)", column="a")


def test_problems_are_told_for_each_check_by_its_place(lake, put):
    put(a=[1])
    rules = [RowCheck("1", "is_not_null", {"column": name}) for name in ("a", "b", "a")]
    assert [bool(sentence) for sentence in lake.check_problems(ROWS, rules)] == [False, True, False]


def test_a_value_that_an_expression_cannot_read_names_the_check(lake, put):
    put(text=["1", "2", "many"])
    rules = [
        RowCheck("fine", "is_not_null", {"column": "text"}),
        RowCheck("guilty", "sql_expression", {"expression": "CAST(text AS INTEGER) > 0"}),
    ]
    assert lake.check_problems(ROWS, rules) == ["", ""]
    with pytest.raises(Invalid, match="guilty"):
        lake.check_rows(Selection(ROWS, "id"), rules)


@pytest.mark.parametrize("hostile", HOSTILE)
def test_hostile_values_are_data(lake, put, run, hostile):
    quoted = "'" + hostile.replace("'", "''") + "'"
    put(text=[hostile, "plain"])
    assert list(run("is_in_list", column="text", allowed=[quoted])) == refs(1)
    assert list(run("regex_match", column="text", regex=re.escape(hostile[:900]))) == refs(1)
    assert list(run("is_in_list", column="text", allowed=["plain"])) == refs(0)
    rule = RowCheck(hostile, "is_not_null", {"column": "text"})
    assert lake.check_rows(Selection(ROWS, "id"), [rule]).counts[0].name == hostile


@pytest.mark.parametrize("name", [text for text in HOSTILE if len(text) < 100 and text != "\n"])
def test_hostile_column_names_are_names(lake, put, run, name):
    put(**{name: ["x", None, "x"]})
    assert list(run("is_not_null", column=name)) == refs(1)
    assert list(run("is_unique", columns=[name])) == refs(0, 2)
    assert list(run("foreign_key", columns=[name], ref_columns=[name], ref_table=ROWS, negate=True)) == refs(0, 2)
    profile = lake.profile(Selection(ROWS, "id"), columns=[name])[0]
    assert (profile.nulls, profile.distinct, profile.top_values) == (1, 1, (("x", 2),))


@pytest.mark.parametrize("hostile", [text for text in HOSTILE if len(text) < 100])
def test_hostile_arguments_are_refused_or_data(lake, put, hostile):
    put(a=[1], at=[NOW], text=["x"])
    rules = [
        RowCheck("1", hostile, {"column": "a"}), RowCheck("2", "is_not_null", {hostile: "a"}),
        RowCheck("3", "is_not_null", {"column": hostile}), RowCheck("4", "is_unique", {"columns": [hostile]}),
        RowCheck("5", "is_in_range", {"column": "a", "min_limit": hostile, "max_limit": 1}),
        RowCheck("6", "is_not_less_than", {"column": "at", "limit": hostile}),
        RowCheck("7", "foreign_key", {"columns": ["a"], "ref_columns": ["a"], "ref_table": hostile}),
    ]  # fmt: skip
    assert all(lake.check_problems(ROWS, rules))


# --- watching ---


def test_the_share_done_grows_and_the_answer_is_the_same(lake, put):
    put(n=list(range(200_000)))
    rules = [
        RowCheck("n", "is_unique", {"columns": ["n"]}),
        RowCheck("m", "is_not_less_than", {"column": "n", "limit": 5}),
    ]
    told = []
    report = lake.check_rows(Selection(ROWS, "id"), rules, watch=lambda share: told.append(share) or True)
    assert report.failed_rows == 5
    assert told == sorted(told) and told[0] >= 0 and told[-1] <= 1 and len(told) >= 3


def test_a_person_stops_a_check_and_the_lake_goes_on(lake, put):
    put(text=[f"{'ab' * 40}{n}" for n in range(300_000)])
    slow = [RowCheck(str(n), "regex_match", {"column": "text", "regex": f"(a|b|ab)*{n}$"}) for n in range(60)]
    threads = threading.active_count()
    asked = []

    def watch(share):
        asked.append(share)
        return len(asked) < 4

    started = time.perf_counter()
    with pytest.raises(Stopped):
        lake.check_rows(Selection(ROWS, "id"), slow, watch=watch)
    assert time.perf_counter() - started < 10
    assert len(asked) == 4 and threading.active_count() == threads
    assert lake.check_rows(Selection(ROWS, "id"), slow[:1], watch=lambda share: True).rows == 300_000


def test_a_watcher_that_fails_stops_the_work(lake, put):
    put(n=[1])
    with pytest.raises(ZeroDivisionError):
        lake.check_rows(
            Selection(ROWS, "id"), [RowCheck("n", "is_not_null", {"column": "n"})], watch=lambda share: 1 / 0
        )


# --- the same verdicts in other words ---


def random_rows(seed, rows=400):
    random = np.random.default_rng(seed)

    texts = ["", " ", "a", "b", "A", "ab1", "b22", "{}", "[1", "'a'"]
    hours = random.integers(-90, 90, rows)

    def gaps(values):
        return [None if random.random() < 0.15 else value for value in values]

    return pd.DataFrame(
        {
            "n": pd.array(gaps(random.integers(-5, 6, rows).tolist()), "Int64"),
            "m": pd.array(gaps(random.integers(-5, 6, rows).tolist()), "Int64"),
            "x": pd.array(gaps([float(v) for v in random.normal(0, 3, rows).round(1)]), "Float64"),
            "text": pd.Series(gaps(random.choice(texts, rows)), dtype=object),
            "at": pd.Series(gaps([NOW.replace(tzinfo=None) + timedelta(hours=int(each)) for each in hours])),
            "id": [f"{place:04d}" for place in range(rows)],
        }
    )  # fmt: skip


def is_json(text):
    try:
        json.loads(text)
    except ValueError:
        return False
    return True


def oracle(frame):
    """Each row-level check in plain pandas: (function, arguments, the rows that fail)."""
    n, m, x, text, at = (frame[name] for name in ("n", "m", "x", "text", "at"))
    null = text.isna()
    now = NOW.replace(tzinfo=None)
    midnight = pd.Timestamp(now.date())
    size = text.str.len()
    is_a = text.str.lower() == "a"
    is_text_a = (text == "a").where(~null, pd.NA).astype("boolean")
    pair = frame[["n", "text"]].isna().any(axis=1)
    return [
        ("is_not_null", {"column": "text"}, null),
        ("is_not_empty", {"column": "text"}, text == ""),
        ("is_not_empty", {"column": "text", "trim_strings": True}, text.str.strip(" ") == ""),
        ("is_not_null_and_not_empty", {"column": "text"}, null | (text == "")),
        ("is_in_list", {"column": "text", "allowed": ["a", "'b'"]}, ~null & ~text.isin(["a", "b"])),
        ("is_in_list", {"column": "text", "allowed": ["A"], "case_sensitive": False}, ~null & ~is_a),
        ("is_not_null_and_is_in_list", {"column": "n", "allowed": [1, 2]}, n.isna() | ~n.isin([1, 2])),
        ("is_in_range", {"column": "x", "min_limit": -1.5, "max_limit": 2}, (x < -1.5) | (x > 2)),
        ("is_in_range", {"column": "n", "min_limit": "m", "max_limit": 3}, (n < m) | (n > 3)),
        ("is_not_in_range", {"column": "x", "min_limit": -1.5, "max_limit": 2}, (x >= -1.5) & (x <= 2)),
        ("is_not_less_than", {"column": "n", "limit": 0}, n < 0),
        ("is_not_less_than", {"column": "n", "limit": 0, "allow_nulls": False}, n.isna() | (n < 0).fillna(False)),
        ("is_not_greater_than", {"column": "n", "limit": "m"}, n > m),
        ("is_not_greater_than", {"column": "at", "limit": now.isoformat()}, at > now),
        ("regex_match", {"column": "text", "regex": "[ab][0-9]"}, ~null & ~text.str.contains("[ab][0-9]", na=False)),
        ("regex_match", {"column": "text", "regex": "^b", "negate": True}, text.str.contains("^b", na=False)),
        ("length_between", {"column": "text", "min_length": 1, "max_length": 2}, (size < 1) | (size > 2)),
        ("is_valid_json", {"column": "text"}, ~null & ~text.map(lambda each: isinstance(each, str) and is_json(each))),
        ("is_valid_date", {"column": "text"}, ~null),
        ("is_valid_timestamp", {"column": "at"}, null & ~null),
        ("is_not_in_future", {"column": "at", "offset": 60}, at > now + timedelta(seconds=60)),
        ("is_older_than_n_days", {"column": "at", "days": 2}, at >= midnight - timedelta(days=2)),
        ("is_data_fresh", {"column": "at", "max_age_minutes": 1000}, at < now - timedelta(minutes=1000)),
        ("is_unique", {"columns": ["text"]}, ~null & text.duplicated(keep=False)),
        ("is_unique", {"columns": ["x"], "nulls_distinct": False}, x.duplicated(keep=False)),
        ("is_unique", {"columns": ["n", "text"]}, ~pair & frame.duplicated(["n", "text"], keep=False)),
        ("foreign_key", {"columns": ["n"], "ref_columns": ["key"], "ref_table": KEYS}, ~n.isna() & ~n.isin([1, 3, 5])),
        ("sql_expression", {"expression": "n + m > 2 OR text = 'a'"}, ~((n + m > 2) | is_text_a)),
    ]  # fmt: skip


def failing(frame, fails):
    return set(frame["id"][fails.astype("boolean").fillna(False).astype(bool)])


@pytest.mark.parametrize("seed", range(4))
def test_verdicts_are_those_of_plain_pandas(lake, put, seed):
    frame = random_rows(seed)
    put(KEYS, key=[1, 3, 5, None])
    put(**{name: pa.array(frame[name], from_pandas=True) for name in frame})
    expected = oracle(frame)
    rules = [RowCheck(name, name, arguments) for name, arguments, _ in expected]
    report = lake.check_rows(Selection(ROWS, "id"), rules)
    for place, (name, arguments, fails) in enumerate(expected):
        found = set(report.failures.loc[report.failures["check"] == place, "item_ref"])
        assert found == failing(frame, fails), (name, arguments)
        assert report.counts[place].failed == len(found)
    whole = set.union(*(failing(frame, fails) for _, _, fails in expected))
    assert report.failed_rows == len(whole)
    assert {name for name, _, _ in expected} == set(ROW_FUNCTIONS)


# --- the two lists of functions, other dialects ---


def test_the_catalogue_of_the_feature_is_what_the_lake_can_check():
    assert {name for name, function in CATALOGUE.items() if not function.reads_files} == set(ROW_FUNCTIONS)
    for name in ROW_FUNCTIONS:
        known = {*FUNCTIONS[name].required, *FUNCTIONS[name].optional}
        assert {argument.name for argument in CATALOGUE[name].arguments} <= known, name


def test_checks_are_rendered_for_a_warehouse():
    columns = [Column("text", "STRING", "string"), Column("a`b", "BIGINT", "number"), Column("at", "TIMESTAMP", "time")]
    scope = Scope(columns, lambda name: (None, ()), "databricks", NOW)

    def sql(function, **arguments):
        return compile_check(RowCheck("x", function, arguments), scope).fails.sql(dialect="databricks")

    assert sql("is_not_less_than", column="a`b", limit=5) == "`rows`.`a``b` < 5"
    assert sql("is_in_list", column="text", allowed=["it's"]) == r"NOT `rows`.`text` IN ('it\'s')"
    assert "TRY_TO_TIMESTAMP(`rows`.`text`, 'dd.MM.yyyy')" in sql(
        "is_valid_date", column="text", date_format="dd.MM.yyyy"
    )
    assert "TRY_PARSE_JSON(`rows`.`text`)" in sql("is_valid_json", column="text")
    assert sql("sql_expression", expression="`a``b` > 1") == "NOT (`rows`.`a``b` > 1)"


# --- profiles ---


def test_a_profile_agrees_with_pandas(lake, put):
    random = np.random.default_rng(7)
    rows = 5000
    number = [None if value < -2 else float(value) for value in random.normal(0, 1, rows)]
    whole = random.integers(0, 50, rows).tolist()
    text = [None if n == 0 else "" if n == 1 else f"item {n}" for n in whole]
    times = [datetime(2026, 1, 1) + timedelta(minutes=int(n)) for n in random.integers(0, 10_000, rows)]
    put(number=number, whole=whole, text=text, at=pa.array(times, pa.timestamp("us")), flag=[n % 2 == 0 for n in whole])
    found = {profile.column: profile for profile in lake.profile(Selection(ROWS, "id"))}
    frame = pd.DataFrame({"number": number, "whole": whole, "text": text, "at": times})

    profile, values = found["number"], frame["number"].dropna()
    assert (profile.rows, profile.nulls, profile.distinct) == (
        rows,
        int(frame["number"].isna().sum()),
        values.nunique(),
    )
    assert profile.mean == pytest.approx(values.mean()) and profile.deviation == pytest.approx(values.std())
    assert float(profile.minimum) == values.min() and float(profile.maximum) == values.max()
    for level, value in profile.quantiles.items():
        assert value == pytest.approx(values.quantile(level))
    counts, edges = np.histogram(values, bins=20)
    assert [rows for _, _, rows in profile.histogram] == pytest.approx(counts.tolist(), abs=1)
    assert sum(rows for _, _, rows in profile.histogram) == len(values)
    assert [left for left, _, _ in profile.histogram] == pytest.approx(edges[:-1].tolist())

    profile = found["whole"]
    assert profile.distinct == frame["whole"].nunique() and not profile.is_unique
    expected = frame["whole"].value_counts()
    assert [count for _, count in profile.top_values] == expected.head(20).tolist()
    assert all(expected[int(value)] == count for value, count in profile.top_values)

    profile, texts = found["text"], frame["text"].dropna()
    assert (profile.nulls, profile.empty) == (int(frame["text"].isna().sum()), int((texts == "").sum()))
    assert (profile.shortest, profile.longest) == (0, 7) and profile.mean_length == pytest.approx(
        texts.str.len().mean()
    )
    assert (profile.pattern, profile.pattern_regex) == ("A 9", "[a-z]{4} [0-9]{1,2}")
    assert profile.pattern_share == pytest.approx(texts.str.fullmatch(profile.pattern_regex).mean())

    profile = found["at"]
    assert (profile.minimum, profile.maximum) == (min(times).isoformat(), max(times).isoformat())
    assert profile.quantiles is None and profile.histogram == () and profile.distinct == frame["at"].nunique()
    assert found["flag"].top_values[0][0] in ("true", "false") and found["flag"].minimum == "false"
    assert found["id"].is_unique and found["id"].top_values == ()


def test_one_repeated_value_among_many_is_not_unique(lake, put):
    put(key=[*(f"k{n}" for n in range(50_000)), "k7"], other=list(range(50_001)))
    key, other = lake.profile(Selection(ROWS, "id"), columns=["key", "other"])
    assert (key.distinct, key.is_unique, key.top_values[0]) == (50_000, False, ("k7", 2))
    assert other.is_unique


def test_values_outside_the_usual(lake, put):
    put(
        number=[1.0, float("nan"), float("inf"), 3.0, 1e300], constant=[5] * 5,
        nothing=pa.array([None] * 5, pa.int64()),
        many=[["a"], None, [], ["b"], ["c"]], raw=[b"1", None, None, b"2", b"2"], huge=[2**62] * 4 + [None],
        exact=[Decimal("1.10"), Decimal("2.20"), None, None, None], text=["😀", "ä" * 600, "x'--", "", None],
        day=[date(2026, 1, 1)] * 5,
    )  # fmt: skip
    found = {profile.column: profile for profile in lake.profile(Selection(ROWS, "id"))}
    assert (found["number"].mean, found["number"].maximum, found["number"].nulls) == (2.0, "3.0", 0)
    assert found["constant"].histogram == ((5.0, 5.0, 5),) and found["constant"].deviation == 0
    assert (found["nothing"].nulls, found["nothing"].distinct, found["nothing"].minimum) == (5, 0, None)
    assert (found["many"].nulls, found["many"].distinct) == (1, 0)
    assert (found["raw"].nulls, found["raw"].distinct) == (2, 0)
    assert found["huge"].minimum == str(2**62)
    assert (found["exact"].minimum, found["exact"].mean) == ("1.10", pytest.approx(1.65))
    assert found["text"].longest == 600 and len(found["text"].maximum) <= 500
    assert found["day"].minimum == "2026-01-01"


def test_an_empty_selection_has_a_profile(lake, put):
    put(a=[1], text=["x"])
    for profile in lake.profile(Selection(ROWS, "id", where="a > 5")):
        assert (profile.rows, profile.nulls, profile.distinct, profile.is_unique) == (0, 0, 0, False)


def test_a_profile_describes_the_selection_only(lake, put):
    put(n=list(range(100)))
    assert lake.profile(Selection(ROWS, "id", where="n < 10"), columns=["n"])[0].maximum == "9"
    assert lake.profile(Selection(ROWS, "id", sample_size=20), columns=["n"])[0].rows == 20
    with pytest.raises(Invalid):
        lake.profile(Selection(ROWS, "id"), columns=["m"])


def test_hundreds_of_columns_are_profiled_in_a_few_statements(lake, put):
    put(**{f"c{n}": [n, n + 1, None] for n in range(300)})
    started = time.perf_counter()
    profiles = lake.profile(Selection(ROWS, "id"))
    assert time.perf_counter() - started < 20
    assert len(profiles) == 301 and profiles[299].maximum == "300"


@pytest.mark.parametrize(
    ("texts", "pattern", "regex"),
    [
        (["AB-1234", "CD-0000"], "A-9", "[A-Z]{2}-[0-9]{4}"),
        (["a1", "bc23"], "A9", "[a-z]{1,2}[0-9]{1,2}"),
        (["Ulm", "ROM"], "A", "[A-Za-z]{3}"),
        (["1.5", "22.75"], "9.9", r"[0-9]{1,2}\.[0-9]{1,2}"),
        (["(a)", "(b)"], "(A)", r"\([a-z]\)"),
        (["ä1", "ä2"], "ä9", "ä[0-9]"),
        (["x[1]^$", "y[2]^$"], "A[9]^$", r"[a-z]\[[0-9]\]\^\$"),
    ],
)
def test_the_shape_of_texts(texts, pattern, regex):
    shape = most_common_shape([(text, 1) for text in texts])
    assert (shape.pattern, shape.regex) == (pattern, regex)
    assert all(re.fullmatch(shape.regex, text) for text in texts)


def test_texts_without_a_common_shape_have_none():
    assert most_common_shape([("a", 1), ("1", 1), ("-", 1)]) is None
    assert most_common_shape([("x" * 70, 5)]) is None
    assert most_common_shape([("", 5)]) is None and most_common_shape([]) is None
    assert most_common_shape([("a1", 6), ("-", 4)]).pattern == "A9"
