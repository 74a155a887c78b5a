"""Two people, or a person and a clock that is set back, at the same training sheet at the same moment."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import suppress

import pytest

from tests.core.conftest import FixedClock
from tests.core.generation_parts import ANN, BEN, Parts, RuleModel
from workbench_core.errors import ChangedByOthers, Conflict, NotFound, WorkbenchError
from workbench_core.prompt_templates import AnswerSource
from workbench_core.runs import RunStatus
from workbench_core.training_sheets import AnswerRequest, GenerationRequest, TrainingSheet

ITEMS = 12


@pytest.fixture
def parts(tmp_path, clock):
    return Parts(tmp_path, clock=clock)


def generated(parts: Parts, source: AnswerSource = AnswerSource.MANUAL, *, by: str = ANN) -> TrainingSheet:
    """A training sheet in review."""
    request = GenerationRequest(
        parts.make_sheet(ITEMS), parts.make_template(), {"subject": "subject"}, answer_source=source
    )
    training_sheet = parts.training_sheets.generate(request, by=by)
    parts.work()
    return parts.training_sheets.get(training_sheet.id)


def once(monkeypatch: pytest.MonkeyPatch, subject: object, name: str, act: Callable[[], object]) -> None:
    """Let somebody act just before the next call of a method."""
    usual = getattr(subject, name)
    acts = [act]

    def called(*args: object, **kwargs: object) -> object:
        if acts:
            acts.pop()()
        return usual(*args, **kwargs)

    monkeypatch.setattr(subject, name, called)


def no_run_is_left(parts: Parts) -> bool:
    parts.work()
    return not parts.runs.find(active_only=True)


def test_a_review_that_is_closed_meanwhile_is_not_answered(parts, monkeypatch):
    training_sheet = generated(parts)

    def close() -> None:
        parts.training_sheets.move(training_sheet.id, "close_review", by=BEN, leave_out=True)

    once(monkeypatch, parts.chat_models, "get", close)
    with pytest.raises(ChangedByOthers):
        parts.training_sheets.answer_pairs(training_sheet.id, AnswerRequest(), by=ANN)
    assert parts.training_sheets.answering_of(training_sheet.id) is None
    assert no_run_is_left(parts)
    assert not parts.model.asked


def test_a_training_sheet_that_is_deleted_meanwhile_is_not_answered(parts, monkeypatch):
    training_sheet = generated(parts)
    once(monkeypatch, parts.chat_models, "get", lambda: parts.training_sheets.delete(training_sheet.id, by=BEN))
    with pytest.raises(WorkbenchError):
        parts.training_sheets.answer_pairs(training_sheet.id, AnswerRequest(), by=ANN)
    assert no_run_is_left(parts)


def test_of_two_answerings_at_once_one_begins(parts, monkeypatch):
    training_sheet = generated(parts)

    def start() -> None:
        parts.training_sheets.answer_pairs(training_sheet.id, AnswerRequest(), by=BEN)

    once(monkeypatch, parts.chat_models, "get", start)
    with pytest.raises(Conflict):
        parts.training_sheets.answer_pairs(training_sheet.id, AnswerRequest(), by=ANN)
    parts.work()
    answering = parts.training_sheets.answering_of(training_sheet.id)
    assert (answering.started_by, answering.done, answering.status) == (BEN, ITEMS, "done")
    assert len(parts.model.asked) == ITEMS


def test_nothing_is_appended_while_an_answering_begins(parts, monkeypatch):
    training_sheet = generated(parts)
    parts.put_mails(range(ITEMS + 5))

    def start() -> None:
        parts.training_sheets.answer_pairs(training_sheet.id, AnswerRequest(), by=BEN)

    once(monkeypatch, parts.training_sheets._growth, "missing", start)
    with pytest.raises(Conflict):
        parts.training_sheets.append_new(training_sheet.id, by=ANN)
    parts.work()
    assert parts.training_sheets.get(training_sheet.id).status == "review"
    assert parts.training_sheets.answering_of(training_sheet.id).status == "done"


def test_a_template_that_is_deleted_meanwhile_is_missed_in_a_sentence(parts, monkeypatch):
    sheet_id, template_id = parts.make_sheet(ITEMS), parts.make_template()

    def delete() -> None:
        parts.templates.move(template_id, "archive", by=BEN)
        parts.templates.delete(template_id, by=BEN)

    once(monkeypatch, parts.store, "transaction", delete)
    with pytest.raises(NotFound, match="This prompt template does not exist"):
        parts.training_sheets.generate(GenerationRequest(sheet_id, template_id, {"subject": "subject"}), by=ANN)
    assert parts.training_sheets.count() == 0
    assert no_run_is_left(parts)


@pytest.mark.parametrize("action", ["archive", "delete"])
def test_a_template_that_is_archived_or_deleted_meanwhile_is_not_attached(parts, monkeypatch, action):
    sheet_id, template_id = parts.make_sheet(ITEMS), parts.make_template()

    def take_away() -> None:
        parts.templates.move(template_id, "archive", by=BEN)
        if action == "delete":
            parts.templates.delete(template_id, by=BEN)

    once(monkeypatch, parts.sheets, "columns", take_away)
    with pytest.raises(NotFound if action == "delete" else Conflict, match=r"does not exist|is archived"):
        parts.template_attachments.attach(sheet_id, template_id, {"subject": "subject"}, by=ANN)
    assert parts.template_attachments.of(sheet_id) is None


def test_a_generation_that_is_resumed_meanwhile_is_not_deleted(parts, monkeypatch):
    training_sheet = generated(parts)
    parts.store.execute("UPDATE training_sheets SET status = 'failed'", touches="training_sheets")
    resume = lambda: parts.training_sheets.resume(training_sheet.id, by=ANN)  # noqa: E731
    once(monkeypatch, parts.permissions, "allows", resume)
    with pytest.raises(ChangedByOthers):
        parts.training_sheets.delete(training_sheet.id, by=BEN)
    assert no_run_is_left(parts)
    assert parts.training_sheets.get(training_sheet.id).counts.total == ITEMS


def test_an_answering_after_a_clock_was_set_back_is_the_newest_and_is_done(parts, clock: FixedClock):
    training_sheet = generated(parts, AnswerSource.AI_GENERATED)
    for turn in range(3):
        parts.training_sheets.answer_pairs(training_sheet.id, AnswerRequest(overwrite=True, seed=turn), by=ANN)
        assert parts.training_sheets.answering_of(training_sheet.id).status == "working"
        parts.work()
        answering = parts.training_sheets.answering_of(training_sheet.id)
        assert (answering.request.seed, answering.status, answering.done) == (turn, "done", ITEMS)
        clock.move(hours=-2)


def test_a_run_that_began_after_a_clock_was_set_back_can_be_seen_and_paused(parts, clock: FixedClock):
    training_sheet = generated(parts, AnswerSource.AI_GENERATED)
    clock.move(hours=-2)
    parts.put_mails(range(ITEMS + 5))
    parts.training_sheets.append_new(training_sheet.id, by=ANN)
    assert parts.training_sheets.run_of(training_sheet.id).status is RunStatus.QUEUED
    parts.training_sheets.pause(training_sheet.id, by=ANN)
    parts.work()
    assert parts.training_sheets.get(training_sheet.id).counts.total == ITEMS
    parts.training_sheets.resume(training_sheet.id, by=ANN)
    parts.work()
    assert parts.training_sheets.get(training_sheet.id).counts.total == ITEMS + 5


def test_many_people_at_once_leave_a_training_sheet_that_is_whole_and_paid_once(tmp_path):
    parts = Parts(tmp_path, model=RuleModel(seconds=0.002))
    sheet_id, template_id = parts.make_sheet(150), parts.make_template()
    request = GenerationRequest(sheet_id, template_id, {"subject": "subject"}, answer_source=AnswerSource.AI_GENERATED)
    training_sheet = parts.training_sheets.generate(request, by=ANN)
    worker, service, unexpected = parts.worker(), parts.training_sheets, []
    worker.start()

    def acts(by: str) -> None:
        for act in (service.pause, service.resume, service.cancel, service.resume, service.delete) * 3:
            try:
                act(training_sheet.id, by=by)
            except NotFound:
                return
            except WorkbenchError as error:
                assert error.message
            except Exception as error:  # noqa: BLE001 - told below, in the thread of the test
                unexpected.append(error)

    people = [threading.Thread(target=acts, args=(by,)) for by in (ANN, BEN, ANN)]
    for person in people:
        person.start()
    for person in people:
        person.join()
    worker.stop()
    parts.work()
    assert not unexpected
    with suppress(NotFound):
        service.resume(training_sheet.id, by=ANN)
        parts.work()
    left = parts.store.query("SELECT COUNT(*) AS n, COUNT(DISTINCT item_ref) AS items FROM pairs")[0]
    assert left["n"] == left["items"]
    assert left["n"] in (0, 150)
    assert not parts.runs.find(active_only=True)
