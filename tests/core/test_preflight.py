"""The pre-flight of a generation (TS-1): every number on planted data, what it costs, and that nothing is written."""

from __future__ import annotations

import csv
import time
from dataclasses import replace

import pytest

from tests.core.generation_parts import ANN, BEN, Parts, RuleModel, subject, truth
from workbench_core import usage
from workbench_core.canonical_labels import LabelEntry
from workbench_core.chat_models import ChatModels
from workbench_core.data_quality import Quarantine
from workbench_core.ports import TokenPrice
from workbench_core.prompt_templates import AnswerSource, InputField, TemplateExample
from workbench_core.sheets import SheetDraft
from workbench_core.training_sheets import GenerationRequest, preflight
from workbench_core.usage import UsageRules, Use

AI, HYBRID = AnswerSource.AI_GENERATED, AnswerSource.HYBRID
COLUMN, MANUAL, CANONICAL = AnswerSource.EXISTING_COLUMN, AnswerSource.MANUAL, AnswerSource.CANONICAL
MAPPING = {"subject": "subject"}
PROMPT = "Is this mail spam? {{ subject }}"
PHI = usage.preset("personal_data")


@pytest.fixture
def parts(tmp_path, clock):
    made = Parts(tmp_path, clock=clock)
    yield made
    made.store.close()


def check(parts, sheet_id, source=AI, *, template_id="", **changes):
    values = {"mapping": MAPPING, "answer_source": source, **changes}
    return parts.training_sheets.preflight(GenerationRequest(sheet_id, template_id or parts.make_template(), **values))


def label(parts, sheet_id, items, **rules):
    entries = [LabelEntry(f"m{item:05d}", truth(item), **rules) for item in items]
    parts.labels.label(entries, sheet_id=sheet_id, label_type="mail_class", by=BEN)


def set_aside(parts, sheet_id, items):
    now = parts.runs._clock()
    parts.store.append(
        "quarantined_items",
        [
            {
                "sheet_id": sheet_id, "item_ref": f"m{item:05d}", "state": "set_aside", "reason": "unreadable",
                "decided_by": BEN, "decided_at": now,
            }
            for item in items
        ],
    )  # fmt: skip


def sheet_of(parts, rows, *, columns=("mail_id", "subject", "verdict"), name="demo.acme.planted"):
    """A published sheet over these rows."""
    file = parts.folder / "planted.csv"
    with file.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream)
        writer.writerow(columns)
        writer.writerows(rows)
    parts.lake.put_table(name, file, original_name=file.name)
    sheet = parts.sheets.create(SheetDraft("Planted", name, columns[0], metadata_columns=columns[1:]), by=ANN)
    return parts.sheets.move(sheet.id, "publish", by=ANN).id


def written(parts):
    """The number of rows of every table."""
    names = parts.store.query("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name")
    return {row["name"]: parts.store.query(f"SELECT COUNT(*) AS rows FROM {row['name']}")[0]["rows"] for row in names}


# --- which items -----------------------------------------------------------------------------------------------------


def test_selected_left_out_set_aside_hits_and_misses_are_counted(parts):
    sheet_id = parts.make_sheet(40)
    label(parts, sheet_id, range(12))
    set_aside(parts, sheet_id, [0, 1, 20, 35])
    found = check(parts, sheet_id, MANUAL)
    assert (found.selected, found.left_out, found.quarantined, found.hits, found.misses) == (36, 0, 4, 10, 26)
    limited = check(parts, sheet_id, MANUAL, row_limit=15)  # items 2 to 16
    assert (limited.selected, limited.left_out, limited.quarantined) == (15, 21, 4)
    assert (limited.hits, limited.misses) == (10, 5)
    filtered = check(parts, sheet_id, MANUAL, filter="verdict = 'spam'")  # 14 items, of them 0 is set aside
    assert (filtered.selected, filtered.quarantined, filtered.hits) == (13, 1, 3)


