"""Roles: what each may do, who gives them, and that the last administrator stays."""

from __future__ import annotations

import pytest

from workbench_core.errors import Conflict, Invalid, NotPermitted
from workbench_core.permissions import ALLOWED, Action, Permissions, Role

EXPECTED = {  # spec 2.14 and 2.17, with the corrections noted there
    Action.EDIT_SHEETS: {"admin", "data_steward", "data_producer"},
    Action.MANAGE_QUALITY: {"admin", "data_steward", "data_producer"},
    Action.EDIT_TEMPLATES: {"admin", "data_steward", "data_producer"},
    Action.PUBLISH_TEMPLATES: {"admin", "data_steward"},
    Action.EDIT_LABEL_SETS: {"admin", "data_steward", "data_producer"},
    Action.PUBLISH_LABEL_SETS: {"admin", "data_steward"},
    Action.GENERATE: {"admin", "data_steward", "data_producer"},
    Action.ANSWER: {"admin", "data_steward", "data_producer", "reviewer", "labeler"},
    Action.REVIEW: {"admin", "data_steward", "reviewer"},
    Action.GOVERN: {"admin", "data_steward"},
    Action.EXPORT: {"admin", "data_steward", "data_producer"},
    Action.TRAIN: {"admin", "data_steward", "data_producer", "ml_operator"},
    Action.DEPLOY: {"admin", "data_steward", "data_producer", "ml_operator"},
    Action.DELETE_ENDPOINTS: {"admin", "ml_operator"},
    Action.QUERY: {"admin", "data_steward", "data_producer", "ml_operator", "data_consumer"},
    Action.GIVE_FEEDBACK: set(Role),
    Action.MONITOR: {"admin", "data_steward", "data_producer", "ml_operator"},
    Action.IMPROVE: {"admin", "data_steward", "data_producer", "ml_operator"},
    Action.ADMINISTER: {"admin"},
}


@pytest.mark.parametrize("action", list(Action))
def test_the_table_of_roles(action):
    assert {role for role, allowed in ALLOWED.items() if action in allowed} == EXPECTED[action]


def test_a_person_without_a_role_has_the_default(store, history, clock):
    consumer = Permissions(store, history, clock, default_role="data_consumer")
    assert consumer.role_of("new@example.com") is Role.DATA_CONSUMER
    with pytest.raises(NotPermitted, match="may not train models") as caught:
        consumer.check("new@example.com", Action.TRAIN)
    assert "ml operator" in caught.value.hint


def test_an_assigned_role_replaces_the_former_one(permissions, history):
    permissions.assign("bo@example.com", "labeler", by="ann")
    permissions.assign("bo@example.com", "reviewer", by="ann")
    assert permissions.role_of("bo@example.com") is Role.REVIEWER
    assert [entry.email for entry in permissions.assignments()] == ["bo@example.com"]
    assert [event.details["role"] for event in history.of("person", "bo@example.com")] == ["reviewer", "labeler"]


def test_only_an_administrator_gives_roles(permissions):
    permissions.assign("bo@example.com", "data_steward", by="ann")
    with pytest.raises(NotPermitted):
        permissions.assign("cy@example.com", "admin", by="bo@example.com")


def test_the_last_administrator_cannot_be_demoted(permissions, store, history, clock):
    permissions.assign("ann", "admin", by="ann")
    hosted = Permissions(store, history, clock, default_role="data_consumer")
    with pytest.raises(Conflict, match="last administrator"):
        hosted.assign("ann", "labeler", by="ann")
    assert hosted.role_of("ann") is Role.ADMIN


def test_nobody_signed_in_may_do_nothing(permissions):
    assert not permissions.allows("", Action.QUERY)
    with pytest.raises(NotPermitted, match="Nobody is signed in"):
        permissions.check("", Action.QUERY)


@pytest.mark.parametrize(("email", "role"), [("", "admin"), ("x@example.com", "boss")])
def test_a_missing_person_and_an_unknown_role_are_refused(permissions, email, role):
    with pytest.raises(Invalid):
        permissions.assign(email, role, by="ann")
