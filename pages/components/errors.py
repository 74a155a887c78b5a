"""The only place where errors become words on screen."""

from __future__ import annotations

import logging
import uuid
from collections.abc import Iterator
from contextlib import contextmanager

import streamlit as st

from pages.components.words import without_shortcodes
from workbench_core.errors import NotFound, NotPermitted, WorkbenchError

log = logging.getLogger(__name__)
LONGEST = 500  # characters of a message that are shown


@contextmanager
def guard(*, way_out: bool = False) -> Iterator[None]:
    """Show whatever goes wrong inside as a calm sentence with a next step; the rest of the page stays.

    With a `way_out` there is a button to the page as the sidebar opens it, when the address asks for what is not there:
    the sidebar's own link leaves the address of the present page as it is.
    """
    try:
        yield
    except Exception as error:  # noqa: BLE001  the last stop before the person
        show_error(error)
        if way_out and isinstance(error, NotFound) and st.query_params:
            st.button(
                "Show everything here", icon=":material/arrow_back:", key="way_out", on_click=st.query_params.clear
            )


@contextmanager
def guard_callback() -> Iterator[None]:
    """Keep what goes wrong in a callback (an `on_click`) for the run that follows it, and show it at the top there."""
    try:
        yield
    except Exception as error:  # noqa: BLE001  the last stop before the person
        st.session_state.setdefault("kept_errors", []).append(error)


def show_kept_errors() -> None:
    """Show what the callbacks before this run had to keep; the router calls it."""
    for error in st.session_state.pop("kept_errors", []):
        show_error(error)


def show_error(error: Exception) -> bool:
    """Say what happened and what to do next; an unknown error gets a reference that stands in the log too."""
    if isinstance(error, WorkbenchError):
        text = "\n\n".join(_inert(part) for part in (error.message, error.hint) if part)
        if isinstance(error, NotFound):
            st.warning(text, icon=":material/search_off:")
        elif isinstance(error, NotPermitted):
            st.warning(text, icon=":material/lock:")
        else:
            st.error(text, icon=":material/error:")
        return True
    reference = uuid.uuid4().hex[:8]
    log.error("Unexpected error %s", reference, exc_info=error)
    st.error(
        f"Something unexpected happened. Nothing was half saved.\n\nReload the page; if it stays, report {reference}.",
        icon=":material/error:",
    )
    return True


def _inert(text: str) -> str:
    """A message may quote what somebody typed or put into an address: it must not become a picture, link or style."""
    shown = without_shortcodes(text if len(text) <= LONGEST else f"{text[:LONGEST]} …")
    for mark in "*`$":
        shown = shown.replace(mark, f"\\{mark}")
    return shown.replace("[", "\\[").replace("://", ":\u2060//").replace("\x00", "")
