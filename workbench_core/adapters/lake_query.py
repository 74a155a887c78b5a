"""From a Selection and a typed filter to one SQL query, built as an expression and rendered for the lake's dialect."""

from __future__ import annotations

import difflib
import re
from collections.abc import Sequence
from dataclasses import dataclass

import sqlglot
from sqlglot import TokenType, exp
from sqlglot.errors import ParseError, SqlglotError, TokenError

from workbench_core.errors import Invalid
from workbench_core.ports import Column, Selection

NAME_PART = re.compile(r"[A-Za-z0-9_-]{1,120}")
SIMPLE_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
FILTER_LIMIT = 20_000
ITEM_REF = "item_ref"
SOURCE = "source"

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


# --- names -----------------------------------------------------------------------------------------------------------


def split_name(name: str) -> tuple[str, str, str]:
    """The three parts of catalog.schema.table. Raises Invalid unless each is made of letters, digits, _ and -."""
    parts = name.split(".")
    if len(parts) != 3 or not all(NAME_PART.fullmatch(part) for part in parts):
        raise Invalid(
            f"“{name[:200]}” cannot name a table or volume.",
            hint="Use three parts such as demo.acme.inspections: letters, digits, _ and -, at most 120 each.",
        )
    catalog, schema, table = parts
    return catalog, schema, table


def quote_name(name: str, *, dialect: str) -> str:
    """A three-part name with every part quoted for the dialect. Raises Invalid like `split_name`."""
    catalog, schema, table = split_name(name)
    return exp.table_(table, db=schema, catalog=catalog, quoted=True).sql(dialect=dialect)


def find_column(name: str, columns: Sequence[Column]) -> Column:
    """The column of this name, forgiving its case when only one fits. Raises Invalid that suggests the closest."""
    exact = [column for column in columns if column.name == name]
    similar = exact or [column for column in columns if column.name.casefold() == name.casefold()]
    if len(similar) == 1:
        return similar[0]
    raise Invalid(f"There is no column “{name[:200]}”.", hint=_closest(name, columns))


def _closest(name: str, columns: Sequence[Column]) -> str:
    by_fold = {column.name.casefold(): column.name for column in columns}
    close = difflib.get_close_matches(name.casefold(), list(by_fold), n=1)
    if close:
        return f"Did you mean “{by_fold[close[0]]}”?"
    shown = ", ".join(column.name for column in columns[:12])
    return f"The columns are: {shown}{', ...' if len(columns) > 12 else ''}."


# --- filter ----------------------------------------------------------------------------------------------------------


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
    detail = str(error).partition("\n")[0]
    if isinstance(error, TokenError):
        detail = "a quote or comment is not closed"
    if isinstance(error, ParseError) and error.errors:
        first = error.errors[0]
        detail = f"{first['description']} at character {first['col']}, near “{first['highlight']}”"
    plain = re.sub(r"<class '[\w.]*\.(\w+)'>|\x1b\[\d*m", r"\1", detail).rstrip(".")
    return Invalid(
        f"The filter cannot be read: {plain}.",
        hint="Write a condition such as price > 10 AND status = 'open'. Texts go in single quotes.",
    )


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


# --- queries ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class QuerySource:
    """What a query reads. `relation` stands in FROM; `refs` selects the identifiers of `Selection.item_refs`.

    `row_key` names the engine's own number of a row, where there is one: a page then sorts narrow rows only.
    """

    relation: exp.Expr
    columns: tuple[Column, ...]
    dialect: str
    refs: exp.Select
    row_key: str = ""


def count_query(selection: Selection, source: QuerySource) -> str:
    """Count the rows of a selection."""
    query = _from(source, exp.Count(this=exp.Star())).where(*_conditions(selection, source))
    return query.sql(dialect=source.dialect)


