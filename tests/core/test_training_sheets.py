"""The life of a training sheet: who may move it where (spec 2.5, TS-14), lists, deletion."""

from __future__ import annotations

import pytest

from tests.core.generation_parts import ANN, BEN, Parts, RuleModel
from tests.core.generation_steps import approve_all, generate, request
from workbench_core.canonical_labels import LabelFilter
from workbench_core.errors import (
    Conflict,
    Invalid,
    NotFound,
    NotPermitted,
)
from workbench_core.pairs import Decision
from workbench_core.permissions import Role
from workbench_core.runs import RunStatus
from workbench_core.training_sheets import LIFECYCLE, PAUSED, TrainingSheetStatus


@pytest.fixture
def parts(tmp_path, clock):
    made = Parts(tmp_path, clock=clock)
    yield made
    made.store.close()


def in_status(parts, status):
    """A training sheet that a person or the system brought into a status."""
    made = parts.training_sheets.generate(request(parts, parts.make_sheet(2)), by=ANN)
    if status is TrainingSheetStatus.GENERATING:
        return made.id
    if status == PAUSED:
        return parts.training_sheets.pause(made.id, by=ANN).id
    if status is TrainingSheetStatus.FAILED:
        return parts.training_sheets.cancel(made.id, by=ANN).id
    parts.work()
    approve_all(parts, made.id)
    steps = {
        TrainingSheetStatus.REVIEW: [],
        TrainingSheetStatus.APPROVED: ["close_review"],
        TrainingSheetStatus.REJECTED: ["reject"],
        TrainingSheetStatus.ARCHIVED: ["archive"],
        TrainingSheetStatus.EXPORTED: ["close_review"],
        TrainingSheetStatus.TRAINED: ["close_review"],
    }
    for action in steps[status]:
        parts.training_sheets.move(made.id, action, by=ANN, note="why")
    if status is TrainingSheetStatus.EXPORTED:
        parts.training_sheets.mark_exported(made.id, by=ANN, note="")
    if status is TrainingSheetStatus.TRAINED:
        parts.training_sheets.mark_trained(made.id, by=ANN)
    return made.id


REACHABLE = [*TrainingSheetStatus, PAUSED]


@pytest.mark.parametrize("stage", REACHABLE)
def test_every_transition_of_the_table_works_and_every_other_is_refused(parts, stage):
    acts = {
        "pause": lambda sheet: parts.training_sheets.pause(sheet, by=ANN),
        "cancel": lambda sheet: parts.training_sheets.cancel(sheet, by=ANN),
        "resume": lambda sheet: parts.training_sheets.resume(sheet, by=ANN),
        "append_new": lambda sheet: (parts.put_mails(range(9)), parts.training_sheets.append_new(sheet, by=ANN)),
        "mark_trained": lambda sheet: parts.training_sheets.mark_trained(sheet, by=ANN),
    } | {
        action: lambda sheet, action=action: parts.training_sheets.move(sheet, action, by=ANN, note="why")
        for action in ("close_review", "reject", "reopen", "archive")
    }
    if stage != TrainingSheetStatus.TRAINED:  # there it may be done, and changes nothing
        acts["export"] = lambda sheet: parts.training_sheets.mark_exported(sheet, by=ANN, note="")
    for action, act in acts.items():
        training_sheet_id = in_status(parts, stage)
        allowed, to = LIFECYCLE.table[action]
        if stage in allowed:
            act(training_sheet_id)
            assert parts.training_sheets.get(training_sheet_id).stage == to, action
        else:
            with pytest.raises(Conflict):
                act(training_sheet_id)
            assert parts.training_sheets.get(training_sheet_id).stage == stage, action
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


def test_who_closed_a_review_and_when_is_known_until_it_is_opened_again(parts):
    """Spec 2.5, INV-9: the person is the one who is signed in."""
    made = generate(parts, parts.make_sheet(2))
    assert (made.reviewed_by, made.reviewed_at) == ("", None)
    closed = parts.training_sheets.move(made.id, "close_review", by=BEN, leave_out=True)
    assert (closed.reviewed_by, closed.reviewed_at) == (BEN, closed.updated_at)
    parts.training_sheets.mark_trained(made.id, by=ANN)
    trained = parts.training_sheets.find(status=TrainingSheetStatus.TRAINED)[0]
    assert (trained.reviewed_by, trained.reviewed_at) == (BEN, closed.reviewed_at)

    other = generate(parts, made.sheet_id)
    parts.training_sheets.move(other.id, "close_review", by=BEN, leave_out=True)
    opened = parts.training_sheets.move(other.id, "reopen", by=ANN)
    assert (opened.reviewed_by, opened.reviewed_at) == ("", None)
    again = parts.training_sheets.move(other.id, "close_review", by=ANN, leave_out=True)
    assert again.reviewed_by == ANN
    put_away = parts.training_sheets.move(other.id, "archive", by=BEN)
    assert (put_away.reviewed_by, put_away.reviewed_at) == (ANN, again.reviewed_at)


def test_who_rejected_the_whole_and_when_is_known(parts):
    made = generate(parts, parts.make_sheet(2))
    rejected = parts.training_sheets.move(made.id, "reject", by=BEN, note="wrong mails")
    assert (rejected.reviewed_by, rejected.reviewed_at) == (BEN, rejected.updated_at)


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
