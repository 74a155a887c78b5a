"""The files of a folder as a page of thumbnails; where a person may look closer, each opens."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import PurePosixPath

import streamlit as st

from pages.components.address import page_in_url
from pages.components.data_navigation import go
from pages.components.words import plain
from workbench_core import cached_files

PER_PAGE = 24
_ICONS = {
    ".pdf": "picture_as_pdf", ".txt": "description", ".md": "description", ".log": "description", ".html": "code",
    ".json": "data_object", ".jsonl": "data_object", ".csv": "table", ".tsv": "table", ".parquet": "table",
    ".xlsx": "table", ".wav": "graphic_eq", ".mp3": "graphic_eq", ".ogg": "graphic_eq", ".flac": "graphic_eq",
    ".m4a": "graphic_eq",
}  # fmt: skip


def gallery(volume: str, paths: Sequence[str], *, key: str, is_one_page: bool = False, is_open: bool = False) -> None:
    """Show these files of a volume; a file that is no picture is shown by its kind and name.

    They are all shown when they are one page already; else they are paged by `?page=`. With `is_open` the name of a
    file opens it on the Data page.
    """
    tiles = st.container()
    first = 0 if is_one_page else PER_PAGE * (page_in_url(-(-len(paths) // PER_PAGE)) - 1)
    with tiles, st.grid("auto", min_column_width=170):
        for path in paths if is_one_page else paths[first : first + PER_PAGE]:
            _tile(volume, path, key=key, is_open=is_open)


def _tile(volume: str, path: str, *, key: str, is_open: bool) -> None:
    name = PurePosixPath(path)
    content = cached_files.thumbnail(volume, path)
    with st.container(border=True, gap="small", height="stretch"):
        if content is None:
            st.markdown(f"# :gray[:material/{_ICONS.get(name.suffix.lower(), 'draft')}:]", text_alignment="center")
        else:
            st.image(content, width="stretch", alt=f"Picture {name.name}")
        if is_open:
            st.button(
                plain(name.name), type="tertiary", key=f"{key}_{path}", on_click=go, wrap=True,
                kwargs={"table": volume, "file": path},
            )  # fmt: skip
        else:
            st.caption(plain(name.name))
