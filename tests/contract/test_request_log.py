"""The request log: what was acknowledged is there, once, and can be read by anybody at any time."""

from __future__ import annotations

import sqlite3
import threading
import time
import uuid
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest

from workbench_core.adapters.local import request_log
from workbench_core.adapters.local.request_log import (
    RequestLog,
    append_requests,
    read_performance,
    read_request,
    read_requests,
)
from workbench_core.errors import AlreadyExists, BackendError, NotFound
from workbench_core.ports import LoggedRequest

NOON = datetime(2026, 3, 1, 12, 0, 0, 123456, tzinfo=UTC)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "serving" / "requests #1?.db"  # characters that mean something in an address


@pytest.fixture
def log(path: Path) -> Iterator[RequestLog]:
    opened = RequestLog(path)
    yield opened
    opened.close()


def request(number: int = 0, **changes: object) -> LoggedRequest:
    made = LoggedRequest(
        request_id=str(uuid.UUID(int=number)),
        endpoint="reviews",
        model_name="reviews",
        version=2,
        requested_at=NOON + timedelta(minutes=number),
        latency_ms=1.5,
        status_code=200,
        error="",
        requested_by="ann@example.org",
        source="api",
        item_refs=("item “1”", "item 2"),
        records=({"text": "gut 🙂", "number": 1.5, "nothing": None},),
        predictions=({"prediction": "positive", "confidence": None},),
    )
    return replace(made, **changes)  # type: ignore[arg-type]


def ids(path: Path, *, since: datetime = NOON, until: datetime = NOON + timedelta(days=9), **how: object) -> list[int]:
    found = read_requests(
        path,
        "reviews",
        since=since,
        until=until,
        **({"limit": 10_000, "newest_first": False} | how),  # type: ignore[arg-type]
    )
    return [uuid.UUID(one.request_id).int for one in found]


def test_what_is_acknowledged_can_be_read_whole(log: RequestLog, path: Path) -> None:
    assert log.append(request(7)).result(5) is None
    assert read_request(path, request(7).request_id) == request(7)


def test_many_writers_lose_and_double_nothing(log: RequestLog, path: Path) -> None:
    with ThreadPoolExecutor(8) as writers:
        done = list(writers.map(lambda number: log.append(request(number)), range(3000)))
    assert not wait(done, 30).not_done
    assert ids(path) == list(range(3000))


def test_a_known_identifier_is_refused_and_its_neighbours_are_kept(log: RequestLog, path: Path) -> None:
    log.append(request(1)).result(5)
    with paused(path):  # so that the next ones wait together and share one commit
        first, twice, last = (log.append(request(number, version=3)) for number in (0, 1, 2))
    assert first.result(5) is last.result(5) is None
    with pytest.raises(AlreadyExists):
        twice.result(5)
    assert ids(path) == [0, 1, 2]
    assert read_request(path, request(1).request_id).version == 2


