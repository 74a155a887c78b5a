"""The analysis: evidence from evaluation items and feedback, joined to the sheet's rows, searched for weak slices."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from workbench_core.errors import Invalid
from workbench_core.gaps.model import GapType
from workbench_core.model_versions import ModelVersion
from workbench_core.ports import Lake, Selection, Store
from workbench_core.sheets import Sheet
from workbench_core.slices import Operator, Predicate, Slice, find_slices, gap_priority, select
from workbench_core.slices.search import NEAR_DUPLICATE
from workbench_core.statistics import required_sample

if TYPE_CHECKING:
    import pandas as pd

    from workbench_core.gaps.model import Gap

MINIMUM_ITEMS = 40
EVIDENCE_SHOWN = 20
FEWEST_PER_ARM, MOST_PER_ARM = 30, 200  # below 30 held-out items no closure can be computed
_OUTCOME = ("item_ref", "expected", "actual", "failed", "origin")
_SLICEABLE = {"string", "boolean", "integer", "floating", "mixed-integer-float", "decimal", "categorical"}
_CHUNK = 5000


@dataclass(frozen=True, slots=True)
class Evidence:
    """Known outcomes of one version, one row an item.

    `outcomes` has item_ref, expected, actual, failed and origin; `items` has the sheet's columns of the same items in
    the same order. `columns` are those that may describe a slice, `text` those whose topics may.
    """

    outcomes: pd.DataFrame
    items: pd.DataFrame
    columns: tuple[str, ...]
    text: tuple[str, ...]

    @property
    def sources(self) -> dict[str, int]:
        """How many items come from where."""
        return {str(name): int(count) for name, count in self.outcomes["origin"].value_counts().items()}

    @property
    def failures(self) -> int:
        """How many items failed."""
        return int(self.outcomes["failed"].sum())


@dataclass(frozen=True, slots=True)
class AnalysisResult:
    """What an analysis did: gaps found anew, gaps seen again, and how much it looked at."""

    new: tuple[str, ...]
    seen_again: tuple[str, ...]
    examined_items: int
    failures: int
    sources: dict[str, int]


@dataclass(frozen=True, slots=True)
class FoundGap:
    """A slice with what a gap adds to it: its kind, its size in records, its identity."""

    slice: Slice
    gap_type: GapType
    training_share: float
    estimated_records: int
    priority: int
    fingerprint: str


def gather(store: Store, lake: Lake, made: ModelVersion, sheet: Sheet) -> Evidence:
    """All outcomes of a version that are known: held-out evaluation items, and requests that somebody judged.

    An item counts once: the newest evaluation of it stands for all, and of an item that was also judged the failure
    stands. Dates and nested values describe no slice. Raises Invalid when fewer than 40 items are known.
    """
    import pandas as pd

    known = pd.concat([_evaluated(store, made), _judged(store, made, sheet)])
    known = known.sort_values("failed", ascending=False, kind="stable").drop_duplicates("item_ref")
    source = items_of(lake, sheet, known["item_ref"].tolist(), columns=sheet.columns)
    outcomes = known[known["item_ref"].isin(source.index)].sort_values("item_ref").reset_index(drop=True)
    if len(outcomes) < MINIMUM_ITEMS:
        raise Invalid(
            f"Only {len(outcomes)} outcomes of {made.title} are known; an analysis needs {MINIMUM_ITEMS}.",
            hint="Evaluate the version on held-out items, or collect feedback on its answers.",
        )
    items = source.loc[outcomes["item_ref"]].reset_index(drop=True)
    columns = tuple(
        name
        for name in sheet.metadata_columns
        if name not in sheet.image_columns and pd.api.types.infer_dtype(items[name], skipna=True) in _SLICEABLE
    )
    return Evidence(outcomes, items, columns, sheet.text_columns)


def _evaluated(store: Store, made: ModelVersion) -> pd.DataFrame:
    """The newest evaluation of every item that the version answered."""
    found = store.frame(
        "SELECT i.item_ref, i.expected, i.actual, i.is_correct FROM evaluation_items i "
        "JOIN evaluations e ON e.id = i.evaluation_id WHERE e.model_name = :name AND e.version = :version "
        "AND e.status = 'succeeded' AND i.error = '' ORDER BY e.created_at, e.id, i.item_ref",
        name=made.model_name,
        version=made.version,
    ).drop_duplicates("item_ref", keep="last")
    failed = ~found["is_correct"].astype(bool)
    return found.assign(failed=failed, origin="evaluation")[list(_OUTCOME)]


def _judged(store: Store, made: ModelVersion, sheet: Sheet) -> pd.DataFrame:
    """What people said about answers on items of this sheet."""
    found = store.frame(
        "SELECT item_ref, correction AS expected, output AS actual, rating FROM feedback "
        "WHERE model_name = :name AND version = :version AND item_ref <> '' AND status <> 'dismissed' "
        "AND sheet_id IN ('', :sheet) ORDER BY item_ref",
        name=made.model_name,
        version=made.version,
        sheet=sheet.id,
    )
    return found.assign(failed=found["rating"] == "negative", origin="feedback")[list(_OUTCOME)]


def items_of(lake: Lake, sheet: Sheet, item_refs: Sequence[str], *, columns: Sequence[str]) -> pd.DataFrame:
    """The source rows of some items by `item_ref`, found by identity alone: neither filter nor sample applies."""
    import pandas as pd

    pages = [
        lake.page(
            Selection(sheet.relation, sheet.item_id_column, item_refs=tuple(item_refs[start : start + _CHUNK])),
            columns=columns,
            limit=_CHUNK,
        )
        for start in range(0, len(item_refs), _CHUNK)
    ]
    if not pages:
        return pd.DataFrame(columns=list(columns))
    found = pd.concat(pages, ignore_index=True)
    references = found["item_ref"].astype(str)
    return found.set_index(references.rename(None))[~references.duplicated().to_numpy()]


def search(evidence: Evidence, trained: pd.DataFrame, made: ModelVersion) -> list[FoundGap]:
    """Weak slices of the evidence, as gaps, the most urgent first. `trained` holds the training items' source rows."""
    slices = find_slices(
        evidence.items,
        evidence.outcomes["failed"].to_numpy(dtype=bool),
        columns=evidence.columns,
        text=evidence.text,
    )
    found = [_found(one, len(evidence.items), trained, made) for one in slices]
    return sorted(found, key=lambda gap: -gap.priority)


