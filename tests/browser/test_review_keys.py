"""Reviewing with the keyboard: every press counts, nothing is lost, and what is refused comes back with its reason."""

from __future__ import annotations

import time

import pytest

from tests.review_data import ANN
from workbench_core.pairs import Decision, ReviewStatus

BEN = "ben@example.com"
PHONE = {"viewport": {"width": 390, "height": 844}, "is_mobile": True, "has_touch": True}


@pytest.fixture
def expect():
    from playwright.sync_api import expect

    return expect


def open_card(app, sheet_id, *, show=""):
    """Open the review card of a training sheet; give the card."""
    app.open(f"label?sheet={sheet_id}" + (f"&show={show}" if show else ""))
    card = app.page.locator(".card[data-item]")
    card.wait_for()
    return card


def statuses(workbench, sheet_id):
    """The review status of every pair, by item."""
    return {pair.item_ref: pair.review_status.value for pair in workbench.pairs.find(sheet_id, limit=100)}


def eventually(is_true, *, seconds=10):
    """Wait until the store has what the browser has sent."""
    until = time.monotonic() + seconds
    while not is_true():
        assert time.monotonic() < until
        time.sleep(0.05)


def test_every_key_does_its_deed_and_the_next_item_is_there(app, workbench, sheets, expect):
    card = open_card(app, sheets["keys"])
    assert card.get_attribute("data-ref") == "m000"
    app.press("a", "2", "a", "r", "f")
    app.page.keyboard.type("two languages")
    app.press("Enter", "ArrowRight", "j", "k", "ArrowLeft")
    assert card.get_attribute("data-ref") == "m004"
    expect(card.locator(".place")).to_have_text("36 of 40 pending")
    expect(app.page.get_by_test_id("stMetricValue").first).to_have_text("36")
    found = statuses(workbench, sheets["keys"])
    assert [found[f"m{item:03d}"] for item in range(5)] == ["approved", "approved", "rejected", "flagged", "pending"]
    flagged = next(p for p in workbench.pairs.find(sheets["keys"]) if p.item_ref == "m003")
    assert (flagged.review_note, flagged.reviewed_by) == ("two languages", ANN)


def test_twenty_presses_at_thirty_milliseconds_are_twenty_decisions(app, workbench, sheets, expect):
    card = open_card(app, sheets["pace"])
    app.press(*"a" * 20, pause=30)
    expect(app.page.get_by_test_id("stMetricValue").first).to_have_text("20")
    assert card.get_attribute("data-ref") == "m020"
    counts = workbench.pairs.counts(sheets["pace"])
    assert (counts.approved, counts.pending) == (20, 20)
    app.press(*"r" * 20, pause=30)
    expect(card.locator(".done b")).to_have_text("Everything is reviewed")
    expect(app.page.get_by_test_id("stMetricValue").first).to_have_text("0")
    assert workbench.pairs.counts(sheets["pace"]).rejected == 20


def test_a_decision_right_before_leaving_the_page_is_kept(app, workbench, sheets, expect):
    open_card(app, sheets["leave"])
    app.press("a", "a")
    app.page.get_by_test_id("stSidebarNav").get_by_role("link", name="Prompt templates").click()
    expect(app.page.get_by_role("heading", level=1, name="Prompt templates")).to_be_visible()
    app.settle()
    assert workbench.pairs.counts(sheets["leave"]).approved == 2


def test_a_refused_decision_comes_back_with_its_reason(app, workbench, sheets, expect):
    card = open_card(app, sheets["refused"])
    pair = workbench.pairs.queue(sheets["refused"])[0]
    workbench.pairs.decide([Decision(pair.id, "reject", pair.row_version)], by=BEN)
    app.press("a")
    expect(card.locator(".notice span")).to_have_text(f"Item m000 was just changed by {BEN}.")
    assert statuses(workbench, sheets["refused"])["m000"] == "rejected"
    app.press("a")
    expect(card.locator(".place")).to_have_text("38 of 40 pending")


def test_undo_brings_the_item_back_again_and_again(app, workbench, sheets, expect):
    card = open_card(app, sheets["undo"])
    app.press("a", "r", "u", "u")
    assert card.get_attribute("data-ref") == "m000"
    expect(card.locator(".place")).to_have_text("40 of 40 pending")
    app.press("r")
    eventually(lambda: statuses(workbench, sheets["undo"])["m000"] == "rejected")
    expect(app.page.get_by_test_id("stMetricValue").first).to_have_text("39")
    assert not card.locator(".notice").is_visible()


def test_undo_knows_my_latest_decision_after_a_reload(app, workbench, sheets, expect):
    open_card(app, sheets["reload"])
    app.press("a", "a")
    expect(app.page.get_by_test_id("stMetricValue").first).to_have_text("38")
    card = open_card(app, sheets["reload"])
    assert card.get_attribute("data-ref") == "m002"
    app.press("u")
    expect(card).to_have_attribute("data-ref", "m001")
    assert workbench.pairs.counts(sheets["reload"]).approved == 1


