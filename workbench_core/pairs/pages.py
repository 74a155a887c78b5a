"""Lists of pairs: pages by position that stay where they are, the queue of a reviewer, and counts beside a filter."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from workbench_core import rows, usage
from workbench_core.canonical_labels import chunks
from workbench_core.pairs.comments import Comments
from workbench_core.pairs.counts import counts_by_status_and_source
from workbench_core.pairs.filters import SPECIAL, PairFilter, Params, where_of
from workbench_core.pairs.model import QualityFlag, ResponseSource, ReviewStatus, flags_from
from workbench_core.ports import Row, Store
from workbench_core.usage import ALL_USES, UsageRules, Use

EXCERPT = 300  # characters
_LINE_COLUMNS = (
    f"id, item_ref, sequence_number, variables, SUBSTR(answer, 1, {EXCERPT}) AS answer, response_source, "
    "review_status, quality_flags, quality_score, allowed_uses, prohibited_uses, usage_reason, classification, "
    "generation_error, review_note, reviewed_by, reviewed_at, updated_at, row_version"
)
_FIRST_STRETCH = 500  # positions that are looked through at once; the next stretches are longer
_GROWTH = 4


@dataclass(frozen=True, slots=True)
class PairLine:
    """What a list shows of a pair; `excerpt` and `answer` are cut to 300 characters, `comments` is their number."""

    id: str
    item_ref: str
    sequence_number: int
    excerpt: str
    answer: str
    response_source: ResponseSource
    review_status: ReviewStatus
    quality_flags: tuple[QualityFlag, ...]
    quality_score: float | None
    usage: UsageRules
    note: str
    reviewed_by: str
    reviewed_at: datetime | None
    updated_at: datetime
    row_version: int
    comments: int = 0


@dataclass(frozen=True, slots=True)
class PairPage:
    """One page of lines; `before` and `after` are the positions that give the neighbouring pages, None at the ends."""

    lines: tuple[PairLine, ...] = ()
    before: int | None = None
    after: int | None = None


@dataclass(frozen=True, slots=True)
class Facets:
    """How many pairs each value of a part of the filter would give, the other parts applied; `total` has them all.

    A pair with two flags counts at both. Values without pairs are there with 0.
    """

    total: int = 0
    by_status: Mapping[ReviewStatus, int] = field(default_factory=dict)
    by_source: Mapping[ResponseSource, int] = field(default_factory=dict)
    by_flag: Mapping[QualityFlag, int] = field(default_factory=dict)
    not_eligible: int = 0


class PairPages:
    """Read pairs by position: order and cost are the same wherever in the training sheet.

    A page is found by looking through stretches of positions, each longer than the one before, in the index that has
    status and position. So no page needs a sort of the whole, and no other index has to be kept while pairs are made.
    """

    def __init__(self, store: Store, comments: Comments) -> None:
        self._store = store
        self._comments = comments

    def page(
        self, training_sheet_id: str, wanted: PairFilter, *, after: int, before: int | None, limit: int
    ) -> PairPage:
        """The lines that follow position `after`, or those that come last before position `before`."""
        if before is None:
            found = self.following(training_sheet_id, wanted, after=after, limit=limit + 1)
            has_more = len(found) > limit
            found = found[:limit]
            has_former = after > 0 and bool(self._preceding(training_sheet_id, wanted, before=after + 1, limit=1))
            first = found[0][0] if found else after + 1
        else:
            found = self._preceding(training_sheet_id, wanted, before=before, limit=limit + 1)
            if len(found) <= limit:  # the first page, and whole also when pairs in front no longer match
                return self.page(training_sheet_id, wanted, after=0, before=None, limit=limit)
            found, has_former, first = found[-limit:], True, found[-limit][0]
            has_more = bool(self.following(training_sheet_id, wanted, after=found[-1][0], limit=1))
        return PairPage(
            self.lines([pair_id for _, pair_id in found]),
            before=first if has_former else None,
            after=found[-1][0] if has_more else None,
        )

    def following(self, training_sheet_id: str, wanted: PairFilter, *, after: int, limit: int) -> list[tuple[int, str]]:
        """Position and id of the next pairs that match, in their order."""
        last, found, width = self.last(training_sheet_id), list[tuple[int, str]](), _FIRST_STRETCH
        while after < last and len(found) < limit:
            found += self._stretch(training_sheet_id, wanted, after, after + width, "ASC", limit - len(found))
            after, width = after + width, width * _GROWTH
        return found

    def lines(self, pair_ids: Sequence[str]) -> tuple[PairLine, ...]:
        """What a list shows of these pairs, in their order in the training sheet."""
        comments = self._comments.numbers(pair_ids)
        found = [
            _line(row, comments.get(rows.text(row, "id"), 0))
            for chunk in chunks(pair_ids)
            for row in self._store.query(
                f"SELECT {_LINE_COLUMNS} FROM pairs WHERE id IN :ids ORDER BY sequence_number, id", ids=chunk
            )
        ]
        return tuple(found)

    def facets(self, training_sheet_id: str, wanted: PairFilter) -> Facets:
        """Counts beside a filter, out of one pass over the pairs that match its other parts."""
        others = replace(wanted, statuses=(), sources=(), flags=(), eligible_for=None, not_eligible_for=None)
        if others == PairFilter():
            return _facets(self._all_groups(training_sheet_id), wanted)
        return _facets(self._groups(*where_of(training_sheet_id, others)), wanted)

    def last(self, training_sheet_id: str) -> int:
        """The last position of a training sheet: one look into the index for each status."""
        each = " UNION ALL ".join(
            "SELECT MAX(sequence_number) AS last FROM pairs "
            f"WHERE training_sheet_id = :sheet AND review_status = '{status}'"
            for status in ReviewStatus
        )
        found = self._store.query(f"SELECT MAX(last) AS last FROM ({each}) AS by_status", sheet=training_sheet_id)
        return rows.whole(found[0], "last")

    def count(self, training_sheet_id: str, wanted: PairFilter) -> int:
        """How many pairs match."""
        where, params = where_of(training_sheet_id, wanted)
        found = self._store.query(f"SELECT COUNT(*) AS pairs FROM pairs WHERE {where}", **params)
        return rows.whole(found[0], "pairs")

    def positions(self, training_sheet_id: str, pair_ids: Sequence[str]) -> list[tuple[int, str]]:
        """Position and id of these pairs of a training sheet, in their order."""
        return sorted(
            (rows.whole(row, "sequence_number"), rows.text(row, "id"))
            for chunk in chunks(pair_ids)
            for row in self._store.query(
                "SELECT sequence_number, id FROM pairs WHERE training_sheet_id = :sheet AND id IN :ids "
                "ORDER BY sequence_number, id",
                sheet=training_sheet_id,
                ids=chunk,
            )
        )

    # --- inside ------------------------------------------------------------------------------------------------------

    def _all_groups(self, training_sheet_id: str) -> list[_Group]:
        """All pairs in groups, out of the indexes alone: the special ones, and by status and source what remains."""
        special = self._groups(f"training_sheet_id = :sheet AND {SPECIAL}", Params(sheet=training_sheet_id))
        counted = counts_by_status_and_source(self._store, [training_sheet_id])
        plain = [
            _Group(one.status, source, (), ALL_USES, pairs - _sum(special, one.status, source))
            for one in counted
            for source, pairs in one.by_source.items()
        ]
        return special + plain

    def _groups(self, where: str, params: Params) -> list[_Group]:
        groups = self._store.query(
            "SELECT review_status, response_source, quality_flags, allowed_uses, prohibited_uses, COUNT(*) AS pairs "
            f"FROM pairs WHERE {where} GROUP BY 1, 2, 3, 4, 5 ORDER BY 1, 2, 3, 4, 5",
            **params,
        )
        return [_group(row) for row in groups]

    def _preceding(
        self, training_sheet_id: str, wanted: PairFilter, *, before: int, limit: int
    ) -> list[tuple[int, str]]:
        """Position and id of the last pairs that match before a position, in their order."""
        top, found, width = before - 1, list[tuple[int, str]](), _FIRST_STRETCH
        while top > 0 and len(found) < limit:
            found += self._stretch(training_sheet_id, wanted, top - width, top, "DESC", limit - len(found))
            top, width = top - width, width * _GROWTH
        return found[::-1]

    def _stretch(
        self, training_sheet_id: str, wanted: PairFilter, above: int, upto: int, order: str, limit: int
    ) -> list[tuple[int, str]]:
        where, params = where_of(training_sheet_id, replace(wanted, statuses=wanted.statuses or tuple(ReviewStatus)))
        found = self._store.query(
            f"SELECT sequence_number, id FROM pairs WHERE {where} AND sequence_number > :above "
            f"AND sequence_number <= :upto ORDER BY sequence_number {order} LIMIT :limit",
            above=above,
            upto=upto,
            limit=limit,
            **params,
        )
        return [(rows.whole(row, "sequence_number"), rows.text(row, "id")) for row in found]


@dataclass(frozen=True, slots=True)
class _Group:
    """Pairs that are alike in what the facets are about."""

    status: ReviewStatus
    source: ResponseSource
    flags: tuple[QualityFlag, ...]
    usage: UsageRules
    pairs: int


def _sum(groups: Sequence[_Group], status: ReviewStatus, source: ResponseSource) -> int:
    return sum(group.pairs for group in groups if group.status is status and group.source is source)


def _group(row: Row) -> _Group:
    return _Group(
        ReviewStatus(rows.text(row, "review_status")),
        ResponseSource(rows.text(row, "response_source")),
        flags_from(row),
        usage.from_row({**row, "classification": "internal"}),
        rows.whole(row, "pairs"),
    )


def _facets(groups: Sequence[_Group], wanted: PairFilter) -> Facets:
    """Count groups for each facet, with the other parts of the filter applied."""
    matches = [(group, _matches(group, wanted)) for group in groups]
    by_status = dict.fromkeys(ReviewStatus, 0)
    by_source = dict.fromkeys(ResponseSource, 0)
    by_flag = dict.fromkeys(QualityFlag, 0)
    total = not_eligible = 0
    for group, (status, source, flags, eligible) in matches:
        total += group.pairs if status and source and flags and eligible else 0
        by_status[group.status] += group.pairs if source and flags and eligible else 0
        by_source[group.source] += group.pairs if status and flags and eligible else 0
        for flag in group.flags:
            by_flag[flag] += group.pairs if status and source and eligible else 0
        if status and source and flags and not group.usage.permits(Use.TRAINING):
            not_eligible += group.pairs
    return Facets(total, by_status, by_source, by_flag, not_eligible)


def _matches(group: _Group, wanted: PairFilter) -> tuple[bool, bool, bool, bool]:
    """Whether a group has a wanted status, a wanted source, a wanted flag and the wanted eligibility."""
    permits = group.usage.permits
    return (
        not wanted.statuses or group.status in wanted.statuses,
        not wanted.sources or group.source in wanted.sources,
        not wanted.flags or not set(wanted.flags).isdisjoint(group.flags),
        (wanted.eligible_for is None or permits(wanted.eligible_for))
        and (wanted.not_eligible_for is None or not permits(wanted.not_eligible_for)),
    )


def _line(row: Row, comments: int) -> PairLine:
    values = rows.json_object(row, "variables").values()
    return PairLine(
        id=rows.text(row, "id"),
        item_ref=rows.text(row, "item_ref"),
        sequence_number=rows.whole(row, "sequence_number"),
        excerpt=" · ".join(str(value) for value in values if value)[:EXCERPT],
        answer=rows.text(row, "answer"),
        response_source=ResponseSource(rows.text(row, "response_source")),
        review_status=ReviewStatus(rows.text(row, "review_status")),
        quality_flags=flags_from(row),
        quality_score=rows.number_or_none(row, "quality_score"),
        usage=usage.from_row(row),
        note=rows.text(row, "generation_error") or rows.text(row, "review_note"),
        reviewed_by=rows.text(row, "reviewed_by"),
        reviewed_at=rows.time_or_none(row, "reviewed_at"),
        updated_at=rows.time(row, "updated_at"),
        row_version=rows.whole(row, "row_version"),
        comments=comments,
    )
