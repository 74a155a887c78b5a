"""The catalog service: browse the lake, preview what it holds, bring tables and files into it, describe and remove."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from workbench_core import pictures
from workbench_core.catalog import browsing, changes, intake, previews
from workbench_core.catalog.changes import ChangePreview
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
from workbench_core.errors import ChangedByOthers, Conflict, Invalid, NotFound
from workbench_core.history import History
from workbench_core.permissions import Action, Permissions
from workbench_core.ports import (
    ChangedTable,
    ChangeMode,
    Column,
    FileEntry,
    IntakePlan,
    Json,
    Lake,
    Selection,
    Store,
    TableEntry,
)
from workbench_core.sheets import Sheet
from workbench_core.sheets.exports import EXPORTS
from workbench_core.sheets.used_columns import sheets_reading
from workbench_core.text_encodings import check_encodable

THEN = ", then rows of "


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
            raise NotFound("There is no table or folder of this name.", hint="Choose one on the Data page.") from error

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
        check_encodable(file_name, what="The name of the file")
        table = f"{UPLOADS}.{table_name(name or Path(file_name).stem)}"
        described = TableEntry(table, "table", tags=checked_tags(tags), source=f"Upload of {file_name}", owner=by)
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
        check_encodable(*names, what="The name of a file")
        repeated = sorted(path for path, count in Counter(names).items() if count > 1)
        if repeated:
            raise Invalid(f"Two files are called “{repeated[0]}”.", hint="Rename one of them.")
        described = TableEntry(volume, "volume", tags=checked_tags(tags), source=f"Upload by {by}", owner=by)
        entry = self._lake.put_files(volume, dict(files), entry=described, replaces=False)
        self._history.add("volume", entry.name, "upload", by=by, files=len(files))
        return entry

    # --- new rows for a table that is there --------------------------------------------------------------------------

    def preview_change(self, file: Path, *, file_name: str, wishes: Wishes) -> ChangePreview:
        """What an uploaded table file would do to the table of `wishes.name`, and to every sheet that reads it.

        Raises Invalid for a file that cannot be read, NotFound, Conflict for a table that cannot be changed.
        """
        with self._changed(file, name=file_name, wishes=wishes) as (preview, _):
            return preview

    def preview_path_change(self, folder: str, path: str, *, wishes: Wishes, by: str) -> ChangePreview:
        """The same for a file in an import folder."""
        self._permissions.check(by, Action.EDIT_SHEETS)
        file = self._import_folders.open(folder, path)
        return self.preview_change(file, file_name=file.name, wishes=wishes)

    # --- import by path ----------------------------------------------------------------------------------------------

    def importable(self, *, search: str = "", by: str) -> list[ImportableFile]:
        """Files, archives and folders in the import folders whose path contains the text, by path; at most 500.

        Raises NotPermitted: nobody looks into these folders who may not bring their files in.
        """
        self._permissions.check(by, Action.EDIT_SHEETS)
        return self._import_folders.find(search=search)

    def inspect_path(self, folder: str, path: str, *, wishes: Wishes | None = None, by: str) -> Incoming:
        """What something in an import folder would become. Raises Invalid for a path outside, NotPermitted."""
        self._permissions.check(by, Action.EDIT_SHEETS)
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
        check_encodable(comment or "", *(column_comments or {}).values(), what="The comment")
        self._check_columns(name, column_comments or {})
        entry = self._lake.describe(name, comment=comment, tags=new_tags, column_comments=column_comments)
        changes = _changes(old, entry, sorted(column_comments or {}))
        if changes:
            self._history.add(entry.kind, name, "describe", by=by, **changes)
        return entry

    def drop(self, name: str, *, by: str) -> None:
        """Remove an upload or export. Raises Conflict when it is none, or when sheets point at it."""
        self._permissions.check(by, Action.EDIT_SHEETS)
        entry = self.get(name)
        if not name.startswith((f"{UPLOADS}.", f"{EXPORTS}.")):
            raise Conflict(
                f"“{name}” was neither uploaded nor exported.",
                hint=f"Only what is in {UPLOADS} and {EXPORTS} can be removed here.",
            )
        with self._store.transaction():  # no sheet is made on it between the look and the removal
            using = self.sheets_on(name)
            if using:
                raise Conflict(
                    f"“{name}” is used by {', '.join(f'“{sheet.name}”' for sheet in using)}.",
                    hint="Delete these sheets first.",
                )
            self._lake.drop(name)
        self._history.add(entry.kind, name, "remove", by=by, source=entry.source, tags=list(entry.tags))

    def sheets_on(self, name: str) -> list[Sheet]:
        """The sheets that read a table or volume, also as a part of a join, by name; deleted ones left out."""
        return sheets_reading(self._store, name)

    # --- inside ------------------------------------------------------------------------------------------------------

    def _bring(
        self, file: Path, *, name: str, by: str, tags: Collection[str], wishes: Wishes | None, verb: str
    ) -> list[TableEntry]:
        self._permissions.check(by, Action.EDIT_SHEETS)
        wanted = wishes or Wishes()
        if wanted.change.mode is not ChangeMode.NEW:
            return [self._change(file, name=name, by=by, tags=checked_tags(tags), wishes=wanted)]
        described = TableEntry("", "", tags=checked_tags(tags), source=f"{verb.capitalize()} of {name}", owner=by)
        with intake.gathered(file, name=name) as incoming:
            arrangement = intake.arrange(incoming, title=Path(name).stem, wishes=wanted)
            made = intake.commit(self._lake, incoming, arrangement=arrangement, wishes=wanted, described=described)
        for entry in made:
            self._history.add(entry.kind, entry.name, verb, by=by, file=name)
        return made

    def _change(self, file: Path, *, name: str, by: str, tags: Sequence[str], wishes: Wishes) -> TableEntry:
        """Change a table as its preview showed, unless somebody else was quicker."""
        with self._changed(file, name=name, wishes=wishes) as (preview, changed):
            compared = preview.comparison
            if wishes.change.seen not in ("", compared.version):
                raise self._outrun(compared.name)
            preview.check()
            mode = preview.change.mode
            try:
                entry = changed.put(source=_source(self.get(compared.name).source, name, mode), tags=tags)
            except ChangedByOthers as error:
                raise self._outrun(compared.name) from error
        self._history.add(
            "table", entry.name, "change", by=by, mode=mode, file=name, rows_before=compared.rows_before,
            rows_after=compared.rows_after,
        )  # fmt: skip
        return entry

    @contextmanager
    def _changed(self, file: Path, *, name: str, wishes: Wishes) -> Iterator[tuple[ChangePreview, ChangedTable]]:
        """A change that is prepared and looked at; nobody sees it before it is put in place."""
        with intake.gathered(file, name=name) as incoming:
            path, table = intake.only_table(incoming, title=Path(name).stem, wishes=wishes)
            sheets = sheets_reading(self._store, table)
            change = changes.with_identifier(wishes.change, sheets, table)
            with self._lake.changed_table(
                table, incoming.files[path], original_name=path, change=change, plan=wishes.plans.get(path)
            ) as changed:
                yield changes.previewed(self._store, self._lake, changed, change), changed

    def _outrun(self, table: str) -> ChangedByOthers:
        """What the second of two people is told."""
        latest = self._history.of("table", table, limit=1)
        who = f" by {latest[0].by}" if latest else ""
        return ChangedByOthers(
            f"“{table}” was changed{who} since you looked at it.", hint="Look at what would change now, then try again."
        )

    def _check_columns(self, name: str, comments: Mapping[str, str]) -> None:
        known = {column.name for column in self._lake.columns(name)} if comments else set()
        unknown = sorted(set(comments) - known)
        if unknown:
            raise Invalid(f"“{name}” has no column “{unknown[0]}”.", hint="Reload the page.")


def _source(before: str, file: str, mode: ChangeMode) -> str:
    """Where the rows of a changed table are from; only the first and the latest file are named."""
    if mode is ChangeMode.REPLACE:
        return f"Replaced by {file}"
    return f"{before.partition(THEN)[0]}{THEN}{file}"


def _changes(old: TableEntry, new: TableEntry, columns: Sequence[str]) -> dict[str, Json]:
    """What the history keeps of a new description."""
    changes: dict[str, Json] = {}
    if new.tags != old.tags:
        changes |= {"old_tags": list(old.tags), "new_tags": list(new.tags)}
    if new.comment != old.comment:
        changes |= {"old_comment": old.comment, "new_comment": new.comment}
    return changes | ({"columns": list(columns)} if columns else {})
