"""The sources of a sheet and how they are joined: every change is staged, previewed and saved with the sheet."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import streamlit as st

from pages.components.data_navigation import go
from pages.components.errors import guard, guard_callback
from pages.components.join_preview import fans_out, show_match
from pages.components.layout import Color
from pages.components.sheet_draft import OpenSheet, change, current, opened, why_locked
from pages.components.source_adder import add_source, is_adding
from pages.components.source_changer import change_source, is_changing, source_button
from pages.components.words import plain
from workbench_core import cached
from workbench_core.catalog import Column
from workbench_core.sheets import (
    MAX_ALIAS,
    ColumnRef,
    Join,
    JoinKey,
    JoinKind,
    JoinSource,
    Matches,
    Sheet,
    SheetDraft,
    SourceRole,
    TimeWindow,
)
from workbench_core.sheets.join_editing import renamed, started, with_matches, with_role, without_source

KINDS: Mapping[JoinKind, str] = {
    JoinKind.INNER: "Inner: only items that find a match in every source.",
    JoinKind.LEFT: "Left: all items of the primary source; where nothing matches, the other columns are empty.",
    JoinKind.FULL: "Full: all rows of all sources; rows without an item have no identifier and cannot be labelled.",
}
ROLES: Mapping[SourceRole, str] = {
    SourceRole.PRIMARY: "Primary: its rows are the items",
    SourceRole.SECONDARY: "Secondary",
    SourceRole.IMAGES: "Images",
    SourceRole.LABELS: "Labels",
}
MATCHES: Mapping[Matches, str] = {
    Matches.ALL: "Keep all rows",
    Matches.FIRST: "First by column",
    Matches.LATEST: "Latest by column",
    Matches.LIST: "Values as a list",
}
_COLORS: Mapping[SourceRole, Color] = {
    SourceRole.PRIMARY: "blue",
    SourceRole.SECONDARY: "gray",
    SourceRole.IMAGES: "green",
    SourceRole.LABELS: "violet",
}

TIME_NAME = re.compile(r"(^|_)(at|on|date|day|time|timestamp|created|updated|modified)($|_)", re.IGNORECASE)


def edit_sources(sheet: Sheet) -> None:
    """All sources, their keys, the kind of the join, and what it gives."""
    kept, locked = opened(sheet), why_locked(sheet)
    join = kept.draft.join
    if locked:
        st.caption(f":material/lock: {locked}")
    with guard():
        for source in join.sources if join else started(kept.draft.source).sources:
            source_card(sheet, source, is_locked=bool(locked))
        if not locked:
            more_sources(kept)
        if join is None:
            return
        key_chips(sheet.id, join, is_locked=bool(locked))
        how_joined(sheet.id, join, is_locked=bool(locked))
        show_match(sheet, can_edit=not locked)


def more_sources(kept: OpenSheet) -> None:
    """Join another source, or read another one instead of the only one there is; one of the two at a time."""
    join = kept.draft.join
    if join is None and is_changing(kept.key):
        change_source(kept)
        return
    with st.container(horizontal=not is_adding(kept.key)):
        add_source(kept.found.id, kept.key, join or started(kept.draft.source))
        if join is None and not is_adding(kept.key):
            source_button(kept.key)


def stage(sheet_id: str, make: Callable[[SheetDraft, Join], Join | None]) -> None:
    """Change the join of the draft; columns, identifier and filter get the names they have in the new one."""
    with guard_callback():
        draft = current(sheet_id).draft
        join = make(draft, draft.join or started(draft.source))
        change(sheet_id, cached.workbench().sheets.with_join(draft, join))


# --- one source ------------------------------------------------------------------------------------------------------


def source_card(sheet: Sheet, source: JoinSource, *, is_locked: bool) -> None:
    """One source: what it is, and what may be changed about it."""
    can_edit = opened(sheet).draft.join is not None and not is_locked
    is_primary = source.role is SourceRole.PRIMARY
    with (
        st.container(border=True, key=f"data_source_card_{source.alias}"),
        st.container(horizontal=True, vertical_alignment="bottom" if can_edit else "center", gap="small"),
    ):
        if can_edit:
            source_fields(sheet, source, key=f"{opened(sheet).key}_{source.alias}")
        else:
            source_words(source)
        st.button(
            plain(source.table), type="tertiary", icon=":material/database:", on_click=go, help="Open it in the lake",
            key=f"data_source_{source.alias}", kwargs={"table": source.table},
        )  # fmt: skip
        if can_edit:
            st.space("stretch")
            st.button(
                "Remove", icon=":material/close:", type="tertiary", key=f"data_drop_{source.alias}", on_click=drop,
                args=(sheet.id, source.alias), disabled=is_primary,
                help="Make another source the primary one first." if is_primary else None,
            )  # fmt: skip


def source_words(source: JoinSource) -> None:
    """A source that cannot be changed here."""
    st.markdown(f"**{plain(source.alias)}**", width="content")
    st.badge(source.role.capitalize(), color=_COLORS[source.role])
    if source.matches is not Matches.ALL:
        by = f" ({source.order_column})" if source.order_column else ""
        st.badge(plain(f"{MATCHES[source.matches]}{by}"), color="orange")


def drop(sheet_id: str, alias: str) -> None:
    """Take a source out of the join; with the last one the join ends."""
    stage(sheet_id, lambda _draft, join: without_source(join, alias))


def source_fields(sheet: Sheet, source: JoinSource, *, key: str) -> None:
    """Name, role, and what happens when several rows match, once that happens."""
    st.text_input(
        "Name in the sheet", source.alias, key=f"{key}_alias", max_chars=MAX_ALIAS, on_change=rename, width=180,
        args=(sheet.id, source.alias, f"{key}_alias"), help="Letters and digits with single _ between them",
    )  # fmt: skip
    st.selectbox(
        "Role", list(ROLES), index=list(ROLES).index(source.role), format_func=lambda role: ROLES[role], width=240,
        key=f"{key}_role_{source.role}", on_change=choose_role,
        args=(sheet.id, source.alias, f"{key}_role_{source.role}"),
    )  # fmt: skip
    is_secondary = source.role is not SourceRole.PRIMARY
    if is_secondary and (source.matches is not Matches.ALL or fans_out(sheet)):
        match_fields(sheet.id, source, key=key)


def rename(sheet_id: str, alias: str, key: str) -> None:
    """Give a source another name."""
    new = str(st.session_state[key]).strip()
    stage(sheet_id, lambda _draft, join: renamed(join, alias, new))


def choose_role(sheet_id: str, alias: str, key: str) -> None:
    """Give a source another role."""
    role = SourceRole(st.session_state[key])
    stage(sheet_id, lambda _draft, join: with_role(join, alias, role))


def match_fields(sheet_id: str, source: JoinSource, *, key: str) -> None:
    """Which of several matching rows is taken."""
    columns = cached.table_columns(source.table)
    names = [column.name for column in columns]
    st.selectbox(
        "When several rows match", list(MATCHES), index=list(MATCHES).index(source.matches),
        format_func=lambda one: MATCHES[one], key=f"{key}_matches", on_change=choose_matches,
        args=(sheet_id, source.alias, key, first_time(columns)), width=190,
    )  # fmt: skip
    if source.matches in {Matches.FIRST, Matches.LATEST}:
        st.selectbox(
            "By column", names, index=names.index(source.order_column) if source.order_column in names else None,
            key=f"{key}_order_{source.matches}", placeholder="All its columns", on_change=choose_matches,
            args=(sheet_id, source.alias, key, ""), width=170,
        )  # fmt: skip


def choose_matches(sheet_id: str, alias: str, key: str, usual: str) -> None:
    """Take over how several matches are treated, and by which column."""
    matches = Matches(st.session_state[f"{key}_matches"])
    is_ordered = matches in {Matches.FIRST, Matches.LATEST}
    order = (st.session_state.get(f"{key}_order_{matches}") or usual) if is_ordered else ""
    stage(sheet_id, lambda _draft, join: with_matches(join, alias, matches, order))


def first_time(columns: Sequence[Column]) -> str:
    """The column that says what is late, by its type or its name; empty when none does."""
    named = (column.name for column in columns if TIME_NAME.search(column.name))
    return next((column.name for column in columns if column.kind == "time"), next(named, ""))


# --- keys, kind, time ------------------------------------------------------------------------------------------------


def key_title(key: JoinKey) -> str:
    """A key as people read it."""
    return f"{key.left.alias}.{key.left.column} = {key.right.alias}.{key.right.column}"


def key_chips(sheet_id: str, join: Join, *, is_locked: bool) -> None:
    """The keys, each with the way to remove it, and the way to add one by hand."""
    st.subheader("Keys", anchor=False)
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        for key in join.keys:  # buttons by what they remove, not by number: a double click removes one key
            st.button(
                plain(key_title(key)), icon=":material/close:", icon_position="right", key=f"data_key_{key_title(key)}",
                help="Remove this key", on_click=drop_key, args=(sheet_id, key), disabled=is_locked,
            )  # fmt: skip
        if not join.keys:
            st.caption("No keys: say which columns hold the same values.", width="content")
        if not is_locked:
            with st.popover("Add a key", icon=":material/add:", key="data_add_key"):
                manual_key(sheet_id, join)


def drop_key(sheet_id: str, key: JoinKey) -> None:
    """Remove a key."""
    stage(sheet_id, lambda _draft, join: replace(join, keys=tuple(one for one in join.keys if one != key)))


def manual_key(sheet_id: str, join: Join) -> None:
    """Choose two columns that must be equal."""
    every = columns_of(join)
    left = choose_column("Column", every, key="data_key_left")
    others = {title: ref for title, ref in every.items() if left is None or ref.alias != left.alias}
    right = choose_column("must equal", others, key="data_key_right")
    key = JoinKey(left, right) if left and right else None
    st.button(
        "Add key", type="primary", key="data_key_add", disabled=key is None or key in join.keys, on_click=add_key,
        args=(sheet_id, key),
    )  # fmt: skip


def columns_of(join: Join, *, kind: str = "") -> dict[str, ColumnRef]:
    """Columns of all sources by the words that name them, optionally of one kind only."""
    return {
        f"{source.alias}.{column.name}": ColumnRef(source.alias, column.name)
        for source in join.sources
        for column in cached.table_columns(source.table)
        if not kind or column.kind == kind
    }


def choose_column(label: str, choices: Mapping[str, ColumnRef], *, key: str) -> ColumnRef | None:
    """One of these columns, or none yet."""
    chosen = st.selectbox(label, list(choices), index=None, key=key, placeholder="Choose a column")
    return choices.get(chosen or "")


def add_key(sheet_id: str, key: JoinKey | None) -> None:
    """Add a key."""
    if key is not None:
        stage(sheet_id, lambda _draft, join: replace(join, keys=(*join.keys, key)))


def how_joined(sheet_id: str, join: Join, *, is_locked: bool) -> None:
    """The kind of the join, and a time window."""
    st.subheader("Which rows", anchor=False)
    key = f"{current(sheet_id).key}_kind"
    st.session_state[key] = join.kind
    st.segmented_control(
        "Kind of join", list(JoinKind), key=key, required=True, format_func=str.capitalize, disabled=is_locked,
        label_visibility="collapsed", on_change=choose_kind, args=(sheet_id, key),
    )  # fmt: skip
    st.caption(KINDS[join.kind])
    time_window(sheet_id, join, is_locked=is_locked)


def choose_kind(sheet_id: str, key: str) -> None:
    """Take over the kind."""
    kind = JoinKind(st.session_state[key])
    stage(sheet_id, lambda _draft, join: replace(join, kind=kind))


def time_window(sheet_id: str, join: Join, *, is_locked: bool) -> None:
    """Only rows whose times are close to each other, when two sources have times."""
    times = columns_of(join, kind="time")
    if len({ref.alias for ref in times.values()}) < 2:
        return
    base = f"{current(sheet_id).key}_window"
    is_on = st.toggle("Only rows that are close in time", join.window is not None, key=base, disabled=is_locked)
    window = join.window
    if is_on:
        window = window_fields(times, join.window, key=base, is_locked=is_locked)
    elif window is not None:
        window = None
    if window != join.window and (window is not None or not is_on):
        stage(sheet_id, lambda _draft, old: replace(old, window=window))


def window_fields(
    times: Mapping[str, ColumnRef], window: TimeWindow | None, *, key: str, is_locked: bool
) -> TimeWindow | None:
    """Two time columns of different sources and the minutes between them; None while something is missing."""
    titles = list(times)
    start = window or TimeWindow(times[titles[0]], next(r for r in times.values() if r.alias != times[titles[0]].alias))
    with st.grid(3, min_column_width=170):
        left = st.selectbox(
            "Time", titles, index=titles.index(_title(start.left)) if _title(start.left) in times else 0,
            key=f"{key}_left", disabled=is_locked,
        )  # fmt: skip
        others = [title for title in titles if times[title].alias != times[left].alias]
        right = st.selectbox(
            "and", others, index=others.index(_title(start.right)) if _title(start.right) in others else 0,
            key=f"{key}_right_{times[left].alias}", disabled=is_locked,
        )  # fmt: skip
        minutes = st.number_input(
            "differ by at most (minutes)", 0.0, value=float(start.minutes), step=1.0, key=f"{key}_minutes",
            disabled=is_locked,
        )  # fmt: skip
    st.caption("The limit counts. Rows without a time match nothing.")
    return TimeWindow(times[left], times[right], float(minutes)) if right and minutes is not None else None


def _title(reference: ColumnRef) -> str:
    return f"{reference.alias}.{reference.column}"
