"""The lake contract: what a person can browse, filter, sample, page, upload and remove, the same for every adapter."""

from __future__ import annotations

import threading
import time
from collections import Counter
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from workbench_core.adapters.lake_query import quote_name, split_name
from workbench_core.adapters.local.lake import LocalLake
from workbench_core.errors import AlreadyExists, Invalid, NotFound, WorkbenchError
from workbench_core.ports import Selection, TableEntry

BOARDS = "demo.acme.boards"
PICTURES = "demo.acme.pictures"
HOSTILE_NAMES = [
    "../x", "a.b", "a.b.c.d", "x; drop", "demo.acme.x; drop table y", "demo..x", "demo.acme.", "demo.acme.../../x",
    "demo.acme./etc/passwd", "demo.acme.x\x00", "demo.acme.x\n", 'demo.acme."x"', "demo.acme.ü",
    "demo.acme." + "x" * 121, "", "demo\\acme.x.y", ".hidden.acme.x",
]  # fmt: skip
HOSTILE_FILTERS = [
    "1=1; drop table x", "exists(select 1)", "read_text('/etc/passwd') is not null", "(line = 'A'", "line = 'A')",
    "line = 'A", "line = (select 'A')", "line in (select 'A')", "true union select 1", "line = ?", "line = $1",
    "line = :line", "line = 'A' -- all", "/* all */ line = 'A'", "glob('/etc/*') = 'x'", "getenv('HOME') = 'x'",
    "line = 'A' order by line", "drop table x", "pragma version", "copy boards to '/tmp/x'", "count(*) > 1",
    "row_number() over () = 1", "line = current_setting('home_directory')", "repeat('x', 1000000000) = line", "*",
    "columns('.*') = 'A'", "line a", "source.line = 'A'", "line = e'\\n'", "line = 'A'\x00", "(" * 3000,
    "not " * 3000 + "true", "line = " + "'x' || " * 3000 + "'x'", "line like any ('A')", "x -> x", "@",
    "file_row_number = 1", "attach 'x.db'", "set threads = 1", "line = (values (1))", "unnest([1]) = 1",
    "select line", "score > 'many'",
]  # fmt: skip


@pytest.fixture(params=["local"])
def lake(request, tmp_path):
    return {"local": LocalLake}[request.param](tmp_path / "home")


@pytest.fixture
def upload(lake, tmp_path):
    """Make text, bytes or a frame a table, as a person does with a file."""

    def put(content, name=BOARDS, *, original_name="boards.csv", **options):
        file = tmp_path / f"upload-{time.monotonic_ns()}"
        if isinstance(content, pa.Table | pd.DataFrame):
            table = content if isinstance(content, pa.Table) else pa.Table.from_pandas(content, preserve_index=False)
            pq.write_table(table, file)
            original_name = "boards.parquet"
        else:
            file.write_bytes(content if isinstance(content, bytes) else content.encode())
        return lake.put_table(name, file, original_name=original_name, **options)

    return put


def boards(count=200):
    """Boards b-000... over lines A (half), B (a third), C (the rest but one) and D (one)."""
    lines = ["D" if n == 0 else "A" if n % 6 < 3 else "B" if n % 6 < 5 else "C" for n in range(count)]
    return pd.DataFrame(
        {
            "board_id": [f"b-{n:03d}" for n in range(count)],
            "line": lines,
            "score": [n / 10 for n in range(count)],
            "note": [None if n % 7 == 0 else f"note {n}" for n in range(count)],
        }
    )


@pytest.fixture
def with_boards(lake, upload):
    upload(boards())
    return lake


def everything(source=BOARDS, **changes):
    return Selection(source, **{"item_id_column": "board_id", **changes})


def refs(lake, selection):
    return list(lake.page(selection, limit=1_000_000)["item_ref"])


def on_disk(tmp_path):
    return sorted(str(path.relative_to(tmp_path / "home")) for path in (tmp_path / "home").rglob("*"))


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


def test_names_are_quoted_part_by_part():
    assert split_name("main.my-schema.T_1") == ("main", "my-schema", "T_1")
    assert quote_name("main.my-schema.T_1", dialect="databricks") == "`main`.`my-schema`.`T_1`"
    assert quote_name("main.my-schema.T_1", dialect="duckdb") == '"main"."my-schema"."T_1"'
    with pytest.raises(Invalid):
        quote_name("main.s.`x`", dialect="databricks")


def test_a_damaged_sidecar_does_not_hide_the_table(with_boards, tmp_path):
    (tmp_path / "home/lake/demo/acme/boards.meta.json").write_text("[not json")
    assert with_boards.entry(BOARDS).comment == ""
    assert with_boards.count(everything()) == 200


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


