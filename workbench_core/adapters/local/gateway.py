"""The serving gateway: a child process that answers for all endpoints of a home, in the REST shape of Databricks.

`python -m workbench_core.adapters.local.gateway --home H --port-file F --parent PID`
"""

from __future__ import annotations

import asyncio
import hmac
import json
import logging
import os
import socket
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import uvicorn
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from workbench_core.adapters.local.invocations import Invocation, read_invocation, read_object, read_records
from workbench_core.adapters.local.loaded_models import Key, ServedModels
from workbench_core.adapters.local.processes import (
    HOST,
    child_parser,
    exit_with_parent,
    new_token,
    write_port_file,
)
from workbench_core.adapters.local.request_log import CAPACITY, RequestLog, log_file
from workbench_core.adapters.local.served_endpoints import (
    Endpoint,
    delete_endpoint,
    parse_config,
    read_endpoints,
    save_endpoint,
)
from workbench_core.errors import AlreadyExists, Invalid, NotAuthorized, NotFound, TimedOut, WorkbenchError
from workbench_core.ports import Json, LoggedRequest

log = logging.getLogger(__name__)

TRAFFIC_SECONDS = 120.0
EVALUATION_SECONDS = 900.0  # a batch of a generative model may take minutes, and nobody waits at a screen
STATUS: tuple[tuple[type[WorkbenchError], int, str], ...] = (
    (Invalid, 400, "INVALID_PARAMETER_VALUE"),
    (NotAuthorized, 401, "UNAUTHENTICATED"),
    (NotFound, 404, "RESOURCE_DOES_NOT_EXIST"),
    (AlreadyExists, 409, "RESOURCE_ALREADY_EXISTS"),
    (TimedOut, 504, "DEADLINE_EXCEEDED"),
    (WorkbenchError, 500, "INTERNAL_ERROR"),
)


