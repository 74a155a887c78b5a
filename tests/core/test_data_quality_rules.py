"""Rules: saved only when they can run, suggested with reasons, read from and written to DQX files."""

from __future__ import annotations

import json
import re
import time
from dataclasses import replace
from datetime import UTC, datetime

import pytest
import yaml

from tests.core.generation_parts import ANN, BEN
from tests.core.quality_parts import PLANES, RULES, Flights
from workbench_core.adapters.lake_checks import ROW_FUNCTIONS
from workbench_core.data_quality import CHECK_FUNCTIONS, Criticality, Origin, RuleDraft
from workbench_core.data_quality.check_functions import argument_problems, meaning_of
from workbench_core.data_quality.rule_export import write
from workbench_core.data_quality.rule_files import read
from workbench_core.data_quality.suggestions import Reference, suggest
from workbench_core.errors import ChangedByOthers, Conflict, Invalid, NotFound
from workbench_core.ports import ColumnProfile

NOW = datetime(2026, 1, 5, 9, 0, tzinfo=UTC)
EVERYTHING = (
    RuleDraft("is_not_null", ("dep_time", "carrier"), name="known", criticality=Criticality.WARN),
    RuleDraft("is_not_null_and_not_empty", ("carrier",), {"trim_strings": True}, name="carrier"),
    RuleDraft("is_in_list", ("origin",), {"allowed": ["EWR", "JFK", "LGA"]}, name="origin"),
    RuleDraft("is_in_range", ("distance",), {"min_limit": 1, "max_limit": 6000}, name="range", filter="month = 1"),
    RuleDraft("is_in_range", ("time_hour",), {"min_limit": "DATE '2013-01-01'", "max_limit": "DATE '2013-12-31'"}),
    RuleDraft("regex_match", ("tailnum",), {"regex": '^N[0-9"`A-Z]+$', "negate": False}, name="code"),
    RuleDraft("is_unique", ("carrier", "flight", "origin", "day"), name="route"),
    RuleDraft("foreign_key", ("tailnum",), {"ref_table": PLANES, "ref_columns": ["tailnum"]}, name="plane"),
    RuleDraft("sql_expression", (), {"expression": "arr_time > dep_time OR day < 31"}, name="order"),
    RuleDraft("length_between", ("dest", "origin"), {"min_length": 3, "max_length": 3}, name="length"),
    RuleDraft("is_valid_date", ("dest",), {"date_format": "yyyy-MM-dd"}, name="off", is_enabled=False),
    RuleDraft("is_not_in_future", ("time_hour",), {"offset": 60}, name="time", user_metadata={"owner": "ann"}),
)


@pytest.fixture
def flights(tmp_path, clock):
    made = Flights(tmp_path, clock=clock)
    yield made
    made.store.close()


@pytest.fixture
def sheet(flights):
    return flights.make_flights()


def content(draft):
    return replace(draft, origin=Origin.MANUAL, name=draft.proposed_name)


# --- check functions -----------------------------------------------------------------------------------------------


def test_the_feature_and_the_lake_know_the_same_functions():
    assert {function.name for function in CHECK_FUNCTIONS.values() if not function.reads_files} == set(ROW_FUNCTIONS)


@pytest.mark.parametrize("function", CHECK_FUNCTIONS.values(), ids=lambda function: function.name)
def test_every_function_says_what_it_demands_with_its_values(function):
    values = {
        "allowed": ["a", "b"], "regex": "^x$", "limit": 5, "min_limit": 1, "max_limit": 9, "min_length": 2,
        "max_length": 4, "days": 3, "max_age_minutes": 60, "ref_table": "a.b.c", "ref_columns": ["k"],
        "expression": "x > 1", "volume": "a.b.files",
    }  # fmt: skip
    arguments = {argument.name: values[argument.name] for argument in function.arguments if argument.name in values}
    assert list(argument_problems(function.name, arguments)) == []
    said = meaning_of(function.name, ("price",), arguments)
    assert "{" not in said and "None" not in said
    assert function.name == "sql_expression" or said.startswith("price ")
    for name in arguments:
        assert name in {"ref_columns"} or str(values[name]).strip("[]").replace("'", "") in re.sub("['“”]", "", said)


@pytest.mark.parametrize(
    ("function", "arguments", "problem"),
    [
        ("is_in_range", {"min_limit": 1}, "needs “max_limit”"),
        ("is_in_range", {"min_limit": 9, "max_limit": 1}, "“min_limit” of is_in_range is larger"),
        ("is_in_list", {"allowed": []}, "must be a list of values"),
        ("is_in_list", {"allowed": [["a"]]}, "simple values only"),
        ("is_in_list", {"allowed": list(range(1001))}, "more than 1,000"),
        ("is_not_null", {"trim": True}, "has no argument “trim”"),
        ("regex_match", {"regex": 5}, "must be a text"),
        ("regex_match", {"regex": "x", "negate": "yes"}, "must be true or false"),
        ("is_data_fresh", {"max_age_minutes": -1}, "whole number of 0 or more"),
        ("length_between", {}, "needs “min_length”, “max_length” or both"),
        ("sql_expression", {"expression": "x" * 6000}, "longer than 5,000"),
    ],
)
def test_wrong_arguments_are_named(function, arguments, problem):
    assert any(problem in found for found in argument_problems(function, arguments))


