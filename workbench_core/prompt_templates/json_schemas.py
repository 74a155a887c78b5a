"""JSON Schema both ways: the fields of an answer as a schema, and a schema that a person brings as fields."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence

from workbench_core.errors import Invalid
from workbench_core.metrics import FieldType
from workbench_core.ports import Json
from workbench_core.prompt_templates.answer_faults import meta_schema_fault
from workbench_core.prompt_templates.fields import OutputField

MAX_SCHEMA = 100_000  # characters
MAX_FIELDS = 100
MAX_DEPTH = 12  # of schemas within schemas
MAX_PARTS = 2_000  # schemas in all, after references are replaced by what they point to
_HINT = 'Give one schema such as {"type": "object", "properties": {"product": {"type": "string"}}}.'
_TOP = {"type", "properties", "required", "additionalProperties"}
_TOP_NOTES = {"$schema", "$id", "$comment", "$defs", "definitions", "title", "description", "default", "examples"}
_REFUSED = {"$dynamicRef", "$dynamicAnchor", "$recursiveRef", "$recursiveAnchor", "$anchor", "$vocabulary", "$id"}
_REFUSED |= {"patternProperties"}
_SCHEMA_MAPS = {"properties", "dependentSchemas"}
_SCHEMA_LISTS = {"anyOf", "oneOf", "allOf", "prefixItems"}
_SCHEMAS = {"items", "contains", "additionalProperties", "propertyNames", "not", "if", "then", "else"}
_SCHEMAS |= {"unevaluatedItems", "unevaluatedProperties"}
_FIELD_TYPES = {kind.value: kind for kind in FieldType} | {"integer": FieldType.NUMBER}


def json_schema(schema: Sequence[OutputField]) -> dict[str, Json]:
    """The JSON Schema of a structured answer: the fields in their order and no others."""
    required: list[Json] = [entry.name for entry in schema if entry.required]
    return {
        "type": "object",
        "properties": {entry.name: field_schema(entry) for entry in schema},
        "required": required,
        "additionalProperties": False,
    }


def field_schema(entry: OutputField) -> dict[str, Json]:
    """The JSON Schema of one field; its rules come last and win."""
    options: dict[str, Json] = {"enum": list(entry.options)} if entry.options else {}
    described: dict[str, Json] = {"description": entry.description} if entry.description else {}
    if entry.type is FieldType.ARRAY:
        return {"type": "array", "items": options or {"type": "string"}, **described, **entry.rules}
    return {"type": entry.type.value, **options, **described, **entry.rules}


def fields_from_json_schema(text: str) -> tuple[OutputField, ...]:
    """The fields of a JSON Schema of an object; what has no place of its own is kept in `rules`.

    References within the schema are replaced by what they point to. Raises Invalid naming the line of a syntax error,
    or the path of what cannot be used.
    """
    schema = _object(_parsed(text), "The schema")
    _check_top(schema)
    properties = _object(schema["properties"], "“properties”")
    if len(properties) > MAX_FIELDS:
        raise Invalid(f"The schema has more than {MAX_FIELDS} fields.", hint="Nest fields that belong together.")
    required = _required(schema, properties)
    inlining = _Inlining(schema)
    found = tuple(
        _field(name, inlining.resolved(part, f"properties.{name}"), is_required=name in required)
        for name, part in properties.items()
    )
    for entry in found:
        if fault := schema_fault(entry):
            raise Invalid(fault, hint="Correct this part of the schema.")
    return found


def schema_fault(entry: OutputField) -> str:
    """Why the rules of a field are no JSON Schema, as a sentence; empty when they are."""
    if not entry.rules:
        return ""
    path, schema = f"properties.{entry.name}", field_schema(entry)
    try:
        _Inlining({}).resolved(schema, path)
        return meta_schema_fault(path, json.dumps(schema, allow_nan=False))
    except Invalid as error:
        return error.message
    except (TypeError, ValueError, RecursionError):
        return f"{path}: this is no JSON."


def _parsed(text: str) -> Json:
    if len(text) > MAX_SCHEMA:
        raise Invalid(f"The schema is longer than {MAX_SCHEMA:,} characters.", hint="Leave out what is not needed.")
    try:
        parsed: Json = json.loads(
            text.removeprefix("\ufeff"),
            object_pairs_hook=_unrepeated,
            parse_constant=_no_constant,
            parse_float=_finite,
        )
    except json.JSONDecodeError as error:
        raise Invalid(
            f"Line {error.lineno}, column {error.colno}: this is no JSON ({error.msg}).", hint=_HINT
        ) from None
    except RecursionError:
        raise Invalid("The schema is too deeply nested.", hint="Nest fewer objects.") from None
    except ValueError:  # a number with thousands of digits
        raise Invalid("The schema has a number that is too large.", hint="Correct the number.") from None
    return parsed


def _unrepeated(pairs: list[tuple[str, Json]]) -> dict[str, Json]:
    found: dict[str, Json] = {}
    for name, value in pairs:
        if name in found:
            raise Invalid(f"“{name}” is there twice in one object of the schema.", hint="Remove or rename one of them.")
        found[name] = value
    return found


def _no_constant(constant: str) -> Json:
    raise Invalid(f"“{constant}” is not JSON.", hint="Give a number.")


def _finite(digits: str) -> float:
    number = float(digits)
    if not math.isfinite(number):
        raise Invalid(f"“{digits[:20]}” is too large a number.", hint="Correct the number.")
    return number


def _object(value: Json, what: str) -> dict[str, Json]:
    if not isinstance(value, dict):
        raise Invalid(f"{what} is no object.", hint=_HINT)
    return value


def _check_top(schema: Mapping[str, Json]) -> None:
    """Refuse what is no plain schema of an object."""
    if schema.get("type") != "object":
        raise Invalid("The schema is not one of an object: its “type” is not “object”.", hint=_HINT)
    if not schema.get("properties"):
        raise Invalid("The schema has no “properties”.", hint=_HINT)
    if unknown := sorted(set(schema) - _TOP - _TOP_NOTES):
        raise Invalid(f"“{unknown[0]}” cannot be used at the top of the schema.", hint="Use it within a field.")
    if not isinstance(schema.get("additionalProperties", False), bool):
        raise Invalid("“additionalProperties” must be true or false at the top of the schema.", hint="Name all fields.")


def _required(schema: Mapping[str, Json], properties: Mapping[str, Json]) -> set[str]:
    required = schema.get("required", [])
    if not isinstance(required, list) or not all(isinstance(name, str) for name in required):
        raise Invalid("“required” is no list of names.", hint='For example "required": ["product"].')
    names = {str(name) for name in required}
    if missing := sorted(names - set(properties)):
        raise Invalid(f"“{missing[0]}” is required but has no entry in “properties”.", hint="Add or remove it.")
    return names


class _Inlining:
    """Replaces references within one schema, counting what comes out of it."""

    def __init__(self, root: dict[str, Json]) -> None:
        self._root = root
        self._parts = 0

    def resolved(self, part: Json, path: str, *, depth: int = 0, within: tuple[str, ...] = ()) -> Json:
        """A schema without references. Raises Invalid with the path."""
        self._parts += 1
        if depth > MAX_DEPTH or self._parts > MAX_PARTS:
            raise Invalid(f"{path}: the schema is too large or too deeply nested.", hint="Nest fewer objects.")
        if isinstance(part, bool):
            return part
        schema = dict(_object(part, f"“{path}”"))
        if refused := sorted(_REFUSED & set(schema)):
            raise Invalid(f"{path}: “{refused[0]}” is not supported.", hint="Write the part out.")
        if "$ref" in schema:
            reference = schema.pop("$ref")
            target = self._target(reference, path, within)
            merged: dict[str, Json] = {**target, **schema}
            return self.resolved(merged, path, depth=depth + 1, within=(*within, str(reference)))
        for name in ("$defs", "definitions", "$comment", "$schema"):
            schema.pop(name, None)
        return {name: self._inside(name, value, path, depth, within) for name, value in schema.items()}

    def _inside(self, name: str, value: Json, path: str, depth: int, within: tuple[str, ...]) -> Json:
        """The value of one keyword, with the schemas in it resolved."""
        below = f"{path}.{name}"
        if name in _SCHEMA_MAPS and isinstance(value, dict):
            return {
                key: self.resolved(part, f"{below}.{key}", depth=depth + 1, within=within)
                for key, part in value.items()
            }
        if name in _SCHEMA_LISTS and isinstance(value, list):
            return [
                self.resolved(part, f"{below}[{number}]", depth=depth + 1, within=within)
                for number, part in enumerate(value)
            ]
        if name in _SCHEMAS:
            return self.resolved(value, below, depth=depth + 1, within=within)
        return value

    def _target(self, reference: Json, path: str, within: tuple[str, ...]) -> dict[str, Json]:
        """What a reference such as `#/$defs/Address` points to."""
        if not isinstance(reference, str) or not reference.startswith("#/"):
            raise Invalid(f"{path}: the reference “{reference}” leads out of the schema.", hint="Write the part out.")
        if reference in within:
            raise Invalid(f"{path}: the reference “{reference}” leads back to itself.", hint="Write the part out.")
        found: Json = self._root
        for step in reference[2:].split("/"):
            key = step.replace("~1", "/").replace("~0", "~")
            if not isinstance(found, dict) or key not in found:
                raise Invalid(f"{path}: the reference “{reference}” leads nowhere.", hint="Correct the reference.")
            found = found[key]
        return _object(found, f"“{reference}”")


def _field(name: str, schema: Json, *, is_required: bool) -> OutputField:
    """One field out of the schema of a property."""
    path = f"properties.{name}"
    rules = _without_null_branch(dict(_object(schema, f"“{path}”")))
    kind = _type_of(rules, path)
    description = rules.pop("description", "")
    if not isinstance(description, str):
        raise Invalid(f"{path}: the description is no text.", hint="Give a text.")
    written = rules.pop("type", kind.value)
    if written != kind.value:
        rules = {"type": written, **rules}  # integer, or a type that may be null
    return OutputField(name, kind, description, is_required, _taken_options(kind, rules), rules)


def _type_of(schema: Mapping[str, Json], path: str) -> FieldType:
    """The field type of a schema, also of one that may be null. Raises Invalid."""
    written = schema.get("type")
    kinds = [kind for kind in (written if isinstance(written, list) else [written]) if kind != "null"]
    if written is None and (values := _values(schema)):
        kinds = [_json_type(value) for value in values if value is not None]
    found = {_FIELD_TYPES[kind] for kind in kinds if isinstance(kind, str) and kind in _FIELD_TYPES}
    if len(found) != 1 or any(kind not in _FIELD_TYPES for kind in kinds if isinstance(kind, str)):
        raise Invalid(f"{path}: say its one type.", hint=f"Types: {', '.join(FieldType)}, integer.")
    return found.pop()


def _values(schema: Mapping[str, Json]) -> list[Json]:
    if "const" in schema:
        return [schema["const"]]
    listed = schema.get("enum")
    return listed if isinstance(listed, list) else []


def _json_type(value: Json) -> str:
    match value:
        case bool():
            return "boolean"
        case str():
            return "string"
        case int() | float():
            return "number" if math.isfinite(value) else "?"
        case list():
            return "array"
    return "object"


def _without_null_branch(schema: dict[str, Json]) -> dict[str, Json]:
    """“A text or nothing”, written as two alternatives, as one schema whose type may be null."""
    branches = schema.get("anyOf")
    if not isinstance(branches, list) or len(branches) != 2 or {"type": "null"} not in branches:
        return schema
    other = next((branch for branch in branches if branch != {"type": "null"}), None)
    if not isinstance(other, dict) or not isinstance(other.get("type"), str) or other["type"] == "null":
        return schema
    rest = {name: value for name, value in schema.items() if name != "anyOf"}
    if set(rest) & set(other) or "const" in other:
        return schema
    joined: dict[str, Json] = {**other, **rest, "type": [other["type"], "null"]}
    if isinstance(listed := other.get("enum"), list):
        joined["enum"] = [*listed, None]
    return joined


def _taken_options(kind: FieldType, rules: dict[str, Json]) -> tuple[str, ...]:
    """The options that a field keeps as such; what has been taken is no rule any more."""
    if kind is FieldType.STRING:
        return _texts_taken(rules, "enum")
    if kind is not FieldType.ARRAY:
        return ()
    items = rules.get("items")
    if items == {"type": "string"}:
        del rules["items"]
    elif "items" not in rules:
        rules["items"] = True  # a list of anything: without this rule it would be one of texts
    elif isinstance(items, dict) and (items == {"enum": items.get("enum")} or set(items) == {"enum", "type"}):
        options = _texts_taken(dict(items), "enum") if items.get("type", "string") == "string" else ()
        if options:
            del rules["items"]
        return options
    return ()


def _texts_taken(schema: dict[str, Json], name: str) -> tuple[str, ...]:
    listed = schema.get(name)
    if not isinstance(listed, list) or not listed or not all(isinstance(option, str) for option in listed):
        return ()
    del schema[name]
    return tuple(str(option) for option in listed)
