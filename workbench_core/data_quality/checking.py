"""The work behind a run of the checks: look at every row once, scan, and store everything in one transaction."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from workbench_core import rows
from workbench_core.clock import Clock, new_id
from workbench_core.data_quality import file_checks
from workbench_core.data_quality.progress import Progress
from workbench_core.data_quality.results import SAMPLES, ItemKind, selection_of, source_of
from workbench_core.data_quality.rules import PlannedCheck, Rule, planned
from workbench_core.data_quality.scan_options import ScanOptions
from workbench_core.data_quality.scans import Scanned, Scanner
from workbench_core.errors import Invalid, Stopped
from workbench_core.history import History
from workbench_core.ports import CheckReport, Lake, RowCheck, Selection, Source, Store, Value
from workbench_core.runs import RunContext, RunStopped
from workbench_core.sheets import Sheet, Sheets

if TYPE_CHECKING:
    import pandas as pd

MOST_KEPT = 200_000
KEPT_RUNS = 2
MOST_CHECKS = 1_000
_CHUNK = 20_000
_CHECKS_SHARE = 60  # of 100 parts of progress, when scans follow


@dataclass(frozen=True, slots=True)
class _Found:
    """Everything that a run found, before it is stored."""

    sheet: Sheet
    checks: Sequence[PlannedCheck]
    report: CheckReport
    scans: Sequence[Scanned]
    seconds: float


class Checking:
    """Run the rules of a sheet over its rows. It begins anew after an interruption: nothing half-done is stored."""

    def __init__(
        self,
        store: Store,
        lake: Lake,
        history: History,
        clock: Clock,
        *,
        sheets: Sheets,
        enabled_rules: Callable[[str], list[Rule]],
        options: Callable[[str], ScanOptions],
    ) -> None:
        self._store = store
        self._lake = lake
        self._history = history
        self._clock = clock
        self._sheets = sheets
        self._enabled_rules = enabled_rules
        self._options = options

    def plan(self, sheet: Sheet, options: ScanOptions) -> list[PlannedCheck]:
        """The checks of a run. Raises Invalid when there is nothing to do, or naming every rule that cannot run."""
        checks = planned(self._enabled_rules(sheet.id))
        if not checks and options.is_empty:
            raise Invalid("No rule is enabled.", hint="Add rules, or profile the sheet to get suggestions.")
        if len(checks) > MOST_CHECKS:
            raise Invalid(
                f"The rules stand for {len(checks):,} checks, more than {MOST_CHECKS:,}.", hint="Disable some."
            )
        found = problems_of(self._lake, sheet.relation, [one.check for one in checks], identifier=sheet.item_id_column)
        broken = [f"“{one.check.name}”: {text}" for one, text in zip(checks, found, strict=True) if text]
        if broken:
            raise Invalid(
                f"{len(broken)} of {len(checks)} checks cannot run. {' '.join(broken[:5])}",
                hint="Change or disable these rules.",
            )
        return checks

    def handle(self, context: RunContext) -> None:
        """Do a queued run; the worker calls it. Raises what kept it from ending: nothing is stored then."""
        if self._is_stored(context.run.id):
            return  # the process died between storing the result and the end of the run
        began = time.monotonic()
        sheet = self._sheets.get(context.subject_id)
        options = self._options(sheet.id)
        checks = self.plan(sheet, options)
        progress = Progress(context, message="Checking the rows")
        try:
            found = self._look(sheet, checks, options, progress)
        except Stopped:
            raise RunStopped from None
        context.checkpoint(99, 100, "Storing the result")
        self._save(_Found(sheet, checks, found[0], found[1], time.monotonic() - began), context)
        context.report(100, 100, "Done")

    def _look(
        self, sheet: Sheet, checks: Sequence[PlannedCheck], options: ScanOptions, progress: Progress
    ) -> tuple[CheckReport, list[Scanned]]:
        selection = sheet.selection()
        progress.part("Checking the rows", 0, 99 if options.is_empty else _CHECKS_SHARE)
        resolved = [self._resolved(selection, one.check, progress) for one in checks]
        report = self._lake.check_rows(selection, resolved, limit=MOST_KEPT, watch=progress.watch)
        progress.part("Looking for duplicates and outliers", progress.high, 99)
        columns = self._lake.columns(sheet.relation)
        scanner = Scanner(self._lake, sheet, selection, columns, progress.go_on, progress.watch)
        return report, list(scanner.run(options))

    def _resolved(self, selection: Selection, check: RowCheck, progress: Progress) -> RowCheck:
        if not file_checks.reads_files(check):
            return check
        return file_checks.resolve(self._lake, selection, check, go_on=progress.go_on)

    # --- storing -----------------------------------------------------------------------------------------------------

    def _is_stored(self, run_id: str) -> bool:
        return bool(self._store.query("SELECT id FROM quality_runs WHERE run_id = :run", run=run_id))

    def _save(self, found: _Found, context: RunContext) -> None:
        quality_run_id = new_id("quality")
        with self._store.transaction():
            self._sheets.get(found.sheet.id)  # deleted meanwhile: nothing is kept
            if self._is_stored(context.run.id):
                return  # a second worker took the run over and was faster
            self._store.append("quality_runs", [self._run_row(quality_run_id, found, context)])
            self._store.append("quality_outcomes", _outcome_rows(quality_run_id, found))
            for chunk in _chunks(_failure_rows(quality_run_id, found)):
                self._store.append("quality_failures", chunk)
            self._prune(found, quality_run_id)
            self._history.add(
                "sheet", found.sheet.id, "check quality", by=context.by, run=quality_run_id,
                rows=found.report.rows, failed=found.report.failed_rows,
            )  # fmt: skip

    def _run_row(self, quality_run_id: str, found: _Found, context: RunContext) -> dict[str, Value]:
        sheet, report = found.sheet, found.report
        return {
            "id": quality_run_id,
            "run_id": context.run.id,
            "sheet_id": sheet.id,
            "sheet_version": sheet.row_version,
            "source": source_of(sheet),
            "selection": rows.to_json(selection_of(sheet)),
            "total": report.rows,
            "failed": report.failed_rows,
            "failure_count": report.failure_count,
            "kept_failures": len(report.failures),
            "keeps_items": True,
            "scans": rows.to_json({scan.kind.value: asdict(scan.result) for scan in found.scans}),
            "seconds": round(found.seconds, 3),
            "run_by": context.by,
            "run_at": self._clock(),
        }

    def _prune(self, found: _Found, quality_run_id: str) -> None:
        """Failing items stay for the newest runs of the sheet, the findings of a scan for the newest such scan."""
        sheet_id = found.sheet.id
        self._store.execute(
            "UPDATE quality_runs SET keeps_items = FALSE WHERE sheet_id = :sheet AND keeps_items = TRUE AND id NOT IN "
            "(SELECT id FROM quality_runs WHERE sheet_id = :sheet ORDER BY run_at DESC, id DESC LIMIT :kept)",
            touches="quality_runs",
            sheet=sheet_id,
            kept=KEPT_RUNS,
        )
        self._store.execute(
            "DELETE FROM quality_failures WHERE kind = :kind AND quality_run_id IN "
            "(SELECT id FROM quality_runs WHERE sheet_id = :sheet AND keeps_items = FALSE)",
            touches="quality_failures",
            kind=ItemKind.FAILING,
            sheet=sheet_id,
        )
        made = [scan.kind for scan in found.scans if not scan.result.refused]
        if made:
            self._store.execute(
                "DELETE FROM quality_failures WHERE kind IN :kinds AND quality_run_id IN "
                "(SELECT id FROM quality_runs WHERE sheet_id = :sheet AND id <> :run)",
                touches="quality_failures",
                kinds=made,
                sheet=sheet_id,
                run=quality_run_id,
            )


def problems_of(lake: Lake, source: Source, checks: Sequence[RowCheck], *, identifier: str = "") -> list[str]:
    """For each check why it cannot run on this source with this identifier, as sentences; empty when it can."""
    as_values = [file_checks.stand_in(check) if file_checks.reads_files(check) else check for check in checks]
    found = lake.check_problems(source, as_values, identifier=identifier) if checks else []
    return [
        problem or (file_checks.file_problem(lake, check) if file_checks.reads_files(check) else "")
        for check, problem in zip(checks, found, strict=True)
    ]


def _outcome_rows(quality_run_id: str, found: _Found) -> list[dict[str, Value]]:
    failures = found.report.failures
    samples: dict[int, list[list[str]]] = {}
    firsts: pd.DataFrame = failures.groupby("check", sort=False).head(SAMPLES)
    for ref, position, value in firsts[["item_ref", "check", "value"]].itertuples(index=False):
        samples.setdefault(int(position), []).append([str(ref), "" if value is None else str(value)])
    return [
        {
            "quality_run_id": quality_run_id,
            "position": position,
            "rule_id": one.rule.id,
            "name": one.check.name,
            "criticality": one.rule.draft.criticality.value,
            "function": one.rule.draft.function,
            "columns": rows.to_json(list(one.columns)),
            "arguments": rows.to_json(dict(one.rule.draft.arguments)),
            "filter": one.rule.draft.filter,
            "meaning": one.meaning,
            "evaluated": count.evaluated,
            "failed": count.failed,
            "samples": rows.to_json(samples.get(position, [])),
        }
        for position, (one, count) in enumerate(zip(found.checks, found.report.counts, strict=True))
    ]


def _failure_rows(quality_run_id: str, found: _Found) -> Iterator[dict[str, Value]]:
    """What the fix queue lists: failing values, then what the scans found; one at a time, for they may be many."""
    is_error = [one.check.is_error for one in found.checks]
    columns = [", ".join(one.columns) for one in found.checks]
    failures = found.report.failures[["item_ref", "check", "value"]].itertuples(index=False)
    for number, (ref, check, value) in enumerate(failures):
        at = int(check)
        text = "" if value is None else str(value)
        made = _failure(quality_run_id, ItemKind.FAILING, number, str(ref), value=text)
        yield made | {"position": at, "is_error": is_error[at], "column_name": columns[at]}
    for scan in found.scans:
        for number, one in enumerate(scan.findings):
            made = _failure(quality_run_id, scan.kind, number, one.item_ref, value=one.value)
            yield made | {"group_number": one.group, "column_name": one.column, "score": one.score}


def _failure(quality_run_id: str, kind: ItemKind, number: int, item_ref: str, *, value: str) -> dict[str, Value]:
    return {
        "quality_run_id": quality_run_id,
        "kind": kind.value,
        "number": number,
        "item_ref": item_ref,
        "position": None,
        "is_error": False,
        "group_number": None,
        "column_name": "",
        "value": value,
        "score": None,
    }


def _chunks(made: Iterable[dict[str, Value]]) -> Iterator[list[dict[str, Value]]]:
    waiting = iter(made)
    while chunk := list(itertools.islice(waiting, _CHUNK)):
        yield chunk
