"""One sheet on the Data page: what it holds, how it is made, when it was checked, and its life."""

from __future__ import annotations

from dataclasses import replace

import streamlit as st

from pages.components.address import choose_in_url
from pages.components.column_editor import edit_columns
from pages.components.data_navigation import back, go
from pages.components.errors import guard, guard_callback
from pages.components.filter_editor import edit_filter
from pages.components.identity import current_user
from pages.components.join_editor import edit_sources
from pages.components.layout import flash, metric_row, page_header
from pages.components.quality_panel import quality_panel
from pages.components.rights import why_not
from pages.components.sampling_editor import edit_sampling
from pages.components.sheet_details import named_dependants, quality_line, show_usage, tags_note
from pages.components.sheet_draft import change, conflict_note, opened, save_bar, why_locked
from pages.components.sheet_export import export_popover
from pages.components.sheet_history import show_history
from pages.components.sheet_labels import show_labels
from pages.components.sheet_moves import ICONS, ask, deletion_question, move, moved_note
from pages.components.sheet_rows import show_rows
from pages.components.sheet_template import show_template
from pages.components.words import ago, counted, percent, plain, words
from workbench_core import cached
from workbench_core.permissions import Action
from workbench_core.sheets import (
    LIFECYCLE,
    MAX_DESCRIPTION,
    MAX_NAME,
    JoinStats,
    Sheet,
    SheetStatus,
    Validation,
    match_quality,
)
from workbench_core.usage import UsageRules

PARTS = {
    "rows": "Rows", "columns": "Columns", "sources": "Sources", "filter": "Filter and sample",
    "template": "Template", "labels": "Labels", "quality": "Quality", "usage": "Usage", "history": "History",
}  # fmt: skip


def open_sheet(sheet_id: str) -> None:
    """One sheet by its id, with the way back also from one that is not there or cannot be read."""
    back("All sheets", view="sheets")
    show_sheet(cached.workbench().sheets.get(sheet_id))


def show_sheet(sheet: Sheet) -> None:
    """One sheet: where it stands, its parts, what rules it and what stands on it.

    The numbers that are kept come first and the check of the source last: over many rows it takes seconds.
    """
    actions = page_header(plain(sheet.name), subtitle(sheet), status=sheet.status, is_demo=sheet.is_demo)
    with actions:
        sheet_actions(sheet)
    moved_note()
    deletion_question([sheet], then="sheets")
    conflict_note(sheet)
    problems = st.container()
    rules = cached.workbench().sheets.usage_rules(sheet)
    tags_note(rules)
    numbers = st.empty()
    stats = sheet.join_stats.stats if sheet.join_stats else None
    with numbers.container():
        metric_row(tiles(sheet, sheet.item_count, stats), width=140)
    check_line(sheet)
    part = choose_in_url("Part", list(PARTS), key="show", default="rows", titles=PARTS)
    show_part(sheet, part, rules)
    save_bar(sheet)
    check = cached.sheet_check(sheet.id)
    with problems:
        show_check(check)
    if check.identifier and (check.item_count, check.join_stats) != (sheet.item_count, stats):
        with numbers.container():
            metric_row(tiles(sheet, check.item_count, check.join_stats), width=140)


def show_part(sheet: Sheet, part: str, rules: UsageRules) -> None:
    """The part that the address names."""
    is_there = {entry.name for entry in cached.catalog_entries()} >= set(sheet.tables)
    if part == "rows":
        if is_there:
            show_rows(sheet, cached.sheet_check(sheet.id).item_count if sheet.item_count is None else sheet.item_count)
    elif part == "columns":
        edit_columns(sheet)
    elif part == "sources":
        edit_sources(sheet)
    elif part == "filter":
        show_filter(sheet)
    elif part == "template":
        show_template(sheet)
    elif part == "labels":
        show_labels(sheet)
    elif part == "quality":
        quality_panel(sheet)
    elif part == "usage":
        show_usage(sheet, rules)
    else:
        show_history(sheet)


def show_check(check: Validation) -> None:
    """What stands in the way of work, and what a person should know."""
    for problem in check.problems:
        st.warning(plain(problem), icon=":material/warning:", title="This sheet cannot be worked with")
    for warning in check.warnings:
        st.caption(f":orange[:material/warning:] {plain(warning)}")


def check_line(sheet: Sheet) -> None:
    """When the sheet was checked last, by whom and with what result; the way to check it now, and its quality."""
    refusal = why_not(Action.EDIT_SHEETS)
    with st.container(horizontal=True, vertical_alignment="center", gap="small", key="data_check_line"):
        if sheet.validated_at is None or sheet.item_count is None:
            st.caption(":material/fact_check: Not checked since its last change.", width="content")
        else:
            by = cached.sheet_checked_by(sheet.id)
            st.caption(
                f":material/fact_check: Checked {ago(sheet.validated_at)}{f' by {plain(by)}' if by else ''}: "
                f"{counted(sheet.item_count, 'item')}",
                width="content",
            )
        st.button(
            "Check again", type="tertiary", icon=":material/refresh:", key="data_check_again", on_click=check_again,
            args=(sheet.id,), disabled=bool(refusal), help=refusal or "Counts the items and checks the identifier now",
        )  # fmt: skip
        st.space("stretch")
        quality_line(sheet)


