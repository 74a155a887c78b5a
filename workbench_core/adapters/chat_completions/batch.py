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
from dataclasses import replace
from typing import TYPE_CHECKING, cast

from workbench_core.adapters.chat_completions.answers import (
    check_options,
    choice_grammar,
    read_answer,
    response_format,
    token_limit,
)
from workbench_core.adapters.chat_completions.endpoint import ChatEndpoint, Problem, open_client, problem_of
from workbench_core.ports import ChatAnswer, ChatOptions, Conversation

if TYPE_CHECKING:
    from openai import AsyncOpenAI
    from openai.types.chat import ChatCompletion, ChatCompletionMessageParam

RETRIES = 3
RATE_LIMIT_RETRIES = 10  # waiting for one's turn is no failure, so it may take longer
LONGEST_WAIT_SECONDS = 60.0
CANCEL_CHECK_SECONDS = 0.1

log = logging.getLogger(__name__)


class Batch:
    """An event loop in its own thread that fills a queue with answers. Call `stop` when done with it."""

    def __init__(self, endpoint: ChatEndpoint, options: ChatOptions, conversations: Sequence[Conversation]) -> None:
        """Start at once. Raises Invalid for a schema that is none."""
        check_options(options)
        self._endpoint = endpoint
        self._options = options
        self._todo = iter(conversations)
        self._workers = max(1, min(endpoint.concurrency, len(conversations)))
        self._found: queue.SimpleQueue[ChatAnswer | Exception | None] = queue.SimpleQueue()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._task: asyncio.Task[None] | None = None
        self._is_stopping = False
        self._paused_until = 0.0
        self._was_reached = False
        self._unreachable_in_a_row = 0
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
        async with open_client(self._endpoint) as client, asyncio.TaskGroup() as group:
            for _ in range(self._workers):
                group.create_task(self._answer_all(client))

    async def _answer_all(self, client: AsyncOpenAI) -> None:
        for conversation in self._todo:
            self._found.put(await self._answer(client, conversation))

    async def _answer(self, client: AsyncOpenAI, conversation: Conversation) -> ChatAnswer:
        failures = waits = 0
        while True:
            await asyncio.sleep(max(0.0, self._paused_until - time.monotonic()))
            outcome = await self._try(client, conversation)
            if isinstance(outcome, ChatAnswer):
                return outcome
            failures += not outcome.is_rate_limit
            waits += outcome.is_rate_limit
            is_spent = failures > RETRIES or waits > RATE_LIMIT_RETRIES
            if is_spent or not outcome.may_retry or (outcome.wait_seconds or 0) > LONGEST_WAIT_SECONDS:
                return self._give_up(conversation, outcome)
            await self._wait(outcome, failures + waits)

    async def _try(self, client: AsyncOpenAI, conversation: Conversation) -> ChatAnswer | Problem:
        started = time.perf_counter()
        try:
            completion = await self._ask(client, conversation)
        except Exception as error:  # noqa: BLE001 - problem_of raises what it does not know
            problem = problem_of(error, self._endpoint)
            log.info("Conversation %s failed once: %s", conversation.id, type(error).__name__)
            if not problem.is_unreachable:
                self._note_reached()
            return problem
        self._note_reached()
        answer = read_answer(completion, self._options, self._endpoint)
        return replace(answer, id=conversation.id, latency_ms=(time.perf_counter() - started) * 1000)

    async def _ask(self, client: AsyncOpenAI, conversation: Conversation) -> ChatCompletion:
        from openai import omit

        grammar = self._options.choices if self._endpoint.takes_grammar else ()
        messages = [{"role": message.role, "content": message.content} for message in conversation.messages]
        return await client.chat.completions.create(
            model=self._endpoint.model,
            messages=cast("list[ChatCompletionMessageParam]", messages),
            temperature=self._options.temperature,
            max_tokens=token_limit(self._options),
            seed=self._options.seed if self._endpoint.sends_seed else omit,
            response_format=omit if grammar else response_format(self._options) or omit,
            extra_body={"grammar": choice_grammar(grammar)} if grammar else None,
        )

    async def _wait(self, problem: Problem, attempt: int) -> None:
        backoff = min(LONGEST_WAIT_SECONDS, self._endpoint.retry_seconds * 2.0 ** (attempt - 1))
        backoff *= random.uniform(0.5, 1.5)  # noqa: S311 - jitter, so that workers do not come back together
        if problem.wait_seconds is not None:
            backoff = problem.wait_seconds + min(backoff, self._endpoint.retry_seconds)
        if problem.is_rate_limit:  # all workers share one limit, so all of them pause
            self._paused_until = max(self._paused_until, time.monotonic() + (problem.wait_seconds or 0.0))
        await asyncio.sleep(backoff)

    def _note_reached(self) -> None:
        self._was_reached = True
        self._unreachable_in_a_row = 0

    def _give_up(self, conversation: Conversation, problem: Problem) -> ChatAnswer:
        """The item's error; raises Unavailable when nothing answers any more, for this item or any other."""
        if problem.is_unreachable:
            self._unreachable_in_a_row += 1
            if not self._was_reached or self._unreachable_in_a_row >= max(3, self._endpoint.concurrency):
                raise self._endpoint.unavailable(problem.sentence)
        return ChatAnswer(id=conversation.id, text=None, error=problem.sentence)
