"""A sample of one generation in place of the sheet's: exactly the drawn items, whatever happens (TS-1, TS-2, TS-16)."""

from __future__ import annotations

import hashlib
import threading
from collections import Counter

import pytest

from tests.core.generation_parts import ANN, SOURCE, Parts
from tests.core.generation_process import start
from tests.core.generation_steps import AI, generate, label, request, wait_for
from workbench_core.errors import Conflict, Invalid
from workbench_core.prompt_templates import AnswerSource
from workbench_core.sheets import SheetDraft
from workbench_core.training_sheets import MOST_SAMPLED, Sampling
from workbench_core.training_sheets.model import TrainingSheetStatus


@pytest.fixture
def parts(tmp_path, clock):
    made = Parts(tmp_path, clock=clock)
    yield made
    made.store.close()


def drawn(items, size, seed):
    """What a sample must hold: the items with the lowest MD5 of seed and identifier."""
    refs = [f"m{item:05d}" for item in items]
    return sorted(sorted(refs, key=lambda ref: hashlib.md5(f"{seed}:{ref}".encode()).hexdigest())[:size])


def items_of(parts, training_sheet_id):
    return [pair.item_ref for pair in parts.pairs.find(training_sheet_id, limit=1000)]


def test_a_random_sample_is_what_the_preflight_counts_and_the_seed_draws(parts):
    sheet_id = parts.make_sheet(100)
    label(parts, sheet_id, range(50))
    wanted = request(parts, sheet_id, sampling=Sampling(20, seed=7))
    found = parts.training_sheets.preflight(wanted)
    expected = drawn(range(100), 20, 7)
    assert (found.selected, found.left_out) == (20, 0)
    assert found.hits == sum(ref < "m00050" for ref in expected)
    made = parts.training_sheets.generate(wanted, by=ANN)
    parts.work()
    done = parts.training_sheets.get(made.id)
    assert items_of(parts, made.id) == expected
    assert (done.counts.total, done.selected_items, done.left_out_items) == (20, 20, 0)
    assert done.counts.auto_approved == found.hits
    assert done.options.sampling == Sampling(20, seed=7)
    again = generate(parts, sheet_id, sampling=Sampling(20, seed=7))
    other = generate(parts, sheet_id, sampling=Sampling(20, seed=8))
    assert items_of(parts, again.id) == expected
    assert items_of(parts, other.id) == drawn(range(100), 20, 8) != expected


def test_filter_row_limit_and_sample_go_together(parts):
    sheet_id = parts.make_sheet(90)  # every third is spam
    changes = {"sampling": Sampling(20, seed=7), "filter": "mail_id < 'm00040'", "row_limit": 15}
    found = parts.training_sheets.preflight(request(parts, sheet_id, **changes))
    assert (found.selected, found.left_out) == (15, 5)
    made = generate(parts, sheet_id, **changes)
    assert items_of(parts, made.id) == drawn(range(40), 20, 7)[:15]
    assert (made.counts.total, made.left_out_items) == (15, 5)


def test_classes_keep_their_proportions(parts):
    sheet_id = parts.make_sheet(90)
    made = generate(
        parts, sheet_id, source=AnswerSource.EXISTING_COLUMN, sampling=Sampling(30, seed=3, stratify_column="verdict")
    )
    assert Counter(pair.answer for pair in parts.pairs.find(made.id, limit=100)) == {"spam": 10, "ham": 20}
    assert made.options.sampling.title == "30 stratified by verdict, seed 3"


def test_the_sample_takes_the_place_of_the_sheets_own(parts):
    source = parts.put_mails(range(60))
    draft = SheetDraft("Mails", source, "mail_id", metadata_columns=("subject", "verdict"), sample_size=5)
    sheet = parts.sheets.create(draft, by=ANN)
    parts.sheets.move(sheet.id, "publish", by=ANN)
    assert generate(parts, sheet.id).counts.total == 5
    made = generate(parts, sheet.id, sampling=Sampling(20, seed=9))
    assert items_of(parts, made.id) == drawn(range(60), 20, 9)


def test_named_items_are_narrowed_by_the_sample_too(parts):
    sheet_id = parts.make_sheet(60)
    expected = drawn(range(60), 20, 9)
    named = (*expected[:3], *sorted({f"m{item:05d}" for item in range(60)} - set(expected))[:3])
    wanted = request(parts, sheet_id, sampling=Sampling(20, seed=9), item_refs=named)
    assert parts.training_sheets.preflight(wanted).selected == 3
    made = parts.training_sheets.generate(wanted, by=ANN)
    parts.work()
    assert items_of(parts, made.id) == expected[:3]


