"""Joins of a sheet: look at one before it is saved, name what multiplies rows, and move a draft onto one or off it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from sqlglot import exp, parse_one
from sqlglot.errors import SqlglotError

from workbench_core.errors import WorkbenchError
from workbench_core.ports import (
    Column,
    ColumnRef,
    Join,
    JoinKind,
    JoinSource,
    JoinStats,
    Lake,
    Matches,
    Selection,
    SourceRole,
)
from workbench_core.sheets.model import SheetDraft

if TYPE_CHECKING:
    import pandas as pd

GOOD_MATCH, FAIR_MATCH = 0.80, 0.50  # shares of matched items from which a join is good or fair (JN-2)


@dataclass(frozen=True, slots=True)
class JoinPreview:
    """What a join would give (JN-2), or the problems why it cannot be made; then only `problems` is filled."""

    columns: tuple[Column, ...] = ()
    rows: pd.DataFrame | None = None
    query_text: str = ""
    stats: JoinStats | None = None
    warnings: tuple[str, ...] = ()
    problems: tuple[str, ...] = ()

    @property
    def quality(self) -> str:
        """Good, fair or poor by the share of matched items; empty without numbers."""
        return match_quality(self.stats) if self.stats else ""


def match_quality(stats: JoinStats) -> str:
    """good from 80 % matched items on, fair from 50 %, else poor."""
    if stats.share >= GOOD_MATCH:
        return "good"
    return "fair" if stats.share >= FAIR_MATCH else "poor"


# --- looking ---------------------------------------------------------------------------------------------------------


def preview(lake: Lake, join: Join, item_id_column: str, *, limit: int) -> JoinPreview:
    """The first rows, the query and the numbers of a join that need not be saved; what is wrong is a result."""
    try:
        columns = tuple(lake.columns(join))
        # rows that a full join adds without an item are shown here too: they explain its numbers
        shown_by = "" if join.kind is JoinKind.FULL else item_id_column
        rows = lake.page(Selection(join, shown_by), limit=limit)
        stats = lake.join_stats(join, item_id_column)
        return JoinPreview(
            columns=columns,
            rows=rows if any(column.name == "item_ref" for column in columns) else rows.drop(columns="item_ref"),
            query_text=lake.query_text(Selection(join, item_id_column)),
            stats=stats,
            warnings=tuple(warnings_of(lake, join, item_id_column, stats)),
        )
    except WorkbenchError as error:
        return JoinPreview(problems=(f"{error.message} {error.hint}".strip(),))


def warnings_of(lake: Lake, join: Join, item_id_column: str, stats: JoinStats) -> list[str]:
    """What a person should know before saving a join with these numbers."""
    found = []
    if stats.repeated_rows:
        found.append(repeats_sentence(lake, join, item_id_column, stats))
    if stats.unmatched_rows and join.kind is JoinKind.INNER:
        found.append(
            f"{stats.unmatched_rows:,} of {stats.primary_rows:,} items find no match and are left out. "
            "A left join keeps them."
        )
    if join.kind is JoinKind.FULL:
        found.append(
            "A full join also shows rows of the other sources that belong to no item; they have no identifier, so "
            "they cannot be labelled. A left join leaves them out."
        )
    return found


def repeats_sentence(lake: Lake, join: Join, item_id_column: str, stats: JoinStats) -> str:
    """Why an identifier no longer names one row, which source does it, and what to choose."""
    primary = join.primary
    own = lake.check_identifier(primary.table, item_id_column.removeprefix(f"{primary.alias}__"))
    if own.duplicates:
        return (
            f"The identifier {own.column} repeats itself in {own.duplicates:,} rows of the primary source "
            f"“{primary.alias}”. Choose a column that is unique there."
        )
    names = " and ".join(f"“{alias}”" for alias in multiplying(lake, join, item_id_column))
    return (
        f"{names} matches one item with several rows: {stats.repeated_rows:,} rows more than items, so the identifier "
        "repeats itself. "
        f"Take only the first or the latest match of {names}, or its values as a list."
    )


def multiplying(lake: Lake, join: Join, item_id_column: str) -> list[str]:
    """The aliases of the sources that match one item with several rows, each measured alone."""
    suspects = [s.alias for s in join.sources if s.role is not SourceRole.PRIMARY and s.matches is Matches.ALL]
    if len(suspects) <= 1:
        return suspects
    guilty = [
        alias for alias in suspects if lake.check_identifier(_single(join, except_for=alias), item_id_column).duplicates
    ]
    return guilty or suspects


def _single(join: Join, *, except_for: str) -> Join:
    """The join with one match of every source but one."""
    sources = (
        replace(s, matches=Matches.FIRST)
        if s.role is not SourceRole.PRIMARY and s.alias != except_for and s.matches is Matches.ALL
        else s
        for s in join.sources
    )
    return replace(join, sources=tuple(sources))


# --- moving a draft --------------------------------------------------------------------------------------------------


def moved(draft: SheetDraft, join: Join | None, *, dialect: str) -> SheetDraft:
    """The draft over another join, or over its primary table alone; its columns get the names they have there.

    Columns of a source that is gone lose their role. A filter keeps a name that is gone, for a person to see. The
    identifier is empty when its source is no longer primary. Raises Invalid unless one source is primary.
    """
    source = draft.source if join is None else join.primary.table
    rename = _renaming(draft, join)
    identifier = rename(draft.item_id_column)
    if join is not None and not (identifier or "").startswith(f"{join.primary.alias}__"):
        join, identifier = _with_identifier(join, draft)
    return replace(
        draft,
        source=source,
        join=join,
        item_id_column=identifier or "",
        text_columns=_present(draft.text_columns, rename),
        image_columns=_present(draft.image_columns, rename),
        metadata_columns=_present(draft.metadata_columns, rename),
        column_order=_present(draft.column_order, rename),
        stratify_column=(rename(draft.stratify_column) or "") if draft.stratify_column else "",
        filter=renamed_filter(draft.filter, rename, dialect=dialect),
    )


def renamed_filter(expression: str, rename: Callable[[str], str | None], *, dialect: str) -> str:
    """A filter with other names for its columns; unchanged when it cannot be read, or where a name is gone."""
    if not expression.strip():
        return ""
    try:
        tree = parse_one(expression, read=dialect)
    except (SqlglotError, RecursionError):
        return expression
    for reference in tree.find_all(exp.Column):
        if (name := rename(reference.name)) is not None and not reference.table:
            reference.set("this", exp.to_identifier(name, quoted=reference.this.quoted or None))
    return tree.sql(dialect=dialect)


def added(draft: SheetDraft, join: Join) -> list[JoinSource]:
    """The sources of a join that the draft did not have."""
    known = {heir.alias for heir in _heirs(draft, join).values() if heir is not None}
    return [source for source in join.sources if source.alias not in known]


def bare_identifier(draft: SheetDraft) -> tuple[str, str]:
    """The table and column that identify items, whatever the join calls them: item_refs follow from these alone."""
    if draft.join is None:
        return draft.source, draft.item_id_column
    primary = draft.join.primary
    return primary.table, draft.item_id_column.removeprefix(f"{primary.alias}__")


def _renaming(draft: SheetDraft, join: Join | None) -> Callable[[str], str | None]:
    """From a column's name to its name under the other join; None when it is gone."""
    before, heirs = draft.join, _heirs(draft, join)

    def rename(name: str) -> str | None:
        alias, column = ("", name) if before is None else _split(name, before)
        if alias not in heirs:
            return None
        heir = heirs[alias]
        if heir is None:
            return column
        is_there = heir.columns is None or column in heir.columns
        return ColumnRef(heir.alias, column).name if is_there else None

    return rename


