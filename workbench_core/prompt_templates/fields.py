"""The parts of a template that are lists: inputs, fields of the answer and worked examples, also as JSON."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from workbench_core import usage
from workbench_core.errors import Invalid
from workbench_core.metrics import FieldType
from workbench_core.ports import Json
from workbench_core.usage import ALL_USES, UsageRules, Use


@dataclass(frozen=True, slots=True)
class InputField:
    """What the author says of a placeholder. One that is not required may stay unmapped and renders as empty text."""

    name: str
    type: FieldType = FieldType.STRING
    description: str = ""
    required: bool = True


@dataclass(frozen=True, slots=True)
class OutputField:
    """One field of a structured answer. Array fields take each of their entries from `options` when given.

    `rules` are further keywords of JSON Schema for this field, such as minimum or pattern.
    """

    name: str
    type: FieldType = FieldType.STRING
    description: str = ""
    required: bool = True
    options: tuple[str, ...] = ()
    rules: Mapping[str, Json] = field(default_factory=dict, hash=False)


@dataclass(frozen=True, slots=True)
class TemplateExample:
    """A worked example: it is placed before the item as a question and its answer. Its text is not rendered."""

    input: str
    output: str
    explanation: str = ""


def inputs_json(inputs: Sequence[InputField]) -> list[Json]:
    """Inputs as JSON; `read_inputs` reads them back."""
    return [
        {"name": entry.name, "type": entry.type.value, "description": entry.description, "required": entry.required}
        for entry in inputs
    ]


def read_inputs(stored: Sequence[Json]) -> tuple[InputField, ...]:
    """Inputs from their JSON. Raises Invalid for an unknown type."""
    return tuple(
        InputField(_text(entry, "name"), _type(entry), _text(entry, "description"), bool(entry.get("required", True)))
        for entry in stored
        if isinstance(entry, dict)
    )


def fields_json(schema: Sequence[OutputField]) -> list[Json]:
    """An output schema as JSON; `read_fields` reads it back."""
    return [
        {
            "name": entry.name,
            "type": entry.type.value,
            "description": entry.description,
            "required": entry.required,
            "options": list(entry.options),
            **({"rules": dict(entry.rules)} if entry.rules else {}),
        }
        for entry in schema
    ]


def read_fields(stored: Sequence[Json]) -> tuple[OutputField, ...]:
    """An output schema from its JSON; a draft may have a field without a name. Raises Invalid for an unknown type."""
    return tuple(
        OutputField(
            name=_text(entry, "name"),
            type=_type(entry),
            description=_text(entry, "description"),
            required=bool(entry.get("required", False)),
            options=_options(entry),
            rules=_rules(entry),
        )
        for entry in stored
        if isinstance(entry, dict)
    )


def examples_json(examples: Sequence[TemplateExample]) -> list[Json]:
    """Examples as JSON; `read_examples` reads them back."""
    return [{"input": entry.input, "output": entry.output, "explanation": entry.explanation} for entry in examples]


def read_examples(stored: Sequence[Json]) -> tuple[TemplateExample, ...]:
    """Examples from their JSON."""
    return tuple(
        TemplateExample(
            str(entry.get("input") or ""), str(entry.get("output") or ""), str(entry.get("explanation") or "")
        )
        for entry in stored
        if isinstance(entry, dict)
    )


def _text(entry: Mapping[str, Json], name: str) -> str:
    return str(entry.get(name) or "")


def _type(entry: Mapping[str, Json]) -> FieldType:
    kind = _text(entry, "type") or FieldType.STRING
    if kind not in list(FieldType):
        raise Invalid(
            f"“{_text(entry, 'name')}” has the unknown type “{kind}”.", hint=f"Types: {', '.join(FieldType)}."
        )
    return FieldType(kind)


def _options(entry: Mapping[str, Json]) -> tuple[str, ...]:
    options = entry.get("options") or []
    if not isinstance(options, list):
        raise Invalid(f"The options of “{_text(entry, 'name')}” are not a list.", hint="Give a list of texts.")
    return tuple(str(option) for option in options)


def _rules(entry: Mapping[str, Json]) -> dict[str, Json]:
    rules = entry.get("rules") or {}
    if not isinstance(rules, dict):
        raise Invalid(f"The rules of “{entry.get('name')}” are no object.", hint="Give them as keyword and value.")
    return dict(rules)


def usage_json(rules: UsageRules) -> dict[str, Json]:
    """Usage rules as JSON, the uses in their usual order; `read_usage` reads them back."""
    return {
        "allowed": [use.value for use in Use if use in rules.allowed],
        "prohibited": [use.value for use in Use if use in rules.prohibited],
        "classification": rules.classification.value,
        "reason": rules.reason,
    }


def read_usage(stored: Json) -> UsageRules:
    """Usage rules from their JSON; all uses for nothing. Raises Invalid for an unknown word or an overlap (INV-6)."""
    if not stored:
        return ALL_USES
    if not isinstance(stored, dict):
        raise Invalid("The usage rules are no object.", hint="Give allowed, prohibited, classification and reason.")
    allowed, prohibited = stored.get("allowed"), stored.get("prohibited")
    return usage.checked(
        [str(use) for use in allowed] if isinstance(allowed, list) else list(Use),
        [str(use) for use in prohibited] if isinstance(prohibited, list) else [],
        str(stored.get("classification") or ALL_USES.classification),
        str(stored.get("reason") or ""),
    )
