"""Small changes of a join: add, name, remove and weigh its sources, and its keys."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import replace

from workbench_core.errors import Invalid
from workbench_core.ports import ColumnRef, Join, JoinKey, JoinSource, Matches, SourceRole
from workbench_core.ports.relations import ALIAS, MAX_ALIAS

_NUMBER = 3  # characters that are kept free for a number: _2


def free_alias(table: str, taken: Collection[str]) -> str:
    """A short name for a source made from its table's name, other than those taken whatever their case."""
    words = re.findall(r"[A-Za-z0-9]+", table.rsplit(".", 1)[-1])
    base = "_".join(words)[: MAX_ALIAS - _NUMBER].strip("_") or "source"
    used = {alias.casefold() for alias in taken}
    names = (base, *(f"{base}_{number}" for number in range(2, len(used) + 3)))
    return next(name for name in names if name.casefold() not in used)


def started(table: str) -> Join:
    """A join that has only its primary source yet."""
    return Join((JoinSource(table, free_alias(table, ()), SourceRole.PRIMARY),), ())


def with_source(
    join: Join, table: str, *, partner: str, keys: Sequence[tuple[str, str]], role: SourceRole = SourceRole.SECONDARY
) -> Join:
    """The join with another source; `keys` are pairs of a column of the partner (an alias) and one of the new table."""
    alias = free_alias(table, [source.alias for source in join.sources])
    added = tuple(JoinKey(ColumnRef(partner, left), ColumnRef(alias, right)) for left, right in keys)
    return replace(join, sources=(*join.sources, JoinSource(table, alias, role)), keys=(*join.keys, *added))


def without_source(join: Join, alias: str) -> Join | None:
    """The join without a source, its keys and a time window over it; None when only one source is left."""
    sources = tuple(source for source in join.sources if source.alias != alias)
    if len(sources) < 2:
        return None
    keys = tuple(key for key in join.keys if alias not in {key.left.alias, key.right.alias})
    window = join.window
    if window is not None and alias in {window.left.alias, window.right.alias}:
        window = None
    return replace(join, sources=sources, keys=keys, window=window)


def renamed(join: Join, alias: str, new: str) -> Join:
    """The join with another alias for a source, in its keys and its time window too. Raises Invalid for a wrong one."""
    if not ALIAS.fullmatch(new) or len(new) > MAX_ALIAS:
        raise Invalid(
            f"“{new[:80]}” cannot name a source.",
            hint=f"Use at most {MAX_ALIAS} letters and digits, with single _ between them.",
        )
    if new.casefold() in {one.alias.casefold() for one in join.sources if one.alias != alias}:
        raise Invalid(f"Another source is named “{new}” already.", hint="Give each source a name of its own.")

    def at(reference: ColumnRef) -> ColumnRef:
        return replace(reference, alias=new) if reference.alias == alias else reference

    return replace(
        join,
        sources=tuple(replace(one, alias=new) if one.alias == alias else one for one in join.sources),
        keys=tuple(JoinKey(at(key.left), at(key.right)) for key in join.keys),
        window=join.window and replace(join.window, left=at(join.window.left), right=at(join.window.right)),
    )


def with_role(join: Join, alias: str, role: SourceRole) -> Join:
    """The join with another role for a source; the former primary source becomes secondary when a new one is named."""

    def changed(source: JoinSource) -> JoinSource:
        if source.alias == alias:
            is_primary = role is SourceRole.PRIMARY
            matches, order = (Matches.ALL, "") if is_primary else (source.matches, source.order_column)
            return replace(source, role=role, matches=matches, order_column=order)
        is_former = role is SourceRole.PRIMARY and source.role is SourceRole.PRIMARY
        return replace(source, role=SourceRole.SECONDARY) if is_former else source

    return replace(join, sources=tuple(changed(source) for source in join.sources))


def with_matches(join: Join, alias: str, matches: Matches, order_column: str = "") -> Join:
    """The join with another way to treat several matching rows of a source."""
    return replace(
        join,
        sources=tuple(
            replace(one, matches=matches, order_column=order_column) if one.alias == alias else one
            for one in join.sources
        ),
    )
