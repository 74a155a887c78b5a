"""Testing a template on real rows, and comparing versions: what is asked, what came back, what differs."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from pages.components.template_difference import marked, paired_lines, shortened
from tests.pages.conftest import ANN
from tests.pages.template_parts import boxes, field, mails, press, show, shown, type_in
from workbench_core.canonical_labels import LabelEntry, LabelingMode
from workbench_core.chat_models import ChatModels
from workbench_core.ports import Availability, ChatAnswer, TokenPrice
from workbench_core.prompt_templates import STARTERS

CLASSIFICATION = STARTERS["Classification"]


class Scripted:
    """A model that says what its test wants, for a price."""

    concurrency = 1
    reads_pictures = False

    def __init__(self, name: str, text: str | None, price: TokenPrice | None) -> None:
        self.name, self.title, self.text, self.price = name, f"{name} model", text, price
        self.asked: list[str] = []

    def availability(self) -> Availability:
        return Availability(True)

    def answer(self, conversations, *, options, cancelled=lambda: False) -> Iterator[ChatAnswer]:
        for each in conversations:
            self.asked.append(each.messages[-1].content)
            if self.text is None:
                yield ChatAnswer(each.id, None, "The endpoint is down.")
            else:
                yield ChatAnswer(each.id, self.text, tokens_in=100, tokens_out=2, latency_ms=1200.0)


@pytest.fixture
def models(workbench):
    made = (
        Scripted("quick", "positive", TokenPrice(1.0, 2.0, "EUR")), Scripted("odd", "wonderful", None),
    )  # fmt: skip
    for name in ("chat_models", "prompt_templates", "template_trials"):
        workbench.__dict__.pop(name, None)
    workbench.__dict__["chat_models"] = ChatModels(workbench.store, made, workbench.clock)
    return made


@pytest.fixture
def template(workbench, models):
    made = workbench.prompt_templates.create(CLASSIFICATION, by=ANN)
    return workbench.prompt_templates.move(made.id, "publish", by=ANN)


@pytest.fixture
def sheet(workbench, tmp_path):
    return mails(workbench, tmp_path)


def set_aside(workbench, sheet, *items):
    """What a decision in the fix queue leaves behind."""
    now = workbench.clock()
    entries = [
        {"sheet_id": sheet.id, "item_ref": item, "state": "set_aside", "reason": "broken", "decided_by": ANN,
         "decided_at": now} for item in items
    ]  # fmt: skip
    workbench.store.append("quarantined_items", entries)


def run(page):
    return press(page, "Run")


def test_questions_are_counted_before_anything_is_asked(open_page, template, sheet, models):
    page = open_page("prompt_templates", template=template.id, show="test")
    assert "2 questions to quick model" in shown(page)  # the sheet has no third row
    press(page, "Compare with another version or model")
    page.selectbox(key=f"prompt_templates_{template.id}_trial_1_model").set_value("odd").run()
    assert "2 questions to quick model, 2 questions to odd model" in shown(page)
    assert "EUR" in shown(page)  # what the quick one would cost
    assert not models[0].asked


def test_two_models_answer_the_same_rows_side_by_side(workbench, open_page, template, sheet, models):
    with workbench.store.transaction():
        workbench.canonical_labels.record(
            [LabelEntry("m1", "positive")], sheet_id=sheet.id, label_type="text_class",
            mode=LabelingMode.STANDALONE_TOOL, by=ANN, replace=False,
        )  # fmt: skip
    page = open_page("prompt_templates", template=template.id, show="test")
    press(page, "Compare with another version or model")
    page.selectbox(key=f"prompt_templates_{template.id}_trial_1_model").set_value("odd").run()
    run(page)
    lines = page.dataframe[0].value
    assert list(lines["Valid"]) == ["2 of 2", "0 of 2"]
    assert list(lines["Agrees with canonical labels"]) == ["1 of 1", "0 of 1"]
    assert list(lines["Tokens in"]) == [200, 200]
    assert list(lines["Cost"]) == ["0.00021 EUR", "No price"]
    assert "Thanks a lot {{ friend }}" in models[0].asked[0]
    assert models[0].asked == models[1].asked
    text = shown(page)
    assert "“wonderful” is not one of the classes" in text
    assert "Canonical label: positive" in text
    assert "1.2 s · 100 tokens in, 2 out · 0.0001 EUR" in text


def test_asking_again_takes_the_kept_answers(open_page, template, sheet, models):
    page = run(open_page("prompt_templates", template=template.id, show="test"))
    asked = len(models[0].asked)
    run(page)
    assert len(models[0].asked) == asked
    assert "Kept answer" in shown(page)
    assert list(page.dataframe[0].value["Median time"]) == ["–"]


def test_a_row_set_aside_for_its_quality_is_not_asked_and_told(workbench, open_page, template, sheet, models):
    set_aside(workbench, sheet, "m1")
    page = open_page("prompt_templates", template=template.id, show="test")
    assert "1 row set aside by data quality, left out here as in a generation." in shown(page)
    assert "1 question to quick model" in shown(page)
    run(page)
    assert len(models[0].asked) == 1
    assert "Thanks a lot" not in models[0].asked[0]


def test_a_sheet_whose_rows_are_all_set_aside_asks_nothing_and_says_why(workbench, open_page, template, sheet, models):
    set_aside(workbench, sheet, "m1", "m2")
    page = open_page("prompt_templates", template=template.id, show="test")
    assert next(button for button in page.button if button.label == "Run").disabled
    assert "This sheet has no rows, or all of them are set aside." in shown(page)


def test_a_model_that_cannot_be_reached_costs_nothing_and_is_not_said_to_have_no_price(
    open_page, template, sheet, models
):
    models[0].text = None
    page = run(open_page("prompt_templates", template=template.id, show="test"))
    (line,) = page.dataframe[0].value.to_dict("records")
    assert (line["Valid"], line["Median time"], line["Cost"]) == ("0 of 2", "–", "Nothing")
    assert "The endpoint is down." in shown(page)
    assert "0 tokens in" not in shown(page)


def test_the_median_is_that_of_the_answers_that_were_asked_now(open_page, template, sheet, models):
    page = open_page("prompt_templates", template=template.id, show="test")
    field(page, "slider", "How many rows").set_value(1).run()
    run(page)
    field(page, "slider", "How many rows").set_value(2).run()
    run(page)
    assert "Kept answer" in shown(page)
    assert list(page.dataframe[0].value["Median time"]) == ["1.2 s"]


def test_the_draft_is_compared_with_the_version_before(workbench, open_page, template, sheet, models):
    draft = workbench.prompt_templates.create_version(template.id, by=ANN)
    page = open_page("prompt_templates", template=draft.id)
    type_in(page, draft, user_prompt="New: {{ text }}")
    show(page, "test")
    press(page, "Compare with another version or model")
    run(page)
    assert list(page.dataframe[0].value["Asked"]) == [
        "1.1.0 with your changes · Default: quick model", "1.1.0 (draft) · Default: quick model",
    ]  # fmt: skip
    assert {question.split(":")[0] for question in models[0].asked} == {"New", "Text"}
    type_in(page, draft, user_prompt="Newer: {{ text }}")
    assert "These answers are from an earlier run" in shown(page)


def test_an_unmapped_placeholder_keeps_from_asking_and_says_which(workbench, open_page, sheet, models):
    template = workbench.prompt_templates.create(replace(CLASSIFICATION, user_prompt="{{ colour }}"), by=ANN)
    page = open_page("prompt_templates", template=template.id, show="test")
    assert next(button for button in page.button if button.label == "Run").disabled
    assert "Choose a column for colour first" in shown(page)


def test_a_row_limit_is_kept(open_page, template, sheet, models):
    page = open_page("prompt_templates", template=template.id, show="test")
    field(page, "slider", "How many rows").set_value(1).run()
    assert "1 question to quick model" in shown(page)
    run(page)
    assert len(models[0].asked) == 1


# --- versions --------------------------------------------------------------------------------------------------------


@pytest.fixture
def second(workbench, template):
    draft = workbench.prompt_templates.create_version(template.id, by=ANN)
    changed = replace(
        CLASSIFICATION, user_prompt=f"<b>Mail</b>\n{CLASSIFICATION.user_prompt}", temperature=0.5, tags=("mail",)
    )
    return workbench.prompt_templates.update(draft.id, changed, by=ANN, row_version=1)


def difference(page) -> str:
    """What the comparison shows side by side."""
    return " ".join(element.proto.body for element in page.get("html"))


def test_two_versions_are_compared_field_by_field_and_line_by_line(open_page, second):
    page = open_page("prompt_templates", template=second.id, show="versions")
    assert {"User prompt", "Temperature", "Tags"} <= {part.strip("*") for part in shown(page).split("**")}
    html = difference(page)
    assert '<td class="sign more">+</td><td class="more">&lt;b&gt;Mail&lt;/b&gt;</td>' in html  # data, not markup
    assert "<del>0</del>" in html
    assert "<ins>5</ins>" in html
    layout = next(group for group in page.get("button_group") if group.label == "Layout")
    layout.set_value("one").run()
    assert "+<b>Mail</b>" in page.code[0].value


def test_any_two_versions_can_be_compared(workbench, open_page, second, template):
    workbench.prompt_templates.move(second.id, "publish", by=ANN)
    third = workbench.prompt_templates.create_version(second.id, by=ANN)
    page = open_page("prompt_templates", template=third.id, show="versions")
    assert "The two versions are the same" in shown(page)
    field(page, "selectbox", "From").set_value(template.id).run()
    assert "User prompt" in shown(page)


def test_a_version_is_opened_from_the_list(open_page, second, template):
    page = open_page("prompt_templates", template=second.id, show="versions")
    page.button(key=f"prompt_templates_open_{template.id}").click().run()
    assert page.query_params["template"] == template.id
    assert "Version 1.0.0" in shown(page)


def test_it_is_said_where_a_version_is_used(workbench, open_page, template, sheet):
    page = open_page("prompt_templates", template=template.id, show="versions")
    assert "Nothing stands on this version" in shown(page)
    workbench.sheets.move(sheet.id, "publish", by=ANN)
    workbench.template_attachments.attach(sheet.id, template.id, {"text": "Text"}, by=ANN)
    page = open_page("prompt_templates", template=template.id, show="versions")
    assert "Mails" in [link.proto.label for link in page.get("page_link")]
    assert "In use, so it cannot be deleted" in shown(page)
    assert not boxes(page)


def test_lines_are_paired_and_long_stretches_left_out():
    old, new = "a\nb\nc\nd\ne\nf", "a\nb\nc\nd\ne\nF\ng"
    assert list(shortened(list(paired_lines(old, new)))) == [(3,), ("d", "d"), ("e", "e"), ("f", "F"), (None, "g")]
    assert list(paired_lines("", "x")) == [(None, "x")]
    assert marked("one <two>", "one three") == ("one <del>&lt;two&gt;</del>", "one <ins>three</ins>")
