"""Steps in the life of sheets: taken for one or several, told with the way back, refused with the reason for each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import streamlit as st

from pages.components.errors import guard_callback
from pages.components.identity import current_user
from pages.components.layout import flash
from pages.components.words import counted, plain
from workbench_core import cached
from workbench_core.sheets import LIFECYCLE, Sheet, SheetStatus

ICONS = {
    "publish": "publish", "unpublish": "edit", "archive": "archive", "restore": "unarchive", "delete": "delete",
    "undelete": "restore_from_trash",
}  # fmt: skip
DONE = {
    "publish": "published", "unpublish": "a draft again", "archive": "archived", "restore": "a draft again",
    "delete": "deleted", "undelete": "a draft again",
}  # fmt: skip
_BACK = {
    "publish": "unpublish", "unpublish": "publish", "archive": "restore", "restore": "archive", "delete": "undelete",
    "undelete": "delete",
}  # fmt: skip
_TO = {SheetStatus.ACTIVE: "publish", SheetStatus.ARCHIVED: "archive"}  # from a draft
_NOTE, _ASKED = "data_moved", "data_asked"
_SHOWN_FOR = timedelta(minutes=3)


@dataclass(frozen=True, slots=True)
class Undo:
    """One sheet as it is now, and the steps that lead it back to where it was."""

    sheet: Sheet
    steps: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class MovedNote:
    """What came of the last step: what is told, the way back, and the refusals by name."""

    message: str
    undo: tuple[Undo, ...]
    refused: tuple[tuple[str, str], ...]
    at: datetime


def titles(sheets: Sequence[Sheet]) -> str:
    """The names of a few sheets, or how many there are."""
    return (
        " and ".join(f"“{plain(sheet.name)}”" for sheet in sheets) if len(sheets) < 3 else counted(len(sheets), "sheet")
    )


def steps_back(before: SheetStatus, action: str) -> tuple[str, ...]:
    """What leads a sheet back to where it was: an archived active one is restored and published."""
    first = _BACK[action]
    leads_to = LIFECYCLE.table[first][1]
    return (first,) if leads_to is before or before not in _TO else (first, _TO[before])


# --- taking a step ---------------------------------------------------------------------------------------------------


def move(sheets: Sequence[Sheet], action: str) -> int:
    """Take one step with sheets and keep what came of it; how many took it. A callback may call it."""
    st.session_state.pop(_ASKED, None)
    st.session_state.pop(_NOTE, None)
    with guard_callback():
        workbench = cached.workbench()
        moved = workbench.sheets.move_each(sheets, action, by=current_user())
        before = {sheet.id: sheet.status for sheet in sheets}
        message = (
            f"{titles(moved.done)} {'is' if len(moved.done) == 1 else 'are'} {DONE[action]}." if moved.done else ""
        )
        st.session_state[_NOTE] = MovedNote(
            message,
            tuple(Undo(sheet, steps_back(before[sheet.id], action)) for sheet in moved.done),
            tuple((sheet.name, reason) for sheet, reason in moved.refused),
            workbench.clock(),
        )
        return len(moved.done)
    return 0


def undo(note: MovedNote) -> None:
    """Lead the sheets of a note back to where they were."""
    st.session_state.pop(_NOTE, None)
    with guard_callback():
        service, refused = cached.workbench().sheets, []
        sheets = [one.sheet for one in note.undo]
        for place in range(max(len(one.steps) for one in note.undo)):
            for action in dict.fromkeys(one.steps[place] for one in note.undo if len(one.steps) > place):
                due = {one.sheet.id for one in note.undo if one.steps[place : place + 1] == (action,)}
                moved = service.move_each([one for one in sheets if one.id in due], action, by=current_user())
                refused += [(sheet.name, reason) for sheet, reason in moved.refused]
                now = {sheet.id: sheet for sheet in moved.done}
                sheets = [now.get(sheet.id, sheet) for sheet in sheets]
        if refused:
            st.session_state[_NOTE] = MovedNote("", (), tuple(refused), cached.workbench().clock())
        else:
            flash(f"{titles(sheets)} {'is' if len(sheets) == 1 else 'are'} back as before.", icon=":material/undo:")


def moved_note() -> None:
    """What came of the last step, for a few minutes: the way back, and what was refused and why."""
    note: MovedNote | None = st.session_state.get(_NOTE)
    if note is None or cached.workbench().clock() - note.at > _SHOWN_FOR:
        return
    if note.refused:
        lines = [f"- “{plain(name)}”: {plain(reason)}" for name, reason in note.refused]
        st.warning("\n".join(lines), icon=":material/block:", title=f"{counted(len(lines), 'sheet')} stayed as before")
    if not note.undo:
        return
    with st.container(border=True, horizontal=True, vertical_alignment="center", key="data_moved_note"):
        st.markdown(f":material/check_circle: {note.message}", width="content")
        if refusal := undo_refusal(note):
            st.caption(f"It can be brought back. {plain(refusal)}", width="content")
        else:
            st.button("Undo", icon=":material/undo:", key="data_undo", on_click=undo, args=(note,))
        st.space("stretch")
        st.button(
            "Close", icon=":material/close:", type="tertiary", key="data_undo_close",
            on_click=st.session_state.pop, args=(_NOTE, None),
        )  # fmt: skip


def undo_refusal(note: MovedNote) -> str:
    """Why this person may not lead the sheets back; empty when they may."""
    service, person = cached.workbench().sheets, current_user()
    refusals = (service.refusal(one.sheet, step, by=person) for one in note.undo for step in one.steps)
    return next((refusal for refusal in refusals if refusal), "")


# --- asking first ----------------------------------------------------------------------------------------------------


def ask(sheets: Sequence[Sheet]) -> None:
    """Ask before sheets are deleted; `deletion_question` shows it."""
    st.session_state[_ASKED] = tuple(sheet.id for sheet in sheets)


def deletion_question(sheets: Sequence[Sheet], *, then: str = "") -> bool:
    """The question before these sheets are deleted, once it was asked: what happens, and who can undo it.

    `then` names the view to go to afterwards. Gives whether it is shown.
    """
    able = [sheet for sheet in sheets if "delete" in LIFECYCLE.actions(sheet.status)]
    if not able or st.session_state.get(_ASKED) != tuple(sheet.id for sheet in able):
        return False
    pronoun, names = ("it" if len(able) == 1 else "them"), titles(able)
    with st.container(border=True, key="data_delete_question"):
        st.markdown(f"**Delete {names}?**")
        st.caption(
            f"Lists do not show {pronoun} any more and nothing new can be made from {pronoun}. The tables stay. An "
            f"administrator can bring {pronoun} back: Data, Sheets, Deleted."
        )
        with st.container(horizontal=True):
            st.button(
                "Delete", type="primary", icon=":material/delete:", key="data_delete_do", on_click=delete,
                args=(able, then),
            )  # fmt: skip
            st.button("Keep", key="data_delete_keep", on_click=st.session_state.pop, args=(_ASKED, None))
    return True


def delete(sheets: Sequence[Sheet], then: str) -> None:
    """Delete sheets and go to a list."""
    if move(sheets, "delete") and then:
        st.query_params.from_dict({"view": then})
