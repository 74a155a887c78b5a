"""What a gap is: its words, its life and how it is stored."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from workbench_core import rows
from workbench_core.lifecycle import Lifecycle
from workbench_core.ports import Json, Row
from workbench_core.slices import GapSeverity, Predicate
from workbench_core.statistics import Interval

COLUMNS = (
    "id, fingerprint, model_name, version, sheet_id, prompt_template_id, label_type, gap_type, severity, description, "
    "predicate, evidence_type, evidence, item_count, failure_count, error_rate, error_low, error_high, overall_rate, "
    "q_value, estimated_records, priority, occurrences, status, note, is_demo, row_version, identified_by, "
    "first_seen_at, last_seen_at"
)
_STORED = ", ".join(f"g.{name}" for name in COLUMNS.split(", ") if name != "status")
# a gap is in progress as soon as somebody has decided the first item of its task (spec 2.12)
FROM = (
    f"FROM (SELECT {_STORED}, CASE WHEN g.status = 'task_created' AND EXISTS ("
    "SELECT 1 FROM labeling_tasks t JOIN pairs p ON p.training_sheet_id = t.training_sheet_id "
    "WHERE t.gap_id = g.id AND t.status <> 'cancelled' AND p.review_status IN ('approved', 'edited', 'rejected')"
    ") THEN 'in_progress' ELSE g.status END AS status FROM gaps g) seen"
)


class GapStatus(StrEnum):
    """Where a gap stands; work on its task starts it, a computed closure or a note resolves it."""

    IDENTIFIED = "identified"
    TASK_CREATED = "task_created"
    IN_PROGRESS = "in_progress"
    RESOLVED = "resolved"
    WONT_FIX = "wont_fix"


class GapType(StrEnum):
    """What kind of weakness: the training data hardly shows such items, or the model fails on them all the same."""

    COVERAGE = "coverage"
    QUALITY = "quality"


_OPEN = {GapStatus.IDENTIFIED, GapStatus.TASK_CREATED, GapStatus.IN_PROGRESS}
LIFECYCLE: Lifecycle[GapStatus] = Lifecycle(
    create_task=({GapStatus.IDENTIFIED, GapStatus.IN_PROGRESS}, GapStatus.TASK_CREATED),
    start=({GapStatus.IDENTIFIED, GapStatus.TASK_CREATED}, GapStatus.IN_PROGRESS),
    cancel_task=({GapStatus.TASK_CREATED, GapStatus.IN_PROGRESS}, GapStatus.IDENTIFIED),
    resolve=(_OPEN, GapStatus.RESOLVED),
    leave=(_OPEN, GapStatus.WONT_FIX),
    reopen=({GapStatus.RESOLVED, GapStatus.WONT_FIX}, GapStatus.IDENTIFIED),
)
NEEDS_NOTE = ("resolve", "leave")
UNDER_WORK = {GapStatus.TASK_CREATED, GapStatus.IN_PROGRESS}


@dataclass(frozen=True, slots=True)
class Gap:
    """One weakness: which items (`predicate`), how often the version failed on them, and on what evidence."""

    id: str
    fingerprint: str
    model_name: str
    version: int
    sheet_id: str
    prompt_template_id: str
    label_type: str
    gap_type: GapType
    severity: GapSeverity
    description: str
    predicate: Predicate
    evidence_type: str
    evidence: tuple[dict[str, Json], ...]
    item_count: int
    failure_count: int
    error_rate: float
    interval: Interval
    overall_rate: float
    q_value: float
    estimated_records: int
    priority: int
    occurrences: int
    status: GapStatus
    note: str
    is_demo: bool
    row_version: int
    identified_by: str
    first_seen_at: datetime
    last_seen_at: datetime

    @property
    def is_open(self) -> bool:
        """Whether there is something to do about it."""
        return self.status in _OPEN

    @property
    def suggested_action(self) -> str:
        """What to do about it, in one sentence."""
        if self.gap_type is GapType.COVERAGE:
            return f"Label about {self.estimated_records} more items where {self.description}; training hardly saw any."
        return f"Review the labels where {self.description} and label about {self.estimated_records} more."


def gap(row: Row) -> Gap:
    """A gap from its row."""
    return Gap(
        id=rows.text(row, "id"),
        fingerprint=rows.text(row, "fingerprint"),
        model_name=rows.text(row, "model_name"),
        version=rows.whole(row, "version"),
        sheet_id=rows.text(row, "sheet_id"),
        prompt_template_id=rows.text(row, "prompt_template_id"),
        label_type=rows.text(row, "label_type"),
        gap_type=GapType(rows.text(row, "gap_type")),
        severity=GapSeverity(rows.text(row, "severity")),
        description=rows.text(row, "description"),
        predicate=Predicate.from_json(rows.text(row, "predicate")),
        evidence_type=rows.text(row, "evidence_type"),
        evidence=tuple(entry for entry in rows.json_list(row, "evidence") if isinstance(entry, dict)),
        item_count=rows.whole(row, "item_count"),
        failure_count=rows.whole(row, "failure_count"),
        error_rate=rows.number(row, "error_rate"),
        interval=Interval(rows.number(row, "error_low"), rows.number(row, "error_high")),
        overall_rate=rows.number(row, "overall_rate"),
        q_value=rows.number(row, "q_value"),
        estimated_records=rows.whole(row, "estimated_records"),
        priority=rows.whole(row, "priority"),
        occurrences=rows.whole(row, "occurrences"),
        status=GapStatus(rows.text(row, "status")),
        note=rows.text(row, "note"),
        is_demo=rows.flag(row, "is_demo"),
        row_version=rows.whole(row, "row_version"),
        identified_by=rows.text(row, "identified_by"),
        first_seen_at=rows.time(row, "first_seen_at"),
        last_seen_at=rows.time(row, "last_seen_at"),
    )
