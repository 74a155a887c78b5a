"""What a new sheet is filled with before a person looks at it: name, identifier and roles of the columns (SH-2)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from workbench_core.pictures import IMAGE_ENDINGS
from workbench_core.ports import Column, Lake, Selection
from workbench_core.sheets.model import SheetDraft

if TYPE_CHECKING:
    import pandas as pd

LONG_TEXT = 60  # mean characters above which a string column is proposed as text
_SAMPLE = 50  # rows that are looked at
_INEXACT = ("DOUBLE", "FLOAT", "REAL")
_IMAGE_HINTS = ("image", "img", "photo", "picture", "thumbnail")


def propose(lake: Lake, source: str) -> SheetDraft:
    """A draft for a table or volume. Raises NotFound."""
    entry, columns = lake.entry(source), lake.columns(source)
    if entry.kind == "volume":
        return SheetDraft(
            name=_title(source),
            source=source,
            item_id_column="path",
            description=entry.comment,
            image_columns=("path",),
            metadata_columns=("name", "size_bytes", "modified_at"),
        )
    sample = lake.page(Selection(source, item_id_column=""), limit=_SAMPLE)
    identifier = _first_identifier(lake, source, columns, sample)
    text, image, metadata = _classify(columns, identifier, sample)
    return SheetDraft(_title(source), source, identifier, entry.comment, text, image, metadata)


def _first_identifier(lake: Lake, source: str, columns: Sequence[Column], sample: pd.DataFrame) -> str:
    """The first column that is unique and not null; the first column when none is.

    Measurements and long texts come last: they may be unique, but only by chance.
    """
    candidates = [column for column in columns if column.kind in {"string", "number"}]
    for column in sorted(candidates, key=lambda column: _is_long(column, sample) or column.data_type in _INEXACT):
        if lake.check_identifier(source, column.name).is_valid:
            return column.name
    return columns[0].name


def _classify(
    columns: Sequence[Column], identifier: str, sample: pd.DataFrame
) -> tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...]]:
    """Text, image and metadata columns: by ending or name hint, by length, the rest."""
    text, image, metadata = [], [], []
    for column in columns:
        if column.name == identifier:
            continue
        values = [str(value) for value in sample[column.name].dropna()] if column.kind == "string" else []
        if _looks_like_images(column.name, values):
            image.append(column.name)
        elif _is_long(column, sample):
            text.append(column.name)
        else:
            metadata.append(column.name)
    return tuple(text), tuple(image), tuple(metadata)


def _is_long(column: Column, sample: pd.DataFrame) -> bool:
    """Whether a column holds texts that people read."""
    values = [str(value) for value in sample[column.name].dropna()] if column.kind == "string" else []
    return bool(values) and sum(map(len, values)) / len(values) > LONG_TEXT


def _looks_like_images(name: str, values: Sequence[str]) -> bool:
    """Paths of pictures by their endings, or by the name of the column when the values have no spaces."""
    if not values:
        return False
    if all(value.lower().endswith(IMAGE_ENDINGS) for value in values):
        return True
    return any(hint in name.lower() for hint in _IMAGE_HINTS) and not any(" " in value for value in values)


def _title(source: str) -> str:
    return source.rsplit(".", 1)[-1].replace("_", " ").capitalize()
