"""Stopping a generation: pause, cancel, a stopped process, a killed one; resuming makes nothing twice (TS-2)."""

from __future__ import annotations

import csv
import random
import threading
import time
from pathlib import Path

import pytest

from tests.core.generation_parts import ANN, BEN, SOURCE, Parts, subject, truth
from tests.core.generation_process import start
from tests.core.generation_steps import AI, label, request, wait_for
from workbench_core.canonical_labels import LabelFilter
from workbench_core.chat_models.keeping import MOST_WAITING
from workbench_core.errors import (
    InvalidTransition,
)
from workbench_core.ports import TableEntry
from workbench_core.prompt_templates import AnswerSource
from workbench_core.runs import RunContext, RunStatus, RunStopped
from workbench_core.training_sheets import TrainingSheetStatus
from workbench_core.training_sheets.asking import MODEL_BATCH

REPOSITORY = Path(__file__).resolve().parents[2]


@pytest.fixture
def parts(tmp_path, clock):
    made = Parts(tmp_path, clock=clock)
    yield made
    made.store.close()


def test_cancelling_keeps_what_is_there_and_resuming_completes_it(parts):
    parts.model.seconds = 0.005
    sheet_id = parts.make_sheet(200)
    label(parts, sheet_id, range(0, 200, 10))
    made = parts.training_sheets.generate(request(parts, sheet_id, source=AnswerSource.AI_GENERATED), by=ANN)
    working = threading.Thread(target=parts.work)
    working.start()
    wait_for(lambda: parts.pairs.count(made.id) > 0)
    cancelled = parts.training_sheets.cancel(made.id, by=BEN)
    working.join()
    kept = parts.pairs.count(made.id)
    assert 0 < kept < 200
    assert (cancelled.status, cancelled.error) == ("failed", f"Cancelled by {BEN}; {kept} of 200 pairs are kept")
    assert parts.training_sheets.run_of(made.id).status is RunStatus.CANCELLED
    with pytest.raises(InvalidTransition):
        parts.training_sheets.cancel(made.id, by=ANN)

    parts.training_sheets.resume(made.id, by=ANN)
    parts.work()
    done = parts.training_sheets.get(made.id)
    assert (done.status, done.counts.total, done.counts.auto_approved) == ("review", 200, 20)
    assert {entry.reuse_count for entry in parts.labels.find(LabelFilter(sheet_id), limit=100)} == {1}


def test_cancelling_before_a_worker_takes_it_needs_no_worker(parts):
    made = parts.training_sheets.generate(request(parts, parts.make_sheet(5)), by=ANN)
    cancelled = parts.training_sheets.cancel(made.id, by=ANN)
    assert cancelled.error == f"Cancelled by {ANN}; 0 of 5 pairs are kept"
    parts.work()
    assert parts.training_sheets.get(made.id).counts.total == 0
    parts.training_sheets.resume(made.id, by=ANN)
    parts.work()
    assert parts.training_sheets.get(made.id).counts.total == 5


def test_a_stopped_process_resumes_by_itself_and_progress_goes_on(parts):
    parts.model.seconds = 0.005
    made = parts.training_sheets.generate(
        request(parts, parts.make_sheet(200), source=AnswerSource.AI_GENERATED), by=ANN
    )
    worker = parts.worker()
    worker.start()
    wait_for(lambda: parts.pairs.count(made.id) > 0)
    worker.stop()
    run = parts.training_sheets.run_of(made.id)
    assert run.status is RunStatus.INTERRUPTED
    assert run.done == parts.pairs.count(made.id) < 200
    assert parts.training_sheets.get(made.id).status is TrainingSheetStatus.GENERATING
    parts.runs.recover()
    parts.work()
    assert parts.training_sheets.get(made.id).status is TrainingSheetStatus.REVIEW
    ended = parts.training_sheets.run_of(made.id)
    assert (ended.id, ended.done, ended.total, ended.done_before) == (run.id, 200, 200, run.done)
    assert set(parts.model.asked) == {f"m{item:05d}" for item in range(200)}
    assert len(parts.model.asked) < 200 + MODEL_BATCH  # at most the batch under way was asked again


