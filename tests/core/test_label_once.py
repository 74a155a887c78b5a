"""Label once, reuse everywhere: the worked example of spec 1.4, with exact label and reuse counts."""

from __future__ import annotations

import random

import pytest

from tests.core.generation_parts import ANN, Parts, truth
from workbench_core.canonical_labels import LabelEntry, LabelFilter
from workbench_core.pairs import Decision, ResponseSource
from workbench_core.prompt_templates import AnswerSource
from workbench_core.training_sheets import GenerationRequest, TrainingSheetStatus


@pytest.fixture
def parts(tmp_path, clock):
    made = Parts(tmp_path, clock=clock)
    yield made
    made.store.close()


def request(sheet_id, template_id, **changes):
    return GenerationRequest(
        sheet_id, template_id, {"subject": "subject"}, answer_source=AnswerSource.AI_GENERATED, **changes
    )


def generate(parts, sheet_id, template_id, **changes):
    made = parts.training_sheets.generate(request(sheet_id, template_id, **changes), by=ANN)
    parts.work()
    return parts.training_sheets.get(made.id)


def prelabel(parts, sheet_id, items, label_type="mail_class", answer=truth):
    entries = [LabelEntry(f"m{item:05d}", answer(item)) for item in items]
    return parts.labels.label(entries, sheet_id=sheet_id, label_type=label_type, by=ANN)


def review_all(parts, training_sheet_id):
    waiting = parts.pairs.queue(training_sheet_id, limit=1000)
    decisions = [Decision(pair.id, "approve", pair.row_version) for pair in waiting]
    result = parts.pairs.decide(decisions, by=ANN)
    assert not result.refused
    return len(result.done)


def reuse(parts, sheet_id):
    return [(c.label_type, c.labelled, c.reused) for c in parts.labels.coverage(sheet_id)]


def test_a_label_is_given_once_and_reused_in_every_later_generation(parts):
    sheet_id, first_template = parts.make_sheet(500), parts.make_template()
    prelabel(parts, sheet_id, range(150))
    assert reuse(parts, sheet_id) == [("mail_class", 150, 0)]

    # January: 150 approved beforehand, 350 answered by the model and reviewed
    before = parts.training_sheets.preflight(request(sheet_id, first_template))
    assert (before.selected, before.hits, before.misses, before.model_calls) == (500, 150, 350, 350)
    january = generate(parts, sheet_id, first_template)
    assert january.status is TrainingSheetStatus.REVIEW
    assert (january.counts.total, january.counts.auto_approved, january.counts.pending) == (500, 150, 350)
    assert january.counts.by_source == {ResponseSource.CANONICAL: 150, ResponseSource.AI_GENERATED: 350}
    assert len(parts.model.asked) == 350
    assert reuse(parts, sheet_id) == [("mail_class", 150, 150)]
    assert review_all(parts, january.id) == 350
    assert reuse(parts, sheet_id) == [("mail_class", 500, 150)]

    # February: a better prompt of the same label type needs no review and no model
    better = parts.templates.create_version(first_template, by=ANN)
    parts.templates.move(better.id, "publish", by=ANN)
    february = generate(parts, sheet_id, better.id)
    assert (february.counts.total, february.counts.auto_approved, february.counts.pending) == (500, 500, 0)
    assert len(parts.model.asked) == 350
    assert reuse(parts, sheet_id) == [("mail_class", 500, 650)]
    parts.training_sheets.move(february.id, "close_review", by=ANN)

    # March: 200 new rows
    parts.put_mails(range(700))
    march = generate(parts, sheet_id, better.id)
    assert (march.counts.total, march.counts.auto_approved, march.counts.pending) == (700, 500, 200)
    assert len(parts.model.asked) == 550
    assert reuse(parts, sheet_id) == [("mail_class", 500, 1150)]

    # TS-16: the same 200 rows can also be added to January's sheet
    parts.training_sheets.append_new(january.id, by=ANN)
    parts.work()
    grown = parts.training_sheets.get(january.id)
    assert (grown.counts.total, grown.counts.approved, grown.counts.pending) == (700, 500, 200)
    assert reuse(parts, sheet_id) == [("mail_class", 500, 1150)]


def test_another_order_of_the_source_changes_no_label_and_gives_the_same_hits(parts):
    sheet_id, template_id = parts.make_sheet(60), parts.make_template()
    prelabel(parts, sheet_id, range(0, 60, 2))
    first = generate(parts, sheet_id, template_id)
    shuffled = list(range(60))
    random.Random(7).shuffle(shuffled)
    parts.put_mails(shuffled)
    second = generate(parts, sheet_id, template_id)

    def answers(sheet):
        found = parts.pairs.find(sheet.id, limit=100)
        return {pair.item_ref: (pair.answer, pair.canonical_label_id, pair.messages) for pair in found}

    assert answers(first) == answers(second)
    assert [label.version for label in parts.labels.find(LabelFilter(sheet_id), limit=100)] == [1] * 30


def test_two_label_types_of_one_item_are_independent(parts):
    sheet_id = parts.make_sheet(10)
    prelabel(parts, sheet_id, range(10))
    urgent = parts.make_template(name="Urgency", label_type="urgency", label_classes=("high", "low"))
    parts.model.rule = lambda question: "low"
    made = generate(parts, sheet_id, urgent)
    assert (made.counts.auto_approved, made.counts.pending) == (0, 10)
    review_all(parts, made.id)
    assert reuse(parts, sheet_id) == [("mail_class", 10, 0), ("urgency", 10, 0)]

    kind, urgency = parts.labels.of_item(sheet_id, "m00003")
    assert (kind.answer, urgency.answer) == ("spam", "low")
    parts.labels.update(urgency.id, "high", by=ANN, version=1)
    parts.labels.delete(kind.id, by=ANN)
    assert [label.answer for label in parts.labels.of_item(sheet_id, "m00003")] == ["high"]
    assert parts.labels.get(urgency.id).version == 2
