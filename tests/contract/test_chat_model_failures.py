"""Endpoints that are slow, overloaded, broken or gone: what a batch makes of them."""

from __future__ import annotations

import random
import time
from collections import Counter

import pytest

from tests.contract.chat_model_parts import answered, asks, endpoint, free_port, one_error
from tests.contract.openai_stub import (
    Behaviour,
    Body,
    Reply,
    always,
    failure,
    first,
    listing,
    ok,
    openai_stub,
    slow,
)
from workbench_core.errors import Unavailable
from workbench_core.ports import ChatAnswer, ChatOptions


def test_a_slow_answer_is_an_error_of_its_item_only() -> None:
    def behave(number: int, body: Body) -> Reply:
        return slow(2.0 if "slow" in body["messages"][0]["content"] else 0.0)(number, body)

    with openai_stub(behave) as stub:
        found = answered(endpoint(stub.url, timeout_seconds=0.4), "slow", "quick")
    assert found["0"].error == "The model endpoint took longer than 0.4 s."
    assert found["1"].text == "Answer to: quick"


def test_answers_arrive_while_others_are_in_flight() -> None:
    def behave(number: int, body: Body) -> Reply:
        return slow(1.0 if "slow" in body["messages"][0]["content"] else 0.0)(number, body)

    with openai_stub(behave) as stub:
        started = time.monotonic()
        arrivals = [
            (answer.id, time.monotonic() - started)
            for answer in endpoint(stub.url).answer(asks("slow", "quick"), options=ChatOptions())
        ]
    assert [name for name, _ in arrivals] == ["1", "0"]
    assert arrivals[0][1] < 0.9 < arrivals[1][1]


def test_concurrency_is_bounded() -> None:
    with openai_stub(slow(0.05)) as stub:
        assert len(answered(endpoint(stub.url, concurrency=3), *["Hello?"] * 12)) == 12
        assert stub.most_in_flight == 3


def test_a_rate_limit_is_waited_for_as_long_as_asked() -> None:
    with openai_stub(first(2, failure(429, "too many", Retry_After="0.5"))) as stub:
        started = time.monotonic()
        found = answered(endpoint(stub.url), "a", "b", "c")
    assert all(answer.text for answer in found.values())
    assert 0.5 <= time.monotonic() - started < 5


@pytest.mark.parametrize(("wait", "words"), [("300", "300 s"), ("7200", "120 min"), ("31536000", "365 days")])
def test_a_rate_limit_that_asks_for_minutes_or_a_year_ends_the_batch_at_once(wait: str, words: str) -> None:
    started = time.monotonic()
    with openai_stub(always(failure(429, "too many", Retry_After=wait))) as stub, pytest.raises(Unavailable) as found:
        answered(endpoint(stub.url, concurrency=2), *["Hello?"] * 50)
    assert found.value.message == f"The model endpoint is at its rate limit; it asks to wait {words}."
    assert "Resume later" in found.value.hint
    assert len(stub.requests) <= 4  # the others are not sent against its will
    assert time.monotonic() - started < 5


def test_a_server_error_is_retried_three_times() -> None:
    with openai_stub(always(failure(500, "out of memory"))) as stub:
        answer = answered(endpoint(stub.url), "Hello?")["0"]
        assert len(stub.requests) == 4
    assert answer.error == "The model endpoint failed with HTTP 500: out of memory"


def test_a_passing_server_error_goes_unnoticed() -> None:
    with openai_stub(first(2, failure(503, "loading"))) as stub:
        assert answered(endpoint(stub.url), "Hello?")["0"].text == "Answer to: Hello?"


def test_an_unknown_model_ends_the_batch() -> None:
    with (
        openai_stub(always(failure(404, "model “gpt” not found"))) as stub,
        pytest.raises(Unavailable, match="“gpt” not found"),
    ):
        answered(endpoint(stub.url), "a", "b")


def test_nobody_listening_is_said_at_once() -> None:
    model = endpoint(f"http://127.0.0.1:{free_port()}/v1")
    availability = model.availability()
    assert not availability.is_ready
    assert "cannot be reached" in availability.reason
    started = time.monotonic()
    with pytest.raises(Unavailable, match="cannot be reached") as raised:
        answered(model, *["Hello?"] * 500)
    assert raised.value.hint == "Look there."
    assert time.monotonic() - started < 5


def test_a_server_that_goes_away_ends_the_batch_after_its_answers() -> None:
    found: list[ChatAnswer] = []
    started = time.monotonic()
    with openai_stub(slow(0.02)) as stub:
        answers = endpoint(stub.url, concurrency=2).answer(asks(*["Hello?"] * 500), options=ChatOptions())
        found.extend(next(answers) for _ in range(3))
    with pytest.raises(Unavailable, match="cannot be reached"):
        found.extend(answers)
    assert all(answer.text or "cannot be reached" in (answer.error or "") for answer in found)
    assert 3 <= len(found) < 100
    assert time.monotonic() - started < 5


