"""Training sheets: pre-flight, generation with every answer source, cancel and kill, and the life of the sheet."""

from __future__ import annotations

import random
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from tests.core.generation_parts import ANN, BEN, Parts, RuleModel, subject, truth
from workbench_core import usage
from workbench_core.canonical_labels import LabelEntry, LabelFilter
from workbench_core.errors import (
    Conflict,
    Invalid,
    InvalidTransition,
    NotAuthorized,
    NotFound,
    NotPermitted,
    Unavailable,
)
from workbench_core.pairs import Decision, PairFilter, ResponseSource
from workbench_core.permissions import Role
from workbench_core.ports import Message
from workbench_core.prompt_templates import AnswerSource, OutputField, TemplateDraft, TemplateExample
from workbench_core.runs import RunStatus
from workbench_core.sheets import SheetDraft
from workbench_core.training_sheets import LIFECYCLE, GenerationRequest, TrainingSheetStatus
from workbench_core.training_sheets.generation import MODEL_BATCH
from workbench_core.usage import Use

REPOSITORY = Path(__file__).resolve().parents[2]


@pytest.fixture
def parts(tmp_path, clock):
    made = Parts(tmp_path, clock=clock)
    yield made
    made.store.close()


def request(parts, sheet_id, *, source=AnswerSource.MANUAL, template_id="", **changes):
    column = "verdict" if source is AnswerSource.EXISTING_COLUMN else ""
    values = {"answer_source": source, "answer_column": column, **changes}
    return GenerationRequest(sheet_id, template_id or parts.make_template(), {"subject": "subject"}, **values)


def generate(parts, sheet_id, **changes):
    made = parts.training_sheets.generate(request(parts, sheet_id, **changes), by=ANN)
    parts.work()
    return parts.training_sheets.get(made.id)


def label(parts, sheet_id, items, **rules):
    entries = [LabelEntry(f"m{item:05d}", truth(item), **rules) for item in items]
    parts.labels.label(entries, sheet_id=sheet_id, label_type="mail_class", by=BEN)


def approve_all(parts, training_sheet_id):
    waiting = parts.pairs.queue(training_sheet_id, limit=1000)
    parts.pairs.decide(
        [Decision(pair.id, "edit", pair.row_version, answer="spam") for pair in waiting], by=ANN, replace_labels=True
    )


# --- pre-flight ------------------------------------------------------------------------------------------------------


def test_preflight_tells_hits_misses_calls_and_samples_without_writing(parts):
    sheet_id = parts.make_sheet(30)
    label(parts, sheet_id, range(12))
    found = parts.training_sheets.preflight(request(parts, sheet_id, source=AnswerSource.AI_GENERATED, row_limit=20))
    assert (found.selected, found.left_out, found.hits, found.misses, found.model_calls) == (20, 10, 12, 8, 8)
    assert (found.model_title, found.model.is_ready, found.can_generate) == ("rule model", True, True)
    assert found.samples[0].messages[-1].content == f"Is this mail spam? {subject(0)}"
    assert len(found.samples) == 5
    assert parts.training_sheets.find() == []
    assert parts.model.asked == []


def test_preflight_counts_what_would_be_barred_from_training_and_why(parts):
    sheet_id = parts.make_sheet(10)
    label(parts, sheet_id, range(3), usage=usage.preset("personal_data"))
    found = parts.training_sheets.preflight(request(parts, sheet_id, held_out=frozenset({"m00008", "m00009"})))
    assert found.barred == {"personal data": 3, "held-out test set": 2}
    tagged = parts.make_sheet(10, tags=("PHI",))
    assert parts.training_sheets.preflight(request(parts, tagged)).barred == {"source tagged PHI": 10}


