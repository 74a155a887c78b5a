"""Signing in to an endpoint: with a key, with a password in the address, with headers that expire; never shown."""

from __future__ import annotations

import logging
from base64 import b64encode
from pathlib import Path

import pytest

from tests.contract.chat_model_parts import KEY, answered, asks, endpoint, free_port, one_error
from tests.contract.openai_stub import Reply, always, failure, ok, openai_stub, says
from workbench_core.adapters.chat_completions import ChatEndpoint
from workbench_core.adapters.local.models import chat_models
from workbench_core.errors import NotAuthorized, WorkbenchError
from workbench_core.ports import ChatOptions
from workbench_core.settings import read_settings

PASSWORD = "p4ss/word"


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


def test_a_key_that_expires_is_asked_for_again() -> None:
    keys = iter(["first", "second"])
    with openai_stub() as stub:
        answered(endpoint(stub.url, headers=lambda: {"Authorization": f"Bearer {next(keys)}"}, concurrency=1), "a", "b")
        assert [headers["authorization"] for headers in stub.headers] == ["Bearer first", "Bearer second"]


def test_availability_knows_a_refused_key() -> None:
    with openai_stub(models=failure(401, f"no {KEY}")) as stub:
        availability = endpoint(stub.url).availability()
    assert not availability.is_ready
    assert availability.reason == "The model endpoint refused the key."


def test_requests_to_this_machine_never_use_a_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{free_port()}")
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    with openai_stub(ok) as stub:
        assert endpoint(stub.url).availability().is_ready
        assert answered(endpoint(stub.url), "Hello?")["0"].text


def everything_of(error: BaseException) -> str:
    """The words of an error and of all that led to it."""
    found, seen = [], [error]
    for one in seen:
        found += [repr(one), str(one), repr(vars(one))]
        seen += [other for other in (one.__cause__, one.__context__) if other is not None and other not in seen]
    return " ".join(found)


@pytest.mark.parametrize(
    "reply",
    [
        Reply(401, {"error": {"message": f"bad key {KEY}"}}),
        Reply(403, f"no entry for {KEY}"),
        Reply(404, {"error": {"message": f"no model for {KEY}"}}),
        Reply(400, {"error": {"message": f"bad request by Bearer {KEY}"}}),
        Reply(422, f"Authorization: Bearer {KEY}"),
        Reply(429, {"error": {"message": KEY}}),
        Reply(500, f"<h1>Bearer {KEY}</h1>"),
        Reply(302, "", {"Location": f"https://{KEY}@example.com/{KEY}?{KEY}"}),
        Reply(200, f"echo {KEY}"),
        Reply(200, {"error": KEY}),
        Reply(200, "", {"Content-Encoding": "gzip"}, delay=0.0),
        Reply(503, "late", delay=0.4),
    ],
    ids=lambda reply: f"HTTP {reply.status}",
)
def test_the_key_is_in_no_log_no_error_and_no_text_of_any_object(
    reply: Reply, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    for name in ("aiohttp", "aiohttp.client", "asyncio", "openai", "workbench_core"):
        logging.getLogger(name).setLevel(logging.DEBUG)
    shown = []
    with openai_stub(always(reply), models=reply) as stub:
        variables = {"URL": stub.url, "KEY": KEY, "NAME": "stub", "TIMEOUT": "0.2"}
        settings = read_settings(
            {"WORKBENCH_HOME": str(tmp_path), **{f"WORKBENCH_MODEL_{name}": value for name, value in variables.items()}}
        )
        model = chat_models(settings)[0]
        asked = endpoint(stub.url, timeout_seconds=0.2, retry_seconds=0.0001)
        shown += [repr(settings), repr(settings.models), repr(model), repr(model.availability()), repr(vars(asked))]
        try:
            shown += [repr(answer) for answer in asked.answer(asks("a", "b"), options=ChatOptions())]
        except WorkbenchError as error:
            shown.append(everything_of(error))
        assert stub.headers[0]["authorization"] == f"Bearer {KEY}"
    shown += [f"{record.getMessage()} {record.args} {record.exc_info} {record.exc_text}" for record in caplog.records]
    assert KEY not in " ".join(shown)
    assert "failed once" in caplog.text or reply.status == 200, "the log was on"


def test_nobody_listening_shows_no_key(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    with pytest.raises(WorkbenchError) as raised:
        answered(endpoint(f"http://user:{KEY}x@127.0.0.1:{free_port()}/v1"), "Hello?")
    assert "cannot be reached" in raised.value.message
    assert KEY not in everything_of(raised.value) + caplog.text


def test_a_password_in_the_address_is_sent_as_such_and_never_shown() -> None:
    with openai_stub(always(failure(400, f"who is {PASSWORD}?"))) as stub:
        address = stub.url.replace("//", "//ann:p4ss%2Fword@")
        model = endpoint(address, key="")
        error = answered(model, "Hello?")["0"].error
        assert stub.headers[0]["authorization"] == f"Basic {b64encode(f'ann:{PASSWORD}'.encode()).decode()}"
    assert error == "The model endpoint refused the request: who is •••?"
    assert "p4ss" not in repr(ChatEndpoint(address))


def test_without_a_key_nothing_is_sent() -> None:
    with openai_stub() as stub:
        assert answered(endpoint(stub.url, key=""), "Hello?")["0"].text
        assert "authorization" not in stub.headers[0]


def test_a_sign_in_that_fails_ends_the_batch_in_its_own_words() -> None:
    def fails() -> dict[str, str]:
        raise NotAuthorized("Nobody signed us in.", hint="Sign in.")

    with openai_stub() as stub:
        model = endpoint(stub.url, headers=fails)
        with pytest.raises(NotAuthorized, match="Nobody signed us in"):
            answered(model, "Hello?")
        assert model.availability().reason == "Nobody signed us in."
        assert stub.requests == []


def test_what_a_fetched_sign_in_holds_is_not_shown_either() -> None:
    signed = {"Authorization": f"Bearer {KEY}"}
    error = one_error(says(f"nonsense {KEY}"), ChatOptions(schema={"type": "object"}), headers=lambda: signed)
    assert error == "The model answered with nonsense instead of JSON: nonsense •••"
