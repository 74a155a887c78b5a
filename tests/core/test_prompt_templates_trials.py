"""Templates tried on real rows, and two of them or two models side by side on the same rows (TP-10)."""

from __future__ import annotations

import pytest

from tests.core.generation_parts import ANN, BEN, SOURCE, Parts, RuleModel
from workbench_core.canonical_labels import LabelEntry
from workbench_core.chat_models import ChatModels
from workbench_core.clock import utc_now
from workbench_core.errors import Invalid, NotFound, NotPermitted, Unavailable
from workbench_core.permissions import Role
from workbench_core.ports import ChatAnswer, TokenPrice
from workbench_core.prompt_templates import TemplateDraft, TemplateTrials, Trial, TrialAnswer
from workbench_core.training_sheets import GenerationRequest

DRAFT = TemplateDraft("Mail class", "mail_class", "Spam? {{ subject }}", label_classes=("spam", "ham"))
MAPPING = {"subject": "subject"}


@pytest.fixture
def model():
    return RuleModel(tokens=(10, 2), price=TokenPrice(1_000_000, 2_000_000, "EUR"))


@pytest.fixture
def other():
    return RuleModel(tokens=(10, 2), name="other", title="other model", rule=lambda _question: "ham")


@pytest.fixture
def parts(tmp_path, model):
    return Parts(tmp_path, model=model)


@pytest.fixture
def trials(parts, model, other):
    return TemplateTrials(
        parts.permissions,
        templates=parts.templates,
        labels=parts.labels,
        chat_models=ChatModels(parts.store, [model, other], utc_now),
    )


@pytest.fixture
def sheet_id(parts):
    return parts.make_sheet(12)


def set_aside(parts, sheet_id, *items):
    """What a decision in the fix queue leaves behind."""
    entries = [
        {"sheet_id": sheet_id, "item_ref": item, "state": "set_aside", "reason": "broken", "decided_by": ANN,
         "decided_at": utc_now()} for item in items
    ]  # fmt: skip
    parts.store.append("quarantined_items", entries)


def run(trials, sheet_id, *wanted, mapping=MAPPING, **more):
    return list(trials.run(wanted or [Trial(DRAFT)], sheet_id, mapping, by=ANN, **more))


def test_tp_10_real_rows_get_real_answers_with_time_tokens_and_cost(trials, sheet_id):
    found = {answer.item_ref: answer for answer in run(trials, sheet_id)}
    assert {ref: answer.answer for ref, answer in found.items()} == {"m00000": "spam", "m00001": "ham", "m00002": "ham"}
    first = found["m00000"]
    assert first.messages[-1].content == "Spam? You won prize no. 0"
    assert (first.faults, first.error, first.trial, first.is_valid) == ((), "", 0, True)
    assert (first.tokens_in, first.tokens_out, first.cost) == (10, 2, 14.0)
    assert first.latency_ms > 0


def test_tp_10_two_templates_are_tried_on_the_same_rows(trials, sheet_id):
    stricter = TemplateDraft("Mail class", "mail_class", "{{ subject }}", label_classes=("junk", "fine"))
    found = run(trials, sheet_id, Trial(DRAFT), Trial(stricter), limit=4)
    assert [{a.item_ref for a in found if a.trial == number} for number in (0, 1)] == [
        {f"m0000{n}" for n in range(4)}
    ] * 2
    assert all(answer.is_valid for answer in found if answer.trial == 0)
    assert all("not one of the classes junk, fine" in answer.faults[0] for answer in found if answer.trial == 1)


def test_tp_10_two_models_are_compared_with_what_people_said(trials, parts, sheet_id):
    for item, answer in (("m00000", "spam"), ("m00001", " ham ")):
        parts.labels.label([LabelEntry(item, answer)], sheet_id=sheet_id, label_type="mail_class", by=ANN)
    found = run(trials, sheet_id, Trial(DRAFT), Trial(DRAFT, "other"))
    by_rule, always_ham = trials.summary(found)
    assert (by_rule.rows, by_rule.valid, by_rule.known, by_rule.agreeing) == (3, 3, 2, 2)
    assert (always_ham.rows, always_ham.valid, always_ham.known, always_ham.agreeing) == (3, 3, 2, 1)
    assert (by_rule.tokens_in, by_rule.tokens_out, by_rule.cost) == (30, 6, 42.0)
    assert always_ham.cost is None
    assert by_rule.median_latency_ms == 1.0