def test_mapping_is_proposed_by_exact_name_then_without_case_and_punctuation(parts):
    sheet_id = parts.make_sheet(3)
    template_id = parts.make_template(user_prompt="{{ subject }} {{ MailId }} {{ unknown }}")
    assert parts.training_sheets.propose_mapping(template_id, sheet_id) == {"subject": "subject", "MailId": "mail_id"}


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"mapping": {}}, "No column is chosen for subject."),
        ({"mapping": {"subject": "nothing"}}, "The source has no column nothing."),
        ({"row_limit": 0}, "The row limit must be at least 1."),
        ({"filter": "subject ="}, ""),
        ({"filter": "verdict = 'eggs'"}, "No item is selected: check filter and sampling."),
        ({"item_refs": ()}, "No item is selected: check filter and sampling."),
        ({"answer_source": AnswerSource.EXISTING_COLUMN}, "The column that holds the answers is not chosen."),
        ({"answer_source": AnswerSource.CANONICAL}, "None of the 5 items has a canonical label for this label type."),
    ],
)
def test_what_cannot_be_generated_is_refused_before_anything_is_written(parts, changes, problem):
    sheet_id = parts.make_sheet(5)
    values = {"mapping": {"subject": "subject"}, "answer_source": AnswerSource.MANUAL, **changes}
    wanted = GenerationRequest(sheet_id, parts.make_template(), **values)
    found = parts.training_sheets.preflight(wanted)
    assert not found.can_generate
    assert problem in found.problems[0]
    with pytest.raises(Invalid) as refused:
        parts.training_sheets.generate(wanted, by=ANN)
    assert refused.value.message == " ".join(found.problems)
    assert parts.training_sheets.find() == []
    assert parts.runs.find() == []


def test_a_draft_sheet_a_bad_identifier_and_an_archived_template_are_refused(parts):
    parts.make_sheet(5)
    repeated = parts.sheets.create(
        SheetDraft("By verdict", "demo.acme.mails", "verdict", metadata_columns=("subject",)), by=ANN
    )
    template_id = parts.make_template()
    parts.templates.move(template_id, "archive", by=ANN)
    problems = parts.training_sheets.preflight(request(parts, repeated.id, template_id=template_id)).problems
    assert problems == (
        "The sheet “By verdict” is draft: publish it first.",
        "The template “Mail class” 1.0.0 is archived: restore it or choose another one.",
        "The identifier verdict repeats itself in 3 rows.",
    )
    with pytest.raises(NotFound):
        parts.training_sheets.preflight(request(parts, "sheet-none", template_id=template_id))


def test_a_model_that_is_not_ready_blocks_only_when_it_is_needed(parts):
    parts.model.reason = "The weights are not installed."
    sheet_id = parts.make_sheet(3)
    wanted = request(parts, sheet_id, source=AnswerSource.AI_GENERATED)
    assert parts.training_sheets.preflight(wanted).problems == (
        "The rule model cannot answer: The weights are not installed.",
    )
    label(parts, sheet_id, range(3))
    assert parts.training_sheets.preflight(wanted).can_generate


# --- answers ---------------------------------------------------------------------------------------------------------


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
    assert (made.selected_items, made.left_out_items) == (20, 15)


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
    kept = failed.counts.total
    assert MODEL_BATCH <= kept <= 50

    parts.model.unreachable = None
    parts.model.asked.clear()
    resumed = parts.training_sheets.resume(failed.id, by=BEN)
    assert (resumed.status, resumed.error) == (TrainingSheetStatus.GENERATING, "")
    parts.work()
    done = parts.training_sheets.get(failed.id)
    assert (done.status, done.counts.total) == (TrainingSheetStatus.REVIEW, 100)
    assert len(parts.model.asked) == 100 - kept
    run = parts.training_sheets.run_of(failed.id)
    assert (run.status, run.done, run.total) == (RunStatus.SUCCEEDED, 100 - kept, 100 - kept)


# --- selection and governance ----------------------------------------------------------------------------------------


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


# --- stopping --------------------------------------------------------------------------------------------------------


def wait_for(condition, seconds=20.0):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "this took too long"
        time.sleep(0.01)


def test_cancelling_keeps_what_is_there_and_resuming_completes_it(parts):
    parts.model.seconds = 0.002
    sheet_id = parts.make_sheet(200)
    label(parts, sheet_id, range(0, 200, 10))
    made = parts.training_sheets.generate(request(parts, sheet_id, source=AnswerSource.AI_GENERATED), by=ANN)
    working = threading.Thread(target=parts.work)
    working.start()
    wait_for(lambda: parts.pairs.count(made.id) > 0)
    cancelled = parts.training_sheets.cancel(made.id, by=BEN)
    working.join()
    kept = parts.pairs.count(made.id)
    assert 0 < kept < 200
    assert (cancelled.status, cancelled.error) == ("failed", f"Cancelled by {BEN}; {kept} of 200 pairs are kept")
    assert parts.training_sheets.run_of(made.id).status is RunStatus.CANCELLED
    with pytest.raises(InvalidTransition):
        parts.training_sheets.cancel(made.id, by=ANN)

    parts.training_sheets.resume(made.id, by=ANN)
    parts.work()
    done = parts.training_sheets.get(made.id)
    assert (done.status, done.counts.total, done.counts.auto_approved) == ("review", 200, 20)
    assert {entry.reuse_count for entry in parts.labels.find(LabelFilter(sheet_id), limit=100)} == {1}


