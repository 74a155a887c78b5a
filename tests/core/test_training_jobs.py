"""Training jobs: who gets in, what is frozen, how a job lives, and what a success leaves behind."""

from __future__ import annotations

import math
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

from tests.core.generation_parts import ANN, BEN
from tests.core.training_parts import MODEL, TrainingParts
from workbench_core.errors import (
    BackendError,
    Conflict,
    Invalid,
    InvalidTransition,
    NotFound,
    NotPermitted,
)
from workbench_core.pairs import Decision, PairFilter
from workbench_core.permissions import Role
from workbench_core.ports import TrainingEvent
from workbench_core.runs import RunStatus, Worker
from workbench_core.training_gate import Shares, Split
from workbench_core.training_jobs import LIFECYCLE, LONGEST, JobStatus, model_name_from
from workbench_core.training_sheets import AnswerRequest
from workbench_core.usage import UsageRules, Use

REPOSITORY = Path(__file__).resolve().parents[2]


@pytest.fixture
def parts(tmp_path, clock):
    made = TrainingParts(tmp_path, clock=clock)
    yield made
    made.store.close()


def messages(parts, job) -> list[str]:
    """The log of a job, oldest first."""
    return [event.message for event in reversed(parts.jobs.events(job.id))]


def edit(parts, training_sheet_id, item_ref, answer):
    """Reopen a decided pair and give it another answer."""
    for action, given in (("reopen", None), ("edit", answer)):
        found = parts.pairs.find(training_sheet_id, PairFilter(), limit=10_000)
        pair = next(pair for pair in found if pair.item_ref == item_ref)
        decision = Decision(pair.id, action, pair.row_version, answer=given)
        result = parts.pairs.decide([decision], by=BEN, replace_labels=True)
        assert not result.refused, result.refused


# --- the gate ------------------------------------------------------------------------------------------------------


def test_acceptance_1_the_gate_counts_what_people_decided(parts):
    sheet = parts.generated(105)
    parts.approve(sheet, limit=100)
    parts.approve(sheet, action="flag")
    patient = UsageRules(
        allowed=frozenset({Use.EVALUATION}), prohibited=frozenset({Use.TRAINING, Use.VALIDATION}), reason="patient data"
    )
    barred = parts.restrict(sheet, patient, first=15)

    gate = parts.jobs.gate(sheet, shares=Shares(0.7, 0.1))

    assert (gate.total, gate.approved, gate.eligible) == (105, 100, 85)
    assert gate.reasons == {"training prohibited: patient data": 15, "flagged": 5}
    assert set(gate.examples("training prohibited: patient data")) <= set(barred)
    again = parts.jobs.gate(sheet, shares=Shares(0.7, 0.1))
    assert [p.split for p in again.placed] == [p.split for p in gate.placed], "the same seed gives the same split"


def test_a_list_of_training_sheets_says_which_are_ready(parts):
    ready = parts.reviewed(20)
    short = parts.generated(20)
    parts.approve(short, limit=4)
    found = {candidate.training_sheet.id: candidate for candidate in parts.jobs.candidates()}
    assert (found[ready].is_ready, found[ready].permitted, found[ready].note) == (True, 20, "Ready")
    assert (found[short].is_ready, found[short].note) == (False, "6 more approved pairs needed")


def test_the_gate_refuses_a_training_sheet_that_was_rejected(parts):
    sheet = parts.generated(12)
    parts.training_sheets.move(sheet, "reject", by=ANN, note="wrong column")
    with pytest.raises(Conflict, match="is rejected"):
        parts.jobs.gate(sheet)


def test_a_training_sheet_that_does_not_exist(parts):
    with pytest.raises(NotFound):
        parts.jobs.submit(parts.request("ts-none"), by=ANN)


# --- submission ----------------------------------------------------------------------------------------------------


def test_acceptance_2_nine_eligible_pairs_are_refused_by_the_service(parts):
    sheet = parts.generated(12)
    parts.approve(sheet, limit=9)
    with pytest.raises(Invalid, match="Only 9 pairs") as refused:
        parts.jobs.submit(parts.request(sheet), by=ANN)
    assert "3 not reviewed yet" in refused.value.hint
    assert parts.jobs.find() == []
    assert parts.runs.find() == [] or all(run.kind != "train" for run in parts.runs.find())


