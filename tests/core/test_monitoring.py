"""Traffic, drift and health of endpoints, by the formulas of the specification."""

from __future__ import annotations

from datetime import timedelta

import numpy as np
import pytest

from tests.core.serving_double import ANN, ServedModel
from workbench_core.alerts import AlertMetric, RuleDraft, Severity
from workbench_core.errors import Conflict, Invalid, NotFound, NotPermitted, Unavailable
from workbench_core.monitoring import TOO_FEW, HealthStatus, suitable_bucket
from workbench_core.monitoring.health import OpenIncident, Signals, judge
from workbench_core.ports import TrainingExample
from workbench_core.reference_profile import TOPIC, reference_profile

NAME = "mail-classifier"
MONEY = ("win money now", "claim your prize money", "free money transfer", "lottery prize waiting")
LUNCH = ("lunch at noon today", "meeting notes attached", "see you at the meeting", "lunch plans for friday")


def mails(count: int, *, spam_share: float, seed: int, extra: int = 0) -> list[tuple[dict[str, str], str]]:
    """Records with their answers; `extra` words make the body longer."""
    random = np.random.default_rng(seed)
    made = []
    for _ in range(count):
        is_spam = random.random() < spam_share
        words = MONEY if is_spam else LUNCH
        body = " ".join(random.choice(words) for _ in range(int(random.integers(2, 6)) + extra))
        made.append(({"subject": str(random.choice(words)), "body": body}, "spam" if is_spam else "ham"))
    return made


def profile():
    examples = [
        TrainingExample(f"p{number}", f"m{number}", record, (), answer)
        for number, (record, answer) in enumerate(mails(600, spam_share=0.3, seed=1))
    ]
    return reference_profile(examples, answer_kind="label")


@pytest.fixture(scope="module")
def trained_profile():
    return profile()


@pytest.fixture
def model(store, lake, history, permissions, clock, tmp_path, trained_profile):
    made = ServedModel(store, lake, history, permissions, clock, tmp_path)
    made.add(1, profile=trained_profile)
    made.add(2, profile=trained_profile)
    made.deploy(1)
    return made


def send(model, sent, *, version=1, ago=timedelta(hours=1)) -> None:
    for number, (record, answer) in enumerate(sent):
        at = model.clock.now - ago + timedelta(milliseconds=number)
        model.serving.log(NAME, version, at=at, records=[record], answers=[answer])


# --- traffic (MN-3, MN-5) --------------------------------------------------------------------------------------------


def test_failures_percentiles_and_rates_by_hand(model):
    model.serving.traffic(NAME, [float(number) for number in range(1, 101)], until=model.clock.now, failed=7)
    measured = model.monitoring.performance(NAME, hours=2)
    assert (measured.total, measured.failed, measured.succeeded) == (100, 7, 93)
    assert (measured.error_rate, measured.success_rate) == (7.0, 93.0)
    assert measured.per_minute == pytest.approx(100 / 120)
    assert (measured.p50_ms, measured.p95_ms) == (pytest.approx(50.5), pytest.approx(95.05))
    assert measured.p99_ms == pytest.approx(99.01)


def test_changes_compare_with_the_equal_window_before(model, clock):
    model.serving.traffic(NAME, [100.0] * 50, until=clock.now, failed=5)
    clock.move(hours=1)
    model.serving.traffic(NAME, [150.0] * 100, until=clock.now, failed=5)
    changes = model.monitoring.performance(NAME, hours=1).changes
    assert changes["total"] == pytest.approx(1.0)
    assert changes["p95_ms"] == pytest.approx(0.5)
    assert changes["error_rate"] == pytest.approx(-0.5)
    clock.move(hours=1)
    assert model.monitoring.performance(NAME, hours=1).changes["p95_ms"] is None  # nothing now


def test_without_requests_nothing_is_invented(model):
    measured = model.monitoring.performance(NAME)
    assert (measured.total, measured.error_rate, measured.p95_ms, measured.last_at) == (0, None, None, None)
    assert set(measured.changes.values()) == {None}
    assert measured.by_version.empty


