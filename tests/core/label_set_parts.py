"""What the tests of label sets share: the service over a throw-away store, a sheet, labels, and people."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd
import pytest

from tests.core.conftest import ANN
from workbench_core.canonical_labels import CanonicalLabels, LabelEntry
from workbench_core.label_sets import PRESETS, LabelClass, LabelSet, LabelSetDraft, LabelSets
from workbench_core.permissions import Role
from workbench_core.sheets import SheetDraft, Sheets

SOURCE = "main.plant.inspections"
DRAFT = LabelSetDraft(
    "Results", "result", description="What an inspection says", use_case="Inspection", tags=("plant", "daily"),
    classes=(
        LabelClass("ok", "Fine", "#15803d", "Nothing to see", "1", 0.5),
        LabelClass("broken", "Broken", "#d03a2b", "Replace it", "2"),
    ),
)  # fmt: skip
SCHEMA = {
    "type": "object",
    "properties": {"severity": {"type": "integer", "minimum": 1, "maximum": 5}, "note": {"type": "string"}},
    "required": ["severity"],
}


@pytest.fixture
def sheets(store, lake, history, permissions, clock):
    return Sheets(store, lake, history, permissions, clock)


@pytest.fixture
def labels(store, history, permissions, clock):
    return CanonicalLabels(store, history, permissions, clock)


@pytest.fixture
def label_sets(store, lake, history, permissions, clock, sheets):
    return LabelSets(store, lake, history, permissions, clock, sheets=sheets)


@pytest.fixture
def inspections(lake, sheets, tmp_path):
    """Make a sheet of rows with these columns beside its identifier."""

    def make(columns: Mapping[str, list[object]], *, name: str = "Inspections") -> str:
        rows = len(next(iter(columns.values())))
        file = tmp_path / "inspections.parquet"
        source = f"main.plant.{name.lower()}"
        pd.DataFrame({"item": [f"i{number:03d}" for number in range(rows)], **columns}).to_parquet(file, index=False)
        lake.put_table(source, file, original_name=file.name)
        return sheets.create(SheetDraft(name, source, "item"), by=ANN).id

    return make


@pytest.fixture
def label_items(labels):
    """Give items of a sheet canonical labels, one after the other."""

    def give(sheet_id: str, answers: list[str], *, label_type: str = "result") -> None:
        entries = [LabelEntry(f"i{number:03d}", answer) for number, answer in enumerate(answers)]
        labels.label(entries, sheet_id=sheet_id, label_type=label_type, by=ANN)

    return give


@pytest.fixture
def people(permissions):
    """One person of every role, by role."""
    for role in Role:
        permissions.assign(f"{role}@example.com", role, by=ANN)
    return {role: f"{role}@example.com" for role in Role}


def published(label_sets: LabelSets, draft: LabelSetDraft = DRAFT) -> LabelSet:
    """A label set that was published."""
    return label_sets.move(label_sets.create(draft, by=ANN).id, "publish", by=ANN)


def preset(name: str) -> LabelSetDraft:
    """A label set to start from."""
    return PRESETS[name]
