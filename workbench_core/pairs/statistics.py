"""Statistics of a review (TS-15): how far it is, how often people agree with the model, how quickly they decide."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from workbench_core import rows
from workbench_core.ports import Row, Store

MOST_ANSWERS = 50  # different ones in the distribution
_DECIDED = "('approved', 'edited', 'rejected')"
_HUMAN = "('approve', 'edit', 'reject', 'flag')"


@dataclass(frozen=True, slots=True)
class ReviewerStatistics:
    """What one person decided: decisions that stand, how many an hour, how often they left a model's answer as it is.

    Hours are those of the clock in which the person decided about single pairs; bulk decisions do not count into the
    rate. None where nothing can be counted.
    """

    by: str
    decisions: int
    per_hour: float | None
    agreement: float | None


@dataclass(frozen=True, slots=True)
class AnswerLengths:
    """Characters of the answers that are not empty; zeros without any."""

    shortest: int = 0
    mean: float = 0.0
    longest: int = 0


@dataclass(frozen=True, slots=True)
class ReviewStatistics:
    """A training sheet under review: shares are between 0 and 1, `agreement` is None before the first decision.

    `agreement` is the share of a model's answers, of those decided, that were approved unchanged. `answers` are the
    labelled answers with the number of their pairs, the most frequent first and at most 50, `other_answers` the rest.
    """

    total: int = 0
    reviewed: int = 0
    agreement: float | None = None
    lengths: AnswerLengths = AnswerLengths()
    answers: Mapping[str, int] = field(default_factory=dict)
    other_answers: int = 0
    reviewers: tuple[ReviewerStatistics, ...] = ()

    @property
    def reviewed_share(self) -> float:
        """Approved, edited and rejected pairs over all."""
        return self.reviewed / self.total if self.total else 0.0


def review_statistics(store: Store, training_sheet_id: str) -> ReviewStatistics:
    """Count the pairs and decisions of a training sheet."""
    reviewed = f"SUM(CASE WHEN review_status IN {_DECIDED} THEN 1 ELSE 0 END)"
    found = store.query(
        f"SELECT COUNT(*) AS total, {reviewed} AS reviewed, MIN(NULLIF(LENGTH(answer), 0)) AS shortest, "
        "CAST(AVG(NULLIF(LENGTH(answer), 0)) AS DOUBLE PRECISION) AS mean, MAX(LENGTH(answer)) AS longest "
        "FROM pairs WHERE training_sheet_id = :sheet",
        sheet=training_sheet_id,
    )[0]
    answers, other_answers = _answers(store, training_sheet_id)
    return ReviewStatistics(
        total=rows.whole(found, "total"),
        reviewed=rows.whole(found, "reviewed"),
        agreement=_agreement(store, training_sheet_id),
        lengths=AnswerLengths(
            rows.whole(found, "shortest"), float(rows.number(found, "mean")), rows.whole(found, "longest")
        ),
        answers=answers,
        other_answers=other_answers,
        reviewers=_reviewers(store, training_sheet_id),
    )


def _answers(store: Store, training_sheet_id: str) -> tuple[dict[str, int], int]:
    """The labelled answers, the most frequent first, and how many pairs have none of them."""
    found = store.query(
        "SELECT answer, COUNT(*) AS pairs, CAST(SUM(COUNT(*)) OVER () AS BIGINT) AS labelled FROM pairs "
        "WHERE training_sheet_id = :sheet AND review_status IN ('approved', 'edited') GROUP BY answer "
        "ORDER BY pairs DESC, answer LIMIT :limit",
        sheet=training_sheet_id,
        limit=MOST_ANSWERS,
    )
    answers = {rows.text(row, "answer"): rows.whole(row, "pairs") for row in found}
    return answers, (rows.whole(found[0], "labelled") - sum(answers.values()) if found else 0)


def _agreement(store: Store, training_sheet_id: str) -> float | None:
    """The share of a model's answers, of those decided, that were approved as they were."""
    found = store.query(
        f"SELECT COUNT(*) AS decided, {_UNCHANGED} AS unchanged FROM pairs p "
        f"WHERE p.training_sheet_id = :sheet AND p.review_status IN {_DECIDED} AND {_BY_MODEL}",
        sheet=training_sheet_id,
    )[0]
    return _share(found, "unchanged", "decided")


_UNCHANGED = "SUM(CASE WHEN p.review_status = 'approved' AND p.original_answer IS NULL THEN 1 ELSE 0 END)"
_BY_MODEL = "EXISTS (SELECT 1 FROM pair_reviews m WHERE m.pair_id = p.id AND m.source_before = 'ai_generated')"


def _reviewers(store: Store, training_sheet_id: str) -> tuple[ReviewerStatistics, ...]:
    """What each person decided, the most active one first."""
    agreements = {
        rows.text(row, "reviewed_by"): _share(row, "unchanged", "decided")
        for row in store.query(
            f"SELECT p.reviewed_by, COUNT(*) AS decided, {_UNCHANGED} AS unchanged FROM pairs p "
            f"WHERE p.training_sheet_id = :sheet AND p.review_status IN {_DECIDED} AND {_BY_MODEL} "
            "GROUP BY p.reviewed_by ORDER BY p.reviewed_by",
            sheet=training_sheet_id,
        )
    }
    found = store.query(
        "SELECT r.by_user, COUNT(*) AS decisions, SUM(CASE WHEN s.pairs = 1 THEN 1 ELSE 0 END) AS single, "
        "COUNT(DISTINCT CASE WHEN s.pairs = 1 THEN SUBSTR(CAST(r.reviewed_at AS TEXT), 1, 13) END) AS hours "
        "FROM pair_reviews r JOIN review_steps s ON s.id = r.step_id "
        f"WHERE r.training_sheet_id = :sheet AND r.undone_at IS NULL AND r.action IN {_HUMAN} "
        "GROUP BY r.by_user ORDER BY decisions DESC, r.by_user",
        sheet=training_sheet_id,
    )
    return tuple(
        ReviewerStatistics(
            rows.text(row, "by_user"),
            rows.whole(row, "decisions"),
            _share(row, "single", "hours"),
            agreements.get(rows.text(row, "by_user")),
        )
        for row in found
    )


def _share(row: Row, part: str, whole: str) -> float | None:
    """One count over another; None when there is nothing to count."""
    return rows.whole(row, part) / rows.whole(row, whole) if rows.whole(row, whole) else None
