"""The review card with everything on it: keys of classes, forms, drafts, changes, skip and redo, two on one pair.

The card is alone on its page here (`review_card_app.py`); the Label page around it has tests of its own.
"""

from __future__ import annotations

import json
import os
import random
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from types import SimpleNamespace
from urllib.parse import quote

import pytest

from tests.browser.conftest import ROOT, App, _ready, tab
from tests.review_data import ANN, mails, training_sheet
from workbench_core.pairs import BulkAction, Decision, PairFilter, ReviewStatus, Selection
from workbench_core.prompt_templates import AnswerSource, OutputField
from workbench_core.settings import read_settings
from workbench_core.workbench import open_workbench

BEN = "ben@example.com"
PHONE = {"viewport": {"width": 390, "height": 844}, "is_mobile": True, "has_touch": True}
COUNT = 130
LABELS = ("burst", "keys", "crash", "skip", "redo", "bulk", "theirs", "mine", "other", "many", "phone", "leave")
SCHEMA = {
    "type": "object",
    "properties": {
        "topic": {"type": "string", "description": "What the mail is about", "minLength": 3},
        "score": {"type": "integer", "minimum": 0, "maximum": 10},
        "urgent": {"type": "boolean"},
        "tone": {"type": "string", "enum": ["friendly", "neutral", "angry"]},
        "flags": {"type": "array", "items": {"enum": ["prize", "money", "link"]}},
        "names": {"type": "array", "items": {"type": "string"}},
        "sender": {"type": "object", "properties": {"name": {"type": "string"}, "deep": {"type": "object"}}},
    },
    "required": ["topic"],
}


@pytest.fixture(scope="module")
def desk(tmp_path_factory) -> Iterator[SimpleNamespace]:
    """The card's own app over a home of its own, its store, and a training sheet for each test."""
    home = tmp_path_factory.mktemp("card")
    workbench = open_workbench(read_settings({"WORKBENCH_HOME": str(home), "WORKBENCH_USER": ANN}))
    source, sheets = mails(workbench, home, count=COUNT), {}
    for name in LABELS:
        sheets[name] = training_sheet(workbench, source, name=name, label_type=f"class_{name}").id
    fields = (OutputField("topic"),)
    manual = {"answers": AnswerSource.MANUAL, "label_classes": ()}
    sheets["changes"] = training_sheet(workbench, source, name="changes", label_type="changes", label_classes=()).id
    for name in ("text", "draft"):
        sheets[name] = training_sheet(workbench, source, name=name, label_type=name, **manual).id
    for name in ("form", "json"):
        sheets[name] = training_sheet(workbench, source, name=name, label_type=name, output_schema=fields, **manual).id
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    log = home / "card.log"
    command = [
        sys.executable, "-m", "streamlit", "run", "tests/browser/review_card_app.py", f"--server.port={port}",
        "--server.address=127.0.0.1", "--server.headless=true", "--client.showErrorDetails=full",
    ]  # fmt: skip
    environment = {**os.environ, "WORKBENCH_HOME": str(home), "WORKBENCH_USER": ANN}
    with log.open("wb") as output:
        process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=output, stderr=subprocess.STDOUT)
        try:
            url = _ready(process, f"http://127.0.0.1:{port}", log)
            yield SimpleNamespace(url=url, workbench=workbench, pairs=workbench.pairs, sheets=sheets)
        finally:
            process.terminate()
            process.wait(15)
            workbench.close()
    text = log.read_text(encoding="utf-8")
    assert "Traceback" not in text, text[-4000:]


@pytest.fixture
def app(desk, chromium, request) -> Iterator:
    with tab(chromium, desk.url, **getattr(request, "param", {})) as opened:
        yield opened
        opened.problems[:] = [each for each in opened.problems if "/app/static/" not in each]  # fonts lie beside app.py


