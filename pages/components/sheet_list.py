"""The sheets on the Data page: found, paged, opened, and moved through their life one or several at a time."""

from __future__ import annotations

import zlib
from collections.abc import Mapping, Sequence

import pandas as pd
import streamlit as st

from pages.components.address import choose_in_url, go_within, page_in_url, search_in_url
from pages.components.data_navigation import demo_button, go, view_switch
from pages.components.identity import current_user
from pages.components.layout import empty_state
from pages.components.sheet_moves import ICONS, ask, deletion_question, move, moved_note
from pages.components.words import counted, plain, words
from workbench_core import cached
from workbench_core.sheets import LIFECYCLE, Sheet, SheetList, SheetStatus, UnreadableSheet

PAGE_SIZE = 25
CURRENT = "current"  # archived and deleted ones show only when they are asked for
STATUSES: Mapping[str, tuple[SheetStatus, ...]] = {
    CURRENT: (SheetStatus.DRAFT, SheetStatus.ACTIVE),
    **{status.value: (status,) for status in SheetStatus},
}
NARROW = 110


def show_sheets() -> None:
    """Sheets that match; a click on a name opens one, ticked ones are moved together."""
    with st.container(horizontal=True, vertical_alignment="center"):
        view_switch()
        search = search_in_url("search", label="Search sheets", placeholder="Search by name or source")
        owner = choose_owner()
    counts = cached.listed_sheets(STATUSES[CURRENT], search, owner, 1).counts
    status = choose_status(counts)
    moved_note()
    total = sum(counts.get(one, 0) for one in STATUSES[status])
    if not total:
        show_no_sheets(status, counts, is_narrowed=bool(search or owner))
        return
    place = st.container()
    page = page_in_url(-(-total // PAGE_SIZE))
    found = cached.listed_sheets(STATUSES[status], search, owner, PAGE_SIZE, PAGE_SIZE * (page - 1))
    with place:
        chosen = sheet_table(found.sheets) if found.sheets else []
    show_unreadable(found)
    if chosen:
        with st.bottom:
            if not deletion_question(chosen):
                action_bar(chosen)


def choose_status(counts: Mapping[SheetStatus, int]) -> str:
    """Which sheets, with how many there are of each status; archived and deleted ones only when asked for."""
    numbers = {name: sum(counts.get(one, 0) for one in statuses) for name, statuses in STATUSES.items()}
    return choose_in_url(
        "Status", list(STATUSES), key="status", default=CURRENT, counts=numbers,
        titles={CURRENT: "Drafts and active"},
    )  # fmt: skip


def choose_owner() -> str:
    """Whose sheets to list, in the address as `?owner=`; empty for everybody's. Nothing to choose with one owner."""
    owners = cached.sheet_owners()
    present = st.query_params.get("owner", "")
    if len(owners) < 2 and present in ("", *owners):
        return present
    st.session_state["data_owner"] = present if present in owners else None

    def write() -> None:
        go_within(owner=st.session_state["data_owner"] or "", page="")

    return st.selectbox(
        "Made by", owners, key="data_owner", placeholder="Made by anybody", on_change=write,
        label_visibility="collapsed", width=220,
    ) or ""  # fmt: skip


def show_no_sheets(status: str, counts: Mapping[SheetStatus, int], *, is_narrowed: bool) -> None:
    """Say why nothing is listed, with the one useful next step."""
    if is_narrowed:
        empty_state("No sheet matches. Change status, search or owner.", icon=":material/search_off:")
    elif status != CURRENT:
        empty_state(f"No sheet is {status}.", icon=":material/table_view:")
    else:
        with empty_state(
            "No sheets yet. A sheet points at a table or folder and says which column identifies an item and what the "
            "others are for. Open a table of the lake to make one.",
            icon=":material/table_view:",
        ):
            st.button(
                "Open the lake", icon=":material/database:", key="data_lake", on_click=go, kwargs={"view": "lake"}
            )
            if not cached.catalog_entries():
                demo_button("sheets")
        if hidden := counts.get(SheetStatus.ARCHIVED, 0):
            st.caption(f"{counted(hidden, 'sheet')} in the archive.")


def show_unreadable(found: SheetList) -> None:
    """Sheets that are there but cannot be read."""
    if not found.unreadable:
        return

    def line(one: UnreadableSheet) -> str:
        return f"- “{plain(one.name)}” ({plain(one.id)}): {plain(one.problem)}"

    st.warning(
        "\n".join(line(one) for one in found.unreadable),
        icon=":material/broken_image:", title=f"{counted(len(found.unreadable), 'sheet')} cannot be read",
    )  # fmt: skip


# --- the table -------------------------------------------------------------------------------------------------------


def sheet_table(sheets: Sequence[Sheet]) -> list[Sheet]:
    """One page of sheets; those that are ticked."""
    # what is ticked is known by its place, so another order or page starts with nothing ticked
    key = f"data_sheets_{zlib.crc32(' '.join(f'{sheet.id}{sheet.row_version}' for sheet in sheets).encode()):08x}"

    def open_clicked() -> None:
        if (clicked := st.session_state[f"{key}_open"]) and clicked["row"] < len(sheets):
            go(sheet=sheets[clicked["row"]].id)

    column = st.column_config
    picked = st.dataframe(
        pd.DataFrame([sheet_line(sheet) for sheet in sheets]),
        key=key,
        hide_index=True,
        height="content",
        on_select="rerun",
        selection_mode="multi-row",
        column_config={
            "Sheet": column.ButtonColumn(
                type="tertiary", alignment="left", key=f"{key}_open", on_click=open_clicked, width="medium",
                help="A click opens it; tick sheets to publish, archive or delete them",
            ),
            "Description": column.TextColumn(width="medium"),
            "Items": column.NumberColumn(format="localized"),
            "Changed": column.DatetimeColumn(format="distance"),
        },
        alt="Sheets",
    )  # fmt: skip
    return [sheets[row] for row in sorted(picked["selection"]["rows"]) if row < len(sheets)]


def sheet_line(sheet: Sheet) -> dict[str, object]:
    """One line of the list."""
    name = sheet.name
    return {
        "Sheet": f"\u2060{name}" if name.startswith(":") else name,  # a colon could begin an icon
        "Status": words(sheet.status),
        "Items": sheet.item_count,
        "Description": sheet.description if len(sheet.description) <= NARROW else f"{sheet.description[:NARROW]} …",
        "Source": sources_of(sheet),
        "Columns": len(sheet.columns),
        "Kind": "Demo" if sheet.is_demo else "",
        "Changed": sheet.updated_at,
        "By": sheet.updated_by,
    }


def sources_of(sheet: Sheet) -> str:
    """The source of a sheet in words, with how many are joined to it."""
    more = 0 if sheet.join is None else len(sheet.join.sources) - 1
    return f"{sheet.source} + {more} joined" if more else sheet.source


# --- what is ticked --------------------------------------------------------------------------------------------------


def action_bar(chosen: Sequence[Sheet]) -> None:
    """What can be done with the ticked sheets."""
    possible = [action for action in LIFECYCLE.table if any(action in LIFECYCLE.actions(one.status) for one in chosen)]
    with st.container(horizontal=True, vertical_alignment="center", key="data_action_bar"):
        st.markdown(f"**{counted(len(chosen), 'sheet')}**", width="content")
        st.space("stretch")
        if len(chosen) == 1 and chosen[0].status is not SheetStatus.DELETED:
            st.button(
                "Open", type="primary", icon=":material/open_in_new:", key="data_open", on_click=go,
                kwargs={"sheet": chosen[0].id},
            )  # fmt: skip
        for action in possible:
            bulk_button(chosen, action)


def bulk_button(chosen: Sequence[Sheet], action: str) -> None:
    """One step for all ticked sheets that can take it; off with the reason when none of them may."""
    service, person = cached.workbench().sheets, current_user()
    able = [sheet for sheet in chosen if action in LIFECYCLE.actions(sheet.status)]
    refusals = [service.refusal(sheet, action, by=person) for sheet in able]
    is_off = all(refusals)
    few = f" {len(able):,}" if len(able) < len(chosen) else ""
    st.button(
        f"{words(action)}{few}", icon=f":material/{ICONS[action]}:", key=f"data_bulk_{action}",
        on_click=ask if action == "delete" else move, args=(able,) if action == "delete" else (able, action),
        disabled=is_off, help=refusals[0] if is_off else None,
    )  # fmt: skip
