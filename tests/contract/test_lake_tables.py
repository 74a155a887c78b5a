"""The lake contract: files become tables or are refused and leave nothing behind; tables are removed."""

from __future__ import annotations

import threading
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.contract.lake_tables import BOARDS, PICTURES, everything, on_disk, refs
from workbench_core.adapters.local.lake import LocalLake, line_ends
from workbench_core.errors import AlreadyExists, Invalid, NotFound
from workbench_core.ports import Selection

# --- tables from files ---


def test_a_csv_file_becomes_a_table_with_types_that_fit_all_values(lake, upload):
    header = "id,code,whole,part,flag,day,at,zoned,empty,late,huge,phone,mixed"
    row = (
        "{n},00{n},{n},{n}.5,true,2026-01-0{n},2026-01-0{n} 10:00:00,2026-01-0{n}T10:00:00Z,,{n},"
        "1234567890123456789{n},+49{n},2026-01-0{n}"
    )
    rows = [row.format(n=n) for n in range(1, 6)] * 1000
    last = rows[0].replace(",1,1234", ",n/a,1234").removesuffix("2026-01-01") + "01/02/2026"
    upload("\n".join([header, *rows, last]))
    assert {column.name: column.kind for column in lake.columns(BOARDS)} == {
        "id": "number", "code": "string", "whole": "number", "part": "number", "flag": "boolean", "day": "time",
        "at": "time", "zoned": "time", "empty": "string", "late": "string", "huge": "string", "phone": "string",
        "mixed": "string",
    }  # fmt: skip
    page = lake.page(Selection(BOARDS, "code"), limit=6000).drop_duplicates()
    assert set(page["code"]) == {"001", "002", "003", "004", "005"}
    assert "n/a" in set(page["late"]) and "01/02/2026" in set(page["mixed"])
    assert "12345678901234567891" in set(page["huge"])
    assert page["zoned"].iloc[0] == pd.Timestamp("2026-01-01 10:00", tz="UTC")


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
@pytest.mark.parametrize("start", ["", "\ufeff"])
@pytest.mark.parametrize("line_end", ["\n", "\r\n"])
def test_delimiters_byte_order_marks_and_line_ends_are_understood(lake, upload, delimiter, start, line_end):
    rows = [["id", "text"], ["1", f'"a{delimiter} ""b"" é 😀{line_end}second line"'], ["2", ""]]
    upload(start + line_end.join(delimiter.join(row) for row in rows))
    frame = lake.page(Selection(BOARDS, "id"))
    assert list(frame.columns) == ["item_ref", "id", "text"]
    assert frame["text"][0] == f'a{delimiter} "b" é 😀{line_end}second line'
    assert pd.isna(frame["text"][1])


