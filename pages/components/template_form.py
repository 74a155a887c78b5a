"""What the editor of a prompt template holds: filled from the store once, kept while it is typed, read as a draft.

Every key begins with the template and the version of its row, so that a saved template fills a fresh form. What is
typed stays until it is saved, also while a field is hidden or another page is open.
"""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from pages.components.template_fields import schema_frame, schema_of
from pages.components.words import plain, words
from workbench_core.metrics import AnswerKind
from workbench_core.prompt_templates import (
    AnswerSource,
    InputField,
    Problem,
    PromptTemplate,
    TemplateDraft,
    TemplateExample,
)

KINDS = {AnswerKind.LABEL: "One of some classes", AnswerKind.STRUCTURED: "Fields", AnswerKind.TEXT: "Free text"}
PARTS_OF_EXAMPLE = ("input", "output", "explanation")
LONGEST_SENTENCE = 300  # characters of a problem that are shown; it may repeat whole class names


def version_key(template: PromptTemplate) -> str:
    """Where the session keeps which version of the row the form was filled from."""
    return f"prompt_templates_{template.id}_opened"


def opened(template: PromptTemplate) -> str:
    """The prefix of the form's keys; a form that is opened for the first time is filled from the store.

    So is one that holds what is stored while the row went on, because it was published or archived for example.
    """
    seen = st.session_state.get(version_key(template))
    base = f"prompt_templates_{template.id}_{seen}"
    if f"{base}_name" not in st.session_state or (seen != template.row_version and _is_stored(base, template)):
        st.session_state[version_key(template)] = template.row_version
        base = f"prompt_templates_{template.id}_{template.row_version}"
        fill(base, template)
    return base


def _is_stored(base: str, template: PromptTemplate) -> bool:
    """Whether a form holds nothing but what is stored."""
    return typed(base) == template.draft and not st.session_state.get(f"{base}_json_fault")


def fill(base: str, template: PromptTemplate) -> None:
    """Put the stored template into the fields of the editor."""
    values: dict[str, object] = {
        "name": template.name,
        "label_type": template.label_type,
        "description": template.description,
        "system_prompt": template.system_prompt,
        "user_prompt": template.user_prompt,
        "kind": template.answer_kind.value,
        "classes": "\n".join(template.label_classes),
        "schema": schema_frame(template.output_schema),
        "answer_source": template.answer_source.value,
        "temperature": template.temperature,
        "max_tokens": template.max_tokens,
        "model": template.model,
        "inputs": template.inputs,
        "feature_columns": list(template.feature_columns),
        "target_column": template.target_column or None,
        "tags": list(template.tags),
        "usage": template.usage,
    }
    for name, value in values.items():
        st.session_state[f"{base}_{name}"] = value
    fill_examples(base, template.examples)


def fill_examples(base: str, examples: Sequence[TemplateExample]) -> None:
    """Put worked examples into the editor, in their order."""
    st.session_state[f"{base}_examples"] = list(range(len(examples)))
    for number, example in enumerate(examples):
        for part in PARTS_OF_EXAMPLE:
            st.session_state[f"{base}_{part}_{number}"] = getattr(example, part)


def typed(base: str) -> TemplateDraft:
    """What the editor holds now."""
    state = st.session_state
    kind = state[f"{base}_kind"]
    classes = [line.strip() for line in state[f"{base}_classes"].splitlines() if line.strip()]
    return TemplateDraft(
        name=state[f"{base}_name"].strip(),
        label_type=state[f"{base}_label_type"].strip(),
        description=state[f"{base}_description"],
        system_prompt=state[f"{base}_system_prompt"],
        user_prompt=state[f"{base}_user_prompt"],
        label_classes=tuple(classes) if kind == AnswerKind.LABEL else (),
        output_schema=schema_of(state[f"{base}_schema"]) if kind == AnswerKind.STRUCTURED else (),
        examples=typed_examples(base),
        answer_source=AnswerSource(state[f"{base}_answer_source"]),
        temperature=float(state[f"{base}_temperature"]),
        max_tokens=int(state[f"{base}_max_tokens"]),
        model=state[f"{base}_model"] or "",
        inputs=typed_inputs(base),
        feature_columns=tuple(state[f"{base}_feature_columns"]),
        target_column=(state[f"{base}_target_column"] or "").strip(),
        tags=tuple(dict.fromkeys(tag.strip() for tag in state[f"{base}_tags"] if tag.strip())),
        usage=state[f"{base}_usage"],
    )


def typed_examples(base: str) -> tuple[TemplateExample, ...]:
    """The worked examples in the editor, in their order."""
    return tuple(
        TemplateExample(*(st.session_state[f"{base}_{part}_{number}"] for part in PARTS_OF_EXAMPLE))
        for number in st.session_state[f"{base}_examples"]
    )


def typed_inputs(base: str) -> tuple[InputField, ...]:
    """What the author says of the placeholders."""
    return tuple(st.session_state[f"{base}_inputs"])


def show_problems(problems: Sequence[Problem], *names: str) -> None:
    """The problems and warnings of some fields, each with its line; what keeps it from being published comes first."""
    shown = [each for each in problems if each.field in names]
    for problem in sorted(shown, key=lambda each: each.is_warning):
        line = "" if problem.line is None else f"{words(problem.field)}, line {problem.line}: "
        color, icon = ("orange", "warning") if problem.is_warning else ("red", "error")
        kind = "Warning. " if problem.is_warning else ""
        st.markdown(f":{color}[:material/{icon}: {kind}{line}{plain(short(problem.message))}]")


def short(sentence: str) -> str:
    """A sentence about what is wrong, cut where it repeats very long texts."""
    return sentence if len(sentence) <= LONGEST_SENTENCE else f"{sentence[: LONGEST_SENTENCE - 1].rstrip()}…"
