"""A process that carries a bulk run out in small batches, to be killed at any moment."""

from __future__ import annotations

import sys
from multiprocessing import get_context
from multiprocessing.context import ForkServerProcess
from multiprocessing.synchronize import Event
from pathlib import Path

import pytest

from tests.core.generation_parts import Parts
from workbench_core.pairs import bulk_work

BATCH = 100


def main(folder: str, ready: Event) -> None:
    """Recover what a dead process left, and work until nothing is queued."""
    bulk_work.BATCH = BATCH
    parts = Parts(Path(folder))
    parts.runs.recover()
    ready.set()
    parts.work()


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
