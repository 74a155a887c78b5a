"""A home's child processes: one of a name, found by everybody, gone with the parent that started it."""

from __future__ import annotations

import http.client
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from workbench_core.adapters.local.processes import PROJECT, OwnedProcess, ProcessAddress
from workbench_core.errors import Unavailable

CHILD = """
import argparse, http.server, sys
from workbench_core.adapters.local.processes import child_parser, exit_with_parent, new_token, write_port_file

parser = child_parser("test child")
parser.add_argument("--say", default="")
chosen = parser.parse_args()
exit_with_parent(chosen.parent)
if chosen.say:
    sys.exit(chosen.say)
token = new_token()

class Answer(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200 if self.headers["Authorization"] == f"Bearer {token}" else 401)
        self.end_headers()

server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answer)
write_port_file(chosen.port_file, port=server.server_port, token=token)
server.serve_forever()
"""

PARENT = """
import sys, time
from pathlib import Path
from workbench_core.adapters.local.processes import OwnedProcess

print(OwnedProcess("child", "workbench_test_child", Path(sys.argv[1])).address().pid, flush=True)
time.sleep(60)
"""


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A child that only answers its health check."""
    (tmp_path / "code").mkdir()
    (tmp_path / "code" / "workbench_test_child.py").write_text(CHILD)
    monkeypatch.setenv("PYTHONPATH", f"{PROJECT}{os.pathsep}{tmp_path / 'code'}")
    return "workbench_test_child"


@pytest.fixture
def process(module: str, tmp_path: Path) -> Iterator[OwnedProcess]:
    owned = OwnedProcess("child", module, tmp_path)
    yield owned
    owned.stop()


def status(address: ProcessAddress, token: str) -> int:
    connection = http.client.HTTPConnection(address.url.removeprefix("http://"), timeout=5)
    connection.request("GET", "/health", headers={"Authorization": f"Bearer {token}"})
    code = connection.getresponse().status
    connection.close()
    return code


def exists(pid: int) -> bool:
    """Whether the process lives; one that ended but was not yet collected by its parent does not."""
    stat = Path(f"/proc/{pid}/stat")
    return stat.exists() and stat.read_text().rsplit(")", 1)[1].split()[0] != "Z"


def gone_within(pid: int, seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while exists(pid) and time.monotonic() < deadline:
        time.sleep(0.05)
    return not exists(pid)


def test_the_process_starts_when_its_address_is_asked_for(process: OwnedProcess) -> None:
    assert process.running() is None
    address = process.address()
    assert exists(address.pid)
    assert status(address, address.token) == 200
    assert status(address, "another token") == 401
    assert process.running() == address


def test_everybody_finds_the_same_process(process: OwnedProcess, module: str, tmp_path: Path) -> None:
    found: list[ProcessAddress] = []
    others = [OwnedProcess("child", module, tmp_path) for _ in range(6)]
    threads = [threading.Thread(target=lambda other=other: found.append(other.address())) for other in others]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 6
    assert len({address.pid for address in found}) == 1


def test_the_port_file_is_for_its_owner_only(process: OwnedProcess, tmp_path: Path) -> None:
    address = process.address()
    port_file = tmp_path / "run" / "child.json"
    assert port_file.stat().st_mode & 0o777 == 0o600
    content = json.loads(port_file.read_text())
    port = int(address.url.rsplit(":", 1)[1])
    assert content == {"pid": address.pid, "port": port, "token": address.token, "parent": os.getpid()}
    assert address.token not in repr(address)


def test_a_killed_process_is_replaced(process: OwnedProcess) -> None:
    first = process.address()
    os.kill(first.pid, signal.SIGKILL)
    second = process.address()
    assert second.pid != first.pid
    assert status(second, second.token) == 200


def test_a_stale_port_file_never_ends_a_stranger(process: OwnedProcess, tmp_path: Path) -> None:
    stranger = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    try:
        (tmp_path / "run").mkdir()
        stale = {"pid": stranger.pid, "port": 9, "token": "x", "parent": 0}
        (tmp_path / "run" / "child.json").write_text(json.dumps(stale))
        (tmp_path / "run" / "child.alive").write_text(str(stranger.pid))
        assert process.running() is None
        assert process.address().pid != stranger.pid
        assert stranger.poll() is None
    finally:
        stranger.kill()
        stranger.wait()


def test_a_lost_port_file_leads_to_one_new_process(process: OwnedProcess, tmp_path: Path) -> None:
    first = process.address()
    (tmp_path / "run" / "child.json").unlink()
    assert process.address().pid != first.pid
    assert gone_within(first.pid, 3)


def test_a_process_that_cannot_start_says_why(module: str, tmp_path: Path) -> None:
    broken = OwnedProcess("child", module, tmp_path, ["--say", "the weights are missing"])
    with pytest.raises(Unavailable, match="the weights are missing") as raised:
        broken.address()
    assert "child.log" in raised.value.hint


def test_a_process_that_never_listens_is_given_up(tmp_path: Path, module: str) -> None:
    (tmp_path / "code" / "workbench_test_child.py").write_text("import time; print('still loading'); time.sleep(60)")
    slow = OwnedProcess("child", module, tmp_path, start_timeout_seconds=1)
    with pytest.raises(Unavailable, match=r"did not answer in time(.|\n)*still loading"):
        slow.address()


def test_stop_ends_the_process(process: OwnedProcess, module: str, tmp_path: Path) -> None:
    address = process.address()
    OwnedProcess("child", module, tmp_path).stop()  # another object, as in another process
    assert gone_within(address.pid, 1)
    assert process.running() is None


def test_the_child_ends_when_its_parent_is_killed(module: str, tmp_path: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", PARENT, str(tmp_path)], stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        child = int(parent.stdout.readline())
        assert exists(child)
        parent.kill()
    assert gone_within(child, 3)
    assert OwnedProcess("child", module, tmp_path).running() is None
