"""The list of prompt templates: filters in the address, new templates by three ways, actions on ticked ones, files."""

from __future__ import annotations

import io
import zipfile
from dataclasses import replace

import pytest

from tests.pages.conftest import ANN, labels
from tests.pages.template_parts import BEN, boxes, field, mails, press, shown, type_in
from workbench_core.permissions import Role
from workbench_core.prompt_templates import STARTERS, TemplateStatus, file_of

CLASSIFICATION = STARTERS["Classification"]


@pytest.fixture
def published(workbench):
    made = workbench.prompt_templates.create(CLASSIFICATION, by=ANN)
    return workbench.prompt_templates.move(made.id, "publish", by=ANN)


@pytest.fixture
def colours(workbench):
    return workbench.prompt_templates.create(
        replace(CLASSIFICATION, name="Colours", label_type="colour", tags=("paint", "old")), by=ANN
    )


def names(page) -> list[str]:
    return list(page.dataframe[0].value["Name"])


def tick(page, *rows: int):
    """Tick rows of the list, as a click on their boxes does."""
    key = page.dataframe[0].proto.id.split("-")[-1]
    page.session_state[key] = {"selection": {"rows": list(rows), "columns": [], "cells": []}}
    return page.run()


def upload(page, text: str, name: str = "template.jinja"):
    page.file_uploader[0].set_value([(name, text.encode(), "text/plain")])
    return page.run()


def test_an_empty_list_offers_three_starters(workbench, open_page):
    page = open_page("prompt_templates")
    assert "No prompt templates yet" in shown(page)
    page.button(key="prompt_templates_first_Extraction").click().run()
    created = workbench.prompt_templates.find()[0]
    assert created.draft == STARTERS["Extraction"]
    assert page.query_params["template"] == created.id
    assert field(page, "text_input", "Name").value == "Extract fields from a text"


def test_a_template_can_be_written_from_scratch(workbench, open_page):
    page = open_page("prompt_templates")
    page.button(key="prompt_templates_first_Blank").click().run()
    [created] = workbench.prompt_templates.find()
    assert (created.user_prompt, created.system_prompt, created.label_type) == ("", "", "general")
    assert "something is to solve in: Prompt" in shown(page)
    page = type_in(page, created, user_prompt="Is {{ text }} kind?", name="Kindness")
    page = press(page, "Save")
    assert workbench.prompt_templates.get(created.id).name == "Kindness"


def test_the_list_says_what_each_template_is(open_page, colours):
    line = open_page("prompt_templates").dataframe[0].value.iloc[0]
    assert (line["Name"], line["Label type"], line["Answer"], line["Version"], line["Status"]) == (
        "Colours", "colour", "One of some classes", "1.0.0", "Draft",
    )  # fmt: skip
    assert list(line["Tags"]) == ["paint", "old"]


def test_the_list_is_filtered_by_its_address(open_page, published, colours):
    assert names(open_page("prompt_templates", status="draft")) == ["Colours"]
    assert names(open_page("prompt_templates", status="published")) == ["Classify a text"]
    assert names(open_page("prompt_templates", search="colo")) == ["Colours"]
    assert names(open_page("prompt_templates", label_type="colour")) == ["Colours"]
    assert sorted(names(open_page("prompt_templates", label_type="no such type"))) == ["Classify a text", "Colours"]
    page = open_page("prompt_templates", search="nothing")
    assert not page.dataframe
    assert "No template matches" in shown(page)


def test_choosing_a_label_type_puts_it_into_the_address(open_page, published, colours):
    page = open_page("prompt_templates")
    field(page, "selectbox", "Label type").set_value("colour").run()
    assert page.query_params["label_type"] == "colour"
    assert names(page) == ["Colours"]


def test_a_long_list_has_pages(workbench, open_page):
    for number in range(23):
        workbench.prompt_templates.create(replace(CLASSIFICATION, name=f"Template {number:02d}"), by=ANN)
    assert names(open_page("prompt_templates", page="2")) == ["Template 02", "Template 01", "Template 00"]


def test_a_name_that_looks_like_an_icon_stays_a_name(workbench, open_page):
    workbench.prompt_templates.create(replace(CLASSIFICATION, name=":material/home: <b>"), by=ANN)
    assert names(open_page("prompt_templates")) == ["\u2060:material/home: <b>"]


# --- ticked templates ------------------------------------------------------------------------------------------------


def test_ticked_templates_get_the_actions_of_their_states(workbench, open_page, published, colours):
    page = tick(open_page("prompt_templates"), 0, 1)
    assert "2 templates" in shown(page)
    assert {"Publish 1", "New version 1", "Duplicate", "Archive", "Delete 1"} <= {*labels(page.button), "Delete 1"}
    press(page, "Archive")
    states = {one.name: one.status for one in workbench.prompt_templates.find()}
    assert set(states.values()) == {TemplateStatus.ARCHIVED}


