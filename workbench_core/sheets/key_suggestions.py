"""Which columns of two tables may be the keys of a join: by type, by name, then by the values they share (JN-1)."""

from __future__ import annotations

import heapq
import logging
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from itertools import product

from workbench_core.errors import Invalid
from workbench_core.ports import Column, KeyComparison, Lake

log = logging.getLogger(__name__)

ID_LIKE = re.compile(r"_(?:id|key|code|ref|num|no)$")
SIMILAR = 0.75  # ratio of difflib above which two names resemble each other
IDENTICAL_NAME, SAME_STEM, SIMILAR_STEM, SIMILAR_NAME, ID_LIKE_BONUS = 0.95, 0.85, 0.70, 0.60, 0.05
COMPARED = 5  # pairs of columns whose values are looked at
NAME_WEIGHT, VALUE_WEIGHT = 0.6, 0.4
UNEQUAL_SIZES = 2.0  # from this ratio of distinct values on, containment says more than overlap
MOST_RESEMBLED = 200  # columns of each side whose names are searched for a mere resemblance
_FLOATS = ("DOUBLE", "FLOAT", "REAL")


@dataclass(frozen=True, slots=True)
class NameScore:
    """How alike two column names are, 0 to 1, and why; a value of 0 means that they are not."""

    value: float
    reason: str = ""


@dataclass(frozen=True, slots=True)
class KeySuggestion:
    """Two columns that may be keys. `final` is 0.6 * name score + 0.4 * share of values, as `reason` says."""

    left: str
    right: str
    left_type: str
    right_type: str
    name_score: float
    overlap: float
    containment: float
    cardinality: str
    final: float
    reason: str


@dataclass(frozen=True, slots=True)
class _Candidate:
    left: Column
    right: Column
    score: NameScore


def name_score(left: str, right: str) -> NameScore:
    """Compare two column names as JN-1 does, without regard to case.

    Identical 0.95; the same stem once an ending _id, _key, _code, _ref, _num or _no is gone 0.85; stems whose
    difflib ratio is above 0.75 0.70; whole names above it 0.60; else 0. An id-like ending on either side adds
    0.05, up to 1.
    """
    one, other = left.casefold(), right.casefold()
    stems = ID_LIKE.sub("", one), ID_LIKE.sub("", other)
    if one == other:
        found = NameScore(IDENTICAL_NAME, "exact name")
    elif stems[0] == stems[1]:
        found = NameScore(SAME_STEM, "same stem")
    elif _ratio(*stems) > SIMILAR:
        found = NameScore(SIMILAR_STEM, "similar stem")
    elif _ratio(one, other) > SIMILAR:
        found = NameScore(SIMILAR_NAME, "similar name")
    else:
        return NameScore(0.0)
    if ID_LIKE.search(one) or ID_LIKE.search(other):
        return NameScore(round(min(1.0, found.value + ID_LIKE_BONUS), 4), found.reason)
    return found


def types_fit(left: Column, right: Column) -> bool:
    """Whether values of two columns can be equal: the same group, a number with a number, a text with anything."""
    groups = {_group(left), _group(right)}
    return "" not in groups and (len(groups) == 1 or "string" in groups or groups == {"numeric", "float"})


def suggest(lake: Lake, left: str, right: str, *, sample: int) -> list[KeySuggestion]:
    """Pairs of columns that may join two tables, the best first; values are compared on `sample` distinct ones.

    The five best names are compared by value. Where one side has at least twice as many distinct values as the
    other, the share of the left values that are found on the right (containment) stands for the overlap of both
    samples. Raises NotFound for a table.
    """
    candidates = best_names(lake.columns(left), lake.columns(right))
    found = (_compared(lake, left, right, candidate, sample=sample) for candidate in candidates)
    return sorted(filter(None, found), key=lambda one: (-one.final, one.left, one.right))


def best_names(left: Sequence[Column], right: Sequence[Column]) -> list[_Candidate]:
    """The pairs of columns with the best name scores, at most five, in the order of the columns where equal.

    When five pairs have the same name or stem no other can be better; only then are names left unsearched, and beyond
    the first 200 columns of each side.
    """
    named = list(_same_stems(left, right))
    if len(named) < COMPARED:
        known = {(one.left.name, one.right.name) for one in named}
        pairs = product(left[:MOST_RESEMBLED], right[:MOST_RESEMBLED])
        named += (one for one in _scored(pairs) if (one.left.name, one.right.name) not in known)
    return heapq.nsmallest(COMPARED, named, key=lambda one: -one.score.value)


def _same_stems(left: Sequence[Column], right: Sequence[Column]) -> Iterator[_Candidate]:
    by_stem: dict[str, list[Column]] = {}
    for column in right:
        by_stem.setdefault(_stem(column), []).append(column)
    yield from _scored((one, other) for one in left for other in by_stem.get(_stem(one), ()))


def _scored(pairs: Iterator[tuple[Column, Column]]) -> Iterator[_Candidate]:
    for left, right in pairs:
        if types_fit(left, right) and (score := name_score(left.name, right.name)).value:
            yield _Candidate(left, right, score)


def _compared(lake: Lake, left: str, right: str, candidate: _Candidate, *, sample: int) -> KeySuggestion | None:
    try:
        values = lake.compare_keys(left, candidate.left.name, right, candidate.right.name, sample=sample)
    except Invalid as error:  # a text that is no number: these two cannot be keys, others still can
        log.info("no key: %s", error.message)
        return None
    share, words = _share(values)
    return KeySuggestion(
        left=candidate.left.name,
        right=candidate.right.name,
        left_type=candidate.left.data_type,
        right_type=candidate.right.data_type,
        name_score=candidate.score.value,
        overlap=values.overlap,
        containment=values.containment,
        cardinality=values.cardinality,
        final=round(NAME_WEIGHT * candidate.score.value + VALUE_WEIGHT * share, 4),
        reason=f"{candidate.score.reason}, {words}",
    )


def _share(values: KeyComparison) -> tuple[float, str]:
    """The share that counts, and its words."""
    fewer, more = sorted((values.left_values, values.right_values))
    if more >= UNEQUAL_SIZES * fewer:
        sizes = f"{values.left_values:,} and {values.right_values:,} distinct values"
        return values.containment, f"{values.containment:.0%} of the left values are found on the right ({sizes})"
    return values.overlap, f"{values.overlap:.0%} of all values are on both sides"


def _stem(column: Column) -> str:
    return ID_LIKE.sub("", column.name.casefold())


def _ratio(left: str, right: str) -> float:
    matcher = SequenceMatcher(None, left, right)
    return matcher.ratio() if matcher.real_quick_ratio() > SIMILAR and matcher.quick_ratio() > SIMILAR else 0.0


def _group(column: Column) -> str:
    """The type group of JN-1; empty for what cannot be a key."""
    if column.kind == "number":
        return "float" if column.data_type.upper().startswith(_FLOATS) else "numeric"
    return column.kind if column.kind in {"string", "time", "boolean"} else ""
