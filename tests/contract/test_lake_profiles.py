"""What a profile of the lake says of each column."""

from __future__ import annotations

import re
import time
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from tests.contract.check_parts import ROWS
from workbench_core.adapters.local.lake.text_shapes import most_common_shape
from workbench_core.errors import Invalid, Stopped
from workbench_core.ports import Selection

# --- profiles ---


def test_a_profile_agrees_with_pandas(lake, put_rows):
    random = np.random.default_rng(7)
    rows = 5000
    number = [None if value < -2 else float(value) for value in random.normal(0, 1, rows)]
    whole = random.integers(0, 50, rows).tolist()
    text = [None if n == 0 else "" if n == 1 else f"item {n}" for n in whole]
    times = [datetime(2026, 1, 1) + timedelta(minutes=int(n)) for n in random.integers(0, 10_000, rows)]
    put_rows(
        number=number, whole=whole, text=text, at=pa.array(times, pa.timestamp("us")), flag=[n % 2 == 0 for n in whole]
    )
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
    assert profile.quantiles is None and profile.distinct == frame["at"].nunique()
    counts, edges = np.histogram([moment.replace(tzinfo=UTC).timestamp() for moment in times], bins=20)
    assert [rows for _, _, rows in profile.histogram] == pytest.approx(counts.tolist(), abs=1)
    assert [left for left, _, _ in profile.histogram] == pytest.approx(edges[:-1].tolist())
    assert found["flag"].top_values[0][0] in ("true", "false") and found["flag"].minimum == "false"
    assert found["id"].is_unique and found["id"].top_values == ()


def test_one_repeated_value_among_many_is_not_unique(lake, put_rows):
    put_rows(key=[*(f"k{n}" for n in range(50_000)), "k7"], other=list(range(50_001)))
    key, other = lake.profile(Selection(ROWS, "id"), columns=["key", "other"])
    assert (key.distinct, key.is_unique, key.top_values[0]) == (50_000, False, ("k7", 2))
    assert other.is_unique


def test_values_outside_the_usual(lake, put_rows):
    put_rows(
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


def test_texts_of_blanks_are_counted_apart_from_empty_ones(lake, put_rows):
    put_rows(text=["a", " ", "   ", "", None, " b "], number=[1, 2, 3, 4, 5, 6])
    text, number = lake.profile(Selection(ROWS, "id"), columns=["text", "number"])
    assert (text.blank, text.empty, text.nulls) == (2, 1, 1)
    assert number.blank == 0


def test_rows_that_repeat_a_value_are_counted(lake, put_rows):
    """DQ-1: duplicates."""
    put_rows(text=["a", "a", "a", "b", None, None], number=[1, 2, 3, 4, 5, 5], nested=[[1]] * 6)
    found = {one.column: one.duplicates for one in lake.profile(Selection(ROWS, "id"))}
    assert found == {"id": 0, "text": 2, "number": 1, "nested": 0}


def test_times_have_a_histogram_whatever_their_type_and_say_how_many_lie_ahead(lake, put_rows):
    later = datetime.now() + timedelta(days=400)
    moments = [datetime(2026, 1, 1), datetime(2026, 1, 3), datetime(2026, 1, 11), later, None]
    put_rows(
        at=pa.array(moments, pa.timestamp("us")), zoned=pa.array(moments, pa.timestamp("us", tz="UTC")),
        day=[moment and moment.date() for moment in moments], same=[date(2026, 1, 1)] * 5,
        nothing=pa.array([None] * 5, pa.timestamp("us")),
    )  # fmt: skip
    found = {one.column: one for one in lake.profile(Selection(ROWS, "id"))}
    for name in ("at", "zoned", "day"):
        assert sum(rows for _, _, rows in found[name].histogram) == 4
        assert found[name].histogram[0][0] == datetime(2026, 1, 1, tzinfo=UTC).timestamp()
        assert found[name].ahead == 1
    first = datetime(2026, 1, 1, tzinfo=UTC).timestamp()
    assert (found["same"].histogram, found["same"].ahead) == (((first, first, 5),), 0)
    assert found["nothing"].histogram == ()


def test_a_profile_tells_how_far_it_is_and_stops_when_it_is_told(lake, put_rows):
    put_rows(**{f"c{n}": list(range(2_000)) for n in range(45)})
    told = []
    whole = lake.profile(Selection(ROWS, "id"), watch=lambda share: told.append(share) or True)
    assert whole == lake.profile(Selection(ROWS, "id"))
    assert told == sorted(told) and told[0] == 0 and 0.5 < told[-1] <= 1
    with pytest.raises(Stopped):
        lake.profile(Selection(ROWS, "id"), watch=lambda share: share < 0.5)
    assert lake.profile(Selection(ROWS, "id"), columns=["c1"])[0].maximum == "1999", "the lake is as good as before"


def test_the_different_values_of_a_selection_are_one_query(lake, put_rows):
    put_rows(text=["b", "a", None, "b", "c"], number=[3, 1, 1, 2, 9])
    assert lake.values(Selection(ROWS, "id"), "text", limit=10) == ["a", "b", "c"]
    assert lake.values(Selection(ROWS, "id", where="number < 3"), "text", limit=10) == ["a", "b"]
    assert lake.values(Selection(ROWS, "id"), "number", limit=2) == ["1", "2"]
    with pytest.raises(Invalid):
        lake.values(Selection(ROWS, "id"), "colour", limit=2)


def test_an_empty_selection_has_a_profile(lake, put_rows):
    put_rows(a=[1], text=["x"])
    for profile in lake.profile(Selection(ROWS, "id", where="a > 5")):
        assert (profile.rows, profile.nulls, profile.distinct, profile.is_unique) == (0, 0, 0, False)


def test_a_profile_describes_the_selection_only(lake, put_rows):
    put_rows(n=list(range(100)))
    assert lake.profile(Selection(ROWS, "id", where="n < 10"), columns=["n"])[0].maximum == "9"
    assert lake.profile(Selection(ROWS, "id", sample_size=20), columns=["n"])[0].rows == 20
    with pytest.raises(Invalid):
        lake.profile(Selection(ROWS, "id"), columns=["m"])


def test_hundreds_of_columns_are_profiled_in_a_few_statements(lake, put_rows):
    put_rows(**{f"c{n}": [n, n + 1, None] for n in range(300)})
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
