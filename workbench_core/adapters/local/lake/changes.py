"""A number that rises with every change of the lake, by this process or underneath it, and the lock of its writers."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path

LOOK_EVERY_SECONDS = 1.0
_DEPTH = 2  # catalogs and schemas; what lies in a schema is a table, a volume or the notes beside one


class Changes:
    """`with changes:` is held while something is written, by one writer at a time; the number is higher after it.

    Files that come, go or change underneath are noticed within a second; in the sub-folders of a volume they are not.
    """

    def __init__(self, root: Path) -> None:
        self._root = root
        self._writing = threading.Lock()
        self._looking = threading.Lock()
        self._number = time.time_ns()  # never that of another lake, not even of this one after a restart
        self._seen = _fingerprint(root)
        self._look_at = time.monotonic() + LOOK_EVERY_SECONDS

    def __enter__(self) -> None:
        self._writing.acquire()

    def __exit__(self, *_: object) -> None:
        try:
            with self._looking:
                self._number += 1
                self._look()
        finally:
            self._writing.release()

    @property
    def number(self) -> int:
        """Higher than before every change that was noticed."""
        with self._looking:
            if time.monotonic() >= self._look_at:
                before = self._seen
                self._look()
                self._number += self._seen != before
            return self._number

    def _look(self) -> None:
        self._seen = _fingerprint(self._root)
        self._look_at = time.monotonic() + LOOK_EVERY_SECONDS


def _fingerprint(root: Path) -> int:
    return hash(frozenset(_stamps(str(root), 0)))


def _stamps(folder: str, depth: int) -> Iterator[tuple[str, int, int]]:
    """Everything in the schemas with the time of its last change and its size."""
    try:
        with os.scandir(folder) as children:
            found = [child for child in children if not child.name.startswith(".")]
    except OSError:  # it went away meanwhile
        return
    for child in found:
        if depth < _DEPTH:
            yield from _stamps(child.path, depth + 1)
            continue
        try:
            status = child.stat(follow_symlinks=False)
        except OSError:
            continue
        yield child.path, status.st_mtime_ns, status.st_size
