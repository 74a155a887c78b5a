"""Another table or folder for a sheet that reads one: what of it is there too, and how many labels are found again."""

from __future__ import annotations

from dataclasses import replace

import streamlit as st

from pages.components.errors import guard, guard_callback
from pages.components.sheet_draft import OpenSheet, change, current
from pages.components.verdicts import identifier_verdict, items_verdict
from pages.components.words import counted, plain
from workbench_core import cached
from workbench_core.sheets import SheetDraft
from workbench_core.sheets.editing import ColumnRole, with_role

MOST_NAMES = 6


def source_button(key: str) -> None:
    """The way to another source in place of the present one."""
    st.button(
        "Change source", icon=":material/swap_horiz:", key="data_change_source", on_click=st.session_state.__setitem__,
        args=(f"{key}_changing", True), help="Read another table or folder; columns that both have keep their roles",
    )  # fmt: skip


def is_changing(key: str) -> bool:
    """Whether a person is choosing another source now."""
    return bool(st.session_state.get(f"{key}_changing"))


def change_source(kept: OpenSheet) -> None:
    """Choose a table or folder, see what becomes of columns and labels, and take it."""
    key, draft = kept.key, kept.draft
    with st.container(border=True, key="data_changer"), guard():
        st.subheader("Another source", anchor=False)
        others = [entry.name for entry in cached.catalog_entries() if entry.name != draft.source]
        table = st.selectbox(
            "Table or folder", others, index=None, key=f"{key}_new_source", placeholder="Type to search the lake"
        )
        new = None if table is None else chosen(kept.found.id, draft, table, key=key)
        with st.container(horizontal=True):
            st.button(
                "Take this source", type="primary", key="data_changer_done", on_click=take,
                args=(kept.found.id, key, new), disabled=new is None, help="It still has to be saved",
            )  # fmt: skip
            st.button(
                "Cancel", key="data_changer_cancel", on_click=st.session_state.pop, args=(f"{key}_changing", None)
            )


def chosen(sheet_id: str, draft: SheetDraft, table: str, *, key: str) -> SheetDraft:
    """The draft over another source with its identifier; says what is found again."""
    new = cached.draft_over(draft, table)
    names = [column.name for column in cached.table_columns(table)]
    identifier = st.selectbox(
        "Identifier", names, index=names.index(new.item_id_column), key=f"{key}_new_identifier_{table}",
        help="The column that names each item for good. Labels are found again by its values.",
    )  # fmt: skip
    if identifier and identifier != new.item_id_column:
        new = with_role(new, identifier, ColumnRole.IDENTIFIER)
    identifier_verdict(table, new.item_id_column)
    items_verdict(sheet_id, new)
    column_words(draft, new)
    return new


def column_words(draft: SheetDraft, new: SheetDraft) -> None:
    """Which columns stay, go and come."""
    stay = [name for name in draft.columns if name in new.columns]
    gone = [name for name in draft.columns if name not in new.columns]
    come = [name for name in new.columns if name not in draft.columns]
    parts = [f"{counted(len(stay), 'column')} stay"]
    parts += [f"not there: {some(gone)}"] if gone else []
    parts += [f"new: {some(come)}"] if come else []
    st.caption(f":material/view_column: {'; '.join(parts)}.")


def some(names: list[str]) -> str:
    """A few names, and how many more."""
    more = f" and {len(names) - MOST_NAMES:,} more" if len(names) > MOST_NAMES else ""
    return f"{', '.join(plain(name) for name in names[:MOST_NAMES])}{more}"


def take(sheet_id: str, key: str, draft: SheetDraft | None) -> None:
    """Put the other source into the draft, to be saved with everything else."""
    with guard_callback():
        if draft is not None:
            present = current(sheet_id).draft
            texts = {"name": present.name, "description": present.description}
            change(sheet_id, replace(draft, **texts), resets_fields=True)
        st.session_state.pop(f"{key}_changing", None)
