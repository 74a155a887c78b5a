"""Answering pairs that exist: blank, failed, with a newer template; a person's change always wins (TS-11)."""

from __future__ import annotations

import random
import threading
import time

import pytest

from tests.core.generation_parts import ANN, BEN, Parts, RuleModel, subject, truth
from tests.core.generation_process import start
from tests.core.generation_steps import AI, generate, label, pairs_of, request, wait_for
from workbench_core import usage
from workbench_core.canonical_labels import LabelFilter
from workbench_core.errors import (
    ChangedByOthers,
    Conflict,
    Invalid,
    InvalidTransition,
    NotFound,
    NotPermitted,
    Unavailable,
)
from workbench_core.pairs import Decision, PairFilter, ResponseSource, ReviewStatus
from workbench_core.permissions import Role
from workbench_core.ports import Message, TokenPrice
from workbench_core.prompt_templates import TemplateDraft
from workbench_core.runs import RunStatus
from workbench_core.training_sheets import ANSWERING_LIFECYCLE, AnsweringStatus, AnswerRequest
from workbench_core.training_sheets.asking import MODEL_BATCH


@pytest.fixture
def parts(tmp_path, clock):
    made = Parts(tmp_path, clock=clock, model=RuleModel(tokens=(100, 10), price=TokenPrice(50, 500)))
    yield made
    made.store.close()


def answer(parts, training_sheet_id, **values):
    run = parts.training_sheets.answer_pairs(training_sheet_id, AnswerRequest(**values), by=ANN)
    parts.work()
    return parts.runs.get(run.id), parts.training_sheets.answering_of(training_sheet_id)


def decide(parts, pair, action, **values):
    result = parts.pairs.decide([Decision(pair.id, action, pair.row_version, **values)], by=BEN)
    assert not result.refused
    return parts.pairs.get(pair.id)


def newer_version(parts, template_id, **changes):
    version = parts.templates.create_version(template_id, by=ANN)
    draft = {name: getattr(version.draft, name) for name in TemplateDraft.__dataclass_fields__} | changes
    parts.templates.update(version.id, TemplateDraft(**draft), by=ANN, row_version=version.row_version)
    return parts.templates.move(version.id, "publish", by=ANN).id


# --- blank pairs -----------------------------------------------------------------------------------------------------


def test_blank_pairs_are_answered_in_place_and_everything_else_stays(parts):
    made = generate(parts, parts.make_sheet(20))
    pairs = pairs_of(parts, made.id)
    typed = parts.pairs.save(pairs["m00001"].id, "ham", by=BEN, row_version=1)
    approved = decide(parts, pairs["m00002"], "edit", answer="spam")
    rejected = decide(parts, pairs["m00003"], "reject")
    preview = parts.training_sheets.preview_answering(made.id, AnswerRequest())
    assert (preview.pairs, dict(preview.skipped), preview.estimate.calls) == (17, {"rejected": 1}, 17)

    run, answering = answer(parts, made.id)
    assert (run.kind, run.status, run.done, run.total) == ("answer_pairs", RunStatus.SUCCEEDED, 17, 17)
    assert (answering.status, answering.total, answering.done, answering.errors) == (AnsweringStatus.DONE, 17, 17, 0)
    assert answering.spent.calls == 17
    assert answering.spent.cost == pytest.approx(0.17)
    after = pairs_of(parts, made.id)
    assert [after["m00001"], after["m00002"], after["m00003"]] == [typed, approved, rejected]
    changed = after["m00006"]
    assert (changed.answer, changed.response_source, changed.review_status) == ("spam", "ai_generated", "pending")
    assert changed.messages == pairs["m00006"].messages
    assert changed.generation_details["model"] == "rule-model"
    assert [(r.action, r.answer_before, r.answer_after, r.by) for r in parts.pairs.reviews(changed.id)] == [
        ("generate", "", "spam", ANN)
    ]
    assert parts.training_sheets.get(made.id).spent == answering.spent  # counted into the whole


