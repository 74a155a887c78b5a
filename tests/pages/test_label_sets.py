"""The Label sets page: found by address, made in five ways, written, published, compared, and read by everybody."""

from __future__ import annotations

import json
from dataclasses import replace

import pandas as pd
import pytest

from tests.core.label_set_parts import DRAFT, SCHEMA
from tests.pages.conftest import ANN, labels
from tests.pages.template_parts import BEN, boxes, field, mails, press, shown
from workbench_core import usage
from workbench_core.canonical_labels import LabelEntry
from workbench_core.label_sets import PRESETS, LabelClass, LabelSetDraft, LabelSetStatus, definition_of
from workbench_core.permissions import Role
from workbench_core.sheets import SheetDraft


@pytest.fixture
def draft(workbench):
    return workbench.label_sets.create(DRAFT, by=ANN)


@pytest.fixture
def published(workbench, draft):
    return workbench.label_sets.move(draft.id, "publish", by=ANN)


def key_of(page, label_set, name: str) -> str:
    """Where the session keeps one field of an open label set."""
    return f"label_sets_{label_set.id}_{page.session_state[f'label_sets_{label_set.id}_opened']}_{name}"


def names(page) -> list[str]:
    """The names on the cards of the list."""
    return [
        button.label.strip("*").replace("\\", "")
        for button in page.button
        if button.key.startswith("label_sets_open_labelset")
    ]


def drawn(page) -> str:
    """The HTML of dots, buttons and bars."""
    return " ".join(str(element.proto.body) for element in page.get("html"))


def type_classes(page, label_set, *rows: tuple[str, str, str, str, str, float]):
    """What the table of classes would leave in the session after a person typed."""
    key = key_of(page, label_set, "classes")
    frame = pd.DataFrame(rows, columns=["name", "title", "hotkey", "colour", "description", "threshold"])
    page.session_state[key] = frame
    page.session_state[f"{key}_turn"] = 7
    return page.run()


def disabled(page, label: str) -> str:
    """The reason on a disabled button; empty when it can be pressed."""
    button = next(button for button in page.button if button.label == label)
    return (button.help or "disabled") if button.disabled else ""


# --- the list --------------------------------------------------------------------------------------------------------


def test_an_empty_list_teaches_and_offers_presets(workbench, open_page):
    page = open_page("label_sets")
    assert "No label sets yet" in shown(page)
    page.button(key="label_sets_first_Sentiment").click().run()
    [made] = workbench.label_sets.find()
    assert made.draft == PRESETS["Sentiment"]
    assert page.query_params["label_set"] == made.id
    assert "What annotators see" in shown(page)


def test_a_card_says_what_a_set_is(workbench, open_page, published, tmp_path):
    sheet = mails(workbench, tmp_path)
    workbench.canonical_labels.label([LabelEntry("m1", "ok")], sheet_id=sheet.id, label_type="result", by=ANN)
    page = open_page("label_sets")
    assert names(page) == ["Results"]
    assert "result · version 1.0.0" in shown(page)
    assert "1 label · changed just now · #plant · #daily" in shown(page)
    assert ">Fine<" in drawn(page)
    assert "#15803d" in drawn(page)


def test_the_list_is_filtered_by_its_address(workbench, open_page, published):
    colours = LabelSetDraft("Colours", "colour", classes=(LabelClass("red"),), tags=("paint",), use_case="Shop")
    workbench.label_sets.create(colours, by=ANN)
    assert names(open_page("label_sets")) == ["Colours", "Results"]
    assert names(open_page("label_sets", status="published")) == ["Results"]
    assert names(open_page("label_sets", label_type="colour")) == ["Colours"]
    assert names(open_page("label_sets", tag="daily")) == ["Results"]
    assert names(open_page("label_sets", use_case="Shop")) == ["Colours"]
    assert names(open_page("label_sets", search="RED")) == ["Colours"]
    assert names(open_page("label_sets", tag="no such tag", status="x", label_type="y")) == ["Colours", "Results"]
    page = open_page("label_sets", search="%")
    assert "No label set matches" in shown(page)
    page = open_page("label_sets")
    field(page, "selectbox", "Tag").set_value("paint").run()
    assert page.query_params["tag"] == "paint"
    assert names(page) == ["Colours"]


