"""Bulk decisions (TS-10): the preview tells what happens, one step for undo, large ones as a run that can be killed."""

from __future__ import annotations

import random
import time
from collections import Counter

import pytest

from tests.core import bulk_process
from tests.core.generation_parts import ANN, BEN, Parts
from tests.core.generation_steps import generate
from tests.core.pair_steps import VALUES, bulk, decide, ids, labels_of, made, pairs_in, state, states
from workbench_core import usage
from workbench_core.canonical_labels import LabelEntry
from workbench_core.errors import ChangedByOthers, Conflict, Invalid, InvalidTransition, NotFound, NotPermitted
from workbench_core.pairs import (
    LIFECYCLE,
    PENDING,
    BulkAction,
    PairFilter,
    QualityFlag,
    ReviewStatus,
    Selection,
    bulk_work,
)
from workbench_core.permissions import Role
from workbench_core.prompt_templates import AnswerSource, OutputField
from workbench_core.usage import Use

EVERYTHING = PairFilter()
DUPLICATE, PII = QualityFlag.DUPLICATE, QualityFlag.PII
NO_TRAINING = usage.preset("held_out")


@pytest.fixture
def parts(tmp_path, clock):
    opened = Parts(tmp_path, clock=clock)
    yield opened
    opened.store.close()


@pytest.fixture
def large(monkeypatch):
    """Everything above ten pairs is a run, in batches of four."""
    for module in ("bulk_work", "bulk_preview"):
        monkeypatch.setattr(f"workbench_core.pairs.{module}.LARGE", 10)
    monkeypatch.setattr(bulk_work, "BATCH", 4)
    monkeypatch.setattr(bulk_work, "_PAUSE", 0)


def check_agrees(parts, selection, action, **values):
    """Do it, and compare pairs and labels with what the preview said."""
    before = {pair.id: state(pair) for pair in pairs_in(parts, selection.training_sheet_id)}
    sheet_id = pairs_in(parts, selection.training_sheet_id)[0].sheet_id
    labels = labels_of(parts, sheet_id)
    preview, outcome = bulk(parts, selection, action, **values)
    parts.work()
    after = {pair.id: state(pair) for pair in pairs_in(parts, selection.training_sheet_id)}
    changed = [pair_id for pair_id in before if before[pair_id] != after[pair_id]]
    now = labels_of(parts, sheet_id)
    assert preview.changing == len(changed)
    assert preview.matching == preview.changing + sum(preview.skipped.values())
    assert preview.labels_new == len(now.keys() - labels.keys())
    assert preview.labels_replaced == sum(now[item][0] != labels[item][0] for item in labels)
    assert preview.is_large is (outcome.run is not None)
    if outcome.run is None:
        assert (outcome.done, dict(outcome.skipped)) == (preview.changing, dict(preview.skipped))
    else:
        step = parts.store.query("SELECT pairs, skipped FROM review_steps WHERE run_id = :run", run=outcome.run.id)[0]
        assert step["pairs"] == preview.changing
    return preview


# --- what is done and what is left -----------------------------------------------------------------------------------


@pytest.mark.parametrize("action", ["approve", "reject", "flag", "reopen"])
@pytest.mark.parametrize("status", list(ReviewStatus))
def test_a_bulk_action_follows_the_same_table_as_single_decisions_ts_10(parts, status, action):
    training_sheet_id = made(parts, 2)
    steps = {"approved": "approve", "edited": "edit", "rejected": "reject", "flagged": "flag"}
    for pair in pairs_in(parts, training_sheet_id):
        if status in steps:
            answer = {"answer": "spam" if pair.answer == "ham" else "ham"} if status == "edited" else {}
            values = answer or VALUES.get(steps[status], {})
            assert decide(parts, pair, steps[status], **values).done
    selection = Selection(training_sheet_id, wanted=EVERYTHING)
    preview = check_agrees(parts, selection, BulkAction(action, note="why"))
    allowed, to = LIFECYCLE.table[action]
    found = {pair.review_status for pair in pairs_in(parts, training_sheet_id)}
    if status in allowed:
        assert (found, preview.changing) == ({to}, 2)
    else:
        (reason,) = preview.skipped
        assert found == {status}
        assert reason in {f"The pair is {status} already.", f"The pair is {status} and cannot be {to}.",
                          f"The pair is {status} and cannot be reopened."}  # fmt: skip


