"""Predicates: what puts an item into a slice, in words, as JSON, and as a test that can be run again later."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
import numpy.typing as npt

from workbench_core.errors import Invalid
from workbench_core.slices.text import TextClusters

if TYPE_CHECKING:
    import pandas as pd

Scalar: TypeAlias = str | int | float | bool
Bounds: TypeAlias = tuple[float | None, float | None]  # from the first up to but not including the second
BoolArray: TypeAlias = npt.NDArray[np.bool_]


class Operator(StrEnum):
    """How a condition tests a value."""

    EQUALS = "equals"
    BETWEEN = "between"
    IS_MISSING = "is missing"
    IN_CLUSTER = "in cluster"


@dataclass(frozen=True, slots=True)
class Condition:
    """One test of one column. The value is a scalar, the bounds of BETWEEN, a cluster's name, or None."""

    column: str
    operator: Operator
    value: Scalar | Bounds | None = None

    @property
    def words(self) -> str:
        """Say the condition in words."""
        if self.operator is Operator.IS_MISSING:
            return f"{self.column} is missing"
        if self.operator is Operator.IN_CLUSTER:
            return f"text with {self.value}"
        if isinstance(self.value, tuple):
            return f"{self.column} {_range_words(*self.value)}"
        return f"{self.column} is {_scalar_words(self.value)}"


@dataclass(frozen=True, slots=True)
class Predicate:
    """Conditions that must all hold; it carries its text clusters, so that it can be run on its own."""

    conditions: tuple[Condition, ...]
    clusters: TextClusters | None = None

    @property
    def words(self) -> str:
        """Say the predicate in words."""
        return " and ".join(condition.words for condition in self.conditions)

    def to_json(self) -> str:
        """Write the predicate as JSON text."""
        conditions = [[item.column, item.operator, item.value] for item in self.conditions]
        clusters = self.clusters.to_json() if self.clusters else None
        return json.dumps({"conditions": conditions, "clusters": clusters})

    @staticmethod
    def from_json(text: str) -> Predicate:
        """Read what `to_json` wrote."""
        stored = json.loads(text)
        conditions = (
            Condition(column, Operator(operator), tuple(value) if isinstance(value, list) else value)
            for column, operator, value in stored["conditions"]
        )
        clusters = TextClusters.from_json(stored["clusters"]) if stored["clusters"] else None
        return Predicate(tuple(conditions), clusters)


def matches(predicate: Predicate, row: Mapping[str, object]) -> bool:
    """Say whether one item belongs to a slice; use `select` for many. Raises Invalid when a column is absent."""
    import pandas as pd

    return bool(select(predicate, pd.DataFrame([dict(row)]))[0])


def select(predicate: Predicate, frame: pd.DataFrame) -> BoolArray:
    """Give a mask of the rows that belong to a slice. Raises Invalid when a column is absent."""
    chosen = np.ones(len(frame), dtype=bool)
    for condition in predicate.conditions:
        chosen &= _holds(condition, frame, predicate.clusters)
    return chosen


def comparable(column: pd.Series[str]) -> pd.Series[str]:
    """Give a column whose values are JSON scalars or missing, so that a stored value compares equal later."""
    import pandas as pd

    if pd.api.types.is_numeric_dtype(column) or isinstance(column.dtype, pd.StringDtype):
        return column
    return column.astype(object).map(plain_scalar, na_action="ignore")


def plain_scalar(value: object) -> Scalar:
    """Give the JSON scalar for a value: NumPy's become Python's, anything else its text."""
    plain = value.item() if isinstance(value, np.generic) else value
    return plain if isinstance(plain, str | int | float | bool) else str(plain)


def joined_text(frame: pd.DataFrame, columns: tuple[str, ...]) -> list[str]:
    """Give one text per row: the text columns one after the other, missing ones left out."""
    parts = [column_of(frame, name).astype(object) for name in columns]
    texts = [part.where(part.notna(), "").astype(str).to_list() for part in parts]
    return [" ".join(row) for row in zip(*texts, strict=True)]


def column_of(frame: pd.DataFrame, name: str) -> pd.Series[str]:
    """Give a column by name. Raises Invalid when it is absent."""
    if name not in frame.columns:
        raise Invalid(f"There is no column “{name}” here.", "Choose a dataset that has this column.")
    return frame[name]


def _holds(condition: Condition, frame: pd.DataFrame, clusters: TextClusters | None) -> BoolArray:
    if condition.operator is Operator.IN_CLUSTER:
        return _in_cluster(str(condition.value), frame, clusters)
    column = column_of(frame, condition.column)
    if condition.value is None:
        return column.isna().to_numpy(dtype=bool)
    if isinstance(condition.value, tuple):
        return _between(column, condition.value)
    return comparable(column).eq(condition.value).fillna(False).to_numpy(dtype=bool)


def _between(column: pd.Series[str], bounds: Bounds) -> BoolArray:
    import pandas as pd

    numbers = pd.to_numeric(column, errors="coerce").to_numpy(dtype=np.float64, na_value=np.nan)
    low = -math.inf if bounds[0] is None else bounds[0]
    inside = numbers >= low  # nan is never inside
    return inside if bounds[1] is None else inside & (numbers < bounds[1])


def _in_cluster(name: str, frame: pd.DataFrame, clusters: TextClusters | None) -> BoolArray:
    if clusters is None or name not in clusters.names:
        raise Invalid(f"The text cluster “{name}” is not known.", "Search for weak slices again.")
    members = clusters.assign(joined_text(frame, clusters.columns)) == clusters.names.index(name)
    return np.asarray(members, dtype=bool)


def _range_words(low: float | None, high: float | None) -> str:
    if low is None:
        return f"under {_scalar_words(high)}"
    if high is None:
        return f"at least {_scalar_words(low)}"
    return f"from {_scalar_words(low)} to under {_scalar_words(high)}"


def _scalar_words(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return f"{value:,.0f}" if value.is_integer() else f"{value:,.6g}"
    return f"{value:,}" if isinstance(value, int) else str(value)
