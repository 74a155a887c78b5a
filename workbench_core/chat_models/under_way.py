"""Questions that are under way to one model: a second thread that asks the same meanwhile waits for that answer."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping


class UnderWay:
    """The questions of one model that are being asked in this process, by their digest, and by whom."""

    def __init__(self) -> None:
        self._askers: dict[str, tuple[Asker, int]] = {}
        self._changed = threading.Condition()

    def asker(self) -> Asker:
        """Somebody who is about to ask."""
        return Asker(self)

    def claim(self, asker: Asker, hashes: Iterable[str]) -> list[str]:
        """Those of the questions that nobody else asks: they are the asker's until they are released.

        A question that this very thread asks already is taken over: nobody could wait for it.
        """
        own = threading.get_ident()
        with self._changed:
            free = [one for one in hashes if self._askers.get(one, (asker, own))[1] == own]
            self._askers.update(dict.fromkeys(free, (asker, own)))
            return free

    def release(self, asker: Asker, hashes: Iterable[str]) -> None:
        """Let others have those of these questions that are the asker's."""
        with self._changed:
            for one in hashes:
                if one in self._askers and self._askers[one][0] is asker:
                    del self._askers[one]
            self._changed.notify_all()

    def is_free(self, waiting: Mapping[str, object], seconds: float) -> bool:
        """Whether one of these questions becomes free within so many seconds."""
        with self._changed:
            return self._changed.wait_for(lambda: any(one not in self._askers for one in waiting), seconds)


class Asker:
    """One call to a model: what it asks, nobody else asks meanwhile."""

    def __init__(self, under_way: UnderWay) -> None:
        self._under_way = under_way

    def claim(self, hashes: Iterable[str]) -> list[str]:
        """Those of the questions that nobody else asks."""
        return self._under_way.claim(self, hashes)

    def release(self, hashes: Iterable[str]) -> None:
        """Let others have these questions: their answers are kept by now, or will not come."""
        self._under_way.release(self, hashes)
