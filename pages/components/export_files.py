"""The files of exports: what is in them, their hashes, the way to take them, and who took what before."""

from __future__ import annotations

from urllib.parse import quote

import pandas as pd
import streamlit as st

from pages.components.rights import why_not
from pages.components.words import ago, counted, file_size, plain, words
from workbench_core.exports import Export
from workbench_core.permissions import Action

LONGEST_LIST = 20


def show_files(export: Export) -> None:
    """The newest export: each file with size, hash and download."""
    with st.container(border=True):
        with st.container(horizontal=True, vertical_alignment="center"):
            st.markdown(f":green[:material/task_alt:] **{summary(export)}**", width="stretch")
            st.caption(f"{plain(export.requested_by)} · {ago(export.finished_at)}", width="content")
        for note in notes_of(export):
            st.caption(f":orange[:material/warning:] {plain(note)}")
        file_rows(export)


def file_rows(export: Export) -> None:
    """One line for each file, the manifest last."""
    refusal = why_not(Action.EXPORT)
    for file in export.files:
        with st.container(horizontal=True, vertical_alignment="center", gap="small"):
            told = f"{counted(file.pairs, 'pair')} · {file_size(file.size_bytes)} · sha256 beside"
            st.markdown(f"`{file.name}`  \n:small[:gray[{told}]]", width="stretch")
            st.code(file.sha256, language=None, width=260)
            download(export, file.name, "Download", refusal)
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        st.markdown(f"`{export.manifest_name}`  \n:small[:gray[Who, when, from what, by which rules]]", width="stretch")
        download(export, export.manifest_name, "Manifest", refusal)


def download(export: Export, name: str, label: str, refusal: str) -> None:
    """The app sends the file from the disk: nothing of it goes through the page."""
    st.link_button(
        label, f"/exports/{quote(export.id, safe='')}/{quote(name, safe='')}", icon=":material/download:",
        key=f"export_file_{export.id}_{name}", disabled=bool(refusal), help=refusal or None,
    )  # fmt: skip


def earlier_exports(found: list[Export]) -> None:
    """Exports before the newest, with who and when; one of them can be opened."""
    if not found:
        return
    with st.expander(f"{counted(len(found), 'earlier export')}", icon=":material/history:"):
        chosen = st.dataframe(
            pd.DataFrame([line_of(export) for export in found]),
            hide_index=True,
            on_select="rerun",
            selection_mode="single-row",
            key="export_earlier",
            column_config={"When": st.column_config.DatetimeColumn(format="D MMM YYYY, HH:mm")},
            alt="Earlier exports with who and when",
        )
        rows = chosen.selection.rows if chosen else []
        if rows and rows[0] < len(found):
            file_rows(found[rows[0]])
        else:
            st.caption("Choose one to see its files.")


def line_of(export: Export) -> dict[str, object]:
    """One line of the list."""
    return {
        "When": export.finished_at,
        "By": export.requested_by,
        "Format": export.request.format.value,
        "Pairs": export.exported_pairs,
        "Files": len(export.files),
        "Use": words(export.request.intended_use),
        "Seed": export.request.seed if export.request.is_split else None,
        "Also in": "/".join(part for part in (export.request.volume, export.request.folder) if part),
    }


def summary(export: Export) -> str:
    """What the export holds, in one line."""
    classification = str(export.manifest.get("classification") or "")
    parts = [f"{counted(export.exported_pairs, 'pair')} as {export.request.format}", classification]
    return plain(" · ".join(part for part in parts if part))


def notes_of(export: Export) -> list[str]:
    """What a reader of the files has to know."""
    found = export.manifest.get("notes")
    return [str(note) for note in found] if isinstance(found, list) else []
