"""The fix queue: failing items, duplicates and outliers, what people decide, and that generation leaves it out."""

from __future__ import annotations

import threading
import time

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.core.generation_parts import ANN, BEN
from tests.core.improve_parts import Improving, is_html, item
from tests.core.quality_parts import RULES, Flights, planted
from workbench_core.data_quality import Criticality, Decision, ItemKind, ItemState, QueueFilter, RuleDraft, ScanOptions
from workbench_core.data_quality.near_duplicates import NearDuplicates
from workbench_core.data_quality.outliers import find_outliers
from workbench_core.errors import Invalid, NotFound
from workbench_core.pairs import PairFilter
from workbench_core.prompt_templates import AnswerSource
from workbench_core.sheets import SheetDraft
from workbench_core.training_sheets import GenerationRequest

WORDS = [f"word{number}" for number in range(5000)]


@pytest.fixture
def flights(tmp_path, clock):
    made = Flights(tmp_path, clock=clock)
    yield made
    made.store.close()


@pytest.fixture
def checked(flights):
    """The planted flights after a run; identifiers are unique."""
    defects = planted(with_duplicates=False)
    sheet = flights.make_flights(defects.frame)
    flights.data_quality.save_rules(sheet.id, RULES, by=ANN)
    flights.check(sheet.id)
    flights.sheet, flights.defects = sheet, defects
    return flights


def refs_of(flights, rows):
    return set(flights.defects.frame["flight_id"].iloc[sorted(rows)])


def texts(count, seed=7, length=60):
    chance = np.random.default_rng(seed)
    return [
        " ".join(WORDS[number] for number in row) for row in chance.integers(0, len(WORDS), (count, length)).tolist()
    ]


# --- looking ---------------------------------------------------------------------------------------------------------


def test_the_queue_lists_every_failing_item_once_those_with_most_problems_first(checked):
    queue = checked.data_quality.fix_queue
    page = queue.items(checked.sheet.id, limit=100)
    assert page.total == len(checked.defects.any_failing)
    problems = [item.problems for item in page.items]
    assert problems == sorted(problems, reverse=True)
    assert problems[0] == max(
        sum(row in rows for rows in checked.defects.failing.values()) for row in checked.defects.any_failing
    )
    assert all(len(item.shown) == item.problems for item in page.items)
    seen = [
        item.item_ref for offset in range(0, page.total, 1000)
        for item in queue.items(checked.sheet.id, limit=1000, offset=offset).items
    ]  # fmt: skip
    assert len(seen) == len(set(seen))
    assert set(seen) == refs_of(checked, checked.defects.any_failing)


def test_the_queue_is_narrowed_by_rule_and_search(checked):
    queue = checked.data_quality.fix_queue
    page = queue.items(checked.sheet.id, QueueFilter(rule="distance"), limit=100)
    assert {item.item_ref for item in page.items} == refs_of(checked, checked.defects.failing["distance"])
    assert queue.items(checked.sheet.id, QueueFilter(search="n0orphan1")).total == 11, "N0ORPHAN1 and N0ORPHAN10 to 19"
    assert queue.items(checked.sheet.id, QueueFilter(search="%")).total == 0, "a percent sign is only itself"
    assert queue.items(checked.sheet.id, QueueFilter(state=ItemState.SET_ASIDE)).total == 0


def test_an_item_shows_all_that_is_wrong_with_it_and_its_row(checked):
    most = checked.data_quality.fix_queue.items(checked.sheet.id, limit=1).items[0]
    item = checked.data_quality.fix_queue.item(checked.sheet.id, most.item_ref)
    frame = checked.defects.frame.set_index("flight_id")
    row = checked.defects.frame.index[checked.defects.frame["flight_id"] == most.item_ref][0]
    assert {problem.name for problem in item.problems} == {
        name for name, rows in checked.defects.failing.items() if row in rows
    }
    assert item.values["dest"] == frame.loc[most.item_ref, "dest"]
    assert all(problem.meaning and problem.criticality == "error" for problem in item.problems)
    with pytest.raises(NotFound, match="is no item"):
        checked.data_quality.fix_queue.item(checked.sheet.id, "nowhere")


