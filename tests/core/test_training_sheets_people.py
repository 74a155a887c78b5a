"""Who may steer a generation and put a training sheet away: whoever began it, and those who answer for all (2.5)."""

from __future__ import annotations

import pytest

from tests.core.generation_parts import ANN, Parts
from tests.core.generation_steps import generate, request
from workbench_core.errors import NotPermitted
from workbench_core.permissions import Role

KIM, LEE = "kim@example.com", "lee@example.com"


@pytest.fixture
def parts(tmp_path, clock):
    made = Parts(tmp_path, clock=clock)
    for person in (KIM, LEE):
        made.permissions.assign(person, Role.DATA_PRODUCER, by=ANN)
    made.permissions.assign("sue", Role.DATA_STEWARD, by=ANN)
    yield made
    made.store.close()


@pytest.mark.parametrize("person", [KIM, "sue", ANN])
def test_a_generation_is_steered_by_its_starter_a_steward_or_an_administrator_and_by_no_other_producer(parts, person):
    made = parts.training_sheets.generate(request(parts, parts.make_sheet(3)), by=KIM)
    for action in ("pause", "resume", "cancel", "resume"):
        act = getattr(parts.training_sheets, action)
        before = parts.training_sheets.get(made.id).stage
        with pytest.raises(NotPermitted, match=f"Only .*{KIM}.* or a data steward may {action} “Mails"):
            act(made.id, by=LEE)
        assert parts.training_sheets.get(made.id).stage == before
        act(made.id, by=person)


def test_who_appends_may_steer_the_appending(parts):
    made = generate(parts, parts.make_sheet(3))
    parts.put_mails(range(5))
    parts.training_sheets.append_new(made.id, by=LEE)
    with pytest.raises(NotPermitted):
        parts.training_sheets.cancel(made.id, by=KIM)
    assert parts.training_sheets.cancel(made.id, by=LEE).status == "review"


@pytest.mark.parametrize("person", [KIM, "sue", ANN])
def test_a_training_sheet_is_archived_by_its_owner_a_steward_or_an_administrator(parts, person):
    made = parts.training_sheets.generate(request(parts, parts.make_sheet(2)), by=KIM)
    parts.work()
    with pytest.raises(NotPermitted, match=f"Only {KIM} or a data steward may archive “Mails"):
        parts.training_sheets.move(made.id, "archive", by=LEE)
    assert parts.training_sheets.move(made.id, "archive", by=person).status == "archived"
