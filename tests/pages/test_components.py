"""The parts that pages share: logs of the browser are carried out once, grids and labels show hostile text as text."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal

import pandas as pd
import pytest

from pages.components.browser_log import Ledger
from pages.components.grid import GridColumn, _browser_frame, _definition, _returned
from pages.components.records import parsed, pretty
from pages.components.review_card.entries import Entry, _groups
from pages.components.words import plain

HOSTILE = "::JSCODE::alert(1)::JSCODE::"


@dataclass(frozen=True)
class Press:
    number: int


def test_a_log_is_carried_out_once_in_its_order_however_often_it_comes():
    ledger, done = Ledger(), []

    def act(fresh):
        done.extend(press.number for press in fresh)
        return [f"reply {press.number}" for press in fresh]

    ledger.once("n", [Press(2), Press(1)], act)
    ledger.once("n", [Press(1), Press(2), Press(3)], act)
    ledger.once("other", [Press(1)], act)
    assert done == [1, 2, 3, 1]
    assert ledger.answered("n") == (3, ["reply 1", "reply 2", "reply 3"])
    assert ledger.answered("unknown") == (0, [])


def test_two_runs_at_the_same_time_do_not_carry_out_the_same_entry():
    ledger, done = Ledger(), []

    def slow(fresh):
        time.sleep(0.05)
        done.extend(press.number for press in fresh)
        return ()

    logs = [[Press(number) for number in range(1, last + 1)] for last in (3, 5, 4)]
    threads = [threading.Thread(target=ledger.once, args=("n", log, slow)) for log in logs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(done) == [1, 2, 3, 4, 5]


def test_an_entry_whose_action_fails_is_not_tried_for_ever():
    ledger, tried = Ledger(), []

    def fail(fresh):
        tried.append(len(fresh))
        raise ValueError

    with pytest.raises(ValueError, match=""):
        ledger.once("n", [Press(1)], fail)
    ledger.once("n", [Press(1)], fail)
    assert tried == [1]


def test_decisions_go_together_but_never_across_an_undo_or_twice_for_one_pair():
    def entry(number, action, pair, replaces=False):
        return Entry(number, action, pair, 1, replaces_label=replaces)

    log = [
        entry(1, "approve", "a"), entry(2, "reject", "b"), entry(3, "undo", "b"), entry(4, "approve", "b"),
        entry(5, "reopen", "b"), entry(6, "edit", "c", replaces=True),
    ]  # fmt: skip
    assert [[each.number for each in group] for group in _groups(log)] == [[1, 2], [3], [4], [5], [6]]


def test_grid_values_are_ones_that_every_browser_can_show():
    frame = pd.DataFrame(
        {
            "id": ["a", "b"],
            "kind": pd.Categorical(["x", "y"]),
            "day": [date(2026, 1, 5), None],
            "time": [datetime(2026, 1, 5, 9, tzinfo=UTC), pd.NaT],
            "money": [Decimal("1.5"), None],
            "nested": [{"a": 1}, [1, 2]],
            "mixed": [1, "x"],
            "big": [2**60, 1],
            "maybe": pd.array([True, None], dtype="boolean"),
        }
    )
    shown = _browser_frame(frame, "id", [GridColumn(name) for name in frame.columns])
    assert [list(shown[column]) for column in shown.columns[2:]] == [
        ["x", "y"],
        ["2026-01-05", None],
        ["2026-01-05 09:00", None],
        [1.5, None],
        ['{"a": 1}', "[1, 2]"],
        ["1", "x"],
        [str(2**60), "1"],
        [True, None],
    ]


def test_no_title_or_option_can_become_code():
    column = GridColumn("a.b", HOSTILE, options=(HOSTILE, f":{HOSTILE}"), is_editable=True)
    made = _definition(0, column)
    assert made["field"] == "c0"
    assert "::" not in str([made["headerName"], made["cellEditorParams"]])


def test_edits_of_a_grid_are_given_out_once_and_only_for_editable_columns():
    columns = [GridColumn("text", is_editable=True), GridColumn("fixed")]
    shown = pd.DataFrame({"id": ["r1"], "c0": ["old"], "c1": ["x"]})
    log = [
        {"seq": 1, "row": "r1", "col": "c0", "old": "old", "new": "new"},
        {"seq": 2, "row": "r1", "col": "c1", "old": "x", "new": "y"},
        "junk",
    ]
    raw, saved = {"nonce": "grid-test", "edits": log, "selected": ["r1", "gone"]}, []
    first = _returned(raw, shown, columns, save=saved.extend)
    again = _returned(raw, shown, columns, save=saved.extend)
    assert [(edit.row_id, edit.column, edit.before, edit.after) for edit in first.cells] == [
        ("r1", "text", "old", "new")
    ]
    assert (first.selected, again.cells, len(saved)) == (("r1",), (), 1)


@pytest.mark.parametrize("text", ["**b** $x$ :red[x] <i>", "# head", "[a](http://evil.example)", "1. one", "`code`"])
def test_plain_text_keeps_its_words_but_no_meaning(text):
    shown = plain(text)
    assert "\\" in shown
    assert shown.replace("\\", "").replace("\u2060", "") == text


def test_addresses_do_not_become_links():
    assert "://" not in plain("https://evil.example").replace("\\", "")
    assert "@e" not in plain("ann@example.com")


def test_a_name_cannot_become_an_icon_or_a_picture_sign():
    for text in (":material/home:", "about :tada: us", ":+1:", ":streamlit:"):
        shown = plain(text).replace("\\", "")
        assert ":\u2060" in shown and shown.replace("\u2060", "") == text
    assert plain("12:30:45") == "12\\:30\\:45"


def test_only_objects_and_lists_are_laid_out_as_json():
    assert pretty('{"b": 1}') == '{\n  "b": 1\n}'
    assert (pretty("spam"), pretty("{broken"), parsed("12")) == ("spam", "{broken", None)


def test_a_new_order_of_rows_is_told_once_and_only_when_it_holds_every_row():
    columns, told = [GridColumn("name"), GridColumn("use", kind="check", is_editable=True)], []
    shown = pd.DataFrame({"id": ["a", "b", "c"], "c0": ["a", "b", "c"], "c1": [True, True, False]})
    log = [{"seq": 1, "order": ["c", "a", "b"]}, {"seq": 2, "order": ["c", "a"]}, {"seq": 3, "order": "nonsense"}]
    raw = {"nonce": "grid-order-test", "edits": log}
    assert _returned(raw, shown, columns, save=None, arrange=told.append).order == ("c", "a", "b")
    assert _returned(raw, shown, columns, save=None, arrange=told.append).order == ()
    assert told == [("c", "a", "b")]


def test_a_picture_column_takes_addresses_of_this_app_only_and_makes_its_rows_higher():
    from pages.components.grid import _PICTURE, _options

    options = _options([GridColumn("photo", kind="picture")], None)
    assert options["rowHeight"] > 60
    assert "startsWith('/pictures/')" in _PICTURE
    assert "innerHTML" not in _PICTURE