def test_items_that_were_set_aside_count_among_the_selected_only_when_they_are_included(parts):
    sheet_id = parts.make_sheet(10)
    set_aside(parts, sheet_id, [3, 4])
    found = check(parts, sheet_id, MANUAL, includes_set_aside=True)
    assert (found.selected, found.left_out, found.quarantined) == (10, 0, 2)
    limited = check(parts, sheet_id, MANUAL, includes_set_aside=True, row_limit=4)
    assert (limited.selected, limited.left_out, limited.quarantined) == (4, 6, 2)


def test_chosen_items_and_their_limits_are_counted_among_themselves(parts):
    sheet_id = parts.make_sheet(10)
    set_aside(parts, sheet_id, [1, 8])
    label(parts, sheet_id, [2, 9])
    chosen = tuple(f"m{item:05d}" for item in (1, 2, 3, 4))
    found = check(parts, sheet_id, MANUAL, item_refs=chosen, row_limit=2)
    assert (found.selected, found.left_out, found.quarantined, found.hits) == (2, 1, 1, 1)


def test_labels_of_another_type_and_another_sheet_are_no_hits(parts):
    sheet_id = parts.make_sheet(5)
    parts.labels.label([LabelEntry("m00000", "x")], sheet_id=sheet_id, label_type="other", by=BEN)
    other = parts.sheets.create(SheetDraft("Other", "demo.acme.mails", "mail_id"), by=ANN)
    label(parts, other.id, range(5))
    assert check(parts, sheet_id, MANUAL).hits == 0


def test_many_items_are_compared_with_all_labels_at_once(parts, monkeypatch):
    monkeypatch.setattr("workbench_core.canonical_labels.usages.NAMED_ITEMS", 10)
    sheet_id = parts.make_sheet(30)
    label(parts, sheet_id, range(12), usage=PHI)
    found = check(parts, sheet_id, MANUAL, filter="mail_id >= 'm00005'")
    assert (found.selected, found.hits, found.barred) == (25, 7, {"personal data": 7})


@pytest.mark.parametrize(("rows", "problem"), [
    ([("m1", "a"), ("m1", "b"), ("m2", "c")], "The identifier mail_id repeats itself in 1 rows."),
    ([("m1", "a"), ("", "b"), ("", "c")], "The identifier mail_id is empty in 2 rows."),
])  # fmt: skip
def test_identifier_problems_are_counted(parts, rows, problem):
    sheet_id = parts.make_sheet(3)
    template_id = parts.make_template()
    file = parts.folder / "bad.csv"
    with file.open("w", newline="", encoding="utf-8") as stream:
        csv.writer(stream).writerows([("mail_id", "subject"), *rows])
    parts.lake.drop("demo.acme.mails")
    parts.lake.put_table("demo.acme.mails", file, original_name=file.name)
    found = check(parts, sheet_id, MANUAL, template_id=template_id)
    assert found.problems == (problem,)
    assert found.identifier.nulls + found.identifier.duplicates > 0


def test_a_source_that_is_gone_is_a_problem_and_no_error(parts):
    sheet_id, template_id = parts.make_sheet(3), parts.make_template()
    parts.lake.drop("demo.acme.mails")
    found = check(parts, sheet_id, template_id=template_id)
    assert not found.can_generate
    assert len(found.problems) == 1
    assert "demo.acme.mails" in found.problems[0]


def test_labels_with_a_class_that_the_template_does_not_know_wait_for_a_person(parts):
    """They are hits, but not answers: the generation leaves their pairs pending."""
    sheet_id = parts.make_sheet(10)
    label(parts, sheet_id, [0, 1, 2])
    entries = [LabelEntry("m00003", "phishing"), LabelEntry("m00004", "SPAM"), LabelEntry("m00099", "eggs")]
    parts.labels.label(entries, sheet_id=sheet_id, label_type="mail_class", by=BEN)
    found = check(parts, sheet_id, MANUAL)
    assert (found.hits, found.unknown_labels, found.to_review) == (5, 1, 6)
    assert found.warnings == (
        "1 canonical label has a class that the template does not know: a person must review it. It knows spam, ham.",
    )
    training_sheet = parts.training_sheets.generate(
        GenerationRequest(sheet_id, parts.make_template(), MAPPING, answer_source=MANUAL), by=ANN
    )
    parts.work()
    assert parts.training_sheets.get(training_sheet.id).counts.pending == found.to_review
    alone = check(parts, sheet_id, CANONICAL)
    assert (alone.unlabelled, alone.to_review) == (5, 1)


