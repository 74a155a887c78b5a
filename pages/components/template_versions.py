"""The versions of a template: which there are, what differs between any two of them, and what stands on this one."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from pages.components.template_difference import show_difference
from pages.components.version_choice import choose_two, version_lines
from pages.components.words import plain, words
from workbench_core import cached
from workbench_core.prompt_templates import PromptTemplate, differences

MOST = 500  # sheets and training sheets that are looked through
LAYOUTS = {"side": "Side by side", "one": "One column"}
FIELD_NAMES = {"usage": "What pairs may be used for", "max_tokens": "Longest answer (tokens)"}


def versions_part(template: PromptTemplate, known: Sequence[PromptTemplate]) -> None:
    """All versions, the comparison of two, and where the open one is used."""
    left, right = st.columns([1, 2], gap="medium")
    with left:
        st.subheader("Versions", anchor=False)
        version_lines(known, template, page="prompt_templates", param="template")
        _show_use(template)
    with right:
        st.subheader("Compare", anchor=False)
        if len(known) < 2:
            st.caption("This is the only version.")
        else:
            _compare(template, known)


def _compare(template: PromptTemplate, known: Sequence[PromptTemplate]) -> None:
    """Two versions, the older one on the left at first."""
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
        old, new = choose_two(known, template, page="prompt_templates")
        st.segmented_control(
            "Layout", list(LAYOUTS), key="prompt_templates_diff_layout", format_func=LAYOUTS.__getitem__,
            default="side", required=True, persist_state="session",
        )  # fmt: skip
    _show_changes(old, new)


def _show_changes(old: PromptTemplate, new: PromptTemplate) -> None:
    changes = differences(old, new)
    if not changes:
        st.caption("The two versions are the same.")
        return
    st.caption(
        f"What is only in {old.version} is marked with −, what is only in {new.version} with +; "
        "in a changed line, what differs is struck out or underlined."
    )
    is_side = st.session_state["prompt_templates_diff_layout"] == "side"
    for change in changes:
        st.markdown(f"**{FIELD_NAMES.get(change.field, words(change.field))}**")
        if is_side:
            show_difference(change.before, change.after, titles=(old.version, new.version))
        else:
            st.code("\n".join(change.lines), language="diff", wrap_lines=True)


def _show_use(template: PromptTemplate) -> None:
    """The sheets and training sheets that stand on this version, with the way to each."""
    st.subheader("Where it is used", anchor=False)
    workbench = cached.workbench()
    sheets = {sheet.id: sheet for sheet in cached.sheets(limit=MOST)}
    attached = workbench.template_attachments.all_of(list(sheets))
    for sheet_id, one in attached.items():
        if one.prompt_template_id == template.id:
            _link(sheets[sheet_id].name, "data", "table_view", sheet=sheet_id)
    for made in cached.training_sheets(limit=MOST):
        if made.prompt_template_id == template.id:
            _link(made.name, "generate", "auto_awesome", training_sheet=made.id)
    if used := workbench.prompt_templates.dependants(template.id):
        st.caption(f"In use, so it cannot be deleted: {plain(used)}.")
    else:
        st.caption("Nothing stands on this version.")


def _link(name: str, page: str, icon: str, **query: str) -> None:
    st.page_link(f"{page}.py", label=plain(name), icon=f":material/{icon}:", query_params=query)
