"""BulkAnswers on a Databricks SQL warehouse: one CREATE TABLE AS SELECT with `ai_query` a request (decision 0012)."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from workbench_core.adapters.chat_completions.answers import AnswerReader
from workbench_core.adapters.chat_completions.client import Reply
from workbench_core.adapters.chat_completions.endpoint import one_line
from workbench_core.adapters.databricks.bulk_statement import (
    RequestForm,
    Statement,
    answers_query,
    count_query,
    create_statement,
    drop_statement,
)
from workbench_core.adapters.lake_query import QuerySource
from workbench_core.errors import Invalid
from workbench_core.ports import BulkRequest, BulkState, BulkStatus, ChatAnswer, Row, Selection

THRESHOLD = 20_000  # rows from which one statement is worth its start
REQUEST_ID = re.compile(r"[A-Za-z0-9_-]{1,80}")


class Warehouse(Protocol):
    """Where statements run. `dialect` is sqlglot's name of its SQL.

    A long statement has a name of our own, which the warehouse keeps with it (a tag of the query), so that a process
    that starts anew finds what an earlier one left running.
    """

    dialect: str

    def query(self, sql: str, parameters: Mapping[str, str]) -> list[Row]:
        """Run a short statement and give its rows."""
        ...

    def has_table(self, name: str) -> bool:
        """Whether there is a table of this three-part name."""
        ...

    def submit(self, name: str, sql: str, parameters: Mapping[str, str]) -> None:
        """Hand a long statement over and return at once."""
        ...

    def progress(self, name: str) -> BulkState:
        """Where the newest statement of this name stands; absent when there is none."""
        ...

    def cancel(self, name: str) -> None:
        """Stop the statements of this name that run."""
        ...


@dataclass(frozen=True, slots=True)
class BulkSettings:
    """Where answers are kept, and which model is behind which endpoint.

    `schema` is a catalog and schema that we may write to. `endpoints` gives the serving endpoint of a configured model,
    `message_endpoints` those that take chat messages from `ai_query` instead of one text.
    """

    schema: str
    endpoints: Mapping[str, str]
    message_endpoints: frozenset[str] = frozenset()
    threshold: int = THRESHOLD


class WarehouseBulkAnswers:
    """Bulk answers as tables of a warehouse, one a request: (item_ref, answer).

    The table is there when, and only when, the statement went through to its end.
    """

    def __init__(
        self, warehouse: Warehouse, sources: Callable[[Selection], QuerySource], settings: BulkSettings
    ) -> None:
        self._warehouse = warehouse
        self._sources = sources
        self._settings = settings
        self.threshold = settings.threshold

    def endpoint(self, model_name: str) -> str:
        """The serving endpoint behind a configured model; empty when it is served elsewhere."""
        return self._settings.endpoints.get(model_name, "")

    def problems(self, request: BulkRequest) -> tuple[str, ...]:
        """What keeps the statement from being built."""
        try:
            self._statement(request)
        except Invalid as error:
            return (error.message,)
        return ()

    def start(self, request: BulkRequest) -> None:
        """Submit the statement, unless it runs or its table is there."""
        statement = self._statement(request)
        if self.state(request.id).status not in (BulkStatus.RUNNING, BulkStatus.DONE):
            self._warehouse.submit(_name(request.id), statement.sql, statement.parameters)

    def state(self, request_id: str) -> BulkState:
        """Done when the table is there, else what the warehouse says of the statement."""
        progress = self._warehouse.progress(_name(request_id))
        if progress.status is BulkStatus.RUNNING:
            return progress
        if self._warehouse.has_table(self._table(request_id)):  # looked for last: the statement may just have ended
            count = count_query(self._table(request_id), dialect=self._warehouse.dialect)
            return BulkState(BulkStatus.DONE, int(str(self._warehouse.query(count, {})[0]["answers"])))
        if progress.status is BulkStatus.DONE:  # its table was dropped
            return BulkState(BulkStatus.ABSENT)
        return progress

    def answers(self, request: BulkRequest, *, after: str = "", size: int = 1000) -> Iterator[Sequence[ChatAnswer]]:
        """Page by page, so that an open result never has to live as long as the reading takes."""
        reader = AnswerReader(request.options)
        sql = answers_query(self._table(request.id), dialect=self._warehouse.dialect, limit=max(size, 1))
        while rows := self._warehouse.query(sql, {"after": after}):
            answers = [_read(reader, str(row["item_ref"]), str(row["answer"] or "{}")) for row in rows]
            yield answers
            after = answers[-1].id

    def cancel(self, request_id: str) -> None:
        """Stop the statement."""
        self._warehouse.cancel(_name(request_id))

    def drop(self, request_id: str) -> None:
        """Stop the statement and remove the table."""
        self.cancel(request_id)
        self._warehouse.query(drop_statement(self._table(request_id), dialect=self._warehouse.dialect), {})

    def _statement(self, request: BulkRequest) -> Statement:
        takes_messages = request.endpoint in self._settings.message_endpoints
        form = RequestForm.MESSAGES if takes_messages else RequestForm.TEXT
        table = self._table(request.id)
        return create_statement(request, self._sources(request.selection), table=table, form=form)

    def _table(self, request_id: str) -> str:
        return f"{self._settings.schema}.{_name(request_id)}"


def _name(request_id: str) -> str:
    """The name of a request's table and statement. Raises Invalid for an id that cannot be part of one."""
    if not REQUEST_ID.fullmatch(request_id):
        raise Invalid(f"“{request_id[:100]}” cannot name a request.", hint="Use letters, digits, _ and -.")
    return f"answers_{request_id}"


def _read(reader: AnswerReader, item_ref: str, found: str) -> ChatAnswer:
    """What `ai_query` gave for one item; its fields were renamed between versions of Databricks."""
    fields = json.loads(found)
    text = fields.get("response", fields.get("result"))
    error = fields.get("errorMessage") or fields.get("errorStatus")
    if error or text is None:
        said = one_line(str(error), ()) if error else "it gave no answer"
        return ChatAnswer(item_ref, None, error=f"The model endpoint failed: {said}")
    content = text if isinstance(text, str) else json.dumps(text, ensure_ascii=False)
    body = {"choices": [{"message": {"content": content}, "finish_reason": "stop"}]}
    return replace(reader.read(Reply(200, {}, b"", body, ())), id=item_ref)