# --- what pairs may be used for --------------------------------------------------------------------------------------


def test_the_most_restrictive_of_source_template_label_and_held_out_set_bars_from_training(parts):
    sheet_id = parts.make_sheet(10)
    label(parts, sheet_id, [0, 1, 2], usage=PHI)
    label(parts, sheet_id, [3], usage=UsageRules(reason="synthetic"))
    held_out = frozenset({"m00002", "m00009", "m99999"})
    assert check(parts, sheet_id, MANUAL, held_out=held_out).barred == {
        "personal data": 2, "personal data; held-out test set": 1, "held-out test set": 1,
    }  # fmt: skip
    closed = UsageRules(prohibited=frozenset({Use.TRAINING}), allowed=frozenset({Use.TESTING}), reason="not cleared")
    template_id = parts.make_template(usage=closed)
    assert check(parts, sheet_id, MANUAL, template_id=template_id).barred == {
        "not cleared": 6, "not cleared; personal data": 3, "not cleared; synthetic": 1,
    }  # fmt: skip


def test_a_tagged_source_bars_all_pairs(parts):
    sheet_id = parts.make_sheet(10, tags=("PHI",))
    label(parts, sheet_id, [0], usage=PHI)
    assert check(parts, sheet_id, MANUAL).barred == {"source tagged PHI": 9, "source tagged PHI; personal data": 1}


def test_only_pairs_that_would_be_made_are_barred(parts):
    sheet_id = parts.make_sheet(10)
    label(parts, sheet_id, [0, 1], usage=PHI)
    found = check(parts, sheet_id, CANONICAL, held_out=frozenset({"m00001", "m00005"}))
    assert found.barred == {"personal data": 1, "personal data; held-out test set": 1}
    assert (found.hits, found.misses, found.blank, found.from_column) == (2, 8, 8, 0)


# --- where answers come from -----------------------------------------------------------------------------------------

PLANTED = [
    ("m0", "a", "spam"), ("m1", "b", ""), ("m2", "c", "   "), ("m3", "d", "ham"), ("m4", "e", "spam"), ("m5", "f", ""),
]  # fmt: skip


def test_a_column_answers_where_it_has_a_value(parts):
    sheet_id = sheet_of(parts, PLANTED)
    parts.labels.label(
        [LabelEntry("m4", "ham"), LabelEntry("m5", "ham")], sheet_id=sheet_id, label_type="mail_class", by=BEN
    )
    found = check(parts, sheet_id, COLUMN, answer_column="verdict")
    assert (found.hits, found.misses, found.from_column, found.blank, found.model_calls) == (2, 4, 2, 2, 0)
    assert (found.model, found.estimate) == (None, None)


def test_a_model_answers_where_a_hybrid_column_has_no_value(parts):
    sheet_id = sheet_of(parts, PLANTED)
    parts.labels.label(
        [LabelEntry("m4", "ham"), LabelEntry("m5", "ham")], sheet_id=sheet_id, label_type="mail_class", by=BEN
    )
    found = check(parts, sheet_id, HYBRID, answer_column="verdict")
    assert (found.misses, found.from_column, found.blank, found.model_calls) == (4, 2, 0, 2)
    assert (found.model_title, found.estimate.calls) == ("rule model", 2)
    limited = check(parts, sheet_id, HYBRID, answer_column="verdict", row_limit=2)
    assert (limited.from_column, limited.model_calls) == (1, 1)
    assert check(parts, sheet_id, HYBRID).problems == ("The column that holds the answers is not chosen.",)


def test_numbers_and_times_in_the_answer_column_are_values_too(parts):
    sheet_id = sheet_of(parts, [("m0", "a", "1"), ("m1", "b", ""), ("m2", "c", "3")])
    found = check(parts, sheet_id, COLUMN, answer_column="verdict")
    assert (found.from_column, found.blank) == (2, 1)


