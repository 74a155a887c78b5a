"""Pictures from people's files: made small, and never a danger."""

from __future__ import annotations

import io

import pytest
from PIL import Image

from workbench_core.demo import data_folder
from workbench_core.pictures import thumbnail

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
