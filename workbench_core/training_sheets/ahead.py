"""Working one element ahead: while one is stored, a thread of its own makes the next."""

from __future__ import annotations

import threading
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from typing import Generic, TypeVar

Element = TypeVar("Element")


@contextmanager
def made_ahead(source: Generator[Element, None, None]) -> Iterator[Iterator[Element]]:
    """The elements of a source in their order, made in a thread of its own, one more than was asked for.

    The source begins, works and is closed in that thread, which ends with the block: at the latest when the element
    that it works on is made. What the source raises is raised where its element is waited for.
    """
    ahead = _Ahead(source)
    thread = threading.Thread(target=ahead.work, name="making ahead", daemon=True)
    thread.start()
    try:
        yield ahead.elements()
    finally:
        ahead.close()
        thread.join()


class _Ahead(Generic[Element]):
    """The place for one element between the thread that makes it and the one that waits for it."""

    def __init__(self, source: Generator[Element, None, None]) -> None:
        self._source = source
        self._changed = threading.Condition()
        self._made: list[Element] = []  # at most one
        self._failure: BaseException | None = None
        self._has_ended = False
        self._is_closed = False

    def work(self) -> None:
        """Make elements until there are no more, or nobody waits for them."""
        failure: BaseException | None = None
        try:
            for element in self._source:
                if not self._handed_on(element):
                    break
            self._source.close()
        except BaseException as error:  # noqa: BLE001 - raised again where the elements are waited for
            failure = error
        with self._changed:
            self._failure, self._has_ended = failure, True
            self._changed.notify_all()

    def elements(self) -> Iterator[Element]:
        """Wait for one element after the other."""
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._made or self._has_ended)
                if not self._made:
                    break
                element = self._made.pop()
                self._changed.notify_all()
            yield element
            del element  # or it would be held while the next ones are made
        if self._failure is not None:
            raise self._failure

    def close(self) -> None:
        """Make no more."""
        with self._changed:
            self._is_closed = True
            self._changed.notify_all()

    def _handed_on(self, element: Element) -> bool:
        with self._changed:
            self._changed.wait_for(lambda: not self._made or self._is_closed)
            if not self._is_closed:
                self._made.append(element)
                self._changed.notify_all()
            return not self._is_closed
