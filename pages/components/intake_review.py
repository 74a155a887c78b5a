"""What files become before they are kept: name, tags, types, first rows and repairs, and the button that does it."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from pathlib import PurePosixPath

import pandas as pd
import streamlit as st

from pages.components.catalog_tree import short
from pages.components.data_navigation import go
from pages.components.errors import guard
from pages.components.grid import CellEdit, GridColumn, edit_grid
from pages.components.layout import counted, file_size, flash, plain, words
from pages.components.records import cell_text
from pages.components.table_details import KIND_COLORS, imposed
from workbench_core import cached
from workbench_core.catalog import (
    TABLE_ENDINGS,
    TAGS,
    UPLOADS,
    FileInspection,
    Incoming,
    IncomingTable,
    IntakeColumn,
    IntakePlan,
    TableEntry,
    Wishes,
    table_name,
)
from workbench_core.text_encodings import TITLES

BECOMES = {"table": "A table", "file": "A file in a folder"}
PART_NAMES = {"excel": "Worksheet", "json": "List"}
TEXT_ENDINGS = (".csv", ".tsv", ".txt", ".json", ".jsonl", ".ndjson")
MOST_FILES = 200
MOST_COLUMNS = 10  # that are named in one line
_LAST = "intake_last"  # what was found last, so that typing a name does not read the files again


@dataclass(frozen=True, slots=True)
class Candidate:
    """Files that may come into the lake.

    `stamp` changes with them. `inspect` looks, `keep` writes what was looked at, with tags. `extend` puts those
    of these paths into a folder that may be there already.
    """

    file_name: str
    stamp: str
    size_bytes: int
    inspect: Callable[[Wishes], Incoming]
    keep: Callable[[Wishes, Sequence[str]], Sequence[TableEntry]]
    extend: Callable[[str, Sequence[str], Collection[str]], TableEntry] | None = None

    @property
    def may_be_table(self) -> bool:
        """True for one file that can become a table by its name."""
        return PurePosixPath(self.file_name).suffix.lower() in TABLE_ENDINGS

    def key(self, name: str) -> str:
        """A key of the session that belongs to these files only."""
        return f"intake_{name}_{self.stamp}"


def review(candidate: Candidate) -> None:
    """What it becomes, the choices that are left, and the button that does it; a malformed file is told instead."""
    if candidate.may_be_table:
        st.segmented_control(
            "It becomes", list(BECOMES), default="table", required=True, format_func=lambda name: BECOMES[name],
            key=candidate.key("becomes"), label_visibility="collapsed",
        )  # fmt: skip
    found: list[Incoming] = []
    with guard():
        found.append(_inspected(candidate))
    if not found:
        _show_refused(candidate)
    elif len(found[0].tables) == 1 and not found[0].files:
        _review_table(candidate, found[0])
    else:
        _review_many(candidate, found[0])


def _show_refused(candidate: Candidate) -> None:
    """What is left to do when files cannot be read."""
    st.caption("Nothing was kept. Mend the file, then choose it again.")
    if candidate.may_be_table:
        _encoding_choice(candidate)
    if st.session_state.get(candidate.key("tables")) is not None:
        st.button(
            "Undo the choice of tables",
            key="intake_undo",
            on_click=st.session_state.pop,
            args=(candidate.key("tables"),),
        )


# --- what was decided so far ----------------------------------------------------------------------------------------


def _wishes(candidate: Candidate) -> Wishes:
    """How each file is read, and which become tables; without a name, because a name changes nothing to look at."""
    tables = st.session_state.get(candidate.key("tables"))
    if st.session_state.get(candidate.key("becomes")) == "file":
        tables = ()
    return Wishes(plans=st.session_state.get(candidate.key("plans"), {}), tables=tables)


def _plan(candidate: Candidate, path: str) -> IntakePlan:
    plan: IntakePlan = st.session_state.get(candidate.key("plans"), {}).get(path, IntakePlan())
    return plan


def _decide(candidate: Candidate, path: str, plan: IntakePlan) -> None:
    """Read a file in another way from now on."""
    plans = st.session_state.get(candidate.key("plans"), {})
    st.session_state[candidate.key("plans")] = plans | {path: plan}


def _inspected(candidate: Candidate) -> Incoming:
    """What the files become. Raises Invalid for one that cannot be read."""
    wishes = _wishes(candidate)
    asked, last = (candidate.stamp, wishes), st.session_state.get(_LAST)
    if last is None or last[0] != asked:
        size = f", {file_size(candidate.size_bytes)}" if candidate.size_bytes else ""
        with st.spinner(f"Reading {plain(candidate.file_name)}{size} …"):
            last = (asked, candidate.inspect(wishes))
        st.session_state[_LAST] = last
    found: Incoming = last[1]
    return found


# --- one table ------------------------------------------------------------------------------------------------------


def _review_table(candidate: Candidate, incoming: Incoming) -> None:
    """The table that a file becomes; every choice is seen at once in types and rows."""
    table = incoming.tables[0]
    found = table.inspection
    left, right = st.columns([2, 3], gap="medium")
    with left:
        st.subheader("What it becomes", anchor=False)
        st.markdown(f"A table of **{counted(found.row_count, 'row')}** and **{counted(len(found.columns), 'column')}**")
        _part_choice(candidate, table)
        name = _name_field(candidate, short(table.name))
        tags = _tags_field(candidate)
        _notes((*incoming.notes, *found.notes))
        _encoding_choice(candidate)
        if _keep_button(f"Add table with {counted(found.row_count, 'row')}", is_named=bool(name)):
            _keep(candidate, replace(_wishes(candidate), name=name), tags)
    with right:
        st.subheader("Types", anchor=False)
        _types(candidate, table)
        st.subheader("First rows", anchor=False)
        st.dataframe(found.rows, hide_index=True, alt=f"The first rows of {table.path}")


def _part_choice(candidate: Candidate, table: IncomingTable) -> None:
    """Which worksheet or list of the file is read, where there are several."""
    found, plan, key = table.inspection, _plan(candidate, table.path), candidate.key("part")
    if not found.parts:
        return

    def choose() -> None:  # another part has other columns
        _decide(candidate, table.path, IntakePlan(part=st.session_state.get(key) or "", encoding=plan.encoding))

    st.selectbox(
        PART_NAMES.get(found.format, "Part"), found.parts, key=key, on_change=choose, index=None,
        placeholder="The first with rows",
    )  # fmt: skip


def _encoding_choice(candidate: Candidate) -> None:
    """Another encoding for a text file whose own was recognised wrongly."""
    path, key = PurePosixPath(candidate.file_name).name, candidate.key("encoding")
    if PurePosixPath(path).suffix.lower() not in TEXT_ENDINGS:
        return

    def choose() -> None:
        encoding = st.session_state.get(key) or ""
        _decide(candidate, path, replace(_plan(candidate, path), encoding=encoding))

    with st.expander("The letters look wrong", type="compact"):
        st.selectbox(
            "Encoding", list(TITLES), format_func=TITLES.__getitem__, key=key, on_change=choose, index=None,
            placeholder="As recognised",
        )  # fmt: skip


def _types(candidate: Candidate, table: IncomingTable) -> None:
    """Every column with its type and first value; a tick keeps it as it was typed."""
    found, plan = table.inspection, _plan(candidate, table.path)
    kept = set(plan.text_columns)
    frame = pd.DataFrame(
        {
            "Column": [column.name for column in found.columns],
            "As text": [column.name in kept for column in found.columns],
            "In the file": [column.original_name for column in found.columns],
            "Kind": [words(column.kind) for column in found.columns],
            "First value": [_first_value(found, column) for column in found.columns],
        }
    )
    is_renamed = any(column.name != column.original_name for column in found.columns)
    columns = [
        GridColumn("Column", share=2, least=120),
        GridColumn("As text", width=100, kind="check", is_editable=True),
        GridColumn("Kind", width=110, kind="badge", colors=KIND_COLORS),
        *([GridColumn("In the file", share=2, least=130)] if is_renamed else []),
        GridColumn("First value", share=2, least=120),
    ]

    def keep(cells: Sequence[CellEdit]) -> None:
        for cell in cells:
            (kept.add if cell.after is True else kept.discard)(cell.row_id)
        _decide(candidate, table.path, replace(plan, text_columns=tuple(sorted(kept))))

    edits = edit_grid(
        frame, key=candidate.key("types"), row_id="Column", columns=columns, save=keep, height=270
    )  # fmt: skip
    st.caption("As text keeps a column as it was typed: leading zeros, codes, dates of another kind.")
    if edits.cells:
        st.rerun()


def _first_value(found: FileInspection, column: IntakeColumn) -> str:
    return next((text for value in found.rows[column.name] if (text := cell_text(value))), "")


# --- many files -----------------------------------------------------------------------------------------------------


def _review_many(candidate: Candidate, incoming: Incoming) -> None:
    """The tables and the folder that several files, an archive or a folder become."""
    left, right = st.columns([2, 3], gap="medium")
    is_folder_only = not incoming.tables
    extend = candidate.extend if is_folder_only else None
    with left:
        st.subheader("What it becomes", anchor=False)
        st.markdown(_summary(incoming))
        name = ""
        if incoming.files:
            name = _name_field(candidate, short(incoming.volume), label="Name of the folder", may_exist=bool(extend))
        taken = _taken(incoming)
        tags = _tags_field(candidate)
        _notes(incoming.notes)
        if _keep_button("Add everything", is_named=bool(name or not incoming.files) and not taken):
            _keep(candidate, replace(_wishes(candidate), name=name), tags, folder=name if extend else "")
    with right:
        _table_choice(candidate, incoming)
        if incoming.files:
            st.subheader("Files", anchor=False)
            _file_list(incoming)
        for table in incoming.tables:
            with st.expander(f"{plain(short(table.name))} · {counted(table.inspection.row_count, 'row')}"):
                _notes(table.inspection.notes)
                st.dataframe(table.inspection.rows, hide_index=True, alt=f"The first rows of {table.path}")


def _summary(incoming: Incoming) -> str:
    folder = f"a folder of **{counted(len(incoming.files), 'file')}**" if incoming.files else ""
    tables = f"**{counted(len(incoming.tables), 'table')}**" if incoming.tables else ""
    both = " and ".join(part for part in (tables, folder) if part)
    return f"{both[:1].upper()}{both[1:]}, {file_size(incoming.size_bytes)}"


def _taken(incoming: Incoming) -> bool:
    """Say which tables have the name of one that is there; they cannot be kept."""
    there = {entry.name for entry in cached.catalog_entries()}
    taken = [table.name for table in incoming.tables if table.name in there]
    if taken:
        names = ", ".join(plain(name) for name in taken[:MOST_COLUMNS])
        st.caption(f":red[:material/error:] There already: {names}. Rename the file, or keep it as a file.")
    return bool(taken)


def _table_choice(candidate: Candidate, incoming: Incoming) -> None:
    """The files that can become tables, each with a tick."""
    tables = {table.path: table for table in incoming.tables}
    able = [*tables, *(file.path for file in incoming.files if _is_able(file.path))]
    if not able:
        return
    st.subheader("Tables", anchor=False)
    frame = pd.DataFrame(
        {
            "File": able,
            "Rows": [tables[path].inspection.row_count if path in tables else None for path in able],
            "Columns": [len(tables[path].inspection.columns) if path in tables else None for path in able],
            "Table": [path in tables for path in able],
        }
    )
    columns = [
        GridColumn("File", share=3),
        GridColumn("Table", width=95, kind="check", is_editable=True),
        GridColumn("Rows", width=95, kind="number"),
        GridColumn("Columns", width=110, kind="number"),
    ]

    def keep(cells: Sequence[CellEdit]) -> None:
        chosen = set(tables)
        for cell in cells:
            (chosen.add if cell.after is True else chosen.discard)(cell.row_id)
        st.session_state[candidate.key("tables")] = tuple(sorted(chosen))

    edits = edit_grid(frame, key=candidate.key("able"), row_id="File", columns=columns, save=keep)
    if edits.cells:
        st.rerun()


def _is_able(path: str) -> bool:
    ending = PurePosixPath(path).suffix.lower()
    return ending in TABLE_ENDINGS and ending != ".txt"


def _file_list(incoming: Incoming) -> None:
    shown = incoming.files[:MOST_FILES]
    frame = pd.DataFrame(
        {"File": [file.path for file in shown], "Size": [file_size(file.size_bytes) for file in shown]}
    )
    st.dataframe(frame, hide_index=True, alt="Files that go into the folder")
    if len(incoming.files) > MOST_FILES:
        st.caption(f"and {len(incoming.files) - MOST_FILES:,} more")


# --- fields that every way has --------------------------------------------------------------------------------------


def _name_field(candidate: Candidate, proposed: str, *, label: str = "Name", may_exist: bool = False) -> str:
    """The name in the lake with its verdict; empty when it cannot be used."""
    typed = st.text_input(label, proposed, key=candidate.key("name"), help="Letters, digits and _", live="300ms")
    if not any(character.isascii() and character.isalnum() for character in (typed or "").lower()):
        st.caption(":red[:material/error:] A name needs a letter or digit.")
        return ""
    name = table_name(typed)
    full = f"{UPLOADS}.{name}"
    there = next((entry for entry in cached.catalog_entries() if entry.name == full), None)
    if there is None:
        st.caption(f":green[:material/check_circle:] It will be {plain(full)}.")
        return name
    if may_exist and there.kind == "volume":
        st.caption(f":blue[:material/info:] The files are added to the folder {plain(full)}.")
        return name
    st.caption(f":red[:material/error:] {plain(full)} is there already. Choose another name.")
    return ""


def _tags_field(candidate: Candidate) -> list[str]:
    """What it contains, and what that imposes on everything made from it."""
    tags = st.pills(
        "It contains", list(TAGS), selection_mode="multi", format_func=TAGS.__getitem__, key=candidate.key("tags")
    )
    st.caption(imposed(tags))
    return list(tags)


def _notes(notes: Collection[str]) -> None:
    """What was repaired or assumed when the files were read."""
    if notes:
        st.caption("  \n".join(f":material/build: {plain(note)}" for note in notes))


def _keep_button(label: str, *, is_named: bool) -> bool:
    return st.button(
        label, type="primary", icon=":material/add:", key="intake_keep", disabled=not is_named,
        help=None if is_named else "Choose a name that is free first.",
    )  # fmt: skip


def _keep(candidate: Candidate, wishes: Wishes, tags: Sequence[str], *, folder: str = "") -> None:
    """Put it into the lake and open it; of several things the list."""
    made: list[TableEntry] = []
    with guard(), st.spinner(f"Writing {plain(candidate.file_name)} into the lake …"):
        if folder and candidate.extend:
            paths = {file.path for file in _inspected(candidate).files}
            made.append(candidate.extend(folder, tags, paths))
        else:
            made.extend(candidate.keep(wishes, tags))
    if not made:
        return
    st.session_state.pop(_LAST, None)
    names = ", ".join(entry.name for entry in made[:3])
    flash(f"{names}{' and others are' if len(made) > 3 else ' are' if len(made) > 1 else ' is'} in the lake.")
    if len(made) == 1:
        go(table=made[0].name)
    else:
        catalog, schema = UPLOADS.split(".")
        go(catalog=catalog, schema=schema)
    st.rerun()