def test_cancelling_before_a_worker_takes_it_needs_no_worker(parts):
    made = parts.training_sheets.generate(request(parts, parts.make_sheet(5)), by=ANN)
    cancelled = parts.training_sheets.cancel(made.id, by=ANN)
    assert cancelled.error == f"Cancelled by {ANN}; 0 of 5 pairs are kept"
    parts.work()
    assert parts.training_sheets.get(made.id).counts.total == 0
    parts.training_sheets.resume(made.id, by=ANN)
    parts.work()
    assert parts.training_sheets.get(made.id).counts.total == 5


def test_a_stopped_process_resumes_by_itself_and_progress_goes_on(parts):
    parts.model.seconds = 0.002
    made = parts.training_sheets.generate(
        request(parts, parts.make_sheet(200), source=AnswerSource.AI_GENERATED), by=ANN
    )
    worker = parts.worker()
    worker.start()
    wait_for(lambda: parts.pairs.count(made.id) > 0)
    worker.stop()
    run = parts.training_sheets.run_of(made.id)
    assert run.status is RunStatus.INTERRUPTED
    assert run.done == parts.pairs.count(made.id) < 200
    assert parts.training_sheets.get(made.id).status is TrainingSheetStatus.GENERATING
    parts.runs.recover()
    parts.work()
    assert parts.training_sheets.get(made.id).status is TrainingSheetStatus.REVIEW
    ended = parts.training_sheets.run_of(made.id)
    assert (ended.id, ended.done, ended.total, ended.done_before) == (run.id, 200, 200, run.done)
    assert set(parts.model.asked) == {f"m{item:05d}" for item in range(200)}
    assert len(parts.model.asked) < 200 + MODEL_BATCH  # at most the batch under way was asked again


@pytest.mark.slow
def test_killed_processes_make_nothing_twice_and_lose_nothing(tmp_path):
    parts = Parts(tmp_path)
    sheet_id = parts.make_sheet(400)
    label(parts, sheet_id, range(0, 400, 4))
    made = parts.training_sheets.generate(request(parts, sheet_id, source=AnswerSource.AI_GENERATED), by=ANN)
    chance = random.Random(20260105)
    seen = [0]
    for _ in range(4):
        process = start_process(tmp_path)
        time.sleep(chance.uniform(0.05, 0.6))
        process.kill()
        process.wait()
        seen.append(parts.pairs.count(made.id))
    assert seen == sorted(seen)
    assert seen[-1] > 0
    last = start_process(tmp_path)
    assert last.communicate(timeout=60)[0].strip() == "done"

    pairs = parts.pairs.find(made.id, limit=1000)
    assert [pair.item_ref for pair in pairs] == [f"m{item:05d}" for item in range(400)]
    assert [pair.sequence_number for pair in pairs] == list(range(1, 401))
    assert [pair.answer for pair in pairs] == [truth(item) for item in range(400)]
    assert {entry.reuse_count for entry in parts.labels.find(LabelFilter(sheet_id), limit=500)} == {1}
    done = parts.training_sheets.get(made.id)
    assert (done.status, done.counts.auto_approved) == ("review", 100)
    assert parts.training_sheets.run_of(made.id).status is RunStatus.SUCCEEDED
    parts.store.close()


def start_process(folder):
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.core.generation_process", str(folder), "0.006"],
        cwd=REPOSITORY,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout.readline().strip() == "ready"
    return process


# --- growing ---------------------------------------------------------------------------------------------------------


