"""The types of columns that a file gives as text: the first one that keeps every value as it was typed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import duckdb

SAMPLE_ROWS = 2000
SAMPLE_CELLS = 100_000  # of a wide table fewer rows are looked at first
WIDE = 60  # columns; above, one row per value is checked: an expression per column and type takes minutes to plan

WHOLE = "-?(0|[1-9][0-9]{{0,17}})?"  # 007, +1 or a number of 20 digits stay text
LIKE_NUMBER = f"regexp_full_match({{value}}, '{WHOLE}([.][0-9]+)?([eE][-+]?[0-9]{{{{1,3}}}})?')"
# 12E3 is rather a code: programs write 1.2e4, 1e+16 and 1e-05
NO_CODE = f"regexp_full_match({{value}}, '{WHOLE}([.][0-9]+([eE][-+]?[0-9]{{{{1,3}}}})?|[eE][-+][0-9]{{{{1,3}}}})?')"
# Digits begin with the first that is not 0. What was typed is kept when the DOUBLE has the same ones in its shortest
# text or, of programs that write more, in a text of as many digits; one of 1e-999 has none.
DIGITS = "ltrim(replace(regexp_replace({value}, '[eE].*', ''), '.', ''), '-0')"
NUMBER = "TRY_CAST({value} AS DOUBLE)"
SHORTEST = f"CAST({NUMBER} AS VARCHAR)"
WITH_AS_MANY = f"printf('%.' || greatest(length({DIGITS}) - 1, 0) || 'e', abs({NUMBER}))"
SAME_DIGITS = (
    f"CASE WHEN length({{value}}) <= 15 AND (abs({NUMBER}) > 1e-300 OR NOT contains(lower({{value}}), 'e')) THEN TRUE"
    f" WHEN length({{value}}) > 100 THEN FALSE WHEN {SHORTEST} = {{value}} THEN TRUE"
    f" WHEN rtrim({DIGITS}, '0') = rtrim({DIGITS.format(value=SHORTEST)}, '0') THEN TRUE"
    f" ELSE {DIGITS} = regexp_replace(replace({WITH_AS_MANY}, '.', ''), 'e.*', '') END"
)
IS_DOUBLE = f"isfinite({NUMBER}) AND {SAME_DIGITS}"
TIME = "[0-9]{{4}}-[0-9]{{2}}-[0-9]{{2}}[ T][0-9:.]{{5,15}}"
ZONE = "(Z|[-+]((0[0-9]|1[0-7])(:?[0-5][0-9])?|18(:?00)?))"  # no place on earth is further from UTC

TYPES = {
    "BIGINT": "CAST(TRY_CAST({value} AS BIGINT) AS VARCHAR) = {value}",
    "DOUBLE": f"{NO_CODE} AND {IS_DOUBLE}",
    "BOOLEAN": "lower({value}) IN ('true', 'false')",
    "DATE": "length({value}) = 10 AND CAST(TRY_CAST({value} AS DATE) AS VARCHAR) = {value}",
    "TIMESTAMP": f"regexp_full_match({{value}}, '{TIME}') AND TRY_CAST({{value}} AS TIMESTAMP) IS NOT NULL",
    "TIMESTAMP WITH TIME ZONE": f"regexp_full_match({{value}}, '{TIME} ?{ZONE}')"
    " AND TRY_CAST({value} AS TIMESTAMPTZ) IS NOT NULL",
}
CHECKS = {
    **TYPES,
    "NUMBER": f"{LIKE_NUMBER} AND {IS_DOUBLE}",  # what needs no quotes is no code
    "LIKE NUMBER": LIKE_NUMBER,
}
NO_EMPTY_TEXT = "NO EMPTY TEXT"
NUMBERS = ("BIGINT", "NUMBER")
TIMES = ("DATE", "TIMESTAMP", "TIMESTAMP WITH TIME ZONE")
MOST_DIGITS = 38  # of a DECIMAL


@dataclass(frozen=True, slots=True)
class ColumnTypes:
    """The type of each column, which ones look like numbers but stay text to keep every value, and which have gaps.

    `with_empty_texts` are columns of another type in which an empty text stands for no value.
    """

    types: Mapping[str, str]
    kept_as_text: tuple[str, ...] = ()
    with_empty_texts: frozenset[str] = frozenset()

    @property
    def notes(self) -> tuple[str, ...]:
        """What is told about columns that look like numbers."""
        if not self.kept_as_text:
            return ()
        have, stay = ("has", "it stays") if len(self.kept_as_text) == 1 else ("have", "they stay")
        return (
            f"{listed(self.kept_as_text)} {have} values that no number type keeps as they were typed; {stay} text.",
        )


def column_types(
    cursor: duckdb.DuckDBPyConnection,
    rows: str,
    candidates: Mapping[str, Sequence[str]],
    *,
    are_empty_texts_gaps: bool = False,
) -> ColumnTypes:
    """The type of each column of a query of texts: guessed from the first rows, then held against all of them.

    `candidates` names the columns with the types that each may have; numbers that no DOUBLE keeps become DECIMAL.
    VARCHAR is what remains, also for a column without any value. `are_empty_texts_gaps` says that an empty text among
    numbers or times stands for no value.
    """
    asked = {name: (*types, *_like_number(types)) for name, types in candidates.items() if types}
    sample = min(SAMPLE_ROWS, SAMPLE_CELLS // max(len(asked), 1))
    guessed = _Texts(cursor, f"SELECT * FROM ({rows}) LIMIT {sample}", are_empty_texts_gaps).guessed(asked)
    every = _Texts(cursor, rows, are_empty_texts_gaps)
    found, with_empty_texts = every.settled(guessed)
    decimals = every.decimals([name for name, data_type in found.items() if data_type == "LIKE NUMBER"])
    types = {"NUMBER": "DOUBLE", "LIKE NUMBER": "VARCHAR"}
    return ColumnTypes(
        {
            name: decimals.get(name) or types.get(data_type := found.get(name, "VARCHAR"), data_type)
            for name in candidates
        },
        tuple(name for name, data_type in decimals.items() if not data_type),
        with_empty_texts - {name for name, data_type in decimals.items() if not data_type},
    )


def _like_number(types: Sequence[str]) -> tuple[str, ...]:
    return ("LIKE NUMBER",) if {"DOUBLE", "NUMBER"} & set(types) else ()


def listed(names: Sequence[str]) -> str:
    """Some names in quotes, at most five of them written out."""
    more = f" and {len(names) - 5:,} more" if len(names) > 5 else ""
    return f"{', '.join(f'“{name}”' for name in names[:5])}{more}"


def quoted(name: str) -> str:
    """A column name for DuckDB; by hand, because a table of 2,000 columns asks for it 20,000 times."""
    escaped = name.replace('"', '""')
    return f'"{escaped}"'


def literal(text: str) -> str:
    """A text for DuckDB."""
    escaped = text.replace("'", "''")
    return f"'{escaped}'"


@dataclass(frozen=True, slots=True)
class _Texts:
    """A query of texts, and whether an empty one is no value."""

    cursor: duckdb.DuckDBPyConnection
    rows: str
    are_empty_texts_gaps: bool

    def guessed(self, candidates: Mapping[str, tuple[str, ...]]) -> dict[str, tuple[str, ...]]:
        """The types that keep every value; all of them without any value."""
        verdicts = self._verdicts(candidates)
        return {
            name: tuple(data_type for data_type in types if verdicts.get((name, data_type)) is not False)
            for name, types in candidates.items()
        }

    def settled(self, guessed: Mapping[str, tuple[str, ...]]) -> tuple[dict[str, str], frozenset[str]]:
        """The first type that keeps every value, and which of these columns have empty texts for gaps.

        Columns without a type or without any value are left out.

        Each pass over the rows looks at one type of each column that is left: nearly always the first guess holds.
        """
        settled: dict[str, str] = {}
        with_empty_texts: set[str] = set()
        also = (NO_EMPTY_TEXT,) if self.are_empty_texts_gaps else ()
        left = {name: types for name, types in guessed.items() if types}
        while left:
            verdicts = self._verdicts({name: (types[0], *also) for name, types in left.items()})
            new = {name: types[0] for name, types in left.items() if verdicts.get((name, types[0]))}
            settled |= new
            with_empty_texts |= {name for name in new if verdicts.get((name, NO_EMPTY_TEXT)) is False}
            left = {
                name: types[1:]
                for name, types in left.items()
                if len(types) > 1 and verdicts.get((name, types[0])) is False
            }
        return settled, frozenset(with_empty_texts)

    def decimals(self, names: Sequence[str]) -> dict[str, str]:
        """The DECIMAL that keeps every value of columns that hold nothing but numbers; empty where there is none."""
        if not names:
            return {}
        asked = (
            "bool_or(contains(lower(value), 'e')), "
            "max(length(ltrim(split_part(value, '.', 1), '-0'))), max(length(split_part(value, '.', 2)))"
        )
        found = dict.fromkeys(names, "")
        for place, has_exponent, whole, part in self._by_column(names, asked):
            digits = max(whole, 1) + part  # DuckDB writes .5 where there is no digit before the point
            if not has_exponent and digits <= MOST_DIGITS:
                found[names[int(place[1:])]] = f"DECIMAL({digits},{part})"
        return found

    def _verdicts(self, candidates: Mapping[str, tuple[str, ...]]) -> dict[tuple[str, str], bool | None]:
        """For each column and type whether all values fit; None or nothing without any value."""
        if not candidates:
            return {}
        return self._verdicts_of_wide(candidates) if len(candidates) > WIDE else self._verdicts_of_few(candidates)

    def _verdicts_of_few(self, candidates: Mapping[str, tuple[str, ...]]) -> dict[tuple[str, str], bool | None]:
        """The same with one expression per column and type."""
        checks = [(name, data_type) for name, types in candidates.items() for data_type in types]
        asked = ", ".join(self._check(quoted(name), data_type) for name, data_type in checks)
        values = self.cursor.sql(f"SELECT COUNT(*), {asked} FROM ({self.rows})").fetchall()[0][1:]
        return dict(zip(checks, values, strict=True))

    def _verdicts_of_wide(self, candidates: Mapping[str, tuple[str, ...]]) -> dict[tuple[str, str], bool | None]:
        """The same with one row per value, for each set of types that columns share."""
        groups: dict[tuple[str, ...], list[str]] = {}
        for name, types in candidates.items():
            groups.setdefault(types, []).append(name)
        verdicts: dict[tuple[str, str], bool | None] = {}
        for types, names in groups.items():
            asked = ", ".join(self._check("value", data_type) for data_type in types)
            for place, *fits in self._by_column(names, asked):
                name = names[int(place[1:])]
                verdicts.update({(name, data_type): fit for data_type, fit in zip(types, fits, strict=True)})
        return verdicts

    def _by_column(self, names: Sequence[str], asked: str) -> list[tuple[Any, ...]]:
        """What is asked of `value`, per column that has one: c0, c1, ... by the place of its name, then the answers."""
        columns = ", ".join(f"{quoted(name)} AS {quoted(f'c{number}')}" for number, name in enumerate(names))
        values = f"UNPIVOT (SELECT {columns} FROM ({self.rows})) ON COLUMNS(*) INTO NAME place VALUE value"
        return self.cursor.sql(f"SELECT place, {asked} FROM ({values}) GROUP BY place").fetchall()

    def _check(self, value: str, data_type: str) -> str:
        if data_type == NO_EMPTY_TEXT:
            return f"bool_and({value} <> '')"
        is_there = f"{value} <> ''" if self.are_empty_texts_gaps else f"{value} IS NOT NULL"
        return f"bool_and(COALESCE({CHECKS[data_type].format(value=value)}, FALSE)) FILTER (WHERE {is_there})"
