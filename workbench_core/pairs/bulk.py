"""The words of bulk decisions: which pairs, what to do with them, what it would change, and what became of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from workbench_core.pairs.filters import PairFilter
from workbench_core.pairs.model import QualityFlag
from workbench_core.runs import Run
from workbench_core.usage import UsageRules

LARGE = 2_000  # pairs; more become a run
BULK_ACTIONS = ("approve", "reject", "flag", "reopen", "set_flags", "set_usage")


@dataclass(frozen=True, slots=True)
class Selection:
    """Some pairs of a training sheet, or everything that matches a filter.

    With `as_of`, pairs that were changed after that moment are left out: the person has not seen them as they are.
    """

    training_sheet_id: str
    pair_ids: tuple[str, ...] = ()
    wanted: PairFilter | None = None
    as_of: datetime | None = None


@dataclass(frozen=True, slots=True)
class BulkAction:
    """One action on many pairs: approve, reject, flag (needs a note), reopen, set_flags or set_usage (needs rules).

    `flags` are those that flag adds and set_flags leaves; `replace_labels` lets approve change canonical labels.
    """

    action: str
    note: str = ""
    flags: tuple[QualityFlag, ...] = ()
    rules: UsageRules | None = None
    replace_labels: bool = False


@dataclass(frozen=True, slots=True)
class BulkPreview:
    """What a bulk action would do now: pairs chosen, pairs that would change, and why the others would not.

    Changing and skipped pairs together are the matching ones. `labels_new` and `labels_replaced` are canonical labels
    that it would write; a large one becomes a run. `as_of` is the moment of the preview, for the selection.
    """

    matching: int
    changing: int
    skipped: Mapping[str, int] = field(default_factory=dict)
    labels_new: int = 0
    labels_replaced: int = 0
    is_large: bool = False
    as_of: datetime | None = None


@dataclass(frozen=True, slots=True)
class BulkOutcome:
    """How many pairs were changed and why others were left as they are; a large one is worked on by `run`."""

    done: int = 0
    skipped: Mapping[str, int] = field(default_factory=dict)
    run: Run | None = None
