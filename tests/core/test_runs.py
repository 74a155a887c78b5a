"""Long work: queued once, taken once, cancelled at a batch border, resumed after a crash."""

from __future__ import annotations

import os
import socket

import pytest

from workbench_core.errors import Conflict, Invalid, InvalidTransition, NotFound
from workbench_core.runs import RunContext, RunStatus, Worker


@pytest.fixture
def start(runs):
    return lambda subject="sheet-1", **more: runs.start("count", subject, title="Count", by="ann", **more)


def counting(batches: list[int], total: int = 10):
    """A handler that finishes one part a batch and remembers in `batches` which it did."""

    def handle(context: RunContext) -> None:
        for number in range(context.run.done, total):
            batches.append(number)
            context.checkpoint(number + 1, total, f"part {number + 1}")

    return handle


def test_work_is_queued_then_done(runs, start):
    run, batches = start(total=10), []
    assert run.status is RunStatus.QUEUED
    assert run.is_active
    assert Worker(runs, {"count": counting(batches)}).run_one()
    finished = runs.get(run.id)
    assert finished.status is RunStatus.SUCCEEDED
    assert (finished.done, finished.total, finished.share) == (10, 10, 1.0)
    assert batches == list(range(10))


def test_the_same_work_is_not_started_twice(runs, start):
    start()
    with pytest.raises(Conflict, match="already under way"):
        start()
    start("sheet-2")


def test_a_finished_run_can_be_started_again(runs, start):
    start()
    Worker(runs, {"count": counting([])}).run_one()
    assert start().is_active


def test_cancel_before_it_began(runs, start):
    run = runs.cancel(start().id, by="bob")
    assert run.status is RunStatus.CANCELLED
    assert not Worker(runs, {"count": counting([])}).run_one()
    with pytest.raises(InvalidTransition):
        runs.cancel(run.id, by="bob")


def test_cancel_ends_at_the_next_batch_border(runs, start, monkeypatch):
    run, batches = start(), []

    def handle(context: RunContext) -> None:
        batches.append(0)
        context.checkpoint(1, 10)
        runs.cancel(run.id, by="bob")
        monkeypatch.setattr(context, "_checked_at", 0.0)
        counting(batches)(context)

    Worker(runs, {"count": handle}).run_one()
    assert runs.get(run.id).status is RunStatus.CANCELLED
    assert "bob" in runs.get(run.id).message or runs.get(run.id).cancel_requested
    assert len(batches) == 2


def test_a_failure_is_told_in_words(runs, start):
    def handle(context: RunContext) -> None:
        raise Invalid("The file is empty.", hint="Choose another one.")

    run = start()
    Worker(runs, {"count": handle}).run_one()
    failed = runs.get(run.id)
    assert failed.status is RunStatus.FAILED
    assert failed.error == "The file is empty. Choose another one."


def test_an_unexpected_failure_does_not_take_the_worker_with_it(runs, start):
    def handle(context: RunContext) -> None:
        raise ZeroDivisionError("division by zero")

    worker, run = Worker(runs, {"count": handle}), start()
    assert worker.run_one()
    assert "Unexpected: division by zero" in runs.get(run.id).error
    assert not worker.run_one()


def test_work_of_a_dead_process_is_resumed_where_it_stood(runs, start, store):
    run, batches = start(), []
    taken = runs.take(f"{socket.gethostname()}:999999:worker-1")
    runs.report(taken.id, done=4, total=10, message="part 4")
    assert runs.get(run.id).status is RunStatus.RUNNING
    assert [found.id for found in runs.recover()] == [run.id]
    assert runs.get(run.id).status is RunStatus.QUEUED
    Worker(runs, {"count": counting(batches)}).run_one()
    assert batches == [4, 5, 6, 7, 8, 9]
    assert runs.get(run.id).status is RunStatus.SUCCEEDED


def test_work_of_a_living_worker_is_left_alone(runs, start):
    start()
    runs.take(f"{socket.gethostname()}:{os.getpid()}:worker-1")
    assert runs.recover() == []


def test_a_silent_worker_of_another_host_counts_as_dead_after_a_minute(runs, start, clock):
    run = start()
    runs.take("elsewhere:1:worker-1")
    assert runs.recover() == []
    clock.move(minutes=2)
    assert [found.id for found in runs.recover()] == [run.id]


def test_cancelled_work_of_a_dead_process_is_not_resumed(runs, start):
    run = start()
    runs.take(f"{socket.gethostname()}:999999:worker-1")
    runs.cancel(run.id, by="bob")
    runs.recover()
    assert runs.get(run.id).status is RunStatus.CANCELLED


def test_stopping_the_worker_interrupts_and_the_next_one_resumes(runs, start):
    batches: list[int] = []

    def stop_after_three(context: RunContext) -> None:
        for number in range(3):
            batches.append(number)
            context.report(number + 1, 10)
        worker.stop(timeout=0.1)
        context.checkpoint(3, 10)

    worker = Worker(runs, {"count": stop_after_three})
    run = start()
    worker.run_one()
    assert runs.get(run.id).status is RunStatus.INTERRUPTED
    runs.recover()
    Worker(runs, {"count": counting(batches)}).run_one()
    assert batches == list(range(10))


def test_interrupted_work_that_was_started_anew_is_not_resumed_as_well(runs, start):
    old = start()
    worker = Worker(runs, {"count": lambda context: (worker.stop(timeout=0.1), context.checkpoint(1, 10))})
    worker.run_one()
    assert runs.get(old.id).status is RunStatus.INTERRUPTED
    new = start()
    runs.recover()
    assert runs.get(old.id).status is RunStatus.CANCELLED
    assert runs.get(new.id).status is RunStatus.QUEUED


def test_rate_and_time_left_count_this_attempt_only(runs, start, clock):
    run = start()
    runs.report(run.id, done=50, total=100, message="")
    taken = runs.take("host:1:w")
    clock.move(seconds=10)
    runs.report(taken.id, done=60, total=100, message="")
    now = runs.get(run.id)
    assert now.rate(clock.now) == pytest.approx(1.0, rel=0.01)
    assert now.seconds_left(clock.now) == pytest.approx(40, rel=0.01)


def test_progress_never_goes_back(runs, start):
    run = start()
    runs.report(run.id, done=5, total=10, message="")
    runs.report(run.id, done=3, total=10, message="")
    assert runs.get(run.id).done == 5


def test_an_unknown_run_is_told(runs):
    with pytest.raises(NotFound):
        runs.get("run-none")
