"""The lake of the embedded default: DuckDB over a folder of Parquet, CSV and files.

`<home>/lake/<catalog>/<schema>/` holds `<table>.parquet` (or `.csv`, read in place), `<volume>/` and a sidecar
`<name>.meta.json` beside each. There is no database file, so several processes can read at once.
"""

from __future__ import annotations

import copy
import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from sqlglot import exp

from workbench_core.adapters import lake_query
from workbench_core.adapters.local.lake import exports, folders, item_counts, table_changes, table_files, volume_files
from workbench_core.adapters.local.lake.changes import Changes
from workbench_core.adapters.local.lake.engine import DIALECT, connect
from workbench_core.adapters.local.lake.folders import Place
from workbench_core.adapters.local.lake.page_index import PageIndex
from workbench_core.adapters.local.lake.sources import Reader, tables_of
from workbench_core.adapters.local.lake.table_changes import ChangedLocalTable, Incoming
from workbench_core.errors import AlreadyExists, Invalid, NotFound, WorkbenchError
from workbench_core.ports import (
    CheckReport,
    Column,
    ColumnProfile,
    FileEntry,
    FileInspection,
    IdentifierCheck,
    IntakePlan,
    Join,
    JoinStats,
    KeyComparison,
    RowCheck,
    Selection,
    Source,
    TableChange,
    TableEntry,
    Watch,
)
from workbench_core.settings import Settings

if TYPE_CHECKING:
    import pandas as pd

logger = logging.getLogger(__name__)

READ_ROWS = 10_000  # rows of one Arrow batch


def lake(settings: Settings) -> LocalLake:
    """Open the lake of these settings."""
    return LocalLake(settings.home)


