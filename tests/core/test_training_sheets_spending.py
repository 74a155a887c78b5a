"""Which model answers, what it costs, and the budget that stops it (TS-2, TS-3)."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import replace

import pytest

from tests.core.generation_parts import ANN, BEN, SOURCE, Parts, RuleModel, subject
from tests.core.generation_steps import AI, generate, label, pairs_of, request
from workbench_core.errors import BackendError, Conflict, Invalid
from workbench_core.ports import ChatAnswer, ChatOptions, Conversation, Message, TableEntry, TokenPrice
from workbench_core.prompt_templates import AnswerSource
from workbench_core.runs import RunStatus, RunStopped
from workbench_core.training_sheets import Spending, TrainingSheetStatus, money
from workbench_core.training_sheets.asking import MODEL_BATCH, Asking, Piece, Work
from workbench_core.training_sheets.spending import Allowance

CENT = RuleModel(tokens=(100, 10), price=TokenPrice(50, 500))  # each answer costs one cent


@pytest.fixture
def parts(tmp_path, clock):
    made = Parts(
        tmp_path,
        clock=clock,
        model=replace(CENT, asked=[]),
        more_models=[RuleModel(name="other", title="other model", rule=lambda question: "ham")],
    )
    yield made
    made.store.close()


# --- which model -----------------------------------------------------------------------------------------------------


def test_the_request_then_the_template_then_the_default_decides_which_model_answers(parts):
    sheet_id = parts.make_sheet(3)
    of_template = parts.make_template(model="other")
    assert generate(parts, sheet_id, source=AI).model_name == "rule-model"
    assert generate(parts, sheet_id, source=AI, template_id=of_template).model_title == "other model"
    made = generate(parts, sheet_id, source=AI, template_id=of_template, model_name="rule-model")
    assert made.model_name == "rule-model"
    assert {pair.generation_details["model"] for pair in parts.pairs.find(made.id)} == {"rule-model"}
    with pytest.raises(Exception, match="No language model “gone”"):
        generate(parts, sheet_id, source=AI, model_name="gone")


def test_a_model_that_is_gone_fails_the_run_with_a_sentence_and_resumes_when_it_is_back(parts):
    made = parts.training_sheets.generate(request(parts, parts.make_sheet(3), source=AI, model_name="other"), by=ANN)
    models = parts.chat_models._models
    parts.chat_models._models = models[:1]
    parts.work()
    failed = parts.training_sheets.get(made.id)
    assert failed.status is TrainingSheetStatus.FAILED
    assert failed.error == (
        "The language model “other” of this training sheet is no longer configured. Configure it again, then resume."
    )
    parts.chat_models._models = models
    parts.training_sheets.resume(made.id, by=ANN)
    parts.work()
    assert parts.training_sheets.get(made.id).counts.by_source == {"ai_generated": 3}


def test_the_seed_is_kept_and_given_to_the_model(parts):
    made = generate(parts, parts.make_sheet(2), source=AI, seed=7)
    assert (made.options.seed, parts.model.options.seed) == (7, 7)


def test_hybrid_takes_the_label_then_the_column_then_the_model(parts):
    """TS-2: hybrid is canonical hits, the column's values, and the model for the rest."""
    sheet_id = parts.make_sheet(6)
    file = parts.folder / "gaps.csv"
    lines = [f"m{n:05d},{subject(n)},{'ham' if n < 3 else '  ' if n == 3 else ''}" for n in range(6)]
    file.write_text("\n".join(["mail_id,subject,verdict", *lines]), encoding="utf-8")
    parts.lake.drop(SOURCE)
    parts.lake.put_table(SOURCE, file, original_name="gaps.csv", entry=TableEntry(SOURCE, "table"))
    label(parts, sheet_id, [0, 5])
    made = generate(parts, sheet_id, source=AnswerSource.HYBRID)
    sources = {item: pair.response_source.value for item, pair in pairs_of(parts, made.id).items()}
    assert sources == {
        "m00000": "canonical", "m00001": "imported", "m00002": "imported", "m00003": "ai_generated",
        "m00004": "ai_generated", "m00005": "canonical",
    }  # fmt: skip
    assert sorted(parts.model.asked) == ["m00003", "m00004"]
    assert made.spent.calls == 2


# --- what was spent --------------------------------------------------------------------------------------------------


def test_calls_tokens_and_cost_are_counted_and_kept_answers_apart(parts):
    sheet_id, template_id = parts.make_sheet(50), parts.make_template()
    label(parts, sheet_id, range(10))
    parts.model.failing = frozenset({"m00020"})
    first = generate(parts, sheet_id, source=AI, template_id=template_id)
    assert (first.spent.calls, first.spent.kept_answers) == (40, 0)
    assert (first.spent.tokens_in, first.spent.tokens_out) == (3_900, 390)  # the refused call gave none
    assert (first.spent.cost, first.spent.currency) == (pytest.approx(0.39), "USD")
    again = generate(parts, sheet_id, source=AI, template_id=template_id)
    assert (again.spent.calls, again.spent.kept_answers, again.spent.tokens_in) == (1, 39, 0)
    assert again.spent.cost == 0
    assert generate(parts, sheet_id).spent == Spending()


