"""Gaps: found in known outcomes, described, merged when seen again, and closed by a computation only."""

from __future__ import annotations

import pytest

from tests.core.generation_parts import ANN
from tests.core.improve_parts import (
    CHECKED,
    MODEL,
    Improving,
    coin,
    is_html,
    item,
    never,
    number_of,
    size_of,
    weak_on_html,
)
from workbench_core.errors import ChangedByOthers, Conflict, Invalid, InvalidTransition, NotFound, NotPermitted
from workbench_core.gaps import LIFECYCLE, ChainLink, ClosureVerdict, GapStatus, GapType
from workbench_core.gaps.analysis import records_per_arm
from workbench_core.prompt_templates import AnswerSource
from workbench_core.slices import GapSeverity, gap_priority


@pytest.fixture
def world(tmp_path, clock):
    made = Improving(tmp_path, clock=clock)
    yield made
    made.store.close()


def is_large(number):
    return size_of(number) >= 820


def analyse(world, version=1):
    return world.gaps.analyse_now(MODEL, version, by=ANN)


# --- finding ---------------------------------------------------------------------------------------------------------


def test_a_planted_weakness_is_found_with_its_words_interval_and_q_value(world):
    world.first_version()
    result = analyse(world)
    html = [number for number in CHECKED if is_html(number)]
    failed = [number for number in CHECKED if weak_on_html(number)]
    assert (result.examined_items, result.failures) == (len(CHECKED), len(failed))
    assert result.sources == {"evaluation": len(CHECKED)}
    [gap] = world.gaps.find()
    assert result.new == (gap.id,)
    assert gap.description == "format is html"
    assert (gap.item_count, gap.failure_count) == (len(html), sum(coin(number) for number in html))
    assert gap.interval.low < gap.error_rate == gap.failure_count / gap.item_count < gap.interval.high
    assert gap.overall_rate == pytest.approx(len(failed) / len(CHECKED))
    assert gap.q_value < 0.001
    assert (gap.version, gap.occurrences, gap.status, gap.evidence_type) == (1, 1, GapStatus.IDENTIFIED, "evaluation")
    assert (gap.severity, gap.priority) == (GapSeverity.CRITICAL, 100)
    assert [event.action for event in world.history.of("gap", gap.id)] == ["identify"]


def test_the_sample_of_failed_items_shows_expected_and_answered(world):
    gap = world.html_gap()
    assert 0 < len(gap.evidence) <= 20
    for entry in gap.evidence:
        assert is_html(number_of(entry["item_ref"]))
        assert coin(number_of(entry["item_ref"]))
        assert {entry["expected"], entry["actual"]} == {"ham", "spam"}


def test_training_that_hardly_saw_such_items_makes_it_a_coverage_gap(world):
    gap = world.html_gap()
    assert gap.gap_type is GapType.COVERAGE
    assert "training hardly saw any" in gap.suggested_action


def test_training_that_saw_enough_of_them_makes_it_a_quality_gap(world):
    world.put_table()
    world.make_office_sheet()
    world.template_id = world.make_template(user_prompt="{{ subject }}")
    both = world.generate("batch = 'trained'")
    world.decide(both)
    world.train(both)
    checked = world.generate("batch = 'checked'")
    world.decide(checked)
    world.evaluate(checked)
    analyse(world)
    [gap] = world.gaps.find()
    assert (gap.description, gap.gap_type) == ("format is html", GapType.QUALITY)
    assert gap.suggested_action.startswith("Review the labels where format is html")


def test_clean_outcomes_give_no_gap(world):
    world.serving.fails[1] = lambda number: number % 17 == 0
    world.first_version()
    result = analyse(world)
    assert result.failures > 5
    assert result.new == result.seen_again == ()
    assert world.gaps.find(include_closed=True) == []


def test_a_date_describes_no_gap(world):
    """All failures of one day: the day is left out, because the next items come on other days."""
    world.serving.fails[1] = lambda number: number % 5 == 2 and coin(number)
    world.first_version()
    assert not [gap for gap in map(world.gaps.get, analyse(world).new) if "day" in gap.description]


