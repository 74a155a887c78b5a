"""The local lake in bad moments: damaged notes, disks that fail, processes that are killed, two people at once."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import textwrap
import threading
from pathlib import Path

import pytest

from tests.contract.lake_tables import BOARDS, PICTURES, boards, everything, on_disk
from workbench_core.adapters.local.lake import LocalLake, volume_files
from workbench_core.errors import AlreadyExists, BackendError, WorkbenchError
from workbench_core.ports import TableEntry

PRIVATE = TableEntry("", "volume", "Photos", ("PII",))


def notes(tmp_path, name="boards") -> Path:
    return tmp_path / f"home/lake/demo/acme/{name}.meta.json"


def leftovers(tmp_path):
    return [path for path in on_disk(tmp_path) if ".scratch/" in path]


# --- notes beside the data ---


def test_notes_with_a_word_of_a_newer_version_keep_their_tags(lake, upload, tmp_path):
    upload(boards(), entry=TableEntry(BOARDS, "table", tags=("PII",)))
    known = json.loads(notes(tmp_path).read_text("utf-8"))
    notes(tmp_path).write_text(json.dumps({**known, "steward": "ann"}), "utf-8")
    assert lake.entry(BOARDS).tags == ("PII",)
    assert lake.describe(BOARDS, comment="Boards").tags == ("PII",)


def test_data_with_unreadable_notes_is_bound_says_so_and_its_notes_are_never_written_over(with_boards, tmp_path):
    notes(tmp_path).write_text('{"tags": ["PHI"', "utf-8")
    entry = with_boards.entry(BOARDS)
    assert set(entry.tags) == {"PII", "CONFIDENTIAL"}
    assert "Repair or remove the file boards.meta.json" in entry.comment
    assert with_boards.count(everything()) == 200
    with pytest.raises(BackendError, match="cannot be read"):
        with_boards.describe(BOARDS, comment="Boards")
    assert notes(tmp_path).read_text("utf-8") == '{"tags": ["PHI"'


def test_tags_of_files_that_come_later_bind_too(lake):
    lake.put_files(PICTURES, {"a.png": b"1"}, entry=TableEntry("", "volume", "Photos", ("CONFIDENTIAL",)))
    assert lake.put_files(PICTURES, {"b.png": b"2"}, entry=PRIVATE).tags == ("CONFIDENTIAL", "PII")
    assert lake.put_files(PICTURES, {"c.png": b"3"}, entry=TableEntry("", "volume")).tags == ("CONFIDENTIAL", "PII")


# --- a disk that fails ---


def test_files_never_stand_in_the_catalog_without_their_tags(lake, tmp_path, monkeypatch):
    monkeypatch.setattr(Path, "write_text", fails)
    with pytest.raises(BackendError):
        lake.put_files(PICTURES, {"a.png": b"1"}, entry=PRIVATE)
    assert lake.tables() == [] and not leftovers(tmp_path)


def test_files_replaced_before_an_error_are_back_afterwards(lake, tmp_path, monkeypatch):
    lake.put_files(PICTURES, {"1.png": b"old", "9.png": b"stays"})
    real = Path.replace

    def replace(source: Path, target: Path) -> Path:
        return fails() if target.name == "3.png" else real(source, target)

    monkeypatch.setattr(Path, "replace", replace)
    with pytest.raises(BackendError):
        lake.put_files(PICTURES, {"1.png": b"new", "2.png": b"new", "3.png": b"new"})
    found = {file.path: lake.read_file(PICTURES, file.path) for file in lake.files(PICTURES)}
    assert found == {"1.png": b"old", "9.png": b"stays"}
    assert not leftovers(tmp_path)


def fails(*_: object, **__: object) -> Path:
    raise OSError(5, "Input/output error")


# --- two at once ---


def test_a_file_that_came_meanwhile_is_never_replaced(lake, monkeypatch):
    barrier, stage = threading.Barrier(2), volume_files.stage

    def together(*arguments: object) -> None:
        stage(*arguments)
        barrier.wait(10)

    monkeypatch.setattr(volume_files, "stage", together)
    refused: list[WorkbenchError] = []

    def put(content: bytes, entry: TableEntry) -> None:
        try:
            lake.put_files(PICTURES, {"a.png": content}, entry=entry, replaces=False)
        except AlreadyExists as error:
            refused.append(error)

    threads = [threading.Thread(target=put, args=(bytes([n]), entry)) for n, entry in enumerate((PRIVATE, PRIVATE))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(refused) == 1 and "“a.png” is in" in refused[0].message
    assert lake.entry(PICTURES).tags == ("PII",)


def test_an_upload_that_fails_takes_nothing_from_one_that_runs(lake, upload, monkeypatch):
    from workbench_core.adapters.local.lake import table_files

    write = table_files.write_parquet

    def slow(*arguments: object, **more: object) -> None:
        if not refused:
            with pytest.raises(WorkbenchError):
                refused.append(True)
                upload("a,b\n1\n2,3,4\n", "demo.acme.bad")
        write(*arguments, **more)

    refused: list[bool] = []
    monkeypatch.setattr(table_files, "write_parquet", slow)
    upload(boards())
    assert [entry.name for entry in lake.tables()] == [BOARDS]


# --- killed ---


def test_what_a_killed_process_left_is_removed_at_the_next_start(tmp_path):
    script = textwrap.dedent("""
        import sys, time
        from pathlib import Path
        from workbench_core.adapters.local.lake import LocalLake, volume_files
        stage = volume_files.stage
        def slow(*arguments):
            stage(*arguments)
            print("staged", flush=True)
            time.sleep(60)
        volume_files.stage = slow
        LocalLake(Path(sys.argv[1])).put_files("demo.acme.pictures", {"a.png": b"1" * 1000})
    """)
    with subprocess.Popen([sys.executable, "-c", script, str(tmp_path / "home")], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None and process.stdout.readline() == b"staged\n"
        running = LocalLake(tmp_path / "home")  # somebody else starts: what is being written stays
        assert leftovers(tmp_path)
        os.kill(process.pid, signal.SIGKILL)
    assert running.tables() == []
    assert LocalLake(tmp_path / "home").tables() == []
    assert not leftovers(tmp_path)


def test_a_removed_table_is_gone_even_when_its_removal_was_cut_short(with_boards, tmp_path, monkeypatch):
    monkeypatch.setattr(shutil, "rmtree", fails)
    with_boards.put_files(PICTURES, {"a.png": b"1"})
    with pytest.raises(BackendError):
        with_boards.drop(PICTURES)
    assert [entry.name for entry in with_boards.tables()] == [BOARDS]


def test_tables_that_come_together_are_all_gone_after_an_error(lake, upload, tmp_path):
    upload(boards(), "demo.acme.before")
    with pytest.raises(RuntimeError), lake.all_or_nothing():
        upload(boards())
        lake.put_files(PICTURES, {"a.png": b"1"})
        with pytest.raises(AlreadyExists):
            upload(boards(), "demo.acme.before")
        raise RuntimeError
    assert [entry.name for entry in lake.tables()] == ["demo.acme.before"], "only what is new goes"
    with lake.all_or_nothing():
        upload(boards())
    assert BOARDS in {entry.name for entry in lake.tables()}
    assert not leftovers(tmp_path)


def test_an_archive_that_was_cut_short_by_a_kill_is_gone_at_the_next_start(tmp_path):
    script = textwrap.dedent("""
        import sys, time
        from pathlib import Path
        from workbench_core.adapters.local.lake import LocalLake
        home = Path(sys.argv[1])
        lake = LocalLake(home)
        file = home / "t.csv"
        file.write_text("id,text\\n1,a\\n")
        lake.put_table("demo.acme.before", file, original_name="t.csv")
        with lake.all_or_nothing():
            lake.put_table("demo.acme.one", file, original_name="t.csv")
            lake.put_files("demo.acme.two", {"a.png": b"1"})
            print("half", flush=True)
            time.sleep(60)
    """)
    (tmp_path / "home").mkdir()
    with subprocess.Popen([sys.executable, "-c", script, str(tmp_path / "home")], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None and process.stdout.readline() == b"half\n"
        os.kill(process.pid, signal.SIGKILL)
    assert [entry.name for entry in LocalLake(tmp_path / "home").tables()] == ["demo.acme.before"]
    assert not leftovers(tmp_path)


def test_what_a_dead_process_of_the_same_number_left_is_removed_too(tmp_path):
    LocalLake(tmp_path / "home")
    scratch = tmp_path / "home/lake/.scratch"
    scratch.mkdir(exist_ok=True)
    old, new = scratch / f"{os.getpid()}-old.part", scratch / f"{os.getpid()}-new.part"
    for path in (old, new):
        path.write_bytes(b"1")
    os.utime(old, (0, 0))
    LocalLake(tmp_path / "home")
    assert not old.exists() and new.exists()
