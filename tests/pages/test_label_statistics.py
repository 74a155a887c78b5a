"""The statistics of a review (TS-15): charts with their numbers, and what they say before anything was decided."""

from __future__ import annotations

from tests.pages.conftest import ANN
from tests.pages.label_parts import plainly, tiles
from tests.review_data import mails, training_sheet
from workbench_core.pairs import Decision

BEN = "ben@example.com"


def test_before_the_first_decision_the_charts_say_so(open_page, workbench, tmp_path):
    sheet = training_sheet(workbench, mails(workbench, tmp_path))
    page = open_page("label", sheet=sheet.id, view="statistics")
    assert (tiles(page)["Reviewed"], tiles(page)["Agreement with AI"]) == ("0.0 %", "–")
    said = plainly(page.caption)
    assert "Nobody has decided about a pair yet." in said
    assert any(text.startswith("No pair is approved yet") for text in said)


def test_two_people_are_told_apart(open_page, workbench, tmp_path):
    sheet = training_sheet(workbench, mails(workbench, tmp_path))
    pairs = workbench.pairs.queue(sheet.id)
    workbench.pairs.decide([Decision(pair.id, "approve", pair.row_version) for pair in pairs[:6]], by=ANN)
    workbench.pairs.decide([Decision(pair.id, "reject", pair.row_version) for pair in pairs[6:9]], by=BEN)
    page = open_page("label", sheet=sheet.id, view="statistics")
    assert (tiles(page)["Reviewed"], tiles(page)["Reviewers"]) == ("75.0 %", "2")
    (people,) = [frame.value for frame in page.dataframe]
    assert list(zip(people["Reviewer"], people["Decisions"], strict=True)) == [(ANN, 6), (BEN, 3)]
    assert any("6 approved" in text and "3 rejected" in text for text in plainly(page.caption))


def test_a_reviewer_with_a_hostile_name_is_only_a_name(open_page, workbench, tmp_path):
    name = "<b>x</b>@example.com"
    workbench.permissions.assign(name, "reviewer", by=ANN)
    sheet = training_sheet(workbench, mails(workbench, tmp_path))
    pair = workbench.pairs.queue(sheet.id)[0]
    workbench.pairs.decide([Decision(pair.id, "approve", pair.row_version)], by=name)
    page = open_page("label", sheet=sheet.id, view="statistics")
    assert not page.error
    assert tiles(page)["Reviewers"] == "1"
