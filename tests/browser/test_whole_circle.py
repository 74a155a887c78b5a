"""One person goes round the whole loop in the browser, from an empty workbench to a closed gap and a rollback."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pandas as pd
import pytest
from playwright.sync_api import TimeoutError as PlaywrightTimeout

from tests.browser.conftest import App, running, tab
from tests.review_data import ANN
from workbench_core.demo import sources
from workbench_core.pairs import Decision
from workbench_core.settings import read_settings
from workbench_core.training_gate import item_position
from workbench_core.workbench import Workbench, open_workbench

MODEL = "my-mails"
PLAIN, HTML = 180, 220  # rows of the table
FIRST = 140  # plain rows to train on first
ASKED = 120
TASK_ITEMS = 80
LONG = 120_000  # milliseconds that training may take on a busy machine
PROMPT = "Subject: {{ subject }}\n\n{{ body | truncate(1200) }}\n\nClasses: ham, spam.\nWhich class fits best?"
GRID = "iframe[title='st_aggrid.AgGrid.agGrid']"


class Person:
    """What a person does in the tab, in the words on the screen."""

    def __init__(self, app: App, expect) -> None:
        self.app, self.page, self.expect = app, app.page, expect

    def rest(self) -> None:
        """Wait until the page stands still: what was just clicked may start a run a moment later."""
        self.app.settle()
        self.page.wait_for_timeout(150)
        self.app.settle()

    def go(self, name: str) -> None:
        """Open a page with the sidebar."""
        self.page.get_by_test_id("stSidebarNav").get_by_role("link", name=name, exact=True).click()
        self.sees_heading(name)

    def press(self, name: str | re.Pattern[str], *, key: str = "") -> None:
        """Press a button; `key` tells buttons of the same name apart."""
        self.rest()
        place = self.page.locator(f".st-key-{key}") if key else self.page
        place.get_by_role("button", name=name, exact=isinstance(name, str)).click()

    def press_inside(self, name: str) -> None:
        """Press a button in what has opened below another one."""
        self.rest()
        self.page.get_by_test_id("stPopoverBody").get_by_role("button", name=name, exact=True).click()

    def fill(self, label: str, text: str) -> None:
        """Write into a field and leave it."""
        self.rest()
        field = self.page.get_by_label(label, exact=True)
        field.fill(text)
        field.press("Tab")

    def show(self, part: str) -> None:
        """Go to a part of the page."""
        self.rest()
        self.page.get_by_test_id("stButtonGroup").get_by_text(re.compile(rf"^{part}\b")).click()

    def choose(self, label: str, option: str) -> None:
        """Choose from a list."""
        self.rest()
        box = self.page.get_by_test_id("stSelectbox").filter(has=self.page.get_by_text(label, exact=True))
        box.locator("input").click()
        self.page.get_by_role("option", name=option).click()

    def open_row(self, number: int = 0) -> None:
        """Open a row of a list; lists are drawn on a canvas, so the place counts: below the header, at the left."""
        self.rest()
        frame = self.page.get_by_test_id("stDataFrame").first
        frame.get_by_test_id("data-grid-canvas").wait_for()
        before = self.page.url
        for _ in range(4):  # a click while the list is drawn anew is lost
            frame.click(position={"x": 16, "y": 52 + 35 * number}, force=True)
            with suppress(PlaywrightTimeout):
                self.page.wait_for_function("before => location.href !== before", arg=before, timeout=4_000)
                return
        raise AssertionError(f"No click opened row {number} at {before}")

    def sees(self, text: str | re.Pattern[str], *, within: int = 10_000) -> None:
        """Some text is on the page."""
        self.expect(self.page.get_by_text(text).first).to_be_visible(timeout=within)

    def sees_heading(self, name: str | re.Pattern[str], *, within: int = 15_000) -> None:
        """The page of this name is there and has settled."""
        exact = isinstance(name, str)
        self.expect(self.page.get_by_role("heading", level=1, name=name, exact=exact)).to_be_visible(timeout=within)
        self.rest()

    def sees_number(self, label: str, value: str | re.Pattern[str]) -> None:
        """A tile shows a number."""
        tile = self.page.get_by_test_id("stMetric").filter(has=self.page.get_by_text(label, exact=True)).first
        self.expect(tile.get_by_test_id("stMetricValue")).to_have_text(value)


@pytest.fixture
def mails(tmp_path) -> pd.DataFrame:
    """Rows of the demo e-mails, as somebody's own table."""
    everything = pd.read_parquet(sources.data_folder() / "mail_messages.parquet")
    parts = [everything[everything["format"] == kind].head(rows) for kind, rows in (("plain", PLAIN), ("html", HTML))]
    made = pd.concat(parts)[["mail_id", "subject", "body", "format", "label"]].fillna("")
    made.to_csv(tmp_path / "my_mails.csv", index=False)
    return made.set_index("mail_id")


