"""Answers of a model or a person: the fields a template asks for, and whether a text answers them (TP-13)."""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import TypeAlias

from workbench_core.errors import Invalid

JsonValue: TypeAlias = "dict[str, JsonValue] | list[JsonValue] | str | int | float | bool | None"

_FENCE = re.compile(r"```[\w-]*[ \t]*\r?\n?(.*?)```", re.DOTALL)
_SPACES = re.compile(r"\s+")
_ABSOLUTE_TOLERANCE = 1e-6
_RELATIVE_TOLERANCE = 0.01


class AnswerKind(StrEnum):
    """What kind of answer a template asks for, which decides how it is scored."""

    LABEL = "label"
    STRUCTURED = "structured"
    TEXT = "text"


class FieldType(StrEnum):
    """The type of a field of a structured answer."""

    STRING = "string"
    NUMBER = "number"
    BOOLEAN = "boolean"
    ARRAY = "array"
    OBJECT = "object"


_IN_WORDS = {
    FieldType.STRING: "a text",
    FieldType.NUMBER: "a number",
    FieldType.BOOLEAN: "true or false",
    FieldType.ARRAY: "a list",
    FieldType.OBJECT: "an object",
}


@dataclass(frozen=True, slots=True)
class AnswerField:
    """One field of an answer schema."""

    name: str
    type: FieldType = FieldType.STRING
    description: str = ""
    required: bool = False
    options: tuple[str, ...] = ()


AnswerSchema: TypeAlias = Sequence[AnswerField]


@dataclass(frozen=True, slots=True)
class AnswerCheck:
    """Whether a text is a valid answer, why not, and the JSON value it holds."""

    valid: bool
    reasons: tuple[str, ...]
    value: JsonValue


def answer_schema(fields: Sequence[Mapping[str, object]]) -> tuple[AnswerField, ...]:
    """Read a stored schema: a list of {name, type, description, required, options}.

    Raises Invalid for a field without a name, with an unknown type, or with options that are no list.
    """
    return tuple(_field(stored) for stored in fields)


def validate_answer(schema: AnswerSchema, text: str) -> AnswerCheck:
    """Check that a text is a JSON object with the required fields, their types and allowed options (TP-13).

    A code fence around the JSON is tolerated, and so are fields that the schema does not name.
    """
    try:
        value = parse_answer(text)
    except ValueError:
        return AnswerCheck(False, ("The answer is not valid JSON.",), None)
    if not isinstance(value, dict):
        return AnswerCheck(False, ("The answer is not a JSON object.",), value)
    reasons = tuple(reason for field in schema for reason in _field_faults(field, value.get(field.name)))
    return AnswerCheck(not reasons, reasons, value)


def parse_answer(text: str) -> JsonValue:
    """Parse the JSON of an answer, with or without a code fence. Raises ValueError when there is none."""
    try:
        return _parse(text)
    except ValueError:
        fenced = _FENCE.search(text)
        if fenced is None:
            raise
        return _parse(fenced.group(1))


def normalise(text: str) -> str:
    """Lower the case, trim and collapse spaces, as every comparison of texts does."""
    return _SPACES.sub(" ", text.strip()).lower()


def same_value(expected: JsonValue, actual: JsonValue) -> bool:
    """Compare JSON values: numbers within 1e-6 or 1 % of the expected, texts normalised, the rest exactly."""
    if isinstance(expected, bool) or isinstance(actual, bool):
        return expected is actual
    if isinstance(expected, int | float) and isinstance(actual, int | float):
        return abs(expected - actual) <= max(_ABSOLUTE_TOLERANCE, _RELATIVE_TOLERANCE * abs(expected))
    if isinstance(expected, str) and isinstance(actual, str):
        return expected == actual or normalise(expected) == normalise(actual)
    if isinstance(expected, list) and isinstance(actual, list):
        return len(expected) == len(actual) and all(map(same_value, expected, actual))
    if isinstance(expected, dict) and isinstance(actual, dict):
        return expected.keys() == actual.keys() and all(same_value(expected[k], actual[k]) for k in expected)
    return expected is None and actual is None


def _field(stored: Mapping[str, object]) -> AnswerField:
    name = str(stored.get("name") or "").strip()
    if not name:
        raise Invalid("A field of the answer schema has no name.", "Name every field.")
    kind = str(stored.get("type") or FieldType.STRING)
    if kind not in list(FieldType):
        raise Invalid(f"“{name}” has the unknown type “{kind}”.", f"Choose one of {', '.join(FieldType)}.")
    options = stored.get("options") or ()
    if not isinstance(options, list | tuple):
        raise Invalid(f"The options of “{name}” are not a list.", "Give the options as a list of texts.")
    return AnswerField(
        name=name,
        type=FieldType(kind),
        description=str(stored.get("description") or ""),
        required=bool(stored.get("required", False)),
        options=tuple(str(option) for option in options),
    )


def _field_faults(field: AnswerField, value: JsonValue) -> list[str]:
    if value is None:
        return [f"“{field.name}” is missing."] if field.required else []
    if not _has_type(value, field.type):
        return [f"“{field.name}” is not {_IN_WORDS[field.type]}."]
    chosen = value if isinstance(value, list) else [value]
    wrong = [str(choice) for choice in chosen if field.options and str(choice) not in field.options]
    return [f"“{field.name}” does not allow “{choice}”." for choice in wrong]


def _has_type(value: JsonValue, wanted: FieldType) -> bool:
    match wanted:
        case FieldType.STRING:
            return isinstance(value, str)
        case FieldType.NUMBER:
            return isinstance(value, int | float) and not isinstance(value, bool)
        case FieldType.BOOLEAN:
            return isinstance(value, bool)
        case FieldType.ARRAY:
            return isinstance(value, list)
        case FieldType.OBJECT:
            return isinstance(value, dict)


def _parse(text: str) -> JsonValue:
    value: JsonValue = json.loads(text, parse_constant=_refuse)
    return value


def _refuse(constant: str) -> JsonValue:
    raise ValueError(f"{constant} is not JSON.")
