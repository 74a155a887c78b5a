"""Mission control: the state of each stage, what waits, and which step comes next for whom."""

from __future__ import annotations

import pytest

from tests.core.generation_parts import ANN, Parts
from workbench_core.loop import Loop, StageState
from workbench_core.pairs import Decision
from workbench_core.prompt_templates import AnswerSource
from workbench_core.training_sheets import GenerationRequest

BEN = "ben@example.com"


@pytest.fixture
def parts(tmp_path, clock):
    made = Parts(tmp_path, clock=clock)
    yield made
    made.store.close()


@pytest.fixture
def loop(parts):
    return Loop(parts.store, parts.runs, parts.permissions)


def states(overview):
    return [stage.state.value for stage in overview.stages]


def generate(parts, *, count=9):
    sheet_id, template_id = parts.make_sheet(count), parts.make_template()
    request = GenerationRequest(
        sheet_id,
        template_id,
        {"subject": "subject"},
        answer_source=AnswerSource.EXISTING_COLUMN,
        answer_column="verdict",
    )
    made = parts.training_sheets.generate(request, by=ANN)
    parts.work()
    return made.id


def decide_all(parts, training_sheet_id):
    waiting = parts.pairs.queue(training_sheet_id, limit=100)
    parts.pairs.decide([Decision(pair.id, "approve", pair.row_version) for pair in waiting], by=ANN)


def test_a_new_workbench_is_empty_and_begins_with_data(loop):
    overview = loop.overview(ANN)
    assert overview.is_empty
    assert states(overview) == ["empty"] * 7
    assert (overview.next_step.title, overview.next_step.page) == ("Make a sheet", "data")
    assert overview.waiting == ()


def test_the_next_step_follows_the_work_from_stage_to_stage(parts, loop):
    sheet_id = parts.make_sheet(3)
    assert loop.overview(ANN).next_step.page == "prompt_templates"
    parts.make_template()
    assert loop.overview(ANN).next_step.page == "generate"
    assert not loop.overview(ANN).is_empty
    parts.sheets.move(sheet_id, "unpublish", by=ANN)
    assert loop.overview(ANN).next_step.title == "Publish the sheet"


def test_pending_pairs_wait_and_are_the_next_step_of_a_reviewer(parts, loop):
    training_sheet_id = generate(parts)
    overview = loop.overview(ANN)
    assert (overview.next_step.title, overview.next_step.query) == ("Review 9 pairs", {"sheet": training_sheet_id})
    assert [(step.title, step.count) for step in overview.waiting] == [("Pairs to review", 9)]
    label = overview.stages[2]
    assert (label.state, label.count, label.sentence) == (StageState.WAITING, 0, "9 pairs wait for review")


def test_flagged_pairs_wait_with_their_own_link(parts, loop):
    training_sheet_id = generate(parts)
    pair = parts.pairs.queue(training_sheet_id)[0]
    parts.pairs.decide([Decision(pair.id, "flag", pair.row_version, note="odd")], by=ANN)
    step = next(step for step in loop.overview(ANN).waiting if step.title == "Flagged pairs")
    assert (step.count, step.query) == (1, {"sheet": training_sheet_id, "show": "flagged"})


def test_a_reviewed_sheet_is_to_be_closed_and_then_trained_on(parts, loop):
    training_sheet_id = generate(parts)
    decide_all(parts, training_sheet_id)
    assert loop.overview(ANN).next_step.title == "Close the review"
    parts.training_sheets.move(training_sheet_id, "close_review", by=ANN)
    overview = loop.overview(ANN)
    assert (overview.next_step.page, overview.next_step.query) == ("train", {"training_sheet": training_sheet_id})
    assert overview.stages[2].count == 9
    assert overview.stages[3].state is StageState.WAITING


def test_nobody_is_sent_to_what_the_role_may_not_do(parts, loop):
    generate(parts)
    parts.permissions.assign(BEN, "data_consumer", by=ANN)
    assert loop.overview(BEN).next_step is None
    assert loop.overview("").next_step is None


def test_running_work_shows_as_working(parts, loop):
    sheet_id, template_id = parts.make_sheet(4), parts.make_template()
    request = GenerationRequest(sheet_id, template_id, {"subject": "subject"}, answer_source=AnswerSource.MANUAL)
    parts.training_sheets.generate(request, by=ANN)
    overview = loop.overview(ANN)
    assert overview.stages[1].state is StageState.WORKING
    assert [run.kind for run in overview.running] == ["generate"]
    parts.work()
    assert loop.overview(ANN).running == ()


def test_the_number_of_statements_does_not_grow_with_the_data(parts, loop, monkeypatch):
    generate(parts, count=30)
    asked = []
    query = parts.store.query
    monkeypatch.setattr(parts.store, "query", lambda sql, **values: asked.append(sql) or query(sql, **values))
    loop.overview(ANN)
    assert len([sql for sql in asked if "role_assignments" not in sql]) == 4
