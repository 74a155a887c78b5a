"""Buttons of the review desk: each does its one thing once, says what it did, and is disabled with its reason."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import streamlit as st

from pages.components.errors import guard
from pages.components.layout import flash

_LAST_DONE = "label_last_done"


def act_button(
    title: str,
    *,
    icon: str,
    key: str,
    act: Callable[[], str],
    sentence: str = "",
    reason: str = "",
    state: str = "",
    kind: Literal["primary", "secondary", "tertiary"] = "secondary",
    width: Literal["content", "stretch"] = "content",
    then: Callable[[], None] = lambda: None,
) -> None:
    """A button that does one thing and says so; disabled when there is a `reason` against it.

    `state` names what it would change: in the same state it acts once, however often it is clicked. `act` is one call
    of a service and gives what to say; it is made while the page is drawn, so that what was typed just before the
    click counts. A second click stops the run of the first one at its next call of Streamlit: what was said is kept
    before, and `then` may be called twice.
    """
    last: dict[str, str] = st.session_state.setdefault(_LAST_DONE, {})
    if not st.button(
        title, icon=f":material/{icon}:", key=key, disabled=bool(reason), help=reason or sentence or None, type=kind,
        width=width,
    ):  # fmt: skip
        return
    deed = f"{key} {state}"
    with guard():
        if deed not in last:
            last.clear()
            last[deed] = act()
    if deed in last:
        then()
        flash(last[deed])
        st.rerun()
