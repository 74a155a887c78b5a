"""Answers that go into pairs which exist already: compare-and-set, and what they replace is kept."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from workbench_core import rows, usage
from workbench_core.canonical_labels import CanonicalLabel, CanonicalLabels, chunks
from workbench_core.clock import Clock, new_id
from workbench_core.errors import ChangedByOthers
from workbench_core.pairs import Pair, ReviewStatus
from workbench_core.ports import ChatAnswer, Row, Store, Value
from workbench_core.training_sheets.answering import AnsweringOutcome
from workbench_core.training_sheets.items import Item
from workbench_core.training_sheets.model import TrainingSheet
from workbench_core.training_sheets.pair_rows import PairRows
from workbench_core.usage import ALL_USES, UsageRules

ACTION = "generate"  # of a review that no person took: undo passes it by
_WRITTEN = (
    "messages", "answer", "response_source", "review_status", "was_auto_approved", "canonical_label_id",
    "reviewed_by", "reviewed_at", "quality_score", "generation_error", "generation_details", "allowed_uses",
    "prohibited_uses", "usage_reason", "classification",
)  # fmt: skip
_ASKED_BY = ("template", "template_version")  # of the generation details
_SENSITIVITY = list(usage.Classification)


@dataclass(frozen=True, slots=True)
class Target:
    """A pair to be answered: as it was read, the version it had when the answering began, and its question."""

    pair: Pair
    row_version: int
    item: Item

    @property
    def is_replaced(self) -> bool:
        """Whether a new answer takes the place of a former answer or question."""
        return bool(self.pair.answer) or self.pair.messages != self.item.messages

    @property
    def is_changed(self) -> bool:
        """Whether somebody changed it since the answering began."""
        return self.pair.row_version != self.row_version or self.pair.review_status is not ReviewStatus.PENDING


@dataclass(frozen=True, slots=True)
class Origin:
    """Where new answers come from: their answering, who began it, and what the template brings that asks anew.

    Without `asked_by` the questions stay as they are. Each of the `rules` can only make those of a pair stricter.
    """

    answering_id: str
    by: str
    asked_by: Mapping[str, str] = field(default_factory=dict)
    rules: tuple[UsageRules, ...] = ()


class PairChanges:
    """Write answers into pairs."""

    def __init__(self, store: Store, labels: CanonicalLabels, clock: Clock) -> None:
        self._store = store
        self._labels = labels
        self._clock = clock

    def apply(
        self,
        targets: Sequence[Target],
        answers: Mapping[str, ChatAnswer],
        *,
        training_sheet: TrainingSheet,
        origin: Origin,
    ) -> dict[str, AnsweringOutcome]:
        """Answer pairs, by canonical label first, then with the `answers` by pair; what became of each pair.

        A pair that is not as it was when the answering began is left alone. A failure keeps the former answer and
        question, and says why. Call it inside a transaction.
        """
        outcomes = dict.fromkeys((target.pair.id for target in targets), AnsweringOutcome.LEFT_ALONE)
        present = self._locked([target.pair.id for target in targets])
        untouched = {pair_id: rows.whole(row, "row_version") for pair_id, row in present.items()}
        changing = [target for target in targets if untouched.get(target.pair.id) == target.row_version]
        labels = self._labels.lookup(
            training_sheet.sheet_id, [target.pair.item_ref for target in changing], training_sheet.label_type
        )
        by_item = {t.pair.item_ref: answers[t.pair.id] for t in changing if t.pair.id in answers}
        builder = PairRows(training_sheet, ALL_USES, labels, by_item, training_sheet.model_name, self._clock())
        built = [(target, builder.row(target.pair.sequence_number, target.item)) for target in changing]
        failed = {target.pair.id: _failure(row) for target, row in built if _failure(row)}
        made = [
            (target, _merged(target, row, origin, [usage.from_row(present[target.pair.id]), *_rules(target, labels)]))
            for target, row in built
            if target.pair.id not in failed
        ]
        self._note_failures(failed)
        self._write(made, origin)
        self._labels.count_reuse([labels[t.pair.item_ref].id for t, _ in made if t.pair.item_ref in labels])
        return (
            outcomes
            | dict.fromkeys(failed, AnsweringOutcome.FAILED)
            | {target.pair.id: AnsweringOutcome.ANSWERED for target, _ in made}
        )

    def _locked(self, pair_ids: Sequence[str]) -> dict[str, Row]:
        """Version and usage rules of the pending ones of these pairs, which nobody else can change meanwhile.

        A usage rule can have been set since the answering began: that does not count as a change of the pair.
        """
        found: dict[str, Row] = {}
        for chunk in chunks(pair_ids):
            self._store.execute("UPDATE pairs SET updated_at = updated_at WHERE id IN :ids", touches="pairs", ids=chunk)
            for row in self._store.query(
                "SELECT id, row_version, allowed_uses, prohibited_uses, usage_reason, classification FROM pairs "
                "WHERE id IN :ids AND review_status = 'pending' ORDER BY id",
                ids=chunk,
            ):
                found[rows.text(row, "id")] = row
        return found

    def _note_failures(self, failed: Mapping[str, str]) -> None:
        self._store.execute_many(
            "UPDATE pairs SET generation_error = :error, updated_at = :now WHERE id = :id",
            [{"id": pair_id, "error": error, "now": self._clock()} for pair_id, error in failed.items()],
            touches="pairs",
        )

    def _write(self, made: Sequence[tuple[Target, dict[str, Value]]], origin: Origin) -> None:
        """Keep what was there, write what is new, and say so in the history of each pair. Raises ChangedByOthers."""
        now = self._clock()
        for chunk in chunks([target.pair.id for target, _ in made if target.is_replaced]):
            self._store.execute(
                "INSERT INTO replaced_answers (pair_id, row_version, answering_id, messages, answer, response_source, "
                "quality_score, generation_error, generation_details, replaced_by, replaced_at) "
                "SELECT id, row_version, :answering, messages, answer, response_source, quality_score, "
                "generation_error, generation_details, :by, :now FROM pairs WHERE id IN :ids",
                touches="replaced_answers",
                answering=origin.answering_id,
                by=origin.by,
                now=now,
                ids=chunk,
            )
        changed = self._store.execute_many(
            f"UPDATE pairs SET {', '.join(f'{name} = :{name}' for name in _WRITTEN)}, updated_at = :now, "
            "row_version = row_version + 1 WHERE id = :id AND row_version = :seen",
            [
                {name: row[name] for name in _WRITTEN} | {"id": target.pair.id, "seen": target.row_version, "now": now}
                for target, row in made
            ],
            touches="pairs",
        )
        if changed != len(made):
            raise ChangedByOthers("A pair was just changed by somebody else.", hint="Resume to go on with the others.")
        self._store.append("pair_reviews", [_review(target, row, origin.by, now) for target, row in made])


def _failure(row: Mapping[str, Value]) -> str:
    """Why a pair has no new answer; empty when it has one."""
    if row["generation_error"] or row["answer"]:
        return str(row["generation_error"])
    return "The canonical label of this item was removed meanwhile."


def _rules(target: Target, labels: Mapping[str, CanonicalLabel]) -> list[UsageRules]:
    """The usage rules of the label that answers a pair."""
    label = labels.get(target.pair.item_ref)
    return [] if label is None else [label.usage]


def _merged(target: Target, row: dict[str, Value], origin: Origin, rules: Sequence[UsageRules]) -> dict[str, Value]:
    """The new row of a pair, with the most restrictive of its present usage rules, a label's and the origin's."""
    strictest = rules[0]
    for other in (*origin.rules, *rules[1:]):
        strictest = strictest if _adds_nothing(other, strictest) else strictest.combine(other)
    known = target.pair.generation_details
    asked_by = origin.asked_by or {name: str(known[name]) for name in _ASKED_BY if name in known}
    details = rows.to_json({**rows.json_object(row, "generation_details"), **asked_by})
    return {**row, **strictest.columns(), "generation_details": details}


def _adds_nothing(other: UsageRules, rules: UsageRules) -> bool:
    """Whether these rules say all of the other ones already; so that reasons do not pile up."""
    return (
        rules.allowed <= other.allowed
        and rules.prohibited >= other.prohibited
        and _SENSITIVITY.index(rules.classification) >= _SENSITIVITY.index(other.classification)
        and other.reason in rules.reason
    )


def _review(target: Target, row: Mapping[str, Value], by: str, now: datetime) -> dict[str, Value]:
    pair = target.pair
    return {
        "id": new_id("review"),
        "pair_id": pair.id,
        "training_sheet_id": pair.training_sheet_id,
        "action": ACTION,
        "note": "",
        "status_before": pair.review_status.value,
        "status_after": row["review_status"],
        "answer_before": pair.answer,
        "answer_after": row["answer"],
        "source_before": pair.response_source.value,
        "label_before": pair.canonical_label_id or None,
        "label_after": row["canonical_label_id"],
        "label_version": None,
        "row_version": pair.row_version + 1,
        "by_user": by,
        "reviewed_at": now,
    }
