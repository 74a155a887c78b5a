"""Models that answer and models that embed."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from workbench_core.ports.values import Availability, Json

if TYPE_CHECKING:
    import numpy as np


PICTURE_CHARACTERS = 4_000  # what an attached picture counts where prompts are measured: about a thousand tokens


@dataclass(frozen=True, slots=True)
class Message:
    """One chat message; `role` is system, user or assistant.

    `attachments` are pictures of the lake, each as volume and path: `catalog.schema.volume/folder/file.png`.
    """

    role: str
    content: str
    attachments: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Conversation:
    """The messages of one question; `id` comes back with the answer. `pictures` holds the bytes of attachments."""

    id: str
    messages: tuple[Message, ...]
    pictures: Mapping[str, bytes] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ChatOptions:
    """How to answer. `schema` is a JSON Schema that the answer must follow; `choices` the only allowed answers.

    With `asks_again` an answer that was kept from the same question is not taken.
    """

    temperature: float = 0.0
    max_tokens: int = 256
    schema: Mapping[str, Json] | None = None
    choices: tuple[str, ...] = ()
    seed: int = 42
    asks_again: bool = False


@dataclass(frozen=True, slots=True)
class TokenPrice:
    """What a million tokens cost, going in and coming out."""

    tokens_in: float
    tokens_out: float
    currency: str = "USD"

    def cost(self, tokens_in: float, tokens_out: float) -> float:
        """What so many tokens cost, in `currency`."""
        return (tokens_in * self.tokens_in + tokens_out * self.tokens_out) / 1_000_000


@dataclass(frozen=True, slots=True)
class ChatAnswer:
    """The answer to one conversation: either `text`, or `error` as a sentence. Times in milliseconds.

    `is_repaired`: the model's JSON was broken and could be mended. `is_kept`: it was paid for earlier, not now.
    `is_repeated`: the error of an equal question, told once more; nothing was paid for that.
    """

    id: str
    text: str | None
    error: str | None = None
    tokens_in: int = 0
    tokens_out: int = 0
    latency_ms: float = 0.0
    is_repaired: bool = False
    is_kept: bool = False
    is_repeated: bool = False


class ChatModel(Protocol):
    """A language model that answers chat messages. `name` tells it from all others that are configured."""

    name: str
    title: str  # what the person reads, e.g. "tiny local model"
    price: TokenPrice | None  # None when it is not known
    concurrency: int  # how many questions it works on at a time
    reads_pictures: bool

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
