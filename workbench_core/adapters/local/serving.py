"""Serving on this machine: one gateway process per home answers, and the request log is read from its file."""

from __future__ import annotations

import json
import logging
import threading
import uuid
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias
from urllib.parse import quote

from workbench_core.adapters.local.processes import OwnedProcess, ProcessAddress
from workbench_core.adapters.local.request_log import (
    log_file,
    read_performance,
    read_request,
    read_requests,
)
from workbench_core.adapters.local.served_endpoints import check_endpoint_name, config_body, read_endpoints
from workbench_core.errors import (
    AlreadyExists,
    BackendError,
    Invalid,
    NotAuthorized,
    NotFound,
    TimedOut,
    Unavailable,
    WorkbenchError,
)
from workbench_core.ports import (
    Availability,
    EndpointState,
    Json,
    LoggedRequest,
    Prediction,
    QueryResult,
    ServedVersion,
    Serving,
)
from workbench_core.settings import Settings

if TYPE_CHECKING:
    import pandas as pd
    from urllib3 import BaseHTTPResponse, PoolManager

log = logging.getLogger(__name__)

MODULE = "workbench_core.adapters.local.gateway"
TRAFFIC_SECONDS = 120.0
QUICK_SECONDS = 30.0
LOADING_SECONDS = 310.0  # each a little more than the gateway itself allows, so that it can say what happened
EVALUATION_SECONDS = 910.0 + LOADING_SECONDS
RECORDS_AT_ONCE = 256
CONNECTIONS = 16
API = "/api/2.0/serving-endpoints"
ERRORS: Mapping[int, type[WorkbenchError]] = {
    400: Invalid,
    401: NotAuthorized,
    404: NotFound,
    409: AlreadyExists,
    504: TimedOut,
}

Body: TypeAlias = "dict[str, Json]"
Records: TypeAlias = "Sequence[Mapping[str, Json]]"


