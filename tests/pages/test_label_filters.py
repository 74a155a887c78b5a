"""The filters of the review desk: in the address, so that a colleague who opens the link sees the same."""

from __future__ import annotations

import pytest

from tests.pages.conftest import ANN
from tests.pages.label_parts import address, plainly
from tests.review_data import mails, training_sheet
from workbench_core.pairs import Decision, QualityFlag, ResponseSource
from workbench_core.usage import UsageRules, Use

BEN = "ben@example.com"
NONSENSE = ("<script>", "'; DROP TABLE pairs; --", "9" * 5000, "-1", "nan-inf", "9999-99-99", "a,b,,", "\x00", "%2e%2e")


@pytest.fixture
def sheet(workbench, tmp_path):
    return training_sheet(workbench, mails(workbench, tmp_path))


@pytest.fixture
def worked_on(workbench, sheet):
    """Three approved by Ann, one with flags by Ben, one that may not train, seven untouched."""
    a, b, c, d, e = workbench.pairs.queue(sheet.id)[:5]
    workbench.pairs.decide([Decision(pair.id, "approve", pair.row_version) for pair in (a, b, c)], by=ANN)
    flags = (QualityFlag.PII, QualityFlag.TOXIC)
    workbench.pairs.decide([Decision(d.id, "flag", d.row_version, note="a *name*", flags=flags)], by=BEN)
    workbench.pairs.set_usage(
        [e.id], UsageRules(frozenset({Use.EVALUATION}), frozenset({Use.TRAINING}), reason="names"), by=ANN
    )
    return sheet


def items(grids, page) -> list[str]:
    assert not page.error
    return list(grids.rows("label_grid")["Item"])


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ({"show": "approved"}, ["m000", "m001", "m002"]),
        ({"show": "all", "by": BEN}, ["m003"]),
        ({"show": "all", "flag": "pii"}, ["m003"]),
        ({"show": "all", "flag": "pii,hallucination"}, ["m003"]),
        ({"training": "no"}, ["m004"]),
        ({"show": "all", "source": "human_verified"}, ["m000", "m001", "m002"]),
        ({"show": "all", "find": "MEETING NO. 10"}, ["m010"]),
        ({"show": "flagged", "find": "a *name*"}, ["m003"]),
    ],
)
def test_a_link_shows_a_colleague_the_same_pairs(open_page, grids, worked_on, query, expected):
    """TS-6"""
    page = open_page("label", user=BEN, sheet=worked_on.id, view="list", **query)
    assert items(grids, page) == expected


def test_eligible_pairs_are_those_that_may_train(open_page, grids, worked_on):
    page = open_page("label", sheet=worked_on.id, view="list", training="yes", show="all")
    assert len(items(grids, page)) == 11
    assert "11 pairs: may train a model" in plainly(page.caption)


def test_what_is_shown_is_said_in_a_sentence(open_page, grids, worked_on):
    page = open_page("label", sheet=worked_on.id, view="list", show="flagged", flag="pii", find="*name*", by=BEN)
    assert f"1 pair: flagged · flagged pii · with “*name*” · reviewed by {BEN}" in plainly(page.caption)


def test_the_chips_count_under_the_rest_of_the_filter(open_page, worked_on):
    page = open_page("label", sheet=worked_on.id)
    assert list(page.button_group[1].options) == [
        "Pending 8", "Flagged 1", "Approved 3", "Edited 0", "Rejected 0", "All 12"
    ]  # fmt: skip
    page = open_page("label", sheet=worked_on.id, by=ANN)
    assert "Approved 3" in page.button_group[1].options and "All 3" in page.button_group[1].options


def test_choosing_writes_the_address_and_begins_at_the_first_page(open_page, grids, worked_on):
    page = open_page("label", sheet=worked_on.id, view="list", after="3", at="4")
    page.button_group(key=f"label_show_{worked_on.id}").set_value("approved").run()
    assert address(page) == {"sheet": worked_on.id, "view": "list", "show": "approved"}
    page.text_input(key="label_find").input("prize").run()
    assert address(page)["find"] == "prize"
    page.button(key="label_clear_filters").click().run()
    assert address(page) == {"sheet": worked_on.id, "view": "list", "show": "approved"}


