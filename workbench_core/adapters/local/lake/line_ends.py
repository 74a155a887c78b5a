"""CSV files whose lines end in different ways, as files whose lines end in one; values in quotes stay as they are."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import BinaryIO

CHUNK = 4_000_000
NOTE = "The lines of the file end in different ways (Windows and Unix); they were made the same."


@contextmanager
def one_line_end(file: Path, *, is_wanted: bool = True) -> Iterator[tuple[Path, tuple[str, ...]]]:
    """The file, or a copy with Unix line ends when it has several kinds, gone afterwards; and a note when it has.

    A file that is read in another way than in lines is not wanted changed.
    """
    if not is_wanted or not _may_be_mixed(file):
        yield file, ()
        return
    with TemporaryDirectory(prefix="workbench-lines-") as folder:
        copy = Path(folder).resolve() / "lines"
        if _write_with_one(file, copy) > 1:
            yield copy, (NOTE,)
        else:  # only values in quotes have others
            copy.unlink()
            yield file, ()


def _may_be_mixed(file: Path) -> bool:
    """Whether several kinds of line ends occur anywhere; counted, because nearly no file has them."""
    both = returns = feeds = 0
    with file.open("rb") as handle:
        for chunk in _chunks(handle):
            pairs = chunk.count(b"\r\n")
            both += pairs
            returns += chunk.count(b"\r") - pairs
            feeds += chunk.count(b"\n") - pairs
            if (both > 0) + (returns > 0) + (feeds > 0) > 1:
                return True
    return False


def _write_with_one(file: Path, target: Path) -> int:
    """Write the file with \\n at the end of each line, and give how many kinds of line ends it had outside quotes."""
    kinds: set[bytes] = set()
    is_quoted = False
    with file.open("rb") as source, target.open("wb") as written:
        for chunk in _chunks(source):
            parts = chunk.split(b'"')
            for place, part in enumerate(parts):
                if place:
                    is_quoted = not is_quoted  # a doubled quote inside a value turns it twice
                    written.write(b'"')
                written.write(part if is_quoted else _unix(part, kinds))
    return len(kinds)


def _unix(part: bytes, kinds: set[bytes]) -> bytes:
    pairs = part.count(b"\r\n")
    for kind, count in ((b"\r\n", pairs), (b"\r", part.count(b"\r") - pairs), (b"\n", part.count(b"\n") - pairs)):
        if count:
            kinds.add(kind)
    return part.replace(b"\r\n", b"\n").replace(b"\r", b"\n") if pairs or b"\r" in part else part


def _chunks(handle: BinaryIO) -> Iterator[bytes]:
    """The content in pieces, none of which ends between a return and its line feed."""
    while chunk := handle.read(CHUNK):
        while chunk.endswith(b"\r") and (more := handle.read(1)):
            chunk += more
        yield chunk