class Gateway:
    """Answers HTTP requests. All its state changes in the event loop, one step at a time."""

    def __init__(self, home: Path, *, traffic_seconds: float = TRAFFIC_SECONDS) -> None:
        self._path = log_file(home)
        self._log = RequestLog(self._path)
        self._log_slots = asyncio.Semaphore(CAPACITY)  # so that handing a row over never blocks the event loop
        self._endpoints = read_endpoints(self._path)
        self._updating: set[str] = set()
        self._changing = asyncio.Lock()
        self._models = ServedModels(home, is_serving=self._is_serving)
        self._traffic_seconds = traffic_seconds

    def routes(self) -> list[Route]:
        """The addresses it answers at."""
        api = "/api/2.0/serving-endpoints"
        return [
            Route("/health", self.health),
            Route(api, self.list_endpoints),
            Route(f"{api}/{{name}}", self.get_endpoint),
            Route(f"{api}/{{name}}", self.remove_endpoint, methods=["DELETE"]),
            Route(f"{api}/{{name}}/config", self.configure, methods=["PUT"]),
            Route("/serving-endpoints/{name}/invocations", self.invoke, methods=["POST"]),
            Route("/models/{name}/{version:int}/predict", self.predict, methods=["POST"]),
        ]

    async def start(self) -> None:
        """Load the versions of all saved endpoints in the background; a request that comes earlier waits."""
        self._models.warm_up()
        for endpoint in self._endpoints.values():
            for route in endpoint.routes:
                self._models.load(route.key)

    def close(self) -> None:
        """Commit what the log still holds."""
        self._log.close()

    async def health(self, _request: Request) -> Response:
        """Alive, and who."""
        return _json({"status": "ok", "pid": os.getpid(), "endpoints": len(self._endpoints)})

    async def list_endpoints(self, _request: Request) -> Response:
        """All endpoints by name."""
        return _json({"endpoints": [self._described(self._endpoints[name]) for name in sorted(self._endpoints)]})

    async def get_endpoint(self, request: Request) -> Response:
        """One endpoint with its state."""
        return _json(self._described(self._endpoint(request)))

    async def remove_endpoint(self, request: Request) -> Response:
        """Stop answering for an endpoint; its log stays."""
        name = self._endpoint(request).name
        async with self._changing:
            await asyncio.to_thread(delete_endpoint, self._path, name)
            self._endpoints.pop(name, None)
        return _json({})

    async def configure(self, request: Request) -> Response:
        """Load all versions first, then switch; requests under way finish on the version they began with."""
        wanted = parse_config(request.path_params["name"], read_object(await request.body()))
        self._updating.add(wanted.name)
        try:
            for route in wanted.routes:
                await self._models.get(route.key)
        except WorkbenchError as error:
            raise Invalid(f"{error.message} The endpoint was not changed.", hint=error.hint) from error
        finally:
            self._updating.discard(wanted.name)
        async with self._changing:
            before = self._endpoints.get(wanted.name, wanted)
            endpoint = replace(wanted, config_version=before.config_version + 1)
            await asyncio.to_thread(save_endpoint, self._path, endpoint)
            self._endpoints[endpoint.name] = endpoint
        return _json(self._described(endpoint))

    async def invoke(self, request: Request) -> Response:
        """Answer, log, and only then let the answer go."""
        started, requested_at = time.perf_counter(), datetime.now(UTC)
        endpoint = self._endpoint(request)
        invocation = read_invocation(await request.body())
        route = endpoint.route(invocation.request_id)
        predictions, problem = await self._answers(route.key, invocation)
        logged = LoggedRequest(
            request_id=invocation.request_id,
            endpoint=endpoint.name,
            model_name=route.model_name,
            version=route.version,
            requested_at=requested_at,
            latency_ms=(time.perf_counter() - started) * 1000,
            status_code=_status(problem)[0] if problem else 200,
            error=problem.message if problem else "",
            requested_by=invocation.requested_by,
            source=invocation.source,
            item_refs=invocation.item_refs,
            records=invocation.records,
            predictions=tuple(predictions),
        )
        async with self._log_slots:
            await asyncio.wrap_future(self._log.append(logged))
        return _failure(problem) if problem else _answer(logged, route.name, invocation.client_request_id)

    async def predict(self, request: Request) -> Response:
        """Answer with one version outside any endpoint; nothing is logged, for this is no traffic."""
        key = (request.path_params["name"], request.path_params["version"])
        records = read_records(read_object(await request.body()))
        started = time.perf_counter()
        predictions = await self._models.predict(key, records, seconds=EVALUATION_SECONDS)
        return _json({"predictions": [*predictions], "latency_ms": (time.perf_counter() - started) * 1000})

    async def _answers(self, key: Key, invocation: Invocation) -> tuple[list[dict[str, Json]], WorkbenchError | None]:
        if invocation.problem:
            return [], invocation.problem
        try:
            return await self._models.predict(key, invocation.records, seconds=self._traffic_seconds), None
        except WorkbenchError as problem:
            return [], problem

    def _endpoint(self, request: Request) -> Endpoint:
        name = request.path_params["name"]
        if name not in self._endpoints:
            raise NotFound(f"There is no endpoint “{name}”.", hint="Deploy a model version to it first.")
        return self._endpoints[name]

    def _is_serving(self, key: Key) -> bool:
        return any(route.key == key for endpoint in self._endpoints.values() for route in endpoint.routes)

    def _described(self, endpoint: Endpoint) -> dict[str, Json]:
        failures = [self._models.failure(route.key) for route in endpoint.routes]
        is_ready = all(self._models.is_loaded(route.key) for route in endpoint.routes)
        is_updating = endpoint.name in self._updating or not (is_ready or any(failures))
        entities: list[Json] = [
            {"name": route.name, "entity_name": route.model_name, "entity_version": str(route.version)}
            for route in endpoint.routes
        ]
        routes: list[Json] = [
            {"served_model_name": route.name, "traffic_percentage": route.traffic_percent} for route in endpoint.routes
        ]
        return {
            "name": endpoint.name,
            "state": {
                "ready": "READY" if is_ready else "NOT_READY",
                "config_update": "IN_PROGRESS" if is_updating else "UPDATE_FAILED" if any(failures) else "NOT_UPDATING",
                "message": " ".join(filter(None, failures)),
            },
            "config": {
                "served_entities": entities,
                "traffic_config": {"routes": routes},
                "config_version": endpoint.config_version,
            },
        }