def test_a_long_list_has_pages(workbench, open_page):
    for number in range(23):
        workbench.label_sets.create(replace(DRAFT, name=f"Set {number:02d}"), by=ANN)
    assert names(open_page("label_sets", page="2")) == ["Set 02", "Set 01", "Set 00"]


def test_hostile_names_stay_names(workbench, open_page):
    text = '<img src=x onerror="x()"> :material/home: ${7*7}'
    classes = (LabelClass(text, text, "#15803d", text, "1"),)
    made = workbench.label_sets.create(LabelSetDraft(text, "type", text, text, classes, tags=("<b>",)), by=ANN)
    for show in ("overview", "classes", "schema", "about", "labels", "versions"):
        page = open_page("label_sets", label_set=made.id, show=show)
        assert not page.error, show
        assert "<img" not in drawn(page)
    page = open_page("label_sets")
    assert "<img" not in drawn(page)
    assert "&lt;img" in drawn(page)


# --- new ones --------------------------------------------------------------------------------------------------------


def test_a_preset_becomes_a_draft_under_another_name(workbench, open_page, draft):
    page = open_page("label_sets")
    field(page, "selectbox", "Preset").set_value("Radiation safety").run()
    field(page, "text_input", "Name").set_value("Dose").run()
    field(page, "text_input", "Label type").set_value("dose").run()
    press(page, "Make a draft")
    made = workbench.label_sets.find()[0]
    assert (made.name, made.label_type, made.classes) == ("Dose", "dose", PRESETS["Radiation safety"].classes)
    assert page.query_params["label_set"] == made.id


def test_a_set_is_written_from_scratch(workbench, open_page, draft):
    page = open_page("label_sets")
    page.session_state["label_sets_way"] = "blank"
    page.run()
    assert disabled(page, "Make a draft") == "Give it a name and a label type first."
    field(page, "text_input", "Name").set_value("Sizes").run()
    field(page, "text_input", "Label type").set_value("size").run()
    press(page, "Make a draft")
    made = workbench.label_sets.find()[0]
    assert "something is to solve in: Classes" in shown(page)
    assert disabled(page, "Publish") == "Solve the problems in Classes first."
    page = type_classes(page, made, ("s", "Small", "1", "", "", 0.0), ("l", "Large", "2", "", "", 0.5))
    assert "Changes are not saved yet" in shown(page)
    assert disabled(page, "Publish") == "Save your changes first."
    page = press(page, "Save")
    assert [one.name for one in workbench.label_sets.get(made.id).classes] == ["s", "l"]
    press(page, "Publish")
    assert workbench.label_sets.for_type("size").id == made.id


def test_a_column_of_a_sheet_suggests_classes(workbench, open_page, draft, tmp_path):
    """LS-7."""
    file = tmp_path / "checks.csv"
    rows = {"item": ["a", "b", "c"], "verdict": ["good", "bad", "good"], "text": ["x" * 300, "y", "z"]}
    pd.DataFrame(rows).to_csv(file, index=False)
    workbench.lake.put_table("main.office.checks", file, original_name="checks.csv")
    sheet = workbench.sheets.create(SheetDraft("Checks", "main.office.checks", "item"), by=ANN)
    page = open_page("label_sets")
    page.session_state["label_sets_way"] = "column"
    page.run()
    field(page, "selectbox", "Sheet").set_value(sheet.id).run()
    field(page, "selectbox", "Column").set_value("text").run()
    assert "holds texts, not classes" in boxes(page)
    field(page, "selectbox", "Column").set_value("verdict").run()
    assert "2 classes out of 3 values" in shown(page)
    assert "good · 2" in drawn(page)
    press(page, "Make a draft")
    made = workbench.label_sets.find()[0]
    assert (made.name, made.label_type, made.class_names) == ("Verdict of Checks", "verdict", ("good", "bad"))


