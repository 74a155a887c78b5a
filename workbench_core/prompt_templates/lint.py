"""What keeps a prompt template from being published, as problems with the field and the line."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence

from workbench_core import prompt_rendering
from workbench_core.metrics import FieldType, normalise
from workbench_core.prompt_templates.template import OutputField, Problem, TemplateDraft

MAX_CLASSES = 200
MAX_EXAMPLES = 10
_FIELD_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,63}")


def problems_of(draft: TemplateDraft) -> list[Problem]:
    """All problems in the order of the editor; empty when the template can be published (TP-4)."""
    return [
        *_prompt_problems(draft),
        *_class_problems(draft.label_classes),
        *_schema_problems(draft),
        *_example_problems(draft),
    ]


def _prompt_problems(draft: TemplateDraft) -> Iterator[Problem]:
    prompts = {"system_prompt": draft.system_prompt, "user_prompt": draft.user_prompt}
    faults = [
        Problem(field, fault.message, fault.line)
        for field, text in prompts.items()
        for fault in prompt_rendering.faults(text)
    ]
    yield from faults
    if not draft.user_prompt.strip():
        yield Problem("user_prompt", "The user prompt is empty.")
    elif not faults and not prompt_rendering.placeholders(draft.user_prompt):
        yield Problem("user_prompt", "The user prompt has no placeholder, so every item would get the same text.")


def _class_problems(classes: Sequence[str]) -> Iterator[Problem]:
    if any(not name.strip() for name in classes):
        yield Problem("label_classes", "A class is empty.")
    if any(name != name.strip() for name in classes if name.strip()):
        yield Problem("label_classes", "A class begins or ends with a space.")
    for name in _repeated(name for name in classes if name.strip()):
        yield Problem("label_classes", f"The class “{name}” is there twice.")
    if len(classes) == 1:
        yield Problem("label_classes", "One class alone leaves nothing to decide: add a second one.")
    if len(classes) > MAX_CLASSES:
        yield Problem("label_classes", f"There are more than {MAX_CLASSES} classes.")


def _schema_problems(draft: TemplateDraft) -> Iterator[Problem]:
    if draft.label_classes and draft.output_schema:
        yield Problem("output_schema", "An answer has either label classes or an output schema, not both.")
    for field in draft.output_schema:
        yield from _field_problems(field)
    for name in _repeated(field.name for field in draft.output_schema if field.name.strip()):
        yield Problem("output_schema", f"The field “{name}” is there twice.")
    if draft.output_schema and not any(field.required for field in draft.output_schema):
        yield Problem("output_schema", "No field is required, so an empty answer would be valid.")


def _field_problems(field: OutputField) -> Iterator[Problem]:
    if not field.name.strip():
        yield Problem("output_schema", "A field has no name.")
    elif not _FIELD_NAME.fullmatch(field.name):
        yield Problem(
            "output_schema",
            f"“{field.name}” is no field name: use up to 64 letters, digits and _, not beginning with a digit.",
        )
    if any(not option.strip() for option in field.options):
        yield Problem("output_schema", f"An option of “{field.name}” is empty.")
    for option in _repeated(field.options):
        yield Problem("output_schema", f"“{field.name}” has the option “{option}” twice.")
    if field.options and field.type not in {FieldType.STRING, FieldType.ARRAY}:
        yield Problem("output_schema", f"“{field.name}” is a {field.type}: only texts and lists have options.")


def _example_problems(draft: TemplateDraft) -> Iterator[Problem]:
    if len(draft.examples) > MAX_EXAMPLES:
        yield Problem("examples", f"There are more than {MAX_EXAMPLES} examples.")
    for number, example in enumerate(draft.examples, start=1):
        if not example.input.strip():
            yield Problem("examples", f"Example {number} has no input.")
        for fault in draft.answer_faults(example.output):
            yield Problem(
                "examples", f"Example {number}: {fault[0].lower() if fault[0].isalpha() else fault[0]}{fault[1:]}"
            )


def _repeated(names: Iterator[str] | Sequence[str]) -> list[str]:
    """Names that occur more than once, compared without case and spaces, in their first spelling."""
    spelled: dict[str, str] = {}
    counts: Counter[str] = Counter()
    for name in names:
        spelled.setdefault(normalise(name), name)
        counts[normalise(name)] += 1
    return [spelled[key] for key, count in counts.items() if count > 1]
