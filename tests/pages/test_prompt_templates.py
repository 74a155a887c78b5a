"""The page of prompt templates: start from an example, edit, try on rows, publish, make versions."""

from __future__ import annotations

from dataclasses import replace

import pandas as pd
import pytest

from tests.pages.conftest import ANN, labels
from workbench_core.permissions import Role
from workbench_core.prompt_templates import STARTERS, OutputField, TemplateStatus
from workbench_core.sheets import SheetDraft

BEN = "ben@example.com"
CLASSIFICATION = STARTERS["Classification"]


@pytest.fixture
def draft(workbench):
    return workbench.prompt_templates.create(CLASSIFICATION, by=ANN)


@pytest.fixture
def published(workbench, draft):
    return workbench.prompt_templates.move(draft.id, "publish", by=ANN)


@pytest.fixture
def sheet(workbench, tmp_path):
    file = tmp_path / "mails.csv"
    pd.DataFrame({"mail": ["m1", "m2"], "Text": ["Thanks a lot {{ friend }}", None], "Body": ["b", "c"]}).to_csv(
        file, index=False
    )
    workbench.lake.put_table("main.office.mails", file, original_name="mails.csv")
    return workbench.sheets.create(
        SheetDraft("Mails", "main.office.mails", "mail", text_columns=("Text", "Body")), by=ANN
    )


def field(page, kind, label):
    return next(element for element in getattr(page, kind) if element.label == label)


def shown(page):
    return " ".join(element.value for kind in ("markdown", "caption", "text") for element in getattr(page, kind))


def show_tab(page, name):
    page.session_state["prompt_templates_tab"] = name
    return page.run()


def test_an_empty_list_offers_three_starters(workbench, open_page):
    page = open_page("prompt_templates")
    assert "No prompt templates yet" in shown(page)
    page.button(key="prompt_templates_first_Extraction").click().run()
    created = workbench.prompt_templates.find()[0]
    assert created.draft == STARTERS["Extraction"]
    assert page.query_params["template"] == created.id
    assert field(page, "text_input", "Name").value == "Extract fields from a text"


@pytest.mark.parametrize("starter", STARTERS)
def test_each_starter_opens_without_problems_and_without_changes(workbench, open_page, starter):
    template = workbench.prompt_templates.create(STARTERS[starter], by=ANN)
    page = open_page("prompt_templates", template=template.id)
    assert page.button(key=f"save_{template.id}").disabled
    assert not page.button(key=f"publish_{template.id}").disabled


def test_the_list_is_filtered_by_its_address(workbench, open_page, published):
    workbench.prompt_templates.create(replace(CLASSIFICATION, name="Colours"), by=ANN)
    names = {
        status: list(open_page("prompt_templates", status=status).dataframe[0].value["Name"])
        for status in ("draft", "published")
    }
    assert names == {"draft": ["Colours"], "published": ["Classify a text"]}
    assert list(open_page("prompt_templates", search="colo").dataframe[0].value["Name"]) == ["Colours"]
    page = open_page("prompt_templates", search="nothing")
    assert not page.dataframe
    assert "No template matches" in shown(page)


def test_an_unknown_template_says_so_calmly(open_page):
    page = open_page("prompt_templates", template="template-none")
    assert "does not exist" in page.warning[0].value


def test_what_is_typed_is_checked_saved_and_published(workbench, open_page, draft):
    page = open_page("prompt_templates", template=draft.id)
    field(page, "text_area", "User prompt").set_value("Mail: {{ mail }}\n{{ subject").run()
    assert "line 2" in shown(page)
    assert "No placeholders found" in shown(page)
    field(page, "text_area", "User prompt").set_value("Mail: {{ mail }}\n{{ subject }}").run()
    assert "mail" in shown(page)
    assert ":blue-badge[subject]" in shown(page)
    assert page.button(key=f"publish_{draft.id}").disabled  # not saved yet
    page.button(key=f"save_{draft.id}").click().run()
    assert workbench.prompt_templates.get(draft.id).placeholders == ("mail", "subject")
    assert page.button(key=f"save_{draft.id}").disabled
    page.button(key=f"publish_{draft.id}").click().run()
    assert workbench.prompt_templates.get(draft.id).status is TemplateStatus.PUBLISHED
    assert field(page, "text_area", "User prompt").disabled


def test_a_broken_prompt_can_be_saved_but_not_published(workbench, open_page, draft):
    page = open_page("prompt_templates", template=draft.id)
    field(page, "text_area", "User prompt").set_value("No value").run()
    page.button(key=f"save_{draft.id}").click().run()
    assert workbench.prompt_templates.get(draft.id).user_prompt == "No value"
    assert page.button(key=f"publish_{draft.id}").disabled
    assert "no placeholder" in shown(page)


def test_the_answer_can_be_classes_fields_or_text(workbench, open_page, draft):
    page = open_page("prompt_templates", template=draft.id)
    field(page, "text_area", "Label classes").set_value("spam\nham\n\nspam").run()
    assert "“spam” is there twice" in shown(page)
    field(page, "text_area", "Label classes").set_value("spam\nham").run()
    assert "“positive” is not one of the classes" in shown(page)  # the starter's example no longer fits
    page.button_group[0].set_value("text").run()
    assert "Label classes" not in labels(page.text_area)
    page.button_group[0].set_value("label").run()
    assert field(page, "text_area", "Label classes").value == "spam\nham"
    field(page, "text_area", "Output").set_value("ham").run()
    field(page, "number_input", "Temperature").set_value(0.5).run()
    field(page, "selectbox", "Answers come from").set_value("ai_generated").run()
    page.button(key=f"save_{draft.id}").click().run()
    saved = workbench.prompt_templates.get(draft.id)
    assert (saved.label_classes, saved.temperature, saved.answer_source) == (("spam", "ham"), 0.5, "ai_generated")
    assert saved.examples[0].output == "ham"


