"""The lake on disk: tables, volumes and their sidecars as files in folders, and how they come and go whole."""

from __future__ import annotations

import json
import logging
import os
import shutil
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from uuid import uuid4

from workbench_core.adapters.lake_query import NAME_PART, split_name
from workbench_core.errors import BackendError, NotFound
from workbench_core.ports import Column, TableEntry

logger = logging.getLogger(__name__)

TABLE_ENDINGS = (".parquet", ".csv")
SIDECAR_ENDING = ".meta.json"
SCRATCH = ".scratch"  # below the lake: what is being written or removed; no name of a catalog begins with a dot
DAMAGED_TAGS = ("CONFIDENTIAL", "PII")  # of data whose notes cannot be read: better too much than too little
_STARTED_AT = time.time()
DISK_HINT = "Check the free space and the permissions of the workbench's folder."


@dataclass(frozen=True, slots=True)
class Sidecar:
    """What is known about a table or volume beside its data."""

    comment: str = ""
    tags: tuple[str, ...] = ()
    licence: str = ""
    source: str = ""
    is_demo: bool = False
    original_name: str = ""
    owner: str = ""
    column_comments: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Place:
    """Where a table (a file) or volume (a folder) lies."""

    name: str
    path: Path
    sidecar: Path = field(repr=False)

    @property
    def is_volume(self) -> bool:
        """True for a folder of files, false for a table."""
        return self.path.suffix not in TABLE_ENDINGS

    def exists(self) -> bool:
        """True when the data is there as the right kind of thing."""
        return self.path.is_dir() if self.is_volume else self.path.is_file()

    def stamp(self) -> tuple[str, int, int]:
        """A key that changes whenever the content does."""
        status = self.path.stat()
        return (self.name, status.st_mtime_ns, status.st_size)


# --- find ------------------------------------------------------------------------------------------------------------


def place_for(root: Path, name: str, *, ending: str) -> Place:
    """Where a table (ending .parquet or .csv) or volume (no ending) belongs. Raises Invalid for an illegal name."""
    catalog, schema, table = split_name(name)
    folder = root / catalog / schema
    return Place(name, folder / f"{table}{ending}", folder / f"{table}{SIDECAR_ENDING}")


def find(root: Path, name: str) -> Place | None:
    """Where a table or volume is; None when there is none. Raises Invalid like `place_for`."""
    candidates = [place_for(root, name, ending=ending) for ending in (*TABLE_ENDINGS, "")]
    return next((place for place in candidates if place.exists()), None)


def existing(root: Path, name: str) -> Place:
    """Where a table or volume is. Raises NotFound, and Invalid like `find`."""
    place = find(root, name)
    if place is None:
        raise NotFound(f"There is no table or folder “{name}”.", hint="Choose another one in the catalog.")
    return place


def places(root: Path) -> list[Place]:
    """All tables and volumes by name; Parquet before CSV before a folder of the same name, as in `find`."""
    found: dict[str, Place] = {}
    for schema in (schema for catalog in _folders(root) for schema in _folders(catalog)):
        paths = list(schema.iterdir())
        for ending in (*TABLE_ENDINGS, ""):
            for path in paths:
                if path.suffix == ending and NAME_PART.fullmatch(path.stem):
                    place = place_for(root, f"{schema.parent.name}.{schema.name}.{path.stem}", ending=ending)
                    if place.exists():
                        found.setdefault(place.name, place)
    return [found[name] for name in sorted(found)]


def _folders(parent: Path) -> list[Path]:
    if not parent.is_dir():
        return []
    return [path for path in parent.iterdir() if path.is_dir() and NAME_PART.fullmatch(path.name)]


# --- sidecar ---------------------------------------------------------------------------------------------------------


def entry_of(place: Place) -> TableEntry:
    """The table or volume as the catalog lists it; with unreadable notes it says so and binds as much as can be."""
    try:
        sidecar = read_sidecar(place)
    except BackendError as error:
        logger.warning("%s", error.message)
        sidecar = Sidecar(comment=f"{error.message} {error.hint}", tags=DAMAGED_TAGS)
    return TableEntry(
        name=place.name,
        kind="volume" if place.is_volume else "table",
        comment=sidecar.comment,
        tags=sidecar.tags,
        licence=sidecar.licence,
        source=sidecar.source,
        is_demo=sidecar.is_demo,
        owner=sidecar.owner,
    )


def read_sidecar(place: Place) -> Sidecar:
    """What is noted about a table or volume; nothing without a note, and what is known of one with more in it.

    Raises BackendError for a note that cannot be read: a person may have edited it.
    """
    try:
        noted = json.loads(place.sidecar.read_text("utf-8"))
        known = {each.name: noted[each.name] for each in fields(Sidecar) if each.name in noted}
        comments = {str(name): str(comment) for name, comment in noted.get("column_comments", {}).items()}
        return Sidecar(**{**known, "tags": tuple(map(str, noted.get("tags", ()))), "column_comments": comments})
    except FileNotFoundError:
        return Sidecar()
    except (OSError, ValueError, TypeError, AttributeError) as error:
        raise BackendError(
            f"The notes beside “{place.name}” cannot be read ({type(error).__name__}).",
            hint=f"Repair or remove the file {place.sidecar.name} in the lake's folder.",
        ) from error


