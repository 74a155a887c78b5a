"""How a template is used: the model and where answers come from, description and tags, what pairs may be used for."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from pages.components.generation_words import SOURCES, price_words
from pages.components.template_form import show_problems, typed
from pages.components.usage_editor import usage_editor
from pages.components.words import plain
from workbench_core import cached
from workbench_core.prompt_templates import AnswerSource

LONGEST_ANSWER = 8_192


def settings_part(base: str, *, is_open: bool) -> None:
    """Everything but prompts, answer and examples; in words when it cannot be changed."""
    if not is_open:
        _in_words(base)
        return
    left, right = st.columns(2, gap="medium")
    with left:
        st.subheader("Asking", anchor=False)
        _asking(base)
        st.subheader("About", anchor=False)
        st.text_area("Description", key=f"{base}_description", disabled=not is_open, persist_state="session", height=80)
        st.multiselect(
            "Tags", st.session_state[f"{base}_tags"], key=f"{base}_tags", accept_new_options=True,
            persist_state="session", placeholder="Type a tag and press Enter",
        )  # fmt: skip
    with right:
        st.subheader("What pairs may be used for", anchor=False)
        st.caption("Each generated pair gets these rules and those of its sheet; the strictest wins.")
        rules = st.session_state[f"{base}_usage"]
        st.session_state[f"{base}_usage"] = usage_editor(key=f"{base}_usage_form", start=rules)
    problems = cached.workbench().prompt_templates.lint(typed(base))
    show_problems(problems, "name", "label_type", "model", "temperature", "max_tokens", "tags", "usage")


def _in_words(base: str) -> None:
    """The settings of a version that cannot be changed, to be read."""
    draft = typed(base)
    facts = {
        "Answers come from": SOURCES[draft.answer_source],
        "Model": model_title(draft.model),
        "Temperature": f"{draft.temperature:g}",
        "Longest answer": f"{draft.max_tokens:,} tokens",
        "Description": draft.description or "–",
        "Tags": ", ".join(draft.tags) or "–",
        "Pairs": f"{draft.usage.summary()}, {draft.usage.classification}",
        "Reason": draft.usage.reason or "–",
    }
    st.table(
        pd.DataFrame({"Setting": list(facts), "Value": [plain(value) for value in facts.values()]}), hide_index=True
    )


def _asking(base: str) -> None:
    """Where answers come from, and how a model is asked."""
    st.selectbox(
        "Answers come from", [source.value for source in SOURCES], format_func=lambda name: SOURCES[AnswerSource(name)],
        key=f"{base}_answer_source", persist_state="session",
        help="When no canonical label exists. It can be changed for each generation.",
    )  # fmt: skip
    choose_model(f"{base}_model", label="Model")
    warmth, length = st.columns(2)
    warmth.slider(
        "Temperature", 0.0, 2.0, step=0.1, key=f"{base}_temperature", persist_state="session",
        help="0 gives the same answer each time.",
    )  # fmt: skip
    length.number_input("Longest answer (tokens)", 1, LONGEST_ANSWER, key=f"{base}_max_tokens", persist_state="session")


def choose_model(key: str, *, label: str, otherwise: str = "") -> str:
    """A configured model by name, with what it costs and whether it can answer now; empty for none in particular.

    Then the model `otherwise` answers, or the default one. A name that is not configured here is kept, and said.
    """
    models = cached.workbench().chat_models
    known = {model.name: model for model in models.all()}
    present = str(st.session_state.setdefault(key, ""))
    st.selectbox(
        label, ["", *known, *([present] if present not in ("", *known) else [])], key=key,
        persist_state="session", format_func=lambda name: model_title(name, otherwise=otherwise),
    )  # fmt: skip
    asked = present or otherwise
    if asked and asked not in known:
        st.markdown(
            f":small[:orange[:material/warning: “{plain(asked)}” is not configured here. Choose another model.]]"
        )
        return present
    availability = models.get(asked).availability()
    price = price_words(models.get(asked).price)
    parts = [price[:1].upper() + plain(price[1:])]
    if availability.is_ready:
        parts.append("ready")
    else:
        parts.append(f":orange[:material/warning:] cannot answer now: {plain(availability.reason)}")
    st.caption(" · ".join(parts))
    return present


def model_title(name: str, *, otherwise: str = "") -> str:
    """A model as people read it; one that is not chosen by name says why it answers."""
    models = cached.workbench().chat_models
    known = {model.name: model.title for model in models.all()}
    if name:
        return known.get(name, name)
    if otherwise:
        return f"As in the template: {known.get(otherwise, otherwise)}"
    return f"Default: {models.default.title}"