def test_manual_answers_are_blank(parts):
    sheet_id = parts.make_sheet(5)
    label(parts, sheet_id, [1])
    found = check(parts, sheet_id, MANUAL)
    assert (found.misses, found.blank, found.model_calls, found.kept_answers) == (4, 4, 0, 0)


def test_a_question_that_holds_its_answer_is_warned_of(parts):
    sheet_id = parts.make_sheet(3)
    found = check(parts, sheet_id, COLUMN, answer_column="subject")
    assert found.can_generate
    assert found.warnings == (
        "The column subject is part of the question and holds the answer: it gives the answer away.",
    )


# --- calls, tokens and cost ------------------------------------------------------------------------------------------


def test_calls_that_were_paid_before_are_told_apart_and_not_estimated(parts):
    sheet_id = parts.make_sheet(20)
    template_id = parts.make_template()
    label(parts, sheet_id, range(5))
    first = parts.training_sheets.generate(
        GenerationRequest(sheet_id, template_id, MAPPING, answer_source=AI, row_limit=12), by=ANN
    )
    parts.work()
    assert parts.training_sheets.get(first.id).counts.total == 12
    found = check(parts, sheet_id, template_id=template_id)
    assert (found.misses, found.kept_answers, found.model_calls, found.is_kept_exact) == (15, 7, 8, True)
    assert found.estimate.calls == 8
    assert check(parts, sheet_id, template_id=template_id, seed=7).kept_answers == 0
    hotter = parts.make_template(name="Hotter", temperature=0.5)
    assert check(parts, sheet_id, template_id=hotter).kept_answers == 0


def test_questions_that_repeat_themselves_are_paid_for_once(parts):
    sheet_id = sheet_of(parts, [(f"m{number}", "same" if number % 2 else str(number), "") for number in range(10)])
    found = check(parts, sheet_id)
    assert (found.misses, found.model_calls, found.kept_answers) == (10, 6, 4)


def test_tokens_and_cost_follow_from_the_characters_of_the_prompts(parts):
    parts.model.price, parts.model.concurrency = TokenPrice(4.0, 20.0), 2
    sheet_id = sheet_of(parts, [("m0", "x" * 10, ""), ("m1", "y" * 30, ""), ("m2", "z" * 50, "")])
    template_id = parts.make_template(
        system_prompt="Sort!", user_prompt="{{ subject }}?", examples=(TemplateExample("hello", "ham"),)
    )
    estimate = check(parts, sheet_id, template_id=template_id).estimate
    characters = 90 + 3 * (len("Sort!") + len("hello") + len("ham") + len("?"))
    assert (estimate.calls, estimate.tokens_in, estimate.tokens_out) == (3, round(characters / 4), 150)
    assert estimate.cost == pytest.approx((round(characters / 4) * 4 + 150 * 20) / 1_000_000)
    assert (estimate.currency, estimate.seconds, estimate.is_measured) == ("USD", pytest.approx(3.0), False)


def test_of_very_many_questions_some_are_looked_at_and_the_rest_is_in_proportion(parts, monkeypatch):
    monkeypatch.setattr(preflight, "EXACT", 20)
    monkeypatch.setattr(preflight, "LOOKED_AT", 10)
    sheet_id = sheet_of(parts, [(f"m{number:02d}", f"{number:05d}", "") for number in range(40)])
    template_id = parts.make_template(system_prompt="", user_prompt="{{ subject }}")
    parts.training_sheets.generate(
        GenerationRequest(sheet_id, template_id, MAPPING, answer_source=AI, row_limit=8), by=ANN
    )
    parts.work()
    found = check(parts, sheet_id, template_id=template_id)  # every fourth is looked at: 0, 4 are kept, 8 to 36 not
    assert (found.misses, found.kept_answers, found.model_calls, found.is_kept_exact) == (40, 8, 32, False)
    assert found.estimate.tokens_in == round(32 * 5 / 4)
    assert parts.model.asked.count("m39") == 0


