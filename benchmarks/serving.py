"""Speed and memory of the serving gateway; `--beside-mlflow` measures `mlflow models serve` on the same model too.

The model is trivial (upper-case letters), so that the figures are the cost of serving. The gateway also logs every
request durably before it answers; `mlflow models serve` keeps no log. The last line is the result as JSON.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

import urllib3

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from workbench_core.adapters.local.processes import OwnedProcess
from workbench_core.adapters.local.serving import MODULE, LocalServing
from workbench_core.adapters.local.tracking import MlflowTracker
from workbench_core.ports import ServedVersion

CODE = """
import mlflow
import pandas as pd


class Model(mlflow.pyfunc.PythonModel):
    def predict(self, context, model_input, params=None):
        answers = [text.upper() for text in model_input["text"]]
        return pd.DataFrame({"prediction": answers, "confidence": [1.0] * len(answers)})


mlflow.models.set_model(Model())
"""
BODY = json.dumps({"dataframe_records": [{"text": "the parcel came late and the box was open"}]})


@dataclass(frozen=True, slots=True)
class Figures:
    """What was measured. Times in milliseconds unless the name says seconds; memory of all its processes in MB."""

    server: str
    cold_start_seconds: float
    p50_ms: float
    p95_ms: float
    four_clients_per_second: float
    memory_mb: float
    rollback_ms: float | None = None


def register_two_versions(home: Path) -> MlflowTracker:
    """Two versions of one model, as a trainer registers them."""
    tracker = MlflowTracker(home)
    experiment = tracker.client().create_experiment("benchmark", tracker.artifacts.as_uri())
    import mlflow
    from mlflow.models import ModelSignature
    from mlflow.types.schema import ColSpec, Schema

    mlflow.set_tracking_uri(tracker.uri)
    mlflow.set_registry_uri(tracker.uri)
    mlflow.set_experiment(experiment_id=experiment)
    code = home / "model_code.py"
    code.write_text(CODE)
    for _ in range(2):
        mlflow.pyfunc.log_model(
            name="model",
            python_model=str(code),
            signature=ModelSignature(inputs=Schema([ColSpec("string", "text")])),
            pip_requirements=["mlflow"],
            registered_model_name="shout",
        )
    return tracker


def measure_gateway(home: Path, requests: int) -> Figures:
    """The gateway: from nothing to the first answer, then one client, then four, then going back a version."""
    serving = LocalServing(home)
    process = OwnedProcess("gateway", MODULE, home)
    started = time.perf_counter()
    serving.apply("shout", [ServedVersion("shout", 1, 100)])
    address = process.address()
    url = f"{address.url}/serving-endpoints/shout/invocations"
    try:
        send = sender(url, {"Authorization": f"Bearer {address.token}"})
        send()
        cold_start = time.perf_counter() - started
        serving.apply("shout", [ServedVersion("shout", 2, 100)])
        p50, p95, rate = load(send, requests)
        started = time.perf_counter()
        serving.apply("shout", [ServedVersion("shout", 1, 100)])
        rollback = (time.perf_counter() - started) * 1000
        return Figures("gateway", cold_start, p50, p95, rate, memory_mb({address.pid}), rollback)
    finally:
        serving.close()


def measure_mlflow(tracker: MlflowTracker, requests: int) -> Figures:
    """`mlflow models serve` as its documentation starts it."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    started = time.perf_counter()
    with mlflow_server(tracker, port) as pid:
        send = sender(f"http://127.0.0.1:{port}/invocations", {})
        wait_for(send)
        cold_start = time.perf_counter() - started
        p50, p95, rate = load(send, requests)
        return Figures("mlflow models serve", cold_start, p50, p95, rate, memory_mb(session_members(pid)))


@contextmanager
def mlflow_server(tracker: MlflowTracker, port: int) -> Iterator[int]:
    """The server's process id, for as long as it runs."""
    programs = str(Path(sys.executable).parent)
    environment = {
        **os.environ,
        "MLFLOW_TRACKING_URI": tracker.uri,
        "PATH": f"{programs}{os.pathsep}{os.environ['PATH']}",  # it starts `uvicorn` by its name
    }
    command = [f"{programs}/mlflow", "models", "serve", "-m", "models:/shout/1", "--env-manager", "local"]
    server = subprocess.Popen(
        [*command, "--port", str(port)],
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        yield server.pid
    finally:
        os.killpg(server.pid, signal.SIGTERM)
        server.wait(20)


def sender(url: str, headers: dict[str, str]) -> Callable[[], None]:
    """A function that sends one request and insists on a good answer."""
    pool = urllib3.PoolManager(maxsize=8, retries=False)
    headers = {"Content-Type": "application/json", **headers}

    def send() -> None:
        response = pool.request("POST", url, body=BODY, headers=headers)
        assert response.status == 200, response.data[:200]

    return send


def wait_for(send: Callable[[], None], seconds: float = 180) -> None:
    """Send until the server answers."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            return send()
        except urllib3.exceptions.HTTPError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)


def load(send: Callable[[], None], requests: int) -> tuple[float, float, float]:
    """p50 and p95 of one client in milliseconds, and requests per second of four."""
    for _ in range(30):
        send()
    times = []
    for _ in range(requests):
        started = time.perf_counter()
        send()
        times.append((time.perf_counter() - started) * 1000)
    started = time.perf_counter()
    with ThreadPoolExecutor(4) as clients:
        list(clients.map(lambda _: send(), range(requests)))
    rate = requests / (time.perf_counter() - started)
    return statistics.median(times), statistics.quantiles(times, n=20)[-1], rate


def session_members(leader: int) -> set[int]:
    """All processes of a session."""
    members = set()
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            after_name = stat.read_text().rsplit(")", 1)[1].split()
        except OSError:  # it ended meanwhile
            continue
        if int(after_name[3]) == leader:
            members.add(int(stat.parent.name))
    return members


def memory_mb(pids: set[int]) -> float:
    """Resident memory of these processes together."""
    lines = (line for pid in pids for line in Path(f"/proc/{pid}/status").read_text().splitlines())
    return sum(int(line.split()[1]) for line in lines if line.startswith("VmRSS")) / 1024


def show(all_figures: list[Figures]) -> None:
    """One table, then the same as one line of JSON."""
    print(f"{'':24}{'cold start':>12}{'p50':>10}{'p95':>10}{'4 clients':>13}{'memory':>10}{'rollback':>10}")
    for one in all_figures:
        rollback = f"{one.rollback_ms:.1f} ms" if one.rollback_ms is not None else "-"
        print(
            f"{one.server:24}{one.cold_start_seconds:>10.1f} s{one.p50_ms:>7.1f} ms{one.p95_ms:>7.1f} ms"
            f"{one.four_clients_per_second:>7.0f} req/s{one.memory_mb:>7.0f} MB{rollback:>10}"
        )
    print(json.dumps([asdict(one) for one in all_figures]))


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--beside-mlflow", action="store_true", help="measure mlflow models serve as well")
    parser.add_argument("--requests", type=int, default=500)
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        tracker = register_two_versions(Path(folder))
        figures = [measure_gateway(Path(folder), chosen.requests)]
        if chosen.beside_mlflow:
            figures.append(measure_mlflow(tracker, chosen.requests))
    show(figures)


if __name__ == "__main__":
    main()
