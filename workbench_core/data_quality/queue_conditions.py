"""Which items the fix queue lists, and which a decision about all of them is about, as SQL conditions."""

from __future__ import annotations

from workbench_core import rows
from workbench_core.data_quality.queue_items import Decision, QueueFilter
from workbench_core.data_quality.results import ItemKind
from workbench_core.data_quality.rules import Criticality
from workbench_core.ports import Value

LISTED = (
    "FROM quality_failures f LEFT JOIN quality_outcomes o ON o.quality_run_id = f.quality_run_id "
    "AND o.position = f.position LEFT JOIN quarantined_items q ON q.sheet_id = :sheet AND q.item_ref = f.item_ref"
)
_WHERE = (
    "f.quality_run_id = :run AND f.kind = :kind AND :rule IN ('', o.name) "
    "AND (LOWER(f.item_ref) LIKE LOWER(:pattern) ESCAPE '!' OR LOWER(f.value) LIKE LOWER(:pattern) ESCAPE '!') "
    "AND COALESCE(q.state, 'open') = :state"
)
_OF_SEVERITY = {
    None: "",
    Criticality.ERROR: " AND f.is_error = TRUE",
    Criticality.WARN: (
        " AND f.is_error = FALSE AND f.item_ref NOT IN (SELECT e.item_ref FROM quality_failures e "
        "WHERE e.quality_run_id = :run AND e.kind = :kind AND e.is_error = TRUE)"
    ),
}
# in each group the first item that nobody has set aside stays, so that one is left whatever was decided before
_BUT_THE_FIRST = (
    " AND f.item_ref NOT IN (SELECT k.item_ref FROM quality_failures k WHERE k.quality_run_id = :run "
    "AND k.kind = :kind AND k.number IN (SELECT MIN(g.number) FROM quality_failures g LEFT JOIN quarantined_items a "
    "ON a.sheet_id = :sheet AND a.item_ref = g.item_ref AND a.state = 'set_aside' WHERE g.quality_run_id = :run "
    "AND g.kind = :kind AND a.item_ref IS NULL GROUP BY g.group_number))"
)
ORDER = {
    ItemKind.FAILING: "problems DESC, f.item_ref",
    ItemKind.DUPLICATES: "group_number, f.item_ref",
    ItemKind.NEAR_DUPLICATES: "group_number, f.item_ref",
    ItemKind.OUTLIERS: "score DESC, f.item_ref",
}
_GROUPED = (ItemKind.DUPLICATES, ItemKind.NEAR_DUPLICATES)


def where(wanted: QueueFilter) -> str:
    """The condition on `LISTED` for what the queue lists."""
    return _WHERE + (_OF_SEVERITY[wanted.severity] if wanted.kind is ItemKind.FAILING else "")


def where_of_all(decision: Decision, wanted: QueueFilter, *, keep_first: bool) -> str:
    """The condition on `LISTED` for what a decision about everything that is listed is about."""
    keeps = keep_first and decision is Decision.SET_ASIDE and wanted.kind in _GROUPED
    return where(wanted) + (_BUT_THE_FIRST if keeps else "")


def parameters(sheet_id: str, run_id: str, wanted: QueueFilter) -> dict[str, Value]:
    """What the condition is bound to."""
    return {
        "sheet": sheet_id,
        "run": run_id,
        "kind": wanted.kind.value,
        "rule": wanted.rule,
        "pattern": rows.search_pattern(wanted.search),
        "state": wanted.state.value,
    }
