"""New rows for a table: what would happen to it and to every sheet that reads it, and what stands against it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from workbench_core import rows
from workbench_core.errors import Conflict, WorkbenchError
from workbench_core.ports import ChangeMode, ColumnFate, Lake, Selection, Store, TableChange, TableComparison
from workbench_core.sheets import Sheet
from workbench_core.sheets.used_columns import identifier_in, sheets_reading, used_columns

if TYPE_CHECKING:
    from workbench_core.ports import ChangedTable

NAMED = 5  # columns or identifiers that a sentence names
BATCH = 10_000


@dataclass(frozen=True, slots=True)
class SheetEffect:
    """What a change of a table does to a sheet that reads it.

    `identifier` is its column in the table, empty when another source has it. Identifiers beyond the first of each
    value are repeated. `labels_lost` of the `labelled` items would be no rows of the source any more; their labels are
    kept. `problem` says why the sheet could not be read.
    """

    sheet_id: str
    name: str
    identifier: str
    items_before: int
    items_after: int
    repeated_before: int
    repeated_after: int
    without_identifier: int
    labelled: int
    labels_lost: int
    problem: str = ""

    @property
    def is_unique(self) -> bool:
        """Whether every row has an identifier of its own (INV-3)."""
        return not (self.repeated_after or self.without_identifier or self.problem)


@dataclass(frozen=True, slots=True)
class ChangePreview:
    """A change of a table before it is made: columns and rows, the sheets that read it, and what stands against it."""

    change: TableChange
    comparison: TableComparison
    sheets: tuple[SheetEffect, ...]
    refusals: tuple[tuple[str, str], ...]

    @property
    def is_possible(self) -> bool:
        """True when nothing stands against it."""
        return not self.refusals

    def check(self) -> None:
        """Raise Conflict with the first thing that stands against it."""
        for message, hint in self.refusals[:1]:
            raise Conflict(message, hint=hint)


def with_identifier(change: TableChange, sheets: Sequence[Sheet], table: str) -> TableChange:
    """The change with the identifier that the sheets use, unless another one was chosen."""
    if change.identifier or change.mode is ChangeMode.REPLACE:
        return change
    used = [name for sheet in sheets if (name := identifier_in(sheet, table))]
    return change if not used else TableChange(change.mode, used[0], change.takes_new_columns, change.seen)


def previewed(store: Store, lake: Lake, changed: ChangedTable, change: TableChange) -> ChangePreview:
    """Look at a prepared change with the eyes of every sheet that reads the table."""
    compared = changed.comparison
    sheets = sheets_reading(store, compared.name)
    refusals = [*_about_columns(lake, compared, sheets, change), *_about_rows(compared, change)]
    after = changed.lake
    effects: list[SheetEffect] = []
    if after is not None and not refusals:
        effects = [_effect(store, lake, after, sheet, compared.name) for sheet in sheets]
        refusals += _about_sheets(effects, change)
    return ChangePreview(change, compared, tuple(effects), tuple(refusals))


# --- what stands against it ------------------------------------------------------------------------------------------


def _about_columns(
    lake: Lake, compared: TableComparison, sheets: Sequence[Sheet], change: TableChange
) -> Iterator[tuple[str, str]]:
    unfit = compared.of(ColumnFate.UNFIT)
    if unfit:
        reasons = "; ".join(f"“{column.name}”: {column.problem}" for column in unfit[:NAMED])
        yield f"The columns do not fit the table. {reasons}{_more(unfit)}.", "Mend the file, or replace the table."
    if not compared.of(ColumnFate.SAME, ColumnFate.OTHER_TYPE, ColumnFate.UNFIT):
        yield "The file has no column of the table.", "Choose another name, or another file."
        return
    missing = {column.name.casefold() for column in compared.of(ColumnFate.MISSING)}
    for sheet in sheets if missing else ():
        yield from _missing_for(lake, sheet, compared.name, missing, change)


def _missing_for(
    lake: Lake, sheet: Sheet, table: str, missing: set[str], change: TableChange
) -> Iterator[tuple[str, str]]:
    """What a sheet misses: with other rows every column that it uses, with more rows only its identifier."""
    used = used_columns(sheet, table, dialect=lake.dialect)
    if change.mode is not ChangeMode.REPLACE:
        used = tuple(name for name in used if name == identifier_in(sheet, table))
    gone = [name for name in used if name.casefold() in missing]
    if gone:
        names = ", ".join(f"“{name}”" for name in gone[:NAMED])
        yield (
            f"The file does not have {names}{_more(gone)}, which the sheet “{sheet.name}” uses.",
            "Take a file with these columns, or take them out of the sheet first.",
        )


def _about_rows(compared: TableComparison, change: TableChange) -> Iterator[tuple[str, str]]:
    name = compared.identifier
    if change.mode is ChangeMode.ADD and compared.repeated:
        identifiers = "1 identifier" if compared.repeated == 1 else f"{compared.repeated:,} identifiers"
        examples = ", ".join(f"“{example}”" for example in compared.examples)
        left = compared.repeated - len(compared.examples)
        more = f" and {left:,} more" if left else ""
        yield (
            f"The table has {identifiers} of the file already in “{name}”: {examples}{more}.",
            "Let new rows replace the old ones of the same identifier, or take a file with new rows only.",
        )
    if change.mode is not ChangeMode.UPDATE:
        return
    if not name:
        yield "It is not said by which column rows replace each other.", "Choose the identifier."
        return
    if name in {column.name for column in compared.of(ColumnFate.MISSING)}:
        yield f"The file has no column “{name}”.", "Choose another identifier."
    for count, where in ((compared.repeated_in_file, "file"), (compared.repeated_in_table, "table")):
        if count:
            yield (
                f"“{name}” repeats itself in {_rows(count)} of the {where}: which row replaces which is not clear.",
                "Choose another identifier, or replace the table.",
            )
    if compared.without_identifier:
        yield f"“{name}” is empty in {_rows(compared.without_identifier)} of the file.", "Mend the file."


def _about_sheets(effects: Sequence[SheetEffect], change: TableChange) -> Iterator[tuple[str, str]]:
    """Other rows may break a sheet, which says so then; more rows must not take the identity of its items (INV-3)."""
    for effect in effects:
        if effect.problem:
            yield f"The sheet “{effect.name}” could not be read any more: {effect.problem}", "Change the sheet first."
        elif change.mode is ChangeMode.REPLACE or not effect.identifier:
            continue
        elif effect.repeated_after > effect.repeated_before:
            more = effect.repeated_after - effect.repeated_before
            yield (
                f"“{effect.identifier}”, the identifier of the sheet “{effect.name}”, would repeat itself in "
                f"{_rows(more)}.",
                "Take a file in which each identifier comes once.",
            )
        elif effect.without_identifier:
            yield (
                f"“{effect.identifier}”, the identifier of the sheet “{effect.name}”, would be empty in "
                f"{_rows(effect.without_identifier)}.",
                "Mend the file.",
            )


def _rows(count: int) -> str:
    return "1 row" if count == 1 else f"{count:,} rows"


def _more(named: Sequence[object]) -> str:
    return f" and {len(named) - NAMED:,} more" if len(named) > NAMED else ""


# --- sheets ----------------------------------------------------------------------------------------------------------


def _effect(store: Store, before: Lake, after: Lake, sheet: Sheet, table: str) -> SheetEffect:
    refs = _labelled(store, sheet.id)
    there = _present(before, sheet, refs)
    now = before.check_identifier(sheet.relation, sheet.item_id_column)
    items = before.count(sheet.selection())
    own = identifier_in(sheet, table)
    try:
        then = after.check_identifier(sheet.relation, sheet.item_id_column)
        count, left = after.count(sheet.selection()), _present(after, sheet, refs)
    except WorkbenchError as error:  # a filter or join that does not fit other types
        return SheetEffect(sheet.id, sheet.name, own, items, 0, now.duplicates, 0, 0, len(there), 0, error.message)
    lost = len(there - left)
    return SheetEffect(
        sheet.id, sheet.name, own, items, count, now.duplicates, then.duplicates, then.nulls, len(there), lost
    )


def _labelled(store: Store, sheet_id: str) -> tuple[str, ...]:
    """All items of a sheet that have a label of any type."""
    found = store.query(
        "SELECT DISTINCT item_ref FROM canonical_labels WHERE sheet_id = :id ORDER BY item_ref", id=sheet_id
    )
    return tuple(rows.text(row, "item_ref") for row in found)


def _present(lake: Lake, sheet: Sheet, refs: tuple[str, ...]) -> set[str]:
    """Those items that the source has, whatever filter and sample pick."""
    if not refs:
        return set()
    selection = Selection(sheet.relation, sheet.item_id_column, item_refs=refs)
    return {
        str(ref)
        for batch in lake.batches(selection, columns=(sheet.item_id_column,), size=BATCH)
        for ref in batch["item_ref"]
    }
