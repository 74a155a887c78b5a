"""A process that is killed during an export: nothing half-written can be taken, and the next one begins anew."""

from __future__ import annotations

import os
import signal
import time

import pytest

from tests.core.export_parts import ExportParts, approved_sheet
from tests.core.export_process import start
from tests.core.generation_parts import ANN
from tests.core.generation_steps import wait_for
from workbench_core.exports import ExportFormat, ExportRequest, PartShares
from workbench_core.runs import RunStatus


@pytest.fixture
def parts(tmp_path):
    made = ExportParts(tmp_path)
    yield made
    made.store.close()


def test_after_a_kill_nothing_half_written_is_there_and_the_export_begins_anew(parts):
    sheet = approved_sheet(parts, 200)
    shares = PartShares()
    whole = parts.export(sheet.id, shares=shares)
    made = parts.exports.start(ExportRequest(sheet.id, ExportFormat.OPENAI_CHAT, shares=shares), by=ANN)
    home = parts.folder / "exports"
    process = start(parts.folder)
    wait_for(lambda: (home / f"{made.id}.part").exists() and any((home / f"{made.id}.part").iterdir()))
    time.sleep(0.2)
    os.kill(process.pid, signal.SIGKILL)
    process.join()
    assert not (home / made.id).exists()
    assert not parts.exports.get(made.id).is_done
    (home / f"{made.id}.part" / "of the dead.jsonl").write_text("{")

    parts.runs.recover()
    assert parts.exports.get(made.id).run.status is RunStatus.QUEUED
    parts.work()
    done = parts.exports.get(made.id)
    assert parts.hashes(done) == parts.hashes(whole)
    assert {path.name for path in home.iterdir()} == {made.id, whole.id}
    assert len(list((home / made.id).iterdir())) == 4, "three parts and the manifest, nothing of the dead process"


def test_a_kill_between_the_move_and_the_record_begins_anew_too(parts, monkeypatch):
    """The files are in place, the record is not: the folder of the dead process is replaced as a whole."""
    sheet = approved_sheet(parts, 20)
    made = parts.exports.start(ExportRequest(sheet.id, ExportFormat.CSV), by=ANN)
    place = parts.folder / "exports" / made.id
    place.mkdir(parents=True)
    (place / "half.csv").write_text("x")
    parts.work()
    done = parts.exports.get(made.id)
    assert sorted(path.name for path in place.iterdir()) == sorted([done.files[0].name, done.manifest_name])


def test_what_breaks_while_writing_leaves_nothing_and_says_why(parts, monkeypatch):
    sheet = approved_sheet(parts, 20)
    made = parts.exports.start(ExportRequest(sheet.id, ExportFormat.CSV), by=ANN)

    def full(*_args):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("workbench_core.exports.files._CsvFile.add", full)
    parts.work()
    failed = parts.exports.get(made.id)
    assert failed.run.error == (
        "The files cannot be written: No space left on device. Make room on the disk, then export again."
    )
    assert list((parts.folder / "exports").iterdir()) == []
