"""Output schemas of templates: JSON Schema both ways, and answers checked against all of it (TP-13)."""

from __future__ import annotations

import json
import time
from dataclasses import replace

import pytest

from workbench_core.errors import Invalid
from workbench_core.metrics import FieldType, validate_answer
from workbench_core.prompt_templates import (
    OutputField,
    TemplateDraft,
    fields_from_json_schema,
    json_schema,
    problems_of,
)

BASE = TemplateDraft("Defects", "defect", "{{ report }}")
FIELDS = (
    OutputField("part", FieldType.STRING, "Which part", True, ("door", "roof")),
    OutputField("defects", FieldType.ARRAY, "", True, ("scratch", "dent")),
    OutputField("words", FieldType.ARRAY),
    OutputField("count", FieldType.NUMBER, "", False),
    OutputField("open", FieldType.BOOLEAN),
    OutputField("owner", FieldType.OBJECT),
)
WRITTEN = """{
  "$schema": "https://json-schema.org/draft/2020-12/schema", "title": "Report", "type": "object",
  "$defs": {
    "Address": {"type": "object", "properties": {"street": {"type": "string"}, "number": {"type": "integer"}},
                "required": ["street"]}
  },
  "properties": {
    "severity": {"type": "integer", "minimum": 1, "maximum": 5, "description": "How bad"},
    "name": {"anyOf": [{"type": "string", "maxLength": 5}, {"type": "null"}], "default": null},
    "kind": {"enum": ["good", "bad"]},
    "level": {"type": "number", "enum": [1, 2]},
    "tags": {"type": "array", "items": {"type": "string", "enum": ["x", "y"]}, "uniqueItems": true},
    "day": {"type": "string", "format": "date"},
    "anything": {"type": "array"},
    "address": {"$ref": "#/$defs/Address"},
    "others": {"type": "array", "items": {"$ref": "#/$defs/Address"}, "maxItems": 2}
  },
  "required": ["severity"], "additionalProperties": false
}"""


def faults(schema, answer):
    fields = fields_from_json_schema(schema) if isinstance(schema, str) else schema
    text = answer if isinstance(answer, str) else json.dumps(answer)
    return replace(BASE, output_schema=fields).answer_faults(text)


# --- fields and schema ---------------------------------------------------------------------------------------------


def test_fields_become_a_schema_and_come_back():
    assert fields_from_json_schema(json.dumps(json_schema(FIELDS))) == FIELDS


def test_a_schema_that_a_person_brings_becomes_fields_with_rules_for_the_rest():
    fields = {field.name: field for field in fields_from_json_schema(WRITTEN)}
    assert fields["severity"] == OutputField(
        "severity", FieldType.NUMBER, "How bad", True, (), {"type": "integer", "minimum": 1, "maximum": 5}
    )
    assert fields["name"].rules == {"type": ["string", "null"], "maxLength": 5, "default": None}
    assert fields["kind"] == OutputField("kind", FieldType.STRING, "", False, ("good", "bad"))
    assert fields["level"].rules == {"enum": [1, 2]}
    assert (fields["tags"].options, fields["tags"].rules) == (("x", "y"), {"uniqueItems": True})
    assert fields["anything"].rules == {"items": True}
    assert fields["address"].rules["required"] == ["street"]
    assert "$ref" not in json.dumps(json_schema(tuple(fields.values())))


def test_the_schema_of_such_fields_says_the_same_again():
    fields = fields_from_json_schema(WRITTEN)
    assert fields_from_json_schema(json.dumps(json_schema(fields))) == fields


