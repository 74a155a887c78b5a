"""What can be done with an open label set: save, publish, make a version, and the reasons why not."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from pages.components.identity import current_user
from pages.components.label_set_form import schema_fault, typed, version_key
from pages.components.layout import flash
from pages.components.prompt_editor import asked_to_save
from pages.components.rights import why_not
from pages.components.words import plain, words
from workbench_core import cached, cached_label_sets
from workbench_core.label_sets import LabelSet, LabelSetDraft, LabelSetStatus, Problem, file_name, problems_of
from workbench_core.permissions import Action

PARTS = {
    "overview": "Overview", "classes": "Classes", "schema": "Response schema", "about": "About and usage",
    "labels": "Labels", "versions": "Versions",
}  # fmt: skip
PART_OF_FIELD = {"classes": "classes", "response_schema": "schema"}  # everything else stands in “about”
ICONS = {
    "publish": "publish", "archive": "archive", "restore": "unarchive", "duplicate": "content_copy",
    "create_version": "add_circle", "delete": "delete",
}  # fmt: skip
STEWARD = {"publish", "archive", "restore"}
# Streamlit fades the shortcut in a button so much that it cannot be read on the accent colour
_READABLE_SHORTCUT = '<style>[class*="st-key-save_"] button[kind="primary"] kbd {color: inherit; opacity: 1}</style>'
UNREAD_SCHEMA = "Correct the response schema first: what you typed is kept here, but cannot be saved."


def part_of(problem: Problem) -> str:
    """The part of the editor in which a problem can be solved."""
    return PART_OF_FIELD.get(problem.field, "about")


def troubled(problems: Sequence[Problem]) -> list[str]:
    """The titles of the parts in which something keeps the set from being published."""
    parts = {part_of(problem) for problem in problems if not problem.is_warning}
    return [title for part, title in PARTS.items() if part in parts]


def draw_actions(label_set: LabelSet, base: str, known: Sequence[LabelSet]) -> str:
    """The buttons that the state and the person's role allow; give the one that was pressed."""
    draft, pressed = typed(base, label_set), ""
    if label_set.status is LabelSetStatus.DRAFT:
        if not why_not(Action.EDIT_LABEL_SETS):
            pressed = "save" if _save_button(label_set, draft, base) else ""
        pressed = "publish" if _publish_button(label_set, draft, base) else pressed
    elif label_set.status is LabelSetStatus.PUBLISHED and not why_not(Action.EDIT_LABEL_SETS):
        pressed = _version_button(label_set, known)
    with st.popover("More", icon=":material/more_horiz:"):
        st.download_button(
            "Export", lambda: cached.workbench().label_sets.export_definition(label_set.id),
            file_name=file_name(label_set.draft, label_set.version), mime="application/json",
            key=f"export_{label_set.id}", icon=":material/download:", on_click="ignore", width="stretch",
            help="This version as it is saved, as a JSON definition",
        )  # fmt: skip
        for action in label_set.actions:
            if action not in ("publish", "create_version") and _more_button(label_set, action):
                pressed = action
    return pressed


def _version_button(label_set: LabelSet, known: Sequence[LabelSet]) -> str:
    """A new version, or the way to the draft that is open already."""
    open_draft = next((version for version in known if version.status is LabelSetStatus.DRAFT), None)
    if open_draft is None:
        is_pressed = st.button(
            "New version", key=f"create_version_{label_set.id}", type="primary",
            icon=f":material/{ICONS['create_version']}:",
        )  # fmt: skip
        return "create_version" if is_pressed else ""
    if st.button(f"Open draft {open_draft.version}", key=f"open_draft_{label_set.id}", type="primary"):
        go_to(open_draft.id)
    return ""


def _more_button(label_set: LabelSet, action: str) -> bool:
    """One of the actions that are seldom wanted; what the role or what stands on the set forbids says why."""
    refusal = why_not(Action.PUBLISH_LABEL_SETS if action in STEWARD else Action.EDIT_LABEL_SETS)
    used = cached_label_sets.dependants(label_set.id) if action == "delete" else ""
    label = f"Delete {label_set.version} for good" if action == "delete" else words(action)
    is_pressed = st.button(
        label, key=f"{action}_{label_set.id}", icon=f":material/{ICONS[action]}:", width="stretch",
        disabled=bool(used or refusal), help=refusal or None,
    )  # fmt: skip
    if used:
        st.caption(f"It cannot be deleted. In use: {plain(used)}.")
    return is_pressed


def _save_button(label_set: LabelSet, draft: LabelSetDraft, base: str) -> bool:
    """Save what is typed, or the reason why there is nothing to save or it cannot be."""
    is_asked = asked_to_save(base)
    is_changed = draft != label_set.draft
    reason = UNREAD_SCHEMA if schema_fault(base) else "" if is_changed else "Everything is saved."
    st.html(_READABLE_SHORTCUT)
    is_pressed = st.button(
        "Save", key=f"save_{label_set.id}", type="primary" if is_changed else "secondary", disabled=bool(reason),
        icon=":material/save:", help=reason or None, shortcut="Mod+S",
    )  # fmt: skip
    return is_pressed or (is_asked and not reason)


def _publish_button(label_set: LabelSet, draft: LabelSetDraft, base: str) -> bool:
    """Publish, or the reason why not yet."""
    parts = troubled(problems_of(draft))
    reason = why_not(Action.PUBLISH_LABEL_SETS)
    if not reason and (draft != label_set.draft or schema_fault(base)):
        reason = "Save your changes first."
    elif not reason and parts:
        reason = f"Solve the problems in {', '.join(parts)} first."
    return st.button(
        "Publish", key=f"publish_{label_set.id}", type="secondary" if reason else "primary", disabled=bool(reason),
        icon=":material/publish:", help=reason or "A published version never changes; answers of its type follow it.",
    )  # fmt: skip


def go_to(label_set_id: str, message: str = "") -> None:
    """Open a label set, in the same part, with a message when something was done."""
    if message:
        flash(message)
    st.query_params["label_set"] = label_set_id
    st.rerun()


def act(label_set: LabelSet, action: str, draft: LabelSetDraft) -> None:
    """Do what a button says; one service call."""
    label_sets, user = cached.workbench().label_sets, current_user()
    seen = st.session_state[version_key(label_set)]
    match action:
        case "save":
            saved = label_sets.update(label_set.id, draft, by=user, row_version=seen)
            st.session_state[version_key(label_set)] = saved.row_version
            go_to(label_set.id, "Saved.")
        case "delete":
            label_sets.delete(label_set.id, by=user)
            flash(f"“{plain(label_set.name)}” {label_set.version} was deleted.")
            st.query_params.clear()
            st.rerun()
        case "duplicate":
            go_to(label_sets.duplicate(label_set.id, by=user).id, "Copy created.")
        case "create_version":
            made = label_sets.move(label_set.id, action, by=user)
            st.query_params.pop("show", None)
            go_to(made.id, f"Draft {made.version} created.")
        case _:
            moved = label_sets.move(label_set.id, action, by=user, row_version=seen)
            go_to(moved.id, f"“{plain(moved.name)}” {moved.version} is {moved.status} now.")
