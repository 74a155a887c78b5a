"""The fields of one condition: a column, what is asked of it, and values that fit its kind."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Literal

import streamlit as st

from workbench_core import cached
from workbench_core.catalog import Column
from workbench_core.sheets import OPERATORS, Condition, ConditionSet, Operator, Source
from workbench_core.sheets.filters import Scalar

WITHOUT_VALUE = (Operator.EMPTY, Operator.NOT_EMPTY)
FREE_TEXT = (Operator.CONTAINS, Operator.STARTS_WITH, Operator.ENDS_WITH)
OFFERED = 50  # values of a column that are offered
LONGEST_OFFER = 80  # characters
WIDTH = 250
EXACT = 2**53 - 1  # the largest whole number that a browser keeps exactly
_INTEGERS = ("TINYINT", "SMALLINT", "INTEGER", "BIGINT", "HUGEINT", "UTINYINT", "USMALLINT", "UINTEGER", "UBIGINT")


@dataclass(frozen=True, slots=True)
class BuilderRow:
    """One row of the builder; `start` is what it is filled with."""

    number: int
    start: Condition | None = None


def same_conditions(one: ConditionSet, other: ConditionSet) -> bool:
    """Whether two sets ask the same."""
    return (one.match, one.conditions) == (other.match, other.conditions)


def condition_fields(
    relation: Source, row: BuilderRow, columns: Mapping[str, Column], *, key: str, is_first: bool = True
) -> Condition | None:
    """Draw the fields, with visible labels on the first row; give the condition once it is complete."""
    start = row.start
    seen: Literal["visible", "collapsed"] = "visible" if is_first else "collapsed"
    names = list(columns) if start is None or start.column in columns else [start.column, *columns]
    name = st.selectbox(
        "Column", names, index=names.index(start.column) if start else None, key=f"{key}_column", width=WIDTH,
        placeholder="Choose a column", label_visibility=seen,
    )  # fmt: skip
    if not name or name not in columns:
        return start if name and start and name == start.column else None
    column = columns[name]
    operators = OPERATORS.get(column.kind, ())
    present = start.operator if start and start.column == name and start.operator in operators else None
    operator = st.selectbox(
        "is", operators, index=operators.index(present) if present else 0, key=f"{key}_{name}_operator", width=150,
        label_visibility=seen,
    )  # fmt: skip
    operator = Operator(operator or operators[0])
    if operator in WITHOUT_VALUE:
        return Condition(name, operator)
    given = start.values if start is not None and present is operator else ()
    return value_fields(relation, column, operator, given, key=f"{key}_{name}_{operator}")


def value_fields(
    relation: Source, column: Column, operator: Operator, given: Sequence[Scalar], *, key: str
) -> Condition | None:
    """The value of a condition, or the values that some take."""
    if operator is Operator.ONE_OF:
        values = many(relation, column, given, key=key)
        return Condition(column.name, operator, values) if values else None
    if operator is Operator.BETWEEN:
        low = one(relation, column, operator, given[:1], label="Lowest", key=f"{key}_low")
        high = one(relation, column, operator, given[1:2], label="Highest", key=f"{key}_high")
        return None if low is None or high is None else Condition(column.name, operator, (low, high))
    value = one(relation, column, operator, given[:1], label="Value", key=key)
    return None if value is None else Condition(column.name, operator, value)


def one(
    relation: Source, column: Column, operator: Operator, given: Sequence[Scalar], *, label: str, key: str
) -> Scalar | None:
    """One value that fits the column; None while it is missing."""
    start = given[0] if given else None
    if column.kind == "boolean":
        words = ["true", "false"]
        index = None if start is None else words.index("true" if start else "false")
        said = st.selectbox(label, words, index=index, key=key, width=WIDTH, placeholder="Choose")
        return None if said is None else said == "true"
    if column.kind == "number":
        return number(relation, column, start, label=label, key=key)
    if column.kind == "time":
        return moment(column, start, label=label, key=key)
    if operator in FREE_TEXT:
        return st.text_input(label, str(start or ""), key=key, width=WIDTH) or None
    options = offered(relation, column, [] if start is None else [str(start)])
    chosen = st.selectbox(
        label, options, index=None if start is None else options.index(str(start)), key=key, width=WIDTH,
        accept_new_options=True, placeholder="Choose or type",
    )  # fmt: skip
    return None if chosen is None else str(chosen)


def number(relation: Source, column: Column, start: Scalar | None, *, label: str, key: str) -> int | float | None:
    """A number; a whole one for a column of whole numbers."""
    is_whole = column.data_type in _INTEGERS
    if is_beyond(start) or (is_whole and any(is_beyond(one) for one in frequent_numbers(relation, column))):
        return exact_number(start, label=label, key=key)
    if is_whole and (start is None or isinstance(start, int)):
        return st.number_input(label, value=start, step=1, key=key, width=WIDTH)
    return st.number_input(
        label, value=float(start) if isinstance(start, int | float) else None, key=key, width=WIDTH, format="%.6g"
    )


def exact_number(start: Scalar | None, *, label: str, key: str) -> int | None:
    """A whole number as text: the browser would round those beyond 2^53."""
    typed = (st.text_input(label, "" if start is None else str(start), key=f"{key}_exact", width=WIDTH) or "").strip()
    if not typed:
        return None
    if not re.fullmatch(r"[-+]?[0-9]{1,40}", typed):
        st.caption(":red[:material/error:] Enter a whole number.")
        return None
    return int(typed)


def is_beyond(value: Scalar | None) -> bool:
    """Whether a number is so large that a number field of a browser would change it."""
    return isinstance(value, int) and abs(value) > EXACT


def frequent_numbers(relation: Source, column: Column) -> list[int]:
    """The most frequent values of a column of whole numbers."""
    found = cached.frequent_values(relation, column.name, OFFERED)
    return [int(value) for value, _ in found if re.fullmatch(r"-?[0-9]+", value)]


def moment(column: Column, start: Scalar | None, *, label: str, key: str) -> date | datetime | None:
    """A day for a column of days, else a time."""
    if column.data_type == "DATE":
        day = start.date() if isinstance(start, datetime) else start
        picked = st.date_input(label, day if isinstance(day, date) else None, key=key, width=WIDTH)
        return picked if isinstance(picked, date) else None
    begin = start if isinstance(start, datetime) else None
    if begin is None and isinstance(start, date):
        begin = datetime(start.year, start.month, start.day)  # noqa: DTZ001  a filter's times have no zone
    found: datetime | None = st.datetime_input(label, begin, key=key, width=WIDTH, step=60)
    return found


def many(relation: Source, column: Column, given: Sequence[Scalar], *, key: str) -> tuple[Scalar, ...]:
    """Several values, offered by how often they occur; others can be typed."""
    start = [str(value) for value in given]
    chosen = st.multiselect(
        "Values", offered(relation, column, start), default=start, key=key, accept_new_options=True,
        placeholder="Choose or type", width=2 * WIDTH,
    )  # fmt: skip
    values = [parsed(str(text), column) for text in chosen]
    if None in values:
        st.caption(":red[:material/error:] Enter numbers only.")
        return ()
    return tuple(value for value in values if value is not None)


def parsed(text: str, column: Column) -> Scalar | None:
    """A typed value as the column's kind; None when it is no number for a number column."""
    if column.kind != "number":
        return text
    try:
        return int(text) if text.lstrip("-").isdecimal() else float(text)
    except ValueError:
        return None


def offered(relation: Source, column: Column, present: Sequence[str]) -> list[str]:
    """The most frequent values of a column, and those that are chosen already."""
    frequent = cached.frequent_values(relation, column.name, OFFERED)
    return list(dict.fromkeys((*present, *(value for value, _ in frequent if 0 < len(value) <= LONGEST_OFFER))))
