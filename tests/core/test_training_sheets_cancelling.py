"""What a cancelled generation has paid for is counted: limits hold however often somebody cancels and resumes."""

from __future__ import annotations

import threading

import pytest

from tests.core.generation_parts import ANN, Parts, RuleModel
from tests.core.generation_steps import AI, request, wait_for
from workbench_core.errors import Conflict
from workbench_core.ports import TokenPrice


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
