"""What the store knows about single items: their problems in the newest runs, their groups, past decisions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from workbench_core import rows
from workbench_core.data_quality.queue_items import Decision, PastDecision, Problem, problem_from
from workbench_core.data_quality.results import ItemKind, cut_sentence
from workbench_core.ports import Store

MOST_PROBLEMS = 200


def runs_of(store: Store, sheet_id: str) -> dict[ItemKind, str]:
    """For each kind the newest run that could look for it; every run looks for failing items."""
    found = store.query(
        "SELECT id, scans FROM quality_runs WHERE sheet_id = :sheet ORDER BY run_at DESC, id DESC LIMIT 100",
        sheet=sheet_id,
    )
    runs: dict[ItemKind, str] = {}
    for row in found:
        runs.setdefault(ItemKind.FAILING, rows.text(row, "id"))
        for kind, scan in rows.json_object(row, "scans").items():
            if isinstance(scan, dict) and scan.get("refused"):
                continue  # what an earlier run found still stands
            runs.setdefault(ItemKind(kind), rows.text(row, "id"))
    return runs


def problems(store: Store, refs: Sequence[str], runs: Mapping[ItemKind, str]) -> dict[str, tuple[Problem, ...]]:
    """What is wrong with these items in the given runs, errors first."""
    if not refs or not any(runs.values()):
        return {}
    found = store.query(
        "SELECT f.item_ref, f.kind, f.quality_run_id, f.column_name, f.value, f.group_number, f.score, o.name, "
        "o.meaning, o.criticality FROM quality_failures f LEFT JOIN quality_outcomes o "
        "ON o.quality_run_id = f.quality_run_id AND o.position = f.position "
        "WHERE f.quality_run_id IN :runs AND f.item_ref IN :refs "
        "ORDER BY f.kind, f.is_error DESC, f.number LIMIT :most",
        runs=[run_id for run_id in set(runs.values()) if run_id],
        refs=list(refs),
        most=MOST_PROBLEMS * max(len(refs), 1),
    )
    several: dict[str, list[Problem]] = {}
    for row in found:
        if runs.get(ItemKind(rows.text(row, "kind"))) == rows.text(row, "quality_run_id"):
            several.setdefault(rows.text(row, "item_ref"), []).append(problem_from(row))
    return {ref: tuple(wrong) for ref, wrong in several.items()}


def decisions(store: Store, sheet_id: str, item_ref: str) -> tuple[PastDecision, ...]:
    """All decisions about an item, latest first."""
    found = store.query(
        "SELECT decision, reason, decided_by, decided_at FROM quality_decisions "
        "WHERE sheet_id = :sheet AND item_ref = :item ORDER BY decided_at DESC, decision_id",
        sheet=sheet_id,
        item=item_ref,
    )
    return tuple(
        PastDecision(
            Decision(rows.text(row, "decision")),
            rows.text(row, "reason"),
            rows.text(row, "decided_by"),
            rows.time(row, "decided_at"),
        )
        for row in found
    )


def members_of(store: Store, sheet_id: str, found: Sequence[Problem]) -> dict[ItemKind, tuple[str, ...]]:
    """The first hundred items of each group of duplicates that an item is in."""
    runs = runs_of(store, sheet_id)
    members: dict[ItemKind, tuple[str, ...]] = {}
    for problem in found:
        if problem.group is None:
            continue
        read = store.query(
            "SELECT item_ref FROM quality_failures WHERE quality_run_id = :run AND kind = :kind "
            "AND group_number = :group_number ORDER BY number LIMIT 100",
            run=runs[problem.kind],
            kind=problem.kind.value,
            group_number=problem.group,
        )
        members[problem.kind] = tuple(rows.text(row, "item_ref") for row in read)
    return members


def cut_note(store: Store, run_id: str, kind: ItemKind) -> str:
    """That a run found more than it keeps, so that a list or a decision is not about every one; empty otherwise."""
    found = store.query("SELECT failure_count, kept_failures, scans FROM quality_runs WHERE id = :run", run=run_id)
    if not found:
        return ""
    every, kept = rows.whole(found[0], "failure_count"), rows.whole(found[0], "kept_failures")
    if kind is not ItemKind.FAILING:
        scan = rows.json_object(found[0], "scans").get(kind)
        every, kept = (int(str(scan["items"])), int(str(scan["kept"]))) if isinstance(scan, dict) else (0, 0)
    return cut_sentence(every, kept, kind)
