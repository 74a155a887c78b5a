"""What tests of the Label page read and do."""

from __future__ import annotations

from collections.abc import Iterable


def clean(text: str) -> str:
    """A text as a person reads it: without escapes and invisible characters."""
    return text.replace("\\", "").replace("\u2060", "")


def plainly(elements: Iterable[object]) -> list[str]:
    """The texts of markdown, captions and messages as a person reads them."""
    return [clean(str(getattr(element, "value", ""))) for element in elements]


def tiles(page) -> dict[str, str]:
    """The numbers at the top."""
    return {metric.label: metric.value for metric in page.metric}


def select(page, grids, *pairs):
    """Check rows of the list."""
    grids.select("label_grid", *(pair.id for pair in pairs))
    return page.run()


def address(page) -> dict[str, str]:
    """The address of the page."""
    return {name: value if isinstance(value, str) else value[0] for name, value in page.query_params.items()}
