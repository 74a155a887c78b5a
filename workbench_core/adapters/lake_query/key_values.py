"""When two values of different types count as equal: what a join compares (JN-1, JN-2)."""

from __future__ import annotations

from sqlglot import exp

from workbench_core.adapters.lake_query.sources import as_text
from workbench_core.errors import Invalid
from workbench_core.ports import Column

KINDS = {"string": "text", "number": "a number", "boolean": "true or false", "time": "a time"}
TEXT_TYPES = ("VARCHAR", "TEXT", "STRING")
WHOLE_TYPES = ("TINYINT", "SMALLINT", "INTEGER", "INT", "BIGINT", "HUGEINT", "LONG", "SHORT", "BYTE")
FLOATING_TYPES = ("DOUBLE", "FLOAT", "REAL")
LARGEST_EXACT = 10**15  # below this every whole DOUBLE prints as an integer


def comparable(
    left: Column, left_value: exp.Expr, right: Column, right_value: exp.Expr, *, by_text: bool = False
) -> tuple[exp.Expr, exp.Expr]:
    """Two expressions that are equal when the values mean the same. Raises Invalid for types that never do.

    Numbers meet numbers and times meet times by value. A text meets a number by the number's shortest text (7 and
    “7.0” are the same, 7 and “007” are not), a time by the time that it names, and true and false in any case.
    `by_text` gives the text of the compared value.
    """
    sides = ((left, left_value), (right, right_value))
    kinds = {left.kind, right.kind}
    _check_kinds(left, right)
    if "time" in kinds:
        common = _time_type(left, right)
        return _both(*(_as_time(column, value, common) for column, value in sides), by_text=by_text)
    if kinds == {"number"} and not by_text:
        return _exact(left, left_value, right, right_value)
    if "number" in kinds:
        return _both(*(_number_text(column, value) for column, value in sides))
    if kinds == {"boolean"}:
        return _both(left_value, right_value, by_text=by_text)
    if "boolean" in kinds:
        return _both(*(exp.Lower(this=as_text(value)) for _, value in sides))
    return _both(*(value if column.data_type.upper() in TEXT_TYPES else as_text(value) for column, value in sides))


def _both(left: exp.Expr, right: exp.Expr, *, by_text: bool = False) -> tuple[exp.Expr, exp.Expr]:
    return (as_text(left), as_text(right)) if by_text else (left, right)


def _check_kinds(left: Column, right: Column) -> None:
    for column in (left, right):
        if column.kind not in KINDS:
            raise Invalid(
                f"“{column.name}” holds {column.data_type.lower()[:60]} values, which cannot be a key.",
                hint="Choose a column with texts, numbers, times or true and false.",
            )
    if left.kind != right.kind and "string" not in (left.kind, right.kind):
        raise Invalid(
            f"“{left.name}” is {KINDS[left.kind]} and “{right.name}” is {KINDS[right.kind]}; they never match.",
            hint="Choose two columns of the same kind. A text column fits every kind.",
        )


def _time_type(left: Column, right: Column) -> str:
    has_zone = any("ZONE" in column.data_type.upper() or "TZ" in column.data_type.upper() for column in (left, right))
    return "timestamptz" if has_zone else "timestamp"


def _as_time(column: Column, value: exp.Expr, common: str) -> exp.Expr:
    to = exp.DataType.build(common)
    return exp.TryCast(this=value, to=to) if column.kind == "string" else exp.Cast(this=value, to=to)


def _number_text(column: Column, value: exp.Expr) -> exp.Expr:
    """The shortest text of a number, and the same of a text that is a decimal number: 7, 7.0 and “7.00” are “7”."""
    if _is_whole(column):
        return as_text(value)
    text = as_text(value)
    if column.kind == "number" and not column.data_type.upper().startswith("DECIMAL"):
        is_whole = exp.and_(
            exp.EQ(this=value.copy(), expression=exp.Floor(this=value.copy())),
            exp.LT(this=exp.Abs(this=value.copy()), expression=exp.Literal.number(LARGEST_EXACT)),
        )
        whole = as_text(exp.TryCast(this=value.copy(), to=exp.DataType.build("bigint")))
        return exp.Case(ifs=[exp.If(this=is_whole, true=whole)], default=text)
    is_decimal = exp.RegexpLike(this=text, expression=exp.Literal.string("^-?[0-9]*[.][0-9]+$"))
    shortest = exp.RegexpReplace(
        this=with_leading_zero(text), expression=exp.Literal.string("[.]?0+$"), replacement=exp.Literal.string("")
    )
    return exp.Case(ifs=[exp.If(this=is_decimal, true=shortest)], default=text.copy())


def with_leading_zero(text: exp.Expr) -> exp.Expr:
    """The text of a decimal number with a digit before the point: .5 is “0.5”, as most write it."""

    def begins(start: str, by: exp.Expr) -> exp.If:
        return exp.If(this=exp.Like(this=text.copy(), expression=exp.Literal.string(f"{start}%")), true=by)

    behind = exp.Substring(this=text.copy(), start=exp.Literal.number(2))
    positive = begins(".", exp.DPipe(this=exp.Literal.string("0"), expression=text.copy()))
    negative = begins("-.", exp.DPipe(this=exp.Literal.string("-0"), expression=behind))
    return exp.Case(ifs=[positive, negative], default=text.copy())


def _exact(left: Column, left_value: exp.Expr, right: Column, right_value: exp.Expr) -> tuple[exp.Expr, exp.Expr]:
    """Two numbers; a whole number meets a floating one as a whole number, because 2^53 + 1 is 2^53 as a DOUBLE."""
    if _is_whole(left) and _is_floating(right):
        return left_value, _whole_or_null(right_value, left.data_type)
    if _is_whole(right) and _is_floating(left):
        return _whole_or_null(left_value, right.data_type), right_value
    return left_value, right_value


def _whole_or_null(value: exp.Expr, data_type: str) -> exp.Expr:
    is_whole = exp.EQ(this=value, expression=exp.Floor(this=value.copy()))
    whole = exp.TryCast(this=value.copy(), to=exp.DataType.build(data_type, dialect="duckdb"))
    return exp.Case(ifs=[exp.If(this=is_whole, true=whole)])


def _is_whole(column: Column) -> bool:
    return column.data_type.upper().removeprefix("U") in WHOLE_TYPES


def _is_floating(column: Column) -> bool:
    return column.data_type.upper() in FLOATING_TYPES
