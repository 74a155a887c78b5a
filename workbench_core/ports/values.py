"""Types that several ports share."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TypeAlias

Value: TypeAlias = "str | int | float | bool | bytes | datetime | None"
Row: TypeAlias = "dict[str, Value]"
Json: TypeAlias = "str | int | float | bool | list[Json] | dict[str, Json] | None"


@dataclass(frozen=True, slots=True)
class Availability:
    """Whether a part can be used now; when not, why not and what to do about it."""

    is_ready: bool
    reason: str = ""
    hint: str = ""
