"""Where the pictures of a sheet are: from the value of a picture column to a file of a volume and its address."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from urllib.parse import quote

from workbench_core import cached, cached_files
from workbench_core.pictures import PicturePlace, picture_place
from workbench_core.sheets import Sheet


def address_of(place: PicturePlace) -> str:
    """Where the app serves a picture, small."""
    return f"/pictures/{quote(place.volume, safe='')}/{quote(place.path)}"


def places_in(sheet: Sheet, column: str, values: Sequence[object]) -> list[PicturePlace | None]:
    """The files that the values of a picture column name.

    They are looked for in the volumes that the sheet reads and, when these hold none of them, in the one beside its
    table that holds most.
    """
    paths = frozenset(place.path for value in values if (place := picture_place(value, [""])) and not place.volume)
    volumes = volumes_for(sheet, column)
    there = {volume: cached_files.files_among(volume, paths) for volume in volumes} if paths else {}
    if paths and not any(there.values()):
        beside = cached_files.volume_beside(table_of(sheet, column), tuple(sorted(paths)))
        volumes = [beside] if beside else volumes
    return [picture_place(value, volumes, is_in=lambda one, path: path in there.get(one, ())) for value in values]


def volumes_for(sheet: Sheet, column: str) -> list[str]:
    """The volumes that a sheet reads; of a column of a volume that one alone."""
    volumes = volumes_of(sheet)
    alias = alias_of(column, volumes)
    return [volumes[alias]] if alias else list(volumes.values())


def volumes_of(sheet: Sheet) -> Mapping[str, str]:
    """The volumes among the sources of a sheet, by alias."""
    if sheet.join is None:
        return {"": sheet.source} if sheet.source_kind == "volume" else {}
    kinds = {entry.name: entry.kind for entry in cached.catalog_entries()}
    return {source.alias: source.table for source in sheet.join.sources if kinds.get(source.table) == "volume"}


def table_of(sheet: Sheet, column: str) -> str:
    """The table that a column of a sheet comes from."""
    if sheet.join is None:
        return sheet.source
    tables = {source.alias: source.table for source in sheet.join.sources}
    return tables.get(alias_of(column, tables), sheet.source)


def alias_of(column: str, aliases: Mapping[str, str]) -> str:
    """Which source of a join a column comes from; empty when it is none of these."""
    return max((one for one in aliases if column.startswith(f"{one}__")), key=len, default="")
