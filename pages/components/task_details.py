"""One labelling task: who does it, how far it is, its queue, and what comes next."""

from __future__ import annotations

import streamlit as st

from pages.components.errors import guard, guard_callback
from pages.components.identity import current_user
from pages.components.layout import close_popover, flash, metric_row, page_header, run_progress, work_popover
from pages.components.rights import why_not
from pages.components.words import ago, plain, words
from workbench_core import cached
from workbench_core.labeling_tasks import LIFECYCLE, NEEDS_NOTE, LabelingTask, TaskStatus
from workbench_core.permissions import Action

DONE = {
    "submit": "Submitted for review.",
    "accept": "Accepted. The labels are ready for the next training sheet.",
    "send_back": "Sent back.",
    "cancel": "Cancelled. Labels that were given stay.",
}
LABELS = {"submit": "Submit", "accept": "Accept", "send_back": "Send back", "cancel": "Cancel task"}
ICONS = {"submit": "send", "accept": "task_alt", "send_back": "undo", "cancel": "cancel"}


def task_line(task: LabelingTask) -> dict[str, object]:
    """One line of the list."""
    return {
        "Task": task.title,
        "Status": words(task.status),
        "Done": task.share,
        "Items": f"{task.done:,} of {task.items:,}",
        "Held out": task.held_out,
        "Assigned to": task.assigned_to or "–",
        "Priority": words(task.priority),
        "Created": ago(task.created_at),
    }


def show_task(task: LabelingTask) -> None:
    """Everything about one task."""
    assigned = f"assigned to {task.assigned_to}" if task.assigned_to else "assigned to nobody"
    made = f"Made by {task.created_by}, {ago(task.created_at)} · {assigned}"
    actions = page_header(plain(task.title), plain(made), status=task.status)
    with actions:
        task_actions(task)
    if task.note:
        st.info(plain(task.note), icon=":material/sticky_note_2:")
    run = cached.workbench().training_sheets.run_of(task.training_sheet_id)
    if run and run.is_active:
        follow_queue(task.training_sheet_id)
    elif run and run.error:
        st.error(plain(run.error), icon=":material/error:")
    st.progress(task.share, text=f"{task.done:,} of {task.items:,} items decided")
    metric_row(
        [
            ("Items", f"{task.items:,}"),
            ("To train on", f"{task.items - task.held_out:,}", "Their labels flow into the next training sheet"),
            ("Held out", f"{task.held_out:,}", "Set aside before anybody labels; they measure the closure"),
            ("Priority", words(task.priority)),
        ],
        width=130,
    )
    if task.instructions:
        st.markdown(plain(task.instructions))
    with st.container(horizontal=True):
        if st.button("Open the queue", icon=":material/rate_review:", key="improve_queue"):
            st.switch_page("label.py", query_params={"sheet": task.training_sheet_id})
        if st.button("Open its gap", icon=":material/target:", key="improve_its_gap"):
            st.switch_page("improve.py", query_params={"gap": task.gap_id})


@st.fragment(run_every="1s")
def follow_queue(training_sheet_id: str) -> None:
    """Progress while the queue is filled."""
    run = cached.workbench().training_sheets.run_of(training_sheet_id)
    if run is None or not run.is_active:
        st.rerun()
    run_progress(run)


def task_actions(task: LabelingTask) -> None:
    """Label, hand over, and the steps that are possible now."""
    refusal = why_not(Action.IMPROVE)
    if task.status in {TaskStatus.PENDING, TaskStatus.ASSIGNED, TaskStatus.IN_PROGRESS}:
        is_left = task.done < task.items
        if is_left and st.button("Label now", type="primary", icon=":material/rate_review:", key="improve_label"):
            st.switch_page("label.py", query_params={"sheet": task.training_sheet_id})
    possible = [action for action in LABELS if action in LIFECYCLE.actions(task.status)]
    for action in possible:
        if action in NEEDS_NOTE:
            with st.popover(LABELS[action], icon=f":material/{ICONS[action]}:", disabled=bool(refusal)):
                with_note(task, action)
        elif task.done >= task.items:
            st.button(
                LABELS[action], key=f"improve_task_{action}", type="primary", icon=f":material/{ICONS[action]}:",
                on_click=move, args=(task.id, action), disabled=bool(refusal), help=refusal or None,
            )  # fmt: skip
    if task.is_open:
        with work_popover("Assign", key="improve_assign_open", icon=":material/person_add:", disabled=bool(refusal)):
            assign(task)
    if refusal:
        st.caption(refusal)


def assign(task: LabelingTask) -> None:
    """Give the task to a person."""
    with st.form("improve_assign", border=False):
        person = st.text_input("Person", value=task.assigned_to, placeholder="name@example.com")
        if st.form_submit_button("Assign", type="primary"):
            with guard():
                cached.workbench().labeling_tasks.assign(task.id, person, by=current_user())
                flash(f"Assigned to {person.strip()}.")
                close_popover("improve_assign_open")
                st.rerun()


def with_note(task: LabelingTask, action: str) -> None:
    """A step that needs a reason."""
    with st.form(f"improve_{action}", border=False):
        note = st.text_area("Why", key=f"improve_{action}_note", height=80)
        if st.form_submit_button(LABELS[action], type="primary"):
            with guard():
                cached.workbench().labeling_tasks.move(task.id, action, by=current_user(), note=note)
                flash(DONE[action])
                st.rerun()


def move(task_id: str, action: str) -> None:
    """Carry out one step."""
    with guard_callback():
        cached.workbench().labeling_tasks.move(task_id, action, by=current_user())
        flash(DONE[action])
