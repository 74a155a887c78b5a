"""How an answer is read: free text, JSON after a schema, or one of given choices; broken JSON is mended."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, NoReturn

from workbench_core.adapters.chat_completions.client import Reply
from workbench_core.adapters.chat_completions.endpoint import one_line
from workbench_core.errors import Invalid
from workbench_core.ports import ChatAnswer, ChatOptions, Json
from workbench_core.schema_checks import pattern_fault, patterns_of, validator_kind

if TYPE_CHECKING:
    from jsonschema.protocols import Validator

FENCED = re.compile(r"```(?:json)?\s*(.*?)\s*```", re.DOTALL)
THOUGHTS = re.compile(r"\s*(?:<(think|thinking|reasoning)>)?.*?</(?:think|thinking|reasoning)>\s*", re.DOTALL)
MOST_TOKENS = 100_000_000  # of one question or answer; no model reads so many
LONGEST_REPAIR = 200_000  # characters; mending takes longer than reading


class Unreadable(Exception):
    """The answer is not what was asked for; the text is the sentence for the person."""


class AnswerReader:
    """Reads the answers of one batch."""

    def __init__(self, options: ChatOptions) -> None:
        """Raises Invalid when the schema is no JSON Schema."""
        self._options = options
        self._validator = _validator(options.schema or {})

    def read(self, reply: Reply) -> ChatAnswer:
        """The answer without id and latency: its text, or an error when it is not what was asked for."""
        body = reply.content
        usage = body.get("usage") if isinstance(body, dict) else None
        error, is_repaired = None, False
        try:
            text, is_repaired = self._wanted(body, reply)
        except Unreadable as problem:
            text, error = None, one_line(str(problem), reply.secrets)
        return ChatAnswer(
            id="",
            text=text,
            error=error,
            tokens_in=_count(usage, "prompt_tokens"),
            tokens_out=_count(usage, "completion_tokens"),
            is_repaired=is_repaired,
        )

    def _wanted(self, body: object, reply: Reply) -> tuple[str | None, bool]:
        choices = body.get("choices") if isinstance(body, dict) else None
        if not isinstance(choices, list) or not choices or not isinstance(choices[0], dict):  # a web page, for example
            raise Unreadable(f"The model answered with nonsense: {reply.text()}")
        is_cut = choices[0].get("finish_reason") == "length"
        text = self._content(choices[0].get("message"), is_cut=is_cut)
        if not (self._options.choices or self._options.schema):
            return text, False
        if is_cut:
            self._cut_off()
        text = _unfenced(_without_thoughts(text))
        return self._choice(text) if self._options.choices else self._structured(text)

    def _content(self, message: object, *, is_cut: bool) -> str:
        """The text of a message; some servers send parts (reasoning, text) instead of one string."""
        content = message.get("content") if isinstance(message, dict) else None
        if isinstance(content, list):
            parts = [part.get("text") for part in content if isinstance(part, dict) and part.get("type") == "text"]
            content = "".join(part for part in parts if isinstance(part, str))
        if isinstance(content, str) and content.strip():
            return content
        refusal = message.get("refusal") if isinstance(message, dict) else None
        if isinstance(refusal, str) and refusal:
            raise Unreadable(f"The model refuses to answer: {refusal}")
        if is_cut:
            self._cut_off()
        raise Unreadable("The model gave an empty answer.")

    def _cut_off(self) -> NoReturn:
        raise Unreadable(f"The answer was cut off at {self._options.max_tokens} tokens, before it was complete.")

    def _structured(self, text: str) -> tuple[str, bool]:
        """JSON text that follows the schema, and whether it had to be mended."""
        value, is_repaired = _parsed(text)
        if value is None and text != "null":
            raise Unreadable(f"The model answered with nonsense instead of JSON: {text}")
        if problem := self._fault(value):
            raise Unreadable(f"The answer does not follow the schema: {problem}")
        return (json.dumps(value, ensure_ascii=False) if is_repaired else text), is_repaired

    def _fault(self, value: object) -> str:
        from jsonschema.exceptions import best_match
        from referencing.exceptions import Unresolvable

        try:
            if self._validator.is_valid(value):
                return ""
            broken = best_match(self._validator.iter_errors(value))
        except (ArithmeticError, RecursionError, ValueError, Unresolvable):
            return "it cannot be checked: a number is too large, it is too deeply nested, or the schema leads nowhere"
        return str(broken.message) if broken else ""

    def _choice(self, text: str) -> tuple[str, bool]:
        choices = self._options.choices
        if text in choices:  # bare: a grammar, or a server that does not know response_format
            return text, False
        value, is_repaired = _parsed(text)
        answer = value.get("answer") if isinstance(value, Mapping) else value if isinstance(value, str) else text
        if not isinstance(answer, str) or answer not in choices:
            shown = answer if isinstance(answer, str) else text
            raise Unreadable(f"The model answered “{shown}”, which is none of: {', '.join(choices)}.")
        return answer, is_repaired


def _validator(schema: Mapping[str, Json]) -> Validator:
    """What checks answers against a schema; references never lead out of it. Raises Invalid when it is none."""
    from jsonschema import SchemaError
    from referencing import Registry

    kind = validator_kind()
    try:
        kind.check_schema(schema)
    except SchemaError as error:
        raise Invalid(f"The schema for the answer is not a JSON Schema: {error.message}.") from None
    except RecursionError:
        raise Invalid("The schema for the answer is too deeply nested.", hint="Nest fewer objects.") from None
    for pattern in patterns_of(dict(schema)):
        if fault := pattern_fault(pattern):
            problem = f"The schema for the answer has a pattern that cannot be used: {fault}."
            raise Invalid(problem, hint="Correct the pattern in the template.")
    return kind(schema, registry=Registry())


def _parsed(text: str) -> tuple[object, bool]:
    """The value of JSON text, and whether it had to be mended; None for what cannot be."""
    try:
        return json.loads(text, parse_constant=_not_json), False
    except (ValueError, RecursionError):
        return _repaired(text), True


def _repaired(text: str) -> object:
    """An object or a list from broken JSON; None when there is none in the text, or nothing in it."""
    if len(text) > LONGEST_REPAIR or not ("{" in text or "[" in text):
        return None
    import json_repair

    try:
        value: object = json_repair.loads(text)
        json.dumps(value, allow_nan=False)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict | list) and value else None


def _not_json(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


def _without_thoughts(text: str) -> str:
    """The answer after what a reasoning model thought aloud; the opening mark may be part of the prompt."""
    found = None if text.lstrip()[:1] in ("{", "[") else THOUGHTS.match(text)
    return text[found.end() :] if found else text


def _unfenced(text: str) -> str:
    found = FENCED.fullmatch(text.strip())
    return found[1] if found else text.strip()


def _count(usage: object, name: str) -> int:
    """A number of tokens; what cannot be one is none, so that it neither costs anything nor bursts a column."""
    value = usage.get(name) if isinstance(usage, dict) else None
    if not isinstance(value, int) or isinstance(value, bool):
        return 0
    return value if 0 < value <= MOST_TOKENS else 0
