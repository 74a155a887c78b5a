"""Prompts: what they may say, what they make of values, and that no template or value can hurt the workbench."""

from __future__ import annotations

import time

import numpy as np
import pandas as pd
import pytest

from workbench_core.errors import Invalid
from workbench_core.ports import Message
from workbench_core.prompt_rendering import (
    MAX_OUTPUT,
    MAX_PROMPT,
    MAX_VALUE,
    Renderer,
    faults,
    placeholders,
    text_of,
)


def user_text(prompt: str, **values: str) -> str:
    return Renderer("", prompt).render(values)[-1].content


# --- placeholders (TP-9) -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("prompt", "names"),
    [
        ("Plain text", ()),
        ("{{ b }} {{ a }} {{ b }}", ("b", "a")),
        ("{{ text|trim|upper }}", ("text",)),
        ("{{ note|default('') }}", ("note",)),
        ("{{ first if wanted else second }}", ("first", "wanted", "second")),
        ("{% for word in text.split() %}{{ word }}{{ loop.index }}{% endfor %}", ("text",)),
        ("{% set short = text[:20] %}{{ short }}", ("text",)),
        ("{% if kind == 'a' %}{{ a }}{% elif kind %}{{ b }}{% endif %}", ("kind", "a", "b")),
        ("{% raw %}{{ not_one }}{% endraw %}{# {{ nor_this }} #}{{ one }}", ("one",)),
        ("{% for n in range(3) %}{{ n }}{% endfor %}", ()),
    ],
)
def test_tp_9_placeholders_are_found_in_the_order_in_which_they_are_written(prompt, names):
    assert placeholders(prompt) == names


@pytest.mark.parametrize(
    ("prompt", "line"),
    [
        ("a\nb\n{{ text", 3),
        ("{% if text %}", 1),
        ("a\n{% endfor %}", 2),
        ("{{ }}", 1),
        ("\n\n{{ text | }}", 3),
        ("{% for x in %}{% endfor %}", 1),
        ("{% unknown %}", 1),
        ("a\n\n{{ text|no_such_filter }}", 3),
    ],
)
def test_tp_9_a_malformed_prompt_names_the_line(prompt, line):
    with pytest.raises(Invalid, match=f"Line {line}:"):
        placeholders(prompt)
    with pytest.raises(Invalid, match=f"User prompt, line {line}:"):
        Renderer("", prompt)


def test_an_open_placeholder_is_told_in_the_marks_that_a_person_types():
    assert faults("{{ text")[0].message == "Unexpected end of the prompt, expected “}}”."


def test_all_faults_are_listed_by_line():
    found = faults("{{ a }}\n{{ a|pprint }}\n{{ b.name }}\n{% macro m() %}{% endmacro %}")
    assert [fault.line for fault in found] == [2, 3, 4]
    assert "pprint" in found[0].message
    assert "{{ name }}" in found[1].message
    assert "macro" in found[2].message


# --- messages ------------------------------------------------------------------------------------------------------


def test_the_messages_are_system_then_examples_then_the_item():
    renderer = Renderer("You sort {{ domain }}.", "Sort: {{ text }}", [("Sort: {{ text }}", "good")])
    assert renderer.render({"domain": "reviews", "text": "fine"}) == (
        Message("system", "You sort reviews."),
        Message("user", "Sort: {{ text }}"),
        Message("assistant", "good"),
        Message("user", "Sort: fine"),
    )


def test_without_a_system_prompt_there_is_no_system_message():
    assert [message.role for message in Renderer(" ", "{{ a }}").render({"a": "x"})] == ["user"]


