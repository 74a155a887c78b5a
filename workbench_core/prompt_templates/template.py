"""The words of prompt templates: drafts, stored versions, frozen snapshots, and what can be read off them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import datetime
from enum import StrEnum

from workbench_core import prompt_rendering
from workbench_core.errors import Invalid
from workbench_core.lifecycle import Lifecycle
from workbench_core.metrics import AnswerField, AnswerKind
from workbench_core.ports import ChatOptions, Json, Message
from workbench_core.prompt_rendering import Renderer
from workbench_core.prompt_templates.answer_checks import schema_faults
from workbench_core.prompt_templates.fields import (
    InputField,
    OutputField,
    TemplateExample,
    examples_json,
    fields_json,
    inputs_json,
    read_examples,
    read_fields,
    read_inputs,
    read_usage,
    usage_json,
)
from workbench_core.prompt_templates.json_schemas import json_schema
from workbench_core.prompt_templates.optional_inputs import LenientRenderer
from workbench_core.usage import ALL_USES, UsageRules


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
    HYBRID = "hybrid"  # the column where it has a value, a language model for the rest


LIFECYCLE: Lifecycle[TemplateStatus] = Lifecycle(
    publish=({TemplateStatus.DRAFT}, TemplateStatus.PUBLISHED),
    archive=({TemplateStatus.DRAFT, TemplateStatus.PUBLISHED}, TemplateStatus.ARCHIVED),
    restore=({TemplateStatus.ARCHIVED}, TemplateStatus.DRAFT),  # to published when it had been published
)
DELETABLE = frozenset({TemplateStatus.DRAFT, TemplateStatus.ARCHIVED})
VERSIONABLE = frozenset({TemplateStatus.PUBLISHED, TemplateStatus.ARCHIVED})


@dataclass(frozen=True, slots=True)
class Problem:
    """What is wrong with a template: the field, a sentence, and the line of a prompt (else None).

    A warning does not keep it from being published.
    """

    field: str
    message: str
    line: int | None = None
    is_warning: bool = False


@dataclass(frozen=True, slots=True)
class Difference:
    """One field that differs between two versions: the lines of a unified text diff, and both texts as a whole."""

    field: str
    lines: tuple[str, ...]
    before: str = ""
    after: str = ""


@dataclass(frozen=True, slots=True)
class RenderedItem:
    """The messages of one item, or why they cannot be made. `shortened` names the values that were too long."""

    item_ref: str
    messages: tuple[Message, ...]
    error: str = ""
    shortened: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class TemplateDraft:
    """What a person fills in for a template.

    `model` names a configured model, empty stands for the default one. `feature_columns` and `target_column` are the
    columns that the author expects in a sheet. `usage` is imposed on the pairs made with it (most restrictive wins).
    """

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
    model: str = ""
    inputs: tuple[InputField, ...] = ()
    feature_columns: tuple[str, ...] = ()
    target_column: str = ""
    tags: tuple[str, ...] = ()
    usage: UsageRules = ALL_USES

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
    def optional_placeholders(self) -> tuple[str, ...]:
        """The placeholders that may stay without a column: they render as empty text, or as what `default()` says."""
        optional = {entry.name for entry in self.inputs if not entry.required}
        return tuple(name for name in self.placeholders if name in optional)

    @property
    def answer_schema(self) -> tuple[AnswerField, ...]:
        """The output schema in the words of the metrics."""
        return tuple(
            AnswerField(entry.name, entry.type, entry.description, entry.required, entry.options)
            for entry in self.output_schema
        )

    def renderer(self) -> Renderer:
        """A compiled renderer; optional placeholders may be missing. Raises Invalid for a malformed prompt."""
        examples = [(example.input, example.output) for example in self.examples]
        if optional := self.optional_placeholders:
            return LenientRenderer(self.system_prompt, self.user_prompt, examples, optional=optional)
        return Renderer(self.system_prompt, self.user_prompt, examples)

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
            return schema_faults(self.output_schema, text)
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
            "description": self.description,
            "label_type": self.label_type,
            "system_prompt": self.system_prompt,
            "user_prompt": self.user_prompt,
            "variables": list(self.placeholders),
            "label_classes": list(self.label_classes),
            "output_schema": fields_json(self.output_schema),
            "examples": examples_json(self.examples),
            "answer_source": self.answer_source.value,
            "model": self.model,
            "temperature": self.temperature,
            "max_tokens": self.max_tokens,
            "inputs": inputs_json(self.inputs),
            "feature_columns": list(self.feature_columns),
            "target_column": self.target_column,
            "tags": list(self.tags),
            "usage": usage_json(self.usage),
        }


def from_snapshot(stored: Mapping[str, Json]) -> TemplateSnapshot:
    """Read a frozen template back; what older versions of the app did not keep has its default.

    Raises Invalid when it is no template.
    """
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
            description=str(stored.get("description", "")),
            answer_source=AnswerSource(str(stored.get("answer_source", AnswerSource.MANUAL))),
            model=str(stored.get("model", "")),
            inputs=read_inputs(_list(stored.get("inputs", []))),
            feature_columns=tuple(map(str, _list(stored.get("feature_columns", [])))),
            target_column=str(stored.get("target_column", "")),
            tags=tuple(map(str, _list(stored.get("tags", [])))),
            usage=read_usage(stored.get("usage")),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise Invalid(
            f"The stored template cannot be read ({error}).", hint="Choose another version of the template."
        ) from error


def _list(value: Json) -> list[Json]:
    if not isinstance(value, list):
        raise TypeError("a list is missing")
    return value