def test_a_label_given_meanwhile_answers_without_a_call(parts):
    """INV-1: every generation looks for the canonical label first."""
    sheet_id = parts.make_sheet(5)
    made = generate(parts, sheet_id)
    label(parts, sheet_id, [0, 3], usage=usage.preset("personal_data"))
    answer(parts, made.id)
    pair = pairs_of(parts, made.id)["m00003"]
    assert (pair.response_source, pair.review_status, pair.was_auto_approved) == ("canonical", "approved", True)
    assert (pair.answer, pair.usage.classification) == ("spam", "restricted")
    assert sorted(parts.model.asked) == [made.id + f"-{n}" for n in (2, 3, 5)]
    assert {entry.reuse_count for entry in parts.labels.find(LabelFilter(sheet_id), limit=10)} == {1}


def test_failed_pairs_alone_are_asked_again_in_place(parts):
    parts.model.failing = frozenset({"m00004", "m00007"})
    made = generate(parts, parts.make_sheet(10), source=AI)
    before = pairs_of(parts, made.id)
    assert made.counts.errors == 2
    parts.model.asked.clear()
    parts.training_sheets.retry_failed(made.id, by=ANN)
    parts.work()
    after = pairs_of(parts, made.id)
    assert sorted(parts.model.asked) == [before["m00004"].id, before["m00007"].id]
    assert parts.training_sheets.get(made.id).counts.errors == 0
    assert [pair.answer for pair in after.values()] == [truth(item) for item in range(10)]
    unchanged = [item for item in before if item not in {"m00004", "m00007"}]
    assert [after[item] for item in unchanged] == [before[item] for item in unchanged]
    with pytest.raises(Conflict, match="failed to give"):
        parts.training_sheets.retry_failed(made.id, by=ANN)


def test_a_pair_that_fails_again_keeps_its_error_and_is_counted(parts):
    made = generate(parts, parts.make_sheet(4))
    parts.model.failing = frozenset({f"{made.id}-2"})
    _, answering = answer(parts, made.id)
    assert (answering.done, answering.errors, answering.spent.calls) == (4, 1, 4)
    failed = pairs_of(parts, made.id)["m00001"]
    assert (failed.answer, failed.generation_error, failed.row_version) == ("", "The model refused this item.", 1)
    assert parts.pairs.count(made.id, PairFilter(has_error=True)) == 1


# --- overwriting, a newer template -----------------------------------------------------------------------------------


def test_overwriting_never_touches_what_a_person_decided_and_keeps_the_former_answer(parts):
    made = generate(parts, parts.make_sheet(6), source=AI)
    pairs = pairs_of(parts, made.id)
    decide(parts, pairs["m00000"], "approve")
    decide(parts, pairs["m00001"], "edit", answer="spam")
    parts.pairs.save(pairs["m00002"].id, "spam", by=BEN, row_version=1)
    wanted = tuple(pairs[item].id for item in ("m00000", "m00001", "m00002", "m00003"))
    parts.model.rule = lambda question: "ham"
    with pytest.raises(Conflict) as refused:
        parts.training_sheets.answer_pairs(made.id, AnswerRequest((pairs["m00003"].id,)), by=ANN)
    assert refused.value.message == "No pair can be answered: 1 answered already."
    preview = parts.training_sheets.preview_answering(made.id, AnswerRequest((*wanted, "none"), overwrite=True))
    assert (preview.pairs, dict(preview.skipped)) == (
        1,
        {"approved already": 1, "edited already": 1, "answered by a person": 1, "not in this training sheet": 1},
    )
    _, answering = answer(parts, made.id, pair_ids=wanted, overwrite=True)
    assert (answering.total, answering.request.pair_ids) == (1, ())
    after = pairs_of(parts, made.id)
    assert [after[item].answer for item in pairs] == ["spam", "spam", "spam", "ham", "ham", "ham"]
    assert after["m00003"].answer == "ham"
    kept = parts.store.query("SELECT pair_id, row_version, answer, response_source FROM replaced_answers")
    assert kept == [
        {"pair_id": pairs["m00003"].id, "row_version": 1, "answer": "spam", "response_source": "ai_generated"}
    ]
    review = parts.pairs.reviews(pairs["m00003"].id)[0]
    assert (review.action, review.answer_before, review.answer_after) == ("generate", "spam", "ham")