@pytest.mark.parametrize(
    ("prompt", "expected"),
    [
        ("{{ text|upper }}", "A, B"),
        ("{% for part in text.split(',') %}{{ loop.index }}.{{ part|trim }} {% endfor %}", "1.a 2.b "),
        ("{{ text.split(',')|map('trim')|join('; ') }}", "a; b"),
        ("{{ missing|default('none') }}{{ missing is defined }}", "noneFalse"),
        ("{{ text[:1] ~ '!' ~ 2 * 3 }}", "a!6"),
        ("{{ text|replace(',', ' and')|capitalize }}", "A and b"),
        ("{{ {'a, b': 'both'}[text] }}", "both"),
        ("{{ text|tojson }}", '"a, b"'),
        ("{{ text.startswith('a') and 'yes' or 'no' }}", "yes"),
        ("{{ text|length }}{{ '3'|int + 1 }}{{ 2.345|round(1) }}", "442.3"),
        ("{% with n = text|length %}{{ n }}{% endwith %}", "4"),
        ("{% for n in range(3) if n is odd %}{{ n }}{% else %}-{% endfor %}", "1"),
        ("{% for c in text|unique|sort|reverse %}{{ c }}{% endfor %}", "ba, "),
        ("{{ (text|list)[0] + 'z' }}{{ ([1] + [2])|last }}", "az2"),
    ],
)
def test_filters_conditions_loops_and_arithmetic_work_as_in_jinja(prompt, expected):
    assert user_text(prompt, text="a, b") == expected


@pytest.mark.parametrize(
    "value",
    [
        "{{ 7 * 7 }}",
        "{% for i in range(9) %}x{% endfor %}",
        "{{ text }}",
        "{# hidden #}",
        "}} {{ {%",
        "<b>&amp;</b> 'quoted' \"twice\"",
        "%s %(a)s {0} {text}",
        "line\nline\r\nline\x0b \u2028 end",
        "emoji 🧵 combining e\u0301 right-to-left \u200fשלום",
        "\\n \\x41 \\",
    ],
)
def test_values_are_data_and_arrive_as_they_are(value):
    assert user_text("[{{ text }}]", text=value) == f"[{value}]"


def test_an_undefined_placeholder_is_named_with_its_line():
    with pytest.raises(Invalid, match="User prompt, line 2: the placeholder “colour” has no value"):
        user_text("{{ text }}\n{{ colour }}", text="x")
    with pytest.raises(Invalid, match="System prompt, line 1: the placeholder “domain”"):
        Renderer("{{ domain }}", "{{ text }}").render({"text": "x"})


def test_a_user_message_without_any_text_is_refused():
    with pytest.raises(Invalid, match="user prompt is empty"):
        user_text("{{ text }}", text="  \n")


def test_a_long_value_is_cut_marked_and_told():
    renderer = Renderer("", "{{ text }}")
    values = {"text": "x" * (MAX_VALUE + 1), "short": "y"}
    assert renderer.render(values)[0].content == "x" * MAX_VALUE + " […]"
    assert renderer.shortened(values) == ("text",)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, ""),
        (float("nan"), ""),
        (pd.NaT, ""),
        (pd.NA, ""),
        ("NaN", "NaN"),
        ("  a ", "  a "),
        (3.0, "3"),
        (2.5, "2.5"),
        (np.float32(2.5), "2.5"),
        (np.int64(7), "7"),
        (1e300, "1e+300"),
        (float("inf"), "inf"),
        (True, "True"),
        (pd.Timestamp("2026-01-05 09:00"), "2026-01-05 09:00:00"),
        (np.array(["a", "é"]), '["a", "é"]'),
        ({"a": 1}, '{"a": 1}'),
    ],
)
def test_cells_are_written_as_people_expect(value, expected):
    assert text_of(value) == expected


# --- hostile templates ---------------------------------------------------------------------------------------------

