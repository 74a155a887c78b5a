"""The answers of a training sheet: where they come from, and what its pairs may be used for (TS-2)."""

from __future__ import annotations

import pytest

from tests.core.generation_parts import ANN, BEN, Parts, subject, truth
from tests.core.generation_steps import generate, label
from workbench_core import usage
from workbench_core.errors import (
    NotAuthorized,
    Unavailable,
)
from workbench_core.pairs import PairFilter, ResponseSource
from workbench_core.ports import Message
from workbench_core.prompt_templates import AnswerSource, OutputField, TemplateDraft, TemplateExample
from workbench_core.runs import RunStatus
from workbench_core.training_sheets import TrainingSheetStatus
from workbench_core.training_sheets.asking import MODEL_BATCH
from workbench_core.usage import Use


@pytest.fixture
def parts(tmp_path, clock):
    made = Parts(tmp_path, clock=clock)
    yield made
    made.store.close()


def test_a_pair_freezes_the_question_and_its_values(parts):
    sheet_id = parts.make_sheet(4)
    template_id = parts.make_template(examples=(TemplateExample("Is this mail spam? hello", "ham"),))
    made = generate(parts, sheet_id, template_id=template_id)
    parts.put_mails(range(100, 104))  # the source changes afterwards (INV-4)
    first = parts.pairs.find(made.id)[0]
    assert first.messages == (
        Message("system", "You sort mails."),
        Message("user", "Is this mail spam? hello"),
        Message("assistant", "ham"),
        Message("user", f"Is this mail spam? {subject(0)}"),
    )
    assert first.variables == {"subject": subject(0)}
    assert (first.id, first.item_ref, first.sequence_number) == (f"{made.id}-1", "m00000", 1)
    assert (made.name, made.template.user_prompt) == ("Mails - Mail class v1.0.0", "Is this mail spam? {{ subject }}")
    assert (made.counts.by_source, made.model_name) == ({ResponseSource.EMPTY: 4}, "")


def test_answers_of_an_existing_column_are_imported_and_wait_for_review(parts):
    sheet_id = parts.make_sheet(6)
    label(parts, sheet_id, [0])
    made = generate(parts, sheet_id, source=AnswerSource.EXISTING_COLUMN)
    pairs = parts.pairs.find(made.id)
    assert [pair.answer for pair in pairs] == [truth(item) for item in range(6)]
    assert {pair.response_source for pair in pairs[1:]} == {"imported"}
    assert {pair.review_status for pair in pairs[1:]} == {"pending"}
    assert (pairs[0].response_source, pairs[0].reviewed_by, pairs[0].was_auto_approved) == ("canonical", BEN, True)


def test_imported_answers_that_do_not_fit_are_kept_with_a_note(parts):
    sheet_id = parts.make_sheet(3)
    template_id = parts.make_template(label_classes=("Spam", "eggs"))
    spam, ham, _ = parts.pairs.find(
        generate(parts, sheet_id, source=AnswerSource.EXISTING_COLUMN, template_id=template_id).id
    )
    assert (spam.answer, spam.quality_score, spam.generation_note) == ("Spam", 1.0, "")
    assert (ham.answer, ham.quality_score) == ("ham", 0.0)
    assert ham.generation_note == "“ham” is not one of the classes Spam, eggs."


def test_only_items_with_a_label_become_pairs_when_the_answers_are_canonical(parts):
    sheet_id = parts.make_sheet(20)
    label(parts, sheet_id, range(0, 20, 4))
    made = generate(parts, sheet_id, source=AnswerSource.CANONICAL)
    assert (made.counts.total, made.counts.auto_approved) == (5, 5)
    assert (made.selected_items, made.left_out_items, made.unlabelled_items) == (20, 0, 15)


def test_a_label_that_the_template_does_not_know_is_left_to_a_person(parts):
    sheet_id = parts.make_sheet(2)
    label(parts, sheet_id, range(2))
    template_id = parts.make_template(label_classes=("spam", "eggs"))
    spam, ham = parts.pairs.find(generate(parts, sheet_id, template_id=template_id).id)
    assert (spam.review_status, ham.review_status) == ("approved", "pending")
    assert (ham.response_source, ham.was_auto_approved, ham.reviewed_by) == ("canonical", False, "")


def test_the_model_is_asked_for_misses_only_and_told_the_choices(parts):
    sheet_id = parts.make_sheet(MODEL_BATCH * 2 + 5)
    label(parts, sheet_id, range(10))
    made = generate(parts, sheet_id, source=AnswerSource.AI_GENERATED)
    assert sorted(parts.model.asked) == [f"m{item:05d}" for item in range(10, MODEL_BATCH * 2 + 5)]
    assert parts.model.options.choices == ("spam", "ham")
    pairs = parts.pairs.find(made.id, limit=100)
    assert [pair.answer for pair in pairs] == [truth(item) for item in range(MODEL_BATCH * 2 + 5)]
    assert pairs[-1].generation_details["model"] == "rule-model"
    assert (made.model_title, made.model_name) == ("rule model", "rule-model")


