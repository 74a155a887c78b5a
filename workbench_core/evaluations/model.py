"""The words of evaluations: the dataset, the stored evaluation, and what a comparison of two of them says."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING

from workbench_core import rows
from workbench_core.metrics import AnswerKind, Comparison, Direction, MetricValue
from workbench_core.ports import Json, Row

if TYPE_CHECKING:
    import pandas as pd

COLUMNS = (
    "id, model_name, version, dataset_kind, dataset_id, training_sheet_id, answer_kind, status, item_count, "
    "excluded_count, excluded_reasons, error, created_by, created_at, completed_at"
)


class DatasetKind(StrEnum):
    """Which held-out items are used: the test part of a job, the held-out part of a gap, a whole training sheet."""

    TEST = "test"
    GAP = "gap"
    TRAINING_SHEET = "training_sheet"


class EvaluationStatus(StrEnum):
    """Where an evaluation stands; a finished one never changes again."""

    QUEUED = "queued"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"


ACTIVE = frozenset({EvaluationStatus.QUEUED, EvaluationStatus.RUNNING})


@dataclass(frozen=True, slots=True)
class Evaluation:
    """One run of a version over held-out items. `excluded_reasons` says which items were left out and why."""

    id: str
    model_name: str
    version: int
    dataset_kind: DatasetKind
    dataset_id: str
    training_sheet_id: str
    answer_kind: AnswerKind
    status: EvaluationStatus
    item_count: int
    excluded_count: int
    excluded_reasons: dict[str, Json]
    error: str
    created_by: str
    created_at: datetime
    completed_at: datetime | None

    @property
    def is_active(self) -> bool:
        """Whether it waits or runs."""
        return self.status in ACTIVE

    @property
    def title(self) -> str:
        """How pages name the version that is measured."""
        return f"{self.model_name} v{self.version}"

    @property
    def main_score(self) -> str:
        """The score that decides item by item: right or wrong; for free text the words in common."""
        return "token_f1" if self.answer_kind is AnswerKind.TEXT else "correct"

    def shares_dataset(self, other: Evaluation) -> bool:
        """Whether both used the same items, as far as neither version has seen them."""
        return (self.dataset_kind, self.dataset_id) == (other.dataset_kind, other.dataset_id)


@dataclass(frozen=True, slots=True)
class DatasetChoice:
    """A dataset that a version can be evaluated on, as a person chooses it."""

    kind: DatasetKind
    id: str
    title: str


@dataclass(frozen=True, slots=True)
class MetricDifference:
    """One metric of two versions on the same items, each with its 95 % interval."""

    before: MetricValue
    after: MetricValue

    @property
    def name(self) -> str:
        """The metric."""
        return self.after.name

    @property
    def part(self) -> str:
        """The class or field that it is about, if any."""
        return self.after.part

    @property
    def direction(self) -> Direction:
        """Which way it gets better."""
        return self.after.direction

    @property
    def delta(self) -> float:
        """After minus before."""
        return self.after.value - self.before.value


@dataclass(frozen=True, slots=True)
class VersionComparison:
    """Version B against version A on the items that both answered (EV-3)."""

    before: Evaluation
    after: Evaluation
    items: Comparison
    metrics: tuple[MetricDifference, ...]
    changed: pd.DataFrame  # pair_id, item_ref, expected, before, after, is_won: items on which the versions differ


def evaluation_from(row: Row) -> Evaluation:
    """Read an evaluation out of a row with `COLUMNS`."""
    return Evaluation(
        id=rows.text(row, "id"),
        model_name=rows.text(row, "model_name"),
        version=rows.whole(row, "version"),
        dataset_kind=DatasetKind(rows.text(row, "dataset_kind")),
        dataset_id=rows.text(row, "dataset_id"),
        training_sheet_id=rows.text(row, "training_sheet_id"),
        answer_kind=AnswerKind(rows.text(row, "answer_kind")),
        status=EvaluationStatus(rows.text(row, "status")),
        item_count=rows.whole(row, "item_count"),
        excluded_count=rows.whole(row, "excluded_count"),
        excluded_reasons=rows.json_object(row, "excluded_reasons"),
        error=rows.text(row, "error"),
        created_by=rows.text(row, "created_by"),
        created_at=rows.time(row, "created_at"),
        completed_at=rows.time_or_none(row, "completed_at"),
    )
