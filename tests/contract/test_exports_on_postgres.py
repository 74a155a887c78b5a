"""Exports on a real PostgreSQL: the same bytes as on SQLite, and the same refusal of what changes meanwhile."""

from __future__ import annotations

import pytest
from sqlalchemy import create_engine, text

from tests.core.export_parts import HOSTILE, ExportParts, approved_sheet, close
from tests.core.generation_parts import ANN
from workbench_core.exports import ExportFormat, ExportRequest, PartShares
from workbench_core.exports.reading import PairReading
from workbench_core.ports import Message
from workbench_core.usage import UsageRules, Use


@pytest.fixture
def parts(postgres_url, tmp_path):
    """The services over an empty database."""
    engine = create_engine(postgres_url.replace("postgresql:", "postgresql+psycopg:"), isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text("DROP SCHEMA public CASCADE"))
        connection.execute(text("CREATE SCHEMA public"))
    engine.dispose()
    (tmp_path / "postgres").mkdir()
    made = ExportParts(tmp_path / "postgres", url=postgres_url)
    yield made
    made.store.close()


def prepared(parts: ExportParts):
    """A sheet with texts of every kind, prohibitions, scores and blanks."""
    sheet = approved_sheet(parts, 120, is_open=True)
    for item in range(0, 120, 7):
        parts.change(sheet.id, item, answer=HOSTILE, messages=[Message("user", HOSTILE)])
    for item in range(3, 120, 11):
        parts.change(sheet.id, item, usage=UsageRules(prohibited=frozenset({Use.VALIDATION}), reason="no \x1f check"))
    for item, values in {
        1: {"answer": " \u2003\n"}, 2: {"quality_score": 0.1}, 4: {"quality_flags": '["pii"]'},
        5: {"review_status": "pending"}, 8: {"messages": [Message("user", "See", ("a.b.c/x.png",))]},
    }.items():  # fmt: skip
        parts.change(sheet.id, item, **values)
    return close(parts, sheet)


@pytest.mark.postgres
def test_the_files_are_the_same_as_on_sqlite(parts, tmp_path):
    (tmp_path / "sqlite").mkdir()
    on_sqlite = ExportParts(tmp_path / "sqlite")
    found = []
    for each in (parts, on_sqlite):
        sheet = prepared(each)
        made = [
            each.export(sheet.id, format, minimum_score=0.5, shares=shares, stratify_by_label=shares is not None)
            for format in ExportFormat
            for shares in (None, PartShares(60, 20, 20))
        ]
        preview = each.exports.preview(made[1].request)
        assert {reason.reason: reason.count for reason in preview.excluded} == {
            entry["reason"]: entry["pairs"] for entry in made[1].manifest["pairs"]["excluded"]
        }
        found.append([(each.hashes(export), export.manifest["pairs"]) for export in made])
    on_sqlite.store.close()
    assert found[0] == found[1]
    assert len(found[0][0][1]["excluded"]) == 5


@pytest.mark.postgres
def test_what_changes_meanwhile_ends_the_export(parts, monkeypatch):
    sheet = prepared(parts)
    made = parts.exports.start(ExportRequest(sheet.id, ExportFormat.GEMINI), by=ANN)
    weigh = PairReading.plan
    pair = parts.pairs.find(sheet.id)[30]
    monkeypatch.setattr(
        PairReading,
        "plan",
        lambda *args: (weigh(*args), parts.pairs.set_usage([pair.id], UsageRules(reason="new"), by=ANN))[0],
    )
    parts.work()
    assert "Pairs changed" in parts.exports.get(made.id).run.error
    monkeypatch.undo()
    done = parts.export(sheet.id, "parquet")
    assert parts.training_sheets.get(sheet.id).status == "exported"
    parts.training_sheets.delete(sheet.id, by=ANN)
    assert parts.store.query("SELECT COUNT(*) AS left_over FROM exports") == [{"left_over": 0}]
    assert done.files
