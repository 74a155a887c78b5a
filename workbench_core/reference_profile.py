"""What a served version expects: the distribution of inputs and answers in its training data, for drift (DR-2)."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

import numpy as np

from workbench_core.ports import Json, TrainingExample
from workbench_core.slices import TextClusters, fit_text_clusters
from workbench_core.statistics import Counts, Profile, counts_against, profile_categories, profile_numeric

ANSWER = "answer"
TOPIC = "topic of the input"
MINIMUM_FOR_TOPICS = 50


def reference_profile(examples: Sequence[TrainingExample], *, answer_kind: str) -> dict[str, Json]:
    """Profiles of the training inputs and answers, as JSON.

    Features: the length in characters of every variable, the topic of the whole text (clusters fitted on the training
    texts, from 50 examples on), and for class answers the class, otherwise the answer's length.
    """
    records = [example.variables for example in examples]
    names = list(records[0]) if records else []
    features = {name: profile_numeric(values) for name, values in _lengths(records, names).items()}
    answers = [example.answer for example in examples]
    features[ANSWER] = profile_categories(answers) if answer_kind == "label" else profile_numeric(_sizes(answers))
    clusters = _topics(records, names)
    if clusters is not None:
        features[TOPIC] = profile_categories(_topic_names(clusters, records, names))
    return {
        "answer_kind": answer_kind,
        "variables": list(names),
        "features": {name: json.loads(profile.to_json()) for name, profile in features.items()},
        "topics": json.loads(clusters.to_json()) if clusters is not None else None,
    }


def profile_features(
    reference: Mapping[str, Json], records: Sequence[Mapping[str, str]], answers: Sequence[str]
) -> dict[str, tuple[Profile, Counts]]:
    """Count recent requests in the bins of the reference: feature -> (profile, counts).

    `records` and `answers` belong together; fields that the version was not trained on do not count, and a missing
    one counts as empty.
    """
    stored, variables = reference.get("features"), reference.get("variables")
    assert isinstance(stored, dict)
    assert isinstance(variables, list)
    names = [str(name) for name in variables]
    profiles = {name: Profile.from_json(json.dumps(value)) for name, value in stored.items()}
    current: dict[str, Sequence[object]] = dict(_lengths(records, names))
    current[ANSWER] = list(answers) if reference.get("answer_kind") == "label" else _sizes(answers)
    if topics := reference.get("topics"):
        current[TOPIC] = _topic_names(TextClusters.from_json(json.dumps(topics)), records, names)
    return {
        name: (profile, counts_against(profile, current[name])) for name, profile in profiles.items() if name in current
    }


def _lengths(records: Sequence[Mapping[str, str]], names: Sequence[str]) -> dict[str, list[float]]:
    return {f"length of {name}": _sizes([record.get(name, "") for record in records]) for name in names}


def _sizes(texts: Sequence[str]) -> list[float]:
    return [float(len(text)) for text in texts]


def _texts(records: Sequence[Mapping[str, str]], names: Sequence[str]) -> list[str]:
    return ["\n".join(record.get(name, "") for name in names) for record in records]


def _topics(records: Sequence[Mapping[str, str]], names: Sequence[str]) -> TextClusters | None:
    if len(records) < MINIMUM_FOR_TOPICS:
        return None
    return fit_text_clusters(_texts(records, names), columns=names)


def _topic_names(clusters: TextClusters, records: Sequence[Mapping[str, str]], names: Sequence[str]) -> list[object]:
    assigned = np.asarray(clusters.assign(_texts(records, names)))
    return [clusters.names[number] if number >= 0 else "none of them" for number in assigned]
