"""The cached reads of the review desk: pages, counts beside the filter, the queue, comments, what undo would do."""

from __future__ import annotations

from datetime import datetime

from workbench_core import cached
from workbench_core.label_sets import LabelSet
from workbench_core.pairs import (
    PENDING,
    BulkAction,
    BulkPreview,
    Comment,
    Draft,
    Facets,
    Pair,
    PairFilter,
    PairPage,
    ReviewStatistics,
    Selection,
    Steps,
)
from workbench_core.training_sheets import TrainingSheet


@cached.reads("pairs", "pair_comments", max_entries=100)
def pair_page(
    revisions: tuple[int, ...],
    training_sheet_id: str,
    wanted: PairFilter,
    after: int = 0,
    before: int | None = None,
    limit: int = 100,
) -> PairPage:
    """The lines behind position `after`, or in front of position `before`."""
    return cached.workbench().pairs.page(training_sheet_id, wanted, after=after, before=before, limit=limit)


@cached.reads("pairs", max_entries=20)
def queue(
    revisions: tuple[int, ...], training_sheet_id: str, wanted: PairFilter = PENDING, after: int = 0, limit: int = 200
) -> list[Pair]:
    """The next whole pairs that match."""
    return cached.workbench().pairs.queue(training_sheet_id, wanted, after=after, limit=limit)


@cached.reads("pairs")
def facets(revisions: tuple[int, ...], training_sheet_id: str, wanted: PairFilter) -> Facets:
    """How many pairs each status, source and flag would give."""
    return cached.workbench().pairs.facets(training_sheet_id, wanted)


@cached.reads("pairs", "pair_reviews", "review_steps")
def statistics(revisions: tuple[int, ...], training_sheet_id: str) -> ReviewStatistics:
    """How far a review is, and how people decide."""
    return cached.workbench().pairs.statistics(training_sheet_id)


@cached.reads("review_steps", "pair_reviews", "former_usages")
def steps(revisions: tuple[int, ...], training_sheet_id: str, by: str) -> Steps:
    """What undo and redo would do for a person."""
    return cached.workbench().pairs.steps(training_sheet_id, by=by)


@cached.reads("pair_drafts")
def drafts(revisions: tuple[int, ...], pair_ids: tuple[str, ...], by: str) -> dict[str, Draft]:
    """A person's own drafts of these pairs."""
    return cached.workbench().pairs.drafts(pair_ids, by=by)


@cached.reads("pair_comments")
def comments(revisions: tuple[int, ...], pair_id: str) -> list[Comment]:
    """What people wrote about a pair."""
    return cached.workbench().pairs.comments(pair_id)


@cached.reads("pair_comments")
def comment_counts(revisions: tuple[int, ...], pair_ids: tuple[str, ...]) -> dict[str, int]:
    """How many comments these pairs have."""
    return cached.workbench().pairs.comment_counts(pair_ids)


@cached.reads("pairs", "canonical_labels", "training_sheets", ttl="30s", max_entries=20)
def bulk_preview(revisions: tuple[int, ...], selection: Selection, action: BulkAction, by: str) -> BulkPreview:
    """What a bulk action would do now."""
    return cached.workbench().pairs.preview_bulk(selection, action, by=by)


@cached.reads("training_sheets", "pairs", ttl="30s", max_entries=50)
def training_sheet(revisions: tuple[int, ...], training_sheet_id: str) -> TrainingSheet:
    """One training sheet with its pairs counted. Raises NotFound."""
    return cached.workbench().training_sheets.get(training_sheet_id)


@cached.reads("review_steps")
def latest_steps(revisions: tuple[int, ...], training_sheet_ids: tuple[str, ...], by: str) -> dict[str, datetime]:
    """When a person decided last in each of these training sheets."""
    return cached.workbench().pairs.latest_steps(training_sheet_ids, by=by)


@cached.reads("training_sheets", ttl="5m")
def label_types(revisions: tuple[int, ...], sheet_id: str) -> tuple[str, ...]:
    """The label types of which items of a sheet have canonical labels."""
    return tuple(one.label_type for one in cached.workbench().canonical_labels.coverage(sheet_id))


@cached.reads("label_sets")
def label_set(revisions: tuple[int, ...], label_type: str) -> LabelSet | None:
    """The label set that answers of a label type follow, if any."""
    return cached.workbench().label_sets.for_type(label_type)
