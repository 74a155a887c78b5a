"""Values come into the lake, are compared and shown exactly as they were typed, or a note or sentence says why not."""

from __future__ import annotations

import decimal
import io
import json
import random
import time
import zipfile
from datetime import date

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.workbooks import xlsx
from workbench_core.adapters.local.lake.engine import connect, plain_errors
from workbench_core.errors import Invalid, NotFound
from workbench_core.ports import IntakePlan, RowCheck, Selection

MAILS = "main.uploads.mails"
D = decimal.Decimal


@pytest.fixture
def look(lake, tmp_path):
    """What a file would become, and the values that the table made of it holds."""

    def look_(content, name="mails.csv", **plan):
        file = tmp_path / f"upload-{time.monotonic_ns()}"
        file.write_bytes(content if isinstance(content, bytes) else content.encode())
        shown = lake.inspect_file(file, original_name=name, plan=IntakePlan(**plan))
        if any(entry.name == MAILS for entry in lake.tables()):
            lake.drop(MAILS)
        lake.put_table(MAILS, file, original_name=name, plan=IntakePlan(**plan))
        page = lake.page(Selection(MAILS, ""), limit=1000).drop(columns="item_ref", errors="ignore")
        rows = [[None if value is pd.NA or value != value else value for value in row] for row in page.values.tolist()]
        return shown, [column.data_type for column in shown.columns], rows

    return look_


# --- numbers ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("values", "data_type"),
    [
        (["12E3", "45E10", "7E0"], "VARCHAR"),
        (["100000000000000001", "100000000000000002.0"], "DECIMAL(19,1)"),
        (["99999999999999.99", "0.5"], "DECIMAL(16,2)"),
        (["0.1234567890123456789", "-0.5"], "DECIMAL(20,19)"),
        (["1e-999", "0.5"], "VARCHAR"),
        (["123456789012345678.5", "0." + "1" * 30], "VARCHAR"),
        (["0.30000000000000004", "1.000000000000000056e-01", "5.960464477539063e-08", "1e-05", "1E+16"], "DOUBLE"),
        (["0.10", "-.5", "2.50"], "DOUBLE"),
        (["1", "-9223372036854775808"], "BIGINT"),
        (["007", "1"], "VARCHAR"),
    ],
)
def test_a_number_type_is_chosen_only_when_it_keeps_every_value_as_typed(look, values, data_type):
    shown, types, rows = look("v,n\n" + "".join(f"{value},1\n" for value in values))
    assert types[0] == data_type
    kept = [row[0] for row in rows]
    if data_type == "VARCHAR":
        assert kept == values
    elif data_type == "DOUBLE":
        assert kept == [float(value) for value in values]
    else:
        assert [D(value) for value in kept] == [D(value) for value in values]
    has_note = "no number type keeps" in " ".join(shown.notes)
    assert has_note == (data_type == "VARCHAR" and values[0] != "007"), "text that looks like numbers is told"


def test_a_number_of_a_program_is_a_double_however_many_digits_it_writes(look):
    random.seed(7)
    numbers = [random.uniform(-1, 1) * 10.0 ** random.randint(-200, 200) for _ in range(300)] + [2.0**-44, 5e-324]
    _, types, rows = look("a,b,c\n" + "".join(f"{x!r},{x:.17e},{x:.25e}\n" for x in numbers))
    assert types == ["DOUBLE"] * 3
    assert rows == [[x, x, x] for x in numbers]


def test_a_value_far_down_decides_as_one_in_the_first_rows_does(look):
    _, types, _ = look("a,b\n" + "1,1.5\n" * 3000 + "100000000000000001.5,99999999999999.99\n")
    assert types == ["DECIMAL(19,1)", "DECIMAL(16,2)"]


def test_a_wide_file_is_told_apart_in_the_same_way(look):
    _, types, _ = look(",".join(f"c{n}" for n in range(70)) + ",d,e\n" + "1," * 70 + "99999999999999.99,12E3\n")
    assert types == ["BIGINT"] * 70 + ["DECIMAL(16,2)", "VARCHAR"]


def test_numbers_of_json_keep_their_digits_also_inside_objects(look):
    shown, types, rows = look(
        json.dumps([
            {"a": 123456789012345678, "s": {"b": 123456789012345678}, "e": 1e22, "t": {"b": 1}},
            {"a": 1.5, "s": {"b": 1.5}, "e": 100000.0, "t": {"b": 1.5}},
        ]),
        "mails.json",
    )  # fmt: skip
    assert types == ["DECIMAL(19,1)", "VARCHAR", "DOUBLE", "STRUCT(b DOUBLE)"]
    assert [row[0] for row in rows] == [D("123456789012345678"), D("1.5")]
    assert [json.loads(row[1])["b"] for row in rows] == [123456789012345678, 1.5]
    assert "“s” has nested values" in " ".join(shown.notes)


def test_digits_in_a_text_cell_stay_beside_a_number(look):
    _, types, rows = look(xlsx({"S": [["a", "b"], ["123456789012345678", "x"], [1, "y"]]}), "mails.xlsx")
    assert types == ["VARCHAR", "VARCHAR"]
    assert [row[0] for row in rows] == ["123456789012345678", "1"]


