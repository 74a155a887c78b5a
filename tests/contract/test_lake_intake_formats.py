"""JSON files and workbooks that come into the lake: nested values, dates, titles above the header, and limits."""

from __future__ import annotations

import io
import json
import zipfile

import pandas as pd
import pytest

from tests.contract import intake_parts
from tests.contract.intake_parts import MAILS, SHEET, said, types
from tests.contract.lake_tables import on_disk
from tests.workbooks import ods, xlsx
from workbench_core.adapters.local.lake import excel_tables
from workbench_core.errors import Invalid

file, look = intake_parts.file, intake_parts.look  # fixtures


# --- JSON -------------------------------------------------------------------------------------------------------------


def test_json_values_get_types_with_the_same_care_as_csv(look):
    records = [
        {
            "id": n, "code": f"00{n}", "part": n / 2, "flag": True, "day": "2026-01-05", "huge": 10**22 + 3,
            "nothing": None, "zoned": "2026-01-05T10:00:00Z", "whole_or_part": n if n % 2 else n + 0.5,
        }
        for n in range(1, 5)
    ]  # fmt: skip
    expected = {
        "id": "BIGINT", "code": "VARCHAR", "part": "DOUBLE", "flag": "BOOLEAN", "day": "DATE", "huge": "VARCHAR",
        "nothing": "VARCHAR", "zoned": "TIMESTAMP WITH TIME ZONE", "whole_or_part": "DOUBLE",
    }  # fmt: skip
    assert types(look(json.dumps(records), "a.json")) == expected
    shown = look("\n".join(json.dumps(record) for record in records), "a.ndjson")
    assert types(shown) == expected
    assert list(shown.rows["code"]) == ["001", "002", "003", "004"], "007 stays text"
    assert shown.rows["huge"][0] == "10000000000000000000003", "with every digit"


def test_nested_json_keeps_its_shape_where_the_rows_agree(look):
    shown = look(
        '[{"id": 1, "place": {"site": "Ulm", "hall": 3}, "tags": ["a", "b"]},'
        ' {"id": 2, "place": {"site": "Linz"}, "tags": [], "parts": [{"n": 1}, {"n": null}]}]',
        "a.json",
    )
    assert types(shown) == {
        "id": "BIGINT", "place": "STRUCT(site VARCHAR, hall BIGINT)", "tags": "VARCHAR[]",
        "parts": "STRUCT(n BIGINT)[]",
    }  # fmt: skip
    assert shown.rows["place"][0] == {"site": "Ulm", "hall": 3} and shown.rows["tags"][0] == ["a", "b"]


def test_nested_json_of_different_shapes_and_mixed_kinds_become_text_and_are_told(look):
    shown = look('{"a": {"x": 1}, "b": 1}\n{"a": {"x": [1]}, "b": "two"}\n{"a": {}, "b": [3]}\n', "a.jsonl")
    assert types(shown) == {"a": "VARCHAR", "b": "VARCHAR"}
    assert [json.loads(text) for text in shown.rows["a"]] == [{"x": 1}, {"x": [1]}, {}]
    assert list(shown.rows["b"]) == ["1", "two", "[3]"]
    assert "“a” has nested values of different shapes" in said(shown) and "“b” has mixed kinds" in said(shown)


def test_keys_that_appear_late_are_not_lost(look):
    rows = [json.dumps({"id": n}) for n in range(30_000)]
    shown = look("\n".join([*rows, '{"id": 30000, "late": "yes"}']), "a.jsonl")
    assert types(shown) == {"id": "BIGINT", "late": "VARCHAR"} and shown.row_count == 30_001


def test_a_json_object_around_a_list_is_that_list(look):
    shown = look('{"count": 2, "results": [{"a": 1}, {"a": 2}]}', "a.json")
    assert list(shown.rows["a"]) == [1, 2] and "“results”" in said(shown)
    several = '{"meta": [1], "boards": [{"a": 1}], "x/y": [{"b": 1}, {"b": 2}]}'
    assert look(several, "a.json").parts == ("boards", "x/y")
    assert types(look(several, "a.json", part="x/y")) == {"b": "BIGINT"}
    with pytest.raises(Invalid, match="no list “meta”"):
        look(several, "a.json", part="meta")