# --- deciding --------------------------------------------------------------------------------------------------------


def test_every_decision_needs_a_reason_and_is_kept_with_who_and_when(checked):
    queue, sheet_id = checked.data_quality.fix_queue, checked.sheet.id
    item = queue.items(sheet_id, QueueFilter(rule="time"), limit=1).items[0].item_ref
    with pytest.raises(Invalid, match="reason"):
        queue.decide(sheet_id, [item], "set_aside", reason=" ", by=ANN)
    with pytest.raises(Invalid, match="no decision"):
        queue.decide(sheet_id, [item], "burn", reason="x", by=ANN)
    queue.decide(sheet_id, [item], Decision.SET_ASIDE, reason="the year is wrong", by=ANN)
    queue.decide(sheet_id, [item], Decision.REOPEN, reason="a mistake", by=BEN)
    queue.decide(sheet_id, [item], Decision.ACCEPT, reason="known", by=ANN)
    details = queue.item(sheet_id, item)
    assert (details.state, details.reason) == ("accepted", "known")
    assert [(past.decision, past.decided_by, past.reason) for past in details.decisions] == [
        ("accept", ANN, "known"), ("reopen", BEN, "a mistake"), ("set_aside", ANN, "the year is wrong"),
    ]  # fmt: skip
    assert {event.action for event in checked.history.of("sheet", sheet_id)} >= {
        "set aside items", "reopen items", "accept items",
    }  # fmt: skip


def test_the_second_of_two_people_is_told_what_the_first_decided(checked):
    queue, sheet_id = checked.data_quality.fix_queue, checked.sheet.id
    first, second, third = (item.item_ref for item in queue.items(sheet_id, limit=3).items)
    assert queue.decide(sheet_id, [first, second], "set_aside", reason="broken", by=ANN).done == 2
    result = queue.decide(sheet_id, [second, third, "nowhere"], "accept", reason="fine", by=BEN)
    assert result.done == 1
    assert set(result.refused) == {second, "nowhere"}
    assert f"was set aside by {ANN} already" in result.refused[second]
    assert queue.item(sheet_id, second).state == "set_aside"
    assert queue.decide(sheet_id, [third, first], "reopen", reason="again", by=BEN).done == 2
    assert "open already" in queue.decide(sheet_id, [third], "reopen", reason="again", by=BEN).refused[third]


def test_two_decisions_at_the_same_moment_do_not_overwrite_each_other(checked):
    queue, sheet_id = checked.data_quality.fix_queue, checked.sheet.id
    items = [item.item_ref for item in queue.items(sheet_id, limit=50).items]
    results = {}

    def decide(decision, by):
        results[by] = queue.decide(sheet_id, items, decision, reason="now", by=by)

    people = [threading.Thread(target=decide, args=pair) for pair in (("set_aside", ANN), ("accept", BEN))]
    for person in people:
        person.start()
    for person in people:
        person.join()
    assert sorted(result.done for result in results.values()) == [0, 50]
    loser = min(results.values(), key=lambda result: result.done)
    assert len(loser.refused) == 50


def test_all_failing_items_are_set_aside_with_one_command(checked):
    queue, sheet_id = checked.data_quality.fix_queue, checked.sheet.id
    one = queue.items(sheet_id, QueueFilter(rule="distance"), limit=1).items[0].item_ref
    queue.decide(sheet_id, [one], "accept", reason="a detour", by=BEN)
    began = time.perf_counter()
    done = queue.decide_all(sheet_id, "set_aside", reason="fails the rules", by=ANN)
    assert time.perf_counter() - began < 2
    assert done.done == len(checked.defects.any_failing) - 1
    refs = set(checked.data_quality.quarantine.refs(sheet_id))
    assert refs == refs_of(checked, checked.defects.any_failing) - {one}
    assert queue.items(sheet_id).total == 0
    assert queue.items(sheet_id, QueueFilter(state=ItemState.ACCEPTED)).items[0].decided_by == BEN
    assert queue.counts(sheet_id) == {ItemKind.FAILING: 0}
    assert queue.decide_all(sheet_id, "set_aside", reason="again", by=ANN).done == 0
    assert queue.decided(sheet_id, search="fails the").total == done.done
    assert (
        queue.decide_all(
            sheet_id, "reopen", QueueFilter(state=ItemState.SET_ASIDE, rule="time"), reason="undo", by=ANN
        ).done
        == 17
    )
    assert len(queue.item(sheet_id, one).decisions) == 1


