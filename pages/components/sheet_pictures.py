"""Where the pictures of a sheet are: from the value of a picture column to a file of a volume and its address."""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import quote

from workbench_core import cached_files
from workbench_core.pictures import PicturePlace
from workbench_core.sheets import Sheet, picture_files


def address_of(place: PicturePlace) -> str:
    """Where the app serves a picture, small."""
    return f"/pictures/{quote(place.volume, safe='')}/{quote(place.path)}"


def places_in(sheet: Sheet, column: str, values: Sequence[object]) -> list[PicturePlace | None]:
    """The files that the values of a picture column name, as generations find them too."""
    volumes = cached_files.picture_volumes(sheet, column)
    return picture_files.places_in(volumes, values, among=cached_files.files_among)
