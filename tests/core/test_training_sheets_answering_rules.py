"""What an answering leaves of the rules of a pair: usage only gets stricter, and the version that asked is known."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.core.generation_parts import ANN, BEN, Parts
from tests.core.generation_steps import AI, generate, label, pairs_of, request
from workbench_core import usage
from workbench_core.errors import Invalid
from workbench_core.pairs import Decision
from workbench_core.training_sheets import AnswerRequest
from workbench_core.usage import Classification, UsageRules, Use

NO_TRAINING = UsageRules(prohibited=frozenset({Use.TRAINING}), allowed=frozenset(Use) - {Use.TRAINING}, reason="draft")


@pytest.fixture
def parts(tmp_path, clock):
    made = Parts(tmp_path, clock=clock)
    yield made
    made.store.close()


def newer_version(parts, template_id, **changes):
    version = parts.templates.create_version(template_id, by=ANN)
    parts.templates.update(version.id, replace(version.draft, **changes), by=ANN, row_version=version.row_version)
    return parts.templates.move(version.id, "publish", by=ANN).id


def answer(parts, training_sheet_id, **values):
    parts.training_sheets.answer_pairs(training_sheet_id, AnswerRequest(**values), by=ANN)
    parts.work()
    return pairs_of(parts, training_sheet_id)


# --- usage (1.6, 2.4, INV-6) -----------------------------------------------------------------------------------------


def test_a_usage_rule_that_a_person_sets_while_the_model_answers_stays(parts):
    made = generate(parts, parts.make_sheet(2))
    pair = pairs_of(parts, made.id)["m00000"]

    def rule(question):
        parts.pairs.set_usage([pair.id], usage.preset("personal_data"), by=BEN)
        return "ham"

    parts.model.rule = rule
    after = answer(parts, made.id)
    assert (after["m00000"].answer, after["m00000"].usage) == ("ham", usage.preset("personal_data"))
    assert after["m00001"].usage == usage.ALL_USES


def test_an_answer_of_a_label_keeps_the_rule_that_was_set_and_adds_the_label_s(parts):
    sheet_id = parts.make_sheet(2)
    made = generate(parts, sheet_id)
    pairs = pairs_of(parts, made.id)
    parts.pairs.set_usage([pairs["m00000"].id], NO_TRAINING, by=BEN)
    label(parts, sheet_id, [0], usage=UsageRules(classification=Classification.RESTRICTED, reason="label"))
    found = answer(parts, made.id)["m00000"]
    assert (found.response_source, found.usage.classification) == ("canonical", Classification.RESTRICTED)
    assert not found.usage.permits(Use.TRAINING)
    assert found.usage.reason == "draft; label"


def test_a_newer_template_brings_its_usage_rules_and_those_of_the_source_but_none_is_lost(parts):
    """2.4: the most restrictive wins."""
    template_id = parts.make_template()
    made = generate(parts, parts.make_sheet(3), source=AI, template_id=template_id)
    first = pairs_of(parts, made.id)["m00000"]
    parts.pairs.set_usage([first.id], UsageRules(classification=Classification.RESTRICTED, reason="synthetic"), by=BEN)
    parts.put_mails(range(3), tags=("CONFIDENTIAL",))
    newer = newer_version(parts, template_id, usage=NO_TRAINING, user_prompt="Sort {{ subject }}")
    after = answer(parts, made.id, template_id=newer, overwrite=True)
    for pair in after.values():
        assert not pair.usage.permits(Use.TRAINING)
        assert not pair.usage.permits(Use.FEW_SHOT)
    assert after["m00000"].usage.classification is Classification.RESTRICTED
    assert after["m00000"].usage.reason == "synthetic; draft; source tagged CONFIDENTIAL"
    assert after["m00001"].usage.classification is Classification.CONFIDENTIAL
    newest = newer_version(parts, newer, usage=NO_TRAINING, user_prompt="Sort once more {{ subject }}")
    again = answer(parts, made.id, template_id=newest, overwrite=True)
    assert again["m00000"].usage == after["m00000"].usage  # reasons do not pile up


def test_answering_without_a_newer_template_leaves_a_rule_that_a_person_loosened(parts):
    template_id = parts.make_template(usage=NO_TRAINING)
    made = generate(parts, parts.make_sheet(1), template_id=template_id)
    pair = pairs_of(parts, made.id)["m00000"]
    parts.pairs.set_usage([pair.id], UsageRules(reason="cleared"), by=BEN)
    assert answer(parts, made.id)["m00000"].usage == UsageRules(reason="cleared")


# --- which version asked ---------------------------------------------------------------------------------------------


def versions_of(pairs):
    return {item: pair.generation_details.get("template_version") for item, pair in pairs.items()}


def test_a_pair_says_which_template_version_asked_it(parts):
    template_id = parts.make_template()
    made = generate(parts, parts.make_sheet(3), source=AI, template_id=template_id)
    pairs = pairs_of(parts, made.id)
    newer = newer_version(parts, template_id, user_prompt="Sort {{ subject }}")
    after = answer(parts, made.id, template_id=newer, overwrite=True, pair_ids=(pairs["m00001"].id,))
    assert after["m00001"].generation_details["template"] == newer
    assert versions_of(after) == {"m00000": None, "m00001": "1.1.0", "m00002": None}
    parts.model.rule = lambda question: "spam"
    again = answer(parts, made.id, overwrite=True)  # the same questions once more
    assert again["m00001"].answer == "spam"
    assert versions_of(again) == {"m00000": None, "m00001": "1.1.0", "m00002": None}


def test_an_older_version_than_that_of_the_training_sheet_is_refused(parts):
    older = parts.make_template()
    made = generate(parts, parts.make_sheet(1), template_id=newer_version(parts, older, user_prompt="S {{ subject }}"))
    with pytest.raises(Invalid, match=r"1\.0\.0 is older than 1\.1\.0"):
        parts.training_sheets.answer_pairs(made.id, AnswerRequest(template_id=older), by=ANN)


# --- examples in prompts ---------------------------------------------------------------------------------------------


def approved(parts, sheet_id, items, **changes):
    """A training sheet whose pairs of these items a person answered."""
    made = generate(parts, sheet_id, **changes)
    pairs = pairs_of(parts, made.id)
    for item in items:
        pair = pairs[f"m{item:05d}"]
        parts.pairs.decide([Decision(pair.id, "edit", pair.row_version, answer="ham")], by=ANN)
    return made


def shown(parts, sheet_id):
    """The examples of a new generation, which leaves no pairs behind."""
    made = parts.training_sheets.generate(request(parts, sheet_id, source=AI, examples=10), by=ANN)
    parts.training_sheets.cancel(made.id, by=ANN)
    return [example.item_ref for example in made.options.examples]


def test_pairs_of_a_rejected_training_sheet_are_no_examples(parts):
    sheet_id = parts.make_sheet(6)
    approved(parts, sheet_id, [2])
    rejected = approved(parts, sheet_id, [0, 1])
    assert shown(parts, sheet_id) == ["m00002", "m00000", "m00001"]
    parts.training_sheets.move(rejected.id, "reject", by=ANN, note="All wrong")
    assert shown(parts, sheet_id) == ["m00002"]


def test_items_set_aside_for_their_quality_are_no_examples(parts):
    sheet_id = parts.make_sheet(4)
    approved(parts, sheet_id, [0, 1])
    parts.data_quality.fix_queue.decide(sheet_id, ["m00001"], "set_aside", reason="repeated", by=ANN)
    assert shown(parts, sheet_id) == ["m00000"]


def test_the_present_rules_of_label_template_and_source_decide_what_is_an_example(parts):
    """INV-6: the rules may have become stricter after the pair was made."""
    sheet_id = parts.make_sheet(6)
    approved(parts, sheet_id, [0, 1, 2])
    stricter = parts.labels.lookup(sheet_id, ["m00001"], "mail_class")["m00001"]
    parts.labels.set_usage([stricter.id], usage.preset("client_data"), by=ANN)
    assert shown(parts, sheet_id) == ["m00000", "m00002"]
    own = parts.make_template(usage=usage.preset("client_data"))
    strict = approved(parts, sheet_id, [4], template_id=own)
    pair = pairs_of(parts, strict.id)["m00004"]
    parts.pairs.set_usage([pair.id], UsageRules(reason="cleared"), by=ANN)
    assert "m00004" not in shown(parts, sheet_id)
    parts.put_mails(range(6), tags=("CONFIDENTIAL",))
    assert shown(parts, sheet_id) == []
