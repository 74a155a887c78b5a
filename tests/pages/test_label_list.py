"""The list of the Label page: which training sheets wait, and where a person goes on."""

from __future__ import annotations

import pytest

from tests.pages.conftest import ANN, labels
from tests.pages.label_parts import address, plainly
from tests.review_data import HOSTILE, mails, training_sheet
from workbench_core.pairs import Decision

BEN = "ben@example.com"


@pytest.fixture
def sheet_id(workbench, tmp_path):
    return mails(workbench, tmp_path)


def decide(workbench, sheet, count, *, by=ANN):
    pairs = workbench.pairs.queue(sheet.id, limit=count)
    workbench.pairs.decide([Decision(pair.id, "approve", pair.row_version) for pair in pairs], by=by)


def test_the_list_shows_sheets_in_review_and_how_far_they_are(open_page, workbench, sheet_id):
    """TS-4"""
    sheet = training_sheet(workbench, sheet_id)
    decide(workbench, sheet, 3)
    (line,) = open_page("label").dataframe[0].value.to_dict("records")
    assert (line["Training sheet"], line["Pending"], line["Labelled"], line["Reviewed"]) == ("Mail class", 9, 3, 0.25)
    assert (line["Template"], line["Label type"], line["Sheet"]) == ("Mail class v1.0.0", "mail_class", "Mails")
    assert line["Answers"] == "A column of the sheet"


def test_without_any_training_sheet_the_page_teaches_and_leads_on(open_page):
    page = open_page("label")
    assert any("Nothing to label yet" in said for said in plainly(page.markdown))
    assert any("Generate a training sheet" in link.proto.label for link in page.get("page_link"))


def test_what_is_done_and_what_does_not_match_are_said_apart(open_page, workbench, sheet_id):
    sheet = training_sheet(workbench, sheet_id)
    assert any("No training sheet matches" in said for said in plainly(open_page("label", status="trained").markdown))
    workbench.training_sheets.move(sheet.id, "close_review", by=ANN, leave_out=True)
    page = open_page("label")
    assert any("Nothing waits for review" in said for said in plainly(page.markdown))


def test_status_sheet_and_search_stand_in_the_address(open_page, workbench, sheet_id):
    training_sheet(workbench, sheet_id)
    training_sheet(workbench, sheet_id, name="Tone", label_type="tone", label_classes=("kind", "rude"))
    assert len(open_page("label", of=sheet_id).dataframe[0].value) == 2
    page = open_page("label", search="tone")
    assert list(page.dataframe[0].value["Training sheet"]) == ["Tone"]
    page = open_page("label", search="nothing like it")
    page.button(key="label_all_sheets").click().run()
    assert len(page.dataframe[0].value) == 2
    assert address(page) == {"status": "all"}


@pytest.mark.parametrize("part", ["status", "of", "search", "page"])
def test_nonsense_in_the_address_does_no_harm(open_page, workbench, sheet_id, part):
    training_sheet(workbench, sheet_id)
    for value in ("../../etc", "<script>", "-1", "9" * 40, "'; DROP TABLE pairs; --"):
        assert not open_page("label", **{part: value}).error
    assert workbench.training_sheets.find()


def test_where_i_stopped_stands_first_and_others_have_their_own(open_page, workbench, sheet_id):
    first = training_sheet(workbench, sheet_id)
    second = training_sheet(workbench, sheet_id, name="Tone", label_type="tone", label_classes=("spam", "ham"))
    decide(workbench, first, 2)
    decide(workbench, second, 5, by=BEN)
    page = open_page("label")
    assert [name for name in labels(page.button) if name.startswith("Review ")] == ["Review 10 pairs"]
    page.button(key=f"label_go_on_{first.id}").click().run()
    assert address(page)["sheet"] == first.id
    assert [name for name in labels(open_page("label", user=BEN).button) if name.startswith("Review ")] == [
        "Review 7 pairs"
    ]


def test_what_i_finished_is_no_longer_offered(open_page, workbench, sheet_id):
    sheet = training_sheet(workbench, sheet_id)
    decide(workbench, sheet, 12)
    assert "Go on where you stopped" not in [head.value for head in open_page("label").subheader]


def test_a_hostile_name_is_only_a_name(open_page, workbench, sheet_id):
    sheet = training_sheet(workbench, sheet_id, name=f"X {HOSTILE}"[:120])
    decide(workbench, sheet, 1)
    for page in (open_page("label"), open_page("label", sheet=sheet.id)):
        assert not page.error
        assert not page.get("html")
        assert not any("**bold**" in text.value for text in page.markdown)
