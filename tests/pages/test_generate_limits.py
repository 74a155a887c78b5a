"""Generating within limits: what asking again costs, limits that are raised or lifted, and limits of several sheets."""

from __future__ import annotations

import pytest

from tests.contract.openai_stub import failure, openai_stub, says
from tests.pages.conftest import ANN, work
from tests.pages.generate_parts import (
    choose,
    configure_model,
    fields,
    generated,
    label,
    mail_sheet,
    make_sheet,
    make_template,
    open_popover,
    press,
    said,
    spoken,
    tiles,
    toasts,
)
from workbench_core.prompt_templates import AnswerSource
from workbench_core.training_sheets import AnswerRequest, TrainingSheetStatus

sheet = mail_sheet


@pytest.fixture(autouse=True)
def server(tmp_path):
    """A model that says ham to everything: 15 tokens for each answer, a thousandth of a dollar for a token."""
    with openai_stub(says("ham")) as stub:
        configure_model(tmp_path, stub.url)
        yield stub


@pytest.fixture
def template(workbench):
    return make_template(workbench, answer_source=AnswerSource.AI_GENERATED)


@pytest.fixture
def with_failure(workbench, sheet, template, server):
    """A training sheet with a limit of 40 calls, all of them used, and one item that failed."""
    well = server.behaviour
    broken = failure(400, "This question is refused.")
    server.behaviour = lambda number, body: broken if "Mail 3”" in str(body["messages"]) else well(number, body)
    made = generated(workbench, sheet, template, is_done=True, call_limit=40)
    server.behaviour = well
    return made


def test_the_numbers_before_answering_tell_what_is_free(open_page, workbench, sheet, template):
    generated(workbench, sheet, template, is_done=True, filter="mail_id < 'm025'")  # asks about the first 25
    made = generated(workbench, sheet, template, is_done=True, answer_source=AnswerSource.MANUAL)
    label(workbench, sheet, 10)
    page = open_page("generate", training_sheet=made.id)
    open_popover(page, f"generate_answers_{made.id}")
    told = said(page).replace("*", "")
    assert (
        "40 pairs would be answered: 10 have a canonical label by now, 15 were answered before and cost nothing, "
        "15 are asked." in told
    )
    assert "15 calls, " in told


def test_numbers_in_proportion_are_told_with_about(monkeypatch, open_page, workbench, sheet, template):
    monkeypatch.setattr("workbench_core.training_sheets.answering_preview.EXACT", 10)
    monkeypatch.setattr("workbench_core.training_sheets.answering_preview.LOOKED_AT", 20)
    made = generated(workbench, sheet, template, is_done=True, answer_source=AnswerSource.MANUAL)
    label(workbench, sheet, 20)
    page = open_page("generate", training_sheet=made.id)
    open_popover(page, f"generate_answers_{made.id}")
    assert "about 20 have a canonical label by now, about 20 are asked." in said(page)


def test_a_used_up_limit_is_raised_where_the_failed_items_are_asked_again(open_page, workbench, with_failure):
    page = open_page("generate", training_sheet=with_failure.id)
    open_popover(page, f"generate_retry_raise_{with_failure.id}")
    assert "The limit of 40 calls is used up." in said(page)
    assert "To the end it takes about 42 calls." in said(page)
    assert fields(page)["Calls at most"].value == 42
    press(page, "Ask again about 1 item")
    assert "1 failed item: the model is asked once more." in toasts(page)
    work(workbench)
    page.run()
    assert tiles(page)["Errors"] == "0"
    assert workbench.training_sheets.get(with_failure.id).call_limit == 42


def test_a_used_up_limit_is_lifted(open_page, workbench, with_failure):
    page = open_page("generate", training_sheet=with_failure.id)
    open_popover(page, f"generate_retry_raise_{with_failure.id}")
    choose(page, "How far", "No limit")
    assert "Calls at most" not in fields(page)
    press(page, "Ask again about 1 item")
    work(workbench)
    assert workbench.training_sheets.get(with_failure.id).call_limit is None
    assert workbench.training_sheets.get(with_failure.id).counts.errors == 0


