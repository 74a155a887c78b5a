"""Files that may come into the lake, and what a person has decided about them so far."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

import streamlit as st

from pages.components.words import file_size, plain
from workbench_core.catalog import (
    TABLE_ENDINGS,
    ChangePreview,
    Incoming,
    IntakePlan,
    TableEntry,
    Wishes,
)

_LAST = "intake_last"  # what was found last, so that typing a name does not read the files again
_COMPARED = "intake_compared"  # the same for the change of a table


@dataclass(frozen=True, slots=True)
class Candidate:
    """Files that may come into the lake.

    `stamp` changes with them. `inspect` looks, `compare` says what a wished change of a table would do, `keep` does
    what was looked at, with tags. `extend` puts those of these paths into a folder that may be there already.
    """

    file_name: str
    stamp: str
    size_bytes: int
    inspect: Callable[[Wishes], Incoming]
    compare: Callable[[Wishes], ChangePreview]
    keep: Callable[[Wishes, Sequence[str]], Sequence[TableEntry]]
    extend: Callable[[str, Sequence[str], Collection[str]], TableEntry] | None = None

    @property
    def may_be_table(self) -> bool:
        """True for one file that can become a table by its name."""
        return PurePosixPath(self.file_name).suffix.lower() in TABLE_ENDINGS

    def key(self, name: str) -> str:
        """A key of the session that belongs to these files only."""
        return f"intake_{name}_{self.stamp}"


def wishes_for(candidate: Candidate) -> Wishes:
    """How each file is read, and which become tables; without a name, because a name changes nothing to look at."""
    tables = st.session_state.get(candidate.key("tables"))
    if st.session_state.get(candidate.key("becomes")) == "file":
        tables = ()
    return Wishes(plans=st.session_state.get(candidate.key("plans"), {}), tables=tables)


def plan_of(candidate: Candidate, path: str) -> IntakePlan:
    """How a file is read."""
    plan: IntakePlan = st.session_state.get(candidate.key("plans"), {}).get(path, IntakePlan())
    return plan


def decide(candidate: Candidate, path: str, plan: IntakePlan) -> None:
    """Read a file in another way from now on."""
    plans = st.session_state.get(candidate.key("plans"), {})
    st.session_state[candidate.key("plans")] = plans | {path: plan}


def inspected(candidate: Candidate) -> Incoming:
    """What the files become. Raises Invalid for one that cannot be read."""
    wishes = wishes_for(candidate)
    asked, last = (candidate.stamp, wishes), st.session_state.get(_LAST)
    if last is None or last[0] != asked:
        size = f", {file_size(candidate.size_bytes)}" if candidate.size_bytes else ""
        with st.spinner(f"Reading {plain(candidate.file_name)}{size} …"):
            last = (asked, candidate.inspect(wishes))
        st.session_state[_LAST] = last
    found: Incoming = last[1]
    return found


def compared(candidate: Candidate, wishes: Wishes) -> ChangePreview:
    """What the rows do to a table that is there. Raises what the catalog raises."""
    asked, last = (candidate.stamp, wishes), st.session_state.get(_COMPARED)
    if last is None or last[0] != asked:
        with st.spinner(f"Comparing {plain(candidate.file_name)} with the table …"):
            last = (asked, candidate.compare(wishes))
        st.session_state[_COMPARED] = last
    found: ChangePreview = last[1]
    return found


def forget() -> None:
    """Look again: something was written, or is not as it was."""
    st.session_state.pop(_LAST, None)
    st.session_state.pop(_COMPARED, None)
