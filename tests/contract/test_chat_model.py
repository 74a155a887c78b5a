"""A chat model answers batches: the same on the real tiny local model and on any OpenAI-compatible endpoint."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.contract.openai_stub import (
    Behaviour,
    Body,
    Reply,
    always,
    completion,
    failure,
    first,
    listing,
    ok,
    openai_stub,
    says,
    slow,
)
from workbench_core.adapters.chat_completions import ChatCompletionsModel, ChatEndpoint
from workbench_core.adapters.local import models
from workbench_core.adapters.local.models import TinyLocalModel, Weights, chat_models
from workbench_core.adapters.local.processes import PROJECT
from workbench_core.errors import Invalid, NotAuthorized, Unavailable
from workbench_core.ports import ChatAnswer, ChatModel, ChatOptions, Conversation, Message
from workbench_core.settings import read_settings

KEY = "sk-secret-0815"
SCHEMA = {
    "type": "object",
    "properties": {
        "product": {"type": "string", "maxLength": 12},
        "urgency": {"type": "integer", "minimum": 1, "maximum": 5},
    },
    "required": ["product", "urgency"],
    "additionalProperties": False,
}
PARENT = """
import sys, time
from pathlib import Path
from workbench_core.adapters.local.models import TinyLocalModel

print(TinyLocalModel(Path(sys.argv[1])).process.address().pid, flush=True)
time.sleep(60)
"""


def asks(*questions: str) -> list[Conversation]:
    return [Conversation(str(number), (Message("user", question),)) for number, question in enumerate(questions)]


def answered(model: ChatModel, *questions: str, options: ChatOptions | None = None) -> dict[str, ChatAnswer]:
    found = list(model.answer(asks(*questions), options=options or ChatOptions(max_tokens=12)))
    assert len({answer.id for answer in found}) == len(found)
    return {answer.id: answer for answer in found}


def endpoint(url: str, **changes: object) -> ChatCompletionsModel:
    wanted = {"model": "stub", "key": KEY, "timeout_seconds": 10.0, "retry_seconds": 0.01, "hint": "Look there."}
    return ChatCompletionsModel(ChatEndpoint(url, **{**wanted, **changes}))  # type: ignore[arg-type]


def one_error(behaviour: Behaviour, options: ChatOptions | None = None, **changes: object) -> str:
    """The error of a single conversation against a stub that behaves so."""
    with openai_stub(behaviour) as stub:
        answer = answered(endpoint(stub.url, **changes), "Hello?", options=options)["0"]
    assert answer.text is None
    assert answer.error
    return answer.error


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TinyLocalModel]:
    model = TinyLocalModel(tmp_path_factory.mktemp("home"))
    availability = model.availability()
    if not availability.is_ready:
        pytest.skip(availability.reason)
    yield model
    model.process.stop()


@pytest.fixture(params=["tiny local model", "configured endpoint"])
def model(request: pytest.FixtureRequest) -> Iterator[ChatModel]:
    if request.param == "tiny local model":
        yield request.getfixturevalue("tiny")
        return
    with openai_stub(slow(0.05)) as stub:
        yield endpoint(stub.url)


# --- the contract --------------------------------------------------------------------------------------------


def test_it_is_ready_and_has_a_title(model: ChatModel) -> None:
    assert model.availability().is_ready
    assert model.title
    assert model.name


def test_every_conversation_is_answered_with_its_measures(model: ChatModel) -> None:
    found = answered(model, "Why is the sky blue?", "Name a fruit.", "Say hello.")
    assert set(found) == {"0", "1", "2"}
    for answer in found.values():
        assert answer.text
        assert answer.error is None
        assert answer.tokens_in > 0
        assert answer.tokens_out > 0
        assert answer.latency_ms > 1


def test_no_conversations_give_no_answers(model: ChatModel) -> None:
    assert answered(model) == {}


def test_an_answer_follows_the_schema(model: ChatModel) -> None:
    options = ChatOptions(max_tokens=80, schema=SCHEMA)  # type: ignore[arg-type]
    answer = answered(model, "Extract: the drill X200 stopped, urgent!", options=options)["0"]
    assert answer.error is None
    value = json.loads(answer.text or "")
    assert set(value) == {"product", "urgency"}
    assert 1 <= value["urgency"] <= 5


def test_an_answer_is_one_of_the_choices(model: ChatModel) -> None:
    choices = ("billing", "delivery delay", "“quoted” label")
    found = answered(model, "My parcel is late.", "Wrong invoice.", options=ChatOptions(choices=choices))
    assert {answer.text for answer in found.values()} <= set(choices)
    assert all(answer.error is None for answer in found.values())


def test_a_schema_that_is_none_is_refused(model: ChatModel) -> None:
    with pytest.raises(Invalid, match="not a JSON Schema"):
        answered(model, "Hello?", options=ChatOptions(schema={"type": "no such type"}))


def test_cancelling_leaves_out_what_is_not_answered(model: ChatModel) -> None:
    found: list[ChatAnswer] = []
    questions = asks(*["Tell a story."] * 200)
    started = time.monotonic()
    for answer in model.answer(questions, options=ChatOptions(max_tokens=8), cancelled=lambda: len(found) >= 3):
        found.append(answer)  # noqa: PERF402 - `cancelled` looks at it
    assert 3 <= len(found) <= 25
    assert all(answer.text for answer in found)
    assert time.monotonic() - started < 5


def test_a_batch_cancelled_before_it_starts_asks_nothing(model: ChatModel) -> None:
    assert list(model.answer(asks("Hello?"), options=ChatOptions(), cancelled=lambda: True)) == []


def test_leaving_the_loop_early_leaves_no_thread(model: ChatModel) -> None:
    answers = model.answer(asks(*["Tell a long story."] * 20), options=ChatOptions(max_tokens=8))
    next(answers)
    answers.close()  # type: ignore[attr-defined]
    assert not [thread for thread in threading.enumerate() if thread.name == "chat-completions"]


# --- the tiny local model ------------------------------------------------------------------------------------


def test_a_prompt_beyond_the_context_is_an_error_of_its_item_only(tiny: TinyLocalModel) -> None:
    found = answered(tiny, "word " * 5000, "Say hello.")
    assert found["0"].error == "The prompt has 5,031 tokens; this model reads at most 4,096."
    assert found["1"].text


def test_a_choice_costs_a_few_tokens_only(tiny: TinyLocalModel) -> None:
    choices = ("true", 'said "no"\nand left', "Zürich")
    answer = answered(tiny, "Where is it?", options=ChatOptions(choices=choices))["0"]
    assert answer.text in choices
    assert answer.tokens_out < 16


def test_the_same_seed_gives_the_same_answer(tiny: TinyLocalModel) -> None:
    options = ChatOptions(temperature=0.8, max_tokens=12, seed=7)
    texts = {answered(tiny, "Invent a name for a cat.", options=options)["0"].text for _ in range(2)}
    assert len(texts) == 1


def test_others_on_this_machine_need_the_token(tiny: TinyLocalModel) -> None:
    url = f"{tiny.process.address().url}/v1"
    with pytest.raises(NotAuthorized):
        answered(endpoint(url, key="guessed"), "Hello?")
    assert answered(endpoint(url, key=tiny.process.address().token), "Hello?")["0"].text


def test_a_crashed_model_server_starts_anew(tiny: TinyLocalModel) -> None:
    before = tiny.process.address().pid
    os.kill(before, 9)
    assert answered(tiny, "Say hello.")["0"].text
    assert tiny.process.address().pid != before


def test_the_model_server_ends_when_its_parent_is_killed(tiny: TinyLocalModel, tmp_path: Path) -> None:
    command = [sys.executable, "-c", PARENT, str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=PROJECT) as parent:
        assert parent.stdout is not None
        child = int(parent.stdout.readline())
        parent.kill()
    deadline = time.monotonic() + 3
    while Path(f"/proc/{child}/cmdline").exists() and time.monotonic() < deadline:
        if not Path(f"/proc/{child}/cmdline").read_bytes():
            return  # ended, and not yet collected by the machine's first process
        time.sleep(0.05)
    assert not Path(f"/proc/{child}").exists()


def test_missing_weights_are_named_with_the_next_step(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    absent = Weights("SmolLM2", "no_such_package", "model.gguf", "0" * 64)
    monkeypatch.setattr(models, "GGUF", absent)
    availability = TinyLocalModel(tmp_path).availability()
    assert not availability.is_ready
    assert "SmolLM2" in availability.reason
    assert "requirements-weights.txt" in availability.hint
    with pytest.raises(Unavailable):
        answered(TinyLocalModel(tmp_path), "Hello?")


def test_changed_weights_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = tmp_path / "some_weights"
    package.mkdir()
    (package / "__init__.py").write_text("raise RuntimeError('never imported')")
    (package / "model.bin").write_bytes(b"good")
    monkeypatch.syspath_prepend(str(tmp_path))
    digest = "770e607624d689265ca6c44884d0807d9b054d23c473c106c72be9de08b7376c"
    weights = Weights("Some", "some_weights", "model.bin", digest)
    assert weights.checked_path(tmp_path / "home") == package / "model.bin"
    assert weights.checked_path(tmp_path / "home") == package / "model.bin"
    (package / "model.bin").write_bytes(b"evil")
    with pytest.raises(Unavailable, match="not the expected file"):
        weights.checked_path(tmp_path / "home")


# --- endpoints that misbehave --------------------------------------------------------------------------------


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


def test_a_rate_limit_that_asks_for_minutes_is_an_error() -> None:
    started = time.monotonic()
    error = one_error(always(failure(429, "too many", Retry_After="300")))
    assert error == "The model endpoint is at its rate limit; it asks to wait 300 s."
    assert time.monotonic() - started < 5


def test_a_server_error_is_retried_three_times() -> None:
    with openai_stub(always(failure(500, "out of memory"))) as stub:
        answer = answered(endpoint(stub.url), "Hello?")["0"]
        assert len(stub.requests) == 4
    assert answer.error == "The model endpoint failed with HTTP 500: out of memory"


def test_a_passing_server_error_goes_unnoticed() -> None:
    with openai_stub(first(2, failure(503, "loading"))) as stub:
        assert answered(endpoint(stub.url), "Hello?")["0"].text == "Answer to: Hello?"


@pytest.mark.parametrize(
    ("reply", "words"),
    [
        (Reply(body="{'not': json"), "nonsense"),
        (Reply(body={"status": "fine"}), "nonsense"),
        (Reply(body={"choices": []}), "nonsense"),
        (Reply(body="<html>Welcome</html>", headers={"Content-Type": "text/html"}), "nonsense: <html>Welcome"),
        (Reply(body=completion(None)), "empty answer"),
    ],
)
def test_a_nonsense_response_is_an_error(reply: Reply, words: str) -> None:
    assert words in one_error(always(reply))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Sure, here it is!", "nonsense instead of JSON: Sure, here it is!"),
        ('{"product": "drill"}', "does not follow the schema: 'urgency' is a required property"),
        ('{"product": "drill", "urgency": 9}', "does not follow the schema: 9 is greater than the maximum"),
    ],
)
def test_an_answer_beside_the_schema_is_an_error(text: str, words: str) -> None:
    assert words in one_error(says(text), ChatOptions(schema=SCHEMA))  # type: ignore[arg-type]


def test_json_that_was_cut_off_names_the_limit() -> None:
    options = ChatOptions(schema=SCHEMA, max_tokens=9)  # type: ignore[arg-type]
    error = one_error(says('{"product": "dri', finish_reason="length"), options)
    assert error == "The answer was cut off at 9 tokens, before it was complete."


def test_json_in_a_fence_is_taken() -> None:
    with openai_stub(says('```json\n{"product": "drill", "urgency": 2}\n```')) as stub:
        options = ChatOptions(schema=SCHEMA)  # type: ignore[arg-type]
        answer = answered(endpoint(stub.url), "Hello?", options=options)["0"]
    assert json.loads(answer.text or "") == {"product": "drill", "urgency": 2}


def test_text_in_parts_is_joined() -> None:
    parts = [{"type": "reasoning", "summary": []}, {"type": "text", "text": "Good "}, {"type": "text", "text": "day"}]
    with openai_stub(says(parts)) as stub:
        assert answered(endpoint(stub.url), "Hello?")["0"].text == "Good day"


@pytest.mark.parametrize("text", ["yes", ' {"answer": "yes"} '])
def test_a_choice_is_taken_bare_or_wrapped(text: str) -> None:
    with openai_stub(says(text)) as stub:
        answer = answered(endpoint(stub.url), "Is it?", options=ChatOptions(choices=("no", "yes")))["0"]
    assert answer.text == "yes"


def test_an_answer_that_is_no_choice_is_an_error() -> None:
    error = one_error(says('{"answer": "perhaps"}'), ChatOptions(choices=("no", "yes")))
    assert error == "The model answered “perhaps”, which is none of: no, yes."


@pytest.mark.parametrize("status", [401, 403])
def test_a_refused_key_ends_the_batch_and_is_never_shown(status: int) -> None:
    with openai_stub(always(failure(status, f"Incorrect API key provided: {KEY}"))) as stub:
        with pytest.raises(NotAuthorized) as raised:
            answered(endpoint(stub.url), "a", "b")
        assert stub.headers[0]["authorization"] == f"Bearer {KEY}"
    assert KEY not in f"{raised.value.message} {raised.value.hint} {raised.value!r}"
    assert raised.value.hint == "Look there."


def test_an_error_never_shows_the_key() -> None:
    error = one_error(always(failure(400, f"bad request with {KEY}")))
    assert error == "The model endpoint refused the request: bad request with •••"
    assert KEY not in repr(ChatEndpoint("http://localhost", key=KEY))


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


def test_a_key_that_expires_is_asked_for_again() -> None:
    keys = iter(["first", "second"])
    with openai_stub() as stub:
        answered(endpoint(stub.url, key=lambda: next(keys), concurrency=1), "a", "b")
        assert [headers["authorization"] for headers in stub.headers] == ["Bearer first", "Bearer second"]


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


def test_availability_knows_a_refused_key() -> None:
    with openai_stub(models=failure(401, f"no {KEY}")) as stub:
        availability = endpoint(stub.url).availability()
    assert not availability.is_ready
    assert availability.reason == "The model endpoint refused the key."


def test_an_endpoint_that_lists_nothing_is_ready_when_its_model_is_named() -> None:
    with openai_stub(models=failure(404, "no such path")) as stub:
        assert endpoint(stub.url).availability().is_ready
        assert not endpoint(stub.url, model="").availability().is_ready


def test_requests_to_this_machine_never_use_a_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{free_port()}")
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    with openai_stub(ok) as stub:
        assert endpoint(stub.url).availability().is_ready
        assert answered(endpoint(stub.url), "Hello?")["0"].text


def test_the_settings_decide_who_answers_and_nobody_else_does(tmp_path: Path) -> None:
    home = {"WORKBENCH_HOME": str(tmp_path)}
    assert chat_models(read_settings(home))[0].title == "tiny local model"
    url = f"http://127.0.0.1:{free_port()}/v1"
    configured = chat_models(read_settings({**home, "WORKBENCH_MODEL_URL": url, "WORKBENCH_MODEL_NAME": "qwen"}))[0]
    assert configured.title == "qwen"
    assert "WORKBENCH_MODEL_URL" in configured.availability().hint
    assert not list((tmp_path).glob("run/model-server*"))