def test_feedback_is_evidence_too_and_an_item_counts_once(world):
    world.serving.fails[1] = never
    world.first_version()
    free_html = [number for number in range(500, 700) if is_html(number)]
    free_plain = [number for number in range(500, 700) if not is_html(number)]
    world.judge(free_html[:30], rating="negative")
    world.judge(free_html[30:], rating="positive")
    world.judge(free_plain, rating="positive")
    checked_html = [number for number in CHECKED if is_html(number)]
    world.judge(checked_html[:5], rating="negative")  # evaluated as right, and judged wrong: failures
    world.judge(checked_html[5:10], rating="negative", status="dismissed")  # nobody's word any more
    world.judge(free_html[:3], rating="positive")  # a second opinion on a failure
    result = analyse(world)
    assert (result.examined_items, result.failures) == (len(CHECKED) + 200, 35)
    assert result.sources == {"evaluation": len(CHECKED) - 5, "feedback": 205}
    [gap] = world.gaps.find()
    assert (gap.description, gap.failure_count) == ("format is html", 35)
    assert gap.evidence_type == "evaluation and feedback"


def test_the_newest_evaluation_of_an_item_counts(world):
    """A label that was corrected after the first evaluation is no failure any more."""
    world.first_version()
    world.serving.fails[1] = never
    sheet = world.evaluations.find()[0].dataset_id
    world.evaluate(sheet)
    assert analyse(world).failures == 0


def test_columns_named_like_ours_do_no_harm(world):
    """A sheet may well have columns called expected, actual, failed and origin."""
    file = world.folder / "odd.csv"
    lines = [f"{item(n)},Mail {n},{'a' if is_html(n) else 'b'},x,{n % 2},there" for n in range(400)]
    file.write_text("mail_id,subject,expected,actual,failed,origin\n" + "\n".join(lines))
    world.lake.put_table("main.office.mails", file, original_name="odd.csv")
    from workbench_core.sheets import SheetDraft

    draft = SheetDraft(
        "Odd", "main.office.mails", "mail_id", metadata_columns=("expected", "actual", "failed", "origin")
    )
    world.sheet_id = world.sheets.move(world.sheets.create(draft, by=ANN).id, "publish", by=ANN).id
    world.template_id = world.make_template(user_prompt="{{ subject }}")
    made = world.generate("", source=AnswerSource.MANUAL)
    world.decide(made)
    world.train(made)
    world.judge([n for n in range(300) if is_html(n)], rating="negative")
    world.judge([n for n in range(300) if not is_html(n)], rating="positive")
    analyse(world)
    assert [gap.description for gap in world.gaps.find()] == ["expected is a"]


def test_too_few_known_outcomes_are_told(world):
    world.put_table()
    world.make_office_sheet()
    world.template_id = world.make_template(user_prompt="{{ subject }}")
    first = world.generate("batch = 'trained' AND format = 'plain'")
    world.decide(first)
    world.train(first)
    world.judge(range(500, 520), rating="negative")
    world.judge(range(9000, 9100), rating="negative")  # no longer in the source
    with pytest.raises(Invalid, match="Only 20 outcomes of mail-classifier v1 are known; an analysis needs 40"):
        analyse(world)


def test_the_analysis_runs_in_the_background_with_a_message(world):
    world.first_version()
    run = world.gaps.analyse(MODEL, 1, by=ANN)
    assert run.is_active
    with pytest.raises(Conflict):
        world.gaps.analyse(MODEL, 1, by=ANN)
    world.work()
    done = world.gaps.run_of(MODEL, 1)
    assert (done.status, done.message) == ("succeeded", "1 new gaps, 0 seen again")
    with pytest.raises(NotFound):
        world.gaps.analyse(MODEL, 7, by=ANN)


# --- seen again ------------------------------------------------------------------------------------------------------