# --- pause -----------------------------------------------------------------------------------------------------------


def test_a_paused_generation_waits_with_what_it_has_and_goes_on_when_resumed(parts):
    parts.model.seconds = 0.005
    sheet_id = parts.make_sheet(200)
    label(parts, sheet_id, range(0, 200, 10))
    made = parts.training_sheets.generate(request(parts, sheet_id, source=AI), by=ANN)
    working = threading.Thread(target=parts.work)
    working.start()
    wait_for(lambda: parts.pairs.count(made.id) > 0)
    paused = parts.training_sheets.pause(made.id, by=BEN)
    working.join()
    assert (paused.status, paused.is_paused) == (TrainingSheetStatus.GENERATING, True)
    assert (paused.pause_reason, paused.paused_by) == (f"Paused by {BEN}", BEN)
    assert paused.actions == ("cancel", "resume")
    run = parts.training_sheets.run_of(made.id)
    assert (run.status, run.message.startswith("Paused by") or "items" in run.message) == (RunStatus.CANCELLED, True)
    kept = parts.pairs.count(made.id)
    assert 0 < kept < 200
    parts.runs.recover()
    parts.work()  # nothing goes on by itself
    assert parts.pairs.count(made.id) == kept
    with pytest.raises(InvalidTransition, match="is paused"):
        parts.training_sheets.pause(made.id, by=ANN)

    resumed = parts.training_sheets.resume(made.id, by=ANN)
    assert (resumed.is_paused, resumed.pause_reason, resumed.paused_by) == (False, "", "")
    parts.work()
    done = parts.training_sheets.get(made.id)
    assert (done.status, done.counts.total, done.counts.auto_approved) == ("review", 200, 20)
    assert len(parts.model.asked) == len(set(parts.model.asked)) == 180  # answers beyond the border were kept
    assert done.spent.calls == 180
    events = [event.action for event in parts.history.of("training_sheet", made.id)]
    assert events == ["finish", "resume", "pause", "generate"]


def test_a_paused_generation_can_be_cancelled(parts):
    made = parts.training_sheets.generate(request(parts, parts.make_sheet(5)), by=ANN)
    parts.training_sheets.pause(made.id, by=ANN)
    cancelled = parts.training_sheets.cancel(made.id, by=BEN)
    assert (cancelled.status, cancelled.is_paused) == (TrainingSheetStatus.FAILED, False)
    assert cancelled.error == f"Cancelled by {BEN}; 0 of 5 pairs are kept"
    parts.work()
    assert parts.pairs.count(made.id) == 0


# --- other workers, killed processes ---------------------------------------------------------------------------------


def test_a_worker_that_comes_back_late_writes_nothing_more(parts):
    """Its run was given to another worker while it was away; INV-8: nothing is counted twice."""
    made = parts.training_sheets.generate(request(parts, parts.make_sheet(20)), by=ANN)
    late = RunContext(parts.runs.take("late:worker"), parts.runs, threading.Event())
    parts.store.execute("UPDATE runs SET status = 'queued', worker = '' WHERE id = :id", touches="runs", id=late.run.id)
    parts.runs.take("other:worker")
    with pytest.raises(RunStopped):
        parts.training_sheets.handle(late)
    parts.runs.finish(late.run.id, RunStatus.INTERRUPTED, worker="late:worker")
    assert parts.pairs.count(made.id) == 0
    assert parts.training_sheets.get(made.id).status is TrainingSheetStatus.GENERATING
    assert parts.training_sheets.run_of(made.id).status is RunStatus.RUNNING


KILLS = 20
ITEMS = 600


