"""The tree of the catalog and the folders of a volume, searched in memory: names, comments, tags, columns and files."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import groupby

from sqlglot import exp

from workbench_core.catalog.model import CatalogEntry, CatalogNode, FolderEntry, FolderListing, SchemaNode
from workbench_core.errors import NotFound, WorkbenchError
from workbench_core.ports import FileEntry, Lake, TableEntry

MOST_FILES = 5  # of a volume that are named as found
LEAST_FOR_FILES = 2  # characters; with one nearly every file would be found


def matching(lake: Lake, search: str) -> list[CatalogEntry]:
    """Tables and volumes by name whose name, comment, tag, column or file contains the text.

    Columns are looked at only where the rest does not match, and then by their names and comments: no row is read.
    """
    wanted = search.strip().casefold()
    if not wanted:
        return [CatalogEntry(entry) for entry in lake.tables()]
    found = (_matched(lake, entry, wanted) for entry in lake.tables())
    return [entry for entry in found if entry is not None]


def _matched(lake: Lake, entry: TableEntry, wanted: str) -> CatalogEntry | None:
    is_named = _contains(entry, wanted)
    if entry.kind == "table":
        columns = () if is_named else _matched_columns(lake, entry.name, wanted)
        return CatalogEntry(entry, columns) if is_named or columns else None
    files = _matched_files(lake, entry.name, wanted)
    if not is_named and not files:
        return None
    return CatalogEntry(entry, matched_files=tuple(files[:MOST_FILES]), matched_file_count=len(files))


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


def _matched_columns(lake: Lake, table: str, wanted: str) -> tuple[str, ...]:
    try:
        columns = lake.column_names(table)
    except WorkbenchError:  # a damaged table must not hide the others
        return ()
    return tuple(name for name, comment in columns.items() if wanted in f"{name} {comment}".casefold())


def _matched_files(lake: Lake, volume: str, wanted: str) -> list[str]:
    if len(wanted) < LEAST_FOR_FILES:
        return []
    try:
        paths = lake.file_paths(volume)
    except WorkbenchError:  # it may go while one looks
        return []
    return [path for path in paths if wanted in path.casefold()]


# --- folders ---------------------------------------------------------------------------------------------------------


def listing(volume: str, files: Sequence[FileEntry], *, path: str, search: str) -> FolderListing:
    """What lies directly in a folder; with a search text all files below it whose name matches. Raises NotFound."""
    prefix = f"{path.strip('/')}/" if path.strip("/") else ""
    below = [file for file in files if file.path.startswith(prefix)]
    if prefix and not below:
        raise NotFound(f"There is no folder “{path}” in “{volume}”.", hint="Go back to the outermost folder.")
    wanted = search.strip().casefold()
    if wanted:
        shown = [file for file in below if wanted in file.path[len(prefix) :].casefold()]
        folders: tuple[FolderEntry, ...] = ()
        counted = shown
    else:
        shown = [file for file in below if "/" not in file.path[len(prefix) :]]
        folders, counted = _folders(below, prefix), below
    size = sum(file.size_bytes for file in counted)
    return FolderListing(volume, prefix.rstrip("/"), folders, tuple(shown), len(counted), size)


def _folders(files: Sequence[FileEntry], prefix: str) -> tuple[FolderEntry, ...]:
    sums: dict[str, tuple[int, int]] = {}
    for file in files:
        name, slash, _ = file.path[len(prefix) :].partition("/")
        if slash:
            count, size = sums.get(name, (0, 0))
            sums[name] = (count + 1, size + file.size_bytes)
    return tuple(FolderEntry(f"{prefix}{name}", name, *sums[name]) for name in sorted(sums))


def below(path: str, *, dialect: str) -> str:
    """The filter that keeps the files of a volume that lie in a folder of it, in the SQL of the lake."""
    prefix = exp.Literal.string(f"{path.strip('/')}/")
    return exp.StartsWith(this=exp.column("path", quoted=True), expression=prefix).sql(dialect=dialect)
