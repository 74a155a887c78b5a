"""Rules from plain language: by grammar, and by a model whose answer counts only as far as it fits the sheet."""

from __future__ import annotations

import json

import pytest

from tests.contract.openai_stub import Reply, always, failure, openai_stub, says
from tests.core.generation_parts import ANN, RuleModel
from tests.core.quality_parts import Flights
from workbench_core.adapters.chat_completions import ChatCompletionsModel, ChatEndpoint
from workbench_core.data_quality import EXAMPLES, Criticality, DataQuality
from workbench_core.data_quality.sentence_rules import examples_for, find_column, read_sentences
from workbench_core.errors import Invalid
from workbench_core.ports import Column

COLUMNS = tuple(
    Column(name, data_type, kind)
    for name, data_type, kind in (
        ("id", "BIGINT", "number"), ("email", "VARCHAR", "string"), ("price", "DOUBLE", "number"),
        ("status", "VARCHAR", "string"), ("sent_at", "TIMESTAMP", "time"), ("code", "VARCHAR", "string"),
        ("name", "VARCHAR", "string"), ("Unit Price", "DOUBLE", "number"), ("origin", "VARCHAR", "string"),
        ("dest", "VARCHAR", "string"),
    )
)  # fmt: skip
UNDERSTOOD = {
    "email must not be empty": ("is_not_null_and_not_empty", ("email",), {}),
    "the email is required": ("is_not_null_and_not_empty", ("email",), {}),
    "id is never null": ("is_not_null", ("id",), {}),
    "E-Mail should not be missing": ("is_not_null_and_not_empty", ("email",), {}),
    "price between 0 and 100": ("is_in_range", ("price",), {"min_limit": 0, "max_limit": 100}),
    "price must be between 0.5 and 1,000": ("is_in_range", ("price",), {"min_limit": 0.5, "max_limit": 1000}),
    "sent_at lies between 2013-01-01 and 2013-12-31": (
        "is_in_range", ("sent_at",), {"min_limit": "2013-01-01", "max_limit": "2013-12-31"},
    ),
    "status is one of open, closed or lost": ("is_in_list", ("status",), {"allowed": ["open", "closed", "lost"]}),
    "status must be in ('a', 'b')": ("is_in_list", ("status",), {"allowed": ["a", "b"]}),
    "id is one of 1, 2, 3": ("is_in_list", ("id",), {"allowed": [1, 2, 3]}),
    "id is unique": ("is_unique", ("id",), {}),
    "no duplicates in id": ("is_unique", ("id",), {}),
    "origin and dest are unique together": ("is_unique", ("origin", "dest"), {}),
    "sent_at not in the future": ("is_not_in_future", ("sent_at",), {}),
    "sent_at must not be in the future": ("is_not_in_future", ("sent_at",), {}),
    "sent_at is at most 3 days old": ("is_data_fresh", ("sent_at",), {"max_age_minutes": 4320}),
    "sent_at is older than 30 days": ("is_older_than_n_days", ("sent_at",), {"days": 30}),
    "code matches ^[A-Z]{2}$": ("regex_match", ("code",), {"regex": "^[A-Z]{2}$"}),
    "code must not match [0-9]": ("regex_match", ("code",), {"regex": "[0-9]", "negate": True}),
    "name has 2 to 40 characters": ("length_between", ("name",), {"min_length": 2, "max_length": 40}),
    "name has at least 3 characters": ("length_between", ("name",), {"min_length": 3}),
    "code has exactly 2 letters": ("length_between", ("code",), {"min_length": 2, "max_length": 2}),
    "price at least 0": ("is_not_less_than", ("price",), {"limit": 0}),
    "unit price is at most 9.99": ("is_not_greater_than", ("Unit Price",), {"limit": 9.99}),
    "price must not be negative": ("is_not_less_than", ("price",), {"limit": 0}),
    "price greater than 0": ("sql_expression", ("price",), {"expression": "price > 0"}),
    "Unit Price < 5": ("sql_expression", ("Unit Price",), {"expression": '"Unit Price" < 5'}),
    "name is valid json": ("is_valid_json", ("name",), {}),
    "origin exists in demo.flights.airports.faa": (
        "foreign_key", ("origin",), {"ref_table": "demo.flights.airports", "ref_columns": ["faa"]},
    ),
    "origin and dest must not be empty": ("is_not_null_and_not_empty", ("origin", "dest"), {}),
}  # fmt: skip


