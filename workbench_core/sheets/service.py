"""The service behind sheets: create them, look into them, and move them through their life."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import TYPE_CHECKING

from workbench_core import rows, usage
from workbench_core.clock import Clock, new_id
from workbench_core.errors import ChangedByOthers, Conflict, Invalid, NotFound, NotPermitted, WorkbenchError
from workbench_core.history import History
from workbench_core.permissions import Action, Permissions
from workbench_core.ports import IdentifierCheck, Lake, Selection, Store
from workbench_core.sheets import proposals
from workbench_core.sheets.model import (
    COLUMNS,
    LIFECYCLE,
    MAX_DESCRIPTION,
    MAX_NAME,
    Dependants,
    FilterVerdict,
    Sheet,
    SheetDraft,
    SheetStatus,
    Validation,
    row_of,
    sheet_from,
)

if TYPE_CHECKING:
    import pandas as pd

MAX_NUMBER = 2**31 - 1  # what an INTEGER column holds in every store
_KEPT = ("id", "is_demo", "created_by", "created_at")  # columns that never change
_OWNED = {  # what only the owner may do, or a person with this wider right (spec 2.1)
    "unpublish": Action.GOVERN,
    "archive": Action.GOVERN,
    "restore": Action.GOVERN,
    "delete": Action.ADMINISTER,
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
        draft, source_kind, tags = self._checked(draft)
        now = self._clock()
        sheet = Sheet(
            **{entry.name: getattr(draft, entry.name) for entry in fields(SheetDraft)},
            id=new_id("sheet"),
            source_kind=source_kind,
            tags=tags,
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
            self._history.add("sheet", sheet.id, "create", by=by, name=sheet.name, source=sheet.source)
        self.validate(sheet.id)
        return self.get(sheet.id)

    def update(self, sheet_id: str, draft: SheetDraft, *, by: str, row_version: int) -> Sheet:
        """Change a draft sheet (SH-4). Raises Conflict when it is active, ChangedByOthers for an old version."""
        self._permissions.check(by, Action.EDIT_SHEETS)
        draft, source_kind, tags = self._checked(draft)
        with self._store.transaction():
            sheet = self.get(sheet_id)
            if sheet.status is not SheetStatus.DRAFT:
                raise Conflict(f"“{sheet.name}” is {sheet.status}: it cannot change.", hint=_WAY_TO_DRAFT[sheet.status])
            source_changed = (draft.source, draft.item_id_column) != (sheet.source, sheet.item_id_column)
            if source_changed and (used := self.dependants(sheet_id)).total:
                raise Conflict(
                    f"Source and identifier of “{sheet.name}” cannot change: {used.words()} refer to its items.",
                    hint="Create a new sheet for the other source.",
                )
            changed = replace(
                sheet,
                **{entry.name: getattr(draft, entry.name) for entry in fields(SheetDraft)},
                source_kind=source_kind,
                tags=tags,
                item_count=None,
                validated_at=None,
            )
            self._save(changed, expected=row_version, by=by)
            self._history.add("sheet", sheet_id, "update", by=by)
        self.validate(sheet_id)
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
        self._check_person(sheet, action, by=by)
        to = LIFECYCLE.next(sheet.status, action, subject=f"“{sheet.name}”")
        if action == "publish":
            sheet = self._published(sheet)
        with self._store.transaction():
            self._check_free_for(sheet, action)
            expected = sheet.row_version if row_version is None else row_version
            self._save(replace(sheet, status=to), expected=expected, by=by)
            self._history.add("sheet", sheet_id, action, by=by)
        return self._any(sheet_id)

    def refusal(self, sheet: Sheet, action: str, *, by: str) -> str:
        """Why this person may not do this with the sheet, in a sentence; empty when they may."""
        try:
            self._check_person(sheet, action, by=by)
        except NotPermitted as error:
            return f"{error.message} {error.hint}".strip()
        return ""

    # --- look ------------------------------------------------------------------------------------------------------

    def find(
        self, *, status: SheetStatus | None = None, search: str = "", limit: int = 100, offset: int = 0
    ) -> list[Sheet]:
        """Sheets, last changed first; deleted ones only when asked for by status (SH-3)."""
        found = self._store.query(
            f"SELECT {COLUMNS} FROM sheets WHERE status IN :statuses "
            "AND LOWER(name || ' ' || description || ' ' || source) LIKE LOWER(:pattern) ESCAPE '!' "
            "ORDER BY updated_at DESC, id LIMIT :limit OFFSET :offset",
            statuses=[status] if status else [s for s in SheetStatus if s is not SheetStatus.DELETED],
            pattern=rows.search_pattern(search),
            limit=limit,
            offset=offset,
        )
        return [sheet_from(row) for row in found]

    def get(self, sheet_id: str) -> Sheet:
        """One sheet that is not deleted. Raises NotFound."""
        sheet = self._any(sheet_id)
        if sheet.status is SheetStatus.DELETED:
            raise NotFound(
                f"The sheet “{sheet.name}” was deleted by {sheet.updated_by}.",
                hint="An administrator can bring it back; choose another one on the Data page.",
            )
        return sheet

    def check(self, sheet_id: str) -> Validation:
        """Look at source, identifier, columns and filter without writing (SH-6). Raises NotFound for the sheet."""
        sheet = self.get(sheet_id)
        try:
            return self._looked_at(sheet)
        except WorkbenchError as error:  # a source that cannot be read is a result, not an exception
            return Validation((f"{error.message} {error.hint}".strip(),), 0, None)

    def validate(self, sheet_id: str) -> Validation:
        """Check a sheet and store its item count (SH-6). Raises NotFound for the sheet."""
        found = self.check(sheet_id)
        if found.identifier is not None:
            self._store.execute(
                "UPDATE sheets SET item_count = :count, validated_at = :now WHERE id = :id",
                touches="sheets",
                count=found.item_count,
                now=self._clock(),
                id=sheet_id,
            )
        return found

    def preview(self, sheet_id: str, *, limit: int = 50, offset: int = 0) -> pd.DataFrame:
        """One page of the sheet's rows after filter and sampling, `item_ref` first (SH-7)."""
        sheet = self.get(sheet_id)
        return self._lake.page(sheet.selection(), columns=sheet.columns, limit=limit, offset=offset)

    def count(self, sheet_id: str, *, extra_filter: str = "") -> int:
        """How many items the sheet has, optionally narrowed by a checked filter."""
        return self._lake.count(self.get(sheet_id).selection(extra_filter=extra_filter))

    def check_filter(self, source: str, expression: str) -> FilterVerdict:
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

    def dependants(self, sheet_id: str) -> Dependants:
        """Count what stands on a sheet (SH-14)."""
        found = self._store.query(
            "SELECT (SELECT COUNT(*) FROM training_sheets WHERE sheet_id = :id) AS training_sheets, "
            "(SELECT COUNT(*) FROM canonical_labels WHERE sheet_id = :id) AS canonical_labels, "
            "(SELECT COUNT(*) FROM gaps WHERE sheet_id = :id) AS gaps",
            id=sheet_id,
        )[0]
        return Dependants({name.replace("_", " "): rows.whole(found, name) for name in found})

    def usage_rules(self, sheet: Sheet) -> usage.UsageRules:
        """What the tags of the source impose on everything made from this sheet.

        A tag counts from the moment it is put on the source, and stays when the source is gone.
        """
        try:
            now = self._lake.entry(sheet.source).tags
        except NotFound:
            now = ()
        return usage.from_tags(dict.fromkeys((*sheet.tags, *now)))

    # --- inside ----------------------------------------------------------------------------------------------------

    def _any(self, sheet_id: str) -> Sheet:
        """One sheet, deleted or not. Raises NotFound."""
        found = self._store.query(f"SELECT {COLUMNS} FROM sheets WHERE id = :id", id=sheet_id)
        if not found:
            raise NotFound("This sheet does not exist.", hint="Choose one on the Data page.")
        return sheet_from(found[0])

    def _checked(self, draft: SheetDraft) -> tuple[SheetDraft, str, tuple[str, ...]]:
        """The draft with its filter normalised, plus kind and tags of the source. Raises Invalid, NotFound."""
        entry = self._lake.entry(draft.source)
        known = [column.name for column in self._lake.columns(draft.source)]
        draft = replace(draft, name=draft.name.strip(), description=draft.description.strip())
        _check_texts(draft)
        _check_sample(draft)
        _check_roles(draft, known)
        accepted = self._lake.check_filter(draft.source, draft.filter) if draft.filter.strip() else ""
        return replace(draft, filter=accepted), entry.kind, entry.tags

    def _looked_at(self, sheet: Sheet) -> Validation:
        known = {column.name for column in self._lake.columns(sheet.source)}
        used = (*sheet.columns, *([sheet.stratify_column] if sheet.stratify_column else []))
        missing = [name for name in used if name not in known]
        if missing:
            return Validation((f"The source has no column {', '.join(missing)}.",), 0, None)
        identifier = self._lake.check_identifier(sheet.source, sheet.item_id_column)
        count = self._lake.count(sheet.selection())
        problems = list(_identifier_problems(identifier))
        if not identifier.rows:
            problems.append("The source has no rows.")
        elif not count:
            problems.append("No row is left after filter and sampling.")
        return Validation(tuple(problems), count, identifier)

    def _published(self, sheet: Sheet) -> Sheet:
        """The sheet with count and tags as they are now. Raises Invalid when it has a problem."""
        found = self.validate(sheet.id)
        if not found.is_valid:
            raise Invalid(
                f"“{sheet.name}” cannot be published: {' '.join(found.problems)}",
                hint="Choose another identifier or filter, or repair the source.",
            )
        tags = tuple(dict.fromkeys((*sheet.tags, *self._lake.entry(sheet.source).tags)))
        return replace(sheet, item_count=found.item_count, validated_at=self._clock(), tags=tags)

    def _check_person(self, sheet: Sheet, action: str, *, by: str) -> None:
        """Raise NotPermitted unless role or ownership allow the action."""
        self._permissions.check(by, Action.ADMINISTER if action == "undelete" else Action.EDIT_SHEETS)
        wider = _OWNED.get(action)
        if wider is None or by == sheet.created_by or self._permissions.allows(by, wider):
            return
        others = "an administrator" if wider is Action.ADMINISTER else "a data steward"
        raise NotPermitted(
            f"Only {sheet.created_by} or {others} may {action} “{sheet.name}”.", hint="Ask one of them to do it."
        )

    def _check_free_for(self, sheet: Sheet, action: str) -> None:
        """Raise Conflict when something stands in the way; call it inside the transaction."""
        if action == "delete" and (used := self.dependants(sheet.id)).total:
            raise Conflict(f"“{sheet.name}” is in use: {used.words()}.", hint="Archive it instead.")
        if action == "unpublish":
            found = self._store.query(
                "SELECT name FROM training_sheets WHERE sheet_id = :id AND status = 'generating' ORDER BY name",
                id=sheet.id,
            )
            if found:
                names = ", ".join(f"“{rows.text(row, 'name')}”" for row in found)
                raise Conflict(f"{names} is being generated from “{sheet.name}”.", hint="Wait for it or cancel it.")

    def _save(self, sheet: Sheet, *, expected: int, by: str) -> None:
        """Write a sheet that was read inside or before this transaction; refuse when its version is another one."""
        values = row_of(replace(sheet, row_version=expected + 1, updated_by=by, updated_at=self._clock()))
        changing = {name: value for name, value in values.items() if name not in _KEPT}
        changed = self._store.execute(
            f"UPDATE sheets SET {', '.join(f'{name} = :{name}' for name in changing)} "
            "WHERE id = :id AND row_version = :expected",
            touches="sheets",
            id=sheet.id,
            expected=expected,
            **changing,
        )
        if not changed:
            raise ChangedByOthers(
                f"“{sheet.name}” was just changed by {self._any(sheet.id).updated_by}.", hint="Reload and try again."
            )


