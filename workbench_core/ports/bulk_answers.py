"""Answers for millions of rows in one statement, asked where the rows are."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol

from workbench_core.ports.lake import Selection
from workbench_core.ports.models import ChatAnswer, ChatOptions, Message
from workbench_core.ports.prompt_expressions import TextExpression


@dataclass(frozen=True, slots=True)
class BulkPrompt:
    """The messages of an item as expressions: a system message unless it is blank, fixed turns, the question.

    A value of more than `value_limit` characters is cut and gets `cut_mark`; an item whose question is blank, or whose
    message has more than `text_limit` characters, is not asked.
    """

    system: TextExpression
    user: TextExpression
    turns: tuple[Message, ...] = ()
    value_limit: int = 20_000
    cut_mark: str = " […]"
    text_limit: int = 200_000


@dataclass(frozen=True, slots=True)
class BulkRequest:
    """What to ask. The same `id` always names the same request.

    `mapping` gives the column of each placeholder; one with an empty column is an empty text. Of the selection's items
    the first `row_limit` in the order of their identifiers are looked at (None means all), and of these `skipped_refs`
    and those in the column `item_ref` of the lake table `skipped_table` are not asked. `endpoint` serves the model.
    """

    id: str
    selection: Selection
    prompt: BulkPrompt
    mapping: Mapping[str, str]
    endpoint: str
    options: ChatOptions = field(default_factory=ChatOptions)
    row_limit: int | None = None
    skipped_refs: tuple[str, ...] = ()
    skipped_table: str = ""


class BulkStatus(StrEnum):
    """Where a request stands."""

    ABSENT = "absent"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"


@dataclass(frozen=True, slots=True)
class BulkState:
    """Where a request stands; `rows_done` is None while nobody knows, `error` is a sentence."""

    status: BulkStatus
    rows_done: int | None = None
    error: str = ""


class BulkAnswers(Protocol):
    """Asks a served model about all rows of a selection in one statement. `threshold`: below it this is not worth it.

    An item of which the engine cannot be sure that its prompt is what the workbench itself would render is not asked
    and has no answer; whoever reads the answers asks for these items one by one.
    """

    threshold: int

    def endpoint(self, model_name: str) -> str:
        """The serving endpoint behind a configured model; empty when it is served elsewhere."""
        ...

    def problems(self, request: BulkRequest) -> tuple[str, ...]:
        """Why this request cannot be asked in one statement, as sentences; nothing is asked. Raises NotFound."""
        ...

    def start(self, request: BulkRequest) -> None:
        """Begin to ask and return at once; a request that runs or is done is left as it is, so nothing is paid twice.

        Raises Invalid for what `problems` tells.
        """
        ...

    def state(self, request_id: str) -> BulkState:
        """Where a request stands, also one that another process started."""
        ...

    def answers(self, request: BulkRequest, *, after: str = "", size: int = 1000) -> Iterator[Sequence[ChatAnswer]]:
        """The answers of a finished request in the order of item_ref, behind `after`, at most `size` at a time."""
        ...

    def cancel(self, request_id: str) -> None:
        """Stop a request that runs; its answers so far are lost."""
        ...

    def drop(self, request_id: str) -> None:
        """Stop a request and remove its answers; does nothing when there are none."""
        ...
