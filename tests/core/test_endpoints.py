"""Deploy, canary, traffic, rollback, stop and ask; what serving says wins over what the store remembers."""

from __future__ import annotations

import threading

import pytest

from tests.core.serving_double import ANN, ServedModel
from workbench_core.endpoints import DeploymentState, EndpointStatus, describe, name_for
from workbench_core.endpoints.model import with_canary
from workbench_core.errors import Conflict, Invalid, NotFound, NotPermitted, Unavailable
from workbench_core.permissions import Role
from workbench_core.ports import ServedVersion

NAME = "mail-classifier"


@pytest.fixture
def model(store, lake, history, permissions, clock, tmp_path):
    made = ServedModel(store, lake, history, permissions, clock, tmp_path)
    for version in (1, 2, 3):
        made.add(version)
    return made


def v(version: int, percent: int = 100) -> ServedVersion:
    return ServedVersion("mail-classifier", version, percent)


def changes(model, name=NAME):
    return [(one.action, describe(one.served_after), one.state) for one in model.endpoints.history(name)]


# --- deploy (DP-3) ---------------------------------------------------------------------------------------------------


def test_a_first_version_gets_an_endpoint_named_like_the_model(model):
    endpoint = model.deploy(1)
    assert (endpoint.name, endpoint.status, endpoint.served) == (NAME, EndpointStatus.READY, (v(1),))
    assert model.serving.state(NAME).served == (v(1),)
    assert changes(model) == [("create", "v1", "succeeded")]
    deployment = model.endpoints.history(NAME)[0]
    assert deployment.by == ANN and deployment.served_before == () and deployment.seconds is not None


def test_the_next_version_keeps_the_endpoint_and_its_identity(model):
    """INV-T4"""
    first, second = model.deploy(1), model.deploy(2, reason="better on spam")
    assert (second.id, second.name, second.served) == (first.id, first.name, (v(2),))
    assert changes(model) == [("update", "v2", "succeeded"), ("create", "v1", "succeeded")]
    assert model.endpoints.history(NAME)[0].reason == "better on spam"
    assert model.endpoints.history(NAME)[0].served_before == (v(1),)


@pytest.mark.parametrize(
    ("model_name", "expected"),
    [("mail-classifier", "mail-classifier"), ("ml.models.Mail_Classifier", "mail-classifier"), ("x" * 80, "x" * 63)],
)
def test_automatic_names_are_legal(model_name, expected):
    assert name_for(model_name) == expected


@pytest.mark.parametrize("name", ["no spaces", "-first", "x" * 64, "ümlaut", "a/b", "a.b"])
def test_an_illegal_name_is_refused_before_anything_happens(model, name):
    with pytest.raises(Invalid, match="cannot be the name"):
        model.deploy(1, name=name)
    assert model.endpoints.find() == []


def test_an_unknown_version_is_refused(model):
    with pytest.raises(NotFound, match="no version 9"):
        model.deploy(9)
    assert model.endpoints.find() == []


def test_an_endpoint_keeps_its_model(model):
    model.add(1, model_name="other")
    model.deploy(1)
    with pytest.raises(Conflict, match="serves the model mail-classifier"):
        model.endpoints.deploy("other", 1, name=NAME, by=ANN)


def test_deploying_what_is_served_already_is_refused(model):
    model.deploy(1)
    with pytest.raises(Conflict, match="serves v1 already"):
        model.deploy(1)
    assert len(changes(model)) == 1


def test_a_version_that_cannot_be_loaded_leaves_the_old_one_answering(model):
    model.deploy(1)
    model.serving.broken.add(2)
    with pytest.raises(Invalid, match="weights are missing"):
        model.deploy(2)
    endpoint = model.endpoints.get(NAME)
    assert (endpoint.status, endpoint.served) == (EndpointStatus.READY, (v(1),))
    assert "weights are missing" in endpoint.message
    assert changes(model)[0] == ("update", "v2", "failed")
    assert "weights are missing" in model.endpoints.history(NAME)[0].message


def test_a_failed_first_deployment_can_be_tried_again(model):
    model.serving.broken.add(1)
    with pytest.raises(Invalid):
        model.deploy(1)
    assert model.endpoints.get(NAME).status is EndpointStatus.FAILED
    model.serving.broken.clear()
    assert model.deploy(1).status is EndpointStatus.READY
    assert changes(model) == [("create", "v1", "succeeded"), ("create", "v1", "failed")]


