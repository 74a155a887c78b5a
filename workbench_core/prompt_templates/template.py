"""The words of prompt templates: drafts, stored versions, frozen snapshots, and what can be read off them."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from enum import StrEnum

from workbench_core import prompt_rendering
from workbench_core.errors import Invalid
from workbench_core.lifecycle import Lifecycle
from workbench_core.metrics import AnswerField, AnswerKind, FieldType, answer_schema, validate_answer
from workbench_core.ports import ChatOptions, Json, Message
from workbench_core.prompt_rendering import Renderer


class TemplateStatus(StrEnum):
    """Where a template stands; a published one never changes (INV-7)."""

    DRAFT = "draft"
    PUBLISHED = "published"
    ARCHIVED = "archived"


class AnswerSource(StrEnum):
    """Where the answers of a training sheet come from when no canonical label exists."""

    EXISTING_COLUMN = "existing_column"
    AI_GENERATED = "ai_generated"
    MANUAL = "manual"
    CANONICAL = "canonical"


LIFECYCLE: Lifecycle[TemplateStatus] = Lifecycle(
    publish=({TemplateStatus.DRAFT}, TemplateStatus.PUBLISHED),
    archive=({TemplateStatus.DRAFT, TemplateStatus.PUBLISHED}, TemplateStatus.ARCHIVED),
    restore=({TemplateStatus.ARCHIVED}, TemplateStatus.DRAFT),  # to published when it had been published
)
DELETABLE = frozenset({TemplateStatus.DRAFT, TemplateStatus.ARCHIVED})
VERSIONABLE = frozenset({TemplateStatus.PUBLISHED, TemplateStatus.ARCHIVED})


@dataclass(frozen=True, slots=True)
class OutputField:
    """One field of a structured answer. Array fields take each of their entries from `options` when given."""

    name: str
    type: FieldType = FieldType.STRING
    description: str = ""
    required: bool = True
    options: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class TemplateExample:
    """A worked example: it is placed before the item as a question and its answer. Its text is not rendered."""

    input: str
    output: str
    explanation: str = ""


@dataclass(frozen=True, slots=True)
class Problem:
    """What keeps a template from being published: the field, a sentence, and the line of a prompt (else None)."""

    field: str
    message: str
    line: int | None = None


@dataclass(frozen=True, slots=True)
class Difference:
    """One field that differs between two versions, as the lines of a unified text diff."""

    field: str
    lines: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class RenderedItem:
    """The messages of one item, or why they cannot be made. `shortened` names the values that were too long."""

    item_ref: str
    messages: tuple[Message, ...]
    error: str = ""
    shortened: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class TemplateDraft:
    """What a person fills in for a template."""

    name: str
    label_type: str
    user_prompt: str
    description: str = ""
    system_prompt: str = ""
    label_classes: tuple[str, ...] = ()
    output_schema: tuple[OutputField, ...] = ()
    examples: tuple[TemplateExample, ...] = ()
    answer_source: AnswerSource = AnswerSource.MANUAL
    temperature: float = 0.0
    max_tokens: int = 256

    @property
    def answer_kind(self) -> AnswerKind:
        """A label out of classes, a structure of fields, or free text."""
        if self.label_classes:
            return AnswerKind.LABEL
        return AnswerKind.STRUCTURED if self.output_schema else AnswerKind.TEXT

    @property
    def placeholders(self) -> tuple[str, ...]:
        """The variables of both prompts in reading order; none while a prompt cannot be read."""
        try:
            found = (
                *prompt_rendering.placeholders(self.system_prompt),
                *prompt_rendering.placeholders(self.user_prompt),
            )
        except Invalid:
            return ()
        return tuple(dict.fromkeys(found))

    @property
    def answer_schema(self) -> tuple[AnswerField, ...]:
        """The output schema in the words of the metrics."""
        return tuple(
            AnswerField(entry.name, entry.type, entry.description, entry.required, entry.options)
            for entry in self.output_schema
        )

    def renderer(self) -> Renderer:
        """A compiled renderer of this template. Raises Invalid for a malformed prompt."""
        return Renderer(
            self.system_prompt,
            self.user_prompt,
            [(example.input, example.output) for example in self.examples],
        )

    def chat_options(self, *, seed: int = 42) -> ChatOptions:
        """How a model must answer: the classes as the only choices, or the output schema as JSON Schema."""
        return ChatOptions(
            temperature=self.temperature,
            max_tokens=self.max_tokens,
            schema=json_schema(self.output_schema) if self.output_schema else None,
            choices=self.label_classes,
            seed=seed,
        )

    def answer_faults(self, text: str) -> tuple[str, ...]:
        """Why a text is no valid answer, as sentences; empty when it is one (TP-13)."""
        if not text.strip():
            return ("The answer is empty.",)
        if self.label_classes and text not in self.label_classes:
            return (f"“{text}” is not one of the classes {', '.join(self.label_classes)}.",)
        if self.output_schema:
            return validate_answer(self.answer_schema, text).reasons
        return ()


@dataclass(frozen=True, slots=True, kw_only=True)
class TemplateSnapshot(TemplateDraft):
    """A template as training sheets, training jobs and model artifacts keep it: frozen with its version."""

    version: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PromptTemplate(TemplateDraft):
    """A template version as it is stored."""

    id: str
    lineage_id: str
    parent_id: str | None
    version: str
    status: TemplateStatus
    is_demo: bool
    row_version: int
    created_by: str
    created_at: datetime
    updated_by: str
    updated_at: datetime

    @property
    def draft(self) -> TemplateDraft:
        """What a person filled in, without what the store added."""
        return TemplateDraft(**{entry.name: getattr(self, entry.name) for entry in fields(TemplateDraft)})

    @property
    def actions(self) -> tuple[str, ...]:
        """What can be done with it now, in the order of the buttons."""
        possible = LIFECYCLE.actions(self.status)
        more = ["create_version"] if self.status in VERSIONABLE else []
        return (*possible, *more, "duplicate", *(["delete"] if self.status in DELETABLE else []))

    def snapshot(self) -> dict[str, Json]:
        """The frozen form as JSON; `from_snapshot` reads it back."""
        return {
            "name": self.name,
            "version": self.version,
            "label_type": self.label_type,
            "system_prompt": self.system_prompt,
            "user_prompt": self.user_prompt,
            "variables": list(self.placeholders),
            "label_classes": list(self.label_classes),
            "output_schema": fields_json(self.output_schema),
            "examples": examples_json(self.examples),
            "temperature": self.temperature,
            "max_tokens": self.max_tokens,
        }


def from_snapshot(stored: Mapping[str, Json]) -> TemplateSnapshot:
    """Read a frozen template back. Raises Invalid when it is no template."""
    try:
        return TemplateSnapshot(
            name=str(stored["name"]),
            version=str(stored["version"]),
            label_type=str(stored["label_type"]),
            system_prompt=str(stored["system_prompt"]),
            user_prompt=str(stored["user_prompt"]),
            label_classes=tuple(str(entry) for entry in _list(stored["label_classes"])),
            output_schema=read_fields(_list(stored["output_schema"])),
            examples=read_examples(_list(stored["examples"])),
            temperature=float(str(stored["temperature"])),
            max_tokens=int(str(stored["max_tokens"])),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise Invalid(
            f"The stored template cannot be read ({error}).", hint="Choose another version of the template."
        ) from error


def json_schema(schema: Sequence[OutputField]) -> dict[str, Json]:
    """The JSON Schema of a structured answer: the fields in their order and no others."""
    required: list[Json] = [entry.name for entry in schema if entry.required]
    return {
        "type": "object",
        "properties": {entry.name: _field_schema(entry) for entry in schema},
        "required": required,
        "additionalProperties": False,
    }


def propose_mapping(placeholders: Iterable[str], columns: Sequence[str]) -> dict[str, str]:
    """Pair placeholders with columns: by the exact name first, then without case and punctuation."""
    plain: dict[str, str] = {}
    for column in columns:
        plain.setdefault(_plain(column) or column, column)
    proposed = {name: name if name in columns else plain.get(_plain(name), "") for name in placeholders}
    return {name: column for name, column in proposed.items() if column}


def differences(before: TemplateDraft, after: TemplateDraft) -> list[Difference]:
    """The fields that differ between two versions, each as a text diff (TP-12)."""
    found = []
    for entry in fields(TemplateDraft):
        old, new = _lines(getattr(before, entry.name)), _lines(getattr(after, entry.name))
        if old != new:
            diff = list(difflib.unified_diff(old, new, lineterm="", n=2))[3:]
            found.append(Difference(entry.name, tuple(line for line in diff if not line.startswith("@@"))))
    return found


def fields_json(schema: Sequence[OutputField]) -> list[Json]:
    """An output schema as JSON; `read_fields` reads it back."""
    return [
        {
            "name": entry.name,
            "type": entry.type.value,
            "description": entry.description,
            "required": entry.required,
            "options": list(entry.options),
        }
        for entry in schema
    ]


def read_fields(stored: Sequence[Json]) -> tuple[OutputField, ...]:
    """An output schema from its JSON. Raises Invalid for a field without a name or with an unknown type."""
    checked = answer_schema([entry for entry in stored if isinstance(entry, dict)])
    return tuple(
        OutputField(entry.name, entry.type, entry.description, entry.required, entry.options) for entry in checked
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


def _list(value: Json) -> list[Json]:
    if not isinstance(value, list):
        raise TypeError("a list is missing")
    return value


def _field_schema(entry: OutputField) -> dict[str, Json]:
    options: dict[str, Json] = {"enum": list(entry.options)} if entry.options else {}
    described: dict[str, Json] = {"description": entry.description} if entry.description else {}
    if entry.type is FieldType.ARRAY:
        return {"type": "array", "items": options or {"type": "string"}, **described}
    return {"type": entry.type.value, **options, **described}


def _plain(name: str) -> str:
    return re.sub(r"[\W_]+", "", name).lower()


def _lines(value: object) -> list[str]:
    entries = value if isinstance(value, tuple) else (value,)
    return [line for entry in entries for line in _words(entry).splitlines()]


def _words(entry: object) -> str:
    """One entry of a field as a person reads it in a diff."""
    if isinstance(entry, OutputField):
        options = f": {', '.join(entry.options)}" if entry.options else ""
        need = "required" if entry.required else "optional"
        return f"{entry.name} ({entry.type}, {need}){options} {entry.description}".rstrip()
    if isinstance(entry, TemplateExample):
        return f"input: {entry.input}\noutput: {entry.output}\nexplanation: {entry.explanation}"
    return str(entry)
