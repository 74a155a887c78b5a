"""Texts that are nearly the same: MinHash signatures and locality-sensitive hashing, by the library rensa.

Broder, "On the resemblance and containment of documents" (1997): the share of equal MinHash values estimates the
Jaccard similarity of two sets; here the sets of the words of a text and of its pairs of neighbouring words.
"""

from __future__ import annotations

import hashlib
import itertools
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rensa import RMinHash

PERMUTATIONS = 128  # the estimate has a standard error of at most 1 / (2 * sqrt(128)), 0.044
SEED = 42
MOST_CHARACTERS = 20_000  # of a text; the rest says little more
_WORD = re.compile(r"\w+")
_LONG_WORD = 20  # letters a word on average above which a text is taken for one without blanks


@dataclass(frozen=True, slots=True)
class NearDuplicate:
    """An item in a group of near duplicates. The first of a group has similarity 1; the others are as near to it."""

    item_ref: str
    group: int
    similarity: float
    text: str


class NearDuplicates:
    """Take texts batch by batch and put each to the first earlier one that it resembles.

    A group is one text and those at least `threshold` similar to it, so that no chain of small steps joins texts that
    differ. The same texts in the same order give the same groups. Empty texts belong to none.
    """

    def __init__(self, threshold: float = 0.8) -> None:
        from rensa import RMinHashLSH

        self._threshold = threshold
        self._index = RMinHashLSH(threshold, PERMUTATIONS, _bands(threshold))
        self._leaders: dict[int, RMinHash] = {}
        self._same: dict[bytes, tuple[int, float]] = {}
        self._items: list[tuple[str, str]] = []  # item and the beginning of its text
        self._members: dict[int, list[tuple[int, float]]] = {}

    def add(self, item_refs: Sequence[str], texts: Sequence[str | None]) -> None:
        """Take the next texts, in the order of the items."""
        from rensa import RMinHash

        found = [(ref, text, shingles(text)) for ref, text in zip(item_refs, texts, strict=True) if text]
        found = [entry for entry in found if entry[2]]
        signatures = RMinHash.from_token_sets([entry[2] for entry in found], PERMUTATIONS, SEED)
        for (ref, text, _), signature in zip(found, signatures, strict=True):
            number = len(self._items)
            self._items.append((ref, text[:200]))
            key = hashlib.blake2b(text[:MOST_CHARACTERS].casefold().encode("utf-8", "replace"), digest_size=16).digest()
            self._place(number, key, signature)

    def groups(self) -> Iterator[NearDuplicate]:
        """The items of all groups with at least two, group by group, the first of each first."""
        joined = [leader for leader, members in sorted(self._members.items()) if members]
        for group, leader in enumerate(joined, start=1):
            yield self._item(leader, group, 1.0)
            for number, similarity in self._members[leader]:
                yield self._item(number, group, similarity)

    def _place(self, number: int, key: bytes, signature: RMinHash) -> None:
        """Join a text to the nearest leader, or make it one; a text seen before goes where it went then."""
        if key not in self._same:
            near = [(self._leaders[leader].jaccard(signature), -leader) for leader in self._index.query(signature)]
            best, leader = max(near, default=(0.0, 0))
            if best < self._threshold:
                self._index.insert(number, signature)
                self._leaders[number] = signature
                self._same[key] = (number, 1.0)
                self._members[number] = []
                return
            self._same[key] = (-leader, best)
        joined, similarity = self._same[key]
        self._members[joined].append((number, similarity))

    def _item(self, number: int, group: int, similarity: float) -> NearDuplicate:
        ref, text = self._items[number]
        return NearDuplicate(ref, group, similarity, text)


def shingles(text: str) -> list[str]:
    """The words of a text and its pairs of neighbouring words; of a text without blanks its runs of three letters."""
    lowered = text[:MOST_CHARACTERS].casefold()
    words = _WORD.findall(lowered)
    if sum(map(len, words)) > _LONG_WORD * len(words):
        joined = "".join(words)
        return list({joined[place : place + 3] for place in range(max(len(joined) - 2, 1))})
    return list({*words, *map(" ".join, itertools.pairwise(words))})


def _bands(threshold: float) -> int:
    """The fewest bands that find a pair at the threshold with a probability of 99 %: 1 - (1 - t^r)^b."""
    for bands in (2, 4, 8, 16, 32, 64):
        if 1 - (1 - threshold ** (PERMUTATIONS / bands)) ** bands >= 0.99:
            return bands
    return PERMUTATIONS