@pytest.fixture
def workbench(tmp_path) -> Iterator[Workbench]:
    """The same home from a second process: for the hundred things that nobody clicks a hundred times."""
    opened = open_workbench(read_settings({"WORKBENCH_HOME": str(tmp_path / "home"), "WORKBENCH_USER": ANN}))
    yield opened
    opened.close()


@pytest.fixture
def person(tmp_path, chromium, expect, workbench) -> Iterator[Person]:
    """Somebody in front of an empty workbench; what the screen showed is kept when the test fails."""
    with running(tmp_path / "home") as url, tab(chromium, url) as opened:
        yield Person(opened, expect)


@pytest.fixture(autouse=True)
def picture_of_a_failure(request, person, tmp_path) -> Iterator[None]:
    """A screenshot when a step went wrong, beside the home of the test."""
    failed = request.session.testsfailed
    yield
    if request.session.testsfailed > failed:
        person.page.screenshot(path=tmp_path / "failed.png", full_page=True)


@pytest.mark.slow
def test_the_whole_circle(person, workbench, mails, tmp_path):
    truth = mails["label"].to_dict()
    load_the_demo_data(person)
    make_a_sheet(person, tmp_path / "my_mails.csv")
    write_a_template(person)
    generate(person, name="Plain mails", filter_="format = 'plain'", limit=FIRST)
    review_by_hand(person, truth)
    train(person)
    deploy_and_try(person)
    use_it(workbench, mails)
    monitor(person)
    find_the_gap(person)
    label_the_gap(person, workbench, truth)
    generate(person, name="Everything labelled", answers="Canonical labels only")
    close_the_review(person)
    retrain_and_compare(person)
    close_the_gap(person)
    deploy_and_go_back(person)


# --- data and templates ----------------------------------------------------------------------------------------------


def load_the_demo_data(person: Person) -> None:
    person.app.open()
    person.sees_heading("Welcome")
    person.press("Load the demo data")
    person.sees_heading("Home", within=30_000)
    person.sees("The demo data is loaded.")


def make_a_sheet(person: Person, file: Path) -> None:
    """Upload a table, make a sheet of it with an identifier that is really one, and publish it."""
    person.go("Data")
    person.press("Add data")
    person.page.locator("input[type=file]").set_input_files(file)
    person.sees("It will be main.uploads.my_mails.")
    person.press(f"Add table with {PLAIN + HTML} rows")
    person.sees_heading("my_mails", within=30_000)
    person.press("Make a sheet of it")
    person.choose("Identifier", "format")
    person.sees(re.compile("Labels need an identifier that is unique"))
    person.expect(person.page.get_by_role("button", name="Create sheet")).to_be_disabled()
    person.choose("Identifier", "mail_id")
    person.sees(f"mail_id is unique and never empty in all {PLAIN + HTML} rows.")
    person.fill("Name", "My mails")
    person.press("Create sheet")
    person.sees_heading("My mails")
    person.press("Publish")
    person.expect(person.page.get_by_role("button", name="Generate from this sheet")).to_be_visible()


