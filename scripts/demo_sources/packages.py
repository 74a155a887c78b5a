"""Packages as archives or folders: the files in them."""

from __future__ import annotations

import io
import lzma
import re
import tarfile
import zipfile
from collections.abc import Iterator
from pathlib import Path


def read_package(path: Path, wanted: str) -> dict[str, bytes]:
    """Read the files of a folder, wheel, tarball or Debian package whose path matches the pattern `wanted`."""
    pattern = re.compile(wanted)
    return {name: content for name, content in sorted(_files(path)) if pattern.search(name)}


def _files(path: Path) -> Iterator[tuple[str, bytes]]:
    if path.is_dir():
        for file in path.rglob("*"):
            if file.is_file():
                yield file.relative_to(path).as_posix(), file.read_bytes()
    elif path.suffix == ".whl":
        with zipfile.ZipFile(path) as wheel:
            yield from ((name, wheel.read(name)) for name in wheel.namelist() if not name.endswith("/"))
    else:
        content = path.read_bytes()
        raw = io.BytesIO(_debian_data(content) if path.suffix == ".deb" else content)
        with tarfile.open(fileobj=raw) as archive:
            for member in archive:
                stream = archive.extractfile(member) if member.isfile() else None
                if stream is not None:
                    yield member.name.removeprefix("./"), stream.read()


def _debian_data(package: bytes) -> bytes:
    """Return the data.tar of a Debian package, which is an `ar` archive with 60-byte member headers."""
    at = len(b"!<arch>\n")
    while at < len(package):
        name, size = package[at : at + 16].strip(b" /"), int(package[at + 48 : at + 58])
        content = package[at + 60 : at + 60 + size]
        if name.startswith(b"data.tar"):
            return lzma.decompress(content) if name.endswith(b".xz") else content
        at += 60 + size + size % 2
    raise SystemExit("The Debian package holds no data.tar.")