def planted(folder, clock=None):
    """A set with canonical hits, answers of a column, an item that cannot be asked, failures, and model answers."""
    parts = Parts(folder) if clock is None else Parts(folder, clock=clock)
    sheet_id = parts.make_sheet(ITEMS)
    known = {item: truth(item) if item % 3 else "" for item in range(ITEMS)}
    file = folder / "known.csv"
    with file.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream)
        writer.writerow(["mail_id", "subject", "verdict"])
        writer.writerows([f"m{n:05d}", subject(n), known[n] if n % 4 == 1 else ""] for n in range(ITEMS))
    parts.lake.drop(SOURCE)
    parts.lake.put_table(SOURCE, file, original_name="known.csv", entry=TableEntry(SOURCE, "table"))
    label(parts, sheet_id, range(0, ITEMS, 4))
    prompt = "{{ subject }}{% if 'no. 7' in subject %}{{ subject / 2 }}{% endif %}"
    template_id = parts.make_template(user_prompt=prompt)
    made = parts.training_sheets.generate(
        request(parts, sheet_id, source=AnswerSource.HYBRID, template_id=template_id), by=ANN
    )
    return parts, sheet_id, made.id


def outcome(parts, sheet_id, training_sheet_id):
    """All that must not depend on how often a process was killed."""
    pairs = parts.pairs.find(training_sheet_id, limit=1000)
    labels = parts.labels.find(LabelFilter(sheet_id), limit=1000)
    sheet = parts.training_sheets.get(training_sheet_id)
    return {
        "pairs": [  # the fifth is the source of the answer
            (
                p.sequence_number,
                p.item_ref,
                p.messages,
                p.answer,
                p.response_source,
                p.review_status,
                p.generation_error,
            )
            for p in pairs
        ],
        "reuse": {entry.item_ref: entry.reuse_count for entry in labels},
        "sheet": (sheet.status, sheet.counts, sheet.selected_items, sheet.left_out_items),
    }


def test_twenty_kills_at_random_moments_make_nothing_twice_and_lose_nothing(tmp_path):
    """TS-2: the same pairs as an undisturbed run, reuse counted once, each question paid for once but for a handful."""
    (tmp_path / "calm").mkdir()
    (tmp_path / "killed").mkdir()
    calm = planted(tmp_path / "calm")
    finish_in_another_process(tmp_path / "calm")
    wanted, paid_calmly = outcome(*calm), paid(tmp_path / "calm")
    assert wanted["sheet"][0] == "review"
    assert {entry[4] for entry in wanted["pairs"]} == {"canonical", "imported", "ai_generated", "empty"}
    assert len(paid_calmly) == len(set(paid_calmly)) > ITEMS / 3

    killed = planted(tmp_path / "killed")
    chance, seen = random.Random(20260105), [0]
    for _ in range(KILLS):
        process = start(tmp_path / "killed", 0.02)
        time.sleep(chance.uniform(0.0, 0.6))
        process.kill()
        process.join()
        seen.append(killed[0].pairs.count(killed[2]))
    assert seen == sorted(seen)
    assert 0 < seen[-1] < ITEMS, "the kills must hit the work, not the time before or after it"
    finish_in_another_process(tmp_path / "killed")

    assert outcome(*killed) == wanted
    paid_for = paid(tmp_path / "killed")
    assert set(paid_for) == set(paid_calmly)
    again = len(paid_for) - len(paid_calmly)
    assert again <= KILLS * MOST_WAITING, "each kill costs at most the answers that wait to be kept"
    assert killed[0].training_sheets.run_of(killed[2]).status is RunStatus.SUCCEEDED
    for parts in (calm[0], killed[0]):
        parts.store.close()


def finish_in_another_process(folder):
    process = start(folder, 0.0)
    process.join(60)
    assert process.exitcode == 0


def paid(folder):
    return (folder / "paid.txt").read_text(encoding="utf-8").splitlines()
