"""Joins and their numbers as the store keeps them: JSON, read back strictly."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass, fields
from datetime import datetime
from enum import StrEnum
from typing import TypeVar

from workbench_core import rows
from workbench_core.errors import Invalid
from workbench_core.ports import (
    ColumnRef,
    Join,
    JoinKey,
    JoinKind,
    JoinSource,
    JoinStats,
    Json,
    Matches,
    SourceRole,
    TimeWindow,
)

_Word = TypeVar("_Word", bound=StrEnum)
_HINT = "It was not written by this version of the workbench."
_TABLE = re.compile(r'"table":\s*"((?:[^"\\\x00-\x1f]|\\["\\/bfnrt])*)"')


@dataclass(frozen=True, slots=True)
class MeasuredJoin:
    """How well the join of a sheet matched when somebody last looked (JN-3)."""

    stats: JoinStats
    measured_at: datetime
    measured_by: str


# --- out -------------------------------------------------------------------------------------------------------------


def join_json(join: Join | None) -> str:
    """The JSON text of a join; empty without one."""
    return "" if join is None else rows.to_json(asdict(join))


def measured_json(measured: MeasuredJoin | None) -> str:
    """The JSON text of measured numbers; empty without them."""
    if measured is None:
        return ""
    when = {"measured_at": measured.measured_at.isoformat(), "measured_by": measured.measured_by}
    return rows.to_json({**asdict(measured.stats), **when})


# --- in --------------------------------------------------------------------------------------------------------------


def join_from(text: str) -> Join | None:
    """Read a join back. Raises Invalid for anything that is not exactly one."""
    if not text:
        return None
    entry = _object(_parsed(text), {"sources", "keys", "kind", "window"})
    window = entry["window"]
    return Join(
        sources=tuple(_source(one) for one in _list(entry["sources"])),
        keys=tuple(_key(one) for one in _list(entry["keys"])),
        kind=_word(JoinKind, entry["kind"]),
        window=None if window is None else _window(window),
    )


def tables_of(source: str, join_config: str) -> tuple[str, ...]:
    """All tables and volumes that a stored sheet reads, the primary one first; it never raises.

    Of a join that cannot be read any more these are the source and whatever it calls a table, so that nothing that
    somebody may want back is taken for unused.
    """
    try:
        join = join_from(join_config)
        return (source,) if join is None else join.tables
    except Invalid:
        named = (json.loads(f'"{text}"') for text in _TABLE.findall(join_config))
        return tuple(dict.fromkeys((source, *named)))


def measured_from(text: str) -> MeasuredJoin | None:
    """Read measured numbers back. Raises Invalid like `join_from`."""
    if not text:
        return None
    numbers = [field.name for field in fields(JoinStats)]
    found = _parsed(text)
    if isinstance(found, dict):
        found = {name: value for name, value in found.items() if name in {*numbers, "measured_at", "measured_by"}}
        found.setdefault("repeated_rows", 0)  # older numbers do not have it
    entry = _object(found, {*numbers, "measured_at", "measured_by"})
    stats = JoinStats(*(_whole(entry[name]) for name in numbers))
    try:
        return MeasuredJoin(stats, datetime.fromisoformat(_text(entry["measured_at"])), _text(entry["measured_by"]))
    except ValueError as error:
        raise _wrong("a time", entry["measured_at"]) from error


def _source(value: Json) -> JoinSource:
    entry = _object(value, {"table", "alias", "role", "columns", "matches", "order_column"})
    columns = entry["columns"]
    return JoinSource(
        table=_text(entry["table"]),
        alias=_text(entry["alias"]),
        role=_word(SourceRole, entry["role"]),
        columns=None if columns is None else tuple(_text(name) for name in _list(columns)),
        matches=_word(Matches, entry["matches"]),
        order_column=_text(entry["order_column"]),
    )


def _key(value: Json) -> JoinKey:
    entry = _object(value, {"left", "right"})
    return JoinKey(_column(entry["left"]), _column(entry["right"]))


def _window(value: Json) -> TimeWindow:
    entry = _object(value, {"left", "right", "minutes"})
    minutes = entry["minutes"]
    if isinstance(minutes, bool) or not isinstance(minutes, int | float):
        raise _wrong("a number", minutes)
    return TimeWindow(_column(entry["left"]), _column(entry["right"]), float(minutes))


def _column(value: Json) -> ColumnRef:
    entry = _object(value, {"alias", "column"})
    return ColumnRef(_text(entry["alias"]), _text(entry["column"]))


def _parsed(text: str) -> Json:
    try:
        value: Json = json.loads(text)
    except ValueError as error:
        raise Invalid(f"The join of this sheet cannot be read: {error}.", hint=_HINT) from error
    return value


def _object(value: Json, names: Collection[str]) -> Mapping[str, Json]:
    if not isinstance(value, dict) or set(value) != set(names):
        raise _wrong(f"an object with {', '.join(sorted(names))}", value)
    return value


def _list(value: Json) -> list[Json]:
    if not isinstance(value, list):
        raise _wrong("a list", value)
    return value


def _text(value: Json) -> str:
    if not isinstance(value, str):
        raise _wrong("a text", value)
    return value


def _whole(value: Json) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise _wrong("a whole number", value)
    return value


def _word(kind: type[_Word], value: Json) -> _Word:
    if not isinstance(value, str) or value not in set(kind):
        raise _wrong(f"one of {', '.join(kind)}", value)
    return kind(value)


def _wrong(wanted: str, value: Json) -> Invalid:
    found = rows.to_json(value)[:80]
    return Invalid(f"The join of this sheet cannot be read: {found} is not {wanted}.", hint=_HINT)
