"""What was generated, as a person meets it: failures, new items, several sheets at once, and the list."""

from __future__ import annotations

from tests.pages.conftest import ANN, labels, work
from tests.pages.generate_parts import (
    BEN,
    add_rows,
    button,
    choose,
    fields,
    generated,
    label,
    lines,
    mail_sheet,
    mail_template,
    make_sheet,
    make_template,
    next_version,
    press,
    said,
    spoken,
    tiles,
    toasts,
)
from workbench_core.permissions import Role
from workbench_core.ports import TableEntry
from workbench_core.prompt_templates import AnswerSource
from workbench_core.sheets import SheetDraft
from workbench_core.training_sheets import Sampling, TrainingSheetStatus

sheet, template = mail_sheet, mail_template


def test_a_generation_is_cancelled_and_resumed_with_its_reason(open_page, workbench, sheet, template):
    generated(workbench, sheet, template)
    page = open_page("generate")
    press(page, "Cancel")
    assert "Cancelled by ann@example.com; 0 of 40 pairs are kept" in said(page)
    assert list(page.dataframe[0].value["Status"]) == ["Cancelled"], "nothing has failed"
    press(page, "Resume")
    work(workbench)
    page.run()
    assert page.dataframe[0].value[["Status", "Pairs"]].to_numpy().tolist() == [["Review", 40]]


def test_items_that_failed_are_listed_with_their_reason(open_page, workbench, sheet, grids):
    template = make_template(workbench, user_prompt="{{ subject | int / 0 }}")
    made = generated(workbench, sheet, template, is_done=True)
    page = open_page("generate", training_sheet=made.id)
    assert tiles(page)["Errors"] == "40"
    failed = grids.rows("generate_failed")
    assert failed["Item"].tolist()[:2] == ["m000", "m001"]
    assert all(failed["Reason"])
    retry = next(button for button in page.button if button.label == "Retry")
    assert (retry.disabled, "could not be made" in retry.help) == (True, True)  # no model can mend these


def test_details_tell_how_it_was_made(open_page, workbench, sheet, template):
    made = generated(workbench, sheet, template, is_done=True, filter="mail_class='ham'", row_limit=5)
    page = open_page("generate", training_sheet=made.id)
    values = dict(page.dataframe[-1].value.to_numpy().tolist())
    assert values["Mapping"] == "subject ← Subject"
    assert values["Answers"] == "A column of the sheet: mail_class"
    assert values["Filter"] == "mail_class = 'ham'"
    assert "25 more items above the row limit of 5" in said(page)


def test_new_items_of_the_source_are_counted_before_they_are_added(open_page, workbench, sheet, template, tmp_path):
    made = generated(workbench, sheet, template, is_done=True)
    page = open_page("generate", training_sheet=made.id)
    assert button(page, "Append new items").disabled
    assert button(page, "Append new items").help == "The source has no new items."
    add_rows(workbench, "mails", tmp_path, first=40, count=7)
    page.run()
    press(page, "Append 7 new items")
    assert "7 new items: the generation has started." in toasts(page)
    work(workbench)
    page.run()
    assert tiles(page)["Pairs"] == "47"


def test_a_cancelled_appending_says_so_where_new_items_are_added(open_page, workbench, sheet, template, tmp_path):
    made = generated(workbench, sheet, template, is_done=True)
    add_rows(workbench, "mails", tmp_path, first=40, count=7)
    workbench.training_sheets.append_new(made.id, by=ANN)
    workbench.training_sheets.cancel(made.id, by=ANN)
    page = open_page("generate", training_sheet=made.id)
    assert f"Cancelled by {ANN}; 0 of 7 new items were added" in said(page).replace("\\", "")
    assert not button(page, "Append 7 new items").disabled


def test_items_without_a_label_are_told_apart_from_the_row_limit(open_page, workbench, sheet, template):
    label(workbench, sheet, 10)
    page = open_page("generate", sheet=sheet.id, template=template.id)
    fields(page)["Answers"].set_value(AnswerSource.CANONICAL).run()
    assert (tiles(page)["Canonical"], tiles(page)["To review"]) == ("10", "0")
    press(page, "Generate")
    work(workbench)
    page.run()
    assert "30 items without a canonical label: they have no pair." in said(page)
    assert "above the row limit" not in said(page)


