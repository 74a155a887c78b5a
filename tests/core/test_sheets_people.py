"""Sheets and people: every state, action and role; two people at once; hostile texts; what stands on a sheet."""

from __future__ import annotations

import itertools
from dataclasses import replace

import pytest

from tests.core import sheet_parts
from tests.core.conftest import ANN
from tests.core.generation_parts import Parts
from tests.core.sheet_parts import DRAFT, EQUIPMENT, INSPECTIONS, WITH_EQUIPMENT, inspections
from tests.core.test_sheets import HOSTILE, PATHS, use_in_training_sheet
from workbench_core.canonical_labels import CanonicalLabels, LabelEntry
from workbench_core.errors import ChangedByOthers, Conflict, InvalidTransition, NotPermitted, WorkbenchError
from workbench_core.permissions import Role
from workbench_core.ports import Json
from workbench_core.sheets import (
    LIFECYCLE,
    ColumnRef,
    Condition,
    Join,
    JoinKey,
    Operator,
    SheetDraft,
    SheetStatus,
    SourceRole,
    expression_of,
)
from workbench_core.sheets.changes import changed_fields
from workbench_core.sheets.editing import ColumnRole, shifted, with_role

BEN = "ben@example.com"
CLEO = "cleo@example.com"
sheets, put, plant = sheet_parts.sheets, sheet_parts.put, sheet_parts.plant  # fixtures
PRODUCERS = {Role.ADMIN, Role.DATA_STEWARD, Role.DATA_PRODUCER}
OTHERS_MAY = {  # by role, what somebody may do with the sheet of another person (spec 2.1)
    Role.ADMIN: set(LIFECYCLE.table),
    Role.DATA_STEWARD: {"publish", "unpublish", "archive", "restore"},
    Role.DATA_PRODUCER: {"publish"},
}
OWNER_MAY = {"publish", "unpublish", "archive", "restore", "delete"}


# --- acceptance 8: every state, action and role -----------------------------------------------------------------------


@pytest.mark.parametrize("is_owner", [True, False], ids=["owner", "other"])
@pytest.mark.parametrize("role", list(Role))
def test_every_state_action_and_role(sheets, plant, permissions, role, is_owner):
    for status, action in itertools.product(SheetStatus, LIFECYCLE.table):
        permissions.assign(BEN, Role.ADMIN, by=ANN)
        sheet = sheets.create(DRAFT, by=BEN if is_owner else ANN)
        for step in PATHS[status]:
            sheets.move(sheet.id, step, by=ANN)
        permissions.assign(BEN, role, by=ANN)
        may = OTHERS_MAY.get(role, set()) | (OWNER_MAY if is_owner and role in PRODUCERS else set())
        allowed, leads_to = LIFECYCLE.table[action]
        if action not in may:
            with pytest.raises(NotPermitted) as refused:
                sheets.move(sheet.id, action, by=BEN)
        elif status not in allowed:
            with pytest.raises(InvalidTransition) as refused:
                sheets.move(sheet.id, action, by=BEN)
        else:
            assert sheets.move(sheet.id, action, by=BEN).status == leads_to
            continue
        assert refused.value.message.endswith(".") and refused.value.hint


# --- acceptance 14: SQL metacharacters in every text field ------------------------------------------------------------


def test_hostile_texts_in_every_field_are_stored_and_found_literally(sheets, plant):
    odd = "a \"b\"; -- 'c' %_"
    plant(INSPECTIONS, {**inspections(), odd: [HOSTILE, *["x"] * 9]})
    plant(EQUIPMENT, {"equipment_id": ["e0", "e1"], odd: [HOSTILE, "y"]})
    draft = replace(
        DRAFT,
        name=HOSTILE,
        description=HOSTILE,
        text_columns=(odd,),
        metadata_columns=(),
        filter=expression_of([Condition(odd, Operator.IS, HOSTILE)]),
        column_order=(odd, "inspection_id"),
        sample_size=3,
        stratify_column=odd,
    )
    single = sheets.create(draft, by=ANN)
    assert sheets.get(single.id).draft == draft
    by_odd = Join(
        sources=(
            sheet_parts.source("insp", INSPECTIONS, role=SourceRole.PRIMARY, order_column=odd),
            sheet_parts.source("equip", EQUIPMENT, columns=(odd,)),
        ),
        keys=(JoinKey(ColumnRef("insp", odd), ColumnRef("equip", odd)),),
    )
    joined = sheets.create(sheets.with_join(draft, by_odd), by=ANN)
    assert sheets.get(joined.id).join == by_odd
    for sheet in (single, joined):
        assert sheets.check(sheet.id).item_count == 1
        assert sheets.preview(sheet.id)[sheet.columns[0]].tolist() == [HOSTILE]
    assert joined.filter == f'"insp__{odd.replace(chr(34), chr(34) * 2)}" = ' + draft.filter.split(" = ", 1)[1]
    for search in (HOSTILE, "DROP TABLE sheets;--", '"x" {{ y }}', "%_!\\"):
        assert len(sheets.find(search=search)) == 2
    assert sheets.has_name(HOSTILE) and not sheets.has_name(HOSTILE[:-1])
    assert sheets.find(owner="' OR 1=1 --") == []


