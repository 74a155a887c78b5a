"""The columns of a sheet: what each is for and in which order they stand; changed in a grid or with buttons."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import pandas as pd
import streamlit as st

from pages.components.data_navigation import go
from pages.components.errors import guard, guard_callback
from pages.components.grid import CellEdit, GridColumn, edit_grid, read_grid
from pages.components.layout import Color, close_popover, work_popover
from pages.components.sheet_draft import OpenSheet, change, current, opened, why_locked
from pages.components.verdicts import identifier_verdict
from pages.components.words import plain
from workbench_core import cached
from workbench_core.catalog import Column
from workbench_core.sheets import ColumnRef, Join, Sheet, SheetDraft, SourceRole
from workbench_core.sheets.editing import ColumnRole, placed, roles_of, shifted, with_role

ROLES: Mapping[ColumnRole, str] = {
    ColumnRole.IDENTIFIER: "Identifier",
    ColumnRole.TEXT: "Text",
    ColumnRole.IMAGE: "Image",
    ColumnRole.METADATA: "Metadata",
    ColumnRole.NONE: "–",
}
_ROLE_OF = {title: role for role, title in ROLES.items()}
_COLORS: Mapping[ColumnRole, Color] = {
    ColumnRole.IDENTIFIER: "violet",
    ColumnRole.TEXT: "blue",
    ColumnRole.IMAGE: "green",
    ColumnRole.METADATA: "gray",
}
_MOST_CHIPS = 12


def edit_columns(sheet: Sheet) -> None:
    """All columns of all sources with their roles, the ones of the sheet first, in its order."""
    kept, locked = opened(sheet), why_locked(sheet)
    with guard():
        every = cached.relation_columns(kept.draft.relation)
        frame = column_frame(kept.draft, every)
        count = len(kept.draft.columns)
        st.caption(
            f"{count:,} of {len(frame):,} columns are in the sheet. "
            + (f":material/lock: {locked}" if locked else "Change a role in the grid; drag a row to another place.")
        )
        grid_key = f"{kept.key}_columns"
        if locked:
            read_grid(frame, key=f"{grid_key}_locked", row_id="name", columns=grid_columns(kept.draft, can_edit=False))
            return
        edits = edit_grid(
            frame,
            key=grid_key,
            row_id="name",
            columns=grid_columns(kept.draft, can_edit=True),
            selection="single",
            save=lambda cells: set_roles(sheet.id, cells),
            arrange=lambda order: arrange(sheet.id, order),
        )
        if edits.cells or edits.order:
            st.rerun()
        column_buttons(kept, list(frame["name"]), picked=edits.selected)
        identifier_verdict(kept.draft.relation, kept.draft.item_id_column)


def column_frame(draft: SheetDraft, every: Sequence[Column]) -> pd.DataFrame:
    """One row for each column; a column with a role that the source has lost is there too."""
    roles, known = roles_of(draft), {column.name: column for column in every}
    names = [*roles, *(column.name for column in every if column.name not in roles)]
    return pd.DataFrame(
        {
            "name": names,
            "role": [ROLES[roles.get(name, ColumnRole.NONE)] for name in names],
            "type": [known[name].data_type if name in known else "missing in the source" for name in names],
            "source": [source_title(draft, name) for name in names],
            "comment": [known[name].comment if name in known else "" for name in names],
        }
    )


def source_title(draft: SheetDraft, column: str) -> str:
    """The source that a column comes from."""
    if draft.join is None:
        return draft.source
    aliases = {one.alias: one.table for one in draft.join.sources if column.startswith(f"{one.alias}__")}
    alias = max(aliases, key=len, default="")
    return f"{alias}: {aliases[alias]}" if alias else ""


def grid_columns(draft: SheetDraft, *, can_edit: bool) -> list[GridColumn]:
    """Name and role first: a phone shows no more."""
    options = tuple(ROLES.values())
    role = (
        GridColumn("role", "Role", width=124, is_editable=True, options=options)
        if can_edit
        else GridColumn("role", "Role", width=124, kind="badge", colors={ROLES[one]: _COLORS[one] for one in _COLORS})
    )
    columns = [GridColumn("name", "Column", share=2, least=170), role, GridColumn("type", "Type", least=120)]
    if draft.join is not None:
        columns.append(GridColumn("source", "Source", share=2, least=200))
    return [*columns, GridColumn("comment", "Comment", share=2, least=160)]


def set_roles(sheet_id: str, edits: Sequence[CellEdit]) -> None:
    """Take over what was chosen in the grid."""
    with guard_callback():
        for edit in edits:
            draft = current(sheet_id).draft
            change(sheet_id, with_role(draft, edit.row_id, _ROLE_OF[str(edit.after)]))


def arrange(sheet_id: str, order: Sequence[str]) -> None:
    """Take over the order of the grid."""
    change(sheet_id, placed(current(sheet_id).draft, order))


# --- with buttons ----------------------------------------------------------------------------------------------------


def column_buttons(kept: OpenSheet, names: Sequence[str], *, picked: Sequence[str]) -> None:
    """The same for keyboards and phones: choose a column, then its role or place."""
    sheet_id = kept.found.id
    clicked = picked[0] if picked and picked[0] in names else names[0]  # a click in the grid chooses here too
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
        chosen = st.selectbox(
            "Column", names, index=names.index(clicked), key=f"{kept.key}_column_{clicked}", width=260
        )
        role = roles_of(kept.draft).get(chosen, ColumnRole.NONE)
        titles = list(ROLES.values())
        # a box for each column and role: what a slow browser still says of one column is never taken for another's
        key = f"{kept.key}_role_{role}_{chosen}"
        st.selectbox(
            "Role", titles, index=titles.index(ROLES[role]), key=key, width=150, on_change=choose_role,
            args=(sheet_id, chosen, key),
        )  # fmt: skip
        place = kept.draft.columns.index(chosen) if role is not ColumnRole.NONE else -1
        last = len(kept.draft.columns) - 1
        for label, icon, by in (("Move up", "arrow_upward", -1), ("Move down", "arrow_downward", 1)):
            st.button(
                label, icon=f":material/{icon}:", key=f"data_{label.replace(' ', '_').lower()}", on_click=shift,
                args=(sheet_id, chosen, by), disabled=place < 0 or not 0 <= place + by <= last,
            )  # fmt: skip
        is_identifier = role is ColumnRole.IDENTIFIER
        st.button(
            "Remove", icon=":material/remove_circle_outline:", key="data_remove_column", on_click=remove,
            args=(sheet_id, chosen), disabled=place < 0 or is_identifier,
            help="Make another column the identifier first." if is_identifier else "Take it out of the sheet",
        )  # fmt: skip
        import_popover(kept)


def choose_role(sheet_id: str, column: str, key: str) -> None:
    """Give a column the role that was chosen beside it."""
    with guard_callback():
        change(sheet_id, with_role(current(sheet_id).draft, column, _ROLE_OF[st.session_state[key]]))


def shift(sheet_id: str, column: str, by: int) -> None:
    """Move a column one place."""
    change(sheet_id, shifted(current(sheet_id).draft, column, by=by))


def remove(sheet_id: str, column: str) -> None:
    """Take a column out of the sheet."""
    with guard_callback():
        change(sheet_id, with_role(current(sheet_id).draft, column, ColumnRole.NONE))


# --- import ----------------------------------------------------------------------------------------------------------


def import_popover(kept: OpenSheet) -> None:
    """Bring columns of a source into the sheet."""
    with work_popover("Import columns", key="data_import", icon=":material/playlist_add:"):
        if kept.draft.join is None:
            st.caption("To import columns of another table, join it first.")
            st.button("Join another source", key="data_import_join", on_click=go, icon=":material/join:",
                      kwargs={"sheet": kept.found.id, "show": "sources"})  # fmt: skip
            return
        joined = [one for one in kept.draft.join.sources if one.role is not SourceRole.PRIMARY]
        by_alias = {one.alias: one for one in [*joined, kept.draft.join.primary]}
        alias = st.selectbox("Source", list(by_alias), key="data_import_source")
        columns = cached.table_columns(by_alias[alias].table)
        free = [one.name for one in columns if ColumnRef(alias, one.name).name not in kept.draft.columns]
        chosen = st.multiselect("Columns", free, key=f"data_import_columns_{alias}", placeholder="Not in the sheet yet")
        titles = [ROLES[role] for role in (ColumnRole.METADATA, ColumnRole.TEXT, ColumnRole.IMAGE)]
        role = st.selectbox("Role", titles, key="data_import_role")
        if st.button(f"Import {len(chosen):,} columns", type="primary", key="data_import_do", disabled=not chosen):
            bring_in(kept.found.id, alias, chosen, _ROLE_OF[role])
            close_popover("data_import")
            st.rerun()


def bring_in(sheet_id: str, alias: str, columns: Sequence[str], role: ColumnRole) -> None:
    """Give columns of a source a role, and let the join read them when it does not yet."""
    with guard_callback():
        draft = current(sheet_id).draft
        if draft.join is not None:
            draft = replace(draft, join=reading(draft.join, alias, columns))
        for column in columns:
            draft = with_role(draft, ColumnRef(alias, column).name, role)
        change(sheet_id, draft)


def reading(join: Join, alias: str, columns: Sequence[str]) -> Join:
    """The join with these columns among those that it reads of a source."""
    sources = (
        replace(one, columns=tuple(dict.fromkeys((*one.columns, *columns))))
        if one.alias == alias and one.columns is not None
        else one
        for one in join.sources
    )
    return replace(join, sources=tuple(sources))


def chips(draft: SheetDraft) -> None:
    """The columns of a sheet by role, to read at a glance."""
    roles = roles_of(draft)
    for role, title in ROLES.items():
        names = [name for name, one in roles.items() if one is role]
        if role is ColumnRole.NONE or not names:
            continue
        with st.container(horizontal=True, vertical_alignment="center", gap="xsmall"):
            st.markdown(f":gray[{title}]", width=90)
            for name in names[:_MOST_CHIPS]:
                st.badge(plain(name), color=_COLORS[role])
            if len(names) > _MOST_CHIPS:
                st.caption(f"and {len(names) - _MOST_CHIPS:,} more", width="content")
