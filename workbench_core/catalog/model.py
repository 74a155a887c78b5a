"""The words of the catalog: nodes of its tree, folders, previews, and what comes in."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from workbench_core.errors import Invalid
from workbench_core.ports import Column, FileEntry, FileInspection, TableEntry

if TYPE_CHECKING:
    import pandas as pd

UPLOADS = "main.uploads"
MAX_PREVIEW_ROWS = 100
TAGS: Mapping[str, str] = {
    "PII": "Personal data",
    "PHI": "Health data",
    "CONFIDENTIAL": "Confidential",
}
FileKind = Literal["picture", "text", "pdf", "audio", "table", "other"]


# --- browse ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class CatalogEntry:
    """A table or volume, and the columns, or the first of its files, by which a search found it."""

    entry: TableEntry
    matched_columns: tuple[str, ...] = ()
    matched_files: tuple[str, ...] = ()
    matched_file_count: int = 0


@dataclass(frozen=True, slots=True)
class SchemaNode:
    """A schema (`demo.acme`) with its tables and volumes by name."""

    name: str
    entries: tuple[CatalogEntry, ...]

    @property
    def table_count(self) -> int:
        """How many tables it shows."""
        return sum(each.entry.kind == "table" for each in self.entries)

    @property
    def volume_count(self) -> int:
        """How many volumes it shows."""
        return len(self.entries) - self.table_count


@dataclass(frozen=True, slots=True)
class CatalogNode:
    """A catalog (`demo`) with its schemas by name."""

    name: str
    schemas: tuple[SchemaNode, ...]

    @property
    def table_count(self) -> int:
        """How many tables it shows."""
        return sum(schema.table_count for schema in self.schemas)

    @property
    def volume_count(self) -> int:
        """How many volumes it shows."""
        return sum(schema.volume_count for schema in self.schemas)


@dataclass(frozen=True, slots=True)
class Preview:
    """The first rows of a table or volume, its columns and how many rows it has."""

    entry: TableEntry
    columns: tuple[Column, ...]
    rows: pd.DataFrame
    row_count: int


@dataclass(frozen=True, slots=True)
class FolderEntry:
    """A folder of a volume with everything below it; `path` is relative to the volume."""

    path: str
    name: str
    file_count: int
    size_bytes: int


@dataclass(frozen=True, slots=True)
class FolderListing:
    """What lies directly in a folder of a volume, or what a search found below it, all of it."""

    volume: str
    path: str
    folders: tuple[FolderEntry, ...]
    files: tuple[FileEntry, ...]
    file_count: int
    size_bytes: int


@dataclass(frozen=True, slots=True)
class FilePreview:
    """One file of a volume, ready to show.

    `content` is a JPEG of a picture or a PNG of a page, of `media_type`. Of audio there is the media type alone: it is
    played in parts. `problem` says in a sentence why there is less to see than there should be.
    """

    path: str
    kind: FileKind
    content: bytes = field(default=b"", repr=False)
    media_type: str = ""
    text: str = field(default="", repr=False)
    is_cut: bool = False
    page: int = 0
    page_count: int = 0
    table: FileInspection | None = None
    problem: str = ""


# --- come in ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class IncomingTable:
    """A file that becomes a table: its path in what comes in, the name it gets, and what it would be."""

    path: str
    name: str
    size_bytes: int
    inspection: FileInspection


@dataclass(frozen=True, slots=True)
class IncomingFile:
    """A file that is kept as it is, in a volume."""

    path: str
    size_bytes: int


@dataclass(frozen=True, slots=True)
class Incoming:
    """What a file, an archive or a folder would become: tables, and a volume of all other files.

    Nothing is written yet. `volume` is empty when there is no other file.
    """

    tables: tuple[IncomingTable, ...]
    files: tuple[IncomingFile, ...]
    volume: str
    notes: tuple[str, ...] = ()

    @property
    def size_bytes(self) -> int:
        """The size of all files."""
        return sum(table.size_bytes for table in self.tables) + sum(file.size_bytes for file in self.files)


def checked_tags(tags: Collection[str]) -> tuple[str, ...]:
    """Tags in their usual order. Raises Invalid for an unknown one."""
    unknown = [tag for tag in tags if tag not in TAGS]
    if unknown:
        raise Invalid(f"There is no tag “{unknown[0]}”.", hint=f"Tags: {', '.join(TAGS)}.")
    return tuple(tag for tag in TAGS if tag in tags)


def table_name(title: str) -> str:
    """A legal table name from a file name or title, e.g. `Q3 mails (final)` -> `q3_mails_final`."""
    name = re.sub(r"[^a-z0-9]+", "_", title.lower()).strip("_")[:80]
    if not name:
        raise Invalid("The table needs a name with at least one letter or digit.", hint="Type a name.")
    return name


def named(title: str, *, otherwise: str) -> str:
    """A table name from a title, or another one when the title has neither letters nor digits."""
    return table_name(title) if re.search(r"[a-z0-9]", title.lower()) else otherwise


def names_for(paths: Sequence[str]) -> dict[str, str]:
    """A table name for each path: of the file, with its folder in front where two files have the same."""
    short = {path: named(Path(path).stem, otherwise=f"table_{number}") for number, path in enumerate(paths, start=1)}
    counts = Counter(short.values())
    names = {
        path: name if counts[name] == 1 else named(str(Path(path).with_suffix("")), otherwise=name)
        for path, name in short.items()
    }
    repeated = sorted(name for name, count in Counter(names.values()).items() if count > 1)
    if repeated:
        raise Invalid(f"Two files would become the table “{repeated[0]}”.", hint="Rename one of them.")
    return names
