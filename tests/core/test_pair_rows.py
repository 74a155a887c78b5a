"""What a pair is stored as: its question as JSON, its answer and where that came from."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from tests.core.generation_parts import ANN, Parts
from workbench_core.canonical_labels import LabelEntry
from workbench_core.clock import utc_now
from workbench_core.pairs.model import PAIR_COLUMNS, pair_from
from workbench_core.ports import ChatAnswer, Message
from workbench_core.prompt_templates import AnswerSource
from workbench_core.training_sheets import GenerationRequest
from workbench_core.training_sheets.item_columns import item_columns
from workbench_core.training_sheets.items import Item
from workbench_core.training_sheets.pair_rows import PairRows
from workbench_core.usage import ALL_USES, preset

HOSTILE = '“quotes” \\ " % %s {{ x }} \x00 \u202e 😀 \n\t'


@pytest.fixture
def parts(tmp_path):
    made = Parts(tmp_path)
    yield made
    made.store.close()


@pytest.fixture
def training_sheet(parts):
    request = GenerationRequest(parts.make_sheet(6), parts.make_template(), {"subject": "subject"},
                                answer_source=AnswerSource.MANUAL)  # fmt: skip
    made = parts.training_sheets.generate(request, by=ANN)
    parts.work()
    return parts.training_sheets.get(made.id)


def item(ref="m1", *, question="Is it?", column_answer="", variables=None, **more):
    messages = (Message("system", "You sort."), Message("user", question))
    return Item(ref, variables or {"subject": "a"}, messages, column_answer, **more)


def built(training_sheet, source, one, **answers):
    sheet = replace(training_sheet, answer_source=source)
    return PairRows(sheet, ALL_USES, {}, answers, "tiny", utc_now()).row(1, one)


def test_question_and_values_are_the_json_that_python_writes(training_sheet):
    variables = {"subject": HOSTILE, '50 % "off"': "b"}
    row = built(training_sheet, AnswerSource.MANUAL, item(question=HOSTILE, variables=variables))
    assert row["variables"] == json.dumps(variables, ensure_ascii=False)
    messages = [{"role": "system", "content": "You sort."}, {"role": "user", "content": HOSTILE}]
    assert row["messages"] == json.dumps(messages, ensure_ascii=False)


def test_pictures_are_kept_with_the_message_and_read_back(parts, training_sheet):
    pictures = ("acme.mails.files/a.png", "acme.mails.files/b.png")
    one = item("new", question="What is it?")
    one = replace(one, messages=(one.messages[0], replace(one.messages[1], attachments=pictures)))
    builder = PairRows(training_sheet, ALL_USES, {}, {}, "", utc_now())
    parts.store.append_prepared(parts.store.prepare_rows("pairs", builder.columns([99], item_columns([one]))))
    found = parts.store.query(f"SELECT {PAIR_COLUMNS} FROM pairs WHERE item_ref = 'new'")
    assert pair_from(found[0]).messages == one.messages
    assert "attachments" not in json.loads(str(found[0]["messages"]))[0]


@pytest.mark.parametrize(
    ("column", "model", "answer", "source"),
    [
        ("Spam ", "ham", "spam", "imported"),
        ("  ", "ham", "ham", "ai_generated"),
        ("", None, "", "empty"),
    ],
)
def test_a_hybrid_answer_is_the_columns_where_it_has_one_and_else_the_models(
    training_sheet, column, model, answer, source
):
    answers = {"m1": ChatAnswer("m1", model)} if model else {}
    row = built(training_sheet, AnswerSource.HYBRID, item(column_answer=column), **answers)
    assert (row["answer"], row["response_source"]) == (answer, source)


def test_what_is_worth_knowing_about_a_models_answer_is_kept(training_sheet):
    plain, told = (
        json.loads(str(built(training_sheet, AnswerSource.AI_GENERATED, item(), m1=answer)["generation_details"]))
        for answer in (ChatAnswer("m1", "ham"), ChatAnswer("m1", "ham", is_repaired=True, is_kept=True))
    )
    assert not {"is_repaired", "is_kept"} & set(plain)
    assert (told["is_repaired"], told["is_kept"], told["model"]) == (True, True, "tiny")


def test_an_item_without_a_question_has_no_answer_but_its_reason(training_sheet):
    one = Item("m1", {"subject": ""}, (), "", "The rendered user prompt is empty.")
    row = built(training_sheet, AnswerSource.EXISTING_COLUMN, one)
    assert (row["messages"], row["answer"], row["generation_error"]) == ("[]", "", one.error)


def test_each_pair_has_the_most_restrictive_rules_of_sheet_label_and_held_out_set(parts, training_sheet):
    parts.labels.label([LabelEntry("m00001", "spam", preset("personal_data"))], sheet_id=training_sheet.sheet_id,
                       label_type="mail_class", by=ANN)  # fmt: skip
    labels = parts.labels.lookup(training_sheet.sheet_id, ["m00001"], "mail_class")
    sheet = replace(training_sheet, options=replace(training_sheet.options, held_out=frozenset({"m00001", "m00002"})))
    builder = PairRows(sheet, preset("client_data"), labels, {}, "", utc_now())
    labelled, held_out, plain = (builder.row(n, item(f"m0000{n}")) for n in (1, 2, 3))
    rules = preset("client_data")
    assert _usage(labelled) == rules.combine(preset("personal_data")).combine(preset("held_out")).columns()
    assert _usage(held_out) == rules.combine(preset("held_out")).columns()
    assert _usage(plain) == rules.columns()


def _usage(row):
    return {name: row[name] for name in ("allowed_uses", "prohibited_uses", "usage_reason", "classification")}


# --- questions that cannot be made -----------------------------------------------------------------------------------


def test_a_label_of_an_item_without_a_question_keeps_answer_and_link_and_waits_with_the_error(parts, training_sheet):
    """A pair without messages must not count as approved: nothing could be learned from it."""
    parts.labels.label([LabelEntry("m1", "spam")], sheet_id=training_sheet.sheet_id, label_type="mail_class", by=ANN)
    labels = parts.labels.lookup(training_sheet.sheet_id, ["m1"], "mail_class")
    broken = Item("m1", {"subject": "a"}, (), error="User prompt, line 1: it cannot be divided.")
    for source in (AnswerSource.CANONICAL, AnswerSource.AI_GENERATED):
        builder = PairRows(replace(training_sheet, answer_source=source), ALL_USES, labels, {}, "tiny", utc_now())
        row, fine = builder.row(1, broken), builder.row(2, item("m1"))
        assert (row["answer"], row["response_source"], row["canonical_label_id"]) == (
            "spam", "canonical", labels["m1"].id,
        )  # fmt: skip
        assert (row["review_status"], row["was_auto_approved"], row["reviewed_by"]) == ("pending", False, "")
        assert row["generation_error"] == "User prompt, line 1: it cannot be divided."
        assert (fine["review_status"], fine["generation_error"]) == ("approved", "")


def test_a_value_of_the_column_is_kept_where_the_question_cannot_be_made(training_sheet):
    broken = Item("m1", {"subject": "a"}, (), "Spam ", error="User prompt, line 1: it cannot be divided.")
    for source in (AnswerSource.EXISTING_COLUMN, AnswerSource.HYBRID):
        row = built(training_sheet, source, broken)
        assert (row["answer"], row["response_source"], row["review_status"]) == ("spam", "imported", "pending")
        assert row["generation_error"] == "User prompt, line 1: it cannot be divided."
    row = built(training_sheet, AnswerSource.MANUAL, broken)
    assert (row["answer"], row["response_source"]) == ("", "empty")
    assert row["generation_error"]
