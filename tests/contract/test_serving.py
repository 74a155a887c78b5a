"""Endpoints on this machine: deploy, ask, split, go back, survive; with real MLflow models and a real gateway."""

from __future__ import annotations

import json
import os
import signal
import threading
import time
import uuid
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import urllib3

from tests.contract import serving_parts
from tests.contract.serving_parts import ALWAYS_B, BROKEN, ECHO, SHOUT, ask, log_of, post, records, wait_until
from workbench_core.adapters.local import serving as local_serving
from workbench_core.adapters.local.processes import OwnedProcess
from workbench_core.adapters.local.serving import LocalServing
from workbench_core.errors import BackendError, Invalid, NotFound, TimedOut
from workbench_core.ports import Prediction, ServedVersion

home, gateway, served, endpoint = (
    serving_parts.home,
    serving_parts.gateway,
    serving_parts.served,
    serving_parts.endpoint,
)  # fixtures


# --- deploy and ask --------------------------------------------------------------------------------------------------


def test_a_deployed_version_answers_with_confidence(served: LocalServing) -> None:
    state = served.apply("first", [SHOUT])
    assert (state.endpoint, state.state, state.served) == ("first", "ready", (SHOUT,))
    result = served.query("first", records("good", ""), by="ann")
    assert (result.model_name, result.version) == ("reviews", 1)
    assert [(p.answer, p.confidence, p.error) for p in result.predictions] == [("GOOD", 0.75, None), ("", None, None)]
    assert result.latency_ms > 0
    assert served.state("first") == state


def test_each_change_counts_up_the_configuration(served: LocalServing, endpoint: str) -> None:
    before = served.state(endpoint).config_version
    after = served.apply(endpoint, [ALWAYS_B])
    assert (after.config_version, after.served) == (before + 1, (ALWAYS_B,))


def test_two_versions_share_the_traffic_20_to_80(served: LocalServing, endpoint: str) -> None:
    """DP-6"""
    served.apply(endpoint, [ServedVersion("reviews", 1, 20), ServedVersion("reviews", 2, 80)])
    versions = Counter(served.query(endpoint, records("a"), by="ann").version for _ in range(500))
    assert sum(versions.values()) == 500
    assert 60 <= versions[1] <= 140  # 4.5 standard deviations around 100
    logged = log_of(served, endpoint)
    assert Counter(request.version for request in logged) == versions
    for request in logged:  # the split can be checked by anybody: identifier modulo 100
        assert request.version == (1 if uuid.UUID(request.request_id).int % 100 < 20 else 2)


def test_going_back_to_the_version_before_takes_milliseconds(served: LocalServing, endpoint: str) -> None:
    """DP-5"""
    served.apply(endpoint, [ALWAYS_B])
    assert ask(served, endpoint) == "B"
    started = time.perf_counter()
    served.apply(endpoint, [SHOUT])
    elapsed = time.perf_counter() - started
    assert ask(served, endpoint) == "GOOD"
    assert elapsed < 0.3  # it stayed in memory; measured 2-8 ms


def test_swapping_versions_under_load_loses_no_request(served: LocalServing, endpoint: str) -> None:
    is_over = threading.Event()

    def keep_asking(number: int) -> list[tuple[int, str | None]]:
        answers = []
        while not is_over.is_set():
            result = served.query(endpoint, records("good"), by=f"client {number}")
            answers.append((result.version, result.predictions[0].answer))
        return answers

    with ThreadPoolExecutor(3) as clients:
        asking = [clients.submit(keep_asking, number) for number in range(3)]
        for turn in range(30):
            served.apply(endpoint, [ALWAYS_B if turn % 2 else SHOUT])
            time.sleep(0.03)
        is_over.set()
        answers = [answer for asked in asking for answer in asked.result()]
    assert set(answers) == {(1, "GOOD"), (2, "B")}
    assert len(log_of(served, endpoint)) == len(answers)
    assert {request.status_code for request in log_of(served, endpoint)} == {200}


