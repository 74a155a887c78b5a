"""Sheets over several sources with labels and training sheets: items keep theirs, and everything reads the join."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.core import sheet_parts
from tests.core.conftest import ANN
from tests.core.generation_parts import Parts
from tests.core.sheet_parts import DRAFT, EQUIPMENT, INSPECTIONS, WITH_EQUIPMENT, equipment, inspections
from workbench_core.canonical_labels import LabelEntry
from workbench_core.errors import Conflict
from workbench_core.prompt_templates import AnswerSource, TemplateDraft
from workbench_core.training_sheets import GenerationRequest

sheets, put, plant = sheet_parts.sheets, sheet_parts.put, sheet_parts.plant  # fixtures


@pytest.fixture
def joined(sheets, plant):
    """The draft over inspections and equipment."""
    return sheets.with_join(DRAFT, WITH_EQUIPMENT)


def test_labels_stay_with_their_items_when_a_source_is_added(tmp_path):
    parts = Parts(tmp_path)
    upload(parts, INSPECTIONS, inspections())
    upload(parts, EQUIPMENT, equipment(range(5)))
    sheet = parts.sheets.create(DRAFT, by=ANN)
    parts.labels.label(
        [LabelEntry("i1", "scratch"), LabelEntry("i4", "dent")], sheet_id=sheet.id, label_type="defect", by=ANN
    )
    joined = parts.sheets.with_join(sheet.draft, WITH_EQUIPMENT)
    sheet = parts.sheets.update(sheet.id, joined, by=ANN, row_version=sheet.row_version)
    parts.sheets.move(sheet.id, "publish", by=ANN)

    made = generate(parts, sheet.id, filter="equip__model <> 'model 2'")
    assert (made.counts.total, made.counts.auto_approved, made.counts.pending) == (8, 2, 6)
    pairs = {pair.item_ref: pair for pair in parts.pairs.find(made.id, limit=100)}
    assert {ref: pairs[ref].answer for ref in ("i1", "i4")} == {"i1": "scratch", "i4": "dent"}
    assert pairs["i3"].messages[-1].content == "Board 3 has a scratch. It ran on model 3."


def test_mapping_is_proposed_from_columns_of_all_sources(tmp_path):
    parts = Parts(tmp_path)
    upload(parts, INSPECTIONS, inspections())
    upload(parts, EQUIPMENT, equipment(range(5)))
    sheet = parts.sheets.create(parts.sheets.with_join(DRAFT, WITH_EQUIPMENT), by=ANN)
    template = parts.templates.create(
        TemplateDraft("T", "defect", "{{ insp__note }} {{ EQUIP__MODEL }}", label_classes=("dent", "scratch")), by=ANN
    )
    proposed = parts.training_sheets.propose_mapping(template.id, sheet.id)
    assert proposed == {"insp__note": "insp__note", "EQUIP__MODEL": "equip__model"}


def test_identifier_and_source_stay_while_labelled_but_a_join_may_come_and_change(tmp_path):
    parts = Parts(tmp_path)
    upload(parts, INSPECTIONS, inspections())
    upload(parts, EQUIPMENT, equipment(range(5)))
    sheet = parts.sheets.create(DRAFT, by=ANN)
    parts.labels.label([LabelEntry("i4", "dent")], sheet_id=sheet.id, label_type="defect", by=ANN)
    joined = parts.sheets.with_join(DRAFT, WITH_EQUIPMENT)
    for other in (
        replace(joined, item_id_column="insp__note"),
        replace(DRAFT, item_id_column="note"),
        replace(DRAFT, source=EQUIPMENT, item_id_column="equipment_id", text_columns=(), metadata_columns=()),
    ):
        with pytest.raises(Conflict, match="1 canonical label refers"):
            parts.sheets.update(sheet.id, other, by=ANN, row_version=1)
    sheet = parts.sheets.update(sheet.id, joined, by=ANN, row_version=1)
    assert parts.sheets.check(sheet.id).warnings == ()
    upload(parts, EQUIPMENT, equipment(range(4)))  # the item with the label finds no match any more
    warnings = " ".join(parts.sheets.check(sheet.id).warnings)
    assert "1 of 1 labelled items are not among the rows of the join" in warnings


def upload(parts: Parts, name: str, columns) -> None:
    import pandas as pd

    if name in {entry.name for entry in parts.lake.tables()}:
        parts.lake.drop(name)
    file = parts.folder / "upload.parquet"
    pd.DataFrame(columns).to_parquet(file, index=False)
    parts.lake.put_table(name, file, original_name=file.name)


def generate(parts: Parts, sheet_id: str, **wanted: object):
    """A finished training sheet over the columns of both sources, answered by hand."""
    template = parts.templates.create(
        TemplateDraft(
            "Defects", "defect", "{{ note }} It ran on {{ model }}.", label_classes=("dent", "scratch"),
            answer_source=AnswerSource.MANUAL,
        ),
        by=ANN,
    )  # fmt: skip
    request = GenerationRequest(sheet_id, template.id, {"note": "insp__note", "model": "equip__model"}, **wanted)  # type: ignore[arg-type]
    assert parts.training_sheets.preflight(request).problems == ()
    made = parts.training_sheets.generate(request, by=ANN)
    parts.work()
    return parts.training_sheets.get(made.id)
