"""What a label set is for: name, description, use case and tags, what may be done with its labels, response schema."""

from __future__ import annotations

import json
import re

import pandas as pd
import streamlit as st

from pages.components.label_set_form import schema_fault, show_problems, typed
from pages.components.prompt_editor import PromptField, prompt_editor
from pages.components.rights import why_not
from pages.components.usage_editor import usage_editor
from pages.components.words import plain
from workbench_core.label_sets import LabelSet, problems_of
from workbench_core.permissions import Action
from workbench_core.prompt_templates import Problem
from workbench_core.usage import UsageRules

_LINE = re.compile(r"Line (\d+)")
_EXAMPLE = """{
    "type": "object",
    "properties": {
        "severity": {"type": "integer", "minimum": 1, "maximum": 5, "description": "1 hardly, 5 at once"},
        "note": {"type": "string", "description": "What you see"}
    },
    "required": ["severity"]
}"""


def about_part(label_set: LabelSet, base: str, *, is_open: bool) -> None:
    """Name, description, use case, tags and the usage rules; in words when they cannot be changed."""
    if not is_open:
        _in_words(label_set)
        return
    left, right = st.columns(2, gap="medium")
    with left:
        st.subheader("About", anchor=False)
        st.text_input("Name", key=f"{base}_name", persist_state="session", max_chars=255)
        st.text_input(
            "Label type", label_set.label_type, key=f"{base}_label_type_shown", disabled=True,
            help="It joins the set to templates and labels, and stays as it was when the set was made.",
        )  # fmt: skip
        st.text_area(
            "Description", key=f"{base}_description", persist_state="session", height=90,
            placeholder="What the labels say, and for whom",
        )  # fmt: skip
        st.text_input("Use case", key=f"{base}_use_case", persist_state="session", placeholder="Visual inspection")
        st.multiselect(
            "Tags", st.session_state[f"{base}_tags"], key=f"{base}_tags", accept_new_options=True,
            persist_state="session", placeholder="Type a tag and press Enter",
        )  # fmt: skip
    with right:
        st.subheader("What labels may be used for", anchor=False)
        _usage(label_set, base)
    show_problems(problems_of(typed(base, label_set)), "name", "label_type", "description", "use_case", "tags", "usage")


def _usage(label_set: LabelSet, base: str) -> None:
    """The usage rules as a form for those who govern, in words for others."""
    if refusal := why_not(Action.GOVERN):
        st.caption(plain(refusal))
        st.table(_table(_usage_words(label_set.usage, may_serve=label_set.may_serve)), hide_index=True)
        return
    st.caption("Pairs of this label type get these rules and those of their sheet and template; the strictest wins.")
    rules = st.session_state[f"{base}_usage"]
    st.session_state[f"{base}_usage"] = usage_editor(key=f"{base}_usage_form", start=rules)
    st.toggle(
        "May be served", key=f"{base}_may_serve", persist_state="session",
        help="Whether models of this label type may be deployed (the use production inference).",
    )  # fmt: skip


def schema_part(label_set: LabelSet, base: str, *, is_open: bool) -> None:
    """The response schema as JSON. A text that cannot be read stays as it is, with the line and the reason."""
    if not is_open:
        if label_set.response_schema:
            st.code(json.dumps(dict(label_set.response_schema), indent=2, ensure_ascii=False), language="json")
        else:
            st.caption("No response schema: an answer is one of the classes.")
        return
    st.caption(
        "For answers that are more than one class: a JSON Schema that every answer must fit. It may stand beside the "
        "classes or in their place."
    )
    key, fault = f"{base}_schema", schema_fault(base)
    if not str(st.session_state[key]).strip() and not st.session_state.get(f"{key}_begun"):
        # the field takes a text from here only when it is drawn for the first time
        with st.container(horizontal=True):
            st.button("Begin with an example", key=f"{base}_schema_example", on_click=_begin, args=(key, _EXAMPLE))
            st.button("Write one", key=f"{base}_schema_write", on_click=_begin, args=(key, ""))
        return
    line = _LINE.match(fault)
    marks = [Problem("response_schema", fault, int(line[1]))] if line else []
    look = PromptField("Response schema", "JSON Schema, without references", 16, problems=marks, is_jinja=False)
    prompt_editor(look, key=key)
    if fault:
        st.markdown(f":red[:material/error: {plain(fault)}]")
    elif str(st.session_state[key]).strip():
        st.caption(":material/check: Answers can be checked with this schema.")


def _begin(key: str, text: str) -> None:
    st.session_state[key], st.session_state[f"{key}_begun"] = text, True


def _in_words(label_set: LabelSet) -> None:
    """The settings of a version that cannot be changed, to be read."""
    facts = {
        "Label type": label_set.label_type,
        "Description": label_set.description or "–",
        "Use case": label_set.use_case or "–",
        "Tags": ", ".join(label_set.tags) or "–",
        **_usage_words(label_set.usage, may_serve=label_set.may_serve),
    }
    st.table(_table(facts), hide_index=True)


def _usage_words(rules: UsageRules, *, may_serve: bool) -> dict[str, str]:
    return {
        "Labels": f"{rules.summary()}, {rules.classification}",
        "Reason": rules.reason or "–",
        "May be served": "Yes" if may_serve else "No",
    }


def _table(facts: dict[str, str]) -> pd.DataFrame:
    return pd.DataFrame({"Setting": list(facts), "Value": [plain(value) for value in facts.values()]})
