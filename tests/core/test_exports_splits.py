"""Acceptance 5: no item in two parts, the same seed gives the same parts, and no part holds what forbids it."""

from __future__ import annotations

import random
from collections import Counter, defaultdict

import numpy as np
import pytest

from workbench_core.errors import Invalid
from workbench_core.exports import PartShares, assign_parts, quotas
from workbench_core.exports.splits import NOWHERE, permitted_parts
from workbench_core.training_gate import GatePair, Shares, Split, decide_gate, item_position
from workbench_core.usage import ALL_USES, UsageRules, Use

TRAIN, VALIDATION, TEST = range(3)


def assigned(items, shares, *, seed=42, permitted=None, labels=None):
    positions = np.array([item_position(item, seed) for item in items])
    bits = np.array(permitted if permitted is not None else [0b111] * len(items), dtype=np.int8)
    return assign_parts(positions, bits, shares, None if labels is None else np.array(labels, dtype=np.int32)).tolist()


def random_case(seed: int):
    """Items with several pairs, any uses, any shares."""
    dice = random.Random(seed)
    cuts = sorted(dice.choice([0, 5, 10, 20, 33, 50, 80, 100]) for _ in range(2))
    shares = PartShares(cuts[0], cuts[1] - cuts[0], 100 - cuts[1])
    count = dice.randrange(1, 400)
    items = [f"item {dice.randrange(count)}" for _ in range(count)]
    wanted = sum(1 << place for place, share in enumerate((shares.train, shares.validation, shares.test)) if share)
    permitted = [dice.choice([0b111, 0b111, 0b111, 0b001, 0b110, 0b100, 0b010, 0b101]) & wanted for _ in items]
    return items, shares, permitted, [dice.randrange(4) for _ in items]


@pytest.mark.parametrize("is_stratified", [False, True])
@pytest.mark.parametrize("seed", range(60))
def test_properties_that_hold_for_every_split(seed, is_stratified):
    items, shares, permitted, labels = random_case(seed)
    labels = labels if is_stratified else None
    parts = assigned(items, shares, permitted=permitted, labels=labels)
    of_item = defaultdict(set)
    common = defaultdict(lambda: 0b111)
    for item, part, bits in zip(items, parts, permitted, strict=True):
        of_item[item].add(part)
        common[item] &= bits
    assert all(len(found) == 1 for found in of_item.values()), "all pairs of an item share a part"
    for item, found in of_item.items():
        part = found.pop()
        assert (part == NOWHERE) == (common[item] == 0), "an item stays out only when no part permits all its pairs"
        assert part == NOWHERE or common[item] >> part & 1
    assert parts == assigned(items, shares, permitted=permitted, labels=labels)
    order = random.Random(seed).sample(range(len(items)), len(items))
    if not is_stratified:  # with labels the first pair of an item says which it has
        mixed = assigned([items[n] for n in order], shares, permitted=[permitted[n] for n in order])
        assert [parts[n] for n in order] == mixed, "the order of the pairs does not matter"


def test_acceptance_5_another_seed_gives_another_split():
    items = [f"item {n}" for n in range(200)]
    assert assigned(items, PartShares(), seed=1) != assigned(items, PartShares(), seed=2)


def test_without_labels_the_split_is_that_of_a_training_with_the_same_seed():
    pairs = [GatePair(f"p{n}", f"item {n}", "approved", "a", f"q{n}", ALL_USES, 1) for n in range(500)]
    gate = decide_gate(pairs, Shares(0.8, 0.1), seed=7)
    names = [Split.TRAIN, Split.VALIDATION, Split.TEST]
    found = assigned([pair.item_ref for pair in pairs], PartShares(80, 10, 10), seed=7)
    assert [names[part] for part in found] == [placed.split for placed in gate.placed]


def test_every_label_gets_its_exact_shares():
    items = [f"item {n}" for n in range(1000)]
    labels = [0] * 700 + [1] * 250 + [2] * 45 + [3] * 5
    parts = Counter(zip(labels, assigned(items, PartShares(), labels=labels), strict=True))
    for label, count in enumerate((700, 250, 45, 5)):
        assert tuple(parts[label, part] for part in range(3)) == quotas(count, PartShares())


def test_stratified_shares_stay_exact_when_some_items_may_only_train():
    items = [f"item {n}" for n in range(100)]
    parts = Counter(assigned(items, PartShares(), labels=[0] * 100, permitted=[0b001] * 60 + [0b111] * 40))
    assert parts == {TRAIN: 80, VALIDATION: 10, TEST: 10}
    parts = assigned(items, PartShares(), labels=[0] * 100, permitted=[0b100] * 15 + [0b111] * 85)
    assert parts[:15] == [TEST] * 15, "what may only be tested is not lost when there is more of it than wanted"


@pytest.mark.parametrize(
    ("count", "shares", "expected"),
    [
        (10, (80, 10, 10), (8, 1, 1)),
        (1, (80, 10, 10), (1, 0, 0)),
        (5, (80, 10, 10), (4, 1, 0)),
        (7, (50, 50, 0), (4, 3, 0)),
        (0, (80, 10, 10), (0, 0, 0)),
    ],
)
def test_quotas_are_whole_numbers_that_add_up(count, shares, expected):
    assert quotas(count, PartShares(*shares)) == expected


def test_no_items_no_parts():
    assert assigned([], PartShares()) == []
    assert assigned([], PartShares(), labels=[]) == []


def test_uses_decide_which_parts_are_permitted():
    no_validation = UsageRules(prohibited=frozenset({Use.VALIDATION}))
    assert permitted_parts(ALL_USES, PartShares()) == 0b111
    assert permitted_parts(no_validation, PartShares()) == 0b101
    assert permitted_parts(ALL_USES, PartShares(90, 0, 10)) == 0b101, "a part without a share gets nothing"
    assert permitted_parts(UsageRules(allowed=frozenset({Use.EVALUATION})), PartShares()) == 0b100


@pytest.mark.parametrize("shares", [(80, 10, 5), (120, -10, -10), (0, 0, 0)])
def test_shares_that_are_not_the_whole_are_refused(shares):
    with pytest.raises(Invalid, match="cannot be the parts"):
        PartShares(*shares).checked()
