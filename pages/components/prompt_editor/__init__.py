"""A field for prompts that follows typing: line numbers, Jinja in colour, faulty lines marked, columns to put in.

The browser sends the text after a short pause and when the field is left. What is typed there wins over what the
server last heard; the server's text is taken only when the field is drawn for the first time.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import streamlit as st

from workbench_core.prompt_templates import Problem

LONGEST = 100_000  # characters that are taken from a browser
_SAVE = "_asked_to_save"
_HERE = Path(__file__).parent
_mount = st.components.v2.component(
    "workbench_prompt_editor",
    html=(_HERE / "editor.html").read_text(encoding="utf-8"),
    css=(_HERE / "editor.css").read_text(encoding="utf-8"),
    js=(_HERE / "editor.js").read_text(encoding="utf-8"),
)


@dataclass(frozen=True, slots=True)
class PromptField:
    """How one prompt is edited: its label, a sentence about it, how many lines it has at least, whether it is open.

    `states` says of each placeholder whether it is `mapped`, `unmapped` or `optional`; `columns` can be put in with one
    click; `problems` mark their lines. Only `is_jinja` texts are coloured.
    """

    label: str
    help: str
    lines: int = 4
    is_open: bool = True
    states: Mapping[str, str] = field(default_factory=dict)
    columns: tuple[str, ...] = ()
    problems: Sequence[Problem] = ()
    is_jinja: bool = True


def prompt_editor(look: PromptField, *, key: str) -> str:
    """Draw the field over the text that the session keeps under `key`, which follows what is typed; give the text."""
    widget = f"{key}_editor"
    _mount(
        key=widget,
        data={
            "text": st.session_state[key],
            "label": look.label,
            "help": look.help,
            "lines": look.lines,
            "is_open": look.is_open,
            "states": dict(look.states),
            "is_jinja": look.is_jinja,
            "columns": list(look.columns),
            "marks": {str(each.line): each.message for each in look.problems if each.line is not None},
        },
        default={"typed": None},
        on_typed_change=lambda: _keep(key, widget),
        on_save_change=lambda: st.session_state.setdefault(f"{key}{_SAVE}", True),
    )
    return str(st.session_state[key])


def asked_to_save(base: str) -> bool:
    """Whether the person pressed Ctrl+S in a field whose key begins with `base`; it is told once."""
    asked = [key for key in st.session_state if str(key).startswith(base) and str(key).endswith(_SAVE)]
    for key in asked:
        del st.session_state[key]
    return bool(asked)


def _keep(key: str, widget: str) -> None:
    """Keep what was typed; a browser may send anything."""
    typed = (st.session_state.get(widget) or {}).get("typed")
    if isinstance(typed, str):
        st.session_state[key] = typed[:LONGEST].replace("\x00", "")
