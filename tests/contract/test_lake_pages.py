"""Pages of a selection: the same rows as its batches at every offset, fast far down too (SH-7, JN-4)."""

from __future__ import annotations

import threading
import time
from dataclasses import replace

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from tests.contract.lake_tables import key, primary, put, ref
from workbench_core.adapters.local.lake import page_index
from workbench_core.ports import Join, JoinKind, JoinSource, Matches, Selection, TimeWindow

A, B, C = (f"main.t.{name}" for name in "abc")


def fan_out(lake, *, rows=26):
    """Items with none, one or several matches in two sources; item numbers lie in random order, two are doubled."""
    numbers = np.random.default_rng(5).permutation(rows)
    left = pd.DataFrame({"id": [f"i{n % (rows - 2):04d}" for n in numbers], "k": numbers % 7, "n": numbers})
    put(lake, A, left)
    put(lake, B, pd.DataFrame({"k": [0, 1, 1, 2, 2, 2, 5], "v": list("abcdefg")}))
    put(lake, C, pd.DataFrame({"k": [2, 2, 3, 6], "w": list("wxyz"), "at": pd.to_datetime(["2026-01-05"] * 4)}))
    return Join(
        (primary(A, "a"), JoinSource(B, "b"), JoinSource(C, "c")), (key("a.k", "b.k"), key("a.k", "c.k")), JoinKind.LEFT
    )


def same(left, right):
    """The same rows in the same order; gaps count as equal, whatever a frame holds for them."""
    rows = [
        [tuple("gap" if not isinstance(value, list) and pd.isna(value) else value for value in row) for row in values]
        for values in (left.astype(object).itertuples(index=False), right.astype(object).itertuples(index=False))
    ]
    assert rows[0] == rows[1]


def check_every_page(lake, selection, *, limit, columns=()):
    """Every page is the slice of the batches at its offset, on a lake that knows the order and on one that does not."""
    whole = pd.concat(
        [lake.page(selection, columns=columns, limit=0), *lake.batches(selection, columns=columns, size=7)]
    )
    assert len(whole) == lake.count(selection)
    for offset in range(len(whole) + 2):
        page = lake.page(selection, columns=columns, limit=limit, offset=offset)
        assert list(page.columns) == list(whole.columns)
        same(page, whole.iloc[offset : offset + limit])
    return whole


SELECTIONS = {
    "all": {},
    "a filter on the primary source": {"where": "a__n > 10"},
    "a filter on a secondary source": {"where": "b__v <> 'd' OR c__w IS NULL"},
    "a sample": {"sample_size": 12},
    "a stratified sample": {"sample_size": 12, "stratify_column": "b__v"},
    "chosen items": {"item_refs": ("i0002", "i0009", "i0016", "nobody")},
    "excluded items": {"excluded_refs": ("i0000", "i0002", "i0009")},
    "an identifier of a secondary source": {"item_id_column": "b__v"},
    "no identifier": {"item_id_column": ""},
    "nothing": {"where": "a__n < 0"},
}


@pytest.mark.parametrize("kind", list(JoinKind))
@pytest.mark.parametrize("case", SELECTIONS)
@pytest.mark.parametrize("first_rows", [page_index.FIRST_ROWS, 5])
def test_a_page_of_a_join_is_a_slice_of_its_batches_at_every_offset(lake, monkeypatch, kind, case, first_rows):
    monkeypatch.setattr(page_index, "FIRST_ROWS", first_rows)  # 5: most pages need the whole order
    selection = Selection(replace(fan_out(lake), kind=kind), **{"item_id_column": "a__id", **SELECTIONS[case]})
    if not selection.item_id_column:
        pages = [lake.page(selection, limit=4, offset=offset) for offset in range(0, lake.count(selection), 4)]
        assert sum(len(page) for page in pages) == lake.count(selection)
        same(pd.concat(pages), lake.page(selection, limit=100_000))
        return
    whole = check_every_page(lake, selection, limit=4)
    assert list(whole["item_ref"]) == sorted(whole["item_ref"])
    assert (len(whole) == 0) == (case == "nothing")


