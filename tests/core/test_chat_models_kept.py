"""Kept answers of language models: what was paid for is not lost, and what somebody damaged is asked again."""

from __future__ import annotations

import random
import subprocess
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path

import pytest

from tests.core import kept_answer_parts
from tests.core.asking_process import questions
from tests.core.generation_parts import ANN, BEN, SCHEMAS, RuleModel
from tests.core.kept_answer_parts import PLAIN, asked, one
from workbench_core.adapters.store import open_store
from workbench_core.chat_models import AnswerRemoval, ChatModels, KeptAnswers
from workbench_core.chat_models.keeping import MOST_WAITING
from workbench_core.chat_models.questions import prompt_hashes
from workbench_core.errors import NotPermitted, Unavailable
from workbench_core.permissions import Role
from workbench_core.ports import ChatAnswer

model, models = kept_answer_parts.model, kept_answer_parts.models  # fixtures

REPOSITORY = Path(__file__).resolve().parents[2]


# --- what was paid for is not lost -----------------------------------------------------------------------------------


def test_cancelling_keeps_what_was_answered(models, model):
    model.seconds = 0.001
    answers = asked(models, questions(50), cancelled=lambda: len(model.asked) >= 21)
    assert len(answers) == 21
    assert models.kept() == [KeptAnswers("rule-model", 21, 21 * 30, 21 * 6)]


def test_leaving_the_answers_early_keeps_those_that_came(models, model):
    for number, _ in enumerate(models.default.answer(questions(50), options=PLAIN), start=1):
        if number == 5:
            break
    assert models.kept()[0].answers == len(model.asked) == 5


def test_a_model_that_breaks_off_keeps_what_it_answered(models, model):
    model.unreachable, model.after = Unavailable("Gone."), 9
    with pytest.raises(Unavailable):
        asked(models, questions(50))
    assert models.kept()[0].answers == 9


def test_answers_of_a_slow_model_do_not_wait_for_others(models, model, store, monkeypatch):
    monkeypatch.setattr("workbench_core.chat_models.keeping.LONGEST_WAIT_SECONDS", 0.05)
    seen = []

    def looks_often():
        seen.append(sum(kept.answers for kept in models.kept()))
        return False

    model.seconds = 0.06
    asked(models, questions(4), cancelled=looks_often)
    assert seen == [0, 0, 1, 2, 3]  # before anything is asked, then before each question


def test_an_answer_is_stored_while_the_model_still_thinks_about_the_next(store, clock, monkeypatch):
    monkeypatch.setattr("workbench_core.chat_models.keeping.LONGEST_WAIT_SECONDS", 0.05)

    class Thinking(RuleModel):
        def answer(self, conversations, *, options, cancelled=lambda: False):
            yield ChatAnswer(conversations[0].id, "ham")
            while not cancelled():
                time.sleep(0.01)

    models = ChatModels(store, [Thinking()], clock)
    until = time.monotonic() + 5
    asked(models, questions(2), cancelled=lambda: bool(models.kept()) or time.monotonic() > until)
    assert time.monotonic() < until
    assert models.kept()[0].answers == 1


def test_no_transaction_is_open_while_the_model_works(models, model, tmp_path):
    other = open_store(f"sqlite:///{tmp_path / 'store.db'}", schemas=SCHEMAS)
    changed = []

    def rule(question):
        began = time.monotonic()
        changed.append(other.execute("DELETE FROM model_answers WHERE prompt_hash = 'x'", touches="model_answers"))
        assert time.monotonic() - began < 5, "it had to wait for a lock"
        return "ham"

    model.rule = rule
    asked(models, questions(40))
    assert len(changed) == 40
    other.close()


def test_inside_a_transaction_of_the_caller_kept_answers_go_with_it(models, model, store):
    with store.transaction():
        asked(models, questions(20))
    assert models.kept()[0].answers == 20
    with pytest.raises(ZeroDivisionError), store.transaction():
        asked(models, questions(30))
        raise ZeroDivisionError
    assert models.kept()[0].answers == 20


def test_a_store_that_fails_costs_no_answer(models, model, store, monkeypatch, caplog):
    def refuse(*args, **kwargs):
        raise Unavailable("The disk is full.")

    monkeypatch.setattr(store, "execute_many", refuse)
    assert len(asked(models, questions(20))) == 20
    assert "were not kept: The disk is full." in caplog.text