def test_every_field_of_the_filters_writes_its_part(open_page, grids, worked_on):
    page = open_page("label", sheet=worked_on.id, view="list", show="all")
    page.session_state[f"label_filters_{worked_on.id}"] = True
    page.run()
    page.button_group(key="label_source").set_value([ResponseSource.IMPORTED]).run()
    page.button_group(key="label_flag").set_value([QualityFlag.PII]).run()
    page.button_group(key="label_training").set_value("yes").run()
    page.slider(key="label_score").set_range(0.5, 1.0).run()
    page.selectbox(key="label_by").set_value(ANN).run()
    page.toggle(key="label_failed").set_value(True).run()
    assert not page.error
    written = {name: value for name, value in address(page).items() if name not in {"sheet", "view", "show"}}
    assert written == {
        "source": "imported", "flag": "pii", "training": "yes", "score": "0.5-1", "by": ANN, "failed": "yes"
    }  # fmt: skip


def test_a_date_narrows_to_what_changed_since(open_page, grids, worked_on):
    page = open_page("label", sheet=worked_on.id, view="list", show="all", since="2020-02-29")
    assert len(items(grids, page)) == 12
    assert "12 pairs: changed since 29 Feb 2020" in plainly(page.caption)
    page = open_page("label", sheet=worked_on.id, view="list", show="all", since="2999-01-01")
    assert any("No pair matches these filters." in said for said in plainly(page.markdown))
    page.button(key="label_show_all").click().run()
    assert len(items(grids, page)) == 12


@pytest.mark.parametrize("part", [
    "view", "show", "source", "flag", "training", "score", "find", "since", "by", "failed", "after", "before", "at",
])  # fmt: skip
@pytest.mark.parametrize("view", ["focus", "list"])
def test_nonsense_in_the_address_does_no_harm(open_page, grids, workbench, sheet, part, view):
    for value in NONSENSE:
        page = open_page("label", **{"sheet": sheet.id, "view": view, part: value})
        assert not page.error, (part, value, page.error[0].value)
    assert workbench.pairs.counts(sheet.id).total == 12


# --- pages -----------------------------------------------------------------------------------------------------------


@pytest.fixture
def small_pages(monkeypatch):
    """Pages of five pairs."""
    from pages.components import review_focus, review_lines

    monkeypatch.setattr(review_lines, "PAGE_SIZE", 5)
    monkeypatch.setattr(review_focus, "PAGE_SIZE", 5)


def test_pages_say_where_they_are_and_lead_on_and_back(open_page, grids, sheet, small_pages):
    """TS-6"""
    page = open_page("label", sheet=sheet.id, view="list")
    assert "1–5 of 12" in plainly(page.caption) and page.button(key="label_page_previous").disabled
    page.button(key="label_page_next").click().run()
    assert "6–10 of 12" in plainly(page.caption) and items(grids, page)[0] == "m005"
    page.button(key="label_page_next").click().run()
    assert "11–12 of 12" in plainly(page.caption) and page.button(key="label_page_next").disabled
    page.button(key="label_page_previous").click().run()
    assert "6–10 of 12" in plainly(page.caption) and items(grids, page)[0] == "m005"
    page.button(key="label_page_first").click().run()
    assert items(grids, page)[0] == "m000" and "after" not in address(page)


def test_a_page_stays_where_it_is_when_pairs_before_it_are_decided(open_page, grids, workbench, sheet, small_pages):
    page = open_page("label", sheet=sheet.id, view="list")
    page.button(key="label_page_next").click().run()
    before = items(grids, page)
    pairs = workbench.pairs.queue(sheet.id)[:3]
    workbench.pairs.decide([Decision(pair.id, "approve", pair.row_version) for pair in pairs], by=BEN)
    page.run()
    assert items(grids, page) == before


def test_a_place_that_the_address_does_not_tell_is_told_by_number(open_page, grids, sheet, small_pages):
    page = open_page("label", sheet=sheet.id, view="list", after="3")
    assert "No. 4 to 8, 12 pairs in all" in plainly(page.caption)
    page = open_page("label", sheet=sheet.id, view="list", after="3", at="99999")
    assert "No. 4 to 8, 12 pairs in all" in plainly(page.caption)
    page = open_page("label", sheet=sheet.id, view="list", after="4000")
    assert items(grids, page)[0] == "m000"
