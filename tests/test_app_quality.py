"""The app's route for the failing values of a quality run."""

from __future__ import annotations

import csv
import io
from dataclasses import replace

import pytest
from starlette.applications import Starlette
from starlette.routing import Route
from starlette.testclient import TestClient

from app import failing_values
from workbench_core import cached
from workbench_core.data_quality import RuleDraft
from workbench_core.settings import read_settings
from workbench_core.sheets import SheetDraft
from workbench_core.workbench import open_workbench


@pytest.fixture
def workbench(tmp_path, monkeypatch):
    opened = open_workbench(read_settings({"WORKBENCH_HOME": str(tmp_path), "WORKBENCH_USER": "ann"}))
    monkeypatch.setattr(cached, "workbench", lambda: opened)
    yield opened
    opened.close()


@pytest.fixture
def client(workbench):
    return TestClient(Starlette(routes=[Route("/quality/{run_id}/failing.csv", failing_values)]))


@pytest.fixture
def run(workbench, tmp_path):
    """A run in which 2 of 3 orders fail."""
    file = tmp_path / "orders.csv"
    file.write_text("id,email\na,\nb,=cmd()\nc,\n")
    workbench.lake.put_table("main.shop.orders", file, original_name="orders.csv")
    sheet = workbench.sheets.create(SheetDraft("Orders", "main.shop.orders", "id", text_columns=("email",)), by="ann")
    workbench.data_quality.save_rule(sheet.id, RuleDraft("regex_match", ("email",), {"regex": "@"}), by="ann")
    workbench.data_quality.save_rule(sheet.id, RuleDraft("is_not_null", ("email",), name="there"), by="ann")
    workbench.data_quality.start(sheet.id, by="ann")
    worker = workbench.worker()
    while worker.run_one():
        pass
    return workbench.data_quality.latest(sheet.id)


def test_the_failing_values_are_downloaded_as_csv_and_the_history_tells(client, workbench, run):
    """DQ-7."""
    answer = client.get(f"/quality/{run.id}/failing.csv")
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    assert answer.headers["content-disposition"] == 'attachment; filename="orders-failing.csv"'
    assert answer.headers["cache-control"] == "no-store"
    lines = list(csv.DictReader(io.StringIO(answer.text)))
    assert sorted((line["item_ref"], line["value"]) for line in lines) == [
        ("a", "null"),
        ("b", "'=cmd()"),
        ("c", "null"),
    ]
    event = workbench.history.of("sheet", run.sheet_id)[0]
    assert (event.action, event.by) == ("export failing values", "ann")


@pytest.mark.parametrize("name", ["nobody", "'; DROP TABLE quality_runs; --", "..%2F..%2Fstore.db", "%00"])
def test_an_unknown_run_is_not_found_in_a_plain_sentence(client, name):
    answer = client.get(f"/quality/{name}/failing.csv")
    assert answer.status_code == 404
    assert "Traceback" not in answer.text


def test_a_run_whose_items_are_not_kept_any_more_says_so(client, workbench, run):
    workbench.store.execute("UPDATE quality_runs SET keeps_items = FALSE", touches="quality_runs")
    answer = client.get(f"/quality/{run.id}/failing.csv")
    assert answer.status_code == 409
    assert "not kept any more" in answer.text


def test_nobody_downloads_from_a_hosted_app_without_a_name(client, workbench, run, monkeypatch):
    monkeypatch.setattr(workbench, "settings", replace(workbench.settings, backend="databricks"))
    assert client.get(f"/quality/{run.id}/failing.csv").status_code == 403
