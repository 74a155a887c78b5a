"""The pairs of a training sheet for an export: weighed first, then read whole, and proven to be of one moment.

Decision 0014: no transaction is held open. Every approved pair is read twice, each with its version; what has the same
version both times was so at the moment between the two readings. Anything else ends the export.
"""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from workbench_core import rows, usage
from workbench_core.eligibility import APPROVED, Reason, flag_reason, score_reason, source_reason, status_reason
from workbench_core.eligibility import usage_reason as reason_of_usage
from workbench_core.errors import ChangedByOthers
from workbench_core.exports.files import ONE_FILE
from workbench_core.exports.formats import ExportPair, turns_from
from workbench_core.exports.requests import PARTS, ExportRequest
from workbench_core.exports.splits import NOWHERE, assign_parts, permitted_parts
from workbench_core.ports import Row, Store
from workbench_core.training_gate import item_position
from workbench_core.usage import Classification, UsageRules

Progress = Callable[[int, int], None]
_WHITESPACE = "".join(chr(code) for code in range(0x3001) if chr(code).isspace())  # what `str.strip` takes away
_APPROVED = f"review_status IN ({', '.join(repr(status) for status in sorted(APPROVED))})"
# everything that decides about a pair as one text: a page of these is read in half the time of a page of columns
_KEY = " || :mark || ".join(
    (
        "review_status", "response_source", "allowed_uses", "prohibited_uses", "classification", "quality_flags",
        "CASE WHEN quality_score IS NULL THEN '' WHEN quality_score < :minimum THEN 'low' ELSE 'enough' END",
        "CASE WHEN TRIM(answer, :blanks) = '' THEN 'blank' ELSE '' END",
        "CASE WHEN messages IN ('', '[]') THEN 'unasked' ELSE '' END",
        "CASE WHEN messages LIKE :pictures THEN 'pictures' ELSE '' END",
        "usage_reason",
    )
)  # fmt: skip
_MARK = "\x1f"  # stands in none of them but the last, which people type
_PICTURES = '%"attachments": [%'  # inside of a text the quotes would be escaped
_WEIGHED = 2_000  # numbers of a page that is weighed
_FIRST_PAGE, _LARGEST_PAGE, _PAGE_CHARACTERS = 200, 2_000, 2_000_000  # numbers of a page, and what it may hold


class Key(NamedTuple):
    """All that decides about pairs: those with the same key share their fate. The score is low, enough or empty."""

    review_status: str
    response_source: str
    allowed_uses: str
    prohibited_uses: str
    classification: str
    quality_flags: str
    score: str
    is_blank: str
    is_unasked: str
    has_pictures: str
    usage_reason: str

    @property
    def usage(self) -> UsageRules:
        """The usage rules."""
        return usage.from_row(self._asdict())


Tally = tuple[tuple[Key, int], ...]  # how many pairs have each key


class Verdict(NamedTuple):
    """What becomes of the pairs with one key: why they stay out, else the parts that they permit as bits."""

    reason: str
    permitted: int


def verdict_of(key: Key, request: ExportRequest) -> Verdict:
    """Whether pairs with this key are exported; the first reason that fits counts (spec 1.6)."""
    rules, enough = key.usage, request.minimum_score
    score = {"": None, "low": enough - 1, "enough": enough}[key.score]
    reason = (
        status_reason(key.review_status)
        or reason_of_usage(rules, request.intended_use)
        or (Reason.EMPTY if key.is_blank else "")
        or (Reason.NO_QUESTION if key.is_unasked else "")
        or source_reason(key.response_source, request.sources)
        or (flag_reason(rows.json_texts(key._asdict(), "quality_flags")) if request.exclude_flagged else "")
        or score_reason(score, enough)
        or (Reason.PICTURES if key.has_pictures and not request.text_without_pictures else "")
    )
    permitted = permitted_parts(rules, request.shares)
    if not reason and request.is_split and not permitted:
        reason = Reason.NO_PART
    return Verdict(reason, permitted)


@dataclass(frozen=True, slots=True)
class Plan:
    """Every approved pair in the order of its number: its version, and the part it goes to, `NOWHERE` for none.

    `excluded` counts all pairs that stay out by reason, `total` all there are. Versions of pairs are given as range.
    """

    numbers: npt.NDArray[np.int32]
    marks: npt.NDArray[np.int64]
    parts: npt.NDArray[np.int8]
    excluded: dict[str, int]
    total: int
    pictures: int
    classification: str
    versions: tuple[int, int]

    @property
    def exported(self) -> int:
        """How many pairs go into files."""
        return int(np.count_nonzero(self.parts != NOWHERE))

    def by_part(self, request: ExportRequest) -> dict[str, int]:
        """How many pairs each part gets."""
        if request.shares is None:
            return {ONE_FILE: self.exported}
        return {part.value: int(np.count_nonzero(self.parts == PARTS.index(part))) for part in request.shares.by_part}