@pytest.mark.parametrize(
    ("wanted", "words"),
    [
        ([BROKEN], "cannot be loaded: RuntimeError: the weights are missing"),
        ([ServedVersion("reviews", 99, 100)], "no version 99 of the model “reviews”"),
        ([ServedVersion("nobody", 1, 100)], "no version 1 of the model “nobody”"),
        ([ServedVersion("reviews", 1, 60)], "add up to 60 percent"),
        ([ServedVersion("reviews", 1, 50), ServedVersion("reviews", 1, 50)], "twice"),
        ([ServedVersion("reviews", 1, 101), ServedVersion("reviews", 2, -1)], "-1 is below zero"),
        ([], "at least one"),
    ],
)
def test_a_change_that_cannot_be_made_leaves_the_endpoint(
    served: LocalServing, endpoint: str, wanted: Sequence[ServedVersion], words: str
) -> None:
    before = served.state(endpoint)
    with pytest.raises(Invalid, match=words) as raised:
        served.apply(endpoint, wanted)
    assert raised.value.hint
    assert served.state(endpoint) == before
    assert ask(served, endpoint) == "GOOD"


@pytest.mark.parametrize("name", ["", "a/b", "-a", "ä", "a" * 64])
def test_a_name_that_cannot_be_an_address_is_refused(served: LocalServing, name: str) -> None:
    with pytest.raises(Invalid, match="cannot be the name of an endpoint"):
        served.apply(name, [SHOUT])


def test_removing_an_endpoint_keeps_its_log(served: LocalServing, endpoint: str) -> None:
    """DP-7"""
    ask(served, endpoint)
    served.remove(endpoint)
    with pytest.raises(NotFound, match=endpoint):
        served.state(endpoint)
    with pytest.raises(NotFound, match=endpoint):
        ask(served, endpoint)
    assert len(log_of(served, endpoint)) == 1
    served.remove(endpoint)  # a repeated removal is no error


def test_an_unknown_endpoint_is_not_found(served: LocalServing) -> None:
    with pytest.raises(NotFound, match="no endpoint “nowhere”"):
        served.query("nowhere", records("a"), by="ann")
    with pytest.raises(NotFound, match="no endpoint “nowhere”"):
        served.state("nowhere")


# --- the log ---------------------------------------------------------------------------------------------------------


def test_a_request_is_logged_as_sent_with_who_and_about_what(served: LocalServing, endpoint: str) -> None:
    """DP-11"""
    sent = [{"text": "gut “ä” 🙂", "note": "x", "unused": 3}]
    before = datetime.now(UTC)
    result = served.query(endpoint, sent, by="ann@example.org", item_refs=["item-7"])
    logged = served.request(result.request_id)
    assert logged.records == tuple(sent)
    assert logged.predictions == ({"prediction": "GUT “Ä” 🙂", "confidence": 0.75},)
    assert (logged.endpoint, logged.model_name, logged.version) == (endpoint, "reviews", 1)
    assert (logged.requested_by, logged.source, logged.item_refs) == ("ann@example.org", "playground", ("item-7",))
    assert (logged.status_code, logged.error, logged.latency_ms) == (200, "", result.latency_ms)
    assert before <= logged.requested_at <= datetime.now(UTC)


def test_a_missing_column_is_named_and_logged(served: LocalServing, endpoint: str) -> None:
    with pytest.raises(Invalid, match="Record 2 has no value for “note”") as raised:
        served.query(endpoint, [*records("a"), {"text": "b"}], by="ann", item_refs=["i", "j"])
    assert "text (string), note (string)" in raised.value.hint
    (logged,) = log_of(served, endpoint)
    assert (logged.status_code, logged.requested_by, logged.item_refs) == (400, "ann", ("i", "j"))
    assert "“note”" in logged.error
    assert (len(logged.records), logged.predictions) == (2, ())


def test_a_value_of_the_wrong_type_is_refused_by_the_schema(served: LocalServing, endpoint: str) -> None:
    with pytest.raises(Invalid, match="do not fit the model: Incompatible input types for column text"):
        served.query(endpoint, [{"text": 3, "note": ""}], by="ann")
    assert [request.status_code for request in log_of(served, endpoint)] == [400]


def test_a_failing_model_says_why_and_is_logged(served: LocalServing, endpoint: str) -> None:
    with pytest.raises(BackendError, match="The model failed: ValueError: this text cannot be read") as raised:
        ask(served, endpoint, "fail")
    assert not isinstance(raised.value, TimedOut)
    assert [request.status_code for request in log_of(served, endpoint)] == [500]
    assert ask(served, endpoint) == "GOOD"


