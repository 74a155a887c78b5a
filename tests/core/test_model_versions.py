"""Model versions: what went into each (LN-2), and which versions a pair, a label or a sheet went into (LN-7)."""

from __future__ import annotations

import pytest

from tests.core.generation_parts import ANN, SOURCE
from tests.core.training_parts import MODEL, TrainingParts
from workbench_core import usage
from workbench_core.errors import NotFound
from workbench_core.pairs import PairFilter
from workbench_core.training_gate import Split


@pytest.fixture
def parts(tmp_path, clock):
    made = TrainingParts(tmp_path, clock=clock)
    yield made
    made.store.close()


def test_acceptance_4_success_creates_the_next_version_with_exact_pairs(parts):
    sheet = parts.generated(90)
    parts.approve(sheet, limit=80)
    parts.trained(sheet)
    second = parts.trained(sheet, seed=7)

    version = parts.versions.get(MODEL, 2)
    lineage = parts.versions.lineage(MODEL, 2)

    assert [one.version for one in parts.versions.find(model_name=MODEL)] == [2, 1]
    assert (version.job_id, version.training_sheet_id, version.trainer) == (second.id, sheet, "words")
    assert (version.title, version.created_by, version.answer_kind) == (f"{MODEL} v2", ANN, "label")
    pairs = {pair.id: pair for pair in parts.pairs.find(sheet, PairFilter(), limit=100)}
    assert set(lineage.pairs["pair_id"]) == set(pairs)
    train = lineage.pairs[lineage.pairs["split"] == "train"]
    assert set(train["pair_id"]) == {example.pair_id for example in parts.trainer.requests[-1].train}
    assert all(pairs[row.pair_id].canonical_label_id == row.canonical_label_id for row in train.itertuples())
    assert lineage.count(Split.EXCLUDED) == 10
    assert sum(lineage.count(split) for split in Split) == 90


def test_lineage_names_sheet_template_and_training_sheet(parts):
    sheet = parts.reviewed(60)
    parts.trained(sheet)
    lineage = parts.versions.lineage(MODEL, 1)
    assert (lineage.sheet_name, lineage.source, lineage.template_name) == ("Mails", SOURCE, "Mail class")
    assert lineage.training_sheet_name == parts.training_sheets.get(sheet).name
    assert lineage.version.template_version == "1.0.0"


def test_acceptance_4_from_a_pair_a_label_or_a_sheet_to_its_versions(parts):
    sheet = parts.generated(60)
    parts.restrict(sheet, usage.preset("held_out"), first=5)
    parts.approve(sheet)
    parts.trained(sheet)
    parts.trained(sheet, model_name="other")
    frozen = parts.versions.lineage(MODEL, 1).pairs
    taught, held = frozen[frozen["split"] == "train"].iloc[0], frozen[frozen["split"] == "test"].iloc[0]

    assert [v.title for v in parts.versions.trained_on(pair_id=taught["pair_id"])] == [f"{MODEL} v1", "other v1"]
    found = parts.versions.trained_on(canonical_label_id=taught["canonical_label_id"])
    assert [v.title for v in found] == [f"{MODEL} v1", "other v1"]
    assert [v.title for v in parts.versions.trained_on(training_sheet_id=sheet)] == [f"{MODEL} v1", "other v1"]
    assert parts.versions.trained_on(pair_id=held["pair_id"]) == [], "a held-out pair taught nobody"
    assert parts.versions.trained_on() == []


def test_inv_t3_items_seen_in_training_or_validation_are_known(parts):
    parts.trained(parts.reviewed(60))
    frozen = parts.versions.lineage(MODEL, 1).pairs
    seen = set(frozen[frozen["split"].isin(["train", "validation"])]["item_ref"])
    assert parts.versions.used_items(MODEL, 1) == seen
    assert 0 < len(seen) < 60


def test_the_lineage_of_a_version_stays_when_the_pairs_change_later(parts):
    sheet = parts.generated(60)
    parts.approve(sheet)
    parts.trained(sheet)
    before = parts.versions.lineage(MODEL, 1).pairs
    parts.store.execute("UPDATE pairs SET answer = 'ham', row_version = row_version + 1", touches="pairs")
    assert parts.versions.lineage(MODEL, 1).pairs.equals(before)
    assert set(before["answer"]) == {"spam", "ham"}


def test_a_version_that_does_not_exist(parts):
    with pytest.raises(NotFound, match="no version 3"):
        parts.versions.get(MODEL, 3)
    assert parts.versions.latest(MODEL) is None
    assert parts.versions.of_job("job-none") is None
