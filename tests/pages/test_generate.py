"""The Generate page as a person meets it: the steps, the pre-flight, the run, and what came of it."""

from __future__ import annotations

import pytest

from tests.pages.conftest import ANN, labels, work
from workbench_core.canonical_labels import LabelEntry, LabelingMode
from workbench_core.errors import Unavailable
from workbench_core.permissions import Role
from workbench_core.ports import Availability
from workbench_core.prompt_templates import AnswerSource, TemplateDraft
from workbench_core.sheets import SheetDraft
from workbench_core.training_sheets import GenerationRequest
from workbench_core.training_sheets.answer_column import propose_answer_column
from workbench_core.usage import ALL_USES

BEN = "ben@example.com"


class SilentModel:
    """A chat model that is not there."""

    name = "silent"
    title = "silent model"

    def availability(self) -> Availability:
        return Availability(False, "It is not installed.", "Install it.")

    def answer(self, conversations, *, options, cancelled=lambda: False):
        raise Unavailable("It is not installed.", "Install it.")


def spoken(text: str) -> str:
    """Text without the marks that keep it plain."""
    return text.replace("\\", "").replace("\u2060", "")


def said(page) -> str:
    """Everything that is written on the page, without the marks that keep it plain."""
    parts = (*page.caption, *page.markdown, *page.warning, *page.error, *page.info)
    return spoken(" ".join(element.value for element in parts))


def captions(page) -> list[str]:
    """What stands below each of the answer sources."""
    return list(fields(page)["Answers"].proto.captions)


def fields(page) -> dict[str, object]:
    return {element.label: element for element in (*page.text_input, *page.selectbox, *page.number_input, *page.radio)}


def tiles(page) -> dict[str, str]:
    return {metric.label: metric.value for metric in page.metric}


@pytest.fixture
def sheet(workbench, tmp_path):
    """A published sheet of forty mails; every fourth is spam."""
    return make_sheet(workbench, tmp_path)


def make_sheet(workbench, folder, *, tags=(), publish=True):
    file = folder / "mails.csv"
    lines = [f"m{number:02d},{'ham' if number % 4 else 'spam'},Mail {number}" for number in range(40)]
    file.write_text("mail_id,mail_class,Subject\n" + "\n".join(lines))
    source = workbench.catalog.upload_table(file, file_name="mails.csv", by=ANN, tags=tags).name
    draft = SheetDraft("Mails", source, "mail_id", metadata_columns=("Subject",))
    made = workbench.sheets.create(draft, by=ANN)
    return workbench.sheets.move(made.id, "publish", by=ANN) if publish else made


@pytest.fixture
def template(workbench):
    return make_template(workbench)


def make_template(workbench, **changes):
    values = {
        "name": "Mail class", "label_type": "mail_class", "user_prompt": "Is “{{ subject }}” spam?",
        "label_classes": ("spam", "ham"), "answer_source": AnswerSource.EXISTING_COLUMN,
    }  # fmt: skip
    made = workbench.prompt_templates.create(TemplateDraft(**values | changes), by=ANN)
    return workbench.prompt_templates.move(made.id, "publish", by=ANN)


def generated(workbench, sheet, template, **changes):
    """A training sheet whose generation was started."""
    values = {"mapping": {"subject": "Subject"}, "answer_column": "mail_class"}
    return workbench.training_sheets.generate(GenerationRequest(sheet.id, template.id, **values | changes), by=ANN)


# --- before anything is there ---------------------------------------------------------------------------------------


def test_an_empty_workbench_teaches_what_comes_first(open_page):
    page = open_page("generate")
    assert "First make a sheet of a table or folder" in said(page)
    assert not page.error


def test_without_a_template_the_page_leads_to_the_templates(open_page, sheet):
    assert "no prompt template yet" in said(open_page("generate", sheet=sheet.id))


@pytest.mark.parametrize("query", [{"sheet": "nothing"}, {"template": "nothing"}, {"training_sheet": "nothing"}])
def test_an_unknown_record_in_a_link_is_a_calm_sentence(open_page, sheet, template, query):
    assert "does not exist" in said(open_page("generate", **query))


# --- the steps --------------------------------------------------------------------------------------------------------


def test_a_sheet_becomes_pairs_with_what_is_proposed(open_page, workbench, sheet, template):
    page = open_page("generate", sheet=sheet.id, template=template.id)
    assert fields(page)["subject"].value == "Subject"
    assert fields(page)["Column that holds the answers"].value == "mail_class"
    assert tiles(page) == {"Items": "40", "Canonical": "0.0 %"}
    page.button(key="generate_start").click().run()
    (made,) = workbench.training_sheets.find()
    assert page.query_params["training_sheet"] == made.id
    assert "Cancel" in labels(page.button)
    work(workbench)
    page.run()
    assert tiles(page)["Pairs"] == tiles(page)["To review"] == "40"
    assert "Review" in labels(page.button)
    pairs = workbench.pairs.find(made.id, limit=3)
    assert [(pair.item_ref, pair.answer) for pair in pairs] == [("m00", "spam"), ("m01", "ham"), ("m02", "ham")]


