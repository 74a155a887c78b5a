"""The arguments of a check, read into literals and known columns; what is wrong with one is said in a sentence."""

from __future__ import annotations

import difflib
import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import TypeAlias

from sqlglot import exp

from workbench_core.adapters.lake_query import find_column
from workbench_core.errors import Invalid, NotFound
from workbench_core.ports import Column, Json, RowCheck

Tables: TypeAlias = Callable[[str], tuple[exp.Expr, Sequence[Column]]]
"""What stands in FROM for another table, and its columns. Raises NotFound, Invalid."""

ROWS = "rows"
MOST_VALUES = 10_000
MOST_DIGITS = 38  # of a number that is compared exactly
PLAIN_TEXT = ("VARCHAR", "TEXT", "STRING")
ISO = re.compile(r"\d{4}-\d\d-\d\d([T ]\d\d:\d\d(:\d\d(\.\d{1,6})?)?\s?(Z|[+-]\d\d:\d\d)?)?")
TYPED = re.compile(r"(?:DATE|TIMESTAMP)\s*'([^']*)'", re.IGNORECASE)
QUOTED = re.compile(r"'((?:[^']|'')*)'", re.DOTALL)
NUMERIC = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?")
KIND_NAMES = {"string": "text", "time": "date or time", "number": "number", "boolean": "true-or-false"}


@dataclass(frozen=True, slots=True)
class Scope:
    """What a check can refer to: the columns of a row, other tables, and the moment that counts as now."""

    columns: Sequence[Column]
    tables: Tables
    dialect: str
    now: datetime


@dataclass(frozen=True, slots=True)
class Terms:
    """The arguments of one check and what they can refer to. Every reader raises Invalid with a sentence."""

    check: RowCheck
    scope: Scope

    @property
    def _arguments(self) -> Mapping[str, Json]:
        return self.check.arguments

    def given(self, name: str) -> bool:
        """Whether the argument is there."""
        return self._arguments.get(name) is not None

    def column(self, *kinds: str, name: str = "column") -> Column:
        """A known column, of one of these kinds when any are named."""
        column = known_column(self._arguments.get(name), self.scope.columns, argument=name)
        if kinds and column.kind not in kinds:
            wanted = " or ".join(KIND_NAMES[kind] for kind in kinds)
            raise Invalid(
                f"{self.check.function} needs a {wanted} column, and “{column.name}” is {column.data_type}.",
                hint="Choose another column or another check.",
            )
        return column

    def columns(self, name: str = "columns") -> list[Column]:
        """One or more known columns."""
        return [known_column(entry, self.scope.columns, argument=name) for entry in self.values(name)]

    def values(self, name: str) -> list[Json]:
        """A list that is not empty."""
        found = self._arguments.get(name)
        if not isinstance(found, list) or not found:
            raise self._unfit(name, "a list with at least one entry")
        if len(found) > MOST_VALUES:
            raise Invalid(
                f"“{name}” of {self.check.function} has {len(found):,} entries, more than {MOST_VALUES:,}.",
                hint="Put them into a table and use foreign_key.",
            )
        return found

    def flag(self, name: str, *, default: bool = False) -> bool:
        """True or false."""
        found = self._arguments.get(name)
        if found is None:
            return default
        if not isinstance(found, bool):
            raise self._unfit(name, "true or false")
        return found

    def text(self, name: str) -> str:
        """A text, which may be empty."""
        found = self._arguments.get(name)
        if not isinstance(found, str):
            raise self._unfit(name, "a text")
        return found

    def whole(self, name: str, *, default: int = 0) -> int:
        """A whole number."""
        found = self._arguments.get(name, default)
        if isinstance(found, bool) or not isinstance(found, int | float) or found != found // 1 or abs(found) > 1e9:
            raise self._unfit(name, "a whole number")
        return int(found)

    def limit(self, name: str, column: Column) -> exp.Expr:
        """What a value of the column is compared with: a number or time, or another column by name."""
        value = self._arguments.get(name)
        try:
            found = literal_for(column, value) if column.kind in ("number", "time") else None
        except Invalid:
            raise self._unfit(name, "within the calendar") from None
        if found is not None:
            return found
        wanted = f"a {KIND_NAMES.get(column.kind, column.kind)} like “{column.name}”, or the name of a column"
        if not isinstance(value, str) or _is_literal(value):
            raise self._unfit(name, wanted)
        other = known_column(value, self.scope.columns, argument=name)
        if other.kind != column.kind:
            raise self._unfit(name, f"{wanted}; “{other.name}” is {other.data_type}")
        return reference(other)

    def _unfit(self, name: str, wanted: str) -> Invalid:
        value = repr(self._arguments.get(name))
        shown = f"{value[:60]}..." if len(value) > 60 else value
        return Invalid(f"“{name}” of {self.check.function} must be {wanted}; it is {shown}.")