MALFORMED = {
    "too many values": ("id,text\n1,a\n2,b,c\n3,d\n", ["Line 3", "3 values", "2 columns"]),
    "too few values": ("id,text\n1,a\n\n2\n3,d\n", ["Line 4", "1 value", "2 columns"]),
    "far down, behind a value of two lines": (
        'id,text\n1,"a\nb"\n' + "1,a\n" * 50_000 + "1,a,b\n" + "1,a\n" * 50_000, ["Line 50004", "3 values"],
    ),
    "open quote": ('id,text\n1,a\n2,"b\n3,c\n', ["Line 3", "quote"]),
    "text behind a quote": ('id,text\n1,"a"x\n', ["Line 2", "quote"]),
    "one damaged character in UTF-8": ("id,text\n1,Zoë\n2,ä".encode() + b"\xff\n", ["Line 3", "UTF-8"]),
    "a picture": (b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR", ["not a text file"]),
    "only columns without a name": (",,\n1,a,b\n", ["first line of the file is empty"]),
    "no header": ("1,2\n3,4\n", ["first line"]),
    "nothing": ("", ["empty"]),
    "blank lines": ("\n\n\n", ["empty"]),
    "no rows": ("id,text\n", ["no rows"]),
}  # fmt: skip


@pytest.mark.parametrize("content, words", MALFORMED.values(), ids=MALFORMED)
def test_a_malformed_csv_file_is_explained_and_leaves_nothing_behind(lake, upload, tmp_path, content, words):
    before = on_disk(tmp_path)
    with pytest.raises(Invalid) as caught:
        upload(content)
    assert all(word in caught.value.message for word in words), caught.value.message
    assert "\n" not in caught.value.message and caught.value.hint
    assert on_disk(tmp_path) == before
    assert lake.tables() == []


MIXED = [
    "id,text\r\n1,a\n2,b\r\n3,c\n",
    "id,text\n1,a\n2,b\r\n3,c\r\n",
    "id,text\n1,a\r2,b\r\n3,c\n",
    "id,text\r1,a\n2,b\r3,c",
]


@pytest.mark.parametrize("content", MIXED)
def test_lines_that_end_in_different_ways_are_read(lake, upload, content):
    upload(content)
    assert [list(row) for row in lake.page(Selection(BOARDS, "id"))[["id", "text"]].to_numpy()] == [
        [1, "a"], [2, "b"], [3, "c"],
    ]  # fmt: skip


def test_line_ends_inside_of_values_stay_as_they_were_typed(lake, upload, monkeypatch):
    monkeypatch.setattr(line_ends, "CHUNK", 5)  # the borders of pieces fall everywhere
    upload('id,text\r\n1,"a\r\nb ""c""\n\rd"\n2,"e\nf"\r\n3,g\n')
    assert list(lake.page(Selection(BOARDS, "id"))["text"]) == ['a\r\nb "c"\n\rd', "e\nf", "g"]


def test_what_is_wrong_with_lines_of_different_ends_is_told_by_line(upload):
    with pytest.raises(Invalid, match="Line 3 has 3 values"):
        upload("id,text\r\n1,a\n2,b,c\r\n")


def test_a_malformed_file_beside_a_good_table_changes_nothing(with_boards, upload, tmp_path):
    before = on_disk(tmp_path)
    with pytest.raises(Invalid):
        upload("a,b\n1\n", "demo.acme.other")
    assert on_disk(tmp_path) == before


def test_a_single_column_and_a_trailing_comma_are_fine(lake, upload):
    upload("text\nhello world\nsecond\n")
    assert refs(lake, Selection(BOARDS, "text")) == ["hello world", "second"]
    upload("id,text\n1,a,\n2,b,\n", "demo.acme.trailing")
    assert refs(lake, Selection("demo.acme.trailing", "text")) == ["a", "b"]


def parquet_bytes(**columns):
    sink = pa.BufferOutputStream()
    pq.write_table(pa.table(columns), sink)
    return sink.getvalue().to_pybytes()


@pytest.mark.parametrize(
    "content, words",
    [
        (b"id,text\n1,a\n", ["not a Parquet file"]),
        (b"PAR1" + b"x" * 100 + b"PAR1", ["not a Parquet file"]),
        (parquet_bytes(a=[1, 2])[:-20], ["not a Parquet file"]),
        (parquet_bytes(a=["some text"] * 500)[:4] + b"\xff" * 60 + parquet_bytes(a=["some text"] * 500)[64:], ["file"]),
        (parquet_bytes(a=pa.array([], pa.int64())), ["no rows"]),
    ],
)
def test_a_bad_parquet_file_is_refused_and_leaves_nothing_behind(lake, upload, tmp_path, content, words):
    before = on_disk(tmp_path)
    with pytest.raises(Invalid) as caught:
        upload(content, original_name="boards.parquet")
    assert all(word in caught.value.message for word in words), caught.value.message
    assert on_disk(tmp_path) == before


def test_files_that_are_too_large_or_no_tables_are_refused(upload, tmp_path):
    with pytest.raises(Invalid, match="at most"):
        upload("id,text\n1,a\n", max_bytes=5)
    with pytest.raises(Invalid, match="not a file that becomes a table"):
        upload(b"PK\x03\x04", original_name="boards.docx")


def test_a_taken_name_is_refused_and_the_table_stays(with_boards, upload):
    with pytest.raises(AlreadyExists):
        upload("a,b\n1,2\n")
    assert with_boards.count(everything()) == 200
    with pytest.raises(AlreadyExists):
        with_boards.put_files(BOARDS, {"a": b"1"})
    with_boards.put_files(PICTURES, {"a": b"1"})
    with pytest.raises(AlreadyExists):
        upload("a,b\n1,2\n", PICTURES)


def test_two_uploads_of_one_name_at_once_keep_exactly_one(lake, upload):
    outcomes = []

    def put(rows):
        try:
            upload("id,text\n" + "\n".join(f"{n},x" for n in range(rows)))
            outcomes.append(rows)
        except AlreadyExists:
            outcomes.append(None)

    threads = [threading.Thread(target=put, args=(rows,)) for rows in (10, 20, 30)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    winners = [rows for rows in outcomes if rows]
    assert len(winners) == 1 and lake.count(Selection(BOARDS, "id")) == winners[0]


def test_a_removed_table_is_gone_and_its_name_free_again(with_boards, upload, tmp_path):
    with_boards.page(everything())
    with_boards.drop(BOARDS)
    assert on_disk(tmp_path) == ["lake"], "no sidecar and no empty folder stays"
    with pytest.raises(NotFound):
        with_boards.count(everything())
    upload("board_id,size\nx,3\n")
    assert with_boards.page(everything()).to_dict("records") == [{"item_ref": "x", "board_id": "x", "size": 3}]


# --- only on the local lake: what lies in the folder ---


def test_a_csv_file_laid_into_the_folder_is_read_in_place(tmp_path):
    lake = LocalLake(tmp_path / "home")
    folder = tmp_path / "home/lake/main/exports"
    folder.mkdir(parents=True)
    (folder / "pairs.csv").write_text("id,code,n\n1,007,3\n2,008,4\n")
    (folder / "notes.txt").write_text("not a table")
    (folder / "bad name.csv").write_text("a\n1\n")

    assert [entry.name for entry in lake.tables()] == ["main.exports.pairs"]
    frame = lake.page(Selection("main.exports.pairs", "id", where="n > 3"))
    assert frame.to_dict("records") == [{"item_ref": "2", "id": 2, "code": "008", "n": 4}]

    (folder / "pairs.csv").write_text("id,code,n,more\n1,007,3,x\n2,008,4,y\n")
    assert [column.name for column in lake.columns("main.exports.pairs")] == ["id", "code", "n", "more"]
    (folder / "pairs.csv").write_text("id,code\n1\n")
    with pytest.raises(Invalid, match="Line 2"):
        lake.columns("main.exports.pairs")
    lake.drop("main.exports.pairs")
    assert not (folder / "pairs.csv").exists()


def test_a_replaced_parquet_file_is_seen_at_once(with_boards, tmp_path):
    assert with_boards.count(everything()) == 200
    table = pa.table({"board_id": ["x"], "other": [1]})
    pq.write_table(table, tmp_path / "home/lake/demo/acme/boards.parquet")
    assert with_boards.page(everything()).to_dict("records") == [{"item_ref": "x", "board_id": "x", "other": 1}]


def test_a_home_with_wildcards_and_quotes_in_its_path_works(tmp_path):
    home = tmp_path / "o'neil [1] *" / "home"
    lake = LocalLake(home)
    file = tmp_path / "up'[a]*.csv"
    file.write_text("id,text\n1,a\n")
    lake.put_table(BOARDS, file, original_name="up.csv")
    assert refs(lake, Selection(BOARDS, "id")) == ["1"]


def test_the_engine_reads_nothing_outside_the_lake_even_when_asked_directly(with_boards, tmp_path):
    import duckdb

    (tmp_path / "outside.csv").write_text("a\n1\n")
    cursor = with_boards._connection.cursor()
    for statement in (
        "SELECT * FROM read_text('/etc/passwd')",
        f"SELECT * FROM read_csv('{tmp_path / 'outside.csv'}')",
        f"SELECT * FROM read_csv('{tmp_path}/home/lake/../../outside.csv')",
        f"COPY (SELECT 1) TO '{tmp_path / 'written.csv'}'",
        "SET enable_external_access = true",
        "INSTALL httpfs",
        f"ATTACH '{tmp_path / 'x.db'}'",
    ):
        with pytest.raises(duckdb.Error):
            cursor.execute(statement)
    assert not Path(tmp_path / "written.csv").exists()