def test_a_newer_version_of_the_template_asks_and_answers_anew(parts):
    template_id = parts.make_template()
    made = generate(parts, parts.make_sheet(5), source=AI, template_id=template_id)
    before = pairs_of(parts, made.id)
    decide(parts, before["m00000"], "approve")
    newer = newer_version(parts, template_id, user_prompt="Sort this mail: {{ subject }}", system_prompt="")
    parts.put_mails(range(100, 105))  # the source may change: the pairs keep their values (INV-4)
    _, answering = answer(parts, made.id, template_id=newer, overwrite=True)
    assert (answering.newer_template.version, answering.total) == ("1.1.0", 4)
    after = pairs_of(parts, made.id)
    assert after["m00001"].messages == (Message("user", f"Sort this mail: {subject(1)}"),)
    assert after["m00000"].messages == before["m00000"].messages
    assert parts.training_sheets.get(made.id).template.version == "1.0.0"
    kept = parts.store.query("SELECT messages FROM replaced_answers ORDER BY pair_id")
    assert len(kept) == 4
    assert "Is this mail spam?" in str(kept[0]["messages"])


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"label_classes": ("spam", "ham", "eggs")}, "expects other answers than this training sheet holds"),
        ({"user_prompt": "{{ subject }} {{ sender }}"}, "asks for sender, which its pairs do not hold"),
    ],
)
def test_a_newer_version_that_does_not_fit_is_refused(parts, changes, problem):
    template_id = parts.make_template()
    made = generate(parts, parts.make_sheet(2), template_id=template_id)
    newer = newer_version(parts, template_id, **changes)
    with pytest.raises(Invalid, match=problem):
        parts.training_sheets.answer_pairs(made.id, AnswerRequest(template_id=newer), by=ANN)
    with pytest.raises(Invalid, match="no version of the template"):
        parts.training_sheets.answer_pairs(made.id, AnswerRequest(template_id=parts.make_template()), by=ANN)
    assert parts.training_sheets.answering_of(made.id) is None


def test_a_question_that_could_not_be_made_can_be_made_by_a_newer_version(parts):
    template_id = parts.make_template(user_prompt="{{ subject }}{% if '1' in subject %}{{ subject / 2 }}{% endif %}")
    made = generate(parts, parts.make_sheet(3), source=AI, template_id=template_id)
    assert made.counts.errors == 1
    with pytest.raises(Conflict, match="1 without a question"):
        parts.training_sheets.answer_pairs(made.id, AnswerRequest(), by=ANN)
    answer(parts, made.id, template_id=newer_version(parts, template_id, user_prompt="{{ subject }}"))
    repaired = pairs_of(parts, made.id)["m00001"]
    assert (repaired.answer, repaired.generation_error) == ("ham", "")


# --- people at the same time -----------------------------------------------------------------------------------------


def test_a_person_who_is_faster_wins_and_is_told_of(parts):
    parts.model.seconds = 0.005
    made = generate(parts, parts.make_sheet(100))
    run = parts.training_sheets.answer_pairs(made.id, AnswerRequest(), by=ANN)
    last = pairs_of(parts, made.id)["m00099"]
    working = threading.Thread(target=parts.work)
    working.start()
    wait_for(lambda: parts.training_sheets.answering_of(made.id).done)
    decided = decide(parts, last, "edit", answer="spam")
    working.join()
    answering = parts.training_sheets.answering_of(made.id)
    assert (answering.status, answering.done, answering.left_alone) == (AnsweringStatus.DONE, 100, 1)
    assert parts.pairs.get(last.id) == decided
    assert parts.runs.get(run.id).status is RunStatus.SUCCEEDED
    details = parts.history.of("training_sheet", made.id)[0].details
    assert details == {"answered": 99, "errors": 0, "left_alone": 1}


def test_undo_passes_by_what_a_model_wrote_and_refuses_what_it_replaced(parts):
    made = generate(parts, parts.make_sheet(3), source=AI)
    first, second, _ = pairs_of(parts, made.id).values()
    parts.pairs.decide([Decision(first.id, "approve", 1)], by=ANN)
    parts.pairs.decide([Decision(second.id, "reject", 1)], by=ANN)
    parts.pairs.decide([Decision(second.id, "reopen", 2)], by=ANN)
    parts.model.rule = lambda question: "ham"
    answer(parts, made.id, pair_ids=(second.id,), overwrite=True)
    with pytest.raises(ChangedByOthers, match=f"was changed by {ANN} since"):
        parts.pairs.undo(made.id, by=ANN)  # the reopening: its answer is not there any more
    again = decide(parts, parts.pairs.get(second.id), "approve")
    undone = parts.pairs.undo(made.id, by=BEN)
    assert (undone.pair_id, again.review_status) == (second.id, ReviewStatus.APPROVED)
    restored = parts.pairs.get(second.id)
    assert (restored.review_status, restored.response_source, restored.reviewed_by) == ("pending", "ai_generated", "")


