"""Undo and redo with what they would do, and the large decisions that a run works on."""

from __future__ import annotations

import streamlit as st

from pages.components.identity import current_user
from pages.components.layout import flash, run_progress
from pages.components.review_acts import act_button
from pages.components.review_rights import reason_closed, reason_locked
from pages.components.words import counted, plain, words
from workbench_core import cached, cached_review
from workbench_core.pairs import Undone
from workbench_core.runs import Run, RunStatus
from workbench_core.training_sheets import TrainingSheet

_STOPPED = (RunStatus.CANCELLED, RunStatus.FAILED)
LONGEST = 40  # characters of what a button says it takes back


def undo_buttons(sheet: TrainingSheet) -> None:
    """Undo and redo of this person's own steps; their help says what each would do."""
    steps = cached_review.steps(sheet.id, current_user())
    _button(sheet, "undo", steps.undo, nothing="There is no decision of yours to undo.")
    _button(sheet, "redo", steps.redo, nothing="Redo does again what you have just undone.")


def _button(sheet: TrainingSheet, step: str, told: str, *, nothing: str) -> None:
    is_usage = told.startswith("set usage")
    locked = reason_locked(sheet, "set_usage") if is_usage else reason_locked(sheet)
    title = f"{words(step)} {_shortened(told)}" if told else words(step)
    act_button(
        plain(title), icon=step, key=f"label_{step}", kind="tertiary", state=f"{sheet.id} {told}",
        reason=locked if told else nothing, sentence=plain(f"{words(step)}: {told}"),
        act=lambda: _move(sheet, step),
    )  # fmt: skip


def _move(sheet: TrainingSheet, step: str) -> str:
    pairs, by = cached.workbench().pairs, current_user()
    st.session_state.pop("label_last_done", None)  # the same words may come again for another step
    undone = pairs.undo(sheet.id, by=by) if step == "undo" else pairs.redo(sheet.id, by=by)
    return said_of(step, undone)


def said_of(step: str, undone: Undone) -> str:
    """What a step back or forth did, in words."""
    action = undone.action.replace("_", " ")
    of = f"item {plain(undone.item_ref)}" if undone.pairs == 1 else counted(undone.pairs, "pair")
    if undone.run:
        return f"{words(step)} of {action} of {of}: it has started."
    return f"{'Undone' if step == 'undo' else 'Done again'}: {action} of {of}."


def _shortened(told: str) -> str:
    return told if len(told) <= LONGEST else f"{told[:LONGEST]}…"


# --- large decisions -------------------------------------------------------------------------------------------------


def show_bulk_run(sheet: TrainingSheet) -> None:
    """The large decision under way, or how to go on with one that was stopped."""
    run = cached.workbench().pairs.bulk_run(sheet.id)
    if run is None:
        return
    if run.is_active or run.status is RunStatus.INTERRUPTED:
        _follow(sheet)
    elif run.status in _STOPPED and st.session_state.get(_put_away_key(sheet)) != run.id:
        _stopped(sheet, run)


@st.fragment(run_every="2s")
def _follow(sheet: TrainingSheet) -> None:
    """Progress of a large decision; the whole page comes back when it has ended."""
    run = cached.workbench().pairs.bulk_run(sheet.id)
    if run is None or not (run.is_active or run.status is RunStatus.INTERRUPTED):
        if run is not None and run.status is RunStatus.SUCCEEDED:
            flash(f"{plain(run.title)}: done. {plain(run.message)}")
        st.rerun()
    with st.container(border=True):
        with st.container(horizontal=True, vertical_alignment="center"):
            st.markdown(f"**{plain(run.title)}**", width="stretch")
            act_button(
                "Cancel", icon="stop_circle", key=f"label_cancel_{run.id}", act=lambda: _cancel(sheet), state=run.id,
                sentence="Stops it; what is done stays, and can be undone", reason=reason_locked(sheet, _right_of(run)),
            )  # fmt: skip
        run_progress(run, unit="pairs")


def _stopped(sheet: TrainingSheet, run: Run) -> None:
    """How far a cancelled or failed decision came, and the way on."""
    with st.container(border=True, horizontal=True, vertical_alignment="center"):
        error = f": {plain(run.error)}" if run.error else ""
        st.markdown(
            f":orange[:material/stop_circle:] **{plain(run.title)}** {run.status}{error}  \n"
            f"{run.done:,} of {counted(run.total, 'pair')} done",
            width="stretch",
        )
        act_button(
            "Resume", icon="play_arrow", key=f"label_resume_{run.id}", act=lambda: _resume(sheet), state=run.id,
            reason=reason_locked(sheet, _right_of(run)) or reason_closed(sheet), sentence="Goes on where it stood",
        )  # fmt: skip
        if st.button("Put away", key=f"label_put_away_{run.id}", type="tertiary"):
            st.session_state[_put_away_key(sheet)] = run.id
            st.rerun()


def _right_of(run: Run) -> str:
    """The action that a run carries out; its title begins with it."""
    return "set_usage" if "usage" in run.title.lower() else "approve"


def _cancel(sheet: TrainingSheet) -> str:
    cached.workbench().pairs.cancel_bulk(sheet.id, by=current_user())
    return "It is cancelled; what is done stays."


def _resume(sheet: TrainingSheet) -> str:
    cached.workbench().pairs.resume_bulk(sheet.id, by=current_user())
    return "It goes on."


def _put_away_key(sheet: TrainingSheet) -> str:
    return f"label_put_away_{sheet.id}"