# --- two people -------------------------------------------------------------------------------------------------------


@pytest.fixture
def people(permissions):
    permissions.assign(BEN, Role.DATA_PRODUCER, by=ANN)
    permissions.assign(CLEO, Role.DATA_STEWARD, by=ANN)


def test_the_second_learns_who_changed_what_and_the_first_that_somebody_was_late(sheets, plant, people, history):
    opened = sheets.create(DRAFT, by=ANN)
    changed = replace(DRAFT, filter="line = 1", sample_size=5, text_columns=())
    sheets.update(opened.id, changed, by=BEN, row_version=1)
    sheets.update(opened.id, replace(changed, description="Line 1"), by=CLEO, row_version=2)
    with pytest.raises(ChangedByOthers) as refused:
        sheets.update(opened.id, replace(DRAFT, name="Mine"), by=ANN, row_version=1)
    message = refused.value.message
    assert f"{BEN}: text columns, filter, sample" in message
    assert f"{CLEO}: description" in message
    kept = sheets.get(opened.id)
    assert (kept.name, kept.description, kept.row_version) == ("Inspections", "Line 1", 3)
    told = history.of("sheet", opened.id)[0]
    assert (told.action, told.by) == ("update refused", ANN)
    assert told.details["reason"] == f"{ANN} had version 1, older than that of {CLEO}"


def test_a_button_of_an_old_page_is_told_to_both_too(sheets, plant, people, history):
    sheet = sheets.create(DRAFT, by=ANN)
    sheets.move(sheet.id, "publish", by=BEN)
    with pytest.raises(ChangedByOthers, match=f"{BEN}: publish"):
        sheets.move(sheet.id, "archive", by=ANN, row_version=1)
    assert history.of("sheet", sheet.id)[0].action == "archive refused"
    with pytest.raises(ChangedByOthers, match=f"{BEN}: publish"):
        sheets.update(sheet.id, DRAFT, by=ANN, row_version=1)
    assert sheets.get(sheet.id).status == "active"


def test_a_changed_join_is_named_as_a_change(sheets, plant, people, history):
    sheet = sheets.create(DRAFT, by=ANN)
    sheets.update(sheet.id, sheets.with_join(DRAFT, WITH_EQUIPMENT), by=BEN, row_version=1)
    changed: Json = history.of("sheet", sheet.id)[0].details["changed"]
    assert {"join", "identifier", "text columns", "other columns"} == set(changed)


# --- SH-3, SH-14, SH-13 -----------------------------------------------------------------------------------------------


def test_another_role_is_not_called_another_order():
    before = SheetDraft("S", "main.a.t", "id", metadata_columns=("one", "two", "three"))
    assert changed_fields(before, with_role(before, "two", ColumnRole.TEXT)) == ["text columns", "other columns"]
    assert changed_fields(before, with_role(before, "two", ColumnRole.NONE)) == ["other columns"]
    assert changed_fields(before, shifted(before, "two", by=1)) == ["order of columns"]
    assert changed_fields(before, shifted(shifted(before, "two", by=1), "two", by=-1)) == []


