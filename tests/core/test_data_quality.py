"""Quality runs on the real January flights: planted defects are counted exactly, and roles say who may run them."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

from tests.core.generation_parts import ANN
from tests.core.quality_parts import FLIGHTS, PLANES, RULES, Flights, planted
from workbench_core.data_quality import Criticality, RuleDraft, ScanOptions, score_colour, score_word
from workbench_core.errors import Invalid, NotFound, NotPermitted
from workbench_core.ports import ColumnRef, Join, JoinKey, JoinKind, JoinSource, SourceRole
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


# --- counting --------------------------------------------------------------------------------------------------------


def test_planted_defects_are_counted_exactly_and_the_pass_rate_counts_rows(flights, defects):
    """Acceptance check 13, DQ-5."""
    sheet = flights.make_flights(defects.frame, publish=False)  # repeated identifiers keep it from being published
    flights.data_quality.save_rules(sheet.id, RULES, by=ANN)
    found = flights.check(sheet.id)
    counted = {outcome.name: outcome.failed for outcome in found.outcomes}
    assert counted == {name: len(rows) for name, rows in defects.failing.items()}
    assert counted == {
        "carrier": 37, "distance": 29, "identifier": 22, "destination": 41, "time": 17, "plane": 4324 + 53,
        "departed": 521,
    }  # fmt: skip
    assert found.total == 27_004
    assert found.failed == len(defects.any_failing) < sum(counted.values()) == found.failure_count
    assert found.passed == 27_004 - found.failed
    assert found.pass_rate == pytest.approx(found.passed / 27_004)
    assert {outcome.evaluated for outcome in found.outcomes} == {27_004}


def test_samples_name_failing_items_with_their_values(flights, defects):
    sheet = flights.make_flights(defects.frame, publish=False)
    flights.data_quality.save_rules(sheet.id, RULES, by=ANN)
    found = {outcome.name: outcome for outcome in flights.check(sheet.id).outcomes}
    assert len(found["plane"].samples) == 20
    assert len(found["time"].samples) == 17
    assert {sample.value for sample in found["carrier"].samples} == {"null"}
    ids = set(defects.frame["flight_id"].iloc[sorted(defects.failing["distance"])])
    assert {sample.item_ref for sample in found["distance"].samples} <= ids
    assert all(float(sample.value) < 0 for sample in found["distance"].samples)
    assert found["distance"].share == pytest.approx(29 / 27_004)


def test_a_warning_is_counted_and_makes_no_row_fail(flights):
    sheet = flights.make_flights()
    warning = RuleDraft("is_not_null", ("dep_time",), criticality=Criticality.WARN)
    flights.data_quality.save_rule(sheet.id, warning, by=ANN)
    found = flights.check(sheet.id)
    assert (found.failed, found.warnings, found.pass_rate) == (0, 521, 1.0)


def test_a_filter_says_which_rows_a_rule_looks_at(flights):
    sheet = flights.make_flights()
    rule = RuleDraft("is_not_null", ("air_time",), filter="dep_time IS NOT NULL", name="arrived")
    flights.data_quality.save_rule(sheet.id, rule, by=ANN)
    [outcome] = flights.check(sheet.id).outcomes
    assert (outcome.evaluated, outcome.failed) == (27_004 - 521, 85)


def test_a_run_reads_the_sheet_with_its_filter(flights):
    sheet = flights.make_flights(publish=False)
    sheet = flights.sheets.update(
        sheet.id, replace(sheet.draft, filter="origin = 'JFK'"), by=ANN, row_version=sheet.row_version
    )
    flights.data_quality.save_rule(sheet.id, RuleDraft("is_not_null", ("dep_time",)), by=ANN)
    found = flights.check(sheet.id)
    assert found.total == flights.lake.count(sheet.selection()) < 27_004
    assert found.selection["filter"]


def test_a_sheet_without_rows_passes_and_the_run_says_so(flights):
    sheet = flights.make_flights(publish=False)
    nothing = replace(sheet.draft, filter="origin = 'nowhere'")
    flights.sheets.update(sheet.id, nothing, by=ANN, row_version=sheet.row_version)
    flights.data_quality.save_rule(sheet.id, RuleDraft("is_not_null", ("dep_time",)), by=ANN)
    found = flights.check(sheet.id)
    assert (found.total, found.pass_rate, found.is_empty) == (0, 1.0, True)
    assert "no rows" in found.sentence


def test_a_run_that_made_no_check_has_no_pass_rate(flights):
    """A run that looked for duplicates alone says nothing about what passes."""
    sheet = flights.make_flights()
    flights.check(sheet.id, options=ScanOptions(find_duplicates=True))
    found = flights.data_quality.latest_of([sheet.id])[sheet.id]
    assert (found.check_count, found.passed, found.pass_rate, found.score) == (0, None, None, None)
    assert (found.word, found.colour, found.sentence) == (None, None, "No rule was checked.")
    report = json.loads(flights.data_quality.report_json(found.id))
    assert (report["pass_rate"], report["score"], report["verdict"]) == (None, None, None)
    assert flights.data_quality.trends([sheet.id]) == {}, "there is no rate to draw"
    flights.data_quality.save_rule(sheet.id, RuleDraft("is_not_null", ("carrier",)), by=ANN)
    after = flights.check(sheet.id)
    assert flights.data_quality.latest_of([sheet.id])[sheet.id].check_count == 1
    assert flights.data_quality.trends([sheet.id]) == {sheet.id: (1.0,)}
    assert flights.data_quality.compare(found.id, after.id).pass_rate_change is None


def test_a_run_is_of_an_earlier_version_once_the_sheet_reads_other_rows(flights):
    sheet = flights.make_flights(publish=False)
    flights.data_quality.save_rule(sheet.id, RuleDraft("is_not_null", ("carrier",)), by=ANN)
    run = flights.check(sheet.id)
    assert not run.is_stale(sheet)
    renamed = flights.sheets.update(sheet.id, replace(sheet.draft, name="New"), by=ANN, row_version=sheet.row_version)
    assert not run.is_stale(renamed), "a name changes no row"
    for change in ({"filter": "origin = 'JFK'"}, {"sample_size": 100}):
        now = flights.sheets.get(sheet.id)
        draft = replace(sheet.draft, **change)
        assert run.is_stale(flights.sheets.update(sheet.id, draft, by=ANN, row_version=now.row_version))
    now = flights.sheets.get(sheet.id)
    back = flights.sheets.update(sheet.id, sheet.draft, by=ANN, row_version=now.row_version)
    assert not run.is_stale(back), "it reads the same rows again"


def test_another_join_makes_a_run_one_of_an_earlier_version(flights):
    flights.make_flights()
    sources = (JoinSource(FLIGHTS, "flights", SourceRole.PRIMARY), JoinSource(PLANES, "planes"))
    key = JoinKey(ColumnRef("flights", "tailnum"), ColumnRef("planes", "tailnum"))
    join = Join(sources, (key,), JoinKind.LEFT)
    draft = SheetDraft("Joined", FLIGHTS, "flights__flight_id", join=join)
    sheet = flights.sheets.create(draft, by=ANN)
    flights.data_quality.save_rule(sheet.id, RuleDraft("is_not_null", ("planes__model",)), by=ANN)
    run = flights.check(sheet.id)
    inner = replace(draft, join=replace(join, kind=JoinKind.INNER))
    assert run.is_stale(flights.sheets.update(sheet.id, inner, by=ANN, row_version=sheet.row_version))


def test_the_sentence_says_how_many_rules_and_checks_and_rounds_nothing_up_to_all(flights):
    sheet = flights.make_flights()
    flights.data_quality.save_rule(sheet.id, RuleDraft("is_not_null", ("dep_time", "tailnum"), name="known"), by=ANN)
    assert "rows pass 1 rule, 2 checks (98.0%)." in flights.check(sheet.id).sentence
    run = replace(flights.check(sheet.id), failed=1)
    assert run.sentence.endswith("(99.9%).")


def test_one_rule_over_several_columns_is_one_check_a_column(flights):
    sheet = flights.make_flights()
    flights.data_quality.save_rule(sheet.id, RuleDraft("is_not_null", ("dep_time", "tailnum"), name="known"), by=ANN)
    found = flights.check(sheet.id)
    assert {outcome.name: outcome.failed for outcome in found.outcomes} == {
        "known: dep_time": 521,
        "known: tailnum": 155,
    }
    assert found.failed == 521, "every flight without a tail number was cancelled"


def test_score_words_and_colours():
    """Spec 3.12."""
    assert [score_word(score) for score in (100, 90, 89.99, 70, 50, 49.9, 0)] == [
        "Excellent", "Excellent", "Good", "Good", "Fair", "Poor", "Poor",
    ]  # fmt: skip
    assert [score_colour(rate) for rate in (1.0, 0.95, 0.949, 0.8, 0.79)] == ["green", "green", "amber", "amber", "red"]


# --- joins -----------------------------------------------------------------------------------------------------------


def test_checks_read_through_the_join(flights):
    """JN-4: rules name the columns of the join, and keys that always match are suggested."""
    flights.make_flights()
    sources = (JoinSource(FLIGHTS, "flights", SourceRole.PRIMARY), JoinSource(PLANES, "planes"))
    key = JoinKey(ColumnRef("flights", "tailnum"), ColumnRef("planes", "tailnum"))
    draft = SheetDraft(
        "Joined", FLIGHTS, "flights__flight_id", metadata_columns=("flights__tailnum", "planes__model"),
        join=Join(sources, (key,), JoinKind.LEFT),
    )  # fmt: skip
    sheet = flights.sheets.create(draft, by=ANN)
    rules = [
        RuleDraft("is_not_null", ("planes__model",), name="model", filter="flights__tailnum IS NOT NULL"),
        RuleDraft("is_not_null", ("flights__dep_time",), name="departed"),
    ]
    flights.data_quality.save_rules(sheet.id, rules, by=ANN)
    found = flights.check(sheet.id)
    assert {o.name: (o.evaluated, o.failed) for o in found.outcomes} == {
        "model": (27_004 - 155, 4324), "departed": (27_004, 521),
    }  # fmt: skip
    assert found.source == f"{FLIGHTS} + {PLANES}"
    details = flights.data_quality.fix_queue.item(sheet.id, found.outcomes[0].samples[0].item_ref)
    assert details.values["planes__model"] is None or details.values["planes__model"] != details.values["planes__model"]
    profile = flights.data_quality.profile(sheet.id, by=ANN)
    assert profile.references == (), "not every plane is known"
    inner = flights.sheets.create(replace(draft, name="Inner", join=replace(draft.join, kind=JoinKind.INNER)), by=ANN)
    assert flights.data_quality.profile(inner.id, by=ANN).rows == 27_004 - 155 - 4324


# --- files -----------------------------------------------------------------------------------------------------------


def test_missing_files_and_broken_pictures_are_counted_like_other_failures(flights):
    good = (REPOSITORY / "workbench_core/demo/data/images/coffee.jpg").read_bytes()
    flights.lake.put_files("main.air.images", {"a.jpg": good, "b.jpg": b"no picture", "c.jpg": good[:200]})
    names = ["a.jpg", "b.jpg", "c.jpg", "gone.jpg", None, "a.jpg"]
    flights.put_frame("main.air.listed", pd.DataFrame({"id": [f"i{n}" for n in range(6)], "picture": names}))
    sheet = flights.sheets.create(SheetDraft("Listed", "main.air.listed", "id", image_columns=("picture",)), by=ANN)
    rules = [
        RuleDraft("file_exists", ("picture",), {"volume": "main.air.images"}, name="there"),
        RuleDraft("image_readable", ("picture",), {"volume": "main.air.images"}, name="readable"),
        RuleDraft("is_not_null", ("picture",), name="named"),
        RuleDraft("image_readable", ("picture",), {"volume": "main.air.images"}, name="first", filter="id = 'i0'"),
    ]
    flights.data_quality.save_rules(sheet.id, rules, by=ANN)
    found = flights.check(sheet.id)
    assert {o.name: (o.evaluated, o.failed) for o in found.outcomes} == {
        "there": (6, 1), "readable": (6, 3), "named": (6, 1), "first": (1, 0),
    }  # fmt: skip
    assert found.failed == 4, "a row counts once"
    assert found.outcomes[0].function == "file_exists"
    assert [sample.value for sample in found.outcomes[0].samples] == ["gone.jpg"]


def test_a_folder_that_is_not_there_is_refused_before_anything_is_saved(flights):
    sheet = flights.make_flights()
    rule = RuleDraft("file_exists", ("tailnum",), {"volume": "main.air.nowhere"})
    with pytest.raises(Invalid, match="nowhere"):
        flights.data_quality.save_rule(sheet.id, rule, by=ANN)
    with pytest.raises(Invalid, match="folder"):
        flights.data_quality.save_rule(sheet.id, RuleDraft("file_exists", ("tailnum",), {"volume": FLIGHTS}), by=ANN)
    assert flights.data_quality.rules(sheet.id) == []


# --- roles -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("role", ["reviewer", "labeler", "data_consumer", "ml_operator"])
def test_roles_that_may_look_but_not_touch(flights, role):
    sheet = flights.make_flights()
    rule = flights.data_quality.save_rule(sheet.id, RuleDraft("is_not_null", ("dep_time",)), by=ANN)
    run = flights.check(sheet.id)
    flights.permissions.assign("lea@example.com", role, by=ANN)
    quality, lea = flights.data_quality, {"by": "lea@example.com"}
    commands = [
        lambda: quality.save_rule(sheet.id, RuleDraft("is_not_null", ("carrier",)), **lea),
        lambda: quality.update_rule(rule.id, rule.draft, row_version=1, **lea),
        lambda: quality.enable_rules([rule], is_enabled=False, **lea),
        lambda: quality.delete_rules([rule], **lea),
        lambda: quality.import_rules(sheet.id, "[]", **lea),
        lambda: quality.propose_from_text(sheet.id, "id is unique", **lea),
        lambda: quality.profile(sheet.id, **lea),
        lambda: quality.start(sheet.id, **lea),
        lambda: quality.cancel(sheet.id, **lea),
        lambda: quality.fix_queue.decide(sheet.id, ["x"], "set_aside", reason="r", **lea),
        lambda: quality.fix_queue.decide_all(sheet.id, "set_aside", reason="r", **lea),
    ]
    for command in commands:
        with pytest.raises(NotPermitted, match="may not manage data quality"):
            command()
    assert quality.get_run(run.id).failed == 521
    assert len(quality.rules(sheet.id)) == 1


def test_an_unknown_run_is_not_found(flights):
    with pytest.raises(NotFound):
        flights.data_quality.get_run("quality-none")


def test_options_of_the_scans_are_remembered(flights):
    sheet = flights.make_flights()
    flights.check(sheet.id, options=ScanOptions(find_duplicates=True))
    assert flights.data_quality.scan_options(sheet.id).find_duplicates
    flights.data_quality.start(sheet.id, by=ANN)
    flights.work()
    assert "duplicates" in flights.data_quality.latest(sheet.id).scans
