"""The classes of the review card, and the key that chooses each."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

RESERVED_KEYS = frozenset("acdefghjkorsu?")  # what the card does by itself: see KEYS in card.js
LONGEST_DESCRIPTION = 5_000  # characters
_COLOUR = re.compile(r"#[0-9a-fA-F]{6}")


@dataclass(frozen=True, slots=True)
class CardClass:
    """One class to choose: `name` is the answer, `title` what people see, `colour` #rrggbb, `hotkey` one character."""

    name: str
    title: str = ""
    colour: str = ""
    hotkey: str = ""
    description: str = ""


def class_data(classes: Sequence[CardClass | str]) -> list[dict[str, str]]:
    """The classes as the browser gets them, each with its key; an empty key when there is none left."""
    known = [each if isinstance(each, CardClass) else CardClass(each) for each in classes]
    return [
        {
            "name": each.name,
            "title": each.title or each.name,
            "color": each.colour if _COLOUR.fullmatch(each.colour) else "",
            "key": key,
            "description": each.description[:LONGEST_DESCRIPTION],
        }
        for each, key in zip(known, _keys(known), strict=True)
    ]


def _keys(classes: Sequence[CardClass]) -> list[str]:
    """The key of each class: its own unless the card needs it or an earlier class has it, else its digit or a free one.

    The digit of a class is its place, 1 to 9.
    """
    keys: list[str] = []
    for each in classes:
        wanted = each.hotkey.lower()
        is_free = len(wanted) == 1 and not wanted.isspace() and wanted not in RESERVED_KEYS and wanted not in keys
        keys.append(wanted if is_free else "")
    for place, key in enumerate(keys):
        if not key:
            digits = [str(place + 1), *"123456789"] if place < 9 else list("123456789")
            keys[place] = next((digit for digit in digits if digit not in keys), "")
    return keys
