"""What a person changed on a sheet and did not save: kept for them when their browser reloads, or the app ends."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, fields
from datetime import datetime
from typing import cast

from workbench_core import rows
from workbench_core.clock import Clock
from workbench_core.errors import Invalid
from workbench_core.permissions import Action, Permissions
from workbench_core.ports import Json, Store
from workbench_core.sheets.join_config import join_from
from workbench_core.sheets.model import SheetDraft


@dataclass(frozen=True, slots=True)
class UnsavedSheet:
    """A draft, what the sheet was when it was begun, and which version that was."""

    row_version: int
    base: SheetDraft
    draft: SheetDraft
    changed_at: datetime


class UnsavedSheets:
    """One draft for each person and sheet, until it is saved or discarded."""

    def __init__(self, store: Store, permissions: Permissions, clock: Clock) -> None:
        self._store = store
        self._permissions = permissions
        self._clock = clock

    def keep(self, sheet_id: str, draft: SheetDraft, *, base: SheetDraft, row_version: int, by: str) -> None:
        """Keep what a person made of a version of a sheet, in place of what was kept before. Raises NotPermitted."""
        self._permissions.check(by, Action.EDIT_SHEETS)
        with self._store.transaction():
            self._store.execute(
                "INSERT INTO unsaved_sheets (sheet_id, person, row_version, base, draft, changed_at) "
                "VALUES (:sheet_id, :person, :row_version, :base, :draft, :changed_at) "
                "ON CONFLICT (sheet_id, person) DO UPDATE SET row_version = excluded.row_version, "
                "base = excluded.base, draft = excluded.draft, changed_at = excluded.changed_at",
                sheet_id=sheet_id,
                person=by,
                row_version=row_version,
                base=_to_json(base),
                draft=_to_json(draft),
                changed_at=self._clock(),
                touches="unsaved_sheets",
            )

    def get(self, sheet_id: str, *, by: str) -> UnsavedSheet | None:
        """What this person has not saved; None without anything, or when it was kept by another version of the app."""
        found = self._store.query(
            "SELECT row_version, base, draft, changed_at FROM unsaved_sheets "
            "WHERE sheet_id = :sheet_id AND person = :person",
            sheet_id=sheet_id,
            person=by,
        )
        try:
            return None if not found else UnsavedSheet(
                row_version=rows.whole(found[0], "row_version"),
                base=_from_json(rows.text(found[0], "base")),
                draft=_from_json(rows.text(found[0], "draft")),
                changed_at=rows.time(found[0], "changed_at"),
            )  # fmt: skip
        except Invalid:
            return None

    def forget(self, sheet_id: str, *, by: str) -> None:
        """Drop what this person had not saved: it was saved or discarded."""
        with self._store.transaction():
            self._store.execute(
                "DELETE FROM unsaved_sheets WHERE sheet_id = :sheet_id AND person = :person",
                sheet_id=sheet_id,
                person=by,
                touches="unsaved_sheets",
            )


def _to_json(draft: SheetDraft) -> str:
    return rows.to_json(asdict(draft))


def _from_json(text: str) -> SheetDraft:
    """A kept draft. Raises Invalid for one with other fields than this version of the app knows."""
    found: Json = json.loads(text)
    names = {field.name for field in fields(SheetDraft)}
    if not isinstance(found, dict) or set(found) != names:
        raise Invalid("This draft was kept by another version of the app.", hint="Change the sheet again.")
    values: dict[str, object] = {
        name: tuple(map(str, value)) if isinstance(value, list) else value for name, value in found.items()
    }
    join = found["join"]
    values["join"] = None if join is None else join_from(rows.to_json(join))
    return SheetDraft(**cast("dict[str, str]", values))  # type: ignore[arg-type]
