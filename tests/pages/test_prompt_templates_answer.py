"""Inputs, answer, examples and settings of a template: typed, checked, and never lost."""

from __future__ import annotations

import json
from dataclasses import replace

import pandas as pd
import pytest

from tests.pages.conftest import ANN, labels
from tests.pages.template_parts import field, key_of, mails, press, show, shown, type_in
from workbench_core.label_sets import LabelClass, LabelSetDraft
from workbench_core.metrics import FieldType
from workbench_core.prompt_templates import STARTERS, InputField, OutputField, json_schema
from workbench_core.usage import Use

CLASSIFICATION = STARTERS["Classification"]
RICH = (
    OutputField("amount", FieldType.NUMBER, "In euros", True, (), {"minimum": 0, "maximum": 100}),
    OutputField("colour", FieldType.STRING, "", False, ("red, dark", "blue")),
    OutputField("parts", FieldType.ARRAY, "", True, (), {"items": {"type": "object"}}),
)


@pytest.fixture
def draft(workbench):
    return workbench.prompt_templates.create(CLASSIFICATION, by=ANN)


@pytest.fixture
def rich(workbench):
    return workbench.prompt_templates.create(replace(STARTERS["Extraction"], output_schema=RICH, examples=()), by=ANN)


def save(page, template):
    return page.button(key=f"save_{template.id}").click().run()


# --- the label set ---------------------------------------------------------------------------------------------------


def test_the_classes_of_the_label_set_are_there_for_the_taking(open_page, workbench, draft):
    """The answers of a label type are written down once, in its label set."""
    classes = tuple(LabelClass(name, name.title()) for name in ("fine", "broken", "<b>odd</b>"))
    made = workbench.label_sets.create(LabelSetDraft("Results", draft.label_type, classes=classes), by=ANN)
    page = show(open_page("prompt_templates", template=draft.id), "answer")
    assert not any("Results" in text.value for text in page.markdown), "a draft counts for nobody"
    workbench.label_sets.move(made.id, "publish", by=ANN)
    page.run()
    assert any("This label type has the label set “Results”" in text.value for text in page.markdown)
    page.button(key=key_of(page, draft, "label_set")).click().run()
    assert any("The answers are those of the label set “Results”" in text.value for text in page.markdown)
    save(page, draft)
    assert not page.error
    assert workbench.prompt_templates.get(draft.id).label_classes == ("fine", "broken", "<b>odd</b>")


# --- answer ----------------------------------------------------------------------------------------------------------


def test_the_answer_can_be_classes_fields_or_text(workbench, open_page, draft):
    page = open_page("prompt_templates", template=draft.id, show="answer")
    field(page, "text_area", "Label classes").set_value("spam\nham\n\nspam").run()
    assert "“spam” is there twice" in shown(page)
    field(page, "text_area", "Label classes").set_value("spam\nham").run()
    assert "something is to solve in: Examples" in shown(page)  # the starter's example no longer fits
    kinds = next(group for group in page.get("button_group") if group.label == "An answer is")
    kinds.set_value("text").run()
    assert "Label classes" not in labels(page.text_area)
    next(group for group in page.get("button_group") if group.label == "An answer is").set_value("label").run()
    assert field(page, "text_area", "Label classes").value == "spam\nham"
    field(show(page, "examples"), "text_area", "Example 1: output").set_value("ham").run()
    save(page, draft)
    saved = workbench.prompt_templates.get(draft.id)
    assert (saved.label_classes, saved.examples[0].output) == (("spam", "ham"), "ham")


def test_the_derived_form_is_what_people_will_fill_in(open_page, rich, draft):
    page = open_page("prompt_templates", template=rich.id, show="answer")
    assert field(page, "number_input", "amount").disabled
    assert "In euros" in shown(page)
    assert "colour (optional)" in [group.label.replace("\\", "") for group in page.get("button_group")]
    page = open_page("prompt_templates", template=draft.id, show="answer")
    assert "The keys 1 to 3 choose a class" in shown(page)


def test_fields_stand_in_a_table_and_as_json_schema_with_nothing_lost(workbench, open_page, rich):
    page = open_page("prompt_templates", template=rich.id, show="answer")
    rows = page.dataframe[0].value.to_dict("records")
    assert rows[0] == {
        "name": "amount", "type": "number", "required": True, "options": "", "description": "In euros",
        "rules": '{"minimum": 0, "maximum": 100}',
    }  # fmt: skip
    assert json.loads(rows[1]["options"]) == ["red, dark", "blue"]
    switch(page, rich, "json")
    assert json.loads(page.session_state[key_of(page, rich, "json_text")]) == json_schema(RICH)
    switch(page, rich, "fields")
    assert page.button(key=f"save_{rich.id}").disabled  # still the same as what is stored