# --- saving ----------------------------------------------------------------------------------------------------------


def test_a_rule_that_cannot_run_is_refused_with_everything_that_is_wrong(flights, sheet):
    """DQ-4."""
    wrong = RuleDraft("is_in_range", ("nowhere",), {"min_limit": 5, "max_limit": 1, "colour": "red"})
    with pytest.raises(Invalid) as caught:
        flights.data_quality.save_rule(sheet.id, wrong, by=ANN)
    for part in ("no column nowhere", "has no argument “colour”", "larger than"):
        assert part in caught.value.message
    assert flights.data_quality.rules(sheet.id) == []


@pytest.mark.parametrize(
    "draft",
    [
        RuleDraft("is_shiny", ("carrier",)),
        RuleDraft("regex_match", ("carrier",), {"regex": "("}),
        RuleDraft("is_in_range", ("carrier",), {"min_limit": 1, "max_limit": 2}),
        RuleDraft("is_not_null", ("carrier",), filter="carrier ="),
        RuleDraft("is_not_null", ("carrier",), filter="1; DROP TABLE sheets"),
        RuleDraft("sql_expression", (), {"expression": "(SELECT 1) = 1"}),
        RuleDraft("foreign_key", ("tailnum",), {"ref_table": "main.air.none", "ref_columns": ["tailnum"]}),
        RuleDraft("foreign_key", ("tailnum",), {"ref_table": PLANES, "ref_columns": ["nowhere"]}),
        RuleDraft("is_not_null", ()),
        RuleDraft("is_not_null", ("carrier", "carrier")),
        RuleDraft("is_not_null", ("carrier",), name="x" * 201),
        RuleDraft("image_readable", ("distance",), {"volume": "main.air.images"}),
    ],
    ids=lambda draft: f"{draft.function} {draft.filter or dict(draft.arguments)}"[:40],
)
def test_what_the_lake_cannot_run_is_not_saved(flights, sheet, draft):
    assert flights.data_quality.problems(sheet.id, draft)
    with pytest.raises(Invalid):
        flights.data_quality.save_rule(sheet.id, draft, by=ANN)
    assert flights.data_quality.rules(sheet.id) == []


def test_one_wrong_rule_keeps_all_of_them_from_being_saved(flights, sheet):
    with pytest.raises(Invalid, match="“bad”"):
        flights.data_quality.save_rules(sheet.id, [*RULES, RuleDraft("is_not_null", ("x",), name="bad")], by=ANN)
    assert flights.data_quality.rules(sheet.id) == []


def test_names_are_unique_in_a_sheet(flights, sheet):
    flights.data_quality.save_rule(sheet.id, RuleDraft("is_not_null", ("carrier",), name="same"), by=ANN)
    with pytest.raises(Conflict, match="of this name"):
        flights.data_quality.save_rule(sheet.id, RuleDraft("is_not_null", ("dest",), name="same"), by=ANN)


def test_two_people_changing_a_rule_are_both_told(flights, sheet):
    rule = flights.data_quality.save_rule(sheet.id, RuleDraft("is_not_null", ("carrier",)), by=ANN)
    changed = flights.data_quality.update_rule(
        rule.id, replace(rule.draft, columns=("dest",)), by=BEN, row_version=rule.row_version
    )
    assert (changed.row_version, changed.updated_by, changed.name) == (2, BEN, "carrier_is_not_null")
    with pytest.raises(ChangedByOthers, match=f"just changed by {BEN}"):
        flights.data_quality.enable_rules([rule], is_enabled=False, by=ANN)
    flights.data_quality.delete_rules([changed], by=BEN)
    with pytest.raises(NotFound):
        flights.data_quality.update_rule(rule.id, rule.draft, by=ANN, row_version=2)


def test_a_disabled_rule_takes_no_part(flights, sheet):
    quality = flights.data_quality
    first, _ = quality.save_rules(sheet.id, [RuleDraft("is_not_null", ("carrier",)), RULES[6]], by=ANN)
    [off] = quality.enable_rules([first], is_enabled=False, by=ANN)
    assert [outcome.name for outcome in flights.check(sheet.id).outcomes] == ["departed"]
    quality.enable_rules([off], is_enabled=True, by=ANN)
    assert len(flights.check(sheet.id).outcomes) == 2
    actions = {event.action for event in flights.history.of("sheet", sheet.id)}
    assert {"add quality rules", "disable quality rules", "enable quality rules", "check quality"} <= actions


