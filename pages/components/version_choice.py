"""The versions of one thing: a line for each with the way to it, and the two of them that are compared."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from enum import StrEnum
from typing import Protocol, TypeVar

import streamlit as st

from pages.components.layout import status_badge
from pages.components.words import ago, plain


class Version(Protocol):
    """What a template and a label set have in common."""

    @property
    def id(self) -> str:
        """Which version it is, in the address."""
        ...

    @property
    def version(self) -> str:
        """Its number."""
        ...

    @property
    def status(self) -> StrEnum:
        """Where it stands."""
        ...

    @property
    def updated_by(self) -> str:
        """Who changed it last."""
        ...

    @property
    def updated_at(self) -> datetime:
        """When that was."""
        ...


Kind = TypeVar("Kind", bound=Version)


def version_lines(known: Sequence[Version], shown: Version, *, page: str, param: str) -> None:
    """A line for each version, with a button that opens it by putting its id into `param` of the address."""
    for version in known:
        is_shown = version.id == shown.id
        with st.container(horizontal=True, vertical_alignment="center", gap="small"):
            st.markdown(f"**{version.version}**", width="content")
            status_badge(version.status)
            st.space("stretch")
            st.button(
                "Shown" if is_shown else "Open", key=f"{page}_open_{version.id}", disabled=is_shown,
                type="tertiary", on_click=_open, args=(param, version.id),
            )  # fmt: skip
        st.caption(f"{plain(version.updated_by)}, {ago(version.updated_at)}")


def choose_two(known: Sequence[Kind], shown: Kind, *, page: str) -> tuple[Kind, Kind]:
    """Two of at least two versions, newest first in `known`; at first the shown one and the one before it."""
    by_id = {version.id: version for version in known}
    number = next(place for place, version in enumerate(known) if version.id == shown.id)
    is_oldest = number + 1 == len(known)
    before, after = (known[number], known[number - 1]) if is_oldest else (known[number + 1], known[number])
    for key, label, start in (("before", "From", before), ("after", "To", after)):
        widget = f"{page}_{shown.id}_{key}"
        if st.session_state.get(widget) not in by_id:
            st.session_state[widget] = start.id
        st.selectbox(
            label, list(by_id), key=widget, width=180, persist_state="session",
            format_func=lambda one: f"{by_id[one].version} ({by_id[one].status})",
        )  # fmt: skip
    chosen = [by_id[st.session_state[f"{page}_{shown.id}_{key}"]] for key in ("before", "after")]
    return chosen[0], chosen[1]


def _open(param: str, version_id: str) -> None:
    st.query_params[param] = version_id
