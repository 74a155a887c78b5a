"""The rows of a sheet taken elsewhere: a file to download, or a new table of the lake (SH-10)."""

from __future__ import annotations

from urllib.parse import quote

import streamlit as st

from pages.components.data_navigation import go
from pages.components.errors import guard
from pages.components.identity import current_user
from pages.components.layout import close_popover, flash, work_popover
from pages.components.rights import why_not
from pages.components.words import plain
from workbench_core import cached
from workbench_core.permissions import Action
from workbench_core.sheets import FORMATS, Sheet
from workbench_core.sheets.exports import table_of

TITLES = {"csv": "CSV", "parquet": "Parquet"}


def export_popover(sheet: Sheet, *, items: int) -> None:
    """What would be taken, and in which form."""
    with work_popover("Export", key="data_export", icon=":material/download:"), guard():
        set_aside = cached.set_aside_count(sheet.id)
        leaves_out = bool(set_aside) and st.checkbox(
            f"Leave out the {set_aside:,} items that are set aside", value=True, key="data_export_without"
        )
        count = items - set_aside if leaves_out else items
        st.markdown(f"**{max(count, 0):,} items, {len(sheet.columns):,} columns**")
        st.caption("Joined, filtered and sampled, in the order of its columns. Unsaved changes stay out.")
        with st.container(horizontal=True, gap="small"):
            for name in FORMATS:
                st.link_button(
                    TITLES[name], download_address(sheet.id, name, leaves_out=leaves_out), key=f"data_download_{name}",
                    icon=":material/download:", disabled=not items,
                )  # fmt: skip
        st.caption("In CSV, a text that a spreadsheet would run as a formula gets an apostrophe in front.")
        new_table(sheet, leaves_out=leaves_out)


def download_address(sheet_id: str, name: str, *, leaves_out: bool) -> str:
    """Where the app serves the rows as a file."""
    return f"/sheets/{quote(sheet_id, safe='')}/rows.{name}{'?set_aside=left_out' if leaves_out else ''}"


def new_table(sheet: Sheet, *, leaves_out: bool) -> None:
    """Write the rows to a table of the lake, in place of one of this name only when that is chosen."""
    refusal = why_not(Action.EDIT_SHEETS)
    st.markdown("**A new table**")
    name = st.text_input("Name of the new table", key="data_export_name", placeholder="For example: flights_joined")
    st.caption("It is written to main.exports and carries the tags of all sources.")
    taken = taken_by(name or "")
    overwrite = bool(taken) and st.checkbox(
        f"Overwrite {plain(taken)}", key=f"data_export_over_{taken}", help="All rows that are there go."
    )
    if taken and not overwrite:
        refusal = refusal or f"{taken} is there already: overwrite it, or choose another name."
        st.caption(f":red[:material/error:] {plain(refusal)}")
    if st.button(
        "Overwrite the table" if overwrite else "Write the table", icon=":material/table:", key="data_export_table",
        disabled=bool(refusal) or not (name or "").strip(), help=refusal or None,
    ):  # fmt: skip
        with guard():
            workbench = cached.workbench()
            excluded = workbench.data_quality.quarantine.refs(sheet.id) if leaves_out else ()
            entry = workbench.sheets.export_table(
                sheet.id, name or "", by=current_user(), excluded_refs=excluded, overwrite=overwrite
            )
            flash(f"The table {plain(entry.name)} is written.")
            close_popover("data_export")
            go(table=entry.name)
            st.rerun()


def taken_by(name: str) -> str:
    """The full name of the table that an export of this name would meet; empty when the name is free."""
    if not any(character.isascii() and character.isalnum() for character in name.lower()):
        return ""
    full = table_of(name)
    return full if any(entry.name == full for entry in cached.catalog_entries()) else ""
