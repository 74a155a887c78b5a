"""What files become before they are kept: name, tags, types, first rows and repairs, and the button that does it."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from pathlib import PurePosixPath

import pandas as pd
import streamlit as st

from pages.components.catalog_tree import short
from pages.components.data_navigation import go
from pages.components.errors import guard
from pages.components.grid import CellEdit, GridColumn, edit_grid
from pages.components.intake_candidate import Candidate, decide, forget, inspected, plan_of, wishes_for
from pages.components.intake_change import (
    change_button,
    change_choice,
    change_fields,
    column_effects,
    looked_at,
    rows_line,
    sheet_effects,
    sheets_in_short,
)
from pages.components.layout import flash
from pages.components.records import cell_text
from pages.components.table_details import KIND_COLORS, imposed
from pages.components.words import counted, file_size, plain, words
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
DELIMITERS: Mapping[str, str] = {"As recognised": "", "Commas": ",", "Semicolons": ";", "Tabs": "\t", "Bars": "|"}
DELIMITED_ENDINGS = (".csv", ".tsv", ".txt")
FIRST_ROWS = {"As recognised": None, "Names of the columns": True, "Values": False}
HEADER_ENDINGS = (".csv", ".tsv", ".txt", ".xlsx", ".xlsm", ".xlsb", ".xls", ".ods")
TEXT_ENDINGS = (".csv", ".tsv", ".txt", ".json", ".jsonl", ".ndjson")
MOST_FILES = 200
MOST_COLUMNS = 10  # that are named in one line


def review(candidate: Candidate) -> None:
    """What it becomes, the choices that are left, and the button that does it; a malformed file is told instead."""
    if candidate.may_be_table:
        st.segmented_control(
            "It becomes", list(BECOMES), default="table", required=True, format_func=lambda name: BECOMES[name],
            key=candidate.key("becomes"), label_visibility="collapsed",
        )  # fmt: skip
    found: list[Incoming] = []
    with guard():
        found.append(inspected(candidate))
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
        _reading_choices(candidate, is_open=True)
    if st.session_state.get(candidate.key("tables")) is not None:
        st.button(
            "Undo the choice of tables",
            key="intake_undo",
            on_click=st.session_state.pop,
            args=(candidate.key("tables"),),
        )


# --- one table ------------------------------------------------------------------------------------------------------


def _review_table(candidate: Candidate, incoming: Incoming) -> None:
    """The table that a file becomes, or the one that its rows change; every choice is seen at once."""
    table = incoming.tables[0]
    found = table.inspection
    left, right = st.columns([2, 3], gap="medium")
    with left:
        st.subheader("What it becomes", anchor=False)
        st.markdown(f"A table of **{counted(found.row_count, 'row')}** and **{counted(len(found.columns), 'column')}**")
        _part_choice(candidate, table)
        name, is_there = _name_field(candidate, _proposed(table), may_change=True)
        mode = change_choice(candidate, f"{UPLOADS}.{name}") if is_there else None
    preview = looked_at(candidate, name, mode) if mode else None
    with left:
        if preview:
            rows_line(preview)
            change_fields(candidate, preview)
            sheets_in_short(preview.sheets)
            change_button(candidate, preview, tags=_tags_so_far(candidate))
        tags = _tags_field(candidate, there=_tags_of(name) if is_there else ())
        _notes((*incoming.notes, *found.notes))
        _reading_choices(candidate)
        if not is_there and _keep_button(f"Add table with {counted(found.row_count, 'row')}", is_named=bool(name)):
            _keep(candidate, replace(wishes_for(candidate), name=name), tags)
    with right:
        if preview:
            sheet_effects(preview.sheets)
            st.subheader("Columns", anchor=False)
            column_effects(candidate, table, preview)
        else:
            st.subheader("Types", anchor=False)
            _types(candidate, table)
        st.subheader("First rows", anchor=False)
        st.dataframe(found.rows, hide_index=True, alt=f"The first rows of {table.path}")


def _proposed(table: IncomingTable) -> str:
    """The name that stands in the field at first: that of the table of the address, or of the file."""
    return short(st.query_params.get("to") or table.name)


def _part_choice(candidate: Candidate, table: IncomingTable) -> None:
    """Which worksheet or list of the file is read, where there are several."""
    found, plan, key = table.inspection, plan_of(candidate, table.path), candidate.key("part")
    if not found.parts:
        return

    def choose() -> None:  # another part has other columns
        decide(candidate, table.path, IntakePlan(part=st.session_state.get(key) or "", encoding=plan.encoding))

    st.selectbox(
        PART_NAMES.get(found.format, "Part"), found.parts, key=key, on_change=choose, index=None,
        placeholder="The first with rows",
    )  # fmt: skip


def _reading_choices(candidate: Candidate, *, is_open: bool = False) -> None:
    """Another encoding or another first row for a file that was read wrongly."""
    ending = PurePosixPath(candidate.file_name).suffix.lower()
    if ending in TEXT_ENDINGS or ending in HEADER_ENDINGS:
        with st.expander("Read it differently", type="compact", expanded=is_open):
            if ending in HEADER_ENDINGS:
                _header_choice(candidate)
            if ending in DELIMITED_ENDINGS:
                _delimiter_choice(candidate)
            if ending in TEXT_ENDINGS:
                _encoding_choice(candidate)


def _header_choice(candidate: Candidate) -> None:
    """Whether the first row names the columns."""
    path, key = PurePosixPath(candidate.file_name).name, candidate.key("header")

    def choose() -> None:  # other names of columns
        has_header = FIRST_ROWS[st.session_state.get(key) or "As recognised"]
        decide(candidate, path, replace(plan_of(candidate, path), has_header=has_header, text_columns=()))

    st.segmented_control(
        "The first row", list(FIRST_ROWS), default="As recognised", required=True, key=key, on_change=choose
    )


def _delimiter_choice(candidate: Candidate) -> None:
    """What separates the values of a row."""
    path, key = PurePosixPath(candidate.file_name).name, candidate.key("delimiter")

    def choose() -> None:  # other columns
        delimiter = DELIMITERS[st.session_state.get(key) or "As recognised"]
        decide(candidate, path, replace(plan_of(candidate, path), delimiter=delimiter, text_columns=()))

    st.segmented_control(
        "Values are separated by", list(DELIMITERS), default="As recognised", required=True, key=key, on_change=choose
    )


def _encoding_choice(candidate: Candidate) -> None:
    """The encoding of a text file."""
    path, key = PurePosixPath(candidate.file_name).name, candidate.key("encoding")

    def choose() -> None:
        encoding = st.session_state.get(key) or ""
        decide(candidate, path, replace(plan_of(candidate, path), encoding=encoding))

    st.selectbox(
        "Encoding", list(TITLES), format_func=TITLES.__getitem__, key=key, on_change=choose, index=None,
        placeholder="As recognised",
    )  # fmt: skip


def _types(candidate: Candidate, table: IncomingTable) -> None:
    """Every column with its type and first value; a tick keeps it as it was typed."""
    found, plan = table.inspection, plan_of(candidate, table.path)
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
        decide(candidate, table.path, replace(plan, text_columns=tuple(sorted(kept))))

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
            name, _ = _name_field(candidate, short(incoming.volume), label="Name of the folder", may_exist=bool(extend))
        taken = _taken(incoming)
        tags = _tags_field(candidate)
        _notes(incoming.notes)
        if _keep_button("Add everything", is_named=bool(name or not incoming.files) and not taken):
            _keep(candidate, replace(wishes_for(candidate), name=name), tags, folder=name if extend else "")
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


def _name_field(
    candidate: Candidate, proposed: str, *, label: str = "Name", may_exist: bool = False, may_change: bool = False
) -> tuple[str, bool]:
    """The name in the lake with its verdict, empty when it cannot be used; whether a table is there to be changed."""
    typed = st.text_input(label, proposed, key=candidate.key("name"), help="Letters, digits and _", live="300ms")
    if not any(character.isascii() and character.isalnum() for character in (typed or "").lower()):
        st.caption(":red[:material/error:] A name needs a letter or digit.")
        return "", False
    name = table_name(typed)
    full = f"{UPLOADS}.{name}"
    there = next((entry for entry in cached.catalog_entries() if entry.name == full), None)
    if there is None:
        st.caption(f":green[:material/check_circle:] It will be {plain(full)}.")
        return name, False
    if may_change and there.kind == "table":
        return name, True
    if may_exist and there.kind == "volume":
        st.caption(f":blue[:material/info:] The files are added to the folder {plain(full)}.")
        return name, False
    st.caption(f":red[:material/error:] {plain(full)} is there already. Choose another name.")
    return "", False


def _tags_field(candidate: Candidate, *, there: Collection[str] = ()) -> list[str]:
    """What it contains, and what that imposes on everything made from it; tags that are there stay."""
    tags = st.pills(
        "It contains too" if there else "It contains", [tag for tag in TAGS if tag not in there],
        selection_mode="multi", format_func=TAGS.__getitem__, key=candidate.key("tags"),
    )  # fmt: skip
    st.caption(imposed([*there, *tags]))
    return list(tags)


def _tags_so_far(candidate: Candidate) -> list[str]:
    """The tags that are chosen in a field further down."""
    return list(st.session_state.get(candidate.key("tags")) or ())


def _tags_of(name: str) -> tuple[str, ...]:
    """The tags of an upload that is there."""
    return next((entry.tags for entry in cached.catalog_entries() if entry.name == f"{UPLOADS}.{name}"), ())


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
            paths = {file.path for file in inspected(candidate).files}
            made.append(candidate.extend(folder, tags, paths))
        else:
            made.extend(candidate.keep(wishes, tags))
    if not made:
        return
    forget()
    names = ", ".join(entry.name for entry in made[:3])
    flash(f"{names}{' and others are' if len(made) > 3 else ' are' if len(made) > 1 else ' is'} in the lake.")
    if len(made) == 1:
        go(table=made[0].name)
    else:
        catalog, schema = UPLOADS.split(".")
        go(catalog=catalog, schema=schema)
    st.rerun()