_WAY_TO_DRAFT = {
    SheetStatus.ACTIVE: "Unpublish it to change it.",
    SheetStatus.ARCHIVED: "Restore it to change it.",
    SheetStatus.DELETED: "An administrator can bring it back.",
}


def _check_texts(draft: SheetDraft) -> None:
    if not 1 <= len(draft.name) <= MAX_NAME:
        raise Invalid(f"The name must have 1 to {MAX_NAME} characters.", hint="Change the name.")
    if len(draft.description) > MAX_DESCRIPTION:
        raise Invalid(
            f"The description has {len(draft.description):,} characters; at most {MAX_DESCRIPTION:,} are kept.",
            hint="Shorten it.",
        )


def _check_sample(draft: SheetDraft) -> None:
    if draft.sample_size is not None and not 1 <= draft.sample_size <= MAX_NUMBER:
        raise Invalid(f"The sample size must be between 1 and {MAX_NUMBER:,}.", hint="Leave it empty for all rows.")
    if not 0 <= draft.sample_seed <= MAX_NUMBER:
        raise Invalid(f"The seed must be between 0 and {MAX_NUMBER:,}.", hint="Any number will do, for example 42.")
    if draft.stratify_column and draft.sample_size is None:
        raise Invalid("A stratified sample needs a size.", hint="Enter how many rows to pick.")


def _check_roles(draft: SheetDraft, known: list[str]) -> None:
    roles = [*draft.text_columns, *draft.image_columns, *draft.metadata_columns]
    used = [draft.item_id_column, *roles, *([draft.stratify_column] if draft.stratify_column else [])]
    unknown = [column for column in dict.fromkeys(used) if column not in known]
    if unknown:
        raise Invalid(f"The source has no column {', '.join(unknown)}.", hint=f"It has: {', '.join(known[:20])}.")
    repeated = sorted({column for column in roles if roles.count(column) > 1})
    if repeated:
        raise Invalid(f"{', '.join(repeated)} has two roles.", hint="Give each column one role.")


def _identifier_problems(check: IdentifierCheck) -> list[str]:
    problems = []
    if check.nulls:
        problems.append(f"The identifier {check.column} is empty in {check.nulls:,} rows.")
    if check.duplicates:
        problems.append(f"The identifier {check.column} repeats itself in {check.duplicates:,} rows.")
    return problems
