"""How the run behind a training sheet ends: it waits for a higher limit, opens the review, or says why it failed."""

from __future__ import annotations

import logging

from workbench_core import rows
from workbench_core.clock import Clock
from workbench_core.errors import WorkbenchError
from workbench_core.history import History
from workbench_core.ports import Lake, Selection, Store
from workbench_core.prompt_templates import AnswerSource
from workbench_core.runs import RunContext, Runs
from workbench_core.training_sheets.growth import Growth, Missing
from workbench_core.training_sheets.model import LIFECYCLE, TrainingSheet, TrainingSheetStatus
from workbench_core.training_sheets.records import OWN_RUN, TrainingSheetRecords
from workbench_core.training_sheets.spending import NOTHING

log = logging.getLogger(__name__)


class Endings:
    """End runs, each in one transaction; one that another worker has taken over, or a person ended, is left alone."""

    def __init__(
        self,
        store: Store,
        *,
        lake: Lake,
        records: TrainingSheetRecords,
        growth: Growth,
        runs: Runs,
        history: History,
        clock: Clock,
    ) -> None:
        self._store = store
        self._lake = lake
        self._records = records
        self._growth = growth
        self._runs = runs
        self._history = history
        self._clock = clock

    def pause(self, training_sheet: TrainingSheet, context: RunContext, used_up: str, *, position: int) -> None:
        """Wait for a person to raise the limit. Raises RunStopped when somebody ended it meanwhile."""
        reason = f"{used_up} is used up: {position:,} of {training_sheet.selected_items:,} items are done."
        with self._store.transaction():
            self._records.hold_run(context, NOTHING)
            self._store.execute(
                "UPDATE training_sheets SET pause_reason = :reason, paused_by = '', row_version = row_version + 1 "
                "WHERE id = :id AND pause_reason = ''",
                touches="training_sheets",
                reason=reason,
                id=training_sheet.id,
            )
            self._runs.cancel(context.run.id, by=context.by, message=reason)
            self._history.add("training_sheet", training_sheet.id, "pause", by=context.by, note=reason)

    def finish(self, training_sheet: TrainingSheet, context: RunContext, selection: Selection) -> None:
        """Open the review; items without a pair are counted as left out where the row limit really cut them off.

        Without its source they cannot be counted again: what was known at the beginning stays. Raises RunStopped when
        somebody ended it meanwhile.
        """
        pairs, now = self._pairs(training_sheet.id), self._clock()
        missing = self._missing(training_sheet, selection, pairs)
        with self._store.transaction():
            self._records.hold_run(context, NOTHING)
            self._store.execute(
                "UPDATE training_sheets SET status = :status, error = '', pause_reason = '', paused_by = '', "
                "cancelled_by = '', selected_items = :selected, left_out_items = :left_out, "
                "unlabelled_items = :unlabelled, completed_at = :now, updated_at = :now, "
                "row_version = row_version + 1 WHERE id = :id",
                touches="training_sheets",
                status=TrainingSheetStatus.REVIEW.value,
                now=now,
                id=training_sheet.id,
                **_counted(training_sheet, pairs, missing),
            )
            self._history.add("training_sheet", training_sheet.id, "finish", by=context.by, pairs=pairs)

    def fail(self, training_sheet: TrainingSheet, context: RunContext, error: str) -> None:
        """Keep the error; a training sheet that new items were added to goes back to its review with those it has."""
        action = "fail_append" if training_sheet.options.appends else "fail"
        selected = "(SELECT MAX(sequence_number) FROM pairs WHERE training_sheet_id = :id)"
        with self._store.transaction():
            failed = self._store.execute(
                "UPDATE training_sheets SET status = :status, error = :error, pause_reason = '', paused_by = '', "
                f"cancelled_by = '', selected_items = {selected if action == 'fail_append' else 'selected_items'}, "
                f"updated_at = :now, row_version = row_version + 1 WHERE id = :id AND status = :was AND {OWN_RUN}",
                touches="training_sheets",
                status=str(LIFECYCLE.next(TrainingSheetStatus.GENERATING, action)),
                was=TrainingSheetStatus.GENERATING.value,
                error=error,
                now=self._clock(),
                id=context.subject_id,
                run=context.run.id,
                worker=context.run.worker,
            )
            if failed:
                self._history.add("training_sheet", context.subject_id, action, by=context.by, error=error)

    # --- counting ----------------------------------------------------------------------------------------------------

    def _pairs(self, training_sheet_id: str) -> int:
        found = self._store.query(
            "SELECT COUNT(*) AS pairs FROM pairs WHERE training_sheet_id = :id", id=training_sheet_id
        )
        return rows.whole(found[0], "pairs")

    def _missing(self, training_sheet: TrainingSheet, selection: Selection, pairs: int) -> Missing | None:
        """The items without a pair; None when the source cannot be read: every pair that can be made is there.

        Items are compared one by one only where numbers cannot tell; rows that repeat an item are counted apart only
        where there are more rows than pairs.
        """
        try:
            if _answered_by_labels(training_sheet) or training_sheet.options.appends:
                return self._growth.missing(training_sheet)
            items = self._lake.count(selection)
            if items > pairs:
                items = self._lake.count_items(selection)
        except WorkbenchError as error:
            log.warning("The source of training sheet %s could not be counted: %s", training_sheet.id, error.message)
            return None
        return Missing(max(0, items - pairs), items=items)


def _answered_by_labels(training_sheet: TrainingSheet) -> bool:
    return training_sheet.answer_source is AnswerSource.CANONICAL


def _counted(training_sheet: TrainingSheet, pairs: int, missing: Missing | None) -> dict[str, int]:
    """The counts of items that a training sheet keeps."""
    if missing is None:
        worked_on = training_sheet.selected_items if _answered_by_labels(training_sheet) else pairs
        return {
            "selected": worked_on,
            "left_out": training_sheet.left_out_items,
            "unlabelled": training_sheet.unlabelled_items,
        }
    worked_on = 0 if training_sheet.options.appends else training_sheet.selected_items
    return {
        "selected": max(pairs, min(missing.items, training_sheet.row_limit)),
        "left_out": missing.new if max(pairs, worked_on) >= training_sheet.row_limit else 0,
        "unlabelled": missing.unlabelled,
    }
