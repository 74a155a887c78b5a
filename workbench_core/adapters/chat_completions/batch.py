"""One run over many conversations: bounded concurrency, retries, and answers as soon as they arrive."""

from __future__ import annotations

import asyncio
import logging
import queue
import random
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import cast

from workbench_core.adapters.chat_completions.answers import AnswerReader
from workbench_core.adapters.chat_completions.client import (
    MOST_BYTES,
    ChatClient,
    TooLarge,
    TooSlow,
    Unreachable,
    open_client,
)
from workbench_core.adapters.chat_completions.dialect import Dialect, first_dialect, is_about_the_schema, simpler
from workbench_core.adapters.chat_completions.endpoint import ChatEndpoint, one_line
from workbench_core.adapters.chat_completions.limits import RateLimit
from workbench_core.adapters.chat_completions.problems import Problem, problem_of
from workbench_core.adapters.chat_completions.questions import (
    NotAskable,
    RequestWriter,
    characters_of,
    token_limit,
)
from workbench_core.errors import Unavailable, WorkbenchError
from workbench_core.ports import ChatAnswer, ChatOptions, Conversation

RETRIES = 3
RATE_LIMIT_RETRIES = 10  # waiting for one's turn is no failure, so it may take longer
LONGEST_WAIT_SECONDS = 60.0
CANCEL_CHECK_SECONDS = 0.1

log = logging.getLogger(__name__)


@dataclass(slots=True)
class EndpointState:
    """What all batches of one endpoint share: its rate limit, and what it turned out to understand."""

    limit: RateLimit
    dialect: Dialect


def state_of(endpoint: ChatEndpoint) -> EndpointState:
    """The state to begin with."""
    return EndpointState(
        RateLimit(endpoint.requests_per_minute, endpoint.tokens_per_minute),
        first_dialect(endpoint.structured, sends_seed=endpoint.sends_seed),
    )


