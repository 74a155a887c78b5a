"""What is at stake when a sheet gets another source or identifier: its labels belong to the items it has now (SH-4)."""

from __future__ import annotations

from dataclasses import dataclass

from workbench_core.ports import Lake, Store
from workbench_core.sheets import records, validation
from workbench_core.sheets.joins import bare_identifier
from workbench_core.sheets.model import Dependants, Sheet, SheetDraft


@dataclass(frozen=True, slots=True)
class Stake:
    """What refers to the items of a sheet that is to have others.

    Of `labelled` items, the new source has `found` under the new identifier. `before` and `after` are table and column.
    """

    used: Dependants
    labelled: int
    found: int
    before: tuple[str, str]
    after: tuple[str, str]

    def words(self) -> str:
        """In two or three sentences: what refers to the items, what is found again, and what happens to the others."""
        (table, column), refers = self.after, "refers" if self.used.total == 1 else "refer"
        if not self.labelled:
            return (
                f"{self.used.words()} {refers} to the items, which would be those of {table} by {column}. "
                "What was made from the present items stays as it is."
            )
        items = f"{self.labelled:,} labelled item{'' if self.labelled == 1 else 's'}"
        found = (
            f"{self.used.words()} {refers} to the items. Of {items} {self.found:,} are found in {table} by {column}."
        )
        rest = " Labels of the others stay and count again when their items come back."
        return f"{found}{rest if self.found < self.labelled else ''}"


def at_stake(store: Store, lake: Lake, sheet: Sheet, draft: SheetDraft) -> Stake | None:
    """What refers to the items of a sheet if the draft gives it others; None when it does not, or nothing does.

    Raises Invalid and NotFound for a source or identifier that cannot be read.
    """
    before, after = bare_identifier(sheet.draft), bare_identifier(draft)
    if before == after:
        return None
    used = records.dependants(store, sheet.id)
    if not used.total:
        return None
    labelled = records.labelled_items(store, sheet.id)
    every, found = validation.found_items(lake, draft.relation, draft.item_id_column, labelled)
    return Stake(used, every, found, before, after)