def known_column(name: Json, columns: Sequence[Column], *, argument: str) -> Column:
    """The column that an argument names. Raises Invalid, also for an expression."""
    if not isinstance(name, str) or not name:
        raise Invalid(f"“{argument}” must be the name of a column.", hint="Choose one of the columns.")
    try:
        return find_column(name, columns)
    except Invalid as error:
        if re.search(r"[()\[\]+*/<>=.' ]", name):
            raise Invalid(
                f"“{name[:80]}” is not a column, and “{argument}” takes the name of one, not an expression.",
                hint="Use sql_expression for a condition on several columns.",
            ) from error
        raise


def reference(column: Column, *, table: str = ROWS) -> exp.Expr:
    """The value of a column; what no data frame has a type for (UUID, time of day) as its text."""
    value = exp.column(column.name, table=table, quoted=True)
    if column.kind == "string" and column.data_type.upper() not in PLAIN_TEXT:
        return exp.Cast(this=value, to=exp.DataType.build("text"))
    return value


def literal_for(column: Column, value: Json) -> exp.Expr | None:
    """A value of a rule as a literal to compare the column with; None when it does not fit the column.

    Texts are read as DQX reads them: '5' in quotes is the text itself, a bare number or ISO time is one.
    """
    if column.kind == "boolean":
        return exp.Boolean(this=value) if isinstance(value, bool) else None
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return None
    quoted = QUOTED.fullmatch(value) if isinstance(value, str) else None
    plain = quoted[1].replace("''", "'") if quoted else value
    if column.kind == "string":
        return exp.Literal.string(str(plain))
    if column.kind == "number":
        return _number(plain)
    return _time(plain, column) if column.kind == "time" and isinstance(plain, str) else None


def _number(value: str | int | float) -> exp.Expr | None:
    if isinstance(value, float) and not math.isfinite(value):
        return None
    text = value.strip() if isinstance(value, str) else repr(value)
    if not NUMERIC.fullmatch(text) or len(text) > 400:
        return None
    if sum(map(str.isdigit, text)) > MOST_DIGITS:  # no exact type of an engine holds it
        if not math.isfinite(float(text)):
            return None
        text = repr(float(text))
    number = exp.Literal.number(text.lstrip("+-"))
    return exp.Neg(this=number) if text.startswith("-") else number


def _time(text: str, column: Column) -> exp.Expr | None:
    """A time in UTC, in the type that compares with the column without loss."""
    typed = TYPED.fullmatch(text.strip())
    text = (typed[1] if typed else text).strip()
    if not ISO.fullmatch(text):
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise Invalid(f"“{text}” is not in the calendar.") from error
    if len(text) == len("2026-01-31") and column.data_type.upper() == "DATE":
        return exp.cast(exp.Literal.string(text), "date")
    return time_literal(moment, column)


def time_literal(moment: datetime, column: Column) -> exp.Expr:
    """A moment, taken as UTC without a zone, in the type that a time column compares with."""
    utc = moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
    is_zoned = "ZONE" in column.data_type.upper() or column.data_type.upper() == "TIMESTAMPTZ"
    text = utc.isoformat(sep=" ") if is_zoned else utc.replace(tzinfo=None).isoformat(sep=" ")
    return exp.cast(exp.Literal.string(text), "timestamptz" if is_zoned else "timestamp")


def day_literal(day: date) -> exp.Expr:
    """A day of the calendar."""
    return exp.cast(exp.Literal.string(day.isoformat()), "date")


def reference_table(terms: Terms) -> tuple[exp.Expr, Sequence[Column]]:
    """The table that `ref_table` names. Raises Invalid when there is none."""
    name = terms.text("ref_table")
    try:
        return terms.scope.tables(name)
    except (NotFound, Invalid) as error:
        raise Invalid(f"The reference table cannot be read: {error.message}", hint=error.hint) from error


def closest(name: str, known: Sequence[str]) -> str:
    """Advice for a mistyped name."""
    close = difflib.get_close_matches(name, known, n=1, cutoff=0.4)
    return f"Did you mean “{close[0]}”?" if close else f"There are: {', '.join(known)}."


def _is_literal(value: str) -> bool:
    text = value.strip()
    return bool(QUOTED.fullmatch(text) or NUMERIC.fullmatch(text) or ISO.fullmatch(text) or TYPED.fullmatch(text))
