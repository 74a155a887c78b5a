"""One pair in full: what was decided, what people say about it, its question and source, its labels, its answers."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd
import streamlit as st

from pages.components.errors import guard
from pages.components.identity import current_user
from pages.components.layout import flash, status_badge
from pages.components.records import show_answer, show_messages
from pages.components.review_filters import FLAGS, SOURCES
from pages.components.review_source import show_source
from pages.components.words import ago, plain, words
from workbench_core import cached, cached_generation, cached_review
from workbench_core.canonical_labels import CanonicalLabel
from workbench_core.pairs import Pair, PairReview
from workbench_core.training_sheets import ReplacedAnswer

HISTORY, COMMENTS = "History", "Comments"
_OPEN = "label_details_of"
LONGEST = 200  # characters of an answer in a sentence
_DONE: Mapping[str, str] = {
    "approve": "approved it", "edit": "approved it with another answer", "reject": "rejected it", "flag": "flagged it",
    "reopen": "opened it again", "save": "wrote an answer", "set_flags": "changed the quality flags",
    "set_usage": "changed what it may be used for", "generate": "had a model answer it",
}  # fmt: skip


def open_details(pair_id: str, *, tab: str = HISTORY) -> None:
    """Open the dialog about a pair at one of its tabs; it stays open until the person closes it."""
    st.session_state[_OPEN] = pair_id
    st.session_state[f"pair_tabs_{pair_id}"] = tab


def show_open_details(training_sheet_id: str) -> None:
    """The dialog about the pair that the person asked for, if any."""
    if not (pair_id := st.session_state.get(_OPEN, "")):
        return
    with guard():
        pair = cached.workbench().pairs.get(pair_id)
        if pair.training_sheet_id == training_sheet_id:
            st.dialog(_title(pair), width="large", on_dismiss=_close)(pair_details)(pair)
        else:
            _close()


def _close() -> None:
    st.session_state.pop(_OPEN, None)


def _title(pair: Pair) -> str:
    return plain(f"Item {pair.item_ref[:80]}")


def pair_details(pair: Pair) -> None:
    """Tabs over one pair; only the open one is read and drawn."""
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        status_badge(pair.review_status)
        st.badge(SOURCES[pair.response_source], color="gray", icon=":material/edit_note:", help="Answer from")
        for flag in pair.quality_flags:
            st.badge(FLAGS[flag], color="orange", icon=":material/flag:")
        st.badge(plain(pair.usage.summary()), color="gray", help=f"Classification: {pair.usage.classification}")
    if pair.review_note:
        st.caption(f"Note: {plain(pair.review_note)}")
    names = [HISTORY, COMMENTS, "Conversation", "Source", "Labels", "Answers"]
    tabs = st.tabs(names, key=f"pair_tabs_{pair.id}", on_change="rerun")
    parts = (_history, _comments, _conversation, show_source, _labels, _answers)
    for tab, part in zip(tabs, parts, strict=True):
        if tab.open:
            with tab:
                part(pair)


# --- what was decided ------------------------------------------------------------------------------------------------


def _history(pair: Pair) -> None:
    reviews = cached.workbench().pairs.reviews(pair.id)
    events = cached.workbench().history.of("pair", pair.id)
    if not reviews and not events:
        st.caption("Nobody has decided about this pair yet.")
        return
    lines = [(review.reviewed_at, _decision(review)) for review in reviews]
    lines += [(event.happened_at, f"**{plain(event.by)}** {_done(event.action)}") for event in events]
    for moment, line in sorted(lines, reverse=True):
        st.markdown(f"{line} · :gray[{ago(moment)}]")


def _done(action: str) -> str:
    return _DONE.get(action, words(action).lower())


def _decision(review: PairReview) -> str:
    parts = [f"**{plain(review.by)}** {_done(review.action)}"]
    if review.answer_before != review.answer_after:
        before = f"“{plain(review.answer_before[:LONGEST])}”" if review.answer_before else "No answer"
        parts.append(f"{before} became “{plain(review.answer_after[:LONGEST])}”")
    if review.note:
        parts.append(plain(review.note))
    line = " · ".join(parts)
    return f"~~{line}~~ (undone)" if review.undone_at else line


# --- comments --------------------------------------------------------------------------------------------------------


def _comments(pair: Pair) -> None:
    """What people say about the pair, and a field to say something."""
    found = cached_review.comments(pair.id)
    if not found:
        st.caption("No comment yet. Everybody who can see this pair can read what you write here.")
    for comment in found:
        with st.container(border=True, gap="xsmall"):
            st.markdown(f"**{plain(comment.by)}** · :gray[{ago(comment.created_at)}]")
            st.text(comment.text)
    field = f"pair_comment_{pair.id}_{len(found)}"  # a new field once the comment is written
    text = st.text_area("Comment", key=field, placeholder="What should others know about this pair?", height=90)
    if st.button("Comment", key=f"{field}_send", type="primary", icon=":material/send:"):
        with guard():
            cached.workbench().pairs.comment(pair.id, text or "", by=current_user())
            flash("Your comment is written.")
            st.rerun()


# --- question, labels, answers ---------------------------------------------------------------------------------------


def _conversation(pair: Pair) -> None:
    show_messages(pair.messages, pair.answer)


def _labels(pair: Pair) -> None:
    """The canonical labels of the item, of every label type, with their versions."""
    found = cached.workbench().canonical_labels.of_item(pair.sheet_id, pair.item_ref)
    if not found:
        st.caption("This item has no canonical label yet. Approving the pair gives it one.")
    for label in found:
        _label(label)


def _label(label: CanonicalLabel) -> None:
    st.markdown(f"**{plain(label.label_type)}**: {plain(label.answer[:500])} · reused {label.reuse_count} times")
    versions = [
        {"Version": v.version, "Answer": v.answer, "By": v.modified_by, "Why": v.reason, "When": v.modified_at}
        for v in cached.workbench().canonical_labels.versions(label.id)
    ]
    st.dataframe(
        pd.DataFrame(versions), hide_index=True, height="content", alt=f"Versions of the label {label.label_type}",
        column_config={"When": st.column_config.DatetimeColumn(format="D MMM YYYY, HH:mm")},
    )  # fmt: skip


def _answers(pair: Pair) -> None:
    """The answer now, the first one, and those that models gave before."""
    st.caption("Now")
    with st.container(border=True):
        show_answer(pair.answer)
    if pair.original_answer is not None:
        st.caption("Before people changed it")
        with st.container(border=True):
            show_answer(pair.original_answer)
    replaced = cached_generation.replaced_answers(pair.id)
    for former in replaced:
        _former(former)
    if pair.original_answer is None and not replaced:
        st.caption("There was no other answer before.")


def _former(former: ReplacedAnswer) -> None:
    """An answer that another one replaced."""
    model = f" by {plain(former.model)}" if former.model else ""
    st.caption(
        f"{SOURCES[former.response_source]}{model}, until {plain(former.replaced_by)} had it answered again, "
        f"{ago(former.replaced_at)}"
    )
    with st.container(border=True):
        show_answer(former.answer)
        if former.error:
            st.caption(plain(former.error))