# --- limits ----------------------------------------------------------------------------------------------------------


def test_a_used_up_budget_pauses_with_the_reason_and_a_higher_one_goes_on(parts):
    made = generate(parts, parts.make_sheet(200), source=AI, budget=0.75)
    assert (made.status, made.is_paused) == (TrainingSheetStatus.GENERATING, True)
    assert made.pause_reason == "The budget of 0.75 USD is used up: 75 of 200 items are done."
    assert (made.paused_by, made.counts.total, made.spent.calls) == ("", 75, 75)
    assert made.spent.cost == pytest.approx(0.75)
    run = parts.training_sheets.run_of(made.id)
    assert (run.status, run.message) == (RunStatus.CANCELLED, made.pause_reason)
    with pytest.raises(Conflict, match=r"The budget of 0.75 USD is used up"):
        parts.training_sheets.resume(made.id, by=BEN)
    with pytest.raises(Conflict, match=r"The budget of 0.50 USD is used up"):
        parts.training_sheets.resume(made.id, by=BEN, budget=0.5)

    resumed = parts.training_sheets.resume(made.id, by=BEN, budget=1.5)
    assert (resumed.budget, resumed.pause_reason) == (1.5, "")
    parts.work()
    assert parts.training_sheets.get(made.id).pause_reason == (
        "The budget of 1.50 USD is used up: 150 of 200 items are done."
    )
    parts.training_sheets.resume(made.id, by=BEN, budget=100)
    parts.work()
    done = parts.training_sheets.get(made.id)
    assert (done.status, done.counts.total, done.spent.calls) == ("review", 200, 200)
    assert len(parts.model.asked) == 200


def test_never_more_calls_are_made_than_the_limit_allows(parts):
    sheet_id = parts.make_sheet(100)
    label(parts, sheet_id, range(0, 100, 5))
    made = generate(parts, sheet_id, source=AI, call_limit=33)
    assert (len(parts.model.asked), made.spent.calls) == (33, 33)
    assert made.pause_reason == "The limit of 33 calls is used up: 42 of 100 items are done."
    parts.training_sheets.resume(made.id, by=ANN, call_limit=80)
    parts.work()
    done = parts.training_sheets.get(made.id)
    assert (done.status, done.counts.total, len(parts.model.asked)) == ("review", 100, 80)


def test_labels_after_the_last_call_need_no_budget(parts):
    sheet_id = parts.make_sheet(60)
    label(parts, sheet_id, range(20, 60))
    made = generate(parts, sheet_id, source=AI, call_limit=20, budget=0.2)
    assert (made.status, made.counts.total, made.spent.calls) == ("review", 60, 20)


def test_kept_answers_do_not_count_against_a_limit(parts):
    sheet_id, template_id = parts.make_sheet(100), parts.make_template()
    generate(parts, sheet_id, source=AI, template_id=template_id, row_limit=90)
    made = generate(parts, sheet_id, source=AI, template_id=template_id, call_limit=10, budget=0.1)
    assert (made.status, made.spent.calls, made.spent.kept_answers) == ("review", 10, 90)


def test_an_uneven_price_overshoots_by_one_batch_at_most(parts):
    """Before the first answer nothing is known about the cost of a call."""
    made = generate(parts, parts.make_sheet(200), source=AI, budget=0.005)
    assert made.is_paused
    assert made.spent.calls <= MODEL_BATCH
    assert made.pause_reason.startswith("The budget of 0.005 USD is used up: ")


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"budget": 0.0}, "The budget must be more than 0."),
        ({"call_limit": 0}, "The limit of calls must be at least 1."),
        ({"examples": 11}, "The number of examples must be between 0 and 10."),
        ({"budget": 1.0, "model_name": "other"}, "The other model has no price, so no budget can be kept."),
    ],
)
def test_limits_that_cannot_be_kept_are_refused(parts, changes, problem):
    with pytest.raises(Invalid) as refused:
        parts.training_sheets.generate(request(parts, parts.make_sheet(2), source=AI, **changes), by=ANN)
    assert problem in refused.value.message
    assert parts.training_sheets.find() == []


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"budget": math.inf}, "1,000,000,000 at most"),
        ({"budget": 1e308}, "1,000,000,000 at most"),
        ({"budget": math.nan}, "more than 0"),
        ({"budget": 1e-320}, "more than 0"),
        ({"call_limit": 2**63}, "1,000,000,000 at most"),
        ({"row_limit": 2**63}, "row limit can be 1,000,000,000 at most"),
        ({"seed": 2**63}, "seed must be between"),
        ({"seed": -1}, "seed must be between"),
    ],
)
def test_numbers_that_no_store_and_no_endpoint_takes_are_refused_before_anything_is_written(parts, changes, words):
    parts.model.price = TokenPrice(1.0, 1.0)
    with pytest.raises(Invalid, match=words):
        parts.training_sheets.generate(replace(request(parts, parts.make_sheet(2), source=AI), **changes), by=ANN)
    assert parts.training_sheets.count() == 0
    assert not parts.runs.find()


