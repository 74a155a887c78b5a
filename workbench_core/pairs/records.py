"""The rows behind pairs and their reviews: read in sets, written with compare-and-set."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from workbench_core import rows
from workbench_core.canonical_labels import chunks
from workbench_core.clock import new_id
from workbench_core.errors import ChangedByOthers, Conflict
from workbench_core.pairs.decisions import Outcome
from workbench_core.pairs.model import (
    PAIR_COLUMNS,
    REVIEW_COLUMNS,
    Pair,
    PairCounts,
    PairFilter,
    PairReview,
    ResponseSource,
    ReviewStatus,
    pair_from,
    review_from,
)
from workbench_core.ports import Store, Value
from workbench_core.prompt_templates import TemplateSnapshot, from_snapshot


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

    def origins(self, pairs: Sequence[Pair]) -> dict[str, Origin]:
        found = self._store.query(
            "SELECT id, name, status, sheet_id, label_type, prompt_template_id, template_snapshot "
            "FROM training_sheets WHERE id IN :ids ORDER BY id",
            ids=list({pair.training_sheet_id for pair in pairs}),
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

    def changers(self, pair_ids: Sequence[str]) -> dict[str, str]:
        """Who changed each of these pairs last."""
        changers = dict.fromkeys(pair_ids, "somebody else")
        for chunk in chunks(pair_ids):
            for row in self._store.query(
                "SELECT pair_id, by_user FROM pair_reviews WHERE pair_id IN :ids ORDER BY pair_id, row_version",
                ids=chunk,
            ):
                changers[rows.text(row, "pair_id")] = rows.text(row, "by_user")
        return changers

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

    def latest_review(self, training_sheet_id: str, by: str) -> PairReview:
        found = self._store.query(
            f"SELECT {REVIEW_COLUMNS} FROM pair_reviews WHERE training_sheet_id = :sheet AND by_user = :by "
            "AND undone_at IS NULL AND action <> 'generate' ORDER BY reviewed_at DESC, id LIMIT 1",
            sheet=training_sheet_id,
            by=by,
        )
        if not found:
            raise Conflict("There is no decision of yours to undo.", hint="Undo takes back your own decisions.")
        return review_from(found[0])

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

    def write(self, outcomes: Sequence[Outcome], *, by: str) -> None:
        """Store the pairs and append one review each. Raises ChangedByOthers when another writer was first."""
        self.update([outcome.after for outcome in outcomes])
        self._store.append("pair_reviews", [_review_row(outcome, by) for outcome in outcomes])

    def update(self, pairs: Sequence[Pair]) -> None:
        changed = self._store.execute_many(
            "UPDATE pairs SET answer = :answer, original_answer = :original_answer, "
            "response_source = :response_source, review_status = :review_status, "
            "was_auto_approved = :was_auto_approved, canonical_label_id = :canonical_label_id, "
            "reviewed_by = :reviewed_by, reviewed_at = :reviewed_at, review_note = :review_note, "
            "quality_score = :quality_score, generation_error = :generation_error, updated_at = :updated_at, "
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
                    "updated_at": pair.updated_at,
                }
                for pair in pairs
            ],
            touches="pairs",
        )
        if changed != len(pairs):
            raise ChangedByOthers("A pair was just changed by somebody else.", hint="Reload and try again.")


def where_of(training_sheet_id: str, wanted: PairFilter) -> tuple[str, dict[str, Value]]:
    parts, params = ["training_sheet_id = :sheet"], dict[str, Value](sheet=training_sheet_id)
    if wanted.status is not None:
        parts.append("review_status = :status")
        params["status"] = wanted.status.value
    if wanted.source is not None:
        parts.append("response_source = :source")
        params["source"] = wanted.source.value
    if wanted.has_error is not None:
        parts.append("generation_error <> ''" if wanted.has_error else "generation_error = ''")
    if wanted.eligible_for is not None:
        parts.append("allowed_uses LIKE :use AND prohibited_uses NOT LIKE :use")
        params["use"] = f"%{json.dumps(wanted.eligible_for.value)}%"
    if wanted.search.strip():
        parts.append(
            "LOWER(item_ref || ' ' || answer || ' ' || variables || ' ' || review_note) LIKE LOWER(:pattern) ESCAPE '!'"
        )
        params["pattern"] = rows.search_pattern(wanted.search)
    return " AND ".join(parts), params


def counts_from(groups: Sequence[Mapping[str, Value]]) -> PairCounts:
    by_status: dict[str, int] = defaultdict(int)
    by_source: dict[ResponseSource, int] = defaultdict(int)
    automatic = failed = 0
    for group in groups:
        pairs = rows.whole(dict(group), "pairs")
        by_status[str(group["review_status"])] += pairs
        by_source[ResponseSource(str(group["response_source"]))] += pairs
        automatic += pairs if group["auto"] else 0
        failed += pairs if group["failed"] else 0
    return PairCounts(
        total=sum(by_status.values()),
        auto_approved=automatic,
        errors=failed,
        by_source=dict(by_source),
        **{status.value: by_status[status.value] for status in ReviewStatus},
    )


def _review_row(outcome: Outcome, by: str) -> dict[str, Value]:
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
    }
