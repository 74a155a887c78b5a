"""What the editor of a label set holds: filled from the store once, kept while it is typed, read as a draft.

Every key begins with the label set and the version of its row, so that a saved set fills a fresh form. What is typed
stays until it is saved, also while another part or page is open.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING

import pandas as pd
import streamlit as st

from pages.components.words import plain
from workbench_core.errors import Invalid
from workbench_core.label_sets import LabelClass, LabelSet, LabelSetDraft, Problem, schema_from_text, tidied

if TYPE_CHECKING:
    from workbench_core.data_quality import Json

COLUMNS = ["name", "title", "hotkey", "colour", "description", "threshold"]
LONGEST_SENTENCE = 300  # characters of a problem that are shown


def version_key(label_set: LabelSet) -> str:
    """Where the session keeps which version of the row the form was filled from."""
    return f"label_sets_{label_set.id}_opened"


def opened(label_set: LabelSet) -> str:
    """The prefix of the form's keys; a form that is opened for the first time is filled from the store.

    So is one that holds what is stored while the row went on, because it was published or archived for example.
    """
    seen = st.session_state.get(version_key(label_set))
    base = f"label_sets_{label_set.id}_{seen}"
    if f"{base}_name" not in st.session_state or (seen != label_set.row_version and _is_stored(base, label_set)):
        st.session_state[version_key(label_set)] = label_set.row_version
        base = f"label_sets_{label_set.id}_{label_set.row_version}"
        fill(base, label_set)
    return base


def _is_stored(base: str, label_set: LabelSet) -> bool:
    """Whether a form holds nothing but what is stored."""
    return typed(base, label_set) == label_set.draft and not schema_fault(base)


def fill(base: str, label_set: LabelSet) -> None:
    """Put the stored label set into the fields of the editor."""
    schema = json.dumps(dict(label_set.response_schema), indent=2, ensure_ascii=False)
    values: dict[str, object] = {
        "name": label_set.name,
        "description": label_set.description,
        "use_case": label_set.use_case,
        "tags": list(label_set.tags),
        "classes": class_frame(label_set.classes),
        "schema": schema if label_set.response_schema else "",
        "usage": label_set.usage,
        "may_serve": label_set.may_serve,
    }
    for name, value in values.items():
        st.session_state[f"{base}_{name}"] = value


def typed(base: str, label_set: LabelSet) -> LabelSetDraft:
    """What the editor holds now, tidy. A schema that cannot be read yet counts as the stored one."""
    state = st.session_state
    schema, fault = read_schema(base)
    return tidied(
        LabelSetDraft(
            name=state[f"{base}_name"],
            label_type=label_set.label_type,
            description=state[f"{base}_description"],
            use_case=state[f"{base}_use_case"],
            classes=classes_of(state[f"{base}_classes"]),
            response_schema=label_set.response_schema if fault else schema,
            tags=tuple(state[f"{base}_tags"]),
            usage=state[f"{base}_usage"],
            may_serve=bool(state[f"{base}_may_serve"]),
        )
    )


def read_schema(base: str) -> tuple[dict[str, Json], str]:
    """The typed response schema, and why it cannot be used."""
    try:
        return schema_from_text(str(st.session_state[f"{base}_schema"])), ""
    except Invalid as error:
        return {}, error.message


def schema_fault(base: str) -> str:
    """Why the typed response schema cannot be used; empty when it can, and for none."""
    return read_schema(base)[1]


# --- the table of classes --------------------------------------------------------------------------------------------


def class_frame(classes: Sequence[LabelClass]) -> pd.DataFrame:
    """Classes as the rows of a table."""
    entries = [(one.name, one.title, one.hotkey, one.colour, one.description, one.threshold) for one in classes]
    frame = pd.DataFrame(entries, columns=COLUMNS)
    return frame.astype({name: "float64" if name == "threshold" else "object" for name in COLUMNS})


def classes_of(rows: pd.DataFrame) -> tuple[LabelClass, ...]:
    """The classes in the table; a row in which nothing was typed yet is no class."""
    filled = rows.fillna({name: 0.0 if name == "threshold" else "" for name in COLUMNS})
    return tuple(
        LabelClass(
            name=str(row["name"]), title=str(row["title"]), colour=str(row["colour"]),
            description=str(row["description"]), hotkey=str(row["hotkey"]), threshold=float(row["threshold"]),
        )
        for row in filled.to_dict("records")
        if any(str(row[name]).strip() for name in COLUMNS if name != "threshold")
    )  # fmt: skip


def show_problems(problems: Sequence[Problem], *names: str) -> None:
    """The problems and warnings of some fields; what keeps the set from being published comes first."""
    for problem in sorted((each for each in problems if each.field in names), key=lambda each: each.is_warning):
        color, icon, kind = ("orange", "warning", "Warning. ") if problem.is_warning else ("red", "error", "")
        said = problem.message
        said = said if len(said) <= LONGEST_SENTENCE else f"{said[:LONGEST_SENTENCE].rstrip()}…"
        st.markdown(f":{color}[:material/{icon}: {kind}{plain(said)}]")
