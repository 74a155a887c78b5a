"""Evaluations: held-out items only, every exclusion explained, intervals kept, and an honest comparison."""

from __future__ import annotations

import json

import numpy as np
import pytest

from tests.core.generation_parts import ANN, BEN, truth
from tests.core.training_parts import MODEL, TrainingParts
from workbench_core import usage
from workbench_core.errors import Conflict, Invalid, InvalidTransition, NotFound, NotPermitted, Unavailable
from workbench_core.evaluations import SEEN, DatasetKind
from workbench_core.metrics import AnswerKind, Direction
from workbench_core.pairs import PairFilter
from workbench_core.permissions import Role
from workbench_core.runs import RunStatus


@pytest.fixture
def parts(tmp_path, clock):
    made = TrainingParts(tmp_path, clock=clock)
    yield made
    made.store.close()


@pytest.fixture
def two_versions(parts):
    """Version 1 saw spam only and calls everything spam; version 2 saw both. 300 mails, about 60 held out."""
    template = parts.make_template()
    first = parts.reviewed(300, template_id=template, filter="verdict = 'spam'")
    parts.trained(first)
    sheet_id = parts.training_sheets.get(first).sheet_id
    parts.trained(parts.reviewed(300, sheet_id=sheet_id, template_id=template))
    return parts


def subject_of(parts, training_sheet_id, item_ref):
    found = parts.pairs.find(training_sheet_id, PairFilter(), limit=1000)
    return next(pair.variables["subject"] for pair in found if pair.item_ref == item_ref)


# --- evaluating ----------------------------------------------------------------------------------------------------


def test_ev_1_a_version_is_measured_on_its_own_test_part(parts):
    job = parts.trained(parts.reviewed(300))
    evaluation = parts.evaluations.latest(MODEL, 1)
    items = parts.evaluations.items(evaluation.id)
    test = parts.jobs.pairs(job.id).query("split == 'test'")
    assert set(items["pair_id"]) == set(test["pair_id"])
    assert evaluation.item_count == job.test_pairs == len(items)
    assert (evaluation.excluded_count, evaluation.excluded_reasons) == (0, {})
    assert set(items["latency_ms"]) == {2.0}
    assert list(items["expected"]) == [truth(int(item[1:])) for item in items["item_ref"]]
    assert items["is_correct"].all()
    assert parts.evaluations.items(evaluation.id, only_wrong=True).empty


def test_every_metric_is_stored_with_its_interval_and_count(parts):
    parts.trained(parts.reviewed(300))
    evaluation = parts.evaluations.latest(MODEL, 1)
    values = {(value.name, value.part): value for value in parts.evaluations.metrics(evaluation.id)}
    accuracy, recall = values["accuracy", ""], values["recall", "spam"]
    assert (accuracy.value, accuracy.high, accuracy.n) == (1.0, 1.0, evaluation.item_count)
    assert 0.9 < accuracy.low < 1.0, "all right on about 60 items is no proof of 100 %"
    assert (recall.value, recall.n) == (1.0, values["support", "spam"].value)
    assert values["latency_ms_p95", ""].value == 2.0
    assert values["latency_ms_p95", ""].direction is Direction.LOWER
    assert ("f1", "ham") in values


def test_acceptance_5_items_seen_in_training_are_left_out_and_told(parts):
    sheet = parts.reviewed(200)
    job = parts.trained(sheet)
    evaluation = parts.evaluations.evaluate_now(
        MODEL, 1, by=ANN, dataset_kind=DatasetKind.TRAINING_SHEET, dataset_id=sheet
    )
    seen = parts.versions.used_items(MODEL, 1)
    assert evaluation.excluded_reasons == {SEEN: len(seen)}
    assert evaluation.excluded_count == job.train_pairs + job.validation_pairs
    assert not set(parts.evaluations.items(evaluation.id)["item_ref"]) & seen


def test_acceptance_5_the_same_item_in_another_training_sheet_is_still_seen(parts):
    template = parts.make_template()
    first = parts.reviewed(100, template_id=template)
    parts.trained(first)
    sheet_id = parts.training_sheets.get(first).sheet_id
    again = parts.generated(100, sheet_id=sheet_id, template_id=template)
    parts.approve(again)
    evaluation = parts.evaluations.evaluate_now(
        MODEL, 1, by=ANN, dataset_kind=DatasetKind.TRAINING_SHEET, dataset_id=again
    )
    assert evaluation.excluded_reasons[SEEN] == len(parts.versions.used_items(MODEL, 1))


