"""The words of training jobs: the request, the stored job and its lifecycle, and what a retraining would change."""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Literal, TypeAlias

from workbench_core import rows
from workbench_core.lifecycle import Lifecycle
from workbench_core.model_versions import ModelVersion
from workbench_core.ports import Json, Row
from workbench_core.training_gate import MINIMUM_PAIRS, Shares
from workbench_core.training_sheets import TrainingSheet, TrainingSheetStatus

COLUMNS = (
    "id, training_sheet_id, model_name, trainer, parameters, seed, train_share, validation_share, status, "
    "train_pairs, validation_pairs, test_pairs, excluded_pairs, progress_step, progress_total, error, parent_job_id, "
    "launched_from, gap_id, tracking_run_id, tracking_experiment_id, is_demo, row_version, created_by, created_at, "
    "started_at, completed_at"
)
TRAINABLE = frozenset(
    {
        TrainingSheetStatus.REVIEW,
        TrainingSheetStatus.APPROVED,
        TrainingSheetStatus.EXPORTED,
        TrainingSheetStatus.TRAINED,
    }
)
MODEL_NAME = re.compile(r"[a-z][a-z0-9_-]{0,62}")


class JobStatus(StrEnum):
    """Where a training job stands; a finished one never changes again (INV-T7)."""

    PENDING = "pending"
    QUEUED = "queued"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"
    TIMEOUT = "timeout"


ACTIVE = frozenset({JobStatus.PENDING, JobStatus.QUEUED, JobStatus.RUNNING})
UNSUCCESSFUL = frozenset({JobStatus.FAILED, JobStatus.CANCELLED, JobStatus.TIMEOUT})
LIFECYCLE: Lifecycle[JobStatus] = Lifecycle(
    accept=({JobStatus.PENDING}, JobStatus.QUEUED),
    start=({JobStatus.QUEUED, JobStatus.RUNNING}, JobStatus.RUNNING),  # running: once more after an interruption
    succeed=({JobStatus.RUNNING}, JobStatus.SUCCEEDED),
    fail=(ACTIVE, JobStatus.FAILED),
    cancel=(ACTIVE, JobStatus.CANCELLED),
    expire=({JobStatus.QUEUED, JobStatus.RUNNING}, JobStatus.TIMEOUT),
)


