"""The lake contract: which rows a filter and a sample choose, and which filters are refused (SH-11, SH-12)."""

from __future__ import annotations

import time
from collections import Counter

import pandas as pd
import pyarrow as pa
import pytest

from tests.contract.lake_tables import BOARDS, boards, everything, refs
from workbench_core.errors import Invalid
from workbench_core.ports import Selection

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
