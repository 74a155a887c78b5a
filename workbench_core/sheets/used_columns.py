"""Which sheets read a table, and which of its columns each of them cannot do without."""

from __future__ import annotations

from collections.abc import Iterator

from sqlglot import exp, parse_one

from workbench_core import rows
from workbench_core.ports import Join, JoinSource, Store
from workbench_core.sheets.join_config import tables_of
from workbench_core.sheets.model import COLUMNS, Sheet, sheet_from


def sheets_reading(store: Store, table: str) -> list[Sheet]:
    """The sheets that read a table or volume, also as a part of a join, by name; deleted ones left out."""
    found = store.query(f"SELECT {COLUMNS} FROM sheets WHERE status <> 'deleted' ORDER BY name, id")
    return [
        sheet_from(row) for row in found if table in tables_of(rows.text(row, "source"), rows.text(row, "join_config"))
    ]


def used_columns(sheet: Sheet, table: str, *, dialect: str) -> tuple[str, ...]:
    """The columns of a table that a sheet reads: roles, filter, sample, and what its join needs; each once."""
    named = list(_named(sheet, dialect))
    if sheet.join is None:
        return tuple(dict.fromkeys(named))
    used: dict[str, None] = {}
    for source in sheet.join.sources:
        if source.table == table:
            prefix = f"{source.alias}__".casefold()
            used |= dict.fromkeys(name[len(prefix) :] for name in named if name.casefold().startswith(prefix))
            used |= dict.fromkeys(_of_join(sheet.join, source))
    return tuple(used)


def identifier_in(sheet: Sheet, table: str) -> str:
    """The column of a table that identifies the items of a sheet; empty when another source of its join has it."""
    if sheet.join is None:
        return sheet.item_id_column
    primary = sheet.join.primary
    return sheet.item_id_column.removeprefix(f"{primary.alias}__") if primary.table == table else ""


def _named(sheet: Sheet, dialect: str) -> Iterator[str]:
    """What a sheet calls the columns that it uses itself."""
    yield from sheet.columns
    if sheet.stratify_column:
        yield sheet.stratify_column
    if sheet.filter:
        yield from (column.name for column in parse_one(sheet.filter, dialect=dialect).find_all(exp.Column))


def _of_join(join: Join, source: JoinSource) -> Iterator[str]:
    """The columns by which a join puts rows of a source to others."""
    refs = [ref for join_key in join.keys for ref in (join_key.left, join_key.right)]
    refs += [join.window.left, join.window.right] if join.window else []
    yield from (ref.column for ref in refs if ref.alias == source.alias)
    yield from source.columns or ()
    if source.order_column:
        yield source.order_column