class LocalServing:
    """Endpoints over the model versions that MLflow keeps in this home. Safe to use from many threads."""

    def __init__(self, home: Path, *, traffic_seconds: float = TRAFFIC_SECONDS) -> None:
        self._path = log_file(home.resolve())
        self._process = OwnedProcess("gateway", MODULE, home, ("--traffic-seconds", str(traffic_seconds)))
        self._query_seconds = traffic_seconds + LOADING_SECONDS
        self._address: ProcessAddress | None = None
        self._pool: PoolManager | None = None
        self._starter: threading.Thread | None = None
        self._start_error: WorkbenchError | None = None
        self._lock = threading.Lock()

    def availability(self) -> Availability:
        """Whether endpoints can answer now; quick, and never raises."""
        missing = [name for name in ("mlflow", "starlette", "uvicorn", "urllib3") if find_spec(name) is None]
        if missing:
            return Availability(False, f"{', '.join(missing)} is not installed.", "Install the requirements again.")
        return Availability(True)

    def apply(self, endpoint: str, served: Sequence[ServedVersion]) -> EndpointState:
        """Create or change an endpoint: load all versions first, then switch.

        When one version cannot be loaded nothing changes. Raises Invalid, Unavailable.
        """
        check_endpoint_name(endpoint)
        path = f"{API}/{endpoint}/config"
        return _state(self._ask("PUT", path, config_body(served), seconds=LOADING_SECONDS * max(1, len(served))))

    def remove(self, endpoint: str) -> None:
        """Stop an endpoint; its request log stays. Removing it again is no error."""
        try:
            self._ask("DELETE", f"{API}/{quote(endpoint, safe='')}", seconds=QUICK_SECONDS)
        except NotFound:
            log.info("The endpoint %s was removed before", endpoint)

    def state(self, endpoint: str) -> EndpointState:
        """The state now; starts the gateway in the background when it does not run. Raises NotFound."""
        if self._process.running():
            return _state(self._ask("GET", f"{API}/{quote(endpoint, safe='')}", seconds=QUICK_SECONDS))
        saved = read_endpoints(self._path).get(endpoint) if self._path.exists() else None
        if saved is None:
            raise NotFound(f"There is no endpoint “{endpoint}”.", hint="Deploy a model version to it first.")
        state, message = self._start_in_background()
        return EndpointState(endpoint, state, saved.served, saved.config_version, message)

    def query(
        self,
        endpoint: str,
        records: Records,
        *,
        by: str,
        source: str = "playground",
        item_refs: Sequence[str] = (),
    ) -> QueryResult:
        """Ask an endpoint; the request is logged before the answer leaves.

        When the gateway dies meanwhile, the answer comes from the log, or the request is sent again under the same
        identifier: it is logged once. Raises Invalid, NotFound, Unavailable, TimedOut, BackendError.
        """
        request_id = str(uuid.uuid4())
        body: Body = {
            "request_id": request_id,
            "dataframe_records": [dict(record) for record in records],
            "requested_by": by,
            "source": source,
            "item_refs": [*item_refs],
        }
        path = f"/serving-endpoints/{quote(endpoint, safe='')}/invocations"
        try:
            return _result(self._ask("POST", path, body, seconds=self._query_seconds), request_id)
        except AlreadyExists:  # the first attempt was logged, only its answer got lost
            return _logged_result(self.request(request_id))

    def predict(self, model_name: str, version: int, records: Records) -> list[Prediction]:
        """Ask one model version directly, outside any endpoint and its log; for evaluation.

        A record on which the model fails comes back with `error`; the others are answered. The latency of a prediction
        is its share of its batch. Raises Invalid, NotFound, Unavailable, TimedOut.
        """
        path = f"/models/{quote(model_name, safe='')}/{version}/predict"
        batches = (records[start : start + RECORDS_AT_ONCE] for start in range(0, len(records), RECORDS_AT_ONCE))
        return [prediction for batch in batches for prediction in self._predict_batch(path, batch)]

    def performance(self, endpoint: str, *, since: datetime, until: datetime) -> pd.DataFrame:
        """One row a request: request_id, requested_at, version, status_code, latency_ms, requested_by, source."""
        return read_performance(self._path, endpoint, since=since, until=until)

    def requests(
        self, endpoint: str, *, since: datetime, until: datetime, limit: int = 1000, newest_first: bool = True
    ) -> list[LoggedRequest]:
        """Whole requests with inputs and outputs."""
        return read_requests(self._path, endpoint, since=since, until=until, limit=limit, newest_first=newest_first)

    def request(self, request_id: str) -> LoggedRequest:
        """One request. Raises NotFound."""
        return read_request(self._path, request_id)

    def close(self) -> None:
        """Stop the gateway and give back the connections."""
        self._process.stop()
        if self._pool is not None:
            self._pool.clear()

    # --- the other process -------------------------------------------------------------------------------------

    def _predict_batch(self, path: str, records: Records) -> Iterator[Prediction]:
        body: Body = {"dataframe_records": [dict(record) for record in records]}
        try:
            answer = self._ask("POST", path, body, seconds=EVALUATION_SECONDS)
        except (Unavailable, TimedOut, NotAuthorized):
            raise
        except BackendError as error:
            if len(records) == 1:
                yield Prediction(None, error=error.message)
                return
            middle = len(records) // 2  # the model fails on some record: halve until it is found
            yield from self._predict_batch(path, records[:middle])
            yield from self._predict_batch(path, records[middle:])
        else:
            yield from _predictions(answer)

    def _ask(self, method: str, path: str, body: Body | None = None, *, seconds: float) -> Body:
        """Send a request, again when the gateway died meanwhile; every request may come twice without harm."""
        import urllib3

        content = _encoded(body) if body is not None else None
        for address in self._addresses():
            try:
                response = self._send(address, method, path, content, seconds)
            except urllib3.exceptions.ReadTimeoutError:
                raise TimedOut(
                    f"The gateway did not answer within {seconds:g} seconds.", hint="Try again with fewer records."
                ) from None
            except urllib3.exceptions.HTTPError as error:
                log.warning("The gateway did not answer: %s", type(error).__name__)
                continue
            if response.status != 401:  # another process started the gateway anew, with a new token
                return _content(response)
        raise Unavailable(
            "The serving process does not answer.", hint=f"Try again; its log is {self._process.log_file}."
        )

    def _addresses(self) -> Iterator[ProcessAddress]:
        """The address that worked before, then twice the one that a fresh look, or a fresh start, gives."""
        if self._address:
            yield self._address
        for _ in range(2):
            self._address = self._process.address()
            yield self._address

    def _send(
        self, address: ProcessAddress, method: str, path: str, content: bytes | None, seconds: float
    ) -> BaseHTTPResponse:
        import urllib3

        with self._lock:
            if self._pool is None:
                self._pool = urllib3.PoolManager(maxsize=CONNECTIONS, retries=False)
        headers = {"Authorization": f"Bearer {address.token}", "Content-Type": "application/json"}
        return self._pool.request(method, address.url + path, body=content, headers=headers, timeout=seconds)

    def _start_in_background(self) -> tuple[str, str]:
        """State and message of a gateway that does not run; one thread at a time tries to start it."""
        with self._lock:
            if self._starter and self._starter.is_alive():
                return "updating", "The serving process is starting."
            if error := self._start_error:
                self._start_error = None  # said once; the next look tries again
                return "failed", error.message
            self._starter = threading.Thread(target=self._start, name="start-gateway", daemon=True)
            self._starter.start()
        return "updating", "The serving process is starting."

    def _start(self) -> None:
        try:
            self._address = self._process.address()
        except WorkbenchError as error:
            self._start_error = error


