"""The Improve page: what a person sees and does between a wrong answer and a closed gap."""

from __future__ import annotations

import pytest

from tests.core.improve_parts import CHECKED, Improving, item, number_of
from tests.pages.conftest import ANN, labels, work
from workbench_core.canonical_labels import LabelEntry
from workbench_core.feedback import FeedbackStatus
from workbench_core.gaps import GapStatus
from workbench_core.labeling_tasks import TaskStatus
from workbench_core.prompt_templates import AnswerSource

LEA = "lea@example.com"


@pytest.fixture
def world(workbench, tmp_path):
    return Improving.over(workbench, tmp_path)


def shown(page) -> str:
    kinds = ("markdown", "caption", "text", "warning", "error", "success", "info", "subheader", "title", "badge")
    parts = [str(element.value) for kind in kinds if hasattr(page, kind) for element in getattr(page, kind)]
    return " ".join(parts).replace("\\", "").replace("\u2060", "")


def press(page, label):
    next(button for button in page.button if button.label == label).click()
    page.run()
    assert not page.exception, page.exception[0].message
    return page


def field(page, kind, label):
    return next(element for element in getattr(page, kind) if element.label == label)


def table(page, column):
    return next(list(frame.value[column]) for frame in page.dataframe if column in frame.value)


# --- gaps ------------------------------------------------------------------------------------------------------------


def test_without_a_model_the_page_points_to_training(workbench, open_page):
    page = open_page("improve")
    assert "Gaps are found in the errors of a model version" in shown(page)


def test_an_analysis_shows_progress_and_then_the_gap(world, workbench, open_page):
    world.first_version()
    page = open_page("improve")
    assert "No open gap" in shown(page)
    press(page, "Find gaps")
    assert "Find gaps of mail-classifier v1" in shown(page)
    work(workbench)
    page.run()
    assert "1 new gaps, 0 seen again" in shown(page)
    assert table(page, "Gap") == ["format is html"]
    assert table(page, "Severity") == ["Critical"]
    assert table(page, "Status") == ["Identified"]
    assert field(page, "button_group", "View").options[1] == "Gaps 1"


def test_an_analysis_that_cannot_be_done_says_why(world, workbench, open_page):
    world.put_table()
    world.make_office_sheet()
    world.template_id = world.make_template(user_prompt="{{ subject }}")
    first = world.generate("batch = 'trained' AND format = 'plain'", name="Plain")
    world.decide(first)
    world.train(first)
    workbench.store.execute("DELETE FROM evaluation_items", touches="evaluation_items")
    page = press(open_page("improve"), "Find gaps")
    work(workbench)
    page.run()
    assert "an analysis needs 40" in shown(page)


def test_a_gap_shows_its_words_numbers_way_and_failed_items(world, open_page):
    gap = world.html_gap()
    page = open_page("improve", gap=gap.id)
    text = shown(page)
    assert "Where format is html" in text
    assert "Critical severity" in text
    assert "the training data hardly shows such items" in text
    values = {metric.label: metric.value for metric in page.metric}
    assert values["Error rate"] == f"{100 * gap.error_rate:.1f} %"
    assert values["Items"] == "50"
    assert all(number_of(ref) % 4 == 0 for ref in table(page, "item_ref"))
    assert set(table(page, "format")) == {"html"}
    assert "There is no task yet" in text
    assert table(page, "What") == ["Identify"]


def test_a_task_is_made_from_a_gap_with_a_proposed_size(world, workbench, open_page):
    gap = world.html_gap()
    page = open_page("improve", gap=gap.id)
    assert field(page, "number_input", "Items").value == gap.estimated_records
    field(page, "number_input", "Items").set_value(60)
    field(page, "text_input", "Assigned to").set_value(LEA)
    press(page, "Create task")
    [task] = workbench.labeling_tasks.find()
    assert (task.items, task.held_out, task.assigned_to) == (60, 30, LEA)
    assert page.query_params["task"] in (task.id, [task.id])
    assert "Fill gap: format is html" in shown(page)


