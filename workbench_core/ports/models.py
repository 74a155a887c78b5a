"""Models that answer and models that embed."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from workbench_core.ports.values import Availability, Json

if TYPE_CHECKING:
    import numpy as np


@dataclass(frozen=True, slots=True)
class Message:
    """One chat message; `role` is system, user or assistant."""

    role: str
    content: str


@dataclass(frozen=True, slots=True)
class Conversation:
    """The messages of one question; `id` comes back with the answer."""

    id: str
    messages: tuple[Message, ...]


@dataclass(frozen=True, slots=True)
class ChatOptions:
    """How to answer. `schema` is a JSON Schema that the answer must follow; `choices` the only allowed answers."""

    temperature: float = 0.0
    max_tokens: int = 256
    schema: Mapping[str, Json] | None = None
    choices: tuple[str, ...] = ()
    seed: int = 42


@dataclass(frozen=True, slots=True)
class ChatAnswer:
    """The answer to one conversation: either `text`, or `error` as a sentence. Times in milliseconds."""

    id: str
    text: str | None
    error: str | None = None
    tokens_in: int = 0
    tokens_out: int = 0
    latency_ms: float = 0.0


class ChatModel(Protocol):
    """A language model that answers chat messages."""

    name: str
    title: str  # what the person reads, e.g. "tiny local model"

    def availability(self) -> Availability:
        """Whether it can answer now; quick, and never raises."""
        ...

    def answer(
        self,
        conversations: Sequence[Conversation],
        *,
        options: ChatOptions,
        cancelled: Callable[[], bool] = lambda: False,
    ) -> Iterator[ChatAnswer]:
        """Answer a batch with bounded concurrency, in the order of completion.

        An item that fails after its retries comes back with `error`. After `cancelled()` turns true, unanswered items
        are left out. Raises Unavailable when the model cannot be reached at all, NotAuthorized for a refused key.
        """
        ...


class Embedder(Protocol):
    """Turns texts into vectors."""

    name: str
    dimension: int

    def availability(self) -> Availability:
        """Whether it can embed now; quick, and never raises."""
        ...

    def embed(self, texts: Sequence[str]) -> np.ndarray:
        """Unit vectors, float32, shape (len(texts), dimension)."""
        ...