def page_query(selection: Selection, source: QuerySource, *, columns: Sequence[str], limit: int, offset: int) -> str:
    """One page of rows in identifier order; `item_ref` comes first, then the columns (none means all)."""
    order = [*_identifier_order(selection, source), *([_column(source.row_key)] if source.row_key else [])]
    projections = _projections(selection, source, columns)
    if not source.row_key:
        rows = _from(source, *projections).where(*_conditions(selection, source))
        return _ordered(rows, order).limit(limit).offset(offset).sql(dialect=source.dialect)
    key = _column(source.row_key)
    narrow = _ordered(_from(source, key).where(*_conditions(selection, source)), order)
    keys = narrow.limit(limit).offset(offset)
    page = _ordered(_from(source, *projections).where(key.isin(query=keys)), order)
    return page.sql(dialect=source.dialect)


def stream_query(selection: Selection, source: QuerySource, *, columns: Sequence[str], after: bool) -> str:
    """All rows in identifier order; with `after` only those behind the bound parameter `after`."""
    reference = _reference(selection, source, needed_for="Reading item by item")
    conditions = _conditions(selection, source)
    if after:
        conditions.append(exp.GT(this=reference, expression=exp.Placeholder(this="after")))
    rows = _from(source, *_projections(selection, source, columns)).where(*conditions)
    return _ordered(rows, [reference]).sql(dialect=source.dialect)


def filter_query(condition: exp.Expr, source: QuerySource) -> str:
    """The value of a condition for one row: the engine's own check of types."""
    return _from(source, exp.alias_(_of_source(condition), "verdict")).limit(1).sql(dialect=source.dialect)


def identifier_query(source: QuerySource, column: str) -> str:
    """Rows, non-null values and distinct values of a column in one scan."""
    value = _text(_column(find_column(column, source.columns).name))
    counts = (exp.Count(this=exp.Star()), exp.Count(this=value), exp.Count(this=exp.Distinct(expressions=[value])))
    return _from(source, *counts).sql(dialect=source.dialect)


def distinct_query(source: QuerySource, column: str, *, limit: int) -> str:
    """The most frequent values of a column as text with their counts, nulls left out."""
    value = _text(_column(find_column(column, source.columns).name))
    count = exp.Count(this=exp.Star())
    query = _from(source, value, count).where(_is_present(value)).group_by(value)
    return query.order_by(exp.Ordered(this=count, desc=True), value).limit(limit).sql(dialect=source.dialect)


def _conditions(selection: Selection, source: QuerySource) -> list[exp.Expr]:
    conditions = _row_conditions(selection, source)
    if selection.sample_size is not None:
        reference = _reference(selection, source, needed_for="Sampling")
        conditions.append(reference.isin(query=_sample(selection, source, reference)))
    if selection.item_refs is not None:
        reference = _reference(selection, source, needed_for="Choosing items")
        conditions.append(reference.isin(query=source.refs.copy()))
    return conditions


def _row_conditions(selection: Selection, source: QuerySource) -> list[exp.Expr]:
    """The filter, and that a row has an identifier: without one it is not an item."""
    conditions: list[exp.Expr] = []
    if selection.item_id_column:
        conditions.append(_is_present(_reference(selection, source)))
    if selection.where.strip():
        condition = parse_filter(selection.where, source.columns, dialect=source.dialect)
        conditions.append(exp.paren(_of_source(condition)))
    return conditions


def _sample(selection: Selection, source: QuerySource, reference: exp.Expr) -> exp.Select:
    """The identifiers of a seeded sample, which depends on neither the order nor the layout of the source.

    The draw of a row is the MD5 of seed and identifier; the lowest draws are the sample.
    """
    if not selection.sample_size or selection.sample_size < 1:
        raise Invalid("The sample size must be at least 1.", hint="Enter how many rows to pick.")
    text = exp.DPipe(this=exp.Literal.string(f"{selection.sample_seed}:"), expression=reference)
    projections = [exp.alias_(reference, ITEM_REF), exp.alias_(exp.MD5(this=text), "draw")]
    if selection.stratify_column:
        value = _column(find_column(selection.stratify_column, source.columns).name)
        projections.append(exp.alias_(value, "stratum"))
    drawn = _from(source, *projections).where(*_row_conditions(selection, source))
    if selection.stratify_column:
        return _stratified(drawn, selection.sample_size)
    return exp.select(ITEM_REF).from_(drawn.subquery("drawn")).order_by("draw", ITEM_REF).limit(selection.sample_size)


