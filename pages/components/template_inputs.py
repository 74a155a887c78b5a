"""What the author says of the placeholders of a template, and which columns are expected in a sheet."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd
import streamlit as st

from pages.components.template_form import show_problems, typed, typed_inputs
from pages.components.template_sheet import columns_of, sheet_now
from pages.components.template_table import kept_table, set_table
from pages.components.words import plain
from workbench_core import cached
from workbench_core.metrics import FieldType
from workbench_core.prompt_templates import InputField, PromptTemplate, TemplateDraft


def inputs_part(template: PromptTemplate, base: str, *, is_open: bool) -> None:
    """A line for each placeholder of the prompts, then the columns that the author expects."""
    draft = typed(base)
    problems = cached.workbench().prompt_templates.lint(draft)
    st.subheader("Placeholders", anchor=False)
    if any(each.line is not None and each.field.endswith("_prompt") and not each.is_warning for each in problems):
        st.caption("The placeholders show again when the prompts can be read.")
    elif draft.placeholders:
        _placeholders(base, draft, is_open=is_open)
    else:
        st.caption("The prompts have no placeholder yet. Write {{ name }} where a value of the item belongs.")
    _left_over(base, draft, is_open=is_open)
    problems = cached.workbench().prompt_templates.lint(typed(base))
    show_problems(problems, "inputs")
    st.subheader("Columns", anchor=False)
    st.caption("What the author expects in a sheet. They are proposed when the template is attached or generated from.")
    _columns(template, base, is_open=is_open)
    show_problems(problems, "feature_columns", "target_column")


def _placeholders(base: str, draft: TemplateDraft, *, is_open: bool) -> None:
    """The table of placeholders; the names come from the prompts."""
    key, known = f"{base}_inputs_grid", {entry.name: entry for entry in typed_inputs(base)}
    if st.session_state.get(f"{key}_names") != draft.placeholders:
        entries = [known.get(name, InputField(name)) for name in draft.placeholders]
        lines = [(entry.name, entry.type.value, entry.required, entry.description) for entry in entries]
        set_table(key, pd.DataFrame(lines, columns=["name", "type", "required", "description"]))
        st.session_state[f"{key}_names"] = draft.placeholders
    column = st.column_config
    rows = kept_table(
        key,
        {
            "name": column.TextColumn("Placeholder", disabled=True, width=190),
            "type": column.SelectboxColumn(
                "Type", options=[kind.value for kind in FieldType], required=True, width=105
            ),
            "required": column.CheckboxColumn(
                "Required", width=110, help="One that is not required may stay without a column; it is then empty."
            ),
            "description": column.TextColumn("Description", width="large", help="Shown where a column is chosen."),
        },
        alt="Placeholders",
        is_open=is_open,
        rows="fixed",
    )
    _keep(base, rows)


def _keep(base: str, rows: pd.DataFrame) -> None:
    """Keep what was said, in the order in which it is stored; a placeholder of which nothing was said is left out."""
    stored = {entry.name: entry for entry in typed_inputs(base)}
    said = {
        str(row["name"]): InputField(
            str(row["name"]), FieldType(row["type"]), str(row["description"] or ""), bool(row["required"])
        )
        for row in rows.fillna({"description": ""}).to_dict("records")
    }
    more = {name: entry for name, entry in said.items() if name not in stored and entry != InputField(name)}
    st.session_state[f"{base}_inputs"] = (*(said.get(name, entry) for name, entry in stored.items()), *more.values())


def _left_over(base: str, draft: TemplateDraft, *, is_open: bool) -> None:
    """What was said of names that the prompts no longer have: kept until somebody lets go of it."""
    gone = [entry.name for entry in typed_inputs(base) if entry.name not in draft.placeholders]
    if not gone or not draft.placeholders:
        return
    with st.container(horizontal=True, vertical_alignment="center"):
        names = ", ".join(plain(name) for name in gone)
        st.caption(f"Described, but not in the prompts: {names}.", width="content")
        if is_open:
            st.button("Forget them", key=f"{base}_forget_inputs", type="tertiary", on_click=_forget, args=(base, gone))


def _forget(base: str, names: Sequence[str]) -> None:
    st.session_state[f"{base}_inputs"] = tuple(entry for entry in typed_inputs(base) if entry.name not in names)


def _columns(template: PromptTemplate, base: str, *, is_open: bool) -> None:
    """Feature columns and target, chosen from the sheet that is looked at or typed."""
    sheet = sheet_now(template, typed(base))
    state = st.session_state
    if not is_open:
        features = ", ".join(plain(name) for name in state[f"{base}_feature_columns"])
        st.markdown(f"Feature columns: {features or 'none named'}")
        st.markdown(f"Target column: {plain(state[f'{base}_target_column'] or 'none named')}")
        return
    known = list(dict.fromkeys((*state[f"{base}_feature_columns"], *(columns_of(sheet) if sheet else ()))))
    target = state[f"{base}_target_column"]
    with st.grid(2, min_column_width=240):
        st.multiselect(
            "Feature columns", known, key=f"{base}_feature_columns", accept_new_options=True,
            persist_state="session", placeholder="Choose or type columns",
            help="The columns that tell something about an item.",
        )  # fmt: skip
        st.selectbox(
            "Target column", list(dict.fromkeys((*([target] if target else []), *known))), index=None,
            key=f"{base}_target_column", accept_new_options=True, persist_state="session",
            placeholder="Choose or type a column", help="The column that holds known answers, if there is one.",
        )  # fmt: skip
