"""Pairs are made one batch ahead of what is stored: labels are those of the moment of storing, and nothing is lost."""

from __future__ import annotations

import threading
import time

import pytest

from tests.core.generation_parts import ANN, BEN, Parts, truth
from tests.core.generation_steps import generate, label, pairs_of, request
from workbench_core.canonical_labels import LabelFilter
from workbench_core.errors import Unavailable
from workbench_core.prompt_templates import AnswerSource
from workbench_core.runs import RunStatus
from workbench_core.training_sheets import TrainingSheetStatus, generation
from workbench_core.training_sheets.ahead import made_ahead
from workbench_core.training_sheets.batches import Batches
from workbench_core.training_sheets.item_columns import item_columns, render_item_columns
from workbench_core.training_sheets.items import render_items
from workbench_core.usage import Use, preset


@pytest.fixture
def parts(tmp_path, clock, monkeypatch):
    """Batches of 25, 50 and 100 items."""
    monkeypatch.setattr(generation, "FRAME", 25)
    monkeypatch.setattr(generation, "BATCH", 100)
    made = Parts(tmp_path, clock=clock)
    yield made
    made.store.close()
    assert not threads()


def threads():
    return [thread for thread in threading.enumerate() if thread.name == "making ahead"]


def before_batch(monkeypatch, wanted, action):
    """Do something after a batch is made and before it is stored."""
    store_batch, calls = generation.Generation._store_batch, []

    def stored(self, plan, progress, batch):
        calls.append(batch)
        if len(calls) == wanted:
            action()
        store_batch(self, plan, progress, batch)

    monkeypatch.setattr(generation.Generation, "_store_batch", stored)


def test_labels_that_change_after_pairs_were_made_hold_for_them(parts, monkeypatch):
    sheet_id = parts.make_sheet(200)
    label(parts, sheet_id, range(0, 200, 2))
    found = {entry.item_ref: entry for entry in parts.labels.find(LabelFilter(sheet_id), limit=200)}

    def change():
        parts.labels.update(found["m00030"].id, "ham", by=ANN, version=1)
        parts.labels.set_usage([found["m00032"].id], preset("personal_data"), by=ANN)
        parts.labels.delete(found["m00034"].id, by=ANN)
        label(parts, sheet_id, [31])

    before_batch(monkeypatch, 2, change)
    made = generate(parts, sheet_id, source=AnswerSource.EXISTING_COLUMN)
    pairs = pairs_of(parts, made.id)
    assert (pairs["m00030"].answer, pairs["m00030"].response_source) == ("ham", "canonical")
    assert not pairs["m00032"].usage.permits(Use.TRAINING)
    assert (pairs["m00034"].response_source, pairs["m00034"].canonical_label_id) == ("imported", "")
    assert (pairs["m00031"].response_source, pairs["m00031"].answer) == ("canonical", truth(31))
    assert (made.counts.total, made.counts.auto_approved) == (200, 100)
    assert [pair.sequence_number for pair in pairs.values()] == list(range(1, 201))
    labels = parts.labels.find(LabelFilter(sheet_id), limit=200)
    assert {entry.reuse_count for entry in labels} == {1}


def test_the_first_label_of_a_sheet_is_seen_by_pairs_that_were_made_before_it(parts, monkeypatch):
    sheet_id = parts.make_sheet(100)
    before_batch(monkeypatch, 1, lambda: label(parts, sheet_id, [3, 99]))
    made = generate(parts, sheet_id)
    pairs = pairs_of(parts, made.id).values()
    assert [pair.item_ref for pair in pairs if pair.response_source == "canonical"] == ["m00003", "m00099"]


def test_unchanged_labels_are_not_worked_on_twice(parts, monkeypatch):
    sheet_id, make, made = parts.make_sheet(200), Batches.make, []
    label(parts, sheet_id, range(0, 200, 3))
    monkeypatch.setattr(Batches, "make", lambda self, *args: made.append(1) or make(self, *args))
    assert generate(parts, sheet_id).counts.auto_approved == 67
    assert len(made) == 4  # 25, 50, 100 and the last 25


