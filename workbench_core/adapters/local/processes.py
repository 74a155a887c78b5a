"""One child process per home and name: started on demand, found by every process, ended with its parent.

The parent's side is `OwnedProcess`; the child's is `child_parser`, `exit_with_parent`, `write_port_file`.

Three files in `<home>/run` carry it: `<name>.lock` is held while somebody starts or stops the child,
`<name>.alive` is locked by the child for as long as it lives (so a reused process id can never be mistaken
for it), and `<name>.json` is the port file with pid, port, token and the parent's pid.
"""

from __future__ import annotations

import argparse
import fcntl
import http.client
import json
import logging
import os
import re
import secrets
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from workbench_core.errors import Unavailable

PROJECT = Path(__file__).resolve().parents[3]
HOST = "127.0.0.1"
HEALTH_TIMEOUT_SECONDS = 5.0
HEALTH_ATTEMPTS = 3  # a live child may be busy: it is replaced only after this many unanswered health checks
STOP_TIMEOUT_SECONDS = 5.0
LOG_LINES_SHOWN = 6

_SECRET = re.compile(
    r"(^|_)(API)?KEY(_|$)|(^|_)(TOKEN|SECRET|PASSWORD|CREDENTIALS?)(_|$)|^WORKBENCH_STORE_URL$|^DATABRICKS_|^PGPASS",
    re.IGNORECASE,
)

log = logging.getLogger(__name__)
_held_locks: list[int] = []  # descriptors that a child keeps open, and so locked, until it ends
_followed: list[int] = []  # the process that this child ends with


def child_environment() -> dict[str, str]:
    """The variables of this process without what unlocks anything: a child on this machine has no use for keys."""
    kept = {name: value for name, value in os.environ.items() if not _SECRET.search(name)}
    paths = [str(PROJECT), *filter(None, [os.environ.get("PYTHONPATH")])]
    return {**kept, "PYTHONPATH": os.pathsep.join(paths), "PYTHONUNBUFFERED": "1"}


@dataclass(frozen=True, slots=True)
class ProcessAddress:
    """Where a child listens. `url` has no trailing slash; send `token` as bearer token."""

    url: str
    token: str = field(repr=False)
    pid: int = 0
    parent: int = 0  # the process that it ends with; 0 when there is none


class OwnedProcess:
    """A child process `python -m <module>` that belongs to a home; at most one of its name runs there.

    The child gets `--home`, `--port-file`, `--parent` and `arguments`. It must call `exit_with_parent`,
    listen on a loopback port, answer `GET /health` with 200 for its bearer token, and call `write_port_file`.
    """

    def __init__(
        self,
        name: str,
        module: str,
        home: Path,
        arguments: Sequence[str] = (),
        *,
        start_timeout_seconds: float = 120.0,
    ) -> None:
        self.name = name
        self.log_file = home.resolve() / "logs" / f"{name}.log"
        self._module = module
        self._home = home.resolve()
        self._arguments = tuple(arguments)
        self._start_timeout_seconds = start_timeout_seconds
        self._port_file = self._home / "run" / f"{name}.json"
        self._child: subprocess.Popen[bytes] | None = None

    def address(self) -> ProcessAddress:
        """Where the process listens; starts it when needed. Raises Unavailable with the end of its log."""
        if running := self.running():
            return running
        with self._start_lock():
            if running := self._patiently_running():
                return running
            self._end()
            return self._start()

    def running(self) -> ProcessAddress | None:
        """Where the process listens, or None when it does not run or does not answer. Never starts it."""
        if not _is_locked(_alive_file(self._port_file)):
            return None
        found = _read_port_file(self._port_file)
        if found is None or (found.parent and not _exists(found.parent)):  # without its parent it is ending
            return None
        return found if _is_healthy(found) else None

    def stop(self) -> None:
        """End the process, whoever started it; nothing happens when it does not run."""
        if self._port_file.parent.exists():
            with self._start_lock():
                self._end()

    def _patiently_running(self) -> ProcessAddress | None:
        for _ in range(HEALTH_ATTEMPTS):
            if running := self.running():
                return running
            if not _is_locked(_alive_file(self._port_file)):
                return None
            time.sleep(0.2)
        log.warning("The %s process does not answer its health check and is replaced", self.name)
        return None

    def _start(self) -> ProcessAddress:
        self.log_file.parent.mkdir(parents=True, exist_ok=True)
        if self.log_file.exists():
            self.log_file.replace(self.log_file.with_suffix(".previous.log"))
        command = [sys.executable, "-m", self._module, "--home", str(self._home)]
        command += ["--port-file", str(self._port_file), "--parent", str(os.getpid()), *self._arguments]
        with self.log_file.open("wb") as output:
            self._child = subprocess.Popen(  # noqa: S603 - our own interpreter and module
                command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env=child_environment(),
                start_new_session=True,  # Ctrl-C goes to the parent only; the child follows by itself
            )
        return self._wait_until_healthy(self._child)

    def _wait_until_healthy(self, child: subprocess.Popen[bytes]) -> ProcessAddress:
        deadline = time.monotonic() + self._start_timeout_seconds
        while time.monotonic() < deadline and child.poll() is None:
            if running := self.running():
                log.info("Started the %s process with pid %d", self.name, running.pid)
                return running
            time.sleep(0.05)
        reason = "ended at once" if child.poll() is not None else "did not answer in time"
        _end_child(child)
        self._port_file.unlink(missing_ok=True)
        raise Unavailable(
            f"The {self.name} process {reason}. {self._last_log_lines()}".rstrip(),
            hint=f"Its log is {self.log_file}. Try again once the reason is gone.",
        )

    def _end(self) -> None:
        alive = _alive_file(self._port_file)
        if _is_locked(alive):
            _end_pid(_read_pid(alive), alive)
        if self._child is not None:
            _end_child(self._child)
            self._child = None
        self._port_file.unlink(missing_ok=True)

    def _last_log_lines(self) -> str:
        try:
            lines = self.log_file.read_text(errors="replace").strip().splitlines()
        except OSError:
            return ""
        shown = "\n".join(lines[-LOG_LINES_SHOWN:])
        return f"Its last words: {shown}" if shown else ""

    @contextmanager
    def _start_lock(self) -> Iterator[None]:
        """Hold the lock between threads and processes that start or stop this child."""
        self._port_file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with self._port_file.with_suffix(".lock").open("w") as file:
            fcntl.flock(file, fcntl.LOCK_EX)  # released when the file closes
            yield


