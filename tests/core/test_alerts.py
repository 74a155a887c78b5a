"""Alert rules evaluated by the minute (AL-2, acceptance 14), and what people do with incidents."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.core.serving_double import ANN, ServedModel
from workbench_core.alerts import LIFECYCLE, AlertMetric, Condition, IncidentStatus, RuleDraft, Severity
from workbench_core.errors import ChangedByOthers, Conflict, Invalid, InvalidTransition, NotFound, NotPermitted

NAME = "mail-classifier"
SLOW = RuleDraft("Slow answers", AlertMetric.LATENCY_P95, 1000, window_minutes=5)
FAILING = RuleDraft("Failures", AlertMetric.ERROR_RATE, 5, window_minutes=5)


@pytest.fixture
def model(store, lake, history, permissions, clock, tmp_path):
    made = ServedModel(store, lake, history, permissions, clock, tmp_path)
    made.add(1)
    made.deploy(1)
    return made


def minute(model, latency: float | None, *, count=30, failed=0) -> None:
    """A minute passes with `count` requests of one latency, or with none, and the rules are evaluated."""
    model.clock.move(minutes=1)
    if latency is not None:
        model.serving.traffic(NAME, [latency] * count, until=model.clock.now, failed=failed)
    model.alerts.evaluate()


def calm(model) -> None:
    """Six minutes without traffic, so that the window of the rules is empty."""
    model.clock.move(minutes=6)


def opened(model):
    return model.alerts.incidents(endpoint=NAME, is_active=True)


def test_a_breach_opens_one_incident_with_its_sentence(model):
    rule = model.alerts.create_rule(NAME, replace(SLOW, window_minutes=60), by=ANN)
    assert rule.sentence == "p95 latency > 1,000 ms over 60 min"
    minute(model, 1240, count=318)
    assert [one.message for one in opened(model)] == ["p95 latency 1,240 ms > 1,000 ms over 60 min (n = 318)"]
    minute(model, 1240, count=30)
    assert len(opened(model)) == 1
    assert model.alerts.rule(rule.id).state == "breached"


def test_the_peak_follows_the_worst_value_and_current_the_last(model):
    model.alerts.create_rule(NAME, SLOW, by=ANN)
    for latency in (1500, 2500, 1200):
        minute(model, latency)
        calm(model)
    incident = opened(model)[0]
    assert (incident.peak, incident.current) == ("2,500 ms", "1,200 ms")


def test_the_peak_of_a_rule_below_a_threshold_is_the_lowest_value(model):
    model.alerts.create_rule(NAME, replace(SLOW, condition=Condition.LT, threshold=100), by=ANN)
    for latency in (50, 20, 80):
        minute(model, latency)
        calm(model)
    assert opened(model)[0].peak_value == 20


def test_it_resolves_by_itself_after_two_healthy_periods(model):
    model.alerts.create_rule(NAME, SLOW, by=ANN)
    minute(model, 1500)
    calm(model)
    minute(model, 100)
    assert len(opened(model)) == 1  # one healthy period is not enough
    minute(model, 100)
    assert opened(model) == []
    incident = model.alerts.incidents()[0]
    assert (incident.status, incident.resolution, incident.resolved_by) == (IncidentStatus.RESOLVED, "auto", "auto")


def test_a_relapse_between_healthy_periods_keeps_it_open(model):
    model.alerts.create_rule(NAME, SLOW, by=ANN)
    for latency in (1500, 100, 1500, 100):
        calm(model)
        minute(model, latency)
    assert len(opened(model)) == 1


def test_an_acknowledged_incident_resolves_by_itself_too(model):
    model.alerts.create_rule(NAME, SLOW, by=ANN)
    minute(model, 1500)
    model.alerts.acknowledge(opened(model)[0].id, by=ANN, note="looking")
    calm(model)
    minute(model, 100)
    minute(model, 100)
    incident = model.alerts.incidents()[0]
    assert (incident.status, incident.acknowledged_by, incident.note) == (IncidentStatus.RESOLVED, ANN, "looking")


def test_it_is_silent_in_the_cooldown_and_opens_again_after_it(model):
    model.alerts.create_rule(NAME, SLOW, by=ANN)
    minute(model, 1500)
    model.alerts.resolve(opened(model)[0].id, by=ANN, note="restarted")
    for _ in range(59):
        minute(model, 1500)
    assert opened(model) == []
    minute(model, 1500)
    minute(model, 1500)
    assert len(opened(model)) == 1
    assert len(model.alerts.incidents()) == 2


def test_below_the_minimum_of_samples_there_is_no_data_and_no_change(model):
    rule = model.alerts.create_rule(NAME, replace(SLOW, for_periods=2), by=ANN)
    minute(model, 1500)
    calm(model)
    minute(model, 1500, count=19)
    assert model.alerts.rule(rule.id).state == "no data (19 of 20 requests)"
    assert model.alerts.rule(rule.id).breached_periods == 1
    assert opened(model) == []
    calm(model)
    minute(model, 1500, count=20)
    assert len(opened(model)) == 1  # the breach before still counts


def test_an_open_incident_survives_a_silence(model):
    model.alerts.create_rule(NAME, SLOW, by=ANN)
    minute(model, 1500)
    calm(model)
    for _ in range(5):
        minute(model, None)
    assert len(opened(model)) == 1


def test_it_opens_only_after_so_many_periods_in_a_row(model):
    model.alerts.create_rule(NAME, replace(SLOW, for_periods=3), by=ANN)
    for latency in (1500, 1500, 100, 1500, 1500):
        calm(model)
        minute(model, latency)
        assert opened(model) == []
    calm(model)
    minute(model, 1500)
    assert len(opened(model)) == 1


def test_failures_in_percent(model):
    model.alerts.create_rule(NAME, replace(FAILING, severity=Severity.CRITICAL), by=ANN)
    minute(model, 10, count=40, failed=2)
    assert opened(model) == []  # 5 % is not more than 5 %
    minute(model, 10, count=40, failed=4)
    incident = opened(model)[0]
    assert incident.message == "Error rate 7.5 % > 5.0 % over 5 min (n = 80)"
    assert incident.severity is Severity.CRITICAL


def test_the_percentile_is_interpolated(model):
    """MN-3: 95th of 20 values 100..2000 lies between the 19th and the 20th."""
    rule = model.alerts.create_rule(NAME, SLOW, by=ANN)
    model.serving.traffic(NAME, [100.0 * number for number in range(1, 21)], until=model.clock.now)
    model.alerts.evaluate()
    assert model.alerts.rule(rule.id).last_value == pytest.approx(1905)


def test_two_processes_count_a_minute_once(model):
    rule = model.alerts.create_rule(NAME, replace(SLOW, for_periods=2), by=ANN)
    minute(model, 1500)
    assert model.alerts.evaluate() == 0
    assert model.alerts.rule(rule.id).breached_periods == 1


def test_two_rules_of_one_endpoint_look_at_their_own_windows(model):
    wide = model.alerts.create_rule(NAME, replace(SLOW, name="wide", window_minutes=60), by=ANN)
    narrow = model.alerts.create_rule(NAME, replace(SLOW, name="narrow"), by=ANN)
    minute(model, 1500)
    calm(model)
    minute(model, 100, count=30)
    assert model.alerts.rule(wide.id).last_samples == 60
    assert model.alerts.rule(narrow.id).last_samples == 30


# --- rules (AL-1) ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"name": "  "}, "name must have"),
        ({"threshold": -1}, "threshold is -1 ms"),
        ({"threshold": float("nan")}, "threshold is nan"),
        ({"metric": AlertMetric.ERROR_RATE, "threshold": 101}, "threshold is 101 %"),
        ({"window_minutes": 4}, "Window minutes is 4"),
        ({"min_samples": 0}, "Min samples is 0"),
        ({"for_periods": 0}, "For periods is 0"),
    ],
)
def test_an_impossible_rule_is_refused(model, changes, words):
    with pytest.raises(Invalid, match=words):
        model.alerts.create_rule(NAME, replace(SLOW, **changes), by=ANN)
    assert model.alerts.rules() == []


def test_a_rule_needs_its_endpoint_and_the_right_role(model, permissions):
    with pytest.raises(NotFound):
        model.alerts.create_rule("nothing", SLOW, by=ANN)
    permissions.assign("cleo@example.com", "data_consumer", by=ANN)
    with pytest.raises(NotPermitted):
        model.alerts.create_rule(NAME, SLOW, by="cleo@example.com")


def test_changing_a_rule_starts_its_count_anew_and_notices_others(model):
    rule = model.alerts.create_rule(NAME, replace(SLOW, for_periods=2), by=ANN)
    minute(model, 1500)
    changed = model.alerts.update_rule(rule.id, replace(SLOW, threshold=500), by=ANN, row_version=rule.row_version)
    assert (changed.draft.threshold, changed.breached_periods) == (500, 0)
    with pytest.raises(ChangedByOthers):
        model.alerts.update_rule(rule.id, SLOW, by=ANN, row_version=rule.row_version)


def test_a_disabled_rule_is_not_evaluated(model):
    rule = model.alerts.create_rule(NAME, SLOW, by=ANN)
    assert model.alerts.enable_rule(rule.id, False, by=ANN).state == "disabled"
    minute(model, 1500)
    assert opened(model) == []
    model.alerts.enable_rule(rule.id, True, by=ANN)
    minute(model, 1500)
    assert len(opened(model)) == 1


def test_a_rule_with_incidents_is_kept(model):
    rule = model.alerts.create_rule(NAME, SLOW, by=ANN)
    minute(model, 1500)
    with pytest.raises(Conflict, match="has 1 incidents"):
        model.alerts.delete_rule(rule.id, by=ANN)
    other = model.alerts.create_rule(NAME, FAILING, by=ANN)
    model.alerts.delete_rule(other.id, by=ANN)
    assert [one.id for one in model.alerts.rules()] == [rule.id]


# --- incidents (AL-4, AL-5) ------------------------------------------------------------------------------------------


def test_acknowledge_then_resolve_with_a_note(model, history):
    model.alerts.create_rule(NAME, SLOW, by=ANN)
    minute(model, 1500)
    incident = opened(model)[0]
    assert model.alerts.acknowledge(incident.id, by=ANN).acknowledged_by == ANN
    done = model.alerts.resolve(incident.id, by=ANN, note="more memory")
    assert (done.status, done.resolution, done.note) == (IncidentStatus.RESOLVED, "manual", "more memory")
    assert [event.action for event in history.of("incident", incident.id)] == ["resolve", "acknowledge", "open"]


def test_every_move_outside_the_table_is_refused(model):
    model.alerts.create_rule(NAME, replace(SLOW, cooldown_minutes=0), by=ANN)
    minute(model, 1500)
    incident = opened(model)[0]
    model.alerts.acknowledge(incident.id, by=ANN)
    with pytest.raises(InvalidTransition):
        model.alerts.acknowledge(incident.id, by=ANN)
    model.alerts.resolve(incident.id, by=ANN, note="")
    for act in (model.alerts.acknowledge, model.alerts.resolve):
        with pytest.raises(InvalidTransition):
            act(incident.id, by=ANN, note="")
    assert LIFECYCLE.actions(IncidentStatus.RESOLVED) == []
