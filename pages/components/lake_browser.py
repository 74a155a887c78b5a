"""The lake on the Data page: tables and folders that match, one of them opened, and a sheet made of it."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from pages.components.data_navigation import back, demo_button, go, view_switch
from pages.components.errors import guard
from pages.components.gallery import gallery
from pages.components.identity import current_user
from pages.components.layout import empty_state, page_header, plain, words
from pages.components.rights import why_not
from pages.components.sheet_details import tags_note
from pages.components.sheet_form import sheet_form
from pages.components.uploads import upload_area
from workbench_core import cached
from workbench_core.catalog import Column, TableEntry
from workbench_core.permissions import Action
from workbench_core.usage import from_tags

ENTRIES_PER_PAGE = 12
MAX_SHEETS = 500


def show_lake() -> None:
    """Tables and folders that match, and the way to add one."""
    with st.container(horizontal=True, vertical_alignment="center"):
        view_switch()
        search = st.text_input(
            "Search the lake", key="find", bind="query-params", placeholder="Search tables and folders",
            icon=":material/search:", label_visibility="collapsed", live="300ms", width=320,
        )  # fmt: skip
    found = cached.catalog_entries(search or "")
    if not found:
        show_empty_lake(is_filtered=bool(search))
        return
    pages = -(-len(found) // ENTRIES_PER_PAGE)
    page = st.pagination(pages, key="data_lake_page") if pages > 1 else 1
    with st.grid("auto", min_column_width=330):
        for entry in found[ENTRIES_PER_PAGE * (page - 1) : ENTRIES_PER_PAGE * page]:
            entry_card(entry)


def upload_button() -> None:
    """The way to bring one's own data."""
    with st.popover("Upload", icon=":material/upload:", key="data_upload"):
        if name := upload_area():
            go(table=name)
            st.rerun()


def show_empty_lake(*, is_filtered: bool) -> None:
    """Say why nothing is listed, with the one useful next step."""
    if is_filtered:
        empty_state("No table or folder matches. Change the search.", icon=":material/search_off:")
        return
    with empty_state(
        "The lake is empty. Upload a CSV or Parquet file, or look around with real demo data.",
        icon=":material/database:",
    ):
        demo_button("lake")


def entry_card(entry: TableEntry) -> None:
    """One table or folder: what it is, where it comes from, and the way in."""
    with st.container(border=True, height="stretch", gap="small"):
        icon = ":material/folder_open:" if entry.kind == "volume" else ":material/table:"
        with st.container(horizontal=True, vertical_alignment="center", gap="small"):
            st.button(
                f"**{plain(short(entry.name))}**", type="tertiary", icon=icon, key=f"data_open_{entry.name}",
                on_click=go, kwargs={"table": entry.name},
            )  # fmt: skip
            entry_badges(entry)
        st.caption(plain(entry.name))
        if entry.comment:
            st.markdown(plain(entry.comment))
        st.caption(origin(entry))


def entry_badges(entry: TableEntry) -> None:
    """Demo mark and tags."""
    if entry.is_demo:
        st.badge("Demo", color="violet", icon=":material/science:")
    for tag in entry.tags:
        st.badge(plain(tag), color="red", icon=":material/shield:")


def short(name: str) -> str:
    """The last part of a three-part name."""
    return name.rsplit(".", 1)[-1]


def origin(entry: TableEntry) -> str:
    """Source and licence as one caption."""
    source = plain(entry.source) or "Source not noted"
    return f"{source} · Licence: {plain(entry.licence)}" if entry.licence else source


def show_table(name: str) -> None:
    """One table or folder: its columns and first rows, and a sheet made of it."""
    entry = cached.workbench().catalog.get(name)
    kind = "Folder" if entry.kind == "volume" else "Table"
    back("All tables and folders", view="lake")
    preview = cached.table_preview(name)
    size = f"{preview.row_count:,} {'files' if entry.kind == 'volume' else 'rows'}"
    columns = "" if entry.kind == "volume" else f" · {len(preview.columns):,} columns"
    subtitle = f"{kind} {plain(entry.name)} · {size}{columns}"
    actions = page_header(plain(short(entry.name)), subtitle, is_demo=entry.is_demo)
    with actions:
        refusal = why_not(Action.EDIT_SHEETS)
        st.button(
            "Make a sheet of it", type="primary", icon=":material/add:", key="data_make", disabled=bool(refusal),
            help=refusal or None, on_click=go, kwargs={"table": name, "make": "sheet"},
        )  # fmt: skip
    if entry.comment:
        st.markdown(plain(entry.comment))
    st.caption(origin(entry))
    tags_note(from_tags(entry.tags))
    if st.query_params.get("make") == "sheet" and not refusal:
        make_sheet(name, preview.columns)
    if entry.kind == "volume":
        gallery(name, [file.path for file in cached.files(name)], key="data_files")
        return
    st.subheader("First rows", anchor=False)
    st.dataframe(preview.rows, hide_index=True, alt=f"The first rows of {name}")
    st.subheader("Columns", anchor=False)
    st.dataframe(column_list(preview.columns), hide_index=True, height="content", alt=f"The columns of {name}")


def column_list(columns: tuple[Column, ...]) -> pd.DataFrame:
    """Columns with their types."""
    return pd.DataFrame(
        {
            "Column": [column.name for column in columns],
            "Kind": [words(column.kind) for column in columns],
            "Type": [column.data_type for column in columns],
        }
    )


def make_sheet(source: str, columns: tuple[Column, ...]) -> None:
    """Confirm what is proposed, and create the sheet."""
    with st.container(border=True):
        st.subheader("A new sheet", anchor=False)
        st.caption("A sheet points at these rows and says what the columns are for. It never copies or changes them.")
        form = sheet_form(
            cached.sheet_proposal(source),
            columns,
            key=f"data_new_{source}",
            taken_names=[sheet.name for sheet in cached.sheets(limit=MAX_SHEETS)],
        )
        with st.container(horizontal=True):
            if st.button("Create sheet", type="primary", key="data_create", disabled=not form.can_save):
                with guard():
                    go(sheet=cached.workbench().sheets.create(form.draft, by=current_user()).id)
                    st.rerun()
            st.button("Not now", key="data_not_now", on_click=go, kwargs={"table": source})
