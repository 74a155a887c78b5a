"""Starting the app: the first page stands in the browser within five seconds."""

from __future__ import annotations

import time
from pathlib import Path

from tests.browser.conftest import running, tab

LONGEST = 5.0  # seconds from the start of the process, on a warm disk


def seconds_to_the_first_page(home: Path, chromium) -> float:
    """Start the server and open the first page; the time until its heading and its buttons are drawn."""
    from playwright.sync_api import expect

    began = time.monotonic()
    with running(home) as url, tab(chromium, url) as opened:
        opened.page.goto(url)
        expect(opened.page.get_by_role("heading", level=1, name="Welcome")).to_be_visible()
        expect(opened.page.get_by_role("button", name="Load the demo data")).to_be_enabled()
        return time.monotonic() - began


def test_the_first_page_is_there_within_five_seconds(tmp_path, chromium):
    """The first start of all warms the disk; of the two after it the better one counts, others may use the machine."""
    seconds_to_the_first_page(tmp_path, chromium)
    took = [seconds_to_the_first_page(tmp_path, chromium) for _ in range(2)]
    assert min(took) < LONGEST, took


def test_the_process_can_be_started_again_on_the_same_home(tmp_path, chromium):
    """What was done is there after a restart."""
    from playwright.sync_api import expect

    with running(tmp_path) as url, tab(chromium, url) as opened:
        opened.open()
        opened.page.get_by_role("button", name="Load the demo data").click()
        expect(opened.page.get_by_role("heading", level=1, name="Home")).to_be_visible(timeout=30_000)
    with running(tmp_path) as url, tab(chromium, url) as opened:
        opened.open()
        expect(opened.page.get_by_role("heading", level=1, name="Home")).to_be_visible()