def test_one_json_object_is_one_row_and_json_lines_may_be_called_json(look):
    assert look('{\n "a": 1,\n "b": [1, 2]\n}', "a.json").row_count == 1
    assert look('{"a": 1}\n{"a": 2}\n', "a.json").format == "jsonl"
    assert look('{\n"a": 1\n}\n{\n"a": 2\n}', "a.json").row_count == 2


# --- Excel ------------------------------------------------------------------------------------------------------------


def test_a_worksheet_becomes_a_table_with_dates_whole_numbers_and_texts(look):
    shown = look(xlsx({"Boards": SHEET}), "boards.xlsx")
    assert types(shown) == {
        "id": "BIGINT", "code": "VARCHAR", "share": "DOUBLE", "mixed": "VARCHAR", "day": "DATE", "at": "TIMESTAMP",
        "flag": "BOOLEAN", "remark": "VARCHAR",
    }  # fmt: skip
    first, second = shown.rows.to_dict("records")
    assert first["code"] == "007" and first["mixed"] == "1" and str(first["day"]) == "2026-01-05"
    assert first["at"] == pd.Timestamp("2026-01-05 09:30:15")
    assert first["remark"] == 'two\nlines; "quoted", ,'
    assert second["share"] == 2.0 and pd.isna(second["remark"]), "an error in a cell is no value"
    assert shown.format == "excel" and not shown.parts


def test_the_sheet_of_a_workbook_can_be_chosen(look):
    book = xlsx({"Cover": [], "Boards": SHEET, "Lines": [["line"], ["A"]], "Notes": [["x"], [1]]}, hidden=("Notes",))
    shown = look(book, "boards.xlsx")
    assert shown.parts == ("Cover", "Boards", "Lines") and "“Boards” of 3" in said(shown), "the first with values"
    assert list(look(book, "boards.xlsx", part="Lines").rows["line"]) == ["A"]
    with pytest.raises(Invalid, match="no worksheet “Lins”") as caught:
        look(book, "boards.xlsx", part="Lins")
    assert "Lines" in caught.value.hint


def test_a_title_above_the_header_and_empty_rows_are_left_out_and_told(look):
    shown = look(xlsx({"S": [[None], [None, None], ["id", "n"], [1, 2], [], [3, 4]]}), "a.xlsx")
    assert shown.rows.to_dict("records") == [{"id": 1, "n": 2}, {"id": 3, "n": 4}]
    assert "row 3" in said(shown) and "empty row" in said(shown)


def test_an_opendocument_sheet_becomes_a_table(look):
    shown = look(ods([["id", "text"], [1, "a"], [2, "b"]]), "a.ods")
    assert types(shown) == {"id": "BIGINT", "text": "VARCHAR"} and shown.row_count == 2


def test_a_workbook_that_claims_billions_of_cells_does_not_take_the_memory_of_all(lake, file, tmp_path):
    before = on_disk(tmp_path)
    book = _with_cell(xlsx({"S": [["a"], [1]]}), b'<row r="1048576"><c r="XFD1048576"><v>1</v></c></row>')
    with pytest.raises(Invalid, match="GB of memory"):
        lake.inspect_file(file(book), original_name="a.xlsx")
    with pytest.raises(Invalid, match="GB of memory"):
        lake.put_table(MAILS, file(book), original_name="a.xlsx")
    assert on_disk(tmp_path) == before


def _with_cell(book, row):
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(book)) as old, zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as new:
        for name in old.namelist():
            new.writestr(name, old.read(name).replace(b"</sheetData>", row + b"</sheetData>"))
    return out.getvalue()


def test_a_workbook_that_takes_too_long_is_given_up(lake, file, monkeypatch):
    monkeypatch.setattr(excel_tables, "SECONDS", 0.001)
    with pytest.raises(Invalid, match="could not be read in"):
        lake.inspect_file(file(xlsx({"S": SHEET})), original_name="a.xlsx")
