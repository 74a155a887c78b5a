"""Training sheets of before: what was a sentence or a line of the history becomes a column when the store is opened."""

from __future__ import annotations

import shutil

import pytest

from tests.core.generation_parts import ANN, BEN, SCHEMAS, Parts
from tests.core.generation_steps import generate, request
from workbench_core.adapters.store import open_store

FILE = "24_training_sheets.sql"
ADDED = ("cancelled_by", "reviewed_by", "reviewed_at")


@pytest.fixture
def parts(tmp_path, clock):
    made = Parts(tmp_path, clock=clock)
    yield made
    made.store.close()


def opened_again(parts):
    """The store as it was before the columns, opened by the program that has them."""
    for column in ADDED:
        parts.store.execute(f"ALTER TABLE training_sheets DROP COLUMN {column}", touches="training_sheets")
    parts.store.execute("DELETE FROM schema_files WHERE name = :name", touches="schema_files", name=FILE)
    parts.store.close()
    parts.store = open_store(f"sqlite:///{parts.folder / 'store.db'}", schemas=SCHEMAS)
    found = parts.store.query(f"SELECT id, {', '.join(ADDED)} FROM training_sheets ORDER BY id")
    return {row["id"]: row for row in found}


def test_who_cancelled_and_who_reviewed_is_found_for_older_training_sheets(parts):
    service, sheet_id, template_id = parts.training_sheets, parts.make_sheet(2), parts.make_template()

    def begun():
        return service.generate(request(parts, sheet_id, template_id=template_id), by=ANN).id

    cancelled, resumed = begun(), begun()
    for each in (cancelled, resumed):
        service.cancel(each, by=BEN)
    service.resume(resumed, by=ANN)
    parts.work()
    closed, rejected, reopened, put_away = (
        generate(parts, sheet_id, template_id=template_id).id for _ in range(4)
    )  # fmt: skip
    service.move(closed, "close_review", by=BEN, leave_out=True)
    service.mark_trained(closed, by=ANN)
    service.move(rejected, "reject", by=BEN, note="wrong mails")
    for each in (reopened, put_away):
        service.move(each, "close_review", by=BEN, leave_out=True)
    service.move(reopened, "reopen", by=ANN)
    service.move(put_away, "archive", by=ANN)
    before = {each: service.get(each) for each in (cancelled, resumed, closed, rejected, reopened, put_away)}
    assert [before[each].reviewed_by for each in (closed, rejected, reopened, put_away)] == [BEN, BEN, "", BEN]

    rows = opened_again(parts)
    assert {each: row["cancelled_by"] for each, row in rows.items() if row["cancelled_by"]} == {cancelled: BEN}
    assert {each: row["reviewed_by"] for each, row in rows.items()} == {
        each: sheet.reviewed_by for each, sheet in before.items()
    }
    for each, sheet in before.items():
        assert (rows[each]["reviewed_at"] is None) == (sheet.reviewed_at is None)


def test_the_time_of_an_older_review_reads_back(parts):
    made = generate(parts, parts.make_sheet(2))
    closed = parts.training_sheets.move(made.id, "close_review", by=BEN, leave_out=True)
    opened_again(parts)
    again = Parts(parts.folder)
    assert abs(again.training_sheets.get(made.id).reviewed_at - closed.reviewed_at).total_seconds() < 1
    again.store.close()


def test_a_store_of_before_is_brought_up_to_date_when_it_is_opened(tmp_path):
    """A new store and one that was brought up to date have the same columns."""
    older = tmp_path / "older"
    shutil.copytree(SCHEMAS, older, ignore=shutil.ignore_patterns(FILE, "lake"))
    url = f"sqlite:///{tmp_path / 'store.db'}"
    open_store(url, schemas=older).close()
    store = open_store(url, schemas=SCHEMAS)
    names = {row["name"] for row in store.query("SELECT name FROM pragma_table_info('training_sheets') ORDER BY name")}
    store.close()
    assert set(ADDED) <= names