def describe(
    place: Place,
    *,
    comment: str | None = None,
    tags: Sequence[str] | None = None,
    column_comments: Mapping[str, str] | None = None,
) -> TableEntry:
    """Note a comment, tags or comments of columns; None leaves them as they are, an empty comment goes away.

    Raises BackendError when the present notes cannot be read: they are never written over.
    """
    noted = read_sidecar(place)
    comments = {**noted.column_comments, **(column_comments or {})}
    described = replace(
        noted,
        comment=noted.comment if comment is None else comment,
        tags=noted.tags if tags is None else tuple(tags),
        column_comments={name: text for name, text in comments.items() if text},
    )
    write_sidecar(place, described)
    return entry_of(place)


def extend_notes(place: Place, entry: TableEntry | None) -> None:
    """Add what is known of new files to the notes of the volume they come into; a tag is never taken away."""
    noted = read_sidecar(place)
    if entry is not None:
        tags = tuple(dict.fromkeys((*noted.tags, *entry.tags)))
        write_sidecar(place, replace(noted, tags=tags, comment=noted.comment or entry.comment))


def with_comments(place: Place, columns: Sequence[Column]) -> list[Column]:
    """The columns of a table with what people noted about them."""
    try:
        comments = read_sidecar(place).column_comments
    except BackendError:  # the catalog says so
        return list(columns)
    return [replace(column, comment=comments.get(column.name, column.comment)) for column in columns]


def write_sidecar(place: Place, sidecar: Sidecar) -> None:
    """Note what is known about a table or volume."""
    with scratch(place) as temporary:
        place.sidecar.parent.mkdir(parents=True, exist_ok=True)
        temporary.write_text(json.dumps(asdict(sidecar), ensure_ascii=False, indent=2), "utf-8")
        temporary.replace(place.sidecar)


def sidecar_of(entry: TableEntry | None, *, original_name: str) -> Sidecar:
    """The note for new data; without an entry it says which file was uploaded."""
    if entry is None:
        return Sidecar(source=f"Upload of {original_name}" if original_name else "", original_name=original_name)
    return Sidecar(
        comment=entry.comment,
        tags=entry.tags,
        licence=entry.licence,
        source=entry.source,
        is_demo=entry.is_demo,
        original_name=original_name,
        owner=entry.owner,
    )


# --- come and go -----------------------------------------------------------------------------------------------------


@contextmanager
def scratch(place: Place) -> Iterator[Path]:
    """A temporary path beside the tables, to be moved to its place when it is complete; after an error it is gone."""
    temporary = _scratch_path(_root(place), "part")
    try:
        temporary.parent.mkdir(parents=True, exist_ok=True)
        yield temporary
    except OSError as error:
        raise BackendError(f"“{place.name}” cannot be written: {error.strerror}.", hint=DISK_HINT) from error
    finally:
        _delete(temporary)


def put_in_place(temporary: Path, place: Place) -> None:
    """Make the complete file or folder at a scratch path the table or volume; its notes go again when that fails."""
    try:
        place.path.parent.mkdir(parents=True, exist_ok=True)
        temporary.replace(place.path)
    except OSError:
        place.sidecar.unlink(missing_ok=True)
        prune(place)
        raise


def remove(place: Place) -> None:
    """Remove a table or volume with its sidecar, and schema and catalog folders that are empty then."""
    gone = _scratch_path(_root(place), "gone")
    try:
        gone.parent.mkdir(parents=True, exist_ok=True)
        place.path.rename(gone)  # from here on nobody sees half of it
        place.sidecar.unlink(missing_ok=True)
        _delete(gone)
        prune(place)
    except OSError as error:
        raise BackendError(f"“{place.name}” cannot be removed: {error.strerror}.", hint=DISK_HINT) from error


@contextmanager
def journal(root: Path) -> Iterator[Callable[[str], None]]:
    """Note the names of what comes together, just before each comes; after an error none of them is there.

    When the process ends instead, `sweep` takes them back at the next start.
    """
    path = _scratch_path(root, "journal")
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a+", encoding="utf-8") as file:

        def note(name: str) -> None:
            file.write(f"{name}\n")
            file.flush()
            os.fsync(file.fileno())

        try:
            yield note
        except BaseException:
            _take_back(root, path.read_text("utf-8").splitlines())
            raise
        finally:
            path.unlink(missing_ok=True)


def sweep(root: Path) -> None:
    """Remove what processes that are no more left half written, half removed, or without what belongs to it."""
    for path in (root / SCRATCH).glob("*-*.*"):
        if not _is_of_somebody(path):
            if path.suffix == ".journal":
                _take_back(root, path.read_text("utf-8").splitlines())
            _delete(path)


def _take_back(root: Path, names: Sequence[str]) -> None:
    for name in names:
        if (place := find(root, name)) is not None:
            remove(place)


def _is_of_somebody(path: Path) -> bool:
    """Whether a running process works on a scratch path; in containers a new one may have the number of a dead one."""
    process = int(path.name.split("-")[0])
    if process == os.getpid():
        return path.stat().st_mtime >= _STARTED_AT
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _root(place: Place) -> Path:
    return place.path.parents[2]  # <root>/<catalog>/<schema>/<name>


def _scratch_path(root: Path, ending: str) -> Path:
    return root / SCRATCH / f"{os.getpid()}-{uuid4().hex}.{ending}"


def prune(place: Place) -> None:
    """Remove the schema and catalog folder of a place when they hold nothing."""
    for folder in (place.path.parent, place.path.parent.parent):
        if folder.is_dir() and not any(folder.iterdir()):
            folder.rmdir()


def _delete(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
