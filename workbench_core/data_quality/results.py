"""What a run of the checks found: rows, score, one outcome per check, and how two runs differ."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from enum import StrEnum

from workbench_core import rows
from workbench_core.data_quality.rules import Criticality
from workbench_core.ports import Json, Row
from workbench_core.sheets import Sheet

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


_FOUND = {
    ItemKind.FAILING: "failing values",
    ItemKind.DUPLICATES: "duplicates",
    ItemKind.NEAR_DUPLICATES: "near-duplicates",
    ItemKind.OUTLIERS: "outliers",
}


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


def cut_sentence(found: int, kept: int, kind: ItemKind) -> str:
    """For a person: that a run found more of a kind than it keeps, and what to do; empty when it keeps all."""
    if found <= kept:
        return ""
    if kind is ItemKind.OUTLIERS:
        return (
            f"The run found {found:,} outliers and keeps the {kept:,} farthest out. A larger distance, beside “Run "
            "checks”, finds fewer."
        )
    return (
        f"The run found {found:,} {_FOUND[kind]} and keeps the first {kept:,}; the others are in no list. Repair the "
        "source, or narrow the sheet by a filter, and check again."
    )


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
    """What a scan found: items in all, those kept, and groups (duplicates) or columns (outliers); how it was done.

    `refused` says why it could not be made; then it found nothing, and the rest of the run counts all the same.
    """

    items: int
    kept: int
    groups: int
    note: str
    refused: str = ""


@dataclass(frozen=True, slots=True)
class QualityRun:
    """A finished run over the rows of a sheet. A row fails when it fails at least one error check.

    `kept_failures` of `failure_count` failing values are kept for the fix queue while `keeps_items`. `selection` is
    the sheet's filter, sample and join as they were. `check_count` checks were made; their outcomes are in the order
    of the rules. Where no check was made, nothing passed: the pass rate and all that follows from it are None.
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
    check_count: int
    outcomes: tuple[RuleOutcome, ...] = ()

    @property
    def passed(self) -> int | None:
        """Rows that fail no error check; None when no check was made."""
        return self.total - self.failed if self.check_count else None

    @property
    def pass_rate(self) -> float | None:
        """Passed rows among all, 0 to 1; 1 when there are no rows, None when no check was made."""
        if self.passed is None:
            return None
        return self.passed / self.total if self.total else 1.0

    @property
    def rule_count(self) -> int:
        """How many rules the checks stand for: a rule on several columns is a check for each."""
        return len({outcome.rule_id for outcome in self.outcomes})

    def is_stale(self, sheet: Sheet) -> bool:
        """The sheet reads other rows now, so that these numbers are not its own any more (a new name is none)."""
        if sheet.row_version == self.sheet_version:
            return False
        return (self.source, self.selection) != (source_of(sheet), selection_of(sheet))

    @property
    def is_empty(self) -> bool:
        """There was no row to check, so that a pass rate of 1 says nothing."""
        return self.total == 0

    @property
    def score(self) -> float | None:
        """The pass rate as 0 to 100."""
        return None if self.pass_rate is None else self.pass_rate * 100

    @property
    def word(self) -> ScoreWord | None:
        """The score in a word."""
        return None if self.score is None else score_word(self.score)

    @property
    def colour(self) -> ScoreColour | None:
        """The colour of the pass rate."""
        return None if self.pass_rate is None else score_colour(self.pass_rate)

    @property
    def is_complete(self) -> bool:
        """Every failing value is kept, not only the first ones."""
        return self.keeps_items and self.kept_failures == self.failure_count

    @property
    def cut_note(self) -> str:
        """That more values fail than are kept, for a person; empty when all are kept, or none any more."""
        return cut_sentence(self.failure_count, self.kept_failures, ItemKind.FAILING) if self.keeps_items else ""

    @property
    def warnings(self) -> int:
        """Values that failed a check which only warns; a row counts once for each."""
        return sum(outcome.failed for outcome in self.outcomes if outcome.criticality is Criticality.WARN)

    @property
    def sentence(self) -> str:
        """The result for a person."""
        if self.passed is None or self.pass_rate is None:
            return "No rule was checked."
        if self.is_empty:
            return "The sheet has no rows, so no check could fail."
        share = math.floor(self.pass_rate * 1000) / 10  # what does not fully pass is never rounded up to 100 %
        return f"{self.passed:,} of {self.total:,} rows pass {self.checks_in_words} ({share:.1f}%)."

    @property
    def checks_in_words(self) -> str:
        """How many checks were made, and for how many rules where these are not as many."""
        checks = f"{self.check_count:,} check{'' if self.check_count == 1 else 's'}"
        if not self.outcomes or self.rule_count == self.check_count:
            return checks
        return f"{self.rule_count:,} rule{'' if self.rule_count == 1 else 's'}, {checks}"


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
    def pass_rate_change(self) -> float | None:
        """Difference of the pass rates, -1 to 1; None when one of the runs made no check."""
        before, after = self.before.pass_rate, self.after.pass_rate
        return None if before is None or after is None else after - before

    @property
    def is_same_selection(self) -> bool:
        """Whether both looked at the same source with the same filter, sample and join, as far as both kept them."""
        before, after = self.before.selection, self.after.selection
        both = before.keys() & after.keys()
        return self.before.source == self.after.source and all(before[name] == after[name] for name in both)


def rule_changes(before: QualityRun, after: QualityRun) -> tuple[RuleChange, ...]:
    """All checks of both runs, those of the later one first."""
    earlier = {outcome.identity: outcome for outcome in before.outcomes}
    later = {outcome.identity: outcome for outcome in after.outcomes}
    changes = [RuleChange(o.name, o.meaning, o.criticality, earlier.get(key), o) for key, o in later.items()]
    gone = [RuleChange(o.name, o.meaning, o.criticality, o, None) for key, o in earlier.items() if key not in later]
    return (*changes, *gone)


# --- rows ------------------------------------------------------------------------------------------------------------


def source_of(sheet: Sheet) -> str:
    """The tables that a sheet reads, as a run keeps them."""
    return " + ".join(sheet.tables)


def selection_of(sheet: Sheet) -> dict[str, Json]:
    """Which rows a sheet reads, as a run keeps it: filter, sample, join and what names an item."""
    join = rows.to_json(None if sheet.join is None else asdict(sheet.join))
    return {
        "filter": sheet.filter,
        "sample_size": sheet.sample_size,
        "sample_seed": sheet.sample_seed,
        "stratify_column": sheet.stratify_column,
        "item_id_column": sheet.item_id_column,
        "join": hashlib.sha256(join.encode()).hexdigest()[:16] if sheet.join else "",
    }


def run_from(row: Row, outcomes: Sequence[RuleOutcome]) -> QualityRun:
    """Read a run out of a row with `RUN_COLUMNS` and `check_count`."""
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
        check_count=rows.whole(row, "check_count"),
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
        refused=str(found.get("refused") or ""),
    )
