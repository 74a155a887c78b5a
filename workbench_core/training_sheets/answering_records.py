"""The rows behind answerings: which pairs can be answered, the frozen list of them, and what became of each."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from workbench_core import rows
from workbench_core.canonical_labels import chunks
from workbench_core.clock import Clock
from workbench_core.errors import ChangedByOthers
from workbench_core.ports import Store, Value
from workbench_core.runs import Runs
from workbench_core.training_sheets.answering import (
    ANSWERING_COLUMNS,
    ANSWERING_LIFECYCLE,
    Answering,
    AnsweringOutcome,
    AnswerRequest,
    answering_from,
)

ANSWERING_KIND = "answer_pairs"
REASONS = {
    "approved": "approved already",
    "edited": "edited already",
    "rejected": "rejected",
    "flagged": "flagged",
    "typed": "answered by a person",
    "answered": "answered already",
    "no question": "without a question",
}
_GONE = "not in this training sheet"
# Why a pair is not answered; empty for one that is. A new version of the template asks every pair a question anew.
_REASON = (
    "CASE WHEN review_status <> 'pending' THEN review_status WHEN response_source = 'human_labeled' THEN 'typed' "
    "WHEN answer <> '' AND :overwrites = 0 THEN 'answered' "
    "WHEN messages = '[]' AND :is_new_question = 0 THEN 'no question' ELSE '' END"
)
_FAILED = (
    "training_sheet_id = :id AND review_status = 'pending' AND generation_error <> '' AND messages <> '[]' "
    "AND response_source <> 'human_labeled'"
)

# One of each `step` pairs, at a place that moves: a pattern in the order of the items must not decide.
_SPREAD = "place % :step = (place / :step * 7) % :step"


@dataclass(frozen=True, slots=True)
class Choice:
    """The pairs that were asked for: how many can be answered, and the others by the reason why they cannot."""

    pairs: int
    skipped: Mapping[str, int]


class AnsweringRecords:
    """Read and write answerings; roles are checked by whoever calls."""

    def __init__(self, store: Store, runs: Runs, clock: Clock) -> None:
        self._store = store
        self._runs = runs
        self._clock = clock

    # --- which pairs -------------------------------------------------------------------------------------------------

    def choice(self, training_sheet_id: str, request: AnswerRequest) -> Choice:
        """Count the pairs of a request by whether they can be answered."""
        pairs, found = 0, 0
        skipped: Counter[str] = Counter()
        for where, params in _parts(training_sheet_id, request):
            for row in self._store.query(
                f"SELECT {_REASON} AS reason, COUNT(*) AS pairs FROM pairs WHERE {where} GROUP BY 1 ORDER BY 1",
                **params,
            ):
                count, reason = rows.whole(row, "pairs"), rows.text(row, "reason")
                found += count
                if reason:
                    skipped[REASONS[reason]] += count
                else:
                    pairs += count
        if request.pair_ids is not None and len(set(request.pair_ids)) > found:
            skipped[_GONE] = len(set(request.pair_ids)) - found
        return Choice(pairs, dict(skipped))

    def spread(self, training_sheet_id: str, request: AnswerRequest, choice: Choice, *, most: int) -> list[str]:
        """About `most` of the pairs that can be answered, evenly over all of them; all when they are not more."""
        found: list[str] = []
        for where, params in _parts(training_sheet_id, request):
            found += [
                rows.text(row, "id")
                for row in self._store.query(
                    "SELECT id FROM (SELECT id, ROW_NUMBER() OVER (ORDER BY sequence_number) - 1 AS place FROM pairs "
                    f"WHERE {where} AND {_REASON} = '') AS chosen WHERE {_SPREAD} ORDER BY place",
                    step=max(choice.pairs // max(most, 1), 1),
                    **params,
                )
            ]
        return found

    def freeze(self, answering_id: str, training_sheet_id: str, request: AnswerRequest) -> None:
        """Note the pairs that can be answered, and the version that each has now."""
        for where, params in _parts(training_sheet_id, request):
            self._store.execute(
                "INSERT INTO answering_pairs (pair_id, answering_id, sequence_number, row_version) "
                f"SELECT id, :answering, sequence_number, row_version FROM pairs WHERE {where} AND {_REASON} = ''",
                touches="answering_pairs",
                answering=answering_id,
                **params,
            )

    def failed_pairs(self, training_sheet_id: str) -> tuple[str, ...]:
        """The pending pairs that a model gave no answer for."""
        found = self._store.query(
            f"SELECT id FROM pairs WHERE {_FAILED} ORDER BY sequence_number", id=training_sheet_id
        )
        return tuple(rows.text(row, "id") for row in found)

    def count_failed(self, training_sheet_id: str) -> int:
        """How many `failed_pairs` there are."""
        found = self._store.query(f"SELECT COUNT(*) AS pairs FROM pairs WHERE {_FAILED}", id=training_sheet_id)
        return rows.whole(found[0], "pairs")

    # --- answerings --------------------------------------------------------------------------------------------------

    def insert(self, values: Mapping[str, Value]) -> None:
        """Store a new answering."""
        self._store.append("answerings", [values])

    def later_than_all(self, training_sheet_id: str, now: datetime) -> datetime:
        """The present time, but after the beginning of every former answering: a clock may have been set back."""
        found = self._store.query(
            "SELECT started_at FROM answerings WHERE training_sheet_id = :id ORDER BY started_at DESC LIMIT 1",
            id=training_sheet_id,
        )
        return max(now, rows.time(found[0], "started_at") + timedelta(milliseconds=1)) if found else now

    def latest(self, training_sheet_id: str) -> Answering | None:
        """The newest answering of a training sheet."""
        found = self._store.query(
            f"SELECT {ANSWERING_COLUMNS} FROM answerings WHERE training_sheet_id = :id "
            "ORDER BY started_at DESC, id DESC LIMIT 1",
            id=training_sheet_id,
        )
        if not found:
            return None
        outcomes = self._outcomes(rows.text(found[0], "id"))
        return answering_from(found[0], outcomes, self._runs.latest(ANSWERING_KIND, training_sheet_id))

    def move(self, answering: Answering, action: str, *, by: str, error: str = "", pause_reason: str = "") -> None:
        """Change where it stands if nobody changed it meanwhile. Raises InvalidTransition, ChangedByOthers."""
        to = ANSWERING_LIFECYCLE.next(answering.status, action, subject="Answering these pairs")
        changed = self._store.execute(
            "UPDATE answerings SET status = :to, error = :error, pause_reason = :reason, paused_by = :by, "
            "updated_at = :now WHERE id = :id AND status = :was",
            touches="answerings",
            to=to.value,
            error=error,
            reason=pause_reason,
            by=by if pause_reason else "",
            now=self._clock(),
            id=answering.id,
            was=answering.status.value,
        )
        if not changed:
            raise ChangedByOthers("This was just changed by somebody else.", hint="Reload and try again.")

    def set_limits(self, answering_id: str, budget: float | None, call_limit: int | None) -> None:
        """Give an answering other limits."""
        self._store.execute(
            "UPDATE answerings SET budget = :budget, call_limit = :call_limit WHERE id = :id",
            touches="answerings",
            budget=budget,
            call_limit=call_limit,
            id=answering_id,
        )

    def waiting(self, answering_id: str, *, size: int) -> Iterator[dict[str, int]]:
        """The pairs that still wait, in their order, each with the version it had when the answering began."""
        after = -1
        while True:
            found = self._store.query(
                "SELECT pair_id, row_version, sequence_number FROM answering_pairs WHERE answering_id = :id "
                "AND outcome = 'waiting' AND sequence_number > :after ORDER BY sequence_number LIMIT :size",
                id=answering_id,
                after=after,
                size=size,
            )
            if not found:
                return
            after = rows.whole(found[-1], "sequence_number")
            yield {rows.text(row, "pair_id"): rows.whole(row, "row_version") for row in found}

    def settle(self, answering_id: str, outcomes: Mapping[str, AnsweringOutcome]) -> None:
        """Record what became of pairs."""
        for outcome in AnsweringOutcome:
            for chunk in chunks([pair_id for pair_id, found in outcomes.items() if found is outcome]):
                self._store.execute(
                    "UPDATE answering_pairs SET outcome = :outcome WHERE answering_id = :id AND pair_id IN :pairs",
                    touches="answering_pairs",
                    outcome=outcome.value,
                    id=answering_id,
                    pairs=chunk,
                )

    def progress(self, answering_id: str) -> tuple[int, int]:
        """How many pairs are done, and of how many."""
        outcomes = self._outcomes(answering_id)
        total = sum(outcomes.values())
        return total - outcomes.get(AnsweringOutcome.WAITING, 0), total

    def _outcomes(self, answering_id: str) -> dict[AnsweringOutcome, int]:
        found = self._store.query(
            "SELECT outcome, COUNT(*) AS pairs FROM answering_pairs WHERE answering_id = :id "
            "GROUP BY outcome ORDER BY outcome",
            id=answering_id,
        )
        return {AnsweringOutcome(rows.text(row, "outcome")): rows.whole(row, "pairs") for row in found}


def _parts(training_sheet_id: str, request: AnswerRequest) -> Iterator[tuple[str, dict[str, Value | Sequence[Value]]]]:
    """The pairs that a request asks for, as conditions with their parameters; a long selection in several."""
    params: dict[str, Value | Sequence[Value]] = {
        "sheet": training_sheet_id,
        "overwrites": int(request.overwrite),
        "is_new_question": int(bool(request.template_id)),
    }
    if request.pair_ids is None:
        yield "training_sheet_id = :sheet" + ("" if request.overwrite else " AND answer = ''"), params
        return
    for chunk in chunks(list(dict.fromkeys(request.pair_ids))):
        yield "training_sheet_id = :sheet AND id IN :pairs", {**params, "pairs": chunk}