def test_a_decision_about_all_says_when_the_run_keeps_fewer_than_it_found(flights, monkeypatch):
    monkeypatch.setattr("workbench_core.data_quality.checking.MOST_KEPT", 100)
    sheet = flights.make_flights()
    flights.data_quality.save_rule(sheet.id, RULES[6], by=ANN)
    run = flights.check(sheet.id)
    assert (run.failed, run.failure_count, run.kept_failures, run.is_complete) == (521, 521, 100, False)
    done = flights.data_quality.fix_queue.decide_all(sheet.id, "set_aside", reason="cancelled", by=ANN)
    assert (done.done, "found 521 failing values and keeps the first 100;" in done.note) == (100, True)


def test_items_that_only_fail_warnings_are_left_alone(flights):
    sheet = flights.make_flights()
    late = RuleDraft("is_not_greater_than", ("dep_delay",), {"limit": 600}, criticality=Criticality.WARN)
    flights.data_quality.save_rules(sheet.id, [RULES[6], late], by=ANN)
    run = flights.check(sheet.id)
    assert run.outcomes[1].failed > 0
    queue = flights.data_quality.fix_queue
    only_errors = QueueFilter(severity=Criticality.ERROR)
    assert queue.items(sheet.id, only_errors).total == 521
    assert queue.decide_all(sheet.id, "set_aside", only_errors, reason="cancelled", by=ANN).done == 521
    done = queue.decide_all(sheet.id, "set_aside", reason="too late", by=ANN)
    assert done.done == run.outcomes[1].failed


# --- quarantine ------------------------------------------------------------------------------------------------------


def request_for(flights, sheet_id, **changes):
    template = flights.make_template(user_prompt="{{ carrier }} {{ flight }}")
    return GenerationRequest(
        sheet_id, template, {"carrier": "carrier", "flight": "flight"},
        **({"answer_source": AnswerSource.MANUAL, "filter": "day = 1", "row_limit": 5000} | changes),
    )  # fmt: skip


def test_generation_leaves_out_exactly_what_is_set_aside(checked):
    """DQ-8."""
    first_day = checked.defects.frame[checked.defects.frame["day"] == 1]
    failing = refs_of(checked, checked.defects.any_failing) & set(first_day["flight_id"])
    request = request_for(checked, checked.sheet.id)
    before = checked.training_sheets.preflight(request)
    assert (before.selected, before.quarantined) == (len(first_day), 0)
    checked.data_quality.fix_queue.decide_all(checked.sheet.id, "set_aside", reason="fails", by=ANN)
    after = checked.training_sheets.preflight(request)
    assert (after.selected, after.quarantined) == (len(first_day) - len(failing), len(failing))
    made = checked.training_sheets.generate(request, by=ANN)
    checked.work()
    pairs = checked.pairs.find(made.id, PairFilter(), limit=5000)
    assert {pair.item_ref for pair in pairs} == set(first_day["flight_id"]) - failing
    done = checked.training_sheets.get(made.id)
    assert (done.status, done.left_out_items) == ("review", 0)


def test_items_that_are_reopened_are_appended_later(checked):
    checked.data_quality.fix_queue.decide_all(checked.sheet.id, "set_aside", reason="fails", by=ANN)
    made = checked.training_sheets.generate(request_for(checked, checked.sheet.id), by=ANN)
    checked.work()
    before = checked.pairs.count(made.id)
    back = checked.data_quality.quarantine.refs(checked.sheet.id)
    first_day = set(checked.defects.frame[checked.defects.frame["day"] == 1]["flight_id"])
    some = [ref for ref in back if ref in first_day][:5]
    checked.data_quality.fix_queue.decide(checked.sheet.id, some, "reopen", reason="repaired", by=ANN)
    checked.training_sheets.append_new(made.id, by=ANN)
    checked.work()
    assert checked.pairs.count(made.id) == before + 5


