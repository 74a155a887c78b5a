"""The request log of the local endpoints: one SQLite file, written in group commits before an answer leaves."""

from __future__ import annotations

import json
import logging
import queue
import sqlite3
import threading
from collections.abc import Iterable, Sequence
from concurrent.futures import Future
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias
from urllib.parse import quote

from workbench_core.errors import AlreadyExists, BackendError, NotFound
from workbench_core.ports import LoggedRequest

if TYPE_CHECKING:
    import pandas as pd

log = logging.getLogger(__name__)

CAPACITY = 1000  # rows that may wait for the writer; who comes later waits, nobody is turned away
GROUP_SIZE = 500  # rows committed together at most
BUSY_SECONDS = 30.0
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

# requested_at counts microseconds since 1970 in UTC: exact, and a range of times is a range of the index
SCHEMA = """
CREATE TABLE IF NOT EXISTS requests (
    request_id TEXT NOT NULL PRIMARY KEY,
    endpoint TEXT NOT NULL,
    model_name TEXT NOT NULL,
    version INTEGER NOT NULL,
    requested_at INTEGER NOT NULL,
    latency_ms DOUBLE PRECISION NOT NULL,
    status_code INTEGER NOT NULL,
    error TEXT NOT NULL,
    requested_by TEXT NOT NULL,
    source TEXT NOT NULL,
    item_refs TEXT NOT NULL,
    records TEXT NOT NULL,
    predictions TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS requests_by_time ON requests (endpoint, requested_at);
"""
COLUMNS = (
    "request_id, endpoint, model_name, version, requested_at, latency_ms, status_code, error, "
    "requested_by, source, item_refs, records, predictions"
)
VALUES = ", ".join(f":{name}" for name in COLUMNS.split(", "))
INSERT = f"INSERT INTO requests ({COLUMNS}) VALUES ({VALUES})"
INSERT_NEW = f"{INSERT} ON CONFLICT (request_id) DO NOTHING"
PERFORMANCE = """
SELECT request_id, requested_at, version, status_code, latency_ms, requested_by, source
FROM requests
WHERE endpoint = :endpoint AND requested_at >= :since AND requested_at < :until
ORDER BY requested_at, request_id
"""
WHOLE = f"""
SELECT {COLUMNS} FROM requests
WHERE endpoint = :endpoint AND requested_at >= :since AND requested_at < :until
"""
OLDEST_FIRST = f"{WHOLE} ORDER BY requested_at, request_id LIMIT :limit"
NEWEST_FIRST = f"{WHOLE} ORDER BY requested_at DESC, request_id DESC LIMIT :limit"
ONE = f"SELECT {COLUMNS} FROM requests WHERE request_id = :request_id"

Cells: TypeAlias = "dict[str, str | int | float]"


def log_file(home: Path) -> Path:
    """Where a home keeps its request log."""
    return home / "serving" / "requests.db"


