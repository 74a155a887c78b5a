"""The lake on the Data page: a tree of catalogs and schemas, and the tables and folders that match beside it."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence

import streamlit as st

from pages.components.catalog_tree import catalog_tree, chosen_place, short
from pages.components.data_navigation import demo_button, go, view_switch
from pages.components.layout import counted, empty_state, plain, search_in_url
from pages.components.rights import why_not
from workbench_core import cached
from workbench_core.catalog import TAGS, CatalogEntry, CatalogNode, TableEntry
from workbench_core.permissions import Action

ENTRIES_PER_PAGE = 12
LONGEST_COMMENT = 150
LONGEST_ORIGIN = 90
MOST_COLUMNS = 4  # columns of a table that are named as found


def show_lake() -> None:
    """The tree, what is chosen in it or found by the search, and the way to add data."""
    with st.container(horizontal=True, vertical_alignment="center"):
        view_switch()
        search = search_in_url("find", label="Search the lake", placeholder="Names, comments, tags and columns")
    catalogs = cached.catalog_tree(search)
    if not catalogs:
        show_empty_lake(search=search)
        return
    left, right = st.columns([1, 3], gap="medium")
    with left:
        catalog_tree(catalogs, search=search)
    with right:
        show_entries(catalogs, search=search)


def add_button(place: str = "header") -> None:
    """The way to bring one's own data."""
    refusal = why_not(Action.EDIT_SHEETS)
    st.button(
        "Add data", type="primary" if place == "header" else "secondary", icon=":material/upload:",
        key=f"data_add_{place}", on_click=go, kwargs={"view": "add"}, disabled=bool(refusal), help=refusal or None,
    )  # fmt: skip


def show_empty_lake(*, search: str) -> None:
    """Say why nothing is listed, with the one useful next step."""
    if search:
        with empty_state(f"Nothing in the lake matches “{plain(search)}”.", icon=":material/search_off:"):
            st.button("Show everything", key="data_show_all", on_click=go)
        return
    with empty_state(
        "The lake is empty. Add a file of your own, or look around with real demo data.", icon=":material/database:"
    ):
        add_button("empty")
        demo_button("lake")


def show_entries(catalogs: Sequence[CatalogNode], *, search: str) -> None:
    """The tables and folders of the chosen place as cards, a page at a time."""
    catalog, schema = chosen_place(catalogs)
    found = [
        entry
        for one in catalogs
        for child in one.schemas
        for entry in child.entries
        if one.name == (catalog or one.name) and child.name == (schema or child.name)
    ]
    st.caption(_summary(found, catalog, schema, search=search))
    pages = -(-len(found) // ENTRIES_PER_PAGE)
    with st.grid("auto", min_column_width=300):
        page = int(st.session_state.get("data_lake_page") or 1) if pages > 1 else 1
        for entry in found[ENTRIES_PER_PAGE * (page - 1) : ENTRIES_PER_PAGE * page]:
            entry_card(entry)
    if pages > 1:
        st.pagination(pages, key="data_lake_page")


def _summary(found: Sequence[CatalogEntry], catalog: str, schema: str, *, search: str) -> str:
    """How many tables and folders are listed, from where and why."""
    tables = sum(one.entry.kind == "table" for one in found)
    folders = len(found) - tables
    parts = [counted(tables, "table")] if tables or not folders else []
    parts += [counted(folders, "folder")] if folders else []
    where = f" in {plain(schema or catalog)}" if catalog else ""
    why = f", found by “{plain(search)}”" if search else ""
    return f"{' and '.join(parts)}{where}{why}"


def entry_card(found: CatalogEntry) -> None:
    """One table or folder: what it is, why it was found, where it comes from, and the way in."""
    entry = found.entry
    with st.container(border=True, height="stretch", gap="xsmall"):
        with st.container(horizontal=True, vertical_alignment="center", gap="small"):
            icon = ":material/folder_open:" if entry.kind == "volume" else ":material/table:"
            st.button(
                f"**{plain(short(entry.name))}**", type="tertiary", icon=icon, key=f"data_open_{entry.name}",
                on_click=go, kwargs={"table": entry.name},
            )  # fmt: skip
            entry_badges(entry)
        st.caption(plain(entry.name))
        if entry.comment:
            st.markdown(plain(textwrap.shorten(entry.comment, LONGEST_COMMENT, placeholder=" …")))
        if found.matched_columns:
            names = ", ".join(plain(name) for name in found.matched_columns[:MOST_COLUMNS])
            more = len(found.matched_columns) - MOST_COLUMNS
            st.caption(f":material/view_column: {names}{f' and {more:,} more' if more > 0 else ''}")
        st.caption(plain(textwrap.shorten(entry.source or "Source not noted", LONGEST_ORIGIN, placeholder=" …")))


def entry_badges(entry: TableEntry) -> None:
    """Demo mark and tags."""
    if entry.is_demo:
        st.badge("Demo", color="violet", icon=":material/science:")
    for tag in entry.tags:
        st.badge(plain(TAGS.get(tag, tag)), color="red", icon=":material/shield:")
