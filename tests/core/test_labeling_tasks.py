"""Labelling tasks: items set aside before anybody labels, work that moves the status, and two state machines."""

from __future__ import annotations

import pytest

from tests.core.generation_parts import ANN
from tests.core.improve_parts import CHECKED, MODEL, Improving, coin, is_html, item, number_of
from workbench_core.canonical_labels import LabelEntry
from workbench_core.errors import Conflict, Invalid, InvalidTransition, NotFound, NotPermitted
from workbench_core.gaps import GapStatus
from workbench_core.labeling_tasks import LIFECYCLE, TaskStatus
from workbench_core.pairs import Decision
from workbench_core.prompt_templates import AnswerSource
from workbench_core.training_gate import Split
from workbench_core.usage import Use

FREE_HTML = [number for number in range(500, 1100) if is_html(number)]


@pytest.fixture
def world(tmp_path, clock):
    made = Improving(tmp_path, clock=clock)
    yield made
    made.store.close()


# --- making a task ---------------------------------------------------------------------------------------------------


def test_a_task_queues_unlabelled_unseen_items_of_the_slice_and_nothing_else(world):
    task = world.html_task()
    parts = world.parts_of(task.id)
    chosen = parts["held_out"] | parts["train"]
    assert not parts["held_out"] & parts["train"]
    assert (task.items, task.held_out) == (len(chosen), len(parts["held_out"]))
    trained_html = {item(number) for number in range(300) if is_html(number)}  # never labelled: fair game
    assert chosen <= {item(number) for number in FREE_HTML} | trained_html
    pairs = world.pairs.find(task.training_sheet_id, limit=1000)
    assert {pair.item_ref for pair in pairs} == chosen
    assert {pair.answer for pair in pairs} == {""}, "a person answers, nobody is led"
    assert (task.status, task.done, task.share) == (TaskStatus.PENDING, 0, 0.0)
    assert task.title == "Fill gap: format is html"
    assert task.priority == world.gaps.get(task.gap_id).severity


def test_both_parts_are_as_large_as_showing_a_halved_error_needs(world):
    gap = world.html_gap()
    task = world.tasks.create(gap.id, by=ANN)
    assert task.items == world.tasks.proposed_target(gap) == gap.estimated_records
    assert task.held_out == task.items // 2


def test_the_held_out_part_is_set_aside_first_and_can_never_be_trained_on(world):
    """The pairs carry the held-out preset, the labels keep it, and the gate of every later sheet obeys (INV-T3)."""
    task = world.html_task(target=100)
    held_out = world.parts_of(task.id)["held_out"]
    for pair in world.pairs.find(task.training_sheet_id, limit=1000):
        assert pair.usage.permits(Use.TRAINING) == (pair.item_ref not in held_out)
        assert pair.usage.permits(Use.EVALUATION)
    world.decide(task.training_sheet_id)
    queue_gate = world.jobs.gate(task.training_sheet_id)
    everything = world.generate("", source=AnswerSource.CANONICAL, name="Everything labelled")
    for gate in (queue_gate, world.jobs.gate(everything)):
        splits = {placed.pair.item_ref: placed.split for placed in gate.placed}
        assert {splits[ref] for ref in held_out} == {Split.TEST}
    made = world.train(everything)
    assert not held_out & world.versions.used_items(MODEL, made.version)
    assert world.parts_of(task.id)["train"] & world.versions.used_items(MODEL, made.version)


def test_the_labels_of_a_task_flow_into_the_next_training_sheet(world):
    task = world.html_task(target=60)
    before = world.training_sheets.find()[-1].counts.total
    world.decide(task.training_sheet_id)
    made = world.generate("", source=AnswerSource.CANONICAL)
    pairs = {pair.item_ref: pair for pair in world.pairs.find(made, limit=2000)}
    assert before > 0
    parts = world.parts_of(task.id)
    for ref in parts["train"] | parts["held_out"]:
        assert pairs[ref].response_source == "canonical"
        assert pairs[ref].review_status == "approved"


def test_items_on_which_answers_were_judged_are_trained_on_and_not_measured_on(world):
    """They were found because they failed; measuring on them would flatter every later version."""
    gap = world.html_gap()
    judged = [number for number in FREE_HTML if coin(number)][:20]
    world.judge(judged, rating="negative")
    parts = world.parts_of(world.tasks.create(gap.id, by=ANN, target=100).id)
    references = {item(number) for number in judged}
    assert references <= parts["train"]
    assert not references & parts["held_out"]


def test_the_choice_depends_on_the_items_and_the_gap_only(world):
    gap = world.html_gap()
    first = world.tasks.create(gap.id, by=ANN, target=60)
    parts = world.parts_of(first.id)
    world.work()
    world.tasks.move(first.id, "cancel", by=ANN, note="again")
    again = world.tasks.create(gap.id, by=ANN, target=60)
    assert world.parts_of(again.id) == parts