@pytest.mark.parametrize("name", ["", "Mail Class", "9mails", "mail/class", "mäil", "-mail", "m" * 64, "mail\n"])
def test_an_illegal_model_name_is_refused(parts, name):
    with pytest.raises(Invalid, match="cannot be a model name"):
        parts.jobs.submit(parts.request(parts.reviewed(20), model_name=name), by=ANN)


def test_an_unknown_parameter_is_refused_and_the_known_ones_are_named(parts):
    with pytest.raises(Invalid, match="no parameter epochs") as refused:
        parts.jobs.submit(parts.request(parts.reviewed(20), parameters={"epochs": 3}), by=ANN)
    assert "rounds" in refused.value.hint


def test_a_trainer_that_is_not_ready_says_why(parts):
    parts.trainer.reason = "The environment for word counting is not installed."
    with pytest.raises(Invalid, match="is not installed"):
        parts.jobs.submit(parts.request(parts.reviewed(20)), by=ANN)


def test_an_unknown_trainer_is_refused(parts):
    with pytest.raises(Invalid, match="no trainer"):
        parts.jobs.submit(parts.request(parts.reviewed(20), trainer="magic"), by=ANN)


def test_a_trainer_that_cannot_learn_these_answers_is_neither_offered_nor_accepted(parts):
    sheet = parts.reviewed(20)
    parts.trainer.answer_kinds = ("structured",)
    assert parts.jobs.trainers_for(sheet) == []
    with pytest.raises(Invalid, match="cannot learn label answers"):
        parts.jobs.submit(parts.request(sheet), by=ANN)


def test_shares_that_leave_nothing_for_the_test_are_refused(parts):
    with pytest.raises(Invalid, match="cannot be"):
        parts.jobs.submit(parts.request(parts.reviewed(60), shares=Shares(0.9, 0.1)), by=ANN)


def test_an_identical_job_waits_for_the_first_one(parts):
    sheet = parts.reviewed(60)
    parts.jobs.submit(parts.request(sheet), by=ANN)
    with pytest.raises(Conflict, match="already under way"):
        parts.jobs.submit(parts.request(sheet, parameters={"rounds": 3}), by=BEN)  # 3 is the default: the same job
    parts.jobs.submit(parts.request(sheet, seed=7), by=ANN)
    assert len(parts.jobs.find()) == 2
    parts.work()
    assert parts.trained(sheet).status == "succeeded", "after its end the same job may run again"


def test_a_model_keeps_answering_the_same_question(parts):
    parts.trained(parts.reviewed(60))
    other = parts.make_template(name="Urgency", label_type="urgency")
    with pytest.raises(Invalid, match="answers another question"):
        parts.jobs.submit(parts.request(parts.reviewed(60, template_id=other)), by=ANN)


def test_a_person_without_the_role_may_not_train(parts):
    sheet = parts.reviewed(20)
    parts.permissions.assign(BEN, Role.LABELER, by=ANN)
    with pytest.raises(NotPermitted):
        parts.jobs.submit(parts.request(sheet), by=BEN)
    job = parts.jobs.submit(parts.request(sheet), by=ANN)
    with pytest.raises(NotPermitted):
        parts.jobs.cancel(job.id, by=BEN)


def test_a_name_is_proposed_from_the_sheet_and_then_the_model_keeps_it(parts):
    sheet = parts.reviewed(60)
    assert parts.jobs.proposed_name(sheet) == "mails-mail-class-v1-0-0"
    parts.trained(sheet)
    assert parts.jobs.proposed_name(sheet) == MODEL


@pytest.mark.parametrize(
    ("title", "name"),
    [("Mail messages", "mail-messages"), ("  Été 2024! ", "t-2024"), ("2024", "model-2024"), ("!!!", "model")],
)
def test_names_are_made_legal(title, name):
    assert model_name_from(title) == name


# --- the frozen split ----------------------------------------------------------------------------------------------


