"""Pictures from people's files: which file a value names, made small and safe to show."""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from PIL import Image

MAX_PIXELS = 80_000_000  # above, a small file may unpack to gigabytes
IMAGE_ENDINGS = (".png", ".jpg", ".jpeg", ".gif", ".webp", ".bmp", ".tif", ".tiff")
_FORMATS = ("JPEG", "PNG", "GIF", "WEBP", "BMP", "TIFF")
_VOLUMES = "/Volumes/"
_SIDE = 64  # enough to decode all of an image


@dataclass(frozen=True, slots=True)
class PicturePlace:
    """A file of a volume."""

    volume: str
    path: str


def picture_place(
    value: object, volumes: Sequence[str], *, is_in: Callable[[str, str], bool] | None = None
) -> PicturePlace | None:
    """The file that a value names: a path in one of the volumes, or `/Volumes/catalog/schema/volume/path`.

    With several volumes it is the first that has the file, as `is_in(volume, path)` says; without `is_in` the first
    one. Whether the file is there is not asked else. Addresses of the internet are never followed.
    """
    text = value if isinstance(value, str) else ""
    if text.startswith(_VOLUMES):
        parts = text.removeprefix(_VOLUMES).split("/", 3)
        return PicturePlace(".".join(parts[:3]), parts[3]) if len(parts) == 4 and all(parts) else None
    path = text.removeprefix("./")
    if not path or "://" in path or path.startswith("/"):
        return None
    if is_in is None or len(volumes) == 1:
        return PicturePlace(volumes[0], path) if volumes else None
    return next((PicturePlace(volume, path) for volume in volumes if is_in(volume, path)), None)


def attachment_of(place: PicturePlace) -> str:
    """The file as messages name it: volume and path."""
    return f"{place.volume}/{place.path}"


def place_of(attachment: str) -> PicturePlace:
    """The file of an attachment of a message."""
    volume, _, path = attachment.partition("/")
    return PicturePlace(volume, path)


def is_readable(content: bytes, *, is_whole: bool = True) -> bool:
    """Whether this is an image that can be decoded.

    Of one with more than `MAX_PIXELS`, and of the beginning of a file (`is_whole=False`), only the header is read.
    """
    from PIL import Image

    try:
        with Image.open(io.BytesIO(content), formats=_FORMATS) as picture:
            pixels = picture.width * picture.height
    except Image.DecompressionBombError:
        return True  # its header was read; Pillow refuses to decode as many pixels
    except (OSError, ValueError, SyntaxError, EOFError):
        return False
    return pixels > MAX_PIXELS or not is_whole or thumbnail(content, side=_SIDE) is not None


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