def test_labels_that_are_there_suggest_classes(workbench, open_page, draft, tmp_path):
    """LS-7."""
    sheet = mails(workbench, tmp_path)
    entries = [LabelEntry("m1", "spam"), LabelEntry("m2", "ham")]
    workbench.canonical_labels.label(entries, sheet_id=sheet.id, label_type="mail_class", by=ANN)
    page = open_page("label_sets")
    page.session_state["label_sets_way"] = "labels"
    page.run()
    boxes_of_type = [box for box in page.selectbox if box.label == "Label type"]
    boxes_of_type[0].set_value("mail_class").run()
    press(page, "Make a draft")
    made = workbench.label_sets.find()[0]
    assert (made.label_type, set(made.class_names)) == ("mail_class", {"ham", "spam"})


def upload(page, content: bytes):
    page.session_state["label_sets_way"] = "file"
    page.run()
    page.file_uploader[0].set_value([("set.json", content, "application/json")])
    return page.run()


def test_a_file_becomes_a_new_set_or_the_next_version(workbench, open_page, published):
    """LS-6."""
    text = definition_of(replace(DRAFT, description="Changed"), "9.0.0").encode()
    page = upload(open_page("label_sets"), text)
    assert page.radio[0].options[0] == "Next version of “Results” after 1.0.0"
    press(page, "Import")
    assert [one.version for one in workbench.label_sets.versions(published.lineage_id)] == ["1.1.0", "1.0.0"]
    page = upload(open_page("label_sets"), definition_of(PRESETS["Priority"], "1.0.0").encode())
    assert not page.radio
    press(page, "Import")
    assert workbench.label_sets.find()[0].draft == PRESETS["Priority"]


@pytest.mark.parametrize("content", [b"", b"{", b"\xff\xfe", b"[1]", b'{"name": "x", "label_type": "y", "z": 1}'])
def test_a_malformed_file_says_so_and_makes_nothing(workbench, open_page, draft, content):
    page = upload(open_page("label_sets"), content)
    assert len(page.error) == 1
    assert "Import" not in labels(page.button)
    assert workbench.label_sets.count() == 1


# --- an open set -----------------------------------------------------------------------------------------------------


def test_a_draft_opens_on_its_classes_and_shows_the_buttons(open_page, draft):
    page = open_page("label_sets", label_set=draft.id)
    assert "Everything is saved" in shown(page)
    assert "<kbd>1</kbd>" in drawn(page)
    assert disabled(page, "Save") == "Everything is saved."
    page = type_classes(page, draft, ("ok", "", "a", "#15803d", "", 0.0), ("OK", "", "", "green", "", 0.0))
    assert "The class “ok” is there twice" in shown(page)
    assert "has a meaning of its own while reviewing" in shown(page)
    assert "“green” is no colour" in shown(page)
    page = press(page, "Save")
    assert "has a meaning of its own" in boxes(page) or "is no colour" in boxes(page)
    assert page.session_state[key_of(page, draft, "classes")]["name"].tolist() == ["ok", "OK"], "what was typed stays"


def test_keys_are_numbered_colours_made_anew_and_the_library_is_at_hand(workbench, open_page, draft):
    page = open_page("label_sets", label_set=draft.id)
    page = type_classes(page, draft, ("x", "", "", "#ffffff", "", 0.0), ("y", "", "", "#ffffff", "", 0.0))
    assert "Hard to see on a light or on a dark page" in shown(page)
    page = press(press(page, "Number the keys"), "Fresh colours")
    assert "Hard to see" not in shown(page)
    page.session_state[key_of(page, draft, "library")] = ["defect", "unknown"]
    page = press(press(page.run(), "Add"), "Save")
    found = {one.name: one for one in workbench.label_sets.get(draft.id).classes}
    assert [(one.name, one.hotkey) for one in found.values()] == [
        ("x", "1"), ("y", "2"), ("defect", "3"), ("unknown", "0"),
    ]  # fmt: skip
    assert len({one.colour for one in found.values()}) == 4


