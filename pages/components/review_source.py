"""The source item of a pair: its frozen values, and its file as it is now when the sheet is a folder."""

from __future__ import annotations

from html import escape
from pathlib import PurePosixPath
from urllib.parse import quote

import streamlit as st

from pages.components.errors import guard
from pages.components.records import show_row
from pages.components.words import counted, plain
from workbench_core import cached, cached_files
from workbench_core.pairs import Pair

PAGE_WIDTH = 640  # pixels


def show_source(pair: Pair) -> None:
    """What the question was made of."""
    sheet = cached.workbench().sheets.get(pair.sheet_id)
    st.caption(f"{plain(sheet.name)} · item {plain(pair.item_ref)} · the values that the question was made of")
    if pair.variables:
        show_row(pair.variables)
    else:
        st.caption("The question uses no value of the item.")
    if sheet.source_kind == "volume":
        with guard():
            _show_file(sheet.source, pair)


def _show_file(volume: str, pair: Pair) -> None:
    """The file of the item: a picture, a text, a page of a document, sound, or the first rows of a table."""
    path, name = pair.item_ref, PurePosixPath(pair.item_ref).name
    preview = cached_files.file_preview(volume, path)
    if preview.kind == "pdf" and preview.page_count > 1:
        page = st.number_input(
            f"Page of {counted(preview.page_count, 'page')}", 1, preview.page_count, key=f"label_page_{pair.id}"
        )
        preview = cached_files.file_preview(volume, path, int(page or 1))
    if preview.problem:
        st.warning(plain(preview.problem), icon=":material/broken_image:")
    elif preview.kind == "audio":
        address = f"/sounds/{quote(volume, safe='')}/{quote(path)}"
        st.html(
            f'<audio controls preload="metadata" src="{escape(address)}" aria-label="Sound {escape(name)}" '
            'style="width: 100%"></audio>'
        )
    elif preview.text:
        st.text(preview.text, height=360)
    elif preview.table is not None:
        st.dataframe(preview.table.rows, hide_index=True, alt=f"The first rows of {name}")
    elif preview.content:
        st.image(preview.content, width=PAGE_WIDTH, alt=f"Picture {name}")
