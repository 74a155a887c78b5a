"""Speed of the review desk over one very large training sheet in a SQLite file.

A training sheet of a few items is generated as people do it, then multiplied in the database: the front part is
reviewed, the rest waits, some pairs have quality flags, a few may not be used for training. What is timed is what a
reviewer does: pages at the start, in the middle and at the end, back and forth, with filters and with a search for a
frequent word and for one item; counts beside the filter; a decision and its undo; a bulk decision about many pairs,
its preview and its undo. The last line is the result as JSON; times of reading are the slowest of all places.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.generate import PERSON, fill, workbench_at
from workbench_core.pairs import (
    PENDING,
    BulkAction,
    Decision,
    PairFilter,
    QualityFlag,
    ResponseSource,
    ReviewStatus,
    Selection,
)
from workbench_core.usage import Use
from workbench_core.workbench import Workbench

MADE = 40  # pairs that are generated; the others are made after them
REPEATS = 5
COLUMNS = (
    "sheet_id, variables, messages, response_source, review_status, quality_flags, answer, reviewed_by, reviewed_at, "
    "allowed_uses, prohibited_uses, usage_reason, classification, created_at, updated_at, quality_score"
)
REVIEWED = 0.4  # of all pairs, from the front
MULTIPLY = f"""
WITH RECURSIVE numbers(n) AS (SELECT {MADE} + 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < :rows),
made AS (SELECT n, n <= :reviewed AS is_reviewed, p.* FROM numbers JOIN pairs p
    ON p.training_sheet_id = :sheet AND p.sequence_number = 1 + n % {MADE})
