"""Labelling tasks: a gap becomes a queue of items to label, with the held-out part set aside before anybody labels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING

from workbench_core import rows
from workbench_core.canonical_labels import CanonicalLabels
from workbench_core.clock import Clock, new_id
from workbench_core.data_quality import Quarantine
from workbench_core.errors import AlreadyExists, ChangedByOthers, Conflict, Invalid, NotFound
from workbench_core.gaps import LIFECYCLE as GAP_LIFECYCLE
from workbench_core.gaps import UNDER_WORK, Gap, Gaps
from workbench_core.gaps.analysis import FEWEST_PER_ARM, records_per_arm
from workbench_core.history import History
from workbench_core.lifecycle import Lifecycle
from workbench_core.model_versions import ModelVersions
from workbench_core.permissions import Action, Permissions
from workbench_core.ports import Lake, Row, Store
from workbench_core.prompt_templates import AnswerSource
from workbench_core.sheets import Sheet, Sheets
from workbench_core.slices import Predicate, select
from workbench_core.training_gate import item_position
from workbench_core.training_sheets import GenerationRequest, TrainingSheet, TrainingSheets

if TYPE_CHECKING:
    import pandas as pd

FEWEST_HELD_OUT = FEWEST_PER_ARM  # below, no closure can be computed
FEWEST_TRAINABLE = 10
MOST_ITEMS = 2000
MOST_LABELS = 1_000_000  # no limit that anybody meets
SCAN_BATCH = 5000
_COLUMNS = (
    "t.id, t.gap_id, t.training_sheet_id, t.title, t.instructions, t.assigned_to, t.priority, t.status, t.note, "
    "t.row_version, t.created_by, t.created_at, t.completed_at"
)
_COUNTS = (
    "(SELECT COUNT(*) FROM labeling_task_items i WHERE i.task_id = t.id) AS items, "
    "(SELECT COUNT(*) FROM labeling_task_items i WHERE i.task_id = t.id AND i.part = 'held_out') AS held_out, "
    "(SELECT COUNT(*) FROM pairs p WHERE p.training_sheet_id = t.training_sheet_id "
    "AND p.review_status IN ('approved', 'edited', 'rejected')) AS done"
)


class TaskStatus(StrEnum):
    """Where a task stands; work on its items moves it from assigned to in progress to review by itself."""

    PENDING = "pending"
    ASSIGNED = "assigned"
    IN_PROGRESS = "in_progress"
    REVIEW = "review"
    COMPLETED = "completed"
    CANCELLED = "cancelled"


_OPEN = {TaskStatus.PENDING, TaskStatus.ASSIGNED, TaskStatus.IN_PROGRESS, TaskStatus.REVIEW}
LIFECYCLE: Lifecycle[TaskStatus] = Lifecycle(
    assign=({TaskStatus.PENDING, TaskStatus.ASSIGNED}, TaskStatus.ASSIGNED),
    start=({TaskStatus.PENDING, TaskStatus.ASSIGNED}, TaskStatus.IN_PROGRESS),
    submit=({TaskStatus.IN_PROGRESS}, TaskStatus.REVIEW),  # needed only after a task was sent back
    send_back=({TaskStatus.REVIEW}, TaskStatus.IN_PROGRESS),
    accept=({TaskStatus.REVIEW}, TaskStatus.COMPLETED),
    cancel=(_OPEN, TaskStatus.CANCELLED),
)
NEEDS_NOTE = ("send_back", "cancel")


@dataclass(frozen=True, slots=True)
class LabelingTask:
    """One task: `done` of `items` are decided; `held_out` of them are kept for measuring the closure."""

    id: str
    gap_id: str
    training_sheet_id: str
    title: str
    instructions: str
    assigned_to: str
    priority: str
    status: TaskStatus
    note: str
    items: int
    held_out: int
    done: int
    row_version: int
    created_by: str
    created_at: datetime
    completed_at: datetime | None

    @property
    def share(self) -> float:
        """Progress between 0 and 1."""
        return self.done / self.items if self.items else 0.0

    @property
    def is_open(self) -> bool:
        """Whether there is still something to do."""
        return self.status in _OPEN


class LabelingTasks:
    """Make tasks from gaps and follow them to their end."""

    def __init__(
        self,
        store: Store,
        lake: Lake,
        history: History,
        permissions: Permissions,
        clock: Clock,
        *,
        sheets: Sheets,
        gaps: Gaps,
        versions: ModelVersions,
        canonical_labels: CanonicalLabels,
        training_sheets: TrainingSheets,
    ) -> None:
        self._store = store
        self._lake = lake
        self._history = history
        self._permissions = permissions
        self._clock = clock
        self._sheets = sheets
        self._gaps = gaps
        self._versions = versions
        self._canonical_labels = canonical_labels
        self._training_sheets = training_sheets
        self._quarantine = Quarantine(store)

    def create(self, gap_id: str, *, by: str, target: int | None = None, assigned_to: str = "") -> LabelingTask:
        """Make a task from a gap (GA-6): choose unlabelled items of its slice, half of them held out, and queue them.

        `target` is the wanted number of items; without it the number that shows a halved error with 80 % power.
        Raises InvalidTransition for a gap that is resolved or left, Conflict while another task of the gap is open,
        Invalid when too few unlabelled items match.
        """
        self._permissions.check(by, Action.IMPROVE)
        self._permissions.check(by, Action.GENERATE)
        gap = self._gaps.get(gap_id)
        if open_task := self._open_task(gap_id):
            raise Conflict(f"“{open_task.title}” is open for this gap already.", hint="Finish or cancel it first.")
        GAP_LIFECYCLE.next(gap.status, "create_task", subject="This gap")
        held_out, train = self._choose_items(gap, self.proposed_target(gap) if target is None else target)
        task_id = new_id("task")
        try:
            with self._store.transaction():
                sheet = self._generate(gap, held_out, train, by=by)
                self._store.append(
                    "labeling_tasks",
                    [
                        {
                            "id": task_id,
                            "gap_id": gap_id,
                            "training_sheet_id": sheet,
                            "title": f"Fill gap: {gap.description[:80]}",
                            "instructions": gap.suggested_action,
                            "assigned_to": assigned_to,
                            "priority": gap.severity.value,
                            "status": (TaskStatus.ASSIGNED if assigned_to else TaskStatus.PENDING).value,
                            "created_by": by,
                            "created_at": self._clock(),
                        }
                    ],
                )
                self._store.append(
                    "labeling_task_items",
                    [{"task_id": task_id, "item_ref": item, "part": "held_out"} for item in held_out]
                    + [{"task_id": task_id, "item_ref": item, "part": "train"} for item in train],
                )
                self._gaps.move(gap_id, "create_task", by=by)
                self._history.add("labeling_task", task_id, "create", by=by, gap=gap_id, held_out=len(held_out))
        except AlreadyExists:
            raise Conflict("Someone else just made a task from this gap.", hint="Reload to see it.") from None
        return self.get(task_id)

    def proposed_target(self, gap: Gap) -> int:
        """How many items a task of this gap should have: both parts large enough to show a halved error."""
        return 2 * records_per_arm(gap.error_rate)

    def get(self, task_id: str) -> LabelingTask:
        """One task with its progress. Raises NotFound."""
        found = self._store.query(f"SELECT {_COLUMNS}, {_COUNTS} FROM labeling_tasks t WHERE t.id = :id", id=task_id)
        if not found:
            raise NotFound("This labelling task does not exist.", hint="Choose one on the Improve page.")
        return _task(found[0])

    def find(self, *, gap_id: str = "", open_only: bool = False, limit: int = 100) -> list[LabelingTask]:
        """Tasks, newest first."""
        found = self._store.query(
            f"SELECT {_COLUMNS}, {_COUNTS} FROM labeling_tasks t WHERE :gap IN ('', t.gap_id) "
            "AND t.status IN :statuses ORDER BY t.created_at DESC, t.id LIMIT :limit",
            gap=gap_id,
            statuses=list(_OPEN if open_only else TaskStatus),
            limit=limit,
        )
        return [_task(row) for row in found]

    def of_training_sheet(self, training_sheet_id: str) -> LabelingTask | None:
        """The task whose queue a training sheet is."""
        found = self._store.query(
            f"SELECT {_COLUMNS}, {_COUNTS} FROM labeling_tasks t WHERE t.training_sheet_id = :id",
            id=training_sheet_id,
        )
        return _task(found[0]) if found else None

    def assign(self, task_id: str, person: str, *, by: str) -> LabelingTask:
        """Give a task to a person."""
        if not person.strip():
            raise Invalid("The person is missing.", hint="Enter who should do it.")
        return self._move(task_id, "assign", by=by, assigned_to=person.strip())

    def move(self, task_id: str, action: str, *, by: str, note: str = "") -> LabelingTask:
        """Start, submit, accept, send back or cancel a task.

        Raises InvalidTransition, Invalid without a needed note, Conflict when items wait for a decision.
        """
        if action in NEEDS_NOTE and not note.strip():
            raise Invalid("A note is needed.", hint="Say in a sentence why.")
        with self._store.transaction():
            task = self._move(task_id, action, by=by, note=note.strip())
            if action == "cancel" and self._gaps.get(task.gap_id).status in UNDER_WORK:
                self._gaps.move(task.gap_id, "cancel_task", by=by)
        return self.get(task_id)

    def collect_labels(self, gap_id: str, *, by: str) -> TrainingSheet:
        """Generate a training sheet of everything that has a label for the gap's question, old and new.

        Raises Invalid with the problems of the pre-flight.
        """
        gap = self._gaps.get(gap_id)
        request = self._request(gap, name=f"All labels, for the gap {gap.description[:80]}")
        return self._training_sheets.generate(replace(request, answer_source=AnswerSource.CANONICAL), by=by)

    # --- inside ------------------------------------------------------------------------------------------------------

    def _move(self, task_id: str, action: str, *, by: str, **values: str) -> LabelingTask:
        self._permissions.check(by, Action.IMPROVE)
        task = self.get(task_id)
        if action == "assign" and task.status in {TaskStatus.IN_PROGRESS, TaskStatus.REVIEW}:
            to: TaskStatus = task.status  # handing over work that has begun does not begin it again
        else:
            to = LIFECYCLE.next(task.status, action, subject=f"“{task.title}”")
        if action in {"submit", "accept"} and task.done < task.items:
            raise Conflict(
                f"{task.items - task.done} of {task.items} items of “{task.title}” wait for a decision.",
                hint="Decide them first; an item that cannot be labelled can be rejected.",
            )
        completed_at = self._clock() if to in {TaskStatus.COMPLETED, TaskStatus.CANCELLED} else None
        assignments = "".join(f", {name} = :{name}" for name in values)
        with self._store.transaction():
            changed = self._store.execute(
                f"UPDATE labeling_tasks SET status = :to, completed_at = :completed_at, "
                f"row_version = row_version + 1{assignments} WHERE id = :id AND row_version = :expected",
                touches="labeling_tasks",
                to=to,
                completed_at=completed_at,
                id=task_id,
                expected=task.row_version,
                **values,
            )
            if not changed:
                raise ChangedByOthers(f"“{task.title}” was just changed by someone else.", hint="Reload and try again.")
            self._history.add("labeling_task", task_id, action, by=by, **values)
        return self.get(task_id)

    def _open_task(self, gap_id: str) -> LabelingTask | None:
        found = self.find(gap_id=gap_id, open_only=True)
        return found[0] if found else None

    def _choose_items(self, gap: Gap, wanted: int) -> tuple[list[str], list[str]]:
        """Held-out and train part, in an order that depends on the items and the gap only.

        Half each, but no fewer held-out items than a closure needs. Items on which the gap was found may be trained on
        but not held out: chosen for having failed, they would make the version before look worse than it is.
        """
        fewest = FEWEST_HELD_OUT + FEWEST_TRAINABLE
        if not fewest <= wanted <= MOST_ITEMS:
            raise Invalid(f"A task cannot have {wanted} items.", hint=f"Choose {fewest} to {MOST_ITEMS}.")
        free = self._free_items(gap)
        judged = self._judged_items(gap)
        unjudged = [item for item in free if item not in judged]
        if len(free) < fewest or len(unjudged) < FEWEST_HELD_OUT:
            raise Invalid(
                f"Only {len(free)} unlabelled items match “{gap.description}”, {len(unjudged)} of them not judged yet; "
                f"{fewest} and {FEWEST_HELD_OUT} are needed.",
                hint="Add source data of this kind first.",
            )
        held_out = unjudged[: max(FEWEST_HELD_OUT, min(min(wanted, len(free)) // 2, len(unjudged)))]
        kept = set(held_out)
        known_first = sorted((item for item in free if item not in kept), key=lambda item: item not in judged)
        return held_out, known_first[: wanted - len(held_out)]

    def _free_items(self, gap: Gap) -> list[str]:
        """Items of the slice without a label, unseen by the version, and in no other task of this question."""
        matching = self._matching(self._sheets.get(gap.sheet_id), gap.predicate)
        labelled = self._canonical_labels.lookup(gap.sheet_id, matching, gap.label_type)
        taken = self._versions.used_items(gap.model_name, gap.version) | self._queued_items(gap)
        seed = int.from_bytes(gap.id.encode()[-4:], "big")
        free = (item for item in matching if item not in labelled and item not in taken)
        return sorted(free, key=lambda item: (item_position(item, seed), item))

    def _queued_items(self, gap: Gap) -> set[str]:
        """Items that a task queues already: held out in one and trained on in another would spoil both."""
        found = self._store.query(
            "SELECT DISTINCT i.item_ref FROM labeling_task_items i JOIN labeling_tasks t ON t.id = i.task_id "
            "JOIN gaps g ON g.id = t.gap_id WHERE g.sheet_id = :sheet AND g.label_type = :label_type "
            "AND t.status <> 'cancelled' ORDER BY i.item_ref",
            sheet=gap.sheet_id,
            label_type=gap.label_type,
        )
        return {rows.text(row, "item_ref") for row in found}

    def _judged_items(self, gap: Gap) -> set[str]:
        """Items on which people judged an answer of the model."""
        found = self._store.query(
            "SELECT DISTINCT item_ref FROM feedback WHERE model_name = :name AND item_ref <> '' ORDER BY item_ref",
            name=gap.model_name,
        )
        return {rows.text(row, "item_ref") for row in found}

    def _matching(self, sheet: Sheet, predicate: Predicate) -> list[str]:
        """All items of the sheet that a predicate describes but those set aside, found by streaming the columns."""
        found: list[str] = []
        frame: pd.DataFrame
        selection = self._quarantine.without(sheet.selection(), sheet.id)
        for frame in self._lake.batches(selection, columns=sheet.columns, size=SCAN_BATCH):
            found += frame.loc[select(predicate, frame), "item_ref"].astype(str).tolist()
        return found

    def _generate(self, gap: Gap, held_out: Sequence[str], train: Sequence[str], *, by: str) -> str:
        """A training sheet over exactly these items, to be answered by hand; held-out pairs may not be trained on."""
        request = replace(
            self._request(gap, name=f"Fill gap: {gap.description[:80]}"),
            answer_source=AnswerSource.MANUAL,
            item_refs=(*held_out, *train),
            held_out=frozenset(held_out),
        )
        return self._training_sheets.generate(request, by=by).id

    def _request(self, gap: Gap, *, name: str) -> GenerationRequest:
        """The question of the gap's version, asked with the same template and mapping."""
        made = self._versions.get(gap.model_name, gap.version)
        return GenerationRequest(
            sheet_id=gap.sheet_id,
            prompt_template_id=gap.prompt_template_id,
            mapping=self._training_sheets.get(made.training_sheet_id).mapping,
            name=name,
            row_limit=MOST_LABELS,
            is_demo=gap.is_demo,
        )


