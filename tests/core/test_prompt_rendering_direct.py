"""Both ways to render a prompt, the direct and the counted one, give the same text or the same refusal."""

from __future__ import annotations

import random
import time

import pytest

from tests.core.test_prompt_rendering import BIG, HOSTILE
from workbench_core.errors import Invalid
from workbench_core.prompt_rendering import MAX_VALUE, Renderer
from workbench_core.prompt_rendering.direct import direct_prompts
from workbench_core.prompt_rendering.grammar import faults

SORTING = (
    "Subject: {{ subject|trim|upper }}\n{% if amount|float > 100 %}Large: {{ amount|float|round(2) }}"
    "{% elif amount %}{{ amount|default('none', true) }}{% else %}nothing{% endif %}\n{{ text[:200] ~ '!' }}"
)
HOSTILE_VALUES = {
    "braces": "{{ 7 * 7 }}{% for i in range(9) %}x{% endfor %}{# hidden #}",
    "half a brace": "}} {{ {% %}",
    "control characters": "".join(map(chr, range(32))) + "\x7f\x85\u2028\u2029",
    "NUL": "a\x00b",
    "lone surrogate": "a\ud800b\udfff",
    "bidi": "\u202eevil\u202c \u2066x\u2069 \u200f",
    "formula": '=HYPERLINK("http://evil","x")',
    "command": "@SUM(1+1)*cmd|' /C calc'!A0",
    "percent": "%s %(a)s %1000000000d %n",
    "format": "{0.__class__} {subject!r:>99999999}",
    "html": "<script>alert(1)</script>&amp;",
    "sql": "'; DROP TABLE pairs; --",
    "growing letters": "ΐßŉﬃİ" * 500,
    "combining": "e" + "\u0301" * 5_000,
    "emoji": "🧵👩‍👩‍👧‍👦" * 300,
    "spaces only": " \t\n\u00a0\u3000",
    "empty": "",
    "a number": "1e308",
    "no number": "nan",
    "infinite": "-inf",
    "digits": "9" * 5_000,
    "digits of other scripts": "٣٤٥",
    "as long as a value may be": "x" * MAX_VALUE,
    "one too long": "x" * (MAX_VALUE + 1),
    "a megabyte": "y z" * 350_000,
    "megabytes of braces": "{{" * 1_500_000,
    "a megabyte of letters that grow": "ΐ" * 1_000_000,
}


def verdict(render, variables):
    """The texts, or the words of the refusal."""
    try:
        return render(variables)
    except Invalid as refused:
        return refused.message


def both(system, user, variables):
    """What the renderer and what its counted way say: system and user text, or a refusal."""
    renderer = Renderer(system, user)

    def as_rendered(values):
        messages = renderer.render(values)
        return ("".join(m.content for m in messages[:-1]), messages[-1].content)

    def as_counted(values):
        first, text = renderer.counted(values)
        if not text.strip():
            raise Invalid("The rendered user prompt is empty.", hint="")
        return (first if first.strip() else "", text)

    return verdict(as_rendered, variables), verdict(as_counted, variables)


def names(text):
    return dict.fromkeys(("subject", "amount", "text", "region"), text)


def test_there_are_enough_hostile_templates():
    assert len(HOSTILE) >= 60


@pytest.mark.parametrize("prompt", HOSTILE.values(), ids=HOSTILE.keys())
def test_a_hostile_template_meets_the_same_verdict_both_ways(prompt):
    if faults(prompt):
        with pytest.raises(Invalid):
            Renderer("", prompt)
        return
    started = time.perf_counter()
    rendered, counted = both("", prompt, {"text": BIG})
    assert rendered == counted
    assert isinstance(rendered, str), "refused"
    assert time.perf_counter() - started < 12  # each way within its time, on a slow machine


@pytest.mark.parametrize("value", HOSTILE_VALUES.values(), ids=HOSTILE_VALUES.keys())
@pytest.mark.parametrize("prompt", [SORTING, "{{ text }}", "{% if 'x' in text|lower %}{{ text|title }}{% endif %}|"])
def test_a_hostile_value_is_data_both_ways(value, prompt):
    rendered, counted = both("For {{ subject|trim }}", prompt, names(value))
    assert rendered == counted
    if prompt == "{{ text }}" and len(value) <= MAX_VALUE and value.strip():
        assert rendered[1] == value


def test_the_direct_way_is_taken_for_filters_and_conditions_but_not_for_loops():
    assert direct_prompts("You sort {{ subject|title }}.", SORTING) is not None
    for prompt in ("{% for w in text.split() %}{{ w }}{% endfor %}", "{% set a = text %}{{ a }}", "{{ text|tojson }}",
                   "{{ text|replace('', 'x') }}", "{{ range }}"):  # fmt: skip
        assert direct_prompts("", prompt) is None


def test_a_replacement_that_grows_lowers_the_length_for_which_the_direct_way_holds():
    growing = direct_prompts("", "{{ text|replace('a', 'aaaaaaaaaa')|replace('a', 'aaaaaaaaaa') }}")
    assert growing is None or growing.longest <= 2_000
    for length in (10, 1_990, 2_010, MAX_VALUE):
        rendered, counted = both("", "{{ text|replace('a', 'aaaaaaaaaa')|replace('a', 'aaaaaaaaaa') }}",
                                 {"text": "a" * length})  # fmt: skip
        assert rendered == counted


