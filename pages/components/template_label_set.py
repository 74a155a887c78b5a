"""The label set that answers of a template's label type follow: its classes or fields for the taking."""

from __future__ import annotations

import json

import streamlit as st

from pages.components.template_fields import schema_frame
from pages.components.template_table import set_table
from pages.components.words import counted, plain
from workbench_core import cached_review
from workbench_core.errors import Invalid
from workbench_core.label_sets import LabelSet
from workbench_core.metrics import AnswerKind
from workbench_core.prompt_templates import OutputField, TemplateDraft, fields_from_json_schema


def label_set_of(base: str, draft: TemplateDraft, kind: AnswerKind, *, is_open: bool) -> None:
    """Say which label set the label type has, and offer to take over what it allows where the template differs."""
    found = cached_review.label_set(draft.label_type) if draft.label_type and kind != AnswerKind.TEXT else None
    if found is None:
        return
    names, fields = tuple(one.name for one in found.classes), _fields(found)
    wanted: tuple[object, ...] = names if kind == AnswerKind.LABEL else fields
    if not wanted:
        return
    present = draft.label_classes if kind == AnswerKind.LABEL else draft.output_schema
    is_same = tuple(present) == wanted
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        said = "The answers are those of" if is_same else "This label type has"
        icon = ":material/check:" if is_same else ":material/label:"
        st.markdown(f":small[{icon} {said} the label set “{plain(found.name)}” v{plain(found.version)}.]")
        st.page_link("label_sets.py", label="Open it", query_params={"label_set": found.id})
        if is_open and not is_same:
            what = f"{len(names):,} classes" if kind == AnswerKind.LABEL else counted(len(fields), "field")
            st.button(
                f"Take its {what}", key=f"{base}_label_set", icon=":material/download:",
                on_click=_take, args=(base, kind, names, fields),
            )  # fmt: skip


def _fields(label_set: LabelSet) -> tuple[OutputField, ...]:
    """The fields of its response schema; none where a template could not hold them."""
    if not label_set.response_schema:
        return ()
    try:
        return tuple(fields_from_json_schema(json.dumps(label_set.response_schema)))
    except Invalid:
        return ()


def _take(base: str, kind: AnswerKind, names: tuple[str, ...], fields: tuple[OutputField, ...]) -> None:
    if kind == AnswerKind.LABEL:
        st.session_state[f"{base}_classes"] = "\n".join(names)
    else:
        set_table(f"{base}_schema", schema_frame(fields))
