"""Moving about on the Data and Data quality pages: addresses, the way back, and the switch of lake and sheets."""

from __future__ import annotations

import streamlit as st

from pages.components.address import choose_in_url, go_within
from pages.components.errors import guard
from pages.components.identity import current_user
from pages.components.layout import flash
from pages.components.rights import why_not
from workbench_core import cached
from workbench_core.permissions import Action


def go(**query: str) -> None:
    """Put another part of this page into the address; in a callback that is all, elsewhere rerun after it.

    A page link would show the other part, but leave the address as it was.
    """
    st.query_params.from_dict(query)


def back(label: str, *, view: str) -> None:
    """The way back to a list."""
    st.button(label, type="tertiary", icon=":material/arrow_back:", key="data_back", on_click=go, kwargs={"view": view})


def back_within(label: str, **query: str) -> None:
    """The way back that keeps the rest of the address."""
    st.button(label, type="tertiary", icon=":material/arrow_back:", key="data_back", on_click=go_within, kwargs=query)


def view_switch() -> str:
    """Lake or sheets, in the address."""
    return choose_in_url("View", ["lake", "sheets"], key="view", default="lake")


def demo_button(place: str) -> None:
    """Load the demo data with one click."""
    refusal = why_not(Action.ADMINISTER)
    if st.button(
        "Load the demo data", type="primary", icon=":material/science:", key=f"data_demo_{place}",
        disabled=bool(refusal), help=refusal or None,
    ):  # fmt: skip
        with guard():
            cached.workbench().demo.load(by=current_user())
            flash("The demo data is loaded. It can be removed on the Settings page.")
            st.rerun()