def test_new_items_are_added_wherever_they_stand_in_the_order(parts):
    parts.put_mails(range(10, 20))
    sheet = parts.sheets.create(
        SheetDraft("Mails", "demo.acme.mails", "mail_id", metadata_columns=("subject", "verdict")), by=ANN
    )
    parts.sheets.move(sheet.id, "publish", by=ANN)
    made = generate(parts, sheet.id)
    with pytest.raises(Conflict, match="the source has no new items"):
        parts.training_sheets.append_new(made.id, by=ANN)
    before = parts.pairs.find(made.id)
    parts.put_mails(range(5, 25))
    parts.training_sheets.append_new(made.id, by=ANN)
    parts.work()
    grown = parts.training_sheets.get(made.id)
    assert (grown.counts.total, grown.selected_items, grown.left_out_items) == (20, 20, 0)
    after = parts.pairs.find(made.id)
    assert after[:10] == before
    assert {pair.item_ref for pair in after[10:]} == {f"m{n:05d}" for n in [*range(5, 10), *range(20, 25)]}
    assert [pair.sequence_number for pair in after] == list(range(1, 21))


def test_the_row_limit_also_holds_for_new_items(parts):
    sheet_id = parts.make_sheet(5)
    made = generate(parts, sheet_id, row_limit=8)
    parts.put_mails(range(20))
    parts.training_sheets.append_new(made.id, by=ANN)
    parts.work()
    grown = parts.training_sheets.get(made.id)
    assert (grown.counts.total, grown.left_out_items) == (8, 12)
    with pytest.raises(Conflict, match="its row limit is 8"):
        parts.training_sheets.append_new(made.id, by=ANN)


# --- the life of the sheet -------------------------------------------------------------------------------------------


def in_status(parts, status):
    """A training sheet that a person or the system brought into a status."""
    made = parts.training_sheets.generate(request(parts, parts.make_sheet(2)), by=ANN)
    if status is TrainingSheetStatus.GENERATING:
        return made.id
    if status is TrainingSheetStatus.FAILED:
        return parts.training_sheets.cancel(made.id, by=ANN).id
    parts.work()
    approve_all(parts, made.id)
    steps = {
        TrainingSheetStatus.REVIEW: [],
        TrainingSheetStatus.APPROVED: ["close_review"],
        TrainingSheetStatus.REJECTED: ["reject"],
        TrainingSheetStatus.ARCHIVED: ["archive"],
        TrainingSheetStatus.TRAINED: ["close_review"],
    }
    for action in steps[status]:
        parts.training_sheets.move(made.id, action, by=ANN, note="why")
    if status is TrainingSheetStatus.TRAINED:
        parts.training_sheets.mark_trained(made.id, by=ANN)
    return made.id


REACHABLE = [status for status in TrainingSheetStatus if status is not TrainingSheetStatus.EXPORTED]


@pytest.mark.parametrize("status", REACHABLE)
def test_every_transition_of_the_table_works_and_every_other_is_refused(parts, status):
    acts = {
        "cancel": lambda sheet: parts.training_sheets.cancel(sheet, by=ANN),
        "resume": lambda sheet: parts.training_sheets.resume(sheet, by=ANN),
        "append_new": lambda sheet: (parts.put_mails(range(9)), parts.training_sheets.append_new(sheet, by=ANN)),
        "mark_trained": lambda sheet: parts.training_sheets.mark_trained(sheet, by=ANN),
    } | {
        action: lambda sheet, action=action: parts.training_sheets.move(sheet, action, by=ANN, note="why")
        for action in ("close_review", "reject", "reopen", "archive")
    }
    for action, act in acts.items():
        training_sheet_id = in_status(parts, status)
        allowed, to = LIFECYCLE.table[action]
        if status in allowed:
            act(training_sheet_id)
            assert parts.training_sheets.get(training_sheet_id).status is to, action
        else:
            with pytest.raises(Conflict):
                act(training_sheet_id)
            assert parts.training_sheets.get(training_sheet_id).status is status, action
        parts.work()


def test_a_review_closes_only_when_nothing_waits_or_it_is_left_out(parts):
    made = generate(parts, parts.make_sheet(4))
    first, *_ = parts.pairs.queue(made.id)
    parts.pairs.decide([Decision(first.id, "flag", 1, note="odd")], by=ANN)
    with pytest.raises(Conflict, match="3 pairs are pending and 1 are flagged"):
        parts.training_sheets.move(made.id, "close_review", by=ANN)
    assert parts.training_sheets.get(made.id).status is TrainingSheetStatus.REVIEW
    closed = parts.training_sheets.move(made.id, "close_review", by=ANN, leave_out=True)
    assert closed.status is TrainingSheetStatus.APPROVED


