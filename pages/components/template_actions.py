"""What can be done with an open template: save, publish, make a version, and the reasons why not."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import streamlit as st

from pages.components.identity import current_user
from pages.components.layout import flash
from pages.components.prompt_editor import asked_to_save
from pages.components.rights import why_not
from pages.components.template_answer import schema_fault
from pages.components.template_form import version_key
from pages.components.template_list import BUTTONS, ICONS, take
from pages.components.template_sheet import sheet_now
from pages.components.words import plain, words
from workbench_core import cached
from workbench_core.permissions import Action
from workbench_core.prompt_templates import Problem, PromptTemplate, TemplateDraft, TemplateStatus, file_of
from workbench_core.prompt_templates.template_file import file_name

PARTS = {
    "prompt": "Prompt", "inputs": "Inputs", "answer": "Answer", "examples": "Examples", "settings": "Settings",
    "test": "Test", "versions": "Versions",
}  # fmt: skip
FIELDS_OF_PART = {
    "prompt": ("name", "label_type", "system_prompt", "user_prompt"),
    "inputs": ("inputs", "feature_columns", "target_column"),
    "answer": ("label_classes", "output_schema"),
    "examples": ("examples",),
}  # everything else stands in the settings
# Streamlit fades the shortcut in a button so much that it cannot be read on the accent colour
_READABLE_SHORTCUT = '<style>[class*="st-key-save_"] button[kind="primary"] kbd {color: inherit; opacity: 1}</style>'
UNREAD_SCHEMA = "Correct the JSON Schema in Answer first: what you typed is kept here, but cannot be saved."


def part_of(problem: Problem) -> str:
    """The part of the editor in which a problem can be solved."""
    return next((part for part, names in FIELDS_OF_PART.items() if problem.field in names), "settings")


def troubled(problems: Sequence[Problem]) -> list[str]:
    """The titles of the parts in which something keeps the template from being published."""
    parts = {part_of(problem) for problem in problems if not problem.is_warning}
    return [title for part, title in PARTS.items() if part in parts]


def draw_actions(template: PromptTemplate, draft: TemplateDraft, base: str, known: Sequence[PromptTemplate]) -> str:
    """The buttons that this template's state and the person's role allow; give the one that was pressed."""
    may_edit = not why_not(Action.EDIT_TEMPLATES)
    is_draft = template.status is TemplateStatus.DRAFT
    pressed = ""
    if may_edit and is_draft:
        pressed = "save" if save_button(template, draft, base) else ""
        pressed = "publish" if publish_button(template, draft, base) else pressed
    else:
        is_usable = template.status is TemplateStatus.PUBLISHED and not why_not(Action.GENERATE)
        if is_usable:
            generate_button(template)
        if may_edit and "create_version" in template.actions:
            pressed = version_button(template, known, kind="secondary" if is_usable else "primary")
    with st.popover("More", icon=":material/more_horiz:"):
        st.download_button(
            "Export", lambda: file_of(draft, template.version), file_name=file_name(template, template.version),
            mime="text/plain", key=f"export_{template.id}", icon=":material/download:", on_click="ignore",
            width="stretch", help="This version as a file: YAML and Jinja, made to live in git",
        )  # fmt: skip
        for action in template.actions if may_edit else ():
            if action in ("publish", "create_version"):
                continue
            is_unsaved = is_draft and (draft != template.draft or bool(schema_fault(base)))
            if more_button(template, action, is_unsaved=is_unsaved):
                pressed = action
    return pressed


def generate_button(template: PromptTemplate) -> None:
    """The way to pairs: the Generate page with this template and the sheet that it is looked at on."""
    sheet = sheet_now(template, template.draft)
    if st.button(
        "Generate", key=f"generate_{template.id}", type="primary", icon=":material/auto_awesome:",
        help="Choose a sheet and see what it would cost; nothing starts by itself",
    ):  # fmt: skip
        query = {"sheet": sheet.id} if sheet else {}
        st.switch_page("generate.py", query_params={**query, "template": template.id})


def version_button(
    template: PromptTemplate, known: Sequence[PromptTemplate], *, kind: Literal["primary", "secondary"]
) -> str:
    """A new version, or the way to the draft that is open already."""
    open_draft = next((version for version in known if version.status is TemplateStatus.DRAFT), None)
    if open_draft is None:
        is_pressed = st.button(
            BUTTONS["create_version"], key=f"create_version_{template.id}", type=kind,
            icon=f":material/{ICONS['create_version']}:",
        )  # fmt: skip
        return "create_version" if is_pressed else ""
    if st.button(f"Open draft {open_draft.version}", key=f"open_draft_{template.id}", type=kind):
        go_to(open_draft.id)
    return ""


def more_button(template: PromptTemplate, action: str, *, is_unsaved: bool) -> bool:
    """One of the actions that are seldom wanted; what is in use cannot be deleted, and says why.

    What is typed must not be lost by archiving it, and a copy must hold it: both wait until it is saved.
    """
    used = cached.workbench().prompt_templates.dependants(template.id) if action == "delete" else ""
    label = f"Delete {template.version} for good" if action == "delete" else words(action)
    waits = "Save your changes first." if is_unsaved and action != "delete" else ""
    is_pressed = st.button(
        label, key=f"{action}_{template.id}", icon=f":material/{ICONS[action]}:", width="stretch",
        disabled=bool(used or waits), help=waits or None,
    )  # fmt: skip
    if used:
        st.caption(f"It cannot be deleted. In use: {plain(used)}.")
    return is_pressed


def save_button(template: PromptTemplate, draft: TemplateDraft, base: str) -> bool:
    """Save what is typed, or the reason why there is nothing to save or it cannot be."""
    is_changed = draft != template.draft
    is_asked = asked_to_save(base)
    reason = UNREAD_SCHEMA if schema_fault(base) else "" if is_changed else "Everything is saved."
    st.html(_READABLE_SHORTCUT)
    is_pressed = st.button(
        "Save", key=f"save_{template.id}", type="primary" if is_changed else "secondary", disabled=bool(reason),
        icon=":material/save:", help=reason or None, shortcut="Mod+S",
    )  # fmt: skip
    return is_pressed or (is_asked and not reason)


def publish_button(template: PromptTemplate, draft: TemplateDraft, base: str) -> bool:
    """Publish, or the reason why not yet."""
    parts = troubled(cached.workbench().prompt_templates.lint(draft))
    reason = why_not(Action.PUBLISH_TEMPLATES)
    if not reason and (draft != template.draft or schema_fault(base)):
        reason = "Save your changes first."
    elif not reason and parts:
        reason = f"Solve the problems in {', '.join(parts)} first."
    return st.button(
        "Publish", key=f"publish_{template.id}", type="secondary" if reason else "primary", disabled=bool(reason),
        icon=":material/publish:",
        help=reason or "A published version never changes; training sheets can be generated with it.",
    )  # fmt: skip


def go_to(template_id: str, message: str = "") -> None:
    """Open a template, in the same part of the editor, with a message when something was done."""
    if message:
        flash(message)
    st.query_params["template"] = template_id
    st.rerun()


def act(template: PromptTemplate, action: str, draft: TemplateDraft) -> None:
    """Do what a button says; one service call."""
    if action == "save":
        seen = st.session_state[version_key(template)]
        saved = cached.workbench().prompt_templates.update(template.id, draft, by=current_user(), row_version=seen)
        st.session_state[version_key(template)] = saved.row_version
        go_to(template.id, "Saved.")
    made = take(template, action)
    if made is None:
        flash(f"“{plain(template.name)}” {template.version} was deleted.")
        st.query_params.clear()
        st.rerun()
    said = {"create_version": f"Draft {made.version} created.", "duplicate": "Copy created."}
    go_to(made.id, said.get(action, f"“{plain(made.name)}” {made.version} is {made.status} now."))