def test_the_registry_alias_follows_the_main_version(model):
    model.deploy(1)
    model.deploy(2, canary_percent=10)
    assert model.tracker.aliases == {("mail-classifier", "production"): 1}
    model.deploy(2)
    assert model.tracker.aliases == {("mail-classifier", "production"): 2}


def test_a_registry_that_is_down_is_told_and_not_fatal(model):
    model.tracker.is_down = True
    endpoint = model.deploy(1)
    assert endpoint.status is EndpointStatus.READY
    assert "could not be moved: The registry does not answer." in endpoint.message
    assert model.endpoints.history(NAME)[0].message == endpoint.message


# --- canary and traffic (DP-6) ---------------------------------------------------------------------------------------


def test_a_canary_takes_its_share_and_the_old_version_keeps_the_rest(model):
    model.deploy(1)
    assert model.deploy(2, canary_percent=10).served == (v(1, 90), v(2, 10))
    assert model.endpoints.get(NAME).main_version == 1


def test_the_versions_before_share_the_rest_in_proportion():
    assert with_canary((v(1, 67), v(2, 33)), v(3, 10)) == (v(1, 60), v(2, 30), v(3, 10))
    assert with_canary((v(1, 50), v(2, 50)), v(3, 1)) == (v(1, 50), v(2, 49), v(3, 1))
    assert with_canary((v(1, 90), v(2, 10)), v(2, 50)) == (v(1, 50), v(2, 50))
    assert with_canary((v(1, 99), v(2, 1)), v(3, 99)) == (v(1, 1), v(3, 99))


@pytest.mark.parametrize("percent", [0, 101, -5])
def test_an_impossible_canary_share_is_refused(model, percent):
    model.deploy(1)
    with pytest.raises(Invalid, match="not possible"):
        model.deploy(2, canary_percent=percent)


def test_the_first_version_cannot_be_a_canary(model):
    with pytest.raises(Invalid, match="Nothing else is served"):
        model.deploy(1, canary_percent=10)


def test_traffic_is_shared_by_whole_percents_that_add_up(model):
    model.deploy(1)
    served = model.endpoints.set_traffic(NAME, {1: 30, 2: 70, 3: 0}, by=ANN, reason="test").served
    assert served == (v(1, 30), v(2, 70)) == model.serving.state(NAME).served
    assert changes(model)[0] == ("traffic", "v1 30 %, v2 70 %", "succeeded")


@pytest.mark.parametrize(("shares", "words"), [({1: 60, 2: 60}, "add up to 120"), ({1: 120, 2: -20}, "below zero")])
def test_shares_that_do_not_work_are_refused(model, shares, words):
    model.deploy(1)
    with pytest.raises(Invalid, match=words):
        model.endpoints.set_traffic(NAME, shares, by=ANN)


def test_traffic_to_an_unknown_version_is_refused(model):
    model.deploy(1)
    with pytest.raises(NotFound, match="no version 7"):
        model.endpoints.set_traffic(NAME, {1: 50, 7: 50}, by=ANN)


# --- rollback (DP-5, acceptance 8) -----------------------------------------------------------------------------------


def test_one_click_goes_back_to_the_configuration_before(model):
    model.deploy(1)
    model.deploy(2, canary_percent=20)
    model.deploy(3)
    assert model.endpoints.rollback(NAME, by=ANN, reason="worse").served == (v(1, 80), v(2, 20))
    assert changes(model)[0] == ("rollback", "v1 80 %, v2 20 %", "succeeded")


def test_rollback_to_a_version_takes_all_traffic_there(model):
    model.deploy(1)
    model.deploy(2)
    model.deploy(3)
    assert model.endpoints.earlier(NAME) == [(v(2),), (v(1),)]
    assert model.endpoints.rollback(NAME, by=ANN, to_version=1).served == (v(1),)


def test_rollback_offers_only_what_was_served_successfully(model):
    model.deploy(1)
    model.serving.broken.add(2)
    with pytest.raises(Invalid):
        model.deploy(2)
    model.deploy(3)
    assert model.endpoints.earlier(NAME) == [(v(1),)]
    with pytest.raises(Conflict, match="never served version 2"):
        model.endpoints.rollback(NAME, by=ANN, to_version=2)


