"""A sheet that changes: other items while labels stand on it, what it was before, what is busy with it, and lists."""

from __future__ import annotations

import time
from dataclasses import replace

import pandas as pd
import pytest

from tests.core import sheet_parts
from tests.core.conftest import ANN
from tests.core.sheet_parts import DRAFT, EQUIPMENT, INSPECTIONS, WITH_EQUIPMENT, WITH_READINGS, inspections
from tests.core.test_sheets import use_in_training_sheet
from workbench_core.canonical_labels import CanonicalLabels, LabelEntry
from workbench_core.data_quality import CHECK_KIND, PROFILE_KIND
from workbench_core.errors import Conflict, Invalid, NotFound, NotPermitted
from workbench_core.permissions import Role
from workbench_core.sheets import (
    Condition,
    ConditionSet,
    Operator,
    SheetDraft,
    SheetStatus,
    Stratum,
    tables_of,
    validation,
)
from workbench_core.sheets.changes import FieldChange, field_changes
from workbench_core.sheets.join_config import join_json

BEN = "ben@example.com"
FEBRUARY = "main.plant.february"
GAP = {
    "id": "gap-1", "fingerprint": "f", "model_name": "dents", "version": 1, "prompt_template_id": "template-1",
    "label_type": "defect", "gap_type": "slice", "severity": "high", "description": "Dents", "predicate": "[]",
    "evidence_type": "evaluation", "evidence": "[]", "item_count": 1, "failure_count": 1, "error_rate": 1.0,
    "error_low": 0.5, "error_high": 1.0, "overall_rate": 0.1, "q_value": 0.01, "estimated_records": 1, "priority": 1,
    "status": "identified", "identified_by": ANN,
}  # fmt: skip
sheets, put, plant = sheet_parts.sheets, sheet_parts.put, sheet_parts.plant  # fixtures


@pytest.fixture
def labels(store, history, permissions, clock):
    return CanonicalLabels(store, history, permissions, clock)


@pytest.fixture
def labelled(sheets, plant, labels):
    """A sheet of which four items are labelled."""
    sheet = sheets.create(DRAFT, by=ANN)
    entries = [LabelEntry(f"i{number}", "dent") for number in range(4)]
    labels.label(entries, sheet_id=sheet.id, label_type="defect", by=ANN)
    labels.label(entries[:1], sheet_id=sheet.id, label_type="cause", by=ANN)
    return sheet


@pytest.fixture
def february(plant):
    """The inspections of another month: three of the labelled items came back, without equipment and with a camera."""
    rows = {name: values for name, values in inspections().items() if name != "equipment_id"}
    rows["inspection_id"] = ["i1", "i2", "i3", *[f"j{number}" for number in range(7)]]
    return plant(FEBRUARY, {**rows, "camera": ["left", "right"] * 5})


# --- SH-4: other items -----------------------------------------------------------------------------------------------


def test_other_items_under_labels_need_a_confirmation_that_says_how_many_are_found_again(
    sheets, labelled, february, history
):
    """SH-4."""
    draft = sheets.with_source(labelled.draft, february)
    assert (draft.item_id_column, draft.text_columns) == ("inspection_id", ("note",))
    assert draft.metadata_columns == ("line", "camera")
    with pytest.raises(Conflict) as refused:
        sheets.update(labelled.id, draft, by=ANN, row_version=1)
    assert "5 canonical labels refer to the items" in refused.value.message
    assert f"Of 4 labelled items 3 are found in {FEBRUARY} by inspection_id." in refused.value.message
    assert "Labels of the others stay and count again when their items come back." in refused.value.message
    assert "Confirm" in refused.value.hint
    assert sheets.get(labelled.id) == labelled
    assert "update" not in {event.action for event in history.of("sheet", labelled.id)}