def test_what_is_not_approved_or_not_permitted_is_left_out_and_told(parts):
    template = parts.make_template()
    first = parts.reviewed(60, template_id=template)
    parts.trained(first)
    other = parts.generated(60, template_id=template, sheet_id=new_mails(parts, range(100, 160)))
    parts.restrict(other, usage.preset("client_data"), first=10)
    parts.approve(other, limit=50)
    evaluation = parts.evaluations.evaluate_now(
        MODEL, 1, by=ANN, dataset_kind=DatasetKind.TRAINING_SHEET, dataset_id=other
    )
    assert evaluation.excluded_reasons == {"evaluation prohibited: client data under NDA": 10, "not approved": 10}
    assert evaluation.item_count == 40


def new_mails(parts, items) -> str:
    """A second sheet over other mails."""
    from workbench_core.sheets import SheetDraft

    source = parts.put_mails(items, source="demo.acme.later_mails")
    draft = SheetDraft("Later mails", source, "mail_id", metadata_columns=("subject", "verdict"))
    return parts.sheets.move(parts.sheets.create(draft, by=ANN).id, "publish", by=ANN).id


def test_no_item_left_is_refused_with_every_reason(parts):
    sheet = parts.generated(60)
    parts.approve(sheet)
    parts.restrict(sheet, usage.preset("client_data"), first=60)
    parts.trained(sheet)
    with pytest.raises(Invalid, match=r"No held-out item is left .* seen in training"):
        parts.evaluations.start(MODEL, 1, by=ANN, dataset_kind=DatasetKind.TRAINING_SHEET, dataset_id=sheet)
    with pytest.raises(Invalid, match="the dataset is empty"):
        parts.evaluations.start(MODEL, 1, by=ANN)
    assert parts.evaluations.find() == []


def test_a_dataset_of_another_question_or_none_at_all_is_refused(parts):
    parts.trained(parts.reviewed(60))
    other = parts.reviewed(60, template_id=parts.make_template(name="Urgency", label_type="urgency"))
    with pytest.raises(Invalid, match="labelled with urgency"):
        parts.evaluations.start(MODEL, 1, by=ANN, dataset_kind=DatasetKind.TRAINING_SHEET, dataset_id=other)
    with pytest.raises(NotFound, match="dataset"):
        parts.evaluations.start(MODEL, 1, by=ANN, dataset_id="job-none")
    with pytest.raises(Invalid, match="labelling task is missing"):
        parts.evaluations.start(MODEL, 1, by=ANN, dataset_kind=DatasetKind.GAP)
    with pytest.raises(NotFound, match="no version 9"):
        parts.evaluations.start(MODEL, 9, by=ANN)


def test_the_held_out_part_of_a_gap_is_a_dataset(parts):
    template = parts.make_template()
    parts.trained(parts.reviewed(60, template_id=template))
    later = new_mails(parts, range(100, 160))
    held = frozenset(f"m{item:05d}" for item in range(100, 140))
    sheet = parts.generated(60, sheet_id=later, template_id=template, held_out=held)
    parts.approve(sheet, limit=55)
    task = gap_task(parts, later, sheet, held)
    evaluation = parts.evaluations.evaluate_now(MODEL, 1, by=ANN, dataset_kind=DatasetKind.GAP, dataset_id=task)
    assert set(parts.evaluations.items(evaluation.id)["item_ref"]) == held, "the training part stays out"


def gap_task(parts, sheet_id, training_sheet_id, held_out) -> str:
    """A labelling task with these items set aside, as the gap's own service writes it."""
    now = parts.evaluations._clock()
    template = parts.training_sheets.get(training_sheet_id).prompt_template_id
    parts.store.append("gaps", [{
        "id": "gap-1", "fingerprint": "f", "model_name": MODEL, "version": 1, "sheet_id": sheet_id,
        "prompt_template_id": template, "label_type": "mail_class", "gap_type": "slice", "severity": "high",
        "description": "Later mails", "predicate": "{}", "evidence_type": "evaluation", "evidence": "[]",
        "item_count": 40, "failure_count": 20, "error_rate": 0.5, "error_low": 0.4, "error_high": 0.6,
        "overall_rate": 0.1, "q_value": 0.01, "estimated_records": 60, "priority": 1, "status": "task_created",
        "identified_by": ANN, "first_seen_at": now, "last_seen_at": now,
    }])  # fmt: skip
    parts.store.append("labeling_tasks", [{
        "id": "task-1", "gap_id": "gap-1", "training_sheet_id": training_sheet_id, "title": "Later mails",
        "priority": "high", "status": "completed", "created_by": ANN, "created_at": now,
    }])  # fmt: skip
    found = parts.pairs.find(training_sheet_id, PairFilter(), limit=1000)
    parts.store.append("labeling_task_items", [
        {"task_id": "task-1", "item_ref": pair.item_ref,
         "part": "held_out" if pair.item_ref in held_out else "train"} for pair in found
    ])  # fmt: skip
    return "task-1"


