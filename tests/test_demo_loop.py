"""The same loop without a browser: one command, real data, a measured before and after."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
STEPS = ["1 Data", "2 Template", "3 Generate", "4 Label", "5 Train", "6 Evaluate", "7 Deploy", "8 Monitor", "9 Improve"]


def run(*arguments: str, home: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "workbench_core", *arguments],
        cwd=ROOT,
        env={**os.environ, "WORKBENCH_HOME": str(home)},
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )


def test_help_lists_the_commands(tmp_path):
    text = run("--help", home=tmp_path).stdout
    assert all(command in text for command in ("demo-loop", "load-demo", "remove-demo", "work"))


def test_the_demo_is_loaded_on_the_first_start_only(tmp_path):
    home = tmp_path / "home"
    assert "5 sheets" in run("load-demo", "--first-start", home=home).stdout
    assert run("load-demo", "--first-start", home=home).stdout == ""
    assert "5 sheets" in run("remove-demo", home=home).stdout
    assert "no demo data" in run("remove-demo", home=home).stdout


def test_a_wrong_setting_is_one_sentence(tmp_path):
    environment = {**os.environ, "WORKBENCH_HOME": str(tmp_path), "WORKBENCH_STORE_URL": "mysql://x"}
    failed = subprocess.run(
        [sys.executable, "-m", "workbench_core", "load-demo"],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert failed.returncode == 1
    assert failed.stderr.startswith("The store cannot be kept in mysql.")
    assert "Traceback" not in failed.stderr


@pytest.mark.slow
def test_the_whole_loop_ends_with_a_measured_closure(tmp_path):
    began = time.monotonic()
    finished = run("demo-loop", home=tmp_path / "home")
    assert finished.returncode == 0, finished.stderr[-2000:]
    lines = finished.stdout.splitlines()
    assert [step for step in STEPS if any(line.startswith(step) for line in lines)] == STEPS
    assert all(re.search(r"\(\d+\.\d s\)$", line) for line in lines if line[:1].isdigit())
    result = next(line for line in lines if line.startswith("Result"))
    before, after = map(float, re.search(r"([\d.]+)% with v1, ([\d.]+)% with v2", result).groups())
    assert re.search(r"closed|improved", result)
    assert after < before
    assert time.monotonic() - began < 300, "under five minutes on two cores"
