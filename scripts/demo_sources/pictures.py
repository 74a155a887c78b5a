"""Pictures of scikit-image and scikit-learn, made small."""

from __future__ import annotations

import io
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from demo_sources.packages import read_package

IMAGE_SIDE, IMAGE_BYTES = 512, 60_000


@dataclass(frozen=True, slots=True)
class Picture:
    """A row of the table that names source and licence of each image."""

    file_name: str
    title: str
    source: str
    licence: str


CC0, PUBLIC_DOMAIN = "CC0 1.0", "Public domain"
# Only images to which skimage/data/_fetchers.py or sklearn/datasets/images/README.txt gives a free licence.
PICTURES: Mapping[str, tuple[str, str, str]] = {
    "astronaut.png": ("Astronaut Eileen Collins", "NASA Great Images, by way of scikit-image", PUBLIC_DOMAIN),
    "brick.png": ("Brick wall", "CC0Textures (Bricks25), by way of scikit-image", CC0),
    "camera.png": ("Photographer with a camera", "Lav Varshney, by way of scikit-image", CC0),
    "cell.png": ("Cell floating in saline", "Paul Müller and others, by way of scikit-image", CC0),
    "chelsea.png": ("Chelsea the cat", "Stéfan van der Walt, by way of scikit-image", CC0),
    "clock_motion.png": (
        "Wall clock in motion",
        "Stéfan van der Walt, by way of scikit-image",
        PUBLIC_DOMAIN,
    ),
    "coffee.png": ("Cup of coffee", "Rachel Michetti, by way of scikit-image", CC0),
    "grass.png": ("Grass", "linolafett (DeviantArt), by way of scikit-image", CC0),
    "gravel.png": ("Gravel", "CC0Textures (Gravel04), by way of scikit-image", CC0),
    "horse.png": ("Silhouette of a horse", "Andreas Preuss (openclipart), by way of scikit-image", CC0),
    "hubble_deep_field.jpg": (
        "Hubble eXtreme Deep Field",
        "NASA (HubbleSite), by way of scikit-image",
        PUBLIC_DOMAIN,
    ),
    "microaneurysms.png": (
        "Retina with lesions",
        "Andreas Maier (HRF database), by way of scikit-image",
        CC0,
    ),
    "retina.jpg": ("Human retina", "Mikael Häggström, by way of scikit-image", CC0),
    "rocket.jpg": ("Launch of a Falcon 9", "SpaceX, by way of scikit-image", PUBLIC_DOMAIN),
    "text.png": ("Corner of a printed text", "Wikipedia (Corner.png), by way of scikit-image", PUBLIC_DOMAIN),
    "china.jpg": (
        "Temple in China",
        "Flickr user danielbuechele, by way of scikit-learn; made smaller",
        "CC BY 2.0",
    ),
    "flower.jpg": ("Flower", "Flickr user vultilion, by way of scikit-learn; made smaller", "CC BY 2.0"),
}


def write_pictures(packages: Iterable[Path], folder: Path) -> list[Picture]:
    """Write the images as JPEG files of at most 512 pixels a side, and return their attributions."""
    folder.mkdir(parents=True, exist_ok=True)
    rows = []
    for package in packages:
        for path, content in read_package(package, r"(skimage/data|images)/[^/]+\.(png|jpg)$").items():
            name = Path(path).name
            if name in PICTURES:
                file_name = f"{Path(name).stem}.jpg"
                (folder / file_name).write_bytes(_small_jpeg(content))
                rows.append(Picture(file_name, *PICTURES[name]))
    missing = {Path(name).stem for name in PICTURES} - {Path(row.file_name).stem for row in rows}
    if missing:
        raise SystemExit(f"These images are not in the packages: {', '.join(sorted(missing))}")
    return sorted(rows, key=lambda row: row.file_name)


def _small_jpeg(content: bytes) -> bytes:
    with Image.open(io.BytesIO(content)) as opened:
        image = opened.convert("RGBA")
    page = Image.new("RGBA", image.size, "white")
    page.alpha_composite(image)
    small = page.convert("RGB")
    small.thumbnail((IMAGE_SIDE, IMAGE_SIDE))
    for quality in range(88, 20, -6):
        out = io.BytesIO()
        small.save(out, "JPEG", quality=quality, optimize=True)
        if out.tell() <= IMAGE_BYTES:
            break
    return out.getvalue()
