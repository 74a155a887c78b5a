"""Sheets: pointers to tables and volumes that can only be published when their items can be told apart."""

from __future__ import annotations

import itertools
from dataclasses import replace
from functools import partial

import pandas as pd
import pytest

from tests.core.conftest import ANN
from workbench_core.errors import ChangedByOthers, Conflict, Invalid, InvalidTransition, NotFound, NotPermitted
from workbench_core.permissions import Role
from workbench_core.ports import TableEntry
from workbench_core.sheets import LIFECYCLE, MAX_DESCRIPTION, MAX_NAME, SheetDraft, Sheets, SheetStatus
from workbench_core.usage import ALL_USES, Classification, Use

BEN = "ben@example.com"
CLEO = "cleo@example.com"
SOURCE = "main.plant.reports"
DRAFT = SheetDraft("Reports", SOURCE, "report_id", text_columns=("report",), metadata_columns=("line",))
LONG = "A scratch of about two centimetres on the upper left corner of the board."
HOSTILE = 'Robert\'); DROP TABLE sheets;-- "x" {{ y }} ${z} <b>%_!\\ “quoted” 👩‍🔬'
# how to come from a new draft to each status
PATHS = {
    SheetStatus.DRAFT: (),
    SheetStatus.ACTIVE: ("publish",),
    SheetStatus.ARCHIVED: ("archive",),
    SheetStatus.DELETED: ("delete",),
}


@pytest.fixture
def sheets(store, lake, history, permissions, clock):
    return Sheets(store, lake, history, permissions, clock)


@pytest.fixture
def put(lake, tmp_path):
    """Make a data frame a table of the lake."""

    def put_(frame: pd.DataFrame, *, source: str = SOURCE, tags: tuple[str, ...] = ()) -> str:
        file = tmp_path / "upload.parquet"
        frame.to_parquet(file, index=False)
        lake.put_table(source, file, original_name=file.name, entry=TableEntry(source, "table", tags=tags))
        return source

    return put_


@pytest.fixture
def reports(put):
    """Ten reports of two lines; the third has no text."""
    return put(
        pd.DataFrame(
            {
                "line": [1, 1, 1, 1, 1, 1, 2, 2, 2, 2],
                "report_id": [f"r{number}" for number in range(10)],
                "report": [LONG, LONG, None, *[LONG] * 7],
                "photo": [f"boards/{number}.PNG" for number in range(10)],
            }
        )
    )


@pytest.fixture
def people(permissions):
    """Ben makes sheets, Cleo is a steward."""
    permissions.assign(BEN, Role.DATA_PRODUCER, by=ANN)
    permissions.assign(CLEO, Role.DATA_STEWARD, by=ANN)


def use_in_training_sheet(store, clock, sheet_id: str, *, status: str = "review") -> None:
    """Put a training sheet on a sheet, as generation does."""
    by = {"created_by": ANN, "created_at": clock(), "updated_by": ANN, "updated_at": clock()}
    template = {
        "id": "template-1", "lineage_id": "template-1", "name": "T", "label_type": "defect", "user_prompt": "?",
        "answer_source": "manual", "version": "1.0.0", "status": "published", **by,
    }  # fmt: skip
    training_sheet = {
        "id": "ts-1", "name": "Review me", "sheet_id": sheet_id, "prompt_template_id": "template-1",
        "template_version": "1.0.0", "template_snapshot": "{}", "label_type": "defect", "mapping": "{}",
        "answer_source": "manual", "row_limit": 10, "status": status, **by,
    }  # fmt: skip
    store.append("prompt_templates", [template])
    store.append("training_sheets", [training_sheet])


# --- SH-2: what is proposed -------------------------------------------------------------------------------------------


def test_first_unique_column_is_proposed_as_identifier_and_the_others_by_what_they_hold(sheets, reports):
    proposed = sheets.propose(reports)
    assert (proposed.name, proposed.item_id_column) == ("Reports", "report_id")
    assert (proposed.text_columns, proposed.image_columns, proposed.metadata_columns) == (
        ("report",),
        ("photo",),
        ("line",),
    )
    assert sheets.create(proposed, by=ANN).status == "draft"


