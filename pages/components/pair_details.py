"""One pair in full: the conversation, the source row, every decision, and the versions of its canonical label."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from pages.components.layout import status_badge
from pages.components.records import show_messages, show_row
from pages.components.words import ago, plain, words
from workbench_core import cached
from workbench_core.pairs import Pair, PairReview


def pair_details(pair: Pair) -> None:
    """Tabs over one pair; only the open one is read and drawn."""
    with st.container(horizontal=True, vertical_alignment="center"):
        status_badge(pair.review_status)
        st.badge(words(pair.response_source), color="gray")
        st.badge(pair.usage.summary(), color="gray", help=f"Classification: {pair.usage.classification}")
    if pair.review_note:
        st.caption(f"Note: {plain(pair.review_note)}")
    history, conversation, source, label = st.tabs(
        ["History", "Conversation", "Source row", "Canonical label"], key=f"pair_tabs_{pair.id}", on_change="rerun"
    )
    if history.open:
        with history:
            _history(pair)
    if conversation.open:
        with conversation:
            show_messages(pair.messages, pair.answer)
    if source.open:
        with source:
            show_row(pair.variables)
    if label.open:
        with label:
            _label(pair)


def _history(pair: Pair) -> None:
    reviews = cached.workbench().pairs.reviews(pair.id)
    events = cached.workbench().history.of("pair", pair.id)
    if not reviews and not events:
        st.caption("Nobody has decided about this pair yet.")
        return
    lines = [(review.reviewed_at, _decision(review)) for review in reviews]
    lines += [(event.happened_at, f"**{words(event.action)}** by {plain(event.by)}") for event in events]
    for moment, line in sorted(lines, reverse=True):
        st.markdown(f"{line} · {ago(moment)}")


def _decision(review: PairReview) -> str:
    parts = [f"**{words(review.action)}** by {plain(review.by)}"]
    if review.answer_before != review.answer_after:
        parts.append(
            f"“{plain(review.answer_before[:200]) or 'no answer'}” became “{plain(review.answer_after[:200])}”"
        )
    if review.note:
        parts.append(plain(review.note))
    line = " · ".join(parts)
    return f"~~{line}~~ (undone)" if review.undone_at else line


def _label(pair: Pair) -> None:
    labels = cached.workbench().canonical_labels
    found = labels.of_item(pair.sheet_id, pair.item_ref)
    if not found:
        st.caption("This item has no canonical label yet. Approving the pair gives it one.")
    for label in found:
        st.markdown(f"**{plain(label.label_type)}**: {plain(label.answer[:500])} · reused {label.reuse_count} times")
        versions = [
            {"Version": v.version, "Answer": v.answer, "By": v.modified_by, "Why": v.reason, "When": v.modified_at}
            for v in labels.versions(label.id)
        ]
        st.dataframe(
            pd.DataFrame(versions), hide_index=True, height="content", alt=f"Versions of the label {label.label_type}",
            column_config={"When": st.column_config.DatetimeColumn(format="D MMM YYYY, HH:mm")},
        )  # fmt: skip
