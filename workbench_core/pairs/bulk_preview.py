"""What a bulk action would do now: counted in the database, by the same rules that the action goes by."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import datetime

from workbench_core import rows, usage
from workbench_core.canonical_labels import chunks, same_answer
from workbench_core.metrics import AnswerKind
from workbench_core.pairs.answers import check_answer
from workbench_core.pairs.bulk import LARGE, BulkAction, BulkPreview, Selection
from workbench_core.pairs.bulk_rules import (
    CHANGED,
    EMPTY,
    GONE,
    OTHER_LABEL,
    SAME_FLAGS,
    SAME_USAGE,
    SET_USAGE,
    answer_refusal,
    status_refusal,
)
from workbench_core.pairs.decisions import SET_FLAGS
from workbench_core.pairs.filters import Params, where_of
from workbench_core.pairs.model import ReviewStatus, flags_text
from workbench_core.pairs.records import Origin
from workbench_core.ports import Store


class BulkCounts:
    """Count what a bulk action on a selection would change, skip and label."""

    def __init__(self, store: Store, selection: Selection, action: BulkAction, origin: Origin) -> None:
        self._store = store
        self._selection = selection
        self._action = action
        self._origin = origin
        self._skipped: Counter[str] = Counter()
        self._changing = self._new = self._replaced = 0

    def preview(self, *, now: datetime) -> BulkPreview:
        """Count everything; `now` becomes the moment that the preview stands for."""
        found = 0
        for where, params in conditions(self._selection):
            if self._selection.as_of is None:
                found += self._count(where, params)
            else:
                dated: Params = {**params, "as_of": self._selection.as_of}
                found += self._count_stale(f"{where} AND updated_at > :as_of", dated)
                found += self._count(f"{where} AND updated_at <= :as_of", dated)
        if self._selection.wanted is None and (gone := len(set(self._selection.pair_ids)) - found):
            self._skipped[GONE] += gone
        matching = self._changing + sum(self._skipped.values())
        skipped = {reason: number for reason, number in self._skipped.most_common() if number}
        return BulkPreview(
            matching, self._changing, skipped, self._new, self._replaced, is_large=matching > LARGE, as_of=now
        )

    def _count(self, where: str, params: Params) -> int:
        if self._action.action == SET_USAGE:
            return self._count_usages(where, params)
        if self._action.action == SET_FLAGS:
            return self._count_flags(where, params)
        return self._count_statuses(where, params)

    def _count_stale(self, where: str, params: Params) -> int:
        found = self._store.query(f"SELECT COUNT(*) AS pairs FROM pairs WHERE {where}", **params)
        return self._add(rows.whole(found[0], "pairs"), CHANGED)

    def _count_usages(self, where: str, params: Params) -> int:
        total = 0
        for row in self._store.query(
            "SELECT allowed_uses, prohibited_uses, usage_reason, classification, COUNT(*) AS pairs "
            f"FROM pairs WHERE {where} GROUP BY 1, 2, 3, 4 ORDER BY 1, 2, 3, 4",
            **params,
        ):
            is_same = usage.from_row(row) == self._action.rules
            total += self._add(rows.whole(row, "pairs"), SAME_USAGE if is_same else "")
        return total

    def _count_flags(self, where: str, params: Params) -> int:
        wanted, total = flags_text(self._action.flags), 0
        for row in self._store.query(
            f"SELECT quality_flags, COUNT(*) AS pairs FROM pairs WHERE {where} GROUP BY 1 ORDER BY 1", **params
        ):
            total += self._add(rows.whole(row, "pairs"), SAME_FLAGS if row["quality_flags"] == wanted else "")
        return total

    def _count_statuses(self, where: str, params: Params) -> int:
        total, is_approval = 0, self._action.action == "approve"
        able: list[str] = []
        for row in self._store.query(
            "SELECT review_status, CASE WHEN answer = '' THEN 1 ELSE 0 END AS is_empty, COUNT(*) AS pairs "
            f"FROM pairs WHERE {where} GROUP BY 1, 2 ORDER BY 1, 2",
            **params,
        ):
            status, number = ReviewStatus(rows.text(row, "review_status")), rows.whole(row, "pairs")
            refusal = status_refusal(self._action, status) or (EMPTY if is_approval and row["is_empty"] else "")
            total += number
            if refusal or not is_approval:
                self._add(number, refusal)
            else:
                able.append(status.value)
        if able:
            self._count_approvals(f"{where} AND review_status IN :able AND answer <> ''", {**params, "able": able})
        return total

    def _count_approvals(self, where: str, params: Params) -> None:
        """Answers beside the canonical labels of their items; classes are few, other answers are compared first."""
        joined = (
            f"FROM (SELECT sheet_id, item_ref, answer FROM pairs WHERE {where}) AS p LEFT JOIN canonical_labels l "
            "ON l.sheet_id = p.sheet_id AND l.label_type = :label_type AND l.item_ref = p.item_ref"
        )
        same = "CASE WHEN l.answer = p.answer THEN 1 ELSE 0 END"
        is_label = self._origin.template.answer_kind is AnswerKind.LABEL
        answer = "p.answer" if is_label else "CASE WHEN l.answer <> p.answer THEN p.answer ELSE '' END"
        label = "l.answer" if is_label else "CASE WHEN l.answer <> p.answer THEN l.answer ELSE '' END"
        for row in self._store.query(
            f"SELECT {answer} AS answer, {label} AS label_answer, {same} AS is_same, "
            f"CASE WHEN l.id IS NULL THEN 1 ELSE 0 END AS is_new, COUNT(*) AS pairs {joined} "
            "GROUP BY 1, 2, 3, 4 ORDER BY 1, 2, 3, 4",
            label_type=self._origin.label_type,
            **params,
        ):
            number = rows.whole(row, "pairs")
            refusal = answer_refusal(rows.text(row, "answer"), self._origin.template) if is_label else ""
            if refusal:
                self._add(number, refusal)
            elif row["is_new"]:
                self._new += self._add(number, "")
            elif self._says_the_same(rows.text(row, "answer"), rows.text(row, "label_answer"), is_label=is_label):
                self._add(number, "")
            elif self._action.replace_labels:
                self._replaced += self._add(number, "")
            else:
                self._add(number, OTHER_LABEL)

    def _says_the_same(self, answer: str, label_answer: str, *, is_label: bool) -> bool:
        if is_label:
            answer = check_answer(self._origin.template, answer).answer
        return same_answer(label_answer, answer)

    def _add(self, pairs: int, refusal: str) -> int:
        """Count pairs as changing or as skipped, and give their number."""
        if refusal:
            self._skipped[refusal] += pairs
        else:
            self._changing += pairs
        return pairs


def conditions(selection: Selection) -> Iterator[tuple[str, Params]]:
    """The conditions on table pairs that together are a selection."""
    if selection.wanted is not None:
        yield where_of(selection.training_sheet_id, selection.wanted)
        return
    for chunk in chunks(selection.pair_ids):
        yield "training_sheet_id = :sheet AND id IN :ids", Params(sheet=selection.training_sheet_id, ids=chunk)
