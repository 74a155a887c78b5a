"""Data quality in the browser: from a profile to items set aside and counted on Generate; a phone works the queue."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.browser.conftest import App, running, tab
from tests.browser.test_whole_circle import GRID, Person
from tests.review_data import ANN
from workbench_core.data_quality import ItemState, RuleDraft, ScanOptions
from workbench_core.prompt_templates import AnswerSource, TemplateDraft
from workbench_core.settings import read_settings
from workbench_core.sheets import SheetDraft
from workbench_core.workbench import Workbench, open_workbench

PHONE = {"viewport": {"width": 390, "height": 844}, "is_mobile": True, "has_touch": True}
MISSING = 7  # orders without an e-mail address
COUNT = 200


@pytest.fixture(scope="module")
def home(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("quality")


@pytest.fixture(scope="module")
def workbench(home) -> Iterator[Workbench]:
    opened = open_workbench(read_settings({"WORKBENCH_HOME": str(home), "WORKBENCH_USER": ANN}))
    yield opened
    opened.close()


@pytest.fixture(scope="module")
def made(workbench, home) -> dict[str, str]:
    """Two sheets of the same orders, one for the desktop and one for the phone, and a template."""
    file = home / "orders.csv"
    lines = [
        f"o{number:03d},{'open' if number % 4 else 'closed'},{10 + number % 30},"
        f"{'' if number < MISSING else f'p{number}@example.com'}"
        for number in range(COUNT)
    ]
    file.write_text("order_id,status,price,email\n" + "\n".join(lines))
    workbench.lake.put_table("main.shop.orders", file, original_name="orders.csv")
    draft = SheetDraft("Orders", "main.shop.orders", "order_id", metadata_columns=("status", "price", "email"))
    desktop, phone = (workbench.sheets.create(draft, by=ANN) for _ in range(2))
    workbench.sheets.move(desktop.id, "publish", by=ANN)
    template = workbench.prompt_templates.create(
        TemplateDraft(
            name="Ask", label_type="topic", user_prompt="{{ status }}", label_classes=("a", "b"),
            answer_source=AnswerSource.MANUAL,
        ),
        by=ANN,
    )  # fmt: skip
    return {"desktop": desktop.id, "phone": phone.id, "template": template.id}


@pytest.fixture(scope="module")
def server(home, made) -> Iterator[str]:
    with running(home) as url:
        yield url


def choose(app: App, name: str) -> None:
    """Choose a part in a row of choices."""
    app.page.get_by_test_id("stButtonGroup").get_by_role("radio", name=name).first.click()
    app.settle()


def press_when_heard(app: App, key: str) -> None:
    """Press a key as soon as the browser listens: Streamlit attaches its shortcuts a moment after it has drawn."""
    app.settle()
    app.page.wait_for_timeout(600)
    app.press(key)


def test_from_a_profile_to_items_that_generation_leaves_out(app, workbench, made, expect):
    person = Person(app, expect)
    app.open(f"data_quality?sheet={made['desktop']}")
    person.press("Profile and suggest", key="quality_profile_overview")
    choose(app, "Suggested rules")
    person.sees("status is one of “closed”, “open”")
    person.press("Untick all")
    expect(app.page.get_by_role("button", name="Untick all")).to_be_disabled()
    app.settle()
    app.page.get_by_text("price has a value").click()
    person.press("Add 1 rule")
    person.sees("1 rule enabled")

    person.press("Add rule", key="quality_new")
    app.page.get_by_test_id("stMultiSelect").locator("input").click()
    app.page.get_by_role("option", name="email").click()
    app.page.keyboard.press("Escape")
    person.sees("email has a value.")
    person.sees("It can run on this sheet.")
    person.press("Add rule", key="quality_form_save")
    person.sees("2 rules enabled")

    cell = app.page.frame_locator(GRID).locator("[row-index='1'] [col-id='c1']")
    cell.dblclick()
    cell.locator("input").fill("address is there")
    cell.locator("input").press("Enter")
    app.page.wait_for_timeout(300)
    app.settle()
    names = {rule.name for rule in workbench.data_quality.rules(made["desktop"])}
    assert "address is there" in names

    person.press("Run checks (2)")
    person.sees("193 of 200 rows pass 2 checks (96.5%).", within=20_000)
    person.open_row()
    person.sees("Failing items")
    person.press("Set aside all")
    app.page.get_by_label("Why", exact=True).fill("nobody can be asked")
    person.press("Set aside 7 items")
    person.sees("None of its items is open.")
    assert workbench.data_quality.quarantine.count(made["desktop"]) == MISSING

    app.open(f"generate?sheet={made['desktop']}&template={made['template']}")
    person.sees("7 set aside by data quality")
    app.page.get_by_text("Include the 7 items set aside by data quality").click()
    person.sees("included all the same")


def test_a_phone_works_through_the_queue_with_taps_and_a_desktop_with_arrows(server, chromium, workbench, made, expect):
    quality, sheet_id = workbench.data_quality, made["phone"]
    quality.save_rule(sheet_id, RuleDraft("is_not_null", ("email",), name="email is there"), by=ANN)
    with tab(chromium, server, **PHONE) as opened:
        person = Person(opened, expect)
        opened.open(f"data_quality?sheet={sheet_id}")
        person.press("Run checks (1)")
        person.sees("193 of 200 rows pass 1 check (96.5%).", within=20_000)
        choose(opened, "Overview")
        person.sees("What fails most")
        choose(opened, "Fix queue")
        person.press("Open the first")
        person.sees("1 of 7")
        assert opened.page.get_by_test_id("stMain").evaluate("main => main.scrollWidth - main.clientWidth") <= 1
        opened.page.get_by_role("button", name="Set aside").click()
        person.sees("o001")
        person.sees("2 of 7")
    assert quality.quarantine.refs(sheet_id) == ("o000",)
    with tab(chromium, server) as opened:
        person = Person(opened, expect)
        opened.open(f"data_quality?sheet={sheet_id}&show=fix&item=o002")
        for key, place in (("ArrowRight", "3 of 6"), ("ArrowLeft", "2 of 6")):
            press_when_heard(opened, key)
            person.sees(place)
        press_when_heard(opened, "a")
        person.sees("o003")
        person.sees("3 of 6")
    assert quality.fix_queue.item(sheet_id, "o002").state is ItemState.ACCEPTED


def test_a_run_that_looks_for_more_lists_what_it_found(server, chromium, workbench, made, expect):
    quality, sheet_id = workbench.data_quality, made["phone"]
    quality.start(sheet_id, by=ANN, options=ScanOptions(near_duplicate_column="email", similarity=0.6))
    with tab(chromium, server) as opened:
        person = Person(opened, expect)
        opened.open(f"data_quality?sheet={sheet_id}&show=results")
        person.sees("Near-duplicates", within=20_000)
        opened.open(f"data_quality?sheet={sheet_id}&show=history")
        person.sees("What changed between two runs")
        person.open_row()
        person.sees("rows pass")
