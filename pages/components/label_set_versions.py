"""The versions of a label set: which there are, and what differs between any two of them."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from pages.components.template_difference import show_difference
from pages.components.version_choice import choose_two, version_lines
from pages.components.words import words
from workbench_core.label_sets import LabelSet, differences

FIELD_NAMES = {"usage": "What labels may be used for", "may_serve": "May be served", "label_type": "Label type"}


def versions_part(label_set: LabelSet, known: Sequence[LabelSet]) -> None:
    """All versions, and the comparison of two."""
    left, right = st.columns([1, 2], gap="medium")
    with left:
        st.subheader("Versions", anchor=False)
        version_lines(known, label_set, page="label_sets", param="label_set")
    with right:
        st.subheader("Compare", anchor=False)
        if len(known) < 2:
            st.caption("This is the only version.")
        else:
            _compare(label_set, known)


def _compare(label_set: LabelSet, known: Sequence[LabelSet]) -> None:
    """Two versions, the older one on the left at first."""
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
        old, new = choose_two(known, label_set, page="label_sets")
    changes = differences(old.draft, new.draft)
    if not changes:
        st.caption("The two versions are the same.")
    for change in changes:
        st.markdown(f"**{FIELD_NAMES.get(change.field, words(change.field))}**")
        show_difference(change.before, change.after, titles=(old.version, new.version))