def test_the_fields_of_a_structured_answer_stand_in_a_table(workbench, open_page):
    template = workbench.prompt_templates.create(
        replace(STARTERS["Extraction"], output_schema=(OutputField("2nd", options=("a", "b")),), examples=()), by=ANN
    )
    page = open_page("prompt_templates", template=template.id)
    assert page.dataframe[0].value.to_dict("records") == [
        {"name": "2nd", "type": "string", "required": True, "options": "a, b", "description": ""}
    ]
    assert "“2nd” is no field name" in shown(page).replace("\\", "")
    assert page.button(key=f"save_{template.id}").disabled


def test_examples_are_added_and_removed(workbench, open_page, draft):
    page = open_page("prompt_templates", template=draft.id)
    next(button for button in page.button if button.label == "Add example").click().run()
    field(page, "text_area", "Example 2: input").set_value("Bad day").run()
    page.text_area[-1].set_value("negative").run()
    next(button for button in page.button if button.label == "Remove").click().run()
    page.button(key=f"save_{draft.id}").click().run()
    assert [(e.input, e.output) for e in workbench.prompt_templates.get(draft.id).examples] == [("Bad day", "negative")]


def test_the_second_of_two_editors_keeps_what_was_typed(workbench, open_page, draft):
    page = open_page("prompt_templates", template=draft.id)
    field(page, "text_input", "Name").set_value("Mine").run()
    workbench.prompt_templates.update(draft.id, replace(CLASSIFICATION, name="Ben's"), by=BEN, row_version=1)
    page.button(key=f"save_{draft.id}").click().run()
    assert "just changed by ben@example.com" in page.error[0].value
    assert field(page, "text_input", "Name").value == "Mine"
    assert workbench.prompt_templates.get(draft.id).name == "Ben's"
    page.button(key=f"load_{draft.id}").click().run()
    assert field(page, "text_input", "Name").value == "Ben's"
    assert not page.warning


def test_the_preview_shows_real_rows_or_why_not(workbench, open_page, draft, sheet):
    page = show_tab(open_page("prompt_templates", template=draft.id), "Preview")
    assert field(page, "selectbox", "text").value == "Text"
    assert "Thanks a lot {{ friend }}" in shown(page)
    field(page, "selectbox", "text").set_value("Body").run()
    assert "Thanks a lot" not in shown(page)
    field(page, "text_area", "User prompt").set_value("{{ text }}{{ colour }}").run()
    assert "“colour” has no value" in shown(page)
    field(page, "text_area", "User prompt").set_value("{{ text").run()
    assert "Unexpected end of the prompt" in page.error[0].value


def test_without_a_sheet_the_preview_leads_to_the_data(open_page, draft):
    page = show_tab(open_page("prompt_templates", template=draft.id), "Preview")
    assert "no sheet" in shown(page)
    assert "Make a sheet" in labels(page.button)


def test_a_published_version_is_read_only_and_offers_a_new_version(workbench, open_page, published):
    page = open_page("prompt_templates", template=published.id)
    assert all(element.disabled for element in [*page.text_area, *page.text_input, *page.number_input])
    assert f"save_{published.id}" not in [button.key for button in page.button]
    assert "Add example" not in labels(page.button)
    page.button(key=f"create_version_{published.id}").click().run()
    draft = workbench.prompt_templates.versions(published.lineage_id)[0]
    assert (page.query_params["template"], draft.version) == (draft.id, "1.1.0")
    field(page, "text_area", "User prompt").set_value("Mail: {{ mail }}").run()
    page.button(key=f"save_{draft.id}").click().run()
    page = show_tab(page, "Versions")
    assert "+Mail: {{ mail }}" in page.code[0].value
    page.button(key=f"prompt_templates_open_{published.id}").click().run()
    assert f"Open draft {draft.version}" in labels(page.button)


def test_archive_restore_duplicate_and_delete(workbench, open_page, draft):
    page = open_page("prompt_templates", template=draft.id)
    page.button(key=f"archive_{draft.id}").click().run()
    assert workbench.prompt_templates.get(draft.id).status is TemplateStatus.ARCHIVED
    page.button(key=f"restore_{draft.id}").click().run()
    page.button(key=f"duplicate_{draft.id}").click().run()
    assert field(page, "text_input", "Name").value == "Copy of Classify a text"
    copy_id = page.query_params["template"]
    page.button(key=f"delete_{copy_id}").click().run()
    assert list(page.dataframe[0].value["Name"]) == ["Classify a text"]


def test_a_reader_sees_templates_but_no_buttons(workbench, open_page, published):
    workbench.permissions.assign(BEN, Role.DATA_CONSUMER, by=ANN)
    page = open_page("prompt_templates", user=BEN, template=published.id)
    assert "may read templates" in shown(page)
    assert labels(page.button) == ["All templates"]


def test_a_producer_cannot_publish_and_is_told_why(workbench, open_page, draft):
    workbench.permissions.assign(BEN, Role.DATA_PRODUCER, by=ANN)
    page = open_page("prompt_templates", user=BEN, template=draft.id)
    button = page.button(key=f"publish_{draft.id}")
    assert button.disabled
    assert "may not publish" in button.help


def test_names_from_people_are_shown_as_they_are(workbench, open_page):
    name = "**bold** [x](https://example.com) :red[red] $x$ <b>"
    template = workbench.prompt_templates.create(replace(CLASSIFICATION, name=name), by=ANN)
    page = open_page("prompt_templates", template=template.id)
    shown = page.title[0].value.replace("\\", "").replace("\u2060", "")  # what keeps marks and links from working
    assert shown == name
    assert "**bold**" not in page.title[0].value