def _heirs(draft: SheetDraft, join: Join | None) -> Mapping[str, JoinSource | None]:
    """For each alias of the present join (empty without one) the source that takes its place; None is the table."""
    if join is None:
        return {"" if draft.join is None else draft.join.primary.alias: None}
    if draft.join is None:
        primary = join.primary
        return {"": primary} if primary.table == draft.source else {}
    free = list(join.sources)
    heirs: dict[str, JoinSource | None] = {}
    for takes in (_same_alias, _same_table):  # a source that kept its alias first, then one that was renamed
        for source in draft.join.sources:
            heir = next((one for one in free if takes(one, source)), None)
            if source.alias not in heirs and heir is not None:
                heirs[source.alias] = heir
                free.remove(heir)
    return heirs


def _same_alias(one: JoinSource, other: JoinSource) -> bool:
    return (one.table, one.alias) == (other.table, other.alias)


def _same_table(one: JoinSource, other: JoinSource) -> bool:
    return one.table == other.table


def _split(name: str, join: Join) -> tuple[str, str]:
    """Alias and column of a name in the result of a join."""
    aliases = [source.alias for source in join.sources if name.startswith(f"{source.alias}__")]
    alias = max(aliases, key=len, default=name)
    return alias, name.removeprefix(f"{alias}__")


def _with_identifier(join: Join, draft: SheetDraft) -> tuple[Join, str | None]:
    """The join with the identifier among the chosen columns of its primary source, when that is the same table."""
    primary, (table, column) = join.primary, bare_identifier(draft)
    if primary.table != table:
        return join, None
    if primary.columns is not None and column not in primary.columns:
        chosen = replace(primary, columns=(column, *primary.columns))
        join = replace(join, sources=tuple(chosen if source is primary else source for source in join.sources))
    return join, ColumnRef(primary.alias, column).name


def _present(names: tuple[str, ...], rename: Callable[[str], str | None]) -> tuple[str, ...]:
    return tuple(new for name in names if (new := rename(name)) is not None)