def test_replacing_a_canonical_label_asks_first(app, workbench, sheets, expect):
    """TS-9: in a single review a label that differs is replaced only after a confirmation."""
    pair = workbench.pairs.queue(sheets["conflict"])[0]
    workbench.pairs.decide([Decision(pair.id, "approve", pair.row_version)], by=ANN)
    card = open_card(app, sheets["second"])
    expect(card.locator(".badges")).to_contain_text("Canonical: spam")
    app.press("2", "a")
    expect(card.locator(".confirm")).to_contain_text("Replace it with “ham”?")
    app.press("Escape")
    assert card.get_attribute("data-ref") == "m000"
    app.press("a", "Enter")
    expect(app.page.get_by_test_id("stMetricValue").first).to_have_text("39")
    (label,) = workbench.canonical_labels.lookup(pair.sheet_id, ["m000"], "class_conflict").values()
    assert (label.answer, label.version) == ("ham", 2)


def test_an_empty_answer_is_not_approved_but_asked_for(app, workbench, sheets, expect):
    card = open_card(app, sheets["text"])
    app.press("a")
    field = card.get_by_label("Edit the answer")
    expect(field).to_be_focused()
    app.press("Control+Enter")
    expect(card.locator(".fault")).to_have_text("The answer is empty.")
    app.page.keyboard.type("A prize that nobody asked for")
    app.press("Control+Enter")
    expect(card).to_have_attribute("data-ref", "m001")
    expect(app.page.get_by_test_id("stMetricValue").first).to_have_text("39")
    first = workbench.pairs.find(sheets["text"])[0]
    assert (first.answer, first.review_status) == ("A prize that nobody asked for", ReviewStatus.EDITED)


def test_an_answer_that_is_no_json_stays_in_the_editor(app, workbench, sheets, expect):
    card = open_card(app, sheets["json"])
    app.press("e")
    card.get_by_role("button", name="JSON text").click()
    card.get_by_label("Edit the answer").fill("topic: prize")
    app.press("Control+Enter")
    expect(card.locator(".form > .fault")).to_contain_text("This is not JSON")
    card.get_by_label("Edit the answer").fill('{"topic": "prize", "urgent": "no"}')
    app.press("Control+Enter")
    expect(app.page.get_by_test_id("stMetricValue").first).to_have_text("39")
    assert workbench.pairs.find(sheets["json"])[0].quality_score == 1


def test_typing_is_not_deciding(app, workbench, sheets, expect):
    card = open_card(app, sheets["typing"])
    app.press("f")
    app.page.keyboard.type("are far rare")
    app.press("Escape", "?", "Escape")
    assert card.get_attribute("data-ref") == "m000"
    app.press("h")
    expect(app.page.get_by_role("dialog")).to_contain_text("Nobody has decided about this pair yet.")
    app.press("a", "r")
    app.press("Escape")
    expect(app.page.get_by_role("dialog")).to_have_count(0)
    assert workbench.pairs.counts(sheets["typing"]).pending == 40


def test_a_key_held_down_decides_once(app, workbench, sheets, expect):
    open_card(app, sheets["held"])
    for _ in range(8):
        app.page.keyboard.down("a")
    app.page.keyboard.up("a")
    expect(app.page.get_by_test_id("stMetricValue").first).to_have_text("39")
    app.settle()
    assert workbench.pairs.counts(sheets["held"]).approved == 1


def test_hostile_text_is_text_on_the_card_and_in_the_grid(app, workbench, sheets, expect):
    card = open_card(app, sheets["grid"])
    expect(card.locator(".value").first).to_contain_text("<img src=x onerror=")
    app.open(f"label?sheet={sheets['grid']}&view=list")
    grid = app.page.frame_locator("iframe[title='st_aggrid.AgGrid.agGrid']")
    first = workbench.pairs.queue(sheets["grid"])[0]
    expect(grid.locator(f".ag-row[row-id='{first.id}'] [col-id='c1']")).to_contain_text("<img src=x")
    for pair in workbench.pairs.queue(sheets["grid"])[:2]:
        grid.locator(f".ag-row[row-id='{pair.id}'] .ag-selection-checkbox input").click()
    expect(app.page.get_by_text("2 selected")).to_be_visible()
    app.page.get_by_role("button", name="Approve", exact=True).click()
    app.page.get_by_role("button", name="Approve 2 pairs").click()
    expect(app.page.get_by_test_id("stMetricValue").first).to_have_text("38")
    expect(grid.locator(f".ag-row[row-id='{first.id}']")).to_have_count(0)
    assert app.page.evaluate("window.hacked") is None
    assert [frame.evaluate("window.hacked") for frame in app.page.frames] == [None] * len(app.page.frames)


@pytest.mark.parametrize("app", [PHONE], indirect=True, ids=["phone"])
def test_a_phone_reviews_by_touch_without_sideways_scroll(app, workbench, sheets, expect):
    card = open_card(app, sheets["phone"])
    main = app.page.get_by_test_id("stMain")
    assert main.evaluate("element => element.scrollWidth <= element.clientWidth + 1")
    card.get_by_role("button", name="ham").tap()
    card.get_by_role("button", name="Approve").tap()
    expect(card).to_have_attribute("data-ref", "m001")
    expect(app.page.get_by_test_id("stMetricValue").first).to_have_text("39")
    assert workbench.pairs.find(sheets["phone"])[0].answer == "ham"
