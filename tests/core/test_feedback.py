"""Feedback on single answers: once per person and answer, with valid corrections, and counted."""

from __future__ import annotations

import pytest

from tests.core.serving_double import ANN, ServedModel
from workbench_core.errors import Conflict, Invalid, InvalidTransition, NotFound, NotPermitted
from workbench_core.feedback import LIFECYCLE, FeedbackStatus, Rating
from workbench_core.prompt_templates import OutputField, TemplateDraft

NAME = "mail-classifier"
BOB = "bob@example.com"


@pytest.fixture
def model(store, lake, history, permissions, clock, tmp_path):
    made = ServedModel(store, lake, history, permissions, clock, tmp_path)
    made.add(1)
    made.deploy(1)
    return made


def ask(model, *, item_refs=("m1",), count=1) -> str:
    records = [{"subject": "Win now", "body": f"mail {number}"} for number in range(count)]
    return model.endpoints.query(NAME, records, by=ANN, item_refs=item_refs).request_id


def test_feedback_knows_request_version_item_and_sheet(model):
    """FB-1"""
    item = model.feedback.submit(ask(model), rating="negative", correction="spam", reason="wrong", by=ANN)
    assert (item.model_name, item.version, item.endpoint) == ("mail-classifier", 1, NAME)
    assert (item.item_ref, item.sheet_id) == ("m1", model.sheet.id)
    assert (item.input, item.output) == ({"subject": "Win now", "body": "mail 0"}, "ham")
    assert (item.rating, item.correction, item.status) == (Rating.NEGATIVE, "spam", FeedbackStatus.NEW)


def test_a_request_without_an_item_has_no_sheet(model):
    item = model.feedback.submit(ask(model, item_refs=()), rating="positive", by=ANN)
    assert (item.item_ref, item.sheet_id) == ("", "")


def test_the_second_record_of_a_request_is_rated_on_its_own(model):
    request = ask(model, item_refs=("m1", "m2"), count=2)
    first = model.feedback.submit(request, 0, rating="positive", by=ANN)
    second = model.feedback.submit(request, 1, rating="negative", by=ANN)
    assert first.id != second.id
    assert (second.item_ref, second.input["body"]) == ("m2", "mail 1")


def test_a_second_thought_replaces_the_first_which_the_history_keeps(model, history):
    request = ask(model)
    first = model.feedback.submit(request, rating="positive", comment="nice", by=ANN)
    second = model.feedback.submit(request, rating="negative", correction="spam", by=ANN)
    assert second.id == first.id
    assert [one.rating for one in model.feedback.find()] == [Rating.NEGATIVE]
    event = history.of("feedback", first.id)[0]
    assert (event.action, event.details["rating"], event.details["comment"]) == ("replace", "positive", "nice")


def test_two_people_may_differ_on_one_answer(model):
    request = ask(model)
    model.feedback.submit(request, rating="positive", by=ANN)
    model.feedback.submit(request, rating="negative", by=BOB)
    assert model.feedback.of_request(request, by=ANN).rating is Rating.POSITIVE
    assert model.feedback.of_request(request, by=BOB).rating is Rating.NEGATIVE
    assert model.feedback.stats(NAME).total == 2


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"rating": "negative", "correction": "maybe"}, "“maybe” is not one of the classes ham, spam"),
        ({"rating": "negative", "correction": "ham"}, "is what the model answered"),
        ({"rating": "positive", "correction": "spam"}, "good answer needs no correction"),
        ({"rating": "great"}, "“great” is no rating"),
        ({"rating": "negative", "reason": "ugly"}, "“ugly” is no reason"),
        ({"rating": "negative", "comment": "x" * 4001}, "4,001 characters"),
    ],
)
def test_what_cannot_be_is_refused(model, changes, words):
    with pytest.raises(Invalid, match=words):
        model.feedback.submit(ask(model), by=ANN, **changes)
    assert model.feedback.find() == []


def test_a_structured_correction_must_fit_the_schema(store, lake, history, permissions, clock, tmp_path):
    model = ServedModel(store, lake, history, permissions, clock, tmp_path)
    fields = (OutputField("kind"), OutputField("sender"))
    model.add(1, template=TemplateDraft("Facts", "facts", "{{ subject }} {{ body }}", output_schema=fields))
    model.deploy(1)
    request = ask(model)
    with pytest.raises(Invalid, match="no valid answer"):
        model.feedback.submit(request, rating="negative", correction='{"kind": "spam"}', by=ANN)
    answer = '{"kind": "spam", "sender": "bob"}'
    assert model.feedback.submit(request, rating="negative", correction=answer, by=ANN).correction == answer


