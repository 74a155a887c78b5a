"""The lake contract: what a person can browse and page, the same for every adapter."""

from __future__ import annotations

import threading
from datetime import UTC, datetime
from decimal import Decimal

import pandas as pd
import pyarrow as pa
import pytest

from tests.contract.lake_tables import BOARDS, PICTURES, boards, everything, on_disk, refs
from workbench_core.adapters.lake_query import split_name
from workbench_core.errors import Invalid, NotFound, WorkbenchError
from workbench_core.ports import Selection, TableEntry

HOSTILE_NAMES = [
    "../x", "a.b", "a.b.c.d", "x; drop", "demo.acme.x; drop table y", "demo..x", "demo.acme.", "demo.acme.../../x",
    "demo.acme./etc/passwd", "demo.acme.x\x00", "demo.acme.x\n", 'demo.acme."x"', "demo.acme.ü",
    "demo.acme." + "x" * 121, "", "demo\\acme.x.y", ".hidden.acme.x",
]  # fmt: skip


# --- browse ---


def test_an_empty_lake_lists_nothing(lake):
    assert lake.tables() == []


def test_the_catalog_lists_tables_and_volumes_by_name_with_what_is_known_about_them(lake, upload):
    about = TableEntry("", "", "Boards of line 3", ("PII",), "CC0", "drawn by code", is_demo=True)
    upload(boards(), entry=about)
    lake.put_files(PICTURES, {"a.png": b"1"})
    upload("id,text\n1,a\n", "main.uploads.mails")

    assert [(entry.name, entry.kind) for entry in lake.tables()] == [
        (BOARDS, "table"),
        (PICTURES, "volume"),
        ("main.uploads.mails", "table"),
    ]
    assert lake.entry(BOARDS) == TableEntry(
        BOARDS, "table", "Boards of line 3", ("PII",), "CC0", "drawn by code", is_demo=True
    )
    assert "boards.csv" in lake.entry("main.uploads.mails").source


def test_what_is_missing_is_not_found(lake):
    for read in (lake.entry, lake.columns, lake.drop, lake.files, lambda name: lake.count(everything(name))):
        with pytest.raises(NotFound) as caught:
            read("demo.acme.nothing")
        assert "demo.acme.nothing" in caught.value.message and caught.value.hint


@pytest.mark.parametrize("name", HOSTILE_NAMES)
def test_a_hostile_name_is_refused_everywhere(lake, upload, tmp_path, name):
    before = on_disk(tmp_path)
    actions = (
        lake.entry, lake.columns, lake.drop, lake.files,
        lambda each: lake.page(everything(each)), lambda each: lake.put_files(each, {"a": b"1"}),
        lambda each: upload("a,b\n1,2\n", each), lambda each: lake.distinct(each, "a"),
    )  # fmt: skip
    for action in actions:
        with pytest.raises(Invalid):
            action(name)
    assert on_disk(tmp_path) == before


def test_a_name_has_three_parts():
    assert split_name("main.my-schema.T_1") == ("main", "my-schema", "T_1")
    with pytest.raises(Invalid):
        split_name("main.s.`x`")


# --- columns and values ---


def test_columns_tell_their_kind(lake, upload):
    upload(wide_table())
    assert {column.name: column.kind for column in lake.columns(BOARDS)} == {
        "id": "number", "whole": "number", "flag": "boolean", "exact": "number", "at": "time", "local": "time",
        "day": "time", "tags": "nested", "place": "nested", "raw": "binary", "text": "string", "clock": "string",
        "unsigned": "number",
    }  # fmt: skip


def wide_table():
    return pa.table(
        {
            "id": pa.array([1, 2], pa.int64()),
            "whole": pa.array([2**60 + 1, None], pa.int64()),
            "flag": pa.array([None, True]),
            "exact": pa.array([Decimal("12.50"), None]),
            "at": pa.array([datetime(2026, 1, 5, 9, tzinfo=UTC), None], pa.timestamp("us", tz="Europe/Berlin")),
            "local": pa.array([datetime(2026, 1, 5, 9), None], pa.timestamp("ms")),
            "day": pa.array([datetime(2026, 1, 5).date(), None]),
            "tags": pa.array([["x", "y"], None]),
            "place": pa.array([{"site": "Ulm", "hall": 3}, None]),
            "raw": pa.array([b"\x00\xff", None]),
            "text": ["x" * 5_000_000, "“quotes” 😀 '; DROP TABLE x;--\n\t\\ {{ x }}"],
            "clock": pa.array([datetime(2026, 1, 5, 9, 30).time(), None]),
            "unsigned": pa.array([2**64 - 1, None], pa.uint64()),
        }
    )


