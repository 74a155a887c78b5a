"""The number that rises with every change of the lake, and the quick looks at names: columns, paths, one file."""

from __future__ import annotations

import time

import pandas as pd
import pytest

from tests.contract.lake_tables import BOARDS
from workbench_core.adapters.local.lake import LocalLake, changes
from workbench_core.errors import Invalid, NotFound
from workbench_core.ports import Selection, TableEntry

PICTURES = "demo.plant.pictures"


def test_every_write_raises_the_revision_and_no_read_does(lake, upload):
    seen = [lake.revision()]

    def is_higher() -> bool:
        seen.append(lake.revision())
        return seen[-1] > seen[-2]

    upload("id,v\na,1\n", BOARDS)
    assert is_higher()
    lake.describe(BOARDS, comment="All boards")
    assert is_higher()
    lake.put_files(PICTURES, {"a/1.png": b"1"})
    assert is_higher()
    lake.put_files(PICTURES, {"a/2.png": b"2"})
    assert is_higher()
    lake.write_table("main.exports.copy", Selection(BOARDS, "id"))
    assert is_higher()
    lake.columns(BOARDS), lake.count(Selection(BOARDS, "id")), lake.files(PICTURES), lake.tables()
    assert not is_higher()
    lake.drop(BOARDS)
    assert is_higher()


def test_a_write_that_fails_may_raise_the_revision_but_never_lowers_it(lake):
    before = lake.revision()
    with pytest.raises(NotFound):
        lake.drop(BOARDS)
    assert lake.revision() >= before


def test_what_comes_underneath_is_noticed(tmp_path, monkeypatch):
    monkeypatch.setattr(changes, "LOOK_EVERY_SECONDS", 0.0)
    lake = LocalLake(tmp_path)
    lake.put_files(PICTURES, {"1.png": b"1"})
    before = lake.revision()
    assert lake.revision() == before
    (tmp_path / "lake/demo/plant/orders.csv").write_text("id,v\na,1\n")
    added = lake.revision()
    assert added > before
    (tmp_path / "lake/demo/plant/orders.csv").write_text("id,v\na,1\nb,2\n")
    changed = lake.revision()
    assert changed > added
    time.sleep(0.01)
    (tmp_path / "lake/demo/plant/pictures/2.png").write_bytes(b"2")
    assert lake.revision() > changed


def test_two_lakes_never_share_a_revision(tmp_path):
    one, other = LocalLake(tmp_path / "a"), LocalLake(tmp_path / "b")
    assert one.revision() != other.revision()


# --- quick looks ------------------------------------------------------------------------------------------------------


def test_column_names_come_with_their_comments(lake, upload):
    upload("id,v\na,1\n", BOARDS)
    lake.describe(BOARDS, column_comments={"v": "Volts"})
    assert lake.column_names(BOARDS) == {"id": "", "v": "Volts"}
    with pytest.raises(NotFound):
        lake.column_names("demo.plant.nothing")


def test_column_names_of_a_file_that_is_read_in_place_need_its_first_line_only(tmp_path):
    lake = LocalLake(tmp_path)
    file = tmp_path / "lake/demo/plant/orders.csv"
    file.parent.mkdir(parents=True)
    file.write_text("id,v\na,1\nb,2,3,4\n")  # the last row is malformed: whoever reads all rows is told so
    assert lake.column_names("demo.plant.orders") == {"id": "", "v": ""}
    with pytest.raises(Invalid):
        lake.columns("demo.plant.orders")


def test_paths_and_single_files_agree_with_the_list(lake):
    lake.put_files(PICTURES, {"b.png": b"22", "a/ü.png": b"1"})
    assert lake.file_paths(PICTURES) == [file.path for file in lake.files(PICTURES)] == ["a/ü.png", "b.png"]
    assert lake.file(PICTURES, "b.png") == lake.files(PICTURES)[1]
    with pytest.raises(NotFound):
        lake.file(PICTURES, "c.png")
    with pytest.raises(Invalid):
        lake.file(PICTURES, "../pictures/b.png")


def test_a_part_of_a_file_is_read_from_an_offset(lake):
    lake.put_files(PICTURES, {"a.bin": b"0123456789"})
    assert lake.read_start(PICTURES, "a.bin", size_bytes=4, offset=3) == b"3456"
    assert lake.read_start(PICTURES, "a.bin", size_bytes=4, offset=8) == b"89"
    assert lake.read_start(PICTURES, "a.bin", size_bytes=4, offset=20) == b""


def test_columns_say_whether_a_value_is_missing_and_entries_who_brought_them(lake, tmp_path):
    file = tmp_path / "boards.parquet"
    frame = pd.DataFrame({"id": ["a", "b"], "v": [1.5, None], "n": [{"x": 1}, {"x": 2}]})
    frame.to_parquet(file)
    entry = lake.put_table(BOARDS, file, original_name=file.name, entry=TableEntry(BOARDS, "table", owner="ann"))
    assert (entry.owner, lake.entry(BOARDS).owner) == ("ann", "ann")
    assert {column.name: column.is_nullable for column in lake.columns(BOARDS)} == {"id": False, "v": True, "n": None}
