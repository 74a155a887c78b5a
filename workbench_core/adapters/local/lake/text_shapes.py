"""The shape that most texts of a column share, and the regular expression that describes it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

LONGEST = 64  # characters; longer texts have no shape worth telling
MOST_RUNS = 24
DIGIT_RUN = re.compile("[0-9]+")
LETTER_RUN = re.compile("[A-Za-z]+")
RUN = re.compile("[0-9]+|[A-Za-z]+|.", re.DOTALL)
SPECIAL = re.compile(r"[.^$*+?{}()\[\]\\|]")
LETTERS = {"A": "[A-Z]", "a": "[a-z]", "Aa": "[A-Za-z]"}


@dataclass(frozen=True, slots=True)
class Shape:
    """`pattern` has 9 for a run of digits and A for a run of letters; `regex` matches a whole text of this shape."""

    pattern: str
    regex: str


def most_common_shape(values: Iterable[tuple[str, int]]) -> Shape | None:
    """The shape of most of these texts, each given with its number of rows; None when no shape has a half of them.

    The runs of the expression are as long, and their letters of the case, as the texts show.
    """
    weights: dict[str, int] = {}
    texts: dict[str, list[str]] = {}
    total = 0
    for text, count in values:
        total += count
        pattern = _pattern(text)
        if pattern:
            weights[pattern] = weights.get(pattern, 0) + count
            texts.setdefault(pattern, []).append(text)
    if not weights:
        return None
    best = max(weights, key=lambda pattern: (weights[pattern], pattern))
    if weights[best] * 2 < total:
        return None
    return Shape(best, _regex([RUN.findall(text) for text in texts[best]]))


def _pattern(text: str) -> str:
    """The signs of its runs; every other character stands for itself. Empty for what is too long to have a shape."""
    if len(text) > LONGEST:
        return ""
    pattern = LETTER_RUN.sub("A", DIGIT_RUN.sub("9", text))
    return pattern if len(pattern) <= MOST_RUNS else ""


def _regex(examples: Sequence[Sequence[str]]) -> str:
    """All examples have the same runs, but for their lengths and the case of their letters."""
    return "".join(_part(same_place) for same_place in zip(*examples, strict=True))


def _part(runs: Sequence[str]) -> str:
    shortest, longest = min(map(len, runs)), max(map(len, runs))
    times = "" if longest == 1 else f"{{{shortest}}}" if shortest == longest else f"{{{shortest},{longest}}}"
    if DIGIT_RUN.match(runs[0]):
        return f"[0-9]{times}"
    if not LETTER_RUN.match(runs[0]):
        return SPECIAL.sub(r"\\\g<0>", runs[0])
    letters = set().union(*runs)
    cases = ("A" if any(map(str.isupper, letters)) else "") + ("a" if any(map(str.islower, letters)) else "")
    return f"{LETTERS[cases]}{times}"
