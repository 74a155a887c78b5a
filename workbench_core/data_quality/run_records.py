"""Finished runs in the store: read with or without the samples of their checks, and compared item by item."""

from __future__ import annotations

from collections.abc import Sequence

from workbench_core import rows
from workbench_core.data_quality.results import (
    OUTCOME_COLUMNS,
    RUN_COLUMNS,
    ItemKind,
    QualityRun,
    RuleOutcome,
    RunComparison,
    Sample,
    outcome_from,
    rule_changes,
    run_from,
)
from workbench_core.errors import Invalid, NotFound
from workbench_core.ports import Row, Store

MOST_LISTED = 100
_COLUMNS = (
    f"{RUN_COLUMNS}, (SELECT COUNT(*) FROM quality_outcomes c WHERE c.quality_run_id = r.id) AS check_count "
    "FROM quality_runs r"
)


def find(store: Store, sheet_id: str, *, limit: int) -> list[QualityRun]:
    """Runs of a sheet, newest first, their outcomes without samples."""
    found = store.query(
        f"SELECT {_COLUMNS} WHERE sheet_id = :sheet ORDER BY run_at DESC, id DESC LIMIT :limit",
        sheet=sheet_id,
        limit=min(max(limit, 1), 100),
    )
    return _with_outcomes(store, found, columns=OUTCOME_COLUMNS)


def newest(store: Store, sheet_ids: Sequence[str]) -> dict[str, QualityRun]:
    """The newest run of each of these sheets that has one, without outcomes."""
    found = store.query(
        f"SELECT {_COLUMNS} WHERE sheet_id IN :sheets AND NOT EXISTS "
        "(SELECT 1 FROM quality_runs n WHERE n.sheet_id = r.sheet_id AND (n.run_at > r.run_at "
        "OR (n.run_at = r.run_at AND n.id > r.id))) ORDER BY sheet_id",
        sheets=list(sheet_ids),
    )
    return {rows.text(row, "sheet_id"): run_from(row, ()) for row in found}


def get(store: Store, quality_run_id: str) -> QualityRun:
    """One run with the samples of its checks. Raises NotFound."""
    found = store.query(f"SELECT {_COLUMNS} WHERE id = :id", id=quality_run_id)
    if not found:
        raise NotFound("This quality run does not exist.", hint="Choose one in the history of its sheet.")
    return _with_outcomes(store, found, columns=f"{OUTCOME_COLUMNS}, samples")[0]


def trends(store: Store, sheet_ids: Sequence[str], *, limit: int) -> dict[str, tuple[float, ...]]:
    """The pass rates of the last runs of each of these sheets that made a check, the oldest first."""
    found = store.query(
        "SELECT sheet_id, total, failed FROM (SELECT sheet_id, total, failed, run_at, id, ROW_NUMBER() OVER "
        "(PARTITION BY sheet_id ORDER BY run_at DESC, id DESC) AS place FROM quality_runs r WHERE sheet_id IN :sheets "
        "AND EXISTS (SELECT 1 FROM quality_outcomes o WHERE o.quality_run_id = r.id)) latest WHERE place <= :limit "
        "ORDER BY sheet_id, place DESC",
        sheets=list(sheet_ids),
        limit=limit,
    )
    rates: dict[str, tuple[float, ...]] = {}
    for row in found:
        total = rows.whole(row, "total")
        rate = 1.0 - rows.whole(row, "failed") / total if total else 1.0
        sheet_id = rows.text(row, "sheet_id")
        rates[sheet_id] = (*rates.get(sheet_id, ()), rate)
    return rates


