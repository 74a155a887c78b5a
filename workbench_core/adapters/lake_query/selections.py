"""The queries on a selection: its rows, pages, streams, counts and samples."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from sqlglot import exp

from workbench_core.adapters.lake_query.filters import parse_filter
from workbench_core.adapters.lake_query.key_values import TEXT_TYPES
from workbench_core.adapters.lake_query.names import find_column
from workbench_core.adapters.lake_query.sources import (
    EXCLUDED_REFS,
    ITEM_REF,
    REFS,
    SOURCE,
    QuerySource,
    as_text,
    is_present,
    source_column,
)
from workbench_core.errors import Invalid
from workbench_core.ports import Column, Selection

READABLE_REFS = 50  # so many identifiers are written out in a query for people
EXACT_TYPES = (*TEXT_TYPES, "TINYINT", "SMALLINT", "INTEGER", "INT", "BIGINT", "HUGEINT")  # as different as their texts


def count_query(selection: Selection, source: QuerySource) -> str:
    """Count the rows of a selection."""
    query = _from(source, exp.Count(this=exp.Star())).where(*_conditions(selection, source), copy=False)
    return query.sql(dialect=source.dialect)


def rows_query(selection: Selection, source: QuerySource) -> exp.Select:
    """All rows of a selection in no order, `item_ref` first, for another query to read from."""
    return _from(source, *_projections(selection, source, ())).where(*_conditions(selection, source), copy=False)


def page_query(selection: Selection, source: QuerySource, *, columns: Sequence[str], limit: int, offset: int) -> str:
    """One page of rows in identifier order; `item_ref` comes first, then the columns (none means all)."""
    projections = _projections(selection, source, columns)
    if not source.row_key or source.is_joined:
        rows = _from(source, *projections).where(*_conditions(selection, source), copy=False)
        return _ordered(rows, selection, source).limit(limit).offset(offset).sql(dialect=source.dialect)
    key = source_column(source.row_key)  # sort narrow rows first
    narrow = _ordered(_from(source, key).where(*_conditions(selection, source), copy=False), selection, source)
    page = _from(source, *projections).where(key.isin(query=narrow.limit(limit).offset(offset)))
    return _ordered(page, selection, source).sql(dialect=source.dialect)


def first_keys_query(selection: Selection, source: QuerySource, *, limit: int) -> str:
    """The row keys of the first rows in the order of the pages."""
    keys = _from(source, source_column(source.row_key)).where(*_conditions(selection, source), copy=False)
    return _ordered(keys, selection, source).limit(limit).sql(dialect=source.dialect)


def keys_query(selection: Selection, source: QuerySource) -> str:
    """The row keys of all rows in no order."""
    keys = _from(source, source_column(source.row_key)).where(*_conditions(selection, source), copy=False)
    return keys.sql(dialect=source.dialect)


def identifier_order_query(source: QuerySource, column: str) -> str:
    """The row keys of all rows of a table that have an identifier, in its order."""
    selection = Selection("", column)
    keys = _from(source, source_column(source.row_key)).where(*_conditions(selection, source), copy=False)
    return _ordered(keys, selection, source).sql(dialect=source.dialect)


def fetch_query(selection: Selection, source: QuerySource, *, columns: Sequence[str]) -> str:
    """All rows of a source narrowed to the rows of a page, in the order of the pages.

    The filter is applied again, because a row of a join may fit beside another of the same primary row that does
    not; sample and chosen identifiers are a matter of the primary row alone.
    """
    rows = _from(source, *_projections(selection, source, columns)).where(
        *_row_conditions(selection, source), copy=False
    )
    return _ordered(rows, selection, source).sql(dialect=source.dialect)


def used_columns(selection: Selection, source: QuerySource) -> frozenset[str]:
    """The columns that decide which rows a selection has and in which order."""
    names = {
        find_column(name, source.columns).name for name in (selection.item_id_column, selection.stratify_column) if name
    }
    if selection.where.strip():
        condition = parse_filter(selection.where, source.columns, dialect=source.dialect)
        names |= {column.name for column in condition.find_all(exp.Column)}
    return frozenset(names)


def export_query(
    selection: Selection, source: QuerySource, *, columns: Sequence[str]
) -> tuple[exp.Select, list[Column]]:
    """All rows in identifier order with exactly these columns (none means all of the source), and what they are.

    `item_ref` is the identifier as text, unless the source has a column of that name.
    """
    own = {column.name for column in source.columns}
    wanted = [
        Column(ITEM_REF, "VARCHAR", "string")
        if name == ITEM_REF and ITEM_REF not in own
        else find_column(name, source.columns)
        for name in columns
    ] or list(source.columns)
    unique = list({column.name: column for column in wanted}.values())
    values = [
        source_column(column.name)
        if column.name in own
        else _reference(selection, source, needed_for="Writing item_ref")
        for column in unique
    ]
    shown = [exp.alias_(value, column.name, quoted=True) for value, column in zip(values, unique, strict=True)]
    rows = _from(source, *shown).where(*_conditions(selection, source), copy=False)
    return _ordered(rows, selection, source), unique


def text_query(selection: Selection, source: QuerySource, *, columns: Sequence[str]) -> str:
    """All rows of a selection for a person to read, with a short list of identifiers written out."""
    readable = replace(
        source,
        refs=_written_out(selection.item_refs or (), REFS),
        excluded_refs=_written_out(selection.excluded_refs, EXCLUDED_REFS),
        ties=(),
    )
    rows = _from(readable, *_projections(selection, readable, columns)).where(*_conditions(selection, readable))
    return _ordered(rows, selection, readable).sql(dialect=source.dialect, pretty=True)


def _written_out(item_refs: Sequence[str], otherwise: exp.Select) -> exp.Select:
    if not 0 < len(item_refs) <= READABLE_REFS:
        return otherwise
    table = otherwise.find(exp.Table)
    rows = exp.values([(ref,) for ref in item_refs], alias=table.name if table else SOURCE, columns=[ITEM_REF])
    return exp.select(ITEM_REF).from_(rows)


def stream_query(selection: Selection, source: QuerySource, *, columns: Sequence[str], after: bool) -> str:
    """All rows in identifier order; with `after` only those behind the bound parameter `after`."""
    reference = _reference(selection, source, needed_for="Reading item by item")
    conditions = _conditions(selection, source)
    if after:
        conditions.append(exp.GT(this=reference, expression=exp.Placeholder(this="after")))
    rows = _from(source, *_projections(selection, source, columns)).where(*conditions)
    return _ordered(rows, selection, source).sql(dialect=source.dialect)


def filter_query(condition: exp.Expr, source: QuerySource) -> str:
    """The value of a condition for one row: the engine's own check of types."""
    return _from(source, exp.alias_(_of_source(condition), "verdict")).limit(1).sql(dialect=source.dialect)