def test_the_split_is_frozen_with_answers_and_label_versions(parts):
    sheet = parts.generated(70)
    parts.approve(sheet, limit=69)
    job = parts.jobs.submit(parts.request(sheet, seed=5), by=ANN)
    gate = parts.jobs.gate(sheet, shares=Shares(), seed=5)

    frozen = parts.jobs.pairs(job.id)

    assert dict(zip(frozen["pair_id"], frozen["split"], strict=True)) == {
        placed.pair.pair_id: placed.split.value for placed in gate.placed
    }
    assert (job.train_pairs, job.validation_pairs, job.test_pairs, job.excluded_pairs) == tuple(
        gate.count(split) for split in Split
    )
    approved = frozen[frozen["split"] != "excluded"]
    assert set(approved["canonical_label_version"]) == {1}
    assert set(approved["answer"]) == {"spam", "ham"}
    assert parts.jobs.excluded(job.id) == {"not reviewed yet": 1}
    assert list(parts.jobs.pairs(job.id, split=Split.EXCLUDED)["reason"]) == ["not reviewed yet"]


def test_a_relabelled_item_carries_its_newer_label_version(parts):
    sheet = parts.generated(60)
    parts.approve(sheet)
    edit(parts, sheet, "m00003", "ham")
    job = parts.jobs.submit(parts.request(sheet), by=ANN)
    frozen = parts.jobs.pairs(job.id).set_index("item_ref")
    assert frozen.loc["m00003", "canonical_label_version"] == 2
    assert frozen.loc["m00004", "canonical_label_version"] == 1


def test_only_the_frozen_examples_reach_the_trainer(parts):
    sheet = parts.generated(60)
    parts.approve(sheet, limit=50)
    job = parts.trained(sheet, seed=9)
    [request] = parts.trainer.requests
    frozen = parts.jobs.pairs(job.id)
    assert {e.pair_id for e in request.train} == set(frozen[frozen["split"] == "train"]["pair_id"])
    assert {e.pair_id for e in request.validation} == set(frozen[frozen["split"] == "validation"]["pair_id"])
    assert request.seed == 9
    assert request.template["label_classes"] == ["spam", "ham"]
    assert request.train[0].messages[-1].role == "user", "the answer is not part of the question"


# --- the life of a job ---------------------------------------------------------------------------------------------


def test_acceptance_3_a_job_walks_from_submission_to_its_version(parts, clock):
    sheet = parts.reviewed(60)
    job = parts.jobs.submit(parts.request(sheet), by=ANN)
    assert (job.status, job.started_at, job.is_active) == ("queued", None, True)
    seen = []
    parts.trainer.while_training = lambda step: seen.append(parts.jobs.get(job.id).status)
    clock.move(minutes=2)
    parts.work()

    done = parts.jobs.get(job.id)
    assert seen == ["running"] * 3
    assert (done.status, done.progress, done.error) == ("succeeded", 1.0, "")
    assert done.created_at < done.started_at < done.completed_at
    assert done.tracking_run_id == f"run-of-{job.id}"
    assert messages(parts, job) == [
        "Submitted",
        "Training started",
        "Round 1 is done.",
        "Round 2 is done.",
        "Round 3 is done.",
        f"Registered {MODEL} v1",
    ]
    assert parts.jobs.events(job.id)[-1].by == ANN
    assert [event.action for event in parts.history.of("training_job", job.id)] == ["succeed", "submit"]


@pytest.mark.parametrize("action", LIFECYCLE.table)
@pytest.mark.parametrize("status", list(JobStatus))
def test_every_transition_is_allowed_or_refused_by_the_table(action, status):
    allowed, leads_to = {
        "accept": ({"pending"}, "queued"),
        "start": ({"queued", "running"}, "running"),
        "succeed": ({"running"}, "succeeded"),
        "fail": ({"pending", "queued", "running"}, "failed"),
        "cancel": ({"pending", "queued", "running"}, "cancelled"),
        "expire": ({"queued", "running"}, "timeout"),
    }[action]
    if status in allowed:
        assert LIFECYCLE.next(status, action) == leads_to
    else:
        with pytest.raises(InvalidTransition):
            LIFECYCLE.next(status, action)


