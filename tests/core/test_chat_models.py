"""Language models: every question is paid for once, what is kept survives, and what questions will cost."""

from __future__ import annotations

import random
import subprocess
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path

import pytest

from tests.core.asking_process import questions
from tests.core.generation_parts import ANN, BEN, SCHEMAS, RuleModel
from workbench_core.adapters.chat_completions import ChatCompletionsModel, ChatEndpoint
from workbench_core.adapters.store import open_store
from workbench_core.chat_models import AnswerRemoval, ChatModels, KeptAnswers
from workbench_core.chat_models.keeping import MOST_WAITING
from workbench_core.chat_models.questions import prompt_hashes
from workbench_core.errors import NotFound, NotPermitted, Unavailable
from workbench_core.permissions import Role
from workbench_core.ports import ChatAnswer, ChatOptions, Conversation, Message, TokenPrice
from workbench_core.training_sheets.spending import spending_of

REPOSITORY = Path(__file__).resolve().parents[2]
PLAIN = ChatOptions()
PICTURE = "demo.a.pictures/1.png"


class MeteredModel(RuleModel):
    """A model that takes the same time and tokens for every answer."""

    requests_per_minute: int = 0
    seconds_told = 1.5
    tokens_told = (30, 6)
    repairs = False

    def answer(self, conversations, *, options, cancelled=lambda: False):
        for answer in super().answer(conversations, options=options, cancelled=cancelled):
            if answer.error:
                yield answer
            else:
                tokens_in, tokens_out = self.tokens_told
                yield replace(
                    answer, latency_ms=self.seconds_told * 1000, tokens_in=tokens_in, tokens_out=tokens_out,
                    is_repaired=self.repairs,
                )  # fmt: skip


@pytest.fixture
def model():
    return MeteredModel()


@pytest.fixture
def models(store, model, clock):
    return ChatModels(store, [model], clock)


def asked(models, conversations, options=PLAIN, **more):
    return list(models.default.answer(conversations, options=options, **more))


def one(text="Is this spam?", **changes):
    return Conversation(**({"id": "1", "messages": (Message("user", text),)} | changes))


# --- the same question is paid for once ------------------------------------------------------------------------------


def test_the_same_question_is_answered_from_what_was_kept_and_costs_nothing(models, model):
    first = {answer.id: answer for answer in asked(models, questions(40))}
    again = {answer.id: answer for answer in asked(models, questions(40))}
    assert len(model.asked) == 40
    assert not any(answer.is_kept for answer in first.values())
    assert again["7"] == ChatAnswer("7", "ham", tokens_in=30, tokens_out=6, latency_ms=0.0, is_kept=True)
    assert [answer.text for answer in again.values()] == [first[id].text for id in again]


def test_kept_answers_come_first_and_only_the_others_are_asked(models, model):
    asked(models, questions(10)[5:])
    answers = asked(models, questions(10))
    assert [answer.is_kept for answer in answers] == [True] * 5 + [False] * 5
    assert sorted(model.asked) == sorted(["5", "6", "7", "8", "9", "0", "1", "2", "3", "4"])


def test_a_model_that_cannot_be_reached_is_not_missed_when_everything_is_kept(models, model):
    asked(models, questions(3))
    model.unreachable, model.after = Unavailable("Gone."), 0
    assert len(asked(models, questions(3))) == 3
    with pytest.raises(Unavailable):
        asked(models, questions(4))


def test_another_process_finds_what_was_kept(models, model, store, tmp_path):
    asked(models, questions(5))
    told = subprocess.run(
        [sys.executable, "-m", "tests.core.asking_process", f"sqlite:///{tmp_path / 'store.db'}", "7", "0"],
        cwd=REPOSITORY, capture_output=True, text=True, check=True,
    ).stdout.split("\n")  # fmt: skip
    assert [line.split()[1] for line in told[1:8]] == ["kept"] * 5 + ["paid"] * 2


def test_asking_again_asks_and_takes_the_place_of_what_was_kept(models, model):
    asked(models, [one()])
    model.rule = lambda question: "eggs"
    assert asked(models, [one()])[0].text == "ham"
    assert asked(models, [one()], replace(PLAIN, asks_again=True))[0].text == "eggs"
    model.rule = lambda question: "bacon"
    (kept,) = asked(models, [one()])
    assert (kept.text, kept.is_kept, len(model.asked)) == ("eggs", True, 2)


