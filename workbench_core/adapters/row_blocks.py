"""Thousands of rows as one INSERT of SQLite: its driver then works for long without Python's interpreter lock.

After each statement the driver takes that lock back, and waits for it for as long as another thread computes. So rows
that are written while others are being built go in one statement. It reads them out of a few parameters: a column that
says the same in all rows is one parameter, one of few different values a letter for each row, and texts are one blob
with the place of each. SQLite reads such blobs faster than it takes the same values one by one.
"""

from __future__ import annotations

import string
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import TypeAlias

from workbench_core.ports import Value

Stored: TypeAlias = "str | int | float | bytes | None"  # what SQLite takes; booleans are whole numbers
Encode: TypeAlias = "Callable[[Value], Stored]"

MOST_ROWS = 20_000  # of one block
MOST_BYTES = 128_000_000  # of its texts
_CODES = string.ascii_letters  # one for each of the few different values of a column
_LOOKED_AT = 100  # rows that tell early that a column has many different values
_WIDTH = 9  # digits of a place in a blob, enough for MOST_BYTES


@dataclass(frozen=True, slots=True)
class RowBlock:
    """An INSERT of many rows, and its parameters."""

    sql: str
    parameters: tuple[Stored, ...]


def row_block(table: str, columns: Mapping[str, Sequence[Value]], encode: Encode) -> RowBlock | None:
    """Rows that come as columns; None when they do not lend themselves to a block.

    `encode` gives a value as SQLite takes it; it is asked for the values that may need it.
    """
    number = len(next(iter(columns.values()), ()))
    if not number or number > MOST_ROWS:
        return None
    writer = _Writer(number, encode)
    values = [writer.column(column) for column in columns.values()]
    if None in values:
        return None
    last = writer.place(number - 1)
    sql = (
        f"INSERT INTO {table} ({', '.join(columns)}) "
        f"WITH RECURSIVE block (n) AS (VALUES (0) UNION ALL SELECT n + 1 FROM block WHERE n < {last}) "
        f"SELECT {', '.join(map(str, values))} FROM block"
    )
    return RowBlock(sql, tuple(writer.parameters))


class _Writer:
    """Writes for each column an expression that gives its value in row `n`, and collects the parameters."""

    def __init__(self, rows: int, encode: Encode) -> None:
        self._rows = rows
        self._encode = encode
        self.parameters: list[Stored] = []
        self.bytes = 0

    def place(self, value: Stored) -> str:
        """The name of a new parameter."""
        self.parameters.append(value)
        return f"?{len(self.parameters)}"

    def column(self, column: Sequence[Value]) -> str | None:
        """The expression of a column; None when it has none."""
        kinds = {*map(type, column)}
        first = column[0]
        if len(kinds) == 1 and column.count(first) == self._rows:
            return self.place(self._encode(first))
        if kinds == {int} and isinstance(first, int) and list(column) == list(range(first, first + self._rows)):
            return f"{self.place(first)} + n"
        if len(kinds - {type(None)}) > 1:
            return None  # values of several kinds may be equal, such as 1 and 1.0
        return self._few(column) or (self._texts(column) if kinds <= {str, type(None)} else None)

    def _few(self, column: Sequence[Value]) -> str | None:
        if len({*islice(column, _LOOKED_AT)}) > len(_CODES):
            return None
        different = dict.fromkeys(column)
        if len(different) > len(_CODES):
            return None
        codes = dict(zip(different, _CODES, strict=False))
        code = self.place("".join([codes[value] for value in column]).encode())
        cases = " ".join(f"WHEN x'{ord(codes[value]):x}' THEN {self.place(self._encode(value))}" for value in different)
        return f"CASE substr({code}, n + 1, 1) {cases} END"

    def _texts(self, column: Sequence[Value]) -> str | None:
        """Texts behind one another; an empty one among missing ones could not be told from them."""
        has_gaps = None in column
        if has_gaps and "" in column:
            return None
        texts: Sequence[str] = [text or "" for text in column] if has_gaps else column  # type: ignore[assignment,misc]
        pieces = _bytes(texts)
        data = b"".join(pieces)
        if len(pieces) < len(texts) or b"\x00" in data:  # something that cannot be stored as it is
            pieces = _bytes([str(self._encode(text)) for text in texts])
            data = b"".join(pieces)
        self.bytes += len(data)
        if self.bytes > MOST_BYTES:
            return None
        text, places = self.place(data), self.place(_places(pieces))
        begin, length = (
            f"CAST(substr({places}, n * {2 * _WIDTH} + {at}, {_WIDTH}) AS INTEGER)" for at in (1, 1 + _WIDTH)
        )
        value = f"CAST(substr({text}, {begin}, {length}) AS TEXT)"
        return f"NULLIF({value}, '')" if has_gaps else value


def _bytes(texts: Sequence[str]) -> list[bytes]:
    """Texts as bytes; none for a lone surrogate among them."""
    try:
        return [text.encode() for text in texts]
    except UnicodeEncodeError:
        return []


def _places(pieces: Sequence[bytes]) -> bytes:
    """Where each piece begins, from 1, and how long it is, as digits of one width."""
    import numpy as np

    lengths = np.fromiter(map(len, pieces), np.int64, len(pieces))
    places = np.stack([lengths.cumsum() - lengths + 1, lengths], axis=1)
    powers = 10 ** np.arange(_WIDTH - 1, -1, -1)
    digits = places[:, :, None] // powers % 10 + ord("0")
    return digits.astype(np.uint8).tobytes()
