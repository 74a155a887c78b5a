"""Label once, reuse everywhere (spec 1.4) by mouse: 150 of 500, then all of them, then 200 more; a run that waits."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.browser.conftest import App, running
from tests.contract.openai_stub import OpenAiStub, ok, openai_stub
from tests.pages.generate_parts import add_rows, configure_model, label, lines, make_sheet, make_template
from tests.review_data import ANN
from workbench_core.pairs import Decision
from workbench_core.prompt_templates import AnswerSource
from workbench_core.settings import read_settings
from workbench_core.workbench import Workbench, open_workbench

PHONE = {"viewport": {"width": 390, "height": 844}, "is_mobile": True, "has_touch": True}
FIRST, LABELLED, NEW, FEW = 500, 150, 200, 40
ANSWER_SECONDS = 0.25  # of the model in the test of pausing


class Person:
    """What a person does on the page, in the words on the screen."""

    def __init__(self, app: App, expect) -> None:
        self.app, self.page, self.expect = app, app.page, expect

    def press(self, name: str | re.Pattern[str]) -> None:
        """Press the button of this name."""
        self.app.settle()
        self.page.get_by_role("button", name=name, exact=isinstance(name, str)).first.click()

    def sees(self, text: str | re.Pattern[str], *, within: int = 15_000) -> None:
        """Some text is on the page."""
        self.expect(self.page.get_by_text(text).first).to_be_visible(timeout=within)
        self.app.settle()

    def sees_button(self, name: str, *, within: int = 30_000) -> None:
        """A button is there."""
        self.expect(self.page.get_by_role("button", name=name, exact=True)).to_be_visible(timeout=within)
        self.app.settle()

    def sees_numbers(self, **numbers: str) -> None:
        """Tiles show these numbers; an underscore in a name stands for a blank."""
        for name, value in numbers.items():
            tile = self.page.get_by_test_id("stMetric").filter(
                has=self.page.get_by_text(name.replace("_", " "), exact=True)
            )
            self.expect(tile.first.get_by_test_id("stMetricValue")).to_have_text(value)

    def sees_the_bar(self, *parts: str) -> None:
        """The legend of the bar names these parts with their numbers."""
        for part in parts:
            self.expect(self.page.locator(".legendtext").get_by_text(part, exact=True)).to_be_visible()


@pytest.fixture(scope="module")
def stub() -> Iterator[OpenAiStub]:
    """A model that needs a quarter of a second for an answer."""

    def behave(number, body):
        reply = ok(number, body)
        reply.delay = ANSWER_SECONDS
        return reply

    with openai_stub(behave) as running_stub:
        yield running_stub


@pytest.fixture(scope="module")
def home(tmp_path_factory, stub) -> Path:
    made = tmp_path_factory.mktemp("generate")
    configure_model(made, stub.url)
    return made


@pytest.fixture(scope="module")
def workbench(home) -> Iterator[Workbench]:
    """The same home from a second process: for the hundred things that nobody clicks a hundred times."""
    opened = open_workbench(read_settings({"WORKBENCH_HOME": str(home), "WORKBENCH_USER": ANN}))
    yield opened
    opened.close()


@pytest.fixture(scope="module")
def sheets(workbench, home) -> dict[str, str]:
    """A sheet of five hundred mails and a small one."""
    many = make_sheet(workbench, home, name="mails", text=lines(FIRST))
    few = make_sheet(workbench, home, name="letters", text=lines(FEW))
    return {"many": many.id, "few": few.id}


@pytest.fixture(scope="module")
def server(home, sheets) -> Iterator[str]:
    with running(home) as url:
        yield url


@pytest.fixture
def person(app, expect) -> Person:
    return Person(app, expect)


def test_label_once_reuse_everywhere(person, workbench, sheets, home):
    sheet = workbench.sheets.get(sheets["many"])
    first = make_template(workbench, name="January", label_type="mail_class")
    better = make_template(workbench, name="February", label_type="mail_class", user_prompt="Spam? {{ subject }}")
    label(workbench, sheet, LABELLED)
    january = generate_in_january(person, workbench, sheet, first)
    review(workbench, january)
    february = generate_in_february(person, workbench, sheet, better)
    append_in_march(person, workbench, february, home)
    another_label_type(person, workbench, sheet)


def generate_in_january(person: Person, workbench: Workbench, sheet, template) -> str:
    """150 of 500 are known: 350 are left to review."""
    person.app.open(f"generate?sheet={sheet.id}&template={template.id}")
    person.sees_numbers(Items="500", Canonical="150", Cost="Nothing", To_review="350")
    person.sees_the_bar("150 canonical", "350 from the column")
    person.app.settle()
    person.page.get_by_role("button", name="Generate", exact=True).dblclick()
    person.sees_button("Review 350 pairs")
    assert len(workbench.training_sheets.find(sheet_id=sheet.id)) == 1, "a double click generated twice"
    person.sees_numbers(Pairs="500", Canonical="150", To_review="350", Errors="0")
    return person.page.url.split("training_sheet=")[1]


def review(workbench: Workbench, training_sheet_id: str) -> None:
    """An expert approves the 350."""
    waiting = workbench.pairs.queue(training_sheet_id, limit=FIRST)
    decided = workbench.pairs.decide([Decision(pair.id, "approve", pair.row_version) for pair in waiting], by=ANN)
    assert len(decided.done) == FIRST - LABELLED


def generate_in_february(person: Person, workbench: Workbench, sheet, template) -> str:
    """A better question with the same label type: nothing is left to review."""
    person.app.open(f"generate?sheet={sheet.id}&template={template.id}")
    person.sees_numbers(Items="500", Canonical="500", Cost="Nothing", To_review="0")
    person.press("Generate")
    person.sees("Nothing to review: all 500 pairs had a canonical label", within=30_000)
    person.sees_numbers(Pairs="500", Canonical="500", To_review="0")
    return person.page.url.split("training_sheet=")[1]


def append_in_march(person: Person, workbench: Workbench, training_sheet_id: str, home: Path) -> None:
    """200 rows more in the source: their number is known before the click (TS-16)."""
    add_rows(workbench, "mails", home, first=FIRST, count=NEW)
    for _ in range(30):  # rows that another process added show within seconds
        person.app.open(f"generate?training_sheet={training_sheet_id}")
        if person.page.get_by_role("button", name="Append 200 new items", exact=True).count():
            break
        person.page.wait_for_timeout(500)
    person.press("Append 200 new items")
    person.sees_button("Review 200 pairs")
    person.sees_numbers(Pairs="700", Canonical="500", To_review="200")


def another_label_type(person: Person, workbench: Workbench, sheet) -> None:
    """A template of another label type begins with nothing and disturbs nobody."""
    other = make_template(workbench, name="Tone", label_type="tone", label_classes=("kind", "rude"))
    person.app.open(f"generate?sheet={sheet.id}&template={other.id}")
    person.sees_numbers(Items="700", Canonical="0")


def test_a_run_is_paused_goes_on_and_pays_once(person, workbench, sheets, stub):
    template = make_template(workbench, name="Asked", label_type="asked", answer_source=AnswerSource.AI_GENERATED)
    person.app.open(f"generate?sheet={sheets['few']}&template={template.id}")
    person.sees(f"{FEW} to generate")
    person.press("Generate")
    person.sees(re.compile(rf"\d+ of {FEW} items"), within=20_000)
    person.press("Pause")
    person.sees(re.compile(f"Paused by {ANN.split('@')[0]}"))
    person.sees(re.compile(rf"\d+ of {FEW} pairs done"))
    person.page.reload()
    person.press("Resume")
    person.sees_button(f"Review {FEW} pairs", within=40_000)
    person.sees_numbers(Pairs=str(FEW), Errors="0")
    asked = Counter(str(body["messages"]) for body in stub.requests)
    assert len(asked) == FEW
    again = sum(asked.values()) - FEW
    assert again <= 1, "only what was under way when it was paused may be asked once more"


def test_a_failed_item_is_read_by_a_click(person, workbench, sheets):
    template = make_template(workbench, name="Broken", label_type="broken", user_prompt="{{ subject | int / 0 }}")
    person.app.open(f"generate?sheet={sheets['few']}&template={template.id}")
    name = person.page.get_by_label("Name", exact=True)
    person.expect(name).to_be_hidden()
    person.page.get_by_text("Options: which items, name, description").click()
    name.fill("Broken ones")
    person.press("Generate")
    person.sees_numbers(Errors=str(FEW))
    person.sees("Broken ones")
    person.page.frame_locator("iframe").get_by_text("m003", exact=True).click()
    person.sees("Item m003")


@pytest.mark.parametrize("app", [PHONE], indirect=True)
def test_on_a_phone_nothing_scrolls_sideways(person, workbench, sheets):
    template = make_template(workbench, name="Phone", label_type="phone", answer_source=AnswerSource.AI_GENERATED)
    for path in (
        f"generate?sheet={sheets['few']}&template={template.id}",
        f"generate?view=batch&template={template.id}&sheets={sheets['few']},{sheets['many']}",
    ):
        person.app.open(path)
        main = person.page.get_by_test_id("stMain")
        assert main.evaluate("element => element.scrollWidth - element.clientWidth") <= 1, path
