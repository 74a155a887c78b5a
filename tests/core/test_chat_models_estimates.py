"""Language models: which there are, what questions to them will cost, and how long they will take."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.core import kept_answer_parts
from tests.core.asking_process import questions
from tests.core.generation_parts import RuleModel
from tests.core.kept_answer_parts import PLAIN, asked, one
from workbench_core.chat_models import ChatModels
from workbench_core.errors import NotFound
from workbench_core.ports import TokenPrice

model, models = kept_answer_parts.model, kept_answer_parts.models  # fixtures


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
