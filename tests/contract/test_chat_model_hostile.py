"""Endpoints that mean harm: what they send neither stops the others, nor fills the memory, nor shows a secret."""

from __future__ import annotations

import json
import time
from urllib.parse import quote

import pytest

from tests.contract.chat_model_parts import answered, endpoint, one_error
from tests.contract.openai_stub import Behaviour, Body, Reply, always, completion, failure, first, openai_stub, says
from workbench_core.adapters.chat_completions import client
from workbench_core.errors import Invalid, Unavailable
from workbench_core.ports import ChatOptions, Json

ODD_KEY = 'sk-0815/äöü"\\4711'.encode("ascii", "ignore").decode()


def structured(rules: dict[str, Json]) -> ChatOptions:
    return ChatOptions(
        max_tokens=20,
        schema={"type": "object", "properties": {"x": rules}, "required": ["x"], "additionalProperties": False},
    )


def counted(usage: dict[str, object]) -> Behaviour:
    return always(Reply(body={**completion("Fine."), "usage": usage}))


@pytest.mark.parametrize("sizes", [{}, {"n_prompt_tokens": "many", "n_ctx": None}, {"n_ctx": 4096}])
def test_a_prompt_that_is_too_long_is_told_also_without_its_size(sizes: dict[str, object]) -> None:
    error = {"type": "exceed_context_size_error", "message": "too long", **sizes}
    assert one_error(always(Reply(400, {"error": error}))) == "The prompt is longer than this model reads."


@pytest.mark.parametrize("count", [10**30, -5, True, 2.5, "12", None, [3]])
def test_an_absurd_number_of_tokens_counts_as_none(count: object) -> None:
    with openai_stub(counted({"prompt_tokens": count, "completion_tokens": count})) as stub:
        answer = answered(endpoint(stub.url), "Hello?")["0"]
    assert answer.text == "Fine."
    assert (answer.tokens_in, answer.tokens_out) == (0, 0)
    assert type(answer.tokens_in) is int


@pytest.mark.parametrize(
    "written",
    [ODD_KEY, json.dumps(ODD_KEY)[1:-1], json.dumps(ODD_KEY)[1:-1].replace("/", "\\/"), quote(ODD_KEY, safe="")],
)
def test_a_key_is_not_shown_however_it_is_echoed(written: str) -> None:
    error = one_error(always(Reply(500, f'<p>no such key: "{written}"')), key=ODD_KEY)
    assert "0815" not in error
    assert "•••" in error


def test_characters_that_steer_a_screen_are_left_out_of_errors() -> None:
    error = one_error(always(failure(400, "a\x00b\x1b[31mc\u202ed\ud800e")))
    assert error == "The model endpoint refused the request: a b [31mc d e"


@pytest.mark.parametrize(
    "wait", ["Wed, 21 Oct 2015 07:28:00 GMT", "Wed, 21 Oct 2015 07:28:00 +99999999999", "-5", "nan"]
)
def test_a_time_to_wait_that_is_over_or_none_is_not_waited_for(wait: str) -> None:
    started = time.monotonic()
    with openai_stub(first(1, failure(429, "slow down", retry_after=wait))) as stub:
        assert answered(endpoint(stub.url), "Hello?")["0"].text == "Answer to: Hello?"
    assert time.monotonic() - started < 3


def test_an_endpoint_that_stays_at_its_rate_limit_ends_the_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("workbench_core.adapters.chat_completions.batch.RATE_LIMIT_RETRIES", 2)
    with openai_stub(always(failure(429, "slow down"))) as stub, pytest.raises(Unavailable) as found:
        answered(endpoint(stub.url, concurrency=2), *["Hello?"] * 30)
    assert found.value.message == "The model endpoint is at its rate limit."
    assert len(stub.requests) < 15


def test_a_few_questions_that_are_out_of_luck_do_not_end_the_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("workbench_core.adapters.chat_completions.batch.RATE_LIMIT_RETRIES", 1)

    def behave(number: int, body: Body) -> Reply:
        is_unlucky = "unlucky" in body["messages"][0]["content"]
        return failure(429, "slow down") if is_unlucky else Reply(body=completion("Fine."))

    with openai_stub(behave) as stub:
        found = answered(endpoint(stub.url, concurrency=1), *["lucky", "unlucky"] * 5)
    assert sum(answer.text is not None for answer in found.values()) == 5


def test_an_answer_that_never_ends_is_an_error_of_its_item(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client, "MOST_BYTES", 1_000_000)

    def behave(number: int, body: Body) -> Reply:
        return Reply(body=completion("x" * (3_000_000 if "huge" in body["messages"][0]["content"] else 3)))

    with openai_stub(behave) as stub:
        found = answered(endpoint(stub.url), "huge", "small")
    assert found["0"].error is not None
    assert "MB for one answer" in found["0"].error
    assert found["1"].text == "xxx"
    assert len(stub.requests) == 2  # it would be the same again


def test_a_pattern_that_takes_others_minutes_is_checked_at_once() -> None:
    started = time.monotonic()
    error = one_error(says(json.dumps({"x": "a" * 40 + "!"})), structured({"type": "string", "pattern": "^(a+)+$"}))
    assert "does not match the pattern" in error
    assert time.monotonic() - started < 5


def test_a_long_list_of_different_entries_is_checked_at_once() -> None:
    started = time.monotonic()
    text = json.dumps({"x": [{"a": number} for number in range(5_000)]})
    with openai_stub(says(text)) as stub:
        options = structured({"type": "array", "uniqueItems": True})
        assert answered(endpoint(stub.url), "Hello?", options=options)["0"].text == text
    assert time.monotonic() - started < 5


@pytest.mark.parametrize(
    ("rules", "text"),
    [
        ({"type": "number", "multipleOf": 0.1}, '{"x": 1' + "0" * 400 + "}"),
        ({"type": "number", "multipleOf": 0.1}, '{"x": 1e999}'),
        ({"$ref": "#/properties/x"}, '{"x": 1}'),
    ],
)
def test_an_answer_that_cannot_be_checked_is_an_error_of_its_item(rules: dict[str, Json], text: str) -> None:
    assert "cannot be checked" in one_error(says(text), structured(rules))


def test_a_schema_never_makes_us_fetch_anything() -> None:
    with openai_stub() as elsewhere:
        rules: dict[str, Json] = {"$ref": f"{elsewhere.url}/schema.json"}
        assert "cannot be checked" in one_error(says('{"x": 1}'), structured(rules))
        assert not elsewhere.paths


def test_a_pattern_that_is_none_is_told_before_anything_is_asked() -> None:
    with openai_stub() as stub, pytest.raises(Invalid):
        answered(endpoint(stub.url), "Hello?", options=structured({"type": "string", "pattern": "(?=a)"}))
    assert not stub.requests