def test_a_text_is_never_formatted_by_a_test_of_numbers():
    """“%” between a text and a number formats the text: a gigabyte out of twelve characters."""
    for prompt in ("{{ text is divisibleby(3) }}", "{{ text is odd }}", "{{ text is even }}"):
        started = time.perf_counter()
        rendered, counted = both("", prompt, {"text": "%1000000000d"})
        assert rendered == counted
        assert "asks for a number" in rendered
        assert time.perf_counter() - started < 1
    assert both("", "{{ text|int is odd }}", {"text": "3"}) == (("", "True"), ("", "True"))


def test_truncating_to_less_than_its_mark_is_a_refusal_that_names_the_line():
    with pytest.raises(Invalid, match="line 2"):
        Renderer("", "\n{{ text|truncate(2) }}").render({"text": "abcdefghijk"})


def test_a_thousand_branches_are_rendered_both_ways():
    branches = "".join(f"{{% elif text == '{number}' %}}no. {number}" for number in range(1_000))
    prompt = f"{{% if text == 'x' %}}x{branches}{{% else %}}none{{% endif %}}"
    for value in ("x", "999", "y"):
        rendered, counted = both("", prompt, {"text": value})
        assert rendered == counted


def test_columns_are_rendered_as_their_rows_are():
    renderer = Renderer("For {{ subject|trim }}", SORTING)
    values = list(HOSTILE_VALUES.values())
    for chosen in (values, [value for value in values if len(value) < 5_000]):
        columns = names(chosen)
        got = list(renderer.render_columns(columns, len(chosen)))
        for row, value in enumerate(chosen):
            expected = verdict(renderer.render, names(value))
            assert (got[row].message if isinstance(got[row], Invalid) else got[row]) == expected


# --- random prompts of the bounded kind ------------------------------------------------------------------------------

FILTERS = ("trim", "upper", "lower", "title", "capitalize", "string", "wordcount", "length", "float", "int", "abs",
           "round", "round(2)", "default('-')", "default('none', true)", "d('x', boolean=true)", "truncate(20)",
           "truncate(9, true)", "replace('a', 'bb')", "replace(' ', '')", "float(1)", "int(7)")  # fmt: skip
TESTS = (
    "defined",
    "undefined",
    "none",
    "string",
    "number",
    "odd",
    "lower",
    "upper",
    "eq('a')",
    "in 'abc'",
    "divisibleby(3)",
)
SAMPLES = ("", " ", "abc", "Hello World, this is long enough to be cut", "12", "-3.75", "1e3", "ΐßŉ", "{{ text }}",
           "a" * 300, "nan", "٣", "x\ud800", "\x00", "ÄÖ-ü (b) [c]")  # fmt: skip


def expression(chance, depth=0):
    kind = chance.randrange(4 if depth > 2 else 12)
    if kind <= 1:
        return chance.choice(("subject", "amount", "text", "region"))
    if kind == 2:
        return chance.choice(("'a'", "''", "3", "2.5", "true", "none", "-1", '"q\'{{ x }}"'))
    inner = expression(chance, depth + 1)
    if kind in {3, 4, 5}:
        return f"{inner}|{chance.choice(FILTERS)}" if " " not in inner else f"({inner})|{chance.choice(FILTERS)}"
    other = expression(chance, depth + 1)
    return {
        6: f"({inner} {chance.choice(('==', '!=', '<', '>=', 'in', 'not in'))} {other})",
        7: f"({inner} {chance.choice(('and', 'or'))} {other})",
        8: f"(not {inner})",
        9: f"({inner} ~ {other})",
        10: f"({inner} {chance.choice(('+', '-', '*', '/', '//', '%'))} {other})",
        11: chance.choice(
            (f"({inner} if {other} else 'no')", f"({inner} is {chance.choice(TESTS)})", "text[:7]", "text[-3:]")
        ),
    }[kind]


def prompt_of(chance, depth=0):
    pieces = []
    for _ in range(chance.randrange(1, 4)):
        pieces.append(
            chance.choice(("plain ", "“ß” {% raw %}{{ x }}{% endraw %}\n", f"{{{{ {expression(chance)} }}}}"))
        )
        if depth < 2 and chance.random() < 0.4:
            tail = f"{{% else %}}{prompt_of(chance, depth + 1)}" if chance.random() < 0.6 else ""
            pieces.append(f"{{% if {expression(chance)} %}}{prompt_of(chance, depth + 1)}{tail}{{% endif %}}")
    return "".join(pieces)


@pytest.mark.parametrize("seed", range(8))
def test_random_prompts_of_the_bounded_kind_render_the_same_both_ways(seed):
    chance = random.Random(seed)
    direct = rendered_directly = 0
    for _ in range(120):
        prompt, system = prompt_of(chance), prompt_of(chance)
        if faults(prompt) or faults(system):
            continue
        compiled = direct_prompts(system, prompt)
        direct += compiled is not None
        for _ in range(4):
            values = {name: chance.choice(SAMPLES) for name in ("subject", "amount", "text", "region")}
            rendered, counted = both(system, prompt, values)
            assert rendered == counted, (system, prompt, values)
            rendered_directly += compiled is not None and compiled.render(values) is not None
    assert direct > 60
    assert rendered_directly > 60, "the direct way was never taken: nothing was compared"
