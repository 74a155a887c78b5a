"""What a run looks for beside the rules: repeated rows, near-duplicate texts, outliers."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

from workbench_core.data_quality.near_duplicates import NearDuplicate, NearDuplicates
from workbench_core.data_quality.outliers import LIMIT, find_outliers
from workbench_core.data_quality.results import ItemKind, ScanResult
from workbench_core.data_quality.scan_options import ScanOptions
from workbench_core.errors import Invalid
from workbench_core.ports import Column, Lake, RowCheck, Selection, Watch
from workbench_core.sheets import Sheet

if TYPE_CHECKING:
    import pandas as pd

MOST_ROWS = 1_000_000
MOST_KEPT = 50_000
MOST_OUTLIERS = 200  # nobody works through more; they are ranked by their distance
_BATCH = 5_000
_SHOWN = 200  # characters of a text beside its item
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
        """Every scan that the options ask for; one that cannot be made says why and keeps the others from nothing."""
        if options.is_empty:
            return
        count = self.lake.count(self.selection)
        asked: list[tuple[ItemKind, Callable[[], Scanned]]] = []
        if options.find_duplicates:
            asked.append((ItemKind.DUPLICATES, self.duplicates))
        if column := options.near_duplicate_column:
            asked.append((ItemKind.NEAR_DUPLICATES, partial(self.near_duplicates, column, options.similarity)))
        if options.find_outliers:
            search = partial(self.outliers, options.outlier_columns, distance=options.outlier_distance)
            asked.append((ItemKind.OUTLIERS, search))
        for kind, scan in asked:
            try:
                _check_size(count)
                yield scan()
            except Invalid as refused:
                yield Scanned(kind, ScanResult(0, 0, 0, "", f"{refused.message} {refused.hint}".strip()), [])

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
        findings, groups = self._grouped(report.failures, wanted) if len(report.failures) else ([], 0)
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
        kept: list[NearDuplicate] = []
        items = groups = 0
        for one in search.groups(self.go_on):
            items, groups = items + 1, one.group
            if items <= MOST_KEPT:
                kept.append(one)
        values = self._beginnings(column, [one.item_ref for one in kept])
        findings = [
            Finding(one.item_ref, one.group, column, values.get(one.item_ref, ""), round(one.similarity, 4))
            for one in kept
        ]
        note = f"texts of {column} at least {similarity:.0%} similar, estimated by MinHash"
        return Scanned(ItemKind.NEAR_DUPLICATES, ScanResult(items, len(findings), groups, note), findings)

    def _beginnings(self, column: str, refs: Sequence[str]) -> dict[str, str]:
        """How the texts of these items begin; read again, so that the search need not hold the texts of all."""
        selection = replace(self.selection, item_refs=tuple(refs))
        frames = self.lake.batches(selection, columns=(column,), size=_BATCH) if refs else ()
        return {
            str(ref): str(text)[:_SHOWN]
            for frame in frames
            for ref, text in frame[["item_ref", column]].itertuples(index=False)
        }

    def outliers(self, columns: Sequence[str] = (), *, distance: float = LIMIT) -> Scanned:
        """Numbers that lie far out, the farthest first; without a choice in all number columns with a role."""
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
            found = find_outliers(values, distance)
            notes.append(f"{name}: {len(found.positions):,}, {found.rule}")
            scored = zip(found.positions.tolist(), found.scores.tolist(), strict=True)
            findings += [Finding(refs[at], None, name, f"{values[at]:g}", round(score, 3)) for at, score in scored]
        findings.sort(key=lambda one: (-one.score, one.item_ref, one.column))
        kept = findings[:MOST_OUTLIERS]
        return Scanned(ItemKind.OUTLIERS, ScanResult(len(findings), len(kept), len(wanted), "; ".join(notes)), kept)

    def _batches(self, columns: Sequence[str]) -> Iterator[pd.DataFrame]:
        for frame in self.lake.batches(self.selection, columns=columns, size=_BATCH):
            self.go_on()
            yield frame

    def _grouped(self, failures: pd.DataFrame, columns: Sequence[str]) -> tuple[list[Finding], int]:
        """These items, known to repeat others, put together by their values; groups in the order of their items."""
        import pandas as pd

        refs = tuple(dict.fromkeys(failures["item_ref"].astype(str)))
        selection = replace(self.selection, item_refs=refs)
        frames = list(self.lake.batches(selection, columns=columns, size=_BATCH))
        rows = pd.concat(frames, ignore_index=True)
        key = [*(rows[name] for name in columns), _missing_as_the_lake_says(rows, failures, columns)]
        groups = rows.groupby(key, sort=False, dropna=False).ngroup() + 1
        values = rows[list(columns)].itertuples(index=False)
        shown = [" · ".join("–" if pd.isna(value) else str(value) for value in one) for one in values]
        sizes = groups.map(groups.value_counts())
        order = groups[sizes > 1].sort_values(kind="stable").index
        findings = [Finding(str(rows["item_ref"][at]), int(groups[at]), "", str(shown[at])[:500], 1.0) for at in order]
        return _renumbered(findings)


def _check_size(count: int) -> None:
    """Raise Invalid for more rows than a scan can hold."""
    if count > MOST_ROWS:
        raise Invalid(
            f"The sheet has {count:,} rows; duplicates and outliers are looked for in up to {MOST_ROWS:,}.",
            hint="Narrow it with a filter or a sample.",
        )


def _missing_as_the_lake_says(rows: pd.DataFrame, failures: pd.DataFrame, columns: Sequence[str]) -> pd.Series:
    """For rows that lack a number, the key in the words of the lake: a frame shows NaN and NULL as the same."""
    import pandas as pd

    said: dict[str, set[str]] = {}
    for ref, value in failures[["item_ref", "value"]].itertuples(index=False):
        said.setdefault(str(ref), set()).add(str(value))
    floats = [name for name in columns if str(rows[name].dtype).startswith("float")]
    lacks = rows[floats].isna().any(axis=1)
    keys = [
        next(iter(said[ref])) if is_lacking and len(said.get(ref, ())) == 1 else ""
        for ref, is_lacking in zip(rows["item_ref"].astype(str), lacks, strict=True)
    ]
    return pd.Series(keys, index=rows.index)


def _renumbered(findings: Sequence[Finding]) -> tuple[list[Finding], int]:
    """Groups counted from 1 without gaps, and how many there are."""
    numbers: dict[int | None, int] = {}
    found = []
    for one in findings:
        group = numbers.setdefault(one.group, len(numbers) + 1)
        found.append(Finding(one.item_ref, group, one.column, one.value, one.score))
    return found, len(numbers)
