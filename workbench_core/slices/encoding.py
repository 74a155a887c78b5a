"""Levels: every column as small numbers, one per condition that a slice may use."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from workbench_core.slices.predicates import Condition, Operator, column_of, comparable, joined_text, plain_scalar
from workbench_core.slices.text import CLUSTER_COLUMN, TextClusters

if TYPE_CHECKING:
    import pandas as pd

NUMERIC_BINS = 5
TOP_VALUES = 20
_FEW_VALUES = 6  # numbers with no more distinct values than this are categories

Codes = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Levels:
    """A column as codes: 0 is no condition (a rare value), n is the n-th condition."""

    codes: Codes
    conditions: tuple[Condition, ...]

    @property
    def size(self) -> int:
        """Count the codes, 0 included."""
        return len(self.conditions) + 1


def encode(frame: pd.DataFrame, columns: Sequence[str], *, min_support: int) -> list[Levels]:
    """Encode each column; columns with fewer than two usable conditions are left out."""
    encoded = (_encode_column(column_of(frame, name), name, min_support) for name in columns)
    return [levels for levels in encoded if levels.size > 2]


def encode_clusters(frame: pd.DataFrame, clusters: TextClusters) -> Levels:
    """Encode the text clusters as one more column."""
    codes = clusters.assign(joined_text(frame, clusters.columns)) + 1
    conditions = (Condition(CLUSTER_COLUMN, Operator.IN_CLUSTER, name) for name in clusters.names)
    return Levels(codes.astype(np.int64), tuple(conditions))


def _encode_column(column: pd.Series[str], name: str, min_support: int) -> Levels:
    import pandas as pd

    values = comparable(column)
    if pd.api.types.is_numeric_dtype(values) and values.nunique() > _FEW_VALUES:
        levels = _bins(values.to_numpy(dtype=np.float64, na_value=np.nan), name)
    else:
        levels = _categories(values, name, min_support)
    missing = column.isna().to_numpy(dtype=bool)
    if missing.sum() < min_support:
        return levels
    codes = np.where(missing, levels.size, levels.codes).astype(np.int64)
    return Levels(codes, (*levels.conditions, Condition(name, Operator.IS_MISSING)))


def _categories(values: pd.Series[str], name: str, min_support: int) -> Levels:
    """Keep the most frequent values that reach the smallest support."""
    import pandas as pd

    numbers, distinct = pd.factorize(values)
    counts = np.bincount(numbers[numbers >= 0], minlength=len(distinct))
    order = np.argsort(-counts, kind="stable")[:TOP_VALUES]
    kept = order[counts[order] >= min_support]
    code_of = np.zeros(len(distinct) + 1, dtype=np.int64)  # the last place serves -1, a missing value
    code_of[kept] = np.arange(1, len(kept) + 1)
    conditions = (Condition(name, Operator.EQUALS, plain_scalar(distinct[place])) for place in kept)
    return Levels(code_of[numbers], tuple(conditions))


def _bins(numbers: npt.NDArray[np.float64], name: str) -> Levels:
    """Cut at quantiles rounded to what a person would say; the outer bins are open."""
    finite = numbers[np.isfinite(numbers)]
    cuts = np.quantile(finite, np.linspace(0, 1, NUMERIC_BINS + 1)[1:-1])
    spread = float(np.quantile(finite, 0.9) - np.quantile(finite, 0.1))
    if spread > 0:
        cuts = np.round(cuts, 2 - math.floor(math.log10(spread)))
    cuts = np.unique(cuts)
    cuts = cuts[cuts > finite.min()]
    codes = np.searchsorted(cuts, numbers, side="right") + 1
    codes[np.isnan(numbers)] = 0
    bounds = [None, *cuts.tolist(), None]
    conditions = (Condition(name, Operator.BETWEEN, (low, high)) for low, high in pairwise(bounds))
    return Levels(codes.astype(np.int64), tuple(conditions))
