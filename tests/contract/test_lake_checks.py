"""Checks of the lake: what each function finds, alone and together with others (DQ-1)."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pyarrow as pa
import pytest

from tests.contract.check_parts import ROWS, refs
from workbench_core.adapters.lake_checks.time_formats import strptime_of
from workbench_core.adapters.local.lake.row_checks import shares
from workbench_core.errors import Invalid
from workbench_core.ports import RowCheck, Selection

NOW = datetime.now(UTC).replace(microsecond=0)


# --- presence ---


def test_missing_and_empty_texts(put_rows, run_check):
    put_rows(text=["x", None, "", "  ", "\t"])
    assert run_check("is_not_null", column="text") == {"r1": "null"}
    assert run_check("is_not_empty", column="text") == {"r2": ""}
    assert list(run_check("is_not_empty", column="text", trim_strings=True)) == refs(2, 3)
    assert list(run_check("is_not_null_and_not_empty", column="text")) == refs(1, 2)
    assert list(run_check("is_not_null_and_not_empty", column="text", trim_strings=True)) == refs(1, 2, 3)


def test_missing_values_of_every_kind(put_rows, run_check):
    put_rows(
        number=[1, None], time=[NOW, None], day=[date(2026, 1, 1), None], flag=[True, None], raw=[b"\x00", None],
        many=[["a"], None], exact=[Decimal("1.5"), None],
    )  # fmt: skip
    for column in ("number", "time", "day", "flag", "raw", "many", "exact"):
        assert run_check("is_not_null", column=column) == {"r1": "null"}
        assert run_check("is_not_null_and_not_empty", column=column) == {"r1": "null"}
        assert run_check("is_not_empty", column=column) == {}


# --- lists and limits ---


def test_lists_let_nulls_pass_and_compare_exactly(put_rows, run_check):
    put_rows(text=["a", "A", "b", None, "'a'", ""], number=[1.0, 2.0, 2.5, None, -3.0, float("nan")])
    assert list(run_check("is_in_list", column="text", allowed=["a", "b"])) == refs(1, 4, 5)
    assert list(run_check("is_in_list", column="text", allowed=["'a'", "'b'"])) == refs(
        1, 4, 5
    )  # quoted as DQX 0.16 wants
    assert list(run_check("is_in_list", column="text", allowed=["'''a'''"])) == refs(0, 1, 2, 5)
    assert list(run_check("is_in_list", column="text", allowed=["a", "b"], case_sensitive=False)) == refs(4, 5)
    assert list(run_check("is_not_null_and_is_in_list", column="text", allowed=["a", "b"])) == refs(1, 3, 4, 5)
    assert list(run_check("is_in_list", column="number", allowed=[1, 2.5, "-3"])) == refs(1, 5)


def test_lists_of_times_and_booleans(put_rows, run_check):
    put_rows(day=[date(2026, 1, 1), date(2026, 1, 2), None], flag=[True, False, None])
    assert list(run_check("is_in_list", column="day", allowed=["2026-01-01"])) == refs(1)
    assert list(run_check("is_not_null_and_is_in_list", column="flag", allowed=[True])) == refs(1, 2)


def test_limits_belong_to_the_range(put_rows, run_check):
    put_rows(number=[0, 1, 5, 10, 11, None], low=[0, 2, 0, 0, 0, 0])
    assert run_check("is_in_range", column="number", min_limit=1, max_limit=10) == {"r0": "0", "r4": "11"}
    assert list(run_check("is_not_in_range", column="number", min_limit=1, max_limit=10)) == refs(1, 2, 3)
    assert list(run_check("is_not_less_than", column="number", limit=5)) == refs(0, 1)
    assert list(run_check("is_not_greater_than", column="number", limit=5)) == refs(3, 4)
    assert list(run_check("is_not_less_than", column="number", limit="5")) == refs(0, 1)
    assert list(run_check("is_not_less_than", column="number", limit="low")) == refs(1)
    assert list(run_check("is_in_range", column="number", min_limit="low", max_limit=1e1)) == refs(1, 4)
    assert list(run_check("is_not_less_than", column="number", limit=5, allow_nulls=False)) == refs(0, 1, 5)


def test_numbers_that_are_not_finite_lie_above_everything(put_rows, run_check):
    put_rows(number=[1.0, float("nan"), float("inf"), -float("inf")])
    assert run_check("is_in_range", column="number", min_limit=0, max_limit=10) == {
        "r1": "nan",
        "r2": "inf",
        "r3": "-inf",
    }


def test_limits_of_times(put_rows, run_check):
    moments = [datetime(2026, 1, 1), datetime(2026, 1, 1, 12), datetime(2026, 1, 2), None]
    put_rows(
        naive=pa.array(moments, pa.timestamp("us")),
        zoned=pa.array([m and m.replace(tzinfo=UTC) for m in moments], pa.timestamp("us", tz="Europe/Berlin")),
        day=[m and m.date() for m in moments],
    )
    for column in ("naive", "zoned"):
        assert list(run_check("is_not_greater_than", column=column, limit="2026-01-01T12:00:00")) == refs(2)
        assert list(run_check("is_not_less_than", column=column, limit="2026-01-01T13:00:00+01:00")) == refs(0)
        assert list(run_check("is_not_greater_than", column=column, limit="TIMESTAMP '2026-01-01 12:00'")) == refs(2)
    assert list(run_check("is_in_range", column="day", min_limit="2026-01-01", max_limit="DATE '2026-01-01'")) == refs(
        2
    )
    assert list(run_check("is_not_greater_than", column="naive", limit="day")) == refs(1)


# --- texts ---


def test_a_pattern_is_found_anywhere_in_the_text(put_rows, run_check):
    put_rows(text=["AB-1234", "xAB-1234x", "ab-1234", "", None, "a\nAB-1234"])
    assert list(run_check("regex_match", column="text", regex="[A-Z]{2}-[0-9]{4}")) == refs(2, 3)
    assert list(run_check("regex_match", column="text", regex="^[A-Z]{2}-[0-9]{4}$")) == refs(1, 2, 3, 5)
    assert list(run_check("regex_match", column="text", regex="[A-Z]", negate=True)) == refs(0, 1, 5)


def test_lengths_count_characters(put_rows, run_check):
    put_rows(text=["", "a", "ä😀", "abc", None])
    assert list(run_check("length_between", column="text", min_length=1, max_length=2)) == refs(0, 3)
    assert list(run_check("length_between", column="text", min_length=2)) == refs(0, 1)
    assert list(run_check("length_between", column="text", max_length=2)) == refs(3)


def test_json(put_rows, run_check):
    put_rows(text=['{"a": 1}', "[1, 2]", "3", "null", '"x"', "{a: 1}", "", "{", None])
    assert list(run_check("is_valid_json", column="text")) == refs(5, 6, 7)


def test_dates_and_times_in_the_forms_that_spark_casts(put_rows, run_check):
    good = [
        "2026-01-31", "2026-1-5", "2026-01", "2026", "2026-01-31T10:00:00", "2026-01-31 10:00:00.123456",
        "2026-01-31T10:00:00Z", "2026-01-31 10:00:00+01:00", "2026-01-31 23:59:59 Europe/Berlin", " 2026-01-31 ",
    ]  # fmt: skip
    bad = ["2026-02-30", "2026-13-01", "31.01.2026", "2026/01/31", "20260131", "x", "", "2026-01-31 25:00:00", "-"]
    put_rows(text=[*good, *bad, None])
    for function in ("is_valid_date", "is_valid_timestamp"):
        assert list(run_check(function, column="text").values()) == [text for _, text in sorted(
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
def test_dates_and_times_in_a_given_form(put_rows, run_check, pattern, good, bad):
    put_rows(text=[*good, *bad, None])
    expected = {f"r{len(good) + place}": text for place, text in enumerate(bad)}
    assert run_check("is_valid_date", column="text", date_format=pattern) == expected
    assert run_check("is_valid_timestamp", column="text", timestamp_format=pattern) == expected


@pytest.mark.parametrize("pattern", ["yyyy-mm-dd", "QQQ", "yyyy-[MM]", "", "---", "yyyy-MM-dd'T"])
def test_a_form_that_cannot_be_read_is_refused(pattern):
    with pytest.raises(Invalid):
        strptime_of(pattern)


# --- times ---


def test_the_future_begins_behind_the_offset(put_rows, run_check):
    times = [NOW - timedelta(hours=1), NOW + timedelta(minutes=30), NOW + timedelta(hours=2), None]
    put_rows(
        zoned=pa.array(times, pa.timestamp("us", tz="UTC")),
        naive=pa.array([t and t.replace(tzinfo=None) for t in times], pa.timestamp("ns")),
        day=[NOW.date(), NOW.date() + timedelta(days=2), NOW.date() + timedelta(days=3), None],
    )
    for column in ("zoned", "naive", "day"):
        assert list(run_check("is_not_in_future", column=column)) == refs(1, 2)
    assert list(run_check("is_not_in_future", column="zoned", offset=3600)) == refs(2)


def test_age(put_rows, run_check):
    ages = [0, 29, 30, 31, 400]
    put_rows(
        day=[*(NOW.date() - timedelta(days=age) for age in ages), None],
        at=pa.array([*(NOW - timedelta(minutes=age) for age in ages), None], pa.timestamp("us", tz="UTC")),
        base=pa.array([NOW - timedelta(minutes=10)] * 6, pa.timestamp("us", tz="UTC")),
    )
    assert list(run_check("is_older_than_n_days", column="day", days=30)) == refs(0, 1, 2)
    assert list(run_check("is_older_than_n_days", column="day", days=30, negate=True)) == refs(3, 4)
    assert list(run_check("is_data_fresh", column="at", max_age_minutes=60)) == refs(4)
    assert list(run_check("is_data_fresh", column="at", max_age_minutes=20, base_timestamp="base")) == refs(3, 4)


# --- keys ---


def test_all_rows_of_a_repeated_key_fail_and_missing_keys_do_not(put_rows, run_check):
    put_rows(a=["x", "x", "y", None, None, "x"], b=[1, 1, 1, 2, 2, None])
    assert run_check("is_unique", columns=["a"]) == {"r0": "x", "r1": "x", "r5": "x"}
    assert list(run_check("is_unique", columns=["a"], nulls_distinct=False)) == refs(0, 1, 3, 4, 5)
    assert run_check("is_unique", columns=["a", "b"]) == {"r0": "a=x, b=1", "r1": "a=x, b=1"}
    assert run_check("is_unique", columns=["b", "a"], nulls_distinct=False)["r3"] == "b=2, a=null"


def test_only_rows_of_the_filter_count_as_repeated(put_rows, run_check):
    put_rows(a=["x", "x", "y", "y"], keep=[True, False, True, True])
    assert list(run_check("is_unique", columns=["a"], where="keep")) == refs(2, 3)
    assert run_check.evaluated == 3


def test_blanks_at_the_ends_can_be_left_out_of_a_key(put_rows, run_check):
    put_rows(a=["x", " x ", "y"])
    assert run_check("is_unique", columns=["a"]) == {}
    assert run_check("is_unique", columns=["a"], trim_strings=True) == {"r0": "x", "r1": " x "}


def test_foreign_keys(put_rows, run_check):
    put_rows("demo.acme.planes", tail=["N1", "N2", "N2", None], year=[1, 2, 2, 3], id=["1", "2", "3", "4"])
    put_rows(plane=["N1", "N9", None, "N2"], year=[1, 1, 1, 5])
    other = {"ref_table": "demo.acme.planes"}
    assert run_check("foreign_key", columns=["plane"], ref_columns=["tail"], **other) == {"r1": "N9"}
    assert list(run_check("foreign_key", columns=["plane"], ref_columns=["tail"], negate=True, **other)) == refs(0, 3)
    assert list(run_check("foreign_key", columns=["plane", "year"], ref_columns=["tail", "year"], **other)) == refs(
        1, 3
    )


# --- expressions, filters, several checks ---


def test_expressions_fail_where_they_are_false_and_pass_where_they_are_null(put_rows, run_check):
    put_rows(a=[1, 5, None, 3], b=[2, 2, 2, 3])
    assert run_check("sql_expression", expression="a < b") == {"r1": "a=5, b=2", "r3": "a=3, b=3"}
    assert list(run_check("sql_expression", expression="a < b", negate=True)) == refs(0)
    assert run_check("sql_expression", expression="a < b", columns=["b"], msg="late", name="x") == {
        "r1": "2",
        "r3": "3",
    }


def test_a_filter_narrows_what_is_looked_at(put_rows, run_check):
    put_rows(a=[1, None, None, 4], b=["x", "x", "y", None])
    assert list(run_check("is_not_null", column="a", where="b = 'x'")) == refs(1)
    assert run_check.evaluated == 2


def test_only_errors_make_a_row_fail_and_each_check_is_counted(lake, put_rows):
    put_rows(a=[1, 2, 3, None], b=["x", None, None, None])
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


def test_a_selection_is_checked_and_nothing_else(lake, put_rows):
    put_rows(a=[None] * 10, n=list(range(10)))
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


def test_rows_without_an_identifier_are_counted(lake, put_rows):
    put_rows(a=[1, 1, None], id=["x", None, None])
    report = lake.check_rows(Selection(ROWS, ""), [RowCheck("a", "is_not_null", {"column": "a"})])
    assert (report.rows, report.failed_rows) == (3, 1)
    assert list(report.failures["item_ref"]) == [""]


def test_a_column_named_like_the_identifier_is_never_mistaken_for_it(lake, put_rows):
    put_rows(item_ref=["a", None, "a"])
    rule = RowCheck("x", "is_not_null", {"column": "item_ref"})
    assert lake.check_rows(Selection(ROWS, ""), [rule]).failed_rows == 1
    with pytest.raises(Invalid, match="item_ref"):
        lake.check_rows(Selection(ROWS, "id"), [rule])
    assert [profile.column for profile in lake.profile(Selection(ROWS, "id"))] == ["id"]
    assert lake.profile(Selection(ROWS, "item_ref"), columns=["item_ref"])[0].distinct == 1


def test_no_rows_and_no_checks(lake, put_rows):
    put_rows(a=[1])
    rules = [RowCheck("a", "is_not_null", {"column": "a"}, "a > 1"), RowCheck("b", "is_unique", {"columns": ["a"]})]
    empty = lake.check_rows(Selection(ROWS, "id", where="a > 5"), rules)
    assert [(count.evaluated, count.failed) for count in empty.counts] == [(0, 0), (0, 0)]
    assert (empty.rows, empty.failed_rows, len(empty.failures)) == (0, 0, 0)
    assert list(empty.failures.columns) == ["item_ref", "check", "value"]
    assert lake.check_rows(Selection(ROWS, "id"), []).counts == ()


def test_planted_defects_are_counted_exactly(lake, put_rows):
    rows = 20_000
    amounts = [float(n % 100) for n in range(rows)]
    codes = [f"AB-{n:05d}" for n in range(rows)]
    for place in range(37):
        amounts[place * 500] = -1.0
    for place in range(11):
        codes[place * 1000 + 1] = f"bad {place}"
    codes[19_999] = codes[19_998]
    put_rows(amount=amounts, code=codes)
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


def test_failures_are_cut_at_the_limit_and_counted_whole(lake, put_rows):
    put_rows(a=[None] * 100, b=[None] * 100, c=[None] * 3 + ["x"] * 97)
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


def test_long_values_are_cut(put_rows, run_check):
    put_rows(text=["x" * 1_000_000, "y"])
    assert run_check("is_in_list", column="text", allowed=["y"]) == {"r0": "x" * 500}


def test_many_checks_at_once(lake, put_rows):
    put_rows(n=list(range(300)))
    checks = [RowCheck(f"n {limit}", "is_not_less_than", {"column": "n", "limit": limit}) for limit in range(330)]
    report = lake.check_rows(Selection(ROWS, "id"), checks, limit=330)
    assert [count.failed for count in report.counts] == [*range(300), *([300] * 30)]
    assert report.failed_rows == 300 and len(report.failures) == 330


# --- strict JSON and far limits ---------------------------------------------------------------------------------------

CORPUS = [
    "NaN", "nan", "-NaN", "Infinity", "-Infinity", "inf", "null", "true", "TRUE", "tru", "1", "-1", "01", "+1", ".5",
    "1.", "1e5", "1e", "0x1F", "1e400", "[]", "{}", "[1,]", "[1,\n]", "[,]", "{,}", "[1,,2]", '{"a":1,}', '{"a":1,\t}',
    '{"a":1}', '{"a":NaN}', '{"a":[nan]}', '{"a":-Infinity}', '"NaN"', '{"NaN":1}', '{"a":",]"}', '{"a":"\\",]"}',
    '{"a":"\\\\",}', '["x",]', '["inf,]"]', "{a:1}", "{'a':1}", "[1]]", "[[1]", "1 2", "", " 1 ", "//x\n1", '"a\tb"',
    '"\\x"', '"\\u12"', '{"a":1 "b":2}', '{"a":1,"a":2}', "\u00a01", "[1 2]", '"\u2028"',
]  # fmt: skip


def _is_strict_json(text):
    def refuse(constant):
        raise ValueError(constant)

    try:
        json.loads(text, parse_constant=refuse)
    except ValueError:
        return False
    return True


def test_only_strict_json_is_valid(put_rows, run_check):
    put_rows(v=CORPUS)
    failing = set(run_check("is_valid_json", column="v"))
    assert failing == {f"r{place}" for place, text in enumerate(CORPUS) if not _is_strict_json(text)}


@pytest.mark.parametrize("limit", [10**39, -(10**39), f"1{'0' * 50}", f"0.{'0' * 50}1"])
def test_a_limit_of_more_digits_than_a_number_type_has_still_compares(put_rows, run_check, limit):
    put_rows(v=[-5, 5])
    failing = run_check("is_not_greater_than", column="v", limit=limit)
    assert list(failing) == [f"r{place}" for place, value in enumerate((-5, 5)) if value > float(limit)]


def test_a_source_column_item_ref_is_not_there_beside_another_identifier(lake, put_rows):
    put_rows(item_ref=["u", "u"])
    rule = RowCheck("rule", "is_not_null", {"column": "item_ref"})
    assert lake.check_problems(ROWS, [rule]) == [""]
    assert lake.check_problems(ROWS, [rule], identifier="item_ref") == [""]
    assert "no column “item_ref”" in lake.check_problems(ROWS, [rule], identifier="id")[0]
