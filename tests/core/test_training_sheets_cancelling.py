"""Cancelling: who did it is known, and what was paid for is counted however often somebody cancels and resumes."""

from __future__ import annotations

import threading

import pytest

from tests.core.generation_parts import ANN, BEN, Parts, RuleModel
from tests.core.generation_steps import AI, generate, request, wait_for
from workbench_core.errors import Conflict
from workbench_core.ports import TokenPrice
from workbench_core.training_sheets import TrainingSheetStatus


@pytest.fixture
def parts(tmp_path):
    model = RuleModel(seconds=0.005, price=TokenPrice(1.0, 1.0), tokens=(1000, 1000))
    made = Parts(tmp_path, model=model)
    yield made
    made.store.close()


def cancelled_after(parts, training_sheet_id, calls):
    """Let it generate until the model was asked so many times more, then cancel; what the sheet says it has spent."""
    wanted, working = len(parts.model.asked) + calls, threading.Thread(target=parts.work)
    working.start()
    wait_for(lambda: len(parts.model.asked) >= wanted or not working.is_alive())
    if working.is_alive():
        parts.training_sheets.cancel(training_sheet_id, by=ANN)
    working.join()
    return parts.training_sheets.get(training_sheet_id).spent


def test_every_call_of_a_cancelled_generation_is_counted(parts):
    made = parts.training_sheets.generate(request(parts, parts.make_sheet(300), source=AI), by=ANN)
    spent = cancelled_after(parts, made.id, 20)
    assert 20 <= len(parts.model.asked) < 300
    assert spent.calls == len(parts.model.asked)
    assert (spent.tokens_in, spent.cost) == (1000 * spent.calls, pytest.approx(0.002 * spent.calls))


def test_a_limit_of_calls_holds_over_cancelling_and_resuming_again_and_again(parts):
    """TS-2: the limit is one of the training sheet, not of one attempt."""
    made = parts.training_sheets.generate(request(parts, parts.make_sheet(400), source=AI, call_limit=100), by=ANN)
    for _ in range(20):
        spent = cancelled_after(parts, made.id, 8)
        assert spent.calls == len(parts.model.asked)
        try:
            parts.training_sheets.resume(made.id, by=ANN)
        except Conflict as refused:
            assert refused.message == "The limit of 100 calls is used up."
            break
    assert len(parts.model.asked) == 100


# --- who cancelled ---------------------------------------------------------------------------------------------------


def test_who_cancelled_is_known_until_it_goes_on(parts):
    made = parts.training_sheets.generate(request(parts, parts.make_sheet(5)), by=ANN)
    assert made.cancelled_by == ""
    cancelled = parts.training_sheets.cancel(made.id, by=BEN)
    assert (cancelled.status, cancelled.cancelled_by) == (TrainingSheetStatus.FAILED, BEN)
    assert parts.training_sheets.find()[0].cancelled_by == BEN
    assert parts.training_sheets.resume(made.id, by=ANN).cancelled_by == ""
    parts.work()
    assert parts.training_sheets.get(made.id).cancelled_by == ""


def test_a_generation_that_failed_was_cancelled_by_nobody(parts):
    made = parts.training_sheets.generate(request(parts, parts.make_sheet(5)), by=ANN)
    parts.training_sheets.cancel(made.id, by=BEN)
    parts.training_sheets.resume(made.id, by=ANN)
    parts.lake.drop("demo.acme.mails")
    parts.work()
    failed = parts.training_sheets.get(made.id)
    assert (failed.status, bool(failed.error), failed.cancelled_by) == (TrainingSheetStatus.FAILED, True, "")


def test_who_cancelled_the_adding_of_new_items_is_known_until_something_else_becomes_of_the_review(parts):
    made = generate(parts, parts.make_sheet(3))
    parts.put_mails(range(5))
    parts.training_sheets.append_new(made.id, by=ANN)
    cancelled = parts.training_sheets.cancel(made.id, by=BEN)
    assert (cancelled.status, cancelled.cancelled_by) == (TrainingSheetStatus.REVIEW, BEN)
    parts.training_sheets.append_new(made.id, by=ANN)
    parts.work()
    grown = parts.training_sheets.get(made.id)
    assert (grown.counts.total, grown.cancelled_by, grown.error) == (5, "", "")
