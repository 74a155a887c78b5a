"""Files from a person's disk into the lake: a table out of CSV or Parquet, or pictures into a folder."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import streamlit as st

from pages.components.errors import guard
from pages.components.identity import current_user
from pages.components.layout import flash
from pages.components.rights import why_not
from workbench_core import cached
from workbench_core.catalog import TAGS, table_name
from workbench_core.permissions import Action

if TYPE_CHECKING:
    from streamlit.runtime.uploaded_file_manager import UploadedFile

    from workbench_core.catalog import TableEntry

_PICTURES = ["png", "jpg", "jpeg", "gif", "webp", "bmp", "tif", "tiff"]
_ROUND = "uploads_round"  # part of the keys: a new round has empty fields


def upload_area() -> str:
    """Fields for an upload; give the name of the new table or folder once it is there, else an empty text."""
    refusal = why_not(Action.EDIT_SHEETS)
    key = f"uploads_{st.session_state.setdefault(_ROUND, 0)}"
    kind = st.segmented_control(
        "What", ["Table", "Pictures"], default="Table", required=True, key=f"{key}_kind", label_visibility="collapsed"
    )
    if kind == "Table":
        files = _table_file(key, is_disabled=bool(refusal))
    else:
        files = _picture_files(key, is_disabled=bool(refusal))
    name = st.text_input(
        "Name",
        value=_proposed_name(files) if kind == "Table" else "pictures",
        key=f"{key}_name_{kind}_{files[0].name if files else ''}",
        help="Letters, digits and _; it will be found as main.uploads.<name>",
        disabled=bool(refusal),
    )
    tags = st.pills(
        "It contains",
        list(TAGS),
        selection_mode="multi",
        format_func=lambda tag: TAGS[tag],
        key=f"{key}_tags",
        help="Tags bind everything that is made from it: personal and health data never train a model.",
        disabled=bool(refusal),
    )
    if not st.button(
        "Upload",
        type="primary",
        icon=":material/upload:",
        key="uploads_send",
        disabled=bool(refusal) or not files,
        help=refusal or ("Choose a file first." if not files else None),
    ):
        return ""
    made: list[TableEntry] = []
    with guard():
        made.append(_send_table(files[0], name, tags) if kind == "Table" else _send_pictures(files, name, tags))
    if not made:
        return ""
    st.session_state[_ROUND] += 1
    flash(f"{made[0].name} is in the lake.")
    return made[0].name


def _table_file(key: str, *, is_disabled: bool) -> list[UploadedFile]:
    file = st.file_uploader(
        "A CSV or Parquet file; the first line of a CSV file names the columns",
        ["csv", "tsv", "txt", "parquet"],
        key=f"{key}_table",
        disabled=is_disabled,
    )
    return [file] if file else []


def _picture_files(key: str, *, is_disabled: bool) -> list[UploadedFile]:
    return st.file_uploader(
        "Pictures; they are put into one folder",
        _PICTURES,
        accept_multiple_files=True,
        key=f"{key}_pictures",
        disabled=is_disabled,
    )


def _proposed_name(files: list[UploadedFile]) -> str:
    return Path(files[0].name).stem if files else ""


def _send_table(file: UploadedFile, name: str, tags: list[str]) -> TableEntry:
    with temporary_file(file) as path:
        return cached.workbench().catalog.upload_table(
            path, file_name=file.name, by=current_user(), name=name, tags=tags
        )


def _send_pictures(files: list[UploadedFile], name: str, tags: list[str]) -> TableEntry:
    pairs = [(file.name, file.getvalue()) for file in files]
    return cached.workbench().catalog.upload_files(pairs, name=table_name(name), by=current_user(), tags=tags)


@contextmanager
def temporary_file(file: UploadedFile) -> Iterator[Path]:
    """The upload as a file that is gone afterwards."""
    with tempfile.NamedTemporaryFile(prefix="upload-") as written:
        written.write(file.getbuffer())
        written.flush()
        yield Path(written.name)
