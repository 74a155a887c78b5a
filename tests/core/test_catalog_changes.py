"""The next month's file: what it would do to the table and to every sheet on it, and what it does (INV-3)."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.core.conftest import ANN
from workbench_core.canonical_labels import CanonicalLabels, LabelEntry
from workbench_core.catalog import Catalog, ChangeMode, ColumnFate, IntakePlan, TableChange, Wishes
from workbench_core.errors import ChangedByOthers, Conflict, Invalid, NotPermitted
from workbench_core.permissions import Role
from workbench_core.ports import ColumnRef, Join, JoinKey, JoinSource, Matches, Selection, SourceRole, TableEntry
from workbench_core.sheets import SheetDraft, Sheets

BEN = "ben@example.com"
MAILS, SENDERS = "main.uploads.mails", "main.uploads.senders"
ADD, UPDATE, REPLACE = ChangeMode.ADD, ChangeMode.UPDATE, ChangeMode.REPLACE
DRAFT = SheetDraft("Mails", MAILS, "mail_id", text_columns=("text",), metadata_columns=("sender",), filter="price > 0")


def mails(items, *, header="mail_id,text,sender,price"):
    """A file of mails; the identifier begins with a zero."""
    return header + "\n" + "".join(f"{item:04d},Mail {item},s{item % 3},{item + 0.5}\n" for item in items)


@pytest.fixture
def catalog(lake, history, permissions, store, tmp_path):
    (tmp_path / "inbox").mkdir()
    return Catalog(lake, history, permissions, store=store, import_folders=[tmp_path / "inbox"])


@pytest.fixture
def sheets(store, lake, history, permissions, clock):
    return Sheets(store, lake, history, permissions, clock)


@pytest.fixture
def wish(tmp_path):
    """A file on the disk and what a person wants of it."""

    def wish_(content, mode, *, table="mails", plan=None, **how):
        file = tmp_path / "upload"
        file.write_text(content)
        plans = {"february.csv": plan} if plan else {}
        return file, Wishes(name=table, change=TableChange(mode, **how), plans=plans)

    return wish_


@pytest.fixture
def preview(catalog, wish):
    def preview_(content, mode, **how):
        file, wishes = wish(content, mode, **how)
        return catalog.preview_change(file, file_name="february.csv", wishes=wishes)

    return preview_


@pytest.fixture
def change(catalog, wish):
    def change_(content, mode, *, by=ANN, tags=(), **how):
        file, wishes = wish(content, mode, **how)
        (entry,) = catalog.upload_archive(file, file_name="february.csv", by=by, tags=tags, wishes=wishes)
        return entry

    return change_


@pytest.fixture
def january(catalog, sheets, tmp_path):
    """Ten mails with a sheet on them."""
    file = tmp_path / "january"
    file.write_text(mails(range(10)))
    catalog.upload_table(file, file_name="january.csv", name="mails", by=ANN, tags=["PII"])
    return sheets.create(DRAFT, by=ANN)


@pytest.fixture
def label(store, lake, sheets, history, permissions, clock, january):
    """Label some items of the sheet."""
    labels = CanonicalLabels(store, history, permissions, clock)

    def label_(items):
        entries = [LabelEntry(f"{item:04d}", "ham") for item in items]
        labels.label(entries, sheet_id=january.id, label_type="mail_class", by=ANN)
        return labels

    return label_


def said(preview):
    return " ".join(message for message, _ in preview.refusals)


# --- what is shown ----------------------------------------------------------------------------------------------------


def test_a_person_sees_rows_columns_and_sheets_before_anything_changes(preview, january, label, lake):
    label(range(4))
    found = preview(mails(range(10, 30)), ADD)
    assert (found.comparison.rows_before, found.comparison.rows_in_file, found.comparison.rows_after) == (10, 20, 30)
    assert {column.fate for column in found.comparison.columns} == {ColumnFate.SAME}
    (effect,) = found.sheets
    assert (effect.name, effect.identifier, effect.items_before, effect.items_after) == ("Mails", "mail_id", 10, 30)
    assert (effect.labelled, effect.labels_lost) == (4, 0) and effect.is_unique
    assert found.is_possible and found.change.identifier == "mail_id"
    assert lake.count(Selection(MAILS, "mail_id")) == 10


def test_labelled_items_that_would_be_gone_are_counted_and_their_labels_wait(preview, change, january, label, lake):
    labels = label([0, 1, 2, 3])
    corrected = mails([2, 3, 4, 5, 6, 7, 8])
    (effect,) = preview(corrected, REPLACE).sheets
    assert (effect.items_after, effect.labelled, effect.labels_lost) == (7, 4, 2)
    change(corrected, REPLACE)
    assert lake.count(Selection(MAILS, "mail_id")) == 7
    change(mails(range(10)), REPLACE)
    assert len(labels.lookup(january.id, [f"{item:04d}" for item in range(4)], "mail_class")) == 4


def test_a_replacement_that_repeats_identifiers_is_counted_and_not_refused(preview, change, january, sheets):
    content = mails([1, 1, 2, 2, 2, 3])
    found = preview(content, REPLACE)
    (effect,) = found.sheets
    assert (effect.repeated_after, effect.is_unique, found.is_possible) == (3, False, True)
    change(content, REPLACE)
    assert "repeats itself in 3 rows" in " ".join(sheets.check(january.id).problems), "its validation says it by itself"


def test_every_sheet_is_looked_at_through_its_join(catalog, sheets, preview, january, tmp_path, label):
    file = tmp_path / "senders"
    file.write_text("sender,country\ns0,DE\ns1,FR\ns2,IT\n")
    catalog.upload_table(file, file_name="senders.csv", by=ANN)
    join = Join(
        (JoinSource(MAILS, "mail", SourceRole.PRIMARY), JoinSource(SENDERS, "from")),
        (JoinKey(ColumnRef("mail", "sender"), ColumnRef("from", "sender")),),
    )
    joined = replace(sheets.with_join(DRAFT, join), name="With senders")
    sheets.create(joined, by=ANN)
    latest = replace(join, sources=(join.sources[0], replace(join.sources[1], matches=Matches.FIRST)))
    sheets.create(replace(joined, name="First sender", join=latest), by=ANN)
    fewer, more = "sender,country\ns0,DE\n", "sender,country\ns0,AT\n"
    effects = {effect.name: effect for effect in preview(fewer, REPLACE, table="senders").sheets}
    assert {name: (each.items_before, each.items_after) for name, each in effects.items()} == {
        "With senders": (10, 4), "First sender": (10, 4),
    }  # fmt: skip
    assert effects["With senders"].identifier == "", "the mails identify its items"
    found = preview(more, ADD, table="senders")
    effects = {effect.name: effect for effect in found.sheets}
    assert effects["With senders"].repeated_after == 4 and effects["First sender"].repeated_after == 0
    assert found.is_possible, "another kind of match mends the sheet"
    found = preview("country\nDE\n", REPLACE, table="senders")
    assert "“sender”" in said(found) and "“First sender”" in said(found) and not found.is_possible


# --- what is refused --------------------------------------------------------------------------------------------------


def test_rows_that_are_there_already_are_refused_with_their_count_and_the_way_out(preview, change, january, lake):
    content = mails([8, 9, 10])
    found = preview(content, ADD)
    assert found.refusals == (
        (
            "The table has 2 identifiers of the file already in “mail_id”: “0008”, “0009”.",
            "Let new rows replace the old ones of the same identifier, or take a file with new rows only.",
        ),
    )
    with pytest.raises(Conflict, match="2 identifiers"):
        change(content, ADD)
    found = preview(content, UPDATE)
    assert found.is_possible and found.change.identifier == "mail_id" and found.comparison.rows_after == 11
    change(content, UPDATE)
    assert lake.count(Selection(MAILS, "mail_id")) == 11


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (mails([10, 10, 11]), "would repeat itself in 1 row"),
        (mails([10]) + ",no identifier,s1,2\n", "would be empty in 1 row"),
        ("text,sender,price\nx,s1,2\n", "does not have “mail_id”, which the sheet “Mails” uses"),
        ("mail_id,text,sender,price\n0010,x,s1,cheap\n", "“price”: 1 value is no number, for example “cheap”"),
        ("a,b\n1,2\n", "no column of the table"),
    ],
)
def test_more_rows_never_take_the_identity_of_items(preview, change, january, lake, content, reason):
    found = preview(content, ADD)
    assert reason in said(found) and all(hint for _, hint in found.refusals)
    with pytest.raises(Conflict):
        change(content, ADD)
    assert lake.count(Selection(MAILS, "mail_id")) == 10


def test_columns_that_a_sheet_uses_do_not_vanish(preview, change, january, sheets, lake):
    for column, used_as in (("text", "role"), ("price", "filter")):
        content = mails(range(10)).replace(f",{column}", f",other_{column}")
        found = preview(content, REPLACE)
        assert f"The file does not have “{column}”, which the sheet “Mails” uses." in said(found), used_as
        with pytest.raises(Conflict):
            change(content, REPLACE)
    assert "text" in {column.name for column in lake.columns(MAILS)}
    sheets.move(january.id, "delete", by=ANN)
    assert preview(content, REPLACE).is_possible, "nobody reads it any more"


def test_a_type_by_which_a_filter_could_not_be_read_is_refused(preview, january):
    found = preview("mail_id,text,sender,price\n0001,x,s1,cheap\n", REPLACE)
    assert "The sheet “Mails” could not be read any more" in said(found)


def test_missing_columns_that_do_not_identify_are_empty_and_new_ones_are_offered(preview, change, january, lake):
    content = "mail_id,price,colour\n0010,3,red\n"
    found = preview(content, ADD)
    assert found.is_possible
    assert [column.name for column in found.comparison.of(ColumnFate.MISSING)] == ["text", "sender"]
    assert [column.name for column in found.comparison.of(ColumnFate.NEW)] == ["colour"]
    change(content, ADD, takes_new_columns=False)
    assert "colour" not in {column.name for column in lake.columns(MAILS)}
    page = lake.page(Selection(MAILS, "mail_id", item_refs=("0010",)))
    assert page["text"].isna().all() and page["price"].tolist() == [3.0]


def test_a_table_without_sheets_is_updated_by_the_column_that_a_person_names(preview, change, january, sheets, lake):
    sheets.move(january.id, "delete", by=ANN)
    assert preview(mails([1]), ADD).is_possible, "nothing says that a row may come once only"
    assert "It is not said by which column" in said(preview(mails([1]), UPDATE))
    assert "“sender” repeats itself in 7 rows of the table" in said(preview(mails([1]), UPDATE, identifier="sender"))
    change(mails([1, 12]), UPDATE, identifier="mail_id")
    assert lake.count(Selection(MAILS, "mail_id")) == 11


def test_several_files_and_folders_change_no_table(catalog, tmp_path, january):
    (tmp_path / "inbox/many").mkdir()
    for name in ("a.csv", "b.csv"):
        (tmp_path / "inbox/many" / name).write_text(mails([11]))
    with pytest.raises(Invalid, match="single table file"):
        catalog.preview_path_change(
            str(tmp_path / "inbox"), "many", wishes=Wishes(name="mails", change=TableChange(ADD)), by=ANN
        )


# --- what is done -----------------------------------------------------------------------------------------------------


def test_a_change_is_recorded_and_adds_tags_and_says_where_rows_are_from(change, january, history, catalog):
    entry = change(mails([10, 11]), ADD, tags=["CONFIDENTIAL"])
    assert entry.tags == ("PII", "CONFIDENTIAL")
    assert entry.source == "Upload of january.csv, then rows of february.csv"
    event = history.of("table", MAILS)[0]
    assert (event.action, event.by) == ("change", ANN)
    assert event.details == {"mode": "add", "file": "february.csv", "rows_before": 10, "rows_after": 12}
    assert change(mails([12]), ADD).source == "Upload of january.csv, then rows of february.csv"
    assert change(mails([12]), REPLACE).source == "Replaced by february.csv"


def test_nothing_is_written_into_the_sheet_and_its_check_sees_the_new_rows(change, january, sheets):
    change(mails(range(10, 210)), ADD)
    assert sheets.get(january.id).row_version == january.row_version
    assert sheets.check(january.id).item_count == 210
    assert len(sheets.preview(january.id, limit=50, offset=200)) == 10


def test_a_file_of_an_import_folder_changes_a_table_too(catalog, tmp_path, january, history):
    (tmp_path / "inbox/february.csv").write_text(mails([10]))
    wishes = Wishes(name="mails", change=TableChange(ADD))
    found = catalog.preview_path_change(str(tmp_path / "inbox"), "february.csv", wishes=wishes, by=ANN)
    assert found.is_possible and found.comparison.rows_after == 11
    (entry,) = catalog.import_path(str(tmp_path / "inbox"), "february.csv", by=ANN, wishes=wishes)
    assert entry.name == MAILS and history.of("table", MAILS)[0].action == "change"


def test_a_choice_of_reading_counts_for_a_change_too(change, january, catalog, sheets):
    sheets.move(january.id, "delete", by=ANN)
    change(mails([10]), REPLACE, plan=IntakePlan(text_columns=("price",)))
    assert {column.name: column.kind for column in catalog.columns(MAILS)}["price"] == "string"


def test_whoever_may_not_edit_sheets_changes_no_table(change, january, permissions):
    permissions.assign(BEN, Role.REVIEWER, by=ANN)
    with pytest.raises(NotPermitted):
        change(mails([10]), ADD, by=BEN)


def test_the_second_of_two_people_is_told_who_was_first(change, preview, january, permissions, lake):
    permissions.assign(BEN, Role.DATA_PRODUCER, by=ANN)
    seen = preview(mails([10]), ADD).comparison.version
    change(mails([11]), ADD, by=BEN)
    with pytest.raises(ChangedByOthers, match=f"changed by {BEN} since you looked") as refused:
        change(mails([10]), ADD, seen=seen)
    assert refused.value.hint
    assert lake.count(Selection(MAILS, "mail_id")) == 11
    change(mails([10]), ADD, seen=preview(mails([10]), ADD).comparison.version)


def test_demo_tables_and_files_in_place_are_refused_with_the_reason(preview, lake, tmp_path, catalog):
    file = tmp_path / "a"
    file.write_text(mails([1]))
    lake.put_table("main.uploads.shown", file, original_name="a.csv", entry=TableEntry("", "table", is_demo=True))
    (tmp_path / "lake/main/uploads/lying.csv").write_text(mails([1]))
    for table, reason in (("shown", "demo data"), ("lying", "read in place")):
        with pytest.raises(Conflict, match=reason):
            preview(mails([2]), ADD, table=table)


def test_march_adds_two_hundred_rows_and_every_label_is_reused(change, january, label, sheets):
    """The third act of the worked example of spec 1.4, through a file."""
    change(mails(range(10, 500)), ADD)
    labels = label(range(500))
    change(mails(range(500, 700)), ADD)
    assert sheets.check(january.id).item_count == 700
    assert len(labels.lookup(january.id, [f"{item:04d}" for item in range(700)], "mail_class")) == 500
