"""How a generation ends when its source is no longer what it was: every pair is kept, and the counts say what is so."""

from __future__ import annotations

import csv

import pytest

from tests.core.generation_parts import ANN, SOURCE, Parts, subject
from tests.core.generation_steps import AI, generate, label, request
from workbench_core.ports import TableEntry
from workbench_core.prompt_templates import AnswerSource
from workbench_core.runs import RunStatus
from workbench_core.training_sheets import TrainingSheetStatus


@pytest.fixture
def parts(tmp_path, clock):
    made = Parts(tmp_path, clock=clock)
    yield made
    made.store.close()


def numbers(parts, training_sheet_id):
    """Status, pairs, items worked on, items above the row limit, items without a label."""
    sheet = parts.training_sheets.get(training_sheet_id)
    return sheet.status, sheet.counts.total, sheet.selected_items, sheet.left_out_items, sheet.unlabelled_items


# --- the source has gone ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("row_limit", "left_out"),
    [(10, 0), (5, 0), (3, 2)],
)
def test_a_source_that_goes_after_the_last_answer_keeps_nobody_from_the_review(parts, row_limit, left_out):
    def rule(question: str) -> str:
        if len(parts.model.asked) == min(row_limit, 5):
            parts.lake.drop(SOURCE)
        return "ham"

    parts.model.rule = rule
    made = generate(parts, parts.make_sheet(5), source=AI, row_limit=row_limit)
    pairs = min(row_limit, 5)
    assert len(parts.model.asked) == pairs
    assert numbers(parts, made.id) == (TrainingSheetStatus.REVIEW, pairs, pairs, left_out, 0)
    assert made.error == ""
    assert parts.training_sheets.run_of(made.id).status is RunStatus.SUCCEEDED


def test_a_process_that_dies_after_its_last_pair_needs_no_source_to_end_the_work(parts):
    made = parts.training_sheets.generate(request(parts, parts.make_sheet(4), row_limit=3), by=ANN)
    parts.work()
    parts.store.execute(  # as it was just before the end
        "UPDATE training_sheets SET status = 'generating', completed_at = NULL WHERE id = :id",
        touches="training_sheets", id=made.id,
    )  # fmt: skip
    parts.lake.drop(SOURCE)
    parts.training_sheets.resume(made.id, by=ANN)
    parts.work()
    assert numbers(parts, made.id) == (TrainingSheetStatus.REVIEW, 3, 3, 1, 0)


def test_without_its_source_a_sheet_of_labels_keeps_what_the_pre_flight_knew(parts, monkeypatch):
    sheet_id = parts.make_sheet(6)
    label(parts, sheet_id, [1, 5])
    made = parts.training_sheets.generate(request(parts, sheet_id, source=AnswerSource.CANONICAL), by=ANN)
    assert (made.selected_items, made.unlabelled_items) == (6, 4)
    batches = parts.lake.batches

    def going(*args, **options):
        yield from list(batches(*args, **options))
        parts.lake.drop(SOURCE)

    monkeypatch.setattr(parts.lake, "batches", going)  # the file is read to its end, and gone when it is counted
    parts.store.execute(
        "UPDATE training_sheets SET selected_items = 7 WHERE id = :id", touches="training_sheets", id=made.id
    )  # one more than there are now: the source is read to its end
    parts.work()
    assert numbers(parts, made.id) == (TrainingSheetStatus.REVIEW, 2, 7, 0, 4)


def test_a_source_that_goes_before_the_last_item_still_fails_the_generation(parts):
    made = parts.training_sheets.generate(request(parts, parts.make_sheet(5)), by=ANN)
    parts.lake.drop(SOURCE)
    parts.work()
    assert parts.training_sheets.get(made.id).status is TrainingSheetStatus.FAILED


# --- the source repeats its items ------------------------------------------------------------------------------------


def put_repeated(parts, items):
    """Replace the source by one with these mails, as often as they are named."""
    file = parts.folder / "repeated.csv"
    with file.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream)
        writer.writerow(["mail_id", "subject", "verdict"])
        writer.writerows([f"m{item:05d}", subject(item), ""] for item in items)
    parts.lake.drop(SOURCE)
    parts.lake.put_table(SOURCE, file, original_name="repeated.csv", entry=TableEntry(SOURCE, "table"))


@pytest.mark.parametrize(
    ("row_limit", "expected"),
    [
        (10, (3, 3, 0, 0)),  # pairs, selected, left out, unlabelled
        (3, (3, 3, 0, 0)),
        (2, (2, 2, 1, 0)),
    ],
)
@pytest.mark.parametrize("source", [AI, AnswerSource.MANUAL])
def test_rows_that_repeat_an_item_are_not_items_above_the_row_limit(parts, source, row_limit, expected):
    made = parts.training_sheets.generate(
        request(parts, parts.make_sheet(6), source=source, row_limit=row_limit), by=ANN
    )
    put_repeated(parts, [0, 1, 1, 1, 2, 2])
    parts.work()
    assert numbers(parts, made.id) == (TrainingSheetStatus.REVIEW, *expected)


def test_rows_that_repeat_an_item_are_new_only_once(parts, monkeypatch):
    monkeypatch.setattr("workbench_core.training_sheets.growth._BATCH", 2)  # they stand on both sides of a border
    made = generate(parts, parts.make_sheet(2), row_limit=3)
    put_repeated(parts, [0, 1, 2, 2, 2, 3, 3])
    parts.training_sheets.append_new(made.id, by=ANN)
    parts.work()
    assert numbers(parts, made.id) == (TrainingSheetStatus.REVIEW, 3, 3, 1, 0)


def test_what_the_row_limit_left_out_of_new_items_is_right_when_old_items_have_gone(parts):
    made = generate(parts, parts.make_sheet(4), row_limit=6)
    parts.put_mails(range(2, 9))  # two have gone, five have come, and there is room for two
    parts.training_sheets.append_new(made.id, by=ANN)
    parts.work()
    assert numbers(parts, made.id) == (TrainingSheetStatus.REVIEW, 6, 6, 3, 0)


def test_repeated_rows_of_a_sheet_of_labels_are_unlabelled_once(parts):
    sheet_id = parts.make_sheet(6)
    label(parts, sheet_id, [1])
    made = parts.training_sheets.generate(request(parts, sheet_id, source=AnswerSource.CANONICAL), by=ANN)
    put_repeated(parts, [0, 1, 1, 1, 2, 2])
    parts.work()
    assert numbers(parts, made.id) == (TrainingSheetStatus.REVIEW, 1, 3, 0, 2)
