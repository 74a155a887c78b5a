"""What points to a person in the demo mails is masked before the data is shipped."""

from __future__ import annotations

import re

import pytest

from scripts.demo_sources.masking import masked, masked_address

NAMES = re.compile(r"\bMary\s+Poe\b")


@pytest.mark.parametrize(
    ("text", "gone"),
    [
        ("Write to mary.poe@example.com today", "mary.poe"),
        ("Write to mary.poe AT example DOT com", "mary.poe"),
        ("Call +1 415 555 0199 now", "555"),
        ("From: Mary Poe <mary@example.com>", "mary@"),
        ("Thanks, Mary Poe", "Mary Poe"),
    ],
)
def test_addresses_numbers_and_names_are_masked(text, gone):
    assert gone not in masked(text, NAMES)


def test_the_rest_of_the_text_stays():
    text = "The meeting is on 2002-09-17 at 10:30, room 4."
    assert masked(text, NAMES) == text
    assert "mary" not in masked_address("mary@example.com")