def test_labelled_items_and_items_of_other_tasks_are_left_out(world):
    gap = world.html_gap()
    labelled = FREE_HTML[:60]
    entries = [LabelEntry(item(number), "ham") for number in labelled]
    world.labels.label(entries, sheet_id=world.sheet_id, label_type="mail_class", by=ANN)
    task = world.tasks.create(gap.id, by=ANN, target=100)
    first = set().union(*world.parts_of(task.id).values())
    assert not first & {item(number) for number in labelled}
    # a second gap that overlaps: all large mails
    copy = dict(world.store.query("SELECT * FROM gaps WHERE id = :id", id=gap.id)[0])
    world.store.append("gaps", [copy | {"id": "gap-copy", "fingerprint": "copy", "status": "identified"}])
    second = world.tasks.create("gap-copy", by=ANN, target=40)
    assert not first & set().union(*world.parts_of(second.id).values())


def test_only_items_of_the_sheet_are_queued(world):
    """The sheet's own filter holds: every queued item becomes a pair."""
    world.put_table()
    world.make_office_sheet(filter="mail_id < 'm00900'")
    world.template_id = world.make_template(user_prompt="{{ subject }}")
    first = world.generate("batch = 'trained' AND format = 'plain'")
    world.decide(first)
    world.train(first)
    second = world.generate("batch = 'checked'")
    world.decide(second)
    world.evaluate(second)
    world.gaps.analyse_now(MODEL, 1, by=ANN)
    task = world.tasks.create(world.gaps.find()[0].id, by=ANN, target=100)
    world.work()
    chosen = set().union(*world.parts_of(task.id).values())
    assert max(map(number_of, chosen)) < 900
    assert world.pairs.count(task.training_sheet_id) == len(chosen) == 100


def test_a_second_open_task_of_a_gap_is_refused(world):
    task = world.html_task(target=60)
    sheets = len(world.training_sheets.find())
    with pytest.raises(Conflict, match="open for this gap already"):
        world.tasks.create(task.gap_id, by=ANN)
    assert len(world.training_sheets.find()) == sheets, "nothing was written"
    assert len(world.tasks.find(gap_id=task.gap_id)) == 1


def test_too_few_items_are_told_and_nothing_is_written(world):
    gap = world.html_gap()
    free = [number for number in range(1100) if is_html(number) and number not in CHECKED]
    entries = [LabelEntry(item(number), "ham") for number in free[:-35]]
    world.labels.label(entries, sheet_id=world.sheet_id, label_type="mail_class", by=ANN)
    sheets = len(world.training_sheets.find())
    with pytest.raises(Invalid, match=r"Only 35 unlabelled items match “format is html”.*40 and 30 are needed"):
        world.tasks.create(gap.id, by=ANN)
    assert len(world.training_sheets.find()) == sheets
    assert world.gaps.get(gap.id).status is GapStatus.IDENTIFIED


@pytest.mark.parametrize("target", [-1, 0, 39, 5000])
def test_a_target_that_could_not_be_measured_is_refused(world, target):
    gap = world.html_gap()
    with pytest.raises(Invalid, match="cannot have"):
        world.tasks.create(gap.id, by=ANN, target=target)


def test_a_closed_gap_gets_no_task(world):
    gap = world.html_gap()
    world.gaps.move(gap.id, "leave", by=ANN, note="because")
    with pytest.raises(InvalidTransition):
        world.tasks.create(gap.id, by=ANN)


def test_roles_that_may_not_improve_are_refused(world):
    gap = world.html_gap()
    world.permissions.assign("lea@example.com", "labeler", by=ANN)
    with pytest.raises(NotPermitted, match="manage gaps"):
        world.tasks.create(gap.id, by="lea@example.com")
    task = world.tasks.create(gap.id, by=ANN)
    with pytest.raises(NotPermitted):
        world.tasks.assign(task.id, "bob@example.com", by="lea@example.com")
    with pytest.raises(NotPermitted):
        world.tasks.move(task.id, "cancel", by="lea@example.com", note="no")


# --- the life of a task ----------------------------------------------------------------------------------------------


def test_work_moves_the_task_and_its_gap(world):
    """First decision: in progress. Last one: review. Taking a decision back goes back too."""
    task = world.html_task(target=60, assigned_to="lea@example.com")
    assert task.status is TaskStatus.ASSIGNED
    assert world.gaps.get(task.gap_id).status is GapStatus.TASK_CREATED
    world.decide(task.training_sheet_id, limit=1)
    task = world.tasks.get(task.id)
    assert (task.status, task.done) == (TaskStatus.IN_PROGRESS, 1)
    assert world.gaps.get(task.gap_id).status is GapStatus.IN_PROGRESS
    assert [gap.id for gap in world.gaps.find(status=GapStatus.IN_PROGRESS)] == [task.gap_id]
    world.decide(task.training_sheet_id, limit=20, action="reject")
    world.decide(task.training_sheet_id)
    task = world.tasks.get(task.id)
    assert (task.status, task.done, task.share) == (TaskStatus.REVIEW, 60, 1.0)
    world.pairs.undo(task.training_sheet_id, by=ANN)
    assert world.tasks.get(task.id).status is TaskStatus.IN_PROGRESS