def test_rollback_to_the_same_version_and_without_a_past_are_refused(model):
    model.deploy(1)
    with pytest.raises(Conflict, match="no earlier deployment"):
        model.endpoints.rollback(NAME, by=ANN)
    with pytest.raises(Conflict, match="serves v1 already"):
        model.endpoints.rollback(NAME, by=ANN, to_version=1)


# --- stop (DP-7) -----------------------------------------------------------------------------------------------------


def test_a_stopped_endpoint_keeps_its_history_and_starts_again(model):
    first = model.deploy(1)
    stopped = model.endpoints.stop(NAME, by=ANN, reason="not needed")
    assert (stopped.status, stopped.served) == (EndpointStatus.STOPPED, ())
    assert model.serving.removed == [NAME]
    for act in (
        lambda: model.endpoints.query(NAME, [{"subject": "a"}], by=ANN),
        lambda: model.endpoints.rollback(NAME, by=ANN),
        lambda: model.endpoints.stop(NAME, by=ANN),
    ):
        with pytest.raises(Conflict, match="was stopped by ann"):
            act()
    again = model.deploy(2)
    assert (again.id, again.status, again.served) == (first.id, EndpointStatus.READY, (v(2),))
    assert [one.action for one in model.endpoints.history(NAME)] == ["create", "stop", "create"]


# --- who may ---------------------------------------------------------------------------------------------------------


def test_roles_decide_who_deploys_stops_and_asks(model, permissions):
    """Acceptance 22"""
    permissions.assign("lea@example.com", Role.LABELER, by=ANN)
    permissions.assign("cleo@example.com", Role.DATA_CONSUMER, by=ANN)
    permissions.assign("pat@example.com", Role.DATA_PRODUCER, by=ANN)
    model.deploy(1)
    with pytest.raises(NotPermitted):
        model.endpoints.deploy("mail-classifier", 2, by="cleo@example.com")
    with pytest.raises(NotPermitted):
        model.endpoints.set_traffic(NAME, {1: 50, 2: 50}, by="cleo@example.com")
    with pytest.raises(NotPermitted):
        model.endpoints.rollback(NAME, by="cleo@example.com")
    with pytest.raises(NotPermitted):
        model.endpoints.stop(NAME, by="pat@example.com")
    with pytest.raises(NotPermitted):
        model.endpoints.query(NAME, [{}], by="lea@example.com")
    assert model.endpoints.query(NAME, [{"subject": "a", "body": "b"}], by="cleo@example.com").version == 1


# --- playground (DP-11) ----------------------------------------------------------------------------------------------


def test_asking_is_logged_with_the_item_and_the_person(model):
    model.deploy(1)
    result = model.endpoints.query(NAME, [{"subject": "a", "body": "b"}], by=ANN, item_refs=("m1",))
    logged = model.serving.request(result.request_id)
    assert (logged.requested_by, logged.source, logged.item_refs) == (ANN, "playground", ("m1",))


def test_the_form_has_the_fields_of_the_template_and_fills_from_the_sheet(model):
    model.deploy(1)
    assert model.endpoints.input_fields(NAME) == ("subject", "body")
    row = model.endpoints.sheet_row(NAME, 2)
    assert (row.item_ref, row.record) == ("m2", {"subject": "Lunch", "body": "At noon?"})
    with pytest.raises(NotFound, match="no row 3"):
        model.endpoints.sheet_row(NAME, 3)


def test_an_unknown_endpoint_and_an_empty_request_are_told(model):
    with pytest.raises(NotFound, match="no endpoint “nothing”"):
        model.endpoints.query("nothing", [{}], by=ANN)
    model.deploy(1)
    for records in ([], [{}], [{"subject": " ", "body": None}]):
        with pytest.raises(Invalid, match="request is empty"):
            model.endpoints.query(NAME, records, by=ANN)


# --- the truth is what serving says (INV-T6) -------------------------------------------------------------------------


def test_after_a_crash_before_the_switch_the_deployment_is_closed_as_failed(model):
    model.deploy(1)
    model.serving.interrupt = "before"
    with pytest.raises(KeyboardInterrupt):
        model.deploy(2)
    assert changes(model)[0][2] is DeploymentState.IN_PROGRESS
    model.serving.interrupt = ""
    restarted = model.make_endpoints()
    assert [one.name for one in restarted.reconcile()] == [NAME]
    assert changes(model)[0] == ("update", "v2", "failed")
    assert (restarted.get(NAME).status, restarted.get(NAME).served) == (EndpointStatus.READY, (v(1),))