def test_sheets_are_found_by_owner_and_counted_beyond_the_page(sheets, plant, people):
    for number in range(3):
        sheets.create(replace(DRAFT, name=f"Ann {number}"), by=ANN)
    mine = sheets.create(replace(DRAFT, name="Ben's"), by=BEN)
    assert [sheet.id for sheet in sheets.find(owner=BEN)] == [mine.id]
    assert len(sheets.find(limit=2)) == 2
    every = list(SheetStatus)
    assert sheets.listed(every, limit=1).total == 4
    assert (sheets.listed(every, owner=ANN).total, sheets.listed(every, search="ann 1").total) == (3, 1)
    assert (sheets.listed([SheetStatus.ACTIVE]).total, sheets.owners()) == (0, [ANN, BEN])
    assert len(sheets.find(limit=0)) == 1 and len(sheets.find(limit=10**9)) == 4


def test_a_taken_name_is_allowed_and_warned_of(sheets, plant):
    first = sheets.create(DRAFT, by=ANN)
    second = sheets.create(replace(DRAFT, name="INSPECTIONS"), by=ANN)
    assert sheets.has_name(" inspections ", except_for=first.id)
    assert "Another sheet is called “INSPECTIONS” too." in sheets.check(second.id).warnings
    sheets.move(first.id, "delete", by=ANN)
    assert sheets.check(second.id).warnings == ()


def test_what_stands_on_a_sheet_is_named_and_the_refusal_counts_it(sheets, plant, store, clock, history, permissions):
    sheet = sheets.create(DRAFT, by=ANN)
    labels = CanonicalLabels(store, history, permissions, clock)
    for number in range(7):
        items = [LabelEntry(f"i{item}", "yes") for item in range(2)]
        labels.label(items, sheet_id=sheet.id, label_type=f"type {number}", by=ANN)
    use_in_training_sheet(store, clock, sheet.id)
    used = sheets.dependants(sheet.id)
    assert (used.counts["canonical labels"], used.counts["training sheets"], used.total) == (14, 1, 15)
    assert used.names["training sheets"] == ("Review me",)
    assert used.names["canonical labels"] == ("type 6", "type 5", "type 4", "type 3", "type 2")
    with pytest.raises(Conflict, match="1 training sheet, 14 canonical labels"):
        sheets.move(sheet.id, "delete", by=ANN)


def test_labels_of_a_sheet_are_summed_up_by_type_people_and_reuse(tmp_path):
    parts = Parts(tmp_path)
    source = parts.put_mails(range(10))
    sheet_id = parts.sheets.create(SheetDraft("Mails", source, "mail_id", text_columns=("subject",)), by=ANN).id
    spam = [LabelEntry(f"m{item:05d}", "spam", confidence=0.95 if item else 0.5) for item in range(4)]
    parts.labels.label(spam, sheet_id=sheet_id, label_type="topic", by=ANN)
    parts.labels.label([LabelEntry("m00000", "warm")], sheet_id=sheet_id, label_type="tone", by=BEN)
    ids = [label.id for label in parts.labels.lookup(sheet_id, ["m00001", "m00002"], "topic").values()]
    parts.labels.count_reuse([*ids])
    parts.labels.count_reuse(ids[:1])

    found = parts.labels.stats(sheet_id)
    assert {one.label_type: (one.labelled, one.share, one.average_reuse) for one in found.coverage} == {
        "tone": (1, 0.1, 0.0),
        "topic": (4, 0.4, 0.75),
    }
    assert (found.total, found.average_reuse) == (5, pytest.approx(0.6))
    assert (found.contributors, found.by_confidence) == ({ANN: 4, BEN: 1}, {"high": 4, "low": 1})
    assert [label.reuse_count for label in found.most_reused] == [2, 1]
    tone = parts.labels.stats(sheet_id, "tone")
    assert (tone.total, tone.most_reused, tone.contributors) == (1, (), {BEN: 1})
    assert parts.labels.stats(sheet_id, "nothing").total == 0


def test_every_refusal_of_a_sheet_has_a_next_step(sheets, plant, store, clock):
    sheet = sheets.create(DRAFT, by=ANN)
    use_in_training_sheet(store, clock, sheet.id, status="generating")
    sheets.move(sheet.id, "publish", by=ANN)
    for action in ("unpublish", "delete"):
        with pytest.raises(WorkbenchError) as refused:
            sheets.move(sheet.id, action, by=ANN)
        assert "Review me" in refused.value.message or "1 training sheet" in refused.value.message
        assert refused.value.hint
