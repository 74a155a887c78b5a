"""One sheet on the Data quality page: its score, what can be done, and the parts that show everything else."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from pages.components.charts import Look, bar_chart, gauge
from pages.components.errors import guard
from pages.components.layout import (
    ago,
    choose_in_url,
    duration,
    empty_state,
    page_header,
    plain,
    run_progress,
)
from pages.components.quality_fix import show_fix_queue
from pages.components.quality_history import show_change, show_history
from pages.components.quality_look import TONES, counted, go, go_within, rate
from pages.components.quality_profile import profile_button, show_profile
from pages.components.quality_results import follow, run_button, scan_options, show_results
from pages.components.quality_rules import file_stem, show_rules
from pages.components.rights import why_not
from workbench_core import cached, cached_quality
from workbench_core.data_quality import Criticality, ItemKind, QualityRun
from workbench_core.permissions import Action
from workbench_core.runs import Run
from workbench_core.sheets import Sheet

PARTS = {
    "overview": "Overview", "profile": "Profile", "rules": "Rules", "results": "Results", "history": "History",
    "fix": "Fix queue",
}  # fmt: skip


def show_sheet(sheet: Sheet) -> None:
    """One sheet: header with the actions, work under way, and the chosen part."""
    refusal = why_not(Action.MANAGE_QUALITY)
    with st.container(horizontal=True, vertical_alignment="center"):
        st.button("All sheets", type="tertiary", icon=":material/arrow_back:", key="quality_all", on_click=go)
        st.space("stretch")
        profile_button(sheet, refusal=refusal)
        options = scan_options(sheet, refusal=refusal)
        run_button(sheet, options, refusal=refusal)
    page_header(plain(sheet.name), subtitle(sheet), is_demo=sheet.is_demo)
    show_work(sheet, refusal=refusal)
    counts = {"rules": len(cached_quality.rules(sheet.id))}
    if failing := cached_quality.counts(sheet.id).get(ItemKind.FAILING, 0):
        counts["fix"] = failing
    part = choose_in_url("Part", list(PARTS), key="show", default="overview", titles=PARTS, counts=counts)
    run = chosen_run(sheet) if part == "results" else cached_quality.latest(sheet.id)
    if part == "profile":
        show_profile(sheet, refusal=refusal)
    elif part == "rules":
        show_rules(sheet, refusal=refusal)
    elif part == "fix" and (run or cached_quality.aside_count(sheet.id)):
        show_fix_queue(sheet, refusal=refusal)
    elif run is None:
        begin(sheet, refusal=refusal)
    elif part == "results":
        show_results(sheet, run, refusal=refusal)
    elif part == "history":
        show_history(sheet)
    else:
        show_overview(sheet, run)


def subtitle(sheet: Sheet) -> str:
    """Where its rows come from, and how many items are set aside."""
    aside = cached_quality.aside_count(sheet.id)
    items = f" · {sheet.item_count:,} items" if sheet.item_count is not None else ""
    kept_out = f" · {aside:,} set aside" if aside else ""
    return plain(f"{' + '.join(sheet.tables)}{items}{kept_out}")


def chosen_run(sheet: Sheet) -> QualityRun | None:
    """The run of the address when it is one of this sheet, else the latest."""
    if wanted := st.query_params.get("run", ""):
        with guard():
            run = cached_quality.run(wanted)
            if run.sheet_id == sheet.id:
                latest = cached_quality.latest(sheet.id)
                if latest and latest.id != run.id:
                    st.info(
                        f"This is the run of {run.run_at:%d %b %Y, %H:%M}, not the latest one.",
                        icon=":material/history:",
                    )
                    st.button("Show the latest", key="quality_newest", on_click=go_within, kwargs={"run": ""})
                return run
    return cached_quality.latest(sheet.id)


# --- work under way --------------------------------------------------------------------------------------------------


def show_work(sheet: Sheet, *, refusal: str) -> None:
    """Checks and profiles that wait or run now, and why the last one failed."""
    quality = cached.workbench().data_quality
    checking, profiling = quality.run_of(sheet.id), quality.profiling(sheet.id)
    if checking and checking.is_active:
        follow(sheet.id, checking.id, refusal)
    elif checking and checking.error:
        st.error(plain(checking.error), icon=":material/error:", title="The last run of the checks failed")
    if profiling and profiling.is_active:
        follow_profile(profiling.id)
    elif profiling and profiling.error:
        st.error(plain(profiling.error), icon=":material/error:", title="The last profile failed")


@st.fragment(run_every="1s")
def follow_profile(run_id: str) -> None:
    """Progress of a long profile; the whole page comes back when it has ended."""
    run: Run = cached.workbench().runs.get(run_id)
    if not run.is_active:
        st.rerun()
    with st.container(border=True):
        st.markdown(f":material/query_stats: **{plain(run.title)}**")
        run_progress(run, unit="parts")


# --- overview --------------------------------------------------------------------------------------------------------


def show_overview(sheet: Sheet, run: QualityRun) -> None:
    """The score as a gauge, the numbers, what changed, and what fails most."""
    left, right = st.columns([2, 3], gap="medium")
    with left, st.container(border=True, height="stretch"):
        word = "No rows" if run.is_empty else run.word.value
        gauge(
            run.pass_rate, word, tones="neutral" if run.is_empty else TONES[run.colour], key="quality_gauge",
            alt=f"{rate(run.pass_rate)} of the rows pass: {word}",
        )  # fmt: skip
        st.caption(
            plain(f"Checked by {run.run_by}, {ago(run.run_at)}, in {duration(run.seconds)}"), text_alignment="center"
        )
    with right:
        with st.grid(3, min_column_width=130):
            for label, value, *rest in tiles(sheet, run):
                st.metric(label, value, border=True, help=rest[0] if rest else None)
        with st.container(border=True, height="stretch"):
            st.markdown("**Since the run before**")
            compared = cached_quality.comparison_with_previous(run.id)
            if compared is None:
                st.caption("This is the first run.")
            else:
                show_change(compared)
    worst(run)
    export_report(sheet, run)


def begin(sheet: Sheet, *, refusal: str) -> None:
    """Before the first run: the one useful next step, the same in every part that shows runs."""
    if rules := cached_quality.rules(sheet.id):
        empty_state(
            f"{counted(len(rules), 'rule')}, and no run yet. Run the checks, with the button above, to see which rows "
            "fail. What fails waits in the fix queue, and every run stays in the history.",
            icon=":material/play_circle:",
        )
        return
    with empty_state(
        "Profile this sheet to get suggestions: what every column holds, and the rules that hold for it today.",
        icon=":material/query_stats:",
    ):
        profile_button(sheet, refusal=refusal, kind="primary", place="overview")


def tiles(sheet: Sheet, run: QualityRun) -> list[tuple[str, str] | tuple[str, str, str]]:
    """The numbers of the last run."""
    return [
        ("Rows", f"{run.total:,}"),
        ("Passed", f"{run.passed:,}"),
        ("Failed", f"{run.failed:,}", "Rows that fail at least one check that is an error"),
        ("Checks", f"{len(run.outcomes):,}"),
        ("Warnings", f"{run.warnings:,}", "Values that fail a check which is a warning; they fail no row"),
        ("Set aside", f"{cached_quality.aside_count(sheet.id):,}", "Items that generation leaves out"),
    ]


def worst(run: QualityRun) -> None:
    """The checks that fail most; the rest is on the results."""
    failing = sorted((one for one in run.outcomes if one.failed), key=lambda one: -one.failed)[:6]
    with st.container(border=True):
        with st.container(horizontal=True, vertical_alignment="center"):
            st.markdown("**What fails most**")
            st.space("stretch")
            st.button(
                "All results", type="tertiary", icon=":material/arrow_forward:", icon_position="right",
                key="quality_all_results", on_click=go_within, kwargs={"show": "results", "run": "", "check": ""},
            )  # fmt: skip
        if not failing:
            st.markdown(":green[:material/check_circle:] Every row passes every check.")
            return
        frame = pd.DataFrame(
            {
                "check": [one.name for one in failing],
                "failed": [one.failed for one in failing],
                "tone": ["bad" if one.criticality is Criticality.ERROR else "warning" for one in failing],
            }
        )
        bar_chart(
            frame, "check", "failed", tones="tone", is_horizontal=True, key="quality_worst",
            alt="Checks with most failing rows", look=Look(height=0),
        )  # fmt: skip


def export_report(sheet: Sheet, run: QualityRun) -> None:
    """The last run as files; they are made when they are asked for."""
    quality, stem = cached.workbench().data_quality, file_stem(sheet.name)
    with st.container(horizontal=True, horizontal_alignment="right"):
        st.download_button(
            "Report (JSON)", lambda: quality.report_json(run.id), f"{stem}-quality.json", "application/json",
            key="quality_report", icon=":material/download:", on_click="ignore",
        )  # fmt: skip
        st.download_button(
            "Failing rows (CSV)", lambda: "".join(quality.failures_csv(run.id)), f"{stem}-failing.csv", "text/csv",
            key="quality_csv", icon=":material/download:", on_click="ignore", disabled=not run.keeps_items,
            help=None if run.keeps_items else "The single items of this run are not kept",
        )  # fmt: skip
