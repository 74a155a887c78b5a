"""Checks of the lake against plain pandas, against the functions of the feature, and in the words of a warehouse."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from tests.contract.check_parts import KEYS, ROWS
from workbench_core.adapters.lake_checks import ROW_FUNCTIONS, Scope, compile_check
from workbench_core.adapters.lake_checks.conditions import FUNCTIONS
from workbench_core.data_quality.check_functions import CHECK_FUNCTIONS
from workbench_core.ports import Column, RowCheck, Selection

NOW = datetime.now(UTC).replace(microsecond=0)


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
def test_verdicts_are_those_of_plain_pandas(lake, put_rows, seed):
    frame = random_rows(seed)
    put_rows(KEYS, key=[1, 3, 5, None])
    put_rows(**{name: pa.array(frame[name], from_pandas=True) for name in frame})
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


def test_the_check_functions_of_the_feature_are_what_the_lake_can_check():
    assert {name for name, function in CHECK_FUNCTIONS.items() if not function.reads_files} == set(ROW_FUNCTIONS)
    for name in ROW_FUNCTIONS:
        function, columns = CHECK_FUNCTIONS[name], {"column", "columns"}
        assert set(function.required) == {*FUNCTIONS[name].required} - columns, name
        optional = {argument.name for argument in function.arguments if not argument.is_required}
        assert optional == {*FUNCTIONS[name].optional} - columns, name


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
