"""Decisions about everything that a list shows, results that were cut, and the files of a run."""

from __future__ import annotations

import csv
import io
import json
import time
import tracemalloc

import numpy as np
import pandas as pd
import pytest

from tests.core.generation_parts import ANN, BEN
from tests.core.quality_parts import RULES, Flights
from workbench_core.data_quality import (
    Criticality,
    Decision,
    ItemKind,
    ItemState,
    QueueFilter,
    RuleDraft,
    ScanOptions,
)
from workbench_core.data_quality.near_duplicates import NearDuplicates
from workbench_core.errors import ChangedByOthers, Conflict, Invalid, NotPermitted, Stopped
from workbench_core.ports import ColumnRef, Join, JoinKey, JoinKind, JoinSource, SourceRole
from workbench_core.sheets import SheetDraft

REPEATED = QueueFilter(kind=ItemKind.DUPLICATES)


@pytest.fixture
def flights(tmp_path, clock):
    made = Flights(tmp_path, clock=clock)
    yield made
    made.store.close()


@pytest.fixture
def mails(flights):
    """Six mails in two groups of three, found by a run."""
    frame = pd.DataFrame({"id": [f"i{number}" for number in range(6)], "body": ["x", "x", "x", "y", "y", "y"]})
    flights.put_frame("main.air.mails", frame)
    flights.sheet = flights.sheets.create(SheetDraft("Mails", "main.air.mails", "id", text_columns=("body",)), by=ANN)
    flights.check(flights.sheet.id, options=ScanOptions(find_duplicates=True))
    return flights


def set_aside(flights):
    return set(flights.data_quality.quarantine.refs(flights.sheet.id))


# --- all that a list shows -------------------------------------------------------------------------------------------


def test_reopening_all_that_is_set_aside_leaves_accepted_items_alone(mails):
    queue, sheet_id = mails.data_quality.fix_queue, mails.sheet.id
    queue.decide(sheet_id, ["i0", "i1"], "set_aside", reason="repeated", by=ANN)
    queue.decide(sheet_id, ["i3"], "accept", reason="fine", by=BEN)
    listed = QueueFilter(kind=ItemKind.DUPLICATES, state=ItemState.SET_ASIDE)
    assert queue.decide_all(sheet_id, Decision.REOPEN, listed, reason="again", by=ANN).done == 2
    assert queue.item(sheet_id, "i3").state is ItemState.ACCEPTED
    assert set_aside(mails) == set()


@pytest.mark.parametrize(
    ("decision", "state"), [("reopen", "open"), ("set_aside", "set_aside"), ("accept", "accepted")]
)
def test_a_decision_that_the_listed_state_does_not_allow_is_refused(mails, decision, state):
    listed = QueueFilter(kind=ItemKind.DUPLICATES, state=ItemState(state))
    with pytest.raises(Invalid, match="cannot be decided like this"):
        mails.data_quality.fix_queue.decide_all(mails.sheet.id, decision, listed, reason="r", by=ANN)


@pytest.mark.parametrize(
    ("before", "stays"),
    [((), {"i0", "i3"}), (("i0",), {"i1", "i3"}), (("i0", "i1"), {"i2", "i3"}), (("i0", "i1", "i2"), {"i3"})],
)
def test_one_of_each_group_stays_whatever_was_set_aside_before(mails, before, stays):
    queue, sheet_id = mails.data_quality.fix_queue, mails.sheet.id
    if before:
        queue.decide(sheet_id, before, "set_aside", reason="by hand", by=BEN)
    queue.decide_all(sheet_id, "set_aside", REPEATED, reason="repeated", by=ANN)
    assert {f"i{number}" for number in range(6)} - set_aside(mails) == stays


def test_an_accepted_item_may_be_the_one_that_stays_and_accepting_all_leaves_none_out(mails):
    queue, sheet_id = mails.data_quality.fix_queue, mails.sheet.id
    queue.decide(sheet_id, ["i0"], "accept", reason="the original", by=BEN)
    assert queue.decide_all(sheet_id, "set_aside", QueueFilter(REPEATED.kind, search="i"), reason="r", by=ANN).done == 4
    assert set_aside(mails) == {"i1", "i2", "i4", "i5"}
    assert queue.decide_all(sheet_id, "accept", REPEATED, reason="fine", by=ANN).done == 1


def test_an_identifier_that_repeats_itself_in_a_group_is_not_set_aside_with_its_copy(flights):
    flights.put_frame("main.air.mails", pd.DataFrame({"id": ["a", "b", "a"], "body": ["x", "x", "x"]}))
    flights.sheet = flights.sheets.create(SheetDraft("Mails", "main.air.mails", "id", text_columns=("body",)), by=ANN)
    flights.check(flights.sheet.id, options=ScanOptions(find_duplicates=True))
    flights.data_quality.fix_queue.decide_all(flights.sheet.id, "set_aside", REPEATED, reason="r", by=ANN)
    assert set_aside(flights) == {"b"}


