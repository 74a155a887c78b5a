"""The lake on disk: tables, volumes and their sidecars as files in folders, and how they come and go whole."""

from __future__ import annotations

import json
import logging
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from uuid import uuid4

from workbench_core.adapters.lake_query import NAME_PART, split_name
from workbench_core.errors import BackendError, NotFound
from workbench_core.ports import Column, TableEntry

logger = logging.getLogger(__name__)

TABLE_ENDINGS = (".parquet", ".csv")
SIDECAR_ENDING = ".meta.json"
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
        raise NotFound(f"There is no table or volume “{name}”.", hint="Choose another one in the catalog.")
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
    """The table or volume as the catalog lists it."""
    sidecar = read_sidecar(place)
    return TableEntry(
        name=place.name,
        kind="volume" if place.is_volume else "table",
        comment=sidecar.comment,
        tags=sidecar.tags,
        licence=sidecar.licence,
        source=sidecar.source,
        is_demo=sidecar.is_demo,
    )


def read_sidecar(place: Place) -> Sidecar:
    """What is noted about a table or volume; nothing when there is no readable note."""
    try:
        noted = json.loads(place.sidecar.read_text("utf-8"))
        comments = {str(name): str(comment) for name, comment in noted.get("column_comments", {}).items()}
        return Sidecar(**{**noted, "tags": tuple(noted.get("tags", ())), "column_comments": comments})
    except FileNotFoundError:
        return Sidecar()
    except (OSError, ValueError, TypeError, AttributeError) as error:  # a person may have edited it
        logger.warning("The details of %s cannot be read: %s", place.name, type(error).__name__)
        return Sidecar()


def describe(
    place: Place,
    *,
    comment: str | None = None,
    tags: Sequence[str] | None = None,
    column_comments: Mapping[str, str] | None = None,
) -> TableEntry:
    """Note a comment, tags or comments of columns; None leaves them as they are, an empty comment goes away."""
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


def with_comments(place: Place, columns: Sequence[Column]) -> list[Column]:
    """The columns of a table with what people noted about them."""
    comments = read_sidecar(place).column_comments
    return [replace(column, comment=comments.get(column.name, column.comment)) for column in columns]


def write_sidecar(place: Place, sidecar: Sidecar) -> None:
    """Note what is known about a table or volume."""
    with scratch(place) as temporary:
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
    )


# --- come and go -----------------------------------------------------------------------------------------------------


@contextmanager
def scratch(place: Place) -> Iterator[Path]:
    """A temporary path beside a place, to be moved there when it is complete; after an error nothing is left."""
    folder = place.path.parent
    temporary = folder / f".{uuid4().hex}.part"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        yield temporary
    except OSError as error:
        raise BackendError(f"“{place.name}” cannot be written: {error.strerror}.", hint=DISK_HINT) from error
    finally:
        _delete(temporary)
        prune(place)


def put_in_place(temporary: Path, place: Place) -> None:
    """Make the complete file at a scratch path the table; its sidecar goes again when that fails."""
    try:
        temporary.replace(place.path)
    except OSError:
        place.sidecar.unlink(missing_ok=True)
        raise


def remove(place: Place) -> None:
    """Remove a table or volume with its sidecar, and schema and catalog folders that are empty then."""
    gone = place.path.parent / f".{uuid4().hex}.gone"
    try:
        place.path.rename(gone)  # from here on nobody sees half of it
        place.sidecar.unlink(missing_ok=True)
        _delete(gone)
        prune(place)
    except OSError as error:
        raise BackendError(f"“{place.name}” cannot be removed: {error.strerror}.", hint=DISK_HINT) from error


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