def _task(row: Row) -> LabelingTask:
    return LabelingTask(
        id=rows.text(row, "id"),
        gap_id=rows.text(row, "gap_id"),
        training_sheet_id=rows.text(row, "training_sheet_id"),
        title=rows.text(row, "title"),
        instructions=rows.text(row, "instructions"),
        assigned_to=rows.text(row, "assigned_to"),
        priority=rows.text(row, "priority"),
        status=_status(row),
        note=rows.text(row, "note"),
        items=rows.whole(row, "items"),
        held_out=rows.whole(row, "held_out"),
        done=rows.whole(row, "done"),
        row_version=rows.whole(row, "row_version"),
        created_by=rows.text(row, "created_by"),
        created_at=rows.time(row, "created_at"),
        completed_at=rows.time_or_none(row, "completed_at"),
    )


def _status(row: Row) -> TaskStatus:
    """The stored status, moved on by the work that has been done: first record, then all of them (spec 2.12).

    A task that was sent back has all its items decided already: it goes to review again when it is submitted.
    """
    stored, done, items = TaskStatus(rows.text(row, "status")), rows.whole(row, "done"), rows.whole(row, "items")
    if stored in {TaskStatus.PENDING, TaskStatus.ASSIGNED} and done:
        stored = TaskStatus.IN_PROGRESS
    sent_back = bool(rows.text(row, "note"))
    if stored is TaskStatus.IN_PROGRESS and done >= items and not sent_back:
        return TaskStatus.REVIEW
    return stored
