"""Whether a sheet can be worked with: its source, its columns, its identifier, its join and its rows (SH-6)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from workbench_core.errors import Invalid
from workbench_core.ports import IdentifierCheck, Join, JoinKind, Lake, Selection, Source
from workbench_core.sheets import joins
from workbench_core.sheets.model import FilterVerdict, Sheet, Validation


def looked_at(lake: Lake, sheet: Sheet) -> Validation:
    """What the lake says about a sheet now. Raises what the lake raises for a source that cannot be read."""
    known = {column.name for column in lake.columns(sheet.relation)}
    used = (*sheet.columns, *([sheet.stratify_column] if sheet.stratify_column else []))
    missing = [name for name in used if name not in known]
    if missing:
        return Validation((f"The source has no column {', '.join(missing)}.",), 0, None)
    identifier = lake.check_identifier(sheet.relation, sheet.item_id_column)
    count = lake.count(sheet.selection())
    stats = None if sheet.join is None else lake.join_stats(sheet.join, sheet.item_id_column)
    problems = _identifier_problems(identifier)
    warnings: list[str] = []
    if sheet.join is not None and stats is not None:
        problems = _join_problems(lake, sheet, sheet.join, identifier)
        if sheet.join.kind is not JoinKind.FULL and not stats.repeated_rows:  # else a problem says it already
            warnings = joins.warnings_of(lake, sheet.join, sheet.item_id_column, stats)
    if not identifier.rows:
        problems.append("The source has no rows.")
    elif not count:
        problems.append("No row is left after filter and sampling.")
    return Validation(tuple(problems), count, identifier, tuple(warnings), stats)


def filter_verdict(lake: Lake, source: Source, expression: str) -> FilterVerdict:
    """What a filter keeps of all rows of a source; one that cannot be read is a result (SH-11)."""
    everything = Selection(source, item_id_column="")
    every = lake.count(everything)
    try:
        accepted = lake.check_filter(source, expression)
        return FilterVerdict(accepted, lake.count(replace(everything, where=accepted)), every)
    except Invalid as error:
        return FilterVerdict(every=every, problem=error.message, hint=error.hint)


def is_stale(sheet: Sheet, found: Validation) -> bool:
    """Whether the stored numbers of a join are not those of its sources now (JN-3)."""
    if found.join_stats is None:
        return sheet.is_join_stale
    return sheet.is_join_stale or sheet.join_stats is None or sheet.join_stats.stats != found.join_stats


def lost_items(lake: Lake, sheet: Sheet, labelled: Iterable[Sequence[str]]) -> list[str]:
    """A sentence when labelled items are not in the source any more, whatever filter and sample pick.

    `labelled` gives them some at a time, each once.
    """
    every, left = found_items(lake, sheet.relation, sheet.item_id_column, labelled)
    if left >= every:
        return []
    where = "source" if sheet.join is None else "join"
    return [
        f"{every - left:,} of {every:,} labelled items are not among the rows of the {where}. "
        "Their labels stay and count again when the items come back."
    ]


def found_items(lake: Lake, source: Source, identifier: str, items: Iterable[Sequence[str]]) -> tuple[int, int]:
    """How many items there are, and how many of them a source has under an identifier; each counts once."""
    every = found = 0
    for some in items:
        every += len(some)
        found += lake.count_items(Selection(source, identifier, item_refs=tuple(some)))
    return every, found


def _join_problems(lake: Lake, sheet: Sheet, join: Join, joined: IdentifierCheck) -> list[str]:
    """What is wrong with the identifier, by where it comes from: the primary source, or what is joined to it."""
    table, column = joins.bare_identifier(sheet.draft)
    own = lake.check_identifier(table, column)
    problems = _identifier_problems(own)
    if problems:
        return [f"{problem[:-1]} of the primary source." for problem in problems]
    if joined.nulls:
        problems.append(
            f"{joined.nulls:,} rows of the full join belong to no item and have no identifier. Use a left join."
        )
    if joined.duplicates:
        names = " and ".join(f"“{alias}”" for alias in joins.multiplying(lake, join, sheet.item_id_column))
        problems.append(
            f"{names} matches one item with several rows: the identifier {joined.column} repeats itself in "
            f"{joined.duplicates:,} rows. Take the first or the latest match of {names}, or its values as a list."
        )
    return problems


def _identifier_problems(check: IdentifierCheck) -> list[str]:
    problems = []
    if check.nulls:
        problems.append(f"The identifier {check.column} is empty in {check.nulls:,} rows.")
    if check.duplicates:
        problems.append(f"The identifier {check.column} repeats itself in {check.duplicates:,} rows.")
    return problems
