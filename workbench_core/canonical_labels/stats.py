"""What the labels of a sheet are, counted in the store (CL-11)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from workbench_core import rows
from workbench_core.canonical_labels.model import LABEL_COLUMNS, Coverage, LabelStats, label_from
from workbench_core.ports import Store

MOST_REUSED = 10
_OF_SHEET = "WHERE sheet_id = :sheet AND (:label_type = '' OR label_type = :label_type)"
_CONFIDENCE = "CASE WHEN confidence >= 0.9 THEN 'high' WHEN confidence >= 0.7 THEN 'medium' ELSE 'low' END"


def label_stats(store: Store, sheet_id: str, label_type: str, coverage: Sequence[Coverage]) -> LabelStats:
    """Counts of the labels of a sheet for one label type or for all, beside their coverage."""
    grouped = store.query(
        f"SELECT {_CONFIDENCE} AS confidence, classification, labeled_by, COUNT(*) AS labels FROM canonical_labels "
        f"{_OF_SHEET} GROUP BY {_CONFIDENCE}, classification, labeled_by ORDER BY labels DESC, labeled_by",
        sheet=sheet_id,
        label_type=label_type,
    )
    counts = {name: Counter[str]() for name in ("confidence", "classification", "labeled_by")}
    for row in grouped:
        for name, counter in counts.items():
            counter[rows.text(row, name)] += rows.whole(row, "labels")
    reused = store.query(
        f"SELECT {LABEL_COLUMNS} FROM canonical_labels {_OF_SHEET} AND reuse_count > 0 "
        "ORDER BY reuse_count DESC, item_ref, label_type LIMIT :most",
        sheet=sheet_id,
        label_type=label_type,
        most=MOST_REUSED,
    )
    return LabelStats(
        coverage=tuple(coverage),
        by_confidence=dict(counts["confidence"].most_common()),
        by_classification=dict(counts["classification"].most_common()),
        contributors=dict(counts["labeled_by"].most_common()),
        most_reused=tuple(label_from(row) for row in reused),
    )
