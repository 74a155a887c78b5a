"""The cached reads of exports: what decides about pairs, previews, sample records."""

from __future__ import annotations

from workbench_core import cached
from workbench_core.exports import ExportFormat, ExportPreview, ExportRequest, Tally


@cached.reads("pairs", max_entries=20)
def export_tally(revisions: tuple[int, ...], training_sheet_id: str, minimum_score: float) -> Tally:
    """The pairs of a training sheet, counted by what decides about them: one look at all of them."""
    return cached.workbench().exports.tally(training_sheet_id, minimum_score)


@cached.reads("pairs", "training_sheets")
def export_preview(revisions: tuple[int, ...], request: ExportRequest) -> ExportPreview:
    """What an export would hold, and why the rest stays out."""
    return cached.workbench().exports.preview(request, export_tally(request.training_sheet_id, request.minimum_score))


@cached.reads("pairs", max_entries=20)
def export_samples(revisions: tuple[int, ...], training_sheet_id: str, *, with_system: bool) -> dict[ExportFormat, str]:
    """The record of the first approved pair in every format."""
    return cached.workbench().exports.samples(training_sheet_id, with_system=with_system)
