"""What the lake can say about the quality of rows: profiles of columns and the outcome of checks."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from workbench_core.ports.values import Json

if TYPE_CHECKING:
    import pandas as pd

Watch: TypeAlias = Callable[[float], bool]
"""Told the share that is done (0 to 1) some times a second; answers False to stop the work."""


@dataclass(frozen=True, slots=True)
class RowCheck:
    """One check of rows in the terms of DQX: a function with its arguments, `column` or `columns` among them.

    `where` narrows the rows that are looked at. Only an error makes a row fail; a warning is counted beside.
    """

    name: str
    function: str
    arguments: Mapping[str, Json]
    where: str = ""
    is_error: bool = True


@dataclass(frozen=True, slots=True)
class CheckCount:
    """How many rows a check looked at, and how many of them failed it."""

    name: str
    evaluated: int
    failed: int


@dataclass(frozen=True, slots=True)
class CheckReport:
    """The outcome of all checks over one selection.

    `failed_rows` failed at least one error check. `failures` has the columns item_ref, check (position in the list of
    checks) and value (text, at most 500 characters), by check and item_ref, and is cut at the limit asked for;
    `failure_count` says how many there are.
    """

    rows: int
    failed_rows: int
    counts: tuple[CheckCount, ...]
    failures: pd.DataFrame
    failure_count: int


@dataclass(frozen=True, slots=True)
class ColumnProfile:
    """What the values of one column are like (DQ-1). Numbers are None where they make no sense for the kind.

    `minimum` and `maximum` are texts (ISO for times). `quantiles` maps 0.001, 0.01, 0.05, 0.25, 0.5, 0.75, 0.95,
    0.99 and 0.999 to values. `top_values` are (text, rows), most frequent first. `pattern` is the shape of most
    values (9 for digits, A for letters, runs shortened, e.g. `A-9`), with the share of values that have it and the
    regular expression that describes it. `histogram` is (left edge, right edge, rows); the edges of times are seconds
    since 1970. `ahead` are the times that lay in the future when the profile was made. `blank` are the texts of
    spaces only; `empty` ones are not among them.
    """

    column: str
    data_type: str
    kind: str
    rows: int
    nulls: int
    distinct: int
    empty: int = 0
    minimum: str | None = None
    maximum: str | None = None
    mean: float | None = None
    deviation: float | None = None
    quantiles: Mapping[float, float] | None = None
    shortest: int | None = None
    longest: int | None = None
    mean_length: float | None = None
    top_values: tuple[tuple[str, int], ...] = ()
    pattern: str = ""
    pattern_regex: str = ""
    pattern_share: float = 0.0
    histogram: tuple[tuple[float, float, int], ...] = ()
    ahead: int = 0
    blank: int = 0

    @property
    def is_unique(self) -> bool:
        """Every row has a value, and its own."""
        return self.rows > 0 and self.distinct == self.rows

    @property
    def duplicates(self) -> int:
        """Rows that repeat a value of another row: those with a value, less the different values."""
        return max(self.rows - self.nulls - self.distinct, 0) if self.distinct else 0
