"""All sheets with the quality of their last run: a card for each that was checked, a list of the others."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pandas as pd
import streamlit as st

from pages.components.data_navigation import demo_button
from pages.components.layout import ago, empty_state, metric_row, page_header, plain
from pages.components.quality_look import BADGES, counted, go, pick, rate
from workbench_core import cached, cached_quality
from workbench_core.data_quality import QualityRun
from workbench_core.sheets import Sheet, SheetStatus

MAX_SHEETS = 500
CARDS = 12
ORDERS = {"worst": "Worst first", "newest": "Newest run first", "name": "By name"}
LISTED = (SheetStatus.ACTIVE, SheetStatus.DRAFT)


def show_sheets() -> None:
    """Every sheet with its score; a click opens one."""
    page_header("Data quality", "What the rows of each sheet must be like, which are not, and what was done about them")
    every = [sheet for sheet in cached.sheets(limit=MAX_SHEETS) if sheet.status in LISTED]
    if not every:
        show_no_sheets()
        return
    runs = cached_quality.latest_of(tuple(sheet.id for sheet in every))
    show_numbers(every, runs)
    with st.container(horizontal=True, vertical_alignment="center"):
        search = st.text_input(
            "Search sheets", key="search", bind="query-params", placeholder="Search by name or source",
            icon=":material/search:", label_visibility="collapsed", live="300ms", width=320,
        ) or ""  # fmt: skip
        order = st.selectbox(
            "Order", list(ORDERS), key="quality_order", format_func=ORDERS.__getitem__, width=200,
            label_visibility="collapsed",
        )  # fmt: skip
    wanted = search.casefold()
    found = [sheet for sheet in every if wanted in f"{sheet.name} {sheet.source}".casefold()]
    if not found:
        empty_state("No sheet matches. Change the search.", icon=":material/search_off:")
        return
    checked = in_order([sheet for sheet in found if sheet.id in runs], runs, str(order))
    show_cards(checked, runs)
    show_unchecked([sheet for sheet in found if sheet.id not in runs])


def show_no_sheets() -> None:
    """Without a sheet there is nothing to check."""
    with empty_state(
        "Quality is checked sheet by sheet, and there is no sheet yet. Make one of a table or folder first.",
        icon=":material/verified:",
    ):
        st.page_link("data.py", label="Make a sheet", icon=":material/table_view:")
        if not cached.catalog_entries():
            demo_button("quality")


def show_numbers(sheets: Sequence[Sheet], runs: Mapping[str, QualityRun]) -> None:
    """The whole in four numbers."""
    rows = sum(run.total for run in runs.values())
    failed = sum(run.failed for run in runs.values())
    aside = sum(cached_quality.aside_counts(tuple(sheet.id for sheet in sheets)).values())
    metric_row(
        [
            ("Sheets checked", f"{len(runs):,} of {len(sheets):,}"),
            ("Rows checked", f"{rows:,}", "In the last run of each sheet"),
            ("Rows that pass", rate(1 - failed / rows) if rows else "–", f"{failed:,} rows fail"),
            ("Set aside", f"{aside:,}", "Items that generation leaves out"),
        ]
    )


def in_order(sheets: Sequence[Sheet], runs: Mapping[str, QualityRun], order: str) -> list[Sheet]:
    """The sheets as the person wants them."""
    if order == "name":
        return sorted(sheets, key=lambda sheet: sheet.name.casefold())
    if order == "newest":
        return sorted(sheets, key=lambda sheet: runs[sheet.id].run_at, reverse=True)
    return sorted(sheets, key=lambda sheet: (runs[sheet.id].pass_rate, sheet.name))


# --- cards -----------------------------------------------------------------------------------------------------------


def show_cards(sheets: Sequence[Sheet], runs: Mapping[str, QualityRun]) -> None:
    """A card for each sheet that was checked."""
    if not sheets:
        return
    pages = -(-len(sheets) // CARDS)
    number = st.pagination(pages, key="page", bind="query-params") if pages > 1 else 1
    shown = sheets[CARDS * (number - 1) : CARDS * number]
    ids = tuple(sheet.id for sheet in shown)
    trends, aside = cached_quality.trends(ids), cached_quality.aside_counts(ids)
    with st.grid(3, min_column_width=290):
        for sheet in shown:
            with st.container(border=True, gap="small", height="stretch", key=f"quality_card_{sheet.id}"):
                card(sheet, runs[sheet.id], trends.get(sheet.id, ()), aside.get(sheet.id, 0))


def card(sheet: Sheet, run: QualityRun, trend: Sequence[float], aside: int) -> None:
    """One sheet: word and rate of its last run, the last runs as a line, and what waits."""
    with st.container(horizontal=True, vertical_alignment="center"):
        st.markdown(f"**{plain(sheet.name)}**", width="stretch")
        st.badge("No rows" if run.is_empty else run.word.value, color="gray" if run.is_empty else BADGES[run.colour])
    points = 100 * (trend[-1] - trend[-2]) if len(trend) > 1 else 0.0
    st.metric(
        "Rows that pass", rate(run.pass_rate), delta=f"{points:+.2f} points" if points else None,
        chart_data=[100 * one for one in trend] if len(trend) > 1 else None, chart_type="area",
        label_visibility="collapsed",
    )  # fmt: skip
    st.space("stretch")
    parts = [f"{run.failed:,} of {run.total:,} rows fail", *([f"{aside:,} set aside"] if aside else [])]
    st.caption(plain(f"{' · '.join(parts)} · {ago(run.run_at)}"))
    st.button(
        "Open", key=f"quality_open_{sheet.id}", icon=":material/arrow_forward:", icon_position="right", on_click=go,
        kwargs={"sheet": sheet.id}, width="stretch",
    )  # fmt: skip


def show_unchecked(sheets: Sequence[Sheet]) -> None:
    """Sheets that nobody has checked yet."""
    if not sheets:
        return
    st.subheader("Not checked yet", anchor=False)
    rules = cached_quality.rule_counts(tuple(sheet.id for sheet in sheets))
    st.caption(f"{counted(len(sheets), 'sheet')}. Open one and profile it to get suggestions.")
    pick(
        pd.DataFrame(
            {
                "Sheet": [sheet.name for sheet in sheets],
                "Source": [sheet.source for sheet in sheets],
                "Items": [sheet.item_count for sheet in sheets],
                "Rules": [rules.get(sheet.id, 0) for sheet in sheets],
            }
        ),
        lambda row: go(sheet=sheets[row].id),
        key="quality_unchecked",
        alt="Sheets that were not checked yet",
        columns={"Items": st.column_config.NumberColumn(format="localized")},
    )
