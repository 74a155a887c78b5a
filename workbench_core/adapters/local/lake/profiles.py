"""Profiles of columns on DuckDB: a few statements for many columns, exact wherever a verdict hangs on the number."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, TypeAlias
from uuid import uuid4

from sqlglot import exp

from workbench_core.adapters.lake_checks.terms import time_literal
from workbench_core.adapters.lake_query import find_column
from workbench_core.adapters.local.lake.carried_rows import CarriedRows
from workbench_core.adapters.local.lake.engine import DIALECT
from workbench_core.adapters.local.lake.text_shapes import LONGEST, Shape, most_common_shape
from workbench_core.adapters.local.lake.watched import Steps
from workbench_core.ports import Column, ColumnProfile, Watch

if TYPE_CHECKING:
    import duckdb

LEVELS = (0.001, 0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99, 0.999)
BINS = 20
TOP = 20  # as many as a rule about a list of values is proposed for
STORED_ROWS = 2_000_000  # rows up to which the columns of one statement are copied into a temporary table
CHUNK = 20  # columns of one statement: more than this, and planning takes longer than reading
STATEMENTS = 7  # about as many read a group of columns; what progress counts
ARMS = 25  # queries put together to one statement
EXACT_QUANTILES = 5_000_000  # rows up to which quantiles are exact; beyond it they are t-digest estimates
COUNTED_VALUES = 1_000_000  # different values up to which they are grouped
NEAR_UNIQUE = 0.9  # the estimate of different values is off by a few per cent
SHAPE_VALUES = 1_000
TEXT_LIMIT = 500
FINITE = 1e150  # beyond it squares leave the range of a double; NaN and the infinities are beyond it too

Record: TypeAlias = "dict[str, object]"


@dataclass(slots=True)
class _Draft:
    """What is known about a column so far; `estimate` is the estimated number of different values."""

    column: Column
    profile: ColumnProfile
    estimate: int = 0
    low: float = 0.0
    high: float = 0.0
    shape: Shape | None = field(default=None)

    @property
    def present(self) -> int:
        return self.profile.rows - self.profile.nulls

    @property
    def value(self) -> str:
        return exp.column(self.column.name, quoted=True).sql(dialect=DIALECT)

    @property
    def number(self) -> str:
        """The value as a number; a time as seconds since 1970, and an endless one as none."""
        return f"epoch({self.value})" if self.column.kind == "time" else f"CAST({self.value} AS DOUBLE)"


def profile(
    cursor: duckdb.DuckDBPyConnection,
    rows: exp.Select,
    columns: Sequence[Column],
    *,
    names: Sequence[str],
    watch: Watch | None = None,
) -> list[ColumnProfile]:
    """Profile the columns of these names (none means all) over all rows.

    Numbers of rows, nulls, lengths and shares are exact. Different values are exact unless there are more than a
    million of them and the column is clearly not unique. Of nested and binary columns only nulls are counted.
    Raises Stopped when `watch` says so.
    """
    carried = CarriedRows.of(rows)
    known = carried.known(columns)
    wanted = [find_column(name, known) for name in names] or known
    chunks = range(0, len(wanted), CHUNK)
    steps = Steps(cursor, watch, total=STATEMENTS * (len(chunks) + 1))
    reader = _Reader(steps)
    with reader.relation(_narrow(carried, wanted), stored=carried.is_costly) as whole:
        total = reader.count(whole)
        drafts = [_Draft(column, _empty(column, total)) for column in wanted]
        for number, start in enumerate(chunks if total else (), start=1):
            steps.done = STATEMENTS * number  # some columns take fewer statements
            chunk = drafts[start : start + CHUNK]
            narrow = whole if carried.is_costly else _narrow(carried, [draft.column for draft in chunk])
            with reader.relation(narrow, stored=not carried.is_costly and total <= STORED_ROWS) as relation:
                _fill(_Source(steps, relation.sql(dialect=DIALECT)), chunk)
    return [draft.profile for draft in drafts]


def _empty(column: Column, rows: int) -> ColumnProfile:
    return ColumnProfile(column.name, column.data_type, column.kind, rows=rows, nulls=0, distinct=0)


def _fill(source: _Source, drafts: Sequence[_Draft]) -> None:
    _add_summaries(source, drafts)
    flat = [draft for draft in drafts if draft.column.kind not in ("nested", "binary") and draft.present]
    _add_values(source, flat)
    _add_histograms(source, [draft for draft in flat if draft.column.kind in ("number", "time")])
    _add_shapes(source, [draft for draft in flat if draft.column.kind == "string"])


# --- reading ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Reader:
    """What the statements read from."""

    steps: Steps

    @contextmanager
    def relation(self, rows: exp.Select, *, stored: bool) -> Iterator[exp.Select]:
        """The rows, or a temporary table of them: a join is worked out once, and a wide file is opened once."""
        if not stored:
            yield rows
            return
        name = f"profiled_{uuid4().hex}"
        try:
            self.steps.run(f"CREATE TEMPORARY TABLE {name} AS {rows.sql(dialect=DIALECT)}")
            yield exp.select("*").from_(exp.to_table(name))
        finally:
            self.steps.cursor.execute(f"DROP TABLE IF EXISTS {name}")

    def count(self, rows: exp.Select) -> int:
        found = self.steps.read(f"SELECT count(*) FROM ({rows.sql(dialect=DIALECT)})")
        return _whole(found.column(0)[0].as_py())


def _narrow(rows: CarriedRows, columns: Sequence[Column]) -> exp.Select:
    return rows.with_columns(column.name for column in columns)


@dataclass(frozen=True, slots=True)
class _Source:
    """A relation, and the two ways it is read."""

    steps: Steps
    rows: str

    @property
    def relation(self) -> str:
        return f"({self.rows})"

    def row(self, expressions: Iterable[str]) -> list[object]:
        """The values of aggregates over all rows."""
        table = self.steps.read(f"SELECT {', '.join(expressions)} FROM {self.relation}")
        return [table.column(place)[0].as_py() for place in range(table.num_columns)]

    def arms(self, queries: Sequence[str]) -> Iterator[Record]:
        """The rows of several queries with the same columns."""
        for start in range(0, len(queries), ARMS):
            together = " UNION ALL ".join(f"({query})" for query in queries[start : start + ARMS])
            yield from self.steps.read(together).to_pylist()


# --- one aggregate over all columns ----------------------------------------------------------------------------------


def _add_summaries(source: _Source, drafts: Sequence[_Draft]) -> None:
    """Nulls, the number of different values by estimate, and what the kind of a column allows."""
    parts = [_summary(draft) for draft in drafts]
    values = iter(source.row(part for group in parts for part in group))
    for draft, group in zip(drafts, parts, strict=True):
        found = [next(values) for _ in group]
        draft.profile = replace(draft.profile, nulls=draft.profile.rows - _whole(found[0]))
        if len(found) > 1 and draft.present:
            draft.estimate = min(_whole(found[1]), draft.present)
            READERS[draft.column.kind](draft, found[2:])


def _summary(draft: _Draft) -> list[str]:
    value, kind = draft.value, draft.column.kind
    if kind in ("nested", "binary"):
        return [f"count({value})"]
    shared = [f"count({value})", f"approx_count_distinct({value})"]
    least_and_most = [f"CAST(min({value}) AS VARCHAR)", f"CAST(max({value}) AS VARCHAR)"]
    if kind == "number":
        return shared + _number_summary(draft)
    if kind == "time":
        now = time_literal(datetime.now(UTC), draft.column).sql(dialect=DIALECT)
        ends = [f"{end}({draft.number})" for end in ("min", "max")]
        return [*shared, *least_and_most, *ends, f"count(*) FILTER ({value} > {now})"]
    if kind == "string":
        text = f"CAST({value} AS VARCHAR)"
        ends = [f"left({end}({text}), {TEXT_LIMIT})" for end in ("min", "max")]
        lengths = [f"{measure}(length({text}))" for measure in ("min", "max", "avg")]
        blank = f"count(*) FILTER ({text} <> '' AND trim({text}, ' ') = '')"  # what a check trims
        return [*shared, *ends, f"count(*) FILTER ({text} = '')", blank, *lengths]
    return shared + least_and_most


def _number_summary(draft: _Draft) -> list[str]:
    value = draft.value
    number = draft.number
    is_inexact = draft.column.data_type.upper() in ("DOUBLE", "FLOAT", "REAL")
    finite = f"FILTER (abs({number}) < {FINITE})" if is_inexact else ""
    quantile = "quantile_cont" if draft.profile.rows <= EXACT_QUANTILES else "approx_quantile"
    return [
        f"CAST(min({value}) {finite} AS VARCHAR)", f"CAST(max({value}) {finite} AS VARCHAR)",
        f"min({number}) {finite}", f"max({number}) {finite}", f"avg({number}) {finite}",
        f"stddev_samp({number}) {finite}", f"{quantile}({number}, {list(LEVELS)}) {finite}",
    ]  # fmt: skip


def _read_number(draft: _Draft, found: Sequence[object]) -> None:
    least, most, low, high, mean, deviation, quantiles = found
    draft.low, draft.high = _decimal(low) or 0.0, _decimal(high) or 0.0
    levels = dict(zip(LEVELS, quantiles, strict=True)) if isinstance(quantiles, list) else None
    draft.profile = replace(
        draft.profile, minimum=_text(least), maximum=_text(most), mean=_decimal(mean),
        deviation=_decimal(deviation), quantiles=levels,
    )  # fmt: skip


def _read_string(draft: _Draft, found: Sequence[object]) -> None:
    least, most, empty, blank, shortest, longest, mean = found
    draft.profile = replace(
        draft.profile, minimum=_text(least), maximum=_text(most), empty=_whole(empty), blank=_whole(blank),
        shortest=_whole(shortest), longest=_whole(longest), mean_length=_decimal(mean),
    )  # fmt: skip


def _read_ends(draft: _Draft, found: Sequence[object]) -> None:
    least, most = (_text(end) for end in found)
    draft.profile = replace(draft.profile, minimum=least, maximum=most)


def _read_time(draft: _Draft, found: Sequence[object]) -> None:
    least, most, low, high, ahead = found
    draft.low, draft.high = _decimal(low) or 0.0, _decimal(high) or 0.0
    first, last = (text and text.replace(" ", "T") for text in (_text(least), _text(most)))
    draft.profile = replace(draft.profile, minimum=first, maximum=last, ahead=_whole(ahead))


READERS: dict[str, Callable[[_Draft, Sequence[object]], None]] = {
    "number": _read_number,
    "string": _read_string,
    "boolean": _read_ends,
    "time": _read_time,
}


# --- values ----------------------------------------------------------------------------------------------------------


def _add_values(source: _Source, drafts: Sequence[_Draft]) -> None:
    """The number of different values, and the most frequent ones."""
    for draft in drafts:
        draft.profile = replace(draft.profile, distinct=draft.estimate)
    nearly = [draft for draft in drafts if draft.estimate >= NEAR_UNIQUE * draft.present and draft.estimate > TOP]
    counts = source.row(f"count(DISTINCT {draft.value})" for draft in nearly) if nearly else []
    for draft, count in zip(nearly, counts, strict=True):
        draft.profile = replace(draft.profile, distinct=_whole(count))
    repeated = [draft for draft in nearly if draft.profile.distinct != draft.present]
    grouped = [draft for draft in drafts if draft not in nearly and draft.estimate <= COUNTED_VALUES]
    _add_top_values(source, [*repeated, *grouped])


def _add_top_values(source: _Source, drafts: Sequence[_Draft]) -> None:
    found: dict[int, list[tuple[str, int]]] = {}
    arms = [_top_values(source, place, draft.value) for place, draft in enumerate(drafts)]
    for record in source.arms(arms):
        place = _whole(record["place"])
        drafts[place].profile = replace(drafts[place].profile, distinct=_whole(record["groups"]))
        found.setdefault(place, []).append((str(record["text"]), _whole(record["number"])))
    for place, values in found.items():
        ordered = tuple(sorted(values, key=lambda value: (-value[1], value[0])))
        drafts[place].profile = replace(drafts[place].profile, top_values=ordered)


def _top_values(source: _Source, place: int, value: str) -> str:
    text = f"left(CAST(each AS VARCHAR), {TEXT_LIMIT})"
    return (
        f"WITH grouped AS (SELECT {value} AS each, count(*) AS number FROM {source.relation} "
        f"WHERE {value} IS NOT NULL GROUP BY {value}) "
        f"SELECT {place} AS place, {text} AS text, number, (SELECT count(*) FROM grouped) AS groups "
        f"FROM grouped ORDER BY number DESC, each LIMIT {TOP}"
    )


# --- histograms ------------------------------------------------------------------------------------------------------


def _add_histograms(source: _Source, drafts: Sequence[_Draft]) -> None:
    """Bins of one width between the least and the greatest value; numbers and times without end are left out."""
    arms = [_bins(source, place, draft) for place, draft in enumerate(drafts) if draft.profile.minimum is not None]
    found: dict[int, dict[int, int]] = {}
    for record in source.arms(arms):
        found.setdefault(_whole(record["place"]), {})[_whole(record["bin"])] = _whole(record["number"])
    for place, counts in found.items():
        draft = drafts[place]
        number = BINS if draft.high > draft.low else 1
        edges = [draft.low + (draft.high - draft.low) * edge / number for edge in range(number)] + [draft.high]
        bins = tuple((edges[bin], edges[bin + 1], counts.get(bin, 0)) for bin in range(number))
        draft.profile = replace(draft.profile, histogram=bins)


def _bins(source: _Source, place: int, draft: _Draft) -> str:
    number = draft.number
    low, width = f"CAST('{draft.low!r}' AS DOUBLE)", f"CAST('{(draft.high - draft.low) / BINS!r}' AS DOUBLE)"
    bin = f"least(CAST(floor(({number} - {low}) / {width}) AS INTEGER), {BINS - 1})" if draft.high > draft.low else "0"
    return (
        f"SELECT {place} AS place, {bin} AS bin, count(*) AS number FROM {source.relation} "
        f"WHERE abs({number}) < {FINITE} GROUP BY ALL"
    )


# --- shapes of texts -------------------------------------------------------------------------------------------------


def _add_shapes(source: _Source, drafts: Sequence[_Draft]) -> None:
    """Find the shape on up to about a thousand different values, then count on all rows how many it describes."""
    arms = [_shape_values(source, place, draft) for place, draft in enumerate(drafts)]
    values: dict[int, list[tuple[str, int]]] = {}
    for record in source.arms(arms):
        values.setdefault(_whole(record["place"]), []).append((str(record["text"]), _whole(record["number"])))
    for place, draft in enumerate(drafts):
        draft.shape = most_common_shape(values.get(place, ()))
    shaped = [(draft, draft.shape) for draft in drafts if draft.shape is not None]
    counts = source.row(_matching(draft, shape) for draft, shape in shaped) if shaped else []
    for (draft, shape), count in zip(shaped, counts, strict=True):
        share = _whole(count) / draft.present
        draft.profile = replace(draft.profile, pattern=shape.pattern, pattern_regex=shape.regex, pattern_share=share)


def _shape_values(source: _Source, place: int, draft: _Draft) -> str:
    """Values with their rows: all, or those whose hash says so, which does not depend on the order of the rows."""
    every = math.ceil(draft.profile.distinct / SHAPE_VALUES)
    chosen = f" AND hash({draft.value}) % {every} = 0" if every > 1 else ""
    return (
        f"SELECT {place} AS place, left(CAST({draft.value} AS VARCHAR), {LONGEST + 1}) AS text, count(*) AS number "
        f"FROM {source.relation} WHERE {draft.value} IS NOT NULL{chosen} GROUP BY ALL"
    )


def _matching(draft: _Draft, shape: Shape) -> str:
    pattern = exp.Literal.string(shape.regex).sql(dialect=DIALECT)
    return f"count(*) FILTER (regexp_full_match(CAST({draft.value} AS VARCHAR), {pattern}))"


def _whole(value: object) -> int:
    if not isinstance(value, int):
        raise TypeError(f"a count is {type(value)}")
    return value


def _decimal(value: object) -> float | None:
    return float(value) if isinstance(value, int | float) and math.isfinite(value) else None


def _text(value: object) -> str | None:
    return None if value is None else str(value)