def test_values_that_json_cannot_carry_are_refused(served: LocalServing, endpoint: str) -> None:
    for value in (float("nan"), datetime.now(UTC)):
        with pytest.raises(Invalid, match="cannot be sent"):
            served.query(endpoint, [{"text": value, "note": ""}], by="ann")  # type: ignore[dict-item]


def test_performance_has_one_row_a_request(served: LocalServing, endpoint: str) -> None:
    served.query(endpoint, records("a"), by="ann")
    served.query(endpoint, records("b"), by="bob", source="demo")
    with pytest.raises(Invalid):
        served.query(endpoint, [], by="ann")
    now = datetime.now(UTC)
    frame = served.performance(endpoint, since=now - timedelta(minutes=5), until=now)
    assert list(frame.columns) == [
        "request_id", "requested_at", "version", "status_code", "latency_ms", "requested_by", "source",
    ]  # fmt: skip
    assert frame["status_code"].tolist() == [200, 200, 400]
    assert frame["requested_by"].tolist() == ["ann", "bob", "ann"]
    assert frame["source"].tolist() == ["playground", "demo", "playground"]
    assert str(frame["requested_at"].dtype) == "datetime64[us, UTC]"
    assert frame["requested_at"].is_monotonic_increasing
    assert served.performance(endpoint, since=now, until=now + timedelta(days=1)).empty


# --- evaluation ------------------------------------------------------------------------------------------------------


def test_evaluation_answers_in_order_and_leaves_no_trace_in_the_log(served: LocalServing, endpoint: str) -> None:
    texts = [f"text {number}" for number in range(600)]  # more than one batch
    answers = served.predict("reviews", 1, records(*texts))
    assert [answer.answer for answer in answers] == [text.upper() for text in texts]
    assert all(answer.latency_ms > 0 for answer in answers)
    assert log_of(served, endpoint) == []
    assert served.predict("reviews", 1, []) == []


def test_evaluation_tells_which_records_fail(served: LocalServing) -> None:
    answers = served.predict("echo", 1, records("a", "silent", "b", "fail", "c"))
    assert [answer.answer for answer in answers] == ["a", None, "b", None, "c"]
    assert answers[1].error == "The model gave no answer."
    assert "this text cannot be read" in str(answers[3].error)
    assert isinstance(answers[0], Prediction)
    assert answers[0].error is None


def test_evaluation_of_an_unknown_version_is_not_found(served: LocalServing) -> None:
    with pytest.raises(NotFound, match="no version 9 of the model “reviews”"):
        served.predict("reviews", 9, records("a"))
    with pytest.raises(Invalid, match="“note”"):
        served.predict("reviews", 1, [{"text": "a"}])


# --- slow models -----------------------------------------------------------------------------------------------------


def test_a_slow_model_is_given_up_and_holds_nobody_else_back(served: LocalServing, endpoint: str) -> None:
    served.apply("slow", [ECHO])
    with ThreadPoolExecutor(6) as clients:  # more than the model has threads
        waiting = [clients.submit(ask, served, "slow", "sleep 5") for _ in range(6)]
        time.sleep(0.3)
        started = time.perf_counter()
        assert ask(served, endpoint) == "GOOD"
        assert time.perf_counter() - started < 1
        for one in waiting:
            with pytest.raises(TimedOut, match="within 3 seconds"):
                one.result()
    assert [request.status_code for request in log_of(served, "slow")] == [504] * 6


# --- crashes and restarts --------------------------------------------------------------------------------------------


def test_a_killed_gateway_loses_no_acknowledged_request(
    served: LocalServing, gateway: OwnedProcess, endpoint: str
) -> None:
    address = gateway.address()
    acknowledged: list[str] = []
    pool = urllib3.PoolManager(maxsize=4, retries=False)

    def keep_sending() -> None:
        url = f"{address.url}/serving-endpoints/{endpoint}/invocations"
        body = json.dumps({"dataframe_records": records("good")}).encode()
        while True:
            try:
                answer = pool.request("POST", url, body=body, headers={"Authorization": f"Bearer {address.token}"})
                acknowledged.append(json.loads(answer.data)["databricks_output"]["databricks_request_id"])
            except (urllib3.exceptions.HTTPError, ValueError):
                return

    senders = [threading.Thread(target=keep_sending) for _ in range(4)]
    for sender in senders:
        sender.start()
    wait_until(lambda: len(acknowledged) > 200)
    os.kill(address.pid, signal.SIGKILL)
    for sender in senders:
        sender.join()
    assert gateway.running() is None
    logged = Counter(request.request_id for request in log_of(served, endpoint))
    assert set(acknowledged) <= set(logged)
    assert set(logged.values()) == {1}
    assert len(set(acknowledged)) == len(acknowledged)
    assert len(logged) - len(acknowledged) <= len(senders)  # at most what was under way


