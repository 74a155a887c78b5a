"""The search for weak slices: count every combination, test it against all it is part of, keep what is new."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import combinations
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from workbench_core.slices.encoding import Levels, encode, encode_clusters
from workbench_core.slices.predicates import BoolArray, Operator, Predicate, joined_text
from workbench_core.slices.priority import GapSeverity, gap_severity
from workbench_core.slices.text import TextClusters, fit_text_clusters
from workbench_core.statistics import Interval, benjamini_hochberg, hypergeometric_tail, wilson

if TYPE_CHECKING:
    import pandas as pd

IntArray = npt.NDArray[np.int64]

MINIMUM_SUPPORT = 20
MINIMUM_FAILURES = 5
MINIMUM_RATE = 0.10
MINIMUM_LIFT = 1.5
FALSE_DISCOVERY_RATE = 0.05
NEAR_DUPLICATE = 0.8  # share of items in common from which two slices are one
MOST_SLICES = 20
_MOST_CANDIDATES = 200


@dataclass(frozen=True, slots=True)
class Slice:
    """A group of items that fails more often than the rest, with the evidence.

    `item_positions` are the rows of the searched frame that belong to it, failed or not.
    """

    predicate: Predicate
    support: int
    failures: int
    overall_rate: float
    interval: Interval
    p_value: float
    q_value: float
    item_positions: IntArray = field(compare=False, repr=False)

    @property
    def description(self) -> str:
        """Say in words what the items have in common."""
        return self.predicate.words

    @property
    def rate(self) -> float:
        """Give the share of the slice's items that failed."""
        return self.failures / self.support

    @property
    def excess(self) -> float:
        """Give the failures beyond what the overall rate would have brought: the score slices are ranked by."""
        return self.failures - self.overall_rate * self.support

    @property
    def severity(self) -> GapSeverity:
        """Grade the slice by its rate."""
        return gap_severity(self.rate)


def find_slices(
    frame: pd.DataFrame,
    failed: npt.ArrayLike,
    *,
    columns: Sequence[str],
    text: Sequence[str] = (),
    min_support: int = MINIMUM_SUPPORT,
    depth: int = 2,
    seed: int = 0,
) -> list[Slice]:
    """Find describable groups of items that fail too often, the most excess failures first, at most 20.

    `failed` says for each row whether it failed. Conditions: values of categorical `columns` (the top 20),
    fifths of numeric ones, missing values, and clusters of the `text` columns. A slice has at most `depth`
    (1 to 3) conditions, at least `min_support` items and 5 failures, a rate of at least 0.10 and 1.5 times
    the overall one (GA-F2), and q < 0.05 (Benjamini-Hochberg over all combinations with enough items). Its
    p-value is the largest of Fisher's one-sided tests against all items and against every slice with fewer
    of its conditions, so that a part of a weak slice is reported only when it is weaker still. Groups that
    others already explain are left out. Raises Invalid when a column is absent, ValueError when `failed`
    does not fit the frame.
    """
    failures = np.asarray(failed, dtype=bool)
    if failures.shape != (len(frame),):
        raise ValueError(f"{failures.size} results do not fit {len(frame)} items.")
    levels = encode(frame, columns, min_support=min_support)
    clusters = _clusters(frame, tuple(text), seed)
    if clusters is not None:
        levels.append(encode_clusters(frame, clusters))
    search = _Search(levels, failures, min_support, min(max(depth, 1), 3))
    return [search.slice(candidate, clusters) for candidate in search.run()]


@dataclass(frozen=True, slots=True)
class _Candidate:
    levels: frozenset[tuple[int, int]]  # (column number, code)
    support: int
    failures: int
    excess: float
    p_value: float
    q_value: float


@dataclass(frozen=True, slots=True)
class _Table:
    """Items and failures per cell of a combination of columns."""

    support: IntArray
    failures: IntArray


