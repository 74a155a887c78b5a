"""What a decision changed in a pair, kept so that undo gives it back exactly and redo does it again."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime
from enum import IntEnum
from typing import Any

from workbench_core.pairs.model import Pair, QualityFlag, ResponseSource, ReviewStatus
from workbench_core.ports import Json


class Side(IntEnum):
    """Before or after the decision: the place in each kept change."""

    BEFORE = 0
    AFTER = 1


def _time(value: Json) -> datetime | None:
    return datetime.fromisoformat(str(value)) if value else None


def _flags(value: Json) -> tuple[QualityFlag, ...]:
    assert isinstance(value, list)
    return tuple(QualityFlag(str(flag)) for flag in value)


def _same(value: Json) -> Json:
    return value


# the answer itself and the canonical label have columns of their own
_READERS: Mapping[str, Callable[[Json], Any]] = {
    "original_answer": _same,
    "response_source": lambda value: ResponseSource(str(value)),
    "review_status": lambda value: ReviewStatus(str(value)),
    "was_auto_approved": _same,
    "reviewed_by": _same,
    "reviewed_at": _time,
    "review_note": _same,
    "quality_score": _same,
    "generation_error": _same,
    "quality_flags": _flags,
}


def changes_of(before: Pair, after: Pair) -> dict[str, Json]:
    """The columns that differ, each with its former and its new value."""
    return {
        name: [_kept(old), _kept(new)]
        for name in _READERS
        if (old := getattr(before, name)) != (new := getattr(after, name))
    }


def with_side(pair: Pair, changes: Mapping[str, Json], side: Side) -> Pair:
    """The pair with the kept values of one side, its answer and label apart."""
    values: dict[str, Any] = {}
    for name, both in changes.items():
        assert isinstance(both, list)
        values[name] = _READERS[name](both[side])
    return replace(pair, **values)


def _kept(value: object) -> Json:
    """A value as JSON keeps it."""
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, tuple):
        return [str(entry) for entry in value]
    if isinstance(value, str):
        return str(value)
    assert value is None or isinstance(value, bool | int | float)
    return value
