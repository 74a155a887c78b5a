"""Generation and answering while they work, wait or have stopped: progress, costs so far, pause, cancel and resume."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Literal, TypeAlias

import streamlit as st

from pages.components.errors import guard
from pages.components.generation_limits import Limits, UsedUp, choose_limits
from pages.components.generation_words import spent_words
from pages.components.identity import current_user
from pages.components.layout import close_popover, flash, run_progress, work_popover
from pages.components.rights import why_not
from pages.components.words import counted, plain
from workbench_core import cached
from workbench_core.permissions import Action
from workbench_core.runs import Run
from workbench_core.training_sheets import Answering, AnsweringStatus, Spending, TrainingSheet, TrainingSheetStatus

GENERATING = TrainingSheetStatus.GENERATING
_LAST_DONE = "generate_last_done"


@dataclass(frozen=True, slots=True)
class Work:
    """Pairs being made or answered: `key` names the work and its state, `limit` the one that leaves no room.

    `sheet` is the training sheet that is generated; None while pairs are answered that were there before.
    """

    key: str
    training_sheet_id: str
    sheet: TrainingSheet | None
    title: str
    done: int
    total: int
    errors: int
    spent: Spending
    budget: float | None
    call_limit: int | None
    limit: str
    is_cancelled: bool

    @property
    def used_up(self) -> UsedUp | None:
        """The limit that leaves no room for one more call, if any."""
        growth = 1.1 * self.total / self.done if self.done else None
        return UsedUp(self.limit, self.spent, self.budget, self.call_limit, growth) if self.limit else None


def generation_of(sheet: TrainingSheet) -> Work:
    """The generation of a training sheet."""
    return Work(
        key=f"{sheet.id}_{sheet.row_version}",
        training_sheet_id=sheet.id,
        sheet=sheet,
        title=f"Generate “{sheet.name}”",
        done=min(sheet.counts.total, sheet.selected_items),
        total=sheet.selected_items,
        errors=sheet.counts.errors,
        spent=sheet.spent,
        budget=sheet.budget,
        call_limit=sheet.call_limit,
        limit=sheet.allowance.used_up(sheet.spent),
        is_cancelled=bool(sheet.cancelled_by),
    )


def answering_work(answering: Answering) -> Work:
    """The answering of pairs that were there before."""
    request, run = answering.request, answering.run
    return Work(
        key=f"{answering.id}_{answering.status}_{run.id if run else ''}",
        training_sheet_id=answering.training_sheet_id,
        sheet=None,
        title=f"Answer {counted(answering.total, 'pair')} with {answering.model_title}",
        done=answering.done,
        total=answering.total,
        errors=answering.errors,
        spent=answering.spent,
        budget=request.budget,
        call_limit=request.call_limit,
        limit=answering.allowance.used_up(answering.spent),
        is_cancelled=answering.status is AnsweringStatus.CANCELLED,
    )


def run_of(sheet: TrainingSheet) -> Run | None:
    """The run that fills a training sheet now, if any."""
    run = cached.workbench().training_sheets.run_of(sheet.id) if sheet.status is GENERATING else None
    return run if run and run.is_active else None


# --- the cards -------------------------------------------------------------------------------------------------------


def show_run(sheet: TrainingSheet) -> None:
    """The card of a generation that is not finished; nothing for one that is."""
    if run_of(sheet):
        follow((sheet.id,))
    elif sheet.is_paused:
        _waiting(generation_of(sheet), sheet.pause_reason)
    elif sheet.status is GENERATING:
        _stopped(generation_of(sheet), "It was interrupted.")
    elif sheet.status is TrainingSheetStatus.FAILED:
        _stopped(generation_of(sheet), sheet.error)


def show_answering(answering: Answering) -> None:
    """The card of an answering that is not finished; nothing for one that is."""
    work, is_active = answering_work(answering), bool(answering.run and answering.run.is_active)
    if answering.status is AnsweringStatus.WORKING and is_active:
        follow_answering(answering.training_sheet_id)
    elif answering.is_paused:
        _waiting(work, answering.pause_reason)
    elif answering.status is AnsweringStatus.WORKING:
        _stopped(work, "It was interrupted.")
    elif answering.status is AnsweringStatus.FAILED:
        _stopped(work, answering.error)


@st.fragment(run_every="2s")
def follow(training_sheet_ids: tuple[str, ...]) -> None:
    """Progress of generations; the whole page comes back when one of them has ended."""
    service = cached.workbench().training_sheets
    for training_sheet_id in training_sheet_ids:
        run = service.run_of(training_sheet_id)
        if run is None or not run.is_active:
            st.rerun()
        else:
            _working(generation_of(service.get(training_sheet_id)), run)


@st.fragment(run_every="2s")
def follow_answering(training_sheet_id: str) -> None:
    """Progress of an answering; the whole page comes back when it has ended."""
    answering = cached.workbench().training_sheets.answering_of(training_sheet_id)
    if answering is None or answering.run is None or not answering.run.is_active:
        st.rerun()
    else:
        _working(answering_work(answering), answering.run)


def _working(work: Work, run: Run) -> None:
    """Progress, rate, time left, spending and errors, with pause and cancel."""
    with st.container(border=True):
        with st.container(horizontal=True, vertical_alignment="center"):
            st.markdown(f"**{plain(work.title)}**", width="stretch")
            _step("pause", work, "Pause", "pause", "Ends after the batch it works on; it goes on where it stood")
            _step("cancel", work, "Cancel", "stop_circle", "Stops it; what is done is kept, and it can be resumed")
        run_progress(_whole(work, run))
        _so_far(work)


def _whole(work: Work, run: Run) -> Run:
    """A resumed run works on the rest only; here it counts from the first item, as the card of a pause does."""
    before = max(work.total - run.total, 0) if run.total else 0
    return replace(run, done=run.done + before, total=run.total + before, done_before=run.done_before + before)


def _waiting(work: Work, reason: str) -> None:
    """Why it is paused, how far it is, and the way on."""
    with st.container(border=True):
        with st.container(horizontal=True, vertical_alignment="center"):
            st.markdown(
                f":orange[:material/pause_circle:] **{plain(work.title)}**: paused  \n{plain(reason)}", width="stretch"
            )
            resume_button(work)
            _step("cancel", work, "Cancel", "stop_circle", "Ends it; what is done is kept, and it can be resumed")
        _kept(work, reason)


def _stopped(work: Work, reason: str) -> None:
    """Why it stopped, how far it came, and the way on."""
    with st.container(border=True):
        with st.container(horizontal=True, vertical_alignment="center"):
            icon = ":gray[:material/stop_circle:]" if work.is_cancelled else ":red[:material/error:]"
            st.markdown(f"{icon} **{plain(work.title)}**  \n{plain(reason)}", width="stretch")
            resume_button(work)
        _kept(work, reason)


def _kept(work: Work, reason: str) -> None:
    """How far it came, in words only when the reason does not say it."""
    share = min(1.0, work.done / work.total) if work.total else 0.0
    is_said = f"{work.done:,} of {work.total:,} " in reason
    st.progress(share, text=None if is_said else f"{work.done:,} of {counted(work.total, 'pair')} done")
    _so_far(work)


def _so_far(work: Work) -> None:
    """What it cost and what went wrong up to now."""
    errors = f":red[{counted(work.errors, 'error')}]" if work.errors else ""
    spent = plain(spent_words(work.spent, work.budget, work.call_limit))
    spent = f":gray[{spent}]" if spent else ""
    if line := " · ".join(part for part in (spent, errors) if part):
        st.markdown(f":small[{line}]")  # a caption would fade the red of the errors


# --- resume ----------------------------------------------------------------------------------------------------------


def resume_button(work: Work) -> None:
    """Go on at the first missing item; with a limit that is used up, after it was raised or lifted."""
    if not work.used_up or why_not(Action.GENERATE) or _refusal("resume", work):
        _step("resume", work, "Resume", "play_arrow", "Goes on at the first missing item")
        return
    key = f"generate_raise_{work.training_sheet_id}"
    with work_popover("Resume", key=key, icon=":material/play_arrow:", kind="primary"):
        limits = choose_limits(work.used_up, key=f"{key}_{work.key}")
        act_button(
            "Resume", icon="play_arrow", kind="primary", width="stretch", key=f"{key}_go_{work.key}",
            sentence="Goes on at the first missing item", act=lambda: _raised(work, limits),
            then=lambda _: close_popover(key),
        )  # fmt: skip


def _raised(work: Work, limits: Limits) -> str:
    service, by = cached.workbench().training_sheets, current_user()
    go_on = service.resume if work.sheet else service.resume_answering
    go_on(work.training_sheet_id, by=by, budget=limits.budget, call_limit=limits.call_limit)
    return f"It goes on, {limits.words(work.spent.currency)}."


# --- acts ------------------------------------------------------------------------------------------------------------


_Step: TypeAlias = Literal["pause", "cancel", "resume"]
_SAID: Mapping[_Step, str] = {
    "pause": "It pauses after the batch it works on.",
    "cancel": "It is cancelled; what is done is kept.",
    "resume": "It goes on.",
}


def _step(step: _Step, work: Work, title: str, icon: str, sentence: str) -> None:
    act_button(
        title, icon=icon, key=f"generate_{step}_{work.key}", sentence=sentence, reason=_refusal(step, work),
        act=lambda: _do_step(step, work),
    )  # fmt: skip


def _refusal(step: _Step, work: Work) -> str:
    """Why this person may not do it; everybody who may generate also steers answers for pairs that exist."""
    return refusal_of(work.sheet, step) if work.sheet else ""


def refusal_of(sheet: TrainingSheet, action: str) -> str:
    """Why this person may not do this with a training sheet, in words for a disabled button; empty when they may."""
    return plain(cached.workbench().training_sheets.refusal(sheet, action, by=current_user()))


def _do_step(step: _Step, work: Work) -> str:
    service, by = cached.workbench().training_sheets, current_user()
    if step == "pause":
        (service.pause if work.sheet else service.pause_answering)(work.training_sheet_id, by=by)
    elif step == "cancel":
        (service.cancel if work.sheet else service.cancel_answering)(work.training_sheet_id, by=by)
    else:
        (service.resume if work.sheet else service.resume_answering)(work.training_sheet_id, by=by)
    return _SAID[step]


@dataclass(frozen=True, slots=True)
class Done:
    """What a button did: the message, and what it made."""

    said: str
    made: tuple[object, ...] = ()


def act_button(
    title: str,
    *,
    icon: str,
    key: str,
    sentence: str,
    act: Callable[[], Done | str],
    kind: Literal["primary", "secondary"] = "secondary",
    reason: str = "",
    width: Literal["content", "stretch"] = "content",
    then: Callable[[Done], None] = lambda _: None,
) -> None:
    """A button that does one thing and says so; disabled with its reason when the person may not or `reason` says so.

    `key` names what it would do and to which state of it: a double click does it once. `act` is one service call, made
    while the page is drawn, so that what was typed just before the click counts. The second click stops the run of the
    first one at its next call of Streamlit: what was done is put where the next run finds it, and `then` may be called
    twice.
    """
    refusal = why_not(Action.GENERATE) or reason
    last: dict[str, Done] = st.session_state.setdefault(_LAST_DONE, {})
    if not st.button(
        title, icon=f":material/{icon}:", key=key, disabled=bool(refusal), help=refusal or sentence, type=kind,
        width=width,
    ):  # fmt: skip
        return
    with guard():
        if key not in last:
            last.clear()
            done = act()
            last[key] = done if isinstance(done, Done) else Done(done)  # before anything of Streamlit is called
    if key in last:
        then(last[key])
        flash(last[key].said)
        st.rerun()