@pytest.mark.parametrize("is_large", [False, True])
def test_every_reason_to_leave_a_pair_is_a_sentence_and_counted(parts, request, is_large):
    if is_large:
        request.getfixturevalue("large")
    parts.model.failing = frozenset({"m00002"})
    parts.model.rule = lambda question: "eggs" if question.endswith("no. 4") else "spam"
    training_sheet_id = made(parts, 12)
    pairs = pairs_in(parts, training_sheet_id)
    labels = [LabelEntry("m00001", "ham"), LabelEntry("m00003", "spam")]
    parts.labels.label(labels, sheet_id=pairs[0].sheet_id, label_type="mail_class", by=BEN)
    decide(parts, pairs[5], "reject")
    decide(parts, pairs[6], "approve")
    preview = check_agrees(parts, Selection(training_sheet_id, wanted=EVERYTHING), BulkAction("approve"))
    assert preview.skipped == {
        "The answer is empty.": 1, "The answer is none of the classes.": 1, "The pair is approved already.": 1,
        "The item has another canonical label.": 1, "The pair is rejected and cannot be approved.": 1,
    }  # fmt: skip
    assert (preview.changing, preview.labels_new, preview.labels_replaced) == (7, 6, 0)
    replacing = check_agrees(
        parts, Selection(training_sheet_id, wanted=PENDING), BulkAction("approve", replace_labels=True)
    )
    assert (replacing.changing, replacing.labels_replaced) == (1, 1)


def test_pairs_that_are_gone_or_of_another_sheet_are_counted(parts):
    first, other = made(parts, 2), made(parts, 2)
    chosen = (*ids(pairs_in(parts, first)), *ids(pairs_in(parts, other)), "ts-none-1")
    preview, outcome = bulk(parts, Selection(first, chosen), BulkAction("reject"))
    assert preview.skipped == outcome.skipped == {"The pair no longer exists.": 3}
    assert (preview.changing, outcome.done) == (2, 2)
    assert {pair.review_status for pair in pairs_in(parts, other)} == {ReviewStatus.PENDING}


def test_what_was_changed_after_the_preview_is_left_alone_when_the_person_asks_for_it(parts, clock):
    training_sheet_id = made(parts, 4)
    pairs = pairs_in(parts, training_sheet_id)
    seen = parts.pairs.preview_bulk(Selection(training_sheet_id, wanted=PENDING), BulkAction("approve"), by=ANN)
    clock.move(seconds=5)
    parts.pairs.save(pairs[1].id, "ham" if pairs[1].answer == "spam" else "spam", by=BEN, row_version=1)
    selection = Selection(training_sheet_id, wanted=PENDING, as_of=seen.as_of)
    preview = check_agrees(parts, selection, BulkAction("approve"))
    assert preview.skipped == {"The pair was changed meanwhile.": 1}
    assert parts.pairs.get(pairs[1].id).review_status is ReviewStatus.PENDING


def test_structured_answers_equal_in_meaning_are_no_conflict(parts):
    schema = parts.make_template(
        name="Fields", label_type="fields", label_classes=(), output_schema=(OutputField("kind"), OutputField("n"))
    )
    parts.model.rule = lambda question: '{"kind": "a", "n": "1"}'
    training_sheet_id = generate(parts, parts.make_sheet(3), template_id=schema, source=AnswerSource.AI_GENERATED).id
    pairs = pairs_in(parts, training_sheet_id)
    labels = [LabelEntry("m00000", '{"n": "1",  "kind": "a"}'), LabelEntry("m00001", '{"n": "2", "kind": "a"}')]
    parts.labels.label(labels, sheet_id=pairs[0].sheet_id, label_type="fields", by=BEN)
    preview = check_agrees(parts, Selection(training_sheet_id, wanted=PENDING), BulkAction("approve"))
    assert (preview.changing, preview.labels_new) == (2, 1)
    assert preview.skipped == {"The item has another canonical label.": 1}


