"""Which part an item goes to: by a seeded hash of the item, never where its uses forbid it, all its pairs together.

Decision 0014: without labels the hash alone decides, as in a training with the same seed and shares, so that an item
keeps its part when others come. Stratified, every label gets its exact shares up to rounding, in the order of the hash.
"""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction

import numpy as np
import numpy.typing as npt

from workbench_core.exports.requests import PARTS, PartShares
from workbench_core.training_gate import USE_OF, Split
from workbench_core.usage import UsageRules

Positions = npt.NDArray[np.float64]
Small = npt.NDArray[np.int8]
Codes = npt.NDArray[np.int32]
NOWHERE = -1
_TRAIN, _VALIDATION, _TEST = range(3)
_FALLBACK = (_TRAIN, _TEST, _VALIDATION)  # as the gate of training: what may not check it may still be learned


def permitted_parts(usage: UsageRules, shares: PartShares | None) -> int:
    """The parts that usage rules permit as bits, in the order of `PARTS`; of those that are to have anything."""
    wanted: Iterable[Split] = shares.by_part if shares else ()
    return sum(1 << PARTS.index(part) for part in wanted if usage.permits(USE_OF[part]))


def assign_parts(positions: Positions, permitted: Small, shares: PartShares, labels: Codes | None = None) -> Small:
    """The part of each pair as its place in `PARTS`, or `NOWHERE` when none is permitted.

    `positions` are those of the items in [0, 1): pairs with the same one belong to the same item and share the part,
    which all of them must permit. `permitted` are bits from `permitted_parts`. With `labels` the shares are kept in
    each of them.
    """
    if not len(positions):
        return np.zeros(0, dtype=np.int8)
    order = np.argsort(positions, kind="stable")
    ordered = positions[order]
    first = np.flatnonzero(np.concatenate(([True], ordered[1:] != ordered[:-1])))  # of each item
    allowed = np.bitwise_and.reduceat(permitted[order], first)
    of_items = (
        _by_hash(ordered[first], allowed, shares)
        if labels is None
        else _by_label(allowed, labels[order[first]], shares)
    )
    parts = np.empty(len(positions), dtype=np.int8)
    parts[order] = np.repeat(of_items, np.diff(first, append=len(order)))
    return parts


def _by_hash(items: Positions, allowed: Small, shares: PartShares) -> Small:
    """Where the hash lies between the borders decides; where that is not permitted, the first part that is."""
    borders = (shares.train / 100, (shares.train + shares.validation) / 100)
    wanted = np.searchsorted(borders, items, side="right").astype(np.int8)
    parts = np.where((allowed >> wanted) & 1 > 0, wanted, np.int8(NOWHERE))
    for part in _FALLBACK:
        parts = np.where((parts == NOWHERE) & (allowed >> part & 1 > 0), np.int8(part), parts)
    return parts.astype(np.int8)


def _by_label(allowed: Small, labels: Codes, shares: PartShares) -> Small:
    """Exact shares of each label; `allowed` and `labels` come in the order of the hash, the last are held out."""
    parts = np.full(len(allowed), NOWHERE, dtype=np.int8)
    for places in _places_of(labels):
        _, validation, test = quotas(len(places), shares)
        left = _take(parts, places[::-1], allowed, part=_TEST, quota=test)
        left = _take(parts, left, allowed, part=_VALIDATION, quota=validation)
        for part in _FALLBACK:
            left = _take(parts, left, allowed, part=part, quota=len(left))
    return parts


def _places_of(labels: Codes) -> list[npt.NDArray[np.int64]]:
    """The places of each label, in their order."""
    order = np.argsort(labels, kind="stable")
    borders = np.flatnonzero(np.diff(labels[order])) + 1
    return np.split(order, borders) if len(order) else []


def _take(
    parts: Small, places: npt.NDArray[np.int64], allowed: Small, *, part: int, quota: int
) -> npt.NDArray[np.int64]:
    """Put the first of `places` that permit it into a part, and give the rest; those without another go first."""
    may = allowed[places] >> part & 1 > 0
    elsewhere = allowed[places] >> _TRAIN & 1 > 0
    chosen = np.concatenate([np.flatnonzero(may & ~elsewhere), np.flatnonzero(may & elsewhere)])[:quota]
    parts[places[chosen]] = part
    return np.delete(places, chosen)


def quotas(count: int, shares: PartShares) -> tuple[int, int, int]:
    """How many of `count` items each part gets: whole numbers that add up, by the largest remainders."""
    exact = [Fraction(count * share, 100) for share in (shares.train, shares.validation, shares.test)]
    whole = [int(share) for share in exact]
    order = sorted(range(3), key=lambda part: (whole[part] - exact[part], part))
    for part in order[: count - sum(whole)]:
        whole[part] += 1
    return whole[0], whole[1], whole[2]
