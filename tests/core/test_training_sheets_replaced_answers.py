"""What a pair answered before a model answered it again: nothing is overwritten without its predecessor (TS-11)."""

from __future__ import annotations

import pytest

from tests.core.generation_parts import ANN, BEN, Parts, RuleModel
from tests.core.generation_steps import AI, generate, pairs_of
from tests.core.test_training_sheets_answering_rules import newer_version
from workbench_core.pairs import ResponseSource
from workbench_core.training_sheets import AnswerRequest, ReplacedAnswer


@pytest.fixture
def parts(tmp_path, clock):
    other = RuleModel(rule=lambda question: "spam", name="other", title="other model")
    made = Parts(tmp_path, clock=clock, model=RuleModel(rule=lambda question: "ham"), more_models=[other])
    yield made
    made.store.close()


def test_the_former_answers_of_a_pair_are_there_newest_first_with_who_replaced_them_and_when(parts):
    made = generate(parts, parts.make_sheet(3), source=AI)
    pair = pairs_of(parts, made.id)["m00001"]
    assert parts.training_sheets.replaced_answers(pair.id) == []

    answerings = []
    for model, by in (("other", BEN), ("rule-model", ANN)):
        asked = AnswerRequest(pair_ids=(pair.id,), overwrite=True, model_name=model)
        parts.training_sheets.answer_pairs(made.id, asked, by=by)
        answerings.append(parts.training_sheets.answering_of(made.id).id)
        parts.work()
    assert pairs_of(parts, made.id)["m00001"].answer == "ham"

    newest, oldest = parts.training_sheets.replaced_answers(pair.id)
    assert (newest.answer, newest.model, newest.replaced_by, newest.answering_id) == (
        "spam", "other", ANN, answerings[1],
    )  # fmt: skip
    assert oldest == ReplacedAnswer(
        answer="ham", response_source=ResponseSource.AI_GENERATED, model="rule-model",
        error="", answering_id=answerings[0], replaced_by=BEN, replaced_at=oldest.replaced_at,
    )  # fmt: skip
    assert made.created_at < oldest.replaced_at < newest.replaced_at
    assert parts.training_sheets.replaced_answers(pairs_of(parts, made.id)["m00002"].id) == []


def test_a_first_answer_replaces_nothing(parts):
    parts.model.failing = frozenset({"m00000"})
    made = generate(parts, parts.make_sheet(1), source=AI)
    parts.model.failing = frozenset()
    parts.training_sheets.retry_failed(made.id, by=ANN)
    parts.work()
    pair = pairs_of(parts, made.id)["m00000"]
    assert pair.answer == "ham"
    assert parts.training_sheets.replaced_answers(pair.id) == []


def test_a_pair_without_an_answer_that_got_another_question_says_why_it_had_none(parts):
    parts.model.failing = frozenset({"m00000"})
    template_id = parts.make_template()
    made = generate(parts, parts.make_sheet(1), source=AI, template_id=template_id)
    parts.model.failing = frozenset()
    newer = newer_version(parts, template_id, user_prompt="Spam or ham? {{ subject }}")
    parts.training_sheets.answer_pairs(made.id, AnswerRequest(overwrite=True, template_id=newer), by=BEN)
    parts.work()
    (former,) = parts.training_sheets.replaced_answers(pairs_of(parts, made.id)["m00000"].id)
    assert (former.answer, former.response_source, former.error, former.replaced_by) == (
        "", ResponseSource.EMPTY, "The model refused this item.", BEN,
    )  # fmt: skip