def known_gap(found: FoundGap, known: Sequence[Gap], evidence: Evidence) -> Gap | None:
    """The known gap that a found one is: the same words, or nearly the same items (Jaccard index above 0.8).

    Cuts of numbers and names of topics move a little whenever evidence comes; the weakness is the same one.
    """
    for gap in known:
        if gap.fingerprint == found.fingerprint:
            return gap
    members = np.zeros(len(evidence.items), dtype=bool)
    members[found.slice.item_positions] = True
    for gap in known:
        if not _can_select(gap.predicate, evidence):
            continue
        others = select(gap.predicate, evidence.items)
        if (members & others).sum() > NEAR_DUPLICATE * (members | others).sum():
            return gap
    return None


def evidence_rows(evidence: Evidence, one: Slice) -> list[dict[str, str]]:
    """A sample of the failed items of a slice, to look at."""
    names = ["item_ref", "expected", "actual", "origin"]
    members = evidence.outcomes.iloc[one.item_positions]
    failed = members[members["failed"].astype(bool)].head(EVIDENCE_SHOWN)
    return [
        dict(zip(names, map(str, values), strict=True))
        for values in failed[names].fillna("").itertuples(index=False, name=None)
    ]


def records_per_arm(rate: float) -> int:
    """How many items the train part and the held-out part need each, so that halving an error rate can be shown.

    For 80 % power at the 5 % level (Fleiss, Levin and Paik 2003), between 30 and 200.
    """
    needed = required_sample(rate, rate / 2) if rate > 0 else MOST_PER_ARM
    return int(np.clip(needed, FEWEST_PER_ARM, MOST_PER_ARM))


def _found(one: Slice, items: int, trained: pd.DataFrame, made: ModelVersion) -> FoundGap:
    share_of_training = float(select(one.predicate, trained).mean()) if len(trained) else 0.0
    scarce = share_of_training < one.support / items / 2
    words = f"{made.model_name}\n{made.sheet_id}\n{one.description}"
    return FoundGap(
        slice=one,
        gap_type=GapType.COVERAGE if scarce else GapType.QUALITY,
        training_share=share_of_training,
        estimated_records=2 * records_per_arm(one.rate),
        priority=gap_priority(one.severity, one.support, one.rate),
        fingerprint=hashlib.sha256(words.encode()).hexdigest(),
    )


def _can_select(predicate: Predicate, evidence: Evidence) -> bool:
    """Whether the columns of an older predicate are still there."""
    clustered = predicate.clusters.columns if predicate.clusters else ()
    named = [condition.column for condition in predicate.conditions if condition.operator is not Operator.IN_CLUSTER]
    return {*named, *clustered} <= set(evidence.items.columns)