# --- filter (SH-11) ---


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("line = 'A'", lambda row: row.line == "A"),
        ("LINE <> 'A' and Score >= 10", lambda row: row.line != "A" and row.score >= 10),
        ("not (line = 'A' or line = 'B')", lambda row: row.line in "CD"),
        ("line in ('C', 'D')", lambda row: row.line in "CD"),
        ("score between 1 and 2", lambda row: 1 <= row.score <= 2),
        ("note is null", lambda row: row.note is None),
        ("note is not null and score < 5", lambda row: row.note is not None and row.score < 5),
        ("lower(line) = 'a' and length(note) > 6", lambda row: row.line == "A" and len(row.note or "") > 6),
        ("contains(note, '19')", lambda row: "19" in (row.note or "")),
        ("starts_with(board_id, 'b-00')", lambda row: row.board_id.startswith("b-00")),
        ("board_id like 'b-_5%'", lambda row: row.board_id[3] == "5"),
        ("board_id ilike 'B-15%'", lambda row: row.board_id.startswith("b-15")),
        ("coalesce(note, '') = ''", lambda row: row.note is None),
        ("abs(score - 10) < 0.25", lambda row: abs(row.score - 10) < 0.25),
        ("round(score) = 7", lambda row: int(row.score + 0.5) == 7),
        ("cast(substring(board_id, 3) as integer) % 50 = 0", lambda row: int(row.board_id[2:]) % 50 == 0),
        ("case when line = 'D' then true else false end", lambda row: row.line == "D"),
        ("true", lambda row: True),
    ],
)
def test_filters_mean_what_they_say(with_boards, expression, expected):
    accepted = with_boards.check_filter(BOARDS, expression)
    wanted = [
        row.board_id for row in boards().astype(object).where(boards().notna(), None).itertuples() if expected(row)
    ]
    assert refs(with_boards, everything(where=accepted)) == wanted
    assert with_boards.count(everything(where=accepted)) == len(wanted)
    assert with_boards.check_filter(BOARDS, accepted) == accepted, "what was accepted stays accepted"


def test_filters_over_times(lake, upload):
    upload("id,at\n1,2026-01-05 09:00:00\n2,2025-12-31 23:59:59\n3,2026-02-01 00:00:00\n")
    for expression, wanted in {
        "at >= '2026-01-01'": ["1", "3"],
        "at < timestamp '2026-01-01 00:00:00'": ["2"],
        "year(at) = 2026 and month(at) = 1": ["1"],
        "date_trunc('month', at) = date '2026-02-01'": ["3"],
        "extract(hour from at) = 9": ["1"],
        "date_diff('day', at, date '2026-02-01') between 1 and 40": ["1", "2"],
        "at < now() + interval 1 day": ["1", "2", "3"],
    }.items():
        accepted = lake.check_filter(BOARDS, expression)
        assert refs(lake, Selection(BOARDS, "id", where=accepted)) == wanted, expression


@pytest.mark.parametrize("expression", HOSTILE_FILTERS)
def test_a_hostile_or_broken_filter_is_refused_with_one_line_and_a_hint(with_boards, expression):
    with pytest.raises(Invalid) as caught:
        with_boards.check_filter(BOARDS, expression)
    assert "\n" not in caught.value.message and len(caught.value.message) < 400 and caught.value.hint
    with pytest.raises(Invalid):
        with_boards.count(everything(where=expression))


def test_a_filter_must_be_true_or_false(with_boards):
    for expression in ("score", "line", "score + 1", "'A'"):
        with pytest.raises(Invalid, match="true or false"):
            with_boards.check_filter(BOARDS, expression)
    assert with_boards.check_filter(BOARDS, "  ") == ""


def test_a_refusal_says_where_and_what(with_boards):
    messages = {}
    for expression in ("line == = 'A'", "read_csv('x') = 1", 'line = "A"', "line = 'A"):
        with pytest.raises(Invalid) as caught:
            with_boards.check_filter(BOARDS, expression)
        messages[expression] = f"{caught.value.message} {caught.value.hint}"
    assert "character" in messages["line == = 'A'"]
    assert "read_csv" in messages["read_csv('x') = 1"]
    assert "single quotes" in messages['line = "A"']
    assert "not closed" in messages["line = 'A"]


@pytest.mark.parametrize(
    "value", ["1=1; drop table x", "it's", "--", "/* */", "(select 1)", "😀", '"', "\\", "%", "$1", "{{ x }}", "a\nb"]
)
def test_values_that_look_like_sql_are_only_texts(lake, upload, value):
    upload(pd.DataFrame({"id": ["1", "2"], "text": [value, "other"]}))
    accepted = lake.check_filter(BOARDS, "text = '" + value.replace("'", "''") + "'")
    assert refs(lake, Selection(BOARDS, "id", where=accepted)) == ["1"]
    assert refs(lake, Selection(BOARDS, "text", item_refs=(value,))) == [value]