def open_card(app, sheet_id, *, user="", **look):
    """Open the card of a training sheet; give the card."""
    app.open(f"?sheet={sheet_id}&look={quote(json.dumps(look))}" + (f"&user={user}" if user else ""))
    card = app.page.locator(".card[data-item]")
    card.wait_for()
    return card


def eventually(found, wanted):
    """Wait until the store has what the browser has sent."""
    until = time.monotonic() + 10
    while (last := found()) != wanted:
        assert time.monotonic() < until, last
        time.sleep(0.05)


def by_ref(desk, name):
    """The pairs of a training sheet by item."""
    return {pair.item_ref: pair for pair in desk.pairs.find(desk.sheets[name], limit=COUNT)}


def answer(desk, name, ref, text, *, by=ANN, action="edit"):
    """A decision that somebody made elsewhere."""
    pair = by_ref(desk, name)[ref]
    result = desk.pairs.decide([Decision(pair.id, action, pair.row_version, text)], by=by, replace_labels=True)
    assert not result.refused


def test_a_hundred_presses_at_thirty_milliseconds_lose_none_and_hit_no_other_item(app, desk):
    card = open_card(app, desk.sheets["burst"], limit=40)
    chance, wanted = random.Random(3), {}
    for _ in range(100):
        key = chance.choice("ar")
        wanted[card.get_attribute("data-ref")] = {"a": "approved", "r": "rejected"}[key]
        app.press(key, pause=30)
    assert len(wanted) == 100
    eventually(lambda: desk.pairs.counts(desk.sheets["burst"]).pending, COUNT - 100)
    decided = {ref: pair for ref, pair in by_ref(desk, "burst").items() if pair.review_status != "pending"}
    assert {ref: pair.review_status.value for ref, pair in decided.items()} == wanted


def test_classes_have_titles_and_keys_of_their_own_but_never_one_the_card_needs(app, desk, expect):
    classes = [
        {"name": "spam", "title": "Spam & fraud", "colour": "#B42318", "hotkey": "p", "description": "Unasked for."},
        {"name": "ham", "title": "Wanted mail", "hotkey": "a"},
    ]
    card = open_card(app, desk.sheets["keys"], classes=classes)
    expect(card.get_by_role("button", name="Spam & fraud P")).to_be_visible()
    expect(card.get_by_role("button", name="Wanted mail 2")).to_be_visible()
    expect(card.locator(".about")).to_have_text("Unasked for.")
    app.press("2")
    expect(card.locator(".answer")).to_have_text("Spam & fraud Wanted mail")
    app.press("p", "a")
    eventually(lambda: by_ref(desk, "keys")["m000"].answer, "spam")
    app.press("p", "a")
    eventually(lambda: by_ref(desk, "keys")["m001"].answer, "spam")
    assert by_ref(desk, "keys")["m001"].review_status is ReviewStatus.EDITED


def test_the_form_says_at_the_field_what_is_wrong_and_saves_what_was_typed(app, desk, expect):
    card = open_card(app, desk.sheets["form"], schema=SCHEMA)
    app.press("e")
    topic = card.get_by_label("topic")
    expect(topic).to_be_focused()
    topic.fill("ab")
    card.get_by_label("score").fill("eleven")
    app.press("Control+Enter")
    expect(card.locator("[data-field=topic] .fault")).to_have_text("At least 3 characters.")
    expect(card.locator("[data-field=score] .fault")).to_have_text("Give a whole number.")
    topic.fill("a prize")
    card.get_by_label("score").fill("7")
    card.get_by_text("Yes", exact=True).click()
    card.get_by_text("angry", exact=True).click()
    card.get_by_text("money", exact=True).click()
    card.get_by_label("names").fill("Ann\nBen")
    card.get_by_label("name optional").fill("Desk")
    app.press("Control+Enter")
    expect(card).to_have_attribute("data-ref", "m001")
    eventually(lambda: by_ref(desk, "form")["m000"].review_status.value, "edited")
    assert json.loads(by_ref(desk, "form")["m000"].answer) == {
        "topic": "a prize", "score": 7, "urgent": True, "tone": "angry", "flags": ["money"],
        "names": ["Ann", "Ben"], "sender": {"name": "Desk"},
    }  # fmt: skip


