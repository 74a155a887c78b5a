"""The service behind label sets: write them, move them through their versions, derive them, and see what uses them."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import fields, replace
from typing import TYPE_CHECKING

from workbench_core.canonical_labels import CanonicalLabel
from workbench_core.clock import Clock, new_id
from workbench_core.errors import AlreadyExists, ChangedByOthers, Conflict, Invalid, NotFound
from workbench_core.history import History
from workbench_core.label_sets import derive, records, stats
from workbench_core.label_sets.checks import MAX_NAME, checked, problems_of
from workbench_core.label_sets.definition_file import definition_of, draft_from_definition
from workbench_core.label_sets.model import (
    DELETABLE,
    LIFECYCLE,
    VERSIONABLE,
    Derived,
    Facets,
    LabelSet,
    LabelSetDraft,
    LabelSetFilter,
    LabelSetStats,
    LabelSetStatus,
    UsedBy,
)
from workbench_core.label_sets.versions import note_deletion, refuse_second_draft, version_after
from workbench_core.permissions import Action, Permissions
from workbench_core.ports import Json, Lake, Store

if TYPE_CHECKING:
    from workbench_core.sheets import Sheets

EVERYTHING = LabelSetFilter()


class LabelSets:
    """Write label sets, move them through their versions, derive them from data, and see what uses them."""

    def __init__(
        self,
        store: Store,
        lake: Lake,
        history: History,
        permissions: Permissions,
        clock: Clock,
        *,
        sheets: Sheets,
    ) -> None:
        self._store = store
        self._lake = lake
        self._history = history
        self._permissions = permissions
        self._clock = clock
        self._sheets = sheets

    # --- write -----------------------------------------------------------------------------------------------------

    def create(self, draft: LabelSetDraft, *, by: str, is_demo: bool = False) -> LabelSet:
        """Create draft 1.0.0 of a new lineage (LS-2). Raises Invalid for what cannot be saved."""
        self._permissions.check(by, Action.EDIT_LABEL_SETS)
        made = self._new(checked(draft), by=by, is_demo=is_demo)
        self._insert(made, "create", by=by)
        return made

    def update(self, label_set_id: str, draft: LabelSetDraft, *, by: str, row_version: int) -> LabelSet:
        """Change a draft (LS-2); other usage rules need the right to govern.

        Raises Conflict when it is published or archived or for another label type, ChangedByOthers, Invalid.
        """
        self._permissions.check(by, Action.EDIT_LABEL_SETS)
        present, new = self.get(label_set_id), checked(draft)
        if present.status is not LabelSetStatus.DRAFT:
            raise Conflict(
                f"“{present.name}” {present.version} is {present.status} and cannot change.",
                hint="Create a new version and change that one.",
            )
        if new.label_type != present.label_type:
            raise Conflict(
                f"The label type of “{present.name}” stays “{present.label_type}”.",
                hint="Make another label set for another label type.",
            )
        governed = self._check_governance(present, new, by=by)
        changed = replace(present, **{entry.name: getattr(new, entry.name) for entry in fields(new)})
        with self._store.transaction():
            records.save(self._store, changed, expected=row_version, by=by, now=self._clock())
            self._history.add("label_set", label_set_id, "update", by=by)
            if governed:
                self._history.add("label_set", label_set_id, "set usage", by=by, **governed)
        return self.get(label_set_id)

    def move(self, label_set_id: str, action: str, *, by: str, row_version: int | None = None) -> LabelSet:
        """Publish, archive or restore a label set, or open its next version as a draft (“create_version”, LS-3).

        With a `row_version` somebody else's change since is refused. Raises InvalidTransition, ChangedByOthers,
        Invalid with the first problem when it cannot be published, Conflict for a second open draft.
        """
        if action == "create_version":
            return self._create_version(label_set_id, by=by)
        self._permissions.check(by, Action.PUBLISH_LABEL_SETS)
        present = self.get(label_set_id)
        to = LIFECYCLE.next(present.status, action, subject=f"“{present.name}” {present.version}")
        if row_version not in (None, present.row_version):
            raise ChangedByOthers(
                f"“{present.name}” was just changed by {present.updated_by}.", hint="Look at it again first."
            )
        now = self._clock()
        moved = replace(present, status=self._restored_status(present) if action == "restore" else to)
        if action == "publish":
            _check_publishable(present)
            moved = replace(moved, published_by=by, published_at=now)
        with self._store.transaction():
            records.save(self._store, moved, expected=present.row_version, by=by, now=now)
            self._history.add("label_set", label_set_id, action, by=by, version=present.version)
        return self.get(label_set_id)

    def duplicate(self, label_set_id: str, *, by: str, name: str = "") -> LabelSet:
        """Start a lineage of its own from a label set: an independent draft 1.0.0 of the same label type."""
        self._permissions.check(by, Action.EDIT_LABEL_SETS)
        source = self.get(label_set_id)
        chosen = name.strip() or f"Copy of {source.name}"[:MAX_NAME]
        copy = self._new(checked(replace(source.draft, name=chosen)), by=by)
        self._insert(copy, "duplicate", by=by, source=source.id)
        return copy

    def delete(self, label_set_id: str, *, by: str) -> None:
        """Remove a draft or an archived version (LS-2). Raises Conflict naming what stands on it."""
        self._permissions.check(by, Action.EDIT_LABEL_SETS)
        present = self.get(label_set_id)
        if present.status not in DELETABLE:
            raise Conflict(f"“{present.name}” {present.version} is published.", hint="Archive it first.")
        with self._store.transaction():
            if used := stats.dependants(self._store, present):
                raise Conflict(
                    f"“{present.name}” {present.version} is in use: {used}.",
                    hint="Keep it in the archive instead.",
                )
            records.remove(self._store, present)
            self._history.add("label_set", label_set_id, "delete", by=by, name=present.name)
            note_deletion(present, self._history, by=by)

    # --- look ------------------------------------------------------------------------------------------------------

    def find(self, wanted: LabelSetFilter = EVERYTHING, *, limit: int = 20, offset: int = 0) -> list[LabelSet]:
        """Label sets, last changed first (LS-1)."""
        return records.found(self._store, wanted, limit=limit, offset=offset)

    def count(self, wanted: LabelSetFilter = EVERYTHING) -> int:
        """How many label sets a filter has."""
        return sum(self.counts(wanted).values())

    def counts(self, wanted: LabelSetFilter = EVERYTHING) -> dict[LabelSetStatus, int]:
        """The same by status, zeros included."""
        return records.counted(self._store, wanted)

    def facets(self) -> Facets:
        """What the label sets can be filtered by."""
        return records.facets(self._store)

    def get(self, label_set_id: str) -> LabelSet:
        """One version of a label set. Raises NotFound."""
        return records.one(self._store, label_set_id)

    def versions(self, lineage_id: str) -> list[LabelSet]:
        """All versions of one lineage, newest first."""
        return records.lineage(self._store, lineage_id)

    def for_type(self, label_type: str) -> LabelSet | None:
        """The label set that answers of a label type follow: the one that was published last; None without any."""
        return records.newest_of_type(self._store, label_type)

    def dependants(self, label_set_id: str) -> str:
        """What keeps a version from being deleted, such as “212 canonical labels (Mails)”; empty for nothing."""
        return stats.dependants(self._store, self.get(label_set_id))

    def stats(self, label_set_id: str) -> LabelSetStats:
        """What stands on the label type of a set, and its labels by class (LS-5)."""
        return stats.stats_of(self._store, self.get(label_set_id))

    def used_in(self, label_set_id: str) -> list[UsedBy]:
        """Templates, training sheets, labelling tasks and sheets of the label type, the last changed first."""
        return stats.uses_of(self._store, self.get(label_set_id))

    def label_counts(self, label_types: Collection[str]) -> Mapping[str, int]:
        """How many canonical labels there are of each of these types."""
        return stats.labels_of_types(self._store, label_types)

    def labels(self, label_set_id: str, *, search: str = "", limit: int = 50, offset: int = 0) -> list[CanonicalLabel]:
        """The canonical labels of the label type of a set, last changed first (LS-4)."""
        label_set = self.get(label_set_id)
        return stats.labels_of(self._store, label_set, search=search, limit=limit, offset=offset)

    def count_labels(self, label_set_id: str, *, search: str = "") -> int:
        """How many labels `labels` has in all its pages."""
        return stats.count_labels(self._store, self.get(label_set_id), search=search)

    # --- files and data --------------------------------------------------------------------------------------------

    def export_definition(self, label_set_id: str) -> str:
        """A version as a JSON definition, the same text each time (LS-6). Raises NotFound."""
        present = self.get(label_set_id)
        return definition_of(present.draft, present.version)

    def import_definition(self, text: str, *, by: str, lineage_id: str = "") -> LabelSet:
        """Make a definition a new lineage, or the next draft version of the lineage with this id.

        Raises Invalid with the place in the file, NotFound, Conflict for another label type, when the newest version
        says the same already, or when a draft is open. Nothing is written then.
        """
        self._permissions.check(by, Action.EDIT_LABEL_SETS)
        draft = checked(draft_from_definition(text))
        if not lineage_id:
            made = self._new(draft, by=by)
            self._insert(made, "import", by=by)
            return made
        known = self.versions(lineage_id)
        if not known:
            raise NotFound("This label set does not exist.", hint="Import the file as a new label set.")
        newest = known[0]
        if newest.label_type != draft.label_type:
            raise Conflict(
                f"The file is for the label type “{draft.label_type}”, “{newest.name}” for “{newest.label_type}”.",
                hint="Import it as a new label set.",
            )
        if newest.draft == draft:
            raise Conflict(f"“{newest.name}” {newest.version} says the same already.", hint="Nothing is to import.")
        self._check_governance(newest, draft, by=by)
        return self._next_version(known, newest, draft, action="import", by=by)

    def derive_from_column(self, sheet_id: str, column: str) -> Derived:
        """Classes proposed from the values of a column of a sheet, the most frequent first (LS-7).

        Raises NotFound, Invalid for an unknown column, one with too many values, or one that holds texts.
        """
        sheet = self._sheets.get(sheet_id)
        values = derive.from_column(self._lake, sheet.selection(), column)
        name = f"{column.rsplit('__', 1)[-1].replace('_', ' ').capitalize()} of {sheet.name}"
        return derive.proposed(
            values, name=name[:MAX_NAME], label_type=derive.label_type_of(column), origin=f"“{column}”"
        )

    def derive_from_labels(self, sheet_id: str, label_type: str) -> Derived:
        """Classes proposed from the answers of canonical labels of a type; an empty sheet id means all sheets (LS-7).

        Raises Invalid for too many, too long or structured answers, or when there is none.
        """
        values = derive.from_labels(self._store, label_type, sheet_id)
        name = label_type.replace("_", " ").capitalize()
        return derive.proposed(values, name=name, label_type=label_type, origin=f"The label type “{label_type}”")

    # --- inside ----------------------------------------------------------------------------------------------------

    def _create_version(self, label_set_id: str, *, by: str) -> LabelSet:
        self._permissions.check(by, Action.EDIT_LABEL_SETS)
        source = self.get(label_set_id)
        if source.status not in VERSIONABLE:
            raise Conflict(
                f"“{source.name}” {source.version} is {source.status}: a new version is made from a published one.",
                hint="Change the draft itself." if source.status is LabelSetStatus.DRAFT else "Restore it first.",
            )
        known = self.versions(source.lineage_id)
        return self._next_version(known, source, source.draft, action="create version", by=by)

    def _new(self, draft: LabelSetDraft, *, by: str, is_demo: bool = False) -> LabelSet:
        """Draft 1.0.0 of a lineage of its own."""
        now = self._clock()
        label_set_id = new_id("labelset")
        return LabelSet(
            **{entry.name: getattr(draft, entry.name) for entry in fields(LabelSetDraft)},
            id=label_set_id,
            lineage_id=label_set_id,
            parent_id=None,
            version="1.0.0",
            status=LabelSetStatus.DRAFT,
            is_demo=is_demo,
            row_version=1,
            created_by=by,
            created_at=now,
            updated_by=by,
            updated_at=now,
            published_by="",
            published_at=None,
        )

    def _next_version(
        self, known: Sequence[LabelSet], parent: LabelSet, draft: LabelSetDraft, *, action: str, by: str
    ) -> LabelSet:
        """Open the next draft of the lineage with these versions. Raises Conflict when one is open."""
        refuse_second_draft(known)
        number = version_after(known, self._history)
        version = replace(self._new(draft, by=by), lineage_id=parent.lineage_id, parent_id=parent.id, version=number)
        try:
            self._insert(version, action, by=by, parent=parent.version)
        except AlreadyExists:  # somebody was faster
            refuse_second_draft(self.versions(parent.lineage_id))
            raise
        return version

    def _insert(self, label_set: LabelSet, action: str, *, by: str, **details: str) -> None:
        with self._store.transaction():
            records.add(self._store, label_set)
            self._history.add(
                "label_set", label_set.id, action, by=by, name=label_set.name, version=label_set.version, **details
            )

    def _check_governance(self, before: LabelSetDraft, after: LabelSetDraft, *, by: str) -> dict[str, Json]:
        """What the history keeps of a change of usage rules; empty without one. Raises NotPermitted."""
        if (before.usage, before.may_serve) == (after.usage, after.may_serve):
            return {}
        self._permissions.check(by, Action.GOVERN)
        return {
            "before": {**before.usage.columns(), "may_serve": before.may_serve},
            "after": {**after.usage.columns(), "may_serve": after.may_serve},
        }

    def _restored_status(self, label_set: LabelSet) -> LabelSetStatus:
        """Published when it had been published: labels may follow it and it must not change (INV-7)."""
        if label_set.published_at is not None:
            return LabelSetStatus.PUBLISHED
        refuse_second_draft(self.versions(label_set.lineage_id))
        return LabelSetStatus.DRAFT


def _check_publishable(label_set: LabelSet) -> None:
    """Raise Invalid with the first problem; warnings are none."""
    problems = [problem for problem in problems_of(label_set.draft) if not problem.is_warning]
    if problems:
        raise Invalid(
            f"“{label_set.name}” cannot be published. {problems[0].message}", hint="Correct it in a draft first."
        )
