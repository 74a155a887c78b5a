"""Filters built from conditions, tried before they are saved, and opened again; samples seen before they are drawn."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta, timezone

import pandas as pd
import pytest

from tests.core import sheet_parts
from tests.core.conftest import ANN
from tests.core.sheet_parts import DRAFT, INSPECTIONS, WITH_EQUIPMENT
from workbench_core.errors import Invalid
from workbench_core.sheets import (
    OPERATORS,
    Condition,
    ConditionSet,
    Operator,
    SheetDraft,
    Stratum,
    conditions_of,
    expression_of,
)

sheets, put, plant = sheet_parts.sheets, sheet_parts.put, sheet_parts.plant  # fixtures
TABLE = "main.plant.parts"
HOSTILE = "x'); DROP TABLE parts;-- \"q\" \\ %_ {{y}} ${z} \n 👩‍🔬 '' /* */"
TEXT, NUMBER, WHEN, DAY, FLAG = "te xt", "number", "when", "day", "flag"
NOON = datetime(2026, 1, 5, 12)


@pytest.fixture
def table(put):
    """Five rows: the third holds nothing but spaces and gaps, the fourth a hostile text."""
    return put(
        TABLE,
        {
            "id": ["a", "b", "c", "d", "e"],
            TEXT: ["Alpha", "beta", "  ", HOSTILE, None],
            NUMBER: [1.0, -2.5, None, 10.0, 1e20],
            WHEN: [NOON, NOON + timedelta(hours=1), None, NOON - timedelta(days=1), NOON],
            DAY: [date(2026, 1, 5), date(2026, 1, 6), None, date(2026, 1, 4), date(2026, 1, 5)],
            FLAG: [True, False, None, True, False],
        },
    )


@pytest.mark.parametrize(
    ("condition", "kept"),
    [
        (Condition(TEXT, Operator.IS, "Alpha"), "a"),
        (Condition(TEXT, Operator.IS, "alpha"), ""),
        (Condition(TEXT, Operator.IS, HOSTILE), "d"),
        (Condition(TEXT, Operator.IS_NOT, "Alpha"), "bcde"),  # no value is not Alpha either
        (Condition(TEXT, Operator.CONTAINS, "ALPH"), "a"),
        (Condition(TEXT, Operator.CONTAINS, "%_"), "d"),
        (Condition(TEXT, Operator.CONTAINS, HOSTILE), "d"),
        (Condition(TEXT, Operator.STARTS_WITH, "be"), "b"),
        (Condition(TEXT, Operator.ENDS_WITH, "TA"), "b"),
        (Condition(TEXT, Operator.ONE_OF, ("Alpha", "beta", "gamma")), "ab"),
        (Condition(TEXT, Operator.EMPTY), "ce"),
        (Condition(TEXT, Operator.NOT_EMPTY), "abd"),
        (Condition(NUMBER, Operator.IS, 1), "a"),
        (Condition(NUMBER, Operator.IS, -2.5), "b"),
        (Condition(NUMBER, Operator.IS_NOT, 1), "bcde"),
        (Condition(NUMBER, Operator.GREATER, 1), "de"),
        (Condition(NUMBER, Operator.AT_LEAST, 1), "ade"),
        (Condition(NUMBER, Operator.LESS, 1), "b"),
        (Condition(NUMBER, Operator.AT_MOST, 1), "ab"),
        (Condition(NUMBER, Operator.BETWEEN, (-2.5, 1)), "ab"),
        (Condition(NUMBER, Operator.ONE_OF, (10, 1e20)), "de"),
        (Condition(NUMBER, Operator.EMPTY), "c"),
        (Condition(NUMBER, Operator.NOT_EMPTY), "abde"),
        (Condition(WHEN, Operator.IS, NOON), "ae"),
        (Condition(WHEN, Operator.BEFORE, NOON), "d"),
        (Condition(WHEN, Operator.NOT_AFTER, NOON), "ade"),
        (Condition(WHEN, Operator.AFTER, NOON), "b"),
        (Condition(WHEN, Operator.NOT_BEFORE, NOON), "abe"),
        (Condition(WHEN, Operator.BETWEEN, (NOON, NOON + timedelta(hours=1))), "abe"),
        (Condition(WHEN, Operator.BETWEEN, (date(2026, 1, 4), date(2026, 1, 5))), "d"),  # a day begins at midnight
        (Condition(DAY, Operator.BEFORE, date(2026, 1, 5)), "d"),
        (Condition(WHEN, Operator.EMPTY), "c"),
        (Condition(FLAG, Operator.IS, True), "ad"),
        (Condition(FLAG, Operator.IS_NOT, True), "bce"),
        (Condition(FLAG, Operator.EMPTY), "c"),
    ],
)
def test_a_condition_keeps_what_it_says_and_opens_again_as_it_was(sheets, lake, table, condition, kept):
    verdict = sheets.check_filter(table, expression_of([condition]))
    assert verdict.problem == ""
    sheet = sheets.create(SheetDraft("Parts", table, "id", filter=verdict.accepted), by=ANN)
    assert "".join(sheets.preview(sheet.id)["id"]) == kept
    assert conditions_of(sheet.filter) == ConditionSet((condition,))
    assert (verdict.kept, verdict.every) == (len(kept), 5)


@pytest.mark.parametrize(("match", "kept"), [("all", 1), ("any", 3)])
def test_all_or_any_of_several_conditions(sheets, table, match, kept):
    conditions = (
        Condition(NUMBER, Operator.GREATER, 0),
        Condition(FLAG, Operator.IS, True),
        Condition(TEXT, Operator.IS_NOT, "Alpha"),
        Condition(DAY, Operator.NOT_AFTER, date(2026, 1, 5)),
    )
    if match == "any":
        conditions = (Condition(TEXT, Operator.IS, HOSTILE), *conditions[:2])
    verdict = sheets.check_filter(table, expression_of(conditions, match))
    assert verdict.kept == kept
    assert conditions_of(verdict.accepted) == ConditionSet(conditions, match)


def test_no_condition_is_no_filter_and_back():
    assert expression_of([]) == ""
    assert conditions_of(" ") == ConditionSet(())


def test_times_of_another_zone_are_compared_in_utc(sheets, table):
    berlin = NOON.replace(hour=13, tzinfo=timezone(timedelta(hours=1)))
    expression = expression_of([Condition(WHEN, Operator.IS, berlin)])
    assert sheets.check_filter(table, expression).kept == 2
    assert expression == expression_of([Condition(WHEN, Operator.IS, NOON.replace(tzinfo=UTC))])


@pytest.mark.parametrize(
    "expression",
    [
        "number = 1 OR flag AND number = 2",
        "number = 1 AND (number = 2 OR number = 3)",
        "NOT number = 1",
        "number <> 1",  # the builder's “is not” also keeps rows without a value
        "number IS NULL",
        "number NOT IN (1, 2)",
        "number NOT BETWEEN 1 AND 2",
        "1 = number",
        "number = number",
        'length("te xt") > 3',
        "\"te xt\" LIKE 'A%'",
        "contains(\"te xt\", 'A')",
        "lower(\"te xt\") = 'a'",
        "flag",
        "this is = no filter",
        "number IN (SELECT 1)",
        "(" * 3_000 + "number = 1" + ")" * 3_000,
    ],
)
def test_what_the_builder_could_not_have_written_is_left_as_text(expression):
    assert conditions_of(expression) is None


@pytest.mark.parametrize("expression", ["number > 5 AND flag = TRUE", '("number" > 5) AND flag = true'])
def test_a_simple_filter_typed_by_hand_opens_in_the_builder(expression):
    assert conditions_of(expression) == ConditionSet(
        (Condition(NUMBER, Operator.GREATER, 5), Condition(FLAG, Operator.IS, True))
    )


@pytest.mark.parametrize(
    "condition",
    [
        Condition(NUMBER, Operator.GREATER),
        Condition(NUMBER, Operator.BETWEEN, (1,)),
        Condition(NUMBER, Operator.BETWEEN, 1),
        Condition(TEXT, Operator.ONE_OF),
        Condition(TEXT, Operator.EMPTY, "x"),
        Condition(TEXT, Operator.CONTAINS, 5),
        Condition(NUMBER, Operator.IS, float("nan")),
        Condition(NUMBER, Operator.IS, float("inf")),
    ],
)
def test_a_condition_without_its_value_is_refused(condition):
    with pytest.raises(Invalid):
        expression_of([condition])


def test_every_kind_of_column_has_its_operators():
    assert set(OPERATORS) == {"string", "number", "time", "boolean", "nested", "binary"}
    assert Operator.CONTAINS not in OPERATORS["number"]
    assert Operator.BEFORE in OPERATORS["time"] and Operator.GREATER not in OPERATORS["time"]
    assert {operator for operators in OPERATORS.values() for operator in operators} == set(Operator)


def test_conditions_reach_every_source_of_a_join(sheets, plant):
    expression = expression_of(
        [Condition("equip__model", Operator.IS, "model 1"), Condition("insp__line", Operator.IS, 1)]
    )
    verdict = sheets.check_filter(WITH_EQUIPMENT, expression)
    assert (verdict.kept, verdict.every) == (2, 8)
    assert "insp__line" in sheets.check_filter(WITH_EQUIPMENT, "insp__lime = 1").hint


# --- SH-12 ------------------------------------------------------------------------------------------------------------


def test_a_stratified_sample_shows_what_it_takes_of_each_class(sheets, plant):
    draft = replace(DRAFT, sample_size=5, stratify_column="line")
    shown = sheets.sampling_preview(draft)
    assert [(one.value, one.rows) for one in shown] == [("1", 7), ("2", 3)]
    taken = sheets.preview(sheets.create(draft, by=ANN).id)["line"].astype(str).value_counts().to_dict()
    assert {one.value: one.sampled for one in shown} == taken
    assert sheets.sampling_preview(draft) == shown, "seeded"


def test_every_class_is_taken_at_least_once_and_the_filter_counts_first(sheets, plant):
    draft = replace(DRAFT, sample_size=2, stratify_column="line")
    assert [one.sampled for one in sheets.sampling_preview(draft)] == [1, 1]
    assert sheets.sampling_preview(replace(draft, filter="line = 2")) == [Stratum("2", 3, 2)]


def test_a_plain_sample_is_one_line_and_rows_without_a_class_are_one_class(sheets, plant):
    assert sheets.sampling_preview(replace(DRAFT, sample_size=4)) == [Stratum("", 10, 4)]
    plant(INSPECTIONS, {**sheet_parts.inspections(), "line": pd.array([1, 1, 1, 1, 1, 1, None, None, None, None])})
    draft = replace(DRAFT, sample_size=10, stratify_column="line")
    assert [(one.rows, one.sampled) for one in sheets.sampling_preview(draft)] == [(6, 6), (4, 4)]


def test_a_sample_over_a_join_is_seen_before_it_is_drawn(sheets, plant):
    draft = replace(sheets.with_join(DRAFT, WITH_EQUIPMENT), sample_size=4, stratify_column="equip__model")
    assert sheets.sampling_preview(draft) == [Stratum(f"model {number}", 2, 1) for number in range(4)]
    with pytest.raises(Invalid, match="no column nothing"):
        sheets.sampling_preview(replace(draft, stratify_column="nothing"))