def test_long_texts_and_measurements_identify_only_when_nothing_else_does(sheets, put):
    unique = {"weight": [1.5, 2.5], "body": [LONG, LONG + "!"]}
    both = pd.DataFrame({**unique, "code": ["a", "b"]})
    assert sheets.propose(put(both)).item_id_column == "code"
    assert sheets.propose(put(both.drop(columns="code"), source="main.plant.others")).item_id_column == "weight"


def test_without_a_unique_column_the_first_one_is_proposed(sheets, put):
    source = put(pd.DataFrame({"a": ["x", "x"], "b": [1, None]}))
    assert sheets.propose(source).item_id_column == "a"


def test_roles_are_proposed_from_rows_whose_identifier_is_empty_too(sheets, put):
    source = put(pd.DataFrame({"a": [None, None], "b": [LONG, LONG]}))
    proposed = sheets.propose(source)
    assert (proposed.item_id_column, proposed.text_columns) == ("a", ("b",))


def test_sentences_in_a_column_named_after_pictures_are_text(sheets, put):
    source = put(pd.DataFrame({"id": [1, 2], "image_caption": [LONG, LONG], "image_key": ["k1", "k2"]}))
    proposed = sheets.propose(source)
    assert (proposed.text_columns, proposed.image_columns) == (("image_caption",), ("image_key",))


def test_a_folder_of_files_becomes_a_sheet_of_pictures(sheets, lake):
    lake.put_files("main.plant.boards", {"a/1.png": b"x", "a/2.png": b"y"})
    sheet = sheets.create(sheets.propose("main.plant.boards"), by=ANN)
    assert (sheet.source_kind, sheet.item_id_column, sheet.image_columns) == ("volume", "path", ("path",))
    assert sheets.move(sheet.id, "publish", by=ANN).item_count == 2
    assert sheets.preview(sheet.id)["item_ref"].tolist() == ["a/1.png", "a/2.png"]


def test_nothing_is_proposed_for_an_unknown_source(sheets):
    with pytest.raises(NotFound):
        sheets.propose("main.plant.nothing")


# --- SH-1: create -----------------------------------------------------------------------------------------------------


def test_a_created_sheet_is_a_draft_with_all_that_was_filled_in(sheets, reports, history):
    draft = replace(DRAFT, description="Line 1", filter="line=1", sample_size=5, stratify_column="line")
    sheet = sheets.get(sheets.create(draft, by=ANN).id)
    assert sheet.draft == replace(draft, filter="line = 1")
    assert (sheet.status, sheet.created_by, sheet.row_version) == ("draft", ANN, 1)
    assert [event.action for event in history.of("sheet", sheet.id)] == ["create"]


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"name": " "}, "name"),
        ({"name": "x" * (MAX_NAME + 1)}, "name"),
        ({"description": "x" * (MAX_DESCRIPTION + 1)}, "description"),
        ({"item_id_column": "Report"}, "no column Report"),
        ({"text_columns": ("nothing",)}, "no column nothing"),
        ({"stratify_column": "nothing", "sample_size": 2}, "no column nothing"),
        ({"metadata_columns": ("report",)}, "two roles"),
        ({"metadata_columns": ("line", "line")}, "two roles"),
        ({"sample_size": 0}, "sample size"),
        ({"sample_size": 2**31}, "sample size"),
        ({"sample_seed": -1}, "seed"),
        ({"stratify_column": "line"}, "needs a size"),
        ({"filter": "nothing = 1"}, "no column “nothing”"),
        ({"filter": "line = 1; DROP TABLE x"}, "more than one statement"),
        ({"filter": "line IN (SELECT 1)"}, "query"),
        ({"filter": "line"}, "true or false"),
    ],
)
def test_a_sheet_that_cannot_work_is_refused_and_nothing_is_kept(sheets, reports, change, sentence):
    with pytest.raises(Invalid) as refused:
        sheets.create(replace(DRAFT, **change), by=ANN)
    assert sentence in f"{refused.value.message} {refused.value.hint}"
    assert sheets.find() == []


def test_a_new_or_changed_sheet_knows_how_many_items_it_has(sheets, reports):
    sheet = sheets.create(DRAFT, by=ANN)
    assert sheet.item_count == 10
    assert sheets.update(sheet.id, replace(DRAFT, filter="line = 2"), by=ANN, row_version=1).item_count == 4