def open_log(path: Path) -> sqlite3.Connection:
    """Open the file for writing, creating it when missing.

    A committed row survives a killed process and a power cut: the group shares one wait for the disk.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    connection = sqlite3.connect(path, timeout=BUSY_SECONDS, check_same_thread=False)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    connection.executescript(SCHEMA)
    return connection


@dataclass(frozen=True, slots=True)
class _Entry:
    cells: Cells
    done: Future[None]


class RequestLog:
    """Writes requests in the order they come, many in one commit, and tells each one when it is safe."""

    def __init__(self, path: Path) -> None:
        self._connection = open_log(path)
        self._waiting: queue.Queue[_Entry | None] = queue.Queue(CAPACITY)
        self._writer = threading.Thread(target=self._write, name="request-log", daemon=True)
        self._writer.start()

    def append(self, request: LoggedRequest) -> Future[None]:
        """Hand over one request; the future is done once it is committed. Waits while the writer is behind.

        The future raises AlreadyExists for a known request id, and BackendError when the file cannot be written.
        """
        entry = _Entry(_cells(request), Future())
        entry.done.set_running_or_notify_cancel()  # from here on nobody can cancel it: the row will be written
        self._waiting.put(entry)
        return entry.done

    def close(self) -> None:
        """Commit what is waiting and close the file."""
        self._waiting.put(None)
        self._writer.join()
        self._connection.close()

    def _write(self) -> None:
        while (group := self._next_group()) is not None:
            self._commit(group)

    def _next_group(self) -> list[_Entry] | None:
        first = self._waiting.get()
        if first is None:
            return None
        group = [first]
        while len(group) < GROUP_SIZE and not self._waiting.empty():
            entry = self._waiting.get()
            if entry is None:
                self._waiting.put(None)  # end after this group
                break
            group.append(entry)
        return group

    def _commit(self, group: Sequence[_Entry]) -> None:
        try:
            with self._connection:
                self._connection.executemany(INSERT, [entry.cells for entry in group])
        except Exception as error:  # noqa: BLE001 - whatever is wrong with a row, the only writer must go on
            if len(group) == 1:
                group[0].done.set_exception(_translated(error, group[0]))
                return
            for entry in group:  # one bad row must not take the others with it
                self._commit([entry])
            return
        for entry in group:
            entry.done.set_result(None)


def append_requests(path: Path, requests: Iterable[LoggedRequest]) -> int:
    """Add many finished requests in one commit, leaving out known request ids; give how many were new."""
    with closing(open_log(path)) as connection, connection:
        before = connection.total_changes
        connection.executemany(INSERT_NEW, map(_cells, requests))
        return connection.total_changes - before


# --- reading: straight from the file, so that monitoring works while nobody serves -----------------------------------


def read_performance(path: Path, endpoint: str, *, since: datetime, until: datetime) -> pd.DataFrame:
    """One row a request in [since, until), oldest first.

    Columns: request_id, requested_at (UTC), version, status_code, latency_ms, requested_by, source.
    """
    import pandas as pd

    columns = ["request_id", "requested_at", "version", "status_code", "latency_ms", "requested_by", "source"]
    bounds: Cells = {"endpoint": endpoint, "since": _microseconds(since), "until": _microseconds(until)}
    frame = pd.DataFrame(_select(path, PERFORMANCE, bounds), columns=columns)
    frame["requested_at"] = pd.to_datetime(frame["requested_at"].astype("int64"), unit="us", utc=True)
    return frame.astype(
        {"version": "int64", "status_code": "int64", "latency_ms": "float64"}
        | dict.fromkeys(("request_id", "requested_by", "source"), "str")
    )


def read_requests(
    path: Path, endpoint: str, *, since: datetime, until: datetime, limit: int, newest_first: bool
) -> list[LoggedRequest]:
    """Whole requests in [since, until), with inputs and outputs."""
    bounds: Cells = {"endpoint": endpoint, "since": _microseconds(since), "until": _microseconds(until)}
    statement = NEWEST_FIRST if newest_first else OLDEST_FIRST
    return [_request(row) for row in _select(path, statement, bounds | {"limit": limit})]


def read_request(path: Path, request_id: str) -> LoggedRequest:
    """One request. Raises NotFound."""
    rows = _select(path, ONE, {"request_id": request_id})
    if not rows:
        raise NotFound(
            f"There is no request “{request_id}” in the log.", hint="Check the identifier, or pick it from the list."
        )
    return _request(rows[0])


def _select(path: Path, sql: str, parameters: Cells) -> list[tuple[str | int | float, ...]]:
    if not path.exists():
        return []
    try:
        with closing(sqlite3.connect(f"file:{quote(str(path))}?mode=ro", uri=True, timeout=BUSY_SECONDS)) as connection:
            return connection.execute(sql, parameters).fetchall()
    except sqlite3.Error as error:
        if "no such table" in str(error):  # the file was created this very moment
            return []
        raise BackendError(
            f"The request log cannot be read: {error}.", hint=f"Check that {path} is readable and not damaged."
        ) from error


def _translated(error: Exception, entry: _Entry) -> Exception:
    request_id = entry.cells["request_id"]
    if isinstance(error, sqlite3.IntegrityError):
        return AlreadyExists(f"Request “{request_id}” is in the log already.", hint="Use a new request id.")
    log.error("Request %s could not be logged: %s", request_id, error)
    return BackendError(
        f"The request could not be recorded ({error}), so its answer was held back.",
        hint="Check free space and permissions of the folder “serving”.",
    )


def _cells(request: LoggedRequest) -> Cells:
    return {
        "request_id": request.request_id,
        "endpoint": request.endpoint,
        "model_name": request.model_name,
        "version": request.version,
        "requested_at": _microseconds(request.requested_at),
        "latency_ms": request.latency_ms,
        "status_code": request.status_code,
        "error": _storable(request.error),
        "requested_by": _storable(request.requested_by),
        "source": _storable(request.source),
        "item_refs": json.dumps(request.item_refs),
        "records": json.dumps(request.records),
        "predictions": json.dumps(request.predictions),
    }


def _request(row: tuple[str | int | float, ...]) -> LoggedRequest:
    cells = dict(zip(COLUMNS.split(", "), row, strict=True))
    return LoggedRequest(
        request_id=str(cells["request_id"]),
        endpoint=str(cells["endpoint"]),
        model_name=str(cells["model_name"]),
        version=int(cells["version"]),
        requested_at=EPOCH + timedelta(microseconds=int(cells["requested_at"])),
        latency_ms=float(cells["latency_ms"]),
        status_code=int(cells["status_code"]),
        error=str(cells["error"]),
        requested_by=str(cells["requested_by"]),
        source=str(cells["source"]),
        item_refs=tuple(json.loads(str(cells["item_refs"]))),
        records=tuple(json.loads(str(cells["records"]))),
        predictions=tuple(json.loads(str(cells["predictions"]))),
    )


def _microseconds(moment: datetime) -> int:
    return (moment - EPOCH) // timedelta(microseconds=1)


def _storable(text: str) -> str:
    """SQLite keeps valid Unicode only; half a surrogate pair, which JSON can carry, becomes a question mark."""
    return text.encode("utf-8", "replace").decode()
