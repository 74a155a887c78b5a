"""Files that come into the lake: shown before they are written, read with care, and refused in plain words."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.contract import intake_parts
from tests.contract.intake_parts import MAILS, SHEET, said, types
from tests.contract.lake_tables import on_disk
from tests.workbooks import xlsx
from workbench_core.adapters.local.lake import LocalLake, json_tables, table_files
from workbench_core.errors import Invalid, NotFound, WorkbenchError
from workbench_core.ports import IntakePlan, TableEntry

file, look = intake_parts.file, intake_parts.look  # fixtures

PICTURES = "main.uploads.pictures"


# --- shown before it is written ---------------------------------------------------------------------------------------


def test_a_person_sees_columns_types_first_rows_and_count_before_anything_is_written(lake, file, tmp_path):
    upload = file("id;born;note\n" + "".join(f"{n};2001-02-03;x\n" for n in range(50)))
    shown = lake.inspect_file(upload, original_name="people.csv")
    assert [(column.name, column.kind) for column in shown.columns] == [
        ("id", "number"), ("born", "time"), ("note", "string"),
    ]  # fmt: skip
    assert (shown.format, shown.row_count, len(shown.rows)) == ("csv", 50, 20)
    assert list(shown.rows["id"]) == list(range(20)), "in the order of the file"
    assert "semicolons" in said(shown)
    assert on_disk(tmp_path) == ["lake"], "nothing is written yet"


def test_a_column_can_be_kept_as_it_was_typed(look):
    assert types(look("id,zip\n1,1010\n2,8010\n")) == {"id": "BIGINT", "zip": "BIGINT"}
    shown = look("id,zip\n1,1010\n2,8010\n", text_columns=("zip",))
    assert types(shown) == {"id": "BIGINT", "zip": "VARCHAR"} and list(shown.rows["zip"]) == ["1010", "8010"]
    assert types(look('[{"zip": 1010, "at": {"x": 1}}]', "a.json", text_columns=("zip", "at"))) == {
        "zip": "VARCHAR",
        "at": "VARCHAR",
    }
    assert types(look(xlsx({"S": [["zip"], [1010]]}), "a.xlsx", text_columns=("zip",))) == {"zip": "VARCHAR"}
    assert types(look(parquet(zip=[1010]), "a.parquet", text_columns=("zip",))) == {"zip": "VARCHAR"}
    shown = look("id,zip\n1,1010\n", text_where_there=("zip", "zap"))
    assert types(shown) == {"id": "BIGINT", "zip": "VARCHAR"}
    with pytest.raises(Invalid, match="no column “zap”"):
        look("id,zip\n1,1010\n", text_columns=("zap",))


def parquet(**columns):
    sink = pa.BufferOutputStream()
    pq.write_table(pa.table(columns), sink)
    return sink.getvalue().to_pybytes()


# --- names that need repair -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("content", "name"),
    [
        ("id,,price,Price\n1,2,3,4\n", "a.csv"),
        ("id\t\tprice\tPrice\n1\t2\t3\t4\n", "a.tsv"),
        ('{"id": 1, "": 2, "price": 3, "Price": 4}\n', "a.jsonl"),
        (xlsx({"S": [["id", None, "price", "Price"], [1, 2, 3, 4]]}), "a.xlsx"),
        (parquet(**{"id": [1], "": [2], "price": [3], "Price": [4]}), "a.parquet"),
    ],
)
def test_columns_without_a_name_and_repeated_names_are_repaired_and_told(look, content, name):
    shown = look(content, name)
    assert [column.name for column in shown.columns] == ["id", "column_2", "price", "Price_2"]
    assert [column.original_name for column in shown.columns] == ["id", "", "price", "Price"]
    assert shown.rows.to_dict("records") == [{"id": 1, "column_2": 2, "price": 3, "Price_2": 4}]
    assert "“column_2”" in said(shown) and "“Price” is now “Price_2”" in said(shown)


def test_a_repaired_name_never_takes_that_of_another_column(look):
    shown = look("a,a,a_2,,column_4\n1,2,3,4,5\n")
    assert [column.name for column in shown.columns] == ["a", "a_3", "a_2", "column_4_2", "column_4"]


def test_line_breaks_in_names_become_spaces(look):
    assert [column.name for column in look('"price\n(EUR)",id\n1,2\n').columns] == ["price (EUR)", "id"]


# --- a first row of numbers ------------------------------------------------------------------------------------------

YEARS = [("2019,2020\n1,2\n3,4\n", "a.csv"), (xlsx({"S": [[2019, 2020], [1, 2], [3, 4]]}), "a.xlsx")]


@pytest.mark.parametrize(("content", "name"), YEARS, ids=["csv", "excel"])
def test_a_first_row_of_numbers_is_refused_until_a_person_says_what_it_is(look, content, name):
    with pytest.raises(Invalid, match="holds numbers only") as refused:
        look(content, name)
    assert "names of the columns or values" in refused.value.hint
    shown = look(content, name, has_header=True)
    assert types(shown) == {"2019": "BIGINT", "2020": "BIGINT"} and shown.row_count == 2
    shown = look(content, name, has_header=False)
    assert types(shown) == {"column_1": "BIGINT", "column_2": "BIGINT"}
    assert shown.rows["column_1"].tolist() == [2019, 1, 3]


def test_a_first_row_of_words_can_be_values(look):
    shown = look("a;1\nb;2\n", has_header=False)
    assert shown.rows.to_dict("list") == {"column_1": ["a", "b"], "column_2": [1, 2]}
    assert "2 columns without a name are called “column_1”, “column_2”" in said(shown)


# --- encodings --------------------------------------------------------------------------------------------------------

GERMAN = "id,name\n1,Müller\n2,Größe – „x“ 5 €\n"


@pytest.mark.parametrize("ending", ["csv", "jsonl"])
@pytest.mark.parametrize(
    ("codec", "told"),
    [
        ("utf-8", ""),
        ("utf-8-sig", "byte order mark"),
        ("utf-16", "UTF-16"),
        ("utf-16-be", "UTF-16"),
        ("utf-32", "UTF-32"),
        ("cp1252", "Windows-1252"),
    ],
)
def test_the_usual_encodings_are_recognised_and_told(look, ending, codec, told):
    text = GERMAN if ending == "csv" else '{"id": 1, "name": "Müller"}\n{"id": 2, "name": "Größe – „x“ 5 €"}\n'
    shown = look(text.encode(codec), f"a.{ending}")
    assert [column.name for column in shown.columns] == ["id", "name"], "the mark is no part of the first name"
    assert list(shown.rows["name"]) == ["Müller", "Größe – „x“ 5 €"]
    assert told in said(shown)


@pytest.mark.parametrize(
    ("codec", "text"),
    [
        ("cp1251", "Клиент сообщает, что доставка была неполной"),
        ("koi8_r", "Клиент сообщает, что доставка была неполной и просит назвать причину"),
        ("cp932", "日本語のテキストです"),
        ("gb18030", "中文文本测试，北京"),
        ("cp949", "한국어 텍스트입니다"),
        ("latin-1", "naïve café"),
    ],
)
def test_other_scripts_are_recognised(look, codec, text):
    shown = look(f"id;text\n1;{text}\n".encode(codec))
    assert list(shown.rows["text"]) == [text]
    assert "choose another encoding" in said(shown)


def test_a_person_can_choose_the_encoding(look):
    polish = "id,name\n1,Łódź\n2,Świętokrzyskie\n".encode("cp1250")
    assert list(look(polish).rows["name"]) != ["Łódź", "Świętokrzyskie"], "one cannot know"
    assert list(look(polish, encoding="cp1250").rows["name"]) == ["Łódź", "Świętokrzyskie"]
    for wrong, words in {"utf-8": "Line 2", "klingon": "no encoding", "zip": "no encoding"}.items():
        with pytest.raises(Invalid, match=words):
            look(polish, encoding=wrong)


def test_a_byte_far_down_that_no_line_should_have_names_its_line(look):
    rows = "".join(f"{n},Zoë\n" for n in range(300_000))
    with pytest.raises(Invalid, match="Line 300002"):
        look(f"id,name\n{rows}".encode() + b"x,Zo\xeb\n" + rows.encode())


def test_a_long_text_in_another_encoding_is_converted_whole(look):
    rows = "".join(f"{n},Zoë\n" for n in range(300_000))
    shown = look(f"id,name\n{rows}".encode("utf-16"))
    assert shown.row_count == 300_000 and set(shown.rows["name"]) == {"Zoë"}


# --- malformed files --------------------------------------------------------------------------------------------------

MALFORMED = {
    "csv line": ("a.csv", "id,text\n1,a\n2,b,c\n", ["Line 3", "3 values"]),
    "tsv line": ("a.tsv", "id\ttext\n1\ta\n2\n", ["Line 3", "1 value"]),
    "txt line": ("a.txt", "id|text\n1|a\n2|b|c\n", ["Line 3", "3 values"]),
    "jsonl line": ("a.jsonl", '{"id": 1}\n\n{"id": 2, text: 3}\n', ["Line 3", "character 11", "key"]),
    "jsonl cut": ("a.ndjson", '{"id": 1}\n{"id": 2, "text": "x\n', ["Line 2", "closing quote"]),
    "jsonl number": ("a.jsonl", '{"id": 1}\n7\n', ["Line 2 is a number"]),
    "jsonl list": ("a.jsonl", "[1, 2]\n[3, 4]\n", ["Line 1 is a list"]),
    "json text": ("a.json", '[{"id": 1},\n {"id": 2}\n {"id": 3}]', ["Line 3", "character 2", "comma"]),
    "json cut": ("a.json", '[{"id": 1},\n {"id": 2}', ["Line 2", "ends too early"]),
    "json behind its end": ("a.json", '[{"id": 1}]\nx', ["Line 2", "behind the end"]),
    "json record": ("a.json", '[{"id": 1},\n 5]', ["Record 2 (line 2) is a number"]),
    "json scalar": ("a.json", "42", ["The file holds a number, not a table"]),
    "json string": ("a.json", '"text"', ["The file holds a text, not a table"]),
    "json null": ("a.json", "null", ["The file holds null"]),
    "json empty list": ("a.json", "[]", ["empty"]),
    "json empty object": ("a.json", "{}", ["empty"]),
    "json too deep": ("a.json", "[" * 100_000, ["nested too deeply"]),
    "no json": ("a.json", "id,text\n1,a\n", ["Line 1"]),
    "parquet": ("a.parquet", b"PAR1" + b"x" * 100 + b"PAR1", ["not a Parquet file"]),
    "parquet cut": ("a.parquet", parquet(a=[1, 2])[:-20], ["not a Parquet file"]),
    "excel": ("a.xlsx", b"PK\x03\x04 and no more", ["damaged"]),
    "excel cut": ("a.xlsx", xlsx({"S": SHEET})[:-300], ["damaged"]),
    "old excel": ("a.xls", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\x00" * 2000, ["damaged"]),
    "excel numbers": ("a.xlsx", xlsx({"Data": [[], [1, 2], [3, 4]]}), ["Worksheet “Data”, row 2 holds numbers only"]),
    "excel header only": (
        "a.xlsx",
        xlsx({"Data": [["id", "text"]]}),
        ["Worksheet “Data” has column names but no rows"],
    ),
    "excel without cells": ("a.xlsx", xlsx({"Data": []}), ["no cells"]),
    "csv header only": ("a.csv", "id,text\n", ["no rows"]),
    "empty": ("a.jsonl", "", ["empty"]),
    "blank": ("a.jsonl", "\n \n", ["empty"]),
    "binary": ("a.json", b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR", ["not a text file"]),
    "another file": ("a.pdf", b"%PDF-1.4", ["not a file that becomes a table"]),
}


@pytest.mark.parametrize(("name", "content", "words"), MALFORMED.values(), ids=MALFORMED)
def test_a_malformed_file_names_the_place_and_the_reason_and_leaves_nothing(lake, file, tmp_path, name, content, words):
    upload, before = file(content), on_disk(tmp_path)
    for attempt in (
        lambda: lake.inspect_file(upload, original_name=name),
        lambda: lake.put_table(MAILS, upload, original_name=name),
    ):
        with pytest.raises(Invalid) as caught:
            attempt()
        assert all(word in caught.value.message for word in words), caught.value.message
        assert "\n" not in caught.value.message and caught.value.hint
    assert on_disk(tmp_path) == before and lake.tables() == []


def test_a_workbook_with_a_password_says_so(lake, file):
    with pytest.raises(Invalid, match="password"):
        lake.inspect_file(file(_compound_file("EncryptionInfo", "EncryptedPackage")), original_name="a.xlsx")


def _compound_file(*streams):
    """An OLE file with these streams, which is what a workbook with a password is."""
    free, end, fat = 0xFFFFFFFF, 0xFFFFFFFE, 0xFFFFFFFD

    def entry(name, kind, child=free, right=free, size=0, start=end):
        text = name.encode("utf-16-le") + b"\0\0"
        parts = (text.ljust(64, b"\0"), len(text).to_bytes(2, "little"), bytes([kind, 1]))
        links = b"".join(number.to_bytes(4, "little") for number in (free, right, child))
        return b"".join(parts) + links + b"\0" * 36 + start.to_bytes(4, "little") + size.to_bytes(8, "little")

    names = [
        entry(name, 2, right=place + 2 if place + 1 < len(streams) else free) for place, name in enumerate(streams)
    ]
    directory = b"".join([entry("Root Entry", 5, child=1), *names]).ljust(512, b"\0")
    header = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\0" * 16
    header += b"".join(number.to_bytes(2, "little") for number in (0x3E, 3, 0xFFFE, 9, 6)) + b"\0" * 6
    header += b"".join(number.to_bytes(4, "little") for number in (0, 1, 1, 0, 4096, end, 0, end, 0, 0))
    sectors = b"".join(number.to_bytes(4, "little") for number in (fat, end)).ljust(512, b"\xff")
    return header.ljust(512, b"\xff") + sectors + directory


# --- limits -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["csv", "jsonl", "xlsx", "parquet"])
def test_two_thousand_columns_work(look, kind):
    names = [f"c{n}" for n in range(2000)]
    rows = [[f"t{row}" if n % 3 == 0 else n * row for n in range(2000)] for row in range(1, 51)]
    content = {
        "csv": lambda: "\n".join(",".join(str(value) for value in row) for row in [names, *rows]),
        "jsonl": lambda: "\n".join(json.dumps(dict(zip(names, row, strict=True))) for row in rows),
        "xlsx": lambda: xlsx({"S": [names, *rows]}),
        "parquet": lambda: parquet(**{name: [row[n] for row in rows] for n, name in enumerate(names)}),
    }[kind]()
    started = time.process_time()  # other work on the machine does not count
    shown = look(content, f"wide.{kind}")
    assert time.process_time() - started < 15, "inspected, written, and listed again"
    assert len(shown.columns) == 2000 and shown.row_count == 50
    assert [column.data_type for column in shown.columns[:3]] == ["VARCHAR", "BIGINT", "BIGINT"]


def test_more_columns_than_a_table_may_have_are_refused(look):
    for content, name in (
        (",".join(f"c{n}" for n in range(5001)) + "\n" + ",".join("1" * 5001), "a.csv"),
        (json.dumps([{f"c{n}": 1 for n in range(5001)}]), "a.json"),
    ):
        with pytest.raises(Invalid, match=r"5,001 columns; a table may have 5,000"):
            look(content, name)


def test_a_file_over_the_limit_is_refused_before_it_is_read(lake, file, monkeypatch):
    upload = file("id,text\n1,a\n")
    with pytest.raises(Invalid, match="at most"):
        lake.put_table(MAILS, upload, original_name="a.csv", max_bytes=5)
    with pytest.raises(Invalid, match="at most"):
        table_files.inspect_file(upload, original_name="a.csv", plan=IntakePlan(), max_bytes=5)
    monkeypatch.setattr(json_tables, "DOCUMENT_LIMIT", 10)
    with pytest.raises(Invalid, match="one object of"):
        lake.inspect_file(file('{"rows": [{"a": 1}]}'), original_name="a.json")
    monkeypatch.setattr(table_files, "MAX_WHOLE_BYTES", 5)
    assert lake.inspect_file(upload, original_name="a.csv").row_count == 1, "read in pieces, it may be larger"
    with pytest.raises(Invalid, match="at most"):
        lake.inspect_file(file('[{"a": 1}]'), original_name="a.json")


def test_no_temporary_file_stays_behind(lake, file, tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "temporary"))
    (tmp_path / "temporary").mkdir()
    for content, name in ((GERMAN.encode("utf-16"), "a.csv"), (xlsx({"S": SHEET}), "a.xlsx"), (b"PK", "b.xlsx")):
        try:
            lake.inspect_file(file(content), original_name=name)
        except WorkbenchError:
            assert name == "b.xlsx"
    assert list((tmp_path / "temporary").iterdir()) == []


# --- files of volumes, and what is noted about tables -----------------------------------------------------------------


def test_files_come_by_content_or_by_where_they_lie(lake, file, tmp_path):
    lake.put_files(PICTURES, {"a/1.png": b"1", "a/2.png": file(b"22")})
    assert {entry.path: entry.size_bytes for entry in lake.files(PICTURES)} == {"a/1.png": 1, "a/2.png": 2}
    before = on_disk(tmp_path)
    with pytest.raises(WorkbenchError):
        lake.put_files(PICTURES, {"a/3.png": b"3", "a/4.png": tmp_path / "gone"})
    assert on_disk(tmp_path) == before


def test_the_start_of_a_large_file_can_be_read(lake):
    lake.put_files(PICTURES, {"log.txt": b"x" * 1000})
    assert lake.read_start(PICTURES, "log.txt", size_bytes=10) == b"x" * 10
    with pytest.raises(Invalid):
        lake.read_start(PICTURES, "../log.txt", size_bytes=10)
    with pytest.raises(NotFound):
        lake.read_start(PICTURES, "other.txt", size_bytes=10)


def test_comments_and_tags_are_kept_and_comments_reach_the_columns(lake, file):
    about = TableEntry("", "", "Mails", ("PII",), "CC0", "an export")
    lake.put_table(MAILS, file("id,text\n1,a\n"), original_name="a.csv", entry=about)
    lake.describe(MAILS, column_comments={"text": "What people wrote", "id": "Number"})
    entry = lake.describe(MAILS, comment="All mails", tags=["PII", "CONFIDENTIAL"], column_comments={"id": ""})
    assert entry == TableEntry(MAILS, "table", "All mails", ("PII", "CONFIDENTIAL"), "CC0", "an export")
    assert {column.name: column.comment for column in lake.columns(MAILS)} == {"id": "", "text": "What people wrote"}
    assert LocalLake(lake._root.parent).entry(MAILS) == entry, "also after a restart"
    with pytest.raises(NotFound):
        lake.describe("main.uploads.nothing", comment="x")


def test_a_csv_file_laid_into_the_lake_is_repaired_in_place_too(tmp_path):
    lake = LocalLake(tmp_path / "home")
    folder = tmp_path / "home/lake/main/exports"
    folder.mkdir(parents=True)
    Path(folder / "pairs.csv").write_text("id,,id\n1,2,3\n")
    assert [column.name for column in lake.columns("main.exports.pairs")] == ["id", "column_2", "id_2"]
    Path(folder / "old.csv").write_bytes("id,name\n1,Müller\n".encode("latin-1"))
    with pytest.raises(Invalid, match="Line 2 is not in UTF-8"):
        lake.columns("main.exports.old")
