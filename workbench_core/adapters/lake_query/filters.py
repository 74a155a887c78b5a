"""A typed filter: one boolean expression over known columns, or refused with a sentence."""

from __future__ import annotations

import re
from collections.abc import Sequence

import sqlglot
from sqlglot import TokenType, exp
from sqlglot.errors import ParseError, SqlglotError, TokenError

from workbench_core.adapters.lake_query.names import find_column
from workbench_core.errors import Invalid
from workbench_core.ports import Column

SIMPLE_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
FILTER_LIMIT = 20_000

COMPARISONS = (exp.EQ, exp.NEQ, exp.GT, exp.GTE, exp.LT, exp.LTE, exp.NullSafeEQ, exp.NullSafeNEQ, exp.Is, exp.In,
               exp.Between, exp.Like, exp.ILike, exp.Escape, exp.RegexpLike)  # fmt: skip
CONNECTORS = (exp.And, exp.Or, exp.Not, exp.Paren, exp.Case, exp.If)
ARITHMETIC = (exp.Add, exp.Sub, exp.Mul, exp.Div, exp.IntDiv, exp.Mod, exp.Neg, exp.DPipe)
ATOMS = (exp.Column, exp.Identifier, exp.Literal, exp.Null, exp.Boolean, exp.Var, exp.DataType, exp.DataTypeParam,
         exp.Interval)  # fmt: skip
FUNCTIONS = (exp.Lower, exp.Upper, exp.Trim, exp.Length, exp.Substring, exp.Left, exp.Right, exp.Replace, exp.Concat,
             exp.Contains, exp.StartsWith, exp.EndsWith, exp.Coalesce, exp.Nullif, exp.Greatest, exp.Least, exp.Abs,
             exp.Round, exp.Floor, exp.Ceil, exp.IsNan, exp.ArrayContains, exp.Cast, exp.TryCast, exp.Year, exp.Month,
             exp.Day, exp.Hour, exp.Extract, exp.TimestampTrunc, exp.DateTrunc, exp.DateDiff, exp.CurrentDate,
             exp.CurrentTimestamp, exp.TsOrDsToDate)  # fmt: skip
ALLOWED = frozenset((*COMPARISONS, *CONNECTORS, *ARITHMETIC, *ATOMS, *FUNCTIONS))
ALLOWED_BY_NAME = frozenset(("now", "date_part"))  # functions that sqlglot has no class for
FUNCTION_HINT = (
    "You can use lower, upper, trim, length, substring, left, right, replace, concat, contains, starts_with, "
    "ends_with, coalesce, nullif, greatest, least, abs, round, floor, ceil, cast, year, month, day, hour, "
    "date_trunc, date_diff and now."
)


def parse_filter(expression: str, columns: Sequence[Column], *, dialect: str) -> exp.Expr:
    """One boolean expression over known columns, with their exact names. Raises Invalid with the parser's message."""
    _check_tokens(expression, dialect)
    tree = _parse(expression, dialect)
    for node in tree.walk():
        if type(node) not in ALLOWED and not _is_allowed_by_name(node):
            raise _refusal(node, dialect)
    for reference in tree.find_all(exp.Column):
        _resolve(reference, columns, dialect)
    return tree


def is_lasting(expression: str, columns: Sequence[Column], *, dialect: str) -> bool:
    """Whether a filter keeps the same rows tomorrow: it does not ask for the present time."""
    tree = parse_filter(expression, columns, dialect=dialect)
    present = (exp.CurrentDate, exp.CurrentTimestamp)
    return not any(isinstance(node, present) or (isinstance(node, exp.Anonymous) and node.name.lower() == "now")
                   for node in tree.walk())  # fmt: skip


