"""How an answer is asked for and read: free text, JSON after a schema, or one of given choices."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, cast

from workbench_core.adapters.chat_completions.endpoint import ChatEndpoint, one_line
from workbench_core.errors import Invalid
from workbench_core.ports import ChatAnswer, ChatOptions, Json

if TYPE_CHECKING:
    from collections.abc import Mapping

    from openai.types.chat import ChatCompletion
    from openai.types.chat.completion_create_params import ResponseFormat

CHOICE_EXTRA_TOKENS = 64  # the JSON around a choice; small models like to put blanks into it
FENCED = re.compile(r"```(?:json)?\s*(.*?)\s*```", re.DOTALL)


class Unreadable(Exception):
    """The answer is not what was asked for; the text is the sentence for the person."""


def check_options(options: ChatOptions) -> None:
    """Raises Invalid when the schema is no JSON Schema."""
    from jsonschema import Draft202012Validator, SchemaError

    try:
        Draft202012Validator.check_schema(options.schema or {})
    except SchemaError as error:
        raise Invalid(f"The schema for the answer is not a JSON Schema: {error.message}.") from None


def response_format(options: ChatOptions) -> ResponseFormat | None:
    """The JSON Schema that the server holds the answer to; None for free text."""
    schema = _choice_schema(options.choices) if options.choices else options.schema
    if schema is None:
        return None
    is_strict = schema.get("additionalProperties") is False  # servers refuse `strict` for schemas open at the end
    wanted = {"name": "answer", "schema": dict(schema), "strict": is_strict}
    return cast("ResponseFormat", {"type": "json_schema", "json_schema": wanted})


def choice_grammar(choices: tuple[str, ...]) -> str:
    """A grammar that allows the bare choices only, in llama.cpp's notation (GBNF)."""
    return "root ::= " + " | ".join(json.dumps(choice, ensure_ascii=False) for choice in choices)


def token_limit(options: ChatOptions) -> int:
    """How many tokens the answer may have, with room for the JSON around a choice."""
    return options.max_tokens + (CHOICE_EXTRA_TOKENS if options.choices else 0)


def read_answer(completion: ChatCompletion, options: ChatOptions, endpoint: ChatEndpoint) -> ChatAnswer:
    """The answer without id and latency: its text, or an error when it is not what was asked for."""
    usage = getattr(completion, "usage", None)
    tokens_in = getattr(usage, "prompt_tokens", 0) or 0
    tokens_out = getattr(usage, "completion_tokens", 0) or 0
    try:
        text, error = _wanted_text(completion, options), None
    except Unreadable as problem:
        text, error = None, one_line(str(problem), endpoint)
    return ChatAnswer(id="", text=text, error=error, tokens_in=tokens_in, tokens_out=tokens_out)


def _wanted_text(completion: ChatCompletion, options: ChatOptions) -> str:
    choices = getattr(completion, "choices", None)
    if not isinstance(choices, list) or not choices:  # also when the server sent a web page
        raise Unreadable(f"The model answered with nonsense: {completion}")
    text = _content(getattr(choices[0], "message", None))
    if not (options.choices or options.schema):
        return text
    if choices[0].finish_reason == "length":
        raise Unreadable(f"The answer was cut off at {options.max_tokens} tokens, before it was complete.")
    return _choice(text, options.choices) if options.choices else _structured(text, options.schema or {})


def _content(message: object) -> str:
    """The text of a message; some servers send parts (reasoning, text) instead of one string."""
    content: object = getattr(message, "content", None)
    if isinstance(content, list):
        parts = [part.get("text") for part in content if isinstance(part, dict) and part.get("type") == "text"]
        content = "".join(part for part in parts if isinstance(part, str))
    if not isinstance(content, str) or not content.strip():
        raise Unreadable("The model gave an empty answer.")
    return content


def _structured(text: str, schema: Mapping[str, Json]) -> str:
    """JSON text that follows the schema, without the fence that some models put around it."""
    from jsonschema import Draft202012Validator
    from jsonschema.exceptions import best_match

    text = _unfenced(text)
    try:
        value = json.loads(text)
    except ValueError:
        raise Unreadable(f"The model answered with nonsense instead of JSON: {text}") from None
    if broken := best_match(Draft202012Validator(schema).iter_errors(value)):
        raise Unreadable(f"The answer does not follow the schema: {broken.message}")
    return text


def _choice(text: str, choices: tuple[str, ...]) -> str:
    answer: object = _unfenced(text)
    try:
        value = json.loads(str(answer))
    except ValueError:
        pass  # a server that does not know response_format answers with the bare choice
    else:
        answer = value.get("answer") if isinstance(value, dict) else answer
    if answer not in choices:
        raise Unreadable(f"The model answered “{answer}”, which is none of: {', '.join(choices)}.")
    return str(answer)


def _choice_schema(choices: tuple[str, ...]) -> dict[str, Json]:
    return {
        "type": "object",
        "properties": {"answer": {"enum": list(choices)}},
        "required": ["answer"],
        "additionalProperties": False,
    }


def _unfenced(text: str) -> str:
    found = FENCED.fullmatch(text.strip())
    return found[1] if found else text.strip()