def test_curves_and_progress_can_be_read_while_it_trains(parts):
    job = parts.jobs.submit(parts.request(parts.reviewed(60), parameters={"rounds": 4}), by=ANN)
    seen = []

    def look(step):
        if step > 1:
            time.sleep(0.6)  # reports are stored at most twice a second
        now = parts.jobs.get(job.id)
        seen.append((now.progress_step, now.progress_total, len(parts.jobs.metrics(job.id))))

    parts.trainer.while_training = look
    parts.work()
    assert seen == [(0, 0, 0), (1, 4, 1), (2, 4, 2), (3, 4, 3)]
    curve = parts.jobs.metrics(job.id)
    assert list(curve["step"]) == [1, 2, 3, 4]
    assert set(curve["name"]) == {"validation_accuracy"}


def test_a_value_reported_twice_counts_once_and_one_that_is_no_number_leaves_a_hole(parts):
    job = parts.jobs.submit(parts.request(parts.reviewed(60)), by=ANN)
    records = parts.jobs._records
    records.record(job.id, [TrainingEvent(step=1, total=9, metrics={"loss": 0.9, "val_loss": 2.0})])
    records.record(
        job.id,
        [
            TrainingEvent(step=1, total=9, metrics={"loss": 0.8}),
            TrainingEvent(step=2, total=9, metrics={"loss": math.nan}),
            TrainingEvent(step=3, total=9, metrics={"loss": 0.5}),
        ],
    )
    curve = parts.jobs.metrics(job.id)
    assert curve[["name", "step", "value"]].values.tolist() == [
        ["loss", 1, 0.8],
        ["loss", 3, 0.5],
        ["val_loss", 1, 2.0],
    ]
    records.record(job.id, [TrainingEvent(step=2, total=9)])
    assert parts.jobs.get(job.id).progress_step == 3, "progress never goes back"


def test_acceptance_3_cancel_while_it_waits(parts):
    job = parts.jobs.submit(parts.request(parts.reviewed(60)), by=ANN)
    cancelled = parts.jobs.cancel(job.id, by=BEN, reason="wrong sheet")
    assert cancelled.status == "cancelled"
    assert cancelled.completed_at is not None
    parts.work()
    assert parts.trainer.requests == []
    assert "Cancel requested: wrong sheet" in messages(parts, job)
    assert parts.jobs.run_of(job.id).status == "cancelled"


def test_acceptance_3_cancel_while_it_runs(parts):
    job = parts.jobs.submit(parts.request(parts.reviewed(60)), by=ANN)

    def cancel(step):
        if step == 2:
            assert parts.jobs.cancel(job.id, by=ANN).status == "running", "it ends at its next step"
            time.sleep(0.6)  # a run looks at most twice a second whether it was cancelled

    parts.trainer.while_training = cancel
    parts.work()
    assert parts.jobs.get(job.id).status == "cancelled"
    assert parts.jobs.run_of(job.id).status == "cancelled"
    assert parts.versions.of_job(job.id) is None
    assert messages(parts, job)[-1] == "Cancelled"


def test_a_cancel_that_comes_too_late_is_told(parts):
    job = parts.jobs.submit(parts.request(parts.reviewed(60)), by=ANN)
    register = parts.trainer._register

    def register_after_cancel(request, model):
        parts.jobs.cancel(job.id, by=ANN)
        return register(request, model)

    parts.trainer._register = register_after_cancel
    parts.work()
    assert parts.jobs.get(job.id).status == "succeeded"
    assert messages(parts, job)[-2:] == [
        "The cancel came too late: the model was registered already",
        f"Registered {MODEL} v1",
    ]


def test_acceptance_3_a_finished_job_cannot_be_cancelled(parts):
    job = parts.trained(parts.reviewed(60))
    with pytest.raises(InvalidTransition, match="succeeded"):
        parts.jobs.cancel(job.id, by=ANN)
    assert parts.jobs.get(job.id).status == "succeeded", "INV-T7"


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (BackendError("The training process failed. It was killed.", hint="Its log is there."), "It was killed. Its"),
        (ZeroDivisionError("division by zero"), "Unexpected: division by zero"),
    ],
)
def test_a_failure_is_told_with_its_reason(parts, error, told):
    def fail(step):
        raise error

    parts.trainer.while_training = fail
    job = parts.trained(parts.reviewed(60))
    assert job.status == "failed"
    assert told in job.error
    assert job.completed_at is not None
    assert parts.jobs.events(job.id)[0].kind == "error"
    assert parts.jobs.run_of(job.id).status == "failed"
    assert parts.versions.find() == []