def test_the_next_request_starts_a_killed_gateway(served: LocalServing, gateway: OwnedProcess, endpoint: str) -> None:
    before = gateway.address().pid
    assert ask(served, endpoint) == "GOOD"
    os.kill(before, signal.SIGKILL)
    assert ask(served, endpoint) == "GOOD"
    assert gateway.address().pid != before
    assert [request.status_code for request in log_of(served, endpoint)] == [200, 200]


def test_asking_while_the_gateway_is_killed_logs_each_request_once(
    served: LocalServing, gateway: OwnedProcess, endpoint: str
) -> None:
    with ThreadPoolExecutor(3) as clients:
        asking = [clients.submit(served.query, endpoint, records("good"), by="ann") for _ in range(300)]
        wait_until(lambda: sum(one.done() for one in asking) > 50)
        os.kill(gateway.address().pid, signal.SIGKILL)
        results = [one.result() for one in asking]
    assert {result.predictions[0].answer for result in results} == {"GOOD"}
    logged = Counter(request.request_id for request in log_of(served, endpoint))
    assert logged == Counter(result.request_id for result in results)


def test_an_answer_lost_on_its_way_comes_from_the_log(
    served: LocalServing, endpoint: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    same = uuid.uuid4()
    monkeypatch.setattr(local_serving.uuid, "uuid4", lambda: same)
    first = served.query(endpoint, records("good"), by="ann")
    again = served.query(endpoint, records("good"), by="ann")  # what is sent when the connection broke
    assert again == first
    assert len(log_of(served, endpoint)) == 1


def test_endpoints_outlive_the_gateway(served: LocalServing, gateway: OwnedProcess, endpoint: str) -> None:
    split = (ServedVersion("reviews", 1, 50), ServedVersion("reviews", 2, 50))
    before = served.apply(endpoint, split)
    ask(served, endpoint)
    gateway.stop()
    started = time.perf_counter()
    state = served.state(endpoint)
    assert time.perf_counter() - started < 0.5  # a page does not wait for the start
    assert (state.state, state.served, state.config_version) == ("updating", split, before.config_version)
    wait_until(lambda: served.state(endpoint).state == "ready")
    assert served.state(endpoint) == before
    assert ask(served, endpoint) in {"GOOD", "B"}


def test_an_endpoint_whose_model_is_gone_says_so_and_heals(
    served: LocalServing, gateway: OwnedProcess, endpoint: str, home: Path
) -> None:
    gateway.stop()
    artifacts = home / "mlflow" / "artifacts"
    artifacts.rename(home / "elsewhere")
    gateway.address()
    wait_until(lambda: served.state(endpoint).state == "failed")
    assert "Version 1 of “reviews” cannot be loaded" in served.state(endpoint).message
    with pytest.raises(BackendError, match="cannot be loaded"):
        ask(served, endpoint)
    assert [request.status_code for request in log_of(served, endpoint)] == [500]
    (home / "elsewhere").rename(artifacts)
    assert ask(served, endpoint) == "GOOD"
    assert (served.state(endpoint).state, served.state(endpoint).message) == ("ready", "")


def test_monitoring_works_while_the_gateway_is_down(served: LocalServing, gateway: OwnedProcess, endpoint: str) -> None:
    ask(served, endpoint)
    gateway.stop()
    now = datetime.now(UTC)
    assert len(served.performance(endpoint, since=now - timedelta(hours=1), until=now)) == 1
    (logged,) = log_of(served, endpoint)
    assert served.request(logged.request_id) == logged
    with pytest.raises(NotFound):
        served.request("nothing")
    with pytest.raises(NotFound):
        served.state("nowhere")
    assert gateway.running() is None


# --- programs without our client -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "body",
    [
        {"dataframe_records": [{"text": "a", "note": ""}, {"text": "b", "note": ""}]},
        {"dataframe_split": {"columns": ["note", "text"], "data": [["", "a"], ["", "b"]]}},
        {"inputs": {"text": ["a", "b"], "note": ["", ""]}},
        {"inputs": [{"text": "a", "note": ""}, {"text": "b", "note": ""}]},
    ],
)
def test_all_forms_of_databricks_are_understood(gateway: OwnedProcess, endpoint: str, body: dict[str, object]) -> None:
    response = post(gateway.address(), f"/serving-endpoints/{endpoint}/invocations", body)
    assert response.status == 200
    assert [one["prediction"] for one in response.json()["predictions"]] == ["A", "B"]
    assert response.headers["served-model-name"] == "reviews-1"


