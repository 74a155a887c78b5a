"""The template that a sheet is worked with: attach one with its columns, look at it, detach it (SH-8, SH-9)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

import streamlit as st

from pages.components.errors import guard, guard_callback
from pages.components.generation_answers import choose_answer_column
from pages.components.generation_words import SOURCES
from pages.components.identity import current_user
from pages.components.layout import close_popover, empty_state, flash, work_popover
from pages.components.mapping_editor import choose_mapping
from pages.components.rights import why_not
from pages.components.template_sheet import columns_of
from pages.components.words import ago, plain
from workbench_core import cached, cached_generation
from workbench_core.permissions import Action
from workbench_core.prompt_templates import AnswerSource, AttachedTemplate, PromptTemplate, TemplateStatus, unmapped
from workbench_core.sheets import Sheet, SheetStatus
from workbench_core.training_sheets.model import reads_column

MAX_TEMPLATES = 500
_DETACH = "data_detach"


def show_template(sheet: Sheet) -> None:
    """What is attached to a sheet, or the way to attach something."""
    attached = cached_generation.attached_template(sheet.id)
    if attached is None:
        attach_form(sheet)
    elif st.session_state.get(_changing(sheet)):
        attach_form(sheet, attached)
    else:
        show_attached(sheet, attached)


# --- what is attached ------------------------------------------------------------------------------------------------


def show_attached(sheet: Sheet, attached: AttachedTemplate) -> None:
    """The attached template as it was when it was attached, and what can be done with it."""
    template = attached.template
    with st.container(border=True):
        st.markdown(f"**{plain(template.name)}** v{plain(template.version)}")
        st.caption(f":material/attach_file: Attached {ago(attached.attached_at)} by {plain(attached.attached_by)}")
        st.markdown("  \n".join(_facts(attached)))
        _archived_since(sheet, attached)
        _newer_version(sheet, attached)
        _gone_columns(sheet, attached)
        with st.container(horizontal=True, vertical_alignment="center", gap="small"):
            _generate(sheet, attached)
            st.page_link(
                "prompt_templates.py", label="Open the template", icon=":material/edit_note:",
                query_params={"template": attached.prompt_template_id},
            )  # fmt: skip
            explained = "Another template, other columns, or other answers"
            _change_button(sheet, "Change", key="data_template_change", icon="edit", help=explained)
            _detach(sheet, attached, why_locked(sheet))


def _facts(attached: AttachedTemplate) -> list[str]:
    """Label type, answers and columns, a line each; the columns in the order of the prompt."""
    template, mapping = attached.template, attached.mapping
    column = f" ({plain(attached.answer_column)})" if attached.answer_column else ""
    lines = [
        f":gray[Label type] {plain(template.label_type)}",
        f":gray[Answers] {SOURCES[attached.answer_source]}{column}",
    ]
    columns = [
        f"{plain(name)} ← {plain(mapping[name])}" if name in mapping else f"{plain(name)}: left empty"
        for name in template.placeholders
    ]
    return [*lines, f":gray[Columns] {' · '.join(columns)}"] if columns else lines


def _newer_version(sheet: Sheet, attached: AttachedTemplate) -> None:
    """Say that there is a newer version, and take it with one click when its placeholders have their columns."""
    if not attached.newer_version:
        return
    with st.container(horizontal=True, vertical_alignment="center"):
        version = plain(attached.newer_version)
        st.markdown(f":orange[:material/upgrade: A newer version exists: {version}]", width="content")
        refusal = why_locked(sheet)
        st.button(
            f"Update to {version}", key="data_template_update", icon=":material/upgrade:", on_click=_update,
            args=(sheet, attached), disabled=bool(refusal), help=refusal or "Columns and answers stay as they are",
        )  # fmt: skip


def _archived_since(sheet: Sheet, attached: AttachedTemplate) -> None:
    """Say that the template was archived after it was attached; the next step is a newer version or another one."""
    if not _is_archived(attached):
        return
    with st.container(horizontal=True, vertical_alignment="center"):
        what = "version" if attached.newer_version else "template"
        st.markdown(f":orange[:material/archive: This {what} was archived since it was attached.]", width="content")
        if not attached.newer_version:
            _change_button(sheet, "Attach another", key="data_template_other", icon="swap_horiz")


def _gone_columns(sheet: Sheet, attached: AttachedTemplate) -> None:
    """Name the mapped columns that the sheet does not have any more, and lead to the mapping."""
    gone = gone_columns(sheet, attached)
    if not gone:
        return
    with st.container(horizontal=True, vertical_alignment="center"):
        for column, filled in gone.items():
            st.markdown(
                f":orange[:material/link_off: The sheet has no column {plain(column)} any more: "
                f"choose another one for {plain(', '.join(filled))}.]"
            )
        _change_button(sheet, "Map again", key="data_template_map", icon="link")


def _change_button(sheet: Sheet, label: str, *, key: str, icon: str, help: str = "") -> None:
    """A way to the form, filled with what is attached."""
    refusal = why_locked(sheet)
    st.button(
        label, icon=f":material/{icon}:", key=key, on_click=_change, args=(sheet, True), disabled=bool(refusal),
        help=refusal or help or None,
    )  # fmt: skip


def _is_archived(attached: AttachedTemplate) -> bool:
    template = cached.workbench().prompt_templates.get(attached.prompt_template_id)
    return template.status is TemplateStatus.ARCHIVED


def _is_readable(sheet: Sheet) -> bool:
    """Whether all tables of the sheet are there; the page says above which one is not."""
    return {entry.name for entry in cached.catalog_entries()} >= set(sheet.tables)


def gone_columns(sheet: Sheet, attached: AttachedTemplate) -> dict[str, list[str]]:
    """The mapped columns that the rows of the sheet do not have any more, each with what it filled."""
    if not _is_readable(sheet):
        return {}
    known = {column.name for column in cached.sheet_columns(sheet.id)}
    filled = [*attached.mapping.items(), ("the answers", attached.answer_column)]
    gone: dict[str, list[str]] = {}
    for name, column in filled:
        if column and column not in known:
            gone.setdefault(column, []).append(name)
    return gone


def _why_not_generate(sheet: Sheet, attached: AttachedTemplate) -> str:
    if sheet.status is not SheetStatus.ACTIVE:
        return "Publish the sheet first."
    if not _is_readable(sheet):
        return "A table of the sheet is missing: choose another source first."
    if _is_archived(attached):
        newer = attached.newer_version
        return f"Update to {plain(newer)} first." if newer else "Attach another template first: this one is archived."
    return "Map the columns again first: one is gone." if gone_columns(sheet, attached) else ""


def _generate(sheet: Sheet, attached: AttachedTemplate) -> None:
    """The way to the pairs."""
    refusal = _why_not_generate(sheet, attached)
    if st.button(
        "Generate", type="primary", icon=":material/auto_awesome:", key="data_template_generate",
        disabled=bool(refusal), help=refusal or None,
    ):  # fmt: skip
        st.switch_page("generate.py", query_params={"sheet": sheet.id, "template": attached.prompt_template_id})


def _detach(sheet: Sheet, attached: AttachedTemplate, refusal: str) -> None:
    """Take the template off, after a question."""
    with work_popover("Detach", key=_DETACH, icon=":material/link_off:", disabled=bool(refusal)):
        name = plain(f"{attached.template.name} v{attached.template.version}")
        st.markdown(
            f"Take {name} off this sheet? Its columns and answers are forgotten; the template itself and the pairs "
            "that were made with it stay."
        )
        st.button("Detach the template", key="data_detach_now", type="primary", on_click=detach, args=(sheet,))


# --- attaching -------------------------------------------------------------------------------------------------------


def attach_form(sheet: Sheet, attached: AttachedTemplate | None = None) -> None:
    """Choose a published template, its columns and where answers come from."""
    known = {each.id: each for each in _published()}
    if not known:
        with empty_state("No template is published yet. A template is the question about each item of a sheet."):
            _new_template(sheet)
            st.page_link("prompt_templates.py", label="All templates", icon=":material/edit_note:")
            if attached:
                _back(sheet)
        return
    with st.container(border=True):
        st.markdown("**Attach a template**")
        st.caption("Generation then starts with it: template, columns and answers are filled in.")
        template = _choose_template(sheet, known, attached)
        if template is None:
            with st.container(horizontal=True, gap="small"):
                if attached:
                    _back(sheet)
                _new_template(sheet)
            return
        _attach(sheet, template, attached)


def _attach(sheet: Sheet, template: PromptTemplate, attached: AttachedTemplate | None) -> None:
    """The columns of one template, its answers, and the button."""
    columns, key = columns_of(sheet), f"data_attach_{sheet.id}_{template.id}"
    mapping = choose_mapping(template, columns, key=key, start=attached.mapping if attached else None)
    kept = attached.answer_source if attached else template.answer_source
    source = st.selectbox(
        "Answers for items without a canonical label", list(SOURCES), index=list(SOURCES).index(kept),
        format_func=SOURCES.__getitem__, key=f"{key}_source", persist_state="session",
    ) or kept  # fmt: skip
    column = ""
    if reads_column(source):
        start = attached.answer_column if attached else template.target_column
        column = choose_answer_column(template.label_type, columns, mapping, key=key, start=start)
    with st.container(horizontal=True, gap="small"):
        refusal = _why_not_attach(sheet, template, mapping, needs_column=reads_column(source) and not column)
        st.button(
            "Attach", type="primary", icon=":material/attach_file:", key="data_attach", on_click=attach,
            args=(sheet, template.id, mapping), kwargs={"source": source, "column": column},
            disabled=bool(refusal), help=refusal or None,
        )  # fmt: skip
        if attached:
            _back(sheet)
        _new_template(sheet)


def _choose_template(
    sheet: Sheet, known: Mapping[str, PromptTemplate], attached: AttachedTemplate | None
) -> PromptTemplate | None:
    """A published template; the one that is attached stands first."""
    often = Counter(_title(each) for each in known.values())
    titles = {
        each.id: _title(each) if often[_title(each)] == 1 else f"{_title(each)} · {each.id[-6:]}"
        for each in known.values()
    }
    chosen = attached.prompt_template_id if attached else ""
    found = st.selectbox(
        "Template", list(titles), index=list(titles).index(chosen) if chosen in titles else None,
        format_func=titles.__getitem__, key=f"data_attach_{sheet.id}_template", placeholder="Choose a template",
    )  # fmt: skip
    return known.get(found or "")


def _back(sheet: Sheet) -> None:
    st.button("Back", key="data_attach_back", on_click=_change, args=(sheet, False))


def _new_template(sheet: Sheet) -> None:
    """A draft with what the columns of this sheet suggest (TP-11)."""
    refusal = why_not(Action.EDIT_TEMPLATES)
    if st.button(
        "New template from this sheet", icon=":material/add:", key="data_template_new", disabled=bool(refusal),
        help=refusal or "A draft with the columns of this sheet, to be written and published",
    ):  # fmt: skip
        with guard():
            made = cached.workbench().prompt_templates.from_sheet(sheet.id, by=current_user())
            flash("Draft created from the columns of the sheet.")
            st.switch_page("prompt_templates.py", query_params={"template": made.id, "sheet": sheet.id})


def _published() -> list[PromptTemplate]:
    return cached.workbench().prompt_templates.find(status=TemplateStatus.PUBLISHED, limit=MAX_TEMPLATES)


def _title(template: PromptTemplate) -> str:
    return f"{template.name} v{template.version} · {template.label_type}"


# --- what happens ----------------------------------------------------------------------------------------------------


def why_locked(sheet: Sheet) -> str:
    """Why nothing can be attached or detached; empty when it can."""
    if refusal := why_not(Action.EDIT_SHEETS):
        return refusal
    return "Restore the sheet first." if sheet.status is SheetStatus.ARCHIVED else ""


def _why_not_attach(sheet: Sheet, template: PromptTemplate, mapping: Mapping[str, str], *, needs_column: bool) -> str:
    if refusal := why_locked(sheet):
        return refusal
    if missing := unmapped(template, mapping):
        return f"Choose a column for {', '.join(map(plain, missing))}."
    return "Choose the column that holds the answers." if needs_column else ""


def attach(sheet: Sheet, template_id: str, mapping: Mapping[str, str], *, source: AnswerSource, column: str) -> None:
    """Attach a template in place of the one that is there."""
    with guard_callback():
        attached = cached.workbench().template_attachments.attach(
            sheet.id, template_id, mapping, answer_source=source, answer_column=column, by=current_user()
        )
        _change(sheet, False)
        flash(f"{plain(attached.template.name)} v{plain(attached.template.version)} is attached.")


def detach(sheet: Sheet) -> None:
    """Take the template off a sheet."""
    with guard_callback():
        cached.workbench().template_attachments.detach(sheet.id, by=current_user())
        close_popover(_DETACH)
        flash("The template is detached.")


def _update(sheet: Sheet, attached: AttachedTemplate) -> None:
    """Attach the newest version; what still needs a column is chosen in the form."""
    with guard_callback():
        templates = cached.workbench().prompt_templates
        lineage = templates.versions(templates.get(attached.prompt_template_id).lineage_id)
        newest = next(each for each in lineage if each.version == attached.newer_version)
        if unmapped(newest, attached.mapping):
            _change(sheet, True)
            st.session_state[f"data_attach_{sheet.id}_template"] = newest.id
            return
        attach(sheet, newest.id, attached.mapping, source=attached.answer_source, column=attached.answer_column)


def _change(sheet: Sheet, is_changing: bool) -> None:
    """Open or leave the form; it begins with what is attached, not with what was chosen in it before."""
    for key in [str(key) for key in st.session_state if str(key).startswith(f"data_attach_{sheet.id}_")]:
        del st.session_state[key]
    st.session_state[_changing(sheet)] = is_changing


def _changing(sheet: Sheet) -> str:
    return f"data_template_changing_{sheet.id}"