def test_versions_are_told_apart(model, clock):
    model.serving.traffic(NAME, [10.0] * 30, until=clock.now, version=1)
    model.serving.traffic(NAME, [30.0] * 10, until=clock.now, version=2, failed=5)
    table = model.monitoring.performance(NAME).by_version.set_index("version")
    assert table["requests"].to_dict() == {1: 30, 2: 10}
    assert table["share"].to_dict() == {1: 0.75, 2: 0.25}
    assert table["error_rate"].to_dict() == {1: 0.0, 2: 50.0}
    assert table["p95_ms"].to_dict() == {1: 10.0, 2: 30.0}


def test_every_bucket_is_there_and_empty_ones_have_no_latency(model, clock):
    start = clock.now
    model.serving.log(NAME, 1, at=start + timedelta(minutes=5), latency_ms=10)
    model.serving.log(NAME, 1, at=start + timedelta(minutes=6), latency_ms=30, status_code=404)
    model.serving.log(NAME, 1, at=start + timedelta(hours=2, minutes=5), latency_ms=50, status_code=503)
    clock.move(hours=3)
    series = model.monitoring.series(NAME, hours=3, bucket_minutes=60)
    assert series["bucket_at"].dt.hour.tolist() == [9, 10, 11, 12]
    assert series["requests"].tolist() == [2, 0, 1, 0]
    assert series[["ok", "client_error", "server_error"]].to_numpy().tolist() == [
        [1, 1, 0], [0, 0, 0], [0, 0, 1], [0, 0, 0],
    ]  # fmt: skip
    assert series["p50_ms"].isna().tolist() == [False, True, False, True]
    assert series["p50_ms"][0] == 20
    assert series["error_rate"].fillna(-1).tolist() == [50, -1, 100, -1]


@pytest.mark.parametrize("hours", [1, 2, 6, 24, 48, 168, 720])
def test_a_chart_has_a_readable_number_of_points(hours):
    assert 12 <= hours * 60 / suitable_bucket(hours) <= 72


def test_the_dashboard_reads_the_log_once_and_marks_changes(model, clock):
    clock.move(minutes=10)
    model.serving.traffic(NAME, [10.0] * 30, until=clock.now)
    model.deploy(2, canary_percent=10)
    clock.move(minutes=1)
    reads = []
    original = model.serving.performance
    model.serving.performance = lambda *a, **k: reads.append(1) or original(*a, **k)
    shown = model.monitoring.dashboard(NAME, hours=1)
    assert len(reads) == 1
    assert shown.performance.total == shown.series["requests"].sum() == shown.by_version["requests"].sum() == 30
    assert [words for _, words in shown.changes] == ["update: v1 90 %, v2 10 %", "create: v1"]


@pytest.mark.parametrize(("hours", "bucket"), [(0.5, 60), (2161, 60), (24, 4), (24, 1441)])
def test_windows_and_buckets_have_limits(model, hours, bucket):
    with pytest.raises(Invalid):
        model.monitoring.series(NAME, hours=hours, bucket_minutes=bucket)


def test_an_unknown_endpoint_is_told(model):
    with pytest.raises(NotFound):
        model.monitoring.performance("nothing")


# --- drift (DR-2) ----------------------------------------------------------------------------------------------------


def test_traffic_like_the_training_data_has_no_drift(model):
    send(model, mails(400, spam_share=0.3, seed=2))
    report = model.monitoring.drift(NAME, by=ANN)
    assert (report.is_detected, report.severity, report.request_count) == (False, "none", 400)
    assert {feature.verdict for feature in report.features} == {"not detected"}
    assert report.sentence.startswith("No drift in ")


def test_longer_mails_and_more_spam_are_found_and_said(model):
    send(model, mails(400, spam_share=0.7, seed=3, extra=8))
    report = model.monitoring.drift(NAME, by=ANN)
    assert report.is_detected and report.severity == "critical"
    found = {feature.feature: feature for feature in report.features if feature.alerts}
    assert {"length of body", "answer", TOPIC} <= set(found)
    assert found["length of body"].words.startswith("Mean ")
    assert found["answer"].baseline is None and "% → " in found["answer"].words
    shares = {cell.name: cell for cell in found["answer"].cells}
    assert shares["spam"].reference == pytest.approx(0.3, abs=0.06)
    assert shares["spam"].recent == pytest.approx(0.7, abs=0.08)


