"""Bulk decisions and the steps they are: small ones at once, large ones by a run in batches that are each committed."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from workbench_core.clock import Clock
from workbench_core.errors import ChangedByOthers, Conflict
from workbench_core.history import History
from workbench_core.pairs.bulk import LARGE, BulkAction, BulkOutcome, Selection
from workbench_core.pairs.bulk_rules import (
    CHANGED,
    GONE,
    OTHER_LABEL,
    SET_USAGE,
    decision_of,
    kept_request,
    read_request,
    refusal_of,
)
from workbench_core.pairs.changes import Side
from workbench_core.pairs.deciding import Deciding
from workbench_core.pairs.decisions import Outcome, check_open, judge
from workbench_core.pairs.filters import PairFilter
from workbench_core.pairs.model import Pair
from workbench_core.pairs.pages import PairPages
from workbench_core.pairs.records import Origin, PairRecords
from workbench_core.pairs.steps import NewStep, ReviewSteps, Step, StepStatus, StepWork, new_step_id
from workbench_core.pairs.undo import Undoing
from workbench_core.pairs.usages import PairUsages, request_of
from workbench_core.ports import Store
from workbench_core.runs import Run, RunContext, Runs, RunStopped

KIND = "decide_pairs"
BATCH = 250  # pairs in one transaction of a run: on SQLite people who decide wait for its end
_PAUSE = 0.025  # seconds between two transactions, in which people who decide meanwhile get their turn
_ATTEMPTS = 3
_END = {
    StepWork.DO: StepStatus.DONE,
    StepWork.UNDO: StepStatus.UNDONE,
    StepWork.REDO: StepStatus.DONE,
}
_SIDE = {StepWork.UNDO: Side.BEFORE, StepWork.REDO: Side.AFTER}


@dataclass(frozen=True, slots=True)
class _Judged:
    """Decisions of one batch that can be carried out, and why the other pairs are left as they are."""

    pair_ids: tuple[str, ...]
    outcomes: tuple[Outcome, ...]
    skipped: Counter[str]


@dataclass(frozen=True, slots=True)
class BulkParts:
    """What bulk work is made of."""

    store: Store
    records: PairRecords
    pages: PairPages
    deciding: Deciding
    usages: PairUsages
    steps: ReviewSteps
    undoing: Undoing
    runs: Runs
    history: History
    clock: Clock


class BulkWork:
    """Carry bulk actions, and undo and redo of steps, out: at once or by a run. The caller has checked the role."""

    def __init__(self, parts: BulkParts) -> None:
        self._parts = parts
        self._store = parts.store
        self._steps = parts.steps
        self._clock = parts.clock

    # --- bulk decisions ----------------------------------------------------------------------------------------------

    def decide(self, selection: Selection, action: BulkAction, origin: Origin, *, by: str) -> BulkOutcome:
        """Carry an action out on a selection. Raises Conflict when the sheet is closed or a run works on it already."""
        if selection.wanted is None and len(selection.pair_ids) <= LARGE:
            return self._decide_now(selection.pair_ids, selection, action, origin, by=by)
        if selection.wanted is not None:
            found = self._parts.pages.following(selection.training_sheet_id, selection.wanted, after=0, limit=LARGE + 1)
            if len(found) <= LARGE:
                return self._decide_now([pair_id for _, pair_id in found], selection, action, origin, by=by)
        return self._start(selection, action, by=by)

    def _decide_now(
        self, pair_ids: Sequence[str], selection: Selection, action: BulkAction, origin: Origin, *, by: str
    ) -> BulkOutcome:
        for attempt in range(_ATTEMPTS):
            try:
                with self._store.transaction():
                    _check_open(action, origin)
                    judged = self._judged(pair_ids, selection, action, origin, by=by)
                    step_id = new_step_id()
                    if judged.pair_ids:
                        request = {} if action.rules is None else request_of(action.rules)
                        step = NewStep(step_id, action.action, len(judged.pair_ids), action.replace_labels, request)
                        self._steps.add(selection.training_sheet_id, [step], by=by)
                        self._write(judged, action, step_id, by=by)
                        self._tell(selection.training_sheet_id, action.action, judged, by=by)
                    return BulkOutcome(len(judged.pair_ids), dict(judged.skipped))
            except ChangedByOthers:
                if attempt == _ATTEMPTS - 1:
                    raise
        raise AssertionError("the last attempt returns or raises")

    def _start(self, selection: Selection, action: BulkAction, *, by: str) -> BulkOutcome:
        selection = replace(selection, as_of=selection.as_of or self._clock())
        sheet_id, until = selection.training_sheet_id, self._parts.pages.last(selection.training_sheet_id)
        total = len(set(selection.pair_ids)) if selection.wanted is None else self._count(sheet_id, selection.wanted)
        request = kept_request(selection, action, until=until)
        step = NewStep(new_step_id(), action.action, 0, action.replace_labels, request, StepWork.DO)
        with self._store.transaction():
            self._check_idle(sheet_id)
            title = f"{action.action.replace('_', ' ').capitalize()} {total:,} pairs"
            run = self._parts.runs.start(KIND, sheet_id, title=title, by=by, total=total)
            self._steps.add(sheet_id, [step], by=by)
            self._steps.give_to_run(step.id, StepWork.DO, run.id)
        self._parts.runs.wake.set()
        return BulkOutcome(run=run)

    def _count(self, training_sheet_id: str, wanted: PairFilter) -> int:
        return self._parts.pages.count(training_sheet_id, wanted)

    # --- undo and redo -----------------------------------------------------------------------------------------------

    def move(self, step: Step, work: StepWork, *, by: str) -> Run | None:
        """Undo or redo a step, at once or by the run that is given back.

        Raises Conflict while a run works on the training sheet, ChangedByOthers naming who changed what since.
        """
        side = _SIDE[work]
        if step.pairs > LARGE:
            self._parts.undoing.check(step, side)  # a long look, which must hold nobody up; batches look again
            with self._store.transaction():
                self._check_idle(step.training_sheet_id)
                return self._give_to_run(step, work, by=by)
        with self._store.transaction():
            self._check_idle(step.training_sheet_id)
            self._parts.undoing.check(step, side)
            self._move(step, work, self._parts.undoing.next_pairs(step, side, after="", limit=LARGE), by=by)
            self._steps.move(step.id, _END[work])
            self._note(step, work, by=by)
        return None

    def resume(self, training_sheet_id: str, *, by: str) -> Run:
        """Go on with large work that was cancelled or failed. Raises Conflict when there is none or it is under way."""
        with self._store.transaction():
            self._check_idle(training_sheet_id)
            step = self._steps.worked_on(training_sheet_id)
            if step is None:
                raise Conflict("There is no bulk decision to resume.", hint="Choose pairs and decide about them.")
            return self._give_to_run(step, step.work, by=by)

    def _give_to_run(self, step: Step, work: StepWork, *, by: str) -> Run:
        former = self._parts.runs.latest(KIND, step.training_sheet_id)
        is_resumed = work is step.work and former is not None and former.id == step.run_id
        total = former.total if former is not None and is_resumed else step.pairs
        words = step.told if work is StepWork.DO else f"{work} {step.told}"
        title = f"{words.capitalize()} {total:,} pairs"
        run = self._parts.runs.start(KIND, step.training_sheet_id, title=title, by=by, total=total)
        if former is not None and is_resumed:
            self._parts.runs.report(run.id, done=former.done, total=total, message=former.message)
        self._steps.give_to_run(step.id, work, run.id)
        return run

    def _move(self, step: Step, work: StepWork, pair_ids: Sequence[str], *, by: str) -> None:
        if work is StepWork.UNDO:
            self._parts.undoing.undo(step, pair_ids, by=by)
        else:
            self._parts.undoing.redo(step, pair_ids, by=by)

    def _check_idle(self, training_sheet_id: str) -> None:
        run = self._parts.runs.latest(KIND, training_sheet_id)
        if run is not None and (run.is_active or run.status == "interrupted"):
            raise Conflict(f"“{run.title}” is under way.", hint="Wait for its end or cancel it.")

    # --- the run -----------------------------------------------------------------------------------------------------

    def handle(self, context: RunContext) -> None:
        """Do what a large step asks for, a batch at a time; safe to stop and to kill at any moment.

        Raises RunStopped at a border when the run must end, Conflict when the training sheet was closed.
        """
        step = self._steps.worked_on(context.subject_id)
        if step is None or step.run_id != context.run.id:
            return
        done = self._parts.runs.get(context.run.id).done
        batches = self._batches_to_do(step) if step.work is StepWork.DO else self._batches_to_move(step)
        for position, pair_ids in batches:
            step, done = self._do_batch(context, step, position, pair_ids, done=done)
            if context.should_stop():
                raise RunStopped
            time.sleep(_PAUSE)
        self._finish(context, step, done=done)

    def _batches_to_do(self, step: Step) -> Iterator[tuple[str, list[str]]]:
        """The positions and pairs that wait, read as late as possible: what no longer matches is left alone."""
        selection, _ = read_request(step.training_sheet_id, step.action, step.request)
        after, until = int(step.position or 0), int(str(step.request["until"]))
        if selection.wanted is None:
            numbers = self._parts.pages.positions(step.training_sheet_id, selection.pair_ids)
            waiting = [(number, pair_id) for number, pair_id in numbers if number > after]
            for start in range(0, len(waiting), BATCH):
                batch = waiting[start : start + BATCH]
                yield str(batch[-1][0]), [pair_id for _, pair_id in batch]
            return
        while found := self._parts.pages.following(step.training_sheet_id, selection.wanted, after=after, limit=BATCH):
            batch = [entry for entry in found if entry[0] <= until]
            if not batch:
                return
            after = batch[-1][0]
            yield str(after), [pair_id for _, pair_id in batch]

    def _batches_to_move(self, step: Step) -> Iterator[tuple[str, list[str]]]:
        after = step.position
        while pair_ids := self._parts.undoing.next_pairs(step, _SIDE[step.work], after=after, limit=BATCH):
            after = pair_ids[-1]
            yield after, pair_ids

    def _do_batch(
        self, context: RunContext, step: Step, position: str, pair_ids: Sequence[str], *, done: int
    ) -> tuple[Step, int]:
        """One batch in one transaction, with how far the step is and the progress of the run."""
        for attempt in range(_ATTEMPTS):
            try:
                with self._store.transaction():
                    pairs, skipped = self._carry_out(step, pair_ids)
                    former = Counter(step.skipped) + skipped
                    if not self._steps.advance(step, position, pairs=pairs, skipped=former):
                        raise RunStopped  # another worker has taken it over
                    total = max(context.run.total, done + len(pair_ids))
                    context.report(done + len(pair_ids), total, f"{done + len(pair_ids):,} of {total:,} pairs")
                return replace(step, position=position, pairs=pairs, skipped=former), done + len(pair_ids)
            except ChangedByOthers:
                if attempt == _ATTEMPTS - 1:
                    raise
        raise AssertionError("the last attempt returns or raises")

    def _carry_out(self, step: Step, pair_ids: Sequence[str]) -> tuple[int, Counter[str]]:
        """The pairs that a step has after this batch, and why pairs of it were left as they are."""
        if step.work is not StepWork.DO:
            changed = self._parts.undoing.changed(step, _SIDE[step.work], pair_ids)
            self._move(step, step.work, [pair_id for pair_id in pair_ids if pair_id not in changed], by=step.by)
            return step.pairs, Counter({CHANGED: len(changed)} if changed else {})
        selection, action = read_request(step.training_sheet_id, step.action, step.request)
        origin = self._parts.records.origin(step.training_sheet_id)
        _check_open(action, origin)
        judged = self._judged(pair_ids, selection, action, origin, by=step.by)
        self._write(judged, action, step.id, by=step.by)
        return step.pairs + len(judged.pair_ids), judged.skipped

    def _finish(self, context: RunContext, step: Step, *, done: int) -> None:
        """The end: what no longer matched when its turn came was changed by somebody meanwhile."""
        skipped = Counter(step.skipped)
        if (missed := context.run.total - done) > 0:
            skipped[CHANGED] += missed
        told = "; ".join(f"{number:,} left: {reason}" for reason, number in skipped.most_common())
        with self._store.transaction():
            if not self._steps.advance(step, step.position, pairs=step.pairs, skipped=skipped):
                raise RunStopped
            self._steps.move(step.id, _END[step.work])
            changed = done - sum(step.skipped.values())
            context.report(max(done, context.run.total), max(done, context.run.total),
                           f"{changed:,} pairs changed" + (f"; {told}" if told else ""))  # fmt: skip
            self._note(replace(step, pairs=changed), step.work, by=step.by)

    # --- inside: one batch -------------------------------------------------------------------------------------------

    def _judged(
        self, pair_ids: Sequence[str], selection: Selection, action: BulkAction, origin: Origin, *, by: str
    ) -> _Judged:
        """What an action makes of these pairs, their canonical labels recorded."""
        pairs = self._parts.records.to_decide(pair_ids)
        skipped, able, now = Counter[str](), list[Pair](), self._clock()
        for pair_id in dict.fromkeys(pair_ids):
            pair = pairs.get(pair_id)
            if pair is None or pair.training_sheet_id != selection.training_sheet_id:
                skipped[GONE] += 1
            elif refusal := refusal_of(pair, action, origin.template, as_of=selection.as_of):
                skipped[refusal] += 1
            else:
                able.append(pair)
        if action.action == SET_USAGE:
            return _Judged(tuple(pair.id for pair in able), (), skipped)
        outcomes = [judge(pair, decision_of(pair, action), origin.template, by=by, now=now) for pair in able]
        kept, conflicts = self._parts.deciding.labelled(
            self._parts.deciding.with_sources(outcomes), by=by, replaces=action.replace_labels
        )
        if conflicts:
            skipped[OTHER_LABEL] += len(conflicts)
        return _Judged(tuple(outcome.before.id for outcome in kept), tuple(kept), skipped)

    def _write(self, judged: _Judged, action: BulkAction, step_id: str, *, by: str) -> None:
        if action.action == SET_USAGE and action.rules is not None:
            self._parts.usages.set(judged.pair_ids, action.rules, step_id, by=by)
        else:
            self._parts.deciding.write_in_step(judged.outcomes, [step_id] * len(judged.outcomes), by=by)

    def _tell(self, training_sheet_id: str, action: str, judged: _Judged, *, by: str) -> None:
        self._parts.history.add(
            "training_sheet", training_sheet_id, f"{action} pairs", by=by, pairs=len(judged.pair_ids),
            skipped=dict(judged.skipped),
        )  # fmt: skip

    def _note(self, step: Step, work: StepWork, *, by: str) -> None:
        """Steps of many pairs, and every undo and redo, are a line of the training sheet's history."""
        action = f"{step.action} pairs" if work is StepWork.DO else f"{work} {step.action}"
        self._parts.history.add("training_sheet", step.training_sheet_id, action, by=by, pairs=step.pairs)


def _check_open(action: BulkAction, origin: Origin) -> None:
    """Decisions need a sheet in review; what pairs may be used for changes at any time."""
    if action.action != SET_USAGE:
        check_open(origin.name, origin.status)