@pytest.fixture
def flights(tmp_path, clock):
    made = Flights(tmp_path, clock=clock)
    yield made
    made.store.close()


# --- the grammar -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("sentence", "rule"), UNDERSTOOD.items(), ids=list(UNDERSTOOD))
def test_a_sentence_becomes_a_rule(sentence, rule):
    """DQ-3 without a model."""
    found = read_sentences(sentence, COLUMNS)
    assert found.not_understood == ()
    [draft] = found.drafts
    assert (draft.function, draft.columns, dict(draft.arguments)) == rule
    assert draft.reason == f"“{sentence}”"


def test_several_rules_in_one_text():
    text = (
        "email must not be empty and price is between 0.5 and 100. Status is one of a, b and c; id is unique\n"
        "- name is not empty and unique\nwarning: unit price at most 3"
    )
    found = read_sentences(text, COLUMNS)
    assert found.not_understood == ()
    assert [(draft.function, draft.columns) for draft in found.drafts] == [
        ("is_not_null_and_not_empty", ("email",)), ("is_in_range", ("price",)), ("is_in_list", ("status",)),
        ("is_unique", ("id",)), ("is_not_null_and_not_empty", ("name",)), ("is_unique", ("name",)),
        ("is_not_greater_than", ("Unit Price",)),
    ]  # fmt: skip
    assert found.drafts[2].arguments == {"allowed": ["a", "b", "c"]}
    assert [draft.criticality for draft in found.drafts] == [Criticality.ERROR] * 6 + [Criticality.WARN]


@pytest.mark.parametrize(
    "text",
    [
        "the moon is made of cheese", "colour must not be empty", "price is one of cheap, dear",
        "sent_at between 1 and 2",
        "code matches [", "email at least 3", "price should be nice", "'; DROP TABLE quality_rules",
    ],
)  # fmt: skip
def test_what_is_not_understood_is_listed_and_never_guessed(text):
    found = read_sentences(text, COLUMNS)
    assert found.drafts == ()
    assert found.not_understood


def test_the_examples_of_the_page_are_understood():
    assert read_sentences("\n".join(EXAMPLES), COLUMNS).not_understood == ()


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("Price", "price"), ("the e-mail", "email"), ("sent at", "sent_at"), ("statuss", "status"),
        ("unit_price", "Unit Price"), ("origin", "origin"), ("destination", "dest"), ("unit pr", "Unit Price"),
    ],
)  # fmt: skip
def test_columns_are_found_by_the_name_that_people_use(text, name):
    assert find_column(text, COLUMNS).name == name


def test_a_name_made_of_the_beginnings_of_words_is_found_unless_two_are():
    flights = [Column(name, "INTEGER", "number") for name in ("dep_delay", "tailnum", "sched_dep_time", "dep_time")]
    assert find_column("the departure delay", flights).name == "dep_delay"
    assert find_column("tail number", flights).name == "tailnum"
    assert find_column("scheduled departure time", flights).name == "sched_dep_time"
    two = [Column(name, "INTEGER", "number") for name in ("sc_dep", "sched_de")]
    assert find_column("scheduled departure", two) is None


def test_a_guess_never_swallows_a_not():
    assert find_column("price not", COLUMNS) is None


