"""Browse the lake and make sheets of it: `?view=lake|sheets`, `?table=<name>` and `?sheet=<id>` open one.

`?find=` searches the lake, `?status=` and `?search=` filter the sheets, `?show=` chooses the part of an open sheet.
"""

from __future__ import annotations

import pandas as pd
import streamlit as st

from pages.components.errors import guard, guard_callback
from pages.components.gallery import gallery
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
from pages.components.rights import why_not
from pages.components.sheet_details import show_history, show_rows, show_settings, show_usage, tags_note
from pages.components.sheet_form import sheet_form
from pages.components.uploads import upload_area
from workbench_core import cached
from workbench_core.catalog import Column, TableEntry
from workbench_core.permissions import Action
from workbench_core.sheets import LIFECYCLE, Sheet, SheetStatus
from workbench_core.usage import from_tags

ENTRIES_PER_PAGE = 12
MAX_SHEETS = 500
STATUSES = ["all", *(status.value for status in SheetStatus)]
PARTS = ["rows", "settings", "usage", "history"]
DONE = {
    "delete": "is deleted. An administrator can bring it back.",
    "undelete": "is a draft again.",
}  # what the page itself does not show
ICONS = {"unpublish": "edit", "archive": "archive", "restore": "unarchive", "delete": "delete", "publish": "publish"}

workbench, user = cached.workbench(), current_user()


def go(**query: str) -> None:
    """Put another part of this page into the address; in a callback that is all, elsewhere rerun after it.

    A page link would show the other part, but leave the address as it was.
    """
    st.query_params.from_dict(query)


def back(label: str, *, view: str) -> None:
    """The way back to a list."""
    st.button(label, type="tertiary", icon=":material/arrow_back:", key="data_back", on_click=go, kwargs={"view": view})


# --- the lake ------------------------------------------------------------------------------------------------------


