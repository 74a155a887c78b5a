"""What the features need from the outside: Store, Lake, ChatModel, Embedder, Trainer, Serving, Tracker."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, TypeAlias

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

Value: TypeAlias = "str | int | float | bool | bytes | datetime | None"
Row: TypeAlias = "dict[str, Value]"
Json: TypeAlias = "str | int | float | bool | list[Json] | dict[str, Json] | None"


@dataclass(frozen=True, slots=True)
class Availability:
    """Whether a part can be used now; when not, why not and what to do about it."""

    is_ready: bool
    reason: str = ""
    hint: str = ""


# --- store ---------------------------------------------------------------------------------------------------------


class Store(Protocol):
    """The relational store: plain SQL text with `:name` parameters, in the subset that SQLite and PostgreSQL share.

    Columns whose name ends in `_at` hold times: aware UTC datetimes go in and come out.
    """

    dialect: str

    def query(self, sql: str, **params: Value | Sequence[Value]) -> list[Row]:
        """Run a SELECT. A sequence parameter expands inside `IN :name`."""
        ...

    def frame(self, sql: str, **params: Value | Sequence[Value]) -> pd.DataFrame:
        """Run a SELECT and give a data frame with the columns in the order of the statement."""
        ...

    def execute(self, sql: str, *, touches: str, **params: Value | Sequence[Value]) -> int:
        """Run one INSERT, UPDATE or DELETE on table `touches`; give the number of rows changed.

        Raises AlreadyExists for a broken unique key, Conflict for a broken reference or check.
        """
        ...

    def execute_many(self, sql: str, rows: Sequence[Mapping[str, Value]], *, touches: str) -> int:
        """Run one UPDATE or DELETE with many rows of parameters; give the number of rows changed altogether."""
        ...

    def append(self, table: str, rows: Sequence[Mapping[str, Value]]) -> int:
        """Insert rows (all with the same keys) in one bulk statement; give their number."""
        ...

    def transaction(self) -> AbstractContextManager[None]:
        """All statements inside commit together or not at all. May be nested; the outermost one commits."""
        ...

    def revision(self, table: str) -> int:
        """A number that grows whenever this process commits a change to `table`; for cache keys."""
        ...

    @property
    def skip_locked(self) -> str:
        """The clause that lets two takers never see the same row (empty on SQLite, which locks the file)."""
        ...

    def close(self) -> None:
        """Give back all connections."""
        ...


# --- lake ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Column:
    """One column of a lake table. `kind` is one of string, number, boolean, time, nested, binary."""

    name: str
    data_type: str
    kind: str
    comment: str = ""


@dataclass(frozen=True, slots=True)
class TableEntry:
    """A table or volume as the lake lists it. `name` is three-part: catalog.schema.table."""

    name: str
    kind: str  # "table" or "volume"
    comment: str = ""
    tags: tuple[str, ...] = ()
    licence: str = ""
    source: str = ""
    is_demo: bool = False


@dataclass(frozen=True, slots=True)
class FileEntry:
    """One file of a volume; `path` is relative to the volume root."""

    path: str
    size_bytes: int
    modified_at: datetime


@dataclass(frozen=True, slots=True)
class Selection:
    """Which rows of a source, in which order: all that the lake needs to build one query.

    `source` is a three-part table or volume name. `where` is a boolean SQL expression that `check_filter` accepted.
    `sample_size` rows are picked by a seeded hash of `item_id_column`, evenly per value of `stratify_column` when
    that is given. `item_refs` restricts to these identifiers. Rows come in the order of the identifier.
    """

    source: str
    item_id_column: str
    where: str = ""
    sample_size: int | None = None
    sample_seed: int = 42
    stratify_column: str = ""
    item_refs: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class IdentifierCheck:
    """Whether a column can identify items: it must hold no null and no duplicate (INV-3)."""

    column: str
    rows: int
    nulls: int
    duplicates: int

    @property
    def is_valid(self) -> bool:
        """True when every row has its own value."""
        return self.rows > 0 and self.nulls == 0 and self.duplicates == 0


class Lake(Protocol):
    """The columnar engine over source tables and volumes."""

    def tables(self) -> list[TableEntry]:
        """List tables and volumes of all catalogs, by name."""
        ...

    def entry(self, source: str) -> TableEntry:
        """One table or volume. Raises NotFound."""
        ...

    def columns(self, source: str) -> list[Column]:
        """Columns of a table; of a volume: path, name, size_bytes, modified_at. Raises NotFound."""
        ...

    def check_filter(self, source: str, expression: str) -> str:
        """Parse a filter into one boolean expression over known columns. Raises Invalid with the parser's message."""
        ...

    def check_identifier(self, source: str, column: str) -> IdentifierCheck:
        """Count rows, nulls and duplicated values of a column over the whole source."""
        ...

    def count(self, selection: Selection) -> int:
        """How many rows the selection has."""
        ...

    def page(
        self, selection: Selection, *, columns: Sequence[str] = (), limit: int = 50, offset: int = 0
    ) -> pd.DataFrame:
        """One page of rows; no columns means all."""
        ...

    def batches(
        self, selection: Selection, *, columns: Sequence[str] = (), size: int = 1000, after: str = ""
    ) -> Iterator[pd.DataFrame]:
        """Stream the rows in identifier order, `size` at a time, beginning behind item `after`."""
        ...

    def distinct(self, source: str, column: str, *, limit: int = 50) -> list[tuple[str, int]]:
        """The most frequent values of a column with their counts."""
        ...

    def put_table(self, name: str, file: Path, *, original_name: str, entry: TableEntry | None = None) -> TableEntry:
        """Make a CSV or Parquet file a table. Raises Invalid naming line and reason; nothing is left behind then."""
        ...

    def put_files(self, name: str, files: Mapping[str, bytes], *, entry: TableEntry | None = None) -> TableEntry:
        """Write files into a volume, creating it when missing. Raises Invalid for a path that leaves the volume."""
        ...

    def drop(self, name: str) -> None:
        """Remove a table or volume. Raises NotFound."""
        ...

    def files(self, volume: str) -> list[FileEntry]:
        """List the files of a volume by path."""
        ...

    def read_file(self, volume: str, path: str, *, limit_bytes: int = 20_000_000) -> bytes:
        """Read one file. Raises Invalid for a path outside the volume, NotFound when missing."""
        ...