def test_confirmed_it_is_saved_checked_again_and_kept_in_the_history_from_to(sheets, labelled, february, history):
    """SH-4."""
    plant_rows = sheets.with_source(labelled.draft, february)
    saved = sheets.update(labelled.id, plant_rows, by=ANN, row_version=1, confirmed=True)
    assert (saved.source, saved.status, saved.item_count) == (february, "draft", 10)
    assert saved.validated_at is not None
    assert "1 of 4 labelled items are not among the rows of the source" in " ".join(sheets.check(saved.id).warnings)
    event = history.of("sheet", labelled.id)[0]
    assert (event.details["labelled"], event.details["found"]) == (4, 3)
    assert FieldChange("source", INSPECTIONS, FEBRUARY) in field_changes(event)
    back = sheets.with_source(saved.draft, INSPECTIONS)
    again = sheets.update(saved.id, back, by=ANN, row_version=2, confirmed=True)
    assert sheets.check(again.id).warnings == ()  # the labels count again


def test_another_identifier_goes_the_same_way(sheets, labelled):
    """SH-4."""
    draft = replace(DRAFT, item_id_column="note", text_columns=())
    with pytest.raises(Conflict, match="Of 4 labelled items 0 are found in"):
        sheets.update(labelled.id, draft, by=ANN, row_version=1)
    assert sheets.update(labelled.id, draft, by=ANN, row_version=1, confirmed=True).item_id_column == "note"


def test_items_that_a_join_repeats_are_found_once(sheets, plant, labels):
    """A count of rows would hide the item that is lost behind the one that comes twice."""
    sheet = sheets.create(sheets.with_join(DRAFT, WITH_READINGS), by=ANN)
    labels.label([LabelEntry(item, "x") for item in ("i0", "i9")], sheet_id=sheet.id, label_type="defect", by=ANN)
    stake = sheets.stake(sheet.id, replace(sheet.draft, item_id_column="insp__note"))
    assert (stake.labelled, stake.found) == (2, 0)
    single = sheets.create(DRAFT, by=ANN)
    labels.label([LabelEntry(item, "x") for item in ("i0", "i9")], sheet_id=single.id, label_type="defect", by=ANN)
    plant(INSPECTIONS, {**inspections(), "inspection_id": ["i0", "i0", *[f"i{number}" for number in range(1, 9)]]})
    every = sheets.stake(single.id, replace(DRAFT, source=EQUIPMENT, item_id_column="equipment_id"))
    assert every.found == 0
    plant(INSPECTIONS, {**inspections(), "inspection_id": [f"i{number}" for number in range(9)] + ["k"]})
    lost = " ".join(sheets.check(single.id).warnings)
    assert "1 of 2 labelled items are not among the rows of the source" in lost


def test_a_fan_out_hides_no_lost_item(sheets, lake, plant, labels):
    sheet = sheets.create(sheets.with_join(DRAFT, WITH_EQUIPMENT), by=ANN)
    labels.label([LabelEntry(item, "x") for item in ("i0", "i4")], sheet_id=sheet.id, label_type="defect", by=ANN)
    plant(EQUIPMENT, {"equipment_id": ["e0", "e0"], "model": ["a", "b"], "manual": ["c", "d"]})
    found = validation.lost_items(lake, sheet, [["i0", "i4"]])
    assert found and found[0].startswith("1 of 2 labelled items")  # i0 comes twice, i4 not at all


def test_without_labels_nothing_has_to_be_confirmed(sheets, plant, february):
    sheet = sheets.create(DRAFT, by=ANN)
    draft = sheets.with_source(DRAFT, february)
    assert sheets.stake(sheet.id, draft) is None
    assert sheets.update(sheet.id, draft, by=ANN, row_version=1).source == FEBRUARY


def test_what_was_generated_stays_and_has_to_be_confirmed_too(sheets, plant, store, clock):
    sheet = sheets.create(DRAFT, by=ANN)
    use_in_training_sheet(store, clock, sheet.id)
    draft = replace(DRAFT, item_id_column="note", text_columns=())
    with pytest.raises(Conflict, match=r"1 training sheet refers to the items.*stays as it is"):
        sheets.update(sheet.id, draft, by=ANN, row_version=1)


def test_a_published_sheet_keeps_its_items_even_when_confirmed(sheets, labelled, february):
    sheets.move(labelled.id, "publish", by=ANN)
    draft = sheets.with_source(labelled.draft, february)
    with pytest.raises(Conflict, match="is active"):
        sheets.update(labelled.id, draft, by=ANN, row_version=2, confirmed=True)


