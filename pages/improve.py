"""From feedback and errors to gaps, labels and a better version: `?view=feedback|gaps|tasks` chooses.

`?gap=<id>`, `?task=<id>` and `?feedback=<id>` open one; `?endpoint=` and `?model=` narrow the lists.
"""

from __future__ import annotations

import pandas as pd
import streamlit as st

from pages.components.address import choose_in_url, pick_row, search_in_url
from pages.components.charts import Look, interval_chart, stacked_bar
from pages.components.errors import guard, guard_callback
from pages.components.gap_details import show_gap
from pages.components.identity import current_user
from pages.components.layout import (
    close_popover,
    empty_state,
    flash,
    metric_row,
    page_header,
    run_progress,
    work_popover,
)
from pages.components.records import show_row
from pages.components.rights import why_not
from pages.components.task_details import show_task, task_line
from pages.components.words import ago, percent, plain, words
from workbench_core import cached
from workbench_core.feedback import LIFECYCLE as FEEDBACK_LIFECYCLE
from workbench_core.feedback import FeedbackItem, FeedbackStatus, Rating
from workbench_core.gaps import Gap
from workbench_core.permissions import Action

SUBTITLE = "From feedback and errors to gaps, labels and better versions."
VIEWS = {"feedback": "Feedback", "gaps": "Gaps", "tasks": "Labelling tasks"}
SHOWN_AT_ONCE = 50
DAYS = 30

workbench, user = cached.workbench(), current_user()
refusal = why_not(Action.IMPROVE)


def choose_view() -> str:
    """Feedback, gaps or tasks, with how many are open."""
    counts = {
        "gaps": len(cached.gaps()),
        "tasks": len(cached.labeling_tasks(open_only=True)),
    }
    default = "feedback" if "endpoint" in st.query_params else "gaps"
    return choose_in_url("View", list(VIEWS), key="view", default=default, counts=counts, titles=VIEWS)


# --- gaps ------------------------------------------------------------------------------------------------------------


def show_gaps() -> None:
    """All gaps, the most urgent first, and the analysis that finds them."""
    versions = workbench.model_versions.find()
    if not versions:
        with empty_state("Gaps are found in the errors of a model version. There is none yet."):
            st.page_link("train.py", label="Train a model", icon=":material/model_training:")
        return
    with st.container(horizontal=True, vertical_alignment="bottom"):
        models = ["", *dict.fromkeys(version.model_name for version in versions)]
        model = st.selectbox(
            "Model", models, key="model", bind="query-params", format_func=lambda name: name or "All models", width=260
        )
        with_closed = st.toggle("Closed ones too", key="closed", bind="query-params")
        st.space("stretch")
        run_analysis({version.title: (version.model_name, version.version) for version in versions})
    follow_analyses()
    found = cached.gaps(model or "", include_closed=bool(with_closed))
    if found:
        compare_gaps(found)
        list_gaps(found)
    else:
        empty_state("No open gap. Run an analysis after an evaluation, or when people have rated answers.")


def run_analysis(titles: dict[str, tuple[str, int]]) -> None:
    """Choose a version and look for its gaps in the background."""
    with work_popover(
        "Run analysis", key="improve_run", icon=":material/troubleshoot:", kind="primary", disabled=bool(refusal)
    ):
        chosen = st.selectbox("Version", list(titles), key="improve_version")
        st.caption(
            "Looks at its held-out evaluation items and at judged answers, and searches the sheet's columns and the "
            "topics of its texts for groups that fail too often."
        )
        if st.button("Find gaps", type="primary", key="improve_analyse"):
            with guard():
                workbench.gaps.analyse(*titles[chosen], by=user)
                st.session_state["improve_followed"] = titles[chosen]
                close_popover("improve_run")
                st.rerun()
    if refusal:
        st.caption(refusal)


def follow_analyses() -> None:
    """The analysis that was started last here, or one that is under way."""
    active = [run for run in workbench.runs.find(active_only=True) if run.kind == "analyse_gaps"]
    if active:
        follow(active[0].id)
        return
    followed = st.session_state.get("improve_followed")
    run = workbench.gaps.run_of(*followed) if followed else None
    if run and run.error:
        st.error(plain(run.error), icon=":material/error:")
    elif run:
        st.success(f"{plain(run.title)}: {plain(run.message)}", icon=":material/check_circle:")


@st.fragment(run_every="1s")
def follow(run_id: str) -> None:
    """Progress of long work; the whole page comes back when it has ended."""
    run = workbench.runs.get(run_id)
    if not run.is_active:
        st.rerun()
    with st.container(border=True):
        st.markdown(plain(run.title))
        run_progress(run, unit="steps")