def test_a_training_without_end_is_ended(parts, clock):
    parts.trainer.while_training = lambda step: clock.move(hours=LONGEST.total_seconds() / 3600 / 2 + 1)
    job = parts.trained(parts.reviewed(60))
    assert job.status == "timeout"
    assert "longer than 24 hours" in job.error
    assert job.can_retry


def test_a_pair_changed_after_the_submission_is_told(parts):
    sheet = parts.generated(60)
    parts.approve(sheet)
    job = parts.jobs.submit(parts.request(sheet), by=ANN)
    taught = parts.jobs.pairs(job.id, split=Split.TRAIN)["item_ref"]
    edit(parts, sheet, taught.iloc[0], "ham")
    parts.work()
    failed = parts.jobs.get(job.id)
    assert failed.status == "failed"
    assert "1 pair was changed after the job was submitted" in failed.error
    assert parts.trainer.requests == []
    again = parts.jobs.retry(job.id, by=ANN)
    parts.work()
    assert parts.jobs.get(again.id).status == "succeeded"


def test_a_training_sheet_rejected_after_the_submission_is_not_trained_on(parts):
    sheet = parts.generated(60)
    parts.approve(sheet)
    job = parts.jobs.submit(parts.request(sheet), by=ANN)
    parts.training_sheets.move(sheet, "reject", by=ANN, note="wrong column")
    parts.work()
    assert "is rejected now" in parts.jobs.get(job.id).error


def test_a_retry_is_a_new_job_with_its_parent(parts):
    sheet = parts.reviewed(60)
    first = parts.jobs.submit(parts.request(sheet), by=ANN)
    parts.jobs.cancel(first.id, by=ANN)
    second = parts.jobs.retry(first.id, by=BEN, changes={"rounds": 1})
    assert second.id != first.id
    assert second.request.parent_job_id == first.id
    assert second.request.launched_from == "retry"
    assert second.request.parameters == {"rounds": 1, "smoothing": 0.5}
    assert parts.jobs.get(first.id).status == "cancelled", "INV-T7"
    parts.work()
    with pytest.raises(Conflict, match="cannot be retried"):
        parts.jobs.retry(second.id, by=ANN)


# --- interruptions -------------------------------------------------------------------------------------------------


def test_acceptance_3_an_interrupted_job_resumes_and_registers_one_version(parts):
    sheet = parts.reviewed(60)
    job = parts.jobs.submit(parts.request(sheet), by=ANN)
    worker = parts.worker()

    def stop(step):
        if step == 2:
            worker._stopping.set()  # the process ends while it trains

    parts.trainer.while_training = stop
    worker.run_one()
    assert parts.jobs.get(job.id).status == "running"
    assert parts.jobs.run_of(job.id).status == "interrupted"

    parts.trainer.while_training = lambda step: None
    parts.runs.recover()
    parts.work()
    assert parts.jobs.get(job.id).status == "succeeded"
    assert [version.version for version in parts.versions.find()] == [1]
    assert "Started again after an interruption" in messages(parts, job)
    assert list(parts.jobs.metrics(job.id)["step"]) == [1, 2, 3]


