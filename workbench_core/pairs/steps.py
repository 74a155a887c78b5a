"""Steps of a person in a review: what undo takes back and redo does again, in the order in which they were made."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from workbench_core import rows
from workbench_core.clock import Clock, new_id
from workbench_core.ports import Json, Row, Store

_COLUMNS = (
    "id, training_sheet_id, by_user, number, action, status, pairs, replaces_labels, request, work, run_id, position, "
    "skipped, made_at, undone_at"
)


class StepStatus(StrEnum):
    """Whether a step stands, was undone and can be redone, or is neither any more."""

    DONE = "done"
    UNDONE = "undone"
    FINAL = "final"


class StepWork(StrEnum):
    """What a run has to do, or had not ended doing, with a large step."""

    NONE = ""
    DO = "do"
    UNDO = "undo"
    REDO = "redo"


@dataclass(frozen=True, slots=True)
class NewStep:
    """A step to record: one decision, or a bulk action with the request that it carries out."""

    id: str
    action: str
    pairs: int = 1
    replaces_labels: bool = False
    request: Mapping[str, Json] = field(default_factory=dict)
    work: StepWork = StepWork.NONE


@dataclass(frozen=True, slots=True)
class Step:
    """A step as it is stored; `position` is how far a run is, `skipped` why it left pairs as they are."""

    id: str
    training_sheet_id: str
    by: str
    number: int
    action: str
    status: StepStatus
    pairs: int
    replaces_labels: bool
    request: Mapping[str, Json]
    work: StepWork
    run_id: str
    position: str
    skipped: Mapping[str, int]
    made_at: datetime
    undone_at: datetime | None

    @property
    def told(self) -> str:
        """The action in words."""
        return self.action.replace("_", " ")


class ReviewSteps:
    """Record the steps of people, and find the one to undo or redo."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    def add(self, training_sheet_id: str, steps: Sequence[NewStep], *, by: str) -> None:
        """Record steps in their order; what the person could redo before is final now.

        Steps that a person makes in two windows at the same moment may share a number: their ids order them then.
        """
        if not steps:
            return
        found = self._store.query(
            "SELECT COALESCE(MAX(number), 0) AS last FROM review_steps "
            "WHERE training_sheet_id = :sheet AND by_user = :by",
            sheet=training_sheet_id,
            by=by,
        )
        last, now = rows.whole(found[0], "last"), self._clock()
        self._store.execute(
            "UPDATE review_steps SET status = 'final' "
            "WHERE training_sheet_id = :sheet AND by_user = :by AND status = 'undone' AND work = ''",
            touches="review_steps",
            sheet=training_sheet_id,
            by=by,
        )
        self._store.append(
            "review_steps",
            [
                {
                    "id": step.id,
                    "training_sheet_id": training_sheet_id,
                    "by_user": by,
                    "number": last + place,
                    "action": step.action,
                    "pairs": step.pairs,
                    "replaces_labels": step.replaces_labels,
                    "request": rows.to_json(step.request),
                    "work": step.work.value,
                    "made_at": now,
                }
                for place, step in enumerate(steps, start=1)
            ],
        )

    def get(self, step_id: str) -> Step:
        """One step, which is there."""
        return _step(self._store.query(f"SELECT {_COLUMNS} FROM review_steps WHERE id = :id", id=step_id)[0])

    def to_undo(self, training_sheet_id: str, by: str) -> Step | None:
        """The person's latest step that stands, be it only in part because its redoing was cancelled."""
        return self._one(
            f"SELECT {_COLUMNS} FROM review_steps WHERE training_sheet_id = :sheet AND by_user = :by "
            "AND pairs > 0 AND (status = 'done' OR status = 'undone' AND work = 'redo') "
            "ORDER BY number DESC, id DESC LIMIT 1",
            sheet=training_sheet_id,
            by=by,
        )

    def to_redo(self, training_sheet_id: str, by: str) -> Step | None:
        """The step that the person undid last, be it only in part, unless they made a new one since."""
        return self._one(
            f"SELECT {_COLUMNS} FROM review_steps WHERE training_sheet_id = :sheet AND by_user = :by "
            "AND (status = 'undone' OR status = 'done' AND work = 'undo') ORDER BY number, id LIMIT 1",
            sheet=training_sheet_id,
            by=by,
        )

    def latest(self, training_sheet_ids: Sequence[str], by: str) -> dict[str, datetime]:
        """When the person made their latest step in each of these training sheets; those without any are left out."""
        found = self._store.query(
            "SELECT training_sheet_id, made_at FROM review_steps s "
            "WHERE training_sheet_id IN :sheets AND by_user = :by AND number = "
            "(SELECT MAX(l.number) FROM review_steps l WHERE l.training_sheet_id = s.training_sheet_id "
            "AND l.by_user = s.by_user) ORDER BY training_sheet_id",
            sheets=list(training_sheet_ids),
            by=by,
        )
        return {rows.text(row, "training_sheet_id"): rows.time(row, "made_at") for row in found}

    def worked_on(self, training_sheet_id: str) -> Step | None:
        """The newest step of a training sheet that a run has to do with, if any."""
        return self._one(
            f"SELECT {_COLUMNS} FROM review_steps WHERE training_sheet_id = :sheet AND work <> '' "
            "ORDER BY made_at DESC, id LIMIT 1",
            sheet=training_sheet_id,
        )

    def move(self, step_id: str, status: StepStatus) -> None:
        """Say that a step stands or was undone, with nothing left to do for a run."""
        self._store.execute(
            "UPDATE review_steps SET status = :status, work = '', position = '', "
            "undone_at = CASE WHEN :status = 'undone' THEN :now ELSE undone_at END WHERE id = :id",
            touches="review_steps",
            id=step_id,
            status=status.value,
            now=self._clock(),
        )

    def give_to_run(self, step_id: str, work: StepWork, run_id: str) -> None:
        """Let a run work on a step, from where the same work ended last."""
        self._store.execute(
            "UPDATE review_steps SET position = CASE WHEN work = :work THEN position ELSE '' END, work = :work, "
            "run_id = :run WHERE id = :id",
            touches="review_steps",
            id=step_id,
            work=work.value,
            run=run_id,
        )

    def advance(self, step: Step, position: str, *, pairs: int, skipped: Mapping[str, int]) -> bool:
        """Record how far a run is; False when another run has taken the step over or it was given up."""
        return bool(
            self._store.execute(
                "UPDATE review_steps SET position = :position, pairs = :pairs, skipped = :skipped "
                "WHERE id = :id AND work = :work AND run_id = :run AND position = :former",
                touches="review_steps",
                id=step.id,
                work=step.work.value,
                run=step.run_id,
                former=step.position,
                position=position,
                pairs=pairs,
                skipped=rows.to_json(skipped),
            )
        )

    def _one(self, sql: str, **params: str) -> Step | None:
        found = self._store.query(sql, **params)
        return _step(found[0]) if found else None


def new_step_id() -> str:
    """The identifier of a new step."""
    return new_id("step")


def _step(row: Row) -> Step:
    return Step(
        id=rows.text(row, "id"),
        training_sheet_id=rows.text(row, "training_sheet_id"),
        by=rows.text(row, "by_user"),
        number=rows.whole(row, "number"),
        action=rows.text(row, "action"),
        status=StepStatus(rows.text(row, "status")),
        pairs=rows.whole(row, "pairs"),
        replaces_labels=rows.flag(row, "replaces_labels"),
        request=rows.json_object(row, "request"),
        work=StepWork(rows.text(row, "work")),
        run_id=rows.text(row, "run_id"),
        position=rows.text(row, "position"),
        skipped={reason: int(str(number)) for reason, number in rows.json_object(row, "skipped").items()},
        made_at=rows.time(row, "made_at"),
        undone_at=rows.time_or_none(row, "undone_at"),
    )
