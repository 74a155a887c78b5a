"""Several people at one training sheet at the same moment, with PostgreSQL as the store: it stays whole."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest
from sqlalchemy import create_engine, text

from tests.core.generation_parts import ANN, BEN, Parts, RuleModel
from workbench_core.errors import NotFound, WorkbenchError
from workbench_core.prompt_templates import AnswerSource
from workbench_core.training_sheets import AnswerRequest, GenerationRequest

ROUNDS = 6
ITEMS = 40


@pytest.fixture
def parts(postgres_url, tmp_path):
    """The services of DATA to LABEL over an empty database."""
    engine = create_engine(postgres_url.replace("postgresql:", "postgresql+psycopg:"), isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text("DROP SCHEMA public CASCADE"))
        connection.execute(text("CREATE SCHEMA public"))
    engine.dispose()
    made = Parts(tmp_path, model=RuleModel(seconds=0.001), url=postgres_url)
    yield made
    made.store.close()


def at_once(*acts: Callable[[], object]) -> list[Exception]:
    """Do all in threads that begin together; what is no sentence for a person comes back."""
    gate, unexpected = threading.Barrier(len(acts)), []

    def run(act: Callable[[], object]) -> None:
        gate.wait()
        try:
            act()
        except WorkbenchError as error:
            assert error.message
        except Exception as error:  # noqa: BLE001 - told in the thread of the test
            unexpected.append(error)

    threads = [threading.Thread(target=run, args=(act,)) for act in acts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return unexpected


def in_review(parts: Parts, sheet_id: str, source: AnswerSource = AnswerSource.MANUAL) -> str:
    request = GenerationRequest(sheet_id, parts.make_template(), {"subject": "subject"}, answer_source=source)
    training_sheet = parts.training_sheets.generate(request, by=ANN)
    parts.work()
    return training_sheet.id


@pytest.mark.postgres
def test_closing_answering_growing_and_deleting_at_once_leaves_no_half_training_sheet(parts):
    service, sheet_id = parts.training_sheets, parts.make_sheet(ITEMS)
    for number in range(ROUNDS):
        made = in_review(parts, sheet_id)
        parts.put_mails(range(ITEMS + 5 * (number + 1)))
        unexpected = at_once(
            lambda made=made: service.answer_pairs(made, AnswerRequest(), by=ANN),
            lambda made=made: service.answer_pairs(made, AnswerRequest(seed=7), by=BEN),
            lambda made=made: service.move(made, "close_review", by=BEN, leave_out=True),
            lambda made=made: service.append_new(made, by=ANN),
            *([lambda made=made: service.delete(made, by=ANN)] if number % 2 else []),
        )
        assert not unexpected
        active = [run for run in parts.runs.find(active_only=True) if run.subject_id == made]
        assert len(active) <= 1
        try:
            is_closed = service.get(made).status == "approved"
        except NotFound:
            assert not active
            assert not parts.store.query("SELECT id FROM answerings WHERE training_sheet_id = :id", id=made)
            continue
        assert not (is_closed and active)
        parts.work()
        answering = service.answering_of(made)
        assert answering is None or answering.status == "done"
        assert service.get(made).status == ("approved" if is_closed else "review")


@pytest.mark.postgres
def test_pausing_resuming_cancelling_and_deleting_at_once_loses_and_doubles_nothing(parts):
    service, sheet_id = parts.training_sheets, parts.make_sheet(ITEMS)
    for number in range(ROUNDS):
        template_id = parts.make_template(user_prompt=f"Round {number}: {{{{ subject }}}}")
        request = GenerationRequest(
            sheet_id, template_id, {"subject": "subject"}, answer_source=AnswerSource.AI_GENERATED
        )
        made = service.generate(request, by=ANN).id
        before = len(parts.model.asked)
        workers = [parts.worker(), parts.worker()]
        for worker in workers:
            worker.start()
        unexpected = []
        for _ in range(2):
            unexpected += at_once(
                lambda made=made: service.pause(made, by=ANN),
                lambda made=made: service.cancel(made, by=BEN),
                lambda made=made: service.resume(made, by=ANN),
                lambda made=made: service.resume(made, by=BEN),
            )
        for worker in workers:
            worker.stop()
        assert not unexpected
        parts.work()
        if service.get(made).status != "review":
            service.resume(made, by=ANN)
            parts.work()
        pairs = parts.pairs.find(made, limit=1_000)
        assert sorted(pair.sequence_number for pair in pairs) == list(range(1, ITEMS + 1))
        assert len({pair.item_ref for pair in pairs}) == ITEMS
        spent = service.get(made).spent
        assert spent.calls + spent.kept_answers >= ITEMS
        assert len(parts.model.asked) - before <= ITEMS + 2 * 4 * parts.model.concurrency  # what was in flight