@pytest.mark.parametrize("seed", range(4))
def test_preview_and_result_agree_in_whatever_state_the_pairs_are(parts, seed):
    chance = random.Random(seed)
    parts.model.rule = lambda question: chance.choice(["spam", "ham", "eggs", "SPAM"])
    parts.model.failing = frozenset(f"m{chance.randrange(30):05d}" for _ in range(4))
    training_sheet_id = made(parts, 30)
    pairs = pairs_in(parts, training_sheet_id)
    entries = [LabelEntry(pair.item_ref, chance.choice(["spam", "ham"])) for pair in chance.sample(pairs, 10)]
    parts.labels.label(entries, sheet_id=pairs[0].sheet_id, label_type="mail_class", by=BEN)
    for pair in chance.sample(pairs, 15):
        decide(parts, pair, chance.choice(["approve", "reject", "flag", "set_flags"]), note="n", flags=(PII,))
    for _ in range(8):
        name = chance.choice(["approve", "approve", "reject", "flag", "reopen", "set_flags", "set_usage"])
        flags = tuple(chance.sample(list(QualityFlag), chance.randrange(3)))
        rules = chance.choice([NO_TRAINING, usage.preset("synthetic")])
        action = BulkAction(name, "why", flags, rules, replace_labels=chance.random() < 0.5)
        some = ids(chance.sample(pairs, 12))
        wanted = chance.choice([EVERYTHING, PENDING, PairFilter(flags=(PII,)), PairFilter(search="prize")])
        selection = (
            Selection(training_sheet_id, some) if chance.random() < 0.5 else Selection(training_sheet_id, wanted=wanted)
        )
        before, before_labels = states(parts, training_sheet_id), labels_of(parts, pairs[0].sheet_id)
        preview = check_agrees(parts, selection, action)
        if preview.changing:
            after = states(parts, training_sheet_id)
            after_labels = labels_of(parts, pairs[0].sheet_id)
            assert parts.pairs.undo(training_sheet_id, by=ANN).pairs == preview.changing
            assert states(parts, training_sheet_id) == before
            assert labels_of(parts, pairs[0].sheet_id) == before_labels
            assert parts.pairs.redo(training_sheet_id, by=ANN).action == name
            assert labels_of(parts, pairs[0].sheet_id) == after_labels
            assert [one["review_status"] for one in states(parts, training_sheet_id)] == [
                one["review_status"] for one in after
            ]


def test_flags_are_set_and_added(parts):
    training_sheet_id = made(parts, 3)
    everything = Selection(training_sheet_id, wanted=EVERYTHING)
    first = pairs_in(parts, training_sheet_id)[0]
    assert decide(parts, first, "set_flags", flags=(PII, DUPLICATE, PII)).done
    assert parts.pairs.get(first.id).quality_flags == (DUPLICATE, PII)
    preview = check_agrees(parts, everything, BulkAction("set_flags", flags=(PII, DUPLICATE)))
    assert preview.skipped == {"The pair has these quality flags already.": 1}
    check_agrees(parts, everything, BulkAction("flag", "look again", flags=(QualityFlag.TOXIC,)))
    for pair in pairs_in(parts, training_sheet_id):
        assert pair.quality_flags == (DUPLICATE, PII, QualityFlag.TOXIC)
        assert (pair.review_status, pair.review_note) == (ReviewStatus.FLAGGED, "look again")
    assert parts.pairs.count(training_sheet_id, PairFilter(flags=(QualityFlag.TOXIC,))) == 3
    parts.pairs.undo(training_sheet_id, by=ANN)
    assert {pair.quality_flags for pair in pairs_in(parts, training_sheet_id)} == {(DUPLICATE, PII)}
    parts.pairs.undo(training_sheet_id, by=ANN)
    parts.pairs.undo(training_sheet_id, by=ANN)
    assert {pair.quality_flags for pair in pairs_in(parts, training_sheet_id)} == {()}


def test_usage_of_many_pairs_leaves_audit_rows_and_can_be_undone_ts_12(parts):
    training_sheet_id = made(parts, 4)
    pairs = pairs_in(parts, training_sheet_id)
    parts.pairs.set_usage([pairs[0].id], usage.preset("synthetic"), by=BEN)
    parts.pairs.set_usage([pairs[1].id], NO_TRAINING, by=BEN)
    before = states(parts, training_sheet_id)
    selection = Selection(training_sheet_id, wanted=EVERYTHING)
    preview = check_agrees(parts, selection, BulkAction("set_usage", rules=NO_TRAINING))
    assert preview.skipped == {"The pair has these usage rules already.": 1}
    assert parts.pairs.count(training_sheet_id, PairFilter(not_eligible_for=Use.TRAINING)) == 4
    event = parts.history.of("pair", pairs[0].id)[0]
    assert (event.by, event.details["former_usage_reason"], event.details["usage_reason"]) == (
        ANN, "synthetic", "held-out test set",
    )  # fmt: skip
    assert parts.pairs.steps(training_sheet_id, by=ANN).undo == "set usage of 3 pairs"
    parts.pairs.undo(training_sheet_id, by=ANN)
    assert states(parts, training_sheet_id) == before
    event = parts.history.of("pair", pairs[0].id)[0]
    assert (event.action, event.details["usage_reason"]) == ("undo set usage", "synthetic")
    parts.pairs.redo(training_sheet_id, by=ANN)
    assert parts.pairs.count(training_sheet_id, PairFilter(not_eligible_for=Use.TRAINING)) == 4
    parts.pairs.set_usage([pairs[2].id], usage.preset("client_data"), by=BEN)
    with pytest.raises(ChangedByOthers, match=f"usage of item m00002 was changed by {BEN}"):
        parts.pairs.undo(training_sheet_id, by=ANN)


