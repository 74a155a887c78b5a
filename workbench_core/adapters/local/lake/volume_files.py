"""The files of a volume: paths that cannot leave it, writing, listing and reading."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from workbench_core.adapters.local.lake.folders import Place
from workbench_core.errors import AlreadyExists, Invalid, NotFound
from workbench_core.ports import Column, FileEntry

if TYPE_CHECKING:
    import pyarrow as pa

PATH_LIMIT = 1000  # characters of a path
NAME_LIMIT = 255  # bytes of one name in it, what file systems allow
UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f\ud800-\udfff]")
FORBIDDEN = re.compile(rf"{UNPRINTABLE.pattern}|\\|^[A-Za-z]:")
COLUMNS = (
    Column("path", "VARCHAR", "string", "Path below the folder; identifies the file"),
    Column("name", "VARCHAR", "string", "File name"),
    Column("size_bytes", "BIGINT", "number", "Size in bytes"),
    Column("modified_at", "TIMESTAMP WITH TIME ZONE", "time", "Last change"),
)


def stage(staging: Path, volume: Place, files: Mapping[str, bytes | Path]) -> None:
    """Write files, given by content or by where they lie, into a new folder `staging` outside the volume.

    Raises Invalid for a path that leaves the volume.
    """
    paths = {path: _parts(path) for path in files}
    _check_no_file_is_folder(paths)
    for path, parts in paths.items():
        _check_target(volume.path, path, parts)
    staging.mkdir()
    for path, data in files.items():
        written = staging.joinpath(*paths[path])
        written.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(data, Path):
            shutil.copyfile(data, written)
        else:
            written.write_bytes(data)


def check_new(volume: Place, files: Iterable[str]) -> None:
    """Raise AlreadyExists when a file of one of these paths is in the volume."""
    taken = sorted(path for path in files if volume.path.joinpath(*_parts(path)).exists())
    if taken:
        more = f" and {len(taken) - 1} more" if len(taken) > 1 else ""
        raise AlreadyExists(
            f"“{taken[0]}”{more} is in “{volume.name}” already.", hint="Rename the file or choose another folder."
        )


def move_in(staging: Path, volume: Place, files: Iterable[str]) -> None:
    """Move staged files into the volume; a file of the same path is replaced. After an error all is as it was.

    Every file is whole at any time; a process that is killed may have moved some of them only.
    """
    replaced = staging.with_suffix(".gone")
    moved: list[tuple[Path, Path]] = []
    try:
        for number, path in enumerate(files):
            parts = _parts(path)
            target, former = volume.path.joinpath(*parts), replaced / str(number)
            target.parent.mkdir(parents=True, exist_ok=True)
            if target.exists():
                replaced.mkdir(exist_ok=True)
                shutil.copyfile(target, former)  # not moved away: there is no moment without the file
            moved.append((target, former))
            staging.joinpath(*parts).replace(target)
    except BaseException:
        for target, former in reversed(moved):
            if former.exists():
                former.replace(target)
            else:
                target.unlink(missing_ok=True)
        raise
    finally:
        shutil.rmtree(replaced, ignore_errors=True)


def list_files(volume: Path) -> list[FileEntry]:
    """All files below a folder by path; links are left out, because they may lead outside."""
    found = ((path, child.stat(follow_symlinks=False)) for path, child in _walk(volume, ""))
    return [_entry(path, status) for path, status in sorted(found, key=lambda each: each[0])]


def list_paths(volume: Path) -> list[str]:
    """The paths of `list_files` alone: a third of the time."""
    return sorted(path for path, _ in _walk(volume, ""))


def file_entry(volume: Place, path: str) -> FileEntry:
    """One file. Raises Invalid for a path outside the volume, NotFound."""
    return _entry(path, _there(volume, path).stat())


def _entry(path: str, status: os.stat_result) -> FileEntry:
    return FileEntry(path, status.st_size, datetime.fromtimestamp(status.st_mtime, tz=UTC))


def _walk(folder: Path, prefix: str) -> Iterator[tuple[str, os.DirEntry[str]]]:
    with os.scandir(folder) as children:
        for child in children:
            if child.is_dir(follow_symlinks=False):
                yield from _walk(folder / child.name, f"{prefix}{child.name}/")
            elif child.is_file(follow_symlinks=False) and not FORBIDDEN.search(child.name):
                yield prefix + child.name, child


def arrow_files(volume: Path) -> pa.Table:
    """The files of a volume as a table with the columns of `COLUMNS`."""
    import pyarrow as pa

    entries = list_files(volume)
    return pa.table(
        {
            "path": pa.array([entry.path for entry in entries], pa.string()),
            "name": pa.array([PurePosixPath(entry.path).name for entry in entries], pa.string()),
            "size_bytes": pa.array([entry.size_bytes for entry in entries], pa.int64()),
            "modified_at": pa.array([entry.modified_at for entry in entries], pa.timestamp("us", tz="UTC")),
        }
    )


def read_file(volume: Place, path: str, *, limit_bytes: int) -> bytes:
    """The content of one file. Raises Invalid for a path outside the volume or a larger file, NotFound."""
    target = _there(volume, path)
    try:
        size = target.stat().st_size
        if size > limit_bytes:
            raise Invalid(
                f"“{path}” has {size:,} bytes; at most {limit_bytes:,} can be read.", hint="Use a smaller file."
            )
        return target.read_bytes()
    except OSError as error:
        raise NotFound(f"“{path}” cannot be read: {error.strerror}.", hint="Reload the list of files.") from error


def read_start(volume: Place, path: str, *, size_bytes: int, offset: int = 0) -> bytes:
    """So many bytes of one file, however large it is. Raises Invalid for a path outside the volume, NotFound."""
    target = _there(volume, path)
    try:
        with target.open("rb") as handle:
            handle.seek(offset)
            return handle.read(size_bytes)
    except OSError as error:
        raise NotFound(f"“{path}” cannot be read: {error.strerror}.", hint="Reload the list of files.") from error


def _there(volume: Place, path: str) -> Path:
    parts = _parts(path)
    _check_no_link(volume.path, path, parts)
    target = volume.path.joinpath(*parts)
    if not target.is_file():
        raise NotFound(f"There is no file “{path}” in “{volume.name}”.", hint="Choose another file.")
    return target


# --- paths -----------------------------------------------------------------------------------------------------------


def _parts(path: str) -> tuple[str, ...]:
    """The names of a relative path. Raises Invalid for one that could lead outside or that cannot be a file."""
    parts = tuple(path.split("/"))
    if FORBIDDEN.search(path) or any(part in ("", ".", "..") for part in parts):
        raise Invalid(
            f"“{UNPRINTABLE.sub('?', path[:200])}” is not a path inside a folder.",
            hint="Use a relative path such as boards/17.png, without .., backslashes or drive letters.",
        )
    if len(path) > PATH_LIMIT or any(len(part.encode()) > NAME_LIMIT for part in parts):
        raise Invalid(
            f"The path “{path[:60]}...” is too long.",
            hint=f"A path may have {PATH_LIMIT} characters, each name in it {NAME_LIMIT} bytes.",
        )
    return parts


def _check_no_file_is_folder(paths: Mapping[str, tuple[str, ...]]) -> None:
    for path, parts in paths.items():
        for length in range(1, len(parts)):
            if "/".join(parts[:length]) in paths:
                raise Invalid(
                    f"“{'/'.join(parts[:length])}” cannot be a file and a folder (for “{path}”).",
                    hint="Rename one of them.",
                )


def _check_target(volume: Path, path: str, parts: tuple[str, ...]) -> None:
    """Raise Invalid when a file would replace a folder or pass through a file or link."""
    _check_no_link(volume, path, parts)
    for length in range(1, len(parts) + 1):
        step = volume.joinpath(*parts[:length])
        is_last = length == len(parts)
        if step.is_dir() if is_last else step.is_file():
            there = "folder" if is_last else "file"
            raise Invalid(f"“{'/'.join(parts[:length])}” is a {there} already.", hint="Choose another name.")


def _check_no_link(volume: Path, path: str, parts: tuple[str, ...]) -> None:
    for length in range(len(parts) + 1):
        if volume.joinpath(*parts[:length]).is_symlink():
            raise Invalid(f"“{path}” leads through a link.", hint="Files behind links are not part of a folder.")
