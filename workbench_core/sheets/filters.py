"""Filters built from conditions: to one boolean expression, and back from an expression of that form (SH-11)."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from enum import StrEnum
from typing import Literal, TypeAlias

from sqlglot import exp, parse_one
from sqlglot.errors import SqlglotError

from workbench_core.errors import Invalid

Scalar: TypeAlias = "str | int | float | bool | date | datetime"
Match: TypeAlias = Literal["all", "any"]


class Operator(StrEnum):
    """What a condition asks of a column, in the words of the builder."""

    IS = "is"
    IS_NOT = "is not"
    CONTAINS = "contains"
    STARTS_WITH = "starts with"
    ENDS_WITH = "ends with"
    GREATER = ">"
    AT_LEAST = ">="
    LESS = "<"
    AT_MOST = "<="
    BEFORE = "before"
    NOT_AFTER = "before or at"
    AFTER = "after"
    NOT_BEFORE = "after or at"
    BETWEEN = "between"
    ONE_OF = "is one of"
    EMPTY = "is empty"
    NOT_EMPTY = "is not empty"


_EMPTINESS = (Operator.EMPTY, Operator.NOT_EMPTY)
_NUMBERS = (Operator.GREATER, Operator.AT_LEAST, Operator.LESS, Operator.AT_MOST)
_TIMES = (Operator.BEFORE, Operator.NOT_AFTER, Operator.AFTER, Operator.NOT_BEFORE)
_TEXTS = (Operator.CONTAINS, Operator.STARTS_WITH, Operator.ENDS_WITH)
_EQUALITY = (Operator.IS, Operator.IS_NOT)
OPERATORS: Mapping[str, tuple[Operator, ...]] = {  # by kind of column
    "string": (*_EQUALITY, *_TEXTS, Operator.ONE_OF, *_EMPTINESS),
    "number": (*_EQUALITY, *_NUMBERS, Operator.BETWEEN, Operator.ONE_OF, *_EMPTINESS),
    "time": (*_EQUALITY, *_TIMES, Operator.BETWEEN, *_EMPTINESS),
    "boolean": (*_EQUALITY, *_EMPTINESS),
    "nested": _EMPTINESS,
    "binary": (),
}


@dataclass(frozen=True, slots=True)
class Condition:
    """What one column must be.

    `value` is a tuple of two for “between”, of one or more for “is one of”, and nothing for “is (not) empty”. A text is
    compared with texts, a number with numbers, a date or time with times. “contains” and its like ignore case; “is
    not” also holds where there is no value; a text of spaces only is empty.
    """

    column: str
    operator: Operator
    value: Scalar | tuple[Scalar, ...] = ()

    @property
    def values(self) -> tuple[Scalar, ...]:
        """All values of it."""
        return self.value if isinstance(self.value, tuple) else (self.value,)


@dataclass(frozen=True, slots=True)
class ConditionSet:
    """Conditions of which all or any must hold."""

    conditions: tuple[Condition, ...]
    match: Match = "all"


# --- to an expression ------------------------------------------------------------------------------------------------


def expression_of(conditions: Sequence[Condition], match: Match = "all", *, dialect: str = "duckdb") -> str:
    """The conditions as one filter; values are data, whatever they hold. Empty without conditions.

    Raises Invalid for a value that is missing or that the operator cannot take.
    """
    return _joined([_compiled(condition) for condition in conditions], match, dialect)


def _joined(parts: Sequence[exp.Expr], match: Match, dialect: str) -> str:
    if not parts:
        return ""
    whole = exp.and_(*parts) if match == "all" else exp.or_(*parts)
    return whole.sql(dialect=dialect)


def _compiled(condition: Condition) -> exp.Expr:
    column = exp.column(condition.column, quoted=True)
    operator, values = condition.operator, condition.values
    _check_number_of_values(condition)
    if operator in _EMPTINESS:
        text = exp.Trim(this=exp.Coalesce(this=exp.cast(column, "text"), expressions=[exp.Literal.string("")]))
        return (exp.EQ if operator is Operator.EMPTY else exp.NEQ)(this=text, expression=exp.Literal.string(""))
    literals = [_literal(value) for value in values]
    if operator is Operator.BETWEEN:
        return exp.Between(this=column, low=literals[0], high=literals[1])
    if operator is Operator.ONE_OF:
        return exp.In(this=column, expressions=literals)
    if operator in _TEXTS:
        if not isinstance(values[0], str):
            raise Invalid(f"“{operator}” needs a text for {condition.column}.", hint="Choose another condition.")
        return _FUNCTIONS[operator](this=exp.Lower(this=column), expression=exp.Lower(this=literals[0]))
    return _COMPARISONS[operator](this=column, expression=literals[0])


_FUNCTIONS: Mapping[Operator, type[exp.Func]] = {
    Operator.CONTAINS: exp.Contains,
    Operator.STARTS_WITH: exp.StartsWith,
    Operator.ENDS_WITH: exp.EndsWith,
}
_COMPARISONS: Mapping[Operator, type[exp.Expr]] = {
    Operator.IS: exp.EQ,
    Operator.IS_NOT: exp.NullSafeNEQ,
    Operator.GREATER: exp.GT,
    Operator.AT_LEAST: exp.GTE,
    Operator.LESS: exp.LT,
    Operator.AT_MOST: exp.LTE,
    Operator.BEFORE: exp.LT,
    Operator.NOT_AFTER: exp.LTE,
    Operator.AFTER: exp.GT,
    Operator.NOT_BEFORE: exp.GTE,
}


def _check_number_of_values(condition: Condition) -> None:
    given, operator = len(condition.values), condition.operator
    if operator in _EMPTINESS:
        is_right, words = given == 0, "no value"
    elif operator is Operator.BETWEEN:
        is_right, words = given == 2, "two values"
    elif operator is Operator.ONE_OF:
        is_right, words = given >= 1, "at least one value"
    else:
        is_right, words = given == 1 and not isinstance(condition.value, tuple), "one value"
    if not is_right:
        raise Invalid(f"“{condition.column} {operator}” needs {words}.", hint="Complete the condition or remove it.")


def _literal(value: Scalar) -> exp.Expr:
    if isinstance(value, bool):
        return exp.Boolean(this=value)
    if isinstance(value, datetime):
        if value.tzinfo is not None:  # columns with a zone hold UTC, and so do those without one
            value = value.astimezone(UTC).replace(tzinfo=None)
        return exp.cast(exp.Literal.string(value.isoformat(sep=" ")), "timestamp")
    if isinstance(value, date):
        return exp.cast(exp.Literal.string(value.isoformat()), "date")
    if isinstance(value, str):
        return exp.Literal.string(value)
    if not math.isfinite(value):
        raise Invalid(f"{value} is no number to compare with.", hint="Enter a number.")
    number = exp.Literal.number(repr(abs(value)))
    return exp.Neg(this=number) if value < 0 else number


# --- back from an expression -----------------------------------------------------------------------------------------


def conditions_of(expression: str, *, dialect: str = "duckdb") -> ConditionSet | None:
    """The conditions that an expression is made of, or None when the builder could not have written it.

    What is given means exactly the same: it compiles to the same expression.
    """
    if not expression.strip():
        return ConditionSet(())
    try:
        tree = parse_one(expression, read=dialect)
        match: Match = "any" if isinstance(tree, exp.Or) else "all"
        parts = list(tree.flatten()) if isinstance(tree, exp.And | exp.Or) else [tree]
        found = [_decompiled(part.unnest()) for part in parts]
        conditions = [one for one in found if one is not None]
        if len(conditions) < len(found):
            return None
        again = parse_one(expression_of(conditions, match, dialect=dialect), read=dialect)
        plain = parse_one(_joined([part.unnest() for part in parts], match, dialect), read=dialect)
    except (SqlglotError, RecursionError, Invalid):
        return None
    return ConditionSet(tuple(conditions), match) if _all_quoted(again) == _all_quoted(plain) else None


def _decompiled(part: exp.Expr) -> Condition | None:
    if isinstance(part, exp.Between):
        return _condition(part.this, Operator.BETWEEN, (part.args["low"], part.args["high"]))
    if isinstance(part, exp.In) and part.expressions:
        return _condition(part.this, Operator.ONE_OF, tuple(part.expressions))
    if isinstance(part, exp.EQ | exp.NEQ) and (column := _column_of_emptiness(part)) is not None:
        return Condition(column, Operator.EMPTY if isinstance(part, exp.EQ) else Operator.NOT_EMPTY)
    for operator, function in _FUNCTIONS.items():
        if isinstance(part, function):
            inside = part.this, part.expression
            is_ours = all(isinstance(one, exp.Lower) for one in inside)
            return _condition(part.this.this, operator, part.expression.this) if is_ours else None
    return _comparison(part)


def _comparison(part: exp.Expr) -> Condition | None:
    for operator, kind in _COMPARISONS.items():
        if type(part) is kind:
            found = _condition(part.this, operator, part.expression)
            if found is None:
                return None
            is_time = isinstance(found.value, date)  # a datetime is one too
            if (operator in _NUMBERS and is_time) or (operator in _TIMES and not is_time):
                continue  # the same sign has another name for times
            return found
    return None


def _condition(column: exp.Expr, operator: Operator, value: exp.Expr | tuple[exp.Expr, ...]) -> Condition | None:
    if not isinstance(column, exp.Column) or column.table:
        return None
    if isinstance(value, tuple):
        values = [_value(one) for one in value]
        known = tuple(one for one in values if one is not None)
        return Condition(column.name, operator, known) if len(known) == len(values) else None
    single = _value(value)
    return None if single is None else Condition(column.name, operator, single)


def _value(node: exp.Expr) -> Scalar | None:
    if isinstance(node, exp.Boolean):
        return bool(node.this)
    if isinstance(node, exp.Neg) and isinstance(node.this, exp.Literal) and not node.this.is_string:
        return -_number(node.this.name)
    if isinstance(node, exp.Literal):
        return node.name if node.is_string else _number(node.name)
    if isinstance(node, exp.Cast) and isinstance(node.this, exp.Literal) and node.this.is_string:
        read = _READERS.get(node.to.this)
        try:
            return read(node.this.name) if read else None
        except ValueError:
            return None
    return None


_READERS: Mapping[object, Callable[[str], Scalar]] = {
    exp.DataType.Type.TIMESTAMP: datetime.fromisoformat,
    exp.DataType.Type.TIMESTAMPNTZ: datetime.fromisoformat,
    exp.DataType.Type.DATE: date.fromisoformat,
}


def _number(text: str) -> int | float:
    return int(text) if text.isdecimal() else float(text)


def _column_of_emptiness(part: exp.EQ | exp.NEQ) -> str | None:
    """The column of `TRIM(COALESCE(CAST(column AS TEXT), '')) = ''`."""
    trimmed = part.this
    if not isinstance(trimmed, exp.Trim) or not isinstance(trimmed.this, exp.Coalesce):
        return None
    cast = trimmed.this.this
    return cast.this.name if isinstance(cast, exp.Cast) and isinstance(cast.this, exp.Column) else None


def _all_quoted(tree: exp.Expr) -> exp.Expr:
    """The expression with every name quoted, so that two ways of writing one name are equal."""
    for identifier in tree.find_all(exp.Identifier):
        identifier.set("quoted", True)
    return tree
