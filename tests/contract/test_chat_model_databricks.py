"""A model behind Databricks Model Serving, signed in to by databricks-sdk, against a local workspace over HTTP."""

from __future__ import annotations

import json
import logging
import threading
import time
from base64 import b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from tests.contract.chat_model_parts import answered, free_port
from tests.contract.openai_stub import completion
from workbench_core.adapters.local.models import chat_models
from workbench_core.errors import NotAuthorized, Unavailable
from workbench_core.ports import ChatModel
from workbench_core.settings import read_settings

CLIENT, SECRET = "app-client", "dose-secret-4711"
CHAT = "/serving-endpoints/chat/completions"


@dataclass
class Workspace:
    """OAuth discovery and tokens for a service principal, and one serving endpoint, as the SDK asks for them."""

    url: str = ""
    token_seconds: int = 3600
    ready: str = "READY"
    tokens: list[str] = field(default_factory=list)
    asked: list[tuple[str, str]] = field(default_factory=list)  # path and authorization
    bodies: list[dict[str, object]] = field(default_factory=list)

    def reply(self, path: str, authorization: str, body: bytes) -> tuple[int, object]:
        """What a workspace answers."""
        self.asked.append((path, authorization))
        if path == "/.well-known/databricks-config":
            return 200, {"workspace_id": "1", "account_id": "a", "oidc_endpoint": f"{self.url}/oidc", "cloud": "AWS"}
        if path == "/oidc/.well-known/oauth-authorization-server":
            return 200, {"authorization_endpoint": f"{self.url}/oidc/a", "token_endpoint": f"{self.url}/oidc/v1/token"}
        if path == "/oidc/v1/token":
            if authorization != f"Basic {b64encode(f'{CLIENT}:{SECRET}'.encode()).decode()}":
                return 401, {"error": "invalid_client", "error_description": f"bad secret for {authorization}"}
            self.tokens.append(f"token-{len(self.tokens) + 1}")
            return 200, {"access_token": self.tokens[-1], "token_type": "Bearer", "expires_in": self.token_seconds}
        if authorization.removeprefix("Bearer ") not in self.tokens:
            return 401, {"error_code": "UNAUTHENTICATED", "message": "Credential was not sent or was of another type"}
        if path == CHAT:
            self.bodies.append(json.loads(body))
            return 200, completion("Good day.")
        if path == "/api/2.0/serving-endpoints/chat-70b":
            return 200, {"name": "chat-70b", "state": {"ready": self.ready, "config_update": "NOT_UPDATING"}}
        return 404, {"error_code": "RESOURCE_DOES_NOT_EXIST", "message": "There is no such endpoint."}


@contextmanager
def running(workspace: Workspace) -> Iterator[Workspace]:
    """The workspace over HTTP on this machine."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            status, content = workspace.reply(self.path.partition("?")[0], self.headers.get("Authorization", ""), body)
            payload = json.dumps(content).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(payload)))
            self.end_headers()
            self.wfile.write(payload)

        do_POST = do_GET  # noqa: N815

        def log_message(self, format: str, *args: object) -> None:
            """Keep the test output quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    workspace.url = f"http://127.0.0.1:{server.server_port}"
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
    try:
        yield workspace
    finally:
        server.shutdown()
        server.server_close()


@pytest.fixture
def workspace(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Workspace]:
    with running(Workspace()) as found:
        sign_in(monkeypatch, tmp_path, SECRET)
        yield found


