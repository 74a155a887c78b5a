"""What a person changes on an open sheet: collected over its parts, saved at once, told when somebody was quicker."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace

import streamlit as st

from pages.components.errors import guard, guard_callback
from pages.components.identity import current_user
from pages.components.layout import flash
from pages.components.rights import why_not
from pages.components.words import ago, plain
from workbench_core import cached
from workbench_core.errors import ChangedByOthers
from workbench_core.permissions import Action
from workbench_core.sheets import Sheet, SheetDraft, SheetStatus
from workbench_core.sheets.changes import REFUSED, changed_fields, changes_since
from workbench_core.sheets.editing import combined

_WAY_TO_DRAFT = {SheetStatus.ACTIVE: "Unpublish it to change it.", SheetStatus.ARCHIVED: "Restore it to change it."}


@dataclass(frozen=True, slots=True)
class OpenSheet:
    """A sheet as a person found it, and what they made of it since.

    `round` grows whenever the draft is replaced by something else than what the fields say: fields are keyed by it.
    """

    found: Sheet
    draft: SheetDraft
    round: int = 0

    @property
    def is_changed(self) -> bool:
        """Whether there is something to save."""
        return bool(changed_fields(self.found.draft, self.draft))

    @property
    def key(self) -> str:
        """The beginning of the keys of its fields."""
        return f"data_{self.found.id}_{self.found.row_version}_{self.round}"


def opened(sheet: Sheet) -> OpenSheet:
    """The sheet with what this person has changed and not saved; the newest version when there is nothing such."""
    kept: OpenSheet | None = st.session_state.get(_place(sheet.id))
    if kept is None:
        kept = st.session_state[_place(sheet.id)] = came_back(sheet) or OpenSheet(sheet, sheet.draft)
    elif not kept.is_changed and kept.found != sheet:
        kept = st.session_state[_place(sheet.id)] = OpenSheet(sheet, sheet.draft, kept.round)
    return kept


def came_back(sheet: Sheet) -> OpenSheet | None:
    """What this person had not saved when their browser reloaded or the app ended."""
    unsaved = cached.workbench().unsaved_sheets.get(sheet.id, by=current_user())
    if unsaved is None or sheet.status is not SheetStatus.DRAFT:
        return None
    base = {field.name: getattr(unsaved.base, field.name) for field in fields(SheetDraft)}
    back = OpenSheet(replace(sheet, row_version=unsaved.row_version, **base), unsaved.draft)
    if back.is_changed:
        flash(f"Your changes of {ago(unsaved.changed_at)} are here. They are not saved yet.", icon=":material/history:")
    return back


def _put(sheet_id: str, kept: OpenSheet) -> None:
    """Go on with this, also after a reload."""
    st.session_state[_place(sheet_id)] = kept
    unsaved, by = cached.workbench().unsaved_sheets, current_user()
    if kept.is_changed:
        unsaved.keep(sheet_id, kept.draft, base=kept.found.draft, row_version=kept.found.row_version, by=by)
    else:
        unsaved.forget(sheet_id, by=by)


def change(sheet_id: str, draft: SheetDraft, *, resets_fields: bool = False) -> None:
    """Keep a changed draft until it is saved; with `resets_fields` the fields start anew from it."""
    kept: OpenSheet = st.session_state[_place(sheet_id)]
    more = 1 if resets_fields else 0
    _put(sheet_id, replace(kept, draft=draft, round=kept.round + more))


def current(sheet_id: str) -> OpenSheet:
    """What is open now, for callbacks."""
    kept: OpenSheet = st.session_state[_place(sheet_id)]
    return kept


def why_locked(sheet: Sheet) -> str:
    """Why this person cannot change the sheet now, in a sentence; empty when they can."""
    if refusal := why_not(Action.EDIT_SHEETS):
        return refusal
    if sheet.status is SheetStatus.DRAFT:
        return ""
    return f"The sheet is {sheet.status}: only a draft can be changed. {_WAY_TO_DRAFT.get(sheet.status, '')}".strip()


def save_bar(sheet: Sheet) -> None:
    """At the bottom of the window: what is not saved yet, and the one way to save it."""
    kept = opened(sheet)
    if not kept.is_changed:
        return
    is_outrun = kept.found.row_version != sheet.row_version
    locked = why_locked(sheet) or ("Decide first about what was changed meanwhile." if is_outrun else "")
    with st.bottom:
        if st.session_state.get(_confirming(sheet.id)) == kept.draft and not locked:
            confirmation(sheet, kept.draft)
            return
        with st.container(horizontal=True, vertical_alignment="center", key="data_save_bar"):
            st.markdown(f":material/edit: **Not saved yet:** {plain(what_changed(kept))}", width="content")
            st.space("stretch")
            st.button("Discard", key="data_discard", on_click=discard, args=(sheet.id,))
            st.button(
                "Save", type="primary", icon=":material/save:", key="data_save", on_click=save, args=(sheet.id,),
                disabled=bool(locked), help=locked or None,
            )  # fmt: skip


def confirmation(sheet: Sheet, draft: SheetDraft) -> None:
    """The question before a sheet gets other items under its labels, with what is at stake (SH-4)."""
    with st.container(key="data_confirmation", gap="small"):
        with guard():
            stake = cached.sheet_stake(sheet.id, draft)
            if stake is not None:
                before, after = (f"{plain(table)} by {plain(column)}" for table, column in (stake.before, stake.after))
                st.warning(
                    plain(stake.words()), icon=":material/swap_horiz:",
                    title=f"Other items for this sheet? {before} → {after}",
                )  # fmt: skip
        with st.container(horizontal=True):
            st.button(
                "Save with other items", type="primary", icon=":material/save:", key="data_confirm", on_click=save,
                args=(sheet.id,), kwargs={"confirmed": True},
            )  # fmt: skip
            st.button(
                "Back", key="data_confirm_back", on_click=st.session_state.pop, args=(_confirming(sheet.id), None)
            )


def what_changed(kept: OpenSheet) -> str:
    """What is not saved, in words; another join gives columns other names, which is no change of its own."""
    words = changed_fields(kept.found.draft, kept.draft)
    renames = kept.draft.join != kept.found.join
    shown = [word for word in words if not (renames and (word == "identifier" or "columns" in word))]
    return ", ".join(shown)


def save(sheet_id: str, *, confirmed: bool = False) -> None:
    """Save everything that was changed, over the version that was read; ask first when labels lose their items."""
    kept, sheets = current(sheet_id), cached.workbench().sheets
    with guard_callback():
        if not confirmed and sheets.stake(sheet_id, kept.draft) is not None:
            st.session_state[_confirming(sheet_id)] = kept.draft
            return
        sheets.update(sheet_id, kept.draft, by=current_user(), row_version=kept.found.row_version, confirmed=confirmed)
        discard(sheet_id)
        flash("Saved.")
    errors = st.session_state.pop("kept_errors", [])  # the note about two people says this one with its choices
    st.session_state["kept_errors"] = [error for error in errors if not isinstance(error, ChangedByOthers)]


def discard(sheet_id: str) -> None:
    """Forget what was changed; the next run shows the newest version."""
    kept = current(sheet_id)
    st.session_state.pop(_confirming(sheet_id), None)
    _put(sheet_id, replace(kept, draft=kept.found.draft, round=kept.round + 1))


# --- two people ------------------------------------------------------------------------------------------------------


def conflict_note(sheet: Sheet) -> None:
    """Tell the second of two people who changed what meanwhile, with the choice; tell the first that somebody came."""
    kept = opened(sheet)
    if not kept.is_changed or kept.found.row_version == sheet.row_version:
        first_note(sheet)
        return
    theirs = changes_since(cached.workbench().history, sheet.id, kept.found.row_version) or sheet.updated_by
    mine = what_changed(kept)
    with st.container(border=True):
        st.warning(
            f"{plain(theirs)}. Your changes ({plain(mine)}) are not saved.",
            icon=":material/group:", title="The sheet was changed meanwhile",
        )  # fmt: skip
        with st.container(horizontal=True):
            st.button(
                "Apply mine to the new version", key="data_apply_mine", type="primary", on_click=apply_mine,
                args=(sheet,), disabled=bool(why_locked(sheet)), help=why_locked(sheet) or None,
            )  # fmt: skip
            st.button("Reload and drop mine", key="data_reload", on_click=discard, args=(sheet.id,))


def apply_mine(sheet: Sheet) -> None:
    """Put what this person changed on top of the version of the other; it still has to be saved."""
    kept, sheets = current(sheet.id), cached.workbench().sheets
    with guard_callback():
        is_mine = kept.draft.join != kept.found.join
        join = kept.draft.join if is_mine else sheet.join
        base, mine, theirs = (
            one if one.join == join else sheets.with_join(one, join)
            for one in (kept.found.draft, kept.draft, sheet.draft)
        )
        draft = combined(base, mine, theirs)
        _put(sheet.id, OpenSheet(sheet, draft, kept.round + 1))
        flash("Your changes stand on the new version now. Look at them and save.", icon=":material/merge:")


def first_note(sheet: Sheet) -> None:
    """Tell the person who changed a sheet last that somebody else wanted to change it at the same time."""
    events = cached.workbench().history.of("sheet", sheet.id, limit=20)
    latest = next((event for event in events if "version" in event.details), None)
    if latest is None or not latest.action.endswith(REFUSED) or current_user() in {"", latest.by}:
        return
    seen = f"data_seen_{sheet.id}_{latest.happened_at.isoformat()}"
    is_about_mine = sheet.updated_by == current_user() and latest.details.get("version") == sheet.row_version
    if not is_about_mine or st.session_state.get(seen):
        return
    wanted = latest.action.removesuffix(REFUSED)
    with st.container(horizontal=True, vertical_alignment="center", border=True):
        st.markdown(
            f":material/group: {plain(latest.by)} wanted to {plain(wanted)} this sheet too, with a version older than "
            "yours. Nothing of it was saved yet.",
            width="content",
        )
        st.button("Got it", key="data_seen", on_click=st.session_state.__setitem__, args=(seen, True))


def _confirming(sheet_id: str) -> str:
    return f"data_confirming_{sheet_id}"


def _place(sheet_id: str) -> str:
    return f"data_open_{sheet_id}"