def test_a_typed_json_schema_becomes_the_fields(workbench, open_page, rich):
    page = switch(open_page("prompt_templates", template=rich.id, show="answer"), rich, "json")
    text = json.dumps(
        {"type": "object", "properties": {"size": {"type": "number", "minimum": 3}}, "required": ["size"]}
    )
    type_in(page, rich, json_text=text)
    assert field(page, "number_input", "size")
    switch(page, rich, "fields")
    assert list(page.dataframe[0].value["name"]) == ["size"]
    save(page, rich)
    assert workbench.prompt_templates.get(rich.id).output_schema == (
        OutputField("size", FieldType.NUMBER, rules={"minimum": 3}),
    )


def test_a_json_schema_that_cannot_be_read_stays_and_says_where(workbench, open_page, rich):
    page = switch(open_page("prompt_templates", template=rich.id, show="answer"), rich, "json")
    broken = '{\n "type": "object",\n "properties": {,}\n}'
    type_in(page, rich, json_text=broken)
    assert "Line 3" in shown(page)
    button = page.button(key=f"save_{rich.id}")
    assert button.disabled
    assert "JSON Schema" in button.help
    none_required = json.dumps({"type": "object", "properties": {"a": {"type": "string"}}})
    type_in(page, rich, json_text=none_required)
    assert "No field is required" in shown(page)
    type_in(page, rich, json_text=broken)
    assert "No field is required" not in shown(page)  # that was said of the text before
    type_in(page, rich, json_text=json.dumps(json_schema(RICH)))
    type_in(page, rich, json_text=broken)
    show(page, "prompt")
    assert page.session_state[key_of(show(page, "answer"), rich, "json_text")] == broken
    switch(page, rich, "fields")
    assert "cannot be read yet" in page.warning[0].value
    assert list(page.dataframe[0].value["name"]) == ["amount", "colour", "parts"]  # the last state that could
    press(page, "Drop the typed text and edit the table")
    assert not page.warning
    assert page.button(key=f"save_{rich.id}").help == "Everything is saved."


def test_rules_that_are_no_json_are_told_and_stay(open_page, rich):
    page = open_page("prompt_templates", template=rich.id, show="answer")
    frame = page.session_state[key_of(page, rich, "schema")].copy()
    frame.loc[0, "rules"] = "at least 0"
    type_in(page, rich, schema_start=frame)
    assert "The rules of “amount” are no JSON object" in shown(page)
    assert page.dataframe[0].value.loc[0, "rules"] == "at least 0"


def test_a_new_row_is_a_field_once_something_is_typed_in_it(open_page, rich):
    page = open_page("prompt_templates", template=rich.id, show="answer")
    frame = page.session_state[key_of(page, rich, "schema")]
    empty = pd.DataFrame([{"name": None, "type": "string", "required": True, "description": None}])
    type_in(page, rich, schema_start=pd.concat([frame, empty], ignore_index=True))
    assert page.button(key=f"save_{rich.id}").help == "Everything is saved."
    empty.loc[0, "description"] = "Of the whole"
    type_in(page, rich, schema_start=pd.concat([frame, empty], ignore_index=True))
    assert "A field has no name" in shown(page)
    assert not page.button(key=f"save_{rich.id}").disabled


def switch(page, template, view: str):
    """Show the fields as a table or as JSON Schema, as a click does."""
    group = next(group for group in page.get("button_group") if group.label == "Fields of the answer")
    return group.set_value(view).run()


# --- inputs ----------------------------------------------------------------------------------------------------------


def test_every_placeholder_has_a_line_and_what_is_said_of_it_is_kept(workbench, open_page, draft):
    page = open_page("prompt_templates", template=draft.id)
    type_in(page, draft, user_prompt="{{ text }} {{ colour }}")
    show(page, "inputs")
    assert list(page.dataframe[0].value["name"]) == ["text", "colour"]
    frame = pd.DataFrame(
        [("text", "string", True, "The mail"), ("colour", "string", False, "")],
        columns=["name", "type", "required", "description"],
    )
    type_in(page, draft, inputs_grid_start=frame)
    save(page, draft)
    assert workbench.prompt_templates.get(draft.id).inputs == (
        InputField("text", description="The mail"), InputField("colour", required=False),
    )  # fmt: skip


def test_an_optional_placeholder_may_stay_empty_and_its_description_is_shown(workbench, open_page, tmp_path):
    mails(workbench, tmp_path)
    template = workbench.prompt_templates.create(
        replace(
            CLASSIFICATION, user_prompt="{{ text }}{{ colour }}",
            inputs=(InputField("colour", description="Of the mail_box", required=False),),
        ),
        by=ANN,
    )  # fmt: skip
    page = open_page("prompt_templates", template=template.id)
    assert field(page, "selectbox", "colour (optional)").value is None
    assert "Of the mail_box" in shown(page)
    assert "optional, left empty" in shown(page)
    assert "Thanks a lot" in shown(page)
    type_in(page, template, user_prompt="{{ text }}")
    assert "Described, but not in the prompts: colour" in shown(show(page, "inputs"))
    press(page, "Forget them")
    save(page, template)
    assert workbench.prompt_templates.get(template.id).inputs == ()


