"""A process that begins to train the queued job of a folder and says so, to be killed at that moment."""

from __future__ import annotations

import sys
import time
from pathlib import Path

from tests.core.training_parts import TrainingParts


def main(folder: str) -> None:
    parts = TrainingParts(Path(folder))

    def hang(step: int) -> None:
        if step == 2:
            print("training", flush=True)
            time.sleep(60)

    parts.trainer.while_training = hang
    parts.worker().run_one()


if __name__ == "__main__":
    main(sys.argv[1])