def _stratified(drawn: exp.Select, size: int) -> exp.Select:
    """The first draw of every stratum, then more by the divisors of Webster and Sainte-Laguë.

    These are the rows in the order of (2 * place - 1) / rows of the stratum, which gives whole numbers closest to
    the proportions. Of more strata than rows wanted, the largest ones come first.
    """
    order = exp.Order(expressions=[exp.Ordered(this=exp.column(name)) for name in ("draw", ITEM_REF)])
    place = exp.Window(this=exp.RowNumber(), partition_by=[exp.column("stratum")], order=order)
    placed = exp.select(ITEM_REF, "draw", "stratum", exp.alias_(place, "place")).from_("drawn")
    strata = exp.select("stratum", exp.alias_(exp.Count(this=exp.Star()), "size")).from_("drawn").group_by("stratum")
    same = exp.NullSafeEQ(this=exp.column("stratum", "placed"), expression=exp.column("stratum", "strata"))
    query = exp.select(f"placed.{ITEM_REF}").from_(placed.subquery("placed")).join(strata.subquery("strata"), on=same)
    query = query.where(exp.column("place") <= size).with_("drawn", as_=drawn)
    first = "CASE WHEN place = 1 THEN 0 ELSE 1 END"
    return query.order_by(first, "(2 * place - 1) / size", "draw", f"placed.{ITEM_REF}").limit(size)


def _reference(selection: Selection, source: QuerySource, *, needed_for: str = "") -> exp.Expr:
    """The identifier of a row as text; of a selection without one a column `item_ref`, else the empty text."""
    if selection.item_id_column:
        return _text(_column(find_column(selection.item_id_column, source.columns).name))
    if needed_for:
        raise Invalid(f"{needed_for} needs an identifier column.", hint="Choose the column that identifies items.")
    if any(column.name == ITEM_REF for column in source.columns):
        return _text(_column(ITEM_REF))
    return exp.Literal.string("")


def _projections(selection: Selection, source: QuerySource, columns: Sequence[str]) -> list[exp.Expr]:
    """`item_ref`, then the columns. The frame has one `item_ref` only, so a source column of that name yields."""
    wanted = [find_column(name, source.columns) for name in columns] or list(source.columns)
    if ITEM_REF in columns and selection.item_id_column not in ("", ITEM_REF):
        raise Invalid(
            "The column “item_ref” cannot be shown, because every row already carries its identifier under this name.",
            hint="Choose item_ref as the identifier, or leave the column out.",
        )
    unique = {column.name: column for column in wanted if column.name != ITEM_REF}
    first = exp.alias_(_reference(selection, source), ITEM_REF, quoted=True)
    return [first, *(_shown(column) for column in unique.values())]


def _shown(column: Column) -> exp.Expr:
    """The value itself, or its text where a data frame has no type for it (UUID, interval, time of day)."""
    value = _column(column.name)
    if column.kind == "string" and column.data_type.upper() not in ("VARCHAR", "TEXT", "STRING"):
        return exp.alias_(_text(value), column.name, quoted=True)
    return exp.alias_(value, column.name, quoted=True)


def _identifier_order(selection: Selection, source: QuerySource) -> list[exp.Expr]:
    return [_reference(selection, source)] if selection.item_id_column else []


def _ordered(query: exp.Select, order: Sequence[exp.Expr]) -> exp.Select:
    return query.order_by(*order) if order else query


def _from(source: QuerySource, *projections: exp.Expr) -> exp.Select:
    return exp.select(*projections).from_(exp.alias_(source.relation.copy(), SOURCE, table=True))


def _of_source(condition: exp.Expr) -> exp.Expr:
    """The condition with every column tied to the source, so that no alias of a query can stand in for one."""
    tied = condition.copy()
    for reference in list(tied.find_all(exp.Column)):
        reference.set("table", exp.to_identifier(SOURCE, quoted=True))
    return tied


def _column(name: str) -> exp.Column:
    return exp.column(name, table=SOURCE, quoted=True)


def _text(value: exp.Expr) -> exp.Expr:
    return exp.Cast(this=value, to=exp.DataType.build("text"))


def _is_present(value: exp.Expr) -> exp.Expr:
    return exp.Not(this=exp.Is(this=value, expression=exp.Null()))
