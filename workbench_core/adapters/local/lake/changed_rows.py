"""The rows of a table and of a file put together in DuckDB: what fits, what repeats itself, and the result."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from workbench_core.adapters.local.lake.engine import DIALECT, kind_of, reader
from workbench_core.adapters.local.lake.value_types import literal, quoted
from workbench_core.errors import Invalid
from workbench_core.ports import ChangeMode, Column, ColumnChange, ColumnFate, TableChange, TableComparison

if TYPE_CHECKING:
    import duckdb

__all__ = ["BothTables", "Column", "columns_of"]
EXAMPLES = 5
TYPE_WORDS = {
    "BIGINT": "whole number",
    "INTEGER": "whole number",
    "DOUBLE": "number",
    "BOOLEAN": "true or false",
    "DATE": "date",
    "TIMESTAMP": "time",
    "TIMESTAMP WITH TIME ZONE": "time with a zone",
}
LONGEST_EXAMPLE = 60
PARQUET = "FORMAT parquet, COMPRESSION zstd"


def columns_of(cursor: duckdb.DuckDBPyConnection, file: Path) -> dict[str, Column]:
    """The columns of a Parquet file by name."""
    found = cursor.sql(f"SELECT * FROM {_from(file)}")
    types = [str(data_type) for data_type in found.types]
    return {
        name: Column(name, data_type, kind_of(data_type)) for name, data_type in zip(found.columns, types, strict=True)
    }


@dataclass(frozen=True, slots=True)
class Counts:
    """How the identifiers of file and table meet."""

    repeated: int = 0
    examples: tuple[str, ...] = ()
    in_file: int = 0
    in_table: int = 0
    without: int = 0


class BothTables:
    """A table and the rows of a file, both Parquet, and how the one changes the other."""

    def __init__(
        self,
        cursor: duckdb.DuckDBPyConnection,
        table: Path,
        rows: Path,
        change: TableChange,
        *,
        texts: Collection[str] = (),
    ) -> None:
        """`texts` are columns that a person wants as text; a table gets them so only when all its rows are replaced."""
        self._cursor = cursor
        self._table = _from(table)
        self._rows = _from(rows)
        self._change = change
        self._texts = set(texts) if change.mode is ChangeMode.REPLACE else set()
        self._before = columns_of(cursor, table)
        self._in_file = columns_of(cursor, rows)

    def compared(self, name: str, version: str) -> TableComparison:
        """Columns and counts; the result is not written yet. Raises Invalid for an identifier that is not there."""
        columns = self._columns()
        counts = self._counts(columns)
        before, in_file = self._count(self._table), self._count(self._rows)
        return TableComparison(
            name, version, columns, before, in_file, identifier=self._change.identifier, repeated=counts.repeated,
            examples=counts.examples, repeated_in_file=counts.in_file, repeated_in_table=counts.in_table,
            without_identifier=counts.without,
        )  # fmt: skip

    def can_be_put_together(self, compared: TableComparison) -> bool:
        """Whether there is a result: every value fits, and an update knows which row takes the place of which."""
        if self._change.mode is ChangeMode.REPLACE:
            return True
        if compared.of(ColumnFate.UNFIT) or not compared.of(ColumnFate.SAME):
            return False
        if self._change.mode is ChangeMode.ADD:
            return True
        same = {column.name for column in compared.of(ColumnFate.SAME)}
        is_clear = not (compared.repeated_in_file or compared.repeated_in_table or compared.without_identifier)
        return compared.identifier in same and is_clear

    def write(self, target: Path, columns: Sequence[ColumnChange]) -> int:
        """Write the result as Parquet to a new path and give its number of rows."""
        kept = [column for column in columns if column.after]
        query = {
            ChangeMode.REPLACE: self._replaced,
            ChangeMode.ADD: self._added,
            ChangeMode.UPDATE: self._updated,
        }[self._change.mode](kept)
        written = self._cursor.execute(f"COPY ({query}) TO {literal(str(target))} ({PARQUET})").fetchone()
        return int(written[0]) if written else 0

    # --- columns ---------------------------------------------------------------------------------------------------

    def _columns(self) -> tuple[ColumnChange, ...]:
        """Those of the table in their order, then the new ones in that of the file."""
        unfit = self._unfit()
        changes = [self._known(column, unfit) for column in self._before.values()]
        return (*changes, *(self._new(column) for name, column in self._in_file.items() if name not in self._before))

    def _known(self, column: Column, unfit: Mapping[str, str]) -> ColumnChange:
        name, before = column.name, column.data_type
        is_replace = self._change.mode is ChangeMode.REPLACE
        if name not in self._in_file:
            return ColumnChange(name, ColumnFate.MISSING, before, "" if is_replace else before)
        if name not in unfit:
            return ColumnChange(name, ColumnFate.SAME, before, before)
        now = self._in_file[name].data_type
        fate = ColumnFate.OTHER_TYPE if is_replace else ColumnFate.UNFIT
        return ColumnChange(name, fate, before, now, unfit[name])

    def _new(self, column: Column) -> ColumnChange:
        name, data_type = column.name, column.data_type
        if self._change.mode is ChangeMode.REPLACE:
            return ColumnChange(name, ColumnFate.NEW, "", data_type)
        alike = next((known for known in self._before if known.casefold() == name.casefold()), "")
        if alike:
            return ColumnChange(name, ColumnFate.UNFIT, "", data_type, f"the table calls it “{alike}”")
        return ColumnChange(name, ColumnFate.NEW, "", data_type if self._change.takes_new_columns else "")

    def _unfit(self) -> dict[str, str]:
        """Why the values of a column do not keep what they say in the type that the table has."""
        others = {
            name: column.data_type
            for name, column in self._before.items()
            if name in self._in_file and self._in_file[name].data_type != column.data_type
        }
        reasons = {name: reason for name in others if (reason := self._other_kind(name))}
        checked = [name for name in others if name not in reasons]
        if not checked:
            return reasons
        parts: list[str] = []
        for name in checked:
            value, own = quoted(name), self._in_file[name].data_type
            cast = f"TRY_CAST({value} AS {others[name]})"
            is_unfit = f"{value} IS NOT NULL AND NOT COALESCE(TRY_CAST({cast} AS {own}) = {value}, FALSE)"
            parts += [
                f"COUNT(*) FILTER (WHERE {is_unfit})",
                f"ANY_VALUE(CAST({value} AS VARCHAR)) FILTER (WHERE {is_unfit})",
            ]
        found = self._cursor.sql(f"SELECT {', '.join(parts)} FROM {self._rows}").fetchall()[0]
        for place, name in enumerate(checked):
            count, example = found[2 * place : 2 * place + 2]
            if count:
                values = "1 value is" if count == 1 else f"{count:,} values are"
                kind = TYPE_WORDS.get(others[name], others[name])
                reasons[name] = f"{values} no {kind}, for example “{str(example)[:LONGEST_EXAMPLE]}”"
        return reasons

    def _other_kind(self, name: str) -> str:
        """Nested values and bytes of another type have no plain way into a column, but for text."""
        before, now = self._before[name], self._in_file[name]
        if name in self._texts:
            return "kept as text"
        if before.data_type == "VARCHAR" or not {before.kind, now.kind} & {"nested", "binary"}:
            return ""
        return f"its values are {now.kind}, not {before.kind}"

    # --- identifiers -----------------------------------------------------------------------------------------------

    def _counts(self, columns: Sequence[ColumnChange]) -> Counts:
        name = self._change.identifier
        if not name or self._change.mode is ChangeMode.REPLACE:
            return Counts()
        column = next((each for each in columns if each.name == name), None)
        if column is None or column.fate is ColumnFate.NEW:
            raise Invalid(f"The table has no column “{name}”.", hint="Choose another identifier.")
        if column.fate is not ColumnFate.SAME:
            return Counts()
        new, old = f"CAST({quoted(name)} AS {column.before})", quoted(name)
        both = f"SELECT {new} AS ref, row_number() OVER () AS place FROM {self._rows}"
        there = f"SELECT {old} FROM {self._table}"
        met = f"SELECT ref, MIN(place) AS place FROM ({both}) WHERE ref IN ({there}) GROUP BY ref"
        repeated = int(self._cursor.sql(f"SELECT COUNT(*) FROM ({met})").fetchall()[0][0])
        first = f"SELECT CAST(ref AS VARCHAR) FROM ({met}) ORDER BY place LIMIT {EXAMPLES}" if repeated else ""
        examples = tuple(str(row[0]) for row in self._cursor.sql(first).fetchall()) if first else ()
        rows, present, distinct = self._distinct(self._rows, new)
        _, old_present, old_distinct = self._distinct(self._table, old)
        return Counts(repeated, examples, present - distinct, old_present - old_distinct, rows - present)

    def _distinct(self, source: str, value: str) -> tuple[int, int, int]:
        counts = f"SELECT COUNT(*), COUNT({value}), COUNT(DISTINCT {value}) FROM {source}"
        rows, present, distinct = self._cursor.sql(counts).fetchall()[0]
        return int(rows), int(present), int(distinct)

    def _count(self, source: str) -> int:
        return int(self._cursor.sql(f"SELECT COUNT(*) FROM {source}").fetchall()[0][0])

    # --- the result ------------------------------------------------------------------------------------------------

    def _replaced(self, columns: Sequence[ColumnChange]) -> str:
        """The rows of the file in their order."""
        return f"SELECT {self._of_file(columns)} FROM {self._rows}"

    def _added(self, columns: Sequence[ColumnChange]) -> str:
        """The rows of the table, then those of the file."""
        return f"SELECT {self._of_table(columns)} FROM {self._table} UNION ALL {self._replaced(columns)}"

    def _updated(self, columns: Sequence[ColumnChange]) -> str:
        """The rows of the table, each replaced by that of the file with its identifier, then the new ones.

        A column that the file does not have keeps its values. Columns go by number, so that no name meets another.
        """
        key = next(number for number, column in enumerate(columns) if column.name == self._change.identifier)
        names = [f"c{number}" for number in range(len(columns))]
        old = f"SELECT row_number() OVER () AS place, {self._of_table(columns, names)} FROM {self._table}"
        new = f"SELECT row_number() OVER () AS place, {self._of_file(columns, names)} FROM {self._rows}"
        in_file = [column.name in self._in_file for column in columns]
        chosen = ", ".join(
            f"{f'CASE WHEN new.place IS NULL THEN old.{name} ELSE new.{name} END' if has_new else f'old.{name}'}"
            f" AS {quoted(column.name)}"
            for name, column, has_new in zip(names, columns, in_file, strict=True)
        )
        on = f"old.c{key} = new.c{key}"
        order = "old.place IS NULL, old.place, new.place"
        return f"SELECT {chosen} FROM ({old}) old FULL JOIN ({new}) new ON {on} ORDER BY {order}"

    def _of_table(self, columns: Sequence[ColumnChange], names: Sequence[str] = ()) -> str:
        """The columns of the result from the table; new ones are empty."""
        return self._projected(columns, self._before, names)

    def _of_file(self, columns: Sequence[ColumnChange], names: Sequence[str] = ()) -> str:
        """The columns of the result from the file; missing ones are empty."""
        return self._projected(columns, self._in_file, names)

    def _projected(self, columns: Sequence[ColumnChange], there: Mapping[str, Column], names: Sequence[str]) -> str:
        aliases = names or [quoted(column.name) for column in columns]
        return ", ".join(
            f"CAST({quoted(column.name) if column.name in there else 'NULL'} AS {column.after}) AS {alias}"
            for column, alias in zip(columns, aliases, strict=True)
        )


def _from(file: Path) -> str:
    return reader("read_parquet", file).sql(dialect=DIALECT)
