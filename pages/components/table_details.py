"""One table or folder of the lake: what it is and imposes, its first rows and columns, and the sheets made of it."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd
import streamlit as st

from pages.components.catalog_tree import short
from pages.components.data_navigation import back, go
from pages.components.errors import guard, guard_callback
from pages.components.first_rows import first_rows
from pages.components.folder_view import show_folder
from pages.components.grid import CellEdit, GridColumn, edit_grid, read_grid
from pages.components.identity import current_user
from pages.components.layout import close_popover, flash, page_header, status_badge, work_popover
from pages.components.rights import why_not
from pages.components.sheet_details import tags_note
from pages.components.sheet_form import sheet_form
from pages.components.words import counted, plain, words
from workbench_core import cached
from workbench_core.catalog import EXPORTS, TAGS, UPLOADS, Column, Preview, TableEntry
from workbench_core.permissions import Action
from workbench_core.sheets import Sheet
from workbench_core.usage import from_tags

EMPTY = {True: "Some", False: "Never", None: ""}  # whether a value may be missing; nothing when nobody knows
MAX_COMMENT = 2_000
KIND_COLORS = {"Number": "blue", "Time": "violet", "Boolean": "green", "Nested": "orange", "Binary": "orange"}


def show_source(name: str) -> None:
    """A table or folder: what it is, what it holds, and a sheet made of it."""
    entry = cached.workbench().catalog.get(name)
    back("All tables and folders", view="lake")
    preview = cached.table_preview(name)
    with page_header(plain(short(entry.name)), _subtitle(preview), is_demo=entry.is_demo):
        source_actions(entry)
    if entry.comment:
        st.markdown(plain(entry.comment))
    st.caption(origin(entry))
    tags_note(from_tags(entry.tags))
    if st.query_params.get("make") == "sheet" and not why_not(Action.EDIT_SHEETS):
        make_sheet(name, preview.columns)
        return
    sheets_of(name)
    if entry.kind == "volume":
        show_folder(name)
        return
    first_rows(preview)
    st.subheader("Columns", anchor=False)
    show_columns(name, preview.columns)


def _subtitle(preview: Preview) -> str:
    entry = preview.entry
    if entry.kind == "volume":
        return f"Folder {plain(entry.name)} · {preview.row_count:,} files"
    return f"Table {plain(entry.name)} · {preview.row_count:,} rows · {len(preview.columns):,} columns"


def origin(entry: TableEntry) -> str:
    """Source, owner and licence as one caption."""
    parts = [plain(entry.source) or "Source not noted"]
    parts += [f"Owner: {plain(entry.owner)}"] if entry.owner else []
    parts += [f"Licence: {plain(entry.licence)}"] if entry.licence else []
    return " · ".join(parts)


# --- actions --------------------------------------------------------------------------------------------------------


def source_actions(entry: TableEntry) -> None:
    """Make a sheet, change what is noted, remove it."""
    refusal = why_not(Action.EDIT_SHEETS)
    st.button(
        "Make a sheet of it", type="primary", icon=":material/add:", key="data_make", disabled=bool(refusal),
        help=refusal or None, on_click=go, kwargs={"table": entry.name, "make": "sheet"},
    )  # fmt: skip
    if may_get_rows(entry):
        st.button(
            "New rows", icon=":material/upload:", key="data_new_rows", disabled=bool(refusal), help=refusal or None,
            on_click=go, kwargs={"view": "add", "to": entry.name},
        )  # fmt: skip
    with work_popover("Describe", key="data_details", icon=":material/edit:"):
        describe_form(entry)
    with st.popover("", key="data_table_more", icon=":material/more_horiz:"):
        removal(entry)


def may_get_rows(entry: TableEntry) -> bool:
    """Whether files can change the rows of a table."""
    return entry.kind == "table" and not entry.is_demo and entry.name.startswith(f"{UPLOADS}.")


def describe_form(entry: TableEntry) -> None:
    """Comment and tags; what the chosen tags impose is shown before they are saved."""
    no_edit, no_govern = why_not(Action.EDIT_SHEETS), why_not(Action.GOVERN)
    comment = st.text_area(
        "Comment", entry.comment, max_chars=MAX_COMMENT, key=f"data_comment_{entry.name}", disabled=bool(no_edit),
        placeholder="What is in it, and what a row stands for",
    )  # fmt: skip
    tags = st.pills(
        "It contains", list(TAGS), selection_mode="multi", default=[tag for tag in entry.tags if tag in TAGS],
        format_func=TAGS.__getitem__, key=f"data_tags_{entry.name}", disabled=bool(no_edit),
    )  # fmt: skip
    st.caption(imposed(tags))
    is_loosened = bool(set(entry.tags) - set(tags))
    refusal = no_edit or (f"{no_govern} You can add a tag, not take one away." if no_govern and is_loosened else "")
    if refusal:
        st.caption(f":material/lock: {refusal}")
    is_same = comment == entry.comment and set(tags) == set(entry.tags)
    if st.button("Save", type="primary", key="data_describe", disabled=bool(refusal) or is_same, help=refusal or None):
        with guard():
            cached.workbench().catalog.describe(
                entry.name, by=current_user(), comment=comment,
                tags=None if set(tags) == set(entry.tags) else tags,
            )  # fmt: skip
            close_popover("data_details")
            flash("Saved.")
            st.rerun()


def imposed(tags: Sequence[str]) -> str:
    """What tags impose, in words."""
    rules = from_tags(tags)
    if not rules.reason:
        return "No tag: everything made from it may be used for everything."
    uses = ", ".join(sorted(words(use).lower() for use in rules.prohibited))
    return f":material/shield: Prohibits {uses}; {rules.classification}."


def removal(entry: TableEntry) -> None:
    """Remove an uploaded table or folder; why it cannot be removed where that is so."""
    refusal = why_not(Action.EDIT_SHEETS) or removal_refusal(entry)
    st.caption(refusal or "It goes with all its rows or files. This cannot be undone.")
    st.button(
        "Remove from the lake", icon=":material/delete:", key="data_drop", on_click=drop, args=(entry.name,),
        disabled=bool(refusal), width="stretch",
    )  # fmt: skip


def removal_refusal(entry: TableEntry) -> str:
    """Why something of the lake stays; the service checks again."""
    if not entry.name.startswith((f"{UPLOADS}.", f"{EXPORTS}.")):
        return f"Only what is in {plain(UPLOADS)} and {plain(EXPORTS)} can be removed here."
    if using := cached.sheets_on(entry.name):
        return f"Used by {counted(len(using), 'sheet')}; delete them first."
    return ""


def drop(name: str) -> None:
    """Remove it and go back to the list."""
    with guard_callback():
        cached.workbench().catalog.drop(name, by=current_user())
        flash(f"{name} is removed.")
        go(view="lake")


# --- what it holds --------------------------------------------------------------------------------------------------


def show_columns(name: str, columns: Sequence[Column]) -> None:
    """The columns with their types; whoever may edit sheets writes comments into the cells."""
    refusal = why_not(Action.EDIT_SHEETS)
    frame = pd.DataFrame(
        {
            "Column": [column.name for column in columns],
            "Kind": [words(column.kind) for column in columns],
            "Type": [column.data_type for column in columns],
            "Empty": [EMPTY[column.is_nullable] for column in columns],
            "Comment": [column.comment for column in columns],
        }
    )
    shown = [
        GridColumn("Column", share=2, is_pinned=False),
        GridColumn("Kind", width=110, kind="badge", colors=KIND_COLORS),
        GridColumn("Type", width=150, kind="mono"),
        GridColumn("Empty", width=90),
        GridColumn("Comment", share=4, least=180, is_editable=not refusal, is_long=True),
    ]
    if refusal:
        read_grid(frame, key=f"data_columns_{name}", row_id="Column", columns=shown)
        return
    st.caption("A double click into Comment says what a column means; it is kept at once.")
    with guard():
        edits = edit_grid(
            frame, key=f"data_columns_{name}", row_id="Column", columns=shown,
            save=lambda cells: save_comments(name, cells),
        )  # fmt: skip
        if edits.cells:
            st.rerun()


def save_comments(name: str, cells: Sequence[CellEdit]) -> None:
    """Keep what was written beside the columns."""
    comments = {cell.row_id: str(cell.after or "") for cell in cells}
    cached.workbench().catalog.describe(name, column_comments=comments, by=current_user())


def sheets_of(name: str) -> None:
    """The sheets that read this table or folder, each one click away."""
    pointing = cached.sheets_on(name)
    if not pointing:
        return
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        st.markdown(":material/table_view: **Sheets of it**", width="content")
        for sheet in pointing:
            _sheet_link(sheet)


def _sheet_link(sheet: Sheet) -> None:
    st.button(plain(sheet.name), key=f"data_sheet_{sheet.id}", type="tertiary", on_click=go, kwargs={"sheet": sheet.id})
    status_badge(sheet.status)


# --- a new sheet ----------------------------------------------------------------------------------------------------


def make_sheet(source: str, columns: Sequence[Column]) -> None:
    """Confirm what is proposed, and create the sheet."""
    with st.container(border=True):
        st.subheader("A new sheet", anchor=False)
        st.caption("A sheet points at these rows and says what the columns are for. It never copies or changes them.")
        form = sheet_form(
            cached.sheet_proposal(source),
            columns,
            key=f"data_new_{source}",
        )
        with st.container(horizontal=True):
            if st.button("Create sheet", type="primary", key="data_create", disabled=not form.can_save):
                with guard():
                    go(sheet=cached.workbench().sheets.create(form.draft, by=current_user()).id)
                    st.rerun()
            st.button("Not now", key="data_not_now", on_click=go, kwargs={"table": source})