# --- steering --------------------------------------------------------------------------------------------------------


def test_an_answering_is_paused_by_a_person_or_a_budget_and_resumed(parts):
    made = generate(parts, parts.make_sheet(60))
    _, answering = answer(parts, made.id, budget=0.2)
    spent = answering.done
    assert 20 <= spent <= MODEL_BATCH  # of the first batch the cost was not known
    assert answering.pause_reason == f"The budget of 0.20 USD is used up: {spent} of 60 pairs are done."
    assert (answering.is_paused, answering.is_over, answering.actions) == (True, False, ("cancel", "resume"))
    with pytest.raises(Conflict, match="used up"):
        parts.training_sheets.resume_answering(made.id, by=ANN)
    parts.training_sheets.resume_answering(made.id, by=ANN, budget=5)
    paused = parts.training_sheets.pause_answering(made.id, by=BEN)
    assert (paused.pause_reason, paused.paused_by) == (f"Paused by {BEN}", BEN)
    parts.work()
    assert parts.training_sheets.answering_of(made.id).done == spent
    parts.training_sheets.resume_answering(made.id, by=ANN)
    parts.work()
    done = parts.training_sheets.answering_of(made.id)
    assert (done.status, done.done, done.spent.calls, done.request.budget) == (AnsweringStatus.DONE, 60, 60, 5)
    assert len(parts.model.asked) == len(set(parts.model.asked)) == 60


def test_cancelling_keeps_the_answers_that_are_there(parts):
    parts.model.seconds = 0.005
    made = generate(parts, parts.make_sheet(150))
    parts.training_sheets.answer_pairs(made.id, AnswerRequest(), by=ANN)
    working = threading.Thread(target=parts.work)
    working.start()
    wait_for(lambda: parts.training_sheets.answering_of(made.id).done)
    with pytest.raises(Conflict, match="A model is answering"):
        parts.training_sheets.move(made.id, "close_review", by=ANN, leave_out=True)
    with pytest.raises(Conflict, match="A model is answering"):
        parts.training_sheets.answer_pairs(made.id, AnswerRequest(), by=ANN)
    cancelled = parts.training_sheets.cancel_answering(made.id, by=BEN)
    working.join()
    assert (cancelled.status, cancelled.error) == (AnsweringStatus.CANCELLED, f"Cancelled by {BEN}")
    kept = parts.training_sheets.answering_of(made.id).done
    assert (
        parts.training_sheets.get(made.id).counts.by_source[ResponseSource.AI_GENERATED]
        == kept
        == len(parts.model.asked)
    )


def test_every_transition_of_an_answering_works_and_every_other_is_refused(parts):
    acts = {
        "pause": parts.training_sheets.pause_answering,
        "resume": parts.training_sheets.resume_answering,
        "cancel": parts.training_sheets.cancel_answering,
    }
    for status in AnsweringStatus:
        for action, act in acts.items():
            made = in_status(parts, status)
            allowed, to = ANSWERING_LIFECYCLE.table[action]
            if status in allowed:
                assert act(made.id, by=ANN).status is to
            else:
                with pytest.raises(Conflict):  # InvalidTransition is one
                    act(made.id, by=ANN)
                assert parts.training_sheets.answering_of(made.id).status is status
            parts.work()