@pytest.mark.parametrize("kind", list(JoinKind))
@pytest.mark.parametrize("matches", [Matches.FIRST, Matches.LATEST, Matches.LIST])
def test_pages_counts_and_statistics_of_a_join_with_chosen_matches_agree(lake, kind, matches):
    join = fan_out(lake)
    chosen = replace(join.sources[1], matches=matches, order_column="v")
    join = replace(join, sources=(join.sources[0], chosen, join.sources[2]), kind=kind)
    whole = check_every_page(lake, Selection(join, "a__id"), limit=3, columns=["b__v", "a__n", "c__w"])
    value = {Matches.FIRST: "d", Matches.LATEST: "f", Matches.LIST: ["d", "e", "f"]}[matches]
    assert list(whole[whole["a__n"] == 2]["b__v"]) == [value] * 2
    if matches is not Matches.LIST:
        found = check_every_page(lake, Selection(join, "a__id", where=f"b__v = '{value}'"), limit=3)
        assert set(found["b__v"]) == {value}
    stats = lake.join_stats(join, "a__id")
    assert stats.joined_rows == lake.count(Selection(join, "")) == len(lake.page(Selection(join, ""), limit=100_000))
    found_both = whole[whole["b__v"].notna() & whole["c__w"].notna()]
    assert stats.matched_rows == found_both["item_ref"].nunique() > 0


def test_pages_of_joins_with_a_time_window_and_with_files(lake):
    join = fan_out(lake)
    put(
        lake,
        "main.t.d",
        pd.DataFrame({"k": [2, 2, 3], "day": pd.to_datetime(["2026-01-05", "2026-01-06", "2026-01-05"])}),
    )
    lake.put_files("main.t.files", {f"{n}/p{n}.png": b"1" for n in range(4)})
    sources = (*join.sources, JoinSource("main.t.d", "d"), JoinSource("main.t.files", "f"))
    keys = (*join.keys, key("c.k", "d.k"), key("a.k", "f.size_bytes"))
    window = TimeWindow(ref("c.at"), ref("d.day"), 60)
    check_every_page(lake, Selection(Join(sources, keys, JoinKind.LEFT, window), "a__id"), limit=5)


@pytest.mark.parametrize("identifier", ["id", "n", "k", ""])
def test_a_page_of_a_table_is_a_slice_of_its_batches_at_every_offset(lake, monkeypatch, identifier):
    monkeypatch.setattr(page_index, "FIRST_ROWS", 6)
    fan_out(lake)
    if identifier:
        whole = check_every_page(lake, Selection(A, identifier, where="n <> 3"), limit=4)
        assert list(whole["item_ref"]) == sorted(whole["item_ref"]), "in the order of the text: 10 before 9"
    else:
        pages = [lake.page(Selection(A, ""), limit=9, offset=offset) for offset in (0, 9, 18, 27, 36)]
        assert list(pd.concat(pages)["n"]) == list(lake.page(Selection(A, ""), limit=2000)["n"])


def test_a_table_without_row_numbers_pages_the_same_way(lake, tmp_path):
    folder = tmp_path / "home/lake/main/t"
    folder.mkdir(parents=True)
    (folder / "plain.csv").write_text("id,v\n" + "".join(f"{n % 5},{n}\n" for n in range(20)))
    check_every_page(lake, Selection("main.t.plain", "id"), limit=3)
    join = Join((primary("main.t.plain", "a"), JoinSource("main.t.plain", "b")), (key("a.id", "b.id"),))
    check_every_page(lake, Selection(join, "a__id"), limit=7)


def test_a_page_shows_what_the_files_hold_now(lake):
    join = fan_out(lake)
    selection = Selection(join, "a__id", where="b__v = 'g'")
    before = lake.count(selection)
    assert len(lake.page(selection, limit=1000)) == before > 0
    lake.drop(B)
    put(lake, B, pd.DataFrame({"k": [5, 5], "v": ["g", "g"]}))
    assert len(lake.page(selection, limit=1000)) == 2 * before
    lake.drop(A)
    put(lake, A, pd.DataFrame({"id": ["new"], "k": [5], "n": [0]}))
    assert list(lake.page(selection)["item_ref"]) == ["new", "new"]


