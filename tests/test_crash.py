"""Kill -9 while the workbench generates and trains, start it again: resumed, nothing lost, nothing twice."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from workbench_core.demo.recipes import MAIL, MAIL_TEMPLATE, QUESTIONS
from workbench_core.pairs import Decision
from workbench_core.prompt_templates import AnswerSource
from workbench_core.settings import read_settings
from workbench_core.training_jobs import JobRequest
from workbench_core.training_sheets import GenerationRequest
from workbench_core.workbench import open_workbench

ROOT = Path(__file__).resolve().parents[1]
ANN = "ann@example.com"
pytestmark = pytest.mark.slow


@pytest.fixture
def home(tmp_path):
    return {"WORKBENCH_HOME": str(tmp_path / "home"), "WORKBENCH_USER": ANN}


@pytest.fixture
def workbench(home):
    opened = open_workbench(read_settings(home))
    opened.demo.load(by=ANN)
    yield opened
    opened.close()


@pytest.fixture
def start_worker(home):
    """Start the process that does long work; whatever is left of it is killed at the end."""
    started: list[subprocess.Popen[bytes]] = []

    def start() -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", "workbench_core", "work"]
        process = subprocess.Popen(command, cwd=ROOT, env={**os.environ, **home}, start_new_session=True)
        started.append(process)
        return process

    yield start
    for process in started:
        process.terminate()
    for process in started:
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()


def until(condition, *, seconds: float = 120.0, what: str = "the condition"):
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if result := condition():
            return result
        time.sleep(0.05)
    raise AssertionError(f"{what} did not come within {seconds:.0f} s")


def request_for(workbench, sheet_name: str, template_name: str, **changes) -> GenerationRequest:
    sheet = next(found for found in workbench.sheets.find(search=sheet_name))
    template = next(found for found in workbench.prompt_templates.find(search=template_name))
    mapping = workbench.training_sheets.propose_mapping(template.id, sheet.id)
    return GenerationRequest(sheet.id, template.id, mapping, **changes)


def test_a_generation_with_the_tiny_local_model_survives_kill_9(workbench, start_worker):
    if not workbench.chat_model.availability().is_ready:
        pytest.skip(workbench.chat_model.availability().reason)
    request = request_for(
        workbench, QUESTIONS, "Python question", answer_source=AnswerSource.AI_GENERATED, row_limit=40
    )
    sheet = workbench.training_sheets.generate(request, by=ANN)
    process = start_worker()
    until(lambda: workbench.pairs.count(sheet.id), what="a batch of pairs")
    process.send_signal(signal.SIGKILL)  # between two batches, or within the second
    process.wait()
    process = start_worker()
    time.sleep(3)
    process.send_signal(signal.SIGKILL)  # while it starts, or asks the model
    process.wait()
    assert workbench.training_sheets.get(sheet.id).status == "generating"
    start_worker()
    done = until(lambda: (s := workbench.training_sheets.get(sheet.id)).status == "review" and s, what="the end")
    pairs = workbench.pairs.find(sheet.id, limit=1000)
    assert len(pairs) == len({pair.item_ref for pair in pairs}) == done.selected_items == 40
    assert all(pair.answer or pair.generation_error for pair in pairs)


def test_a_training_survives_kill_9_and_registers_one_version(workbench, start_worker):
    request = request_for(
        workbench, MAIL, MAIL_TEMPLATE, answer_source=AnswerSource.EXISTING_COLUMN, answer_column="label", row_limit=120
    )
    sheet = workbench.training_sheets.generate(request, by=ANN)
    assert workbench.worker().run_one()
    queue = workbench.pairs.queue(sheet.id, limit=200)
    workbench.pairs.decide([Decision(pair.id, "approve", pair.row_version) for pair in queue], by=ANN)
    job = workbench.training_jobs.submit(JobRequest(sheet.id, "survivor", "classifier"), by=ANN)
    process = start_worker()
    until(lambda: len(workbench.training_jobs.events(job.id)) > 2, what="the training")
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert workbench.training_jobs.get(job.id).status == "running"
    assert workbench.model_versions.of_job(job.id) is None
    start_worker()
    until(lambda: workbench.training_jobs.get(job.id).status == "succeeded", what="the resumed training")
    assert "Started again after an interruption" in [event.message for event in workbench.training_jobs.events(job.id)]
    assert [version.version for version in workbench.model_versions.find(model_name="survivor")] == [1]
    assert [version.version for version in workbench.tracker.versions("survivor")] == [1]
    until(lambda: workbench.evaluations.latest("survivor", 1), what="the evaluation that follows")


def test_a_confirmed_decision_survives_kill_9(workbench, home):
    request = request_for(
        workbench, MAIL, MAIL_TEMPLATE, answer_source=AnswerSource.EXISTING_COLUMN, answer_column="label", row_limit=60
    )
    sheet = workbench.training_sheets.generate(request, by=ANN)
    assert workbench.worker().run_one()
    script = (
        "from workbench_core.workbench import open_workbench\nfrom workbench_core.pairs import Decision\n"
        "w = open_workbench()\n"
        f"for pair in w.pairs.queue({sheet.id!r}, limit=100):\n"
        f"    done = w.pairs.decide([Decision(pair.id, 'approve', pair.row_version)], by={ANN!r}).done\n"
        "    print(done[0], flush=True)\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", script], cwd=ROOT, env={**os.environ, **home}, stdout=subprocess.PIPE, text=True
    )
    confirmed = [process.stdout.readline().strip() for _ in range(20)]
    process.kill()
    process.wait()
    kept = {pair.id: pair for pair in workbench.pairs.find(sheet.id, limit=100) if pair.review_status == "approved"}
    assert set(confirmed) <= set(kept)
    assert all(pair.canonical_label_id for pair in kept.values())