def test_accepting_completes_the_task_and_leaves_the_gap_to_be_measured(world):
    task = world.html_task(target=60)
    world.decide(task.training_sheet_id)
    done = world.tasks.move(task.id, "accept", by=ANN)
    assert (done.status, done.is_open) == (TaskStatus.COMPLETED, False)
    assert done.completed_at is not None
    assert world.gaps.get(task.gap_id).status is GapStatus.IN_PROGRESS, "only a computation closes it"
    assert [event.action for event in world.history.of("labeling_task", task.id)] == ["accept", "create"]


def test_work_that_is_not_done_cannot_be_accepted_or_submitted(world):
    task = world.html_task(target=60)
    with pytest.raises(InvalidTransition):
        world.tasks.move(task.id, "accept", by=ANN)
    world.decide(task.training_sheet_id, limit=10)
    with pytest.raises(Conflict, match="50 of 60 items"):
        world.tasks.move(task.id, "submit", by=ANN)


def test_a_task_sent_back_is_worked_on_again_and_submitted_anew(world):
    task = world.html_task(target=60)
    world.decide(task.training_sheet_id)
    with pytest.raises(Invalid, match="note"):
        world.tasks.move(task.id, "send_back", by=ANN)
    back = world.tasks.move(task.id, "send_back", by=ANN, note="Newsletters are ham")
    assert (back.status, back.note) == (TaskStatus.IN_PROGRESS, "Newsletters are ham")
    waiting = world.pairs.find(task.training_sheet_id, limit=2)
    world.pairs.decide([Decision(pair.id, "reopen", pair.row_version) for pair in waiting], by=ANN)
    with pytest.raises(Conflict, match="2 of 60"):
        world.tasks.move(task.id, "submit", by=ANN)
    world.decide(task.training_sheet_id)
    assert world.tasks.get(task.id).status is TaskStatus.IN_PROGRESS, "the annotator says when it is done"
    assert world.tasks.move(task.id, "submit", by=ANN).status is TaskStatus.REVIEW
    assert world.tasks.move(task.id, "accept", by=ANN).status is TaskStatus.COMPLETED


def test_cancelling_needs_a_note_and_gives_the_gap_back(world):
    task = world.html_task(target=60)
    with pytest.raises(Invalid, match="note"):
        world.tasks.move(task.id, "cancel", by=ANN, note=" ")
    world.decide(task.training_sheet_id, limit=5)
    cancelled = world.tasks.move(task.id, "cancel", by=ANN, note="Wrong slice")
    assert (cancelled.status, cancelled.note) == (TaskStatus.CANCELLED, "Wrong slice")
    assert world.gaps.get(task.gap_id).status is GapStatus.IDENTIFIED
    assert world.tasks.create(task.gap_id, by=ANN, target=60).status is TaskStatus.PENDING


def test_assigning_and_handing_over(world):
    task = world.html_task(target=60)
    with pytest.raises(Invalid, match="person"):
        world.tasks.assign(task.id, " ", by=ANN)
    assert world.tasks.assign(task.id, "lea@example.com", by=ANN).status is TaskStatus.ASSIGNED
    world.decide(task.training_sheet_id, limit=1)
    handed = world.tasks.assign(task.id, "max@example.com", by=ANN)
    assert (handed.status, handed.assigned_to) == (TaskStatus.IN_PROGRESS, "max@example.com")
    world.tasks.move(task.id, "cancel", by=ANN, note="because")
    with pytest.raises(InvalidTransition):
        world.tasks.assign(task.id, "lea@example.com", by=ANN)


@pytest.mark.parametrize("status", list(TaskStatus))
def test_every_action_of_a_task_is_allowed_or_refused_as_the_table_says(world, status):
    task = world.html_task(target=60)
    if status in {TaskStatus.REVIEW, TaskStatus.IN_PROGRESS, TaskStatus.COMPLETED}:
        world.decide(task.training_sheet_id)
    for action, (allowed, leads_to) in LIFECYCLE.table.items():
        if action == "assign":
            continue  # it has a test of its own: work that has begun can be handed over
        world.store.execute(
            "UPDATE labeling_tasks SET status = :status, note = 'sent back' WHERE id = :id",
            touches="labeling_tasks", status=status, id=task.id,
        )  # fmt: skip
        world.store.execute("UPDATE gaps SET status = 'task_created'", touches="gaps")
        if status in allowed:
            assert world.tasks.move(task.id, action, by=ANN, note="because").status is leads_to
        else:
            with pytest.raises(InvalidTransition):
                world.tasks.move(task.id, action, by=ANN, note="because")


def test_tasks_are_found_by_gap_by_state_and_by_their_queue(world):
    task = world.html_task(target=60)
    assert [one.id for one in world.tasks.find(gap_id=task.gap_id, open_only=True)] == [task.id]
    assert world.tasks.of_training_sheet(task.training_sheet_id).id == task.id
    assert world.tasks.of_training_sheet("none") is None
    world.tasks.move(task.id, "cancel", by=ANN, note="because")
    assert world.tasks.find(open_only=True) == []
    with pytest.raises(NotFound):
        world.tasks.get("task-none")
