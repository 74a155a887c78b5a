"""What tests of files that come into the lake share: an upload, and a look at what becomes of it."""

from __future__ import annotations

import time
from datetime import date, datetime

import pyarrow.parquet as pq
import pytest

from workbench_core.ports import IntakePlan

MAILS = "main.uploads.mails"
SHEET = [
    ["id", "code", "share", "mixed", "day", "at", "flag", "remark"],
    [1, "007", 0.5, 1, date(2026, 1, 5), datetime(2026, 1, 5, 9, 30, 15), True, 'two\nlines; "quoted", ,'],
    [2, "008", 2, "a", date(2026, 1, 6), date(2026, 1, 6), False, "#N/A"],
]


@pytest.fixture
def file(tmp_path):
    """A file with this content, as an upload leaves it: without its name."""

    def make(content):
        path = tmp_path / f"upload-{time.monotonic_ns()}"
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return make


@pytest.fixture
def look(lake, file):
    """Inspect a file, make it a table, and make sure that both are the same."""

    def look_(content, name="mails.csv", **plan):
        upload = file(content)
        shown = lake.inspect_file(upload, original_name=name, plan=IntakePlan(**plan))
        if any(entry.name == MAILS for entry in lake.tables()):
            lake.drop(MAILS)
        lake.put_table(MAILS, upload, original_name=name, plan=IntakePlan(**plan))
        assert [(column.name, column.data_type, column.kind) for column in lake.columns(MAILS)] == [
            (column.name, column.data_type, column.kind) for column in shown.columns
        ]
        written = pq.read_table(next(lake._root.rglob("mails.parquet")))
        assert written.num_rows == shown.row_count
        assert written.column_names == list(shown.rows.columns)
        return shown

    return look_


def types(shown):
    return {column.name: column.data_type for column in shown.columns}


def said(shown):
    return " ".join(shown.notes)
