"""The types of columns that a file gives as text: the first one that keeps every value as it was typed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import duckdb

SAMPLE_ROWS = 2000
SAMPLE_CELLS = 100_000  # of a wide table fewer rows are looked at first
WIDE = 60  # columns; above, one row per value is checked: an expression per column and type takes minutes to plan

# 007, +1 or a number of 20 digits stay text.
TYPES = {
    "BIGINT": "CAST(TRY_CAST({value} AS BIGINT) AS VARCHAR) = {value}",
    "DOUBLE": "regexp_full_match({value}, '-?(0|[1-9][0-9]{{0,17}})?([.][0-9]+)?([eE][-+]?[0-9]{{1,3}})?')"
    " AND isfinite(TRY_CAST({value} AS DOUBLE))",
    "BOOLEAN": "lower({value}) IN ('true', 'false')",
    "DATE": "CAST(TRY_CAST({value} AS DATE) AS VARCHAR) = {value}",
    "TIMESTAMP": "regexp_full_match({value}, '[0-9]{{4}}-[0-9]{{2}}-[0-9]{{2}}[ T][0-9:.]{{5,15}}')"
    " AND TRY_CAST({value} AS TIMESTAMP) IS NOT NULL",
    "TIMESTAMP WITH TIME ZONE": "regexp_full_match({value},"
    " '[0-9]{{4}}-[0-9]{{2}}-[0-9]{{2}}[ T][0-9:.]{{5,15}} ?(Z|[-+][0-9]{{2}}(:?[0-9]{{2}})?)')"
    " AND TRY_CAST({value} AS TIMESTAMPTZ) IS NOT NULL",
}
NUMBERS = ("BIGINT", "DOUBLE")
TIMES = ("DATE", "TIMESTAMP", "TIMESTAMP WITH TIME ZONE")


def column_types(
    cursor: duckdb.DuckDBPyConnection, rows: str, candidates: Mapping[str, Sequence[str]]
) -> dict[str, str]:
    """The type of each column of a query of texts: guessed from the first rows, then held against all of them.

    `candidates` names the columns with the types that each may have; VARCHAR is what remains, also for a column
    without any value.
    """
    asked = {name: tuple(types) for name, types in candidates.items() if types}
    sample = min(SAMPLE_ROWS, SAMPLE_CELLS // max(len(asked), 1))
    guessed = _fitting(cursor, f"SELECT * FROM ({rows}) LIMIT {sample}", asked, unknown_fits=True)
    fitting = _fitting(cursor, rows, guessed, unknown_fits=False)
    return {name: (*fitting.get(name, ()), "VARCHAR")[0] for name in candidates}


def quoted(name: str) -> str:
    """A column name for DuckDB; by hand, because a table of 2,000 columns asks for it 20,000 times."""
    escaped = name.replace('"', '""')
    return f'"{escaped}"'


def literal(text: str) -> str:
    """A text for DuckDB."""
    escaped = text.replace("'", "''")
    return f"'{escaped}'"


def _fitting(
    cursor: duckdb.DuckDBPyConnection, rows: str, candidates: Mapping[str, tuple[str, ...]], *, unknown_fits: bool
) -> dict[str, tuple[str, ...]]:
    """The types that keep every value, columns that have none left out; without any value all of them or none."""
    if not candidates:
        return {}
    verdicts = (
        _verdicts_of_wide(cursor, rows, candidates) if len(candidates) > WIDE else _verdicts(cursor, rows, candidates)
    )
    fitting = {
        name: tuple(data_type for data_type in types if _fits(verdicts.get((name, data_type)), unknown_fits))
        for name, types in candidates.items()
    }
    return {name: types for name, types in fitting.items() if types}


def _fits(verdict: bool | None, unknown_fits: bool) -> bool:
    return unknown_fits if verdict is None else verdict


def _verdicts(
    cursor: duckdb.DuckDBPyConnection, rows: str, candidates: Mapping[str, tuple[str, ...]]
) -> dict[tuple[str, str], bool | None]:
    """For each column and type whether all values fit; None without any value."""
    checks = [(name, data_type) for name, types in candidates.items() for data_type in types]
    asked = ", ".join(_check(quoted(name), data_type) for name, data_type in checks)
    values = cursor.sql(f"SELECT COUNT(*), {asked} FROM ({rows})").fetchall()[0][1:]
    return dict(zip(checks, values, strict=True))


def _verdicts_of_wide(
    cursor: duckdb.DuckDBPyConnection, rows: str, candidates: Mapping[str, tuple[str, ...]]
) -> dict[tuple[str, str], bool | None]:
    """The same with one row per value, for each set of types that columns share."""
    groups: dict[tuple[str, ...], list[str]] = {}
    for name, types in candidates.items():
        groups.setdefault(types, []).append(name)
    verdicts: dict[tuple[str, str], bool | None] = {}
    for types, names in groups.items():
        asked = ", ".join(_check("value", data_type) for data_type in types)
        columns = ", ".join(f"{quoted(name)} AS {quoted(f'c{number}')}" for number, name in enumerate(names))
        values = f"UNPIVOT (SELECT {columns} FROM ({rows})) ON COLUMNS(*) INTO NAME place VALUE value"
        for place, *fits in cursor.sql(f"SELECT place, {asked} FROM ({values}) GROUP BY place").fetchall():
            name = names[int(place[1:])]
            verdicts.update({(name, data_type): fit for data_type, fit in zip(types, fits, strict=True)})
    return verdicts


def _check(value: str, data_type: str) -> str:
    return f"bool_and(COALESCE({TYPES[data_type].format(value=value)}, FALSE)) FILTER (WHERE {value} IS NOT NULL)"