def test_the_model_of_the_template_answers_when_none_is_named(trials, sheet_id, other, model):
    run(trials, sheet_id, Trial(TemplateDraft("T", "l", "{{ subject }}", model="other")))
    assert (len(other.asked), len(model.asked)) == (3, 0)
    run(trials, sheet_id, Trial(TemplateDraft("T", "l", "{{ subject }}", model="other"), "rule-model"))
    assert (len(other.asked), len(model.asked)) == (3, 3)


def test_the_same_test_again_is_free(trials, sheet_id, model):
    first = run(trials, sheet_id)
    again = run(trials, sheet_id)
    assert len(model.asked) == 3
    assert {a.item_ref: a.answer for a in again} == {a.item_ref: a.answer for a in first}
    assert [(answer.is_kept, answer.cost) for answer in again] == [(True, 0.0)] * 3
    assert trials.summary(again)[0].cost == 0.0
    assert trials.summary(again)[0].median_latency_ms is None


def test_kept_answers_do_not_count_in_the_median_time(trials, sheet_id):
    run(trials, sheet_id, limit=2)
    (summary,) = trials.summary(run(trials, sheet_id, limit=3))
    assert summary.median_latency_ms == 1.0


def test_a_trial_whose_answers_all_failed_cost_nothing_and_one_without_a_price_is_told_apart(
    trials, sheet_id, model, other
):
    model.failing = other.failing = frozenset({"m00000", "m00001", "m00002"})
    failed, unpriced = trials.summary(run(trials, sheet_id, Trial(DRAFT), Trial(DRAFT, "other")))
    assert (failed.valid, failed.cost, failed.median_latency_ms) == (0, 0.0, None)
    assert (unpriced.valid, unpriced.cost) == (0, None)


def test_a_failed_answer_that_took_tokens_is_paid_for(trials, sheet_id, model, monkeypatch):
    def cut_off(conversations, *, options, cancelled=lambda: False):
        yield from (ChatAnswer(each.id, None, "The answer was cut off.", 10, 2) for each in conversations)

    monkeypatch.setattr(model, "answer", cut_off)
    (summary,) = trials.summary(run(trials, sheet_id))
    assert (summary.valid, summary.tokens_in, summary.tokens_out, summary.cost) == (0, 30, 6, 42.0)


def test_tp_10_a_row_that_cannot_be_rendered_says_why_and_the_others_are_answered(trials, parts, sheet_id, model):
    draft = TemplateDraft("T", "l", "{{ subject if subject != 'Minutes of meeting no. 1' else nothing }}")
    found = {answer.item_ref: answer for answer in run(trials, sheet_id, Trial(draft))}
    assert "“nothing” has no value" in found["m00001"].error
    assert (found["m00001"].answer, found["m00001"].messages, found["m00001"].is_valid) == ("", (), False)
    assert found["m00000"].error == found["m00002"].error == ""
    assert len(model.asked) == 2
    assert trials.summary(list(found.values()))[0].valid == 2


def test_tp_10_rows_that_cannot_be_rendered_at_all_ask_no_model(trials, sheet_id, model):
    found = run(trials, sheet_id, mapping={})
    assert all("“subject” has no value" in answer.error for answer in found)
    assert model.asked == []
    assert trials.summary(found)[0].median_latency_ms is None
    assert trials.summary(found)[0].cost == 0.0


def test_a_model_that_fails_on_one_row_or_cannot_be_reached_does_not_stop_the_other(trials, sheet_id, model, other):
    model.failing = frozenset({"m00001"})
    other.unreachable, other.after = Unavailable("The endpoint does not answer.", "Start it."), 1
    found = run(trials, sheet_id, Trial(DRAFT, "other"), Trial(DRAFT))
    assert sorted(answer.error for answer in found if answer.trial == 0) == [
        "",
        "The endpoint does not answer. Start it.",
        "The endpoint does not answer. Start it.",
    ]
    assert [answer.error for answer in found if answer.trial == 1 and answer.item_ref == "m00001"] == [
        "The model refused this item."
    ]
    assert [summary.rows for summary in trials.summary(found)] == [3, 3]


