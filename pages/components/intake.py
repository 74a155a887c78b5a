"""New data on the Data page (`?view=add`): choose files, see what they become, put them into the lake.

`?from=files|folder|server` says where they come from; `?in=` and `?import=` name what is chosen in an import folder.
"""

from __future__ import annotations

import tempfile
import zipfile
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

import pandas as pd
import streamlit as st

from pages.components.address import choose_in_url, search_in_url
from pages.components.catalog_tree import short
from pages.components.data_navigation import back, go
from pages.components.errors import guard
from pages.components.identity import current_user
from pages.components.intake_candidate import Candidate
from pages.components.intake_review import review
from pages.components.layout import empty_state, page_header
from pages.components.rights import why_not
from pages.components.words import ago, file_size, plain
from workbench_core import cached
from workbench_core.catalog import (
    MAX_STREAMED_BYTES,
    MAX_WHOLE_BYTES,
    ChangePreview,
    ImportableFile,
    Incoming,
    TableEntry,
    Wishes,
    is_archive,
)
from workbench_core.permissions import Action

if TYPE_CHECKING:
    from streamlit.runtime.uploaded_file_manager import UploadedFile

SOURCES = {"files": "Files", "folder": "A whole folder", "server": "Import folders"}
KINDS = {"file": "File", "archive": "Archive", "folder": "Folder"}
MOST_SHOWN = 100
CONTENTS = (
    "CSV, TSV, JSON, JSON Lines, Parquet and Excel become tables, everything else goes into a folder. "
    "A zip brings many at once."
)


def show_intake() -> None:
    """The whole way of new data: where from, what it becomes, done."""
    table = st.query_params.get("to", "")
    if table:
        st.button(
            plain(short(table)), type="tertiary", icon=":material/arrow_back:", key="data_back", on_click=go,
            kwargs={"table": table},
        )  # fmt: skip
        page_header(f"New rows for {plain(short(table))}", "See what they do to the table before anything is kept.")
    else:
        back("All tables and folders", view="lake")
        page_header("Add data", "See what a file becomes before anything is kept.")
    if refusal := why_not(Action.EDIT_SHEETS):
        empty_state(f"{refusal} An administrator can make you a data producer.", icon=":material/lock:")
        return
    source = choose_in_url("From", list(SOURCES), key="from", default="files", titles=SOURCES)
    if source == "server":
        choose_importable()
    elif files := choose_files(is_folder=source == "folder"):
        review(uploaded(files))
    else:
        st.caption(limits())


# --- from the person's own disk -------------------------------------------------------------------------------------


def choose_files(*, is_folder: bool) -> Sequence[UploadedFile]:
    """The field for files; empty until some are chosen."""
    if is_folder:
        return st.file_uploader(
            f"A folder with everything below it. {CONTENTS}", accept_multiple_files="directory", key="intake_folder"
        )
    return st.file_uploader(CONTENTS, accept_multiple_files=True, key="intake_files")


def limits() -> str:
    """How large files may be, here and elsewhere."""
    megabytes = int(st.get_option("server.maxUploadSize"))
    return (
        f"Up to {megabytes:,} MB a file through the browser. Larger ones come from the import folders: "
        f"CSV, TSV, JSON Lines and Parquet up to {file_size(MAX_STREAMED_BYTES)}, "
        f"other tables up to {file_size(MAX_WHOLE_BYTES)}."
    )


def uploaded(files: Sequence[UploadedFile]) -> Candidate:
    """Uploaded files that may come into the lake; several are handed over as one archive."""
    catalog, name = cached.workbench().catalog, upload_name(files)

    def inspect(wishes: Wishes) -> Incoming:
        with on_disk(files) as path:
            return catalog.inspect_upload(path, file_name=name, wishes=wishes)

    def compare(wishes: Wishes) -> ChangePreview:
        with on_disk(files) as path:
            return catalog.preview_change(path, file_name=name, wishes=wishes)

    def keep(wishes: Wishes, tags: Sequence[str]) -> Sequence[TableEntry]:
        with on_disk(files) as path:
            return catalog.upload_archive(path, file_name=name, by=current_user(), tags=tags, wishes=wishes)

    def extend(folder: str, tags: Sequence[str], paths: Collection[str]) -> TableEntry:
        content = [(path, file.getvalue()) for file in files if (path := plain_path(file.name)) in paths]
        return catalog.upload_files(content, name=folder, by=current_user(), tags=tags)

    is_packed = is_archive(name) and len(files) == 1
    return Candidate(
        file_name=name,
        stamp="-".join(sorted(file.file_id for file in files)),
        size_bytes=sum(file.size for file in files),
        inspect=inspect,
        compare=compare,
        keep=keep,
        extend=None if is_packed else extend,
    )


