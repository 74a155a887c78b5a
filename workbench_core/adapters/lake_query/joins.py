"""From a join to one relation with the columns `alias__column`, built as an expression (JN-2, JN-4)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from sqlglot import exp

from workbench_core.adapters.lake_query.join_checks import JoinStep, checked_join, column_of, join_steps
from workbench_core.adapters.lake_query.key_values import comparable
from workbench_core.adapters.lake_query.sources import (
    QuerySource,
    SourceTable,
    aliased,
    in_order,
    is_present,
    source_column,
    ties_of,
)
from workbench_core.ports import Column, ColumnRef, Join, JoinKind, JoinSource, Matches, TimeWindow

JOINED = "joined rows"  # aliases of a join hold no space, so these names are free
FOUND = "found rows"


@dataclass(frozen=True, slots=True)
class JoinedRows:
    """A query with FROM and JOIN but no columns yet, and what each column of a source is called in it."""

    query: exp.Select
    columns: Mapping[ColumnRef, exp.Expr]


def join_source(
    join: Join, tables: Mapping[str, SourceTable], *, dialect: str, used: frozenset[str] | None = None
) -> QuerySource:
    """What a query reads of a join; `tables` maps its aliases. Raises Invalid for a join that cannot be made.

    With `used` only these columns of the result have their values: a match that nobody looks at need not be chosen.
    """
    exact = checked_join(join, tables)
    rows = joined_rows(exact, tables, dialect=dialect, used=used)
    results = [(ref, column) for source in exact.sources for ref, column in _results(source, tables[source.alias])]
    keys = [
        ColumnRef(source.alias, tables[source.alias].row_key) for source in exact.sources if _is_keyed(source, tables)
    ]
    shown = [ref for ref, _ in results]
    selected = [exp.alias_(rows.columns[ref].copy(), ref.name, quoted=True, copy=False) for ref in [*shown, *keys]]
    primary = tables[exact.primary.alias]
    return QuerySource(
        relation=rows.query.select(*selected, copy=False).subquery(copy=False),
        columns=tuple(column for _, column in results),
        dialect=dialect,
        row_key=ColumnRef(exact.primary.alias, primary.row_key).name if primary.row_key else "",
        is_joined=True,
        ties=_ties(exact, tables),
    )


def joined_rows(
    join: Join, tables: Mapping[str, SourceTable], *, dialect: str, used: frozenset[str] | None = None
) -> JoinedRows:
    """FROM and JOIN of a checked join. Every source brings its chosen columns, its keys and its row key."""
    primary = join.primary
    rows = JoinedRows(
        exp.select().from_(aliased(tables[primary.alias].relation, primary.alias)),
        {ColumnRef(primary.alias, name): _column(primary, name) for name in _needed(join, primary, tables)},
    )
    for step in join_steps(join):
        any_match = used is not None and not _is_used(join, step.source, used)
        rows = _JoinedSource(join, step, tables, dialect, any_match).after(rows)
    return rows


def _is_used(join: Join, source: JoinSource, used: frozenset[str]) -> bool:
    """Whether a column of a source is used, or another source is found by it."""
    steps = join_steps(join)
    lefts = {key.left.alias for step in steps for key in step.keys}
    lefts |= {step.window.left.alias for step in steps if step.window}
    return source.alias in lefts or any(name.startswith(f"{source.alias}__") for name in used)


@dataclass(frozen=True, slots=True)
class _JoinedSource:
    """One source on its way into a join."""

    join: Join
    step: JoinStep
    tables: Mapping[str, SourceTable]
    dialect: str
    any_match: bool = False  # it matters whether there is a match, not which

    @property
    def source(self) -> JoinSource:
        return self.step.source

    @property
    def table(self) -> SourceTable:
        return self.tables[self.source.alias]

    @property
    def relation(self) -> exp.Expr:
        return aliased(self.table.relation, self.source.alias)

    @property
    def columns(self) -> dict[ColumnRef, exp.Expr]:
        names = _needed(self.join, self.source, self.tables)
        return {ColumnRef(self.source.alias, name): _column(self.source, name) for name in names}

    def after(self, rows: JoinedRows) -> JoinedRows:
        """The rows so far with this source joined to them."""
        columns = {**rows.columns, **self.columns}
        if self.source.matches is Matches.ALL:
            condition = self.condition(rows.columns)
            return JoinedRows(rows.query.join(self.relation, on=condition, join_type=self.join.kind.value), columns)
        kind = "inner" if self.join.kind is JoinKind.INNER else "left"
        joined = rows.query.join(self.lateral(rows.columns), on=exp.true(), join_type=kind)
        if self.join.kind is not JoinKind.FULL:
            return JoinedRows(joined, columns)
        both = exp.union(self.projected(joined, columns), self.unmatched(rows), distinct=False)
        named: dict[ColumnRef, exp.Expr] = {ref: exp.column(ref.name, table=JOINED, quoted=True) for ref in columns}
        return JoinedRows(exp.select().from_(aliased(both.subquery(), JOINED)), named)

    def condition(self, known: Mapping[ColumnRef, exp.Expr]) -> exp.Expr:
        """That a row of this source matches; NULL equals nothing."""
        conditions: list[exp.Expr] = []
        for key in self.step.keys:
            left, right = comparable(
                column_of(key.left, self.tables),
                known[key.left].copy(),
                column_of(key.right, self.tables),
                _column(self.source, key.right.column),
            )
            conditions.append(exp.EQ(this=left, expression=right))
        if self.step.window is not None:
            conditions.append(self.inside(self.step.window, known))
        return exp.and_(*conditions)

    def inside(self, window: TimeWindow, known: Mapping[ColumnRef, exp.Expr]) -> exp.Expr:
        """That the two times differ by at most the window's minutes."""
        left, right = comparable(
            column_of(window.left, self.tables),
            known[window.left].copy(),
            column_of(window.right, self.tables),
            _column(self.source, window.right.column),
        )
        width = exp.Interval(
            this=exp.Literal.string(str(round(window.minutes * 60_000_000))), unit=exp.var("MICROSECOND")
        )
        earliest = exp.Sub(this=left, expression=width)
        return exp.Between(this=right, low=earliest, high=exp.Add(this=left.copy(), expression=width.copy()))

    def lateral(self, known: Mapping[ColumnRef, exp.Expr]) -> exp.Lateral:
        """For one row so far its first or latest match, or the lists of all its matches."""
        matches = exp.select().from_(self.relation).where(self.condition(known))
        order = self.order()
        if self.source.matches is Matches.LIST and not self.any_match:
            lists = {ref.column: _list(value, order, self.dialect) for ref, value in self.columns.items()}
            rows = exp.Count(this=exp.Star())
            matches = matches.select(*(exp.alias_(value, name, quoted=True) for name, value in lists.items()))
            matches = matches.having(exp.GT(this=rows, expression=exp.Literal.number(0)))
        else:
            matches = matches.select(*self.columns.values()).limit(1)
            matches = matches if self.any_match else matches.order_by(*order)
        alias = exp.TableAlias(this=exp.to_identifier(self.source.alias, quoted=True))
        return exp.Lateral(this=matches.subquery(), alias=alias)

    def order(self) -> list[exp.Expr]:
        """By the chosen column, then by all, so that the choice never depends on the layout of the data."""
        source, order = self.source, []
        named = {column.name: in_order(_column(source, column.name), column) for column in self.table.columns}
        if source.order_column:
            is_latest = source.matches is Matches.LATEST
            order.append(exp.Ordered(this=named[source.order_column], desc=is_latest, nulls_first=False))
        return [*order, *(exp.Ordered(this=value.copy(), desc=False, nulls_first=False) for value in named.values())]

    def projected(self, query: exp.Select, columns: Mapping[ColumnRef, exp.Expr]) -> exp.Select:
        """All columns under their names in the result."""
        return query.select(*(exp.alias_(value.copy(), ref.name, quoted=True) for ref, value in columns.items()))

    def unmatched(self, rows: JoinedRows) -> exp.Select:
        """The rows of this source that match none so far, each by itself."""
        found = self.projected(rows.query, rows.columns)
        named: dict[ColumnRef, exp.Expr] = {ref: exp.column(ref.name, table=FOUND, quoted=True) for ref in rows.columns}
        is_list = self.source.matches is Matches.LIST and not self.any_match
        own = {ref: exp.Array(expressions=[value]) if is_list else value for ref, value in self.columns.items()}
        nothing: dict[ColumnRef, exp.Expr] = {ref: exp.Null() for ref in rows.columns}
        query = exp.select().from_(self.relation)
        query = query.join(aliased(found.subquery(), FOUND), on=self.condition(named), join_type="left")
        is_alone = exp.Is(this=named[self.step.keys[0].left].copy(), expression=exp.Null())
        return self.projected(query.where(is_alone), {**nothing, **own})