def test_every_kind_of_value_arrives_whole(lake, upload):
    upload(wide_table())
    first, second = lake.page(Selection(BOARDS, "id")).to_dict("records")

    assert (first["item_ref"], second["item_ref"]) == ("1", "2")
    assert first["whole"] == 2**60 + 1, "an integer beside a gap keeps every digit"
    assert first["unsigned"] == 2**64 - 1
    assert first["exact"] == Decimal("12.50")
    assert first["at"] == pd.Timestamp("2026-01-05 09:00", tz="UTC")
    assert first["local"] == pd.Timestamp("2026-01-05 09:00")
    assert str(first["day"]) == "2026-01-05"
    assert first["tags"] == ["x", "y"] and isinstance(first["tags"], list)
    assert first["place"] == {"site": "Ulm", "hall": 3}
    assert first["raw"] == b"\x00\xff"
    assert len(first["text"]) == 5_000_000
    assert first["clock"] == "09:30:00"
    assert second["text"] == "“quotes” 😀 '; DROP TABLE x;--\n\t\\ {{ x }}"
    assert bool(second["flag"]) is True
    assert all(pd.isna(second[name]) for name in ("whole", "exact", "at", "day", "raw", "clock"))
    assert second["tags"] is None and second["place"] is None


def test_column_names_with_quotes_spaces_and_emoji_work_everywhere(lake, upload):
    name = "we\"ird; DROP TABLE x -- 😀 'n"
    upload(pd.DataFrame({"select": ["1", "2"], name: ["a'b", 'c"d']}))
    selection = Selection(BOARDS, "select", where="\"we\"\"ird; DROP TABLE x -- 😀 'n\" = 'a''b'", stratify_column=name)
    frame = lake.page(Selection(BOARDS, name, sample_size=2, stratify_column=name), columns=[name, "select"])

    assert list(frame.columns) == ["item_ref", name, "select"]
    assert set(frame["item_ref"]) == {"a'b", 'c"d'}
    assert refs(lake, selection) == ["1"]
    assert dict(lake.distinct(BOARDS, name)) == {"a'b": 1, 'c"d': 1}
    assert lake.check_identifier(BOARDS, name).is_valid


def test_columns_named_like_parts_of_the_query_stay_the_sources_own(lake, upload):
    names = ["id", "source", "item_refs", "place", "of_value", "draw", "ranked", "file_row_number", "rows"]
    upload(pd.DataFrame({name: [f"{name}-{n % 3}" if name != "id" else str(n) for n in range(9)] for name in names}))
    for name in names[1:]:
        selection = Selection(
            BOARDS, "id", where=f"{name} = '{name}-1'", sample_size=2, stratify_column=name, item_refs=("1", "4", "7")
        )
        frame = lake.page(selection)
        assert len(frame) == 2 and set(frame[name]) == {f"{name}-1"}


def test_a_source_column_named_item_ref_yields_to_the_identifier(lake, upload):
    upload(pd.DataFrame({"id": ["1"], "item_ref": ["x"]}))
    assert lake.page(Selection(BOARDS, "id")).to_dict("records") == [{"item_ref": "1", "id": "1"}]
    assert lake.page(Selection(BOARDS, "item_ref")).to_dict("records") == [{"item_ref": "x", "id": "1"}]
    with pytest.raises(Invalid, match="item_ref"):
        lake.page(Selection(BOARDS, "id"), columns=["item_ref"])


def test_an_unknown_column_is_named_and_the_closest_suggested(with_boards):
    for read in (
        lambda: with_boards.page(everything(), columns=["scor"]),
        lambda: with_boards.page(everything(item_id_column="scor")),
        lambda: with_boards.count(everything(sample_size=1, stratify_column="scor")),
        lambda: with_boards.check_identifier(BOARDS, "scor"),
        lambda: with_boards.distinct(BOARDS, "scor"),
        lambda: with_boards.check_filter(BOARDS, "scor > 1"),
    ):
        with pytest.raises(Invalid, match="scor") as caught:
            read()
        assert "“score”" in caught.value.hint


