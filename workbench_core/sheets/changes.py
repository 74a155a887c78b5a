"""Who changed what on a sheet: what differs between two drafts, what it was before, and what late-comers are told."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from workbench_core.errors import ChangedByOthers, Invalid
from workbench_core.history import Event, History
from workbench_core.ports import Join, JoinSource, Json, Matches
from workbench_core.sheets.join_config import join_from, join_json
from workbench_core.sheets.model import Sheet, SheetDraft

REFUSED = " refused"  # ends the action of an attempt that came too late
_FIELD_WORDS = {
    "item_id_column": "identifier",
    "source": "source",
    "text_columns": "text columns",
    "image_columns": "picture columns",
    "metadata_columns": "other columns",
    "column_order": "order of columns",
    "sample_size": "sample",
    "sample_seed": "sample",
    "stratify_column": "sample",
}
_EXACT_WORDS = {"sample_size": "sample size", "sample_seed": "seed", "stratify_column": "classes of"}


@dataclass(frozen=True, slots=True)
class FieldChange:
    """One field of a sheet with what it was and what it became, as texts; empty for nothing."""

    field: str
    before: str
    after: str


# --- what differs ----------------------------------------------------------------------------------------------------


def changed_fields(before: SheetDraft, after: SheetDraft) -> list[str]:
    """What differs between two drafts, in a person's words; the order only when columns of both changed places."""
    return list(dict.fromkeys(_FIELD_WORDS.get(name, name) for name in _differing(before, after)))


def values_of(before: SheetDraft, after: SheetDraft) -> dict[str, Json]:
    """What the history keeps of a change: the fields that differ with their values before and after."""
    names = _differing(before, after)
    return {
        side: {name: _plain(getattr(draft, name)) for name in names}
        for side, draft in (("before", before), ("after", after))
    }


def field_changes(event: Event) -> list[FieldChange]:
    """What an event of the history changed; nothing for one that kept no values."""
    before, after = event.details.get("before"), event.details.get("after")
    if not isinstance(before, Mapping) or not isinstance(after, Mapping):
        return []
    names = dict.fromkeys((*before, *after))
    return [FieldChange(_title(name), _words(before.get(name)), _words(after.get(name))) for name in names]


def _differing(before: SheetDraft, after: SheetDraft) -> list[str]:
    names = [name for name in SheetDraft.__dataclass_fields__ if getattr(before, name) != getattr(after, name)]
    kept = set(before.columns) & set(after.columns)
    orders = ([name for name in draft.columns if name in kept] for draft in (before, after))
    if "column_order" in names and next(orders) == next(orders):
        names.remove("column_order")
    return names


def _plain(value: str | int | tuple[str, ...] | Join | None) -> Json:
    """A field of a draft as JSON."""
    if isinstance(value, Join):
        found: Json = json.loads(join_json(value))
        return found
    return list(value) if isinstance(value, tuple) else value


def _title(name: str) -> str:
    return _EXACT_WORDS.get(name) or _FIELD_WORDS.get(name, name.replace("_", " "))


def _words(value: Json) -> str:
    """A kept value as a person reads it."""
    if value is None or value == []:
        return ""
    if isinstance(value, list) and all(isinstance(one, str) for one in value):
        return ", ".join(str(one) for one in value)
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return _join_words(text) if isinstance(value, Mapping) else text


def _join_words(text: str) -> str:
    """A kept join as a person reads it; one that another version wrote as it stands."""
    try:
        join = join_from(text)
    except Invalid:
        return text
    if join is None:
        return ""
    sources = [f"{one.table} as {one.alias} ({_reading(one)})" for one in join.sources]
    keys = [f"{key.left.alias}.{key.left.column} = {key.right.alias}.{key.right.column}" for key in join.keys]
    window = join.window and (
        f"; {join.window.left.name} and {join.window.right.name} within {join.window.minutes:g} minutes"
    )
    return f"{join.kind} join of {', '.join(sources)} by {', '.join(keys) or 'no key'}{window or ''}"


def _reading(source: JoinSource) -> str:
    """What a join takes of a source."""
    parts = [str(source.role)]
    if source.columns is not None:
        parts.append(f"{len(source.columns):,} columns")
    if source.matches is not Matches.ALL:
        parts.append(f"{source.matches} match {source.order_column}".strip())
    return ", ".join(parts)


# --- two people ------------------------------------------------------------------------------------------------------


def outrun(history: History, sheet: Sheet, *, had: int) -> ChangedByOthers:
    """What the second of two people is told: who changed what since the version that they had."""
    changes = changes_since(history, sheet.id, had) or sheet.updated_by
    return ChangedByOthers(f"“{sheet.name}” was just changed by {changes}.", hint="Reload and try again.")


def note_refusal(history: History, sheet: Sheet, action: str, *, by: str, had: int) -> None:
    """What the first of two people finds in the history; call it outside the transaction that failed."""
    reason = f"{by} had version {had}, older than that of {sheet.updated_by}"
    history.add("sheet", sheet.id, f"{action}{REFUSED}", by=by, reason=reason, version=sheet.row_version)


def changes_since(history: History, sheet_id: str, version: int) -> str:
    """Who did what to a sheet since that version: “ben@example.com: filter, name; cleo@example.com: publish”."""
    later = [event for event in history.of("sheet", sheet_id) if _version(event) > version]
    by_person: dict[str, dict[str, None]] = {}
    for event in reversed(later):
        by_person.setdefault(event.by, {}).update(dict.fromkeys(_done(event)))
    return "; ".join(f"{person}: {', '.join(words)}" if words else person for person, words in by_person.items())


def _version(event: Event) -> int:
    value = event.details.get("version")
    return value if isinstance(value, int) and not event.action.endswith(REFUSED) else 0


def _done(event: Event) -> Sequence[str]:
    changed: Json = event.details.get("changed")
    return [str(name) for name in changed] if isinstance(changed, list) else [event.action]
