"""The rules of one decision about one pair: which are possible, what they need, what the pair becomes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime

from workbench_core.canonical_labels import checked_answer
from workbench_core.errors import Conflict, Invalid
from workbench_core.lifecycle import Lifecycle
from workbench_core.metrics import AnswerKind
from workbench_core.pairs.answers import AnswerVerdict, check_answer
from workbench_core.pairs.model import Pair, PairChange, QualityFlag, ResponseSource, ReviewStatus
from workbench_core.prompt_templates import TemplateDraft

LIFECYCLE: Lifecycle[ReviewStatus] = Lifecycle(
    approve=({ReviewStatus.PENDING, ReviewStatus.FLAGGED}, ReviewStatus.APPROVED),
    edit=({ReviewStatus.PENDING, ReviewStatus.FLAGGED}, ReviewStatus.EDITED),
    reject=({ReviewStatus.PENDING, ReviewStatus.FLAGGED}, ReviewStatus.REJECTED),
    flag=({ReviewStatus.PENDING}, ReviewStatus.FLAGGED),
    reopen=(
        {ReviewStatus.APPROVED, ReviewStatus.EDITED, ReviewStatus.REJECTED, ReviewStatus.FLAGGED},
        ReviewStatus.PENDING,
    ),
    save=({ReviewStatus.PENDING}, ReviewStatus.PENDING),
)
SET_FLAGS = "set_flags"
LABELLED = (ReviewStatus.APPROVED, ReviewStatus.EDITED)


@dataclass(frozen=True, slots=True)
class Decision:
    """What a person decided on the version of a pair that they saw.

    `action` is approve, edit, reject, flag, reopen or set_flags. Approving with another answer than the pair's is an
    edit, and editing without a change is an approval (TS-8). A flag needs a note. `flags` become the pair's quality
    flags, None leaves those as they are; set_flags changes nothing else and is possible in every status.
    """

    pair_id: str
    action: str
    row_version: int
    answer: str | None = None
    note: str = ""
    flags: tuple[QualityFlag, ...] | None = None


@dataclass(frozen=True, slots=True)
class DecisionResult:
    """Which decisions were carried out, and why the others were refused, by pair.

    `changes` has, for those that somebody changed meanwhile, who made them what and when.
    """

    done: tuple[str, ...] = ()
    refused: Mapping[str, str] = field(default_factory=dict)
    changes: Mapping[str, PairChange] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Outcome:
    """A pair before and after a decision; `label_version` is the label version that the decision wrote."""

    before: Pair
    after: Pair
    action: str
    note: str
    label_version: int | None = None

    @property
    def writes_label(self) -> bool:
        """Whether the answer becomes the canonical label of the item."""
        return self.action != SET_FLAGS and self.after.review_status in LABELLED


def judge(pair: Pair, decision: Decision, template: TemplateDraft, *, by: str, now: datetime) -> Outcome:
    """What a decision makes of a pair, its version counted on.

    Raises InvalidTransition when it is not possible from the pair's status, Invalid for an answer that cannot be
    accepted or a missing reason.
    """
    action, verdict = decision.action, None
    if action == SET_FLAGS:
        return _flagged(pair, decision, now=now)
    if action not in LIFECYCLE.table:
        raise Invalid(f"There is no decision “{action}”.", hint=f"Decisions: {', '.join(LIFECYCLE.table)}.")
    if action in {"approve", "edit"}:
        LIFECYCLE.next(pair.review_status, action, subject=f"The pair of item {pair.item_ref}")
        verdict = _accepted(pair.answer if decision.answer is None else decision.answer, template)
        action = "approve" if verdict.answer == pair.answer else "edit"
    if action == "flag" and not decision.note.strip():
        raise Invalid("A flag needs a reason.", hint="Say what needs a second look.")
    status = LIFECYCLE.next(pair.review_status, action, subject=f"The pair of item {pair.item_ref}")
    note = " ".join(part for part in (decision.note.strip(), verdict.note if verdict else "") if part)
    after = replace(
        pair,
        review_status=status,
        was_auto_approved=False,
        reviewed_by="" if action == "reopen" else by,
        reviewed_at=None if action == "reopen" else now,
        review_note="" if action == "reopen" else note,
        quality_flags=pair.quality_flags if decision.flags is None else ordered(decision.flags),
        row_version=pair.row_version + 1,
        updated_at=now,
    )
    if verdict is not None:
        after = replace(_answered(after, verdict), response_source=ResponseSource.HUMAN_VERIFIED)
    return Outcome(pair, after, action, note)


def ordered(flags: Iterable[QualityFlag]) -> tuple[QualityFlag, ...]:
    """Quality flags, each once and always in the same order."""
    chosen = set(flags)
    return tuple(flag for flag in QualityFlag if flag in chosen)


def _flagged(pair: Pair, decision: Decision, *, now: datetime) -> Outcome:
    """The pair with other quality flags and nothing else changed."""
    after = replace(pair, quality_flags=ordered(decision.flags or ()), row_version=pair.row_version + 1, updated_at=now)
    return Outcome(pair, after, SET_FLAGS, decision.note.strip())


def saved(pair: Pair, answer: str, template: TemplateDraft, *, now: datetime) -> Outcome:
    """The pair with an answer that nobody verified yet (TS-8); the note says why the answer is not valid.

    Raises InvalidTransition unless the pair is pending, Invalid for an answer that cannot be accepted.
    """
    LIFECYCLE.next(pair.review_status, "save", subject=f"The pair of item {pair.item_ref}")
    verdict = _accepted(answer, template)
    after = replace(
        _answered(pair, verdict),
        response_source=ResponseSource.HUMAN_LABELED,
        review_note=verdict.note,
        row_version=pair.row_version + 1,
        updated_at=now,
    )
    return Outcome(pair, after, "save", verdict.note)


def check_open(sheet_name: str, status: str) -> None:
    """Raise Conflict unless the training sheet is in review."""
    if status != "review":
        raise Conflict(
            f"“{sheet_name}” is {status}: its pairs cannot change.",
            hint="Reopen the training sheet first." if status == "approved" else "Only sheets in review change.",
        )


def _accepted(answer: str, template: TemplateDraft) -> AnswerVerdict:
    verdict = check_answer(template, checked_answer(answer))
    if template.answer_kind is AnswerKind.LABEL and verdict.note:
        raise Invalid(verdict.note, hint="Choose one of the classes.")
    return verdict


def _answered(pair: Pair, verdict: AnswerVerdict) -> Pair:
    """The pair with this answer, whatever kept a model from giving one; the first answer is kept once."""
    pair = replace(pair, quality_score=verdict.quality_score, generation_error="")
    if verdict.answer == pair.answer:
        return pair
    original = pair.answer if pair.original_answer is None else pair.original_answer
    return replace(pair, answer=verdict.answer, original_answer=original)