def test_a_failed_or_unknown_request_cannot_be_rated(model, clock):
    failed = model.serving.log(NAME, 1, status_code=500, records=[{"subject": "a"}])
    with pytest.raises(Invalid, match="no such answer"):
        model.feedback.submit(failed.request_id, rating="negative", by=ANN)
    with pytest.raises(Invalid, match="no such answer"):
        model.feedback.submit(ask(model), 1, rating="negative", by=ANN)
    with pytest.raises(NotFound):
        model.feedback.submit("unknown", rating="negative", by=ANN)


def test_triage_walks_its_table_and_changes_all_or_nothing(model):
    first = model.feedback.submit(ask(model), rating="negative", by=ANN)
    second = model.feedback.submit(ask(model), rating="negative", by=ANN)
    assert model.feedback.move([first.id], "triage", by=ANN) == 1
    with pytest.raises(InvalidTransition):
        model.feedback.move([first.id, second.id], "triage", by=ANN)
    assert model.feedback.get(second.id).status is FeedbackStatus.NEW
    assert model.feedback.move([first.id, second.id], "dismiss", by=ANN, note="joke") == 2
    assert model.feedback.find(status=FeedbackStatus.DISMISSED) == model.feedback.find()
    assert LIFECYCLE.actions(FeedbackStatus.CONVERTED) == []


def test_converted_feedback_cannot_be_changed(model, store):
    """Acceptance 15"""
    request = ask(model)
    item = model.feedback.submit(request, rating="negative", correction="spam", by=ANN)
    store.execute("UPDATE feedback SET status = 'converted' WHERE id = :id", touches="feedback", id=item.id)
    with pytest.raises(Conflict, match="became a pair already"):
        model.feedback.submit(request, rating="positive", by=ANN)


def test_feedback_is_found_by_what_it_says(model):
    model.feedback.submit(ask(model), rating="negative", comment="100% wrong", by=ANN)
    model.feedback.submit(ask(model), rating="positive", comment="fine", by=ANN)
    assert [one.comment for one in model.feedback.find(search="100%")] == ["100% wrong"]
    assert [one.comment for one in model.feedback.find(rating=Rating.POSITIVE)] == ["fine"]
    assert model.feedback.find(endpoint="other") == []
    assert len(model.feedback.find(model_name="mail-classifier", version=1)) == 2
    assert model.feedback.find(version=2) == []


def test_stats_count_the_period_and_compare_with_the_one_before(model, clock):
    """FB-3"""
    for rating in ("positive", "positive", "positive", "negative"):
        model.feedback.submit(ask(model), rating=rating, by=ANN)
    clock.move(days=10)
    model.feedback.submit(ask(model), rating="positive", by=ANN)
    wrong = {"rating": "negative", "reason": "wrong"}
    model.feedback.submit(ask(model), correction="spam", comment="no", by=ANN, **wrong)
    dismissed = model.feedback.submit(ask(model), by=ANN, **wrong)
    model.feedback.move([dismissed.id], "dismiss", by=ANN)
    stats = model.feedback.stats(NAME, days=7)
    assert (stats.total, stats.positive, stats.negative) == (2, 1, 1)
    assert (stats.positive_share, stats.positive_before, stats.change) == (0.5, 0.75, -0.25)
    assert (stats.with_comment, stats.with_correction, stats.by_reason) == (1, 1, {"wrong": 1})
    assert len(stats.daily) == 8 and stats.daily["positive"].sum() == 1  # seven days touch eight dates
    assert stats.by_version.to_dict("records") == [{"version": 1, "positive": 1, "negative": 1}]


def test_no_feedback_is_no_rate(model):
    stats = model.feedback.stats(NAME)
    assert (stats.total, stats.positive_share, stats.change) == (0, None, None)
    with pytest.raises(Invalid):
        model.feedback.stats(NAME, days=0)


def test_everybody_who_may_ask_may_rate_and_only_some_may_triage(model, permissions):
    permissions.assign(BOB, "data_consumer", by=ANN)
    item = model.feedback.submit(ask(model), rating="positive", by=BOB)
    with pytest.raises(NotPermitted):
        model.feedback.move([item.id], "triage", by=BOB)