def test_an_item_without_an_answer_is_wrong_and_counts_as_an_error(parts):
    sheet = parts.reviewed(300)
    parts.trained(sheet)
    item = parts.evaluations.items(parts.evaluations.latest(MODEL, 1).id)["item_ref"].iloc[0]
    parts.serving.failing = frozenset({subject_of(parts, sheet, item)})
    evaluation = parts.evaluations.evaluate_now(MODEL, 1, by=ANN)
    wrong = parts.evaluations.items(evaluation.id, only_wrong=True)
    assert list(wrong["item_ref"]) == [item]
    assert list(wrong["error"]) == ["The model gave no answer."]
    values = {value.name: value.value for value in parts.evaluations.metrics(evaluation.id) if not value.part}
    assert values["error_rate"] == pytest.approx(1 / evaluation.item_count)
    table = parts.evaluations.confusion(evaluation.id)
    assert table.loc[truth(int(item[1:])), "(no answer)"] == 1


def test_the_confusion_matrix_counts_every_item_once(two_versions):
    parts = two_versions
    evaluation, _ = parts.evaluations.start_pair(MODEL, 1, 2, by=ANN)
    parts.work()
    table = parts.evaluations.confusion(evaluation.id)
    items = parts.evaluations.items(evaluation.id)
    assert list(table.index) == ["spam", "ham"]
    assert list(table.columns) == ["spam", "ham"]
    assert table["ham"].sum() == 0, "the first version knows one answer only"
    assert table.loc["ham", "spam"] == (items["expected"] == "ham").sum()
    assert table.to_numpy().sum() == len(items)


def test_an_answer_outside_the_classes_of_the_template_is_told_apart_from_a_wrong_class(parts):
    parts.trained(parts.reviewed(300))
    parts.serving.trainer.models[MODEL, 1].answer = lambda variables: "perhaps"
    evaluation = parts.evaluations.evaluate_now(MODEL, 1, by=ANN)
    values = {value.name: value.value for value in parts.evaluations.metrics(evaluation.id) if not value.part}
    assert values["out_of_vocabulary_rate"] == 1.0
    assert parts.evaluations.confusion(evaluation.id).sum().to_dict() == {
        "spam": 0,
        "ham": 0,
        "(other)": evaluation.item_count,
    }


# --- the run -------------------------------------------------------------------------------------------------------


def test_serving_that_is_down_fails_the_evaluation_with_its_reason(parts):
    parts.trained(parts.reviewed(60))
    evaluation = parts.evaluations.start(MODEL, 1, by=ANN)
    parts.serving.down = Unavailable("The model server does not answer.", hint="Restart it.")
    parts.work()
    failed = parts.evaluations.get(evaluation.id)
    assert (failed.status, failed.error) == ("failed", "The model server does not answer. Restart it.")
    assert failed.completed_at is not None
    assert parts.evaluations.latest(MODEL, 1).id != evaluation.id
    assert parts.evaluations.items(evaluation.id).empty


def test_a_fault_nobody_expected_is_told_too(parts):
    parts.trained(parts.reviewed(60))
    parts.serving.predict = lambda *_: []  # fewer answers than questions
    evaluation = parts.evaluations.start(MODEL, 1, by=ANN)
    parts.work()
    assert parts.evaluations.get(evaluation.id).error.startswith("Unexpected: ")


def test_cancel_while_it_waits_and_not_after_its_end(parts):
    parts.trained(parts.reviewed(60))
    evaluation = parts.evaluations.start(MODEL, 1, by=ANN)
    assert parts.evaluations.cancel(evaluation.id, by=ANN).status == "cancelled"
    parts.work()
    assert parts.evaluations.get(evaluation.id).status == "cancelled"
    with pytest.raises(InvalidTransition):
        parts.evaluations.cancel(parts.evaluations.latest(MODEL, 1).id, by=ANN)


