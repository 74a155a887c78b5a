"""Which tests run alone: those that measure, or that start servers and browsers. All others run in two processes."""

from __future__ import annotations

from pathlib import Path

import pytest

TESTS = Path(__file__).parent
ALONE = {
    "browser",
    "contract/test_chat_model.py",
    "contract/test_lake_pages.py",
    "contract/test_lake_profiles.py",
    "contract/test_serving.py",
    "contract/test_tracker.py",
    "contract/test_trainer.py",
    "test_architecture.py",
    "test_benchmarks.py",
    "test_crash.py",
    "test_demo_loop.py",
}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the tests of these files and folders as `alone`."""
    for item in items:
        place = item.path.relative_to(TESTS)
        if place.parts[0] in ALONE or place.as_posix() in ALONE:
            item.add_marker(pytest.mark.alone)
