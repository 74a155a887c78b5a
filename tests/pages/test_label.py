"""The Label page: what a reviewer sees and does there, from the list of training sheets to closing a review."""

from __future__ import annotations

import io
from types import SimpleNamespace

import pytest
from PIL import Image
from streamlit.testing.v1 import AppTest

from pages.components import review_card
from pages.components.browser_log import Ledger
from tests.pages.conftest import ANN, labels, work
from tests.pages.label_parts import clean, plainly, tiles
from tests.review_data import mails, training_sheet
from workbench_core.pairs import Decision, ReviewStatus
from workbench_core.prompt_templates import AnswerSource, TemplateDraft
from workbench_core.sheets import SheetDraft
from workbench_core.training_sheets import GenerationRequest

BEN = "ben@example.com"


@pytest.fixture(autouse=True)
def restart_server(monkeypatch):
    """A server that has carried out nothing yet, now and whenever it is called."""

    def restart():
        monkeypatch.setattr(review_card, "LEDGER", Ledger())

    restart()
    return restart


@pytest.fixture
def sheet(workbench, tmp_path):
    return training_sheet(workbench, mails(workbench, tmp_path))


def card(page):
    """The card of the training sheet that is open."""
    value = page.query_params["sheet"]
    return f"review_{value if isinstance(value, str) else value[0]}"


def act(page, *entries, nonce="browser-1"):
    """What the review card sends when a person acts on it."""
    log = [{"row_version": 1, "pair_id": "", **entry} for entry in entries]
    page.session_state[card(page)] = {"log": {"nonce": nonce, "entries": log}}
    return page.run()


def entry(seq, pair, action, **more):
    return {"seq": seq, "pair_id": pair.id, "row_version": pair.row_version, "action": action, **more}


def replies(page):
    """What the card was told about its entries."""
    nonce = page.session_state[card(page)]["log"]["nonce"]
    return review_card.LEDGER.answered(nonce)[1]


def test_a_sheet_shows_its_tiles_and_the_numbers_beside_every_filter(open_page, sheet):
    page = open_page("label", sheet=sheet.id)
    assert tiles(page) == {
        "Pending": "12", "Approved": "0", "Edited": "0", "Rejected": "0", "Flagged": "0", "Canonical": "0"
    }  # fmt: skip
    assert "Pending 12" in page.button_group[1].options


def test_an_unknown_sheet_is_a_calm_sentence(open_page):
    page = open_page("label", sheet="ts-unknown")
    assert "This training sheet does not exist." in page.warning[0].value.replace("\\", "")


def test_decisions_on_the_card_are_carried_out_and_counted(open_page, workbench, sheet):
    a, b, c, d = workbench.pairs.queue(sheet.id)[:4]
    page = act(
        open_page("label", sheet=sheet.id),
        entry(1, a, "approve"),
        entry(2, b, "edit", answer="spam"),
        entry(3, c, "reject"),
        entry(4, d, "flag", note="two languages"),
    )
    assert tiles(page) == {
        "Pending": "8", "Approved": "1", "Edited": "1", "Rejected": "1", "Flagged": "1", "Canonical": "0"
    }  # fmt: skip
    assert workbench.pairs.get(d.id).review_note == "two languages"
    labelled = workbench.canonical_labels.lookup(sheet.sheet_id, [a.item_ref, b.item_ref], "mail_class")
    assert {ref: label.answer for ref, label in labelled.items()} == {a.item_ref: "spam", b.item_ref: "spam"}


def test_a_log_that_comes_again_changes_nothing(open_page, workbench, sheet, restart_server):
    a, b = workbench.pairs.queue(sheet.id)[:2]
    page = act(open_page("label", sheet=sheet.id), entry(1, a, "approve"), entry(2, b, "approve"))
    undo = {"seq": 3, "action": "undo", "pair_id": b.id, "row_version": b.row_version + 1}
    log = (entry(1, a, "approve"), entry(2, b, "approve"), undo)
    assert tiles(act(page, *log))["Approved"] == "1"
    assert tiles(act(page, *log))["Approved"] == "1"
    restart_server()
    page = act(open_page("label", sheet=sheet.id), *log)
    assert tiles(page)["Approved"] == "1"
    assert len(workbench.pairs.reviews(a.id)) == 1