@dataclass(frozen=True, slots=True)
class JobRequest:
    """What a person asks for."""

    training_sheet_id: str
    model_name: str
    trainer: str
    parameters: Mapping[str, Json] = field(default_factory=dict)
    shares: Shares = field(default_factory=Shares)
    seed: int = 42
    parent_job_id: str | None = None
    launched_from: str = "manual"
    gap_id: str | None = None

    @property
    def fingerprint(self) -> str:
        """The same for two requests that would train the same model on the same sheet in the same way."""
        parts = [self.training_sheet_id, self.model_name, self.trainer, dict(self.parameters), self.seed,
                 self.shares.train, self.shares.validation]  # fmt: skip
        return hashlib.sha256(rows.to_json(parts).encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class TrainingJob:
    """One attempt to train a model."""

    id: str
    request: JobRequest
    status: JobStatus
    train_pairs: int
    validation_pairs: int
    test_pairs: int
    excluded_pairs: int
    progress_step: int
    progress_total: int
    error: str
    tracking_run_id: str
    tracking_experiment_id: str
    is_demo: bool
    created_by: str
    created_at: datetime
    started_at: datetime | None
    completed_at: datetime | None

    @property
    def is_active(self) -> bool:
        """Whether it waits or trains."""
        return self.status in ACTIVE

    @property
    def can_retry(self) -> bool:
        """Whether it ended without a version."""
        return self.status in UNSUCCESSFUL

    @property
    def progress(self) -> float:
        """Between 0 and 1; 1 only after a success."""
        if self.status is JobStatus.SUCCEEDED:
            return 1.0
        return min(0.99, self.progress_step / self.progress_total) if self.progress_total else 0.0

    def seconds(self, now: datetime) -> float | None:
        """How long it has been training, or trained; None before it began."""
        return ((self.completed_at or now) - self.started_at).total_seconds() if self.started_at else None


@dataclass(frozen=True, slots=True)
class JobEvent:
    """One line of a job's log."""

    kind: str
    message: str
    by: str
    happened_at: datetime


@dataclass(frozen=True, slots=True)
class Candidate:
    """A training sheet that one may want to train on; `permitted` pairs are approved, answered and allowed for it."""

    training_sheet: TrainingSheet
    permitted: int

    @property
    def is_ready(self) -> bool:
        """Whether the gate has enough pairs to look at."""
        return self.training_sheet.status in TRAINABLE and self.permitted >= MINIMUM_PAIRS

    @property
    def note(self) -> str:
        """Ready, or what is missing."""
        if self.training_sheet.status not in TRAINABLE:
            return self.training_sheet.status.capitalize()
        return "Ready" if self.is_ready else f"{MINIMUM_PAIRS - self.permitted} more approved pairs needed"


Change: TypeAlias = Literal["new", "changed", "removed"]


@dataclass(frozen=True, slots=True)
class ItemChange:
    """An item whose part in the training data differs from the last time, with its answers then and now."""

    item_ref: str
    change: Change
    before: str
    now: str


@dataclass(frozen=True, slots=True)
class PairDifference:
    """How the data of a retraining differs from the last one: every item that is new, changed or removed."""

    items: tuple[ItemChange, ...] = ()

    def count(self, change: Change) -> int:
        """How many items changed in this way."""
        return Counter(item.change for item in self.items)[change]

    @property
    def new(self) -> int:
        """Items that the last version did not see."""
        return self.count("new")

    @property
    def changed(self) -> int:
        """Items whose answer is another one now."""
        return self.count("changed")

    @property
    def removed(self) -> int:
        """Items that may no longer be trained on, or are gone."""
        return self.count("removed")


@dataclass(frozen=True, slots=True)
class RetrainProposal:
    """A prefilled request: same model name, trainer, parameters, shares and seed, newest data (RT-1)."""

    request: JobRequest
    last: ModelVersion
    difference: PairDifference


def difference(before: Mapping[str, str], now: Mapping[str, str]) -> PairDifference:
    """Compare the answers by item: new ones first, then changed, then removed, each by item."""
    new = [ItemChange(item, "new", "", now[item]) for item in sorted(now.keys() - before.keys())]
    changed = [
        ItemChange(item, "changed", before[item], now[item])
        for item in sorted(before.keys() & now.keys())
        if before[item] != now[item]
    ]
    removed = [ItemChange(item, "removed", before[item], "") for item in sorted(before.keys() - now.keys())]
    return PairDifference((*new, *changed, *removed))


def model_name_from(title: str) -> str:
    """A legal model name from the name of a sheet, e.g. `Mail messages` -> `mail-messages`."""
    name = re.sub(r"[^a-z0-9]+", "-", title.lower()).strip("-")[:50].rstrip("-")
    return name if name[:1].isalpha() else f"model-{name}".rstrip("-")


def job_from(row: Row) -> TrainingJob:
    """Read a job out of a row with `COLUMNS`."""
    request = JobRequest(
        training_sheet_id=rows.text(row, "training_sheet_id"),
        model_name=rows.text(row, "model_name"),
        trainer=rows.text(row, "trainer"),
        parameters=rows.json_object(row, "parameters"),
        shares=Shares(rows.number(row, "train_share"), rows.number(row, "validation_share")),
        seed=rows.whole(row, "seed"),
        parent_job_id=rows.text(row, "parent_job_id") or None,
        launched_from=rows.text(row, "launched_from"),
        gap_id=rows.text(row, "gap_id") or None,
    )
    return TrainingJob(
        id=rows.text(row, "id"),
        request=request,
        status=JobStatus(rows.text(row, "status")),
        train_pairs=rows.whole(row, "train_pairs"),
        validation_pairs=rows.whole(row, "validation_pairs"),
        test_pairs=rows.whole(row, "test_pairs"),
        excluded_pairs=rows.whole(row, "excluded_pairs"),
        progress_step=rows.whole(row, "progress_step"),
        progress_total=rows.whole(row, "progress_total"),
        error=rows.text(row, "error"),
        tracking_run_id=rows.text(row, "tracking_run_id"),
        tracking_experiment_id=rows.text(row, "tracking_experiment_id"),
        is_demo=rows.flag(row, "is_demo"),
        created_by=rows.text(row, "created_by"),
        created_at=rows.time(row, "created_at"),
        started_at=rows.time_or_none(row, "started_at"),
        completed_at=rows.time_or_none(row, "completed_at"),
    )