def test_all_without_the_first_is_all(mails):
    queue = mails.data_quality.fix_queue
    assert queue.decide_all(mails.sheet.id, "set_aside", REPEATED, reason="r", by=ANN, keep_first=False).done == 6


def test_a_list_of_an_older_run_decides_nothing(mails):
    """What the person saw counts, not what is newest at the moment of the click."""
    queue, sheet_id = mails.data_quality.fix_queue, mails.sheet.id
    shown = queue.items(sheet_id, REPEATED).run_id
    mails.check(sheet_id, options=ScanOptions(find_duplicates=True))
    with pytest.raises(ChangedByOthers, match="have run again") as caught:
        queue.decide_all(sheet_id, "set_aside", REPEATED, reason="r", by=ANN, shown_run=shown)
    assert "decide again" in caught.value.hint
    assert set_aside(mails) == set()
    shown = queue.items(sheet_id, REPEATED).run_id
    assert queue.decide_all(sheet_id, "set_aside", REPEATED, reason="r", by=ANN, shown_run=shown).done == 4


def test_a_run_that_did_not_look_for_duplicates_makes_their_list_no_older(mails):
    queue, sheet_id = mails.data_quality.fix_queue, mails.sheet.id
    mails.data_quality.save_rule(sheet_id, RuleDraft("is_not_null", ("body",)), by=ANN)
    shown = queue.items(sheet_id, REPEATED).run_id
    mails.check(sheet_id)
    assert queue.decide_all(sheet_id, "set_aside", REPEATED, reason="r", by=ANN, shown_run=shown).done == 4


def test_many_groups_are_thinned_in_a_moment(flights):
    """Twenty thousand pairs: the first of each is found by one pass, not by a look for each item."""
    bodies = [f"text {number // 2}" for number in range(40_000)]
    flights.put_frame("main.air.pairs", pd.DataFrame({"id": [f"i{n:05d}" for n in range(40_000)], "body": bodies}))
    sheet = flights.sheets.create(SheetDraft("Pairs", "main.air.pairs", "id", text_columns=("body",)), by=ANN)
    flights.check(sheet.id, options=ScanOptions(find_duplicates=True))
    began = time.process_time()
    assert flights.data_quality.fix_queue.decide_all(sheet.id, "set_aside", REPEATED, reason="r", by=ANN).done == 20_000
    assert time.process_time() - began < 5, "below a second on an idle machine"


# --- what is cut is told ---------------------------------------------------------------------------------------------


@pytest.fixture
def cut(flights, monkeypatch):
    """A run that found 521 failing values and keeps 100."""
    monkeypatch.setattr("workbench_core.data_quality.checking.MOST_KEPT", 100)
    flights.sheet = flights.make_flights()
    flights.data_quality.save_rule(flights.sheet.id, RULES[6], by=ANN)
    flights.run = flights.check(flights.sheet.id)
    return flights


def test_a_list_that_is_not_complete_says_so(cut):
    page = cut.data_quality.fix_queue.items(cut.sheet.id)
    assert page.total == 100
    assert page.note == cut.run.cut_note
    assert page.note.startswith("The run found 521 failing values and keeps the first 100; the others are in no list.")
    assert cut.data_quality.kept_failing(cut.run.id, 0) == 100


def test_the_file_of_a_cut_run_says_in_its_name_that_it_is_not_all(cut):
    """DQ-7."""
    file = cut.data_quality.failures_file(cut.run.id, by=BEN)
    assert file.name == "flights-failing-first-100-of-521.csv"
    assert len(list(csv.reader(io.StringIO("".join(file.pieces))))) == 101
    event = cut.history.of("sheet", cut.sheet.id)[0]
    assert (event.action, event.by, event.details["values"]) == ("export failing values", BEN, 100)
    report = json.loads(cut.data_quality.report_json(cut.run.id))
    assert report["failing_values"] == {"found": 521, "kept": 100}


def test_a_complete_run_has_no_note_and_a_plain_name(flights):
    sheet = flights.make_flights()
    flights.data_quality.save_rule(sheet.id, RULES[6], by=ANN)
    run = flights.check(sheet.id)
    assert (run.cut_note, flights.data_quality.fix_queue.items(sheet.id).note) == ("", "")
    assert flights.data_quality.failures_file(run.id, by=ANN).name == "flights-failing.csv"
    with pytest.raises(NotPermitted, match="signed in"):
        flights.data_quality.failures_file(run.id, by="")


def test_a_file_whose_values_are_removed_meanwhile_breaks_off_instead_of_ending_early(flights):
    sheet = flights.make_flights()
    flights.data_quality.save_rule(sheet.id, RULES[6], by=ANN)
    file = flights.data_quality.failures_file(flights.check(sheet.id).id, by=ANN)
    flights.check(sheet.id)
    flights.check(sheet.id)
    with pytest.raises(Conflict, match="not kept any more"):
        list(file.pieces)


