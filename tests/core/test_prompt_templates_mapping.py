"""Which column fills which placeholder, and the draft that a sheet suggests (TP-11)."""

from __future__ import annotations

import pandas as pd
import pytest

from tests.core.generation_parts import ANN, BEN, Parts
from workbench_core.errors import NotFound, NotPermitted
from workbench_core.metrics import FieldType
from workbench_core.permissions import Role
from workbench_core.prompt_templates import (
    AnswerSource,
    InputField,
    TemplateDraft,
    TemplateStatus,
    propose_for,
    propose_mapping,
    suggest_mapping,
    target_column_of,
    unmapped,
)
from workbench_core.prompt_templates.sheet_proposals import placeholder_names
from workbench_core.sheets import SheetDraft


@pytest.fixture
def parts(tmp_path):
    return Parts(tmp_path)


# --- pre-selected --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("placeholder", "columns", "column"),
    [
        ("report", ["Report", "report"], "report"),
        ("report_text", ["Report Text"], "Report Text"),
        ("größe", ["GRÖSSE", "Größe"], "Größe"),
        ("subject", ["mails__subject", "mails__body"], "mails__subject"),
        ("line_no", ["parts__Line-No"], "parts__Line-No"),
        ("subject", ["mails__subject", "replies__subject"], None),
        ("mails__subject", ["mails__subject", "replies__subject"], "mails__subject"),
        ("subject", ["mails__subject", "Subject"], "Subject"),
        ("subject", ["subjects"], None),
        ("x", ["-", "__"], None),
    ],
)
def test_columns_of_the_same_name_are_selected_and_nothing_unsure_is(placeholder, columns, column):
    assert propose_mapping([placeholder], columns).get(placeholder) == column


def test_two_names_that_differ_only_in_punctuation_find_a_column_each():
    assert propose_mapping(["a_b", "a_b_"], ["a b", "a_b"]) == {"a_b": "a_b", "a_b_": "a b"}


def test_a_column_that_the_author_expected_wins_and_the_target_is_never_proposed():
    draft = TemplateDraft(
        "T", "l", "{{ text }} {{ verdict }}", feature_columns=("b__text", "gone"), target_column="Verdict"
    )
    columns = ["a__text", "b__text", "verdict"]
    assert propose_mapping(draft.placeholders, columns) == {"verdict": "verdict"}
    assert target_column_of(draft, columns) == "verdict"
    assert propose_for(draft, columns) == {"text": "b__text"}
    assert target_column_of(draft, ["a"]) == ""


def test_without_an_expected_column_in_the_sheet_names_decide():
    draft = TemplateDraft("T", "l", "{{ text }}", feature_columns=("gone",))
    assert propose_for(draft, ["Text"]) == {"text": "Text"}


# --- offered -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("placeholder", "column", "reason"),
    [
        ("report", "report_text", "shares the word “report”"),
        ("customer", "costumer", "similar name"),
        ("customerEmail", "customer_e_mail_address", "shares the word “customer”"),
        ("subject", "mails__subject", "same name in one of several sources"),
    ],
)
def test_a_similar_column_is_offered_with_score_and_reason(placeholder, column, reason):
    found = suggest_mapping([placeholder], ["zzz", column, "9"])[placeholder]
    assert (found.placeholder, found.column) == (placeholder, column)
    assert found.reason.startswith(reason)
    assert 0.7 <= found.score <= 1


def test_what_is_not_similar_is_not_offered():
    assert suggest_mapping(["report"], ["price", "id", "-", ""]) == {}
    assert suggest_mapping(["report"], []) == {}
    assert suggest_mapping(["_"], ["_", "a"]) == {}


def test_each_column_is_offered_once_to_the_placeholder_that_fits_best():
    found = suggest_mapping(["text", "report_text"], ["report_texts"])
    assert {name: proposal.column for name, proposal in found.items()} == {"report_text": "report_texts"}


def test_taken_columns_are_not_offered():
    assert suggest_mapping(["report"], ["report_text"], taken={"report_text"}) == {}


def test_only_required_placeholders_have_to_be_mapped():
    draft = TemplateDraft(
        "T", "l", "{{ a }} {{ b }} {{ c }}", inputs=(InputField("b", required=False), InputField("c"))
    )
    assert unmapped(draft, {"a": "x", "c": ""}) == ("c",)
    assert unmapped(draft, {"a": "x", "c": "y"}) == ()


# --- TP-11 ---------------------------------------------------------------------------------------------------------


def put(parts, table, text_columns=(), name="Mails"):
    """A sheet over a table; columns without another role are metadata."""
    file = parts.folder / "put.csv"
    pd.DataFrame(table).to_csv(file, index=False)
    parts.lake.put_table("main.office.put", file, original_name="put.csv")
    others = tuple(column for column in table if column not in {"id", *text_columns})
    draft = SheetDraft(name, "main.office.put", "id", text_columns=text_columns, metadata_columns=others)
    return parts.sheets.create(draft, by=ANN)


