"""Endpoints where nothing is there yet: an empty home, no trained version, a gateway that cannot start."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.contract.serving_parts import SHOUT, records
from workbench_core.adapters.local.serving import LocalServing, serving
from workbench_core.errors import BackendError, Invalid, NotFound, WorkbenchError
from workbench_core.settings import read_settings

pytestmark = pytest.mark.alone  # one of them starts a gateway


def test_an_empty_home_has_no_endpoints_and_no_log(tmp_path: Path) -> None:
    empty = serving(read_settings({"WORKBENCH_HOME": str(tmp_path)}))
    assert empty.availability().is_ready
    now = datetime.now(UTC)
    assert empty.performance("any", since=now, until=now).empty
    assert empty.requests("any", since=now, until=now) == []
    with pytest.raises(NotFound):
        empty.state("any")
    assert list(tmp_path.iterdir()) == []


def test_deploying_before_anything_was_trained_says_so(tmp_path: Path) -> None:
    empty = LocalServing(tmp_path)
    try:
        with pytest.raises(Invalid, match="no version 1 of the model “reviews”"):
            empty.apply("first", [SHOUT])
        assert not (tmp_path / "mlflow" / "mlflow.db").exists()
    finally:
        empty.close()


def test_a_gateway_that_cannot_start_says_why(tmp_path: Path) -> None:
    (tmp_path / "serving").mkdir()
    (tmp_path / "serving" / "requests.db").write_text("this is not a database" * 100)
    broken = LocalServing(tmp_path)
    with pytest.raises(WorkbenchError, match="file is not a database") as raised:
        broken.query("first", records("a"), by="ann")
    assert raised.value.hint
    with pytest.raises(BackendError, match="cannot be read"):
        broken.request("x")
