"""The service behind canonical labels: look them up, record them under the one-label rule, keep every version."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from workbench_core import rows
from workbench_core.canonical_labels.answers import LabelAnswers, label_answers
from workbench_core.canonical_labels.model import (
    LABEL_COLUMNS,
    CanonicalLabel,
    Coverage,
    LabelEntry,
    LabelFilter,
    LabelingMode,
    LabelStats,
    LabelUse,
    LabelVersion,
    RecordResult,
    checked_answer,
    checked_entries,
    checked_rules,
    chunks,
    label_from,
    same_answer,
    version_from,
)
from workbench_core.canonical_labels.stats import label_stats
from workbench_core.canonical_labels.usages import usages
from workbench_core.clock import Clock, new_id
from workbench_core.errors import ChangedByOthers, Conflict, NotFound
from workbench_core.history import History
from workbench_core.permissions import Action, Permissions
from workbench_core.ports import Store, Value
from workbench_core.usage import UsageRules


class CanonicalLabels:
    """Look labels up, record them under the one-label rule, keep every version."""

    def __init__(self, store: Store, history: History, permissions: Permissions, clock: Clock) -> None:
        self._store = store
        self._history = history
        self._permissions = permissions
        self._clock = clock

    # --- reading ---------------------------------------------------------------------------------------------------

    def lookup(self, sheet_id: str, item_refs: Sequence[str], label_type: str) -> dict[str, CanonicalLabel]:
        """The labels of these items for one label type, by item (CL-6)."""
        found: dict[str, CanonicalLabel] = {}
        for chunk in chunks(item_refs):
            for row in self._store.query(
                f"SELECT {LABEL_COLUMNS} FROM canonical_labels "
                "WHERE sheet_id = :sheet AND label_type = :label_type AND item_ref IN :refs",
                sheet=sheet_id,
                label_type=label_type,
                refs=chunk,
            ):
                label = label_from(row)
                found[label.item_ref] = label
        return found

    def answers(self, sheet_id: str, item_refs: Sequence[str], label_type: str) -> LabelAnswers:
        """What the labels of these items say; quicker than `lookup`, and two of them can be compared."""
        return label_answers(self._store, sheet_id, item_refs, label_type)

    def usages(self, sheet_id: str, item_refs: Sequence[str], label_type: str) -> dict[str, UsageRules]:
        """What the labels of these items may be used for, by item; quicker than `lookup` for very many."""
        return usages(self._store, sheet_id, item_refs, label_type)

    def of_item(self, sheet_id: str, item_ref: str) -> list[CanonicalLabel]:
        """All labels of one item, by label type (CL-8)."""
        found = self._store.query(
            f"SELECT {LABEL_COLUMNS} FROM canonical_labels WHERE sheet_id = :sheet AND item_ref = :item "
            "ORDER BY label_type",
            sheet=sheet_id,
            item=item_ref,
        )
        return [label_from(row) for row in found]

    def coverage(self, sheet_id: str, label_type: str = "") -> list[Coverage]:
        """Labelled items and reuse per label type of a sheet, by label type (CL-11).

        With a label type there is exactly one entry, with zeros when nothing is labelled. Items are those of the
        sheet's last validation.
        """
        items = self._store.query("SELECT item_count FROM sheets WHERE id = :id", id=sheet_id)
        count = rows.whole(items[0], "item_count") if items else 0
        found = self._store.query(
            "SELECT label_type, COUNT(*) AS labelled, SUM(reuse_count) AS reused FROM canonical_labels "
            "WHERE sheet_id = :sheet AND (:label_type = '' OR label_type = :label_type) "
            "GROUP BY label_type ORDER BY label_type",
            sheet=sheet_id,
            label_type=label_type,
        )
        stored = [
            Coverage(rows.text(row, "label_type"), rows.whole(row, "labelled"), count, rows.whole(row, "reused"))
            for row in found
        ]
        return stored or ([Coverage(label_type, 0, count, 0)] if label_type else [])

    def stats(self, sheet_id: str, label_type: str = "") -> LabelStats:
        """What the labels of a sheet are, for one label type or for all: coverage, reuse, people (CL-11, SH-13)."""
        return label_stats(self._store, sheet_id, label_type, self.coverage(sheet_id, label_type))

    def find(self, wanted: LabelFilter, *, limit: int = 50, offset: int = 0) -> list[CanonicalLabel]:
        """Labels, last changed first."""
        where, params = _where(wanted)
        found = self._store.query(
            f"SELECT {LABEL_COLUMNS} FROM canonical_labels WHERE {where} "
            "ORDER BY updated_at DESC, id LIMIT :limit OFFSET :offset",
            limit=limit,
            offset=offset,
            **params,
        )
        return [label_from(row) for row in found]

    def count(self, wanted: LabelFilter) -> int:
        """How many labels a filter has."""
        where, params = _where(wanted)
        found = self._store.query(f"SELECT COUNT(*) AS labels FROM canonical_labels WHERE {where}", **params)
        return rows.whole(found[0], "labels")

    def get(self, label_id: str) -> CanonicalLabel:
        """One label. Raises NotFound."""
        found = self._store.query(f"SELECT {LABEL_COLUMNS} FROM canonical_labels WHERE id = :id", id=label_id)
        if not found:
            raise NotFound("This canonical label does not exist.", hint="It may have been removed; reload.")
        return label_from(found[0])

    def versions(self, label_id: str) -> list[LabelVersion]:
        """All versions of a label, newest first."""
        found = self._store.query(
            "SELECT version, answer, confidence, allowed_uses, prohibited_uses, classification, reason, "
            "modified_by, modified_at FROM canonical_label_versions WHERE canonical_label_id = :id "
            "ORDER BY version DESC",
            id=label_id,
        )
        return [version_from(row) for row in found]

    def usage_of(self, label_id: str) -> LabelUse:
        """How many pairs and training sheets use a label (CL-10)."""
        found = self._store.query(
            "SELECT COUNT(*) AS pairs, COUNT(DISTINCT training_sheet_id) AS sheets FROM pairs "
            "WHERE canonical_label_id = :id",
            id=label_id,
        )[0]
        return LabelUse(rows.whole(found, "pairs"), rows.whole(found, "sheets"))

    # --- commands of a person --------------------------------------------------------------------------------------

    def label(
        self,
        entries: Sequence[LabelEntry],
        *,
        sheet_id: str,
        label_type: str,
        by: str,
        mode: LabelingMode = LabelingMode.STANDALONE_TOOL,
        replace: bool = False,
    ) -> RecordResult:
        """Label items of a sheet directly (mode B, bulk import). Raises NotFound, Invalid naming the item."""
        self._permissions.check(by, Action.ANSWER)
        if not self._store.query("SELECT id FROM sheets WHERE id = :id", id=sheet_id):
            raise NotFound("This sheet does not exist.", hint="Choose one on the Data page.")
        with self._store.transaction():
            result = self.record(entries, sheet_id=sheet_id, label_type=label_type, mode=mode, by=by, replace=replace)
            self._history.add(
                "sheet", sheet_id, "label items", by=by, label_type=label_type, created=len(result.created),
                updated=len(result.updated), conflicts=len(result.conflicts),
            )  # fmt: skip
        return result

    def update(self, label_id: str, answer: str, *, by: str, version: int, reason: str = "") -> CanonicalLabel:
        """Change the answer of a label; the former version is kept (CL-3).

        Raises Invalid for an empty answer, ChangedByOthers when `version` is not the present one.
        """
        self._permissions.check(by, Action.REVIEW)
        answer = checked_answer(answer)
        with self._store.transaction():
            label = self.get(label_id)
            if label.version != version:
                raise ChangedByOthers(
                    f"This label was just changed by {label.updated_by}.", hint="Reload and try again."
                )
            if not same_answer(label.answer, answer):
                self._write_versions([(label, answer, label.confidence)], by=by, reason=reason or "edited")
        return self.get(label_id)

    def set_usage(self, label_ids: Sequence[str], rules: UsageRules, *, by: str) -> int:
        """Give labels new usage rules; answers stay as they are (CL-3). Raises Invalid without a reason."""
        self._permissions.check(by, Action.GOVERN)
        rules = checked_rules(rules)
        changed = 0
        with self._store.transaction():
            for chunk in chunks(label_ids):
                changed += self._store.execute(
                    "UPDATE canonical_labels SET allowed_uses = :allowed_uses, prohibited_uses = :prohibited_uses, "
                    "usage_reason = :usage_reason, classification = :classification WHERE id IN :ids",
                    touches="canonical_labels",
                    ids=chunk,
                    **rules.columns(),
                )
            self._history.add_many("canonical_label", label_ids, "set usage", by=by, **rules.columns())
        return changed

    def delete(self, label_id: str, *, by: str) -> None:
        """Remove a label with its versions (CL-4). Raises Conflict while pairs refer to it."""
        self._permissions.check(by, Action.REVIEW)
        with self._store.transaction():
            label, used = self.get(label_id), self.usage_of(label_id)
            if used.pairs:
                raise Conflict(
                    f"{used.pairs} pairs in {used.training_sheets} training sheets use this label.",
                    hint="Change its answer instead.",
                )
            self._remove([label_id])
            self._history.add("canonical_label", label_id, "delete", by=by, answer=label.answer[:1000])

    # --- steps inside other services' transactions -------------------------------------------------------------------

    def record(
        self,
        entries: Sequence[LabelEntry],
        *,
        sheet_id: str,
        label_type: str,
        mode: LabelingMode,
        by: str,
        replace: bool,
        training_sheet_id: str = "",
        prompt_template_id: str = "",
    ) -> RecordResult:
        """Apply the upsert rule of TS-9 to all entries, one per item: create, link when equal, else a new version.

        A differing label is a conflict unless `replace`. Call it inside a transaction, after the role was checked.
        Raises Invalid naming the item, AlreadyExists when another writer labels the same item at this moment.
        """
        entries = checked_entries(entries)
        present = self.lookup(sheet_id, [entry.item_ref for entry in entries], label_type)
        new = [entry for entry in entries if entry.item_ref not in present]
        differing = [
            entry
            for entry in entries
            if entry.item_ref in present and not same_answer(present[entry.item_ref].answer, entry.answer)
        ]
        different = {entry.item_ref for entry in differing}
        linked = tuple(ref for ref in present if ref not in different)
        origin: dict[str, Value] = {
            "sheet_id": sheet_id,
            "label_type": label_type,
            "labeling_mode": mode.value,
            "training_sheet_id": training_sheet_id or None,
            "prompt_template_id": prompt_template_id or None,
        }
        ids = {ref: present[ref].id for ref in linked} | self._create(new, origin, by=by)
        versions = {ref: present[ref].version for ref in linked} | {entry.item_ref: 1 for entry in new}
        if replace:
            changes = [(present[entry.item_ref], entry.answer, entry.confidence) for entry in differing]
            self._write_versions(changes, by=by, reason=mode.replace("_", " "))
            ids |= {label.item_ref: label.id for label, _, _ in changes}
            versions |= {label.item_ref: label.version + 1 for label, _, _ in changes}
        return RecordResult(
            created=tuple(entry.item_ref for entry in new),
            updated=tuple(different) if replace else (),
            linked=linked,
            conflicts={} if replace else {ref: present[ref].answer for ref in different},
            ids=ids,
            versions=versions,
        )

    def count_reuse(self, label_ids: Sequence[str]) -> None:
        """Count one more pair made from each of these labels, in the transaction that makes the pairs (CL-13)."""
        for chunk in chunks(label_ids):
            self._store.execute(
                "UPDATE canonical_labels SET reuse_count = reuse_count + 1, last_reused_at = :now WHERE id IN :ids",
                touches="canonical_labels",
                now=self._clock(),
                ids=chunk,
            )

    def withdraw(self, versions: Mapping[str, int], *, by: str) -> None:
        """Take back the versions of labels that undone decisions wrote, by label.

        The version before it becomes the present one again, as a new version with the reason “undo”. A first
        version goes with its label, unless other pairs use the label: then it stays. Call it after the pairs were
        unlinked. Raises ChangedByOthers when a label has a newer version; labels that are gone need nothing.
        """
        labels = self._by_id(list(versions))
        for label in labels:
            if label.version != versions[label.id]:
                raise ChangedByOthers(
                    f"The canonical label of item {label.item_ref} was changed by {label.updated_by} since.",
                    hint="Reopen the pair instead of undoing.",
                )
        former = self._former([label.id for label in labels if label.version > 1])
        self._write_versions(
            [(label, *former[label.id]) for label in labels if label.version > 1], by=by, reason="undo"
        )
        first = [label for label in labels if label.version == 1 and not label.reuse_count]
        used = self._used([label.id for label in first])
        unused = [label.id for label in first if label.id not in used]
        self._remove(unused)
        self._history.add_many("canonical_label", unused, "undo", by=by)  # the review of the pair keeps the answer

    # --- inside ----------------------------------------------------------------------------------------------------

    def _create(self, entries: Sequence[LabelEntry], origin: Mapping[str, Value], *, by: str) -> dict[str, str]:
        """Insert first versions; the identifier of each new label by item."""
        now = self._clock()
        ids = {entry.item_ref: new_id("label") for entry in entries}
        self._store.append(
            "canonical_labels",
            [
                {
                    "id": ids[entry.item_ref],
                    **origin,
                    "item_ref": entry.item_ref,
                    "answer": entry.answer,
                    "confidence": entry.confidence,
                    "notes": entry.notes,
                    **entry.usage.columns(),
                    "labeled_by": by,
                    "labeled_at": now,
                    "updated_by": by,
                    "updated_at": now,
                }
                for entry in entries
            ],
        )
        self._append_versions(
            [(ids[e.item_ref], 1, e.answer, e.confidence, e.usage) for e in entries], by=by, reason="created"
        )
        return ids

    def _write_versions(self, changes: Sequence[tuple[CanonicalLabel, str, float]], *, by: str, reason: str) -> None:
        """Give labels a new answer and confidence as their next version. Raises ChangedByOthers when outrun."""
        now = self._clock()
        changed = self._store.execute_many(
            "UPDATE canonical_labels SET answer = :answer, confidence = :confidence, version = version + 1, "
            "updated_by = :by, updated_at = :now WHERE id = :id AND version = :version",
            [
                {
                    "id": label.id,
                    "version": label.version,
                    "answer": answer,
                    "confidence": confidence,
                    "by": by,
                    "now": now,
                }
                for label, answer, confidence in changes
            ],
            touches="canonical_labels",
        )
        if changed != len(changes):
            raise ChangedByOthers("A label was just changed by somebody else.", hint="Reload and try again.")
        self._append_versions(
            [(label.id, label.version + 1, answer, confidence, label.usage) for label, answer, confidence in changes],
            by=by,
            reason=reason,
        )

    def _append_versions(
        self, entries: Sequence[tuple[str, int, str, float, UsageRules]], *, by: str, reason: str
    ) -> None:
        now = self._clock()
        kept = ("allowed_uses", "prohibited_uses", "classification")
        self._store.append(
            "canonical_label_versions",
            [
                {
                    "canonical_label_id": label_id,
                    "version": version,
                    "answer": answer,
                    "confidence": confidence,
                    **{name: value for name, value in rules.columns().items() if name in kept},
                    "reason": reason,
                    "modified_by": by,
                    "modified_at": now,
                }
                for label_id, version, answer, confidence, rules in entries
            ],
        )

    def _by_id(self, label_ids: Sequence[str]) -> list[CanonicalLabel]:
        return [
            label_from(row)
            for chunk in chunks(label_ids)
            for row in self._store.query(
                f"SELECT {LABEL_COLUMNS} FROM canonical_labels WHERE id IN :ids ORDER BY id", ids=chunk
            )
        ]

    def _former(self, label_ids: Sequence[str]) -> dict[str, tuple[str, float]]:
        """Answer and confidence of the versions before the present ones, by label."""
        return {
            rows.text(row, "id"): (rows.text(row, "answer"), rows.number(row, "confidence"))
            for chunk in chunks(label_ids)
            for row in self._store.query(
                "SELECT l.id, v.answer, v.confidence FROM canonical_labels l JOIN canonical_label_versions v "
                "ON v.canonical_label_id = l.id AND v.version = l.version - 1 WHERE l.id IN :ids ORDER BY l.id",
                ids=chunk,
            )
        }

    def _used(self, label_ids: Sequence[str]) -> frozenset[str]:
        """Those of the labels that pairs use."""
        return frozenset(
            rows.text(row, "canonical_label_id")
            for chunk in chunks(label_ids)
            for row in self._store.query(
                "SELECT DISTINCT canonical_label_id FROM pairs WHERE canonical_label_id IN :ids ORDER BY 1", ids=chunk
            )
        )

    def _remove(self, label_ids: Sequence[str]) -> None:
        for chunk in chunks(label_ids):
            for table, column in (("canonical_label_versions", "canonical_label_id"), ("canonical_labels", "id")):
                self._store.execute(f"DELETE FROM {table} WHERE {column} IN :ids", touches=table, ids=chunk)


def _where(wanted: LabelFilter) -> tuple[str, dict[str, str | int]]:
    params: dict[str, str | int] = {
        "sheet": wanted.sheet_id,
        "label_type": wanted.label_type,
        "labeled_by": wanted.labeled_by,
        "minimum_reuse": wanted.minimum_reuse,
        "pattern": rows.search_pattern(wanted.search),
    }
    return (
        "(:sheet = '' OR sheet_id = :sheet) AND (:label_type = '' OR label_type = :label_type) "
        "AND (:labeled_by = '' OR labeled_by = :labeled_by) AND reuse_count >= :minimum_reuse "
        "AND LOWER(item_ref || ' ' || answer || ' ' || notes) LIKE LOWER(:pattern) ESCAPE '!'",
        params,
    )
