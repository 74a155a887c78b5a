"""The rows behind pairs and their reviews: read in sets, written with compare-and-set."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from workbench_core import rows
from workbench_core.canonical_labels import chunks
from workbench_core.clock import new_id
from workbench_core.errors import ChangedByOthers, NotFound
from workbench_core.pairs.changes import changes_of
from workbench_core.pairs.decisions import Outcome
from workbench_core.pairs.model import (
    PAIR_COLUMNS,
    REVIEW_COLUMNS,
    Pair,
    PairChange,
    PairReview,
    ResponseSource,
    ReviewStatus,
    flags_text,
    pair_from,
    review_from,
)
from workbench_core.ports import Store, Value
from workbench_core.prompt_templates import TemplateSnapshot, from_snapshot

_DECIDED_COLUMNS = PAIR_COLUMNS.replace("variables, messages", "'{}' AS variables, '[]' AS messages")


@dataclass(frozen=True, slots=True)
class Origin:
    """What decisions need to know about the training sheet of a pair."""

    id: str
    name: str
    status: str
    sheet_id: str
    label_type: str
    prompt_template_id: str
    template: TemplateSnapshot


class PairRecords:
    """Read and write pairs, reviews, and what decisions need of their training sheets."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def by_id(self, pair_ids: Sequence[str]) -> dict[str, Pair]:
        found: dict[str, Pair] = {}
        for chunk in chunks(pair_ids):
            for row in self._store.query(f"SELECT {PAIR_COLUMNS} FROM pairs WHERE id IN :ids", ids=chunk):
                pair = pair_from(row)
                found[pair.id] = pair
        return found

    def to_decide(self, pair_ids: Sequence[str]) -> dict[str, Pair]:
        """The same without their questions and values, which no decision reads."""
        found: dict[str, Pair] = {}
        for chunk in chunks(pair_ids):
            for row in self._store.query(f"SELECT {_DECIDED_COLUMNS} FROM pairs WHERE id IN :ids", ids=chunk):
                pair = pair_from(row)
                found[pair.id] = pair
        return found

    def origin(self, training_sheet_id: str) -> Origin:
        """Raises NotFound."""
        found = self._origins([training_sheet_id])
        if not found:
            raise NotFound("This training sheet does not exist.", hint="Choose one on the Label page.")
        return found[training_sheet_id]

    def origins(self, pairs: Sequence[Pair]) -> dict[str, Origin]:
        return self._origins(list({pair.training_sheet_id for pair in pairs}))

    def _origins(self, training_sheet_ids: Sequence[str]) -> dict[str, Origin]:
        found = self._store.query(
            "SELECT id, name, status, sheet_id, label_type, prompt_template_id, template_snapshot "
            "FROM training_sheets WHERE id IN :ids ORDER BY id",
            ids=list(training_sheet_ids),
        )
        return {
            rows.text(row, "id"): Origin(
                id=rows.text(row, "id"),
                name=rows.text(row, "name"),
                status=rows.text(row, "status"),
                sheet_id=rows.text(row, "sheet_id"),
                label_type=rows.text(row, "label_type"),
                prompt_template_id=rows.text(row, "prompt_template_id"),
                template=from_snapshot(rows.json_object(row, "template_snapshot")),
            )
            for row in found
        }

    def changes_since(self, seen: Mapping[str, int]) -> dict[str, PairChange]:
        """What became of pairs after the versions that a person saw: from there to the newest decision about each."""
        found: dict[str, PairChange] = {}
        for chunk in chunks(seen):
            for row in self._store.query(
                "SELECT r.pair_id, r.row_version, r.action, r.by_user, r.reviewed_at, r.undone_at, r.status_before, "
                "r.answer_before, p.review_status AS status_now, p.answer AS answer_now "
                "FROM pair_reviews r JOIN pairs p ON p.id = r.pair_id WHERE r.pair_id IN :ids "
                "ORDER BY r.pair_id, r.row_version",
                ids=chunk,
            ):
                pair_id, undone_at = rows.text(row, "pair_id"), rows.time_or_none(row, "undone_at")
                is_new = rows.whole(row, "row_version") > seen[pair_id]
                if not is_new and undone_at is None:
                    continue
                first = found.get(pair_id)
                found[pair_id] = PairChange(
                    pair_id,
                    by=rows.text(row, "by_user"),
                    action=rows.text(row, "action") if undone_at is None else "undo",
                    status_before=first.status_before if first else ReviewStatus(rows.text(row, "status_before")),
                    status_after=ReviewStatus(rows.text(row, "status_now")),
                    answer_before=first.answer_before if first else rows.text(row, "answer_before"),
                    answer_after=rows.text(row, "answer_now"),
                    changed_at=undone_at or rows.time(row, "reviewed_at"),
                )
        return found

    def sources_before(self, pair_ids: Sequence[str]) -> dict[str, ResponseSource]:
        """Where the unchanged answers of approved pairs had come from, for pairs that are reopened."""
        sources = {}
        for chunk in chunks(pair_ids):
            for row in self._store.query(
                "SELECT pair_id, source_before FROM pair_reviews WHERE pair_id IN :ids AND undone_at IS NULL "
                "AND action = 'approve' ORDER BY pair_id, row_version",
                ids=chunk,
            ):
                sources[rows.text(row, "pair_id")] = ResponseSource(rows.text(row, "source_before"))
        return sources

    def review_before(self, review: PairReview) -> PairReview | None:
        """The decision that stood before this one; none after a reopening or in the beginning."""
        found = self._store.query(
            f"SELECT {REVIEW_COLUMNS} FROM pair_reviews WHERE pair_id = :pair AND row_version < :version "
            "AND undone_at IS NULL AND action NOT IN ('save', 'generate') ORDER BY row_version DESC LIMIT 1",
            pair=review.pair_id,
            version=review.row_version,
        )
        before = review_from(found[0]) if found else None
        return before if before and before.action != "reopen" else None

    def write(self, outcomes: Sequence[Outcome], step_ids: Sequence[str], *, by: str) -> None:
        """Store the pairs and append one review each, of these steps. Raises ChangedByOthers when outrun."""
        self.update([outcome.after for outcome in outcomes])
        self._store.append(
            "pair_reviews",
            [_review_row(outcome, step_id, by) for outcome, step_id in zip(outcomes, step_ids, strict=True)],
        )

    def update(self, pairs: Sequence[Pair]) -> None:
        changed = self._store.execute_many(
            "UPDATE pairs SET answer = :answer, original_answer = :original_answer, "
            "response_source = :response_source, review_status = :review_status, "
            "was_auto_approved = :was_auto_approved, canonical_label_id = :canonical_label_id, "
            "reviewed_by = :reviewed_by, reviewed_at = :reviewed_at, review_note = :review_note, "
            "quality_score = :quality_score, generation_error = :generation_error, quality_flags = :quality_flags, "
            "updated_at = :updated_at, "
            "row_version = row_version + 1 "
            "WHERE id = :id AND row_version = :row_version - 1",
            [
                {
                    "id": pair.id,
                    "row_version": pair.row_version,
                    "answer": pair.answer,
                    "original_answer": pair.original_answer,
                    "response_source": pair.response_source.value,
                    "review_status": pair.review_status.value,
                    "was_auto_approved": pair.was_auto_approved,
                    "canonical_label_id": pair.canonical_label_id or None,
                    "reviewed_by": pair.reviewed_by,
                    "reviewed_at": pair.reviewed_at,
                    "review_note": pair.review_note,
                    "quality_score": pair.quality_score,
                    "generation_error": pair.generation_error,
                    "quality_flags": flags_text(pair.quality_flags),
                    "updated_at": pair.updated_at,
                }
                for pair in sorted(pairs, key=lambda pair: pair.id)  # two writers lock rows in the same order
            ],
            touches="pairs",
        )
        if changed != len(pairs):
            raise ChangedByOthers("A pair was just changed by somebody else.", hint="Reload and try again.")


def _review_row(outcome: Outcome, step_id: str, by: str) -> dict[str, Value]:
    before, after = outcome.before, outcome.after
    return {
        "id": new_id("review"),
        "pair_id": before.id,
        "training_sheet_id": before.training_sheet_id,
        "action": outcome.action,
        "note": outcome.note,
        "status_before": before.review_status.value,
        "status_after": after.review_status.value,
        "answer_before": before.answer,
        "answer_after": after.answer,
        "source_before": before.response_source.value,
        "label_before": before.canonical_label_id or None,
        "label_after": after.canonical_label_id or None,
        "label_version": outcome.label_version,
        "row_version": after.row_version,
        "by_user": by,
        "reviewed_at": after.updated_at,
        "step_id": step_id,
        "changes": rows.to_json(changes_of(before, after)),
    }
