"""Archives and folders from outside as lists of files: every path checked, every size limited while it is read."""

from __future__ import annotations

import contextlib
import os
import re
import stat
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from workbench_core.errors import BackendError, Invalid
from workbench_core.text_encodings import is_encodable

MAX_UNPACKED_BYTES = 1_000_000_000
MAX_FILE_BYTES = 500_000_000
MAX_FILES = 20_000
MAX_FOLDER_BYTES = 10_000_000_000
MAX_RATIO = 200  # unpacked to packed; text compresses to a tenth, a repeated line to a hundredth
RATIO_FREE_BYTES = 10_000_000  # below, no ratio does harm
CHUNK = 1_000_000
ARCHIVE_ENDING = ".zip"
LEFT_OUT = re.compile(r"(^|/)(__MACOSX/.*|\.DS_Store|\._[^/]*|Thumbs\.db|desktop\.ini)$", re.IGNORECASE)
UNSAFE = re.compile(r"[\x00-\x1f\x7f\\]|^/|^[A-Za-z]:")
BOMB_HINT = "Unpack it yourself and take the files that you need."
UTF_8_NAME = 0x800  # flag of an entry: its name is UTF-8
ENCRYPTED = 0x1


@dataclass(frozen=True, slots=True)
class Gathered:
    """Files by their path in the archive or folder, and sentences on what was left out."""

    files: Mapping[str, Path]
    notes: tuple[str, ...] = ()


@dataclass(slots=True)
class _Budget:
    """How much has been unpacked so far, against how much the archive holds."""

    packed: int
    written: int = 0

    def take(self, size: int, *, path: str, of_file: int, packed: int) -> None:
        """Count bytes as they come. Raises Invalid when they are too many: the sizes that an archive states may lie."""
        self.written += size
        if of_file > MAX_FILE_BYTES:
            raise Invalid(f"“{path}” unpacks to more than {MAX_FILE_BYTES / 1e6:,.0f} MB.", hint=BOMB_HINT)
        if self.written > MAX_UNPACKED_BYTES:
            raise Invalid(f"The archive unpacks to more than {MAX_UNPACKED_BYTES / 1e6:,.0f} MB.", hint=BOMB_HINT)
        if _is_bomb(of_file, packed) or _is_bomb(self.written, self.packed):
            raise Invalid(
                f"“{path}” unpacks to more than {MAX_RATIO} times its size; that is what a zip bomb does.",
                hint=BOMB_HINT,
            )


def is_archive(name: str) -> bool:
    """Whether a file is an archive by its name."""
    return Path(name).suffix.lower() == ARCHIVE_ENDING


def unpack(archive: Path, folder: Path) -> Gathered:
    """Unpack a .zip file into an empty folder, under numbers instead of names.

    Raises Invalid, naming the entry, for paths that lead outside, links, encrypted or damaged entries, repeated names,
    more files or bytes than allowed, and zip bombs.
    """
    try:
        with zipfile.ZipFile(archive) as opened:
            entries, left_out = _entries(opened)
            budget = _Budget(packed=archive.stat().st_size)
            files: dict[str, Path] = {}
            for number, (path, entry) in enumerate(entries.items()):
                files[path] = folder / str(number)
                _inflate(opened, entry, files[path], path=path, budget=budget)
    except zipfile.BadZipFile as error:
        raise Invalid("The archive is no .zip file, or it is damaged.", hint="Pack the files again.") from error
    except UnicodeDecodeError as error:  # zipfile stops at the first name that is not what its entry says
        raise Invalid(
            "The name of a file in the archive is damaged: it is not in UTF-8.", hint="Pack the files again."
        ) from error
    except OSError as error:
        raise BackendError(
            f"The archive cannot be unpacked: {error.strerror}.", hint="Check the free space of the temporary folder."
        ) from error
    return _checked(files, left_out)


def collect(folder: Path) -> Gathered:
    """All files below a folder; links and what is hidden are left out. Raises Invalid for too many or too large."""
    files: dict[str, Path] = {}
    left_out = total = 0
    for path, file in walk(folder):
        if file is None or LEFT_OUT.search(path) or UNSAFE.search(path) or not is_encodable(path):
            left_out += 1
            continue
        files[path] = file
        total += file.stat().st_size
        if len(files) > MAX_FILES or total > MAX_FOLDER_BYTES:
            raise Invalid(
                f"The folder has more than {MAX_FILES:,} files or {MAX_FOLDER_BYTES / 1e9:,.0f} GB.",
                hint="Take one of the folders in it.",
            )
    return _checked(dict(sorted(files.items())), left_out)


