"""Names of columns as a table needs them: none empty, no two alike; what was changed is told."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from workbench_core.errors import Invalid

MAX_COLUMNS = 5_000
SHOWN = 5  # changed names that a note lists
CONTROL = re.compile(r"[\x00-\x1f\x7f]+")


@dataclass(frozen=True, slots=True)
class Names:
    """The names of a file's columns as they will be, as they were, and sentences on what was changed."""

    names: tuple[str, ...]
    originals: tuple[str, ...]
    notes: tuple[str, ...] = ()


def repaired(originals: Sequence[str]) -> Names:
    """Give a name to columns that have none (`column_3`) and a number to repeated ones (`price_2`).

    Names are alike when they differ in nothing but case, as databases see them. A number never makes a name that the
    file has elsewhere. Raises Invalid for more columns than a table may have.
    """
    if len(originals) > MAX_COLUMNS:
        raise Invalid(
            f"The file has {len(originals):,} columns; a table may have {MAX_COLUMNS:,}.",
            hint="Keep only the columns that you need, or turn columns into rows.",
        )
    cleaned = [CONTROL.sub(" ", name).strip() for name in originals]
    taken = {name.casefold() for name in cleaned if name}
    seen: set[str] = set()
    names, nameless, repeated = [], [], []
    for number, name in enumerate(cleaned, start=1):
        new = name
        if not name:
            new = _free(f"column_{number}", taken)
            nameless.append(new)
        elif name.casefold() in seen:
            new = _numbered(name, taken)
            repeated.append(f"“{name}” is now “{new}”")
        seen.add(new.casefold())
        taken.add(new.casefold())
        names.append(new)
    return Names(tuple(names), tuple(originals), (*_on_nameless(nameless), *_on_repeated(repeated)))


def _free(name: str, taken: set[str]) -> str:
    return name if name.casefold() not in taken else _numbered(name, taken)


def _numbered(name: str, taken: set[str]) -> str:
    number = 2
    while f"{name}_{number}".casefold() in taken:
        number += 1
    return f"{name}_{number}"


def _on_nameless(names: Sequence[str]) -> list[str]:
    if not names:
        return []
    if len(names) == 1:
        return [f"A column without a name is called “{names[0]}”."]
    return [f"{len(names):,} columns without a name are called {_listed([f'“{name}”' for name in names])}."]


def _on_repeated(changes: Sequence[str]) -> list[str]:
    return [f"Column names that occur twice got a number: {_listed(changes)}."] if changes else []


def _listed(texts: Sequence[str]) -> str:
    more = f" and {len(texts) - SHOWN:,} more" if len(texts) > SHOWN else ""
    return ", ".join(texts[:SHOWN]) + more
