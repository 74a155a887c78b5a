"""Whether a join can be made: each refusal says what is wrong and what to do next (JN-2)."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace

from sqlglot import exp

from workbench_core.adapters.lake_query.key_values import comparable
from workbench_core.adapters.lake_query.names import find_column
from workbench_core.adapters.lake_query.sources import SourceTable
from workbench_core.errors import Invalid
from workbench_core.ports import Column, ColumnRef, Join, JoinKey, JoinSource, Matches, TimeWindow
from workbench_core.ports.relations import ALIAS, MAX_ALIAS, MAX_SOURCES

MAX_MINUTES = 100 * 366 * 24 * 60


@dataclass(frozen=True, slots=True)
class JoinStep:
    """How a source joins the ones before it: the keys lead from those (left) to it (right), and so does the window."""

    source: JoinSource
    keys: tuple[JoinKey, ...]
    window: TimeWindow | None = None


# --- the shape of a join ---------------------------------------------------------------------------------------------


def check_shape(join: Join) -> None:
    """Raise Invalid for what is wrong with a join before any table is looked at."""
    if not 2 <= len(join.sources) <= MAX_SOURCES:
        raise Invalid(
            f"A join takes 2 to {MAX_SOURCES} sources; this one has {len(join.sources)}.",
            hint="Add a source." if len(join.sources) < 2 else "Join fewer sources, or export a part as a table first.",
        )
    _check_aliases(join)
    primary = join.primary
    if primary.matches is not Matches.ALL:
        raise Invalid(
            f"The matches of the primary source “{primary.alias}” cannot be reduced, because its rows are the items.",
            hint="Choose “all” for it; reduce the matches of the other sources.",
        )
    join_steps(join)


def _check_aliases(join: Join) -> None:
    for source in join.sources:
        if not ALIAS.fullmatch(source.alias) or len(source.alias) > MAX_ALIAS:
            raise Invalid(
                f"“{source.alias[:80]}” cannot name a source.",
                hint=f"Use letters and digits with single _ between them, at most {MAX_ALIAS}. Two __ separate the "
                "source from its column in the result.",
            )
    folded = Counter(source.alias.casefold() for source in join.sources)
    for source in join.sources:
        if folded[source.alias.casefold()] > 1:
            raise Invalid(f"Two sources are named “{source.alias}”.", hint="Give each source a name of its own.")


def join_steps(join: Join) -> list[JoinStep]:
    """The sources other than the primary one, each behind one that it has keys to. Raises Invalid for unreachable ones.

    The order is the one of `Join.sources` wherever the keys allow it.
    """
    known = {join.primary.alias}
    waiting = [source for source in join.sources if source is not join.primary]
    _check_keys(join, {source.alias for source in join.sources})
    steps: list[JoinStep] = []
    while waiting:
        step = next((step for source in waiting if (step := _step(join, source, known)).keys), None)
        if step is None:
            raise _unreachable(join, waiting)
        steps.append(step)
        waiting.remove(step.source)
        known.add(step.source.alias)
    return steps


def _check_keys(join: Join, aliases: set[str]) -> None:
    pairs = [(key.left, key.right, "A key") for key in join.keys]
    if join.window is not None:
        pairs.append((join.window.left, join.window.right, "The time window"))
    for left, right, what in pairs:
        for ref in (left, right):
            if ref.alias not in aliases:
                raise Invalid(
                    f"{what} names the source “{ref.alias[:80]}”, which is not part of the join.",
                    hint=f"The sources are: {', '.join(sorted(aliases))}.",
                )
        if left.alias == right.alias:
            raise Invalid(
                f"{what} compares “{left.alias}” with itself.", hint="Choose columns of two different sources."
            )


def _step(join: Join, source: JoinSource, known: set[str]) -> JoinStep:
    keys = []
    for key in join.keys:
        if key.right.alias == source.alias and key.left.alias in known:
            keys.append(key)
        elif key.left.alias == source.alias and key.right.alias in known:
            keys.append(JoinKey(left=key.right, right=key.left))
    window = join.window
    if window is not None and window.left.alias == source.alias and window.right.alias in known:
        window = replace(window, left=window.right, right=window.left)
    applies = window is not None and window.right.alias == source.alias and window.left.alias in known
    return JoinStep(source, tuple(keys), window if applies else None)


def _unreachable(join: Join, waiting: list[JoinSource]) -> Invalid:
    keyed = {ref.alias for key in join.keys for ref in (key.left, key.right)}
    for source in waiting:
        if source.alias not in keyed:
            return Invalid(
                f"No key says how the rows of “{source.alias}” are found.",
                hint="Choose a column of it and the column of another source that holds the same values.",
            )
    names = " and ".join(f"“{source.alias}”" for source in waiting)
    return Invalid(
        f"The keys of {names} do not lead to the primary source “{join.primary.alias}”.",
        hint=f"Add a key between one of them and “{join.primary.alias}”, or a source that is joined to it.",
    )


# --- its columns -----------------------------------------------------------------------------------------------------


def checked_join(join: Join, tables: Mapping[str, SourceTable]) -> Join:
    """The join with the exact names of all columns; `tables` maps its aliases.

    Raises Invalid for a join that cannot be made.
    """
    check_shape(join)
    exact = replace(
        join,
        sources=tuple(_checked_source(source, tables[source.alias]) for source in join.sources),
        keys=tuple(JoinKey(_exact(key.left, tables), _exact(key.right, tables)) for key in join.keys),
        window=join.window
        and replace(join.window, left=_exact(join.window.left, tables), right=_exact(join.window.right, tables)),
    )
    if not any(source.columns for source in exact.sources):
        raise Invalid("No column of any source is chosen.", hint="Choose the columns that the items need.")
    for key in exact.keys:
        comparable(*_named(key.left, tables), *_named(key.right, tables))
    if exact.window is not None:
        _check_window(exact.window, tables)
    _check_lists(exact)
    return exact


def _checked_source(source: JoinSource, table: SourceTable) -> JoinSource:
    if source.columns is None:
        columns = tuple(column.name for column in table.columns)
    else:
        columns = tuple(
            dict.fromkeys(
                _exact(ColumnRef(source.alias, name), {source.alias: table}).column for name in source.columns
            )
        )
    if source.matches is Matches.LATEST and not source.order_column:
        raise Invalid(
            f"The latest match of “{source.alias}” needs a column that says what is late.",
            hint="Choose its time column.",
        )
    order = source.order_column and _exact(ColumnRef(source.alias, source.order_column), {source.alias: table}).column
    return replace(source, columns=columns, order_column=order)


def _exact(ref: ColumnRef, tables: Mapping[str, SourceTable]) -> ColumnRef:
    try:
        return ColumnRef(ref.alias, find_column(ref.column, tables[ref.alias].columns).name)
    except Invalid as error:
        raise Invalid(f"“{ref.alias}” has no column “{ref.column[:200]}”.", hint=error.hint) from error


def _named(ref: ColumnRef, tables: Mapping[str, SourceTable]) -> tuple[Column, exp.Expr]:
    """A column under the name it has in the result, so that a refusal can name it."""
    column = column_of(ref, tables)
    return replace(column, name=f"{ref.alias}.{ref.column}"), exp.Null()


def column_of(ref: ColumnRef, tables: Mapping[str, SourceTable]) -> Column:
    """The column that a checked join refers to."""
    return next(column for column in tables[ref.alias].columns if column.name == ref.column)


def _check_window(window: TimeWindow, tables: Mapping[str, SourceTable]) -> None:
    for ref in (window.left, window.right):
        if column_of(ref, tables).kind != "time":
            raise Invalid(
                f"“{ref.alias}.{ref.column}” is {column_of(ref, tables).data_type.lower()[:60]}, not a time.",
                hint="Choose two columns with dates or times for the time window.",
            )
    if not (math.isfinite(window.minutes) and 0 <= window.minutes <= MAX_MINUTES):
        raise Invalid(
            f"A time window of {window.minutes} minutes makes no sense.",
            hint="Enter 0 or more minutes, at most a century.",
        )


def _check_lists(join: Join) -> None:
    """Raise Invalid when a source would have to be found by a column whose matches became lists."""
    lists = {source.alias for source in join.sources if source.matches is Matches.LIST}
    for step in join_steps(join):
        refs = [*(key.left for key in step.keys), *([step.window.left] if step.window else [])]
        for ref in refs:
            if ref.alias in lists:
                raise Invalid(
                    f"“{step.source.alias}” cannot be found by “{ref.alias}.{ref.column}”, because the matches of "
                    f"“{ref.alias}” become lists.",
                    hint=f"Choose the first or latest match of “{ref.alias}”, or another key.",
                )
