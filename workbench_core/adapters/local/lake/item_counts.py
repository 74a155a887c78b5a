"""How many items, values and classes there are: counted by the engine, a few columns in a statement."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from workbench_core.adapters import lake_query
from workbench_core.adapters.local.lake.sources import Reading
from workbench_core.ports import IdentifierCheck, Selection

MOST_TOGETHER = 20  # columns of one statement: their distinct values are held in memory at once
VALUES_TOGETHER = 2_000_000


def check_identifiers(reading: Reading, columns: Sequence[str]) -> Iterator[IdentifierCheck]:
    """Rows, nulls and duplicates of columns, one after the other; no column is read before somebody asks for it."""
    waiting = [lake_query.find_column(name, reading.source.columns) for name in columns]
    together = 1  # until the number of rows is known
    while waiting:
        now, waiting = waiting[:together], waiting[together:]
        using = reading.using(frozenset(column.name for column in now))
        rows, *counts = reading.cursor.sql(lake_query.identifiers_query(using, now)).fetchall()[0]
        for column, present, distinct in zip(now, counts[::2], counts[1::2], strict=True):
            yield IdentifierCheck(column.name, rows, nulls=rows - present, duplicates=present - distinct)
        together = max(1, min(MOST_TOGETHER, VALUES_TOGETHER // max(rows, 1)))


def count_items(reading: Reading, selection: Selection) -> int:
    """How many different items the rows of a selection belong to."""
    query = lake_query.items_query(selection, reading.deciding(selection))
    return int(reading.cursor.sql(query).fetchall()[0][0])


def classes(reading: Reading, selection: Selection, column: str) -> list[tuple[str | None, int]]:
    """The values of a column in a selection with their rows, the most frequent first."""
    name = lake_query.find_column(column, reading.source.columns).name
    source = reading.using(lake_query.used_columns(selection, reading.source) | {name})
    return reading.cursor.sql(lake_query.classes_query(selection, source, name)).fetchall()