# --- the child's side ---------------------------------------------------------------------------------------


def child_parser(description: str) -> argparse.ArgumentParser:
    """A parser for `--home`, `--port-file` and `--parent`; add the module's own arguments to it."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--home", type=Path, required=True)
    parser.add_argument("--port-file", type=Path, required=True)
    parser.add_argument("--parent", type=int, default=0, help="end with this process; 0 means never")
    return parser


def new_token() -> str:
    """A fresh bearer token that nobody can guess."""
    return secrets.token_urlsafe(32)


def exit_with_parent(pid: int) -> None:
    """End this process within about two seconds after process `pid` ended in any way; 0 means never."""
    if pid:
        _followed.append(pid)
        threading.Thread(target=_follow_parent, args=(pid,), name="exit-with-parent", daemon=True).start()


def write_port_file(path: Path, *, port: int, token: str) -> None:
    """Announce this process as the one that listens on `port`; call it once, right before or after listening.

    Raises RuntimeError when another living process announced itself under this file.
    """
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    _lock_for_life(_alive_file(path))
    fresh = path.with_suffix(f".{os.getpid()}.new")
    descriptor = os.open(fresh, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
    with os.fdopen(descriptor, "w") as file:
        parent = _followed[0] if _followed else 0
        json.dump({"pid": os.getpid(), "port": port, "token": token, "parent": parent}, file)
    fresh.replace(path)


def _follow_parent(pid: int) -> None:
    # prctl(PR_SET_PDEATHSIG) would be quicker, but it fires when the *thread* that started us ends.
    is_child = os.getppid() == pid
    while os.getppid() == pid if is_child else _exists(pid):
        time.sleep(1)
    os.kill(os.getpid(), signal.SIGTERM)  # a server may close its files first
    time.sleep(1)
    os._exit(0)


def _exists(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _lock_for_life(path: Path) -> None:
    descriptor = os.open(path, os.O_CREAT | os.O_RDWR, 0o600)
    for _ in range(100):  # a parent that asks whether we live holds the lock for a moment
        try:
            fcntl.lockf(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            break
        except OSError:
            time.sleep(0.02)
    else:
        os.close(descriptor)
        raise RuntimeError(f"Another process holds {path}.")
    os.ftruncate(descriptor, 0)
    os.write(descriptor, str(os.getpid()).encode())
    _held_locks.append(descriptor)


# --- the files between them ---------------------------------------------------------------------------------


def _alive_file(port_file: Path) -> Path:
    return port_file.with_suffix(".alive")


def _is_locked(path: Path) -> bool:
    try:
        with path.open("r+") as file:
            fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except OSError:
        return True
    return False


def _read_pid(path: Path) -> int:
    text = path.read_text().strip()
    return int(text) if text.isdigit() else 0


def _read_port_file(path: Path) -> ProcessAddress | None:
    try:
        found = json.loads(path.read_text())
        url = f"http://{HOST}:{int(found['port'])}"
        return ProcessAddress(url, str(found["token"]), pid=int(found["pid"]), parent=int(found["parent"]))
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _is_healthy(address: ProcessAddress) -> bool:
    # http.client, because urllib and its like would send loopback requests through a configured proxy
    connection = http.client.HTTPConnection(address.url.removeprefix("http://"), timeout=HEALTH_TIMEOUT_SECONDS)
    try:
        connection.request("GET", "/health", headers={"Authorization": f"Bearer {address.token}"})
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def _end_pid(pid: int, alive: Path) -> None:
    for number in (signal.SIGTERM, signal.SIGKILL):
        if not pid or not _is_locked(alive):
            return
        with suppress(ProcessLookupError):
            os.kill(pid, number)
        deadline = time.monotonic() + STOP_TIMEOUT_SECONDS
        while _is_locked(alive) and time.monotonic() < deadline:
            time.sleep(0.05)


def _end_child(child: subprocess.Popen[bytes]) -> None:
    child.terminate()
    try:
        child.wait(STOP_TIMEOUT_SECONDS)
    except subprocess.TimeoutExpired:
        child.kill()
        child.wait()