def test_metacharacters_in_every_text_come_back_as_they_were(flights, sheet):
    """Acceptance check 14."""
    nasty = "a'; DROP TABLE quality_rules; -- \" % _ 😀"
    draft = RuleDraft("is_in_list", ("carrier",), {"allowed": [nasty]}, name=nasty, reason=nasty)
    flights.data_quality.save_rule(sheet.id, draft, by=ANN)
    assert [rule.draft for rule in flights.data_quality.rules(sheet.id)] == [draft]
    assert flights.check(sheet.id).outcomes[0].failed == 27_004


# --- files -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("format", ["yaml", "json"])
def test_rules_survive_export_and_import(format):
    """Our own export keeps all of them; reading it back gives the same rules."""
    written = write(EVERYTHING, format=format, for_dqx=False)
    again = read(written.text)
    assert (again.refused, written.notes) == ((), ())
    assert [content(one.draft) for one in again.drafts] == [content(draft) for draft in EVERYTHING]
    assert write(EVERYTHING, format=format, for_dqx=False) == written


def test_a_dqx_export_says_the_same_in_the_words_of_dqx():
    written = write(EVERYTHING)
    entries = {entry["name"]: entry for entry in yaml.safe_load(written.text)}
    assert {entry["check"]["function"] for entry in entries.values()} <= {
        function.name for function in CHECK_FUNCTIONS.values() if function.is_in_dqx
    }
    assert entries["known"]["check"]["for_each_column"] == ["dep_time", "carrier"]
    assert entries["known"]["criticality"] == "warn"
    assert written.text.splitlines()[0].startswith("# Rules for Databricks DQX 0.17 or newer")
    length = entries["length: dest"]["check"]
    assert length["arguments"]["expression"] == "length(dest) >= 3 AND length(dest) <= 3"
    assert written.notes == ("“off” is disabled and was left out.",)
    assert all(
        isinstance(value, str) for entry in entries.values() for value in entry.get("user_metadata", {}).values()
    )
    back = [content(one.draft) for one in read(written.text).drafts]
    assert RuleDraft("length_between", ("dest",), {"min_length": 3, "max_length": 3}, name="length: dest") in back


def test_checks_of_files_are_left_out_of_a_dqx_export_with_a_note():
    draft = RuleDraft("file_exists", ("path",), {"volume": "a.b.c"}, name="there")
    written = write([draft])
    assert (yaml.safe_load(written.text), len(written.notes)) == ([], 1)
    assert "DQX has no file_exists" in written.notes[0]
    [kept] = read(write([draft], for_dqx=False).text).drafts
    assert content(kept.draft) == content(draft)


def test_a_length_whose_expression_was_edited_stays_an_expression():
    text = write([EVERYTHING[9]]).text.replace("<= 3", "<= 4")
    assert {one.draft.function for one in read(text).drafts} == {"sql_expression"}


def test_quoted_names_are_written_as_each_engine_reads_them():
    draft = RuleDraft("sql_expression", (), {"expression": '"my col" > \'a "b"\''}, filter='"x y" = 1', name="q")
    [entry] = yaml.safe_load(write([draft]).text)
    assert entry["check"]["arguments"]["expression"] == "`my col` > 'a \"b\"'"
    assert entry["filter"] == "`x y` = 1"
    assert content(read(write([draft]).text).drafts[0].draft) == draft


def test_texts_in_a_list_are_in_quotes_for_dqx_where_a_bare_one_would_be_a_column():
    values = ["EWR", "it's", "back\\slash", "007", 7, True, "", "😀 'x'", "DATE '2013-01-31'"]
    draft = RuleDraft("is_in_list", ("origin",), {"allowed": values}, name="airports")
    [entry] = yaml.safe_load(write([draft]).text)
    given = entry["check"]["arguments"]["allowed"]
    assert given[:6] == ["'EWR'", "'it\\'s'", "'back\\\\slash'", "'007'", 7, True]
    assert given[-1] == "DATE '2013-01-31'"
    assert content(read(write([draft]).text).drafts[0].draft) == draft
    old = read("- check: {function: is_in_list, arguments: {column: origin, allowed: [EWR, 'J F K']}}")
    assert old.drafts[0].draft.arguments["allowed"] == ["EWR", "J F K"]


