"""The rules of a sheet in the store: read, insert, change under a version, remove."""

from __future__ import annotations

from collections.abc import Sequence

from workbench_core import rows
from workbench_core.data_quality.rules import COLUMNS, Rule, row_of, rule_from
from workbench_core.errors import AlreadyExists, ChangedByOthers, Conflict, NotFound
from workbench_core.ports import Store

_KEPT = ("id", "sheet_id", "created_by", "created_at")


def of_sheet(store: Store, sheet_id: str) -> list[Rule]:
    """All rules of a sheet in the order in which they were made."""
    found = store.query(
        f"SELECT {COLUMNS} FROM quality_rules WHERE sheet_id = :sheet ORDER BY created_at, name", sheet=sheet_id
    )
    return [rule_from(row) for row in found]


def counts(store: Store, sheet_ids: Sequence[str]) -> dict[str, int]:
    """How many rules each of these sheets has; a sheet without any is left out."""
    found = store.query(
        "SELECT sheet_id, COUNT(*) AS rules FROM quality_rules WHERE sheet_id IN :sheets "
        "GROUP BY sheet_id ORDER BY sheet_id",
        sheets=list(sheet_ids),
    )
    return {rows.text(row, "sheet_id"): rows.whole(row, "rules") for row in found}


def get(store: Store, rule_id: str) -> Rule:
    """One rule. Raises NotFound."""
    found = store.query(f"SELECT {COLUMNS} FROM quality_rules WHERE id = :id", id=rule_id)
    if not found:
        raise NotFound("This rule does not exist any more.", hint="Reload the rules.")
    return rule_from(found[0])


def insert(store: Store, made: Sequence[Rule]) -> None:
    """Add rules. Raises Conflict when the sheet has a rule of such a name."""
    try:
        store.append("quality_rules", [row_of(rule) for rule in made])
    except AlreadyExists:
        raise Conflict("The sheet has a rule of this name already.", hint="Choose another name.") from None


def change(store: Store, rule: Rule, *, expected: int) -> None:
    """Write a changed rule whose row is still of the expected version. Raises ChangedByOthers, Conflict."""
    values = {name: value for name, value in row_of(rule).items() if name not in _KEPT}
    assignments = ", ".join(f"{name} = :{name}" for name in values)
    try:
        changed = store.execute(
            f"UPDATE quality_rules SET {assignments} WHERE id = :id AND row_version = :expected",
            touches="quality_rules",
            id=rule.id,
            expected=expected,
            **values,
        )
    except AlreadyExists:
        raise Conflict(f"The sheet has a rule “{rule.name}” already.", hint="Choose another name.") from None
    if not changed:
        found = store.query("SELECT updated_by FROM quality_rules WHERE id = :id", id=rule.id)
        if not found:
            raise NotFound(f"“{rule.name}” was just deleted.", hint="Reload the rules.")
        raise ChangedByOthers(
            f"“{rule.name}” was just changed by {rows.text(found[0], 'updated_by')}.", hint="Reload and try again."
        )


def remove(store: Store, rule_ids: Sequence[str]) -> int:
    """Remove rules; what past runs found stays with them."""
    return store.execute("DELETE FROM quality_rules WHERE id IN :ids", touches="quality_rules", ids=list(rule_ids))