def test_a_draft_moves_to_a_folder_and_back(sheets, plant, lake):
    lake.put_files("main.plant.boards", {"a.png": b"x", "b.png": b"y"})
    folder = sheets.with_source(DRAFT, "main.plant.boards")
    assert (folder.item_id_column, folder.image_columns, folder.text_columns) == ("path", ("path",), ())
    back = sheets.with_source(folder, INSPECTIONS)
    assert (back.item_id_column, back.image_columns, back.metadata_columns[0]) == ("inspection_id", (), "note")
    with pytest.raises(Invalid, match="joins several sources"):
        sheets.with_source(sheets.with_join(DRAFT, WITH_EQUIPMENT), EQUIPMENT)
    with pytest.raises(NotFound):
        sheets.with_source(DRAFT, "main.plant.nothing")


def test_a_sheet_whose_source_is_gone_gets_another_one(sheets, plant, lake, february):
    sheet = sheets.create(replace(DRAFT, stratify_column="equipment_id", sample_size=5), by=ANN)
    lake.drop(INSPECTIONS)
    draft = sheets.with_source(sheet.draft, february)
    assert (draft.stratify_column, draft.sample_size, draft.text_columns) == ("", 5, ("note",))
    assert sheets.update(sheet.id, draft, by=ANN, row_version=1).item_count == 5


# --- what it was before ----------------------------------------------------------------------------------------------


def test_the_history_keeps_what_a_sheet_was_and_what_it_became(sheets, plant, history):
    sheet = sheets.create(DRAFT, by=ANN)
    changed = replace(DRAFT, filter="line = 1", sample_size=5, text_columns=(), metadata_columns=("line", "note"))
    sheets.update(sheet.id, changed, by=ANN, row_version=1)
    event = history.of("sheet", sheet.id)[0]
    assert event.details["before"] == {
        "text_columns": ["note"], "metadata_columns": ["line", "equipment_id"], "filter": "", "sample_size": None,
    }  # fmt: skip
    assert field_changes(event) == [
        FieldChange("text columns", "note", ""),
        FieldChange("other columns", "line, equipment_id", "line, note"),
        FieldChange("filter", "", "line = 1"),
        FieldChange("sample size", "", "5"),
    ]
    assert field_changes(history.of("sheet", sheet.id)[1]) == []  # made, not changed


def test_a_join_is_kept_whole_and_read_in_words(sheets, plant, history):
    sheet = sheets.create(DRAFT, by=ANN)
    sheets.update(sheet.id, sheets.with_join(DRAFT, WITH_EQUIPMENT), by=ANN, row_version=1)
    event = history.of("sheet", sheet.id)[0]
    assert event.details["before"]["join"] is None
    assert [one["table"] for one in event.details["after"]["join"]["sources"]] == [INSPECTIONS, EQUIPMENT]
    (words,) = [change.after for change in field_changes(event) if change.field == "join"]
    assert words == (
        f"inner join of {INSPECTIONS} as insp (primary), {EQUIPMENT} as equip (secondary) "
        "by insp.equipment_id = equip.equipment_id"
    )


def test_tags_that_came_to_the_source_are_told_when_they_bind_the_sheet(sheets, plant, put, history):
    sheet = sheets.create(DRAFT, by=ANN)
    put(INSPECTIONS, inspections(), tags=("PII",))
    sheets.move(sheet.id, "publish", by=ANN)
    assert field_changes(history.of("sheet", sheet.id)[0]) == [FieldChange("tags", "", "PII")]


# --- one that cannot be read -----------------------------------------------------------------------------------------


def damage(store, sheet_id: str, config: str) -> None:
    store.execute(
        "UPDATE sheets SET join_config = :config WHERE id = :id", touches="sheets", config=config, id=sheet_id
    )


@pytest.mark.parametrize("config", ["{", "[]", '{"sources": 1}', '{"version": 9, "sources": []}', "null"])
def test_a_sheet_that_cannot_be_read_spoils_no_list_and_says_so_when_opened(sheets, plant, store, config):
    good, bad = (sheets.create(replace(DRAFT, name=name), by=ANN) for name in ("Good", "Bad"))
    damage(store, bad.id, config)
    assert [sheet.id for sheet in sheets.find()] == [good.id]
    found = sheets.listed(list(SheetStatus))
    assert [(one.id, one.name) for one in found.unreadable] == [(bad.id, "Bad")]
    assert "cannot be read" in found.unreadable[0].problem
    assert found.total == 2
    with pytest.raises(Invalid, match="The join of this sheet cannot be read"):
        sheets.get(bad.id)


