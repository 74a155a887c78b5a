"""Which character separates the values of a CSV file: what fits its header and its first rows."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from workbench_core.errors import Invalid

DELIMITERS = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "vertical bars"}
LEAST_IN_TEXTS = (";", "\t", "|", ",")  # where several fit; names and numbers rather have commas in them
FIRST_ROWS = 100
SAMPLE = 1_000_000  # characters; a longer first line is no header
VALUE_LIMIT = 20_000_000  # characters of one value
QUOTE_HINT = 'Write a double quote inside a quoted value twice ("").'


@dataclass(frozen=True, slots=True)
class Delimiter:
    """The delimiter of a file, the values of its first line, and the others that fit as well."""

    character: str
    header: tuple[str, ...]
    others: tuple[str, ...] = ()

    @property
    def note(self) -> str:
        """How the values are told apart, in a sentence."""
        others = " or ".join(DELIMITERS[other] for other in self.others)
        also = f"; {others} would fit as well" if others else ""
        return f"Values are separated by {DELIMITERS[self.character]}{also}."


@dataclass(frozen=True, slots=True)
class _Rows:
    """The first rows under one delimiter, blank lines left out."""

    header: tuple[str, ...]
    count: int
    fitting: int

    @property
    def is_table(self) -> bool:
        return len(self.header) > 1 and self.fitting == self.count


def find_delimiter(file: Path, delimiters: Sequence[str]) -> Delimiter:
    """The one of these under which the first rows have as many values as the header.

    Raises Invalid for a first line that has no end, UnicodeDecodeError for a file that is not UTF-8.
    """
    with file.open(encoding="utf-8-sig", newline="") as handle:
        text = handle.read(SAMPLE)
    csv.field_size_limit(VALUE_LIMIT)
    rows = {delimiter: _rows(text, delimiter) for delimiter in delimiters}
    if not any(each.header for each in rows.values()):
        _check_first_line(text)
    fitting = [each for each in LEAST_IN_TEXTS if each in rows and rows[each].is_table]
    if fitting:
        return Delimiter(fitting[0], rows[fitting[0]].header, tuple(fitting[1:]))
    best = max(delimiters, key=lambda each: (len(rows[each].header) > 1, rows[each].fitting, len(rows[each].header)))
    return Delimiter(best, rows[best].header)


def _rows(text: str, delimiter: str) -> _Rows:
    header: tuple[str, ...] = ()
    count = fitting = 0
    try:
        reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
        header = tuple(next(reader, []))
        for cells in islice(reader, FIRST_ROWS):
            is_cut = len(text) == SAMPLE and reader.line_num > text.count("\n")
            if cells and not is_cut:
                count += 1
                fitting += len(cells) == len(header) or (len(cells) == len(header) + 1 and not cells[-1])
    except csv.Error:  # what is wrong is found when the whole file is read
        pass
    return _Rows(header, count, fitting)


def _check_first_line(text: str) -> None:
    """Raise Invalid when a first line without values is rather one without an end."""
    if len(text) == SAMPLE:
        raise Invalid("The first line is longer than a million characters.", hint="Is this a CSV file?")
    if text.lstrip(" \t").startswith('"'):
        raise Invalid(
            "Line 1: a double quote is not closed, or stands in the middle of a quoted value.", hint=QUOTE_HINT
        )
