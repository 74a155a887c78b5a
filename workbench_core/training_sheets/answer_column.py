"""Which column of a sheet most likely holds the known answers."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence

_USUAL = ("label", "answer", "class", "category", "target", "verdict", "expected", "response", "output", "truth")


def propose_answer_column(label_type: str, columns: Sequence[str], *, mapped: Collection[str] = ()) -> str:
    """The column named after the label type, else one with a usual name; empty when there is none.

    Columns that are part of the question (`mapped`) are never proposed: they would give the answer away.
    """
    free = [column for column in columns if column not in mapped]
    for wanted in (label_type, *_USUAL):
        for column in free:
            if _plain(column) == _plain(wanted):
                return column
    return next((column for column in free if any(word in _words(column) for word in _USUAL)), "")


def _plain(name: str) -> str:
    return re.sub(r"[\W_]+", "", name).lower()


def _words(name: str) -> set[str]:
    return set(re.split(r"[\W_]+", name.lower()))