def test_the_tables_of_a_join_that_cannot_be_read_are_still_known():
    config = join_json(WITH_EQUIPMENT)
    assert tables_of(INSPECTIONS, config) == (INSPECTIONS, EQUIPMENT)
    assert tables_of(INSPECTIONS, config.replace('"kind"', '"sort"')) == (INSPECTIONS, EQUIPMENT)
    assert tables_of(INSPECTIONS, config[:-20]) == (INSPECTIONS, EQUIPMENT)
    odd = '{"sources": [{"table": "a \\"b\\".c\\\\d"}, {"table": 5}, {"table": "x\n"}, {"table": "\\u00e4"}]'
    assert tables_of("s", odd) == ("s", 'a "b".c\\d')
    assert tables_of("s", "") == ("s",)


# --- SH-3: pages and counts ------------------------------------------------------------------------------------------


def test_a_page_of_sheets_knows_how_many_there_are_of_each_status(sheets, plant):
    made = [sheets.create(replace(DRAFT, name=f"S{number}"), by=ANN) for number in range(5)]
    sheets.move(made[0].id, "archive", by=ANN)
    sheets.move(made[1].id, "publish", by=ANN)
    sheets.move(made[2].id, "delete", by=ANN)
    current = (SheetStatus.DRAFT, SheetStatus.ACTIVE)
    page = sheets.listed(current, limit=2, offset=2)
    assert ([sheet.name for sheet in page.sheets], page.total) == (["S3"], 3)
    assert page.counts == {"draft": 2, "active": 1, "archived": 1, "deleted": 1}
    assert sheets.listed([SheetStatus.DELETED]).total == 1
    narrowed = sheets.listed(current, search="s4")
    assert (narrowed.total, narrowed.counts) == (1, {"draft": 1})


# --- 2.1: what is busy with a sheet ----------------------------------------------------------------------------------


def test_nobody_unpublishes_under_open_tasks_trainings_evaluations_and_quality_runs(sheets, plant, store, clock, runs):
    """Spec 2.1: refused while active jobs use it, named in the sentence."""
    sheet = sheets.move(sheets.create(DRAFT, by=ANN).id, "publish", by=ANN)
    use_in_training_sheet(store, clock, sheet.id)
    store.append("gaps", [{**GAP, "sheet_id": sheet.id, "first_seen_at": clock(), "last_seen_at": clock()}])
    made = {"created_by": ANN, "created_at": clock()}
    task = {"id": "task-1", "gap_id": "gap-1", "training_sheet_id": "ts-1", "title": "Label dents", "priority": "low"}
    store.append("labeling_tasks", [{**task, "status": "in_progress", **made}])
    job = {"id": "job-1", "training_sheet_id": "ts-1", "model_name": "dents", "trainer": "classifier", **made}
    shares = {"train_share": 0.8, "validation_share": 0.1, "fingerprint": "f"}
    store.append("training_jobs", [{**job, **shares, "status": "running"}])
    runs.start(CHECK_KIND, sheet.id, title="Check “Inspections”", by=ANN)
    runs.start(PROFILE_KIND, sheet.id, title="Profile “Inspections”", by=ANN)
    with pytest.raises(Conflict) as refused:
        sheets.move(sheet.id, "unpublish", by=ANN)
    for words in (
        "“Label dents” is an open labelling task",
        "“dents” is being trained",
        "“Check “Inspections”” is running",
        "“Profile “Inspections”” is running",
    ):
        assert words in refused.value.message
    assert sheets.get(sheet.id).status == "active"
    store.execute("UPDATE labeling_tasks SET status = 'completed'", touches="labeling_tasks")
    store.execute("UPDATE training_jobs SET status = 'succeeded'", touches="training_jobs")
    store.execute("UPDATE runs SET status = 'cancelled'", touches="runs")
    assert sheets.move(sheet.id, "unpublish", by=ANN).status == "draft"


# --- several at once -------------------------------------------------------------------------------------------------