def test_cancel_while_it_runs(parts):
    parts.trained(parts.reviewed(60))
    evaluation = parts.evaluations.start(MODEL, 1, by=ANN)
    predict = parts.serving.predict

    def cancel(*arguments):
        if not parts.evaluations.run_of(evaluation.id).cancel_requested:
            parts.evaluations.cancel(evaluation.id, by=ANN)
        return predict(*arguments)

    parts.serving.predict = cancel
    parts.work()
    assert parts.evaluations.get(evaluation.id).status == "cancelled"
    assert parts.evaluations.run_of(evaluation.id).status == "cancelled"
    assert parts.evaluations.items(evaluation.id).empty


def test_an_interrupted_evaluation_starts_over_and_is_whole(parts):
    parts.trained(parts.reviewed(60))
    evaluation = parts.evaluations.start(MODEL, 1, by=ANN)
    worker = parts.worker()
    worker._stopping.set()
    worker.run_one()
    assert parts.evaluations.get(evaluation.id).status == "running"
    parts.runs.recover()
    parts.work()
    done = parts.evaluations.get(evaluation.id)
    assert done.status == "succeeded"
    assert len(parts.evaluations.items(evaluation.id)) == done.item_count


def test_a_cancel_that_nobody_could_carry_out_is_settled(parts):
    parts.trained(parts.reviewed(60))
    evaluation = parts.evaluations.start(MODEL, 1, by=ANN)
    parts.evaluations.settle()
    assert parts.evaluations.get(evaluation.id).status == "queued"
    run = parts.runs.take("a worker that dies")
    parts.runs.finish(run.id, RunStatus.CANCELLED)
    parts.evaluations.settle()
    assert parts.evaluations.get(evaluation.id).status == "cancelled"


def test_a_person_without_the_role_may_not_evaluate(parts):
    parts.trained(parts.reviewed(60))
    parts.permissions.assign(BEN, Role.LABELER, by=ANN)
    with pytest.raises(NotPermitted):
        parts.evaluations.start(MODEL, 1, by=BEN)


def test_ev_2_evaluations_are_listed_newest_first(two_versions):
    parts = two_versions
    parts.evaluations.evaluate_now(MODEL, 1, by=ANN)
    found = parts.evaluations.find(model_name=MODEL)
    assert [one.version for one in found] == [1, 2, 1]
    assert [one.version for one in parts.evaluations.find(model_name=MODEL, version=2)] == [2]
    assert parts.evaluations.find(model_name="other") == []


# --- comparing (EV-3) ----------------------------------------------------------------------------------------------


def test_ev_3_a_better_version_wins_item_by_item(two_versions):
    parts = two_versions
    before, after = parts.evaluations.start_pair(MODEL, 1, 2, by=ANN)
    parts.work()
    compared = parts.evaluations.compare(before.id, after.id)
    ham = (parts.evaluations.items(after.id)["expected"] == "ham").sum()
    items = compared.items
    assert (items.wins, items.losses, items.ties) == (ham, 0, after.item_count - ham)
    assert items.verdict == "better"
    assert 0 < items.interval.low < items.delta < items.interval.high
    assert len(compared.changed) == ham
    assert compared.changed["is_won"].all()
    assert set(compared.changed["before"]) == {"spam"}
    assert set(compared.changed["after"]) == {"ham"}
    accuracy = next(one for one in compared.metrics if (one.name, one.part) == ("accuracy", ""))
    assert (accuracy.after.value, accuracy.before.value) == (1.0, pytest.approx(1 - ham / after.item_count))
    assert accuracy.delta == pytest.approx(items.delta)


def test_ev_3_the_other_way_round_it_is_worse(two_versions):
    parts = two_versions
    before, after = parts.evaluations.start_pair(MODEL, 1, 2, by=ANN)
    parts.work()
    compared = parts.evaluations.compare(after.id, before.id)
    assert compared.items.verdict == "worse"
    assert (compared.items.wins, compared.items.losses > 0) == (0, True)
    assert not compared.changed["is_won"].any()


def test_acceptance_6_few_items_are_too_few_for_a_verdict(parts):
    template = parts.make_template()
    first = parts.reviewed(70, template_id=template, filter="verdict = 'spam'", row_limit=70)
    sheet_id = parts.training_sheets.get(first).sheet_id
    parts.trained(first, seed=2)
    parts.trained(parts.reviewed(70, sheet_id=sheet_id, template_id=template), seed=2)
    before, after = parts.evaluations.start_pair(MODEL, 1, 2, by=ANN)
    parts.work()
    compared = parts.evaluations.compare(before.id, after.id)
    assert compared.items.n < 30
    assert compared.items.wins > 0
    assert compared.items.verdict == "too few"