def test_a_caller_may_say_who_asks_in_the_field_databricks_has(
    served: LocalServing, gateway: OwnedProcess, endpoint: str
) -> None:
    path = f"/serving-endpoints/{endpoint}/invocations"
    caller = json.dumps({"requested_by": "bob", "item_refs": ["i-1"], "source": "demo"})
    output = post(gateway.address(), path, {"dataframe_records": records("a"), "client_request_id": caller}).json()[
        "databricks_output"
    ]
    assert output["client_request_id"] == caller
    logged = served.request(output["databricks_request_id"])
    assert (logged.requested_by, logged.item_refs, logged.source) == ("bob", ("i-1",), "demo")
    plain = post(gateway.address(), path, {"dataframe_records": records("a"), "client_request_id": "order 7"})
    assert plain.json()["databricks_output"]["client_request_id"] == "order 7"
    assert served.request(plain.json()["databricks_output"]["databricks_request_id"]).source == "api"


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"{", "not valid JSON"),
        (b"[1]", "not a JSON object"),
        (b"[" * 100_000, "not valid JSON"),
        (b'{"dataframe_records": [{"text": NaN, "note": ""}]}', "NaN is not allowed"),
        (b"\xff\xfe", "not valid JSON"),
        ({}, "0 kinds of records"),
        ({"dataframe_records": []}, "no records"),
        ({"dataframe_records": {"text": "a"}}, "is not a list"),
        ({"dataframe_records": ["a"]}, "not an object"),
        ({"dataframe_split": {"columns": ["text"], "data": [["a", "b"]]}}, "Row 1"),
        ({"inputs": {"text": ["a"], "note": []}}, "not lists of one length"),
        ({"dataframe_records": [{"text": "\ud800", "note": ""}]}, "surrogates not allowed"),
        ({"dataframe_records": [{"text": "a", "note": ""}], "source": "moon"}, "is not a source"),
        ({"dataframe_records": [{"text": "a", "note": ""}], "request_id": "7"}, "not a UUID"),
    ],
)
def test_a_request_that_cannot_be_read_is_answered_with_400_and_logged(
    served: LocalServing, gateway: OwnedProcess, endpoint: str, body: object, words: str
) -> None:
    response = post(gateway.address(), f"/serving-endpoints/{endpoint}/invocations", body)
    assert (response.status, response.json()["error_code"]) == (400, "INVALID_PARAMETER_VALUE")
    assert words in response.json()["message"]
    assert [request.status_code for request in log_of(served, endpoint)] == [400]


def test_nobody_gets_in_without_the_token(gateway: OwnedProcess, endpoint: str) -> None:
    address = gateway.address()
    for path in (f"/serving-endpoints/{endpoint}/invocations", "/models/reviews/1/predict", "/health"):
        for wrong in ("", "Bearer", f"Bearer {address.token}x", address.token):
            response = post(address, path, {"dataframe_records": records("a")}, Authorization=wrong)
            assert (response.status, response.json()["error_code"]) == (401, "UNAUTHENTICATED")


def test_an_unknown_address_is_told_in_json(gateway: OwnedProcess) -> None:
    response = post(gateway.address(), "/serving-endpoints/nowhere/invocations", {})
    assert (response.status, response.json()["error_code"]) == (404, "RESOURCE_DOES_NOT_EXIST")
    response = post(gateway.address(), "/elsewhere", {})
    assert (response.status, response.json()["error_code"]) == (404, "ENDPOINT_NOT_FOUND")
