"""Sheets over several sources: keys proposed, joins looked at, saved, moved onto and off."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.core import sheet_parts
from tests.core.conftest import ANN
from tests.core.sheet_parts import (
    DRAFT,
    EQUIPMENT,
    INSPECTIONS,
    ITEMS,
    READINGS,
    WITH_EQUIPMENT,
    WITH_LATEST,
    WITH_READINGS,
    equipment,
    inspections,
    join,
    source,
)
from workbench_core.errors import Invalid, NotFound
from workbench_core.ports import Column, JoinStats
from workbench_core.sheets import (
    ColumnRef,
    Join,
    JoinKey,
    JoinKind,
    JoinSource,
    Matches,
    SourceRole,
    TimeWindow,
    match_quality,
)
from workbench_core.sheets.join_config import join_from, join_json
from workbench_core.sheets.key_suggestions import best_names, name_score, types_fit
from workbench_core.usage import Use

sheets, put, plant = sheet_parts.sheets, sheet_parts.put, sheet_parts.plant  # fixtures


@pytest.fixture
def joined(sheets, plant):
    """The draft over inspections and equipment."""
    return sheets.with_join(DRAFT, WITH_EQUIPMENT)


# --- JN-1: which columns may be keys ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("left", "right", "score", "reason"),
    [
        ("machine", "machine", 0.95, "exact name"),
        ("Machine", "MACHINE", 0.95, "exact name"),
        ("machine_id", "machine_id", 1.00, "exact name"),  # 0.95 + 0.05, and never above 1
        ("machine_id", "machine_code", 0.90, "same stem"),
        ("machine_id", "machine", 0.90, "same stem"),
        ("machine_ref", "machine_no", 0.90, "same stem"),
        ("machine_num", "machine_key", 0.90, "same stem"),
        ("equipment_id", "equipments_ref", 0.75, "similar stem"),
        ("equipment", "equipments", 0.70, "similar stem"),
        ("read_time", "read_times", 0.70, "similar stem"),
        ("xy_key", "ab_key", 0.00, ""),  # stems differ, and the names are no more than 75 % alike
        ("a_code", "b_code", 0.65, "similar name"),  # ratio 10 / 12
        ("equip_ref", "equipment_id", 0.00, ""),  # stems 10 / 14
        ("temperature", "pressure", 0.00, ""),
    ],
)
def test_names_are_scored_as_the_rule_says(left, right, score, reason):
    found = name_score(left, right)
    assert (found.value, found.reason) == (pytest.approx(score), reason)


@pytest.mark.parametrize(
    ("left", "right", "fits"),
    [
        (("VARCHAR", "string"), ("BIGINT", "number"), True),
        (("VARCHAR", "string"), ("TIMESTAMP", "time"), True),
        (("VARCHAR", "string"), ("BOOLEAN", "boolean"), True),
        (("BIGINT", "number"), ("DECIMAL(10,2)", "number"), True),
        (("BIGINT", "number"), ("DOUBLE", "number"), True),
        (("BIGINT", "number"), ("DATE", "time"), False),
        (("BOOLEAN", "boolean"), ("BIGINT", "number"), False),
        (("VARCHAR[]", "nested"), ("VARCHAR[]", "nested"), False),
        (("BLOB", "binary"), ("VARCHAR", "string"), False),
    ],
)
def test_types_that_can_never_be_equal_are_no_keys(left, right, fits):
    one, other = Column("a", *left), Column("a", *right)
    assert types_fit(one, other) is types_fit(other, one) is fits


def test_the_five_best_names_are_compared_and_wide_tables_are_searched_quickly():
    wide = [Column(f"measure_{number:04d}", "DOUBLE", "number") for number in range(2_000)]
    found = best_names([*wide, Column("board_id", "BIGINT", "number")], [Column("board_id", "BIGINT", "number"), *wide])
    assert len(found) == 5
    assert (found[0].left.name, found[0].score.value) == ("board_id", 1.0)


def test_the_final_score_is_six_tenths_name_and_four_tenths_overlap(sheets, put):
    put("main.plant.a", {"code": ["a", "b", "c", "d"], "other": [1, 2, 3, 4]})
    put("main.plant.b", {"code": ["c", "d", "e", "f"]})
    (found,) = sheets.suggest_keys("main.plant.a", "main.plant.b")
    assert (found.left, found.right, found.left_type, found.right_type) == ("code", "code", "VARCHAR", "VARCHAR")
    assert (found.name_score, found.overlap, found.containment) == (0.95, pytest.approx(2 / 6), 0.5)
    assert found.final == pytest.approx(0.6 * 0.95 + 0.4 * 2 / 6, abs=1e-4)
    assert found.cardinality == "one-to-one"
    assert found.reason == "exact name, 33% of all values are on both sides"


def test_containment_counts_where_one_side_has_twice_as_many_values(sheets, put):
    put("main.plant.few", {"board_id": ["b1", "b2", "b3", "b4"]})
    put("main.plant.many", {"board_id": [f"b{number}" for number in range(1, 9)]})
    (found,) = sheets.suggest_keys("main.plant.few", "main.plant.many")
    assert (found.overlap, found.containment, found.final) == (0.5, 1.0, 1.0)
    assert "100% of the left values are found on the right (4 and 8 distinct values)" in found.reason


def test_the_best_suggestion_comes_first_and_says_how_rows_meet(sheets, plant):
    found = sheets.suggest_keys(INSPECTIONS, EQUIPMENT)
    assert (found[0].left, found[0].right, found[0].cardinality) == ("equipment_id", "equipment_id", "many-to-one")
    assert [one.final for one in found] == sorted((one.final for one in found), reverse=True)
    assert sheets.suggest_keys(EQUIPMENT, INSPECTIONS)[0].cardinality == "one-to-many"
    with pytest.raises(NotFound):
        sheets.suggest_keys(INSPECTIONS, "main.plant.nothing")


# --- JN-2: look at a join ---------------------------------------------------------------------------------------------


def test_a_preview_shows_rows_query_and_numbers(sheets, plant):
    found = sheets.preview_join(WITH_EQUIPMENT, "insp__inspection_id", limit=3)
    assert not found.problems
    assert list(found.rows.columns) == [column.name for column in found.columns]
    assert {"insp__inspection_id", "equip__model"} <= set(found.rows.columns)
    assert len(found.rows) == 3
    assert "JOIN" in found.query_text
    assert found.stats == JoinStats(primary_rows=10, matched_rows=8, joined_rows=8, matched_joined_rows=8)
    assert (found.stats.share, found.quality) == (0.8, "good")
    assert found.warnings == ("2 of 10 items find no match and are left out. A left join keeps them.",)


def test_the_match_is_never_above_100_percent_and_the_source_that_multiplies_is_named(sheets, plant):
    found = sheets.preview_join(WITH_READINGS, "insp__inspection_id")
    assert (found.stats.share, found.stats.fan_out) == (0.8, 2.0)
    assert "“read” matches one item with several rows: 8 rows more than items" in found.warnings[0]
    assert "“equip”" not in found.warnings[0]
    assert "first or the latest match of “read”, or its values as a list" in found.warnings[0]


def test_an_item_with_several_rows_is_told_even_when_it_is_not_matched_everywhere(sheets, plant):
    plant(EQUIPMENT, equipment([3]))  # i0 has two readings and no equipment
    left = replace(WITH_READINGS, kind=JoinKind.LEFT)
    only_three = replace(left, sources=(*left.sources[:2], replace(left.sources[2], matches=Matches.FIRST)))
    assert sheets.preview_join(only_three, "insp__inspection_id").warnings == ()
    plant(READINGS, {"equipment_id": ["e0", "e0", "e3"], "temperature": [1.0, 2.0, 3.0]})
    found = sheets.preview_join(left, "insp__inspection_id")
    assert (found.stats.fan_out, found.stats.repeated_rows) == (1.0, 2)
    assert "“read” matches one item with several rows: 2 rows more than items" in found.warnings[0]


def test_an_identifier_that_repeats_in_the_primary_source_is_not_blamed_on_another(sheets, plant):
    plant(INSPECTIONS, {**inspections(), "inspection_id": ["i0", "i0", *(f"i{number}" for number in range(2, ITEMS))]})
    found = sheets.preview_join(replace(WITH_EQUIPMENT, kind=JoinKind.LEFT), "insp__inspection_id")
    assert "The identifier inspection_id repeats itself in 1 rows of the primary source “insp”" in found.warnings[0]
    assert "“equip”" not in found.warnings[0]


@pytest.mark.parametrize("matches", [Matches.FIRST, Matches.LATEST, Matches.LIST])
def test_each_way_out_of_a_fan_out_gives_one_row_an_item(sheets, plant, matches):
    latest = "read_at" if matches is Matches.LATEST else ""
    one_each = join(source("read", READINGS, matches=matches, order_column=latest))
    found = sheets.preview_join(one_each, "insp__inspection_id")
    assert (found.stats.fan_out, found.warnings) == (1.0, ())
    temperatures = found.rows.set_index("insp__inspection_id")["read__temperature"]["i0"]
    expected = {Matches.FIRST: 20.0, Matches.LATEST: 25.0, Matches.LIST: [20.0, 25.0]}[matches]
    assert (list(temperatures) if matches is Matches.LIST else temperatures) == expected


def test_a_time_window_holds_at_its_limit(sheets, plant):
    window = TimeWindow(ColumnRef("insp", "inspected_at"), ColumnRef("read", "read_at"), minutes=5)
    found = sheets.preview_join(replace(join(source("read", READINGS)), window=window), "insp__inspection_id")
    assert found.stats.joined_rows == 20  # the two readings of an equipment are exactly five minutes apart
    nearer = replace(join(source("read", READINGS)), window=replace(window, minutes=4.9))
    assert sheets.preview_join(nearer, "insp__inspection_id").stats.joined_rows == 10


def test_a_full_join_also_shows_rows_without_an_item(sheets, plant):
    plant(EQUIPMENT, equipment(range(7)))
    found = sheets.preview_join(join(source("equip", EQUIPMENT), kind=JoinKind.FULL), "insp__inspection_id")
    assert found.rows["insp__inspection_id"].isna().sum() == 2
    assert any("A left join leaves them out" in warning for warning in found.warnings)


PRIMARY = WITH_EQUIPMENT.sources[0]


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        (replace(WITH_EQUIPMENT, keys=()), "No key says how the rows of “equip” are found"),
        (Join((PRIMARY,), ()), "2 to 5 sources"),
        (Join((PRIMARY, replace(PRIMARY, alias="b")), WITH_EQUIPMENT.keys), "this one has 2 (insp, b)"),
        (Join((source("a", EQUIPMENT), source("b", INSPECTIONS)), ()), "this one has none"),
        (join(source("insp", EQUIPMENT)), "Two sources are named “insp”"),
        (join(source("a; DROP", EQUIPMENT)), "cannot name a source"),
        (join(source("equip", "main.plant.nothing")), "main.plant.nothing"),
        (join(source("equip", "x'; DROP")), "cannot name a table"),
        (
            replace(WITH_EQUIPMENT, keys=(JoinKey(ColumnRef("insp", "nothing"), ColumnRef("equip", "equipment_id")),)),
            "no column “nothing”",
        ),
        (
            replace(WITH_EQUIPMENT, keys=(JoinKey(ColumnRef("insp", "line"), ColumnRef("read", "read_at")),)),
            "not part of the join",
        ),
    ],
)
def test_a_join_that_cannot_be_made_is_a_result_with_a_sentence(sheets, plant, wrong, sentence):
    found = sheets.preview_join(wrong, "insp__inspection_id")
    assert sentence in found.problems[0]
    assert (found.rows, found.stats, found.quality) == (None, None, "")


def test_an_identifier_that_the_join_does_not_have_is_a_result(sheets, plant):
    assert sheets.preview_join(WITH_EQUIPMENT, "insp__nothing").problems


@pytest.mark.parametrize(("matched", "word"), [(10, "good"), (8, "good"), (7, "fair"), (5, "fair"), (4, "poor")])
def test_the_colour_of_a_match_follows_its_share(matched, word):
    assert match_quality(JoinStats(10, matched, matched, matched)) == word


# --- a draft moves onto a join and off it -----------------------------------------------------------------------------


def test_columns_keep_their_roles_under_their_new_names_and_come_back(sheets, plant):
    before = replace(
        DRAFT, filter="line > 1 AND note <> 'line'", sample_size=5, stratify_column="line",
        column_order=("note", "inspection_id"),
    )  # fmt: skip
    onto = sheets.with_join(before, WITH_EQUIPMENT)
    assert onto.item_id_column == "insp__inspection_id"
    assert onto.text_columns == ("insp__note", "equip__manual")
    assert onto.metadata_columns == ("insp__line", "insp__equipment_id", "equip__model")
    assert (onto.stratify_column, onto.column_order) == ("insp__line", ("insp__note", "insp__inspection_id"))
    assert onto.filter == "insp__line > 1 AND insp__note <> 'line'"
    assert sheets.create(onto, by=ANN).item_count == 2
    assert sheets.with_join(onto, None) == before


def test_another_alias_renames_and_a_source_that_goes_takes_its_columns_with_it(sheets, joined):
    draft = replace(joined, filter="equip__model = 'model 1'")
    renamed = replace(
        WITH_EQUIPMENT,
        sources=(replace(PRIMARY, alias="board"), source("machine", EQUIPMENT)),
        keys=(JoinKey(ColumnRef("board", "equipment_id"), ColumnRef("machine", "equipment_id")),),
    )
    moved = sheets.with_join(draft, renamed)
    assert moved.item_id_column == "board__inspection_id"
    assert moved.text_columns == ("board__note", "machine__manual")
    assert moved.filter == "machine__model = 'model 1'"
    gone = sheets.with_join(draft, join(source("read", READINGS, matches=Matches.FIRST)))
    assert gone.text_columns == ("insp__note",)
    assert gone.filter == draft.filter  # a person decides what becomes of it
    with pytest.raises(Invalid, match="equip__model"):
        sheets.create(gone, by=ANN)


def test_only_chosen_columns_get_a_role_and_the_identifier_is_always_chosen(sheets, plant):
    few = replace(
        WITH_EQUIPMENT, sources=(replace(PRIMARY, columns=("note",)), source("equip", EQUIPMENT, columns=("model",)))
    )
    draft = sheets.with_join(DRAFT, few)
    assert draft.item_id_column == "insp__inspection_id"
    assert (draft.text_columns, draft.metadata_columns) == (("insp__note",), ("equip__model",))
    sheet = sheets.create(draft, by=ANN)
    assert [column.name for column in sheets.columns(sheet.id)] == ["insp__inspection_id", "insp__note", "equip__model"]


def test_another_primary_source_brings_its_own_identifier(sheets, plant):
    other_way = Join(
        sources=(source("equip", EQUIPMENT, role=SourceRole.PRIMARY), source("insp", INSPECTIONS)),
        keys=(JoinKey(ColumnRef("equip", "equipment_id"), ColumnRef("insp", "equipment_id")),),
    )
    draft = sheets.with_join(DRAFT, other_way)
    assert (draft.source, draft.item_id_column) == (EQUIPMENT, "equip__equipment_id")
    with pytest.raises(Invalid, match="no column of the primary source"):
        sheets.create(replace(draft, item_id_column="insp__inspection_id"), by=ANN)


def test_a_filter_that_cannot_be_read_stays_as_it_was_typed(sheets, plant):
    assert sheets.with_join(replace(DRAFT, filter="line = = 3"), WITH_EQUIPMENT).filter == "line = = 3"


# --- saving, validation, stale numbers (SH-6, JN-3) -------------------------------------------------------------------


def test_a_saved_join_comes_back_as_it_was_with_its_numbers(sheets, joined):
    window = TimeWindow(ColumnRef("insp", "inspected_at"), ColumnRef("read", "read_at"), 7.5)
    both = replace(WITH_LATEST, window=window, kind=JoinKind.LEFT)
    sheet = sheets.create(sheets.with_join(joined, both), by=ANN)
    assert (sheet.join, sheet.source, sheet.tables) == (both, INSPECTIONS, (INSPECTIONS, EQUIPMENT, READINGS))
    assert sheet.join_stats.stats.primary_rows == ITEMS
    assert (sheet.join_stats.measured_by, sheet.is_join_stale) == (ANN, False)
    assert sheets.get(sheet.id).draft == sheet.draft


def test_every_part_of_a_join_survives_being_stored():
    hostile = 'a "b"\'; -- ü👩‍🔬'
    full = Join(
        sources=(
            JoinSource(INSPECTIONS, "insp", SourceRole.PRIMARY, ("a", hostile)),
            JoinSource(EQUIPMENT, "e", SourceRole.IMAGES, None, Matches.LATEST, hostile),
        ),
        keys=(JoinKey(ColumnRef("insp", hostile), ColumnRef("e", "b")),),
        kind=JoinKind.FULL,
        window=TimeWindow(ColumnRef("insp", "t"), ColumnRef("e", "u"), 0.5),
    )
    assert join_from(join_json(full)) == full
    assert join_from(join_json(None)) is None


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("[]", "an object"),
        ("{", "cannot be read"),
        ('{"sources": [], "keys": [], "kind": "inner"}', "window"),
        ('{"sources": [], "keys": [], "kind": "outer", "window": null}', "inner, left, full"),
        ('{"sources": [], "keys": {}, "kind": "inner", "window": null}', "a list"),
        ('{"sources": [], "keys": [], "kind": "inner", "window": null, "more": 1}', "an object"),
    ],
)
def test_anything_else_is_not_read_as_a_join(text, sentence):
    with pytest.raises(Invalid, match=sentence):
        join_from(text)


def test_validation_names_the_source_that_repeats_identifiers_and_what_to_choose(sheets, joined):
    sheet = sheets.create(sheets.with_join(joined, WITH_READINGS), by=ANN)
    found = sheets.validate(sheet.id, by=ANN)
    assert (found.item_count, found.identifier.duplicates) == (16, 8)
    assert "“read” matches one item with several rows" in found.problems[0]
    assert "first or the latest match" in found.problems[0]
    with pytest.raises(Invalid, match="“read” matches"):
        sheets.move(sheet.id, "publish", by=ANN)
    repaired = sheets.update(sheet.id, sheets.with_join(sheet.draft, WITH_LATEST), by=ANN, row_version=1)
    assert sheets.move(repaired.id, "publish", by=ANN).item_count == 8


def test_identifiers_that_repeat_in_the_primary_source_are_not_blamed_on_the_join(sheets, plant, joined):
    rows = inspections()
    plant(INSPECTIONS, {**rows, "inspection_id": ["i0", "i0", None, *rows["inspection_id"][3:]]})
    found = sheets.validate(sheets.create(joined, by=ANN).id, by=ANN)
    assert found.problems == (
        "The identifier inspection_id is empty in 1 rows of the primary source.",
        "The identifier inspection_id repeats itself in 1 rows of the primary source.",
    )


def test_a_full_join_with_rows_of_no_item_proposes_a_left_one(sheets, plant, joined):
    plant(EQUIPMENT, equipment(range(7)))
    full = sheets.create(replace(joined, join=replace(WITH_EQUIPMENT, kind=JoinKind.FULL)), by=ANN)
    assert sheets.validate(full.id, by=ANN).problems == (
        "2 rows of the full join belong to no item and have no identifier. Use a left join.",
    )
    left = replace(joined, join=replace(WITH_EQUIPMENT, kind=JoinKind.LEFT))
    assert sheets.update(full.id, left, by=ANN, row_version=1).item_count == ITEMS


@pytest.mark.parametrize("table", [INSPECTIONS, EQUIPMENT])
def test_a_source_that_went_away_is_a_problem_and_no_exception(sheets, joined, lake, table):
    sheet = sheets.create(joined, by=ANN)
    lake.drop(table)
    found = sheets.validate(sheet.id, by=ANN)
    assert table in found.problems[0]
    assert found.identifier is None


def test_a_column_of_a_source_that_went_away_is_named(sheets, plant, joined):
    sheet = sheets.create(joined, by=ANN)
    plant(EQUIPMENT, {"equipment_id": ["e0"], "model": ["model 0"]})
    assert sheets.validate(sheet.id, by=ANN).problems == ("The source has no column equip__manual.",)


def test_numbers_are_stale_once_a_source_changed_until_somebody_looks_again(sheets, plant, joined):
    sheet = sheets.create(joined, by=ANN)
    plant(EQUIPMENT, equipment(range(2)))
    assert "stale: preview again" in " ".join(sheets.check(sheet.id).warnings)
    assert not sheets.get(sheet.id).is_join_stale, "looking writes nothing"
    sheets.validate(sheet.id, by=ANN)
    stale = sheets.get(sheet.id)
    assert (stale.is_join_stale, stale.join_stats.stats.matched_rows) == (True, 8)
    assert "stale" not in " ".join(sheets.measure_join(sheet.id, by=ANN).warnings)
    fresh = sheets.get(sheet.id)
    assert (fresh.is_join_stale, fresh.join_stats.stats.matched_rows) == (False, 4)


def test_an_edited_join_is_measured_when_it_is_saved(sheets, joined):
    sheet = sheets.create(joined, by=ANN)
    left = replace(sheet.draft, join=replace(WITH_EQUIPMENT, kind=JoinKind.LEFT))
    changed = sheets.update(sheet.id, left, by=ANN, row_version=1)
    assert (changed.is_join_stale, changed.join_stats.stats.joined_rows) == (False, ITEMS)
    assert changed.join_stats.measured_at > sheet.join_stats.measured_at
    single = sheets.update(sheet.id, sheets.with_join(changed.draft, None), by=ANN, row_version=2)
    assert (single.join, single.join_stats, single.item_count) == (None, None, ITEMS)


def test_the_tags_of_all_sources_bind_a_joined_sheet(sheets, plant, joined, lake):
    sheet = sheets.create(joined, by=ANN)
    assert sheet.tags == ("CONFIDENTIAL",)
    assert not sheets.usage_rules(sheet).permits(Use.EVALUATION)
    plant(INSPECTIONS, inspections(), tags=("PII",))
    assert not sheets.usage_rules(sheet).permits(Use.TRAINING)
    lake.drop(EQUIPMENT)
    assert not sheets.usage_rules(sheet).permits(Use.EVALUATION)


def test_the_chosen_order_places_columns_of_every_source(sheets, joined):
    order = ("equip__model", "insp__note", "no such column", "insp__inspection_id")
    sheet = sheets.create(replace(joined, column_order=order), by=ANN)
    assert sheet.columns[:3] == ("equip__model", "insp__note", "insp__inspection_id")
    assert set(sheet.columns[3:]) == {"equip__manual", "insp__line", "insp__equipment_id"}
    assert list(sheets.preview(sheet.id).columns) == ["item_ref", *sheet.columns]