def test_acceptance_16_analysing_again_does_not_duplicate(world):
    gap = world.html_gap()
    result = analyse(world)
    assert (result.new, result.seen_again) == ((), (gap.id,))
    [again] = world.gaps.find()
    assert (again.id, again.occurrences) == (gap.id, 2)
    assert again.last_seen_at > gap.last_seen_at
    assert again.first_seen_at == gap.first_seen_at


def test_a_gap_whose_cuts_moved_a_little_is_the_same_one(world):
    """Fifths of a number move when outcomes are added; nearly the same items are the same weakness."""
    world.serving.fails[1] = is_large
    world.first_version()
    analyse(world)
    [first] = world.gaps.find()
    assert first.description.startswith("size at least")
    more = range(500, 560)
    world.judge([number for number in more if is_large(number)], rating="negative")
    world.judge([number for number in more if not is_large(number)], rating="positive")
    result = analyse(world)
    [second] = world.gaps.find(include_closed=True)
    assert result.seen_again == (first.id,)
    assert (second.id, second.occurrences) == (first.id, 2)
    assert second.description != first.description, "the test must move the cut"


def test_acceptance_16_a_resolved_gap_that_is_found_again_is_reopened(world):
    gap = world.html_gap()
    world.gaps.move(gap.id, "resolve", by=ANN, note="Believed to be fine")
    assert world.gaps.find() == []
    analyse(world)
    [again] = world.gaps.find()
    assert (again.id, again.status, again.occurrences) == (gap.id, GapStatus.IDENTIFIED, 2)
    assert world.history.of("gap", gap.id)[0].action == "reopen"


def test_a_gap_that_people_decided_to_leave_stays_left(world):
    gap = world.html_gap()
    world.gaps.move(gap.id, "leave", by=ANN, note="HTML mails are phased out")
    analyse(world)
    left = world.gaps.get(gap.id)
    assert (left.status, left.occurrences) == (GapStatus.WONT_FIX, 2)


def test_a_gap_under_work_keeps_what_it_was_found_with(world):
    task = world.html_task()
    before = world.gaps.get(task.gap_id)
    world.serving.fails[2] = lambda number: is_html(number) and number % 3 == 0
    second = world.generate("batch = 'trained'", name="Again")
    world.decide(second)
    world.train(second)
    world.evaluate(world.evaluations.find()[0].dataset_id, version=2)
    analyse(world, version=2)
    after = world.gaps.get(task.gap_id)
    assert after.occurrences == 2
    assert (after.version, after.error_rate, after.predicate) == (1, before.error_rate, before.predicate)


# --- severity and priority -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("severity", "affected", "rate", "priority"),
    [("high", 600, 0.35, 100), ("medium", 150, 0.1, 60), ("low", 0, None, 25), ("critical", 1, 0.1, 100)],
)
def test_ga_f1_priority_vectors(severity, affected, rate, priority):
    assert gap_priority(GapSeverity(severity), affected, rate) == priority


@pytest.mark.parametrize(("rate", "records"), [(0.45, 68), (0.3, 120), (0.2, 199), (0.1, 200), (1.0, 30), (0.0, 200)])
def test_a_task_is_large_enough_to_show_a_halved_error(rate, records):
    assert records_per_arm(rate) == pytest.approx(records, abs=2)


# --- the life of a gap -----------------------------------------------------------------------------------------------


def reach(world, gap_id, status):
    steps = {
        GapStatus.IDENTIFIED: [],
        GapStatus.TASK_CREATED: ["create_task"],
        GapStatus.IN_PROGRESS: ["start"],
        GapStatus.RESOLVED: ["resolve"],
        GapStatus.WONT_FIX: ["leave"],
    }
    for action in steps[status]:
        world.gaps.move(gap_id, action, by=ANN, note="because")


@pytest.mark.parametrize("status", list(GapStatus))
def test_every_action_of_a_gap_is_allowed_or_refused_as_the_table_says(world, status):
    gap = world.html_gap()
    reach(world, gap.id, status)
    for action, (allowed, leads_to) in LIFECYCLE.table.items():
        world.store.execute("UPDATE gaps SET status = :status WHERE id = :id", touches="gaps", status=status, id=gap.id)
        if status in allowed:
            assert world.gaps.move(gap.id, action, by=ANN, note="because").status is leads_to
        else:
            with pytest.raises(InvalidTransition):
                world.gaps.move(gap.id, action, by=ANN, note="because")


