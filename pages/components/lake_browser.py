"""The lake on the Data page: a tree of catalogs and schemas, and the tables and folders that match beside it."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence

import streamlit as st

from pages.components.address import page_in_url, search_in_url
from pages.components.catalog_tree import catalog_tree, chosen_place, own_first, short
from pages.components.data_navigation import demo_button, go, view_switch
from pages.components.layout import empty_state
from pages.components.rights import why_not
from pages.components.words import counted, plain
from workbench_core import cached
from workbench_core.catalog import TAGS, CatalogEntry, CatalogNode, TableEntry
from workbench_core.permissions import Action

ENTRIES_PER_PAGE = 12
LONGEST_COMMENT = 150
LONGEST_ORIGIN = 90
LONGEST_PATH = 80
MOST_COLUMNS = 4  # columns of a table that are named as found


def show_lake() -> None:
    """The tree, what is chosen in it or found by the search, and the way to add data."""
    with st.container(horizontal=True, vertical_alignment="center"):
        view_switch()
        search = search_in_url("find", label="Search the lake", placeholder="Names, columns, comments, tags, files")
        st.button(
            "Refresh", icon=":material/refresh:", type="tertiary", key="data_refresh", on_click=cached.forget_lake,
            help="Look at the lake anew. What is kept here is five minutes old at most.",
        )  # fmt: skip
    catalogs = own_first(cached.catalog_tree(search))
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
    cards = st.container()
    first = ENTRIES_PER_PAGE * (page_in_url(-(-len(found) // ENTRIES_PER_PAGE)) - 1)
    with cards, st.grid("auto", min_column_width=300):
        for entry in found[first : first + ENTRIES_PER_PAGE]:
            entry_card(entry, search=search)


def _summary(found: Sequence[CatalogEntry], catalog: str, schema: str, *, search: str) -> str:
    """How many tables and folders are listed, from where and why."""
    tables = sum(one.entry.kind == "table" for one in found)
    folders = len(found) - tables
    parts = [counted(tables, "table")] if tables or not folders else []
    parts += [counted(folders, "folder")] if folders else []
    where = f" in {plain(schema or catalog)}" if catalog else ""
    why = f", found by “{plain(search)}”" if search else ""
    return f"{' and '.join(parts)}{where}{why}"


def entry_card(found: CatalogEntry, *, search: str = "") -> None:
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
        if found.matched_files:
            _found_files(found, search=search)
        st.caption(plain(textwrap.shorten(entry.source or "Source not noted", LONGEST_ORIGIN, placeholder=" …")))


def _found_files(found: CatalogEntry, *, search: str) -> None:
    """The files that the search found; each opens, and so do all the others together."""
    volume = found.entry.name
    with st.container(gap=None):
        for path in found.matched_files:
            shown = path if len(path) <= LONGEST_PATH else f"… {path[-LONGEST_PATH:]}"
            st.button(
                plain(shown), icon=":material/draft:", type="tertiary",
                key=f"data_found_{volume}_{path}", on_click=go, kwargs={"table": volume, "file": path}, wrap=True,
            )  # fmt: skip
        if (more := found.matched_file_count - len(found.matched_files)) > 0:
            st.button(
                f"and {more:,} more", type="tertiary", key=f"data_found_more_{volume}", on_click=go,
                kwargs={"table": volume, "find": search},
            )  # fmt: skip


def entry_badges(entry: TableEntry) -> None:
    """Demo mark and tags."""
    if entry.is_demo:
        st.badge("Demo", color="violet", icon=":material/science:")
    for tag in entry.tags:
        st.badge(plain(TAGS.get(tag, tag)), color="red", icon=":material/shield:")
