"""Prompt templates on real rows, their frozen copies, and versions compared field by field."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from tests.core import template_parts
from tests.core.conftest import ANN
from tests.core.template_parts import DRAFT, FULL, STRUCTURED
from workbench_core.errors import Invalid, NotFound
from workbench_core.prompt_templates import (
    STARTERS,
    InputField,
    TemplateDraft,
    differences,
    from_snapshot,
    propose_mapping,
)
from workbench_core.usage import ALL_USES

sheets, templates, reports = template_parts.sheets, template_parts.templates, template_parts.reports  # fixtures


# --- snapshots, mapping, preview -----------------------------------------------------------------------------------


@pytest.mark.parametrize("draft", [DRAFT, STRUCTURED, FULL, *STARTERS.values()])
def test_inv_4_a_snapshot_survives_json_and_answers_as_the_template_does(templates, draft):
    template = templates.create(draft, by=ANN)
    stored = json.loads(json.dumps(template.snapshot()))
    assert set(stored) == {
        "name", "version", "label_type", "system_prompt", "user_prompt", "variables", "label_classes",
        "output_schema", "examples", "temperature", "max_tokens", "description", "answer_source", "model", "inputs",
        "feature_columns", "target_column", "tags", "usage",
    }  # fmt: skip
    snapshot = from_snapshot(stored)
    assert snapshot.version == "1.0.0"
    assert {name: getattr(snapshot, name) for name in TemplateDraft.__dataclass_fields__} == asdict_of(draft)
    assert list(snapshot.placeholders) == stored["variables"] == list(template.placeholders)
    assert snapshot.answer_kind is template.answer_kind
    assert snapshot.chat_options() == template.chat_options()
    values = dict.fromkeys(template.placeholders, "x")
    assert snapshot.renderer().render(values) == template.renderer().render(values)


def asdict_of(draft):
    return {name: getattr(draft, name) for name in TemplateDraft.__dataclass_fields__}


def test_inv_4_a_snapshot_of_an_older_version_of_the_app_reads_with_defaults(templates):
    stored = templates.create(FULL, by=ANN).snapshot()
    newer = ("description", "answer_source", "model", "inputs", "feature_columns", "target_column", "tags", "usage")
    snapshot = from_snapshot({name: value for name, value in stored.items() if name not in newer})
    assert (snapshot.model, snapshot.inputs, snapshot.feature_columns, snapshot.tags) == ("", (), (), ())
    assert (snapshot.target_column, snapshot.usage) == ("", ALL_USES)
    assert snapshot.output_schema == FULL.output_schema


@pytest.mark.parametrize("stored", [{}, {"name": "x"}, {"output_schema": 3}])
def test_something_else_is_no_snapshot(stored):
    with pytest.raises(Invalid, match="cannot be read"):
        from_snapshot(stored)


def test_a_model_is_asked_for_one_of_the_classes_or_for_the_fields():
    assert DRAFT.chat_options().choices == ("scratch", "dent", "none")
    assert DRAFT.chat_options().schema is None
    options = STRUCTURED.chat_options(seed=7)
    assert (options.choices, options.seed, options.temperature, options.max_tokens) == ((), 7, 0.2, 32)
    assert options.schema == {
        "type": "object",
        "properties": {
            "part": {"type": "string", "description": "Which part"},
            "defects": {"type": "array", "items": {"enum": ["scratch", "dent"]}},
            "count": {"type": "number"},
        },
        "required": ["part", "defects"],
        "additionalProperties": False,
    }


def test_columns_are_proposed_by_exact_name_then_without_case_and_punctuation():
    columns = ["ID", "Report Text", "report_text", "Line-No", "ß"]
    proposed = propose_mapping(("report_text", "reporttext", "line_no", "colour"), columns)
    assert proposed == {"report_text": "report_text", "reporttext": "Report Text", "line_no": "Line-No"}
    assert propose_mapping(("x",), ["-", "__"]) == {}


def test_tp_10_the_preview_shows_real_items_and_says_what_is_wrong(templates, reports):
    draft = replace(DRAFT, system_prompt="", user_prompt="{{ report }}", examples=())
    shown = templates.preview(draft, reports.id, {"report": "Report"})
    assert [item.item_ref for item in shown] == ["r1", "r2", "r3"]
    assert shown[0].messages[-1].content == "A scratch in {{ steel }}"
    assert "empty" in shown[1].error
    assert shown[1].messages == ()
    assert shown[2].shortened == ("report",)


def test_tp_10_an_unmapped_placeholder_is_an_error_of_each_item(templates, reports):
    shown = templates.preview(DRAFT, reports.id, {"report": "Report"}, limit=2)
    assert [("“line” has no value" in item.error) for item in shown] == [True, True]


def test_tp_10_any_column_of_the_source_can_be_previewed_as_generation_can_use_it(templates, reports):
    shown = templates.preview(replace(DRAFT, user_prompt="{{ report }}"), reports.id, {"report": "secret"}, limit=1)
    assert shown[0].messages[-1].content == "a"
    with pytest.raises(Invalid, match="no column colour"):
        templates.preview(DRAFT, reports.id, {"report": "colour"})
    with pytest.raises(NotFound):
        templates.preview(DRAFT, "sheet-none", {})


def test_tp_12_two_versions_are_compared_field_by_field():
    after = replace(
        DRAFT,
        user_prompt="Report: {{ report }}\nShift: {{ shift }}",
        label_classes=("scratch", "dent", "ok"),
        temperature=0.0,
    )
    found = {difference.field: difference.lines for difference in differences(DRAFT, after)}
    assert set(found) == {"user_prompt", "label_classes", "temperature"}
    assert found["user_prompt"] == (" Report: {{ report }}", "-Line: {{ line }}", "+Shift: {{ shift }}")
    assert found["label_classes"] == (" scratch", " dent", "-none", "+ok")
    assert found["temperature"] == ("-0.2", "+0.0")
    assert differences(DRAFT, DRAFT) == []


def test_tp_12_a_difference_has_both_texts_for_a_look_side_by_side():
    found = {difference.field: difference for difference in differences(STRUCTURED, FULL)}
    assert set(found) == {
        "output_schema", "answer_source", "model", "inputs", "feature_columns", "target_column", "tags", "usage",
    }  # fmt: skip
    assert (found["model"].before, found["model"].after) == ("", "rule-model")
    assert found["inputs"].after == "report (string, required) What happened\nline (number, optional)"
    assert '+severity (number, required) {"minimum": 1, "maximum": 5}' in found["output_schema"].lines
    assert "prohibited: nothing" in found["usage"].before
    assert "prohibited: training, validation" in found["usage"].after
    assert "reason: personal data" in found["usage"].after


def test_tp_12_a_difference_in_spaces_at_the_end_is_told_too():
    found = differences(replace(DRAFT, user_prompt="{{ report }}"), replace(DRAFT, user_prompt="{{ report }}\n"))
    assert found[0].lines == ("-'{{ report }}'", "+'{{ report }}\\n'")


def test_an_optional_input_without_a_column_renders_as_nothing(templates, reports):
    draft = replace(DRAFT, inputs=(InputField("line", required=False),), examples=())
    assert draft.optional_placeholders == ("line",)
    shown = templates.preview(draft, reports.id, {"report": "secret"}, limit=1)
    assert shown[0].error == ""
    assert shown[0].messages[-1].content == "Report: a\nLine: "


def test_what_default_says_wins_over_nothing_for_an_optional_input(templates, reports):
    draft = replace(
        DRAFT,
        system_prompt="",
        user_prompt="{{ report }} {{ line|default('any line') }}{% if shift is defined %} at night{% endif %}",
        inputs=(InputField("line", required=False), InputField("shift", required=False)),
        examples=(),
    )
    shown = templates.preview(draft, reports.id, {"report": "secret"}, limit=1)
    assert shown[0].messages[-1].content == "a any line"
    mapped = templates.preview(draft, reports.id, {"report": "secret", "line": "line"}, limit=1)
    assert mapped[0].messages[-1].content == "a 1"
