"""A process that works through the queued runs of a folder with a slow model, to be killed at any moment."""

from __future__ import annotations

import sys
import time
from multiprocessing import get_context
from multiprocessing.context import ForkServerProcess
from multiprocessing.synchronize import Event
from pathlib import Path

import pytest

from tests.core.generation_parts import Parts, RuleModel

FAILING = frozenset(f"m{item:05d}" for item in range(5, 2000, 40))


class CountingModel(RuleModel):
    """Writes each question that it is paid for into a file, in the order of asking."""

    def __init__(self, folder: Path, seconds: float) -> None:
        super().__init__(seconds=seconds, failing=FAILING, tokens=(10, 1))
        self._file = (folder / "paid.txt").open("a", buffering=1)
        self.rule = self._counted

    def _counted(self, question: str) -> str:
        self._file.write(f"{question}\n")
        return "spam" if "prize" in question else "ham"


def main(folder: str, seconds_an_answer: float, ready: Event) -> None:
    """Work until nothing is queued."""
    parts = Parts(Path(folder), model=CountingModel(Path(folder), seconds_an_answer))
    worker = parts.worker()
    worker.start()
    ready.set()
    while parts.runs.find(active_only=True):
        time.sleep(0.02)
    worker.stop()


def start(folder: Path, seconds_an_answer: float) -> ForkServerProcess:
    """A process that is at work when this returns; forked from one that has imported everything, so within moments."""
    context = get_context("forkserver")
    context.set_forkserver_preload([__name__])
    ready = context.Event()
    process = context.Process(target=main, args=(str(folder), seconds_an_answer, ready))
    with pytest.MonkeyPatch.context() as patch:  # a page's test may have left its script as the main module
        patch.setitem(sys.modules, "__main__", sys.modules[__name__])
        process.start()
    assert ready.wait(60)
    return process
