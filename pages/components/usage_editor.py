"""Usage governance as a form: a preset or single uses, a classification, and the reason."""

from __future__ import annotations

import streamlit as st

from pages.components.words import words
from workbench_core.usage import ALL_USES, PRESETS, Classification, UsageRules, Use

_PRESETS = {preset.name: preset for preset in PRESETS}
_OWN = "own"


def usage_editor(*, key: str, start: UsageRules = ALL_USES) -> UsageRules:
    """Fields for usage rules; give what they say now, which the service checks when it is saved.

    They begin with `start`. Choosing a preset fills the other fields; they can still be changed.
    """

    def fill() -> None:
        preset = _PRESETS.get(st.session_state[f"{key}_preset"])
        if preset:
            _fill(key, preset.rules)

    if f"{key}_allowed" not in st.session_state:
        _fill(key, start)
        st.session_state[f"{key}_preset"] = next((name for name, one in _PRESETS.items() if one.rules == start), _OWN)
    st.selectbox(
        "Preset",
        [*_PRESETS, _OWN],
        key=f"{key}_preset",
        format_func=lambda name: _PRESETS[name].title if name in _PRESETS else "My own rules",
        on_change=fill,
    )
    allowed = st.pills("Allowed", list(Use), key=f"{key}_allowed", selection_mode="multi", format_func=words)
    prohibited = st.pills(
        "Prohibited", list(Use), key=f"{key}_prohibited", selection_mode="multi", format_func=words,
        help="A prohibition wins over everything that is allowed.",
    )  # fmt: skip
    classification = st.selectbox("Classification", list(Classification), key=f"{key}_class", format_func=words)
    reason = st.text_input("Reason", key=f"{key}_reason", placeholder="Why these uses? It stays in the history.")
    return UsageRules(
        frozenset(allowed), frozenset(prohibited), classification or Classification.INTERNAL, str(reason or "")
    )


def _fill(key: str, rules: UsageRules) -> None:
    st.session_state[f"{key}_allowed"] = [use for use in Use if use in rules.allowed]
    st.session_state[f"{key}_prohibited"] = [use for use in Use if use in rules.prohibited]
    st.session_state[f"{key}_class"] = rules.classification
    st.session_state[f"{key}_reason"] = rules.reason
