"""Look at a sheet as it stands: lake and store together, and what is kept of it (SH-6)."""

from __future__ import annotations

from dataclasses import replace

from workbench_core.clock import Clock
from workbench_core.errors import WorkbenchError
from workbench_core.ports import Lake, Store
from workbench_core.sheets import records, validation
from workbench_core.sheets.join_config import MeasuredJoin, measured_json
from workbench_core.sheets.model import Sheet, Validation


class Inspection:
    """Check sheets, and keep what was counted."""

    def __init__(self, store: Store, lake: Lake, clock: Clock) -> None:
        self._store = store
        self._lake = lake
        self._clock = clock

    def looked_at(self, sheet: Sheet, *, is_measuring: bool = False) -> Validation:
        """What lake and store say about a sheet now; a source that cannot be read is a result, not an exception."""
        try:
            found = validation.looked_at(self._lake, sheet)
            warnings = self._warnings(sheet, found, is_measuring=is_measuring)
            return replace(found, warnings=(*found.warnings, *warnings))
        except WorkbenchError as error:
            return Validation((f"{error.message} {error.hint}".strip(),), 0, None)

    def keep(self, sheet: Sheet, *, measured_by: str = "") -> Validation:
        """Check a sheet and store what was counted; the numbers of its join too when a person asked for them."""
        found = self.looked_at(sheet, is_measuring=bool(measured_by))
        if found.identifier is None:
            return found
        now, measured, is_stale = self._clock(), sheet.join_stats, sheet.is_join_stale
        if found.join_stats is not None and measured_by:
            measured, is_stale = MeasuredJoin(found.join_stats, now, measured_by), False
        elif found.join_stats is not None:
            is_stale = validation.is_stale(sheet, found)
        self._store.execute(
            "UPDATE sheets SET item_count = :count, validated_at = :now, join_stats = :join_stats, "
            "join_stats_stale = :is_stale WHERE id = :id AND row_version = :version",
            touches="sheets",
            count=found.item_count,
            now=now,
            join_stats=measured_json(measured),
            is_stale=is_stale,
            id=sheet.id,
            version=sheet.row_version,
        )
        return found

    def _warnings(self, sheet: Sheet, found: Validation, *, is_measuring: bool) -> list[str]:
        """What a person should know about a sheet that can be worked with."""
        warnings = []
        if records.has_name(self._store, sheet.name, except_for=sheet.id):
            warnings.append(f"Another sheet is called “{sheet.name}” too.")
        if validation.is_stale(sheet, found) and not is_measuring:
            warnings.append("The stored numbers of the join are stale: preview again.")
        if not found.problems:
            warnings += validation.lost_items(self._lake, sheet, records.labelled_items(self._store, sheet.id))
        return warnings