def walk(folder: Path, prefix: str = "") -> Iterator[tuple[str, Path | None]]:
    """The files below a folder with their path in it, folder by folder; None for what is no plain file or hidden."""
    with os.scandir(folder) as children:
        for child in sorted(children, key=lambda each: each.name):
            path = f"{prefix}{child.name}"
            if child.name.startswith(".") or child.is_symlink():
                yield path, None
            elif child.is_dir(follow_symlinks=False):
                yield from walk(Path(child.path), f"{path}/")
            else:
                yield path, Path(child.path) if child.is_file(follow_symlinks=False) else None


def _checked(files: Mapping[str, Path], left_out: int) -> Gathered:
    if not files:
        raise Invalid("There is no file in it.", hint="Choose an archive or folder with files.")
    if not left_out:
        return Gathered(files)
    what = "One entry that holds no data was" if left_out == 1 else f"{left_out:,} entries that hold no data were"
    return Gathered(
        files, (f"{what} left out: hidden files, links, what operating systems add, and names that are not in UTF-8.",)
    )


# --- entries of an archive -------------------------------------------------------------------------------------------


def _entries(archive: zipfile.ZipFile) -> tuple[dict[str, zipfile.ZipInfo], int]:
    """The files of an archive by their checked path, and how many were left out."""
    listed = archive.infolist()
    if len(listed) > MAX_FILES:
        raise Invalid(f"The archive has {len(listed):,} entries; at most {MAX_FILES:,} are taken.", hint=BOMB_HINT)
    if sum(entry.file_size for entry in listed) > MAX_UNPACKED_BYTES:
        raise Invalid(f"The archive unpacks to more than {MAX_UNPACKED_BYTES / 1e6:,.0f} MB.", hint=BOMB_HINT)
    files: dict[str, zipfile.ZipInfo] = {}
    left_out = 0
    for entry in listed:
        path = _path(entry)
        _check_plain(entry, path)
        if LEFT_OUT.search(path):
            left_out += 1
        elif not entry.is_dir():
            if path in files:
                raise Invalid(f"“{path}” is in the archive twice.", hint="Pack the files again.")
            files[path] = entry
    return files, left_out


def _path(entry: zipfile.ZipInfo) -> str:
    """The path of an entry. Raises Invalid when it could lead out of the folder that it is unpacked into."""
    name = entry.orig_filename
    if not entry.flag_bits & UTF_8_NAME:
        with contextlib.suppress(UnicodeError):  # many programs write UTF-8 without saying so
            name = name.encode("cp437").decode("utf-8")
    parts = PurePosixPath(name).parts
    if UNSAFE.search(name) or not parts or any(part in ("..", ".") for part in name.rstrip("/").split("/")):
        shown = re.sub(r"[\x00-\x1f\x7f]", "?", name[:200])
        raise Invalid(
            f"“{shown}” is not a path inside the archive.", hint="Pack the files again, without links to others."
        )
    return "/".join(parts)


def _check_plain(entry: zipfile.ZipInfo, path: str) -> None:
    kind = stat.S_IFMT(entry.external_attr >> 16)
    if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
        raise Invalid(f"“{path}” is a link, not a file.", hint="Pack the file that it leads to.")
    if entry.flag_bits & ENCRYPTED:
        raise Invalid(f"“{path}” is encrypted.", hint="Pack the files without a password.")


def _inflate(archive: zipfile.ZipFile, entry: zipfile.ZipInfo, target: Path, *, path: str, budget: _Budget) -> None:
    of_file = 0
    try:
        with archive.open(entry) as source, target.open("wb") as written:
            while chunk := source.read(CHUNK):
                of_file += len(chunk)
                budget.take(len(chunk), path=path, of_file=of_file, packed=entry.compress_size)
                written.write(chunk)
    except (zipfile.BadZipFile, zlib.error, EOFError) as error:
        raise Invalid(f"“{path}” in the archive is damaged.", hint="Pack the files again.") from error
    except (NotImplementedError, RuntimeError) as error:  # what zipfile says to methods and encryption it does not know
        raise Invalid(
            f"“{path}” is packed in a way that cannot be read.", hint="Pack the files as a plain .zip."
        ) from error


def _is_bomb(unpacked: int, packed: int) -> bool:
    return unpacked > RATIO_FREE_BYTES and unpacked > MAX_RATIO * max(packed, 1)