@pytest.mark.parametrize("action", ["resolve", "leave"])
def test_closing_by_hand_needs_a_note_that_is_kept(world, action):
    gap = world.html_gap()
    with pytest.raises(Invalid, match="note"):
        world.gaps.move(gap.id, action, by=ANN, note="  ")
    assert world.gaps.move(gap.id, action, by=ANN, note="Not worth it").note == "Not worth it"
    assert world.history.of("gap", gap.id)[0].details == {"note": "Not worth it"}


def test_a_gap_that_somebody_changed_meanwhile_is_not_overwritten(world, monkeypatch):
    gap = world.html_gap()
    world.gaps.move(gap.id, "start", by=ANN)
    monkeypatch.setattr(world.gaps, "get", lambda gap_id: gap)  # what this person's page still shows
    with pytest.raises(ChangedByOthers):
        world.gaps.move(gap.id, "leave", by=ANN, note="late")


def test_the_list_hides_closed_gaps_and_knows_filters(world):
    gap = world.html_gap()
    assert [one.id for one in world.gaps.find(model_name=MODEL)] == [gap.id]
    assert world.gaps.find(model_name="other") == []
    assert world.gaps.find(status=GapStatus.RESOLVED) == []
    world.gaps.move(gap.id, "leave", by=ANN, note="because")
    assert world.gaps.find() == []
    assert [one.id for one in world.gaps.find(include_closed=True)] == [gap.id]
    assert [one.id for one in world.gaps.find(status=GapStatus.WONT_FIX)] == [gap.id]
    with pytest.raises(NotFound):
        world.gaps.get("gap-none")


def test_a_labeler_may_not_manage_gaps(world):
    gap = world.html_gap()
    world.permissions.assign("lea@example.com", "labeler", by=ANN)
    with pytest.raises(NotPermitted):
        world.gaps.move(gap.id, "start", by="lea@example.com")
    with pytest.raises(NotPermitted):
        world.gaps.analyse(MODEL, 1, by="lea@example.com")
    with pytest.raises(NotPermitted):
        world.gaps.close(gap.id, 2, by="lea@example.com")


# --- closing ---------------------------------------------------------------------------------------------------------


def retrained(world, task, *, fails=never):
    """Label the task, accept it, and train version 2 on everything that has a label now."""
    world.decide(task.training_sheet_id)
    world.tasks.move(task.id, "accept", by=ANN)
    world.serving.fails[2] = fails
    everything = world.generate("", source=AnswerSource.CANONICAL, name="Everything labelled")
    return world.train(everything)


def test_acceptance_17_from_gap_to_task_to_labels_to_a_computed_resolution(world):
    task = world.html_task(target=100)
    made = retrained(world, task)
    closure = world.gaps.close(task.gap_id, made.version, by=ANN)
    assert closure.verdict is ClosureVerdict.CLOSED
    assert (closure.item_count, closure.error_after, closure.losses) == (50, 0.0, 0)
    held_out = [number_of(ref) for ref in world.parts_of(task.id)["held_out"]]
    assert closure.wins == sum(coin(number) for number in held_out)
    assert closure.error_before == pytest.approx(closure.wins / 50)
    assert closure.difference == pytest.approx(-closure.error_before)
    assert closure.interval.low < closure.difference < closure.interval.high < 0
    gap = world.gaps.get(task.gap_id)
    assert gap.status is GapStatus.RESOLVED
    assert gap.note == closure.sentence
    assert "50 held-out items" in closure.sentence
    assert [one.id for one in world.gaps.closures(gap.id)] == [closure.id]


def test_a_version_that_is_better_but_still_weak_has_improved_the_gap(world):
    task = world.html_task(target=200)
    made = retrained(world, task, fails=lambda number: coin(number) and number % 12 != 0)
    closure = world.gaps.close(task.gap_id, made.version, by=ANN)
    assert closure.verdict is ClosureVerdict.IMPROVED
    assert closure.error_after > 0.1
    assert world.gaps.get(task.gap_id).status is GapStatus.IN_PROGRESS


