"""Templates and schemas that are damaged or mean harm: refused with a sentence, and never changed in silence."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.core.generation_parts import ANN, Parts
from workbench_core.errors import Invalid
from workbench_core.metrics import FieldType
from workbench_core.prompt_templates import InputField, OutputField, TemplateDraft, TemplateExample
from workbench_core.prompt_templates.json_schemas import fields_from_json_schema, schema_fault

DRAFT = TemplateDraft(name="Mails", label_type="mail_class", user_prompt="Is it spam? {{ subject }}")


@pytest.fixture
def parts(tmp_path, clock):
    made = Parts(tmp_path, clock=clock)
    yield made
    made.store.close()


@pytest.mark.parametrize("field", ["name", "label_type", "model"])
@pytest.mark.parametrize("odd", ["\x00", "\x1b[31m", "\u202e", "\u2066"])
def test_a_name_with_characters_that_cannot_be_seen_is_refused(parts, field, odd):
    with pytest.raises(Invalid, match="control character"):
        parts.templates.create(replace(DRAFT, **{field: f"Mails{odd}x"}), by=ANN)
    assert parts.templates.count() == 0


def test_a_name_of_control_characters_alone_does_not_become_an_empty_one(parts):
    with pytest.raises(Invalid):
        parts.templates.import_file('---\nname: "\\0"\nlabel_type: b\n---\n{{ a }}', by=ANN)
    assert parts.templates.count() == 0


def test_a_line_break_in_a_name_becomes_a_space(parts):
    made = parts.templates.import_file('---\nname: "Two\\nlines\\there"\nlabel_type: b\n---\n{{ a }}', by=ANN)
    assert made.name == "Two lines here"


@pytest.mark.parametrize("odd", ["\x00", "\ud800"])
@pytest.mark.parametrize(
    "changes",
    [
        lambda odd: {"user_prompt": f"{{{{ subject }}}} {odd}"},
        lambda odd: {"system_prompt": odd},
        lambda odd: {"description": odd},
        lambda odd: {"label_classes": ("spam", f"ham{odd}")},
        lambda odd: {"tags": (odd,)},
        lambda odd: {"examples": (TemplateExample("a", f"b{odd}"),)},
        lambda odd: {"inputs": (InputField("subject", description=odd),)},
        lambda odd: {"output_schema": (OutputField("x", FieldType.STRING, rules={"pattern": odd}),)},
        lambda odd: {"output_schema": (OutputField("x", FieldType.STRING, rules={odd: 1}),)},
    ],
)
def test_what_a_store_would_change_is_refused_and_not_changed(parts, odd, changes):
    with pytest.raises(Invalid, match="cannot be stored"):
        parts.templates.create(replace(DRAFT, **changes(odd)), by=ANN)
    assert parts.templates.count() == 0


def test_any_other_text_is_kept_to_the_letter(parts):
    prompt = "{{ subject }}\r\n\t👩\u200d💻 \u202e عربي \x1b \x7f \ufeff é e\u0301"
    made = parts.templates.create(replace(DRAFT, name="👩\u200d💻 عربي", user_prompt=prompt), by=ANN)
    assert parts.templates.get(made.id).user_prompt == prompt
    assert parts.templates.get(made.id).name == "👩\u200d💻 عربي"


def test_a_bound_without_an_end_is_no_json_schema():
    text = '{"type": "object", "properties": {"x": {"type": "number", "minimum": 1e999}}}'
    with pytest.raises(Invalid, match="1e999"):
        fields_from_json_schema(text)
    assert schema_fault(OutputField("x", FieldType.NUMBER, rules={"minimum": float("inf")})) == (
        "properties.x: this is no JSON."
    )


def test_a_schema_from_a_file_with_a_byte_order_mark_is_read():
    text = '\ufeff{"type": "object", "properties": {"x": {"type": "string"}}}'
    assert [entry.name for entry in fields_from_json_schema(text)] == ["x"]
