"""Between store rows and Python: typed values out of columns, JSON into them, and text to search them by."""

from __future__ import annotations

import json
from datetime import datetime

from workbench_core.ports import Json, Row


def text(row: Row, name: str) -> str:
    """A text column; NULL reads as empty."""
    value = row[name]
    return "" if value is None else str(value)


def whole(row: Row, name: str) -> int:
    """An integer column; NULL reads as 0."""
    value = row[name]
    assert value is None or isinstance(value, int | float | str)
    return int(value or 0)


def whole_or_none(row: Row, name: str) -> int | None:
    """An integer column that may be NULL."""
    return None if row[name] is None else whole(row, name)


def number(row: Row, name: str) -> float:
    """A number column; NULL reads as 0."""
    value = row[name]
    assert value is None or isinstance(value, int | float | str)
    return float(value or 0)


def number_or_none(row: Row, name: str) -> float | None:
    """A number column that may be NULL."""
    return None if row[name] is None else number(row, name)


def flag(row: Row, name: str) -> bool:
    """A boolean column; SQLite gives 0 and 1."""
    return bool(row[name])


def time(row: Row, name: str) -> datetime:
    """A time column, aware UTC."""
    value = row[name]
    assert isinstance(value, datetime)
    return value


def time_or_none(row: Row, name: str) -> datetime | None:
    """A time column that may be NULL."""
    return None if row[name] is None else time(row, name)


def json_list(row: Row, name: str) -> list[Json]:
    """A list kept as JSON text."""
    value: Json = json.loads(text(row, name) or "[]")
    assert isinstance(value, list)
    return value


def json_texts(row: Row, name: str) -> tuple[str, ...]:
    """A list of texts kept as JSON text."""
    return tuple(str(entry) for entry in json_list(row, name))


def json_object(row: Row, name: str) -> dict[str, Json]:
    """An object kept as JSON text."""
    value: Json = json.loads(text(row, name) or "{}")
    assert isinstance(value, dict)
    return value


def to_json(value: object) -> str:
    """JSON text as tables keep it: readable, without ASCII escapes."""
    return json.dumps(value, ensure_ascii=False)


def search_pattern(search: str) -> str:
    """What a person typed, for `LOWER(column) LIKE LOWER(:pattern) ESCAPE '!'`; every character counts as itself."""
    escaped = search.strip().replace("!", "!!").replace("%", "!%").replace("_", "!_")
    return f"%{escaped}%"