def test_longest_name_and_description_are_kept(sheets, reports):
    draft = replace(DRAFT, name="n" * MAX_NAME, description="d" * MAX_DESCRIPTION)
    assert sheets.get(sheets.create(draft, by=ANN).id).draft == draft


def test_a_source_that_is_not_there_is_refused(sheets):
    with pytest.raises(NotFound):
        sheets.create(DRAFT, by=ANN)


@pytest.mark.parametrize("source", ["reports", "a.b.c.d", "main.plant.reports; DROP", "../x.y.z", "main..reports", ""])
def test_a_source_that_is_no_name_is_refused(sheets, source):
    with pytest.raises((Invalid, NotFound)):
        sheets.create(replace(DRAFT, source=source), by=ANN)


def test_hostile_texts_are_stored_and_found_literally(sheets, reports):
    draft = replace(DRAFT, name=HOSTILE, description=HOSTILE, filter="report <> 'O''Brien; --'")
    sheet = sheets.create(draft, by=ANN)
    assert sheets.get(sheet.id).draft == draft
    assert [found.id for found in sheets.find(search="DROP TABLE sheets;--")] == [sheet.id]
    assert sheet.item_count == 9  # the row without text is neither equal nor unequal


def test_hostile_column_names_work_everywhere(sheets, put, lake):
    odd = 'a "b"; --'
    source = put(pd.DataFrame({odd: ["1", "2"], "sel ect": [LONG, LONG], "item_ref": ["x", "y"]}))
    sheet = sheets.create(sheets.propose(source), by=ANN)
    assert sheet.item_id_column == odd
    sheets.move(sheet.id, "publish", by=ANN)
    assert lake.count(sheets.get(sheet.id).selection(extra_filter='"sel ect" IS NOT NULL')) == 2


# --- SH-3: find -------------------------------------------------------------------------------------------------------


def test_sheets_are_listed_last_changed_first_without_deleted_ones(sheets, reports):
    first, second, third = (sheets.create(replace(DRAFT, name=name), by=ANN) for name in "ABC")
    sheets.update(first.id, replace(DRAFT, name="A2"), by=ANN, row_version=1)
    sheets.move(third.id, "delete", by=ANN)
    assert [sheet.name for sheet in sheets.find()] == ["A2", "B"]
    assert [sheet.id for sheet in sheets.find(status=SheetStatus.DELETED)] == [third.id]
    assert [sheet.id for sheet in sheets.find(limit=1, offset=1)] == [second.id]


@pytest.mark.parametrize(
    ("search", "found"), [("100%", ["100% of A_B"]), ("a_b", ["100% of A_B"]), ("Ärzte", ["Ärzte"])]
)
def test_search_takes_every_character_as_it_is(sheets, reports, search, found):
    for name in ("100% of A_B", "1000 of AxB", "Ärzte"):
        sheets.create(replace(DRAFT, name=name), by=ANN)
    assert [sheet.name for sheet in sheets.find(search=search)] == found


# --- SH-4: change -----------------------------------------------------------------------------------------------------


def test_the_second_of_two_people_learns_who_changed_the_sheet(sheets, reports, people):
    sheet = sheets.create(DRAFT, by=ANN)
    sheets.update(sheet.id, replace(DRAFT, name="Ben's"), by=BEN, row_version=sheet.row_version)
    with pytest.raises(ChangedByOthers, match=BEN):
        sheets.update(sheet.id, replace(DRAFT, name="Ann's"), by=ANN, row_version=sheet.row_version)
    assert sheets.get(sheet.id).name == "Ben's"


def test_a_button_of_an_old_page_is_refused(sheets, reports, people):
    sheet = sheets.create(DRAFT, by=ANN)
    sheets.update(sheet.id, replace(DRAFT, filter="line = 2"), by=BEN, row_version=1)
    with pytest.raises(ChangedByOthers, match=BEN):
        sheets.move(sheet.id, "publish", by=ANN, row_version=1)
    assert sheets.get(sheet.id).status == "draft"


@pytest.mark.parametrize(("action", "way"), [("publish", "Unpublish"), ("archive", "Restore")])
def test_only_a_draft_can_be_changed(sheets, reports, action, way):
    sheet = sheets.move(sheets.create(DRAFT, by=ANN).id, action, by=ANN)
    with pytest.raises(Conflict) as refused:
        sheets.update(sheet.id, DRAFT, by=ANN, row_version=sheet.row_version)
    assert way in refused.value.hint


