"""What a run found: a bar for every check, the failing items of one, and setting them aside together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import pandas as pd
import streamlit as st

from pages.components.address import go_within, page_in_url, pick_row
from pages.components.charts import Look, bar_chart, stacked_bar
from pages.components.data_navigation import back_within
from pages.components.errors import guard_callback
from pages.components.identity import current_user
from pages.components.layout import Color, close_popover, empty_state, flash, metric_row, run_progress, work_popover
from pages.components.quality_look import (
    CRITICALITIES,
    KINDS,
    column_title,
    column_words,
    rate,
    rules_and_checks,
    sentence,
)
from pages.components.quality_values import (
    LEGEND,
    SEVERITIES,
    SEVERITY_COLORS,
    found_beside,
    kinds_of,
    severity_badge,
    shown,
    with_symbols,
)
from pages.components.words import ago, counted, duration, percent, plain
from workbench_core import cached, cached_quality
from workbench_core.data_quality import (
    Criticality,
    Decision,
    QualityRun,
    QueueFilter,
    RuleChange,
    RuleOutcome,
    ScanOptions,
)
from workbench_core.data_quality.results import cut_sentence
from workbench_core.runs import Run, RunStatus
from workbench_core.sheets import Sheet

SET_ASIDE = "quality_set_aside"
MOST_BARS = 12
WARNINGS = "warnings"  # the kind of the fix queue that lists items which fail warnings alone
STALE = "of an earlier version of the sheet"
PAGE_SIZE = 25


# --- long work -------------------------------------------------------------------------------------------------------


def run_button(sheet: Sheet, options: ScanOptions, *, refusal: str) -> None:
    """Check all rows with the rules that are enabled."""
    enabled = [rule for rule in cached_quality.rules(sheet.id) if rule.is_enabled]
    count = len(enabled)
    run = cached.workbench().data_quality.run_of(sheet.id)
    nothing = "" if count or not options.is_empty else "No rule is enabled. Profile the sheet to get suggestions."
    reason = refusal or nothing or ("The checks run now." if run and run.is_active else "")
    st.button(
        f"Run checks ({count})", type="primary", icon=":material/play_arrow:", key="quality_run",
        on_click=start, args=(sheet.id, options), disabled=bool(reason),
        help=reason or f"Looks at every row of the sheet: {rules_and_checks(enabled)}",
    )  # fmt: skip


def start(sheet_id: str, options: ScanOptions) -> None:
    """Queue the checks and watch them."""
    with guard_callback():
        cached.workbench().data_quality.start(sheet_id, by=current_user(), options=options)
        go_within(show="results", run="", check="")


@st.fragment(run_every="1s")
def follow(sheet_id: str, run_id: str, refusal: str) -> None:
    """Progress of the checks with rate and time left; the whole page comes back when they have ended."""
    run = cached.workbench().runs.get(run_id)
    if not run.is_active:
        st.rerun()
    with st.container(border=True):
        st.markdown(f":material/rule: **{plain(run.title)}**")
        run_progress(run, unit="%")
        st.button(
            "Cancel", icon=":material/stop_circle:", key="quality_cancel", on_click=cancel, args=(sheet_id,),
            disabled=bool(refusal) or run.cancel_requested, help=refusal or None,
        )  # fmt: skip
        if run.cancel_requested:
            st.caption("They are being cancelled: they stop at their next step.")


def cancel(sheet_id: str) -> None:
    """Ask the checks to stop; `how_it_ended` says what became of it."""
    with guard_callback():
        cached.workbench().data_quality.cancel(sheet_id, by=current_user())


def how_it_ended(run: Run) -> None:
    """Why the last run of the checks failed, or what became of the wish to cancel it."""
    if run.error:
        st.error(plain(run.error), icon=":material/error:", title="The last run of the checks failed")
    elif run.status is RunStatus.CANCELLED:
        st.info(
            f"The last run of the checks was cancelled, {ago(run.finished_at)}. Nothing of it is kept.",
            icon=":material/cancel:",
        )
    elif run.cancel_requested and run.status is RunStatus.SUCCEEDED:
        st.info(
            "The last run of the checks had ended before it could be cancelled. Its result is kept.",
            icon=":material/task_alt:",
        )


# --- one run ---------------------------------------------------------------------------------------------------------


def show_results(sheet: Sheet, run: QualityRun, *, refusal: str) -> None:
    """The outcome of a run, check by check."""
    if position := st.query_params.get("check"):
        show_check(sheet, run, position, refusal=refusal)
        return
    is_checked = bool(run.check_count)
    st.markdown(f"**{plain(run.sentence if is_checked else headline(run))}**")
    show_stale(sheet, run)
    took = f"Checked by {run.run_by}, {ago(run.run_at)}, in {duration(run.seconds)}"
    st.caption(plain(f"{took} · source {run.source}" + ("" if run.keeps_items else " · its single items are not kept")))
    if run.cut_note:
        st.warning(plain(run.cut_note), icon=":material/content_cut:")
    if is_checked:
        show_bars(run)
        list_checks(run, sheet)
    show_scans(run)


def headline(run: QualityRun) -> str:
    """What a run without a check found."""
    return " · ".join(["No rules checked", *found_beside(run)])


def show_stale(sheet: Sheet, run: QualityRun) -> None:
    """That the numbers are of rows which the sheet does not read any more, and the next step."""
    if run.is_stale(sheet):
        with st.container(horizontal=True, vertical_alignment="center", gap="small"):
            st.badge(STALE, color="gray", icon=":material/history:")
            st.caption("It reads other rows now. Run checks again.", width="content")


def list_checks(run: QualityRun, sheet: Sheet) -> None:
    """The checks of a run as a list; a click opens one."""
    changes, words = changes_of(run), column_words(sheet)
    pick_row(
        pd.DataFrame([check_line(outcome, changes.get(outcome.identity), words) for outcome in by_failures(run)]),
        [str(outcome.position) for outcome in by_failures(run)],
        param="check",
        alt="The checks of this run, those with most failing rows first",
        columns={
            "Check": st.column_config.TextColumn(width="medium"),
            "Failed share": st.column_config.ProgressColumn(format="percent", min_value=0, max_value=1, width=130),
            "Failed": st.column_config.NumberColumn(format="localized", width=80),
            "Evaluated": st.column_config.NumberColumn(format="localized", width=90),
            "Severity": st.column_config.MultiselectColumn(
                options=list(SEVERITIES), color=list(SEVERITY_COLORS), width=95
            ),
            "Demands": st.column_config.TextColumn(width="large"),
        },
    )


def by_failures(run: QualityRun) -> list[RuleOutcome]:
    """The outcomes, errors with most failing rows first."""
    return sorted(run.outcomes, key=lambda one: (-one.failed, one.criticality is Criticality.WARN, one.position))


def changes_of(run: QualityRun) -> dict[str, RuleChange]:
    """How each check differs from the run before, by its identity."""
    compared = cached_quality.comparison_with_previous(run.id)
    return {one.after.identity: one for one in compared.rules if one.after} if compared else {}


def check_line(outcome: RuleOutcome, change: RuleChange | None, words: Mapping[str, str]) -> dict[str, object]:
    """One line of the list."""
    return {
        "Check": outcome.name,
        "Failed share": outcome.share,
        "Failed": outcome.failed,
        "Evaluated": outcome.evaluated,
        "Severity": [severity_badge(outcome)],
        "Since last run": change_words(change),
        "Demands": meaning_in(outcome, words),
    }


def meaning_in(outcome: RuleOutcome, words: Mapping[str, str]) -> str:
    """What a check demands, its columns as the sheet calls them."""
    for name in outcome.columns:
        if name in words:
            outcome = replace(outcome, meaning=outcome.meaning.replace(name, words[name]))
    return outcome.meaning


def change_words(change: RuleChange | None) -> str:
    """How the number of failing rows moved."""
    if change is None:
        return ""
    if change.after is None:
        return "gone"
    if change.change is None:
        return "new"
    if change.is_changed:
        return "other rule now"
    if change.change == 0:
        return "same"
    return f"▲ {change.change:,} more" if change.change > 0 else f"▼ {-change.change:,} fewer"


def show_bars(run: QualityRun) -> None:
    """Rows that pass, and the checks that fail most."""
    left, right = st.columns([2, 3], gap="medium")
    with left, st.container(border=True, height="stretch"):
        st.markdown("**Rows**")
        frame = pd.DataFrame({"Rows": "", "Outcome": ["Pass", "Fail"], "Count": [run.passed or 0, run.failed]})
        stacked_bar(
            frame, "Rows", "Count", series="Outcome", tones={"Pass": "good", "Fail": "bad"}, is_horizontal=True,
            key="quality_rows_bar", alt=f"{run.passed or 0:,} rows pass, {run.failed:,} fail",
            look=Look(height=120, unit="rows"),
        )  # fmt: skip
        metric_row([("Rows that fail", f"{run.failed:,}"), ("Warnings", f"{run.warnings:,}")], width=110)
        st.caption("A row fails when it fails at least one check that is an error. Warnings fail no row.")
    with right, st.container(border=True, height="stretch"):
        st.markdown("**Failing rows of each check**")
        failing = [one for one in by_failures(run) if one.failed]
        if not failing:
            st.caption(":green[:material/check_circle:] No check has failing rows.")
            return
        check_bars(failing[:MOST_BARS], key="quality_checks_bar", alt="Failing rows of each check")
        rest = len(failing) - MOST_BARS
        st.caption(LEGEND + (f" {rest:,} more are in the list." if rest > 0 else ""))


def check_bars(outcomes: Sequence[RuleOutcome], *, key: str, alt: str) -> None:
    """A bar for each check: how many rows fail it, with the symbol and colour of its severity."""
    frame = pd.DataFrame(
        {
            "check": with_symbols(outcomes),
            "failed": [one.failed for one in outcomes],
            "tone": ["bad" if one.criticality is Criticality.ERROR else "warning" for one in outcomes],
        }
    )
    bar_chart(
        frame, "check", "failed", tones="tone", is_horizontal=True, key=key, alt=alt, look=Look(height=0)
    )  # fmt: skip


def show_scans(run: QualityRun) -> None:
    """What was looked for beside the rules."""
    for kind, found in run.scans.items():
        if found.refused:
            st.markdown(f"**{KINDS[kind]}**: not looked for")
            st.caption(plain(found.refused))
            continue
        with st.container(horizontal=True, vertical_alignment="center"):
            st.markdown(f"**{KINDS[kind]}**: {counted(found.items, 'item')}", width="content")
            with st.popover("How", type="tertiary", icon=":material/info:", key=f"quality_how_{kind.value}"):
                st.text(found.note.replace("; ", "\n"))
            if found.items:
                st.button(
                    "Look at them", type="tertiary", icon=":material/arrow_forward:", icon_position="right",
                    key=f"quality_look_{kind.value}", on_click=go_within, kwargs={"show": "fix", "kind": kind.value},
                )  # fmt: skip
        if note := cut_sentence(found.items, found.kept, kind):
            st.caption(plain(note))


# --- one check -------------------------------------------------------------------------------------------------------


def show_check(sheet: Sheet, run: QualityRun, position: str, *, refusal: str) -> None:
    """One check of a run with the items that fail it."""
    back_within("All checks", check="")
    outcome = next((one for one in run.outcomes if str(one.position) == position), None)
    if outcome is None:
        st.warning("This run has no such check.", icon=":material/search_off:")
        return
    left, right = st.columns([3, 2], vertical_alignment="center")
    with left:
        with st.container(horizontal=True, vertical_alignment="center", gap="small"):
            st.subheader(plain(outcome.name), anchor=False, width="content")
            color: Color = "red" if outcome.criticality is Criticality.ERROR else "orange"
            st.badge(CRITICALITIES[outcome.criticality], color=color if outcome.failed else "gray")
        where = f" Only rows where {plain(outcome.filter)}." if outcome.filter else ""
        st.markdown(sentence(meaning_in(outcome, column_words(sheet))) + where)
        show_stale(sheet, run)
    with right, st.container(horizontal=True, horizontal_alignment="right"):
        st.button(
            "Open the rule", icon=":material/edit:", key="quality_open_rule", on_click=go_within,
            kwargs={"show": "rules", "rule": outcome.rule_id, "check": ""},
        )  # fmt: skip
        set_aside_all(sheet, run, outcome, refusal=refusal)
    metric_row(
        [
            ("Failed", f"{outcome.failed:,}", f"{percent(outcome.share, digits=2)} of the evaluated rows"),
            ("Evaluated", f"{outcome.evaluated:,}", "Rows that fall under the filter of the rule"),
            ("Pass rate", rate(outcome.pass_rate)),
            ("Since last run", change_words(changes_of(run).get(outcome.identity)) or "first run"),
        ]
    )
    list_failures(sheet, run, outcome)


def list_failures(sheet: Sheet, run: QualityRun, outcome: RuleOutcome) -> None:
    """The failing items with the values that failed, a page at a time."""
    if not outcome.failed:
        empty_state("Every row passes this check.", icon=":material/task_alt:")
        return
    st.subheader("Failing items", anchor=False)
    kept = cached_quality.kept_failing(run.id, outcome.position)
    number = page_in_url(-(-kept // PAGE_SIZE))
    found = cached_quality.failures(run.id, outcome.position, PAGE_SIZE, PAGE_SIZE * (number - 1))
    is_error = outcome.criticality is Criticality.ERROR
    value = ", ".join(column_title(sheet, name) for name in outcome.columns) or "Value"
    kind = kinds_of(sheet).get(outcome.columns[0], "") if len(outcome.columns) == 1 else ""
    pick_row(
        pd.DataFrame({"Item": [one.item_ref for one in found], value: [shown(one.value, kind) for one in found]}),
        [one.item_ref for one in found],
        param="item",
        also={"show": "fix", "check": "", "page": "", "kind": "" if is_error else WARNINGS},
        alt="Failing items with the values that failed",
    )
    if not run.keeps_items:
        st.caption(f"The single items of older runs are not kept; these are the first {len(found)} as a sample.")
    elif kept < outcome.failed:
        st.caption(
            f"{kept:,} of {outcome.failed:,} failing items are kept and listed: the run found too many. Repair the "
            "source, or narrow the sheet by a filter, and check again."
        )
    else:
        st.caption("A click opens the item with everything that is wrong with it.")


def set_aside_all(sheet: Sheet, run: QualityRun, outcome: RuleOutcome, *, refusal: str) -> None:
    """Set all open items aside that fail this check, after saying how many they are."""
    latest = cached_quality.latest(sheet.id)
    is_old = latest is None or latest.id != run.id
    reason = refusal or ("Only the items of the latest run can be set aside." if is_old else "")
    wanted = QueueFilter(rule=outcome.name)
    waiting = 0 if reason else cached_quality.queue(sheet.id, wanted, 1, 0).total
    reason = reason or ("" if waiting else "None of its items is open.")
    with work_popover(
        "Set aside all", key=SET_ASIDE, icon=":material/do_not_disturb_on:", kind="primary", disabled=bool(reason)
    ):
        st.markdown(f"**{counted(waiting, 'item')}** that fail this check will be left out of generation.")
        if cached_quality.kept_failing(run.id, outcome.position) < outcome.failed:
            st.caption("More fail than are kept: those that are in no list stay in.")
        why = st.text_input(
            "Why", key=f"{SET_ASIDE}_reason", placeholder="For example: sensor was off", live="300ms"
        )  # fmt: skip
        st.button(
            f"Set aside {counted(waiting, 'item')}", type="primary", key=f"{SET_ASIDE}_now",
            disabled=not (why or "").strip(), on_click=set_aside_now, args=(sheet.id, wanted, run.id),
        )  # fmt: skip
    if reason:
        st.caption(reason)


def set_aside_now(sheet_id: str, wanted: QueueFilter, shown_run: str) -> None:
    """Set aside what the shown run lists."""
    with guard_callback():
        done = cached.workbench().data_quality.fix_queue.decide_all(
            sheet_id, Decision.SET_ASIDE, wanted, reason=str(st.session_state.get(f"{SET_ASIDE}_reason") or ""),
            by=current_user(), shown_run=shown_run,
        )  # fmt: skip
        close_popover(SET_ASIDE)
        flash(f"{counted(done.done, 'item')} set aside.")
        if done.note:
            flash(done.note, icon=":material/content_cut:")
