"""Undo and redo (TS-9, TS-10): per person and training sheet, across reloads, with labels, never over others."""

from __future__ import annotations

import pytest

from tests.core.generation_parts import ANN, BEN, Parts
from tests.core.pair_steps import VALUES, decide, labels_of, made, pairs_in, state, states
from workbench_core import usage
from workbench_core.canonical_labels import LabelEntry
from workbench_core.errors import ChangedByOthers, Conflict
from workbench_core.pairs import Decision, QualityFlag, ReviewStatus


@pytest.fixture
def parts(tmp_path, clock):
    opened = Parts(tmp_path, clock=clock)
    yield opened
    opened.store.close()


@pytest.fixture
def sheet(parts):
    return made(parts, 6)


def without_link(found):
    """States without the id of the label, which is a new one when the label was written anew."""
    return [{name: value for name, value in one.items() if name != "canonical_label_id"} for one in found]


@pytest.mark.parametrize("action", ["approve", "edit", "reject", "flag", "set_flags", "save", "set_usage"])
def test_every_kind_of_step_is_undone_and_redone_after_a_reload(parts, sheet, clock, action):
    pair = pairs_in(parts, sheet)[0]
    before, labels_before = states(parts, sheet), labels_of(parts, pair.sheet_id)
    if action == "save":
        parts.pairs.save(pair.id, "ham", by=ANN, row_version=1)
    elif action == "set_usage":
        parts.pairs.set_usage([pair.id], usage.preset("personal_data"), by=ANN)
    else:
        assert decide(parts, pair, action, flags=(QualityFlag.PII,), **VALUES.get(action, {})).done
    after, labels_after = states(parts, sheet), labels_of(parts, pair.sheet_id)
    assert after != before
    for _ in range(3):
        reloaded = Parts(parts.folder, clock=clock)  # another process, or the page loaded again
        words = f"{action.replace('_', ' ')} of item {pair.item_ref}"
        assert reloaded.pairs.steps(sheet, by=ANN).undo == words
        undone = reloaded.pairs.undo(sheet, by=ANN)
        assert (undone.pair_id, undone.action, undone.pairs, undone.item_ref) == (pair.id, action, 1, pair.item_ref)
        assert (states(reloaded, sheet), labels_of(reloaded, pair.sheet_id)) == (before, labels_before)
        assert (reloaded.pairs.steps(sheet, by=ANN).undo, reloaded.pairs.steps(sheet, by=ANN).redo) == ("", words)
        assert reloaded.pairs.redo(sheet, by=ANN).pair_id == pair.id
        assert without_link(states(reloaded, sheet)) == without_link(after)
        assert labels_of(reloaded, pair.sheet_id) == labels_after
        reloaded.store.close()


def test_a_whole_session_walks_back_and_forth_in_order(parts, sheet):
    shots = [states(parts, sheet)]
    plan = [(0, "approve"), (1, "reject"), (2, "flag"), (2, "edit"), (0, "reopen"), (3, "approve"), (2, "reopen")]
    for number, action in plan:
        assert decide(parts, pairs_in(parts, sheet)[number], action, **VALUES.get(action, {})).done
        shots.append(states(parts, sheet))
    for _ in range(2):
        for shot in reversed(shots[:-1]):
            parts.pairs.undo(sheet, by=ANN)
            assert without_link(states(parts, sheet)) == without_link(shot)
        with pytest.raises(Conflict, match="no decision of yours"):
            parts.pairs.undo(sheet, by=ANN)
        for shot in shots[1:]:
            parts.pairs.redo(sheet, by=ANN)
            assert without_link(states(parts, sheet)) == without_link(shot)
        with pytest.raises(Conflict, match="nothing to redo"):
            parts.pairs.redo(sheet, by=ANN)


