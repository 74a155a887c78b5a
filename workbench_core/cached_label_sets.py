"""The cached reads of label sets: what stands on them, counted over all labels."""

from __future__ import annotations

from collections.abc import Mapping

from workbench_core import cached
from workbench_core.label_sets import LabelSetStats, UsedBy

_STANDING = ("label_sets", "canonical_labels", "sheets", "training_sheets", "prompt_templates", "labeling_tasks")


@cached.reads(*_STANDING)
def stats(revisions: tuple[int, ...], label_set_id: str) -> LabelSetStats:
    """What stands on the label type of a set, and its labels by class."""
    return cached.workbench().label_sets.stats(label_set_id)


@cached.reads(*_STANDING)
def used_in(revisions: tuple[int, ...], label_set_id: str) -> list[UsedBy]:
    """Templates, training sheets, labelling tasks and sheets of the label type of a set."""
    return cached.workbench().label_sets.used_in(label_set_id)


@cached.reads(*_STANDING)
def dependants(revisions: tuple[int, ...], label_set_id: str) -> str:
    """What keeps a version from being deleted."""
    return cached.workbench().label_sets.dependants(label_set_id)


@cached.reads("canonical_labels")
def label_counts(revisions: tuple[int, ...], label_types: tuple[str, ...]) -> Mapping[str, int]:
    """How many canonical labels there are of each of these types."""
    return cached.workbench().label_sets.label_counts(label_types)


@cached.reads("canonical_labels")
def count_labels(revisions: tuple[int, ...], label_set_id: str, search: str = "") -> int:
    """How many labels of its type a search of a set finds."""
    return cached.workbench().label_sets.count_labels(label_set_id, search=search)