BIG = "x" * MAX_VALUE
DOUBLING = "{% set a = text %}" + "{% set a = a ~ a %}" * 40 + "{{ a|length }}"
HOSTILE = {
    "loop for ever": "{% for a in range(9999) %}{% for b in range(9999) %}{% for c in range(9999) %}"
    "{% endfor %}{% endfor %}{% endfor %}end",
    "huge range": "{{ range(10 * 1000 * 1000 * 1000)|length }}",
    "loop over characters": "{% for c in text %}{{ c }}{% endfor %}",
    "sum of loops": "{% for i in range(101) %}{% for j in range(100) %}{% endfor %}{% endfor %}end",
    "large output": "{% for i in range(9000) %}{{ text }}{% endfor %}",
    "doubling with tilde": DOUBLING,
    "doubling with plus": DOUBLING.replace("a ~ a", "a + a"),
    "doubling a list": "{% set a = [1, 2] %}" + "{% set a = a + a %}" * 40 + "{{ a|length }}",
    "repeated text": "{{ 'a' * 1000000000 }}",
    "repeated list": "{{ ([1] * 1000000000)|length }}",
    "power": "{{ 9 ** 9 ** 9 }}",
    "growing number": "{% set n = 999999999 %}" + "{% set n = n * n %}" * 30 + "{{ n }}",
    "long number": "{{ '9' * 4000 }}{{ " + "9" * 4200 + " * " + "9" * 4200 + " }}",
    "too long a number": "{{ " + "9" * 6000 + " }}",
    "replace everything": "{{ text|replace('', text) }}",
    "replace by names": "{{ text|replace(new=text, old='') }}",
    "replace method": "{{ text.replace('', text) }}",
    "replace again and again": "{{ 'ab'" + "|replace('a', 'aaaaaaaaaaaaaaaaaaaaaaaaaaa')" * 20 + " }}",
    "join with a long text": "{{ range(9999)|join(text) }}",
    "join long texts": "{{ [text, text, text, text, text, text, text, text, text, text, text]|join }}",
    "centre": "{{ text|center(1000000000) }}",
    "centre method": "{{ text.center(1000000000) }}",
    "fill method": "{{ 'a'.zfill(1000000000) }}",
    "expand tabs": "{{ '\\t'.expandtabs(1000000000) }}",
    "indent": "{{ text|indent(1000000000) }}",
    "wide format": "{{ '%1000000000d' % 1 }}",
    "wide format filter": "{{ '%1000000000d'|format(1) }}",
    "wide format method": "{{ '{:1000000000}'.format(1) }}",
    "format map": "{{ '{0.__class__}'.format_map({}) }}",
    "json indent": "{{ [1]|tojson(indent=1000000000) }}",
    "round to many digits": "{{ 1|round(1000000000, 'ceil') }}",
    "lorem ipsum": "{{ lipsum(n=100000) }}",
    "slices": "{{ text|slice(100000000)|list }}",
    "batches": "{{ 'a'|batch(100000000, 'x')|list }}",
    "nested lists": "{% set a = [text] %}" + "{% set a = [a, a] %}" * 40 + "{{ a }}",
    "written list": "{{ [text] }}",
    "list as text": "{{ [text]|upper }}",
    "many copies by map": "{{ range(9999)|map('replace', '1', text)|list|length }}",
    "map to lists": "{{ range(99)|map('string')|map('list')|list|length }}",
    "work in a loop": "{% for i in range(9999) %}{% set t = text|upper %}{% endfor %}end",
    "macro that calls itself": "{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}",
    "recursive loop": "{% for a in [1] recursive %}{{ loop([1]) }}{% endfor %}",
    "call block": "{% call text() %}{% endcall %}",
    "include": "{% include 'x' %}",
    "import": "{% import 'x' as y %}",
    "extends": "{% extends 'x' %}",
    "block": "{% block b %}{{ self.b() }}{% endblock %}",
    "self": "{{ self }}",
    "namespace": "{% set ns = namespace(a='x') %}{{ ns.a }}",
    "namespace attribute": "{% set ns.a = 1 %}",
    "set block": "{% set a %}{{ text }}{% endset %}",
    "filter block": "{% filter upper %}a{% endfilter %}",
    "autoescape": "{% autoescape true %}a{% endautoescape %}",
    "do": "{% do text.split() %}",
    "class": "{{ ''.__class__.__mro__[1].__subclasses__() }}",
    "class by item": "{{ ''['__class__'] }}",
    "class by filter": "{{ ''|attr('__class__') }}",
    "class by map": "{{ [text]|map(attribute='__class__')|list }}",
    "class by computed name": "{{ text['__cl' ~ 'ass__']['__mro__'] }}",
    "function globals": "{{ range.__globals__ }}",
    "method globals": "{{ text.upper.__self__ }}",
    "method as value": "{% set f = text['format'] %}{{ f('x') }}",
    "loop internals": "{% for a in [1] %}{{ loop['_iterable'] }}{{ loop.__class__ }}{% endfor %}",
    "loop internals by item": "{% for a in [1] %}{{ loop['__init__'] }}{% endfor %}",
    "cycler": "{{ cycler('a').next() }}",
    "joiner": "{{ joiner()() }}",
    "called value": "{{ text() }}",
    "called range value": "{% set range = text %}{{ range(3) }}",
    "environment": "{{ environment.globals }}",
    "context": "{{ context.resolve('x') }}",
    "config": "{{ config }}",
    "unpacked": "{{ range(*[1, 2]) }}",
    "division by zero": "{{ 1 / 0 }}{{ 1 is divisibleby(0) }}",
    "wrong types": "{{ text - 1 }}",
    "deep brackets": "{{ " + "(" * 5000 + "1" + ")" * 5000 + " }}",
    "deep lists": "{{ " + "[" * 200 + "]" * 200 + " }}",
    "long sum": "{{ " + "+".join(["1"] * 5000) + " }}",
    "long chain of filters": "{{ text" + "|upper" * 2000 + " }}",
    "deep loops": "{% for a in [1] %}" * 30 + "x" + "{% endfor %}" * 30,
    "deep conditions": "{% if text %}" * 200 + "x" + "{% endif %}" * 200,
    "endless nots": "{{ " + "not " * 3000 + "1 }}",
    "too long": "x" * (MAX_PROMPT + 1),
    "budget by name": "{{  budget }}",
    "escape": "{{ text|safe }}{{ text|escape }}",
    "random": "{{ [1, 2]|random }}",
    "url": "{{ text|urlize }}",
    "sum of lists": "{{ [[1], [2]]|sum(start=[]) }}",
}