def test_a_budget_of_any_size_leaves_room_whatever_a_call_costs():
    for cost in (0.0, 5e-324, 1e-9, 1.0):
        spent = Spending(calls=10, cost=cost)
        assert Allowance(budget=1e9).room(spent, outstanding=0, most=32) == 32
    assert Allowance(budget=10.0).room(Spending(calls=10, cost=5.0), outstanding=3, most=32) == 7


def test_amounts_show_the_digits_they_need():
    assert [money(amount, "USD") for amount in (5, 1234.5, 0.0004, 0.125)] == [
        "5.00 USD", "1,234.50 USD", "0.0004 USD", "0.125 USD",
    ]  # fmt: skip


def test_the_room_of_an_allowance_goes_by_the_mean_cost_so_far():
    spent = Spending(calls=10, cost=1.0)
    budget = Allowance(budget=2.0, currency="USD")
    assert budget.room(Spending(), outstanding=0, most=32) == 32
    assert budget.room(Spending(), outstanding=1, most=32) == 0  # its answer tells the cost
    assert budget.room(spent, outstanding=4, most=32) == 6
    assert budget.room(spent, outstanding=10, most=32) == 0
    assert Allowance(call_limit=12).room(spent, outstanding=1, most=32) == 1
    assert Allowance().room(spent, outstanding=1000, most=32) == 32


# --- throughput ------------------------------------------------------------------------------------------------------


class ManyAtATime(RuleModel):
    """Answers as many at a time as its concurrency says, each after the same time."""

    def answer(self, conversations, *, options: ChatOptions, cancelled=lambda: False) -> Iterator[ChatAnswer]:
        waiting, running = iter(conversations), set[Future[ChatAnswer]]()
        with ThreadPoolExecutor(self.concurrency) as pool:
            while True:
                while len(running) < self.concurrency and not cancelled():
                    if (conversation := next(waiting, None)) is None:
                        break
                    running.add(pool.submit(self._one, conversation))
                if not running:
                    return
                done, running = wait(running, return_when=FIRST_COMPLETED)
                yield from (future.result() for future in done)

    def _one(self, conversation: Conversation) -> ChatAnswer:
        time.sleep(self.seconds)
        return ChatAnswer(conversation.id, "ham")


@pytest.mark.parametrize("concurrency", [8, 64])
def test_the_model_is_kept_busy(concurrency):
    """TS-3: storing answers must not make the model wait; calls a second are near concurrency / latency."""
    model, stored = ManyAtATime(seconds=0.05, concurrency=concurrency), []

    def store(piece: Piece[int]) -> None:
        time.sleep(0.02)  # a slow store
        stored.extend(piece.subjects)

    count = concurrency * 30
    works = [Work(number, Conversation(str(number), ())) for number in range(count)]
    asking = Asking[int](
        model, ChatOptions(), allowance=Allowance(), spent=Spending(), should_stop=lambda: False, store=store,
        in_order=True,
    )  # fmt: skip
    started = time.perf_counter()
    assert asking.run(works[start : start + 32] for start in range(0, count, 32)) == ""
    rate = count / (time.perf_counter() - started)
    assert stored == list(range(count))
    assert rate > 0.6 * concurrency / 0.05


@pytest.mark.parametrize(
    ("stop", "failure"), [(10, None), (10**9, BackendError("The model is gone.", hint=""))], ids=["stopped", "failed"]
)
def test_answers_that_arrived_are_handed_on_when_the_run_stops_or_the_model_fails(stop, failure):
    model, pieces = RuleModel(unreachable=failure, after=20, concurrency=1), []
    asking = Asking[int](
        model, ChatOptions(), allowance=Allowance(), spent=Spending(), should_stop=lambda: len(model.asked) >= stop,
        store=pieces.append, in_order=True,
    )  # fmt: skip
    works = [Work(number, Conversation(str(number), (Message("user", "Prize?"),))) for number in range(100)]
    with pytest.raises(RunStopped if failure is None else BackendError):
        asking.run(iter([works]))
    handed_on = [subject for piece in pieces for subject in piece.subjects]
    assert handed_on == list(range(len(model.asked)))
    assert sum(piece.spent.calls for piece in pieces) == len(model.asked) >= min(stop, 20)
    assert "asking" not in {thread.name for thread in threading.enumerate()}
