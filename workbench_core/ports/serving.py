"""Endpoints over registered model versions, and their request log."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Protocol

from workbench_core.ports.values import Availability, Json

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, slots=True)
class ServedVersion:
    """One model version behind an endpoint and its share of the traffic in percent."""

    model_name: str
    version: int
    traffic_percent: int


@dataclass(frozen=True, slots=True)
class EndpointState:
    """What the serving side says: `state` is ready, updating, failed or stopped; `message` explains a failure."""

    endpoint: str
    state: str
    served: tuple[ServedVersion, ...]
    config_version: int
    message: str = ""


@dataclass(frozen=True, slots=True)
class Prediction:
    """One answer of a served model: either `answer`, or `error` as a sentence."""

    answer: str | None
    confidence: float | None = None
    error: str | None = None
    latency_ms: float = 0.0


@dataclass(frozen=True, slots=True)
class QueryResult:
    """The answers to one request, and which version gave them."""

    request_id: str
    model_name: str
    version: int
    predictions: tuple[Prediction, ...]
    latency_ms: float


@dataclass(frozen=True, slots=True)
class LoggedRequest:
    """One line of the request log. `records` are the inputs, `predictions` the outputs, both as sent."""

    request_id: str
    endpoint: str
    model_name: str
    version: int
    requested_at: datetime
    latency_ms: float
    status_code: int
    error: str
    requested_by: str
    source: str  # playground, api or demo
    item_refs: tuple[str, ...]
    records: tuple[Mapping[str, Json], ...]
    predictions: tuple[Mapping[str, Json], ...]


class Serving(Protocol):
    """Endpoints over registered model versions."""

    def availability(self) -> Availability:
        """Whether endpoints can answer now; quick, and never raises."""
        ...

    def apply(self, endpoint: str, served: Sequence[ServedVersion]) -> EndpointState:
        """Create or change an endpoint: load all versions first, then switch. Raises Invalid, Unavailable."""
        ...

    def remove(self, endpoint: str) -> None:
        """Stop an endpoint; its request log stays."""
        ...

    def state(self, endpoint: str) -> EndpointState:
        """The state now. Raises NotFound."""
        ...

    def query(
        self,
        endpoint: str,
        records: Sequence[Mapping[str, Json]],
        *,
        by: str,
        source: str = "playground",
        item_refs: Sequence[str] = (),
    ) -> QueryResult:
        """Ask an endpoint; the request is logged before the answer leaves. Raises Invalid, NotFound, Unavailable."""
        ...

    def predict(self, model_name: str, version: int, records: Sequence[Mapping[str, Json]]) -> list[Prediction]:
        """Ask one model version directly, outside any endpoint and its log; for evaluation."""
        ...

    def performance(self, endpoint: str, *, since: datetime, until: datetime) -> pd.DataFrame:
        """One row a request: request_id, requested_at, version, status_code, latency_ms, requested_by, source."""
        ...

    def requests(
        self, endpoint: str, *, since: datetime, until: datetime, limit: int = 1000, newest_first: bool = True
    ) -> list[LoggedRequest]:
        """Whole requests with inputs and outputs."""
        ...

    def request(self, request_id: str) -> LoggedRequest:
        """One request. Raises NotFound."""
        ...
