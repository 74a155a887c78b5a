"""What a run looks for beside the rules, as a person chooses it and the store keeps it."""

from __future__ import annotations

from dataclasses import dataclass, field

from workbench_core import rows
from workbench_core.ports import Row


@dataclass(frozen=True, slots=True)
class ScanOptions:
    """What a run looks for beside the rules. `near_duplicate_column` is a text column, or empty for none.

    `outlier_distance` is how far out, as a modified z-score, a number is an outlier.
    """

    find_duplicates: bool = False
    near_duplicate_column: str = ""
    similarity: float = 0.8
    find_outliers: bool = False
    outlier_columns: tuple[str, ...] = field(default=())
    outlier_distance: float = 3.5

    @property
    def count(self) -> int:
        """How many things are looked for beside the rules."""
        return self.find_duplicates + bool(self.near_duplicate_column) + self.find_outliers

    @property
    def is_empty(self) -> bool:
        """Nothing but the rules."""
        return self.count == 0

    def to_json(self) -> str:
        """The options as JSON text; `options_from` reads them back."""
        return rows.to_json(
            {
                "find_duplicates": self.find_duplicates,
                "near_duplicate_column": self.near_duplicate_column,
                "similarity": self.similarity,
                "find_outliers": self.find_outliers,
                "outlier_columns": list(self.outlier_columns),
                "outlier_distance": self.outlier_distance,
            }
        )


def options_from(row: Row) -> ScanOptions:
    """The options out of the column `options`."""
    kept = rows.json_object(row, "options")
    columns = kept.get("outlier_columns")
    return ScanOptions(
        find_duplicates=kept.get("find_duplicates") is True,
        near_duplicate_column=str(kept.get("near_duplicate_column") or ""),
        similarity=float(str(kept.get("similarity") or 0.8)),
        find_outliers=kept.get("find_outliers") is True,
        outlier_columns=tuple(map(str, columns)) if isinstance(columns, list) else (),
        outlier_distance=float(str(kept.get("outlier_distance") or 3.5)),
    )