def test_a_budget_or_limit_that_will_not_last_is_warned_of_and_keeps_nothing_from_starting(parts):
    parts.model.price = TokenPrice(0, 100.0)
    sheet_id = parts.make_sheet(40)  # 40 calls with 50 tokens out each: 0.2
    enough = check(parts, sheet_id, budget=0.2, call_limit=40)
    assert (enough.estimate.cost, enough.warnings) == (pytest.approx(0.2), ())
    short = check(parts, sheet_id, budget=0.05, call_limit=30)
    assert short.can_generate
    assert short.warnings == (
        "About 0.20 USD are needed, more than the budget of 0.05 USD: it lasts for about 10 of 40 calls.",
        "40 calls are needed, more than the limit of 30 calls.",
    )


@pytest.mark.parametrize(("changes", "problem"), [
    ({"budget": 5.0}, "The rule model has no price, so no budget can be kept."),
    ({"budget": 0.0}, "The budget must be more than 0."),
    ({"call_limit": 0}, "The limit of calls must be at least 1."),
    ({"model_name": "large"}, "No language model “large” is configured."),
    ({"examples": 11}, "The number of examples must be between 0 and 10."),
])  # fmt: skip
def test_what_cannot_be_kept_or_asked_is_a_problem(parts, changes, problem):
    found = check(parts, parts.make_sheet(3), **changes)
    assert found.problems == (problem,)


def test_the_model_of_the_request_comes_before_that_of_the_template_and_the_default_one(parts, clock):
    others = [RuleModel(name=name, title=name.title()) for name in ("first", "second", "third")]
    models, quarantine = ChatModels(parts.store, others, clock), Quarantine(parts.store)
    looking = preflight.PreflightCheck(
        parts.lake, parts.sheets, parts.templates, parts.labels, models, quarantine, parts.store
    )
    sheet_id, template_id = parts.make_sheet(3), parts.make_template(name="With model", model="second")
    plain = GenerationRequest(sheet_id, parts.make_template(), MAPPING, answer_source=AI)
    named = GenerationRequest(sheet_id, template_id, MAPPING, answer_source=AI)
    assert looking.check(plain).model_title == "First"
    assert looking.check(named).model_title == "Second"
    assert looking.check(replace(named, model_name="third")).model_title == "Third"


def test_a_model_that_cannot_answer_is_not_missed_when_all_answers_are_kept(parts):
    sheet_id, template_id = parts.make_sheet(3), parts.make_template()
    wanted = GenerationRequest(sheet_id, template_id, MAPPING, answer_source=AI)
    parts.training_sheets.generate(wanted, by=ANN)
    parts.work()
    parts.model.reason = "The weights are gone."
    found = check(parts, sheet_id, template_id=template_id)
    assert (found.kept_answers, found.model_calls, found.problems) == (3, 0, ())
    parts.put_mails(range(4))
    again = check(parts, sheet_id, template_id=template_id)
    assert again.problems == ("The rule model cannot answer: The weights are gone.",)


# --- questions -------------------------------------------------------------------------------------------------------


def test_the_first_five_items_are_shown_as_they_would_be_asked(parts):
    sheet_id = parts.make_sheet(30)
    label(parts, sheet_id, [0])
    samples = check(parts, sheet_id).samples
    assert [sample.item_ref for sample in samples] == [f"m{number:05d}" for number in range(5)]
    assert [message.content for message in samples[1].messages] == [
        "You sort mails.", f"Is this mail spam? {subject(1)}",
    ]  # fmt: skip
    assert len(check(parts, sheet_id, MANUAL, row_limit=2).samples) == 2


def test_a_value_that_is_cut_is_named_in_its_sample(parts):
    sheet_id = sheet_of(parts, [("m0", "x" * 30_000, ""), ("m1", "y", "")])
    assert [sample.shortened for sample in check(parts, sheet_id).samples] == [("subject",), ()]


