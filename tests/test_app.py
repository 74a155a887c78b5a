"""The app's own routes: pictures of a volume and the rows of a sheet, and nothing else of the disk."""

from __future__ import annotations

import csv
import io
import os
import time
from dataclasses import replace

import pandas as pd
import pytest
from starlette.applications import Starlette
from starlette.routing import Route
from starlette.testclient import TestClient

from app import LEFT_OVER_AFTER, picture, remove_left_overs, sheet_rows
from workbench_core import cached
from workbench_core.demo import data_folder
from workbench_core.settings import read_settings
from workbench_core.workbench import open_workbench

VOLUME = "demo.images.pictures"
NAME = sorted((data_folder() / "images").iterdir())[0].name


@pytest.fixture
def workbench(tmp_path):
    opened = open_workbench(read_settings({"WORKBENCH_HOME": str(tmp_path), "WORKBENCH_USER": "ann"}))
    opened.demo.load(by="ann")
    yield opened
    opened.close()


@pytest.fixture
def client(workbench, monkeypatch):
    monkeypatch.setattr(cached, "workbench", lambda: workbench)
    rows = Route("/sheets/{sheet_id}/rows.{format}", sheet_rows)
    return TestClient(Starlette(routes=[Route("/pictures/{volume}/{path:path}", picture), rows]))


def test_a_picture_of_a_volume_is_served_as_a_jpeg(client):
    answer = client.get(f"/pictures/{VOLUME}/{NAME}")
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "image/jpeg"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.content[:2] == b"\xff\xd8"


@pytest.mark.parametrize(
    "address",
    [
        f"{VOLUME}/none.jpg",
        f"{VOLUME}/..%2F..%2F..%2F..%2Fstore.db",
        f"{VOLUME}/%2Fetc%2Fpasswd",
        "demo.mail.messages/x.jpg",
        "..%2F..%2Fstore/x.jpg",
        f"{VOLUME}/%00.jpg",
    ],
)
def test_everything_else_is_simply_not_there(client, address):
    assert client.get(f"/pictures/{address}").status_code == 404


# --- the rows of a sheet as a file -----------------------------------------------------------------------------------


def rows_of(answer) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(answer.content.decode("utf-8-sig"))))


def left_behind(workbench) -> list[str]:
    folder = workbench.settings.home / "downloads"
    return [file.name for file in folder.iterdir()] if folder.exists() else []


@pytest.fixture
def sheet(client, workbench):
    return next(one for one in workbench.sheets.find() if one.source == "demo.mail.messages")


def test_the_rows_of_a_sheet_are_downloaded_as_csv_and_nothing_stays(client, workbench, sheet):
    answer = client.get(f"/sheets/{sheet.id}/rows.csv")
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    assert answer.headers["content-disposition"].startswith("attachment; filename=")
    assert len(rows_of(answer)) == 1482
    assert left_behind(workbench) == []
    event = workbench.history.of("sheet", sheet.id)[0]
    assert (event.action, event.by, event.details["rows"]) == ("export file", "ann", 1482)


def test_the_same_as_parquet(client, workbench, sheet):
    answer = client.get(f"/sheets/{sheet.id}/rows.parquet")
    frame = pd.read_parquet(io.BytesIO(answer.content))
    assert list(frame.columns) == list(sheet.columns)
    assert len(frame) == 1482
    assert left_behind(workbench) == []


def test_what_is_set_aside_can_be_left_out(client, workbench, sheet, monkeypatch):
    first = workbench.sheets.preview(sheet.id, limit=1)["item_ref"].iloc[0]
    monkeypatch.setattr(workbench.data_quality.quarantine, "refs", lambda _sheet: (first,))
    assert len(rows_of(client.get(f"/sheets/{sheet.id}/rows.csv?set_aside=left_out"))) == 1481
    assert len(rows_of(client.get(f"/sheets/{sheet.id}/rows.csv"))) == 1482


@pytest.mark.parametrize("name", ["none", "'; DROP TABLE sheets; --", "..%2F..%2Fstore.db", "%00"])
def test_an_unknown_sheet_is_not_found_in_a_plain_sentence(client, workbench, name):
    answer = client.get(f"/sheets/{name}/rows.csv")
    assert answer.status_code == 404
    assert "Traceback" not in answer.text
    assert left_behind(workbench) == []


def test_another_format_is_not_found(client, sheet):
    assert client.get(f"/sheets/{sheet.id}/rows.exe").status_code == 404


def test_a_sheet_that_cannot_be_read_says_why_in_a_sentence(client, workbench, sheet):
    workbench.lake.drop("demo.mail.messages")
    answer = client.get(f"/sheets/{sheet.id}/rows.csv")
    assert answer.status_code == 404
    assert "no table or folder" in answer.text
    assert left_behind(workbench) == []


def test_nobody_downloads_from_a_hosted_app_without_a_name(client, workbench, sheet, monkeypatch):
    monkeypatch.setattr(workbench, "settings", replace(workbench.settings, backend="databricks"))
    assert client.get(f"/sheets/{sheet.id}/rows.csv").status_code == 403
    trusted = {"X-Forwarded-Email": "email"}
    monkeypatch.setattr("streamlit.get_option", lambda name: trusted if name == "server.trustedUserHeaders" else None)
    answer = client.get(f"/sheets/{sheet.id}/rows.csv", headers={"X-Forwarded-Email": "ben@example.com"})
    assert answer.status_code == 200
    assert workbench.history.of("sheet", sheet.id)[0].by == "ben@example.com"


def test_files_of_downloads_that_broke_off_are_removed_later(client, workbench, sheet):
    folder = workbench.settings.home / "downloads"
    folder.mkdir()
    for name, age in (("old.csv", 2 * LEFT_OVER_AFTER), ("new.csv", 10)):
        (folder / name).write_text("x")
        os.utime(folder / name, (time.time() - age, time.time() - age))
    client.get(f"/sheets/{sheet.id}/rows.csv")
    assert left_behind(workbench) == ["new.csv"]


def test_a_left_over_that_another_download_removes_meanwhile_stops_nothing(tmp_path, monkeypatch):
    for name in ("a.csv", "b.csv"):
        (tmp_path / name).write_text("x")
        os.utime(tmp_path / name, (time.time() - 2 * LEFT_OVER_AFTER,) * 2)
    listed = list(tmp_path.glob("*"))
    (tmp_path / "a.csv").unlink()
    monkeypatch.setattr(type(tmp_path), "glob", lambda folder, pattern: iter(listed))
    remove_left_overs(tmp_path)
    assert not (tmp_path / "b.csv").exists()
