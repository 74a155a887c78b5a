"""The home page: a welcome with two ways to begin, then the loop with what waits and the one next step."""

from __future__ import annotations

import pytest

from tests.pages.conftest import ANN, labels
from tests.review_data import mails, training_sheet

BEN = "ben@example.com"


@pytest.fixture
def sheet(workbench, tmp_path):
    return training_sheet(workbench, mails(workbench, tmp_path, count=9))


def test_an_empty_workbench_offers_the_demo_data_and_ones_own_table(open_page):
    page = open_page("home")
    assert labels(page.button) == ["Load the demo data", "Use my own table"]


def test_the_demo_data_is_loaded_in_one_click(open_page, workbench):
    page = open_page("home")
    page.button[0].click().run()
    assert workbench.demo.is_loaded()
    assert "The demo data is loaded." in [toast.value for toast in page.toast]
    assert "Load the demo data" not in labels(page.button)


def test_a_role_that_may_not_begin_is_told_whom_to_ask(open_page, workbench):
    workbench.permissions.assign(BEN, "data_consumer", by=ANN)
    page = open_page("home", user=BEN)
    assert all(button.disabled for button in page.button)
    assert any("Ask a data producer" in caption.value for caption in page.caption)


def test_the_loop_shows_seven_stages_with_real_counts(open_page, sheet):
    page = open_page("home")
    counts = {metric.label: metric.value for metric in page.metric}
    assert len(counts) == 7
    assert (counts["Sheets"], counts["Training sheets"], counts["Canonical labels"]) == ("1", "1", "0")
    assert "9 pairs wait for review" in [caption.value for caption in page.caption]


def test_there_is_one_primary_button_and_it_leads_to_the_waiting_review(open_page, sheet):
    page = open_page("home")
    (button,) = [button for button in page.button if button.proto.type == "primary"]
    assert button.label == "Review 9 pairs"
    button.click().run()
    assert page.query_params["sheet"] in (sheet.id, [sheet.id])


def test_running_work_is_shown_with_its_progress(open_page, workbench, sheet):
    workbench.runs.start("generate", "ts-other", title="Generate “Other”", by=ANN, total=10)
    page = open_page("home")
    assert any("Other" in text.value for text in page.markdown)
