"""What the tracker promises, on a real MLflow database in a temporary home."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from workbench_core.adapters.local.tracking import MlflowTracker, tracker
from workbench_core.errors import Invalid, NotFound
from workbench_core.settings import read_settings

PROJECT = Path(__file__).resolve().parents[2]
OPEN_DATABASE = """
import pathlib, sys
from workbench_core.adapters.local.tracking import MlflowTracker
MlflowTracker(pathlib.Path(sys.argv[1])).client()
"""
LOOK_AT_IMPORTS = """
import sys
import workbench_core.adapters.local.tracking, workbench_core.adapters.local.training
print("mlflow" in sys.modules, "sklearn" in sys.modules)
"""


@pytest.fixture(scope="module")
def registry(tmp_path_factory):
    """A registry with two versions of one model; the database is made by three processes at once."""
    home = tmp_path_factory.mktemp("home")
    command = [sys.executable, "-c", OPEN_DATABASE, str(home)]
    racers = [subprocess.Popen(command, cwd=PROJECT, stderr=subprocess.PIPE) for _ in range(3)]
    errors = [racer.communicate()[1].decode() for racer in racers]
    found = MlflowTracker(home)
    assert [racer.returncode for racer in racers] == [0, 0, 0], errors
    client = found.client()
    client.create_registered_model("topics")
    for job in ("job_a", "job_b"):
        client.create_model_version("topics", source=(found.artifacts / job).as_uri(), tags={"job_id": job})
    return found


def test_several_processes_may_make_the_database_at_once(registry):
    """MLflow's own migrations break each other; the lock and the renamed file prevent it."""
    with sqlite3.connect(registry.database) as connection:
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
        assert connection.execute("SELECT count(*) FROM alembic_version").fetchone() == (1,)
    assert not registry.database.with_name("mlflow.db.new").exists()


def test_a_half_made_database_is_made_anew(registry, tmp_path):
    fresh = MlflowTracker(tmp_path)
    fresh.folder.mkdir()
    (fresh.folder / "mlflow.db.new").write_bytes(b"a process died here")
    assert [experiment.name for experiment in fresh.client().search_experiments()] == ["Default"]


def test_versions_come_newest_first_with_job_and_time(registry):
    versions = registry.versions("topics")
    assert [(version.version, version.job_id) for version in versions] == [(2, "job_b"), (1, "job_a")]
    assert abs(datetime.now(UTC) - versions[0].created_at) < timedelta(minutes=5)


def test_a_version_is_found_by_its_job(registry):
    assert registry.find_version("topics", "job_a").version == 1
    assert registry.find_version("topics", "job_x") is None


@pytest.mark.parametrize("name", ["unknown", "no such name", "x' OR name != '"])
def test_an_unknown_model_has_no_versions(registry, name):
    assert registry.versions(name) == []


def test_an_alias_moves_from_version_to_version(registry):
    registry.set_alias("topics", "production", 1)
    assert [version.aliases for version in registry.versions("topics")] == [(), ("production",)]
    registry.set_alias("topics", "production", 2)
    assert [version.aliases for version in registry.versions("topics")] == [("production",), ()]


@pytest.mark.parametrize(("model", "version"), [("topics", 9), ("unknown", 1)])
def test_an_alias_for_an_unknown_version_is_refused(registry, model, version):
    with pytest.raises(NotFound, match=f"“{model}” has no version {version}"):
        registry.set_alias(model, "production", version)


def test_an_alias_that_mlflow_cannot_keep_is_refused_in_words(registry):
    with pytest.raises(Invalid):
        registry.set_alias("topics", "v1", 1)


def test_asking_an_empty_home_is_instant_and_makes_nothing(tmp_path):
    found = tracker(read_settings({"WORKBENCH_HOME": str(tmp_path / "home")}))
    started = time.monotonic()
    assert found.versions("topics") == []
    with pytest.raises(NotFound):
        found.set_alias("topics", "production", 1)
    assert time.monotonic() - started < 0.5
    assert not (tmp_path / "home").exists()


def test_importing_the_module_does_not_import_mlflow():
    shown = subprocess.run(
        [sys.executable, "-c", LOOK_AT_IMPORTS], cwd=PROJECT, capture_output=True, text=True, check=True
    )
    assert shown.stdout.split() == ["False", "False"]
