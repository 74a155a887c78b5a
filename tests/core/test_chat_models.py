"""Language models: the same question is paid for once, whoever asks it."""

from __future__ import annotations

import subprocess
import sys
import threading
from dataclasses import replace
from pathlib import Path

import pytest

from tests.core import kept_answer_parts
from tests.core.asking_process import questions
from tests.core.generation_parts import RuleModel
from tests.core.kept_answer_parts import PLAIN, asked, one
from workbench_core.adapters.chat_completions import ChatCompletionsModel, ChatEndpoint
from workbench_core.chat_models import ChatModels
from workbench_core.chat_models.questions import prompt_hashes
from workbench_core.errors import Unavailable
from workbench_core.ports import ChatAnswer, Message, TokenPrice
from workbench_core.training_sheets.spending import spending_of

model, models = kept_answer_parts.model, kept_answer_parts.models  # fixtures

REPOSITORY = Path(__file__).resolve().parents[2]
PICTURE = "demo.a.pictures/1.png"


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
