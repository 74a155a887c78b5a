"""The service behind pairs: list them, decide about many at once, take a decision back, govern their use."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from datetime import timedelta

from workbench_core import rows
from workbench_core.canonical_labels import (
    CanonicalLabels,
    LabelEntry,
    LabelingMode,
    RecordResult,
    checked_rules,
    chunks,
)
from workbench_core.clock import Clock
from workbench_core.errors import AlreadyExists, ChangedByOthers, NotFound, WorkbenchError
from workbench_core.history import History
from workbench_core.pairs.answers import check_answer
from workbench_core.pairs.decisions import Decision, DecisionResult, Outcome, check_open, judge, saved
from workbench_core.pairs.model import (
    PAIR_COLUMNS,
    REVIEW_COLUMNS,
    Pair,
    PairCounts,
    PairFilter,
    PairReview,
    ResponseSource,
    ReviewStatus,
    Undone,
    pair_from,
    review_from,
)
from workbench_core.pairs.records import PairRecords, counts_from, where_of
from workbench_core.permissions import Action, Permissions
from workbench_core.ports import Store, Value
from workbench_core.prompt_templates import TemplateSnapshot
from workbench_core.usage import UsageRules

_ATTEMPTS = 3  # a decision that lost a race is judged again on what the winner wrote


class Pairs:
    """List the pairs of training sheets, decide about them, undo, and set what they may be used for."""

    def __init__(
        self,
        store: Store,
        labels: CanonicalLabels,
        history: History,
        permissions: Permissions,
        clock: Clock,
    ) -> None:
        self._store = store
        self._records = PairRecords(store)
        self._labels = labels
        self._history = history
        self._permissions = permissions
        self._clock = clock

    # --- reading ---------------------------------------------------------------------------------------------------

    def find(
        self, training_sheet_id: str, wanted: PairFilter | None = None, *, limit: int = 50, offset: int = 0
    ) -> list[Pair]:
        """Pairs of a training sheet in their order (TS-6)."""
        where, params = where_of(training_sheet_id, wanted or PairFilter())
        found = self._store.query(
            f"SELECT {PAIR_COLUMNS} FROM pairs WHERE {where} ORDER BY sequence_number, id LIMIT :limit OFFSET :offset",
            limit=limit,
            offset=offset,
            **params,
        )
        return [pair_from(row) for row in found]

    def count(self, training_sheet_id: str, wanted: PairFilter | None = None) -> int:
        """How many pairs a filter has."""
        where, params = where_of(training_sheet_id, wanted or PairFilter())
        found = self._store.query(f"SELECT COUNT(*) AS pairs FROM pairs WHERE {where}", **params)
        return rows.whole(found[0], "pairs")

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
        groups: dict[str, list[dict[str, Value]]] = {sheet_id: [] for sheet_id in training_sheet_ids}
        for row in self._store.query(
            "SELECT training_sheet_id, review_status, response_source, "
            "CASE WHEN was_auto_approved THEN 1 ELSE 0 END AS auto, "
            "CASE WHEN generation_error <> '' THEN 1 ELSE 0 END AS failed, COUNT(*) AS pairs "
            "FROM pairs WHERE training_sheet_id IN :ids GROUP BY 1, 2, 3, 4, 5 ORDER BY 1, 2, 3, 4, 5",
            ids=list(training_sheet_ids),
        ):
            groups[rows.text(row, "training_sheet_id")].append(row)
        return {sheet_id: counts_from(found) for sheet_id, found in groups.items()}

    def get(self, pair_id: str) -> Pair:
        """One pair. Raises NotFound."""
        found = self._records.by_id([pair_id])
        if not found:
            raise NotFound("This pair does not exist.", hint="Choose one of the training sheet's pairs.")
        return found[pair_id]

    def queue(
        self,
        training_sheet_id: str,
        *,
        limit: int = 200,
        statuses: Collection[ReviewStatus] = (ReviewStatus.PENDING,),
    ) -> list[Pair]:
        """The next pairs that wait for a decision, in their order."""
        found = self._store.query(
            f"SELECT {PAIR_COLUMNS} FROM pairs WHERE training_sheet_id = :sheet AND review_status IN :statuses "
            "ORDER BY sequence_number, id LIMIT :limit",
            sheet=training_sheet_id,
            statuses=list(statuses),
            limit=limit,
        )
        return [pair_from(row) for row in found]

    def reviews(self, pair_id: str) -> list[PairReview]:
        """Every decision about a pair, newest first, the undone ones included."""
        found = self._store.query(
            f"SELECT {REVIEW_COLUMNS} FROM pair_reviews WHERE pair_id = :pair ORDER BY reviewed_at DESC, id",
            pair=pair_id,
        )
        return [review_from(row) for row in found]

    # --- deciding --------------------------------------------------------------------------------------------------

    def decide(self, decisions: Sequence[Decision], *, by: str, replace_labels: bool = False) -> DecisionResult:
        """Carry out decisions in their order, each on the pair version that the person saw (TS-8, TS-9, TS-10).

        What can be done is done, in one transaction; the rest is refused with a sentence: the pair was changed by
        somebody else, the answer is empty or no class, the item has another canonical label and `replace_labels` is
        off. Approved and edited answers become canonical labels. Raises NotPermitted.
        """
        self._permissions.check(by, Action.REVIEW)
        return self._with_retry(lambda: self._decide(decisions, by=by, replace_labels=replace_labels))

    def save(self, pair_id: str, answer: str, *, by: str, row_version: int) -> Pair:
        """Keep an answer that nobody verified yet; the pair stays pending (TS-8).

        Raises NotFound, Invalid, ChangedByOthers for an old `row_version`, Conflict unless the sheet is in review.
        """
        self._permissions.check(by, Action.ANSWER)
        with self._store.transaction():
            pair = self.get(pair_id)
            origin = self._records.origins([pair])[pair.training_sheet_id]
            check_open(origin.name, origin.status)
            self._check_version(pair, row_version)
            outcome = saved(pair, answer, origin.template, now=self._clock())
            self._records.write([outcome], by=by)
        return self.get(pair_id)

    def undo(self, training_sheet_id: str, *, by: str) -> Undone:
        """Take back the person's latest decision in a training sheet, with the canonical label that it wrote.

        Raises Conflict when there is none or the sheet is closed, ChangedByOthers when somebody changed the pair or
        the label since.
        """
        with self._store.transaction():
            review = self._records.latest_review(training_sheet_id, by)
            self._permissions.check(by, Action.ANSWER if review.action == "save" else Action.REVIEW)
            pair = self.get(review.pair_id)
            origin = self._records.origins([pair])[training_sheet_id]
            check_open(origin.name, origin.status)
            self._check_undoable(pair, review)
            self._records.update([self._restored(pair, review, origin.template)])
            self._store.execute(
                "UPDATE pair_reviews SET undone_at = :now WHERE id = :id",
                touches="pair_reviews",
                now=self._clock(),
                id=review.id,
            )
            if review.label_version is not None:
                self._labels.withdraw(review.label_after, review.label_version, by=by)
        return Undone(review.pair_id, review.action)

    def set_usage(self, pair_ids: Sequence[str], rules: UsageRules, *, by: str) -> int:
        """Set what pairs may be used for; their review stays as it is (INV-5, INV-6, TS-12).

        Gives the number of pairs changed. Raises Invalid without a reason or with an overlap.
        """
        self._permissions.check(by, Action.GOVERN)
        rules, changed = checked_rules(rules), 0
        with self._store.transaction():
            pairs = self._records.by_id(pair_ids)
            for chunk in chunks(pairs):
                changed += self._store.execute(
                    "UPDATE pairs SET allowed_uses = :allowed_uses, prohibited_uses = :prohibited_uses, "
                    "usage_reason = :usage_reason, classification = :classification, updated_at = :now "
                    "WHERE id IN :ids",
                    touches="pairs",
                    ids=chunk,
                    now=self._clock(),
                    **rules.columns(),
                )
            self._record_usage(list(pairs.values()), rules, by=by)
        return changed

    # --- inside: decisions -------------------------------------------------------------------------------------------

    def _with_retry(self, attempt: Callable[[], DecisionResult]) -> DecisionResult:
        for _ in range(_ATTEMPTS - 1):
            try:
                with self._store.transaction():
                    return attempt()
            except (AlreadyExists, ChangedByOthers):
                continue
        with self._store.transaction():
            return attempt()

    def _decide(self, decisions: Sequence[Decision], *, by: str, replace_labels: bool) -> DecisionResult:
        done: list[str] = []
        refused: dict[str, str] = {}
        for turn in _turns(decisions):
            outcomes, faults = self._judge(turn, by=by)
            outcomes, conflicts = self._label(outcomes, by=by, replace_labels=replace_labels)
            self._records.write(outcomes, by=by)
            done += [outcome.before.id for outcome in outcomes]
            refused |= faults | conflicts
        return DecisionResult(tuple(dict.fromkeys(done)), refused)

    def _judge(self, turn: Sequence[Decision], *, by: str) -> tuple[list[Outcome], dict[str, str]]:
        """What each decision makes of its pair, or why it is refused. No pair appears twice."""
        pairs = self._records.by_id([decision.pair_id for decision in turn])
        origins = self._records.origins(list(pairs.values()))
        stale = [d.pair_id for d in turn if d.pair_id in pairs and pairs[d.pair_id].row_version != d.row_version]
        changers = self._records.changers(stale)
        reopened = [d.pair_id for d in turn if d.action == "reopen"]
        sources = self._records.sources_before(reopened)
        start, outcomes, refused = self._clock(), [], {}
        for number, decision in enumerate(turn):
            pair = pairs.get(decision.pair_id)
            if pair is None:
                refused[decision.pair_id] = "This pair no longer exists."
            elif pair.id in changers:
                refused[pair.id] = f"Item {pair.item_ref} was just changed by {changers[pair.id]}."
            else:
                origin = origins[pair.training_sheet_id]
                now = start + timedelta(microseconds=number)  # keeps the order of one batch for undo
                try:
                    check_open(origin.name, origin.status)
                    outcome = judge(pair, decision, origin.template, by=by, now=now)
                except WorkbenchError as error:
                    refused[pair.id] = error.message
                else:
                    outcomes.append(_with_source(outcome, sources))
        return outcomes, refused

    def _label(
        self, outcomes: Sequence[Outcome], *, by: str, replace_labels: bool
    ) -> tuple[list[Outcome], dict[str, str]]:
        """Record the canonical labels of approved and edited pairs; those in conflict fall out with the reason."""
        groups: dict[str, list[Outcome]] = defaultdict(list)
        for outcome in outcomes:
            if outcome.writes_label:
                groups[outcome.before.training_sheet_id].append(outcome)
        results = {
            sheet_id: self._record(group, by=by, replace_labels=replace_labels) for sheet_id, group in groups.items()
        }
        kept, conflicts = [], {}
        for outcome in outcomes:
            pair, result = outcome.after, results.get(outcome.before.training_sheet_id)
            if result is None or not outcome.writes_label:
                kept.append(outcome)
            elif (answer := result.conflicts.get(pair.item_ref)) is not None:
                conflicts[pair.id] = (
                    f"Item {pair.item_ref} conflicts with the existing canonical label “{answer[:80]}”."
                )
            else:
                kept.append(_linked(outcome, result))
        return kept, conflicts

    def _record(self, outcomes: Sequence[Outcome], *, by: str, replace_labels: bool) -> RecordResult:
        origin = next(iter(self._records.origins([outcomes[0].before]).values()))
        return self._labels.record(
            [LabelEntry(outcome.after.item_ref, outcome.after.answer, outcome.after.usage) for outcome in outcomes],
            sheet_id=origin.sheet_id,
            label_type=origin.label_type,
            mode=LabelingMode.DURING_REVIEW,
            training_sheet_id=origin.id,
            prompt_template_id=origin.prompt_template_id,
            by=by,
            replace=replace_labels,
        )

    # --- inside: undo ------------------------------------------------------------------------------------------------

    def _check_undoable(self, pair: Pair, review: PairReview) -> None:
        later = self._store.query(
            "SELECT by_user FROM pair_reviews WHERE pair_id = :pair AND row_version > :version "
            "AND undone_at IS NULL ORDER BY row_version DESC LIMIT 1",
            pair=pair.id,
            version=review.row_version,
        )
        if later:
            raise ChangedByOthers(
                f"Item {pair.item_ref} was changed by {rows.text(later[0], 'by_user')} since your decision.",
                hint="Open the pair and decide again.",
            )

    def _restored(self, pair: Pair, review: PairReview, template: TemplateSnapshot) -> Pair:
        """The pair as it was before a decision, as its next version."""
        before = self._records.review_before(review)
        label_id = self._existing_label(review.label_before)
        is_auto = review.status_before is ReviewStatus.APPROVED and review.source_before is ResponseSource.CANONICAL
        restored = replace(
            pair,
            answer=review.answer_before,
            original_answer=None if review.answer_before == pair.original_answer else pair.original_answer,
            response_source=review.source_before,
            review_status=review.status_before,
            was_auto_approved=is_auto,
            canonical_label_id=label_id,
            reviewed_by=before.by if before else "",
            reviewed_at=before.reviewed_at if before else None,
            review_note=before.note if before else "",
            quality_score=check_answer(template, review.answer_before).quality_score,
            row_version=pair.row_version + 1,
            updated_at=self._clock(),
        )
        if is_auto and label_id:
            label = self._labels.get(label_id)
            restored = replace(restored, reviewed_by=label.labeled_by, reviewed_at=label.labeled_at)
        return restored

    def _existing_label(self, label_id: str) -> str:
        found = self._store.query("SELECT id FROM canonical_labels WHERE id = :id", id=label_id)
        return label_id if found else ""

    # --- inside: reading ---------------------------------------------------------------------------------------------

    def _check_version(self, pair: Pair, row_version: int) -> None:
        if pair.row_version != row_version:
            raise ChangedByOthers(
                f"Item {pair.item_ref} was just changed by {self._records.changers([pair.id])[pair.id]}.",
                hint="Reload and try again.",
            )

    def _record_usage(self, pairs: Sequence[Pair], rules: UsageRules, *, by: str) -> None:
        """One history line for each pair, with the rules it had before."""
        groups: dict[UsageRules, list[str]] = defaultdict(list)
        for pair in pairs:
            groups[pair.usage].append(pair.id)
        for former, ids in groups.items():
            was = {f"former_{name}": value for name, value in former.columns().items()}
            self._history.add_many("pair", ids, "set usage", by=by, **rules.columns(), **was)


def _turns(decisions: Sequence[Decision]) -> list[list[Decision]]:
    """Split decisions so that no pair appears twice in one turn; nearly always there is one turn."""
    turns: list[list[Decision]] = []
    seen: dict[str, int] = defaultdict(int)
    for decision in decisions:
        number = seen[decision.pair_id]
        if number == len(turns):
            turns.append([])
        turns[number].append(decision)
        seen[decision.pair_id] += 1
    return turns


def _with_source(outcome: Outcome, sources: Mapping[str, ResponseSource]) -> Outcome:
    """A reopened answer is no longer verified: it is what it was before, or a person's own."""
    if outcome.action != "reopen" or outcome.before.response_source is not ResponseSource.HUMAN_VERIFIED:
        return outcome
    unchanged = outcome.before.review_status is not ReviewStatus.EDITED
    source = sources.get(outcome.before.id) if unchanged else None
    return replace(outcome, after=replace(outcome.after, response_source=source or ResponseSource.HUMAN_LABELED))


def _linked(outcome: Outcome, result: RecordResult) -> Outcome:
    item_ref = outcome.after.item_ref
    wrote = item_ref in result.created or item_ref in result.updated
    return replace(
        outcome,
        after=replace(outcome.after, canonical_label_id=result.ids[item_ref]),
        label_version=result.versions[item_ref] if wrote else None,
    )
