"""Schemas that take others minutes are checked at once, and say what is wrong with their patterns."""

from __future__ import annotations

import time

import pytest

from workbench_core.schema_checks import pattern_fault, patterns_of, validator_kind


@pytest.mark.parametrize(
    ("schema", "value", "is_valid"),
    [
        ({"pattern": "^(a+)+$"}, "a" * 5_000 + "!", False),
        ({"pattern": "^(a+)+$"}, "a" * 5_000, True),
        ({"pattern": "^a$"}, 7, True),
        ({"uniqueItems": True}, [{"a": number} for number in range(20_000)], True),
        ({"uniqueItems": True}, [1, True, "1", 2, 1.0], False),
        ({"uniqueItems": True}, [1, True, "1"], True),
        ({"uniqueItems": False}, [1, 1], True),
    ],
)
def test_values_are_checked_in_little_time(schema, value, is_valid):
    checker = validator_kind()(schema)
    started = time.monotonic()
    assert checker.is_valid(value) is is_valid
    assert time.monotonic() - started < 3


def test_patterns_are_found_anywhere_and_those_that_cannot_be_used_say_why():
    schema = {"items": [{"pattern": "a"}, {"not": {"pattern": "(?=b)"}}], "properties": {"pattern": {"type": "string"}}}
    assert list(patterns_of(schema)) == ["a", "(?=b)"]
    assert pattern_fault("a") == ""
    assert "(?=" in pattern_fault("(?=b)")