def test_a_decision_on_an_outdated_pair_comes_back_with_the_reason(open_page, workbench, sheet):
    pair = workbench.pairs.queue(sheet.id)[0]
    page = open_page("label", sheet=sheet.id)
    workbench.pairs.decide([Decision(pair.id, "reject", pair.row_version)], by=BEN)
    page = act(page, entry(1, pair, "approve"), nonce="stale")
    assert workbench.pairs.get(pair.id).review_status is ReviewStatus.REJECTED
    (reply,) = replies(page)
    assert reply.reason == f"Item {pair.item_ref} was just changed by {BEN}."


def test_an_existing_canonical_label_is_replaced_only_on_purpose(open_page, workbench, sheet):
    """TS-9: an answer that differs from the canonical label of its item needs a confirmation."""
    pair = workbench.pairs.queue(sheet.id)[0]
    other = training_sheet(
        workbench, sheet.sheet_id, name="Second look", answers=AnswerSource.MANUAL, user_prompt="{{ subject }}"
    )
    twin = next(p for p in workbench.pairs.queue(other.id) if p.item_ref == pair.item_ref)
    act(open_page("label", sheet=sheet.id), entry(1, pair, "approve"), nonce="first")
    page = act(open_page("label", sheet=other.id), entry(1, twin, "edit", answer="ham"), nonce="second")
    assert "conflicts with the existing canonical label" in replies(page)[0].reason
    act(page, entry(1, twin, "edit", answer="ham"), entry(2, twin, "edit", answer="ham", replace=True), nonce="second")
    (label,) = workbench.canonical_labels.lookup(sheet.sheet_id, [pair.item_ref], "mail_class").values()
    assert (label.answer, label.version) == ("ham", 2)


def test_undo_works_after_a_reload_too(open_page, workbench, sheet):
    pair = workbench.pairs.queue(sheet.id)[0]
    workbench.pairs.decide([Decision(pair.id, "approve", pair.row_version)], by=ANN)
    page = act(open_page("label", sheet=sheet.id), {"seq": 1, "action": "undo"}, nonce="reloaded")
    assert tiles(page)["Pending"] == "12"
    assert replies(page)[0].focus == pair.id


def test_nonsense_from_a_browser_is_ignored(open_page, workbench, sheet):
    page = open_page("label", sheet=sheet.id)
    junk = [1, {"seq": "x"}, {"seq": 1, "action": "drop", "row_version": 1}, {"seq": 2, "action": "approve"}]
    for log in ("text", {"entries": junk}, {"nonce": None, "entries": None}):
        page.session_state[card(page)] = {"log": log}
        assert not page.run().exception
    assert workbench.pairs.counts(sheet.id).pending == 12


def test_closing_a_review_leaves_out_what_is_undecided_only_when_said(open_page, workbench, sheet):
    """TS-14"""
    pair = workbench.pairs.queue(sheet.id)[0]
    workbench.pairs.decide([Decision(pair.id, "approve", pair.row_version)], by=ANN)
    page = open_page("label", sheet=sheet.id)
    assert page.button(key="label_close").disabled
    page.checkbox(key=f"label_leave_out_{sheet.id}").check().run()
    page.button(key="label_close").click().run()
    assert {"Train a model", "Reopen"} <= set(labels(page.button))
    page.button(key="label_reopen").click().run()
    assert workbench.training_sheets.get(sheet.id).status == "review"


def test_a_closed_review_is_locked_and_says_why(open_page, workbench, sheet):
    workbench.training_sheets.move(sheet.id, "close_review", by=ANN, leave_out=True)
    page = open_page("label", sheet=sheet.id, view="list", show="all")
    assert "The training sheet is approved. Reopen it to change decisions." in plainly(page.caption)
    assert page.button(key="label_bulk_approve").disabled


def test_a_role_without_review_rights_reads_but_does_not_decide(open_page, workbench, sheet):
    workbench.permissions.assign(BEN, "data_consumer", by=ANN)
    pair = workbench.pairs.queue(sheet.id)[0]
    page = act(open_page("label", user=BEN, sheet=sheet.id), entry(1, pair, "approve"), nonce="ben")
    assert tiles(page)["Pending"] == "12"
    assert "may not review pairs" in replies(page)[0].reason
    page = open_page("label", user=BEN, sheet=sheet.id, view="list")
    refusal = "Your role, data consumer, may not review pairs."
    assert refusal in plainly(page.caption)
    for key in ("label_bulk_approve", "label_bulk_flag", "label_close", "label_reject"):
        assert (page.button(key=key).disabled, clean(page.button(key=key).help)) == (True, refusal)


