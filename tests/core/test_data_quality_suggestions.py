"""Rules that are suggested by what a sheet holds, with reasons, and hold for it."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from tests.core.generation_parts import ANN
from tests.core.quality_parts import Flights
from workbench_core.data_quality import Criticality
from workbench_core.data_quality.suggestions import Reference, suggest
from workbench_core.ports import ColumnProfile

NOW = datetime(2026, 1, 5, 9, 0, tzinfo=UTC)


@pytest.fixture
def flights(tmp_path, clock):
    made = Flights(tmp_path, clock=clock)
    yield made
    made.store.close()


@pytest.fixture
def sheet(flights):
    return flights.make_flights()


def profile(column="x", **values):
    base = {"data_type": "VARCHAR", "kind": "string", "rows": 1000, "nulls": 0, "distinct": 500}
    return ColumnProfile(column, **(base | values))


def suggested(*profiles, **more):
    return {one.draft.function: one for one in suggest(profiles, now=NOW, **more)}


def test_what_is_always_there_must_be_there():
    """DQ-2, and every suggestion says why."""
    assert suggested(profile(empty=0))["is_not_null_and_not_empty"].reason == "no empty or blank value in 1,000 rows"
    assert suggested(profile(empty=3))["is_not_null"].reason == "no missing value in 1,000 rows"
    assert "is_not_null" not in suggested(profile(nulls=1, empty=1))


def test_up_to_twenty_values_become_a_list():
    few = profile(distinct=2, top_values=(("b", 600), ("a", 400)))
    assert suggested(few)["is_in_list"].draft.arguments == {"allowed": ["a", "b"]}
    assert suggested(few)["is_in_list"].draft.criticality is Criticality.ERROR
    codes = profile(kind="number", data_type="INTEGER", distinct=3, top_values=(("10", 5), ("9", 5), ("2", 5)))
    assert suggested(codes)["is_in_list"].draft.arguments == {"allowed": [2, 9, 10]}
    tiers = profile(kind="number", data_type="DOUBLE", distinct=2, top_values=(("2.0", 500), ("1.5", 500)))
    assert suggested(tiers)["is_in_list"].draft.arguments == {"allowed": [1.5, 2]}
    twenty = profile(distinct=20, top_values=tuple((str(n), 50) for n in range(20)))
    assert len(suggested(twenty)["is_in_list"].draft.arguments["allowed"]) == 20
    assert "is_in_list" not in suggested(profile(distinct=21, top_values=tuple((str(n), 1) for n in range(20))))
    constant = profile(kind="number", data_type="INTEGER", distinct=1, top_values=(("7", 1000),))
    assert suggested(constant)["is_in_list"].draft.arguments == {"allowed": [7]}


def test_a_list_of_few_rows_for_each_value_only_warns_and_a_key_is_no_list():
    classes = profile(rows=100, distinct=15, top_values=tuple((f"class {n:02}", 7 - n // 3) for n in range(15)))
    found = suggested(classes)["is_in_list"]
    assert len(found.draft.arguments["allowed"]) == 15
    assert found.draft.criticality is Criticality.WARN
    assert found.reason.startswith("15 different values in 100 rows, so few rows for each")
    key = profile(rows=5, distinct=5, top_values=tuple((text, 1) for text in "abcde"))
    assert "is_in_list" not in suggested(key) and "is_unique" in suggested(key)


def test_a_list_says_more_than_a_pattern_or_a_range_of_the_same_column():
    codes = profile(distinct=1, top_values=(("AB-1", 1000),), pattern_regex="[A-Z]{2}-[0-9]", pattern_share=1.0)
    assert set(suggested(codes)) == {"is_not_null_and_not_empty", "is_in_list"}
    ranks = profile(
        kind="number", data_type="INTEGER", distinct=2, top_values=(("1", 900), ("2", 100)),
        quantiles={0.001: 1.0, 0.999: 2.0},
    )  # fmt: skip
    assert set(suggested(ranks)) == {"is_not_null", "is_in_list"}


def test_the_range_holds_for_every_present_value_and_only_warns():
    values = profile(
        kind="number", data_type="DOUBLE", quantiles={0.001: 0.12345, 0.999: 98.7654}, minimum="-5", maximum="900.5"
    )
    found = suggested(values)["is_in_range"]
    assert found.draft.arguments == {"min_limit": -5, "max_limit": 900.5}
    assert found.draft.criticality is Criticality.WARN and not found.is_structural
    assert found.reason == "all values lie between -5 and 900.5, 99.8 % of them between 0.12345 and 98.7654"
    every_row_differs = suggested(replace(values, distinct=1000))
    assert {"is_unique", "is_in_range"} <= set(every_row_differs), "DQ-2 knows no exception for unique numbers"
    whole = replace(values, data_type="BIGINT", minimum="-3", maximum="9007199254740993")
    assert suggested(whole)["is_in_range"].draft.arguments == {"min_limit": -3, "max_limit": 9007199254740993}


@pytest.mark.parametrize(("low", "high"), [("50.0712345", "99.8612345"), ("-0.3333333", "1.0000000000000002")])
def test_every_present_value_lies_in_the_suggested_range(low, high):
    values = profile(kind="number", data_type="DOUBLE", minimum=low, maximum=high)
    limits = suggested(values)["is_in_range"].draft.arguments
    assert limits["min_limit"] <= float(low) and float(high) <= limits["max_limit"]


def test_no_range_is_suggested_where_a_value_is_endless():
    values = profile(
        kind="number", data_type="DOUBLE", minimum="1", maximum="3", histogram=((1.0, 2.0, 500), (2.0, 3.0, 499))
    )
    assert "is_in_range" not in suggested(values)


def test_texts_of_blanks_are_no_values():
    blanks = profile(rows=400, distinct=12, blank=77)
    found = suggested(blanks)
    assert found["is_not_null"].is_structural
    filled = found["is_not_null_and_not_empty"]
    assert (filled.draft.criticality, filled.is_structural) == (Criticality.WARN, False)
    assert filled.draft.arguments == {"trim_strings": True}
    assert filled.reason == "77 of 400 are missing, empty or blank"
    assert set(suggested(replace(blanks, blank=300))) == {"is_not_null"}
    whole = suggested(profile())["is_not_null_and_not_empty"]
    assert (dict(whole.draft.arguments), whole.is_structural) == ({"trim_strings": True}, True)


def test_sentences_are_no_list_and_a_list_with_a_blank_is_not_structural():
    texts = (("", 100), ("=SUM(A1)", 100), ("Hi, my order has not arrived since two weeks", 200))
    assert "is_in_list" not in suggested(profile(rows=400, distinct=3, empty=100, top_values=texts))
    words = (("a b c d e f", 300), ("g", 100))
    assert "is_in_list" not in suggested(profile(rows=400, distinct=2, top_values=words))
    listed = suggested(profile(rows=400, distinct=2, blank=100, top_values=(("a", 300), (" ", 100))))["is_in_list"]
    assert (listed.draft.meaning, listed.is_structural) == ("x is one of “ ”, “a”, or has no value", False)


def test_only_the_identifier_must_be_unique_by_its_nature():
    zip_code, key = profile("zip", distinct=1000), profile("key", distinct=1000)
    found = suggest([zip_code, key], now=NOW, identifier="key")
    unique = {one.draft.columns[0]: one.is_structural for one in found if one.draft.function == "is_unique"}
    assert unique == {"zip": False, "key": True}


def test_one_pattern_and_unique_values():
    coded = profile(distinct=1000, pattern="A-9", pattern_regex="[A-Z]{2}-[0-9]{4}", pattern_share=1.0)
    found = suggested(coded)
    assert found["is_unique"].reason == "1,000 different values in 1,000 rows"
    assert found["regex_match"].draft.arguments == {"regex": "^[A-Z]{2}-[0-9]{4}$"}
    nearly = suggested(replace(coded, pattern_share=0.9949))["regex_match"]
    assert (nearly.draft.criticality, nearly.reason) == ("warn", "99.4 % of the values have the shape A-9")
    assert "regex_match" not in suggested(replace(coded, pattern_share=0.98))


def test_times_are_not_in_the_future_and_fresh():
    recent = profile(kind="time", data_type="TIMESTAMP", minimum="2026-01-01T09:00:00", maximum="2026-01-04T09:00:00")
    found = suggested(recent)
    assert found["is_data_fresh"].draft.arguments == {"max_age_minutes": 5 * 1440}
    assert found["is_data_fresh"].draft.criticality is Criticality.WARN
    assert "24 hours old" in found["is_data_fresh"].reason and "4 days" in found["is_data_fresh"].reason
    old = suggested(replace(recent, minimum="2013-01-01T00:00:00", maximum="2013-02-01T00:00:00"))
    assert set(old) == {"is_not_null", "is_not_in_future", "is_data_fresh"}
    assert "4,72" in old["is_data_fresh"].reason


def test_a_few_times_in_the_future_are_reported_by_a_rule_that_warns():
    """The demo plants three future dates: exactly there the rule is needed."""
    some = profile(
        kind="time", data_type="TIMESTAMP", rows=100, distinct=90, ahead=3,
        minimum="2026-01-01T09:00:00", maximum="2027-01-01T00:00:00",
    )  # fmt: skip
    found = suggested(some)
    assert found["is_not_in_future"].draft.criticality is Criticality.WARN
    assert found["is_not_in_future"].reason == "3 of 100 lie ahead, the newest at 2027-01-01T00:00:00"
    assert found["is_data_fresh"].draft.arguments == {"max_age_minutes": 4 * 1440}
    assert "is_not_in_future" not in suggested(replace(some, ahead=60)), "plans, not mistakes"


def test_keys_of_a_join_become_foreign_keys():
    found = suggested(profile(), references=[Reference("flights__tailnum", "a.b.planes", "tailnum")])
    assert found["foreign_key"].draft.arguments == {"ref_table": "a.b.planes", "ref_columns": ["tailnum"]}


def test_names_of_suggestions_leave_the_source_of_a_joined_column_out_where_that_is_clear():
    found = suggest([profile("tickets__id"), profile("tickets__city"), profile("people__city")], now=NOW)
    assert [one.draft.name for one in found] == [
        "id_is_not_null_and_not_empty", "tickets__city_is_not_null_and_not_empty",
        "people__city_is_not_null_and_not_empty",
    ]  # fmt: skip
    assert [one.draft.columns for one in found] == [("tickets__id",), ("tickets__city",), ("people__city",)]


def test_an_empty_sheet_suggests_nothing():
    assert suggest([profile(rows=0, distinct=0)], now=NOW) == []


def test_every_suggestion_for_the_january_flights_can_be_saved_and_most_rows_pass(flights, sheet):
    flights.data_quality.profile(sheet.id, by=ANN)
    found = flights.data_quality.suggestions(sheet.id)
    reasons = {one.draft.name: one.reason for one in found}
    assert reasons["flight_id_is_unique"] == "27,004 different values in 27,004 rows"
    assert reasons["origin_is_in_list"] == "3 different values in 27,004 rows"
    assert "dep_time_is_not_null" not in reasons, "cancelled flights have none"
    flights.data_quality.save_rules(sheet.id, [one.draft for one in found], by=ANN)
    run = flights.check(sheet.id)
    assert run.failed == 0, "errors hold for all rows that they were learnt from"
    shares = {outcome.name: outcome.share for outcome in run.outcomes}
    assert shares["arr_delay_is_in_range"] == 0, "a range from the data holds for the data"
    assert flights.data_quality.suggestions(sheet.id) == [], "what the sheet has is not suggested again"
