"""A finished run as files: the whole report as JSON, and the failing values as CSV (DQ-7)."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterator

from workbench_core import rows
from workbench_core.data_quality.results import ItemKind, QualityRun, RuleOutcome
from workbench_core.ports import Json, Store

_PAGE = 5_000
_FORMULA = ("=", "+", "-", "@", "\t", "\r")
_NUMBER = re.compile(r"[+-]?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?")
_HEADER = ("item_ref", "rule", "criticality", "columns", "value", "meaning")


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
        "pass_rate": run.pass_rate,
        "score": round(run.score, 2),
        "verdict": run.word.value,
        "summary": run.sentence,
        "checks": [_outcome_json(outcome) for outcome in run.outcomes],
        "scans": {
            kind.value: {"items": scan.items, "groups": scan.groups, "how": scan.note}
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


def failures_csv(store: Store, quality_run_id: str) -> Iterator[str]:
    """The kept failing values of a run as CSV, some thousand lines at a time, the header first."""
    yield _lines([_HEADER])
    after = -1
    while True:
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
            return
        after = rows.whole(found[-1], "number")
        names = ("item_ref", "name", "criticality", "column_name", "value", "meaning")
        yield _lines([tuple(harmless(rows.text(row, name)) for name in names) for row in found])


def harmless(text: str) -> str:
    """The text with an apostrophe in front when a spreadsheet would run it as a formula; a number stays one."""
    return f"'{text}" if text.startswith(_FORMULA) and not _NUMBER.fullmatch(text) else text


def _lines(entries: list[tuple[str, ...]]) -> str:
    out = io.StringIO()
    csv.writer(out, lineterminator="\r\n").writerows(entries)
    return out.getvalue()
