"""Prompts as expressions for SQL: what can be said, and why the rest cannot."""

from __future__ import annotations

import pytest

from workbench_core.errors import Invalid
from workbench_core.ports import BulkPrompt
from workbench_core.ports.prompt_expressions import (
    WHITESPACE,
    AllHold,
    ChosenText,
    FixedNumber,
    FixedText,
    HasText,
    JoinedText,
    NumberCompared,
    PlaceholderText,
    ShortenedText,
    TextCompared,
    WholeOf,
)
from workbench_core.prompt_rendering import MAX_OUTPUT, MAX_VALUE
from workbench_core.prompt_rendering.expressions import MAX_STEPS, translated, translation_problems
from workbench_core.prompt_rendering.renderer import CUT_MARK

X = PlaceholderText("x")


@pytest.mark.parametrize(
    ("prompt", "expected"),
    [
        ("", FixedText("")),
        ("Plain {# a note #}text\n", FixedText("Plain text")),
        ("{% raw %}{{ x }}{% endraw %}", FixedText("{{ x }}")),
        ("A {{ x }}!", JoinedText((FixedText("A "), X, FixedText("!")))),
        ("{{ 'a' ~ 1 ~ -2 }}", FixedText("a1-2")),
        ("{{ x|default('n', boolean=true) }}", ChosenText(((HasText(X), X),), FixedText("n"))),
        ("{{ x|default('n') }}", X),
        ("{{ x|truncate(9, end='') }}", ShortenedText(X, 9, "", 5, False)),
        ("{% if 2 < x|int(-1) %}a{% endif %}",
         ChosenText(((NumberCompared(FixedNumber(2), "<", WholeOf(X, -1)), FixedText("a")),), FixedText(""))),
        ("{% if true %}a{% else %}{{ x }}{% endif %}", FixedText("a")),
        ("{% if x == 'a' and x %}b{% endif %}",
         ChosenText(((AllHold((TextCompared(X, "==", FixedText("a")), HasText(X))), FixedText("b")),), FixedText(""))),
    ],
)  # fmt: skip
def test_a_prompt_is_an_expression(prompt, expected):
    assert translated(prompt) == expected


def test_placeholders_without_a_value_are_known_when_the_statement_is_written():
    prompt = "{% if y is defined and y|int > 2 %}a{% elif y is undefined %}b{% endif %}{{ y|default('c') }}"
    assert translated(prompt, defined={"x": "column"}) == FixedText("bc")
    assert translation_problems("{{ x }} {{ y }}", defined=["x"]) == ("Line 1: The placeholder “y” has no value.",)


@pytest.mark.parametrize(
    ("prompt", "problem"),
    [
        ("a\n{% for c in x %}{{ c }}{% endfor %}", "Line 2: A loop"),
        ("{% set a = x %}", "Line 1: A statement other than “if”"),
        ("\n\n{{ x|title }}", "Line 3: The filter “title”"),
        ("{{ x|wordcount }}", "The filter “wordcount”"),
        ("{{ x.upper() }}", "A method"),
        ("{{ x|int + 1 }}", "Calculating"),
        ("{{ x|float }}", "decimals can be compared"),
        ("{{ x == 'a' }}", "but not be written"),
        ("{{ not x }}", "but not be written"),
        ("{% if x > 3 %}a{% endif %}", "write |int or |float"),
        ("{% if x is string %}a{% endif %}", "The test “string”"),
        ("{{ x[1:] }}", "Only the start of a text"),
        ("{{ x[:-1] }}", "Only the start of a text"),
        ("{{ x[0] }}", "Only the start of a text"),
        ("{{ 'a' if x }}", "needs an “else”"),
        ("{{ x|truncate(y|int) }}", "must be written out"),
        ("{{ x|truncate(2) }}", "room for its end mark"),
        ("{{ x|replace('', 'a') }}", "not empty"),
        ("{{ x|replace('a', 'b', 1) }}", "not empty"),
        ("{{ x|int(base=16) }}", "whole number as its default"),
        ("{{ x|upper", "Line 1:"),
    ],
)
def test_what_sql_cannot_compute_is_told_with_its_line(prompt, problem):
    [found] = translation_problems(prompt)
    assert problem in found
    with pytest.raises(Invalid, match="Line"):
        translated(prompt)


def test_all_problems_are_told_at_once():
    prompt = "{{ x|title }}\n{% if x %}{{ x|float }}{% endif %}\n{{ x.strip() }}"
    assert [problem[:6] for problem in translation_problems(prompt)] == ["Line 1", "Line 2", "Line 3"]


@pytest.mark.parametrize(
    "prompt",
    [
        "{{ x" + "|default('a', true)" * 50 + " }}",
        "{{ x" + "|truncate(90)" * 40 + " }}",
        "{{ x|trim }}" * (MAX_STEPS + 1),
    ],
)
def test_a_prompt_that_would_be_an_endless_statement_is_refused_at_once(prompt):
    assert translation_problems(prompt) == ("Line 1: The prompt has too many steps for one statement.",)


def test_the_limits_of_a_request_are_those_of_the_renderer():
    prompt = BulkPrompt(FixedText(""), X)
    assert (prompt.value_limit, prompt.cut_mark, prompt.text_limit) == (MAX_VALUE, CUT_MARK, MAX_OUTPUT)


def test_whitespace_is_what_python_takes_for_it():
    assert sorted(WHITESPACE) == [one for one in map(chr, range(0x110000)) if one.isspace()]
