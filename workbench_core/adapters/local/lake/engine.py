"""DuckDB as the workbench uses it: locked to our own folders, offline, its types and errors in our words."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

import duckdb
from sqlglot import exp

from workbench_core.errors import BackendError, Invalid, NotFound, WorkbenchError

DIALECT = "duckdb"
MEMORY_LIMIT = "25%"  # of the machine or container; a larger sort goes on in temporary files
GONE = ("No files found", "No such file")  # how DuckDB says that a file is not there
SERVER_PATH = re.compile(r"""\s*(?P<quote>["'])(?:/|[A-Za-z]:[\\/])[^"']*(?:(?P=quote)|$)""")
WRONG_INPUT = (
    duckdb.BinderException,
    duckdb.CatalogException,
    duckdb.ConversionException,
    duckdb.DataError,
    duckdb.InvalidInputException,
    duckdb.OutOfRangeException,
    duckdb.ParserException,
    duckdb.PermissionException,
    duckdb.SyntaxException,
)


def connect(*, folders: Sequence[Path], files: Sequence[Path] = ()) -> duckdb.DuckDBPyConnection:
    """An in-memory database that can read and write these folders and files only, and load nothing.

    The order matters: the paths are named first, then the outside is closed, then the settings are locked.
    """
    connection = duckdb.connect(
        ":memory:",
        config={
            "autoinstall_known_extensions": False,
            "autoload_known_extensions": False,
            "allow_community_extensions": False,
            "python_enable_replacements": False,
            "memory_limit": MEMORY_LIMIT,
            "temp_directory": str(Path(tempfile.gettempdir()) / f"workbench-duckdb-{uuid4().hex}"),
        },
    )
    for statement in (
        "SET TimeZone = 'UTC'",
        f"SET allowed_directories = {_list(folders)}",
        f"SET allowed_paths = {_list(files)}",
        "SET enable_external_access = false",
        "SET lock_configuration = true",
    ):
        connection.execute(statement)
    return connection


def _list(paths: Sequence[Path]) -> str:
    return exp.Array(expressions=[exp.Literal.string(str(path)) for path in paths]).sql(dialect=DIALECT)


def reader(name: str, path: Path, *options: exp.Expr) -> exp.Table:
    """A table function on one file, to stand in FROM."""
    return exp.Table(this=exp.Anonymous(this=name, expressions=[exp.Literal.string(str(path)), *options]))


def kind_of(data_type: str) -> str:
    """What a DuckDB type is to a person: string, number, boolean, time, nested or binary."""
    name = data_type.upper()
    if name.endswith("]") or name.startswith(("STRUCT", "MAP", "UNION", "VARIANT")):
        return "nested"
    if name.startswith(("DATE", "TIMESTAMP")):
        return "time"
    if name.startswith(("DECIMAL", "DOUBLE", "FLOAT")) or name.removeprefix("U").removeprefix("HUGE") in (
        "TINYINT",
        "SMALLINT",
        "INTEGER",
        "BIGINT",
        "INT",
    ):
        return "number"
    return {"BOOLEAN": "boolean", "BLOB": "binary"}.get(name, "string")


@contextmanager
def plain_errors(what: str) -> Iterator[None]:
    """Turn DuckDB's errors into ours; `what` is the thing a person was reading or writing."""
    try:
        yield
    except duckdb.Error as error:
        raise _translated(error, what) from error
    except FileNotFoundError as error:
        raise _removed(what) from error


def _removed(what: str) -> NotFound:
    return NotFound(f"“{what}” was removed a moment ago.", hint="Reload the page.")


def _translated(error: duckdb.Error, what: str) -> WorkbenchError:
    if isinstance(error, duckdb.OutOfMemoryException):
        return BackendError(
            f"“{what}” needs more memory than there is for it.", hint="Narrow it with a filter or a sample."
        )
    if isinstance(error, duckdb.IOException) and any(words in str(error) for words in GONE):
        return _removed(what)
    if isinstance(error, WRONG_INPUT):
        return Invalid(
            f"“{what}” cannot be read this way: {first_line(error)}.",
            hint="Check that filter and columns fit the types of the data.",
        )
    return BackendError(f"“{what}” cannot be read: {first_line(error)}.", hint="Check the file, then try again.")


def first_line(error: duckdb.Error) -> str:
    """DuckDB's message without its class, the places of files on this machine and the lines of advice."""
    line = SERVER_PATH.sub("", str(error).partition("\n")[0])
    return line.split("Error: ", 1)[-1].rstrip(".! ")[:300]
