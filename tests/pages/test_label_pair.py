"""One pair by its link, and everything about it: decisions, comments, question, source, labels, answers."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from pages.components import review_card
from tests.pages.conftest import ANN
from tests.pages.label_parts import address, plainly, select
from tests.review_data import HOSTILE, mails, training_sheet
from workbench_core.pairs import Decision

BEN = "ben@example.com"


@pytest.fixture
def sheet(workbench, tmp_path):
    return training_sheet(workbench, mails(workbench, tmp_path))


@pytest.fixture
def cards(monkeypatch):
    """What the review card is given, the last one last."""
    shown = []
    monkeypatch.setattr(review_card, "_mount", lambda **said: shown.append(said["data"]) or SimpleNamespace(opened=""))
    return shown


def refs(card):
    return [item["ref"] for item in card["items"]]


def test_a_link_opens_exactly_its_pair_and_the_queue_follows(open_page, workbench, sheet, cards):
    pair = workbench.pairs.queue(sheet.id)[4]
    page = open_page("label", user=BEN, sheet=sheet.id, pair=pair.id)
    assert refs(cards[-1])[:2] == ["m004", "m005"]
    assert any("Item m004, opened by a link" in said for said in plainly(page.markdown))
    page.button(key="label_unlink").click().run()
    assert address(page) == {"sheet": sheet.id}
    assert refs(cards[-1])[0] == "m000"


def test_a_linked_pair_that_the_filter_has_not_is_shown_and_said(open_page, workbench, sheet, cards):
    pair = workbench.pairs.queue(sheet.id)[4]
    workbench.pairs.decide([Decision(pair.id, "reject", pair.row_version)], by=BEN)
    page = open_page("label", sheet=sheet.id, pair=pair.id)
    assert refs(cards[-1])[:2] == ["m004", "m005"]
    assert any("Item m004 is rejected: it is not among" in said for said in plainly(page.markdown))


def test_once_the_linked_pair_is_decided_the_queue_goes_on(open_page, workbench, sheet, cards):
    pair = workbench.pairs.queue(sheet.id)[4]
    page = open_page("label", sheet=sheet.id, pair=pair.id)
    before = cards[-1]["rev"]
    workbench.pairs.decide([Decision(pair.id, "reject", pair.row_version)], by=ANN)
    page.run()
    assert refs(cards[-1])[0] == "m005"
    assert cards[-1]["rev"] == before, "the card would begin anew"


def test_a_pair_of_another_sheet_is_refused_calmly(open_page, workbench, sheet):
    other = training_sheet(workbench, sheet.sheet_id, name="Second")
    pair = workbench.pairs.queue(other.id)[0]
    page = open_page("label", sheet=sheet.id, pair=pair.id)
    assert any("belongs to another training sheet" in said for said in plainly(page.warning))
    for value in ("nonsense", "<b>x</b>", "9" * 3000):
        assert any("does not exist" in said for said in plainly(open_page("label", sheet=sheet.id, pair=value).warning))


def test_a_selected_pair_is_opened_in_focus_by_its_link(open_page, workbench, grids, sheet):
    pair = workbench.pairs.queue(sheet.id)[2]
    page = select(open_page("label", sheet=sheet.id, view="list"), grids, pair)
    page.button(key="label_open_pair").click().run()
    assert address(page) == {"sheet": sheet.id, "pair": pair.id}


# --- the dialog ------------------------------------------------------------------------------------------------------


def details(open_page, grids, sheet, pair, *, user=ANN):
    """The dialog about a pair, opened from the list."""
    page = select(open_page("label", user=user, sheet=sheet.id, view="list", show="all"), grids, pair)
    return page.button(key="label_details").click().run()


def show(page, pair, tab):
    page.session_state[f"pair_tabs_{pair.id}"] = tab
    return page.run()


def test_the_history_tells_decisions_in_words(open_page, workbench, grids, sheet):
    """TS-7"""
    pair = workbench.pairs.queue(sheet.id)[0]
    workbench.pairs.decide([Decision(pair.id, "flag", pair.row_version, note="two *languages*")], by=BEN)
    workbench.pairs.decide([Decision(pair.id, "edit", pair.row_version + 1, answer="ham")], by=ANN)
    workbench.pairs.undo(sheet.id, by=ANN)
    said = " ".join(plainly(details(open_page, grids, sheet, pair).markdown))
    assert f"**{BEN}** flagged it · two *languages* · :gray[just now]" in said
    assert f"~~**{ANN}** approved it with another answer · “spam” became “ham”~~ (undone)" in said


def test_people_write_comments_and_others_read_them(open_page, workbench, grids, sheet):
    pair = workbench.pairs.queue(sheet.id)[0]
    page = show(details(open_page, grids, sheet, pair), pair, "Comments")
    page.text_area(key=f"pair_comment_{pair.id}_0").input(f"Ask sales. {HOSTILE}")
    page.button(key=f"pair_comment_{pair.id}_0_send").click().run()
    assert [comment.by for comment in workbench.pairs.comments(pair.id)] == [ANN]
    page = show(details(open_page, grids, sheet, pair, user=BEN), pair, "Comments")
    assert f"Ask sales. {HOSTILE}" in [text.value for text in page.text]
    page.button(key=f"pair_comment_{pair.id}_1_send").click().run()
    assert "The comment is empty." in page.error[0].value
    assert grids.rows("label_grid").loc[pair.id, "Comments"] == 1


def test_everybody_who_is_signed_in_may_comment(open_page, workbench, grids, sheet):
    workbench.permissions.assign(BEN, "data_consumer", by=ANN)
    pair = workbench.pairs.queue(sheet.id)[0]
    page = show(details(open_page, grids, sheet, pair, user=BEN), pair, "Comments")
    page.text_area(key=f"pair_comment_{pair.id}_0").input("Why spam?")
    page.button(key=f"pair_comment_{pair.id}_0_send").click().run()
    assert [comment.text for comment in workbench.pairs.comments(pair.id)] == ["Why spam?"]


def test_labels_of_every_type_and_their_versions_are_shown(open_page, workbench, grids, sheet):
    """TS-7: labels of other types for the item."""
    pair = workbench.pairs.queue(sheet.id)[0]
    other = training_sheet(workbench, sheet.sheet_id, name="Tone", label_type="tone")
    twin = next(one for one in workbench.pairs.queue(other.id) if one.item_ref == pair.item_ref)
    workbench.pairs.decide([Decision(twin.id, "approve", twin.row_version)], by=BEN)
    page = show(details(open_page, grids, sheet, pair), pair, "Labels")
    assert any(said.startswith("**tone**: spam · reused") for said in plainly(page.markdown))


def test_the_first_answer_is_kept_and_shown(open_page, workbench, grids, sheet):
    """TS-8: the original answer is kept once."""
    pair = workbench.pairs.queue(sheet.id)[0]
    workbench.pairs.decide([Decision(pair.id, "edit", pair.row_version, answer="ham")], by=ANN)
    page = show(details(open_page, grids, sheet, pair), pair, "Answers")
    assert [text.value for text in page.text] == ["ham", "spam"]


def test_the_source_and_the_question_are_text(open_page, workbench, grids, sheet):
    pair = workbench.pairs.queue(sheet.id)[0]
    for tab in ("Source", "Conversation"):
        page = show(details(open_page, grids, sheet, pair), pair, tab)
        assert not page.error
        assert any(HOSTILE in text.value for text in page.text)