@pytest.mark.parametrize("error", [RuntimeError("broken"), Unavailable("No disk.", hint="Wait.")])
def test_what_breaks_while_pairs_are_made_ends_the_run_and_keeps_what_was_stored(parts, monkeypatch, error):
    make, calls = Batches.make, []

    def broken(self, items, *more):
        calls.append(len(items))
        if len(calls) == 3:
            raise error
        return make(self, items, *more)

    monkeypatch.setattr(Batches, "make", broken)
    made = generate(parts, parts.make_sheet(200))
    assert (made.status, made.counts.total) == (TrainingSheetStatus.FAILED, 75)
    assert str(error) in made.error or "No disk." in made.error
    assert parts.training_sheets.run_of(made.id).status is RunStatus.FAILED
    assert not threads()
    parts.training_sheets.resume(made.id, by=ANN)
    parts.work()
    assert [pair.sequence_number for pair in pairs_of(parts, made.id).values()] == list(range(1, 201))


@pytest.mark.parametrize("step", ["cancel", "pause"])
def test_stopping_in_the_middle_keeps_whole_batches_and_going_on_makes_the_others(parts, monkeypatch, step):
    sheet_id = parts.make_sheet(200)
    label(parts, sheet_id, range(0, 200, 4))
    made = parts.training_sheets.generate(request(parts, sheet_id), by=ANN)

    def stop():
        getattr(parts.training_sheets, step)(made.id, by=BEN)
        time.sleep(0.6)  # a run asks twice a second whether it must end

    before_batch(monkeypatch, 2, stop)
    parts.work()
    assert parts.pairs.count(made.id) in {25, 75}
    assert not threads()
    parts.training_sheets.resume(made.id, by=ANN)
    parts.work()
    done = parts.training_sheets.get(made.id)
    assert (done.status, done.counts.total, done.counts.auto_approved) == (TrainingSheetStatus.REVIEW, 200, 50)
    assert {entry.reuse_count for entry in parts.labels.find(LabelFilter(sheet_id), limit=200)} == {1}


def test_one_element_is_made_ahead_and_no_more_than_one_waits():
    made = []

    def source():
        for number in range(10):
            made.append(number)
            yield number

    with made_ahead(source()) as elements:
        assert [next(elements), next(elements)] == [0, 1]
        assert len(made) <= 5
    assert not threads()
    assert len(made) < 10


def test_the_source_begins_and_is_closed_in_the_thread_that_makes_its_elements():
    seen = []

    def source():
        try:
            while True:
                seen.append(threading.current_thread().name)
                yield 1
        finally:
            seen.append(f"closed by {threading.current_thread().name}")

    with made_ahead(source()) as elements:
        next(elements)
    assert (seen[0], seen[-1]) == ("making ahead", "closed by making ahead")


def test_items_without_an_object_each_are_the_same_as_those_with_one(parts):
    import pandas as pd

    frame = pd.DataFrame(
        {
            "item_ref": ["a", "b", "c", "d"],
            "subject": ['“x” \\ " % %s {{ y }}', "\u202e 😀\n\t", None, "100 %"],
            "amount": [1.0, 2.5, float("nan"), 1e20],
            "verdict": ["spam", None, "ham", ""],
        }
    )
    template = parts.templates.get(parts.make_template(user_prompt="Is {{ s|trim }} {{ a }} spam?"))
    mapping = {"s": "subject", "a": "amount"}
    fast = render_item_columns(frame, template.renderer(), mapping, "verdict")
    assert fast == item_columns(list(render_items(frame, template.renderer(), mapping, "verdict")))


def test_an_item_that_has_no_question_is_rendered_by_itself(parts):
    import pandas as pd

    frame = pd.DataFrame({"item_ref": ["a", "b"], "subject": ["x", " "]})
    template = parts.templates.get(parts.make_template(user_prompt="{{ subject }}"))
    assert render_item_columns(frame, template.renderer(), {"subject": "subject"}, "") is None