# --- models --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Message:
    """One chat message; `role` is system, user or assistant."""

    role: str
    content: str


@dataclass(frozen=True, slots=True)
class Conversation:
    """The messages of one question; `id` comes back with the answer."""

    id: str
    messages: tuple[Message, ...]


@dataclass(frozen=True, slots=True)
class ChatOptions:
    """How to answer. `schema` is a JSON Schema that the answer must follow; `choices` the only allowed answers."""

    temperature: float = 0.0
    max_tokens: int = 256
    schema: Mapping[str, Json] | None = None
    choices: tuple[str, ...] = ()
    seed: int = 42


@dataclass(frozen=True, slots=True)
class ChatAnswer:
    """The answer to one conversation: either `text`, or `error` as a sentence. Times in milliseconds."""

    id: str
    text: str | None
    error: str | None = None
    tokens_in: int = 0
    tokens_out: int = 0
    latency_ms: float = 0.0


class ChatModel(Protocol):
    """A language model that answers chat messages."""

    name: str
    title: str  # what the person reads, e.g. "tiny local model"

    def availability(self) -> Availability:
        """Whether it can answer now; quick, and never raises."""
        ...

    def answer(
        self,
        conversations: Sequence[Conversation],
        *,
        options: ChatOptions,
        cancelled: Callable[[], bool] = lambda: False,
    ) -> Iterator[ChatAnswer]:
        """Answer a batch with bounded concurrency, in the order of completion.

        An item that fails after its retries comes back with `error`. After `cancelled()` turns true, unanswered items
        are left out. Raises Unavailable when the model cannot be reached at all, NotAuthorized for a refused key.
        """
        ...


class Embedder(Protocol):
    """Turns texts into vectors."""

    name: str
    dimension: int

    def availability(self) -> Availability:
        """Whether it can embed now; quick, and never raises."""
        ...

    def embed(self, texts: Sequence[str]) -> np.ndarray:
        """Unit vectors, float32, shape (len(texts), dimension)."""
        ...


# --- training ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class TrainingExample:
    """One eligible pair: the template's variables, the rendered messages without the answer, and the answer."""

    pair_id: str
    item_ref: str
    variables: Mapping[str, str]
    messages: tuple[Message, ...]
    answer: str


@dataclass(frozen=True, slots=True)
class TrainingRequest:
    """All that a trainer needs. `template` is the frozen template as JSON; it goes into the model's artifacts."""

    job_id: str
    model_name: str
    answer_kind: str  # label, structured or text
    template: Mapping[str, Json]
    train: tuple[TrainingExample, ...]
    validation: tuple[TrainingExample, ...]
    parameters: Mapping[str, Json]
    seed: int = 42
    tags: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class TrainingEvent:
    """What a trainer reports while it works: how far it is, measured values, or a sentence for the log.

    `step` of `total` is progress; `metrics` are points of the live curves at that step, for instance train_loss.
    """

    message: str = ""
    step: int = 0
    total: int = 0
    metrics: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class TrainingResult:
    """A registered model version. `metrics` are the trainer's own (cross-validation, final loss)."""

    model_name: str
    version: int
    metrics: Mapping[str, float]
    details: Mapping[str, Json]  # chosen candidate and the others with their scores
    tracking_run_id: str
    tracking_experiment_id: str


class Trainer(Protocol):
    """Turns examples into a registered model version."""

    name: str
    title: str
    answer_kinds: tuple[str, ...]

    def availability(self) -> Availability:
        """Whether it can train here; quick, and never raises."""
        ...

    def default_parameters(self) -> dict[str, Json]:
        """The parameters a person may change, with their defaults."""
        ...

    def train(
        self,
        request: TrainingRequest,
        *,
        on_event: Callable[[TrainingEvent], None],
        cancelled: Callable[[], bool],
    ) -> TrainingResult | None:
        """Train and register; None when cancelled. Training one job twice registers one version only.

        Raises BackendError with the reason when the training process fails.
        """
        ...


@dataclass(frozen=True, slots=True)
class RegisteredVersion:
    """A model version as the registry knows it."""

    model_name: str
    version: int
    job_id: str
    tracking_run_id: str
    created_at: datetime
    aliases: tuple[str, ...] = ()


class Tracker(Protocol):
    """The experiment tracking and the model registry."""

    def versions(self, model_name: str) -> list[RegisteredVersion]:
        """All versions of a model, newest first; empty when the model is unknown."""
        ...

    def set_alias(self, model_name: str, alias: str, version: int) -> None:
        """Point an alias such as `production` at a version. Raises NotFound."""
        ...


# --- serving -------------------------------------------------------------------------------------------------------


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


Progress: TypeAlias = "Callable[[int, int], None]"
Batches: TypeAlias = "Iterable[pd.DataFrame]"
