"""Statements that a person can follow and stop: each runs in a thread while its watcher is told the share done."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures import wait as wait_for
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlglot import exp

from workbench_core.adapters.local.lake.engine import DIALECT
from workbench_core.errors import Stopped
from workbench_core.ports import Watch

if TYPE_CHECKING:
    import duckdb
    import pyarrow as pa

TELL_EVERY_SECONDS = 0.2


@dataclass(slots=True)
class Steps:
    """The statements of one piece of work on one cursor; `total` of them are expected."""

    cursor: duckdb.DuckDBPyConnection
    watch: Watch | None
    total: int
    done: int = 0

    def run(self, statement: exp.Expr | str) -> None:
        """Run a statement that gives nothing back. Raises Stopped when the watcher says so."""
        sql = _text(statement)
        self._watched(lambda: self.cursor.execute(sql))

    def read(self, query: exp.Expr | str) -> pa.Table:
        """The result of a query. Raises Stopped when the watcher says so."""
        sql = _text(query)
        tables: list[pa.Table] = []
        self._watched(lambda: tables.append(self.cursor.sql(sql).to_arrow_table()))
        return tables[0]

    def _watched(self, work: Callable[[], object]) -> None:
        if self.watch is None:
            work()
        else:
            self._in_thread(work, self.watch)
        self.done += 1

    def _in_thread(self, work: Callable[[], object], watch: Watch) -> None:
        """The thread has ended in any case when this returns or raises."""
        with ThreadPoolExecutor(1, thread_name_prefix="lake-statement") as pool:
            running = pool.submit(work)
            goes_on = False
            try:
                goes_on = watch(self._share())
                while goes_on and wait_for([running], timeout=TELL_EVERY_SECONDS).not_done:
                    goes_on = watch(self._share())
            finally:
                if not goes_on:
                    self._interrupt(running.done)
        if not goes_on:
            raise Stopped("The work was stopped.", hint="Run it again when you are ready.")
        running.result()

    def _share(self) -> float:
        """The share that is done; DuckDB says -1 for a statement whose progress it does not know."""
        within = max(self.cursor.query_progress(), 0.0) / 100
        return min((self.done + within) / max(self.total, 1), 1.0)

    def _interrupt(self, is_done: Callable[[], bool]) -> None:
        """An interrupt that comes before the statement has begun is lost, so it is repeated."""
        import time

        while not is_done():
            self.cursor.interrupt()
            time.sleep(0.01)


def _text(statement: exp.Expr | str) -> str:
    return statement if isinstance(statement, str) else statement.sql(dialect=DIALECT)
