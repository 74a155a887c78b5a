"""What differs between two versions of a template, field by field (TP-12)."""

from __future__ import annotations

import difflib
from dataclasses import fields

from workbench_core.prompt_templates.fields import InputField, OutputField, TemplateExample
from workbench_core.prompt_templates.template import Difference, TemplateDraft
from workbench_core.rows import to_json
from workbench_core.usage import UsageRules, Use


def differences(before: TemplateDraft, after: TemplateDraft) -> list[Difference]:
    """The fields that differ between two versions, each as a text diff and as both texts."""
    found = []
    for entry in fields(TemplateDraft):
        was, now = getattr(before, entry.name), getattr(after, entry.name)
        if was != now:
            old, new = _text(was), _text(now)
            found.append(Difference(entry.name, _diff(old, new), old, new))
    return found


def _diff(old: str, new: str) -> tuple[str, ...]:
    """The lines of a unified diff; what differs only in spaces at the ends of lines is told too."""
    diff = list(difflib.unified_diff(old.splitlines(), new.splitlines(), lineterm="", n=2))[3:]
    if not diff:
        diff = [f"-{line!r}" for line in old.splitlines(keepends=True)[-1:]]
        diff += [f"+{line!r}" for line in new.splitlines(keepends=True)[-1:]]
    return tuple(line for line in diff if not line.startswith("@@"))


def _text(value: object) -> str:
    """A field as a person reads it, an entry of a list on lines of its own."""
    if isinstance(value, tuple):
        return "\n".join(_words(entry) for entry in value)
    return _words(value)


def _words(entry: object) -> str:
    match entry:
        case OutputField():
            options = f": {', '.join(entry.options)}" if entry.options else ""
            rules = f" {to_json(dict(entry.rules))}" if entry.rules else ""
            return f"{entry.name} ({entry.type}, {_need(entry)}){options} {entry.description}".rstrip() + rules
        case InputField():
            return f"{entry.name} ({entry.type}, {_need(entry)}) {entry.description}".rstrip()
        case TemplateExample():
            return f"input: {entry.input}\noutput: {entry.output}\nexplanation: {entry.explanation}"
        case UsageRules():
            return _usage_words(entry)
    return str(entry)


def _need(entry: InputField | OutputField) -> str:
    return "required" if entry.required else "optional"


def _usage_words(rules: UsageRules) -> str:
    allowed = ", ".join(use for use in Use if use in rules.allowed) or "nothing"
    prohibited = ", ".join(use for use in Use if use in rules.prohibited) or "nothing"
    lines = [f"allowed: {allowed}", f"prohibited: {prohibited}", f"classification: {rules.classification}"]
    return "\n".join([*lines, *([f"reason: {rules.reason}"] if rules.reason else [])])