def test_numbers_of_more_than_38_digits_in_parquet_become_text_with_a_note(look):
    number = D("12345678901234567890123456789012345678901")
    wide = pa.decimal256(60, 0)
    table = pa.table({
        "d": pa.array([number, None], wide),
        "s": pa.array([{"x": number}, None], pa.struct([("x", wide)])),
        "n": [1, 2],
    })  # fmt: skip
    sink = pa.BufferOutputStream()
    pq.write_table(table, sink)
    shown, types, rows = look(sink.getvalue().to_pybytes(), "mails.parquet")
    assert types == ["VARCHAR", "STRUCT(x VARCHAR)", "BIGINT"]
    assert rows[0] == [str(number), {"x": str(number)}, 1]
    assert "“d”, “s” have numbers of more than 38 digits and became text." in shown.notes


# --- times ------------------------------------------------------------------------------------------------------------


def test_dates_that_no_calendar_has_here_come_in_as_text(look):
    _, types, rows = look("a,b\n10000-01-01,1\n2024-01-02,2\n")
    assert (types, rows) == (["VARCHAR", "BIGINT"], [["10000-01-01", 1], ["2024-01-02", 2]])


def test_dates_that_no_calendar_has_here_are_shown_as_text(lake, upload):
    far = 10**18
    upload(
        pa.table({
            "id": ["1", "2"],
            "day": pa.array([3_000_000, 0], pa.date32()),
            "at": pa.array([far, 0], pa.timestamp("us")),
            "many": pa.array([[far], [0]], pa.list_(pa.timestamp("us"))),
            "near": pa.array([0, 1], pa.date32()),
        }),
        MAILS,
    )  # fmt: skip
    page = lake.page(Selection(MAILS, "id"))
    assert list(page["day"]) == ["10183-09-21", "1970-01-01"]
    assert list(page["at"]) == ["33658-09-27 01:46:40", "1970-01-01 00:00:00"]
    assert json.loads(page["many"][0]) == ["33658-09-27 01:46:40"]
    assert list(page["near"]) == [date(1970, 1, 1), date(1970, 1, 2)]


@pytest.mark.parametrize(
    ("zone", "is_time"), [("+18:00", True), ("-1130", True), ("Z", True), ("+18:01", False), ("+99:59", False)]
)
def test_no_zone_is_further_than_18_hours_from_utc(look, zone, is_time):
    _, types, _ = look(f"t\n2024-01-01T10:00:00{zone}\n")
    assert (types == ["TIMESTAMP WITH TIME ZONE"]) == is_time


# --- delimiters and gaps ----------------------------------------------------------------------------------------------

GERMAN = "Datum;Betrag, EUR;Saldo, EUR\n2024-01-01;12,50;100,70\n2024-01-02;3,10;97,60\n"


def test_where_two_delimiters_fit_semicolons_win_and_the_person_can_choose(look):
    shown, _, rows = look(GERMAN)
    assert [column.name for column in shown.columns] == ["Datum", "Betrag, EUR", "Saldo, EUR"]
    assert rows[0][1:] == ["12,50", "100,70"]
    assert "Values are separated by semicolons; commas would fit as well." in shown.notes
    shown, _, _ = look(GERMAN, delimiter=",")
    assert [column.name for column in shown.columns] == ["Datum;Betrag", "EUR;Saldo", "EUR"]
    with pytest.raises(Invalid, match="cannot separate values"):
        look(GERMAN, delimiter="x")


@pytest.mark.parametrize(
    ("content", "names"),
    [
        ("a,b;c,d\n1,2,3\n4,5,6\n", ["a", "b;c", "d"]),
        ("Datum;Betrag;Saldo\n1;2,5;3,5\n", ["Datum", "Betrag", "Saldo"]),
        ('id,text\n1,"x;y"\n2,z\n', ["id", "text"]),
        ("a|b\n1|2\n", ["a", "b"]),
        ("only\n1\n2\n", ["only"]),
        ("a,b,\n1,2,\n", ["a", "b", "column_3"]),
    ],
)
def test_the_delimiter_is_the_one_that_header_and_rows_agree_on(look, content, names):
    shown, _, _ = look(content)
    assert [column.name for column in shown.columns] == names
    assert "as well" not in " ".join(shown.notes)


def test_an_empty_text_in_quotes_is_no_gap_but_among_numbers(look, lake):
    _, types, rows = look('id,v,n\n1,"","5"\n2,,""\n3,x,7\n')
    assert types == ["BIGINT", "VARCHAR", "BIGINT"]
    assert rows == [[1, "", 5], [2, None, None], [3, "x", 7]]
    report = lake.check_rows(Selection(MAILS, "id"), [RowCheck("empty", "is_not_empty", {"column": "v"})])
    assert report.counts[0].failed == 1


def test_blank_lines_of_one_column_are_left_out_and_told(look):
    shown, types, rows = look('v\n1\n\n""\n2\n\n\n')
    assert (types, rows) == (["BIGINT"], [[1], [None], [2]])
    assert "3 blank lines are left out." in shown.notes


