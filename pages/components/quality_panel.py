"""The quality of one sheet at a glance, for the page of the sheet: last score, what is set aside, and the next step."""

from __future__ import annotations

import streamlit as st

from pages.components.charts import gauge
from pages.components.errors import guard
from pages.components.identity import current_user
from pages.components.layout import metric_row, run_progress
from pages.components.quality_look import TONES, rate, rules_and_checks, score_word
from pages.components.quality_results import headline, show_stale
from pages.components.rights import why_not
from pages.components.words import ago, plain
from workbench_core import cached, cached_quality
from workbench_core.data_quality import QualityRun
from workbench_core.permissions import Action
from workbench_core.sheets import Sheet

PAGE = "data_quality.py"


def quality_panel(sheet: Sheet) -> None:
    """The last score as a gauge, its numbers, and the one useful next step; all the rest is on Data quality."""
    with st.container(border=True, key="quality_panel"), guard():
        with st.container(horizontal=True, vertical_alignment="center"):
            st.subheader("Quality", anchor=False, width="content")
            st.space("stretch")
            st.page_link(
                PAGE, label="Data quality", icon=":material/verified:", query_params={"sheet": sheet.id},
                width="content",
            )  # fmt: skip
        latest = cached_quality.latest(sheet.id)
        if latest is None:
            st.caption("Its rows were not checked yet.")
        else:
            show_stale(sheet, latest)
            last_score(sheet, latest)
        next_step(sheet)


def last_score(sheet: Sheet, run: QualityRun) -> None:
    """The gauge beside the numbers of the last run."""
    if run.passed is None or run.pass_rate is None or run.colour is None:
        st.caption(plain(f"{headline(run)} · {run.run_by}, {ago(run.run_at)}"))
        return
    left, right = st.columns([2, 3], gap="medium", vertical_alignment="center")
    word = score_word(run)
    with left:
        gauge(
            run.pass_rate, word, tones="neutral" if run.is_empty else TONES[run.colour], key="quality_panel_gauge",
            alt=f"{rate(run.pass_rate)} of the rows pass: {word}",
        )  # fmt: skip
    with right:
        metric_row(
            [
                ("Passed", f"{run.passed:,}", "Rows that fail no check that is an error"),
                ("Failed", f"{run.failed:,}", "Rows that fail at least one check that is an error"),
                ("Set aside", f"{cached_quality.set_aside_count(sheet.id):,}", "Items that generation leaves out"),
            ],
            width=120,
        )
        st.caption(plain(f"{run.checks_in_words}, made by {run.run_by}, {ago(run.run_at)}"))


def next_step(sheet: Sheet) -> None:
    """Progress while the checks run; else run them, or without rules have some suggested."""
    quality, refusal = cached.workbench().data_quality, why_not(Action.MANAGE_QUALITY)
    run = quality.run_of(sheet.id)
    if run and run.is_active:
        run_progress(run, unit="%")
        return
    if rules := [rule for rule in cached_quality.rules(sheet.id) if rule.is_enabled]:
        if st.button(
            f"Run checks ({len(rules)})", type="primary", icon=":material/play_arrow:", key="quality_panel_run",
            disabled=bool(refusal), help=refusal or f"Looks at every row of the sheet: {rules_and_checks(rules)}",
        ):  # fmt: skip
            quality.start(sheet.id, by=current_user())
            st.switch_page(PAGE, query_params={"sheet": sheet.id, "show": "results"})
    elif st.button(
        "Suggest rules", type="primary", icon=":material/query_stats:", key="quality_panel_suggest",
        disabled=bool(refusal), help=refusal or "Looks at every row and says which rules hold today",
    ):  # fmt: skip
        quality.profile(sheet.id, by=current_user())
        st.switch_page(PAGE, query_params={"sheet": sheet.id, "show": "profile", "view": "suggestions"})
