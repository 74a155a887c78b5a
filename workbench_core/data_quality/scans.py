"""What a run looks for beside the rules: repeated rows, near-duplicate texts, outliers."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from workbench_core.data_quality.near_duplicates import NearDuplicates
from workbench_core.data_quality.outliers import find_outliers
from workbench_core.data_quality.results import ItemKind, ScanOptions, ScanResult
from workbench_core.errors import Invalid
from workbench_core.ports import Column, Lake, RowCheck, Selection, Watch
from workbench_core.sheets import Sheet

if TYPE_CHECKING:
    import pandas as pd

MOST_ROWS = 1_000_000
MOST_KEPT = 50_000
_BATCH = 5_000
_FLAT = ("string", "number", "boolean", "time")


@dataclass(frozen=True, slots=True)
class Finding:
    """One item that a scan found: its group (duplicates), column and value, and how near or far it is."""

    item_ref: str
    group: int | None
    column: str
    value: str
    score: float


@dataclass(frozen=True, slots=True)
class Scanned:
    """The outcome of one scan with the findings that are kept."""

    kind: ItemKind
    result: ScanResult
    findings: Sequence[Finding]


@dataclass(frozen=True, slots=True)
class Scanner:
    """Scans over the rows of a sheet; `go_on` raises when the work must stop."""

    lake: Lake
    sheet: Sheet
    selection: Selection
    columns: Sequence[Column]
    go_on: Callable[[], None]
    watch: Watch | None = None

    def run(self, options: ScanOptions) -> Iterator[Scanned]:
        """Every scan that the options ask for. Raises Invalid for a sheet that is too large or lacks the columns."""
        if options.is_empty:
            return
        if (count := self.lake.count(self.selection)) > MOST_ROWS:
            raise Invalid(
                f"The sheet has {count:,} rows; duplicates and outliers are looked for in up to {MOST_ROWS:,}.",
                hint="Narrow it with a filter or a sample, or run the rules alone.",
            )
        if options.find_duplicates:
            yield self.duplicates()
        if options.near_duplicate_column:
            yield self.near_duplicates(options.near_duplicate_column, options.similarity)
        if options.find_outliers:
            yield self.outliers(options.outlier_columns)

    def duplicates(self) -> Scanned:
        """Rows with the same values in all columns with a role but the identifier; the lake finds, we group."""
        kinds = {column.name: column.kind for column in self.columns}
        wanted = [n for n in self.sheet.columns if n != self.sheet.item_id_column and kinds.get(n) in _FLAT]
        if not wanted:
            raise Invalid(
                "No column has a role, so rows cannot be compared.", hint="Give the columns of the sheet roles."
            )
        check = RowCheck("duplicates", "is_unique", {"columns": [*wanted], "nulls_distinct": False})
        report = self.lake.check_rows(self.selection, [check], limit=MOST_KEPT, watch=self.watch)
        refs = tuple(dict.fromkeys(report.failures["item_ref"].astype(str)))
        findings, groups = self._grouped(refs, wanted) if refs else ([], 0)
        note = f"the same values in {', '.join(wanted[:8])}{' and more' if len(wanted) > 8 else ''}"
        return Scanned(ItemKind.DUPLICATES, ScanResult(report.failure_count, len(findings), groups, note), findings)

    def near_duplicates(self, column: str, similarity: float) -> Scanned:
        """Texts of one column that resemble an earlier one."""
        if column not in {one.name for one in self.columns if one.kind == "string"}:
            raise Invalid(f"“{column}” is no text column of the sheet.", hint="Choose a text column.")
        search = NearDuplicates(similarity)
        for frame in self._batches((column,)):
            texts = [text if isinstance(text, str) else None for text in frame[column]]
            search.add(frame["item_ref"].astype(str).tolist(), texts)
        findings = [
            Finding(one.item_ref, one.group, column, one.text, round(one.similarity, 4)) for one in search.groups()
        ]
        groups = findings[-1].group or 0 if findings else 0
        note = f"texts of {column} at least {similarity:.0%} similar, estimated by MinHash"
        result = ScanResult(len(findings), min(len(findings), MOST_KEPT), groups, note)
        return Scanned(ItemKind.NEAR_DUPLICATES, result, findings[:MOST_KEPT])

    def outliers(self, columns: Sequence[str] = ()) -> Scanned:
        """Numbers that lie far out, column by column; without a choice in all number columns with a role."""
        import numpy as np

        numbers = [one.name for one in self.columns if one.kind == "number"]
        wanted = list(columns) or [n for n in self.sheet.columns if n in numbers and n != self.sheet.item_id_column]
        unknown = [name for name in wanted if name not in numbers]
        if unknown or not wanted:
            what = f"“{unknown[0]}” is no number column." if unknown else "No number column has a role."
            raise Invalid(what, hint="Choose number columns of the sheet.")
        refs: list[str] = []
        parts: dict[str, list[np.ndarray]] = {name: [] for name in wanted}
        for frame in self._batches(tuple(wanted)):
            refs += frame["item_ref"].astype(str).tolist()
            for name in wanted:
                parts[name].append(frame[name].astype("Float64").to_numpy(dtype=np.float64, na_value=np.nan))
        findings: list[Finding] = []
        notes: list[str] = []
        for name in wanted:
            values = np.concatenate(parts[name]) if parts[name] else np.empty(0)
            found = find_outliers(values)
            notes.append(f"{name}: {len(found.positions):,}, {found.rule}")
            scored = zip(found.positions.tolist(), found.scores.tolist(), strict=True)
            findings += [Finding(refs[at], None, name, f"{values[at]:g}", round(score, 3)) for at, score in scored]
        findings.sort(key=lambda one: (-one.score, one.item_ref, one.column))
        kept = findings[:MOST_KEPT]
        return Scanned(ItemKind.OUTLIERS, ScanResult(len(findings), len(kept), len(wanted), "; ".join(notes)), kept)

    def _batches(self, columns: Sequence[str]) -> Iterator[pd.DataFrame]:
        for frame in self.lake.batches(self.selection, columns=columns, size=_BATCH):
            self.go_on()
            yield frame

    def _grouped(self, refs: tuple[str, ...], columns: Sequence[str]) -> tuple[list[Finding], int]:
        """These items, known to repeat others, put together by their values; groups in the order of their items."""
        import pandas as pd

        selection = replace(self.selection, item_refs=refs)
        frames = list(self.lake.batches(selection, columns=columns, size=_BATCH))
        rows = pd.concat(frames, ignore_index=True)
        groups = rows.groupby(list(columns), sort=False, dropna=False).ngroup() + 1
        values = rows[list(columns)].itertuples(index=False)
        shown = [" · ".join("–" if pd.isna(value) else str(value) for value in one) for one in values]
        sizes = groups.map(groups.value_counts())
        order = groups[sizes > 1].sort_values(kind="stable").index
        findings = [Finding(str(rows["item_ref"][at]), int(groups[at]), "", str(shown[at])[:500], 1.0) for at in order]
        return _renumbered(findings)


def _renumbered(findings: Sequence[Finding]) -> tuple[list[Finding], int]:
    """Groups counted from 1 without gaps, and how many there are."""
    numbers: dict[int | None, int] = {}
    found = []
    for one in findings:
        group = numbers.setdefault(one.group, len(numbers) + 1)
        found.append(Finding(one.item_ref, group, one.column, one.value, one.score))
    return found, len(numbers)