@pytest.mark.parametrize("count", [0, 1, 49])
def test_few_requests_are_too_few_never_no_drift(model, count):
    send(model, mails(count, spam_share=0.9, seed=4, extra=8))
    report = model.monitoring.drift(NAME, by=ANN)
    assert (report.is_detected, report.severity, report.request_count) == (False, TOO_FEW, count)
    assert report.sentence == f"Only {count} records in the window; 50 are needed to say anything."


def test_only_answered_requests_of_the_main_version_in_the_window_count(model, clock):
    send(model, mails(60, spam_share=0.3, seed=5))
    send(model, mails(60, spam_share=0.9, seed=6, extra=8), version=2)
    send(model, mails(60, spam_share=0.9, seed=7, extra=8), ago=timedelta(hours=30))
    model.serving.log(NAME, 1, at=clock.now, status_code=500, records=[{"subject": "x", "body": "x"}])
    assert model.monitoring.drift(NAME, by=ANN).request_count == 60


def test_unknown_and_missing_fields_do_not_break_the_analysis(model):
    odd = [({"subject": None, "extra": "field"}, answer) for _, answer in mails(60, spam_share=0.3, seed=8)]
    send(model, odd)
    report = model.monitoring.drift(NAME, by=ANN)
    body = next(feature for feature in report.features if feature.feature == "length of body")
    assert body.recent == 0 and body.alerts


def test_reports_are_kept_as_they_were(model, history):
    send(model, mails(100, spam_share=0.7, seed=9))
    first = model.monitoring.drift(NAME, by=ANN)
    second = model.monitoring.drift(NAME, by=ANN, hours=2)
    assert model.monitoring.drift_history(NAME) == [second, first]
    assert model.monitoring.latest_drift(NAME) == second
    assert history.of("endpoint", first.endpoint_id)[0].action == "analyse drift"


def test_a_version_without_profile_and_a_stopped_endpoint_are_told(model, permissions):
    model.add(3)
    model.deploy(3)
    with pytest.raises(Conflict, match="no reference profile"):
        model.monitoring.drift(NAME, by=ANN)
    model.endpoints.stop(NAME, by=ANN)
    with pytest.raises(Conflict, match="serves no version"):
        model.monitoring.drift(NAME, by=ANN)
    permissions.assign("cleo@example.com", "data_consumer", by=ANN)
    with pytest.raises(NotPermitted):
        model.monitoring.drift(NAME, by="cleo@example.com")


# --- health (HS-2) ---------------------------------------------------------------------------------------------------


def signals(**changes) -> Signals:
    return Signals(NAME, is_ready=True, requests=100, **({"success_percent": 100.0} | changes))


def warning(*, is_acknowledged=False, severity="warning") -> OpenIncident:
    return OpenIncident(severity, is_acknowledged, "p95 latency 1,240 ms > 1,000 ms")


def test_the_vector_of_the_specification():
    """Acceptance 13: success 90, one warning, drift high -> 100 - 5 - 10 - 20 = 65."""
    health = judge(signals(success_percent=90.0, incidents=[warning()], drift_severity="high", drift_sentence="Drift."))
    assert (health.score, health.status) == (65, HealthStatus.WARNING)
    assert [one.points for one in health.deductions] == [5, 10, 20]
    assert health.deductions[0].sentence == "10.0 % of 100 requests failed."


def test_an_acknowledged_warning_costs_five():
    """Acceptance 13"""
    health = judge(signals(incidents=[warning(is_acknowledged=True)]))
    assert (health.score, health.status) == (95, HealthStatus.HEALTHY)


