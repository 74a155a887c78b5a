"""The benchmarks run from beginning to end on few rows, and their last line is the JSON that others read."""

from __future__ import annotations

import importlib.util
import json
import sys
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).resolve().parents[1] / "benchmarks"


@pytest.fixture
def last_line(capsys, monkeypatch):
    """Run a benchmark in this process and read the last line of what it printed."""

    def run(name, *arguments):
        monkeypatch.setattr(sys, "path", list(sys.path))
        spec = importlib.util.spec_from_file_location(f"benchmark_{name}", BENCHMARKS / f"{name}.py")
        module = importlib.util.module_from_spec(spec)
        monkeypatch.setitem(sys.modules, spec.name, module)
        spec.loader.exec_module(module)
        module.main(arguments)
        return json.loads(capsys.readouterr().out.strip().splitlines()[-1])

    return run


def test_the_benchmark_of_data_quality_finds_the_planted_defects_and_names_every_rival(last_line, monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)  # rivals take minutes to load
    found = last_line("data_quality", "--rows", "10000", "--repeats", "2")
    rivals = {"pandera", "pandera_polars", "pointblank", "pointblank_polars", "dqx"}
    assert set(found) == {"ours_seconds", *(f"{name}_seconds" for name in rivals)}
    assert 0 < found["ours_seconds"] < 10
    assert all(found[f"{name}_seconds"] is None for name in rivals)


def test_the_benchmark_of_previews_publishes_the_slowest_page(last_line):
    found = last_line("preview", "--rows", "2000", "--look-seconds", "0")
    assert found["page_ms"] >= found["median_page_ms"] > 0
    assert found["page_ms"] >= found["first_page_ms"]
    assert found["slowest_page_ms"] >= max(found["page_ms"], found["table_page_ms"])
    assert found["count_ms"] > 0


def test_the_benchmark_of_chat_calls_answers_every_question_once(last_line, monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)  # rivals take seconds to load
    found = last_line("chat_calls", "--calls", "200", "--repeats", "1")
    assert found["calls"] == found["answered_once"] == 200
    assert 0 < found["overhead_ms_per_call"] < 20
    assert found["seconds_10k_with_faults"] > 0
    assert found["openai_ms_per_call"] is None
    assert found["litellm_ms_per_call"] is None


def test_the_benchmark_of_generation_checks_its_pairs_and_tells_their_speed_and_memory(last_line):
    found = last_line("generate", "--rows", "600", "--repeats", "1")
    assert found["pairs_per_second"] > 0
    assert found["peak_mb"] > 20
    assert found["microseconds_per_pair"] == pytest.approx(1_000_000 / found["pairs_per_second"], rel=0.05)
