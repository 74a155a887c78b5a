"""The prompt templates: found, paged, opened, moved through their life and taken along as files."""

from __future__ import annotations

import zlib
from collections.abc import Sequence

import pandas as pd
import streamlit as st

from pages.components.address import choose_in_url, go_within, page_in_url, search_in_url
from pages.components.errors import guard_callback
from pages.components.identity import current_user
from pages.components.layout import empty_state, flash, page_header
from pages.components.rights import why_not
from pages.components.template_form import KINDS
from pages.components.template_new import new_template, starter_buttons
from pages.components.words import counted, plain, words
from workbench_core import cached
from workbench_core.permissions import Action
from workbench_core.prompt_templates import PromptTemplate, TemplateStatus

PAGE_SIZE = 20
MOST = 1_000  # templates that one archive takes, and label types that are offered
ALL = "all"
ICONS = {
    "publish": "publish", "archive": "archive", "restore": "unarchive", "duplicate": "content_copy",
    "create_version": "add_circle", "delete": "delete",
}  # fmt: skip
BUTTONS = {"create_version": "New version"}
DONE = {
    "publish": "published", "archive": "archived", "restore": "restored", "duplicate": "copied",
    "create_version": "continued with a new draft", "delete": "deleted",
}  # fmt: skip


def show_list() -> None:
    """All templates that match, last changed first; a click on a name opens one, ticked ones are moved together."""
    templates = cached.workbench().prompt_templates
    actions = page_header(
        "Prompt templates", "Recipes that turn the rows of a sheet into questions and check the answers"
    )
    with actions:
        if templates.count():
            export_button([], label="Export all", key="prompt_templates_export_all")
        new_template()
    if not templates.count() and not st.query_params.get("search"):
        show_nothing(is_narrowed=False)
        return
    with st.container(horizontal=True, vertical_alignment="center"):
        search = search_in_url("search", label="Search", placeholder="Search name, description or tag")
        label_type = choose_label_type()
    counts = {
        status.value: templates.count(status=status, label_type=label_type, search=search) for status in TemplateStatus
    }
    chosen = choose_in_url(
        "Status", [ALL, *counts], key="status", default=ALL, counts={ALL: sum(counts.values()), **counts}
    )
    total = sum(counts.values()) if chosen == ALL else counts[chosen]
    if not total:
        show_nothing(is_narrowed=bool(search or label_type or chosen != ALL))
        return
    place = st.container()
    page = page_in_url(-(-total // PAGE_SIZE))
    found = templates.find(
        status=None if chosen == ALL else TemplateStatus(chosen), label_type=label_type, search=search,
        limit=PAGE_SIZE, offset=PAGE_SIZE * (page - 1),
    )  # fmt: skip
    with place:
        ticked = table(found)
    if ticked:
        with st.bottom:
            action_bar(ticked)


def choose_label_type() -> str:
    """The label type to list, in the address as `?label_type=`; empty for all of them."""
    known = sorted({template.label_type for template in cached.workbench().prompt_templates.find(limit=MOST)})
    present = st.query_params.get("label_type", "")
    if len(known) < 2 and present in ("", *known):
        return present
    widget = "prompt_templates_label_type"
    st.session_state[widget] = present if present in known else None

    def write() -> None:
        go_within(label_type=st.session_state[widget] or "", page="")

    return st.selectbox(
        "Label type", known, key=widget, placeholder="Any label type", on_change=write,
        label_visibility="collapsed", width=220,
    ) or ""  # fmt: skip


def show_nothing(*, is_narrowed: bool) -> None:
    """Say why the list is empty, with the one useful next step."""
    if is_narrowed:
        empty_state("No template matches. Change status, search or label type.", icon=":material/search_off:")
        return
    with empty_state(
        "No prompt templates yet. A template is the question that is asked about each row of a sheet, and the form of "
        "its answer. Start from one of these and change it to fit your data:",
        icon=":material/edit_note:",
    ):
        starter_buttons("first")


# --- the table -------------------------------------------------------------------------------------------------------


def table(found: Sequence[PromptTemplate]) -> list[PromptTemplate]:
    """One page of templates; those that are ticked."""
    # what is ticked is known by its place, so another order or page starts with nothing ticked
    stamp = zlib.crc32(" ".join(f"{template.id}{template.row_version}" for template in found).encode())
    key = f"prompt_templates_{stamp:08x}"

    def open_clicked() -> None:
        if (clicked := st.session_state[f"{key}_open"]) and clicked["row"] < len(found):
            open_in_url(found[clicked["row"]].id)

    column = st.column_config
    picked = st.dataframe(
        pd.DataFrame([line(template) for template in found]),
        key=key,
        hide_index=True,
        height="content",
        on_select="rerun",
        selection_mode="multi-row",
        column_config={
            "Name": column.ButtonColumn(
                type="tertiary", alignment="left", key=f"{key}_open", on_click=open_clicked, width="medium",
                help="A click opens it; tick templates to export, publish, archive or delete them",
            ),
            "Tags": column.ListColumn(),
            "Updated": column.DatetimeColumn(format="distance"),
        },
        alt="Prompt templates",
    )  # fmt: skip
    return [found[row] for row in sorted(picked["selection"]["rows"]) if row < len(found)]


def line(template: PromptTemplate) -> dict[str, object]:
    """One line of the list."""
    name = template.name
    return {
        "Name": f"\u2060{name}" if name.startswith(":") else name,  # a colon could begin an icon
        "Label type": template.label_type,
        "Answer": KINDS[template.answer_kind],
        "Version": template.version,
        "Status": words(template.status),
        "Tags": list(template.tags),
        "Updated": template.updated_at,
        "By": template.updated_by,
    }


def open_in_url(template_id: str) -> None:
    """Open a template by its address."""
    st.query_params.from_dict({"template": template_id})


# --- what is ticked --------------------------------------------------------------------------------------------------


def action_bar(ticked: Sequence[PromptTemplate]) -> None:
    """What can be done with the ticked templates, by their state."""
    possible = list(dict.fromkeys(action for template in ticked for action in template.actions))
    with st.container(horizontal=True, vertical_alignment="center", key="prompt_templates_action_bar"):
        st.markdown(f"**{counted(len(ticked), 'template')}**", width="content")
        st.space("stretch")
        if len(ticked) == 1:
            st.button(
                "Open", type="primary", icon=":material/open_in_new:", key="prompt_templates_open",
                on_click=open_in_url, args=(ticked[0].id,),
            )  # fmt: skip
        export_button(ticked, label="Export", key="prompt_templates_export")
        for action in possible:
            able = [template for template in ticked if action in template.actions]
            bulk_button(able, action, few=f" {len(able)}" if len(able) < len(ticked) else "")


def bulk_button(able: Sequence[PromptTemplate], action: str, *, few: str) -> None:
    """One step for all ticked templates that can take it; a deletion asks first."""
    refusal = why_not(Action.PUBLISH_TEMPLATES if action == "publish" else Action.EDIT_TEMPLATES)
    label, icon = f"{BUTTONS.get(action, words(action))}{few}", f":material/{ICONS[action]}:"
    if action == "delete" and not refusal:
        with st.popover(label, icon=icon):
            st.markdown(f"Delete {counted(len(able), 'template')} for good? What is in use stays, with its reason.")
            st.button(
                "Delete", type="primary", key="prompt_templates_bulk_delete_do", on_click=step, args=(able, action)
            )
        return
    st.button(
        label, icon=icon, key=f"prompt_templates_bulk_{action}", on_click=step, args=(able, action),
        disabled=bool(refusal), help=refusal or None,
    )  # fmt: skip


def step(able: Sequence[PromptTemplate], action: str) -> None:
    """Take one step with each of these templates; one that cannot take it says why and does not keep the others."""
    done = []
    for template in able:
        with guard_callback():
            take(template, action)
            done.append(template)
    if done:
        names = f"“{plain(done[0].name)}” {done[0].version}" if len(done) == 1 else counted(len(done), "template")
        flash(f"{names} {'was' if len(done) == 1 else 'were'} {DONE[action]}.")


def take(template: PromptTemplate, action: str) -> PromptTemplate | None:
    """One step with one template; the version that it leads to."""
    templates, user = cached.workbench().prompt_templates, current_user()
    match action:
        case "create_version":
            return templates.create_version(template.id, by=user)
        case "duplicate":
            return templates.duplicate(template.id, by=user)
        case "delete":
            templates.delete(template.id, by=user)
            return None
    return templates.move(template.id, action, by=user)


def export_button(ticked: Sequence[PromptTemplate], *, label: str, key: str) -> None:
    """These templates, or all of them, as files in one archive; it is made when it is asked for."""
    templates = cached.workbench().prompt_templates

    def archive() -> bytes:
        return templates.export_files([template.id for template in ticked or templates.find(limit=MOST)])

    st.download_button(
        label, archive, file_name="prompt-templates.zip", mime="application/zip", key=key, on_click="ignore",
        icon=":material/folder_zip:", help="One file for each version: YAML and Jinja, made to live in git",
    )  # fmt: skip
