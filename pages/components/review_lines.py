"""The pairs as a list: page by page, selected, looked at, and decided about together."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from pages.components.address import go_within
from pages.components.grid import GridColumn, read_grid
from pages.components.layout import STATUS_COLORS, empty_state
from pages.components.pair_details import open_details
from pages.components.review_bulk import bulk_bar, grid_key, is_about_all, show_skipped
from pages.components.review_filters import FLAGS, NARROWING, SOURCES, is_narrowed, shown_status
from pages.components.review_pages import page_of, show_steps_between_pages
from pages.components.words import ago, words
from workbench_core.pairs import PairFilter, PairLine, ReviewStatus
from workbench_core.training_sheets import TrainingSheet

PAGE_SIZE = 100
_HEIGHT = 520


def show_lines(sheet: TrainingSheet, wanted: PairFilter, total: int) -> None:
    """One page of the pairs that match, and what can be done with those that are selected."""
    show_skipped(sheet)
    page = page_of(sheet, wanted, size=PAGE_SIZE)
    if not page.lines:
        _show_nothing(sheet, wanted)
        return
    bar = st.container()
    chosen = read_grid(
        pd.DataFrame([_line(line) for line in page.lines]),
        key=grid_key(sheet) + ("_all" if is_about_all(sheet) else ""),
        row_id="id",
        columns=_columns(sheet),
        selection=None if is_about_all(sheet) else "multi",
        height=_HEIGHT if len(page.lines) > 12 else 0,
        can_sort=page.before is None and page.after is None,
    )
    show_steps_between_pages(sheet, wanted, total, size=PAGE_SIZE)
    with bar:
        bulk_bar(sheet, wanted, tuple(chosen), total)
        _look_closer(chosen)


def _show_nothing(sheet: TrainingSheet, wanted: PairFilter) -> None:
    """Why there is nothing to see, and what to do about it."""
    if is_narrowed(wanted):
        with empty_state("No pair matches these filters.", icon=":material/filter_alt_off:"):
            st.button(
                "Show all pairs", key="label_show_all", on_click=go_within,
                kwargs=dict.fromkeys(NARROWING, "") | {"show": "all"},
            )  # fmt: skip
        return
    show = shown_status(sheet)
    said = "Everything is reviewed: no pair is pending." if show == "pending" else f"No {show} pairs."
    empty_state("This training sheet has no pairs." if show == "all" else said, icon=":material/done_all:")


def _look_closer(chosen: list[str]) -> None:
    """One selected pair on the card, or with all that is known about it."""
    if len(chosen) != 1:
        return
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        st.button(
            "Open in focus", key="label_open_pair", icon=":material/center_focus_strong:", on_click=go_within,
            kwargs={"view": "", "pair": chosen[0], "after": "", "before": "", "at": ""},
        )  # fmt: skip
        if st.button("History and comments", key="label_details", icon=":material/history:"):
            open_details(chosen[0])


# --- the grid --------------------------------------------------------------------------------------------------------


def _line(line: PairLine) -> dict[str, object]:
    return {
        "id": line.id,
        "item": line.item_ref,
        "source_text": line.excerpt,
        "answer": line.answer,
        "status": words(line.review_status),
        "flags": ", ".join(FLAGS[flag] for flag in line.quality_flags),
        "source": SOURCES[line.response_source],
        "score": line.quality_score,
        "usage": line.usage.summary(),
        "note": line.note,
        "comments": line.comments or None,
        "reviewed_by": line.reviewed_by,
        "reviewed_at": ago(line.reviewed_at) if line.reviewed_at else "",
        "number": line.sequence_number,
    }


def _columns(sheet: TrainingSheet) -> list[GridColumn]:
    colors = {words(status): STATUS_COLORS[status] for status in ReviewStatus}
    is_label = bool(sheet.template.label_classes)
    return [
        GridColumn("item", "Item", width=130, kind="mono", is_pinned=True),
        GridColumn("source_text", "Source", share=3, least=340),
        GridColumn("answer", "Answer", width=140 if is_label else 0, share=2, least=240),
        GridColumn("status", "Status", width=120, kind="badge", colors=colors),
        GridColumn("flags", "Quality flags", width=140),
        GridColumn("source", "Answer from", width=140),
        GridColumn("score", "Score", width=80, kind="number"),
        GridColumn("usage", "Usage", width=170),
        GridColumn("note", "Note", width=180),
        GridColumn("comments", "Comments", width=105, kind="number"),
        GridColumn("reviewed_by", "Reviewed by", width=150),
        GridColumn("reviewed_at", "When", width=110),
        GridColumn("number", "No.", width=80, kind="number"),
    ]
