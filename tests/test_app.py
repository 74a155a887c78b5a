"""The app's own routes: pictures of a volume, and nothing else of the disk."""

from __future__ import annotations

import pytest
from starlette.applications import Starlette
from starlette.routing import Route
from starlette.testclient import TestClient

from app import picture
from workbench_core import cached
from workbench_core.demo import data_folder
from workbench_core.settings import read_settings
from workbench_core.workbench import open_workbench

VOLUME = "demo.images.pictures"
NAME = sorted((data_folder() / "images").iterdir())[0].name


@pytest.fixture
def client(tmp_path, monkeypatch):
    workbench = open_workbench(read_settings({"WORKBENCH_HOME": str(tmp_path), "WORKBENCH_USER": "ann"}))
    workbench.demo.load(by="ann")
    monkeypatch.setattr(cached, "workbench", lambda: workbench)
    yield TestClient(Starlette(routes=[Route("/pictures/{volume}/{path:path}", picture)]))
    workbench.close()


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
