"""The service behind sheets: create them, look into them, and move them through their life."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from workbench_core import usage
from workbench_core.clock import Clock, new_id
from workbench_core.errors import ChangedByOthers, Conflict, Invalid, NotFound, NotPermitted, WorkbenchError
from workbench_core.history import History
from workbench_core.permissions import Action, Permissions
from workbench_core.ports import Column, IdentifierCheck, Join, Json, Lake, Source, Store, TableEntry
from workbench_core.sheets import (
    changes,
    drafts,
    exports,
    filters,
    guards,
    joins,
    key_suggestions,
    proposals,
    records,
    sampling,
    stakes,
    validation,
)
from workbench_core.sheets.exports import ExportedFile, ExportFormat
from workbench_core.sheets.filters import ConditionSet
from workbench_core.sheets.inspection import Inspection
from workbench_core.sheets.joins import JoinPreview
from workbench_core.sheets.key_suggestions import KeySuggestion
from workbench_core.sheets.model import (
    LIFECYCLE,
    Dependants,
    FilterVerdict,
    Moved,
    Sheet,
    SheetDraft,
    SheetList,
    SheetStatus,
    Stratum,
    Validation,
    row_of,
)
from workbench_core.sheets.stakes import Stake

if TYPE_CHECKING:
    import pandas as pd

LISTED = tuple(status for status in SheetStatus if status is not SheetStatus.DELETED)
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
        self._inspection = Inspection(store, lake, clock)

    # --- make and change -------------------------------------------------------------------------------------------

    def propose(self, source: str) -> SheetDraft:
        """Propose name, identifier and roles for a table or volume (SH-2). Raises NotFound."""
        return proposals.propose(self._lake, source)

    def create(self, draft: SheetDraft, *, by: str, is_demo: bool = False) -> Sheet:
        """Create a draft sheet and count its items (SH-1). Raises Invalid naming the field, NotFound for the source."""
        self._permissions.check(by, Action.EDIT_SHEETS)
        checked = drafts.checked(self._lake, draft)
        sheet = drafts.new_sheet(checked, sheet_id=new_id("sheet"), by=by, now=self._clock(), is_demo=is_demo)
        with self._store.transaction():
            for table in sheet.tables:
                self._lake.entry(table)  # it may have been removed since it was looked at
            self._store.append("sheets", [row_of(sheet)])
            self._history.add(
                "sheet", sheet.id, "create", by=by, version=1, name=sheet.name, source=", ".join(sheet.tables)
            )
        self._inspection.keep(sheet, measured_by=by)
        return self.get(sheet.id)

    def update(self, sheet_id: str, draft: SheetDraft, *, by: str, row_version: int, confirmed: bool = False) -> Sheet:
        """Change a draft sheet and check it again (SH-4); a changed join is measured again (JN-3).

        Raises Conflict when it is active; when labels, pairs or tasks refer to items that it would not have any more,
        unless that is `confirmed`; ChangedByOthers, who is told what, for an old version.
        """
        self._permissions.check(by, Action.EDIT_SHEETS)
        checked = drafts.checked(self._lake, draft)
        try:
            self._check_changeable(sheet_id, row_version=row_version)
            stake = self.stake(sheet_id, checked.draft)
            if stake is not None and not confirmed:
                raise Conflict(stake.words(), hint="Confirm that the sheet gets other items, or make a new sheet.")
            with self._store.transaction():
                was = self._update(sheet_id, checked, by=by, row_version=row_version, stake=stake)
        except ChangedByOthers:
            changes.note_refusal(self._history, self._any(sheet_id), "update", by=by, had=row_version)
            raise
        is_measured = was.join == checked.draft.join and was.item_id_column == checked.draft.item_id_column
        self._inspection.keep(self.get(sheet_id), measured_by="" if is_measured else by)
        return self.get(sheet_id)

    def stake(self, sheet_id: str, draft: SheetDraft) -> Stake | None:
        """What refers to items that the sheet would not have any more with this draft; None when nothing does (SH-4).

        Raises NotFound, Invalid for a source or identifier that cannot be read.
        """
        return stakes.at_stake(self._store, self._lake, self.get(sheet_id), draft)

    def with_source(self, draft: SheetDraft, source: str) -> SheetDraft:
        """The draft over another table or volume, to look at; columns that both have keep their roles (SH-4).

        Raises NotFound, Invalid for a sheet that joins several sources.
        """
        return proposals.moved_to(self._lake, draft, source)

    def move(self, sheet_id: str, action: str, *, by: str, row_version: int | None = None) -> Sheet:
        """Publish, unpublish, archive, restore, delete or undelete a sheet.

        Only the owner, a steward or an administrator may take a sheet out of use. Raises NotPermitted,
        InvalidTransition, ChangedByOthers for an old `row_version`, Invalid when it cannot be published, Conflict when
        something stands on a sheet to be deleted, or works with one to be unpublished.
        """
        if action not in LIFECYCLE.table:
            raise Invalid(f"A sheet has no action “{action}”.", hint=f"Actions: {', '.join(LIFECYCLE.table)}.")
        self._permissions.check(by, Action.EDIT_SHEETS)
        sheet = self._any(sheet_id)
        guards.check_person(self._permissions, sheet, action, by=by)
        to = LIFECYCLE.next(sheet.status, action, subject=f"“{sheet.name}”")
        details: dict[str, Json] = {}
        if action == "publish":
            sheet, details = self._published(sheet)
        expected = sheet.row_version if row_version is None else row_version
        try:
            with self._store.transaction():
                guards.check_free_for(self._store, sheet, action)
                self._save(replace(sheet, status=to), expected=expected, by=by)
                self._history.add("sheet", sheet_id, action, by=by, version=expected + 1, **details)
        except ChangedByOthers:
            changes.note_refusal(self._history, self._any(sheet_id), action, by=by, had=expected)
            raise
        return self._any(sheet_id)

    def move_each(self, sheets: Sequence[Sheet], action: str, *, by: str) -> Moved:
        """Take the same step with several sheets, each for itself: what stands in the way of one stops no other.

        One after the other, because each is checked over its own source, and has its own version and history.
        """
        done: list[Sheet] = []
        refused: list[tuple[Sheet, str]] = []
        for sheet in sheets:
            try:
                done.append(self.move(sheet.id, action, by=by, row_version=sheet.row_version))
            except WorkbenchError as error:
                refused.append((sheet, f"{error.message} {error.hint}".strip()))
        return Moved(tuple(done), tuple(refused))

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
        statuses = [status] if status else LISTED
        return list(self.listed(statuses, search=search, owner=owner, limit=limit, offset=offset).sheets)

    def listed(
        self, statuses: Sequence[SheetStatus], *, search: str = "", owner: str = "", limit: int = 100, offset: int = 0
    ) -> SheetList:
        """One page of the sheets of these statuses, last changed first, at most 1,000 of them, and how many there are.

        A sheet that cannot be read is listed with its problem; `find` leaves it out, and `get` raises Invalid.
        """
        return records.listed(self._store, statuses=statuses, search=search, owner=owner, limit=limit, offset=offset)

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
        return self._inspection.looked_at(self.get(sheet_id))

    def validate(self, sheet_id: str, *, by: str) -> Validation:
        """Check a sheet, store its item count, and mark the numbers of its join when they are not true any more (SH-6).

        Raises NotFound for the sheet, NotPermitted.
        """
        self._permissions.check(by, Action.EDIT_SHEETS)
        found = self._inspection.keep(self.get(sheet_id))
        self._history.add("sheet", sheet_id, "validate", by=by, items=found.item_count, problems=list(found.problems))
        return found

    def last_checked_by(self, sheet_id: str) -> str:
        """Who had a sheet checked at its `validated_at`; empty when nobody did."""
        return records.last_checked_by(self._store, sheet_id)

    def preview(self, sheet_id: str, *, limit: int = 50, offset: int = 0) -> pd.DataFrame:
        """One page, of at most 1,000, of the sheet's rows after join, filter and sampling, `item_ref` first (SH-7)."""
        sheet, limit = self.get(sheet_id), min(max(limit, 1), records.MAX_PAGE)
        return self._lake.page(sheet.selection(), columns=sheet.columns, limit=limit, offset=offset)

    def check_identifier(self, source: Source, column: str) -> IdentifierCheck:
        """Whether a column can identify the rows of a table, volume or join (INV-3). Raises NotFound, Invalid."""
        return self._lake.check_identifier(source, column)

    def check_filter(self, source: Source, expression: str) -> FilterVerdict:
        """What a filter keeps of all rows of a source, before it is saved (SH-11). Raises NotFound for the source.

        A filter that cannot be read is a result, not an exception.
        """
        return validation.filter_verdict(self._lake, source, expression)

    def filter_conditions(self, expression: str) -> ConditionSet | None:
        """The conditions that a filter is made of, or None when the builder could not have written it (SH-11)."""
        return filters.conditions_of(expression, dialect=self._lake.dialect)

    def filter_expression(self, conditions: ConditionSet) -> str:
        """Conditions as one filter in the lake's SQL. Raises Invalid for a value that is missing or does not fit."""
        return filters.expression_of(conditions.conditions, conditions.match, dialect=self._lake.dialect)

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

    def suggest_keys(self, left: str, right: str, *, sample: int = 100) -> list[KeySuggestion]:
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
        return self._inspection.keep(self.get(sheet_id), measured_by=by)

    # --- out -------------------------------------------------------------------------------------------------------

    def export_table(
        self, sheet_id: str, name: str, *, by: str, excluded_refs: Sequence[str] = (), overwrite: bool = False
    ) -> TableEntry:
        """Write the resolved rows to the table `main.exports.<name>`, with the tags of all sources (SH-10).

        Raises AlreadyExists for a taken name unless `overwrite`, Conflict when sheets could not do without the columns
        that are there, Invalid for a name without letters, NotFound, NotPermitted.
        """
        self._permissions.check(by, Action.EDIT_SHEETS)
        sheet, table = self.get(sheet_id), exports.table_of(name)
        if overwrite:
            exports.check_overwritable(self._store, self._lake, sheet, table)
        tags = drafts.tags_of(self._lake, sheet)
        entry = exports.write_table(
            self._lake, sheet, table, tags=tags, excluded_refs=excluded_refs, overwrite=overwrite
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

    def _check_changeable(self, sheet_id: str, *, row_version: int) -> Sheet:
        """The sheet as it is. Raises ChangedByOthers for an old version, Conflict unless it is a draft."""
        sheet = self.get(sheet_id)
        if sheet.row_version != row_version:
            raise changes.outrun(self._history, sheet, had=row_version)
        if sheet.status is not SheetStatus.DRAFT:
            raise Conflict(f"“{sheet.name}” is {sheet.status}: it cannot change.", hint=_WAY_TO_DRAFT[sheet.status])
        return sheet

    def _update(
        self, sheet_id: str, checked: drafts.CheckedDraft, *, by: str, row_version: int, stake: Stake | None
    ) -> Sheet:
        """Store a checked draft inside a transaction; the sheet as it was. `stake` is what was confirmed."""
        sheet, draft = self._check_changeable(sheet_id, row_version=row_version), checked.draft
        is_other_item = joins.bare_identifier(draft) != joins.bare_identifier(sheet.draft)
        if is_other_item and stake is None and (used := self.dependants(sheet_id)).total:
            raise Conflict(f"Meanwhile {used.words()} refer to the items of “{sheet.name}”.", hint="Try again.")
        self._save(drafts.applied(checked, sheet), expected=row_version, by=by)
        details: dict[str, Json] = {"changed": list(changes.changed_fields(sheet.draft, draft))}
        details |= changes.values_of(sheet.draft, draft)
        if stake is not None:
            details |= {"labelled": stake.labelled, "found": stake.found}
        self._history.add("sheet", sheet_id, "update", by=by, version=row_version + 1, **details)
        return sheet

    def _published(self, sheet: Sheet) -> tuple[Sheet, dict[str, Json]]:
        """The sheet with count and tags as they are now, and what is new. Raises Invalid when it has a problem."""
        found = self._inspection.keep(self.get(sheet.id))
        if not found.is_valid:
            raise Invalid(
                f"“{sheet.name}” cannot be published: {' '.join(found.problems)}",
                hint="Choose another identifier or filter, or repair the source.",
            )
        now = self._any(sheet.id)  # with what the validation stored
        tags = drafts.tags_of(self._lake, sheet)
        details: dict[str, Json] = {"items": found.item_count}
        if tags != sheet.tags:
            details |= {"before": {"tags": list(sheet.tags)}, "after": {"tags": list(tags)}}
        return replace(now, tags=tags, row_version=sheet.row_version), details

    def _save(self, sheet: Sheet, *, expected: int, by: str) -> None:
        """Write a sheet that was read inside or before this transaction; refuse when its version is another one."""
        changed = replace(sheet, row_version=expected + 1, updated_by=by, updated_at=self._clock())
        if not records.save(self._store, changed, expected=expected):
            raise changes.outrun(self._history, self._any(sheet.id), had=expected)
