"""The dual gate and the split: who may be trained on, and that no item stands on two sides."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest

from workbench_core import usage
from workbench_core.errors import Invalid
from workbench_core.training_gate import GatePair, Shares, Split, decide_gate
from workbench_core.usage import ALL_USES, UsageRules, Use


def pair(number: int, **changes) -> GatePair:
    made = GatePair(f"pair-{number}", f"item-{number}", "approved", "spam", f"question {number}", ALL_USES, 1)
    return replace(made, **changes)


def only(*uses: Use) -> UsageRules:
    return UsageRules(allowed=frozenset(uses))


def test_acceptance_1_the_counts_of_the_example():
    """100 approved (10 of them edited), 15 prohibited for training, 5 flagged: 85 eligible."""
    rules = UsageRules(prohibited=frozenset({Use.TRAINING}), reason="patient data")
    pairs = [pair(n, review_status="edited" if n < 10 else "approved") for n in range(85)]
    pairs += [pair(n, usage=rules) for n in range(85, 100)]
    pairs += [pair(n, review_status="flagged") for n in range(100, 105)]
    gate = decide_gate(pairs, Shares(0.7, 0.1), seed=42)
    assert (gate.total, gate.approved, gate.eligible) == (105, 100, 85)
    assert gate.reasons == {"training prohibited: patient data": 15, "flagged": 5}
    assert gate.total == gate.eligible + sum(gate.reasons.values())
    assert gate.examples("flagged") == ["item-100", "item-101", "item-102"]
    assert not [p for p in gate.placed if p.split is Split.TRAIN and p.pair.usage is rules]


def test_shares_are_met_and_the_same_seed_gives_the_same_split():
    pairs = [pair(n) for n in range(2000)]
    gate = decide_gate(pairs, Shares(0.8, 0.1), seed=7)
    assert abs(gate.count(Split.TRAIN) - 1600) < 60
    assert abs(gate.count(Split.VALIDATION) - 200) < 45
    shuffled = random.Random(1).sample(pairs, len(pairs))
    again = {p.pair.pair_id: p.split for p in decide_gate(shuffled, Shares(0.8, 0.1), seed=7).placed}
    assert again == {p.pair.pair_id: p.split for p in gate.placed}
    other = {p.pair.pair_id: p.split for p in decide_gate(pairs, Shares(0.8, 0.1), seed=8).placed}
    assert other != again


def test_inv_t3_an_item_keeps_its_side_when_others_come():
    before = {p.pair.item_ref: p.split for p in decide_gate([pair(n) for n in range(100)], Shares(), seed=1).placed}
    after = {p.pair.item_ref: p.split for p in decide_gate([pair(n) for n in range(300)], Shares(), seed=1).placed}
    assert all(after[item] == split for item, split in before.items())


def test_acceptance_2_a_pair_goes_only_where_it_may():
    pairs = [pair(n, usage=only(Use.VALIDATION)) for n in range(100)]
    pairs += [pair(n, usage=only(Use.TRAINING)) for n in range(100, 200)]
    pairs += [pair(n, usage=usage.preset("held_out")) for n in range(200, 300)]
    gate = decide_gate(pairs, Shares(), seed=3)
    splits = [p.split for p in gate.placed]
    assert set(splits[:100]) == {Split.VALIDATION}
    assert set(splits[100:200]) == {Split.TRAIN}
    assert set(splits[200:]) == {Split.TEST}
    assert gate.eligible == 100


def test_inv_6_a_use_in_both_lists_is_prohibited():
    both = UsageRules(prohibited=frozenset(Use))
    gate = decide_gate([pair(1, usage=both)], Shares(), seed=1)
    assert gate.placed[0].split is Split.EXCLUDED
    assert gate.reasons == {"training prohibited": 1}


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"review_status": "pending"}, "not reviewed yet"),
        ({"review_status": "rejected"}, "rejected"),
        ({"review_status": "pending", "answer": ""}, "not reviewed yet"),
        ({"answer": "  "}, "empty answer"),
        ({"usage": only(Use.FEW_SHOT)}, "training not among the allowed uses"),
    ],
)
def test_every_exclusion_is_explained(changes, reason):
    gate = decide_gate([pair(1, **changes)], Shares(), seed=1)
    assert gate.reasons == {reason: 1}
    assert gate.placed[0].split is Split.EXCLUDED


def test_the_same_question_never_stands_on_two_sides():
    held_out = usage.preset("held_out")
    pairs = [pair(n, question=f"q{n % 50}") for n in range(100)]
    pairs += [pair(n, question=f"q{n - 100}", usage=held_out) for n in range(100, 120)]
    gate = decide_gate(pairs, Shares(), seed=5)
    used = [p for p in gate.placed if p.split is not Split.EXCLUDED]
    assert len({p.pair.question for p in used}) == len(used) == 50
    assert sum(p.pair.usage is held_out for p in used) == 20, "the held-out one is the one that is kept"


def test_nine_eligible_pairs_are_refused():
    assert "Only 9 pairs" in decide_gate([pair(n) for n in range(9)], Shares(), seed=1).problems()[0]
    assert decide_gate([pair(n) for n in range(60)], Shares(), seed=1).problems() == []


def test_a_training_part_that_is_too_small_is_refused():
    assert "training part" in decide_gate([pair(n) for n in range(12)], Shares(0.5, 0.3), seed=1).problems()[0]


@pytest.mark.parametrize("shares", [Shares(0.95, 0.02), Shares(0.5, 0.0), Shares(0.8, 0.2), Shares(0.05, 0.1)])
def test_impossible_shares_are_refused(shares):
    with pytest.raises(Invalid):
        decide_gate([pair(1)], shares, seed=1)


@pytest.mark.parametrize("status", ["approved", "edited"])
def test_a_pair_without_a_question_is_never_trained_on_or_measured_with(status):
    pairs = [pair(n) for n in range(30)] + [pair(n, question="[]", review_status=status) for n in range(30, 33)]
    gate = decide_gate(pairs, Shares(), seed=1)
    assert (gate.eligible, gate.reasons) == (30, {"no question": 3})
    assert {placed.split for placed in gate.placed[30:]} == {Split.EXCLUDED}