def test_when_everything_had_a_label_there_is_nothing_to_review(open_page, workbench, sheet, template):
    label(workbench, sheet, 40)
    made = generated(workbench, sheet, template, is_done=True)
    page = open_page("generate", training_sheet=made.id)
    assert "Nothing to review: all 40 pairs had a canonical label" in said(page)
    assert tiles(page)["To review"] == "0"
    assert "Review" in labels(page.button)


def test_a_training_sheet_is_archived_or_deleted(open_page, workbench, sheet, template):
    first, second = (generated(workbench, sheet, template, is_done=True) for _ in range(2))
    page = open_page("generate", training_sheet=first.id)
    press(page, "Archive")
    assert workbench.training_sheets.get(first.id).status == "archived"
    page = open_page("generate", training_sheet=second.id)
    press(page, "Delete")
    assert workbench.training_sheets.find() == []
    assert "Choose a sheet and a template" in said(page)
    assert "Canonical labels stay" in toasts(page)


def test_somebody_else_reads_why_they_may_not_steer_archive_or_delete(open_page, workbench, sheet, template):
    made = generated(workbench, sheet, template)
    workbench.permissions.assign(BEN, Role.DATA_PRODUCER, by=ANN)
    page = open_page("generate", user=BEN, training_sheet=made.id)
    for name in ("Pause", "Cancel"):
        assert button(page, name).disabled
        assert spoken(button(page, name).help) == f"Only {ANN} or a data steward may {name.lower()} “{made.name}”."
    workbench.training_sheets.cancel(made.id, by=ANN)
    page.run()
    assert button(page, "Resume").disabled
    assert "or a data steward may resume" in button(page, "Resume").help
    assert "or a data steward may archive" in button(page, "Archive").help
    assert "or an administrator may delete" in button(page, "Delete").help
    assert button(page, "Archive").disabled
    assert button(page, "Delete").disabled


def test_who_closed_the_review_is_said(open_page, workbench, sheet, template):
    label(workbench, sheet, 40)
    made = generated(workbench, sheet, template, is_done=True)
    assert "Review closed" not in said(open_page("generate", training_sheet=made.id))
    closed = workbench.training_sheets.move(made.id, "close_review", by=ANN)
    page = open_page("generate", training_sheet=made.id)
    assert f"Review closed by {ANN} on {closed.reviewed_at:%d %b %Y, %H:%M}" in said(page)
    assert "See the pairs" in labels(page.button), "nothing is reviewed any more"


def test_who_rejected_the_whole_is_said_with_the_reason(open_page, workbench, sheet, template):
    made = generated(workbench, sheet, template, is_done=True)
    workbench.training_sheets.move(made.id, "reject", by=ANN, note="Half of it is in *Dutch*")
    page = open_page("generate", training_sheet=made.id)
    assert f"Rejected by {ANN} on " in said(page)
    assert ": Half of it is in *Dutch*" in said(page)


# --- several sheets at once -------------------------------------------------------------------------------------------


def test_several_sheets_are_generated_at_once_and_each_says_what_became_of_it(open_page, workbench, tmp_path, template):
    good, other = make_sheet(workbench, tmp_path), make_sheet(workbench, tmp_path, name="letters")
    draft = make_sheet(workbench, tmp_path, name="drafts", publish=False)
    label(workbench, other, 10)
    page = open_page("generate", view="batch", template=template.id)
    fields(page)["Sheets"].set_value([good.id, other.id, draft.id]).run()
    assert page.query_params["sheets"] == f"{good.id},{other.id},{draft.id}"
    shown = page.dataframe[0].value.set_index("Sheet")
    assert shown["Items"].tolist()[:2] == [40, 40]
    assert shown["Canonical"].tolist()[:2] == [0, 10]
    assert "publish it first" in shown.loc["Drafts", "Problems"]
    assert tiles(page)["Items"] == "80"
    press(page, "Generate 2 training sheets")
    assert "2 generations started" in toasts(page)
    work(workbench)
    page.run()
    made = {one.sheet_id: one for one in workbench.training_sheets.find()}
    assert {sheet: one.counts.pending for sheet, one in made.items()} == {good.id: 40, other.id: 30}
    assert [len(table.value) for table in page.dataframe] == [3, 2, 2], "pre-flights, the last batch, all of them"