def failing(store: Store, run: QualityRun, position: int, *, limit: int, offset: int) -> list[Sample]:
    """The items that fail one check of a run, with their values; the samples where single items are not kept."""
    if not run.keeps_items:
        return [one for outcome in run.outcomes if outcome.position == position for one in outcome.samples]
    found = store.query(
        "SELECT item_ref, value FROM quality_failures WHERE quality_run_id = :run AND kind = :kind "
        "AND position = :position ORDER BY number LIMIT :limit OFFSET :offset",
        run=run.id,
        kind=ItemKind.FAILING.value,
        position=position,
        limit=min(max(limit, 1), 1_000),
        offset=max(offset, 0),
    )
    return [Sample(rows.text(row, "item_ref"), rows.text(row, "value")) for row in found]


def kept_failing(store: Store, run: QualityRun, position: int) -> int:
    """How many failing items of one check there are to list: those kept, or the samples."""
    if not run.keeps_items:
        return sum(len(outcome.samples) for outcome in run.outcomes if outcome.position == position)
    found = store.query(
        "SELECT COUNT(*) AS items FROM quality_failures WHERE quality_run_id = :run AND kind = :kind "
        "AND position = :position",
        run=run.id,
        kind=ItemKind.FAILING.value,
        position=position,
    )
    return rows.whole(found[0], "items")


def before(store: Store, run: QualityRun) -> str:
    """The id of the run before this one; empty for the first."""
    found = store.query(
        "SELECT id FROM quality_runs WHERE sheet_id = :sheet AND (run_at < :at OR (run_at = :at AND id < :id)) "
        "ORDER BY run_at DESC, id DESC LIMIT 1",
        sheet=run.sheet_id,
        at=run.run_at,
        id=run.id,
    )
    return rows.text(found[0], "id") if found else ""


def compare(store: Store, before: QualityRun, after: QualityRun) -> RunComparison:
    """How the later run differs, check by check, and item by item where both keep all their failing items.

    Raises Invalid for runs of different sheets.
    """
    if before.sheet_id != after.sheet_id:
        raise Invalid("These runs are of different sheets.", hint="Choose two runs of one sheet.")
    changes = rule_changes(before, after)
    cut = [run for run in (before, after) if not run.is_complete]
    if cut:
        reason = "are not kept any more" if not cut[0].keeps_items else "were too many to keep all"
        return RunComparison(before, after, changes, note=f"The failing items of one run {reason}.")
    newly, newly_refs = _only_in(store, after.id, before.id)
    repaired, repaired_refs = _only_in(store, before.id, after.id)
    return RunComparison(before, after, changes, newly, repaired, newly_refs, repaired_refs)


def _only_in(store: Store, run_id: str, other_id: str) -> tuple[int, tuple[str, ...]]:
    """Items that fail an error check in one run and not in the other: how many, and the first of them."""
    where = (
        "FROM quality_failures f WHERE f.quality_run_id = :run AND f.kind = :kind AND f.is_error = TRUE AND NOT EXISTS "
        "(SELECT 1 FROM quality_failures o WHERE o.quality_run_id = :other AND o.kind = :kind AND o.is_error = TRUE "
        "AND o.item_ref = f.item_ref)"
    )
    wanted = {"run": run_id, "other": other_id, "kind": ItemKind.FAILING.value}
    counted = store.query(f"SELECT COUNT(DISTINCT f.item_ref) AS items {where}", **wanted)
    found = store.query(
        f"SELECT DISTINCT f.item_ref {where} ORDER BY f.item_ref LIMIT :most", most=MOST_LISTED, **wanted
    )
    return rows.whole(counted[0], "items"), tuple(rows.text(row, "item_ref") for row in found)


def _with_outcomes(store: Store, found: Sequence[Row], *, columns: str) -> list[QualityRun]:
    outcomes: dict[str, list[RuleOutcome]] = {}
    if found:
        read = store.query(
            f"SELECT {columns} FROM quality_outcomes WHERE quality_run_id IN :runs ORDER BY quality_run_id, position",
            runs=[rows.text(row, "id") for row in found],
        )
        for row in read:
            outcomes.setdefault(rows.text(row, "quality_run_id"), []).append(outcome_from(row))
    return [run_from(row, outcomes.get(rows.text(row, "id"), ())) for row in found]