def _encoded(body: Body) -> bytes:
    try:
        return json.dumps(body, allow_nan=False).encode()
    except (TypeError, ValueError) as error:
        raise Invalid(
            f"The records cannot be sent: {error}.", hint="Use texts, numbers, true, false and null only."
        ) from None


def _content(response: BaseHTTPResponse) -> Body:
    try:
        content = json.loads(response.data)
    except ValueError:
        content = {"message": "The gateway gave an answer that cannot be read."}
    if response.status == 200:
        return dict(content)
    kind = ERRORS.get(response.status, BackendError)
    raise kind(str(content.get("message", "The gateway failed.")), hint=str(content.get("hint", "")))


def _state(content: Body) -> EndpointState:
    config, state = _object(content["config"]), _object(content["state"])
    shares = {
        str(route["served_model_name"]): int(str(route["traffic_percentage"]))
        for route in _objects(_object(config["traffic_config"])["routes"])
    }
    served = tuple(
        ServedVersion(
            str(entity["entity_name"]), int(str(entity["entity_version"])), shares.get(str(entity["name"]), 0)
        )
        for entity in _objects(config["served_entities"])
    )
    words = {"IN_PROGRESS": "updating", "UPDATE_FAILED": "failed"}
    return EndpointState(
        endpoint=str(content["name"]),
        state=words.get(str(state["config_update"]), "ready"),
        served=served,
        config_version=int(str(config["config_version"])),
        message=str(state.get("message", "")),
    )


def _result(content: Body, request_id: str) -> QueryResult:
    return QueryResult(
        request_id=request_id,
        model_name=str(content["model_name"]),
        version=int(str(content["version"])),
        predictions=tuple(_predictions(content)),
        latency_ms=float(str(content["latency_ms"])),
    )


def _logged_result(logged: LoggedRequest) -> QueryResult:
    if logged.status_code != 200:
        raise ERRORS.get(logged.status_code, BackendError)(logged.error)
    content: Body = {
        "model_name": logged.model_name,
        "version": logged.version,
        "latency_ms": logged.latency_ms,
        "predictions": [dict(prediction) for prediction in logged.predictions],
    }
    return _result(content, logged.request_id)


def _predictions(content: Body) -> Iterator[Prediction]:
    rows = _objects(content["predictions"])
    share = float(str(content["latency_ms"])) / max(1, len(rows))
    for row in rows:
        answer, confidence = row["prediction"], row.get("confidence")
        yield Prediction(
            answer=None if answer is None else str(answer),
            confidence=None if confidence is None else float(str(confidence)),
            error="The model gave no answer." if answer is None else None,
            latency_ms=share,
        )


def _object(value: Json) -> Body:
    return value if isinstance(value, dict) else {}


def _objects(value: Json) -> list[Body]:
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []


def serving(settings: Settings) -> Serving:
    """The endpoints of this home."""
    return LocalServing(settings.home)
