"""Limits when work goes on: the former one holds, another one takes its place, and 0 lifts it."""

from __future__ import annotations

import pytest

from tests.core.generation_parts import ANN, Parts, RuleModel
from tests.core.generation_steps import AI, generate
from workbench_core.errors import Conflict, Invalid
from workbench_core.ports import TokenPrice
from workbench_core.training_sheets import AnsweringStatus, AnswerRequest


@pytest.fixture
def parts(tmp_path, clock):
    cent = RuleModel(tokens=(100, 10), price=TokenPrice(50, 500))  # each answer costs one cent
    made = Parts(tmp_path, clock=clock, model=cent)
    yield made
    made.store.close()


def test_a_budget_that_is_lifted_is_no_limit_any_more(parts):
    made = generate(parts, parts.make_sheet(200), source=AI, budget=0.75)
    assert (made.is_paused, made.spent.calls) == (True, 75)
    resumed = parts.training_sheets.resume(made.id, by=ANN, budget=0)
    assert (resumed.budget, resumed.is_paused) == (None, False)
    parts.work()
    done = parts.training_sheets.get(made.id)
    assert (done.status, done.counts.total, done.spent.calls) == ("review", 200, 200)


def test_a_limit_of_calls_can_be_lifted_while_the_budget_holds_on(parts):
    made = generate(parts, parts.make_sheet(200), source=AI, budget=0.5, call_limit=20)
    assert made.pause_reason.startswith("The limit of 20 calls is used up")
    with pytest.raises(Conflict, match="The limit of 20 calls is used up"):
        parts.training_sheets.resume(made.id, by=ANN, budget=0)  # the other one still holds
    resumed = parts.training_sheets.resume(made.id, by=ANN, call_limit=0)
    assert (resumed.budget, resumed.call_limit) == (0.5, None)
    parts.work()
    paused = parts.training_sheets.get(made.id)
    assert (paused.pause_reason[:25], paused.spent.calls) == ("The budget of 0.50 USD is", 50)


@pytest.mark.parametrize(("limits", "words"), [({"budget": -1}, "more than 0"), ({"call_limit": -1}, "at least 1")])
def test_less_than_nothing_is_no_limit(parts, limits, words):
    made = generate(parts, parts.make_sheet(30), source=AI, budget=0.05, call_limit=5)
    with pytest.raises(Invalid, match=words):
        parts.training_sheets.resume(made.id, by=ANN, **limits)
    assert parts.training_sheets.get(made.id).is_paused


def test_the_limits_of_an_answering_can_be_lifted(parts):
    made = generate(parts, parts.make_sheet(60))
    parts.training_sheets.answer_pairs(made.id, AnswerRequest(budget=0.1, call_limit=10), by=ANN)
    parts.work()
    assert parts.training_sheets.answering_of(made.id).status is AnsweringStatus.PAUSED
    with pytest.raises(Conflict, match="is used up"):
        parts.training_sheets.resume_answering(made.id, by=ANN, call_limit=0)
    resumed = parts.training_sheets.resume_answering(made.id, by=ANN, budget=0, call_limit=0)
    assert (resumed.request.budget, resumed.request.call_limit) == (None, None)
    parts.work()
    done = parts.training_sheets.answering_of(made.id)
    assert (done.status, done.done, done.spent.calls) == (AnsweringStatus.DONE, 60, 60)


def test_the_limits_of_a_training_sheet_can_be_lifted_for_a_retry(parts):
    parts.model.failing = frozenset({"m00001", "m00002"})
    made = generate(parts, parts.make_sheet(6), source=AI, call_limit=6)
    parts.model.failing = frozenset()
    with pytest.raises(Conflict, match="The limit of 6 calls is used up"):
        parts.training_sheets.retry_failed(made.id, by=ANN)
    assert parts.training_sheets.retry_failed(made.id, by=ANN, call_limit=0).call_limit is None
    parts.work()
    again = parts.training_sheets.get(made.id)
    assert (again.counts.errors, again.spent.calls, again.call_limit) == (0, 8, None)
