"""Quality runs that are kept and compared, and as long work: one at a time, cancelled, killed, started again."""

from __future__ import annotations

import csv
import io
import json
import subprocess
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

from tests.core.generation_parts import ANN
from tests.core.quality_parts import FLIGHTS, RULES, Flights, planted
from workbench_core.data_quality import RuleDraft
from workbench_core.errors import Conflict, Invalid
from workbench_core.runs import RunStatus
from workbench_core.sheets import SheetDraft

REPOSITORY = Path(__file__).resolve().parents[2]


@pytest.fixture
def flights(tmp_path, clock):
    made = Flights(tmp_path, clock=clock)
    yield made
    made.store.close()


@pytest.fixture(scope="module")
def defects():
    return planted()


# --- runs that are kept ----------------------------------------------------------------------------------------------


def test_runs_are_kept_with_the_rules_as_they_were(flights):
    """DQ-6: the history outlives the rules."""
    sheet = flights.make_flights()
    rule = flights.data_quality.save_rule(sheet.id, RuleDraft("is_not_null", ("dep_time",), name="departed"), by=ANN)
    first = flights.check(sheet.id)
    flights.data_quality.delete_rules([rule], by=ANN)
    flights.data_quality.save_rule(sheet.id, RuleDraft("is_not_null", ("carrier",), name="carrier"), by=ANN)
    second = flights.check(sheet.id)
    kept = flights.data_quality.find_runs(sheet.id)
    assert [run.id for run in kept] == [second.id, first.id]
    assert kept[1].outcomes[0].meaning == "dep_time has a value"
    assert flights.data_quality.get_run(first.id).outcomes[0].samples
    assert (first.run_by, first.sheet_version, first.source) == (ANN, sheet.row_version, FLIGHTS)
    assert flights.data_quality.latest_of([sheet.id])[sheet.id].id == second.id


def test_only_the_two_newest_runs_keep_their_failing_items(flights):
    sheet = flights.make_flights()
    flights.data_quality.save_rule(sheet.id, RuleDraft("is_not_null", ("dep_time",)), by=ANN)
    first, second, third = (flights.check(sheet.id) for _ in range(3))
    quality = flights.data_quality
    assert [run.keeps_items for run in quality.find_runs(sheet.id)] == [True, True, False]
    with pytest.raises(Conflict, match="not kept any more"):
        quality.failures_file(first.id, by=ANN)
    assert quality.compare(second.id, third.id).newly_failing == 0
    lost = quality.compare(first.id, third.id)
    assert (lost.newly_failing, "not kept any more" in lost.note) == (None, True)
    assert flights.store.query("SELECT COUNT(*) AS kept FROM quality_failures")[0]["kept"] == 2 * 521


def test_the_comparison_names_repaired_and_newly_failing_items(flights, defects):
    sheet = flights.make_flights()
    flights.data_quality.save_rules(sheet.id, RULES, by=ANN)
    before = flights.check(sheet.id)
    sound = planted(with_duplicates=False)
    repaired = sound.frame.copy()
    cancelled = repaired.index[repaired["dep_time"].isna()][:10]
    repaired.loc[cancelled, "dep_time"] = 1200
    flights.put_frame(FLIGHTS, repaired)
    after = flights.check(sheet.id)
    found = flights.data_quality.compare(before.id, after.id)
    changes = {change.name: change.change for change in found.rules}
    assert (changes["departed"], changes["plane"], changes["carrier"], changes["time"]) == (-10, 53, 37, 17)
    orphans = set(repaired.index[repaired["tailnum"].str.startswith("N0ORPHAN", na=False)])
    real = sound.failing["departed"] | (sound.failing["plane"] - orphans)
    now = set().union(*(sound.failing | {"departed": sound.failing["departed"] - set(cancelled)}).values())
    ids = repaired["flight_id"]
    assert found.newly_failing == len(now - real)
    assert found.repaired == len(real - now) == len(found.repaired_refs)
    assert set(found.repaired_refs) == set(ids.loc[sorted(real - now)])
    assert found.is_same_selection