def test_choices_stand_in_the_address(open_page, sheet, template):
    page = open_page("generate")
    assert "Choose a sheet and a template" in said(page)
    fields(page)["Sheet"].select(sheet.id).run()
    fields(page)["Template"].select(template.id).run()
    assert (page.query_params["sheet"], page.query_params["template"]) == (sheet.id, template.id)
    assert page.button(key="generate_start").disabled is False


def test_sheets_of_the_same_name_can_be_told_apart(open_page, workbench, sheet):
    twin = workbench.sheets.create(sheet.draft, by=ANN)
    options = fields(open_page("generate"))["Sheet"].options
    assert sorted(options) == ["Mails", "Mails (draft)"]
    workbench.sheets.move(twin.id, "publish", by=ANN)
    page = open_page("generate", sheet=twin.id)
    assert sorted(fields(page)["Sheet"].options) == sorted(f"Mails · {one.id[-6:]}" for one in (sheet, twin))
    assert fields(page)["Sheet"].value == twin.id


def test_canonical_labels_are_told_before_and_reused(open_page, workbench, sheet, template):
    workbench.canonical_labels.record(
        [LabelEntry(f"m{number:02d}", "spam", ALL_USES) for number in range(10)],
        sheet_id=sheet.id, label_type="mail_class", mode=LabelingMode.STANDALONE_TOOL, by=ANN, replace=False,
    )  # fmt: skip
    page = open_page("generate", sheet=sheet.id, template=template.id)
    assert tiles(page)["Canonical"] == "25.0 %"
    page.button(key="generate_start").click().run()
    work(workbench)
    page.run()
    assert (tiles(page)["Canonical"], tiles(page)["To review"]) == ("10", "30")


def test_an_unmapped_placeholder_blocks_and_is_named(open_page, workbench, sheet):
    template = make_template(workbench, user_prompt="{{ subject }} of {{ weather }}")
    page = open_page("generate", sheet=sheet.id, template=template.id)
    assert "No column is chosen for weather" in said(page)
    assert page.button(key="generate_start").disabled
    fields(page)["weather"].select("mail_id").run()
    assert page.button(key="generate_start").disabled is False


def test_a_draft_sheet_can_be_chosen_and_says_what_it_lacks(open_page, workbench, template, tmp_path):
    draft = make_sheet(workbench, tmp_path, publish=False)
    page = open_page("generate", sheet=draft.id, template=template.id)
    assert "publish it first" in said(page)
    assert page.button(key="generate_start").disabled


def test_filter_and_row_limit_narrow_the_items(open_page, workbench, sheet, template):
    page = open_page("generate", sheet=sheet.id, template=template.id)
    fields(page)["Filter"].input("mail_class = 'ham'").run()
    fields(page)["Row limit"].set_value(10).run()
    assert tiles(page)["Items"] == "10"
    assert "20 more items lie above the row limit" in said(page)
    fields(page)["Filter"].input("mail_clas = 'ham'").run()
    assert "There is no column “mail_clas”" in said(page)
    assert page.button(key="generate_start").disabled


def test_personal_data_are_barred_from_training_and_said_so(open_page, workbench, template, tmp_path):
    sheet = make_sheet(workbench, tmp_path, tags=("PII",))
    page = open_page("generate", sheet=sheet.id, template=template.id)
    assert "40 pairs would be barred from training: source tagged PII" in said(page)


def test_a_model_that_is_missing_is_named_with_the_reason(open_page, workbench, sheet, monkeypatch):
    monkeypatch.setitem(workbench.__dict__, "chat_model", SilentModel())
    template = make_template(workbench, answer_source=AnswerSource.AI_GENERATED)
    page = open_page("generate", sheet=sheet.id, template=template.id)
    assert any("Silent model cannot answer now: It is not installed" in spoken(text) for text in captions(page))
    assert "The silent model cannot answer" in said(page)
    assert page.button(key="generate_start").disabled
    fields(page)["Answers"].set_value(AnswerSource.MANUAL).run()
    assert page.button(key="generate_start").disabled is False


def test_an_answer_column_inside_the_question_is_warned_about(open_page, sheet, template):
    page = open_page("generate", sheet=sheet.id, template=template.id)
    fields(page)["subject"].select("mail_class").run()
    fields(page)["Column that holds the answers"].select("mail_class").run()
    assert "gives the answer away" in said(page)


