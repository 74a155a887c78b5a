"""The service behind pairs: list them, decide about one or very many, undo and redo, govern their use."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from datetime import datetime

from workbench_core import rows
from workbench_core.canonical_labels import CanonicalLabels, checked_rules
from workbench_core.clock import Clock
from workbench_core.errors import AlreadyExists, ChangedByOthers, Conflict, InvalidTransition, NotFound
from workbench_core.history import History
from workbench_core.pairs.bulk import BulkAction, BulkOutcome, BulkPreview, Selection
from workbench_core.pairs.bulk_preview import BulkCounts
from workbench_core.pairs.bulk_rules import SET_USAGE, checked_action, needed_right
from workbench_core.pairs.bulk_work import KIND, BulkParts, BulkWork
from workbench_core.pairs.comments import Comment, Comments
from workbench_core.pairs.counts import pair_counts
from workbench_core.pairs.deciding import Deciding
from workbench_core.pairs.decisions import Decision, DecisionResult, check_open, saved
from workbench_core.pairs.drafts import Draft, Drafts
from workbench_core.pairs.filters import PENDING, PairFilter, where_of
from workbench_core.pairs.model import (
    PAIR_COLUMNS,
    REVIEW_COLUMNS,
    Pair,
    PairCounts,
    PairReview,
    Steps,
    Undone,
    pair_from,
    review_from,
)
from workbench_core.pairs.pages import Facets, PairPage, PairPages
from workbench_core.pairs.records import PairRecords
from workbench_core.pairs.statistics import ReviewStatistics, review_statistics
from workbench_core.pairs.steps import NewStep, ReviewSteps, Step, StepWork, new_step_id
from workbench_core.pairs.undo import Undoing
from workbench_core.pairs.usages import PairUsages, request_of
from workbench_core.permissions import Action, Permissions
from workbench_core.ports import Store
from workbench_core.runs import Run, RunContext, Runs
from workbench_core.usage import UsageRules

_ATTEMPTS = 3  # a decision that lost a race is judged again on what the winner wrote


class Pairs:
    """List the pairs of training sheets, decide about them, undo and redo, and set what they may be used for."""

    def __init__(
        self,
        store: Store,
        labels: CanonicalLabels,
        history: History,
        permissions: Permissions,
        clock: Clock,
        *,
        runs: Runs,
    ) -> None:
        self._store = store
        self._permissions = permissions
        self._clock = clock
        self._runs = runs
        self._records = PairRecords(store)
        self._drafts = Drafts(store, clock)
        self._comments = Comments(store, clock)
        self._pages = PairPages(store, self._comments)
        self._steps = ReviewSteps(store, clock)
        self._usages = PairUsages(store, history, clock)
        self._deciding = Deciding(self._records, labels, self._steps, self._drafts, clock)
        self._undoing = Undoing(
            store, records=self._records, labels=labels, deciding=self._deciding, usages=self._usages, clock=clock
        )
        self._bulk = BulkWork(
            BulkParts(
                store, self._records, self._pages, self._deciding, self._usages, self._steps, self._undoing, runs,
                history, clock,
            )
        )  # fmt: skip

    # --- reading ---------------------------------------------------------------------------------------------------

    def find(
        self, training_sheet_id: str, wanted: PairFilter | None = None, *, limit: int = 50, offset: int = 0
    ) -> list[Pair]:
        """Whole pairs of a training sheet in their order, by number; lists of people are in `page`."""
        where, params = where_of(training_sheet_id, wanted or PairFilter())
        found = self._store.query(
            f"SELECT {PAIR_COLUMNS} FROM pairs WHERE {where} ORDER BY sequence_number, id LIMIT :limit OFFSET :offset",
            limit=limit,
            offset=offset,
            **params,
        )
        return [pair_from(row) for row in found]

    def page(
        self,
        training_sheet_id: str,
        wanted: PairFilter | None = None,
        *,
        after: int = 0,
        before: int | None = None,
        limit: int = 100,
    ) -> PairPage:
        """The lines behind position `after`, or those in front of position `before` (TS-6).

        Positions are sequence numbers: a page stays where it is whatever happens to other pairs.
        """
        return self._pages.page(training_sheet_id, wanted or PairFilter(), after=after, before=before, limit=limit)

    def queue(
        self,
        training_sheet_id: str,
        wanted: PairFilter = PENDING,
        *,
        after: int = 0,
        limit: int = 200,
    ) -> list[Pair]:
        """The next whole pairs that match, in their order; without a filter those that wait for a decision."""
        found = self._pages.following(training_sheet_id, wanted, after=after, limit=limit)
        pairs = self._records.by_id([pair_id for _, pair_id in found])
        return [pairs[pair_id] for _, pair_id in found if pair_id in pairs]

    def count(self, training_sheet_id: str, wanted: PairFilter | None = None) -> int:
        """How many pairs a filter has."""
        return self._pages.count(training_sheet_id, wanted or PairFilter())

    def facets(self, training_sheet_id: str, wanted: PairFilter | None = None) -> Facets:
        """How many pairs each status, source and flag would give, with all other parts of a filter applied."""
        return self._pages.facets(training_sheet_id, wanted or PairFilter())

    def ids(self, training_sheet_id: str, wanted: PairFilter | None = None) -> tuple[str, ...]:
        """The ids of all pairs that a filter has, in their order."""
        where, params = where_of(training_sheet_id, wanted or PairFilter())
        found = self._store.query(f"SELECT id FROM pairs WHERE {where} ORDER BY sequence_number, id", **params)
        return tuple(rows.text(row, "id") for row in found)

    def counts(self, training_sheet_id: str) -> PairCounts:
        """The pairs of one training sheet by status and source (TS-5)."""
        return self.counts_of([training_sheet_id])[training_sheet_id]

    def counts_of(self, training_sheet_ids: Sequence[str]) -> dict[str, PairCounts]:
        """The same for several training sheets in one statement."""
        return pair_counts(self._store, training_sheet_ids)

    def get(self, pair_id: str) -> Pair:
        """One pair. Raises NotFound."""
        found = self._records.by_id([pair_id])
        if not found:
            raise NotFound("This pair does not exist.", hint="Choose one of the training sheet's pairs.")
        return found[pair_id]

    def reviews(self, pair_id: str) -> list[PairReview]:
        """Every decision about a pair, newest first, the undone ones included."""
        found = self._store.query(
            f"SELECT {REVIEW_COLUMNS} FROM pair_reviews WHERE pair_id = :pair ORDER BY reviewed_at DESC, id",
            pair=pair_id,
        )
        return [review_from(row) for row in found]

    def statistics(self, training_sheet_id: str) -> ReviewStatistics:
        """How far a review is, how often people agree with the model, and who decides how quickly (TS-15)."""
        return review_statistics(self._store, training_sheet_id)

    # --- deciding --------------------------------------------------------------------------------------------------

    def decide(self, decisions: Sequence[Decision], *, by: str, replace_labels: bool = False) -> DecisionResult:
        """Carry out decisions in their order, each on the pair version that the person saw (TS-8, TS-9, TS-10).

        What can be done is done, in one transaction; the rest is refused with a sentence: the pair was changed by
        somebody else, the answer is empty or no class, the item has another canonical label and `replace_labels` is
        off. Approved and edited answers become canonical labels. Each decision is one step for undo. Raises
        NotPermitted.
        """
        self._permissions.check(by, Action.REVIEW)
        return self._with_retry(lambda: self._deciding.decide(decisions, by=by, replace_labels=replace_labels))

    def save(self, pair_id: str, answer: str, *, by: str, row_version: int) -> Pair:
        """Keep an answer that nobody verified yet; the pair stays pending (TS-8).

        Raises NotFound, Invalid, ChangedByOthers for an old `row_version`, Conflict unless the sheet is in review.
        """
        self._permissions.check(by, Action.ANSWER)
        with self._store.transaction():
            pair = self.get(pair_id)
            origin = self._records.origin(pair.training_sheet_id)
            check_open(origin.name, origin.status)
            if pair.row_version != row_version:
                change = self._records.changes_since({pair_id: row_version}).get(pair_id)
                who = change.by if change else "somebody else"
                raise ChangedByOthers(f"Item {pair.item_ref} was just changed by {who}.", hint="Reload and try again.")
            self._deciding.write([saved(pair, answer, origin.template, now=self._clock())], by=by)
        return self.get(pair_id)

    def set_usage(self, pair_ids: Sequence[str], rules: UsageRules, *, by: str) -> int:
        """Set what pairs may be used for; their review stays as it is (INV-5, INV-6, TS-12).

        Gives the number of pairs changed. Raises Invalid without a reason or with an overlap.
        """
        self._permissions.check(by, Action.GOVERN)
        rules, changed = checked_rules(rules), 0
        with self._store.transaction():
            groups: dict[str, list[str]] = defaultdict(list)
            for pair in self._records.to_decide(pair_ids).values():
                groups[pair.training_sheet_id].append(pair.id)
            for training_sheet_id, ids in groups.items():
                step = NewStep(new_step_id(), SET_USAGE, len(ids), request=request_of(rules))
                self._steps.add(training_sheet_id, [step], by=by)
                changed += self._usages.set(ids, rules, step.id, by=by)
        return changed

    # --- deciding about many -----------------------------------------------------------------------------------------

    def preview_bulk(self, selection: Selection, action: BulkAction, *, by: str) -> BulkPreview:
        """What a bulk action would do now (TS-10). Raises NotPermitted, Invalid, NotFound."""
        action = self._permitted(action, by)
        origin = self._records.origin(selection.training_sheet_id)
        return BulkCounts(self._store, selection, action, origin).preview(now=self._clock())

    def decide_all(self, selection: Selection, action: BulkAction, *, by: str) -> BulkOutcome:
        """Carry a bulk action out, as one step for undo (TS-10); skipped pairs are counted by their reason.

        Up to 2,000 pairs are done in one transaction; more are left to a run. Raises NotPermitted, Invalid, NotFound,
        Conflict when the training sheet is not in review or a run is under way on it.
        """
        action = self._permitted(action, by)
        origin = self._records.origin(selection.training_sheet_id)
        if action.action != SET_USAGE:
            check_open(origin.name, origin.status)
        return self._bulk.decide(selection, action, origin, by=by)

    def bulk_run(self, training_sheet_id: str) -> Run | None:
        """The newest run that carries out, undoes or redoes a large step of a training sheet."""
        return self._runs.latest(KIND, training_sheet_id)

    def cancel_bulk(self, training_sheet_id: str, *, by: str) -> Run:
        """End a run at its next border; what is done stays, and can be undone. Raises InvalidTransition."""
        run, step = self.bulk_run(training_sheet_id), self._steps.worked_on(training_sheet_id)
        if run is None or step is None:
            raise InvalidTransition("No bulk decision is under way.", hint="Reload to see the result.")
        self._permissions.check(by, needed_right(step.action))
        return self._runs.cancel(run.id, by=by)

    def resume_bulk(self, training_sheet_id: str, *, by: str) -> Run:
        """Go on where a cancelled or failed run ended. Raises Conflict when there is nothing to resume."""
        step = self._steps.worked_on(training_sheet_id)
        self._permissions.check(by, needed_right(step.action if step else ""))
        return self._bulk.resume(training_sheet_id, by=by)

    def handle(self, context: RunContext) -> None:
        """The work of a run of kind decide_pairs."""
        self._bulk.handle(context)

    # --- undo and redo -----------------------------------------------------------------------------------------------

    def undo(self, training_sheet_id: str, *, by: str) -> Undone:
        """Take back the person's latest step in a training sheet, with the canonical labels that it wrote.

        Raises Conflict when there is none or the sheet is closed, ChangedByOthers when somebody changed a pair or a
        label since.
        """
        step = self._steps.to_undo(training_sheet_id, by)
        if step is None:
            raise Conflict("There is no decision of yours to undo.", hint="Undo takes back your own decisions.")
        return self._move(step, StepWork.UNDO, by=by)

    def redo(self, training_sheet_id: str, *, by: str) -> Undone:
        """Do the step again that the person undid last, unless they decided anew since; raises what undo raises."""
        step = self._steps.to_redo(training_sheet_id, by)
        if step is None:
            raise Conflict("There is nothing to redo.", hint="Redo does again what you have just undone.")
        return self._move(step, StepWork.REDO, by=by)

    def steps(self, training_sheet_id: str, *, by: str) -> Steps:
        """What undo and redo would do for this person, in words."""
        to_undo, to_redo = self._steps.to_undo(training_sheet_id, by), self._steps.to_redo(training_sheet_id, by)
        return Steps(self._told(to_undo), self._told(to_redo))

    def latest_steps(self, training_sheet_ids: Sequence[str], *, by: str) -> dict[str, datetime]:
        """When a person decided last in each of these training sheets; those without a decision are left out."""
        return self._steps.latest(training_sheet_ids, by)

    # --- drafts and comments -----------------------------------------------------------------------------------------

    def keep_draft(self, pair_id: str, answer: str, *, by: str, row_version: int) -> datetime:
        """Keep what a person is writing; empty means forgetting it. Raises NotPermitted, NotFound, Invalid."""
        self._permissions.check(by, Action.ANSWER)
        return self._drafts.keep(pair_id, answer, by=by, row_version=row_version)

    def drafts(self, pair_ids: Sequence[str], *, by: str) -> dict[str, Draft]:
        """The person's own drafts of these pairs."""
        return self._drafts.of(pair_ids, by=by)

    def comment(self, pair_id: str, text: str, *, by: str) -> Comment:
        """Write about a pair; anybody who is signed in may. Raises NotPermitted, NotFound, Invalid."""
        return self._comments.add(pair_id, text, by=by)

    def comments(self, pair_id: str) -> list[Comment]:
        """What people wrote about a pair, the first comment first."""
        return self._comments.of(pair_id)

    def comment_counts(self, pair_ids: Sequence[str]) -> dict[str, int]:
        """How many comments these pairs have; those without any are left out."""
        return self._comments.numbers(pair_ids)

    # --- inside ------------------------------------------------------------------------------------------------------

    def _with_retry(self, attempt: Callable[[], DecisionResult]) -> DecisionResult:
        for _ in range(_ATTEMPTS - 1):
            try:
                with self._store.transaction():
                    return attempt()
            except (AlreadyExists, ChangedByOthers):
                continue
        with self._store.transaction():
            return attempt()

    def _permitted(self, action: BulkAction, by: str) -> BulkAction:
        self._permissions.check(by, needed_right(action.action))
        return checked_action(action)

    def _move(self, step: Step, work: StepWork, *, by: str) -> Undone:
        self._permissions.check(by, needed_right(step.action))
        if step.action != SET_USAGE:
            origin = self._records.origin(step.training_sheet_id)
            check_open(origin.name, origin.status)
        pair_id, item_ref = self._undoing.first_pair(step)
        run = self._bulk.move(step, work, by=by)
        return Undone(pair_id, step.action, step.pairs, item_ref, run)

    def _told(self, step: Step | None) -> str:
        if step is None:
            return ""
        if step.pairs == 1:
            return f"{step.told} of item {self._undoing.first_pair(step)[1]}"
        return f"{step.told} of {step.pairs:,} pairs"