def test_rejecting_the_whole_needs_a_reason(parts):
    made = generate(parts, parts.make_sheet(2))
    with pytest.raises(Invalid, match="reason"):
        parts.training_sheets.move(made.id, "reject", by=ANN)
    parts.training_sheets.move(made.id, "reject", by=ANN, note="wrong mails")
    assert parts.history.of("training_sheet", made.id)[0].details == {"note": "wrong mails"}


def test_a_generation_whose_run_was_lost_can_be_resumed(parts):
    made = parts.training_sheets.generate(request(parts, parts.make_sheet(3)), by=ANN)
    run = parts.runs.take("worker that vanished")
    parts.runs.finish(run.id, RunStatus.FAILED, error="The disk is full")
    assert parts.training_sheets.resume(made.id, by=ANN).status is TrainingSheetStatus.GENERATING
    parts.work()
    assert parts.training_sheets.get(made.id).counts.total == 3


def test_deleting_removes_the_pairs_but_keeps_labels(parts):
    sheet_id = parts.make_sheet(3)
    made = generate(parts, sheet_id)
    approve_all(parts, made.id)
    parts.permissions.assign("pete", Role.DATA_PRODUCER, by=ANN)
    with pytest.raises(NotPermitted, match=ANN):
        parts.training_sheets.delete(made.id, by="pete")
    parts.training_sheets.delete(made.id, by=ANN)
    with pytest.raises(NotFound):
        parts.training_sheets.get(made.id)
    assert parts.pairs.count(made.id) == 0
    assert parts.labels.count(LabelFilter(sheet_id)) == 3


def test_what_is_generating_cannot_be_deleted(parts):
    made = parts.training_sheets.generate(request(parts, parts.make_sheet(3)), by=ANN)
    with pytest.raises(Conflict, match="generating"):
        parts.training_sheets.delete(made.id, by=ANN)


@pytest.mark.parametrize(
    ("role", "may_generate", "may_close"),
    [
        (Role.DATA_CONSUMER, False, False),
        (Role.LABELER, False, False),
        (Role.REVIEWER, False, True),
        (Role.DATA_PRODUCER, True, False),
        (Role.DATA_STEWARD, True, True),
    ],
)
def test_roles_decide_who_generates_and_who_closes_a_review(parts, role, may_generate, may_close):
    parts.permissions.assign("kim", role, by=ANN)
    sheet_id = parts.make_sheet(2)
    made = generate(parts, sheet_id)
    approve_all(parts, made.id)
    wanted = request(parts, sheet_id)
    for may, act in (
        (may_generate, lambda: parts.training_sheets.generate(wanted, by="kim")),
        (may_close, lambda: parts.training_sheets.move(made.id, "close_review", by="kim")),
    ):
        if may:
            act()
        else:
            with pytest.raises(NotPermitted):
                act()


def test_lists_show_counts_and_find_by_sheet_status_and_words(parts):
    first, second = parts.make_sheet(2), parts.make_sheet(3)
    one = generate(parts, first, name="Winter %_ mails")
    two = generate(parts, second, name="Summer mails")
    assert [(sheet.id, sheet.counts.total) for sheet in parts.training_sheets.find()] == [(two.id, 3), (one.id, 3)]
    assert [sheet.id for sheet in parts.training_sheets.find(sheet_id=first)] == [one.id]
    assert [sheet.id for sheet in parts.training_sheets.find(search="%_")] == [one.id]
    parts.training_sheets.move(one.id, "archive", by=ANN)
    assert [sheet.id for sheet in parts.training_sheets.find()] == [two.id]
    assert [sheet.id for sheet in parts.training_sheets.find(status=TrainingSheetStatus.ARCHIVED)] == [one.id]
    assert two.actions == ("append_new", "close_review", "reject", "archive", "delete")


def test_the_demo_mark_and_the_description_are_kept(parts):
    made = generate(parts, parts.make_sheet(1), is_demo=True, description="For the visit")
    assert (made.is_demo, made.description) == (True, "For the visit")
    assert RuleModel().availability().is_ready