class LocalLake:
    """`ports.Lake` on DuckDB: one in-memory connection a process, a cursor a call."""

    dialect: str = DIALECT

    def __init__(self, home: Path) -> None:
        self._root = home.resolve() / "lake"
        self._root.mkdir(parents=True, exist_ok=True)
        folders.sweep(self._root)
        self._connection = connect(folders=[self._root])
        self._writing = Changes(self._root)
        self._reader = Reader(self._root, self._connection)
        self._pages = PageIndex()
        self._journal: ContextVar[Callable[[str], None] | None] = ContextVar("journal", default=None)
        self._ahead = ThreadPoolExecutor(1, thread_name_prefix="page-order")

    # --- browse ---

    def revision(self) -> int:
        return self._writing.number

    def tables(self) -> list[TableEntry]:
        return [folders.entry_of(place) for place in folders.places(self._root)]

    def entry(self, source: str) -> TableEntry:
        return folders.entry_of(folders.existing(self._root, source))

    def columns(self, source: Source) -> list[Column]:
        with self._reader.opened(Selection(source, "")) as reading:
            return list(reading.source.columns)

    def column_names(self, table: str) -> dict[str, str]:
        return self._reader.column_names(table)

    def files(self, volume: str) -> list[FileEntry]:
        return volume_files.list_files(self._volume(volume).path)

    def file_paths(self, volume: str) -> list[str]:
        return volume_files.list_paths(self._volume(volume).path)

    def file(self, volume: str, path: str) -> FileEntry:
        return volume_files.file_entry(self._volume(volume), path)

    def read_file(self, volume: str, path: str, *, limit_bytes: int = 20_000_000) -> bytes:
        return volume_files.read_file(self._volume(volume), path, limit_bytes=limit_bytes)

    def read_start(self, volume: str, path: str, *, size_bytes: int, offset: int = 0) -> bytes:
        return volume_files.read_start(self._volume(volume), path, size_bytes=size_bytes, offset=offset)

    # --- check ---

    def check_filter(self, source: Source, expression: str) -> str:
        with self._reader.opened(Selection(source, "")) as reading:
            if not expression.strip():
                return ""  # no filter keeps every row
            condition = lake_query.parse_filter(expression.strip(), reading.source.columns, dialect=DIALECT)
            relation = reading.cursor.sql(lake_query.filter_query(condition, reading.source))
            if str(relation.types[0]) != "BOOLEAN":
                raise Invalid(
                    f"The filter gives {relation.types[0]} instead of true or false.",
                    hint="Compare the value with something, for example price > 10.",
                )
            relation.fetchall()  # a text that is no number shows only when the condition runs
            return condition.sql(dialect=DIALECT)

    def check_identifier(self, source: Source, column: str) -> IdentifierCheck:
        return next(self.check_identifiers(source, [column]))

    def check_identifiers(self, source: Source, columns: Sequence[str]) -> Iterator[IdentifierCheck]:
        with self._reader.opened(Selection(source, "")) as reading:
            yield from item_counts.check_identifiers(reading, columns)

    # --- read ---

    def count(self, selection: Selection) -> int:
        with self._reader.opened(selection) as reading:
            query = lake_query.count_query(selection, reading.deciding(selection))
            return int(reading.cursor.sql(query).fetchall()[0][0])

    def count_items(self, selection: Selection) -> int:
        with self._reader.opened(selection) as reading:
            return item_counts.count_items(reading, selection)

    def classes(self, selection: Selection, column: str) -> list[tuple[str | None, int]]:
        with self._reader.opened(selection) as reading:
            return item_counts.classes(reading, selection, column)

    def page(
        self, selection: Selection, *, columns: Sequence[str] = (), limit: int = 50, offset: int = 0
    ) -> pd.DataFrame:
        from workbench_core.adapters.local.lake.frames import to_frame

        limit, offset = max(limit, 0), max(offset, 0)
        with self._reader.opened(selection) as reading:
            rows = self._pages.page(selection, reading, limit=limit, offset=offset)
            if rows is None:
                query = lake_query.page_query(selection, reading.source, columns=columns, limit=limit, offset=offset)
                return to_frame(reading.cursor.sql(query).to_arrow_table())
            query = lake_query.fetch_query(selection, reading.narrowed(rows.keys), columns=columns)
            # cut here: DuckDB 2.0 fails on LIMIT over a filter by file_row_number
            page = to_frame(reading.cursor.sql(query).to_arrow_table().slice(rows.offset, limit))
            if self._pages.should_order_ahead(selection, reading):
                self._ahead.submit(self._order_ahead, selection)
            return page

    def _order_ahead(self, selection: Selection) -> None:
        """Put all rows in order while a person looks at the first ones, so that a jump to the end need not wait."""
        try:
            with self._reader.opened(selection) as reading:
                self._pages.complete(selection, reading)
        except WorkbenchError as error:  # the page that needs it says so to the person
            logger.info("Rows were not put in order ahead: %s", type(error).__name__)
        except Exception:  # nobody asks a thread of its own how it went
            logger.exception("Rows were not put in order ahead")

    def batches(
        self, selection: Selection, *, columns: Sequence[str] = (), size: int = 1000, after: str = ""
    ) -> Iterator[pd.DataFrame]:
        from workbench_core.adapters.local.lake.frames import regroup, to_frame

        with self._reader.opened(selection) as reading:
            query = lake_query.stream_query(selection, reading.source, columns=columns, after=bool(after))
            relation = reading.cursor.sql(query, params={"after": after} if after else None)
            for table in regroup(relation.to_arrow_reader(READ_ROWS), size=max(size, 1)):
                yield to_frame(table)

    def distinct(self, source: Source, column: str, *, limit: int = 50) -> list[tuple[str, int]]:
        """The most frequent values of a column as text with their counts; nulls are left out."""
        with self._reader.opened(Selection(source, "")) as reading:
            name = lake_query.find_column(column, reading.source.columns).name
            query = lake_query.distinct_query(reading.using(frozenset([name])), name, limit=limit)
            return reading.cursor.sql(query).fetchall()

    def values(self, selection: Selection, column: str, *, limit: int) -> list[str]:
        from workbench_core.adapters.local.lake.row_checks import distinct_texts

        with self._reader.opened(selection) as reading:
            name = lake_query.find_column(column, reading.source.columns).name
            rows = lake_query.rows_query(selection, reading.source)
            return distinct_texts(reading.cursor, rows, name, limit=limit)

    def query_text(self, selection: Selection, *, columns: Sequence[str] = ()) -> str:
        return lake_query.text_query(selection, self._reader.named(selection.source), columns=columns)

    # --- joins ---

    def join_stats(self, join: Join, item_id_column: str) -> JoinStats:
        with self._reader.joined(join) as (cursor, tables):
            query = lake_query.stats_query(join, tables, item_id_column, dialect=DIALECT)
            return JoinStats(*(int(count) for count in cursor.sql(query).fetchall()[0]))

    def compare_keys(
        self, left: str, left_column: str, right: str, right_column: str, *, sample: int = 1000
    ) -> KeyComparison:
        with self._reader.tables(left, right) as (cursor, tables):
            query = lake_query.comparison_query(
                tables[0], left_column, tables[1], right_column, sample=max(sample, 1), dialect=DIALECT
            )
            common, drawn, other, contained, *sides = cursor.sql(query).fetchall()[0]
        union = drawn + other - common
        return KeyComparison(common / union if union else 0.0, contained / drawn if drawn else 0.0, *sides)

    # --- quality ---

    def profile(
        self, selection: Selection, *, columns: Sequence[str] = (), watch: Watch | None = None
    ) -> list[ColumnProfile]:
        from workbench_core.adapters.local.lake.profiles import profile

        with self._reader.opened(selection) as reading:
            rows = lake_query.rows_query(selection, reading.source)
            return profile(reading.cursor, rows, reading.source.columns, names=columns, watch=watch)

    def check_problems(self, source: Source, checks: Sequence[RowCheck], *, identifier: str = "") -> list[str]:
        from workbench_core.adapters.local.lake.row_checks import check_problems

        everything = Selection(source, item_id_column="")
        with self._reader.opened(everything) as reading:
            rows = lake_query.rows_query(everything, reading.source)
            is_hidden = identifier not in ("", lake_query.ITEM_REF)
            known = [each for each in reading.source.columns if not (is_hidden and each.name == lake_query.ITEM_REF)]
            return check_problems(reading.cursor, rows, known, checks, tables=self._reference_table)

    def check_rows(
        self, selection: Selection, checks: Sequence[RowCheck], *, limit: int = 200_000, watch: Watch | None = None
    ) -> CheckReport:
        from workbench_core.adapters.local.lake.row_checks import check_rows

        with self._reader.opened(selection) as reading:
            rows, columns = lake_query.rows_query(selection, reading.source), reading.source.columns
            return check_rows(
                reading.cursor, rows, columns, checks, tables=self._reference_table, limit=limit, watch=watch
            )

    def _reference_table(self, name: str) -> tuple[exp.Expr, tuple[Column, ...]]:
        """What stands in FROM for another table that a check refers to, and its columns. Raises NotFound."""
        if folders.existing(self._root, name).is_volume:
            raise NotFound(f"“{name}” is a folder, not a table.", hint="Choose a table in the catalog.")
        with self._reader.tables(name) as (_, tables):
            return tables[0].relation, tables[0].columns

    # --- write ---

    def inspect_file(self, file: Path, *, original_name: str, plan: IntakePlan | None = None) -> FileInspection:
        return table_files.inspect_file(file.resolve(), original_name=original_name, plan=plan or IntakePlan())

    @contextmanager
    def changed_table(
        self, name: str, file: Path, *, original_name: str, change: TableChange, plan: IntakePlan | None = None
    ) -> Iterator[ChangedLocalTable]:
        place = folders.existing(self._root, name)
        table_changes.check_changeable(place)
        table_files.check_file(file, original_name=original_name)
        incoming = Incoming(file, original_name, plan or IntakePlan())
        with folders.scratch(place) as folder, self._connection.cursor() as cursor:
            compared = table_changes.write_changed(cursor, place, incoming, folder, change)
            candidate = folder / table_changes.TABLE
            changed = self._as_if(replace(place, path=candidate)) if compared.rows_after is not None else None
            yield ChangedLocalTable(compared, changed, place, candidate, self._writing)

    def _as_if(self, place: Place) -> LocalLake:
        """The same lake, to read, in which a table has the content of another file."""
        changed = copy.copy(self)
        changed._reader, changed._pages = self._reader.reading(place), PageIndex()
        return changed

    def write_table(
        self,
        name: str,
        selection: Selection,
        *,
        columns: Sequence[str] = (),
        entry: TableEntry | None = None,
        overwrites: bool = False,
    ) -> TableEntry:
        place = folders.place_for(self._root, name, ending=".parquet")
        self._check_is_free(name, or_a_table=overwrites)
        with folders.scratch(place) as temporary:
            with self._reader.opened(selection) as reading:
                exports.check_has_rows(exports.write_parquet(selection, reading, temporary, columns=columns))
                comments = exports.comments_of(reading, columns)
            sources = [self.entry(source) for source in tables_of(selection.source)]
            noted = folders.sidecar_of(exports.exported_entry(name, sources, entry), original_name="")
            noted = replace(noted, column_comments=comments)
            with self._writing:
                self._check_is_free(name, or_a_table=overwrites)
                exports.put_table(temporary, place, noted)
        return folders.entry_of(place)

    def export_file(
        self,
        selection: Selection,
        file: Path,
        *,
        columns: Sequence[str] = (),
        format: Literal["csv", "parquet"] = "csv",
    ) -> int:
        write = exports.write_csv if format == "csv" else exports.write_parquet
        with (
            exports.new_file(file.absolute()) as temporary,
            connect(folders=[self._root, temporary.parent]) as connection,
            self._reader.opened(selection, connection=connection) as reading,
        ):
            return write(selection, reading, temporary, columns=columns)

    def describe(
        self,
        name: str,
        *,
        comment: str | None = None,
        tags: Sequence[str] | None = None,
        column_comments: Mapping[str, str] | None = None,
    ) -> TableEntry:
        with self._writing:
            place = folders.existing(self._root, name)
            return folders.describe(place, comment=comment, tags=tags, column_comments=column_comments)

    def put_table(
        self,
        name: str,
        file: Path,
        *,
        original_name: str,
        entry: TableEntry | None = None,
        plan: IntakePlan | None = None,
        max_bytes: int | None = None,
    ) -> TableEntry:
        """Make a file a table; columns get the first type that keeps all their values.

        Raises Invalid naming line and reason (nothing is left behind then), AlreadyExists.
        """
        place = folders.place_for(self._root, name, ending=".parquet")
        self._check_is_free(name)
        table_files.check_file(file, original_name=original_name, max_bytes=max_bytes)
        with folders.scratch(place) as temporary:
            table_files.write_parquet(file.resolve(), temporary, original_name=original_name, plan=plan or IntakePlan())
            with self._writing:
                self._check_is_free(name)
                self._note(name)
                folders.write_sidecar(place, folders.sidecar_of(entry, original_name=original_name))
                folders.put_in_place(temporary, place)
        return folders.entry_of(place)

    def put_files(
        self,
        name: str,
        files: Mapping[str, bytes | Path],
        *,
        entry: TableEntry | None = None,
        replaces: bool = True,
    ) -> TableEntry:
        place = folders.place_for(self._root, name, ending="")
        with folders.scratch(place) as staging:
            volume_files.stage(staging, place, files)
            with self._writing:  # notes come before the files that they bind
                there = folders.find(self._root, name)
                if there is None:
                    self._note(name)
                    folders.write_sidecar(place, folders.sidecar_of(entry, original_name=""))
                    folders.put_in_place(staging, place)
                elif not there.is_volume:
                    raise AlreadyExists(f"“{name}” is a table already.", hint="Choose another name.")
                else:
                    if not replaces:
                        volume_files.check_new(place, files)
                    folders.extend_notes(place, entry)
                    volume_files.move_in(staging, place, files)
        return folders.entry_of(place)

    @contextmanager
    def all_or_nothing(self) -> Iterator[None]:
        with folders.journal(self._root) as note:
            outer = self._journal.set(note)
            try:
                yield
            finally:
                self._journal.reset(outer)

    def drop(self, name: str) -> None:
        with self._writing:
            folders.remove(folders.existing(self._root, name))

    def close(self) -> None:
        """Forget what was to be read ahead, and give back the connection; nothing can be read afterwards."""
        self._ahead.shutdown(cancel_futures=True)
        self._connection.close()

    # --- inside ---

    def _note(self, name: str) -> None:
        """Write down what is just about to come, inside a block of several."""
        if (note := self._journal.get()) is not None:
            note(name)

    def _check_is_free(self, name: str, *, or_a_table: bool = False) -> None:
        there = folders.find(self._root, name)
        if there is None:
            return
        if not or_a_table:
            raise AlreadyExists(f"“{name}” exists already.", hint="Choose another name, or remove it first.")
        table_changes.check_changeable(there)

    def _volume(self, name: str) -> Place:
        place = folders.existing(self._root, name)
        if not place.is_volume:
            raise NotFound(f"“{name}” is a table, not a folder.", hint="Choose a folder in the catalog.")
        return place
