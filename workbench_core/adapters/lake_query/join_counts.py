"""How well a join matches, and how the values of two columns meet, as one query each (JN-1, JN-2)."""

from __future__ import annotations

from collections.abc import Mapping

from sqlglot import exp

from workbench_core.adapters.lake_query.join_checks import checked_join
from workbench_core.adapters.lake_query.joins import has_found, joined_rows
from workbench_core.adapters.lake_query.key_values import comparable
from workbench_core.adapters.lake_query.names import find_column
from workbench_core.adapters.lake_query.sources import SourceTable, aliased, as_text, is_present
from workbench_core.errors import Invalid
from workbench_core.ports import ColumnRef, Join

SEED = 42
SIDES = ("left", "right")


def stats_query(join: Join, tables: Mapping[str, SourceTable], item_id_column: str, *, dialect: str) -> str:
    """Primary identifiers, matched ones, rows of the result, those that belong to a matched identifier, and repeats.

    An identifier is matched when one of its rows found something in every other source.
    """
    exact = checked_join(join, tables)
    identifier = _identifier(exact, item_id_column)
    rows = joined_rows(exact, tables, dialect=dialect, used=frozenset())
    item_ref = as_text(rows.columns[identifier].copy())
    hits = exp.CountIf(this=has_found(exact, rows))
    items = rows.query.select(
        exp.alias_(item_ref, "item_ref"), exp.alias_(exp.Count(this=exp.Star()), "row_count"), exp.alias_(hits, "hits")
    ).group_by(item_ref.copy())
    primary = tables[identifier.alias].relation
    distinct = exp.Distinct(expressions=[as_text(exp.column(identifier.column, table=identifier.alias, quoted=True))])
    primary_rows = exp.select(exp.Count(this=distinct)).from_(aliased(primary, identifier.alias)).subquery()
    is_matched = "item_ref IS NOT NULL AND hits > 0"
    query = exp.select(
        primary_rows,
        f"COUNT(*) FILTER (WHERE {is_matched})",
        "COALESCE(SUM(row_count), 0)",
        f"COALESCE(SUM(row_count) FILTER (WHERE {is_matched}), 0)",
        "COALESCE(SUM(row_count - 1) FILTER (WHERE item_ref IS NOT NULL), 0)",
    ).from_(items.subquery("items"))
    return query.sql(dialect=dialect)


def _identifier(join: Join, name: str) -> ColumnRef:
    """The column of the primary source that the identifier is."""
    primary = join.primary
    refs = [ColumnRef(primary.alias, column) for column in primary.columns or ()]
    found = [ref for ref in refs if ref.name == name] or [ref for ref in refs if ref.name.casefold() == name.casefold()]
    if len(found) == 1:
        return found[0]
    raise Invalid(
        f"“{name[:200]}” is not a column of the primary source “{primary.alias}”.",
        hint=f"The identifier of a join is a column of its primary source, such as {refs[0].name}."
        if refs
        else f"Choose the columns of “{primary.alias}” first.",
    )


def comparison_query(
    left: SourceTable, left_column: str, right: SourceTable, right_column: str, *, sample: int, dialect: str
) -> str:
    """Values in both samples and in each, sampled left values that the right side holds, and per side its distinct
    values and whether each comes once.

    Both samples are the values with the lowest MD5, so that equal values are drawn on both sides or on neither. That
    makes the overlap of samples an estimate of the overlap of the whole.
    """
    tables = {"left": left, "right": right}
    names = {"left": find_column(left_column, left.columns), "right": find_column(right_column, right.columns)}
    values = comparable(
        names["left"],
        exp.column(names["left"].name, table="left", quoted=True),
        names["right"],
        exp.column(names["right"].name, table="right", quoted=True),
        by_text=True,
    )
    query = exp.select(
        "(SELECT COUNT(*) FROM left_sample WHERE value IN (SELECT value FROM right_sample))",
        "(SELECT COUNT(*) FROM left_sample)",
        "(SELECT COUNT(*) FROM right_sample)",
        "(SELECT COUNT(*) FROM left_sample WHERE value IN (SELECT value FROM right_values))",
        *(f"(SELECT COUNT(*) FROM {side}_values)" for side in SIDES),
        *(f"(SELECT COALESCE(MAX(row_count), 0) <= 1 FROM {side}_values)" for side in SIDES),
    )
    for side, value in zip(SIDES, values, strict=True):
        counted = exp.select(exp.alias_(value, "value"), exp.alias_(exp.Count(this=exp.Star()), "row_count"))
        counted = (
            counted.from_(aliased(tables[side].relation, side)).where(is_present(value.copy())).group_by(value.copy())
        )
        drawn = exp.select("value").from_(f"{side}_values").order_by(f"MD5('{SEED}:' || value)", "value").limit(sample)
        query = query.with_(f"{side}_values", as_=counted).with_(f"{side}_sample", as_=drawn)
    return query.sql(dialect=dialect)