def test_a_colour_is_chosen_by_eye(workbench, open_page, draft):
    page = open_page("label_sets", label_set=draft.id)
    page.color_picker[0].set_value("#0284C7").run()
    press(page, "Save")
    assert workbench.label_sets.get(draft.id).classes[0].colour == "#0284c7"


def test_a_response_schema_that_cannot_be_read_is_kept_and_not_saved(workbench, open_page, draft):
    page = open_page("label_sets", label_set=draft.id, show="schema")
    page = press(page, "Begin with an example")
    assert "Answers can be checked with this schema" in shown(page)
    page.session_state[key_of(page, draft, "schema")] = '{"type": "object",\n'
    page.run()
    assert "Line 2, column 1: the schema is no JSON" in shown(page)
    assert disabled(page, "Save").startswith("Correct the response schema first")
    page.session_state[key_of(page, draft, "schema")] = json.dumps(SCHEMA)
    page = press(page.run(), "Save")
    assert workbench.label_sets.get(draft.id).response_schema == SCHEMA


def test_name_tags_and_usage_rules_are_changed(workbench, open_page, draft):
    page = open_page("label_sets", label_set=draft.id, show="about")
    assert field(page, "text_input", "Label type").disabled
    field(page, "text_input", "Name").set_value("Verdicts").run()
    field(page, "selectbox", "Preset").set_value("held_out").run()
    field(page, "toggle", "May be served").set_value(False).run()
    press(page, "Save")
    saved = workbench.label_sets.get(draft.id)
    assert (saved.name, saved.may_serve, saved.usage) == ("Verdicts", False, usage.preset("held_out"))
    assert (saved.description, saved.tags) == (DRAFT.description, DRAFT.tags)


def test_the_overview_counts_classes_and_names_what_uses_them(workbench, open_page, published, tmp_path):
    """LS-5."""
    sheet = mails(workbench, tmp_path)
    entries = [LabelEntry("m1", "ok"), LabelEntry("m2", "odd")]
    workbench.canonical_labels.label(entries, sheet_id=sheet.id, label_type="result", by=ANN)
    page = open_page("label_sets", label_set=published.id)
    assert {metric.label: metric.value for metric in page.metric} == {
        "Labels": "2", "Sheets": "1", "Templates": "0", "Training sheets": "0", "Labelling tasks": "0",
    }  # fmt: skip
    assert "1 <span>50.0 %</span>" in drawn(page)
    assert "Other answers" in drawn(page)
    assert "Answers of result follow this version" in shown(page)
    assert "Sheets with labels" in shown(page)
    used = [link.proto.label.replace("\\", "") for link in page.get("page_link")]
    assert any(label.startswith("Mails") for label in used)


def test_the_labels_of_a_set_are_found(workbench, open_page, published, tmp_path):
    """LS-4."""
    sheet = mails(workbench, tmp_path)
    page = open_page("label_sets", label_set=published.id, show="labels")
    assert "No item has a label of this type yet" in shown(page)
    entries = [LabelEntry("m1", "ok"), LabelEntry("m2", "odd")]
    workbench.canonical_labels.label(entries, sheet_id=sheet.id, label_type="result", by=ANN)
    page = open_page("label_sets", label_set=published.id, show="labels", find="m2")
    line = page.dataframe[0].value.iloc[0]
    assert (line["Item"], line["Sheet"], line["Answer"], line["Remark"]) == ("m2", "Mails", "odd", "Not a class")
    page = open_page("label_sets", label_set=published.id, show="labels", find="m1")
    assert page.dataframe[0].value.iloc[0]["Answer"] == "Fine"


