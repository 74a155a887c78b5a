"""Pictures from people's files: found where a value says, made small, and never a danger."""

from __future__ import annotations

import io

import pytest
from PIL import Image

from workbench_core.demo import data_folder
from workbench_core.pictures import PicturePlace, picture_place, thumbnail

PICTURES = sorted((data_folder() / "images").iterdir())


def encoded(picture: Image.Image, kind: str) -> bytes:
    out = io.BytesIO()
    picture.save(out, kind)
    return out.getvalue()


@pytest.mark.parametrize("file", PICTURES, ids=lambda file: file.name)
def test_every_demo_picture_can_be_shown(file):
    small = Image.open(io.BytesIO(thumbnail(file.read_bytes(), side=120)))
    assert small.format == "JPEG"
    assert max(small.size) <= 120


@pytest.mark.parametrize("mode", ["RGBA", "P", "L", "I;16", "CMYK", "1"])
def test_unusual_pictures_become_plain_ones(mode):
    kind = "TIFF" if mode in {"CMYK", "I;16"} else "PNG"
    assert thumbnail(encoded(Image.new(mode, (40, 20)), kind), side=10)


@pytest.mark.parametrize(
    "content",
    [b"", b"no picture", b"<svg onload='alert(1)'/>", PICTURES[0].read_bytes()[:200]],
    ids=["empty", "text", "markup", "cut off"],
)
def test_what_is_no_picture_is_not_shown(content):
    assert thumbnail(content, side=100) is None


def test_a_small_file_that_unpacks_to_gigabytes_is_not_opened():
    assert thumbnail(encoded(Image.new("1", (40_000, 40_000)), "PNG"), side=100) is None


# --- where they are ------------------------------------------------------------------------------------------------

VOLUMES = ["main.a.one", "main.a.two"]
FILES = {("main.a.one", "x.jpg"), ("main.a.two", "y/ü z.jpg")}


@pytest.mark.parametrize(
    ("value", "volumes", "expected"),
    [
        ("x.jpg", VOLUMES, PicturePlace("main.a.one", "x.jpg")),
        ("y/ü z.jpg", VOLUMES, PicturePlace("main.a.two", "y/ü z.jpg")),
        ("./x.jpg", VOLUMES, PicturePlace("main.a.one", "x.jpg")),
        ("missing.jpg", VOLUMES, None),
        ("missing.jpg", VOLUMES[:1], PicturePlace("main.a.one", "missing.jpg")),
        ("/Volumes/main/a/two/b/c.jpg", [], PicturePlace("main.a.two", "b/c.jpg")),
        ("/Volumes/main/a/two", VOLUMES, None),
        ("/Volumes/main//two/c.jpg", VOLUMES, None),
        ("/etc/passwd", VOLUMES, None),
        ("https://evil.example/x.jpg", VOLUMES, None),
        ("x.jpg", [], None),
        (None, VOLUMES, None),
        (float("nan"), VOLUMES, None),
        (b"\xff\xd8", VOLUMES, None),
        ("", VOLUMES, None),
    ],
)
def test_a_picture_is_found_where_its_value_says(value, volumes, expected):
    assert picture_place(value, volumes, is_in=lambda volume, path: (volume, path) in FILES) == expected


def test_without_knowing_the_files_the_first_volume_is_meant():
    assert picture_place("./x.jpg", VOLUMES) == PicturePlace("main.a.one", "x.jpg")
    assert picture_place("x.jpg", []) is None
