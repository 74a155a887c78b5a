"""The desk around decisions: who changed what, drafts, comments, every transition by every role, statistics (TS-15)."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.core.generation_parts import ANN, BEN, Parts
from tests.core.pair_steps import VALUES, bulk, decide, ids, labels_of, made, pairs_in, state
from workbench_core.errors import Invalid, NotFound, NotPermitted
from workbench_core.pairs import (
    LIFECYCLE,
    BulkAction,
    Decision,
    PairFilter,
    QualityFlag,
    ReviewStatus,
    Selection,
)
from workbench_core.permissions import Role


@pytest.fixture
def parts(tmp_path, clock):
    opened = Parts(tmp_path, clock=clock)
    yield opened
    opened.store.close()


@pytest.fixture
def sheet(parts):
    return made(parts, 6)


REVIEWERS = {Role.REVIEWER, Role.DATA_STEWARD, Role.ADMIN}
REACHED = {"approved": "approve", "edited": "edit", "rejected": "reject", "flagged": "flag"}


@pytest.mark.parametrize("role", list(Role))
def test_every_transition_by_every_role_ts_9(parts, role):
    """A reviewer does what the table has, everybody else nothing, in every status."""
    sheet = made(parts, len(ReviewStatus))
    parts.permissions.assign("kim", role, by=ANN)
    actions = [action for action in LIFECYCLE.table if action != "save"]
    for status, pair in zip(ReviewStatus, pairs_in(parts, sheet), strict=True):
        other = "ham" if pair.answer == "spam" else "spam"
        values = {"edit": {"answer": other}, "flag": {"note": "odd"}}
        if status in REACHED:
            assert decide(parts, pair, REACHED[status], **values.get(REACHED[status], {})).done
        for action in actions:
            present = parts.pairs.get(pair.id)
            given = {"answer": "ham" if present.answer == "spam" else "spam"} if action == "edit" else {}
            if role not in REVIEWERS:
                with pytest.raises(NotPermitted, match="may not review pairs"):
                    decide(parts, present, action, by="kim", **(given or VALUES.get(action, {})))
                assert parts.pairs.get(pair.id) == present
                continue
            done = decide(
                parts, present, action, by="kim", replace_labels=True, **(given or VALUES.get(action, {}))
            ).done
            allowed, to = LIFECYCLE.table[action]
            assert bool(done) is (status in allowed), (status, action)
            if done:
                assert parts.pairs.get(pair.id).review_status is to
                parts.pairs.undo(sheet, by="kim")
            assert state(parts.pairs.get(pair.id)) == state(present)


# --- two people ------------------------------------------------------------------------------------------------------


def test_the_second_person_is_told_who_changed_what_to_what_and_when(parts, sheet, clock):
    pair = pairs_in(parts, sheet)[0]
    clock.move(minutes=3)
    assert decide(parts, pair, "edit", answer="ham", by=BEN).done
    edited_at = parts.pairs.get(pair.id).updated_at
    late = decide(parts, pair, "approve", by=ANN)
    assert late.refused == {pair.id: f"Item m00000 was just changed by {BEN}."}
    change = late.changes[pair.id]
    assert (change.by, change.action, change.changed_at) == (BEN, "edit", edited_at)
    assert (change.status_before, change.status_after) == ("pending", "edited")
    assert (change.answer_before, change.answer_after) == ("spam", "ham")
    parts.pairs.undo(sheet, by=BEN)
    again = decide(parts, parts.pairs.get(pair.id), "approve", by=ANN)
    assert (again.done, dict(again.changes)) == ((pair.id,), {})
    gone = decide(parts, pair, "reject", by=BEN).changes[pair.id]
    assert (gone.by, gone.action, gone.status_after) == (ANN, "approve", "approved")


def test_a_decision_taken_back_by_its_author_is_a_change_too(parts, sheet):
    pair = pairs_in(parts, sheet)[0]
    decide(parts, pair, "reject", by=BEN)
    seen = parts.pairs.get(pair.id)
    parts.pairs.undo(sheet, by=BEN)
    change = decide(parts, seen, "reopen", by=ANN).changes[pair.id]
    assert (change.by, change.action, change.status_after) == (BEN, "undo", "pending")


def test_two_threads_that_decide_the_same_pairs_in_bulk_change_each_pair_once(tmp_path):
    parts = Parts(tmp_path)
    sheet = made(parts, 300)
    chosen = Selection(sheet, ids(pairs_in(parts, sheet)))

    def press(order):
        return bulk(parts, chosen, BulkAction(order[0]), by=order[1])[1]

    with ThreadPoolExecutor(2) as pool:
        outcomes = list(pool.map(press, [("approve", ANN), ("reject", BEN)]))
    assert sorted(outcome.done for outcome in outcomes) == [0, 300]
    counts = parts.pairs.counts(sheet)
    assert {counts.approved, counts.rejected} == {0, 300}
    assert len(labels_of(parts, pairs_in(parts, sheet)[0].sheet_id)) == counts.approved
    reviews = parts.store.query("SELECT COUNT(*) AS n, COUNT(DISTINCT pair_id) AS pairs FROM pair_reviews")
    assert reviews == [{"n": 300, "pairs": 300}]
    parts.store.close()


# --- drafts and comments ---------------------------------------------------------------------------------------------


def test_a_draft_is_kept_for_its_writer_until_they_decide(parts, sheet, clock):
    first, second, *_ = pairs_in(parts, sheet)
    saved_at = parts.pairs.keep_draft(first.id, "ha", by=ANN, row_version=1)
    assert parts.pairs.keep_draft(first.id, "ham, I think", by=ANN, row_version=1) > saved_at
    parts.pairs.keep_draft(first.id, "spam?", by=BEN, row_version=1)
    parts.pairs.keep_draft(second.id, "O'Neil “%_!” 🚀\n", by=ANN, row_version=1)
    reloaded = Parts(parts.folder, clock=clock)
    drafts = reloaded.pairs.drafts([first.id, second.id], by=ANN)
    assert {pair_id: draft.answer for pair_id, draft in drafts.items()} == {
        first.id: "ham, I think", second.id: "O'Neil “%_!” 🚀\n",
    }  # fmt: skip
    assert (drafts[first.id].row_version, parts.pairs.get(first.id)) == (1, first)  # the pair itself is as it was
    decide(parts, first, "edit", answer="ham")
    parts.pairs.keep_draft(second.id, "  ", by=ANN, row_version=1)
    assert parts.pairs.drafts([first.id, second.id], by=ANN) == {}
    assert parts.pairs.drafts([first.id], by=BEN)[first.id].answer == "spam?"
    with pytest.raises(NotFound):
        parts.pairs.keep_draft("ts-none-1", "x", by=ANN, row_version=1)
    with pytest.raises(Invalid, match="more than"):
        parts.pairs.keep_draft(first.id, "x" * 1_000_001, by=ANN, row_version=1)
    parts.permissions.assign("kim", Role.DATA_CONSUMER, by=ANN)
    with pytest.raises(NotPermitted):
        parts.pairs.keep_draft(first.id, "x", by="kim", row_version=1)
    reloaded.store.close()


def test_saving_and_bulk_decisions_end_a_draft_as_well(parts, sheet):
    first, second, *_ = pairs_in(parts, sheet)
    for pair in (first, second):
        parts.pairs.keep_draft(pair.id, "ham", by=ANN, row_version=1)
    parts.pairs.save(first.id, "ham", by=ANN, row_version=1)
    bulk(parts, Selection(sheet, wanted=PairFilter()), BulkAction("reject"))
    assert parts.pairs.drafts([first.id, second.id], by=ANN) == {}


def test_anybody_who_is_signed_in_comments(parts, sheet, clock):
    first, second, *_ = pairs_in(parts, sheet)
    parts.permissions.assign("kim", Role.DATA_CONSUMER, by=ANN)
    parts.pairs.comment(first.id, "  Is “50 %” a price?\n", by="kim")
    clock.move(seconds=1)
    parts.pairs.comment(first.id, "No. <b>'; DROP TABLE pairs; --</b> 🚀", by=BEN)
    assert [(one.by, one.text) for one in parts.pairs.comments(first.id)] == [
        ("kim", "Is “50 %” a price?"), (BEN, "No. <b>'; DROP TABLE pairs; --</b> 🚀"),
    ]  # fmt: skip
    assert parts.pairs.comment_counts([first.id, second.id]) == {first.id: 2}
    with pytest.raises(NotPermitted, match="Nobody is signed in"):
        parts.pairs.comment(first.id, "me", by="")
    for text, error in (("  ", Invalid), ("x" * 10_001, Invalid)):
        with pytest.raises(error):
            parts.pairs.comment(first.id, text, by=ANN)
    with pytest.raises(NotFound):
        parts.pairs.comment("ts-none-1", "hello", by=ANN)
    parts.pairs.keep_draft(second.id, "ham", by=ANN, row_version=1)
    parts.training_sheets.delete(sheet, by=ANN)
    for table in ("pair_comments", "pair_drafts", "review_steps", "former_usages"):
        assert parts.store.query(f"SELECT COUNT(*) AS n FROM {table}") == [{"n": 0}]


# --- statistics ------------------------------------------------------------------------------------------------------


def test_statistics_tell_progress_agreement_answers_and_pace_ts_15(parts, clock):
    sheet = made(parts, 10)  # every third is spam
    empty = parts.pairs.statistics(sheet)
    assert (empty.reviewed_share, empty.agreement, empty.reviewers, dict(empty.answers)) == (0, None, (), {})
    pairs = pairs_in(parts, sheet)
    for number, pair in enumerate(pairs[:4]):
        decide(parts, pair, "approve", by=ANN)
        clock.move(minutes=20 if number == 1 else 45)  # 9:00, 9:45, 10:05, 10:50
    decide(parts, pairs[4], "edit", answer="spam", by=BEN)
    decide(parts, pairs[5], "reject", by=BEN)
    parts.pairs.save(pairs[6].id, "ham", by=BEN, row_version=1)
    decide(parts, parts.pairs.get(pairs[7].id), "flag", note="odd", by=BEN)
    decide(parts, pairs[8], "approve", by=BEN)
    parts.pairs.undo(sheet, by=BEN)
    bulk(parts, Selection(sheet, ids(pairs[8:])), BulkAction("approve"), by=BEN)
    found = parts.pairs.statistics(sheet)
    assert (found.total, found.reviewed, found.reviewed_share) == (10, 8, 0.8)
    assert found.agreement == 6 / 8
    assert dict(found.answers) == {"spam": 4, "ham": 3} or dict(found.answers) == {"ham": 3, "spam": 4}
    assert (found.lengths.shortest, found.lengths.longest, found.other_answers) == (3, 4, 0)
    assert 3 < found.lengths.mean < 4
    ben, ann = sorted(found.reviewers, key=lambda one: one.by != BEN)
    assert (ann.by, ann.decisions, ann.per_hour, ann.agreement) == (ANN, 4, 2.0, 1.0)
    assert (ben.by, ben.decisions, ben.per_hour, ben.agreement) == (BEN, 5, 3.0, 0.5)


def test_flags_of_a_single_decision_stay_until_they_are_set_anew(parts, sheet):
    pair = pairs_in(parts, sheet)[0]
    decide(parts, pair, "flag", note="two classes", flags=(QualityFlag.AMBIGUOUS, QualityFlag.INCORRECT))
    flagged = parts.pairs.get(pair.id)
    assert flagged.quality_flags == (QualityFlag.AMBIGUOUS, QualityFlag.INCORRECT)
    parts.pairs.decide([Decision(pair.id, "approve", flagged.row_version)], by=ANN)
    approved = parts.pairs.get(pair.id)
    assert (approved.review_status, approved.quality_flags) == (ReviewStatus.APPROVED, flagged.quality_flags)
    decide(parts, approved, "set_flags", flags=())
    cleared = parts.pairs.get(pair.id)
    assert (cleared.review_status, cleared.quality_flags, cleared.reviewed_by) == (ReviewStatus.APPROVED, (), ANN)