# --- some rows only --------------------------------------------------------------------------------------------------


def narrowed(table: SourceTable, keys: Sequence[int]) -> SourceTable:
    """The rows of a table with these row keys."""
    return _where(table, "row", _is_one_of(exp.column(table.row_key, table="row", quoted=True), keys))


def narrowed_tables(join: Join, tables: Mapping[str, SourceTable], keys: Sequence[int]) -> dict[str, SourceTable]:
    """The tables of a join with these rows of the primary one, and of the sources whose matches are chosen, no more
    than can match them: choosing among all rows would be slow.
    """
    exact = checked_join(join, tables)
    primary = narrowed(tables[exact.primary.alias], keys)
    narrow = {**tables, exact.primary.alias: primary}
    for step in join_steps(exact):
        key, source = step.keys[0], step.source
        if source.matches is Matches.ALL or key.left.alias != exact.primary.alias:
            continue
        left, right = comparable(
            column_of(key.left, tables),
            _column(exact.primary, key.left.column),
            column_of(key.right, tables),
            _column(source, key.right.column),
        )
        values = exp.select(left).from_(aliased(primary.relation, exact.primary.alias))
        narrow[source.alias] = _where(tables[source.alias], source.alias, right.isin(query=values))
    return narrow


def _where(table: SourceTable, alias: str, condition: exp.Expr) -> SourceTable:
    key = [exp.column(table.row_key, table=alias, quoted=True)] if table.row_key else []
    rows = exp.select(exp.Star(), *key).from_(aliased(table.relation, alias)).where(condition)
    return replace(table, relation=rows.subquery())


