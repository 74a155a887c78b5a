"""A finished run as files: the whole report as JSON, and the failing values as CSV (DQ-7)."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass

from workbench_core import rows
from workbench_core.data_quality.results import ItemKind, QualityRun, RuleOutcome
from workbench_core.errors import Conflict
from workbench_core.ports import Json, Store
from workbench_core.ports.spreadsheet_cells import harmless_cell

_PAGE = 5_000
_HEADER = ("item_ref", "rule", "criticality", "columns", "value", "meaning")
_LONGEST_NAME = 60


@dataclass(frozen=True, slots=True)
class FailuresFile:
    """The failing values of a run as CSV: the name to offer it under, and its text piece by piece."""

    name: str
    pieces: Iterator[str]


def report_json(run: QualityRun, *, sheet_name: str) -> str:
    """The report as JSON text: the numbers of the run and of each check, with samples."""
    report: dict[str, Json] = {
        "run": run.id,
        "sheet": {"id": run.sheet_id, "name": sheet_name, "version": run.sheet_version, "source": run.source},
        "selection": dict(run.selection),
        "run_at": run.run_at.isoformat(),
        "run_by": run.run_by,
        "seconds": run.seconds,
        "rows": {"total": run.total, "passed": run.passed, "failed": run.failed},
        "failing_values": {"found": run.failure_count, "kept": run.kept_failures if run.keeps_items else 0},
        "pass_rate": run.pass_rate,
        "score": None if run.score is None else round(run.score, 2),
        "verdict": None if run.word is None else run.word.value,
        "summary": run.sentence,
        "checks": [_outcome_json(outcome) for outcome in run.outcomes],
        "scans": {
            kind.value: {
                "items": scan.items,
                "kept": scan.kept,
                "groups": scan.groups,
                "how": scan.note,
                "refused": scan.refused,
            }
            for kind, scan in run.scans.items()
        },
    }
    return json.dumps(report, ensure_ascii=False, indent=2) + "\n"


def _outcome_json(outcome: RuleOutcome) -> dict[str, Json]:
    return {
        "name": outcome.name,
        "criticality": outcome.criticality.value,
        "function": outcome.function,
        "columns": list(outcome.columns),
        "arguments": dict(outcome.arguments),
        "filter": outcome.filter,
        "meaning": outcome.meaning,
        "evaluated": outcome.evaluated,
        "failed": outcome.failed,
        "failed_share": round(outcome.share, 6),
        "samples": [{"item_ref": sample.item_ref, "value": sample.value} for sample in outcome.samples],
    }


def failures_file(store: Store, run: QualityRun, *, sheet_name: str) -> FailuresFile:
    """The kept failing values of a run as a file; its name says when they are not all."""
    stem = re.sub(r"[^a-z0-9]+", "-", sheet_name.lower()).strip("-")[:_LONGEST_NAME] or "sheet"
    cut = "" if run.is_complete else f"-first-{run.kept_failures}-of-{run.failure_count}"
    return FailuresFile(f"{stem}-failing{cut}.csv", _failing_lines(store, run.id, count=run.kept_failures))


def _failing_lines(store: Store, quality_run_id: str, *, count: int) -> Iterator[str]:
    """Some thousand lines at a time, the header first. Raises Conflict when a newer run removed some meanwhile."""
    yield _lines([_HEADER])
    after, sent = -1, 0
    while sent < count:
        found = store.query(
            "SELECT f.number, f.item_ref, o.name, o.criticality, f.column_name, f.value, o.meaning "
            "FROM quality_failures f JOIN quality_outcomes o ON o.quality_run_id = f.quality_run_id "
            "AND o.position = f.position WHERE f.quality_run_id = :run AND f.kind = :kind AND f.number > :after "
            "ORDER BY f.number LIMIT :page",
            run=quality_run_id,
            kind=ItemKind.FAILING,
            after=after,
            page=_PAGE,
        )
        if not found:
            raise Conflict(
                "The failing items of this run are not kept any more.", hint="Download those of a newer run."
            )
        sent += len(found)
        after = rows.whole(found[-1], "number")
        names = ("item_ref", "name", "criticality", "column_name", "value", "meaning")
        yield _lines([tuple(harmless_cell(rows.text(row, name)) for name in names) for row in found])


def _lines(entries: list[tuple[str, ...]]) -> str:
    out = io.StringIO()
    csv.writer(out, lineterminator="\r\n").writerows(entries)
    return out.getvalue()
