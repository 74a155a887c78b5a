"""The tree of the catalog and the folders of a volume, searched in memory: names, comments, tags and columns."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import groupby

from workbench_core.catalog.model import CatalogEntry, CatalogNode, FolderEntry, FolderListing, SchemaNode
from workbench_core.errors import NotFound, WorkbenchError
from workbench_core.ports import FileEntry, Lake, TableEntry

MAX_FILES_SHOWN = 1_000


def matching(lake: Lake, search: str) -> list[CatalogEntry]:
    """Tables and volumes by name whose name, comment, tag or column contains the text."""
    wanted = search.strip().casefold()
    entries = lake.tables()
    if not wanted:
        return [CatalogEntry(entry) for entry in entries]
    found = ((entry, _matched_columns(lake, entry, wanted)) for entry in entries)
    return [CatalogEntry(entry, columns) for entry, columns in found if columns or _contains(entry, wanted)]


def tree_of(entries: Sequence[CatalogEntry]) -> list[CatalogNode]:
    """Entries by catalog and schema."""
    schemas = [
        SchemaNode(name, tuple(group))
        for name, group in groupby(_by_name(entries), key=lambda each: each.entry.name.rpartition(".")[0])
    ]
    return [
        CatalogNode(name, tuple(group))
        for name, group in groupby(schemas, key=lambda schema: schema.name.partition(".")[0])
    ]


def _by_name(entries: Iterable[CatalogEntry]) -> list[CatalogEntry]:
    return sorted(entries, key=lambda each: each.entry.name.split("."))


def _contains(entry: TableEntry, wanted: str) -> bool:
    return wanted in f"{entry.name} {entry.comment} {' '.join(entry.tags)}".casefold()


def _matched_columns(lake: Lake, entry: TableEntry, wanted: str) -> tuple[str, ...]:
    """The columns of a table that match; a volume has the same ones as every other."""
    if entry.kind != "table":
        return ()
    try:
        columns = lake.columns(entry.name)
    except WorkbenchError:  # a damaged table must not hide the others
        return ()
    return tuple(column.name for column in columns if wanted in f"{column.name} {column.comment}".casefold())


# --- folders ---------------------------------------------------------------------------------------------------------


def listing(volume: str, files: Sequence[FileEntry], *, path: str, search: str) -> FolderListing:
    """What lies directly in a folder; with a search text all files below it whose name matches. Raises NotFound."""
    prefix = f"{path.strip('/')}/" if path.strip("/") else ""
    below = [file for file in files if file.path.startswith(prefix)]
    if prefix and not below:
        raise NotFound(f"There is no folder “{path}” in “{volume}”.", hint="Go back to the volume.")
    wanted = search.strip().casefold()
    if wanted:
        shown = [file for file in below if wanted in file.path[len(prefix) :].casefold()]
        folders: tuple[FolderEntry, ...] = ()
        counted = shown
    else:
        shown = [file for file in below if "/" not in file.path[len(prefix) :]]
        folders, counted = _folders(below, prefix), below
    size = sum(file.size_bytes for file in counted)
    return FolderListing(volume, prefix.rstrip("/"), folders, tuple(shown[:MAX_FILES_SHOWN]), len(counted), size)


def _folders(files: Sequence[FileEntry], prefix: str) -> tuple[FolderEntry, ...]:
    sums: dict[str, tuple[int, int]] = {}
    for file in files:
        name, slash, _ = file.path[len(prefix) :].partition("/")
        if slash:
            count, size = sums.get(name, (0, 0))
            sums[name] = (count + 1, size + file.size_bytes)
    return tuple(FolderEntry(f"{prefix}{name}", name, *sums[name]) for name in sorted(sums))
