"""One sheet on the Data quality page: its score, what can be done, and the parts that show everything else."""

from __future__ import annotations

from urllib.parse import quote

import streamlit as st

from pages.components.address import choose_in_url, go_within
from pages.components.charts import gauge
from pages.components.data_navigation import go
from pages.components.errors import guard
from pages.components.layout import empty_state, page_header
from pages.components.quality_fix import show_fix_queue
from pages.components.quality_history import show_change, show_history, title_of
from pages.components.quality_look import TONES, rate, score_word
from pages.components.quality_profile import follow_profile, profile_button, show_profile
from pages.components.quality_results import (
    check_bars,
    follow,
    headline,
    how_it_ended,
    run_button,
    show_results,
    show_stale,
)
from pages.components.quality_rules import file_stem, show_rules
from pages.components.quality_scans import scan_options
from pages.components.quality_values import LEGEND
from pages.components.rights import why_not
from pages.components.words import ago, counted, duration, plain
from workbench_core import cached, cached_quality
from workbench_core.data_quality import Criticality, ItemKind, QualityRun
from workbench_core.permissions import Action
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
        st.page_link(
            "data.py", label="Open the sheet", icon=":material/table_view:", query_params={"sheet": sheet.id},
            width="content",
        )  # fmt: skip
        profile_button(sheet, refusal=refusal)
        options = scan_options(sheet, refusal=refusal)
        run_button(sheet, options, refusal=refusal)
    page_header(plain(sheet.name), subtitle(sheet), is_demo=sheet.is_demo)
    show_work(sheet, refusal=refusal)
    counts = {"rules": len(cached_quality.rules(sheet.id))}
    if waiting := waiting_items(sheet):
        counts["fix"] = waiting
    part = choose_in_url("Part", list(PARTS), key="show", default="overview", titles=PARTS, counts=counts)
    run = chosen_run(sheet) if part == "results" else cached_quality.latest(sheet.id)
    if part == "profile":
        show_profile(sheet, refusal=refusal)
    elif part == "rules":
        show_rules(sheet, refusal=refusal)
    elif part == "fix" and (run or cached_quality.set_aside_count(sheet.id)):
        show_fix_queue(sheet, refusal=refusal)
    elif run is None:
        begin(sheet, part, refusal=refusal)
    elif part == "results":
        show_results(sheet, run, refusal=refusal)
    elif part == "history":
        show_history(sheet)
    else:
        show_overview(sheet, run)


def waiting_items(sheet: Sheet) -> int:
    """Open items of the fix queue: failing ones, duplicates, near-duplicates and outliers; warnings wait for nobody."""
    beside = sum(count for kind, count in cached_quality.counts(sheet.id).items() if kind is not ItemKind.FAILING)
    return cached_quality.counts_by_severity(sheet.id).get(Criticality.ERROR, 0) + beside


def subtitle(sheet: Sheet) -> str:
    """Where its rows come from, and how many items are set aside."""
    set_aside = cached_quality.set_aside_count(sheet.id)
    items = f" · {sheet.item_count:,} items" if sheet.item_count is not None else ""
    kept_out = f" · {set_aside:,} set aside" if set_aside else ""
    return plain(f"{' + '.join(sheet.tables)}{items}{kept_out}")


def chosen_run(sheet: Sheet) -> QualityRun | None:
    """The run of the address when it is one of this sheet, else the latest."""
    if wanted := st.query_params.get("run", ""):
        with guard():
            run = cached_quality.run(wanted)
            if run.sheet_id == sheet.id:
                latest = cached_quality.latest(sheet.id)
                if latest and latest.id != run.id:
                    st.info(f"This is the run of {title_of(run)}, not the latest one.", icon=":material/history:")
                    st.button("Show the latest", key="quality_newest", on_click=go_within, kwargs={"run": ""})
                return run
    return cached_quality.latest(sheet.id)


# --- work under way --------------------------------------------------------------------------------------------------


def show_work(sheet: Sheet, *, refusal: str) -> None:
    """Checks and profiles that wait or run now, and why the last one failed or stopped."""
    quality = cached.workbench().data_quality
    checking, profiling = quality.run_of(sheet.id), quality.profiling(sheet.id)
    if checking and checking.is_active:
        follow(sheet.id, checking.id, refusal)
    elif checking:
        how_it_ended(checking)
    if profiling and profiling.is_active:
        follow_profile(sheet.id, profiling.id, refusal)
    elif profiling and profiling.error:
        st.error(plain(profiling.error), icon=":material/error:", title="The last profile failed")


