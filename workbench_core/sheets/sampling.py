"""What a sample would take of each class, before it is saved (SH-12)."""

from __future__ import annotations

from dataclasses import replace

from workbench_core.ports import Lake
from workbench_core.sheets.model import SheetDraft, Stratum


def preview(lake: Lake, draft: SheetDraft) -> list[Stratum]:
    """The classes of a sample with their rows and the rows picked, the largest first; one line without classes.

    The sample is drawn as the sheet draws it, not estimated. Raises Invalid for a filter or column that is wrong.
    """
    drawn = draft.selection()
    everything = replace(drawn, sample_size=None, stratify_column="")
    if not draft.stratify_column:
        return [Stratum("", lake.count(everything), lake.count(drawn))]
    every = lake.classes(everything, draft.stratify_column)
    sampled = dict(lake.classes(drawn, draft.stratify_column))
    return [Stratum(value, rows, sampled.get(value, 0)) for value, rows in every]