def test_two_writers_of_the_same_questions_do_not_fail(models, model, store, clock, tmp_path):
    other_store = open_store(f"sqlite:///{tmp_path / 'store.db'}", schemas=SCHEMAS)
    other = ChatModels(other_store, [RuleModel()], clock)
    start, found = threading.Barrier(2), []

    def ask(which):
        start.wait()
        found.append({answer.id for answer in which.default.answer(questions(200), options=PLAIN)})

    threads = [threading.Thread(target=ask, args=(which,)) for which in (models, other)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [{str(number) for number in range(200)}] * 2
    assert models.kept()[0].answers == 200
    other_store.close()


@pytest.mark.parametrize("moment", range(3))
def test_a_killed_process_loses_a_handful_of_answers_at_most(tmp_path, clock, moment):
    url = f"sqlite:///{tmp_path / 'store.db'}"
    child = subprocess.Popen(
        [sys.executable, "-m", "tests.core.asking_process", url, "2000", "0.002"],
        cwd=REPOSITORY, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert child.stdout.readline() == "ready\n"
    told = [child.stdout.readline() for _ in range(random.Random(moment).randrange(30, 150))]
    child.kill()
    told += child.stdout.readlines()
    child.wait()
    store = open_store(url, schemas=SCHEMAS)
    kept = ChatModels(store, [RuleModel()], clock).kept()[0].answers
    assert 30 <= len(told) < 2000
    assert len(told) - MOST_WAITING < kept <= len(told) + 1
    store.close()


# --- what somebody damaged by hand -----------------------------------------------------------------------------------

AS_JSON = replace(PLAIN, schema={"type": "object"})


@pytest.mark.parametrize(
    ("change", "value"),
    [
        ("answer", b"\xff\xfe"),  # no text: SQLite takes any value in any column
        ("answer", " "),
        ("answer", '{"part": "do'),
        ("tokens_in", "many"),
        ("tokens_out", b"6"),
    ],
)
def test_a_damaged_row_is_not_known_told_in_the_log_asked_again_and_then_kept(
    models, model, store, caplog, change, value
):
    model.rule = lambda question: '{"part": "door"}'
    wanted = [one(id="a"), one("Another?", id="b")]
    asked(models, wanted, AS_JSON)
    (damaged,) = prompt_hashes(models.default, wanted[:1], AS_JSON)
    store.execute(
        f"UPDATE model_answers SET {change} = :value WHERE prompt_hash = :hash",
        touches="model_answers", value=value, hash=damaged,
    )  # fmt: skip
    assert models.known("", wanted, AS_JSON) == 1
    assert models.to_ask("", wanted, AS_JSON) == ("a",)
    answers = {answer.id: answer for answer in asked(models, wanted, AS_JSON)}
    assert {id: (answer.text, answer.is_kept) for id, answer in answers.items()} == {
        "a": ('{"part": "door"}', False), "b": ('{"part": "door"}', True),
    }  # fmt: skip
    assert "1 damaged rows of kept answers" in caplog.text and damaged in caplog.text
    assert [answer.is_kept for answer in asked(models, wanted, AS_JSON)] == [True, True]
    assert len(model.asked) == 3


def test_an_answer_that_is_no_json_though_json_was_asked_for_is_told_but_not_kept(models, model):
    assert asked(models, [one()], AS_JSON)[0].text == "ham"
    assert asked(models, [one()], replace(AS_JSON, choices=("ham", "spam")))[0].text == "ham"
    assert models.known("", [one()], AS_JSON) == 0
    assert models.known("", [one()], replace(AS_JSON, choices=("ham", "spam"))) == 1


# --- forgetting ------------------------------------------------------------------------------------------------------


def test_an_administrator_forgets_the_answers_of_one_model(store, history, permissions, clock):
    models = ChatModels(store, [RuleModel(name="one"), RuleModel(name="other")], clock)
    for model in models.all():
        list(model.answer(questions(3), options=PLAIN))
    permissions.assign(BEN, Role.DATA_PRODUCER, by=ANN)
    removal = AnswerRemoval(store, history, permissions)
    with pytest.raises(NotPermitted):
        removal.forget("one", by=BEN)
    assert removal.forget("one", by=ANN) == 3
    assert [kept.model for kept in models.kept()] == ["other"]
    assert history.of("chat_model", "one")[0].details == {"answers": 3}
    assert removal.forget("one", by=ANN) == 0
