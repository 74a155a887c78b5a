"""The lake of the embedded default: DuckDB over a folder of Parquet, CSV and files.

`<home>/lake/<catalog>/<schema>/` holds `<table>.parquet` (or `.csv`, read in place), `<volume>/` and a sidecar
`<name>.meta.json` beside each. There is no database file, so several processes can read at once.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from sqlglot import exp

from workbench_core.adapters import lake_query
from workbench_core.adapters.lake_query import QuerySource
from workbench_core.adapters.local.lake import folders, table_files, volume_files
from workbench_core.adapters.local.lake.csv_tables import csv_relation, csv_shape
from workbench_core.adapters.local.lake.engine import DIALECT, connect, kind_of, plain_errors, reader
from workbench_core.adapters.local.lake.folders import Place
from workbench_core.errors import AlreadyExists, Invalid, NotFound
from workbench_core.ports import Column, FileEntry, IdentifierCheck, Selection, TableEntry
from workbench_core.settings import Settings

if TYPE_CHECKING:
    import duckdb
    import pandas as pd

MAX_TABLE_BYTES = 500_000_000
ROW_KEY = "file_row_number"  # DuckDB's number of a row in a Parquet file
REFS = exp.select("item_ref").from_("item_refs")
READ_ROWS = 10_000  # rows of one Arrow batch


def lake(settings: Settings) -> LocalLake:
    """Open the lake of these settings."""
    return LocalLake(settings.home)


class LocalLake:
    """`ports.Lake` on DuckDB: one in-memory connection a process, a cursor a call."""

    def __init__(self, home: Path) -> None:
        self._root = home.resolve() / "lake"
        self._root.mkdir(parents=True, exist_ok=True)
        self._connection = connect(folders=[self._root])
        self._writing = threading.Lock()
        self._relations: dict[tuple[str, int, int], tuple[exp.Expr, tuple[Column, ...]]] = {}

    # --- browse ---

    def tables(self) -> list[TableEntry]:
        return [folders.entry_of(place) for place in folders.places(self._root)]

    def entry(self, source: str) -> TableEntry:
        return folders.entry_of(folders.existing(self._root, source))

    def columns(self, source: str) -> list[Column]:
        with self._reading(source) as (_, read):
            return list(read.columns)

    def files(self, volume: str) -> list[FileEntry]:
        return volume_files.list_files(self._volume(volume).path)

    def read_file(self, volume: str, path: str, *, limit_bytes: int = 20_000_000) -> bytes:
        return volume_files.read_file(self._volume(volume), path, limit_bytes=limit_bytes)

    # --- check ---

    def check_filter(self, source: str, expression: str) -> str:
        with self._reading(source) as (cursor, read):
            if not expression.strip():
                return ""  # no filter keeps every row
            condition = lake_query.parse_filter(expression.strip(), read.columns, dialect=DIALECT)
            relation = cursor.sql(lake_query.filter_query(condition, read))
            if str(relation.types[0]) != "BOOLEAN":
                raise Invalid(
                    f"The filter gives {relation.types[0]} instead of true or false.",
                    hint="Compare the value with something, for example price > 10.",
                )
            relation.fetchall()  # a text that is no number shows only when the condition runs
            return condition.sql(dialect=DIALECT)

    def check_identifier(self, source: str, column: str) -> IdentifierCheck:
        with self._reading(source) as (cursor, read):
            name = lake_query.find_column(column, read.columns).name
            rows, present, distinct = cursor.sql(lake_query.identifier_query(read, name)).fetchall()[0]
            return IdentifierCheck(column=name, rows=rows, nulls=rows - present, duplicates=present - distinct)

    # --- read ---

    def count(self, selection: Selection) -> int:
        with self._reading(selection.source, item_refs=selection.item_refs) as (cursor, read):
            return int(cursor.sql(lake_query.count_query(selection, read)).fetchall()[0][0])

    def page(
        self, selection: Selection, *, columns: Sequence[str] = (), limit: int = 50, offset: int = 0
    ) -> pd.DataFrame:
        from workbench_core.adapters.local.lake.frames import to_frame

        with self._reading(selection.source, item_refs=selection.item_refs) as (cursor, read):
            limit, offset = max(limit, 0), max(offset, 0)
            query = lake_query.page_query(selection, read, columns=columns, limit=limit, offset=offset)
            return to_frame(cursor.sql(query).to_arrow_table())

    def batches(
        self, selection: Selection, *, columns: Sequence[str] = (), size: int = 1000, after: str = ""
    ) -> Iterator[pd.DataFrame]:
        from workbench_core.adapters.local.lake.frames import regroup, to_frame

        with self._reading(selection.source, item_refs=selection.item_refs) as (cursor, read):
            query = lake_query.stream_query(selection, read, columns=columns, after=bool(after))
            relation = cursor.sql(query, params={"after": after} if after else None)
            for table in regroup(relation.to_arrow_reader(READ_ROWS), size=max(size, 1)):
                yield to_frame(table)

    def distinct(self, source: str, column: str, *, limit: int = 50) -> list[tuple[str, int]]:
        """The most frequent values of a column as text with their counts; nulls are left out."""
        with self._reading(source) as (cursor, read):
            return cursor.sql(lake_query.distinct_query(read, column, limit=limit)).fetchall()

    # --- write ---

    def put_table(
        self,
        name: str,
        file: Path,
        *,
        original_name: str,
        entry: TableEntry | None = None,
        max_bytes: int = MAX_TABLE_BYTES,
    ) -> TableEntry:
        """Make a CSV or Parquet file of at most `max_bytes` a table; CSV columns get types that fit all their values.

        Raises Invalid naming line and reason (nothing is left behind then), AlreadyExists.
        """
        place = folders.place_for(self._root, name, ending=".parquet")
        self._check_is_free(name)
        table_files.check_file(file, original_name=original_name, max_bytes=max_bytes)
        with folders.scratch(place) as temporary:
            table_files.write_parquet(file.resolve(), temporary, original_name=original_name)
            with self._writing:
                self._check_is_free(name)
                folders.write_sidecar(place, folders.sidecar_of(entry, original_name=original_name))
                folders.put_in_place(temporary, place)
        return folders.entry_of(place)

    def put_files(self, name: str, files: Mapping[str, bytes], *, entry: TableEntry | None = None) -> TableEntry:
        place = folders.place_for(self._root, name, ending="")
        with self._writing:
            there = folders.find(self._root, name)
            if there is not None and not there.is_volume:
                raise AlreadyExists(f"“{name}” is a table already.", hint="Choose another name.")
            volume_files.write_files(place, files)
            if there is None or entry is not None:
                folders.write_sidecar(place, folders.sidecar_of(entry, original_name=""))
        return folders.entry_of(place)

    def drop(self, name: str) -> None:
        with self._writing:
            folders.remove(folders.existing(self._root, name))

    # --- inside ---

    def _check_is_free(self, name: str) -> None:
        if folders.find(self._root, name) is not None:
            raise AlreadyExists(f"“{name}” exists already.", hint="Choose another name, or remove it first.")

    def _volume(self, name: str) -> Place:
        place = folders.existing(self._root, name)
        if not place.is_volume:
            raise NotFound(f"“{name}” is a table, not a volume.", hint="Choose a volume in the catalog.")
        return place

    @contextmanager
    def _reading(
        self, source: str, *, item_refs: Sequence[str] | None = None
    ) -> Iterator[tuple[duckdb.DuckDBPyConnection, QuerySource]]:
        """A cursor of its own and what a query on the source reads; DuckDB's errors come out as ours."""
        place = folders.existing(self._root, source)
        with plain_errors(source), self._connection.cursor() as cursor:
            if item_refs is not None:
                import pyarrow as pa

                cursor.register("item_refs", pa.table({"item_ref": pa.array(item_refs, pa.string())}))
            if place.is_volume:
                cursor.register("volume_files", volume_files.arrow_files(place.path))
                yield cursor, QuerySource(exp.to_table("volume_files"), volume_files.COLUMNS, DIALECT, REFS)
            else:
                relation, columns = self._table(place, cursor)
                has_key = place.path.suffix == ".parquet" and all(c.name.lower() != ROW_KEY for c in columns)
                yield cursor, QuerySource(relation, columns, DIALECT, REFS, ROW_KEY if has_key else "")

    def _table(self, place: Place, cursor: duckdb.DuckDBPyConnection) -> tuple[exp.Expr, tuple[Column, ...]]:
        """What stands in FROM for a table, and its columns; found out again only when the file has changed."""
        stamp = place.stamp()
        known = self._relations.get(stamp)
        if known is None:
            if place.path.suffix == ".csv":
                relation: exp.Expr = csv_relation(place.path, csv_shape(cursor, place.path)).subquery()
            else:
                relation = reader("read_parquet", place.path)
            described = cursor.sql(exp.select("*").from_(relation).sql(dialect=DIALECT))
            columns = tuple(
                Column(name, str(data_type), kind_of(str(data_type)))
                for name, data_type in zip(described.columns, described.types, strict=True)
            )
            self._forget(place.name)
            known = self._relations[stamp] = (relation, columns)
        return known

    def _forget(self, name: str) -> None:
        """Drop what was known about earlier contents of a table."""
        for stamp in [stamp for stamp in list(self._relations) if stamp[0] == name]:
            self._relations.pop(stamp, None)
