"""SQL inside rules: DQX runs on Spark, where "x" is a text and `x` a column; in the lake "x" is a column."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

from workbench_core.data_quality.check_functions import ArgumentKind, CheckFunction
from workbench_core.ports import Json

_SIMPLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_TYPED = re.compile(r"(?:DATE|TIMESTAMP)\s*'[^']*'", re.IGNORECASE)
_TEXT = re.compile(r"'((?:[^'\\]|\\.|'')*)'", re.DOTALL)
_QUOTED = re.compile(r"'(?:[^']|'')*'|\"(?:[^\"]|\"\")*\"|`(?:[^`]|``)*`")


def length_expression(column: str, arguments: Mapping[str, Json]) -> str:
    """`length(x) >= 2 AND length(x) <= 40`, with NULL for no value, which both engines let pass."""
    name = reference_to(column)
    bounds = (("min_length", ">="), ("max_length", "<="))
    parts = [f"length({name}) {sign} {int(str(arguments[key]))}" for key, sign in bounds if key in arguments]
    return " AND ".join(parts)


def reference_to(column: str) -> str:
    """A column as Spark reads it in an expression."""
    return column if _SIMPLE.fullmatch(column) else f"`{column.replace('`', '``')}`"


def name_of(reference: str) -> str:
    """The name of a column that may be written with backticks."""
    is_quoted = len(reference) > 2 and reference[0] == reference[-1] == "`"
    return reference[1:-1].replace("``", "`") if is_quoted else reference


def converted(
    function: CheckFunction,
    arguments: Mapping[str, Json],
    *,
    sql: Callable[[str], str],
    text: Callable[[str], str],
) -> dict[str, Json]:
    """The given arguments, with those that are SQL, and the texts in lists of values, converted."""
    is_sql = {one.name for one in function.arguments if one.kind in (ArgumentKind.EXPRESSION, ArgumentKind.LIMIT)}
    lists = {one.name for one in function.arguments if one.kind is ArgumentKind.VALUES}
    made: dict[str, Json] = {}
    for name, value in arguments.items():
        if name in is_sql and isinstance(value, str):
            made[name] = sql(value)
        elif name in lists and isinstance(value, list):
            made[name] = [text(entry) if isinstance(entry, str) else entry for entry in value]
        elif value is not None:
            made[name] = value
    return made


def in_quotes(text: str) -> str:
    """A text in a list of values as DQX takes it since release 0.17: a bare one would be a column."""
    if _TYPED.fullmatch(text):
        return text
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


def without_quotes(text: str) -> str:
    """The text of such a value; one without quotes, as earlier versions have it, stays as it is."""
    found = _TEXT.fullmatch(text)
    return re.sub(r"\\(.)|''", lambda part: part[1] or "'", found[1], flags=re.DOTALL) if found else text


def as_it_is(sql: str) -> str:
    """The SQL or text unchanged."""
    return sql


def with_backticks(sql: str) -> str:
    """SQL as Spark reads it: there "x" is a text and `x` a column."""
    return _requoted(sql, '"', "`")


def with_double_quotes(sql: str) -> str:
    """SQL as the lake reads it: "x" is a column."""
    return _requoted(sql, "`", '"')


def _requoted(sql: str, old: str, new: str) -> str:
    return _QUOTED.sub(
        lambda found: (
            new + found[0][1:-1].replace(old * 2, old).replace(new, new * 2) + new
            if found[0].startswith(old)
            else found[0]
        ),
        sql,
    )