def test_a_refused_task_is_told_in_words(world, workbench, open_page):
    gap = world.html_gap()
    entries = [LabelEntry(item(number), "ham") for number in range(0, 1000, 4) if number not in CHECKED]
    world.labels.label(entries, sheet_id=world.sheet_id, label_type="mail_class", by=ANN)
    page = press(open_page("improve", gap=gap.id), "Create task")
    assert "Only 25 unlabelled items match “format is html”" in shown(page)
    assert workbench.labeling_tasks.find() == []


@pytest.mark.parametrize(("label", "status"), [("Resolve", GapStatus.RESOLVED), ("Leave it", GapStatus.WONT_FIX)])
def test_ending_a_gap_by_hand_needs_a_note(world, workbench, open_page, label, status):
    gap = world.html_gap()
    page = open_page("improve", gap=gap.id)
    press(page, label)
    assert "A note is needed." in shown(page)
    action = "resolve" if label == "Resolve" else "leave"
    page.text_area(key=f"improve_{action}_note").set_value("HTML is phased out")
    press(page, label)
    assert workbench.gaps.get(gap.id).status is status
    assert "HTML is phased out" in shown(page)
    press(page, "Reopen")
    assert workbench.gaps.get(gap.id).status is GapStatus.IDENTIFIED


def test_the_whole_way_from_task_to_computed_closure(world, workbench, open_page):
    """Acceptance 17, on the pages: label, accept, generate, retrain, compute."""
    task = world.html_task(target=100)
    page = open_page("improve", gap=task.gap_id)
    assert "Label now" in labels(page.button)
    world.decide(task.training_sheet_id)
    page = open_page("improve", task=task.id)
    assert "100 of 100 items decided" in [element.proto.text for element in page.get("progress")]
    press(page, "Accept")
    assert workbench.labeling_tasks.get(task.id).status is TaskStatus.COMPLETED
    page = press(open_page("improve", gap=task.gap_id), "Generate it")
    work(workbench)
    everything = workbench.training_sheets.find()[0]
    assert everything.answer_source is AnswerSource.CANONICAL
    page = open_page("improve", gap=task.gap_id)
    assert "Retrain" in labels(page.button)
    made = world.train(everything.id)
    page = press(open_page("improve", gap=task.gap_id), "Compute closure")
    assert [element.proto.text for element in page.get("progress")] == ["Queued · 0 of 2 steps"]
    work(workbench)
    page = open_page("improve", gap=task.gap_id)
    text = shown(page)
    [closure] = workbench.gaps.closures(task.gap_id)
    assert made.version == closure.version_after
    assert "The gap is closed" in text
    assert closure.sentence in text
    assert workbench.gaps.get(task.gap_id).status is GapStatus.RESOLVED
    assert "Later" not in text, "no step is open any more"


def test_a_closure_that_cannot_be_computed_says_why(world, workbench, open_page):
    task = world.html_task(target=60)
    second = world.generate("batch = 'trained'", name="Again")
    world.decide(second)
    world.train(second)
    press(open_page("improve", gap=task.gap_id), "Compute closure")
    work(workbench)
    assert "No held-out item is left" in shown(open_page("improve", gap=task.gap_id))


def test_an_unknown_gap_is_told_calmly(workbench, open_page):
    page = open_page("improve", gap="gap-none")
    assert "This gap does not exist" in shown(page)


def test_closed_gaps_are_listed_when_asked_for(world, workbench, open_page):
    gap = world.html_gap()
    workbench.gaps.move(gap.id, "leave", by=ANN, note="because")
    page = open_page("improve")
    assert "No open gap" in shown(page)
    field(page, "toggle", "Closed ones too").set_value(True)
    page.run()
    assert table(page, "Status") == ["Wont fix"]


def test_a_labeler_sees_gaps_and_cannot_change_them(world, workbench, open_page):
    gap = world.html_gap()
    workbench.permissions.assign(LEA, "labeler", by=ANN)
    page = open_page("improve", user=LEA, gap=gap.id)
    assert "may not manage gaps" in shown(page)
    assert "Where format is html" in shown(page)
    page = open_page("improve", user=LEA)
    assert table(page, "Gap") == ["format is html"]
    assert "may not manage gaps" in shown(page)


# --- tasks -----------------------------------------------------------------------------------------------------------