def test_the_only_model_needs_no_name() -> None:
    with openai_stub(models=listing("llama3")) as stub:
        assert answered(endpoint(stub.url, model=""), "Hello?")["0"].text
        assert stub.requests[0]["model"] == "llama3"


def test_several_models_need_a_name() -> None:
    with openai_stub(models=listing("llama3", "qwen")) as stub:
        assert "llama3, qwen" in endpoint(stub.url, model="").availability().reason
        with pytest.raises(Unavailable, match="llama3, qwen"):
            answered(endpoint(stub.url, model=""), "Hello?")
        assert endpoint(stub.url, model="qwen").availability().is_ready


def test_an_endpoint_that_lists_nothing_is_ready_when_its_model_is_named() -> None:
    with openai_stub(models=failure(404, "no such path")) as stub:
        assert endpoint(stub.url).availability().is_ready
        assert not endpoint(stub.url, model="").availability().is_ready


def test_a_request_that_took_too_long_is_tried_again() -> None:
    with openai_stub(first(2, Reply(500, "late", delay=0.8))) as stub:
        found = answered(endpoint(stub.url, timeout_seconds=0.3), "Hello?")
        assert len(stub.requests) == 3
    assert found["0"].text == "Answer to: Hello?"


def test_a_request_that_always_takes_too_long_is_tried_four_times() -> None:
    with openai_stub(always(Reply(500, "late", delay=0.5))) as stub:
        found = answered(endpoint(stub.url, timeout_seconds=0.1), "Hello?")
        assert len(stub.requests) == 4
    assert found["0"].error == "The model endpoint took longer than 0.1 s."


def fails_by_lot(share: float) -> Behaviour:
    """A share of the requests gets HTTP 429, HTTP 500 or an answer that comes too late, whoever asks."""
    lot = random.Random(7)

    def behave(number: int, body: Body) -> Reply:
        if lot.random() >= share:
            return ok(number, body)
        faults = (failure(429, "too many"), failure(500, "broken"), Reply(503, "late", delay=0.8))
        return faults[lot.randrange(3)]

    return behave


def test_with_failures_by_lot_every_question_is_answered_exactly_once() -> None:
    """One request of twenty fails: 429, 500 or no answer in time."""
    questions = [f"Question {number}" for number in range(600)]
    started = time.monotonic()
    with openai_stub(fails_by_lot(0.05)) as stub:
        found = answered(endpoint(stub.url, timeout_seconds=0.5, concurrency=24), *questions)
        counted = Counter({question: count for question, count in stub.answered.items() if count})
        assert len(stub.requests) > 610, "some requests did fail"
    assert {int(name): answer.text for name, answer in found.items()} == {
        number: f"Answer to: {question}" for number, question in enumerate(questions)
    }
    assert counted == Counter(questions)
    assert time.monotonic() - started < 6


def test_a_used_up_quota_ends_the_batch_at_once() -> None:
    reply = Reply(429, {"error": {"message": "You exceeded your quota", "code": "insufficient_quota"}})
    with openai_stub(always(reply)) as stub, pytest.raises(Unavailable, match="quota of the model endpoint"):
        answered(endpoint(stub.url), "a", "b")


def test_an_address_that_has_moved_is_told_and_the_key_is_not_sent_there() -> None:
    with openai_stub() as other:
        moved = Reply(308, "", {"Location": f"{other.url}/chat/completions?key=x"})
        with openai_stub(always(moved)) as stub, pytest.raises(Unavailable) as raised:
            answered(endpoint(stub.url), "Hello?")
        assert other.requests == []
    assert raised.value.message == f"The model endpoint has moved to {other.url}/chat/completions."


def test_a_failure_that_a_gateway_passes_on_as_success_is_tried_again() -> None:
    passed_on = Reply(200, {"error": {"message": "upstream is down", "code": 502}})
    with openai_stub(first(1, passed_on)) as stub:
        assert answered(endpoint(stub.url), "Hello?")["0"].text
    assert one_error(always(passed_on)) == "The model endpoint failed with HTTP 502: upstream is down"


def test_what_follows_a_question_mark_in_the_address_is_sent_along() -> None:
    with openai_stub() as stub:
        assert answered(endpoint(f"{stub.url}/?api-version=7"), "Hello?")["0"].text
        assert stub.paths == ["/v1/chat/completions?api-version=7"]
