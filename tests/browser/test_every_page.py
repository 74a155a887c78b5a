"""Every page opened cold from a link: desktop and phone, light and dark, readable with assistive technology."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.browser.conftest import App, running, tab
from tests.core.improve_parts import Improving
from tests.review_data import ANN
from workbench_core.data_quality import RuleDraft, ScanOptions
from workbench_core.demo.recipes import JOINED_FLIGHTS, MAIL, MAIL_TEMPLATE
from workbench_core.pairs import Decision
from workbench_core.settings import read_settings
from workbench_core.training_jobs import JobRequest
from workbench_core.training_sheets import GenerationRequest
from workbench_core.workbench import Workbench, open_workbench

PHONE = {"viewport": {"width": 390, "height": 844}, "is_mobile": True, "has_touch": True}
PAGES = ["Home", "Data", "Generate", "Label", "Train", "Deploy", "Monitor", "Improve"]
PAGES += ["Data quality", "Prompt templates", "Label sets", "Settings"]
MODEL = "quick-mails"
# an address, filled in from what the fixture made, and the heading that must stand there
PLACES = {
    "": "Home",
    "data": "Data",
    "data?view=sheets": "Data",
    "data?find=carrier&catalog=demo": "Data",
    "data?view=add": "Add data",
    "data?view=add&from=server": "Add data",
    "data?table=demo.mail.messages": "messages",
    "data?table=demo.images.pictures": "pictures",
    "data?table=demo.images.pictures&file=astronaut.jpg": "pictures",
    "data?table=demo.mail.messages&make=sheet": "messages",
    "data?sheet={sheet}": MAIL,
    "data?sheet={sheet}&show=columns": MAIL,
    "data?sheet={sheet}&show=sources": MAIL,
    "data?sheet={sheet}&show=filter": MAIL,
    "data?sheet={sheet}&show=labels": MAIL,
    "data?sheet={sheet}&show=usage": MAIL,
    "data?sheet={joined}": JOINED_FLIGHTS,
    "data?sheet={joined}&show=columns": JOINED_FLIGHTS,
    "data?sheet={joined}&show=sources": JOINED_FLIGHTS,
    "data?sheet={joined}&show=filter": JOINED_FLIGHTS,
    "data?sheet={sheet}&show=history": MAIL,
    "data_quality": "Data quality",
    "data_quality?sheet={sheet}": MAIL,
    "data_quality?sheet={sheet}&show=profile": MAIL,
    "data_quality?sheet={sheet}&show=profile&view=suggestions": MAIL,
    "data_quality?sheet={sheet}&show=profile&column=subject": MAIL,
    "data_quality?sheet={sheet}&show=rules&rule=new": MAIL,
    "data_quality?sheet={sheet}&show=results": MAIL,
    "data_quality?sheet={sheet}&show=results&check=0": MAIL,
    "data_quality?sheet={sheet}&show=history": MAIL,
    "data_quality?sheet={sheet}&show=fix": MAIL,
    "data_quality?sheet={sheet}&show=fix&item={failing}": MAIL,
    "prompt_templates": "Prompt templates",
    "prompt_templates?template={template}": MAIL_TEMPLATE,
    "prompt_templates?template={template}&show=answer": MAIL_TEMPLATE,
    "prompt_templates?template={template}&show=test": MAIL_TEMPLATE,
    "prompt_templates?template={template}&show=versions": MAIL_TEMPLATE,
    "generate": "Generate",
    "generate?sheet={sheet}&template={template}": "Generate",
    "generate?view=batch&template={template}&sheets={sheet}": "Generate",
    "generate?training_sheet={training_sheet}": "Quick mails",
    "label": "Label",
    "label?sheet={training_sheet}&show=approved": "Quick mails",
    "label?sheet={training_sheet}&view=list&show=all": "Quick mails",
    "label?sheet={training_sheet}&view=statistics": "Quick mails",
    "label?sheet={training_sheet}&view=export": "Quick mails",
    "label?sheet={queue}": "Fill gap: format is html",
    "label_sets": "Label sets",
    "label_sets?label_set={label_set}": "Kinds of mail",
    "label_sets?label_set={label_set}&show=classes": "Kinds of mail",
    "label_sets?label_set={label_set}&show=versions": "Kinds of mail",
    "train": "Train",
    "train?view=versions": "Train",
    "train?new=1": "New training job",
    "train?training_sheet={training_sheet}": "New training job",
    "train?job={job}": MODEL,
    "train?job={job}&part=data": MODEL,
    "train?model=quick-mails&version=1": "quick-mails v1",
    "train?model=quick-mails&version=1&part=items&items=all": "quick-mails v1",
    "train?model=quick-mails&version=1&part=lineage": "quick-mails v1",
    "train?retrain=quick-mails": "Retrain quick-mails",
    "deploy": "Deploy",
    "deploy?new=1": "Deploy",
    "deploy?endpoint=quick-mails": MODEL,
    "deploy?endpoint=quick-mails&tab=traffic": MODEL,
    "deploy?endpoint=quick-mails&tab=history": MODEL,
    "monitor": "Monitor",
    "monitor?endpoint=quick-mails": MODEL,
    "monitor?endpoint=quick-mails&tab=drift": MODEL,
    "monitor?endpoint=quick-mails&tab=alerts": MODEL,
    "monitor?endpoint=quick-mails&tab=requests": MODEL,
    "improve": "Improve",
    "improve?view=feedback&endpoint=quick-mails": "Improve",
    "improve?view=tasks": "Improve",
    "improve?feedback={feedback}": "Feedback",
    "improve?gap={gap}": "Where format is html",
    "improve?task={task}": "Fill gap: format is html",
    "settings": "Settings",
    "settings?view=parts": "Settings",
    "settings?view=roles": "Settings",
    "settings?view=configuration": "Settings",
}
AXE_RULES = {"runOnly": {"type": "tag", "values": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa"]}}
DARK_ACCENT = "#3b7be8"
STOCK = {"list", "listitem", "svg-img-alt"}  # Streamlit's own: the sidebar with sections, the line in a metric


@pytest.fixture(scope="module")
def home(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("every_page")


@pytest.fixture(scope="module")
def made(home) -> dict[str, str]:
    """The demo data and something in every stage; the ids that stand in the addresses."""
    ids = go_round(home)
    opened = opened_in(home)
    task = Improving.over(opened, home).html_task()
    opened.close()
    return ids | {"gap": task.gap_id, "task": task.id, "queue": task.training_sheet_id}


@pytest.fixture(scope="module")
def server(home, made) -> Iterator[str]:
    with running(home) as url:
        yield url


@pytest.fixture(scope="module")
def desktop(server, chromium) -> Iterator[App]:
    with tab(chromium, server) as opened:
        yield opened


@pytest.fixture(scope="module")
def phone(server, chromium) -> Iterator[App]:
    with tab(chromium, server, color_scheme="dark", **PHONE) as opened:
        yield opened


def opened_in(home: Path) -> Workbench:
    return open_workbench(read_settings({"WORKBENCH_HOME": str(home), "WORKBENCH_USER": ANN}))


def go_round(home: Path) -> dict[str, str]:
    """A small model of the demo e-mails, trained, evaluated, served, asked and judged."""
    workbench = opened_in(home)
    workbench.demo.load(by=ANN)
    sheet = next(one for one in workbench.sheets.find() if one.name == MAIL)
    template = next(one for one in workbench.prompt_templates.find() if one.name == MAIL_TEMPLATE)
    request = GenerationRequest(
        sheet.id, template.id, {"subject": "subject", "body": "body"}, name="Quick mails", answer_column="label",
        row_limit=120,
    )  # fmt: skip
    training_sheet = workbench.training_sheets.generate(request, by=ANN)
    work(workbench)
    waiting = workbench.pairs.queue(training_sheet.id, limit=200)
    workbench.pairs.decide([Decision(pair.id, "approve", pair.row_version) for pair in waiting], by=ANN)
    workbench.training_sheets.move(training_sheet.id, "close_review", by=ANN)
    parameters = {"sentence_vectors_up_to": 0, "character_ngrams_up_to": 0}
    job = workbench.training_jobs.submit(JobRequest(training_sheet.id, MODEL, "classifier", parameters), by=ANN)
    work(workbench)
    workbench.endpoints.deploy(MODEL, 1, by=ANN)
    rows = [pair.variables for pair in waiting[:40]]
    for number, row in enumerate(rows):
        answered = workbench.endpoints.query(MODEL, [row], by=ANN)
        workbench.feedback.submit(answered.request_id, rating="negative" if number % 4 == 0 else "positive", by=ANN)
    workbench.monitoring.drift(MODEL, hours=24, by=ANN)
    failing = check_quality(workbench, sheet.id)
    feedback = workbench.feedback.find(limit=1)[0].id
    joined = next(one for one in workbench.sheets.find() if one.name == JOINED_FLIGHTS)
    workbench.sheets.move(joined.id, "unpublish", by=ANN)  # a draft, so that its fields are there
    workbench.close()
    return {"sheet": sheet.id, "template": template.id, "training_sheet": training_sheet.id, "job": job.id} | {
        "feedback": feedback,
        "failing": failing,
        "joined": joined.id,
        "label_set": next(one.id for one in workbench.label_sets.find() if one.name == "Kinds of mail"),
    }


def check_quality(workbench: Workbench, sheet_id: str) -> str:
    """Profile a sheet, keep a few rules, one of which fails, and run them twice; give an item that fails."""
    quality = workbench.data_quality
    quality.profile(sheet_id, by=ANN)
    quality.save_rules(sheet_id, [one.draft for one in quality.suggestions(sheet_id)][:4], by=ANN)
    quality.save_rule(sheet_id, RuleDraft("is_in_list", ("label",), {"allowed": ["ham"]}, name="only ham"), by=ANN)
    for options in (ScanOptions(), ScanOptions(find_duplicates=True)):
        quality.start(sheet_id, by=ANN, options=options)
        work(workbench)
    return quality.fix_queue.items(sheet_id, limit=1).items[0].item_ref


def work(workbench: Workbench) -> None:
    worker = workbench.worker()
    while worker.run_one():
        pass


def open_cold(opened, place: str, made: dict[str, str]) -> None:
    """Open an address anew, in a tab that has the files of the app already, and look whether it is the right page."""
    from playwright.sync_api import expect

    opened.problems.clear()
    opened.open(place.format(**made))
    expect(opened.page.get_by_role("heading", level=1, name=PLACES[place], exact=True)).to_be_visible()
    assert opened.page.get_by_text("Page not found").count() == 0
    assert opened.page.get_by_text("Something unexpected happened").count() == 0


def violations(page) -> list[tuple[str, str, object]]:
    """What axe finds wrong, without what Streamlit itself brings."""
    from axe_playwright_python.sync_playwright import Axe

    found = Axe().run(page, options=AXE_RULES).response["violations"]
    return [
        (one["id"], node["html"][:200], [check["message"] for check in node["any"]][:1])
        for one in found
        if one["id"] not in STOCK
        for node in one["nodes"]
        if not any(is_dark_accent(check["data"]) for check in node["any"])
    ][:5]


def is_dark_accent(data: object) -> bool:
    """White on the accent colour, and the accent colour on its own tint.

    Streamlit draws a primary button and a chosen segment in these; on dark ground no colour reaches 4.5:1 in both.
    """
    return isinstance(data, dict) and DARK_ACCENT in {data.get("fgColor"), data.get("bgColor")} and (
        data["contrastRatio"] >= 4
    )  # fmt: skip


@pytest.mark.parametrize("place", PLACES)
def test_a_cold_link_opens_on_a_desktop(desktop, made, place, expect):
    open_cold(desktop, place, made)
    links = desktop.page.get_by_test_id("stSidebarNav").get_by_role("link")
    expect(links).to_have_text([re.compile(f"{name}$") for name in PAGES])  # after the icon's name
    assert violations(desktop.page) == []
    assert desktop.problems == []


@pytest.mark.parametrize("place", PLACES)
def test_a_cold_link_opens_dark_on_a_phone(phone, made, place):
    open_cold(phone, place, made)
    main = phone.page.get_by_test_id("stMain")
    assert main.evaluate("element => element.scrollWidth - element.clientWidth") <= 1, "scrolls sideways"
    background = phone.page.evaluate("getComputedStyle(document.querySelector('.stApp')).backgroundColor")
    assert background == "rgb(15, 21, 32)"
    assert violations(phone.page) == []
    assert phone.problems == []


@pytest.mark.parametrize(
    "place", ["label?sheet={training_sheet}&show=approved", "prompt_templates?template={template}"]
)
def test_the_first_page_of_a_fresh_server_may_be_any(home, chromium, made, place):
    with running(home) as url, tab(chromium, url) as opened:
        open_cold(opened, place, made)
