"""Which rows of its source a sheet has: a filter from a builder or as an expression, counted before it is saved."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import streamlit as st

from pages.components.condition_fields import BuilderRow, condition_fields, same_conditions
from pages.components.errors import guard
from pages.components.sheet_draft import OpenSheet, change, opened, why_locked
from pages.components.verdicts import filter_verdict
from workbench_core import cached
from workbench_core.catalog import Column
from workbench_core.sheets import Condition, ConditionSet, Sheet

MODES = {"builder": "Builder", "expression": "Expression"}
MATCH = {"all": "All must hold", "any": "One is enough"}


@dataclass(frozen=True, slots=True)
class Builder:
    """The rows of the builder, the filter they stand for, and what the fields said when it was written."""

    rows: tuple[BuilderRow, ...]
    expression: str
    said: ConditionSet | None = None


def edit_filter(sheet: Sheet) -> None:
    """The filter in either form, with its live count."""
    kept, locked = opened(sheet), why_locked(sheet)
    with guard():
        if locked:
            st.caption(f":material/lock: {locked}")
            if kept.draft.filter:
                st.code(kept.draft.filter, language="sql", wrap_lines=True)
            filter_verdict(kept.draft.relation, kept.draft.filter)
            return
        can_build = cached.workbench().sheets.filter_conditions(kept.draft.filter) is not None
        mode = st.segmented_control(
            "How to write the filter", list(MODES), format_func=lambda one: MODES[one], key=f"{kept.key}_mode",
            default="builder" if can_build else "expression", required=True, label_visibility="collapsed",
        )  # fmt: skip
        if mode == "builder" and can_build:
            build(kept)
        else:
            if mode == "builder":
                st.caption("This filter says more than the builder can show, so it stays an expression.")
            write(kept)
        now = opened(sheet).draft
        filter_verdict(now.relation, now.filter)


def write(kept: OpenSheet) -> None:
    """The filter as one condition in SQL."""
    typed = st.text_input(
        "Condition", kept.draft.filter, key=f"{kept.key}_filter", live="600ms",
        placeholder="For example: topic = 'general' AND length > 20",
        help="One condition on the columns. Texts go in single quotes, odd names in double quotes.",
    )  # fmt: skip
    if (typed or "") != kept.draft.filter:
        change(kept.found.id, replace(kept.draft, filter=typed or ""))


# --- the builder -----------------------------------------------------------------------------------------------------


def build(kept: OpenSheet) -> None:
    """Conditions to fill in; what they say becomes the filter of the draft."""
    key = f"{kept.key}_builder"
    builder = started(kept, key=key)
    every = cached.relation_columns(kept.draft.relation)
    columns = {column.name: column for column in every if column.kind != "binary"}
    said = draw(kept, builder, columns, key=key)
    if builder.said is None:  # the first time: this is what the filter says
        st.session_state[key] = replace(builder, said=said)
    elif not same_conditions(said, builder.said):
        expression = cached.workbench().sheets.filter_expression(said)
        st.session_state[key] = replace(builder, said=said, expression=expression)
        change(kept.found.id, replace(kept.draft, filter=expression))


def started(kept: OpenSheet, *, key: str) -> Builder:
    """The rows as they are, or new ones when the filter was changed elsewhere."""
    present: Builder | None = st.session_state.get(key)
    if present is not None and present.expression == kept.draft.filter:
        return present
    found = cached.workbench().sheets.filter_conditions(kept.draft.filter) or ConditionSet(())
    first = 1 + max((row.number for row in present.rows), default=0) if present else 0
    rows = tuple(BuilderRow(first + number, one) for number, one in enumerate(found.conditions))
    builder = Builder(rows, kept.draft.filter)
    st.session_state[key] = builder
    st.session_state[f"{key}_match"] = found.match
    return builder


def draw(kept: OpenSheet, builder: Builder, columns: Mapping[str, Column], *, key: str) -> ConditionSet:
    """The fields of all rows; what the complete ones say."""
    if len(builder.rows) > 1:
        st.segmented_control(
            "How the conditions go together", list(MATCH), format_func=lambda one: MATCH[one], key=f"{key}_match",
            required=True, label_visibility="collapsed",
        )  # fmt: skip
    found: list[Condition | None] = []
    for row in builder.rows:
        with st.container(horizontal=True, vertical_alignment="bottom", gap="small", key=f"{key}_{row.number}_row"):
            is_first = row is builder.rows[0]
            found.append(
                condition_fields(kept.draft.relation, row, columns, key=f"{key}_{row.number}", is_first=is_first)
            )
            st.button(
                "Remove", icon=":material/close:", type="tertiary", key=f"data_condition_drop_{row.number}",
                on_click=drop_row, args=(key, row.number),
            )  # fmt: skip
    with st.container(horizontal=True, vertical_alignment="center"):
        st.button("Add a condition", icon=":material/add:", key="data_condition_add", on_click=add_row, args=(key,))
        if incomplete := sum(one is None for one in found):
            words = "One condition is" if incomplete == 1 else f"{incomplete} conditions are"
            st.caption(f"{words} not complete and does not count yet." if incomplete == 1 else f"{words} not complete.")
    complete = tuple(one for one in found if one is not None)
    match = st.session_state.get(f"{key}_match") if len(complete) > 1 else "all"
    return ConditionSet(complete, "any" if match == "any" else "all")


def add_row(key: str) -> None:
    """One more condition."""
    builder: Builder = st.session_state[key]
    number = 1 + max((row.number for row in builder.rows), default=-1)
    st.session_state[key] = replace(builder, rows=(*builder.rows, BuilderRow(number)))


def drop_row(key: str, number: int) -> None:
    """One condition less."""
    builder: Builder = st.session_state[key]
    st.session_state[key] = replace(builder, rows=tuple(row for row in builder.rows if row.number != number))