def _check_tokens(expression: str, dialect: str) -> None:
    if len(expression) > FILTER_LIMIT:
        raise Invalid(f"The filter is longer than {FILTER_LIMIT:,} characters.", hint="Shorten the condition.")
    if "\x00" in expression:
        raise Invalid("The filter contains an unprintable character.", hint="Type the filter again.")
    try:
        tokens = sqlglot.tokenize(expression, read=dialect)
    except SqlglotError as error:
        raise _unreadable(error) from error
    if any(token.comments for token in tokens):
        raise Invalid("The filter contains a comment.", hint="Leave out -- and /* */.")
    if any(token.token_type == TokenType.SEMICOLON for token in tokens):
        raise Invalid("The filter is more than one statement.", hint="Write one condition without “;”.")


def _parse(expression: str, dialect: str) -> exp.Expr:
    try:
        tree = sqlglot.parse_one(expression, read=dialect)
        tree.sql(dialect=dialect)  # meets the same depth that running the query will meet
        return tree
    except SqlglotError as error:
        raise _unreadable(error) from error
    except RecursionError as error:
        raise Invalid("The filter is nested too deeply.", hint="Use fewer brackets.") from error


def _unreadable(error: SqlglotError) -> Invalid:
    detail = "The filter cannot be read."
    if isinstance(error, TokenError):
        detail = "The filter cannot be read: a quote or comment is not closed."
    if isinstance(error, ParseError) and error.errors:
        detail = _where(error)
    return Invalid(
        detail,
        hint="Write a condition such as price > 10 AND status = 'open'. Texts go in single quotes.",
    )


def _where(error: ParseError) -> str:
    """Where a filter stops making sense, as a sentence without the words of the parser."""
    first = error.errors[0]
    place, text = f"at character {first['col']}", str(first["highlight"])[:80]
    what, rest = str(first["description"]), str(first["end_context"]).strip()
    if what.startswith("Expecting )"):
        return f"A bracket of the filter is not closed, {place} after “{text}”."
    if "'this' missing" in what and text.upper() != "NOT":
        return f"The filter lacks the left side of a comparison, {place} near “{text}”."
    if what.startswith("Required keyword"):
        return f"Something is missing after “{text}”, {place}." if rest else (
            f"The filter ends too early: something is missing after “{text}”."
        )  # fmt: skip
    return f"The filter makes no sense from “{text}” on, {place}."


def _is_allowed_by_name(node: exp.Expr) -> bool:
    return isinstance(node, exp.Anonymous) and node.name.lower() in ALLOWED_BY_NAME


def _refusal(node: exp.Expr, dialect: str) -> Invalid:
    if isinstance(node, exp.Query | exp.Exists | exp.DDL | exp.Command):
        return Invalid("The filter contains a query or command.", hint="Write a condition on the columns only.")
    if isinstance(node, exp.Placeholder | exp.Parameter):
        return Invalid("The filter contains a parameter such as ?, $1 or :name.", hint="Write the value itself.")
    if isinstance(node, exp.Func):
        name = node.name if node.key == "anonymous" else node.sql_name()
        return Invalid(f"The function {name.lower()[:80]} cannot be used in a filter.", hint=FUNCTION_HINT)
    return Invalid(
        f"“{node.sql(dialect=dialect)[:80]}” cannot be used in a filter.",
        hint="Compare columns with values, and join conditions with AND, OR and NOT.",
    )


def _resolve(reference: exp.Column, columns: Sequence[Column], dialect: str) -> None:
    if reference.table:
        raise Invalid(
            f"“{reference.sql(dialect=dialect)[:80]}” is not a column.",
            hint='Write the column alone; put a name that contains a dot in double quotes ("a.b").',
        )
    identifier = reference.this
    try:
        name = find_column(reference.name, columns).name
    except Invalid as error:
        if identifier.quoted:  # the usual slip: a text in double quotes
            raise Invalid(error.message, hint=f"{error.hint} A text goes in single quotes.") from error
        raise
    quoted = identifier.quoted or not SIMPLE_NAME.fullmatch(name)
    reference.set("this", exp.to_identifier(name, quoted=quoted))
