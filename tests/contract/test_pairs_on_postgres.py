"""The review desk on a real PostgreSQL: pages, counts, bulk decisions, undo and redo, two people at once."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest
from sqlalchemy import create_engine, text

from tests.core.generation_parts import ANN, BEN, Parts
from tests.core.pair_steps import bulk, decide, ids, labels_of, made, pairs_in, states
from workbench_core import usage
from workbench_core.canonical_labels import LabelEntry
from workbench_core.pairs import PENDING, BulkAction, PairFilter, QualityFlag, ResponseSource, ReviewStatus, Selection
from workbench_core.usage import Use


@pytest.fixture
def parts(postgres_url, tmp_path):
    """The services of DATA to LABEL over an empty database."""
    engine = create_engine(postgres_url.replace("postgresql:", "postgresql+psycopg:"), isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text("DROP SCHEMA public CASCADE"))
        connection.execute(text("CREATE SCHEMA public"))
    engine.dispose()
    opened = Parts(tmp_path, url=postgres_url)
    yield opened
    opened.store.close()


@pytest.mark.postgres
def test_pages_filters_and_counts_on_postgres(parts):
    parts.model.failing = frozenset({"m00003"})
    sheet = made(parts, 50)
    for number, pair in enumerate(pairs_in(parts, sheet)):
        if action := (None, "approve", "reject", "flag")[number % 4]:
            decide(parts, pair, action, note="odd %_! 🚀", flags=(QualityFlag.PII,), by=BEN)
    parts.pairs.set_usage(ids(pairs_in(parts, sheet)[:5]), usage.preset("held_out"), by=ANN)
    for wanted in (
        PairFilter(), PENDING, PairFilter(flags=(QualityFlag.PII,)), PairFilter(search="ODD %_! 🚀"),
        PairFilter(not_eligible_for=Use.TRAINING), PairFilter(has_error=True),
        PairFilter(score_from=0.5, reviewed_by=BEN),
    ):  # fmt: skip
        page, seen = parts.pairs.page(sheet, wanted, limit=6), []
        while page.lines:
            seen += [line.id for line in page.lines]
            if page.after is None:
                break
            page = parts.pairs.page(sheet, wanted, after=page.after, limit=6)
        assert tuple(seen) == ids(pairs_in(parts, sheet, wanted)), wanted
        facets = parts.pairs.facets(sheet, wanted)
        assert facets.total == len(seen)
        without_answer = replace(wanted, sources=(ResponseSource.EMPTY,))
        assert facets.by_source[ResponseSource.EMPTY] == parts.pairs.count(sheet, without_answer)
    counts = parts.pairs.counts(sheet)
    assert (counts.total, counts.errors, counts.pending) == (50, 1, 13)
    statistics = parts.pairs.statistics(sheet)
    assert (statistics.total, statistics.reviewers[0].by) == (50, BEN)
    assert statistics.reviewers[0].per_hour


@pytest.mark.postgres
@pytest.mark.parametrize("is_large", [False, True])
def test_bulk_undo_and_redo_on_postgres(parts, monkeypatch, is_large):
    if is_large:
        for module in ("bulk_work", "bulk_preview"):
            monkeypatch.setattr(f"workbench_core.pairs.{module}.LARGE", 10)
        monkeypatch.setattr("workbench_core.pairs.bulk_work.BATCH", 8)
    sheet = made(parts, 40)
    pairs = pairs_in(parts, sheet)
    other = [LabelEntry(pair.item_ref, "ham" if pair.answer == "spam" else "spam") for pair in pairs[:4]]
    parts.labels.label(other, sheet_id=pairs[0].sheet_id, label_type="mail_class", by=BEN)
    before, labels = states(parts, sheet), labels_of(parts, pairs[0].sheet_id)
    for action in (
        BulkAction("approve"), BulkAction("approve", replace_labels=True),
        BulkAction("flag", "odd", (QualityFlag.PII,)),
        BulkAction("set_flags", flags=(QualityFlag.TOXIC,)), BulkAction("set_usage", rules=usage.preset("held_out")),
    ):  # fmt: skip
        preview, outcome = bulk(parts, Selection(sheet, wanted=PairFilter()), action)
        parts.work()
        assert (outcome.run is not None) is is_large
        after, labels_after = states(parts, sheet), labels_of(parts, pairs[0].sheet_id)
        assert sum(old != new for old, new in zip(before, after, strict=True)) == preview.changing
        parts.pairs.undo(sheet, by=ANN)
        parts.work()
        assert (states(parts, sheet), labels_of(parts, pairs[0].sheet_id)) == (before, labels)
        parts.pairs.redo(sheet, by=ANN)
        parts.work()
        assert labels_of(parts, pairs[0].sheet_id) == labels_after
        parts.pairs.undo(sheet, by=ANN)
        parts.work()
        assert (states(parts, sheet), labels_of(parts, pairs[0].sheet_id)) == (before, labels)


@pytest.mark.postgres
def test_of_two_people_who_decide_at_the_same_moment_one_wins_on_postgres(parts):
    sheet = made(parts, 60)
    pairs = pairs_in(parts, sheet)

    def press(person):
        return [decide(parts, pair, "approve" if person == ANN else "reject", by=person) for pair in pairs]

    with ThreadPoolExecutor(2) as pool:
        mine, yours = pool.map(press, [ANN, BEN])
    for pair, left, right in zip(pairs, mine, yours, strict=True):
        assert len(left.done) + len(right.done) == 1
        loser, winner = (right, ANN) if left.done else (left, BEN)
        assert loser.changes[pair.id].by == winner
        assert parts.pairs.get(pair.id).review_status in {ReviewStatus.APPROVED, ReviewStatus.REJECTED}
    assert len(labels_of(parts, pairs[0].sheet_id)) == parts.pairs.counts(sheet).approved


@pytest.mark.postgres
def test_the_same_person_in_two_windows_makes_steps_in_an_order_on_postgres(parts):
    sheet = made(parts, 40)
    pairs = pairs_in(parts, sheet)

    def press(start):
        return [bool(decide(parts, pair, "reject").done) for pair in pairs[start::2]]

    with ThreadPoolExecutor(2) as pool:
        assert all(all(done) for done in pool.map(press, [0, 1]))
    for _ in pairs:
        parts.pairs.undo(sheet, by=ANN)
    assert parts.pairs.counts(sheet).pending == 40
    parts.pairs.keep_draft(pairs[0].id, "ham 🚀", by=ANN, row_version=1)
    parts.pairs.comment(pairs[0].id, "why?", by=BEN)
    assert parts.pairs.page(sheet, limit=1).lines[0].comments == 1
    parts.training_sheets.delete(sheet, by=ANN)
    assert parts.store.query("SELECT COUNT(*) AS n FROM pair_drafts") == [{"n": 0}]
