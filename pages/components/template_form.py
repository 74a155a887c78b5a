"""The form of a prompt template: its fields, what is typed in them, and the problems beside them.

Every key begins with the template and the version of its row, so that a saved template fills a fresh form. What is
typed stays until it is saved, also while a field is hidden or another page is open.
"""

from __future__ import annotations

import pandas as pd
import streamlit as st

from pages.components.words import plain, words
from workbench_core.metrics import AnswerKind, FieldType
from workbench_core.prompt_templates import (
    AnswerSource,
    OutputField,
    Problem,
    PromptTemplate,
    TemplateDraft,
    TemplateExample,
)

KINDS = {AnswerKind.LABEL: "One of some classes", AnswerKind.STRUCTURED: "Fields", AnswerKind.TEXT: "Free text"}
SOURCES = {
    AnswerSource.MANUAL: "People write it",
    AnswerSource.EXISTING_COLUMN: "A column of the sheet",
    AnswerSource.AI_GENERATED: "A language model proposes it",
    AnswerSource.CANONICAL: "Canonical labels only",
}
SCHEMA_COLUMNS = ["name", "type", "required", "options", "description"]


def version_key(template: PromptTemplate) -> str:
    """Where the session keeps which version of the row the form was filled from."""
    return f"prompt_templates_{template.id}_opened"


def opened(template: PromptTemplate) -> str:
    """The prefix of the form's keys; a form that is opened for the first time is filled from the store."""
    base = f"prompt_templates_{template.id}_{st.session_state.get(version_key(template))}"
    if f"{base}_name" not in st.session_state:
        st.session_state[version_key(template)] = template.row_version
        base = f"prompt_templates_{template.id}_{template.row_version}"
        fill(base, template)
    return base


def fill(base: str, template: PromptTemplate) -> None:
    """Put the stored template into the fields of the editor."""
    values = {
        "name": template.name,
        "label_type": template.label_type,
        "description": template.description,
        "system_prompt": template.system_prompt,
        "user_prompt": template.user_prompt,
        "kind": template.answer_kind.value,
        "classes": "\n".join(template.label_classes),
        "schema_rows": schema_rows(template.output_schema),
        "answer_source": template.answer_source.value,
        "temperature": template.temperature,
        "max_tokens": template.max_tokens,
        "examples": list(range(len(template.examples))),
    }
    for number, example in enumerate(template.examples):
        values |= {
            f"input_{number}": example.input,
            f"output_{number}": example.output,
            f"explanation_{number}": example.explanation,
        }
    for name, value in values.items():
        st.session_state[f"{base}_{name}"] = value


def schema_rows(schema: tuple[OutputField, ...]) -> pd.DataFrame:
    """An output schema as the rows of the editor's table."""
    entries = [
        (field.name, field.type.value, field.required, ", ".join(field.options), field.description) for field in schema
    ]
    return pd.DataFrame(entries, columns=SCHEMA_COLUMNS).astype({"required": bool})


def typed_schema(rows: pd.DataFrame) -> tuple[OutputField, ...]:
    """The output schema in the editor's table; a new row may have empty cells."""
    filled = rows.fillna(
        {"name": "", "type": FieldType.STRING.value, "required": True, "options": "", "description": ""}
    )
    return tuple(
        OutputField(
            name=str(row["name"]).strip(),
            type=FieldType(row["type"]),
            description=str(row["description"]).strip(),
            required=bool(row["required"]),
            options=tuple(option.strip() for option in str(row["options"]).split(",")) if row["options"] else (),
        )
        for row in filled.to_dict("records")
    )


def prompt_tab(base: str, *, is_open: bool) -> None:
    """Name, label type and the two prompts."""
    left, right = st.columns([3, 2])
    left.text_input("Name", key=f"{base}_name", max_chars=255, disabled=not is_open, persist_state="session")
    right.text_input(
        "Label type",
        key=f"{base}_label_type",
        max_chars=100,
        disabled=not is_open,
        persist_state="session",
        help="The question that the labels answer. Labels are reused wherever the same label type is asked for.",
    )
    st.text_input("Description", key=f"{base}_description", disabled=not is_open, persist_state="session")
    st.text_area(
        "System prompt", key=f"{base}_system_prompt", height=100, disabled=not is_open, persist_state="session",
        help="What the model is and how it answers. May be empty.",
    )  # fmt: skip
    st.text_area(
        "User prompt", key=f"{base}_user_prompt", height=240, disabled=not is_open, persist_state="session",
        help="Write {{ name }} where a value of the item belongs; conditions and loops of Jinja work too.",
    )  # fmt: skip


