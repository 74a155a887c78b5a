"""The data files of an export, written as the pairs stream by; the same pairs give the same bytes everywhere."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from workbench_core.errors import Unavailable
from workbench_core.exports.formats import COLUMNS, ExportPair, cells_of, csv_line, harmless_cells, line_of
from workbench_core.exports.requests import ExportFormat, WrittenFile

if TYPE_CHECKING:
    import pyarrow as pa

ONE_FILE = ""  # the part of a file that is not divided
_FILE_PARTS = {ONE_FILE: "", "train": "_train", "validation": "_val", "test": "_test"}
_CHUNK = 1_000_000  # characters that are kept before they are written
_GROUP_ROWS, _GROUP_CHARACTERS = 10_000, 8_000_000  # of a row group of Parquet, whichever is reached first
_LONGEST = 80
_RESERVED = re.compile(r"con|prn|aux|nul|com[0-9]|lpt[0-9]")  # names that Windows does not give to files
_BOM = "\ufeff"  # without it spreadsheets read UTF-8 as something else


@dataclass(frozen=True, slots=True)
class FileLayout:
    """How the files look: their format, the beginning of their names and the parts, `("",)` for a single file."""

    format: ExportFormat
    stem: str
    parts: tuple[str, ...] = (ONE_FILE,)
    with_system: bool = True
    for_spreadsheets: bool = False

    def name_of(self, part: str) -> str:
        """The name of the file of a part: NAME_train.jsonl, NAME_val.jsonl, NAME_test.jsonl."""
        return f"{self.stem}{_FILE_PARTS[part]}.{self.format.ending}"


@dataclass(frozen=True, slots=True)
class WrittenFiles:
    """The files, and how many of their texts a spreadsheet would run as a formula (CSV alone)."""

    files: tuple[WrittenFile, ...]
    formula_texts: int = 0


def file_stem(title: str) -> str:
    """A file name from any title: `Q3 mails (final)` becomes `q3_mails_final`."""
    name = re.sub(r"[^a-z0-9]+", "_", title.lower()).strip("_")[:_LONGEST].rstrip("_") or "training_sheet"
    return f"{name}_pairs" if _RESERVED.fullmatch(name) else name


def write_files(pairs: Iterable[tuple[ExportPair, str]], layout: FileLayout, folder: Path) -> WrittenFiles:
    """Write each pair into the file of its part; a part without pairs gets an empty file.

    What `pairs` raises ends the writing, and the files are left as they are: the caller removes the folder. Raises
    Unavailable when the disk does not take them.
    """
    try:
        files = {part: _open(layout, part, folder) for part in layout.parts}
        try:
            for pair, part in pairs:
                files[part].add(pair)
        finally:
            for file in files.values():
                file.close()
    except OSError as error:
        raise Unavailable(
            f"The files cannot be written: {error.strerror or error}.", hint="Make room on the disk, then export again."
        ) from error
    written = tuple(_written(file, layout, part, folder) for part, file in files.items())
    return WrittenFiles(written, sum(file.formula_texts for file in files.values()))


def _written(file: _File, layout: FileLayout, part: str, folder: Path) -> WrittenFile:
    path = folder / layout.name_of(part)
    with path.open("rb") as stream:
        digest = hashlib.file_digest(stream, "sha256").hexdigest()
    return WrittenFile(path.name, part, file.pairs, path.stat().st_size, digest)


class _File(Protocol):
    """One file that takes pairs."""

    pairs: int
    formula_texts: int

    def add(self, pair: ExportPair) -> None: ...

    def close(self) -> None: ...


def _open(layout: FileLayout, part: str, folder: Path) -> _File:
    if layout.format is ExportFormat.PARQUET:
        return _ParquetFile(layout, part, folder)
    return (_CsvFile if layout.format is ExportFormat.CSV else _LinesFile)(layout, part, folder)


class _TextFile:
    """Lines of text in UTF-8, each with its end."""

    def __init__(self, path: Path) -> None:
        self.pairs = self.formula_texts = 0
        self._file = path.open("wb")
        self._waiting: list[str] = []
        self._characters = 0

    def put(self, line: str) -> None:
        self._waiting += (line, "\n")
        self._characters += len(line)
        if self._characters > _CHUNK:
            self._flush()

    def close(self) -> None:
        with self._file:
            self._flush()
            self._file.flush()
            os.fsync(self._file.fileno())  # what is moved in place must be there after a power cut, too

    def _flush(self) -> None:
        self._file.write("".join(self._waiting).encode())
        self._waiting.clear()
        self._characters = 0


class _LinesFile(_TextFile):
    """One JSON object a line."""

    def __init__(self, layout: FileLayout, part: str, folder: Path) -> None:
        super().__init__(folder / layout.name_of(part))
        self._line = line_of(layout.format, with_system=layout.with_system)

    def add(self, pair: ExportPair) -> None:
        self.pairs += 1
        self.put(self._line(pair))


class _CsvFile(_TextFile):
    """Quoted cells below the names of the columns."""

    def __init__(self, layout: FileLayout, part: str, folder: Path) -> None:
        super().__init__(folder / layout.name_of(part))
        self._layout, self._part = layout, part
        self.put((_BOM if layout.for_spreadsheets else "") + csv_line(COLUMNS))

    def add(self, pair: ExportPair) -> None:
        self.pairs += 1
        cells = cells_of(pair, self._part, with_system=self._layout.with_system)
        harmless, formulas = harmless_cells(cells)
        self.formula_texts += formulas
        self.put(csv_line(harmless if self._layout.for_spreadsheets else cells))


class _ParquetFile:
    """Columns of text; row groups end where the rows say so, not where a page of the store ends."""

    def __init__(self, layout: FileLayout, part: str, folder: Path) -> None:
        import pyarrow as pa
        import pyarrow.parquet as pq

        self.pairs = self.formula_texts = 0
        self._layout, self._part = layout, part
        self._schema = pa.schema([(name, pa.string()) for name in COLUMNS])
        self._path = folder / layout.name_of(part)
        self._writer = pq.ParquetWriter(
            self._path, self._schema, version="2.6", data_page_version="1.0", compression="zstd", compression_level=3,
            use_dictionary=True, write_statistics=True, store_schema=False,
        )  # fmt: skip
        self._rows: list[Sequence[str]] = []
        self._characters = 0

    def add(self, pair: ExportPair) -> None:
        cells = cells_of(pair, self._part, with_system=self._layout.with_system)
        self.pairs += 1
        self._rows.append(cells)
        self._characters += len(cells[2]) + len(cells[3])
        if len(self._rows) >= _GROUP_ROWS or self._characters >= _GROUP_CHARACTERS:
            self._flush()

    def close(self) -> None:
        with self._writer:
            self._flush()
        with self._path.open("rb") as file:
            os.fsync(file.fileno())

    def _flush(self) -> None:
        if self._rows:
            self._writer.write_table(self._table(), row_group_size=_GROUP_ROWS)
        self._rows.clear()
        self._characters = 0

    def _table(self) -> pa.Table:
        import pyarrow as pa

        columns = zip(*self._rows, strict=True)
        return pa.table([pa.array(values, pa.string()) for values in columns], schema=self._schema)