def test_a_new_decision_ends_what_could_be_redone_and_people_do_not_disturb_each_other(parts, sheet):
    first, second, third, *_ = pairs_in(parts, sheet)
    decide(parts, first, "approve")
    decide(parts, second, "reject", by=BEN)
    parts.pairs.undo(sheet, by=ANN)
    assert parts.pairs.steps(sheet, by=BEN).undo == "reject of item m00001"
    decide(parts, third, "approve", by=BEN)
    assert parts.pairs.redo(sheet, by=ANN).item_ref == "m00000"  # what others decide elsewhere changes nothing
    parts.pairs.undo(sheet, by=ANN)
    decide(parts, parts.pairs.get(first.id), "flag", note="odd")
    assert parts.pairs.steps(sheet, by=ANN).redo == ""
    with pytest.raises(Conflict, match="nothing to redo"):
        parts.pairs.redo(sheet, by=ANN)
    assert [review.action for review in parts.pairs.reviews(first.id)] == ["flag", "approve", "approve"]


def test_redo_is_refused_when_somebody_decided_or_labelled_since(parts, sheet):
    first, second, *_ = pairs_in(parts, sheet)
    decide(parts, first, "approve")
    parts.pairs.undo(sheet, by=ANN)
    decide(parts, parts.pairs.get(first.id), "reject", by=BEN)
    with pytest.raises(ChangedByOthers, match=f"Item m00000 was changed by {BEN} since your decision"):
        parts.pairs.redo(sheet, by=ANN)
    decide(parts, second, "approve", replace_labels=True)
    parts.pairs.undo(sheet, by=ANN)
    other = "ham" if second.answer == "spam" else "spam"
    parts.labels.label([LabelEntry("m00001", other)], sheet_id=second.sheet_id, label_type="mail_class", by=BEN)
    before = states(parts, sheet)
    with pytest.raises(ChangedByOthers, match=f"given the canonical label “{other}” by {BEN}"):
        parts.pairs.redo(sheet, by=ANN)
    assert states(parts, sheet) == before


def test_redo_of_a_replaced_label_replaces_it_again(parts, sheet):
    pair = pairs_in(parts, sheet)[0]
    parts.labels.label([LabelEntry("m00000", "ham")], sheet_id=pair.sheet_id, label_type="mail_class", by=BEN)
    decide(parts, pair, "approve", replace_labels=True)
    parts.pairs.undo(sheet, by=ANN)
    parts.pairs.redo(sheet, by=ANN)
    label = parts.labels.lookup(pair.sheet_id, ["m00000"], "mail_class")["m00000"]
    assert (label.answer, label.version) == ("spam", 4)
    parts.pairs.undo(sheet, by=ANN)
    assert labels_of(parts, pair.sheet_id)["m00000"][0] == "ham"


def test_undo_brings_back_the_error_that_an_answer_had_cleared(parts):
    parts.model.failing = frozenset({"m00001"})
    sheet = made(parts, 3)
    pair = pairs_in(parts, sheet)[1]
    assert pair.generation_error == "The model refused this item."
    decide(parts, pair, "edit", answer="ham")
    assert parts.pairs.get(pair.id).generation_error == ""
    parts.pairs.undo(sheet, by=ANN)
    assert state(parts.pairs.get(pair.id)) == state(pair)
    assert parts.pairs.counts(sheet).errors == 1


def test_decisions_of_the_time_before_steps_are_still_undone(parts, sheet):
    first, second, *_ = pairs_in(parts, sheet)
    before = states(parts, sheet)
    decide(parts, first, "edit", answer="ham")
    decide(parts, second, "flag", note="odd")
    parts.store.execute("UPDATE pair_reviews SET changes = ''", touches="pair_reviews")  # as older versions wrote them
    assert [parts.pairs.undo(sheet, by=ANN).action for _ in range(2)] == ["flag", "edit"]
    assert states(parts, sheet) == before
    assert labels_of(parts, first.sheet_id) == {}


def test_a_pair_that_is_decided_twice_is_undone_in_order(parts, sheet):
    pair = pairs_in(parts, sheet)[0]
    parts.pairs.decide([Decision(pair.id, "reject", 1), Decision(pair.id, "reopen", 2)], by=ANN)
    parts.pairs.undo(sheet, by=ANN)
    assert parts.pairs.get(pair.id).review_status is ReviewStatus.REJECTED
    parts.pairs.undo(sheet, by=ANN)
    assert state(parts.pairs.get(pair.id)) == state(pair)
