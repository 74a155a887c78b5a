"""JSON Schema as answers of models are checked with it: in linear time, and without ever fetching anything."""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import cache
from typing import TYPE_CHECKING

from workbench_core.ports import Json

if TYPE_CHECKING:
    from jsonschema.exceptions import ValidationError
    from jsonschema.protocols import Validator


@cache
def validator_kind() -> type[Validator]:
    """Draft 2020-12; the library is loaded when the first answer is checked.

    Python's own regular expressions can take minutes for one short text, and so can its comparison of each entry with
    each other: both are done in linear time here.
    """
    from jsonschema import Draft202012Validator, validators

    kind: type[Validator] = validators.extend(Draft202012Validator, {"pattern": _pattern, "uniqueItems": _unique})
    return kind


def pattern_fault(pattern: str) -> str:
    """Why a pattern cannot be used, in the words of RE2; empty when it can."""
    import pyarrow as pa

    try:
        _matches(pattern, "")
    except (pa.ArrowInvalid, ValueError) as error:
        return str(error).removeprefix("Invalid regular expression: ")
    return ""


def patterns_of(schema: Json) -> Iterator[str]:
    """All patterns anywhere in a schema."""
    if isinstance(schema, dict):
        if isinstance(pattern := schema.get("pattern"), str):
            yield pattern
        for part in schema.values():
            yield from patterns_of(part)
    elif isinstance(schema, list):
        for part in schema:
            yield from patterns_of(part)


def _pattern(validator: Validator, pattern: str, instance: Json, _schema: Json) -> Iterator[ValidationError]:
    from jsonschema.exceptions import ValidationError

    if validator.is_type(instance, "string") and not _matches(pattern, str(instance)):
        yield ValidationError(f"a text does not match the pattern “{pattern}”")


def _unique(validator: Validator, wanted: bool, instance: Json, _schema: Json) -> Iterator[ValidationError]:
    from jsonschema.exceptions import ValidationError

    if wanted and isinstance(instance, list) and validator.is_type(instance, "array"):
        different = {json.dumps(_plain_number(entry), sort_keys=True) for entry in instance}
        if len(different) < len(instance):
            yield ValidationError("a list has an entry twice")


def _plain_number(value: Json) -> Json:
    """JSON does not tell 1 from 1.0."""
    match value:
        case float() if value.is_integer():
            return int(value)
        case list():
            return [_plain_number(entry) for entry in value]
        case dict():
            return {name: _plain_number(entry) for name, entry in value.items()}
    return value


def _matches(pattern: str, text: str) -> bool:
    """Whether a pattern is found in a text, by RE2: in linear time, whatever the pattern."""
    import pyarrow as pa
    import pyarrow.compute as pc

    return bool(pc.match_substring_regex(pa.scalar(text), pattern=pattern).as_py())
