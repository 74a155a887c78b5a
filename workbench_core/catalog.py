"""The catalog: what tables and folders the lake holds, previews of them, and uploads into it."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from workbench_core import pictures
from workbench_core.errors import AlreadyExists, Invalid, NotFound
from workbench_core.history import History
from workbench_core.permissions import Action, Permissions
from workbench_core.ports import Column, FileEntry, IdentifierCheck, Lake, Selection, TableEntry

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["MAX_PREVIEW_ROWS", "TAGS", "UPLOADS", "Catalog", "Column", "Preview", "TableEntry", "table_name"]

UPLOADS = "main.uploads"
MAX_PREVIEW_ROWS = 100
MAX_FILE_BYTES = 20_000_000
TAGS: Mapping[str, str] = {
    "PII": "Personal data",
    "PHI": "Health data",
    "CONFIDENTIAL": "Confidential",
}


@dataclass(frozen=True, slots=True)
class Preview:
    """The first rows of a table or volume, its columns and how many rows it has."""

    entry: TableEntry
    columns: tuple[Column, ...]
    rows: pd.DataFrame
    row_count: int


class Catalog:
    """Browse the lake and add tables and files to it."""

    def __init__(self, lake: Lake, history: History, permissions: Permissions) -> None:
        self._lake = lake
        self._history = history
        self._permissions = permissions

    def find(self, *, search: str = "") -> list[TableEntry]:
        """Tables and volumes whose name or comment contains the search text, by name."""
        wanted = search.strip().lower()
        entries = self._lake.tables()
        return [entry for entry in entries if wanted in f"{entry.name} {entry.comment}".lower()]

    def get(self, source: str) -> TableEntry:
        """One table or volume. Raises NotFound, also for what cannot be the name of one."""
        try:
            return self._lake.entry(source)
        except Invalid as error:
            raise NotFound("There is no table or volume of this name.", hint="Choose one on the Data page.") from error

    def columns(self, source: str) -> list[Column]:
        """The columns of a table or volume. Raises NotFound."""
        return self._lake.columns(source)

    def preview(self, source: str, *, limit: int = 20) -> Preview:
        """The first rows (at most 100) in the order of the file, and how many there are. Raises NotFound."""
        entry = self._lake.entry(source)
        columns = self._lake.columns(source)
        everything = Selection(source, item_id_column="")
        rows = self._lake.page(everything, limit=min(limit, MAX_PREVIEW_ROWS))
        shown = rows[[column.name for column in columns]]  # without the identifier that every page carries
        return Preview(entry, tuple(columns), shown, self._lake.count(everything))

    def check_identifier(self, source: str, column: str) -> IdentifierCheck:
        """Whether a column can identify the items of a source (INV-3)."""
        return self._lake.check_identifier(source, column)

    def distinct(self, source: str, column: str, *, limit: int = 50) -> list[tuple[str, int]]:
        """The most frequent values of a column with their counts."""
        return self._lake.distinct(source, column, limit=limit)

    def files(self, volume: str) -> list[FileEntry]:
        """The files of a volume."""
        return self._lake.files(volume)

    def read_file(self, volume: str, path: str) -> bytes:
        """The content of one file of a volume. Raises Invalid for a path outside it."""
        return self._lake.read_file(volume, path)

    def thumbnail(self, volume: str, path: str, *, side: int = 320) -> bytes | None:
        """A file of a volume as a small JPEG; None when it cannot be read, is no picture or larger than 20 MB."""
        try:
            content = self._lake.read_file(volume, path, limit_bytes=MAX_FILE_BYTES)
        except (Invalid, NotFound):  # a page of pictures is not lost because of one
            return None
        return pictures.thumbnail(content, side=side)

    def upload_table(
        self, file: Path, *, file_name: str, by: str, name: str = "", tags: Collection[str] = ()
    ) -> TableEntry:
        """Make an uploaded CSV or Parquet file the table `main.uploads.<name>`; tags bind what is made from it.

        Raises Invalid naming line and reason for a malformed file, AlreadyExists for a taken name; nothing is left
        behind then.
        """
        self._permissions.check(by, Action.EDIT_SHEETS)
        table = f"{UPLOADS}.{table_name(name or Path(file_name).stem)}"
        described = TableEntry(table, "table", tags=_checked_tags(tags), source=f"Upload of {file_name}")
        entry = self._lake.put_table(table, file, original_name=file_name, entry=described)
        self._history.add("table", entry.name, "upload", by=by, file=file_name)
        return entry

    def upload_files(
        self, files: Sequence[tuple[str, bytes]], *, name: str, by: str, tags: Collection[str] = ()
    ) -> TableEntry:
        """Put files (name and content) into the volume `main.uploads.<name>`, a new one or one that is there.

        Raises Invalid for a path that leaves it or for two files of the same name, AlreadyExists for one that is there:
        an item may have been labelled by what it shows now. Nothing is written then.
        """
        self._permissions.check(by, Action.EDIT_SHEETS)
        if not files:
            raise Invalid("No file was chosen.", hint="Choose one or more files.")
        volume = f"{UPLOADS}.{table_name(name)}"
        names = [path for path, _ in files]
        repeated = sorted({path for path in names if names.count(path) > 1})
        if repeated:
            raise Invalid(f"Two files are called “{repeated[0]}”.", hint="Rename one of them.")
        is_new = volume not in {entry.name for entry in self._lake.tables()}
        if not is_new:
            self._check_new(volume, names)
        described = TableEntry(volume, "volume", tags=_checked_tags(tags), source=f"Upload by {by}")
        entry = self._lake.put_files(volume, dict(files), entry=described if is_new else None)
        self._history.add("volume", entry.name, "upload", by=by, files=len(files))
        return entry

    def _check_new(self, volume: str, names: Sequence[str]) -> None:
        """Raise AlreadyExists when a file of one of these names is in the volume."""
        if self._lake.entry(volume).kind != "volume":
            return  # the lake refuses it with its own words
        taken = sorted({file.path for file in self._lake.files(volume)} & set(names))
        if taken:
            more = f" and {len(taken) - 1} more" if len(taken) > 1 else ""
            raise AlreadyExists(
                f"“{taken[0]}”{more} is in “{volume}” already.", hint="Rename the file or choose another folder."
            )


def _checked_tags(tags: Collection[str]) -> tuple[str, ...]:
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
