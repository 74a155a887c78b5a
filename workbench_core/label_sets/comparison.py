"""What differs between two versions of a label set, field by field."""

from __future__ import annotations

import json
from dataclasses import dataclass, fields

from workbench_core.label_sets.model import LabelClass, LabelSetDraft
from workbench_core.usage import UsageRules, Use


@dataclass(frozen=True, slots=True)
class Difference:
    """One field that differs between two versions, as both texts."""

    field: str
    before: str
    after: str


def differences(before: LabelSetDraft, after: LabelSetDraft) -> list[Difference]:
    """The fields that differ between two versions; a class stands on a line of its own."""
    found = []
    for entry in fields(LabelSetDraft):
        was, now = getattr(before, entry.name), getattr(after, entry.name)
        if was != now:
            found.append(Difference(entry.name, _text(was), _text(now)))
    return found


def _text(value: object) -> str:
    match value:
        case tuple():
            return "\n".join(_class_words(one) if isinstance(one, LabelClass) else str(one) for one in value)
        case UsageRules():
            return _usage_words(value)
        case bool():
            return "yes" if value else "no"
        case dict():
            return json.dumps(value, indent=2, ensure_ascii=False) if value else ""
    return str(value)


def _class_words(one: LabelClass) -> str:
    parts = [one.name]
    parts += [f"“{one.title}”"] if one.title else []
    parts += [one.colour] if one.colour else []
    parts += [f"key {one.hotkey}"] if one.hotkey else []
    parts += [f"threshold {one.threshold:g}"] if one.threshold else []
    return " · ".join([*parts, *([one.description] if one.description else [])])


def _usage_words(rules: UsageRules) -> str:
    allowed = ", ".join(use for use in Use if use in rules.allowed) or "nothing"
    prohibited = ", ".join(use for use in Use if use in rules.prohibited) or "nothing"
    lines = [f"allowed: {allowed}", f"prohibited: {prohibited}", f"classification: {rules.classification}"]
    return "\n".join([*lines, *([f"reason: {rules.reason}"] if rules.reason else [])])
