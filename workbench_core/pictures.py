"""Pictures from people's files, made small and safe to show."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from PIL import Image

MAX_PIXELS = 80_000_000  # above, a small file may unpack to gigabytes
IMAGE_ENDINGS = (".png", ".jpg", ".jpeg", ".gif", ".webp", ".bmp", ".tif", ".tiff")
_FORMATS = ("JPEG", "PNG", "GIF", "WEBP", "BMP", "TIFF")


def thumbnail(content: bytes, *, side: int) -> bytes | None:
    """A JPEG of at most `side` by `side` pixels, upright and without metadata; None when it is no such picture.

    Reads JPEG, PNG, GIF, WebP, BMP and TIFF; of animations and stacks the first frame. Transparency becomes white.
    """
    from PIL import Image, ImageOps

    try:
        with Image.open(io.BytesIO(content), formats=_FORMATS) as picture:
            if picture.width * picture.height > MAX_PIXELS:
                return None
            picture.draft("RGB", (side, side))  # a JPEG is read at a fraction of its size
            small = _eight_bits(ImageOps.exif_transpose(picture))
            small.thumbnail((side, side))
            return _jpeg(small)
    except (OSError, ValueError, SyntaxError, EOFError, Image.DecompressionBombError):
        return None  # truncated, damaged or no picture at all: Pillow says each in its own way


def _eight_bits(picture: Image.Image) -> Image.Image:
    """Spread the values of 16 bits a pixel and more over what a screen shows; other pictures as they are."""
    if not picture.mode.startswith(("I", "F")):
        return picture
    values = picture if picture.mode == "F" else picture.convert("I").convert("F")
    low, high = (float(str(edge)) for edge in values.getextrema())
    scale = 255.0 / ((high - low) or 1.0)
    return values.point(lambda value: value * scale - low * scale).convert("L")


def _jpeg(picture: Image.Image) -> bytes:
    from PIL import Image

    if picture.has_transparency_data:
        picture = picture.convert("RGBA")
        picture = Image.alpha_composite(Image.new("RGBA", picture.size, "white"), picture)
    out = io.BytesIO()
    picture.convert("RGB").save(out, "JPEG", quality=85)
    return out.getvalue()
