"""Review the pairs of training sheets; every decision becomes a canonical label. `?sheet=<id>` opens a training sheet.

`?status=`, `?of=` and `?search=` filter the list. Inside, `?view=focus|list|statistics|export` chooses what is seen and
`?show=pending|flagged|...|all`, `?source=`, `?flag=`, `?training=yes|no`, `?score=0-0.5`, `?find=`, `?since=`, `?by=`
and `?failed=yes` which pairs; `?pair=<id>` opens one of them, `?after=` and `?before=` a page.
"""

from __future__ import annotations

import streamlit as st

from pages.components.address import go_within
from pages.components.export_panel import training_sheet_export
from pages.components.generation_run import show_run
from pages.components.identity import current_user
from pages.components.pair_details import show_open_details
from pages.components.review_card import carry_out_decisions
from pages.components.review_filters import PLACE, numbers_by_show, show_filters, shown_status, wanted_pairs
from pages.components.review_focus import show_focus
from pages.components.review_header import show_header, show_numbers
from pages.components.review_lines import show_lines
from pages.components.review_list import show_list
from pages.components.review_statistics import show_statistics
from pages.components.review_steps import show_bulk_run, undo_buttons
from workbench_core import cached, cached_review
from workbench_core.training_sheets import TrainingSheet, TrainingSheetStatus

VIEWS = {
    "focus": ":material/center_focus_strong: Focus",
    "list": ":material/list: List",
    "statistics": ":material/monitoring: Statistics",
    "export": ":material/ios_share: Export",
}


def show_sheet(sheet: TrainingSheet) -> None:
    """One training sheet: where it stands, and its pairs one by one or as a list."""
    show_header(sheet)
    if sheet.status in {TrainingSheetStatus.GENERATING, TrainingSheetStatus.FAILED}:
        show_run(sheet)
        if not sheet.counts.total:
            return
    show_numbers(sheet)
    show_bulk_run(sheet)
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        view = choose_view()
        if view == "list":  # the card has keys of its own for it
            st.space("stretch")
            undo_buttons(sheet)
    if view == "statistics":
        show_statistics(sheet)
        return
    if view == "export":
        training_sheet_export(sheet)
        return
    wanted = wanted_pairs(sheet)
    numbers = numbers_by_show(sheet, wanted)
    show_filters(sheet, wanted, numbers)
    total = numbers[shown_status(sheet)]
    if view == "focus":
        show_focus(sheet, wanted, total)
    else:
        show_lines(sheet, wanted, total)
    show_open_details(sheet.id)


def choose_view() -> str:
    """Focus, list, statistics or export; the linked pair and the page belong to the view before."""
    asked = st.query_params.get("view", "focus")
    st.session_state["view_in_url"] = asked if asked in VIEWS else "focus"

    def write() -> None:
        chosen = st.session_state["view_in_url"]
        go_within(**{"view": "" if chosen == "focus" else chosen, **dict.fromkeys(PLACE, "")})

    return st.segmented_control(
        "View", list(VIEWS), key="view_in_url", required=True, format_func=VIEWS.__getitem__, on_change=write,
        label_visibility="collapsed",
    ) or "focus"  # fmt: skip


if opened := st.query_params.get("sheet"):
    carry_out_decisions(opened, cached.workbench().pairs, by=current_user())
    show_sheet(cached_review.training_sheet(opened))
else:
    show_list()
