"""The review card on the side of the server: what a log makes happen, which keys classes get, what travels."""

from __future__ import annotations

import pytest
import streamlit as st

from pages.components.review_card.classes import RESERVED_KEYS, CardClass, class_data
from pages.components.review_card.entries import Entry, carry_out, read_log
from pages.components.review_card.items import Around, item_data, shortened
from pages.components.review_card.window import card_key, card_window, queue_name
from tests.pages.conftest import ANN
from tests.review_data import mails, training_sheet
from workbench_core.pairs import BulkAction, Decision, PairFilter, ReviewStatus, Selection

BEN = "ben@example.com"


@pytest.fixture
def sheet(workbench, tmp_path):
    return training_sheet(workbench, mails(workbench, tmp_path))


@pytest.fixture
def act(workbench, sheet):
    """Carry out actions on pairs as their versions are now, or as they are given."""

    def do(*actions, by=ANN):
        entries = [
            Entry(number, action, pair.id if pair else "", pair.row_version if pair else 0, **more)
            for number, (action, pair, more) in enumerate(actions, 1)
        ]
        return carry_out(entries, workbench.pairs, sheet.id, by=by)

    return do


def keys(*classes):
    return [each["key"] for each in class_data(classes)]


def test_plain_names_get_the_digits_in_their_order():
    assert keys(*(f"class {number}" for number in range(11))) == [*"123456789", "", ""]


def test_a_class_keeps_its_own_key_unless_the_card_or_an_earlier_class_needs_it():
    made = [
        CardClass("a", hotkey="P"),
        CardClass("b", hotkey="A"),
        CardClass("c", hotkey="p"),
        CardClass("d", hotkey="2"),
    ]
    assert keys(*made) == ["p", "1", "3", "2"]
    assert all(keys(CardClass("x", hotkey=key)) == ["1"] for key in [*RESERVED_KEYS, "ab", " "])


def test_a_colour_is_a_colour_and_nothing_else():
    red, odd = class_data([CardClass("a", colour="#B42318"), CardClass("b", "B", "red; background: url(//x)")])
    assert (red["color"], red["title"], odd["color"], odd["title"]) == ("#B42318", "a", "", "B")


def test_a_draft_is_kept_for_its_writer_and_changes_no_pair(workbench, sheet, act):
    pair = workbench.pairs.queue(sheet.id)[0]
    (reply,) = act(("draft", pair, {"answer": "ham"}))
    assert reply.saved_at.startswith(str(workbench.pairs.drafts([pair.id], by=ANN)[pair.id].saved_at)[:10])
    assert workbench.pairs.get(pair.id) == pair
    assert workbench.pairs.drafts([pair.id], by=BEN) == {}
    act(("draft", pair, {"answer": ""}))
    assert workbench.pairs.drafts([pair.id], by=ANN) == {}


def test_a_draft_of_a_pair_that_is_gone_answers_with_the_reason(act, workbench, sheet):
    (reply,) = carry_out([Entry(1, "draft", "gone", 1, "x")], workbench.pairs, sheet.id, by=ANN)
    assert "This pair does not exist." in reply.reason


def test_a_draft_between_decisions_does_not_change_their_order(workbench, sheet, act):
    a, b = workbench.pairs.queue(sheet.id)[:2]
    replies = act(("approve", a, {}), ("draft", b, {"answer": "ham"}), ("edit", b, {"answer": "ham"}))
    assert [reply.reason for reply in replies] == ["", "", ""]
    assert workbench.pairs.drafts([b.id], by=ANN) == {}


def test_a_refused_decision_tells_who_made_what_of_the_pair(workbench, sheet, act):
    pair = workbench.pairs.queue(sheet.id)[0]
    workbench.pairs.decide([Decision(pair.id, "edit", pair.row_version, "ham")], by=BEN)
    (reply,) = act(("approve", pair, {}))
    assert BEN in reply.reason
    assert reply.change is not None
    assert (reply.change.by, reply.change.status, reply.change.answer) == (BEN, "edited", "ham")
    assert reply.change.row_version == pair.row_version + 1


def test_a_refusal_that_nobody_else_caused_tells_of_no_change(workbench, sheet, act):
    pair = workbench.pairs.queue(sheet.id)[0]
    (reply,) = act(("edit", pair, {"answer": "no class"}))
    assert reply.reason
    assert reply.change is None


