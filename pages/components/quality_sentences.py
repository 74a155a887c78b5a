"""Rules out of sentences: read by grammar at once, and by the language model where somebody asks for it."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from pages.components.errors import guard, guard_callback
from pages.components.identity import current_user
from pages.components.quality_look import FAILURES, column_words, meaning, sentence
from pages.components.words import plain
from workbench_core import cached, cached_quality
from workbench_core.data_quality import Proposals, RuleDraft
from workbench_core.data_quality.rules import Origin
from workbench_core.data_quality.sentence_rules import examples_for
from workbench_core.sheets import Sheet

PROPOSED = "quality_proposals"


def from_sentences(sheet: Sheet, *, refusal: str) -> None:
    """Describe rules in words; what comes back is accepted rule by rule."""
    with st.container(border=True):
        st.markdown(":material/draw: **Rules from sentences**")
        examples = examples_for(cached.sheet_columns(sheet.id), identifier=sheet.item_id_column)
        with st.form("quality_sentences", border=False):
            text = st.text_area(
                "What must hold", key="quality_sentence", height=90, label_visibility="collapsed",
                placeholder="\n".join(examples[:2]),
            )  # fmt: skip
            asked = st.form_submit_button(
                "Propose rules", icon=":material/auto_awesome:", disabled=bool(refusal), help=refusal or None
            )
        if asked and (text or "").strip():
            propose(sheet, text or "", use_model=False)
        kept = st.session_state.get(PROPOSED)
        if kept and kept[0] == sheet.id:
            show_proposals(sheet, kept[2], refusal=refusal)
            if kept[2].not_understood:
                ask_for_the_rest(sheet, kept[1], refusal=refusal)
            if not kept[2].rules and examples:
                said = ", ".join(f"“{plain(one)}”" for one in examples)
                st.caption(f"Sentences like these are understood: {said}.")


def propose(sheet: Sheet, text: str, *, use_model: bool) -> None:
    """Read a text and keep what came of it, with the text; without the model that takes no time."""
    with guard():
        beat = st.empty()

        def go_on() -> bool:
            beat.empty()  # a click on Stop ends the script here, and the model with it
            return False

        found = cached.workbench().data_quality.propose_from_text(
            sheet.id, text, by=current_user(), use_model=use_model, cancelled=go_on
        )
        st.session_state[PROPOSED] = (sheet.id, text, found)


def ask_for_the_rest(sheet: Sheet, text: str, *, refusal: str) -> None:
    """Let the language model read what the sentence rules did not understand; it takes its time, so only on demand."""
    model = cached.workbench().chat_model
    available = model.availability()
    reason = refusal or ("" if available.is_ready else f"The {model.title} cannot answer: {available.reason}")
    with st.container(horizontal=True, vertical_alignment="center"):
        is_asked = st.button(
            "Ask the language model about the rest", icon=":material/smart_toy:", key="quality_ask_model",
            disabled=bool(reason),
        )  # fmt: skip
        st.caption(plain(reason or f"The {model.title} reads what was not understood. It may take a minute."))
    if is_asked:
        with st.container(horizontal=True, vertical_alignment="center"), st.spinner("The language model is reading"):
            st.button("Stop", icon=":material/stop_circle:", key="quality_stop_model")
            propose(sheet, text, use_model=True)
        st.rerun()


def show_proposals(sheet: Sheet, found: Proposals, *, refusal: str) -> None:
    """The proposed rules to accept one by one with who understood them, and what was not understood."""
    if found.rules:
        st.caption(plain(f"Proposed by the {found.proposed_by}. Nothing is saved before you accept it."))
    present = {(rule.draft.function, rule.draft.columns) for rule in cached_quality.rules(sheet.id)}
    words = column_words(sheet)
    for number, one in enumerate(found.rules):
        with st.container(border=True, horizontal=True, vertical_alignment="center"):
            with st.container(gap="xsmall", width="stretch"):
                st.markdown(sentence(meaning(one.draft, words)))
                st.markdown(f"{FAILURES[one.draft.criticality]} :small[:gray[{how_read(one.draft)}]]")
            is_saved = (one.draft.function, one.draft.columns) in present
            st.button(
                "Added" if is_saved else "Accept", key=f"quality_accept_{number}",
                icon=":material/check:" if is_saved else ":material/add:", on_click=accept,
                args=(sheet.id, [one.draft]), disabled=is_saved or bool(refusal), help=refusal or None,
            )  # fmt: skip
    for note in found.notes:
        st.markdown(f":orange[:material/help:] {plain(note)}")
    if found.rules:
        with st.expander("As YAML", icon=":material/code:", key="quality_proposals_yaml"):
            st.code(found.as_yaml, language="yaml")


def how_read(draft: RuleDraft) -> str:
    """The function, by whom the sentence was understood, and for which rows it counts."""
    who = "by the language model" if draft.origin is Origin.AI else "by the sentence rules"
    where = f" · only rows where {draft.filter}" if draft.filter else ""
    return plain(f"{draft.function} · understood {who}{where}")


def accept(sheet_id: str, drafts: Sequence[RuleDraft]) -> None:
    """Save a proposed rule."""
    with guard_callback():
        cached.workbench().data_quality.save_rules(sheet_id, drafts, by=current_user())