def test_a_person_can_include_what_is_set_aside(checked):
    checked.data_quality.fix_queue.decide_all(checked.sheet.id, "set_aside", reason="fails", by=ANN)
    request = request_for(checked, checked.sheet.id, includes_set_aside=True)
    found = checked.training_sheets.preflight(request)
    first_day = checked.defects.frame[checked.defects.frame["day"] == 1]
    assert found.selected == len(first_day) and found.quarantined > 0
    made = checked.training_sheets.generate(request, by=ANN)
    checked.work()
    assert checked.training_sheets.get(made.id).counts.total == len(first_day)


def test_a_selection_that_is_set_aside_altogether_says_so(checked):
    checked.data_quality.fix_queue.decide_all(checked.sheet.id, "set_aside", reason="fails", by=ANN)
    request = request_for(checked, checked.sheet.id, filter="dep_time IS NULL")
    assert "set aside for their quality" in checked.training_sheets.preflight(request).problems[0]


def test_a_labelling_task_takes_no_item_that_is_set_aside(tmp_path, clock):
    world = Improving(tmp_path, clock=clock)
    gap = world.html_gap()
    aside = [item(number) for number in range(500, 900) if is_html(number)]
    world.data_quality.fix_queue.decide(world.sheet_id, aside, "set_aside", reason="unreadable", by=ANN)
    parts = world.parts_of(world.tasks.create(gap.id, by=ANN, target=60).id)
    chosen = parts["held_out"] | parts["train"]
    assert len(chosen) == 60
    assert not chosen & set(aside)
    world.store.close()


# --- duplicates ------------------------------------------------------------------------------------------------------


def test_exact_duplicates_are_grouped_without_their_identifiers(flights):
    frame = pd.DataFrame({
        "id": [f"i{number}" for number in range(7)],
        "subject": ["a", "b", "a", None, "b", None, "c"],
        "size": [1, 2, 1, 3, 2, 3, 1],
        "body": ["x", "y", "x", "z", "y", "z", "x"],
        "unused": range(7),
    })  # fmt: skip
    flights.put_frame("main.air.mails", frame)
    draft = SheetDraft("Mails", "main.air.mails", "id", text_columns=("subject", "body"), metadata_columns=("size",))
    sheet = flights.sheets.create(draft, by=ANN)
    run = flights.check(sheet.id, options=ScanOptions(find_duplicates=True))
    assert run.scans[ItemKind.DUPLICATES].items == 6
    assert run.scans[ItemKind.DUPLICATES].groups == 3
    queue = flights.data_quality.fix_queue
    page = queue.items(sheet.id, QueueFilter(kind=ItemKind.DUPLICATES))
    groups = {}
    for one in page.items:
        groups.setdefault(one.group, []).append(one.item_ref)
    assert list(groups.values()) == [["i0", "i2"], ["i1", "i4"], ["i3", "i5"]]
    assert queue.item(sheet.id, "i4").group_members == {ItemKind.DUPLICATES: ("i1", "i4")}
    repeated = QueueFilter(kind=ItemKind.DUPLICATES)
    assert queue.decide_all(sheet.id, "set_aside", repeated, reason="repeated", by=ANN).done == 3
    assert set(flights.data_quality.quarantine.refs(sheet.id)) == {"i2", "i4", "i5"}, "the first of each group stays"


def test_near_duplicates_are_found_and_others_are_not(flights):
    originals = texts(200)
    changed = [" ".join(["other", *text.split()[1:]]) for text in originals[:20]]
    different = [
        " ".join([*text.split()[:30], *other.split()[:30]])
        for text, other in zip(originals[50:60], texts(10, seed=900), strict=True)
    ]
    every = [*originals, *changed, *different]
    frame = pd.DataFrame({"id": [f"i{number:04d}" for number in range(len(every))], "body": every})
    flights.put_frame("main.air.texts", frame)
    sheet = flights.sheets.create(SheetDraft("Texts", "main.air.texts", "id", text_columns=("body",)), by=ANN)
    run = flights.check(sheet.id, options=ScanOptions(near_duplicate_column="body", similarity=0.8))
    page = flights.data_quality.fix_queue.items(sheet.id, QueueFilter(kind=ItemKind.NEAR_DUPLICATES), limit=100)
    assert {item.item_ref for item in page.items} == {f"i{n:04d}" for n in (*range(20), *range(200, 220))}
    assert run.scans[ItemKind.NEAR_DUPLICATES].groups == 20
    assert all(item.score >= 0.8 for item in page.items)