def test_a_version_that_fails_as_before_has_not_closed_it(world):
    task = world.html_task(target=100)
    made = retrained(world, task, fails=weak_on_html)
    closure = world.gaps.close(task.gap_id, made.version, by=ANN)
    assert (closure.verdict, closure.difference) == (ClosureVerdict.NOT_CLOSED, 0.0)
    gap = world.gaps.get(task.gap_id)
    assert gap.is_open
    assert world.tasks.create(gap.id, by=ANN, target=40).items == 40, "more can be labelled"


def test_too_few_held_out_labels_give_no_verdict(world):
    task = world.html_task(target=60)
    world.decide(task.training_sheet_id, limit=20)
    world.decide(task.training_sheet_id, action="reject")
    labelled = world.pairs.counts(task.training_sheet_id).labelled
    everything = world.generate("", source=AnswerSource.CANONICAL)
    made = world.train(everything)
    closure = world.gaps.close(task.gap_id, made.version, by=ANN)
    assert labelled == 20
    assert closure.verdict is ClosureVerdict.TOO_FEW
    assert closure.item_count < 30


def test_a_closure_needs_a_task_another_version_and_labels(world):
    gap = world.html_gap()
    second = world.generate("batch = 'trained'", name="Again")
    world.decide(second)
    world.train(second)
    with pytest.raises(Conflict, match="set aside"):
        world.gaps.close(gap.id, 2, by=ANN)
    world.tasks.create(gap.id, by=ANN)
    with pytest.raises(Invalid, match="other than the one"):
        world.gaps.close(gap.id, 1, by=ANN)
    with pytest.raises(NotFound):
        world.gaps.close(gap.id, 9, by=ANN)
    with pytest.raises(Invalid, match="No held-out item"):
        world.gaps.close(gap.id, 2, by=ANN)


def test_the_closure_can_be_computed_in_the_background(world):
    task = world.html_task(target=100)
    made = retrained(world, task)
    world.gaps.start_closing(task.gap_id, made.version, by=ANN)
    with pytest.raises(Conflict):
        world.gaps.start_closing(task.gap_id, made.version, by=ANN)
    world.work()
    [closure] = world.gaps.closures(task.gap_id)
    run = world.gaps.closing_of(task.gap_id, made.version)
    assert (run.status, run.message) == ("succeeded", closure.sentence)


def test_the_chain_tells_each_step_with_time_and_count(world):
    task = world.html_task(target=100)
    steps = {step.link: step for step in world.gaps.chain(task.gap_id)}
    assert list(steps) == list(ChainLink)
    assert [link for link, step in steps.items() if step.is_done] == [ChainLink.FOUND, ChainLink.TASK]
    assert steps[ChainLink.TASK].count == 100
    world.decide(task.training_sheet_id, limit=30)
    labels = world.gaps.chain(task.gap_id)[2]
    assert (labels.count, labels.waiting, labels.is_done) == (30, 70, False)
    made = retrained(world, task)
    world.evaluations.evaluate_now(MODEL, made.version, by=ANN)
    world.gaps.close(task.gap_id, made.version, by=ANN)
    steps = {step.link: step for step in world.gaps.chain(task.gap_id)}
    times = [step.happened_at for step in steps.values()]
    assert times == sorted(times)
    assert steps[ChainLink.LABELS].count == 100
    assert steps[ChainLink.TRAINING_SHEET].count == 50, "the part that may be trained on"
    job = world.jobs.get(steps[ChainLink.JOB].subject_id)
    assert (made.job_id, steps[ChainLink.JOB].count) == (job.id, steps[ChainLink.JOB].count)
    assert 0 < steps[ChainLink.JOB].count < 50, "some fall into the test part"
    assert steps[ChainLink.EVALUATION].count == job.test_pairs
    assert steps[ChainLink.CLOSURE].count == 50
