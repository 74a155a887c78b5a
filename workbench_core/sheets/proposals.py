"""What a new sheet is filled with before a person looks at it: name, identifier and roles of the columns (SH-2)."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from workbench_core.errors import Invalid, NotFound
from workbench_core.pictures import IMAGE_ENDINGS
from workbench_core.ports import Column, ColumnRef, Join, JoinSource, Lake, Selection
from workbench_core.sheets.joins import added
from workbench_core.sheets.model import SheetDraft

if TYPE_CHECKING:
    import pandas as pd

HIDDEN = "item_ref"  # every row carries its identifier under this name
LONG_TEXT = 60  # mean characters above which a string column is proposed as text
_SAMPLE = 50  # rows whose texts are read
_FIRST_ROWS = 2_000  # rows that rule out identifiers
_INEXACT = ("DOUBLE", "FLOAT", "REAL")
_IMAGE_HINTS = ("image", "img", "photo", "picture", "thumbnail")


def propose(lake: Lake, source: str) -> SheetDraft:
    """A draft for a table or volume. Raises NotFound."""
    entry = lake.entry(source)
    look = _look(lake, source)
    identifier = _identifier(lake, look)
    text, image, metadata = _roles(look, leaving_out=(HIDDEN, identifier) if entry.kind == "table" else ())
    return SheetDraft(_title(source), source, identifier, entry.comment, text, image, metadata)


def moved_to(lake: Lake, draft: SheetDraft, source: str) -> SheetDraft:
    """The draft of a sheet without a join over another table or volume; columns that are there too keep their roles.

    Columns that the former source did not have get proposed roles, and the identifier is proposed when it is gone.
    The filter stays as it is, for a person to see. Raises NotFound for the source, Invalid for a sheet with a join.
    """
    if draft.join is not None:
        raise Invalid("The sheet joins several sources.", hint="Remove the others first, or change the roles of them.")
    look, former = _look(lake, source), _former_columns(lake, draft)
    names = [column.name for column in look.columns]
    identifier = draft.item_id_column if draft.item_id_column in names else _identifier(lake, look)
    others = _roles(look, leaving_out=(HIDDEN, *former, *draft.columns, *(() if look.is_volume else (identifier,))))
    mine = (draft.text_columns, draft.image_columns, draft.metadata_columns)
    text, image, metadata = (
        tuple(name for name in (*kept, *new) if name in names and (look.is_volume or name != identifier))
        for kept, new in zip(mine, others, strict=True)
    )
    return replace(
        draft,
        source=source,
        item_id_column=identifier,
        text_columns=text,
        image_columns=image,
        metadata_columns=metadata,
        column_order=tuple(name for name in draft.column_order if name in names),
        stratify_column=draft.stratify_column if draft.stratify_column in names else "",
    )


def _former_columns(lake: Lake, draft: SheetDraft) -> list[str]:
    try:
        return [column.name for column in lake.columns(draft.source)]
    except NotFound:
        return []


def completed(lake: Lake, before: SheetDraft, draft: SheetDraft) -> SheetDraft:
    """A draft that was moved onto a join, with an identifier and with roles for the columns of sources that came.

    Columns that are keys of the join stay without a role: they repeat what the other side holds. Raises NotFound.
    """
    join = draft.join
    if join is None:
        return draft
    if not draft.item_id_column:
        primary = join.primary
        identifier = _identifier(lake, _look(lake, primary.table))
        draft = replace(draft, item_id_column=ColumnRef(primary.alias, identifier).name)
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
    look = _look(lake, source.table)
    every = [ColumnRef(source.alias, column.name) for column in look.columns]
    unwanted = [one.column for one in every if one in keys or one.name == identifier or not _is_chosen(one, source)]
    text, image, metadata = (
        tuple(ColumnRef(source.alias, name).name for name in names) for names in _roles(look, leaving_out=unwanted)
    )
    return text, image, metadata


def _is_chosen(reference: ColumnRef, source: JoinSource) -> bool:
    return source.columns is None or reference.column in source.columns


@dataclass(frozen=True, slots=True)
class _Look:
    """A table or volume with its first rows; of a volume only the columns."""

    source: str
    is_volume: bool
    columns: tuple[Column, ...]
    first_rows: pd.DataFrame | None


def _look(lake: Lake, source: str) -> _Look:
    is_volume = lake.entry(source).kind == "volume"
    first_rows = None if is_volume else lake.page(Selection(source, item_id_column=""), limit=_FIRST_ROWS)
    return _Look(source, is_volume, tuple(lake.columns(source)), first_rows)


def _identifier(lake: Lake, look: _Look) -> str:
    """The column that names the items: the first that is unique and not null, else the first of all.

    Measurements and long texts come last: they may be unique, but only by chance. A column that is empty or repeats
    itself in the first rows already is not counted over all of them.
    """
    if look.first_rows is None:
        return "path"
    rows = look.first_rows
    candidates = [
        column for column in look.columns if column.kind in {"string", "number"} and _is_unique(rows[column.name])
    ]
    candidates.sort(key=lambda column: column.data_type in _INEXACT or _is_long(column, rows))
    checks = lake.check_identifiers(look.source, [column.name for column in candidates])
    return next((check.column for check in checks if check.is_valid), look.columns[0].name)


def _is_unique(values: pd.Series) -> bool:
    return bool(values.is_unique) and not values.hasnans


def _roles(look: _Look, *, leaving_out: Collection[str]) -> tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...]]:
    """Text, image and metadata columns of a table or volume."""
    without = set(leaving_out)
    if look.first_rows is None:
        others = tuple(name for name in ("name", "size_bytes", "modified_at") if name not in without)
        return (), (() if "path" in without else ("path",)), others
    return _classify([column for column in look.columns if column.name not in without], look.first_rows)


def _classify(
    columns: Sequence[Column], rows: pd.DataFrame
) -> tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...]]:
    """Text, image and metadata columns: by ending or name hint, by length, the rest."""
    text, image, metadata = [], [], []
    for column in columns:
        if _looks_like_images(column.name, _texts(column, rows)):
            image.append(column.name)
        elif _is_long(column, rows):
            text.append(column.name)
        else:
            metadata.append(column.name)
    return tuple(text), tuple(image), tuple(metadata)


def _texts(column: Column, rows: pd.DataFrame) -> list[str]:
    """The first texts of a column; nothing for one of another kind."""
    return [str(value) for value in rows[column.name].head(_SAMPLE).dropna()] if column.kind == "string" else []


def _is_long(column: Column, rows: pd.DataFrame) -> bool:
    """Whether a column holds texts that people read."""
    values = _texts(column, rows)
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
