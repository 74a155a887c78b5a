"""What a prompt shows of a cell, computed by the engine: the text that the workbench itself makes of the value.

Engines write numbers, times and truth in their own ways, so each type is spelled out here. NULL stands for a value of
which it is not sure that the engine's text is the right one.
"""

from __future__ import annotations

from sqlglot import exp
from sqlglot.errors import SqlglotError

from workbench_core.adapters.lake_query.sources import as_text
from workbench_core.errors import Invalid
from workbench_core.ports import Column

_T = exp.DataType.Type
TEXTS = frozenset({_T.TEXT, _T.VARCHAR, _T.CHAR})
WHOLE = frozenset({_T.TINYINT, _T.SMALLINT, _T.INT, _T.BIGINT})
FLOATING = frozenset({_T.FLOAT, _T.DOUBLE})
ZONED = frozenset({_T.TIMESTAMPTZ, _T.TIMESTAMPLTZ})
UNZONED = frozenset({_T.TIMESTAMPNTZ, _T.TIMESTAMP})
TIMES = frozenset({_T.DATE, *UNZONED, *ZONED})
_DECIMALS = 12  # a fraction with more of them is left out
_DIGITS = "1E15"  # 15 digits name one DOUBLE only, and that DOUBLE has no shorter name
_POSITIONAL = "0.0001"  # smaller ones are written with an exponent
_EXACT = "9007199254740992"  # above 2^53 a DOUBLE does not hold every whole number
_SECONDS = "%Y-%m-%d %H:%M:%S.%f"


def cell_text(column: Column, value: exp.Expr, *, dialect: str) -> exp.Expr:
    """The text of a value, empty for a missing one, NULL when it is not sure. Raises Invalid for other types."""
    kind = _type(column, dialect)
    text = _time_text(kind, value, dialect) if kind.this in TIMES else _plain_text(kind, value)
    if text is None:
        raise Invalid(
            f"“{column.name[:200]}” is {column.data_type.lower()[:60]}, which SQL writes in its own way.",
            hint="The workbench renders these prompts itself.",
        )
    return text


def _plain_text(kind: exp.DataType, value: exp.Expr) -> exp.Expr | None:
    if kind.this in TEXTS or kind.this in WHOLE:
        return _or_empty(as_text(value))
    if kind.this is _T.BOOLEAN:
        return _case((value, "True"), (exp.Not(this=value.copy()), "False"), otherwise=exp.Literal.string(""))
    if kind.this is _T.DECIMAL:
        return _decimal(value, kind)
    return _floating(exp.cast(value, "double")) if kind.this in FLOATING else None


def _time_text(kind: exp.DataType, value: exp.Expr, dialect: str) -> exp.Expr:
    if kind.this is _T.DATE:
        return _calendar(value, as_text(value))
    if kind.this in UNZONED:
        return _calendar(value, _moment(value))
    utc = _utc(value, dialect)
    return _calendar(utc, exp.Concat(expressions=[_moment(utc), exp.Literal.string("+00:00")]))


def _type(column: Column, dialect: str) -> exp.DataType:
    try:
        found = exp.DataType.build(column.data_type, dialect=dialect)
    except SqlglotError:
        found = None
    return found if isinstance(found, exp.DataType) else exp.DataType.build("unknown")


def _or_empty(text: exp.Expr) -> exp.Expr:
    return exp.Coalesce(this=text, expressions=[exp.Literal.string("")])


def _case(*cases: tuple[exp.Expr, str | exp.Expr], otherwise: exp.Expr | None = None) -> exp.Case:
    """The value of the first case that holds; NULL without one."""
    ifs = [
        exp.If(this=condition, true=exp.Literal.string(value) if isinstance(value, str) else value)
        for condition, value in cases
    ]
    return exp.Case(ifs=ifs, default=otherwise)


def _is_missing(value: exp.Expr) -> exp.Expr:
    return exp.Is(this=value.copy(), expression=exp.Null())


