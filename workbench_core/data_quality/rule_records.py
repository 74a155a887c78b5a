"""The rules of a sheet in the store: read, insert, and change or remove them as a person saw them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

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


def change(store: Store, changed: Sequence[Rule]) -> None:
    """Write changed rules, each of which must still be of the version before its own; all of them or none.

    Call it inside a transaction. Raises ChangedByOthers, NotFound, Conflict for a taken name.
    """
    if not changed:
        return
    _check_unchanged(store, {rule.id: (rule.name, rule.row_version - 1) for rule in changed})
    names = [name for name in row_of(changed[0]) if name not in _KEPT]
    assignments = ", ".join(f"{name} = :{name}" for name in names)
    rows_ = [{name: value for name, value in row_of(rule).items() if name in ("id", *names)} for rule in changed]
    try:
        done = store.execute_many(
            f"UPDATE quality_rules SET {assignments} WHERE id = :id AND row_version = :row_version - 1",
            rows_,
            touches="quality_rules",
        )
    except AlreadyExists:
        raise Conflict("The sheet has a rule of this name already.", hint="Choose another name.") from None
    _check_all(done, changed)


def remove(store: Store, seen: Sequence[Rule]) -> None:
    """Remove rules that are still as the person saw them, all of them or none; past runs keep what they found.

    Call it inside a transaction. Raises ChangedByOthers, NotFound.
    """
    _check_unchanged(store, {rule.id: (rule.name, rule.row_version) for rule in seen})
    done = store.execute_many(
        "DELETE FROM quality_rules WHERE id = :id AND row_version = :seen",
        [{"id": rule.id, "seen": rule.row_version} for rule in seen],
        touches="quality_rules",
    )
    _check_all(done, seen)


def _check_unchanged(store: Store, seen: Mapping[str, tuple[str, int]]) -> None:
    """Say which of these rules (name and version by id) somebody else changed or deleted, and who."""
    found = store.query(
        "SELECT id, name, row_version, updated_by FROM quality_rules WHERE id IN :ids ORDER BY id", ids=list(seen)
    )
    there = {rows.text(row, "id"): row for row in found}
    for rule_id, (name, version) in seen.items():
        if rule_id not in there:
            raise NotFound(f"“{name}” was just deleted.", hint="Reload the rules.")
        if rows.whole(there[rule_id], "row_version") != version:
            who, kept = rows.text(there[rule_id], "updated_by"), rows.text(there[rule_id], "name")
            raise ChangedByOthers(f"“{kept}” was just changed by {who}.", hint="Reload and try again.")


def _check_all(done: int, wanted: Sequence[Rule]) -> None:
    if done != len(wanted):  # a change that came between the look and the write
        raise ChangedByOthers("A rule was just changed by somebody else.", hint="Reload and try again.")