def test_near_duplicates_are_the_same_whatever_the_size_of_the_batches():
    every = texts(300)
    every += [text.upper() + "!" for text in every[:30]]
    refs = [f"i{number}" for number in range(len(every))]

    def grouped(size):
        search = NearDuplicates(0.8)
        for start in range(0, len(every), size):
            search.add(refs[start : start + size], every[start : start + size])
        return list(search.groups())

    found = grouped(7)
    assert found == grouped(1000)
    assert len(found) == 60 and {one.similarity for one in found} == {1.0}


def test_empty_texts_and_texts_without_blanks():
    search = NearDuplicates(0.8)
    long = "これは日本語の文章です空白がありませんから文字で比べます" * 2
    search.add(["a", "b", "c", "d", "e", "f"], [None, "", "...", long, long + "。", "x"])
    assert [one.item_ref for one in search.groups()] == ["d", "e"]


@pytest.mark.slow
def test_twenty_thousand_texts_take_seconds():
    every = texts(20_000)
    refs = [f"i{number}" for number in range(len(every))]
    began = time.process_time()
    search = NearDuplicates(0.8)
    for start in range(0, len(every), 5000):
        search.add(refs[start : start + 5000], every[start : start + 5000])
    assert list(search.groups()) == []
    assert time.process_time() - began < 4, "about 1.5 seconds on an idle machine"


# --- outliers --------------------------------------------------------------------------------------------------------


def test_outliers_follow_the_published_example():
    """Iglewicz and Hoaglin: 0.6745 * |x - median| / MAD above 3.5, worked out by hand."""
    values = np.array([2.1, 2.6, 2.4, 2.5, 2.3, 2.1, 2.3, 2.6, 8.2, 8.3] * 2)
    found = find_outliers(values)
    assert found.positions.tolist() == [8, 9, 18, 19]
    assert found.scores[0] == pytest.approx(0.6745 * (8.2 - 2.45) / 0.15, rel=1e-9)


def test_a_column_whose_values_are_mostly_the_same_is_judged_by_its_quartiles():
    values = np.array([5.0] * 60 + [6.0] * 30 + [50.0])
    found = find_outliers(values)
    assert found.positions.tolist() == [90]
    assert "quartile distances" in found.rule
    assert len(find_outliers(np.array([5.0] * 100 + [9.0])).positions) == 0, "no spread to measure by"
    assert len(find_outliers(np.array([1.0, 1000.0])).positions) == 0, "too few values"
    assert len(find_outliers(np.array([np.nan] * 50)).positions) == 0


def test_outliers_of_a_sheet_are_listed_with_the_farthest_first(flights):
    chance = np.random.default_rng(3)
    values = chance.normal(100, 5, 500)
    values[[10, 20]] = [400.0, -900.0]
    size = pd.array(chance.integers(0, 50, 500), dtype="Int64")
    size[7] = pd.NA
    frame = pd.DataFrame({"id": [f"i{number:03d}" for number in range(500)], "price": values, "size": size})
    flights.put_frame("main.air.prices", frame)
    draft = SheetDraft("Prices", "main.air.prices", "id", metadata_columns=("price", "size"))
    sheet = flights.sheets.create(draft, by=ANN)
    run = flights.check(sheet.id, options=ScanOptions(find_outliers=True))
    page = flights.data_quality.fix_queue.items(sheet.id, QueueFilter(kind=ItemKind.OUTLIERS))
    assert [item.item_ref for item in page.items][:2] == ["i020", "i010"]
    assert page.items[0].shown[0].value == "-900"
    assert "price: 2, modified z-score above 3.5" in run.scans[ItemKind.OUTLIERS].note


