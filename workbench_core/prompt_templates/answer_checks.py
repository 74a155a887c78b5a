"""Whether a structured answer follows the schema of its template, with reasons that a person understands (TP-13)."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING

from workbench_core.metrics import FieldType, parse_answer
from workbench_core.ports import Json
from workbench_core.prompt_templates.answer_faults import sentences_of
from workbench_core.prompt_templates.fields import OutputField
from workbench_core.prompt_templates.json_schemas import json_schema

if TYPE_CHECKING:
    from jsonschema.protocols import Validator

MAX_REASONS = 20
_CLASSES: dict[FieldType, tuple[type, ...]] = {
    FieldType.STRING: (str,),
    FieldType.NUMBER: (int, float),
    FieldType.BOOLEAN: (bool,),
    FieldType.ARRAY: (list,),
    FieldType.OBJECT: (dict,),
}


def schema_faults(schema: Sequence[OutputField], text: str) -> tuple[str, ...]:
    """Why a text is no answer of this schema, as sentences; empty when it is one.

    A code fence around the JSON is tolerated, and so are fields that the schema does not name, and null for one that is
    not required.
    """
    try:
        value = parse_answer(text)
    except (ValueError, RecursionError):
        return ("The answer is not valid JSON.",)
    if not isinstance(value, dict):
        return ("The answer is not a JSON object.",)
    rules = tuple(json.dumps(dict(entry.rules)) if entry.rules else "" for entry in schema)
    return _compiled(tuple(schema), rules).faults(value)


@lru_cache(maxsize=128)
def _compiled(schema: tuple[OutputField, ...], _rules: tuple[str, ...]) -> _Check:
    """The check of a schema, made once for all its answers; `_rules` tells 1 from true, which Python does not."""
    return _Check(schema)


class _Check:
    """One schema, ready to check answers: fields without rules in plain Python, the others by JSON Schema.

    A hundred thousand answers are checked in one go, and nearly all of them are good: reasons are only looked for in
    those that are not.
    """

    def __init__(self, schema: tuple[OutputField, ...]) -> None:
        self._plain = [
            (entry.name, entry.required, _CLASSES[entry.type], entry.type, frozenset(entry.options))
            for entry in schema
            if not entry.rules
        ]
        self._ruled = [entry for entry in schema if entry.rules]
        self._nullable = {entry.name for entry in schema if _may_be_null(entry)}
        self._names = [entry.name for entry in schema]
        self._schema = schema
        self._of_ruled = _validator(self._ruled) if self._ruled else None
        self._of_all: Validator | None = None

    def faults(self, value: dict[str, Json]) -> tuple[str, ...]:
        """Why an object does not follow the schema."""
        try:
            if self._is_plainly_good(value) and (
                self._of_ruled is None or self._of_ruled.is_valid(self._given(value, self._ruled))
            ):
                return ()
            self._of_all = self._of_all or _validator(self._schema)
            return tuple(sentences_of(self._of_all, self._given(value, self._schema), self._names)[:MAX_REASONS])
        except (ArithmeticError, RecursionError, ValueError):
            return ("The answer cannot be checked: a number is too large, or it is too deeply nested.",)

    def _given(self, value: Mapping[str, Json], schema: Sequence[OutputField]) -> dict[str, Json]:
        """The values of these fields; null counts as no value unless the field may be null."""
        return {
            entry.name: value[entry.name]
            for entry in schema
            if entry.name in value and (value[entry.name] is not None or entry.name in self._nullable)
        }

    def _is_plainly_good(self, value: Mapping[str, Json]) -> bool:
        """Whether the fields without rules follow the schema; the same that the full schema says of them."""
        for name, required, classes, kind, options in self._plain:
            found = value.get(name)
            if found is None:
                if required:
                    return False
                continue
            if not isinstance(found, classes) or (kind is FieldType.NUMBER and isinstance(found, bool)):
                return False
            if kind is FieldType.ARRAY:
                if not all(isinstance(entry, str) and (not options or entry in options) for entry in found):  # type: ignore[union-attr]
                    return False
            elif options and found not in options:
                return False
        return True


def _may_be_null(entry: OutputField) -> bool:
    kinds = entry.rules.get("type")
    return isinstance(kinds, list) and "null" in kinds


def _validator(schema: Sequence[OutputField]) -> Validator:
    from workbench_core.prompt_templates.answer_faults import validator_class

    kind, formats = validator_class()
    return kind({**json_schema(schema), "additionalProperties": True}, format_checker=formats)
