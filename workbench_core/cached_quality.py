"""The cached reads of data quality: what people decide about rules and items shows at once."""

from __future__ import annotations

from workbench_core import cached
from workbench_core.data_quality import (
    Criticality,
    Decision,
    ItemDetails,
    ItemKind,
    ItemState,
    QualityRun,
    QueueFilter,
    QueuePage,
    Rule,
    RuleDraft,
    RuleSuggestion,
    RunComparison,
    Sample,
    SheetProfile,
)


@cached.reads("quality_runs")
def latest(revisions: tuple[int, ...], sheet_id: str) -> QualityRun | None:
    """The newest run of the checks of a sheet with samples."""
    return cached.workbench().data_quality.latest(sheet_id)


@cached.reads("quality_runs")
def latest_of(revisions: tuple[int, ...], sheet_ids: tuple[str, ...]) -> dict[str, QualityRun]:
    """The newest run of each of these sheets."""
    return cached.workbench().data_quality.latest_of(sheet_ids)


@cached.reads("quality_runs")
def trends(revisions: tuple[int, ...], sheet_ids: tuple[str, ...]) -> dict[str, tuple[float, ...]]:
    """The pass rates of the last runs of each of these sheets, the oldest first."""
    return cached.workbench().data_quality.trends(sheet_ids)


@cached.reads("quality_runs")
def runs(revisions: tuple[int, ...], sheet_id: str, limit: int) -> list[QualityRun]:
    """The last runs of a sheet, newest first."""
    return cached.workbench().data_quality.find_runs(sheet_id, limit=limit)


@cached.reads("quality_runs")
def run(revisions: tuple[int, ...], quality_run_id: str) -> QualityRun:
    """One run with samples."""
    return cached.workbench().data_quality.get_run(quality_run_id)


@cached.reads("quality_runs", "quality_failures")
def failures(revisions: tuple[int, ...], quality_run_id: str, position: int, limit: int, offset: int) -> list[Sample]:
    """Items that fail one check of a run, with their values."""
    return cached.workbench().data_quality.failing(quality_run_id, position, limit=limit, offset=offset)


@cached.reads("quality_runs", "quality_failures")
def kept_failing(revisions: tuple[int, ...], quality_run_id: str, position: int) -> int:
    """How many items that fail one check of a run can be listed."""
    return cached.workbench().data_quality.kept_failing(quality_run_id, position)


@cached.reads("quality_runs", "quality_failures")
def comparison(revisions: tuple[int, ...], before_id: str, after_id: str) -> RunComparison:
    """How one run differs from another."""
    return cached.workbench().data_quality.compare(before_id, after_id)


@cached.reads("quality_runs", "quality_failures")
def comparison_with_previous(revisions: tuple[int, ...], quality_run_id: str) -> RunComparison | None:
    """How a run differs from the one before it."""
    return cached.workbench().data_quality.compare_with_previous(quality_run_id)


@cached.reads("quality_profiles")
def profile(revisions: tuple[int, ...], sheet_id: str) -> SheetProfile | None:
    """The kept profile of a sheet."""
    return cached.workbench().data_quality.kept_profile(sheet_id)


@cached.reads("quality_profiles", "quality_rules")
def suggestions(revisions: tuple[int, ...], sheet_id: str) -> list[RuleSuggestion]:
    """Rules that the profile suggests and the sheet has not."""
    return cached.workbench().data_quality.suggestions(sheet_id)


@cached.reads("quality_rules")
def rules(revisions: tuple[int, ...], sheet_id: str) -> list[Rule]:
    """All rules of a sheet."""
    return cached.workbench().data_quality.rules(sheet_id)


@cached.reads("quality_rules")
def rule_counts(revisions: tuple[int, ...], sheet_ids: tuple[str, ...]) -> dict[str, int]:
    """How many rules each of these sheets has."""
    return cached.workbench().data_quality.rule_counts(sheet_ids)


@cached.reads("sheets", cached.LAKE)
def rule_problems(revisions: tuple[int, ...], sheet_id: str, draft: RuleDraft) -> list[str]:
    """Why a rule cannot run on a sheet."""
    return cached.workbench().data_quality.problems(sheet_id, draft)


@cached.reads("quality_runs", "quality_failures", "quarantined_items")
def counts(revisions: tuple[int, ...], sheet_id: str) -> dict[ItemKind, int]:
    """How many items of each kind are open in the fix queue."""
    return cached.workbench().data_quality.fix_queue.counts(sheet_id)


@cached.reads("quality_runs", "quality_failures", "quarantined_items")
def counts_by_severity(revisions: tuple[int, ...], sheet_id: str) -> dict[Criticality, int]:
    """How many open items fail an error, and how many fail warnings alone."""
    return cached.workbench().data_quality.fix_queue.counts_by_severity(sheet_id)


@cached.reads("quality_runs", "quality_failures", "quarantined_items")
def count_of_all(
    revisions: tuple[int, ...], sheet_id: str, decision: Decision, wanted: QueueFilter, keep_first: bool
) -> int:
    """How many items a decision about everything that is listed would be about."""
    return cached.workbench().data_quality.fix_queue.count_of_all(sheet_id, decision, wanted, keep_first=keep_first)


@cached.reads("quality_runs", "quality_failures", "quarantined_items")
def queue(revisions: tuple[int, ...], sheet_id: str, wanted: QueueFilter, limit: int, offset: int) -> QueuePage:
    """A page of the fix queue."""
    return cached.workbench().data_quality.fix_queue.items(sheet_id, wanted, limit=limit, offset=offset)


@cached.reads("quarantined_items", "quality_runs")
def decided(
    revisions: tuple[int, ...], sheet_id: str, state: ItemState, search: str, limit: int, offset: int
) -> QueuePage:
    """A page of the items that are set aside or accepted."""
    return cached.workbench().data_quality.fix_queue.decided(
        sheet_id, state=state, search=search, limit=limit, offset=offset
    )


@cached.reads("quality_runs", "quality_failures", "quarantined_items", "quality_decisions", "history")
def item(revisions: tuple[int, ...], sheet_id: str, item_ref: str) -> ItemDetails:
    """One item with its values and everything that is wrong with it."""
    return cached.workbench().data_quality.fix_queue.item(sheet_id, item_ref)


@cached.reads("quarantined_items")
def set_aside_count(revisions: tuple[int, ...], sheet_id: str) -> int:
    """How many items of a sheet are set aside."""
    return cached.workbench().data_quality.quarantine.count(sheet_id)


@cached.reads("quarantined_items")
def set_aside_counts(revisions: tuple[int, ...], sheet_ids: tuple[str, ...]) -> dict[str, int]:
    """How many items of each of these sheets are set aside."""
    return cached.workbench().data_quality.quarantine.counts(sheet_ids)
