"""New items of the source (TS-16), and several generations at once."""

from __future__ import annotations

import time

import pytest

from tests.core.generation_parts import ANN, Parts
from tests.core.generation_steps import generate, request
from workbench_core.errors import (
    Conflict,
)
from workbench_core.sheets import SheetDraft


@pytest.fixture
def parts(tmp_path, clock):
    made = Parts(tmp_path, clock=clock)
    yield made
    made.store.close()


def test_new_items_are_added_wherever_they_stand_in_the_order(parts):
    parts.put_mails(range(10, 20))
    sheet = parts.sheets.create(
        SheetDraft("Mails", "demo.acme.mails", "mail_id", metadata_columns=("subject", "verdict")), by=ANN
    )
    parts.sheets.move(sheet.id, "publish", by=ANN)
    made = generate(parts, sheet.id)
    with pytest.raises(Conflict, match="the source has no new items"):
        parts.training_sheets.append_new(made.id, by=ANN)
    before = parts.pairs.find(made.id)
    parts.put_mails(range(5, 25))
    parts.training_sheets.append_new(made.id, by=ANN)
    parts.work()
    grown = parts.training_sheets.get(made.id)
    assert (grown.counts.total, grown.selected_items, grown.left_out_items) == (20, 20, 0)
    after = parts.pairs.find(made.id)
    assert after[:10] == before
    assert {pair.item_ref for pair in after[10:]} == {f"m{n:05d}" for n in [*range(5, 10), *range(20, 25)]}
    assert [pair.sequence_number for pair in after] == list(range(1, 21))


def test_the_row_limit_also_holds_for_new_items(parts):
    sheet_id = parts.make_sheet(5)
    made = generate(parts, sheet_id, row_limit=8)
    parts.put_mails(range(20))
    parts.training_sheets.append_new(made.id, by=ANN)
    parts.work()
    grown = parts.training_sheets.get(made.id)
    assert (grown.counts.total, grown.left_out_items) == (8, 12)
    with pytest.raises(Conflict, match="its row limit is 8"):
        parts.training_sheets.append_new(made.id, by=ANN)


def test_how_many_items_are_new_is_known_before_anything_is_added(parts):
    made = generate(parts, parts.make_sheet(5), row_limit=12)
    assert parts.training_sheets.new_items(made.id) == 0
    parts.put_mails(range(3, 15))
    assert parts.training_sheets.new_items(made.id) == 7  # ten are new, and there is room for seven
    parts.training_sheets.append_new(made.id, by=ANN)
    assert parts.training_sheets.new_items(made.id) == 0  # it is generating
    parts.work()
    assert parts.training_sheets.get(made.id).counts.total == 12


def test_new_items_of_a_large_source_are_counted_within_moments(parts):
    made = generate(parts, parts.make_sheet(20_000), row_limit=100_000)
    parts.put_mails(range(50_000))
    started = time.perf_counter()
    assert parts.training_sheets.new_items(made.id) == 30_000
    assert time.perf_counter() - started < 3


# --- several at once -------------------------------------------------------------------------------------------------


def test_a_batch_starts_what_can_start_and_says_why_the_others_cannot(parts):
    good, empty = parts.make_sheet(4), parts.make_sheet(4)
    template_id = parts.make_template()
    requests = [
        request(parts, good, template_id=template_id),
        request(parts, empty, template_id=template_id, filter="verdict = 'eggs'"),
        request(parts, "sheet-none", template_id=template_id),
        request(parts, empty, template_id=template_id, name="Second"),
    ]
    found = parts.training_sheets.batch_preflight(requests)
    assert [preflight.can_generate for preflight in found] == [True, False, False, True]
    assert found[2].problems == ("This sheet does not exist.",)
    assert parts.training_sheets.find() == []

    outcomes = parts.training_sheets.generate_many(requests, by=ANN)
    assert [outcome.training_sheet is not None for outcome in outcomes] == [True, False, False, True]
    assert [outcome.problems for outcome in outcomes[1:3]] == [found[1].problems, found[2].problems]
    assert [outcome.request for outcome in outcomes] == requests
    parts.work()
    made = [parts.training_sheets.get(outcome.training_sheet.id) for outcome in (outcomes[0], outcomes[3])]
    assert [(sheet.status, sheet.counts.total) for sheet in made] == [("review", 4), ("review", 4)]
    assert made[1].name == "Second"
