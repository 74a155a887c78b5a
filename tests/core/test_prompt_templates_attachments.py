"""The template that a sheet is worked with: attached with its columns, frozen as it was, detached (SH-8, SH-9)."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.core.generation_parts import ANN, BEN, Parts
from workbench_core.errors import Conflict, Invalid, NotFound, NotPermitted
from workbench_core.permissions import Role
from workbench_core.prompt_templates import AnswerSource, InputField, TemplateStatus

EDITORS = {Role.ADMIN, Role.DATA_STEWARD, Role.DATA_PRODUCER}


@pytest.fixture
def parts(tmp_path):
    return Parts(tmp_path)


@pytest.fixture
def sheet_id(parts):
    return parts.make_sheet(6)


def attach(parts, sheet_id, template_id, mapping=None, **more):
    return parts.template_attachments.attach(
        sheet_id, template_id, {"subject": "subject"} if mapping is None else mapping, by=ANN, **more
    )


def test_sh_8_an_attached_template_is_kept_as_it_was(parts, sheet_id):
    template_id = parts.make_template(tags=("mail",))
    attached = attach(parts, sheet_id, template_id)
    template = parts.templates.get(template_id)
    assert attached == parts.template_attachments.of(sheet_id)
    assert (attached.sheet_id, attached.prompt_template_id) == (sheet_id, template_id)
    assert (attached.template.version, attached.template.tags) == ("1.0.0", ("mail",))
    assert attached.template.user_prompt == template.user_prompt
    assert (attached.mapping, attached.answer_source) == ({"subject": "subject"}, AnswerSource.MANUAL)
    assert (attached.answer_column, attached.attached_by, attached.newer_version) == ("", ANN, "")
    event = parts.history.of("sheet", sheet_id)[0]
    assert (event.action, event.by, event.details["template"]) == ("attach template", ANN, "Mail class")


def test_sh_8_without_a_mapping_names_must_equal_columns(parts, sheet_id):
    attached = parts.template_attachments.attach(sheet_id, parts.make_template(), by=ANN)
    assert attached.mapping == {"subject": "subject"}
    other = parts.make_template(user_prompt="{{ Subject }}")
    with pytest.raises(Invalid, match="No column is chosen for Subject"):
        parts.template_attachments.attach(sheet_id, other, by=ANN)


def test_sh_8_all_that_is_unmapped_or_unknown_is_listed(parts, sheet_id):
    template_id = parts.make_template(user_prompt="{{ subject }} {{ body }} {{ sender }}")
    with pytest.raises(Invalid) as refusal:
        attach(parts, sheet_id, template_id, {"subject": "topic", "body": "text"})
    assert "No column is chosen for sender." in refusal.value.message
    assert "“Mails” has no column text, topic." in refusal.value.message
    assert parts.template_attachments.of(sheet_id) is None


def test_sh_8_an_optional_input_needs_no_column_and_what_is_no_placeholder_is_dropped(parts, sheet_id):
    template_id = parts.make_template(
        user_prompt="{{ subject }} {{ body }}", inputs=(InputField("body", required=False),)
    )
    attached = attach(parts, sheet_id, template_id, {"subject": "subject", "body": "", "old": "gone"})
    assert attached.mapping == {"subject": "subject"}


def test_sh_8_a_column_without_a_role_can_be_mapped_as_generation_can_use_it(parts):
    source = parts.put_mails(range(3))
    from workbench_core.sheets import SheetDraft

    sheet = parts.sheets.create(SheetDraft("Bare", source, "mail_id"), by=ANN)
    assert attach(parts, sheet.id, parts.make_template()).mapping == {"subject": "subject"}


@pytest.mark.parametrize("source", AnswerSource)
def test_sh_8_an_answer_column_is_asked_for_exactly_when_answers_come_from_one(parts, sheet_id, source):
    template_id = parts.make_template()
    if source in {AnswerSource.EXISTING_COLUMN, AnswerSource.HYBRID}:
        with pytest.raises(Invalid, match="column that holds the answers is not chosen"):
            attach(parts, sheet_id, template_id, answer_source=source)
        with pytest.raises(Invalid, match="no column “truth”"):
            attach(parts, sheet_id, template_id, answer_source=source, answer_column="truth")
        attached = attach(parts, sheet_id, template_id, answer_source=source, answer_column="verdict")
        assert attached.answer_column == "verdict"
    else:
        attached = attach(parts, sheet_id, template_id, answer_source=source, answer_column="verdict")
        assert attached.answer_column == ""
    assert attached.answer_source is source


def test_sh_8_the_source_and_target_of_the_template_are_taken_when_nothing_else_is_said(parts, sheet_id):
    template_id = parts.make_template(answer_source=AnswerSource.EXISTING_COLUMN, target_column="Verdict")
    attached = attach(parts, sheet_id, template_id)
    assert (attached.answer_source, attached.answer_column) == (AnswerSource.EXISTING_COLUMN, "verdict")


@pytest.mark.parametrize("status", TemplateStatus)
def test_sh_8_only_a_published_template_can_be_attached(parts, sheet_id, status):
    template = parts.templates.get(parts.make_template())
    if status is TemplateStatus.DRAFT:
        template = parts.templates.create_version(template.id, by=ANN)
    if status is TemplateStatus.ARCHIVED:
        template = parts.templates.move(template.id, "archive", by=ANN)
    if status is TemplateStatus.PUBLISHED:
        assert attach(parts, sheet_id, template.id).prompt_template_id == template.id
    else:
        with pytest.raises(Conflict, match=f"is {status}"):
            attach(parts, sheet_id, template.id)
        assert parts.template_attachments.of(sheet_id) is None


def test_sh_8_an_archived_or_deleted_sheet_takes_no_template(parts, sheet_id):
    template_id = parts.make_template()
    parts.sheets.move(sheet_id, "archive", by=ANN)
    with pytest.raises(Conflict, match="archived"):
        attach(parts, sheet_id, template_id)
    parts.sheets.move(sheet_id, "delete", by=ANN)
    with pytest.raises(NotFound):
        attach(parts, sheet_id, template_id)
    with pytest.raises(NotFound):
        attach(parts, "sheet-none", template_id)


def test_sh_8_another_template_takes_the_place_of_the_first(parts, sheet_id):
    attach(parts, sheet_id, parts.make_template())
    second = attach(parts, sheet_id, parts.make_template(name="Second", user_prompt="{{ t }}"), {"t": "verdict"})
    assert parts.template_attachments.of(sheet_id) == second
    assert (second.template.name, second.mapping) == ("Second", {"t": "verdict"})


def test_a_newer_published_version_is_told_and_the_attached_one_stays(parts, sheet_id):
    first = parts.templates.get(parts.make_template())
    attach(parts, sheet_id, first.id)
    last = first
    for number in range(11):
        last = parts.templates.create_version(last.id, by=ANN)
        assert parts.template_attachments.of(sheet_id).newer_version == (f"1.{number}.0" if number else "")
        parts.templates.move(last.id, "publish", by=ANN)
    attached = parts.template_attachments.of(sheet_id)
    assert (attached.newer_version, attached.template.version) == ("1.11.0", "1.0.0")
    parts.templates.move(last.id, "archive", by=ANN)
    assert parts.template_attachments.of(sheet_id).newer_version == "1.10.0"
    assert attach(parts, sheet_id, attached.prompt_template_id).newer_version == "1.10.0"


def test_what_several_sheets_have_is_read_at_once(parts, sheet_id):
    other = parts.sheets.create(replace(parts.sheets.get(sheet_id).draft, name="Other"), by=ANN)
    bare = parts.sheets.create(replace(parts.sheets.get(sheet_id).draft, name="Bare"), by=ANN)
    attach(parts, sheet_id, parts.make_template())
    attach(parts, other.id, parts.make_template(name="Second"))
    many = [sheet_id, other.id, bare.id, *(f"sheet-{number}" for number in range(1_200))]
    found = parts.template_attachments.all_of(many)
    assert {sheet: attached.template.name for sheet, attached in found.items()} == {
        sheet_id: "Mail class",
        other.id: "Second",
    }
    assert parts.template_attachments.all_of([]) == {}


def test_sh_9_a_template_is_detached_and_training_sheets_made_with_it_stay(parts, sheet_id):
    attach(parts, sheet_id, parts.make_template())
    parts.template_attachments.detach(sheet_id, by=ANN)
    assert parts.template_attachments.of(sheet_id) is None
    assert [event.action for event in parts.history.of("sheet", sheet_id)][:2] == ["detach template", "attach template"]
    with pytest.raises(NotFound, match="has no template"):
        parts.template_attachments.detach(sheet_id, by=ANN)


@pytest.mark.parametrize("role", Role)
def test_only_who_edits_sheets_attaches_and_detaches(parts, sheet_id, role):
    template_id = parts.make_template()
    attach(parts, sheet_id, template_id)
    parts.permissions.assign(BEN, role, by=ANN)
    deeds = [
        lambda: parts.template_attachments.attach(sheet_id, template_id, by=BEN),
        lambda: parts.template_attachments.detach(sheet_id, by=BEN),
    ]
    for deed in deeds:
        if role in EDITORS:
            deed()
        else:
            with pytest.raises(NotPermitted):
                deed()
    assert (parts.template_attachments.of(sheet_id) is None) == (role in EDITORS)


# --- what an attached template keeps from happening ----------------------------------------------------------------


def test_tp_8_a_template_that_is_attached_cannot_be_deleted_and_the_sheet_is_named(parts, sheet_id):
    template_id = parts.make_template()
    attach(parts, sheet_id, template_id)
    parts.templates.move(template_id, "archive", by=ANN)
    with pytest.raises(Conflict, match=r"1 sheet that it is attached to \(Mails\)"):
        parts.templates.delete(template_id, by=ANN)
    assert parts.template_attachments.of(sheet_id).template.name == "Mail class"
    parts.template_attachments.detach(sheet_id, by=ANN)
    parts.templates.delete(template_id, by=ANN)


def test_tp_8_many_dependants_are_counted_and_a_few_named(parts, sheet_id):
    template_id = parts.make_template()
    draft = parts.sheets.get(sheet_id).draft
    for number in range(5):
        attach(parts, parts.sheets.create(replace(draft, name=f"Sheet {number}"), by=ANN).id, template_id)
    parts.templates.create_version(template_id, by=ANN)
    assert parts.templates.dependants(template_id) == (
        "5 sheets that it is attached to (Sheet 0, Sheet 1, Sheet 2, …), 1 later version (1.1.0)"
    )
    assert parts.templates.dependants("template-none") == ""


def test_an_attached_template_is_no_dependant_of_its_sheet(parts, sheet_id):
    attach(parts, sheet_id, parts.make_template())
    assert parts.sheets.dependants(sheet_id).total == 0
    parts.sheets.move(sheet_id, "delete", by=ANN)


def test_a_deleted_sheet_does_not_keep_its_template_from_being_deleted(parts, sheet_id):
    template_id = parts.make_template()
    attach(parts, sheet_id, template_id)
    parts.sheets.move(sheet_id, "delete", by=ANN)
    parts.templates.move(template_id, "archive", by=ANN)
    parts.templates.delete(template_id, by=ANN)
    parts.sheets.move(sheet_id, "undelete", by=ANN)
    assert parts.template_attachments.of(sheet_id) is None
    assert "detach template" in [event.action for event in parts.history.of("sheet", sheet_id)]


def test_a_sheet_that_comes_back_still_has_its_template(parts, sheet_id):
    attach(parts, sheet_id, parts.make_template())
    parts.sheets.move(sheet_id, "delete", by=ANN)
    parts.sheets.move(sheet_id, "undelete", by=ANN)
    assert parts.template_attachments.of(sheet_id).template.name == "Mail class"
