"""What a browser component logged, carried out exactly once.

A component sends an append-only log: a nonce for each mount and a growing number for each entry, everything again each
time. Streamlit starts the next run of a page while the one before may still be inside a service call, and forgets what
that one puts into the session; a browser that reconnects gets a new session and sends its log again. So what was
carried out is kept for the process, under one lock for each log.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Generic, Protocol, TypeVar

_MAX_LOGS = 10_000
_KEPT_REPLIES = 50


class Numbered(Protocol):
    """An entry of a log."""

    @property
    def number(self) -> int:
        """Its place in the log, from 1."""
        ...


Entry = TypeVar("Entry", bound=Numbered)
Reply = TypeVar("Reply")


@dataclass(slots=True)
class _Log(Generic[Reply]):
    last: int = 0
    replies: list[Reply] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)


class Ledger(Generic[Entry, Reply]):
    """Knows for each log which entries were carried out, and the latest replies to them."""

    def __init__(self) -> None:
        self._logs: OrderedDict[str, _Log[Reply]] = OrderedDict()
        self._lock = threading.Lock()

    def once(self, nonce: str, entries: Sequence[Entry], act: Callable[[Sequence[Entry]], Sequence[Reply]]) -> None:
        """Have the new entries carried out, in their order. An entry whose action fails is not tried again."""
        if not entries:
            return
        log = self._log(nonce)
        with log.lock:
            fresh = sorted((entry for entry in entries if entry.number > log.last), key=lambda entry: entry.number)
            if not fresh:
                return
            try:
                log.replies = [*log.replies, *act(fresh)][-_KEPT_REPLIES:]
            finally:
                log.last = fresh[-1].number

    def answered(self, nonce: str) -> tuple[int, list[Reply]]:
        """The number of the last entry that was carried out, and the latest replies."""
        log = self._logs.get(nonce)
        return (log.last, list(log.replies)) if log else (0, [])

    def _log(self, nonce: str) -> _Log[Reply]:
        with self._lock:
            log = self._logs.setdefault(nonce, _Log())
            self._logs.move_to_end(nonce)
            while len(self._logs) > _MAX_LOGS:
                self._logs.popitem(last=False)
            return log
