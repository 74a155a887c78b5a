"""The service behind sheets: create them, look into them, and move them through their life."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields, replace
from pathlib import Path
from typing import TYPE_CHECKING

from workbench_core import usage
from workbench_core.clock import Clock, new_id
from workbench_core.errors import ChangedByOthers, Conflict, Invalid, NotFound, NotPermitted, WorkbenchError
from workbench_core.history import History
from workbench_core.permissions import Action, Permissions
from workbench_core.ports import Column, IdentifierCheck, Join, Lake, Selection, Source, Store, TableEntry
from workbench_core.sheets import (
    drafts,
    exports,
    guards,
    joins,
    key_suggestions,
    proposals,
    records,
    sampling,
    validation,
)
from workbench_core.sheets.exports import ExportedFile, ExportFormat
from workbench_core.sheets.join_config import MeasuredJoin, measured_json
from workbench_core.sheets.joins import JoinPreview
from workbench_core.sheets.key_suggestions import KeySuggestion
from workbench_core.sheets.model import (
    LIFECYCLE,
    Dependants,
    FilterVerdict,
    Sheet,
    SheetDraft,
    SheetStatus,
    Stratum,
    Validation,
    row_of,
)

if TYPE_CHECKING:
    import pandas as pd

_WAY_TO_DRAFT = {
    SheetStatus.ACTIVE: "Unpublish it to change it.",
    SheetStatus.ARCHIVED: "Restore it to change it.",
    SheetStatus.DELETED: "An administrator can bring it back.",
}


class Sheets:
    """Create sheets, look into them, and move them through their life."""

    def __init__(self, store: Store, lake: Lake, history: History, permissions: Permissions, clock: Clock) -> None:
        self._store = store
        self._lake = lake
        self._history = history
        self._permissions = permissions
        self._clock = clock

    # --- make and change -------------------------------------------------------------------------------------------

    def propose(self, source: str) -> SheetDraft:
        """Propose name, identifier and roles for a table or volume (SH-2). Raises NotFound."""
        return proposals.propose(self._lake, source)

    def create(self, draft: SheetDraft, *, by: str, is_demo: bool = False) -> Sheet:
        """Create a draft sheet and count its items (SH-1). Raises Invalid naming the field, NotFound for the source."""
        self._permissions.check(by, Action.EDIT_SHEETS)
        checked = drafts.checked(self._lake, draft)
        now = self._clock()
        sheet = Sheet(
            **{entry.name: getattr(checked.draft, entry.name) for entry in fields(SheetDraft)},
            id=new_id("sheet"),
            source_kind=checked.source_kind,
            join_stats=None,
            is_join_stale=False,
            tags=checked.tags,
            is_demo=is_demo,
            status=SheetStatus.DRAFT,
            item_count=None,
            validated_at=None,
            row_version=1,
            created_by=by,
            created_at=now,
            updated_by=by,
            updated_at=now,
        )
        with self._store.transaction():
            self._store.append("sheets", [row_of(sheet)])
            self._history.add(
                "sheet", sheet.id, "create", by=by, version=1, name=sheet.name, source=", ".join(sheet.tables)
            )
        self._validated(sheet.id, measured_by=by)
        return self.get(sheet.id)

    def update(self, sheet_id: str, draft: SheetDraft, *, by: str, row_version: int) -> Sheet:
        """Change a draft sheet (SH-4); a changed join is measured again (JN-3).

        Raises Conflict when it is active or its items would change, ChangedByOthers, who is told what, for an old
        version.
        """
        self._permissions.check(by, Action.EDIT_SHEETS)
        checked = drafts.checked(self._lake, draft)
        try:
            with self._store.transaction():
                was = self._update(sheet_id, checked, by=by, row_version=row_version)
        except ChangedByOthers:
            records.note_refusal(self._history, self._any(sheet_id), "update", by=by, had=row_version)
            raise
        is_measured = was.join == checked.draft.join and was.item_id_column == checked.draft.item_id_column
        self._validated(sheet_id, measured_by="" if is_measured else by)
        return self.get(sheet_id)

    def move(self, sheet_id: str, action: str, *, by: str, row_version: int | None = None) -> Sheet:
        """Publish, unpublish, archive, restore, delete or undelete a sheet.

        Only the owner, a steward or an administrator may take a sheet out of use. Raises NotPermitted,
        InvalidTransition, ChangedByOthers for an old `row_version`, Invalid when it cannot be published, Conflict when
        something stands on a sheet to be deleted, or is generated from one to be unpublished.
        """
        if action not in LIFECYCLE.table:
            raise Invalid(f"A sheet has no action “{action}”.", hint=f"Actions: {', '.join(LIFECYCLE.table)}.")
        self._permissions.check(by, Action.EDIT_SHEETS)
        sheet = self._any(sheet_id)
        guards.check_person(self._permissions, sheet, action, by=by)
        to = LIFECYCLE.next(sheet.status, action, subject=f"“{sheet.name}”")
        if action == "publish":
            sheet = self._published(sheet)
        expected = sheet.row_version if row_version is None else row_version
        try:
            with self._store.transaction():
                guards.check_free_for(self._store, sheet, action)
                self._save(replace(sheet, status=to), expected=expected, by=by)
                self._history.add("sheet", sheet_id, action, by=by, version=expected + 1)
        except ChangedByOthers:
            records.note_refusal(self._history, self._any(sheet_id), action, by=by, had=expected)
            raise
        return self._any(sheet_id)

    def refusal(self, sheet: Sheet, action: str, *, by: str) -> str:
        """Why this person may not do this with the sheet, in a sentence; empty when they may."""
        try:
            guards.check_person(self._permissions, sheet, action, by=by)
        except NotPermitted as error:
            return f"{error.message} {error.hint}".strip()
        return ""

    # --- look ------------------------------------------------------------------------------------------------------

    def find(
        self,
        *,
        status: SheetStatus | None = None,
        search: str = "",
        owner: str = "",
        limit: int = 100,
        offset: int = 0,
    ) -> list[Sheet]:
        """Sheets, last changed first, at most 1,000 at once; deleted ones only when asked for by status (SH-3)."""
        return records.find(self._store, status=status, search=search, owner=owner, limit=limit, offset=offset)

    def total(self, *, status: SheetStatus | None = None, search: str = "", owner: str = "") -> int:
        """How many sheets `find` would list without a limit."""
        return records.total(self._store, status=status, search=search, owner=owner)

    def owners(self) -> list[str]:
        """Everybody who made a sheet."""
        return records.owners(self._store)

    def has_name(self, name: str, *, except_for: str = "") -> bool:
        """Whether another sheet is called so already; allowed, but worth a warning."""
        return records.has_name(self._store, name, except_for=except_for)

    def get(self, sheet_id: str) -> Sheet:
        """One sheet that is not deleted. Raises NotFound."""
        sheet = self._any(sheet_id)
        if sheet.status is SheetStatus.DELETED:
            raise NotFound(
                f"The sheet “{sheet.name}” was deleted by {sheet.updated_by}.",
                hint="An administrator can bring it back; choose another one on the Data page.",
            )
        return sheet

    def columns(self, sheet_id: str) -> list[Column]:
        """All columns that the rows of a sheet have, with a role or without (JN-4). Raises NotFound, Invalid."""
        return self._lake.columns(self.get(sheet_id).relation)

    def check(self, sheet_id: str) -> Validation:
        """Look at source, join, columns, identifier and filter without writing (SH-6). Raises NotFound."""
        return self._checked(self.get(sheet_id))

    def validate(self, sheet_id: str) -> Validation:
        """Check a sheet, store its item count, and mark the numbers of its join when they are not true any more (SH-6).

        Raises NotFound for the sheet.
        """
        return self._validated(sheet_id)

    def preview(self, sheet_id: str, *, limit: int = 50, offset: int = 0) -> pd.DataFrame:
        """One page, of at most 1,000, of the sheet's rows after join, filter and sampling, `item_ref` first (SH-7)."""
        sheet, limit = self.get(sheet_id), min(max(limit, 1), records.MAX_PAGE)
        return self._lake.page(sheet.selection(), columns=sheet.columns, limit=limit, offset=offset)

    def count(self, sheet_id: str, *, extra_filter: str = "", excluded_refs: Sequence[str] = ()) -> int:
        """How many items the sheet has, optionally narrowed by a checked filter or without some items."""
        selection = self.get(sheet_id).selection(extra_filter=extra_filter, excluded_refs=excluded_refs)
        return self._lake.count(selection)

    def query_text(self, sheet_id: str) -> str:
        """The query behind the sheet in the lake's SQL, to read."""
        sheet = self.get(sheet_id)
        return self._lake.query_text(sheet.selection(), columns=sheet.columns)

    def check_identifier(self, source: Source, column: str) -> IdentifierCheck:
        """Whether a column can identify the rows of a table, volume or join (INV-3). Raises NotFound, Invalid."""
        return self._lake.check_identifier(source, column)

    def check_filter(self, source: Source, expression: str) -> FilterVerdict:
        """What a filter keeps of all rows of a source, before it is saved (SH-11). Raises NotFound for the source.

        A filter that cannot be read is a result, not an exception.
        """
        everything = Selection(source, item_id_column="")
        every = self._lake.count(everything)
        try:
            accepted = self._lake.check_filter(source, expression)
            return FilterVerdict(accepted, self._lake.count(replace(everything, where=accepted)), every)
        except Invalid as error:
            return FilterVerdict(every=every, problem=error.message, hint=error.hint)

    def sampling_preview(self, draft: SheetDraft) -> list[Stratum]:
        """What the sample of a draft takes of each class, the largest first (SH-12). Raises Invalid, NotFound."""
        return sampling.preview(self._lake, drafts.checked(self._lake, draft).draft)

    def dependants(self, sheet_id: str) -> Dependants:
        """What stands on a sheet, counted and named (SH-14)."""
        return records.dependants(self._store, sheet_id)

    def usage_rules(self, sheet: Sheet) -> usage.UsageRules:
        """What the tags of all its sources impose on everything made from this sheet.

        A tag counts from the moment it is put on a source, and stays when the source is gone.
        """
        return usage.from_tags(drafts.tags_of(self._lake, sheet))

    # --- joins -----------------------------------------------------------------------------------------------------

    def suggest_keys(self, left: str, right: str, *, sample: int = 1_000) -> list[KeySuggestion]:
        """Columns that may join two tables, the best first (JN-1); `sample` is between 10 and 1,000 distinct values."""
        return key_suggestions.suggest(self._lake, left, right, sample=min(max(sample, 10), 1_000))

    def preview_join(self, join: Join, item_id_column: str, *, limit: int = 50) -> JoinPreview:
        """Rows, query and numbers of a join that is not saved (JN-2); one that cannot be made is a result."""
        return joins.preview(self._lake, join, item_id_column, limit=min(max(limit, 1), records.MAX_PAGE))

    def with_join(self, draft: SheetDraft, join: Join | None) -> SheetDraft:
        """The draft over another join, or without one over its primary table; to look at, nothing is stored.

        Its columns get their new names everywhere, the filter included; columns of a source that came get proposed
        roles. Raises Invalid for a join without one primary source, NotFound for a table.
        """
        return proposals.completed(self._lake, draft, joins.moved(draft, join, dialect=self._lake.dialect))

    def measure_join(self, sheet_id: str, *, by: str) -> Validation:
        """Measure the join of a sheet again and keep the numbers (JN-3). Raises NotFound."""
        self._permissions.check(by, Action.EDIT_SHEETS)
        return self._validated(sheet_id, measured_by=by)

    # --- out -------------------------------------------------------------------------------------------------------

    def export_table(self, sheet_id: str, name: str, *, by: str, excluded_refs: Sequence[str] = ()) -> TableEntry:
        """Write the resolved rows to the new table `main.exports.<name>`, with the tags of all sources (SH-10).

        Raises AlreadyExists for a taken name, Invalid for a name without letters, NotFound, NotPermitted.
        """
        self._permissions.check(by, Action.EDIT_SHEETS)
        sheet = self.get(sheet_id)
        entry = exports.write_table(
            self._lake,
            sheet,
            exports.table_of(name),
            tags=drafts.tags_of(self._lake, sheet),
            excluded_refs=excluded_refs,
        )
        self._history.add("sheet", sheet_id, "export table", by=by, table=entry.name, set_aside=len(excluded_refs))
        return entry

    def export_file(
        self, sheet_id: str, format: ExportFormat, folder: Path, *, by: str, excluded_refs: Sequence[str] = ()
    ) -> ExportedFile:
        """Write the resolved rows to a new CSV or Parquet file in a folder, for a person to download (SH-10).

        Whoever is signed in may; the download is kept in the history. Raises Invalid, NotFound, NotPermitted.
        """
        if not by:
            raise NotPermitted("Nobody is signed in.", hint="Sign in and try again.")
        sheet = self.get(sheet_id)
        written = exports.write_file(self._lake, sheet, folder, format=format, excluded_refs=excluded_refs)
        self._history.add(
            "sheet", sheet_id, "export file", by=by, format=format, rows=written.rows, set_aside=len(excluded_refs)
        )
        return written

    # --- inside ----------------------------------------------------------------------------------------------------

    def _any(self, sheet_id: str) -> Sheet:
        """One sheet, deleted or not. Raises NotFound."""
        return records.get(self._store, sheet_id)

    def _update(self, sheet_id: str, checked: drafts.CheckedDraft, *, by: str, row_version: int) -> Sheet:
        """Store a checked draft inside a transaction; the sheet as it was."""
        sheet, draft = self.get(sheet_id), checked.draft
        if sheet.row_version != row_version:
            raise records.outrun(self._history, sheet, had=row_version)
        if sheet.status is not SheetStatus.DRAFT:
            raise Conflict(f"“{sheet.name}” is {sheet.status}: it cannot change.", hint=_WAY_TO_DRAFT[sheet.status])
        is_other_item = joins.bare_identifier(draft) != joins.bare_identifier(sheet.draft)
        if is_other_item and (used := self.dependants(sheet_id)).total:
            raise Conflict(
                f"Source and identifier of “{sheet.name}” cannot change: {used.words()} refer to its items.",
                hint="Create a new sheet for the other source.",
            )
        changed = replace(
            sheet,
            **{entry.name: getattr(draft, entry.name) for entry in fields(SheetDraft)},
            source_kind=checked.source_kind,
            join_stats=sheet.join_stats if draft.join else None,
            is_join_stale=draft.join is not None and (sheet.is_join_stale or draft.join != sheet.join),
            tags=checked.tags,
            item_count=None,
            validated_at=None,
        )
        self._save(changed, expected=row_version, by=by)
        words = records.changed_fields(sheet.draft, draft)
        self._history.add("sheet", sheet_id, "update", by=by, version=row_version + 1, changed=list(words))
        return sheet

    def _checked(self, sheet: Sheet, *, is_measuring: bool = False) -> Validation:
        """What lake and store say about a sheet now."""
        try:
            found = validation.looked_at(self._lake, sheet)
            warnings = self._warnings(sheet, found, is_measuring=is_measuring)
            return replace(found, warnings=(*found.warnings, *warnings))
        except WorkbenchError as error:  # a source that cannot be read is a result, not an exception
            return Validation((f"{error.message} {error.hint}".strip(),), 0, None)

    def _validated(self, sheet_id: str, *, measured_by: str = "") -> Validation:
        """Check a sheet and store what was counted; the numbers of its join too when a person asked for them."""
        sheet = self.get(sheet_id)
        found = self._checked(sheet, is_measuring=bool(measured_by))
        if found.identifier is None:
            return found
        now, measured, is_stale = self._clock(), sheet.join_stats, sheet.is_join_stale
        if found.join_stats is not None and measured_by:
            measured, is_stale = MeasuredJoin(found.join_stats, now, measured_by), False
        elif found.join_stats is not None:
            is_stale = validation.is_stale(sheet, found)
        self._store.execute(
            "UPDATE sheets SET item_count = :count, validated_at = :now, join_stats = :join_stats, "
            "join_stats_stale = :is_stale WHERE id = :id AND row_version = :version",
            touches="sheets",
            count=found.item_count,
            now=now,
            join_stats=measured_json(measured),
            is_stale=is_stale,
            id=sheet_id,
            version=sheet.row_version,
        )
        return found

    def _warnings(self, sheet: Sheet, found: Validation, *, is_measuring: bool) -> list[str]:
        """What a person should know about a sheet that can be worked with."""
        warnings = []
        if self.has_name(sheet.name, except_for=sheet.id):
            warnings.append(f"Another sheet is called “{sheet.name}” too.")
        if validation.is_stale(sheet, found) and not is_measuring:
            warnings.append("The stored numbers of the join are stale: preview again.")
        if sheet.join is not None and not found.problems:
            labelled = records.labelled_items(self._store, sheet.id)
            warnings += validation.lost_items(self._lake, sheet, labelled)
        return warnings

    def _published(self, sheet: Sheet) -> Sheet:
        """The sheet with count and tags as they are now. Raises Invalid when it has a problem."""
        found = self.validate(sheet.id)
        if not found.is_valid:
            raise Invalid(
                f"“{sheet.name}” cannot be published: {' '.join(found.problems)}",
                hint="Choose another identifier or filter, or repair the source.",
            )
        now = self._any(sheet.id)  # with what the validation stored
        return replace(now, tags=drafts.tags_of(self._lake, sheet), row_version=sheet.row_version)

    def _save(self, sheet: Sheet, *, expected: int, by: str) -> None:
        """Write a sheet that was read inside or before this transaction; refuse when its version is another one."""
        changed = replace(sheet, row_version=expected + 1, updated_by=by, updated_at=self._clock())
        if not records.save(self._store, changed, expected=expected):
            raise records.outrun(self._history, self._any(sheet.id), had=expected)
