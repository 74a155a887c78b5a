"""What the canonical labels of many items may be used for, without their answers."""

from __future__ import annotations

from collections.abc import Sequence

from workbench_core import rows, usage
from workbench_core.canonical_labels.model import CHUNK, chunks
from workbench_core.ports import Row, Store
from workbench_core.usage import UsageRules

NAMED_ITEMS = 4 * CHUNK  # up to so many items are asked for by name; for more, all labels of the sheet are read
_SELECT = (
    "SELECT item_ref, allowed_uses, prohibited_uses, usage_reason, classification FROM canonical_labels "
    "WHERE sheet_id = :sheet AND label_type = :label_type"
)


def usages(store: Store, sheet_id: str, item_refs: Sequence[str], label_type: str) -> dict[str, UsageRules]:
    """The usage rules of the label of each of these items that has one."""
    if len(item_refs) > NAMED_ITEMS:
        found = _rules(store.query(f"{_SELECT} ORDER BY item_ref", sheet=sheet_id, label_type=label_type))
        return {ref: found[ref] for ref in item_refs if ref in found}
    named: dict[str, UsageRules] = {}
    for chunk in chunks(item_refs):
        statement = f"{_SELECT} AND item_ref IN :refs ORDER BY item_ref"
        named |= _rules(store.query(statement, sheet=sheet_id, label_type=label_type, refs=chunk))
    return named


def _rules(found: Sequence[Row]) -> dict[str, UsageRules]:
    return {rows.text(row, "item_ref"): usage.from_row(row) for row in found}
