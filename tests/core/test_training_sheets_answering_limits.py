"""What an answering costs and may cost, what its preview says, and what can be tried again (TS-3, TS-11)."""

from __future__ import annotations

import pytest

from tests.core.generation_parts import ANN, BEN, Parts, RuleModel
from tests.core.generation_steps import AI, generate, label, pairs_of
from tests.core.test_training_sheets_answering_rules import newer_version
from workbench_core.errors import Conflict, Invalid
from workbench_core.pairs import Decision, PairFilter
from workbench_core.ports import TokenPrice
from workbench_core.training_sheets import AnsweringStatus, AnswerRequest, Spending

QUESTION = len("You sort mails.") + len("Is this mail spam? Minutes of meeting no. 1")


@pytest.fixture
def parts(tmp_path, clock):
    cent = RuleModel(tokens=(100, 10), price=TokenPrice(50, 500))  # each answer costs one cent
    euro = RuleModel(tokens=(100, 10), price=TokenPrice(50, 500, "EUR"), name="euro", title="euro model")
    made = Parts(tmp_path, clock=clock, model=cent, more_models=[euro])
    yield made
    made.store.close()


def failed_sheet(parts, *failing, count=6, **changes):
    """A generated training sheet in which the model gave no answer for some items."""
    parts.model.failing = frozenset(failing)
    made = generate(parts, parts.make_sheet(count), source=AI, **changes)
    parts.model.failing = frozenset()
    return made


# --- what it costs ---------------------------------------------------------------------------------------------------


def test_the_training_sheet_says_what_generation_answerings_and_retries_cost_together(parts):
    made = failed_sheet(parts, "m00001")
    assert (made.spent.calls, made.spent.cost) == (6, pytest.approx(0.05))  # a refusal has no tokens
    parts.training_sheets.retry_failed(made.id, by=ANN)
    parts.work()
    again = parts.training_sheets.get(made.id)
    assert (again.spent.calls, again.spent.tokens_in, again.spent.cost) == (7, 600, pytest.approx(0.06))
    parts.model.rule = lambda question: "ham"
    parts.training_sheets.answer_pairs(made.id, AnswerRequest(overwrite=True), by=ANN)
    parts.work()
    assert parts.training_sheets.get(made.id).spent.cost == pytest.approx(0.12)
    assert parts.training_sheets.answering_of(made.id).spent.cost == pytest.approx(0.06)


def test_a_sheet_without_a_model_takes_the_currency_of_its_first_answering_and_never_mixes_two(parts):
    made = generate(parts, parts.make_sheet(3))
    parts.training_sheets.answer_pairs(made.id, AnswerRequest(), by=ANN)
    parts.work()
    assert parts.training_sheets.get(made.id).spent == Spending(3, 0, 300, 30, pytest.approx(0.03), "USD")
    parts.training_sheets.answer_pairs(made.id, AnswerRequest(overwrite=True, model_name="euro"), by=ANN)
    parts.work()
    assert parts.training_sheets.get(made.id).spent == Spending(6, 0, 600, 60, pytest.approx(0.03), "USD")
    answering = parts.training_sheets.answering_of(made.id)
    assert (answering.spent.cost, answering.spent.currency) == (pytest.approx(0.03), "EUR")


def test_a_retry_stays_within_what_is_left_of_the_training_sheet_s_limits(parts):
    made = failed_sheet(parts, "m00001", "m00002", call_limit=7, budget=5)
    parts.training_sheets.retry_failed(made.id, by=ANN)
    assert parts.training_sheets.answering_of(made.id).request.call_limit == 1
    assert parts.training_sheets.answering_of(made.id).request.budget == pytest.approx(4.96)
    parts.work()
    paused = parts.training_sheets.answering_of(made.id)
    assert (paused.status, paused.spent.calls) == (AnsweringStatus.PAUSED, 1)
    assert parts.training_sheets.get(made.id).spent.calls == 7


def test_a_retry_is_refused_when_the_budget_is_used_up_until_it_is_raised(parts):
    made = failed_sheet(parts, "m00001", budget=0.05)
    assert made.counts.total == 6
    with pytest.raises(Conflict) as refused:
        parts.training_sheets.retry_failed(made.id, by=ANN)
    assert refused.value.message == "The budget of 0.05 USD is used up."
    assert parts.training_sheets.answering_of(made.id) is None
    with pytest.raises(Invalid, match="must be at least 1"):
        parts.training_sheets.retry_failed(made.id, by=ANN, call_limit=-1)
    parts.training_sheets.retry_failed(made.id, by=ANN, budget=1)
    parts.work()
    again = parts.training_sheets.get(made.id)
    assert (again.budget, again.spent.calls, again.counts.errors) == (1, 7, 0)


# --- what can be tried again -----------------------------------------------------------------------------------------


def test_only_failures_of_the_model_that_nobody_decided_about_can_be_tried_again(parts):
    prompt = "{{ subject }}{% if 'prize' in subject %}{{ subject / 2 }}{% endif %}"
    made = failed_sheet(parts, "m00001", "m00002", "m00004", template_id=parts.make_template(user_prompt=prompt))
    assert (made.counts.errors, parts.training_sheets.retryable(made.id)) == (5, 3)
    pairs = pairs_of(parts, made.id)
    parts.pairs.decide([Decision(pairs["m00002"].id, "reject", 1)], by=BEN)
    assert parts.training_sheets.retryable(made.id) == 2
    parts.training_sheets.retry_failed(made.id, by=ANN)
    assert parts.training_sheets.answering_of(made.id).total == 2
    parts.work()
    assert parts.training_sheets.retryable(made.id) == 0
    with pytest.raises(Conflict, match="failed to give"):
        parts.training_sheets.retry_failed(made.id, by=ANN)