def test_a_question_that_repeats_itself_is_asked_once_and_answered_for_each(models, model):
    same = [one(id=str(number)) for number in range(4)]
    answers = {answer.id: answer for answer in asked(models, [*same, one("Another?", id="other")])}
    assert sorted(model.asked) == ["0", "other"]
    assert {answers[str(number)].text for number in range(4)} == {"ham"}
    assert [answers[str(number)].is_kept for number in range(4)] == [False, True, True, True]
    assert [answers[str(number)].latency_ms for number in range(4)] == [1500, 0, 0, 0]


def test_an_error_of_a_question_that_repeats_itself_is_told_for_each_and_counted_once(models, model):
    model.failing = frozenset({"0"})
    answers = asked(models, [one(id="0"), one(id="1")])
    assert [(answer.id, answer.error, answer.is_kept) for answer in answers] == [
        ("0", "The model refused this item.", False),
        ("1", "The model refused this item.", False),
    ]
    assert model.asked == ["0"]
    spent = spending_of(answers, TokenPrice(1.0, 1.0))
    assert (spent.calls, spent.kept_answers) == (1, 0)
    assert models.kept() == []


@pytest.mark.parametrize("bad", ["", "  \n", "\x00"])
def test_only_good_answers_are_kept(models, model, bad):
    model.rule = lambda question: bad if "mail 1 " in question else "ham"
    model.failing = frozenset({"2"})
    asked(models, questions(4))
    asked(models, questions(4))
    assert model.asked.count("0") == model.asked.count("3") == 1
    assert model.asked.count("1") == model.asked.count("2") == 2


def test_a_repaired_answer_says_so_also_when_it_was_kept(models, model):
    model.repairs = True
    assert [asked(models, [one()])[0].is_repaired for _ in range(2)] == [True, True]


@pytest.mark.parametrize(
    "other",
    [
        (one(), replace(PLAIN, temperature=0.1)),
        (one(), replace(PLAIN, max_tokens=255)),
        (one(), replace(PLAIN, seed=43)),
        (one(), replace(PLAIN, choices=("ham", "spam"))),
        (one(), replace(PLAIN, schema={"type": "object"})),
        (one("Is this spam? "), PLAIN),
        (one(messages=(Message("assistant", "Is this spam?"),)), PLAIN),
        (one(messages=(Message("user", "Is this"), Message("user", " spam?"))), PLAIN),
        (one(messages=(Message("user", "Is this spam?", (PICTURE,)),), pictures={PICTURE: b"x"}), PLAIN),
        (one(pictures={PICTURE: b"x"}), PLAIN),
    ],
)
def test_whatever_the_model_would_see_makes_another_question(models, model, other):
    model.reads_pictures = True
    asked(models, [one()])
    asked(models, [other[0]], other[1])
    assert len(model.asked) == 2


def test_another_picture_under_the_same_path_makes_another_question(models, model):
    model.reads_pictures = True
    for content in (b"cat", b"dog", b"cat"):
        asked(models, [one(messages=(Message("user", "What is this?", (PICTURE,)),), pictures={PICTURE: content})])
    assert len(model.asked) == 2


def test_a_whole_temperature_is_the_same_as_integer_and_as_float(models, model):
    asked(models, [one()], replace(PLAIN, temperature=0))
    asked(models, [one()], replace(PLAIN, temperature=0.0))
    assert len(model.asked) == 1


def test_two_models_do_not_share_answers(store, clock):
    one_model, other = RuleModel(name="one"), RuleModel(name="other")
    models = ChatModels(store, [one_model, other], clock)
    for name in ("one", "other", "one", "other"):
        list(models.get(name).answer([one()], options=PLAIN))
    assert (len(one_model.asked), len(other.asked)) == (1, 1)


@pytest.mark.parametrize(
    "changes", [{"base_url": "http://other:8000/v1"}, {"base_url": "http://one:8000/v2"}, {"model": "larger"}]
)
def test_another_model_that_takes_over_a_name_does_not_get_the_answers_of_the_former(store, clock, changes):
    def models_at(**given: str) -> ChatModels:
        values = {"base_url": "http://ann:secret@one:8000/v1", "model": "small", "key": "sk-4711", **given}
        model = RuleModel(name="fast")
        model.identity = ChatCompletionsModel(ChatEndpoint(**values), name="fast").identity
        return ChatModels(store, [model], clock)

    first = models_at()
    list(first.default.answer([one()], options=PLAIN))
    assert models_at(base_url="http://one:8000/v1/", key="sk-new").known("fast", [one()], PLAIN) == 1
    other = models_at(**changes)
    assert other.known("fast", [one()], PLAIN) == 0
    assert [answer.is_kept for answer in other.default.answer([one()], options=PLAIN)] == [False]
    assert first.known("fast", [one()], PLAIN) == 1