def test_tasks_are_listed_with_their_progress(world, workbench, open_page):
    task = world.html_task(target=60, assigned_to=LEA)
    world.decide(task.training_sheet_id, limit=15)
    page = open_page("improve", view="tasks")
    assert table(page, "Task") == ["Fill gap: format is html"]
    assert table(page, "Items") == ["15 of 60"]
    assert table(page, "Status") == ["In progress"]
    assert table(page, "Done") == [0.25]


def test_without_tasks_the_list_says_where_they_come_from(world, workbench, open_page):
    world.first_version()
    assert "One is made from a gap" in shown(open_page("improve", view="tasks"))


def test_a_task_is_assigned_sent_back_submitted_and_cancelled(world, workbench, open_page):
    task = world.html_task(target=60)
    page = open_page("improve", task=task.id)
    field(page, "text_input", "Person").set_value(LEA)
    press(page, "Assign")
    assert workbench.labeling_tasks.get(task.id).assigned_to == LEA
    world.decide(task.training_sheet_id)
    page = open_page("improve", task=task.id)
    page.text_area(key="improve_send_back_note").set_value("Newsletters are ham")
    press(page, "Send back")
    assert "Newsletters are ham" in shown(page)
    press(page, "Submit")
    assert workbench.labeling_tasks.get(task.id).status is TaskStatus.REVIEW
    press(page, "Cancel task")
    assert "A note is needed." in shown(page)
    page.text_area(key="improve_cancel_note").set_value("Wrong slice")
    press(page, "Cancel task")
    assert workbench.labeling_tasks.get(task.id).status is TaskStatus.CANCELLED
    assert workbench.gaps.get(task.gap_id).status is GapStatus.IDENTIFIED


def test_unfinished_work_offers_no_acceptance(world, workbench, open_page):
    task = world.html_task(target=60)
    world.decide(task.training_sheet_id, limit=10)
    assert not {"Accept", "Submit"} & set(labels(open_page("improve", task=task.id).button))


# --- feedback --------------------------------------------------------------------------------------------------------


@pytest.fixture
def rated(world):
    world.first_version()
    world.judge(range(500, 505), rating="negative")
    world.judge(range(600, 620), rating="positive")
    return world


def test_feedback_shows_numbers_and_the_list(rated, workbench, open_page):
    page = open_page("improve", view="feedback")
    values = {metric.label: metric.value for metric in page.metric}
    assert (values["Ratings, 30 days"], values["Positive"], values["Negative"]) == ("25", "80.0 %", "5")
    assert table(page, "Rating").count("Negative") == 5
    page = open_page("improve", view="feedback", rating="negative")
    assert table(page, "Rating") == ["Negative"] * 5
    page = open_page("improve", view="feedback", fate="dismissed")
    assert "No feedback matches" in shown(page)


def test_an_endpoint_in_the_address_opens_its_feedback(rated, open_page):
    assert "Rating" in open_page("improve", endpoint="mails").dataframe[0].value


def test_one_feedback_is_looked_at_and_dismissed(rated, workbench, open_page):
    one = workbench.feedback.find(limit=1)[0]
    page = open_page("improve", feedback=one.id)
    assert f"Item {one.item_ref}" in shown(page)
    press(page, "Dismiss")
    assert workbench.feedback.get(one.id).status is FeedbackStatus.DISMISSED
    press(page, "Reopen")
    assert workbench.feedback.get(one.id).status is FeedbackStatus.NEW


def test_without_feedback_the_page_says_how_to_give_some(world, workbench, open_page):
    world.first_version()
    assert "Nobody has rated an answer yet" in shown(open_page("improve", view="feedback"))


def test_text_from_data_is_shown_as_it_stands(rated, workbench, open_page):
    one = workbench.feedback.find(limit=1)[0]
    workbench.store.execute(
        "UPDATE feedback SET comment = :text, output = :text WHERE id = :id",
        touches="feedback", text="**bold** [x](http://evil)", id=one.id,
    )  # fmt: skip
    page = open_page("improve", feedback=one.id)
    assert "**bold** [x](http://evil)" in [element.value for element in page.text]