def plain_path(name: str) -> str:
    """The path of an upload as the reader of an archive says it."""
    return "/".join(PurePosixPath(name).parts)


def upload_name(files: Sequence[UploadedFile]) -> str:
    """The name of one file, of the folder that several come from, or of the first of several."""
    first = PurePosixPath(files[0].name)
    if len(files) == 1:
        return first.name
    if len(first.parts) > 1:
        return f"{first.parts[0]}.zip"
    return f"{first.stem} and {len(files) - 1} more.zip"


@contextmanager
def on_disk(files: Sequence[UploadedFile]) -> Iterator[Path]:
    """One upload as a file, several as an archive: its reader checks every path. It is gone afterwards."""
    with tempfile.NamedTemporaryFile(prefix="upload-") as written:
        if len(files) == 1:
            written.write(files[0].getbuffer())
        else:
            with zipfile.ZipFile(written, "w") as archive:
                for file in files:
                    archive.writestr(file.name, file.getvalue())
        written.flush()
        yield Path(written.name)


# --- from the import folders ----------------------------------------------------------------------------------------


def choose_importable() -> None:
    """What lies in the import folders; the one of the address shows what it becomes."""
    folder, path = st.query_params.get("in", ""), st.query_params.get("import", "")
    if path:
        st.button(
            "All files of the import folders", type="tertiary", icon=":material/arrow_back:", key="intake_back",
            on_click=go, kwargs=_here(),
        )  # fmt: skip
        st.markdown(f":material/draft: **{plain(path)}**")
        review(importable(folder, path))
        return
    search = search_in_url("find", label="Search import folders", placeholder="Search by name")
    with guard():
        found = cached.workbench().catalog.importable(search=search, by=current_user())
        if found:
            st.caption("Tick one to see what it becomes.")
            importable_list(found)
        else:
            empty_state(
                "No file matches." if search else "The import folders are empty. Copy files there, then reload.",
                icon=":material/folder_off:",
            )
    folders = ", ".join(plain(str(one)) for one in cached.workbench().settings.import_folders)
    st.caption(
        f"Files on the machine that runs the workbench, in {folders}. "
        "The environment variable WORKBENCH\\_IMPORT\\_FOLDERS names other folders. "
        f"CSV, TSV, JSON Lines and Parquet may have {file_size(MAX_STREAMED_BYTES)}, "
        f"other tables {file_size(MAX_WHOLE_BYTES)}."
    )


def _here() -> dict[str, str]:
    """The address of the list, with the table that the rows are for."""
    table = st.query_params.get("to", "")
    return {"view": "add", "from": "server"} | ({"to": table} if table else {})


def importable(folder: str, path: str) -> Candidate:
    """A file, archive or folder of an import folder."""
    catalog = cached.workbench().catalog

    def inspect(wishes: Wishes) -> Incoming:
        return catalog.inspect_path(folder, path, wishes=wishes, by=current_user())

    def compare(wishes: Wishes) -> ChangePreview:
        return catalog.preview_path_change(folder, path, wishes=wishes, by=current_user())

    def keep(wishes: Wishes, tags: Sequence[str]) -> Sequence[TableEntry]:
        return catalog.import_path(folder, path, by=current_user(), tags=tags, wishes=wishes)

    return Candidate(PurePosixPath(path).name, f"{folder}/{path}", 0, inspect, compare, keep)


def importable_list(found: Sequence[ImportableFile]) -> None:
    """Files, archives and folders; a click opens one."""

    def open_one() -> None:
        rows = st.session_state["intake_importable"]["selection"]["rows"]
        if rows and rows[0] < len(found):
            chosen = found[rows[0]]
            go(**_here(), **{"in": chosen.folder, "import": chosen.path})

    frame = pd.DataFrame(
        {
            "Name": [one.path for one in found],
            "Kind": [KINDS[one.kind] for one in found],
            "Files": [one.file_count for one in found],
            "Size": [file_size(one.size_bytes) for one in found],
            "Changed": [ago(one.modified_at) for one in found],
        }
    )
    st.dataframe(
        frame, key="intake_importable", hide_index=True, on_select=open_one, selection_mode="single-row",
        alt="Files that can be imported",
    )  # fmt: skip
