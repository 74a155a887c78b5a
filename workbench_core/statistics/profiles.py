"""Feature profiles: what a feature looked like at reference time, small enough to store with a version."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from workbench_core.statistics.proportions import FloatArray

if TYPE_CHECKING:
    import pandas as pd

TOP_CATEGORIES = 19
_REMEMBERED_CATEGORIES = 5_000


class FeatureKind(StrEnum):
    """How a feature is counted."""

    NUMERIC = "numeric"
    CATEGORICAL = "categorical"
    RATE = "rate"


@dataclass(frozen=True, slots=True)
class Counts:
    """Rows per cell of a profile. Counts of hours add up to the counts of a day."""

    cells: tuple[int, ...]
    total: float = 0.0  # sum of the finite values of a numeric feature, so that means add up too

    @property
    def n(self) -> int:
        """Count the rows."""
        return sum(self.cells)

    def __add__(self, other: Counts) -> Counts:
        if len(self.cells) != len(other.cells):
            raise ValueError("Counts of different profiles cannot be added.")
        cells = tuple(mine + theirs for mine, theirs in zip(self.cells, other.cells, strict=True))
        return Counts(cells, self.total + other.total)


@dataclass(frozen=True, slots=True)
class Profile:
    """The cells of a feature and how many reference rows fell into each.

    Numeric cells: below the reference range, one per bin (left edge included), above the range, missing.
    Categorical cells: the top categories, other known ones, new ones, missing. Rate cells: no, yes.
    """

    kind: FeatureKind
    reference: Counts
    edges: tuple[float, ...] = ()
    categories: tuple[str, ...] = ()
    others: tuple[str, ...] | None = ()  # None: too many to remember, so that new ones cannot be told apart

    @property
    def n(self) -> int:
        """Count the reference rows."""
        return self.reference.n

    @property
    def cell_names(self) -> tuple[str, ...]:
        """Name every cell in words."""
        if self.kind is FeatureKind.RATE:
            return ("no", "yes")
        if self.kind is FeatureKind.CATEGORICAL:
            return (*self.categories, "other", "new", "missing")
        if not self.edges:
            return ("below", "above", "missing")
        ranges = (f"{low:g} to {high:g}" for low, high in zip(self.edges, self.edges[1:], strict=False))
        return (f"below {self.edges[0]:g}", *ranges, f"above {self.edges[-1]:g}", "missing")

    def to_json(self) -> str:
        """Write the profile as JSON text."""
        return json.dumps(
            {
                "kind": self.kind,
                "cells": self.reference.cells,
                "total": self.reference.total,
                "edges": self.edges,
                "categories": self.categories,
                "others": self.others,
            }
        )

    @staticmethod
    def from_json(text: str) -> Profile:
        """Read what `to_json` wrote."""
        stored = json.loads(text)
        return Profile(
            kind=FeatureKind(stored["kind"]),
            reference=Counts(tuple(stored["cells"]), stored["total"]),
            edges=tuple(stored["edges"]),
            categories=tuple(stored["categories"]),
            others=None if stored["others"] is None else tuple(stored["others"]),
        )


def profile_numeric(values: npt.ArrayLike, *, bins: int = 10) -> Profile:
    """Profile numbers (nan is missing) in bins of equal share; a value that fills a bin gets its own."""
    numbers = np.asarray(values, dtype=np.float64)
    edges = _quantile_edges(numbers[np.isfinite(numbers)], bins)
    empty = Profile(FeatureKind.NUMERIC, Counts(()), edges=edges)
    return replace(empty, reference=counts_against(empty, numbers))


def profile_categories(values: Iterable[object], *, top: int = TOP_CATEGORIES) -> Profile:
    """Profile categories (None is missing): the most frequent ones, and which others are known."""
    texts = _texts(values)
    frequency = texts.value_counts()
    ordered = sorted(zip(frequency.index, frequency.to_numpy(), strict=True), key=lambda pair: (-pair[1], pair[0]))
    head, tail = ordered[:top], ordered[top:]
    remembered = len(tail) <= _REMEMBERED_CATEGORIES
    rest = sum(int(count) for _, count in tail)
    cells = (*(int(count) for _, count in head), rest, 0, int(texts.isna().sum()))
    return Profile(
        FeatureKind.CATEGORICAL,
        Counts(cells),
        categories=tuple(name for name, _ in head),
        others=tuple(name for name, _ in tail) if remembered else None,
    )


def profile_rate(successes: int, n: int) -> Profile:
    """Profile a rate, such as errors among requests."""
    return Profile(FeatureKind.RATE, rate_counts(successes, n))


def rate_counts(successes: int, n: int) -> Counts:
    """Count a window of a rate. Raises ValueError when successes do not lie in 0..n."""
    if not 0 <= successes <= n:
        raise ValueError(f"{successes} of {n} is not a rate.")
    return Counts((n - successes, successes))


def counts_against(profile: Profile, values: Sequence[object] | npt.ArrayLike) -> Counts:
    """Count a window's values in the cells of a profile, in one pass. A rate takes true and false values."""
    if profile.kind is FeatureKind.CATEGORICAL:
        return _category_counts(profile, np.asarray(values, dtype=object))
    numbers = np.asarray(values, dtype=np.float64)
    if profile.kind is FeatureKind.RATE:
        return rate_counts(int(np.count_nonzero(numbers)), numbers.size)
    return _numeric_counts(profile.edges, numbers)