def test_an_example_of_the_documentation_of_dqx_is_read():
    text = """
- criticality: warn
  check:
    function: is_not_null_and_not_empty
    arguments:
      column: col3
- check:
    function: is_not_null
    for_each_column:
    - col1
    - col2
- criticality: warn
  filter: col1 < 3
  check:
    function: is_in_list
    arguments:
      column: col4
      allowed: [1, 2]
  user_metadata:
    check_category: completeness
- check:
    function: is_in_range
    arguments: {column: col5, min_limit: 2025-01-01, max_limit: 2025-02-24 01:00:00}
- check:
    function: is_unique
    for_each_column:
    - [col1]
    - [col2, col3]
"""
    found = read(text)
    assert found.refused == ()
    drafts = [one.draft for one in found.drafts]
    assert [draft.criticality for draft in drafts] == ["warn", "error", "warn", "error", "error", "error"]
    assert drafts[1].columns == ("col1", "col2")
    assert (drafts[2].filter, drafts[2].user_metadata) == ("col1 < 3", {"check_category": "completeness"})
    assert drafts[3].arguments == {"min_limit": "DATE '2025-01-01'", "max_limit": "TIMESTAMP '2025-02-24 01:00:00'"}
    assert [draft.columns for draft in drafts[4:]] == [("col1",), ("col2", "col3")]


def test_an_import_takes_what_fits_and_refuses_the_rest_by_number_and_name(flights, sheet):
    text = """
- name: fits
  check: {function: is_not_null, arguments: {column: dep_time}}
- name: shiny
  check: {function: is_shiny, arguments: {column: carrier}}
- name: elsewhere
  check: {function: is_not_null, arguments: {column: nowhere}}
- name: coloured
  colour: red
  criticality: fatal
  check: {function: is_in_list, arguments: {column: carrier, allowd: [a]}, extra: 1}
- 17
- name: fits
  check: {function: is_not_null, arguments: {column: carrier}}
"""
    result = flights.data_quality.import_rules(sheet.id, text, by=ANN)
    assert [rule.name for rule in result.accepted] == ["fits"]
    assert [rule.draft.origin for rule in flights.data_quality.rules(sheet.id)] == ["imported"]
    refused = {one.number: one.sentence for one in result.refused}
    assert list(refused) == [2, 3, 4, 5, 6]
    assert "Rule 2 “shiny”: There is no check function “is_shiny”" in refused[2]
    assert "no column nowhere" in refused[3]
    for part in ("no key “colour”", "not “fatal”", "no key “extra”", "no argument “allowd”", "needs “allowed”"):
        assert part in refused[4]
    assert "name is taken" in refused[6]
    seen = flights.data_quality.rules(sheet.id)
    again = flights.data_quality.import_rules(sheet.id, text, by=ANN, replacing=seen)
    assert len(again.accepted) == 1 == len(flights.data_quality.rules(sheet.id))


def test_the_rules_of_one_sheet_can_be_given_to_another(flights, sheet):
    flights.data_quality.save_rules(sheet.id, RULES, by=ANN)
    other = flights.sheets.create(replace(sheet.draft, name="Other"), by=ANN)
    for text in (flights.data_quality.export_rules(sheet.id).text,):
        result = flights.data_quality.import_rules(other.id, text, by=ANN)
        assert (len(result.accepted), result.refused) == (len(RULES), ())
    mine, theirs = flights.data_quality.rules(sheet.id), flights.data_quality.rules(other.id)
    assert [content(rule.draft) for rule in theirs] == [content(rule.draft) for rule in mine]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("a: &a [x]\nb: &b [*a, *a, *a]\n", "alias"),
        ("[" * 100_000, "nested"),
        ("{" * 100_000, "nested|no readable"),
        ("- " * 500 + "x", "nested"),
        ("x" * 1_000_001, "more than 1,000,000"),
        ("- !!python/object/apply:os.system [ls]", "no readable YAML in line 1"),
        ("name: not a list", "list of rules"),
        ("- name: a\n  name: b\n", "there twice"),
        ("- name: [", "no readable YAML"),
        ("\x00", "no readable YAML"),
        ("a\n---\nb", "no readable YAML"),
        ("- {check: {function: is_not_null, arguments: {column: a}}}\n" * 501, "more than 500"),
    ],
    ids=[
        "alias bomb",
        "deep",
        "deep json",
        "deep list",
        "large",
        "tag",
        "mapping",
        "twice",
        "open",
        "nul",
        "two",
        "many",
    ],
)
def test_hostile_and_broken_files_are_refused_at_once(text, reason):
    began = time.perf_counter()
    with pytest.raises(Invalid, match=reason):
        read(text)
    assert time.perf_counter() - began < 5


def test_json_is_read_strictly_too():
    [one] = read(json.dumps([{"check": {"function": "is_not_null", "arguments": {"column": "a"}}}])).drafts
    assert one.draft.columns == ("a",)
    assert CHECK_FUNCTIONS[one.draft.function].title == "Has a value"


# --- suggestions -----------------------------------------------------------------------------------------------------


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