def test_each_of_several_sheets_gets_a_sample_of_its_own(open_page, workbench, tmp_path, template):
    sheets = [make_sheet(workbench, tmp_path), make_sheet(workbench, tmp_path, name="letters")]
    page = open_page("generate", view="batch", template=template.id, sheets=",".join(one.id for one in sheets))
    choose(page, "Which items", "Random sample")
    fields(page)["Sample size"].set_value(5).run()
    assert page.dataframe[0].value["Items"].tolist() == [5, 5]
    press(page, "Generate 2 training sheets")
    work(workbench)
    assert [one.counts.total for one in workbench.training_sheets.find()] == [5, 5]


def test_a_sheet_whose_columns_do_not_fit_is_mapped_by_hand(open_page, workbench, tmp_path, template):
    odd = make_sheet(workbench, tmp_path, name="odd", text=lines().replace("Subject", "headline"))
    page = open_page("generate", view="batch", template=template.id, sheets=odd.id)
    assert "Without a column: subject" in said(page)
    assert button(page, "Generate 0 training sheets").disabled
    fields(page)["subject"].select("headline").run()
    press(page, "Generate 1 training sheet")
    work(workbench)
    (made,) = workbench.training_sheets.find()
    assert made.mapping == {"subject": "headline"}


# --- the list ---------------------------------------------------------------------------------------------------------


def test_a_long_list_is_filtered_by_status_sheet_and_words_in_the_address(open_page, workbench, tmp_path, template):
    mails, letters = make_sheet(workbench, tmp_path), make_sheet(workbench, tmp_path, name="letters")
    for number in range(21):
        generated(workbench, mails, template, name=f"Round {number}", row_limit=1)
    last = generated(workbench, letters, template, name="Letters of June", row_limit=1)
    work(workbench)
    page = open_page("generate")
    assert len(page.dataframe[0].value) == 20
    fields(page)["Sheet of the list"].select(letters.id).run()
    assert page.query_params["of"] == letters.id
    assert page.dataframe[0].value["Training sheet"].tolist() == ["Letters of June"]
    fields(page)["Sheet of the list"].set_value(None).run()
    fields(page)["Search"].input("round 7").run()
    assert page.dataframe[0].value["Training sheet"].tolist() == ["Round 7"]
    fields(page)["Search"].input("").run()
    workbench.training_sheets.move(last.id, "archive", by=ANN)
    choose(page, "Status", TrainingSheetStatus.ARCHIVED.value)
    assert page.dataframe[0].value["Training sheet"].tolist() == ["Letters of June"]


# --- a template of its own --------------------------------------------------------------------------------------------


def test_the_template_attached_to_a_sheet_fills_the_steps(open_page, workbench, sheet, template):
    workbench.template_attachments.attach(
        sheet.id, template.id, {"subject": "mail_id"}, answer_source=AnswerSource.EXISTING_COLUMN,
        answer_column="Subject", by=ANN,
    )  # fmt: skip
    page = open_page("generate", sheet=sheet.id)
    assert page.query_params["template"] == template.id
    assert fields(page)["subject"].value == "mail_id"
    assert fields(page)["Column that holds the answers"].value == "Subject"
    assert "Attached to this sheet" in said(page)
    fields(page)["Template"].set_value(None).run()
    assert "template" not in page.query_params


def test_an_archived_template_of_a_sheet_is_told_and_another_one_is_a_click_away(open_page, workbench, sheet, template):
    workbench.template_attachments.attach(
        sheet.id, template.id, {"subject": "Subject"}, answer_source=AnswerSource.EXISTING_COLUMN,
        answer_column="mail_class", by=ANN,
    )  # fmt: skip
    workbench.prompt_templates.move(template.id, "archive", by=ANN)
    other = make_template(workbench, name="Other")
    page = open_page("generate", sheet=sheet.id)
    assert "This template is attached to the sheet, but it is archived." in said(page)
    assert button(page, "Generate").disabled
    press(page, "Choose another template")
    assert "template" not in page.query_params
    assert fields(page)["Template"].value is None
    fields(page)["Template"].select(other.id).run()
    assert "archived" not in said(page)
    assert button(page, "Generate").disabled is False


