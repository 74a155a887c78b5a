"""Sheets, their joins and what stands on them, on a real PostgreSQL."""

from __future__ import annotations

from dataclasses import replace

import pandas as pd
import pytest
from sqlalchemy import create_engine, text

from tests.core.generation_parts import ANN, BEN, Parts
from tests.core.sheet_parts import DRAFT, EQUIPMENT, INSPECTIONS, WITH_EQUIPMENT, equipment, inspections
from workbench_core.canonical_labels import LabelEntry
from workbench_core.errors import ChangedByOthers
from workbench_core.sheets import SheetStatus


@pytest.fixture
def parts(postgres_url, tmp_path):
    """The services of DATA to LABEL over an empty database and a plant of two tables."""
    engine = create_engine(postgres_url.replace("postgresql:", "postgresql+psycopg:"), isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text("DROP SCHEMA public CASCADE"))
        connection.execute(text("CREATE SCHEMA public"))
    engine.dispose()
    made = Parts(tmp_path, url=postgres_url)
    for name, columns in ((INSPECTIONS, inspections()), (EQUIPMENT, equipment(range(4)))):
        file = tmp_path / "upload.parquet"
        pd.DataFrame(columns).to_parquet(file, index=False)
        made.lake.put_table(name, file, original_name=file.name)
    yield made
    made.store.close()


@pytest.mark.postgres
def test_a_joined_sheet_is_kept_changed_found_and_counted_on_postgres(parts):
    sheet = parts.sheets.create(parts.sheets.with_join(DRAFT, WITH_EQUIPMENT), by=ANN)
    assert parts.sheets.get(sheet.id) == sheet
    assert (sheet.join, sheet.item_count, sheet.is_join_stale) == (WITH_EQUIPMENT, 8, False)
    parts.labels.label([LabelEntry("i1", "dent")], sheet_id=sheet.id, label_type="defect", by=BEN)
    assert parts.sheets.dependants(sheet.id).names == {"canonical labels": ("defect",)}
    stats = parts.labels.stats(sheet.id)
    assert (stats.total, stats.coverage[0].share, stats.contributors) == (1, 1 / 8, {BEN: 1})
    parts.sheets.update(sheet.id, replace(sheet.draft, filter="insp__line = 1"), by=BEN, row_version=1)
    with pytest.raises(ChangedByOthers, match=f"{BEN}: filter"):
        parts.sheets.update(sheet.id, sheet.draft, by=ANN, row_version=1)
    assert parts.sheets.owners() == [ANN]
    found = parts.sheets.listed(list(SheetStatus), owner=ANN, search="INSPECTIONS")
    assert (found.total, found.counts) == (1, {"draft": 1})
