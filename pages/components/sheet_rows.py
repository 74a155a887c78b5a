"""The rows of a sheet: one page at a time, pictures as thumbnails, and one row in full."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import pandas as pd
import streamlit as st

from pages.components.address import page_in_url
from pages.components.errors import guard
from pages.components.gallery import gallery
from pages.components.grid import GridColumn, read_grid
from pages.components.layout import empty_state
from pages.components.quality_look import column_words
from pages.components.records import cell_text, show_row
from pages.components.sheet_pictures import address_of, places_in
from pages.components.words import plain
from workbench_core import cached, cached_files
from workbench_core.pictures import PicturePlace
from workbench_core.sheets import Sheet

ROWS_PER_PAGE = 25
MOST_COLUMNS = 100  # that are shown; a sheet may have thousands
LONGEST_CELL = 300  # characters of a value that travel to the browser
ROW = "row of the page"
WIDEST_IDENTIFIER = 220  # pixels; on a phone there must be room for another column beside it
SIDE = 640  # pixels of a picture in full


def show_rows(sheet: Sheet, total: int) -> None:
    """One page of the rows, by `?page=`."""
    if not total:
        empty_state("No row is left after filter and sampling.", icon=":material/filter_alt_off:")
        return
    pages = -(-total // ROWS_PER_PAGE)
    page = page_in_url(pages)
    with guard():
        rows = cached.sheet_page(sheet.id, ROWS_PER_PAGE, ROWS_PER_PAGE * (page - 1))
        if sheet.source_kind == "volume" and sheet.join is None:
            gallery(sheet.source, rows["item_ref"].tolist(), key="data_items", is_one_page=True)
            return
        first = ROWS_PER_PAGE * (page - 1) + 1
        st.caption(f"Rows {first:,} to {first + len(rows) - 1:,} of {total:,}. Click a row to see all of it.")
        show_page(sheet, rows, first=first)


def show_page(sheet: Sheet, rows: pd.DataFrame, *, first: int) -> None:
    """These rows as a grid, the first one with its number in the sheet; the one that is clicked in full below it."""
    every = [name for name in sheet.columns if name in rows.columns]
    columns = every[:MOST_COLUMNS]
    if len(every) > len(columns):
        st.caption(f"The first {MOST_COLUMNS} of {len(every):,} columns are shown.")
    places = places_of(sheet, rows[columns])
    shown = pd.DataFrame({name: shortened(rows[name]) for name in columns})
    for name, of_rows in places.items():
        addresses = [address_of(at) if at else value for at, value in zip(of_rows, shown[name], strict=True)]
        shown[name] = pd.Series(addresses, index=shown.index, dtype=object)
    pinned, titles = sheet.item_id_column, column_words(sheet)
    chosen = read_grid(
        numbered(shown, first=first),
        key=f"data_rows_{sheet.id}_{sheet.row_version}",
        row_id=ROW,
        columns=[
            replace(
                grid_column(name, shown[name], is_picture=name in places, is_pinned=name == pinned),
                title=titles.get(name, name),
            )
            for name in columns
        ],
        selection="single",
        can_sort=False,
    )
    if chosen:
        row = int(chosen[0]) - first
        full = rows.iloc[row]
        with st.container(border=True):
            st.markdown(f"**{plain(cell_text(full['item_ref']))}**")
            show_row({name: full[name] for name in every}, images=pictures_of(places, row))


def frame_grid(frame: pd.DataFrame, *, key: str) -> None:
    """Rows without a sheet, such as those of a preview."""
    names = list(frame.columns[:MOST_COLUMNS])
    shown = pd.DataFrame({name: shortened(frame[name]) for name in names})
    columns = [grid_column(name, shown[name]) for name in names]
    read_grid(numbered(shown, first=1), key=key, row_id=ROW, columns=columns, can_sort=False)


def numbered(shown: pd.DataFrame, *, first: int) -> pd.DataFrame:
    """The rows with their numbers, because an identifier may repeat itself."""
    return shown.assign(**{ROW: [str(first + number) for number in range(len(shown))]})


def grid_column(name: str, values: pd.Series, *, is_picture: bool = False, is_pinned: bool = False) -> GridColumn:
    """How a column of the source is shown."""
    if is_picture:
        return GridColumn(name, width=130, kind="picture")
    if is_pinned:
        longest = max((len(str(value)) for value in values), default=0)
        return GridColumn(name, width=min(max(150, 36 + 8 * longest), WIDEST_IDENTIFIER), kind="mono", is_pinned=True)
    if values.dtype.kind in "iuf":
        return GridColumn(name, least=130, kind="number")
    return GridColumn(name, share=2, least=170)


def shortened(values: pd.Series) -> pd.Series:
    """Long and nested values as short texts: only what fits into a cell travels."""
    if values.dtype.kind in "iufbM":
        return values
    return pd.Series([_short(value) for value in values], index=values.index, dtype=object)


def _short(value: object) -> object:
    if isinstance(value, bytes | bytearray):
        return f"{len(value):,} bytes"
    text = cell_text(value) if isinstance(value, dict | list | tuple) else value
    if isinstance(text, str) and len(text) > LONGEST_CELL:
        return f"{text[:LONGEST_CELL]} …"
    return text


# --- pictures --------------------------------------------------------------------------------------------------------


def places_of(sheet: Sheet, rows: pd.DataFrame) -> dict[str, list[PicturePlace | None]]:
    """The files that the picture columns of these rows name."""
    return {name: places_in(sheet, name, rows[name].tolist()) for name in sheet.image_columns if name in rows.columns}


def pictures_of(places: Mapping[str, Sequence[PicturePlace | None]], row: int) -> dict[str, bytes]:
    """The pictures of one row, for the columns that have one that can be read."""
    found = {name: of_rows[row] for name, of_rows in places.items()}
    contents = {name: cached_files.thumbnail(at.volume, at.path, side=SIDE) for name, at in found.items() if at}
    return {name: content for name, content in contents.items() if content}
