"""What an answer of a template looks like: classes, fields or text, and the form that a labeller will see."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence

import streamlit as st

from pages.components.prompt_editor import PromptField, prompt_editor
from pages.components.template_fields import rule_faults, schema_frame, schema_of
from pages.components.template_form import KINDS, show_problems, typed
from pages.components.template_label_set import label_set_of
from pages.components.template_table import kept_table, set_table
from pages.components.words import plain
from workbench_core import cached
from workbench_core.errors import Invalid
from workbench_core.metrics import AnswerKind, FieldType
from workbench_core.prompt_templates import (
    OutputField,
    Problem,
    TemplateDraft,
    fields_from_json_schema,
    json_schema,
)

VIEWS = {"fields": "As a table", "json": "As JSON Schema"}
_LINE = re.compile(r"Line (\d+)")
MANY = 6  # options above which a list is easier than buttons


def answer_part(base: str, *, is_open: bool) -> None:
    """The kind of answer with its classes or fields on the left, the derived form on the right."""
    left, right = st.columns([2, 1], gap="medium")
    with left:
        kind = _choose_kind(base, is_open=is_open)
        if kind == AnswerKind.LABEL and not is_open:
            st.markdown("\n".join(f"- {plain(name)}" for name in typed(base).label_classes))
        elif kind == AnswerKind.LABEL:
            st.text_area(
                "Label classes", key=f"{base}_classes", height=220, persist_state="session",
                help="One in each line.",
            )  # fmt: skip
        elif kind == AnswerKind.STRUCTURED:
            _fields(base, is_open=is_open)
        else:
            st.caption("Any text that is not empty is a valid answer.")
        draft = typed(base)  # after the table, which says only while it is drawn what is typed in it
        label_set_of(base, draft, kind, is_open=is_open)
        if not schema_fault(base):  # else the problems are those of an older text
            show_problems(cached.workbench().prompt_templates.lint(draft), "label_classes", "output_schema")
    with right, st.container(border=True):
        st.subheader("What people fill in", anchor=False)
        st.caption("The form that reviewers and labellers get; it follows from the answer.")
        derived_form(draft, key=base)


def _choose_kind(base: str, *, is_open: bool) -> AnswerKind:
    """Classes, fields or text; in words when it cannot be changed."""
    if is_open:
        st.segmented_control(
            "An answer is", [kind.value for kind in KINDS], format_func=lambda name: KINDS[AnswerKind(name)],
            key=f"{base}_kind", required=True, persist_state="session",
        )  # fmt: skip
    kind = AnswerKind(st.session_state[f"{base}_kind"])
    if not is_open:
        st.markdown(f"An answer is: **{KINDS[kind]}**")
    return kind


# --- the output schema ---------------------------------------------------------------------------------------------


def schema_fault(base: str) -> str:
    """Why the typed JSON Schema cannot be read; empty when it can, or when it is not asked for."""
    is_asked = st.session_state[f"{base}_kind"] == AnswerKind.STRUCTURED
    return str(st.session_state.get(f"{base}_json_fault", "")) if is_asked else ""


def _fields(base: str, *, is_open: bool) -> None:
    """The output schema as a table or as text; what is typed in one is there in the other."""
    view = f"{base}_schema_view"
    st.session_state.setdefault(view, "fields")
    st.segmented_control(
        "Fields of the answer", list(VIEWS), key=view, format_func=VIEWS.__getitem__, required=True,
        persist_state="session", on_change=_refresh_text, args=(base,),
    )  # fmt: skip
    if st.session_state[view] == "json":
        if f"{base}_json_text" not in st.session_state:
            _refresh_text(base)
        _json_view(base, is_open=is_open)
    elif schema_fault(base):
        st.warning(
            "The JSON Schema that you typed cannot be read yet. The table shows its last state that could.",
            icon=":material/warning:",
        )
        _table(base, is_open=False)
        st.button("Drop the typed text and edit the table", key=f"{base}_json_drop", on_click=_drop_text, args=(base,))
    else:
        _table(base, is_open=is_open)


def _table(base: str, *, is_open: bool) -> None:
    column = st.column_config
    rows = kept_table(
        f"{base}_schema",
        {
            "name": column.TextColumn("Name", width=130),
            "type": column.SelectboxColumn(
                "Type", options=[kind.value for kind in FieldType], default="string", required=True, width=105
            ),
            "required": column.CheckboxColumn("Required", default=True, width=105),
            "options": column.TextColumn(
                "Options", help="With commas between them; empty allows anything. A JSON list when they hold commas."
            ),
            "description": column.TextColumn("Description", width="medium"),
            "rules": column.TextColumn(
                "Rules", help='Further keywords of JSON Schema, such as {"minimum": 0} or {"pattern": "^[A-Z]+$"}.'
            ),
        },
        alt="Fields of the answer",
        is_open=is_open,
    )
    for fault in rule_faults(rows):
        st.markdown(f":red[:material/error: {plain(fault)}]")


def _json_view(base: str, *, is_open: bool) -> None:
    """The schema as text. A text that cannot be read stays as it is, with the line and the reason."""
    fault = schema_fault(base)
    line = _LINE.match(fault)
    marks = [Problem("output_schema", fault, int(line[1]))] if line else []
    sentence = "An object with properties. What has no column in the table is kept as a rule of its field."
    look = PromptField("JSON Schema", sentence, 14, is_open, problems=marks, is_jinja=False)
    if fault:
        st.markdown(f":red[:material/error: {plain(fault)}]")
    else:
        st.caption(":material/check: This text can be read; the table shows the same fields.")
    prompt_editor(look, key=f"{base}_json_text")


def _refresh_text(base: str) -> None:
    """Write the fields as text, unless a text is there that cannot be read: that one is kept."""
    if not schema_fault(base):
        found = schema_of(st.session_state[f"{base}_schema"])
        text = json.dumps(json_schema(found), indent=2, ensure_ascii=False)
        st.session_state[f"{base}_json_text"] = st.session_state[f"{base}_json_read"] = text


def read_schema_text(base: str) -> None:
    """Take a typed JSON Schema over into the fields, or remember why it cannot be read; before the draft is read."""
    state, text = st.session_state, st.session_state.get(f"{base}_json_text")
    if state.get(f"{base}_schema_view") != "json" or text is None or text == state.get(f"{base}_json_read"):
        return
    state[f"{base}_json_read"] = text
    try:
        found = fields_from_json_schema(text)
    except Invalid as error:
        state[f"{base}_json_fault"] = f"{error.message} {error.hint}".strip()
        return
    state[f"{base}_json_fault"] = ""
    if found != schema_of(state[f"{base}_schema"]):
        set_table(f"{base}_schema", schema_frame(found))


def _drop_text(base: str) -> None:
    st.session_state[f"{base}_json_fault"] = ""
    _refresh_text(base)


# --- the derived form ----------------------------------------------------------------------------------------------


def derived_form(draft: TemplateDraft, *, key: str) -> None:
    """The form that follows from the answer, to look at."""
    if draft.label_classes:
        st.caption("Class")
        _choices("Class", draft.label_classes, key=f"{key}_form_class")
        if len(draft.label_classes) <= 9:
            st.caption(f"The keys 1 to {len(draft.label_classes)} choose a class while reviewing.")
    elif draft.output_schema:
        for number, field in enumerate(draft.output_schema):
            _form_field(field, key=f"{key}_form_{number}")
    else:
        st.caption("Answer")
        st.text_area("Answer", key=f"{key}_form_text", disabled=True, height=120, label_visibility="collapsed")


def _form_field(field: OutputField, *, key: str) -> None:
    """One field; its name stands above in full colour, because it is there to be read."""
    label = plain(field.name or "Without a name") + ("" if field.required else " (optional)")
    st.caption(f"**{label}**{f'  {plain(field.description)}' if field.description else ''}")
    if field.options and field.type is FieldType.ARRAY:
        st.pills(label, field.options, key=key, selection_mode="multi", disabled=True, label_visibility="collapsed")
    elif field.options:
        _choices(label, field.options, key=key)
    elif field.type is FieldType.BOOLEAN:
        st.segmented_control(label, ["Yes", "No"], key=key, disabled=True, label_visibility="collapsed")
    elif field.type is FieldType.NUMBER:
        st.number_input(label, value=None, key=key, disabled=True, label_visibility="collapsed")
    else:
        hints = {FieldType.ARRAY: "One entry in each line", FieldType.OBJECT: "JSON"}
        st.text_input(
            label, key=key, disabled=True, placeholder=hints.get(field.type, ""), label_visibility="collapsed"
        )


def _choices(label: str, options: Sequence[str], *, key: str) -> None:
    shown = list(dict.fromkeys(option for option in options if option.strip()))
    if len(shown) > MANY:
        st.selectbox(
            label, shown, index=None, key=key, disabled=True, placeholder=f"One of {len(shown)}",
            label_visibility="collapsed",
        )  # fmt: skip
    else:
        st.pills(label, shown, key=key, disabled=True, format_func=plain, label_visibility="collapsed")