JOINED = tuple(
    Column(name, data_type, kind)
    for name, data_type, kind in (
        ("support_tickets__Ticket ID", "VARCHAR", "string"), ("support_tickets__price", "DOUBLE", "number"),
        ("support_tickets__status", "VARCHAR", "string"), ("customers__status", "VARCHAR", "string"),
        ("customers__joined", "TIMESTAMP", "time"),
    )
)  # fmt: skip


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("price", "support_tickets__price"), ("Ticket ID", "support_tickets__Ticket ID"),
        ("ticket id", "support_tickets__Ticket ID"), ("customers status", "customers__status"),
        ("prise", "support_tickets__price"), ("support_tickets__status", "support_tickets__status"),
    ],
)  # fmt: skip
def test_a_column_of_a_join_is_named_without_its_source(text, name):
    assert find_column(text, JOINED).name == name


def test_a_name_that_two_sources_have_is_not_guessed():
    assert find_column("status", JOINED) is None
    assert read_sentences("status is one of a, b", JOINED).drafts == ()


def test_the_examples_are_about_the_columns_that_there_are_and_are_understood():
    examples = examples_for(JOINED, identifier="support_tickets__Ticket ID")
    assert examples[0] == "Ticket ID is unique"
    assert "price between 0 and 100" in examples and "joined is not in the future" in examples
    assert "support_tickets__status must not be empty" in examples
    assert read_sentences("\n".join(examples), JOINED).not_understood == ()
    assert examples_for([Column("a and b", "BLOB", "binary")]) == ()


# --- the model -------------------------------------------------------------------------------------------------------


def model_at(stub):
    endpoint = ChatEndpoint(base_url=stub.url, model="stub", key="", timeout_seconds=5.0, concurrency=1, hint="")
    return ChatCompletionsModel(endpoint)


def quality_with(flights, model):
    return DataQuality(
        flights.store, flights.lake, flights.history, flights.permissions, flights.runs, flights.runs._clock,
        sheets=flights.sheets, chat_model=model,
    )  # fmt: skip


def rules(*checks):
    return json.dumps({"rules": [{"criticality": "warn", "check": check} for check in checks]})


def test_the_rules_of_a_model_are_proposed_when_they_fit_and_dropped_with_a_note_when_not(flights):
    """DQ-3."""
    sheet = flights.make_flights()
    answer = rules(
        {"function": "is_not_null", "arguments": {"column": "dep_time"}},
        {"function": "is_not_null", "arguments": {"column": "nowhere"}},
        {"function": "is_shiny", "arguments": {"column": "carrier"}},
        {"function": "regex_match", "arguments": {"column": "carrier", "regex": "("}},
        {"function": "is_in_range", "arguments": {"column": "carrier", "min_limit": 1, "max_limit": 2}},
    )
    with openai_stub(says(answer)) as stub:
        found = quality_with(flights, model_at(stub)).propose_from_text(sheet.id, "flights depart", by=ANN)
        asked = stub.requests[-1]["messages"]
    [one] = found.rules
    assert (one.draft.function, one.draft.columns, one.draft.origin) == ("is_not_null", ("dep_time",), "ai")
    assert one.reason == "“flights depart”"
    assert "flights depart" in asked[-1]["content"] and "- dep_time: " in asked[-1]["content"]
    assert flights.data_quality.rules(sheet.id) == [], "nothing is saved"


def test_each_dropped_rule_of_a_model_is_noted(flights):
    sheet = flights.make_flights()
    answer = rules(
        {"function": "is_not_null", "arguments": {"column": "dep_time"}},
        {"function": "is_not_null", "arguments": {"column": "nowhere"}},
        {"function": "is_in_range", "arguments": {"column": "carrier", "min_limit": 1, "max_limit": 2}},
        {"function": "sql_expression", "arguments": {"expression": "1 = 1; DROP TABLE x"}},
    )
    found = quality_with(flights, RuleModel(rule=lambda _: answer)).propose_from_text(sheet.id, "x", by=ANN)
    assert len(found.rules) == 1
    assert len(found.notes) == 3
    assert "no column nowhere" in found.notes[0]
    assert found.proposed_by == "rule model"


