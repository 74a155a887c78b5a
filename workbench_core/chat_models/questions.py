"""A digest of a question to a language model: equal exactly when model, options, messages and pictures are equal."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence

from workbench_core.ports import ChatModel, ChatOptions, Conversation, Json
from workbench_core.ports.models import PICTURE_CHARACTERS


def prompt_hashes(model: ChatModel, conversations: Sequence[Conversation], options: ChatOptions) -> list[str]:
    """The SHA-256 of each question as hexadecimal text, in the order of the conversations.

    A model is its name, and where it says so its `identity`: the address and the name there. Another model that takes
    over a name never gets the answers of the former one.

    The order of keys in the schema counts: models answer field after field in that order.
    """
    shared = hashlib.sha256(
        _canonical(
            [
                [model.name, str(getattr(model, "identity", ""))],
                float(options.temperature),
                options.max_tokens,
                None if options.schema is None else dict(options.schema),
                list(options.choices),
                options.seed,
            ]
        )
    )
    hashes = []
    for conversation in conversations:
        digest = shared.copy()
        digest.update(_canonical([_messages(conversation), _pictures(conversation)]))
        hashes.append(digest.hexdigest())
    return hashes


def wants_json(options: ChatOptions) -> bool:
    """Whether the answers are to be JSON; with choices they are one of these."""
    return bool(options.schema) and not options.choices


def characters_of(conversation: Conversation) -> int:
    """The characters of all messages of a question; each picture counts like a text of `PICTURE_CHARACTERS`."""
    return sum(
        len(message.content) + PICTURE_CHARACTERS * len(message.attachments) for message in conversation.messages
    )


def _messages(conversation: Conversation) -> list[Json]:
    return [[message.role, message.content, list(message.attachments)] for message in conversation.messages]


def _pictures(conversation: Conversation) -> list[Json]:
    """Names and digests of the pictures: the same path may hold another picture one day."""
    return [[name, hashlib.sha256(content).hexdigest()] for name, content in sorted(conversation.pictures.items())]


def _canonical(value: list[Json]) -> bytes:
    """One line of JSON in ASCII, so that any text has exactly one form."""
    return json.dumps(value, separators=(",", ":"), default=str).encode("ascii") + b"\n"