def test_between_form_and_json_text_nothing_is_lost(app, desk, expect):
    card = open_card(app, desk.sheets["json"], schema=SCHEMA)
    value = {
        "topic": "prize",
        "score": "many",
        "names": ["a\nb"],
        "unknown": [1, {"x": None}],
        "sender": {"deep": {"y": 2}},
    }
    app.press("e")
    card.get_by_role("button", name="JSON text").click()
    field = card.get_by_label("Edit the answer")
    field.fill("{")
    card.get_by_role("button", name="Form", exact=True).click()
    expect(card.locator(".form > .fault")).to_contain_text("This is not JSON")
    field.fill(json.dumps(value))
    card.get_by_role("button", name="Form", exact=True).click()
    expect(card.get_by_label("score")).to_have_value("many")
    expect(card.locator(".form > .fields")).to_contain_text("Kept as they are, to change as JSON text: unknown")
    card.get_by_label("topic").fill("a big prize")
    card.get_by_role("button", name="JSON text").click()
    assert json.loads(field.input_value()) == value | {"topic": "a big prize"}
    app.press("Control+Enter")
    expect(card.locator(".form > .fault")).to_contain_text("score: Give a whole number.")
    expect(card.locator(".form > .fault")).to_contain_text("Save once more")
    app.press("Control+Enter")
    expect(card).to_have_attribute("data-ref", "m001")
    eventually(lambda: json.loads(by_ref(desk, "json")["m000"].answer or "{}"), value | {"topic": "a big prize"})


def test_a_draft_is_saved_while_typing_and_is_there_after_a_reload(app, desk, expect):
    card = open_card(app, desk.sheets["draft"])
    app.press("e")
    app.page.keyboard.type("Half of an answer")
    expect(card.locator(".form .saved")).to_contain_text("Saved as draft")
    pair = by_ref(desk, "draft")["m000"]
    assert (pair.answer, desk.pairs.drafts([pair.id], by=ANN)[pair.id].answer) == ("", "Half of an answer")
    assert not desk.pairs.drafts([pair.id], by=BEN)
    card = open_card(app, desk.sheets["draft"])
    expect(card.locator(".answer")).to_have_text("Half of an answer")
    expect(card.locator(".draft-row .saved")).to_contain_text("Saved as draft")
    app.press("e")
    app.page.keyboard.press("End")
    app.page.keyboard.type(" and the rest")
    app.press("Control+Enter")
    expect(card).to_have_attribute("data-ref", "m001")
    eventually(lambda: by_ref(desk, "draft")["m000"].answer, "Half of an answer and the rest")
    eventually(lambda: desk.pairs.drafts([pair.id], by=ANN), {})


def test_a_draft_survives_leaving_the_item_and_can_be_discarded(app, desk, expect):
    card = open_card(app, desk.sheets["text"])
    app.press("e")
    app.page.keyboard.type("first thoughts")
    app.press("Escape", "j", "k")
    expect(card.locator(".answer")).to_have_text("first thoughts")
    pair = by_ref(desk, "text")["m000"]
    eventually(lambda: [draft.answer for draft in desk.pairs.drafts([pair.id], by=ANN).values()], ["first thoughts"])
    card.get_by_role("button", name="Discard draft").click()
    expect(card.locator(".answer")).to_have_text("No answer yet.")
    eventually(lambda: desk.pairs.drafts([pair.id], by=ANN), {})
    assert desk.pairs.counts(desk.sheets["text"]).pending == COUNT


