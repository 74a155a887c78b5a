"""A conversation as the body of a request: messages, pictures, and how the answer is held to its form."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from typing import cast

from workbench_core.adapters.chat_completions.dialect import Dialect, Structured
from workbench_core.adapters.chat_completions.endpoint import ChatEndpoint
from workbench_core.ports import ChatOptions, Conversation, Json, Message
from workbench_core.ports.models import PICTURE_CHARACTERS

CHOICE_EXTRA_TOKENS = 64  # the JSON around a choice; small models like to put blanks into it
SIGNATURES = ((b"\x89PNG\r\n\x1a\n", "image/png"), (b"\xff\xd8\xff", "image/jpeg"), (b"GIF8", "image/gif"))


class NotAskable(Exception):
    """The question cannot be sent; the text is the sentence for the person."""


class RequestWriter:
    """Writes the requests of one batch: what is the same in all of them is made once."""

    def __init__(self, endpoint: ChatEndpoint, options: ChatOptions) -> None:
        self._endpoint = endpoint
        self._options = options
        self._schema = choice_schema(options.choices) if options.choices else options.schema or None
        self._grammar = choice_grammar(options.choices) if options.choices and endpoint.takes_grammar else ""
        self._form = json.dumps(self._schema, ensure_ascii=False)

    def body(self, conversation: Conversation, dialect: Dialect) -> bytes:
        """The JSON to send. Raises NotAskable when a picture cannot be sent."""
        told = self._schema is not None and not self._grammar and dialect.structured is not Structured.JSON_SCHEMA
        messages = [self._message(message, conversation.pictures) for message in conversation.messages]
        return json.dumps(
            {
                "model": self._endpoint.model,
                "messages": self._with_form(messages) if told else messages,
                dialect.limit_field: token_limit(self._options),
                **({"temperature": self._options.temperature} if dialect.sends_temperature else {}),
                **({"seed": self._options.seed} if dialect.sends_seed else {}),
                **self._form_fields(dialect),
            },
            ensure_ascii=False,
        ).encode("utf-8", errors="replace")

    def _form_fields(self, dialect: Dialect) -> dict[str, Json]:
        if self._grammar:
            return {"grammar": self._grammar}
        if self._schema is None or dialect.structured is Structured.NONE:
            return {}
        if dialect.structured is Structured.JSON_OBJECT:
            return {"response_format": {"type": "json_object"}}
        wanted: dict[str, Json] = {"name": "answer", "schema": dict(self._schema), "strict": is_strict(self._schema)}
        return {"response_format": {"type": "json_schema", "json_schema": wanted}}

    def _with_form(self, messages: list[dict[str, Json]]) -> list[dict[str, Json]]:
        """The schema told in words, in the one system message: many servers refuse a second one."""
        told = f"Answer with JSON only, without any other words, that follows this JSON Schema: {self._form}"
        head, *rest = messages or [{}]
        if head.get("role") == "system" and isinstance(head.get("content"), str):
            return [{"role": "system", "content": f"{head['content']}\n\n{told}"}, *rest]
        return [{"role": "system", "content": told}, *messages]

    def _message(self, message: Message, pictures: Mapping[str, bytes]) -> dict[str, Json]:
        if not message.attachments:
            return {"role": message.role, "content": message.content}
        if not self._endpoint.reads_pictures:
            raise NotAskable("This model reads no pictures. Choose one that does.")
        parts: list[Json] = [{"type": "text", "text": message.content}] if message.content else []
        parts += [
            {"type": "image_url", "image_url": {"url": _data_uri(name, pictures)}} for name in message.attachments
        ]
        return {"role": message.role, "content": parts}


def choice_schema(choices: tuple[str, ...]) -> dict[str, Json]:
    """The JSON Schema of one of the choices."""
    return {
        "type": "object",
        "properties": {"answer": {"enum": list(choices)}},
        "required": ["answer"],
        "additionalProperties": False,
    }


def choice_grammar(choices: tuple[str, ...]) -> str:
    """A grammar that allows the bare choices only, in llama.cpp's notation (GBNF)."""
    return "root ::= " + " | ".join(json.dumps(choice, ensure_ascii=False) for choice in choices)


def token_limit(options: ChatOptions) -> int:
    """How many tokens the answer may have, with room for the JSON around a choice."""
    return options.max_tokens + (CHOICE_EXTRA_TOKENS if options.choices else 0)


def characters_of(conversation: Conversation) -> int:
    """How long a question is, for the estimate of its tokens."""
    return sum(
        len(message.content) + PICTURE_CHARACTERS * len(message.attachments) for message in conversation.messages
    )


def is_strict(schema: object) -> bool:
    """Whether a schema can be held to strictly: servers refuse `strict` where an object is open or a field optional."""
    if isinstance(schema, list):
        return all(is_strict(part) for part in schema)
    if not isinstance(schema, Mapping):
        return True
    properties = schema.get("properties")
    if isinstance(properties, Mapping) or schema.get("type") == "object":
        required = cast("list[str]", schema.get("required", []))
        if schema.get("additionalProperties") is not False or set(required) != set(properties or {}):
            return False
    return all(is_strict(part) for name, part in schema.items() if name not in ("enum", "const", "default", "examples"))


def _data_uri(name: str, pictures: Mapping[str, bytes]) -> str:
    content = pictures.get(name)
    file = name.rpartition("/")[2]
    if content is None:
        raise NotAskable(f"The picture {file} could not be read.")
    kind = next((kind for signature, kind in SIGNATURES if content.startswith(signature)), "")
    if content[:4] == b"RIFF" and content[8:12] == b"WEBP":
        kind = "image/webp"
    if not kind:
        raise NotAskable(f"{file} is not a picture that models read: PNG, JPEG, GIF or WebP.")
    return f"data:{kind};base64,{base64.b64encode(content).decode()}"
