"""The files of a folder as a page of thumbnails."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import PurePosixPath

import streamlit as st

from pages.components.layout import plain
from workbench_core import cached

PER_PAGE = 24


def gallery(volume: str, paths: Sequence[str], *, key: str, total: int = 0) -> None:
    """Show these files of a volume; a file that is no picture is shown by its name.

    With a `total` the paths are one page already and are all shown; else they are paged here.
    """
    shown = list(paths)
    if not total and len(shown) > PER_PAGE:
        page = st.pagination(-(-len(shown) // PER_PAGE), key=f"{key}_page")
        shown = shown[PER_PAGE * (page - 1) : PER_PAGE * page]
    with st.grid("auto", min_column_width=170):
        for path in shown:
            _tile(volume, path)


def _tile(volume: str, path: str) -> None:
    name = PurePosixPath(path).name
    content = cached.thumbnail(volume, path)
    with st.container(border=True, gap="small", height="stretch"):
        if content is None:
            st.markdown(":material/draft:", text_alignment="center")
        else:
            st.image(content, width="stretch", alt=f"Picture {name}")
        st.caption(plain(name))