def write_a_template(person: Person) -> None:
    """Start from the classification, fit it to mails, look at real rows, publish."""
    person.go("Prompt templates")
    person.press("New template")
    person.press("Classification")
    person.sees_heading("Classify a text")
    person.fill("Name", "Sort my mails")
    person.fill("Label type", "my_mail_class")
    person.fill("User prompt", PROMPT)
    person.show("Answer")
    person.fill("Label classes", "ham\nspam")
    person.sees(re.compile("something is to solve in: Examples"))
    person.show("Examples")
    person.press("Remove")
    person.sees("No examples.")
    person.press(re.compile("^Save"))
    person.sees_heading("Sort my mails")
    person.show("Prompt")
    person.choose("Sheet", "My mails")
    person.sees(re.compile("row 1 of 10"))
    asked = person.page.get_by_test_id("stChatMessage").filter(has_text="Which class fits best?")
    person.expect(asked.first).to_be_visible()
    person.press("Publish")
    person.sees("A published or archived version never changes.")


# --- generate and label ----------------------------------------------------------------------------------------------


def generate(person: Person, *, name: str, answers: str = "A column of the sheet", filter_="", limit: int = 0) -> None:
    """Choose sheet, template, answers and rows, read the pre-flight, generate, and wait for the end."""
    person.go("Generate")
    person.choose("Sheet", "My mails")
    person.choose("Template", "Sort my mails")
    person.page.get_by_test_id("stRadio").get_by_text(answers, exact=True).click()
    if filter_:
        person.fill("Filter", filter_)
        person.sees_number("Items", str(PLAIN))
    if limit:
        person.fill("Row limit", str(limit))
        person.sees_number("Items", str(limit))
    person.rest()
    person.page.get_by_text("Options: which items, name, description").click()
    person.fill("Name", name)
    person.press("Generate", key="generate_start")
    person.sees_heading(name)
    review = re.compile(r"^Review( \d+ pairs?)?$")
    person.expect(person.page.get_by_role("button", name=review)).to_be_visible(timeout=60_000)
    person.press(review)
    person.sees_heading(name)


def review_by_hand(person: Person, truth: dict[str, str]) -> None:
    """Some pairs one by one with the keys, the rest at once in the list, then the review is closed."""
    card = person.page.locator(".card[data-item]")
    card.wait_for()
    person.app.press("a", "a", "a", "r", "f")
    person.page.keyboard.type("two mails in one")
    person.app.press("Enter")
    other = {"ham": "2", "spam": "1"}[truth[card.get_attribute("data-ref")]]
    person.app.press(other, "a", "u", "a", "a", "a", "u")
    person.sees_number("Edited", "0")
    person.sees_number("Approved", "5")
    for number in ("Rejected", "Flagged"):
        person.sees_number(number, "1")
    person.sees_number("Pending", str(FIRST - 7))
    person.show("List")
    approve_all(person, FIRST - 7)
    person.press("Close review")
    person.page.get_by_text("Leave out 1 undecided pairs").click()
    person.press_inside("Close review")
    person.expect(person.page.get_by_role("button", name="Train a model")).to_be_visible()


def approve_all(person: Person, pending: int) -> None:
    """Select page after page of the list and approve it."""
    grid = person.page.frame_locator(GRID)
    while pending:
        here = min(pending, 100)
        person.app.settle()  # until then the list before the last approval may stand there as well
        grid.locator(".ag-header-select-all input").click()
        person.sees(f"{here} selected")
        person.press("Approve")
        person.page.get_by_role("dialog").get_by_role("button", name="Approve").click()
        pending -= here
        person.sees_number("Pending", str(pending))


def close_the_review(person: Person) -> None:
    """Everything has a canonical label already: nothing is left to review."""
    person.sees_number("Pending", "0")
    person.press("Close review")
    person.press_inside("Close review")
    person.expect(person.page.get_by_role("button", name="Train a model")).to_be_visible()


# --- train, deploy, monitor ------------------------------------------------------------------------------------------


