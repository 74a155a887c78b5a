"""Rate limits: questions and tokens a minute, evenly, for all batches of an endpoint together."""

from __future__ import annotations

import threading
import time

import pytest

from tests.contract.chat_model_parts import answered, asks, endpoint
from tests.contract.openai_stub import failure, first, openai_stub
from workbench_core.adapters.chat_completions.limits import RateLimit
from workbench_core.ports import ChatOptions


class Clock:
    """A time that a test moves."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def taken(limit: RateLimit, clock: Clock, *, tokens: int, seconds: float, late: float = 0.0) -> list[float]:
    """When a turn is given to one who always waits as told, and wakes up a little late."""
    began, found = clock.now, []
    while clock.now - began < seconds:
        wait = limit.take(tokens)
        if wait == 0:
            found.append(clock.now - began)
        else:
            clock.now += wait + late
    return found


def test_questions_go_out_evenly() -> None:
    clock = Clock()
    found = taken(RateLimit(60, clock=clock), clock, tokens=1, seconds=5)
    assert found == pytest.approx([0, 1, 2, 3, 4])


def test_waking_up_late_costs_no_turn() -> None:
    clock = Clock()
    assert len(taken(RateLimit(600, clock=clock), clock, tokens=1, seconds=60, late=0.003)) == 600


def test_after_a_rest_there_is_no_burst() -> None:
    clock = Clock()
    limit = RateLimit(60, clock=clock)
    limit.take(1)
    clock.now += 300
    assert taken(limit, clock, tokens=1, seconds=3) == pytest.approx([0, 1, 2])


def test_tokens_close_the_way_for_as_long_as_they_cost() -> None:
    clock = Clock()
    assert taken(RateLimit(0, 6000, clock=clock), clock, tokens=200, seconds=6) == pytest.approx([0, 2, 4])


def test_an_estimate_is_corrected_by_the_answer() -> None:
    clock = Clock()
    limit = RateLimit(0, 6000, clock=clock)
    expected = limit.expected_tokens(characters=400, max_tokens=900)
    assert expected == 1001
    assert limit.take(expected) == 0
    limit.settle(expected, 100, 100)
    assert limit.take(1) == pytest.approx(2.0), "200 tokens instead of 1,001"
    assert limit.expected_tokens(characters=400, max_tokens=900) == 201, "later answers are taken to be as short"


def test_a_question_larger_than_the_limit_goes_and_the_next_one_waits() -> None:
    clock = Clock()
    limit = RateLimit(0, 100, clock=clock)
    assert limit.take(200) == 0
    assert limit.take(1) == pytest.approx(120)


def test_a_pause_holds_for_everybody() -> None:
    clock = Clock()
    limit = RateLimit(clock=clock)
    assert limit.is_open()
    limit.pause(5)
    assert not limit.is_open()
    assert limit.take(1) == pytest.approx(5)
    clock.now += 5
    assert limit.is_open()
    assert limit.take(1) == 0


def test_two_batches_of_a_model_share_its_limit() -> None:
    with openai_stub() as stub:
        model = endpoint(stub.url, requests_per_minute=1200, concurrency=8)
        batches = [threading.Thread(target=answered, args=(model, *["Hello?"] * 10)) for _ in range(2)]
        started = time.monotonic()
        for batch in batches:
            batch.start()
        for batch in batches:
            batch.join()
        gaps = [later - earlier for earlier, later in zip(stub.arrivals, stub.arrivals[1:], strict=False)]
    assert len(stub.requests) == 20
    assert 0.93 <= time.monotonic() - started < 2.5, "19 intervals of 50 ms"
    assert sum(gap < 0.015 for gap in gaps) <= 4, "no burst"


def test_a_limit_of_tokens_slows_a_batch_by_what_it_really_used() -> None:
    with openai_stub() as stub:  # every answer reports 15 tokens
        model = endpoint(stub.url, tokens_per_minute=9000, concurrency=4)
        started = time.monotonic()
        assert len(answered(model, *["Hello?"] * 10)) == 10
    assert 0.8 <= time.monotonic() - started < 2.5, "nine times 15 tokens at 150 a second"


def test_a_waiting_batch_is_cancelled_at_once() -> None:
    with openai_stub() as stub:
        model = endpoint(stub.url, requests_per_minute=1)
        answers = model.answer(asks(*["Hello?"] * 5), options=ChatOptions())
        next(answers)
        started = time.monotonic()
        answers.close()  # type: ignore[attr-defined]
    assert time.monotonic() - started < 1


def test_a_pause_asked_of_one_batch_holds_for_the_next() -> None:
    with openai_stub(first(1, failure(429, "wait", Retry_After="0.6"))) as stub:
        model = endpoint(stub.url)
        one = threading.Thread(target=answered, args=(model, "a"))
        one.start()
        while not stub.requests:
            time.sleep(0.005)
        time.sleep(0.1)
        answered(model, "b")
        one.join()
        assert stub.arrivals[1] - stub.arrivals[0] > 0.55
