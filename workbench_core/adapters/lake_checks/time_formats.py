"""Texts that are dates and times: Spark's patterns and its casts, told in the functions of each dialect."""

from __future__ import annotations

import re

from sqlglot import exp

from workbench_core.errors import Invalid

# What Spark casts to a timestamp: https://spark.apache.org/docs/latest/sql-ref-datetime-pattern.html and the cast rules
# of the ANSI reference. The day is checked against the calendar beside.
DAY = r"^\s*[+-]?([0-9]{4}-[0-9]{1,2}-[0-9]{1,2})"
WITHOUT_DAY = r"^\s*[+-]?[0-9]{4}(-(0?[1-9]|1[0-2]))?\s*$"
CLOCK = r"([01]?[0-9]|2[0-3])(:[0-5]?[0-9](:[0-5]?[0-9](\.[0-9]{0,9})?)?)?"
ZONE = r"\s*(Z|(UTC|GMT)?[+-][0-9]{1,2}(:?[0-9]{2}(:?[0-9]{2})?)?|[A-Za-z]+(/[A-Za-z_+-]+[0-9]*)*)?"
WHOLE = rf"{DAY}([T ]{CLOCK}{ZONE})?[T ]?\s*$"

# letters of a Spark pattern -> the sign of strptime, and what the text must look like
SIGNS = {
    "y": ("%Y", "[0-9]{4}"), "yy": ("%y", "[0-9]{2}"), "yyyy": ("%Y", "[0-9]{4}"),
    "M": ("%m", "[0-9]{1,2}"), "MM": ("%m", "[0-9]{2}"), "MMM": ("%b", "[A-Za-z]{3}"), "MMMM": ("%B", "[A-Za-z]{3,}"),
    "d": ("%d", "[0-9]{1,2}"), "dd": ("%d", "[0-9]{2}"),
    "E": ("%a", "[A-Za-z]{3}"), "EEE": ("%a", "[A-Za-z]{3}"), "EEEE": ("%A", "[A-Za-z]{3,}"),
    "H": ("%H", "[0-9]{1,2}"), "HH": ("%H", "[0-9]{2}"), "h": ("%I", "[0-9]{1,2}"), "hh": ("%I", "[0-9]{2}"),
    "m": ("%M", "[0-9]{1,2}"), "mm": ("%M", "[0-9]{2}"), "s": ("%S", "[0-9]{1,2}"), "ss": ("%S", "[0-9]{2}"),
    "a": ("%p", "[AaPp][Mm]"), "X": ("%z", "(Z|[+-][0-9]{2}([0-9]{2})?)"), "XX": ("%z", "(Z|[+-][0-9]{4})"),
    "XXX": ("%z", "(Z|[+-][0-9]{2}:[0-9]{2})"), "x": ("%z", "[+-][0-9]{2}([0-9]{2})?"), "xx": ("%z", "[+-][0-9]{4}"),
    "xxx": ("%z", "[+-][0-9]{2}:[0-9]{2}"), "Z": ("%z", "[+-][0-9]{4}"),
    **{"S" * digits: ("%f", f"[0-9]{{{digits}}}") for digits in range(1, 7)},
    **{"S" * digits: ("%n", f"[0-9]{{{digits}}}") for digits in range(7, 10)},
}  # fmt: skip
TOKEN = re.compile(r"''|'((?:[^']|'')+)'|([A-Za-z])\2*|[^A-Za-z'\[\]#{}]")


def is_no_time(text: exp.Expr, pattern: str | None, *, dialect: str) -> exp.Expr:
    """True when a text is neither a date nor a time: in the pattern of Spark, else in any form that Spark casts.

    Raises Invalid for a pattern that cannot be read.
    """
    sign, shape = strptime_of(pattern) if pattern is not None else ("", "")
    if dialect == "databricks":
        arguments = [text] if pattern is None else [text, exp.Literal.string(pattern)]
        return _is_null(exp.Anonymous(this="try_to_timestamp", expressions=arguments))
    if pattern is None:
        return exp.not_(exp.paren(exp.or_(_matches(text, WITHOUT_DAY), _is_real_day(text))))
    zoned = _with_numeric_zone(text) if "%z" in sign else text.copy()
    parsed = exp.Anonymous(this="try_strptime", expressions=[zoned, exp.Literal.string(sign)])
    return exp.not_(exp.paren(exp.and_(_matches(text, shape), exp.not_(_is_null(parsed)))))


def strptime_of(pattern: str) -> tuple[str, str]:
    """A Spark pattern as the pattern of strptime and as the regular expression that holds its widths."""
    signs, shapes, letters, at = [], [], set(), 0
    while at < len(pattern):
        token = TOKEN.match(pattern, at)
        known = SIGNS.get(token[0]) if token and token[2] else None
        if token is None or (token[2] and known is None):
            raise Invalid(
                f"The format “{pattern[:80]}” cannot be read at “{(token[0] if token else pattern[at:])[:20]}”.",
                hint="Write it like yyyy-MM-dd HH:mm:ss, with plain letters in single quotes.",
            )
        plain = "'" if token[0] == "''" else (token[1] or token[0]).replace("''", "'")
        signs.append(known[0] if known else plain.replace("%", "%%"))
        shapes.append(known[1] if known else re.escape(plain))
        letters.add(token[0][0] if known else "")
        at = token.end()
    if "m" in letters and not letters & {"H", "h"}:
        raise Invalid(f"In the format “{pattern[:80]}”, mm are minutes.", hint="Write MM for months.")
    if not letters - {""}:
        raise Invalid(f"The format “{pattern[:80]}” names no part of a date.", hint="Write it like yyyy-MM-dd.")
    return "".join(signs), f"^{''.join(shapes)}$"


def _is_real_day(text: exp.Expr) -> exp.Expr:
    day = exp.Anonymous(
        this="regexp_extract", expressions=[text.copy(), exp.Literal.string(DAY), exp.Literal.number(1)]
    )
    real = exp.not_(_is_null(exp.TryCast(this=day, to=exp.DataType.build("date"))))
    return exp.paren(exp.and_(_matches(text, WHOLE), real))


def _with_numeric_zone(text: exp.Expr) -> exp.Expr:
    """strptime knows no Z."""
    pattern, zone = exp.Literal.string("Z$"), exp.Literal.string("+00:00")
    return exp.Anonymous(this="regexp_replace", expressions=[text.copy(), pattern, zone])


def _matches(text: exp.Expr, pattern: str) -> exp.Expr:
    return exp.RegexpLike(this=text.copy(), expression=exp.Literal.string(pattern))


def _is_null(value: exp.Expr) -> exp.Expr:
    return exp.Is(this=value, expression=exp.Null())
