"""The Monitor page: traffic, drift, alerts, requests and health of an endpoint."""

from __future__ import annotations

from datetime import timedelta

import numpy as np
import pytest

from tests.core.serving_double import MemoryServing, MemoryTracker, add_version
from tests.pages.conftest import ANN, labels
from workbench_core.alerts import AlertMetric, IncidentStatus, RuleDraft
from workbench_core.permissions import Role
from workbench_core.ports import TrainingExample
from workbench_core.reference_profile import reference_profile
from workbench_core.sheets import SheetDraft

NAME = "mail-classifier"
CLEO = "cleo@example.com"


def mails(count: int, *, words: int, seed: int) -> list[dict[str, str]]:
    random = np.random.default_rng(seed)
    return [
        {"subject": "mail", "body": " ".join(["word"] * int(random.integers(words, words + 10)))} for _ in range(count)
    ]


@pytest.fixture
def served(workbench, tmp_path):
    """A workbench whose endpoint serves a version with a reference profile."""
    workbench.__dict__["serving"] = MemoryServing(workbench.clock)
    workbench.__dict__["tracker"] = MemoryTracker()
    file = tmp_path / "mails.csv"
    file.write_text("mail_id,subject,body\nm1,Win now,Free money\n")
    workbench.lake.put_table("main.office.mails", file, original_name="mails.csv")
    draft = SheetDraft("Mails", "main.office.mails", "mail_id", metadata_columns=("subject", "body"))
    sheet = workbench.sheets.create(draft, by=ANN)
    examples = [TrainingExample(str(n), str(n), mail, (), "ham") for n, mail in enumerate(mails(300, words=5, seed=1))]
    profile = reference_profile(examples, answer_kind="label")
    add_version(workbench.store, workbench.prompt_templates, sheet, 1, profile=profile)
    workbench.endpoints.deploy("mail-classifier", 1, by=ANN)
    return workbench


def send(served, count: int, *, words: int = 5, latency: float = 20.0, status: int = 200) -> None:
    until = served.clock()
    for number, mail in enumerate(mails(count, words=words, seed=2)):
        served.serving.log(
            NAME, 1, at=until - timedelta(seconds=number + 1), latency_ms=latency, status_code=status,
            records=[mail], answers=["ham"] if status < 400 else [],
        )  # fmt: skip


def shown(page) -> str:
    kinds = ("markdown", "caption", "text", "warning", "error", "subheader", "title")
    return " ".join(element.value for kind in kinds for element in getattr(page, kind)).replace("\\", "")


def tiles(page) -> dict[str, str]:
    return {metric.label: metric.value for metric in page.metric}


def press(page, key):
    page.button(key=key).click().run()
    assert not page.exception and not page.error, [one.value for one in page.error]
    return page


def field(page, kind, label):
    return next(element for element in getattr(page, kind) if element.label == label)


def test_without_endpoints_the_page_points_to_deploying(workbench, open_page):
    workbench.__dict__["serving"] = MemoryServing(workbench.clock)
    assert "No endpoint yet" in shown(open_page("monitor"))


def test_the_list_has_numbers_where_something_was_measured(served, open_page):
    line = open_page("monitor").dataframe[0].value.iloc[0]
    assert (line["Endpoint"], line["Health"], line["Requests 24 h"], line["Drift"]) == (
        NAME, "Unknown", 0, "Not analysed"
    )  # fmt: skip
    assert line[["Score", "p95"]].isna().all()


def test_tiles_and_health_come_from_the_requests(served, open_page):
    send(served, 40)
    send(served, 10, status=500)
    page = open_page("monitor", endpoint=NAME)
    assert tiles(page) == {
        "Requests": "50", "Errors": "20.0 %", "p50 latency": "20 ms", "p95 latency": "20 ms",
        "Per minute": "0.03",
    }  # fmt: skip
    assert "Health 90 of 100" in shown(page) and "−10.0 20.0 % of 50 requests failed." in shown(page)
    assert "create: v1" in shown(page)


def test_without_requests_nothing_is_invented(served, open_page):
    page = open_page("monitor", endpoint=NAME, hours="1")
    assert tiles(page)["p95 latency"] == "–"
    assert "No request in the last 1 h." in shown(page)
    assert "Health –" in shown(page) and "No request in the last 60 minutes." in shown(page)


