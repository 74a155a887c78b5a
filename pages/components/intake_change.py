"""New rows for a table that is there: what would happen to it and to its sheets, and the button that does it."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import replace

import pandas as pd
import streamlit as st

from pages.components.data_navigation import go
from pages.components.errors import guard, guard_callback
from pages.components.grid import CellEdit, GridColumn, edit_grid
from pages.components.intake_candidate import Candidate, compared, decide, forget, plan_of, wishes_for
from pages.components.layout import flash
from pages.components.words import counted, plain
from workbench_core.catalog import (
    ChangeMode,
    ChangePreview,
    ColumnChange,
    ColumnFate,
    IncomingTable,
    SheetEffect,
    TableChange,
    TableEntry,
)

MODES = {
    ChangeMode.ADD: "Add",
    ChangeMode.UPDATE: "Add and update",
    ChangeMode.REPLACE: "Replace all",
}
MEANINGS = {
    ChangeMode.ADD: "Every row of the file is added below the rows that are there.",
    ChangeMode.UPDATE: "A row of the file takes the place of the row with the same identifier; all others are added.",
    ChangeMode.REPLACE: "The rows of the file take the place of all rows that are there.",
}
FATES = {
    ColumnFate.SAME: "Stays",
    ColumnFate.NEW: "New",
    ColumnFate.MISSING: "Not in the file",
    ColumnFate.OTHER_TYPE: "Other type",
    ColumnFate.UNFIT: "Does not fit",
}
FATE_COLORS = {"Stays": "green", "New": "blue", "Not in the file": "orange", "Other type": "orange",
               "Does not fit": "red", "Left out": "gray", "Goes": "red"}  # fmt: skip
MOST_NAMES = 5


def change_choice(candidate: Candidate, table: str) -> ChangeMode:
    """What happens with the rows of the file, because the table is there already."""
    st.caption(
        f":blue[:material/info:] {plain(table)} is there already. Choose another name for a table of its own, or:"
    )
    mode = st.segmented_control(
        "What the rows do", list(MODES), default=ChangeMode.ADD, required=True, format_func=MODES.__getitem__,
        key=candidate.key("mode"), label_visibility="collapsed",
    )  # fmt: skip
    st.caption(MEANINGS[ChangeMode(mode)])
    return ChangeMode(mode)


def looked_at(candidate: Candidate, name: str, mode: ChangeMode) -> ChangePreview | None:
    """What the rows would do; why not, where the table or the file does not allow it."""
    change = TableChange(
        mode,
        identifier=st.session_state.get(candidate.key("identifier")) or "",
        takes_new_columns=st.session_state.get(candidate.key("new_columns"), True),
    )
    found: list[ChangePreview] = []
    with guard():
        found.append(compared(candidate, replace(wishes_for(candidate), name=name, change=change)))
    return found[0] if found else None


def change_fields(candidate: Candidate, preview: ChangePreview) -> None:
    """The choices that some changes leave: the identifier, and columns that the table does not have."""
    compared_with = preview.comparison
    if preview.change.mode is ChangeMode.UPDATE:
        key = candidate.key("identifier")
        options = [column.name for column in compared_with.of(ColumnFate.SAME)]
        chosen = preview.change.identifier
        st.session_state.setdefault(key, chosen if chosen in options else None)
        st.selectbox("Identifier", options, key=key, index=None, placeholder="Which column tells the rows apart")
    new = compared_with.of(ColumnFate.NEW)
    if new and preview.change.mode is not ChangeMode.REPLACE:
        st.checkbox(
            f"Take the new {'column' if len(new) == 1 else 'columns'} {_names(new)}", value=True,
            key=candidate.key("new_columns"), help="Empty in the rows that are there",
        )  # fmt: skip


def change_button(candidate: Candidate, preview: ChangePreview, *, tags: Sequence[str]) -> None:
    """What stands against it, or the button that does it as it was shown."""
    for message, hint in preview.refusals:
        st.error(f"{plain(message)}\n\n{plain(hint)}", icon=":material/block:")
    seen = candidate.key("seen")
    if preview.change.mode is ChangeMode.ADD and preview.comparison.repeated:
        st.button(
            "Update these rows instead", icon=":material/sync:", key="intake_update",
            on_click=st.session_state.__setitem__, args=(candidate.key("mode"), ChangeMode.UPDATE),
        )  # fmt: skip
    is_pressed = st.button(
        _label(preview), type="primary", icon=":material/done_all:", key="intake_keep",
        disabled=not preview.is_possible, on_click=st.session_state.__setitem__,
        args=(seen, preview.comparison.version),
        help=None if preview.is_possible else "Something stands against it: see above.",
    )  # fmt: skip
    if is_pressed:
        name = preview.comparison.name.rsplit(".", 1)[-1]
        change = replace(preview.change, seen=st.session_state[seen])
        _carry_out(lambda: candidate.keep(replace(wishes_for(candidate), name=name, change=change), tags), preview)


def _carry_out(keep: Callable[[], Sequence[TableEntry]], preview: ChangePreview) -> None:
    """Do it and open the table; when something stands against it now, look again and say so."""
    made: list[TableEntry] = []
    with guard_callback(), st.spinner("Writing the table …"):
        made.extend(keep())
    forget()
    if made:
        flash(f"{plain(made[0].name)} has {counted(preview.comparison.rows_after or 0, 'row')} now.")
        go(table=made[0].name)
    st.rerun()


def _label(preview: ChangePreview) -> str:
    compared_with = preview.comparison
    rows = counted(compared_with.rows_in_file, "row")
    if preview.change.mode is ChangeMode.ADD:
        return f"Add {rows}"
    if preview.change.mode is ChangeMode.UPDATE:
        new = compared_with.rows_in_file - compared_with.repeated
        return f"Update {counted(compared_with.repeated, 'row')}, add {new:,}"
    return f"Replace {counted(compared_with.rows_before, 'row')} by {compared_with.rows_in_file:,}"


# --- what would happen ----------------------------------------------------------------------------------------------


def rows_line(preview: ChangePreview) -> None:
    """Rows now and after."""
    compared_with = preview.comparison
    is_known = preview.is_possible and compared_with.rows_after is not None
    after = f" → **{counted(compared_with.rows_after or 0, 'row')}**" if is_known else ""
    st.markdown(f"**{counted(compared_with.rows_before, 'row')}**{after}")


def sheets_in_short(effects: Sequence[SheetEffect]) -> None:
    """Above the button, what its sheets would lose: on a phone the details stand below it."""
    if not effects:
        return
    troubled = [effect for effect in effects if not effect.is_unique or effect.labels_lost]
    if not troubled:
        sheets = "Its sheet keeps" if len(effects) == 1 else f"Its {len(effects):,} sheets keep"
        st.caption(f":green[:material/check_circle:] {sheets} every labelled item and a clear identifier.")
        return
    lines = [f"**{plain(effect.name)}**: {_trouble(effect)}" for effect in troubled[:MOST_NAMES]]
    more = [f"and {len(troubled) - MOST_NAMES:,} more sheets"] if len(troubled) > MOST_NAMES else []
    st.warning("  \n".join([*lines, *more]), icon=":material/warning:")


def _trouble(effect: SheetEffect) -> str:
    parts = []
    if not effect.is_unique:
        parts.append("its identifier would repeat itself or be empty")
    if effect.labels_lost:
        parts.append(f"{counted(effect.labels_lost, 'labelled item')} would not be there any more")
    return ", ".join(parts)


def sheet_effects(effects: Collection[SheetEffect]) -> None:
    """What every sheet that reads the table would meet."""
    if not effects:
        return
    st.subheader("Its sheets", anchor=False)
    for effect in effects:
        with st.container(border=True, gap="small"):
            st.markdown(
                f":material/table_view: **{plain(effect.name)}** {effect.items_before:,} → "
                f"{counted(effect.items_after, 'item')}"
            )
            st.caption("  \n".join(_sentences(effect)))


def _sentences(effect: SheetEffect) -> list[str]:
    if effect.problem:
        return [f":red[:material/error:] {plain(effect.problem)}"]
    said = [_of_identifier(effect)]
    if effect.labels_lost:
        said.append(
            f":orange[:material/warning:] {effect.labels_lost:,} of {counted(effect.labelled, 'labelled item')} would "
            "not be there any more. Their labels stay and count again when the items come back."
        )
    elif effect.labelled:
        said.append(f":green[:material/check_circle:] All {counted(effect.labelled, 'labelled item')} stay.")
    return said


def _of_identifier(effect: SheetEffect) -> str:
    name = f"{plain(effect.identifier)}, the identifier," if effect.identifier else "The identifier"
    if effect.repeated_after:
        return f":red[:material/error:] {name} would repeat itself in {counted(effect.repeated_after, 'row')}."
    if effect.without_identifier:
        return f":red[:material/error:] {name} would be empty in {counted(effect.without_identifier, 'row')}."
    return f":green[:material/check_circle:] {name} is different in every row."


def column_effects(candidate: Candidate, table: IncomingTable, preview: ChangePreview) -> None:
    """Every column with its type now and after; a tick keeps one as it was typed."""
    plan = plan_of(candidate, table.path)
    columns, is_replace = preview.comparison.columns, preview.change.mode is ChangeMode.REPLACE
    able = {column.name for column in columns if column.after and (is_replace or column.fate is ColumnFate.NEW)}
    kept = set(plan.text_columns) & able
    frame = pd.DataFrame(
        {
            "Column": [column.name for column in columns],
            "What happens": [_fate(column) for column in columns],
            "As text": [column.name in kept for column in columns],
            "Now": [column.before or "–" for column in columns],
            "After": [column.after or "–" for column in columns],
        }
    )
    shown = [
        GridColumn("Column", share=2, least=120),
        GridColumn("What happens", width=140, kind="badge", colors=FATE_COLORS),
        *([GridColumn("As text", width=100, kind="check", is_editable=True)] if able else []),
        GridColumn("Now", share=1, least=110, kind="mono"),
        GridColumn("After", share=1, least=110, kind="mono"),
    ]

    def keep(cells: Sequence[CellEdit]) -> None:
        for cell in cells:
            (kept.add if cell.after is True else kept.discard)(cell.row_id)
        decide(candidate, table.path, replace(plan, text_columns=tuple(sorted(kept & able))))

    edits = edit_grid(
        frame, key=candidate.key(f"columns_{preview.change.mode}"), row_id="Column", columns=shown, save=keep
    )
    if able:
        what = "column" if is_replace else "new column"
        st.caption(f"As text keeps a {what} as it was typed. Columns that are text in the table stay text.")
    if edits.cells:
        st.rerun()


def _fate(column: ColumnChange) -> str:
    """What happens to a column in a word."""
    if not column.after:
        return "Goes" if column.before else "Left out"
    return FATES[column.fate]


def _names(columns: Sequence[ColumnChange]) -> str:
    more = f" and {len(columns) - MOST_NAMES:,} more" if len(columns) > MOST_NAMES else ""
    return ", ".join(plain(column.name) for column in columns[:MOST_NAMES]) + more