def sign_in(monkeypatch: pytest.MonkeyPatch, home: Path, secret: str) -> None:
    """The environment of a service principal, and nothing else that the SDK could take."""
    for name in ("DATABRICKS_HOST", "DATABRICKS_TOKEN", "DATABRICKS_CONFIG_PROFILE", "HTTP_PROXY", "http_proxy"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("DATABRICKS_CONFIG_FILE", str(home / "no-profiles"))
    monkeypatch.setenv("DATABRICKS_CLIENT_ID", CLIENT)
    monkeypatch.setenv("DATABRICKS_CLIENT_SECRET", secret)


def model_of(workspace: Workspace, home: Path, name: str = "chat-70b", more: str = "") -> ChatModel:
    (home / "models.toml").write_text(f'[[model]]\nname = "{name}"\nprovider = "databricks"\n{more}\n')
    return chat_models(read_settings({"WORKBENCH_HOME": str(home), "DATABRICKS_HOST": workspace.url}))[0]


def test_a_question_is_signed_with_the_token_of_the_service_principal(workspace: Workspace, tmp_path: Path) -> None:
    model = model_of(workspace, tmp_path)
    assert workspace.asked == [], "nothing is asked before the first question"
    found = answered(model, "Hello?", "And you?")
    assert {answer.text for answer in found.values()} == {"Good day."}
    assert {signed for path, signed in workspace.asked if path == CHAT} == {"Bearer token-1"}
    assert workspace.bodies[0]["model"] == "chat-70b"


def test_a_token_that_ends_is_renewed_within_a_batch(workspace: Workspace, tmp_path: Path) -> None:
    workspace.token_seconds = 1  # the SDK renews well before the end, so here for every request
    found = answered(model_of(workspace, tmp_path, more="concurrency = 1"), *["Hello?"] * 3)
    assert {answer.text for answer in found.values()} == {"Good day."}
    signed = [signed for path, signed in workspace.asked if path == CHAT]
    assert len(signed) == len(set(signed)) == 3


def test_it_is_ready_when_the_workspace_says_so(workspace: Workspace, tmp_path: Path) -> None:
    assert model_of(workspace, tmp_path).availability().is_ready
    workspace.ready = "NOT_READY"
    assert "is not ready yet" in model_of(workspace, tmp_path).availability().reason
    assert model_of(workspace, tmp_path, "chat-7b").availability().reason == "There is no serving endpoint “chat-7b”."


def test_an_unknown_serving_endpoint_ends_the_batch(tmp_path: Path, workspace: Workspace) -> None:
    workspace.reply = _without_chat(workspace)  # type: ignore[method-assign]
    with pytest.raises(Unavailable, match="There is no such endpoint"):
        answered(model_of(workspace, tmp_path), "Hello?")


def _without_chat(workspace: Workspace):  # type: ignore[no-untyped-def]
    reply = workspace.reply
    return lambda path, authorization, body: reply(path.replace(CHAT, "/gone"), authorization, body)


def test_a_refused_secret_is_told_without_it(
    workspace: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    wrong = f"{SECRET}-wrong"
    sign_in(monkeypatch, tmp_path, wrong)
    model = model_of(workspace, tmp_path)
    assert model.availability().reason == "Databricks did not sign us in."
    with pytest.raises(NotAuthorized) as raised:
        answered(model, "Hello?")
    assert "DATABRICKS_CLIENT_SECRET" in raised.value.hint
    told = (
        f"{raised.value!r} {raised.value.__cause__!r} {raised.value.__context__!r} {model.availability()} {caplog.text}"
    )
    assert SECRET not in told
    assert b64encode(f"{CLIENT}:{wrong}".encode()).decode() not in told


def test_the_token_and_the_secret_are_in_no_log(
    workspace: Workspace, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    model = model_of(workspace, tmp_path)
    assert model.availability().is_ready
    answered(model, "Hello?")
    assert "token-1" not in caplog.text
    assert SECRET not in caplog.text


def test_a_workspace_that_is_not_there_is_told_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sign_in(monkeypatch, tmp_path, SECRET)
    absent = Workspace(url=f"http://127.0.0.1:{free_port()}")
    model = model_of(absent, tmp_path)
    started = time.monotonic()
    assert model.availability().reason == f"Databricks at {absent.url} cannot be reached."
    with pytest.raises(Unavailable, match="cannot be reached"):
        answered(model, "Hello?")
    assert time.monotonic() - started < 4


def test_without_credentials_this_is_told(
    workspace: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("DATABRICKS_CLIENT_SECRET")
    availability = model_of(workspace, tmp_path).availability()
    assert availability.reason == "Databricks did not sign us in."
    assert "DATABRICKS_TOKEN" in availability.hint


def test_a_personal_token_signs_in_as_well(
    workspace: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("DATABRICKS_CLIENT_ID")
    monkeypatch.delenv("DATABRICKS_CLIENT_SECRET")
    monkeypatch.setenv("DATABRICKS_TOKEN", "dapi-1")
    workspace.tokens.append("dapi-1")
    assert answered(model_of(workspace, tmp_path), "Hello?")["0"].text == "Good day."
    assert (CHAT, "Bearer dapi-1") in workspace.asked