def test_redo_does_the_undone_decision_again_and_says_so(workbench, sheet, act):
    pair = workbench.pairs.queue(sheet.id)[0]
    act(("reject", pair, {}))
    act(("undo", None, {}))
    (reply,) = act(("redo", None, {}))
    assert (reply.focus, reply.words) == (pair.id, f"Done again: reject of item {pair.item_ref}.")
    assert workbench.pairs.get(pair.id).review_status is ReviewStatus.REJECTED
    (again,) = act(("redo", None, {}))
    assert "nothing to redo" in again.reason


def test_a_redo_that_comes_again_does_no_harm(workbench, sheet, act):
    pair = workbench.pairs.queue(sheet.id)[0]
    act(("reject", pair, {}))
    act(("undo", None, {}))
    seen = workbench.pairs.get(pair.id)
    assert act(("redo", seen, {}))[0].reason == ""
    assert act(("redo", seen, {}))[0].reason == "This item changed since your decision."


def test_undo_and_redo_of_a_bulk_action_count_its_pairs(workbench, sheet, act):
    pending = Selection(sheet.id, wanted=PairFilter(statuses=(ReviewStatus.PENDING,)))
    workbench.pairs.decide_all(pending, BulkAction("approve"), by=ANN)
    assert act(("undo", None, {}))[0].words == "Undone: approve of 12 pairs."
    assert act(("redo", None, {}))[0].words == "Done again: approve of 12 pairs."
    assert workbench.pairs.counts(sheet.id).approved == 12


def test_what_a_browser_may_send_that_is_no_entry_is_left_out():
    good = {"seq": 1, "action": "draft", "pair_id": "p", "row_version": 1, "answer": "x"}
    bad = [{**good, "seq": "1"}, {**good, "action": "drop"}, {**good, "row_version": None}, "x", None]
    nonce, entries = read_log({"nonce": "n", "entries": [*bad, good]})
    assert (nonce, [entry.answer for entry in entries]) == ("n", ["x"])
    assert read_log(None) == read_log({"entries": {}}) == ("", [])


def test_the_mark_of_an_item_is_another_one_as_soon_as_anything_about_it_changes(workbench, sheet):
    pair = workbench.pairs.queue(sheet.id)[0]
    first = item_data(pair, Around())
    assert first["mark"] == item_data(pair, Around())["mark"]
    assert first["mark"] != item_data(pair, Around(comments=1))["mark"]
    workbench.pairs.keep_draft(pair.id, "ham", by=ANN, row_version=pair.row_version)
    draft = workbench.pairs.drafts([pair.id], by=ANN)[pair.id]
    assert first["mark"] != item_data(pair, Around(draft=draft))["mark"]


def test_the_first_answer_travels_only_when_it_was_another_one(workbench, sheet):
    pair = workbench.pairs.queue(sheet.id)[0]
    assert item_data(pair, Around())["original"] is None
    workbench.pairs.decide([Decision(pair.id, "edit", pair.row_version, "ham")], by=ANN)
    assert item_data(workbench.pairs.get(pair.id), Around())["original"] == "spam"


def test_long_texts_are_cut_and_say_so():
    assert shortened("x" * 30, 10) == f"{'x' * 10}\n… 20 more characters; the history shows them all."


def test_the_window_goes_on_behind_what_was_put_off_and_comes_back_to_it(workbench, sheet, monkeypatch):
    def window(after, queue="pending"):
        log = {"after": after, "queue": queue_name(sheet.id, "pending")}
        monkeypatch.setattr(st, "session_state", {card_key(sheet.id): {"log": log}})
        found = card_window(
            sheet.id, queue, lambda after, limit: workbench.pairs.queue(sheet.id, after=after, limit=limit), limit=5
        )
        return [pair.sequence_number for pair in found.pairs], found.after, found.is_cut

    assert window(0) == ([1, 2, 3, 4, 5], 0, True)
    assert window(3) == ([4, 5, 6, 7, 8], 3, True)
    assert window(9) == ([10, 11, 12, 1, 2], 9, True)
    assert window(9, "flagged") == ([1, 2, 3, 4, 5], 0, True)
    assert window("x") == window(-1) == window(0)
