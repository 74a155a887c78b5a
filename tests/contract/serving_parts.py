"""What tests of endpoints share: versions, a home with them, a gateway, and requests to it."""

from __future__ import annotations

import json
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import urllib3

from workbench_core.adapters.local.processes import OwnedProcess, ProcessAddress
from workbench_core.adapters.local.serving import MODULE, LocalServing
from workbench_core.ports import LoggedRequest, ServedVersion

PROJECT = Path(__file__).resolve().parents[2]
SHOUT = ServedVersion("reviews", 1, 100)
ALWAYS_B = ServedVersion("reviews", 2, 100)
BROKEN = ServedVersion("reviews", 3, 100)
ECHO = ServedVersion("echo", 1, 100)
TRAFFIC_SECONDS = 3


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home with four registered versions."""
    folder = tmp_path_factory.mktemp("serving")
    command = [sys.executable, "-m", "tests.contract.serving_models", str(folder)]
    subprocess.run(command, cwd=PROJECT, check=True, capture_output=True)
    return folder


@pytest.fixture(scope="module")
def gateway(home: Path) -> Iterator[OwnedProcess]:
    """The gateway's process, to look at and to kill."""
    process = OwnedProcess("gateway", MODULE, home)
    yield process
    process.stop()


@pytest.fixture(scope="module")
def served(home: Path, gateway: OwnedProcess) -> LocalServing:
    return LocalServing(home, traffic_seconds=TRAFFIC_SECONDS)


@pytest.fixture
def endpoint(served: LocalServing) -> str:
    """An endpoint of its own for each test, with one version behind it."""
    name = f"test-{uuid.uuid4().hex[:8]}"
    served.apply(name, [SHOUT])
    return name


def records(*texts: str) -> list[dict[str, str]]:
    return [{"text": text, "note": ""} for text in texts]


def log_of(served: LocalServing, endpoint: str) -> list[LoggedRequest]:
    now = datetime.now(UTC)
    since, until = now - timedelta(hours=1), now + timedelta(hours=1)
    return served.requests(endpoint, since=since, until=until, limit=100_000)


def ask(served: LocalServing, endpoint: str, text: str = "good") -> str | None:
    return served.query(endpoint, records(text), by="ann").predictions[0].answer


def post(address: ProcessAddress, path: str, body: object, **headers: str) -> urllib3.BaseHTTPResponse:
    """What a program without our client sends."""
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    headers = {"Authorization": f"Bearer {address.token}"} | headers
    return urllib3.request("POST", address.url + path, body=content, headers=headers, retries=False)


def wait_until(is_true: Callable[[], bool], seconds: float = 20) -> None:
    deadline = time.monotonic() + seconds
    while not is_true():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.05)
