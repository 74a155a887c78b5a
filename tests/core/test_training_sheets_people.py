"""Who may steer a generation and put a training sheet away: whoever began it, and those who answer for all (2.5)."""

from __future__ import annotations

import pytest

from tests.core.generation_parts import ANN, Parts
from tests.core.generation_steps import generate, request
from workbench_core.errors import Invalid, NotPermitted
from workbench_core.permissions import Role

KIM, LEE = "kim@example.com", "lee@example.com"


@pytest.fixture
def parts(tmp_path, clock):
    made = Parts(tmp_path, clock=clock)
    for person in (KIM, LEE):
        made.permissions.assign(person, Role.DATA_PRODUCER, by=ANN)
    made.permissions.assign("max", Role.REVIEWER, by=ANN)
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


# --- why not, in words -----------------------------------------------------------------------------------------------


def acts(parts, training_sheet_id, by):
    """What a person can do with a training sheet, by its name."""
    service = parts.training_sheets
    return {
        "pause": lambda: service.pause(training_sheet_id, by=by),
        "cancel": lambda: service.cancel(training_sheet_id, by=by),
        "resume": lambda: service.resume(training_sheet_id, by=by),
        "archive": lambda: service.move(training_sheet_id, "archive", by=by),
        "delete": lambda: service.delete(training_sheet_id, by=by),
        "append_new": lambda: service.append_new(training_sheet_id, by=by),
        "close_review": lambda: service.move(training_sheet_id, "close_review", by=by, leave_out=True),
        "reject": lambda: service.move(training_sheet_id, "reject", by=by, note="wrong mails"),
    }


@pytest.mark.parametrize("person", [KIM, LEE, "sue", ANN, "max", ""])
def test_a_disabled_button_says_what_the_error_would_say_and_an_enabled_one_is_not_refused(parts, person):
    sheet_id, template_id = parts.make_sheet(2), parts.make_template()
    for action in acts(parts, "", person):
        made = parts.training_sheets.generate(request(parts, sheet_id, template_id=template_id), by=KIM)
        if action == "resume":
            parts.training_sheets.pause(made.id, by=KIM)
        elif action not in {"pause", "cancel"}:
            parts.work()
        if action == "append_new":
            parts.put_mails(range(4))
        refusal = parts.training_sheets.refusal(parts.training_sheets.get(made.id), action, by=person)
        if refusal:
            with pytest.raises(NotPermitted) as refused:
                acts(parts, made.id, person)[action]()
            assert refused.value.message == refusal
        else:
            acts(parts, made.id, person)[action]()
        parts.work()


@pytest.mark.parametrize(
    ("person", "action", "words"),
    [
        (KIM, "pause", ""),
        (LEE, "pause", f"Only {KIM} or a data steward may pause “Spring mails”."),
        (LEE, "cancel", f"Only {KIM} or a data steward may cancel “Spring mails”."),
        (LEE, "resume", f"Only {KIM} or a data steward may resume “Spring mails”."),
        (LEE, "archive", f"Only {KIM} or a data steward may archive “Spring mails”."),
        ("sue", "archive", ""),
        ("sue", "delete", f"Only {KIM} or an administrator may delete “Spring mails”."),
        (ANN, "delete", ""),
        ("max", "cancel", "Your role, reviewer, may not generate training sheets."),
        ("max", "close_review", ""),
        (KIM, "close_review", "Your role, data producer, may not review pairs."),
        ("", "archive", "Nobody is signed in."),
    ],
)
def test_why_somebody_may_not_is_a_sentence_with_names(parts, person, action, words):
    made = parts.training_sheets.generate(request(parts, parts.make_sheet(2), name="Spring mails"), by=KIM)
    assert parts.training_sheets.refusal(made, action, by=person) == words


def test_what_no_person_can_do_is_no_question_of_rights(parts):
    made = parts.training_sheets.generate(request(parts, parts.make_sheet(2)), by=KIM)
    with pytest.raises(Invalid, match="has no action “finish”"):
        parts.training_sheets.refusal(made, "finish", by=ANN)
