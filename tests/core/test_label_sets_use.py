"""What stands on label sets, sets as files, and sets made from data (LS-4 to LS-7)."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from tests.core.conftest import ANN
from tests.core.generation_parts import Parts
from tests.core.label_set_parts import *  # noqa: F403  the fixtures
from tests.core.label_set_parts import DRAFT, SCHEMA, preset, published
from tests.core.serving_double import ServedModel
from workbench_core import usage
from workbench_core.endpoints import EndpointStatus
from workbench_core.errors import Conflict, Invalid, NotFound, NotPermitted
from workbench_core.label_sets import (
    PRESETS,
    LabelClass,
    LabelSetDraft,
    LabelSets,
    definition_of,
    draft_from_definition,
    file_name,
    is_readable,
    rules_of_type,
)
from workbench_core.permissions import Role
from workbench_core.prompt_templates import AnswerSource
from workbench_core.training_sheets import GenerationRequest
from workbench_core.usage import Use

# --- LS-4 and LS-5 ---------------------------------------------------------------------------------------------------


def test_the_labels_of_a_set_are_those_of_its_type_on_all_sheets_in_pages(label_sets, inspections, label_items):
    """LS-4."""
    made = published(label_sets)
    first, second = inspections({"note": ["a"] * 5}), inspections({"note": ["a"] * 3}, name="Repairs")
    label_items(first, ["ok"] * 5)
    label_items(second, ["broken"] * 3)
    label_items(first, ["red"] * 5, label_type="colour")
    assert label_sets.count_labels(made.id) == 8
    pages = [label_sets.labels(made.id, limit=3, offset=start) for start in (0, 3, 6)]
    assert [len(page) for page in pages] == [3, 3, 2]
    assert len({label.id for page in pages for label in page}) == 8
    assert {label.sheet_id for label in pages[0]} == {second}, "last changed first"
    assert label_sets.count_labels(made.id, search="BROK") == 3
    assert [label.item_ref for label in label_sets.labels(made.id, search="i004")] == ["i004"]
    assert label_sets.count_labels(made.id, search="%") == 0


def test_the_numbers_of_a_set(label_sets, inspections, label_items):
    """LS-5."""
    made = published(label_sets)
    assert (label_sets.stats(made.id).labels, label_sets.stats(made.id).others) == (0, 0)
    label_items(inspections({"note": ["a"] * 4}), ["ok", "ok", "broken", "Broken"])
    label_items(inspections({"note": ["a"] * 2}, name="Repairs"), ["ok", "bent"])
    stats = label_sets.stats(made.id)
    assert (stats.labels, stats.sheets, stats.others) == (6, 2, 2)
    assert [(one.name, one.labels) for one in stats.classes] == [("ok", 3), ("broken", 1)]
    assert label_sets.label_counts(["result", "colour"]) == {"result": 6, "colour": 0}
    assert label_sets.label_counts([]) == {}
    uses = label_sets.used_in(made.id)
    assert [(use.kind, use.name, use.details) for use in uses] == [
        ("sheet", "Repairs", "2 labelled"), ("sheet", "Inspections", "4 labelled"),
    ]  # fmt: skip


def test_a_set_with_a_schema_alone_counts_its_labels(label_sets, inspections, label_items):
    made = label_sets.create(LabelSetDraft("Grades", "grade", response_schema=SCHEMA), by=ANN)
    label_items(inspections({"note": ["a"]}), ['{"severity": 2}'], label_type="grade")
    stats = label_sets.stats(made.id)
    assert (stats.labels, stats.classes, stats.others) == (1, (), 1)


def test_templates_and_training_sheets_of_the_type_are_named(tmp_path):
    parts = Parts(tmp_path)
    made = parts.label_sets.create(
        LabelSetDraft("Mails", "mail_class", classes=(LabelClass("ham"), LabelClass("spam"))), by=ANN
    )
    parts.label_sets.move(made.id, "publish", by=ANN)
    sheet_id, template_id = parts.make_sheet(6), parts.make_template()
    request = GenerationRequest(
        sheet_id, template_id, {"subject": "subject"}, name="First try", answer_source=AnswerSource.EXISTING_COLUMN,
        answer_column="verdict",
    )  # fmt: skip
    parts.training_sheets.generate(request, by=ANN)
    parts.work()
    stats = parts.label_sets.stats(made.id)
    assert (stats.templates, stats.training_sheets, stats.labeling_tasks, stats.labels) == (1, 1, 0, 0)
    assert [(use.kind, use.name) for use in parts.label_sets.used_in(made.id)] == [
        ("template", "Mail class"), ("training_sheet", "First try"),
    ]  # fmt: skip
    assert parts.label_sets.used_in(made.id)[0].details == "1.0.0, published"
    parts.label_sets.move(made.id, "archive", by=ANN)
    with pytest.raises(Conflict, match=r"1 training sheet \(First try\)"):
        parts.label_sets.delete(made.id, by=ANN)
    draft = parts.label_sets.duplicate(made.id, by=ANN)
    parts.label_sets.delete(draft.id, by=ANN)
    parts.store.close()


# --- LS-6 ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", list(PRESETS))
def test_a_preset_becomes_a_label_set_and_comes_back_from_its_file(label_sets, name):
    """LS-6."""
    made = label_sets.create(preset(name), by=ANN)
    assert made.draft == preset(name)
    text = label_sets.export_definition(made.id)
    assert text == label_sets.export_definition(made.id)
    assert draft_from_definition(text) == made.draft


def test_a_file_holds_everything_in_words_of_the_specification():
    draft = replace(DRAFT, response_schema=SCHEMA, usage=usage.preset("held_out"), may_serve=False)
    found = json.loads(definition_of(draft, "1.2.0"))
    assert found["classes"][0] == {
        "name": "ok", "display_name": "Fine", "colour": "#15803d", "description": "Nothing to see", "hotkey": "1",
        "confidence_threshold": 0.5,
    }  # fmt: skip
    assert (found["format"], found["version"], found["production_inference"]) == ("label-set/1", "1.2.0", False)
    assert draft_from_definition(json.dumps(found)) == draft
    assert file_name(replace(draft, name="../ a/b: «c»"), "1.2.0") == "label-set-a-b-c.1.2.0.json"
    assert file_name(replace(draft, name="…"), "1.0.0") == "label-set-untitled.1.0.0.json"


def test_a_file_becomes_a_new_set_or_the_next_version(label_sets):
    first = published(label_sets)
    text = definition_of(replace(DRAFT, description="Changed"), "7.0.0")
    fresh = label_sets.import_definition(text, by=ANN)
    assert (fresh.version, fresh.parent_id, fresh.description) == ("1.0.0", None, "Changed")
    second = label_sets.import_definition(text, by=ANN, lineage_id=first.lineage_id)
    assert (second.version, second.parent_id) == ("1.1.0", first.id)
    with pytest.raises(Conflict, match="says the same already"):
        label_sets.import_definition(text, by=ANN, lineage_id=first.lineage_id)
    with pytest.raises(Conflict, match="open draft"):
        label_sets.import_definition(definition_of(DRAFT, "1"), by=ANN, lineage_id=first.lineage_id)
    with pytest.raises(Conflict, match="for the label type “colour”"):
        other = definition_of(replace(DRAFT, label_type="colour"), "1")
        label_sets.import_definition(other, by=ANN, lineage_id=first.lineage_id)
    with pytest.raises(NotFound):
        label_sets.import_definition(text, by=ANN, lineage_id="nowhere")


def test_a_use_that_is_allowed_and_prohibited_in_a_file_is_prohibited(label_sets):
    """INV-6."""
    found = json.loads(definition_of(DRAFT, "1.0.0"))
    found["usage"]["prohibited"] = ["training"]
    made = label_sets.import_definition(json.dumps(found), by=ANN)
    assert made.usage.prohibited == {Use.TRAINING}
    assert Use.TRAINING not in made.usage.allowed


def test_an_import_that_loosens_rules_needs_a_steward(label_sets, people):
    first = published(label_sets, replace(DRAFT, usage=usage.preset("held_out")))
    with pytest.raises(NotPermitted, match="change usage rules"):
        label_sets.import_definition(
            definition_of(DRAFT, "1"), by=people[Role.DATA_PRODUCER], lineage_id=first.lineage_id
        )
    assert label_sets.count() == 1


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ("", "Line 1, column 1: the file is no JSON"),
        ("[]", "The file is no object"),
        ('{"name": "x"', "the file is no JSON"),
        ({"name": None}, "“name” is no text"),
        ({"name": " "}, "“name” is missing"),
        ({"label_type": ""}, "“label_type” is missing"),
        ({"colour": "x"}, "The file has the unknown entry “colour”"),
        ({"format": "label-set/9"}, "has the format “label-set/9”"),
        ({"classes": {}}, "“classes” is no list"),
        ({"classes": ["ok"]}, "Class 1 is no object"),
        ({"classes": [{"name": "ok"}, {"name": 7}]}, "Class 2: “name” is no text"),
        ({"classes": [{"name": "ok", "color": "#123456"}]}, "Class 1 has the unknown entry “color”"),
        ({"classes": [{"name": "ok", "hotkey": "a"}]}, "has a meaning of its own"),
        ({"classes": [{"name": "ok", "confidence_threshold": "high"}]}, "“confidence_threshold” is no number"),
        ({"classes": [{"name": "ok", "confidence_threshold": True}]}, "“confidence_threshold” is no number"),
        ({"classes": [{"name": "ok"}, {"name": "OK"}]}, "is there twice"),
        ({"tags": [1]}, "“tags” is no list of texts"),
        ({"response_schema": []}, "“response_schema” is no object"),
        ({"response_schema": {"type": "x"}}, "is not valid"),
        ({"usage": {"allowed": ["sleeping"]}}, "“usage”: 'sleeping' is not a valid"),
        ({"usage": {"classification": "secret"}}, "“usage”: 'secret' is not a valid"),
        ({"production_inference": "yes"}, "must be true or false"),
    ],
)
def test_a_malformed_file_is_one_sentence_and_writes_nothing(label_sets, history, change, sentence):
    text = change if isinstance(change, str) else json.dumps({**json.loads(definition_of(DRAFT, "1")), **change})
    with pytest.raises(Invalid) as caught:
        label_sets.import_definition(text, by=ANN)
    assert sentence in caught.value.message
    assert "\n" not in caught.value.message
    assert not label_sets.count()
    assert history.recent() == []


# --- LS-7 ------------------------------------------------------------------------------------------------------------


def test_the_values_of_a_column_become_classes_the_most_frequent_first(label_sets, inspections):
    """LS-7."""
    sheet_id = inspections({"verdict": ["bad", "good", "good", None, " ", "not_sure", "good"]})
    found = label_sets.derive_from_column(sheet_id, "verdict")
    assert [(one.name, one.title) for one in found.classes] == [("good", ""), ("bad", ""), ("not_sure", "Not sure")]
    assert found.counts == (3, 1, 1)
    assert (found.name, found.label_type) == ("Verdict of Inspections", "verdict")
    assert [one.hotkey for one in found.classes] == ["1", "2", "3"]
    assert all(is_readable(one.colour) for one in found.classes)
    assert label_sets.create(found.draft, by=ANN).classes == found.classes


def test_other_spellings_of_a_value_are_counted_with_the_most_frequent_one(label_sets, inspections):
    sheet_id = inspections({"verdict": ["OK", "ok", "Ok ", "OK", "bad"]})
    found = label_sets.derive_from_column(sheet_id, "verdict")
    assert [one.name for one in found.classes] == ["OK", "bad"]
    assert (found.counts, set(found.merged)) == ((4, 1), {"ok", "Ok"})
    label_sets.create(found.draft, by=ANN)


def test_numbers_and_truths_become_classes_too(label_sets, inspections):
    sheet_id = inspections({"grade": [3, 3, 1], "works": [True, False, True]})
    assert [one.name for one in label_sets.derive_from_column(sheet_id, "grade").classes] == ["3", "1"]
    assert [one.name for one in label_sets.derive_from_column(sheet_id, "works").classes] == ["true", "false"]


def test_only_the_rows_of_the_sheet_count(label_sets, inspections, sheets):
    sheet_id = inspections({"verdict": ["a", "b", "b", "c"]})
    sheet = sheets.get(sheet_id)
    sheets.update(sheet_id, replace(sheet.draft, filter="verdict <> 'b'"), by=ANN, row_version=sheet.row_version)
    assert [one.name for one in label_sets.derive_from_column(sheet_id, "verdict").classes] == ["a", "c"]


def test_exactly_200_values_are_classes_and_one_more_is_too_many(label_sets, inspections):
    values = [f"v{number:03d}" for number in range(201)]
    sheet_id = inspections({"few": [*values[:200], "v000"], "many": values})
    assert len(label_sets.derive_from_column(sheet_id, "few").classes) == 200
    with pytest.raises(Invalid, match="“many” has more than 200 different values"):
        label_sets.derive_from_column(sheet_id, "many")
    label_sets.create(label_sets.derive_from_column(sheet_id, "few").draft, by=ANN)


def test_a_column_without_values_of_texts_or_unknown_is_refused(label_sets, inspections):
    sheet_id = inspections({"empty": ["", None], "text": ["word " * 40, "x"]})
    with pytest.raises(Invalid, match="“empty” is empty"):
        label_sets.derive_from_column(sheet_id, "empty")
    with pytest.raises(Invalid, match="“text” holds texts, not classes"):
        label_sets.derive_from_column(sheet_id, "text")
    with pytest.raises(Invalid):
        label_sets.derive_from_column(sheet_id, "no such; DROP TABLE")
    with pytest.raises(NotFound):
        label_sets.derive_from_column("nowhere", "text")


def test_the_answers_of_labels_become_classes(label_sets, inspections, label_items):
    first, second = inspections({"note": ["a"] * 4}), inspections({"note": ["a"] * 3}, name="Repairs")
    label_items(first, ["ok", "broken", "ok", "ok"])
    label_items(second, ["bent", "bent", "broken"])
    found = label_sets.derive_from_labels("", "result")
    assert [(one.name, count) for one, count in zip(found.classes, found.counts, strict=True)] == [
        ("ok", 3), ("bent", 2), ("broken", 2),
    ]  # fmt: skip
    assert found.label_type == "result"
    assert [one.name for one in label_sets.derive_from_labels(second, "result").classes] == ["bent", "broken"]


def test_labels_that_are_no_classes_are_refused_with_a_sentence(label_sets, inspections, label_items):
    sheet_id = inspections({"note": ["a"] * 201})
    label_items(sheet_id, [f"answer {number}" for number in range(201)], label_type="free")
    label_items(sheet_id, ["x" * 101], label_type="long")
    label_items(sheet_id, ['{"severity": 1}'], label_type="structured")
    for label_type, sentence in {
        "free": "more than 200 different answers",
        "long": "longer than 100 characters",
        "structured": "are JSON, not classes",
        "nothing": "is empty",
    }.items():
        with pytest.raises(Invalid, match=sentence):
            label_sets.derive_from_labels("", label_type)


# --- what a published set imposes ------------------------------------------------------------------------------------


def test_pairs_get_the_rules_of_the_published_set_of_their_type(tmp_path):
    """Spec 1.6: the most restrictive combination of label, label set and source."""
    parts = Parts(tmp_path)
    sheet_id, template_id = parts.make_sheet(3, tags=("CONFIDENTIAL",)), parts.make_template()
    draft = LabelSetDraft(
        "Mails", "mail_class", classes=(LabelClass("ham"), LabelClass("spam")), usage=usage.preset("held_out")
    )
    request = GenerationRequest(
        sheet_id, template_id, {"subject": "subject"}, answer_source=AnswerSource.EXISTING_COLUMN,
        answer_column="verdict",
    )  # fmt: skip
    made = parts.label_sets.create(draft, by=ANN)
    assert rules_of_type(parts.store, "mail_class") == usage.ALL_USES, "a draft imposes nothing"
    parts.label_sets.move(made.id, "publish", by=ANN)
    training_sheet = parts.training_sheets.generate(request, by=ANN)
    parts.work()
    pair = parts.pairs.queue(training_sheet.id)[0]
    assert pair.usage.prohibited == {Use.TRAINING, Use.VALIDATION, Use.FEW_SHOT, Use.EVALUATION}
    assert not pair.usage.allowed
    assert "held-out test set" in pair.usage.reason
    assert "source tagged CONFIDENTIAL" in pair.usage.reason
    parts.store.close()


def test_a_model_whose_classes_may_not_be_served_is_not_deployed(store, lake, history, permissions, clock, tmp_path):
    """Spec 1.6, production_inference."""
    model = ServedModel(store, lake, history, permissions, clock, tmp_path)
    model.add(1)
    label_sets = LabelSets(store, lake, history, permissions, clock, sheets=model.sheets)
    first = published(label_sets, replace(DRAFT, label_type="spam", may_serve=False))
    with pytest.raises(Conflict, match=r"“Results” 1\.0\.0 says that its classes may not be served"):
        model.deploy(1)
    assert model.endpoints.find() == []
    second = label_sets.move(first.id, "create_version", by=ANN)
    label_sets.update(second.id, replace(DRAFT, label_type="spam"), by=ANN, row_version=1)
    label_sets.move(second.id, "publish", by=ANN)
    assert model.deploy(1).status is EndpointStatus.READY
