"""The store on SQLite or PostgreSQL: SQLAlchemy's engine for connections and transactions, plain SQL on top."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import lru_cache
from itertools import chain, islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from sqlalchemy import Connection, CursorResult, Engine, String, bindparam, create_engine, event, make_url, text
from sqlalchemy.exc import ArgumentError, DBAPIError, IntegrityError, OperationalError, SQLAlchemyError
from sqlalchemy.sql.elements import TextClause

from workbench_core.adapters.row_blocks import RowBlock, row_block
from workbench_core.errors import AlreadyExists, BackendError, Conflict, Invalid, Unavailable, WorkbenchError
from workbench_core.ports import PreparedRows, Row, Store, Value

if TYPE_CHECKING:
    import pandas as pd

_NAME = re.compile(r"^[a-z][a-z0-9_]*$")
_LIST = re.compile(r"\bIN :(\w+)")
_BUSY_SECONDS = 30
_INSERTED_ROWS = 200  # with one statement; more make it no faster
_MOST_PARAMETERS = 32_766  # of one statement of SQLite
_WAL_PAGES = 16_000  # 64 MB before SQLite copies them to the file: large batches rewrite the same index pages
_SHORT_LIST = 100  # up to here parameters are quicker than JSON
_UNCHANGED = frozenset({int, float, bool, bytes, type(None)})
_TIMES = frozenset({datetime, type(None)})
_UNMIXED = frozenset({str, datetime})  # what is equal to one of these is of its kind
_TEXTS = frozenset({str, type(None)})


def open_store(url: str, *, schemas: Path) -> Store:
    """Open the store at a SQLAlchemy URL and bring its tables up to date.

    Raises Invalid for a URL that cannot be used, Unavailable when the database does not answer.
    """
    store = SqlStore(_engine(url))
    store.migrate(schemas)
    return store


class SqlStore:
    """`ports.Store` on a SQLAlchemy engine; the two dialects differ in how they lock, bulk load and keep times."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self.dialect = engine.dialect.name
        self._local = threading.local()
        self._revisions: dict[str, int] = {}
        self._revision_lock = threading.Lock()

    @property
    def skip_locked(self) -> str:
        return "FOR UPDATE SKIP LOCKED" if self.dialect == "postgresql" else ""

    def query(self, sql: str, **params: Value | Sequence[Value]) -> list[Row]:
        with self._connection(write=False) as connection, _translated():
            return _decoded(self._run(connection, sql, params))

    def frame(self, sql: str, **params: Value | Sequence[Value]) -> pd.DataFrame:
        import pandas as pd

        with self._connection(write=False) as connection, _translated():
            result = self._run(connection, sql, params)
            columns = list(result.keys())
            rows = _decoded(result)
        return pd.DataFrame(rows, columns=columns)

    def execute(self, sql: str, *, touches: str, **params: Value | Sequence[Value]) -> int:
        with self._connection(write=True) as connection, _translated():
            changed = self._run(connection, sql, params).rowcount
        self._touch(touches)
        return changed

    def execute_many(self, sql: str, rows: Sequence[Mapping[str, Value]], *, touches: str) -> int:
        if not rows:
            return 0
        with self._connection(write=True) as connection, _translated():
            changed = connection.execute(text(sql), [self._encode(row) for row in rows]).rowcount
        self._touch(touches)
        return changed

    def append(self, table: str, rows: Sequence[Mapping[str, Value]]) -> int:
        if not rows:
            return 0
        columns = list(rows[0])
        return self.append_rows(table, columns, (tuple([row[name] for name in columns]) for row in rows))

    def append_rows(self, table: str, columns: Sequence[str], rows: Iterable[Sequence[Value]]) -> int:
        for name in (table, *columns):
            _checked_name(name)
        with self._connection(write=True) as connection, _translated():
            put = self._copy if self.dialect == "postgresql" else self._insert
            number = put(connection, table, columns, rows)
        if number:
            self._touch(table)
        return number

    def prepare_rows(self, table: str, columns: Mapping[str, Sequence[Value]]) -> PreparedRows:
        for name in (table, *columns):
            _checked_name(name)
        block = row_block(table, columns, self._encode_value) if self.dialect == "sqlite" else None
        content = block or list(zip(*columns.values(), strict=True))
        return PreparedRows(table, tuple(columns), len(next(iter(columns.values()))), content)

    def append_prepared(self, rows: PreparedRows) -> int:
        block = rows.content
        if not isinstance(block, RowBlock):
            return self.append_rows(rows.table, rows.columns, cast("list[Sequence[Value]]", block))
        with self._connection(write=True) as connection, _translated():
            connection.exec_driver_sql(block.sql, block.parameters)
        self._touch(rows.table)
        return rows.number

    @contextmanager
    def transaction(self) -> Iterator[None]:
        with self._connection(write=True, hold=True):
            yield

    def revision(self, table: str) -> int:
        return self._revisions.get(table, 0)

    def close(self) -> None:
        self._engine.dispose()

    def migrate(self, folder: Path) -> None:
        """Apply the schema files that this database has not seen, in the order of their names, in one transaction."""
        with _translated(), self.transaction():
            connection: Connection = self._local.connection
            if self.dialect == "postgresql":  # two starting processes must not apply the same file
                connection.execute(text("SELECT pg_advisory_xact_lock(7305918)"))
            connection.execute(
                text("CREATE TABLE IF NOT EXISTS schema_files (name TEXT PRIMARY KEY, applied_at TIMESTAMP NOT NULL)")
            )
            applied = {row[0] for row in connection.execute(text("SELECT name FROM schema_files"))}
            for file in sorted(folder.glob("[0-9][0-9]_*.sql")):
                if file.name in applied:
                    continue
                for statement in _statements(file.read_text(encoding="utf-8")):
                    connection.exec_driver_sql(statement)
                self.append("schema_files", [{"name": file.name, "applied_at": datetime.now(UTC)}])

    # --- connections -----------------------------------------------------------------------------------------------

    @contextmanager
    def _connection(self, *, write: bool, hold: bool = False) -> Iterator[Connection]:
        """The transaction's connection when one is open, else one of its own that commits at the end."""
        current: Connection | None = getattr(self._local, "connection", None)
        if current is not None:
            yield current
            return
        touched: set[str] = set()
        with (
            _translated(),
            self._engine.connect().execution_options(write=write) as connection,
            connection.begin(),
        ):
            if hold:
                self._local.connection = connection
            self._local.touched = touched
            try:
                yield connection
            finally:
                if hold:
                    self._local.connection = None
                self._local.touched = None
        self._bump(touched)

    def _touch(self, table: str) -> None:
        """Remember a change until its transaction commits; outside one it is committed already."""
        touched: set[str] | None = getattr(self._local, "touched", None)
        if touched is None:
            self._bump({table})
        else:
            touched.add(table)

    def _bump(self, tables: set[str]) -> None:
        with self._revision_lock:
            for table in tables:
                self._revisions[table] = self._revisions.get(table, 0) + 1

    # --- values ----------------------------------------------------------------------------------------------------

    def _run(
        self, connection: Connection, sql: str, params: Mapping[str, Value | Sequence[Value]]
    ) -> CursorResult[Any]:
        """Execute one statement with its parameters."""
        encoded = self._encode(params)
        if self.dialect == "sqlite":
            sql, encoded = _with_long_lists(sql, encoded)
        return connection.execute(_statement(sql, encoded), encoded)

    def _encode(self, params: Mapping[str, Value | Sequence[Value]]) -> dict[str, Any]:
        return {name: self._encode_value(value) for name, value in params.items()}

    def _encode_value(self, value: Value | Sequence[Value]) -> Any:
        if type(value) is str and value.isascii() and "\x00" not in value:
            return value
        if isinstance(value, datetime):
            moment = value.astimezone(UTC).replace(tzinfo=None)
            return moment.isoformat(sep=" ", timespec="microseconds") if self.dialect == "sqlite" else moment
        if isinstance(value, str):
            # PostgreSQL refuses NUL in text, and a lone surrogate can be stored in neither
            return value.replace("\x00", "").encode("utf-8", "replace").decode("utf-8")
        if isinstance(value, list | tuple | set | frozenset):
            return [self._encode_value(entry) for entry in value]
        return value

    def _insert(
        self, connection: Connection, table: str, columns: Sequence[str], rows: Iterable[Sequence[Value]]
    ) -> int:
        """Insert many rows with each statement, which takes a third less time than one by one."""
        places = f"({', '.join('?' * len(columns))})"
        statement = f"INSERT INTO {table} ({', '.join(columns)}) VALUES "
        size = min(_INSERTED_ROWS, _MOST_PARAMETERS // len(columns))
        many, number, waiting = statement + ", ".join([places] * size), 0, iter(rows)
        while chunk := list(islice(waiting, size)):
            encoded = self._encoded_rows(chunk)
            if len(chunk) == size:
                connection.exec_driver_sql(many, tuple(chain.from_iterable(encoded)))
            else:  # statements of many lengths would only fill the driver's memory of statements
                connection.exec_driver_sql(statement + places, encoded)
            number += len(chunk)
        return number

    def _encoded_rows(self, rows: Sequence[Sequence[Value]]) -> list[tuple[Any, ...]]:
        """Rows as the database takes them. It is checked a column at a time whether there is anything to change."""
        return list(zip(*map(self._encoded_column, zip(*rows, strict=True)), strict=True))

    def _encoded_column(self, column: Sequence[Value]) -> Sequence[Any]:
        first = column[0]
        if type(first) in _UNMIXED and column.count(first) == len(column):  # most columns say the same in all rows
            return [self._encode_value(first)] * len(column)
        kinds = set(map(type, column))
        if kinds <= _UNCHANGED:
            return column
        if kinds <= _TIMES:  # few different ones: rows that are written together share theirs
            encoded = {value: self._encode_value(value) for value in set(column)}
            return [encoded[value] for value in column]
        if kinds <= _TEXTS and _is_storable("".join([text for text in column if text])):  # type: ignore[misc]
            return column
        return [self._encode_value(value) for value in column]

    def _copy(self, connection: Connection, table: str, columns: Sequence[str], rows: Iterable[Sequence[Value]]) -> int:
        import psycopg

        cursor = connection.connection.cursor()
        number = 0
        statement = f"COPY {table} ({', '.join(columns)}) FROM STDIN"
        try:
            with cursor.copy(statement) as copy:
                for row in rows:
                    copy.write_row([self._encode_value(value) for value in row])
                    number += 1
        except psycopg.IntegrityError as error:  # COPY goes past SQLAlchemy, and so do its errors
            raise IntegrityError(statement, None, error) from error
        except psycopg.Error as error:
            raise DBAPIError(statement, None, error) from error
        return number


def _engine(url: str) -> Engine:
    try:
        parsed = make_url(url)
    except ArgumentError:
        raise Invalid(
            "The store address cannot be read.",
            hint="Set WORKBENCH_STORE_URL to a URL such as postgresql://user@host/database.",
        ) from None
    if parsed.get_backend_name() == "sqlite":
        if parsed.database and parsed.database != ":memory:":
            Path(parsed.database).parent.mkdir(parents=True, exist_ok=True)
        engine = create_engine(parsed, connect_args={"timeout": _BUSY_SECONDS})
        event.listen(engine, "connect", _prepare_sqlite)
        event.listen(engine, "begin", _begin_sqlite)
        return engine
    if parsed.get_backend_name() == "postgresql":
        parsed = parsed.set(drivername="postgresql+psycopg")
        options = {"options": "-c timezone=UTC", "connect_timeout": 10}
        return create_engine(parsed, pool_pre_ping=True, pool_size=10, connect_args=options)
    raise Invalid(
        f"The store cannot be kept in {parsed.get_backend_name()}.",
        hint="Use SQLite (the default) or a postgresql:// URL in WORKBENCH_STORE_URL.",
    )


def _prepare_sqlite(connection: Any, _record: object) -> None:
    connection.isolation_level = None  # we write BEGIN ourselves, see _begin_sqlite
    connection.create_function("LOWER", 1, _lower, deterministic=True)  # SQLite's own knows ASCII only
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", f"wal_autocheckpoint={_WAL_PAGES}"):
        connection.execute(f"PRAGMA {pragma}")


def _lower(value: Any) -> Any:
    return value.lower() if isinstance(value, str) else value


def _begin_sqlite(connection: Connection) -> None:
    """Take the write lock at the start: two readers that both upgrade later would refuse each other."""
    write = connection.get_execution_options().get("write", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if write else "BEGIN")


def _statement(sql: str, params: Mapping[str, Value | Sequence[Value]]) -> TextClause:
    lists = {name: value for name, value in params.items() if isinstance(value, list | tuple | set | frozenset)}
    # an empty list has no type of its own, and PostgreSQL does not compare text with numbers: ours are identifiers
    types = {name: None if value else String() for name, value in lists.items()}
    return text(sql).bindparams(*(bindparam(name, expanding=True, type_=types[name]) for name in lists))


def _statements(script: str) -> list[str]:
    """Split a schema file at semicolons; schema files hold no semicolon inside text or comments."""
    lines = [line.split("--", 1)[0] for line in script.splitlines()]
    return [statement.strip() for statement in "\n".join(lines).split(";") if statement.strip()]


def _with_long_lists(sql: str, params: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    """Give SQLite long lists of texts as one JSON parameter: thousands of parameters take longer than the search."""
    long = {
        name: json.dumps(value, ensure_ascii=False)
        for name, value in params.items()
        if type(value) is list and len(value) > _SHORT_LIST and {*map(type, value)} == {str}
    }
    if not long:
        return sql, params
    lists = _LIST.sub(lambda m: f"IN (SELECT value FROM json_each(:{m[1]}))" if m[1] in long else m[0], sql)
    return lists, {**params, **long}


def _decoded(result: CursorResult[Any]) -> list[Row]:
    """The rows of a result as dictionaries."""
    names = tuple(result.keys())
    times = [name for name in names if name.endswith("_at")]
    found: list[Row] = [dict(zip(names, row, strict=True)) for row in result.fetchall()]
    for name in times:
        for row in found:
            if row[name] is not None:
                row[name] = _moment(row[name])
    return found


@lru_cache(maxsize=4096)
def _moment(value: Value) -> Value:
    """A time as it is stored, as an aware time; rows that were written together share theirs."""
    moment = datetime.fromisoformat(value) if isinstance(value, str) else value
    if isinstance(moment, datetime) and moment.tzinfo is None:
        return moment.replace(tzinfo=UTC)
    return moment


def _is_storable(text: str) -> bool:
    """Whether a text can be stored as it is: without NUL and lone surrogates."""
    if "\x00" in text:
        return False
    try:
        return text.isascii() or bool(text.encode("utf-8"))
    except UnicodeEncodeError:
        return False


def _checked_name(name: str) -> str:
    if not _NAME.match(name):
        raise Invalid(f"“{name}” is not a table or column name.", hint="Use lower-case letters, digits and _.")
    return name


@contextmanager
def _translated() -> Iterator[None]:
    """Turn the driver's errors into ours, once."""
    try:
        yield
    except WorkbenchError:
        raise
    except IntegrityError as error:
        reason = str(error.orig).splitlines()[0]
        if "unique" in reason.lower():
            raise AlreadyExists("This record exists already.", hint="Open the existing one.") from error
        raise Conflict(
            f"The change does not fit what is stored ({reason}).", hint="Reload the page and try again."
        ) from error
    except OperationalError as error:
        reason = str(error.orig).splitlines()[0] if error.orig else str(error)
        raise Unavailable(
            f"The store does not answer: {reason}.",
            hint="Check WORKBENCH_STORE_URL and that the database runs.",
        ) from error
    except (DBAPIError, SQLAlchemyError) as error:
        raise BackendError(
            f"The store refused a statement: {str(error).splitlines()[0]}", hint="Reload and try again."
        ) from error