# --- pages and batches ---


def test_pages_follow_the_identifier_as_text_and_never_overlap(lake, upload):
    upload(pd.DataFrame({"n": list(range(1000))}).sample(frac=1, random_state=1))
    selection = Selection(BOARDS, "n")
    pages = [lake.page(selection, limit=300, offset=offset) for offset in (0, 300, 600, 900)]
    seen = [ref for page in pages for ref in page["item_ref"]]
    assert seen == sorted(str(n) for n in range(1000))
    assert list(pages[0]["n"].astype(str)) == list(pages[0]["item_ref"])
    assert len(lake.page(selection, offset=5000)) == 0
    assert list(lake.page(selection, offset=5000).columns) == ["item_ref", "n"]


def test_pages_of_a_bad_identifier_still_show_every_row_once(lake, upload):
    upload(pd.DataFrame({"line": ["A"] * 60 + ["B"] * 60, "n": range(120)}))
    pages = [lake.page(Selection(BOARDS, "line"), limit=50, offset=offset) for offset in (0, 50, 100)]
    assert sorted(n for page in pages for n in page["n"]) == list(range(120))


def test_rows_without_identifier_are_no_items_but_show_in_a_plain_preview(lake, upload):
    upload(pd.DataFrame({"id": ["a", None, "c"], "n": [1, 2, 3]}))
    assert refs(lake, Selection(BOARDS, "id")) == ["a", "c"]
    assert lake.count(Selection(BOARDS, "id")) == 2
    preview = lake.page(Selection(BOARDS, ""))
    assert list(preview["n"]) == [1, 2, 3] and set(preview["item_ref"]) == {""}
    assert lake.count(Selection(BOARDS, "")) == 3
    for broken in ({"sample_size": 1}, {"item_refs": ("a",)}):
        with pytest.raises(Invalid, match="identifier"):
            lake.count(Selection(BOARDS, "", **broken))


def test_batches_stream_all_rows_and_continue_behind_an_item(with_boards):
    batches = list(with_boards.batches(everything(), columns=["score"], size=64))
    assert [len(batch) for batch in batches] == [64, 64, 64, 8]
    assert list(batches[0].columns) == ["item_ref", "score"]
    whole = pd.concat(batches)
    assert list(whole["item_ref"]) == refs(with_boards, everything())

    rest = list(with_boards.batches(everything(), size=64, after="b-190"))
    assert list(pd.concat(rest)["item_ref"]) == [f"b-{n}" for n in range(191, 200)]
    assert list(with_boards.batches(everything(), after="z")) == []
    hostile = list(with_boards.batches(everything(), after="' OR 1=1 --"))
    assert sum(len(batch) for batch in hostile) == 200, "“'” sorts before “b”, and is only a text"


def test_a_batch_reader_left_half_way_disturbs_nobody(with_boards):
    reader = with_boards.batches(everything(), size=10)
    next(reader)
    assert with_boards.count(everything()) == 200
    reader.close()
    with_boards.drop(BOARDS)
    assert with_boards.tables() == []


def test_many_threads_read_at_once(with_boards):
    results, errors = [], []

    def read():
        selection = everything(where="score < 10", item_refs=("b-001", "b-150"))
        try:
            results.extend([len(with_boards.page(selection)) for _ in range(5)])
        except WorkbenchError as error:
            errors.append(error)

    threads = [threading.Thread(target=read) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not errors and results == [1] * 40


# --- identifiers and values ---


def test_identifier_check_counts_nulls_and_duplicates(lake, upload):
    upload(pd.DataFrame({"id": ["a", "a", "a", "b", None], "key": [1, 2, 3, 4, 5]}))
    bad = lake.check_identifier(BOARDS, "id")
    assert (bad.rows, bad.nulls, bad.duplicates, bad.is_valid) == (5, 1, 2, False)
    assert lake.check_identifier(BOARDS, "KEY").is_valid, "the case of a column is forgiven"


def test_distinct_gives_the_most_frequent_values_first(with_boards):
    assert with_boards.distinct(BOARDS, "line") == [("A", 100), ("B", 66), ("C", 33), ("D", 1)]
    assert with_boards.distinct(BOARDS, "line", limit=1) == [("A", 100)]
    assert all(value for value, _ in with_boards.distinct(BOARDS, "note")), "nulls are no value"
