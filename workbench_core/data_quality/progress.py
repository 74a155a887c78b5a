"""How far long work on the rows of a sheet is, told to its run now and then."""

from __future__ import annotations

import time

from workbench_core.runs import RunContext, RunStopped

_REPORT_SECONDS = 0.5


class Progress:
    """Tell the run how far the work is, at most twice a second, and learn whether it must stop."""

    def __init__(self, context: RunContext, *, message: str) -> None:
        self._context = context
        self._message = message
        self._told_at = 0.0
        self.low, self.high = 0, 100

    def watch(self, share: float) -> bool:
        """What the lake calls while it works."""
        if time.monotonic() - self._told_at > _REPORT_SECONDS:
            self._told_at = time.monotonic()
            done = self.low + round((self.high - self.low) * min(max(share, 0.0), 1.0))
            self._context.report(done, 100, self._message)
        return not self._context.should_stop()

    def go_on(self) -> None:
        """Raise RunStopped when the person or the process wants the work to end."""
        if not self.watch(0.0):
            raise RunStopped

    def part(self, message: str, low: int, high: int) -> None:
        """Begin another part of the work."""
        self._message, self.low, self.high = message, low, high
        self._context.checkpoint(low, 100, message)