def check_again(sheet_id: str) -> None:
    """Check a sheet over its source as it is now, and keep what was counted."""
    with guard_callback():
        cached.forget_lake()
        found = cached.workbench().sheets.validate(sheet_id, by=current_user())
        if found.is_valid:
            flash(f"Checked: {counted(found.item_count, 'item')}.")
        else:
            flash(f"Checked: {counted(len(found.problems), 'problem')}.", icon=":material/warning:")


def subtitle(sheet: Sheet) -> str:
    """What the sheet is, in a line."""
    tables = [plain(table) for table in sheet.tables]
    made = f"{tables[0]} joined with {' and '.join(tables[1:])}" if tables[1:] else f"A sheet of {tables[0]}"
    said = [plain(sheet.description)] if sheet.description else []
    draft = ["publish it to generate from it"] if sheet.status is SheetStatus.DRAFT else []
    return " · ".join([*said, made, *draft])


def tiles(sheet: Sheet, items: int | None, stats: JoinStats | None) -> list[tuple[str, str, str]]:
    """The numbers of a sheet."""
    labels = cached.sheet_dependants(sheet.id).counts.get("canonical labels", 0)
    identifier = sheet.item_id_column if sheet.join is None else sheet.item_id_column.partition("__")[2]
    shown = [
        ("Items", "–" if items is None else f"{items:,}", "Rows that are left after join, filter and sample"),
        ("Identifier", plain(identifier), f"{plain(sheet.item_id_column)} names each item for good"),
    ]
    if sheet.join is not None:
        quality = f"A {match_quality(stats)} match: " if stats else ""
        meaning = "items of the primary source that find a match in every other one"
        shown.append(("Match", percent(stats.share) if stats else "–", f"{quality}{meaning}"))
    with guard():
        shown.append(("Set aside", f"{cached.set_aside_count(sheet.id):,}", "Items that generation leaves out"))
    return [*shown, ("Labels", f"{labels:,}", "Canonical labels of its items")]


def show_filter(sheet: Sheet) -> None:
    """Filter and sample, one above the other: the sample is drawn from what the filter keeps."""
    with st.container(border=True):
        st.subheader("Filter", anchor=False)
        edit_filter(sheet)
    with st.container(border=True):
        st.subheader("Sample", anchor=False)
        edit_sampling(sheet)


def sheet_actions(sheet: Sheet) -> None:
    """Generate, publish, export, and the other steps in the life of the sheet that are possible now."""
    possible = LIFECYCLE.actions(sheet.status)
    if sheet.status is SheetStatus.ACTIVE and st.button(
        "Generate from this sheet", type="primary", icon=":material/auto_awesome:", key="data_generate"
    ):
        st.switch_page("generate.py", query_params={"sheet": sheet.id})
    for action in [action for action in possible if action in {"publish", "restore"}]:
        action_button(sheet, action, is_primary=True)
    if sheet.item_count is not None:
        export_popover(sheet, items=sheet.item_count)
    with st.popover("More", icon=":material/more_horiz:", key="data_more"):
        if not why_locked(sheet):
            name_fields(sheet)
        for action in [action for action in possible if action not in {"publish", "restore"}]:
            action_button(sheet, action)
        st.button(
            "Open its source", icon=":material/database:", key="data_source", on_click=go, width="stretch",
            kwargs={"table": sheet.source},
        )  # fmt: skip


def name_fields(sheet: Sheet) -> None:
    """Name and description, to be saved with everything else that is changed."""
    kept = opened(sheet)
    name = st.text_input("Name", kept.draft.name, max_chars=MAX_NAME, key=f"{kept.key}_name")
    description = st.text_area(
        "Description", kept.draft.description, max_chars=MAX_DESCRIPTION, key=f"{kept.key}_description", height=94
    )
    if cached.workbench().sheets.has_name(name or "", except_for=sheet.id):
        st.caption(":orange[:material/info:] There is a sheet of this name already.")
    draft = replace(kept.draft, name=name or "", description=description or "")
    if draft != kept.draft:
        change(sheet.id, draft)


def action_button(sheet: Sheet, action: str, *, is_primary: bool = False) -> None:
    """One step in the life of the sheet, disabled with the reason and with what depends on it by name."""
    refusal = cached.workbench().sheets.refusal(sheet, action, by=current_user())
    used = cached.sheet_dependants(sheet.id) if action == "delete" else None
    is_used = used is not None and used.total > 0
    if not refusal and is_used:
        refusal = "Something stands on this sheet. Archive it instead."
    if not refusal and action != "undelete" and opened(sheet).is_changed:
        refusal = "Save or discard your changes first."
    st.button(
        words(action),
        key=f"data_{action}",
        type="primary" if is_primary else "secondary",
        icon=f":material/{ICONS[action]}:",
        on_click=ask if action == "delete" else move,
        args=([sheet],) if action == "delete" else ([sheet], action),
        disabled=bool(refusal),
        help=refusal or None,
        width="content" if is_primary else "stretch",
    )
    if used is not None and is_used:
        st.caption("It cannot be deleted while this stands on it:")
        named_dependants(used)
