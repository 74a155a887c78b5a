"""The rows behind training sheets: read with their counts, moved with compare-and-set, removed with all they hold."""

from __future__ import annotations

from workbench_core import rows
from workbench_core.clock import Clock
from workbench_core.errors import ChangedByOthers, NotFound
from workbench_core.history import History
from workbench_core.pairs import Pairs
from workbench_core.ports import Store
from workbench_core.runs import RunContext, RunStopped
from workbench_core.training_sheets.model import (
    COLUMNS,
    LIFECYCLE,
    PAUSED,
    TrainingSheet,
    TrainingSheetStatus,
    training_sheet_from,
)
from workbench_core.training_sheets.spending import ADD_SPENDING, Spending

_MATCHES = (
    "status IN :statuses AND (:sheet = '' OR sheet_id = :sheet) "
    "AND LOWER(name || ' ' || description || ' ' || label_type) LIKE LOWER(:pattern) ESCAPE '!'"
)
OWN_RUN = "EXISTS (SELECT 1 FROM runs WHERE runs.id = :run AND runs.status = 'running' AND runs.worker = :worker)"
_CANCELS = frozenset({"cancel", "cancel_append"})
_ENDS_REVIEW = "reviewed_by = :by, reviewed_at = :now, "
_REVIEWED = {
    "close_review": _ENDS_REVIEW,
    "reject": _ENDS_REVIEW,
    "reopen": "reviewed_by = '', reviewed_at = NULL, ",
}