def test_the_head_says_where_it_comes_from_and_who_closed_the_review(open_page, workbench, sheet):
    """TS-5, TS-14"""
    workbench.training_sheets.move(sheet.id, "close_review", by=ANN, leave_out=True)
    page = open_page("label", sheet=sheet.id)
    said = " ".join(plainly(page.caption) + plainly(page.markdown))
    assert "Mails · Mail class v1.0.0 · mail_class · A column of the sheet" in said
    assert "Review closed by ann@example.com, just now" in said
    assert page.button(key="label_train").label == "Train a model"


def test_the_whole_is_rejected_with_a_reason_only(open_page, workbench, sheet):
    """TS-14"""
    page = open_page("label", sheet=sheet.id)
    page.button(key="label_reject").click().run()
    assert "A rejection needs a reason." in page.error[0].value
    page.text_input(key=f"label_reject_note_{sheet.id}").input("the *wrong* column")
    page.button(key="label_reject").click().run()
    assert workbench.training_sheets.get(sheet.id).status == "rejected"
    assert any("Rejected by ann@example.com, just now: the *wrong* column" in said for said in plainly(page.markdown))
    assert "The training sheet is rejected." in [toast.value for toast in page.toast]


def test_a_training_sheet_is_archived_by_its_owner_only(open_page, workbench, sheet):
    workbench.permissions.assign(BEN, "data_producer", by=ANN)
    page = open_page("label", user=BEN, sheet=sheet.id)
    assert page.button(key="label_archive").disabled
    assert "Only ann@example.com or a data steward may archive" in clean(page.button(key="label_archive").help)
    page = open_page("label", sheet=sheet.id)
    page.button(key="label_archive").click().run()
    assert workbench.training_sheets.get(sheet.id).status == "archived"


def test_after_the_last_pair_closing_the_review_is_the_next_step(open_page, workbench, sheet):
    page = open_page("label", sheet=sheet.id)
    assert page.button(key="label_close").disabled
    pairs = workbench.pairs.queue(sheet.id)
    workbench.pairs.decide([Decision(pair.id, "approve", pair.row_version) for pair in pairs], by=ANN)
    page.run()
    assert not page.button(key="label_close").disabled


# --- pictures --------------------------------------------------------------------------------------------------------


@pytest.fixture
def pictured(workbench):
    """A training sheet in review whose items are the files of a folder: two pictures and a text."""
    files = {"a/cat & dog.png": png(), "b.png": png(), "notes.txt": b"none"}
    workbench.lake.put_files("main.review.photos", files)
    draft = SheetDraft("Photos", "main.review.photos", "path", image_columns=("path",))
    sheet = workbench.sheets.move(workbench.sheets.create(draft, by=ANN).id, "publish", by=ANN)
    asking = TemplateDraft("Photos", "kind", "What is {{ photo }}?", label_classes=("cat", "dog"))
    template = workbench.prompt_templates.move(workbench.prompt_templates.create(asking, by=ANN).id, "publish", by=ANN)
    request = GenerationRequest(sheet.id, template.id, {"photo": "path"}, answer_source=AnswerSource.MANUAL)
    made = workbench.training_sheets.generate(request, by=ANN)
    work(workbench)
    return made


def png() -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (8, 8), "red").save(out, "PNG")
    return out.getvalue()


def test_the_card_shows_the_pictures_of_the_question(open_page, pictured, monkeypatch):
    shown = []
    monkeypatch.setattr(review_card, "_mount", lambda **said: shown.append(said["data"]) or SimpleNamespace(opened=""))
    open_page("label", sheet=pictured.id)
    cards = {item["ref"]: item for item in shown[-1]["items"]}
    assert cards["a/cat & dog.png"]["pictures"] == ["/pictures/main.review.photos/a/cat%20%26%20dog.png"]
    assert cards["a/cat & dog.png"]["prompt"] == "What is [picture: cat & dog.png]?"


def test_a_conversation_shows_its_pictures_small(pictured, workbench):
    def page(attachments):
        from pages.components.records import show_messages
        from workbench_core.pairs import Message

        show_messages([Message("user", "What is it?", attachments)], "cat")

    (pair,) = [pair for pair in workbench.pairs.find(pictured.id) if pair.item_ref.startswith("a/")]
    shown = AppTest.from_function(page, args=(pair.messages[-1].attachments,)).run()
    (html,) = shown.get("html")
    assert 'src="/pictures/main.review.photos/a/cat%20%26%20dog.png"' in html.proto.body
    assert 'alt="Picture cat &amp; dog.png"' in html.proto.body
    hostile = AppTest.from_function(page, args=(('main.a.b/x"><script>.png',),)).run()
    assert "<script>" not in hostile.get("html")[0].proto.body