def test_a_chosen_class_is_there_after_the_browser_crashed(app, desk, chromium, expect):
    card = open_card(app, desk.sheets["crash"])
    app.press("2")
    expect(card.locator(".draft-row .saved")).to_contain_text("Saved as draft")
    app.page.context.close()
    again = App(chromium.new_context().new_page(), desk.url)
    card = open_card(again, desk.sheets["crash"])
    expect(card.locator(".class-list [aria-pressed=true]")).to_contain_text("ham")
    again.press("a")
    eventually(lambda: by_ref(desk, "crash")["m000"].answer, "ham")
    again.page.context.close()


def test_changes_to_the_first_answer_are_shown_word_by_word(app, desk, expect):
    answer(desk, "changes", "m000", "It is spam for sure")
    answer(desk, "changes", "m000", None, action="reopen")
    answer(desk, "changes", "m000", "This mail is spam, not ham")
    answer(desk, "changes", "m000", None, action="reopen")
    card = open_card(app, desk.sheets["changes"])
    shown = by_ref(desk, "changes")["m000"]
    expect(card.locator(".answer ins").last).to_be_visible()
    without = "(box, tag) => [...box.childNodes].map(each => each.tagName === tag ? '' : each.textContent).join('')"
    assert card.locator(".answer").evaluate(without, "DEL") == shown.answer
    assert card.locator(".answer").evaluate(without, "INS") == shown.original_answer
    app.press("d")
    expect(card.locator(".answer ins")).to_have_count(0)
    expect(card.locator(".answer")).to_have_text(shown.answer)
    app.press("d")
    expect(card.locator(".answer ins").last).to_be_visible()


def test_skipped_items_come_back_at_the_end_of_the_queue(app, desk, expect):
    """More than the browser holds are put off; the queue goes on behind them and comes back to them."""
    ids = [pair.id for pair in desk.pairs.queue(desk.sheets["skip"], limit=COUNT)][10:]
    desk.pairs.decide([Decision(pair_id, "reject", 1) for pair_id in ids], by=BEN)
    card = open_card(app, desk.sheets["skip"], limit=4)
    for number in range(6):
        expect(card).to_have_attribute("data-ref", f"m{number:03d}")
        app.press("s", pause=300)
        app.settle()
    for number in [6, 7, 8, 9, 0, 1]:
        expect(card).to_have_attribute("data-ref", f"m{number:03d}")
        app.press("a")
    expect(card).to_have_attribute("data-ref", "m002")
    eventually(lambda: desk.pairs.counts(desk.sheets["skip"]).pending, 4)
    assert by_ref(desk, "skip")["m002"].review_status is ReviewStatus.PENDING


def test_redo_does_again_what_was_undone_even_after_a_reload(app, desk, expect):
    card = open_card(app, desk.sheets["redo"])
    app.press("a", "r", "u", "u")
    expect(card).to_have_attribute("data-ref", "m000")
    app.press("Shift+U", "Shift+U")
    expect(card).to_have_attribute("data-ref", "m002")
    eventually(lambda: by_ref(desk, "redo")["m001"].row_version, 4)
    assert desk.pairs.counts(desk.sheets["redo"]).rejected == 1
    app.press("u")
    eventually(lambda: by_ref(desk, "redo")["m001"].row_version, 5)
    card = open_card(app, desk.sheets["redo"])
    app.press("Shift+U")
    expect(card.locator(".notice span")).to_have_text("Done again: reject of item m001.")
    eventually(lambda: desk.pairs.counts(desk.sheets["redo"]).rejected, 1)


def test_decisions_right_before_a_reload_are_carried_out_once(app, desk):
    open_card(app, desk.sheets["leave"])
    app.press(*"aaaaaaaaaa")
    app.page.reload()
    app.settle()
    eventually(lambda: desk.pairs.counts(desk.sheets["leave"]).approved, 10)
    assert all(len(desk.pairs.reviews(pair.id)) <= 1 for pair in by_ref(desk, "leave").values())