@pytest.mark.parametrize(
    ("behaviour", "note"),
    [
        (says("I would check the price."), "gave no rules"),
        (says('{"rules": []}'), "proposed no rule that fits"),
        (says('{"rules": [17]}'), "gave no rules"),
        (says(rules({"function": "is_not_null", "arguments": {"column": "x"}})), "proposed no rule that fits"),
        (always(failure(500, "down")), "gave no rules|did not answer"),
        (always(Reply(status=401, body={"error": {"message": "no"}})), "did not answer"),
    ],
    ids=["prose", "none", "numbers", "unknown column", "down", "refused key"],
)
def test_without_a_usable_answer_the_grammar_takes_over_and_the_notes_say_why(flights, behaviour, note):
    sheet = flights.make_flights()
    with openai_stub(behaviour) as stub:
        found = quality_with(flights, model_at(stub)).propose_from_text(
            sheet.id, "dep_time must not be empty. the moon is round", by=ANN
        )
    assert [one.draft.function for one in found.rules] == ["is_not_null"]
    assert found.proposed_by == "sentence rules"
    assert any(part in " ".join(found.notes) for part in note.split("|"))
    assert "Not understood: “the moon is round”." in found.notes


def test_a_model_that_is_not_ready_is_not_asked(flights):
    sheet = flights.make_flights()
    model = RuleModel(reason="Not installed.")
    found = quality_with(flights, model).propose_from_text(sheet.id, "dep_time is required. the moon is round", by=ANN)
    assert (len(found.rules), model.asked) == (1, [])
    assert "cannot answer: Not installed." in found.notes[0]


def test_proposals_get_names_that_are_free(flights):
    sheet = flights.make_flights()
    quality = flights.data_quality
    text = "distance > 0. distance < 9000. dep_time is required"
    first = quality.propose_from_text(sheet.id, text, by=ANN, use_model=False)
    quality.save_rules(sheet.id, [one.draft for one in first.rules], by=ANN)
    again = quality.propose_from_text(sheet.id, text, by=ANN, use_model=False)
    quality.save_rules(sheet.id, [one.draft for one in again.rules], by=ANN)
    names = [rule.name for rule in quality.rules(sheet.id)]
    assert len(set(names)) == 6
    assert names[0] == "distance_sql_expression"


def test_an_empty_text_is_refused(flights):
    sheet = flights.make_flights()
    with pytest.raises(Invalid, match="no text"):
        flights.data_quality.propose_from_text(sheet.id, "  ", by=ANN)


def test_what_the_grammar_understands_is_not_asked_of_the_model(flights):
    sheet = flights.make_flights()
    questions = []
    answer = rules({"function": "is_not_null", "arguments": {"column": "carrier"}})
    model = RuleModel(rule=lambda question: questions.append(question) or answer)
    quality = quality_with(flights, model)
    found = quality.propose_from_text(sheet.id, "distance between 0 and 9000. dep_time is required", by=ANN)
    assert (len(found.rules), questions, found.proposed_by) == (2, [], "sentence rules")
    found = quality.propose_from_text(sheet.id, "distance between 0 and 9000. somebody flies it", by=ANN)
    assert [(one.draft.function, one.draft.origin) for one in found.rules] == [
        ("is_in_range", "manual"), ("is_not_null", "ai"),
    ]  # fmt: skip
    assert "somebody flies it" in questions[0] and "9000" not in questions[0]
    assert found.proposed_by == "sentence rules and the rule model"
    found = quality.propose_from_text(sheet.id, "somebody flies it", by=ANN, use_model=False)
    assert (found.rules, found.not_understood) == ((), ("somebody flies it",))


def test_asking_the_model_can_be_cancelled(flights):
    sheet = flights.make_flights()
    model = RuleModel()
    found = quality_with(flights, model).propose_from_text(
        sheet.id, "distance > 0. somebody flies it", by=ANN, cancelled=lambda: True
    )
    assert (len(found.rules), model.asked) == (1, [])
    assert "Not understood: “somebody flies it”." in found.notes
