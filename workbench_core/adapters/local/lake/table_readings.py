"""A file as a table before it is written: one query, its columns, and what was repaired to get there."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import duckdb

from workbench_core import text_encodings
from workbench_core.adapters.local.lake.engine import kind_of
from workbench_core.errors import Invalid
from workbench_core.ports import IntakeColumn, IntakePlan

HEAD = 1_000_000


@dataclass(frozen=True, slots=True)
class TableReading:
    """A query that gives the rows of a file in their order, and what a person should know about it."""

    format: str
    query: str
    columns: tuple[IntakeColumn, ...]
    notes: tuple[str, ...] = ()
    parts: tuple[str, ...] = ()


def columns_of(cursor: duckdb.DuckDBPyConnection, query: str, originals: tuple[str, ...]) -> tuple[IntakeColumn, ...]:
    """The columns that a query gives, with what the file calls them."""
    described = cursor.sql(query)
    return tuple(
        IntakeColumn(name, str(data_type), kind_of(str(data_type)), original)
        for name, data_type, original in zip(described.columns, described.types, originals, strict=True)
    )


def known_text_columns(plan: IntakePlan, names: tuple[str, ...]) -> frozenset[str]:
    """The columns that a plan keeps as text. Raises Invalid for one that the file does not have."""
    unknown = [name for name in plan.text_columns if name not in names]
    if unknown:
        raise Invalid(f"The file has no column “{unknown[0]}”.", hint="Look at the file again.")
    return frozenset((*plan.text_columns, *(name for name in plan.text_where_there if name in names)))


@contextmanager
def utf8_text(file: Path, plan: IntakePlan) -> Iterator[tuple[Path, tuple[str, ...]]]:
    """A text file as UTF-8 without a byte order mark, and a note when that took a copy, which is gone afterwards.

    Raises Invalid for a file that is empty or no text.
    """
    with file.open("rb") as handle:
        if not handle.read(HEAD).strip():
            raise Invalid("The file is empty.", hint="Choose a file with column names and rows.")
    codec = plan.encoding or text_encodings.recognise(file)
    if codec == text_encodings.UTF_8:
        yield file, ()
        return
    with TemporaryDirectory(prefix="workbench-text-") as folder:
        copy = Path(folder).resolve() / "utf-8"
        text_encodings.write_as_utf8(file, copy, codec=codec)
        yield copy, (_encoding_note(codec, is_chosen=bool(plan.encoding)),)


def _encoding_note(codec: str, *, is_chosen: bool) -> str:
    name = text_encodings.title(codec)
    if is_chosen or codec.startswith("utf"):
        return f"The text is {name}; it was converted to UTF-8."
    return f"The text is not UTF-8 and was read as {name}. If letters look wrong, choose another encoding."
