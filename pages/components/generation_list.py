"""The latest training sheets: work under way, work that stopped, and all of them with filters in the address."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd
import streamlit as st

from pages.components.address import choose_in_url, page_in_url, pick_row, search_in_url
from pages.components.generation_run import GENERATING, follow, run_of, show_run
from pages.components.generation_steps import distinct, sheet_titles
from pages.components.generation_words import money, state_of
from pages.components.layout import empty_state
from pages.components.words import words
from workbench_core import cached, cached_generation
from workbench_core.training_sheets import TrainingSheet, TrainingSheetStatus

PAGE_SIZE = 20
MAX_CARDS = 3
STATUSES = ["all", "generating", "review", "failed", "approved", "trained", "archived"]


def show_recent() -> None:
    """Work under way and stopped first, then the list."""
    newest = cached_generation.training_sheets(limit=PAGE_SIZE)
    if not newest:
        return
    st.subheader("Recent training sheets", anchor=False)
    _show_unfinished()
    wanted = {name: st.query_params.get(name, "") for name in ("status", "of", "search")}
    is_long = len(newest) == PAGE_SIZE or any(wanted.values())
    status, sheet_id, search = _filters() if is_long else (None, "", "")
    total = cached_generation.count_training_sheets(status, sheet_id, search)
    if not total:
        empty_state("No training sheet matches. Change the filters.", icon=":material/search_off:")
        return
    number = page_in_url(-(-total // PAGE_SIZE))
    found = cached_generation.training_sheets(status, sheet_id, search, PAGE_SIZE, PAGE_SIZE * (number - 1))
    _table(found)


def _show_unfinished() -> None:
    """Cards of what works, waits or has stopped; what has ended is in the list only."""
    generating = cached_generation.training_sheets(GENERATING, limit=PAGE_SIZE)
    if active := tuple(sheet.id for sheet in generating if run_of(sheet)):
        follow(active)
    failed = cached_generation.training_sheets(TrainingSheetStatus.FAILED, limit=MAX_CARDS)
    for sheet in [*(one for one in generating if one.id not in active), *failed][:MAX_CARDS]:
        show_run(sheet)


def _filters() -> tuple[TrainingSheetStatus | None, str, str]:
    """Status, sheet and search, each in the address."""
    with st.container(horizontal=True, vertical_alignment="center"):
        status = choose_in_url("Status", STATUSES, key="status", default="all")
        sheet_id = _choose_sheet()
        search = search_in_url("search", label="Search", placeholder="Search by name or label type", width=260)
    return (None if status == "all" else TrainingSheetStatus(status)), sheet_id, search


def _choose_sheet() -> str:
    """The sheet whose training sheets are listed, in the address as `?of=`."""
    titles = distinct(sheet_titles({sheet.id: sheet for sheet in cached.sheets(limit=500)}))
    widget, wanted = "generate_of", st.query_params.get("of", "")
    st.session_state[widget] = wanted if wanted in titles else None

    def write() -> None:
        st.query_params.pop("page", None)
        if chosen := st.session_state[widget]:
            st.query_params["of"] = chosen
        else:
            st.query_params.pop("of", None)

    chosen = st.selectbox(
        "Sheet of the list", list(titles), key=widget, format_func=lambda one: titles.get(one, one), on_change=write,
        index=None, placeholder="Every sheet", label_visibility="collapsed", width=220,
    )  # fmt: skip
    return chosen or ""


def _table(found: Sequence[TrainingSheet]) -> None:
    pick_row(
        pd.DataFrame([_line(sheet) for sheet in found]),
        [sheet.id for sheet in found],
        param="training_sheet",
        alt="Recent training sheets",
        columns={
            "Pairs": st.column_config.NumberColumn(format="localized"),
            "Errors": st.column_config.NumberColumn(format="localized"),
            "Reviewed": st.column_config.ProgressColumn(format="percent", min_value=0, max_value=1, width="small"),
            "Created": st.column_config.DatetimeColumn(format="D MMM YYYY, HH:mm"),
        },
    )


def _line(sheet: TrainingSheet) -> dict[str, object]:
    """One line of the list."""
    counts, spent = sheet.counts, sheet.spent
    return {
        "Training sheet": sheet.name,
        "Status": words(state_of(sheet)),
        "Pairs": counts.total,
        "Reviewed": 1 - counts.pending / counts.total if counts.total else 0.0,
        "Errors": counts.errors,
        "Cost": money(spent.cost, spent.currency) if spent.currency else None,
        "Model": sheet.model_title or None,
        "Created": sheet.created_at,
        "By": sheet.created_by,
    }
