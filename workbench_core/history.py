"""Who did what to which record, and when; rows are only ever added."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from workbench_core import rows
from workbench_core.clock import Clock, new_id
from workbench_core.ports import Json, Row, Store


@dataclass(frozen=True, slots=True)
class Event:
    """One line of the history."""

    subject_kind: str
    subject_id: str
    action: str
    by: str
    happened_at: datetime
    details: dict[str, Json]


class History:
    """Append to the history and read it back."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    def add(self, subject_kind: str, subject_id: str, action: str, *, by: str, **details: Json) -> None:
        """Record one action; call it inside the transaction that does the action."""
        self.add_many(subject_kind, [subject_id], action, by=by, **details)

    def add_many(self, subject_kind: str, subject_ids: Sequence[str], action: str, *, by: str, **details: Json) -> None:
        """Record the same action for many records in one statement."""
        now = self._clock()
        text = rows.to_json(details)
        self._store.append(
            "history",
            [
                {
                    "id": new_id("event"),
                    "subject_kind": subject_kind,
                    "subject_id": subject_id,
                    "action": action,
                    "by_user": by,
                    "happened_at": now,
                    "details": text,
                }
                for subject_id in subject_ids
            ],
        )

    def of(self, subject_kind: str, subject_id: str, *, limit: int = 100) -> list[Event]:
        """The history of one record, newest first."""
        found = self._store.query(
            "SELECT subject_kind, subject_id, action, by_user, happened_at, details FROM history "
            "WHERE subject_kind = :kind AND subject_id = :id ORDER BY happened_at DESC, id LIMIT :limit",
            kind=subject_kind,
            id=subject_id,
            limit=limit,
        )
        return [_event(row) for row in found]

    def recent(self, *, limit: int = 50) -> list[Event]:
        """The latest actions on anything, newest first."""
        found = self._store.query(
            "SELECT subject_kind, subject_id, action, by_user, happened_at, details FROM history "
            "ORDER BY happened_at DESC, id LIMIT :limit",
            limit=limit,
        )
        return [_event(row) for row in found]


def _event(row: Row) -> Event:
    return Event(
        subject_kind=rows.text(row, "subject_kind"),
        subject_id=rows.text(row, "subject_id"),
        action=rows.text(row, "action"),
        by=rows.text(row, "by_user"),
        happened_at=rows.time(row, "happened_at"),
        details=rows.json_object(row, "details"),
    )