def test_source_and_identifier_stay_while_something_refers_to_the_items(sheets, reports, store, clock):
    sheet = sheets.create(DRAFT, by=ANN)
    use_in_training_sheet(store, clock, sheet.id)
    with pytest.raises(Conflict, match="1 training sheet refer"):
        sheets.update(sheet.id, replace(DRAFT, item_id_column="photo"), by=ANN, row_version=1)
    assert sheets.update(sheet.id, replace(DRAFT, name="Other"), by=ANN, row_version=1).name == "Other"


# --- SH-5: the life of a sheet ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(("status", "action"), list(itertools.product(SheetStatus, LIFECYCLE.table)))
def test_every_action_works_from_where_it_may_and_is_refused_elsewhere(sheets, reports, history, status, action):
    sheet = sheets.create(DRAFT, by=ANN)
    for step in PATHS[status]:
        sheets.move(sheet.id, step, by=ANN)
    allowed, leads_to = LIFECYCLE.table[action]
    events = len(history.of("sheet", sheet.id))
    if status in allowed:
        assert sheets.move(sheet.id, action, by=ANN).status == leads_to
        assert history.of("sheet", sheet.id)[0].action == action
    else:
        with pytest.raises(InvalidTransition, match=f"is {status}"):
            sheets.move(sheet.id, action, by=ANN)
        assert len(history.of("sheet", sheet.id)) == events


def test_an_action_that_does_not_exist_is_refused(sheets, reports):
    with pytest.raises(Invalid, match="explode"):
        sheets.move(sheets.create(DRAFT, by=ANN).id, "explode", by=ANN)


def test_publishing_keeps_how_many_items_there_are(sheets, reports):
    published = sheets.move(sheets.create(replace(DRAFT, filter="line = 2"), by=ANN).id, "publish", by=ANN)
    assert published.item_count == 4
    assert published.validated_at is not None


@pytest.mark.parametrize(
    "role", [role for role in Role if role not in {Role.ADMIN, Role.DATA_STEWARD, Role.DATA_PRODUCER}]
)
def test_roles_without_the_right_cannot_touch_sheets(sheets, reports, permissions, role):
    permissions.assign(BEN, role, by=ANN)
    sheet = sheets.create(DRAFT, by=ANN)
    with pytest.raises(NotPermitted):
        sheets.create(DRAFT, by=BEN)
    with pytest.raises(NotPermitted):
        sheets.update(sheet.id, DRAFT, by=BEN, row_version=1)
    for action in LIFECYCLE.table:
        with pytest.raises(NotPermitted):
            sheets.move(sheet.id, action, by=BEN)
        assert "role" in sheets.refusal(sheet, action, by=BEN)


def test_only_owner_and_steward_take_a_sheet_out_of_use(sheets, reports, people):
    sheet = sheets.create(DRAFT, by=ANN)
    sheets.move(sheet.id, "publish", by=BEN)
    for action in ("unpublish", "archive"):
        with pytest.raises(NotPermitted, match=f"Only {ANN} or a data steward may {action}"):
            sheets.move(sheet.id, action, by=BEN)
        assert sheets.refusal(sheet, action, by=CLEO) == ""
    assert sheets.move(sheet.id, "archive", by=CLEO).status == "archived"
    assert sheets.refusal(sheet, "restore", by=BEN) != ""


def test_only_owner_and_administrator_delete_and_only_the_latter_brings_back(sheets, reports, people):
    sheet = sheets.create(DRAFT, by=BEN)
    with pytest.raises(NotPermitted, match="an administrator"):
        sheets.move(sheet.id, "delete", by=CLEO)
    deleted = sheets.move(sheet.id, "delete", by=BEN)
    with pytest.raises(NotPermitted):
        sheets.move(sheet.id, "undelete", by=BEN)
    assert sheets.refusal(deleted, "undelete", by=ANN) == ""
    assert sheets.move(sheet.id, "undelete", by=ANN).status == "draft"


def test_a_deleted_sheet_in_a_link_says_who_deleted_it(sheets, reports, people):
    sheet = sheets.create(DRAFT, by=BEN)
    sheets.move(sheet.id, "delete", by=BEN)
    for look in (sheets.get, sheets.preview, sheets.check, sheets.columns, partial(sheets.validate, by=ANN)):
        with pytest.raises(NotFound, match=f"deleted by {BEN}"):
            look(sheet.id)
    with pytest.raises(NotFound, match="does not exist"):
        sheets.get("'; DROP TABLE sheets; --")