class Batch:
    """An event loop in its own thread that fills a queue with answers. Call `stop` when done with it."""

    def __init__(
        self,
        endpoint: ChatEndpoint,
        options: ChatOptions,
        conversations: Sequence[Conversation],
        *,
        state: EndpointState,
    ) -> None:
        """Start at once. Raises Invalid for a schema that is none."""
        self._reader = AnswerReader(options)
        self._writer = RequestWriter(endpoint, options)
        self._endpoint = endpoint
        self._max_tokens = token_limit(options)
        self._state = state
        self._own_dialect: Dialect | None = None  # for a schema that the endpoint refuses
        self._todo = iter(conversations)
        self._workers = max(1, min(endpoint.concurrency, len(conversations)))
        self._found: queue.SimpleQueue[ChatAnswer | Exception | None] = queue.SimpleQueue()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._task: asyncio.Task[None] | None = None
        self._is_stopping = False
        self._was_reached = False
        self._unreachable_in_a_row = 0
        self._limited_in_a_row = 0
        self._thread = threading.Thread(target=self._work, name="chat-completions", daemon=True)
        self._thread.start()

    def answers(self, cancelled: Callable[[], bool]) -> Iterator[ChatAnswer]:
        """Yield answers as they arrive; raise what ended the whole batch."""
        while not cancelled():
            try:
                found = self._found.get(timeout=CANCEL_CHECK_SECONDS)
            except queue.Empty:
                continue
            if found is None:
                return
            if isinstance(found, Exception):
                raise found
            yield found
        self.stop()
        while not self._found.empty():  # answered already, so not thrown away
            if isinstance(found := self._found.get(), ChatAnswer):
                yield found

    def stop(self) -> None:
        """End the requests in flight and wait for the thread."""
        self._is_stopping = True
        if self._loop is not None and self._task is not None:
            with suppress(RuntimeError):  # the loop has ended by itself
                self._loop.call_soon_threadsafe(self._task.cancel)
        self._thread.join()

    def _work(self) -> None:
        end: BaseException | None = None
        try:
            asyncio.run(self._run())
        except asyncio.CancelledError:
            pass
        except Exception as error:  # noqa: BLE001 - raised again in the caller's thread
            end = error
        while isinstance(end, BaseExceptionGroup):  # the first worker that failed ended the others
            end = end.exceptions[0]
        self._found.put(cast("Exception | None", end))

    async def _run(self) -> None:
        self._loop, self._task = asyncio.get_running_loop(), asyncio.current_task()
        if self._is_stopping:
            return
        turn = asyncio.Lock()
        async with open_client(self._endpoint) as client, asyncio.TaskGroup() as group:
            for _ in range(self._workers):
                group.create_task(self._answer_all(client, turn))

    async def _answer_all(self, client: ChatClient, turn: asyncio.Lock) -> None:
        for conversation in self._todo:
            self._found.put(await self._answer(client, turn, conversation))

    async def _answer(self, client: ChatClient, turn: asyncio.Lock, conversation: Conversation) -> ChatAnswer:
        failures = waits = 0
        while True:
            dialect = self._own_dialect or self._state.dialect
            try:
                body = self._writer.body(conversation, dialect)
            except NotAskable as problem:
                return ChatAnswer(conversation.id, None, str(problem))
            outcome = await self._try(client, turn, conversation, body)
            if isinstance(outcome, ChatAnswer):
                return outcome
            if outcome.end is not None:
                raise outcome.end
            if outcome.refused and self._learn(dialect, outcome.refused):
                continue
            failures += not outcome.is_rate_limit
            waits += outcome.is_rate_limit
            is_spent = failures > RETRIES or waits > RATE_LIMIT_RETRIES
            if is_spent or not outcome.may_retry or (outcome.wait_seconds or 0) > LONGEST_WAIT_SECONDS:
                return self._give_up(conversation, outcome)
            await self._wait(outcome, failures + waits)

    async def _try(
        self, client: ChatClient, turn: asyncio.Lock, conversation: Conversation, body: bytes
    ) -> ChatAnswer | Problem:
        limit = self._state.limit
        expected = 0
        if not limit.is_open():
            expected = limit.expected_tokens(characters_of(conversation), self._max_tokens)
            await self._wait_for_turn(turn, expected)
        started = time.perf_counter()
        outcome = await self._ask(client, body)
        if isinstance(outcome, Problem):
            log.info("Conversation %s failed once: %s", conversation.id, one_line(outcome.sentence))
            return outcome
        self._limited_in_a_row = 0
        if expected:
            limit.settle(expected, outcome.tokens_in, outcome.tokens_out)
        return replace(outcome, id=conversation.id, latency_ms=(time.perf_counter() - started) * 1000)

    async def _ask(self, client: ChatClient, body: bytes) -> ChatAnswer | Problem:
        try:
            reply = await client.ask(body)
        except Unreachable:
            return Problem(self._endpoint.unreachable(), may_retry=True, is_unreachable=True)
        except TooSlow:
            self._note_reached()
            return Problem(f"The model endpoint took longer than {self._endpoint.timeout_seconds:g} s.", may_retry=True)
        except TooLarge:
            self._note_reached()
            return Problem(f"The model endpoint sent more than {MOST_BYTES // 1_000_000} MB for one answer.")
        except WorkbenchError as error:  # signing in failed
            return Problem(error.message, end=error)
        self._note_reached()
        return problem_of(reply, self._endpoint) or self._reader.read(reply)

    async def _wait_for_turn(self, turn: asyncio.Lock, tokens: int) -> None:
        """Wait until the rate limit lets a question go; only one worker of a batch stands at the gate."""
        async with turn:
            while (seconds := self._state.limit.take(tokens)) > 0:
                await asyncio.sleep(seconds)

    def _learn(self, sent: Dialect, refusal: str) -> bool:
        """Whether it is worth another try in another dialect, which all batches of the endpoint then speak."""
        known = self._own_dialect or self._state.dialect
        if known != sent:
            return True  # another worker has learned it meanwhile
        found = simpler(sent, refusal)
        if found is None:
            return False
        if is_about_the_schema(refusal) or self._own_dialect:
            self._own_dialect = found
        else:
            self._state.dialect = found
        log.warning("The model %s does not take all we send; from now on: %s", self._endpoint.model, found)
        return True

    async def _wait(self, problem: Problem, attempt: int) -> None:
        backoff = min(LONGEST_WAIT_SECONDS, self._endpoint.retry_seconds * 2.0 ** (attempt - 1))
        backoff *= random.uniform(0.5, 1.5)  # noqa: S311 - jitter, so that workers do not come back together
        if problem.wait_seconds is not None:
            backoff = problem.wait_seconds + min(backoff, self._endpoint.retry_seconds)
        if problem.is_rate_limit and problem.wait_seconds:  # all workers share one limit, so all of them pause
            self._state.limit.pause(problem.wait_seconds)
        await asyncio.sleep(backoff)

    def _note_reached(self) -> None:
        self._was_reached = True
        self._unreachable_in_a_row = 0

    def _give_up(self, conversation: Conversation, problem: Problem) -> ChatAnswer:
        """The item's error; raises Unavailable when nothing is answered any more, for this item or any other."""
        if problem.is_unreachable:
            self._unreachable_in_a_row += 1
            if not self._was_reached or self._unreachable_in_a_row >= max(3, self._endpoint.concurrency):
                raise self._endpoint.unavailable(problem.sentence)
        if problem.is_rate_limit:
            self._limited_in_a_row += 1
            if (problem.wait_seconds or 0) > LONGEST_WAIT_SECONDS or self._limited_in_a_row >= 3:
                raise Unavailable(problem.sentence, hint="Resume later: what was answered is kept.")
        return ChatAnswer(id=conversation.id, text=None, error=problem.sentence)
