"""A small OpenAI-compatible server that misbehaves on demand, on a loopback port."""

from __future__ import annotations

import json
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Body = dict[str, Any]


@dataclass
class Reply:
    """What the stub sends back, after a delay in seconds."""

    status: int = 200
    body: Body | str = ""
    headers: dict[str, str] = field(default_factory=dict)
    delay: float = 0.0


Behaviour = Callable[[int, Body], Reply]  # number of the request from 1, and its body


@dataclass
class OpenAiStub:
    """The running stub: its address, and what it was asked."""

    url: str
    behaviour: Behaviour
    models: Reply
    requests: list[Body] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    paths: list[str] = field(default_factory=list)
    arrivals: list[float] = field(default_factory=list)  # seconds of a monotonic clock
    answered: Counter[str] = field(default_factory=Counter)  # proper answers by the last message of the question
    in_flight: int = 0
    most_in_flight: int = 0
    is_gone: bool = False
    lock: threading.Lock = field(default_factory=threading.Lock)


def completion(text: object, *, finish_reason: str = "stop") -> Body:
    """The body of a proper answer."""
    message = {"role": "assistant", "content": text}
    return {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1,
        "model": "stub",
        "choices": [{"index": 0, "message": message, "finish_reason": finish_reason}],
        "usage": {"prompt_tokens": 12, "completion_tokens": 3, "total_tokens": 15},
    }


def listing(*names: str) -> Reply:
    """The answer to GET /models."""
    return Reply(body={"object": "list", "data": [{"id": name, "object": "model"} for name in names]})


def failure(status: int, message: str, **headers: str) -> Reply:
    """An error as OpenAI-compatible servers send it."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Reply(status, {"error": {"message": message, "type": "error", "code": status}}, named)


def ok(number: int, body: Body) -> Reply:
    """Answer as asked: free text, or JSON that follows the schema."""
    wanted = body.get("response_format")
    if wanted is None or wanted["type"] != "json_schema":
        return Reply(body=completion(f"Answer to: {body['messages'][-1]['content']}"))
    return Reply(body=completion(json.dumps(_example(wanted["json_schema"]["schema"]))))


def says(text: object, *, finish_reason: str = "stop") -> Behaviour:
    """Always answer with this text."""
    return lambda number, body: Reply(body=completion(text, finish_reason=finish_reason))


def slow(seconds: float) -> Behaviour:
    """Answer properly, but late."""

    def behave(number: int, body: Body) -> Reply:
        reply = ok(number, body)
        reply.delay = seconds
        return reply

    return behave


def first(count: int, reply: Reply) -> Behaviour:
    """Send `reply` to the first `count` requests, then answer properly."""
    return lambda number, body: reply if number <= count else ok(number, body)


def always(reply: Reply) -> Behaviour:
    """Send `reply` to every request."""
    return lambda number, body: reply


@contextmanager
def openai_stub(behaviour: Behaviour = ok, *, models: Reply | None = None) -> Iterator[OpenAiStub]:
    """Run the stub; `url` is the base URL to configure."""
    server = _Server(("127.0.0.1", 0), _Handler)
    stub = OpenAiStub(f"http://127.0.0.1:{server.server_port}/v1", behaviour, models or listing("stub"))
    server.stub = stub  # type: ignore[attr-defined]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield stub
    finally:
        stub.is_gone = True  # connections kept open are dropped at their next request
        server.shutdown()
        server.server_close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 256  # the usual 5 makes further clients wait a second


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # else every answer waits 40 ms

    def do_GET(self) -> None:
        self._send(self._stub.models)

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        stub = self._stub
        if stub.is_gone:
            self.close_connection = True
            return
        with stub.lock:
            stub.requests.append(body)
            stub.headers.append({name.lower(): value for name, value in self.headers.items()})
            stub.paths.append(self.path)
            stub.arrivals.append(time.monotonic())
            number = len(stub.requests)
            stub.in_flight += 1
            stub.most_in_flight = max(stub.most_in_flight, stub.in_flight)
        try:
            reply = stub.behaviour(number, body)
            time.sleep(reply.delay)
        finally:
            with stub.lock:
                stub.in_flight -= 1
        with stub.lock:
            stub.answered[str(body["messages"][-1]["content"])] += reply.status == 200
        self._send(reply)

    def log_message(self, format: str, *args: object) -> None:
        """Keep the test output quiet."""

    @property
    def _stub(self) -> OpenAiStub:
        return self.server.stub  # type: ignore[attr-defined, no-any-return]

    def _send(self, reply: Reply) -> None:
        is_text = isinstance(reply.body, str)
        payload = (str(reply.body) if is_text else json.dumps(reply.body)).encode()
        headers = {"Content-Type": "application/json", **reply.headers, "Content-Length": str(len(payload))}
        try:
            self.send_response(reply.status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(payload)
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True  # the client gave up waiting


def _example(schema: Body) -> object:
    """The simplest value that follows a schema of objects, enums, numbers and strings."""
    if "enum" in schema:
        return schema["enum"][0]
    if schema.get("type") == "object":
        return {name: _example(part) for name, part in schema.get("properties", {}).items()}
    return 1 if schema.get("type") in ("integer", "number") else "text"