def one(field, **top):
    return json.dumps({"type": "object", "properties": {"a": field}, **top})


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "Line 1"),
        ('{"type": "object",\n "properties":,}', "Line 2, column 15"),
        ("[" * 100_000, "too deeply nested"),
        ('{"type": "object", "properties": {"a": {"const": NaN}}}', "“NaN” is not JSON"),
        ('{"type": "object", "properties": {"a": {"minimum": ' + "9" * 5000 + "}}}", "too large"),
        (" " * 100_001, "longer than 100,000"),
        ("[]", "no object"),
        ("null", "no object"),
        ('{"type": "array"}', "“type” is not “object”"),
        ('{"properties": {"a": {"type": "string"}}}', "“type” is not “object”"),
        ('{"type": "object"}', "no “properties”"),
        ('{"type": "object", "properties": []}', "no “properties”"),
        ('{"type": "object", "properties": {"a": {"type": "string"}, "a": {"type": "number"}}}', "“a” is there twice"),
        (one({"type": "string"}, required="a"), "“required” is no list"),
        (one({"type": "string"}, required=["b"]), "“b” is required but"),
        (one({"type": "string"}, oneOf=[]), "“oneOf” cannot be used at the top"),
        (one({"type": "string"}, additionalProperties={"type": "string"}), "must be true or false"),
        (one(True), "“properties.a” is no object"),
        (one("string"), "“properties.a” is no object"),
        (one({}), "properties.a: say its one type"),
        (one({"type": "text"}), "properties.a: say its one type"),
        (one({"type": "null"}), "properties.a: say its one type"),
        (one({"type": ["string", "number"]}), "properties.a: say its one type"),
        (one({"type": "string", "description": 3}), "properties.a: the description is no text"),
        (one({"type": "number", "minimum": "low"}), "properties.a.minimum"),
        (one({"type": "object", "properties": {"b": {"type": "txt"}}}), "properties.a.properties.b.type"),
        (one({"type": "string", "pattern": "(a"}), "properties.a.pattern"),
        (one({"type": "string", "pattern": "(?=a)b"}), "properties.a: the pattern"),
        (one({"$ref": "https://example.com/schema.json"}), "properties.a: the reference “https"),
        (one({"$ref": "other.json#/a"}), "leads out of the schema"),
        (one({"$ref": "#/$defs/none"}), "leads nowhere"),
        (one({"$ref": "#/properties/a"}), "leads back to itself"),
        (one({"$ref": 3}), "leads out of the schema"),
        (one({"$dynamicRef": "#a"}), "“$dynamicRef” is not supported"),
        (one({"type": "object", "patternProperties": {"(a+)+": {}}}), "“patternProperties” is not supported"),
        (json.dumps({"type": "object", "properties": {f"f{n}": {"type": "string"} for n in range(101)}}), "100 fields"),
    ],
)  # fmt: skip
def test_what_is_no_schema_of_an_object_is_refused_with_the_place(text, words):
    with pytest.raises(Invalid) as refusal:
        fields_from_json_schema(text)
    assert words in refusal.value.message
    assert refusal.value.hint


def test_schemas_within_schemas_have_an_end():
    deep = {"type": "string"}
    for _ in range(30):
        deep = {"type": "array", "items": deep}
    with pytest.raises(Invalid, match="too deeply nested"):
        fields_from_json_schema(one(deep))


def test_references_that_multiply_are_refused_at_once():
    parts = {"d0": {"type": "string"}}
    for number in range(1, 11):
        below = {"$ref": f"#/$defs/d{number - 1}"}
        parts[f"d{number}"] = {"type": "object", "properties": {f"p{place}": below for place in range(10)}}
    began = time.perf_counter()
    with pytest.raises(Invalid, match="too large"):
        fields_from_json_schema(one({"$ref": "#/$defs/d10"}, **{"$defs": parts}))
    assert time.perf_counter() - began < 2


def test_a_schema_that_leads_round_in_a_circle_is_refused():
    parts = {
        "a": {"type": "array", "items": {"$ref": "#/$defs/b"}},
        "b": {"type": "array", "items": {"$ref": "#/$defs/a"}},
    }
    with pytest.raises(Invalid, match="leads back to itself"):
        fields_from_json_schema(one({"$ref": "#/$defs/a"}, **{"$defs": parts}))


@pytest.mark.parametrize(
    ("rules", "words"),
    [
        ({"minimum": "low"}, "minimum"),
        ({"pattern": "(?=a)"}, "cannot be used"),
        ({"$ref": "https://example.com"}, "leads out"),
        ({"patternProperties": {}}, "not supported"),
        ({"items": {"type": "nothing"}}, "items.type"),
    ],
)
def test_tp_4_lint_names_rules_that_are_no_json_schema(rules, words):
    draft = replace(BASE, output_schema=(OutputField("a", rules=rules),))
    found = [problem for problem in problems_of(draft) if problem.field == "output_schema"]
    assert len(found) == 1
    assert words in found[0].message
    assert not found[0].is_warning


# --- answers -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("answer", "reasons"),
    [
        ({"severity": 3}, ()),
        ({"severity": 3.0, "unknown": 1}, ()),
        ({"severity": 7}, ("“severity”: 7 is greater than the maximum of 5.",)),
        ({"severity": 0}, ("“severity”: 0 is less than the minimum of 1.",)),
        ({"severity": 1.5}, ("“severity” is not a whole number.",)),
        ({"severity": True}, ("“severity” is not a whole number.",)),
        ({}, ("“severity” is missing.",)),
        ({"severity": None}, ("“severity” is missing.",)),
        ({"severity": 1, "name": None, "kind": None, "address": None}, ()),
        ({"severity": 1, "name": "too long"}, ("“name” is longer than 5 characters.",)),
        ({"severity": 1, "kind": "odd"}, ("“kind” does not allow “odd”.",)),
        ({"severity": 1, "level": 3}, ("“level” does not allow “3”.",)),
        ({"severity": 1, "tags": ["x", "z"]}, ("“tags” does not allow “z”.",)),
        ({"severity": 1, "tags": ["x", "x"]}, ("“tags” has an entry twice.",)),
        ({"severity": 1, "day": "2026-02-30"}, ("“day”: “2026-02-30” is no date.",)),
        ({"severity": 1, "anything": [1, "a", None]}, ()),
        (
            {"severity": 1, "address": {"number": "x"}},
            ("“address.number” is not a whole number.", "“address.street” is missing."),
        ),
        ({"severity": 1, "others": [{"street": "a"}, {}]}, ("“others[1].street” is missing.",)),
        ({"severity": 1, "others": [{"street": "a"}] * 3}, ("“others” has more than 2 entries.",)),
        (
            {"name": 3, "severity": 7},
            ("“severity”: 7 is greater than the maximum of 5.", "“name” is not a text or null."),
        ),
        ("no JSON", ("The answer is not valid JSON.",)),
        ("[1]", ("The answer is not a JSON object.",)),
        ("[" * 100_000, ("The answer is not valid JSON.",)),
        ('{"severity": NaN}', ("The answer is not valid JSON.",)),
        ("Sure:\n```json\n" + '{"severity": 2}' + "\n```", ()),
        (" ", ("The answer is empty.",)),
    ],
)  # fmt: skip
def test_tp_13_an_answer_is_checked_against_the_whole_schema(answer, reasons):
    assert faults(WRITTEN, answer) == reasons


