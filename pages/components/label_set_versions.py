"""The versions of a label set: which there are, and what differs between any two of them."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from pages.components.layout import status_badge
from pages.components.template_difference import show_difference
from pages.components.words import ago, plain, words
from workbench_core.label_sets import LabelSet, differences

FIELD_NAMES = {"usage": "What labels may be used for", "may_serve": "May be served", "label_type": "Label type"}


def versions_part(label_set: LabelSet, known: Sequence[LabelSet]) -> None:
    """All versions, and the comparison of two."""
    left, right = st.columns([1, 2], gap="medium")
    with left:
        st.subheader("Versions", anchor=False)
        for version in known:
            _version_line(version, is_shown=version.id == label_set.id)
    with right:
        st.subheader("Compare", anchor=False)
        if len(known) < 2:
            st.caption("This is the only version.")
        else:
            _compare(label_set, known)


def _version_line(version: LabelSet, *, is_shown: bool) -> None:
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        st.markdown(f"**{version.version}**", width="content")
        status_badge(version.status)
        st.space("stretch")
        st.button(
            "Shown" if is_shown else "Open", key=f"label_sets_open_{version.id}", disabled=is_shown,
            type="tertiary", on_click=_open, args=(version.id,),
        )  # fmt: skip
    st.caption(f"{plain(version.updated_by)}, {ago(version.updated_at)}")


def _open(label_set_id: str) -> None:
    st.query_params["label_set"] = label_set_id


def _compare(label_set: LabelSet, known: Sequence[LabelSet]) -> None:
    """Two versions, the older one on the left at first."""
    by_id = {version.id: version for version in known}
    number = next(place for place, version in enumerate(known) if version.id == label_set.id)
    is_oldest = number + 1 == len(known)
    before, after = (known[number], known[number - 1]) if is_oldest else (known[number + 1], known[number])
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
        for key, label, start in (("before", "From", before), ("after", "To", after)):
            widget = f"label_sets_{label_set.id}_{key}"
            if st.session_state.get(widget) not in by_id:
                st.session_state[widget] = start.id
            st.selectbox(
                label, list(by_id), key=widget, width=180, persist_state="session",
                format_func=lambda one: f"{by_id[one].version} ({by_id[one].status})",
            )  # fmt: skip
    old, new = (by_id[st.session_state[f"label_sets_{label_set.id}_{key}"]] for key in ("before", "after"))
    changes = differences(old.draft, new.draft)
    if not changes:
        st.caption("The two versions are the same.")
    for change in changes:
        st.markdown(f"**{FIELD_NAMES.get(change.field, words(change.field))}**")
        show_difference(change.before, change.after, titles=(old.version, new.version))