def train(person: Person) -> None:
    """Read the gate, choose quick parameters, train, and read the scores on held-out items."""
    person.press("Train a model")
    person.sees_heading("New training job")
    person.sees_number("Eligible", str(FIRST - 2))
    person.sees(re.compile("All pairs of an item are in the same part"))
    person.fill("Model name", MODEL)
    person.page.get_by_text("Parameters", exact=True).click()
    person.fill("Sentence vectors up to", "0")
    person.fill("Character ngrams up to", "0")
    person.press("Start training")
    await_version(person, 1)


def await_version(person: Person, number: int) -> None:
    """From the queued job to the evaluated version."""
    person.sees_heading(MODEL)
    opens = person.page.get_by_role("button", name=f"Open v{number}", exact=True)
    person.expect(opens).to_be_visible(timeout=LONG)
    person.sees("Candidates, by cross-validation on the training part")
    opens.click()
    person.sees_heading(f"{MODEL} v{number}")
    person.sees("Scores with 95 % intervals", within=LONG)
    person.sees(re.compile(r"\d+ held-out items"))


def deploy_and_try(person: Person) -> None:
    """Serve it, ask it about a row, and say what is wrong with the answer."""
    person.press("Deploy")
    person.sees(re.compile(r"Evaluated on \d+ held-out items"))
    person.press("Deploy", key="deploy_go")
    person.sees_heading(MODEL, within=60_000)
    person.press("Fill from this row")
    person.expect(person.page.get_by_label("Body", exact=True)).not_to_have_value("")
    person.press("Ask")
    person.sees(re.compile(r"v1 · confidence [\d.]+ % · [\d,]+ ms"), within=60_000)
    person.press("Not good")
    person.page.get_by_test_id("stSelectbox").filter(has_text="Right answer").locator("input").click()
    person.page.get_by_role("option").first.click()
    person.press("Send feedback")
    person.sees(re.compile("Your feedback: negative, the right answer is"))
    person.expect(person.page.get_by_role("button", name="Send feedback")).to_have_count(0)


def use_it(workbench: Workbench, mails: pd.DataFrame) -> None:
    """Requests of a day and what people said about the answers: through the core, since nobody clicks 120 times."""
    seen = workbench.model_versions.used_items(MODEL, 1)
    sheet = next(one for one in workbench.sheets.find() if one.name == "My mails")
    unseen = sorted((item for item in mails.index if item not in seen), key=lambda item: item_position(item, 42))
    for item in unseen[:ASKED]:
        record, truth = {name: mails.at[item, name] for name in ("subject", "body")}, mails.at[item, "label"]
        answered = workbench.endpoints.query(MODEL, [record], by=ANN, source="api", item_refs=[item])
        is_right = answered.predictions[0].answer == truth
        workbench.feedback.submit(
            answered.request_id,
            rating="positive" if is_right else "negative",
            correction="" if is_right else truth,
            sheet_id=sheet.id,
            by=ANN,
        )


def monitor(person: Person) -> None:
    """Requests, latency, health and drift of the endpoint."""
    person.press("Monitor")
    person.sees_heading(MODEL)
    person.sees_number("Requests", str(ASKED + 1))
    person.sees_number("p50 latency", re.compile(r"[\d,]+ ms"))
    person.sees(re.compile(r"Health \d+ of 100"))
    person.sees(re.compile(rf"positive of {ASKED + 1}"))
    person.page.get_by_test_id("stButtonGroup").get_by_text("Drift", exact=True).click()
    person.press("Run analysis")
    person.expect(person.page.get_by_test_id("stSelectbox").filter(has_text="Feature")).to_be_visible(timeout=30_000)


# --- improve ---------------------------------------------------------------------------------------------------------


def find_the_gap(person: Person) -> None:
    """Look for gaps; the plain mails have taught it little about the others."""
    person.go("Improve")
    person.press("Run analysis")
    person.press("Find gaps")
    person.sees(re.compile(r"\d+ new gaps"), within=60_000)
    person.expect(person.page.get_by_role("button", name="Find gaps")).to_have_count(0)
    person.open_row()
    person.sees_heading(re.compile("^Where .*format is html"))
    person.sees_number("Error rate", re.compile(r"[\d.]+ %"))


