"""Decide about many pairs: what is chosen, what could be done, a preview of what would change, and the deed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import streamlit as st

from pages.components.errors import guard
from pages.components.grid import clear_selection
from pages.components.identity import current_user
from pages.components.review_acts import act_button
from pages.components.review_filters import FLAGS, sentence
from pages.components.review_rights import reason_locked
from pages.components.usage_editor import usage_editor
from pages.components.words import counted, plain
from workbench_core import cached, cached_review
from workbench_core.pairs import BulkAction, BulkPreview, PairFilter, Selection
from workbench_core.training_sheets import TrainingSheet

MOST_REASONS = 10  # that are shown


@dataclass(frozen=True, slots=True)
class _Deed:
    """What a button is called, its icon, and what it says it does."""

    title: str
    icon: str
    verb: str
    done: str


_DEEDS: Mapping[str, _Deed] = {
    "approve": _Deed("Approve", "check", "Approve", "approved"),
    "reject": _Deed("Reject", "close", "Reject", "rejected"),
    "flag": _Deed("Flag", "flag", "Flag", "flagged"),
    "reopen": _Deed("Reopen", "lock_open", "Reopen", "reopened"),
    "set_flags": _Deed("Quality flags", "label_important", "Set the quality flags of", "changed"),
    "set_usage": _Deed("Usage", "policy", "Set the usage of", "changed"),
}


def grid_key(sheet: TrainingSheet) -> str:
    """The key of the list's grid."""
    return f"label_grid_{sheet.id}"


def is_about_all(sheet: TrainingSheet) -> bool:
    """Whether the person chose everything that matches instead of single pairs."""
    return bool(st.session_state.get(_all_key(sheet)))


def bulk_bar(sheet: TrainingSheet, wanted: PairFilter, chosen: tuple[str, ...], total: int) -> None:
    """What is chosen and what can be done with it."""
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        everything = st.toggle(
            f"All {total:,} that match", key=_all_key(sheet),
            help="Decide about everything that the filter has, on other pages too, instead of the selected pairs.",
        )  # fmt: skip
        number = total if everything else len(chosen)
        st.markdown(_chosen_words(chosen, total, everything=everything), width="content")
    selection = Selection(sheet.id, wanted=wanted) if everything else Selection(sheet.id, chosen)
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        for action, deed in _DEEDS.items():
            reason = reason_locked(sheet, action) or ("" if number else "Select pairs first, or choose all that match.")
            st.button(
                deed.title, icon=f":material/{deed.icon}:", key=f"label_bulk_{action}", disabled=bool(reason),
                help=reason or None, on_click=_open, args=(sheet, action),
            )  # fmt: skip
    if locked := reason_locked(sheet):
        st.caption(plain(locked))
    if (action := st.session_state.get(_open_key(sheet), "")) in _DEEDS and number:
        _dialog(sheet, selection, action)


def _chosen_words(chosen: tuple[str, ...], total: int, *, everything: bool) -> str:
    if everything:
        return f"**all {total:,} selected**"
    return f"**{len(chosen):,} selected**" if chosen else ":small[:gray[Select pairs to decide about them]]"


# --- the dialog ------------------------------------------------------------------------------------------------------


def _dialog(sheet: TrainingSheet, selection: Selection, action: str) -> None:
    """The dialog of an action; it stays open over reruns until the person closes it or it is done."""
    deed = _DEEDS[action]
    opened: Callable[[TrainingSheet, Selection, str], None] = st.dialog(
        deed.title, icon=f":material/{deed.icon}:", on_dismiss=lambda: _close(sheet)
    )(_prepare)
    opened(sheet, selection, action)


def _prepare(sheet: TrainingSheet, selection: Selection, action: str) -> None:
    """What the action needs to know, what it would change, and the button that does it."""
    if selection.wanted is not None:
        st.caption(sentence(selection.wanted, _matching(sheet, selection.wanted)))
    asked, missing = _ask(sheet, action)
    with guard():
        preview = cached_review.bulk_preview(selection, asked, current_user()) if not missing else None
        if preview:
            _tell(preview, asked)
        _do_button(sheet, selection, asked, preview, missing)


def _matching(sheet: TrainingSheet, wanted: PairFilter) -> int:
    return cached_review.facets(sheet.id, wanted).total


def _ask(sheet: TrainingSheet, action: str) -> tuple[BulkAction, str]:
    """The fields of an action; give the action, and what is still missing."""
    key = f"label_{action}_{sheet.id}"
    if action == "approve":
        replaces = st.checkbox(
            "Replace canonical labels that say something else", key=f"{key}_replace",
            help="Without it, pairs whose item has another canonical label are left as they are.",
        )  # fmt: skip
        return BulkAction(action, replace_labels=replaces), ""
    if action in {"flag", "set_flags"}:
        return _ask_flags(action, key=key)
    if action == "set_usage":
        rules = usage_editor(key=key)
        return BulkAction(action, rules=rules), "" if rules.reason.strip() else "Say why these uses."
    note = st.text_input("Reason (optional)", key=f"{key}_note") if action == "reject" else ""
    return BulkAction(action, note=note or ""), ""