def test_a_changed_rule_is_told_apart_in_the_comparison(flights):
    sheet = flights.make_flights()
    draft = RuleDraft("is_not_greater_than", ("dep_delay",), {"limit": 100}, name="late")
    rule = flights.data_quality.save_rule(sheet.id, draft, by=ANN)
    before = flights.check(sheet.id)
    flights.data_quality.update_rule(rule.id, replace(draft, arguments={"limit": 200}), by=ANN, row_version=1)
    after = flights.check(sheet.id)
    [change] = flights.data_quality.compare(before.id, after.id).rules
    assert change.is_changed and change.change < 0


def test_the_report_and_the_failing_values_leave_as_json_and_csv(flights):
    """DQ-7; a value that a spreadsheet would run as a formula gets an apostrophe."""
    flights.put_frame(
        "main.air.cells",
        pd.DataFrame({"id": ["a", "=b()", "c"], "cell": ["=HYPERLINK(1)", "-12", "@x"], "size": [1, -5, 3]}),
    )
    draft = SheetDraft("Cells", "main.air.cells", "id", text_columns=("cell",), metadata_columns=("size",))
    sheet = flights.sheets.create(draft, by=ANN)
    rules = [
        RuleDraft("regex_match", ("cell",), {"regex": "^never$"}, name="cell"),
        RuleDraft("is_not_less_than", ("size",), {"limit": 0}, name="size"),
    ]
    flights.data_quality.save_rules(sheet.id, rules, by=ANN)
    run = flights.check(sheet.id)
    lines = list(csv.reader(io.StringIO("".join(flights.data_quality.failures_file(run.id, by=ANN).pieces))))
    assert lines[0] == ["item_ref", "rule", "criticality", "columns", "value", "meaning"]
    assert sorted(line[4] for line in lines[1:]) == ["'=HYPERLINK(1)", "'@x", "-12", "-5"]
    assert {line[0] for line in lines[1:]} == {"a", "'=b()", "c"}
    report = json.loads(flights.data_quality.report_json(run.id))
    assert report["rows"] == {"total": 3, "passed": 0, "failed": 3}
    assert [check["failed"] for check in report["checks"]] == [3, 1]
    assert report["checks"][1]["samples"] == [{"item_ref": "=b()", "value": "-5"}]


# --- long work -------------------------------------------------------------------------------------------------------


def test_one_run_of_a_sheet_at_a_time(flights):
    sheet = flights.make_flights()
    flights.data_quality.save_rule(sheet.id, RuleDraft("is_not_null", ("dep_time",)), by=ANN)
    flights.data_quality.start(sheet.id, by=ANN)
    with pytest.raises(Conflict, match="under way"):
        flights.data_quality.start(sheet.id, by=ANN)


def test_nothing_to_check_is_refused_with_the_next_step(flights):
    sheet = flights.make_flights()
    with pytest.raises(Invalid, match="No rule is enabled") as caught:
        flights.data_quality.start(sheet.id, by=ANN)
    assert "suggestions" in caught.value.hint


def test_a_cancelled_run_leaves_nothing_behind(flights):
    sheet = flights.make_flights()
    flights.data_quality.save_rule(sheet.id, RuleDraft("is_not_null", ("dep_time",)), by=ANN)
    check_rows, entered = flights.lake.check_rows, threading.Event()

    def slow(*args, watch=None, **kwargs):
        entered.set()
        while watch(0.5):
            time.sleep(0.02)
        return check_rows(*args, watch=watch, **kwargs)

    flights.lake.check_rows = slow
    flights.data_quality.start(sheet.id, by=ANN)
    at_work = threading.Thread(target=flights.work)
    at_work.start()
    assert entered.wait(10)
    flights.data_quality.cancel(sheet.id, by=ANN)
    at_work.join(20)
    assert flights.data_quality.run_of(sheet.id).status is RunStatus.CANCELLED
    assert flights.data_quality.find_runs(sheet.id) == []
    with pytest.raises(Conflict, match="No check is under way"):
        flights.data_quality.cancel(sheet.id, by=ANN)
    flights.lake.check_rows = check_rows
    assert flights.check(sheet.id).failed == 521


def test_a_sheet_that_was_deleted_meanwhile_fails_the_run_with_a_sentence(flights):
    sheet = flights.make_flights()
    flights.data_quality.save_rule(sheet.id, RuleDraft("is_not_null", ("dep_time",)), by=ANN)
    flights.data_quality.start(sheet.id, by=ANN)
    flights.sheets.move(sheet.id, "delete", by=ANN)
    flights.work()
    run = flights.data_quality.run_of(sheet.id)
    assert run.status is RunStatus.FAILED
    assert "was deleted by" in run.error


