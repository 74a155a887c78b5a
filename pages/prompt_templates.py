"""Write prompt templates, try them on real rows, publish and version them; `?template=<id>` opens one.

`?status=` and `?search=` filter the list.
"""

from __future__ import annotations

import pandas as pd
import streamlit as st

from pages.components.address import page_in_url, search_in_url
from pages.components.errors import guard
from pages.components.identity import current_user
from pages.components.layout import empty_state, flash, page_header, status_badge
from pages.components.records import show_messages
from pages.components.template_form import (
    KINDS,
    answer_tab,
    examples_tab,
    opened,
    prompt_tab,
    show_placeholders,
    show_problems,
    typed,
    version_key,
)
from pages.components.words import ago, plain, words
from workbench_core import cached
from workbench_core.permissions import Action
from workbench_core.prompt_templates import (
    STARTERS,
    PromptTemplate,
    TemplateDraft,
    TemplateStatus,
    differences,
    propose_mapping,
)

PAGE_SIZE = 20
TABS = ["Prompt", "Answer", "Examples", "Preview", "Versions"]
FIELDS_OF_TAB = {
    "Prompt": ("system_prompt", "user_prompt"),
    "Answer": ("label_classes", "output_schema"),
    "Examples": ("examples",),
}
BUTTONS = {"create_version": "New version"}
ROLELESS = "Your role may read templates, but not change them."

templates, user = cached.workbench().prompt_templates, current_user()
may_edit = cached.workbench().permissions.allows(user, Action.EDIT_TEMPLATES)
may_publish = cached.workbench().permissions.allows(user, Action.PUBLISH_TEMPLATES)


def open_template(template_id: str, message: str = "") -> None:
    """Go to one template, with a message when something was done."""
    if message:
        flash(message)
    st.query_params["template"] = template_id
    st.rerun()


# --- list ----------------------------------------------------------------------------------------------------------


def starter_buttons(place: str) -> None:
    """One button for each starter; the new draft opens."""
    for name, starter in STARTERS.items():
        if st.button(name, key=f"prompt_templates_{place}_{name}", help=starter.description, disabled=not may_edit):
            open_template(templates.create(starter, by=user).id, "Draft created. Change it to fit your data.")