@pytest.mark.parametrize(
    ("changes", "score"),
    [
        ({}, 100),
        ({"success_percent": 0.0}, 50),
        ({"incidents": [warning(severity="critical")]}, 80),
        ({"incidents": [warning(severity="info")]}, 97),
        ({"incidents": [warning(severity="critical")] * 3}, 60),  # at most 40
        ({"drift_severity": "critical"}, 70),
        ({"drift_severity": "medium"}, 90),
        ({"drift_severity": "low"}, 100),
        ({"ratings": 10, "positive_percent": 70.0}, 90),
        ({"ratings": 9, "positive_percent": 0.0}, 100),  # too few ratings
        ({"ratings": 50, "positive_percent": 10.0}, 80),  # at most 20
        ({"success_percent": 0.0, "incidents": [warning(severity="critical")] * 2, "drift_severity": "critical"}, 0),
    ],
)
def test_each_deduction(changes, score):
    health = judge(signals(**changes))
    assert health.score == score
    assert score == 0 or health.score == 100 - sum(one.points for one in health.deductions)
    assert all(one.points > 0 for one in health.deductions)


@pytest.mark.parametrize(
    ("score", "status"),
    [(90, "healthy"), (89, "degraded"), (70, "degraded"), (69, "warning"), (50, "warning"), (49, "critical")],
)
def test_the_words_for_scores(score, status):
    assert judge(signals(success_percent=100.0 - 2 * (100 - score) if score >= 50 else 0.0,
                         ratings=10 if score < 50 else 0, positive_percent=79.0)).status == status  # fmt: skip


def test_traffic_without_feedback_has_a_score_and_no_traffic_has_none(model, clock):
    """Acceptance 11"""
    health = model.monitoring.health(NAME)
    assert (health.score, health.status) == (None, HealthStatus.UNKNOWN)
    assert health.deductions[0].sentence == "No request in the last 60 minutes."
    model.serving.traffic(NAME, [10.0] * 20, until=clock.now, failed=2)
    health = model.monitoring.health(NAME)
    assert (health.score, health.status) == (95, HealthStatus.HEALTHY)
    clock.move(minutes=61)
    assert model.monitoring.health(NAME).status is HealthStatus.UNKNOWN


def test_an_endpoint_that_does_not_answer_is_critical_and_a_stopped_one_unknown(model, clock):
    model.serving.traffic(NAME, [10.0] * 20, until=clock.now)
    model.serving.down = Unavailable("Gone.")
    health = model.monitoring.health(NAME)
    assert (health.score, health.status) == (0, HealthStatus.CRITICAL)
    assert health.deductions[0].sentence.startswith("It does not answer.")
    model.serving.down = None
    model.endpoints.stop(NAME, by=ANN)
    assert model.monitoring.health(NAME).status is HealthStatus.UNKNOWN


def test_health_brings_incidents_drift_and_ratings_together(model, clock):
    send(model, mails(200, spam_share=0.9, seed=10, extra=8), ago=timedelta(minutes=30))
    model.monitoring.drift(NAME, by=ANN)
    model.alerts.create_rule(NAME, RuleDraft("Slow", AlertMetric.LATENCY_P95, 5, severity=Severity.CRITICAL), by=ANN)
    model.alerts.evaluate()
    for number in range(10):
        request = model.endpoints.query(NAME, [{"subject": "a", "body": "b"}], by=ANN)
        model.feedback.submit(request.request_id, rating="positive" if number < 7 else "negative", by=ANN)
    health = model.monitoring.health(NAME)
    assert {one.points for one in health.deductions} == {20, 30, 10}
    assert health.score == 40
    model.deploy(2)  # drift of another version than the one served says nothing
    assert model.monitoring.health(NAME).score == 70


def test_the_list_has_the_worst_first(model, clock, trained_profile):
    model.add(1, model_name="calm", profile=trained_profile)
    model.endpoints.deploy("calm", 1, by=ANN)
    model.serving.traffic("calm", [10.0] * 20, until=clock.now)
    model.serving.traffic(NAME, [10.0] * 20, until=clock.now, failed=20)
    found = model.monitoring.overview()
    assert [one.endpoint.name for one in found] == [NAME, "calm"]
    assert [one.performance.total for one in found] == [20, 20]
    assert (found[0].health.score, found[0].open_incidents, found[0].drift) == (50, 0, None)
