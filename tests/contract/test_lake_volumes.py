"""The lake contract: files of volumes are listed, added and read, and no path leads outside."""

from __future__ import annotations

import time

import pandas as pd
import pytest

from tests.contract.lake_tables import BOARDS, PICTURES, on_disk
from workbench_core.errors import Invalid, NotFound
from workbench_core.ports import Selection, TableEntry

# --- volumes ---


def test_a_volume_is_a_source_of_files(lake):
    lake.put_files(PICTURES, {"ok/a.png": b"12345", "bad/b c.png": b"1", "é😀.txt": b""})
    selection = Selection(PICTURES, "path", where=lake.check_filter(PICTURES, "size_bytes > 0"))
    page = lake.page(selection)
    assert list(page.columns) == ["item_ref", "path", "name", "size_bytes", "modified_at"]
    assert list(page["item_ref"]) == ["bad/b c.png", "ok/a.png"]
    assert list(page["size_bytes"]) == [1, 5] and list(page["name"]) == ["b c.png", "a.png"]
    assert abs(page["modified_at"][0] - pd.Timestamp.now(tz="UTC")) < pd.Timedelta(minutes=5)
    assert [column.name for column in lake.columns(PICTURES)] == ["path", "name", "size_bytes", "modified_at"]
    assert lake.count(Selection(PICTURES, "path", sample_size=2)) == 2
    assert [entry.path for entry in lake.files(PICTURES)] == ["bad/b c.png", "ok/a.png", "é😀.txt"]
    assert lake.read_file(PICTURES, "ok/a.png") == b"12345"


def test_files_are_added_and_replaced(lake):
    lake.put_files(PICTURES, {"a/1.png": b"1", "a/2.png": b"2"}, entry=TableEntry("", "", "Boards", ("PII",)))
    lake.put_files(PICTURES, {"a/2.png": b"new", "b/3.png": b"3"})
    assert {entry.path: entry.size_bytes for entry in lake.files(PICTURES)} == {
        "a/1.png": 1,
        "a/2.png": 3,
        "b/3.png": 1,
    }
    assert lake.entry(PICTURES).tags == ("PII",), "adding files keeps what is known"
    lake.drop(PICTURES)
    assert lake.tables() == []


OUTSIDE = [
    "../x", "a/../../x", "/etc/passwd", "a//b", "a/./b", "..", ".", "", "a/", "a\\b", "..\\x", "C:/x", "c:x", "a\x00b",
    "a\nb", "x" * 256, "/".join(["abc"] * 400), "\ud800",
]  # fmt: skip


@pytest.mark.parametrize("path", OUTSIDE, ids=range(len(OUTSIDE)))
def test_a_path_that_leaves_the_volume_is_refused_and_nothing_is_written(lake, tmp_path, path):
    lake.put_files(PICTURES, {"good.png": b"1"})
    before = on_disk(tmp_path)
    for volume in (PICTURES, "demo.acme.fresh"):
        with pytest.raises(Invalid):
            lake.put_files(volume, {"also-good.png": b"1", path: b"x"})
    with pytest.raises(Invalid):
        lake.read_file(PICTURES, path)
    assert on_disk(tmp_path) == before


def test_links_lead_nowhere(lake, tmp_path):
    lake.put_files(PICTURES, {"good.png": b"1"})
    volume = tmp_path / "home/lake/demo/acme/pictures"
    (tmp_path / "secret").mkdir()
    (tmp_path / "secret/key").write_text("secret")
    (volume / "folder").symlink_to(tmp_path / "secret")
    (volume / "file").symlink_to(tmp_path / "secret/key")
    assert [entry.path for entry in lake.files(PICTURES)] == ["good.png"]
    for path in ("folder/key", "file"):
        with pytest.raises(Invalid, match="link"):
            lake.read_file(PICTURES, path)
        with pytest.raises(Invalid, match="link"):
            lake.put_files(PICTURES, {path: b"x"})
    assert (tmp_path / "secret/key").read_text() == "secret"


def test_a_file_cannot_be_a_folder_too(lake):
    lake.put_files(PICTURES, {"a/b.png": b"1"})
    for files in ({"x": b"1", "x/y": b"2"}, {"a": b"1"}, {"a/b.png/c": b"1"}):
        with pytest.raises(Invalid, match=r"folder|file"):
            lake.put_files(PICTURES, files)
    assert [entry.path for entry in lake.files(PICTURES)] == ["a/b.png"]


def test_reading_a_file_has_a_limit(lake, with_boards):
    lake.put_files(PICTURES, {"big": b"x" * 100})
    assert len(lake.read_file(PICTURES, "big", limit_bytes=100)) == 100
    with pytest.raises(Invalid, match="at most"):
        lake.read_file(PICTURES, "big", limit_bytes=99)
    with pytest.raises(NotFound):
        lake.read_file(PICTURES, "missing")
    with pytest.raises(NotFound, match="not a folder"):
        lake.files(BOARDS)


def test_ten_thousand_files_list_quickly(lake):
    lake.put_files(PICTURES, {f"{n % 100}/{n}.png": b"x" for n in range(10_000)})
    started = time.perf_counter()
    assert lake.count(Selection(PICTURES, "path")) == 10_000
    assert len(lake.page(Selection(PICTURES, "path"))) == 50
    assert time.perf_counter() - started < 1.5
