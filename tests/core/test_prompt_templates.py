"""Prompt templates: drafts become published versions that never change, and are found, copied and deleted."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from tests.core import template_parts
from tests.core.conftest import ANN
from tests.core.template_parts import DRAFT, FULL, STRUCTURED, published
from workbench_core.errors import ChangedByOthers, Conflict, Invalid, InvalidTransition, NotFound, NotPermitted
from workbench_core.metrics import AnswerKind
from workbench_core.permissions import Role
from workbench_core.prompt_templates import LIFECYCLE, InputField, OutputField, TemplateDraft, TemplateStatus

sheets, templates, reports = template_parts.sheets, template_parts.templates, template_parts.reports  # fixtures

BEN = "ben@example.com"


# --- create, read, update ------------------------------------------------------------------------------------------


def test_tp_2_a_template_starts_as_draft_one(templates, history):
    template = templates.create(DRAFT, by=ANN)
    assert (template.version, template.status, template.parent_id) == ("1.0.0", TemplateStatus.DRAFT, None)
    assert template.placeholders == ("plant", "report", "line")
    assert template.draft == DRAFT
    assert templates.get(template.id) == template
    assert [(event.action, event.by) for event in history.of("prompt_template", template.id)] == [("create", ANN)]


@pytest.mark.parametrize("draft", [DRAFT, STRUCTURED, FULL, replace(DRAFT, label_classes=(), examples=())])
def test_every_field_comes_back_from_the_store(templates, draft):
    assert templates.get(templates.create(draft, by=ANN).id).draft == draft


@pytest.mark.parametrize(
    ("draft", "kind"),
    [
        (DRAFT, AnswerKind.LABEL),
        (STRUCTURED, AnswerKind.STRUCTURED),
        (replace(DRAFT, label_classes=()), AnswerKind.TEXT),
    ],
)
def test_the_kind_of_answer_follows_from_classes_and_schema(draft, kind):
    assert draft.answer_kind is kind


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"name": "  "}, "name"),
        ({"name": "x" * 256}, "name"),
        ({"label_type": ""}, "label type"),
        ({"temperature": 2.1}, "temperature"),
        ({"temperature": -0.1}, "temperature"),
        ({"max_tokens": 0}, "tokens"),
        ({"max_tokens": 9000}, "tokens"),
    ],
)
def test_tp_2_what_cannot_even_be_a_draft_names_the_field(templates, change, word):
    with pytest.raises(Invalid, match=word):
        templates.create(replace(DRAFT, **change), by=ANN)


def test_tp_3_a_draft_can_be_saved_while_its_prompt_is_broken(templates):
    template = templates.create(DRAFT, by=ANN)
    changed = templates.update(
        template.id, replace(DRAFT, user_prompt="{{ repo"), by=ANN, row_version=template.row_version
    )
    assert changed.user_prompt == "{{ repo"
    assert changed.placeholders == ()
    assert changed.row_version == 2


def test_tp_3_a_draft_can_be_saved_while_a_field_has_no_name_yet(templates):
    draft = replace(STRUCTURED, output_schema=(OutputField(""), OutputField(" b ")), inputs=(InputField(""),))
    template = templates.create(draft, by=ANN)
    assert templates.get(template.id).draft == draft
    assert [found.id for found in templates.find()] == [template.id]


def test_tp_3_the_second_of_two_editors_is_told_who_was_faster(templates):
    template = templates.create(DRAFT, by=ANN)
    templates.update(template.id, replace(DRAFT, name="Ben's"), by=BEN, row_version=1)
    with pytest.raises(ChangedByOthers, match=BEN):
        templates.update(template.id, replace(DRAFT, name="Ann's"), by=ANN, row_version=1)
    assert templates.get(template.id).name == "Ben's"


@pytest.mark.parametrize("actions", [["publish"], ["archive"], ["publish", "archive"]])
def test_tp_3_inv_7_what_is_published_or_archived_cannot_change(templates, actions):
    template = templates.create(DRAFT, by=ANN)
    for action in actions:
        template = templates.move(template.id, action, by=ANN)
    with pytest.raises(Conflict, match="cannot change"):
        templates.update(template.id, replace(DRAFT, name="Other"), by=ANN, row_version=template.row_version)
    assert templates.get(template.id).draft == DRAFT


def test_a_template_that_does_not_exist_is_not_found(templates):
    with pytest.raises(NotFound):
        templates.get("template-none")


def test_tp_1_the_list_filters_and_shows_the_last_changed_first(templates):
    first = templates.create(replace(DRAFT, name="50% off_1", description=""), by=ANN)
    second = published(templates, replace(DRAFT, name="Causes", label_type="root_cause"))
    third = templates.create(replace(DRAFT, name="Colours", description="For the 50 x 51 wall"), by=ANN)
    templates.update(first.id, first.draft, by=ANN, row_version=1)

    def found(**wanted):
        return [template.id for template in templates.find(**wanted)]

    assert found() == [first.id, third.id, second.id]
    assert found(limit=1, offset=1) == [third.id]
    assert found(status=TemplateStatus.PUBLISHED) == [second.id]
    assert found(label_type="root_cause") == [second.id]
    assert found(search="50% off_") == [first.id]
    assert found(search="COLOUR") == [third.id]
    assert found(search="wall") == [third.id]
    assert found(search="!") == []
    assert templates.count() == 3
    assert templates.count(status=TemplateStatus.DRAFT, search="colour") == 1


# --- life ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", TemplateStatus)
@pytest.mark.parametrize("action", LIFECYCLE.table)
def test_tp_5_every_action_is_allowed_exactly_where_the_table_says(templates, status, action):
    template = templates.create(DRAFT, by=ANN)
    if status is TemplateStatus.PUBLISHED:
        template = templates.move(template.id, "publish", by=ANN)
    if status is TemplateStatus.ARCHIVED:
        template = templates.move(template.id, "archive", by=ANN)
    allowed, leads_to = LIFECYCLE.table[action]
    assert (action in template.actions) == (status in allowed)
    if status in allowed:
        assert templates.move(template.id, action, by=ANN).status is leads_to
    else:
        with pytest.raises(InvalidTransition):
            templates.move(template.id, action, by=ANN)


def test_tp_5_inv_7_an_archived_version_that_was_published_is_restored_as_published(templates):
    template = published(templates)
    templates.move(template.id, "archive", by=ANN)
    assert templates.move(template.id, "restore", by=ANN).status is TemplateStatus.PUBLISHED


def test_tp_5_restoring_a_draft_beside_an_open_draft_is_refused(templates):
    first = published(templates)
    second = templates.create_version(first.id, by=ANN)
    templates.move(second.id, "archive", by=ANN)
    third = templates.create_version(first.id, by=ANN)
    with pytest.raises(Conflict, match=f"open draft {third.version}"):
        templates.move(second.id, "restore", by=ANN)


def test_tp_6_a_new_version_copies_everything_and_counts_up(templates):
    first = published(templates)
    second = templates.create_version(first.id, by=BEN)
    assert (second.version, second.parent_id, second.lineage_id) == ("1.1.0", first.id, first.lineage_id)
    assert (second.status, second.draft, second.created_by) == (TemplateStatus.DRAFT, first.draft, BEN)
    templates.move(second.id, "publish", by=ANN)
    third = templates.create_version(first.id, by=ANN)  # from the older one: the number is still free
    assert (third.version, third.parent_id) == ("1.2.0", first.id)
    assert [version.version for version in templates.versions(first.lineage_id)] == ["1.2.0", "1.1.0", "1.0.0"]


def test_tp_6_the_number_of_a_deleted_version_is_never_given_again(templates):
    """Training sheets and files name a version by its number: one number is one text."""
    first = published(templates)
    for number in ("1.1.0", "1.2.0"):
        version = templates.create_version(first.id, by=ANN)
        assert version.version == number
        templates.delete(version.id, by=ANN)
    kept = templates.create_version(first.id, by=ANN)
    assert kept.version == "1.3.0"
    other = published(templates)
    assert templates.create_version(other.id, by=ANN).version == "1.1.0"


def test_tp_6_there_is_one_open_draft_per_lineage(templates, store):
    first = published(templates)
    second = templates.create_version(first.id, by=ANN)
    with pytest.raises(Conflict, match=r"open draft 1\.1\.0"):
        templates.create_version(first.id, by=ANN)
    with pytest.raises(Conflict, match="is a draft"):
        templates.create_version(second.id, by=ANN)
    assert store.query("SELECT COUNT(*) AS n FROM prompt_templates")[0]["n"] == 2


@pytest.mark.parametrize(("odd", "following"), [("2", "2.1.0"), ("v3.4", "3.5.0"), ("latest", "1.1.0"), ("", "1.1.0")])
def test_tp_6_odd_version_texts_are_tolerated(templates, store, odd, following):
    first = published(templates)
    store.execute("UPDATE prompt_templates SET version = :odd", touches="prompt_templates", odd=odd)
    assert templates.create_version(first.id, by=ANN).version == following


def test_tp_7_a_duplicate_is_independent(templates):
    source = published(templates)
    copy = templates.duplicate(source.id, by=BEN)
    assert (copy.name, copy.version, copy.parent_id) == ("Copy of Defects", "1.0.0", None)
    assert copy.lineage_id != source.lineage_id
    assert replace(copy.draft, name=source.name) == source.draft
    assert templates.duplicate(source.id, by=BEN, name="Mine").name == "Mine"
    assert len(templates.duplicate(published(templates, replace(DRAFT, name="x" * 255)).id, by=ANN).name) == 255


def test_tp_8_drafts_and_archived_versions_can_be_deleted(templates, history):
    template = templates.create(DRAFT, by=ANN)
    templates.delete(template.id, by=ANN)
    with pytest.raises(NotFound):
        templates.get(template.id)
    assert history.of("prompt_template", template.id)[0].action == "delete"


def test_tp_8_a_published_version_cannot_be_deleted(templates):
    template = published(templates)
    assert "delete" not in template.actions
    with pytest.raises(Conflict, match="published"):
        templates.delete(template.id, by=ANN)


def test_tp_8_a_version_with_later_versions_cannot_be_deleted(templates):
    first = published(templates)
    templates.create_version(first.id, by=ANN)
    templates.move(first.id, "archive", by=ANN)
    with pytest.raises(Conflict, match="1 later version"):
        templates.delete(first.id, by=ANN)


def test_tp_8_a_template_that_training_sheets_refer_to_cannot_be_deleted(templates, reports, store, clock):
    template = templates.create(DRAFT, by=ANN)
    store.append("training_sheets", [training_sheet(number, template, reports, clock()) for number in (1, 2)])
    with pytest.raises(Conflict, match="2 training sheets"):
        templates.delete(template.id, by=ANN)
    assert templates.get(template.id) == template


def training_sheet(number, template, sheet, now):
    return {
        "id": f"ts-{number}",
        "name": "Test",
        "sheet_id": sheet.id,
        "prompt_template_id": template.id,
        "template_version": template.version,
        "template_snapshot": json.dumps(template.snapshot()),
        "label_type": template.label_type,
        "mapping": "{}",
        "answer_source": "manual",
        "row_limit": 10,
        "status": "review",
        "created_by": ANN,
        "created_at": now,
        "updated_by": ANN,
        "updated_at": now,
    }


DEEDS = {
    "update": lambda templates, t: templates.update(t.id, t.draft, by=BEN, row_version=t.row_version),
    "publish": lambda templates, t: templates.move(t.id, "publish", by=BEN),
    "archive": lambda templates, t: templates.move(t.id, "archive", by=BEN),
    "restore": lambda templates, t: templates.move(t.id, "restore", by=BEN),
    "create_version": lambda templates, t: templates.create_version(t.id, by=BEN),
    "duplicate": lambda templates, t: templates.duplicate(t.id, by=BEN),
    "delete": lambda templates, t: templates.delete(t.id, by=BEN),
}
EDITORS = {Role.ADMIN, Role.DATA_STEWARD, Role.DATA_PRODUCER}


def in_status(templates, status):
    template = templates.create(DRAFT, by=ANN)
    steps = {"draft": [], "published": ["publish"], "archived": ["publish", "archive"]}[status]
    for step in steps:
        template = templates.move(template.id, step, by=ANN)
    return template


@pytest.mark.parametrize("role", Role)
@pytest.mark.parametrize("status", TemplateStatus)
def test_status_and_role_decide_together_what_can_be_done(templates, permissions, status, role):
    permissions.assign(BEN, role, by=ANN)
    for action, deed in DEEDS.items():
        template = in_status(templates, status)
        fits = status is TemplateStatus.DRAFT if action == "update" else action in template.actions
        may = role in ({Role.ADMIN, Role.DATA_STEWARD} if action == "publish" else EDITORS)
        if fits and may:
            deed(templates, template)
            continue
        with pytest.raises(Conflict if may else NotPermitted):
            deed(templates, template)
        assert templates.get(template.id) == template


@pytest.mark.parametrize("role", Role)
def test_only_some_roles_create_templates_and_everybody_reads_them(templates, permissions, role):
    permissions.assign(BEN, role, by=ANN)
    if role in EDITORS:
        assert templates.create(DRAFT, by=BEN).created_by == BEN
    else:
        with pytest.raises(NotPermitted):
            templates.create(DRAFT, by=BEN)
    with pytest.raises(NotPermitted):
        templates.create(DRAFT, by="")


def test_tp_1_a_tag_is_found_by_the_search(templates):
    tagged = templates.create(TemplateDraft("Sort", "kind", "{{ subject }}", tags=("quarterly",)), by=ANN)
    templates.create(TemplateDraft("Other", "kind", "{{ subject }}"), by=ANN)
    assert [template.id for template in templates.find(search="QUARTER")] == [tagged.id]