def identifiers_query(source: QuerySource, columns: Sequence[Column]) -> str:
    """Rows, and the non-null and the distinct values of each column, in one scan."""
    counts: list[exp.Expr] = [exp.Count(this=exp.Star())]
    for column in columns:
        value: exp.Expr = source_column(column.name)
        if column.data_type.upper() not in EXACT_TYPES:
            value = as_text(value)
        counts += [exp.Count(this=value), exp.Count(this=exp.Distinct(expressions=[value.copy()]))]
    return _from(source, *counts).sql(dialect=source.dialect)


def items_query(selection: Selection, source: QuerySource) -> str:
    """Count the different items of a selection: a join may give one of them several rows."""
    reference = _reference(selection, source, needed_for="Counting items")
    count = exp.Count(this=exp.Distinct(expressions=[reference]))
    return _from(source, count).where(*_conditions(selection, source), copy=False).sql(dialect=source.dialect)


def classes_query(selection: Selection, source: QuerySource, column: str) -> str:
    """The values of a column in a selection as text with their rows, the most frequent first; NULL is one of them."""
    value = source_column(find_column(column, source.columns).name)
    count = exp.Count(this=exp.Star())
    query = _from(source, as_text(value), count).where(*_conditions(selection, source), copy=False).group_by(value)
    return query.order_by(exp.Ordered(this=count.copy(), desc=True), as_text(value.copy())).sql(dialect=source.dialect)


