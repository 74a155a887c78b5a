"""Another source for a sheet: choose a table, tick the keys that are suggested or pick them, and stage it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

import pandas as pd
import streamlit as st

from pages.components.errors import guard_callback
from pages.components.grid import CellEdit, GridColumn, edit_grid
from pages.components.sheet_draft import change, current
from pages.components.words import percent, plain
from workbench_core import cached
from workbench_core.sheets import MAX_SOURCES, Join, JoinSource, KeySuggestion, SourceRole
from workbench_core.sheets.join_editing import with_source

Keys: TypeAlias = "tuple[tuple[str, str], ...]"  # pairs of a column of the partner and one of the new source
GRID = [
    GridColumn("use", "Use", width=64, kind="check", is_editable=True),
    GridColumn("left", "This sheet", least=120),
    GridColumn("right", "New source", least=120),
    GridColumn("score", "Score", width=84, kind="number"),
    GridColumn("name", "Name", width=84, kind="number"),
    GridColumn("overlap", "Overlap", width=92, kind="number"),
    GridColumn("containment", "Contained", width=104, kind="number"),
    GridColumn("cardinality", "Cardinality", width=130),
    GridColumn("reason", "Why", share=2, least=220),
]


def is_adding(key: str) -> bool:
    """Whether a person is choosing another source now."""
    return bool(st.session_state.get(f"{key}_adding"))


def add_source(sheet_id: str, key: str, join: Join) -> None:
    """The way to another source, opened by a button."""
    is_full = len(join.sources) >= MAX_SOURCES
    if not is_adding(key):
        st.button(
            "Add a source", icon=":material/add:", key="data_add_source", on_click=st.session_state.__setitem__,
            args=(f"{key}_adding", True), disabled=is_full,
            help=f"A join takes at most {MAX_SOURCES} sources." if is_full else None,
        )  # fmt: skip
        return
    with st.container(border=True, key="data_adder"):
        st.subheader("Another source", anchor=False)
        entries = {entry.name: entry for entry in cached.catalog_entries()}
        with st.grid(2 if len(join.sources) > 1 else 1, min_column_width=260):
            table = st.selectbox(
                "Table or folder", list(entries), index=None, key=f"{key}_table",
                placeholder="Type to search the lake",
            )  # fmt: skip
            partner = choose_partner(join, key=key)
        if table:
            staged = staged_keys(partner, table, key=key)
            role = SourceRole.IMAGES if entries[table].kind == "volume" else SourceRole.SECONDARY
            finish(sheet_id, with_source(join, table, partner=partner.alias, keys=staged, role=role), staged, key=key)
        else:
            st.button("Cancel", key="data_adder_cancel", on_click=st.session_state.pop, args=(f"{key}_adding", None))


def choose_partner(join: Join, *, key: str) -> JoinSource:
    """The source that the new one is joined to."""
    if len(join.sources) == 1:
        return join.sources[0]
    by_alias = {source.alias: source for source in join.sources}
    return by_alias[st.selectbox("Joined to", list(by_alias), key=f"{key}_partner")]


# --- keys ------------------------------------------------------------------------------------------------------------


def staged_keys(partner: JoinSource, table: str, *, key: str) -> Keys:
    """The keys that are ticked or picked for this pair of tables, the best suggestion to begin with."""
    place = f"{key}_keys_{partner.alias}_{table}"
    suggestions = cached.key_suggestions(partner.table, table)
    st.session_state.setdefault(place, usual_keys(suggestions))
    if suggestions:
        suggestion_grid(suggestions, place=place)
    else:
        st.caption("No two columns look like keys. Pick them yourself.")
    pick_key(partner, table, place=place)
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        st.markdown("**Keys**" if st.session_state[place] else ":gray[No key is chosen yet.]", width="content")
        for left, right in st.session_state[place]:
            st.button(
                plain(f"{left} = {right}"), icon=":material/close:", icon_position="right", help="Remove this key",
                key=f"data_staged_{left} = {right}", on_click=untick, args=(place, (left, right)),
            )  # fmt: skip
    staged: Keys = st.session_state[place]
    return staged


def usual_keys(suggestions: Sequence[KeySuggestion]) -> Keys:
    """The best suggestion whose values are unique on one side at least: others multiply rows."""
    good = (one for one in suggestions if one.cardinality != "many-to-many" and one.containment > 0)
    return tuple((one.left, one.right) for one in [next(good, None)] if one)


def suggestion_grid(suggestions: Sequence[KeySuggestion], *, place: str) -> None:
    """Suggested keys with what speaks for each, to tick."""
    staged = set(st.session_state[place])
    frame = pd.DataFrame(
        {
            "id": [str(number) for number in range(len(suggestions))],
            "use": [(one.left, one.right) in staged for one in suggestions],
            "left": [one.left for one in suggestions],
            "right": [one.right for one in suggestions],
            "score": [f"{one.final:.2f}" for one in suggestions],
            "name": [f"{one.name_score:.2f}" for one in suggestions],
            "overlap": [percent(one.overlap, digits=0) for one in suggestions],
            "containment": [percent(one.containment, digits=0) for one in suggestions],
            "cardinality": [one.cardinality for one in suggestions],
            "reason": [one.reason for one in suggestions],
        }
    )
    st.caption("Columns that may hold the same values. Score = 0.6 × name + 0.4 × share of values found.")
    edits = edit_grid(
        frame, key=f"{place}_grid", row_id="id", columns=GRID, can_sort=False,
        save=lambda cells: tick(place, suggestions, cells),
    )  # fmt: skip
    if edits.cells:
        st.rerun()


def tick(place: str, suggestions: Sequence[KeySuggestion], edits: Sequence[CellEdit]) -> None:
    """Take over what was ticked."""
    staged = dict.fromkeys(st.session_state[place])
    for edit in edits:
        one = suggestions[int(edit.row_id)]
        staged |= {(one.left, one.right): None}
        if not edit.after:
            del staged[one.left, one.right]
    st.session_state[place] = tuple(staged)


def untick(place: str, key: tuple[str, str]) -> None:
    """Remove a staged key."""
    st.session_state[place] = tuple(one for one in st.session_state[place] if one != key)


def pick_key(partner: JoinSource, table: str, *, place: str) -> None:
    """Two columns chosen by hand."""
    sides = [[column.name for column in cached.table_columns(name)] for name in (partner.table, table)]
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
        left = st.selectbox(
            f"Column of {plain(partner.alias)}", sides[0], index=None, key=f"{place}_left", width=240,
            placeholder="Choose a column",
        )  # fmt: skip
        right = st.selectbox(
            "Column of the new source", sides[1], index=None, key=f"{place}_right", width=240,
            placeholder="Choose a column",
        )  # fmt: skip
        st.button(
            "Add key", icon=":material/add:", key="data_pick_key", on_click=pick, args=(place, left or "", right or ""),
            disabled=not (left and right),
        )  # fmt: skip


def pick(place: str, left: str, right: str) -> None:
    """Stage a key that was chosen by hand."""
    st.session_state[place] = tuple(dict.fromkeys((*st.session_state[place], (left, right))))


# --- staging ---------------------------------------------------------------------------------------------------------


def finish(sheet_id: str, join: Join, staged: Keys, *, key: str) -> None:
    """Stage the source with its keys, or leave it."""
    with st.container(horizontal=True):
        st.button(
            "Add this source", type="primary", key="data_adder_done", on_click=stage_source, args=(sheet_id, join, key),
            disabled=not staged, help=None if staged else "Choose at least one key.",
        )  # fmt: skip
        st.button("Cancel", key="data_adder_cancel", on_click=st.session_state.pop, args=(f"{key}_adding", None))


def stage_source(sheet_id: str, join: Join, key: str) -> None:
    """Put the new source into the draft; its columns get proposed roles."""
    with guard_callback():
        draft = current(sheet_id).draft
        change(sheet_id, cached.workbench().sheets.with_join(draft, join))
        st.session_state.pop(f"{key}_adding", None)
        for name in [name for name in st.session_state if str(name).startswith(f"{key}_table")]:
            del st.session_state[name]
