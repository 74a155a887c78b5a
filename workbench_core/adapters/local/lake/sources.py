"""How the lake's tables, volumes and joins become something that a query can read."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from sqlglot import exp

from workbench_core.adapters import lake_query
from workbench_core.adapters.lake_query import QuerySource, SourceTable
from workbench_core.adapters.local.lake import folders, volume_files
from workbench_core.adapters.local.lake.csv_tables import csv_names, csv_relation, csv_shape
from workbench_core.adapters.local.lake.engine import DIALECT, kind_of, plain_errors, reader
from workbench_core.adapters.local.lake.folders import Place
from workbench_core.errors import Invalid, NotFound, Unavailable, WorkbenchError
from workbench_core.ports import Column, Join, Selection, Source

if TYPE_CHECKING:
    import duckdb

ROW_KEY = "file_row_number"  # DuckDB's number of a row in a Parquet file
Stamp: TypeAlias = tuple[str, int, int]


@dataclass(frozen=True, slots=True)
class Reading:
    """A cursor of its own and what a query on a selection's source reads.

    `tables` are the source's by alias, or the one table. `stamps` change with the content, the primary table's first;
    they are empty when a change cannot be seen (a volume's files).
    """

    cursor: duckdb.DuckDBPyConnection
    source: QuerySource
    relation: Source
    tables: Mapping[str, SourceTable]
    stamps: tuple[Stamp, ...]

    @property
    def primary(self) -> QuerySource:
        """What a query reads of the table alone, or of the primary source of a join."""
        first = self.relation.primary.alias if isinstance(self.relation, Join) else self.relation
        return lake_query.table_source(self.tables[first], dialect=DIALECT)

    def deciding(self, selection: Selection) -> QuerySource:
        """For queries that only ask which rows there are."""
        return self.using(lake_query.used_columns(selection, self.source))

    def using(self, names: frozenset[str]) -> QuerySource:
        """For queries that use these columns only."""
        if not isinstance(self.relation, Join):
            return self.source
        return lake_query.join_source(self.relation, self.tables, dialect=DIALECT, used=names)

    def narrowed(self, keys: Sequence[int]) -> QuerySource:
        """For queries on the rows with these row keys."""
        if not isinstance(self.relation, Join):
            return lake_query.table_source(lake_query.narrowed(self.tables[self.relation], keys), dialect=DIALECT)
        tables = lake_query.narrowed_tables(self.relation, self.tables, keys)
        return lake_query.join_source(self.relation, tables, dialect=DIALECT)


class Reader:
    """Opens sources for reading; remembers the columns of each file until it changes.

    With `instead`, one table is read from another file: a change can be looked at before it is made.
    """

    def __init__(self, root: Path, connection: duckdb.DuckDBPyConnection, *, instead: Place | None = None) -> None:
        self._root = root
        self._connection = connection
        self._instead = instead
        self._known: dict[Stamp, SourceTable] = {}

    def reading(self, instead: Place) -> Reader:
        """A reader of the same lake in which a table has other content."""
        return Reader(self._root, self._connection, instead=instead)

    def place(self, name: str) -> Place:
        """Where a table or volume is read from. Raises NotFound."""
        if self._instead is not None and self._instead.name == name:
            return self._instead
        return folders.existing(self._root, name)

    @contextmanager
    def opened(self, selection: Selection, *, connection: duckdb.DuckDBPyConnection | None = None) -> Iterator[Reading]:
        """Read a selection, on the reader's connection or another one; DuckDB's errors come out as ours."""
        source = selection.source
        tables = self._places(source)
        with (
            replaced_meanwhile(tables.values()),
            plain_errors(called(source)),
            (connection or self._connection).cursor() as cursor,
        ):
            register_refs(cursor, item_refs=selection.item_refs, excluded_refs=selection.excluded_refs)
            opened = {alias: self._table(place, cursor) for alias, place in tables.items()}
            first = source.primary.alias if isinstance(source, Join) else source
            yield Reading(cursor, _query_source(source, opened), source, opened, _stamps(tables, first=first))

    @contextmanager
    def tables(self, *names: str) -> Iterator[tuple[duckdb.DuckDBPyConnection, list[SourceTable]]]:
        """A cursor and the tables or volumes of these names. Raises NotFound."""
        places = [self.place(name) for name in names]
        with plain_errors(" and ".join(names)), self._connection.cursor() as cursor:
            yield cursor, [self._table(place, cursor) for place in places]

    @contextmanager
    def joined(self, join: Join) -> Iterator[tuple[duckdb.DuckDBPyConnection, dict[str, SourceTable]]]:
        """A cursor and the tables of a join by alias. Raises Invalid."""
        places = self._places(join)
        with plain_errors(called(join)), self._connection.cursor() as cursor:
            yield cursor, {alias: self._table(place, cursor) for alias, place in places.items()}

    def column_names(self, name: str) -> dict[str, str]:
        """The columns of a table and their comments, without looking at its rows. Raises NotFound, Invalid."""
        place = self.place(name)
        if place.path.suffix == ".csv" and place.stamp() not in self._known:
            comments = folders.with_comments(place, [Column(one, "", "") for one in csv_names(place.path)])
            return {column.name: column.comment for column in comments}
        with self.tables(name) as (_, tables):
            return {column.name: column.comment for column in tables[0].columns}

    def named(self, source: Source) -> QuerySource:
        """What a query for people reads: the same columns, from tables under their three-part names."""
        places = self._places(source)
        with plain_errors(called(source)), self._connection.cursor() as cursor:
            tables = {
                alias: SourceTable(_by_name(place.name), self._table(place, cursor).columns)
                for alias, place in places.items()
            }
        return _query_source(source, tables)

    def _places(self, source: Source) -> dict[str, Place]:
        """Where the sources lie: by alias for a join, by its name for a table."""
        if not isinstance(source, Join):
            return {source: self.place(source)}
        lake_query.check_shape(source)
        places = {}
        for each in source.sources:
            try:
                places[each.alias] = self.place(each.table)
            except NotFound as error:
                raise Invalid(f"The source “{each.alias}” is not there: {error.message}", hint=error.hint) from error
        return places

    def _table(self, place: Place, cursor: duckdb.DuckDBPyConnection) -> SourceTable:
        """What stands in FROM for a table, and its columns; found out again only when the file has changed."""
        stamp = place.stamp()
        known = _volume_table(place, cursor) if place.is_volume else self._known.get(stamp)
        if known is None:
            known = _file_table(place, cursor)
            for old in [old for old in list(self._known) if old[0] == place.name]:
                self._known.pop(old, None)
            self._known[stamp] = known
        return replace(known, columns=tuple(folders.with_comments(place, known.columns)))


@contextmanager
def replaced_meanwhile(places: Collection[Place]) -> Iterator[None]:
    """Say so when a table got other content in the moment in which it was opened: DuckDB calls it damaged then."""
    before = {place: _stamp_of(place) for place in places if not place.is_volume}
    try:
        yield
    except WorkbenchError as error:
        for place, stamp in before.items():
            if place.exists() and _stamp_of(place) != stamp:
                raise Unavailable(f"“{place.name}” got new rows a moment ago.", hint="Reload the page.") from error
        raise


def _stamp_of(place: Place) -> Stamp | None:
    try:
        return place.stamp()
    except FileNotFoundError:
        return None


def called(source: Source) -> str:
    """What a person calls a source."""
    return " joined with ".join(tables_of(source))


def tables_of(source: Source) -> tuple[str, ...]:
    """The names of the tables and volumes of a source."""
    return source.tables if isinstance(source, Join) else (source,)


def _query_source(source: Source, tables: Mapping[str, SourceTable]) -> QuerySource:
    if isinstance(source, Join):
        return lake_query.join_source(source, tables, dialect=DIALECT)
    return lake_query.table_source(tables[source], dialect=DIALECT)


def _stamps(places: Mapping[str, Place], *, first: str) -> tuple[Stamp, ...]:
    if any(place.is_volume for place in places.values()):
        return ()
    return (places[first].stamp(), *(place.stamp() for alias, place in places.items() if alias != first))


def register_refs(
    cursor: duckdb.DuckDBPyConnection, *, item_refs: Sequence[str] | None, excluded_refs: Sequence[str]
) -> None:
    """Make the identifiers of a selection tables that its query can read."""
    import pyarrow as pa

    for name, refs in (("item_refs", item_refs), ("excluded_refs", excluded_refs or None)):
        if refs is not None:
            cursor.register(name, pa.table({lake_query.ITEM_REF: pa.array(refs, pa.string())}))


def _volume_table(place: Place, cursor: duckdb.DuckDBPyConnection) -> SourceTable:
    name = f"files of {place.name}"
    cursor.register(name, volume_files.arrow_files(place.path))
    return SourceTable(exp.Table(this=exp.to_identifier(name, quoted=True)), volume_files.COLUMNS)


def _file_table(place: Place, cursor: duckdb.DuckDBPyConnection) -> SourceTable:
    is_parquet = place.path.suffix == ".parquet"
    relation: exp.Expr = (
        reader("read_parquet", place.path)
        if is_parquet
        else csv_relation(place.path, csv_shape(cursor, place.path)).subquery()
    )
    described = cursor.sql(exp.select("*").from_(relation).sql(dialect=DIALECT))
    nullable = _nullable(cursor, place.path) if is_parquet else {}
    columns = tuple(
        Column(name, str(data_type), kind_of(str(data_type)), is_nullable=nullable.get(name))
        for name, data_type in zip(described.columns, described.types, strict=True)
    )
    has_key = is_parquet and all(column.name.lower() != ROW_KEY for column in columns)
    return SourceTable(relation, columns, ROW_KEY if has_key else "")


def _nullable(cursor: duckdb.DuckDBPyConnection, file: Path) -> dict[str, bool]:
    """Whether values are missing in the columns of a Parquet file, as far as its statistics say; no row is read."""
    statistics = reader("parquet_metadata", file)
    counted = exp.select(
        exp.column("path_in_schema"), exp.func("bool_and", exp.column("stats_null_count").eq(0)).as_("is_full")
    )
    found = cursor.sql(counted.from_(statistics).group_by(exp.column("path_in_schema")).sql(dialect=DIALECT))
    return {str(name): not is_full for name, is_full in found.fetchall() if is_full is not None}


def _by_name(name: str) -> exp.Table:
    catalog, schema, table = lake_query.split_name(name)
    return exp.table_(table, db=schema, catalog=catalog, quoted=True)
