"""What a query reads from: a table or volume as the engine sees it, or the rows of a join."""

from __future__ import annotations

from dataclasses import dataclass

from sqlglot import exp

from workbench_core.ports import Column

ITEM_REF = "item_ref"
SOURCE = "source"
REFS = exp.select(ITEM_REF).from_("item_refs")
EXCLUDED_REFS = exp.select(ITEM_REF).from_("excluded_refs")


@dataclass(frozen=True, slots=True)
class SourceTable:
    """One table or volume. `relation` stands in FROM; `row_key` names the engine's own number of a row, if any."""

    relation: exp.Expr
    columns: tuple[Column, ...]
    row_key: str = ""


@dataclass(frozen=True, slots=True)
class QuerySource:
    """What a query reads. `relation` stands in FROM; `refs` and `excluded_refs` select the identifiers of a Selection.

    `row_key` names a column with the number of the row in the table (or in the primary source of a join). It is
    unique unless `is_joined`, where one row may come several times. `ties` are the columns that put rows of the same
    identifier in order.
    """

    relation: exp.Expr
    columns: tuple[Column, ...]
    dialect: str
    refs: exp.Select = REFS
    row_key: str = ""
    is_joined: bool = False
    ties: tuple[exp.Expr, ...] = ()
    excluded_refs: exp.Select = EXCLUDED_REFS


def table_source(table: SourceTable, *, dialect: str) -> QuerySource:
    """A query source of one table."""
    if table.row_key:
        ties = (source_column(table.row_key),)
        return QuerySource(table.relation, table.columns, dialect, row_key=table.row_key, ties=ties)
    return QuerySource(table.relation, table.columns, dialect, ties=ties_of(table.columns, prefix=""))


def ties_of(columns: tuple[Column, ...], *, prefix: str) -> tuple[exp.Expr, ...]:
    """All columns of a source that has no row key: rows that are equal in all of them need no order."""
    return tuple(in_order(source_column(prefix + column.name), column) for column in columns)


def in_order(value: exp.Expr, column: Column) -> exp.Expr:
    """What a column is sorted by; a nested value by its text, since not every nested type has an order."""
    return as_text(value) if column.kind == "nested" else value


def source_column(name: str) -> exp.Column:
    """A column of what a query reads."""
    return exp.column(name, table=SOURCE, quoted=True)


def as_text(value: exp.Expr) -> exp.Expr:
    """The text of a value."""
    return exp.Cast(this=value, to=exp.DataType.build("text"))


def is_present(value: exp.Expr) -> exp.Expr:
    """That a value is not NULL."""
    return exp.Not(this=exp.Is(this=value, expression=exp.Null()))


def aliased(relation: exp.Expr, alias: str) -> exp.Expr:
    """A relation under a quoted alias, to stand in FROM or JOIN."""
    return exp.alias_(relation.copy(), alias, table=True, quoted=True, copy=False)