def test_the_newer_version_of_an_archived_template_is_offered(open_page, workbench, sheet, template):
    workbench.template_attachments.attach(
        sheet.id, template.id, {"subject": "Subject"}, answer_source=AnswerSource.EXISTING_COLUMN,
        answer_column="mail_class", by=ANN,
    )  # fmt: skip
    newer = next_version(workbench, template, user_prompt="Spam or ham: {{ subject }}?")
    workbench.prompt_templates.move(template.id, "archive", by=ANN)
    page = open_page("generate", sheet=sheet.id)
    press(page, f"Take version {newer.version}")
    assert page.query_params["template"] == newer.id
    assert button(page, "Generate").disabled is False


def test_only_columns_that_the_source_still_has_are_offered(open_page, workbench, template, tmp_path):
    source = make_sheet(workbench, tmp_path).source
    draft = SheetDraft("With roles", source, "mail_id", text_columns=("Subject", "mail_class"))
    sheet = workbench.sheets.create(draft, by=ANN)
    workbench.sheets.move(sheet.id, "publish", by=ANN)
    assert set(fields(open_page("generate", sheet=sheet.id, template=template.id))["subject"].options) == {
        "mail_id", "Subject", "mail_class",
    }  # fmt: skip
    file = tmp_path / "other.csv"
    file.write_text("mail_id,Title,mail_class\nm000,Mail 0,ham\n")
    workbench.lake.drop(source)
    workbench.lake.put_table(source, file, original_name=file.name, entry=TableEntry(source, "table"))
    page = open_page("generate", sheet=sheet.id, template=template.id)
    assert set(fields(page)["subject"].options) == {"mail_id", "Title", "mail_class"}
    workbench.lake.drop(source)
    page = open_page("generate", sheet=sheet.id, template=template.id)
    assert set(fields(page)["subject"].options) == {"mail_id", "Subject", "mail_class"}
    assert button(page, "Generate").disabled


# --- a sample of one generation ---------------------------------------------------------------------------------------


def test_a_random_sample_of_the_generation_is_counted_made_and_told(open_page, workbench, sheet, template, tmp_path):
    """TS-1, TS-2 and TS-16: what the pre-flight counts is made, and it does not grow."""
    page = open_page("generate", sheet=sheet.id, template=template.id)
    choose(page, "Which items", "Random sample")
    assert "items that the source gains later are not added" in said(page)
    fields(page)["Sample size"].set_value(12).run()
    fields(page)["Sample seed"].set_value(7).run()
    assert tiles(page)["Items"] == "12"
    press(page, "Generate")
    work(workbench)
    (made,) = workbench.training_sheets.find()
    assert (made.options.sampling, made.counts.total) == (Sampling(12, seed=7), 12)
    add_rows(workbench, "mails", tmp_path, first=40, count=30)
    page = open_page("generate", training_sheet=made.id)
    assert dict(page.dataframe[-1].value.to_numpy().tolist())["Sample"] == "12 at random, seed 7"
    assert "Its sample was drawn once: items that came later are not part of it." in said(page)
    assert button(page, "Append new items").disabled


def test_a_stratified_sample_keeps_the_classes_and_the_next_generation_starts_without(
    open_page, workbench, sheet, template
):
    page = open_page("generate", sheet=sheet.id, template=template.id)
    choose(page, "Which items", "Stratified sample")
    assert "until then the items are drawn at random" in said(page)
    fields(page)["Sample size"].set_value(8).run()
    assert tiles(page)["Items"] == "8"
    fields(page)["Classes of"].select("mail_class").run()
    assert tiles(page)["Items"] == "8"
    press(page, "Generate")
    work(workbench)
    (made,) = workbench.training_sheets.find()
    answers = [pair.answer for pair in workbench.pairs.find(made.id, limit=40)]
    assert (answers.count("spam"), answers.count("ham")) == (2, 6)
    page.query_params.clear()
    page.query_params["sheet"], page.query_params["template"] = sheet.id, template.id
    page.run()
    assert tiles(page)["Items"] == "40"


def test_samples_are_turned_one_by_one(open_page, sheet, template):
    page = open_page("generate", sheet=sheet.id, template=template.id)
    assert "Sample 1 of 5" in said(page)
    assert "Is “Mail 0” spam?" in " ".join(element.value for element in page.text)
    page.button(key="generate_preflight_sample_1").click().run()
    assert "Sample 2 of 5" in said(page)
    page.button(key="generate_preflight_sample_-1").click().run()
    page.button(key="generate_preflight_sample_-1").click().run()
    assert "Sample 5 of 5" in said(page)
