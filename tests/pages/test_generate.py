"""The Generate page as a person meets it: the steps, the pre-flight, the run, and what came of it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.pages.conftest import ANN, labels, work
from tests.pages.generate_parts import (
    BEN,
    badges,
    button,
    fields,
    generated,
    label,
    mail_sheet,
    mail_template,
    make_sheet,
    make_template,
    notes,
    press,
    said,
    spoken,
    tiles,
    toasts,
)
from workbench_core.permissions import Role
from workbench_core.training_sheets.answer_column import propose_answer_column
from workbench_core.usage import preset

sheet, template = mail_sheet, mail_template


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
    assert tiles(page) == {"Items": "40", "Canonical": "0", "Cost": "Nothing", "To review": "40"}
    press(page, "Generate")
    (made,) = workbench.training_sheets.find()
    assert page.query_params["training_sheet"] == made.id
    assert {"Pause", "Cancel"} <= set(labels(page.button))
    assert "has started" in toasts(page)
    work(workbench)
    page.run()
    assert tiles(page)["Pairs"] == tiles(page)["To review"] == "40"
    assert "Review 40 pairs" in labels(page.button)
    pairs = workbench.pairs.find(made.id, limit=3)
    assert [(pair.item_ref, pair.answer) for pair in pairs] == [("m000", "spam"), ("m001", "ham"), ("m002", "ham")]


def test_what_is_typed_right_before_the_click_counts_and_the_next_generation_starts_without_it(
    open_page, workbench, sheet, template
):
    page = open_page("generate", sheet=sheet.id, template=template.id)
    fields(page)["Name"].set_value("Three mails")
    fields(page)["Filter"].set_value("mail_id < 'm003'")
    press(page, "Generate")
    (made,) = workbench.training_sheets.find()
    assert (made.name, made.filter, made.selected_items) == ("Three mails", "mail_id < 'm003'", 3)
    page.query_params.clear()
    page.query_params["sheet"], page.query_params["template"] = sheet.id, template.id
    page.run()
    assert (fields(page)["Name"].value, fields(page)["Filter"].value) == ("", "")


def test_options_are_folded_and_go_into_the_training_sheet(open_page, workbench, sheet, template):
    page = open_page("generate", sheet=sheet.id, template=template.id)
    told = [one.label for one in page.expander]
    assert told == ["Options: which items, name, description"], "TS-2; a seed is for models"
    fields(page)["Description"].set_value("For the **June** release")
    press(page, "Generate")
    (made,) = workbench.training_sheets.find()
    assert made.description == "For the **June** release"
    assert "For the **June** release" in said(page), "as it was typed, not as bold text"
    assert "For the **June** release" not in " ".join(element.value for element in page.markdown)


def test_the_rows_say_what_the_sheet_samples(open_page, workbench, template, tmp_path):
    draft = make_sheet(workbench, tmp_path, publish=False)
    sampled = workbench.sheets.update(
        draft.id, replace(draft.draft, sample_size=8, sample_seed=7), by=ANN, row_version=draft.row_version
    )
    workbench.sheets.move(sampled.id, "publish", by=ANN)
    page = open_page("generate", sheet=sampled.id, template=template.id)
    assert "The sheet is a random sample of 8 rows with the seed 7" in said(page)
    assert tiles(page)["Items"] == "8"


def test_choices_stand_in_the_address(open_page, sheet, template):
    page = open_page("generate")
    assert "Choose a sheet and a template" in said(page)
    fields(page)["Sheet"].select(sheet.id).run()
    fields(page)["Template"].select(template.id).run()
    assert (page.query_params["sheet"], page.query_params["template"]) == (sheet.id, template.id)
    assert button(page, "Generate").disabled is False


def test_sheets_of_the_same_name_can_be_told_apart(open_page, workbench, sheet):
    twin = workbench.sheets.create(sheet.draft, by=ANN)
    options = fields(open_page("generate"))["Sheet"].options
    assert sorted(options) == ["Mails", "Mails (draft)"]
    workbench.sheets.move(twin.id, "publish", by=ANN)
    page = open_page("generate", sheet=twin.id)
    assert sorted(fields(page)["Sheet"].options) == sorted(f"Mails · {one.id[-6:]}" for one in (sheet, twin))
    assert fields(page)["Sheet"].value == twin.id


def test_canonical_labels_are_told_before_and_reused(open_page, workbench, sheet, template):
    label(workbench, sheet, 10)
    page = open_page("generate", sheet=sheet.id, template=template.id)
    assert (tiles(page)["Canonical"], notes(page)["Canonical"]) == ("10", "25 % of the items")
    press(page, "Generate")
    work(workbench)
    page.run()
    assert (tiles(page)["Canonical"], tiles(page)["To review"]) == ("10", "30")


def test_an_unmapped_placeholder_blocks_and_is_named(open_page, workbench, sheet):
    template = make_template(workbench, user_prompt="{{ subject }} of {{ weather }}")
    page = open_page("generate", sheet=sheet.id, template=template.id)
    assert "Without a column: weather" in said(page)
    assert button(page, "Generate").disabled
    fields(page)["weather"].select("mail_id").run()
    assert button(page, "Generate").disabled is False


def test_a_draft_sheet_can_be_chosen_and_says_what_it_lacks(open_page, workbench, template, tmp_path):
    draft = make_sheet(workbench, tmp_path, publish=False)
    page = open_page("generate", sheet=draft.id, template=template.id)
    assert "publish it first" in said(page)
    assert button(page, "Generate").disabled


def test_filter_and_row_limit_narrow_the_items(open_page, workbench, sheet, template):
    page = open_page("generate", sheet=sheet.id, template=template.id)
    fields(page)["Filter"].input("mail_class = 'ham'").run()
    fields(page)["Row limit"].set_value(10).run()
    assert tiles(page)["Items"] == "10"
    assert "20 more items above the row limit" in said(page)
    press(page, "Take all 30")
    assert tiles(page)["Items"] == "30"
    assert fields(page)["Row limit"].value == 30
    fields(page)["Filter"].input("mail_clas = 'ham'").run()
    assert "There is no column “mail_clas”" in said(page)
    assert button(page, "Generate").disabled


def test_personal_data_are_barred_from_training_and_said_so(open_page, workbench, template, tmp_path):
    sheet = make_sheet(workbench, tmp_path, tags=("PII",))
    page = open_page("generate", sheet=sheet.id, template=template.id)
    assert "40 pairs would be barred from training" in said(page)
    assert "40: source tagged PII" in said(page)


def test_badges_say_how_sensitive_the_source_is_and_why(open_page, workbench, template, tmp_path):
    sheet = make_sheet(workbench, tmp_path, tags=("PII",))
    found = badges(open_page("generate", sheet=sheet.id, template=template.id))
    assert {"Restricted", "Training prohibited"} <= found.keys()
    assert spoken(found["Restricted"]).startswith("Source tagged PII. May be used for: evaluation, testing, few shot.")
    made = generated(workbench, sheet, template, is_done=True)
    page = open_page("generate", training_sheet=made.id)
    assert {"Restricted", "Training prohibited"} <= badges(page).keys()
    values = dict(page.dataframe[-1].value.to_numpy().tolist())
    assert values["Usage"] == "Training prohibited, restricted: source tagged PII"


def test_an_agreement_has_a_badge_of_its_own(open_page, workbench, sheet):
    template = make_template(workbench, usage=preset("client_data"))
    found = badges(open_page("generate", sheet=sheet.id, template=template.id))
    assert {"Confidential", "NDA", "2 uses allowed"} <= found.keys()
    assert "client data under NDA" in found["NDA"].lower().replace("nda", "NDA")


def test_what_may_be_used_for_everything_has_no_badge(open_page, sheet, template):
    found = badges(open_page("generate", sheet=sheet.id, template=template.id))
    assert not {"Restricted", "Confidential", "NDA"} & found.keys()
    assert not [one for one in found if "allowed" in one or "prohibited" in one]


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


def test_a_person_without_the_right_sees_the_preflight_and_why_no_button_works(open_page, workbench, sheet, template):
    made = generated(workbench, sheet, template)
    workbench.permissions.assign(BEN, Role.LABELER, by=ANN)
    page = open_page("generate", user=BEN, sheet=sheet.id, template=template.id)
    assert "may not generate training sheets. You can look at everything here." in said(page)
    assert tiles(page)["Items"] == "40"
    assert made.name in said(page)
    for name in ("Generate", "Pause", "Cancel"):
        assert button(page, name).disabled
        assert button(page, name).help == "Your role, labeler, may not generate training sheets."


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
    assert button(page, "Generate").disabled is False