@pytest.mark.parametrize(
    ("sampling", "problem"),
    [
        (Sampling(0), "The sample size must be between 1 and 100,000"),
        (Sampling(MOST_SAMPLED + 1), "for more items, sample the sheet itself"),
        (Sampling(5, seed=-1), "The seed of the sample must be between 0 and"),
        (Sampling(5, stratify_column="eggs"), "eggs"),
    ],
)
def test_a_sample_that_cannot_be_is_refused_before_anything_is_written(parts, sampling, problem):
    wanted = request(parts, parts.make_sheet(10), sampling=sampling)
    found = parts.training_sheets.preflight(wanted)
    assert not found.can_generate
    assert problem in found.problems[0]
    with pytest.raises(Invalid):
        parts.training_sheets.generate(wanted, by=ANN)
    assert parts.training_sheets.find() == []


# --- stopped and killed ----------------------------------------------------------------------------------------------


def test_a_stopped_generation_goes_on_with_its_sample_although_the_source_grew(parts):
    parts.model.seconds = 0.005
    sheet_id = parts.make_sheet(400)
    made = parts.training_sheets.generate(request(parts, sheet_id, source=AI, sampling=Sampling(200, seed=5)), by=ANN)
    working = threading.Thread(target=parts.work)
    working.start()
    wait_for(lambda: parts.pairs.count(made.id) > 0)
    parts.training_sheets.pause(made.id, by=ANN)
    working.join()
    assert 0 < parts.pairs.count(made.id) < 200
    parts.put_mails(range(1000))
    parts.training_sheets.resume(made.id, by=ANN)
    parts.work()
    done = parts.training_sheets.get(made.id)
    assert items_of(parts, made.id) == drawn(range(400), 200, 5)
    assert (done.status, done.selected_items, done.left_out_items) == (TrainingSheetStatus.REVIEW, 200, 0)


def test_another_sample_of_the_sheet_does_not_keep_it_from_going_on(parts):
    sheet_id = parts.make_sheet(40)
    made = parts.training_sheets.generate(request(parts, sheet_id, sampling=Sampling(10, seed=5)), by=ANN)
    parts.training_sheets.cancel(made.id, by=ANN)
    parts.sheets.move(sheet_id, "archive", by=ANN)
    restored = parts.sheets.move(sheet_id, "restore", by=ANN)
    draft = SheetDraft("Mails", SOURCE, "mail_id", metadata_columns=("subject", "verdict"), sample_size=7)
    parts.sheets.update(sheet_id, draft, by=ANN, row_version=restored.row_version, confirmed=True)
    parts.sheets.move(sheet_id, "publish", by=ANN)
    parts.training_sheets.resume(made.id, by=ANN)
    parts.work()
    assert items_of(parts, made.id) == drawn(range(40), 10, 5)


def test_a_killed_process_leaves_a_sample_that_is_completed_exactly(tmp_path):
    parts = Parts(tmp_path)
    made = parts.training_sheets.generate(
        request(parts, parts.make_sheet(400), source=AI, sampling=Sampling(150, seed=11)), by=ANN
    )
    process = start(tmp_path, 0.02)
    try:
        wait_for(lambda: parts.pairs.count(made.id) > 0, 60)
    finally:
        process.kill()
        process.join()
    assert parts.pairs.count(made.id) < 150, "the kill must hit the work"
    parts.put_mails(range(1000))
    parts.runs.recover()
    parts.work()
    assert items_of(parts, made.id) == drawn(range(400), 150, 11)
    parts.store.close()


# --- a source that grows ---------------------------------------------------------------------------------------------


def test_a_sample_was_drawn_once_and_later_items_are_not_added(parts):
    """TS-16: a random 20 stays these 20; a person who wants others draws a new sample."""
    made = generate(parts, parts.make_sheet(50), sampling=Sampling(20, seed=7))
    parts.put_mails(range(200))
    assert parts.training_sheets.new_items(made.id) == 0
    with pytest.raises(Conflict, match="its sample was drawn once, and later items are not part of it"):
        parts.training_sheets.append_new(made.id, by=ANN)
    assert items_of(parts, made.id) == drawn(range(50), 20, 7)


def test_drawn_items_that_were_set_aside_can_be_added_once_they_are_back(parts):
    sheet_id = parts.make_sheet(50)
    expected = drawn(range(50), 20, 7)
    entry = {"sheet_id": sheet_id, "state": "set_aside", "reason": "unreadable", "decided_by": ANN}
    now = parts.runs._clock()
    parts.store.append("quarantined_items", [{**entry, "item_ref": ref, "decided_at": now} for ref in expected[:3]])
    wanted = request(parts, sheet_id, sampling=Sampling(20, seed=7))
    found = parts.training_sheets.preflight(wanted)
    assert (found.selected, found.quarantined) == (17, 3)
    made = parts.training_sheets.generate(wanted, by=ANN)
    parts.work()
    assert items_of(parts, made.id) == expected[3:]
    parts.store.execute("DELETE FROM quarantined_items", touches="quarantined_items")
    parts.put_mails(range(200))
    assert parts.training_sheets.new_items(made.id) == 3
    parts.training_sheets.append_new(made.id, by=ANN)
    parts.work()
    assert sorted(items_of(parts, made.id)) == expected