def test_a_filter_that_asks_for_the_time_is_asked_anew(lake):
    soon = pd.Timestamp.now(tz="UTC") + pd.Timedelta(seconds=0.6)
    put(lake, A, pd.DataFrame({"id": ["past", "soon"], "at": [soon - pd.Timedelta(hours=1), soon]}))
    selection = Selection(A, "id", where=lake.check_filter(A, "at < now()"))
    assert list(lake.page(selection)["item_ref"]) == ["past"]
    time.sleep(0.7)
    assert list(lake.page(selection)["item_ref"]) == ["past", "soon"]


def test_the_order_of_rows_is_kept_within_a_limit_of_memory(lake):
    fan_out(lake, rows=400)
    index = page_index.PageIndex(max_bytes=5000)
    lake._pages = index
    for low in range(20):
        selection = Selection(A, "id", where=f"n >= {low}")
        assert lake.page(selection, limit=10, offset=350 - low)["item_ref"].is_monotonic_increasing
        assert 0 < index.nbytes <= 5000
    lake._pages = page_index.PageIndex(max_bytes=100)
    same(
        lake.page(Selection(A, "id"), limit=10, offset=390),
        next(iter(lake.batches(Selection(A, "id"), size=400)))[390:],
    )


def test_after_the_first_page_the_rest_is_put_in_order_ahead_once(lake, monkeypatch):
    monkeypatch.setattr(page_index, "FIRST_ROWS", 5)
    put(lake, A, pd.DataFrame({"id": [f"i{n:03d}" for n in np.random.default_rng(2).permutation(60)]}))
    selection = Selection(A, "id")
    ordered, complete = [], lake._pages.complete
    monkeypatch.setattr(lake._pages, "complete", lambda *given: ordered.append(given[0]) or complete(*given))
    for _ in range(3):
        lake.page(selection, limit=5)
    lake._ahead.submit(int).result()  # what was asked for before this is done
    assert ordered == [selection]
    assert lake.page(selection, limit=2, offset=58)["id"].tolist() == ["i058", "i059"]
    assert len(ordered) == 1, "the jump to the end found the order ready"


def test_many_people_page_one_join_at_once(lake):
    join = fan_out(lake, rows=3000)
    selection = Selection(join, "a__id")
    whole = pd.concat(lake.batches(selection))
    wrong = []

    def look(offset):
        for shift in range(3):
            page = lake.page(selection, limit=20, offset=offset + shift)
            if list(page["item_ref"]) != list(whole["item_ref"][offset + shift : offset + shift + 20]):
                wrong.append(offset)

    threads = [threading.Thread(target=look, args=(offset,)) for offset in (0, 100, 1999, 2500, 3500, 4000)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


def test_any_page_of_a_join_over_half_a_million_rows_takes_less_than_300_ms(lake):
    rows = 500_000
    numbers = (np.arange(rows) * 7919) % rows
    put(
        lake,
        A,
        pa.table({"id": [f"item-{n:06d}" for n in numbers], "k": numbers % 5000, "text": ["text " * 20] * rows}),
    )
    put(lake, B, pa.table({"k": range(5000), "name": [f"name {n}" for n in range(5000)]}))
    put(lake, C, pa.table({"name": [f"name {n}" for n in range(5000)], "city": ["Ulm"] * 5000}))
    join = Join(
        (primary(A, "a"), JoinSource(B, "b"), JoinSource(C, "c")),
        (key("a.k", "b.k"), key("b.name", "c.name")),
        JoinKind.LEFT,
    )
    lake.count(Selection(join, "a__id"))
    took = {}
    for offset in (0, 50, rows // 2, rows - 50):
        runs = []
        for attempt in range(3):  # the best of three, or the work of all cores: other programs run beside the tests
            fresh = Selection(join, "a__id", where=f"a__k >= -{attempt}")
            started, worked = time.perf_counter(), time.process_time()
            page = lake.page(fresh, offset=offset)
            runs.append(min(time.perf_counter() - started, time.process_time() - worked))
            assert list(page["item_ref"]) == [f"item-{n:06d}" for n in range(offset, offset + 50)]
            assert page["b__name"][0] == f"name {offset % 5000}" and set(page["c__city"]) == {"Ulm"}
        took[offset] = min(runs)
    assert max(took.values()) < 0.3, took