def test_near_duplicates_beyond_what_is_kept_are_counted(flights, monkeypatch):
    monkeypatch.setattr("workbench_core.data_quality.scans.MOST_KEPT", 4)
    bodies = [f"one two three four {name}" for name in "abc" for _ in range(3)]
    flights.put_frame("main.air.mails", pd.DataFrame({"id": [f"i{n}" for n in range(9)], "body": bodies}))
    sheet = flights.sheets.create(SheetDraft("Mails", "main.air.mails", "id", text_columns=("body",)), by=ANN)
    run = flights.check(sheet.id, options=ScanOptions(near_duplicate_column="body", similarity=0.9))
    scan = run.scans[ItemKind.NEAR_DUPLICATES]
    assert (scan.items, scan.kept, scan.groups) == (9, 4, 3)
    page = flights.data_quality.fix_queue.items(sheet.id, QueueFilter(kind=ItemKind.NEAR_DUPLICATES))
    assert "found 9 near-duplicates and keeps the first 4" in page.note
    assert page.items[0].shown[0].value == "one two three four a"


# --- only errors -----------------------------------------------------------------------------------------------------


def test_only_errors_leaves_out_what_only_warns(flights):
    sheet = flights.make_flights()
    late = RuleDraft("is_not_greater_than", ("dep_delay",), {"limit": 600}, criticality=Criticality.WARN)
    flights.data_quality.save_rules(sheet.id, [RULES[6], late], by=ANN)
    run = flights.check(sheet.id)
    queue = flights.data_quality.fix_queue
    assert queue.items(sheet.id).total == 521 + run.outcomes[1].failed
    assert queue.items(sheet.id, QueueFilter(severity=Criticality.ERROR)).total == 521


# --- set aside -------------------------------------------------------------------------------------------------------


def test_rows_that_are_set_aside_are_counted_once_also_when_a_join_repeats_them(flights):
    """One count of the lake; an item with three rows counts three."""
    flights.put_frame("main.air.left", pd.DataFrame({"id": ["a", "b", "c"], "key": [1, 2, 3]}))
    flights.put_frame("main.air.right", pd.DataFrame({"key": [1, 1, 1, 2], "note": list("wxyz")}))
    sources = (JoinSource("main.air.left", "l", SourceRole.PRIMARY), JoinSource("main.air.right", "r"))
    join = Join(sources, (JoinKey(ColumnRef("l", "key"), ColumnRef("r", "key")),), JoinKind.LEFT)
    sheet = flights.sheets.create(SheetDraft("Joined", "main.air.left", "l__id", join=join), by=ANN)
    queue, quarantine = flights.data_quality.fix_queue, flights.data_quality.quarantine
    queue.decide(sheet.id, ["a", "c"], "set_aside", reason="r", by=ANN)
    counted = []
    count = flights.lake.count
    flights.lake.count = lambda selection: counted.append(selection) or count(selection)
    whole = sheet.selection()
    set_aside_rows = quarantine.count_within(flights.lake, whole, sheet.id)
    assert len(counted) == 1
    assert set_aside_rows == count(whole) - count(quarantine.without(whole, sheet.id))
    assert quarantine.count_within(flights.lake, sheet.selection(item_refs=("b", "c")), sheet.id) == 1
    assert quarantine.count_within(flights.lake, sheet.selection(excluded_refs=("a",)), sheet.id) == 1


# --- near-duplicates -------------------------------------------------------------------------------------------------


def changed(words, chance, count):
    at = set(chance.choice(len(words), count, replace=False).tolist())
    return [f"other{number}" if number in at else word for number, word in enumerate(words)]


def test_pairs_above_the_threshold_are_found_and_those_well_below_are_not():
    chance = np.random.default_rng(5)
    for count, least, most in ((1, 1.0, 1.0), (3, 0.95, 1.0), (8, 0.0, 0.01)):
        texts = [[f"word{number}" for number in chance.integers(0, 5000, 60)] for _ in range(300)]
        texts += [changed(words, chance, count) for words in texts]
        search = NearDuplicates(0.8)
        search.add([str(number) for number in range(600)], [" ".join(words) for words in texts])
        assert least <= len(list(search.groups())) / 600 <= most, count


def test_a_search_keeps_no_text_whatever_its_length():
    search = NearDuplicates(0.8)
    search.add(["first"], ["libraries are loaded"])
    tracemalloc.start()
    try:
        for start in range(0, 2_000, 500):
            numbers = range(start, start + 500)
            search.add([f"i{n}" for n in numbers], [" ".join(f"w{n}x{place}" for place in range(200)) for n in numbers])
        kept, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert kept < 2_000 * 700, "some 500 bytes each; the texts have 1,500 characters"


def test_a_search_stops_when_the_work_must_end():
    def stop():
        raise Stopped("stopped")

    search = NearDuplicates(0.8)
    search.add(["a", "b"], ["one two", "one two"])
    with pytest.raises(Stopped):
        list(search.groups(stop))


def test_no_text_at_all_makes_no_group():
    assert list(NearDuplicates(0.8).groups()) == []
