"""One file of a folder: a picture, a text, a PDF page by page, sound, or the first rows of a table."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from pathlib import PurePosixPath
from urllib.parse import quote

import streamlit as st

from pages.components.address import page_in_url
from pages.components.data_navigation import go
from pages.components.layout import empty_state
from pages.components.words import ago, counted, file_size, plain
from workbench_core import cached_files
from workbench_core.catalog import FileEntry, FilePreview

PAGE_WIDTH = 820  # pixels; of a wider page one sees only a part
PLAYER_WIDTH = 480
KINDS = {"picture": "Picture", "pdf": "PDF", "audio": "Sound", "text": "Text", "table": "Table"}


def show_file(volume: str, path: str, siblings: Sequence[FileEntry]) -> None:
    """The file as its kind is best looked at, and the way to the files beside it. Raises NotFound, Invalid."""
    preview = cached_files.file_preview(volume, path)
    entry = next((file for file in siblings if file.path == path), None)
    _neighbours(volume, path, [file.path for file in siblings])
    st.caption(_facts(preview, entry))
    if preview.problem and preview.kind == "other":
        empty_state(plain(preview.problem), icon=":material/draft:")
        return
    if preview.problem:
        st.warning(plain(preview.problem), icon=":material/broken_image:")
    if preview.kind == "audio":
        _player(volume, path)
    elif not preview.content and not preview.text and preview.table is None:
        return
    elif preview.kind == "pdf":
        _pages(volume, path, preview)
    else:
        _show(PurePosixPath(path).name, preview)


def _neighbours(volume: str, path: str, paths: Sequence[str]) -> None:
    """Step to the file before and after."""
    place = paths.index(path) if path in paths else -1
    before = paths[place - 1] if place > 0 else ""
    after = paths[place + 1] if 0 <= place < len(paths) - 1 else ""
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        _step("Previous", before, volume, icon="chevron_left")
        _step("Next", after, volume, icon="chevron_right")
        if place >= 0:
            st.caption(f"File {place + 1:,} of {len(paths):,}", width="content")


def _step(label: str, target: str, volume: str, *, icon: str) -> None:
    st.button(
        label, icon=f":material/{icon}:", key=f"data_file_{label.lower()}", disabled=not target, on_click=go,
        kwargs={"table": volume, "file": target},
    )  # fmt: skip


def _facts(preview: FilePreview, entry: FileEntry | None) -> str:
    facts = [KINDS.get(preview.kind, "")]
    if preview.kind == "pdf" and preview.page_count:
        facts.append(counted(preview.page_count, "page"))
    if preview.table is not None:
        facts += [counted(preview.table.row_count, "row"), counted(len(preview.table.columns), "column")]
    if entry:
        facts += [file_size(entry.size_bytes), f"changed {ago(entry.modified_at)}"]
    return " · ".join(fact for fact in facts if fact)


def _show(name: str, preview: FilePreview) -> None:
    if preview.kind == "picture":
        with st.container(border=True, width=PAGE_WIDTH):
            st.image(preview.content, width="stretch", alt=f"Picture {name}")
    elif preview.kind == "text":
        with st.container(border=True):
            st.text(preview.text)
        if preview.is_cut:
            st.caption("The beginning of the file; the rest is not shown.")
    elif preview.table is not None:
        st.dataframe(preview.table.rows, hide_index=True, alt=f"The first rows of {name}")


def _player(volume: str, path: str) -> None:
    """Sound that the browser fetches in parts as it plays; `st.audio` would keep all of it in memory."""
    address = f"/sounds/{quote(volume, safe='')}/{quote(path)}"
    name = escape(PurePosixPath(path).name)
    st.html(
        f'<audio controls preload="metadata" src="{escape(address)}" aria-label="Sound {name}" '
        'style="width: 100%"></audio>',
        width=PLAYER_WIDTH,
    )


def _pages(volume: str, path: str, preview: FilePreview) -> None:
    """One page of a PDF at a time; which one stands in the address as `?page=`."""
    shown, page = preview, 1
    if preview.page_count > 1:
        page = page_in_url(preview.page_count)
        shown = cached_files.file_preview(volume, path, page)
    if shown.problem:
        st.warning(plain(shown.problem), icon=":material/broken_image:")
        return
    with st.container(border=True, width=PAGE_WIDTH):
        st.image(shown.content, width="stretch", alt=f"Page {page} of {PurePosixPath(path).name}")
