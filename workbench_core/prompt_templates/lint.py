"""What is wrong with a prompt template, as problems with the field and the line, and what cannot even be saved."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import asdict, replace

from workbench_core import prompt_rendering
from workbench_core.errors import Invalid
from workbench_core.metrics import FieldType, normalise
from workbench_core.prompt_templates.fields import OutputField
from workbench_core.prompt_templates.json_schemas import schema_fault
from workbench_core.prompt_templates.template import Problem, TemplateDraft
from workbench_core.usage import UsageRules

MAX_NAME = 255
MAX_LABEL_TYPE = 100
MAX_TEMPERATURE = 2.0
MAX_TOKENS = 8_192
MAX_CLASSES = 200
MAX_TAGS = 20
MAX_TAG = 50
MAX_EXAMPLES = 10
_BREAKS = re.compile(r"[\t\r\n\x85\u2028\u2029]+")
_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")
_UNREADABLE = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")  # also what turns text round
_FIELD_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,63}")


def problems_of(draft: TemplateDraft, *, models: Collection[str] = ()) -> list[Problem]:
    """All problems in the order of the editor; a template can be published when all are warnings (TP-4).

    `models` are the names of the configured models; without any, the model of the template is not looked at.
    """
    return [
        *_prompt_problems(draft),
        *_input_problems(draft),
        *_column_problems(draft),
        *_class_problems(draft.label_classes),
        *_schema_problems(draft),
        *_example_problems(draft),
        *_model_problems(draft.model, models),
        *_tag_problems(draft.tags),
        *_usage_problems(draft.usage),
    ]


def checked(draft: TemplateDraft) -> TemplateDraft:
    """The draft without stray spaces. Raises Invalid for what cannot even be saved as a draft."""
    tidy = replace(
        draft,
        name=_BREAKS.sub(" ", draft.name).strip(),
        label_type=_BREAKS.sub(" ", draft.label_type).strip(),
        model=draft.model.strip(),
        target_column=draft.target_column.strip(),
    )
    _check_characters(tidy)
    if not 1 <= len(tidy.name) <= MAX_NAME:
        raise Invalid(f"The name must have 1 to {MAX_NAME} characters.", hint="Change the name.")
    if not 1 <= len(tidy.label_type) <= MAX_LABEL_TYPE:
        raise Invalid(
            f"The label type must have 1 to {MAX_LABEL_TYPE} characters.",
            hint="Name the question that the labels answer, such as defect_class.",
        )
    if not 0 <= tidy.temperature <= MAX_TEMPERATURE:
        raise Invalid(f"The temperature must be 0 to {MAX_TEMPERATURE:g}.", hint="0 gives the same answer each time.")
    if not 1 <= tidy.max_tokens <= MAX_TOKENS:
        raise Invalid(f"The longest answer must be 1 to {MAX_TOKENS:,} tokens.", hint="Change the number of tokens.")
    for problem in _usage_problems(tidy.usage):
        raise Invalid(problem.message, hint="Remove it from one of the lists.")
    return tidy


def _check_characters(draft: TemplateDraft) -> None:
    """Refuse what a name cannot be read with, and what a store would silently change."""
    names = {"name": draft.name, "label type": draft.label_type, "name of the model": draft.model}
    for words, name in names.items():
        if _UNREADABLE.search(name):
            raise Invalid(f"The {words} holds a control character.", hint="Type it anew.")
    for field, value in asdict(draft).items():
        if any(_UNSTORABLE.search(text) for text in _texts(value)):
            words = field.replace("_", " ")
            raise Invalid(
                f"The {words} holds a character that cannot be stored (NUL or half of a pair).",
                hint="It often comes from a damaged or binary file: paste the text anew.",
            )


def _texts(value: object) -> Iterator[str]:
    """All texts anywhere in the value of a field."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for name, part in value.items():
            yield from (str(name), *_texts(part))
    elif isinstance(value, list | tuple):
        for part in value:
            yield from _texts(part)


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
    for field, text in prompts.items():
        for line in prompt_rendering.constant_lines(text):
            yield Problem(field, "This gives the same text for every row: it names no placeholder.", line, True)


def _input_problems(draft: TemplateDraft) -> Iterator[Problem]:
    names = [entry.name for entry in draft.inputs]
    if any(not name.strip() for name in names):
        yield Problem("inputs", "An input has no name.")
    for name, count in Counter(names).items():
        if count > 1 and name.strip():
            yield Problem("inputs", f"The input “{name}” is there twice.")
    used = draft.placeholders
    if used:  # while a prompt cannot be read, nothing is known of its placeholders
        for name in dict.fromkeys(names):
            if name.strip() and name not in used:
                yield Problem("inputs", f"No prompt uses the input “{name}”.", is_warning=True)


def _column_problems(draft: TemplateDraft) -> Iterator[Problem]:
    for name in _repeated(draft.feature_columns):
        yield Problem("feature_columns", f"The column “{name}” is there twice.", is_warning=True)
    if draft.target_column and draft.target_column in draft.feature_columns:
        yield Problem(
            "target_column", f"“{draft.target_column}” is a feature too: the question would give the answer away."
        )


def _model_problems(name: str, models: Collection[str]) -> Iterator[Problem]:
    if name and models and name not in models:
        yield Problem("model", f"No model “{name}” is configured here.", is_warning=True)


def _tag_problems(tags: Sequence[str]) -> Iterator[Problem]:
    if any(tag != tag.strip() or not tag for tag in tags):
        yield Problem("tags", "A tag is empty, or begins or ends with a space.")
    for tag in _repeated(tag for tag in tags if tag.strip()):
        yield Problem("tags", f"The tag “{tag}” is there twice.")
    if len(tags) > MAX_TAGS or any(len(tag) > MAX_TAG for tag in tags):
        yield Problem("tags", f"There can be {MAX_TAGS} tags of up to {MAX_TAG} characters.")


def _usage_problems(rules: UsageRules) -> Iterator[Problem]:
    """A use that is both allowed and prohibited (INV-6)."""
    if overlap := sorted(rules.allowed & rules.prohibited):
        yield Problem("usage", f"{', '.join(overlap)} cannot be both allowed and prohibited.")


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
    if fault := schema_fault(field):
        yield Problem("output_schema", fault)
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
