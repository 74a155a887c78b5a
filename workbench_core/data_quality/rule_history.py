"""What happened to rules, as the history keeps it: every rule whole before and after; and the same in words."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence

from workbench_core import rows
from workbench_core.data_quality.check_functions import CHECK_FUNCTIONS
from workbench_core.data_quality.rules import Rule, RuleDraft
from workbench_core.ports import Json

CHANGES = "changes"
Change = tuple[Rule | None, Rule | None]
"""A rule before and after; None before it was added, and after it was deleted."""
_TITLES: Mapping[str, str] = {
    "name": "name", "is_enabled": "", "criticality": "a failure is", "filter": "only rows where",
    "reason": "reason", "user_metadata": "metadata",
}  # fmt: skip
_CRITICALITIES = {"error": "an error", "warn": "a warning"}


def details_of(changes: Sequence[Change]) -> dict[str, Json]:
    """What an event keeps of changed rules: their names, and each of them whole before and after."""
    names: list[Json] = [rule.name for before, after in changes if (rule := after or before)]
    kept: list[Json] = [{"before": _kept(before), "after": _kept(after)} for before, after in changes]
    return {"rules": names, CHANGES: kept}


def words_of(details: Mapping[str, Json]) -> tuple[str, ...]:
    """The changes of an event in words, a line for each rule: “price”: limit 0 → 5; empty when it changed no rule."""
    changes = details.get(CHANGES)
    if not isinstance(changes, list):
        return ()
    return tuple(_line(change) for change in changes if isinstance(change, dict))


def _kept(rule: Rule | None) -> Json:
    if rule is None:
        return None
    draft = rule.draft
    return {
        "id": rule.id,
        "row_version": rule.row_version,
        "name": draft.name,
        "function": draft.function,
        "columns": list(draft.columns),
        "arguments": dict(draft.arguments),
        "criticality": draft.criticality.value,
        "filter": draft.filter,
        "is_enabled": draft.is_enabled,
        "origin": draft.origin.value,
        "reason": draft.reason,
        "user_metadata": dict(draft.user_metadata),
    }


def _line(change: Mapping[str, Json]) -> str:
    before, after = change.get("before"), change.get("after")
    if isinstance(before, dict) and isinstance(after, dict):
        return f"“{before.get('name')}”: {'; '.join(_differences(before, after)) or 'as it was'}"
    if isinstance(after, dict):
        return f"“{after.get('name')}” added: {_meaning(after)}"
    return f"“{before.get('name')}” deleted: {_meaning(before)}" if isinstance(before, dict) else ""


def _differences(before: Mapping[str, Json], after: Mapping[str, Json]) -> Iterator[str]:
    if (then := _meaning(before)) != (now := _meaning(after)):
        yield f"{then} → {now}"
    for key, title in _TITLES.items():
        then, now = _shown(key, before.get(key)), _shown(key, after.get(key))
        if then != now:
            yield f"{title} {then} → {now}".strip()


def _meaning(kept: Mapping[str, Json]) -> str:
    """What a kept rule demands; of a function that there is no more, its name and arguments."""
    function, columns, arguments = str(kept.get("function")), kept.get("columns"), kept.get("arguments")
    names = tuple(str(name) for name in columns) if isinstance(columns, list) else ()
    given = arguments if isinstance(arguments, dict) else {}
    if function not in CHECK_FUNCTIONS:
        return f"{function} {rows.to_json(given)}"
    return RuleDraft(function, names, given).meaning


def _shown(key: str, value: Json) -> str:
    if key == "is_enabled":
        return "enabled" if value else "disabled"
    if key == "criticality":
        return _CRITICALITIES.get(str(value), str(value))
    if isinstance(value, dict):
        return json.dumps(value, ensure_ascii=False, sort_keys=True) if value else "none"
    return str(value) if value else "none"
