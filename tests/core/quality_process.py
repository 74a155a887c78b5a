"""A process that runs the queued checks of a folder and stops for a while before it stores anything, to be killed."""

from __future__ import annotations

import sys
import time
from pathlib import Path

from tests.core.quality_parts import Flights


def main(folder: str) -> None:
    parts = Flights(Path(folder))
    check_rows = parts.lake.check_rows

    def slow(*args, **kwargs):
        found = check_rows(*args, **kwargs)
        print("checked", flush=True)
        time.sleep(60)
        return found

    parts.lake.check_rows = slow
    parts.worker().run_one()


if __name__ == "__main__":
    main(sys.argv[1])
