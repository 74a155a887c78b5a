"""Where the pictures of a sheet are: from the value of a picture column to a file of a volume and its address."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import quote

from pages.components.records import is_missing
from workbench_core import cached
from workbench_core.sheets import Sheet

_VOLUMES = "/Volumes/"


@dataclass(frozen=True, slots=True)
class PicturePlace:
    """A file of a volume."""

    volume: str
    path: str

    @property
    def address(self) -> str:
        """Where the app serves it, small."""
        return f"/pictures/{quote(self.volume, safe='')}/{quote(self.path)}"


def picture_place(value: object, volumes: Sequence[str], *, is_in: Callable[[str, str], bool]) -> PicturePlace | None:
    """The file that a value names: a path in one of the volumes, or `/Volumes/catalog/schema/volume/path`.

    With several volumes it is the first that has the file, as `is_in(volume, path)` says. Addresses of the internet
    are never followed.
    """
    text = "" if is_missing(value) or isinstance(value, bytes | bytearray) else str(value)
    if text.startswith(_VOLUMES):
        parts = text.removeprefix(_VOLUMES).split("/", 3)
        return PicturePlace(".".join(parts[:3]), parts[3]) if len(parts) == 4 and all(parts) else None
    path = text.removeprefix("./")
    if not path or "://" in path or path.startswith("/"):
        return None
    if len(volumes) == 1:
        return PicturePlace(volumes[0], path)
    found = (PicturePlace(volume, path) for volume in volumes if is_in(volume, path))
    return next(found, None)


def volumes_of(sheet: Sheet) -> Mapping[str, str]:
    """The volumes among the sources of a sheet, by alias."""
    if sheet.join is None:
        return {"": sheet.source} if sheet.source_kind == "volume" else {}
    kinds = {entry.name: entry.kind for entry in cached.catalog_entries()}
    return {source.alias: source.table for source in sheet.join.sources if kinds.get(source.table) == "volume"}


def volumes_for(sheet: Sheet, column: str) -> list[str]:
    """The volumes in which the values of a column are looked for: its own one when it is a column of a volume."""
    volumes = volumes_of(sheet)
    alias = max((one for one in volumes if column.startswith(f"{one}__")), key=len, default="")
    return [volumes[alias]] if alias else list(volumes.values())


def has_file(volume: str, path: str) -> bool:
    """Whether a volume has a file."""
    return any(file.path == path for file in cached.files(volume))