def test_orders_that_make_no_sense_are_refused(parts):
    training_sheet_id = made(parts, 2)
    selection = Selection(training_sheet_id, wanted=EVERYTHING)
    both = usage.UsageRules(prohibited=frozenset({Use.TRAINING}), reason="both")
    orders = (BulkAction("explode"), BulkAction("edit"), BulkAction("flag"), BulkAction("set_usage"),
              BulkAction("set_usage", rules=usage.ALL_USES), BulkAction("set_usage", rules=both))  # fmt: skip
    for action in orders:
        with pytest.raises(Invalid):
            bulk(parts, selection, action)
    with pytest.raises(NotFound):
        bulk(parts, Selection("ts-none", wanted=EVERYTHING), BulkAction("reject"))
    assert parts.pairs.decide_all(Selection(training_sheet_id), BulkAction("reject"), by=ANN).done == 0
    parts.training_sheets.move(training_sheet_id, "close_review", by=ANN, leave_out=True)
    with pytest.raises(Conflict, match="is approved"):
        parts.pairs.decide_all(selection, BulkAction("reject"), by=ANN)
    assert parts.pairs.decide_all(selection, BulkAction("set_usage", rules=NO_TRAINING), by=ANN).done == 2


@pytest.mark.parametrize("role", list(Role))
def test_roles_of_bulk_actions_are_those_of_single_ones(parts, role):
    may_review = role in {Role.REVIEWER, Role.DATA_STEWARD, Role.ADMIN}
    may_govern = role in {Role.DATA_STEWARD, Role.ADMIN}
    training_sheet_id = made(parts, 1)
    parts.permissions.assign("kim", role, by=ANN)
    selection = Selection(training_sheet_id, wanted=EVERYTHING)
    for action, may in (
        (BulkAction("set_flags", flags=(PII,)), may_review), (BulkAction("flag", "odd"), may_review),
        (BulkAction("approve"), may_review), (BulkAction("reopen"), may_review), (BulkAction("reject"), may_review),
        (BulkAction("set_usage", rules=NO_TRAINING), may_govern),
    ):  # fmt: skip
        if may:
            assert bulk(parts, selection, action, by="kim")[1].done == 1, action
        else:
            with pytest.raises(NotPermitted):
                parts.pairs.preview_bulk(selection, action, by="kim")
            with pytest.raises(NotPermitted):
                parts.pairs.decide_all(selection, action, by="kim")


