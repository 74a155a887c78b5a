"""The folders of the server from which files may be imported: what lies there, and no way out of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import Literal

from workbench_core.catalog.archives import is_archive, walk
from workbench_core.errors import Invalid, NotFound
from workbench_core.text_encodings import is_encodable

MAX_LISTED = 500
MAX_PART, MAX_PATH = 255, 4000  # bytes of a name, characters of a path: no file system has longer ones
MAX_WALKED = 50_000  # files looked at for one list


@dataclass(frozen=True, slots=True)
class ImportableFile:
    """A file, archive or folder that can be imported: `path` is relative to `folder`, one of the import folders."""

    folder: str
    path: str
    kind: Literal["file", "archive", "folder"]
    size_bytes: int
    file_count: int
    modified_at: datetime


class ImportFolders:
    """List and open what people put into a few folders. Links are not followed, so that nothing leads outside."""

    def __init__(self, folders: Sequence[Path]) -> None:
        self._folders = tuple(folder.resolve() for folder in folders)

    def find(self, *, search: str = "") -> list[ImportableFile]:
        """Files, archives and folders whose path contains the search text, by path; at most 500."""
        wanted = search.strip().casefold()
        every = [found for folder in self._folders if folder.is_dir() for found in _listed(folder)]
        return [found for found in every if wanted in found.path.casefold()][:MAX_LISTED]

    def open(self, folder: str, path: str) -> Path:
        """Where something lies. Raises Invalid for a path outside the import folders, NotFound."""
        root = next((each for each in self._folders if str(each) == folder), None)
        if root is None:
            raise Invalid("This is not an import folder.", hint="Set WORKBENCH_IMPORT_FOLDERS to allow another one.")
        parts = path.split("/")
        if "\x00" in path or "\\" in path or any(not part or part.startswith(".") for part in parts):
            raise _outside(path)  # what is hidden is not in the list either
        if not is_encodable(path) or any(len(part.encode()) > MAX_PART for part in parts) or len(path) > MAX_PATH:
            raise _gone(path)
        target = root.joinpath(*parts)
        if not target.resolve().is_relative_to(root) or _passes_link(root, parts):
            raise _outside(path)
        if not target.exists():
            raise _gone(path)
        return target


def _passes_link(root: Path, parts: Sequence[str]) -> bool:
    return any(root.joinpath(*parts[:length]).is_symlink() for length in range(1, len(parts) + 1))


def _gone(path: str) -> NotFound:
    shown = path[:200].encode("utf-8", "replace").decode()
    return NotFound(f"“{shown}” is not there any more.", hint="Reload the list.")


def _outside(path: str) -> Invalid:
    return Invalid(f"“{path[:200]}” does not lie in an import folder.", hint="Choose a file from the list.")


def _listed(root: Path) -> list[ImportableFile]:
    found: list[ImportableFile] = []
    folders: dict[str, list[float]] = {}
    for path, file in islice(walk(root), MAX_WALKED):
        if file is None or not is_encodable(path):
            continue
        status = file.stat()
        kind: Literal["file", "archive"] = "archive" if is_archive(path) else "file"
        found.append(ImportableFile(str(root), path, kind, status.st_size, 1, _time(status.st_mtime)))
        parts = path.split("/")[:-1]
        for length in range(1, len(parts) + 1):
            sums = folders.setdefault("/".join(parts[:length]), [0, 0, 0.0])
            sums[0] += status.st_size
            sums[1] += 1
            sums[2] = max(sums[2], status.st_mtime)
    found += [
        ImportableFile(str(root), path, "folder", int(size), int(count), _time(newest))
        for path, (size, count, newest) in folders.items()
    ]
    return sorted(found, key=lambda each: each.path)


def _time(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, tz=UTC)