def test_what_tells_a_model_from_others_holds_no_secret():
    endpoint = ChatEndpoint("http://ann:secret@one:8000/v1?token=4711", model="small", key="sk-4711")
    assert ChatCompletionsModel(endpoint).identity == "http://one:8000/v1 small"


def test_two_who_ask_the_same_at_the_same_time_pay_once(store, clock):
    model = RuleModel(seconds=0.005)
    models = ChatModels(store, [model], clock)
    questions = [one(f"Is this spam? {number}", id=str(number)) for number in range(40)]
    found: list[list[ChatAnswer]] = [[], [], []]
    askers = [
        threading.Thread(target=lambda own=own, part=part: own.extend(models.default.answer(part, options=PLAIN)))
        for own, part in zip(found, (questions, questions[::-1], questions[20:]), strict=True)
    ]
    for asker in askers:
        asker.start()
    for asker in askers:
        asker.join()
    assert len(model.asked) == 40
    assert [len({answer.id for answer in own}) for own in found] == [40, 40, 20]
    assert sum(not answer.is_kept for own in found for answer in own) == 40


def test_who_waits_for_the_answer_of_another_who_fails_asks_himself(store, clock):
    model = RuleModel(seconds=0.05)
    models = ChatModels(store, [model], clock)
    first = models.default.answer([one(id="a"), one("Other?", id="b")], options=PLAIN)
    thread = threading.Thread(target=lambda: next(first))
    thread.start()
    thread.join()
    ended = threading.Timer(0.2, first.close)
    ended.start()
    found = list(models.default.answer([one(id="a"), one("Other?", id="b")], options=PLAIN))
    assert sorted(answer.id for answer in found) == ["a", "b"]
    assert len(model.asked) == 2


def test_who_waits_can_be_cancelled_and_never_waits_for_himself(store, clock):
    model = RuleModel()
    models = ChatModels(store, [model], clock)
    open_ones = models.default.answer([one(id="a"), one("Other?", id="b")], options=PLAIN)
    next(open_ones)
    assert len(list(models.default.answer([one(id="a"), one("Other?", id="b")], options=PLAIN))) == 2
    looks = iter([False, False, False])
    answers: list[ChatAnswer] = []
    waiting = threading.Thread(
        target=lambda: answers.extend(
            models.default.answer([one("Third?")], options=PLAIN, cancelled=lambda: next(looks, True))
        )
    )
    models.default._model._under_way.asker().claim(prompt_hashes(models.default, [one("Third?")], PLAIN))
    waiting.start()
    waiting.join(timeout=5)
    assert not waiting.is_alive()
    assert not answers


def test_answers_that_nobody_asked_for_and_repeated_ones_are_left_out(store, clock):
    class Confused(RuleModel):
        def answer(self, conversations, *, options, cancelled=lambda: False):
            for answer in super().answer(conversations, options=options, cancelled=cancelled):
                yield replace(answer, id="of somebody else")
                yield answer
                yield replace(answer, text="second thoughts")

    models = ChatModels(store, [Confused()], clock)
    questions = [one(f"Is this spam? {number}", id=str(number)) for number in range(3)]
    found = list(models.default.answer(questions, options=PLAIN))
    assert sorted(answer.id for answer in found) == ["0", "1", "2"]
    assert {answer.text for answer in found} == {"ham"}
    assert models.known("", questions, PLAIN) == 3


def test_any_text_makes_a_question(models, model):
    odd = [one(text, id=str(number)) for number, text in enumerate(("\ud83d", "\x00", "é", "e\u0301", "😀"))]
    assert {answer.id for answer in asked(models, odd)} == {"0", "1", "2", "3", "4"}
    assert all(answer.is_kept for answer in asked(models, odd))


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


# --- which models there are ------------------------------------------------------------------------------------------


def test_the_first_model_is_the_default_and_others_go_by_name(store, clock):
    local = RuleModel(name="small", title="small one", price=TokenPrice(0, 0), reads_pictures=True, concurrency=2)
    models = ChatModels(store, [RuleModel(), local], clock)
    assert (models.default.name, models.get().name, models.get("small").title) == (
        "rule-model", "rule-model", "small one",
    )  # fmt: skip
    assert [model.name for model in models.all()] == ["rule-model", "small"]
    found = models.all()[1]
    assert (found.price, found.reads_pictures, found.concurrency) == (TokenPrice(0, 0), True, 2)
    assert models.get("small") is models.all()[1]
    with pytest.raises(NotFound, match="No language model “large” is configured"):
        models.get("large")


def test_whether_a_model_can_answer_is_told_as_it_is_now(models, model):
    assert models.default.availability().is_ready
    model.reason = "The weights are gone."
    assert models.default.availability().reason == "The weights are gone."


# --- what it will take -----------------------------------------------------------------------------------------------


