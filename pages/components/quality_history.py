"""How the quality of a sheet moved from run to run, and what lies between two runs."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC

import pandas as pd
import streamlit as st

from pages.components.address import pick_row
from pages.components.charts import Look, line_chart, stacked_bar
from pages.components.layout import metric_row
from pages.components.quality_look import column_words, rate, score_word
from pages.components.quality_results import change_words, meaning_in
from pages.components.quality_values import SEVERITIES, SEVERITY_COLORS, severity_badge
from pages.components.words import ago, counted, duration, plain
from workbench_core import cached_quality
from workbench_core.data_quality import QualityRun, RunComparison, ScoreWord
from workbench_core.sheets import Sheet

SHOWN_RUNS = 10
MAX_REFS = 50


def show_history(sheet: Sheet) -> None:
    """The last runs as lines and bars, the list, and the comparison of two."""
    runs = cached_quality.runs(sheet.id, SHOWN_RUNS)
    if any(one.check_count for one in runs):
        draw_runs(runs)
    list_runs(runs)
    if len(runs) > 1:
        compare_two(sheet, runs)


def draw_runs(runs: Sequence[QualityRun]) -> None:
    """Pass rate and rows of each run, the oldest on the left."""
    rated = [(name, one) for name, one in numbered(runs).items() if one.pass_rate is not None]
    ordered, names = [one for _, one in reversed(rated)], [name for name, _ in reversed(rated)]
    left, right = st.columns(2, gap="medium")
    with left, st.container(border=True):
        st.markdown("**Pass rate**")
        rates = [one.pass_rate or 0.0 for one in ordered]
        frame = pd.DataFrame({"run": names, "rate": rates})
        room = max(0.5 * (max(rates) - min(rates)), 0.03)  # a small move must not look like a fall
        look = Look(
            is_share=True, digits=2, low=max(0.0, min(rates) - room), high=min(1.0, max(rates) + room), height=230
        )
        line_chart(
            frame, "run", "rate", key="quality_rates", look=look,
            alt=f"Pass rate of the last {len(runs)} runs, now {rate(ordered[-1].pass_rate)}",
        )  # fmt: skip
    with right, st.container(border=True):
        st.markdown("**Rows**")
        frame = pd.DataFrame({"run": names, "Pass": [one.passed for one in ordered],
                              "Fail": [one.failed for one in ordered]})  # fmt: skip
        stacked_bar(
            frame.melt("run", var_name="outcome", value_name="rows"), "run", "rows", series="outcome",
            tones={"Pass": "good", "Fail": "bad"}, key="quality_rows", look=Look(height=230, unit="rows"),
            alt="Rows that pass and fail in each run",
        )  # fmt: skip


def title_of(run: QualityRun) -> str:
    """When a run was, to the second: two runs may be near each other."""
    at = run.run_at.astimezone(UTC)
    return f"{at.day} {at:%b %Y, %H:%M:%S} UTC"


def numbered(runs: Sequence[QualityRun]) -> dict[str, QualityRun]:
    """Runs, newest first, by a short name each, the oldest as Run 1: an axis has no room for times."""
    return {f"Run {len(runs) - place}": run for place, run in enumerate(runs)}


def list_runs(runs: Sequence[QualityRun]) -> None:
    """The runs as a list; a click opens one."""
    pick_row(
        pd.DataFrame(
            {
                "Run": [f"{name} · {title_of(one)}" for name, one in numbered(runs).items()],
                "Score": [[score_word(one)] for one in runs],
                "Pass rate": [one.pass_rate for one in runs],
                "Rows": [one.total for one in runs],
                "Failed": [one.failed if one.check_count else None for one in runs],
                "Rules": [one.rule_count for one in runs],
                "Checks": [one.check_count for one in runs],
                "Took": [duration(one.seconds) for one in runs],
                "By": [one.run_by for one in runs],
            }
        ),
        [one.id for one in runs],
        param="run",
        also={"show": "results", "check": ""},
        alt="The last runs, newest first",
        columns={
            "Score": st.column_config.MultiselectColumn(
                options=[word.value for word in ScoreWord], color=["green", "blue", "orange", "red"], width=130
            ),
            "Pass rate": st.column_config.ProgressColumn(format="percent", min_value=0, max_value=1, width="small"),
            "Rows": st.column_config.NumberColumn(format="localized"),
            "Failed": st.column_config.NumberColumn(format="localized"),
        },
    )  # fmt: skip


# --- two runs --------------------------------------------------------------------------------------------------------


def compare_two(sheet: Sheet, runs: Sequence[QualityRun]) -> None:
    """Choose two runs and see what lies between them."""
    st.subheader("What changed between two runs", anchor=False)
    titles = {
        one.id: f"{name} · {title_of(one)} · {rate(one.pass_rate)}" for name, one in numbered(runs).items()
    }  # fmt: skip
    ids = list(titles)
    with st.container(horizontal=True, vertical_alignment="bottom"):
        before = st.selectbox("From", ids, index=1, key="quality_before", format_func=titles.__getitem__, width=340)
        after = st.selectbox("To", ids, index=0, key="quality_after", format_func=titles.__getitem__, width=340)
    if before == after:
        st.caption("Choose two different runs.")
        return
    show_comparison(sheet, cached_quality.comparison(str(before), str(after)))


def show_comparison(sheet: Sheet, found: RunComparison) -> None:
    """Numbers first, then check by check, then the items."""
    change = found.pass_rate_change
    metric_row(
        [
            (
                "Points of pass rate",
                "–" if change is None else f"{100 * change:+.2f}",
                f"{rate(found.before.pass_rate)} then",
            ),
            ("Rows", f"{found.after.total - found.before.total:+,}", f"{found.before.total:,} then"),
            ("Newly failing", known(found.newly_failing), "Items that passed before"),
            ("Repaired", known(found.repaired), "Items that failed before and pass now"),
        ]
    )
    if not found.is_same_selection:
        st.warning("The two runs looked at other rows: source, filter or sample differ.", icon=":material/compare:")
    if found.note:
        st.caption(plain(found.note))
    compare_checks(sheet, found)
    for title, refs in (("newly failing", found.newly_failing_refs), ("repaired", found.repaired_refs)):
        if refs:
            with st.expander(f"Items {title}"):
                st.text(", ".join(refs[:MAX_REFS]) + (" …" if len(refs) > MAX_REFS else ""))


def compare_checks(sheet: Sheet, found: RunComparison) -> None:
    """The failing rows of each check then and now."""
    words = column_words(sheet)
    frame = pd.DataFrame(
        {
            "Check": [one.name for one in found.rules],
            "Severity": [[severity_badge(one.after or one.before)] for one in found.rules if one.after or one.before],
            "Then": [f"{one.before.failed:,}" if one.before else "–" for one in found.rules],
            "Now": [f"{one.after.failed:,}" if one.after else "–" for one in found.rules],
            "Change": [change_words(one) for one in found.rules],
            "Demands": [meaning_in(one.after or one.before, words) for one in found.rules if one.after or one.before],
        }
    )
    st.dataframe(
        frame, hide_index=True, height="content", alt="Failing rows of each check in both runs",
        column_config={
            "Check": st.column_config.TextColumn(width="medium"),
            "Severity": st.column_config.MultiselectColumn(
                options=list(SEVERITIES), color=list(SEVERITY_COLORS), width="small"
            ),
        },
    )  # fmt: skip


def known(count: int | None) -> str:
    """A count, or a dash when items of a run are not kept."""
    return "–" if count is None else f"{count:,}"


# --- in short --------------------------------------------------------------------------------------------------------


def show_change(found: RunComparison) -> None:
    """What changed against the run before, in a few lines."""
    change = found.pass_rate_change
    points = 0.0 if change is None else 100 * change
    arrow = ":green[:material/trending_up:]" if points > 0 else ":red[:material/trending_down:]"
    lines = [f"{arrow} Pass rate {points:+.2f} points, {rate(found.before.pass_rate)} {ago(found.before.run_at)}"]
    if change is None:
        lines = [":material/trending_flat: No pass rate to compare: one of the two runs checked no rule"]
    elif not points:
        lines = [f":material/trending_flat: Pass rate as before, {rate(found.before.pass_rate)}"]
    if found.newly_failing:
        lines.append(f":red[:material/add_circle:] {counted(found.newly_failing, 'item')} newly failing")
    if found.repaired:
        lines.append(f":green[:material/build_circle:] {counted(found.repaired, 'item')} repaired")
    moved = sorted((one for one in found.rules if one.change), key=lambda one: -abs(one.change or 0))
    lines += [f":material/rule: {plain(one.name)}: {change_words(one)}" for one in moved[:4]]
    if new := sum(one.before is None for one in found.rules):
        lines.append(f":blue[:material/add_task:] {counted(new, 'check')} not made before")
    if not found.is_same_selection:
        lines.append(":orange[:material/compare:] The rows are chosen differently now")
    st.markdown("  \n".join(lines))
