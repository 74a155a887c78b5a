"""Which pairs the review card holds: the next ones that were not put off, then those that were."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import streamlit as st

from workbench_core.pairs import Pair

Read = Callable[[int, int], Sequence[Pair]]  # pairs behind a position, at most so many


@dataclass(frozen=True, slots=True)
class Window:
    """The pairs for the card. `after` is the position up to which all were put off; `is_cut` says there are more."""

    pairs: tuple[Pair, ...] = ()
    after: int = 0
    is_cut: bool = False


def card_key(training_sheet_id: str) -> str:
    """The key of the card's widget."""
    return f"review_{training_sheet_id}"


def queue_name(training_sheet_id: str, queue: str) -> str:
    """What the browser calls a queue."""
    return f"{training_sheet_id}:{queue}"


def card_log(training_sheet_id: str) -> Mapping[str, object]:
    """What the card of a training sheet sent last."""
    return _sent(training_sheet_id, "log")


def card_logs(training_sheet_id: str) -> list[Mapping[str, object]]:
    """All that the card sent in this run, oldest first.

    The same log may come three times: from before a reload, as a trigger, which arrives even when the person has left
    the page meanwhile, and as the state that stays until it is answered.
    """
    return [_sent(training_sheet_id, name) for name in ("orphan", "acted", "log")]


def _sent(training_sheet_id: str, name: str) -> Mapping[str, object]:
    value = (st.session_state.get(card_key(training_sheet_id)) or {}).get(name)
    return value if isinstance(value, Mapping) else {}


def card_window(training_sheet_id: str, queue: str, read: Read, *, limit: int) -> Window:
    """Read the pairs for a queue of a training sheet, by the name of `CardView`: what was put off with S comes last.

    `read(after, limit)` gives the pairs of the queue behind a position, in the order of their sequence numbers.
    """
    log = card_log(training_sheet_id)
    after = _position(log.get("after")) if log.get("queue") == queue_name(training_sheet_id, queue) else 0
    found = list(read(after, limit + 1))
    if after and len(found) <= limit:
        missing = limit + 1 - len(found)
        found += [pair for pair in read(0, missing) if pair.sequence_number <= after]
    return Window(tuple(found[:limit]), after, len(found) > limit)


def _position(value: object) -> int:
    return value if isinstance(value, int) and 0 < value < 2**53 else 0
