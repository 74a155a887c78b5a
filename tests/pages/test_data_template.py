"""The template of a sheet: attach it with its columns, see a newer version, detach it (SH-8, SH-9, TP-11)."""

from __future__ import annotations

from dataclasses import replace

import pandas as pd
import pytest

from tests.pages.conftest import ANN
from tests.pages.data_parts import BEN, PREFIX, captions, fields, flights, spoken
from workbench_core.permissions import Role
from workbench_core.prompt_templates import AnswerSource, InputField, TemplateDraft
from workbench_core.sheets import SheetDraft

COLUMNS = ("tailnum", "origin", "delay", "departed")
ASKS = TemplateDraft(
    "Delay reason", "delay_reason", "Why was {{ tailnum }} late in {{ airport }}?{{ note }}",
    inputs=(InputField("note", required=False),),
)  # fmt: skip


@pytest.fixture
def sheet(workbench, tmp_path):
    """A published sheet of flights."""
    flights(workbench, tmp_path)
    made = workbench.sheets.create(
        SheetDraft("Flights", f"{PREFIX}flights", "flight_id", metadata_columns=COLUMNS), by=ANN
    )
    return workbench.sheets.move(made.id, "publish", by=ANN)


@pytest.fixture
def template(workbench):
    """A published template of which one placeholder has the name of a column."""
    made = workbench.prompt_templates.create(ASKS, by=ANN)
    return workbench.prompt_templates.move(made.id, "publish", by=ANN)


@pytest.fixture
def attached(workbench, sheet, template):
    """The template is attached."""
    mapping = {"tailnum": "tailnum", "airport": "origin"}
    return workbench.template_attachments.attach(sheet.id, template.id, mapping, by=ANN)


def open_template(open_page, sheet, **more):
    return open_page("data", sheet=sheet.id, show="template", **more)


def of(workbench, sheet):
    return workbench.template_attachments.of(sheet.id)


def choose_template(page, title="Delay reason v1.0.0 · delay_reason"):
    return fields(page)["Template"].select(title).run()


# --- attach ----------------------------------------------------------------------------------------------------------


def test_a_template_is_attached_with_its_columns_and_answers(open_page, workbench, sheet, template):
    page = choose_template(open_template(open_page, sheet))
    assert fields(page)["tailnum"].value == "tailnum"
    assert fields(page)["airport"].value is None
    assert page.button(key="data_attach").disabled
    page = fields(page)["airport"].select("origin").run()
    page = fields(page)["Answers for items without a canonical label"].select("A language model proposes it").run()
    page = page.button(key="data_attach").click().run()
    assert not page.exception
    found = of(workbench, sheet)
    assert (found.template.name, found.mapping) == ("Delay reason", {"tailnum": "tailnum", "airport": "origin"})
    assert found.answer_source is AnswerSource.AI_GENERATED
    assert "Delay reason" in captions(page)
    assert "airport ← origin · note: left empty" in captions(page)
    assert f"by {ANN}" in captions(page)


def test_unmapped_placeholders_block_and_are_named(open_page, workbench, sheet, template):
    page = choose_template(open_template(open_page, sheet))
    button = page.button(key="data_attach")
    assert button.disabled
    assert "Choose a column for airport." in spoken(button.help)
    assert of(workbench, sheet) is None


def test_answers_from_a_column_need_the_column(open_page, workbench, sheet, template):
    page = choose_template(open_template(open_page, sheet))
    page = fields(page)["airport"].select("origin").run()
    page = fields(page)["Answers for items without a canonical label"].select("A column of the sheet").run()
    page = fields(page)["Column that holds the answers"].select("delay").run()
    page = page.button(key="data_attach").click().run()
    assert (of(workbench, sheet).answer_source, of(workbench, sheet).answer_column) == (
        AnswerSource.EXISTING_COLUMN,
        "delay",
    )
    assert "A column of the sheet (delay)" in captions(page)


def test_drafts_and_archived_templates_are_not_offered(open_page, workbench, sheet, template):
    workbench.prompt_templates.create(TemplateDraft("A draft", "x", "{{ origin }}"), by=ANN)
    page = open_template(open_page, sheet)
    assert fields(page)["Template"].options == ["Delay reason v1.0.0 · delay_reason"]


