"""Keys that choose a class, and those that mean something else while a person reviews."""

from __future__ import annotations

import string
from collections.abc import Collection

# what the review card does by key: approve, comment, show the difference, edit, flag, quick approve, history, next,
# previous, keep mine or take theirs after a conflict, reopen, reject, skip, undo, redo, and the list of keys
RESERVED_KEYS = frozenset("acdefghjkmorstu?")
_OFFERED = [*"1234567890", *(letter for letter in string.ascii_lowercase if letter not in RESERVED_KEYS)]


def hotkey_fault(key: str) -> str:
    """Why a key cannot choose a class, as a sentence; empty when it can, and for no key."""
    if not key:
        return ""
    if len(key) != 1 or key.isspace() or not key.isprintable():
        return f"“{key[:20]}” is no hotkey: give one character."
    if key.lower() in RESERVED_KEYS:
        return f"The key “{key}” has a meaning of its own while reviewing. Free keys: {', '.join(_OFFERED)}."
    return ""


def free_hotkeys(number: int, *, taken: Collection[str] = ()) -> list[str]:
    """Keys that are not taken, digits first; empty texts when there are no more."""
    used = {key.lower() for key in taken}
    free = [key for key in _OFFERED if key not in used]
    return [*free[:number], *[""] * (number - len(free))]
