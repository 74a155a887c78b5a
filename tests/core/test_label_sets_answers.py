"""What label sets say about answers: classes, response schemas, colours that can be seen, keys that are free."""

from __future__ import annotations

import re
import time
from pathlib import Path

import pytest

from tests.core.label_set_parts import DRAFT, SCHEMA
from workbench_core.errors import Invalid
from workbench_core.label_sets import (
    CLASS_LIBRARY,
    PRESETS,
    RESERVED_KEYS,
    LabelSetDraft,
    free_colours,
    free_hotkeys,
    is_readable,
    problems_of,
    schema_from_text,
)
from workbench_core.label_sets.colours import contrast

CARD = Path(__file__).resolve().parents[2] / "pages" / "components" / "review_card" / "card.js"


def test_an_answer_is_a_class_or_fits_the_schema():
    assert DRAFT.answer_fault("ok") == ""
    assert DRAFT.answer_fault("OK") == "“OK” is not one of the classes ok, broken."
    both = LabelSetDraft("x", "x", classes=DRAFT.classes, response_schema=SCHEMA)
    assert both.answer_fault("ok") == ""
    assert both.answer_fault('{"severity": 3}') == ""
    assert both.answer_fault('{"severity": 9}').startswith("“severity”: 9 is greater than")
    assert "is a required property" in both.answer_fault("{}")
    assert both.answer_fault("not json").startswith("Line 1, column 1: the answer is no JSON")
    assert both.answer_fault("  ") == "The answer is empty."


def test_a_schema_of_a_text_takes_texts_as_they_are():
    texts = LabelSetDraft("x", "x", response_schema={"type": "string", "minLength": 3})
    assert texts.answer_fault("because") == ""
    assert texts.answer_fault("no") == "'no' is too short."


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ('{"type": "object",\n "properties": }', "Line 2, column 16: the schema is no JSON"),
        ("[1, 2]", "The schema is no object"),
        ('{"type": "object", "type": "array"}', "“type” is there twice"),
        ('{"minimum": NaN}', "“NaN” is no number of JSON"),
        ('{"minimum": 1e999}', "too large a number"),
        ('{"minimum": ' + "9" * 5000 + "}", "a number that is too large"),
        ('{"type": 7}', "is not valid under any"),
        ('{"properties": {"a": {"$ref": "#"}}}', "“$ref” is not supported"),
        ('{"items": {"$dynamicRef": "http://x"}}', "“$dynamicRef” is not supported"),
        ('{"not":' * 5000 + "{}" + "}" * 5000, "too deeply nested"),
        ('{"not":' * 60 + "{}" + "}" * 60, "too deeply nested"),
        (" " * 100_001 + "{}", "longer than 100,000"),
    ],
)
def test_a_schema_that_cannot_be_used_says_where_and_why(text, sentence):
    with pytest.raises(Invalid) as caught:
        schema_from_text(text)
    assert sentence in caught.value.message


def test_a_property_may_be_called_like_a_keyword():
    assert schema_from_text('{"type": "object", "properties": {"$ref": {"type": "string"}}}')
    assert schema_from_text("  ") == {}


def test_a_pattern_cannot_keep_the_workbench_busy():
    slow = LabelSetDraft("x", "x", response_schema={"type": "string", "pattern": "^(a+)+$"})
    began = time.perf_counter()
    assert slow.answer_fault("a" * 5000 + "!")
    assert time.perf_counter() - began < 1


def test_generated_colours_are_different_and_seen_on_a_light_and_on_a_dark_page():
    colours = free_colours(200)
    assert len(set(colours)) == 200
    assert all(is_readable(colour) for colour in colours)
    assert free_colours(3, taken=[colours[0].upper()]) == colours[1:4]
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    assert not is_readable("#ffff00")
    assert not is_readable("#101010")


def test_free_keys_begin_with_the_digits_and_leave_commands_alone():
    keys = free_hotkeys(40, taken=["2"])
    assert keys[:9] == list("134567890")
    assert not set(keys) & RESERVED_KEYS
    assert keys[-1] == "", "there are no more keys"
    given = [key for key in keys if key]
    assert len(set(given)) == len(given)


def test_every_letter_that_the_review_card_knows_is_reserved():
    used = set(re.findall(r"key === '([^'\\])'", CARD.read_text(encoding="utf-8")))
    letters = {key.lower() for key in used if key.isalpha() or key == "?"}
    assert {"a", "r", "e", "u"} <= letters
    assert letters <= RESERVED_KEYS


def test_the_library_is_the_one_of_the_specification():
    assert [(one.title, one.hotkey) for one in CLASS_LIBRARY] == [
        ("Defect", "1"), ("Normal", "2"), ("Warning", "3"), ("Critical", "4"), ("Minor", "5"), ("Unknown", "0"),
    ]  # fmt: skip


def test_every_preset_can_be_published_as_it_is():
    assert {"Defect detection", "Quality inspection", "Anomaly detection", "Radiation safety"} <= set(PRESETS)
    assert {"Sentiment", "Yes or no", "Priority", "Kind of personal data"} <= set(PRESETS)
    for name, preset in PRESETS.items():
        assert problems_of(preset) == [], name
        assert all(one.hotkey and one.colour for one in preset.classes)