def test_before_any_answer_common_values_are_assumed_and_said_to_be(models, model):
    model.price = TokenPrice(2.0, 10.0, "EUR")
    speed = models.speed("rule-model")
    assert (speed.calls, speed.is_measured) == (0, False)
    found = models.estimate("", calls=1000, characters=400_000)
    assert (found.tokens_in, found.tokens_out, found.currency, found.is_measured) == (100_000, 50_000, "EUR", False)
    assert found.cost == pytest.approx(0.2 + 0.5)
    assert found.seconds == pytest.approx(1000 * 2.0 / 4)


def test_measured_values_take_the_place_of_assumptions(models, model):
    model.price, model.concurrency = TokenPrice(2.0, 10.0), 4
    asked(models, [one("x" * 60, id="1"), one("y" * 180, id="2")])  # 240 characters, 60 tokens in, 12 out, 1.5 s each
    speed = models.speed()
    assert (speed.calls, speed.seconds_per_call, speed.tokens_out_per_call) == (2, 1.5, 6.0)
    assert speed.tokens_in_per_character == pytest.approx(60 / 240)
    found = models.estimate("rule-model", calls=100, characters=20_000)
    assert (found.calls, found.tokens_in, found.tokens_out) == (100, 5_000, 600)
    assert found.cost == pytest.approx((5_000 * 2 + 600 * 10) / 1_000_000)
    assert (found.seconds, found.is_measured, found.currency) == (pytest.approx(37.5), True, "USD")


def test_a_rate_limit_is_not_outrun(models, model):
    asked(models, [one()])
    model.requests_per_minute = 60
    assert models.estimate("", calls=100, characters=0).seconds == pytest.approx(100)
    model.requests_per_minute = 6000
    assert models.estimate("", calls=100, characters=0).seconds == pytest.approx(37.5)


def test_one_call_takes_the_time_of_one_call_and_none_takes_nothing(models, model):
    asked(models, [one()])
    assert models.estimate("", calls=1, characters=10).seconds == pytest.approx(1.5)
    none = models.estimate("", calls=0, characters=0)
    assert (none.seconds, none.tokens_in, none.tokens_out, none.cost) == (0.0, 0, 0, None)


def test_without_a_price_there_is_no_cost_and_with_a_zero_price_it_is_zero(models, model):
    assert (models.estimate("", calls=5, characters=99).cost, models.estimate("", calls=5, characters=99).currency) == (
        None, "",
    )  # fmt: skip
    model.price = TokenPrice(0, 0)
    assert models.estimate("", calls=5, characters=99).cost == 0.0


def test_an_endpoint_that_tells_no_tokens_is_measured_by_time_alone(models, model):
    model.tokens_told = (0, 0)
    asked(models, [one()])
    speed = models.speed()
    assert (speed.seconds_per_call, speed.is_measured) == (1.5, True)
    assert (speed.tokens_in_per_character, speed.tokens_out_per_call) == (0.25, 50.0)


def test_speed_is_that_of_the_newest_answers(models, model, monkeypatch):
    monkeypatch.setattr("workbench_core.chat_models.records.MEASURED", 10)
    asked(models, questions(20))
    model.seconds_told = 0.5
    asked(models, questions(30))
    assert (models.speed().calls, models.speed().seconds_per_call) == (10, 0.5)


def test_the_newest_answers_are_found_by_an_index(store):
    plan = store.query(
        "EXPLAIN QUERY PLAN SELECT latency_ms FROM model_answers WHERE model_name = 'x' "
        "ORDER BY answered_at DESC LIMIT 500"
    )
    assert "model_answers_by_model" in str(plan)
    assert "TEMP B-TREE" not in str(plan)


def test_known_counts_questions_and_to_ask_names_those_that_would_be_paid_for(models, model):
    asked(models, questions(3))
    wanted = [*questions(5), one("Is mail 4 spam?", id="again"), one("Is mail 0 spam?", id="zero")]
    assert models.known("", wanted, PLAIN) == 4
    assert models.to_ask("", wanted, PLAIN) == ("3", "4")
    assert models.known("", wanted, replace(PLAIN, seed=1)) == 0
    assert models.to_ask("", wanted, replace(PLAIN, asks_again=True)) == ("0", "1", "2", "3", "4")
    assert len(model.asked) == 3


def test_thousands_of_questions_are_looked_up_in_a_few_statements(models, model, store, monkeypatch):
    asked(models, questions(2500))
    statements = []
    query = store.query
    monkeypatch.setattr(store, "query", lambda sql, **params: statements.append(sql) or query(sql, **params))
    assert len(asked(models, questions(2500))) == 2500
    assert len(statements) == 3


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
