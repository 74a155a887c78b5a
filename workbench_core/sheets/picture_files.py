"""Which files the picture columns of a sheet name: the same answer for pages, previews and whole generations."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from math import isnan

from workbench_core.errors import Invalid, NotFound
from workbench_core.pictures import PicturePlace, attachment_of, picture_place
from workbench_core.ports import Lake, TableEntry
from workbench_core.sheets.model import Sheet

LOOKED_AT = 200  # values of a column that decide in which volumes its pictures are looked for
FEW = 20  # files that are asked for one by one instead of listing their volume
_SHOWN = 80  # characters of a value that a sentence repeats

FilesAmong = Callable[[str, frozenset[str]], AbstractSet[str]]  # (volume, paths) -> those that are files of it


@dataclass(frozen=True, slots=True)
class PictureCell:
    """A value of a picture column in a prompt: `text` in its place, and the file as `ports.Message` names attachments.

    An empty value has neither. `error` says in one sentence why there is no such file.
    """

    text: str = ""
    attachment: str = ""
    error: str = ""


class PictureFiles:
    """The pictures of a sheet, for the time of one preview or run: volumes are chosen and listed once."""

    def __init__(self, lake: Lake, sheet: Sheet) -> None:
        self._lake = lake
        self._sheet = sheet
        self._files = VolumeFiles(lake)
        self._volumes: dict[str, tuple[str, ...]] = {}
        self.columns = frozenset(sheet.image_columns)

    def cells(self, column: str, values: Sequence[object]) -> list[PictureCell]:
        """The values of a picture column, in their order, as they go into a prompt."""
        if column not in self._volumes:
            self._volumes[column] = volumes_for(self._lake, self._sheet, column, among=self._files.among)
        places = places_in(self._volumes[column], values, among=self._files.among)
        there = self._there(places)
        return [
            PictureCell() if _is_missing(value) else _cell(value, place if place in there else None)
            for value, place in zip(values, places, strict=True)
        ]

    def _there(self, places: Sequence[PicturePlace | None]) -> set[PicturePlace]:
        """Those of the places where a file is."""
        by_volume: dict[str, set[str]] = {}
        for place in places:
            if place is not None:
                by_volume.setdefault(place.volume, set()).add(place.path)
        return {
            PicturePlace(volume, path)
            for volume, paths in by_volume.items()
            for path in self._files.among(volume, frozenset(paths))
        }


class VolumeFiles:
    """Which files are in volumes, remembered where a volume had to be listed."""

    def __init__(self, lake: Lake) -> None:
        self._lake = lake
        self._listed: dict[str, frozenset[str]] = {}

    def among(self, volume: str, paths: frozenset[str]) -> AbstractSet[str]:
        """Those of the paths that are files of the volume; none of a volume that is not there."""
        if volume not in self._listed:
            if len(paths) <= FEW:
                return {path for path in paths if self._is_there(volume, path)}
            try:
                self._listed[volume] = frozenset(self._lake.file_paths(volume))
            except (Invalid, NotFound):
                self._listed[volume] = frozenset()
        return self._listed[volume] & paths

    def _is_there(self, volume: str, path: str) -> bool:
        try:
            self._lake.file(volume, path)
        except (Invalid, NotFound):
            return False
        return True


def places_in(volumes: Sequence[str], values: Sequence[object], *, among: FilesAmong) -> list[PicturePlace | None]:
    """The files that values of a picture column name, in the first of the volumes that has each."""
    paths = _relative_paths(values) if len(volumes) > 1 else frozenset()
    there = {volume: among(volume, paths) for volume in volumes} if paths else {}
    return [picture_place(value, volumes, is_in=lambda one, path: path in there.get(one, ())) for value in values]


def volumes_for(lake: Lake, sheet: Sheet, column: str, *, among: FilesAmong) -> tuple[str, ...]:
    """The volumes in which the pictures of a column are looked for, the same for every row of the sheet.

    They are those that the sheet reads (of a column of a volume that one alone) and, when these hold none of the first
    values, the one beside its table that holds most of them.
    """
    own = _volumes_read(lake, sheet)
    alias = _alias_of(column, own)
    volumes = (own[alias],) if alias in own else tuple(own.values())
    if len(volumes) == 1 and (alias or sheet.join is None):
        return volumes
    paths = _relative_paths(lake.values(sheet.selection(), column, limit=LOOKED_AT))
    if not paths or any(among(volume, paths) for volume in volumes):
        return volumes
    beside = volume_beside(lake.tables(), _table_of(sheet, column), held=lambda one: len(among(one, paths)))
    return (beside,) if beside else volumes


def volume_beside(entries: Sequence[TableEntry], table: str, *, held: Callable[[str], int]) -> str:
    """The volume that holds most of some files, as `held(volume)` counts them; empty when none holds any.

    It is looked for in the schema of a table, and only then in the rest of its catalog.
    """
    volumes = [entry.name for entry in entries if entry.kind == "volume" and entry.name != table]
    for place in (table.rpartition(".")[0], table.partition(".")[0]):
        counts = {volume: held(volume) for volume in volumes if volume.startswith(f"{place}.")}
        best = max(counts, key=lambda volume: counts[volume], default="")
        if best and counts[best]:
            return best
    return ""


def picture_text(value: object) -> str:
    """What stands in a prompt for a picture: its file name in brackets, nothing for an empty value.

    The name alone tells the picture from the others of the message, and says nothing about the folders above it.
    """
    return "" if _is_missing(value) else f"[picture: {_shortened(str(value).rstrip('/').rpartition('/')[2])}]"


def _cell(value: object, place: PicturePlace | None) -> PictureCell:
    text = picture_text(value)
    if place is None:
        return PictureCell(text, error=f"There is no picture “{_shortened(str(value))}” in a volume of this sheet.")
    return PictureCell(text, attachment_of(place))


def _volumes_read(lake: Lake, sheet: Sheet) -> Mapping[str, str]:
    """The volumes among the sources of a sheet, by alias."""
    if sheet.join is None:
        return {"": sheet.source} if sheet.source_kind == "volume" else {}
    kinds = {entry.name: entry.kind for entry in lake.tables()}
    return {source.alias: source.table for source in sheet.join.sources if kinds.get(source.table) == "volume"}


def _table_of(sheet: Sheet, column: str) -> str:
    """The table that a column of a sheet comes from."""
    if sheet.join is None:
        return sheet.source
    tables = {source.alias: source.table for source in sheet.join.sources}
    return tables.get(_alias_of(column, tables), sheet.source)


def _alias_of(column: str, aliases: Mapping[str, str]) -> str:
    """Which source of a join a column comes from; empty when it is none of these."""
    return max((one for one in aliases if column.startswith(f"{one}__")), key=len, default="")


def _relative_paths(values: Sequence[object]) -> frozenset[str]:
    """The paths that say nothing about their volume."""
    return frozenset(place.path for value in values if (place := picture_place(value, [""])) and not place.volume)


def _is_missing(value: object) -> bool:
    """Whether a cell is NULL or blank."""
    if isinstance(value, str):
        return not value.strip()
    if isinstance(value, float):
        return isnan(value)
    return value is None or type(value).__name__ in {"NaTType", "NAType"}


def _shortened(text: str) -> str:
    return text if len(text) <= _SHOWN else f"{text[: _SHOWN - 1]}…"