def test_a_sheet_in_use_is_not_deleted_but_can_be_archived(sheets, reports, store, clock):
    sheet = sheets.create(DRAFT, by=ANN)
    use_in_training_sheet(store, clock, sheet.id)
    with pytest.raises(Conflict, match="in use: 1 training sheet") as refused:
        sheets.move(sheet.id, "delete", by=ANN)
    assert "Archive" in refused.value.hint
    assert sheets.move(sheet.id, "archive", by=ANN).status == "archived"


def test_a_sheet_stays_active_while_something_is_generated_from_it(sheets, reports, store, clock):
    sheet = sheets.move(sheets.create(DRAFT, by=ANN).id, "publish", by=ANN)
    use_in_training_sheet(store, clock, sheet.id, status="generating")
    with pytest.raises(Conflict, match="Review me"):
        sheets.move(sheet.id, "unpublish", by=ANN)
    assert sheets.get(sheet.id).status == "active"


# --- SH-6: validation, INV-3 ------------------------------------------------------------------------------------------


def test_an_identifier_with_gaps_and_repetitions_is_refused_with_both_counts(sheets, put):
    put(pd.DataFrame({"report_id": ["a", "a", "a", "b", None, None], "report": "x", "line": 1}))
    sheet = sheets.create(DRAFT, by=ANN)
    found = sheets.validate(sheet.id, by=ANN)
    assert not found.is_valid
    assert (found.identifier.nulls, found.identifier.duplicates, found.item_count) == (2, 2, 4)
    with pytest.raises(Invalid) as refused:
        sheets.move(sheet.id, "publish", by=ANN)
    assert "report_id is empty in 2 rows" in refused.value.message
    assert "report_id repeats itself in 2 rows" in refused.value.message
    assert sheets.get(sheet.id).status == "draft"


def test_looking_at_a_sheet_writes_nothing_and_validating_keeps_the_count(sheets, reports, store):
    sheet = sheets.create(DRAFT, by=ANN)
    before = store.revision("sheets")
    assert sheets.check(sheet.id).is_valid
    assert store.revision("sheets") == before
    assert sheets.validate(sheet.id, by=ANN).item_count == sheets.get(sheet.id).item_count == 10
    assert sheets.get(sheet.id).row_version == sheet.row_version


def test_a_source_that_went_away_is_a_result_and_no_exception(sheets, reports, lake):
    sheet = sheets.create(DRAFT, by=ANN)
    lake.drop(reports)
    found = sheets.validate(sheet.id, by=ANN)
    assert not found.is_valid
    assert reports in found.problems[0]
    with pytest.raises(Invalid, match="cannot be published"):
        sheets.move(sheet.id, "publish", by=ANN)


def test_a_damaged_file_is_a_result_and_no_exception(sheets, reports, lake, tmp_path):
    sheet = sheets.create(DRAFT, by=ANN)
    (file,) = (tmp_path / "lake").rglob("reports.parquet")
    file.write_bytes(b"PAR1 this is no table PAR1")
    assert sheets.validate(sheet.id, by=ANN).problems
    assert sheets.get(sheet.id).item_count == 10  # what was last counted


def test_columns_that_went_away_are_named(sheets, reports, lake, put):
    sheet = sheets.create(replace(DRAFT, filter="line = 1"), by=ANN)
    lake.drop(reports)
    put(pd.DataFrame({"report_id": ["a"], "report": ["x"]}))
    assert sheets.validate(sheet.id, by=ANN).problems == ("The source has no column line.",)
    lake.drop(reports)
    put(pd.DataFrame({"report_id": ["a"], "report": ["x"], "line": ["one"]}))
    assert len(sheets.validate(sheet.id, by=ANN).problems) == 1  # the filter compares a text with a number now


def test_a_filter_that_keeps_nothing_cannot_be_published(sheets, reports):
    sheet = sheets.create(replace(DRAFT, filter="line = 99"), by=ANN)
    with pytest.raises(Invalid, match="No row is left"):
        sheets.move(sheet.id, "publish", by=ANN)


