"""A new sheet of a folder inside a volume: the volume's files, narrowed to those that lie below the folder."""

from __future__ import annotations

import streamlit as st

from pages.components.data_navigation import go
from pages.components.errors import guard
from pages.components.identity import current_user
from pages.components.rights import why_not
from pages.components.sheet_form import sheet_form
from pages.components.verdicts import filter_verdict
from workbench_core import cached, cached_files
from workbench_core.permissions import Action


def folder_sheet_button(volume: str, path: str) -> None:
    """The way to a new sheet of a folder."""
    refusal = why_not(Action.EDIT_SHEETS)
    st.button(
        "Make a sheet of this folder", icon=":material/add:", key="data_make_folder", on_click=go,
        kwargs={"table": volume, "path": path, "make": "folder"}, disabled=bool(refusal), help=refusal or None,
    )  # fmt: skip


def folder_sheet(volume: str, path: str) -> None:
    """Confirm what is proposed, with the filter that keeps the folder's files, and create the sheet."""
    if refusal := why_not(Action.EDIT_SHEETS):
        st.caption(f":material/lock: {refusal}")
        return
    draft = cached_files.folder_proposal(volume, path)
    with st.container(border=True):
        st.subheader("A new sheet", anchor=False)
        st.caption("It points at the files of this folder and of those in it. It never copies or changes them.")
        form = sheet_form(
            draft,
            cached.table_columns(volume),
            key=f"data_folder_sheet_{volume}_{path}",
        )
        st.caption("Its filter, which can be changed on the sheet:")
        st.code(draft.filter, language="sql", wrap_lines=True)
        filter_verdict(draft.relation, draft.filter)
        with st.container(horizontal=True):
            if st.button("Create sheet", type="primary", key="data_create_of_folder", disabled=not form.can_save):
                with guard():
                    go(sheet=cached.workbench().sheets.create(form.draft, by=current_user()).id)
                    st.rerun()
            st.button("Not now", key="data_not_now_folder", on_click=go, kwargs={"table": volume, "path": path})
