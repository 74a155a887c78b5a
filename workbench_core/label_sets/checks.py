"""What is wrong with a label set: what cannot even be saved, and what keeps it from being published."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import asdict, replace

from workbench_core.errors import Invalid
from workbench_core.label_sets.colours import COLOUR, free_colours, is_readable
from workbench_core.label_sets.hotkeys import hotkey_fault
from workbench_core.label_sets.model import LabelClass, LabelSetDraft, Problem
from workbench_core.label_sets.response_schema import schema_fault
from workbench_core.metrics import normalise
from workbench_core.usage import UsageRules, Use

MAX_NAME = 255
MAX_LABEL_TYPE = 100
MAX_CLASSES = 200
MAX_CLASS_NAME = 100
MAX_TEXT = 5_000  # characters of a description or use case
MAX_TAGS = 20
MAX_TAG = 50
_BREAKS = re.compile(r"[\t\r\n\x85\u2028\u2029]+")
_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")
_UNREADABLE = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")  # also what turns text round


def tidied(draft: LabelSetDraft) -> LabelSetDraft:
    """The draft without stray spaces; colours and hotkeys in small letters, a readable colour where none is given."""
    classes = [
        LabelClass(
            _line(one.name), _line(one.title), one.colour.strip().lower(), one.description.strip(),
            one.hotkey.strip().lower(), one.threshold,
        )
        for one in draft.classes
    ]  # fmt: skip
    missing = sum(not one.colour for one in classes)
    fresh = iter(free_colours(missing, taken={one.colour for one in classes}))
    return replace(
        draft,
        name=_line(draft.name),
        label_type=_line(draft.label_type),
        description=draft.description.strip(),
        use_case=_line(draft.use_case),
        classes=tuple(one if one.colour else replace(one, colour=next(fresh)) for one in classes),
        tags=tuple(dict.fromkeys(_line(tag) for tag in draft.tags if tag.strip())),
        usage=replace(draft.usage, reason=draft.usage.reason.strip()),
    )


def checked(draft: LabelSetDraft) -> LabelSetDraft:
    """The tidy draft. Raises Invalid with the first thing that cannot be saved."""
    tidy = tidied(draft)
    for problem in _blocking(tidy):
        raise Invalid(problem.message, hint="Correct it and save again.")
    return tidy


def problems_of(draft: LabelSetDraft) -> list[Problem]:
    """All problems in the order of the editor; a set can be published when all are warnings (LS-3)."""
    tidy = tidied(draft)
    found = list(_blocking(tidy))
    if not tidy.classes and not tidy.response_schema:
        found.append(Problem("classes", "Add at least one class, or a response schema."))
    if tidy.usage.reason == "" and (tidy.usage.prohibited or tidy.usage.allowed != frozenset(Use)):
        found.append(Problem("usage", "Say why these uses are restricted."))
    return [*found, *_warnings(tidy)]


def _blocking(draft: LabelSetDraft) -> Iterator[Problem]:
    """What cannot be saved."""
    yield from _text_problems(draft)
    yield from _class_problems(draft.classes)
    if fault := schema_fault(draft.response_schema):
        yield Problem("response_schema", fault)
    if len(draft.tags) > MAX_TAGS or any(len(tag) > MAX_TAG for tag in draft.tags):
        yield Problem("tags", f"There can be {MAX_TAGS} tags of up to {MAX_TAG} characters.")
    yield from _usage_problems(draft.usage)


def _text_problems(draft: LabelSetDraft) -> Iterator[Problem]:
    names = {"name": (draft.name, MAX_NAME), "label_type": (draft.label_type, MAX_LABEL_TYPE)}
    for field, (text, longest) in names.items():
        words = field.replace("_", " ")
        if not 1 <= len(text) <= longest:
            yield Problem(field, f"The {words} must have 1 to {longest} characters.")
        if _UNREADABLE.search(text):
            yield Problem(field, f"The {words} holds a control character: type it anew.")
    for field in ("description", "use_case"):
        if len(getattr(draft, field)) > MAX_TEXT:
            yield Problem(field, f"The {field.replace('_', ' ')} has more than {MAX_TEXT:,} characters.")
    for field, value in asdict(draft).items():
        if any(_UNSTORABLE.search(text) for text in _texts(value)):
            yield Problem(field, f"The {field.replace('_', ' ')} holds a character that cannot be stored (NUL or half "
                                 "of a pair): paste the text anew.")  # fmt: skip


def _class_problems(classes: tuple[LabelClass, ...]) -> Iterator[Problem]:
    if len(classes) > MAX_CLASSES:
        yield Problem("classes", f"There are more than {MAX_CLASSES} classes.")
    for one in classes:
        yield from _problems_of_class(one)
    for name in _repeated(one.name for one in classes if one.name):
        yield Problem("classes", f"The class “{name}” is there twice.")
    for key in _repeated(one.hotkey for one in classes if one.hotkey):
        names = ", ".join(f"“{one.shown}”" for one in classes if one.hotkey == key)
        yield Problem("classes", f"The hotkey “{key}” is given twice: {names}.")


def _problems_of_class(one: LabelClass) -> Iterator[Problem]:
    if not one.name:
        yield Problem("classes", f"A class has no name{f' (“{one.title}”)' if one.title else ''}.")
    for text in (one.name, one.title):
        if len(text) > MAX_CLASS_NAME:
            yield Problem("classes", f"“{text[:40]} …” is longer than {MAX_CLASS_NAME} characters.")
        if _UNREADABLE.search(text):
            yield Problem("classes", "The name of a class holds a control character: type it anew.")
    if len(one.description) > MAX_TEXT:
        yield Problem("classes", f"The description of “{one.shown}” has more than {MAX_TEXT:,} characters.")
    if not COLOUR.fullmatch(one.colour):
        yield Problem("classes", f"“{one.colour[:20]}” is no colour: write it as #rrggbb, such as #2f6fde.")
    if fault := hotkey_fault(one.hotkey):
        yield Problem("classes", f"“{one.shown}”: {fault}")
    if not 0 <= one.threshold <= 1:
        yield Problem("classes", f"The threshold of “{one.shown}” must be 0 to 1.")


def _usage_problems(rules: UsageRules) -> Iterator[Problem]:
    """A use that is both allowed and prohibited (INV-6)."""
    if overlap := sorted(rules.allowed & rules.prohibited):
        yield Problem("usage", f"{', '.join(overlap)} cannot be both allowed and prohibited.")


def _warnings(draft: LabelSetDraft) -> Iterator[Problem]:
    if len(draft.classes) == 1 and not draft.response_schema:
        yield Problem("classes", "One class alone leaves nothing to decide.", is_warning=True)
    pale = [one.shown for one in draft.classes if COLOUR.fullmatch(one.colour) and not is_readable(one.colour)]
    if pale:
        names = ", ".join(f"“{name}”" for name in pale[:5])
        yield Problem("classes", f"Hard to see on a light or on a dark page: the colour of {names}.", is_warning=True)
    for colour, times in Counter(one.colour for one in draft.classes).items():
        if times > 1:
            names = ", ".join(f"“{one.shown}”" for one in draft.classes if one.colour == colour)
            yield Problem("classes", f"The same colour for {names}.", is_warning=True)


def _repeated(names: Iterable[str]) -> list[str]:
    """Names that occur more than once, compared without case and spaces, in their first spelling."""
    spelled: dict[str, str] = {}
    counts: Counter[str] = Counter()
    for name in names:
        spelled.setdefault(normalise(name), name)
        counts[normalise(name)] += 1
    return [spelled[key] for key, count in counts.items() if count > 1]


def _line(text: str) -> str:
    return _BREAKS.sub(" ", text).strip()


def _texts(value: object) -> Iterator[str]:
    """All texts anywhere in the value of a field."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for name, part in value.items():
            yield from (str(name), *_texts(part))
    elif isinstance(value, list | tuple):
        for part in value:
            yield from _texts(part)
