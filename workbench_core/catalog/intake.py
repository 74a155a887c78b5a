"""From files to the lake: what becomes a table, what a volume, shown first and then done, whole or not at all."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

from workbench_core.catalog.archives import Gathered, collect, is_archive, unpack
from workbench_core.catalog.model import UPLOADS, Incoming, IncomingFile, IncomingTable, named, names_for, table_name
from workbench_core.errors import AlreadyExists, Invalid
from workbench_core.ports import TABLE_ENDINGS, FileInspection, IntakePlan, Lake, TableChange, TableEntry
from workbench_core.text_encodings import check_encodable

MAX_TABLES = 20  # of one archive or folder; more files of a kind are rather one data set of many files


@dataclass(frozen=True, slots=True)
class Wishes:
    """What a person decided about files that come in.

    `name` is that of the volume, or of the table when there is only one file. `plans` say how to read which file.
    `tables` are the paths of the files that become tables; None takes all that can. `change` says what the rows of a
    single table file do to the table of that name which is there.
    """

    name: str = ""
    plans: Mapping[str, IntakePlan] = field(default_factory=dict)
    tables: Collection[str] | None = None
    change: TableChange = field(default_factory=TableChange)


@dataclass(frozen=True, slots=True)
class Arrangement:
    """Which files become which tables, which go into the volume, and what is told about that."""

    tables: Mapping[str, str]
    files: tuple[str, ...]
    volume: str
    notes: tuple[str, ...]


@contextmanager
def gathered(file: Path, *, name: str) -> Iterator[Gathered]:
    """The files of an archive, a folder, or just the file itself; what had to be unpacked is gone afterwards."""
    check_encodable(name, what="The name of the file")
    if file.is_dir():
        yield collect(file)
    elif is_archive(name):
        with TemporaryDirectory(prefix="workbench-archive-") as folder:
            yield unpack(file, Path(folder).resolve())
    else:
        yield Gathered({Path(name).name: file})


def inspect(lake: Lake, incoming: Gathered, *, title: str, wishes: Wishes) -> Incoming:
    """What files would become. Raises Invalid naming file, line and reason for one that cannot be read."""
    arrangement = arrange(incoming, title=title, wishes=wishes)
    tables, files, notes = [], list(arrangement.files), list(arrangement.notes)
    for path, name in arrangement.tables.items():
        found = _inspected(lake, incoming.files[path], path, wishes=wishes, is_alone=len(incoming.files) == 1)
        if isinstance(found, FileInspection):
            tables.append(IncomingTable(path, name, incoming.files[path].stat().st_size, found))
        elif _may_stay_file(path, arrangement):
            files.append(path)
            notes.append(f"“{path}” stays a file: {found.message}")
        else:
            raise found
    kept = tuple(IncomingFile(path, incoming.files[path].stat().st_size) for path in sorted(files))
    return Incoming(tuple(tables), kept, arrangement.volume if kept else "", tuple(notes))


def arrange(incoming: Gathered, *, title: str, wishes: Wishes) -> Arrangement:
    """Sort files into tables and others. One table file is that table; others form a volume with their folders."""
    able = [path for path in incoming.files if _can_be_table(path, is_alone=len(incoming.files) == 1)]
    notes = list(incoming.notes)
    chosen = able if wishes.tables is None else [path for path in able if path in wishes.tables]
    if wishes.tables is None and len(able) > MAX_TABLES:
        notes.append(f"{len(able):,} files could be tables; that many stay files. Choose those that become tables.")
        chosen = []
    files = tuple(path for path in incoming.files if path not in chosen)
    names = names_for(chosen)
    if wishes.name and len(incoming.files) == 1 and chosen:
        names = {chosen[0]: table_name(wishes.name)}
    tables = {path: f"{UPLOADS}.{name}" for path, name in names.items()}
    volume = f"{UPLOADS}.{table_name(wishes.name) if wishes.name else named(title, otherwise='files')}"
    if volume in tables.values():
        volume = f"{volume}_files"
    return Arrangement(tables, files, volume, tuple(notes))


def only_table(incoming: Gathered, *, title: str, wishes: Wishes) -> tuple[str, str]:
    """Path and table name of the one file that comes in. Raises Invalid when it is not one table file."""
    arrangement = arrange(incoming, title=title, wishes=wishes)
    if len(arrangement.tables) != 1 or arrangement.files:
        raise Invalid("Only a single table file can change a table.", hint="Choose one file, or another name.")
    return next(iter(arrangement.tables.items()))


def commit(
    lake: Lake, incoming: Gathered, *, arrangement: Arrangement, wishes: Wishes, described: TableEntry
) -> list[TableEntry]:
    """Write tables and volume, described like this: all of them, or nothing after an error or the process's end.

    Raises AlreadyExists before anything is written, Invalid like `inspect`.
    """
    _check_free(lake, [*arrangement.tables.values(), *([arrangement.volume] if arrangement.files else [])])
    made: list[TableEntry] = []
    files = list(arrangement.files)
    with lake.all_or_nothing():
        for path, name in arrangement.tables.items():
            try:
                made.append(_put_table(lake, incoming, path=path, name=name, wishes=wishes, described=described))
            except Invalid as error:
                if not _may_stay_file(path, arrangement):
                    raise _about(path, error, is_alone=len(incoming.files) == 1) from error
                files.append(path)
        if files:
            content = {path: incoming.files[path] for path in files}
            made.append(lake.put_files(arrangement.volume, content, entry=described))
    return made


def _put_table(
    lake: Lake, incoming: Gathered, *, path: str, name: str, wishes: Wishes, described: TableEntry
) -> TableEntry:
    plan = wishes.plans.get(path)
    return lake.put_table(name, incoming.files[path], original_name=path, entry=described, plan=plan)


def _can_be_table(path: str, *, is_alone: bool) -> bool:
    """Whether a file becomes a table by its name; among others a .txt file is a text."""
    ending = Path(path).suffix.lower()
    return ending in TABLE_ENDINGS and (is_alone or ending != ".txt")


def _may_stay_file(path: str, arrangement: Arrangement) -> bool:
    """Whether a file that is no table is no mistake: JSON beside pictures or texts often describes them."""
    return Path(path).suffix.lower() == ".json" and bool(arrangement.files)


def _inspected(lake: Lake, file: Path, path: str, *, wishes: Wishes, is_alone: bool) -> FileInspection | Invalid:
    try:
        return lake.inspect_file(file, original_name=path, plan=wishes.plans.get(path))
    except Invalid as error:
        return _about(path, error, is_alone=is_alone)


def _about(path: str, error: Invalid, *, is_alone: bool) -> Invalid:
    return error if is_alone else Invalid(f"“{path}”: {error.message}", hint=error.hint)


def _check_free(lake: Lake, names: Sequence[str]) -> None:
    taken = sorted({entry.name for entry in lake.tables()} & set(names))
    if taken:
        raise AlreadyExists(f"“{taken[0]}” exists already.", hint="Choose another name, or remove it first.")