# --- large ones ------------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("large")
@pytest.mark.parametrize("by_filter", [True, False])
def test_a_large_decision_is_a_run_and_one_step_for_undo_and_redo(parts, by_filter):
    training_sheet_id = made(parts, 30)
    pairs = pairs_in(parts, training_sheet_id)
    before, sheet_id = states(parts, training_sheet_id), pairs[0].sheet_id
    wanted = Selection(training_sheet_id, wanted=PENDING) if by_filter else Selection(training_sheet_id, ids(pairs))
    outcome = parts.pairs.decide_all(wanted, BulkAction("approve"), by=ANN)
    assert outcome.run.title == "Approve 30 pairs"
    with pytest.raises(Conflict, match="under way"):
        parts.pairs.decide_all(wanted, BulkAction("reject"), by=BEN)
    parts.work()
    run = parts.pairs.bulk_run(training_sheet_id)
    assert (run.status, run.done, run.total, run.message) == ("succeeded", 30, 30, "30 pairs changed")
    after, labels = states(parts, training_sheet_id), labels_of(parts, sheet_id)
    assert ({one["review_status"] for one in after}, len(labels)) == ({"approved"}, 30)
    assert parts.pairs.steps(training_sheet_id, by=ANN).undo == "approve of 30 pairs"
    assert parts.pairs.steps(training_sheet_id, by=BEN).undo == ""

    assert parts.pairs.undo(training_sheet_id, by=ANN).run.title == "Undo approve 30 pairs"
    parts.work()
    assert (states(parts, training_sheet_id), labels_of(parts, sheet_id)) == (before, {})
    assert parts.pairs.steps(training_sheet_id, by=ANN).redo == "approve of 30 pairs"
    assert parts.pairs.redo(training_sheet_id, by=ANN).pairs == 30
    parts.work()
    assert labels_of(parts, sheet_id) == labels
    link = {"canonical_label_id"}
    assert [{k: v for k, v in one.items() if k not in link} for one in states(parts, training_sheet_id)] == [
        {k: v for k, v in one.items() if k not in link} for one in after
    ]
    parts.pairs.undo(training_sheet_id, by=ANN)
    parts.work()
    assert (states(parts, training_sheet_id), labels_of(parts, sheet_id)) == (before, {})


@pytest.mark.usefixtures("large")
def test_a_cancelled_run_keeps_what_is_done_and_resumes_or_is_undone(parts):
    training_sheet_id = made(parts, 30)
    before = states(parts, training_sheet_id)
    parts.pairs.decide_all(Selection(training_sheet_id, wanted=PENDING), BulkAction("approve"), by=ANN)
    work_and_cancel(parts, training_sheet_id, batches=2)
    assert parts.pairs.counts(training_sheet_id).approved == 8
    with pytest.raises(InvalidTransition):
        parts.pairs.cancel_bulk(training_sheet_id, by=ANN)
    assert parts.pairs.resume_bulk(training_sheet_id, by=ANN).total == 30
    work_and_cancel(parts, training_sheet_id, batches=1)
    assert parts.pairs.counts(training_sheet_id).approved == 12
    assert parts.pairs.bulk_run(training_sheet_id).done == 12
    assert parts.pairs.undo(training_sheet_id, by=ANN).pairs == 12
    parts.work()
    assert states(parts, training_sheet_id) == before
    with pytest.raises(Conflict, match="no bulk decision to resume"):
        parts.pairs.resume_bulk(training_sheet_id, by=ANN)


@pytest.mark.usefixtures("large")
def test_a_cancelled_undo_goes_on_with_the_next_undo_or_is_taken_back(parts):
    training_sheet_id = made(parts, 30)
    before = states(parts, training_sheet_id)
    parts.pairs.decide_all(Selection(training_sheet_id, wanted=PENDING), BulkAction("approve"), by=ANN)
    parts.work()
    for again, approved in ((parts.pairs.redo, 30), (parts.pairs.undo, 0)):
        parts.pairs.undo(training_sheet_id, by=ANN)
        work_and_cancel(parts, training_sheet_id, batches=3)
        assert parts.pairs.counts(training_sheet_id).approved == 18
        again(training_sheet_id, by=ANN)
        parts.work()
        assert parts.pairs.counts(training_sheet_id).approved == approved
    assert states(parts, training_sheet_id) == before


def work_and_cancel(parts, training_sheet_id, *, batches):
    """Let a person cancel the run after some batches."""
    done = Counter()
    advance = parts.pairs._steps.advance

    def counted(*args, **kwargs):
        done["batches"] += 1
        if done["batches"] == batches:
            parts.pairs.cancel_bulk(training_sheet_id, by=ANN)
        return advance(*args, **kwargs)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(parts.pairs._steps, "advance", counted, raising=False)
        patch.setattr("workbench_core.runs.RunContext.should_stop", lambda c: parts.runs.get(c.run.id).cancel_requested)
        parts.work()
    assert parts.pairs.bulk_run(training_sheet_id).status == "cancelled"


