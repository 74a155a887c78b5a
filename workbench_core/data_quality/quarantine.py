"""Which items of a sheet a person has set aside; generation, pre-flight and tasks leave them out (DQ-8)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from workbench_core import rows
from workbench_core.ports import Lake, Selection, Store


class Quarantine:
    """Read what is set aside. The decisions themselves are made in the fix queue."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def refs(self, sheet_id: str) -> tuple[str, ...]:
        """The items of a sheet that are set aside."""
        found = self._store.query(
            "SELECT item_ref FROM quarantined_items WHERE sheet_id = :sheet AND state = 'set_aside' ORDER BY item_ref",
            sheet=sheet_id,
        )
        return tuple(rows.text(row, "item_ref") for row in found)

    def count(self, sheet_id: str) -> int:
        """How many items of a sheet are set aside, also those that its filter leaves out anyway."""
        found = self._store.query(
            "SELECT COUNT(*) AS items FROM quarantined_items WHERE sheet_id = :sheet AND state = 'set_aside'",
            sheet=sheet_id,
        )
        return rows.whole(found[0], "items")

    def counts(self, sheet_ids: Sequence[str]) -> dict[str, int]:
        """How many items of each of these sheets are set aside; a sheet without any is left out."""
        found = self._store.query(
            "SELECT sheet_id, COUNT(*) AS items FROM quarantined_items WHERE sheet_id IN :sheets "
            "AND state = 'set_aside' GROUP BY sheet_id ORDER BY sheet_id",
            sheets=list(sheet_ids),
        )
        return {rows.text(row, "sheet_id"): rows.whole(row, "items") for row in found}

    def without(self, selection: Selection, sheet_id: str) -> Selection:
        """The selection without the items that are set aside."""
        return replace(selection, excluded_refs=(*selection.excluded_refs, *self.refs(sheet_id)))

    def count_within(self, lake: Lake, selection: Selection, sheet_id: str) -> int:
        """How many rows of a selection are set aside; an item that a join repeats counts with all its rows."""
        refs = self.refs(sheet_id)
        if selection.item_refs is not None:
            chosen = set(selection.item_refs)
            refs = tuple(ref for ref in refs if ref in chosen)
        return lake.count(replace(selection, item_refs=refs)) if refs else 0
