"""The classes of a label set: a table to edit them in, and the buttons that people who label will get."""

from __future__ import annotations

from dataclasses import replace

import pandas as pd
import streamlit as st

from pages.components.label_set_form import class_frame, classes_of, show_problems, typed
from pages.components.label_set_look import class_buttons
from pages.components.template_table import kept_table, set_table
from pages.components.words import plain
from workbench_core.label_sets import (
    CLASS_LIBRARY,
    LabelClass,
    LabelSet,
    free_colours,
    free_hotkeys,
    problems_of,
)

_LIBRARY = {one.name: one for one in CLASS_LIBRARY}


def classes_part(label_set: LabelSet, base: str, *, is_open: bool) -> None:
    """The table of classes on the left, the buttons on the right; in words when it cannot be changed."""
    left, right = st.columns([3, 1], gap="medium")
    with left:
        if is_open:
            _tools(label_set, base)
        _table(base, is_open=is_open)
        draft = typed(base, label_set)  # after the table, which says only while it is drawn what is typed in it
        if is_open:
            show_problems(problems_of(draft), "classes")
    with right, st.container(border=True):
        st.subheader("What annotators see", anchor=False)
        if draft.classes:
            class_buttons(draft.classes)
            st.caption("A key chooses the class while reviewing. Descriptions show when the pointer rests on a button.")
        elif draft.response_schema:
            st.caption("No classes: a form follows from the response schema.")
        else:
            st.caption("Add a class, and its button shows here.")


def _table(base: str, *, is_open: bool) -> None:
    column = st.column_config
    kept_table(
        f"{base}_classes",
        {
            "name": column.TextColumn("Name", width=112, help="What is stored as the answer.", required=True),
            "title": column.TextColumn("Shown as", width=112, help="What people read; the name without it."),
            "hotkey": column.TextColumn("Key", width=60, max_chars=1, help="One character that chooses the class."),
            "colour": column.TextColumn("Colour", width=88, help="As #rrggbb; left empty, a free one is taken."),
            "description": column.TextColumn("Description", width="medium", help="When to choose it."),
            "threshold": column.NumberColumn(
                "Threshold", width=92, min_value=0.0, max_value=1.0, step=0.05, default=0.0,
                help="From which confidence a model's answer of this class may be trusted: 0 trusts every one.",
            ),
        },
        alt="Classes",
        is_open=is_open,
    )  # fmt: skip


# --- tools -----------------------------------------------------------------------------------------------------------


def _tools(label_set: LabelSet, base: str) -> None:
    """What would be tedious to type: classes of the library, colours, keys."""
    with st.container(horizontal=True, gap="small", vertical_alignment="center"):
        with st.popover("Add from the library", icon=":material/library_add:"):
            _library(base)
        with st.popover("Colour", icon=":material/palette:"):
            _colour(label_set, base)
        st.button(
            "Fresh colours", key=f"{base}_fresh_colours", icon=":material/format_paint:", on_click=_fresh_colours,
            args=(base,), help="Give every class another colour, seen on a light and on a dark page",
        )  # fmt: skip
        st.button(
            "Number the keys", key=f"{base}_number_keys", icon=":material/keyboard:", on_click=_number_keys,
            args=(base,), help="1 to 9 and 0 in the order of the table, then free letters",
        )  # fmt: skip


def _library(base: str) -> None:
    st.pills(
        "Classes", list(_LIBRARY), key=f"{base}_library", selection_mode="multi",
        format_func=lambda name: _LIBRARY[name].shown,
    )  # fmt: skip
    st.button("Add", key=f"{base}_library_add", type="primary", on_click=_add_chosen, args=(base,))


def _colour(label_set: LabelSet, base: str) -> None:
    """Choose the colour of one class by eye."""
    present = typed(base, label_set).classes
    if not present:
        st.caption("Add a class first.")
        return
    place = st.selectbox(
        "Class", range(len(present)), key=f"{base}_colour_of", format_func=lambda number: plain(_name(present, number))
    )
    number = min(place or 0, len(present) - 1)
    widget = f"{base}_colour_{number}_{present[number].colour.lstrip('#')}"
    shown = present[number].colour if len(present[number].colour) == 7 else "#64748b"
    st.color_picker("Colour", shown, key=widget, on_change=_set_colour, args=(base, number, widget))


def _name(classes: tuple[LabelClass, ...], number: int) -> str:
    return classes[number].shown if number < len(classes) else ""


def _classes(base: str) -> tuple[LabelClass, ...]:
    frame: pd.DataFrame = st.session_state[f"{base}_classes"]
    return classes_of(frame)


def _put(base: str, classes: tuple[LabelClass, ...]) -> None:
    set_table(f"{base}_classes", class_frame(classes))


def _set_colour(base: str, number: int, widget: str) -> None:
    present = list(_classes(base))
    if number < len(present):
        present[number] = replace(present[number], colour=str(st.session_state[widget]).lower())
        _put(base, tuple(present))


def _fresh_colours(base: str) -> None:
    present = _classes(base)
    taken = {one.colour for one in present} if len(present) <= 5 else set()
    colours = free_colours(len(present), taken=taken)
    _put(base, tuple(replace(one, colour=colour) for one, colour in zip(present, colours, strict=True)))


def _number_keys(base: str) -> None:
    present = _classes(base)
    keys = free_hotkeys(len(present))
    _put(base, tuple(replace(one, hotkey=key) for one, key in zip(present, keys, strict=True)))


def _add_chosen(base: str) -> None:
    """Add the chosen classes of the library, with another key where theirs is taken."""
    present = list(_classes(base))
    for name in st.session_state[f"{base}_library"] or ():
        if name in {one.name for one in present}:
            continue
        taken = {one.hotkey for one in present}
        added = _LIBRARY[name]
        key = added.hotkey if added.hotkey not in taken else free_hotkeys(1, taken=taken)[0]
        present.append(replace(added, hotkey=key))
    st.session_state[f"{base}_library"] = []
    _put(base, tuple(present))