def _at_least(value: exp.Expr, number: str) -> exp.Expr:
    return exp.GTE(this=exp.Abs(this=value.copy()), expression=exp.Literal.number(number))


def _decimal(value: exp.Expr, kind: exp.DataType) -> exp.Expr:
    """An exact number; Python writes tiny ones with an exponent."""
    scale = kind.expressions[1].name if len(kind.expressions) > 1 else "0"
    if int(scale) <= 6:
        return _or_empty(as_text(value))
    return _case((_is_missing(value), ""), (_at_least(value, "0.000001"), as_text(value.copy())))


def _floating(value: exp.Expr) -> exp.Expr:
    """The shortest text of a DOUBLE: the fewest decimals that name it, as long as these are at most 15 digits."""
    whole = exp.TryCast(this=value.copy(), to=exp.DataType.build("bigint"))
    is_whole = exp.and_(
        exp.LT(this=exp.Abs(this=value.copy()), expression=exp.Literal.number(_EXACT)),
        exp.EQ(this=value.copy(), expression=whole),
    )
    is_nothing = exp.or_(_is_missing(value), exp.IsNan(this=value.copy()))
    infinite = exp.cast(exp.Literal.string("Infinity"), "double")
    return _case(
        (is_nothing, ""),
        (exp.EQ(this=value.copy(), expression=infinite), "inf"),
        (exp.EQ(this=value.copy(), expression=exp.Neg(this=infinite.copy())), "-inf"),
        (is_whole, as_text(whole.copy())),
        *(_with_decimals(value, decimals) for decimals in range(1, _DECIMALS + 1)),
    )


def _with_decimals(value: exp.Expr, decimals: int) -> tuple[exp.Expr, exp.Expr]:
    """That so many decimals name the number and are not too many digits, and its text."""
    rounded = exp.TryCast(this=value.copy(), to=exp.DataType.build(f"decimal(38, {decimals})"))
    is_named = exp.EQ(this=exp.TryCast(this=rounded, to=exp.DataType.build("double")), expression=value.copy())
    digits = exp.Mul(this=exp.Abs(this=value.copy()), expression=exp.Literal.number(f"1E{decimals}"))
    is_short = exp.LT(this=digits, expression=exp.Literal.number(_DIGITS))
    return exp.and_(_at_least(value, _POSITIONAL), is_short, is_named), as_text(rounded.copy())


def _calendar(value: exp.Expr, text: exp.Expr) -> exp.Expr:
    """A day or time in the years that Python's calendar has."""
    year = exp.Year(this=value.copy())
    in_calendar = exp.Between(this=year, low=exp.Literal.number(1), high=exp.Literal.number(9999))
    return _case((_is_missing(value), ""), (in_calendar, text))


def _moment(value: exp.Expr) -> exp.Expr:
    """A time in ISO form; microseconds only when there are any."""
    text = exp.TimeToStr(this=value.copy(), format=exp.Literal.string(_SECONDS))
    return exp.RegexpReplace(
        this=text, expression=exp.Literal.string("[.]000000\\z"), replacement=exp.Literal.string("")
    )


def _utc(value: exp.Expr, dialect: str) -> exp.Expr:
    """The clock time in UTC of a moment, whatever the time zone of the session is."""
    if dialect == "duckdb":
        return exp.AtTimeZone(this=value, zone=exp.Literal.string("UTC"))
    seconds = exp.Div(
        this=exp.cast(exp.Anonymous(this="UNIX_MICROS", expressions=[value]), "decimal(20, 0)"),
        expression=exp.Literal.number(1_000_000),
    )
    nothing = [exp.Literal.number(0) for _ in range(3)]
    since = exp.Anonymous(this="MAKE_DT_INTERVAL", expressions=[*nothing, seconds])
    epoch = exp.cast(
        exp.Literal.string("1970-01-01 00:00:00"), exp.DataType.build("timestamp_ntz", dialect="databricks")
    )
    return exp.Add(this=epoch, expression=since)