def compare_gaps(found: list[Gap]) -> None:
    """How often each gap's items fail, with the interval, against all items."""
    overall = {gap.overall_rate for gap in found}
    goal = {"goal": overall.pop(), "goal_name": "all items"} if len(overall) == 1 else {}
    frame = pd.DataFrame(
        {
            "gap": [gap.description for gap in found],
            "rate": [gap.error_rate for gap in found],
            "low": [gap.interval.low for gap in found],
            "high": [gap.interval.high for gap in found],
            "tone": ["bad" if gap.is_open else "neutral" for gap in found],
        }
    )
    with st.container(border=True):
        st.markdown("**Error rate of each gap**")
        interval_chart(
            frame, "gap", "rate", low="low", high="high", tones="tone", key="improve_gaps_chart",
            alt="Error rate of each gap with its 95 % interval",
            look=Look(is_share=True, digits=0, high=1.0, height=0, **goal),
        )  # fmt: skip


def list_gaps(found: list[Gap]) -> None:
    """The gaps as a table; a click opens one."""
    frame = pd.DataFrame(
        {
            "Priority": [gap.priority for gap in found],
            "Gap": [gap.description for gap in found],
            "Severity": [words(gap.severity) for gap in found],
            "Error": [percent(gap.error_rate) for gap in found],
            "Interval": [between(gap) for gap in found],
            "All items": [percent(gap.overall_rate) for gap in found],
            "Items": [gap.item_count for gap in found],
            "Seen": [f"{gap.occurrences} ×" for gap in found],
            "Status": [words(gap.status) for gap in found],
            "Version": [f"{gap.model_name} v{gap.version}" for gap in found],
            "Last seen": [ago(gap.last_seen_at) for gap in found],
        }
    )
    pick_row(
        frame,
        [gap.id for gap in found],
        param="gap",
        alt="Gaps, the most urgent first",
        columns={
            "Priority": st.column_config.ProgressColumn(format="%d", min_value=0, max_value=100, width="small"),
        },
    )


def between(gap: Gap) -> str:
    """The interval of a gap's error rate."""
    return f"{percent(gap.interval.low, digits=0)} – {percent(gap.interval.high, digits=0)}"


# --- tasks -----------------------------------------------------------------------------------------------------------


def show_tasks() -> None:
    """All labelling tasks with their progress."""
    with_closed = st.toggle("Closed ones too", key="closed", bind="query-params")
    found = cached.labeling_tasks(open_only=not with_closed)
    if not found:
        empty_state("No labelling task is open. One is made from a gap.", icon=":material/checklist:")
        return
    pick_row(
        pd.DataFrame([task_line(task) for task in found]),
        [task.id for task in found],
        param="task",
        alt="Labelling tasks and how far they are",
        columns={"Done": st.column_config.ProgressColumn(format="percent", min_value=0, max_value=1, width="small")},
    )


# --- feedback --------------------------------------------------------------------------------------------------------


def show_feedback() -> None:
    """What people said about answers: numbers, the course of the days, and the list."""
    names = ["", *(endpoint.name for endpoint in workbench.endpoints.find())]
    with st.container(horizontal=True, vertical_alignment="bottom"):
        endpoint = st.selectbox(
            "Endpoint", names, key="endpoint", bind="query-params", format_func=lambda name: name or "All endpoints",
            width=260,
        )  # fmt: skip
        search = search_in_url("search", label="Search", placeholder="Search answers and comments", width=260)
    feedback_numbers(endpoint or "")
    with st.container(horizontal=True, vertical_alignment="center"):
        rating = choose_in_url("Rating", ["all", *Rating], key="rating", default="all")
        status = choose_in_url("Fate", ["any", *FeedbackStatus], key="fate", default="any")
    shown = st.session_state.get("improve_feedback_shown", SHOWN_AT_ONCE)
    found = workbench.feedback.find(
        endpoint=endpoint or "",
        rating=None if rating == "all" else Rating(rating),
        status=None if status == "any" else FeedbackStatus(status),
        search=search,
        limit=shown,
    )
    if not found:
        nothing_said(is_filtered=bool(endpoint or search or rating != "all" or status != "any"))
        return
    list_feedback(found)
    if len(found) == shown:
        st.button("Show older ones", key="improve_older", icon=":material/expand_more:", on_click=show_older)


def show_older() -> None:
    """Make the list longer."""
    shown = st.session_state.get("improve_feedback_shown", SHOWN_AT_ONCE)
    st.session_state["improve_feedback_shown"] = shown + SHOWN_AT_ONCE


