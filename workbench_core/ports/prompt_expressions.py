"""A prompt as an expression that an engine of SQL can compute: texts, numbers and conditions over placeholders.

What each part means is what Jinja in `prompt_rendering` does; an adapter that computes one must give the same text.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

WHITESPACE = "".join(map(chr, (*range(9, 14), *range(28, 33), 0x85, 0xA0, 0x1680, *range(0x2000, 0x200B)))) + (
    "\u2028\u2029\u202f\u205f\u3000"
)
"""What Python's `str.strip` takes away."""

Operator: TypeAlias = Literal["==", "!=", "<", "<=", ">", ">="]


# --- texts -----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class FixedText:
    """A text that is the same for every item."""

    text: str


@dataclass(frozen=True, slots=True)
class PlaceholderText:
    """The value of a placeholder as text."""

    name: str


@dataclass(frozen=True, slots=True)
class JoinedText:
    """Texts one after another."""

    parts: tuple[TextExpression, ...]


@dataclass(frozen=True, slots=True)
class TrimmedText:
    """A text without these characters at both ends."""

    of: TextExpression
    characters: str = WHITESPACE


@dataclass(frozen=True, slots=True)
class CasedText:
    """A text in capitals, or in small letters."""

    of: TextExpression
    is_upper: bool


@dataclass(frozen=True, slots=True)
class ReplacedText:
    """A text with every `old`, which is not empty, replaced."""

    of: TextExpression
    old: str
    new: str


@dataclass(frozen=True, slots=True)
class StartOfText:
    """The first characters of a text."""

    of: TextExpression
    length: int


@dataclass(frozen=True, slots=True)
class ShortenedText:
    """A text of more than `length + leeway` characters cut to `length`, the mark `end` included.

    Unless it `cuts_words` the last word, which may be cut, is left away with the space before it.
    """

    of: TextExpression
    length: int
    end: str
    leeway: int
    cuts_words: bool


@dataclass(frozen=True, slots=True)
class ChosenText:
    """The text of the first case whose condition holds."""

    cases: tuple[tuple[Condition, TextExpression], ...]
    otherwise: TextExpression


@dataclass(frozen=True, slots=True)
class NumberText:
    """A whole number in digits."""

    of: NumberExpression


# --- numbers ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class FixedNumber:
    """A number that is the same for every item."""

    value: int | float


@dataclass(frozen=True, slots=True)
class TextLength:
    """How many characters a text has."""

    of: TextExpression


@dataclass(frozen=True, slots=True)
class WholeOf:
    """The whole number that a text names, its decimals dropped; `default` when it names none."""

    of: TextExpression
    default: int


@dataclass(frozen=True, slots=True)
class DecimalOf:
    """The number that a text names; `default` when it names none."""

    of: TextExpression
    default: float


# --- conditions ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Fixed:
    """A condition that holds for every item, or for none."""

    holds: bool


@dataclass(frozen=True, slots=True)
class HasText:
    """That a text is not empty."""

    of: TextExpression


@dataclass(frozen=True, slots=True)
class TextCompared:
    """Two texts compared character by character."""

    left: TextExpression
    operator: Operator
    right: TextExpression


@dataclass(frozen=True, slots=True)
class NumberCompared:
    """Two numbers compared."""

    left: NumberExpression
    operator: Operator
    right: NumberExpression


@dataclass(frozen=True, slots=True)
class TextContains:
    """That a text holds another one."""

    of: TextExpression
    part: TextExpression


@dataclass(frozen=True, slots=True)
class AllHold:
    """That all of these conditions hold."""

    conditions: tuple[Condition, ...]


@dataclass(frozen=True, slots=True)
class AnyHolds:
    """That one of these conditions holds."""

    conditions: tuple[Condition, ...]


@dataclass(frozen=True, slots=True)
class Negated:
    """That a condition does not hold."""

    of: Condition


TextExpression: TypeAlias = (
    "FixedText | PlaceholderText | JoinedText | TrimmedText | CasedText | ReplacedText | StartOfText | ShortenedText "
    "| ChosenText | NumberText"
)
NumberExpression: TypeAlias = "FixedNumber | TextLength | WholeOf | DecimalOf"
Condition: TypeAlias = "Fixed | HasText | TextCompared | NumberCompared | TextContains | AllHold | AnyHolds | Negated"
