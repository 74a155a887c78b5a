"""Mission control: the seven stages of the loop, what waits for a person, and the one next step."""

from __future__ import annotations

import streamlit as st

from pages.components.errors import guard
from pages.components.identity import current_user
from pages.components.layout import STATUS_COLORS, Color, flash, page_header, run_progress
from pages.components.words import plain, words
from workbench_core import cached
from workbench_core.loop import LoopOverview, Stage, StageState, Step
from workbench_core.permissions import Action

LABELS: dict[StageState, tuple[str, Color]] = {
    StageState.EMPTY: ("Not started", "gray"),
    StageState.READY: ("Ready", "green"),
    StageState.WORKING: ("Working", "blue"),
    StageState.WAITING: ("Waits for you", "orange"),
}
ICONS = {
    "data": ":material/table_view:",
    "generate": ":material/auto_awesome:",
    "label": ":material/rate_review:",
    "train": ":material/model_training:",
    "deploy": ":material/rocket_launch:",
    "monitor": ":material/monitoring:",
    "improve": ":material/trending_up:",
}

workbench, user = cached.workbench(), current_user()


def show_first_run() -> None:
    """Nothing is there yet: the demo data, or a table of one's own."""
    page_header("Welcome", "From your data to a model you can trust, and back: label once, reuse everywhere.")
    may_load = workbench.permissions.allows(user, Action.EDIT_SHEETS)
    demo, own = st.columns(2)
    with demo, st.container(border=True, height="stretch"):
        st.subheader("Look around with real data", anchor=False)
        st.markdown(
            "E-mails, questions and pictures under open licences, with sheets and prompt templates over them. "
            "Everything can be removed again in one click."
        )
        if st.button("Load the demo data", type="primary", icon=":material/science:", disabled=not may_load):
            load_demo()
    with own, st.container(border=True, height="stretch"):
        st.subheader("Start with your own", anchor=False)
        st.markdown("A CSV or Parquet table, or a folder of pictures. It stays where it is; a sheet only points at it.")
        if st.button("Use my own table", icon=":material/upload_file:", disabled=not may_load):
            st.switch_page("data.py")
    if not may_load:
        st.caption("Your role may not make sheets. Ask a data producer or an administrator to begin.")


def load_demo() -> None:
    """Put the demo data in place."""
    with guard(), st.spinner("Loading the demo data"):
        workbench.demo.load(by=user)
        flash("The demo data is loaded.")
        st.rerun()


def show_loop(overview: LoopOverview) -> None:
    """The next step, the stages, what waits and what runs."""
    actions = page_header("Home", "Where the loop stands, and what waits for you.")
    if overview.next_step:
        with actions:
            offer(overview.next_step)
    with st.grid(4, min_column_width=160):
        for stage in overview.stages:
            show_stage(stage)
        show_next(overview)
    waiting, running = st.columns([3, 2])
    with waiting, st.container(border=True, height="stretch"):
        st.subheader("Waits for you", anchor=False)
        for step in overview.waiting:
            show_waiting(step)
        if not overview.waiting:
            st.caption("Nothing. Everything is decided and healthy.")
    with running, st.container(border=True, height="stretch"):
        st.subheader("Working now", anchor=False)
        if overview.running:
            follow_runs(len(overview.running))
        else:
            st.caption("No long work is running.")


def offer(step: Step) -> None:
    """The one primary button of the page."""
    if st.button(step.title, type="primary", icon=":material/arrow_forward:", icon_position="right", key="home_next"):
        st.switch_page(f"{step.page}.py", query_params=dict(step.query))


def show_stage(stage: Stage) -> None:
    """One card of the loop."""
    label, color = LABELS[stage.state]
    with st.container(border=True, height="stretch", gap="xsmall"):
        with st.container(horizontal=True, vertical_alignment="center"):
            st.page_link(f"{stage.page}.py", label=f"**{stage.number} {stage.title}**", icon=ICONS[stage.page])
            st.space("stretch")
            st.badge(label, color=color)
        st.metric(stage.unit.capitalize(), f"{stage.count:,}")
        st.caption(stage.sentence)


def show_next(overview: LoopOverview) -> None:
    """The eighth place of the grid: why the next step is the next one."""
    with st.container(border=True, height="stretch", gap="xsmall"):
        st.markdown(":material/flag: **Next step**")
        if overview.next_step:
            st.markdown(f"##### {plain(overview.next_step.title)}")
            st.caption(plain(overview.next_step.sentence))
        else:
            st.caption("Nothing to do with your role now.")


def show_waiting(step: Step) -> None:
    """One line of what waits."""
    with st.container(horizontal=True, vertical_alignment="center"):
        st.badge(f"{step.count:,}", color="orange")
        st.page_link(f"{step.page}.py", label=step.title, query_params=dict(step.query))
        st.caption(plain(step.sentence), width="content")


@st.fragment(run_every="2s")
def follow_runs(known: int) -> None:
    """Progress of the running work; the page comes back when one ends."""
    runs = workbench.runs.find(active_only=True, limit=10)
    if len(runs) != known:
        st.rerun()
    for run in runs:
        with st.container(gap="xsmall"):
            with st.container(horizontal=True, vertical_alignment="center"):
                st.markdown(plain(run.title))
                st.badge(words(run.status), color=STATUS_COLORS[run.status])
            run_progress(run)


overview = workbench.loop.overview(user)
if overview.is_empty:
    show_first_run()
else:
    show_loop(overview)
