"""The chat model behind any OpenAI-compatible URL: llama.cpp, Ollama, vLLM, Databricks serving and others."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

from workbench_core.adapters.chat_completions.batch import Batch, state_of
from workbench_core.adapters.chat_completions.client import served_models
from workbench_core.adapters.chat_completions.endpoint import ChatEndpoint
from workbench_core.errors import WorkbenchError
from workbench_core.ports import Availability, ChatAnswer, ChatOptions, Conversation, TokenPrice

__all__ = ["ChatCompletionsModel", "ChatEndpoint"]

AVAILABILITY_KEPT_SECONDS = 10.0


class ChatCompletionsModel:
    """A ChatModel that sends each conversation to an OpenAI-compatible endpoint.

    Its rate limit (0 is none), and what it learned of the endpoint, hold for all its batches in all threads.
    """

    def __init__(
        self, endpoint: ChatEndpoint, *, name: str = "", title: str = "", price: TokenPrice | None = None
    ) -> None:
        self._endpoint = endpoint
        self._state = state_of(endpoint)
        self.name = name or endpoint.model or endpoint.server
        self.title = title or self.name
        self.identity = endpoint.identity
        self.price = price
        self.concurrency = endpoint.concurrency
        self.reads_pictures = endpoint.reads_pictures
        self.requests_per_minute = endpoint.requests_per_minute
        self.tokens_per_minute = endpoint.tokens_per_minute
        self._checked_at = float("-inf")
        self._checked = Availability(is_ready=False)

    def availability(self) -> Availability:
        """Ask the endpoint whether it is ready; the result is kept for ten seconds. Never raises."""
        if time.monotonic() - self._checked_at > AVAILABILITY_KEPT_SECONDS:
            try:
                self._checked = self._look()
            except WorkbenchError as error:
                self._checked = Availability(is_ready=False, reason=error.message, hint=error.hint)
            self._checked_at = time.monotonic()
        return self._checked

    def answer(
        self,
        conversations: Sequence[Conversation],
        *,
        options: ChatOptions,
        cancelled: Callable[[], bool] = lambda: False,
    ) -> Iterator[ChatAnswer]:
        """Answer a batch as the port says; leaving the loop early ends the requests in flight."""
        if not conversations or cancelled():
            return
        endpoint = self._endpoint
        named = endpoint if endpoint.model else self._with_model(served_models(endpoint))
        batch = Batch(named, options, conversations, state=self._state)
        try:
            yield from batch.answers(cancelled)
        finally:
            batch.stop()

    def _look(self) -> Availability:
        if self._endpoint.check is not None:
            return self._endpoint.check()
        self._with_model(served_models(self._endpoint))
        return Availability(is_ready=True)

    def _with_model(self, served: list[str]) -> ChatEndpoint:
        """The endpoint with the name of its model. Raises Unavailable when that is not clear."""
        if self._endpoint.model:
            return self._endpoint
        if len(served) == 1:
            return replace(self._endpoint, model=served[0])
        listed = ", ".join(served[:10]) or "none"
        raise self._endpoint.unavailable(f"The model to use must be named; the endpoint lists: {listed}.")