def _is_one_of(value: exp.Expr, keys: Sequence[int]) -> exp.Expr:
    return value.isin(*(exp.Literal.number(key) for key in keys)) if keys else exp.false()


# --- columns ---------------------------------------------------------------------------------------------------------


def _needed(join: Join, source: JoinSource, tables: Mapping[str, SourceTable]) -> list[str]:
    """The columns of a source that the result or another source needs, and its row key."""
    refs = [ref for key in join.keys for ref in (key.left, key.right)]
    refs += [join.window.left, join.window.right] if join.window else []
    keys = [ref.column for ref in refs if ref.alias == source.alias]
    hidden = [tables[source.alias].row_key] if _is_keyed(source, tables) else []
    return list(dict.fromkeys([*(source.columns or ()), *keys, *hidden]))


def _results(source: JoinSource, table: SourceTable) -> list[tuple[ColumnRef, Column]]:
    """The columns of a source in the result."""
    known = {column.name: column for column in table.columns}
    found = []
    for name in source.columns or ():
        ref = ColumnRef(source.alias, name)
        column = replace(known[name], name=ref.name)
        if source.matches is Matches.LIST:
            column = replace(column, data_type=f"{column.data_type}[]", kind="nested")
        found.append((ref, column))
    return found


def _ties(join: Join, tables: Mapping[str, SourceTable]) -> tuple[exp.Expr, ...]:
    """What puts the rows of one item in order: the primary source first, then each that may match several times."""
    ties: list[exp.Expr] = []
    for source in sorted(join.sources, key=lambda source: source is not join.primary):
        if source.matches is not Matches.ALL and join.kind is not JoinKind.FULL:
            continue
        if _is_keyed(source, tables):
            ties.append(source_column(ColumnRef(source.alias, tables[source.alias].row_key).name))
        else:
            ties += ties_of(tuple(column for _, column in _results(source, tables[source.alias])), prefix="")
    return tuple(ties)


def _is_keyed(source: JoinSource, tables: Mapping[str, SourceTable]) -> bool:
    return bool(tables[source.alias].row_key) and source.matches is not Matches.LIST


def _column(source: JoinSource, name: str) -> exp.Column:
    return exp.column(name, table=source.alias, quoted=True)


def _list(value: exp.Expr, order: list[exp.Expr], dialect: str) -> exp.Expr:
    """The values of several rows in order, gaps included."""
    if dialect == "databricks":  # its aggregate takes no order and drops gaps: sort structs, then take the value
        fields = [exp.alias_(ordered.this.copy(), f"order_{index}") for index, ordered in enumerate(order)]
        rows = exp.ArrayAgg(this=exp.Struct(expressions=[*fields, exp.alias_(value, "value")]))
        return exp.Dot(this=exp.Anonymous(this="SORT_ARRAY", expressions=[rows]), expression=exp.to_identifier("value"))
    return exp.ArrayAgg(this=exp.Order(this=value, expressions=[ordered.copy() for ordered in order]))


def has_found(join: Join, rows: JoinedRows) -> exp.Expr:
    """That a row found a match in every source: a key that matched is not NULL."""
    return exp.and_(*(is_present(rows.columns[step.keys[0].right].copy()) for step in join_steps(join)))
