"""What a new sheet is filled with before a person looks at it: name, identifier and roles of the columns (SH-2)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from workbench_core.pictures import IMAGE_ENDINGS
from workbench_core.ports import Column, ColumnRef, Join, JoinSource, Lake, Selection
from workbench_core.sheets.joins import added, primary_of
from workbench_core.sheets.model import SheetDraft

if TYPE_CHECKING:
    import pandas as pd

LONG_TEXT = 60  # mean characters above which a string column is proposed as text
_SAMPLE = 50  # rows that are looked at
_INEXACT = ("DOUBLE", "FLOAT", "REAL")
_IMAGE_HINTS = ("image", "img", "photo", "picture", "thumbnail")


def propose(lake: Lake, source: str) -> SheetDraft:
    """A draft for a table or volume. Raises NotFound."""
    entry = lake.entry(source)
    identifier = _identifier(lake, source)
    text, image, metadata = _roles(lake, source, leaving_out=(identifier,) if entry.kind == "table" else ())
    return SheetDraft(_title(source), source, identifier, entry.comment, text, image, metadata)


def completed(lake: Lake, before: SheetDraft, draft: SheetDraft) -> SheetDraft:
    """A draft that was moved onto a join, with an identifier and with roles for the columns of sources that came.

    Columns that are keys of the join stay without a role: they repeat what the other side holds. Raises NotFound.
    """
    join = draft.join
    if join is None:
        return draft
    if not draft.item_id_column:
        primary = primary_of(join)
        draft = replace(draft, item_id_column=ColumnRef(primary.alias, _identifier(lake, primary.table)).name)
    for source in added(before, join):
        text, image, metadata = _roles_in_join(lake, source, join, draft.item_id_column)
        draft = replace(
            draft,
            text_columns=(*draft.text_columns, *text),
            image_columns=(*draft.image_columns, *image),
            metadata_columns=(*draft.metadata_columns, *metadata),
        )
    return draft


def _roles_in_join(
    lake: Lake, source: JoinSource, join: Join, identifier: str
) -> tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...]]:
    """Text, image and metadata columns of one source, as the join names them."""
    keys = {reference for key in join.keys for reference in (key.left, key.right)}
    every = [ColumnRef(source.alias, column.name) for column in lake.columns(source.table)]
    unwanted = [one.column for one in every if one in keys or one.name == identifier or not _is_chosen(one, source)]
    text, image, metadata = (
        tuple(ColumnRef(source.alias, name).name for name in names)
        for names in _roles(lake, source.table, leaving_out=unwanted)
    )
    return text, image, metadata


def _is_chosen(reference: ColumnRef, source: JoinSource) -> bool:
    return source.columns is None or reference.column in source.columns


def _identifier(lake: Lake, source: str) -> str:
    """The column that names the items of a table or volume."""
    if lake.entry(source).kind == "volume":
        return "path"
    sample = lake.page(Selection(source, item_id_column=""), limit=_SAMPLE)
    return _first_identifier(lake, source, lake.columns(source), sample)


def _roles(
    lake: Lake, source: str, *, leaving_out: Sequence[str]
) -> tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...]]:
    """Text, image and metadata columns of a table or volume."""
    if lake.entry(source).kind == "volume":
        others = tuple(name for name in ("name", "size_bytes", "modified_at") if name not in leaving_out)
        return (), (() if "path" in leaving_out else ("path",)), others
    sample = lake.page(Selection(source, item_id_column=""), limit=_SAMPLE)
    columns = [column for column in lake.columns(source) if column.name not in leaving_out]
    return _classify(columns, sample)


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
    columns: Sequence[Column], sample: pd.DataFrame
) -> tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...]]:
    """Text, image and metadata columns: by ending or name hint, by length, the rest."""
    text, image, metadata = [], [], []
    for column in columns:
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