def test_a_paused_generation_goes_on_without_its_limit(open_page, workbench, sheet, template):
    made = generated(workbench, sheet, template, is_done=True, call_limit=5)
    page = open_page("generate", training_sheet=made.id)
    choose(page, "How far", "No limit")
    press(page, "Resume")
    assert "It goes on, without a limit." in toasts(page)
    work(workbench)
    now = workbench.training_sheets.get(made.id)
    assert (now.status, now.call_limit, now.counts.total) == (TrainingSheetStatus.REVIEW, None, 40)


def test_the_limits_of_several_sheets_apply_to_each(open_page, workbench, sheet, template, tmp_path):
    other = make_sheet(workbench, tmp_path, name="letters")
    page = open_page("generate", view="batch", template=template.id, sheets=f"{sheet.id},{other.id}")
    assert "Budget and call limit apply to each sheet." in said(page)
    choose(page, "Pause at", "Calls")
    fields(page)["Calls at most"].set_value(5).run()
    assert "Budget and call limit apply to each sheet: together at most 10 calls." in said(page)
    fields(page)["Description"].set_value("Both of June").run()
    fields(page)["Seed"].set_value(7).run()
    press(page, "Generate 2 training sheets")
    made = workbench.training_sheets.find()
    assert [(one.call_limit, one.description, one.options.seed) for one in made] == [(5, "Both of June", 7)] * 2


def test_another_seed_asks_anew_and_the_same_one_takes_kept_answers(open_page, workbench, sheet, template):
    generated(workbench, sheet, template, is_done=True)
    page = open_page("generate", sheet=sheet.id, template=template.id)
    assert tiles(page)["Cost"] == "Nothing"
    fields(page)["Seed"].set_value(7).run()
    assert float(tiles(page)["Cost in USD"]) > 0
    press(page, "Generate")
    newest = workbench.training_sheets.find()[0]
    assert newest.options.seed == 7
    work(workbench)
    page.run()
    assert dict(page.dataframe[-1].value.to_numpy().tolist())["Seed"] == "7"


def test_a_cancelled_answering_says_so_and_can_go_on(open_page, workbench, sheet, template):
    made = generated(workbench, sheet, template, is_done=True, answer_source=AnswerSource.MANUAL)
    workbench.training_sheets.answer_pairs(made.id, AnswerRequest(), by=ANN)
    workbench.training_sheets.cancel_answering(made.id, by=ANN)
    page = open_page("generate", training_sheet=made.id)
    assert "Latest answering, cancelled" in said(page)
    press(page, "Resume")
    work(workbench)
    page.run()
    assert "40 pairs answered" in said(page)


def test_a_failed_item_shows_its_question_and_what_it_answered_before(
    open_page, workbench, sheet, template, server, grids
):
    made = generated(workbench, sheet, template, is_done=True)
    pair = next(one for one in workbench.pairs.find(made.id, limit=40) if one.item_ref == "m003")
    again = AnswerRequest(pair_ids=(pair.id,), overwrite=True)
    server.behaviour = says("spam")
    workbench.training_sheets.answer_pairs(made.id, again, by=ANN)
    work(workbench)
    server.behaviour = lambda *_: failure(400, "This question is refused.")
    workbench.training_sheets.answer_pairs(made.id, again, by=ANN)
    work(workbench)
    page = open_page("generate", training_sheet=made.id)
    assert "Select an item to read its question" in said(page)
    grids.select("generate_failed", pair.id)
    page.run()
    texts = " ".join(element.value for element in page.text)
    assert "Is “Mail 3” spam?" in texts
    assert "spam" in texts
    assert "Earlier answer by stub: “ham”" in said(page)
    assert f"asked for by {ANN}" in spoken(said(page))