def test_a_structured_template_asks_with_its_json_schema(parts):
    fields = (OutputField("kind", options=("spam", "ham")),)
    template_id = parts.make_template(label_classes=(), output_schema=fields)
    parts.model.rule = lambda question: '{"kind": "ham"}'
    made = generate(parts, parts.make_sheet(2), source=AnswerSource.AI_GENERATED, template_id=template_id)
    assert parts.model.options.schema["required"] == ["kind"]
    assert parts.model.options.choices == ()
    assert {pair.quality_score for pair in parts.pairs.find(made.id)} == {1.0}


def test_failures_of_single_items_do_not_stop_the_run(parts):
    sheet_id = parts.make_sheet(6)
    parts.model.failing = frozenset({"m00001"})
    parts.model.rule = lambda question: "" if "no. 2" in question else "x" * 1_000_001 if "no. 3" in question else "ham"
    prompt = "{{ subject }} {% if '4' in subject %}{{ subject / 2 }}{% endif %}"
    made = generate(
        parts, sheet_id, source=AnswerSource.AI_GENERATED, template_id=parts.make_template(user_prompt=prompt)
    )
    assert made.status is TrainingSheetStatus.REVIEW
    errors = {pair.item_ref: pair.generation_error for pair in parts.pairs.find(made.id)}
    assert (errors["m00000"], errors["m00005"]) == ("", "")
    assert errors["m00001"] == "The model refused this item."
    assert errors["m00002"] == "The model gave an empty answer."
    assert "more than 1,000,000" in errors["m00003"]
    assert "user prompt" in errors["m00004"].lower()
    assert "m00004" not in parts.model.asked
    assert (made.counts.errors, made.counts.by_source[ResponseSource.EMPTY]) == (4, 4)
    assert parts.pairs.count(made.id, PairFilter(has_error=True)) == 4


@pytest.mark.parametrize(
    "error", [Unavailable("The model does not answer.", "Start it."), NotAuthorized("The key is refused.")]
)
def test_an_unreachable_model_fails_the_sheet_and_resuming_asks_only_for_the_rest(parts, error):
    sheet_id = parts.make_sheet(100)
    parts.model.unreachable, parts.model.after = error, 50
    failed = generate(parts, sheet_id, source=AnswerSource.AI_GENERATED)
    assert (failed.status, failed.error) == (TrainingSheetStatus.FAILED, f"{error.message} {error.hint}".strip())
    run = parts.training_sheets.run_of(failed.id)
    assert (run.status, run.error) == (RunStatus.FAILED, failed.error)
    assert failed.spent.calls == 50

    parts.model.unreachable = None
    parts.model.asked.clear()
    resumed = parts.training_sheets.resume(failed.id, by=BEN)
    assert (resumed.status, resumed.error) == (TrainingSheetStatus.GENERATING, "")
    parts.work()
    done = parts.training_sheets.get(failed.id)
    assert (done.status, done.counts.total) == (TrainingSheetStatus.REVIEW, 100)
    assert len(parts.model.asked) == 50  # what had been answered is not paid for again
    assert done.spent.calls == 100
    left = 100 - failed.counts.total
    run = parts.training_sheets.run_of(failed.id)
    assert (run.status, run.done, run.total) == (RunStatus.SUCCEEDED, left, left)


def test_filter_limit_and_chosen_items_narrow_the_sheet(parts):
    sheet_id = parts.make_sheet(30)
    limited = generate(parts, sheet_id, row_limit=7)
    assert (limited.counts.total, limited.selected_items, limited.left_out_items) == (7, 7, 23)
    filtered = generate(parts, sheet_id, filter="verdict = 'spam'")
    assert {pair.item_ref for pair in parts.pairs.find(filtered.id)} == {f"m{n:05d}" for n in range(0, 30, 3)}
    chosen = generate(parts, sheet_id, item_refs=("m00004", "m00002"))
    assert [pair.item_ref for pair in parts.pairs.find(chosen.id)] == ["m00002", "m00004"]


def test_pairs_inherit_the_most_restrictive_governance(parts):
    sheet_id = parts.make_sheet(4, tags=("CONFIDENTIAL",))
    label(parts, sheet_id, [1], usage=usage.preset("personal_data"))
    made = generate(parts, sheet_id, held_out=frozenset({"m00002"}))
    plain, labelled, held_out, _ = parts.pairs.find(made.id)
    assert (plain.usage.permits(Use.TRAINING), plain.usage.permits(Use.EVALUATION)) == (True, False)
    assert not labelled.usage.permits(Use.TRAINING)
    assert labelled.usage.classification == "restricted"
    assert labelled.usage.reason == "source tagged CONFIDENTIAL; personal data"
    assert not any(held_out.usage.permits(use) for use in (Use.TRAINING, Use.VALIDATION, Use.EVALUATION))
    open_sheet = generate(parts, parts.make_sheet(2), held_out=frozenset({"m00001"}))
    first, second = parts.pairs.find(open_sheet.id)
    assert (first.usage, second.usage) == (usage.ALL_USES, usage.preset("held_out"))


def test_a_draft_template_makes_a_test_sheet(parts):
    draft = parts.templates.create(
        TemplateDraft("Draft", "mail_class", "{{ subject }}", label_classes=("spam", "ham")), by=ANN
    )
    assert generate(parts, parts.make_sheet(2), template_id=draft.id).is_test
    assert not generate(parts, parts.make_sheet(2)).is_test
