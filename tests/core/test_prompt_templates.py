"""Prompt templates: drafts become published versions that never change, and nothing broken is published."""

from __future__ import annotations

import json
from dataclasses import replace

import pandas as pd
import pytest

from tests.core.conftest import ANN
from tests.core.generation_parts import Parts
from workbench_core import usage
from workbench_core.errors import (
    ChangedByOthers,
    Conflict,
    Invalid,
    InvalidTransition,
    NotFound,
    NotPermitted,
)
from workbench_core.metrics import AnswerKind, FieldType
from workbench_core.permissions import Role
from workbench_core.prompt_templates import (
    LIFECYCLE,
    STARTERS,
    AnswerSource,
    InputField,
    OutputField,
    PromptTemplates,
    TemplateDraft,
    TemplateExample,
    TemplateStatus,
    differences,
    from_snapshot,
    propose_mapping,
)
from workbench_core.sheets import SheetDraft, Sheets
from workbench_core.usage import ALL_USES, UsageRules, Use

BEN = "ben@example.com"
DRAFT = TemplateDraft(
    name="Defects",
    label_type="defect_class",
    user_prompt="Report: {{ report }}\nLine: {{ line }}",
    description="Sorts reports",
    system_prompt="You sort reports of {{ plant|default('a plant') }}.",
    label_classes=("scratch", "dent", "none"),
    examples=(TemplateExample("Report: a long scratch", "scratch", "It says so."),),
    answer_source=AnswerSource.AI_GENERATED,
    temperature=0.2,
    max_tokens=32,
)
FIELDS = (
    OutputField("part", FieldType.STRING, "Which part"),
    OutputField("defects", FieldType.ARRAY, "", True, ("scratch", "dent")),
    OutputField("count", FieldType.NUMBER, "", False),
)
STRUCTURED = replace(DRAFT, label_classes=(), output_schema=FIELDS, examples=())
FULL = replace(
    STRUCTURED,
    output_schema=(*FIELDS, OutputField("severity", FieldType.NUMBER, rules={"minimum": 1, "maximum": 5})),
    answer_source=AnswerSource.HYBRID,
    model="rule-model",
    inputs=(InputField("report", description="What happened"), InputField("line", FieldType.NUMBER, "", False)),
    feature_columns=("report", "line"),
    target_column="verdict",
    tags=("plant", "quality"),
    usage=usage.preset("personal_data"),
)


@pytest.fixture
def sheets(store, lake, history, permissions, clock):
    return Sheets(store, lake, history, permissions, clock)


@pytest.fixture
def templates(store, lake, sheets, history, permissions, clock):
    return PromptTemplates(store, sheets, history, permissions, clock, lake=lake)


@pytest.fixture
def reports(lake, sheets, tmp_path):
    """A sheet of three reports; the second has no text."""
    file = tmp_path / "reports.csv"
    table = pd.DataFrame(
        {
            "report_id": ["r1", "r2", "r3"],
            "Report": ["A scratch in {{ steel }}", None, "x" * 20_001],
            "line": [1, 2, 3],
            "secret": ["a", "b", "c"],
        }
    )
    table.to_csv(file, index=False)
    lake.put_table("main.factory.reports", file, original_name="reports.csv")
    draft = SheetDraft(
        "Reports", "main.factory.reports", "report_id", text_columns=("Report",), metadata_columns=("line",)
    )
    return sheets.create(draft, by=ANN)


def published(templates, draft=DRAFT):
    return templates.move(templates.create(draft, by=ANN).id, "publish", by=ANN)


def messages(templates, draft):
    return [problem.message for problem in templates.lint(draft)]


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


def test_tp_4_publishing_twice_is_refused(templates):
    template = published(templates)
    with pytest.raises(InvalidTransition, match="published"):
        templates.move(template.id, "publish", by=ANN)


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


def test_tp_1_a_tag_is_found_by_the_search(templates):
    tagged = templates.create(TemplateDraft("Sort", "kind", "{{ subject }}", tags=("quarterly",)), by=ANN)
    templates.create(TemplateDraft("Other", "kind", "{{ subject }}"), by=ANN)
    assert [template.id for template in templates.find(search="QUARTER")] == [tagged.id]
