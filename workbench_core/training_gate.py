"""The dual gate of training and the split that never puts one item on two sides: approved, and allowed for this use."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from workbench_core.eligibility import APPROVED, Reason, exclusion_reason
from workbench_core.errors import Invalid
from workbench_core.usage import UsageRules, Use

MINIMUM_PAIRS = 10


class Split(StrEnum):
    """Where a pair goes in one training job."""

    TRAIN = "train"
    VALIDATION = "validation"
    TEST = "test"
    EXCLUDED = "excluded"


USE_OF = {Split.TRAIN: Use.TRAINING, Split.VALIDATION: Use.VALIDATION, Split.TEST: Use.EVALUATION}


@dataclass(frozen=True, slots=True)
class GatePair:
    """What the gate looks at: `question` is the rendered question, its messages as JSON: so duplicates are found."""

    pair_id: str
    item_ref: str
    review_status: str
    answer: str
    question: str
    usage: UsageRules
    row_version: int
    canonical_label_id: str = ""

    @property
    def has_question(self) -> bool:
        """False for an item whose question could not be made."""
        return self.question not in {"", "[]"}


@dataclass(frozen=True, slots=True)
class Shares:
    """How the items are divided: the rest after train and validation is the test part, held out for evaluation."""

    train: float = 0.7
    validation: float = 0.1

    @staticmethod
    def from_borders(train_end: int, validation_end: int) -> Shares:
        """The shares between two borders in percent: train up to the first, validation up to the second."""
        return Shares(train_end / 100, (validation_end - train_end) / 100)

    @property
    def borders(self) -> tuple[int, int]:
        """The two borders in percent."""
        return round(100 * self.train), round(100 * (self.train + self.validation))

    @property
    def test(self) -> float:
        """What is left for the test part."""
        return 1 - self.train - self.validation

    def checked(self) -> Shares:
        """These shares. Raises Invalid when they leave nothing to one of the parts."""
        if not (0.1 <= self.train <= 0.9 and self.validation >= 0.02 and self.train + self.validation <= 0.95):
            raise Invalid(
                f"{self.train:.0%} for training and {self.validation:.0%} for validation cannot be.",
                hint="Train 10–90 %, validation at least 2 %, and at least 5 % left for the test part.",
            )
        return self


@dataclass(frozen=True, slots=True)
class Placed:
    """Where one pair goes. `reason` says why it is not trained on; empty for a pair that may be."""

    pair: GatePair
    split: Split
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Exclusion:
    """One reason that keeps pairs from being trained on, with some of their items."""

    reason: str
    count: int
    items: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class GateSummary:
    """The numbers of a decision, without the pairs. `problems` forbid training now; `advice` says what to do."""

    total: int
    approved: int
    eligible: int
    counts: dict[Split, int]
    exclusions: tuple[Exclusion, ...]
    problems: tuple[str, ...]
    advice: str


@dataclass(frozen=True, slots=True)
class GateResult:
    """The whole decision: every pair with its place, and counts that add up."""

    placed: tuple[Placed, ...]

    @property
    def total(self) -> int:
        """All pairs of the training sheet."""
        return len(self.placed)

    @property
    def approved(self) -> int:
        """Pairs that an expert approved or edited."""
        return sum(placed.pair.review_status in APPROVED for placed in self.placed)

    @property
    def eligible(self) -> int:
        """Pairs that pass both gates for training."""
        return sum(not placed.reason for placed in self.placed)

    @property
    def reasons(self) -> dict[str, int]:
        """Why the others may not be trained on, most frequent first: total = eligible + sum of these."""
        return dict(Counter(placed.reason for placed in self.placed if placed.reason).most_common())

    def count(self, split: Split) -> int:
        """How many pairs a part has."""
        return sum(placed.split == split for placed in self.placed)

    def examples(self, reason: str, *, limit: int = 3) -> list[str]:
        """Some items that a reason keeps out."""
        return [placed.pair.item_ref for placed in self.placed if placed.reason == reason][:limit]

    def summary(self) -> GateSummary:
        """The numbers alone, for pages."""
        return GateSummary(
            total=self.total,
            approved=self.approved,
            eligible=self.eligible,
            counts={split: self.count(split) for split in Split},
            exclusions=tuple(
                Exclusion(reason, count, tuple(self.examples(reason))) for reason, count in self.reasons.items()
            ),
            problems=tuple(self.problems()),
            advice=self.advice(),
        )

    def taught(self) -> dict[str, str]:
        """The answers that the model would learn or be tuned on, by item."""
        return {
            placed.pair.item_ref: placed.pair.answer
            for placed in self.placed
            if placed.split in {Split.TRAIN, Split.VALIDATION}
        }

    def problems(self) -> list[str]:
        """Sentences that forbid training now; empty when it may start (INV-T1)."""
        if self.eligible < MINIMUM_PAIRS:
            return [f"Only {self.eligible} pairs are approved and allowed for training; {MINIMUM_PAIRS} are needed."]
        problems = []
        if (train := self.count(Split.TRAIN)) < MINIMUM_PAIRS:
            problems.append(f"Only {train} pairs fall into the training part; {MINIMUM_PAIRS} are needed.")
        if not self.count(Split.VALIDATION):
            problems.append("No pair falls into the validation part.")
        return problems

    def advice(self) -> str:
        """What to do about the problems."""
        why = "; ".join(f"{count} {reason}" for reason, count in self.reasons.items())
        if self.eligible < MINIMUM_PAIRS:
            return f"Review more pairs. Not eligible: {why}." if why else "Add pairs."
        return "Approve more pairs, or change the shares or the seed."


def decide_gate(pairs: Sequence[GatePair], shares: Shares, *, seed: int) -> GateResult:
    """Decide for every pair whether it may be trained on and where it goes; the same input gives the same answer.

    The place follows from a hash of the item, salted with `seed`: an item keeps its side when others come or go, and
    all pairs of an item share it (INV-T3). A pair is placed only where its usage rules permit: one that allows
    evaluation but not training goes to the test part. Of pairs with the same question one is kept, a held-out one
    before others, so that no question stands on two sides.
    """
    shares = shares.checked()
    kept: dict[str, str] = {}
    for pair in sorted(pairs, key=lambda pair: pair.usage.permits(Use.TRAINING)):
        if _may_be_used(pair):
            kept.setdefault(pair.question, pair.pair_id)
    return GateResult(tuple(_place(pair, shares, seed, kept.get(pair.question, pair.pair_id)) for pair in pairs))


def item_position(item_ref: str, seed: int) -> float:
    """A number in [0, 1) that depends on the item and the seed only."""
    digest = hashlib.sha256(f"{seed}:{item_ref}".encode()).digest()
    return int.from_bytes(digest[:8], "big") / 2**64


def _place(pair: GatePair, shares: Shares, seed: int, kept: str) -> Placed:
    reason = _reason(pair, is_duplicate=kept != pair.pair_id)
    if not _may_be_used(pair) or kept != pair.pair_id:
        return Placed(pair, Split.EXCLUDED, reason)
    position = item_position(pair.item_ref, seed)
    wanted = Split.TRAIN
    if position >= shares.train:
        wanted = Split.VALIDATION if position < shares.train + shares.validation else Split.TEST
    fallback = [Split.TEST, Split.VALIDATION] if reason else [Split.TRAIN, Split.TEST, Split.VALIDATION]
    for split in [wanted, *fallback]:
        if pair.usage.permits(USE_OF[split]) and not (reason and split is Split.TRAIN):
            return Placed(pair, split, reason)
    return Placed(pair, Split.EXCLUDED, reason)


def _may_be_used(pair: GatePair) -> bool:
    """Approved, asked and answered, and permitted in at least one part."""
    permitted = any(pair.usage.permits(use) for use in USE_OF.values())
    return pair.review_status in APPROVED and pair.has_question and bool(pair.answer.strip()) and permitted


def _reason(pair: GatePair, *, is_duplicate: bool) -> str:
    """Why this pair may not be trained on, with the stated cause of a prohibition."""
    found = exclusion_reason(pair.review_status, pair.answer, pair.usage, None, use=Use.TRAINING)
    if found:
        return found
    if not pair.has_question:
        return Reason.NO_QUESTION
    return Reason.DUPLICATE if is_duplicate else ""
