"""Long work: a row that tells the truth about its progress, and the worker that does it in batches."""

from __future__ import annotations

import functools
import logging
import os
import socket
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from workbench_core import rows
from workbench_core.clock import Clock, new_id
from workbench_core.errors import AlreadyExists, Conflict, InvalidTransition, NotFound, WorkbenchError
from workbench_core.ports import Row, Store

log = logging.getLogger(__name__)

HEARTBEAT_SECONDS = 5.0
STALE_SECONDS = 60.0
_COLUMNS = (
    "id, kind, subject_id, title, status, done, total, done_before, message, error, cancel_requested, worker, "
    "started_by, queued_at, started_at, finished_at, heartbeat_at"
)


class RunStatus(StrEnum):
    """Where long work stands. Interrupted work resumes by itself when a worker starts."""

    QUEUED = "queued"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"
    INTERRUPTED = "interrupted"


ACTIVE = (RunStatus.QUEUED, RunStatus.RUNNING)


@dataclass(frozen=True, slots=True)
class Run:
    """One piece of long work: `done` of `total`, and what it says about itself."""

    id: str
    kind: str
    subject_id: str
    title: str
    status: RunStatus
    done: int
    total: int
    done_before: int
    message: str
    error: str
    cancel_requested: bool
    started_by: str
    queued_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    worker: str = ""

    @property
    def is_active(self) -> bool:
        """Whether it waits or works."""
        return self.status in ACTIVE

    @property
    def share(self) -> float:
        """Progress between 0 and 1."""
        return min(1.0, self.done / self.total) if self.total else 0.0

    def rate(self, now: datetime) -> float | None:
        """Finished parts a second since this attempt began; None before the first one."""
        if self.started_at is None or self.done <= self.done_before:
            return None
        seconds = ((self.finished_at or now) - self.started_at).total_seconds()
        return (self.done - self.done_before) / seconds if seconds > 0 else None

    def seconds_left(self, now: datetime) -> float | None:
        """Expected time to the end at the present rate; None while it is not known."""
        rate = self.rate(now)
        return (self.total - self.done) / rate if rate and self.total else None


class RunStopped(Exception):
    """Raised by `checkpoint` to end a handler at a batch border; the worker decides what to record."""


class RunContext:
    """What a handler may do with its run: report, and learn that it must stop."""

    def __init__(self, run: Run, runs: Runs, stopping: threading.Event) -> None:
        self.run = run
        self._runs = runs
        self._stopping = stopping
        self._checked_at = 0.0
        self._cancelled = False

    @property
    def subject_id(self) -> str:
        """The record that the work is about."""
        return self.run.subject_id

    @property
    def by(self) -> str:
        """The person who started it."""
        return self.run.started_by

    def should_stop(self) -> bool:
        """Whether the person cancelled or the process ends; asks the store at most twice a second."""
        if self._stopping.is_set():
            return True
        if not self._cancelled and time.monotonic() - self._checked_at > 0.5:
            self._checked_at = time.monotonic()
            self._cancelled = self._runs.get(self.run.id).cancel_requested
        return self._cancelled

    def report(self, done: int, total: int, message: str = "") -> None:
        """Store the progress."""
        self._runs.report(self.run.id, done=done, total=total, message=message)

    def checkpoint(self, done: int, total: int, message: str = "") -> None:
        """Store the progress at a batch border. Raises RunStopped when the work must end here."""
        self.report(done, total, message)
        if self.should_stop():
            raise RunStopped


Handler = Callable[[RunContext], None]