@pytest.mark.parametrize("hours", ["1", "24", "168", "720", "7", "x"])
def test_any_window_in_the_address_opens(served, open_page, hours):
    send(served, 5)
    assert tiles(open_page("monitor", endpoint=NAME, hours=hours))["Requests"] == "5"


def test_drift_is_analysed_kept_and_explained(served, open_page):
    send(served, 200, words=30)
    page = open_page("monitor", endpoint=NAME, tab="drift")
    assert "Not analysed yet" in shown(page)
    press(page, "monitor_analyse")
    assert "Drift in length of body" in shown(page)
    assert field(page, "selectbox", "Feature").value == "length of body"
    assert list(page.dataframe[0].value.columns) == ["Value", "In training", "Recent"]
    assert served.monitoring.latest_drift(NAME).created_by == ANN


def test_too_few_requests_are_said(served, open_page):
    send(served, 10)
    page = press(open_page("monitor", endpoint=NAME, tab="drift"), "monitor_analyse")
    assert "Only 10 records in the window; 50 are needed" in shown(page)


def test_a_rule_is_made_breached_acknowledged_and_resolved(served, open_page):
    page = open_page("monitor", endpoint=NAME, tab="alerts")
    assert "No rule yet" in shown(page)
    field(page, "number_input", "Above (ms)").set_value(500.0).run()
    press(page, "monitor_rule_create")
    rule = served.alerts.rules(endpoint=NAME)[0]
    assert rule.sentence == "p95 latency > 500 ms over 60 min"
    send(served, 30, latency=900)
    served.alerts.evaluate()
    page = open_page("monitor", endpoint=NAME, tab="alerts")
    assert "p95 latency 900 ms > 500 ms over 60 min (n = 30)" in shown(page)
    incident = served.alerts.incidents()[0]
    press(page, f"monitor_acknowledge_{incident.id}")
    page.text_input(key=f"monitor_resolve_note_{incident.id}").set_value("restarted").run()
    press(page, f"monitor_resolve_{incident.id}")
    done = served.alerts.incident(incident.id)
    assert (done.status, done.note) == (IncidentStatus.RESOLVED, "restarted")
    assert not {"Acknowledge", "Resolve"} & set(labels(page.button))


def test_a_rule_is_switched_off_and_removed(served, open_page):
    rule = served.alerts.create_rule(NAME, RuleDraft("Slow", AlertMetric.LATENCY_P95, 500), by=ANN)
    page = open_page("monitor", endpoint=NAME, tab="alerts")
    page.toggle[0].set_value(False).run()
    assert not served.alerts.rule(rule.id).is_enabled
    press(page, f"monitor_delete_{rule.id}")
    assert served.alerts.rules() == []


def test_requests_are_listed_and_failed_ones_found(served, open_page):
    send(served, 3)
    send(served, 1, status=500)
    page = open_page("monitor", endpoint=NAME, tab="requests")
    assert len(page.dataframe[0].value) == 4
    page.toggle(key="monitor_only_failed").set_value(True).run()
    assert page.dataframe[0].value["error"].tolist() == ["the model failed"]


def test_feedback_leads_to_improve(served, open_page):
    assert "None yet" in shown(open_page("monitor", endpoint=NAME))
    for number in range(4):
        result = served.endpoints.query(NAME, [{"subject": "a", "body": "b"}], by=ANN)
        served.feedback.submit(result.request_id, rating="negative" if number == 0 else "positive", by=ANN)
    page = open_page("monitor", endpoint=NAME)
    assert "75 % positive of 4" in shown(page) and "Review 1 negative" in labels(page.button)


def test_a_consumer_looks_but_does_not_touch(served, open_page):
    served.permissions.assign(CLEO, Role.DATA_CONSUMER, by=ANN)
    rule = served.alerts.create_rule(NAME, RuleDraft("Slow", AlertMetric.LATENCY_P95, 500), by=ANN)
    page = open_page("monitor", user=CLEO, endpoint=NAME, tab="alerts")
    assert page.toggle[0].disabled and f"monitor_delete_{rule.id}" not in {button.key for button in page.button}
    assert open_page("monitor", user=CLEO, endpoint=NAME, tab="drift").button(key="monitor_analyse").disabled


def test_an_unknown_endpoint_is_a_calm_sentence(served, open_page):
    assert "no endpoint “nothing”" in open_page("monitor", endpoint="nothing").warning[0].value
