"""Questions to chat models, and endpoints to put them to, for the tests of the adapter."""

from __future__ import annotations

import socket

from tests.contract.openai_stub import Behaviour, openai_stub
from workbench_core.adapters.chat_completions import ChatCompletionsModel, ChatEndpoint
from workbench_core.ports import ChatAnswer, ChatModel, ChatOptions, Conversation, Message

KEY = "sk-secret-0815"
SCHEMA = {
    "type": "object",
    "properties": {
        "product": {"type": "string", "maxLength": 12},
        "urgency": {"type": "integer", "minimum": 1, "maximum": 5},
    },
    "required": ["product", "urgency"],
    "additionalProperties": False,
}


def asks(*questions: str) -> list[Conversation]:
    return [Conversation(str(number), (Message("user", question),)) for number, question in enumerate(questions)]


def answered(model: ChatModel, *questions: str, options: ChatOptions | None = None) -> dict[str, ChatAnswer]:
    found = list(model.answer(asks(*questions), options=options or ChatOptions(max_tokens=12)))
    assert len({answer.id for answer in found}) == len(found)
    return {answer.id: answer for answer in found}


def endpoint(url: str, **changes: object) -> ChatCompletionsModel:
    wanted = {"model": "stub", "key": KEY, "timeout_seconds": 10.0, "retry_seconds": 0.01, "hint": "Look there."}
    return ChatCompletionsModel(ChatEndpoint(url, **{**wanted, **changes}))  # type: ignore[arg-type]


def one_error(behaviour: Behaviour, options: ChatOptions | None = None, **changes: object) -> str:
    """The error of a single conversation against a stub that behaves so."""
    with openai_stub(behaviour) as stub:
        answer = answered(endpoint(stub.url, **changes), "Hello?", options=options)["0"]
    assert answer.text is None
    assert answer.error
    return answer.error


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])
