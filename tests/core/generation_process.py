"""A process that works through the queued generations of a folder with a slow model, to be killed at any moment."""

from __future__ import annotations

import sys
import time
from pathlib import Path

from tests.core.generation_parts import Parts, RuleModel


def main(folder: str, seconds_an_answer: float) -> None:
    parts = Parts(Path(folder), model=RuleModel(seconds=seconds_an_answer))
    worker = parts.worker()
    worker.start()
    print("ready", flush=True)
    while parts.runs.find(active_only=True):
        time.sleep(0.02)
    worker.stop()
    print("done", flush=True)


if __name__ == "__main__":
    main(sys.argv[1], float(sys.argv[2]))