@pytest.mark.parametrize("prompt", HOSTILE.values(), ids=HOSTILE.keys())
def test_a_hostile_template_is_refused_quickly(prompt):
    started = time.perf_counter()
    with pytest.raises(Invalid) as refused:
        user_text(prompt, text=BIG)
    assert time.perf_counter() - started < 6  # MAX_SECONDS, one step, and a slow machine
    assert refused.value.message
    assert len(refused.value.message) < 500


def test_a_template_that_only_takes_time_is_stopped_by_the_clock():
    search = "{% if 'xxxxxxxy' in text %}{% endif %}" * 300
    with pytest.raises(Invalid, match="longer than 2 seconds"):
        user_text("{% for i in range(9999) %}" + search + "{% endfor %}end", text=BIG)


def test_no_template_sees_where_an_object_lies_in_memory():
    for prompt in ("{{ text['upper'] }}", "{{ range }}", "{% for a in [1] %}{{ loop }}{% endfor %}"):
        with pytest.raises(Invalid):
            user_text(prompt, text="x")


def test_the_output_is_bounded():
    assert len(user_text("{{ text }}" * 10, text=BIG)) == MAX_OUTPUT
    with pytest.raises(Invalid, match="200,000"):
        user_text("{{ text }}" * 10 + "x", text=BIG)


def test_every_item_has_its_own_budget():
    renderer = Renderer("", "{% for c in range(6000) %}{{ text }}{% endfor %}")
    assert renderer.render({"text": "a"}) == renderer.render({"text": "a"})


def test_a_renderer_is_shared_by_threads():
    from concurrent.futures import ThreadPoolExecutor

    renderer = Renderer("", "{% for part in text.split() %}{{ part|upper }}{% endfor %}")
    with ThreadPoolExecutor(4) as pool:
        rendered = pool.map(lambda n: renderer.render({"text": f"a {n}"})[0].content, range(200))
    assert list(rendered) == [f"A{n}" for n in range(200)]


def test_a_plain_template_renders_fast_enough_for_a_million_items():
    renderer = Renderer("You sort.", "Title: {{ title }}\nText: {{ text }}")
    values = {"title": "a", "text": "b" * 500}
    started = time.perf_counter()
    for _ in range(2_000):
        renderer.render(values)
    assert 2_000 / (time.perf_counter() - started) > 5_000