def test_a_killed_process_leaves_a_job_that_the_next_one_finishes(tmp_path):
    """kill -9 in the middle of the training; the next process trains it once more and registers one version."""
    parts = TrainingParts(tmp_path)
    sheet = parts.reviewed(60)
    job = parts.jobs.submit(parts.request(sheet), by=ANN)
    child = subprocess.Popen(
        [sys.executable, "-m", "tests.core.training_process", str(tmp_path)],
        cwd=REPOSITORY,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert child.stdout.readline() == "training\n"
    child.kill()
    child.wait()
    child.stdout.close()
    assert parts.jobs.get(job.id).status == "running"

    parts.runs.recover()
    parts.work()
    assert parts.jobs.get(job.id).status == "succeeded"
    assert len(parts.versions.find()) == 1
    parts.store.close()


def test_a_cancel_that_nobody_could_carry_out_is_settled(parts):
    """The person cancels, and the process dies before the trainer notices: nobody calls the handler again."""
    job = parts.jobs.submit(parts.request(parts.reviewed(60)), by=ANN)

    def die(step):
        parts.jobs.cancel(job.id, by=ANN)
        raise KeyboardInterrupt

    parts.trainer.while_training = die
    with pytest.raises(KeyboardInterrupt):
        parts.worker().run_one()
    parts.jobs.settle()
    assert parts.jobs.get(job.id).status == "running", "its run may still be alive"
    parts.runs.finish(parts.jobs.run_of(job.id).id, RunStatus.CANCELLED)
    parts.jobs.settle()
    assert parts.jobs.get(job.id).status == "cancelled"


def test_settling_leaves_waiting_jobs_alone(parts):
    job = parts.jobs.submit(parts.request(parts.reviewed(60)), by=ANN)
    parts.jobs.settle()
    assert parts.jobs.get(job.id).status == "queued"


# --- what a success leaves behind ----------------------------------------------------------------------------------


def test_a_training_sheet_whose_review_is_closed_is_trained_afterwards(parts):
    sheet = parts.reviewed(60)
    parts.trained(sheet)
    assert parts.training_sheets.get(sheet).status == "trained"
    assert parts.history.of("training_sheet", sheet)[0].action == "mark_trained"


def test_a_training_sheet_in_review_stays_in_review(parts):
    sheet = parts.generated(70)
    parts.approve(sheet, limit=60)
    assert parts.trained(sheet).status == "succeeded"
    assert parts.training_sheets.get(sheet).status == "review"


def test_the_new_version_is_evaluated_at_once_on_its_test_part(parts):
    job = parts.trained(parts.reviewed(90))
    evaluation = parts.evaluations.latest(MODEL, 1)
    assert evaluation.item_count == job.test_pairs > 0
    assert evaluation.dataset_id == job.id


def test_that_nothing_can_be_evaluated_does_not_undo_the_training(parts):
    sheet = parts.generated(70)
    parts.approve(sheet)
    rules = UsageRules(
        prohibited=frozenset({Use.EVALUATION}), allowed=frozenset({Use.TRAINING, Use.VALIDATION}), reason="contract"
    )
    parts.restrict(sheet, rules, first=70)
    job = parts.trained(sheet)
    assert (job.status, job.test_pairs) == ("succeeded", 0)
    assert "Not evaluated: No held-out item is left" in messages(parts, job)[-1]


def test_the_version_and_its_reference_profile_are_stored_with_the_job(parts):
    parts.trained(parts.reviewed(90))
    version = parts.versions.get(MODEL, 1)
    assert version.metrics["validation_accuracy"] == 1.0
    assert version.details["chosen"] == "words"
    assert set(version.reference_profile["features"]) >= {"answer", "length of subject"}


def test_a_worker_thread_trains_without_being_asked(parts):
    worker: Worker = parts.worker()
    job = parts.jobs.submit(parts.request(parts.reviewed(60)), by=ANN)
    worker.start()
    try:
        deadline = time.monotonic() + 20
        while parts.jobs.get(job.id).is_active and time.monotonic() < deadline:
            time.sleep(0.05)
    finally:
        worker.stop()
    assert parts.jobs.get(job.id).status == "succeeded"


# --- retraining (RT-1) ---------------------------------------------------------------------------------------------


def test_rt_1_a_retraining_is_prefilled_with_what_is_new_changed_and_removed(parts):
    sheet = parts.generated(60)
    parts.approve(sheet, limit=40)
    parts.trained(sheet, seed=3, parameters={"rounds": 2})
    taught = list(parts.jobs.pairs(parts.jobs.find()[0].id, split=Split.TRAIN)["item_ref"])
    parts.approve(sheet)
    edit(parts, sheet, taught[0], "ham" if int(taught[0][1:]) % 3 == 0 else "spam")
    ban = UsageRules(allowed=frozenset(), prohibited=frozenset(Use), reason="withdrawn")
    pair = next(p for p in parts.pairs.find(sheet, PairFilter(), limit=100) if p.item_ref == taught[1])
    parts.pairs.set_usage([pair.id], ban, by=ANN)

    proposal = parts.jobs.propose_retrain(MODEL)

    assert proposal.request.model_name == MODEL, "a new version, not a new name"
    assert proposal.request.parameters == {"rounds": 2, "smoothing": 0.5}
    assert (proposal.request.seed, proposal.request.launched_from) == (3, "retrain")
    assert proposal.request.training_sheet_id == sheet
    items = {item.item_ref: item for item in proposal.difference.items}
    assert items[taught[0]].change == "changed"
    assert (items[taught[0]].before, items[taught[0]].now) in {("spam", "ham"), ("ham", "spam")}
    assert items[taught[1]].change == "removed"
    assert (proposal.difference.changed, proposal.difference.removed) == (1, 1)
    expected_new = sum(
        placed.split in {Split.TRAIN, Split.VALIDATION} and int(placed.pair.item_ref[1:]) >= 40
        for placed in parts.jobs.gate(sheet, seed=3).placed
    )
    assert proposal.difference.new == expected_new > 0

    retrained = parts.jobs.submit(proposal.request, by=ANN)
    parts.work()
    assert parts.jobs.get(retrained.id).request.parent_job_id == proposal.last.job_id
    assert parts.versions.latest(MODEL).version == 2


def test_rt_1_takes_the_newest_training_sheet_for_the_same_question(parts):
    template = parts.make_template()
    first = parts.reviewed(40, template_id=template)
    parts.trained(first)
    sheet_id = parts.training_sheets.get(first).sheet_id
    newer = parts.generated(40, sheet_id=sheet_id, template_id=template)
    parts.generated(40, sheet_id=sheet_id, template_id=parts.make_template(name="Other", label_type="other"))
    assert parts.jobs.propose_retrain(MODEL).request.training_sheet_id == newer


def test_rt_1_an_unknown_model(parts):
    with pytest.raises(NotFound, match="no model"):
        parts.jobs.propose_retrain("nothing")


def test_a_job_over_pairs_that_different_template_versions_asked_says_so(parts):
    template = parts.make_template()
    sheet = parts.generated(60, template_id=template)
    version = parts.templates.create_version(template, by=ANN)
    draft = replace(version.draft, user_prompt="Sort {{ subject }}")
    parts.templates.update(version.id, draft, by=ANN, row_version=version.row_version)
    parts.templates.move(version.id, "publish", by=ANN)
    anew = tuple(pair.id for pair in parts.pairs.find(sheet, limit=20))
    asked = AnswerRequest(pair_ids=anew, overwrite=True, template_id=version.id)
    parts.training_sheets.answer_pairs(sheet, asked, by=ANN)
    assert Worker(parts.runs, {"answer_pairs": parts.training_sheets.handle_answering}, threads=1).run_one()
    parts.approve(sheet)
    job = parts.trained(sheet)
    (line,) = [message for message in messages(parts, job) if "asked by" in message]
    used = parts.jobs.pairs(job.id)
    used = used[used["split"].isin(["train", "validation"])]
    items = {pair.item_ref for pair in parts.pairs.find(sheet, limit=20)}
    count = int(used["item_ref"].isin(items).sum())
    assert line == (
        f"Not all of the {len(used)} pairs were asked by v1.0.0 of the template, which goes with the model: "
        f"{count} by v1.1.0."
    )
    assert 0 < count < len(used)
    assert not [line for line in messages(parts, parts.trained(parts.reviewed(60))) if "asked by" in line]


def test_a_job_over_pairs_with_pictures_says_that_nobody_looks_at_them(parts):
    sheet = parts.reviewed(60)
    parts.store.execute(
        "UPDATE pairs SET messages = :messages WHERE training_sheet_id = :id AND sequence_number <= 20",
        touches="pairs",
        id=sheet,
        messages='[{"role": "user", "content": "[picture: a.png]", "attachments": ["demo.a.b/a.png"]}]',
    )
    parts.store.execute(
        "UPDATE pairs SET messages = REPLACE(messages, 'a.png', item_ref || '.png') WHERE training_sheet_id = :id "
        "AND sequence_number <= 20",
        touches="pairs",
        id=sheet,
    )
    job = parts.trained(sheet)
    (line,) = [message for message in messages(parts, job) if "have pictures" in message]
    assert "learns from the text of the question alone" in line
    assert not [line for line in messages(parts, parts.trained(parts.reviewed(60))) if "pictures" in line]
