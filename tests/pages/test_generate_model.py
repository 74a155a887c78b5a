"""Generating with a language model that costs money: what is known before, where it pauses, and how it goes on."""

from __future__ import annotations

import pytest

from tests.contract.openai_stub import failure, openai_stub, says
from tests.pages.conftest import ANN, labels, work
from tests.pages.generate_parts import (
    button,
    choose,
    configure_model,
    fields,
    generated,
    label,
    mail_sheet,
    make_sheet,
    make_template,
    next_version,
    notes,
    open_popover,
    press,
    said,
    spoken,
    tiles,
    toasts,
)
from workbench_core.pairs import Decision, PairFilter, ReviewStatus
from workbench_core.prompt_templates import AnswerSource
from workbench_core.training_sheets import TrainingSheetStatus


@pytest.fixture(autouse=True)
def server(tmp_path):
    """A model that says ham to everything: 15 tokens for each answer, a thousandth of a dollar for a token."""
    with openai_stub(says("ham")) as stub:
        configure_model(tmp_path, stub.url)
        yield stub


sheet = mail_sheet


@pytest.fixture
def template(workbench, server):
    return make_template(workbench, answer_source=AnswerSource.AI_GENERATED)


def test_what_a_model_would_cost_is_known_before(open_page, workbench, sheet, template):
    label(workbench, sheet, 10)
    page = open_page("generate", sheet=sheet.id, template=template.id)
    assert fields(page)["Model"].options[0] == "Stub model · 1,000 / 1,000 USD per million tokens in / out · ready"
    assert notes(page)["Cost in USD"] == "30 calls"
    assert float(tiles(page)["Cost in USD"]) > 0
    assert notes(page)["Time"] == "not measured yet"
    press(page, "Generate")
    work(workbench)
    page.run()
    assert tiles(page)["Spent in USD"] == "0.45"  # 30 calls with 15 tokens each
    page = open_page("generate", sheet=sheet.id, template=template.id)
    assert (tiles(page)["Cost"], notes(page)["Cost"]) == ("Nothing", "0 calls, 30 kept")


def test_a_budget_that_is_too_small_is_told_before_and_pauses_the_run(open_page, workbench, sheet, template):
    page = open_page("generate", sheet=sheet.id, template=template.id)
    choose(page, "Pause at", "Budget")
    fields(page)["Budget in USD"].set_value(0.03).run()
    assert "more than the budget of 0.03 USD: it lasts for about" in said(page)
    press(page, "Generate")
    work(workbench)
    page.run()
    (made,) = workbench.training_sheets.find()
    assert made.is_paused
    assert "paused" in said(page)
    assert spoken(made.pause_reason) in said(page)
    assert f"{made.counts.total} of 40 items are done" in made.pause_reason
    assert not page.get("progress")[0].proto.text, "the numbers are said once"
    budget = fields(page)["Budget in USD"]
    assert budget.value == pytest.approx(2 * made.spent.cost), "no click spends much more than was allowed before"
    assert "To the end it takes about 0.66 USD" in said(page)
    budget.set_value(0.66).run()
    press(page, "Resume")
    run = workbench.training_sheets.run_of(made.id)
    left = 40 - made.counts.total
    set_run(workbench, run.id, status="running", done=1, total=left, message=f"1 of {left} items")
    page.run()
    told = page.get("progress")[0].proto.text
    assert f"{made.counts.total + 1} of 40 items" in spoken(told), "it counts on from where the pause stood"
    assert told.count(" of ") == 1, "the numbers are said once"
    set_run(workbench, run.id, status="queued", done=0, total=run.total, message="")
    work(workbench)
    page.run()
    assert workbench.training_sheets.get(made.id).status is TrainingSheetStatus.REVIEW
    assert tiles(page)["Pairs"] == "40"


def set_run(workbench, run_id: str, **values: object) -> None:
    """What a run says of itself at one moment of its work."""
    changes = ", ".join(f"{name} = :{name}" for name in values)
    workbench.store.execute(f"UPDATE runs SET {changes} WHERE id = :id", id=run_id, touches="runs", **values)


def test_a_number_of_calls_is_a_limit_too(open_page, workbench, sheet, template):
    page = open_page("generate", sheet=sheet.id, template=template.id)
    choose(page, "Pause at", "Calls")
    fields(page)["Calls at most"].set_value(5).run()
    assert "40 calls are needed, more than the limit of 5 calls." in said(page)
    press(page, "Generate")
    work(workbench)
    (made,) = workbench.training_sheets.find()
    assert made.is_paused
    assert made.spent.calls == 5


def test_without_a_price_only_calls_can_be_limited(tmp_path, request, open_page_without_price):
    page = open_page_without_price
    assert tiles(page)["Cost"] == "Not known"
    control = next(one for one in page.get("button_group") if one.label == "Pause at")
    assert list(control.options) == ["No limit", "Calls"]


@pytest.fixture
def open_page_without_price(tmp_path, request):
    with openai_stub(says("ham")) as stub:
        configure_model(tmp_path, stub.url, price="")
        workbench = request.getfixturevalue("workbench")
        made = make_sheet(workbench, tmp_path)
        template = make_template(workbench, answer_source=AnswerSource.AI_GENERATED)
        yield request.getfixturevalue("open_page")("generate", sheet=made.id, template=template.id)