def test_scans_are_refused_for_columns_that_do_not_fit(flights):
    sheet = flights.make_flights()
    for options, kind, reason in (
        (ScanOptions(near_duplicate_column="distance"), ItemKind.NEAR_DUPLICATES, "no text column"),
        (ScanOptions(find_outliers=True, outlier_columns=("carrier",)), ItemKind.OUTLIERS, "no number column"),
    ):
        assert reason in flights.check(sheet.id, options=options).scans[kind].refused
    with pytest.raises(Invalid, match="similarity"):
        flights.data_quality.start(sheet.id, by=ANN, options=ScanOptions(near_duplicate_column="dest", similarity=0.1))


def test_findings_of_a_scan_stay_until_the_next_such_scan(flights):
    sheet = flights.make_flights()
    flights.data_quality.save_rule(sheet.id, RULES[6], by=ANN)
    flights.check(sheet.id, options=ScanOptions(find_outliers=True, outlier_columns=("air_time",)))
    found = flights.data_quality.fix_queue.items(sheet.id, QueueFilter(kind=ItemKind.OUTLIERS)).total
    assert found == 62
    for _ in range(3):
        flights.check(sheet.id, options=ScanOptions())
    assert flights.data_quality.fix_queue.items(sheet.id, QueueFilter(kind=ItemKind.OUTLIERS)).total == 62
    flights.check(sheet.id, options=ScanOptions(find_outliers=True, outlier_columns=("distance",)))
    assert flights.store.query("SELECT COUNT(*) AS n FROM quality_failures WHERE kind = 'outliers'")[0]["n"] == 62


# --- scans that cannot be made, and what they keep -------------------------------------------------------------------


def test_one_scan_that_cannot_be_made_leaves_the_others_and_the_checks(flights):
    """A sheet without a number column: its duplicates are found all the same."""
    frame = pd.DataFrame({"id": ["a", "b", "c"], "body": ["x", "x", "y"]})
    flights.put_frame("main.air.words", frame)
    sheet = flights.sheets.create(SheetDraft("Words", "main.air.words", "id", text_columns=("body",)), by=ANN)
    flights.data_quality.save_rule(sheet.id, RuleDraft("is_not_null", ("body",), name="body"), by=ANN)
    run = flights.check(sheet.id, options=ScanOptions(find_duplicates=True, find_outliers=True))
    assert (run.passed, run.scans[ItemKind.DUPLICATES].items, run.scans[ItemKind.DUPLICATES].refused) == (3, 2, "")
    assert run.scans[ItemKind.OUTLIERS].refused.startswith("No number column has a role.")
    assert ItemKind.OUTLIERS not in flights.data_quality.fix_queue.counts(sheet.id), "nobody could look for them"


def test_what_an_earlier_scan_found_stands_when_a_later_one_is_refused(flights):
    sheet = flights.make_flights()
    found = flights.check(sheet.id, options=ScanOptions(find_outliers=True, outlier_columns=("air_time",)))
    flights.check(sheet.id, options=ScanOptions(find_outliers=True, outlier_columns=("carrier",)))
    page = flights.data_quality.fix_queue.items(sheet.id, QueueFilter(kind=ItemKind.OUTLIERS))
    assert (page.total, page.run_id) == (62, found.id)


def test_an_infinite_number_is_an_outlier_and_takes_no_part_in_the_statistics():
    values = np.array([*range(30), np.inf, -np.inf, np.nan], dtype=float)
    found = find_outliers(values)
    assert found.positions.tolist() == [30, 31]
    assert np.isinf(found.scores).all()
    assert "median 14.5" in found.rule
    mostly = find_outliers(np.array([5.0] * 60 + [6.0] * 30 + [np.inf]))
    assert mostly.positions.tolist() == [90]