def show_list() -> None:
    """All templates that match, last changed first."""
    actions = page_header(
        "Prompt templates", "Recipes that turn the rows of a sheet into questions and check the answers"
    )
    with actions, st.popover("New template", icon=":material/add:", type="primary", disabled=not may_edit):
        st.caption("Start from")
        starter_buttons("new")
    with st.container(horizontal=True, vertical_alignment="bottom"):
        chosen = st.segmented_control(
            "Status", [status.value for status in TemplateStatus], key="status", bind="query-params"
        )
        search = search_in_url("search", label="Search", placeholder="Search templates")
    status = TemplateStatus(chosen) if chosen else None
    total = templates.count(status=status, search=search)
    if not total:
        show_nothing(is_filtered=bool(chosen or search))
        return
    found = st.container()
    offset = PAGE_SIZE * (page_in_url(-(-total // PAGE_SIZE)) - 1)
    with found:
        table(templates.find(status=status, search=search, limit=PAGE_SIZE, offset=offset))


def show_nothing(*, is_filtered: bool) -> None:
    """Say why the list is empty, with the one useful next step."""
    if is_filtered:
        empty_state("No template matches. Change the filter.", icon=":material/search_off:")
        return
    with empty_state("No prompt templates yet. Start from one of these:", icon=":material/edit_note:"):
        starter_buttons("first")


def table(found: list[PromptTemplate]) -> None:
    """The templates as a table; a click opens one."""
    frame = pd.DataFrame(
        {
            "Name": [template.name for template in found],
            "Label type": [template.label_type for template in found],
            "Answer": [KINDS[template.answer_kind] for template in found],
            "Version": [template.version for template in found],
            "Status": [words(template.status) for template in found],
            "Changed": [ago(template.updated_at) for template in found],
            "By": [template.updated_by for template in found],
        }
    )
    state = st.dataframe(
        frame,
        hide_index=True,
        on_select="rerun",
        selection_mode="single-row",
        key="prompt_templates_table",
        alt="Prompt templates",
    )
    if state.selection.rows:
        open_template(found[state.selection.rows[0]].id)


# --- preview and versions ------------------------------------------------------------------------------------------


def preview_tab(draft: TemplateDraft) -> None:
    """The messages of the first rows of a chosen sheet."""
    sheets = {sheet.id: sheet for sheet in cached.sheets()}
    if not sheets:
        with empty_state("There is no sheet to try this template on.", icon=":material/table_view:"):
            if st.button("Make a sheet", key="prompt_templates_to_data"):
                st.switch_page("data.py")
        return
    chosen = st.selectbox(
        "Sheet",
        list(sheets),
        format_func=lambda sheet_id: sheets[sheet_id].name,
        key="prompt_templates_sheet",
        width=320,
    )
    columns = sheets[chosen].columns
    proposed = propose_mapping(draft.placeholders, columns)
    mapping: dict[str, str] = {}
    with st.grid(min_column_width=200):
        for name in draft.placeholders:
            column = st.selectbox(
                plain(name), columns, index=columns.index(proposed[name]) if name in proposed else None,
                placeholder="Choose a column", key=f"prompt_templates_map_{chosen}_{name}",
            )  # fmt: skip
            mapping |= {name: column} if column else {}
    for item in templates.preview(draft, chosen, mapping):
        with st.container(border=True):
            st.markdown(f"**Item {plain(item.item_ref)}**")
            if item.error:
                st.markdown(f":red[:material/error: {plain(item.error)}]")
            if item.shortened:
                st.caption(f"Cut because it is very long: {plain(', '.join(item.shortened))}.")
            show_messages(item.messages)


def versions_tab(template: PromptTemplate, known: list[PromptTemplate]) -> None:
    """All versions of this template, and what differs between two."""
    for version in known:
        with st.container(horizontal=True, vertical_alignment="center"):
            st.markdown(f"**{version.version}**", width=70)
            status_badge(version.status)
            st.caption(f"{version.updated_by}, {ago(version.updated_at)}", width="stretch")
            is_shown = version.id == template.id
            if st.button("Shown" if is_shown else "Open", key=f"prompt_templates_open_{version.id}", disabled=is_shown):
                open_template(version.id)
    others = {version.id: version for version in known if version.id != template.id}
    if not others:
        st.caption("This is the only version.")
        return
    other = st.selectbox(
        "Compare with",
        list(others),
        format_func=lambda key: others[key].version,
        key=f"prompt_templates_other_{template.id}",
        width=200,
    )
    st.caption(f"Lines with − are only in {others[other].version}, lines with + only in {template.version}.")
    changes = differences(others[other], template)
    for change in changes:
        st.markdown(f"**{words(change.field)}**")
        st.code("\n".join(change.lines), language="diff", wrap_lines=True)
    if not changes:
        st.caption("The two versions are the same.")


# --- actions -------------------------------------------------------------------------------------------------------


def draw_actions(template: PromptTemplate, draft: TemplateDraft, *, open_draft: PromptTemplate | None) -> str:
    """The buttons that this template's state and the person's role allow; give the one that was pressed."""
    is_changed = draft != template.draft
    pressed = ""
    if template.status is TemplateStatus.DRAFT and st.button(
        "Save", key=f"save_{template.id}", type="primary" if is_changed else "secondary", disabled=not is_changed,
        help=None if is_changed else "Everything is saved.",
    ):  # fmt: skip
        pressed = "save"
    for action in template.actions:
        if action == "create_version" and open_draft:
            if st.button(f"Open draft {open_draft.version}", key=f"open_draft_{template.id}"):
                open_template(open_draft.id)
        elif action == "publish":
            pressed = "publish" if publish_button(template, draft) else pressed
        elif action == "delete":
            with st.popover("Delete"):
                st.markdown(f"Delete version {template.version} for good?")
                pressed = "delete" if st.button("Delete it", key=f"delete_{template.id}") else pressed
        elif st.button(BUTTONS.get(action, words(action)), key=f"{action}_{template.id}"):
            pressed = action
    return pressed


def publish_button(template: PromptTemplate, draft: TemplateDraft) -> bool:
    """Publish, or the reason why not yet."""
    reason = ""
    if not may_publish:
        reason = "Your role may not publish templates."
    elif draft != template.draft:
        reason = "Save your changes first."
    elif templates.lint(draft):
        reason = "Solve the problems shown below first."
    return st.button(
        "Publish", key=f"publish_{template.id}", type="secondary" if reason else "primary", disabled=bool(reason),
        help=reason or "A published version never changes; training sheets can be generated with it.",
    )  # fmt: skip


def act(template: PromptTemplate, action: str, draft: TemplateDraft) -> None:
    """Do what a button says; one service call."""
    match action:
        case "save":
            seen = st.session_state[version_key(template)]
            st.session_state[version_key(template)] = templates.update(
                template.id, draft, by=user, row_version=seen
            ).row_version
            open_template(template.id, "Saved.")
        case "create_version":
            version = templates.create_version(template.id, by=user)
            open_template(version.id, f"Draft {version.version} created.")
        case "duplicate":
            open_template(templates.duplicate(template.id, by=user).id, "Copy created.")
        case "delete":
            templates.delete(template.id, by=user)
            flash(f"{template.name} {template.version} deleted.")
            del st.query_params["template"]
            st.rerun()
        case _:
            moved = templates.move(template.id, action, by=user)
            open_template(moved.id, f"{moved.name} {moved.version} is {moved.status} now.")


def show_changed_by_others(template: PromptTemplate) -> None:
    """Say that somebody else saved meanwhile, and offer to take over what they wrote."""
    if st.session_state[version_key(template)] == template.row_version:
        return
    st.warning(f"{plain(template.updated_by)} changed this draft after you opened it.", icon=":material/group:")
    if st.button("Load their version", key=f"load_{template.id}", help="What you typed here is lost."):
        del st.session_state[version_key(template)]
        st.rerun()


def show_template(template: PromptTemplate) -> None:
    """One version: its editor, or the same fields read-only."""
    is_open = template.status is TemplateStatus.DRAFT and may_edit
    actions = page_header(
        plain(template.name), f"Version {template.version} · label type {plain(template.label_type)}",
        status=template.status, is_demo=template.is_demo,
    )  # fmt: skip
    message = st.container()
    if st.button("All templates", key="prompt_templates_back", icon=":material/arrow_back:", type="tertiary"):
        del st.query_params["template"]
        st.rerun()
    base = opened(template)
    with message:
        show_changed_by_others(template)
    known = templates.versions(template.lineage_id)
    tabs = st.tabs(TABS, key="prompt_templates_tab", on_change="rerun")
    prompt, answer, examples, preview, versions = tabs
    with prompt:
        prompt_tab(base, is_open=is_open)
    with answer:
        answer_tab(base, is_open=is_open)
    with examples:
        examples_tab(base, is_open=is_open)
    draft = typed(base)
    problems = templates.lint(draft)
    with prompt:
        show_placeholders(draft)
    for tab, names in zip(tabs, FIELDS_OF_TAB.values(), strict=False):
        with tab:
            show_problems(problems, *names)
    with preview, guard():
        if preview.open:
            preview_tab(draft)
    with versions:
        if versions.open:
            versions_tab(template, known)
    with actions:
        open_draft = next((version for version in known if version.status is TemplateStatus.DRAFT), None)
        pressed = draw_actions(template, draft, open_draft=open_draft) if may_edit else ""
    with message, guard():
        if not may_edit:
            st.caption(ROLELESS)
        elif not is_open:
            st.caption("A published or archived version never changes. To change it, make a new version.")
        elif problems:
            troubled = [tab for tab, names in FIELDS_OF_TAB.items() if any(p.field in names for p in problems)]
            st.caption(f"Before this template can be published, something is to solve in: {', '.join(troubled)}.")
        if pressed:
            act(template, pressed, draft)


if template_id := st.query_params.get("template"):
    show_template(templates.get(template_id))
else:
    show_list()
