"""Generation with a budget, appending, and answering pairs in place, on a real PostgreSQL."""

from __future__ import annotations

import threading

import pytest
from sqlalchemy import create_engine, text

from tests.core.generation_parts import ANN, BEN, Parts, RuleModel, truth
from tests.core.generation_steps import AI, generate, label, pairs_of
from workbench_core.canonical_labels import LabelFilter
from workbench_core.pairs import Decision
from workbench_core.ports import TokenPrice
from workbench_core.training_sheets import AnsweringStatus, AnswerRequest


@pytest.fixture
def parts(postgres_url, tmp_path):
    """The services of DATA to LABEL over an empty database."""
    engine = create_engine(postgres_url.replace("postgresql:", "postgresql+psycopg:"), isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text("DROP SCHEMA public CASCADE"))
        connection.execute(text("CREATE SCHEMA public"))
    engine.dispose()
    made = Parts(tmp_path, url=postgres_url, model=RuleModel(tokens=(100, 10), price=TokenPrice(50, 500)))
    yield made
    made.store.close()


@pytest.mark.postgres
def test_a_budget_pauses_and_everything_is_made_once_on_postgres(parts):
    sheet_id = parts.make_sheet(120)
    label(parts, sheet_id, range(0, 120, 4))
    made = generate(parts, sheet_id, source=AI, budget=0.5, examples=2)
    assert made.pause_reason.startswith("The budget of 0.50 USD is used up: 6")
    parts.training_sheets.resume(made.id, by=ANN, budget=5)
    parts.work()
    done = parts.training_sheets.get(made.id)
    assert (done.status, done.counts.total, done.spent.calls) == ("review", 120, 90)
    assert [pair.answer for pair in parts.pairs.find(made.id, limit=200)] == [truth(item) for item in range(120)]
    assert {entry.reuse_count for entry in parts.labels.find(LabelFilter(sheet_id), limit=200)} == {1}
    parts.put_mails(range(130))
    assert parts.training_sheets.new_items(made.id) == 10
    parts.training_sheets.append_new(made.id, by=ANN)
    parts.work()
    assert parts.training_sheets.get(made.id).counts.total == 130


@pytest.mark.postgres
def test_people_and_a_model_answer_the_same_pairs_at_the_same_time_on_postgres(parts):
    parts.model.seconds = 0.005
    made = generate(parts, parts.make_sheet(150))
    pairs = pairs_of(parts, made.id)
    chosen = tuple(pair.id for pair in pairs.values())
    parts.training_sheets.answer_pairs(made.id, AnswerRequest(pair_ids=chosen, examples=1), by=ANN)
    working = threading.Thread(target=parts.work)
    working.start()
    decided = []
    for item in range(149, 0, -7):
        pair = parts.pairs.get(pairs[f"m{item:05d}"].id)
        result = parts.pairs.decide([Decision(pair.id, "edit", pair.row_version, answer="spam")], by=BEN)
        decided += result.done
    working.join()
    answering = parts.training_sheets.answering_of(made.id)
    assert (answering.status, answering.done, answering.errors) == (AnsweringStatus.DONE, 150, 0)
    assert answering.left_alone > 0
    assert len(decided) >= answering.left_alone
    after = pairs_of(parts, made.id)
    for pair in after.values():
        if pair.id in decided:
            assert (pair.review_status in {"edited", "approved"}, pair.answer) == (True, "spam")
        else:
            assert pair.response_source in {"ai_generated", "canonical"}
    preview = parts.training_sheets.preview_answering(made.id, AnswerRequest(overwrite=True))
    assert preview.pairs + sum(preview.skipped.values()) == 150
    parts.training_sheets.delete(made.id, by=ANN)
    assert parts.store.query("SELECT COUNT(*) AS rows_left FROM answering_pairs") == [{"rows_left": 0}]


@pytest.mark.postgres
def test_previews_retries_and_examples_keep_to_limits_and_rules_on_postgres(parts):
    sheet_id = parts.make_sheet(2_100)
    blank = generate(parts, sheet_id, row_limit=2_090)
    label(parts, sheet_id, range(0, 2_100, 2))
    preview = parts.training_sheets.preview_answering(blank.id, AnswerRequest())
    assert (preview.pairs, preview.is_exact) == (2_090, False)
    assert 700 <= preview.from_labels <= 1_400
    parts.model.failing = frozenset({"m00001", "m00003"})
    made = generate(parts, sheet_id, source=AI, examples=2, row_limit=20, call_limit=11)
    parts.model.failing = frozenset()
    assert (parts.training_sheets.retryable(made.id), made.spent.calls) == (2, 10)
    parts.training_sheets.retry_failed(made.id, by=ANN)
    parts.work()
    paused = parts.training_sheets.answering_of(made.id)
    assert (paused.status, paused.done, parts.training_sheets.get(made.id).spent.calls) == ("paused", 1, 11)
    assert parts.training_sheets.cancel_answering(made.id, by=BEN).status is AnsweringStatus.CANCELLED
    shown = parts.training_sheets.preview_answering(made.id, AnswerRequest(overwrite=True, examples=2))
    assert (shown.estimate.calls, shown.is_exact) == (10, True)