def distinct_query(source: QuerySource, column: str, *, limit: int) -> str:
    """The most frequent values of a column as text with their counts, nulls left out."""
    value = as_text(source_column(find_column(column, source.columns).name))
    count = exp.Count(this=exp.Star())
    query = _from(source, value, count).where(is_present(value)).group_by(value)
    return query.order_by(exp.Ordered(this=count, desc=True), value).limit(limit).sql(dialect=source.dialect)


def _conditions(selection: Selection, source: QuerySource) -> list[exp.Expr]:
    conditions = _row_conditions(selection, source)
    if selection.sample_size is not None:
        reference = _reference(selection, source, needed_for="Sampling")
        conditions.append(reference.isin(query=_sample(selection, source, reference)))
    if selection.item_refs is not None:
        reference = _reference(selection, source, needed_for="Choosing items")
        conditions.append(reference.isin(query=source.refs.copy()))
    if selection.excluded_refs:
        reference = _reference(selection, source, needed_for="Leaving items out")
        conditions.append(exp.not_(reference.isin(query=source.excluded_refs.copy())))
    return conditions


def _row_conditions(selection: Selection, source: QuerySource) -> list[exp.Expr]:
    """The filter, and that a row has an identifier: without one it is not an item."""
    conditions: list[exp.Expr] = []
    if selection.item_id_column:
        conditions.append(is_present(_reference(selection, source)))
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
    projections = [exp.alias_(reference, ITEM_REF)]
    if selection.stratify_column:
        value = source_column(find_column(selection.stratify_column, source.columns).name)
        projections.append(exp.alias_(value, "stratum"))
    items = _from(source, *projections).where(*_row_conditions(selection, source), copy=False)
    if source.is_joined:  # an item with several rows is drawn once
        items = items.distinct()
    text = exp.DPipe(this=exp.Literal.string(f"{selection.sample_seed}:"), expression=exp.column(ITEM_REF))
    drawn = exp.select("*", exp.alias_(exp.MD5(this=text), "draw")).from_(items.subquery("items"))
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
        return as_text(source_column(find_column(selection.item_id_column, source.columns).name))
    if needed_for:
        raise Invalid(f"{needed_for} needs an identifier column.", hint="Choose the column that identifies items.")
    if any(column.name == ITEM_REF for column in source.columns):
        return as_text(source_column(ITEM_REF))
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
    value = source_column(column.name)
    if column.kind == "string" and column.data_type.upper() not in TEXT_TYPES:
        return exp.alias_(as_text(value), column.name, quoted=True, copy=False)
    return exp.alias_(value, column.name, quoted=True, copy=False)


def _ordered(query: exp.Select, selection: Selection, source: QuerySource) -> exp.Select:
    """By the identifier as text, then by what tells rows of one identifier apart; a plain preview by row key."""
    if not selection.item_id_column and not source.row_key:
        return query
    reference = [_reference(selection, source)] if selection.item_id_column else []
    return query.order_by(*reference, *(tie.copy() for tie in source.ties), copy=False)


def _from(source: QuerySource, *projections: exp.Expr) -> exp.Select:
    relation = exp.alias_(source.relation.copy(), SOURCE, table=True, copy=False)
    return exp.Select().select(*projections, copy=False).from_(relation, copy=False)


def _of_source(condition: exp.Expr) -> exp.Expr:
    """The condition with every column tied to the source, so that no alias of a query can stand in for one."""
    tied = condition.copy()
    for reference in list(tied.find_all(exp.Column)):
        reference.set("table", exp.to_identifier(SOURCE, quoted=True))
    return tied
