"""The history: appended, never changed, read newest first."""

from __future__ import annotations


def test_events_come_back_newest_first_with_their_details(history):
    history.add("sheet", "sheet-1", "create", by="ann", name="“Mails” 😀")
    history.add("sheet", "sheet-1", "publish", by="bob")
    history.add("sheet", "sheet-2", "create", by="ann")
    assert [(event.action, event.by) for event in history.of("sheet", "sheet-1")] == [
        ("publish", "bob"),
        ("create", "ann"),
    ]
    assert history.of("sheet", "sheet-1")[1].details == {"name": "“Mails” 😀"}
    assert [event.subject_id for event in history.recent(limit=2)] == ["sheet-2", "sheet-1"]


def test_many_records_take_one_call(history):
    history.add_many("pair", ["pair-1", "pair-2"], "approve", by="ann")
    history.add_many("pair", [], "approve", by="ann")
    assert len(history.recent()) == 2
