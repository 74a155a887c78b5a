"""The check functions: each gives the condition on which a row fails, in the verdicts of DQX.

A null passes unless the name of the function says otherwise.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta

from sqlglot import exp

from workbench_core.adapters.lake_checks.terms import (
    ROWS,
    Terms,
    day_literal,
    known_column,
    literal_for,
    reference,
    reference_table,
    time_literal,
)
from workbench_core.adapters.lake_checks.time_formats import is_no_time
from workbench_core.adapters.lake_query import parse_filter
from workbench_core.errors import Invalid
from workbench_core.ports import Column

JSON_TEXT = r'"([^"\\]|\\.)*"'
LAX_JSON = r"(?i)nan|inf|,\s*[]}]"
LOOKUP = "lookup"
FOUND = exp.column("found", table=LOOKUP, quoted=True)


@dataclass(frozen=True, slots=True)
class Lookup:
    """Distinct keys that rows are joined with. `query` gives key_0, key_1, ... and found; `reads_rows` from ROWS."""

    query: exp.Select
    on: exp.Expr
    reads_rows: bool


@dataclass(frozen=True, slots=True)
class Condition:
    """`fails` is true for a row that fails; `shown` are the columns whose values say why."""

    fails: exp.Expr
    shown: tuple[Column, ...]
    lookup: Lookup | None = None


@dataclass(frozen=True, slots=True)
class Function:
    """How a check function is compiled, and which arguments it takes."""

    build: Callable[[Terms], Condition]
    required: tuple[str, ...] = ("column",)
    optional: tuple[str, ...] = ()


# --- presence --------------------------------------------------------------------------------------------------------


def is_not_null(terms: Terms) -> Condition:
    """A row without a value fails."""
    column = terms.column()
    return Condition(_is_null(reference(column)), (column,))


def is_not_empty(terms: Terms) -> Condition:
    """An empty text fails; no value passes."""
    column = terms.column()
    return Condition(_is_empty(column, trimmed=terms.flag("trim_strings")), (column,))


def is_not_null_and_not_empty(terms: Terms) -> Condition:
    """No value and an empty text fail."""
    column = terms.column()
    empty = _is_empty(column, trimmed=terms.flag("trim_strings"))
    return Condition(exp.or_(_is_null(reference(column)), empty), (column,))


def _is_empty(column: Column, *, trimmed: bool) -> exp.Expr:
    if column.kind != "string":
        return exp.false()  # no number or time is an empty text
    text = reference(column)
    return exp.EQ(this=_trim(text) if trimmed else text, expression=exp.Literal.string(""))


def _trim(text: exp.Expr) -> exp.Expr:
    return exp.Trim(this=text, expression=exp.Literal.string(" "))


# --- lists and limits ------------------------------------------------------------------------------------------------


def is_in_list(terms: Terms) -> Condition:
    """A value that is not listed fails."""
    column = terms.column("string", "number", "boolean", "time")
    return Condition(_is_outside(terms, column), (column,))


def is_not_null_and_is_in_list(terms: Terms) -> Condition:
    """No value and a value that is not listed fail."""
    column = terms.column("string", "number", "boolean", "time")
    return Condition(exp.or_(_is_null(reference(column)), _is_outside(terms, column)), (column,))


def _is_outside(terms: Terms, column: Column) -> exp.Expr:
    allowed = [_allowed(terms, column, entry) for entry in terms.values("allowed")]
    value = reference(column)
    if column.kind == "string" and not terms.flag("case_sensitive", default=True):
        value, allowed = exp.Lower(this=value), [exp.Lower(this=entry) for entry in allowed]
    return exp.not_(value.isin(*allowed))


def _allowed(terms: Terms, column: Column, entry: object) -> exp.Expr:
    fitting = entry if isinstance(entry, str | int | float | bool) else None
    found = literal_for(column, fitting)
    if found is None:
        raise Invalid(
            f"“allowed” of {terms.check.function} holds {str(entry)[:60]!r}, "
            f"which does not fit “{column.name}” ({column.data_type}).",
            hint="List values of the type of the column; is_not_null is the check for missing values.",
        )
    return found


def is_in_range(terms: Terms) -> Condition:
    """A value below the lower or above the upper limit fails; the limits themselves pass."""
    column, low, high = _range(terms)
    return _compared(terms, exp.or_(exp.LT(this=reference(column), expression=low), _above(column, high)), column)


def is_not_in_range(terms: Terms) -> Condition:
    """A value between the limits fails, the limits included."""
    column, low, high = _range(terms)
    return _compared(terms, exp.Between(this=reference(column), low=low, high=high), column)


def is_not_less_than(terms: Terms) -> Condition:
    """A value below the limit fails."""
    column = terms.column("number", "time")
    return _compared(terms, exp.LT(this=reference(column), expression=terms.limit("limit", column)), column)


def is_not_greater_than(terms: Terms) -> Condition:
    """A value above the limit fails."""
    column = terms.column("number", "time")
    return _compared(terms, _above(column, terms.limit("limit", column)), column)


def _range(terms: Terms) -> tuple[Column, exp.Expr, exp.Expr]:
    column = terms.column("number", "time")
    return column, terms.limit("min_limit", column), terms.limit("max_limit", column)


def _compared(terms: Terms, condition: exp.Expr, column: Column) -> Condition:
    if terms.flag("allow_nulls", default=True):
        return Condition(condition, (column,))
    return Condition(exp.or_(_is_null(reference(column)), condition), (column,))


def _above(column: Column, limit: exp.Expr) -> exp.Expr:
    return exp.GT(this=reference(column), expression=limit)


# --- texts -----------------------------------------------------------------------------------------------------------


def regex_match(terms: Terms) -> Condition:
    """A text in which the expression is found nowhere fails, or with `negate` one in which it is."""
    column = terms.column("string")
    pattern = exp.Literal.string(terms.text("regex"))
    matches = exp.RegexpLike(this=reference(column), expression=pattern)  # found anywhere in the text
    return Condition(matches if terms.flag("negate") else exp.not_(matches), (column,))


def length_between(terms: Terms) -> Condition:
    """A text with fewer or more characters fails."""
    column = terms.column("string")
    length = exp.Length(this=reference(column))
    bounds: list[exp.Expr] = []
    if terms.given("min_length"):
        bounds.append(exp.LT(this=length, expression=exp.Literal.number(terms.whole("min_length"))))
    if terms.given("max_length"):
        bounds.append(exp.GT(this=length.copy(), expression=exp.Literal.number(terms.whole("max_length"))))
    if not bounds:
        raise Invalid("length_between needs “min_length”, “max_length” or both.", hint="Enter how many characters.")
    return Condition(exp.or_(*bounds), (column,))


def is_valid_json(terms: Terms) -> Condition:
    """A text that is no JSON fails."""
    column = terms.column("string")
    text = reference(column)
    if terms.scope.dialect == "databricks":
        broken: exp.Expr = _is_null(exp.Anonymous(this="try_parse_json", expressions=[text]))
    else:
        broken = exp.or_(exp.not_(exp.Anonymous(this="json_valid", expressions=[text])), _is_lax_json(text))
    return Condition(exp.and_(_is_present(text.copy()), broken), (column,))


def _is_lax_json(text: exp.Expr) -> exp.Expr:
    """What DuckDB takes for JSON beside JSON itself: NaN, Infinity and commas before a closing bracket."""
    without_texts = exp.RegexpReplace(
        this=text.copy(),
        expression=exp.Literal.string(JSON_TEXT),
        replacement=exp.Literal.string(""),
        modifiers=exp.Literal.string("g"),
    )
    maybe = exp.RegexpLike(this=text.copy(), expression=exp.Literal.string(LAX_JSON))
    found = exp.RegexpLike(this=without_texts, expression=exp.Literal.string(LAX_JSON))
    return exp.Case(ifs=[exp.If(this=maybe, true=found)], default=exp.false())  # few texts need the longer look


def is_valid_date(terms: Terms) -> Condition:
    """A text that cannot be read as a date fails."""
    return _valid_time(terms, "date_format")


def is_valid_timestamp(terms: Terms) -> Condition:
    """A text that cannot be read as a time fails."""
    return _valid_time(terms, "timestamp_format")


def _valid_time(terms: Terms, argument: str) -> Condition:
    column = terms.column("string", "time")
    if column.kind == "time":
        return Condition(exp.false(), (column,))
    text = reference(column)
    pattern = terms.text(argument) if terms.given(argument) else None
    broken = is_no_time(text, pattern, dialect=terms.scope.dialect)
    return Condition(exp.and_(_is_present(text.copy()), broken), (column,))


# --- times -----------------------------------------------------------------------------------------------------------


def is_not_in_future(terms: Terms) -> Condition:
    """A time later than now, and than the seconds allowed ahead, fails."""
    column = terms.column("time")
    latest = terms.scope.now.replace(microsecond=0) + timedelta(seconds=terms.whole("offset"))
    return Condition(_above(column, time_literal(latest, column)), (column,))


def is_older_than_n_days(terms: Terms) -> Condition:
    """A day less than so many days ago fails, or with `negate` an older one."""
    column = terms.column("time")
    first = day_literal(terms.scope.now.date() - timedelta(days=_days(terms)))
    day = exp.cast(reference(column), "date")
    is_recent = exp.GTE(this=day, expression=first)
    return Condition(exp.LT(this=day, expression=first) if terms.flag("negate") else is_recent, (column,))


def _days(terms: Terms) -> int:
    days = terms.whole("days")
    if not 0 <= days <= 700_000:
        raise Invalid("“days” of is_older_than_n_days must be between 0 and 700,000.", hint="Enter a number of days.")
    return days


def is_data_fresh(terms: Terms) -> Condition:
    """A time more than so many minutes before now, or before the base, fails."""
    column = terms.column("time")
    age = timedelta(minutes=terms.whole("max_age_minutes"))
    if not terms.given("base_timestamp"):
        oldest: exp.Expr = time_literal(terms.scope.now - age, column)
    else:
        minutes = exp.Interval(this=exp.Literal.string(str(int(age.total_seconds() // 60))), unit=exp.var("MINUTE"))
        oldest = exp.Sub(this=terms.limit("base_timestamp", column), expression=minutes)
    return Condition(exp.LT(this=reference(column), expression=oldest), (column,))


# --- keys ------------------------------------------------------------------------------------------------------------


def is_unique(terms: Terms) -> Condition:
    """All rows of a repeated key fail. The filter of the check decides which rows are counted."""
    columns = terms.columns()
    values = [_key(column, trimmed=terms.flag("trim_strings")) for column in columns]
    are_nulls_distinct = terms.flag("nulls_distinct", default=True)
    query = _keys(values).from_(ROWS).group_by(*(exp.Literal.number(place + 1) for place in range(len(values))))
    query = query.having(exp.GT(this=exp.Count(this=exp.Star()), expression=exp.Literal.number(1)))
    if are_nulls_distinct:
        query = query.where(*map(_is_present, values))
    applies = row_filter(terms)
    if applies is not None:
        query = query.where(applies)
    return Condition(
        _is_present(FOUND.copy()), tuple(columns), _lookup(query, values, null_safe=not are_nulls_distinct)
    )


def foreign_key(terms: Terms) -> Condition:
    """A key with a null in it passes."""
    columns = terms.columns()
    relation, known = reference_table(terms)
    others = [known_column(name, known, argument="ref_columns") for name in terms.values("ref_columns")]
    if len(others) != len(columns):
        raise Invalid(
            f"foreign_key compares {len(columns)} columns with {len(others)} of the other table.",
            hint="Name as many ref_columns as columns.",
        )
    for column, other in zip(columns, others, strict=True):
        if column.kind != other.kind:
            raise Invalid(
                f"“{column.name}” ({column.data_type}) cannot be compared with “{other.name}” ({other.data_type}).",
                hint="Choose columns of the same type.",
            )
    values = [reference(column) for column in columns]
    keys = [reference(other, table=LOOKUP) for other in others]
    query = _keys(keys).from_(exp.alias_(relation.copy(), LOOKUP, table=True)).distinct().where(*map(_is_present, keys))
    found = _is_present(FOUND.copy()) if terms.flag("negate") else _is_null(FOUND.copy())
    fails = exp.and_(found, *map(_is_present, values))
    return Condition(fails, tuple(columns), _lookup(query, values, null_safe=False, reads_rows=False))


def _key(column: Column, *, trimmed: bool) -> exp.Expr:
    return _trim(reference(column)) if trimmed and column.kind == "string" else reference(column)


def _keys(values: list[exp.Expr]) -> exp.Select:
    names = [exp.alias_(value.copy(), f"key_{place}", quoted=True) for place, value in enumerate(values)]
    return exp.select(*names, exp.alias_(exp.true(), "found", quoted=True))


def _lookup(query: exp.Select, values: list[exp.Expr], *, null_safe: bool, reads_rows: bool = True) -> Lookup:
    equal = exp.NullSafeEQ if null_safe else exp.EQ
    keys = [exp.column(f"key_{place}", table=LOOKUP, quoted=True) for place in range(len(values))]
    pairs = [equal(this=value.copy(), expression=key) for value, key in zip(values, keys, strict=True)]
    return Lookup(query, exp.and_(*pairs), reads_rows)


# --- expressions -----------------------------------------------------------------------------------------------------


def sql_expression(terms: Terms) -> Condition:
    """The row fails where the expression is false, or with `negate` true; where it is null, the row passes."""
    text = terms.text("expression")
    if not text.strip():
        raise Invalid("“expression” of sql_expression is empty.", hint="Write a condition such as price > 10.")
    tree = parse_filter(text.strip(), terms.scope.columns, dialect=terms.scope.dialect)
    names = dict.fromkeys(each.name for each in tree.find_all(exp.Column))
    shown = terms.columns() if terms.given("columns") else [c for c in terms.scope.columns if c.name in names]
    condition = exp.paren(of_rows(tree))
    return Condition(condition if terms.flag("negate") else exp.not_(condition), tuple(shown))


def row_filter(terms: Terms) -> exp.Expr | None:
    """The filter of a check over the columns of a row; None when all rows are looked at."""
    if not terms.check.where.strip():
        return None
    return exp.paren(of_rows(parse_filter(terms.check.where.strip(), terms.scope.columns, dialect=terms.scope.dialect)))


def of_rows(tree: exp.Expr) -> exp.Expr:
    """The same expression with every column tied to the rows, so that nothing else can stand in for one."""
    tied = tree.copy()
    for column in list(tied.find_all(exp.Column)):
        column.set("table", exp.to_identifier(ROWS, quoted=True))
    return tied


def _is_null(value: exp.Expr) -> exp.Expr:
    return exp.Is(this=value, expression=exp.Null())


def _is_present(value: exp.Expr) -> exp.Expr:
    return exp.not_(_is_null(value.copy()))


FUNCTIONS: Mapping[str, Function] = {
    "is_not_null": Function(is_not_null),
    "is_not_empty": Function(is_not_empty, optional=("trim_strings",)),
    "is_not_null_and_not_empty": Function(is_not_null_and_not_empty, optional=("trim_strings",)),
    "is_in_list": Function(is_in_list, ("column", "allowed"), ("case_sensitive",)),
    "is_not_null_and_is_in_list": Function(is_not_null_and_is_in_list, ("column", "allowed"), ("case_sensitive",)),
    "is_in_range": Function(is_in_range, ("column", "min_limit", "max_limit"), ("allow_nulls",)),
    "is_not_in_range": Function(is_not_in_range, ("column", "min_limit", "max_limit"), ("allow_nulls",)),
    "is_not_less_than": Function(is_not_less_than, ("column", "limit"), ("allow_nulls",)),
    "is_not_greater_than": Function(is_not_greater_than, ("column", "limit"), ("allow_nulls",)),
    "regex_match": Function(regex_match, ("column", "regex"), ("negate",)),
    "length_between": Function(length_between, optional=("min_length", "max_length")),
    "is_unique": Function(is_unique, ("columns",), ("nulls_distinct", "trim_strings")),
    "is_valid_date": Function(is_valid_date, optional=("date_format",)),
    "is_valid_timestamp": Function(is_valid_timestamp, optional=("timestamp_format",)),
    "is_not_in_future": Function(is_not_in_future, optional=("offset",)),
    "is_older_than_n_days": Function(is_older_than_n_days, ("column", "days"), ("negate",)),
    "is_data_fresh": Function(is_data_fresh, ("column", "max_age_minutes"), ("base_timestamp",)),
    "is_valid_json": Function(is_valid_json),
    "foreign_key": Function(foreign_key, ("columns", "ref_columns", "ref_table"), ("negate",)),
    "sql_expression": Function(sql_expression, ("expression",), ("msg", "name", "negate", "columns")),
}
