"""Fixtures for the contract tests: every adapter of a port answers the same tests."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
import time
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.contract.check_parts import ROWS
from tests.contract.lake_tables import BOARDS, boards
from workbench_core.adapters.local.lake import LocalLake
from workbench_core.ports import RowCheck, Selection

SCHEMAS = Path(__file__).resolve().parents[2] / "schemas"


def _postgres_folder() -> Path | None:
    """Where the server binaries are: Debian keeps them out of PATH."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    if found:
        return found[-1].parent
    program = shutil.which("initdb")
    return Path(program).parent if program else None


@pytest.fixture(scope="session")
def postgres_url():
    """A real PostgreSQL server of this test run, in a temporary folder on a free port."""
    binaries = _postgres_folder()
    if binaries is None:
        pytest.skip("PostgreSQL is not installed (Debian package postgresql)")
    folder = Path(tempfile.mkdtemp(prefix="workbench-postgres-"))
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    as_user: list[str] = []
    if os.geteuid() == 0:  # the server refuses to run as root
        shutil.chown(folder, "postgres", "postgres")
        as_user = ["runuser", "-u", "postgres", "--"]
    data = folder / "data"
    subprocess.run(
        [*as_user, str(binaries / "initdb"), "-D", str(data), "-U", "workbench", "-A", "trust", "-E", "UTF8"],
        check=True,
        capture_output=True,
        cwd="/",
    )
    options = f"-p {port} -k {folder} -c listen_addresses=127.0.0.1"
    control = [*as_user, str(binaries / "pg_ctl"), "-D", str(data), "-w"]
    subprocess.run(
        [*control, "-l", str(folder / "log"), "-o", options, "start"], check=True, capture_output=True, cwd="/"
    )
    yield f"postgresql://workbench@127.0.0.1:{port}/postgres"
    subprocess.run([*control, "-m", "immediate", "stop"], check=False, capture_output=True, cwd="/")
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(params=["local"])
def lake(request, tmp_path):
    """An empty lake of each adapter: the same tests hold for all of them."""
    return {"local": LocalLake}[request.param](tmp_path / "home")


@pytest.fixture
def upload(lake, tmp_path):
    """Make text, bytes or a frame a table, as a person does with a file."""

    def put(content, name=BOARDS, *, original_name="boards.csv", **options):
        file = tmp_path / f"upload-{time.monotonic_ns()}"
        if isinstance(content, pa.Table | pd.DataFrame):
            table = content if isinstance(content, pa.Table) else pa.Table.from_pandas(content, preserve_index=False)
            pq.write_table(table, file)
            original_name = "boards.parquet"
        else:
            file.write_bytes(content if isinstance(content, bytes) else content.encode())
        return lake.put_table(name, file, original_name=original_name, **options)

    return put


@pytest.fixture
def with_boards(lake, upload):
    upload(boards())
    return lake


@pytest.fixture
def put_rows(lake, tmp_path):
    """Make a table out of columns; each row gets the identifier r0, r1, ..."""

    def make(name=ROWS, **columns):
        table = pa.table(columns)
        if "id" not in columns:
            table = table.append_column("id", pa.array([f"r{place}" for place in range(table.num_rows)], pa.string()))
        file = tmp_path / f"table-{time.monotonic_ns()}"
        pq.write_table(table, file)
        lake.put_table(name, file, original_name="table.parquet")

    return make


@pytest.fixture
def run_check(lake):
    """The failing rows of one check as {item_ref: value}; evaluated and failed are checked against each other."""

    def check(function, *, where="", **arguments):
        rule = RowCheck("rule", function, arguments, where)
        assert lake.check_problems(ROWS, [rule]) == [""]
        report = lake.check_rows(Selection(ROWS, "id"), [rule])
        assert report.counts[0].failed == report.failed_rows == report.failure_count == len(report.failures)
        check.evaluated = report.counts[0].evaluated
        return dict(zip(report.failures["item_ref"], report.failures["value"], strict=True))

    return check


@pytest.fixture
def check_problem(lake):
    """What is wrong with one check, in a sentence; empty when it can run."""

    def ask(function, where="", **arguments):
        return lake.check_problems(ROWS, [RowCheck("rule", function, arguments, where)])[0]

    return ask