def test_without_a_published_template_the_way_is_a_new_one_from_the_sheet(open_page, workbench, sheet):
    page = open_template(open_page, sheet)
    assert "No template is published yet" in captions(page)
    page = page.button(key="data_template_new").click().run()
    assert not page.exception
    [made] = workbench.prompt_templates.find()
    assert set(made.placeholders) <= set(COLUMNS)
    assert page.query_params["template"] in (made.id, [made.id])


# --- what is attached ------------------------------------------------------------------------------------------------


def test_generate_leads_to_the_sheet_and_the_template(open_page, sheet, template, attached):
    page = open_template(open_page, sheet)
    page = page.button(key="data_template_generate").click().run()
    assert not page.exception
    found = {name: value if isinstance(value, str) else value[0] for name, value in page.query_params.items()}
    assert (found["sheet"], found["template"]) == (sheet.id, template.id)


def test_a_draft_sheet_must_be_published_before_generating(open_page, workbench, sheet, attached):
    workbench.sheets.move(sheet.id, "unpublish", by=ANN)
    button = open_template(open_page, sheet).button(key="data_template_generate")
    assert button.disabled
    assert "Publish the sheet first." in button.help


def test_detaching_asks_first_and_keeps_the_template(open_page, workbench, sheet, template, attached):
    page = open_template(open_page, sheet)
    assert "Take Delay reason v1.0.0 off this sheet?" in captions(page)
    page = page.button(key="data_detach_now").click().run()
    assert not page.exception
    assert of(workbench, sheet) is None
    assert workbench.prompt_templates.get(template.id)
    assert "Attach a template" in captions(page)
    assert "data_detach_now" not in [button.key for button in page.button]


def test_a_newer_version_is_told_and_taken_with_one_click(open_page, workbench, sheet, template, attached):
    newer = workbench.prompt_templates.create_version(template.id, by=ANN)
    workbench.prompt_templates.move(newer.id, "publish", by=ANN)
    page = open_template(open_page, sheet)
    assert f"A newer version exists: {newer.version}" in captions(page)
    page = page.button(key="data_template_update").click().run()
    assert not page.exception
    found = of(workbench, sheet)
    assert (found.template.version, found.mapping, found.newer_version) == (newer.version, attached.mapping, "")
    assert "A newer version exists" not in captions(page)


def test_a_newer_version_with_another_placeholder_asks_for_its_column(open_page, workbench, sheet, template, attached):
    templates = workbench.prompt_templates
    newer = templates.create_version(template.id, by=ANN)
    draft = replace(newer.draft, user_prompt=f"{newer.user_prompt} {{{{ weather }}}}")
    newer = templates.update(newer.id, draft, by=ANN, row_version=newer.row_version)
    templates.move(newer.id, "publish", by=ANN)
    page = open_template(open_page, sheet)
    page = page.button(key="data_template_update").click().run()
    assert of(workbench, sheet).template.version == template.version
    assert fields(page)["airport"].value == "origin"
    page = fields(page)["weather"].select("departed").run()
    page = page.button(key="data_attach").click().run()
    assert of(workbench, sheet).mapping == {"tailnum": "tailnum", "airport": "origin", "weather": "departed"}


def test_changing_starts_from_what_is_attached_and_can_be_left(open_page, workbench, sheet, template, attached):
    page = open_template(open_page, sheet).button(key="data_template_change").click().run()
    assert fields(page)["airport"].value == "origin"
    page = page.button(key="data_attach_back").click().run()
    assert "data_template_change" in [button.key for button in page.button]
    assert of(workbench, sheet) == attached


def test_changing_begins_with_what_is_attached_also_after_it_was_left_with_another_column(
    open_page, workbench, sheet, template, attached
):
    page = open_template(open_page, sheet).button(key="data_template_change").click().run()
    page = fields(page)["airport"].select("departed").run()
    page = page.button(key="data_attach_back").click().run()
    page = page.button(key="data_template_change").click().run()
    assert fields(page)["airport"].value == "origin"


def test_a_role_that_may_not_edit_sheets_sees_the_reason(open_page, workbench, sheet, template, attached):
    workbench.permissions.assign(BEN, Role.LABELER, by=ANN)
    page = open_template(open_page, sheet, user=BEN)
    button = page.button(key="data_template_change")
    assert button.disabled
    assert "may not edit sheets" in spoken(button.help)
    assert "Delay reason" in captions(page)


# --- what changed since ----------------------------------------------------------------------------------------------


def without(workbench, folder, column):
    """The table of flights again, without one of its columns."""
    file = folder / "fewer.parquet"
    rows = pd.DataFrame(
        {"flight_id": ["f00"], "tailnum": ["N0"], "origin": ["JFK"], "delay": [3], "departed": ["05:00"]}
    )
    rows.drop(columns=column).to_parquet(file, index=False)
    workbench.lake.drop(f"{PREFIX}flights")
    workbench.lake.put_table(f"{PREFIX}flights", file, original_name=file.name)


def test_a_template_that_was_archived_since_says_so_and_another_can_be_attached(
    open_page, workbench, sheet, template, attached
):
    other = workbench.prompt_templates.create(replace(ASKS, name="Other reason"), by=ANN)
    workbench.prompt_templates.move(other.id, "publish", by=ANN)
    workbench.prompt_templates.move(template.id, "archive", by=ANN)
    page = open_template(open_page, sheet)
    assert "This template was archived since it was attached" in captions(page)
    button = page.button(key="data_template_generate")
    assert (button.disabled, "Attach another template" in button.help) == (True, True)
    page = page.button(key="data_template_other").click().run()
    assert fields(page)["Template"].options == ["Other reason v1.0.0 · delay_reason"]
    page = choose_template(page, "Other reason v1.0.0 · delay_reason")
    assert fields(page)["airport"].value == "origin"  # the columns that were chosen before are kept
    page = page.button(key="data_attach").click().run()
    assert of(workbench, sheet).template.name == "Other reason"
    assert "was archived" not in captions(page)


def test_an_archived_template_with_a_newer_version_is_left_for_that(open_page, workbench, sheet, template, attached):
    newer = workbench.prompt_templates.create_version(template.id, by=ANN)
    workbench.prompt_templates.move(newer.id, "publish", by=ANN)
    workbench.prompt_templates.move(template.id, "archive", by=ANN)
    page = open_template(open_page, sheet)
    assert "This version was archived since it was attached" in captions(page)
    assert "data_template_other" not in [button.key for button in page.button]
    page = page.button(key="data_template_update").click().run()
    assert of(workbench, sheet).template.version == newer.version


def test_an_archived_template_without_another_leads_to_a_new_one(open_page, workbench, sheet, template, attached):
    workbench.prompt_templates.move(template.id, "archive", by=ANN)
    page = open_template(open_page, sheet).button(key="data_template_other").click().run()
    assert "No template is published" in captions(page)
    page = page.button(key="data_attach_back").click().run()
    assert "Delay reason v1.0.0" in captions(page)


def test_a_mapped_column_that_is_gone_is_named_and_mapped_again(
    open_page, workbench, tmp_path, sheet, template, attached
):
    without(workbench, tmp_path, "origin")
    page = open_template(open_page, sheet)
    assert "The sheet has no column origin any more: choose another one for airport." in captions(page)
    button = page.button(key="data_template_generate")
    assert (button.disabled, "Map the columns again" in button.help) == (True, True)
    page = page.button(key="data_template_map").click().run()
    assert fields(page)["tailnum"].value == "tailnum"
    assert fields(page)["airport"].value is None
    assert "origin" not in fields(page)["airport"].options
    page = fields(page)["airport"].select("departed").run()
    page = page.button(key="data_attach").click().run()
    assert of(workbench, sheet).mapping == {"tailnum": "tailnum", "airport": "departed"}
    assert "any more" not in captions(page)


def test_an_answer_column_that_is_gone_is_named(open_page, workbench, tmp_path, sheet, template):
    workbench.template_attachments.attach(
        sheet.id, template.id, {"tailnum": "tailnum", "airport": "origin"}, by=ANN,
        answer_source=AnswerSource.EXISTING_COLUMN, answer_column="delay",
    )  # fmt: skip
    without(workbench, tmp_path, "delay")
    page = open_template(open_page, sheet)
    assert "The sheet has no column delay any more: choose another one for the answers." in captions(page)
    page = page.button(key="data_template_map").click().run()
    assert not page.exception
    assert page.button(key="data_attach").disabled
    assert fields(page)["Column that holds the answers"].value is None


def test_an_attached_template_is_shown_when_the_table_of_the_sheet_is_gone(
    open_page, workbench, sheet, template, attached
):
    workbench.lake.drop(f"{PREFIX}flights")
    page = open_template(open_page, sheet)
    assert "Delay reason v1.0.0" in captions(page)
    assert page.button(key="data_template_generate").disabled
    page = page.button(key="data_template_change").click().run()
    assert not page.exception