def label_the_gap(person: Person, workbench: Workbench, truth: dict[str, str]) -> None:
    """Queue unlabelled items like these, label some with the class keys and the rest as many people would, accept."""
    person.press("Create task")
    person.fill("Items", str(TASK_ITEMS))
    person.press_inside("Create task")
    person.sees_heading(re.compile("^Fill gap: .*format is html"))
    person.sees_number("Held out", str(TASK_ITEMS // 2))
    person.expect(person.page.get_by_text(f"0 of {TASK_ITEMS} items decided")).to_be_visible(timeout=60_000)
    person.press("Label now")
    card = person.page.locator(".card[data-item]")
    card.wait_for()
    for _ in range(5):
        person.app.press({"ham": "1", "spam": "2"}[truth[card.get_attribute("data-ref")]], "a")
    person.sees_number("Pending", str(TASK_ITEMS - 5))
    [task] = workbench.labeling_tasks.find()
    waiting = workbench.pairs.queue(task.training_sheet_id, limit=200)
    answers = [Decision(pair.id, "edit", pair.row_version, answer=truth[pair.item_ref]) for pair in waiting]
    assert len(workbench.pairs.decide(answers, by=ANN).done) == TASK_ITEMS - 5
    person.go("Improve")
    person.page.get_by_test_id("stButtonGroup").get_by_text("Labelling tasks").click()
    person.page.get_by_role("region", name="Labelling tasks and how far they are").wait_for()
    person.open_row()
    person.sees(f"{TASK_ITEMS} of {TASK_ITEMS} items decided")
    person.press("Accept")
    person.sees("Completed")


def retrain_and_compare(person: Person) -> None:
    """From the gap to the next version, filled in from the last one, and both against each other."""
    open_the_gap(person)
    person.press("Retrain")
    person.sees_heading(f"Retrain {MODEL}")
    person.sees_number("New items", re.compile(r"[1-9]\d*"))
    person.expect(person.page.get_by_label("Model name", exact=True)).to_have_value(MODEL)
    person.press("Start training")
    await_version(person, 2)
    person.press("Compare")
    person.press_inside("Compare")
    person.sees_heading(f"{MODEL} v2 against v1")
    person.sees("Difference with its 95 % interval", within=LONG)
    person.sees(re.compile(r"^v2 against v1: "))


def open_the_gap(person: Person) -> None:
    person.go("Improve")
    person.open_row()
    person.sees_heading(re.compile("^Where .*format is html"))


def close_the_gap(person: Person) -> None:
    """Both versions on the items that were set aside: a verdict with an interval."""
    open_the_gap(person)
    person.press("Compute closure")
    person.sees(re.compile(r"The gap is closed|Better, but not closed|Not closed: no significant"), within=LONG)
    person.sees(re.compile(rf"Error on {TASK_ITEMS // 2} held-out items: .*95 % interval .* to "))


def deploy_and_go_back(person: Person) -> None:
    """The new version takes all the traffic; one click brings the old one back."""
    person.go("Train")
    person.page.get_by_test_id("stButtonGroup").get_by_text(re.compile("^Versions")).click()
    person.page.wait_for_url(re.compile("view=versions"))  # else this change would pass for the one of the row
    person.open_row()
    person.sees_heading(f"{MODEL} v2")
    person.press("Deploy")
    person.press("Deploy", key="deploy_go")
    person.sees_heading(MODEL, within=60_000)
    person.sees(re.compile("v2 · changed"))
    person.page.get_by_test_id("stButtonGroup").get_by_text("History", exact=True).click()
    person.press(re.compile("^Roll back to v1"), key="deploy_rollback")
    person.sees(re.compile(f"{MODEL} serves v1 .*again"), within=60_000)
    person.sees("Rollback")