# --- overview --------------------------------------------------------------------------------------------------------


def show_overview(sheet: Sheet, run: QualityRun) -> None:
    """The score as a gauge, the numbers, what changed, and what fails most."""
    show_stale(sheet, run)
    left, right = st.columns([2, 3], gap="medium")
    with left, st.container(border=True, height="stretch"):
        word = score_word(run)
        if run.pass_rate is None or run.colour is None:
            empty_state(plain(headline(run)), icon=":material/rule:")
        else:
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
        if aside := cached_quality.set_aside_count(sheet.id):
            st.button(
                f"Look at {counted(aside, 'item')} set aside", type="tertiary", icon=":material/arrow_forward:",
                icon_position="right", key="quality_aside", on_click=go_within,
                kwargs={"show": "fix", "state": "set_aside", "kind": "all"},
            )  # fmt: skip
        with st.container(border=True, height="stretch"):
            st.markdown("**Since the run before**")
            compared = cached_quality.comparison_with_previous(run.id)
            if compared is None:
                st.caption("This is the first run.")
            else:
                show_change(compared)
    if run.check_count:
        worst(run)
    export_report(sheet, run)


BEFORE = {
    "results": ("No run yet, so there is nothing to show: a run says for each rule which rows fail it.", "rule"),
    "history": ("No run yet: every run stays here, and two of them can be compared.", "history"),
    "fix": ("Nothing waits: what a run finds is decided here, item by item or many at once.", "playlist_add_check"),
}


def begin(sheet: Sheet, part: str, *, refusal: str) -> None:
    """Before the first run: what this part is for, and the one useful next step."""
    rules = cached_quality.rules(sheet.id)
    if part not in BEFORE:
        if rules:
            empty_state(
                f"{counted(len(rules), 'rule')}, and no run yet. Run the checks, with the button above, to see which "
                "rows fail.",
                icon=":material/play_circle:",
            )
            return
        with empty_state(
            "Profile this sheet to get suggestions: what every column holds, and the rules that hold for it today.",
            icon=":material/query_stats:",
        ):
            profile_button(sheet, refusal=refusal, kind="primary", place="overview")
        return
    words, icon = BEFORE[part]
    step = "Run the checks, with the button above." if rules else "Add rules first."
    with empty_state(f"{words} {step}", icon=f":material/{icon}:"):
        if not rules:
            st.button(
                "Go to the rules", icon=":material/arrow_forward:", icon_position="right", key="quality_to_rules",
                on_click=go_within, kwargs={"show": "rules"},
            )  # fmt: skip


def tiles(sheet: Sheet, run: QualityRun) -> list[tuple[str, str] | tuple[str, str, str]]:
    """The numbers of the last run."""
    return [
        ("Rows", f"{run.total:,}"),
        ("Passed", "–" if run.passed is None else f"{run.passed:,}", "Rows that fail no check that is an error"),
        (
            "Failed",
            f"{run.failed:,}" if run.check_count else "–",
            "Rows that fail at least one check that is an error",
        ),
        ("Checks", f"{run.check_count:,}", f"{run.checks_in_words}: a rule on several columns is a check for each"),
        ("Warnings", f"{run.warnings:,}", "Values that fail a check which is a warning; they fail no row"),
        ("Set aside", f"{cached_quality.set_aside_count(sheet.id):,}", "Items that generation leaves out"),
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
        check_bars(failing, key="quality_worst", alt="Checks with most failing rows")
        st.caption(LEGEND)


def export_report(sheet: Sheet, run: QualityRun) -> None:
    """The last run as files; they are made when they are asked for."""
    quality, stem = cached.workbench().data_quality, file_stem(sheet.name)
    with st.container(horizontal=True, horizontal_alignment="right"):
        st.download_button(
            "Report (JSON)", lambda: quality.report_json(run.id), f"{stem}-quality.json", "application/json",
            key="quality_report", icon=":material/download:", on_click="ignore",
        )  # fmt: skip
        st.link_button(
            "Failing values (CSV)" if run.is_complete else f"The first {run.kept_failures:,} failing values (CSV)",
            f"/quality/{quote(run.id, safe='')}/failing.csv", key="quality_csv", icon=":material/download:",
            disabled=not run.keeps_items, help=run.cut_note or None,
        )  # fmt: skip