def test_a_cancelled_test_asks_no_more(trials, sheet_id, model):
    seen: list[TrialAnswer] = []
    answers = trials.run([Trial(DRAFT), Trial(DRAFT, "other")], sheet_id, MAPPING, by=ANN, cancelled=lambda: bool(seen))
    seen.extend(answer for answer in answers if seen.append(answer) is None)
    assert 1 <= len(model.asked) <= 3
    assert all(answer.trial == 0 for answer in seen)


def test_tp_10_rows_are_those_a_generation_would_take(trials, parts, sheet_id):
    set_aside(parts, sheet_id, "m00000", "m00002")
    assert sorted(answer.item_ref for answer in run(trials, sheet_id)) == ["m00001", "m00003", "m00004"]
    assert [item.item_ref for item in parts.templates.preview(DRAFT, sheet_id, MAPPING)] == [
        "m00001", "m00003", "m00004",
    ]  # fmt: skip
    template = parts.templates.create(DRAFT, by=ANN)
    found = parts.training_sheets.preflight(GenerationRequest(sheet_id, template.id, MAPPING))
    assert [item.item_ref for item in found.samples][:3] == ["m00001", "m00003", "m00004"]


def test_rows_without_an_identifier_are_no_items_and_a_repeated_one_is_asked_once(trials, parts, model):
    sheet_id = parts.make_sheet(3)
    file = parts.folder / "bad.csv"
    file.write_text("mail_id,subject\nm1,a prize\nm1,another prize\n,nobody\nm2,minutes\n", encoding="utf-8")
    parts.lake.drop(SOURCE)
    parts.lake.put_table(SOURCE, file, original_name=file.name)
    assert sorted(answer.item_ref for answer in run(trials, sheet_id, limit=10)) == ["m1", "m2"]
    assert sorted(model.asked) == ["m1", "m2"]


@pytest.mark.parametrize("limit", [0, 11, -1])
def test_tp_10_a_test_takes_one_to_ten_rows(trials, sheet_id, limit):
    with pytest.raises(Invalid, match="1 to 10 rows"):
        run(trials, sheet_id, limit=limit)
    with pytest.raises(Invalid, match="1 to 10 rows"):
        trials.run([], sheet_id, MAPPING, by=ANN)


def test_what_cannot_be_tried_is_refused_before_any_model_is_asked(trials, sheet_id, model):
    with pytest.raises(NotFound, match="No language model “none”"):
        trials.run([Trial(DRAFT, "none")], sheet_id, MAPPING, by=ANN)
    with pytest.raises(NotFound):
        trials.run([Trial(DRAFT)], "sheet-none", MAPPING, by=ANN)
    with pytest.raises(Invalid, match="no column colour"):
        trials.run([Trial(DRAFT)], sheet_id, {"subject": "colour"}, by=ANN)
    with pytest.raises(Invalid, match="line 1"):
        trials.run([Trial(TemplateDraft("T", "l", "{{ subject"))], sheet_id, MAPPING, by=ANN)
    assert model.asked == []


@pytest.mark.parametrize("role", Role)
def test_only_who_edits_templates_calls_a_model_and_everybody_may_render(trials, parts, sheet_id, model, role):
    parts.permissions.assign(BEN, role, by=ANN)
    if role in {Role.ADMIN, Role.DATA_STEWARD, Role.DATA_PRODUCER}:
        assert len(list(trials.run([Trial(DRAFT)], sheet_id, MAPPING, by=BEN))) == 3
    else:
        with pytest.raises(NotPermitted):
            trials.run([Trial(DRAFT)], sheet_id, MAPPING, by=BEN)
        assert model.asked == []
    assert len(parts.templates.preview(DRAFT, sheet_id, MAPPING)) == 3


def test_nothing_is_written_by_a_test_but_the_kept_answers(trials, parts, sheet_id):
    tables = ("prompt_templates", "training_sheets", "pairs", "canonical_labels", "history", "attached_templates")
    before = [parts.store.query(f"SELECT COUNT(*) AS n FROM {table}")[0]["n"] for table in tables]
    run(trials, sheet_id)
    assert [parts.store.query(f"SELECT COUNT(*) AS n FROM {table}")[0]["n"] for table in tables] == before
