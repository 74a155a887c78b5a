"""Comments: what people write to each other about a pair; they are only ever added."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from workbench_core import rows
from workbench_core.canonical_labels import chunks
from workbench_core.clock import Clock, new_id
from workbench_core.errors import Invalid, NotFound, NotPermitted
from workbench_core.ports import Row, Store

MAX_COMMENT = 10_000  # characters


@dataclass(frozen=True, slots=True)
class Comment:
    """What one person wrote about a pair."""

    id: str
    pair_id: str
    by: str
    text: str
    created_at: datetime


class Comments:
    """Add comments to pairs, read and count them."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    def add(self, pair_id: str, text: str, *, by: str) -> Comment:
        """Add a comment; anybody who is signed in may. Raises NotPermitted, NotFound, Invalid."""
        if not by:
            raise NotPermitted("Nobody is signed in.", hint="Sign in and try again.")
        text = text.strip()
        if not text:
            raise Invalid("The comment is empty.", hint="Write something first.")
        if len(text) > MAX_COMMENT:
            raise Invalid(f"The comment has {len(text):,} characters, more than {MAX_COMMENT:,}.", hint="Shorten it.")
        comment = Comment(new_id("comment"), pair_id, by, text, self._clock())
        with self._store.transaction():
            if not self._store.query("SELECT id FROM pairs WHERE id = :id", id=pair_id):
                raise NotFound("This pair does not exist.", hint="Choose one of the training sheet's pairs.")
            self._store.append(
                "pair_comments",
                [
                    {
                        "id": comment.id,
                        "pair_id": pair_id,
                        "by_user": by,
                        "text": text,
                        "created_at": comment.created_at,
                    }
                ],
            )
        return comment

    def of(self, pair_id: str) -> list[Comment]:
        """The comments on a pair, the first one first."""
        found = self._store.query(
            "SELECT id, pair_id, by_user, text, created_at FROM pair_comments WHERE pair_id = :pair "
            "ORDER BY created_at, id",
            pair=pair_id,
        )
        return [_comment(row) for row in found]

    def numbers(self, pair_ids: Sequence[str]) -> dict[str, int]:
        """How many comments each of these pairs has; pairs without any are left out."""
        found: dict[str, int] = {}
        for chunk in chunks(pair_ids):
            for row in self._store.query(
                "SELECT pair_id, COUNT(*) AS comments FROM pair_comments WHERE pair_id IN :ids "
                "GROUP BY pair_id ORDER BY pair_id",
                ids=chunk,
            ):
                found[rows.text(row, "pair_id")] = rows.whole(row, "comments")
        return found


def _comment(row: Row) -> Comment:
    return Comment(
        rows.text(row, "id"),
        rows.text(row, "pair_id"),
        rows.text(row, "by_user"),
        rows.text(row, "text"),
        rows.time(row, "created_at"),
    )
