"""All sheets with the quality of their last run: a card for each that was checked, a list of the others."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pandas as pd
import streamlit as st

from pages.components.address import page_in_url, pick_row, search_in_url
from pages.components.data_navigation import demo_button, go
from pages.components.layout import empty_state, metric_row, page_header
from pages.components.quality_look import rate, score_badge
from pages.components.quality_results import STALE
from pages.components.quality_values import found_beside
from pages.components.words import ago, counted, plain
from workbench_core import cached, cached_quality
from workbench_core.data_quality import QualityRun
from workbench_core.sheets import Sheet, SheetList, SheetStatus

MAX_SHEETS = 1_000
CARDS = 12
ORDERS = {"worst": "Worst first", "newest": "Newest run first", "name": "By name"}
LISTED = (SheetStatus.ACTIVE, SheetStatus.DRAFT)


def show_sheets() -> None:
    """Every sheet with its score; a click opens one."""
    page_header("Data quality", "What the rows of each sheet must be like, which are not, and what was done about them")
    every = cached.listed_sheets(LISTED, limit=MAX_SHEETS)
    if not every.total:
        show_no_sheets()
        return
    show_numbers(every, cached_quality.latest_of(tuple(sheet.id for sheet in every.sheets)))
    with st.container(horizontal=True, vertical_alignment="center"):
        search = search_in_url("search", label="Search sheets", placeholder="Search by name or source")
        order = st.selectbox(
            "Order", list(ORDERS), key="quality_order", format_func=ORDERS.__getitem__, width=200,
            label_visibility="collapsed",
        )  # fmt: skip
    found = cached.listed_sheets(LISTED, search, limit=MAX_SHEETS)
    if not found.sheets:
        empty_state("No sheet matches. Change the search.", icon=":material/search_off:")
        return
    runs = cached_quality.latest_of(tuple(sheet.id for sheet in found.sheets))
    show_cards(in_order([sheet for sheet in found.sheets if sheet.id in runs], runs, str(order)), runs)
    show_unchecked([sheet for sheet in found.sheets if sheet.id not in runs])
    if found.total > len(found.sheets):
        st.caption(f"The {len(found.sheets):,} sheets that were changed last, of {found.total:,}; search for others.")


def show_no_sheets() -> None:
    """Without a sheet there is nothing to check."""
    with empty_state(
        "Quality is checked sheet by sheet, and there is no sheet yet. Make one of a table or folder first.",
        icon=":material/verified:",
    ):
        st.page_link("data.py", label="Make a sheet", icon=":material/table_view:")
        if not cached.catalog_entries():
            demo_button("quality")


def show_numbers(every: SheetList, runs: Mapping[str, QualityRun]) -> None:
    """The whole in four numbers; of very many sheets those that were changed last."""
    checked = [run for run in runs.values() if run.check_count]
    rows = sum(run.total for run in checked)
    failed = sum(run.failed for run in checked)
    aside = sum(cached_quality.set_aside_counts(tuple(sheet.id for sheet in every.sheets)).values())
    metric_row(
        [
            ("Sheets checked", f"{len(checked):,} of {every.total:,}"),
            ("Rows checked", f"{rows:,}", "In the last run of each sheet that checked a rule"),
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
    return sorted(sheets, key=lambda sheet: (rate_for_order(runs[sheet.id]), sheet.name))


def rate_for_order(run: QualityRun) -> float:
    """The pass rate; what has none comes behind all others."""
    return 2.0 if run.pass_rate is None else run.pass_rate


# --- cards -----------------------------------------------------------------------------------------------------------


def show_cards(sheets: Sequence[Sheet], runs: Mapping[str, QualityRun]) -> None:
    """A card for each sheet that was checked."""
    if not sheets:
        return
    cards = st.container()
    first = CARDS * (page_in_url(-(-len(sheets) // CARDS)) - 1)
    shown = sheets[first : first + CARDS]
    ids = tuple(sheet.id for sheet in shown)
    trends, aside = cached_quality.trends(ids), cached_quality.set_aside_counts(ids)
    with cards, st.grid(3, min_column_width=290):
        for sheet in shown:
            with st.container(border=True, gap="small", height="stretch", key=f"quality_card_{sheet.id}"):
                card(sheet, runs[sheet.id], trends.get(sheet.id, ()), aside.get(sheet.id, 0))


def card(sheet: Sheet, run: QualityRun, trend: Sequence[float], aside: int) -> None:
    """One sheet: word and rate of its last run, the last runs as a line, and what waits."""
    with st.container(horizontal=True, vertical_alignment="center"):
        st.markdown(f"**{plain(sheet.name)}**", width="stretch")
        score_badge(run)
    if run.is_stale(sheet):
        st.badge(STALE, color="gray", icon=":material/history:")
    if run.check_count:
        show_rate(run, trend)
    st.space("stretch")
    failing = [f"{run.failed:,} of {run.total:,} rows fail"] if run.check_count else []
    parts = [*failing, *found_beside(run), *([f"{aside:,} set aside"] if aside else [])]
    st.caption(plain(f"{' · '.join([*parts, ago(run.run_at)])}"))
    st.button(
        "Open", key=f"quality_open_{sheet.id}", icon=":material/arrow_forward:", icon_position="right", on_click=go,
        kwargs={"sheet": sheet.id}, width="stretch",
    )  # fmt: skip


def show_rate(run: QualityRun, trend: Sequence[float]) -> None:
    """The pass rate of a run and those before it."""
    points = 100 * (trend[-1] - trend[-2]) if len(trend) > 1 else 0.0
    st.metric(
        "Rows that pass", rate(run.pass_rate), delta=f"{points:+.2f} points" if points else None,
        chart_data=[100 * one for one in trend] if len(trend) > 1 else None, chart_type="area",
        label_visibility="collapsed",
    )  # fmt: skip


def show_unchecked(sheets: Sequence[Sheet]) -> None:
    """Sheets that nobody has checked yet."""
    if not sheets:
        return
    st.subheader("Not checked yet", anchor=False)
    rules = cached_quality.rule_counts(tuple(sheet.id for sheet in sheets))
    st.caption(f"{counted(len(sheets), 'sheet')}. Open one and profile it to get suggestions.")
    pick_row(
        pd.DataFrame(
            {
                "Sheet": [sheet.name for sheet in sheets],
                "Source": [sheet.source for sheet in sheets],
                "Items": [sheet.item_count for sheet in sheets],
                "Rules": [rules.get(sheet.id, 0) for sheet in sheets],
            }
        ),
        [sheet.id for sheet in sheets],
        param="sheet",
        also={"search": "", "page": ""},
        alt="Sheets that were not checked yet",
        columns={"Items": st.column_config.NumberColumn(format="localized")},
    )