def test_the_same_model_trained_twice_is_the_same(parts):
    sheet = parts.reviewed(300)
    parts.trained(sheet)
    parts.trained(sheet, parameters={"rounds": 1})
    before, after = parts.evaluations.start_pair(MODEL, 1, 2, by=ANN)
    parts.work()
    compared = parts.evaluations.compare(before.id, after.id)
    assert (compared.items.verdict, compared.items.ties) == ("same", after.item_count)
    assert compared.changed.empty


def test_ev_3_evaluations_on_different_items_are_refused(two_versions):
    parts = two_versions
    first, second = parts.evaluations.latest(MODEL, 1), parts.evaluations.latest(MODEL, 2)
    with pytest.raises(Conflict, match="different items"):
        parts.evaluations.compare(first.id, second.id)
    with pytest.raises(Conflict, match="same version"):
        parts.evaluations.compare(second.id, second.id)
    with pytest.raises(Invalid, match="with itself"):
        parts.evaluations.start_pair(MODEL, 2, 2, by=ANN)


def test_ev_3_an_unfinished_evaluation_is_refused(two_versions):
    parts = two_versions
    before, after = parts.evaluations.start_pair(MODEL, 1, 2, by=ANN)
    assert (before.status, after.status) == ("queued", "succeeded")
    with pytest.raises(Conflict, match="is queued"):
        parts.evaluations.compare(before.id, after.id)


def test_a_pair_of_evaluations_is_made_once(two_versions):
    parts = two_versions
    waiting = parts.evaluations.start_pair(MODEL, 1, 2, by=ANN)
    assert parts.evaluations.start_pair(MODEL, 1, 2, by=BEN) == waiting
    parts.work()
    done = parts.evaluations.start_pair(MODEL, 1, 2, by=BEN)
    assert [one.id for one in done] == [one.id for one in waiting]
    assert {one.status for one in done} == {"succeeded"}


def test_inv_t3_versions_are_compared_only_on_items_that_neither_has_seen(parts):
    """With another seed the test part of the second version holds items that the first one learned."""
    sheet = parts.reviewed(300)
    parts.trained(sheet, seed=1)
    parts.trained(sheet, seed=2)
    before, after = parts.evaluations.start_pair(MODEL, 1, 2, by=ANN)
    parts.work()
    before = parts.evaluations.get(before.id)
    compared = parts.evaluations.compare(before.id, after.id)
    assert before.excluded_reasons[SEEN] > 0
    assert compared.items.n == before.item_count < after.item_count
    accuracy = next(one for one in compared.metrics if (one.name, one.part) == ("accuracy", ""))
    assert accuracy.before.n == accuracy.after.n == compared.items.n, "both metrics are over the shared items"


def test_free_text_is_compared_by_the_words_in_common(two_versions):
    parts = two_versions
    before, after = parts.evaluations.start_pair(MODEL, 1, 2, by=ANN)
    parts.work()
    parts.store.execute("UPDATE evaluations SET answer_kind = 'text'", touches="evaluations")
    parts.store.execute("UPDATE evaluation_items SET expected = 'a long answer'", touches="evaluation_items")
    for evaluation, actual in ((before, "a short word"), (after, "a long word")):
        parts.store.execute(
            "UPDATE evaluation_items SET actual = :actual WHERE evaluation_id = :id",
            touches="evaluation_items", actual=actual, id=evaluation.id,
        )  # fmt: skip
    assert parts.evaluations.get(after.id).answer_kind is AnswerKind.TEXT
    compared = parts.evaluations.compare(before.id, after.id).items
    assert (compared.wins, compared.verdict) == (after.item_count, "better")
    assert compared.delta == pytest.approx(1 / 3)
    assert parts.evaluations.compare(before.id, after.id, score="correct").items.ties == after.item_count
    assert parts.evaluations.confusion(after.id) is None


def test_scores_of_every_item_are_kept_as_numbers(parts):
    parts.trained(parts.reviewed(60))
    found = parts.store.query("SELECT scores FROM evaluation_items ORDER BY pair_id LIMIT 1")
    scores = json.loads(str(found[0]["scores"]))
    assert scores == {"out_of_vocabulary": 0.0}
    assert not any(np.isnan(value) for value in scores.values())
