"""Undo and redo of steps, with the canonical labels that they wrote; large ones go through a run, a batch at a time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from workbench_core import rows
from workbench_core.canonical_labels import CanonicalLabels, chunks
from workbench_core.clock import Clock
from workbench_core.errors import ChangedByOthers
from workbench_core.pairs.answers import check_answer
from workbench_core.pairs.changes import Side, with_side
from workbench_core.pairs.deciding import Deciding
from workbench_core.pairs.decisions import Outcome
from workbench_core.pairs.model import REVIEW_COLUMNS, Pair, PairReview, ResponseSource, ReviewStatus, review_from
from workbench_core.pairs.records import PairRecords
from workbench_core.pairs.steps import Step
from workbench_core.pairs.usages import PairUsages
from workbench_core.ports import Store
from workbench_core.prompt_templates import TemplateSnapshot

SET_USAGE = "set_usage"
_LATER = "l.row_version > r.row_version AND l.undone_at IS NULL"  # l stands, and was made after r
# a step of the same person that comes before, and was redone just now, is no change
_NOT_OWN = "(s.id IS NULL OR s.by_user <> :by OR s.number > :number)"


class Undoing:
    """Take steps back and do them again, for some of their pairs at a time; inside a transaction of the caller."""

    def __init__(
        self,
        store: Store,
        *,
        records: PairRecords,
        labels: CanonicalLabels,
        deciding: Deciding,
        usages: PairUsages,
        clock: Clock,
    ) -> None:
        self._store = store
        self._records = records
        self._labels = labels
        self._deciding = deciding
        self._usages = usages
        self._clock = clock

    def next_pairs(self, step: Step, side: Side, *, after: str, limit: int) -> list[str]:
        """The next pairs of a step that are to be taken back to a side, by id."""
        if step.action == SET_USAGE:
            return self._usages.pairs_of(step.id, after=after, limit=limit)
        found = self._store.query(
            f"SELECT pair_id FROM pair_reviews WHERE step_id = :step AND {_to_move(side)} AND pair_id > :after "
            "ORDER BY pair_id LIMIT :limit",
            step=step.id,
            after=after,
            limit=limit,
        )
        return [rows.text(row, "pair_id") for row in found]

    def first_pair(self, step: Step) -> tuple[str, str]:
        """Id and item of one pair of a step."""
        table = "former_usages" if step.action == SET_USAGE else "pair_reviews"
        found = self._store.query(
            f"SELECT p.id, p.item_ref FROM {table} r JOIN pairs p ON p.id = r.pair_id WHERE r.step_id = :step "
            "ORDER BY r.pair_id LIMIT 1",
            step=step.id,
        )
        return (rows.text(found[0], "id"), rows.text(found[0], "item_ref")) if found else ("", "")

    def check(self, step: Step, side: Side) -> None:
        """Raise ChangedByOthers, naming who and which item, when something of a step was changed since."""
        if step.action == SET_USAGE:
            return  # checked with each batch: usage rules are compared by what they say
        self._check_pairs(step, side)
        if side is Side.BEFORE:
            self._check_labels(step)

    def changed(self, step: Step, side: Side, pair_ids: Sequence[str]) -> frozenset[str]:
        """Those of these pairs of a step that somebody changed since, or whose canonical label."""
        if step.action == SET_USAGE:
            return self._usages.changed(step, pair_ids, is_undo=side is Side.BEFORE)
        found: set[str] = set()
        for chunk in chunks(pair_ids):
            for row in self._store.query(
                "SELECT r.pair_id FROM pair_reviews r WHERE r.step_id = :step AND r.pair_id IN :ids "
                f"AND {_to_move(side, 'r.')} AND (EXISTS (SELECT 1 FROM pair_reviews l "
                f"LEFT JOIN review_steps s ON s.id = l.step_id WHERE l.pair_id = r.pair_id AND {_LATER} "
                f"AND {_NOT_OWN}) "
                "OR (r.undone_at IS NULL AND EXISTS (SELECT 1 FROM canonical_labels c WHERE c.id = r.label_after "
                "AND c.version <> r.label_version))) ORDER BY r.pair_id",
                step=step.id,
                by=step.by,
                number=step.number,
                ids=chunk,
            ):
                found.add(rows.text(row, "pair_id"))
        return frozenset(found)

    def undo(self, step: Step, pair_ids: Sequence[str], *, by: str) -> None:
        """Take these pairs of a step back. Raises ChangedByOthers."""
        if step.action == SET_USAGE:
            self._usages.undo(step, pair_ids, by=by)
            return
        reviews = self._reviews(step, Side.BEFORE, pair_ids)
        pairs = self._records.to_decide([review.pair_id for review in reviews])
        templates = {key: origin.template for key, origin in self._records.origins(list(pairs.values())).items()}
        labels = self._existing([review.label_before for review in reviews])
        self._records.update([
            self._restored(pairs[review.pair_id], review, templates[review.training_sheet_id], labels)
            for review in reviews
        ])  # fmt: skip
        self._mark("undone_at", reviews)
        self._labels.withdraw(
            {review.label_after: review.label_version for review in reviews if review.label_version is not None}, by=by
        )

    def redo(self, step: Step, pair_ids: Sequence[str], *, by: str) -> None:
        """Do these pairs of a step again, as new decisions. Raises ChangedByOthers, also for another label."""
        if step.action == SET_USAGE:
            self._usages.redo(step, pair_ids, by=by)
            return
        reviews = self._reviews(step, Side.AFTER, pair_ids)
        pairs = self._records.to_decide([review.pair_id for review in reviews])
        outcomes = [self._again(pairs[review.pair_id], review) for review in reviews]
        self._check_new_labels(step, outcomes)
        outcomes, conflicts = self._deciding.labelled(outcomes, by=by, replaces=step.replaces_labels)
        if conflicts:
            raise self._other_label(conflicts[0].outcome.before)
        self._mark("redone_at", reviews)
        self._deciding.write_in_step(outcomes, [step.id] * len(outcomes), by=by)

    # --- inside: what a side looks like ------------------------------------------------------------------------------

    def _restored(self, pair: Pair, review: PairReview, template: TemplateSnapshot, labels: frozenset[str]) -> Pair:
        """The pair as it was before a decision, as its next version."""
        former = with_side(pair, review.changes, Side.BEFORE) if review.changes else self._inferred(
            pair, review, template, labels
        )  # fmt: skip
        return replace(
            former,
            answer=review.answer_before,
            canonical_label_id=review.label_before if review.label_before in labels else "",
            row_version=pair.row_version + 1,
            updated_at=self._clock(),
        )

    def _again(self, pair: Pair, review: PairReview) -> Outcome:
        """The same decision once more, as the next version of the pair."""
        after = replace(
            with_side(pair, review.changes, Side.AFTER),
            answer=review.answer_after,
            row_version=pair.row_version + 1,
            updated_at=self._clock(),
        )
        return Outcome(pair, after, review.action, review.note)

    def _inferred(self, pair: Pair, review: PairReview, template: TemplateSnapshot, labels: frozenset[str]) -> Pair:
        """The same out of a review of the time when they did not keep what they changed."""
        before = self._records.review_before(review)
        is_auto = review.status_before is ReviewStatus.APPROVED and review.source_before is ResponseSource.CANONICAL
        former = replace(
            pair,
            original_answer=None if review.answer_before == pair.original_answer else pair.original_answer,
            response_source=review.source_before,
            review_status=review.status_before,
            was_auto_approved=is_auto,
            reviewed_by=before.by if before else "",
            reviewed_at=before.reviewed_at if before else None,
            review_note=before.note if before else "",
            quality_score=check_answer(template, review.answer_before).quality_score,
        )
        if is_auto and review.label_before in labels:
            label = self._labels.get(review.label_before)
            former = replace(former, reviewed_by=label.labeled_by, reviewed_at=label.labeled_at)
        return former

    # --- inside: what must not have changed --------------------------------------------------------------------------

    def _check_pairs(self, step: Step, side: Side) -> None:
        later = self._store.query(
            "SELECT p.item_ref, l.by_user FROM pair_reviews r "
            f"JOIN pair_reviews l ON l.pair_id = r.pair_id AND {_LATER} LEFT JOIN review_steps s ON s.id = l.step_id "
            f"JOIN pairs p ON p.id = r.pair_id WHERE r.step_id = :step AND {_to_move(side, 'r.')} AND {_NOT_OWN} "
            "ORDER BY r.pair_id, l.row_version DESC LIMIT 1",
            step=step.id,
            by=step.by,
            number=step.number,
        )
        if later:
            raise ChangedByOthers(
                f"Item {rows.text(later[0], 'item_ref')} was changed by {rows.text(later[0], 'by_user')} "
                f"since your {'decision' if step.pairs == 1 else step.told + f' of {step.pairs:,} pairs'}.",
                hint="Open the pair and decide again.",
            )

    def _check_labels(self, step: Step) -> None:
        later = self._store.query(
            "SELECT l.item_ref, l.updated_by FROM pair_reviews r JOIN canonical_labels l ON l.id = r.label_after "
            "WHERE r.step_id = :step AND r.undone_at IS NULL AND r.label_version <> l.version "
            "ORDER BY r.pair_id LIMIT 1",
            step=step.id,
        )
        if later:
            raise ChangedByOthers(
                f"The canonical label of item {rows.text(later[0], 'item_ref')} was changed by "
                f"{rows.text(later[0], 'updated_by')} since.",
                hint="Reopen the pair instead of undoing.",
            )

    def _check_new_labels(self, step: Step, outcomes: Sequence[Outcome]) -> None:
        """A label that was written after the undoing is somebody's answer: doing it again must not cover it."""
        writing = [outcome.before for outcome in outcomes if outcome.writes_label]
        if not writing or not step.replaces_labels or step.undone_at is None:
            return
        origin = next(iter(self._records.origins(writing).values()))
        found = self._labels.lookup(origin.sheet_id, [pair.item_ref for pair in writing], origin.label_type)
        for pair in writing:
            label = found.get(pair.item_ref)
            if label is not None and label.updated_at > step.undone_at:
                raise self._other_label(pair)

    def _other_label(self, pair: Pair) -> ChangedByOthers:
        origin = next(iter(self._records.origins([pair]).values()))
        label = self._labels.lookup(origin.sheet_id, [pair.item_ref], origin.label_type)[pair.item_ref]
        return ChangedByOthers(
            f"Item {pair.item_ref} was given the canonical label “{label.answer[:80]}” by {label.updated_by} since.",
            hint="Open the pair and decide again.",
        )

    # --- inside: rows ------------------------------------------------------------------------------------------------

    def _reviews(self, step: Step, side: Side, pair_ids: Sequence[str]) -> list[PairReview]:
        return [
            review_from(row)
            for chunk in chunks(pair_ids)
            for row in self._store.query(
                f"SELECT {REVIEW_COLUMNS} FROM pair_reviews WHERE step_id = :step AND {_to_move(side)} "
                "AND pair_id IN :ids ORDER BY pair_id",
                step=step.id,
                ids=chunk,
            )
        ]

    def _mark(self, column: str, reviews: Sequence[PairReview]) -> None:
        for chunk in chunks([review.id for review in reviews]):
            self._store.execute(
                f"UPDATE pair_reviews SET {column} = :now WHERE id IN :ids",
                touches="pair_reviews",
                now=self._clock(),
                ids=chunk,
            )

    def _existing(self, label_ids: Sequence[str]) -> frozenset[str]:
        """Those of the labels that are still there."""
        return frozenset(
            rows.text(row, "id")
            for chunk in chunks(label_id for label_id in label_ids if label_id)
            for row in self._store.query("SELECT id FROM canonical_labels WHERE id IN :ids ORDER BY id", ids=chunk)
        )


def _to_move(side: Side, table: str = "") -> str:
    """Which reviews of a step are taken back to a side: those that stand, or those that were undone and not redone."""
    if side is Side.BEFORE:
        return f"{table}undone_at IS NULL"
    return f"{table}undone_at IS NOT NULL AND {table}redone_at IS NULL"
