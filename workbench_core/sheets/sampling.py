"""What a sample would take of each class, before it is saved (SH-12)."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING

from workbench_core.ports import Lake, Selection
from workbench_core.sheets.model import SheetDraft, Stratum

if TYPE_CHECKING:
    import pandas as pd

_BATCH = 100_000


def preview(lake: Lake, draft: SheetDraft) -> list[Stratum]:
    """The classes of a sample with their rows and the rows picked, the largest first; one line without classes.

    The sample is drawn as the sheet draws it, not estimated. Raises Invalid for a filter or column that is wrong.
    """
    drawn = draft.selection()
    everything = replace(drawn, sample_size=None, stratify_column="")
    if not draft.stratify_column:
        return [Stratum("", lake.count(everything), lake.count(drawn))]
    every, sampled = (_counted(lake, one, draft.stratify_column) for one in (everything, drawn))
    return [
        Stratum(value, count, sampled[value]) for value, count in sorted(every.items(), key=lambda i: (-i[1], i[0]))
    ]


def _counted(lake: Lake, selection: Selection, column: str) -> Counter[str]:
    counts: Counter[str] = Counter()
    batch: pd.DataFrame
    for batch in lake.batches(selection, columns=(column,), size=_BATCH):
        found = batch[column].astype("string").fillna("").value_counts()
        counts.update({str(value): int(count) for value, count in found.items()})
    return counts