def test_undo_of_a_bulk_action_says_how_many_pairs_it_was(app, desk, expect):
    sheet_id = desk.sheets["bulk"]
    everything = Selection(sheet_id, wanted=PairFilter(statuses=(ReviewStatus.PENDING,)))
    desk.pairs.decide_all(everything, BulkAction("approve"), by=ANN)
    card = open_card(app, sheet_id)
    expect(card.locator(".done b")).to_have_text("Everything is reviewed")
    app.press("u")
    expect(card.locator(".notice span")).to_have_text(f"Undone: approve of {COUNT} pairs.")
    expect(card.locator(".place")).to_have_text(f"{COUNT} of {COUNT} pending")
    assert card.get_attribute("data-ref") == "m000"


def test_the_second_of_two_people_hears_who_was_first_and_keeps_theirs(app, desk, expect):
    card = open_card(app, desk.sheets["theirs"])
    answer(desk, "theirs", "m000", None, by=BEN, action="reject")
    app.press("2", "a")
    expect(card.locator(".notice span")).to_contain_text(f"Item m000 was just changed by {BEN}")
    card.get_by_role("button", name="Show item").click()
    panel = card.locator(".conflict")
    expect(panel).to_contain_text(f"{BEN} rejected this item at")
    expect(panel).to_contain_text("You wanted to approve it as: ham")
    app.press("a")
    expect(panel).to_be_visible()
    app.press("t")
    expect(card).to_have_attribute("data-ref", "m001")
    assert by_ref(desk, "theirs")["m000"].review_status is ReviewStatus.REJECTED


def test_the_second_of_two_people_decides_again_and_loses_nothing_typed(app, desk, expect):
    card = open_card(app, desk.sheets["mine"])
    answer(desk, "mine", "m000", None, by=BEN, action="reject")
    app.press("2", "a")
    expect(card.locator(".notice")).to_be_visible()
    card.get_by_role("button", name="Show item").click()
    app.press("m")
    expect(card).to_have_attribute("data-ref", "m001")
    eventually(lambda: by_ref(desk, "mine")["m000"].answer, "ham")
    pair = by_ref(desk, "mine")["m000"]
    assert (pair.review_status, pair.reviewed_by) == (ReviewStatus.EDITED, ANN)
    assert not card.locator(".notice").is_visible()


def test_labels_of_other_types_and_comments_are_within_reach(app, desk, expect):
    others = {"language": "English", "topics": '["a", "b"]'}
    card = open_card(app, desk.sheets["other"], others=others, comments=3)
    expect(card.locator(".chip")).to_have_text(["language: English", 'topics: ["a", "b"]'])
    expect(card.get_by_role("button", name="Comments 3")).to_be_visible()
    app.press("c")
    expect(app.page.get_by_text("Comments on m000")).to_be_visible()
    app.press("h")
    expect(app.page.get_by_text("History of m000")).to_be_visible()


def test_sixty_classes_with_long_descriptions_stay_usable(app, desk, expect):
    card = open_card(app, desk.sheets["many"], many=60)
    box = card.bounding_box()
    assert box and box["height"] < 900
    card.get_by_label("Search a class").fill("59")
    expect(card.locator(".class-list button:visible")).to_have_text(["صنف رقم 59"])
    card.get_by_label("Search a class").press("Enter")
    expect(card.locator(".answer ins")).to_have_text("صنف رقم 59")


@pytest.mark.parametrize("app", [PHONE], indirect=True, ids=["phone"])
def test_a_thumb_reaches_every_decision(app, desk, expect):
    card = open_card(app, desk.sheets["phone"])
    main = app.page.get_by_test_id("stMain")
    assert main.evaluate("element => element.scrollWidth <= element.clientWidth + 1")
    approve = card.get_by_role("button", name="Approve")
    box = approve.bounding_box()
    assert box and box["height"] >= 44
    assert box["y"] + box["height"] <= 844
    approve.tap()
    card.get_by_role("button", name="Skip").tap()
    expect(card).to_have_attribute("data-ref", "m002")
    eventually(lambda: by_ref(desk, "phone")["m000"].review_status.value, "approved")
