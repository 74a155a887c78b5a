"""The response schema of a label set: a JSON Schema that people type, and answers checked with it."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping

from workbench_core.errors import Invalid
from workbench_core.ports import Json
from workbench_core.schema_checks import pattern_fault, patterns_of, validator_kind

MAX_SCHEMA = 100_000  # characters
MAX_DEPTH = 40  # of objects and lists within each other
_HINT = 'Give one schema such as {"type": "object", "properties": {"severity": {"type": "integer"}}}.'
_REFUSED = ("$ref", "$dynamicRef", "$recursiveRef", "$id", "$anchor", "$dynamicAnchor", "$vocabulary")
_NAMES_BELOW = {"properties", "patternProperties", "$defs", "definitions", "dependentSchemas"}
_LONGEST = 200  # characters of a message of the library


def parsed_json(text: str, *, what: str) -> Json:
    """JSON as a person typed it. Raises Invalid with the line; also for a name given twice and for NaN."""
    try:
        found: Json = json.loads(
            text.removeprefix("\ufeff"), object_pairs_hook=_unrepeated, parse_constant=_no_constant, parse_float=_finite
        )
    except json.JSONDecodeError as error:
        raise Invalid(
            f"Line {error.lineno}, column {error.colno}: {what} is no JSON ({error.msg}).", hint="Correct this place."
        ) from None
    except RecursionError:
        raise Invalid(f"{what.capitalize()} is too deeply nested.", hint="Nest fewer objects.") from None
    except ValueError:  # a number with thousands of digits
        raise Invalid(f"{what.capitalize()} has a number that is too large.", hint="Correct the number.") from None
    return found


def schema_from_text(text: str) -> dict[str, Json]:
    """The schema in a text, empty for an empty one. Raises Invalid with the line or the path."""
    if not text.strip():
        return {}
    if len(text) > MAX_SCHEMA:
        raise Invalid(f"The schema is longer than {MAX_SCHEMA:,} characters.", hint="Leave out what is not needed.")
    found = parsed_json(text, what="the schema")
    if not isinstance(found, dict):
        raise Invalid("The schema is no object.", hint=_HINT)
    if fault := schema_fault(found):
        raise Invalid(fault, hint="Correct this part of the schema.")
    return found


def schema_fault(schema: Mapping[str, Json]) -> str:
    """Why a schema cannot check answers, as a sentence; empty when it can, and for an empty schema."""
    from jsonschema.exceptions import SchemaError

    if not schema:
        return ""
    if fault := _shape_fault(dict(schema), "the schema", 0):
        return fault
    try:
        validator_kind().check_schema(dict(schema))
    except SchemaError as error:
        path = ".".join(str(step) for step in error.absolute_path) or "The schema"
        return f"{path}: {_short(error.message)}."
    for pattern in patterns_of(dict(schema)):
        if fault := pattern_fault(pattern):
            return f"The pattern “{_short(pattern)}” cannot be used ({_short(fault)})."
    return ""


def schema_fault_of(answer: str, schema: Mapping[str, Json]) -> str:
    """Why an answer does not fit a schema, as a sentence; empty when it does. A schema of a text takes any text as is.

    The first fault in the order of the answer is told.
    """
    if not answer.strip():
        return "The answer is empty."
    instance: Json = answer
    if schema.get("type") != "string":
        try:
            instance = parsed_json(answer, what="the answer")
        except Invalid as error:
            return error.message
    faults = sorted(validator_kind()(dict(schema)).iter_errors(instance), key=lambda fault: str(fault.absolute_path))
    if not faults:
        return ""
    place = ".".join(str(step) for step in faults[0].absolute_path)
    return f"{f'“{place}”: ' if place else ''}{_short(faults[0].message)}."


def _shape_fault(part: Json, path: str, depth: int) -> str:
    """References, and nesting without an end: a check must never leave the schema nor run in circles."""
    if depth > MAX_DEPTH:
        return "The schema is too deeply nested."
    if isinstance(part, list):
        return next(filter(None, (_shape_fault(one, path, depth + 1) for one in part)), "")
    if not isinstance(part, dict):
        return ""
    is_schema = path.rsplit(".", 1)[-1] not in _NAMES_BELOW
    for name in _REFUSED if is_schema else ():
        if name in part:
            return f"{path}: “{name}” is not supported; write the part out."
    return next(filter(None, (_shape_fault(value, f"{path}.{name}", depth + 1) for name, value in part.items())), "")


def _unrepeated(pairs: list[tuple[str, Json]]) -> dict[str, Json]:
    found: dict[str, Json] = {}
    for name, value in pairs:
        if name in found:
            raise Invalid(f"“{name[:60]}” is there twice in one object.", hint="Remove or rename one of them.")
        found[name] = value
    return found


def _no_constant(constant: str) -> Json:
    raise Invalid(f"“{constant}” is no number of JSON.", hint="Give a number.")


def _finite(digits: str) -> float:
    number = float(digits)
    if not math.isfinite(number):
        raise Invalid(f"“{digits[:20]}” is too large a number.", hint="Correct the number.")
    return number


def _short(text: str) -> str:
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]} …"
