"""What is wrong with a prompt template: each problem with field and line, and what keeps it from being published."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.core import template_parts
from tests.core.conftest import ANN
from tests.core.generation_parts import Parts
from tests.core.template_parts import DRAFT, FIELDS, STRUCTURED, messages, published
from workbench_core.errors import Invalid, InvalidTransition
from workbench_core.metrics import FieldType
from workbench_core.prompt_templates import STARTERS, InputField, OutputField, TemplateExample, TemplateStatus
from workbench_core.usage import UsageRules, Use

sheets, templates = template_parts.sheets, template_parts.templates  # fixtures


# --- lint and publish ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("draft", [DRAFT, STRUCTURED, *STARTERS.values()])
def test_a_good_template_has_no_problems_and_can_be_published(templates, draft):
    assert templates.lint(draft) == []
    assert published(templates, draft).status is TemplateStatus.PUBLISHED


@pytest.mark.parametrize(
    ("change", "field", "line", "words"),
    [
        ({"user_prompt": " \n"}, "user_prompt", None, "empty"),
        ({"user_prompt": "No value here"}, "user_prompt", None, "no placeholder"),
        ({"user_prompt": "a\n{{ report"}, "user_prompt", 2, "Unexpected end"),
        ({"user_prompt": "{{ report|nothing }}"}, "user_prompt", 1, "no filter"),
        ({"system_prompt": "\n{% macro m() %}{% endmacro %}"}, "system_prompt", 2, "macro"),
        ({"label_classes": ("a", "b", " ")}, "label_classes", None, "empty"),
        ({"label_classes": ("a", "b", "A ")}, "label_classes", None, "twice"),
        ({"label_classes": ("a", "b", " c")}, "label_classes", None, "space"),
        ({"label_classes": ("scratch",)}, "label_classes", None, "second"),
        ({"label_classes": tuple(map(str, range(201)))}, "label_classes", None, "more than 200"),
        ({"output_schema": FIELDS}, "output_schema", None, "not both"),
        ({"examples": (TemplateExample("x", "bent"),)}, "examples", None, "Example 1: “bent” is not one of"),
        ({"examples": (TemplateExample(" ", "dent"),)}, "examples", None, "no input"),
        ({"examples": (TemplateExample("x", ""),)}, "examples", None, "answer is empty"),
        ({"examples": (TemplateExample("x", "dent"),) * 11}, "examples", None, "more than 10"),
    ],
)
def test_tp_4_lint_names_field_and_line_and_publishing_is_refused(templates, change, field, line, words):
    draft = replace(DRAFT, **change)
    found = [problem for problem in templates.lint(draft) if words in problem.message]
    assert [(problem.field, problem.line) for problem in found] == [(field, line)]
    template = templates.create(draft, by=ANN)
    with pytest.raises(Invalid, match="cannot be published"):
        templates.move(template.id, "publish", by=ANN)
    assert templates.get(template.id).status is TemplateStatus.DRAFT


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ((OutputField(" "),), "no name"),
        ((OutputField("2nd"),), "no field name"),
        ((OutputField("a-b"),), "no field name"),
        ((OutputField("a"), OutputField("A")), "twice"),
        ((OutputField("a", options=("x", "")),), "empty"),
        ((OutputField("a", options=("x", "x")),), "option “x” twice"),
        ((OutputField("a", FieldType.NUMBER, options=("1",)),), "only texts and lists"),
        ((OutputField("a", required=False),), "No field is required"),
    ],
)
def test_tp_4_lint_checks_the_output_schema(templates, fields, words):
    assert any(words in message for message in messages(templates, replace(STRUCTURED, output_schema=fields)))


@pytest.mark.parametrize(
    ("output", "words"),
    [
        ("no json", "not valid JSON"),
        ("[]", "not a JSON object"),
        ('{"defects": []}', "“part” is missing"),
        ('{"part": 3, "defects": []}', "“part” is not a text"),
        ('{"part": "a", "defects": ["crack"]}', "does not allow “crack”"),
    ],
)
def test_tp_13_examples_and_answers_must_follow_the_schema(templates, output, words):
    draft = replace(STRUCTURED, examples=(TemplateExample("x", output),))
    assert any(words in message for message in messages(templates, draft))
    assert any(words in fault for fault in draft.answer_faults(output))


def test_tp_13_a_good_answer_has_no_faults():
    assert STRUCTURED.answer_faults('```json\n{"part": "door", "defects": ["dent"], "count": 2}\n```') == ()
    assert DRAFT.answer_faults("dent") == ()
    assert DRAFT.answer_faults("Dent") != ()
    assert replace(DRAFT, label_classes=()).answer_faults("anything") == ()


@pytest.mark.parametrize(
    ("prompt", "lines"),
    [
        ("{{ report }}\n{{ 'a' * 9 }}", [2]),
        ("{{ 1 + 1 }} {{ 'x'|upper }} {{ report }}", [1]),
        ("{% if 1 < 2 %}\n{{ 3 }}\n{% else %}\n{{ 4 }}{% endif %}{{ report }}", [2, 4]),
        ("{% for x in [1, 2] %}\n{{ x }}{{ 'and' }}{% endfor %}{{ report }}", [2]),
        ("{% with n = 3 %}{{ n }}\n{{ 5 }}{% endwith %}{{ report }}", [2]),
        ("{% if report %}{{ 'yes' }}{% else %}{{ 'no' }}{% endif %}", []),  # which of them depends on the row
        ("{% for w in report.split() %}{{ 'a' }}{% endfor %}", []),
        ("{{ 'long' if report|length > 9 else 'short' }}", []),
        ("Plain text without any expression {{ report }}", []),
        ("{{ '{{' }} report {{ '}}' }} {{ report }}", []),  # the usual way to write braces
    ],
)
def test_tp_4_an_expression_without_a_name_is_a_warning_with_its_line(templates, prompt, lines):
    said = "This gives the same text for every row"
    for field in ("user_prompt", "system_prompt"):
        draft = replace(DRAFT, **{"user_prompt": "{{ report }} {{ line }}", field: prompt})
        found = [problem for problem in templates.lint(draft) if problem.message.startswith(said)]
        assert [(problem.field, problem.line, problem.is_warning) for problem in found] == [
            (field, line, True) for line in lines
        ]
        assert published(templates, draft).status is TemplateStatus.PUBLISHED


def test_tp_4_publishing_twice_is_refused(templates):
    template = published(templates)
    with pytest.raises(InvalidTransition, match="published"):
        templates.move(template.id, "publish", by=ANN)


# --- what an author says beside the prompts ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "field", "words"),
    [
        ({"inputs": (InputField("report"), InputField("report"))}, "inputs", "twice"),
        ({"inputs": (InputField(" "),)}, "inputs", "no name"),
        (
            {"feature_columns": ("report", "verdict"), "target_column": "verdict"},
            "target_column",
            "give the answer away",
        ),
        ({"tags": (" a",)}, "tags", "space"),
        ({"tags": ("",)}, "tags", "empty"),
        ({"tags": ("Plant", "plant")}, "tags", "twice"),
        ({"tags": tuple(map(str, range(21)))}, "tags", "20 tags"),
        ({"tags": ("x" * 51,)}, "tags", "50 characters"),
    ],
)
def test_tp_4_what_keeps_a_template_with_more_said_from_being_published(templates, change, field, words):
    draft = replace(DRAFT, **change)
    found = [problem for problem in templates.lint(draft) if words in problem.message]
    assert [(problem.field, problem.is_warning) for problem in found] == [(field, False)]
    with pytest.raises(Invalid, match="cannot be published"):
        published(templates, draft)


@pytest.mark.parametrize(
    ("change", "field", "words"),
    [
        ({"inputs": (InputField("colour"),)}, "inputs", "No prompt uses the input “colour”"),
        ({"feature_columns": ("a", "A")}, "feature_columns", "twice"),
    ],
)
def test_tp_4_a_warning_is_told_and_keeps_nothing_from_being_published(templates, change, field, words):
    draft = replace(DRAFT, **change)
    assert [(p.field, p.is_warning) for p in templates.lint(draft) if words in p.message] == [(field, True)]
    assert published(templates, draft).status is TemplateStatus.PUBLISHED


def test_tp_4_a_model_that_is_not_configured_here_is_a_warning(tmp_path):
    templates = Parts(tmp_path).templates
    assert templates.lint(replace(DRAFT, model="rule-model")) == []
    found = templates.lint(replace(DRAFT, model="large"))
    assert [(problem.field, problem.message, problem.is_warning) for problem in found] == [
        ("model", "No model “large” is configured here.", True)
    ]
    assert published(templates, replace(DRAFT, model="large")).model == "large"


def test_tp_4_a_placeholder_without_an_input_is_fine(templates):
    assert templates.lint(replace(DRAFT, inputs=(InputField("report"),))) == []


def test_inv_6_a_use_cannot_be_allowed_and_prohibited(templates):
    overlapping = UsageRules(allowed=frozenset({Use.TRAINING}), prohibited=frozenset({Use.TRAINING}))
    assert any(
        "training cannot be both" in message for message in messages(templates, replace(DRAFT, usage=overlapping))
    )
    with pytest.raises(Invalid, match="training cannot be both"):
        templates.create(replace(DRAFT, usage=overlapping), by=ANN)
    template = templates.create(DRAFT, by=ANN)
    with pytest.raises(Invalid, match="training cannot be both"):
        templates.update(template.id, replace(DRAFT, usage=overlapping), by=ANN, row_version=1)