def _ask_flags(action: str, *, key: str) -> tuple[BulkAction, str]:
    note = ""
    if action == "flag":
        note = st.text_input("Reason", key=f"{key}_note", placeholder="What needs a second look?", live="300ms") or ""
    flags = st.pills(
        "Quality flags", list(FLAGS), key=f"{key}_flags", selection_mode="multi", format_func=FLAGS.__getitem__,
        help="They are added." if action == "flag" else "The pairs have these afterwards and no others.",
    )  # fmt: skip
    missing = "Say what needs a second look." if action == "flag" and not note.strip() else ""
    return BulkAction(action, note=note, flags=tuple(flags)), missing


def _tell(preview: BulkPreview, action: BulkAction) -> None:
    """What would change, what not and why."""
    done = _DEEDS[action.action].done
    st.markdown(f"**{counted(preview.changing, 'pair')}** of {preview.matching:,} will be {done}.")
    labels = [
        f"{counted(preview.labels_new, 'new canonical label')}" if preview.labels_new else "",
        f"{counted(preview.labels_replaced, 'canonical label')} replaced" if preview.labels_replaced else "",
    ]
    if said := " · ".join(part for part in labels if part):
        st.markdown(f":material/bookmark_added: {said}")
    if preview.skipped:
        st.markdown(_skipped_words(preview.skipped))
    if preview.is_large:
        st.caption("So many are worked on in the background, with progress here. You can go on meanwhile.")


def _skipped_words(skipped: Mapping[str, int]) -> str:
    """Why pairs are left as they are, the most frequent reason first."""
    reasons = list(skipped.items())
    lines = [f"- {number:,}: {plain(reason)}" for reason, number in reasons[:MOST_REASONS]]
    more = [f"- and {len(reasons) - MOST_REASONS:,} more reasons"] if len(reasons) > MOST_REASONS else []
    return "\n".join([f"{counted(sum(skipped.values()), 'pair')} left as they are:", "", *lines, *more])


# --- the deed --------------------------------------------------------------------------------------------------------


def _do_button(
    sheet: TrainingSheet, selection: Selection, action: BulkAction, preview: BulkPreview | None, missing: str
) -> None:
    number = preview.changing if preview else 0
    title = f"{_DEEDS[action.action].verb} {counted(number, 'pair')}" if preview else _DEEDS[action.action].title
    as_of = preview.as_of if preview else None
    act_button(
        title, icon=_DEEDS[action.action].icon, key=f"label_do_{action.action}", kind="primary", width="stretch",
        state=f"{sheet.id} {as_of}", reason=missing or ("" if number else "Nothing would change."),
        act=lambda: _do(sheet, replace(selection, as_of=as_of), action), then=lambda: _finish(sheet),
    )  # fmt: skip


def _do(sheet: TrainingSheet, selection: Selection, action: BulkAction) -> str:
    outcome = cached.workbench().pairs.decide_all(selection, action, by=current_user())
    if outcome.run:
        return f"{outcome.run.title}: it has started."
    st.session_state[_skipped_key(sheet)] = dict(outcome.skipped)
    left = sum(outcome.skipped.values())
    said = f"{counted(outcome.done, 'pair')} {_DEEDS[action.action].done}"
    return f"{said}, {left:,} left as they are." if left else f"{said}."


def _finish(sheet: TrainingSheet) -> None:
    """Close the dialog and choose nothing any more."""
    _close(sheet)
    st.session_state.pop(_all_key(sheet), None)
    clear_selection(grid_key(sheet))


def show_skipped(sheet: TrainingSheet) -> None:
    """Why pairs of the last bulk decision were left as they are."""
    if skipped := st.session_state.pop(_skipped_key(sheet), {}):
        st.warning(_skipped_words(skipped), icon=":material/block:")


def _open(sheet: TrainingSheet, action: str) -> None:
    st.session_state[_open_key(sheet)] = action


def _close(sheet: TrainingSheet) -> None:
    st.session_state.pop(_open_key(sheet), None)


def _open_key(sheet: TrainingSheet) -> str:
    return f"label_bulk_open_{sheet.id}"


def _all_key(sheet: TrainingSheet) -> str:
    return f"label_all_{sheet.id}"


def _skipped_key(sheet: TrainingSheet) -> str:
    return f"label_skipped_{sheet.id}"