class TrainingSheetRecords:
    """Read and write training sheets; roles are checked by whoever calls."""

    def __init__(self, store: Store, pairs: Pairs, history: History, clock: Clock) -> None:
        self._store = store
        self._pairs = pairs
        self._history = history
        self._clock = clock

    def find(
        self, *, status: TrainingSheetStatus | None, sheet_id: str, search: str, limit: int, offset: int
    ) -> list[TrainingSheet]:
        """Training sheets with their counts, newest first; archived ones only when asked for by status."""
        found = self._store.query(
            f"SELECT {COLUMNS} FROM training_sheets WHERE {_MATCHES} "
            "ORDER BY created_at DESC, id LIMIT :limit OFFSET :offset",
            limit=limit,
            offset=offset,
            **_wanted(status, sheet_id, search),
        )
        counts = self._pairs.counts_of([rows.text(row, "id") for row in found]) if found else {}
        return [training_sheet_from(row, counts[rows.text(row, "id")]) for row in found]

    def count(self, *, status: TrainingSheetStatus | None, sheet_id: str, search: str) -> int:
        """How many training sheets match."""
        found = self._store.query(
            f"SELECT COUNT(*) AS sheets FROM training_sheets WHERE {_MATCHES}", **_wanted(status, sheet_id, search)
        )
        return rows.whole(found[0], "sheets")

    def get(self, training_sheet_id: str) -> TrainingSheet:
        """One training sheet with its counts. Raises NotFound."""
        found = self._store.query(f"SELECT {COLUMNS} FROM training_sheets WHERE id = :id", id=training_sheet_id)
        if not found:
            raise NotFound("This training sheet does not exist.", hint="Choose one on the Label page.")
        return training_sheet_from(found[0], self._pairs.counts(training_sheet_id))

    def dependants(self, training_sheet_id: str) -> str:
        """What stands on a training sheet, in words such as “1 training job”; empty when nothing."""
        found = self._store.query(
            "SELECT (SELECT COUNT(*) FROM training_jobs WHERE training_sheet_id = :id) AS training_job, "
            "(SELECT COUNT(*) FROM labeling_tasks WHERE training_sheet_id = :id) AS labelling_task",
            id=training_sheet_id,
        )[0]
        counts = {name.replace("_", " "): rows.whole(found, name) for name in found}
        return ", ".join(f"{count:,} {name}{'s' if count > 1 else ''}" for name, count in counts.items() if count)

    def position(self, training_sheet_id: str) -> int:
        """The position of the last item that became a pair."""
        found = self._store.query(
            "SELECT MAX(sequence_number) AS position FROM pairs WHERE training_sheet_id = :id", id=training_sheet_id
        )
        return rows.whole(found[0], "position")

    def move(
        self,
        training_sheet: TrainingSheet,
        action: str,
        *,
        by: str,
        error: str = "",
        pause_reason: str = "",
        note: str = "",
    ) -> None:
        """Change where it stands if nobody changed it meanwhile, and record it; call it inside a transaction.

        Raises InvalidTransition, ChangedByOthers.
        """
        to = LIFECYCLE.next(training_sheet.stage, action, subject=f"“{training_sheet.name}”")
        changed = self._store.execute(
            "UPDATE training_sheets SET status = :to, error = :error, pause_reason = :reason, paused_by = :paused_by, "
            f"cancelled_by = :cancelled_by, {_REVIEWED.get(action, '')}updated_by = :by, updated_at = :now, "
            "row_version = row_version + 1 "
            "WHERE id = :id AND status = :was AND pause_reason = :was_paused",
            touches="training_sheets",
            to=TrainingSheetStatus.GENERATING.value if to == PAUSED else str(to),
            error=error,
            reason=pause_reason,
            paused_by=by if pause_reason else "",
            cancelled_by=by if action in _CANCELS else "",
            was=training_sheet.status.value,
            was_paused=training_sheet.pause_reason,
            by=by,
            now=self._clock(),
            id=training_sheet.id,
        )
        if not changed:
            raise _changed(training_sheet)
        details = {"note": note} if note else {}
        self._history.add("training_sheet", training_sheet.id, action, by=by, **details)

    def cancel_append(self, training_sheet: TrainingSheet, *, by: str) -> None:
        """Lead a training sheet that new items are added to back to its review; call it inside a transaction.

        Raises InvalidTransition, ChangedByOthers.
        """
        begun, position = training_sheet.options.grown_from, self.position(training_sheet.id)
        added, wanted = max(position - begun, 0), max(training_sheet.selected_items - begun, 0)
        error = f"Cancelled by {by}; {added:,} of {wanted:,} new items were added"
        self.move(training_sheet, "cancel_append", by=by, error=error)
        self._store.execute(
            "UPDATE training_sheets SET selected_items = :selected WHERE id = :id",
            touches="training_sheets",
            selected=position,
            id=training_sheet.id,
        )

    def hold(self, training_sheet: TrainingSheet) -> None:
        """Keep others from moving it until the transaction ends. Raises ChangedByOthers when somebody just did."""
        held = self._store.execute(
            "UPDATE training_sheets SET updated_at = updated_at "
            "WHERE id = :id AND status = :was AND pause_reason = :was_paused",
            touches="training_sheets",
            id=training_sheet.id,
            was=training_sheet.status.value,
            was_paused=training_sheet.pause_reason,
        )
        if not held:
            raise _changed(training_sheet)

    def hold_run(self, context: RunContext, spent: Spending) -> None:
        """Keep others from changing the training sheet of a run until the transaction ends, and count what it cost.

        Raises RunStopped when it is not generating any more, or another worker has taken over the run.
        """
        held = self._store.execute(
            f"UPDATE training_sheets SET updated_at = :now, {ADD_SPENDING} "
            f"WHERE id = :id AND status = :status AND {OWN_RUN}",
            touches="training_sheets",
            now=self._clock(),
            id=context.subject_id,
            status=TrainingSheetStatus.GENERATING.value,
            run=context.run.id,
            worker=context.run.worker,
            **spent.parameters(),
        )
        if not held:
            raise RunStopped

    def pay(self, training_sheet_id: str, spent: Spending) -> None:
        """Count what was spent, whatever became of the training sheet meanwhile."""
        self._store.execute(
            f"UPDATE training_sheets SET {ADD_SPENDING} WHERE id = :id",
            touches="training_sheets",
            id=training_sheet_id,
            **spent.parameters(),
        )

    def set_limits(self, training_sheet_id: str, budget: float | None, call_limit: int | None) -> None:
        """Give a training sheet other limits."""
        self._store.execute(
            "UPDATE training_sheets SET budget = :budget, call_limit = :call_limit WHERE id = :id",
            touches="training_sheets",
            budget=budget,
            call_limit=call_limit,
            id=training_sheet_id,
        )

    def add_spending(self, training_sheet: TrainingSheet, spent: Spending) -> bool:
        """Count what an answering spent into the whole of a training sheet; False when it is not in review any more."""
        part = spent.within(training_sheet.spent.currency)
        return bool(
            self._store.execute(
                f"UPDATE training_sheets SET {ADD_SPENDING}, "
                "currency = CASE WHEN currency = '' THEN :currency ELSE currency END "
                "WHERE id = :id AND status = 'review'",
                touches="training_sheets",
                currency=part.currency,
                id=training_sheet.id,
                **part.parameters(),
            )
        )

    def remove(self, training_sheet: TrainingSheet, *, by: str) -> None:
        """Remove it with its pairs and what was decided about them; call it inside a transaction."""
        for table, column in (
            ("answerings", "training_sheet_id"),
            ("pair_reviews", "training_sheet_id"),
            ("pairs", "training_sheet_id"),
            ("training_sheets", "id"),
        ):
            self._store.execute(f"DELETE FROM {table} WHERE {column} = :id", touches=table, id=training_sheet.id)
        self._history.add("training_sheet", training_sheet.id, "delete", by=by, name=training_sheet.name)


def _changed(training_sheet: TrainingSheet) -> ChangedByOthers:
    return ChangedByOthers(f"“{training_sheet.name}” was just changed by somebody else.", hint="Reload and try again.")


def _wanted(status: TrainingSheetStatus | None, sheet_id: str, search: str) -> dict[str, str | list[str]]:
    """The parameters of `_MATCHES`; archived training sheets only when asked for."""
    every = [each.value for each in TrainingSheetStatus if each is not TrainingSheetStatus.ARCHIVED]
    return {
        "statuses": [status.value] if status else every,
        "sheet": sheet_id,
        "pattern": rows.search_pattern(search),
    }