def test_versions_are_made_and_compared(workbench, open_page, published):
    """LS-3."""
    page = open_page("label_sets", label_set=published.id)
    assert "never changes" in shown(page)
    page = press(page, "New version")
    second = workbench.label_sets.versions(published.lineage_id)[0]
    assert page.query_params["label_set"] == second.id
    page = type_classes(page, second, ("ok", "Fine", "1", "#15803d", "Now other words", 0.5))
    page = press(page, "Save")
    page = open_page("label_sets", label_set=second.id, show="versions")
    assert "Now other words" in drawn(page).replace("<ins>", "").replace("</ins>", "")
    page = open_page("label_sets", label_set=published.id)
    press(page, "Open draft 1.1.0")
    assert page.query_params["label_set"] == second.id


def test_archive_restore_copy_and_delete_from_the_page(workbench, open_page, draft):
    page = press(open_page("label_sets", label_set=draft.id), "Archive")
    assert workbench.label_sets.get(draft.id).status is LabelSetStatus.ARCHIVED
    page = press(page, "Restore")
    page = press(page, "Duplicate")
    copy = page.query_params["label_set"]
    copy = copy[0] if isinstance(copy, list) else copy
    assert workbench.label_sets.get(copy).name == "Copy of Results"
    press(open_page("label_sets", label_set=copy), "Delete 1.0.0 for good")
    assert [one.id for one in workbench.label_sets.find()] == [draft.id]


def test_what_is_in_use_says_why_it_cannot_be_deleted(workbench, open_page, draft, tmp_path):
    sheet = mails(workbench, tmp_path)
    workbench.canonical_labels.label([LabelEntry("m1", "ok")], sheet_id=sheet.id, label_type="result", by=ANN)
    page = open_page("label_sets", label_set=draft.id)
    assert disabled(page, "Delete 1.0.0 for good")
    assert "It cannot be deleted. In use: 1 canonical label (Mails)" in shown(page)


# --- people ----------------------------------------------------------------------------------------------------------


def test_two_people_on_one_draft_the_second_chooses(workbench, open_page, draft):
    page = open_page("label_sets", label_set=draft.id, show="about")
    field(page, "text_input", "Name").set_value("Mine").run()
    workbench.label_sets.update(draft.id, replace(DRAFT, name="Theirs"), by=BEN, row_version=draft.row_version)
    page = press(page, "Save")
    assert "ben@example.com changed this label set after you opened it. Nothing was saved" in boxes(page)
    assert workbench.label_sets.get(draft.id).name == "Theirs"
    assert field(page, "text_input", "Name").value == "Mine"
    page = press(page, "Load their version")
    assert field(page, "text_input", "Name").value == "Theirs"


def test_a_reader_sees_everything_and_changes_nothing(workbench, open_page, draft):
    workbench.permissions.assign(BEN, Role.DATA_CONSUMER, by=ANN)
    page = open_page("label_sets", user=BEN)
    assert "New label set" not in labels([button for button in page.button if not button.disabled])
    page = open_page("label_sets", label_set=draft.id, user=BEN)
    assert "may not edit label sets. You can read it" in shown(page)
    assert "Save" not in labels(page.button)
    assert "may not publish or archive label sets" in disabled(page, "Publish")
    assert "may not edit label sets" in disabled(page, "Duplicate")


def test_a_producer_writes_and_a_steward_publishes(workbench, open_page, draft):
    """Spec 2.14."""
    workbench.permissions.assign(BEN, Role.DATA_PRODUCER, by=ANN)
    page = open_page("label_sets", label_set=draft.id, user=BEN, show="about")
    assert "may not publish or archive label sets" in disabled(page, "Publish")
    assert "may not publish or archive" in disabled(page, "Archive")
    assert "may not change usage rules" in shown(page)
    assert not [toggle for toggle in page.toggle if toggle.label == "May be served"]
    field(page, "text_input", "Name").set_value("By Ben").run()
    press(page, "Save")
    assert workbench.label_sets.get(draft.id).name == "By Ben"


def test_a_set_that_is_gone_is_told_calmly(open_page, draft):
    page = open_page("label_sets", label_set="labelset-nowhere")
    assert "This label set does not exist" in boxes(page)
