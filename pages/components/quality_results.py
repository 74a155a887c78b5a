"""What a run found: a bar for every check, the failing items of one, and setting them aside together."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from pages.components.charts import Look, bar_chart, stacked_bar
from pages.components.errors import guard, guard_callback
from pages.components.identity import current_user
from pages.components.layout import (
    ago,
    close_popover,
    duration,
    empty_state,
    flash,
    metric_row,
    percent,
    pick_row,
    plain,
    run_progress,
    work_popover,
)
from pages.components.quality_look import CRITICALITIES, KINDS, back, counted, go_within, pick, rate, sentence
from workbench_core import cached, cached_quality
from workbench_core.data_quality import (
    Criticality,
    Decision,
    ItemKind,
    ItemState,
    QualityRun,
    RuleChange,
    RuleOutcome,
    ScanOptions,
)
from workbench_core.sheets import Sheet

MOST_BARS = 12
PAGE_SIZE = 25


# --- long work -------------------------------------------------------------------------------------------------------


def scan_options(sheet: Sheet, *, refusal: str) -> ScanOptions:
    """What a run looks for beside the rules, chosen in a popover; it starts as the last run was."""
    last = cached.workbench().data_quality.scan_options(sheet.id)
    key = f"quality_scan_{sheet.id}"
    columns = cached.sheet_columns(sheet.id)
    texts = [column.name for column in columns if column.kind == "string"]
    with st.popover("Also look for", icon=":material/tune:", disabled=bool(refusal), help=refusal or None):
        st.caption("Beside the rules, a run can look for rows to have a second look at. They fail no row.")
        duplicates = st.toggle(
            "Duplicates",
            last.find_duplicates,
            key=f"{key}_duplicates",
            help="The same values in all columns with a role",
        )
        near = st.selectbox(
            "Near-duplicates in", ["", *texts], key=f"{key}_near", format_func=lambda name: name or "No column",
            index=texts.index(last.near_duplicate_column) + 1 if last.near_duplicate_column in texts else 0,
        )  # fmt: skip
        similarity = last.similarity
        if near:
            similarity = st.slider(
                "Similar from", 0.5, 0.95, last.similarity, 0.05, key=f"{key}_like", format="percent"
            )
        outliers = st.toggle(
            "Outliers", last.find_outliers, key=f"{key}_outliers", help="In all number columns with a role"
        )
    return ScanOptions(bool(duplicates), near or "", float(similarity), bool(outliers), last.outlier_columns)


def run_button(sheet: Sheet, options: ScanOptions, *, refusal: str) -> None:
    """Check all rows with the rules that are on."""
    count = sum(rule.is_enabled for rule in cached_quality.rules(sheet.id))
    run = cached.workbench().data_quality.run_of(sheet.id)
    nothing = "" if count or not options.is_empty else "No rule is on. Profile the sheet to get suggestions."
    reason = refusal or nothing or ("The checks run now." if run and run.is_active else "")
    st.button(
        f"Run checks ({count})", type="primary", icon=":material/play_arrow:", key="quality_run",
        on_click=start, args=(sheet.id, options), disabled=bool(reason),
        help=reason or "Looks at every row of the sheet",
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


def cancel(sheet_id: str) -> None:
    """Stop the checks; nothing is stored of them."""
    with guard_callback():
        cached.workbench().data_quality.cancel(sheet_id, by=current_user())
        flash("The checks are cancelled. Nothing of them is kept.", icon=":material/cancel:")


# --- one run ---------------------------------------------------------------------------------------------------------


def show_results(sheet: Sheet, run: QualityRun, *, refusal: str) -> None:
    """The outcome of a run, check by check."""
    if position := st.query_params.get("check"):
        show_check(sheet, run, position, refusal=refusal)
        return
    st.markdown(f"**{plain(run.sentence)}**")
    took = f"Checked by {run.run_by}, {ago(run.run_at)}, in {duration(run.seconds)}"
    st.caption(plain(f"{took} · source {run.source}" + ("" if run.keeps_items else " · its single items are not kept")))
    changes = changes_of(run)
    show_bars(run)
    pick_row(
        pd.DataFrame([check_line(outcome, changes.get(outcome.identity)) for outcome in by_failures(run)]),
        [str(outcome.position) for outcome in by_failures(run)],
        param="check",
        alt="The checks of this run, those with most failing rows first",
        columns={
            "Check": st.column_config.TextColumn(width="medium"),
            "Failed share": st.column_config.ProgressColumn(format="percent", min_value=0, max_value=1, width=130),
            "Failed": st.column_config.NumberColumn(format="localized", width=80),
            "Evaluated": st.column_config.NumberColumn(format="localized", width=90),
            "A failure is": st.column_config.MultiselectColumn(
                options=list(CRITICALITIES.values()), color=["red", "orange"], width=95
            ),
            "Demands": st.column_config.TextColumn(width="large"),
        },
    )
    show_scans(run)


def by_failures(run: QualityRun) -> list[RuleOutcome]:
    """The outcomes, errors with most failing rows first."""
    return sorted(run.outcomes, key=lambda one: (-one.failed, one.criticality is Criticality.WARN, one.position))


def changes_of(run: QualityRun) -> dict[str, RuleChange]:
    """How each check differs from the run before, by its identity."""
    compared = cached_quality.comparison_with_previous(run.id)
    return {one.after.identity: one for one in compared.rules if one.after} if compared else {}


def check_line(outcome: RuleOutcome, change: RuleChange | None) -> dict[str, object]:
    """One line of the list."""
    return {
        "Check": outcome.name,
        "Failed share": outcome.share,
        "Failed": outcome.failed,
        "Evaluated": outcome.evaluated,
        "A failure is": [CRITICALITIES[outcome.criticality]],
        "Since last run": change_words(change),
        "Demands": outcome.meaning,
    }


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
    failing = [one for one in by_failures(run) if one.failed]
    left, right = st.columns([2, 3], gap="medium")
    with left, st.container(border=True, height="stretch"):
        st.markdown("**Rows**")
        frame = pd.DataFrame({"Rows": "", "Outcome": ["Pass", "Fail"], "Count": [run.passed, run.failed]})
        stacked_bar(
            frame, "Rows", "Count", series="Outcome", tones={"Pass": "good", "Fail": "bad"}, is_horizontal=True,
            key="quality_rows_bar", alt=f"{run.passed:,} rows pass, {run.failed:,} fail",
            look=Look(height=120, unit="rows"),
        )  # fmt: skip
        metric_row([("Rows that fail", f"{run.failed:,}"), ("Warnings", f"{run.warnings:,}")], width=110)
        st.caption("A row fails when it fails at least one check that is an error. Warnings fail no row.")
    with right, st.container(border=True, height="stretch"):
        st.markdown("**Failing rows of each check**")
        if not failing:
            st.caption(":green[:material/check_circle:] No check has failing rows.")
            return
        shown = failing[:MOST_BARS]
        frame = pd.DataFrame(
            {
                "check": [one.name for one in shown],
                "failed": [one.failed for one in shown],
                "tone": ["bad" if one.criticality is Criticality.ERROR else "warning" for one in shown],
            }
        )
        bar_chart(
            frame, "check", "failed", tones="tone", is_horizontal=True, key="quality_checks_bar",
            alt="Failing rows of each check", look=Look(height=0),
        )  # fmt: skip
        rest = len(failing) - len(shown)
        st.caption("Red: errors. Orange: warnings." + (f" {rest:,} more are in the list." if rest else ""))


def show_scans(run: QualityRun) -> None:
    """What was looked for beside the rules."""
    for kind, found in run.scans.items():
        with st.container(horizontal=True, vertical_alignment="center"):
            st.markdown(f"**{KINDS[kind]}**: {counted(found.items, 'item')}", width="content")
            with st.popover("How", type="tertiary", icon=":material/info:", key=f"quality_how_{kind.value}"):
                st.text(found.note.replace("; ", "\n"))
            if found.items:
                st.button(
                    "Look at them", type="tertiary", icon=":material/arrow_forward:", icon_position="right",
                    key=f"quality_look_{kind.value}", on_click=go_within, kwargs={"show": "fix", "kind": kind.value},
                )  # fmt: skip


# --- one check -------------------------------------------------------------------------------------------------------


def show_check(sheet: Sheet, run: QualityRun, position: str, *, refusal: str) -> None:
    """One check of a run with the items that fail it."""
    back("All checks", check="")
    outcome = next((one for one in run.outcomes if str(one.position) == position), None)
    if outcome is None:
        st.warning("This run has no such check.", icon=":material/search_off:")
        return
    left, right = st.columns([3, 2], vertical_alignment="center")
    with left:
        with st.container(horizontal=True, vertical_alignment="center", gap="small"):
            st.subheader(plain(outcome.name), anchor=False, width="content")
            is_error = outcome.criticality is Criticality.ERROR
            st.badge(CRITICALITIES[outcome.criticality], color="red" if is_error else "orange")
        where = f" Only rows where {plain(outcome.filter)}." if outcome.filter else ""
        st.markdown(sentence(outcome.meaning) + where)
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
    list_failures(run, outcome)


def list_failures(run: QualityRun, outcome: RuleOutcome) -> None:
    """The failing items with the values that failed, a page at a time."""
    if not outcome.failed:
        empty_state("Every row passes this check.", icon=":material/task_alt:")
        return
    st.subheader("Failing items", anchor=False)
    kept = outcome.failed if run.keeps_items else len(outcome.samples)
    pages = -(-kept // PAGE_SIZE)
    number = st.pagination(pages, key="page", bind="query-params") if pages > 1 else 1
    found = cached_quality.failures(run.id, outcome.position, PAGE_SIZE, PAGE_SIZE * (number - 1))
    value = ", ".join(outcome.columns) or "Value"
    pick(
        pd.DataFrame({"Item": [one.item_ref for one in found], value: [one.value for one in found]}),
        lambda row: go_within(show="fix", item=found[row].item_ref, check="", page=""),
        key="quality_failing",
        alt="Failing items with the values that failed",
    )
    if not run.keeps_items:
        st.caption(f"The single items of older runs are not kept; these are the first {len(found)} as a sample.")
    else:
        st.caption("A click opens the item with everything that is wrong with it.")


def set_aside_all(sheet: Sheet, run: QualityRun, outcome: RuleOutcome, *, refusal: str) -> None:
    """Set all open items aside that fail this check, after saying how many they are."""
    latest = cached_quality.latest(sheet.id)
    is_old = latest is None or latest.id != run.id
    reason = refusal or ("Only the items of the latest run can be set aside." if is_old else "")
    wanted = (ItemKind.FAILING, ItemState.OPEN, outcome.name, "")
    waiting = 0 if reason else cached_quality.queue(sheet.id, wanted, 1, 0).total
    reason = reason or ("" if waiting else "None of its items is open.")
    with work_popover(
        "Set aside all", key="quality_aside_all", icon=":material/do_not_disturb_on:", kind="primary",
        disabled=bool(reason),
    ):  # fmt: skip
        st.markdown(f"**{counted(waiting, 'item')}** that fail this check will be left out of generation.")
        why = st.text_input("Why", key="quality_aside_reason", placeholder="For example: sensor was off", live="300ms")
        if st.button(
            f"Set aside {counted(waiting, 'item')}", type="primary", key="quality_aside_all_now",
            disabled=not (why or "").strip(),
        ):  # fmt: skip
            with guard():
                done = cached.workbench().data_quality.fix_queue.decide_all(
                    sheet.id, Decision.SET_ASIDE, reason=why or "", by=current_user(), rule=outcome.name,
                    only_errors=False,
                )  # fmt: skip
                close_popover("quality_aside_all")
                flash(f"{counted(done.done, 'item')} set aside.")
                st.rerun()
    if reason:
        st.caption(reason)
