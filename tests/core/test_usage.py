"""Usage governance: presets, combination, and that prohibition wins."""

from __future__ import annotations

import pytest

from workbench_core import usage
from workbench_core.errors import Invalid
from workbench_core.usage import ALL_USES, PRESETS, Classification, UsageRules, Use


def test_inv_6_prohibition_wins():
    rules = UsageRules(prohibited=frozenset({Use.TRAINING}))
    assert not rules.permits(Use.TRAINING)
    assert rules.permits(Use.EVALUATION)


def test_the_most_restrictive_of_both_wins():
    left = UsageRules(frozenset({Use.TRAINING, Use.EVALUATION}), frozenset(), Classification.CONFIDENTIAL, "NDA")
    right = UsageRules(frozenset(Use), frozenset({Use.EVALUATION}), Classification.PUBLIC, "test set")
    both = left.combine(right)
    assert both == right.combine(left) or both.reason == "NDA; test set"
    assert both.allowed == {Use.TRAINING, Use.EVALUATION}
    assert both.prohibited == {Use.EVALUATION}
    assert both.classification is Classification.CONFIDENTIAL
    assert left.combine(ALL_USES).combine(left).reason == "NDA"


@pytest.mark.parametrize(
    ("name", "training", "evaluation", "few_shot"),
    [
        ("all", True, True, True),
        ("personal_data", False, True, True),
        ("synthetic", True, True, True),
        ("client_data", True, False, False),
        ("held_out", False, True, False),
    ],
)
def test_the_presets_of_the_specification(name, training, evaluation, few_shot):
    rules = usage.preset(name)
    assert (rules.permits(Use.TRAINING), rules.permits(Use.EVALUATION), rules.permits(Use.FEW_SHOT)) == (
        training,
        evaluation,
        few_shot,
    )
    assert not rules.allowed & rules.prohibited
    assert len(PRESETS) == 5


def test_tags_of_the_source_impose_rules():
    assert not usage.from_tags(["pii"]).permits(Use.TRAINING)
    assert usage.from_tags(["PHI"]).classification is Classification.RESTRICTED
    confidential = usage.from_tags([" Confidential "])
    assert confidential.permits(Use.TRAINING)
    assert not confidential.permits(Use.EVALUATION)
    assert usage.from_tags(["anything"]) == ALL_USES


def test_an_overlap_is_refused_by_name():
    with pytest.raises(Invalid, match="training cannot be both"):
        usage.checked(["training", "testing"], ["training"], "internal", "x")
    with pytest.raises(Invalid, match="not known"):
        usage.checked(["selling"], [], "internal", "x")


def test_rules_come_back_from_their_columns():
    rules = usage.preset("client_data")
    assert usage.from_row(dict(rules.columns())) == rules


@pytest.mark.parametrize(
    ("rules", "words"),
    [
        (ALL_USES, "All uses allowed"),
        (usage.preset("personal_data"), "Training prohibited: personal data"),
        (usage.preset("client_data"), "2 uses allowed"),
    ],
)
def test_the_words_of_the_badge(rules, words):
    assert rules.summary() == words