def test_after_a_crash_behind_the_switch_it_is_closed_as_succeeded(model):
    model.deploy(1)
    model.serving.interrupt = "after"
    with pytest.raises(KeyboardInterrupt):
        model.deploy(2)
    model.make_endpoints().reconcile()
    assert changes(model)[0] == ("update", "v2", "succeeded")
    assert model.endpoints.get(NAME).served == (v(2),)
    assert model.endpoints.reconcile() == []


def test_a_crash_does_not_block_the_next_change(model):
    model.deploy(1)
    model.serving.interrupt = "after"
    with pytest.raises(KeyboardInterrupt):
        model.deploy(2)
    model.serving.interrupt = ""
    assert model.deploy(3, canary_percent=10).served == (v(2, 90), v(3, 10))
    assert [one[2] for one in changes(model)] == ["succeeded", "succeeded", "succeeded"]


def test_a_change_of_another_machine_blocks_until_it_is_old(model, clock):
    model.deploy(1)
    model.serving.interrupt = "before"
    with pytest.raises(KeyboardInterrupt):
        model.deploy(2)
    model.serving.interrupt = ""
    model.store.execute("UPDATE deployments SET worker = 'elsewhere:1:worker-1' WHERE state = 'in_progress'",
                        touches="deployments")  # fmt: skip
    with pytest.raises(Conflict, match="is being changed by ann"):
        model.deploy(3)
    clock.move(minutes=16)
    assert model.deploy(3).served == (v(3),)


def test_a_deployment_stays_open_while_serving_is_still_loading(model):
    model.deploy(1)
    model.serving.interrupt = "before"
    with pytest.raises(KeyboardInterrupt):
        model.deploy(2)
    model.serving.loading.add(NAME)
    assert model.endpoints.reconcile() == []
    assert changes(model)[0][2] is DeploymentState.IN_PROGRESS
    model.serving.loading.clear()
    model.endpoints.reconcile()
    assert changes(model)[0][2] is DeploymentState.FAILED


def test_a_finished_deployment_never_changes(model):
    """INV-T7"""
    model.deploy(1)
    before = model.endpoints.history(NAME)
    model.serving.set_outside(NAME, v(3))
    model.endpoints.reconcile()
    assert model.endpoints.history(NAME) == before


def test_a_change_from_outside_is_taken_over_and_noted(model, history):
    endpoint = model.deploy(1)
    model.serving.set_outside(NAME, v(3))
    assert model.endpoints.current(NAME).served == (v(3),)
    assert [one.served for one in model.endpoints.reconcile()] == [(v(3),)]
    event = history.of("endpoint", endpoint.id)[0]
    assert (event.by, event.action, event.details["after"]) == ("serving", "changed outside", "v3")


def test_an_endpoint_that_serving_lost_is_shown_as_failed(model):
    model.deploy(1)
    model.serving.forget(NAME)
    shown = model.endpoints.overview()[0]
    assert (shown.status, shown.answers) == (EndpointStatus.FAILED, False)
    assert "Deploy a version to it again" in shown.message
    assert model.deploy(1).status is EndpointStatus.READY


def test_serving_that_does_not_answer_is_said_and_the_store_keeps_what_it_knew(model):
    model.deploy(1)
    model.serving.down = Unavailable("The serving process does not answer.")
    assert model.endpoints.overview()[0].message == "The serving process does not answer."
    with pytest.raises(Unavailable):
        model.deploy(2)
    assert model.endpoints.get(NAME).served == (v(1),)
    assert changes(model)[0] == ("update", "v2", "failed")
    model.serving.down = None
    model.endpoints.reconcile()
    assert model.endpoints.get(NAME).status is EndpointStatus.READY


def test_two_changes_at_once_one_is_refused(model):
    model.deploy(1)
    inside, go_on = threading.Event(), threading.Event()
    apply = model.serving.apply

    def slow(endpoint, served):
        inside.set()
        assert go_on.wait(5)
        return apply(endpoint, served)

    model.serving.apply = slow
    first = threading.Thread(target=model.deploy, args=(2,))
    first.start()
    assert inside.wait(5)
    with pytest.raises(Conflict, match="being changed right now"):
        model.deploy(3)
    assert model.endpoints.reconcile() == []  # what is under way is left alone
    go_on.set()
    first.join(5)
    assert model.endpoints.get(NAME).served == (v(2),)
