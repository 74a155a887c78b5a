"""The fix queue: failing items, duplicates and outliers, what people decide, and that generation leaves it out."""

from __future__ import annotations

import threading
import time

import numpy as np
import pandas as pd
import pytest

from tests.core.generation_parts import ANN, BEN
from tests.core.improve_parts import Improving, is_html, item
from tests.core.quality_parts import RULES, Flights, planted
from workbench_core.data_quality import Criticality, Decision, ItemKind, RuleDraft, ScanOptions
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
    page = queue.items(checked.sheet.id, rule="distance", limit=100)
    assert {item.item_ref for item in page.items} == refs_of(checked, checked.defects.failing["distance"])
    assert queue.items(checked.sheet.id, search="n0orphan1").total == 11, "N0ORPHAN1 and N0ORPHAN10 to 19"
    assert queue.items(checked.sheet.id, search="%").total == 0, "a percent sign is only itself"
    assert queue.items(checked.sheet.id, state="set_aside").total == 0


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
    item = queue.items(sheet_id, rule="time", limit=1).items[0].item_ref
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
    one = queue.items(sheet_id, rule="distance", limit=1).items[0].item_ref
    queue.decide(sheet_id, [one], "accept", reason="a detour", by=BEN)
    began = time.perf_counter()
    done = queue.decide_all(sheet_id, "set_aside", reason="fails the rules", by=ANN)
    assert time.perf_counter() - began < 2
    assert done.done == len(checked.defects.any_failing) - 1
    refs = set(checked.data_quality.quarantine.refs(sheet_id))
    assert refs == refs_of(checked, checked.defects.any_failing) - {one}
    assert queue.items(sheet_id).total == 0
    assert queue.items(sheet_id, state="accepted").items[0].decided_by == BEN
    assert queue.counts(sheet_id) == {ItemKind.FAILING: 0}
    assert queue.decide_all(sheet_id, "set_aside", reason="again", by=ANN).done == 0
    assert queue.decided(sheet_id, search="fails the").total == done.done
    assert queue.decide_all(sheet_id, "reopen", reason="undo", by=ANN, rule="time").done == 17
    assert len(queue.item(sheet_id, one).decisions) == 1


def test_a_decision_about_all_says_when_the_run_keeps_fewer_than_it_found(flights, monkeypatch):
    monkeypatch.setattr("workbench_core.data_quality.checking.MOST_KEPT", 100)
    sheet = flights.make_flights()
    flights.data_quality.save_rule(sheet.id, RULES[6], by=ANN)
    run = flights.check(sheet.id)
    assert (run.failed, run.failure_count, run.kept_failures, run.is_complete) == (521, 521, 100, False)
    done = flights.data_quality.fix_queue.decide_all(sheet.id, "set_aside", reason="cancelled", by=ANN)
    assert (done.done, "found 521 and keeps 100" in done.note) == (100, True)


def test_items_that_only_fail_warnings_are_left_alone(flights):
    sheet = flights.make_flights()
    late = RuleDraft("is_not_greater_than", ("dep_delay",), {"limit": 600}, criticality=Criticality.WARN)
    flights.data_quality.save_rules(sheet.id, [RULES[6], late], by=ANN)
    run = flights.check(sheet.id)
    assert run.outcomes[1].failed > 0
    queue = flights.data_quality.fix_queue
    assert queue.decide_all(sheet.id, "set_aside", reason="cancelled", by=ANN).done == 521
    done = queue.decide_all(sheet.id, "set_aside", reason="too late", by=ANN, only_errors=False)
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
    page = queue.items(sheet.id, kind="duplicates")
    groups = {}
    for one in page.items:
        groups.setdefault(one.group, []).append(one.item_ref)
    assert list(groups.values()) == [["i0", "i2"], ["i1", "i4"], ["i3", "i5"]]
    assert queue.item(sheet.id, "i4").group_members == {ItemKind.DUPLICATES: ("i1", "i4")}
    assert queue.decide_all(sheet.id, "set_aside", reason="repeated", by=ANN, kind="duplicates").done == 3
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
    page = flights.data_quality.fix_queue.items(sheet.id, kind="near_duplicates", limit=100)
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
    page = flights.data_quality.fix_queue.items(sheet.id, kind="outliers")
    assert [item.item_ref for item in page.items][:2] == ["i020", "i010"]
    assert page.items[0].shown[0].value == "-900"
    assert "price: 2, modified z-score above 3.5" in run.scans[ItemKind.OUTLIERS].note


def test_scans_are_refused_for_columns_that_do_not_fit(flights):
    sheet = flights.make_flights()
    for options, reason in (
        (ScanOptions(near_duplicate_column="distance"), "no text column"),
        (ScanOptions(find_outliers=True, outlier_columns=("carrier",)), "no number column"),
    ):
        flights.data_quality.start(sheet.id, by=ANN, options=options)
        flights.work()
        run = flights.data_quality.run_of(sheet.id)
        assert (run.status, reason in run.error) == ("failed", True)
    with pytest.raises(Invalid, match="similarity"):
        flights.data_quality.start(sheet.id, by=ANN, options=ScanOptions(near_duplicate_column="dest", similarity=0.1))


def test_findings_of_a_scan_stay_until_the_next_such_scan(flights):
    sheet = flights.make_flights()
    flights.data_quality.save_rule(sheet.id, RULES[6], by=ANN)
    flights.check(sheet.id, options=ScanOptions(find_outliers=True, outlier_columns=("air_time",)))
    found = flights.data_quality.fix_queue.items(sheet.id, kind="outliers").total
    assert found == 62
    for _ in range(3):
        flights.check(sheet.id, options=ScanOptions())
    assert flights.data_quality.fix_queue.items(sheet.id, kind="outliers").total == 62
    flights.check(sheet.id, options=ScanOptions(find_outliers=True, outlier_columns=("distance",)))
    assert flights.store.query("SELECT COUNT(*) AS n FROM quality_failures WHERE kind = 'outliers'")[0]["n"] == 62
