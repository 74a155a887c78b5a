"""The real app in a real browser: `streamlit run app.py` over a temporary home, one browser context for each test.

A test fails on any page error, console error, request that leaves this machine, HTTP error, or traceback in the log.
"""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.review_data import ANN, mails, training_sheet
from workbench_core.prompt_templates import AnswerSource, OutputField
from workbench_core.settings import read_settings
from workbench_core.workbench import Workbench, open_workbench

ROOT = Path(__file__).resolve().parents[2]
CHROMIUM = Path(os.environ.get("CHROMIUM", "/usr/bin/chromium"))
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"]
# Streamlit probes /<page>/_stcore/health and host-config on every deep link and expects 404; the rest is its iframe
HARMLESS = re.compile(
    r"_stcore/(health|host-config)|status of 404|Unrecognized feature|allow-scripts and allow-same-origin"
)
SETTLED = """() => {
  const app = document.querySelector('[data-testid=stApp]')
  return app && app.dataset.testScriptState === 'notRunning' && app.dataset.testConnectionState === 'CONNECTED'
    && !document.querySelector('[data-stale=true]')
}"""
SHEETS = ("keys", "pace", "leave", "refused", "undo", "conflict", "first", "typing", "held", "grid", "phone", "reload")


def pytest_collection_modifyitems(items) -> None:
    """Every test here is a browser test; without Chromium it is skipped with the reason.

    They come last: quick tests tell first, and the browser's driver leaves an event loop running.
    """
    items.sort(key=lambda item: Path(__file__).parent in item.path.parents)
    missing = pytest.mark.skip(reason=f"needs Chromium at {CHROMIUM} (Debian package chromium)")
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.browser)
            if not CHROMIUM.exists():
                item.add_marker(missing)


class App:
    """One tab of the running app, and what went wrong in it."""

    def __init__(self, page, url: str) -> None:
        self.page, self.url = page, url
        self.problems: list[str] = []
        page.set_default_timeout(10_000)
        page.on("pageerror", lambda error: self.problems.append(f"page error: {error}"))
        page.on("console", self._console)
        page.on("request", lambda request: self._request(request.url))
        page.on("response", self._response)

    def open(self, path: str = "") -> App:
        """Open an address cold, as a person does who follows a link."""
        self.page.goto(f"{self.url}/{path}")
        return self.settle()

    def settle(self) -> App:
        """Wait until the script has finished, nothing is stale and no exception is shown."""
        self.page.wait_for_function(SETTLED, timeout=30_000)
        exceptions = self.page.get_by_test_id("stException")
        assert exceptions.count() == 0, exceptions.first.inner_text()
        return self

    def press(self, *keys: str, pause: float = 0) -> None:
        """Press keys one after the other, `pause` milliseconds apart."""
        for key in keys:
            self.page.keyboard.press(key)
            if pause:
                self.page.wait_for_timeout(pause)

    def _console(self, message) -> None:
        if message.type == "error" and not HARMLESS.search(message.text):
            self.problems.append(f"console: {message.text}")

    def _request(self, url: str) -> None:
        if url.startswith(("http", "ws")) and "127.0.0.1" not in url:
            self.problems.append(f"leaves this machine: {url}")

    def _response(self, response) -> None:
        if response.status >= 400 and not HARMLESS.search(response.url):
            self.problems.append(f"{response.status}: {response.url}")


@pytest.fixture(scope="session")
def home(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("home")


@pytest.fixture(scope="session")
def workbench(home) -> Iterator[Workbench]:
    """The same store as the server's, for preparing and checking; used before and beside the server."""
    opened = open_workbench(read_settings({"WORKBENCH_HOME": str(home), "WORKBENCH_USER": ANN}))
    yield opened
    opened.close()


@pytest.fixture(scope="session")
def sheets(workbench, home) -> dict[str, str]:
    """A training sheet for each test, by name, each with a label type of its own; two share one on purpose."""
    source = mails(workbench, home, count=40)
    made = {name: training_sheet(workbench, source, name=name, label_type=f"class_{name}").id for name in SHEETS}
    manual = {"answers": AnswerSource.MANUAL}
    made["second"] = training_sheet(workbench, source, name="second", label_type="class_conflict", **manual).id
    made["text"] = training_sheet(workbench, source, name="text", label_type="text", label_classes=(), **manual).id
    fields = (OutputField("topic"), OutputField("urgent"))
    made["json"] = training_sheet(
        workbench, source, name="json", label_type="json", label_classes=(), output_schema=fields, **manual
    ).id
    return made


@pytest.fixture(scope="session")
def server(home, sheets) -> Iterator[str]:
    """The address of the running app."""
    with running(home) as url:
        yield url


@contextmanager
def running(home: Path) -> Iterator[str]:
    """The app over a home, in a process of its own; give its address. Its log must not hold a traceback in the end."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    log = home / f"server-{port}.log"
    command = [
        sys.executable, "-m", "streamlit", "run", "app.py", f"--server.port={port}", "--server.address=127.0.0.1",
        "--server.headless=true", "--server.fileWatcherType=none", "--client.showErrorDetails=full",
    ]  # fmt: skip
    environment = {**os.environ, "WORKBENCH_HOME": str(home), "WORKBENCH_USER": ANN}
    with log.open("wb") as output:
        process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=output, stderr=subprocess.STDOUT)
        try:
            yield _ready(process, f"http://127.0.0.1:{port}", log)
        finally:
            process.terminate()
            try:
                process.wait(15)
            except subprocess.TimeoutExpired:
                process.kill()
    text = log.read_text(encoding="utf-8")
    assert "Traceback" not in text, text[-4000:]


def _ready(process: subprocess.Popen[bytes], url: str, log: Path) -> str:
    for _ in range(600):
        assert process.poll() is None, log.read_text(encoding="utf-8")
        try:
            urllib.request.urlopen(f"{url}/_stcore/health", timeout=1).close()
        except OSError:
            time.sleep(0.05)
        else:
            return url
    raise AssertionError(log.read_text(encoding="utf-8"))


@pytest.fixture(scope="session")
def chromium():
    from playwright.sync_api import expect, sync_playwright

    expect.set_options(timeout=10_000)
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=str(CHROMIUM), headless=True, args=FLAGS)
        yield opened
        opened.close()


@pytest.fixture
def app(server, chromium, request) -> Iterator[App]:
    """One fresh browser profile with the app; parametrize it with the options of a context, a phone for example."""
    with tab(chromium, server, **getattr(request, "param", {})) as opened:
        yield opened


@contextmanager
def tab(chromium, url: str, **options: object) -> Iterator[App]:
    """A tab in a fresh browser profile; nothing may have gone wrong in it in the end."""
    context = chromium.new_context(**{"viewport": {"width": 1440, "height": 900}, **options})
    opened = App(context.new_page(), url)
    yield opened
    context.close()
    assert not opened.problems, opened.problems


@pytest.fixture
def expect():
    """Playwright's `expect`, imported only where a browser test runs."""
    from playwright.sync_api import expect

    return expect
