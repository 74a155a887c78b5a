"""Checks of the lake: what cannot run is refused in a sentence, hostile texts are data, a person can stop a check."""

from __future__ import annotations

import re
import threading
import time
from datetime import UTC, datetime

import pytest

from tests.contract.check_parts import ROWS, refs
from workbench_core.errors import Invalid, Stopped
from workbench_core.ports import RowCheck, Selection

NOW = datetime.now(UTC).replace(microsecond=0)
HOSTILE = [
    "'; DROP TABLE rows; --", '"', "\\", "{{ item }}", "${x}", "%s", "?", ":name", "$1", "' OR 1=1 --", "/* */", "😀",
    "\n", "x" * 1_000_000, "ünïcödé", "a.b", "rows", "lookup", "(SELECT 1)", "''", "NULL",
]  # fmt: skip


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
def test_what_cannot_run_is_refused_in_a_sentence(put_rows, check_problem, lake, function, arguments, said):
    put_rows(a=[1], text=["x"], at=[NOW], many=[["x"]])
    sentence = check_problem(function, **arguments)
    assert said in sentence and "Error" not in sentence
    with pytest.raises(Invalid):
        lake.check_rows(Selection(ROWS, "id"), [RowCheck("rule", function, arguments)])


def test_a_filter_is_held_to_the_same_rules(put_rows, check_problem):
    put_rows(a=[1])
    assert check_problem("is_not_null", "a > 0", column="a") == ""
    assert "instead of true or false" in check_problem("is_not_null", "a", column="a")
    assert "There is no column" in check_problem("is_not_null", "b > 1", column="a")
    assert "query" in check_problem("is_not_null", "a = (select 1)", column="a")


def test_problems_are_told_for_each_check_by_its_place(lake, put_rows):
    put_rows(a=[1])
    rules = [RowCheck("1", "is_not_null", {"column": name}) for name in ("a", "b", "a")]
    assert [bool(sentence) for sentence in lake.check_problems(ROWS, rules)] == [False, True, False]


def test_a_value_that_an_expression_cannot_read_names_the_check(lake, put_rows):
    put_rows(text=["1", "2", "many"])
    rules = [
        RowCheck("fine", "is_not_null", {"column": "text"}),
        RowCheck("guilty", "sql_expression", {"expression": "CAST(text AS INTEGER) > 0"}),
    ]
    assert lake.check_problems(ROWS, rules) == ["", ""]
    with pytest.raises(Invalid, match="guilty"):
        lake.check_rows(Selection(ROWS, "id"), rules)


@pytest.mark.parametrize("hostile", HOSTILE)
def test_hostile_values_are_data(lake, put_rows, run_check, hostile):
    quoted = "'" + hostile.replace("'", "''") + "'"
    put_rows(text=[hostile, "plain"])
    assert list(run_check("is_in_list", column="text", allowed=[quoted])) == refs(1)
    assert list(run_check("regex_match", column="text", regex=re.escape(hostile[:900]))) == refs(1)
    assert list(run_check("is_in_list", column="text", allowed=["plain"])) == refs(0)
    rule = RowCheck(hostile, "is_not_null", {"column": "text"})
    assert lake.check_rows(Selection(ROWS, "id"), [rule]).counts[0].name == hostile


@pytest.mark.parametrize("name", [text for text in HOSTILE if len(text) < 100 and text != "\n"])
def test_hostile_column_names_are_names(lake, put_rows, run_check, name):
    put_rows(**{name: ["x", None, "x"]})
    assert list(run_check("is_not_null", column=name)) == refs(1)
    assert list(run_check("is_unique", columns=[name])) == refs(0, 2)
    assert list(run_check("foreign_key", columns=[name], ref_columns=[name], ref_table=ROWS, negate=True)) == refs(0, 2)
    profile = lake.profile(Selection(ROWS, "id"), columns=[name])[0]
    assert (profile.nulls, profile.distinct, profile.top_values) == (1, 1, (("x", 2),))


@pytest.mark.parametrize("hostile", [text for text in HOSTILE if len(text) < 100])
def test_hostile_arguments_are_refused_or_data(lake, put_rows, hostile):
    put_rows(a=[1], at=[NOW], text=["x"])
    rules = [
        RowCheck("1", hostile, {"column": "a"}), RowCheck("2", "is_not_null", {hostile: "a"}),
        RowCheck("3", "is_not_null", {"column": hostile}), RowCheck("4", "is_unique", {"columns": [hostile]}),
        RowCheck("5", "is_in_range", {"column": "a", "min_limit": hostile, "max_limit": 1}),
        RowCheck("6", "is_not_less_than", {"column": "at", "limit": hostile}),
        RowCheck("7", "foreign_key", {"columns": ["a"], "ref_columns": ["a"], "ref_table": hostile}),
    ]  # fmt: skip
    assert all(lake.check_problems(ROWS, rules))


# --- watching ---


def test_the_share_done_grows_and_the_answer_is_the_same(lake, put_rows):
    put_rows(n=list(range(200_000)))
    rules = [
        RowCheck("n", "is_unique", {"columns": ["n"]}),
        RowCheck("m", "is_not_less_than", {"column": "n", "limit": 5}),
    ]
    told = []
    report = lake.check_rows(Selection(ROWS, "id"), rules, watch=lambda share: told.append(share) or True)
    assert report.failed_rows == 5
    assert told == sorted(told) and told[0] >= 0 and told[-1] <= 1 and len(told) >= 3


def test_a_person_stops_a_check_and_the_lake_goes_on(lake, put_rows):
    put_rows(text=[f"{'ab' * 40}{n}" for n in range(300_000)])
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


def test_a_watcher_that_fails_stops_the_work(lake, put_rows):
    put_rows(n=[1])
    with pytest.raises(ZeroDivisionError):
        lake.check_rows(
            Selection(ROWS, "id"), [RowCheck("n", "is_not_null", {"column": "n"})], watch=lambda share: 1 / 0
        )
