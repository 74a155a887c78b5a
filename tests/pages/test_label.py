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


def select(page, *pairs):
    """Rows checked in the grid."""
    page.session_state["label_grid_0"] = {"nonce": "g", "edits": [], "selected": [pair.id for pair in pairs]}
    return page.run()


def replies(page):
    """What the card was told about its entries."""
    nonce = page.session_state[card(page)]["log"]["nonce"]
    return review_card.LEDGER.answered(nonce)[1]


def tiles(page):
    return {metric.label: metric.value for metric in page.metric}


def test_the_list_shows_sheets_in_review_and_how_far_they_are(open_page, workbench, sheet):
    first = workbench.pairs.queue(sheet.id)[:3]
    workbench.pairs.decide([Decision(pair.id, "approve", pair.row_version) for pair in first], by=ANN)
    page = open_page("label")
    (line,) = page.dataframe[0].value.to_dict("records")
    assert (line["Training sheet"], line["Pending"], line["Labelled"], line["Reviewed"]) == ("Mail class", 9, 3, 0.25)


def test_an_empty_list_offers_the_next_step_and_a_filter_without_hits_says_so(open_page, workbench):
    assert any("Nothing waits for review" in text.value for text in open_page("label").markdown)
    assert any("No training sheet matches" in text.value for text in open_page("label", status="trained").markdown)


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


def test_selected_pairs_are_approved_together_and_undone_one_by_one(open_page, workbench, sheet):
    chosen = workbench.pairs.queue(sheet.id)[:5]
    page = select(open_page("label", sheet=sheet.id, view="list"), *chosen)
    assert "**5 selected**" in [text.value for text in page.markdown]
    page.button(key="label_bulk_approve").click().run()
    assert tiles(page)["Approved"] == "5"
    assert "Approve: 5 done, 0 refused." in [toast.value for toast in page.toast]
    page.button(key="label_undo").click().run()
    assert tiles(page)["Approved"] == "4"


def test_flagging_needs_a_reason_and_says_so(open_page, workbench, sheet):
    chosen = workbench.pairs.queue(sheet.id)[:2]
    page = select(open_page("label", sheet=sheet.id, view="list"), *chosen)
    page.button(key="label_bulk_flag").click().run()
    assert "A flag needs a reason." in page.warning[0].value.replace("\\", "")
    page = select(open_page("label", sheet=sheet.id, view="list"), *chosen)
    page.text_input(key="label_flag_note").input("not a mail")
    page.button(key="label_bulk_flag").click().run()
    assert tiles(page)["Flagged"] == "2"


def test_a_bulk_decision_spares_what_somebody_else_changed_meanwhile(open_page, workbench, sheet):
    first, second = workbench.pairs.queue(sheet.id)[:2]
    page = select(open_page("label", sheet=sheet.id, view="list", show="all"), first, second)
    workbench.pairs.decide([Decision(first.id, "reject", first.row_version)], by=BEN)
    page.button(key="label_bulk_approve").click().run()
    assert tiles(page)["Approved"] == "1"
    assert "was just changed by ben" in page.warning[0].value.replace("\\", "")


def test_usage_is_set_with_a_preset_and_keeps_the_review(open_page, workbench, sheet):
    """TS-12, INV-5: usage and quality are two gates."""
    pair = workbench.pairs.queue(sheet.id)[0]
    workbench.pairs.decide([Decision(pair.id, "approve", pair.row_version)], by=ANN)
    page = select(open_page("label", sheet=sheet.id, view="list", show="approved"), pair)
    page.selectbox(key="label_usage_preset").select("personal_data").run()
    page.text_input(key="label_usage_reason").input("names of customers")
    page.button(key="label_set_usage").click().run()
    changed = workbench.pairs.get(pair.id)
    assert changed.usage.summary() == "Training prohibited: names of customers"
    assert changed.review_status is ReviewStatus.APPROVED


def test_usage_without_a_reason_is_refused(open_page, workbench, sheet):
    page = select(open_page("label", sheet=sheet.id, view="list"), workbench.pairs.queue(sheet.id)[0])
    page.button(key="label_set_usage").click().run()
    assert "The reason is missing." in page.error[0].value


def test_closing_a_review_leaves_out_what_is_undecided_only_when_said(open_page, workbench, sheet):
    """TS-14"""
    pair = workbench.pairs.queue(sheet.id)[0]
    workbench.pairs.decide([Decision(pair.id, "approve", pair.row_version)], by=ANN)
    page = open_page("label", sheet=sheet.id)
    assert page.button(key="label_close").disabled
    page.checkbox(key="label_leave_out").check().run()
    page.button(key="label_close").click().run()
    assert {"Train a model", "Reopen"} <= set(labels(page.button))
    page.button(key="label_reopen").click().run()
    assert workbench.training_sheets.get(sheet.id).status == "review"


def test_a_closed_review_is_locked_and_says_why(open_page, workbench, sheet):
    workbench.training_sheets.move(sheet.id, "close_review", by=ANN, leave_out=True)
    page = open_page("label", sheet=sheet.id, view="list", show="all")
    assert "The training sheet is approved. Reopen it to change decisions." in [c.value for c in page.caption]
    assert page.button(key="label_bulk_approve").disabled


def test_a_role_without_review_rights_reads_but_does_not_decide(open_page, workbench, sheet):
    workbench.permissions.assign(BEN, "data_consumer", by=ANN)
    pair = workbench.pairs.queue(sheet.id)[0]
    page = act(open_page("label", user=BEN, sheet=sheet.id), entry(1, pair, "approve"), nonce="ben")
    assert tiles(page)["Pending"] == "12"
    assert "may not review pairs" in replies(page)[0].reason
    page = open_page("label", user=BEN, sheet=sheet.id, view="list")
    assert "Your role may read pairs, but not review them." in [c.value for c in page.caption]


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
