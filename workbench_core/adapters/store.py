"""The store on SQLite or PostgreSQL: SQLAlchemy's engine for connections and transactions, plain SQL on top."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, Engine, String, bindparam, create_engine, event, make_url, text
from sqlalchemy.exc import ArgumentError, DBAPIError, IntegrityError, OperationalError, SQLAlchemyError
from sqlalchemy.sql.elements import TextClause

from workbench_core.errors import AlreadyExists, BackendError, Conflict, Invalid, Unavailable, WorkbenchError
from workbench_core.ports import Row, Store, Value

if TYPE_CHECKING:
    import pandas as pd

_NAME = re.compile(r"^[a-z][a-z0-9_]*$")
_BUSY_SECONDS = 30


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
            result = connection.execute(_statement(sql, params), self._encode(params))
            return [_decode(row) for row in result.mappings()]

    def frame(self, sql: str, **params: Value | Sequence[Value]) -> pd.DataFrame:
        import pandas as pd

        with self._connection(write=False) as connection, _translated():
            result = connection.execute(_statement(sql, params), self._encode(params))
            columns = list(result.keys())
            rows = [_decode(row) for row in result.mappings()]
        return pd.DataFrame(rows, columns=columns)

    def execute(self, sql: str, *, touches: str, **params: Value | Sequence[Value]) -> int:
        with self._connection(write=True) as connection, _translated():
            changed = connection.execute(_statement(sql, params), self._encode(params)).rowcount
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
        for name in (table, *columns):
            _checked_name(name)
        with self._connection(write=True) as connection, _translated():
            if self.dialect == "postgresql":
                self._copy(connection, table, columns, rows)
            else:
                places = ", ".join("?" * len(columns))
                connection.exec_driver_sql(
                    f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({places})",
                    [tuple([self._encode_value(row[name]) for name in columns]) for row in rows],
                )
        self._touch(table)
        return len(rows)

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

    def _copy(
        self, connection: Connection, table: str, columns: Sequence[str], rows: Sequence[Mapping[str, Value]]
    ) -> None:
        import psycopg

        cursor = connection.connection.cursor()
        statement = f"COPY {table} ({', '.join(columns)}) FROM STDIN"
        try:
            with cursor.copy(statement) as copy:
                for row in rows:
                    copy.write_row([self._encode_value(row[name]) for name in columns])
        except psycopg.IntegrityError as error:  # COPY goes past SQLAlchemy, and so do its errors
            raise IntegrityError(statement, None, error) from error
        except psycopg.Error as error:
            raise DBAPIError(statement, None, error) from error


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
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON"):
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


def _decode(row: Mapping[Any, Any]) -> Row:
    return {name: _decode_value(name, value) for name, value in row.items()}


def _decode_value(name: str, value: Any) -> Value:
    if name.endswith("_at"):
        if isinstance(value, str):
            value = datetime.fromisoformat(value)
        if isinstance(value, datetime) and value.tzinfo is None:
            return value.replace(tzinfo=UTC)
    result: Value = value
    return result


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