def in_status(parts, status):
    template_id = parts.make_template(user_prompt=f"{time.monotonic()} {{{{ subject }}}}")  # no kept answers
    made = generate(parts, parts.make_sheet(2), template_id=template_id)
    parts.model.unreachable = Unavailable("Gone.") if status is AnsweringStatus.FAILED else None
    parts.model.after = 0
    parts.training_sheets.answer_pairs(made.id, AnswerRequest(), by=ANN)
    if status in {AnsweringStatus.DONE, AnsweringStatus.FAILED}:
        parts.work()
    elif status is AnsweringStatus.PAUSED:
        parts.training_sheets.pause_answering(made.id, by=ANN)
    elif status is AnsweringStatus.CANCELLED:
        parts.training_sheets.cancel_answering(made.id, by=ANN)
    parts.model.unreachable = None
    assert parts.training_sheets.answering_of(made.id).status is status
    return made


def test_a_model_that_fails_marks_the_answering_and_keeps_what_arrived(parts):
    made = generate(parts, parts.make_sheet(40))
    parts.model.unreachable, parts.model.after = Unavailable("The model does not answer.", "Start it."), 10
    run, answering = answer(parts, made.id)
    assert (run.status, answering.status) == (RunStatus.FAILED, AnsweringStatus.FAILED)
    assert (answering.error, answering.done) == ("The model does not answer. Start it.", 10)
    parts.model.unreachable = None
    parts.training_sheets.resume_answering(made.id, by=ANN)
    parts.work()
    assert parts.training_sheets.answering_of(made.id).status is AnsweringStatus.DONE
    assert len(parts.model.asked) == 40


def test_only_sheets_in_review_are_answered_and_only_by_producers(parts):
    made = generate(parts, parts.make_sheet(2))
    with pytest.raises(NotFound):
        parts.training_sheets.pause_answering(made.id, by=ANN)
    parts.permissions.assign("kim", Role.REVIEWER, by=ANN)
    for act in (
        lambda: parts.training_sheets.answer_pairs(made.id, AnswerRequest(), by="kim"),
        lambda: parts.training_sheets.retry_failed(made.id, by="kim"),
        lambda: parts.training_sheets.pause(made.id, by="kim"),
        lambda: parts.training_sheets.generate_many([], by="kim"),
    ):
        with pytest.raises(NotPermitted):
            act()
    parts.training_sheets.move(made.id, "close_review", by=ANN, leave_out=True)
    with pytest.raises(Conflict, match="is approved: its pairs cannot be answered"):
        parts.training_sheets.answer_pairs(made.id, AnswerRequest(), by=ANN)
    waiting = parts.training_sheets.generate(request(parts, made.sheet_id), by=ANN)
    with pytest.raises(Conflict, match="is generating"):
        parts.training_sheets.answer_pairs(waiting.id, AnswerRequest(), by=ANN)
    with pytest.raises(InvalidTransition):
        parts.training_sheets.pause(made.id, by=ANN)


def test_deleting_a_training_sheet_takes_its_answerings_along(parts):
    made = generate(parts, parts.make_sheet(3), source=AI)
    parts.model.rule = lambda question: "ham"
    answer(parts, made.id, overwrite=True)
    parts.training_sheets.delete(made.id, by=ANN)
    for table in ("answerings", "answering_pairs", "replaced_answers", "pair_reviews", "pairs"):
        assert parts.store.query(f"SELECT COUNT(*) AS rows_left FROM {table}") == [{"rows_left": 0}]


def test_killed_answerings_answer_each_pair_once(tmp_path):
    parts = Parts(tmp_path)
    made = generate(parts, parts.make_sheet(200))
    parts.training_sheets.answer_pairs(made.id, AnswerRequest(), by=ANN)
    chance, seen = random.Random(20260106), [0]
    for _ in range(5):
        process = start(tmp_path, 0.01)
        time.sleep(chance.uniform(0.1, 0.5))
        process.kill()
        process.join()
        seen.append(parts.training_sheets.answering_of(made.id).done)
    assert seen == sorted(seen)
    assert 0 < seen[-1] < 200
    process = start(tmp_path, 0.0)
    process.join(60)
    answering = parts.training_sheets.answering_of(made.id)
    assert (answering.status, answering.done, answering.left_alone) == (AnsweringStatus.DONE, 200, 0)
    pairs = parts.pairs.find(made.id, limit=1000)
    assert [pair.answer for pair in pairs] == [truth(item) for item in range(200)]
    assert {pair.row_version for pair in pairs} == {2}
    assert parts.store.query("SELECT COUNT(*) AS reviews FROM pair_reviews") == [{"reviews": 200}]
    parts.store.close()
