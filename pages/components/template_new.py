"""New templates: from a starter, empty, from the columns of a sheet, or from files."""

from __future__ import annotations

from collections.abc import Mapping

import streamlit as st

from pages.components.errors import guard
from pages.components.identity import current_user
from pages.components.layout import close_popover, flash, work_popover
from pages.components.rights import why_not
from pages.components.template_sheet import listed_sheets
from pages.components.words import counted, plain
from workbench_core import cached
from workbench_core.errors import Invalid
from workbench_core.permissions import Action
from workbench_core.prompt_templates import STARTERS, PromptTemplate, TemplateDraft, draft_from_file

_POPOVER = "prompt_templates_new"
_AS_NEW = ""
_STARTER_WIDTH = 260
_BLANK = TemplateDraft(name="Untitled template", label_type="general", user_prompt="")


def open_template(template: PromptTemplate, message: str) -> None:
    """Go to a template with a message about what was done."""
    flash(message)
    close_popover(_POPOVER)
    st.query_params.from_dict({"template": template.id})
    st.rerun()


def new_template() -> None:
    """The ways to a new template."""
    refusal = why_not(Action.EDIT_TEMPLATES)
    with work_popover("New template", key=_POPOVER, icon=":material/add:", kind="primary", disabled=bool(refusal)):
        if refusal:
            st.caption(plain(refusal))
            return
        starters, sheet, file = st.tabs(["Starter", "From a sheet", "Import files"], key=f"{_POPOVER}_way")
        with starters:
            starter_buttons("new")
        with sheet, guard():
            from_sheet()
        with file, guard():
            from_file()


def starter_buttons(place: str) -> None:
    """One button for each starter and one for an empty draft, with what it is for; the new draft opens."""
    refusal = why_not(Action.EDIT_TEMPLATES)
    for name, starter in {**STARTERS, "Blank": _BLANK}.items():
        with st.container(gap="xxsmall", width=_STARTER_WIDTH):
            is_chosen = st.button(
                name, key=f"prompt_templates_{place}_{name}", help=refusal or None, disabled=bool(refusal),
                width="stretch",
            )  # fmt: skip
            st.caption(starter.description or "Nothing but a name: write it from scratch.")
        if is_chosen:
            with guard():
                made = cached.workbench().prompt_templates.create(starter, by=current_user())
                said = "Write its prompt." if starter is _BLANK else "Change it to fit your data."
                open_template(made, f"Draft created. {said}")


def from_sheet() -> None:
    """A draft with what the columns of a sheet suggest (TP-11)."""
    known = listed_sheets()
    if not known:
        st.caption("There is no sheet yet. Make one on the Data page.")
        return
    chosen = st.selectbox(
        "Sheet", list(known), key="prompt_templates_from_sheet", index=None, placeholder="Choose a sheet",
        format_func=lambda one: known[one].name,
    )  # fmt: skip
    st.caption("Its columns become placeholders, and a label type is suggested. Nothing is asked of a model.")
    if st.button("Make a draft", key="prompt_templates_from_sheet_do", type="primary", disabled=chosen is None):
        made = cached.workbench().prompt_templates.from_sheet(str(chosen), by=current_user())
        open_template(made, f"Draft made from “{plain(known[str(chosen)].name)}”. Look it through.")


# --- files ---------------------------------------------------------------------------------------------------------


def from_file() -> None:
    """A template file as a new template or as the next version of one with the same name; or several at once."""
    uploaded = st.file_uploader(
        "Template files", type=["jinja", "md", "yaml", "yml"], key="prompt_templates_file", max_upload_size=1,
        accept_multiple_files=True, help="YAML front matter between two lines of ---, then the user prompt.",
    )  # fmt: skip
    if not uploaded:
        st.caption("A file as Export makes it: YAML with name, label type and answer, then the prompt.")
    elif len(uploaded) == 1:
        one_file(text_of_file(uploaded[0].getvalue()))
    else:
        st.caption("Each becomes the next version of the template with its name, or a new template.")
        if st.button(f"Import {len(uploaded)} files", key="prompt_templates_import_all", type="primary"):
            several_files({file.name: file.getvalue() for file in uploaded})


def one_file(text: str) -> None:
    """Say what is in a file, ask what it becomes where there is a choice, and import it."""
    draft = draft_from_file(text)
    st.markdown(f"**{plain(draft.name)}** · label type {plain(draft.label_type)}")
    lineage_id = choose_lineage(draft)
    if st.button("Import", key="prompt_templates_import", type="primary", icon=":material/upload_file:"):
        made = cached.workbench().prompt_templates.import_file(text, by=current_user(), lineage_id=lineage_id)
        open_template(made, f"Imported as draft {made.version}.")


def several_files(files: Mapping[str, bytes]) -> None:
    """Import files one after the other; one that cannot be imported says why and does not keep the others."""
    templates, imported = cached.workbench().prompt_templates, []
    for name, content in files.items():
        st.caption(plain(name))
        with guard():
            text = text_of_file(content)
            lineage_id = next(iter(lineages_named(draft_from_file(text).name)), _AS_NEW)
            made = templates.import_file(text, by=current_user(), lineage_id=lineage_id)
            imported.append(made)
            st.markdown(f":green[:material/check:] “{plain(made.name)}” {made.version}")
    st.caption(f"{counted(len(imported), 'draft')} made of {len(files)} files.")


def text_of_file(content: bytes) -> str:
    """The text of an uploaded file. Raises Invalid when it is none."""
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise Invalid("This file is no text in UTF-8.", hint="Choose a template file.") from error


def lineages_named(name: str) -> dict[str, str]:
    """The lineages with a template of this name, and how it is written there."""
    found = cached.workbench().prompt_templates.find(search=name, limit=100)
    return {one.lineage_id: one.name for one in found if one.name.casefold() == name.casefold()}


def choose_lineage(draft: TemplateDraft) -> str:
    """The lineage that the file continues; empty for a new template. Asked only when the name is there already."""
    templates = cached.workbench().prompt_templates
    same = lineages_named(draft.name)
    if not same:
        return _AS_NEW
    titles = {
        lineage: f"Next version of “{plain(name)}” after {templates.versions(lineage)[0].version}"
        for lineage, name in list(same.items())[:5]
    }
    titles[_AS_NEW] = "A new template with the same name"
    return str(st.radio("Import as", list(titles), key="prompt_templates_import_as", format_func=titles.__getitem__))
