"""Large generations in the warehouse: when they go there, why not, and how their answers come back (TS-2, TS-3)."""

from __future__ import annotations

import threading
from dataclasses import replace
from datetime import UTC, datetime

import pyarrow as pa
import pytest

from tests.contract.bulk_parts import ROWS, SCHEMA, DuckWarehouse, Oracle, source_of
from tests.core.generation_parts import ANN, Parts, RuleModel, subject
from workbench_core.adapters.databricks.bulk_answers import BulkSettings, WarehouseBulkAnswers
from workbench_core.canonical_labels import LabelEntry
from workbench_core.errors import BackendError
from workbench_core.ports import BulkStatus, ChatOptions, Conversation, Message, Selection
from workbench_core.prompt_templates import AnswerSource, InputField
from workbench_core.runs import RunStopped
from workbench_core.training_sheets import GenerationRequest
from workbench_core.training_sheets.model import FewShot
from workbench_core.training_sheets.warehouse import MAX_SKIPPED, WarehouseAnswers, WarehousePlan, request_id

COUNT = 300
REFS = [f"m{number:05d}" for number in range(COUNT)]


@pytest.fixture
def oracle():
    oracle = Oracle()
    oracle.reply = '{"answer": "spam"}'
    return oracle


@pytest.fixture
def warehouse(oracle):
    """The mails in an engine."""
    rows = pa.table({"mail_id": REFS, "subject": [subject(number) for number in range(COUNT)]})
    warehouse = DuckWarehouse(rows, oracle)
    yield warehouse
    oracle.gate.set()
    warehouse.wait()


@pytest.fixture
def answers(warehouse):
    return WarehouseAnswers(bulk(warehouse))


def bulk(warehouse):
    settings = BulkSettings(SCHEMA, {"rule-model": "databricks-rule"}, threshold=100)
    return WarehouseBulkAnswers(warehouse, lambda selection: source_of(warehouse, selection.source), settings)


@pytest.fixture
def training_sheet(tmp_path):
    """A training sheet whose items a model answers."""
    parts = Parts(tmp_path)
    mapping = {"subject": "subject"}
    request = GenerationRequest(
        parts.make_sheet(5), parts.make_template(), mapping, name="Mails", answer_source=AnswerSource.AI_GENERATED
    )
    return parts.training_sheets.generate(request, by=ANN)


def plan(training_sheet, **changes):
    known = {"rows": COUNT, "model": RuleModel(), "image_columns": ()} | changes
    return WarehousePlan(training_sheet, Selection(ROWS, "mail_id"), **known)


def questions(refs):
    return [Conversation(ref, (Message("user", f"about {ref}"),)) for ref in refs]


# --- whether a run goes there ----------------------------------------------------------------------------------------


def test_a_large_run_of_a_served_model_goes_to_the_warehouse(answers, training_sheet):
    choice = answers.choose(plan(training_sheet, answered_refs=("m00003",)))
    assert choice.reason == ""
    assert choice.request.endpoint == "databricks-rule"
    assert choice.request.skipped_refs == ("m00003",)
    assert choice.request.row_limit == training_sheet.row_limit
    assert choice.request.options.choices == ("spam", "ham")


def test_without_a_warehouse_the_workbench_asks(training_sheet):
    assert "no warehouse" in WarehouseAnswers(None).choose(plan(training_sheet)).reason


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"rows": 99}, "99 items are asked one by one; the warehouse is for 100 and more."),
        ({"model": RuleModel(name="other", title="other model")}, "The other model is not served"),
        ({"answered_refs": tuple(map(str, range(MAX_SKIPPED + 1)))}, "have an answer already"),
        ({"image_columns": ("subject",)}, "sends no pictures"),
    ],
)
def test_a_run_that_does_not_go_there_says_why(answers, training_sheet, changes, reason):
    choice = answers.choose(plan(training_sheet, **changes))
    assert choice.request is None
    assert reason in choice.reason


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"answer_source": AnswerSource.HYBRID}, "does not answer all"),
        ({"budget": 1.0}, "stop at a budget"),
        ({"call_limit": 10}, "stop at a budget"),
        ({"mapping": {"subject": "nowhere"}}, "There is no column “nowhere”"),
    ],
)
def test_a_training_sheet_that_does_not_fit_says_why(answers, training_sheet, changes, reason):
    choice = answers.choose(plan(replace(training_sheet, **changes)))
    assert choice.request is None
    assert reason in choice.reason


def test_a_template_that_sql_cannot_compute_says_so_with_prompt_and_line(answers, training_sheet):
    template = replace(training_sheet.template, user_prompt="Is this spam?\n{{ subject|title }}")
    choice = answers.choose(plan(replace(training_sheet, template=template)))
    assert choice.reason == "User prompt: Line 2: The filter “title” cannot be computed in SQL."


def test_an_optional_placeholder_without_a_column_does_not_keep_a_run_away(answers, training_sheet, oracle):
    prompt = "{{ subject }}{{ note }}{{ tone|default('!') }}"
    inputs = (InputField("note", required=False), InputField("tone", required=False))
    template = replace(training_sheet.template, system_prompt="", user_prompt=prompt, inputs=inputs)
    request = answers.choose(plan(replace(training_sheet, template=template))).request
    answers.settle(request, should_stop=lambda: False, poll_seconds=0.01)
    assert sorted(oracle.calls) == sorted(
        template.renderer().render({"subject": subject(number)})[-1].content for number in range(COUNT)
    )


