"""The head of a training sheet under review: where it stands, its numbers, and the steps in its life."""

from __future__ import annotations

from collections.abc import Callable

import streamlit as st

from pages.components.generation_words import SOURCES, state_of
from pages.components.identity import current_user
from pages.components.layout import close_popover, metric_row, page_header, work_popover
from pages.components.review_acts import act_button
from pages.components.rights import why_not
from pages.components.words import ago, counted, plain
from workbench_core import cached
from workbench_core.pairs import ResponseSource
from workbench_core.permissions import Action
from workbench_core.training_sheets import TrainingSheet, TrainingSheetStatus


def show_header(sheet: TrainingSheet) -> None:
    """Name, origin, status, who closed the review, and what can be done with the whole."""
    st.button(
        "All training sheets", type="tertiary", icon=":material/arrow_back:", key="label_back",
        on_click=st.query_params.clear,
    )  # fmt: skip
    source = cached.workbench().sheets.get(sheet.sheet_id)
    template = f"{sheet.template.name} v{sheet.template_version}"
    made = " · ".join([source.name, template, sheet.label_type, SOURCES[sheet.answer_source]])
    with page_header(plain(sheet.name), plain(made), status=state_of(sheet), is_demo=sheet.is_demo):
        _actions(sheet)
    if sheet.reviewed_by and sheet.reviewed_at:
        is_rejected = sheet.status is TrainingSheetStatus.REJECTED
        title = ":red[:material/block:] Rejected" if is_rejected else ":green[:material/task_alt:] Review closed"
        st.markdown(f"{title} by {plain(sheet.reviewed_by)}, {ago(sheet.reviewed_at)}{_rejection(sheet)}")


def _rejection(sheet: TrainingSheet) -> str:
    """What is wrong with a rejected training sheet, as the person said."""
    if sheet.status is not TrainingSheetStatus.REJECTED:
        return ""
    events = cached.workbench().history.of("training_sheet", sheet.id)
    note = next((str(event.details.get("note") or "") for event in events if event.action == "reject"), "")
    return f": {plain(note)}" if note else ""


def show_numbers(sheet: TrainingSheet) -> None:
    """Pairs by review status, and those that came with a canonical label."""
    counts = sheet.counts
    metric_row(
        [
            ("Pending", f"{counts.pending:,}", f"Of {counted(counts.total, 'pair')}"),
            ("Approved", f"{counts.approved:,}"),
            ("Edited", f"{counts.edited:,}", "Approved with another answer"),
            ("Rejected", f"{counts.rejected:,}"),
            ("Flagged", f"{counts.flagged:,}", "They need a second look"),
            (
                "Canonical",
                f"{counts.by_source.get(ResponseSource.CANONICAL, 0):,}",
                "Answers taken over from canonical labels, without asking anybody again",
            ),
        ],
        width=105,
    )


# --- the life of the training sheet ----------------------------------------------------------------------------------


def _actions(sheet: TrainingSheet) -> None:
    """The one next step, and what is seldom."""
    if sheet.status in {TrainingSheetStatus.APPROVED, TrainingSheetStatus.TRAINED, TrainingSheetStatus.EXPORTED}:
        refusal = why_not(Action.TRAIN)
        if st.button(
            "Train a model", type="primary", icon=":material/model_training:", key="label_train",
            disabled=bool(refusal), help=refusal or None,
        ):  # fmt: skip
            st.switch_page("train.py", query_params={"training_sheet": sheet.id})
    if "close_review" in sheet.actions:
        is_next = not sheet.counts.pending and sheet.counts.labelled > 0
        key = f"label_close_{sheet.id}"
        with work_popover(
            "Close review", key=key, icon=":material/task_alt:", kind="primary" if is_next else "secondary"
        ):
            _close_review(sheet, key=key)
    others = [step for step in ("reopen", "reject", "archive") if step in sheet.actions]
    if "reopen" in others:
        _step(sheet, "reopen", "Reopen", "lock_open", "The review is open again.")
    if "reject" in others or "archive" in others:
        key = f"label_more_{sheet.id}"
        with work_popover("More", key=key, icon=":material/more_horiz:"):
            _other_steps(sheet, key=key)


def _close_review(sheet: TrainingSheet, *, key: str) -> None:
    """Close the review, with what is undecided left out."""
    counts = sheet.counts
    open_pairs = counts.pending + counts.flagged
    st.markdown(f"**{counts.labelled:,}** labelled pairs can be used for training.")
    leave_out = False
    if open_pairs:
        st.caption(f"{counts.pending:,} pairs are pending and {counts.flagged:,} are flagged.")
        leave_out = st.checkbox(f"Leave out {open_pairs:,} undecided pairs", key=f"label_leave_out_{sheet.id}")
    reason = "Decide about them first, or leave them out." if open_pairs and not leave_out else ""

    def act() -> str:
        _move(sheet, "close_review", leave_out=leave_out)
        return "The review is closed: the pairs can train a model."

    act_button(
        "Close review", icon="task_alt", key="label_close", kind="primary", state=_state(sheet), act=act,
        reason=_refusal(sheet, "close_review") or reason, sentence="Decisions stay; nobody changes them any more",
        then=lambda: close_popover(key),
    )  # fmt: skip


def _other_steps(sheet: TrainingSheet, *, key: str) -> None:
    """Reject the whole training sheet, or put it away."""
    if "reject" in sheet.actions:
        note = st.text_input(
            "Reason", key=f"label_reject_note_{sheet.id}", placeholder="What is wrong with the whole sheet?"
        )

        def act() -> str:
            _move(sheet, "reject", note=note or "")
            return "The training sheet is rejected."

        act_button(
            "Reject the training sheet", icon="block", key="label_reject", act=act, width="stretch",
            state=_state(sheet), reason=_refusal(sheet, "reject"), sentence="No pair of it will train a model",
            then=lambda: close_popover(key),
        )  # fmt: skip
    if "archive" in sheet.actions:
        _step(
            sheet, "archive", "Archive", "archive", "The training sheet is archived.", then=lambda: close_popover(key)
        )


def _step(
    sheet: TrainingSheet, step: str, title: str, icon: str, said: str, *, then: Callable[[], None] = lambda: None
) -> None:
    def act() -> str:
        _move(sheet, step)
        return said

    act_button(
        title, icon=icon, key=f"label_{step}", act=act, state=_state(sheet), reason=_refusal(sheet, step), then=then,
        width="stretch" if step == "archive" else "content",
    )  # fmt: skip


def _move(sheet: TrainingSheet, step: str, *, note: str = "", leave_out: bool = False) -> None:
    cached.workbench().training_sheets.move(sheet.id, step, by=current_user(), note=note, leave_out=leave_out)


def _refusal(sheet: TrainingSheet, step: str) -> str:
    return plain(cached.workbench().training_sheets.refusal(sheet, step, by=current_user()))


def _state(sheet: TrainingSheet) -> str:
    return f"{sheet.id} {sheet.row_version}"
