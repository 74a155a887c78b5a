"""A folder of the lake: its sub-folders and files with search and breadcrumbs, and one file opened.

`?path=` is the open sub-folder, `?find=` searches below it, `?file=` opens a file, `?make=folder` a new sheet of the
sub-folder.
"""

from __future__ import annotations

from pathlib import PurePosixPath

import streamlit as st

from pages.components.address import search_in_url
from pages.components.catalog_tree import short
from pages.components.data_navigation import go
from pages.components.errors import guard
from pages.components.file_preview import show_file
from pages.components.folder_sheet import folder_sheet, folder_sheet_button
from pages.components.gallery import gallery
from pages.components.layout import empty_state
from pages.components.words import counted, file_size, plain
from workbench_core import cached_files
from workbench_core.catalog import FolderEntry


def show_folder(volume: str) -> None:
    """What lies in the folder of the address, or the file of the address."""
    if file := st.query_params.get("file", ""):
        parent = parent_of(file)
        _crumbs(volume, parent, last=PurePosixPath(file).name)
        with guard():
            show_file(volume, file, cached_files.folder(volume, parent, "").files)
        return
    path = st.query_params.get("path", "").strip("/")
    if path and st.query_params.get("make") == "folder":
        _crumbs(volume, path)
        with guard():
            folder_sheet(volume, path)
        return
    with st.container(horizontal=True, vertical_alignment="center"):
        _crumbs(volume, path)
        st.space("stretch")
        if path:
            folder_sheet_button(volume, path)
        search = search_in_url("find", label="Search files", placeholder="Search files below", width=260)
    with guard():
        _show_listing(volume, path, search)


def parent_of(file: str) -> str:
    """The folder that a file lies in; empty for the outermost."""
    return file.rsplit("/", 1)[0] if "/" in file else ""


def _show_listing(volume: str, path: str, search: str) -> None:
    found = cached_files.folder(volume, path, search)
    if not found.folders and not found.files:
        empty_state("No file matches." if search else "This folder is empty.", icon=":material/folder_off:")
        return
    st.caption(f"{counted(found.file_count, 'file')}, {file_size(found.size_bytes)}")
    if found.folders:
        with st.grid("auto", min_column_width=220):
            for folder in found.folders:
                _folder_tile(volume, folder)
    if found.files:
        gallery(volume, [file.path for file in found.files], key=f"data_files_{volume}_{path}", is_open=True)


def _folder_tile(volume: str, folder: FolderEntry) -> None:
    with st.container(border=True, gap="xsmall"):
        st.button(
            f"**{plain(folder.name)}**", icon=":material/folder:", key=f"data_folder_{folder.path}", type="tertiary",
            on_click=go, kwargs={"table": volume, "path": folder.path}, wrap=True,
        )  # fmt: skip
        st.caption(f"{counted(folder.file_count, 'file')}, {file_size(folder.size_bytes)}")


def _crumbs(volume: str, path: str, *, last: str = "") -> None:
    """Where one is, each folder on the way one click away."""
    parts = [part for part in path.split("/") if part]
    with st.container(horizontal=True, vertical_alignment="center", gap="xsmall", width="content"):
        st.button(
            plain(short(volume)), type="tertiary", icon=":material/folder_open:", key="data_crumb_0",
            on_click=go, kwargs={"table": volume},
        )  # fmt: skip
        for number, part in enumerate(parts, start=1):
            st.markdown(":gray[/]", width="content")
            st.button(
                plain(part), type="tertiary", key=f"data_crumb_{number}", on_click=go,
                kwargs={"table": volume, "path": "/".join(parts[:number])},
            )  # fmt: skip
        if last:
            st.markdown(f":gray[/] {plain(last)}", width="content")