def _numeric_counts(edges: tuple[float, ...], numbers: FloatArray) -> Counts:
    missing = np.isnan(numbers)
    present = numbers[~missing]
    if not edges:  # a reference without a single number
        return Counts((0, present.size, int(missing.sum())), _finite_sum(present))
    inner = np.asarray(edges[1:-1])
    cell = 1 + np.searchsorted(inner, present, side="right")
    cell[present < edges[0]] = 0
    cell[present > edges[-1]] = len(edges)
    counts = np.bincount(cell, minlength=len(edges) + 1)
    return Counts((*counts.tolist(), int(missing.sum())), _finite_sum(present))


def _category_counts(profile: Profile, values: npt.NDArray[np.object_]) -> Counts:
    import pandas as pd

    frequency = _texts(values).value_counts(dropna=False)
    top, others = dict.fromkeys(profile.categories, 0), set(profile.others or ())
    totals = {"other": 0, "new": 0, "missing": 0}
    for name, count in zip(frequency.index, frequency.to_numpy(), strict=True):
        if pd.isna(name):
            totals["missing"] += int(count)
        elif name in top:
            top[name] = int(count)
        else:
            totals["other" if profile.others is None or name in others else "new"] += int(count)
    return Counts((*top.values(), *totals.values()))


def _quantile_edges(finite: FloatArray, bins: int) -> tuple[float, ...]:
    """Cut at quantiles; a value that spans several of them is cut out on both sides, like a category."""
    if finite.size == 0:
        return ()
    quantiles = np.quantile(finite, np.linspace(0, 1, bins + 1), method="lower")
    cuts, spans = np.unique(quantiles, return_counts=True)
    frequent = cuts[spans > 1]
    inner = np.unique(np.concatenate([cuts, np.nextafter(frequent, np.inf)]))
    low, high = float(finite.min()), float(finite.max())
    inner = inner[(inner > low) & (inner <= high)]
    if high not in frequent:
        inner = inner[inner < high]
    return (low, *inner.tolist(), high)


def _texts(values: Iterable[object]) -> pd.Series[str]:
    import pandas as pd

    series = pd.Series(values if isinstance(values, np.ndarray) else list(values), dtype=object)
    return series.where(series.isna(), series.astype(str))


def _finite_sum(numbers: FloatArray) -> float:
    return float(numbers[np.isfinite(numbers)].sum())
