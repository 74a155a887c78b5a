"""New rows for a table that is there: added, put in place of old ones, or in place of all; whole or not at all."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.contract.lake_tables import on_disk
from workbench_core.adapters.local.lake import LocalLake
from workbench_core.errors import ChangedByOthers, Conflict, Invalid, NotFound, Unavailable
from workbench_core.ports import ChangeMode, ColumnFate, IntakePlan, Selection, TableChange, TableEntry

ORDERS = "main.uploads.orders"
JANUARY = "id,code,price,day\n1,007,1.5,2026-01-01\n2,008,2.5,2026-01-02\n3,009,3,2026-01-03\n"
ADD, UPDATE, REPLACE = ChangeMode.ADD, ChangeMode.UPDATE, ChangeMode.REPLACE


@pytest.fixture
def file(tmp_path):
    """A file with this content, as an upload leaves it: without its name."""

    def make(content):
        path = tmp_path / f"upload-{time.monotonic_ns()}"
        if isinstance(content, pa.Table):
            pq.write_table(content, path)
        else:
            path.write_text(content)
        return path

    return make


@pytest.fixture
def lake(lake, file):
    lake.put_table(ORDERS, file(JANUARY), original_name="january.csv", entry=TableEntry(ORDERS, "table", tags=("PII",)))
    return lake


@pytest.fixture
def change(lake, file):
    """Prepare a change and put it in place when it can be; what was compared, and whether it could."""

    def change_(content, mode, *, name="february.csv", plan=None, source="", tags=(), **how):
        with lake.changed_table(
            ORDERS, file(content), original_name=name, change=TableChange(mode, **how), plan=plan
        ) as changed:
            if changed.lake is not None:
                changed.put(source=source, tags=tags)
            return changed.comparison

    return change_


def rows(lake, *columns):
    """The rows of the table in their order, gaps as None."""
    frame = lake.page(Selection(ORDERS, ""), limit=1000)
    wanted = columns or [column.name for column in lake.columns(ORDERS)]
    frame = frame[list(wanted)].astype(object)
    return [tuple(row) for row in frame.where(frame.notna(), None).itertuples(index=False)]


def types(lake):
    return {column.name: column.data_type for column in lake.columns(ORDERS)}


def fates(comparison):
    return {column.name: str(column.fate) for column in comparison.columns}


# --- rows ---


def test_rows_are_added_below_those_that_are_there(lake, change):
    found = change("id,code,price,day\n4,010,4,2026-02-01\n5,011,5,2026-02-02\n", ADD, identifier="id")
    assert (found.rows_before, found.rows_in_file, found.rows_after, found.repeated) == (3, 2, 5, 0)
    assert rows(lake, "id", "code") == [(1, "007"), (2, "008"), (3, "009"), (4, "010"), (5, "011")]
    assert types(lake) == {"id": "BIGINT", "code": "VARCHAR", "price": "DOUBLE", "day": "DATE"}, (
        "whole prices of a month and codes that look like numbers keep the types of the table"
    )


def test_nothing_is_changed_by_looking(lake, file, tmp_path):
    before = on_disk(tmp_path)
    with lake.changed_table(ORDERS, file(JANUARY), original_name="a.csv", change=TableChange(REPLACE)) as changed:
        assert changed.lake.count(Selection(ORDERS, "id")) == 3
        assert lake.count(Selection(ORDERS, "id")) == 3
    assert [name for name in on_disk(tmp_path) if "scratch" not in name] == before
    assert not list((tmp_path / "home/lake/.scratch").iterdir())


def test_the_lake_as_it_would_be_is_seen_before_it_is(lake, file):
    content = "id,code,price,day\n1,1,1,2026-02-01\n"
    with lake.changed_table(ORDERS, file(content), original_name="a.csv", change=TableChange(ADD)) as changed:
        assert changed.lake.check_identifier(ORDERS, "id").duplicates == 1
        assert lake.check_identifier(ORDERS, "id").duplicates == 0
        assert changed.lake.count(Selection(ORDERS, "id", item_refs=("1",))) == 2
        assert len(changed.lake.page(Selection(ORDERS, "id"))) == 4 and len(lake.page(Selection(ORDERS, "id"))) == 3


def test_identifiers_that_are_there_already_are_counted_and_the_first_named(lake, change):
    content = "id,code,price,day\n" + "".join(f"{n},x,1,2026-02-01\n" for n in (9, 3, 2, 8, 1, 1, 7))
    found = change(content, ADD, identifier="id")
    assert (found.repeated, found.examples, found.repeated_in_file) == (3, ("3", "2", "1"), 1)


def test_new_rows_take_the_place_of_those_of_the_same_identifier(lake, change):
    found = change("id,code,price,day\n4,010,4,2026-02-01\n2,088,9,2026-02-02\n", UPDATE, identifier="id")
    assert (found.rows_after, found.repeated, found.examples) == (4, 1, ("2",))
    assert rows(lake, "id", "code", "price") == [(1, "007", 1.5), (2, "088", 9), (3, "009", 3), (4, "010", 4)]


def test_an_update_keeps_what_the_file_says_nothing_about(lake, change):
    change("id,price,note\n2,9,late\n4,4,new\n", UPDATE, identifier="id")
    assert rows(lake, "id", "code", "price", "note") == [
        (1, "007", 1.5, None), (2, "008", 9, "late"), (3, "009", 3, None), (4, None, 4, "new"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("content", "field"),
    [
        ("id,code,price,day\n2,a,1,2026-02-01\n2,b,2,2026-02-01\n", "repeated_in_file"),
        ("id,code,price,day\n,a,1,2026-02-01\n2,b,2,2026-02-01\n", "without_identifier"),
    ],
)
def test_an_update_that_is_not_clear_changes_nothing(lake, change, content, field):
    found = change(content, UPDATE, identifier="id")
    assert getattr(found, field) == 1 and found.rows_after is None
    assert len(rows(lake)) == 3


def test_an_update_of_a_table_whose_identifier_repeats_itself_changes_nothing(lake, change):
    change("id,code,price,day\n1,x,1,2026-02-01\n", ADD)
    found = change("id,code,price,day\n1,y,1,2026-02-01\n", UPDATE, identifier="id")
    assert found.repeated_in_table == 1 and found.rows_after is None and len(rows(lake)) == 4


def test_all_rows_are_replaced_and_text_stays_text(lake, change):
    found = change("id,code,price,colour\n7,010,9,red\n", REPLACE)
    assert fates(found) == {"id": "same", "code": "same", "price": "same", "day": "missing", "colour": "new"}
    assert (found.rows_before, found.rows_after) == (3, 1)
    assert rows(lake) == [(7, "010", 9.0, "red")]
    assert types(lake) == {"id": "BIGINT", "code": "VARCHAR", "price": "DOUBLE", "colour": "VARCHAR"}


def test_a_type_changes_only_with_all_rows_and_only_where_it_must(lake, change):
    found = change("id,code,price,day\nA1,010,cheap,2026-02-01\n", REPLACE)
    assert fates(found) == {"id": "other type", "code": "same", "price": "other type", "day": "same"}
    assert types(lake)["id"] == "VARCHAR" and rows(lake, "id", "price") == [("A1", "cheap")]


def test_a_column_that_a_person_keeps_as_text_becomes_text_with_all_rows(lake, change):
    change("id,code,price,day\n7,1,1,2026-02-01\n", REPLACE, plan=IntakePlan(text_columns=("id",)))
    assert types(lake)["id"] == "VARCHAR"


# --- columns ---


def test_new_columns_are_taken_or_left_and_missing_ones_are_empty(lake, change):
    found = change("id,note\n4,hello\n", ADD)
    assert fates(found) == {"id": "same", "code": "missing", "price": "missing", "day": "missing", "note": "new"}
    assert rows(lake, "id", "code", "note")[2:] == [(3, "009", None), (4, None, "hello")]
    found = change("id,more\n5,x\n", ADD, takes_new_columns=False)
    assert "more" not in types(lake) and found.of(ColumnFate.NEW)[0].after == ""


UNFIT = {
    "text in a number": ("id,price\n4,cheap\n", "price", "1 value is no number, for example “cheap”"),
    "part of a whole number": ("id,price\n4.5,1\n5,1\n", "id", "1 value is no whole number, for example “4.5”"),
    "zeros in front of a number": ("id,price\n007,1\n", "id", "no whole number, for example “007”"),
    "a time in a date": ("id,day\n4,2026-02-01 10:00\n", "day", "1 value is no date, for example “2026-02-01 10"),
    "the same name in another case": ("Price,id\n4,5\n", "Price", "the table calls it “price”"),
}


@pytest.mark.parametrize(("content", "column", "problem"), UNFIT.values(), ids=UNFIT)
@pytest.mark.parametrize("mode", [ADD, UPDATE])
def test_what_does_not_fit_is_named_and_changes_nothing(lake, change, content, column, problem, mode):
    found = change(content, mode, identifier="id")
    (unfit,) = found.of(ColumnFate.UNFIT)
    assert unfit.name == column and problem in unfit.problem
    assert found.rows_after is None and len(rows(lake)) == 3


def test_values_of_parquet_files_fit_when_they_keep_what_they_say(lake, change):
    table = pa.table({"id": pa.array([4, 5], pa.int32()), "price": pa.array([1, 2], pa.int8()), "code": [7.5, None]})
    change(table, ADD, name="a.parquet")
    assert rows(lake, "id", "price", "code")[3:] == [(4, 1.0, "7.5"), (5, 2.0, None)]
    found = change(pa.table({"id": [{"a": 1}]}), ADD, name="a.parquet")
    assert found.of(ColumnFate.UNFIT)[0].problem == "its values are nested, not number"


def test_hostile_names_of_columns_are_names(lake, file):
    odd = ["place", "c0", 'x"; DROP', "item_ref", "row_number() OVER ()"]
    table = pa.table({"id": [1, 2], **{name: ["a", "b"] for name in odd}})
    lake.put_table("main.uploads.odd", file(table), original_name="a.parquet")
    more = pa.table({"id": [2, 3], **{name: ["c", "d"] for name in odd}})
    for mode in (UPDATE, REPLACE, ADD):
        how = TableChange(mode, identifier="id")
        with lake.changed_table("main.uploads.odd", file(more), original_name="a.parquet", change=how) as changed:
            changed.put()
    assert lake.count(Selection("main.uploads.odd", "")) == 4
    assert [column.name for column in lake.columns("main.uploads.odd")] == ["id", *odd]


# --- what is refused ---


@pytest.mark.parametrize("mode", [ADD, UPDATE, REPLACE])
@pytest.mark.parametrize("content", ["", "id,code\n", "id,code\n1,2,3\n"])
def test_a_malformed_file_changes_nothing_and_leaves_nothing(lake, change, tmp_path, content, mode):
    before = [name for name in on_disk(tmp_path) if "scratch" not in name]
    with pytest.raises(Invalid):
        change(content, mode, identifier="id")
    assert [name for name in on_disk(tmp_path) if "scratch/" not in name and not name.endswith(".scratch")] == before


def test_what_cannot_be_changed_says_why(lake, file, tmp_path):
    folder = tmp_path / "home/lake/main/uploads"
    (folder / "in_place.csv").write_text(JANUARY)
    lake.put_table("demo.a.b", file(JANUARY), original_name="a.csv", entry=TableEntry("", "table", is_demo=True))
    lake.put_files("main.uploads.pictures", {"a.png": b"1"})
    for name, error, reason in (
        ("main.uploads.in_place", Conflict, "in_place.csv"), ("demo.a.b", Conflict, "demo data"),
        ("main.uploads.pictures", Conflict, "folder"), ("main.uploads.nothing", NotFound, "no table"),
    ):  # fmt: skip
        with (
            pytest.raises(error, match=reason) as refused,
            lake.changed_table(name, file(JANUARY), original_name="a.csv", change=TableChange(ADD)),
        ):
            pass
        assert refused.value.hint
    assert (folder / "in_place.csv").read_text() == JANUARY


def test_an_identifier_that_the_table_does_not_have_is_refused(change):
    for name in ("nothing", "note"):
        with pytest.raises(Invalid, match=f"no column “{name}”"):
            change("id,note\n4,x\n", ADD, identifier=name)


# --- two at once, and others who read ---


def test_the_second_of_two_people_is_told(lake, file):
    content = "id,code,price,day\n{},x,1,2026-02-01\n"
    how = {"original_name": "a.csv", "change": TableChange(ADD)}
    with (
        lake.changed_table(ORDERS, file(content.format(4)), **how) as first,
        lake.changed_table(ORDERS, file(content.format(5)), **how) as second,
    ):
        first.put()
        with pytest.raises(ChangedByOthers):
            second.put()
    assert [row[0] for row in rows(lake)] == [1, 2, 3, 4]
    with lake.changed_table(ORDERS, file(content.format(6)), **how) as late:
        lake.drop(ORDERS)
        with pytest.raises(NotFound):
            late.put()
    assert lake.tables() == []


def test_of_many_at_once_each_wins_or_is_told(lake, file):
    outcomes = []

    def add(number):
        try:
            content = f"id,code,price,day\n{number},x,1,2026-02-01\n"
            with lake.changed_table(ORDERS, file(content), original_name="a.csv", change=TableChange(ADD)) as changed:
                changed.put()
            outcomes.append(number)
        except (ChangedByOthers, Unavailable):
            pass

    threads = [threading.Thread(target=add, args=(10 + number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert outcomes
    assert sorted(row[0] for row in rows(lake)) == [1, 2, 3, *sorted(outcomes)]


def test_whoever_reads_the_old_rows_goes_on_and_everybody_else_sees_the_new_ones_at_once(lake, change, file):
    many = pa.table({"id": list(range(300_000)), "v": ["old"] * 300_000})
    change(many, REPLACE, name="a.parquet")
    reading = lake.batches(Selection(ORDERS, "id"), size=1000)
    first = next(reading)
    assert lake.page(Selection(ORDERS, "id"), offset=299_990)["v"].tolist() == ["old"] * 10
    change(pa.table({"id": list(range(300_000)), "v": ["new"] * 300_000}), REPLACE, name="a.parquet")
    assert set(lake.page(Selection(ORDERS, "id"), offset=299_990)["v"]) == {"new"}
    assert lake.distinct(ORDERS, "v") == [("new", 300_000)]
    values = set(first["v"]).union(*(set(batch["v"]) for batch in reading))
    assert values == {"old"}


def test_changes_of_the_same_size_right_after_each_other_are_all_seen(lake, change):
    for number in range(20):
        change(pa.table({"id": [1, 2], "v": [number, number]}), REPLACE, name="a.parquet")
        assert rows(lake, "v") == [(number,), (number,)]
        assert lake.distinct(ORDERS, "v") == [(str(number), 2)]


def test_tags_are_added_notes_stay_and_the_source_is_told(lake, change):
    lake.describe(ORDERS, comment="All orders", column_comments={"code": "Of the shop"})
    change("id,code,price,day\n4,010,4,2026-02-01\n", ADD, source="Both months", tags=("CONFIDENTIAL",))
    entry = lake.entry(ORDERS)
    assert (entry.comment, entry.tags, entry.source) == ("All orders", ("PII", "CONFIDENTIAL"), "Both months")
    assert lake.columns(ORDERS)[1].comment == "Of the shop"


# --- killed half way ---

KILLED = """
import os, signal, sys
from pathlib import Path
from workbench_core.adapters.local.lake import LocalLake, folders, table_changes
from workbench_core.ports import ChangeMode, TableChange

