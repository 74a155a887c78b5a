"""The sheet on whose rows a template is looked at: chosen once for all parts of the editor, in the address."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

import streamlit as st

from pages.components.layout import empty_state
from pages.components.mapping_editor import choose_mapping, chosen_mapping
from pages.components.words import counted
from workbench_core import cached
from workbench_core.prompt_templates import PromptTemplate, TemplateDraft, propose_for, unmapped
from workbench_core.sheets import Sheet, SheetStatus

MAX_SHEETS = 500
_WIDGET = "prompt_templates_sheet"


@dataclass(frozen=True, slots=True)
class Looked:
    """A sheet with the mapping that was chosen for it."""

    sheet: Sheet
    mapping: dict[str, str]


def listed_sheets() -> dict[str, Sheet]:
    """The sheets that can be looked at, by id."""
    usable = (SheetStatus.ACTIVE, SheetStatus.DRAFT)
    return {sheet.id: sheet for sheet in cached.sheets(limit=MAX_SHEETS) if sheet.status in usable}


def sheet_now(template: PromptTemplate, draft: TemplateDraft) -> Sheet | None:
    """The sheet of the address, the one that this template was looked at on last, or the one that fits it best."""
    known, kept = listed_sheets(), _kept_key(template)
    for wanted in (st.query_params.get("sheet", ""), st.session_state.get(kept, "")):
        if wanted in known:
            return known[wanted]
    best = _fitting(template, draft, known)
    if best is not None and draft.placeholders:
        st.session_state[kept] = best.id  # what is typed next must not change the sheet
    return best


def _fitting(template: PromptTemplate, draft: TemplateDraft, known: Mapping[str, Sheet]) -> Sheet | None:
    """A sheet that has a version of this template attached, or else the one whose columns fill most placeholders."""
    attached = cached.workbench().template_attachments.all_of(list(known))
    versions = {version.id for version in cached.workbench().prompt_templates.versions(template.lineage_id)}

    def fit(sheet: Sheet) -> tuple[bool, int]:
        is_attached = sheet.id in attached and attached[sheet.id].prompt_template_id in versions
        return is_attached, len(propose_for(draft, sheet.columns))

    return max(known.values(), key=fit, default=None)


def _kept_key(template: PromptTemplate) -> str:
    return f"prompt_templates_{template.lineage_id}_sheet"


def columns_of(sheet: Sheet) -> list[str]:
    """All columns that the rows of a sheet have now, those with a role first."""
    present = [column.name for column in cached.sheet_columns(sheet.id)]
    return list(dict.fromkeys((*(name for name in sheet.columns if name in present), *present)))


def choose_sheet(template: PromptTemplate, draft: TemplateDraft) -> Sheet | None:
    """A list of sheets; without any sheet the way to make one."""
    known = listed_sheets()
    present = sheet_now(template, draft)
    if present is None:
        with empty_state("There is no sheet to try this template on.", icon=":material/table_view:"):
            if st.button("Make a sheet", key="prompt_templates_to_data"):
                st.switch_page("data.py")
        return None
    often = Counter(sheet.name for sheet in known.values())
    st.session_state[_WIDGET] = present.id

    def write() -> None:
        st.query_params["sheet"] = st.session_state[_kept_key(template)] = st.session_state[_WIDGET]

    chosen = st.selectbox(
        "Sheet", list(known), key=_WIDGET, on_change=write,
        format_func=lambda one: known[one].name if often[known[one].name] == 1 else f"{known[one].name} · {one[-6:]}",
    )  # fmt: skip
    return known.get(chosen, present)


def mapping_key(template: PromptTemplate, sheet: Sheet) -> str:
    """Where the session keeps the mapping of a sheet, for all versions of a template."""
    return f"prompt_templates_{template.lineage_id}_{sheet.id}"


def mapping_now(template: PromptTemplate, draft: TemplateDraft) -> dict[str, str]:
    """The columns that fill the placeholders on the sheet that is looked at; none without a sheet."""
    sheet = sheet_now(template, draft)
    return {} if sheet is None else chosen_mapping(draft, columns_of(sheet), key=mapping_key(template, sheet))


def choose_rows(template: PromptTemplate, draft: TemplateDraft) -> Looked | None:
    """A sheet and a column for each placeholder of the draft."""
    sheet = choose_sheet(template, draft)
    if sheet is None:
        return None
    key, columns = mapping_key(template, sheet), columns_of(sheet)
    mapping = chosen_mapping(draft, columns, key=key)
    if draft.placeholders:
        title = f"Columns: {len(mapping)} of {counted(len(draft.placeholders), 'placeholder')} filled"
        with st.expander(title, expanded=bool(unmapped(draft, mapping)), icon=":material/link:", key=f"{key}_columns"):
            mapping = choose_mapping(draft, columns, key=key)
    return Looked(sheet, mapping)
