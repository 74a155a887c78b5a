"""Training sheets of canonical labels alone: items without a label are neither work, nor new, nor cut by the limit."""

from __future__ import annotations

import threading

import pytest

from tests.core.generation_parts import ANN, Parts
from tests.core.generation_steps import AI, generate, label, request, wait_for
from workbench_core.errors import Conflict
from workbench_core.prompt_templates import AnswerSource

CANONICAL = AnswerSource.CANONICAL


@pytest.fixture
def parts(tmp_path, clock):
    made = Parts(tmp_path, clock=clock)
    yield made
    made.store.close()


def numbers(parts, training_sheet_id):
    """Pairs, items above the row limit, items without a label, items that could be added."""
    sheet = parts.training_sheets.get(training_sheet_id)
    new = parts.training_sheets.new_items(training_sheet_id)
    return sheet.counts.total, sheet.left_out_items, sheet.unlabelled_items, new


def test_items_without_a_label_are_counted_apart_from_those_above_the_row_limit(parts):
    sheet_id = parts.make_sheet(10)
    label(parts, sheet_id, [1, 5, 9])
    made = generate(parts, sheet_id, source=CANONICAL)
    assert numbers(parts, made.id) == (3, 0, 7, 0)
    with pytest.raises(Conflict, match="none of its items without a pair has a canonical label"):
        parts.training_sheets.append_new(made.id, by=ANN)


def test_labels_beyond_the_row_limit_are_left_out_by_it(parts):
    sheet_id = parts.make_sheet(10)
    label(parts, sheet_id, [1, 5, 9])
    made = generate(parts, sheet_id, source=CANONICAL, row_limit=6)
    assert numbers(parts, made.id) == (2, 1, 7, 1)


def test_labels_that_came_since_are_added_wherever_their_items_stand(parts):
    """TS-16: items without a label before them take no place."""
    sheet_id = parts.make_sheet(20)
    label(parts, sheet_id, [2, 3])
    made = generate(parts, sheet_id, source=CANONICAL, row_limit=5)
    assert numbers(parts, made.id) == (2, 0, 18, 0)
    label(parts, sheet_id, [0, 18, 19])
    assert parts.training_sheets.new_items(made.id) == 3
    parts.training_sheets.append_new(made.id, by=ANN)
    parts.work()
    assert [pair.item_ref for pair in parts.pairs.find(made.id)] == [
        "m00002", "m00003", "m00000", "m00018", "m00019",
    ]  # fmt: skip
    assert numbers(parts, made.id) == (5, 0, 15, 0)
    label(parts, sheet_id, [10])
    with pytest.raises(Conflict, match="its row limit is 5"):
        parts.training_sheets.append_new(made.id, by=ANN)


def test_the_row_limit_cuts_labels_that_came_since(parts):
    sheet_id = parts.make_sheet(20)
    label(parts, sheet_id, [2])
    made = generate(parts, sheet_id, source=CANONICAL, row_limit=3)
    label(parts, sheet_id, [5, 6, 7, 8])
    assert parts.training_sheets.new_items(made.id) == 2  # four have a label now, and there is room for two
    parts.training_sheets.append_new(made.id, by=ANN)
    parts.work()
    assert numbers(parts, made.id) == (3, 2, 15, 0)


def test_the_pre_flight_says_that_items_without_a_label_are_left_out_not_to_review(parts):
    sheet_id = parts.make_sheet(10)
    label(parts, sheet_id, [1, 5, 9])
    found = parts.training_sheets.preflight(request(parts, sheet_id, source=CANONICAL))
    assert (found.selected, found.hits, found.unlabelled, found.to_review) == (10, 3, 7, 0)
    other = parts.training_sheets.preflight(request(parts, sheet_id))
    assert (other.unlabelled, other.to_review) == (0, 7)


def test_items_that_the_source_gained_while_a_generation_waited_are_new_and_not_above_its_row_limit(parts):
    parts.model.seconds = 0.005
    sheet_id = parts.make_sheet(400)
    made = parts.training_sheets.generate(request(parts, sheet_id, source=AI), by=ANN)
    working = threading.Thread(target=parts.work)
    working.start()
    wait_for(lambda: parts.pairs.count(made.id) > 0)
    parts.training_sheets.pause(made.id, by=ANN)
    working.join()
    parts.put_mails(range(420))
    parts.training_sheets.resume(made.id, by=ANN)
    parts.work()
    assert numbers(parts, made.id) == (400, 0, 0, 20)