def test_expected_columns_are_chosen_from_the_sheet(workbench, open_page, draft, tmp_path):
    mails(workbench, tmp_path)
    page = open_page("prompt_templates", template=draft.id, show="inputs")
    field(page, "multiselect", "Feature columns").set_value(["Text"]).run()
    field(page, "selectbox", "Target column").set_value("mail_subject").run()
    save(page, draft)
    saved = workbench.prompt_templates.get(draft.id)
    assert (saved.feature_columns, saved.target_column) == (("Text",), "mail_subject")


# --- examples --------------------------------------------------------------------------------------------------------


def test_examples_are_added_moved_and_removed(workbench, open_page, draft):
    page = open_page("prompt_templates", template=draft.id, show="examples")
    press(page, "Add example")
    field(page, "text_area", "Example 2: input").set_value("Bad day").run()
    field(page, "text_area", "Example 2: output").set_value("negative").run()
    press(page, "Move up", place=1)
    assert field(page, "text_area", "Example 1: input").value == "Bad day"
    press(page, "Remove", place=1)
    save(page, draft)
    saved = workbench.prompt_templates.get(draft.id).examples
    assert [(example.input, example.output) for example in saved] == [("Bad day", "negative")]


def test_an_output_that_is_not_valid_stays_and_says_why_beside_it(workbench, open_page, draft):
    page = open_page("prompt_templates", template=draft.id, show="examples")
    field(page, "text_area", "Example 1: output").set_value("wonderful").run()
    assert "“wonderful” is not one of the classes" in shown(page)
    save(page, draft)
    assert workbench.prompt_templates.get(draft.id).examples[0].output == "wonderful"


def test_a_sentence_that_repeats_very_long_class_names_is_cut(open_page, draft):
    page = open_page("prompt_templates", template=draft.id, show="answer")
    page = field(page, "text_area", "Label classes").input("L" * 5_000 + "\nshort").run()
    page = show(page, "examples")
    [said] = [each.value for each in page.markdown if "is not one of the classes" in each.value]
    assert len(said) < 400
    assert "…" in said


def test_the_grid_holds_the_same_examples(workbench, open_page, draft):
    page = open_page("prompt_templates", template=draft.id, show="examples")
    group = next(group for group in page.get("button_group") if group.label == "Show")
    group.set_value("grid").run()
    assert list(page.dataframe[0].value["output"]) == ["positive"]
    frame = pd.DataFrame([("A", "negative", ""), ("B", "odd", None)], columns=["input", "output", "explanation"])
    type_in(page, draft, examples_grid_start=frame)
    assert "Example 2: “odd” is not one of the classes" in shown(page)
    next(group for group in page.get("button_group") if group.label == "Show").set_value("single").run()
    assert field(page, "text_area", "Example 2: output").value == "odd"
    save(page, draft)
    assert [example.input for example in workbench.prompt_templates.get(draft.id).examples] == ["A", "B"]


# --- settings --------------------------------------------------------------------------------------------------------


def test_model_answers_tags_and_usage_are_saved(workbench, open_page, draft):
    page = open_page("prompt_templates", template=draft.id, show="settings")
    model = workbench.chat_models.all()[0]
    field(page, "selectbox", "Model").set_value(model.name).run()
    assert "Free" in shown(page)
    field(page, "selectbox", "Answers come from").set_value("hybrid").run()
    field(page, "slider", "Temperature").set_value(0.5).run()
    field(page, "number_input", "Longest answer (tokens)").set_value(99).run()
    type_in(page, draft, tags=["mail", "mail", " new "])
    field(page, "selectbox", "Preset").set_value("personal_data").run()
    show(page, "prompt")
    show(page, "settings")
    assert field(page, "selectbox", "Preset").value == "personal_data"
    save(page, draft)
    saved = workbench.prompt_templates.get(draft.id)
    assert (saved.model, saved.answer_source, saved.temperature, saved.max_tokens, saved.tags) == (
        model.name, "hybrid", 0.5, 99, ("mail", "new"),
    )  # fmt: skip
    assert not saved.usage.permits(Use.TRAINING)


def test_a_model_that_is_not_configured_here_is_kept_and_told(workbench, open_page):
    template = workbench.prompt_templates.create(replace(CLASSIFICATION, model="far away"), by=ANN)
    page = open_page("prompt_templates", template=template.id, show="settings")
    assert field(page, "selectbox", "Model").value == "far away"
    assert "“far away” is not configured here" in shown(page)
    assert page.button(key=f"save_{template.id}").help == "Everything is saved."
