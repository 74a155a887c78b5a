"""Texts that are nearly the same: MinHash signatures and locality-sensitive hashing, by the library rensa.

Broder, "On the resemblance and containment of documents" (1997): the share of equal MinHash values estimates the
Jaccard similarity of two sets; here the sets of the words of a text and of its pairs of neighbouring words. A text is
kept as 2 bytes of each value (Li and König, "b-Bit Minwise Hashing", 2010): some 400 bytes, however long it is.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np

PERMUTATIONS = 128  # the estimate has a standard error of at most 1 / (2 * sqrt(128)), 0.044
SEED = 42
MOST_CHARACTERS = 20_000  # of a text; the rest says little more
_WORD = re.compile(r"\w+")
_LONG_WORD = 20  # letters a word on average above which a text is taken for one without blanks
_FOUND = 0.9  # the share of pairs at the threshold that are looked at; nearer ones are hardly ever missed
_STEP = 10_000  # texts between two looks at whether to go on


@dataclass(frozen=True, slots=True)
class NearDuplicate:
    """An item in a group of near duplicates. The first of a group has similarity 1; the others are as near to it."""

    item_ref: str
    group: int
    similarity: float


class NearDuplicates:
    """Take texts batch by batch, then put each to the first earlier one that it resembles.

    A group is one text and those at least `threshold` similar to it, so that no chain of small steps joins texts that
    differ. The same texts in the same order give the same groups. Empty texts belong to none.
    """

    def __init__(self, threshold: float = 0.8) -> None:
        self._threshold = threshold
        self._bands = _bands(threshold)
        self._refs: list[str] = []
        self._signatures = bytearray()  # uint16, PERMUTATIONS of each text
        self._keys = bytearray()  # uint32, one of each band of each text

    def add(self, item_refs: Sequence[str], texts: Sequence[str | None]) -> None:
        """Take the next texts, in the order of the items."""
        import numpy as np
        from rensa import RMinHash

        found = [(ref, shingles(text)) for ref, text in zip(item_refs, texts, strict=True) if text]
        found = [entry for entry in found if entry[1]]
        if not found:
            return
        matrix = RMinHash.digest_matrix_from_token_sets([entry[1] for entry in found], PERMUTATIONS, SEED)
        signatures = np.array(matrix.to_rows(), dtype=np.uint32)
        self._refs += [entry[0] for entry in found]
        self._signatures += signatures.astype(np.uint16).tobytes()  # the lowest bits of each value
        self._keys += _band_keys(signatures, self._bands).tobytes()

    def groups(self, go_on: Callable[[], None] = lambda: None) -> Iterator[NearDuplicate]:
        """The items of all groups with at least two, group by group, the first of each first.

        `go_on` is called now and then, and raises when the work must stop.
        """
        import numpy as np

        leaders, similarities = self._leaders(go_on)
        sizes = np.bincount(leaders, minlength=len(leaders))
        grouped = np.flatnonzero(sizes[leaders] > 1)
        group, last = 0, -1
        for number in grouped[np.argsort(leaders[grouped], kind="stable")].tolist():
            group += int(leaders[number]) != last
            last = int(leaders[number])
            yield NearDuplicate(self._refs[number], group, float(similarities[number]))

    def _leaders(self, go_on: Callable[[], None]) -> tuple[np.ndarray, np.ndarray]:
        """For each text the one that leads its group (itself, if none before resembles it), and how near it is."""
        import numpy as np

        signatures = np.frombuffer(self._signatures, dtype=np.uint16).reshape(-1, PERMUTATIONS)
        leaders, similarities = np.arange(len(signatures)), np.ones(len(signatures))
        buckets = _Buckets(np.frombuffer(self._keys, dtype=np.uint32).reshape(-1, self._bands))
        for step, (number, shared) in enumerate(buckets.texts()):
            if step % _STEP == 0:
                go_on()
            near = buckets.leaders(shared)
            shares = (signatures[near] == signatures[number]).mean(axis=1)
            if len(near) and shares.max() >= self._threshold:
                leaders[number], similarities[number] = near[shares.argmax()], shares.max()
            else:
                buckets.lead(number, shared)
        return leaders, similarities


class _Buckets:
    """Texts with the same key in a band share a bucket; only what resembles a text can share one with it.

    A bucket is named by its place in `_members`, where as many places follow as texts share it: its leaders fill them
    from the left. A text that is alone in all its buckets needs no look at all.
    """

    def __init__(self, keys: np.ndarray) -> None:
        import numpy as np

        texts, buckets, before = [], [], 0
        for band in range(keys.shape[1]):
            order = np.argsort(keys[:, band], kind="stable")
            ordered = keys[order, band]
            is_first = np.append(True, ordered[1:] != ordered[:-1])[: len(ordered)]
            is_alone = is_first & np.append(is_first[1:], True)[: len(ordered)]
            is_first = is_first[~is_alone]
            texts.append(order[~is_alone].astype(np.int32))
            places = np.arange(before, before + len(is_first), dtype=np.int64)
            buckets.append(np.maximum.accumulate(np.where(is_first, places, 0)))
            before += len(is_first)
        every = np.concatenate(texts)
        by_text = np.argsort(every, kind="stable")
        self._texts, self._buckets = every[by_text], np.concatenate(buckets)[by_text]
        self._members = np.zeros(before, dtype=np.int32)
        self._filled = np.zeros(before, dtype=np.int32)

    def texts(self) -> Iterator[tuple[int, np.ndarray]]:
        """The texts that share a bucket, in their order, with these buckets."""
        import numpy as np

        borders = np.flatnonzero(np.diff(self._texts, prepend=-1, append=-1)).tolist()
        for start, end in itertools.pairwise(borders):
            yield int(self._texts[start]), self._buckets[start:end]

    def leaders(self, buckets: np.ndarray) -> np.ndarray:
        """The leaders in these buckets, each once, in their order."""
        import numpy as np

        filled = zip(buckets.tolist(), self._filled[buckets].tolist(), strict=True)
        return np.unique(np.concatenate([self._members[at : at + count] for at, count in filled]))

    def lead(self, number: int, buckets: np.ndarray) -> None:
        """Make a text a leader in its buckets."""
        self._members[buckets + self._filled[buckets]] = number
        self._filled[buckets] += 1


def shingles(text: str) -> list[str]:
    """The words of a text and its pairs of neighbouring words; of a text without blanks its runs of three letters."""
    lowered = text[:MOST_CHARACTERS].casefold()
    words = _WORD.findall(lowered)
    if sum(map(len, words)) > _LONG_WORD * len(words):
        joined = "".join(words)
        return list({joined[place : place + 3] for place in range(max(len(joined) - 2, 1))})
    return list({*words, *map(" ".join, itertools.pairwise(words))})


def _band_keys(signatures: np.ndarray, bands: int) -> np.ndarray:
    """A key of each band of each signature, by multiply-shift hashing of its values. Shape (n, 128) to (n, bands)."""
    import numpy as np

    split = signatures.reshape(len(signatures), bands, -1).astype(np.uint64)
    odd = np.random.default_rng(SEED).integers(2**64, size=split.shape[2], dtype=np.uint64) | np.uint64(1)
    keys: np.ndarray = ((split * odd).sum(axis=2) >> np.uint64(32)).astype(np.uint32)
    return keys


def _bands(threshold: float) -> int:
    """The fewest bands that find most pairs at the threshold: a pair shares one with probability 1 - (1 - t^r)^b."""
    for bands in (2, 4, 8, 16, 32, 64):
        if 1 - (1 - threshold ** (PERMUTATIONS / bands)) ** bands >= _FOUND:
            return bands
    return PERMUTATIONS
