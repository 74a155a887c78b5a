"""What the labels of many items say, read as one text: for pairs that are made by the thousand."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from typing import NamedTuple

from workbench_core import rows, usage
from workbench_core.canonical_labels.model import chunks
from workbench_core.ports import Store
from workbench_core.usage import UsageRules

_COLUMNS = (
    "item_ref, id, answer, labeled_by, labeled_at, allowed_uses, prohibited_uses, classification, usage_reason, version"
)
_AS_JSON = {  # the one thing that the two databases call differently
    "sqlite": f"json_group_array(json_array({_COLUMNS}))",
    "postgresql": f"CAST(json_agg(json_build_array({_COLUMNS}) ORDER BY item_ref) AS TEXT)",
}


class LabelAnswer(NamedTuple):
    """What a pair takes over from a label."""

    id: str
    answer: str
    labeled_by: str
    labeled_at: datetime
    usage: UsageRules


@dataclass(frozen=True, slots=True)
class LabelAnswers:
    """The labels of many items as they were when they were read; equal to another reading when nothing changed."""

    _texts: tuple[str, ...]

    def by_item(self) -> dict[str, LabelAnswer]:
        """What the label of each item that has one says."""
        return {
            ref: LabelAnswer(label_id, answer, by, _moment(at), _rules(*rules))
            for text in self._texts
            for ref, label_id, answer, by, at, *rules, _ in json.loads(text)
        }


def label_answers(store: Store, sheet_id: str, item_refs: Sequence[str], label_type: str) -> LabelAnswers:
    """Read what the labels of these items say, in one row for each few thousand.

    A row of its own for each label would hand Python's interpreter lock to and fro as often.
    """
    statement = (
        f"SELECT {_AS_JSON[store.dialect]} AS labels FROM (SELECT {_COLUMNS} FROM canonical_labels "
        "WHERE sheet_id = :sheet AND label_type = :label_type AND item_ref IN :refs ORDER BY item_ref) AS found"
    )
    found = [
        store.query(statement, sheet=sheet_id, label_type=label_type, refs=chunk)[0] for chunk in chunks(item_refs)
    ]
    return LabelAnswers(tuple(rows.text(row, "labels") or "[]" for row in found))


@lru_cache(maxsize=4096)
def _moment(text: str) -> datetime:
    """A time of the database, which is in UTC; labels that were given together share theirs."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@lru_cache(maxsize=1024)
def _rules(allowed: str, prohibited: str, classification: str, reason: str) -> UsageRules:
    columns = {"allowed_uses": allowed, "prohibited_uses": prohibited, "classification": classification}
    return usage.from_row({**columns, "usage_reason": reason})