class PairReading:
    """Read the pairs of one training sheet for one request."""

    def __init__(self, store: Store, request: ExportRequest, *, label_type: str) -> None:
        self._store = store
        self._request = request
        self._label_type = label_type

    def tally(self) -> Tally:
        """All pairs, counted by what decides about them, in one statement."""
        return read_tally(self._store, self._request.training_sheet_id, self._request.minimum_score)

    # --- weighing ----------------------------------------------------------------------------------------------------

    def plan(self, progress: Progress = lambda _done, _total: None) -> Plan:
        """Decide about every approved pair. Raises ChangedByOthers when some of them come or go meanwhile."""
        weighed = _Weighed()
        first, last = self._bounds()
        for after in range(first - 1, last, _WEIGHED):
            self._weigh(self._weighed_page(after, after + _WEIGHED), weighed)
            progress(min(after + _WEIGHED, last), last)
        counts = self._counts()
        if sum(counts.get(status, 0) for status in APPROVED) != len(weighed.numbers):
            raise _changed()
        for status, count in counts.items():
            if status not in APPROVED:
                weighed.excluded[status_reason(status)] += count
        return self._decided(weighed, total=sum(counts.values()))

    def _weigh(self, page: list[Row], weighed: _Weighed) -> None:
        """Note what is needed of each pair, a few bytes; the sums are made for a page at a time."""
        weighed.numbers.extend([row["sequence_number"] for row in page])  # type: ignore[misc]
        weighed.marks.extend([hash((row["row_version"], row["changed"])) for row in page])
        codes = [self._code(row["gate"], weighed) for row in page]  # type: ignore[arg-type]
        weighed.verdicts.extend(codes)
        for code, count in Counter(codes).items():
            if reason := weighed.fates[code].reason:
                weighed.excluded[reason] += count
        chosen = [row for row, code in zip(page, codes, strict=True) if not weighed.fates[code].reason]
        if not chosen:
            return
        versions: set[int] = {row["row_version"] for row in chosen}  # type: ignore[misc]
        weighed.lowest = min(versions | ({weighed.lowest} if weighed.highest else set()))
        weighed.highest = max(versions | {weighed.highest})
        if self._request.is_split:
            seed = self._request.seed
            weighed.positions.extend([item_position(row["item_ref"], seed) for row in chosen])  # type: ignore[arg-type]
        if self._request.stratify_by_label:
            known = weighed.label_codes
            weighed.labels.extend([known.setdefault(str(row["answer"]), len(known)) for row in chosen])

    def _code(self, gate: str, weighed: _Weighed) -> int:
        code = weighed.codes.get(gate)
        if code is None:
            code = weighed.codes[gate] = len(weighed.codes)
            weighed.keys.append(key_from(gate))
            weighed.fates.append(verdict_of(weighed.keys[-1], self._request))
        return code

    def _decided(self, weighed: _Weighed, *, total: int) -> Plan:
        """The parts of those that may be exported."""
        keys, fates, codes = weighed.keys, weighed.fates, np.frombuffer(weighed.verdicts, dtype=np.int32)
        may = np.array([not fate.reason for fate in fates], dtype=bool)
        chosen = may[codes] if len(codes) else np.zeros(0, dtype=bool)
        parts = np.where(chosen, np.int8(0), np.int8(NOWHERE)).astype(np.int8)
        if self._request.shares is not None:
            bits = np.array([fate.permitted for fate in fates], dtype=np.int8)
            permitted = bits[codes[chosen]] if len(codes) else np.zeros(0, dtype=np.int8)
            labels = np.frombuffer(weighed.labels, dtype=np.int32) if self._request.stratify_by_label else None
            positions = np.frombuffer(weighed.positions, dtype=np.float64)
            parts[chosen] = assign_parts(positions, permitted, self._request.shares, labels)
            if nowhere := int(np.count_nonzero(parts[chosen] == NOWHERE)):
                weighed.excluded[Reason.NO_PART] += nowhere
        used = [key for key, fate in zip(keys, fates, strict=True) if not fate.reason]
        shown = np.array([bool(key.has_pictures) for key in keys], dtype=np.int64)
        levels = [level.value for level in Classification]
        return Plan(
            np.frombuffer(weighed.numbers, dtype=np.int32),
            np.frombuffer(weighed.marks, dtype=np.int64),
            parts,
            dict(weighed.excluded),
            total,
            pictures=int(shown[codes[parts != NOWHERE]].sum()) if len(codes) else 0,
            classification=max((key.classification for key in used), key=levels.index, default=""),
            versions=(weighed.lowest, weighed.highest),
        )

    # --- reading whole -----------------------------------------------------------------------------------------------

    def placed_pairs(
        self, plan: Plan, progress: Progress = lambda _done, _total: None
    ) -> Iterator[tuple[ExportPair, str]]:
        """The pairs of a plan in the order of their numbers, each with its part.

        Raises ChangedByOthers when an approved pair is not as it was when it was weighed.
        """
        names = [part.value for part in PARTS] if self._request.is_split else [ONE_FILE]
        begin, size, count = 0, _FIRST_PAGE, len(plan.numbers)
        while begin < count:
            after = int(plan.numbers[begin]) - 1
            page = self._whole_page(after, after + size)
            end = int(np.searchsorted(plan.numbers, after + size, side="right"))
            if end - begin != len(page):
                raise _changed()
            for row, mark, part in zip(
                page, plan.marks[begin:end].tolist(), plan.parts[begin:end].tolist(), strict=True
            ):
                if hash((row["row_version"], row["changed"])) != mark:
                    raise _changed()
                if part != NOWHERE:
                    yield self._pair(row), names[part]
            size = _next_size(page, size)
            begin = end
            progress(begin, count)

    def _pair(self, row: Row) -> ExportPair:
        return ExportPair(
            row["item_ref"],  # type: ignore[arg-type]
            turns_from(row["messages"]),  # type: ignore[arg-type]
            row["answer"],  # type: ignore[arg-type]
            self._label_type,
            row["review_status"],  # type: ignore[arg-type]
        )

    def first_pairs(self, limit: int) -> list[ExportPair]:
        """The first approved pairs, whatever the request says, to show what records look like."""
        found = self._store.query(
            f"SELECT item_ref, messages, answer, review_status FROM pairs WHERE training_sheet_id = :sheet "
            f"AND {_APPROVED} AND messages NOT IN ('', '[]') ORDER BY sequence_number LIMIT :limit",
            sheet=self._request.training_sheet_id,
            limit=limit,
        )
        return [self._pair(row) for row in found]

    # --- statements --------------------------------------------------------------------------------------------------

    def _bounds(self) -> tuple[int, int]:
        found = self._store.query(
            f"SELECT MIN(sequence_number) AS first, MAX(sequence_number) AS last FROM pairs "
            f"WHERE training_sheet_id = :sheet AND {_APPROVED}",
            sheet=self._request.training_sheet_id,
        )[0]
        return max(rows.whole(found, "first"), 1), rows.whole(found, "last")

    def _counts(self) -> dict[str, int]:
        found = self._store.query(
            "SELECT review_status, COUNT(*) AS pairs FROM pairs WHERE training_sheet_id = :sheet "
            "GROUP BY review_status ORDER BY review_status",
            sheet=self._request.training_sheet_id,
        )
        return {rows.text(row, "review_status"): rows.whole(row, "pairs") for row in found}

    def _weighed_page(self, after: int, upto: int) -> list[Row]:
        answer = ", answer" if self._request.stratify_by_label else ""
        return self._store.query(
            f"SELECT sequence_number, row_version, updated_at AS changed, item_ref{answer}, {_KEY} AS gate FROM pairs "
            f"WHERE training_sheet_id = :sheet AND {_APPROVED} AND sequence_number > :after "
            "AND sequence_number <= :upto ORDER BY sequence_number",
            sheet=self._request.training_sheet_id,
            after=after,
            upto=upto,
            **_parameters(self._request.minimum_score),
        )

    def _whole_page(self, after: int, upto: int) -> list[Row]:
        return self._store.query(
            "SELECT sequence_number, row_version, updated_at AS changed, item_ref, messages, answer, review_status "
            f"FROM pairs WHERE training_sheet_id = :sheet AND {_APPROVED} AND sequence_number > :after "
            "AND sequence_number <= :upto ORDER BY sequence_number",
            sheet=self._request.training_sheet_id,
            after=after,
            upto=upto,
        )