def answer_tab(base: str, *, is_open: bool) -> None:
    """What an answer looks like, where it comes from, and how a model is asked."""
    st.segmented_control(
        "An answer is", [kind.value for kind in KINDS], format_func=lambda name: KINDS[AnswerKind(name)],
        key=f"{base}_kind", required=True, disabled=not is_open, persist_state="session",
    )  # fmt: skip
    kind = st.session_state[f"{base}_kind"]
    if kind == AnswerKind.LABEL:
        st.text_area(
            "Label classes",
            key=f"{base}_classes",
            height=160,
            disabled=not is_open,
            persist_state="session",
            help="One in each line.",
        )
    if kind == AnswerKind.STRUCTURED:
        schema_editor(base, is_open=is_open)
    source, warmth, length = st.columns(3)
    source.selectbox(
        "Answers come from", [source.value for source in SOURCES], format_func=lambda name: SOURCES[AnswerSource(name)],
        key=f"{base}_answer_source", disabled=not is_open, persist_state="session",
        help="When no canonical label exists. It can be changed for each generation.",
    )  # fmt: skip
    warmth.number_input(
        "Temperature", 0.0, 2.0, step=0.1, key=f"{base}_temperature", disabled=not is_open, persist_state="session",
        help="0 gives the same answer each time.",
    )  # fmt: skip
    length.number_input(
        "Longest answer (tokens)", 1, 8192, key=f"{base}_max_tokens", disabled=not is_open, persist_state="session"
    )


def schema_editor(base: str, *, is_open: bool) -> None:
    """The fields of a structured answer as a small table."""
    if f"{base}_schema_table" not in st.session_state and f"{base}_schema" in st.session_state:
        st.session_state[f"{base}_schema_rows"] = st.session_state[f"{base}_schema"]  # shown again: keep what was typed
    st.caption("Fields of the answer. Separate options with commas; leave them empty to allow anything.")
    st.session_state[f"{base}_schema"] = st.data_editor(
        st.session_state[f"{base}_schema_rows"],
        key=f"{base}_schema_table",
        num_rows="dynamic",
        hide_index=True,
        disabled=not is_open,
        alt="Fields of the answer",
        column_config={
            "name": st.column_config.TextColumn("Name", required=True),
            "type": st.column_config.SelectboxColumn(
                "Type", options=[kind.value for kind in FieldType], default="string", required=True
            ),
            "required": st.column_config.CheckboxColumn("Required", default=True),
            "options": st.column_config.TextColumn("Options"),
            "description": st.column_config.TextColumn("Description", width="large"),
        },
    )


def examples_tab(base: str, *, is_open: bool) -> None:
    """Worked examples, placed before each item as a question and its answer."""
    numbers = st.session_state[f"{base}_examples"]
    if not numbers:
        st.caption("No examples. One or two that show the form of a good answer help small models most.")
    for place, number in enumerate(numbers, start=1):
        with st.container(border=True):
            left, right = st.columns(2)
            left.text_area(
                f"Example {place}: input", key=f"{base}_input_{number}", disabled=not is_open, persist_state="session"
            )
            right.text_area("Output", key=f"{base}_output_{number}", disabled=not is_open, persist_state="session")
            st.text_input(
                "Explanation (for people; not part of the prompt)",
                key=f"{base}_explanation_{number}",
                disabled=not is_open,
                persist_state="session",
            )
            if is_open:
                st.button(
                    "Remove",
                    key=f"{base}_remove_{number}",
                    icon=":material/delete:",
                    on_click=numbers.remove,
                    args=(number,),
                )
    if is_open:
        st.button(
            "Add example", key=f"{base}_add", icon=":material/add:", on_click=numbers.append,
            args=(max(numbers, default=-1) + 1,),
        )  # fmt: skip


def typed(base: str) -> TemplateDraft:
    """What the editor holds now."""
    state = st.session_state
    kind = state[f"{base}_kind"]
    classes = (
        [line.strip() for line in state[f"{base}_classes"].splitlines() if line.strip()]
        if kind == AnswerKind.LABEL
        else []
    )
    return TemplateDraft(
        name=state[f"{base}_name"].strip(),
        label_type=state[f"{base}_label_type"].strip(),
        description=state[f"{base}_description"],
        system_prompt=state[f"{base}_system_prompt"],
        user_prompt=state[f"{base}_user_prompt"],
        label_classes=tuple(classes),
        output_schema=typed_schema(state[f"{base}_schema"]) if kind == AnswerKind.STRUCTURED else (),
        examples=tuple(
            TemplateExample(
                state[f"{base}_input_{number}"], state[f"{base}_output_{number}"], state[f"{base}_explanation_{number}"]
            )
            for number in state[f"{base}_examples"]
        ),
        answer_source=AnswerSource(state[f"{base}_answer_source"]),
        temperature=float(state[f"{base}_temperature"]),
        max_tokens=int(state[f"{base}_max_tokens"]),
    )


def show_problems(problems: list[Problem], *names: str) -> None:
    """The problems of some fields, each with its line."""
    for problem in problems:
        if problem.field in names:
            line = "" if problem.line is None else f"{words(problem.field)}, line {problem.line}: "
            st.markdown(f":red[:material/error: {line}{plain(problem.message)}]")


def show_placeholders(draft: TemplateDraft) -> None:
    """The values that the prompts ask for, as they are typed."""
    if draft.placeholders:
        names = " ".join(f":blue-badge[{plain(name)}]" for name in draft.placeholders)
        st.markdown(f"Placeholders: {names}")
    else:
        st.caption("No placeholders found. Write {{ name }} where a value of the item belongs.")
