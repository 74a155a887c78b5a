"""Kept answers of language models, and the pre-flight that counts on them, on a real PostgreSQL."""

from __future__ import annotations

import threading
from dataclasses import replace

import pytest
from sqlalchemy import create_engine, text

from tests.core.asking_process import questions
from tests.core.generation_parts import ANN, BEN, SCHEMAS, Parts, RuleModel
from workbench_core import usage
from workbench_core.adapters.store import open_store
from workbench_core.canonical_labels import LabelEntry
from workbench_core.chat_models import AnswerRemoval, ChatModels
from workbench_core.clock import utc_now
from workbench_core.ports import ChatOptions
from workbench_core.prompt_templates import AnswerSource
from workbench_core.training_sheets import GenerationRequest

PLAIN = ChatOptions()


@pytest.fixture
def parts(postgres_url, tmp_path):
    """The services of DATA to LABEL over an empty database."""
    engine = create_engine(postgres_url.replace("postgresql:", "postgresql+psycopg:"), isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text("DROP SCHEMA public CASCADE"))
        connection.execute(text("CREATE SCHEMA public"))
    engine.dispose()
    made = Parts(tmp_path, url=postgres_url)
    yield made
    made.store.close()


def asked(models, conversations, options=PLAIN):
    return list(models.default.answer(conversations, options=options))


@pytest.mark.postgres
def test_answers_are_kept_replaced_measured_and_forgotten_on_postgres(parts):
    models, model = parts.chat_models, parts.model
    asked(models, questions(40))
    assert all(answer.is_kept for answer in asked(models, questions(40)))
    assert len(model.asked) == 40
    model.rule = lambda question: "eggs"
    asked(models, questions(1), replace(PLAIN, asks_again=True))
    assert asked(models, questions(1))[0].text == "eggs"
    assert models.known("", questions(50), PLAIN) == 40
    speed = models.speed()
    assert (speed.calls, speed.seconds_per_call, speed.is_measured) == (40, pytest.approx(0.001), True)
    assert [(kept.model, kept.answers) for kept in models.kept()] == [("rule-model", 40)]
    with parts.store.transaction():
        asked(models, questions(60))
    assert models.kept()[0].answers == 60
    assert AnswerRemoval(parts.store, parts.history, parts.permissions).forget("rule-model", by=ANN) == 60
    assert models.kept() == []


@pytest.mark.postgres
def test_writers_of_the_same_questions_in_another_order_do_not_fail_on_postgres(parts, postgres_url):
    stores = [open_store(postgres_url, schemas=SCHEMAS) for _ in range(3)]
    start, found = threading.Barrier(3), []

    def ask(store, conversations):
        start.wait()
        models = ChatModels(store, [RuleModel()], utc_now)
        again = replace(PLAIN, asks_again=True)
        found.append({answer.id for answer in models.default.answer(conversations, options=again)})

    orders = [questions(200), list(reversed(questions(200))), questions(200)]
    threads = [threading.Thread(target=ask, args=pair) for pair in zip(stores, orders, strict=True)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [{str(number) for number in range(200)}] * 3
    assert parts.chat_models.kept()[0].answers == 200
    for store in stores:
        store.close()


@pytest.mark.postgres
def test_the_pre_flight_counts_the_same_on_postgres(parts):
    sheet_id, template_id = parts.make_sheet(30), parts.make_template()
    entries = [LabelEntry(f"m{item:05d}", "ham", usage=usage.preset("personal_data")) for item in range(4)]
    parts.labels.label(entries, sheet_id=sheet_id, label_type="mail_class", by=BEN)
    wanted = GenerationRequest(sheet_id, template_id, {"subject": "subject"}, answer_source=AnswerSource.AI_GENERATED)
    parts.training_sheets.generate(replace(wanted, row_limit=10), by=ANN)
    parts.work()
    found = parts.training_sheets.preflight(wanted)
    assert (found.selected, found.hits, found.kept_answers, found.model_calls) == (30, 4, 6, 20)
    assert found.barred == {"personal data": 4}
