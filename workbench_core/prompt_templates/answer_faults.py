"""The faults of answers against a JSON Schema as sentences, with the formats that are known."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import date, datetime, time
from functools import cache, lru_cache
from typing import TYPE_CHECKING
from urllib.parse import urlsplit
from uuid import UUID

from workbench_core.ports import Json
from workbench_core.schema_checks import pattern_fault, patterns_of, validator_kind

if TYPE_CHECKING:
    from jsonschema import FormatChecker
    from jsonschema.exceptions import ValidationError
    from jsonschema.protocols import Validator

_MOST_SHOWN = 60  # characters of a value in a sentence
_LAST_PLACE = re.compile(r"\[\d+\]$")  # of an entry in a list
_IN_WORDS = {
    "string": "a text",
    "number": "a number",
    "integer": "a whole number",
    "boolean": "true or false",
    "array": "a list",
    "object": "an object",
    "null": "null",
}
_BOUNDS = {
    "minimum": "is less than the minimum of",
    "maximum": "is greater than the maximum of",
    "exclusiveMinimum": "must be greater than",
    "exclusiveMaximum": "must be less than",
    "multipleOf": "is no multiple of",
}
_SIZES = {
    "minLength": "is shorter than {} characters",
    "maxLength": "is longer than {} characters",
    "minItems": "has fewer than {} entries",
    "maxItems": "has more than {} entries",
    "minProperties": "has fewer than {} fields",
    "maxProperties": "has more than {} fields",
}


@cache
def validator_class() -> tuple[type[Validator], FormatChecker]:
    """JSON Schema as answers are checked with it, and the formats that are known."""
    return validator_kind(), _formats()


def sentences_of(validator: Validator, value: Mapping[str, Json], names: Sequence[str]) -> list[str]:
    """The faults of an object as sentences, each once, in the order of its fields."""
    places = {name: place for place, name in enumerate(names)}
    found: dict[str, int] = {}
    for error in validator.iter_errors(value):
        for name, sentence in _sentences(error):
            found.setdefault(sentence, places.get(name, len(places)))
    return sorted(found, key=lambda sentence: found[sentence])


@lru_cache(maxsize=256)
def meta_schema_fault(path: str, schema_text: str) -> str:
    """Why a schema (as JSON text) is none that answers can be checked with, as a sentence; empty when it is one."""
    from jsonschema.exceptions import SchemaError

    kind, _ = validator_class()
    schema = json.loads(schema_text)
    try:
        kind.check_schema(schema)
    except SchemaError as error:
        return f"{_path((path, *error.absolute_path))}: {_shortened(error.message)}."
    for pattern in patterns_of(schema):
        if fault := pattern_fault(pattern):
            return f"{path}: the pattern “{_shortened(pattern)}” cannot be used ({_shortened(fault)})."
    return ""


def _sentences(error: ValidationError) -> Iterator[tuple[str, str]]:
    """The field of a fault, and the fault as a sentence; several for several missing fields."""
    place = tuple(error.absolute_path)
    first = str(place[0]) if place else ""
    if error.validator == "required" and isinstance(error.instance, dict):
        for name in error.validator_value:
            if name not in error.instance:
                yield first or str(name), f"“{_path((*place, name))}” is missing."
        return
    yield first, _sentence(error, _path(place))


def _sentence(error: ValidationError, path: str) -> str:  # noqa: PLR0911 - one rule a line
    rule, wanted, value = str(error.validator), error.validator_value, error.instance
    if rule == "type":
        kinds = wanted if isinstance(wanted, list) else [wanted]
        return f"“{path}” is not {' or '.join(_IN_WORDS.get(str(kind), str(kind)) for kind in kinds)}."
    if rule == "enum":
        return f"“{_LAST_PLACE.sub('', path)}” does not allow “{_shown(value)}”."
    if rule in _BOUNDS:
        return f"“{path}”: {_shown(value)} {_BOUNDS[rule]} {_shown(wanted)}."
    if rule in _SIZES:
        return f"“{path}” {_SIZES[rule].format(_shown(wanted))}."
    if rule == "const":
        return f"“{path}” is “{_shown(value)}” and must be “{_shown(wanted)}”."
    if rule == "pattern":
        return f"“{path}”: “{_shown(value)}” does not match the pattern “{_shown(wanted)}”."
    if rule == "format":
        return f"“{path}”: “{_shown(value)}” is no {_shown(wanted)}."
    if rule == "uniqueItems":
        return f"“{path}” has an entry twice."
    if rule in {"anyOf", "oneOf"}:
        fits = "none" if rule == "anyOf" else "not exactly one"
        return f"“{path}”: “{_shown(value)}” fits {fits} of the alternatives."
    if rule in {"additionalProperties", "unevaluatedProperties"}:
        return f"“{path}” has a field that the schema does not name."
    return f"“{path}”: {_shortened(str(error.message))}."


def _path(place: Sequence[str | int]) -> str:
    """A place in an answer: `address.street`, `parts[0].name`."""
    text = ""
    for step in place:
        text += f"[{step}]" if isinstance(step, int) else f".{step}" if text else step
    return text


def _shown(value: Json) -> str:
    return _shortened(value if isinstance(value, str) else json.dumps(value, ensure_ascii=False))


def _shortened(text: str) -> str:
    text = text.rstrip(".")
    return text if len(text) <= _MOST_SHOWN else f"{text[:_MOST_SHOWN]}…"


def _formats() -> FormatChecker:
    """Formats that can be told without further libraries; any other one is a note that is not checked."""
    from jsonschema import FormatChecker

    checker = FormatChecker(formats=["email", "ipv4", "ipv6"])
    readers: dict[str, Callable[[str], object]] = {
        "date": date.fromisoformat,
        "time": time.fromisoformat,
        "date-time": datetime.fromisoformat,
        "uuid": UUID,
        "uri": _scheme_of,
    }
    for name, read in readers.items():
        checker.checks(name, raises=ValueError)(_reading(read))
    return checker


def _reading(read: Callable[[str], object]) -> Callable[[object], bool]:
    """A check that a text can be read; what is no text has no format."""

    def check(value: object) -> bool:
        if isinstance(value, str):
            read(value)
        return True

    return check


def _scheme_of(address: str) -> str:
    scheme = urlsplit(address).scheme
    if not scheme:
        raise ValueError("an address begins with its scheme")
    return scheme