# --- sentences --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "content", "sentence"),
    [
        ("a.json", '[{"a":1},]', "Line 1, character 10: a comma stands before a closing bracket"),
        ("a.json", '[\n{"a":[1,\n]}]', "Line 3, character 1: a comma stands before a closing bracket"),
        ("a.jsonl", '{"a":1}\n{"a":2,}\n', "Line 2, character 8: a comma stands before a closing bracket"),
        ("a.json", '{"rows":[{"a":1},]}', "Line 1, character 18: a comma stands before a closing bracket"),
        ("a.json", '[{"a":' + '{"a":' * 200 + "1" + "}" * 201 + "]", "nested more than 128 levels deep"),
        ("a.json", '[{"a":"x"},\n{"a":"\\ud800"}]', r"Line 2: \\ud800 is half of a character"),
        ("a.csv", '"a,b\n1,2\n', "Line 1: a double quote is not closed"),
        ("a.csv", "a,b\n1," + "x" * 25_000_000 + "\n", "Line 2 has more than 20 MB"),
        ("a.csv", ' [\n{"a":1},{"a":2}]', "This is JSON, not CSV"),
    ],
)
def test_what_is_wrong_is_said_with_its_place(look, name, content, sentence):
    with pytest.raises(Invalid, match=sentence):
        look(content, name)


def test_a_comma_in_a_text_of_json_is_no_mistake(look):
    assert look('[{"a":"x,]"},{"a":"{,}"}]', "a.json")[2] == [["x,]"], ["{,}"]]


def test_no_sentence_shows_where_a_file_lies_on_the_server(look, lake, upload, tmp_path):
    sink = pa.BufferOutputStream()
    pq.write_table(pa.table({"a": list(range(100_000))}), sink)
    damaged = bytearray(sink.getvalue().to_pybytes())
    damaged[5000:9000] = bytes(4000)
    with pytest.raises(Invalid) as refusal:
        look(bytes(damaged), "a.parquet")
    assert str(tmp_path) not in refusal.value.message and '"' not in refusal.value.message


def test_a_table_that_goes_while_it_is_read_is_not_found(lake, upload):
    upload("id\n1\n", MAILS)
    path = next(lake._root.rglob("mails.parquet"))
    with connect(folders=[path.parent]) as connection:
        path.unlink()
        with pytest.raises(NotFound, match="was removed a moment ago") as missing, plain_errors(MAILS):
            connection.sql(f"SELECT * FROM read_parquet('{path}')").fetchall()
    assert str(path.parent) not in missing.value.message


# --- worksheets -------------------------------------------------------------------------------------------------------


def with_cells(rows):
    """A workbook whose second sheet has these rows, as XML."""
    packed = io.BytesIO()
    source = zipfile.ZipFile(io.BytesIO(xlsx({"First": [["x"], [1]], "Own & only": [["x"], [1]]})))
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as package:
        for path in source.namelist():
            head = '<worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><sheetData>'
            content = f"{head}{rows}</sheetData></worksheet>" if path.endswith("sheet2.xml") else source.read(path)
            package.writestr(path, content)
    return packed.getvalue()


HEADER = '<row r="1"><c r="A1" t="inlineStr"><is><t>a</t></is></c><c r="B1" t="inlineStr"><is><t>b</t></is></c></row>'
GAPS = (
    '<row r="2"><c r="A2" t="e"><v>#DIV/0!</v></c><c r="B2"><v>1</v></c></row>'
    '<row r="3"><c r="A3"><f>NOW()</f></c><c r="B3"><f>1+1</f><v>2</v></c></row>'
    '<row r="4"><c r="A4"><f>A1</f><v></v></c><c r="B4" s="1" t="e"><f>1/0</f><v>#DIV/0!</v></c></row>'
)


def test_cells_with_errors_and_formulas_without_a_value_are_counted(look):
    shown, _, _ = look(with_cells(HEADER + GAPS), "a.xlsx", part="Own & only")
    assert "2 cells hold an error such as #DIV/0!; there is no value in its place." in shown.notes
    assert any(note.startswith("2 formulas have no saved value") for note in shown.notes)
    shown, _, _ = look(with_cells(HEADER + GAPS), "a.xlsx", part="First")
    assert not any("error" in note or "formula" in note for note in shown.notes)


def test_errors_of_a_long_sheet_are_all_counted(look):
    rows = '<row><c><v>1</v></c><c t="e"><v>#N/A</v></c></row>' * 60_000
    shown, _, _ = look(with_cells(HEADER + rows), "a.xlsx", part="Own & only")
    assert any(note.startswith("60,000 cells hold an error") for note in shown.notes)


def test_a_decimal_without_a_digit_before_the_point_is_written_with_one(lake, upload, tmp_path):
    values = pa.array([D("0.50"), D("-0.25"), None], pa.decimal128(2, 2))
    upload(pa.table({"id": ["1", "2", "3"], "k": values}), MAILS)
    lake.export_file(Selection(MAILS, "id"), tmp_path / "out.csv")
    assert (tmp_path / "out.csv").read_text() == "id,k\n1,0.50\n2,-0.25\n3,\n"
