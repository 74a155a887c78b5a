"""The items that a generation would work through, read once and counted: which, with which labels and answers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence, Set
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, TypeVar

from workbench_core.ports import Lake, Selection
from workbench_core.prompt_rendering import texts_of
from workbench_core.training_sheets.items import HELD_OUT
from workbench_core.usage import ALL_USES, UsageRules, Use

if TYPE_CHECKING:
    import pandas as pd

BATCH = 20_000  # rows of one batch of identifiers

Entry = TypeVar("Entry")


@dataclass(frozen=True, slots=True)
class SelectedItems:
    """The identifiers up to the row limit in their order, the rows above it, and those that were set aside.

    `answered` are the items whose answer column has a value.
    """

    refs: tuple[str, ...] = ()
    left_out: int = 0
    quarantined: int = 0
    answered: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which items to read: `aside` are set aside, and taken only when the request `includes_aside`."""

    limit: int
    answer_column: str = ""
    aside: frozenset[str] = frozenset()
    includes_aside: bool = False


def read_selected(lake: Lake, selection: Selection, wanted: Wanted) -> SelectedItems:
    """Read the identifiers, and whether the answer column has a value, in one stream that ends at the limit.

    Only when rows are left behind the limit they are counted by two more statements.
    """
    refs: list[str] = []
    answered: set[str] = set()
    seen_aside = 0
    column = wanted.answer_column or selection.item_id_column
    for frame in lake.batches(selection, columns=(column,), size=BATCH):
        found = frame["item_ref"].astype(str).tolist()
        if wanted.answer_column:
            answered |= _with_value(found, frame[wanted.answer_column])
        seen_aside += sum(ref in wanted.aside for ref in found) if wanted.aside else 0
        skipped = frozenset() if wanted.includes_aside else wanted.aside
        refs += [ref for ref in found if ref not in skipped] if skipped else found
        if len(refs) > wanted.limit:
            return _cut(lake, selection, wanted, refs[: wanted.limit], answered)
    return SelectedItems(tuple(refs), 0, seen_aside, frozenset(answered))


def spread(entries: Sequence[Entry], count: int) -> list[Entry]:
    """At most so many of the entries, evenly over all of them."""
    if len(entries) <= count:
        return list(entries)
    return [entries[number * len(entries) // count] for number in range(count)]


def barred_from_training(
    refs: Collection[str], labels: Mapping[str, UsageRules], held_out: Set[str], shared: UsageRules
) -> dict[str, int]:
    """Why pairs of these items could not be used for training, the most frequent reason first, with their number.

    The most restrictive wins (1.6): `shared` rules of source and template, those of the item's label, the held-out set.
    """
    combinations = Counter((labels.get(ref, ALL_USES), ref in held_out) for ref in refs)
    barred: Counter[str] = Counter()
    for (rules_of_label, is_held_out), pairs in combinations.items():
        rules = shared if rules_of_label == ALL_USES else shared.combine(rules_of_label)
        rules = rules.combine(HELD_OUT) if is_held_out else rules
        if not rules.permits(Use.TRAINING):
            barred[rules.reason or "training is not allowed"] += pairs
    return dict(barred.most_common())


def _cut(lake: Lake, selection: Selection, wanted: Wanted, refs: Sequence[str], answered: Set[str]) -> SelectedItems:
    aside = sorted(wanted.aside)
    if selection.item_refs is not None:
        aside = [ref for ref in aside if ref in set(selection.item_refs)]
    quarantined = lake.count(replace(selection, item_refs=tuple(aside))) if aside else 0
    every = lake.count(selection) - (0 if wanted.includes_aside else quarantined)
    return SelectedItems(tuple(refs), every - len(refs), quarantined, frozenset(answered).intersection(refs))


def _with_value(refs: Sequence[str], column: pd.Series) -> set[str]:
    """The items whose value is not blank as a prompt would show it."""
    return {ref for ref, text in zip(refs, texts_of(column.tolist()), strict=True) if text.strip()}