@pytest.mark.parametrize("way", ["save", "edit"])
def test_an_error_is_gone_when_a_person_answered_the_pair(parts, way):
    made = failed_sheet(parts, "m00001", "m00002")
    pair = pairs_of(parts, made.id)["m00001"]
    if way == "save":
        parts.pairs.save(pair.id, "ham", by=BEN, row_version=1)
    else:
        parts.pairs.decide([Decision(pair.id, "edit", 1, answer="ham")], by=BEN)
    assert parts.training_sheets.get(made.id).counts.errors == 1
    assert [found.item_ref for found in parts.pairs.find(made.id, PairFilter(has_error=True))] == ["m00002"]
    other = pairs_of(parts, made.id)["m00002"]
    parts.pairs.decide([Decision(other.id, "flag", 1, note="Why?")], by=BEN)
    assert parts.pairs.get(other.id).generation_error  # a flag is no answer


# --- the preview -----------------------------------------------------------------------------------------------------


def test_the_preview_counts_only_the_calls_that_will_be_paid_for(parts):
    sheet_id = parts.make_sheet(9)
    template_id = parts.make_template()
    done = generate(parts, sheet_id, source=AI, template_id=template_id)
    made = generate(parts, sheet_id, template_id=template_id)
    kept = parts.training_sheets.preview_answering(made.id, AnswerRequest())
    assert (kept.pairs, kept.kept_answers, kept.estimate.calls, kept.estimate.cost) == (9, 9, 0, 0)
    newer = newer_version(parts, template_id, user_prompt="Sort: {{ subject }}")
    label(parts, sheet_id, [1, 2])
    preview = parts.training_sheets.preview_answering(made.id, AnswerRequest(template_id=newer))
    assert (preview.pairs, preview.from_labels, preview.kept_answers, preview.estimate.calls) == (9, 2, 0, 7)
    again = parts.training_sheets.preview_answering(done.id, AnswerRequest(overwrite=True))
    assert (again.pairs, again.from_labels, again.estimate.calls) == (9, 2, 7)  # kept answers are not wanted
    spent = parts.training_sheets.get(done.id).spent.calls
    parts.training_sheets.answer_pairs(done.id, AnswerRequest(overwrite=True), by=ANN)
    parts.work()
    assert parts.training_sheets.get(done.id).spent.calls - spent == again.estimate.calls


def test_the_estimate_goes_by_the_characters_that_the_model_reads(parts, monkeypatch):
    """Not by the JSON around them; with the examples, and with the prompt of the newer version."""
    sheet_id = parts.make_sheet(3)
    template_id = parts.make_template()
    made = generate(parts, sheet_id, template_id=template_id)
    pairs = pairs_of(parts, made.id)
    asked = []
    estimate = parts.chat_models.estimate
    monkeypatch.setattr(
        parts.chat_models, "estimate", lambda name, **counts: asked.append(counts) or estimate(name, **counts)
    )
    one = (pairs["m00001"].id,)
    parts.training_sheets.preview_answering(made.id, AnswerRequest(one))
    newer = newer_version(parts, template_id, user_prompt="S {{ subject }}")
    parts.training_sheets.preview_answering(made.id, AnswerRequest(one, template_id=newer))
    parts.pairs.decide([Decision(pairs["m00002"].id, "edit", 1, answer="ham")], by=ANN)
    parts.training_sheets.preview_answering(made.id, AnswerRequest(one, examples=1))
    shorter = QUESTION - len("Is this mail spam?") + len("S")
    turns = QUESTION - len("You sort mails.") + len("ham")
    assert [counts["characters"] for counts in asked] == [QUESTION, shorter, QUESTION + turns]


def test_of_very_many_pairs_some_are_looked_at_and_the_rest_is_in_proportion(parts):
    sheet_id = parts.make_sheet(2_400)
    made = generate(parts, sheet_id)
    label(parts, sheet_id, range(0, 2_400, 2))
    preview = parts.training_sheets.preview_answering(made.id, AnswerRequest())
    assert (preview.pairs, preview.is_exact) == (2_400, False)
    assert preview.from_labels + preview.estimate.calls == 2_400
    assert 900 <= preview.estimate.calls <= 1_500
    some = tuple(pair.id for pair in parts.pairs.find(made.id, limit=1_000))
    assert parts.training_sheets.preview_answering(made.id, AnswerRequest(some)).is_exact


# --- one after another -----------------------------------------------------------------------------------------------


def test_a_paused_answering_is_resumed_or_cancelled_before_another_one(parts):
    made = generate(parts, parts.make_sheet(40))
    parts.training_sheets.answer_pairs(made.id, AnswerRequest(call_limit=5), by=ANN)
    parts.work()
    paused = parts.training_sheets.answering_of(made.id)
    assert paused.is_paused
    with pytest.raises(Conflict) as refused:
        parts.training_sheets.answer_pairs(made.id, AnswerRequest(), by=ANN)
    assert refused.value.message == f"An answering of “{made.name}” is paused at 5 of 40 pairs."
    assert refused.value.hint == "Resume or cancel it first."
    assert parts.training_sheets.answering_of(made.id).id == paused.id
    assert parts.training_sheets.cancel_answering(made.id, by=BEN).status is AnsweringStatus.CANCELLED
    parts.training_sheets.answer_pairs(made.id, AnswerRequest(), by=ANN)
    parts.work()
    done = parts.training_sheets.answering_of(made.id)
    assert (done.status, done.total) == (AnsweringStatus.DONE, 35)
