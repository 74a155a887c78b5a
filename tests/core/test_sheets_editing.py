"""Small changes of a draft and of a join, and the changes of two people on top of each other."""

from __future__ import annotations

from dataclasses import replace

import pytest

from workbench_core.errors import Invalid
from workbench_core.sheets import ColumnRef, Join, JoinKey, JoinSource, Matches, SheetDraft, SourceRole, TimeWindow
from workbench_core.sheets.editing import ColumnRole, combined, placed, roles_of, shifted, with_role
from workbench_core.sheets.join_editing import (
    free_alias,
    renamed,
    started,
    with_matches,
    with_source,
    without_source,
)
from workbench_core.sheets.join_editing import with_role as with_source_role

DRAFT = SheetDraft("Mails", "main.uploads.mails", "id", text_columns=("body",), metadata_columns=("topic", "day"))


def test_a_column_gets_another_role_and_keeps_its_place():
    changed = with_role(DRAFT, "topic", ColumnRole.TEXT)
    assert changed.text_columns == ("body", "topic")
    assert changed.metadata_columns == ("day",)
    assert changed.columns == ("id", "body", "topic", "day")


def test_a_new_column_comes_last_and_one_without_a_role_is_gone():
    assert with_role(DRAFT, "picture", ColumnRole.IMAGE).columns == ("id", "body", "topic", "day", "picture")
    gone = with_role(DRAFT, "topic", ColumnRole.NONE)
    assert gone.columns == ("id", "body", "day")
    assert "topic" not in gone.column_order


def test_another_identifier_makes_the_former_one_metadata():
    changed = with_role(DRAFT, "topic", ColumnRole.IDENTIFIER)
    assert changed.item_id_column == "topic"
    assert changed.metadata_columns == ("id", "day")
    with pytest.raises(Invalid, match="id is the identifier"):
        with_role(DRAFT, "id", ColumnRole.TEXT)


def test_columns_are_placed_and_shifted():
    assert placed(DRAFT, ["day", "unknown", "id"]).columns == ("day", "id", "body", "topic")
    assert shifted(DRAFT, "day", by=-1).columns == ("id", "body", "day", "topic")
    assert shifted(DRAFT, "day", by=-100).columns == ("day", "id", "body", "topic")
    assert shifted(DRAFT, "id", by=100).columns == ("body", "topic", "day", "id")


# --- two people ------------------------------------------------------------------------------------------------------


def test_my_changes_go_on_top_of_theirs():
    mine = replace(with_role(DRAFT, "topic", ColumnRole.NONE), filter="day > 3")
    theirs = replace(with_role(DRAFT, "day", ColumnRole.TEXT), name="Letters", sample_size=10)
    both = combined(DRAFT, mine, theirs)
    assert (both.name, both.sample_size, both.filter) == ("Letters", 10, "day > 3")
    assert both.text_columns == ("body", "day")
    assert both.metadata_columns == ()


def test_one_column_never_gets_two_roles_and_mine_wins():
    both = combined(DRAFT, with_role(DRAFT, "topic", ColumnRole.TEXT), with_role(DRAFT, "topic", ColumnRole.IMAGE))
    assert roles_of(both)["topic"] is ColumnRole.TEXT
    assert both.image_columns == ()


@pytest.mark.parametrize(
    ("mine", "theirs", "identifier"), [("topic", "day", "topic"), ("id", "day", "day"), ("topic", "id", "topic")]
)
def test_there_is_one_identifier_afterwards(mine, theirs, identifier):
    changed = [DRAFT if name == "id" else with_role(DRAFT, name, ColumnRole.IDENTIFIER) for name in (mine, theirs)]
    both = combined(DRAFT, *changed)
    assert both.item_id_column == identifier
    assert sorted(both.columns) == ["body", "day", "id", "topic"]
    assert identifier not in both.metadata_columns


def test_a_column_that_i_removed_but_they_made_the_identifier_stays_the_identifier():
    both = combined(DRAFT, with_role(DRAFT, "day", ColumnRole.NONE), with_role(DRAFT, "day", ColumnRole.IDENTIFIER))
    assert both.item_id_column == "day"


# --- joins -----------------------------------------------------------------------------------------------------------

FLIGHTS, PLANES, WEATHER = "nyc.flights.january", "nyc.flights.planes", "nyc.flights.weather"


@pytest.fixture
def join():
    two = with_source(started(FLIGHTS), PLANES, partner="january", keys=[("tailnum", "tailnum")])
    three = with_source(two, WEATHER, partner="january", keys=[("origin", "origin")])
    window = TimeWindow(ColumnRef("january", "time"), ColumnRef("weather", "time"), 30)
    return replace(three, window=window)


def test_a_source_gets_a_short_name_of_its_own():
    assert free_alias("main.uploads.Q3_mails", ()) == "Q3_mails"
    assert free_alias("main.uploads.a__b-c", ()) == "a_b_c"
    assert free_alias("main.uploads.---", ()) == "source"
    assert free_alias("x.y.planes", ["Planes", "planes_2"]) == "planes_3"


def test_sources_are_added_with_their_keys(join):
    assert [(one.alias, one.role) for one in join.sources] == [
        ("january", SourceRole.PRIMARY), ("planes", SourceRole.SECONDARY), ("weather", SourceRole.SECONDARY),
    ]  # fmt: skip
    assert join.keys[1] == JoinKey(ColumnRef("january", "origin"), ColumnRef("weather", "origin"))


def test_a_removed_source_takes_its_keys_and_time_window_along(join):
    left = without_source(join, "weather")
    assert [one.alias for one in left.sources] == ["january", "planes"]
    assert (len(left.keys), left.window) == (1, None)
    assert without_source(left, "planes") is None


def test_a_new_name_reaches_keys_and_time_window(join):
    changed = renamed(join, "weather", "sky")
    assert changed.keys[1].right == ColumnRef("sky", "origin")
    assert changed.window.right == ColumnRef("sky", "time")
    assert renamed(changed, "sky", "weather") == join
    for wrong in ("", "a__b", "_a", "x; DROP TABLE", "PLANES"):
        with pytest.raises(Invalid):
            renamed(join, "weather", wrong)


def test_there_is_one_primary_source_and_it_keeps_all_rows(join):
    single = with_matches(join, "planes", Matches.LATEST, "year")
    changed = with_source_role(single, "planes", SourceRole.PRIMARY)
    assert [one.role for one in changed.sources] == [
        SourceRole.SECONDARY, SourceRole.PRIMARY, SourceRole.SECONDARY,
    ]  # fmt: skip
    assert changed.sources[1] == JoinSource(PLANES, "planes", SourceRole.PRIMARY)
    assert isinstance(changed, Join)
