"""Pairs counted by status and source, out of the indexes alone: their rows are long and many."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from workbench_core import rows
from workbench_core.pairs.filters import SPECIAL
from workbench_core.pairs.model import PairCounts, ResponseSource, ReviewStatus
from workbench_core.ports import Store

_SOURCES = ", ".join(
    f"SUM(CASE WHEN response_source = '{source}' THEN 1 ELSE 0 END) AS {source}" for source in ResponseSource
)


@dataclass(frozen=True, slots=True)
class StatusCounts:
    """The pairs of a training sheet in one status: by source, and those that a canonical label approved."""

    training_sheet_id: str
    status: ReviewStatus
    by_source: Mapping[ResponseSource, int]
    auto_approved: int


def counts_by_status_and_source(store: Store, training_sheet_ids: Sequence[str]) -> list[StatusCounts]:
    """The pairs of training sheets by status and source; a sum for each source takes a fifth of a sort by it."""
    return [
        StatusCounts(
            rows.text(row, "training_sheet_id"),
            ReviewStatus(rows.text(row, "review_status")),
            {source: number for source in ResponseSource if (number := rows.whole(row, source.value))},
            rows.whole(row, "auto_approved"),
        )
        for row in store.query(
            f"SELECT training_sheet_id, review_status, {_SOURCES}, "
            "SUM(CASE WHEN was_auto_approved THEN 1 ELSE 0 END) AS auto_approved "
            "FROM pairs WHERE training_sheet_id IN :ids GROUP BY 1, 2 ORDER BY 1, 2",
            ids=list(training_sheet_ids),
        )
    ]


def pair_counts(store: Store, training_sheet_ids: Sequence[str]) -> dict[str, PairCounts]:
    """The counts of each of these training sheets (INV-8)."""
    groups: dict[str, list[StatusCounts]] = {sheet_id: [] for sheet_id in training_sheet_ids}
    for one in counts_by_status_and_source(store, training_sheet_ids):
        groups[one.training_sheet_id].append(one)
    errors = {
        rows.text(row, "training_sheet_id"): rows.whole(row, "pairs")
        for row in store.query(
            f"SELECT training_sheet_id, COUNT(*) AS pairs FROM pairs WHERE training_sheet_id IN :ids AND {SPECIAL} "
            "AND generation_error <> '' GROUP BY 1 ORDER BY 1",
            ids=list(training_sheet_ids),
        )
    }
    return {sheet_id: _counts(found, errors.get(sheet_id, 0)) for sheet_id, found in groups.items()}


def _counts(groups: Sequence[StatusCounts], errors: int) -> PairCounts:
    by_status: dict[str, int] = defaultdict(int)
    by_source: dict[ResponseSource, int] = defaultdict(int)
    for one in groups:
        for source, pairs in one.by_source.items():
            by_status[one.status] += pairs
            by_source[source] += pairs
    return PairCounts(
        total=sum(by_status.values()),
        auto_approved=sum(one.auto_approved for one in groups),
        errors=errors,
        by_source=dict(by_source),
        **{status.value: by_status[status] for status in ReviewStatus},
    )