@pytest.mark.parametrize(
    ("label_type", "columns", "mapped", "proposed"),
    [
        ("mail_class", ["id", "Label", "Mail-Class"], [], "Mail-Class"),
        ("topic", ["id", "answer", "label"], [], "label"),
        ("topic", ["id", "label", "true_label"], ["label"], "true_label"),
        ("topic", ["id", "body"], [], ""),
        ("topic", [], [], ""),
    ],
)
def test_the_answer_column_is_proposed_by_name(label_type, columns, mapped, proposed):
    assert propose_answer_column(label_type, columns, mapped=mapped) == proposed


# --- what was generated -----------------------------------------------------------------------------------------------


def test_a_generation_is_cancelled_and_resumed_with_its_reason(open_page, workbench, sheet, template):
    made = generated(workbench, sheet, template)
    page = open_page("generate")
    page.button(key=f"generate_cancel_{made.id}").click().run()
    assert "Cancelled by ann@example.com; 0 of 40 pairs are kept" in said(page)
    page.button(key=f"generate_resume_{made.id}").click().run()
    work(workbench)
    page.run()
    assert page.dataframe[0].value[["Status", "Pairs"]].to_numpy().tolist() == [["Review", 40]]


def test_items_that_failed_are_listed_with_their_reason(open_page, workbench, sheet):
    template = make_template(workbench, user_prompt="{{ subject | int / 0 }}")
    made = generated(workbench, sheet, template)
    work(workbench)
    page = open_page("generate", training_sheet=made.id)
    assert tiles(page)["Errors"] == "40"
    failed = page.dataframe[0].value
    assert failed["Item"].tolist()[:2] == ["m00", "m01"]
    assert all(failed["Reason"])


def test_details_tell_how_it_was_made(open_page, workbench, sheet, template):
    made = generated(workbench, sheet, template, filter="mail_class='ham'", row_limit=5)
    work(workbench)
    page = open_page("generate", training_sheet=made.id)
    values = dict(page.dataframe[-1].value.to_numpy().tolist())
    assert values["Mapping"] == "subject ← Subject"
    assert values["Answers"] == "A column of the sheet: mail_class"
    assert values["Filter"] == "mail_class = 'ham'"
    assert "25 more items were above the row limit of 5" in said(page)


def test_new_items_of_the_source_are_added(open_page, workbench, sheet, template):
    made = generated(workbench, sheet, template)
    work(workbench)
    page = open_page("generate", training_sheet=made.id)
    page.button(key="generate_append_new").click().run()
    assert "the source has no new items" in said(page)


def test_a_training_sheet_is_archived_or_deleted(open_page, workbench, sheet, template):
    first, second = (generated(workbench, sheet, template) for _ in range(2))
    work(workbench)
    page = open_page("generate", training_sheet=first.id)
    page.button(key="generate_archive").click().run()
    assert workbench.training_sheets.get(first.id).status == "archived"
    page = open_page("generate", training_sheet=second.id)
    page.button(key="generate_delete").click().run()
    assert workbench.training_sheets.find() == []
    assert "Choose a sheet and a template" in said(page)


def test_a_person_without_the_right_sees_the_preflight_and_why_no_button_works(open_page, workbench, sheet, template):
    made = generated(workbench, sheet, template)
    workbench.permissions.assign(BEN, Role.LABELER, by=ANN)
    page = open_page("generate", user=BEN, sheet=sheet.id, template=template.id)
    assert tiles(page)["Items"] == "40"
    for key in ("generate_start", f"generate_cancel_{made.id}"):
        assert page.button(key=key).disabled
        assert page.button(key=key).help == "Your role, labeler, may not generate training sheets."


def test_names_from_people_are_shown_as_they_are(open_page, workbench, sheet, template):
    hostile = "**bold** [link](https://x.y) :red[x]"
    made = generated(workbench, sheet, template, name=hostile)
    assert "**bold**" not in " ".join(element.value for element in open_page("generate").markdown)
    title = open_page("generate", training_sheet=made.id).title[0].value
    assert title != hostile
    assert spoken(title) == hostile


def test_the_demo_data_can_be_generated_from_with_two_choices(open_page, workbench):
    workbench.demo.load(by=ANN)
    mails = next(sheet for sheet in workbench.sheets.find() if sheet.name == "E-mails")
    spam = next(template for template in workbench.prompt_templates.find() if template.label_type == "mail_class")
    page = open_page("generate", sheet=mails.id, template=spam.id)
    assert tiles(page)["Items"] == "1,482"
    assert fields(page)["Column that holds the answers"].value == "label"
    assert page.button(key="generate_start").disabled is False