class Runs:
    """Start long work, watch it, cancel it."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self.wake = threading.Event()

    def start(self, kind: str, subject_id: str, *, title: str, by: str, total: int = 0) -> Run:
        """Queue work on a record. Raises Conflict while the same work on it is still active."""
        run_id, now, former = new_id("run"), self._clock(), self.latest(kind, subject_id)
        if former is not None:  # the newest run has the latest time, also after a clock was set back
            now = max(now, former.queued_at + timedelta(milliseconds=1))
        try:
            self._store.append(
                "runs",
                [
                    {
                        "id": run_id,
                        "kind": kind,
                        "subject_id": subject_id,
                        "title": title,
                        "status": RunStatus.QUEUED.value,
                        "total": total,
                        "started_by": by,
                        "queued_at": now,
                    }
                ],
            )
        except AlreadyExists:
            raise Conflict(f"“{title}” is already under way.", hint="Wait for it or cancel it.") from None
        self.wake.set()
        return self.get(run_id)

    def get(self, run_id: str) -> Run:
        """One run. Raises NotFound."""
        found = self._store.query(f"SELECT {_COLUMNS} FROM runs WHERE id = :id", id=run_id)
        if not found:
            raise NotFound("This run does not exist.", hint="Open it from its page again.")
        return _run(found[0])

    def latest(self, kind: str, subject_id: str) -> Run | None:
        """The newest run of a kind on a record."""
        found = self._store.query(
            f"SELECT {_COLUMNS} FROM runs WHERE kind = :kind AND subject_id = :subject "
            "ORDER BY queued_at DESC, id LIMIT 1",
            kind=kind,
            subject=subject_id,
        )
        return _run(found[0]) if found else None

    def find(self, *, active_only: bool = False, limit: int = 50) -> list[Run]:
        """Runs, newest first."""
        statuses = list(ACTIVE) if active_only else list(RunStatus)
        found = self._store.query(
            f"SELECT {_COLUMNS} FROM runs WHERE status IN :statuses ORDER BY queued_at DESC, id LIMIT :limit",
            statuses=statuses,
            limit=limit,
        )
        return [_run(row) for row in found]

    def cancel(self, run_id: str, *, by: str, message: str = "") -> Run:
        """Ask the work to end at the next batch border; `message` says why. Raises InvalidTransition when it is over.

        The caller is the service that owns the record: it has checked the person's role.
        """
        changed = self._store.execute(
            "UPDATE runs SET cancel_requested = TRUE, message = :message, "
            "status = CASE WHEN status = 'queued' THEN 'cancelled' ELSE status END, "
            "finished_at = CASE WHEN status = 'queued' THEN :now ELSE finished_at END "
            "WHERE id = :id AND status IN :active",
            touches="runs",
            id=run_id,
            message=message or f"Cancelled by {by}",
            now=self._clock(),
            active=list(ACTIVE),
        )
        if not changed:
            raise InvalidTransition("This work is over already.", hint="Reload to see its result.")
        return self.get(run_id)

    def report(self, run_id: str, *, done: int, total: int, message: str) -> None:
        """Store how far the work is; progress never goes back."""
        self._store.execute(
            "UPDATE runs SET done = CASE WHEN :done > done THEN :done ELSE done END, total = :total, "
            "message = :message, heartbeat_at = :now WHERE id = :id",
            touches="runs",
            id=run_id,
            done=done,
            total=total,
            message=message,
            now=self._clock(),
        )

    # --- for the worker --------------------------------------------------------------------------------------------

    def take(self, worker: str) -> Run | None:
        """Take the oldest queued run, so that no other worker gets it."""
        with self._store.transaction():
            found = self._store.query(
                f"SELECT id FROM runs WHERE status = 'queued' ORDER BY queued_at, id LIMIT 1 {self._store.skip_locked}"
            )
            if not found:
                return None
            run_id = rows.text(found[0], "id")
            self._store.execute(
                "UPDATE runs SET status = 'running', worker = :worker, started_at = :now, heartbeat_at = :now, "
                "done_before = done WHERE id = :id",
                touches="runs",
                worker=worker,
                now=self._clock(),
                id=run_id,
            )
        return self.get(run_id)

    def finish(self, run_id: str, status: RunStatus, *, error: str = "", worker: str = "") -> None:
        """Record the end of a running run; with a worker only while it is the one that works on it."""
        self._store.execute(
            "UPDATE runs SET status = :status, error = :error, finished_at = :now "
            "WHERE id = :id AND status = 'running' AND (:worker = '' OR worker = :worker)",
            touches="runs",
            status=status,
            error=error,
            now=self._clock(),
            id=run_id,
            worker=worker,
        )

    def beat(self, worker: str) -> None:
        """Say that this worker lives."""
        self._store.execute(
            "UPDATE runs SET heartbeat_at = :now WHERE worker = :worker AND status = 'running'",
            touches="runs",
            now=self._clock(),
            worker=worker,
        )

    def recover(self) -> list[Run]:
        """Queue the work of dead workers again; its handler continues where the last batch ended."""
        found = self._store.query(
            "SELECT id, worker, status, heartbeat_at FROM runs WHERE status IN ('running', 'interrupted') "
            "ORDER BY queued_at"
        )
        limit = self._clock() - timedelta(seconds=STALE_SECONDS)
        lost = [str(row["id"]) for row in found if row["status"] == "interrupted" or _is_dead(row, limit)]
        if lost:
            with self._store.transaction():
                self._end_lost(lost)
                self._store.execute(
                    "UPDATE runs SET status = 'queued', worker = '', message = 'Resumed after an interruption' "
                    "WHERE id IN :ids AND status IN ('running', 'interrupted')",
                    touches="runs",
                    ids=lost,
                )
            self.wake.set()
        return [self.get(run_id) for run_id in lost]

    def _end_lost(self, lost: list[str]) -> None:
        """Lost work that must not go on: a person cancelled it, or started the same work anew."""
        self._store.execute(
            "UPDATE runs SET status = 'cancelled', finished_at = :now WHERE id IN :ids AND (cancel_requested = TRUE "
            "OR EXISTS (SELECT 1 FROM runs newer WHERE newer.kind = runs.kind AND newer.subject_id = runs.subject_id "
            "AND newer.queued_at > runs.queued_at AND newer.status IN ('queued', 'running', 'interrupted')))",
            touches="runs",
            ids=lost,
            now=self._clock(),
        )


class Worker:
    """A small thread pool that takes queued runs and calls the handler of their kind."""

    def __init__(self, runs: Runs, handlers: Mapping[str, Handler], *, threads: int = 2) -> None:
        self._runs = runs
        self._handlers = handlers
        self._count = threads
        self._name = f"{socket.gethostname()}:{os.getpid()}:{new_id('worker')}"
        self._stopping = threading.Event()
        self._threads: list[threading.Thread] = []
        self._schedule: list[tuple[float, Callable[[], object]]] = []

    def every(self, seconds: float, task: Callable[[], object]) -> None:
        """Also call a task about every `seconds`, for as long as the worker runs."""
        self._schedule.append((seconds, task))

    def start(self) -> None:
        """Recover interrupted work and begin."""
        self._runs.recover()
        jobs: list[Callable[[], None]] = [self._work] * self._count + [self._beat]
        jobs += [functools.partial(self._repeat, *pair) for pair in self._schedule]
        for number, job in enumerate(jobs):
            thread = threading.Thread(target=job, name=f"worker-{number}", daemon=True)
            thread.start()
            self._threads.append(thread)

    def stop(self, *, timeout: float = 10.0) -> None:
        """Let handlers end at their next batch border; what is left over resumes at the next start."""
        self._stopping.set()
        self._runs.wake.set()
        deadline = time.monotonic() + timeout
        for thread in self._threads:
            thread.join(max(0.1, deadline - time.monotonic()))

    def run_one(self) -> bool:
        """Do the oldest queued run in this thread; False when nothing waits."""
        run = self._runs.take(self._name)
        if run is None:
            return False
        self._do(run)
        return True

    def _work(self) -> None:
        while not self._stopping.is_set():
            self._runs.wake.clear()
            try:
                if self.run_one():
                    continue
            except WorkbenchError:
                log.exception("The worker could not take work; trying again")
            self._runs.wake.wait(1.0)

    def _do(self, run: Run) -> None:
        context = RunContext(run, self._runs, self._stopping)
        finish = functools.partial(self._runs.finish, run.id, worker=self._name)
        try:
            self._handlers[run.kind](context)
        except RunStopped:
            cancelled = self._runs.get(run.id).cancel_requested
            finish(RunStatus.CANCELLED if cancelled else RunStatus.INTERRUPTED)
        except WorkbenchError as error:
            finish(RunStatus.FAILED, error=f"{error.message} {error.hint}".strip())
        except Exception as error:
            log.exception("Run %s of kind %s failed", run.id, run.kind)
            finish(RunStatus.FAILED, error=f"Unexpected: {error} (see the log, {run.id})")
        else:
            finish(RunStatus.SUCCEEDED)

    def _beat(self) -> None:
        while not self._stopping.wait(HEARTBEAT_SECONDS):
            try:
                self._runs.beat(self._name)
                self._runs.recover()
            except WorkbenchError:
                log.exception("The worker could not report; trying again")

    def _repeat(self, seconds: float, task: Callable[[], object]) -> None:
        while not self._stopping.wait(seconds):
            try:
                task()
            except Exception:
                log.exception("A scheduled task failed; trying again")


def _is_dead(row: Row, limit: datetime) -> bool:
    """Whether the worker of a running run is gone: its process on this host ended, or it fell silent."""
    host, _, rest = str(row["worker"]).partition(":")
    process = rest.partition(":")[0]
    if host == socket.gethostname() and process.isdigit():
        try:
            os.kill(int(process), 0)
        except ProcessLookupError:
            return True
        except PermissionError:
            pass
    heartbeat = row["heartbeat_at"]
    return not isinstance(heartbeat, datetime) or heartbeat < limit


def _run(row: Row) -> Run:
    return Run(
        id=rows.text(row, "id"),
        kind=rows.text(row, "kind"),
        subject_id=rows.text(row, "subject_id"),
        title=rows.text(row, "title"),
        status=RunStatus(rows.text(row, "status")),
        done=rows.whole(row, "done"),
        total=rows.whole(row, "total"),
        done_before=rows.whole(row, "done_before"),
        message=rows.text(row, "message"),
        error=rows.text(row, "error"),
        cancel_requested=rows.flag(row, "cancel_requested"),
        started_by=rows.text(row, "started_by"),
        queued_at=rows.time(row, "queued_at"),
        started_at=rows.time_or_none(row, "started_at"),
        finished_at=rows.time_or_none(row, "finished_at"),
        worker=rows.text(row, "worker"),
    )