class TokenCheck:
    """Lets only requests with the bearer token through."""

    def __init__(self, app: ASGIApp, token: str) -> None:
        self._app = app
        self._expected = f"Bearer {token}".encode()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on or refuse."""
        if scope["type"] == "http":
            given = dict(scope["headers"]).get(b"authorization", b"")
            if not hmac.compare_digest(given, self._expected):
                refusal = NotAuthorized("The token is missing or wrong.", hint="Send it as bearer token.")
                await _failure(refusal)(scope, receive, send)
                return
        await self._app(scope, receive, send)


def _json(content: Mapping[str, Json], status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    # ASCII only: a model may answer with half a surrogate pair, which UTF-8 cannot carry
    return Response(json.dumps(content, allow_nan=False), status, headers, media_type="application/json")


def _answer(logged: LoggedRequest, served_name: str, client_request_id: str) -> Response:
    output: dict[str, Json] = {"databricks_request_id": logged.request_id}
    if client_request_id:
        output["client_request_id"] = client_request_id
    content: dict[str, Json] = {
        "predictions": [dict(prediction) for prediction in logged.predictions],
        "databricks_output": output,
        "model_name": logged.model_name,
        "version": logged.version,
        "latency_ms": logged.latency_ms,
    }
    return _json(content, headers={"served-model-name": served_name})


def _status(error: WorkbenchError) -> tuple[int, str]:
    return next((status, code) for kind, status, code in STATUS if isinstance(error, kind))


def _failure(error: WorkbenchError) -> Response:
    status, code = _status(error)
    return _json({"error_code": code, "message": error.message, "hint": error.hint}, status)


async def _expected_failure(_request: Request, error: Exception) -> Response:
    assert isinstance(error, WorkbenchError)
    return _failure(error)


async def _refused(_request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    code = {404: "ENDPOINT_NOT_FOUND", 405: "BAD_REQUEST"}.get(error.status_code, "BAD_REQUEST")
    return _json({"error_code": code, "message": error.detail}, error.status_code)


async def _unexpected_failure(_request: Request, error: Exception) -> Response:
    return _json({"error_code": "INTERNAL_ERROR", "message": f"{type(error).__name__}: {error}"}, 500)


def application(gateway: Gateway, *, token: str, port_file: Path, port: int) -> ASGIApp:
    """The ASGI application; announces itself once it is ready to answer."""

    @asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[None]:
        await gateway.start()
        write_port_file(port_file, port=port, token=token)
        yield

    handlers = {WorkbenchError: _expected_failure, HTTPException: _refused, Exception: _unexpected_failure}
    return TokenCheck(Starlette(routes=gateway.routes(), exception_handlers=handlers, lifespan=lifespan), token)


def main() -> None:
    """Serve until the parent ends or somebody stops us."""
    parser = child_parser("Serve the endpoints of a workbench home.")
    parser.add_argument("--traffic-seconds", type=float, default=TRAFFIC_SECONDS)
    chosen = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    exit_with_parent(chosen.parent)
    # asyncio switches Nagle's delay of 40 ms off only for sockets that name their protocol
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP) as listener:
        listener.bind((HOST, 0))
        gateway = Gateway(chosen.home, traffic_seconds=chosen.traffic_seconds)
        app = application(gateway, token=new_token(), port_file=chosen.port_file, port=listener.getsockname()[1])
        config = uvicorn.Config(app, log_level="warning", access_log=False, timeout_graceful_shutdown=1)
        uvicorn.Server(config).run(sockets=[listener])
        gateway.close()
    os._exit(0)  # a thread with a slow model must not hold the process back


if __name__ == "__main__":
    main()
