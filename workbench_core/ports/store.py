"""The store: what people decide."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from workbench_core.ports.values import Row, Value

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, slots=True)
class PreparedRows:
    """Rows of a table in the form in which its store takes them fastest; `content` is known to that store alone."""

    table: str
    columns: tuple[str, ...]
    number: int
    content: object


class Store(Protocol):
    """The relational store: plain SQL text with `:name` parameters, in the subset that SQLite and PostgreSQL share.

    Columns whose name ends in `_at` hold times: aware UTC datetimes go in and come out.
    """

    dialect: str

    def query(self, sql: str, **params: Value | Sequence[Value]) -> list[Row]:
        """Run a SELECT. A sequence parameter expands inside `IN :name`."""
        ...

    def frame(self, sql: str, **params: Value | Sequence[Value]) -> pd.DataFrame:
        """Run a SELECT and give a data frame with the columns in the order of the statement."""
        ...

    def execute(self, sql: str, *, touches: str, **params: Value | Sequence[Value]) -> int:
        """Run one INSERT, UPDATE or DELETE on table `touches`; give the number of rows changed.

        Raises AlreadyExists for a broken unique key, Conflict for a broken reference or check.
        """
        ...

    def execute_many(self, sql: str, rows: Sequence[Mapping[str, Value]], *, touches: str) -> int:
        """Run one UPDATE or DELETE with many rows of parameters; give the number of rows changed altogether."""
        ...

    def append(self, table: str, rows: Sequence[Mapping[str, Value]]) -> int:
        """Insert rows (all with the same keys) in one bulk statement; give their number."""
        ...

    def append_rows(self, table: str, columns: Sequence[str], rows: Iterable[Sequence[Value]]) -> int:
        """Insert many rows, each with the values of `columns` in their order, in bulk; give their number.

        An iterator is read while the statement runs: it must not use the store. When it raises, nothing is kept.
        """
        ...

    def prepare_rows(self, table: str, columns: Mapping[str, Sequence[Value]]) -> PreparedRows:
        """Make many rows, given by column, ready for `append_prepared`; in any thread, outside of any transaction."""
        ...

    def append_prepared(self, rows: PreparedRows) -> int:
        """Insert prepared rows, on SQLite mostly without Python's interpreter lock; give their number.

        Raises what `append_rows` raises.
        """
        ...

    def transaction(self) -> AbstractContextManager[None]:
        """All statements inside commit together or not at all. May be nested; the outermost one commits."""
        ...

    def revision(self, table: str) -> int:
        """A number that grows whenever this process commits a change to `table`; for cache keys."""
        ...

    @property
    def skip_locked(self) -> str:
        """The clause that lets two takers never see the same row (empty on SQLite, which locks the file)."""
        ...

    def close(self) -> None:
        """Give back all connections."""
        ...