@pytest.mark.parametrize(
    ("rules", "value", "reason"),
    [
        ({"type": "string", "pattern": "^[A-Z]+$"}, "ab", "“a”: “ab” does not match the pattern “^[A-Z]+$”."),
        ({"type": "string", "minLength": 3}, "ab", "“a” is shorter than 3 characters."),
        ({"type": "string", "const": "x"}, "y", "“a” is “y” and must be “x”."),
        ({"type": "string", "format": "email"}, "me", "“a”: “me” is no email."),
        ({"type": "string", "format": "date-time"}, "soon", "“a”: “soon” is no date-time."),
        ({"type": "string", "format": "uri"}, "example", "“a”: “example” is no uri."),
        ({"type": "number", "exclusiveMinimum": 0}, 0, "“a”: 0 must be greater than 0."),
        ({"type": "number", "multipleOf": 5}, 7, "“a”: 7 is no multiple of 5."),
        ({"type": "array", "minItems": 1}, [], "“a” has fewer than 1 entries."),
        ({"type": "object", "additionalProperties": False}, {"b": 1}, "“a” has a field that the schema does not name."),
        (
            {"type": "number", "oneOf": [{"minimum": 1}, {"minimum": 2}]},
            3,
            "“a”: “3” fits not exactly one of the alternatives.",
        ),
    ],
)  # fmt: skip
def test_tp_13_each_rule_has_its_sentence(rules, value, reason):
    assert faults(one(rules), {"a": value}) == (reason,)


@pytest.mark.parametrize(
    "answer", ['{"part": "door"}', '{"part": 1}', '{"defects": ["a"]}', "{}", "x", '{"open": "yes"}']
)
def test_tp_13_without_rules_an_answer_is_valid_exactly_when_the_evaluation_by_field_says_so(answer):
    fields = FIELDS[:2] + FIELDS[4:]
    draft = replace(BASE, output_schema=fields)
    assert (draft.answer_faults(answer) == ()) == validate_answer(draft.answer_schema, answer).valid


def test_tp_13_one_and_true_are_two_values():
    assert faults((OutputField("a", FieldType.NUMBER, rules={"const": 1}),), {"a": 1}) == ()
    assert faults((OutputField("a", FieldType.BOOLEAN, rules={"const": True}),), {"a": True}) == ()
    rules = {"type": ["number", "boolean"]}
    assert faults((OutputField("a", rules=rules | {"const": 1}),), {"a": True}) != ()
    assert faults((OutputField("a", rules=rules | {"const": True}),), {"a": True}) == ()


@pytest.mark.parametrize(
    ("rules", "value"),
    [
        ({"type": "string", "pattern": "^(a+)+$"}, "a" * 20_000 + "b"),
        ({"type": "array", "items": True, "uniqueItems": True}, [*range(10_000), *map(str, range(10_000)), {}, []]),
    ],
)
def test_tp_13_no_rule_takes_long_whatever_the_answer(rules, value):
    began = time.perf_counter()
    faults(one(rules), {"a": value})
    assert time.perf_counter() - began < 2


def test_tp_13_many_answers_are_checked_in_little_time():
    draft = replace(BASE, output_schema=(*FIELDS[:2], OutputField("level", FieldType.NUMBER, rules={"minimum": 1})))
    text = json.dumps({"part": "door", "defects": ["dent"], "level": 2})
    draft.answer_faults(text)  # the library is loaded and the schema compiled once
    began = time.perf_counter()
    assert not any(draft.answer_faults(text) for _ in range(2_000))
    assert time.perf_counter() - began < 2, "100,000 answers would take more than 100 seconds"


def test_a_huge_number_in_an_answer_is_a_fault_and_no_crash():
    draft = replace(BASE, output_schema=(OutputField("a", FieldType.NUMBER, rules={"multipleOf": 0.1}),))
    assert draft.answer_faults('{"a": 1e308}') is not None
    assert draft.answer_faults('{"a": 1e999}') != ()