def test_ambiguous_case_is_not_guessed(with_boards):
    from workbench_core.adapters.lake_query import find_column
    from workbench_core.ports import Column

    columns = [Column("Line", "VARCHAR", "string"), Column("LINE", "VARCHAR", "string")]
    assert find_column("LINE", columns).name == "LINE"
    with pytest.raises(Invalid):
        find_column("line", columns)


# --- sampling (SH-12) ---


@pytest.mark.parametrize("stratify", ["", "line"])
def test_a_sample_depends_on_the_seed_and_not_on_the_order(lake, upload, stratify):
    upload(boards())
    upload(boards().sample(frac=1, random_state=7), "demo.acme.shuffled")
    first = refs(lake, everything(sample_size=40, stratify_column=stratify))

    assert len(first) == 40 and first == sorted(first)
    assert refs(lake, everything(sample_size=40, stratify_column=stratify)) == first
    assert refs(lake, everything("demo.acme.shuffled", sample_size=40, stratify_column=stratify)) == first
    assert refs(lake, everything(sample_size=40, stratify_column=stratify, sample_seed=43)) != first
    assert lake.count(everything(sample_size=40, stratify_column=stratify)) == 40


def test_a_larger_sample_of_the_same_seed_keeps_the_smaller_one(with_boards):
    small, large = (set(refs(with_boards, everything(sample_size=size))) for size in (20, 50))
    assert small < large


def test_a_stratified_sample_keeps_proportions_and_at_least_one_of_each(with_boards):
    page = with_boards.page(everything(sample_size=40, stratify_column="line"), limit=100)
    assert Counter(page["line"]) == {"A": 20, "B": 13, "C": 6, "D": 1}
    few = with_boards.page(everything(sample_size=4, stratify_column="line"))
    assert sorted(few["line"]) == ["A", "B", "C", "D"]


def test_missing_values_are_a_stratum_of_their_own(with_boards):
    page = with_boards.page(everything(sample_size=172, stratify_column="note"), limit=200)
    assert page["note"].isna().sum() == 1, "171 notes and the missing one"


def test_a_sample_is_taken_behind_the_filter_and_may_be_larger_than_the_source(with_boards):
    sample = with_boards.page(everything(where="line = 'B'", sample_size=10))
    assert len(sample) == 10 and set(sample["line"]) == {"B"}
    assert with_boards.count(everything(sample_size=5000)) == 200
    with pytest.raises(Invalid, match="at least 1"):
        with_boards.count(everything(sample_size=0))


def test_chosen_items_are_taken_from_the_sample(with_boards):
    sample = refs(with_boards, everything(sample_size=20))
    outside = next(ref for ref in refs(with_boards, everything()) if ref not in sample)
    chosen = everything(sample_size=20, item_refs=(sample[3], outside, "no such item"))
    assert refs(with_boards, chosen) == [sample[3]]
    assert with_boards.count(everything(item_refs=())) == 0


def test_a_hundred_thousand_chosen_items_are_one_join(lake, upload):
    upload(pa.table({"n": range(200_000)}))
    chosen = Selection(BOARDS, "n", item_refs=tuple(str(n) for n in range(0, 200_000, 2)))
    started = time.perf_counter()
    assert lake.count(chosen) == 100_000
    assert sum(len(batch) for batch in lake.batches(chosen, size=5000)) == 100_000
    assert time.perf_counter() - started < 5


@pytest.mark.parametrize("offset", [0, 100_000, 199_950])
def test_a_page_of_200_000_rows_takes_less_than_300_ms(lake, upload, offset):
    text = ["some longer text of a board " * 8] * 200_000
    upload(pa.table({"id": [f"item-{n * 7919 % 200_000:06d}" for n in range(200_000)], "text": text}))
    selection = Selection(BOARDS, "id")
    lake.count(selection)
    took = []
    for _ in range(3):
        started = time.perf_counter()
        page = lake.page(selection, offset=offset)
        took.append(time.perf_counter() - started)
    assert list(page["item_ref"]) == [f"item-{n:06d}" for n in range(offset, offset + 50)]
    assert min(took) < 0.3


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
    "mixed line ends": ("id,text\r\n1,a\n2,b\r\n3,c\n", ["line ends"]),
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
    with pytest.raises(NotFound, match="not a volume"):
        lake.files(BOARDS)


def test_ten_thousand_files_list_quickly(lake):
    lake.put_files(PICTURES, {f"{n % 100}/{n}.png": b"x" for n in range(10_000)})
    started = time.perf_counter()
    assert lake.count(Selection(PICTURES, "path")) == 10_000
    assert len(lake.page(Selection(PICTURES, "path"))) == 50
    assert time.perf_counter() - started < 1.5


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