def test_tp_11_a_sheet_suggests_inputs_prompt_classes_and_label_type(parts):
    sheet = put(
        parts,
        {
            "id": ["a", "b", "c", "d"],
            "Body text": ["long", "longer", "longest", "short"],
            "pages": [1, 2, 3, 4],
            "Verdict": ["spam", "ham", "ham", "spam"],
        },
        text_columns=("Body text",),
    )
    template = parts.templates.from_sheet(sheet.id, by=ANN)
    assert (template.version, template.status) == ("1.0.0", TemplateStatus.DRAFT)
    assert [(entry.name, entry.type) for entry in template.inputs] == [
        ("Body_text", FieldType.STRING),
        ("pages", FieldType.NUMBER),
    ]
    assert (template.feature_columns, template.target_column) == (("Body text", "pages"), "Verdict")
    assert (template.label_type, set(template.label_classes)) == ("verdict", {"spam", "ham"})
    assert template.answer_source is AnswerSource.EXISTING_COLUMN
    assert parts.templates.lint(template) == []
    mapping = propose_for(template, [column.name for column in parts.sheets.columns(sheet.id)])
    assert mapping == {"Body_text": "Body text", "pages": "pages"}
    shown = parts.templates.preview(template, sheet.id, mapping, limit=1)
    assert shown[0].messages[-1].content.startswith("Pages: 1\n\nBody text:\nlong\n\nClasses: ")


def test_tp_11_without_a_column_of_labels_the_answers_are_typed(parts):
    sheet = put(parts, {"id": ["a", "b"], "text": ["x", "y"]}, text_columns=("text",))
    template = parts.templates.from_sheet(sheet.id, by=ANN)
    assert (template.label_type, template.label_classes, template.target_column) == ("general", (), "")
    assert template.answer_source is AnswerSource.MANUAL
    assert template.user_prompt == "Text:\n{{ text }}"


def test_tp_11_a_known_answer_with_many_values_is_a_target_without_classes(parts):
    sheet = put(parts, {"id": list(range(30)), "text": ["x"] * 30, "answer": [f"Answer {n}" for n in range(30)]})
    template = parts.templates.from_sheet(sheet.id, by=ANN)
    assert (template.target_column, template.label_classes) == ("answer", ())


def test_tp_11_a_sheet_of_an_identifier_alone_asks_about_the_identifier(parts):
    template = parts.templates.from_sheet(put(parts, {"id": ["a", "b"]}).id, by=ANN)
    assert template.placeholders == ("id",)


def test_tp_11_hostile_names_and_values_become_a_template_that_works(parts):
    columns = ["2nd text", "if", "not", "a-b", "a b", "self", "{{ x }}", "Größe", "-", "loop"]
    table = {"id": ["r1", "r2", "r3", "r4"]} | {column: ["x", "y", "z", "x"] for column in columns}
    sheet = put(parts, table | {"label": ["{{ a }}", "{% if %}", "{{ a }}", "{% if %}"]}, name="S {{ 1 }}" * 20)
    template = parts.templates.from_sheet(sheet.id, by=ANN)
    assert not [problem for problem in parts.templates.lint(template) if problem.field == "user_prompt"]
    assert len(template.placeholders) == len(columns)
    lettered = [name for name in template.placeholders if not name.startswith("column_")]
    mapping = propose_for(template, [column.name for column in parts.sheets.columns(sheet.id)])
    assert set(mapping) == set(lettered)
    assert len(set(mapping.values())) == len(mapping)


def test_every_column_gets_a_name_of_its_own_that_prompts_take():
    names = placeholder_names(["a b", "a-b", "a_b", "in", "True", "9", "", "é", "x" * 300])
    assert len(set(names.values())) == 9
    assert all(name.isidentifier() for name in names.values())
    assert (names["9"], names["é"]) == ("_9", "é")


@pytest.mark.parametrize("role", Role)
def test_tp_11_only_who_edits_templates_makes_one_from_a_sheet(parts, role):
    sheet = put(parts, {"id": ["a"], "text": ["x"]})
    parts.permissions.assign(BEN, role, by=ANN)
    if role in {Role.ADMIN, Role.DATA_STEWARD, Role.DATA_PRODUCER}:
        assert parts.templates.from_sheet(sheet.id, by=BEN).created_by == BEN
    else:
        with pytest.raises(NotPermitted):
            parts.templates.from_sheet(sheet.id, by=BEN)
    with pytest.raises(NotFound):
        parts.templates.from_sheet("sheet-none", by=ANN)
