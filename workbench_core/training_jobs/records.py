"""The rows behind training jobs: the jobs, their events and curves, and the split that is frozen with each."""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from workbench_core import rows
from workbench_core.clock import Clock
from workbench_core.errors import Conflict, NotFound
from workbench_core.ports import Store, TrainingEvent, Value
from workbench_core.training_gate import GateResult, Split
from workbench_core.training_jobs.model import (
    COLUMNS,
    LIFECYCLE,
    JobEvent,
    JobRequest,
    JobStatus,
    TrainingJob,
    job_from,
)

if TYPE_CHECKING:
    import pandas as pd

_CHUNK = 5_000  # databases limit the number of parameters
_EVENTS = 200


class JobRecords:
    """Read and write jobs with all that belongs to them; whoever changes something has checked that it may."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    # --- reading -----------------------------------------------------------------------------------------------------

    def get(self, job_id: str) -> TrainingJob:
        """One job. Raises NotFound."""
        found = self._store.query(f"SELECT {COLUMNS} FROM training_jobs WHERE id = :id", id=job_id)
        if not found:
            raise NotFound("This training job does not exist.", hint="Choose one on the Train page.")
        return job_from(found[0])

    def find(self, statuses: Sequence[JobStatus], *, training_sheet_id: str, limit: int) -> list[TrainingJob]:
        """Jobs, newest first."""
        found = self._store.query(
            f"SELECT {COLUMNS} FROM training_jobs WHERE status IN :statuses "
            "AND :sheet IN ('', training_sheet_id) ORDER BY created_at DESC, id LIMIT :limit",
            statuses=list(statuses),
            sheet=training_sheet_id,
            limit=limit,
        )
        return [job_from(row) for row in found]

    def events(self, job_id: str) -> list[JobEvent]:
        """The log of a job, newest first."""
        found = self._store.query(
            "SELECT kind, message, by_user, happened_at FROM training_job_events WHERE job_id = :job "
            "ORDER BY sequence DESC LIMIT :limit",
            job=job_id,
            limit=_EVENTS,
        )
        return [
            JobEvent(
                kind=rows.text(row, "kind"),
                message=rows.text(row, "message"),
                by=rows.text(row, "by_user"),
                happened_at=rows.time(row, "happened_at"),
            )
            for row in found
        ]

    def metrics(self, job_id: str) -> pd.DataFrame:
        """The points of all curves: name, step, value, recorded_at, in the order of steps."""
        return self._store.frame(
            "SELECT name, step, value, recorded_at FROM training_job_metrics WHERE job_id = :job ORDER BY name, step",
            job=job_id,
        )

    def pairs(self, job_id: str, splits: Sequence[Split], *, limit: int) -> pd.DataFrame:
        """The frozen split: pair_id, item_ref, split, reason, answer, canonical_label_id, canonical_label_version."""
        return self._store.frame(
            "SELECT pair_id, item_ref, split, reason, answer, canonical_label_id, canonical_label_version "
            "FROM training_job_pairs WHERE job_id = :job AND split IN :splits ORDER BY item_ref, pair_id LIMIT :limit",
            job=job_id,
            splits=list(splits),
            limit=limit,
        )

    def taught(self, job_id: str) -> dict[str, str]:
        """The answers that a job learned or tuned on, by item."""
        found = self._store.query(
            "SELECT item_ref, answer FROM training_job_pairs WHERE job_id = :job "
            "AND split IN ('train', 'validation') ORDER BY item_ref, pair_id",
            job=job_id,
        )
        return {rows.text(row, "item_ref"): rows.text(row, "answer") for row in found}

    # --- writing -----------------------------------------------------------------------------------------------------

    def insert(self, job_id: str, request: JobRequest, gate: GateResult, *, by: str, is_demo: bool) -> None:
        """Write a job with its frozen split. Raises AlreadyExists while the same job is active."""
        self._store.append(
            "training_jobs",
            [
                {
                    "id": job_id,
                    "training_sheet_id": request.training_sheet_id,
                    "model_name": request.model_name,
                    "trainer": request.trainer,
                    "parameters": rows.to_json(dict(request.parameters)),
                    "seed": request.seed,
                    "train_share": request.shares.train,
                    "validation_share": request.shares.validation,
                    "status": JobStatus.PENDING.value,
                    "train_pairs": gate.count(Split.TRAIN),
                    "validation_pairs": gate.count(Split.VALIDATION),
                    "test_pairs": gate.count(Split.TEST),
                    "excluded_pairs": gate.count(Split.EXCLUDED),
                    "parent_job_id": request.parent_job_id,
                    "launched_from": request.launched_from,
                    "gap_id": request.gap_id,
                    "fingerprint": request.fingerprint,
                    "is_demo": is_demo,
                    "created_by": by,
                    "created_at": self._clock(),
                }
            ],
        )
        self._store.append("training_job_pairs", self._split_rows(job_id, gate))

    def move(self, job_id: str, action: str, **values: str | datetime | None) -> None:
        """Change the status by the table, and the columns given with it. Raises InvalidTransition, Conflict."""
        status = self.get(job_id).status
        to = LIFECYCLE.next(status, action, subject="This job")
        assignments = "".join(f", {name} = :{name}" for name in values)
        changed = self._store.execute(
            f"UPDATE training_jobs SET status = :to, row_version = row_version + 1{assignments} "
            "WHERE id = :id AND status = :was",
            touches="training_jobs",
            to=to,
            id=job_id,
            was=status,
            **values,
        )
        if not changed:
            raise Conflict("This job was just changed.", hint="Reload to see its state.")

    def end(self, job_id: str, action: str, *, error: str = "", message: str = "Cancelled") -> None:
        """Move a job to its end with the reason, and log it."""
        with self._store.transaction():
            self.move(job_id, action, completed_at=self._clock(), error=error)
            self.log(job_id, "error" if error else "status", [error or message])

    def log(self, job_id: str, kind: str, messages: Sequence[str], *, by: str = "") -> None:
        """Add lines to the log of a job."""
        if not messages:
            return
        with self._store.transaction():
            last = self._store.query(
                "SELECT COALESCE(MAX(sequence), 0) AS last FROM training_job_events WHERE job_id = :job", job=job_id
            )
            first, now = rows.whole(last[0], "last") + 1, self._clock()
            self._store.append(
                "training_job_events",
                [
                    {
                        "job_id": job_id,
                        "sequence": sequence,
                        "kind": kind,
                        "message": message,
                        "by_user": by,
                        "happened_at": now,
                    }
                    for sequence, message in enumerate(messages, start=first)
                ],
            )

    def record(self, job_id: str, events: Sequence[TrainingEvent]) -> None:
        """Store what a trainer reported: points, progress, sentences.

        The last value of a curve at a step counts; a value that is no number (a loss that ran away) leaves a hole in
        the curve.
        """
        now = self._clock()
        points: list[dict[str, Value]] = [
            {"job_id": job_id, "name": name, "step": step, "value": value, "recorded_at": now}
            for (name, step), value in _points(events).items()
        ]
        with self._store.transaction():
            self._store.execute_many(
                "DELETE FROM training_job_metrics WHERE job_id = :job_id AND name = :name AND step = :step",
                [{name: point[name] for name in ("job_id", "name", "step")} for point in points],
                touches="training_job_metrics",
            )
            self._store.append("training_job_metrics", points)
            self._store.execute(
                "UPDATE training_jobs SET "
                "progress_step = CASE WHEN :step > progress_step THEN :step ELSE progress_step END, "
                "progress_total = CASE WHEN :total > 0 THEN :total ELSE progress_total END WHERE id = :id",
                touches="training_jobs",
                step=max((event.step for event in events), default=0),
                total=max((event.total for event in events), default=0),
                id=job_id,
            )
            self.log(job_id, "info", [event.message for event in events if event.message])

    def clear_curves(self, job_id: str) -> None:
        """Forget the points of an attempt that starts over."""
        self._store.execute(
            "DELETE FROM training_job_metrics WHERE job_id = :job", touches="training_job_metrics", job=job_id
        )

    # --- inside ------------------------------------------------------------------------------------------------------

    def _split_rows(self, job_id: str, gate: GateResult) -> list[dict[str, str | int | None]]:
        """The frozen split with the answers, and the label versions that stand behind them."""
        labels = [placed.pair.canonical_label_id for placed in gate.placed if placed.pair.canonical_label_id]
        versions = self._label_versions(labels)
        return [
            {
                "job_id": job_id,
                "pair_id": placed.pair.pair_id,
                "item_ref": placed.pair.item_ref,
                "answer": placed.pair.answer,
                "split": placed.split.value,
                "reason": placed.reason,
                "pair_row_version": placed.pair.row_version,
                "canonical_label_id": placed.pair.canonical_label_id or None,
                "canonical_label_version": versions.get(placed.pair.canonical_label_id),
            }
            for placed in gate.placed
        ]

    def _label_versions(self, label_ids: Sequence[str]) -> dict[str, int]:
        versions: dict[str, int] = {}
        for start in range(0, len(label_ids), _CHUNK):
            found = self._store.query(
                "SELECT id, version FROM canonical_labels WHERE id IN :ids ORDER BY id",
                ids=label_ids[start : start + _CHUNK],
            )
            versions.update({rows.text(row, "id"): rows.whole(row, "version") for row in found})
        return versions


def _points(events: Sequence[TrainingEvent]) -> dict[tuple[str, int], float]:
    return {
        (name, event.step): float(value)
        for event in events
        for name, value in event.metrics.items()
        if math.isfinite(value)
    }