def test_errors_of_rendered_rows_are_told_once_with_how_many_rows_have_them(parts):
    prompt = "{{ subject }}{% if subject == 'b' or subject == 'e' %}{{ subject / 2 }}{% endif %}"
    sheet_id = sheet_of(parts, PLANTED)
    found = check(parts, sheet_id, template_id=parts.make_template(user_prompt=prompt))
    assert len(found.render_problems) == 1
    assert found.render_problems[0].startswith("2 of 6 items that were looked at: User prompt, line 1: ")
    assert (found.model_calls, found.can_generate) == (4, True)
    assert [bool(sample.error) for sample in found.samples] == [False, True, False, False, True]


def test_required_placeholders_need_a_column_and_optional_ones_do_not(parts):
    sheet_id = parts.make_sheet(3)
    inputs = (InputField("sender", required=False),)
    template_id = parts.make_template(user_prompt="{{ sender }}{{ subject }}{{ body }}", inputs=inputs)
    found = check(parts, sheet_id, template_id=template_id)
    assert (found.unmapped, found.problems) == (("body",), ("No column is chosen for body.",))
    mapped = check(parts, sheet_id, template_id=template_id, mapping=MAPPING | {"body": "verdict"})
    assert (mapped.unmapped, mapped.problems, mapped.render_problems) == ((), (), ())


def test_examples_stand_before_the_question_and_are_part_of_the_estimate(parts):
    sheet_id, template_id = parts.make_sheet(6), parts.make_template(system_prompt="")
    for item in (0, 1, 2):
        label(parts, sheet_id, [item])
    parts.training_sheets.generate(GenerationRequest(sheet_id, template_id, MAPPING, answer_source=CANONICAL), by=ANN)
    parts.work()
    plain = check(parts, sheet_id, template_id=template_id)
    found = check(parts, sheet_id, template_id=template_id, examples=2)
    last = found.samples[4]
    assert [(message.role, message.content) for message in last.messages] == [
        ("user", f"Is this mail spam? {subject(1)}"), ("assistant", "ham"),
        ("user", f"Is this mail spam? {subject(2)}"), ("assistant", "ham"),
        ("user", f"Is this mail spam? {subject(4)}"),
    ]  # fmt: skip
    turns = sum(len(message.content) for message in last.messages[:-1])
    assert found.estimate.tokens_in - plain.estimate.tokens_in == pytest.approx(3 * turns / 4, abs=1)


# --- read-only and cheap ---------------------------------------------------------------------------------------------


def test_nothing_is_written_and_no_model_is_asked(parts):
    sheet_id, template_id = parts.make_sheet(30), parts.make_template()
    label(parts, sheet_id, range(5))
    before = written(parts)
    for source in AnswerSource:
        check(parts, sheet_id, source, template_id=template_id, answer_column="verdict")
    assert written(parts) == before
    assert parts.model.asked == []


def test_the_number_of_statements_does_not_grow_with_the_items(parts, monkeypatch):
    statements = []
    query, batches = parts.store.query, parts.lake.batches
    monkeypatch.setattr(parts.store, "query", lambda sql, **p: statements.append(sql) or query(sql, **p))
    monkeypatch.setattr(parts.lake, "batches", lambda s, **p: statements.append("batches") or batches(s, **p))
    counts = []
    template_id = parts.make_template()
    for size in (20, 900):
        sheet_id = parts.make_sheet(size)
        statements.clear()
        assert check(parts, sheet_id, template_id=template_id).misses == size
        counts.append((len(statements), statements.count("batches")))
    assert counts[0] == counts[1]
    assert counts[0][1] == 2


@pytest.mark.slow
def test_a_hundred_thousand_items_take_no_more_than_a_moment(parts):
    sheet_id, template_id = parts.make_sheet(100_000), parts.make_template()
    label(parts, sheet_id, range(0, 100_000, 2))
    check(parts, sheet_id, template_id=template_id)
    began = time.perf_counter()
    found = check(parts, sheet_id, template_id=template_id, row_limit=100_000)
    took = time.perf_counter() - began
    assert (found.selected, found.hits, found.model_calls) == (100_000, 50_000, 50_000)
    assert took < 4, "2 seconds on a quiet machine"
