"""A process that exports slowly, to be killed at any moment."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from multiprocessing import get_context
from multiprocessing.context import ForkServerProcess
from multiprocessing.synchronize import Event
from pathlib import Path

import pytest

from tests.core.export_parts import ExportParts
from workbench_core.exports.formats import ExportPair
from workbench_core.exports.reading import PairReading, Plan

_placed_pairs = PairReading.placed_pairs


def _slowly(reading: PairReading, plan: Plan, *progress: object) -> Iterator[tuple[ExportPair, str]]:
    for placed in _placed_pairs(reading, plan, *progress):  # type: ignore[arg-type]
        time.sleep(0.01)
        yield placed


def main(folder: str, ready: Event) -> None:
    """Work until nothing is queued."""
    PairReading.placed_pairs = _slowly  # type: ignore[method-assign, assignment]
    parts = ExportParts(Path(folder))
    worker = parts.worker()
    worker.start()
    ready.set()
    while parts.runs.find(active_only=True):
        time.sleep(0.02)
    worker.stop()


def start(folder: Path) -> ForkServerProcess:
    """A process that is at work when this returns."""
    context = get_context("forkserver")
    context.set_forkserver_preload([__name__])
    ready = context.Event()
    process = context.Process(target=main, args=(str(folder), ready))
    with pytest.MonkeyPatch.context() as patch:  # a page's test may have left its script as the main module
        patch.setitem(sys.modules, "__main__", sys.modules[__name__])
        process.start()
    assert ready.wait(60)
    return process
