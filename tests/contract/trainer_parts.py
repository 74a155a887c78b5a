"""What tests of trainers share: a home, the models in its registry, and the processes that work for it."""

from __future__ import annotations

from pathlib import Path

import pytest

from workbench_core.adapters.local.tracking import MlflowTracker
from workbench_core.settings import read_settings


@pytest.fixture(scope="module")
def settings(tmp_path_factory):
    """One home for the module: making an MLflow database takes seconds."""
    return read_settings({"WORKBENCH_HOME": str(tmp_path_factory.mktemp("home")), "WORKBENCH_MODEL_KEY": "key-of-ana"})


def load(settings, version: int, name: str = "support_topic"):
    tracker = MlflowTracker(settings.home)
    tracker.client()
    import mlflow

    mlflow.set_tracking_uri(tracker.uri)
    return mlflow.pyfunc.load_model(f"models:/{name}/{version}")


def is_running(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
    except OSError:
        return False
    return state != "Z"


def processes_of(folder: Path) -> list[int]:
    """Ids of the living processes that were started for a job's folder."""
    found = []
    for entry in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            arguments = entry.read_bytes().split(b"\0")
        except OSError:
            continue
        if b"-m" in arguments and str(folder).encode() in arguments and is_running(int(entry.parent.name)):
            found.append(int(entry.parent.name))
    return found
