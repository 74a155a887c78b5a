"""The training sheets to review: where I stopped first, then all of them with filters in the address."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pandas as pd
import streamlit as st

from pages.components.address import choose_in_url, go_within, page_in_url, pick_row, search_in_url
from pages.components.generation_words import SOURCES, state_of
from pages.components.identity import current_user
from pages.components.layout import empty_state, page_header
from pages.components.words import ago, counted, plain, words
from workbench_core import cached, cached_generation, cached_review
from workbench_core.training_sheets import TrainingSheet, TrainingSheetStatus

PAGE_SIZE = 50
MOST_CARDS = 3
MOST_OPEN = 100  # training sheets in review that are looked through for mine
LISTED = ("review", "generating", "approved", "trained", "rejected", "failed", "archived", "all")


def show_list() -> None:
    """All training sheets with how far their review is."""
    page_header("Label", "Every approved answer becomes the canonical label of its item and is reused everywhere.")
    if not cached_generation.count_training_sheets() and not _is_filtered():
        _show_nothing_at_all()
        return
    _go_on()
    status, sheet_id, search = _filters()
    total = cached_generation.count_training_sheets(status, sheet_id, search)
    if not total:
        _show_no_match()
        return
    number = page_in_url(-(-total // PAGE_SIZE))
    _table(cached_generation.training_sheets(status, sheet_id, search, PAGE_SIZE, PAGE_SIZE * (number - 1)))


def _is_filtered() -> bool:
    return any(st.query_params.get(name) for name in ("status", "of", "search"))


def _show_nothing_at_all() -> None:
    """What labelling is, and where it begins."""
    with empty_state(
        "Nothing to label yet. Generate a training sheet first: a template turns each row of a sheet into a question, "
        "and you review the answers here, one key press each. What you approve becomes the canonical label of its "
        "item, so nobody is asked about it again.",
        icon=":material/rate_review:",
    ):
        st.page_link("generate.py", label="Generate a training sheet", icon=":material/auto_awesome:")


def _show_no_match() -> None:
    if _is_filtered():
        with empty_state("No training sheet matches. Change status, sheet or search.", icon=":material/search_off:"):
            st.button(
                "Show all", key="label_all_sheets", on_click=go_within,
                kwargs={"status": "all", "of": "", "search": "", "page": ""},
            )  # fmt: skip
        return
    with empty_state("Nothing waits for review.", icon=":material/done_all:"):
        st.page_link("generate.py", label="Generate a training sheet", icon=":material/auto_awesome:")


# --- where I stopped -------------------------------------------------------------------------------------------------


def _go_on() -> None:
    """Cards of the unfinished training sheets in which this person decided, the latest first."""
    waiting = cached_generation.training_sheets(TrainingSheetStatus.REVIEW, limit=MOST_OPEN)
    unfinished = {sheet.id: sheet for sheet in waiting if sheet.counts.pending}
    mine = cached_review.latest_steps(tuple(unfinished), current_user()) if unfinished else {}
    latest = sorted(mine, key=lambda sheet_id: mine[sheet_id], reverse=True)[:MOST_CARDS]
    if not latest:
        return
    st.subheader("Go on where you stopped", anchor=False)
    with st.grid(min(len(latest), MOST_CARDS), min_column_width=300):
        for sheet_id in latest:
            sheet = unfinished[sheet_id]
            with st.container(border=True, gap="small"):
                st.markdown(f"**{plain(sheet.name)}**  \n:small[:gray[You decided {ago(mine[sheet_id])}]]")
                done = sheet.counts.total - sheet.counts.pending
                st.progress(done / sheet.counts.total, text=f"{done:,} of {counted(sheet.counts.total, 'pair')}")
                st.button(
                    f"Review {counted(sheet.counts.pending, 'pair')}", key=f"label_go_on_{sheet.id}",
                    type="primary" if sheet_id == latest[0] else "secondary", icon=":material/play_arrow:",
                    on_click=st.query_params.from_dict, args=({"sheet": sheet.id},),
                )  # fmt: skip


# --- the list --------------------------------------------------------------------------------------------------------


def _filters() -> tuple[TrainingSheetStatus | None, str, str]:
    """Status, sheet and search, each in the address."""
    with st.container(horizontal=True, vertical_alignment="center"):
        status = choose_in_url("Status", LISTED, key="status", default="review")
        sheet_id = _choose_sheet()
        search = search_in_url("search", label="Search", placeholder="Search by name or label type", width=260)
    return (None if status == "all" else TrainingSheetStatus(status)), sheet_id, search


def _choose_sheet() -> str:
    """The sheet whose training sheets are listed, in the address as `?of=`."""
    titles, widget = {sheet.id: sheet.name for sheet in cached.sheets(limit=500)}, "label_of"
    asked = st.query_params.get("of", "")
    st.session_state[widget] = asked if asked in titles else None
    return st.selectbox(
        "Sheet of the list", list(titles), index=None, key=widget, placeholder="Every sheet",
        format_func=lambda one: titles.get(one, one), label_visibility="collapsed", width=220,
        on_change=lambda: go_within(of=st.session_state[widget] or "", page=""),
    ) or ""  # fmt: skip


def _table(found: Sequence[TrainingSheet]) -> None:
    sources = {sheet.id: sheet.name for sheet in cached.sheets(limit=500)}
    pick_row(
        pd.DataFrame([_line(sheet, sources) for sheet in found]),
        [sheet.id for sheet in found],
        param="sheet",
        also={"status": "", "of": "", "search": "", "page": ""},
        alt="Training sheets and how far their review is",
        columns={
            "Reviewed": st.column_config.ProgressColumn(format="percent", min_value=0, max_value=1, width=150),
            **{name: st.column_config.NumberColumn(format="localized") for name in ("Pairs", "Pending", "Flagged")},
            "Updated": st.column_config.DatetimeColumn(format="D MMM YYYY, HH:mm"),
        },
    )


def _line(sheet: TrainingSheet, sources: Mapping[str, str]) -> dict[str, object]:
    """One line of the list."""
    counts = sheet.counts
    return {
        "Training sheet": sheet.name,
        "Status": words(state_of(sheet)),
        "Reviewed": 1 - counts.pending / counts.total if counts.total else 0.0,
        "Pairs": counts.total,
        "Pending": counts.pending,
        "Flagged": counts.flagged,
        "Labelled": counts.labelled,
        "Template": f"{sheet.template.name} v{sheet.template_version}",
        "Label type": sheet.label_type,
        "Answers": SOURCES[sheet.answer_source],
        "Sheet": sources.get(sheet.sheet_id, ""),
        "Demo": "Demo" if sheet.is_demo else None,
        "Updated": sheet.updated_at,
    }
