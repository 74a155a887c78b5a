"""Colours of classes that can be told apart, and seen on a light and on a dark page."""

from __future__ import annotations

import colorsys
import re
from collections.abc import Collection
from itertools import count

COLOUR = re.compile(r"#[0-9a-f]{6}")
LIGHT_PAGE, DARK_PAGE = "#ffffff", "#0f1520"
READABLE = 3.0  # contrast that WCAG 2.2 (1.4.11) asks of graphics
_FIRST = ("#2f6fde", "#c2410c", "#0e9384", "#a855f7", "#c11574", "#4d7c0f", "#d03a2b", "#0284c7", "#a16207", "#64748b")
_GOLDEN_ANGLE = 0.618034  # of a circle; neighbours in the list lie far from each other
_LUMINANCES = (0.2, 0.27, 0.15)  # all of them readable on both pages
_SATURATION = 0.62


def contrast(colour: str, page: str) -> float:
    """The contrast of two colours, from 1 to 21 (WCAG 2.2, relative luminance of sRGB)."""
    low, high = sorted((_luminance(colour), _luminance(page)))
    return (high + 0.05) / (low + 0.05)


def is_readable(colour: str) -> bool:
    """Whether a colour can be seen on a light and on a dark page."""
    return min(contrast(colour, LIGHT_PAGE), contrast(colour, DARK_PAGE)) >= READABLE


def free_colours(number: int, *, taken: Collection[str] = ()) -> list[str]:
    """So many readable colours that are not taken, always the same ones in the same order."""
    used, found = {colour.lower() for colour in taken}, list[str]()
    for place in count():
        if len(found) == number:
            return found
        colour = _FIRST[place] if place < len(_FIRST) else _generated(place)
        if colour not in used:
            used.add(colour)
            found.append(colour)
    raise AssertionError("unreachable")


def _generated(place: int) -> str:
    """The colour of a place behind the chosen ones: a hue by the golden angle, as light as its luminance asks."""
    hue, wanted = place * _GOLDEN_ANGLE % 1, _LUMINANCES[place % len(_LUMINANCES)]
    low, high = 0.0, 1.0
    for _ in range(12):
        middle = (low + high) / 2
        low, high = (middle, high) if _luminance(_hex(hue, middle)) < wanted else (low, middle)
    return _hex(hue, low)


def _hex(hue: float, lightness: float) -> str:
    return "#" + "".join(f"{round(255 * part):02x}" for part in colorsys.hls_to_rgb(hue, lightness, _SATURATION))


def _luminance(colour: str) -> float:
    parts = (int(colour[start : start + 2], 16) / 255 for start in (1, 3, 5))
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue
