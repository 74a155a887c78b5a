"""The page of prompt templates: the editor from the first line to a published version, and who may do what."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.pages.conftest import ANN, labels
from tests.pages.template_parts import BEN, boxes, field, key_of, mails, show, shown, type_in
from workbench_core.permissions import Role
from workbench_core.prompt_templates import STARTERS, TemplateStatus

CLASSIFICATION = STARTERS["Classification"]


@pytest.fixture
def draft(workbench):
    return workbench.prompt_templates.create(CLASSIFICATION, by=ANN)


@pytest.fixture
def published(workbench, draft):
    return workbench.prompt_templates.move(draft.id, "publish", by=ANN)


@pytest.fixture
def sheet(workbench, tmp_path):
    return mails(workbench, tmp_path)


@pytest.mark.parametrize("starter", STARTERS)
@pytest.mark.parametrize("part", ["prompt", "inputs", "answer", "examples", "settings", "test", "versions"])
def test_looking_at_a_part_changes_nothing(workbench, open_page, sheet, starter, part):
    template = workbench.prompt_templates.create(STARTERS[starter], by=ANN)
    page = show(open_page("prompt_templates", template=template.id, show=part), "prompt")
    assert page.button(key=f"save_{template.id}").disabled
    assert not page.button(key=f"publish_{template.id}").disabled
    assert "Everything is saved" in shown(page)


def test_an_unknown_template_says_so_calmly(open_page):
    page = open_page("prompt_templates", template="template-none")
    assert "does not exist" in page.warning[0].value


def test_what_is_typed_is_checked_saved_and_published(workbench, open_page, draft):
    page = open_page("prompt_templates", template=draft.id)
    type_in(page, draft, user_prompt="Mail: {{ mail }}\n{{ subject")
    assert "User prompt, line 2" in shown(page)
    assert "The placeholders show again" in shown(page)
    assert "something is to solve in: Prompt" in shown(page)
    type_in(page, draft, user_prompt="Mail: {{ mail }}\n{{ subject }}")
    assert ":blue-badge[subject]" in shown(page)
    publish = page.button(key=f"publish_{draft.id}")
    assert publish.disabled
    assert "Save your changes first" in publish.help
    page.button(key=f"save_{draft.id}").click().run()
    assert workbench.prompt_templates.get(draft.id).placeholders == ("mail", "subject")
    assert page.button(key=f"save_{draft.id}").disabled
    page.button(key=f"publish_{draft.id}").click().run()
    assert workbench.prompt_templates.get(draft.id).status is TemplateStatus.PUBLISHED
    assert "Name" not in labels(page.text_input), "it stands in the header"


def test_a_published_template_leads_to_generating_with_it(workbench, open_page, published, sheet):
    page = open_page("prompt_templates", template=published.id, sheet=sheet.id)
    page.button(key=f"generate_{published.id}").click().run()
    assert page.title[0].value == "Generate"
    assert page.query_params["template"] == published.id
    assert page.query_params["sheet"] == sheet.id


def test_a_draft_cannot_be_generated_from_by_its_page(open_page, draft):
    assert "Generate" not in labels(open_page("prompt_templates", template=draft.id).button)


def test_the_classes_of_a_published_template_can_be_read(open_page, published):
    page = open_page("prompt_templates", template=published.id, show="answer")
    assert "- positive" in shown(page)
    assert "Label classes" not in labels(page.text_area)


def test_inputs_do_not_deny_placeholders_that_cannot_be_read_now(workbench, open_page, draft):
    page = open_page("prompt_templates", template=draft.id)
    type_in(page, draft, user_prompt="Mail: {{ mail }}\n{{ subject")
    show(page, "inputs")
    assert "The placeholders show again when the prompts can be read." in shown(page)
    assert "no placeholder yet" not in shown(page)


def test_the_shortcut_in_a_prompt_field_saves_what_can_be_saved(workbench, open_page, draft):
    page = open_page("prompt_templates", template=draft.id)
    type_in(page, draft, user_prompt="Mail: {{ mail }}", user_prompt_asked_to_save=True)
    assert workbench.prompt_templates.get(draft.id).user_prompt == "Mail: {{ mail }}"
    type_in(page, draft, user_prompt_asked_to_save=True)  # nothing to save
    assert workbench.prompt_templates.get(draft.id).row_version == 2


def test_a_broken_prompt_can_be_saved_but_publishing_names_the_part(workbench, open_page, draft):
    page = open_page("prompt_templates", template=draft.id)
    type_in(page, draft, user_prompt="No value")
    page.button(key=f"save_{draft.id}").click().run()
    assert workbench.prompt_templates.get(draft.id).user_prompt == "No value"
    publish = page.button(key=f"publish_{draft.id}")
    assert publish.disabled
    assert "Prompt" in publish.help
    assert "no placeholder" in shown(page)


def test_what_is_typed_stays_in_other_parts_and_on_other_pages(open_page, draft):
    page = open_page("prompt_templates", template=draft.id)
    type_in(page, draft, user_prompt="Mail: {{ mail }}")
    field(page, "text_input", "Name").set_value("Mine").run()
    show(page, "settings")
    field(page, "slider", "Temperature").set_value(0.5).run()
    show(page, "versions")
    page.switch_page("data.py").run()
    page.switch_page("prompt_templates.py")
    page.query_params["template"] = draft.id
    assert field(show(page, "prompt"), "text_input", "Name").value == "Mine"
    assert page.session_state[key_of(page, draft, "user_prompt")] == "Mail: {{ mail }}"
    assert field(show(page, "settings"), "slider", "Temperature").value == 0.5
    assert "Changes are not saved yet" in shown(page)


def test_publishing_archiving_and_restoring_do_not_count_as_a_change_by_others(workbench, open_page, draft):
    page = open_page("prompt_templates", template=draft.id)
    for action in ("publish", "archive", "restore"):
        page = page.button(key=f"{action}_{draft.id}").click().run()
        assert "after you opened it" not in boxes(page)
    workbench.prompt_templates.move(draft.id, "archive", by=BEN)  # from the list, or by somebody else
    assert "after you opened it" not in boxes(page.run())
    assert "Archived" in shown(page)


def test_unsaved_changes_must_be_saved_before_a_draft_is_archived(workbench, open_page, draft):
    page = open_page("prompt_templates", template=draft.id)
    page = field(page, "text_input", "Name").set_value("Mine").run()
    button = page.button(key=f"archive_{draft.id}")
    assert (button.disabled, button.help) == (True, "Save your changes first.")
    page = page.button(key=f"save_{draft.id}").click().run()
    page = page.button(key=f"archive_{draft.id}").click().run()
    assert workbench.prompt_templates.get(draft.id).status is TemplateStatus.ARCHIVED


def test_the_second_of_two_editors_keeps_what_was_typed(workbench, open_page, draft):
    page = open_page("prompt_templates", template=draft.id)
    field(page, "text_input", "Name").set_value("Mine").run()
    workbench.prompt_templates.update(draft.id, replace(CLASSIFICATION, name="Ben's"), by=BEN, row_version=1)
    page.button(key=f"save_{draft.id}").click().run()
    assert "ben@example.com changed this draft after you opened it. Nothing was saved." in boxes(page)
    assert not page.error, "said once"
    assert field(page, "text_input", "Name").value == "Mine"
    assert workbench.prompt_templates.get(draft.id).name == "Ben's"
    page.button(key=f"load_{draft.id}").click().run()
    assert field(page, "text_input", "Name").value == "Ben's"
    assert not page.warning


# --- the preview ---------------------------------------------------------------------------------------------------


def test_the_preview_follows_the_prompt_row_by_row(open_page, draft, sheet):
    page = open_page("prompt_templates", template=draft.id)
    assert field(page, "selectbox", "text").value == "Text"  # the same name but for case
    assert "Thanks a lot {{ friend }}" in shown(page)  # braces in a row are data
    assert "row 1 of 2" in shown(page)
    page.button(key=f"prompt_templates_{draft.lineage_id}_{sheet.id}_row_after").click().run()
    assert "row 2 of 2" in shown(page)
    type_in(page, draft, user_prompt="Subject: {{ mail_subject }}, {{ colour }}")
    assert "“colour” has no value" in shown(page)
    assert ":orange-badge[:material/link_off: colour · no column]" in shown(page)
    type_in(page, draft, user_prompt="{{ text")
    assert "The preview shows again" in shown(page)
    assert not boxes(page)


def test_a_similar_column_is_offered_and_taken_with_one_click(open_page, draft, sheet):
    page = open_page("prompt_templates", template=draft.id)
    type_in(page, draft, user_prompt="{{ subject }}")
    assert field(page, "selectbox", "subject").value is None
    assert "Without a column: subject" in shown(page)
    offer = next(button for button in page.button if "mail" in button.label and button.label.startswith("Use"))
    assert "%" in offer.label
    offer.click().run()
    assert field(page, "selectbox", "subject").value == "mail_subject"
    assert "One" in shown(page)


def test_auto_match_takes_every_similar_column(open_page, draft, sheet):
    page = open_page("prompt_templates", template=draft.id)
    type_in(page, draft, user_prompt="{{ subject }} {{ mail_text }}")
    page.button(key=f"prompt_templates_{draft.lineage_id}_{sheet.id}_match").click().run()
    assert field(page, "selectbox", "subject").value == "mail_subject"


def test_the_tokens_of_the_shown_prompt_are_estimated(open_page, draft, sheet):
    page = open_page("prompt_templates", template=draft.id)
    assert "tokens (" in shown(page)
    assert "estimated for" in shown(page)


def test_without_a_sheet_the_preview_leads_to_the_data(open_page, draft):
    page = open_page("prompt_templates", template=draft.id)
    assert "no sheet" in shown(page)
    assert "Make a sheet" in labels(page.button)


# --- versions and rights ---------------------------------------------------------------------------------------------


def test_a_published_version_is_read_only_and_offers_a_new_version(workbench, open_page, published):
    page = open_page("prompt_templates", template=published.id)
    for part in ("prompt", "inputs", "answer", "examples", "settings"):
        show(page, part)
        fields = [*page.text_area, *page.text_input, *page.number_input, *page.slider, *page.multiselect]
        assert all(element.disabled for element in fields), part
    assert f"save_{published.id}" not in [button.key for button in page.button]
    page.button(key=f"create_version_{published.id}").click().run()
    draft = workbench.prompt_templates.versions(published.lineage_id)[0]
    assert (page.query_params["template"], draft.version) == (draft.id, "1.1.0")


def test_a_single_line_that_a_comparison_leaves_out_is_counted_as_one(workbench, open_page, published):
    newer = workbench.prompt_templates.create_version(published.id, by=ANN)
    changed = replace(newer.draft, user_prompt=newer.user_prompt.replace("Classes:", "Choose from"))
    workbench.prompt_templates.update(newer.id, changed, by=ANN, row_version=newer.row_version)
    page = open_page("prompt_templates", template=newer.id, show="versions")
    [compared] = [each.proto.body for each in page.get("html") if "text-difference" in each.proto.body]
    assert "1 unchanged line<" in compared


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


def test_what_stands_on_a_version_keeps_it_from_being_deleted(workbench, open_page, published):
    workbench.prompt_templates.create_version(published.id, by=ANN)
    workbench.prompt_templates.move(published.id, "archive", by=ANN)
    page = open_page("prompt_templates", template=published.id)
    assert page.button(key=f"delete_{published.id}").disabled
    assert "In use: 1 later version" in shown(page)


def test_a_reader_sees_templates_but_no_buttons(workbench, open_page, published, sheet):
    workbench.permissions.assign(BEN, Role.DATA_CONSUMER, by=ANN)
    page = open_page("prompt_templates", user=BEN, template=published.id)
    assert "may not edit templates" in shown(page)
    assert not {"Save", "Publish", "Archive", "New version", "Duplicate"} & set(labels(page.button))
    assert (
        open_page("prompt_templates", user=BEN, template=published.id, show="test")
        .button(key=f"prompt_templates_{published.id}_trial_run")
        .disabled
    )


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
    assert page.title[0].value.replace("\\", "").replace("\u2060", "") == name
    assert "**bold**" not in page.title[0].value
