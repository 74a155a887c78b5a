"""One gap on one page: its way from found to closed, the evidence, the next step, and the computed closures."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from pages.components.charts import Look, interval_chart
from pages.components.errors import guard, guard_callback
from pages.components.identity import current_user
from pages.components.layout import STATUS_COLORS, empty_state, flash, metric_row, page_header, run_progress
from pages.components.rights import why_not
from pages.components.words import ago, percent, plain, words
from workbench_core import cached
from workbench_core.gaps import LIFECYCLE, ChainLink, ChainStep, ClosureVerdict, Gap, GapClosure, GapType
from workbench_core.permissions import Action
from workbench_core.runs import Run

TITLES = {
    ChainLink.FOUND: ("Found", ":material/search:", "items in it"),
    ChainLink.TASK: ("Task", ":material/checklist:", "items queued"),
    ChainLink.LABELS: ("Labels", ":material/label:", "items labelled"),
    ChainLink.TRAINING_SHEET: ("Sheet", ":material/dataset:", "of them trainable"),
    ChainLink.JOB: ("Training", ":material/model_training:", "of them trained on"),
    ChainLink.EVALUATION: ("Evaluation", ":material/grading:", "held-out items"),
    ChainLink.CLOSURE: ("Closure", ":material/verified:", "held-out items of the gap"),
}
KINDS = {
    GapType.COVERAGE: "Coverage gap: the training data hardly shows such items",
    GapType.QUALITY: "Quality gap: training saw such items, and the model fails on them all the same",
}
VERDICTS = {
    ClosureVerdict.CLOSED: "The gap is closed: significantly better, and what is left would not be reported as a gap.",
    ClosureVerdict.IMPROVED: "Better, but not closed: the error that is left would still be reported as a gap.",
    ClosureVerdict.NOT_CLOSED: "Not closed: no significant improvement on the held-out items.",
    ClosureVerdict.TOO_FEW: "Too few held-out items are labelled to tell; 30 are needed.",
}
ERROR = {"format": "percent", "width": "small"}


def show_gap(gap: Gap) -> None:
    """Everything about one gap."""
    seen = "once" if gap.occurrences == 1 else f"{gap.occurrences} times"
    found = f"{gap.model_name} v{gap.version} · found {ago(gap.first_seen_at)} · seen {seen}"
    actions = page_header(plain(f"Where {gap.description}"), plain(found), status=gap.status, is_demo=gap.is_demo)
    with actions:
        gap_actions(gap)
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        st.badge(f"{words(gap.severity)} severity", color=STATUS_COLORS.get(gap.severity, "gray"))
        st.markdown(plain(f"{KINDS[gap.gap_type]}."))
    if gap.note:
        st.info(plain(gap.note), icon=":material/sticky_note_2:")
    steps = cached.gap_chain(gap.id)
    show_chain(gap, steps)
    show_numbers(gap)
    show_closures(gap, has_task=steps[1].is_done)
    show_evidence(gap)
    show_history(gap)


# --- actions ---------------------------------------------------------------------------------------------------------


def gap_actions(gap: Gap) -> None:
    """The next step first, then the ways to end it by hand."""
    refusal = why_not(Action.IMPROVE)
    possible = LIFECYCLE.actions(gap.status)
    open_tasks = cached.workbench().labeling_tasks.find(gap_id=gap.id, open_only=True)
    if "create_task" in possible and not open_tasks:
        cannot = refusal or why_not(Action.GENERATE)
        with st.popover("Create task", type="primary", icon=":material/add_task:", disabled=bool(cannot)):
            create_task(gap)
    for action, label, icon in (("resolve", "Resolve", "check"), ("leave", "Leave it", "block")):
        if action in possible:
            with st.popover(label, icon=f":material/{icon}:", disabled=bool(refusal)):
                end_by_hand(gap, action, label)
    if "reopen" in possible:
        st.button(
            "Reopen", key="improve_gap_reopen", icon=":material/undo:", on_click=move, args=(gap.id, "reopen"),
            disabled=bool(refusal), help=refusal or None,
        )  # fmt: skip
    if refusal:
        st.caption(refusal)


def create_task(gap: Gap) -> None:
    """How many items, and for whom; half of them are held out before anybody labels."""
    with st.form("improve_create_task", border=False):
        target = st.number_input(
            "Items", 40, 2000, cached.workbench().labeling_tasks.proposed_target(gap), step=10,
            help="Proposed so that a halved error shows with 80 % power.",
        )  # fmt: skip
        person = st.text_input("Assigned to", placeholder="Nobody yet")
        st.caption("Half of the items are set aside for measuring before anybody labels, and are never trained on.")
        if st.form_submit_button("Create task", type="primary"):
            with guard():
                task = cached.workbench().labeling_tasks.create(
                    gap.id, by=current_user(), target=int(target), assigned_to=person.strip()
                )
                flash(f"{task.items} items are queued; {task.held_out} of them are held out.")
                st.switch_page("improve.py", query_params={"view": "tasks", "task": task.id})


def end_by_hand(gap: Gap, action: str, label: str) -> None:
    """A note is needed: a closure that nobody computed must say why."""
    sentence = {
        "resolve": "A computed closure resolves a gap by itself. By hand it needs a reason.",
        "leave": "The gap stays known and is not worked on.",
    }
    with st.form(f"improve_{action}", border=False):
        st.caption(sentence[action])
        note = st.text_area("Why", key=f"improve_{action}_note", height=80)
        if st.form_submit_button(label, type="primary"):
            with guard():
                cached.workbench().gaps.move(gap.id, action, by=current_user(), note=note)
                flash("The gap is resolved." if action == "resolve" else "The gap is left as it is.")
                st.rerun()


def move(gap_id: str, action: str) -> None:
    """Move a gap through its life."""
    with guard_callback():
        cached.workbench().gaps.move(gap_id, action, by=current_user())


# --- the way ---------------------------------------------------------------------------------------------------------


def show_chain(gap: Gap, steps: tuple[ChainStep, ...]) -> None:
    """The steps from found to closed, each with time and count; the first open one offers what to do."""
    st.subheader("The way to closure", anchor=False)
    following = next((step.link for step in steps if not step.is_done), None)
    with st.grid(len(steps), min_column_width=122):
        for step in steps:
            with st.container(border=True, height="stretch", gap="xsmall"):
                show_step(gap, step, is_next=step.link is following)


def show_step(gap: Gap, step: ChainStep, *, is_next: bool) -> None:
    """One step: done, next, or still to come."""
    title, icon, counted = TITLES[step.link]
    mark = ":green[:material/check_circle:]" if step.is_done else icon
    st.markdown(f"{mark} **{title}**")
    if step.happened_at:
        st.caption(f"**{step.count:,}** {counted}")
        st.caption(f"{step.waiting:,} still wait" if step.waiting else f"{step.happened_at:%d %b, %H:%M}")
    elif not is_next:
        st.caption("Later")
    if is_next:
        st.badge("Next", color="orange")
    step_button(gap, step, is_next=is_next)


def step_button(gap: Gap, step: ChainStep, *, is_next: bool) -> None:
    """Where a step is looked at, or done when it is the next one."""
    done = {
        ChainLink.TASK: ("improve.py", {"view": "tasks", "task": step.subject_id}),
        ChainLink.LABELS: ("label.py", {"sheet": step.subject_id}),
        ChainLink.TRAINING_SHEET: ("generate.py", {"training_sheet": step.subject_id}),
        ChainLink.JOB: ("train.py", {"job": step.subject_id}),
    }
    if step.is_done and step.link in done:
        go("Open", f"improve_open_{step.link}", *done[step.link])
    elif is_next and step.link is ChainLink.LABELS:
        for task in cached.workbench().labeling_tasks.find(gap_id=gap.id, open_only=True):
            go("Label now", "improve_label_now", "label.py", {"sheet": task.training_sheet_id}, is_primary=True)
    elif is_next and step.link is ChainLink.TRAINING_SHEET:
        refusal = why_not(Action.GENERATE)
        st.button(
            "Generate it", key="improve_generate", type="primary", on_click=generate, args=(gap.id,),
            disabled=bool(refusal), help=refusal or "From everything that is labelled",
        )  # fmt: skip
    elif is_next and step.link is ChainLink.JOB:
        sheet = next(one for one in cached.gap_chain(gap.id) if one.link is ChainLink.TRAINING_SHEET)
        target = {"retrain": gap.model_name, "training_sheet": sheet.subject_id}
        go("Retrain", "improve_retrain", "train.py", target, is_primary=True)


def go(label: str, key: str, page: str, query: dict[str, str], *, is_primary: bool = False) -> None:
    """A button that leads to another place; a link to the page itself would look as if it were open already."""
    icon = None if is_primary else ":material/arrow_forward:"
    if st.button(label, key=key, type="primary" if is_primary else "tertiary", icon=icon, icon_position="right"):
        st.switch_page(page, query_params=query)


def generate(gap_id: str) -> None:
    """Make a training sheet of everything that has a label now."""
    with guard_callback():
        made = cached.workbench().labeling_tasks.collect_labels(gap_id, by=current_user())
        flash(f"“{made.name}” is being generated from {made.selected_items:,} items.")


# --- the evidence ----------------------------------------------------------------------------------------------------


def show_numbers(gap: Gap) -> None:
    """How often such items fail, against all items, and how sure that is."""
    metric_row(
        [
            ("Error rate", percent(gap.error_rate), f"{gap.failure_count} of {gap.item_count} items failed"),
            ("All items", percent(gap.overall_rate), "Error rate of all items with a known outcome"),
            ("Items", f"{gap.item_count:,}", f"Known from {gap.evidence_type}"),
            ("q-value", small(gap.q_value), "Chance of a false alarm, corrected for all groups that were looked at"),
            ("Priority", f"{gap.priority}", "From 0 to 100: severity, affected items and error rate"),
        ],
        width=130,
    )
    frame = pd.DataFrame(
        {
            "group": ["Such items", "All items"],
            "rate": [gap.error_rate, gap.overall_rate],
            "low": [gap.interval.low, gap.overall_rate],
            "high": [gap.interval.high, gap.overall_rate],
            "tone": ["bad", "neutral"],
        }
    )
    with st.container(border=True):
        st.markdown("**Error rate with its 95 % interval**")
        interval_chart(
            frame, "group", "rate", low="low", high="high", tones="tone", key="improve_gap_chart",
            alt=f"Error rate {percent(gap.error_rate)} against {percent(gap.overall_rate)} of all items",
            look=Look(is_share=True, digits=0, high=1.0, height=0),
        )  # fmt: skip
        st.caption(plain(gap.suggested_action))


def small(value: float) -> str:
    """A chance as people read it."""
    return "< 0.001" if value < 0.001 else f"{value:.2g}"


def show_evidence(gap: Gap) -> None:
    """A sample of the items that failed."""
    st.subheader("Items that failed", anchor=False)
    with guard():
        found = cached.gap_evidence(gap.id)
        st.dataframe(
            found, hide_index=True, alt="A sample of failed items", height=420,
            column_config={
                "item_ref": st.column_config.TextColumn("Item", pinned=True),
                "expected": "Expected",
                "actual": "Answered",
                "origin": "Known from",
            },
        )  # fmt: skip
        st.caption(f"{len(found)} of {gap.failure_count} that failed.")


# --- closure ---------------------------------------------------------------------------------------------------------


def show_closures(gap: Gap, *, has_task: bool) -> None:
    """Compute whether another version closed the gap, and what was computed before."""
    st.subheader("Closure", anchor=False)
    versions = cached.workbench().model_versions.find(model_name=gap.model_name)
    others = [one for one in versions if one.version != gap.version]
    if not has_task:
        empty_state("A closure is measured on items that a labelling task sets aside. There is no task yet.")
        return
    if not others:
        empty_state("A closure compares two versions. Retrain the model on the new labels first.")
        return
    refusal = why_not(Action.IMPROVE)
    with st.container(horizontal=True, vertical_alignment="bottom"):
        version = st.selectbox(
            "Version to compare", [one.version for one in others], key="improve_version_after", width=220,
            format_func=lambda number: f"{gap.model_name} v{number}",
        )  # fmt: skip
        st.button(
            "Compute closure", key="improve_close", type="primary" if gap.is_open else "secondary",
            icon=":material/calculate:", on_click=start_closing, args=(gap.id, version), disabled=bool(refusal),
            help=refusal or f"Asks v{gap.version} and v{version} for all held-out items of this gap",
        )  # fmt: skip
    run = cached.workbench().gaps.closing_of(gap.id, version)
    if run:
        show_closing(run, gap.id, version)
    for closure in cached.workbench().gaps.closures(gap.id):
        show_closure(closure)


def start_closing(gap_id: str, version: int) -> None:
    """Queue the computation."""
    with guard_callback():
        cached.workbench().gaps.start_closing(gap_id, version, by=current_user())


def show_closing(run: Run, gap_id: str, version: int) -> None:
    """Progress of the computation, or why it failed."""
    if run.is_active:
        follow_closing(gap_id, version)
    elif run.error:
        st.error(plain(run.error), icon=":material/error:")


@st.fragment(run_every="1s")
def follow_closing(gap_id: str, version: int) -> None:
    """Progress; the whole page comes back when it has ended."""
    run = cached.workbench().gaps.closing_of(gap_id, version)
    if run is None or not run.is_active:
        st.rerun()
    run_progress(run, unit="steps")


def show_closure(closure: GapClosure) -> None:
    """One computed verdict: both versions, the difference with its interval, and the sentence."""
    with st.container(border=True):
        with st.container(horizontal=True, vertical_alignment="center", gap="small"):
            st.badge(words(closure.verdict), color=STATUS_COLORS.get(closure.verdict, "gray"))
            st.markdown(plain(VERDICTS[closure.verdict]), width="content")
        st.markdown(plain(closure.sentence))
        frame = pd.DataFrame(
            {
                "what": ["Difference"],
                "value": [closure.difference],
                "low": [closure.interval.low],
                "high": [closure.interval.high],
                "tone": ["good" if closure.verdict in {ClosureVerdict.CLOSED, ClosureVerdict.IMPROVED} else "neutral"],
            }
        )
        interval_chart(
            frame, "what", "value", low="low", high="high", tones="tone", key=f"improve_closure_{closure.id}",
            alt=closure.sentence,
            look=Look(
                is_share=True, digits=0, low=-reach(closure), high=reach(closure), goal=0.0, goal_name="no change",
                height=130,
            ),
        )  # fmt: skip
        won = f"{closure.wins} items won, {closure.losses} lost"
        st.caption(plain(f"{won} · computed by {closure.computed_by}, {ago(closure.computed_at)}"))


def reach(closure: GapClosure) -> float:
    """How far the axis of a difference goes to both sides."""
    furthest = max(abs(closure.interval.low), abs(closure.interval.high))
    return next((limit for limit in (0.3, 0.6) if furthest < limit), 1.0)


def show_history(gap: Gap) -> None:
    """Who did what with this gap."""
    with st.expander("History", icon=":material/history:"):
        events = cached.workbench().history.of("gap", gap.id)
        st.dataframe(
            pd.DataFrame(
                {
                    "When": [event.happened_at for event in events],
                    "What": [words(event.action) for event in events],
                    "By": [event.by for event in events],
                    "Details": [" · ".join(map(str, event.details.values())) for event in events],
                }
            ),
            hide_index=True,
            height="content",
            alt="History of the gap",
            column_config={"When": st.column_config.DatetimeColumn(format="D MMM YYYY, HH:mm")},
        )
