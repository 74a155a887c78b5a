"""Steering a generation: a person lets it wait, ends it, or lets it go on."""

from __future__ import annotations

from workbench_core.history import History
from workbench_core.ports import Store
from workbench_core.runs import Run, Runs
from workbench_core.training_sheets.continuing import Continuing
from workbench_core.training_sheets.model import LIFECYCLE, TrainingSheet, TrainingSheetStatus
from workbench_core.training_sheets.records import TrainingSheetRecords
from workbench_core.training_sheets.rights import Rights
from workbench_core.training_sheets.spending import limit_from_now_on
from workbench_core.training_sheets.warehouse import WarehouseAnswers

RUN_KIND = "generate"


class Steering:
    """Pause, cancel and resume generations, and know their runs."""

    def __init__(
        self,
        store: Store,
        *,
        records: TrainingSheetRecords,
        runs: Runs,
        history: History,
        rights: Rights,
        continuing: Continuing,
        warehouse: WarehouseAnswers,
    ) -> None:
        self._store = store
        self._records = records
        self._runs = runs
        self._history = history
        self._rights = rights
        self._continuing = continuing
        self._warehouse = warehouse

    def pause(self, training_sheet_id: str, *, by: str) -> None:
        """Let it wait at the next batch border."""
        with self._store.transaction():  # reads too: the work goes on meanwhile, and may just have paused by itself
            training_sheet = self._steered(training_sheet_id, "pause", by=by)
            self._records.move(training_sheet, "pause", by=by, pause_reason=f"Paused by {by}")
            self._end_run(training_sheet_id, by=by, message=f"Paused by {by}")

    def cancel(self, training_sheet_id: str, *, by: str) -> None:
        """Stop it; one that adds new items leads back to the review."""
        with self._store.transaction():
            training_sheet = self._steered(training_sheet_id, "cancel", by=by)
            if training_sheet.options.appends:
                self._records.cancel_append(training_sheet, by=by)
            else:
                kept = training_sheet.counts.total
                error = f"Cancelled by {by}; {kept:,} of {training_sheet.selected_items:,} pairs are kept"
                self._records.move(training_sheet, "cancel", by=by, error=error)
            self._end_run(training_sheet_id, by=by)
        self._warehouse.cancel(training_sheet)

    def resume(self, training_sheet_id: str, *, by: str, budget: float | None, call_limit: int | None) -> None:
        """Go on at the first missing item, with other limits when they are given; 0 lifts one."""
        training_sheet = self._steered(training_sheet_id, "resume", by=by)
        run = self.run_of(training_sheet_id)
        is_orphan = training_sheet.stage == TrainingSheetStatus.GENERATING and not (run and run.is_active)
        budget = limit_from_now_on(training_sheet.budget, budget)
        call_limit = limit_from_now_on(training_sheet.call_limit, call_limit)
        if not is_orphan:
            LIFECYCLE.next(training_sheet.stage, "resume", subject=f"“{training_sheet.name}”")
        self._continuing.check_resumable(training_sheet, budget=budget, call_limit=call_limit)
        with self._store.transaction():
            if is_orphan:  # its run ended without being able to say so
                self._history.add("training_sheet", training_sheet_id, "resume", by=by)
            else:
                self._records.move(training_sheet, "resume", by=by)
            self._records.set_limits(training_sheet_id, budget, call_limit)
            left = training_sheet.selected_items - self._records.position(training_sheet_id)
            self.start_run(training_sheet, total=left, by=by)
        self._runs.wake.set()

    def run_of(self, training_sheet_id: str) -> Run | None:
        """The newest generation run of a training sheet."""
        return self._runs.latest(RUN_KIND, training_sheet_id)

    def start_run(self, training_sheet: TrainingSheet, *, total: int, by: str) -> None:
        """Queue the generation of so many items; call it inside the transaction that makes it possible."""
        title = f"Generate “{training_sheet.name}”"
        self._runs.start(RUN_KIND, training_sheet.id, title=title, by=by, total=total)

    def _steered(self, training_sheet_id: str, action: str, *, by: str) -> TrainingSheet:
        """The training sheet whose generation somebody wants to steer. Raises NotPermitted."""
        training_sheet = self._records.get(training_sheet_id)
        self._rights.check(training_sheet, action, by=by)
        return training_sheet

    def _end_run(self, training_sheet_id: str, *, by: str, message: str = "") -> None:
        run = self.run_of(training_sheet_id)
        if run is not None and run.is_active:
            self._runs.cancel(run.id, by=by, message=message)