@pytest.mark.usefixtures("large")
def test_people_who_decide_while_a_run_works_win(parts):
    training_sheet_id = made(parts, 20)
    pairs = pairs_in(parts, training_sheet_id)
    parts.pairs.decide_all(Selection(training_sheet_id, wanted=PENDING), BulkAction("approve"), by=ANN)
    decide(parts, pairs[15], "reject", by=BEN)
    other = "ham" if pairs[16].answer == "spam" else "spam"
    parts.pairs.save(pairs[16].id, other, by=BEN, row_version=1)
    parts.work()
    run = parts.pairs.bulk_run(training_sheet_id)
    assert run.message == "18 pairs changed; 2 left: The pair was changed meanwhile."
    assert parts.pairs.get(pairs[15].id).review_status is ReviewStatus.REJECTED
    assert (parts.pairs.get(pairs[16].id).review_status, parts.pairs.get(pairs[16].id).answer) == ("pending", other)
    decide(parts, parts.pairs.get(pairs[3].id), "reopen", by=BEN)
    with pytest.raises(ChangedByOthers, match=f"Item m00003 was changed by {BEN} since your approve of 18 pairs"):
        parts.pairs.undo(training_sheet_id, by=ANN)
    assert parts.pairs.counts(training_sheet_id).approved == 17


@pytest.mark.usefixtures("large")
def test_a_run_on_a_sheet_that_was_closed_says_so_and_resumes_after_its_reopening(parts):
    training_sheet_id = made(parts, 20)
    parts.pairs.decide_all(Selection(training_sheet_id, wanted=PENDING), BulkAction("approve"), by=ANN)
    parts.training_sheets.move(training_sheet_id, "close_review", by=ANN, leave_out=True)
    parts.work()
    assert "is approved: its pairs cannot change" in parts.pairs.bulk_run(training_sheet_id).error
    parts.training_sheets.move(training_sheet_id, "reopen", by=ANN)
    parts.pairs.resume_bulk(training_sheet_id, by=ANN)
    parts.work()
    assert parts.pairs.counts(training_sheet_id).approved == 20


def test_usage_of_very_many_pairs_as_a_run(parts, large):
    training_sheet_id = made(parts, 25)
    before = states(parts, training_sheet_id)
    parts.pairs.decide_all(
        Selection(training_sheet_id, wanted=EVERYTHING), BulkAction("set_usage", rules=NO_TRAINING), by=ANN
    )
    parts.work()
    assert parts.pairs.count(training_sheet_id, PairFilter(not_eligible_for=Use.TRAINING)) == 25
    parts.pairs.undo(training_sheet_id, by=ANN)
    parts.work()
    assert states(parts, training_sheet_id) == before
    parts.pairs.redo(training_sheet_id, by=ANN)
    parts.work()
    assert parts.pairs.count(training_sheet_id, PairFilter(not_eligible_for=Use.TRAINING)) == 25


@pytest.mark.slow
def test_a_bulk_run_and_its_undo_survive_kill_9_with_nothing_lost_and_nothing_twice(tmp_path):
    parts = Parts(tmp_path)
    count = 2_600
    training_sheet_id = made(parts, count, row_limit=count)
    before, sheet_id = states(parts, training_sheet_id), parts.training_sheets.get(training_sheet_id).sheet_id
    parts.pairs.decide_all(Selection(training_sheet_id, wanted=PENDING), BulkAction("approve"), by=ANN)
    killed(tmp_path, parts, training_sheet_id)
    assert parts.pairs.counts(training_sheet_id).approved == len(labels_of(parts, sheet_id)) == count
    reviews = parts.store.query("SELECT COUNT(*) AS n, COUNT(DISTINCT pair_id) AS pairs FROM pair_reviews")[0]
    assert (reviews["n"], reviews["pairs"]) == (count, count)
    assert parts.pairs.undo(training_sheet_id, by=ANN).pairs == count
    killed(tmp_path, parts, training_sheet_id)
    assert states(parts, training_sheet_id) == before
    assert labels_of(parts, sheet_id) == {}
    parts.store.close()


def killed(folder, parts, training_sheet_id):
    """Kill the process that works on the run three times at different moments, then let it end."""
    deaths = 0
    deadline = time.monotonic() + 120
    while parts.pairs.bulk_run(training_sheet_id).is_active:
        assert time.monotonic() < deadline
        process = bulk_process.start(folder)
        if deaths < 3:
            done = parts.pairs.bulk_run(training_sheet_id).done
            while parts.pairs.bulk_run(training_sheet_id).done == done and process.is_alive():
                time.sleep(0.005)
            time.sleep(0.004 * deaths)
            process.kill()
            deaths += 1
        process.join()
    assert parts.pairs.bulk_run(training_sheet_id).status == "succeeded"
    assert deaths == 3