def test_one_step_with_several_sheets_lists_the_refusals_for_each(sheets, plant, store, clock, permissions):
    permissions.assign(BEN, Role.DATA_PRODUCER, by=ANN)
    free, used, bens = (
        sheets.create(replace(DRAFT, name=name), by=by) for name, by in (("Free", ANN), ("Used", ANN), ("Ben's", BEN))
    )
    use_in_training_sheet(store, clock, used.id)
    moved = sheets.move_each([free, used, bens], "delete", by=ANN)
    assert [sheet.name for sheet in moved.done] == ["Free", "Ben's"]
    ((refused, reason),) = moved.refused
    assert refused.name == "Used" and "1 training sheet" in reason and "Archive it instead" in reason
    late = sheets.move_each([replace(used, row_version=9)], "archive", by=ANN)
    assert "changed" in late.refused[0][1]
    not_his = sheets.move_each([used], "archive", by=BEN)
    assert "Only ann@example.com" in not_his.refused[0][1]


# --- SH-6: check again -----------------------------------------------------------------------------------------------


def test_a_check_is_kept_with_who_asked_for_it_and_what_it_counted(sheets, plant, history, permissions):
    permissions.assign(BEN, Role.DATA_PRODUCER, by=ANN)
    sheet = sheets.create(DRAFT, by=ANN)
    assert sheets.last_checked_by(sheet.id) == ANN
    rows = inspections()
    plant(INSPECTIONS, {name: values[:6] for name, values in rows.items()})
    assert sheets.validate(sheet.id, by=BEN).item_count == 6
    assert (sheets.get(sheet.id).item_count, sheets.last_checked_by(sheet.id)) == (6, BEN)
    event = history.of("sheet", sheet.id)[0]
    assert (event.action, event.by, event.details) == ("validate", BEN, {"items": 6, "problems": []})
    permissions.assign(BEN, Role.REVIEWER, by=ANN)
    with pytest.raises(NotPermitted):
        sheets.validate(sheet.id, by=BEN)


# --- SH-11, SH-12 ----------------------------------------------------------------------------------------------------


def test_conditions_become_a_filter_and_come_back(sheets):
    conditions = ConditionSet(
        (Condition("line", Operator.IS, 1), Condition("note", Operator.CONTAINS, "O'Brien")), "any"
    )
    expression = sheets.filter_expression(conditions)
    assert sheets.filter_conditions(expression) == conditions
    assert sheets.filter_conditions("LENGTH(note) > 3") is None
    assert sheets.filter_expression(ConditionSet(())) == ""


def test_the_preview_of_a_sample_tells_no_value_from_an_empty_text(sheets, put):
    put("main.plant.odd", {"id": list("abcdefgh"), "kind": ["x", None, "", "x", "x", "", "x", "x"]})
    draft = SheetDraft("Odd", "main.plant.odd", "id", sample_size=3, stratify_column="kind")
    assert sheets.sampling_preview(draft) == [Stratum("x", 5, 1), Stratum("", 2, 1), Stratum(None, 1, 1)]
    assert [one.title for one in sheets.sampling_preview(draft)] == ["x", "(empty text)", "(no value)"]
    sheet = sheets.create(replace(draft, metadata_columns=("kind",)), by=ANN)
    drawn = [None if pd.isna(one) else one for one in sheets.preview(sheet.id)["kind"]]
    assert sorted(drawn, key=str) == ["", None, "x"]


# --- SH-2: a proposal in time ----------------------------------------------------------------------------------------


def test_a_wide_table_without_a_unique_column_is_looked_at_in_time(sheets, put):
    """SH-2: a scan for each column took 26 seconds."""
    source = put("main.plant.wide", {f"c{n}": [(row * n) % 97 for row in range(1_000)] for n in range(1_000)})
    began = time.perf_counter()
    assert sheets.propose(source).item_id_column == "c0"
    assert time.perf_counter() - began < 5, "half a second on a machine with nothing else to do"


def test_a_column_that_repeats_itself_only_at_the_end_is_no_identifier(sheets, put):
    late = [f"k{n}" for n in range(4_999)] + ["k0"]
    source = put("main.plant.late", {"late": late, "empty at the end": [*range(4_999), None], "id": range(5_000)})
    assert sheets.propose(source).item_id_column == "id"
