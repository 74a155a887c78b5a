"""Pairs: decide about one or many, with the canonical label in the same step; undo; governance beside review."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.core.generation_parts import ANN, BEN, Parts
from workbench_core import usage
from workbench_core.canonical_labels import LabelEntry, LabelFilter
from workbench_core.errors import ChangedByOthers, Conflict, Invalid, InvalidTransition, NotFound, NotPermitted
from workbench_core.pairs import LIFECYCLE, Decision, PairFilter, ResponseSource, ReviewStatus
from workbench_core.permissions import Role
from workbench_core.prompt_templates import AnswerSource, OutputField
from workbench_core.training_sheets import GenerationRequest
from workbench_core.usage import Use

SPAM, MEETING = "m00000", "m00001"


@pytest.fixture
def parts(tmp_path, clock):
    made = Parts(tmp_path, clock=clock)
    yield made
    made.store.close()


@pytest.fixture
def sheet_id(parts):
    return parts.make_sheet(6)


def generate(parts, sheet_id, *, source=AnswerSource.AI_GENERATED, template_id="", **changes):
    request = GenerationRequest(
        sheet_id,
        template_id or parts.make_template(),
        {"subject": "subject"},
        answer_source=source,
        answer_column="verdict" if source is AnswerSource.EXISTING_COLUMN else "",
        **changes,
    )
    made = parts.training_sheets.generate(request, by=ANN)
    parts.work()
    return made.id


@pytest.fixture
def training_sheet_id(parts, sheet_id):
    return generate(parts, sheet_id)


def pair_of(parts, training_sheet_id, item=SPAM):
    return next(pair for pair in parts.pairs.find(training_sheet_id) if pair.item_ref == item)


def decide(parts, pair, action, *, by=ANN, replace_labels=False, **values):
    decision = Decision(pair.id, action, pair.row_version, **values)
    return parts.pairs.decide([decision], by=by, replace_labels=replace_labels)


def label_of(parts, pair):
    return parts.labels.lookup(pair.sheet_id, [pair.item_ref], "mail_class").get(pair.item_ref)


def put_in(parts, pair, status):
    """Bring a fresh pair into a status the way a person does."""
    steps = {
        "pending": [], "approved": [("approve", {})], "edited": [("edit", {"answer": "ham"})],
        "rejected": [("reject", {})], "flagged": [("flag", {"note": "odd"})],
    }  # fmt: skip
    for action, values in steps[status]:
        assert decide(parts, pair, action, **values).done
    return parts.pairs.get(pair.id)


def test_every_transition_of_the_table_works_and_every_other_is_refused(parts, sheet_id):
    values = {"edit": {"answer": "ham"}, "flag": {"note": "look again"}}
    actions = [action for action in LIFECYCLE.table if action != "save"]
    for status in ReviewStatus:
        for action in actions:
            pair = put_in(parts, pair_of(parts, generate(parts, parts.make_sheet(1))), status)
            result = decide(parts, pair, action, replace_labels=True, **values.get(action, {}))
            allowed, to = LIFECYCLE.table[action]
            if status in allowed:
                assert parts.pairs.get(pair.id).review_status is to, (status, action)
            else:
                assert result.refused[pair.id].startswith(f"The pair of item {SPAM} is {status}"), (status, action)
                assert parts.pairs.get(pair.id) == pair


def test_approving_writes_the_canonical_label_with_the_governance_of_the_pair(parts, training_sheet_id):
    pair = pair_of(parts, training_sheet_id)
    parts.pairs.set_usage([pair.id], usage.preset("client_data"), by=ANN)
    assert decide(parts, pair, "approve", by=BEN).done == (pair.id,)
    label, approved = label_of(parts, pair), parts.pairs.get(pair.id)
    assert (label.answer, label.version, label.labeled_by) == ("spam", 1, BEN)
    assert label.usage == usage.preset("client_data")
    assert (label.training_sheet_id, label.labeling_mode) == (training_sheet_id, "during_review")
    assert approved.canonical_label_id == label.id
    assert (approved.review_status, approved.response_source) == ("approved", "human_verified")
    assert (approved.reviewed_by, approved.was_auto_approved, approved.original_answer) == (BEN, False, None)


def test_editing_keeps_the_first_answer_once_and_trims(parts, training_sheet_id):
    pair = pair_of(parts, training_sheet_id)
    decide(parts, pair, "edit", answer="  HAM\n")
    edited = parts.pairs.get(pair.id)
    assert (edited.answer, edited.original_answer, edited.review_status) == ("ham", "spam", "edited")
    assert (edited.response_source, edited.quality_score) == ("human_verified", 1.0)
    assert label_of(parts, pair).answer == "ham"


def test_an_edit_without_a_change_is_an_approval_and_the_other_way_round_ts_8(parts, training_sheet_id):
    first, second = pair_of(parts, training_sheet_id), pair_of(parts, training_sheet_id, MEETING)
    decide(parts, first, "edit", answer="spam")
    decide(parts, second, "approve", answer="spam")
    assert parts.pairs.get(first.id).review_status is ReviewStatus.APPROVED
    assert parts.pairs.get(second.id).review_status is ReviewStatus.EDITED


def test_answers_outside_the_classes_or_empty_are_refused(parts, sheet_id):
    training_sheet_id = generate(parts, sheet_id, source=AnswerSource.MANUAL)
    pair = pair_of(parts, training_sheet_id)
    assert pair.response_source is ResponseSource.EMPTY
    assert decide(parts, pair, "approve").refused == {pair.id: "The answer is empty."}
    assert decide(parts, pair, "edit", answer="   ").refused == {pair.id: "The answer is empty."}
    assert (
        "“Spam!” is not one of the classes spam, ham." in decide(parts, pair, "edit", answer="Spam!").refused[pair.id]
    )
    assert "more than 1,000,000" in decide(parts, pair, "edit", answer="x" * 2_000_000).refused[pair.id]
    assert "no decision" in decide(parts, pair, "explode").refused[pair.id]
    assert parts.pairs.get(pair.id) == pair
    assert label_of(parts, pair) is None


def test_a_flag_needs_a_reason_and_writes_no_label(parts, training_sheet_id):
    pair = pair_of(parts, training_sheet_id)
    assert decide(parts, pair, "flag", note=" ").refused == {pair.id: "A flag needs a reason."}
    decide(parts, pair, "flag", note="two languages")
    assert parts.pairs.get(pair.id).review_note == "two languages"
    assert label_of(parts, pair) is None


def test_structured_answers_warn_and_text_is_kept_literally(parts, sheet_id):
    fields = (OutputField("kind", options=("spam", "ham")),)
    schema = parts.make_template(name="Fields", label_type="fields", label_classes=(), output_schema=fields)
    parts.model.rule = lambda question: '{"kind": "spam"}' if "no. 0" in question else "no json"
    training_sheet_id = generate(parts, sheet_id, template_id=schema)
    good, bad = pair_of(parts, training_sheet_id), pair_of(parts, training_sheet_id, MEETING)
    assert (good.quality_score, bad.quality_score) == (1.0, 0.0)
    assert bad.generation_note == "The answer is not valid JSON."
    assert decide(parts, bad, "edit", answer='{"kind": "eggs"}', note="as given").done
    edited = parts.pairs.get(bad.id)
    assert edited.quality_score == 0.0
    assert edited.review_note == "as given “kind” does not allow “eggs”."

    odd = "O'Neil said “hi”; {{ x }} \\ 🚀\n-- %_!"
    free = parts.make_template(name="Free", label_type="free", label_classes=())
    pair = pair_of(parts, generate(parts, sheet_id, template_id=free, source=AnswerSource.MANUAL))
    decide(parts, pair, "edit", answer=odd)
    assert parts.pairs.get(pair.id).answer == odd
    assert [found.id for found in parts.pairs.find(pair.training_sheet_id, PairFilter(search="%_!"))] == [pair.id]


def test_another_label_is_a_conflict_unless_it_may_be_replaced(parts, training_sheet_id):
    pair = pair_of(parts, training_sheet_id)
    parts.labels.label(
        [LabelEntry(SPAM, "ham")], sheet_id=pair.sheet_id, label_type="mail_class", by=BEN
    )  # somebody labels the item while it waits for review
    other = pair_of(parts, training_sheet_id, MEETING)
    both = [Decision(pair.id, "approve", 1), Decision(other.id, "approve", 1)]
    result = parts.pairs.decide(both, by=ANN)
    assert result.done == (other.id,)
    assert result.refused[pair.id] == f"Item {SPAM} conflicts with the existing canonical label “ham”."
    assert parts.pairs.get(pair.id) == pair

    assert decide(parts, pair, "approve", replace_labels=True).done == (pair.id,)
    label = label_of(parts, pair)
    assert (label.answer, label.version) == ("spam", 2)
    assert [version.answer for version in parts.labels.versions(label.id)] == ["spam", "ham"]


def test_two_people_at_one_item_are_both_told(parts, training_sheet_id):
    pair = pair_of(parts, training_sheet_id)
    assert decide(parts, pair, "approve", by=BEN).done
    late = decide(parts, pair, "reject", by=ANN)
    assert late.refused == {pair.id: f"Item {SPAM} was just changed by {BEN}."}
    assert parts.pairs.get(pair.id).review_status is ReviewStatus.APPROVED


def test_of_two_people_who_press_at_the_same_moment_one_wins(parts, sheet_id):
    training_sheet_id = generate(parts, parts.make_sheet(40))
    pairs = parts.pairs.queue(training_sheet_id)

    def press(person):
        return [decide(parts, pair, "approve", by=person) for pair in pairs]

    with ThreadPoolExecutor(2) as pool:
        mine, yours = pool.map(press, [ANN, BEN])
    for pair, left, right in zip(pairs, mine, yours, strict=True):
        assert len(left.done) + len(right.done) == 1
        loser, winner = (right, ANN) if left.done else (left, BEN)
        assert winner in loser.refused[pair.id]
        assert parts.pairs.get(pair.id).reviewed_by == winner
    assert parts.labels.count(LabelFilter(pairs[0].sheet_id)) == 40


def test_one_call_takes_decisions_of_every_kind_and_a_pair_twice(parts, training_sheet_id):
    first, second, third, fourth, *_ = parts.pairs.queue(training_sheet_id)
    result = parts.pairs.decide(
        [
            Decision(first.id, "approve", 1),
            Decision(second.id, "reject", 1, note="spam trap"),
            Decision(third.id, "flag", 1, note="odd"),
            Decision(first.id, "reopen", 2),
            Decision("ts-none-1", "approve", 1),
            Decision(fourth.id, "approve", 99),
        ],
        by=ANN,
    )
    assert result.done == (first.id, second.id, third.id)
    assert result.refused == {
        "ts-none-1": "This pair no longer exists.",
        fourth.id: f"Item {fourth.item_ref} was just changed by somebody else.",
    }
    counts = parts.pairs.counts(training_sheet_id)
    assert (counts.pending, counts.approved, counts.rejected, counts.flagged, counts.total) == (4, 0, 1, 1, 6)
    assert [review.action for review in parts.pairs.reviews(first.id)] == ["reopen", "approve"]


def test_reopening_gives_an_answer_back_its_source(parts, training_sheet_id):
    kept, changed = pair_of(parts, training_sheet_id), pair_of(parts, training_sheet_id, MEETING)
    decide(parts, kept, "approve")
    decide(parts, changed, "edit", answer="spam")
    for pair in (kept, changed):
        decide(parts, parts.pairs.get(pair.id), "reopen")
    assert parts.pairs.get(kept.id).response_source is ResponseSource.AI_GENERATED
    assert parts.pairs.get(changed.id).response_source is ResponseSource.HUMAN_LABELED
    assert parts.pairs.get(kept.id).reviewed_by == ""


def test_an_unverified_answer_stays_pending_ts_8(parts, sheet_id):
    pair = pair_of(parts, generate(parts, sheet_id, source=AnswerSource.MANUAL))
    kept = parts.pairs.save(pair.id, "ham", by=BEN, row_version=1)
    assert (kept.review_status, kept.response_source, kept.answer) == ("pending", "human_labeled", "ham")
    assert label_of(parts, pair) is None
    with pytest.raises(ChangedByOthers, match=BEN):
        parts.pairs.save(pair.id, "spam", by=ANN, row_version=1)
    with pytest.raises(Invalid, match="not one of"):
        parts.pairs.save(pair.id, "eggs", by=ANN, row_version=2)
    assert decide(parts, kept, "approve").done
    with pytest.raises(InvalidTransition):
        parts.pairs.save(pair.id, "spam", by=ANN, row_version=3)


# --- undo ------------------------------------------------------------------------------------------------------------


def snapshot(pair):
    """All of a pair but for its version and its time of change."""
    return {
        name: getattr(pair, name)
        for name in type(pair).__dataclass_fields__
        if name not in {"row_version", "updated_at"}
    }


@pytest.mark.parametrize(
    ("action", "values"),
    [("approve", {}), ("edit", {"answer": "ham"}), ("reject", {"note": "bad"}), ("flag", {"note": "odd"})],
)
def test_undo_restores_pair_and_label(parts, training_sheet_id, action, values):
    pair = pair_of(parts, training_sheet_id)
    decide(parts, pair, action, **values)
    undone = parts.pairs.undo(training_sheet_id, by=ANN)
    assert (undone.pair_id, undone.action) == (pair.id, action)
    assert snapshot(parts.pairs.get(pair.id)) == snapshot(pair)
    assert label_of(parts, pair) is None
    assert parts.pairs.reviews(pair.id)[0].undone_at is not None
    with pytest.raises(Conflict, match="no decision of yours"):
        parts.pairs.undo(training_sheet_id, by=ANN)


def test_undo_walks_back_through_all_decisions_of_the_person(parts, training_sheet_id):
    pairs = parts.pairs.queue(training_sheet_id)
    parts.pairs.decide([Decision(pair.id, "approve", 1) for pair in pairs[:3]], by=ANN)
    decide(parts, pairs[3], "approve", by=BEN)
    first = parts.pairs.get(pairs[0].id)
    decide(parts, first, "reopen")
    assert [parts.pairs.undo(training_sheet_id, by=ANN).pair_id for _ in range(4)] == [
        pairs[0].id, pairs[2].id, pairs[1].id, pairs[0].id,
    ]  # fmt: skip
    assert [snapshot(pair) for pair in parts.pairs.queue(training_sheet_id)] == [
        snapshot(pair) for pair in pairs if pair.id != pairs[3].id
    ]
    assert [label.item_ref for label in parts.labels.find(LabelFilter(pairs[0].sheet_id))] == [pairs[3].item_ref]


def test_undo_of_a_replaced_label_writes_the_former_answer_as_a_new_version(parts, training_sheet_id):
    pair = pair_of(parts, training_sheet_id)
    parts.labels.label([LabelEntry(SPAM, "ham")], sheet_id=pair.sheet_id, label_type="mail_class", by=BEN)
    decide(parts, pair, "approve", replace_labels=True)
    parts.pairs.undo(training_sheet_id, by=ANN)
    label = label_of(parts, pair)
    assert (label.answer, label.version) == ("ham", 3)
    assert [(v.answer, v.reason) for v in parts.labels.versions(label.id)] == [
        ("ham", "undo"), ("spam", "during review"), ("ham", "created"),
    ]  # fmt: skip
    assert snapshot(parts.pairs.get(pair.id)) == snapshot(pair)


def test_undo_keeps_a_label_that_another_pair_uses(parts, training_sheet_id, sheet_id):
    pair = pair_of(parts, training_sheet_id)
    decide(parts, pair, "approve")
    other = pair_of(parts, generate(parts, sheet_id))
    assert other.was_auto_approved
    parts.pairs.undo(training_sheet_id, by=ANN)
    label = label_of(parts, pair)
    assert (label.answer, label.version) == ("spam", 1)
    assert parts.pairs.get(pair.id).canonical_label_id == ""
    assert parts.pairs.get(other.id) == other


def test_undo_is_refused_when_somebody_changed_the_pair_or_the_label_since(parts, training_sheet_id):
    first, second = pair_of(parts, training_sheet_id), pair_of(parts, training_sheet_id, MEETING)
    decide(parts, first, "flag", note="odd")
    decide(parts, parts.pairs.get(first.id), "reject", by=BEN)
    with pytest.raises(ChangedByOthers, match=BEN):
        parts.pairs.undo(training_sheet_id, by=ANN)
    decide(parts, second, "approve")
    parts.labels.update(label_of(parts, second).id, "spam", by=BEN, version=1)
    before = parts.pairs.get(second.id)
    with pytest.raises(ChangedByOthers, match=BEN):
        parts.pairs.undo(training_sheet_id, by=ANN)
    assert parts.pairs.get(second.id) == before


def test_undo_of_a_reopened_automatic_approval_brings_it_back(parts, sheet_id):
    parts.labels.label([LabelEntry(SPAM, "spam")], sheet_id=sheet_id, label_type="mail_class", by=BEN)
    pair = pair_of(parts, generate(parts, sheet_id))
    decide(parts, pair, "reopen")
    assert not parts.pairs.get(pair.id).was_auto_approved
    parts.pairs.undo(pair.training_sheet_id, by=ANN)
    assert snapshot(parts.pairs.get(pair.id)) == snapshot(pair)
    assert pair.reviewed_by == BEN


# --- governance, roles, lists ----------------------------------------------------------------------------------------


def test_governance_and_review_are_independent_gates(parts, training_sheet_id):
    pair = pair_of(parts, training_sheet_id)
    parts.pairs.set_usage([pair.id], usage.preset("personal_data"), by=ANN)
    governed = parts.pairs.get(pair.id)
    assert (governed.review_status, governed.row_version) == (pair.review_status, pair.row_version)
    assert decide(parts, pair, "approve").done  # a reviewer who saw the pair before is not held up
    approved = parts.pairs.get(pair.id)
    assert approved.usage == usage.preset("personal_data")
    (event,) = parts.history.of("pair", pair.id)
    assert "personal data" in event.details["usage_reason"]
    assert event.details["former_prohibited_uses"] == "[]"
    for rules in (usage.ALL_USES, usage.UsageRules(prohibited=frozenset({Use.TRAINING}), reason="both")):
        with pytest.raises(Invalid):
            parts.pairs.set_usage([pair.id], rules, by=ANN)


def test_lists_filter_by_status_source_text_error_and_use(parts, sheet_id):
    parts.model.failing = frozenset({MEETING})
    training_sheet_id = generate(parts, sheet_id)
    pair = pair_of(parts, training_sheet_id)
    decide(parts, pair, "approve")
    parts.pairs.set_usage([pair.id], usage.preset("personal_data"), by=ANN)

    def items(**wanted):
        found = parts.pairs.find(training_sheet_id, PairFilter(**wanted))
        assert len(found) == parts.pairs.count(training_sheet_id, PairFilter(**wanted))
        return [pair.item_ref for pair in found]

    assert items(statuses=(ReviewStatus.APPROVED,)) == [SPAM]
    assert items(sources=(ResponseSource.EMPTY,)) == items(has_error=True) == [MEETING]
    assert items(search="PRIZE no. 3") == ["m00003"]
    assert SPAM not in items(eligible_for=Use.TRAINING)
    assert SPAM in items(eligible_for=Use.EVALUATION)
    assert len(items(has_error=False)) == 5
    assert [pair.sequence_number for pair in parts.pairs.find(training_sheet_id, limit=2, offset=2)] == [3, 4]
    assert parts.pairs.counts("ts-none").total == 0
    with pytest.raises(NotFound):
        parts.pairs.get("ts-none-1")


@pytest.mark.parametrize(
    ("role", "may_save", "may_decide", "may_govern"),
    [
        (Role.DATA_CONSUMER, False, False, False),
        (Role.LABELER, True, False, False),
        (Role.REVIEWER, True, True, False),
        (Role.DATA_PRODUCER, True, False, False),
        (Role.DATA_STEWARD, True, True, True),
        (Role.ADMIN, True, True, True),
    ],
)
def test_roles_decide_who_answers_reviews_and_governs(parts, training_sheet_id, role, may_save, may_decide, may_govern):
    parts.permissions.assign("kim", role, by=ANN)
    pair = pair_of(parts, training_sheet_id)
    acts = {
        "save": (may_save, lambda: parts.pairs.save(pair.id, "ham", by="kim", row_version=1)),
        "decide": (may_decide, lambda: decide(parts, parts.pairs.get(pair.id), "approve", by="kim")),
        "govern": (may_govern, lambda: parts.pairs.set_usage([pair.id], usage.preset("synthetic"), by="kim")),
    }
    for may, act in acts.values():
        if may:
            act()
        else:
            with pytest.raises(NotPermitted):
                act()
    if may_save:
        assert parts.pairs.undo(training_sheet_id, by="kim").pair_id == pair.id


def test_pairs_of_a_closed_sheet_do_not_change(parts, training_sheet_id):
    pair = pair_of(parts, training_sheet_id)
    decide(parts, pair, "approve")
    parts.training_sheets.move(training_sheet_id, "close_review", by=ANN, leave_out=True)
    assert "is approved" in decide(parts, parts.pairs.get(pair.id), "reopen").refused[pair.id]
    with pytest.raises(Conflict, match="is approved"):
        parts.pairs.undo(training_sheet_id, by=ANN)
    with pytest.raises(Conflict, match="is approved"):
        parts.pairs.save(pair_of(parts, training_sheet_id, MEETING).id, "ham", by=ANN, row_version=1)