class _Weighed:
    """What is known of the pairs that were weighed so far, a few bytes each."""

    def __init__(self) -> None:
        self.numbers = array("i")
        self.marks = array("q")
        self.verdicts = array("i")
        self.positions = array("d")
        self.labels = array("i")
        self.lowest, self.highest = 0, 0
        self.codes: dict[str, int] = {}
        self.keys: list[Key] = []
        self.fates: list[Verdict] = []
        self.label_codes: dict[str, int] = {}
        self.excluded: Counter[str] = Counter()


def read_tally(store: Store, training_sheet_id: str, minimum_score: float) -> Tally:
    """All pairs of a training sheet, counted by what decides about them, in one statement."""
    found = store.query(
        f"SELECT gate, COUNT(*) AS pairs FROM (SELECT {_KEY} AS gate FROM pairs WHERE training_sheet_id = :sheet) g "
        "GROUP BY gate ORDER BY gate",
        sheet=training_sheet_id,
        **_parameters(minimum_score),
    )
    return tuple((key_from(rows.text(row, "gate")), rows.whole(row, "pairs")) for row in found)


def key_from(text: str) -> Key:
    """A key out of the text that the store makes of it."""
    return Key._make(text.split(_MARK, len(Key._fields) - 1))


def _parameters(minimum_score: float) -> dict[str, str | float]:
    return {"mark": _MARK, "minimum": minimum_score, "blanks": _WHITESPACE, "pictures": _PICTURES}


def _next_size(page: list[Row], size: int) -> int:
    """How many numbers the next page may span, so that its texts take little memory."""
    characters = sum([len(str(row["messages"])) + len(str(row["answer"])) for row in page])
    if not characters:
        return min(2 * size, _LARGEST_PAGE)
    return max(1, min(2 * size, _LARGEST_PAGE, int(size * _PAGE_CHARACTERS / characters)))


def _changed() -> ChangedByOthers:
    return ChangedByOthers("Pairs changed while they were exported.", hint="Start the export again.")