def test_outliers_are_ranked_together_and_only_the_farthest_are_kept(flights, monkeypatch):
    monkeypatch.setattr("workbench_core.data_quality.scans.MOST_OUTLIERS", 3)
    steady, mostly = np.array([*range(95), 300, 400, 500, 600, 700], dtype=float), np.array([5.0] * 60 + [6.0] * 40)
    mostly[99] = np.inf
    frame = pd.DataFrame({"id": [f"i{number:03d}" for number in range(100)], "steady": steady, "mostly": mostly})
    flights.put_frame("main.air.far", frame)
    sheet = flights.sheets.create(
        SheetDraft("Far", "main.air.far", "id", metadata_columns=("steady", "mostly")), by=ANN
    )
    scan = flights.check(sheet.id, options=ScanOptions(find_outliers=True)).scans[ItemKind.OUTLIERS]
    assert (scan.items, scan.kept) == (6, 3)
    page = flights.data_quality.fix_queue.items(sheet.id, QueueFilter(kind=ItemKind.OUTLIERS))
    assert [item.item_ref for item in page.items] == ["i099", "i098"], "the last one is far out in both columns"
    assert "found 6 outliers and keeps the 3 farthest out" in page.note
    far = ScanOptions(find_outliers=True, outlier_columns=("steady",), outlier_distance=10.0)
    assert flights.check(sheet.id, options=far).scans[ItemKind.OUTLIERS].items == 3
    with pytest.raises(Invalid, match="distance"):
        flights.data_quality.start(sheet.id, by=ANN, options=ScanOptions(find_outliers=True, outlier_distance=0.1))


def test_rows_without_a_number_and_with_one_that_is_none_are_two_groups(flights, tmp_path):
    """NaN and NULL are two keys for the lake; a data frame shows them as one."""
    numbers = pa.array([1.0, 1.0, float("nan"), float("nan"), None, None])
    file = tmp_path / "numbers.parquet"
    pq.write_table(pa.table({"id": [f"i{number}" for number in range(6)], "number": numbers}), file)
    flights.lake.put_table("main.air.numbers", file, original_name="numbers.parquet")
    draft = SheetDraft("Numbers", "main.air.numbers", "id", metadata_columns=("number",))
    sheet = flights.sheets.create(draft, by=ANN)
    scan = flights.check(sheet.id, options=ScanOptions(find_duplicates=True)).scans[ItemKind.DUPLICATES]
    assert (scan.items, scan.groups) == (6, 3)
    queue = flights.data_quality.fix_queue
    assert queue.item(sheet.id, "i2").group_members == {ItemKind.DUPLICATES: ("i2", "i3")}


# --- errors, warnings and addresses ----------------------------------------------------------------------------------


def test_errors_and_warnings_are_counted_apart_and_no_item_is_both(flights):
    sheet = flights.make_flights()
    late = RuleDraft("is_not_greater_than", ("dep_delay",), {"limit": 60}, criticality=Criticality.WARN, name="late")
    gone = RuleDraft("is_not_null", ("tailnum",), criticality=Criticality.WARN, name="known plane")
    flights.data_quality.save_rules(sheet.id, [RULES[6], late, gone], by=ANN)
    run = flights.check(sheet.id)
    queue = flights.data_quality.fix_queue
    counts = queue.counts_by_severity(sheet.id)
    warned = run.outcomes[1].failed  # every flight without a plane was cancelled, so that it fails an error too
    assert counts == {Criticality.ERROR: 521, Criticality.WARN: warned}
    assert queue.items(sheet.id).total == 521 + warned
    only = QueueFilter(severity=Criticality.WARN)
    assert queue.items(sheet.id, only).total == warned == queue.count_of_all(sheet.id, Decision.SET_ASIDE, only)
    assert queue.decide_all(sheet.id, "accept", only, reason="fine", by=ANN).done == warned
    assert queue.counts_by_severity(sheet.id) == {Criticality.ERROR: 521, Criticality.WARN: 0}


def test_before_the_first_run_nothing_is_counted(flights):
    assert flights.data_quality.fix_queue.counts_by_severity(flights.make_flights().id) == {}


def test_a_state_or_kind_that_there_is_not_lists_what_is_usual_and_decides_nothing(checked):
    queue, sheet_id = checked.data_quality.fix_queue, checked.sheet.id
    nowhere = QueueFilter(kind="nope", state="nope")
    assert queue.items(sheet_id, nowhere).total == queue.items(sheet_id).total
    assert queue.decided(sheet_id, state="nope").total == 0
    with pytest.raises(Invalid, match="no state"):
        queue.decide_all(sheet_id, "set_aside", nowhere, reason="r", by=ANN)
    assert checked.data_quality.quarantine.count(sheet_id) == 0
