"""Rules: saved only when they can run, read from and written to DQX files."""

from __future__ import annotations

import json
import re
import time
from dataclasses import replace

import pytest
import yaml

from tests.core.generation_parts import ANN, BEN
from tests.core.quality_parts import PLANES, RULES, Flights
from workbench_core.adapters.lake_checks import ROW_FUNCTIONS
from workbench_core.data_quality import CHECK_FUNCTIONS, Criticality, Origin, RuleDraft
from workbench_core.data_quality.check_functions import argument_problems, meaning_of
from workbench_core.data_quality.rule_export import write
from workbench_core.data_quality.rule_files import read
from workbench_core.errors import ChangedByOthers, Conflict, Invalid, NotFound

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
