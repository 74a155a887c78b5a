"""Label sets as files: a JSON definition with everything that a person fills in (LS-6).

    {
      "format": "label-set/1",
      "name": "Sentiment", "version": "1.0.0", "label_type": "sentiment",
      "classes": [{"name": "positive", "display_name": "Positive", "colour": "#15803d", "hotkey": "1"}],
      "response_schema": {},
      "usage": {"allowed": [...], "prohibited": [], "classification": "internal", "reason": ""},
      "production_inference": true
    }

Keys come in one order and no time is written, so that two exports of one version are the same to the byte.
"""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Mapping
from dataclasses import replace

from workbench_core.errors import Invalid
from workbench_core.label_sets.model import LabelClass, LabelSetDraft
from workbench_core.label_sets.response_schema import parsed_json
from workbench_core.ports import Json
from workbench_core.usage import ALL_USES, Classification, UsageRules, Use

FORMAT = "label-set/1"
MAX_FILE = 2_000_000  # characters
_HINT = "A label set file is what “Export” makes: compare with one."
_KEYS = {"format", "name", "version", "label_type", "description", "use_case", "tags", "classes", "response_schema",
         "usage", "production_inference"}  # fmt: skip
_CLASS_KEYS = {"name", "display_name", "colour", "description", "hotkey", "confidence_threshold"}
_USAGE_KEYS = {"allowed", "prohibited", "classification", "reason"}


def definition_of(draft: LabelSetDraft, version: str) -> str:
    """A label set as the text of a file, in UTF-8 with line feeds."""
    found: dict[str, Json] = {
        "format": FORMAT,
        "name": draft.name,
        "version": version,
        "label_type": draft.label_type,
        "description": draft.description,
        "use_case": draft.use_case,
        "tags": list(draft.tags),
        "classes": [_class_json(one) for one in draft.classes],
        "response_schema": dict(draft.response_schema),
        "usage": {
            "allowed": [use.value for use in Use if use in draft.usage.allowed],
            "prohibited": [use.value for use in Use if use in draft.usage.prohibited],
            "classification": draft.usage.classification.value,
            "reason": draft.usage.reason,
        },
        "production_inference": draft.may_serve,
    }
    return json.dumps(found, indent=2, ensure_ascii=False) + "\n"


def draft_from_definition(text: str) -> LabelSetDraft:
    """The label set of such a file; its version is only for people. Raises Invalid with the line or the place.

    A use that is both allowed and prohibited becomes prohibited (INV-6).
    """
    if len(text) > MAX_FILE:
        raise Invalid(f"The file has more than {MAX_FILE:,} characters.", hint="Is it a label set file?")
    found = _object(parsed_json(text, what="the file"), "The file", _KEYS)
    if found.get("format", FORMAT) != FORMAT:
        raise Invalid(f"The file has the format “{str(found['format'])[:40]}”, not “{FORMAT}”.", hint=_HINT)
    draft = LabelSetDraft(
        name=_text(found, "name", is_needed=True),
        label_type=_text(found, "label_type", is_needed=True),
        description=_text(found, "description"),
        use_case=_text(found, "use_case"),
        tags=tuple(_texts(found, "tags")),
        classes=tuple(_class(one, number) for number, one in enumerate(_list(found, "classes"), start=1)),
        response_schema=_object(found.get("response_schema", {}), "“response_schema”", None),
        usage=_usage(found.get("usage", {})),
        may_serve=_flag(found, "production_inference"),
    )
    return replace(draft, usage=replace(draft.usage, allowed=draft.usage.allowed - draft.usage.prohibited))


def file_name(draft: LabelSetDraft, version: str) -> str:
    """A name for the file that every system takes: `Sentiment.1.0.0.json`."""
    stem = re.sub(r"[^\w.]+", "-", unicodedata.normalize("NFC", draft.name)).strip("-._")[:80].strip("-._")
    return f"label-set-{stem or 'untitled'}.{version}.json"


def _class_json(one: LabelClass) -> dict[str, Json]:
    values: dict[str, Json] = {
        "name": one.name, "display_name": one.title, "colour": one.colour, "description": one.description,
        "hotkey": one.hotkey, "confidence_threshold": one.threshold,
    }  # fmt: skip
    return {name: value for name, value in values.items() if name == "name" or value not in ("", 0.0)}


def _class(entry: Json, number: int) -> LabelClass:
    found = _object(entry, f"Class {number}", _CLASS_KEYS)
    threshold = found.get("confidence_threshold", 0.0)
    if isinstance(threshold, bool) or not isinstance(threshold, int | float):
        raise Invalid(f"Class {number}: “confidence_threshold” is no number.", hint=_HINT)
    return LabelClass(
        name=_text(found, "name", is_needed=True, where=f"Class {number}: "),
        title=_text(found, "display_name", where=f"Class {number}: "),
        colour=_text(found, "colour", where=f"Class {number}: "),
        description=_text(found, "description", where=f"Class {number}: "),
        hotkey=_text(found, "hotkey", where=f"Class {number}: "),
        threshold=float(threshold),
    )


def _usage(entry: Json) -> UsageRules:
    found = _object(entry, "“usage”", _USAGE_KEYS)
    try:
        return UsageRules(
            frozenset(Use(use) for use in _texts(found, "allowed")) if "allowed" in found else ALL_USES.allowed,
            frozenset(Use(use) for use in _texts(found, "prohibited")),
            Classification(_text(found, "classification") or Classification.INTERNAL),
            _text(found, "reason"),
        )
    except ValueError as error:
        raise Invalid(f"“usage”: {str(error)[:100]}.", hint=f"Uses: {', '.join(Use)}.") from None


def _object(value: Json, what: str, keys: set[str] | None) -> dict[str, Json]:
    if not isinstance(value, dict):
        raise Invalid(f"{what} is no object.", hint=_HINT)
    if keys is not None and (unknown := sorted(set(value) - keys)):
        raise Invalid(f"{what} has the unknown entry “{unknown[0][:60]}”.", hint=_HINT)
    return value


def _text(found: Mapping[str, Json], name: str, *, is_needed: bool = False, where: str = "") -> str:
    value = found.get(name, "")
    if not isinstance(value, str):
        raise Invalid(f"{where}“{name}” is no text.", hint=_HINT)
    if is_needed and not value.strip():
        raise Invalid(f"{where}“{name}” is missing.", hint=_HINT)
    return value


def _list(found: Mapping[str, Json], name: str) -> list[Json]:
    value = found.get(name, [])
    if not isinstance(value, list):
        raise Invalid(f"“{name}” is no list.", hint=_HINT)
    return value


def _texts(found: Mapping[str, Json], name: str) -> list[str]:
    value = _list(found, name)
    if not all(isinstance(entry, str) for entry in value):
        raise Invalid(f"“{name}” is no list of texts.", hint=_HINT)
    return [str(entry) for entry in value]


def _flag(found: Mapping[str, Json], name: str) -> bool:
    value = found.get(name, True)
    if not isinstance(value, bool):
        raise Invalid(f"“{name}” must be true or false.", hint=_HINT)
    return value
