"""Approved pairs as examples in prompts: the latest of the same sheet and label type, frozen (TS-2, TS-11)."""

from __future__ import annotations

import pytest

from tests.core.generation_parts import ANN, Parts, subject, truth
from tests.core.generation_steps import AI, generate, pairs_of, request
from workbench_core import usage
from workbench_core.pairs import Decision
from workbench_core.ports import Message
from workbench_core.prompt_templates import TemplateExample
from workbench_core.training_sheets import AnswerRequest

PROMPT = "Is this mail spam? {}"


@pytest.fixture
def parts(tmp_path, clock):
    made = Parts(tmp_path, clock=clock)
    yield made
    made.store.close()


def reviewed(parts, sheet_id, items):
    """A training sheet whose pairs of these items were approved, one after another."""
    made = generate(parts, sheet_id)
    pairs = pairs_of(parts, made.id)
    for item in items:
        pair = pairs[f"m{item:05d}"]
        parts.pairs.decide([Decision(pair.id, "edit", pair.row_version, answer=truth(item))], by=ANN)
    return made


def turns(*items):
    return tuple(
        message
        for item in items
        for message in (Message("user", PROMPT.format(subject(item))), Message("assistant", truth(item)))
    )


def question(pair):
    return pair.messages[1:-1]  # without system and the item itself


def test_the_latest_approved_pairs_stand_before_each_item_but_never_the_item_itself(parts):
    sheet_id = parts.make_sheet(8)
    reviewed(parts, sheet_id, [0, 1, 2, 3, 4])
    other = parts.make_template(name="New", user_prompt="Sort: {{ subject }}")
    made = generate(parts, sheet_id, source=AI, examples=2, template_id=other)
    pairs = pairs_of(parts, made.id)
    latest = tuple(Message(m.role, m.content.replace("Is this mail spam?", "Sort:")) for m in turns(3, 4))
    assert question(pairs["m00007"]) == latest  # as this template asks
    instead = tuple(Message(m.role, m.content.replace("Is this mail spam?", "Sort:")) for m in turns(2, 3))
    examples = [example.item_ref for example in made.options.examples]
    assert examples == ["m00002", "m00003", "m00004"]
    assert pairs["m00004"].response_source == "canonical"
    assert question(pairs["m00004"]) == instead


def test_examples_follow_those_of_the_template(parts):
    sheet_id = parts.make_sheet(4)
    reviewed(parts, sheet_id, [0])
    template_id = parts.make_template(examples=(TemplateExample("Own question", "ham"),))
    made = generate(parts, sheet_id, source=AI, examples=3, template_id=template_id)
    pair = pairs_of(parts, made.id)["m00001"]
    own = (Message("user", "Own question"), Message("assistant", "ham"))
    assert pair.messages == (
        Message("system", "You sort mails."), *own, *turns(0), Message("user", PROMPT.format(subject(1))),
    )  # fmt: skip


def test_only_pairs_that_may_be_shown_are_examples(parts):
    """INV-6: a prohibited use wins, and a held-out answer must not leak into a prompt."""
    sheet_id = parts.make_sheet(6)
    made = reviewed(parts, sheet_id, [0, 1, 2, 3])
    pairs = pairs_of(parts, made.id)
    parts.pairs.set_usage([pairs["m00003"].id], usage.preset("client_data"), by=ANN)
    new = generate(parts, sheet_id, source=AI, examples=10, held_out=frozenset({"m00002"}))
    assert [example.item_ref for example in new.options.examples] == ["m00000", "m00001"]
    other = parts.make_template(label_type="urgency", label_classes=("spam", "ham"))
    assert generate(parts, sheet_id, source=AI, examples=10, template_id=other).options.examples == ()
    assert generate(parts, sheet_id, examples=10).options.examples == ()  # nobody is shown them


def test_a_resumed_generation_shows_the_examples_of_its_start(parts):
    sheet_id = parts.make_sheet(6)
    reviewed(parts, sheet_id, [0, 1])
    made = parts.training_sheets.generate(request(parts, sheet_id, source=AI, examples=1), by=ANN)
    parts.training_sheets.pause(made.id, by=ANN)
    reviewed(parts, sheet_id, [2])
    parts.training_sheets.resume(made.id, by=ANN)
    parts.work()
    assert question(pairs_of(parts, made.id)["m00005"]) == turns(1)


def test_blank_pairs_are_answered_with_examples_of_the_same_sheet(parts):
    made = generate(parts, parts.make_sheet(5))
    pairs = pairs_of(parts, made.id)
    for item in ("m00000", "m00001"):
        parts.pairs.decide([Decision(pairs[item].id, "edit", 1, answer="spam")], by=ANN)
    parts.training_sheets.answer_pairs(made.id, AnswerRequest(examples=1), by=ANN)
    parts.work()
    changed = pairs_of(parts, made.id)["m00004"]
    assert [message.content for message in question(changed)] == [PROMPT.format(subject(1)), "spam"]
    kept = parts.store.query("SELECT messages FROM replaced_answers WHERE pair_id = :id", id=changed.id)
    assert PROMPT.format(subject(1)) not in str(kept[0]["messages"])