def test_a_model_that_is_missing_is_named_with_the_reason(tmp_path, request):
    configure_model(tmp_path, "http://127.0.0.1:9/v1")  # nobody listens there
    workbench, open_page = request.getfixturevalue("workbench"), request.getfixturevalue("open_page")
    sheet = make_sheet(workbench, tmp_path)
    template = make_template(workbench, answer_source=AnswerSource.AI_GENERATED)
    page = open_page("generate", sheet=sheet.id, template=template.id)
    assert "It cannot answer now:" in said(page)
    assert button(page, "Generate").disabled
    fields(page)["Answers"].set_value(AnswerSource.MANUAL).run()
    assert button(page, "Generate").disabled is False


def test_a_column_with_gaps_is_filled_by_the_model(open_page, workbench, server, tmp_path, template):
    text = "mail_id,mail_class,Subject\n" + "\n".join(f"m{n:03d},{'spam' if n < 6 else ''},Mail {n}" for n in range(10))
    sheet = make_sheet(workbench, tmp_path, name="gaps", text=text)
    page = open_page("generate", sheet=sheet.id, template=template.id)
    fields(page)["Answers"].set_value(AnswerSource.HYBRID).run()
    assert notes(page)["Cost in USD"] == "4 calls"
    press(page, "Generate")
    work(workbench)
    (made,) = workbench.training_sheets.find()
    answers = [pair.answer for pair in workbench.pairs.find(made.id, limit=10)]
    assert answers == ["spam"] * 6 + ["ham"] * 4
    assert len(server.requests) == 4


def test_a_run_is_paused_and_goes_on(open_page, workbench, sheet, template):
    made = generated(workbench, sheet, template)
    page = open_page("generate", training_sheet=made.id)
    press(page, "Pause")
    assert "It pauses" in toasts(page)
    assert "paused" in said(page)
    assert f"Paused by {ANN}" in said(page)
    assert {"Resume", "Cancel"} <= set(labels(page.button))
    press(page, "Resume")
    work(workbench)
    page.run()
    assert tiles(page)["Pairs"] == "40"


# --- answers for pairs that exist -------------------------------------------------------------------------------------


def test_missing_answers_are_proposed_with_the_numbers_before_the_click(open_page, workbench, sheet, template):
    label(workbench, sheet, 10)
    made = generated(workbench, sheet, template, is_done=True, answer_source=AnswerSource.MANUAL)
    page = open_page("generate", training_sheet=made.id)
    assert "30 pending pairs without one" in said(page)
    open_popover(page, f"generate_answers_{made.id}")
    assert "30 pairs would be answered: 30 calls" in said(page).replace("*", "")
    press(page, "Answer 30 pairs")
    assert "30 pairs: the model has started to answer" in toasts(page)
    work(workbench)
    page.run()
    assert "30 pairs answered" in said(page)
    assert workbench.pairs.count(made.id, PairFilter(statuses=(ReviewStatus.PENDING,))) == 30
    assert {pair.answer for pair in workbench.pairs.find(made.id, PairFilter(statuses=(ReviewStatus.PENDING,)))} == {
        "ham"
    }


def test_a_newer_version_makes_pending_pairs_anew_and_no_approved_one(open_page, workbench, sheet, template):
    made = generated(workbench, sheet, template, is_done=True)
    waiting = workbench.pairs.queue(made.id, limit=15)
    workbench.pairs.decide([Decision(pair.id, "approve", pair.row_version) for pair in waiting], by=ANN)
    newer = next_version(workbench, template, user_prompt="Spam or ham: “{{ subject }}”?")
    page = open_page("generate", training_sheet=made.id)
    assert f"v{newer.version} is published" in said(page)
    open_popover(page, f"generate_anew_{made.id}")
    assert "25 pairs would be answered" in said(page).replace("*", "")
    fields(page)["Pairs"].select("Those that match a filter").run()
    fields(page)["Review"].select("").run()
    assert "25 pairs would be answered" in said(page).replace("*", "")
    assert "15 left alone" in said(page)
    press(page, "Answer 25 pairs")
    work(workbench)
    asked = [pair.messages[-1].content for pair in workbench.pairs.find(made.id, limit=40)]
    assert sum(text.startswith("Spam or ham") for text in asked) == 25
    assert workbench.training_sheets.get(made.id).counts.approved == 15


def test_items_that_the_model_failed_on_are_tried_once_more(open_page, workbench, sheet, template, server, grids):
    broken = failure(400, "This question is refused.")
    well = server.behaviour
    server.behaviour = lambda number, body: broken if "Mail 3”" in str(body["messages"]) else well(number, body)
    made = generated(workbench, sheet, template, is_done=True)
    page = open_page("generate", training_sheet=made.id)
    assert tiles(page)["Errors"] == "1"
    assert grids.rows("generate_failed")["Item"].tolist() == ["m003"]
    server.behaviour = well
    press(page, "Retry the failed item")
    work(workbench)
    page.run()
    assert tiles(page)["Errors"] == "0"
    assert "1 pair answered" in said(page)
    assert len(server.requests) == 41, "only the one that had failed is asked again"
