"""The gates of governance in words: which reason counts, and that prohibition wins (INV-5, INV-6)."""

from __future__ import annotations

import pytest

from workbench_core import usage
from workbench_core.eligibility import Excluded, exclusion_reason, flag_reason, most_frequent, source_reason
from workbench_core.training_gate import GatePair, Shares, decide_gate
from workbench_core.usage import ALL_USES, UsageRules, Use

PHI = usage.from_tags(["PHI"])
BOTH = UsageRules(prohibited=frozenset(Use))
ONLY_TEST = UsageRules(allowed=frozenset({Use.EVALUATION}))


@pytest.mark.parametrize(
    ("status", "answer", "rules", "score", "minimum", "reason"),
    [
        ("approved", "spam", ALL_USES, None, 0.0, ""),
        ("edited", "spam", ALL_USES, 0.9, 0.7, ""),
        ("approved", "spam", ALL_USES, 0.7, 0.7, ""),
        ("pending", "", PHI, None, 0.7, "not reviewed yet"),
        ("rejected", "spam", ALL_USES, None, 0.0, "rejected"),
        ("flagged", "spam", ALL_USES, None, 0.0, "flagged"),
        ("approved", "spam", PHI, None, 0.0, "training prohibited: source tagged PHI"),
        ("approved", "spam", BOTH, None, 0.0, "training prohibited"),
        ("approved", "spam", ONLY_TEST, None, 0.0, "training not among the allowed uses"),
        ("approved", " \n\u2003", ALL_USES, None, 0.0, "empty answer"),
        ("approved", "spam", ALL_USES, 0.69, 0.7, "quality score below 0.7"),
        ("approved", "spam", ALL_USES, None, 0.7, "no quality score"),
    ],
)
def test_the_first_reason_that_fits_counts(status, answer, rules, score, minimum, reason):
    assert exclusion_reason(status, answer, rules, score, use=Use.TRAINING, minimum_score=minimum) == reason


def test_another_use_is_called_by_its_name():
    rules = usage.preset("client_data")
    assert exclusion_reason("approved", "a", rules, None, use=Use.TRAINING) == ""
    found = exclusion_reason("approved", "a", rules, None, use=Use.FEW_SHOT)
    assert found == "few shot prohibited: client data under NDA"


def test_the_gate_of_training_says_the_same_words():
    for rules in (PHI, BOTH, ONLY_TEST, ALL_USES):
        for status, answer in (("approved", "a"), ("approved", " "), ("flagged", "a"), ("pending", "")):
            pair = GatePair("p", "i", status, answer, "question", rules, 1)
            placed = decide_gate([pair], Shares(), seed=1).placed[0]
            assert placed.reason == exclusion_reason(status, answer, rules, None, use=Use.TRAINING)


def test_flags_and_sources():
    assert flag_reason(["pii", "toxic"]) == "marked as pii"
    assert flag_reason([]) == ""
    assert source_reason("ai_generated", {"canonical"}) == "answer source not chosen: ai generated"
    assert source_reason("canonical", {"canonical"}) == ""


def test_reasons_stand_in_the_order_of_their_counts():
    assert most_frequent({"b": 2, "c": 9, "a": 2}) == (Excluded("c", 9), Excluded("a", 2), Excluded("b", 2))
