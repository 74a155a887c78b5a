"""Checks of rows on DuckDB: one pass over the data for all of them, the failing rows kept aside and counted there.

Keys that repeat and keys of other tables are worked out first, into small tables that the pass is joined with.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING
from uuid import uuid4

import duckdb
from sqlglot import exp

from workbench_core.adapters.lake_checks import LOOKUP, ROWS, CompiledCheck, Scope, Tables, compile_check
from workbench_core.adapters.local.lake.carried_rows import ITEM_REF, CarriedRows
from workbench_core.adapters.local.lake.engine import DIALECT, WRONG_INPUT, first_line
from workbench_core.adapters.local.lake.watched import Steps
from workbench_core.errors import Invalid, WorkbenchError
from workbench_core.ports import CheckCount, CheckReport, Column, RowCheck, Watch

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

ARMS = 100  # checks whose failures one statement reads


# --- before a run ----------------------------------------------------------------------------------------------------


def check_problems(
    cursor: duckdb.DuckDBPyConnection,
    rows: exp.Select,
    columns: Sequence[Column],
    checks: Sequence[RowCheck],
    *,
    tables: Tables,
) -> list[str]:
    """For each check the sentences that say why it cannot run on these rows; empty when it can. Reads no data."""
    carried = CarriedRows.of(rows)
    scope = _scope(carried, columns, tables)
    return [_problem(cursor, carried, check, scope) for check in checks]


def _problem(cursor: duckdb.DuckDBPyConnection, rows: CarriedRows, check: RowCheck, scope: Scope) -> str:
    try:
        _check_binding(cursor, rows, compile_check(check, scope))
    except WorkbenchError as error:
        return f"{error.message} {error.hint}".strip()
    return ""


def _check_binding(cursor: duckdb.DuckDBPyConnection, rows: CarriedRows, compiled: CompiledCheck) -> None:
    """Let DuckDB bind the conditions of a check without running them. Raises Invalid with its message."""
    bare = compiled.fails.this if isinstance(compiled.fails, exp.Not) else compiled.fails  # NOT takes numbers too
    conditions = {"condition": bare, "filter": compiled.applies or exp.true()}
    lookups = [] if compiled.lookup is None else [(compiled.lookup.query, compiled.lookup.on)]
    query = exp.select(*(value.copy() for value in (*conditions.values(), compiled.value))).from_(ROWS)
    for keys, on in lookups:
        query = query.join(keys.subquery(LOOKUP), on=on, join_type="left")
    try:
        found = cursor.sql(_with_rows(query, rows).limit(0).sql(dialect=DIALECT))
    except WRONG_INPUT as error:
        raise _refused(compiled.check, error) from error
    for (what, _), data_type in zip(conditions.items(), found.types, strict=False):
        if str(data_type) != "BOOLEAN":
            raise Invalid(
                f"The {what} of {compiled.check.function} gives {data_type} instead of true or false.",
                hint="Compare the value with something, for example price > 10.",
            )


def _refused(check: RowCheck, error: duckdb.Error) -> Invalid:
    if check.function == "regex_match" and isinstance(error, duckdb.InvalidInputException):
        return Invalid(
            f"The regular expression cannot be read: {first_line(error)}.",
            hint="Look-arounds and back references are not supported.",
        )
    return Invalid(
        f"{check.function} cannot run on these rows: {first_line(error)}.", hint="Check columns, values and types."
    )


def distinct_texts(cursor: duckdb.DuckDBPyConnection, rows: exp.Select, column: str, *, limit: int) -> list[str]:
    """The different values of a column over these rows as text, in order; nulls are left out."""
    name = exp.column(column, quoted=True)
    text = exp.cast(name.copy(), "text")
    values = CarriedRows.of(rows).with_columns([column]).subquery()
    query = exp.select(exp.alias_(text, "value")).distinct().from_(values)
    query = query.where(exp.not_(exp.Is(this=name, expression=exp.Null()))).order_by("value").limit(limit)
    return [str(value) for (value,) in cursor.sql(query.sql(dialect=DIALECT)).fetchall()]


# --- a run -----------------------------------------------------------------------------------------------------------


def check_rows(
    cursor: duckdb.DuckDBPyConnection,
    rows: exp.Select,
    columns: Sequence[Column],
    checks: Sequence[RowCheck],
    *,
    tables: Tables,
    limit: int,
    watch: Watch | None,
) -> CheckReport:
    """Run all checks over the rows.

    When there are more failures than `limit`, no check loses all of its own: what fits is shared out evenly, and of
    each check the first by item_ref are kept. Raises Invalid for a check that cannot run, Stopped.
    """
    carried = CarriedRows.of(rows)
    scope = _scope(carried, columns, tables)
    compiled = [compile_check(check, scope) for check in checks]
    for each in compiled:
        if each.applies is not None or each.check.function == "sql_expression":
            _check_binding(cursor, carried, each)  # only what a person writes as SQL can be no condition
    steps = Steps(cursor, watch, total=4 + sum(each.lookup is not None for each in compiled))
    with _temporary_tables(cursor) as new_table:
        try:
            return _Run(steps, _read_once(steps, carried, compiled, new_table), compiled, new_table).report(limit)
        except WRONG_INPUT as error:
            raise _failed_while_running(cursor, carried, compiled, error) from error


def _read_once(
    steps: Steps, rows: CarriedRows, compiled: Sequence[CompiledCheck], new_table: Callable[[str], str]
) -> CarriedRows:
    """The rows for several statements to read: a join or a sample is worked out once, into a table of its own."""
    if not (rows.is_costly and any(each.lookup or each.applies for each in compiled)):
        return rows
    names = _columns_read(compiled)
    name = new_table("rows")
    steps.total += 1
    steps.run(_create(name, rows.with_columns(names)))
    columns = [exp.column(each, quoted=True) for each in dict.fromkeys((ITEM_REF, *names))]
    return CarriedRows.of(exp.select(*columns).from_(exp.to_table(name)))


@dataclass(frozen=True, slots=True)
class _Run:
    """One run: the rows, the checks, and the names of its temporary tables."""

    steps: Steps
    rows: CarriedRows
    compiled: Sequence[CompiledCheck]
    new_table: Callable[[str], str]

    def report(self, limit: int) -> CheckReport:
        rows, evaluated = self._totals()
        lookups = [self._lookup_table(each) for each in self.compiled]
        failing = self.new_table("failing")
        self.steps.run(_create(failing, self._failing_rows(lookups)))
        failed_rows, failed = self._failed(failing)
        counts = tuple(
            CheckCount(each.check.name, evaluated=evaluated[place], failed=failed[place])
            for place, each in enumerate(self.compiled)
        )
        failures = self._failures(failing, shares(failed, limit))
        return CheckReport(rows, failed_rows, counts, failures, failure_count=sum(failed))

    def _totals(self) -> tuple[int, list[int]]:
        """How many rows there are, and how many each check looks at."""
        filters = {each.applies.sql(): each.applies for each in self.compiled if each.applies is not None}
        counts = [exp.Count(this=exp.Star()), *(_count_where(each) for each in filters.values())]
        found = self._single(_with_rows(exp.select(*counts).from_(ROWS), self.rows))
        by_filter = dict(zip(filters, found[1:], strict=True))
        return found[0], [by_filter[e.applies.sql()] if e.applies is not None else found[0] for e in self.compiled]

    def _lookup_table(self, compiled: CompiledCheck) -> str:
        if compiled.lookup is None:
            return ""
        query = compiled.lookup.query
        name = self.new_table("keys")
        self.steps.run(_create(name, _with_rows(query, self.rows) if compiled.lookup.reads_rows else query))
        return name

    def _failing_rows(self, lookups: Sequence[str]) -> exp.Select:
        """One row for each row that fails any check: item_ref, a flag for each check, a text for each shown value."""
        needed = dict.fromkeys((ITEM_REF, *_columns_read(self.compiled)))
        flags = [
            exp.alias_(_flag(each, f"{LOOKUP}_{place}"), f"fails_{place}") for place, each in enumerate(self.compiled)
        ]
        marked = exp.select(*map(_row_column, needed), *flags).from_(ROWS)
        for place, name in enumerate(lookups):
            if name:
                lookup = self.compiled[place].lookup
                assert lookup is not None
                alias = f"{LOOKUP}_{place}"
                joined = exp.alias_(exp.to_table(name), alias, table=True)
                marked = marked.join(joined, on=_renamed(lookup.on, alias), join_type="left")
        marked = _with_rows(marked, self.rows)
        reference = exp.Coalesce(this=_row_column(ITEM_REF), expressions=[exp.Literal.string("")])
        shown = [exp.alias_(value, f"value_{place}") for place, value in enumerate(self._values())]
        flag_names = [_flag_column(place) for place in range(len(self.compiled))]
        rows = exp.select(exp.alias_(reference, ITEM_REF), *flag_names, *shown).from_(marked.subquery(ROWS))
        return rows.where(_any_of(flag_names))

    def _value_places(self) -> list[int]:
        """For each check the number of its shown value; checks of the same columns share one."""
        distinct: dict[tuple[str, ...], int] = {}
        return [
            distinct.setdefault(tuple(column.name for column in each.shown), len(distinct)) for each in self.compiled
        ]

    def _values(self) -> Iterator[exp.Expr]:
        """The shown values, each only where one of its checks fails."""
        places = self._value_places()
        for value_place in range(len(set(places))):
            users = [place for place, used in enumerate(places) if used == value_place]
            fails = _any_of([_flag_column(place) for place in users])
            yield exp.Case().when(fails, self.compiled[users[0]].value)

    def _failed(self, failing: str) -> tuple[int, list[int]]:
        """How many rows fail an error check, and how many each check."""
        flags = [_flag_column(place) for place in range(len(self.compiled))]
        errors = [flag for flag, each in zip(flags, self.compiled, strict=True) if each.check.is_error]
        counts = [_count_where(_any_of(errors)), *(_count_where(flag) for flag in flags)]
        found = self._single(exp.select(*counts).from_(exp.to_table(failing)))
        return found[0], found[1:]

    def _failures(self, failing: str, wanted: Sequence[int]) -> pd.DataFrame:
        """The first failures of each check by item_ref, as many as wanted."""
        places = self._value_places()
        arms = [_arm(failing, place, value=places[place], limit=count) for place, count in enumerate(wanted) if count]
        parts: list[pa.Table] = []
        for start in range(0, len(arms), ARMS):
            together = exp.union(*arms[start : start + ARMS], distinct=False) if arms[start + 1 :] else arms[start]
            query = exp.select("*").from_(exp.Subquery(this=together, alias=exp.to_identifier("arms")))
            parts.append(self.steps.read(query.order_by("check", ITEM_REF, "value")))
        return _frame(parts)

    def _single(self, query: exp.Expr) -> list[int]:
        row = self.steps.read(query)
        return [int(row.column(place)[0].as_py()) for place in range(row.num_columns)]


def shares(counts: Sequence[int], limit: int) -> list[int]:
    """How many of each count fit into a limit: small ones whole, the others evenly, never more than the limit."""
    if sum(counts) <= limit:
        return list(counts)
    result = [0] * len(counts)
    left = max(limit, 0)
    order = sorted(range(len(counts)), key=lambda place: (counts[place], place))
    for position, place in enumerate(order):
        result[place] = min(counts[place], left // (len(order) - position))
        left -= result[place]
    return result


# --- parts of the statements -----------------------------------------------------------------------------------------


def _scope(rows: CarriedRows, columns: Sequence[Column], tables: Tables) -> Scope:
    return Scope(rows.known(columns), tables, DIALECT, datetime.now(UTC))


def _with_rows(query: exp.Select, rows: CarriedRows) -> exp.Select:
    """The query with the rows, as far as it reads them, in place of the table ROWS."""
    whole = query.copy()
    names = [column.name for column in whole.find_all(exp.Column) if column.table == ROWS]
    for table in list(whole.find_all(exp.Table)):
        if table.name == ROWS and not table.db:
            table.replace(rows.with_columns(names).subquery(ROWS))
    return whole


def _row_column(name: str) -> exp.Column:
    return exp.column(name, table=ROWS, quoted=True)


def _flag_column(place: int) -> exp.Expr:
    return exp.column(f"fails_{place}")


def _columns_read(compiled: Sequence[CompiledCheck]) -> list[str]:
    """The columns of the rows that the checks read or show."""
    names: dict[str, None] = {}
    for each in compiled:
        trees = [each.fails, each.value, each.applies]
        trees += [] if each.lookup is None else [each.lookup.on, each.lookup.query]
        for tree in trees:
            found = tree.find_all(exp.Column) if tree is not None else ()
            names |= dict.fromkeys(column.name for column in found if column.table == ROWS)
    return list(names)


def _flag(compiled: CompiledCheck, alias: str) -> exp.Expr:
    """True or false, never null: the row is looked at and fails."""
    fails = _renamed(compiled.fails, alias)
    whole = fails if compiled.applies is None else exp.and_(compiled.applies, fails)
    return exp.Coalesce(this=whole, expressions=[exp.false()])


def _renamed(tree: exp.Expr, alias: str) -> exp.Expr:
    renamed = tree.copy()
    for column in list(renamed.find_all(exp.Column)):
        if column.table == LOOKUP:
            column.set("table", exp.to_identifier(alias))
    return renamed


def _any_of(terms: Sequence[exp.Expr]) -> exp.Expr:
    """A balanced OR, because engines and parsers limit how deep an expression goes."""
    if len(terms) < 2:
        return terms[0].copy() if terms else exp.false()
    middle = len(terms) // 2
    return exp.Or(this=exp.paren(_any_of(terms[:middle])), expression=exp.paren(_any_of(terms[middle:])))


def _count_where(condition: exp.Expr) -> exp.Expr:
    """How many rows; zero, not null, for no rows at all."""
    return exp.Count(this=exp.Case().when(condition.copy(), exp.Literal.number(1)))


def _arm(failing: str, place: int, *, value: int, limit: int) -> exp.Select:
    columns = [exp.column(ITEM_REF), exp.alias_(exp.Literal.number(place), "check")]
    rows = exp.select(*columns, exp.alias_(exp.column(f"value_{value}"), "value")).from_(exp.to_table(failing))
    first = rows.where(_flag_column(place)).order_by(ITEM_REF, "value").limit(limit)
    return exp.select("*").from_(first.subquery(f"arm_{place}"))


def _frame(parts: Sequence[pa.Table]) -> pd.DataFrame:
    import pandas as pd
    import pyarrow as pa

    if not parts:
        return pd.DataFrame({ITEM_REF: [], "check": [], "value": []}).astype(
            {ITEM_REF: "str", "check": "int64", "value": "str"}
        )
    frame: pd.DataFrame = pa.concat_tables(parts).to_pandas()
    return frame.astype({"check": "int64"})


def _create(name: str, query: exp.Expr) -> exp.Create:
    return exp.Create(
        this=exp.to_table(name),
        kind="TABLE",
        expression=query,
        properties=exp.Properties(expressions=[exp.TemporaryProperty()]),
    )


@contextmanager
def _temporary_tables(cursor: duckdb.DuckDBPyConnection) -> Iterator[Callable[[str], str]]:
    """Give out names of tables, which are gone afterwards."""
    token = uuid4().hex
    names: list[str] = []

    def new_table(what: str) -> str:
        names.append(f"{what}_{len(names)}_{token}")
        return names[-1]

    try:
        yield new_table
    finally:
        for name in names:
            cursor.execute(exp.Drop(tables=[exp.to_table(name)], kind="TABLE", exists=True).sql(dialect=DIALECT))


def _failed_while_running(
    cursor: duckdb.DuckDBPyConnection, rows: CarriedRows, compiled: Sequence[CompiledCheck], error: duckdb.Error
) -> Invalid:
    """Which check cannot be bound, or met a value it cannot read: only each alone tells."""
    for each in compiled:
        try:
            _check_binding(cursor, rows, each)
            if each.lookup is None:
                query = _with_rows(exp.select(_count_where(_flag(each, LOOKUP))).from_(ROWS), rows)
                cursor.execute(query.sql(dialect=DIALECT))
        except Invalid as own:
            return Invalid(f"The check “{each.check.name[:80]}” cannot run: {own.message}", hint=own.hint)
        except WRONG_INPUT as own:
            return Invalid(
                f"The check “{each.check.name[:80]}” cannot run: {first_line(own)}.",
                hint="Use try_cast instead of cast, or narrow the rule with a filter.",
            )
    return Invalid(f"The checks cannot run: {first_line(error)}.", hint="Check the rules against the data.")