def feedback_numbers(endpoint: str) -> None:
    """Tiles and the course of the last 30 days."""
    stats = cached.feedback_stats(endpoint, DAYS)
    if not stats.total:
        return
    change = "" if stats.change is None else f"{percent(stats.change)} against the {DAYS} days before"
    metric_row(
        [
            (f"Ratings, {DAYS} days", f"{stats.total:,}"),
            ("Positive", percent(stats.positive_share), change or "Share of positive ratings"),
            ("Negative", f"{stats.negative:,}"),
            ("With a correction", f"{stats.with_correction:,}"),
            ("With a comment", f"{stats.with_comment:,}"),
        ]
    )
    frame = stats.daily.melt("day", var_name="rating", value_name="ratings")
    with st.container(border=True):
        st.markdown("**Ratings by day**")
        stacked_bar(
            frame, "day", "ratings", series="rating", key="improve_feedback_chart",
            look=Look(unit="ratings", height=190), tones={"positive": "good", "negative": "bad"},
            alt="Positive and negative ratings of each day",
        )  # fmt: skip


def nothing_said(*, is_filtered: bool) -> None:
    """Say why the list is empty, with the one useful next step."""
    if is_filtered:
        empty_state("No feedback matches. Change the filter.", icon=":material/search_off:")
        return
    with empty_state("Nobody has rated an answer yet.", icon=":material/thumbs_up_down:"):
        st.page_link("deploy.py", label="Ask an endpoint and rate its answer", icon=":material/rocket_launch:")


def list_feedback(found: list[FeedbackItem]) -> None:
    """Feedback as a table; a click opens one."""
    frame = pd.DataFrame(
        {
            "Rating": [words(item.rating) for item in found],
            "Input": [item.input_text[:200] for item in found],
            "Answer": [item.output for item in found],
            "Correction": [item.correction for item in found],
            "Comment": [item.comment for item in found],
            "Version": [f"{item.model_name} v{item.version}" for item in found],
            "Fate": [words(item.status) for item in found],
            "By": [item.created_by for item in found],
            "When": [ago(item.created_at) for item in found],
        }
    )
    pick_row(
        frame, [item.id for item in found], param="feedback", alt="Feedback, newest first",
        columns={"Input": st.column_config.TextColumn(width="large")},
    )  # fmt: skip


def show_one_feedback(item: FeedbackItem) -> None:
    """One feedback: what was asked and answered, what the person says, and what becomes of it."""
    back("feedback", "All feedback")
    who = f"{words(item.rating)}, by {item.created_by}, {ago(item.created_at)}"
    actions = page_header("Feedback", plain(f"{who} · {item.model_name} v{item.version}"), status=item.status)
    with actions:
        for action in FEEDBACK_LIFECYCLE.actions(item.status):
            if action != "convert":
                st.button(
                    words(action), key=f"improve_feedback_{action}", on_click=settle, args=(item.id, action),
                    disabled=bool(refusal), help=refusal or None,
                )  # fmt: skip
    left, right = st.columns([3, 2])
    with left:
        st.subheader("Asked", anchor=False)
        show_row(item.input)
    with right:
        st.subheader("Answered", anchor=False)
        st.text(item.output or "–")
        if item.correction:
            st.subheader("Should have been", anchor=False)
            st.text(item.correction)
        if item.reason or item.comment:
            st.subheader("Said", anchor=False)
            st.text("\n".join(part for part in (words(item.reason), item.comment) if part))
        origin = f"Item {item.item_ref}" if item.item_ref else "Not tied to an item of a sheet"
        st.caption(plain(f"{origin} · endpoint {item.endpoint} · request {item.request_id}"))


def settle(feedback_id: str, action: str) -> None:
    """Carry out one step of a feedback."""
    with guard_callback():
        workbench.feedback.move([feedback_id], action, by=user)
        flash({"dismiss": "Dismissed.", "triage": "Marked as looked at.", "reopen": "Open again."}[action])


def back(param: str, label: str) -> None:
    """The way back to the list."""
    if st.button(label, type="tertiary", icon=":material/arrow_back:", key="improve_back"):
        st.query_params.pop(param, None)
        st.rerun()


def show_lists() -> None:
    """The three lists under one header."""
    page_header("Improve", SUBTITLE)
    view = choose_view()
    {"feedback": show_feedback, "gaps": show_gaps, "tasks": show_tasks}[view]()


if gap_id := st.query_params.get("gap"):
    back("gap", "All gaps")
    show_gap(workbench.gaps.get(gap_id))
elif task_id := st.query_params.get("task"):
    back("task", "All tasks")
    show_task(workbench.labeling_tasks.get(task_id))
elif feedback_id := st.query_params.get("feedback"):
    show_one_feedback(workbench.feedback.get(feedback_id))
else:
    show_lists()
