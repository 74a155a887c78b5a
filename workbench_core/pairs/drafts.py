"""Drafts: the answers that a person is writing, kept while they write; nobody else sees them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from workbench_core import rows
from workbench_core.canonical_labels import MAX_ANSWER, chunks
from workbench_core.clock import Clock
from workbench_core.errors import Invalid, NotFound
from workbench_core.ports import Store


@dataclass(frozen=True, slots=True)
class Draft:
    """An answer that is being written; `row_version` is that of the pair on which the person began."""

    answer: str
    row_version: int
    saved_at: datetime


class Drafts:
    """Keep one draft of a person for a pair, and forget it when they have decided."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    def keep(self, pair_id: str, answer: str, *, by: str, row_version: int) -> datetime:
        """Keep what a person has written so far; an empty draft is forgotten. Raises NotFound, Invalid."""
        if len(answer) > MAX_ANSWER:
            raise Invalid(f"The answer has {len(answer):,} characters, more than {MAX_ANSWER:,}.", hint="Shorten it.")
        now = self._clock()
        if not answer.strip():
            self.forget([pair_id], by=by)
            return now
        with self._store.transaction():
            if not self._store.query("SELECT id FROM pairs WHERE id = :id", id=pair_id):
                raise NotFound("This pair does not exist.", hint="Copy your answer and reload the page.")
            self._store.execute(
                "INSERT INTO pair_drafts (pair_id, by_user, answer, row_version, saved_at) "
                "VALUES (:pair, :by, :answer, :version, :now) ON CONFLICT (pair_id, by_user) DO UPDATE SET "
                "answer = excluded.answer, row_version = excluded.row_version, saved_at = excluded.saved_at",
                touches="pair_drafts",
                pair=pair_id,
                by=by,
                answer=answer,
                version=row_version,
                now=now,
            )
        return now

    def of(self, pair_ids: Sequence[str], *, by: str) -> dict[str, Draft]:
        """The person's own drafts of these pairs, by pair."""
        found: dict[str, Draft] = {}
        for chunk in chunks(pair_ids):
            for row in self._store.query(
                "SELECT pair_id, answer, row_version, saved_at FROM pair_drafts "
                "WHERE by_user = :by AND pair_id IN :ids ORDER BY pair_id",
                by=by,
                ids=chunk,
            ):
                found[rows.text(row, "pair_id")] = Draft(
                    rows.text(row, "answer"), rows.whole(row, "row_version"), rows.time(row, "saved_at")
                )
        return found

    def forget(self, pair_ids: Sequence[str], *, by: str) -> None:
        """Remove the person's drafts of these pairs."""
        for chunk in chunks(pair_ids):
            self._store.execute(
                "DELETE FROM pair_drafts WHERE by_user = :by AND pair_id IN :ids",
                touches="pair_drafts",
                by=by,
                ids=chunk,
            )
