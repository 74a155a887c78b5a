"""The way of one gap: found, task, labels, training sheet, job, evaluation, closure, as it happened."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from workbench_core import rows
from workbench_core.gaps.model import Gap
from workbench_core.ports import Row, Store

_OF_TASKS = "FROM labeling_tasks t WHERE t.gap_id = :gap AND t.status <> 'cancelled'"
_TASK_ITEMS = (
    f"SELECT i.item_ref FROM labeling_task_items i WHERE i.part = 'train' AND i.task_id IN (SELECT t.id {_OF_TASKS})"
)
_JOBS = (
    "FROM training_jobs j JOIN training_job_pairs u ON u.job_id = j.id AND u.split IN ('train', 'validation') "
    f"WHERE j.model_name = :model AND j.status = 'succeeded' AND u.item_ref IN ({_TASK_ITEMS})"
)
_QUERIES = {
    "task": "SELECT t.id, t.created_at AS happened_at, "
    "(SELECT COUNT(*) FROM labeling_task_items i WHERE i.task_id = t.id) AS items "
    f"{_OF_TASKS} ORDER BY t.created_at DESC, t.id LIMIT 1",
    "labels": "SELECT MAX(p.training_sheet_id) AS id, "
    "MAX(CASE WHEN p.review_status IN ('approved', 'edited') THEN p.reviewed_at END) AS happened_at, "
    "SUM(CASE WHEN p.review_status IN ('approved', 'edited') THEN 1 ELSE 0 END) AS items, "
    "SUM(CASE WHEN p.review_status IN ('pending', 'flagged') THEN 1 ELSE 0 END) AS waiting "
    f"FROM pairs p WHERE p.training_sheet_id IN (SELECT t.training_sheet_id {_OF_TASKS})",
    "training_sheet": "SELECT s.id, s.created_at AS happened_at, COUNT(*) AS items FROM training_sheets s "
    "JOIN pairs p ON p.training_sheet_id = s.id AND p.review_status IN ('approved', 'edited') "
    f"WHERE s.sheet_id = :sheet AND s.label_type = :label_type AND p.item_ref IN ({_TASK_ITEMS}) "
    f"AND s.id NOT IN (SELECT t.training_sheet_id {_OF_TASKS}) "
    "GROUP BY s.id, s.created_at ORDER BY s.created_at DESC, s.id LIMIT 1",
    "job": f"SELECT j.id, j.completed_at AS happened_at, COUNT(*) AS items {_JOBS} "
    "GROUP BY j.id, j.completed_at ORDER BY j.completed_at DESC, j.id LIMIT 1",
    "evaluation": "SELECT e.id, e.completed_at AS happened_at, e.item_count AS items FROM evaluations e "
    "JOIN model_versions v ON v.model_name = e.model_name AND v.version = e.version "
    f"WHERE e.status = 'succeeded' AND e.dataset_kind <> 'gap' AND v.job_id IN (SELECT j.id {_JOBS}) "
    "ORDER BY e.completed_at DESC, e.id LIMIT 1",
    "closure": "SELECT c.id, c.computed_at AS happened_at, c.item_count AS items FROM gap_closures c "
    "WHERE c.gap_id = :gap ORDER BY c.computed_at DESC, c.id LIMIT 1",
}


class ChainLink(StrEnum):
    """The steps of the way, in their order."""

    FOUND = "found"
    TASK = "task"
    LABELS = "labels"
    TRAINING_SHEET = "training_sheet"
    JOB = "job"
    EVALUATION = "evaluation"
    CLOSURE = "closure"


@dataclass(frozen=True, slots=True)
class ChainStep:
    """One step: when it happened last, and on how many items; without a time it has not happened yet.

    `subject_id` is the record it made: a gap, task, training sheet, job, evaluation or closure. The steps training
    sheet and job count the items of the gap's task that went into them; `waiting` items of its queue are undecided.
    """

    link: ChainLink
    subject_id: str = ""
    happened_at: datetime | None = None
    count: int = 0
    waiting: int = 0

    @property
    def is_done(self) -> bool:
        """Whether it has happened, and nothing of it waits any more."""
        return self.happened_at is not None and not self.waiting


def chain(store: Store, gap: Gap) -> tuple[ChainStep, ...]:
    """All steps of a gap, one statement each."""
    found = ChainStep(ChainLink.FOUND, gap.id, gap.first_seen_at, gap.item_count)
    params = {"gap": gap.id, "sheet": gap.sheet_id, "label_type": gap.label_type, "model": gap.model_name}
    later = (_step(ChainLink(name), store.query(sql, **params)) for name, sql in _QUERIES.items())
    return (found, *later)


def _step(link: ChainLink, found: list[Row]) -> ChainStep:
    if not found:
        return ChainStep(link)
    row = found[0]
    waiting = rows.whole(row, "waiting") if "waiting" in row else 0
    happened_at = rows.time_or_none(row, "happened_at")
    return ChainStep(link, rows.text(row, "id"), happened_at, rows.whole(row, "items"), waiting)
