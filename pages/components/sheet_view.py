"""Sheets on the Data page: the list, and one sheet with its rows, settings, rules and life."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from pages.components.data_navigation import back, demo_button, go, view_switch
from pages.components.errors import guard_callback
from pages.components.identity import current_user
from pages.components.layout import (
    ago,
    choose_in_url,
    empty_state,
    flash,
    metric_row,
    page_header,
    pick_row,
    plain,
    words,
)
from pages.components.sheet_details import show_history, show_rows, show_settings, show_usage, tags_note
from workbench_core import cached
from workbench_core.sheets import LIFECYCLE, Sheet, SheetStatus

MAX_SHEETS = 500
STATUSES = ["all", *(status.value for status in SheetStatus)]
PARTS = ["rows", "settings", "usage", "history"]
DONE = {
    "delete": "is deleted. An administrator can bring it back.",
    "undelete": "is a draft again.",
}  # what the page itself does not show
ICONS = {"unpublish": "edit", "archive": "archive", "restore": "unarchive", "delete": "delete", "publish": "publish"}


def show_sheets() -> None:
    """Sheets that match; a click opens one."""
    with st.container(horizontal=True, vertical_alignment="center"):
        view_switch()
        status = choose_in_url("Status", STATUSES, key="status", default="all")
        search = st.text_input(
            "Search sheets", key="search", bind="query-params", placeholder="Search by name or source",
            icon=":material/search:", label_visibility="collapsed", live="300ms", width=320,
        )  # fmt: skip
    found = cached.sheets(None if status == "all" else SheetStatus(status), search or "", MAX_SHEETS)
    if not found:
        show_no_sheets(is_filtered=bool(search) or status != "all")
        return
    if status == "deleted":
        show_deleted(found)
        return
    pick_row(
        pd.DataFrame([sheet_line(sheet) for sheet in found]),
        [sheet.id for sheet in found],
        param="sheet",
        alt="Sheets",
        columns={
            "Sheet": st.column_config.TextColumn(width="medium"),
            "Items": st.column_config.NumberColumn(format="localized"),
            "Changed": st.column_config.DatetimeColumn(format="D MMM YYYY, HH:mm"),
        },
    )
    if len(found) == MAX_SHEETS:
        st.caption(f"The first {MAX_SHEETS} sheets are listed; search to see others.")


def show_no_sheets(*, is_filtered: bool) -> None:
    """Say why nothing is listed, with the one useful next step."""
    if is_filtered:
        empty_state("No sheet matches. Change status or search.", icon=":material/search_off:")
        return
    with empty_state(
        "No sheets yet. A sheet points at a table or folder and says which column identifies an item and what the "
        "others are for. Open a table of the lake to make one.",
        icon=":material/table_view:",
    ):
        st.button("Open the lake", icon=":material/database:", key="data_lake", on_click=go, kwargs={"view": "lake"})
        if not cached.catalog_entries():
            demo_button("sheets")


def sheet_line(sheet: Sheet) -> dict[str, object]:
    """One line of the list."""
    return {
        "Sheet": sheet.name,
        "Status": words(sheet.status),
        "Items": sheet.item_count,
        "Source": sheet.source,
        "Kind": "Demo" if sheet.is_demo else "",
        "Changed": sheet.updated_at,
        "By": sheet.updated_by,
    }


def show_deleted(found: list[Sheet]) -> None:
    """Deleted sheets, each with the way back."""
    for sheet in found:
        refusal = cached.workbench().sheets.refusal(sheet, "undelete", by=current_user())
        with st.container(border=True, horizontal=True, vertical_alignment="center"):
            st.markdown(f"**{plain(sheet.name)}** · deleted by {plain(sheet.updated_by)}, {ago(sheet.updated_at)}")
            st.button(
                "Undelete", key=f"data_undelete_{sheet.id}", on_click=move, args=(sheet, "undelete"),
                disabled=bool(refusal), help=refusal or None,
            )  # fmt: skip


# --- one sheet -----------------------------------------------------------------------------------------------------


def show_sheet(sheet: Sheet) -> None:
    """One sheet: where it stands, its rows and settings, what rules it and what stands on it."""
    back("All sheets", view="sheets")
    subtitle = plain(sheet.description) or f"A sheet of {plain(sheet.source)}"
    actions = page_header(plain(sheet.name), subtitle, status=sheet.status, is_demo=sheet.is_demo)
    with actions:
        sheet_actions(sheet)
    check = cached.sheet_check(sheet.id)
    for problem in check.problems:
        st.warning(plain(problem), icon=":material/warning:", title="This sheet cannot be worked with")
    if sheet.status is SheetStatus.DRAFT and check.is_valid:
        st.caption(":material/edit: A draft: change its settings, then publish it to generate from it.")
    rules = cached.workbench().sheets.usage_rules(sheet)
    tags_note(rules)
    used = cached.sheet_dependants(sheet.id).counts
    metric_row(
        [
            ("Items", f"{check.item_count:,}", "Rows that are left after filter and sampling"),
            ("Identifier", plain(sheet.item_id_column), "The column that names each item for good"),
            ("Training sheets", f"{used.get('training sheets', 0):,}"),
            ("Canonical labels", f"{used.get('canonical labels', 0):,}"),
        ]
    )
    part = choose_in_url("Part", PARTS, key="show", default="rows")
    if part == "rows":
        if check.identifier:
            show_rows(sheet, check.item_count)
    elif part == "settings":
        show_settings(sheet)
    elif part == "usage":
        show_usage(sheet, rules)
    else:
        show_history(sheet)


def sheet_actions(sheet: Sheet) -> None:
    """Generate, publish, and the other steps in the life of the sheet that are possible now."""
    possible = LIFECYCLE.actions(sheet.status)
    if sheet.status is SheetStatus.ACTIVE and st.button(
        "Generate from this sheet", type="primary", icon=":material/auto_awesome:", key="data_generate"
    ):
        st.switch_page("generate.py", query_params={"sheet": sheet.id})
    for action in [action for action in possible if action in {"publish", "restore"}]:
        action_button(sheet, action, is_primary=True)
    with st.popover("More", icon=":material/more_horiz:", key="data_more"):
        for action in [action for action in possible if action not in {"publish", "restore"}]:
            action_button(sheet, action)
        st.button(
            "Open its source", icon=":material/database:", key="data_source", on_click=go, width="stretch",
            kwargs={"table": sheet.source},
        )  # fmt: skip


def action_button(sheet: Sheet, action: str, *, is_primary: bool = False) -> None:
    """One step in the life of the sheet, disabled with the reason."""
    refusal = cached.workbench().sheets.refusal(sheet, action, by=current_user())
    st.button(
        words(action),
        key=f"data_{action}",
        type="primary" if is_primary else "secondary",
        icon=f":material/{ICONS[action]}:",
        on_click=move,
        args=(sheet, action),
        disabled=bool(refusal),
        help=refusal or None,
        width="content" if is_primary else "stretch",
    )


def move(sheet: Sheet, action: str) -> None:
    """Take one step; a page that is out of date is told so."""
    with guard_callback():
        cached.workbench().sheets.move(sheet.id, action, by=current_user(), row_version=sheet.row_version)
        if action in DONE:
            flash(f"“{sheet.name}” {DONE[action]}")
        if action == "delete":
            go(view="sheets")
