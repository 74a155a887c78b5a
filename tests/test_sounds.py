"""The app's route for sound: whole or in parts, and nothing else of the disk."""

from __future__ import annotations

import io
import wave

import pytest
from starlette.applications import Starlette
from starlette.routing import Route
from starlette.testclient import TestClient

import app
from workbench_core import cached
from workbench_core.settings import read_settings
from workbench_core.workbench import open_workbench

VOLUME = "main.uploads.plant"


def sound(frames: int = 800) -> bytes:
    out = io.BytesIO()
    with wave.open(out, "wb") as written:
        written.setnchannels(1)
        written.setsampwidth(2)
        written.setframerate(8_000)
        written.writeframes(bytes(range(200)) * (frames // 100))
    return out.getvalue()


@pytest.fixture
def client(tmp_path, monkeypatch):
    opened = open_workbench(read_settings({"WORKBENCH_HOME": str(tmp_path), "WORKBENCH_USER": "ann"}))
    files = {"a/hum ü.wav": sound(), "page.html": b"<script>alert(1)</script>", "empty.wav": b""}
    opened.lake.put_files(VOLUME, files)
    (tmp_path / "secret.wav").write_bytes(sound())
    monkeypatch.setattr(cached, "workbench", lambda: opened)
    yield TestClient(Starlette(routes=[Route("/sounds/{volume}/{path:path}", app.sound)]))
    opened.close()


def test_sound_is_served_whole_with_its_type(client):
    answer = client.get(f"/sounds/{VOLUME}/a/hum%20%C3%BC.wav")
    assert (answer.status_code, answer.content) == (200, sound())
    assert answer.headers["content-type"] == "audio/wav"
    assert answer.headers["accept-ranges"] == "bytes"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["content-length"] == str(len(sound()))


@pytest.mark.parametrize(
    ("asked", "part"),
    [("bytes=0-3", slice(0, 4)), ("bytes=10-", slice(10, None)), ("bytes=-5", slice(-5, None)),
     ("bytes=100-99999999", slice(100, None)), ("bytes=0-0", slice(0, 1)), ("bytes=-99999999", slice(0, None))],
)  # fmt: skip
def test_a_browser_gets_the_part_that_it_asks_for(client, monkeypatch, asked, part):
    monkeypatch.setattr(app, "SOUND_CHUNK", 100)  # so that there are several
    answer = client.get(f"/sounds/{VOLUME}/a/hum%20%C3%BC.wav", headers={"Range": asked})
    whole = sound()
    first, last, _ = part.indices(len(whole))
    assert (answer.status_code, answer.content) == (206, whole[part])
    assert answer.headers["content-range"] == f"bytes {first}-{last - 1}/{len(whole)}"


@pytest.mark.parametrize("asked", ["bytes=99999999-", "bytes=5-3", "bytes=-0", "bytes=-", "lines=1-2", "bytes=0-1,4-5"])
def test_a_part_that_there_is_not_is_refused(client, asked):
    answer = client.get(f"/sounds/{VOLUME}/a/hum%20%C3%BC.wav", headers={"Range": asked})
    assert answer.status_code == 416
    assert answer.headers["content-range"] == f"bytes */{len(sound())}"


@pytest.mark.parametrize(
    "address",
    [f"{VOLUME}/page.html", f"{VOLUME}/empty.wav", f"{VOLUME}/none.wav", f"{VOLUME}/a", "main.uploads.none/a.wav",
     f"{VOLUME}/..%2F..%2F..%2F..%2Fsecret.wav", f"{VOLUME}/%2Fetc%2Fpasswd", f"{VOLUME}/%00.wav",
     "..%2F..%2F..%2Fx/secret.wav"],
)  # fmt: skip
def test_everything_else_is_simply_not_there(client, address):
    assert client.get(f"/sounds/{address}").status_code == 404


def test_the_app_serves_the_route():
    assert "/sounds/{volume}/{path:path}" in {route.path for route in app.app._user_routes}