@dataclass(frozen=True, slots=True)
class _Search:
    levels: list[Levels]
    failed: BoolArray
    min_support: int
    depth: int

    def run(self) -> list[_Candidate]:
        """Give the slices worth reporting, best first."""
        if not self.failed.any():
            return []
        found = self._significant()[:_MOST_CANDIDATES]
        kept = [candidate for candidate in found if not self._explained_by_parts(candidate, found)]
        return self._distinct(kept)[:MOST_SLICES]

    def slice(self, candidate: _Candidate, clusters: TextClusters | None) -> Slice:
        """Turn a candidate into what callers see."""
        conditions = tuple(self.levels[column].conditions[code - 1] for column, code in sorted(candidate.levels))
        uses_text = any(condition.operator is Operator.IN_CLUSTER for condition in conditions)
        return Slice(
            predicate=Predicate(conditions, clusters if uses_text else None),
            support=candidate.support,
            failures=candidate.failures,
            overall_rate=float(self.failed.mean()),
            interval=wilson(candidate.failures, candidate.support),
            p_value=candidate.p_value,
            q_value=candidate.q_value,
            item_positions=np.flatnonzero(self._mask(candidate)),
        )

    def _significant(self) -> list[_Candidate]:
        batches = list(self._tested())
        p_values = np.concatenate([batch.p_values for batch in batches]) if batches else np.empty(0)
        q_values = benjamini_hochberg(p_values)
        starts = np.cumsum([0, *(batch.p_values.size for batch in batches)])
        found = [
            candidate
            for batch, start in zip(batches, starts, strict=False)
            for candidate in self._candidates(batch, q_values[start : start + batch.p_values.size])
        ]
        return sorted(found, key=lambda c: (-c.excess, len(c.levels), sorted(c.levels)))

    def _tested(self) -> Iterator[_Batch]:
        """Count and test every combination; one batch per set of columns."""
        whole = _Table(np.array(self.failed.size), np.array(self.failed.sum()))
        tables: dict[tuple[int, ...], _Table] = {(): whole}
        for size in range(1, min(self.depth, len(self.levels)) + 1):
            for columns in combinations(range(len(self.levels)), size):
                table = self._count(columns)
                if size < self.depth:
                    tables[columns] = table
                yield self._test(columns, table, tables)

    def _count(self, columns: tuple[int, ...]) -> _Table:
        sizes = [self.levels[column].size for column in columns]
        key = np.zeros(self.failed.size, dtype=np.int64)
        for column, size in zip(columns, sizes, strict=True):
            key = key * size + self.levels[column].codes
        cells = int(np.prod(sizes))
        support = np.bincount(key, minlength=cells).reshape(sizes)
        return _Table(support, np.bincount(key[self.failed], minlength=cells).reshape(sizes))

    def _test(self, columns: tuple[int, ...], table: _Table, tables: dict[tuple[int, ...], _Table]) -> _Batch:
        enough = table.support >= self.min_support
        for axis in range(len(columns)):
            enough[(slice(None),) * axis + (0,)] = False  # code 0 is no condition
        codes = np.argwhere(enough)
        support, failures = table.support[enough], table.failures[enough]
        p_values = np.ones(support.size)
        weak = np.flatnonzero(self._is_weak(support, failures))
        for subset in _proper_subsets(len(columns)):
            part = tables[tuple(columns[place] for place in subset)]
            cell = tuple(codes[weak, place] for place in subset)
            tail = hypergeometric_tail(failures[weak], support[weak], part.failures[cell], part.support[cell])
            p_values[weak] = tail if not subset else np.maximum(p_values[weak], tail)
            weak = weak[p_values[weak] < FALSE_DISCOVERY_RATE]  # the rest cannot reach q < 0.05 any more
        return _Batch(columns, codes, support, failures, p_values)

    def _candidates(self, batch: _Batch, q_values: npt.NDArray[np.float64]) -> list[_Candidate]:
        rate = float(self.failed.mean())
        return [
            _Candidate(
                levels=frozenset(zip(batch.columns, batch.codes[place].tolist(), strict=True)),
                support=int(batch.support[place]),
                failures=int(batch.failures[place]),
                excess=float(batch.failures[place] - rate * batch.support[place]),
                p_value=float(batch.p_values[place]),
                q_value=float(q_values[place]),
            )
            for place in np.flatnonzero(q_values < FALSE_DISCOVERY_RATE)
        ]

    def _is_weak(self, support: IntArray, failures: IntArray) -> BoolArray:
        rate = failures / np.maximum(support, 1)
        floor = max(MINIMUM_RATE, MINIMUM_LIFT * float(self.failed.mean()))
        weak: BoolArray = (failures >= MINIMUM_FAILURES) & (rate >= floor)
        return weak

    def _explained_by_parts(self, whole: _Candidate, found: Sequence[_Candidate]) -> bool:
        """Say whether a slice is weak only because of narrower weak slices inside it."""
        parts = [
            part for part in found if whole.levels < part.levels and part.support <= NEAR_DUPLICATE * whole.support
        ]
        return bool(parts) and not self._still_weak(self._mask(whole) & ~self._union(parts))

    def _distinct(self, found: Sequence[_Candidate]) -> list[_Candidate]:
        """Keep what still is weak outside the better slices; of two slices that are nearly one, the simpler."""
        chosen: list[_Candidate] = []
        for candidate in found:
            members = self._mask(candidate)
            others = [other for other in chosen if not other.levels < candidate.levels]
            twin = self._twin(members, others)
            if twin is not None and len(candidate.levels) < len(twin.levels):
                chosen[chosen.index(twin)] = candidate
            elif twin is None and self._still_weak(members & ~self._union(others)):
                chosen.append(candidate)
        return sorted(chosen, key=lambda c: -c.excess)

    def _twin(self, members: BoolArray, others: Sequence[_Candidate]) -> _Candidate | None:
        return next((other for other in others if _overlap(members, self._mask(other)) > NEAR_DUPLICATE), None)

    def _still_weak(self, members: BoolArray) -> bool:
        support, failures = np.array([members.sum()]), np.array([(members & self.failed).sum()])
        if not self._is_weak(support, failures)[0]:
            return False
        tail = hypergeometric_tail(failures, support, np.array([self.failed.sum()]), np.array([self.failed.size]))
        return bool(tail[0] < FALSE_DISCOVERY_RATE)

    def _mask(self, candidate: _Candidate) -> BoolArray:
        members = np.ones(self.failed.size, dtype=bool)
        for column, code in candidate.levels:
            members &= self.levels[column].codes == code
        return members

    def _union(self, candidates: Sequence[_Candidate]) -> BoolArray:
        members = np.zeros(self.failed.size, dtype=bool)
        for candidate in candidates:
            members |= self._mask(candidate)
        return members


@dataclass(frozen=True, slots=True)
class _Batch:
    """All tested cells of one set of columns; p is 1 where a cell is not weak."""

    columns: tuple[int, ...]
    codes: IntArray
    support: IntArray
    failures: IntArray
    p_values: npt.NDArray[np.float64]


def _clusters(frame: pd.DataFrame, text: tuple[str, ...], seed: int) -> TextClusters | None:
    if not text:
        return None
    return fit_text_clusters(joined_text(frame, text), columns=text, seed=seed)


def _proper_subsets(size: int) -> Iterator[tuple[int, ...]]:
    """Give the empty subset first."""
    for smaller in range(size):
        yield from combinations(range(size), smaller)


def _overlap(first: BoolArray, second: BoolArray) -> float:
    """Give the Jaccard index: common items over all items of both."""
    either = int((first | second).sum())
    return int((first & second).sum()) / either if either else 0.0
