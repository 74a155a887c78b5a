"""The reference profile: what a version expects, and how recent requests are counted against it."""

from __future__ import annotations

import itertools
import json

import pytest

from workbench_core.ports import Message, TrainingExample
from workbench_core.reference_profile import ANSWER, TOPIC, profile_features, reference_profile
from workbench_core.statistics import FeatureKind


def texts_of(words: str) -> list[str]:
    """Seventy different texts of four of these words."""
    chosen = list(itertools.combinations(words.split(), 4))
    return [" ".join(chosen[n]) for n in range(0, 210, 3)]


FREIGHT = texts_of("freight container harbour customs crane ship papers pallet truck depot")
MUSIC = texts_of("concert guitar drummer encore melody stage rehearsal singer album chorus")


def example(number: int, text: str, answer: str) -> TrainingExample:
    variables = {"subject": f"Message {number}", "body": text}
    return TrainingExample(f"pair-{number}", f"item-{number}", variables, (Message("user", text),), answer)


@pytest.fixture(scope="module")
def examples():
    return [example(n, text, "logistics" if n < 70 else "culture") for n, text in enumerate([*FREIGHT, *MUSIC])]


@pytest.fixture(scope="module")
def reference(examples):
    return reference_profile(examples, answer_kind="label")


def test_it_holds_lengths_answers_and_topics_and_survives_json(reference):
    stored = json.loads(json.dumps(reference))
    assert set(stored["features"]) == {"length of subject", "length of body", ANSWER, TOPIC}
    assert stored == reference
    answers = stored["features"][ANSWER]
    assert dict(zip(answers["categories"], answers["cells"], strict=False)) == {"culture": 70, "logistics": 70}


def test_answers_that_are_no_classes_are_profiled_by_their_length(examples):
    stored = reference_profile(examples, answer_kind="text")
    assert stored["features"][ANSWER]["kind"] == FeatureKind.NUMERIC


def test_under_fifty_examples_there_are_no_topics(examples):
    stored = reference_profile(examples[:49], answer_kind="label")
    assert TOPIC not in stored["features"]
    assert stored["topics"] is None


def test_the_training_data_counted_again_give_the_reference(examples, reference):
    records, answers = [one.variables for one in examples], [one.answer for one in examples]
    for name, (profile, counts) in profile_features(reference, records, answers).items():
        assert counts.cells == profile.reference.cells, name


def messages(texts) -> list[dict[str, str]]:
    """Forty requests with these texts in turn."""
    return [{"subject": "Message 1", "body": texts[n]} for n in range(40)]


def topics(features) -> set[str]:
    """The topics that occur."""
    profile, counts = features[TOPIC]
    return {name for name, count in zip(profile.cell_names, counts.cells, strict=True) if count}


def test_requests_of_one_topic_only_show_in_topic_and_answer(reference):
    features = profile_features(reference, messages(MUSIC), ["culture"] * 40)
    freight = profile_features(reference, messages(FREIGHT), ["logistics"] * 40)
    assert features[TOPIC][1].n == 40
    assert topics(features)
    assert not topics(features) & topics(freight)
    profile, counts = features[ANSWER]
    assert dict(zip(profile.categories, counts.cells, strict=False)) == {"culture": 40, "logistics": 0}


def test_an_answer_that_was_never_taught_is_new(reference):
    profile, counts = profile_features(reference, [{"subject": "a", "body": "b"}], ["sport"])[ANSWER]
    assert counts.cells[profile.cell_names.index("new")] == 1


def test_fields_the_version_does_not_know_do_not_count_and_missing_ones_are_empty(reference):
    records = [{"body": MUSIC[0], "sender": FREIGHT[0] * 9}, {"subject": "Message 2", "body": MUSIC[0]}]
    features = profile_features(reference, records, ["culture", "culture"])
    assert "length of sender" not in features
    _, counts = features["length of subject"]
    assert counts.n == 2
    assert counts.cells[0] == 1, "the missing subject is shorter than any of the reference"
    assert len(topics(features)) == 1, "the sender says nothing about the topic"


def test_no_requests_give_empty_counts(reference):
    assert {counts.n for _, counts in profile_features(reference, [], []).values()} == {0}