home, file, where = Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3]
lake = LocalLake(home)

def kill(*_args, **_kwargs):
    os.kill(os.getpid(), signal.SIGKILL)

def killed_after(module, name):
    whole = getattr(module, name)
    setattr(module, name, lambda *args, **kwargs: (whole(*args, **kwargs), kill()))

if where == "rows":
    killed_after(table_changes, "_write_rows")
elif where == "before":
    table_changes.swap = kill
elif where == "notes":
    killed_after(folders, "write_sidecar")
elif where == "after":
    killed_after(table_changes, "swap")
print("ready", flush=True)
change = TableChange(ChangeMode.ADD)
with lake.changed_table("main.uploads.orders", file, original_name="a.csv", change=change) as changed:
    changed.put(source="new", tags=("PHI",))
"""


@pytest.mark.parametrize(("where", "count"), [("rows", 3), ("before", 3), ("notes", 3), ("after", 4)])
def test_a_process_that_is_killed_leaves_the_old_table_or_the_new_one(lake, file, tmp_path, where, count):
    content = file("id,code,price,day\n4,010,4,2026-02-01\n")
    done = subprocess.run(
        [sys.executable, "-c", KILLED, str(tmp_path / "home"), str(content), where],
        cwd=Path(__file__).resolve().parents[2], check=False, capture_output=True,
    )  # fmt: skip
    assert done.returncode == -signal.SIGKILL, done.stderr
    again = LocalLake(tmp_path / "home")
    assert len(rows(again)) == count and set(again.entry(ORDERS).tags) >= {"PII"}
    assert not list((tmp_path / "home/lake/.scratch").iterdir()), "what it left half written is swept away"


def test_a_process_that_is_killed_at_any_moment_leaves_a_whole_table(lake, change, file, tmp_path):
    change(pa.table({"id": list(range(50_000)), "v": ["old"] * 50_000}), REPLACE, name="a.parquet")
    more = file("id,v\n" + "".join(f"{number},new\n" for number in range(50_000, 100_000)))
    for _ in range(6):
        process = subprocess.Popen(
            [sys.executable, "-c", KILLED, str(tmp_path / "home"), str(more), "nowhere"],
            cwd=Path(__file__).resolve().parents[2], stdout=subprocess.PIPE,
        )  # fmt: skip
        process.stdout.readline()
        time.sleep(random.uniform(0, 0.4))
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        process.stdout.close()
        count = LocalLake(tmp_path / "home").check_identifier(ORDERS, "id").rows
        assert count % 50_000 == 0 and count >= 50_000
