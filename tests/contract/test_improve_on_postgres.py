"""The loop from gap to closure, and the removal of the demo data, on a real PostgreSQL."""

from __future__ import annotations

import pytest
from sqlalchemy import create_engine, text

from tests.core.improve_parts import ANN, MODEL, Improving, coin, is_html
from workbench_core.demo import Demo
from workbench_core.gaps import ClosureVerdict, GapStatus
from workbench_core.prompt_templates import AnswerSource


@pytest.fixture
def empty_database(postgres_url):
    """The address of the server, with nothing in it."""
    engine = create_engine(postgres_url.replace("postgresql:", "postgresql+psycopg:"), isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text("DROP SCHEMA public CASCADE"))
        connection.execute(text("CREATE SCHEMA public"))
    engine.dispose()
    return postgres_url


@pytest.mark.postgres
def test_a_gap_is_found_worked_on_and_closed_on_postgres(empty_database, tmp_path):
    world = Improving(tmp_path, url=empty_database)
    try:
        task = world.html_task(target=100)
        html = [number for number in range(700, 760) if is_html(number)]
        world.judge(html, rating="negative")
        assert world.gaps.analyse_now(MODEL, 1, by=ANN).seen_again == (task.gap_id,)
        world.decide(task.training_sheet_id, limit=10)
        assert world.gaps.get(task.gap_id).status is GapStatus.IN_PROGRESS
        assert [gap.id for gap in world.gaps.find(status=GapStatus.IN_PROGRESS)] == [task.gap_id]
        world.decide(task.training_sheet_id)
        world.tasks.move(task.id, "accept", by=ANN)
        made = world.train(world.generate("", source=AnswerSource.CANONICAL))
        world.evaluations.evaluate_now(MODEL, made.version, by=ANN)
        closure = world.gaps.close(task.gap_id, made.version, by=ANN)
        assert closure.verdict is ClosureVerdict.CLOSED
        held_out = [int(ref[1:]) for ref in world.parts_of(task.id)["held_out"]]
        assert closure.wins == sum(map(coin, held_out))
        assert all(step.is_done for step in world.gaps.chain(task.gap_id))
        demo = Demo(
            world.store, world.lake, world.history, world.permissions,
            sheets=world.sheets, prompt_templates=world.templates, label_sets=world.label_sets,
            data_quality=world.data_quality, serving=world.serving,
        )  # fmt: skip
        demo.load(by=ANN)
        assert demo.remove(by=ANN).told == {
            "sheets": 5,
            "prompt templates": 3,
            "label sets": 3,
            "quality rules": 14,
        }
        assert [sheet.id for sheet in world.sheets.find()] == [world.sheet_id], "own data is untouched"
        assert len(world.gaps.closures(task.gap_id)) == 1
    finally:
        world.store.close()