def test_a_source_that_is_gone_fails_the_run_with_a_sentence(flights):
    sheet = flights.make_flights()
    flights.data_quality.save_rule(sheet.id, RuleDraft("is_not_null", ("dep_time",)), by=ANN)
    flights.data_quality.start(sheet.id, by=ANN)
    flights.lake.drop(FLIGHTS)
    flights.work()
    run = flights.data_quality.run_of(sheet.id)
    assert (run.status, FLIGHTS in run.error) == (RunStatus.FAILED, True)


def test_a_column_that_is_gone_names_every_rule_that_cannot_run(flights):
    sheet = flights.make_flights()
    rules = [RuleDraft("is_not_null", ("dep_time",), name="one"), RuleDraft("is_unique", ("dep_time",), name="two")]
    flights.data_quality.save_rules(sheet.id, [*rules, RuleDraft("is_not_null", ("carrier",))], by=ANN)
    frame = flights.lake.page(sheet.selection(), limit=50).drop(columns=["item_ref", "dep_time"])
    flights.put_frame(FLIGHTS, frame)
    with pytest.raises(Invalid, match=r"2 of 3 checks cannot run.*“one”.*“two”"):
        flights.data_quality.start(sheet.id, by=ANN)


def test_a_killed_run_begins_anew_and_leaves_no_half_result(tmp_path):
    """kill -9 after the rows were checked and before anything was stored."""
    flights = Flights(tmp_path)
    sheet = flights.make_flights()
    flights.data_quality.save_rule(sheet.id, RuleDraft("is_not_null", ("dep_time",)), by=ANN)
    flights.data_quality.start(sheet.id, by=ANN)
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.core.quality_process", str(tmp_path)],
        cwd=REPOSITORY, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stdout.readline().strip() == "checked"
    process.kill()
    process.wait()
    assert flights.data_quality.run_of(sheet.id).status is RunStatus.RUNNING
    for table in ("quality_runs", "quality_outcomes", "quality_failures"):
        assert flights.store.query(f"SELECT COUNT(*) AS n FROM {table}")[0]["n"] == 0
    assert [run.subject_id for run in flights.runs.recover()] == [sheet.id]
    flights.work()
    assert flights.data_quality.run_of(sheet.id).status is RunStatus.SUCCEEDED
    [run] = flights.data_quality.find_runs(sheet.id)
    assert (run.failed, run.kept_failures) == (521, 521)
    flights.store.close()


def test_a_run_whose_result_was_stored_before_the_process_died_is_not_stored_twice(flights):
    sheet = flights.make_flights()
    flights.data_quality.save_rule(sheet.id, RuleDraft("is_not_null", ("dep_time",)), by=ANN)
    flights.check(sheet.id)
    flights.store.execute("UPDATE runs SET status = 'interrupted' WHERE kind = 'check_quality'", touches="runs")
    flights.runs.recover()
    flights.work()
    assert flights.data_quality.run_of(sheet.id).status is RunStatus.SUCCEEDED
    assert len(flights.data_quality.find_runs(sheet.id)) == 1


def test_a_large_profile_is_a_run_and_a_small_one_is_there_at_once(flights, monkeypatch):
    sheet = flights.make_flights()
    made = flights.data_quality.profile(sheet.id, by=ANN)
    assert made is not None and made.rows == 27_004
    kept = flights.data_quality.kept_profile(sheet.id)
    assert kept.columns == made.columns
    assert not kept.is_stale(flights.sheets.get(sheet.id))
    assert kept.column("dep_time").nulls == 521
    monkeypatch.setattr("workbench_core.data_quality.service.INLINE_CELLS", 10_000)
    assert flights.data_quality.profile(sheet.id, by=ANN) is None
    assert flights.data_quality.profiling(sheet.id).is_active
    flights.work()
    assert flights.data_quality.profiling(sheet.id).status is RunStatus.SUCCEEDED
    assert flights.data_quality.kept_profile(sheet.id).computed_at > made.computed_at