def show_lake() -> None:
    """Tables and folders that match, and the way to add one."""
    with st.container(horizontal=True, vertical_alignment="center"):
        view_switch()
        search = st.text_input(
            "Search the lake", key="find", bind="query-params", placeholder="Search tables and folders",
            icon=":material/search:", label_visibility="collapsed", live="300ms", width=320,
        )  # fmt: skip
    found = cached.catalog_entries(search or "")
    if not found:
        show_empty_lake(is_filtered=bool(search))
        return
    pages = -(-len(found) // ENTRIES_PER_PAGE)
    page = st.pagination(pages, key="data_lake_page") if pages > 1 else 1
    with st.grid("auto", min_column_width=330):
        for entry in found[ENTRIES_PER_PAGE * (page - 1) : ENTRIES_PER_PAGE * page]:
            entry_card(entry)


def view_switch() -> str:
    """Lake or sheets, in the address."""
    return choose_in_url("View", ["lake", "sheets"], key="view", default="lake")


def upload_button() -> None:
    """The way to bring one's own data."""
    with st.popover("Upload", icon=":material/upload:", key="data_upload"):
        if name := upload_area():
            go(table=name)
            st.rerun()


def show_empty_lake(*, is_filtered: bool) -> None:
    """Say why nothing is listed, with the one useful next step."""
    if is_filtered:
        empty_state("No table or folder matches. Change the search.", icon=":material/search_off:")
        return
    with empty_state(
        "The lake is empty. Upload a CSV or Parquet file, or look around with real demo data.",
        icon=":material/database:",
    ):
        demo_button("lake")


def demo_button(place: str) -> None:
    """Load the demo data with one click."""
    refusal = why_not(Action.ADMINISTER)
    if st.button(
        "Load the demo data", type="primary", icon=":material/science:", key=f"data_demo_{place}",
        disabled=bool(refusal), help=refusal or None,
    ):  # fmt: skip
        with guard():
            workbench.demo.load(by=user)
            flash("The demo data is loaded. It can be removed on the Settings page.")
            st.rerun()


def entry_card(entry: TableEntry) -> None:
    """One table or folder: what it is, where it comes from, and the way in."""
    with st.container(border=True, height="stretch", gap="small"):
        icon = ":material/folder_open:" if entry.kind == "volume" else ":material/table:"
        with st.container(horizontal=True, vertical_alignment="center", gap="small"):
            st.button(
                f"**{plain(short(entry.name))}**", type="tertiary", icon=icon, key=f"data_open_{entry.name}",
                on_click=go, kwargs={"table": entry.name},
            )  # fmt: skip
            entry_badges(entry)
        st.caption(plain(entry.name))
        if entry.comment:
            st.markdown(plain(entry.comment))
        st.caption(origin(entry))


def entry_badges(entry: TableEntry) -> None:
    """Demo mark and tags."""
    if entry.is_demo:
        st.badge("Demo", color="violet", icon=":material/science:")
    for tag in entry.tags:
        st.badge(plain(tag), color="red", icon=":material/shield:")


def short(name: str) -> str:
    """The last part of a three-part name."""
    return name.rsplit(".", 1)[-1]


def origin(entry: TableEntry) -> str:
    """Source and licence as one caption."""
    source = plain(entry.source) or "Source not noted"
    return f"{source} · Licence: {plain(entry.licence)}" if entry.licence else source


def show_table(name: str) -> None:
    """One table or folder: its columns and first rows, and a sheet made of it."""
    entry = workbench.catalog.get(name)
    kind = "Folder" if entry.kind == "volume" else "Table"
    back("All tables and folders", view="lake")
    preview = cached.table_preview(name)
    size = f"{preview.row_count:,} {'files' if entry.kind == 'volume' else 'rows'}"
    columns = "" if entry.kind == "volume" else f" · {len(preview.columns):,} columns"
    subtitle = f"{kind} {plain(entry.name)} · {size}{columns}"
    actions = page_header(plain(short(entry.name)), subtitle, is_demo=entry.is_demo)
    with actions:
        refusal = why_not(Action.EDIT_SHEETS)
        st.button(
            "Make a sheet of it", type="primary", icon=":material/add:", key="data_make", disabled=bool(refusal),
            help=refusal or None, on_click=go, kwargs={"table": name, "make": "sheet"},
        )  # fmt: skip
    if entry.comment:
        st.markdown(plain(entry.comment))
    st.caption(origin(entry))
    tags_note(from_tags(entry.tags))
    if st.query_params.get("make") == "sheet" and not refusal:
        make_sheet(name, preview.columns)
    if entry.kind == "volume":
        gallery(name, [file.path for file in cached.files(name)], key="data_files")
        return
    st.subheader("First rows", anchor=False)
    st.dataframe(preview.rows, hide_index=True, alt=f"The first rows of {name}")
    st.subheader("Columns", anchor=False)
    st.dataframe(column_list(preview.columns), hide_index=True, height="content", alt=f"The columns of {name}")


def column_list(columns: tuple[Column, ...]) -> pd.DataFrame:
    """Columns with their types."""
    return pd.DataFrame(
        {
            "Column": [column.name for column in columns],
            "Kind": [words(column.kind) for column in columns],
            "Type": [column.data_type for column in columns],
        }
    )


def make_sheet(source: str, columns: tuple[Column, ...]) -> None:
    """Confirm what is proposed, and create the sheet."""
    with st.container(border=True):
        st.subheader("A new sheet", anchor=False)
        st.caption("A sheet points at these rows and says what the columns are for. It never copies or changes them.")
        form = sheet_form(
            cached.sheet_proposal(source),
            columns,
            key=f"data_new_{source}",
            taken_names=[sheet.name for sheet in cached.sheets(limit=MAX_SHEETS)],
        )
        with st.container(horizontal=True):
            if st.button("Create sheet", type="primary", key="data_create", disabled=not form.can_save):
                with guard():
                    go(sheet=workbench.sheets.create(form.draft, by=user).id)
                    st.rerun()
            st.button("Not now", key="data_not_now", on_click=go, kwargs={"table": source})


# --- the list of sheets --------------------------------------------------------------------------------------------


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
        refusal = workbench.sheets.refusal(sheet, "undelete", by=user)
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
    rules = workbench.sheets.usage_rules(sheet)
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
    refusal = workbench.sheets.refusal(sheet, action, by=user)
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
        workbench.sheets.move(sheet.id, action, by=user, row_version=sheet.row_version)
        if action in DONE:
            flash(f"“{sheet.name}” {DONE[action]}")
        if action == "delete":
            go(view="sheets")


if sheet_id := st.query_params.get("sheet"):
    show_sheet(workbench.sheets.get(sheet_id))
elif table := st.query_params.get("table"):
    show_table(table)
else:
    with page_header("Data", "Tables and folders of the lake, and the sheets that say how to work with them"):
        upload_button()
    if st.query_params.get("view") == "sheets":
        show_sheets()
    else:
        show_lake()
