"""The catalog service: browse the lake, preview what it holds, bring tables and files into it, describe and remove."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

from workbench_core import pictures, rows
from workbench_core.catalog import browsing, intake, previews
from workbench_core.catalog.import_folders import ImportableFile, ImportFolders
from workbench_core.catalog.intake import Wishes
from workbench_core.catalog.model import (
    MAX_PREVIEW_ROWS,
    UPLOADS,
    CatalogNode,
    FilePreview,
    FolderListing,
    Incoming,
    Preview,
    checked_tags,
    table_name,
)
from workbench_core.errors import AlreadyExists, Conflict, Invalid, NotFound
from workbench_core.history import History
from workbench_core.permissions import Action, Permissions
from workbench_core.ports import (
    Column,
    FileEntry,
    IdentifierCheck,
    IntakePlan,
    Json,
    Lake,
    Selection,
    Store,
    TableEntry,
)
from workbench_core.sheets import tables_of


class Catalog:
    """Browse the lake and add tables and files to it."""

    def __init__(
        self,
        lake: Lake,
        history: History,
        permissions: Permissions,
        *,
        store: Store,
        import_folders: Sequence[Path] = (),
    ) -> None:
        self._lake = lake
        self._history = history
        self._permissions = permissions
        self._store = store
        self._import_folders = ImportFolders(import_folders)

    # --- browse ------------------------------------------------------------------------------------------------------

    def find(self, *, search: str = "") -> list[TableEntry]:
        """Tables and volumes whose name, comment, tag or column contains the search text, by name."""
        return [found.entry for found in browsing.matching(self._lake, search)]

    def tree(self, *, search: str = "") -> list[CatalogNode]:
        """The same by catalog and schema, with the columns that matched."""
        return browsing.tree_of(browsing.matching(self._lake, search))

    def get(self, source: str) -> TableEntry:
        """One table or volume. Raises NotFound, also for what cannot be the name of one."""
        try:
            return self._lake.entry(source)
        except Invalid as error:
            raise NotFound("There is no table or volume of this name.", hint="Choose one on the Data page.") from error

    def columns(self, source: str) -> list[Column]:
        """The columns of a table or volume with their comments. Raises NotFound."""
        return self._lake.columns(source)

    def preview(self, source: str, *, limit: int = 20) -> Preview:
        """The first rows (at most 100) in the order of the file, and how many there are. Raises NotFound."""
        entry = self._lake.entry(source)
        columns = self._lake.columns(source)
        everything = Selection(source, item_id_column="")
        page = self._lake.page(everything, limit=min(limit, MAX_PREVIEW_ROWS))
        shown = page[[column.name for column in columns]]  # without the identifier that every page carries
        return Preview(entry, tuple(columns), shown, self._lake.count(everything))

    def check_identifier(self, source: str, column: str) -> IdentifierCheck:
        """Whether a column can identify the items of a source (INV-3)."""
        return self._lake.check_identifier(source, column)

    def distinct(self, source: str, column: str, *, limit: int = 50) -> list[tuple[str, int]]:
        """The most frequent values of a column with their counts."""
        return self._lake.distinct(source, column, limit=limit)

    # --- files of volumes --------------------------------------------------------------------------------------------

    def files(self, volume: str) -> list[FileEntry]:
        """The files of a volume."""
        return self._lake.files(volume)

    def folder(self, volume: str, path: str = "", *, search: str = "") -> FolderListing:
        """Folders and files directly in a folder of a volume; with a search text all files below that match.

        Raises NotFound for a volume or folder that is not there.
        """
        return browsing.listing(volume, self._lake.files(volume), path=path, search=search)

    def read_file(self, volume: str, path: str) -> bytes:
        """The content of one file of a volume. Raises Invalid for a path outside it."""
        return self._lake.read_file(volume, path)

    def preview_file(self, volume: str, path: str, *, page: int = 1, width: int = 900) -> FilePreview:
        """One file of a volume as picture, text, page of a PDF, sound or table. Raises NotFound, Invalid."""
        return previews.preview_file(self._lake, volume, path, page=page, width=width)

    def thumbnail(self, volume: str, path: str, *, side: int = 320) -> bytes | None:
        """A file of a volume as a small JPEG; None when it cannot be read, is no picture or larger than 20 MB."""
        try:
            content = self._lake.read_file(volume, path, limit_bytes=previews.MAX_PICTURE_BYTES)
        except (Invalid, NotFound):  # a page of pictures is not lost because of one
            return None
        return pictures.thumbnail(content, side=side)

    # --- upload ------------------------------------------------------------------------------------------------------

    def inspect_upload(
        self, file: Path, *, file_name: str, plan: IntakePlan | None = None, wishes: Wishes | None = None
    ) -> Incoming:
        """What an uploaded file or .zip archive would become; `plan` is that of a single file.

        Raises Invalid naming file, line and reason.
        """
        wanted = wishes or Wishes(plans={Path(file_name).name: plan} if plan else {})
        with intake.gathered(file, name=file_name) as incoming:
            return intake.inspect(self._lake, incoming, title=Path(file_name).stem, wishes=wanted)

    def upload_table(
        self,
        file: Path,
        *,
        file_name: str,
        by: str,
        name: str = "",
        tags: Collection[str] = (),
        plan: IntakePlan | None = None,
    ) -> TableEntry:
        """Make an uploaded file the table `main.uploads.<name>`; tags bind what is made from it.

        Raises Invalid naming line and reason for a malformed file, AlreadyExists for a taken name; nothing is left
        behind then.
        """
        self._permissions.check(by, Action.EDIT_SHEETS)
        table = f"{UPLOADS}.{table_name(name or Path(file_name).stem)}"
        described = TableEntry(table, "table", tags=checked_tags(tags), source=f"Upload of {file_name}")
        entry = self._lake.put_table(table, file, original_name=file_name, entry=described, plan=plan)
        self._history.add("table", entry.name, "upload", by=by, file=file_name)
        return entry

    def upload_archive(
        self, file: Path, *, file_name: str, by: str, tags: Collection[str] = (), wishes: Wishes | None = None
    ) -> list[TableEntry]:
        """Make an uploaded .zip archive (or any file) what `inspect_upload` showed: tables, and a volume of the rest.

        Raises Invalid and AlreadyExists; nothing is left behind then.
        """
        return self._bring(file, name=file_name, by=by, tags=tags, wishes=wishes, verb="upload")

    def upload_files(
        self, files: Sequence[tuple[str, bytes | Path]], *, name: str, by: str, tags: Collection[str] = ()
    ) -> TableEntry:
        """Put files (name and content, or where it lies) into the volume `main.uploads.<name>`, new or there already.

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
        described = TableEntry(volume, "volume", tags=checked_tags(tags), source=f"Upload by {by}")
        entry = self._lake.put_files(volume, dict(files), entry=described if is_new else None)
        self._history.add("volume", entry.name, "upload", by=by, files=len(files))
        return entry

    # --- import by path ----------------------------------------------------------------------------------------------

    def importable(self, *, search: str = "") -> list[ImportableFile]:
        """Files, archives and folders in the import folders whose path contains the text, by path; at most 500."""
        return self._import_folders.find(search=search)

    def inspect_path(self, folder: str, path: str, *, wishes: Wishes | None = None) -> Incoming:
        """What something in an import folder would become. Raises Invalid for a path outside, NotFound."""
        file = self._import_folders.open(folder, path)
        with intake.gathered(file, name=file.name) as incoming:
            return intake.inspect(self._lake, incoming, title=file.stem, wishes=wishes or Wishes())

    def import_path(
        self, folder: str, path: str, *, by: str, tags: Collection[str] = (), wishes: Wishes | None = None
    ) -> list[TableEntry]:
        """Copy something from an import folder into the lake as `inspect_path` showed, whole or not at all."""
        self._permissions.check(by, Action.EDIT_SHEETS)
        file = self._import_folders.open(folder, path)
        return self._bring(file, name=file.name, by=by, tags=tags, wishes=wishes, verb="import")

    # --- describe and remove -----------------------------------------------------------------------------------------

    def describe(
        self,
        name: str,
        *,
        by: str,
        comment: str | None = None,
        tags: Collection[str] | None = None,
        column_comments: Mapping[str, str] | None = None,
    ) -> TableEntry:
        """Change comment, tags or comments of columns; None leaves them as they are.

        Everybody who edits sheets may add a tag, which only binds more; taking one away needs the right to govern.
        Raises NotPermitted, NotFound, Invalid for an unknown tag or column.
        """
        self._permissions.check(by, Action.EDIT_SHEETS)
        old = self.get(name)
        new_tags = None if tags is None else checked_tags(tags)
        if new_tags is not None and set(old.tags) - set(new_tags):
            self._permissions.check(by, Action.GOVERN)
        self._check_columns(name, column_comments or {})
        entry = self._lake.describe(name, comment=comment, tags=new_tags, column_comments=column_comments)
        changes = _changes(old, entry, sorted(column_comments or {}))
        if changes:
            self._history.add(entry.kind, name, "describe", by=by, **changes)
        return entry

    def drop(self, name: str, *, by: str) -> None:
        """Remove an uploaded table or volume. Raises Conflict when it is none, or when sheets point at it."""
        self._permissions.check(by, Action.EDIT_SHEETS)
        entry = self.get(name)
        if not name.startswith(f"{UPLOADS}."):
            raise Conflict(f"“{name}” was not uploaded.", hint=f"Only what is in {UPLOADS} can be removed here.")
        using = self.sheets_on(name)
        if using:
            raise Conflict(
                f"“{name}” is used by {', '.join(f'“{sheet}”' for sheet in using)}.", hint="Delete these sheets first."
            )
        self._lake.drop(name)
        self._history.add(entry.kind, name, "remove", by=by, source=entry.source, tags=list(entry.tags))

    def sheets_on(self, name: str) -> list[str]:
        """The names of the sheets that read a table or volume, also as a part of a join; deleted ones left out."""
        found = self._store.query(
            "SELECT name, source, join_config FROM sheets WHERE status <> 'deleted' ORDER BY name, id"
        )
        return [
            rows.text(row, "name")
            for row in found
            if name in tables_of(rows.text(row, "source"), rows.text(row, "join_config"))
        ]

    # --- inside ------------------------------------------------------------------------------------------------------

    def _bring(
        self, file: Path, *, name: str, by: str, tags: Collection[str], wishes: Wishes | None, verb: str
    ) -> list[TableEntry]:
        self._permissions.check(by, Action.EDIT_SHEETS)
        wanted = wishes or Wishes()
        described = TableEntry("", "", tags=checked_tags(tags), source=f"{verb.capitalize()} of {name}")
        with intake.gathered(file, name=name) as incoming:
            arrangement = intake.arrange(incoming, title=Path(name).stem, wishes=wanted)
            made = intake.commit(self._lake, incoming, arrangement=arrangement, wishes=wanted, described=described)
        for entry in made:
            self._history.add(entry.kind, entry.name, verb, by=by, file=name)
        return made

    def _check_columns(self, name: str, comments: Mapping[str, str]) -> None:
        known = {column.name for column in self._lake.columns(name)} if comments else set()
        unknown = sorted(set(comments) - known)
        if unknown:
            raise Invalid(f"“{name}” has no column “{unknown[0]}”.", hint="Reload the page.")

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


def _changes(old: TableEntry, new: TableEntry, columns: Sequence[str]) -> dict[str, Json]:
    """What the history keeps of a new description."""
    changes: dict[str, Json] = {}
    if new.tags != old.tags:
        changes |= {"old_tags": list(old.tags), "new_tags": list(new.tags)}
    if new.comment != old.comment:
        changes |= {"old_comment": old.comment, "new_comment": new.comment}
    return changes | ({"columns": list(columns)} if columns else {})