def test_a_busy_file_makes_writers_wait_and_turns_nobody_away(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(request_log, "CAPACITY", 5)
    log = RequestLog(path)
    futures: list[Future[None]] = []
    with ThreadPoolExecutor(20) as writers:
        with paused(path):
            futures.append(log.append(request(0)))
            time.sleep(0.3)  # the writer took it and now waits for the file
            asked = [writers.submit(lambda n=n: futures.append(log.append(request(n)))) for n in range(1, 20)]
            time.sleep(0.3)
            assert len(futures) == 1 + 5  # five are in the queue, fourteen wait to get in
            assert not any(future.done() for future in futures)
        assert not wait(asked, 10).not_done
    assert not wait(futures, 10).not_done
    assert ids(path) == list(range(20))
    log.close()


def test_a_failing_write_is_told_and_the_next_one_works(log: RequestLog, path: Path) -> None:
    with closing(sqlite3.connect(path)) as other:
        other.execute("ALTER TABLE requests RENAME TO gone")
        with pytest.raises(BackendError, match="could not be recorded") as raised:
            log.append(request(1)).result(5)
        assert raised.value.hint
        other.execute("ALTER TABLE gone RENAME TO requests")
    log.append(request(2)).result(5)
    assert ids(path) == [2]


def test_closing_commits_what_is_waiting(path: Path) -> None:
    log = RequestLog(path)
    with paused(path):
        done = [log.append(request(number)) for number in range(10)]
        closing_thread = threading.Thread(target=log.close)
        closing_thread.start()
    closing_thread.join(10)
    assert all(future.done() for future in done)
    assert ids(path) == list(range(10))


def test_readers_do_not_hold_the_writer_up(log: RequestLog, path: Path) -> None:
    log.append(request(0)).result(5)
    with closing(sqlite3.connect(path)) as reader:
        reader.execute("BEGIN")
        reader.execute("SELECT count(*) FROM requests").fetchone()
        log.append(request(1)).result(5)
    assert ids(path) == [0, 1]


def test_half_a_surrogate_pair_does_not_stop_the_log(log: RequestLog, path: Path) -> None:
    odd = request(1, error="bad \ud800", requested_by="\ud800", records=({"text": "\ud800"},))
    log.append(odd).result(5)
    kept = read_request(path, odd.request_id)
    assert (kept.error, kept.requested_by) == ("bad ?", "?")
    assert kept.records == ({"text": "\ud800"},)


def test_a_range_of_times_begins_with_its_start_and_ends_before_its_end(path: Path) -> None:
    assert append_requests(path, [request(number) for number in range(5)]) == 5
    since, until = NOON + timedelta(minutes=1), NOON + timedelta(minutes=3)
    assert ids(path, since=since, until=until) == [1, 2]
    assert ids(path, since=since, until=until + timedelta(microseconds=1)) == [1, 2, 3]
    paris = timezone(timedelta(hours=1))
    assert ids(path, since=since.astimezone(paris), until=until.astimezone(paris)) == [1, 2]
    assert ids(path, newest_first=True, limit=2) == [4, 3]
    assert ids(path, newest_first=False, limit=2) == [0, 1]


def test_endpoints_are_kept_apart(path: Path) -> None:
    append_requests(path, [request(1), request(2, endpoint="other")])
    assert ids(path) == [1]


def test_performance_is_a_frame_with_utc_times(path: Path) -> None:
    append_requests(path, [request(2, status_code=500), request(1, source="demo")])
    frame = read_performance(path, "reviews", since=NOON, until=NOON + timedelta(hours=1))
    assert frame["requested_at"].tolist() == [NOON + timedelta(minutes=1), NOON + timedelta(minutes=2)]
    assert frame["status_code"].tolist() == [200, 500]
    assert frame["source"].tolist() == ["demo", "api"]


def test_an_empty_log_gives_a_frame_of_the_same_types(path: Path, tmp_path: Path) -> None:
    append_requests(path, [request(1)])
    full = read_performance(path, "reviews", since=NOON, until=NOON + timedelta(hours=1))
    empty = read_performance(tmp_path / "none.db", "reviews", since=NOON, until=NOON + timedelta(hours=1))
    assert empty.empty
    assert empty.dtypes.to_dict() == full.dtypes.to_dict()
    assert ids(tmp_path / "none.db") == []
    with pytest.raises(NotFound, match="no request “x”"):
        read_request(tmp_path / "none.db", "x")


def test_loading_requests_again_adds_only_new_ones(path: Path) -> None:
    assert append_requests(path, [request(1), request(2)]) == 2
    assert append_requests(path, [request(2, version=9), request(3)]) == 1
    assert ids(path) == [1, 2, 3]
    assert read_request(path, request(2).request_id).version == 2


class paused:  # noqa: N801 - reads as a statement
    """Holds the write lock of the file, as another writer would."""

    def __init__(self, path: Path) -> None:
        self._connection = sqlite3.connect(path, isolation_level=None)

    def __enter__(self) -> None:
        self._connection.execute("BEGIN IMMEDIATE")
        time.sleep(0.05)

    def __exit__(self, *_: object) -> None:
        self._connection.execute("ROLLBACK")
        self._connection.close()