INSERT INTO pairs (id, training_sheet_id, item_ref, sequence_number, {COLUMNS})
SELECT :sheet || '-' || n, :sheet, 'made-' || n, n, sheet_id,
    REPLACE(variables, 'Problem no.', 'Case ' || n || ', problem no.'), messages,
    CASE WHEN is_reviewed THEN 'human_verified' WHEN n % 20 = 0 THEN 'empty' ELSE 'ai_generated' END,
    CASE WHEN NOT is_reviewed THEN 'pending' WHEN n % 10 = 0 THEN 'rejected' WHEN n % 7 = 0 THEN 'edited'
        WHEN n % 23 = 0 THEN 'flagged' ELSE 'approved' END,
    CASE WHEN n % 50 = 0 THEN '["ambiguous"]' ELSE '[]' END,
    CASE WHEN NOT is_reviewed AND n % 20 = 0 THEN '' ELSE 'billing' END,
    CASE WHEN is_reviewed THEN 'reviewer@example.com' ELSE '' END,
    CASE WHEN is_reviewed THEN created_at END,
    allowed_uses, CASE WHEN n % 100 = 0 THEN '["training"]' ELSE '[]' END, usage_reason, classification, created_at,
    updated_at, quality_score FROM made"""


@dataclass(frozen=True, slots=True)
class Desk:
    """The training sheet that is measured, and where its pairs are."""

    workbench: Workbench
    sheet_id: str
    rows: int

    def ms(self, action: Callable[[], object]) -> float:
        """The median of a few times, in milliseconds."""
        times = []
        for _ in range(REPEATS):
            started = time.perf_counter()
            action()
            times.append((time.perf_counter() - started) * 1000)
        return statistics.median(times)

    def pages(self, wanted: PairFilter, places: Sequence[int]) -> float:
        """The slowest page, forwards and backwards, of those at some places."""
        page = self.workbench.pairs.page
        assert page(self.sheet_id, wanted).lines
        return max(
            max(
                self.ms(lambda: page(self.sheet_id, wanted, after=place)),  # noqa: B023
                self.ms(lambda: page(self.sheet_id, wanted, before=place + 1)),  # noqa: B023
            )
            for place in places
        )


def made_desk(home: Path, rows: int) -> Desk:
    """A workbench with one training sheet of so many pairs."""
    request = fill(home, MADE)
    workbench = workbench_at(home)
    sheet = workbench.training_sheets.generate(request, by=PERSON)
    workbench.worker().run_one()
    workbench.store.execute(
        MULTIPLY, touches="pairs", rows=rows, sheet=sheet.id, reviewed=round(rows * REVIEWED)
    )  # fmt: skip
    assert workbench.pairs.counts(sheet.id).total == rows
    return Desk(workbench, sheet.id, rows)


def reading(desk: Desk) -> dict[str, float]:
    """Times of lists and counts, in milliseconds."""
    pairs, rows = desk.workbench.pairs, desk.rows
    places = [0, rows // 4, rows // 2, round(rows * 0.9)]
    filters = (
        PENDING,
        PairFilter(statuses=(ReviewStatus.PENDING,), sources=(ResponseSource.AI_GENERATED,)),
        PairFilter(sources=(ResponseSource.HUMAN_VERIFIED,)),
        PairFilter(sources=(ResponseSource.EMPTY,)),
        PairFilter(flags=(QualityFlag.AMBIGUOUS,)),
        PairFilter(not_eligible_for=Use.TRAINING),
        PairFilter(statuses=(ReviewStatus.REJECTED,), flags=(QualityFlag.AMBIGUOUS,)),
    )
    return {
        "page_ms": desk.pages(PairFilter(), places),
        "filtered_page_ms": max(desk.pages(wanted, places) for wanted in filters),
        "search_page_ms": desk.pages(PairFilter(search="CHARGED TWICE"), places),
        "rare_search_ms": desk.ms(lambda: pairs.page(desk.sheet_id, PairFilter(search=f"Case {rows},"))),
        "queue_ms": desk.ms(lambda: pairs.queue(desk.sheet_id)),
        "count_ms": desk.ms(lambda: pairs.count(desk.sheet_id, PENDING)),
        "counts_ms": desk.ms(lambda: pairs.counts(desk.sheet_id)),
        "facets_ms": desk.ms(lambda: pairs.facets(desk.sheet_id)),
        "filtered_facets_ms": desk.ms(lambda: pairs.facets(desk.sheet_id, filters[4])),
        "statistics_ms": desk.ms(lambda: pairs.statistics(desk.sheet_id)),
    }


def deciding(desk: Desk, bulk: int) -> dict[str, float]:
    """Times of a decision and its undo in milliseconds, and bulk work in pairs a second."""
    pairs = desk.workbench.pairs
    waiting = iter(pairs.queue(desk.sheet_id, PairFilter(sources=(ResponseSource.AI_GENERATED,)), limit=2 * REPEATS))

    def decide() -> None:
        pair = next(waiting)
        assert pairs.decide([Decision(pair.id, "approve", pair.row_version)], by=PERSON).done

    result = {"decide_ms": desk.ms(decide), "undo_ms": desk.ms(lambda: pairs.undo(desk.sheet_id, by=PERSON))}
    number = max(desk.rows - bulk, 0)
    ids = [entry.id for entry in pairs.queue(desk.sheet_id, PENDING, after=number, limit=bulk)]
    selection, action = Selection(desk.sheet_id, tuple(ids)), BulkAction("approve")
    everything = Selection(desk.sheet_id, wanted=PENDING)
    result["preview_all_ms"] = desk.ms(lambda: pairs.preview_bulk(everything, action, by=PERSON))
    for name, start in (
        ("bulk_pairs_per_second", lambda: pairs.decide_all(selection, action, by=PERSON)),
        ("bulk_undo_per_second", lambda: pairs.undo(desk.sheet_id, by=PERSON)),
        ("bulk_redo_per_second", lambda: pairs.redo(desk.sheet_id, by=PERSON)),
    ):
        started = time.perf_counter()
        assert start().run is not None
        desk.workbench.worker().run_one()
        run = pairs.bulk_run(desk.sheet_id)
        assert run is not None and run.status == "succeeded", run
        result[name] = run.total / (time.perf_counter() - started)
    return result


def main(arguments: Sequence[str] | None = None) -> None:
    """Fill, measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000, help="pairs (default 1,000,000)")
    parser.add_argument("--bulk", type=int, default=20_000, help="pairs of the bulk decision (default 20,000)")
    chosen = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="review-desk-") as folder:
        started = time.perf_counter()
        desk = made_desk(Path(folder), chosen.rows)
        print(f"{chosen.rows:,} pairs made in {time.perf_counter() - started:.0f} s")
        result = reading(desk) | deciding(desk, chosen.bulk)
        desk.workbench.close()
    for name, value in result.items():
        print(f"{name:>24}{value:>12,.1f}")
    load = {"rows": chosen.rows, "load": round(os.getloadavg()[0], 1)}
    print(json.dumps({name: round(value, 1) for name, value in result.items()} | load))


if __name__ == "__main__":
    main()