def test_a_refused_step_does_not_keep_the_others(workbench, open_page, colours):
    workbench.prompt_templates.create(replace(CLASSIFICATION, name="Broken", user_prompt="{{ text"), by=ANN)
    page = press(tick(open_page("prompt_templates"), 0, 1), "Publish")
    assert "“Broken” cannot be published" in boxes(page)
    states = {one.name: one.status for one in workbench.prompt_templates.find()}
    assert states == {"Broken": TemplateStatus.DRAFT, "Colours": TemplateStatus.PUBLISHED}


def test_ticked_drafts_are_deleted_after_a_question(workbench, open_page, colours):
    page = tick(open_page("prompt_templates"), 0)
    assert "Delete 1 template for good?" in shown(page)
    page.button(key="prompt_templates_bulk_delete_do").click().run()
    assert not workbench.prompt_templates.count()


def test_a_reader_may_export_but_change_nothing(workbench, open_page, colours):
    workbench.permissions.assign(BEN, Role.DATA_CONSUMER, by=ANN)
    page = tick(open_page("prompt_templates", user=BEN), 0)
    off = {button.label: button.disabled for button in page.button}
    assert off["Publish"]
    assert off["Archive"]
    assert "Export" in [button.proto.label for button in page.get("download_button")]


# --- new ones --------------------------------------------------------------------------------------------------------


def test_a_sheet_suggests_a_template(workbench, open_page, tmp_path):
    """TP-11."""
    sheet = mails(workbench, tmp_path)
    page = open_page("prompt_templates")
    field(page, "selectbox", "Sheet").set_value(sheet.id).run()
    press(page, "Make a draft")
    made = workbench.prompt_templates.find()[0]
    assert made.status is TemplateStatus.DRAFT
    assert page.query_params["template"] == made.id
    assert "mail_subject" in made.placeholders


def test_a_file_becomes_a_new_template(workbench, open_page):
    page = upload(open_page("prompt_templates"), file_of(CLASSIFICATION, "1.0.0"))
    assert "Classify a text" in shown(page)
    press(page, "Import")
    made = workbench.prompt_templates.find()[0]
    assert made.draft == CLASSIFICATION
    assert page.query_params["template"] == made.id


def test_a_file_of_a_known_name_becomes_its_next_version_unless_said_otherwise(workbench, open_page, published):
    changed = replace(CLASSIFICATION, user_prompt="Mail: {{ mail }}")
    page = upload(open_page("prompt_templates"), file_of(changed, "7.0.0"))
    options = page.radio[0].options
    assert options[0] == "Next version of “Classify a text” after 1.0.0"
    press(page, "Import")
    assert [one.version for one in workbench.prompt_templates.versions(published.lineage_id)] == ["1.1.0", "1.0.0"]
    page = upload(open_page("prompt_templates"), file_of(changed, "7.0.0"))
    page.radio[0].set_value("").run()
    press(page, "Import")
    assert workbench.prompt_templates.count() == 3


def test_a_file_that_says_nothing_new_or_cannot_be_read_says_so_in_a_sentence(workbench, open_page, published):
    page = upload(open_page("prompt_templates"), file_of(CLASSIFICATION, "1.0.0"))
    press(page, "Import")
    assert "says the same already" in boxes(page)
    page = upload(open_page("prompt_templates"), "no front matter at all")
    assert page.error
    assert "Import" not in labels(page.button)
    page = open_page("prompt_templates")
    page.file_uploader[0].set_value([("template.jinja", b"\xff\xfe\x00", "text/plain")]).run()
    assert "no text in UTF-8" in boxes(page)
    assert workbench.prompt_templates.count() == 1


def test_several_files_are_imported_at_once_and_a_bad_one_does_not_keep_the_others(workbench, open_page, published):
    files = {
        "a.jinja": file_of(replace(CLASSIFICATION, user_prompt="{{ mail }}"), "1.1.0"),
        "b.md": "no template",
        "c.jinja": file_of(replace(CLASSIFICATION, name="Colours"), "1.0.0"),
    }
    page = open_page("prompt_templates")
    page.file_uploader[0].set_value([(name, text.encode(), "text/plain") for name, text in files.items()]).run()
    press(page, "Import 3 files")
    assert "2 drafts made of 3 files" in shown(page)
    assert len(page.error) == 1
    assert [one.version for one in workbench.prompt_templates.versions(published.lineage_id)] == ["1.1.0", "1.0.0"]
    assert workbench.prompt_templates.count(search="Colours") == 1


def test_what_is_exported_can_be_imported(workbench, published, colours):
    archive = workbench.prompt_templates.export_files([published.id, colours.id])
    with zipfile.ZipFile(io.BytesIO(archive)) as files:
        assert len(files.namelist()) == 2
