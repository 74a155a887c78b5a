"""Rules, runs, the fix queue and the quarantine on a real PostgreSQL."""

from __future__ import annotations

from dataclasses import replace

import pytest
from sqlalchemy import create_engine, text

from tests.core.generation_parts import ANN, BEN
from tests.core.quality_parts import RULES, Flights, planted
from workbench_core.data_quality import ItemKind, ItemState, QueueFilter, RuleDraft, ScanOptions
from workbench_core.errors import ChangedByOthers, Conflict


@pytest.fixture
def flights(postgres_url, tmp_path):
    """The services on a database with nothing in it."""
    engine = create_engine(postgres_url.replace("postgresql:", "postgresql+psycopg:"), isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text("DROP SCHEMA public CASCADE"))
        connection.execute(text("CREATE SCHEMA public"))
    engine.dispose()
    made = Flights(tmp_path, url=postgres_url)
    yield made
    made.store.close()


@pytest.mark.postgres
def test_checks_are_run_kept_decided_and_compared_on_postgres(flights):
    defects = planted(with_duplicates=False)
    sheet = flights.make_flights(defects.frame)
    quality = flights.data_quality
    quality.save_rules(sheet.id, RULES, by=ANN)
    assert quality.profile(sheet.id, by=ANN) == quality.kept_profile(sheet.id)
    scans = ScanOptions(find_duplicates=True, find_outliers=True, outlier_columns=("air_time",))
    first = flights.check(sheet.id, options=scans)
    assert {o.name: o.failed for o in first.outcomes} == {name: len(rows) for name, rows in defects.failing.items()}
    assert first.failed == len(defects.any_failing)
    queue = quality.fix_queue
    page = queue.items(sheet.id, limit=10)
    assert page.total == len(defects.any_failing)
    assert queue.items(sheet.id, QueueFilter(rule="time", search="2013")).total == 17
    assert queue.items(sheet.id, QueueFilter(kind=ItemKind.OUTLIERS)).items[0].score > 3.5
    one, other = (item.item_ref for item in page.items[:2])
    queue.decide(sheet.id, [one], "accept", reason="known", by=BEN)
    assert one in queue.decide(sheet.id, [one, other], "set_aside", reason="broken", by=ANN).refused
    done = queue.decide_all(sheet.id, "set_aside", reason="fails", by=ANN)
    assert done.done == page.total - 2
    assert quality.quarantine.count(sheet.id) == page.total - 1
    assert queue.counts(sheet.id)[ItemKind.FAILING] == 0
    assert queue.decided(sheet.id, search="fails").items[0].decided_at is not None
    assert [past.decision for past in queue.item(sheet.id, other).decisions] == ["set_aside"]
    again = QueueFilter(state=ItemState.SET_ASIDE, rule="time")
    assert queue.decide_all(sheet.id, "reopen", again, reason="again", by=ANN).done == 17
    second = flights.check(sheet.id)
    third = flights.check(sheet.id)
    compared = quality.compare(second.id, third.id)
    assert (compared.newly_failing, compared.repaired) == (0, 0)
    assert [run.keeps_items for run in quality.find_runs(sheet.id)] == [True, True, False]
    assert "".join(quality.failures_file(third.id, by=ANN).pieces).count("\r\n") == third.failure_count + 1
    assert quality.latest_of([sheet.id])[sheet.id].id == third.id


@pytest.mark.postgres
def test_rules_are_guarded_on_postgres(flights):
    sheet = flights.make_flights()
    rule = flights.data_quality.save_rule(sheet.id, RuleDraft("is_not_null", ("carrier",), name="a"), by=ANN)
    with pytest.raises(Conflict):
        flights.data_quality.save_rule(sheet.id, RuleDraft("is_not_null", ("dest",), name="a"), by=ANN)
    flights.data_quality.update_rule(rule.id, replace(rule.draft, name="b"), by=BEN, row_version=1)
    with pytest.raises(ChangedByOthers):
        flights.data_quality.update_rule(rule.id, replace(rule.draft, name="c"), by=ANN, row_version=1)
    text = flights.data_quality.export_rules(sheet.id).text
    seen = flights.data_quality.rules(sheet.id)
    assert len(flights.data_quality.import_rules(sheet.id, text, by=ANN, replacing=seen).accepted) == 1
    with pytest.raises(ChangedByOthers):
        flights.data_quality.delete_rules(seen, by=ANN)
    flights.data_quality.enable_rules(flights.data_quality.rules(sheet.id), is_enabled=False, by=ANN)
    flights.data_quality.delete_rules(flights.data_quality.rules(sheet.id), by=ANN)
    assert flights.data_quality.rules(sheet.id) == []
