"""Prompt templates by keyboard, mouse and finger: written from scratch, kept as a file, attached to a sheet."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.browser.conftest import running
from tests.browser.test_sheets import PHONE, Person
from tests.pages.data_parts import PREFIX, flights
from tests.review_data import ANN
from workbench_core.prompt_templates import STARTERS, TemplateDraft, TemplateStatus
from workbench_core.settings import read_settings
from workbench_core.sheets import SheetDraft
from workbench_core.workbench import Workbench, open_workbench

SCREENS = {"desktop": {}, "phone": {**PHONE, "color_scheme": "dark"}}


@pytest.fixture(scope="module")
def home(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("templates")


@pytest.fixture(scope="module")
def workbench(home) -> Iterator[Workbench]:
    opened = open_workbench(read_settings({"WORKBENCH_HOME": str(home), "WORKBENCH_USER": ANN}))
    flights(opened, home)
    yield opened
    opened.close()


@pytest.fixture(scope="module")
def sheets(workbench) -> dict[str, str]:
    """A published sheet of flights for each screen."""
    columns = ("tailnum", "origin", "delay")
    drafts = {
        name: SheetDraft(f"Flights on a {name}", f"{PREFIX}flights", "flight_id", metadata_columns=columns)
        for name in SCREENS
    }
    made = {name: workbench.sheets.create(draft, by=ANN).id for name, draft in drafts.items()}
    return {name: workbench.sheets.move(sheet_id, "publish", by=ANN).id for name, sheet_id in made.items()}


@pytest.fixture(scope="module")
def server(home, sheets) -> Iterator[str]:
    with running(home) as url:
        yield url


@pytest.fixture
def person(app, expect) -> Person:
    return Person(app, expect)


def published(workbench, name: str) -> str:
    """A published template that asks for two columns."""
    draft = TemplateDraft(name, "delay_reason", "Why was {{ tailnum }} late in {{ origin_airport }}?")
    return workbench.prompt_templates.move(workbench.prompt_templates.create(draft, by=ANN).id, "publish", by=ANN).id


def named(workbench, name: str):
    """The templates of a name."""
    return [each for each in workbench.prompt_templates.find(search=name) if each.name == name]


def type_into(person: Person, label: str, text: str) -> None:
    """Replace what stands in a prompt field; it is sent after a short pause."""
    box = person.page.get_by_role("textbox", name=label, exact=True)
    box.focus()
    person.app.press("Control+a")
    person.page.keyboard.insert_text(text)
    person.page.wait_for_timeout(500)
    person.app.settle()


def choose_file(person: Person, file: Path) -> None:
    """Open the import of files and choose one."""
    person.app.open("prompt_templates")
    person.press("New template")
    person.page.get_by_role("tab", name="Import files").click()
    person.page.locator("input[type=file]").set_input_files(file)
    person.app.settle()


def test_a_template_is_written_from_scratch_and_published_by_keyboard_alone(person, workbench):
    person.app.open("prompt_templates")
    person.page.get_by_role("button", name="New template").focus()
    person.app.press("Enter")
    person.page.get_by_role("button", name="Blank").last.focus()
    person.app.press("Enter")
    person.sees("something is to solve in: Prompt")
    person.page.get_by_role("textbox", name="Name", exact=True).focus()
    person.app.press("Control+a")
    person.page.keyboard.type("Late flights")
    person.app.press("Enter")
    person.app.settle()
    type_into(person, "User prompt", "Was it late?\n{% if x %}")
    person.sees("User prompt, line 2")
    type_into(person, "User prompt", "Was {{ tailnum }} late, <b>really</b>? 😀")
    person.sees("Was N0 late, <b>really</b>? 😀")
    person.app.press("Control+s")
    person.sees("Everything is saved.")
    person.page.get_by_role("button", name="Publish").focus()
    person.app.press("Enter")
    person.sees("A published or archived version never changes.")
    person.expect(person.page.get_by_text("after you opened it")).to_have_count(0)
    [made] = named(workbench, "Late flights")
    assert (made.status, made.placeholders) == (TemplateStatus.PUBLISHED, ("tailnum",))


def test_the_fields_of_an_answer_go_to_json_schema_and_back(person, workbench):
    made = workbench.prompt_templates.create(STARTERS["Extraction"], by=ANN)
    person.app.open(f"prompt_templates?template={made.id}&show=answer")
    person.page.get_by_text("As JSON Schema").click()
    person.app.settle()
    box = person.page.get_by_role("textbox", name="JSON Schema")
    schema = json.loads(box.input_value())
    type_into(person, "JSON Schema", '{"type": "object",\n "properties": {"a": }}')
    person.sees("Line 2, column 22: this is no JSON")
    schema["properties"]["pieces"] = {"type": "number", "minimum": 1, "description": 'A "whole" number 😀 <script>'}
    type_into(person, "JSON Schema", json.dumps(schema))
    person.sees("This text can be read")
    person.page.get_by_text("As a table").click()
    person.app.settle()
    person.page.get_by_text("As JSON Schema").click()
    person.app.settle()
    assert json.loads(box.input_value()) == schema
    person.look("template-schema")


def test_a_template_goes_to_a_file_and_comes_back_and_a_damaged_file_makes_nothing(person, workbench, tmp_path):
    made = workbench.prompt_templates.create(
        TemplateDraft("Kept as a file", "kept", "Is {{ tailnum }} “kept”?", label_classes=('ye"s', "no 😀")), by=ANN
    )
    person.app.open(f"prompt_templates?template={made.id}")
    person.press("More")
    with person.page.expect_download() as download:
        person.page.get_by_role("button", name="Export").click()
    kept, file = download.value, tmp_path / "kept.jinja"
    kept.save_as(file)
    file.write_text(file.read_text(encoding="utf-8").replace("Kept as a file", "Came back"), encoding="utf-8")
    choose_file(person, file)
    person.page.get_by_role("button", name="Import", exact=False).last.click()
    person.sees("Imported as draft 1.0.0.")
    [back] = named(workbench, "Came back")
    assert (back.user_prompt, back.label_classes) == (made.user_prompt, made.label_classes)
    before = workbench.prompt_templates.count()
    file.write_text("---\nname: [\n---\n{{ tailnum }}", encoding="utf-8")
    choose_file(person, file)
    person.sees("this is no YAML")
    person.expect(person.page.get_by_role("button", name="Import", exact=True)).to_have_count(0)
    assert workbench.prompt_templates.count() == before


@pytest.mark.parametrize(("app", "name"), [(SCREENS[name], name) for name in SCREENS], indirect=["app"], ids=SCREENS)
def test_an_archived_template_of_a_sheet_is_told_and_another_attached(person, workbench, sheets, name):
    sheet = sheets[name]
    first, second = (published(workbench, f"{word} on a {name}") for word in ("First", "Second"))
    mapping = {"tailnum": "tailnum", "origin_airport": "origin"}
    workbench.template_attachments.attach(sheet, first, mapping, by=ANN)
    workbench.prompt_templates.move(first, "archive", by=ANN)
    person.app.open(f"data?sheet={sheet}&show=template")
    person.sees("This template was archived since it was attached.")
    person.is_within_the_screen()
    person.look(f"template-archived-{name}")
    person.press("Attach another")
    person.choose("Template", f"Second on a {name} v1.0.0 · delay_reason")
    person.page.locator(".st-key-data_attach").get_by_role("button").click()
    person.sees("origin_airport ← origin")
    assert workbench.template_attachments.of(sheet).prompt_template_id == second
    person.press("Detach")
    person.press("Detach the template")
    person.sees("Attach a template")
    assert workbench.template_attachments.of(sheet) is None