def test_examples_are_turns_and_their_own_items_are_left_to_the_workbench(answers, training_sheet):
    examples = tuple(FewShot(f"m0000{number}", f"question {number}", "spam") for number in range(3))
    options = replace(training_sheet.options, examples=examples, examples_wanted=2)
    request = answers.choose(plan(replace(training_sheet, options=options))).request
    assert [turn.content for turn in request.prompt.turns] == ["question 1", "spam", "question 2", "spam"]
    assert request.skipped_refs == ("m00000", "m00001", "m00002")


def test_what_is_asked_for_new_items_has_another_name(training_sheet):
    finished = replace(training_sheet, completed_at=datetime(2026, 5, 1, tzinfo=UTC))
    assert request_id(training_sheet) == training_sheet.id
    assert request_id(finished) not in (request_id(training_sheet), request_id(replace(finished, completed_at=None)))


# --- the statement and its answers -----------------------------------------------------------------------------------


def test_answers_reach_the_loop_and_the_model_is_asked_about_the_rest(answers, training_sheet, oracle):
    request = answers.choose(plan(training_sheet, answered_refs=tuple(REFS[10:20]))).request
    assert answers.settle(request, should_stop=lambda: False, poll_seconds=0.01) == COUNT - 10
    model = RuleModel(rule=lambda _question: "ham")
    answered = answers.model(request, model)
    found = {}
    for start in range(0, COUNT, 32):
        for answer in answered.answer(questions(REFS[start : start + 32]), options=ChatOptions()):
            assert answer.id not in found
            found[answer.id] = answer.text
    assert found == {ref: "ham" if ref in REFS[10:20] else "spam" for ref in REFS}
    assert sorted(model.asked) == REFS[10:20]
    assert len(oracle.calls) == COUNT - 10


@pytest.mark.parametrize("order", [REFS[200:] + REFS[:200], REFS[::-1], REFS[50:60] * 2, ["a", "m00007", "zzz"]])
def test_answers_are_found_in_any_order(answers, training_sheet, order):
    request = answers.choose(plan(training_sheet)).request
    answers.settle(request, should_stop=lambda: False, poll_seconds=0.01)
    model = RuleModel(rule=lambda _question: "ham")
    found = [
        (answer.id, answer.text)
        for answer in answers.model(request, model).answer(questions(order), options=ChatOptions())
    ]
    assert sorted(found) == sorted((ref, "spam" if ref in REFS else "ham") for ref in order)


def test_a_run_that_is_told_to_stop_leaves_the_statement_and_finds_it_again(warehouse, training_sheet, oracle):
    oracle.gate.clear()
    first = WarehouseAnswers(bulk(warehouse))
    request = first.choose(plan(training_sheet)).request
    with pytest.raises(RunStopped):
        first.settle(request, should_stop=lambda: True, poll_seconds=0.01)
    threading.Timer(0.1, oracle.gate.set).start()
    later = WarehouseAnswers(bulk(warehouse))
    assert later.settle(request, should_stop=lambda: False, poll_seconds=0.01) == COUNT
    assert len(warehouse.submitted) == 1
    assert len(oracle.calls) == COUNT


def test_a_statement_that_fails_is_told_with_the_next_step(warehouse, training_sheet):
    answers = WarehouseAnswers(bulk(warehouse))
    request = answers.choose(plan(training_sheet)).request
    warehouse.query("DROP MACRO ai_query", {})
    with pytest.raises(BackendError) as error:
        answers.settle(request, should_stop=lambda: False, poll_seconds=0.01)
    assert "The warehouse did not answer" in error.value.message
    assert "Resume" in error.value.hint


def test_cancelled_and_forgotten(warehouse, training_sheet):
    answers = WarehouseAnswers(bulk(warehouse))
    answers.cancel(training_sheet)
    request = answers.choose(plan(training_sheet)).request
    answers.settle(request, should_stop=lambda: False, poll_seconds=0.01)
    answers.forget(training_sheet)
    assert not warehouse.has_table(f"{SCHEMA}.answers_{training_sheet.id}")
    WarehouseAnswers(None).cancel(training_sheet)
    WarehouseAnswers(None).forget(training_sheet)


# --- a whole generation -----------------------------------------------------------------------------------------------


def test_a_large_generation_is_one_statement_and_its_pairs_are_those_of_the_workbench(tmp_path, warehouse, oracle):
    """TS-2, TS-3: labels are not asked again, what SQL has no answer for is asked by the workbench, nothing twice."""
    settings = BulkSettings(SCHEMA, {"rule-model": "databricks-rule"}, threshold=100)
    answers = WarehouseBulkAnswers(warehouse, lambda selection: source_of(warehouse), settings)
    parts = Parts(tmp_path, bulk_answers=answers)
    sheet_id, template_id = parts.make_sheet(COUNT), parts.make_template()
    entries = [LabelEntry(ref, "ham") for ref in REFS[:30]]
    parts.labels.label(entries, sheet_id=sheet_id, label_type="mail_class", by=ANN)
    oracle.broken = subject(42)
    source = AnswerSource.AI_GENERATED
    made = parts.training_sheets.generate(
        GenerationRequest(sheet_id, template_id, {"subject": "subject"}, answer_source=source), by=ANN
    )
    parts.work()

    counts = parts.training_sheets.get(made.id).counts
    assert (counts.total, counts.auto_approved, counts.pending, counts.errors) == (COUNT, 30, COUNT - 30, 1)
    assert len(warehouse.submitted) == 1
    assert len(oracle.calls) == COUNT - 30
    assert parts.model.asked == []
    pairs = {pair.item_ref: pair for pair in parts.pairs.find(made.id, limit=COUNT)}
    assert {pair.answer for ref, pair in pairs.items() if ref in REFS[30:] and not pair.generation_error} == {"spam"}
    assert pairs["m00042"].generation_error == "The model endpoint failed: the model said no"
    assert answers.state(made.id).status is BulkStatus.ABSENT, "the answers are pairs now"
