"""What a run of the checks found: rows, score, one outcome per check, and how two runs differ."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from workbench_core import rows
from workbench_core.data_quality.rules import Criticality
from workbench_core.ports import Json, Row

SAMPLES = 20
RUN_COLUMNS = (
    "id, run_id, sheet_id, sheet_version, source, selection, total, failed, failure_count, kept_failures, keeps_items, "
    "scans, seconds, run_by, run_at"
)
OUTCOME_COLUMNS = (
    "quality_run_id, position, rule_id, name, criticality, function, columns, arguments, filter, meaning, evaluated, "
    "failed"
)


class ScoreWord(StrEnum):
    """The score in a word (spec 3.12)."""

    EXCELLENT = "Excellent"
    GOOD = "Good"
    FAIR = "Fair"
    POOR = "Poor"


class ScoreColour(StrEnum):
    """The colour of a pass rate (spec 3.12)."""

    GREEN = "green"
    AMBER = "amber"
    RED = "red"


class ItemKind(StrEnum):
    """Why an item stands in the fix queue."""

    FAILING = "failing"
    DUPLICATES = "duplicates"
    NEAR_DUPLICATES = "near_duplicates"
    OUTLIERS = "outliers"


def score_word(score: float) -> ScoreWord:
    """The word for a score between 0 and 100."""
    if score >= 90:
        return ScoreWord.EXCELLENT
    if score >= 70:
        return ScoreWord.GOOD
    return ScoreWord.FAIR if score >= 50 else ScoreWord.POOR


def score_colour(pass_rate: float) -> ScoreColour:
    """The colour for a pass rate between 0 and 1."""
    if pass_rate >= 0.95:
        return ScoreColour.GREEN
    return ScoreColour.AMBER if pass_rate >= 0.8 else ScoreColour.RED


@dataclass(frozen=True, slots=True)
class Sample:
    """One failing item of a check, with the value that failed."""

    item_ref: str
    value: str


@dataclass(frozen=True, slots=True)
class RuleOutcome:
    """One check of a run, as the rule was then. `evaluated` rows fell under its filter, `failed` of them failed."""

    position: int
    rule_id: str
    name: str
    criticality: Criticality
    function: str
    columns: tuple[str, ...]
    arguments: Mapping[str, Json]
    filter: str
    meaning: str
    evaluated: int
    failed: int
    samples: tuple[Sample, ...] = ()

    @property
    def share(self) -> float:
        """Failed among evaluated rows, 0 to 1."""
        return self.failed / self.evaluated if self.evaluated else 0.0

    @property
    def pass_rate(self) -> float:
        """Passed among evaluated rows, 0 to 1."""
        return 1.0 - self.share

    @property
    def identity(self) -> str:
        """What makes two outcomes of different runs outcomes of the same check."""
        return rows.to_json([self.name, self.function, list(self.columns)])

    @property
    def definition(self) -> str:
        """Everything that the check demanded."""
        arguments = dict(sorted(self.arguments.items()))
        return rows.to_json([self.identity, arguments, self.filter, self.criticality.value])


@dataclass(frozen=True, slots=True)
class ScanResult:
    """What a scan found: items in all, those kept, and groups (duplicates) or columns (outliers); how it was done."""

    items: int
    kept: int
    groups: int
    note: str


@dataclass(frozen=True, slots=True)
class QualityRun:
    """A finished run over the rows of a sheet. A row fails when it fails at least one error check.

    `kept_failures` of `failure_count` failing values are kept for the fix queue while `keeps_items`. `selection` is
    the sheet's filter and sample as they were. Outcomes are in the order of the rules.
    """

    id: str
    run_id: str
    sheet_id: str
    sheet_version: int
    source: str
    selection: Mapping[str, Json]
    total: int
    failed: int
    failure_count: int
    kept_failures: int
    keeps_items: bool
    scans: Mapping[ItemKind, ScanResult]
    seconds: float
    run_by: str
    run_at: datetime
    outcomes: tuple[RuleOutcome, ...] = ()

    @property
    def passed(self) -> int:
        """Rows that fail no error check."""
        return self.total - self.failed

    @property
    def pass_rate(self) -> float:
        """Passed rows among all, 0 to 1; 1 when there are no rows."""
        return self.passed / self.total if self.total else 1.0

    @property
    def is_empty(self) -> bool:
        """There was no row to check, so that a pass rate of 1 says nothing."""
        return self.total == 0

    @property
    def score(self) -> float:
        """The pass rate as 0 to 100."""
        return self.pass_rate * 100

    @property
    def word(self) -> ScoreWord:
        """The score in a word."""
        return score_word(self.score)

    @property
    def colour(self) -> ScoreColour:
        """The colour of the pass rate."""
        return score_colour(self.pass_rate)

    @property
    def is_complete(self) -> bool:
        """Every failing value is kept, not only the first ones."""
        return self.keeps_items and self.kept_failures == self.failure_count

    @property
    def warnings(self) -> int:
        """Values that failed a check which only warns; a row counts once for each."""
        return sum(outcome.failed for outcome in self.outcomes if outcome.criticality is Criticality.WARN)

    @property
    def sentence(self) -> str:
        """The result for a person."""
        if not self.outcomes:
            return "No rule was checked."
        if self.is_empty:
            return "The sheet has no rows, so no check could fail."
        checks = f"{len(self.outcomes)} check{'s' if len(self.outcomes) > 1 else ''}"
        return f"{self.passed:,} of {self.total:,} rows pass {checks} ({self.pass_rate:.1%})."


# --- two runs --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class RuleChange:
    """One check in two runs; None where a run did not have it. `is_changed`: it demanded something else before."""

    name: str
    meaning: str
    criticality: Criticality
    before: RuleOutcome | None
    after: RuleOutcome | None

    @property
    def is_changed(self) -> bool:
        """Arguments, filter or criticality are not the same, so that the counts cannot be compared."""
        return bool(self.before and self.after and self.before.definition != self.after.definition)

    @property
    def change(self) -> int | None:
        """Failing rows more (or, negative, fewer) than before."""
        return self.after.failed - self.before.failed if self.before and self.after else None


@dataclass(frozen=True, slots=True)
class RunComparison:
    """How the later of two runs differs. Items are None when a run keeps none of them, or not all: `note` says so."""

    before: QualityRun
    after: QualityRun
    rules: tuple[RuleChange, ...]
    newly_failing: int | None = None
    repaired: int | None = None
    newly_failing_refs: tuple[str, ...] = ()
    repaired_refs: tuple[str, ...] = ()
    note: str = ""

    @property
    def pass_rate_change(self) -> float:
        """Difference of the pass rates, -1 to 1."""
        return self.after.pass_rate - self.before.pass_rate

    @property
    def is_same_selection(self) -> bool:
        """Whether both looked at the same source with the same filter and sample."""
        return (self.before.source, self.before.selection) == (self.after.source, self.after.selection)


def rule_changes(before: QualityRun, after: QualityRun) -> tuple[RuleChange, ...]:
    """All checks of both runs, those of the later one first."""
    earlier = {outcome.identity: outcome for outcome in before.outcomes}
    later = {outcome.identity: outcome for outcome in after.outcomes}
    changes = [RuleChange(o.name, o.meaning, o.criticality, earlier.get(key), o) for key, o in later.items()]
    gone = [RuleChange(o.name, o.meaning, o.criticality, o, None) for key, o in earlier.items() if key not in later]
    return (*changes, *gone)


# --- rows ------------------------------------------------------------------------------------------------------------


def run_from(row: Row, outcomes: Sequence[RuleOutcome]) -> QualityRun:
    """Read a run out of a row with `RUN_COLUMNS`."""
    return QualityRun(
        id=rows.text(row, "id"),
        run_id=rows.text(row, "run_id"),
        sheet_id=rows.text(row, "sheet_id"),
        sheet_version=rows.whole(row, "sheet_version"),
        source=rows.text(row, "source"),
        selection=rows.json_object(row, "selection"),
        total=rows.whole(row, "total"),
        failed=rows.whole(row, "failed"),
        failure_count=rows.whole(row, "failure_count"),
        kept_failures=rows.whole(row, "kept_failures"),
        keeps_items=rows.flag(row, "keeps_items"),
        scans={ItemKind(kind): _scan(found) for kind, found in rows.json_object(row, "scans").items()},
        seconds=rows.number(row, "seconds"),
        run_by=rows.text(row, "run_by"),
        run_at=rows.time(row, "run_at"),
        outcomes=tuple(outcomes),
    )


def outcome_from(row: Row) -> RuleOutcome:
    """Read an outcome out of a row with `OUTCOME_COLUMNS`, and samples where they were read too."""
    return RuleOutcome(
        position=rows.whole(row, "position"),
        rule_id=rows.text(row, "rule_id"),
        name=rows.text(row, "name"),
        criticality=Criticality(rows.text(row, "criticality")),
        function=rows.text(row, "function"),
        columns=rows.json_texts(row, "columns"),
        arguments=rows.json_object(row, "arguments"),
        filter=rows.text(row, "filter"),
        meaning=rows.text(row, "meaning"),
        evaluated=rows.whole(row, "evaluated"),
        failed=rows.whole(row, "failed"),
        samples=tuple(_sample(entry) for entry in rows.json_list(row, "samples")) if "samples" in row else (),
    )


def _sample(entry: Json) -> Sample:
    assert isinstance(entry, list)
    return Sample(str(entry[0]), str(entry[1]))


def _scan(found: Json) -> ScanResult:
    assert isinstance(found, dict)
    return ScanResult(
        items=int(str(found["items"])),
        kept=int(str(found["kept"])),
        groups=int(str(found["groups"])),
        note=str(found["note"]),
    )


@dataclass(frozen=True, slots=True)
class ScanOptions:
    """What a run looks for beside the rules. `near_duplicate_column` is a text column, or empty for none."""

    find_duplicates: bool = False
    near_duplicate_column: str = ""
    similarity: float = 0.8
    find_outliers: bool = False
    outlier_columns: tuple[str, ...] = field(default=())

    @property
    def is_empty(self) -> bool:
        """Nothing but the rules."""
        return not (self.find_duplicates or self.near_duplicate_column or self.find_outliers)

    def to_json(self) -> str:
        """The options as JSON text; `options_from` reads them back."""
        return rows.to_json(
            {
                "find_duplicates": self.find_duplicates,
                "near_duplicate_column": self.near_duplicate_column,
                "similarity": self.similarity,
                "find_outliers": self.find_outliers,
                "outlier_columns": list(self.outlier_columns),
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
    )