# --- SH-7, SH-11, SH-12: rows, filter, sample -------------------------------------------------------------------------


def test_the_preview_is_paged_in_the_order_of_the_identifier(sheets, reports):
    sheet = sheets.create(DRAFT, by=ANN)
    pages = [sheets.preview(sheet.id, limit=4, offset=offset)["item_ref"].tolist() for offset in (0, 4, 8)]
    assert pages == [["r0", "r1", "r2", "r3"], ["r4", "r5", "r6", "r7"], ["r8", "r9"]]
    assert list(sheets.preview(sheet.id).columns) == ["item_ref", "report_id", "report", "line"]


def test_a_stratified_sample_keeps_the_proportions_and_is_the_same_each_time(sheets, reports):
    draft = replace(DRAFT, sample_size=5, stratify_column="line")
    sheet = sheets.create(draft, by=ANN)
    rows = sheets.preview(sheet.id)
    assert rows["line"].value_counts().to_dict() == {1: 3, 2: 2}
    again = sheets.create(draft, by=ANN)
    assert sheets.preview(again.id)["item_ref"].tolist() == rows["item_ref"].tolist()
    assert sheet.item_count == 5


def test_a_filter_is_tried_before_it_is_saved(sheets, put):
    source = put(pd.DataFrame({"a": [None, "x", "y"], "n": [1, 2, 3]}))
    verdict = sheets.check_filter(source, "n>=2")
    assert (verdict.accepted, verdict.kept, verdict.every) == ("n >= 2", 2, 3)
    assert sheets.check_filter(source, "  ").kept == 3  # the row without a value in the first column counts
    wrong = sheets.check_filter(source, "m > 2")
    assert (wrong.kept, wrong.every) == (0, 3)
    assert "m" in wrong.problem and "n" in wrong.hint


def test_a_second_filter_cannot_widen_the_first(sheets, reports, lake):
    sheet = sheets.create(replace(DRAFT, filter="line = 2 OR line = 3"), by=ANN)
    assert lake.count(sheet.selection(extra_filter="line = 1 OR line = 2")) == 4


# --- usage rules ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("tag", ["PII", "phi"])
def test_a_source_with_personal_data_prohibits_training(sheets, put, tag):
    put(pd.DataFrame({"report_id": ["a"], "report": ["x"], "line": [1]}), tags=(tag,))
    rules = sheets.usage_rules(sheets.create(DRAFT, by=ANN))
    assert not rules.permits(Use.TRAINING) and not rules.permits(Use.VALIDATION)
    assert rules.permits(Use.EVALUATION)
    assert rules.classification is Classification.RESTRICTED


def test_a_confidential_source_allows_training_only(sheets, put):
    put(pd.DataFrame({"report_id": ["a"], "report": ["x"], "line": [1]}), tags=("CONFIDENTIAL",))
    rules = sheets.usage_rules(sheets.create(DRAFT, by=ANN))
    assert {use for use in Use if rules.permits(use)} == {Use.TRAINING, Use.VALIDATION}


def test_a_tag_put_on_the_source_later_binds_the_sheet_and_stays_when_the_source_is_gone(sheets, reports, lake, put):
    sheet = sheets.create(DRAFT, by=ANN)
    assert sheets.usage_rules(sheet) == ALL_USES
    lake.drop(reports)
    put(pd.DataFrame({"report_id": ["a"], "report": ["x"], "line": [1]}), tags=("PII",))
    assert not sheets.usage_rules(sheet).permits(Use.TRAINING)
    published = sheets.move(sheet.id, "publish", by=ANN)
    lake.drop(reports)
    assert not sheets.usage_rules(published).permits(Use.TRAINING)


def test_a_source_column_item_ref_yields_to_the_identifier(sheets, put, lake):
    source = put(pd.DataFrame({"id": ["1", "2"], "item_ref": ["u", "u"], "text": [LONG, LONG]}))
    draft = sheets.propose(source)
    assert (draft.item_id_column, draft.columns) == ("id", ("id", "text"))
    sheet = sheets.create(draft, by=ANN)
    assert sheets.preview(sheet.id)["item_ref"].tolist() == ["1", "2"]
    with pytest.raises(Invalid, match="“item_ref” cannot be shown"):
        sheets.create(replace(draft, metadata_columns=("item_ref",)), by=ANN)
